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
        PLAY(1, .seed = 1, .seconds = start ? 60 : 600, .capacity = {{0, 3e6}}, .delay_ms = 10,
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
    PLAY(1, .seed = 4, .seconds = 200, .capacity = {{0, 4e6}}, .delay_ms = 10, .skew = 200e-6);
    assert_int_equal(result.switches, 0);
}

// --- links that change ----------------------------------------------------------------------

// To 1.25 Mbit/s for half a minute and back.
static struct link_params halved(uint32_t seed)
{
    return (struct link_params){
        .seed = seed,
        .seconds = 80,
        .capacity = {{0, 2.9e6}, {20.3, 1.25e6}, {50, 2.9e6}},
        .delay_ms = 10,
    };
}

static void check_halved(const struct link_params *params)
{
    play(params, 21.3); // freezes count from a second after the drop
    assert_true(result.freeze_ms < 500);
    assert_true(result.queue_p95_ms < 150);
    assert_true(result.switches <= 4);
    for (int i = 24; i < 50; i++)
        assert_true(result.seconds[i].queue_ms < 300);
    double back_s = link_reached_s(&result, HIGH, 50);
    assert_true(back_s > 0 && back_s - 50 < 15);
}

static void test_halved(void **state)
{
    (void)state;
    for (uint32_t seed = 1000; seed < 1004; seed++) {
        struct link_params params = halved(seed);
        check_halved(&params);
        params.delay_ms = 50;
        check_halved(&params);
        params.queue = 256 << 10;
        check_halved(&params);
        params.follow = true;
        check_halved(&params);
    }
}

static void test_starved(void **state)
{
    (void)state;
    PLAY(60, .seed = 5, .seconds = 90, .capacity = {{0, 3e6}, {20, 150e3}, {50, 3e6}},
         .delay_ms = 10);
    for (int i = 26; i < 50; i++)
        assert_true(result.seconds[i].rung == LOW && result.seconds[i].starved);
    assert_false(result.seconds[55].starved);
    assert_true(result.freeze_ms < 300);
    double back_s = link_reached_s(&result, HIGH, 50);
    assert_true(back_s > 0 && back_s - 50 < 15);
}

// A quiet scene says nothing of the link; nor does a report that fails to come for a while.
static void test_quiet(void **state)
{
    (void)state;
    PLAY(1, .seed = 6, .seconds = 120, .capacity = {{0, 4e6}},
         .activity = {{0, 1}, {20, 0.05}, {60, 1}}, .delay_ms = 10);
    assert_int_equal(result.switches, 0);
    PLAY(1, .seed = 7, .seconds = 60, .capacity = {{0, 4e6}},
         .deaf = {{0, 0}, {20, 1}, {23, 0}}, .delay_ms = 10);
    assert_true(link_reached_s(&result, HIGH, 23) < 23 + 15.5);
    assert_true(result.freeze_ms < 300);
}

// Just too small for the highest rung: what is tried in vain is tried less and less often.
static void test_trials(void **state)
{
    (void)state;
    PLAY(1, .seed = 8, .seconds = 600, .capacity = {{0, 2.55e6}}, .delay_ms = 10);
    assert_true(link_share(&result, MIDDLE, 0) > 0.9);
    assert_true(result.switches < 2 * 600 / 40);
    assert_true(result.freeze_ms < 500);
}

static void test_any_link(void **state)
{
    (void)state;
    int long_queues = 0;
    for (uint32_t seed = 1; seed <= 50; seed++) {
        uint32_t random = seed * 7919;
        for (int i = 0; i < 5; i++)
            link_random(&random);
        struct link_params params = {.seed = seed, .seconds = 40, .follow = seed % 2};
        params.delay_ms = 50 * link_random(&random);
        params.jitter_ms = 20 * link_random(&random);
        params.loss = 0.03 * link_random(&random);
        params.queue = (int)(24e3 + 104e3 * link_random(&random));
        for (int i = 0; i < 4; i++)
            params.capacity[i] =
                (struct link_step){i * 10, 0.5e6 + 4.5e6 * link_random(&random)};
        link_run(&params, 1, 0, &result);
        assert_true(result.queue_p95_ms < 1000);
        assert_true(result.shown > result.sent * 0.9);
        long_queues += result.queue_p95_ms > 300;
    }
    assert_true(long_queues <= 7);
}

