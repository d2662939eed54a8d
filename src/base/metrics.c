#include "base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_GAUGE_FN, KIND_HISTOGRAM };

struct sc_counter {
    atomic_uint_fast64_t value;
};

struct sc_gauge {
    _Atomic double value;
};

struct sc_histogram {
    int count;      // of bounds; immutable
    double *bounds; // immutable
    _Atomic double sum;
    atomic_uint_fast64_t buckets[]; // count + 1, not cumulated; the last one has no bound
};

struct metric {
    struct metric *next;
    char *labels;
    void *value; // sc_counter, sc_gauge or sc_histogram; the kind is the family's
    double (*fn)(void *arg);
    void *arg;
};

struct family {
    struct family *next;
    char *name, *help;
    enum kind kind;
    struct metric *metrics;
};

struct sc_metrics {
    pthread_mutex_t lock; // guards the lists; values are atomic, because updates are hot
    struct family *families;
};

sc_metrics *sc_metrics_new(void)
{
    sc_metrics *m = sc_new(sc_metrics);
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

static void free_metric(enum kind kind, struct metric *metric)
{
    if (kind == KIND_HISTOGRAM && metric->value)
        free(((sc_histogram *)metric->value)->bounds);
    free(metric->value);
    free(metric->labels);
    free(metric);
}

static void free_family(struct family *family)
{
    while (family->metrics) {
        struct metric *metric = family->metrics;
        family->metrics = metric->next;
        free_metric(family->kind, metric);
    }
    free(family->name);
    free(family->help);
    free(family);
}

void sc_metrics_free(sc_metrics **pmetrics)
{
    sc_metrics *m = pmetrics ? *pmetrics : NULL;
    if (!m)
        return;
    *pmetrics = NULL;
    while (m->families) {
        struct family *family = m->families;
        m->families = family->next;
        free_family(family);
    }
    pthread_mutex_destroy(&m->lock);
    free(m);
}

// Finds or makes; new ones go to the end, so that the text keeps the order of registration.
static struct family *get_family(sc_metrics *m, const char *name, const char *help,
                                 enum kind kind)
{
    struct family **p = &m->families;
    for (; *p; p = &(*p)->next) {
        if (strcmp((*p)->name, name) == 0) {
            sc_require((*p)->kind == kind);
            return *p;
        }
    }
    *p = sc_new(struct family);
    (*p)->name = sc_xstrdup(name);
    (*p)->help = sc_xstrdup(help);
    (*p)->kind = kind;
    return *p;
}

static struct metric *get_metric(struct family *family, const char *labels)
{
    struct metric **p = &family->metrics;
    for (; *p; p = &(*p)->next)
        if (strcmp((*p)->labels, labels) == 0)
            return *p;
    *p = sc_new(struct metric);
    (*p)->labels = sc_xstrdup(labels);
    return *p;
}

// The metric, with a zeroed value of size bytes if it is new. NULL for a NULL registry.
static void *get_value(sc_metrics *m, const char *name, const char *labels, const char *help,
                       enum kind kind, size_t size)
{
    if (!m)
        return NULL;
    pthread_mutex_lock(&m->lock);
    struct metric *metric = get_metric(get_family(m, name, help, kind), labels);
    if (!metric->value)
        metric->value = sc_xcalloc(1, size);
    pthread_mutex_unlock(&m->lock);
    return metric->value;
}

sc_counter *sc_metrics_counter(sc_metrics *m, const char *name, const char *labels,
                               const char *help)
{
    return get_value(m, name, labels, help, KIND_COUNTER, sizeof(sc_counter));
}

sc_gauge *sc_metrics_gauge(sc_metrics *m, const char *name, const char *labels,
                           const char *help)
{
    return get_value(m, name, labels, help, KIND_GAUGE, sizeof(sc_gauge));
}

static sc_histogram *new_histogram(const double *bounds, int count)
{
    static const double latencies[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                       0.1,    0.25,  0.5,    1,     2.5,  5,     10};
    if (!bounds) {
        bounds = latencies;
        count = SC_COUNT(latencies);
    }
    sc_require(count >= 0);
    size_t n = (size_t)count;
    sc_histogram *h = sc_xcalloc(1, sizeof(*h) + (n + 1) * sizeof(h->buckets[0]));
    h->count = count;
    h->bounds = sc_xcalloc(n, sizeof(double));
    memcpy(h->bounds, bounds, n * sizeof(double));
    return h;
}

sc_histogram *sc_metrics_histogram(sc_metrics *m, const char *name, const char *labels,
                                   const char *help, const double *bounds, int count)
{
    if (!m)
        return NULL;
    pthread_mutex_lock(&m->lock);
    struct metric *metric = get_metric(get_family(m, name, help, KIND_HISTOGRAM), labels);
    if (!metric->value)
        metric->value = new_histogram(bounds, count);
    pthread_mutex_unlock(&m->lock);
    return metric->value;
}

void sc_metrics_gauge_fn(sc_metrics *m, const char *name, const char *labels, const char *help,
                         double (*fn)(void *arg), void *arg)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    struct metric *metric = get_metric(get_family(m, name, help, KIND_GAUGE_FN), labels);
    metric->fn = fn;
    metric->arg = arg;
    pthread_mutex_unlock(&m->lock);
}

