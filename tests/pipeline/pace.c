#include "pipeline/pace.h"

#include "../base/test.h"
#include "base/clock.h"
#include "fake.h"

#define MS SC_NS_PER_MS

static void test_due_by_the_clock(void **state)
{
    (void)state;
    struct sc_pacer p;
    sc_pacer_init(&p, NULL);
    assert_int_equal(sc_pacer_due(&p, 500 * MS, 1000 * MS), 1000 * MS); // the first: at once
    assert_int_equal(sc_pacer_due(&p, 540 * MS, 1001 * MS), 1040 * MS);
    assert_int_equal(sc_pacer_due(&p, 540 * MS, 1039 * MS), 1040 * MS); // asked again
    assert_int_equal(sc_pacer_due(&p, 580 * MS, 1100 * MS), 1080 * MS); // late: now
    assert_int_equal(sc_pacer_due(&p, 620 * MS, 1100 * MS), 1120 * MS); // and catches up
    assert_int_equal(p.anchors, 0);
}

static void test_speed(void **state)
{
    (void)state;
    struct sc_pacer p;
    sc_pacer_init(&p, &(struct sc_pace_params){.speed = 4});
    sc_pacer_due(&p, 0, 10 * MS);
    assert_int_equal(sc_pacer_due(&p, 400 * MS, 10 * MS), 110 * MS);
    sc_pacer_init(&p, &(struct sc_pace_params){.speed = 0.5});
    sc_pacer_due(&p, 0, 10 * MS);
    assert_int_equal(sc_pacer_due(&p, 400 * MS, 10 * MS), 810 * MS);
}

static void test_begins_anew_when_far_behind(void **state)
{
    (void)state;
    struct sc_pacer p;
    sc_pacer_init(&p, &(struct sc_pace_params){.max_behind_ns = 200 * MS});
    sc_pacer_due(&p, 0, 0);
    assert_int_equal(sc_pacer_due(&p, 40 * MS, 240 * MS), 40 * MS); // just bearable
    assert_int_equal(p.anchors, 0);
    assert_int_equal(sc_pacer_due(&p, 80 * MS, 281 * MS), 281 * MS);
    assert_int_equal(p.anchors, 1);
    assert_int_equal(sc_pacer_due(&p, 120 * MS, 281 * MS), 321 * MS);
    sc_pacer_init(&p, &(struct sc_pace_params){.max_behind_ns = -1});
    sc_pacer_due(&p, 0, 0);
    assert_int_equal(sc_pacer_due(&p, 40 * MS, 9000 * MS), 40 * MS);
    assert_int_equal(p.anchors, 0);
}

static void test_extreme_times(void **state)
{
    (void)state;
    struct sc_pacer p;
    sc_pacer_init(&p, &(struct sc_pace_params){.speed = 0.001, .max_behind_ns = -1});
    sc_pacer_due(&p, INT64_MIN, 5);
    assert_true(sc_pacer_due(&p, INT64_MAX, 5) > 5);
    sc_pacer_init(&p, &(struct sc_pace_params){.max_behind_ns = -1});
    sc_pacer_due(&p, INT64_MAX, 5);
    assert_true(sc_pacer_due(&p, INT64_MIN, 5) < 5);
}

struct paced {
    sc_graph *graph;
    struct fake picture, sound, show, play;
};

static void start_paced(struct paced *t, double speed, sc_cancel *stop, sc_stage **pace)
{
    const struct sc_item_type *types[] = {&fake_type, &fake_type};
    struct sc_pace_params params = {.speed = speed, .stop = stop};
    t->graph = fake_graph(NULL);
    sc_stage *picture = fake_add(t->graph, "picture", &t->picture, 0, 1, false, false);
    sc_stage *sound = fake_add(t->graph, "sound", &t->sound, 0, 1, false, false);
    sc_stage *show = fake_add(t->graph, "show", &t->show, 1, 0, false, false);
    sc_stage *play = fake_add(t->graph, "play", &t->play, 1, 0, false, false);
    assert_int_equal(sc_pace_add(t->graph, NULL, types, 2, &params, pace, NULL), SC_OK);
    const struct sc_link_params links[] = {{.from = picture, .to = *pace},
                                           {.from = sound, .to = *pace, .in = 1},
                                           {.from = *pace, .to = show},
                                           {.from = *pace, .out = 1, .to = play}};
    for (int i = 0; i < 4; i++)
        assert_int_equal(sc_graph_link(t->graph, &links[i], NULL), SC_OK);
    assert_int_equal(sc_graph_start(t->graph, NULL), SC_OK);
}

