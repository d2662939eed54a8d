// The thread that tends all hubs and sessions, and loads the engine.
#include "app/webrtc.h"

#include <string.h>
#include <time.h>

#include "app/webrtc_internal.h"
#include "base/clock.h"
#include "base/mem.h"

#define STEP_NS  (SC_NS_PER_S / 5)
#define CHECK_NS SC_NS_PER_S

void sc_webrtc_poke(sc_webrtc *webrtc)
{
    webrtc->poked = true;
    pthread_cond_signal(&webrtc->wake);
}

// --- the engine ---------------------------------------------------------------------------

// Takes a second or two at its first start on a machine. The thread's.
static void load(sc_webrtc *webrtc)
{
    sc_rtc *rtc = NULL;
    sc_err err = {0};
    const struct sc_rtc_params params = {.log = webrtc->log,
                                         .port_min = webrtc->port_min,
                                         .port_max = webrtc->port_max,
                                         .stun = webrtc->stun,
                                         .turn = webrtc->turn};
    int64_t start = sc_clock_now();
    int ret = sc_rtc_open(&rtc, &params, &err);
    if (ret)
        SC_WARN(webrtc->log, "WebRTC is not to be had", SC_S("error", sc_err_text(&err, ret)));
    else
        SC_INFO(webrtc->log, "WebRTC is ready",
                SC_F("seconds", (double)(sc_clock_now() - start) / (double)SC_NS_PER_S));
    pthread_mutex_lock(&webrtc->lock);
    webrtc->rtc = rtc;
    webrtc->tried = true;
    webrtc->load_err = err;
    pthread_cond_broadcast(&webrtc->done);
    pthread_mutex_unlock(&webrtc->lock);
}

int sc_webrtc_engine(sc_webrtc *webrtc, sc_rtc **prtc, sc_err *err)
{
    pthread_mutex_lock(&webrtc->lock);
    webrtc->wanted = true;
    sc_webrtc_poke(webrtc);
    while (!webrtc->tried && !webrtc->closing)
        pthread_cond_wait(&webrtc->done, &webrtc->lock);
    *prtc = webrtc->rtc;
    sc_err why = webrtc->load_err;
    pthread_mutex_unlock(&webrtc->lock);
    if (*prtc)
        return SC_OK;
    return sc_fail_field(err, SC_EUNSUPPORTED, "webrtc", "%s",
                         why.code ? why.text : "the server is shutting down");
}

// --- the thread ---------------------------------------------------------------------------

static void step_hubs(sc_webrtc *webrtc)
{
    pthread_mutex_lock(&webrtc->lock);
    struct sc_webrtc_watched *w = webrtc->watched;
    pthread_mutex_unlock(&webrtc->lock);
    while (w) { // new ones are put in front, and only this thread takes any out
        sc_rtc_hub_step(w->hub);
        pthread_mutex_lock(&webrtc->lock);
        w = w->next;
        pthread_mutex_unlock(&webrtc->lock);
    }
}

// Nothing to tend: it sleeps until it is poked. But streams may come that are to be watched soon.
static bool idle(const sc_webrtc *webrtc)
{
    return !webrtc->watched && !webrtc->sessions && !webrtc->passing &&
           (webrtc->tried || !webrtc->settings->on);
}

static void await(sc_webrtc *webrtc)
{
    int64_t until_ns = sc_clock_now() + (webrtc->watched ? STEP_NS : CHECK_NS);
    struct timespec until = {.tv_sec = until_ns / SC_NS_PER_S,
                             .tv_nsec = until_ns % SC_NS_PER_S};
    if (webrtc->poked || webrtc->quit)
        return;
    if (idle(webrtc))
        pthread_cond_wait(&webrtc->wake, &webrtc->lock);
    else
        pthread_cond_timedwait(&webrtc->wake, &webrtc->lock, &until);
}

static bool has_streams(sc_webrtc *webrtc)
{
    char ids[1][65];
    return sc_streams_list(webrtc->streams, "", 1, ids) > 0;
}

static void *run(void *arg)
{
    sc_webrtc *webrtc = arg;
    int64_t checked = 0;
    pthread_mutex_lock(&webrtc->lock);
    while (!webrtc->quit || webrtc->sessions) {
        await(webrtc);
        webrtc->poked = false;
        bool to_load = !webrtc->tried && !webrtc->closing, wanted = webrtc->wanted;
        pthread_mutex_unlock(&webrtc->lock);
        int64_t now = sc_clock_now();
        if (to_load && webrtc->settings->on && (wanted || has_streams(webrtc)))
            load(webrtc);
        step_hubs(webrtc);
        sc_webrtc_reap(webrtc);
        if (now - checked >= CHECK_NS) {
            checked = now;
            sc_webrtc_check(webrtc);
            sc_webrtc_expire(webrtc);
        }
        pthread_mutex_lock(&webrtc->lock);
    }
    pthread_mutex_unlock(&webrtc->lock);
    return NULL;
}

// --- open and close -----------------------------------------------------------------------

