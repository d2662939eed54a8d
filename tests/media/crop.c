#include "media/crop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>

#include "base/mem.h"

#define W 320
#define H 240

static sc_cropper *open_cropper(int width, int height)
{
    sc_cropper *cropper;
    sc_err err = {0};
    const struct sc_cropper_params params = {.width = width, .height = height};
    assert_int_equal(sc_cropper_open(&cropper, &params, &err), 0);
    return cropper;
}

static AVFrame *make(int format, int width, int height, int align)
{
    AVFrame *av = av_frame_alloc();
    av->format = format;
    av->width = width;
    av->height = height;
    assert_int_equal(av_frame_get_buffer(av, align), 0);
    for (int p = 0; p < 4 && av->buf[p]; p++)
        memset(av->buf[p]->data, 0x55, av->buf[p]->size);
    return av;
}

static AVFrame *must_crop(sc_cropper *cropper, const AVFrame *in, struct sc_crop crop)
{
    AVFrame *out;
    sc_err err = {0};
    if (sc_cropper_run(cropper, &out, in, &crop, &err))
        fail_msg("%s", err.text);
    return out;
}

// Waves in the place (x, y) of the picture, edges between pixels.
static double wave(double x, double y, int plane)
{
    double shift = plane * 1.3;
    return 128 + 50 * sin(x / 17 + shift) + 40 * sin(y / 13 - shift);
}

// Where sample i of a plane lies, in luma pixels: chroma is at the left in 4:2:0.
static double place_x(int i, int plane)
{
    return plane ? 2 * i + 0.5 : i + 0.5;
}

static double place_y(int i, int plane)
{
    return plane ? 2 * i + 1 : i + 0.5;
}

static AVFrame *make_waves(void)
{
    AVFrame *av = make(AV_PIX_FMT_YUV420P, W, H, 0);
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p ? H / 2 : H); y++)
            for (int x = 0; x < (p ? W / 2 : W); x++)
                av->data[p][y * av->linesize[p] + x] =
                    (uint8_t)lrint(wave(place_x(x, p), place_y(y, p), p));
    return av;
}

static double worst_error(const AVFrame *out, struct sc_crop crop)
{
    double worst = 0, sx = crop.w / out->width, sy = crop.h / out->height;
    for (int p = 0; p < 3; p++)
        for (int y = 4; y < (p ? out->height / 2 : out->height) - 4; y++)
            for (int x = 4; x < (p ? out->width / 2 : out->width) - 4; x++) {
                double want = wave(crop.x + place_x(x, p) * sx, crop.y + place_y(y, p) * sy, p);
                worst = fmax(worst, fabs(out->data[p][y * out->linesize[p] + x] - want));
            }
    return worst;
}

static void luma_and_chroma_lie_where_the_crop_says(void **state)
{
    (void)state;
    static const struct sc_crop crops[] = {{0, 0, W, H},
                                           {10.3F, 7.7F, 160, 120},
                                           {10.35F, 7.7F, 160, 120},
                                           {33.1F, 20, 71.4F, 90},
                                           {0, 0, 40.5F, 30.25F},
                                           {W - 100.6F, H - 75.5F, 100.6F, 75.5F},
                                           {99.5F, 55.5F, 64, 64},
                                           {12.25F, 3.75F, 300, 230.5F}};
    AVFrame *in = make_waves();
    sc_cropper *cropper = open_cropper(160, 120);
    for (size_t i = 0; i < SC_COUNT(crops); i++) {
        AVFrame *out = must_crop(cropper, in, crops[i]);
        assert_int_equal(out->width, 160);
        assert_int_equal(out->height, 120);
        double worst = worst_error(out, crops[i]);
        if (worst > 1.4)
            fail_msg("crop %zu is off by %.2f levels", i, worst);
        av_frame_free(&out);
    }
    sc_cropper_close(&cropper);
    av_frame_free(&in);
}

static void fine_patterns_do_not_shimmer_when_shrunk(void **state)
{
    (void)state;
    AVFrame *in = make(AV_PIX_FMT_GRAY8, W, H, 0);
    sc_cropper *cropper = open_cropper(100, 75);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            in->data[0][y * in->linesize[0] + x] = (x + y) % 2 ? 220 : 20;
    for (int step = 0; step < 10; step++) {
        const float at = 4 + (float)step * 0.13F;
        AVFrame *out = must_crop(cropper, in, (struct sc_crop){at, at, 300, 225});
        for (int y = 2; y < 73; y++)
            for (int x = 2; x < 98; x++)
                assert_in_range(out->data[0][y * out->linesize[0] + x], 112, 128);
        av_frame_free(&out);
    }
    sc_cropper_close(&cropper);
    av_frame_free(&in);
}

