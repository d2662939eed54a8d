#include "vision/camera.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define MS     INT64_C(1000000)
#define SECOND (1000 * MS)
#define BALL   32
#define PLAYER 7

static const int leads[] = {BALL}, players[] = {PLAYER};

static sc_camera *must_open(const struct sc_camera_params *params)
{
    sc_camera *camera;
    sc_err err = {0};
    if (sc_camera_open(&camera, params, &err))
        fail_msg("%s", err.text);
    return camera;
}

// Boxes of 10 x 10 around (x, y).
struct spot {
    float x, y;
    int class;
    int64_t track;
};

static sc_detections *make(int width, int height, const struct spot *spots, int count)
{
    sc_detections *found = sc_detections_new(count);
    found->width = width;
    found->height = height;
    found->count = count;
    for (int i = 0; i < count; i++)
        found->items[i] = (struct sc_detection){spots[i].x - 5, spots[i].y - 5, spots[i].x + 5,
                                                spots[i].y + 5, 0.9F,           spots[i].class,
                                                spots[i].track};
    return found;
}

// Puts a frame with these spots; gives the crop that comes out, if any.
static bool feed(sc_camera *camera, int64_t pts_ns, const struct spot *spots, int count,
                 bool cut, struct sc_crop *crop)
{
    sc_detections *found = make(1280, 720, spots, count);
    assert_int_equal(sc_camera_put(camera, pts_ns, found, cut), 0);
    sc_detections_unref(&found);
    return !sc_camera_get(camera, NULL, crop);
}

static float middle_x(const struct sc_crop *crop)
{
    return crop->x + crop->w / 2;
}

static float middle_y(const struct sc_crop *crop)
{
    return crop->y + crop->h / 2;
}

// --- what is promised whatever comes

struct motion {
    double at[3], speed[3], dt; // centre, width
    int known;                  // frames since the scene began
};

static void check_inside(const struct sc_camera_params *params, const struct sc_crop *crop)
{
    assert_true(crop->x >= 0 && crop->y >= 0 && crop->w > 0 && crop->h > 0);
    assert_true(crop->x + crop->w <= (float)params->width);
    assert_true(crop->y + crop->h <= (float)params->height);
    assert_true(fabs(crop->w / (params->aspect * crop->h) - 1) < 1e-5);
}

static void check_caps(const struct sc_camera_info *info, struct motion *motion, double dt,
                       const struct sc_crop *crop)
{
    const double at[3] = {crop->x + crop->w / 2.0, crop->y + crop->h / 2.0, crop->w};
    const double speed_cap[3] = {info->max_speed, info->max_speed, info->max_zoom_speed};
    const double turn_cap[3] = {info->max_acceleration, info->max_acceleration,
                                info->max_zoom_acceleration};
    double blur = 4096 * (double)FLT_EPSILON; // pixels that rounding to float moves things by
    if (motion->known && dt == 0)
        for (int i = 0; i < 3; i++)
            assert_true(fabs(at[i] - motion->at[i]) <= blur);
    for (int i = 0; i < 3 && motion->known && dt > 0; i++) {
        double speed = (at[i] - motion->at[i]) / dt;
        assert_true(fabs(speed) <= speed_cap[i] + blur / dt);
        double turn = (speed - motion->speed[i]) / ((dt + motion->dt) / 2);
        double least = fmin(dt, motion->dt);
        if (motion->known > 1)
            assert_true(fabs(turn) <= turn_cap[i] * 1.0001 + 4 * blur / (least * least));
        motion->speed[i] = speed;
    }
    if (!motion->known || dt > 0) {
        motion->known++;
        motion->dt = dt;
        memcpy(motion->at, at, sizeof(at));
    }
}

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static float any_number(uint64_t *state)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30F, -1e30F, -0.0F};
    uint64_t pick = next(state);
    return pick % 40 < 6 ? odd[pick % 40] : (float)(next(state) % 2600) - 600;
}

