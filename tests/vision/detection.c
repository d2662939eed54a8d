// Lists of detections: bounds, sharing, thresholds.
#include "vision/detection.h"

#include "../base/test.h"

static void thresholds(void **state)
{
    (void)state;
    sc_detections *d = sc_detections_new(4);
    const float scores[] = {0.9f, 0.5f, 0.5f, 0.1f};
    for (int i = 0; i < 4; i++)
        d->items[i].score = scores[i];
    assert_int_equal(sc_detections_above(d, 0), 4);
    assert_int_equal(sc_detections_above(d, 0.5), 3);
    assert_int_equal(sc_detections_above(d, 0.51), 1);
    assert_int_equal(sc_detections_above(d, 0.95), 0);
    sc_detections_unref(&d);
    assert_null(d);
}

static void who_is_shown(void **state)
{
    (void)state;
    sc_detections *d = sc_detections_new(3);
    d->width = 64;
    d->items[0].score = 0.9F;
    d->items[1].score = 0.4F;
    d->items[2] = (struct sc_detection){.score = 0.1F, .track = 5};
    sc_detections *chosen = sc_detections_choose(d, 0.5);
    assert_int_equal(chosen->width, 64);
    assert_int_equal(chosen->count, 2);
    assert_int_equal(chosen->items[1].track, 5);
    sc_detections_unref(&chosen);
    sc_detections_unref(&d);
}

static void sharing_and_bounds(void **state)
{
    (void)state;
    sc_detections *d = sc_detections_new(0), *same = sc_detections_ref(d);
    assert_non_null(d);
    assert_int_equal(sc_detections_above(d, 0), 0);
    sc_detections_unref(&d);
    assert_int_equal(same->count, 0);
    sc_detections_unref(&same);
    sc_detections_unref(&same);
    sc_detections_unref(NULL);
    assert_null(sc_detections_new(-1));
    assert_null(sc_detections_new(100001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds),
        cmocka_unit_test(who_is_shown),
        cmocka_unit_test(sharing_and_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
