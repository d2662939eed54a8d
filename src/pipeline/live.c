#include "pipeline/live.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "pipeline/live_internal.h"
#include "pipeline/pace.h"
#include "pipeline/shot.h"
#include "pipeline/stage_camera.h"
#include "pipeline/stage_clock.h"
#include "pipeline/stage_decode.h"
#include "pipeline/stage_detect.h"
#include "pipeline/stage_encode.h"
#include "pipeline/stage_input.h"
#include "pipeline/stage_lines.h"
#include "pipeline/stage_render.h"
#include "pipeline/stage_rung.h"
#include "pipeline/stage_sound.h"
#include "pipeline/stage_track.h"
#include "pipeline/stage_wide.h"

// The end of the graph so far, to which the next stage is linked.
struct tip {
    sc_stage *stage;
    int out;
};

// --- building ---------------------------------------------------------------------------------

static int join(struct sc_live *live, struct tip from, sc_stage *to, int in,
                enum sc_link_policy policy, size_t items, size_t bytes, sc_err *err)
{
    const struct sc_link_params link = {.from = from.stage,
                                        .out = from.out,
                                        .to = to,
                                        .in = in,
                                        .policy = policy,
                                        .max_items = items,
                                        .max_bytes = bytes};
    return sc_graph_link(live->graph, &link, err);
}

#define PICTURES       4 // between stages
#define PICTURES_BYTES ((size_t)64 << 20)

// The next stage of the picture's way; what is late is dropped here where `drops`.
static int extend(struct sc_live *live, struct tip *tip, sc_stage *stage, bool drops,
                  sc_err *err)
{
    enum sc_link_policy policy = drops && live->timed ? SC_LINK_DROP_OLDEST : SC_LINK_WAIT;
    int ret = join(live, *tip, stage, 0, policy, PICTURES, PICTURES_BYTES, err);
    *tip = (struct tip){.stage = stage};
    return ret;
}

// A source that sets the pace cannot be made to wait; what is decoded too late is left out in groups.
static int add_source(struct sc_live *live, struct tip *picture, struct tip *sound, sc_err *err)
{
    static const struct sc_item_type *const both[] = {&sc_chunk_item, &sc_chunk_item};
    const struct sc_stage_input_params params = {.input = &live->params.input,
                                                 .sound = !live->params.no_sound,
                                                 .facts = &live->facts,
                                                 .stop = live->stop};
    const struct sc_pace_params pacing = {.stop = live->stop};
    // Made-up pictures cost work and memory: few of them are made ahead.
    size_t ahead = sc_starts_with(live->params.input.url, "testsrc:") ? 2 : 64;
    sc_stage *input;
    int ret = sc_stage_input_add(live->graph, &params, &input, err);
    *picture = (struct tip){.stage = input};
    *sound = (struct tip){.stage = input, .out = 1};
    if (ret < 0 || !live->paced)
        return ret;
    ret = sc_pace_add(live->graph, NULL, both, 2, &pacing, &live->pace, err);
    if (ret >= 0)
        ret = join(live, *picture, live->pace, 0, SC_LINK_WAIT, ahead, 16 << 20, err);
    if (ret >= 0)
        ret = join(live, *sound, live->pace, 1, SC_LINK_WAIT, 256, 4 << 20, err);
    *picture = (struct tip){.stage = live->pace};
    *sound = (struct tip){.stage = live->pace, .out = 1};
    return ret;
}

static int add_decoder(struct sc_live *live, struct tip *tip, sc_err *err)
{
    const struct sc_stage_decode_params params = {
        .fps = live->params.fps, .paced = live->paced, .facts = &live->facts};
    bool drops = live->timed && !live->paced;
    sc_stage *decode;
    int ret = sc_stage_decode_add(live->graph, &params, &decode, err);
    if (ret >= 0)
        ret = join(live, *tip, decode, 0, drops ? SC_LINK_DROP_GROUP : SC_LINK_WAIT, 128,
                   32 << 20, err);
    *tip = (struct tip){.stage = decode};
    return ret;
}

