#include "http/timers.h"

#include <stdatomic.h>

#include "../base/test.h"
#include "base/clock.h"

static atomic_int order[8], count;

static void note(void *arg)
{
    order[atomic_fetch_add(&count, 1)] = (int)(intptr_t)arg;
}

static void wait_for(int n)
{
    for (int i = 0; i < 2000 && count < n; i++)
        sc_clock_sleep(SC_NS_PER_MS);
    assert_int_equal(count, n);
}

static void test_order(void **state)
{
    (void)state;
    sc_timers *timers = sc_timers_open();
    int64_t now = sc_clock_now();
    count = 0;
    sc_timers_at(timers, now + 60 * SC_NS_PER_MS, note, (void *)3);
    sc_timers_at(timers, now + 20 * SC_NS_PER_MS, note, (void *)1);
    sc_timers_at(timers, now + 40 * SC_NS_PER_MS, note, (void *)2);
    sc_timers_at(timers, 0, note, (void *)0);
    wait_for(4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i);
    assert_true(sc_clock_now() - now >= 60 * SC_NS_PER_MS);
    sc_timers_close(&timers);
}

static void test_stop(void **state)
{
    (void)state;
    sc_timers *timers = sc_timers_open();
    count = 0;
    sc_timers_at(timers, sc_clock_now() + 3600 * SC_NS_PER_S, note, (void *)7);
    assert_false(sc_timers_stopping(timers));
    sc_timers_stop(timers);
    assert_true(sc_timers_stopping(timers));
    sc_timers_close(&timers);
    assert_int_equal(count, 1); // called early, not lost
    assert_null(timers);
}

struct hold {
    sc_timers *timers;
    atomic_bool released;
};

static void release(void *arg)
{
    struct hold *hold = arg;
    sc_clock_sleep(30 * SC_NS_PER_MS);
    hold->released = true;
    sc_timers_release(hold->timers);
}

static void test_hold(void **state)
{
    (void)state;
    struct hold hold = {.timers = sc_timers_open()};
    sc_timers *timers = hold.timers;
    sc_timers_hold(timers);
    sc_timers_at(timers, 0, release, &hold);
    sc_timers_close(&timers);
    assert_true(hold.released);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
