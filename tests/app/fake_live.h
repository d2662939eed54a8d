// Live streams by script: what a test says happens to a stream, by its id. testsrc:fail cannot be opened.
#pragma once

#include <pthread.h>
#include <string.h>

#include "app/streams.h"
#include "base/mem.h"

#define FAKE_LIVES 64

struct sc_live {
    bool used, ended, stopped;
    char name[65], url[300];
    char outputs[2][300];
    int ret;
    sc_err err;
    void (*on_end)(void *arg);
    void *arg;
    struct sc_live_params params;
    sc_live_viewer *viewers;
    sc_live_tap *taps;
    int64_t frames;
};

struct sc_live_tap {
    sc_live *live; // NULL: closed
    sc_live_tap *next;
    void (*take)(void *arg, const struct sc_live_sample *sample);
    void *arg;
    int rung, keys; // wishes
    int64_t bitrate;
};

struct sc_live_viewer {
    sc_live *live;
    sc_live_viewer *next;
    void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns);
    void *arg;
};

static struct {
    pthread_mutex_t lock;
    sc_live lives[FAKE_LIVES];
    int opened, open, viewers, taps;
    bool deaf; // streams do not end when they are stopped
} fake_lives = {.lock = PTHREAD_MUTEX_INITIALIZER};

// The open stream of that id, or NULL. Under lock.
static inline sc_live *fake_live_at(const char *id)
{
    for (int i = 0; i < FAKE_LIVES; i++)
        if (fake_lives.lives[i].used && !strcmp(fake_lives.lives[i].name, id))
            return &fake_lives.lives[i];
    return NULL;
}

static inline int fake_live_open(sc_live **plive, const struct sc_live_params *params,
                                 sc_err *err)
{
    sc_live *live = fake_lives.lives;
    if (!strcmp(params->input.url, "testsrc:fail"))
        return sc_fail_field(err, SC_EARG, "input", "made to fail at rtsp://u:hush@h/");
    pthread_mutex_lock(&fake_lives.lock);
    while (live->used)
        sc_require(++live < fake_lives.lives + FAKE_LIVES);
    *live = (sc_live){.used = true, .on_end = params->on_end, .arg = params->arg};
    snprintf(live->name, sizeof(live->name), "%s", params->name);
    snprintf(live->url, sizeof(live->url), "%s", params->input.url);
    for (int i = 0; i < 2 && params->outputs[i]; i++)
        snprintf(live->outputs[i], sizeof(live->outputs[i]), "%s", params->outputs[i]);
    live->params = *params;
    live->frames = 100;
    fake_lives.opened++;
    fake_lives.open++;
    pthread_mutex_unlock(&fake_lives.lock);
    *plive = live;
    return 0;
}

// Under lock.
static inline void fake_live_end_now(sc_live *live, int ret, const char *text)
{
    if (live->ended)
        return;
    live->ended = true;
    live->ret = ret;
    if (ret)
        sc_fail(&live->err, ret, "%s", text);
    for (sc_live_viewer *v = live->viewers; v; v = v->next)
        v->take(v->arg, NULL, 0, 0);
    for (sc_live_tap *t = live->taps; t; t = t->next)
        t->take(t->arg, NULL);
    live->on_end(live->arg);
}

// False: there is no such stream open.
static inline bool fake_live_end(const char *id, int ret, const char *text)
{
    pthread_mutex_lock(&fake_lives.lock);
    sc_live *live = fake_live_at(id);
    if (live)
        fake_live_end_now(live, ret, text);
    pthread_mutex_unlock(&fake_lives.lock);
    return live != NULL;
}

static inline void fake_live_stop(sc_live *live)
{
    pthread_mutex_lock(&fake_lives.lock);
    live->stopped = true;
    if (!fake_lives.deaf)
        fake_live_end_now(live, 0, "");
    pthread_mutex_unlock(&fake_lives.lock);
}

static inline int fake_live_wait(sc_live *live, int timeout_ms, sc_err *err)
{
    (void)timeout_ms;
    *err = live->err;
    return live->ended ? live->ret : SC_EAGAIN;
}

static inline void fake_live_close(sc_live **plive)
{
    pthread_mutex_lock(&fake_lives.lock);
    sc_require(!(*plive)->viewers);
    for (sc_live_tap *t = (*plive)->taps; t; t = t->next) {
        if (!(*plive)->ended)
            t->take(t->arg, NULL);
        t->live = NULL;
    }
    (*plive)->used = false;
    fake_lives.open--;
    pthread_mutex_unlock(&fake_lives.lock);
    *plive = NULL;
}

static inline void fake_live_status(sc_live *live, struct sc_live_status *status)
{
    *status = (struct sc_live_status){
        .phase = SC_LIVE_PHASE_RUNNING,
        .codec = "h264",
        .width = 320,
        .height = 240,
        .fps = 25,
        .frames = live->frames,
        .late = 3,
        .latency_p50_ns = 20000000,
        .latency_p95_ns = 40000000,
    };
    for (int i = 0; i < 2 && live->outputs[i][0]; i++) {
        snprintf(status->outputs[i].url, sizeof(status->outputs[i].url), "%.200s",
                 live->outputs[i]);
        status->outputs[i].info = (struct sc_live_output_info){
            .state = SC_OUTPUT_RUNNING, .kind = "rtmp", .frames = 90};
        snprintf(status->outputs[i].info.reason, sizeof(status->outputs[i].info.reason),
                 "once %.400s was full", live->outputs[i]);
        status->output_count++;
    }
}

