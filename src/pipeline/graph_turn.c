// Turns: gives stages a thread when they have something to do, and runs their steps.
#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/graph_internal.h"

#define TURN_NS (2 * SC_NS_PER_MS) // then another stage's task gets the worker

static void run_on_pool(void *arg)
{
    sc_stage *stage = arg;
    sc_graph *graph = stage->graph; // the stage may be gone after its last turn
    pthread_mutex_lock(&graph->lock);
    if (sc_stage_take_turn(stage, sc_clock_now() + TURN_NS))
        sc_stage_consider(stage);
    pthread_mutex_unlock(&graph->lock);
}

// It gets no turn now.
static void stay_idle(sc_stage *stage, enum sc_wait wait)
{
    if (wait != stage->wait)
        sc_stage_account(stage, wait, sc_clock_now());
    sc_stage *holder = wait == SC_WAIT_ROOM ? sc_stage_exhausted_by(stage) : NULL;
    if (holder) {
        holder->over_limit = true;
        sc_stage_consider(holder);
    }
}

static void queue_turn(sc_stage *stage)
{
    sc_stage_account(stage, SC_WAIT_TURN, sc_clock_now());
    stage->turn = SC_TURN_QUEUED;
    if (stage->threaded) {
        pthread_cond_signal(&stage->turn_came);
    } else {
        stage->task = (struct sc_pool_task){.fn = run_on_pool, .arg = stage};
        sc_pool_post_task(stage->graph->pool, SC_PRIO_NORMAL, &stage->task);
    }
}

void sc_stage_consider(sc_stage *stage)
{
    int in;
    enum sc_wait wait;
    if (!stage->graph->started || stage->turn != SC_TURN_IDLE)
        return; // whoever runs looks again by itself
    if (sc_stage_pick(stage, &in, &wait) == SC_STEP_NONE)
        stay_idle(stage, wait);
    else
        queue_turn(stage);
}

void sc_graph_consider_all(sc_graph *graph)
{
    for (int i = 0; i < graph->stage_count; i++)
        sc_stage_consider(graph->stages[i]);
}

// --- one step ---------------------------------------------------------------------------------

static const char *const step_names[] = {
    [SC_STEP_NONE] = "none", [SC_STEP_OPEN] = "open",   [SC_STEP_WOKEN] = "woken",
    [SC_STEP_PUSH] = "push", [SC_STEP_ENDED] = "ended", [SC_STEP_FLUSH] = "flush",
    [SC_STEP_PULL] = "pull", [SC_STEP_LIMIT] = "limit", [SC_STEP_CLOSE] = "close",
};

static int call(sc_stage *stage, enum sc_step step, int in, struct sc_item item, sc_err *err)
{
    const struct sc_stage_ops *ops = stage->ops;
    switch (step) {
    case SC_STEP_OPEN:
        return ops->open ? ops->open(stage->self, stage, err) : SC_OK;
    case SC_STEP_WOKEN:
        return ops->woken ? ops->woken(stage->self, err) : SC_OK;
    case SC_STEP_PUSH:
        return ops->push(stage->self, in, item, err);
    case SC_STEP_ENDED:
        return ops->ended ? ops->ended(stage->self, in, err) : SC_OK;
    case SC_STEP_FLUSH:
        return ops->flush ? ops->flush(stage->self, err) : SC_EEOF;
    case SC_STEP_PULL:
        return ops->pull(stage->self, err);
    default:
        return sc_fail(err, SC_ELIMIT,
                       "one input lies more than %d queues ahead of another; the file is not "
                       "interleaved",
                       SC_LINK_RELIEF);
    }
}

// Before the step, under the lock: what it uses up.
static struct sc_slot begin(sc_stage *stage, enum sc_step step, int in)
{
    struct sc_slot slot = {0};
    if (step == SC_STEP_WOKEN || (step == SC_STEP_OPEN && stage->waiting)) {
        stage->woken = stage->waiting = false;
        for (int i = 0; i < stage->in_count; i++)
            stage->put_back[i] = false;
    } else if (step == SC_STEP_PUSH) {
        slot = sc_link_take(stage->in[in]);
        sc_stage_consider(stage->in[in]->from); // there is room
    }
    stage->in_step = true;
    return slot;
}