static void nonsense_gives_the_whole_picture(void **state)
{
    (void)state;
    static const struct sc_crop crops[] = {
        {NAN, 0, 100, 100},   {0, 0, INFINITY, 100},  {0, 0, 0, 0},       {50, 50, -10, 20},
        {4000, 10, 100, 100}, {-1e30F, 0, 1e30F, 10}, {10, 10, 0.4F, 100}};
    AVFrame *in = make_waves();
    sc_cropper *cropper = open_cropper(96, 72);
    AVFrame *whole = must_crop(cropper, in, (struct sc_crop){0, 0, W, H});
    for (size_t i = 0; i < SC_COUNT(crops); i++) {
        AVFrame *out = must_crop(cropper, in, crops[i]);
        for (int y = 0; y < 72; y++)
            assert_memory_equal(out->data[0] + y * out->linesize[0],
                                whole->data[0] + y * whole->linesize[0], 96);
        av_frame_free(&out);
    }
    AVFrame *cut = must_crop(cropper, in, (struct sc_crop){-20, -20, W + 40, H + 40});
    assert_memory_equal(cut->data[0], whole->data[0], 96);
    av_frame_free(&cut);
    av_frame_free(&whole);
    sc_cropper_close(&cropper);
    av_frame_free(&in);
}

static void time_and_colour_are_kept(void **state)
{
    (void)state;
    AVFrame *in = make_waves();
    sc_cropper *cropper = open_cropper(160, 120);
    in->pts = 1234;
    in->colorspace = AVCOL_SPC_BT2020_NCL;
    in->color_trc = AVCOL_TRC_SMPTE2084;
    in->color_primaries = AVCOL_PRI_BT2020;
    in->color_range = AVCOL_RANGE_JPEG;
    in->chroma_location = AVCHROMA_LOC_LEFT;
    in->sample_aspect_ratio = (AVRational){4, 3};
    in->crop_left = 3;
    assert_non_null(av_content_light_metadata_create_side_data(in));
    AVFrame *out = must_crop(cropper, in, (struct sc_crop){3.3F, 5.5F, 80, 60});
    assert_int_equal(out->pts, 1234);
    assert_int_equal(out->colorspace, AVCOL_SPC_BT2020_NCL);
    assert_int_equal(out->color_trc, AVCOL_TRC_SMPTE2084);
    assert_int_equal(out->color_primaries, AVCOL_PRI_BT2020);
    assert_int_equal(out->color_range, AVCOL_RANGE_JPEG);
    assert_int_equal(out->chroma_location, AVCHROMA_LOC_LEFT);
    assert_int_equal(out->crop_left, 0);
    assert_non_null(av_frame_get_side_data(out, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL));
    assert_int_equal(av_cmp_q(out->sample_aspect_ratio, (AVRational){4, 3}), 0);
    av_frame_free(&out);
    // Twice as wide as the result's shape: each sample stands for two.
    out = must_crop(cropper, in, (struct sc_crop){0, 0, 160, 60});
    assert_true(fabs(av_q2d(out->sample_aspect_ratio) - 8.0 / 3) < 1e-3);
    av_frame_free(&out);
    sc_cropper_close(&cropper);
    av_frame_free(&in);
}

