// Suppression, mapping, clipping, order and bounds of candidates.
#include <math.h>
#include <stdlib.h>

#include "../base/test.h"
#include "vision/family.h"

static const struct sc_mapping plain = {0, 0, 1, 1, 100, 100};

static void add(struct sc_candidates *c, float x, float y, float side, float score, int class)
{
    assert_true(sc_candidates_add(c, x, y, x + side, y + side, score, class));
}

static sc_detections *finish(struct sc_candidates *c, double iou, int most,
                             const struct sc_mapping *mapping)
{
    struct sc_contract contract = {.iou = iou, .most = most};
    sc_detections *d = sc_candidates_finish(c, &contract, mapping);
    assert_non_null(d);
    return d;
}

static void suppression_is_by_class(void **state)
{
    (void)state;
    struct sc_candidates c = {.most = 100};
    add(&c, 10, 10, 20, 0.5f, 1);
    add(&c, 11, 11, 20, 0.9f, 1); // overlaps by 0.82
    add(&c, 10, 10, 20, 0.7f, 2); // another class
    add(&c, 60, 60, 20, 0.6f, 1); // elsewhere
    sc_detections *d = finish(&c, 0.7, 10, &plain);
    assert_int_equal(d->count, 3);
    assert_float_equal(d->items[0].score, 0.9, 1e-6);
    assert_int_equal(d->items[1].class, 2);
    assert_float_equal(d->items[2].x1, 60, 0);
    sc_detections_unref(&d);
    // The same ones without suppression, and with one that tolerates this overlap.
    for (int i = 0; i < 2; i++) {
        add(&c, 10, 10, 20, 0.5f, 1);
        add(&c, 11, 11, 20, 0.9f, 1);
        d = finish(&c, i ? 0.83 : 0, 10, &plain);
        assert_int_equal(d->count, 2);
        assert_int_equal(d->items[0].track, 0);
        sc_detections_unref(&d);
    }
    sc_candidates_release(&c);
    sc_candidates_release(&c);
}

static void boxes_are_mapped_and_clipped(void **state)
{
    (void)state;
    struct sc_candidates c = {.most = 100};
    struct sc_mapping half = {-10, 20, 0.5f, 2, 100, 200};
    add(&c, 10, 10, 100, 0.5f, 0);   // -5..45, 40..240
    add(&c, 0, 0, 20, 0.9f, 0);      // ends at 0: nothing left
    add(&c, 220, 0, 20, 0.8f, 0);    // begins at 100
    add(&c, 30, -100, 80, 0.85f, 0); // -180..-20
    sc_detections *d = finish(&c, 0.5, 10, &half);
    assert_int_equal(d->count, 1);
    assert_float_equal(d->items[0].x1, 0, 0);
    assert_float_equal(d->items[0].x2, 45, 1e-4);
    assert_float_equal(d->items[0].y1, 40, 1e-4);
    assert_float_equal(d->items[0].y2, 200, 0);
    assert_int_equal(d->width, 100);
    assert_int_equal(d->height, 200);
    sc_detections_unref(&d);
    sc_candidates_release(&c);
}

static void what_is_no_box_is_left_out(void **state)
{
    (void)state;
    struct sc_candidates c = {.most = 100};
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        assert_true(sc_candidates_add(&c, bad[i], 0, 10, 10, 0.5f, 0));
        assert_true(sc_candidates_add(&c, 0, bad[i], 10, 10, 0.5f, 0));
        assert_true(sc_candidates_add(&c, 0, 0, bad[i], 10, 0.5f, 0));
        assert_true(sc_candidates_add(&c, 0, 0, 10, bad[i], 0.5f, 0));
        assert_true(sc_candidates_add(&c, 0, 0, 10, 10, bad[i], 0));
    }
    assert_true(sc_candidates_add(&c, 10, 0, 10, 10, 0.5f, 0));
    assert_true(sc_candidates_add(&c, 0, 10, 10, 0, 0.5f, 0));
    assert_true(sc_candidates_add(&c, 0, 0, 10, 10, 0, 0));
    assert_int_equal(c.count, 0);
    add(&c, 0, 0, 10, 1.5f, 0);
    sc_detections *d = finish(&c, 0, 10, &plain);
    assert_int_equal(d->count, 1);
    assert_float_equal(d->items[0].score, 1, 0);
    sc_detections_unref(&d);
    sc_candidates_release(&c);
}

static void equal_scores_keep_their_order(void **state)
{
    (void)state;
    struct sc_candidates c = {.most = 100};
    for (int i = 0; i < 90; i++)
        add(&c, (float)i, 0, 1, i % 3 ? 0.5f : 0.6f, i);
    sc_detections *d = finish(&c, 0, 60, &plain);
    assert_int_equal(d->count, 60);
    for (int i = 1; i < 60; i++)
        assert_true(d->items[i].score < d->items[i - 1].score ||
                    d->items[i].class > d->items[i - 1].class);
    sc_detections_unref(&d);
    sc_candidates_release(&c);
}

// The bound keeps the best, whatever the order they come in, and forgets nothing it should keep.
static void the_bound_keeps_the_best(void **state)
{
    (void)state;
    struct sc_candidates c = {.most = 500};
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 20000; i++) {
            unsigned place = i * 7919 % 20000;
            add(&c, 0, 0, 1, (float)(place + 1) / 20001, (int)place);
        }
        assert_true(c.room <= 1000);
        sc_detections *d = finish(&c, 0, 500, &plain);
        assert_int_equal(d->count, 500);
        for (int i = 0; i < 500; i++)
            assert_int_equal(d->items[i].class, 19999 - i);
        sc_detections_unref(&d);
    }
    sc_candidates_release(&c);
}

static void nothing_gives_an_empty_list(void **state)
{
    (void)state;
    struct sc_candidates c = {.most = 10};
    sc_detections *d = finish(&c, 0.5, 10, &plain);
    assert_int_equal(d->count, 0);
    assert_int_equal(d->width, 100);
    sc_detections_unref(&d);
    sc_candidates_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suppression_is_by_class),
        cmocka_unit_test(boxes_are_mapped_and_clipped),
        cmocka_unit_test(what_is_no_box_is_left_out),
        cmocka_unit_test(equal_scores_keep_their_order),
        cmocka_unit_test(the_bound_keeps_the_best),
        cmocka_unit_test(nothing_gives_an_empty_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
