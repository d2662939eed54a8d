// The detect stage over a scripted model: order, the late rule, failures, ends at any moment.
#include "pipeline/stage_detect.h"

#include <stdlib.h>

#include "../base/test.h"
#include "base/mem.h"
#include "shots.h"
#include "vision/model_batch.h"

#define LONG (3600 * SC_NS_PER_S)

struct rig {
    struct model model;
    struct shots shots;
    struct sc_detect_figures figures;
};

static struct rig *rig_open(struct sc_batcher_params batcher,
                            struct sc_stage_detect_params params)
{
    struct rig *rig = sc_new(struct rig);
    sc_stage *stage;
    model_open(&rig->model, batcher);
    rig->model.held = true;
    shots_open(&rig->shots);
    params.batcher = rig->model.batcher;
    params.figures = &rig->figures;
    assert_int_equal(sc_stage_detect_add(rig->shots.graph, NULL, &params, &stage, NULL), SC_OK);
    shots_start(&rig->shots, stage);
    return rig;
}

static void rig_close(struct rig **prig)
{
    struct rig *rig = *prig;
    shots_close(&rig->shots);
    model_close(&rig->model);
    free(rig);
    *prig = NULL;
}

static int rig_end(struct rig *rig, sc_err *err)
{
    shots_end(&rig->shots);
    return sc_graph_wait(rig->shots.graph, 20000, err);
}

static struct sc_detect_stats stats_of(struct rig *rig)
{
    struct sc_detect_stats stats;
    sc_detect_figures_get(&rig->figures, sc_clock_now(), &stats);
    return stats;
}

static void wait_answers(struct rig *rig, int count)
{
    for (int i = 0; atomic_load(&rig->figures.answers) < count; i++) {
        assert_true(i < 20000);
        sc_clock_sleep(MS);
    }
}

// What the i-th picture that left knows: the number of the picture that its detections are of, or -1.
static int found(struct rig *rig, int i)
{
    const sc_shot *shot = rig->shots.seen[i];
    assert_int_equal(shot->detected, shot->found != NULL);
    return shot->found ? shot->found->items[0].class : -1;
}

static int late(struct rig *rig, int i)
{
    const sc_shot *shot = rig->shots.seen[i];
    if (!shot->late)
        return -1;
    assert_int_equal(shot->late_pts_ns, shot->late->items[0].class * 10 * MS);
    return shot->late->items[0].class;
}

// --- all pictures -------------------------------------------------------------------------------

static void test_every_picture_is_detected_in_order(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.runners = 3, .max_batch = 2},
                               (struct sc_stage_detect_params){.priority = SC_PRIORITY_JOB});
    rig->model.most_ns = MS;
    model_let_all(&rig->model);
    shots_send_some(&rig->shots, 0, 200);
    assert_int_equal(rig_end(rig, NULL), SC_OK);
    assert_int_equal(rig->shots.seen_count, 200);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(found(rig, i), i);
        assert_int_equal(late(rig, i), -1);
    }
    struct sc_detect_stats stats = stats_of(rig);
    assert_int_equal(stats.answers, 200);
    assert_int_equal(stats.late + stats.undetected + stats.failed, 0);
    assert_true(stats.p50_ns > 0);
    assert_true(stats.fps > 0);
    rig_close(&rig);
}

static void test_answers_out_of_order_wait_for_the_first(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.runners = 4},
                               (struct sc_stage_detect_params){.window = 3});
    shots_send_some(&rig->shots, 0, 10);
    model_wait_begun(&rig->model, 3);
    model_let(&rig->model, 2);
    model_let(&rig->model, 1);
    wait_answers(rig, 2);
    sc_clock_sleep(5 * MS);
    assert_int_equal(rig->shots.seen_count, 0);
    assert_int_equal(rig->model.begun_count, 3); // those answered count, too
    model_let(&rig->model, 0);
    shots_wait_seen(&rig->shots, 3);
    model_let_all(&rig->model);
    assert_int_equal(rig_end(rig, NULL), SC_OK);
    assert_int_equal(rig->shots.seen_count, 10);
    rig_close(&rig);
}