void sc_counter_add(sc_counter *c, uint64_t n)
{
    if (c)
        atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

uint64_t sc_counter_get(const sc_counter *c)
{
    return c ? atomic_load_explicit(&c->value, memory_order_relaxed) : 0;
}

static void add_double(_Atomic double *target, double delta)
{
    double old = atomic_load_explicit(target, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(target, &old, old + delta,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void sc_gauge_set(sc_gauge *g, double value)
{
    if (g)
        atomic_store_explicit(&g->value, value, memory_order_relaxed);
}

void sc_gauge_add(sc_gauge *g, double delta)
{
    if (g)
        add_double(&g->value, delta);
}

double sc_gauge_get(const sc_gauge *g)
{
    return g ? atomic_load_explicit(&g->value, memory_order_relaxed) : 0;
}

void sc_histogram_observe(sc_histogram *h, double value)
{
    if (!h)
        return;
    int i = 0;
    while (i < h->count && !(value <= h->bounds[i]))
        i++;
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    add_double(&h->sum, value);
}

uint64_t sc_histogram_count(const sc_histogram *h)
{
    uint64_t total = 0;
    for (int i = 0; h && i <= h->count; i++)
        total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    return total;
}

double sc_histogram_sum(const sc_histogram *h)
{
    return h ? atomic_load_explicit(&h->sum, memory_order_relaxed) : 0;
}

// The shortest of the usual forms that reads back as the same number.
static void add_number(sc_str *out, double value)
{
    char text[32];
    if (isnan(value)) {
        sc_str_add(out, "NaN");
    } else if (isinf(value)) {
        sc_str_add(out, value > 0 ? "+Inf" : "-Inf");
    } else {
        snprintf(text, sizeof(text), "%.15g", value);
        if (strtod(text, NULL) != value)
            snprintf(text, sizeof(text), "%.17g", value);
        sc_str_add(out, text);
    }
}

// name{labels} and a blank.
static void add_name(sc_str *out, const struct family *family, const struct metric *metric,
                     const char *suffix)
{
    sc_str_addf(out, "%s%s", family->name, suffix);
    if (metric->labels[0])
        sc_str_addf(out, "{%s}", metric->labels);
    sc_str_addc(out, ' ');
}

static void print_histogram(sc_str *out, const struct family *family,
                            const struct metric *metric)
{
    const sc_histogram *h = metric->value;
    uint64_t total = 0;
    for (int i = 0; i <= h->count; i++) {
        total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        sc_str_addf(out, "%s_bucket{%s%sle=\"", family->name, metric->labels,
                    metric->labels[0] ? "," : "");
        add_number(out, i < h->count ? h->bounds[i] : HUGE_VAL);
        sc_str_addf(out, "\"} %llu\n", (unsigned long long)total);
    }
    add_name(out, family, metric, "_sum");
    add_number(out, sc_histogram_sum(h));
    sc_str_addc(out, '\n');
    add_name(out, family, metric, "_count");
    sc_str_addf(out, "%llu\n", (unsigned long long)total); // the same total as le="+Inf" above
}

static void print_metric(sc_str *out, const struct family *family, const struct metric *metric)
{
    if (family->kind == KIND_HISTOGRAM) {
        print_histogram(out, family, metric);
        return;
    }
    add_name(out, family, metric, "");
    if (family->kind == KIND_COUNTER)
        sc_str_addf(out, "%llu", (unsigned long long)sc_counter_get(metric->value));
    else
        add_number(out, family->kind == KIND_GAUGE ? sc_gauge_get(metric->value)
                                                   : metric->fn(metric->arg));
    sc_str_addc(out, '\n');
}

static void print_family(sc_str *out, const struct family *family)
{
    static const char *const types[] = {"counter", "gauge", "gauge", "histogram"};
    sc_str_addf(out, "# HELP %s ", family->name);
    for (const char *p = family->help; *p; p++) {
        if (*p == '\\' || *p == '\n')
            sc_str_addc(out, '\\');
        sc_str_addc(out, *p == '\n' ? 'n' : *p);
    }
    sc_str_addf(out, "\n# TYPE %s %s\n", family->name, types[family->kind]);
    for (const struct metric *metric = family->metrics; metric; metric = metric->next)
        print_metric(out, family, metric);
}

void sc_metrics_print(sc_metrics *m, sc_str *out)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    for (const struct family *family = m->families; family; family = family->next)
        print_family(out, family);
    pthread_mutex_unlock(&m->lock);
}