static void test_stage_lets_through_in_time(void **state)
{
    (void)state;
    struct paced t = {.picture.count = 41, .sound.count = 21}; // a millisecond apart
    sc_stage *pace;
    int64_t start = sc_clock_now();
    start_paced(&t, 0.5, NULL, &pace);
    assert_int_equal(sc_graph_wait(t.graph, 10000, NULL), SC_OK);
    assert_true(sc_clock_now() - start >= 80 * MS);
    assert_int_equal(t.show.seen, 41);
    assert_int_equal(t.play.seen, 21);
    for (int i = 0; i < 41; i++)
        assert_int_equal(t.show.order[i], i);
    struct sc_graph_stats stats;
    sc_graph_get_stats(t.graph, &stats);
    assert_true(stats.stages[4].wait_ns[SC_WAIT_SELF] > 0);
    assert_true(stats.stages[4].steps < 500); // it sleeps between
    sc_graph_stats_release(&stats);
    sc_graph_close(&t.graph);
    assert_int_equal(fake_live(), 0);
}

static void test_stage_drops_what_waits_when_stopped(void **state)
{
    (void)state;
    struct paced t = {.picture.count = 41, .sound.count = 21};
    sc_cancel *stop = sc_cancel_new(NULL);
    sc_stage *pace;
    struct sc_graph_stats stats;
    start_paced(&t, 1e-6, stop, &pace); // a quarter of an hour an item
    fake_wait_for(&t.show.seen, 1);
    sc_cancel_request(stop);
    sc_stage_wake(pace);
    assert_int_equal(sc_graph_wait(t.graph, 5000, NULL), SC_OK); // all else has come through
    sc_graph_get_stats(t.graph, &stats);
    assert_int_equal(stats.stages[4].dropped[SC_DROP_STOPPED],
                     41 + 21 - t.show.seen - t.play.seen);
    sc_graph_stats_release(&stats);
    sc_graph_close(&t.graph);
    sc_cancel_free(&stop);
    assert_int_equal(fake_live(), 0);
}

static void test_stage_is_cancelled_while_it_waits(void **state)
{
    (void)state;
    struct paced t = {.picture.count = 41, .sound.count = 21};
    sc_stage *pace;
    start_paced(&t, 1e-6, NULL, &pace); // a quarter of an hour an item
    fake_wait_for(&t.show.seen, 1);
    int64_t start = sc_clock_now();
    sc_graph_close(&t.graph);
    assert_true(sc_clock_now() - start < 2 * SC_NS_PER_S);
    assert_int_equal(fake_live(), 0);
}

static void test_bad_counts(void **state)
{
    (void)state;
    sc_graph *graph = fake_graph(NULL);
    assert_int_equal(sc_pace_add(graph, NULL, NULL, 0, NULL, NULL, NULL), SC_EARG);
    assert_int_equal(sc_pace_add(graph, NULL, NULL, SC_STAGE_PORTS + 1, NULL, NULL, NULL),
                     SC_EARG);
    sc_graph_close(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due_by_the_clock),
        cmocka_unit_test(test_speed),
        cmocka_unit_test(test_begins_anew_when_far_behind),
        cmocka_unit_test(test_extreme_times),
        cmocka_unit_test(test_stage_lets_through_in_time),
        cmocka_unit_test(test_stage_is_cancelled_while_it_waits),
        cmocka_unit_test(test_stage_drops_what_waits_when_stopped),
        cmocka_unit_test(test_bad_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
