#include "http/rate.h"

#include "../base/test.h"
#include "base/clock.h"

static void test_bucket(void **state)
{
    (void)state;
    sc_rate *rate = sc_rate_new(2, 3); // two a second, three at once
    int64_t now = 100 * SC_NS_PER_S;
    for (int i = 0; i < 3; i++)
        assert_int_equal(sc_rate_take(rate, "a", 1, now), 0);
    assert_int_equal(sc_rate_take(rate, "a", 1, now), 1);
    assert_int_equal(sc_rate_take(rate, "b", 1, now), 0); // another client has its own
    now += SC_NS_PER_S / 2;
    assert_int_equal(sc_rate_take(rate, "a", 1, now), 0);
    assert_int_equal(sc_rate_take(rate, "a", 1, now), 1);
    now += 1000 * SC_NS_PER_S; // fills up to the burst, not beyond
    for (int i = 0; i < 3; i++)
        assert_int_equal(sc_rate_take(rate, "a", 1, now), 0);
    assert_int_equal(sc_rate_take(rate, "a", 1, now), 1);
    sc_rate_free(&rate);
    assert_null(rate);
}

static void test_slow(void **state)
{
    (void)state;
    sc_rate *rate = sc_rate_new(0.1, 1);
    assert_int_equal(sc_rate_take(rate, "a", 1, 0), 0);
    assert_int_equal(sc_rate_take(rate, "a", 1, 0), 10);
    sc_rate_free(&rate);
}

static void test_many_clients(void **state)
{
    (void)state;
    sc_rate *rate = sc_rate_new(1, 1);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(sc_rate_take(rate, &i, sizeof(i), i), 0);
    sc_rate_free(&rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_many_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
