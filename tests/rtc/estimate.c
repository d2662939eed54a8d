// The estimate fed by a simple link: packets at even distances, a queue, a clock at the other end.
#include "rtc/estimate.h"

#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "link.h"

#define WRAP_NS  (INT64_C(64) * SC_NS_PER_MS * (1 << 24))
#define FEED_NS  (66 * SC_NS_PER_MS)
#define MOST     400 // packets of one report
#define PACKET   1200
#define DELAY_NS (20 * SC_NS_PER_MS)

struct rig {
    sc_rtc_estimate *estimate;
    struct sc_rtc_estimate_info info;
    int64_t now_ns, next_ns, fed_ns;
    int64_t free_ns;   // when the link will be
    int64_t offset_ns; // of the other clock
    double skew;
    uint16_t seq;
    int lose; // every so many; 0 = none
    int count;
    struct sc_rtc_arrival arrivals[MOST];
};

static struct rig *rig_new(void)
{
    struct rig *rig = sc_new(struct rig);
    rig->estimate = sc_rtc_estimate_new(NULL);
    rig->now_ns = rig->next_ns = rig->fed_ns = SC_NS_PER_S;
    rig->seq = 65500;                           // wraps soon,
    rig->offset_ns = WRAP_NS - 3 * SC_NS_PER_S; // and so does their clock
    return rig;
}

static void rig_free(struct rig *rig)
{
    sc_rtc_estimate_free(&rig->estimate);
    free(rig);
}

static int64_t theirs(const struct rig *rig, int64_t time_ns)
{
    return (rig->offset_ns + (int64_t)((double)time_ns * (1 + rig->skew))) % WRAP_NS;
}

static void send_one(struct rig *rig, double link)
{
    int64_t begin_ns = rig->free_ns > rig->next_ns ? rig->free_ns : rig->next_ns;
    rig->free_ns = begin_ns + (int64_t)(PACKET * 8e9 / link);
    rig->arrivals[rig->count++] = (struct sc_rtc_arrival){
        .seq = rig->seq,
        .lost = rig->lose && rig->seq % rig->lose == 0,
        .sent_ns = rig->next_ns,
        .arrived_ns = theirs(rig, rig->free_ns + DELAY_NS),
        .size = PACKET,
    };
    rig->seq++;
}

static void feed(struct rig *rig)
{
    sc_rtc_estimate_feed(rig->estimate, rig->arrivals, rig->count, rig->now_ns);
    sc_rtc_estimate_get(rig->estimate, &rig->info);
    rig->count = 0;
}

// Sends at `rate` over a link of `link` bits a second. Reports come at once.
static void run(struct rig *rig, double rate, double link, double seconds)
{
    int64_t end_ns = rig->now_ns + (int64_t)(seconds * SC_NS_PER_S);
    while (rig->now_ns < end_ns) {
        rig->now_ns += SC_NS_PER_MS;
        for (; rig->next_ns <= rig->now_ns; rig->next_ns += (int64_t)(PACKET * 8e9 / rate))
            if (rig->count < MOST)
                send_one(rig, link);
        if (rig->now_ns - rig->fed_ns < FEED_NS)
            continue;
        rig->fed_ns = rig->now_ns;
        feed(rig);
    }
}

static void assert_near(double value, double wanted, double share)
{
    if (value < wanted * (1 - share) || value > wanted * (1 + share))
        fail_msg("%g is not within %g of %g", value, share, wanted);
}

// --- figures --------------------------------------------------------------------------------

static void test_figures(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    run(rig, 1e6, 10e6, 6); // both wraps are within
    assert_near((double)rig->info.received, 1e6, 0.03);
    assert_true(rig->info.loss == 0 && !rig->info.lossy);
    assert_true(rig->info.queue_ms < 1);
    assert_int_equal(rig->info.usage, SC_RTC_NORMAL);
    assert_int_equal(rig->info.overused_ns, 0);
    rig_free(rig);
}

static void test_loss(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig->lose = 20;
    run(rig, 2e6, 10e6, 5);
    assert_near(rig->info.loss, 0.05, 0.2);
    assert_false(rig->info.lossy);
    int64_t before = rig->info.bitrate;
    assert_true(before > 1800000);
    rig->lose = 4;
    run(rig, 2e6, 10e6, 3);
    assert_true(rig->info.lossy);
    assert_true(rig->info.bitrate < before);
    assert_true(rig->info.bitrate >= rig->info.received * 0.45); // half of it is left
    rig->lose = 0;
    run(rig, 2e6, 10e6, 4);
    assert_true(rig->info.bitrate > 1900000);
    rig_free(rig);
}

