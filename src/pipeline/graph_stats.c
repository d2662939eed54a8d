// Figures: what stages wait for, latencies, snapshots.
#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/graph_internal.h"

void sc_stage_account(sc_stage *stage, enum sc_wait next, int64_t now_ns)
{
    stage->wait_ns[stage->wait] += now_ns - stage->since_ns;
    stage->wait = next;
    stage->since_ns = now_ns;
}

// --- latency ----------------------------------------------------------------------------------

#define FADE_AT 4096 // items

static int bucket_of(int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns >> 10 : 0;
    if (v < 8)
        return (int)v;
    int msb = 63 - __builtin_clzll(v);
    int bucket = (msb - 2) * 8 + (int)((v >> (msb - 3)) & 7);
    return bucket < SC_LATENCY_BUCKETS ? bucket : SC_LATENCY_BUCKETS - 1;
}

// The middle of what a bucket holds.
static int64_t bucket_ns(int bucket)
{
    if (bucket < 8)
        return ((int64_t)bucket << 10) + 512;
    int shift = bucket / 8 - 1;
    return ((((int64_t)8 + bucket % 8) << shift) << 10) + (((int64_t)1 << shift) << 9);
}

void sc_latency_add(struct sc_latency *latency, int64_t ns)
{
    latency->buckets[bucket_of(ns)]++;
    if (++latency->total < FADE_AT)
        return;
    latency->total = 0;
    for (int i = 0; i < SC_LATENCY_BUCKETS; i++) {
        latency->buckets[i] /= 2;
        latency->total += latency->buckets[i];
    }
}

int64_t sc_latency_quantile(const struct sc_latency *latency, double q)
{
    double rank = q * latency->total;
    uint32_t seen = 0;
    for (int i = 0; i < SC_LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (latency->buckets[i] && seen >= rank)
            return bucket_ns(i);
    }
    return 0;
}

// --- snapshots --------------------------------------------------------------------------------

static enum sc_stage_state state_of(const sc_stage *stage)
{
    if (stage->ret < 0)
        return SC_STAGE_FAILED;
    switch (stage->turn) {
    case SC_TURN_IDLE:
        return SC_STAGE_WAITING;
    case SC_TURN_QUEUED:
        return SC_STAGE_READY;
    case SC_TURN_RUNNING:
        return SC_STAGE_RUNNING;
    case SC_TURN_CLOSED:
        break;
    }
    return SC_STAGE_ENDED;
}

static void fill_stage(const sc_stage *stage, struct sc_stage_stats *s, int64_t now)
{
    snprintf(s->name, sizeof(s->name), "%s", stage->name);
    snprintf(s->kind, sizeof(s->kind), "%s", stage->ops->kind);
    snprintf(s->error, sizeof(s->error), "%s", stage->error);
    s->state = state_of(stage);
    s->ret = stage->ret;
    s->steps = stage->steps;
    s->busy_ns = stage->busy_ns;
    memcpy(s->wait_ns, stage->wait_ns, sizeof(s->wait_ns));
    if (stage->since_ns && (stage->turn == SC_TURN_IDLE || stage->turn == SC_TURN_QUEUED))
        s->wait_ns[stage->wait] += now - stage->since_ns;
    s->taken = stage->taken;
    s->latency_p50_ns = sc_latency_quantile(&stage->latency, 0.5);
    s->latency_p95_ns = sc_latency_quantile(&stage->latency, 0.95);
    s->pts_ns = stage->pts_ns;
    s->emitted = stage->emitted;
    memcpy(s->dropped, stage->dropped, sizeof(s->dropped));
}

static void fill_link(const sc_link *link, struct sc_link_stats *s)
{
    *s = (struct sc_link_stats){
        .from = link->from->index,
        .to = link->to->index,
        .out = link->out,
        .in = link->in,
        .type = link->type->name,
        .offered = link->offered,
        .taken = link->taken,
        .items = link->count,
        .bytes = link->bytes,
        .max_items = link->max_items,
        .max_bytes = link->max_bytes,
        .most_items = link->most,
    };
    memcpy(s->dropped, link->dropped, sizeof(s->dropped));
}

void sc_graph_get_stats(sc_graph *graph, struct sc_graph_stats *stats)
{
    *stats = (struct sc_graph_stats){0};
    pthread_mutex_lock(&graph->lock);
    int64_t now = sc_clock_now();
    stats->stage_count = graph->stage_count;
    stats->link_count = graph->link_count;
    stats->stages = sc_xcalloc((size_t)graph->stage_count, sizeof(*stats->stages));
    stats->links = sc_xcalloc((size_t)graph->link_count, sizeof(*stats->links));
    for (int i = 0; i < graph->stage_count; i++)
        fill_stage(graph->stages[i], &stats->stages[i], now);
    for (int i = 0; i < graph->link_count; i++)
        fill_link(graph->links[i], &stats->links[i]);
    if (graph->started)
        stats->run_ns = (graph->ended_ns ? graph->ended_ns : now) - graph->started_ns;
    pthread_mutex_unlock(&graph->lock);
}

void sc_graph_stats_release(struct sc_graph_stats *stats)
{
    free(stats->stages);
    free(stats->links);
    *stats = (struct sc_graph_stats){0};
}

const char *sc_drop_name(enum sc_drop reason)
{
    static const char *const names[SC_DROPS] = {
        [SC_DROP_OLDEST] = "oldest",     [SC_DROP_NEWEST] = "newest",
        [SC_DROP_GROUP] = "group",       [SC_DROP_LATE] = "late",
        [SC_DROP_UNWANTED] = "unwanted", [SC_DROP_FAILED] = "failed",
        [SC_DROP_STOPPED] = "stopped",
    };
    return (unsigned)reason < SC_DROPS ? names[reason] : "unknown";
}

const char *sc_wait_name(enum sc_wait wait)
{
    static const char *const names[SC_WAITS] = {
        [SC_WAIT_INPUT] = "input",
        [SC_WAIT_ROOM] = "room",
        [SC_WAIT_SELF] = "self",
        [SC_WAIT_TURN] = "turn",
    };
    return (unsigned)wait < SC_WAITS ? names[wait] : "unknown";
}
