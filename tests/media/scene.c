#include "media/scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "media/frame.h"

static sc_scene *open_scene(const struct sc_scene_params *params)
{
    sc_scene *scene;
    sc_err err = {0};
    assert_int_equal(sc_scene_open(&scene, params, &err), SC_OK);
    return scene;
}

static uint64_t hash_of(sc_scene *scene, int64_t n)
{
    AVFrame *frame = sc_scene_frame_new(scene);
    assert_non_null(frame);
    sc_scene_render(scene, n, frame);
    assert_int_equal(frame->pts, n);
    assert_int_equal(frame->colorspace, AVCOL_SPC_BT709);
    assert_int_equal(frame->color_range, AVCOL_RANGE_MPEG);
    uint64_t hash = sc_frame_hash(frame);
    av_frame_free(&frame);
    return hash;
}

static void same_seed_same_frames(void **state)
{
    (void)state;
    struct sc_scene_params params = {.width = 320, .height = 240, .seed = 7};
    sc_scene *a = open_scene(&params), *b = open_scene(&params);
    params.seed = 8;
    sc_scene *other = open_scene(&params);
    uint64_t first = hash_of(a, 20), later = hash_of(a, 40);
    assert_int_equal(hash_of(b, 40), later);
    assert_int_equal(hash_of(b, 20), first); // going back plays the match again
    assert_int_not_equal(first, later);
    assert_int_not_equal(hash_of(other, 20), first);
    sc_scene_close(&a);
    sc_scene_close(&b);
    sc_scene_close(&other);
    assert_null(other);
}

// Extremes of size, rate and every knob.
static void every_size_and_rate_renders(void **state)
{
    (void)state;
    static const struct sc_scene_params cases[] = {
        {.width = 128, .height = 64},
        {.width = 130, .height = 98, .fps = {24000, 1001}, .zoom = 8, .pan_x = 1, .pan_y = -1},
        {.width = 426, .height = 240, .fps = {1, 1}, .zoom = 0.5, .blur = 4, .noise = 20},
        {.width = 240, .height = 426, .fps = {240, 1}, .light = 1.6, .noise = -1},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        struct sc_scene_box boxes[SC_SCENE_MAX_BOXES];
        sc_scene *scene = open_scene(&cases[i]);
        assert_int_not_equal(hash_of(scene, 0), hash_of(scene, 30));
        int count = sc_scene_boxes(scene, 30, boxes);
        assert_in_range(count, 0, SC_SCENE_MAX_BOXES);
        sc_scene_close(&scene);
    }
}

static void bad_params_are_named(void **state)
{
    (void)state;
    static const struct {
        struct sc_scene_params params;
        const char *field;
    } cases[] = {
        {{.width = 321}, "width"},  {{.width = 126}, "width"}, {{.height = 8194}, "height"},
        {{.height = -2}, "height"}, {{.fps = {30, 0}}, "fps"}, {{.fps = {1000, 1}}, "fps"},
        {{.zoom = NAN}, "zoom"},    {{.pan_x = 1.5}, "pan_x"}, {{.noise = 21}, "noise"},
        {{.light = -1}, "light"},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_scene *scene;
        sc_err err = {0};
        assert_int_equal(sc_scene_open(&scene, &cases[i].params, &err), SC_EARG);
        assert_string_equal(err.field, cases[i].field);
        assert_null(scene);
    }
}

static int chroma(const AVFrame *frame, int plane, double x, double y)
{
    return frame->data[plane][(ptrdiff_t)(y / 2) * frame->linesize[plane] + (int)(x / 2)];
}

// Does the box show much of the team's colour? Home is red (Cr high), away blue (Cb high).
static bool shows_team(const AVFrame *frame, const struct sc_scene_box *box)
{
    int match = 0;
    for (double y = box->y1 + 1; y < box->y2 - 1; y += 2)
        for (double x = box->x1 + 1; x < box->x2 - 1; x += 2)
            match += chroma(frame, box->team == 0 ? 2 : 1, x, y) > 150;
    return match >= 6;
}

static void check_box(const struct sc_scene_box *box, int width, int height)
{
    assert_true(box->x1 >= 0 && box->x1 < box->x2 && box->x2 <= (float)width);
    assert_true(box->y1 >= 0 && box->y1 < box->y2 && box->y2 <= (float)height);
    assert_true(box->visible > 0 && box->visible <= 1.0001f);
    assert_true(box->clear >= 0 && box->clear <= 1);
}

static void truth_lies_on_players(void **state)
{
    (void)state;
    struct sc_scene_params params = {
        .seed = 3, .kit = {0xd01010, 0x1020d0}, .noise = -1, .no_overlay = true, .zoom = 1.5};
    sc_scene *scene = open_scene(&params);
    AVFrame *frame = sc_scene_frame_new(scene);
    struct sc_scene_box boxes[SC_SCENE_MAX_BOXES];
    int players = 0, shown = 0, balls = 0;
    for (int64_t n = 0; n < 300; n += 30) {
        sc_scene_render(scene, n, frame);
        int count = sc_scene_boxes(scene, n, boxes);
        for (int i = 0; i < count; i++) {
            check_box(&boxes[i], 1280, 720);
            balls += boxes[i].cls == SC_SCENE_BALL;
            if (boxes[i].cls == SC_SCENE_BALL || boxes[i].keeper || boxes[i].clear < 0.9f)
                continue;
            players++;
            shown += shows_team(frame, &boxes[i]);
        }
    }
    assert_true(players > 80);
    assert_int_equal(shown, players);
    assert_true(balls > 0);
    av_frame_free(&frame);
    sc_scene_close(&scene);
}

