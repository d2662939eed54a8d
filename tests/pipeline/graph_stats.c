// What a graph tells of itself: figures and the trace.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/test.h"
#include "base/clock.h"
#include "fake.h"
#include "pipeline/graph_internal.h"

#define MS SC_NS_PER_MS

static void test_quantiles(void **state)
{
    (void)state;
    struct sc_latency latency = {0};
    assert_int_equal(sc_latency_quantile(&latency, 0.5), 0);
    for (int i = 1; i <= 1000; i++)
        sc_latency_add(&latency, i * MS);
    assert_in_range(sc_latency_quantile(&latency, 0.5), 460 * MS, 540 * MS);
    assert_in_range(sc_latency_quantile(&latency, 0.95), 880 * MS, 1020 * MS);
    for (int i = 0; i < 12000; i++) // what was long ago fades
        sc_latency_add(&latency, 10000);
    assert_in_range(sc_latency_quantile(&latency, 0.95), 9000, 11000);
    struct sc_latency extreme = {0};
    sc_latency_add(&extreme, -5);
    assert_in_range(sc_latency_quantile(&extreme, 0.5), 0, 1024);
    sc_latency_add(&extreme, INT64_MAX);
    assert_true(sc_latency_quantile(&extreme, 1) > 1000 * SC_NS_PER_S);
}

static void test_every_latency_is_near(void **state)
{
    (void)state;
    for (int64_t ns = 10000; ns < 1000 * SC_NS_PER_S; ns += ns / 7) {
        struct sc_latency latency = {0};
        sc_latency_add(&latency, ns);
        int64_t got = sc_latency_quantile(&latency, 0.5);
        assert_true(llabs(got - ns) <= ns / 10);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < SC_DROPS; i++)
        assert_string_not_equal(sc_drop_name(i), "unknown");
    for (int i = 0; i < SC_WAITS; i++)
        assert_string_not_equal(sc_wait_name(i), "unknown");
    assert_string_equal(sc_drop_name(SC_DROPS), "unknown");
}

// A slow sink behind a quick source: who waits for what, and how long things took.
static void test_figures(void **state)
{
    (void)state;
    struct fake source = {.count = 30, .bytes = 7}, sink = {.step_ns = 4 * MS};
    sc_graph *graph = fake_graph(NULL);
    sc_stage *from = fake_add(graph, "source", &source, 0, 1, false, false);
    fake_link(graph, from, fake_add(graph, "sink", &sink, 1, 0, true, false), SC_LINK_WAIT, 4);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    fake_wait_for(&sink.seen, 5);
    struct sc_graph_stats now, end;
    sc_graph_get_stats(graph, &now);
    assert_int_equal(now.links[0].bytes, now.links[0].items * 7);
    assert_int_equal(sc_graph_wait(graph, 10000, NULL), SC_OK);
    sc_graph_get_stats(graph, &end);
    sc_graph_close(&graph);
    const struct sc_stage_stats *a = &end.stages[0], *b = &end.stages[1];
    assert_int_equal(end.stage_count, 2);
    assert_int_equal(end.link_count, 1);
    assert_string_equal(a->name, "source");
    assert_string_equal(b->kind, "fake");
    assert_int_equal(a->emitted, 30);
    assert_int_equal(a->pts_ns, 29 * MS);
    assert_int_equal(b->taken, 30);
    assert_int_equal(b->pts_ns, 29 * MS);
    assert_true(b->busy_ns >= 120 * MS);
    assert_true(a->wait_ns[SC_WAIT_ROOM] >= 30 * MS);
    assert_true(b->latency_p50_ns >= 4 * MS); // it waits for about four others
    assert_true(b->latency_p95_ns >= b->latency_p50_ns);
    assert_int_equal(end.links[0].most_items, 4);
    assert_int_equal(end.links[0].items, 0);
    assert_int_equal(end.links[0].offered, 30);
    assert_int_equal(end.links[0].taken, 30);
    assert_string_equal(end.links[0].type, "picture");
    assert_true(end.run_ns >= 120 * MS);
    assert_true(b->busy_ns + b->wait_ns[SC_WAIT_INPUT] <= end.run_ns);
    sc_graph_stats_release(&now);
    sc_graph_stats_release(&end);
    sc_graph_stats_release(&end);
}

