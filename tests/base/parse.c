#include <float.h>
#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "test.h"

static void test_int(void **state)
{
    (void)state;
    int64_t v = -1;
    assert_true(sc_parse_int("0", 0, 9, &v) && v == 0);
    assert_true(sc_parse_int("-9", -9, 9, &v) && v == -9);
    assert_true(sc_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &v) &&
                v == INT64_MAX);
    const char *const bad[] = {
        "", "-", " 1", "1 ", "1x", "0x1", "1.0", "9223372036854775808", "1e3", "+-1"};
    for (size_t i = 0; i < SC_COUNT(bad); i++)
        assert_false(sc_parse_int(bad[i], INT64_MIN, INT64_MAX, &v));
    assert_false(sc_parse_int("10", 0, 9, &v));
    assert_true(v == INT64_MAX); // untouched on failure
}

static void test_double(void **state)
{
    (void)state;
    double v = 0;
    assert_true(sc_parse_double("-1.5e2", -1000, 0, &v) && v == -150);
    assert_true(sc_parse_double(".25", 0, 1, &v) && v == 0.25);
    assert_true(sc_parse_double("1e-400", 0, 1, &v) && fabs(v) < 1e-300);
    const char *const bad[] = {"",   "nan", "inf", "1e999", "0x10",
                               " 1", "1 ",  "1,5", "--1",   "e5"};
    for (size_t i = 0; i < SC_COUNT(bad); i++)
        assert_false(sc_parse_double(bad[i], -DBL_MAX, DBL_MAX, &v));
    assert_false(sc_parse_double("2", 0, 1, &v));
}

static void assert_size(const char *text, int64_t want)
{
    int64_t v = -1;
    assert_true(sc_parse_size(text, 0, INT64_MAX, &v));
    assert_true(v == want);
}

static void test_size(void **state)
{
    (void)state;
    assert_size("4096", 4096);
    assert_size("10B", 10);
    assert_size("64K", 65536);
    assert_size("1.5M", 3 << 19);
    assert_size("2GiB", INT64_C(2) << 30);
    assert_size("1TB", INT64_C(1) << 40);
    assert_size("8388607T", INT64_C(8388607) << 40);
    const char *const bad[] = {"",
                               "K",
                               "1 K",
                               "-1",
                               "1Q",
                               "1KK",
                               "1k",
                               "1e3",
                               ".",
                               "+1",
                               "0x1K",
                               "8388608T",
                               "99999999999999999999"};
    int64_t v;
    for (size_t i = 0; i < SC_COUNT(bad); i++)
        assert_false(sc_parse_size(bad[i], 0, INT64_MAX, &v));
    assert_false(sc_parse_size("2K", 0, 2047, &v));
}

static void assert_duration(const char *text, int64_t want)
{
    int64_t v = -1;
    assert_true(sc_parse_duration(text, 0, INT64_MAX, &v));
    assert_true(v == want);
}

static void test_duration(void **state)
{
    (void)state;
    assert_duration("250ms", 250 * SC_NS_PER_MS);
    assert_duration("30s", 30 * SC_NS_PER_S);
    assert_duration("5m", 300 * SC_NS_PER_S);
    assert_duration("2h", 7200 * SC_NS_PER_S);
    assert_duration("1.5", 1500 * SC_NS_PER_MS);
    assert_duration("0", 0);
    assert_duration("0.000000001", 1);
    assert_duration("1.9999999999", 2 * SC_NS_PER_S); // rounded to the nearest
    int64_t v;
    assert_false(sc_parse_duration("1 s", 0, INT64_MAX, &v));
    assert_false(sc_parse_duration("-1s", INT64_MIN, INT64_MAX, &v));
    assert_false(sc_parse_duration("11s", 0, 10 * SC_NS_PER_S, &v));
    assert_false(sc_parse_duration("9999999999h", 0, INT64_MAX, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int),
        cmocka_unit_test(test_double),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_duration),
    };
    return cmocka_run_group_tests_name("base/parse", tests, NULL, NULL);
}
