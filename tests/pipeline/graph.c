#include "pipeline/graph.h"

#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "fake.h"

// source -> filter -> sink
struct line {
    sc_graph *graph;
    struct fake source, filter, sink;
    sc_stage *stages[3];
};

static void line_make(struct line *line, enum sc_link_policy policy, size_t max_items,
                      bool blocking)
{
    line->graph = fake_graph(NULL);
    line->stages[0] = fake_add(line->graph, "source", &line->source, 0, 1, blocking, false);
    line->stages[1] = fake_add(line->graph, "filter", &line->filter, 1, 1, false, false);
    line->stages[2] = fake_add(line->graph, "sink", &line->sink, 1, 0, blocking, false);
    fake_link(line->graph, line->stages[0], line->stages[1], policy, max_items);
    fake_link(line->graph, line->stages[1], line->stages[2], SC_LINK_WAIT, max_items);
}

static void line_check_closed(struct line *line)
{
    struct fake *fakes[] = {&line->source, &line->filter, &line->sink};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fakes[i]->closes, 1);
        assert_int_equal(fakes[i]->overlaps, 0);
    }
    assert_int_equal(fake_live(), 0);
}

static void run_line(struct line *line)
{
    assert_int_equal(sc_graph_start(line->graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(line->graph, 20000, NULL), SC_OK);
}

static void check_all_in_order(const struct fake *fake, int count)
{
    assert_int_equal(fake->seen, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(fake->order[i], i);
        assert_int_equal(fake->pts[i], i * SC_NS_PER_MS);
    }
}

static void test_all_arrive_in_order(void **state)
{
    (void)state;
    for (int blocking = 0; blocking < 2; blocking++) {
        struct line line = {.source.count = 2000};
        line_make(&line, SC_LINK_WAIT, 3, blocking);
        run_line(&line);
        check_all_in_order(&line.sink, 2000);
        assert_int_equal(line.filter.calls[FAKE_ENDED], 1);
        assert_int_equal(line.filter.calls[FAKE_FLUSH], 1);
        sc_graph_close(&line.graph);
        line_check_closed(&line);
    }
}

static void test_flush_goes_on_to_the_sink(void **state)
{
    (void)state;
    struct line line = {.source.count = 40, .filter.keep = 30};
    line_make(&line, SC_LINK_WAIT, 1, false);
    run_line(&line);
    assert_int_equal(line.sink.seen, 40);
    assert_int_equal(line.sink.order[0], 30);
    assert_int_equal(line.sink.order[39], 0); // kept ones come out last first
    sc_graph_close(&line.graph);
    line_check_closed(&line);
}

static void test_empty_source(void **state)
{
    (void)state;
    struct line line = {0};
    line_make(&line, SC_LINK_WAIT, 0, true);
    run_line(&line);
    assert_int_equal(line.sink.calls[FAKE_FLUSH], 1);
    sc_graph_close(&line.graph);
    line_check_closed(&line);
}

static void test_fan_out_shares_items(void **state)
{
    (void)state;
    struct fake source = {.count = 500, .bytes = 10}, a = {0}, b = {0}, c = {.step_ns = 20000};
    sc_graph *graph = fake_graph(NULL);
    sc_stage *from = fake_add(graph, "source", &source, 0, 1, false, false);
    fake_link(graph, from, fake_add(graph, "a", &a, 1, 0, false, false), SC_LINK_WAIT, 2);
    fake_link(graph, from, fake_add(graph, "b", &b, 1, 0, true, false), SC_LINK_WAIT, 5);
    fake_link(graph, from, fake_add(graph, "c", &c, 1, 0, true, false), SC_LINK_DROP_OLDEST, 2);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(graph, 20000, NULL), SC_OK);
    check_all_in_order(&a, 500);
    check_all_in_order(&b, 500);
    assert_true(c.seen >= 2 && c.seen <= 500);
    assert_int_equal(c.order[c.seen - 1], 499); // the newest always arrives
    for (int i = 1; i < c.seen; i++)
        assert_true(c.order[i] > c.order[i - 1]);
    sc_graph_close(&graph);
    assert_int_equal(fake_live(), 0);
}

