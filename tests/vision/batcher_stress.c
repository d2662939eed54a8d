// Eight threads submit, cancel, let expire and fail at random, the device is lost now and then, and
// the batcher is stopped in the middle: each item is answered exactly once. For the sanitizers.
#include <pthread.h>
#include <stdatomic.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "vision/batcher.h"

enum { THREADS = 8, EACH = 1500 };

struct item {
    struct stress *stress;
    atomic_int answers;
    int ret;
    bool refused;
    uint32_t luck; // what run() makes of it
};

struct stress {
    sc_batcher *batcher;
    atomic_uint seed;
    atomic_long answered, cancelled;
    int runners;
    atomic_int inside, alone, lost;
    atomic_uint taken;  // a bit for each runner inside
    atomic_bool broken; // more runs than runners, the same twice, or one on a reopened device
    struct item *items; // THREADS * EACH
};

struct submitter {
    struct stress *stress;
    int first;
    pthread_t thread;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static int run(void *arg, const struct sc_batch_turn *turn, struct sc_batch_work *work,
               int count, sc_err *err)
{
    struct stress *stress = arg;
    unsigned bit = 1U << turn->runner;
    int inside = atomic_fetch_add(&stress->inside, 1);
    bool second = turn->alone && atomic_fetch_add(&stress->alone, 1);
    // Of several runners, some may begin before the batcher has heard of the loss.
    bool knew = stress->runners == 1 && atomic_load(&stress->lost);
    if (inside >= stress->runners || second || knew ||
        atomic_fetch_or(&stress->taken, bit) & bit)
        atomic_store(&stress->broken, true);
    int ret = SC_OK;
    for (int i = 0; i < count; i++) {
        struct item *item = work[i].in;
        if (item->luck % 400 == 0)
            ret = SC_EIO;
        else if (item->luck % 40 == 1)
            ret = SC_EDATA;
        else if (item->luck % 40 == 2)
            work[i].ret = SC_EUNSUPPORTED;
    }
    for (int i = 0; ret == SC_OK && i < count; i++)
        work[i].out = work[i].ret == SC_OK ? work[i].in : NULL;
    if (ret == SC_EIO)
        atomic_store(&stress->lost, 1);
    if (((struct item *)work[0].in)->luck % 16 == 3)
        sc_clock_sleep(200000); // let a queue build up
    atomic_fetch_sub(&stress->alone, turn->alone);
    atomic_fetch_and(&stress->taken, ~bit);
    atomic_fetch_sub(&stress->inside, 1);
    return ret < 0 ? sc_fail(err, ret, "as scripted") : ret;
}

static int reopen(void *arg, sc_err *err)
{
    struct stress *stress = arg;
    (void)err;
    if (atomic_load(&stress->inside))
        atomic_store(&stress->broken, true);
    atomic_store(&stress->lost, 0);
    return SC_OK;
}

static void done(void *arg, int ret, void *out, const sc_err *err)
{
    struct item *item = arg;
    item->ret = ret;
    if ((ret == SC_OK) != (out == item) || (ret < 0 && (!err || err->code != ret)))
        atomic_store(&item->stress->broken, true);
    atomic_fetch_add(&item->answers, 1);
    atomic_fetch_add(&item->stress->answered, 1);
}

static struct sc_batch_request random_request(struct item *item, uint32_t *seed)
{
    uint32_t dice = next_random(seed);
    item->luck = next_random(seed);
    return (struct sc_batch_request){
        .in = item,
        .priority = (enum sc_batch_priority)(dice % SC_PRIORITIES),
        .drop_oldest = dice & 64,
        .stream = dice >> 8 & 3,
        .deadline_ns = dice & 128 ? sc_clock_now() + dice % 700000 : 0,
        .done = done,
        .arg = item,
    };
}

static void *submit_many(void *arg)
{
    struct submitter *me = arg;
    struct stress *stress = me->stress;
    uint32_t seed = 77 + (uint32_t)me->first;
    uint64_t tickets[8] = {0};
    for (int i = 0; i < EACH; i++) {
        struct item *item = &stress->items[me->first + i];
        item->stress = stress;
        struct sc_batch_request request = random_request(item, &seed);
        if (sc_batcher_submit(stress->batcher, &request, &tickets[i % 8], NULL, NULL) < 0) {
            item->refused = true;
            sc_clock_sleep(50000);
        }
        if (next_random(&seed) % 4 == 0 &&
            sc_batcher_cancel(stress->batcher, tickets[next_random(&seed) % 8]))
            atomic_fetch_add(&stress->cancelled, 1);
        if (next_random(&seed) % 64 == 0)
            sc_clock_sleep(100000);
    }
    return NULL;
}

static void check_items(struct stress *stress, long *refused)
{
    assert_false(atomic_load(&stress->broken));
    for (int i = 0; i < THREADS * EACH; i++) {
        struct item *item = &stress->items[i];
        assert_int_equal(atomic_load(&item->answers), item->refused ? 0 : 1);
        *refused += item->refused;
    }
}

static void check_totals(struct stress *stress, long refused, bool in_the_middle)
{
    struct sc_batcher_stats stats;
    sc_batcher_get_stats(stress->batcher, &stats);
    long all = THREADS * EACH - refused;
    print_message("%ld items: %ld refused, %ld run, %ld expired, %ld dropped, %ld cancelled\n",
                  (long)THREADS * EACH, refused, (long)stats.items, (long)stats.expired,
                  (long)stats.dropped, (long)stats.cancelled);
    assert_int_equal(atomic_load(&stress->answered), all);
    assert_true((long)(stats.items + stats.cancelled + stats.expired + stats.dropped) == all);
    assert_true(stats.items && stats.expired && stats.dropped && stats.failed);
    assert_true(in_the_middle || (stats.reopened && atomic_load(&stress->cancelled)));
    assert_int_equal(stats.running + stats.waiting[0] + stats.waiting[1] + stats.waiting[2], 0);
}

static void stress_batcher(int runners, bool in_the_middle)
{
    struct stress stress = {.items = sc_xcalloc(THREADS * EACH, sizeof(struct item)),
                            .runners = runners};
    struct sc_batcher_params params = {.run = run,
                                       .reopen = reopen,
                                       .arg = &stress,
                                       .runners = runners,
                                       .max_batch = 16,
                                       .max_queue = 24};
    struct submitter submitters[THREADS];
    long refused = 0;
    assert_int_equal(sc_batcher_open(&stress.batcher, &params, NULL), SC_OK);
    for (int i = 0; i < THREADS; i++) {
        submitters[i] = (struct submitter){.stress = &stress, .first = i * EACH};
        pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]);
    }
    while (in_the_middle && atomic_load(&stress.answered) < THREADS * EACH / 4)
        sc_clock_sleep(100000);
    if (in_the_middle)
        sc_batcher_stop(stress.batcher);
    for (int i = 0; i < THREADS; i++)
        pthread_join(submitters[i].thread, NULL);
    sc_batcher_stop(stress.batcher);
    check_items(&stress, &refused);
    check_totals(&stress, refused, in_the_middle);
    sc_batcher_close(&stress.batcher);
    free(stress.items);
}

static void test_each_item_is_answered_once(void **state)
{
    (void)state;
    stress_batcher(1, false);
    stress_batcher(3, false);
}

static void test_stopped_in_the_middle(void **state)
{
    (void)state;
    stress_batcher(1, true);
    stress_batcher(3, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_item_is_answered_once),
        cmocka_unit_test(test_stopped_in_the_middle),
    };
    return cmocka_run_group_tests_name("vision/batcher_stress", tests, NULL, NULL);
}
