// The batcher over a scripted device and clock: order, ageing, deadlines, limits, failures.
#include "vision/batcher.h"

#include <string.h>
#include <time.h>

#include "base/str.h"
#include "batcher_rig.h"

// --- forming batches ----------------------------------------------------------------------

static void test_runs_at_once_when_idle(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_batch = 8}, false);
    for (int i = 0; i < 3; i++) {
        struct rig_item *item = rig_add(rig, SC_PRIORITY_JOB);
        rig_wait_all(rig);
        assert_int_equal(item->ret, SC_OK);
        assert_ptr_equal(item->out, item);
        assert_true(item->ticket != 0);
        assert_int_equal(item->begun_ns, SC_NS_PER_S + i * 10 * MS); // no time was added
    }
    assert_int_equal(rig_stats(rig).sizes[1], 3);
    rig_close(&rig);
}

static void test_batch_is_formed_late(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_batch = 8}, false);
    rig_load(rig, 40);
    assert_int_equal(rig_stats(rig).limit, 8);
    int before = rig->batches;
    rig_hold(rig);
    for (int i = 0; i < 5; i++)
        rig_add(rig, SC_PRIORITY_LIVE);
    assert_int_equal(rig_stats(rig).waiting[SC_PRIORITY_LIVE], 5);
    rig_release(rig);
    rig_wait_all(rig);
    assert_int_equal(rig->batches, before + 2); // the plug, and all that came meanwhile
    assert_int_equal(rig->sizes[before + 1], 5);
    rig_close(&rig);
}

static void test_order_by_priority_then_age(void **state)
{
    (void)state;
    static const enum sc_batch_priority given[] = {
        SC_PRIORITY_JOB,  SC_PRIORITY_LIVE, SC_PRIORITY_INTERACTIVE,
        SC_PRIORITY_LIVE, SC_PRIORITY_JOB,  SC_PRIORITY_INTERACTIVE};
    static const int expected[] = {5, 3, 1, 4, 6, 2}; // place of each among the runs
    struct rig *rig = rig_open((struct sc_batcher_params){.max_batch = 1}, false);
    rig_hold(rig);
    struct rig_item *items[SC_COUNT(given)];
    for (size_t i = 0; i < SC_COUNT(given); i++)
        items[i] = rig_add(rig, given[i]);
    rig_release(rig);
    rig_wait_all(rig);
    for (size_t i = 0; i < SC_COUNT(given); i++)
        assert_int_equal(items[i]->batch, expected[i]);
    rig_close(&rig);
}

// Each that is done is followed by another, so that four always wait.
static void keep_loading(struct rig_item *item)
{
    struct rig *rig = item->rig;
    if (rig_now(rig) > 6 * SC_NS_PER_S)
        return;
    struct rig_item *next = rig_new_item(rig);
    next->then = keep_loading;
    rig_submit_item(next, (struct sc_batch_request){.priority = SC_PRIORITY_INTERACTIVE}, NULL);
}

static void test_ageing_bounds_the_wait(void **state)
{
    (void)state;
    struct rig *rig =
        rig_open((struct sc_batcher_params){.max_batch = 1, .ageing_ns = 500 * MS}, false);
    rig_hold(rig);
    for (int i = 0; i < 4; i++) {
        struct rig_item *item = rig_new_item(rig);
        item->then = keep_loading;
        rig_submit_item(item, (struct sc_batch_request){0}, NULL);
    }
    struct rig_item *live = rig_add(rig, SC_PRIORITY_LIVE);
    struct rig_item *job = rig_add(rig, SC_PRIORITY_JOB);
    int64_t start_ns = rig_now(rig);
    rig_release(rig);
    rig_wait_all(rig);
    // At its turn it is the oldest of its level: one run more at most is under way.
    assert_in_range(live->begun_ns - start_ns, 500 * MS, 510 * MS);
    assert_in_range(job->begun_ns - start_ns, 1000 * MS, 1010 * MS);
    rig_close(&rig);
}

// --- the adaptive limit -------------------------------------------------------------------

static void test_limit_grows_to_the_target(void **state)
{
    (void)state;
    struct rig *rig =
        rig_open((struct sc_batcher_params){.max_batch = 64, .target_ns = 100 * MS}, false);
    assert_int_equal(rig_stats(rig).limit, 1);
    rig_load(rig, 60);
    assert_int_equal(rig_stats(rig).limit, 10);
    assert_int_equal(rig->sizes[1], 2); // after the plug: doubling
    assert_int_equal(rig->sizes[2], 4);
    assert_int_equal(rig->sizes[3], 8);
    assert_int_equal(rig->sizes[4], 10); // ten of 10 ms each
    rig_close(&rig);
}