// What was called lost and comes after all is not lost, whenever it is told.
static void test_late(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    struct sc_rtc_arrival late[MOST];
    int count = 0;
    for (int step = 0; step < 60; step++) {
        run(rig, 1e6, 10e6, 0.05);
        for (int i = 0; i < rig->count; i++)
            if (i % 3 == 0 && count < MOST) {
                late[count++] = rig->arrivals[i];
                rig->arrivals[i].lost = true;
            }
    }
    feed(rig);
    assert_true(rig->info.lossy);
    sc_rtc_estimate_feed(rig->estimate, late, count, rig->now_ns);
    sc_rtc_estimate_get(rig->estimate, &rig->info);
    assert_true(rig->info.loss < 0.02);
    assert_near((double)rig->info.received, 1e6, 0.05);
    rig_free(rig);
}

// A report that comes twice counts once.
static void test_repeated(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    for (int step = 0; step < 200; step++) {
        struct sc_rtc_arrival again[MOST];
        run(rig, 1e6, 10e6, 0.02);
        int count = rig->count;
        memcpy(again, rig->arrivals, sizeof(again));
        feed(rig);
        sc_rtc_estimate_feed(rig->estimate, again, count, rig->now_ns);
    }
    sc_rtc_estimate_get(rig->estimate, &rig->info);
    assert_near((double)rig->info.received, 1e6, 0.05);
    assert_int_equal(rig->info.overused_ns, 0);
    rig_free(rig);
}

// --- by delay -------------------------------------------------------------------------------

static void test_overuse(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    run(rig, 2e6, 4e6, 5);
    assert_true(rig->info.bitrate >= 1950000);
    run(rig, 2e6, 1e6, 0.7);
    assert_true(rig->info.overused_ns > 0);
    assert_near((double)rig->info.bitrate, 0.85e6, 0.06); // of what the link carries
    assert_true(rig->info.queue_ms > 100);
    run(rig, 0.5e6, 1e6, 5);
    assert_true(rig->info.queue_ms < 10); // a packet takes 7 ms longer there
    assert_int_equal(rig->info.usage, SC_RTC_NORMAL);
    rig_free(rig);
}

// Far from a fall by 8 % a second, to 1.5 times what arrives and no further.
static void test_growth(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    run(rig, 1.2e6, 20e6, 1);
    double first = (double)rig->info.bitrate;
    run(rig, 1.2e6, 20e6, 1);
    assert_near((double)rig->info.bitrate, first * 1.08, 0.01);
    run(rig, 1.2e6, 20e6, 20);
    assert_near((double)rig->info.bitrate, 1.8e6, 0.03);
    run(rig, 4e6, 20e6, 1.2); // what is carried is carried, whatever was thought
    assert_true(rig->info.bitrate > 3900000);
    rig_free(rig);
}

// Little is sent for a while: what was known stays, and a short queue then is no limit.
static void test_little_sent(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    run(rig, 3e6, 4e6, 10);
    int64_t before = rig->info.bitrate;
    assert_true(before > 2900000);
    run(rig, 0.1e6, 4e6, 60);
    assert_true(rig->info.bitrate >= before);
    run(rig, 8e6, 4e6, 0.08); // a burst
    run(rig, 0.1e6, 4e6, 2);
    assert_true(rig->info.bitrate >= before);
    assert_int_equal(rig->info.overused_ns, 0);
    rig_free(rig);
}

// --- the other side's clock -----------------------------------------------------------------

static void test_skew(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct rig *rig = rig_new();
        rig->skew = i ? 300e-6 : -300e-6;
        run(rig, 0.3e6, 4e6, 600);
        assert_int_equal(rig->info.overused_ns, 0);
        assert_true(rig->info.queue_ms < 12);
        rig_free(rig);
    }
}

static void test_jumps(void **state)
{
    (void)state;
    static const double jumps_s[] = {-86400, 86400, 3600, -40, 500000};
    struct rig *rig = rig_new();
    run(rig, 2e6, 4e6, 5);
    for (size_t i = 0; i < SC_COUNT(jumps_s); i++) {
        rig->offset_ns = (rig->offset_ns + (int64_t)(jumps_s[i] * SC_NS_PER_S)) % WRAP_NS;
        if (rig->offset_ns < 0)
            rig->offset_ns += WRAP_NS;
        run(rig, 2e6, 4e6, 3);
        assert_near((double)rig->info.received, 2e6, 0.05);
        assert_true(rig->info.queue_ms < 5);
        assert_int_equal(rig->info.overused_ns, 0);
    }
    rig_free(rig);
}