static int add_clock(struct sc_live *live, struct tip *tip, sc_err *err)
{
    sc_stage *stage;
    if (!live->params.clock)
        return SC_OK;
    int ret = sc_stage_clock_add(live->graph, live->log, &stage, err);
    return ret < 0 ? ret : extend(live, tip, stage, false, err);
}

static int add_detection(struct sc_live *live, struct tip *tip, sc_err *err)
{
    const struct sc_live_params *p = &live->params;
    if (!p->model.batcher)
        return SC_OK;
    const struct sc_stage_detect_params detect = {.batcher = p->model.batcher,
                                                  .priority = live->timed ? SC_PRIORITY_LIVE
                                                                          : SC_PRIORITY_JOB,
                                                  .live = live->timed,
                                                  .delay_ns = p->delay_ns,
                                                  .figures = &live->detection,
                                                  .log = live->log};
    const struct sc_stage_track_params track = {
        .track = p->track,
        .tracker = {.kind = p->tracker, .high = live->threshold, .fresh = live->threshold},
        .threshold = live->threshold,
        .repeat_ns = SC_NS_PER_S / 2,
        .figures = &live->tracking,
        .log = live->log};
    sc_stage *stage;
    int ret = sc_stage_detect_add(live->graph, NULL, &detect, &stage, err);
    if (ret >= 0)
        ret = extend(live, tip, stage, false, err);
    if (ret >= 0)
        ret = sc_stage_track_add(live->graph, NULL, &track, &stage, err);
    if (ret >= 0)
        ret = extend(live, tip, stage, false, err);
    return ret;
}

static int add_lines(struct sc_live *live, struct tip tip, sc_err *err)
{
    const struct sc_live_params *p = &live->params;
    if (!p->lines)
        return SC_OK;
    const struct sc_stage_lines_params params = {.path = p->lines,
                                                 .model = p->model.name,
                                                 .labels = p->model.labels,
                                                 .label_count = p->model.classes,
                                                 .threshold = live->threshold};
    sc_stage *lines;
    int ret = sc_stage_lines_add(live->graph, &params, &lines, err);
    if (ret >= 0)
        ret = join(live, tip, lines, 0, live->timed ? SC_LINK_DROP_OLDEST : SC_LINK_WAIT, 64,
                   PICTURES_BYTES, err);
    return ret;
}

// What the camera has to choose from.
static int add_wide(struct sc_live *live, struct tip tip, sc_err *err)
{
    const struct sc_stage_wide_params params = {.viewers = &live->viewers[SC_LIVE_WIDE],
                                                .threshold = live->threshold};
    sc_stage *stage;
    if (!live->params.viewers)
        return SC_OK;
    int ret = sc_stage_wide_add(live->graph, &params, &stage, err);
    return ret < 0 ? ret : join(live, tip, stage, 0, SC_LINK_DROP_OLDEST, 1, 0, err);
}

static int add_picture(struct sc_live *live, struct tip *tip, sc_err *err)
{
    const struct sc_live_params *p = &live->params;
    const struct sc_stage_render_params render = {.overlay = p->overlay,
                                                  .threshold = live->threshold,
                                                  .labels = p->model.labels,
                                                  .label_count = p->model.classes,
                                                  .aspect = p->camera.aspect,
                                                  .width = p->width,
                                                  .height = p->height};
    sc_stage *stage;
    int ret = SC_OK;
    if (p->camera.on) {
        ret = sc_stage_camera_add(live->graph, &live->camera, &stage, err);
        if (ret >= 0)
            ret = extend(live, tip, stage, true, err);
        if (ret >= 0)
            ret = add_wide(live, *tip, err);
    }
    if (ret >= 0)
        ret = sc_stage_render_add(live->graph, &render, &stage, err);
    if (ret >= 0)
        ret = extend(live, tip, stage, true, err);
    return ret;
}

