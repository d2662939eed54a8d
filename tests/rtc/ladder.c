// Estimate and ladder over made-up links, in virtual time (link.h): what a viewer would see.
#include "rtc/ladder.h"

#include <string.h>

#include "../base/test.h"
#include "base/mem.h"
#include "link.h"

enum { HIGH, MIDDLE, LOW }; // 2.5M, 1M, 350k

static struct link_result result;

static void play(const struct link_params *params, double from_s)
{
    link_run(params, from_s, 2, &result);
}

#define PLAY(from_s, ...) play(&(struct link_params){__VA_ARGS__}, from_s)

// --- links as they are ----------------------------------------------------------------------

static void test_settles(void **state)
{
    (void)state;
    for (int start = HIGH; start <= LOW; start++) {
        PLAY(1, .seed = 1, .seconds = 600, .capacity = {{0, 3e6}}, .delay_ms = 10,
             .start = start);
        assert_int_equal(result.switches, start); // up, never down
        assert_int_equal(result.rung, HIGH);
        assert_true(link_share(&result, HIGH, 20) == 1);
        assert_true(result.freeze_ms < 300);
    }
}

static void test_loss_and_jitter(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 5; seed++) {
        double loss = seed * 0.01;
        PLAY(1, .seed = seed, .seconds = 120, .capacity = {{0, 4e6}}, .delay_ms = 20,
             .loss = loss);
        assert_true(link_share(&result, HIGH, 0) > 0.9);
        assert_true(result.shown > result.sent * 0.98);
        PLAY(1, .seed = seed, .seconds = 60, .capacity = {{0, 4e6}}, .delay_ms = 20,
             .jitter_ms = 20);
        assert_int_equal(result.switches, 0);
    }
}

static void test_round_trips(void **state)
{
    (void)state;
    for (int delay_ms = 0; delay_ms <= 50; delay_ms += 25) {
        PLAY(1, .seed = 3, .seconds = 60, .capacity = {{0, 3e6}}, .delay_ms = delay_ms);
        assert_int_equal(result.switches, 0);
        assert_true(result.freeze_ms < 300);
    }
}

static void test_skew(void **state)
{
    (void)state;
    PLAY(1, .seed = 4, .seconds = 300, .capacity = {{0, 4e6}}, .delay_ms = 10, .skew = 200e-6);
    assert_int_equal(result.switches, 0);
}

// --- links that change ----------------------------------------------------------------------

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settles),
        cmocka_unit_test(test_loss_and_jitter),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_skew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