// --- the rules, one by one ------------------------------------------------------------------

static const struct sc_rtc_ladder_params usual = {.count = 3,
                                                  .bitrates = {2500000, 1000000, 350000}};

static struct sc_rtc_estimate_info fine(int64_t bitrate)
{
    return (struct sc_rtc_estimate_info){.bitrate = bitrate, .received = bitrate};
}

static int64_t at_s(double seconds)
{
    return (int64_t)(seconds * SC_NS_PER_S);
}

static void test_down(void **state)
{
    (void)state;
    struct sc_rtc_ladder ladder;
    struct sc_rtc_estimate_info info = fine(1200000);
    sc_rtc_ladder_init(&ladder, &usual, HIGH, at_s(1));
    assert_int_equal(sc_rtc_ladder_step(&ladder, &info, at_s(2)),
                     HIGH); // never overused: it says nothing
    info.overused_ns = at_s(2.5);
    info.queue_ms = 80;
    assert_int_equal(sc_rtc_ladder_step(&ladder, &info, at_s(2.5)), MIDDLE);
    assert_true(ladder.hold);
    info.bitrate = 200000;
    info.overused_ns = at_s(3);
    assert_int_equal(sc_rtc_ladder_step(&ladder, &info, at_s(3)),
                     MIDDLE); // the queue is still the old one's
    info.overused_ns = at_s(5);
    assert_int_equal(sc_rtc_ladder_step(&ladder, &info, at_s(5)), LOW);
    info.overused_ns = at_s(8);
    assert_int_equal(sc_rtc_ladder_step(&ladder, &info, at_s(8)), LOW);
    assert_true(ladder.starved);
    info = fine(500000);
    sc_rtc_ladder_step(&ladder, &info, at_s(9));
    sc_rtc_ladder_step(&ladder, &info, at_s(10.1));
    assert_false(ladder.starved);
    assert_int_equal(ladder.switches, 2);
}