static sc_detections *any_detections(uint64_t *state)
{
    static const int sizes[][2] = {{1280, 720}, {640, 360}, {0, 0}, {-5, 100}, {1, 1}};
    uint64_t pick = next(state) % 10;
    if (pick < 2)
        return NULL;
    const int *size = sizes[pick < 6 ? 0 : pick - 5];
    int count = (int)(next(state) % 20);
    sc_detections *found = sc_detections_new(count);
    found->width = size[0];
    found->height = size[1];
    found->count = count;
    for (int i = 0; i < count; i++) {
        struct sc_detection *d = &found->items[i];
        *d = (struct sc_detection){any_number(state),
                                   any_number(state),
                                   any_number(state),
                                   any_number(state),
                                   any_number(state),
                                   0,
                                   0};
        d->score = next(state) % 8 ? 0.8F : d->score;
        d->class = next(state) % 3 ? BALL : PLAYER;
        if (next(state) % 3) {
            d->x2 = d->x1 + 20;
            d->y2 = d->y1 + 20;
        }
    }
    return found;
}

// The camera's time: steps back count as none, long ones as a second.
static int64_t step_of(int64_t *last_ns, int64_t pts_ns)
{
    int64_t step = pts_ns > *last_ns ? pts_ns - *last_ns : 0;
    *last_ns = pts_ns > *last_ns ? pts_ns : *last_ns;
    return step < SECOND ? step : SECOND;
}

static void check_info(const struct sc_camera_params *params, const struct sc_camera_info *info)
{
    double speed = params->max_speed > 0 ? params->max_speed : 0.4;
    double turn = params->max_acceleration > 0 ? params->max_acceleration : 1;
    double zoom = params->max_zoom_speed > 0 ? params->max_zoom_speed : 0.15;
    assert_true(info->max_speed <= 1.0001 * speed * params->width);
    assert_true(info->max_acceleration <= 1.0001 * turn * params->width);
    assert_true(info->max_zoom_speed <= 1.0001 * zoom * params->width);
    assert_true(info->ahead_ns <= params->ahead_ns);
}

static void run_wild(const struct sc_camera_params *params, uint64_t seed)
{
    enum { FRAMES = 400 };
    static const int64_t steps_ms[] = {33, 33, 33, 33, 16, 8, 40, 100, 500, 2500, 0, -70};
    int64_t pts[FRAMES], now = 0, last = 0;
    bool cuts[FRAMES];
    int shown = 0;
    struct motion motion = {0};
    sc_camera *camera = must_open(params);
    check_info(params, sc_camera_get_info(camera));
    for (int n = 0; n <= FRAMES; n++) {
        if (n < FRAMES) {
            now = n ? now + steps_ms[next(&seed) % SC_COUNT(steps_ms)] * MS : 0;
            pts[n] = now;
            cuts[n] = next(&seed) % 60 == 0;
            sc_detections *found = any_detections(&seed);
            assert_int_equal(sc_camera_put(camera, now, found, cuts[n]), 0);
            sc_detections_unref(&found);
        } else {
            sc_camera_flush(camera);
        }
        struct sc_crop crop;
        int64_t at;
        while (!sc_camera_get(camera, &at, &crop)) {
            assert_int_equal(at, pts[shown]);
            int64_t step = step_of(&last, at);
            if (cuts[shown])
                motion = (struct motion){0};
            check_inside(params, &crop);
            check_caps(sc_camera_get_info(camera), &motion, (double)step / SECOND, &crop);
            shown++;
        }
    }
    assert_int_equal(shown, FRAMES);
    sc_camera_close(&camera);
}