static inline void fake_live_graph(sc_live *live, struct sc_graph_stats *stats)
{
    (void)live;
    *stats = (struct sc_graph_stats){.stage_count = 2, .link_count = 1, .run_ns = 1000000000};
    stats->stages = sc_xcalloc(2, sizeof(*stats->stages));
    stats->links = sc_xcalloc(1, sizeof(*stats->links));
    snprintf(stats->stages[0].name, sizeof(stats->stages[0].name), "input");
    snprintf(stats->stages[1].name, sizeof(stats->stages[1].name), "decode");
    stats->stages[1].busy_ns = 250000000;
    stats->stages[1].latency_p95_ns = 3000000;
    stats->links[0] = (struct sc_link_stats){.from = 0, .to = 1, .items = 2, .max_items = 8};
    stats->links[0].dropped[SC_DROP_OLDEST] = 5;
}

static inline int
fake_live_view(sc_live *live, enum sc_live_view view, sc_live_viewer **pviewer,
               void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns), void *arg,
               sc_err *err)
{
    if (view == SC_LIVE_WIDE)
        return sc_fail_field(err, SC_EARG, "view", "no camera");
    sc_live_viewer *viewer = sc_new(sc_live_viewer);
    pthread_mutex_lock(&fake_lives.lock);
    *viewer = (sc_live_viewer){.live = live, .next = live->viewers, .take = take, .arg = arg};
    live->viewers = viewer;
    fake_lives.viewers++;
    pthread_mutex_unlock(&fake_lives.lock);
    *pviewer = viewer;
    return 0;
}

static inline void fake_live_unview(sc_live_viewer **pviewer)
{
    sc_live_viewer *viewer = *pviewer;
    *pviewer = NULL;
    if (!viewer)
        return;
    pthread_mutex_lock(&fake_lives.lock);
    sc_live_viewer **p = &viewer->live->viewers;
    while (*p != viewer)
        p = &(*p)->next;
    *p = viewer->next;
    fake_lives.viewers--;
    pthread_mutex_unlock(&fake_lives.lock);
    free(viewer);
}

// A picture for all viewers of a stream.
static inline void fake_live_picture(const char *id, const char *text, int64_t n)
{
    sc_buf *buf = sc_buf_new(strlen(text));
    memcpy(buf->data, text, buf->size);
    pthread_mutex_lock(&fake_lives.lock);
    sc_live *live = fake_live_at(id);
    for (sc_live_viewer *v = live ? live->viewers : NULL; v; v = v->next)
        v->take(v->arg, buf, n, n * 40000000);
    pthread_mutex_unlock(&fake_lives.lock);
    sc_buf_unref(&buf);
}

static inline int fake_live_tap(sc_live *live, int rung, sc_live_tap **ptap,
                                void (*take)(void *arg, const struct sc_live_sample *sample),
                                void *arg, sc_err *err)
{
    *ptap = NULL;
    if (rung < 0 || rung >= live->params.rung_count)
        return sc_fail_field(err, SC_EARG, "rung", "no such rung");
    sc_live_tap *tap = *ptap = sc_new(sc_live_tap);
    pthread_mutex_lock(&fake_lives.lock);
    *tap =
        (sc_live_tap){.live = live, .next = live->taps, .take = take, .arg = arg, .rung = rung};
    live->taps = tap;
    fake_lives.taps++;
    if (live->ended)
        take(arg, NULL);
    pthread_mutex_unlock(&fake_lives.lock);
    return 0;
}

static inline void fake_live_untap(sc_live_tap **ptap)
{
    sc_live_tap *tap = *ptap;
    *ptap = NULL;
    if (!tap)
        return;
    pthread_mutex_lock(&fake_lives.lock);
    sc_live_tap **p = tap->live ? &tap->live->taps : NULL;
    while (p && *p != tap)
        p = &(*p)->next;
    if (p)
        *p = tap->next;
    fake_lives.taps--;
    pthread_mutex_unlock(&fake_lives.lock);
    free(tap);
}

static inline void fake_live_want_key(sc_live_tap *tap)
{
    tap->keys++;
}

static inline int fake_live_set_bitrate(sc_live_tap *tap, int64_t bitrate)
{
    tap->bitrate = bitrate;
    return 0;
}

static inline int fake_live_get_rung(sc_live *live, int rung,
                                     struct sc_live_rung_figures *figures)
{
    *figures = (struct sc_live_rung_figures){.bitrate = live->params.rungs[rung].bitrate};
    for (sc_live_tap *t = live->taps; t; t = t->next)
        figures->taps += t->rung == rung;
    return 0;
}

// A sample for all taps of a rung.
static inline void fake_live_sample(const char *id, int rung,
                                    const struct sc_live_sample *sample)
{
    pthread_mutex_lock(&fake_lives.lock);
    sc_live *live = fake_live_at(id);
    for (sc_live_tap *t = live ? live->taps : NULL; t; t = t->next)
        if (t->rung == rung)
            t->take(t->arg, sample);
    pthread_mutex_unlock(&fake_lives.lock);
}

static inline int fake_camera_parse(struct sc_live_camera *camera, const char *text,
                                    sc_err *err)
{
    if (strstr(text, "bad"))
        return sc_fail_field(err, SC_EARG, "camera", "bad");
    snprintf(camera->follow, sizeof(camera->follow), "%s", text);
    return 0;
}

static const struct sc_live_ops fake_live_ops = {
    .camera_parse = fake_camera_parse,
    .open = fake_live_open,
    .stop = fake_live_stop,
    .wait = fake_live_wait,
    .close = fake_live_close,
    .get_status = fake_live_status,
    .get_graph_stats = fake_live_graph,
    .view = fake_live_view,
    .unview = fake_live_unview,
    .tap = fake_live_tap,
    .untap = fake_live_untap,
    .want_key = fake_live_want_key,
    .set_bitrate = fake_live_set_bitrate,
    .get_rung = fake_live_get_rung,
};