static void formats_become_planar(void **state)
{
    (void)state;
    static const struct {
        int from, to;
    } formats[] = {{AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P},
                   {AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ420P},
                   {AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P},
                   {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV422P},
                   {AV_PIX_FMT_YUYV422, AV_PIX_FMT_YUV422P},
                   {AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUV444P},
                   {AV_PIX_FMT_YUV410P, AV_PIX_FMT_YUV410P},
                   {AV_PIX_FMT_YUVA420P, AV_PIX_FMT_YUV420P},
                   {AV_PIX_FMT_YUV420P10, AV_PIX_FMT_YUV420P10},
                   {AV_PIX_FMT_P010, AV_PIX_FMT_YUV420P10},
                   {AV_PIX_FMT_YUV420P10BE, AV_PIX_FMT_YUV420P10},
                   {AV_PIX_FMT_GRAY8, AV_PIX_FMT_GRAY8},
                   {AV_PIX_FMT_GRAY12, AV_PIX_FMT_GRAY12},
                   {AV_PIX_FMT_RGB24, AV_PIX_FMT_GBRP},
                   {AV_PIX_FMT_BGRA, AV_PIX_FMT_GBRP},
                   {AV_PIX_FMT_GBRP10, AV_PIX_FMT_GBRP10},
                   {AV_PIX_FMT_MONOBLACK, AV_PIX_FMT_GRAY8},
                   {AV_PIX_FMT_PAL8, AV_PIX_FMT_GBRP}};
    static const int sizes[][2] = {{64, 48}, {65, 49}, {1, 1}, {3, 2}, {17, 33}};
    sc_cropper *cropper = open_cropper(33, 19);
    for (size_t i = 0; i < SC_COUNT(formats); i++)
        for (size_t k = 0; k < SC_COUNT(sizes); k++) {
            int w = sizes[k][0], h = sizes[k][1];
            AVFrame *in = make(formats[i].from, w, h, k % 2 ? 1 : 0);
            AVFrame *out = must_crop(
                cropper, in, (struct sc_crop){0.3F, 0.3F, (float)w - 0.3F, (float)h - 0.3F});
            assert_string_equal(av_get_pix_fmt_name(out->format),
                                av_get_pix_fmt_name(formats[i].to));
            av_frame_free(&out);
            av_frame_free(&in);
        }
    sc_cropper_close(&cropper);
}

static void colours_stay_in_their_planes(void **state)
{
    (void)state;
    AVFrame *in = make(AV_PIX_FMT_RGB24, 64, 48, 0);
    sc_cropper *cropper = open_cropper(32, 24);
    for (int y = 0; y < 48; y++)
        for (int x = 0; x < 64; x++)
            memcpy(in->data[0] + y * in->linesize[0] + 3 * x, ((uint8_t[]){200, 100, 50}), 3);
    AVFrame *out = must_crop(cropper, in, (struct sc_crop){1.5F, 1.5F, 40, 30});
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(out->format);
    static const int want[] = {200, 100, 50};
    for (int c = 0; c < 3; c++)
        assert_int_equal(
            out->data[desc->comp[c].plane][5 * out->linesize[desc->comp[c].plane] + 5],
            want[c]);
    av_frame_free(&out);
    av_frame_free(&in);
    sc_cropper_close(&cropper);
}

static void bad_parameters_are_named(void **state)
{
    (void)state;
    static const struct sc_cropper_params bad[] = {{0, 10}, {10, -1}, {8193, 10}, {10, 9000}};
    static const char *const fields[] = {"width", "height", "width", "height"};
    for (size_t i = 0; i < SC_COUNT(bad); i++) {
        sc_err err = {0};
        sc_cropper *cropper = NULL;
        assert_int_equal(sc_cropper_open(&cropper, &bad[i], &err), SC_EARG);
        assert_string_equal(err.field, fields[i]);
        assert_null(cropper);
    }
    sc_cropper *none = NULL;
    sc_cropper_close(&none);
    sc_cropper_close(NULL);
}

static void hardware_frames_are_refused(void **state)
{
    (void)state;
    sc_err err = {0};
    AVFrame *out, *in = av_frame_alloc();
    sc_cropper *cropper = open_cropper(32, 24);
    in->format = AV_PIX_FMT_CUDA;
    in->width = in->height = 64;
    const struct sc_crop crop = {0, 0, 10, 10};
    assert_int_equal(sc_cropper_run(cropper, &out, in, &crop, &err), SC_EUNSUPPORTED);
    assert_null(out);
    in->format = AV_PIX_FMT_NONE;
    assert_int_equal(sc_cropper_run(cropper, &out, in, &crop, NULL), SC_EUNSUPPORTED);
    av_frame_free(&in);
    sc_cropper_close(&cropper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(luma_and_chroma_lie_where_the_crop_says),
        cmocka_unit_test(fine_patterns_do_not_shimmer_when_shrunk),
        cmocka_unit_test(nonsense_gives_the_whole_picture),
        cmocka_unit_test(time_and_colour_are_kept),
        cmocka_unit_test(formats_become_planar),
        cmocka_unit_test(colours_stay_in_their_planes),
        cmocka_unit_test(bad_parameters_are_named),
        cmocka_unit_test(hardware_frames_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