static void caps_and_edges_hold_whatever_comes(void **state)
{
    (void)state;
    static const struct sc_camera_params kinds[] = {
        {.aspect = 16.0 / 9},
        {.aspect = 9.0 / 16, .max_zoom = 3},
        {.aspect = 1,
         .max_zoom = 8,
         .max_zoom_speed = 4,
         .max_speed = 2,
         .max_acceleration = 10},
        {.aspect = 16, .max_speed = 0.05, .max_acceleration = 40},
        {.aspect = 1.0 / 16, .max_speed = 4, .max_acceleration = 0.2, .max_zoom = 32},
        {.aspect = 16.0 / 9, .follow = SC_CAMERA_SUBJECT, .ahead_ns = 400 * MS},
        {.aspect = 4.0 / 3, .max_zoom = 4, .ahead_ns = SC_CAMERA_MAX_AHEAD, .dead = -1},
        {.aspect = 2, .min_zoom = 2, .max_zoom = 2, .window_ns = -1, .max_speed = 0.3},
    };
    for (size_t i = 0; i < SC_COUNT(kinds); i++)
        for (uint64_t seed = 1; seed < 6; seed++) {
            struct sc_camera_params params = kinds[i];
            params.width = 1280;
            params.height = 720;
            params.leads = leads;
            params.lead_count = 1;
            run_wild(&params, seed * 7919 + i);
        }
}

// --- where it goes

static const struct sc_camera_params half = {.width = 1280,
                                             .height = 720,
                                             .min_zoom = 2,
                                             .max_zoom = 2,
                                             .leads = leads,
                                             .lead_count = 1};

static void it_goes_to_what_is_followed(void **state)
{
    (void)state;
    sc_camera *camera = must_open(&half);
    struct sc_crop crop;
    for (int n = 0; n < 30; n++)
        assert_true(feed(camera, n * 33 * MS, &(struct spot){400, 300, BALL}, 1, false, &crop));
    assert_float_equal(crop.w, 640, 1e-3);
    assert_float_equal(crop.h, 360, 1e-3);
    assert_float_equal(middle_x(&crop), 400, 1);
    assert_float_equal(middle_y(&crop), 300, 1);
    for (int n = 30; n < 150; n++)
        feed(camera, n * 33 * MS, &(struct spot){900, 420, BALL}, 1, false, &crop);
    float slack = 0.08F * 640 + 1;
    assert_float_equal(middle_x(&crop), 900, slack);
    assert_float_equal(middle_y(&crop), 420, slack);
    sc_camera_close(&camera);
}

static void the_edge_is_reached(void **state)
{
    (void)state;
    sc_camera *camera = must_open(&half);
    struct sc_crop crop;
    for (int n = 0; n < 150; n++) {
        struct spot spot = {n < 30 ? 640 : 1275, n < 30 ? 360 : 715, BALL};
        feed(camera, n * 33 * MS, &spot, 1, false, &crop);
    }
    assert_float_equal(crop.x, 640, 0.5);
    assert_float_equal(crop.y, 360, 0.5);
    sc_camera_close(&camera);
}

static void false_balls_do_not_move_it(void **state)
{
    (void)state;
    sc_camera *camera = must_open(&half);
    uint64_t seed = 5;
    struct sc_crop crop;
    for (int n = 0; n < 300; n++) {
        struct spot spots[] = {
            {500 + (float)(n % 3), 300, BALL},
            {(float)(next(&seed) % 1280), (float)(next(&seed) % 720), BALL},
        };
        bool seen = next(&seed) % 4, wrong = n > 30 && next(&seed) % 2;
        feed(camera, n * 33 * MS, seen ? spots : spots + 1, seen + wrong, false, &crop);
        assert_float_equal(middle_x(&crop), 500, 0.1F * 640);
        assert_float_equal(middle_y(&crop), 300, 0.1F * 640);
    }
    sc_camera_close(&camera);
}

static void a_still_scene_gives_a_still_picture(void **state)
{
    (void)state;
    sc_camera *camera = must_open(&half);
    uint64_t seed = 11;
    struct sc_crop crop, last = {0};
    for (int n = 0; n < 300; n++) {
        struct spot spot = {600 + (float)(next(&seed) % 9), 350 + (float)(next(&seed) % 9),
                            BALL};
        feed(camera, n * 33 * MS, &spot, 1, false, &crop);
        if (n > 60) {
            assert_float_equal(crop.x, last.x, 0.05);
            assert_float_equal(crop.y, last.y, 0.05);
        }
        last = crop;
    }
    sc_camera_close(&camera);
}