// --- silence, bursts, nonsense --------------------------------------------------------------

static void test_silence(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    run(rig, 2e6, 8e6, 8);
    double before = (double)rig->info.bitrate;
    for (int i = 0; i < 9; i++)
        sc_rtc_estimate_feed(rig->estimate, NULL, 0, rig->now_ns += 100 * SC_NS_PER_MS);
    sc_rtc_estimate_get(rig->estimate, &rig->info);
    assert_near((double)rig->info.bitrate, before, 0.001);
    for (int i = 0; i < 12; i++)
        sc_rtc_estimate_feed(rig->estimate, NULL, 0, rig->now_ns += 100 * SC_NS_PER_MS);
    sc_rtc_estimate_get(rig->estimate, &rig->info);
    assert_near((double)rig->info.bitrate, before / 4, 0.01);
    assert_int_equal(rig->info.usage, SC_RTC_OVERUSE);
    assert_true(rig->info.overused_ns > 0);
    rig->next_ns = rig->now_ns;
    run(rig, 2e6, 8e6, 2);
    assert_true(rig->info.bitrate > 1900000);
    rig_free(rig);
}

// Before anything was heard silence means nothing: the connection is young.
static void test_silence_first(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    for (int i = 0; i < 100; i++)
        sc_rtc_estimate_feed(rig->estimate, NULL, 0, rig->now_ns += 100 * SC_NS_PER_MS);
    sc_rtc_estimate_get(rig->estimate, &rig->info);
    assert_int_equal(rig->info.bitrate, 1500000);
    assert_int_equal(rig->info.overused_ns, 0);
    rig_free(rig);
}

static void test_bursts(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    run(rig, 0.3e6, 4e6, 2);
    assert_int_equal(rig->info.burst, 0);
    run(rig, 3e6, 4e6, 0.05);
    run(rig, 0.3e6, 4e6, 0.5);
    assert_near((double)rig->info.burst, 3e6, 0.1);
    assert_false(rig->info.slowed);
    run(rig, 8e6, 4e6, 0.05);
    run(rig, 0.3e6, 4e6, 0.5);
    assert_near((double)rig->info.burst, 4e6, 0.1);
    assert_true(rig->info.slowed);
    run(rig, 0.3e6, 4e6, 12);
    assert_int_equal(rig->info.burst, 0);
    rig_free(rig);
}

static int64_t any(uint32_t *random)
{
    static const int64_t odd[] = {0, -1, 1, INT64_MIN, INT64_MAX, WRAP_NS, -WRAP_NS};
    size_t i = (size_t)(link_random(random) * 12);
    return i < SC_COUNT(odd) ? odd[i] : (int64_t)(link_random(random) * 1e13);
}

static void test_nonsense(void **state)
{
    (void)state;
    uint32_t random = 4711;
    struct rig *rig = rig_new();
    run(rig, 1e6, 4e6, 1);
    for (int round = 0; round < 3000; round++) {
        rig->now_ns += 50 * SC_NS_PER_MS;
        for (rig->count = 0; rig->count < 20; rig->count++)
            rig->arrivals[rig->count] = (struct sc_rtc_arrival){
                .seq = (uint16_t)any(&random),
                .lost = link_random(&random) < 0.3,
                .sent_ns = link_random(&random) < 0.5 ? rig->now_ns : any(&random),
                .arrived_ns = any(&random),
                .size = link_random(&random) < 0.5 ? 500 : (int)any(&random),
            };
        feed(rig);
        assert_in_range(rig->info.bitrate, 50000, 50000000);
        assert_true(rig->info.received >= 0 && rig->info.loss >= 0 && rig->info.loss <= 1);
        assert_true(rig->info.queue_ms >= 0);
    }
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),       cmocka_unit_test(test_loss),
        cmocka_unit_test(test_late),          cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_overuse),       cmocka_unit_test(test_growth),
        cmocka_unit_test(test_little_sent),   cmocka_unit_test(test_skew),
        cmocka_unit_test(test_jumps),         cmocka_unit_test(test_silence),
        cmocka_unit_test(test_silence_first), cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