static void test_bad_parts_are_refused(void **state)
{
    (void)state;
    sc_err err = {0};
    struct fake a = {0}, b = {0}, c = {0};
    sc_graph *graph = fake_graph(NULL);
    assert_int_equal(sc_graph_start(graph, &err), SC_EARG); // empty
    sc_stage *from = fake_add(graph, "from", &a, 0, 2, false, false);
    sc_stage *to = fake_add(graph, "to", &b, 1, 1, false, false);
    struct sc_stage_params same = {.name = "to", .ops = &fake_ops, .in = {&fake_type}};
    assert_int_equal(sc_graph_add(graph, &same, NULL, NULL), SC_EEXISTS);
    struct sc_stage_params portless = {.name = "none", .ops = &fake_ops};
    assert_int_equal(sc_graph_add(graph, &portless, NULL, NULL), SC_EARG);
    struct sc_stage_params deaf = {.ops = &fake_ops, .self = &c, .in = {&fake_sound}};
    sc_stage *sound;
    assert_int_equal(sc_graph_add(graph, &deaf, &sound, NULL), SC_OK);
    err = (sc_err){0};
    struct sc_link_params link = {.from = from, .to = sound};
    assert_int_equal(sc_graph_link(graph, &link, &err), SC_EARG);
    assert_string_equal(err.text, "stage from gives picture, but stage fake takes sound");
    link = (struct sc_link_params){.from = from, .out = 2, .to = to};
    assert_int_equal(sc_graph_link(graph, &link, NULL), SC_EARG);
    link = (struct sc_link_params){.from = from, .to = to, .in = 1};
    assert_int_equal(sc_graph_link(graph, &link, NULL), SC_EARG);
    link = (struct sc_link_params){.from = to, .to = to};
    assert_int_equal(sc_graph_link(graph, &link, NULL), SC_EARG); // a loop
    fake_link(graph, from, to, SC_LINK_WAIT, 0);
    link = (struct sc_link_params){.from = from, .out = 1, .to = to};
    assert_int_equal(sc_graph_link(graph, &link, NULL), SC_EEXISTS);
    err = (sc_err){0};
    assert_int_equal(sc_graph_start(graph, &err), SC_EARG);
    assert_string_equal(err.text, "nothing feeds stage fake");
    sc_graph_close(&graph); // never started: closes them all the same
    assert_int_equal(a.closes + b.closes + c.closes, 3);
    assert_int_equal(a.opens + b.opens + c.opens, 0);
}

static void test_sink_that_has_enough_ends_all(void **state)
{
    (void)state;
    struct line line = {.source = {.count = -1},
                        .sink = {.fail_at = FAKE_PUSH, .fail_after = 5, .fail_code = SC_EEOF}};
    line_make(&line, SC_LINK_WAIT, 2, false);
    run_line(&line);
    assert_int_equal(line.sink.seen, 5);
    sc_graph_close(&line.graph);
    line_check_closed(&line);
}

static void test_source_that_waits_is_interrupted_when_unwanted(void **state)
{
    (void)state;
    struct fake source = {.count = -1, .block = true}, quick = {.count = 3};
    struct fake sink = {.fail_at = FAKE_PUSH, .fail_after = 1, .fail_code = SC_EEOF};
    sc_graph *graph = fake_graph(NULL);
    sc_stage *a = fake_add(graph, "slow", &source, 0, 1, true, false);
    sc_stage *b = fake_add(graph, "quick", &quick, 0, 1, false, false);
    sc_stage *to = fake_add(graph, "sink", &sink, 2, 0, false, false);
    fake_link(graph, a, to, SC_LINK_WAIT, 0);
    struct sc_link_params second = {.from = b, .to = to, .in = 1};
    assert_int_equal(sc_graph_link(graph, &second, NULL), SC_OK);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(graph, 10000, NULL), SC_OK);
    assert_int_equal(source.interrupts <= 1, true);
    sc_graph_close(&graph);
    assert_int_equal(source.closes + quick.closes + sink.closes, 3);
    assert_int_equal(fake_live(), 0);
}

static void test_what_nobody_takes_is_dropped(void **state)
{
    (void)state;
    struct fake source = {.count = 10};
    sc_graph *graph = fake_graph(NULL);
    fake_add(graph, "source", &source, 0, 1, false, false);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(graph, 10000, NULL), SC_OK);
    struct sc_graph_stats stats;
    sc_graph_get_stats(graph, &stats);
    assert_int_equal(stats.stages[0].emitted, 10);
    assert_int_equal(stats.stages[0].dropped[SC_DROP_UNWANTED], 10);
    sc_graph_stats_release(&stats);
    sc_graph_close(&graph);
    assert_int_equal(fake_live(), 0);
}