static void without_a_lead_the_crowd_counts(void **state)
{
    (void)state;
    sc_camera *camera = must_open(&half);
    struct spot spots[6];
    struct sc_crop crop;
    for (int i = 0; i < 6; i++)
        spots[i] = (struct spot){880 + 20 * (float)(i % 3), 400 + 20 * (float)(i / 3), PLAYER};
    for (int n = 0; n < 120; n++)
        feed(camera, n * 33 * MS, spots, 6, false, &crop);
    assert_float_equal(middle_x(&crop), 900, 0.1F * 640);
    assert_float_equal(middle_y(&crop), 410, 0.1F * 640);
    sc_camera_close(&camera);
}

static void all_of_a_subject_is_in_the_crop(void **state)
{
    (void)state;
    struct sc_camera_params params = {.width = 1280,
                                      .height = 720,
                                      .aspect = 1,
                                      .follow = SC_CAMERA_SUBJECT,
                                      .classes = players,
                                      .class_count = 1,
                                      .max_zoom = 8};
    sc_camera *camera = must_open(&params);
    struct spot spots[] = {{500, 300, PLAYER}, {700, 380, PLAYER}, {1200, 100, BALL}};
    struct sc_crop crop;
    for (int n = 0; n < 120; n++)
        feed(camera, n * 33 * MS, spots, 3, false, &crop);
    assert_float_equal(crop.w, 210 / 0.7, 0.1F * crop.w);
    assert_true(crop.x < 495 && crop.x + crop.w > 705);
    assert_true(crop.y < 295 && crop.y + crop.h > 385);
    sc_camera_close(&camera);
}

static void a_track_is_followed_among_others(void **state)
{
    (void)state;
    struct sc_camera_params params = {
        .width = 1280, .height = 720, .aspect = 9.0 / 16, .track = 4};
    sc_camera *camera = must_open(&params);
    struct spot spots[] = {{300, 300, PLAYER, 3}, {900, 300, PLAYER, 4}, {400, 300, BALL, 5}};
    struct sc_crop crop;
    for (int n = 0; n < 90; n++)
        feed(camera, n * 33 * MS, spots, 3, false, &crop);
    assert_float_equal(middle_x(&crop), 900, 2);
    sc_camera_close(&camera);
}

static void other_sizes_of_detections_are_scaled(void **state)
{
    (void)state;
    sc_camera *camera = must_open(&half);
    struct sc_crop crop;
    sc_detections *found = make(640, 360, &(struct spot){200, 150, BALL}, 1);
    for (int n = 0; n < 30; n++) {
        assert_int_equal(sc_camera_put(camera, n * 33 * MS, found, false), 0);
        assert_int_equal(sc_camera_get(camera, NULL, &crop), 0);
    }
    sc_detections_unref(&found);
    assert_float_equal(middle_x(&crop), 400, 1);
    assert_float_equal(middle_y(&crop), 300, 1);
    sc_camera_close(&camera);
}

static void it_widens_gently_when_nothing_is_seen(void **state)
{
    (void)state;
    struct sc_camera_params params = half;
    params.min_zoom = 1;
    sc_camera *camera = must_open(&params);
    struct sc_crop crop, before;
    for (int n = 0; n < 60; n++)
        feed(camera, n * 33 * MS, &(struct spot){400, 300, BALL}, 1, false, &crop);
    assert_true(crop.w < 700);
    // A moment without anything, or without a look, is bridged.
    before = crop;
    for (int n = 60; n < 90; n++)
        feed(camera, n * 33 * MS, NULL, 0, false, &crop);
    assert_float_equal(crop.x, before.x, 1);
    assert_float_equal(crop.w, before.w, 1);
    for (int n = 90; n < 1000; n++) {
        before = crop;
        assert_int_equal(sc_camera_put(camera, n * 33 * MS, NULL, false), 0);
        assert_int_equal(sc_camera_get(camera, NULL, &crop), 0);
        assert_true(crop.w - before.w < 0.5 * 0.15 * 1280 * 0.033);
    }
    assert_float_equal(crop.w, 1280, 0.5);
    sc_camera_close(&camera);
}

