#include "pipeline/stage_output.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/shot.h"
#include "vision/report.h"

#define FULL_ITEMS  300                // in a lossless output's queue: the stream waits then
#define FULL_BYTES  (8 << 20)          // likewise
#define LOOK_NS     (2 * SC_NS_PER_MS) // again, while it is full or ends
#define PATIENCE_NS (10 * SC_NS_PER_S) // for a network output's last packets

struct output {
    struct sc_stage_output_params params; // immutable
    // The stage's own.
    sc_stage *stage;
    sc_live_output *output; // NULL before the first packet of the picture
    bool finished;
    int64_t patient_until_ns;
};

// --- monitor ----------------------------------------------------------------------------------

void sc_output_monitor_init(struct sc_output_monitor *monitor)
{
    *monitor = (struct sc_output_monitor){.info = {.kind = ""}};
    pthread_mutex_init(&monitor->lock, NULL);
}

void sc_output_monitor_release(struct sc_output_monitor *monitor)
{
    pthread_mutex_destroy(&monitor->lock);
}

void sc_output_monitor_get(struct sc_output_monitor *monitor, struct sc_live_output_info *info)
{
    pthread_mutex_lock(&monitor->lock);
    if (monitor->output)
        sc_live_output_get_info(monitor->output, &monitor->info);
    *info = monitor->info;
    pthread_mutex_unlock(&monitor->lock);
}

static void show(struct output *o, sc_live_output *output)
{
    struct sc_output_monitor *monitor = o->params.monitor;
    pthread_mutex_lock(&monitor->lock);
    if (monitor->output && !output)
        sc_live_output_get_info(monitor->output, &monitor->info);
    monitor->output = output;
    pthread_mutex_unlock(&monitor->lock);
}

static void show_failure(struct output *o, const char *why)
{
    struct sc_output_monitor *monitor = o->params.monitor;
    pthread_mutex_lock(&monitor->lock);
    monitor->info.state = SC_OUTPUT_FAILED;
    snprintf(monitor->info.reason, sizeof(monitor->info.reason), "%s", why);
    pthread_mutex_unlock(&monitor->lock);
}

// --- work -------------------------------------------------------------------------------------

static void want_key(void *arg)
{
    struct sc_live_facts *facts = arg;
    atomic_store(&facts->want_key, true);
}

static int open_output(struct output *o, sc_err *err)
{
    AVCodecParameters *video = sc_live_facts_video(o->params.facts);
    AVCodecParameters *sound = sc_live_facts_sound(o->params.facts);
    const struct sc_live_output_params params = {
        .url = o->params.url,
        .video = video,
        .sound = sound,
        .frame_rate = sc_live_facts_out_rate(o->params.facts),
        .cues = o->params.cues,
        .window = o->params.lossless ? -1 : 0, // what is not live is kept whole
        .max_items = o->params.lossless ? 4 * FULL_ITEMS : 0,
        .max_bytes = o->params.lossless ? 8 * FULL_BYTES : 0,
        .want_key = want_key,
        .want_key_arg = o->params.facts,
        .log = o->params.log,
    };
    sc_err why = {0};
    int ret = video ? sc_live_output_open(&o->output, &params, &why) : SC_ENOMEM;
    avcodec_parameters_free(&video);
    avcodec_parameters_free(&sound);
    if (ret < 0) {
        show_failure(o, sc_err_text(&why, ret));
        return sc_fail(err, ret, "%s", sc_err_text(&why, ret));
    }
    show(o, o->output);
    return SC_OK;
}

// SC_OK: more may be put. SC_EAGAIN: the stage will be woken when it looks again.
static int check(struct output *o, sc_err *err)
{
    struct sc_live_output_info info;
    sc_live_output_get_info(o->output, &info);
    if (info.state == SC_OUTPUT_FAILED)
        return sc_fail(err, SC_EIO, "%s", info.reason);
    if (!o->params.lossless || info.queued < FULL_ITEMS)
        return SC_OK;
    sc_stage_wake_at(o->stage, sc_clock_now() + LOOK_NS);
    return SC_EAGAIN;
}

static int put_picture(struct output *o, sc_packet *packet, sc_err *err)
{
    int ret = o->output ? SC_OK : open_output(o, err);
    if (ret >= 0)
        ret = check(o, err);
    if (ret < 0)
        return ret;
    sc_live_output_put(o->output, packet);
    sc_packet_unref(&packet);
    return SC_OK;
}

