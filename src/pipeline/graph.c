#include "pipeline/graph.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/graph_internal.h"

// --- opening ----------------------------------------------------------------------------------

static void init_locks(sc_graph *graph)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&graph->lock, NULL);
    pthread_cond_init(&graph->end_came, &attr);
    pthread_condattr_destroy(&attr);
}

static int acquire(sc_graph *graph, const struct sc_graph_params *params, sc_err *err)
{
    if (!params->pool) {
        struct sc_pool_params pool = {.threads = params->threads, .name = "graph"};
        graph->own_pool = sc_pool_open(&pool);
        if (!graph->own_pool)
            return sc_fail(err, SC_ENOMEM, "no thread can be started for a graph");
    }
    graph->pool = params->pool ? params->pool : graph->own_pool;
    if (!params->trace_path)
        return SC_OK;
    return sc_trace_open(&graph->trace, params->trace_path, params->trace_max_bytes,
                         graph->name, err);
}

int sc_graph_open(sc_graph **pgraph, const struct sc_graph_params *params, sc_err *err)
{
    sc_graph *graph = sc_new(sc_graph);
    snprintf(graph->name, sizeof(graph->name), "%s", params->name ? params->name : "graph");
    graph->log = params->log;
    graph->on_end = params->on_end;
    graph->arg = params->arg;
    graph->stop = sc_cancel_new(params->cancel);
    init_locks(graph);
    int ret = acquire(graph, params, err);
    if (ret < 0)
        sc_graph_close(&graph);
    else
        *pgraph = graph;
    return ret;
}

// --- putting together -------------------------------------------------------------------------

static int count_ports(const struct sc_item_type *const *types)
{
    int count = 0;
    while (count < SC_STAGE_PORTS && types[count])
        count++;
    return count;
}

static int check_stage(sc_graph *graph, const struct sc_stage_params *params, const char *name,
                       sc_err *err)
{
    const struct sc_stage_ops *ops = params->ops;
    bool has_in = params->in[0], has_out = params->out[0];
    if (graph->started)
        return sc_fail(err, SC_EBUSY, "stage %s comes after the graph was started", name);
    if ((!has_in && !has_out) || (has_in && !ops->push) || (!has_in && !ops->pull))
        return sc_fail(err, SC_EARG, "stage %s lacks ports, or a function for them", name);
    for (int i = 0; i < graph->stage_count; i++)
        if (!strcmp(graph->stages[i]->name, name))
            return sc_fail(err, SC_EEXISTS, "there are two stages named %s", name);
    return SC_OK;
}

static sc_stage *new_stage(sc_graph *graph, const struct sc_stage_params *params)
{
    sc_stage *stage = sc_new(sc_stage);
    stage->graph = graph;
    stage->ops = params->ops;
    stage->self = params->self;
    stage->optional = params->optional;
    stage->in_count = count_ports(params->in);
    stage->out_count = count_ports(params->out);
    for (int i = 0; i < SC_STAGE_PORTS; i++) {
        stage->in_types[i] = params->in[i];
        stage->out_types[i] = params->out[i];
    }
    pthread_cond_init(&stage->turn_came, NULL);
    stage->waker = sc_waker_new(stage);
    return stage;
}

int sc_graph_add(sc_graph *graph, const struct sc_stage_params *params, sc_stage **pstage,
                 sc_err *err)
{
    char name[sizeof((*pstage)->name)];
    snprintf(name, sizeof(name), "%s", params->name ? params->name : params->ops->kind);
    int ret = check_stage(graph, params, name, err);
    if (ret < 0)
        return ret;
    sc_stage *stage = new_stage(graph, params);
    memcpy(stage->name, name, sizeof(name));
    pthread_mutex_lock(&graph->lock);
    stage->index = graph->stage_count;
    graph->stages = sc_xrealloc(graph->stages, (size_t)(stage->index + 1) * sizeof(sc_stage *));
    graph->stages[graph->stage_count++] = stage;
    pthread_mutex_unlock(&graph->lock);
    if (pstage)
        *pstage = stage;
    return SC_OK;
}

