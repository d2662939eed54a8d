#include "vision/cut.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "media/scene.h"

#define W 320
#define H 180

static AVFrame *make(int format, int width, int height)
{
    AVFrame *av = av_frame_alloc();
    av->format = format;
    av->width = width;
    av->height = height;
    assert_int_equal(av_frame_get_buffer(av, 0), 0);
    for (int p = 0; p < 4 && av->buf[p]; p++)
        memset(av->buf[p]->data, 0x80, av->buf[p]->size);
    return av;
}

static bool put(sc_cut *cut, const AVFrame *av)
{
    bool is_cut;
    sc_err err = {0};
    if (sc_cut_put(cut, av, &is_cut, &err))
        fail_msg("%s", err.text);
    return is_cut;
}

// Blobs of light, the same for equal seeds; (x, y) is where the picture looks, gain its brightness.
static void paint(AVFrame *av, int seed, double x, double y, double gain)
{
    for (int row = 0; row < H; row++)
        for (int column = 0; column < W; column++) {
            double u = (column + x) / (22 + seed * 13 % 29),
                   v = (row + y) / (15 + seed * 7 % 19);
            double s = seed * 2.4;
            double light = 0.5 + 0.25 * sin(u + s) * cos(v * 1.3 + s * 1.7) +
                           0.2 * sin(3.1 * u - 2.3 * v + s) + 0.15 * cos(s * 5);
            light = fmin(fmax(light * gain, 0), 1);
            av->data[0][row * av->linesize[0] + column] = (uint8_t)(16 + 219 * light);
        }
}

static void cuts_are_found_where_they_are(void **state)
{
    (void)state;
    AVFrame *av = make(AV_PIX_FMT_YUV420P, W, H);
    sc_cut *cut = sc_cut_open();
    for (int n = 0; n < 100; n++) {
        paint(av, n / 10, n * 2, n, 1);
        assert_int_equal(put(cut, av), n % 10 == 0 && n > 0);
    }
    sc_cut_close(&cut);
    av_frame_free(&av);
}

static void motion_is_no_cut(void **state)
{
    (void)state;
    AVFrame *av = make(AV_PIX_FMT_YUV420P, W, H);
    sc_cut *cut = sc_cut_open();
    for (int n = 0; n < 100; n++) {
        paint(av, 1, 8 * n + 300 * sin(n / 9.0), 5 * n, 1); // up to 40 pixels a picture
        assert_false(put(cut, av));
    }
    sc_cut_close(&cut);
    av_frame_free(&av);
}

static void a_fade_is_no_cut(void **state)
{
    (void)state;
    AVFrame *av = make(AV_PIX_FMT_YUV420P, W, H);
    sc_cut *cut = sc_cut_open();
    for (int n = 0; n < 50; n++) {
        paint(av, 1, 0, 0, n < 25 ? 1 - n / 25.0 : n / 25.0 - 1);
        assert_false(put(cut, av));
    }
    sc_cut_close(&cut);
    av_frame_free(&av);
}

static void the_end_of_a_flash_is_no_cut(void **state)
{
    (void)state;
    AVFrame *av = make(AV_PIX_FMT_YUV420P, W, H);
    sc_cut *cut = sc_cut_open();
    for (int n = 0; n < 40; n++) {
        bool flash = n == 20 || n == 21;
        paint(av, 1, n, 0, flash ? 3 : 1);
        bool is_cut = put(cut, av);
        if (n != 20)
            assert_false(is_cut);
    }
    sc_cut_close(&cut);
    av_frame_free(&av);
}

static void the_match_has_no_cuts_but_between_matches(void **state)
{
    (void)state;
    sc_cut *cut = sc_cut_open();
    int cuts = 0;
    for (int part = 0; part < 3; part++) {
        sc_scene *scene;
        sc_err err = {0};
        struct sc_scene_params params = {.width = W,
                                         .height = H,
                                         .seed = 7,
                                         .no_overlay = true,
                                         .zoom = part == 1 ? 4 : 1,
                                         .pan_x = part == 1 ? -0.8 : 0};
        assert_int_equal(sc_scene_open(&scene, &params, &err), 0);
        AVFrame *av = sc_scene_frame_new(scene);
        for (int n = 0; n < 12; n++) {
            sc_scene_render(scene, n, av);
            bool is_cut = put(cut, av);
            if (n)
                assert_false(is_cut);
            cuts += is_cut;
        }
        av_frame_free(&av);
        sc_scene_close(&scene);
    }
    assert_int_equal(cuts, 2);
    sc_cut_close(&cut);
}

static void another_size_is_a_cut(void **state)
{
    (void)state;
    AVFrame *small = make(AV_PIX_FMT_YUV420P, 64, 36), *large = make(AV_PIX_FMT_YUV420P, W, H);
    sc_cut *cut = sc_cut_open();
    assert_false(put(cut, small));
    assert_false(put(cut, small));
    assert_true(put(cut, large));
    assert_false(put(cut, large));
    assert_true(put(cut, small));
    sc_cut_close(&cut);
    av_frame_free(&small);
    av_frame_free(&large);
}

// Dark, then bright, in every way to store it.
static void formats_are_read(void **state)
{
    (void)state;
    static const int formats[] = {AV_PIX_FMT_YUV420P,   AV_PIX_FMT_NV12,    AV_PIX_FMT_YUYV422,
                                  AV_PIX_FMT_GRAY8,     AV_PIX_FMT_RGB24,   AV_PIX_FMT_BGRA,
                                  AV_PIX_FMT_YUV420P10, AV_PIX_FMT_P010,    AV_PIX_FMT_GRAY16,
                                  AV_PIX_FMT_GBRP,      AV_PIX_FMT_YUVA444P};
    static const int sizes[][2] = {{64, 36}, {1, 1}, {33, 7}, {2000, 3}};
    for (size_t i = 0; i < SC_COUNT(formats); i++)
        for (size_t k = 0; k < SC_COUNT(sizes); k++) {
            AVFrame *av = make(formats[i], sizes[k][0], sizes[k][1]);
            sc_cut *cut = sc_cut_open();
            for (int n = 0; n < 8; n++) {
                for (int p = 0; p < 4 && av->buf[p]; p++)
                    memset(av->buf[p]->data, n < 5 ? 0x00 : 0xC0, av->buf[p]->size);
                assert_int_equal(put(cut, av), n == 5);
            }
            sc_cut_close(&cut);
            av_frame_free(&av);
        }
}

static void what_cannot_be_read_is_refused(void **state)
{
    (void)state;
    AVFrame *av = make(AV_PIX_FMT_MONOBLACK, 64, 36);
    sc_cut *cut = sc_cut_open();
    bool is_cut = true;
    sc_err err = {0};
    assert_int_equal(sc_cut_put(cut, av, &is_cut, &err), SC_EUNSUPPORTED);
    assert_false(is_cut);
    assert_non_null(strstr(err.text, "monob"));
    av->format = AV_PIX_FMT_VAAPI;
    assert_int_equal(sc_cut_put(cut, av, &is_cut, NULL), SC_EUNSUPPORTED);
    av_frame_free(&av);
    sc_cut_close(&cut);
    sc_cut_close(&cut);
    sc_cut_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_are_found_where_they_are),
        cmocka_unit_test(motion_is_no_cut),
        cmocka_unit_test(a_fade_is_no_cut),
        cmocka_unit_test(the_end_of_a_flash_is_no_cut),
        cmocka_unit_test(the_match_has_no_cuts_but_between_matches),
        cmocka_unit_test(another_size_is_a_cut),
        cmocka_unit_test(formats_are_read),
        cmocka_unit_test(what_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
