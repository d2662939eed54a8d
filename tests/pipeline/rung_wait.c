// Encoded pictures and what was found in them: in any order of coming, each leaves once, in order, with its own.
#include "pipeline/rung_wait.h"

#include <stdlib.h>

#include <libavcodec/packet.h>

#include "../base/test.h"
#include "base/mem.h"

static void put(struct sc_rung_wait *wait, int64_t pts_ns, int size)
{
    AVPacket *av = av_packet_alloc();
    assert_int_equal(av_new_packet(av, size), 0);
    sc_packet *packet = sc_packet_wrap(av, SC_MEDIA_VIDEO);
    const struct sc_live_sample sample = {.packet = packet, .pts_ns = pts_ns, .n = pts_ns};
    sc_rung_wait_put(wait, &sample);
    sc_packet_unref(&packet);
}

// What is found in a picture tells its pts by its width.
static void find(struct sc_rung_wait *wait, int64_t pts_ns)
{
    sc_detections *found = sc_detections_new(0);
    found->width = (int)pts_ns;
    sc_rung_wait_find(wait, pts_ns, found, true);
    sc_detections_unref(&found);
}

// The pts that leaves, -1 = none; *with: there was something found, and it is its own.
static int64_t take(struct sc_rung_wait *wait, bool all, bool *with)
{
    struct sc_live_sample sample;
    if (!sc_rung_wait_take(wait, all, &sample))
        return -1;
    *with = sample.found;
    assert_int_equal(sample.detected, *with);
    if (sample.found)
        assert_int_equal(sample.found->width, sample.pts_ns);
    assert_non_null(sample.packet->av->data);
    sc_packet_unref(&sample.packet);
    sc_detections_unref(&sample.found);
    return sample.pts_ns;
}

static void test_either_comes_first(void **state)
{
    (void)state;
    struct sc_rung_wait wait = {0};
    bool with;
    put(&wait, 1, 10);
    assert_int_equal(take(&wait, false, &with), -1);
    find(&wait, 1);
    assert_int_equal(take(&wait, false, &with), 1);
    assert_true(with);
    find(&wait, 2);
    assert_int_equal(take(&wait, false, &with), -1);
    put(&wait, 2, 10);
    assert_int_equal(take(&wait, false, &with), 2);
    assert_true(with);
    assert_int_equal(take(&wait, false, &with), -1);
    sc_rung_wait_clear(&wait);
}

static void test_what_is_missing_holds_nothing_up(void **state)
{
    (void)state;
    struct sc_rung_wait wait = {0};
    bool with;
    put(&wait, 1, 10);
    put(&wait, 2, 10);
    find(&wait, 2); // 1's was dropped
    assert_int_equal(take(&wait, false, &with), 1);
    assert_false(with);
    assert_int_equal(take(&wait, false, &with), 2);
    assert_true(with);
    find(&wait, 3); // whose picture was dropped
    find(&wait, 4);
    put(&wait, 4, 10);
    assert_int_equal(take(&wait, false, &with), 4);
    assert_true(with);
    sc_rung_wait_find(&wait, 5, NULL, false); // nothing known
    put(&wait, 5, 10);
    assert_int_equal(take(&wait, false, &with), 5);
    assert_false(with);
    sc_rung_wait_clear(&wait);
}

static void test_bounds(void **state)
{
    (void)state;
    struct sc_rung_wait wait = {0};
    bool with;
    for (int i = 0; i < SC_RUNG_WAIT_PICTURES; i++)
        put(&wait, i, 10);
    assert_int_equal(take(&wait, false, &with), 0); // full
    assert_int_equal(take(&wait, false, &with), -1);
    for (int i = 1; i < SC_RUNG_WAIT_PICTURES; i++)
        assert_int_equal(take(&wait, true, &with), i);
    assert_int_equal(wait.bytes, 0);
    put(&wait, 1000, SC_RUNG_WAIT_BYTES / 2 + 1);
    put(&wait, 1001, SC_RUNG_WAIT_BYTES / 2 + 1);
    assert_int_equal(take(&wait, false, &with), 1000);
    assert_int_equal(take(&wait, false, &with), -1);
    for (int i = 0; i < 2 * SC_RUNG_WAIT_FINDINGS; i++) // the oldest go
        find(&wait, 1001 + i);
    assert_int_equal(take(&wait, false, &with), 1001);
    assert_false(with);
    sc_rung_wait_clear(&wait); // with findings inside
    put(&wait, 1, 10);
    find(&wait, 2);
    sc_rung_wait_clear(&wait);
    assert_int_equal(take(&wait, true, &with), -1);
}

// Random delays and losses on both sides: what leaves is in order, once, with its own where both came.
static void test_any_order(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct sc_rung_wait wait = {0};
    unsigned seed = 7;
    int64_t last = 0, left = 0, matched = 0, encoded = 1, found = 1, sent = 0;
    while (encoded < COUNT || found < COUNT) {
        bool encode = encoded < COUNT && (rand_r(&seed) % 2 || found >= COUNT);
        if (encode && encoded - found > 30)
            encode = false;
        if (!encode && found - encoded > 30)
            encode = true;
        if (encode) {
            if (rand_r(&seed) % 8) {
                put(&wait, encoded, 10);
                sent++;
            }
            encoded++;
        } else {
            if (rand_r(&seed) % 8)
                find(&wait, found);
            found++;
        }
        bool with;
        for (int64_t pts; (pts = take(&wait, false, &with)) >= 0; last = pts) {
            assert_true(pts > last);
            left++;
            matched += with;
        }
    }
    bool with;
    while (take(&wait, true, &with) >= 0)
        left++;
    assert_int_equal(left, sent);
    assert_in_range(matched, sent * 80 / 100, sent * 95 / 100); // 7 of 8
    sc_rung_wait_clear(&wait);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_either_comes_first),
        cmocka_unit_test(test_what_is_missing_holds_nothing_up),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests_name("pipeline/rung_wait", tests, NULL, NULL);
}