static void a_cut_starts_anew(void **state)
{
    (void)state;
    sc_camera *camera = must_open(&half);
    struct sc_crop crop;
    for (int n = 0; n < 60; n++)
        feed(camera, n * 33 * MS, &(struct spot){400, 300, BALL}, 1, false, &crop);
    assert_true(feed(camera, 60 * 33 * MS, &(struct spot){900, 400, BALL}, 1, true, &crop));
    assert_float_equal(middle_x(&crop), 900, 1);
    assert_float_equal(middle_y(&crop), 400, 1);
    // Nothing known of the new scene: its middle.
    assert_true(feed(camera, 61 * 33 * MS, NULL, 0, true, &crop));
    assert_float_equal(middle_x(&crop), 640, 1);
    sc_camera_close(&camera);
}

// --- time

static void it_looks_ahead(void **state)
{
    (void)state;
    struct sc_camera_params params = half;
    params.ahead_ns = 300 * MS;
    sc_camera *camera = must_open(&params);
    struct sc_crop crop;
    int64_t pts;
    float last = 0;
    assert_int_equal(sc_camera_get_info(camera)->ahead_ns, 300 * MS);
    for (int n = 0; n < 90; n++) {
        // The new scene is seen from its third frame on only; nothing of it has been shown by then.
        bool known = n < 60 || n > 62;
        struct spot spot = {n < 60 ? 400 : 900, 300, BALL};
        sc_detections *found = known ? make(1280, 720, &spot, 1) : NULL;
        assert_int_equal(sc_camera_put(camera, n * 40 * MS, found, n == 60), 0);
        sc_detections_unref(&found);
        while (!sc_camera_get(camera, &pts, &crop)) {
            assert_true(pts <= n * 40 * MS);
            assert_float_equal(middle_x(&crop), pts < 60 * 40 * MS ? 400 : 900, 1);
            last = (float)pts;
        }
    }
    assert_float_equal(last, 81 * 40 * MS, 1e6); // 300 ms before the last
    sc_camera_flush(camera);
    for (int n = 82; n < 90; n++) {
        assert_int_equal(sc_camera_get(camera, &pts, &crop), 0);
        assert_int_equal(pts, n * 40 * MS);
    }
    assert_int_equal(sc_camera_get(camera, &pts, &crop), SC_EEOF);
    assert_int_equal(sc_camera_put(camera, 0, NULL, false), SC_EEOF);
    sc_camera_close(&camera);
}

// Where the crop is when the subject, at 400 until then, has been elsewhere for 200 ms.
static float after_a_jump(int64_t ahead_ns, int64_t step_ns)
{
    struct sc_camera_params params = half;
    params.follow = SC_CAMERA_SUBJECT;
    params.ahead_ns = ahead_ns;
    sc_camera *camera = must_open(&params);
    struct sc_crop crop;
    float at = 0;
    int64_t pts;
    for (int64_t now = 0; now < 4 * SECOND; now += step_ns) {
        struct spot spot = {now < 2 * SECOND ? 400 : 560, 300, BALL};
        sc_detections *found = make(1280, 720, &spot, 1);
        assert_int_equal(sc_camera_put(camera, now, found, false), 0);
        sc_detections_unref(&found);
        while (!sc_camera_get(camera, &pts, &crop))
            if (pts <= 2200 * MS)
                at = middle_x(&crop);
    }
    sc_camera_close(&camera);
    return at;
}