static int add_viewers(struct sc_live *live, struct tip tip, sc_err *err)
{
    sc_stage *viewers;
    if (!live->params.viewers)
        return SC_OK;
    struct sc_live_facts *facts = live->output_count ? NULL : &live->facts; // the encoder tells
    int ret = sc_stage_viewers_add(live->graph, &live->viewers[SC_LIVE_SHOWN],
                                   live->params.quality, facts, &viewers, err);
    return ret < 0 ? ret : join(live, tip, viewers, 0, SC_LINK_DROP_OLDEST, 1, 0, err);
}

// Whether pictures are shown as they were decoded, so that encoding needs nothing of what is found.
static bool shows_plain(const struct sc_live_params *p)
{
    return !p->camera.on && !p->overlay && !p->width && !p->height;
}

// `raw`: before detection, where that matters to nothing in the picture; else the same as `shown`.
static int add_rung(struct sc_live *live, int number, struct tip raw, struct tip shown,
                    sc_err *err)
{
    const struct sc_live_params *p = &live->params;
    char name[24];
    snprintf(name, sizeof(name), "rung-%d", number + 1);
    const struct sc_stage_rung_params params = {
        .name = name,
        .wanted = p->rungs[number],
        .rung = live->rungs[number] = sc_rung_new(),
        .model = &p->model,
        .threshold = live->threshold,
        .fps = p->fps,
        .facts = &live->facts,
        .beside = raw.stage != shown.stage,
        .counts = !number && !live->output_count && !p->viewers,
    };
    sc_stage *stage;
    int ret = sc_stage_rung_add(live->graph, &params, &stage, err);
    if (ret >= 0)
        ret = join(live, raw, stage, 0, SC_LINK_DROP_OLDEST, 1, 0, err);
    if (ret >= 0 && params.beside)
        ret = join(live, shown, stage, 1, SC_LINK_DROP_OLDEST, PICTURES, 0, err);
    return ret;
}

static int add_sound(struct sc_live *live, struct tip tip, sc_err *err)
{
    sc_stage *stage;
    if (!live->params.rung_count || live->params.no_sound)
        return SC_OK;
    live->rungs[SC_LIVE_SOUND] = sc_rung_new();
    int ret =
        sc_stage_sound_add(live->graph, live->rungs[SC_LIVE_SOUND], live->log, &stage, err);
    return ret < 0 ? ret : join(live, tip, stage, 0, SC_LINK_DROP_OLDEST, 64, 1 << 20, err);
}

static int add_encoder(struct sc_live *live, struct tip *tip, sc_err *err)
{
    const struct sc_live_params *p = &live->params;
    bool sized = false;
    int64_t key_ns = 0;
    for (int i = 0; i < live->output_count; i++) {
        sized |= live->kinds[i].network;
        key_ns = live->kinds[i].key_ns ? live->kinds[i].key_ns : key_ns;
    }
    const struct sc_stage_encode_params params = {.codec = p->codec,
                                                  .preset = p->preset,
                                                  .bitrate = p->bitrate,
                                                  .sized = sized,
                                                  .live = live->timed,
                                                  .fps = p->fps,
                                                  .key_ns = key_ns,
                                                  .facts = &live->facts};
    sc_stage *encode;
    int ret = sc_stage_encode_add(live->graph, &params, &encode, err);
    return ret < 0 ? ret : extend(live, tip, encode, true, err);
}

static int add_output(struct sc_live *live, int number, struct tip picture, struct tip sound,
                      struct tip found, sc_err *err)
{
    const struct sc_live_params *p = &live->params;
    const struct sc_live_output_kind *kind = &live->kinds[number];
    char name[24];
    snprintf(name, sizeof(name), "output-%d", number + 1);
    const struct sc_stage_output_params params = {.url = p->outputs[number],
                                                  .name = name,
                                                  .lossless = !kind->network && !live->timed,
                                                  .facts = &live->facts,
                                                  .monitor = &live->monitors[number],
                                                  .log = live->log,
                                                  .cues = p->model.batcher && kind->cues,
                                                  .model = p->model.name,
                                                  .labels = p->model.labels,
                                                  .label_count = p->model.classes,
                                                  .threshold = live->threshold};
    enum sc_link_policy drop = live->timed ? SC_LINK_DROP_OLDEST : SC_LINK_WAIT;
    sc_stage *stage;
    int ret = sc_stage_output_add(live->graph, &params, &stage, err);
    if (ret >= 0)
        ret = join(live, picture, stage, 0, live->timed ? SC_LINK_DROP_GROUP : SC_LINK_WAIT,
                   256, 32 << 20, err);
    if (ret >= 0 && !p->no_sound)
        ret = join(live, sound, stage, 1, drop, 512, 8 << 20, err);
    if (ret >= 0 && params.cues)
        ret = join(live, found, stage, 2, drop, 64, PICTURES_BYTES, err);
    return ret;
}

