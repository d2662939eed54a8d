// Every stage fails at every point: what ends, with what, and that nothing is left.
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "fake.h"
#include "pipeline/graph.h"

static const char *const names[] = {"source", "filter", "sink"};

static bool applies(int stage, enum fake_point point)
{
    if (point == FAKE_OPEN || point == FAKE_WOKEN)
        return true;
    return (point == FAKE_PULL) == (stage == 0);
}

// Calls that go well before the one that fails.
static int calls_before(enum fake_point point)
{
    return point == FAKE_OPEN || point == FAKE_ENDED ? 0 : 3;
}

static void check_failure(int stage, enum fake_point point, bool blocking)
{
    struct fake fakes[3] = {{.count = 40, .wake_itself = true}, {.keep = 5}, {0}};
    fakes[1].wake_itself = fakes[2].wake_itself = true;
    fakes[stage].fail_at = point;
    fakes[stage].fail_after = stage == 2 && point == FAKE_FLUSH ? 0 : calls_before(point);
    sc_graph *graph = fake_graph(NULL);
    sc_stage *stages[3];
    for (int i = 0; i < 3; i++)
        stages[i] = fake_add(graph, names[i], &fakes[i], i > 0, i < 2, blocking, false);
    fake_link(graph, stages[0], stages[1], SC_LINK_WAIT, 2);
    fake_link(graph, stages[1], stages[2], SC_LINK_WAIT, 2);
    sc_err err = {0};
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(graph, 20000, &err), SC_EIO);
    char text[64];
    snprintf(text, sizeof(text), "%s: told to fail at %d", names[stage], (int)point);
    assert_string_equal(err.text, text);
    assert_int_equal(err.code, SC_EIO);
    struct sc_graph_stats stats;
    sc_graph_get_stats(graph, &stats);
    for (int i = 0; i < 3; i++)
        assert_int_equal(stats.stages[i].state, i == stage ? SC_STAGE_FAILED : SC_STAGE_ENDED);
    sc_graph_stats_release(&stats);
    sc_graph_close(&graph);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fakes[i].closes, 1);
        assert_int_equal(fakes[i].overlaps, 0);
    }
    assert_int_equal(fake_live(), 0);
}

static void test_every_stage_at_every_point(void **state)
{
    (void)state;
    for (int stage = 0; stage < 3; stage++)
        for (int point = FAKE_OPEN; point < FAKE_POINTS; point++)
            for (int blocking = 0; blocking < 2; blocking++)
                if (applies(stage, point))
                    check_failure(stage, point, blocking);
}

static void check_optional(enum fake_point point, bool blocking)
{
    struct fake source = {.count = 200}, good = {0};
    struct fake bad = {.fail_at = point, .wake_itself = true};
    bad.fail_after = point == FAKE_PUSH ? 3 : 0;
    sc_graph *graph = fake_graph(NULL);
    sc_stage *from = fake_add(graph, "source", &source, 0, 1, false, false);
    fake_link(graph, from, fake_add(graph, "good", &good, 1, 0, false, false), SC_LINK_WAIT, 4);
    fake_link(graph, from, fake_add(graph, "bad", &bad, 1, 0, blocking, true), SC_LINK_WAIT, 4);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(graph, 20000, NULL), SC_OK);
    assert_int_equal(good.seen, 200);
    struct sc_graph_stats stats;
    sc_graph_get_stats(graph, &stats);
    const struct sc_link_stats *link = &stats.links[1];
    assert_int_equal(stats.stages[2].state, SC_STAGE_FAILED);
    assert_int_equal(stats.stages[2].ret, SC_EIO);
    assert_non_null(strstr(stats.stages[2].error, "told to fail"));
    assert_int_equal(link->offered, 200);
    assert_int_equal(link->taken + link->dropped[SC_DROP_FAILED], 200);
    sc_graph_stats_release(&stats);
    sc_graph_close(&graph);
    assert_int_equal(source.closes + good.closes + bad.closes, 3);
    assert_int_equal(fake_live(), 0);
}

static void test_optional_sink_fails_alone(void **state)
{
    (void)state;
    for (int point = FAKE_OPEN; point < FAKE_POINTS; point++)
        for (int blocking = 0; blocking < 2; blocking++)
            if (point != FAKE_PULL)
                check_optional(point, blocking);
}

static void test_failure_interrupts_the_others(void **state)
{
    (void)state;
    struct fake source = {.count = -1, .block = true}, other = {.count = 1};
    struct fake sink = {.fail_at = FAKE_PUSH, .step_ns = 0};
    sc_graph *graph = fake_graph(NULL);
    fake_add(graph, "stalled", &source, 0, 1, true, false);
    sc_stage *from = fake_add(graph, "other", &other, 0, 1, false, false);
    fake_link(graph, from, fake_add(graph, "sink", &sink, 1, 0, true, false), SC_LINK_WAIT, 1);
    sc_err err = {0};
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(graph, 20000, &err), SC_EIO);
    assert_non_null(strstr(err.text, "sink: "));
    sc_graph_close(&graph);
    assert_int_equal(source.closes + other.closes + sink.closes, 3);
    assert_int_equal(fake_live(), 0);
}

// A stage that sees the token before the graph has stopped fails: that is a cancel, too.
struct early {
    sc_stage *stage;
    sc_cancel *parent;
};

static int early_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct early *)self)->stage = stage;
    return SC_OK;
}

static int early_pull(void *self, sc_err *err)
{
    struct early *early = self;
    sc_cancel_request(early->parent);
    assert_true(sc_cancel_requested(sc_stage_stop_token(early->stage)));
    return sc_fail(err, SC_EIO, "interrupted");
}

static void test_failing_for_the_token_is_a_cancel(void **state)
{
    (void)state;
    static const struct sc_stage_ops ops = {
        .kind = "early", .blocking = true, .open = early_open, .pull = early_pull};
    for (int i = 0; i < 20; i++) {
        struct early early = {.parent = sc_cancel_new(NULL)};
        sc_graph *graph = NULL;
        struct sc_graph_params options = {.threads = 1, .cancel = early.parent};
        struct sc_stage_params params = {.ops = &ops, .self = &early, .out = {&fake_type}};
        assert_int_equal(sc_graph_open(&graph, &options, NULL), SC_OK);
        assert_int_equal(sc_graph_add(graph, &params, NULL, NULL), SC_OK);
        assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
        assert_int_equal(sc_graph_wait(graph, 10000, NULL), SC_ECANCELLED);
        sc_graph_close(&graph);
        sc_cancel_free(&early.parent);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_stage_at_every_point),
        cmocka_unit_test(test_optional_sink_fails_alone),
        cmocka_unit_test(test_failure_interrupts_the_others),
        cmocka_unit_test(test_failing_for_the_token_is_a_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
