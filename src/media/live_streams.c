// What a source consists of, as a shared value.
#include <string.h>

#include "base/mem.h"
#include "media/live_input_internal.h"

static AVCodecParameters *copy_par(const AVCodecParameters *par)
{
    AVCodecParameters *copy = avcodec_parameters_alloc();
    if (copy && avcodec_parameters_copy(copy, par) < 0)
        avcodec_parameters_free(&copy);
    return copy;
}

static void destroy(sc_live_streams *streams)
{
    avcodec_parameters_free(&streams->video);
    avcodec_parameters_free(&streams->sound);
    free(streams);
}

sc_live_streams *sc_live_streams_new(const struct sc_live_facts *facts, int generation,
                                     const struct sc_live_kind *kind)
{
    sc_live_streams *streams = sc_new(sc_live_streams);
    sc_ref_init(&streams->ref);
    streams->generation = generation;
    streams->frame_rate = facts->frame_rate;
    streams->turn = facts->turn;
    streams->live = kind->live && !facts->finite;
    snprintf(streams->kind, sizeof(streams->kind), "%s", kind->name);
    streams->video = copy_par(facts->video);
    streams->sound = facts->sound ? copy_par(facts->sound) : NULL;
    if (streams->video && (streams->sound || !facts->sound))
        return streams;
    destroy(streams);
    return NULL;
}

sc_live_streams *sc_live_streams_ref(sc_live_streams *streams)
{
    if (streams)
        sc_ref_inc(&streams->ref);
    return streams;
}

void sc_live_streams_unref(sc_live_streams **pstreams)
{
    sc_live_streams *streams = pstreams ? *pstreams : NULL;
    if (!streams)
        return;
    *pstreams = NULL;
    if (sc_ref_dec(&streams->ref))
        destroy(streams);
}

static bool same_head(const AVCodecParameters *a, const AVCodecParameters *b)
{
    return a->codec_id == b->codec_id && a->format == b->format &&
           a->extradata_size == b->extradata_size &&
           (!a->extradata_size ||
            !memcmp(a->extradata, b->extradata, (size_t)a->extradata_size));
}

static bool same_turn(struct sc_turn a, struct sc_turn b)
{
    return a.rotation == b.rotation && a.hflip == b.hflip && a.vflip == b.vflip;
}

bool sc_live_streams_equal(const sc_live_streams *a, const sc_live_streams *b)
{
    const AVCodecParameters *s = a->sound, *t = b->sound;
    if (!same_head(a->video, b->video) || a->video->width != b->video->width ||
        a->video->height != b->video->height || !same_turn(a->turn, b->turn) || !s != !t)
        return false;
    return !s || (same_head(s, t) && s->sample_rate == t->sample_rate &&
                  s->ch_layout.nb_channels == t->ch_layout.nb_channels);
}
