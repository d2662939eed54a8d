#include "pipeline/stage_decode.h"

#include "base/clock.h"
#include "base/mem.h"
#include "media/live_decoder.h"
#include "pipeline/shot.h"

#define RESERVE_BYTES (32 << 20) // of frames' memory at hand

struct decode {
    // Immutable.
    struct sc_stage_decode_params params;
    // The stage's own.
    sc_stage *stage;
    sc_live_decoder *decoder;
    sc_live_streams *streams; // that it was started with; NULL = none
    int64_t arrival_ns;       // of the last packet
    int64_t next_ns;          // with a limit of the rate: the next picture is due
};

// Keeps at most one picture of each 1/fps; a quarter of that is forgiven, so that a source of just
// that rate loses none.
static bool thin(struct decode *d, int64_t pts_ns)
{
    if (d->params.fps <= 0)
        return false;
    int64_t step_ns = (int64_t)((double)SC_NS_PER_S / d->params.fps);
    if (pts_ns < d->next_ns - step_ns / 4 && pts_ns > d->next_ns - 2 * step_ns)
        return true;
    bool near = pts_ns < d->next_ns + step_ns && pts_ns > d->next_ns - 2 * step_ns;
    d->next_ns = (near ? d->next_ns : pts_ns) + step_ns;
    return false;
}

static void tell(struct decode *d, const sc_frame *frame, bool thinned)
{
    struct sc_live_facts *facts = d->params.facts;
    struct sc_live_decoder_info info;
    sc_live_decoder_get_info(d->decoder, &info);
    pthread_mutex_lock(&facts->lock);
    facts->frames++;
    facts->thinned += thinned;
    facts->damaged = info.damaged;
    facts->width = frame->av->width;
    facts->height = frame->av->height;
    if (!facts->running && facts->source == SC_LIVE_CONNECTED) { // else one from before a loss
        facts->reason[0] = '\0';
        facts->running = true;
    }
    pthread_mutex_unlock(&facts->lock);
}

static void emit(struct decode *d, sc_frame *frame)
{
    bool thinned = thin(d, frame->pts_ns);
    tell(d, frame, thinned);
    if (thinned) {
        sc_frame_unref(&frame);
        return;
    }
    sc_shot *shot = sc_shot_new(frame, d->params.paced ? sc_clock_now() : d->arrival_ns);
    sc_stage_emit(
        d->stage, 0,
        (struct sc_item){.data = shot, .pts_ns = frame->pts_ns, .born_ns = shot->arrival_ns});
}

// Hands on what the decoder has ready. SC_EAGAIN: it wants more; SC_EEOF: it is drained.
static int receive(struct decode *d)
{
    for (;;) {
        sc_frame *frame = NULL;
        int ret = sc_live_decoder_receive(d->decoder, &frame);
        if (ret < 0)
            return ret;
        emit(d, frame);
    }
}

static int drain(struct decode *d)
{
    if (!d->streams)
        return SC_EEOF;
    int ret = sc_live_decoder_send(d->decoder, NULL);
    while (ret >= 0 || ret == SC_EAGAIN)
        ret = receive(d);
    return ret;
}

static int start(struct decode *d, sc_live_streams *streams, sc_err *err)
{
    int ret = drain(d);
    if (ret == SC_ENOMEM)
        return sc_fail(err, ret, "no memory for pictures");
    sc_live_streams_unref(&d->streams);
    ret = sc_live_decoder_start(d->decoder, streams, err);
    if (ret >= 0)
        d->streams = sc_live_streams_ref(streams);
    return ret;
}

static int open_decode(void *self, sc_stage *stage, sc_err *err)
{
    struct decode *d = self;
    sc_buffers *buffers = sc_buffers_new(RESERVE_BYTES);
    const struct sc_live_decoder_params params = {.threads = d->params.threads,
                                                  .buffers = buffers};
    d->stage = stage;
    int ret = sc_live_decoder_open(&d->decoder, &params, err);
    sc_buffers_unref(&buffers);
    return ret;
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct decode *d = self;
    sc_chunk *chunk = item.data;
    (void)in;
    int ret = SC_OK;
    if (d->streams != chunk->streams || chunk->resumed)
        ret = start(d, chunk->streams, err);
    if (ret < 0)
        return ret;
    d->arrival_ns = chunk->arrival_ns;
    do {
        ret = sc_live_decoder_send(d->decoder, chunk->packet);
        int got = receive(d);
        if (got == SC_ENOMEM)
            ret = got;
    } while (ret == SC_EAGAIN);
    if (ret == SC_ENOMEM)
        return sc_fail(err, ret, "no memory for pictures");
    sc_chunk_unref(&chunk); // what is damaged was counted
    return SC_OK;
}

static int flush(void *self, sc_err *err)
{
    struct decode *d = self;
    int ret = drain(d);
    return ret == SC_ENOMEM ? sc_fail(err, ret, "no memory for pictures") : SC_EEOF;
}

static void close_decode(void *self)
{
    struct decode *d = self;
    sc_live_decoder_close(&d->decoder);
    sc_live_streams_unref(&d->streams);
    free(d);
}

static const struct sc_stage_ops ops = {
    .kind = "decode", .open = open_decode, .push = push, .flush = flush, .close = close_decode};

int sc_stage_decode_add(sc_graph *graph, const struct sc_stage_decode_params *params,
                        sc_stage **pstage, sc_err *err)
{
    struct decode *d = sc_new(struct decode);
    d->params = *params;
    const struct sc_stage_params stage = {
        .ops = &ops, .self = d, .in = {&sc_chunk_item}, .out = {&sc_shot_item}};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        close_decode(d);
    return ret;
}