static bool leads_to(const sc_stage *stage, const sc_stage *target)
{
    if (stage == target)
        return true;
    for (int out = 0; out < stage->out_count; out++)
        for (const sc_link *link = stage->out[out]; link; link = link->next_of_out)
            if (leads_to(link->to, target))
                return true;
    return false;
}

static int check_link(const sc_graph *graph, const struct sc_link_params *p, sc_err *err)
{
    const sc_stage *from = p->from, *to = p->to;
    if (graph->started)
        return sc_fail(err, SC_EBUSY, "a link comes after the graph was started");
    sc_require(from && to && from->graph == graph && to->graph == graph);
    if (p->out < 0 || p->out >= from->out_count)
        return sc_fail(err, SC_EARG, "stage %s has no output %d", from->name, p->out);
    if (p->in < 0 || p->in >= to->in_count)
        return sc_fail(err, SC_EARG, "stage %s has no input %d", to->name, p->in);
    if (from->out_types[p->out] != to->in_types[p->in])
        return sc_fail(err, SC_EARG, "stage %s gives %s, but stage %s takes %s", from->name,
                       from->out_types[p->out]->name, to->name, to->in_types[p->in]->name);
    if (leads_to(to, from))
        return sc_fail(err, SC_EARG, "stage %s would feed itself", from->name);
    if (to->in[p->in])
        return sc_fail(err, SC_EEXISTS, "input %d of stage %s is connected already", p->in,
                       to->name);
    return SC_OK;
}

static sc_link *new_link(const struct sc_link_params *params)
{
    sc_link *link = sc_new(sc_link);
    link->from = params->from;
    link->to = params->to;
    link->out = params->out;
    link->in = params->in;
    link->type = params->from->out_types[params->out];
    link->policy = params->policy;
    link->max_items = params->max_items ? params->max_items : 8;
    link->max_bytes = params->max_bytes;
    link->skipping = params->policy == SC_LINK_DROP_GROUP;
    return link;
}

int sc_graph_link(sc_graph *graph, const struct sc_link_params *params, sc_err *err)
{
    int ret = check_link(graph, params, err);
    if (ret < 0)
        return ret;
    sc_link *link = new_link(params);
    pthread_mutex_lock(&graph->lock);
    graph->links =
        sc_xrealloc(graph->links, (size_t)(graph->link_count + 1) * sizeof(sc_link *));
    graph->links[graph->link_count++] = link;
    sc_link **end = &link->from->out[link->out];
    while (*end)
        end = &(*end)->next_of_out;
    *end = link;
    link->to->in[link->in] = link;
    pthread_mutex_unlock(&graph->lock);
    return SC_OK;
}

// --- running ----------------------------------------------------------------------------------

static int check_graph(const sc_graph *graph, sc_err *err)
{
    if (graph->started)
        return sc_fail(err, SC_EBUSY, "the graph was started already");
    if (!graph->stage_count)
        return sc_fail(err, SC_EARG, "the graph has no stage");
    for (int i = 0; i < graph->stage_count; i++) {
        const sc_stage *stage = graph->stages[i];
        bool fed = !stage->in_count;
        for (int in = 0; in < stage->in_count; in++)
            fed |= stage->in[in] != NULL;
        if (!fed)
            return sc_fail(err, SC_EARG, "nothing feeds stage %s", stage->name);
    }
    return SC_OK;
}

static void *run_thread(void *arg)
{
    sc_stage *stage = arg;
    sc_graph *graph = stage->graph;
    pthread_mutex_lock(&graph->lock);
    while (stage->turn != SC_TURN_CLOSED) {
        if (stage->turn == SC_TURN_QUEUED)
            sc_stage_take_turn(stage, INT64_MAX);
        else
            pthread_cond_wait(&stage->turn_came, &graph->lock);
    }
    pthread_mutex_unlock(&graph->lock);
    return NULL;
}