static void test_a_picture_that_fails_fails_the_stage(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_batch = 4},
                               (struct sc_stage_detect_params){.window = 4});
    rig->model.ret[5] = SC_EDATA;
    model_let_all(&rig->model);
    shots_send_some(&rig->shots, 0, 20);
    sc_err err = {0};
    assert_int_equal(rig_end(rig, &err), SC_EDATA);
    assert_string_equal(err.text, "detect: this picture cannot be looked at");
    assert_true(rig->shots.seen_count <= 5);
    rig_close(&rig);
}

static void plug_done(void *arg, int ret, void *out, const sc_err *err)
{
    (void)ret;
    (void)err;
    sc_detections *found_there = out;
    sc_detections_unref(&found_there);
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_a_full_batcher_is_asked_again(void **state)
{
    (void)state;
    struct rig *rig =
        rig_open((struct sc_batcher_params){.max_queue = 1, .target_ns = 4 * MS},
                 (struct sc_stage_detect_params){.window = 2, .priority = SC_PRIORITY_JOB});
    atomic_int done = 0;
    sc_frame *frame = sc_frame_wrap(av_frame_alloc(), 1000, 0);
    struct sc_model_item item = {.frame = frame};
    struct sc_batch_request plug = {
        .in = &item, .done = plug_done, .arg = &done, .priority = SC_PRIORITY_JOB};
    assert_int_equal(sc_batcher_submit(rig->model.batcher, &plug, NULL, NULL, NULL), SC_OK);
    model_wait_begun(&rig->model, 1);
    assert_int_equal(sc_batcher_submit(rig->model.batcher, &plug, NULL, NULL, NULL), SC_OK);
    shots_send_some(&rig->shots, 0, 10);
    struct sc_batcher_stats stats = {0};
    for (int i = 0; stats.refused < 3; i++) { // at first, and again by itself
        assert_true(i < 20000);
        sc_clock_sleep(MS);
        sc_batcher_get_stats(rig->model.batcher, &stats);
    }
    model_let_all(&rig->model);
    assert_int_equal(rig_end(rig, NULL), SC_OK);
    assert_int_equal(rig->shots.seen_count, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(found(rig, i), i);
    rig_close(&rig);
    assert_int_equal(done, 2);
    sc_frame_unref(&frame);
}

// --- live ---------------------------------------------------------------------------------------

static void test_the_newest_gets_the_model(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){0},
                               (struct sc_stage_detect_params){.live = true, .delay_ns = LONG});
    shots_send_some(&rig->shots, 0, 1);
    model_wait_begun(&rig->model, 1);
    shots_send_some(&rig->shots, 1, 3);
    shots_wait_taken(&rig->shots, "detect", 4);
    assert_int_equal(rig->shots.seen_count, 0); // all behind the first
    model_let(&rig->model, 0);
    model_wait_begun(&rig->model, 2);
    shots_wait_seen(&rig->shots, 3);
    assert_int_equal(rig->model.begun[1], 3);
    sc_clock_sleep(5 * MS);
    assert_int_equal(rig->shots.seen_count, 3);
    model_let(&rig->model, 3);
    assert_int_equal(rig_end(rig, NULL), SC_OK);
    const int want[] = {0, -1, -1, 3};
    assert_int_equal(rig->shots.seen_count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(found(rig, i), want[i]);
    assert_int_equal(stats_of(rig).undetected, 2);
    assert_int_equal(stats_of(rig).late, 0);
    rig_close(&rig);
}

static void test_late_answers_go_with_the_next_shot(void **state)
{
    (void)state;
    struct rig *rig =
        rig_open((struct sc_batcher_params){0},
                 (struct sc_stage_detect_params){.live = true, .delay_ns = 20 * MS});
    for (int n = 0; n < 3; n++) {
        shots_send_some(&rig->shots, n, 1);
        shots_wait_seen(&rig->shots, n + 1); // undetected
        assert_true(rig->shots.seen_ns[n] - rig->shots.sent_ns[n] >= 20 * MS);
        model_let(&rig->model, n);
        wait_answers(rig, n + 1);
    }
    shots_send_some(&rig->shots, 3, 2);
    shots_wait_seen(&rig->shots, 5);
    const int want[] = {-1, 0, 1, 2, -1};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(found(rig, i), -1);
        assert_int_equal(late(rig, i), want[i]);
    }
    assert_int_equal(stats_of(rig).late, 3);
    rig_close(&rig);
}