static int build(struct sc_live *live, sc_err *err)
{
    struct tip picture, sound, raw, found;
    int ret = add_source(live, &picture, &sound, err);
    if (ret >= 0)
        ret = add_decoder(live, &picture, err);
    if (ret >= 0)
        ret = add_clock(live, &picture, err);
    raw = picture;
    if (ret >= 0)
        ret = add_detection(live, &picture, err);
    found = picture;
    if (ret >= 0)
        ret = add_lines(live, found, err);
    if (ret < 0 || (!live->output_count && !live->params.viewers && !live->params.rung_count))
        return ret;
    ret = add_picture(live, &picture, err);
    if (ret >= 0)
        ret = add_viewers(live, picture, err);
    bool plain = shows_plain(&live->params) && live->params.model.batcher;
    for (int i = 0; ret >= 0 && i < live->params.rung_count; i++)
        ret = add_rung(live, i, plain ? raw : picture, plain ? found : picture, err);
    if (ret >= 0)
        ret = add_sound(live, sound, err);
    if (ret >= 0 && live->output_count)
        ret = add_encoder(live, &picture, err);
    for (int i = 0; ret >= 0 && i < live->output_count; i++)
        ret = add_output(live, i, picture, sound, found, err);
    return ret;
}

// --- the end ----------------------------------------------------------------------------------

// Whether every output has failed; err tells why the first one did.
static bool all_failed(struct sc_live *live, sc_err *err)
{
    int failed = 0;
    for (int i = 0; i < live->output_count; i++) {
        struct sc_live_output_info info;
        sc_output_monitor_get(&live->monitors[i], &info);
        if (info.state == SC_OUTPUT_FAILED && !failed++)
            sc_fail(err, SC_EIO, "%s", info.reason);
    }
    return failed && failed == live->output_count;
}

static void on_end(void *arg, int ret, const sc_err *err)
{
    struct sc_live *live = arg;
    sc_err why = {0};
    if (err)
        why = *err;
    if (ret >= 0 && all_failed(live, &why))
        ret = SC_EIO;
    pthread_mutex_lock(&live->facts.lock);
    if (ret >= 0 && live->facts.source_ret < 0)
        ret = sc_fail(&why, live->facts.source_ret, "%s", live->facts.reason);
    pthread_mutex_unlock(&live->facts.lock);
    if (ret == SC_ECANCELLED && atomic_load(&live->facts.stopping))
        ret = SC_OK;
    pthread_mutex_lock(&live->lock);
    live->ended = true;
    live->ret = ret;
    live->err = why;
    pthread_mutex_unlock(&live->lock);
    for (size_t i = 0; i < SC_COUNT(live->viewers); i++)
        sc_viewers_end(&live->viewers[i]);
    for (size_t i = 0; i < SC_COUNT(live->rungs); i++)
        if (live->rungs[i])
            sc_rung_end(live->rungs[i]);
    if (live->params.on_end)
        live->params.on_end(live->params.arg);
}

// --- open and close ---------------------------------------------------------------------------