static void test_limit_stops_at_the_maximum(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_batch = 3}, false);
    rig->each_ns = MS;
    rig_load(rig, 30);
    assert_int_equal(rig_stats(rig).limit, 3);
    assert_true(rig_stats(rig).sizes[3] >= 8);
    assert_int_equal(rig_stats(rig).sizes[4], 0);
    rig_close(&rig);
}

static void test_limit_shrinks_and_grows_again(void **state)
{
    (void)state;
    struct rig *rig =
        rig_open((struct sc_batcher_params){.max_batch = 16, .target_ns = 100 * MS}, false);
    rig->each_ns = 5 * MS;
    rig_load(rig, 60);
    assert_int_equal(rig_stats(rig).limit, 16);
    rig->each_ns = 40 * MS; // somebody else uses the device
    rig_load(rig, 48);
    assert_int_equal(rig_stats(rig).limit, 2);
    rig->each_ns = 500 * MS; // not even one fits
    rig_load(rig, 8);
    assert_int_equal(rig_stats(rig).limit, 1);
    rig->each_ns = 5 * MS;
    rig_load(rig, 60);
    assert_int_equal(rig_stats(rig).limit, 16);
    rig_close(&rig);
}

static void test_one_slow_run_changes_nothing(void **state)
{
    (void)state;
    struct rig *rig =
        rig_open((struct sc_batcher_params){.max_batch = 8, .target_ns = 100 * MS}, false);
    rig_load(rig, 40);
    int before = rig->batches;
    rig_hold(rig);
    for (int i = 0; i < 8; i++)
        rig_add(rig, SC_PRIORITY_LIVE);
    rig_advance(rig, 900 * MS); // the plug's run takes long
    rig_release(rig);
    rig_wait_all(rig);
    assert_int_equal(rig->sizes[before + 1], 8);
    assert_int_equal(rig_stats(rig).limit, 8);
    rig_close(&rig);
}

static void test_memory_halves_the_batch_for_good(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_batch = 8}, false);
    rig_load(rig, 40);
    rig_hold(rig);
    for (int i = 0; i < 8; i++)
        rig_add(rig, SC_PRIORITY_LIVE);
    struct rig_item *item = &rig->items[rig->count - 8];
    item->poison = SC_ENOMEM;
    rig_release(rig);
    rig_wait_all(rig);
    assert_int_equal(item->ret, SC_ENOMEM); // alone, too
    assert_int_equal(rig_stats(rig).limit, 4);
    rig_load(rig, 40);
    assert_int_equal(rig_stats(rig).limit, 4);
    rig_close(&rig);
}

// --- deadlines ----------------------------------------------------------------------------

static void test_expires_instead_of_being_begun(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_batch = 4}, false);
    int64_t now_ns = rig_now(rig);
    rig_hold(rig);
    struct sc_batch_request early = {.deadline_ns = now_ns + 9 * MS};
    struct sc_batch_request late = {.deadline_ns = now_ns + 11 * MS};
    struct rig_item *expired = rig_submit(rig, early), *kept = rig_submit(rig, late);
    rig_release(rig); // the plug takes 10 ms
    rig_wait_all(rig);
    assert_int_equal(expired->ret, SC_ETIMEOUT);
    assert_int_equal(expired->batch, -1);
    assert_true(strlen(expired->err.text) > 0);
    assert_int_equal(kept->ret, SC_OK);
    assert_int_equal(rig_stats(rig).expired, 1);
    rig_close(&rig);
}

static void test_one_that_is_late_already_expires_when_idle(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_batch = 4}, false);
    struct rig_item *item = rig_submit(rig, (struct sc_batch_request){.deadline_ns = 5});
    rig_wait_all(rig);
    assert_int_equal(item->ret, SC_ETIMEOUT);
    assert_int_equal(rig->batches, 0);
    rig_close(&rig);
}

static void test_expires_while_a_run_is_under_way(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){0}, true);
    rig_hold(rig);
    int64_t now_ns = sc_clock_now();
    struct rig_item *items[3]; // the later one first, so that the keeper must look again
    for (int i = 0; i < 3; i++)
        items[i] = rig_submit(
            rig, (struct sc_batch_request){.deadline_ns = now_ns + (40 - 15 * i) * MS});
    for (int i = 2; i >= 0; i--) {
        rig_wait_item(items[i]); // hangs if it waits for the run
        assert_int_equal(items[i]->ret, SC_ETIMEOUT);
        assert_in_range(items[i]->done_ns - now_ns, (40 - 15 * i) * MS, 2000 * MS);
    }
    rig_release(rig);
    rig_wait_all(rig);
    rig_close(&rig);
}