static void test_late_answers_never_go_back_in_time(void **state)
{
    (void)state;
    struct rig *rig =
        rig_open((struct sc_batcher_params){.runners = 3},
                 (struct sc_stage_detect_params){.live = true, .delay_ns = 20 * MS});
    shots_send_some(&rig->shots, 0, 3);
    shots_wait_seen(&rig->shots, 3);
    model_let(&rig->model, 1);
    wait_answers(rig, 1);
    shots_send_some(&rig->shots, 3, 1);
    shots_wait_seen(&rig->shots, 4);
    model_let(&rig->model, 0); // older than what went on: of no use
    wait_answers(rig, 2);
    shots_send_some(&rig->shots, 4, 1);
    shots_wait_seen(&rig->shots, 5);
    model_let(&rig->model, 3); // both wait: the newer is kept
    wait_answers(rig, 3);
    model_let(&rig->model, 2);
    wait_answers(rig, 4);
    shots_send_some(&rig->shots, 5, 1);
    shots_wait_seen(&rig->shots, 6);
    const int want[] = {-1, -1, -1, 1, -1, 3};
    for (int i = 0; i < 6; i++)
        assert_int_equal(late(rig, i), want[i]);
    rig_close(&rig);
}

// How long picture n stays in the stage; the model is let look at it afterwards.
static int64_t time_through(struct rig *rig, int n)
{
    shots_send_some(&rig->shots, n, 1);
    shots_wait_seen(&rig->shots, n + 1);
    model_let(&rig->model, n);
    wait_answers(rig, n + 1);
    return rig->shots.seen_ns[n] - rig->shots.sent_ns[n];
}

static void test_a_model_that_is_too_slow_holds_nothing_up(void **state)
{
    (void)state;
    int64_t delay_ns = 150 * MS, least_ns = LONG;
    struct rig *rig =
        rig_open((struct sc_batcher_params){0},
                 (struct sc_stage_detect_params){.live = true, .delay_ns = delay_ns});
    int n = 0;
    while (n < 4)
        assert_true(time_through(rig, n++) >= delay_ns);
    for (int tries = 0; tries < 5 && least_ns >= delay_ns; tries++) {
        // Held until the shot has left, and then some: it cannot have been in time.
        shots_send_some(&rig->shots, n, 1);
        shots_wait_seen(&rig->shots, n + 1);
        int64_t took_ns = rig->shots.seen_ns[n] - rig->shots.sent_ns[n];
        least_ns = took_ns < least_ns ? took_ns : least_ns;
        sc_clock_sleep(delay_ns + 10 * MS);
        model_let(&rig->model, n++);
        wait_answers(rig, n);
    }
    assert_true(least_ns < delay_ns);
    assert_int_equal(late(rig, n - 1), n - 2);
    for (int fast = 0; fast < 3; fast++, n++) { // so the next one is worth waiting for
        model_let(&rig->model, n);
        time_through(rig, n);
    }
    assert_true(time_through(rig, n) >= delay_ns);
    rig_close(&rig);
}

static void test_a_picture_that_fails_leaves_undetected(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){0},
                               (struct sc_stage_detect_params){.live = true, .delay_ns = LONG});
    rig->model.ret[0] = rig->model.ret[2] = SC_EDATA;
    model_let_all(&rig->model);
    for (int n = 0; n < 4; n++) {
        shots_send_some(&rig->shots, n, 1);
        shots_wait_seen(&rig->shots, n + 1);
    }
    const int want[] = {-1, 1, -1, 3};
    for (int i = 0; i < 4; i++)
        assert_int_equal(found(rig, i), want[i]);
    assert_int_equal(stats_of(rig).failed, 2);
    sc_batcher_stop(rig->model.batcher);
    shots_send_some(&rig->shots, 4, 1);
    sc_err err = {0};
    assert_int_equal(rig_end(rig, &err), SC_ECANCELLED);
    assert_string_equal(err.text, "detect: the model is being closed");
    rig_close(&rig);
}

static void test_a_cancelled_picture_means_that_the_model_is_gone(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){0},
                               (struct sc_stage_detect_params){.live = true, .delay_ns = LONG});
    rig->model.ret[1] = SC_ECANCELLED;
    model_let_all(&rig->model);
    for (int n = 0; n < 2; n++)
        shots_send_some(&rig->shots, n, 1);
    assert_int_equal(sc_graph_wait(rig->shots.graph, 20000, NULL), SC_ECANCELLED);
    rig_close(&rig);
}

