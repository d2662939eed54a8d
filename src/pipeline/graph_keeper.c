// The keeper: one thread a graph for timers, the parent's token and the end. And wakers.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
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

// The timer is armed by whoever asks for an earlier time; that need not wake the keeper. The lock
// is held. 0 disarms.
static void arm_timer(sc_graph *graph, int64_t when_ns)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = when_ns / SC_NS_PER_S, .tv_nsec = when_ns % SC_NS_PER_S}};
    timerfd_settime(graph->timer, TFD_TIMER_ABSTIME, &at, NULL);
    graph->timer_ns = when_ns;
}

// Wakes whoever is due, and arms the timer for who is next.
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
    if (next != graph->timer_ns)
        arm_timer(graph, next);
}

static void sleep_until_called(sc_graph *graph, bool watch_token)
{
    struct pollfd fds[] = {
        {.fd = graph->kick, .events = POLLIN},
        {.fd = graph->timer, .events = POLLIN},
        {.fd = watch_token ? sc_cancel_fd(graph->stop) : -1, .events = POLLIN},
    };
    uint64_t count; // of calls; all are looked at whatever it is
    poll(fds, SC_COUNT(fds), -1);
    for (int i = 0; i < 2; i++)
        if (fds[i].revents && read(fds[i].fd, &count, sizeof(count)) < 0)
            continue; // someone armed the timer anew in between
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
        fire_timers(graph, sc_clock_now());
        bool watch_token = !graph->stopping; // else it would be readable for ever
        pthread_mutex_unlock(&graph->lock);
        sleep_until_called(graph, watch_token);
        pthread_mutex_lock(&graph->lock);
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
        if (!graph->timer_ns || when_ns < graph->timer_ns)
            arm_timer(graph, when_ns);
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
