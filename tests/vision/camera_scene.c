// The virtual camera on the made-up match, seen by a detector that misses, shakes and invents.
#include "vision/camera.h"

#include "base/mem.h"
#include "camera_rig.h"
#include "onnx.h"

// Half the width, full height, and half the width with a look ahead.
static const struct {
    double aspect, zoom;
    int64_t ahead_ns;
} kinds[] = {{16.0 / 9, 2, 0}, {9.0 / 16, 1, 0}, {16.0 / 9, 2, 500000000}};

#define KINDS  SC_COUNT(kinds)
#define FRAMES (20 * RIG_FPS)

static void check(uint64_t seed, size_t kind, const struct rig_figures *f, sc_camera *camera)
{
    const struct sc_camera_info *info = sc_camera_get_info(camera);
    print_message("seed %d, camera %zu: ball in %d of %d, %.2f turns a second\n", (int)seed,
                  kind, f->inside, f->with_ball, f->turns);
    assert_int_equal(f->frames, FRAMES);
    assert_true(f->with_ball > f->frames / 2);
    assert_true(f->inside >= 0.98 * f->with_ball);
    assert_true(f->turns <= 1);
    assert_true(f->speed <= info->max_speed / 1280 * 1.001);
    assert_true(f->acceleration <= info->max_acceleration / 1280 * 1.01);
}

static void watch(uint64_t seed, rig_look *look, void *user)
{
    sc_scene *scene;
    sc_camera *cameras[KINDS];
    struct rig_figures figures[KINDS];
    sc_err err = {0};
    assert_int_equal(sc_scene_open(&scene, &(struct sc_scene_params){.seed = seed}, &err), 0);
    for (size_t i = 0; i < KINDS; i++) {
        struct sc_camera_params params =
            rig_params(kinds[i].aspect, kinds[i].zoom, kinds[i].ahead_ns);
        assert_int_equal(sc_camera_open(&cameras[i], &params, &err), 0);
    }
    rig_run(scene, FRAMES, cameras, KINDS, look, user, figures);
    for (size_t i = 0; i < KINDS; i++) {
        check(seed, i, &figures[i], cameras[i]);
        sc_camera_close(&cameras[i]);
    }
    sc_scene_close(&scene);
}

static void the_ball_stays_in_the_picture_in_spite_of_noise(void **state)
{
    (void)state;
    for (uint64_t seed = 101; seed < 104; seed++) {
        struct rig_noise noise = {.state = seed, .every = 3};
        watch(seed, rig_look_noisy, &noise);
    }
}

static void the_ball_stays_in_the_picture_with_the_shipped_detector(void **state)
{
    NEED_LIBRARY(state);
    const struct sc_model_params params = {.name = "pitch",
                                           .path = SOURCE_DIR "/models/pitch/pitch.onnx",
                                           .provider = SC_PROVIDER_CPU,
                                           .threads = 1};
    sc_err err = {0};
    struct rig_detector detector = {.every = 6}; // five looks a second
    if (sc_model_open(&detector.model, *state, &params, &err))
        fail_msg("%s", err.text);
    watch(301, rig_look_with_model, &detector);
    sc_model_close(&detector.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ball_stays_in_the_picture_in_spite_of_noise),
        cmocka_unit_test(the_ball_stays_in_the_picture_with_the_shipped_detector),
    };
    return cmocka_run_group_tests(tests, onnx_setup, onnx_teardown);
}
