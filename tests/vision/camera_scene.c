// The virtual camera on the made-up match, seen by a detector that misses, shakes and invents.
#include "vision/camera.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "camera_rig.h"

static void the_ball_stays_in_the_picture(void **state)
{
    (void)state;
    static const struct {
        double aspect, zoom;
        int64_t ahead_ns;
    } cameras[] = {{16.0 / 9, 2, 0}, {9.0 / 16, 1, 0}, {16.0 / 9, 2, 500000000}};
    for (uint64_t seed = 101; seed < 104; seed++) {
        sc_scene *scene;
        sc_camera *camera[SC_COUNT(cameras)];
        struct rig_figures figures[SC_COUNT(cameras)];
        struct rig_noise noise = {.state = seed, .every = 3};
        sc_err err = {0};
        assert_int_equal(sc_scene_open(&scene, &(struct sc_scene_params){.seed = seed}, &err),
                         0);
        for (size_t i = 0; i < SC_COUNT(cameras); i++) {
            struct sc_camera_params params =
                rig_params(cameras[i].aspect, cameras[i].zoom, cameras[i].ahead_ns);
            assert_int_equal(sc_camera_open(&camera[i], &params, &err), 0);
        }
        rig_run(scene, 20 * RIG_FPS, camera, SC_COUNT(cameras), rig_look_noisy, &noise,
                figures);
        for (size_t i = 0; i < SC_COUNT(cameras); i++) {
            const struct sc_camera_info *info = sc_camera_get_info(camera[i]);
            const struct rig_figures *f = &figures[i];
            print_message("seed %d, camera %zu: ball in %d of %d, %.2f turns a second\n",
                          (int)seed, i, f->inside, f->with_ball, f->turns);
            assert_int_equal(f->frames, 20 * RIG_FPS);
            assert_true(f->inside >= 0.98 * f->with_ball);
            assert_true(f->with_ball > f->frames / 2);
            assert_true(f->turns <= 1);
            assert_true(f->speed <= info->max_speed / 1280 * 1.001);
            assert_true(f->acceleration <= info->max_acceleration / 1280 * 1.01);
            sc_camera_close(&camera[i]);
        }
        sc_scene_close(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_ball_stays_in_the_picture)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
