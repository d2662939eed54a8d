#include "rtc/repeat.h"

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"

#define RATE  1000000
#define ROUND (40 * SC_NS_PER_MS)
#define SIZE  1000

static int64_t at_ms(int64_t ms)
{
    return SC_NS_PER_S + ms * SC_NS_PER_MS;
}

static bool ask(struct sc_rtc_repeat *repeat, uint16_t seq, int64_t ms)
{
    return sc_rtc_repeat_ask(repeat, seq, RATE, 2 * RATE, ROUND, at_ms(ms));
}

static void send(struct sc_rtc_repeat *repeat, uint16_t from, int count)
{
    for (int i = 0; i < count; i++)
        sc_rtc_repeat_sent(repeat, (uint16_t)(from + i), SIZE, false, at_ms(0));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct sc_rtc_repeat *repeat = sc_new(struct sc_rtc_repeat);
    assert_false(ask(repeat, 65534, 1)); // never sent
    send(repeat, 65534, 4);
    assert_true(ask(repeat, 65534, 10));
    assert_true(ask(repeat, 1, 10));
    assert_false(ask(repeat, 1, 49));
    assert_true(ask(repeat, 1, 51));
    assert_false(ask(repeat, 2, 51));
    assert_int_equal(repeat->granted, 3);
    assert_int_equal(repeat->refused, 3);
    free(repeat);
}

// 0.3 of the rate, and a second of that saved up.
static void test_budget(void **state)
{
    (void)state;
    struct sc_rtc_repeat *repeat = sc_new(struct sc_rtc_repeat);
    int granted = 0;
    send(repeat, 0, 1000);
    for (uint16_t seq = 0; seq < 100; seq++)
        granted += ask(repeat, seq, 10);
    assert_int_equal(granted, 37);
    for (uint16_t seq = 100; seq < 200; seq++)
        granted += ask(repeat, seq, 510);
    assert_in_range(granted, 37 + 18, 37 + 19);
    // A link that is full leaves half as much.
    for (uint16_t seq = 200; seq < 300; seq++)
        granted -= sc_rtc_repeat_ask(repeat, seq, RATE, RATE / 2, ROUND, at_ms(10000));
    assert_in_range(granted, 37, 37 + 1);
    free(repeat);
}

// What came before a keyframe gets a quarter of what is saved up, the rest is kept.
static void test_keyframe(void **state)
{
    (void)state;
    struct sc_rtc_repeat *repeat = sc_new(struct sc_rtc_repeat);
    int before = 0, since = 0;
    send(repeat, 65500, 100);
    sc_rtc_repeat_sent(repeat, 64, SIZE, true, at_ms(0));
    send(repeat, 65, 100);
    for (int i = 0; i < 60; i++)
        before += ask(repeat, (uint16_t)(65500 + i), 10);
    for (uint16_t seq = 64; seq < 164; seq++)
        since += ask(repeat, seq, 10);
    assert_in_range(before, 8, 10);
    assert_in_range(since, 27, 29);
    free(repeat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_keyframe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