static void looking_ahead_makes_it_earlier(void **state)
{
    (void)state;
    assert_true(after_a_jump(400 * MS, 20 * MS) > after_a_jump(0, 20 * MS) + 20);
}

static void the_rate_of_frames_does_not_matter(void **state)
{
    (void)state;
    float often = after_a_jump(400 * MS, 4 * MS), seldom = after_a_jump(400 * MS, 40 * MS);
    assert_float_equal(often, seldom, 25);
}

static void too_many_held_frames_are_refused(void **state)
{
    (void)state;
    sc_camera *camera = must_open(&half);
    struct sc_crop crop;
    for (int n = 0; n < 8192; n++)
        assert_int_equal(sc_camera_put(camera, n, NULL, false), 0);
    assert_int_equal(sc_camera_put(camera, 9000, NULL, false), SC_EAGAIN);
    assert_int_equal(sc_camera_get(camera, NULL, &crop), 0);
    assert_int_equal(sc_camera_put(camera, 9000, NULL, false), 0);
    sc_camera_close(&camera);
}

static void bad_parameters_are_named(void **state)
{
    (void)state;
    static const struct {
        struct sc_camera_params params;
        const char *field;
    } bad[] = {{{.width = 0, .height = 720}, "width"},
               {{.width = 1280, .height = -1}, "width"},
               {{.width = 70000, .height = 720}, "width"},
               {{.aspect = 20}, "aspect"},
               {{.aspect = NAN}, "aspect"},
               {{.min_zoom = 0.5}, "min_zoom"},
               {{.min_zoom = 3, .max_zoom = 2}, "max_zoom"},
               {{.threshold = 2}, "threshold"},
               {{.margin = 0.6}, "margin"},
               {{.dead = 0.7}, "dead"},
               {{.window_ns = 3 * SECOND}, "window_ns"},
               {{.max_speed = -1}, "max_speed"},
               {{.max_acceleration = INFINITY}, "max_acceleration"},
               {{.max_zoom_speed = 9}, "max_zoom_speed"},
               {{.ahead_ns = -1}, "ahead_ns"},
               {{.ahead_ns = 9 * SECOND}, "ahead_ns"},
               {{.class_count = 65}, "classes"},
               {{.class_count = 1}, "classes"},
               {{.lead_count = -1}, "leads"},
               {{.follow = 7}, "follow"}};
    for (size_t i = 0; i < SC_COUNT(bad); i++) {
        struct sc_camera_params params = bad[i].params;
        sc_err err = {0};
        sc_camera *camera;
        if (i > 2) {
            params.width = 1280;
            params.height = 720;
        }
        assert_int_equal(sc_camera_open(&camera, &params, &err), SC_EARG);
        assert_string_equal(err.field, bad[i].field);
        assert_null(camera);
    }
    sc_camera *none = NULL;
    sc_camera_close(&none);
    sc_camera_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caps_and_edges_hold_whatever_comes),
        cmocka_unit_test(it_goes_to_what_is_followed),
        cmocka_unit_test(the_edge_is_reached),
        cmocka_unit_test(false_balls_do_not_move_it),
        cmocka_unit_test(a_still_scene_gives_a_still_picture),
        cmocka_unit_test(without_a_lead_the_crowd_counts),
        cmocka_unit_test(all_of_a_subject_is_in_the_crop),
        cmocka_unit_test(a_track_is_followed_among_others),
        cmocka_unit_test(other_sizes_of_detections_are_scaled),
        cmocka_unit_test(it_widens_gently_when_nothing_is_seen),
        cmocka_unit_test(a_cut_starts_anew),
        cmocka_unit_test(it_looks_ahead),
        cmocka_unit_test(looking_ahead_makes_it_earlier),
        cmocka_unit_test(the_rate_of_frames_does_not_matter),
        cmocka_unit_test(too_many_held_frames_are_refused),
        cmocka_unit_test(bad_parameters_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
