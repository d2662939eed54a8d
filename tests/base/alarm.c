#include "base/alarm.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "test.h"

#define MS SC_NS_PER_MS

static atomic_int order; // of all calls

// Notes its calls.
struct clock {
    sc_alarm alarm;
    int64_t due_ns;
    int64_t again_ns; // sets itself so much later, 0 = not
    atomic_int calls, place;
    atomic_llong late_ns;
    int64_t call_ns; // a call takes so long
};

static void on_alarm(void *arg)
{
    struct clock *c = arg;
    atomic_store(&c->late_ns, sc_clock_now() - c->due_ns);
    atomic_store(&c->place, atomic_fetch_add(&order, 1));
    sc_clock_sleep(c->call_ns);
    if (c->again_ns)
        sc_alarm_set(&c->alarm, sc_clock_now() + c->again_ns);
    atomic_fetch_add(&c->calls, 1);
}

static void set(struct clock *c, int64_t when_ns)
{
    c->due_ns = when_ns;
    sc_alarm_set(&c->alarm, when_ns);
}

static void wait_for_calls(struct clock *c, int least)
{
    for (int i = 0; atomic_load(&c->calls) < least; i++) {
        assert_true(i < 10000);
        sc_clock_sleep(MS);
    }
}

static void test_in_order_and_never_early(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static struct clock clocks[COUNT];
    sc_alarms *alarms = sc_alarms_open("test");
    int64_t start = sc_clock_now() + 100 * MS;
    atomic_store(&order, 0);
    for (int i = 0; i < COUNT; i++) {
        clocks[i] = (struct clock){0};
        sc_alarm_init(&clocks[i].alarm, alarms, on_alarm, &clocks[i]);
    }
    for (int i = 0; i < COUNT; i++) { // every time once, in a mixed order
        int k = i * 77 % COUNT;
        set(&clocks[k], start + k * MS / 10);
    }
    for (int i = 0; i < COUNT; i++) {
        wait_for_calls(&clocks[i], 1);
        assert_true(clocks[i].late_ns >= 0);
        assert_int_equal(clocks[i].place, i);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(clocks[i].calls, 1);
        sc_alarm_release(&clocks[i].alarm);
    }
    sc_alarms_close(&alarms);
    assert_null(alarms);
}

static void test_the_earliest_counts(void **state)
{
    (void)state;
    struct clock c = {0};
    sc_alarms *alarms = sc_alarms_open("test");
    sc_alarm_init(&c.alarm, alarms, on_alarm, &c);
    int64_t now = sc_clock_now();
    set(&c, now + 3600 * SC_NS_PER_S);
    set(&c, now + 20 * MS);
    sc_alarm_set(&c.alarm, now + 40 * MS); // later than what is set: nothing
    wait_for_calls(&c, 1);
    assert_true(c.late_ns >= 0);
    sc_clock_sleep(40 * MS);
    assert_int_equal(c.calls, 1);
    set(&c, 0); // past: at once
    wait_for_calls(&c, 2);
    sc_alarm_release(&c.alarm);
    sc_alarms_close(&alarms);
}

static void test_sets_itself_again(void **state)
{
    (void)state;
    struct clock c = {.again_ns = MS};
    sc_alarms *alarms = sc_alarms_open("test");
    sc_alarm_init(&c.alarm, alarms, on_alarm, &c);
    set(&c, 0);
    wait_for_calls(&c, 10);
    sc_alarm_release(&c.alarm);
    int calls = c.calls;
    sc_clock_sleep(10 * MS);
    assert_int_equal(c.calls, calls);
    sc_alarms_close(&alarms);
}