static bool start_thread(pthread_t *thread, void *(*fn)(void *), void *arg, const char *name)
{
    if (pthread_create(thread, NULL, fn, arg) != 0)
        return false;
    char shown[16]; // the kernel's limit
    snprintf(shown, sizeof(shown), "%.15s", name);
    pthread_setname_np(*thread, shown);
    return true;
}

// Under the lock, so that whoever has a thread finds all of them. Without one, a stage is closed
// on the pool.
static bool start_stages(sc_graph *graph)
{
    bool all = true;
    for (int i = 0; i < graph->stage_count; i++) {
        sc_stage *stage = graph->stages[i];
        sc_trace_stage(graph->trace, i, stage->name);
        stage->since_ns = graph->started_ns;
        if (stage->ops->blocking && all)
            stage->threaded = all =
                start_thread(&stage->thread, run_thread, stage, stage->name);
    }
    return all;
}

int sc_graph_start(sc_graph *graph, sc_err *err)
{
    int ret = check_graph(graph, err);
    if (ret < 0)
        return ret;
    ret = sc_graph_watch(graph, err);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&graph->lock);
    graph->started = true;
    graph->started_ns = sc_clock_now();
    graph->open_stages = graph->stage_count;
    if (!start_stages(graph)) {
        ret = sc_fail(err, SC_ENOMEM, "no thread can be started for a stage");
        sc_graph_stop(graph, ret, NULL, NULL);
    }
    sc_graph_look(graph); // for what came before
    sc_graph_consider_all(graph);
    pthread_mutex_unlock(&graph->lock);
    return ret;
}

void sc_graph_cancel(sc_graph *graph)
{
    sc_cancel_request(graph->stop);
}

static bool wait_for_end(sc_graph *graph, int timeout_ms)
{
    int64_t until = sc_clock_now() + timeout_ms * SC_NS_PER_MS;
    struct timespec ts = {.tv_sec = until / SC_NS_PER_S, .tv_nsec = until % SC_NS_PER_S};
    int rc = 0;
    while (!graph->over && rc != ETIMEDOUT) {
        rc = timeout_ms < 0 ? pthread_cond_wait(&graph->end_came, &graph->lock)
                            : pthread_cond_timedwait(&graph->end_came, &graph->lock, &ts);
    }
    return graph->over;
}

int sc_graph_wait(sc_graph *graph, int timeout_ms, sc_err *err)
{
    pthread_mutex_lock(&graph->lock);
    sc_require(graph->started);
    int ret = SC_EAGAIN;
    if (wait_for_end(graph, timeout_ms)) {
        ret = graph->ret;
        if (err && ret < 0)
            *err = graph->err;
    }
    pthread_mutex_unlock(&graph->lock);
    return ret;
}

// --- closing ----------------------------------------------------------------------------------

static void join_all(sc_graph *graph)
{
    for (int i = 0; i < graph->stage_count; i++)
        if (graph->stages[i]->threaded)
            pthread_join(graph->stages[i]->thread, NULL);
}

static void free_stage(sc_stage *stage, bool never_started)
{
    sc_waker_detach(stage->waker);
    if (never_started && stage->ops->close)
        stage->ops->close(stage->self);
    sc_waker_unref(&stage->waker);
    pthread_cond_destroy(&stage->turn_came);
    free(stage);
}

void sc_graph_close(sc_graph **pgraph)
{
    sc_graph *graph = pgraph ? *pgraph : NULL;
    if (!graph)
        return;
    *pgraph = NULL;
    if (graph->started) {
        sc_graph_cancel(graph);
        sc_graph_wait(graph, -1, NULL);
        join_all(graph);
        sc_graph_unwatch(graph);
    }
    sc_pool_close(&graph->own_pool);
    for (int i = 0; i < graph->stage_count; i++)
        free_stage(graph->stages[i], !graph->started);
    for (int i = 0; i < graph->link_count; i++)
        sc_link_free(graph->links[i]);
    sc_trace_close(&graph->trace);
    sc_cancel_free(&graph->stop);
    pthread_cond_destroy(&graph->end_came);
    pthread_mutex_destroy(&graph->lock);
    free(graph->stages);
    free(graph->links);
    free(graph);
}
