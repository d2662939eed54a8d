#include "pipeline/stage_encode.h"

#include "base/clock.h"
#include "base/mem.h"
#include "media/encoder.h"
#include "pipeline/shot.h"

#define KEY_PAUSE_NS (SC_NS_PER_S / 2) // wishes for keyframes within it are one

struct encode {
    struct sc_stage_encode_params params; // immutable
    // The stage's own.
    sc_stage *stage;
    sc_encoder *encoder; // NULL before the first picture
    int64_t key_at_ns;   // of the last keyframe that was wished for
    int64_t born_ns;     // of the last picture
};

static double rate_of(struct encode *e)
{
    AVRational rate = sc_live_facts_rate(e->params.facts);
    double fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    return e->params.fps > 0 && (fps <= 0 || e->params.fps < fps) ? e->params.fps : fps;
}

// Odd sides have no 4:2:0 picture: a line or column less.
static int open_encoder(struct encode *e, const AVFrame *like, sc_err *err)
{
    double fps = rate_of(e);
    struct sc_encoder_params params = {
        .like = like,
        .width = like->width & ~1,
        .height = like->height & ~1,
        .frame_rate = fps > 0 ? av_d2q(fps, 100000) : (AVRational){0, 1},
        .codec = e->params.codec,
        .preset = e->params.preset,
        .bitrate = e->params.bitrate,
        .key_ns = e->params.key_ns,
        .live = e->params.live,
    };
    if (!params.bitrate && e->params.sized)
        params.bitrate = sc_encoder_suiting_bitrate(like->width, like->height, fps);
    int ret = sc_encoder_open(&e->encoder, &params, err);
    if (ret < 0)
        return ret;
    struct sc_live_facts *facts = e->params.facts;
    pthread_mutex_lock(&facts->lock);
    facts->out_width = params.width;
    facts->out_height = params.height;
    facts->out_rate = params.frame_rate;
    facts->video = avcodec_parameters_alloc();
    if (facts->video && avcodec_parameters_copy(facts->video, sc_encoder_codec(e->encoder)) < 0)
        avcodec_parameters_free(&facts->video);
    bool ok = facts->video;
    pthread_mutex_unlock(&facts->lock);
    return ok ? SC_OK : sc_fail(err, SC_ENOMEM, "no memory for the encoder");
}

static void emit(struct encode *e, sc_packet *packet)
{
    sc_live_facts_count(e->params.facts, e->born_ns);
    sc_stage_emit(
        e->stage, 0,
        (struct sc_item){.data = packet, .pts_ns = packet->dts_ns, .born_ns = e->born_ns});
}

// SC_EAGAIN: it wants pictures; SC_EEOF: it is flushed.
static int receive(struct encode *e, sc_err *err)
{
    for (;;) {
        sc_packet *packet = NULL;
        int ret = sc_encoder_get(e->encoder, &packet, err);
        if (ret < 0)
            return ret;
        emit(e, packet);
    }
}

static void ask_for_key(struct encode *e)
{
    int64_t now_ns = sc_clock_now();
    if (now_ns - e->key_at_ns < KEY_PAUSE_NS ||
        !atomic_exchange(&e->params.facts->want_key, false))
        return;
    e->key_at_ns = now_ns;
    sc_encoder_want_key(e->encoder);
}

static int start(void *self, sc_stage *stage, sc_err *err)
{
    struct encode *e = self;
    (void)err;
    e->stage = stage;
    return SC_OK;
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct encode *e = self;
    sc_shot *shot = item.data;
    (void)in;
    int ret = e->encoder ? SC_OK : open_encoder(e, shot->frame->av, err);
    if (ret < 0)
        return ret;
    ask_for_key(e);
    e->born_ns = item.born_ns;
    while ((ret = sc_encoder_put(e->encoder, shot->frame->av, shot->frame->pts_ns, 0, err)) ==
           SC_EAGAIN) {
        ret = receive(e, err);
        if (ret < 0 && ret != SC_EAGAIN)
            return ret;
    }
    if (ret >= 0)
        ret = receive(e, err);
    if (ret < 0 && ret != SC_EAGAIN)
        return ret;
    sc_shot_unref(&shot);
    return SC_OK;
}

static int flush(void *self, sc_err *err)
{
    struct encode *e = self;
    if (!e->encoder)
        return SC_EEOF;
    int ret = sc_encoder_flush(e->encoder, err);
    return ret < 0 ? ret : receive(e, err);
}

static void close_encode(void *self)
{
    struct encode *e = self;
    sc_encoder_close(&e->encoder);
    free(e);
}

static const struct sc_stage_ops ops = {
    .kind = "encode", .open = start, .push = push, .flush = flush, .close = close_encode};

int sc_stage_encode_add(sc_graph *graph, const struct sc_stage_encode_params *params,
                        sc_stage **pstage, sc_err *err)
{
    struct encode *e = sc_new(struct encode);
    e->params = *params;
    const struct sc_stage_params stage = {
        .ops = &ops, .self = e, .in = {&sc_shot_item}, .out = {&sc_packet_item}};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        close_encode(e);
    return ret;
}