static int64_t cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * SC_NS_PER_S + used.tv_nsec;
}

static void test_sleeps_when_idle(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){0}, true);
    rig_add(rig, SC_PRIORITY_LIVE);
    rig_wait_all(rig);
    rig_hold(rig); // and with one that waits for its deadline
    rig_submit(rig,
               (struct sc_batch_request){.deadline_ns = sc_clock_now() + 60 * SC_NS_PER_S});
    int64_t before_ns = cpu_ns();
    sc_clock_sleep(100 * MS);
    assert_true(cpu_ns() - before_ns < 20 * MS);
    rig_release(rig);
    rig_wait_all(rig);
    rig_close(&rig);
}

// --- bounds -------------------------------------------------------------------------------

static void test_full_queue_refuses_and_says_when(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_queue = 2}, false);
    rig->each_ns = 80 * MS;
    rig_load(rig, 0); // one run of 80 ms, to know how long one takes
    rig_hold(rig);
    rig_add(rig, SC_PRIORITY_JOB);
    rig_add(rig, SC_PRIORITY_LIVE);
    rig_advance(rig, 30 * MS);
    int64_t retry_ns = 0;
    struct sc_batch_request request = {.priority = SC_PRIORITY_INTERACTIVE};
    assert_int_equal(rig_submit_item(rig_new_item(rig), request, &retry_ns), SC_EBUSY);
    assert_int_equal(retry_ns, 50 * MS);                                   // what is left of it
    request = (struct sc_batch_request){.drop_oldest = true, .stream = 7}; // has none to drop
    assert_int_equal(rig_submit_item(rig_new_item(rig), request, NULL), SC_EBUSY);
    assert_int_equal(rig_stats(rig).refused, 2);
    rig_release(rig);
    rig_wait_all(rig);
    rig_close(&rig);
}

static void test_full_queue_drops_the_streams_oldest(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_queue = 4}, false);
    struct sc_batch_request seven = {
        .priority = SC_PRIORITY_LIVE, .drop_oldest = true, .stream = 7};
    struct sc_batch_request eight = {
        .priority = SC_PRIORITY_LIVE, .drop_oldest = true, .stream = 8};
    rig_hold(rig);
    struct rig_item *other = rig_submit(rig, eight);
    struct rig_item *first = rig_submit(rig, seven), *second = rig_submit(rig, seven);
    struct rig_item *job = rig_add(rig, SC_PRIORITY_JOB);
    struct rig_item *third = rig_submit(rig, seven);
    assert_int_equal(first->ret, SC_EBUSY); // before submit returned
    assert_int_equal(first->answers, 1);
    assert_int_equal(second->answers, 0);
    rig_release(rig);
    rig_wait_all(rig);
    struct rig_item *kept[] = {other, second, job, third};
    for (size_t i = 0; i < SC_COUNT(kept); i++)
        assert_int_equal(kept[i]->ret, SC_OK);
    assert_int_equal(rig_stats(rig).dropped, 1);
    rig_close(&rig);
}

// --- cancelling, failing ------------------------------------------------------------------

static void test_cancel_takes_only_what_waits(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){0}, false);
    struct rig_item *plug = rig_hold(rig);
    struct rig_item *waiting = rig_add(rig, SC_PRIORITY_LIVE);
    struct rig_item *other = rig_add(rig, SC_PRIORITY_LIVE);
    assert_false(sc_batcher_cancel(rig->batcher, plug->ticket)); // runs
    assert_true(sc_batcher_cancel(rig->batcher, waiting->ticket));
    assert_int_equal(waiting->answers, 1);
    assert_int_equal(waiting->ret, SC_ECANCELLED);
    assert_false(sc_batcher_cancel(rig->batcher, waiting->ticket));
    assert_false(sc_batcher_cancel(rig->batcher, 0));
    rig_release(rig);
    rig_wait_all(rig);
    assert_int_equal(plug->ret, SC_OK);
    assert_int_equal(other->ret, SC_OK);
    assert_false(sc_batcher_cancel(rig->batcher, other->ticket)); // done
    assert_int_equal(rig_stats(rig).cancelled, 1);
    rig_close(&rig);
}

