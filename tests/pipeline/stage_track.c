// The track stage: ids, late detections, cuts, repeated boxes.
#include "pipeline/stage_track.h"

#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/mem.h"
#include "shots.h"

struct rig {
    struct shots shots;
    struct sc_track_figures figures;
};

static struct rig *rig_open(struct sc_stage_track_params params)
{
    struct rig *rig = sc_new(struct rig);
    sc_stage *stage;
    shots_open(&rig->shots);
    params.figures = &rig->figures;
    assert_int_equal(sc_stage_track_add(rig->shots.graph, NULL, &params, &stage, NULL), SC_OK);
    shots_start(&rig->shots, stage);
    return rig;
}

static void rig_close(struct rig **prig)
{
    struct rig *rig = *prig;
    shots_close(&rig->shots);
    free(rig);
    *prig = NULL;
}

static const sc_shot *send(struct rig *rig, sc_shot *shot)
{
    int count = rig->shots.sent_count + 1;
    shots_send(&rig->shots, shot);
    shots_wait_seen(&rig->shots, count);
    return rig->shots.seen[count - 1];
}

// One thing that moves 10 pixels a picture, and `weak` others that stand still.
static sc_detections *thing(int n, int weak)
{
    sc_detections *list = sc_detections_new(1 + weak);
    list->width = 1920;
    list->height = 1080;
    float x = 100 + 10 * (float)n;
    list->items[0] =
        (struct sc_detection){.x1 = x, .y1 = 100, .x2 = x + 200, .y2 = 300, .score = 0.9f};
    for (int i = 0; i < weak; i++)
        list->items[1 + i] = (struct sc_detection){.x1 = 1000,
                                                   .y1 = 200 * (float)i,
                                                   .x2 = 1100,
                                                   .y2 = 100 + 200 * (float)i,
                                                   .score = 0.2f};
    return list;
}

static sc_shot *undetected(int n)
{
    return shots_make(n);
}

static sc_shot *detected(int n)
{
    sc_shot *shot = shots_make(n);
    sc_shot_set_found(shot, thing(n, 0), true);
    return shot;
}

static sc_shot *with_late(sc_shot *shot, int n)
{
    sc_shot_set_late(shot, thing(n, 0), n * 10 * MS);
    return shot;
}

// Gives shot a picture of so many pixels: another size is a cut.
static sc_shot *sized(sc_shot *shot, int size)
{
    AVFrame *av = shot->frame->av;
    av->format = AV_PIX_FMT_YUV420P;
    av->width = av->height = size;
    assert_int_equal(av_frame_get_buffer(av, 0), 0);
    for (int p = 0; p < 4 && av->buf[p]; p++)
        memset(av->buf[p]->data, 0x80, av->buf[p]->size);
    return shot;
}

static int64_t track_of(const sc_shot *shot)
{
    assert_non_null(shot->found);
    assert_int_equal(shot->found->count, 1);
    return shot->found->items[0].track;
}

static void check_place(const sc_shot *shot, int n)
{
    const float near = 8; // less than it moves from one picture to the next
    float want = 100 + 10 * (float)n;
    assert_true(track_of(shot) > 0);
    float x1 = shot->found->items[0].x1;
    if (x1 < want - near || x1 > want + near)
        fail_msg("picture %d: at %g, not at %g", n, (double)x1, (double)want);
}

// --- with a tracker -----------------------------------------------------------------------------

static void test_detections_get_ids_and_the_rest_is_expected(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_stage_track_params){.track = true});
    assert_null(send(rig, undetected(0))->found); // nothing is known
    for (int n = 1; n < 40; n++) {
        const sc_shot *shot = send(rig, n > 20 && n % 2 ? undetected(n) : detected(n));
        assert_int_equal(shot->detected, !(n > 20 && n % 2));
        assert_int_equal(track_of(shot), 1);
        if (n > 20)
            check_place(shot, n);
    }
    assert_int_equal(atomic_load(&rig->figures.objects), 1);
    assert_int_equal(atomic_load(&rig->figures.ids), 1);
    assert_int_equal(atomic_load(&rig->figures.cuts), 0);
    rig_close(&rig);
}