static void test_release_waits_for_a_call(void **state)
{
    (void)state;
    struct clock c = {.call_ns = 50 * MS};
    sc_alarms *alarms = sc_alarms_open("test");
    int before = atomic_load(&order);
    sc_alarm_init(&c.alarm, alarms, on_alarm, &c);
    set(&c, 0);
    while (atomic_load(&order) == before) // it has begun
        sc_clock_sleep(MS / 10);
    sc_alarm_release(&c.alarm);
    assert_int_equal(c.calls, 1);
    sc_alarms_close(&alarms);
    sc_alarm_release(&c.alarm); // once more, as of one that was never set up
}

// Others are taken out of the middle while the rest goes on.
static void test_release_of_some(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    static struct clock clocks[COUNT];
    sc_alarms *alarms = sc_alarms_open("test");
    int64_t start = sc_clock_now() + 50 * MS;
    for (int i = 0; i < COUNT; i++) {
        clocks[i] = (struct clock){0};
        sc_alarm_init(&clocks[i].alarm, alarms, on_alarm, &clocks[i]);
        set(&clocks[i], start + (i * 31 % COUNT) * MS / 5);
    }
    for (int i = 0; i < COUNT; i += 3)
        sc_alarm_release(&clocks[i].alarm);
    for (int i = 0; i < COUNT; i++) {
        if (i % 3) {
            wait_for_calls(&clocks[i], 1);
            assert_true(clocks[i].late_ns >= 0);
        }
        assert_int_equal(clocks[i].calls, i % 3 ? 1 : 0);
        sc_alarm_release(&clocks[i].alarm);
    }
    sc_alarms_close(&alarms);
}

static void *keep_setting(void *arg)
{
    struct clock *c = arg;
    for (int i = 0; i < 2000; i++)
        sc_alarm_set(&c->alarm, sc_clock_now() + i % 3 * 1000);
    return NULL;
}

static void test_set_by_many_threads(void **state)
{
    (void)state;
    struct clock c = {0};
    pthread_t threads[4];
    sc_alarms *alarms = sc_alarms_open("test");
    sc_alarm_init(&c.alarm, alarms, on_alarm, &c);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_setting, &c), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    int calls = c.calls;
    sc_alarm_set(&c.alarm, 0);
    wait_for_calls(&c, calls + 1); // none is lost
    sc_alarm_release(&c.alarm);
    sc_alarms_close(&alarms);
}

// --- without a thread -------------------------------------------------------------------------

static void count_sooner(void *arg)
{
    ++*(int *)arg;
}

static void test_rung_by_the_caller(void **state)
{
    (void)state;
    struct clock a = {0}, b = {0};
    int sooner = 0;
    sc_alarms *alarms = sc_alarms_new(count_sooner, &sooner);
    sc_alarm_init(&a.alarm, alarms, on_alarm, &a);
    sc_alarm_init(&b.alarm, alarms, on_alarm, &b);
    assert_true(sc_alarms_ring(alarms) == INT64_MAX);
    int64_t now = sc_clock_now(), far = now + 3600 * SC_NS_PER_S;
    set(&a, far);
    assert_int_equal(sooner, 1);
    set(&b, far + 1); // not the next one
    assert_int_equal(sooner, 1);
    assert_true(sc_alarms_ring(alarms) == far);
    set(&b, now);
    assert_int_equal(sooner, 2);
    assert_int_equal(b.calls, 0);
    assert_true(sc_alarms_ring(alarms) == far);
    assert_int_equal(b.calls, 1);
    assert_int_equal(a.calls, 0);
    sc_alarm_release(&a.alarm);
    sc_alarm_release(&b.alarm);
    sc_alarms_close(&alarms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order_and_never_early),
        cmocka_unit_test(test_the_earliest_counts),
        cmocka_unit_test(test_sets_itself_again),
        cmocka_unit_test(test_release_waits_for_a_call),
        cmocka_unit_test(test_release_of_some),
        cmocka_unit_test(test_set_by_many_threads),
        cmocka_unit_test(test_rung_by_the_caller),
    };
    return cmocka_run_group_tests_name("base/alarm", tests, NULL, NULL);
}