static void test_own_drops_are_counted(void **state)
{
    (void)state;
    struct fake source = {.count = -1, .step_ns = MS};
    sc_graph *graph = fake_graph(NULL);
    sc_stage *stage = fake_add(graph, "source", &source, 0, 1, false, false);
    sc_stage_count_drop(stage, SC_DROP_LATE, 3);
    sc_stage_count_drop(stage, SC_DROP_LATE, 2);
    struct sc_graph_stats stats;
    sc_graph_get_stats(graph, &stats);
    assert_int_equal(stats.stages[0].dropped[SC_DROP_LATE], 5);
    assert_int_equal(stats.run_ns, 0); // not started
    sc_graph_stats_release(&stats);
    sc_graph_close(&graph);
}

// --- the trace --------------------------------------------------------------------------------

static sc_graph *traced(const char *path, size_t max_bytes, struct fake *source,
                        struct fake *sink)
{
    sc_graph *graph = NULL;
    struct sc_graph_params params = {
        .name = "a \"name\"", .threads = 2, .trace_path = path, .trace_max_bytes = max_bytes};
    assert_int_equal(sc_graph_open(&graph, &params, NULL), SC_OK);
    sc_stage *from = fake_add(graph, "source", source, 0, 1, false, false);
    fake_link(graph, from, fake_add(graph, "sink", sink, 1, 0, true, false), SC_LINK_WAIT, 4);
    return graph;
}

// Steps named `step` of the stage; the file must be whole.
static int count_events(const char *path, int tid, const char *step)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error), *event;
    assert_non_null(root);
    size_t i;
    int count = 0;
    json_array_foreach(json_object_get(root, "traceEvents"), i, event)
    {
        const char *ph = json_string_value(json_object_get(event, "ph"));
        assert_true(!strcmp(ph, "M") || !strcmp(ph, "X"));
        if (*ph == 'X') {
            assert_true(json_number_value(json_object_get(event, "ts")) > 0);
            assert_true(json_number_value(json_object_get(event, "dur")) >= 0);
        }
        const char *name = json_string_value(json_object_get(event, "name"));
        if (json_integer_value(json_object_get(event, "tid")) == tid && !strcmp(name, step))
            count++;
    }
    json_decref(root);
    return count;
}

static void make_path(char *path, size_t size)
{
    snprintf(path, size, "/tmp/saccade-trace-%d.json", (int)getpid());
}

static void test_trace_has_every_step(void **state)
{
    (void)state;
    char path[64];
    make_path(path, sizeof(path));
    struct fake source = {.count = 25}, sink = {0};
    sc_graph *graph = traced(path, 0, &source, &sink);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(graph, 10000, NULL), SC_OK);
    assert_int_equal(count_events(path, 1, "pull"), 26); // whole before it is closed
    assert_int_equal(count_events(path, 2, "push"), 25);
    assert_int_equal(count_events(path, 2, "flush"), 1);
    assert_int_equal(count_events(path, 2, "close"), 1);
    assert_int_equal(count_events(path, 2, "thread_name"), 1);
    sc_graph_close(&graph);
    unlink(path);
}

static void test_trace_is_whole_however_it_ends(void **state)
{
    (void)state;
    char path[64];
    make_path(path, sizeof(path));
    for (int how = 0; how < 3; how++) {
        struct fake source = {.count = -1};
        struct fake sink = {.fail_at = how == 0 ? FAKE_PUSH : FAKE_NEVER, .fail_after = 9};
        sc_graph *graph = traced(path, 0, &source, &sink);
        if (how < 2)
            assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
        if (how == 0)
            assert_int_equal(sc_graph_wait(graph, 10000, NULL), SC_EIO);
        sc_graph_close(&graph);
        int pushes = count_events(path, 2, "push"); // whole, whatever is in it
        assert_true(how == 0 ? pushes >= 10 : how == 1 ? pushes >= 0 : pushes == 0);
        unlink(path);
    }
}

static void test_trace_is_bounded(void **state)
{
    (void)state;
    char path[64];
    make_path(path, sizeof(path));
    struct fake source = {.count = 500}, sink = {0};
    sc_graph *graph = traced(path, 4000, &source, &sink);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(graph, 10000, NULL), SC_OK);
    sc_graph_close(&graph);
    int pulls = count_events(path, 1, "pull");
    assert_true(pulls > 5 && pulls < 100);
    unlink(path);
    sc_err err = {0};
    struct sc_graph_params params = {.trace_path = "/nowhere/trace.json"};
    assert_int_equal(sc_graph_open(&graph, &params, &err), SC_EIO);
    assert_non_null(strstr(err.text, "/nowhere/trace.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_every_latency_is_near),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_own_drops_are_counted),
        cmocka_unit_test(test_trace_has_every_step),
        cmocka_unit_test(test_trace_is_whole_however_it_ends),
        cmocka_unit_test(test_trace_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