// Each picture's answer comes with the third one after it.
static void test_late_detections_count_at_their_time(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_stage_track_params){.track = true});
    for (int n = 0; n < 40; n++) {
        const sc_shot *shot =
            send(rig, n < 3 ? undetected(n) : with_late(undetected(n), n - 3));
        assert_null(shot->late);
        assert_false(shot->detected);
        if (n >= 3)
            assert_int_equal(track_of(shot), 1);
        if (n > 25)
            check_place(shot, n);
    }
    const sc_shot *both = send(rig, with_late(detected(40), 37));
    assert_true(both->detected);
    check_place(both, 40);
    const sc_shot *older = send(rig, with_late(undetected(41), 38)); // than what is known
    check_place(older, 41);
    assert_int_equal(atomic_load(&rig->figures.ids), 1);
    rig_close(&rig);
}

static void test_a_cut_ends_what_is_known(void **state)
{
    (void)state;
    for (int track = 0; track < 2; track++) {
        struct rig *rig = rig_open((struct sc_stage_track_params){.track = track});
        assert_false(send(rig, sized(detected(0), 64))->cut);
        assert_non_null(send(rig, sized(undetected(1), 64))->found);
        const sc_shot *first = send(rig, sized(with_late(undetected(2), 1), 96));
        assert_true(first->cut);
        assert_null(first->found);
        assert_null(send(rig, sized(with_late(undetected(3), 1), 96))->found);
        const sc_shot *found = send(rig, sized(with_late(undetected(4), 2), 96));
        assert_false(found->cut);
        assert_int_equal(track_of(found), track ? 2 : 0);
        assert_int_equal(atomic_load(&rig->figures.cuts), 1);
        rig_close(&rig);
    }
}

static void test_what_is_weak_is_left_out_unless_tracked(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_stage_track_params){.track = true, .threshold = 0.5});
    send(rig, detected(0));
    sc_shot *shot = shots_make(1);
    sc_detections *list = thing(1, 3);
    list->items[0].score = 0.4f; // after 0.9: who it is, is known
    sc_shot_set_found(shot, list, true);
    const sc_shot *seen = send(rig, shot);
    assert_int_equal(track_of(seen), 1);
    assert_int_equal(seen->found->width, 1920);
    assert_int_equal(atomic_load(&rig->figures.objects), 1);
    rig_close(&rig);

    rig = rig_open((struct sc_stage_track_params){.threshold = 0.5});
    shot = shots_make(0);
    sc_shot_set_found(shot, thing(0, 3), true);
    assert_int_equal(send(rig, shot)->found->count, 1);
    rig_close(&rig);
}

// --- without ------------------------------------------------------------------------------------

static void test_boxes_are_repeated_for_a_while(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_stage_track_params){0});
    for (int n = 0; n < 60; n++) {
        sc_shot *shot = n == 3 ? detected(3) : undetected(n);
        if (n == 35)
            with_late(shot, 30);
        const sc_shot *seen = send(rig, shot);
        assert_int_equal(seen->detected, n == 3);
        bool known = (n >= 3 && n <= 23) || (n >= 35 && n <= 50);
        assert_int_equal(seen->found != NULL, known);
        if (known)
            assert_true(seen->found->items[0].x1 == (n <= 23 ? 130 : 400));
    }
    assert_int_equal(atomic_load(&rig->figures.objects), 0);
    rig_close(&rig);

    rig = rig_open((struct sc_stage_track_params){.repeat_ns = -1});
    assert_non_null(send(rig, detected(0))->found);
    assert_null(send(rig, undetected(1))->found);
    rig_close(&rig);
}

static void test_a_shared_shot_is_not_changed(void **state)
{
    (void)state;
    struct rig *rig = rig_open((struct sc_stage_track_params){.track = true});
    sc_shot *shot = with_late(detected(1), 0), *kept = sc_shot_ref(shot);
    sc_detections *found = shot->found;
    sc_shot *first = undetected(0);
    send(rig, first);
    const sc_shot *seen = send(rig, shot);
    assert_ptr_not_equal(seen, kept);
    assert_ptr_equal(seen->frame, kept->frame);
    assert_ptr_equal(kept->found, found);
    assert_int_equal(found->items[0].track, 0);
    assert_non_null(kept->late);
    assert_int_equal(track_of(seen), 1);
    sc_shot_unref(&kept);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detections_get_ids_and_the_rest_is_expected),
        cmocka_unit_test(test_late_detections_count_at_their_time),
        cmocka_unit_test(test_a_cut_ends_what_is_known),
        cmocka_unit_test(test_what_is_weak_is_left_out_unless_tracked),
        cmocka_unit_test(test_boxes_are_repeated_for_a_while),
        cmocka_unit_test(test_a_shared_shot_is_not_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
