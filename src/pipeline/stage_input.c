#include "pipeline/stage_input.h"

#include <string.h>

#include "base/mem.h"
#include "pipeline/shot.h"

struct input {
    // Immutable.
    bool sound;
    struct sc_live_facts *facts;
    sc_cancel *cancel; // of its reads
    // The stage's own.
    sc_stage *stage;
    sc_live_input *source;
    sc_live_streams *streams;
};

// Whether sound of these parameters goes on where the first streams' sound was.
static bool same_sound(const AVCodecParameters *a, const AVCodecParameters *b)
{
    return a && b && a->codec_id == b->codec_id && a->sample_rate == b->sample_rate &&
           a->ch_layout.nb_channels == b->ch_layout.nb_channels &&
           a->extradata_size == b->extradata_size &&
           (!a->extradata_size ||
            !memcmp(a->extradata, b->extradata, (size_t)a->extradata_size));
}

static void take_streams(struct input *in, sc_live_streams *streams)
{
    struct sc_live_facts *facts = in->facts;
    sc_live_streams_unref(&in->streams);
    in->streams = sc_live_streams_ref(streams);
    pthread_mutex_lock(&facts->lock);
    bool first = !facts->streams;
    sc_live_streams_unref(&facts->streams);
    facts->streams = sc_live_streams_ref(streams);
    if (first && in->sound && streams->sound && (facts->sound = avcodec_parameters_alloc()) &&
        avcodec_parameters_copy(facts->sound, streams->sound) < 0)
        avcodec_parameters_free(&facts->sound);
    pthread_mutex_unlock(&facts->lock);
}

static void take_state(struct input *in, const struct sc_live_item *item)
{
    struct sc_live_facts *facts = in->facts;
    struct sc_live_input_info info;
    sc_live_input_get_info(in->source, &info);
    pthread_mutex_lock(&facts->lock);
    facts->source = item->state;
    facts->attempt = item->attempt;
    facts->reconnects = info.reconnects;
    facts->damaged_packets = info.damaged;
    if (item->state == SC_LIVE_LOST) {
        snprintf(facts->reason, sizeof(facts->reason), "%.*s", (int)sizeof(facts->reason) - 1,
                 item->err.text);
        facts->running = false;
    }
    pthread_mutex_unlock(&facts->lock);
}

static void emit(struct input *in, struct sc_live_item *item)
{
    sc_packet *packet = item->packet;
    bool sound = packet->media == SC_MEDIA_SOUND;
    if (sound && (!in->sound || !same_sound(in->streams->sound, in->facts->sound)))
        return;
    item->packet = NULL;
    sc_chunk *chunk = sc_chunk_new(sc_live_streams_ref(in->streams), packet);
    chunk->resumed = item->resumed;
    chunk->arrival_ns = item->arrival_ns;
    // By decoding time: that is the order in which packets come, and are to leave.
    sc_stage_emit(
        in->stage, sound,
        (struct sc_item){.data = chunk, .pts_ns = packet->dts_ns, .born_ns = item->arrival_ns});
}

// The stream ends as it would at a file's end, so that what was encoded is written; why is told by
// the facts.
static int end(struct input *in, int ret, const sc_err *err)
{
    struct sc_live_facts *facts = in->facts;
    bool stopped = ret == SC_ECANCELLED && atomic_load(&facts->stopping);
    if (ret == SC_EEOF || stopped)
        return SC_EEOF;
    if (ret == SC_ECANCELLED)
        return ret;
    pthread_mutex_lock(&facts->lock);
    facts->source_ret = ret;
    snprintf(facts->reason, sizeof(facts->reason), "%.*s", (int)sizeof(facts->reason) - 1,
             sc_err_text(err, ret));
    pthread_mutex_unlock(&facts->lock);
    return SC_EEOF;
}

static int open_input(void *self, sc_stage *stage, sc_err *err)
{
    struct input *in = self;
    (void)err;
    in->stage = stage;
    return SC_OK;
}

static int pull(void *self, sc_err *err)
{
    struct input *in = self;
    struct sc_live_item item = {0};
    int ret = sc_live_input_read(in->source, &item, err);
    if (ret < 0)
        return end(in, ret, err);
    if (item.type == SC_LIVE_STREAMS)
        take_streams(in, item.streams);
    else if (item.type == SC_LIVE_STATE)
        take_state(in, &item);
    else
        emit(in, &item);
    sc_live_item_release(&item);
    return SC_OK;
}

static void interrupt(void *self)
{
    struct input *in = self;
    sc_cancel_request(in->cancel);
}

static void close_input(void *self)
{
    struct input *in = self;
    sc_live_input_close(&in->source);
    sc_live_streams_unref(&in->streams);
    sc_cancel_free(&in->cancel);
    free(in);
}

static const struct sc_stage_ops ops = {.kind = "input",
                                        .blocking = true,
                                        .open = open_input,
                                        .pull = pull,
                                        .interrupt = interrupt,
                                        .close = close_input};

int sc_stage_input_add(sc_graph *graph, const struct sc_stage_input_params *params,
                       sc_stage **pstage, sc_err *err)
{
    struct input *in = sc_new(struct input);
    in->sound = params->sound;
    in->facts = params->facts;
    in->cancel = sc_cancel_new(params->stop);
    struct sc_live_input_params input = *params->input;
    input.cancel = in->cancel;
    const struct sc_stage_params stage = {
        .ops = &ops, .self = in, .out = {&sc_chunk_item, &sc_chunk_item}};
    int ret = sc_live_input_open(&in->source, &input, err);
    if (ret >= 0)
        ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        close_input(in);
    return ret;
}