// Something was not done, and is tried again when the stage is woken.
static void suspend(sc_stage *stage, enum sc_step step, int in, struct sc_slot slot)
{
    if (step == SC_STEP_PUSH) {
        sc_link_put_back(stage->in[in], slot);
        stage->put_back[in] = true;
    } else if (step == SC_STEP_OPEN || step == SC_STEP_PULL || step == SC_STEP_FLUSH) {
        stage->waiting = true;
    }
}

// After the step, under the lock: what came of it.
static void settle(sc_stage *stage, enum sc_step step, int in, int ret, const sc_err *err)
{
    if (ret >= 0 || ret == SC_EAGAIN) {
        if (step == SC_STEP_OPEN && ret >= 0)
            stage->opened = true;
        if (step == SC_STEP_ENDED)
            stage->told_end[in] = true;
    } else if (stage->finished) {
        // It was told to come back, by whatever error.
    } else if (ret == SC_EEOF) {
        sc_stage_finish(stage, SC_DROP_UNWANTED);
    } else {
        sc_stage_fail(stage, ret, err);
    }
}

static void count_step(sc_stage *stage, const struct sc_item *taken, int64_t from, int64_t to)
{
    stage->steps++;
    stage->busy_ns += to - from;
    if (!taken)
        return;
    stage->taken++;
    stage->pts_ns = taken->pts_ns;
    sc_latency_add(&stage->latency, from - taken->born_ns);
}

static void run_step(sc_stage *stage, enum sc_step step, int in, int64_t *now)
{
    sc_graph *graph = stage->graph;
    sc_err err = {0};
    struct sc_slot slot = begin(stage, step, in);
    pthread_mutex_unlock(&graph->lock);
    int ret = call(stage, step, in, slot.item, &err);
    if (step == SC_STEP_PUSH && ret < 0 && ret != SC_EAGAIN)
        stage->in_types[in]->unref(slot.item.data);
    int64_t end = sc_clock_now();
    sc_trace_step(graph->trace, stage->index, step_names[step], *now, end);
    pthread_mutex_lock(&graph->lock);
    stage->in_step = false;
    bool took = step == SC_STEP_PUSH && ret != SC_EAGAIN;
    count_step(stage, took ? &slot.item : NULL, *now, end);
    *now = end;
    if (ret == SC_EAGAIN)
        suspend(stage, step, in, slot);
    settle(stage, step, in, ret, &err);
}

static void go_idle(sc_stage *stage, enum sc_wait wait, int64_t now)
{
    stage->turn = SC_TURN_IDLE;
    stage->wait = wait;
    stage->since_ns = now;
    // Who looked for what is on its way did not count on this one as long as it was running.
    if (stage->graph->holds)
        sc_graph_consider_all(stage->graph);
}

bool sc_stage_take_turn(sc_stage *stage, int64_t until_ns)
{
    int64_t now = sc_clock_now();
    sc_stage_account(stage, SC_WAIT_INPUT, now);
    stage->turn = SC_TURN_RUNNING;
    for (;;) {
        int in = 0;
        enum sc_wait wait;
        enum sc_step step = sc_stage_pick(stage, &in, &wait);
        if (step == SC_STEP_CLOSE) {
            sc_stage_close(stage);
            return false;
        }
        if (step == SC_STEP_NONE || now >= until_ns) {
            go_idle(stage, wait, now);
            return step != SC_STEP_NONE;
        }
        run_step(stage, step, in, &now);
    }
}

// --- what stages say --------------------------------------------------------------------------

void sc_stage_hold(sc_stage *stage, int in, bool hold)
{
    sc_require(in >= 0 && in < stage->in_count);
    sc_graph *graph = stage->graph;
    pthread_mutex_lock(&graph->lock);
    if (stage->held[in] != hold) {
        stage->held[in] = hold;
        graph->holds += hold ? 1 : -1;
    }
    pthread_mutex_unlock(&graph->lock);
}

void sc_stage_count_drop(sc_stage *stage, enum sc_drop reason, uint64_t count)
{
    sc_require((unsigned)reason < SC_DROPS);
    pthread_mutex_lock(&stage->graph->lock);
    stage->dropped[reason] += count;
    pthread_mutex_unlock(&stage->graph->lock);
}

sc_cancel *sc_stage_stop_token(sc_stage *stage)
{
    return stage->graph->stop;
}
