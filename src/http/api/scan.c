#include "http/api/scan.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

#define WINDOW_MIN 4
#define RETRY_NS   (20 * SC_NS_PER_MS)

struct slot {
    bool done;
    int ret;
    sc_detections *found;
    sc_err err;
};

struct sc_scan {
    sc_ref ref; // the starter's, its own, and one for each frame under way
    struct sc_scan_params params;
    sc_cancel *cancel;
    size_t window;

    pthread_mutex_t lock;
    // Under lock.
    size_t asked, told, under_way;
    bool begun, over;   // over: on_end was called
    struct slot *slots; // window of them
};

// What a frame under way knows.
struct ticket {
    sc_scan *scan;
    size_t i;
};

sc_scan *sc_scan_new(const struct sc_scan_params *params)
{
    sc_scan *scan = sc_new(sc_scan);
    sc_ref_init(&scan->ref);
    scan->params = *params;
    sc_video_ref(params->video);
    sc_instance_ref(params->instance);
    scan->cancel = sc_cancel_new(NULL);
    const struct sc_instance_info *info = sc_instance_get_info(params->instance);
    scan->window = 2 * (size_t)(info->lanes > info->max_batch ? info->lanes : info->max_batch);
    if (scan->window < WINDOW_MIN)
        scan->window = WINDOW_MIN;
    scan->slots = sc_xcalloc(scan->window, sizeof(*scan->slots));
    pthread_mutex_init(&scan->lock, NULL);
    sc_timers_hold(params->timers);
    return scan;
}

sc_scan *sc_scan_ref(sc_scan *scan)
{
    sc_ref_inc(&scan->ref);
    return scan;
}

void sc_scan_unref(sc_scan **pscan)
{
    sc_scan *scan = *pscan;
    *pscan = NULL;
    if (!scan || !sc_ref_dec(&scan->ref))
        return;
    sc_timers *timers = scan->params.timers;
    for (size_t i = 0; i < scan->window; i++)
        sc_detections_unref(&scan->slots[i].found);
    if (scan->params.release)
        scan->params.release(scan->params.arg);
    sc_instance_unref(&scan->params.instance);
    sc_video_unref(&scan->params.video);
    sc_cancel_free(&scan->cancel);
    pthread_mutex_destroy(&scan->lock);
    free(scan->slots);
    free(scan);
    sc_timers_release(timers);
}

// --- telling, under lock ------------------------------------------------------------------

// True when this ended it: the caller then drops the scan's own reference.
static bool finish(sc_scan *scan)
{
    bool cancelled = sc_cancel_requested(scan->cancel);
    bool all = scan->told == scan->params.count;
    if (scan->over || !scan->begun || !(all || (cancelled && !scan->under_way)))
        return false;
    scan->over = true;
    scan->params.on_end(scan->params.arg, !all);
    return true;
}

static void tell(sc_scan *scan)
{
    while (scan->told < scan->params.count && !sc_cancel_requested(scan->cancel)) {
        struct slot *slot = &scan->slots[scan->told % scan->window];
        if (!slot->done)
            return;
        scan->params.on_result(scan->params.arg, scan->told++, slot->ret, slot->found,
                               &slot->err);
        sc_detections_unref(&slot->found);
        *slot = (struct slot){0};
    }
}

// --- asking -------------------------------------------------------------------------------

static void on_found(void *arg, int ret, sc_detections *found, const sc_err *err);

static int ask(struct ticket *ticket, sc_err *err)
{
    const struct sc_scan_params *params = &ticket->scan->params;
    struct sc_detect_params detect = {
        .video = params->video,
        .instance = params->instance,
        .n = params->frame(params->arg, ticket->i),
        .priority = params->priority,
        .flags = params->priority == SC_PRIORITY_JOB ? SC_READ_SEQUENTIAL : 0,
        .cancel = ticket->scan->cancel,
    };
    return sc_detect(sc_app_inference(params->app), &detect, on_found, ticket, err);
}

static void retry(void *arg)
{
    struct ticket *ticket = arg;
    sc_err err = {0};
    int ret =
        sc_timers_stopping(ticket->scan->params.timers) ? SC_ECANCELLED : ask(ticket, &err);
    if (ret)
        on_found(ticket, ret, NULL, &err);
}

static void on_found(void *arg, int ret, sc_detections *found, const sc_err *err)
{
    struct ticket *ticket = arg;
    sc_scan *scan = ticket->scan;
    if (ret == SC_EBUSY && scan->params.patient && !sc_cancel_requested(scan->cancel)) {
        sc_timers_at(scan->params.timers, sc_clock_now() + RETRY_NS, retry, ticket);
        return;
    }
    pthread_mutex_lock(&scan->lock);
    struct slot *slot = &scan->slots[ticket->i % scan->window];
    *slot = (struct slot){.done = true, .ret = ret, .found = found};
    if (ret && err)
        slot->err = *err;
    scan->under_way--;
    pthread_mutex_unlock(&scan->lock);
    free(ticket);
    sc_scan_pump(scan);
    sc_scan_unref(&scan);
}

static bool may_ask(const sc_scan *scan)
{
    return !scan->over && scan->asked < scan->params.count &&
           scan->asked - scan->told < scan->window && !sc_cancel_requested(scan->cancel) &&
           (!scan->params.ready || scan->params.ready(scan->params.arg));
}

// Completions never run inside the call that asks, so asking under the lock is safe.
static void ask_next(sc_scan *scan)
{
    struct ticket *ticket = sc_new(struct ticket);
    sc_err err = {0};
    *ticket = (struct ticket){sc_scan_ref(scan), scan->asked};
    scan->under_way++;
    int ret = ask(ticket, &err);
    scan->asked++;
    if (!ret)
        return;
    if (ret == SC_EBUSY && scan->params.patient) {
        sc_timers_at(scan->params.timers, sc_clock_now() + RETRY_NS, retry, ticket);
        return;
    }
    scan->slots[ticket->i % scan->window] = (struct slot){.done = true, .ret = ret, .err = err};
    scan->under_way--;
    free(ticket);
    sc_ref_dec(&scan->ref); // not the last: the caller's is there
}

void sc_scan_pump(sc_scan *scan)
{
    pthread_mutex_lock(&scan->lock);
    if (!scan->begun) {
        scan->begun = true;
        sc_scan_ref(scan);
    }
    tell(scan);
    while (may_ask(scan)) {
        ask_next(scan);
        tell(scan);
    }
    bool ended = finish(scan);
    pthread_mutex_unlock(&scan->lock);
    if (ended)
        sc_scan_unref(&(sc_scan *){scan});
}

void sc_scan_cancel(sc_scan *scan)
{
    sc_cancel_request(scan->cancel);
    sc_scan_pump(scan);
}