// Four items that go into one batch; the last run is the plug's before.
static void four_in_a_batch(struct rig *rig, struct rig_item *items[4])
{
    rig_load(rig, 20);
    rig_hold(rig);
    for (int i = 0; i < 4; i++)
        items[i] = rig_add(rig, SC_PRIORITY_LIVE);
}

static void test_a_bad_item_fails_alone(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.max_batch = 4}, false);
    struct rig_item *items[4];
    four_in_a_batch(rig, items);
    items[1]->poison = SC_EDATA;        // the run refuses it and all beside it
    items[2]->single = SC_EUNSUPPORTED; // the run answers the others
    rig_release(rig);
    rig_wait_all(rig);
    assert_int_equal(items[0]->ret, SC_OK);
    assert_int_equal(items[1]->ret, SC_EDATA);
    assert_string_equal(items[1]->err.text, "the whole run failed");
    assert_int_equal(items[2]->ret, SC_EUNSUPPORTED);
    assert_string_equal(items[2]->err.text, "this one failed");
    assert_null(items[2]->out);
    assert_int_equal(items[3]->ret, SC_OK);
    assert_int_equal(rig_stats(rig).failed, 2);
    rig_close(&rig);
}

static void test_lost_device_is_reopened(void **state)
{
    (void)state;
    struct rig *rig =
        rig_open((struct sc_batcher_params){.max_batch = 4, .reopen = rig_reopen}, false);
    struct rig_item *items[4];
    four_in_a_batch(rig, items);
    rig->next_ret = SC_EIO; // the plug's
    rig_release(rig);
    rig_wait_all(rig);
    assert_int_equal(rig->items[rig->count - 5].ret, SC_EIO);
    for (int i = 0; i < 4; i++)
        assert_int_equal(items[i]->ret, SC_OK);
    assert_int_equal(rig->reopens, 1);
    assert_int_equal(rig_stats(rig).reopened, 1);
    rig_close(&rig);
}

static struct rig_item *run_one(struct rig *rig)
{
    struct rig_item *item = rig_add(rig, SC_PRIORITY_INTERACTIVE);
    rig_wait_all(rig);
    return item;
}

static void test_loss_while_running_one_by_one(void **state)
{
    (void)state;
    struct rig *rig =
        rig_open((struct sc_batcher_params){.max_batch = 4, .reopen = rig_reopen}, false);
    struct rig_item *items[4];
    four_in_a_batch(rig, items);
    items[0]->poison = SC_EDATA;
    items[2]->poison = SC_EIO;
    rig_release(rig);
    rig_wait_all(rig);
    assert_int_equal(items[0]->ret, SC_EDATA);
    assert_int_equal(items[1]->ret, SC_OK);
    assert_int_equal(items[2]->ret, SC_EIO);
    assert_int_equal(items[3]->ret, SC_EIO);
    assert_int_equal(run_one(rig)->ret, SC_OK);
    rig_close(&rig);
}

static void test_device_that_stays_lost(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){.reopen = rig_reopen}, false);
    rig->next_ret = SC_EIO;
    rig->reopen_ret = SC_EUNSUPPORTED;
    assert_int_equal(run_one(rig)->ret, SC_EIO);
    assert_int_equal(run_one(rig)->ret, SC_EUNSUPPORTED);
    struct rig_item *item = run_one(rig);
    assert_int_equal(item->ret, SC_EUNSUPPORTED);
    assert_string_equal(item->err.text, "no device");
    assert_int_equal(rig->reopens, 1); // not at every item
    rig_advance(rig, 2 * SC_NS_PER_S);
    rig->reopen_ret = SC_OK;
    assert_int_equal(run_one(rig)->ret, SC_OK);
    assert_int_equal(rig->reopens, 2);
    assert_int_equal(rig->batches, 2);
    rig_close(&rig);
}

static void test_device_that_cannot_be_reopened(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){0}, false);
    rig->next_ret = SC_EIO;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_one(rig)->ret, SC_EIO);
        rig_advance(rig, 10 * SC_NS_PER_S);
    }
    assert_int_equal(rig->batches, 1);
    assert_int_equal(rig_stats(rig).failed, 3);
    rig_close(&rig);
}

// --- stopping, telling --------------------------------------------------------------------

static void resubmit(struct rig_item *item)
{
    item->then = NULL;
    struct rig_item *next = rig_new_item(item->rig);
    next->ret = rig_submit_item(next, (struct sc_batch_request){0}, NULL);
}