static void test_the_first_goes_on_when_too_many_wait(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){0},
                               (struct sc_stage_detect_params){.live = true, .delay_ns = LONG});
    shots_send_some(&rig->shots, 0, 300);
    shots_wait_seen(&rig->shots, 300 - 256);
    model_let_all(&rig->model);
    assert_int_equal(rig_end(rig, NULL), SC_OK);
    assert_int_equal(rig->shots.seen_count, 300);
    assert_int_equal(found(rig, 0), -1);
    rig_close(&rig);
}

// --- ends ---------------------------------------------------------------------------------------

static void test_close_leaves_runs_behind(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        struct rig *rig = rig_open(
            (struct sc_batcher_params){0},
            (struct sc_stage_detect_params){.live = live, .delay_ns = LONG, .window = 3});
        shots_send_some(&rig->shots, 0, 5);
        model_wait_begun(&rig->model, 1);
        shots_wait_taken(&rig->shots, "detect", 3);
        sc_graph_cancel(rig->shots.graph);
        assert_int_equal(sc_graph_wait(rig->shots.graph, 20000, NULL), SC_ECANCELLED);
        struct sc_batcher_stats stats;
        sc_batcher_get_stats(rig->model.batcher, &stats);
        assert_int_equal(stats.cancelled, 2);
        assert_int_equal(stats.running, 1); // held still
        rig_close(&rig);
    }
}

static void stress_once(unsigned *seed)
{
    const int count = 60;
    bool live = rand_r(seed) % 2, cancel = rand_r(seed) % 2;
    struct rig *rig =
        rig_open((struct sc_batcher_params){.runners = 1 + rand_r(seed) % 3,
                                            .max_batch = 1 + rand_r(seed) % 3,
                                            .target_ns = 2 * MS,
                                            .max_queue = 1 + rand_r(seed) % 4},
                 (struct sc_stage_detect_params){.live = live,
                                                 .window = rand_r(seed) % 6,
                                                 .delay_ns = rand_r(seed) % (3 * MS),
                                                 .priority = rand_r(seed) % SC_PRIORITIES});
    rig->model.most_ns = 1 + rand_r(seed) % (2 * MS);
    rig->model.fail_one_in = live ? 8 : 0;
    rig->shots.sink_ns = rand_r(seed) % 2 ? 0 : rand_r(seed) % 500000;
    model_let_all(&rig->model);
    for (int n = 0; n < count; n++) {
        shots_send_some(&rig->shots, n, 1);
        sc_clock_sleep(rand_r(seed) % 3 ? 0 : rand_r(seed) % 500000);
        if (cancel && rand_r(seed) % count == 0)
            sc_graph_cancel(rig->shots.graph);
    }
    if (!cancel) {
        assert_int_equal(rig_end(rig, NULL), SC_OK);
        assert_int_equal(rig->shots.seen_count, count);
    }
    for (int i = 0, last = -1; !cancel && i < count; i++) {
        int n = found(rig, i), old = late(rig, i);
        assert_true(n == i || (live && n < 0));
        assert_true(old < 0 || (live && old > last && old < i));
        last = n >= 0 ? n : old >= 0 ? old : last;
    }
    rig_close(&rig);
}

static void test_random(void **state)
{
    (void)state;
    for (unsigned round = 1; round <= 40; round++) {
        unsigned seed = round * 7919;
        stress_once(&seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_picture_is_detected_in_order),
        cmocka_unit_test(test_answers_out_of_order_wait_for_the_first),
        cmocka_unit_test(test_a_picture_that_fails_fails_the_stage),
        cmocka_unit_test(test_a_full_batcher_is_asked_again),
        cmocka_unit_test(test_the_newest_gets_the_model),
        cmocka_unit_test(test_late_answers_go_with_the_next_shot),
        cmocka_unit_test(test_late_answers_never_go_back_in_time),
        cmocka_unit_test(test_a_model_that_is_too_slow_holds_nothing_up),
        cmocka_unit_test(test_a_picture_that_fails_leaves_undetected),
        cmocka_unit_test(test_a_cancelled_picture_means_that_the_model_is_gone),
        cmocka_unit_test(test_the_first_goes_on_when_too_many_wait),
        cmocka_unit_test(test_close_leaves_runs_behind),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
