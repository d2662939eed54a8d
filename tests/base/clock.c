#include "base/clock.h"

#include "test.h"

static void test_format(void **state)
{
    (void)state;
    char buf[32];
    assert_string_equal(sc_clock_format(buf, 0), "1970-01-01T00:00:00.000Z");
    assert_string_equal(sc_clock_format(buf, INT64_C(1769860800123999999)),
                        "2026-01-31T12:00:00.123Z");
    assert_string_equal(sc_clock_format(buf, -SC_NS_PER_MS), "1969-12-31T23:59:59.999Z");
}

static void test_sleep_lasts(void **state)
{
    (void)state;
    int64_t start = sc_clock_now();
    sc_clock_sleep(20 * SC_NS_PER_MS);
    assert_true(sc_clock_now() - start >= 20 * SC_NS_PER_MS);
    sc_clock_sleep(0);
    sc_clock_sleep(INT64_MIN);
    assert_true(sc_clock_wall() > INT64_C(1700000000) * SC_NS_PER_S);
}

static void test_wait_ends(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    int64_t until = sc_clock_now() + 20 * SC_NS_PER_MS;
    sc_clock_init_cond(&cond);
    pthread_mutex_lock(&lock);
    while (sc_clock_wait(&cond, &lock, until))
        ; // for nothing, as conditions may
    assert_true(sc_clock_now() >= until);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_sleep_lasts),
        cmocka_unit_test(test_wait_ends),
    };
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
