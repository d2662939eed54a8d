// How stages and graphs end.
#include "base/clock.h"
#include "pipeline/graph_internal.h"

// Whether all that the stage feeds have ended of their own will.
static bool is_unwanted(const sc_stage *stage)
{
    bool any = false;
    for (int out = 0; out < stage->out_count; out++) {
        for (const sc_link *link = stage->out[out]; link; link = link->next_of_out) {
            if (!link->closed || link->close_reason != SC_DROP_UNWANTED)
                return false;
            any = true;
        }
    }
    return any;
}

static void close_input(sc_link *link, enum sc_drop reason)
{
    sc_link_close(link, reason);
    if (is_unwanted(link->from))
        sc_stage_finish(link->from, SC_DROP_UNWANTED);
    else
        sc_stage_consider(link->from); // a closed link has room
}

void sc_stage_finish(sc_stage *stage, enum sc_drop reason)
{
    if (stage->finished)
        return;
    stage->finished = true;
    if (stage->in_step && stage->ops->interrupt)
        stage->ops->interrupt(stage->self);
    for (int in = 0; in < stage->in_count; in++)
        if (stage->in[in])
            close_input(stage->in[in], reason);
    for (int out = 0; out < stage->out_count; out++) {
        for (sc_link *link = stage->out[out]; link; link = link->next_of_out) {
            link->ended = true;
            sc_stage_consider(link->to);
        }
    }
    sc_stage_consider(stage);
}

static void log_failure(sc_stage *stage, const char *msg)
{
    SC_WARN(stage->graph->log, msg, SC_S("graph", stage->graph->name),
            SC_S("stage", stage->name), SC_S("code", sc_error_name(stage->ret)),
            SC_S("error", stage->error));
}

void sc_stage_fail(sc_stage *stage, int ret, const sc_err *err)
{
    // Whoever looks at the token fails before the alarm has come to stop the graph.
    if (sc_cancel_requested(stage->graph->stop)) {
        sc_graph_stop(stage->graph, SC_ECANCELLED, NULL, NULL);
        return;
    }
    stage->ret = ret;
    snprintf(stage->error, sizeof(stage->error), "%s", sc_err_text(err, ret));
    if (stage->optional) {
        log_failure(stage, "stage failed, the others go on");
        sc_stage_finish(stage, SC_DROP_FAILED);
    } else {
        log_failure(stage, "stage failed");
        sc_graph_stop(stage->graph, ret, stage->name, err);
    }
}

void sc_graph_stop(sc_graph *graph, int ret, const char *stage, const sc_err *err)
{
    if (graph->stopping || !graph->open_stages)
        return;
    graph->stopping = true;
    graph->ret = ret;
    if (stage)
        sc_fail(&graph->err, ret, "%s: %s", stage, sc_err_text(err, ret));
    else
        sc_fail(&graph->err, ret, "%s", sc_err_text(err, ret));
    sc_cancel_request(graph->stop);
    for (int i = 0; i < graph->stage_count; i++)
        sc_stage_finish(graph->stages[i], SC_DROP_STOPPED);
}

// All stages are closed: nobody else is in the graph any more, but for its owner. The lock is free
// meanwhile.
static void end(sc_graph *graph)
{
    graph->ended_ns = sc_clock_now();
    int ret = graph->ret;
    sc_err err = graph->err;
    pthread_mutex_unlock(&graph->lock);
    if (sc_trace_close(&graph->trace) < 0)
        SC_WARN(graph->log, "trace could not be written", SC_S("graph", graph->name));
    if (graph->on_end)
        graph->on_end(graph->arg, ret, &err);
    pthread_mutex_lock(&graph->lock);
    graph->over = true;
    pthread_cond_broadcast(&graph->end_came);
}

void sc_stage_close(sc_stage *stage)
{
    sc_graph *graph = stage->graph;
    struct sc_bag bags[SC_STAGE_PORTS] = {0};
    for (int in = 0; in < stage->in_count; in++) {
        if (stage->in[in])
            sc_link_drain(stage->in[in], &bags[in]);
        graph->holds -= stage->held[in];
        stage->held[in] = false;
    }
    pthread_mutex_unlock(&graph->lock);
    int64_t from = sc_clock_now();
    for (int in = 0; in < stage->in_count; in++)
        sc_bag_empty(&bags[in], stage->in_types[in]);
    if (stage->ops->close)
        stage->ops->close(stage->self);
    sc_trace_step(graph->trace, stage->index, "close", from, sc_clock_now());
    pthread_mutex_lock(&graph->lock);
    stage->turn = SC_TURN_CLOSED;
    if (--graph->open_stages == 0)
        end(graph);
}
