// The figures of all streams together, for Prometheus.
#include "app/streams_internal.h"
#include "base/mem.h"

static void add(sc_counter *counter, int64_t now, int64_t *seen)
{
    if (now > *seen)
        sc_counter_add(counter, (uint64_t)(now - *seen));
    *seen = now;
}

void sc_streams_count(struct sc_streams_entry *entry, const struct sc_live_status *status)
{
    add(entry->streams->frames, status->frames, &entry->seen_frames);
    add(entry->streams->late, status->late, &entry->seen_late);
    add(entry->streams->detected, status->detected, &entry->seen_detected);
}

struct totals {
    int by_state[SC_STREAMS_STATES];
    int64_t p50_ns, p95_ns;
};

static void watch(struct sc_streams_entry *entry, struct totals *totals)
{
    struct sc_live_status status;
    bool has_live;
    totals->by_state[sc_streams_ask(entry, &status, &has_live)]++;
    if (!has_live)
        return;
    sc_streams_count(entry, &status);
    if (status.latency_p50_ns > totals->p50_ns)
        totals->p50_ns = status.latency_p50_ns;
    if (status.latency_p95_ns > totals->p95_ns)
        totals->p95_ns = status.latency_p95_ns;
}

void sc_streams_watch(sc_streams *streams)
{
    struct totals totals = {0};
    size_t n;
    struct sc_streams_entry **all = sc_streams_copy(streams, &n);
    for (size_t i = 0; i < n; i++) {
        watch(all[i], &totals);
        sc_streams_entry_unref(&all[i]);
    }
    free(all);
    for (int i = 0; i < SC_STREAMS_STATES; i++)
        sc_gauge_set(streams->by_state[i], totals.by_state[i]);
    sc_gauge_set(streams->latency_p50, (double)totals.p50_ns / 1e9);
    sc_gauge_set(streams->latency_p95, (double)totals.p95_ns / 1e9);
}