int sc_live_open(sc_live **plive, const struct sc_live_params *params, sc_err *err)
{
    struct sc_live *live = sc_new(struct sc_live);
    *plive = NULL;
    sc_live_facts_init(&live->facts);
    for (size_t i = 0; i < SC_COUNT(live->viewers); i++)
        sc_viewers_init(&live->viewers[i]);
    pthread_mutex_init(&live->lock, NULL);
    for (int i = 0; i < SC_LIVE_OUTPUTS; i++)
        sc_output_monitor_init(&live->monitors[i]);
    live->opened_ns = sc_clock_now();
    sc_pipeline_choose(&live->choice);
    live->stop = sc_cancel_new(NULL);
    int ret = sc_live_settle(live, params, err);
    if (ret >= 0) {
        const struct sc_graph_params graph = {.name = live->params.name,
                                              .pool = params->pool,
                                              .log = params->log,
                                              .trace_path = live->params.trace_path,
                                              .on_end = on_end,
                                              .arg = live};
        live->log = params->log;
        ret = sc_graph_open(&live->graph, &graph, err);
    }
    if (ret >= 0)
        ret = build(live, err);
    if (ret >= 0)
        ret = sc_graph_start(live->graph, err);
    if (ret < 0)
        sc_live_close(&live);
    *plive = live;
    return ret;
}

void sc_live_stop(sc_live *live)
{
    atomic_store(&live->facts.stopping, true);
    sc_cancel_request(live->stop);
    if (live->pace)
        sc_stage_wake(live->pace);
}

int sc_live_wait(sc_live *live, int timeout_ms, sc_err *err)
{
    if (sc_graph_wait(live->graph, timeout_ms, NULL) == SC_EAGAIN)
        return SC_EAGAIN;
    pthread_mutex_lock(&live->lock);
    int ret = live->ret;
    if (ret < 0 && err)
        *err = live->err;
    pthread_mutex_unlock(&live->lock);
    return ret;
}

void sc_live_close(sc_live **plive)
{
    struct sc_live *live = plive ? *plive : NULL;
    if (!live)
        return;
    *plive = NULL;
    sc_graph_close(&live->graph);
    for (int i = 0; i < SC_LIVE_OUTPUTS; i++)
        sc_output_monitor_release(&live->monitors[i]);
    for (int i = 0; i < live->text_count; i++)
        free(live->texts[i]);
    for (size_t i = 0; i < SC_COUNT(live->viewers); i++)
        sc_viewers_release(&live->viewers[i]);
    for (size_t i = 0; i < SC_COUNT(live->rungs); i++)
        sc_rung_unref(&live->rungs[i]);
    sc_live_facts_release(&live->facts);
    sc_cancel_free(&live->stop);
    pthread_mutex_destroy(&live->lock);
    free(live);
}

int sc_live_view(sc_live *live, enum sc_live_view view, sc_live_viewer **pviewer,
                 void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns), void *arg,
                 sc_err *err)
{
    *pviewer = NULL;
    if (!live->params.viewers)
        return sc_fail(err, SC_EUNSUPPORTED, "this stream is not made for viewers");
    if (view == SC_LIVE_WIDE && !live->params.camera.on)
        return sc_fail_field(err, SC_EARG, "view",
                             "this stream has no camera: what it shows is all there is");
    sc_viewers_add(&live->viewers[view], pviewer, take, arg);
    return SC_OK;
}

// --- taps -------------------------------------------------------------------------------------

static bool has_rung(const struct sc_live *live, int rung)
{
    return rung >= 0 && rung < (int)SC_COUNT(live->rungs) && live->rungs[rung];
}

int sc_live_tap_open(sc_live *live, int rung, sc_live_tap **ptap,
                     void (*take)(void *arg, const struct sc_live_sample *sample), void *arg,
                     sc_err *err)
{
    *ptap = NULL;
    if (!has_rung(live, rung))
        return sc_fail_field(err, SC_EARG, "rung", "this stream has %d rungs",
                             live->params.rung_count);
    sc_rung_add(live->rungs[rung], ptap, take, arg);
    return SC_OK;
}

int sc_live_rung_get(sc_live *live, int rung, struct sc_live_rung_figures *figures)
{
    *figures = (struct sc_live_rung_figures){0};
    if (!has_rung(live, rung))
        return SC_EARG;
    sc_rung_get(live->rungs[rung], figures);
    return SC_OK;
}