// The share of the box that is as bright and as colourless as the ball alone.
static double white_share(const AVFrame *frame, const struct sc_scene_box *box)
{
    int all = 0, white = 0;
    for (int y = (int)box->y1; y < (int)box->y2; y++) {
        for (int x = (int)box->x1; x < (int)box->x2; x++) {
            all++;
            white += frame->data[0][(ptrdiff_t)y * frame->linesize[0] + x] > 150 &&
                     abs(chroma(frame, 1, x, y) - 128) < 20;
        }
    }
    return (double)white / all;
}

// Shirts are dark here: what is white where the ball is drawn is what shows of it, give or take
// some shorts. Of a box 0.74 is as bright as that where the ball is clear.
static void what_is_clear_shows(void **state)
{
    (void)state;
    struct sc_scene_params params = {
        .zoom = 4, .seed = 12, .kit = {0x800000, 0x000060}, .noise = -1, .no_overlay = true};
    sc_scene *scene = open_scene(&params);
    AVFrame *frame = sc_scene_frame_new(scene);
    struct sc_scene_box boxes[SC_SCENE_MAX_BOXES];
    int clear = 0, hidden = 0;
    for (int64_t n = 0; n < 1500; n += 5) {
        int count = sc_scene_boxes(scene, n, boxes);
        const struct sc_scene_box *ball = &boxes[count - 1];
        if (count == 0 || ball->cls != SC_SCENE_BALL || ball->visible < 1)
            continue;
        assert_int_equal(ball->team, -1);
        sc_scene_render(scene, n, frame);
        double white = white_share(frame, ball);
        assert_true(fabs(white - 0.74 * ball->clear) < 0.25);
        clear += ball->clear == 1;
        hidden += ball->clear < SC_SCENE_CLEAR;
    }
    assert_true(clear > 10);
    assert_true(hidden > 0);
    av_frame_free(&frame);
    sc_scene_close(&scene);
}

static void scoreboard_and_edges_hide(void **state)
{
    (void)state;
    struct sc_scene_params params = {.zoom = 1.5, .pan_x = 0.3, .pan_y = -0.4};
    sc_scene *with = open_scene(&params);
    params.no_overlay = true;
    sc_scene *without = open_scene(&params);
    struct sc_scene_box a[SC_SCENE_MAX_BOXES], b[SC_SCENE_MAX_BOXES];
    int covered = 0, cut = 0;
    for (int64_t n = 0; n < 600; n += 5) {
        int count = sc_scene_boxes(with, n, a);
        assert_int_equal(sc_scene_boxes(without, n, b), count);
        for (int i = 0; i < count; i++) {
            bool beside = a[i].x1 > 384 || a[i].y1 > 54;
            check_box(&a[i], 1280, 720);
            assert_true(beside ? a[i].clear == b[i].clear : a[i].clear <= b[i].clear);
            covered += a[i].clear < SC_SCENE_CLEAR && b[i].clear == 1;
            cut += b[i].visible < 0.4f;
            assert_true(b[i].visible >= 0.4f || b[i].clear < 0.8f);
        }
    }
    assert_true(covered > 0);
    assert_true(cut > 0);
    sc_scene_close(&with);
    sc_scene_close(&without);
}

// No one jumps: between two frames at 30 a second a player moves less than 0.4 m.
static void motion_is_smooth(void **state)
{
    (void)state;
    sc_scene *scene =
        open_scene(&(struct sc_scene_params){.width = 640, .height = 360, .seed = 5});
    struct sc_scene_box was[SC_SCENE_MAX_BOXES], is[SC_SCENE_MAX_BOXES];
    int last = sc_scene_boxes(scene, 0, was), moved = 0;
    for (int64_t n = 1; n < 900; n++) {
        int count = sc_scene_boxes(scene, n, is);
        for (int i = 0; i < count && i < last; i++) {
            if (is[i].id != was[i].id || is[i].cls == SC_SCENE_BALL)
                continue;
            double d = fabs((is[i].x1 + is[i].x2 - was[i].x1 - was[i].x2) / 2);
            assert_true(d < 4);
            moved += d > 0.2;
        }
        memcpy(was, is, sizeof(is));
        last = count;
    }
    assert_true(moved > 900);
    sc_scene_close(&scene);
}

static void stamp_is_read_back(void **state)
{
    (void)state;
    sc_scene *scene = open_scene(&(struct sc_scene_params){.width = 128, .height = 64});
    AVFrame *frame = sc_scene_frame_new(scene);
    static const int64_t numbers[] = {0, 1, 255, 4660};
    for (size_t i = 0; i < SC_COUNT(numbers); i++) {
        sc_scene_render(scene, numbers[i], frame);
        assert_int_equal(sc_scene_read_stamp(frame), numbers[i]);
    }
    memset(frame->data[0], 120, (size_t)frame->linesize[0] * 8);
    assert_int_equal(sc_scene_read_stamp(frame), -1);
    av_frame_free(&frame);
    sc_scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_frames), cmocka_unit_test(every_size_and_rate_renders),
        cmocka_unit_test(bad_params_are_named),  cmocka_unit_test(truth_lies_on_players),
        cmocka_unit_test(what_is_clear_shows),   cmocka_unit_test(scoreboard_and_edges_hide),
        cmocka_unit_test(motion_is_smooth),      cmocka_unit_test(stamp_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
