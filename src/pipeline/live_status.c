// How a live stream goes.
#include <libavcodec/avcodec.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/url.h"
#include "pipeline/live_internal.h"

static const char *const phases[] = {
    [SC_LIVE_PHASE_STARTING] = "starting",
    [SC_LIVE_PHASE_RUNNING] = "running",
    [SC_LIVE_PHASE_RECONNECTING] = "reconnecting",
    [SC_LIVE_PHASE_STOPPING] = "stopping",
    [SC_LIVE_PHASE_ENDED] = "ended",
    [SC_LIVE_PHASE_FAILED] = "failed",
};

const char *sc_live_phase_name(enum sc_live_phase phase)
{
    return phases[phase];
}

static void add_source(struct sc_live_status *status, struct sc_live_facts *facts)
{
    const sc_live_streams *streams = facts->streams;
    if (streams) {
        snprintf(status->codec, sizeof(status->codec), "%s",
                 avcodec_get_name(streams->video->codec_id));
        status->width = facts->width ? facts->width : streams->video->width;
        status->height = facts->height ? facts->height : streams->video->height;
        AVRational rate = streams->frame_rate;
        status->fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
        status->sound = streams->sound;
        status->live = streams->live;
    }
    status->attempt = facts->attempt;
    status->frames = facts->frames;
    status->reconnects = facts->reconnects;
    status->damaged = facts->damaged + facts->damaged_packets;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void add_latency(struct sc_live_status *status, const struct sc_live_facts *facts)
{
    int64_t took_ns[SC_LIVE_LAST];
    size_t count = facts->encoded < SC_LIVE_LAST ? (size_t)facts->encoded : SC_LIVE_LAST;
    if (!count)
        return;
    memcpy(took_ns, facts->took_ns, count * sizeof(*took_ns));
    qsort(took_ns, count, sizeof(*took_ns), by_size);
    status->latency_p50_ns = took_ns[count / 2];
    status->latency_p95_ns = took_ns[count * 95 / 100];
}

static void add_facts(struct sc_live_status *status, struct sc_live_facts *facts)
{
    pthread_mutex_lock(&facts->lock);
    add_source(status, facts);
    snprintf(status->reason, sizeof(status->reason), "%s", facts->reason);
    status->phase = atomic_load(&facts->stopping) ? SC_LIVE_PHASE_STOPPING
                    : facts->running              ? SC_LIVE_PHASE_RUNNING
                    : facts->frames               ? SC_LIVE_PHASE_RECONNECTING
                                                  : SC_LIVE_PHASE_STARTING;
    status->out_width = facts->out_width;
    status->out_height = facts->out_height;
    status->encoded = facts->encoded;
    add_latency(status, facts);
    status->out_fps = sc_rate_meter_get(&facts->encoding, sc_clock_now());
    pthread_mutex_unlock(&facts->lock);
}

static void add_end(struct sc_live_status *status, struct sc_live *live)
{
    pthread_mutex_lock(&live->lock);
    if (live->ended) {
        status->phase = live->ret < 0 ? SC_LIVE_PHASE_FAILED : SC_LIVE_PHASE_ENDED;
        snprintf(status->reason, sizeof(status->reason), "%s",
                 live->ret < 0 ? sc_err_text(&live->err, live->ret) : "");
    }
    pthread_mutex_unlock(&live->lock);
}

static void add_detection(struct sc_live_status *status, struct sc_live *live)
{
    if (!live->params.model.batcher)
        return;
    struct sc_detect_stats detect;
    sc_detect_figures_get(&live->detection, sc_clock_now(), &detect);
    status->detected = detect.answers;
    status->detect_late = detect.late;
    status->detect_fps = detect.fps;
    status->detect_p50_ns = detect.p50_ns;
    status->objects = atomic_load(&live->tracking.objects);
    status->objects_so_far = atomic_load(&live->tracking.ids);
}

// Of the graph: what was dropped for being late.
static void add_graph(struct sc_live_status *status, struct sc_live *live)
{
    struct sc_graph_stats stats;
    sc_graph_get_stats(live->graph, &stats);
    for (int i = 0; i < stats.link_count; i++) {
        const struct sc_link_stats *link = &stats.links[i];
        const char *to = stats.stages[link->to].kind;
        bool counts = !strcmp(to, "decode") || !strcmp(to, "camera") || !strcmp(to, "render") ||
                      !strcmp(to, "encode");
        for (int d = 0; counts && d < SC_DROPS; d++)
            if (d != SC_DROP_STOPPED && d != SC_DROP_UNWANTED)
                status->late += (int64_t)link->dropped[d];
    }
    sc_graph_stats_release(&stats);
}

void sc_live_get_status(sc_live *live, struct sc_live_status *status)
{
    *status = (struct sc_live_status){.choice = live->choice,
                                      .uptime_ns = sc_clock_now() - live->opened_ns};
    add_facts(status, &live->facts);
    add_detection(status, live);
    add_graph(status, live);
    add_end(status, live);
    status->viewers = sc_viewers_count(&live->viewers[SC_LIVE_SHOWN]);
    status->output_count = live->output_count;
    for (int i = 0; i < live->output_count; i++) {
        sc_url_hide(live->params.outputs[i], status->outputs[i].url,
                    sizeof(status->outputs[i].url));
        sc_output_monitor_get(&live->monitors[i], &status->outputs[i].info);
    }
}

void sc_live_get_graph_stats(sc_live *live, struct sc_graph_stats *stats)
{
    sc_graph_get_stats(live->graph, stats);
}