static void *release_soon(void *arg)
{
    sc_clock_sleep(20 * MS);
    rig_release(arg);
    return NULL;
}

static void test_stop_cancels_what_waits(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_batcher_params){0}, false);
    struct rig_item *plug = rig_hold(rig);
    struct rig_item *waiting = rig_add(rig, SC_PRIORITY_LIVE);
    waiting->then = resubmit;
    pthread_t thread;
    pthread_create(&thread, NULL, release_soon, rig);
    sc_batcher_stop(rig->batcher);
    assert_int_equal(plug->ret, SC_OK); // ended first
    assert_int_equal(plug->answers, 1);
    assert_int_equal(waiting->ret, SC_ECANCELLED);
    assert_int_equal(rig->count, 3);
    assert_int_equal(rig->items[2].ret, SC_ECANCELLED); // submitted from done(): refused
    sc_batcher_stop(rig->batcher);
    pthread_join(thread, NULL);
    rig_close(&rig);
    sc_batcher_close(NULL);
}

static void expect_line(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("no line '%s' in:\n%s", line, text);
}

static void test_metrics(void **state)
{
    (void)state;
    sc_metrics *metrics = sc_metrics_new();
    struct rig *rig = rig_open(
        (struct sc_batcher_params){.name = "nano", .max_batch = 4, .metrics = metrics}, false);
    rig_load(rig, 3); // runs of 1, 2, 1
    rig_hold(rig);
    struct rig_item *job = rig_add(rig, SC_PRIORITY_JOB);
    sc_str text = {0};
    sc_metrics_print(metrics, &text);
    expect_line(text.s, "saccade_inference_queue_depth{model=\"nano\",priority=\"job\"} 1\n");
    expect_line(text.s, "saccade_inference_batch_size_bucket{model=\"nano\",le=\"1\"} 2\n");
    expect_line(text.s, "saccade_inference_batch_size_sum{model=\"nano\"} 4\n");
    expect_line(text.s, "saccade_inference_run_seconds_sum{model=\"nano\"} 0.04\n");
    expect_line(text.s, "saccade_inference_wait_seconds_count{model=\"nano\","
                        "priority=\"interactive\"} 5\n");
    expect_line(text.s, "saccade_inference_batch_limit{model=\"nano\"} 4\n");
    sc_batcher_cancel(rig->batcher, job->ticket);
    rig_release(rig);
    rig_wait_all(rig);
    sc_str_release(&text);
    sc_metrics_print(metrics, &text);
    expect_line(text.s, "saccade_inference_queue_depth{model=\"nano\",priority=\"job\"} 0\n");
    expect_line(text.s, "saccade_inference_items_total{model=\"nano\",priority=\"job\","
                        "result=\"cancelled\"} 1\n");
    expect_line(text.s, "saccade_inference_items_total{model=\"nano\","
                        "priority=\"interactive\",result=\"ok\"} 5\n");
    sc_str_release(&text);
    rig_close(&rig);
    sc_metrics_free(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_at_once_when_idle),
        cmocka_unit_test(test_batch_is_formed_late),
        cmocka_unit_test(test_order_by_priority_then_age),
        cmocka_unit_test(test_ageing_bounds_the_wait),
        cmocka_unit_test(test_limit_grows_to_the_target),
        cmocka_unit_test(test_limit_stops_at_the_maximum),
        cmocka_unit_test(test_limit_shrinks_and_grows_again),
        cmocka_unit_test(test_one_slow_run_changes_nothing),
        cmocka_unit_test(test_memory_halves_the_batch_for_good),
        cmocka_unit_test(test_expires_instead_of_being_begun),
        cmocka_unit_test(test_one_that_is_late_already_expires_when_idle),
        cmocka_unit_test(test_expires_while_a_run_is_under_way),
        cmocka_unit_test(test_sleeps_when_idle),
        cmocka_unit_test(test_full_queue_refuses_and_says_when),
        cmocka_unit_test(test_full_queue_drops_the_streams_oldest),
        cmocka_unit_test(test_cancel_takes_only_what_waits),
        cmocka_unit_test(test_a_bad_item_fails_alone),
        cmocka_unit_test(test_lost_device_is_reopened),
        cmocka_unit_test(test_loss_while_running_one_by_one),
        cmocka_unit_test(test_device_that_stays_lost),
        cmocka_unit_test(test_device_that_cannot_be_reopened),
        cmocka_unit_test(test_stop_cancels_what_waits),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests_name("vision/batcher", tests, NULL, NULL);
}
