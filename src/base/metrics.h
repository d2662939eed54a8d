// Metrics: counters, gauges and histograms, printed in Prometheus' text form.
//
// A metric is registered once by name and label set and lives as long as its registry; the same
// name and labels give the same metric. Names follow Prometheus: snake_case, base units
// (seconds, bytes), counters end in _total.
//
// Thread-safety: Safe; updates are lock-free.
#pragma once

#include <stdint.h>

#include "base/str.h"

typedef struct sc_metrics sc_metrics;
typedef struct sc_counter sc_counter;
typedef struct sc_gauge sc_gauge;
typedef struct sc_histogram sc_histogram;

sc_metrics *sc_metrics_new(void);
void sc_metrics_free(sc_metrics **pmetrics);

// labels: "" or text such as `route="/health",code="200"` (already escaped). A NULL registry
// gives NULL, and every update accepts NULL.
sc_counter *sc_metrics_counter(sc_metrics *m, const char *name, const char *labels,
                               const char *help);
sc_gauge *sc_metrics_gauge(sc_metrics *m, const char *name, const char *labels,
                           const char *help);
// bounds: count increasing upper bounds; NULL = 0.5 ms to 10 s for latencies in seconds.
sc_histogram *sc_metrics_histogram(sc_metrics *m, const char *name, const char *labels,
                                   const char *help, const double *bounds, int count);
// A gauge read when printed; fn must not call back into the registry.
void sc_metrics_gauge_fn(sc_metrics *m, const char *name, const char *labels, const char *help,
                         double (*fn)(void *arg), void *arg);

void sc_counter_add(sc_counter *c, uint64_t n);
uint64_t sc_counter_get(const sc_counter *c);
void sc_gauge_set(sc_gauge *g, double value);
void sc_gauge_add(sc_gauge *g, double delta);
double sc_gauge_get(const sc_gauge *g);
void sc_histogram_observe(sc_histogram *h, double value);
uint64_t sc_histogram_count(const sc_histogram *h);
double sc_histogram_sum(const sc_histogram *h);

// Appends everything in Prometheus text format 0.0.4, grouped by name with HELP and TYPE.
void sc_metrics_print(sc_metrics *m, sc_str *out);
