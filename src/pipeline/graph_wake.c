// What wakes stages from outside: timers, the parent's token, wakers.
#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/graph_internal.h"

struct sc_waker {
    sc_ref ref;
    pthread_mutex_t lock;
    sc_stage *stage; // under lock; NULL once the graph is closed
};

static void wake(sc_stage *stage)
{
    stage->woken = true;
    sc_stage_consider(stage);
}

// Wakes whoever is due, and sets the alarm for who is next.
static void fire_timers(sc_graph *graph, int64_t now)
{
    int64_t next = 0;
    for (int i = 0; i < graph->stage_count; i++) {
        sc_stage *stage = graph->stages[i];
        if (!stage->wake_at_ns || stage->finished)
            continue;
        if (stage->wake_at_ns <= now) {
            stage->wake_at_ns = 0;
            wake(stage);
        } else if (!next || stage->wake_at_ns < next) {
            next = stage->wake_at_ns;
        }
    }
    if (next)
        sc_alarm_set(&graph->alarm, next);
}

void sc_graph_look(sc_graph *graph)
{
    if (sc_cancel_requested(graph->stop))
        sc_graph_stop(graph, SC_ECANCELLED, NULL, NULL);
    fire_timers(graph, sc_clock_now());
}

// --- the alarm --------------------------------------------------------------------------------

static void on_alarm(void *arg)
{
    sc_graph *graph = arg;
    pthread_mutex_lock(&graph->lock);
    sc_graph_look(graph);
    pthread_mutex_unlock(&graph->lock);
}

// Whoever cancels may hold any lock, so the alarm's thread stops the graph.
static void on_cancel(void *arg)
{
    sc_graph *graph = arg;
    sc_alarm_set(&graph->alarm, 0);
}

int sc_graph_watch(sc_graph *graph, sc_err *err)
{
    sc_alarms *alarms = sc_pool_use_alarms(graph->pool);
    if (!alarms)
        return sc_fail(err, SC_ENOMEM, "no thread can be started for the timers of graphs");
    sc_alarm_init(&graph->alarm, alarms, on_alarm, graph);
    sc_cancel_on_request(graph->stop, on_cancel, graph);
    return SC_OK;
}

void sc_graph_unwatch(sc_graph *graph)
{
    sc_cancel_on_request(graph->stop, NULL, NULL);
    sc_alarm_release(&graph->alarm);
    sc_pool_leave_alarms(graph->pool);
}

// --- waking -----------------------------------------------------------------------------------

void sc_stage_wake(sc_stage *stage)
{
    pthread_mutex_lock(&stage->graph->lock);
    wake(stage);
    pthread_mutex_unlock(&stage->graph->lock);
}

void sc_stage_wake_at(sc_stage *stage, int64_t when_ns)
{
    sc_graph *graph = stage->graph;
    when_ns = when_ns < 1 ? 1 : when_ns;
    pthread_mutex_lock(&graph->lock);
    if (!stage->wake_at_ns || when_ns < stage->wake_at_ns) {
        stage->wake_at_ns = when_ns;
        if (graph->started) // else it is looked at when it starts
            sc_alarm_set(&graph->alarm, when_ns);
    }
    pthread_mutex_unlock(&graph->lock);
}

sc_waker *sc_waker_new(sc_stage *stage)
{
    sc_waker *waker = sc_new(sc_waker);
    sc_ref_init(&waker->ref);
    pthread_mutex_init(&waker->lock, NULL);
    waker->stage = stage;
    return waker;
}

void sc_waker_detach(sc_waker *waker)
{
    pthread_mutex_lock(&waker->lock);
    waker->stage = NULL;
    pthread_mutex_unlock(&waker->lock);
}

sc_waker *sc_stage_waker(sc_stage *stage)
{
    return sc_waker_ref(stage->waker);
}

sc_waker *sc_waker_ref(sc_waker *waker)
{
    if (waker)
        sc_ref_inc(&waker->ref);
    return waker;
}

void sc_waker_unref(sc_waker **pwaker)
{
    sc_waker *waker = pwaker ? *pwaker : NULL;
    if (!waker)
        return;
    *pwaker = NULL;
    if (!sc_ref_dec(&waker->ref))
        return;
    pthread_mutex_destroy(&waker->lock);
    free(waker);
}

void sc_waker_wake(sc_waker *waker)
{
    if (!waker)
        return;
    pthread_mutex_lock(&waker->lock);
    if (waker->stage)
        sc_stage_wake(waker->stage);
    pthread_mutex_unlock(&waker->lock);
}