// Far down at once, by loss, and by a queue that does not drain.
static void test_down_reasons(void **state)
{
    (void)state;
    struct sc_rtc_ladder ladder;
    struct sc_rtc_estimate_info info = fine(400000);
    sc_rtc_ladder_init(&ladder, &usual, HIGH, at_s(1));
    info.lossy = true;
    assert_int_equal(sc_rtc_ladder_step(&ladder, &info, at_s(2)), LOW);

    info = fine(2500000);
    sc_rtc_ladder_init(&ladder, &usual, HIGH, at_s(1));
    for (int i = 0; i < 20; i++) {
        info.queue_ms = 800 - 25 * i;
        assert_int_equal(sc_rtc_ladder_step(&ladder, &info, at_s(2 + i * 0.1)), HIGH);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(sc_rtc_ladder_step(&ladder, &info, at_s(4 + i * 0.1)), HIGH);
    assert_int_equal(sc_rtc_ladder_step(&ladder, &info, at_s(4.5)), MIDDLE);
}

static double climb_s(struct sc_rtc_ladder *ladder, const struct sc_rtc_estimate_info *info,
                      double from_s)
{
    int before = ladder->rung;
    for (double now = from_s; now < from_s + 100; now += 0.1)
        if (sc_rtc_ladder_step(ladder, info, at_s(now)) < before)
            return now - from_s;
    return -1;
}

static void test_up(void **state)
{
    (void)state;
    struct sc_rtc_ladder ladder;
    struct sc_rtc_estimate_info info = fine(1000000), bad = fine(1000000);
    bad.lossy = true;
    sc_rtc_ladder_init(&ladder, &usual, MIDDLE, at_s(1));
    double waits[] = {6, 12, 24, 48, 60, 60}, now = 1;
    for (size_t i = 0; i < SC_COUNT(waits); i++) { // tried, taken back, tried later
        double took = climb_s(&ladder, &info, now);
        assert_in_range((int)(took * 10 + 0.5), (int)(waits[i] * 10) - 12,
                        (int)(waits[i] * 10) + 2);
        now += took + 1;
        assert_int_equal(sc_rtc_ladder_step(&ladder, &bad, at_s(now)), MIDDLE);
    }
    info.burst = 5000000; // it would fit, a burst says
    assert_true(climb_s(&ladder, &info, now) < 16);
}

static void test_up_not(void **state)
{
    (void)state;
    struct sc_rtc_estimate_info infos[] = {fine(1000000), fine(1000000), fine(1000000)};
    infos[0].queue_ms = 60;
    infos[1].usage = SC_RTC_OVERUSE;
    infos[2].burst = 2000000;
    infos[2].slowed = true;
    for (size_t i = 0; i < SC_COUNT(infos); i++) {
        struct sc_rtc_ladder ladder;
        sc_rtc_ladder_init(&ladder, &usual, MIDDLE, at_s(1));
        assert_true(climb_s(&ladder, &infos[i], 1) < 0);
        assert_int_equal(ladder.switches, 0);
    }
}

static void test_pace(void **state)
{
    (void)state;
    struct sc_rtc_ladder ladder;
    struct sc_rtc_estimate_info info = fine(1000000);
    sc_rtc_ladder_init(&ladder, &usual, MIDDLE, at_s(1));
    assert_int_equal(sc_rtc_ladder_pace(&ladder, &info),
                     3750000); // shows whether the next would fit
    info.burst = 20000000;
    assert_int_equal(sc_rtc_ladder_pace(&ladder, &info), 40000000);
    info.burst = 2000000;
    info.slowed = true;
    assert_int_equal(sc_rtc_ladder_pace(&ladder, &info), 2500000);
    ladder.starved = true;
    info.bitrate = 200000;
    assert_int_equal(sc_rtc_ladder_pace(&ladder, &info), 250000);
}

static void test_rate(void **state)
{
    (void)state;
    struct sc_rtc_estimate_info viewers[] = {fine(300000), fine(1000000)};
    int64_t nominal = 1000000, second = SC_NS_PER_S;
    assert_int_equal(sc_rtc_ladder_rate(nominal, nominal, second, NULL, 0), nominal);
    assert_int_equal(sc_rtc_ladder_rate(nominal, nominal, second, viewers, 2), nominal);
    viewers[0].overused_ns = viewers[1].overused_ns = 1;
    assert_int_equal(sc_rtc_ladder_rate(nominal, nominal, second, viewers, 2),
                     900000); // by the best
    assert_int_equal(sc_rtc_ladder_rate(nominal, nominal, 0, viewers, 1),
                     500000); // at once, half at least
    assert_int_equal(sc_rtc_ladder_rate(nominal, 500000, second, viewers, 2), 580000); // slowly
    assert_int_equal(sc_rtc_ladder_rate(nominal, 500000, 0, viewers, 2), 500000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settles),      cmocka_unit_test(test_loss_and_jitter),
        cmocka_unit_test(test_round_trips),  cmocka_unit_test(test_skew),
        cmocka_unit_test(test_halved),       cmocka_unit_test(test_starved),
        cmocka_unit_test(test_quiet),        cmocka_unit_test(test_trials),
        cmocka_unit_test(test_any_link),     cmocka_unit_test(test_down),
        cmocka_unit_test(test_down_reasons), cmocka_unit_test(test_up),
        cmocka_unit_test(test_up_not),       cmocka_unit_test(test_pace),
        cmocka_unit_test(test_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