static void test_cancel_stops_waiting_stages(void **state)
{
    (void)state;
    struct line line = {.source = {.count = -1, .block = true}};
    line_make(&line, SC_LINK_WAIT, 2, true);
    assert_int_equal(sc_graph_start(line.graph, NULL), SC_OK);
    fake_wait_for(&line.source.calls[FAKE_PULL], 1);
    assert_int_equal(sc_graph_wait(line.graph, 20, NULL), SC_EAGAIN);
    sc_graph_cancel(line.graph);
    sc_err err = {0};
    assert_int_equal(sc_graph_wait(line.graph, 10000, &err), SC_ECANCELLED);
    assert_int_equal(err.code, SC_ECANCELLED);
    assert_int_equal(line.source.interrupts, 1);
    sc_graph_close(&line.graph);
    line_check_closed(&line);
}

struct ending {
    atomic_int calls;
    int ret;
    char text[sizeof(((sc_err *)0)->text)];
};

static void note_end(void *arg, int ret, const sc_err *err)
{
    struct ending *ending = arg;
    ending->ret = ret;
    snprintf(ending->text, sizeof(ending->text), "%s", err->text);
    atomic_fetch_add(&ending->calls, 1);
}

static void test_parent_token_cancels_and_on_end_tells(void **state)
{
    (void)state;
    struct ending ending = {0};
    struct fake source = {.count = -1, .step_ns = SC_NS_PER_MS};
    sc_cancel *parent = sc_cancel_new(NULL);
    sc_graph *graph = NULL;
    struct sc_graph_params params = {.cancel = parent, .on_end = note_end, .arg = &ending};
    assert_int_equal(sc_graph_open(&graph, &params, NULL), SC_OK);
    fake_add(graph, "source", &source, 0, 1, false, false);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    fake_wait_for(&source.calls[FAKE_PULL], 3);
    sc_cancel_request(parent);
    fake_wait_for(&ending.calls, 1);
    assert_int_equal(sc_graph_wait(graph, -1, NULL), SC_ECANCELLED);
    assert_int_equal(ending.ret, SC_ECANCELLED);
    assert_string_equal(ending.text, "cancelled");
    sc_graph_close(&graph);
    assert_int_equal(ending.calls, 1);
    sc_cancel_free(&parent);
    assert_int_equal(fake_live(), 0);
}

static void test_cancelled_before_start(void **state)
{
    (void)state;
    struct line line = {.source.count = -1};
    line_make(&line, SC_LINK_WAIT, 2, true);
    sc_graph_cancel(line.graph);
    assert_int_equal(sc_graph_start(line.graph, NULL), SC_OK);
    assert_int_equal(sc_graph_wait(line.graph, 10000, NULL), SC_ECANCELLED);
    assert_int_equal(line.source.opens, 0);
    sc_graph_close(&line.graph);
    line_check_closed(&line);
}

static void test_close_cancels(void **state)
{
    (void)state;
    struct line line = {.source.count = -1, .sink.block = true};
    line_make(&line, SC_LINK_WAIT, 2, true);
    assert_int_equal(sc_graph_start(line.graph, NULL), SC_OK);
    fake_wait_for(&line.sink.calls[FAKE_PUSH], 1);
    sc_graph_close(&line.graph);
    assert_null(line.graph);
    line_check_closed(&line);
    sc_graph_close(&line.graph);
    sc_graph_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_arrive_in_order),
        cmocka_unit_test(test_flush_goes_on_to_the_sink),
        cmocka_unit_test(test_empty_source),
        cmocka_unit_test(test_fan_out_shares_items),
        cmocka_unit_test(test_bad_parts_are_refused),
        cmocka_unit_test(test_sink_that_has_enough_ends_all),
        cmocka_unit_test(test_source_that_waits_is_interrupted_when_unwanted),
        cmocka_unit_test(test_what_nobody_takes_is_dropped),
        cmocka_unit_test(test_cancel_stops_waiting_stages),
        cmocka_unit_test(test_parent_token_cancels_and_on_end_tells),
        cmocka_unit_test(test_cancelled_before_start),
        cmocka_unit_test(test_close_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
