// The keeper: one thread a graph for timers, the parent's token and the end. And wakers.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/graph_internal.h"

struct sc_waker {
    sc_ref ref;
    pthread_mutex_t lock;
    sc_stage *stage; // under lock; NULL once the graph is closed
};

void sc_graph_kick(sc_graph *graph)
{
    eventfd_write(graph->kick, 1);
}

static void wake(sc_stage *stage)
{
    stage->woken = true;
    sc_stage_consider(stage);
}

// Wakes whoever is due. When to look again; INT64_MAX = when kicked.
static int64_t fire_timers(sc_graph *graph, int64_t now)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < graph->stage_count; i++) {
        sc_stage *stage = graph->stages[i];
        if (!stage->wake_at_ns || stage->finished)
            continue;
        if (stage->wake_at_ns <= now) {
            stage->wake_at_ns = 0;
            wake(stage);
        } else if (stage->wake_at_ns < next) {
            next = stage->wake_at_ns;
        }
    }
    return next;
}

static void sleep_until(sc_graph *graph, int64_t when_ns, bool watch_token)
{
    struct pollfd fds[] = {
        {.fd = graph->kick, .events = POLLIN},
        {.fd = watch_token ? sc_cancel_fd(graph->stop) : -1, .events = POLLIN},
    };
    int64_t wait = when_ns - sc_clock_now();
    wait = wait < 0 ? 0 : wait;
    struct timespec ts = {.tv_sec = wait / SC_NS_PER_S, .tv_nsec = wait % SC_NS_PER_S};
    ppoll(fds, SC_COUNT(fds), when_ns == INT64_MAX ? NULL : &ts, NULL);
    eventfd_t count;
    if (fds[0].revents)
        eventfd_read(graph->kick, &count);
}

// All stages are closed: nobody else is in the graph any more, but for its owner.
static void end(sc_graph *graph)
{
    if (sc_trace_close(&graph->trace) < 0)
        SC_WARN(graph->log, "trace could not be written", SC_S("graph", graph->name));
    pthread_mutex_lock(&graph->lock);
    graph->ended_ns = sc_clock_now();
    int ret = graph->ret;
    sc_err err = graph->err;
    pthread_mutex_unlock(&graph->lock);
    if (graph->on_end)
        graph->on_end(graph->arg, ret, &err);
    pthread_mutex_lock(&graph->lock);
    graph->over = true;
    pthread_cond_broadcast(&graph->end_came);
    pthread_mutex_unlock(&graph->lock);
}

void *sc_graph_keep(void *arg)
{
    sc_graph *graph = arg;
    pthread_mutex_lock(&graph->lock);
    while (graph->open_stages) {
        if (sc_cancel_requested(graph->stop))
            sc_graph_stop(graph, SC_ECANCELLED, NULL, NULL);
        int64_t next = fire_timers(graph, sc_clock_now());
        bool watch_token = !graph->stopping; // else it would be readable for ever
        graph->keeper_until = next;
        pthread_mutex_unlock(&graph->lock);
        sleep_until(graph, next, watch_token);
        pthread_mutex_lock(&graph->lock);
        graph->keeper_until = 0;
    }
    pthread_mutex_unlock(&graph->lock);
    end(graph);
    return NULL;
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
        if (when_ns < graph->keeper_until)
            sc_graph_kick(graph);
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