static void init_sync(sc_webrtc *webrtc)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&webrtc->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&webrtc->wake, &attr);
    pthread_cond_init(&webrtc->done, &attr);
    pthread_condattr_destroy(&attr);
}

int sc_webrtc_open(sc_webrtc **pwebrtc, const struct sc_webrtc_params *params, sc_err *err)
{
    sc_webrtc *webrtc = sc_new(sc_webrtc);
    webrtc->settings = params->settings;
    webrtc->rung_count = params->rung_count;
    memcpy(webrtc->rungs, params->rungs, (size_t)params->rung_count * sizeof(*params->rungs));
    webrtc->log = sc_log_child(params->log, "webrtc");
    webrtc->pool = params->pool;
    webrtc->streams = params->streams;
    webrtc->viewers_gauge = sc_metrics_gauge(params->metrics, "saccade_webrtc_viewers", "",
                                             "WebRTC sessions that are open.");
    webrtc->sessions_total = sc_metrics_counter(
        params->metrics, "saccade_webrtc_sessions_total", "", "WebRTC sessions so far.");
    webrtc->bytes_total = sc_metrics_counter(params->metrics, "saccade_webrtc_sent_bytes_total",
                                             "", "RTP sent to WebRTC viewers.");
    init_sync(webrtc);
    int ret = sc_webrtc_settle(webrtc, err);
    if (!ret) {
        webrtc->started = !pthread_create(&webrtc->thread, NULL, run, webrtc);
        if (!webrtc->started)
            ret = sc_fail(err, SC_ENOMEM, "cannot start a thread: the system refuses");
    }
    if (ret)
        sc_webrtc_close(&webrtc);
    *pwebrtc = webrtc;
    return ret;
}

void sc_webrtc_stop(sc_webrtc *webrtc)
{
    pthread_mutex_lock(&webrtc->lock);
    webrtc->closing = true;
    for (struct sc_webrtc_session *s = webrtc->sessions; s; s = s->next)
        s->ending = true;
    pthread_cond_broadcast(&webrtc->done);
    sc_webrtc_poke(webrtc);
    pthread_mutex_unlock(&webrtc->lock);
}

void sc_webrtc_close(sc_webrtc **pwebrtc)
{
    sc_webrtc *webrtc = pwebrtc ? *pwebrtc : NULL;
    if (!webrtc)
        return;
    *pwebrtc = NULL;
    sc_webrtc_stop(webrtc);
    pthread_mutex_lock(&webrtc->lock);
    webrtc->quit = true;
    sc_webrtc_poke(webrtc);
    pthread_mutex_unlock(&webrtc->lock);
    if (webrtc->started)
        pthread_join(webrtc->thread, NULL);
    for (struct sc_webrtc_watched *w; (w = webrtc->watched);) {
        webrtc->watched = w->next;
        sc_rtc_hub_close(&w->hub);
        free(w);
    }
    for (struct sc_webrtc_passing *p; (p = webrtc->passing);) {
        webrtc->passing = p->next;
        free(p);
    }
    sc_rtc_close(&webrtc->rtc);
    free(webrtc->stun);
    free(webrtc->turn);
    for (size_t i = 0; i < SC_COUNT(webrtc->links); i++)
        free(webrtc->links[i]);
    pthread_cond_destroy(&webrtc->wake);
    pthread_cond_destroy(&webrtc->done);
    pthread_mutex_destroy(&webrtc->lock);
    sc_log_close(&webrtc->log);
    free(webrtc);
}

const char *const *sc_webrtc_links(const sc_webrtc *webrtc)
{
    return (const char *const *)webrtc->links;
}

int sc_webrtc_try(char version[64], sc_err *err)
{
    sc_rtc *rtc;
    struct sc_rtc_info info = {0};
    const struct sc_rtc_params params = {0};
    int ret = sc_rtc_open(&rtc, &params, err);
    if (ret)
        return ret;
    sc_rtc_get_info(rtc, &info);
    sc_rtc_close(&rtc);
    memcpy(version, info.version, sizeof(info.version));
    return SC_OK;
}

void sc_webrtc_get_info(sc_webrtc *webrtc, struct sc_webrtc_info *info)
{
    *info = (struct sc_webrtc_info){0};
    pthread_mutex_lock(&webrtc->lock);
    info->available = webrtc->settings->on && (!webrtc->tried || webrtc->rtc);
    info->viewers = webrtc->viewers;
    info->sessions = webrtc->count;
    if (!webrtc->settings->on)
        snprintf(info->reason, sizeof(info->reason), "it is switched off (option webrtc)");
    else if (webrtc->tried && !webrtc->rtc)
        snprintf(info->reason, sizeof(info->reason), "%.199s", webrtc->load_err.text);
    sc_rtc *rtc = webrtc->rtc;
    pthread_mutex_unlock(&webrtc->lock);
    struct sc_rtc_info engine = {0};
    if (rtc)
        sc_rtc_get_info(rtc, &engine);
    info->left_behind = engine.left_behind;
    memcpy(info->version, engine.version, sizeof(info->version));
}