// Sound that comes before the first picture waits in its link, held back until there is one.
static int put_sound(struct output *o, sc_chunk *chunk, sc_err *err)
{
    int ret = check(o, err);
    if (ret < 0)
        return ret;
    sc_live_output_put(o->output, chunk->packet);
    sc_chunk_unref(&chunk);
    return SC_OK;
}

static void put_cue(struct output *o, const sc_shot *shot)
{
    sc_str text = {0};
    char t[32];
    snprintf(t, sizeof(t), "%.3f", (double)shot->frame->pts_ns / 1e9);
    const struct sc_report report = {
        .n = shot->frame->n,
        .t = t,
        .model = o->params.model,
        .labels = o->params.labels,
        .label_count = o->params.label_count,
        .detections = shot->found,
        .count = sc_detections_above(shot->found, o->params.threshold),
    };
    sc_report_add_json(&text, &report);
    if (text.len && text.s[text.len - 1] == '\n')
        text.s[--text.len] = '\0';
    AVRational rate = sc_live_facts_out_rate(o->params.facts);
    int64_t ns = rate.num > 0 && rate.den > 0
                     ? av_rescale_q(1, av_inv_q(rate), (AVRational){1, 1000000000})
                     : SC_NS_PER_S / 30;
    sc_live_output_cue(o->output, shot->frame->pts_ns, ns, text.s);
    sc_str_release(&text);
}

static int start(void *self, sc_stage *stage, sc_err *err)
{
    struct output *o = self;
    (void)err;
    o->stage = stage;
    sc_stage_hold(stage, 1, true);
    sc_stage_hold(stage, 2, true);
    return SC_OK;
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct output *o = self;
    bool was_open = o->output;
    int ret;
    if (in == 0) {
        ret = put_picture(o, item.data, err);
    } else if (in == 1) {
        ret = put_sound(o, item.data, err);
    } else {
        sc_shot *shot = item.data;
        if (shot->found)
            put_cue(o, shot);
        sc_shot_unref(&shot);
        return SC_OK;
    }
    if (!was_open && o->output) {
        sc_stage_hold(o->stage, 1, false);
        sc_stage_hold(o->stage, 2, false);
    }
    return ret;
}

// The picture has ended: what sound and cues still come may end as well, even where there was none.
static int ended(void *self, int in, sc_err *err)
{
    struct output *o = self;
    (void)err;
    if (in == 0 && !o->output)
        return SC_EEOF;
    return SC_OK;
}

static int flush(void *self, sc_err *err)
{
    struct output *o = self;
    struct sc_live_output_info info;
    if (!o->output)
        return SC_EEOF;
    if (!o->finished) {
        sc_live_output_finish(o->output);
        o->finished = true;
        o->patient_until_ns = sc_clock_now() + PATIENCE_NS;
    }
    sc_live_output_get_info(o->output, &info);
    if (info.state == SC_OUTPUT_DONE)
        return SC_EEOF;
    if (info.state == SC_OUTPUT_FAILED)
        return sc_fail(err, SC_EIO, "%s", info.reason);
    if (!o->params.lossless && sc_clock_now() > o->patient_until_ns)
        return SC_EEOF;
    sc_stage_wake_at(o->stage, sc_clock_now() + LOOK_NS);
    return SC_EAGAIN;
}

static void close_stage(void *self)
{
    struct output *o = self;
    show(o, NULL);
    sc_live_output_close(&o->output, 0);
    free(o);
}

static const struct sc_stage_ops ops = {.kind = "output",
                                        .open = start,
                                        .push = push,
                                        .ended = ended,
                                        .flush = flush,
                                        .close = close_stage};

int sc_stage_output_add(sc_graph *graph, const struct sc_stage_output_params *params,
                        sc_stage **pstage, sc_err *err)
{
    struct output *o = sc_new(struct output);
    o->params = *params;
    const struct sc_stage_params stage = {
        .name = params->name,
        .ops = &ops,
        .self = o,
        .in = {&sc_packet_item, &sc_chunk_item, &sc_shot_item},
        .optional = true};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        close_stage(o);
    return ret;
}
