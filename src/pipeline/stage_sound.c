#include "pipeline/stage_sound.h"

#include "base/clock.h"
#include "base/mem.h"
#include "media/sound_coder.h"
#include "pipeline/shot.h"

struct sound {
    sc_rung *rung;
    sc_log *log;
    sc_sound_coder *coder; // NULL while nobody taps, and for what cannot be decoded
    int generation;        // of the source that the coder, or its absence, is for; 0 = none
};

static void give(struct sound *s, const sc_chunk *chunk, sc_packet *packet)
{
    const struct sc_live_sample sample = {.packet = packet,
                                          .pts_ns = packet->pts_ns,
                                          .arrival_ns = chunk->arrival_ns,
                                          .ready_ns = sc_clock_now()};
    packet->key = true;
    sc_rung_give(s->rung, &sample);
}

static void open_coder(struct sound *s, const sc_live_streams *streams)
{
    sc_sound_coder_close(&s->coder);
    s->generation = streams->generation;
    int ret =
        streams->sound ? sc_sound_coder_open(&s->coder, streams->sound, SC_SOUND_OPUS) : SC_OK;
    if (ret < 0)
        SC_WARN(s->log, "this sound cannot be sent to viewers",
                SC_S("codec", avcodec_get_name(streams->sound->codec_id)));
}

static int encode(struct sound *s, const sc_chunk *chunk)
{
    sc_packet *made = NULL;
    int ret = sc_sound_coder_put(s->coder, chunk->packet);
    while (ret >= 0 && (ret = sc_sound_coder_get(s->coder, &made)) >= 0) {
        give(s, chunk, made);
        sc_packet_unref(&made);
    }
    return ret == SC_EAGAIN ? SC_OK : ret;
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct sound *s = self;
    sc_chunk *chunk = item.data;
    int ret = SC_OK;
    (void)in;
    if (!sc_rung_taps(s->rung)) {
        sc_sound_coder_close(&s->coder);
        s->generation = 0;
    } else {
        if (s->generation != chunk->streams->generation)
            open_coder(s, chunk->streams);
        if (s->coder)
            ret = encode(s, chunk);
    }
    if (ret < 0)
        return sc_fail(err, ret, "sound cannot be encoded: %s", sc_strerror(ret));
    sc_chunk_unref(&chunk);
    return SC_OK;
}

static void close_sound(void *self)
{
    struct sound *s = self;
    sc_rung_end(s->rung);
    sc_sound_coder_close(&s->coder);
    sc_rung_unref(&s->rung);
    free(s);
}

static const struct sc_stage_ops ops = {.kind = "sound", .push = push, .close = close_sound};

int sc_stage_sound_add(sc_graph *graph, sc_rung *rung, sc_log *log, sc_stage **pstage,
                       sc_err *err)
{
    struct sound *s = sc_new(struct sound);
    *s = (struct sound){.rung = sc_rung_ref(rung), .log = log};
    const struct sc_stage_params stage = {
        .name = "sound", .ops = &ops, .self = s, .in = {&sc_chunk_item}, .optional = true};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0) {
        sc_rung_unref(&s->rung);
        free(s);
    }
    return ret;
}
