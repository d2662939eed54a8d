#include "media/crop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "media/planes.h"

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

// --- against other computations

// A picture of noise whose planes have not a byte too many, so that a sanitizer sees what is read beside
// them.
static AVFrame *make_noise(int format, int siting, int width, int height)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    uint32_t seed = 12345;
    AVFrame *av = av_frame_alloc();
    av->format = format;
    av->width = width;
    av->height = height;
    av->chroma_location = siting;
    for (int p = 0; p < desc->nb_components; p++) {
        int w = p ? AV_CEIL_RSHIFT(width, desc->log2_chroma_w) : width;
        int h = p ? AV_CEIL_RSHIFT(height, desc->log2_chroma_h) : height;
        int step = desc->comp[0].step;
        size_t size = (size_t)(w * h * step);
        uint8_t *data = malloc(size);
        for (int i = 0; i < w * h; i++) {
            seed = seed * 1664525 + 1013904223;
            uint16_t v = (uint16_t)(seed >> (32 - desc->comp[0].depth));
            memcpy(data + (ptrdiff_t)i * step, &v, (size_t)step);
        }
        av->data[p] = data;
        av->linesize[p] = w * step;
        av->buf[p] = av_buffer_create(data, size, av_buffer_default_free, NULL, 0);
    }
    return av;
}

static const AVComponentDescriptor *component(const AVFrame *av, int plane)
{
    return &av_pix_fmt_desc_get(av->format)->comp[plane];
}

static int sample(const AVFrame *av, int plane, int x, int y)
{
    const uint8_t *row = av->data[plane] + (ptrdiff_t)y * av->linesize[plane];
    return component(av, plane)->step == 1 ? row[x] : ((const uint16_t *)(const void *)row)[x];
}

struct subsampling {
    int w, h;           // log2
    double left, upper; // luma samples from the first luma site to the first chroma site
};

static struct subsampling subsampling_of(const AVFrame *av, int plane)
{
    static const double left[] = {0, 0, 0.5, 0, 0.5, 0, 0.5},
                        upper[] = {0.5, 0.5, 0.5, 0, 0, 1, 1};
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av->format);
    if (!plane)
        return (struct subsampling){0};
    return (struct subsampling){desc->log2_chroma_w, desc->log2_chroma_h,
                                desc->log2_chroma_w ? left[av->chroma_location] : 0,
                                desc->log2_chroma_h ? upper[av->chroma_location] : 0};
}

static int plane_w(const AVFrame *av, int plane)
{
    return AV_CEIL_RSHIFT(av->width, subsampling_of(av, plane).w);
}

static int plane_h(const AVFrame *av, int plane)
{
    return AV_CEIL_RSHIFT(av->height, subsampling_of(av, plane).h);
}

static double catmull_rom(double x)
{
    x = fabs(x);
    return x < 1   ? 1.5 * x * x * x - 2.5 * x * x + 1
           : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2
                   : 0;
}

static int clamp(int i, int most)
{
    return i < 0 ? 0 : i > most ? most : i;
}

// Where output i lies along a side of the source's plane.
static double site(int i, double start, double step, double origin, int ss)
{
    return (start + (origin + (i << ss) + 0.5) * step - 0.5 - origin) / (1 << ss);
}

static double direct(const AVFrame *in, const AVFrame *out, struct sc_crop crop, int plane,
                     int i, int k)
{
    struct subsampling ss = subsampling_of(in, plane);
    double step_x = (double)crop.w / out->width, step_y = (double)crop.h / out->height;
    double x = site(i, crop.x, step_x, ss.left, ss.w);
    double y = site(k, crop.y, step_y, ss.upper, ss.h);
    double wide = fmax(1, step_x), tall = fmax(1, step_y), sum = 0, weights = 0;
    for (int v = (int)floor(y - 2 * tall); v <= ceil(y + 2 * tall); v++)
        for (int u = (int)floor(x - 2 * wide); u <= ceil(x + 2 * wide); u++) {
            double weight = catmull_rom((u - x) / wide) * catmull_rom((v - y) / tall);
            weights += weight;
            sum += weight * sample(in, plane, clamp(u, plane_w(in, plane) - 1),
                                   clamp(v, plane_h(in, plane) - 1));
        }
    return fmin(fmax(sum / weights, 0), (1 << component(in, plane)->depth) - 1);
}

static const struct {
    int format, siting;
    double error; // levels
} kinds[] = {{AV_PIX_FMT_YUV420P, AVCHROMA_LOC_LEFT, 0.75},
             {AV_PIX_FMT_YUV420P, AVCHROMA_LOC_UNSPECIFIED, 0.75},
             {AV_PIX_FMT_YUV420P, AVCHROMA_LOC_CENTER, 0.75},
             {AV_PIX_FMT_YUV420P, AVCHROMA_LOC_TOPLEFT, 0.75},
             {AV_PIX_FMT_YUV420P, AVCHROMA_LOC_TOP, 0.75},
             {AV_PIX_FMT_YUV420P, AVCHROMA_LOC_BOTTOMLEFT, 0.75},
             {AV_PIX_FMT_YUV420P, AVCHROMA_LOC_BOTTOM, 0.75},
             {AV_PIX_FMT_YUV422P, AVCHROMA_LOC_LEFT, 0.75},
             {AV_PIX_FMT_YUV444P, AVCHROMA_LOC_LEFT, 0.75},
             {AV_PIX_FMT_GBRP, AVCHROMA_LOC_UNSPECIFIED, 0.75},
             {AV_PIX_FMT_GRAY8, AVCHROMA_LOC_UNSPECIFIED, 0.75},
             {AV_PIX_FMT_GRAY9, AVCHROMA_LOC_UNSPECIFIED, 0.8},
             {AV_PIX_FMT_YUV420P10, AVCHROMA_LOC_LEFT, 1},
             {AV_PIX_FMT_YUV420P12, AVCHROMA_LOC_LEFT, 2},
             {AV_PIX_FMT_GRAY16, AVCHROMA_LOC_UNSPECIFIED, 16}};

static void samples_are_those_of_a_direct_computation(void **state)
{
    (void)state;
    static const struct sc_crop crops[] = {{0, 0, 83, 61},           // of all edges
                                           {10.3F, 7.7F, 33.4F, 21}, // larger
                                           {20, 20, 37, 25},         // itself
                                           {1.5F, 2.25F, 80, 58}};
    sc_cropper *cropper = open_cropper(37, 25);
    for (size_t i = 0; i < SC_COUNT(kinds); i++) {
        AVFrame *in = make_noise(kinds[i].format, kinds[i].siting, 83, 61);
        for (size_t k = 0; k < SC_COUNT(crops); k++) {
            AVFrame *out = must_crop(cropper, in, crops[k]);
            for (int p = 0; p < av_pix_fmt_count_planes(in->format); p++)
                for (int y = 0; y < plane_h(out, p); y++)
                    for (int x = 0; x < plane_w(out, p); x++) {
                        double want = direct(in, out, crops[k], p, x, y);
                        int got = sample(out, p, x, y);
                        if (fabs(got - want) > kinds[i].error)
                            fail_msg("kind %zu, crop %zu, plane %d, (%d, %d): %d, not %.3f", i,
                                     k, p, x, y, got, want);
                    }
            av_frame_free(&out);
        }
        av_frame_free(&in);
    }
    sc_cropper_close(&cropper);
}

static void assert_same_samples(const AVFrame *a, const AVFrame *b)
{
    for (int p = 0; p < av_pix_fmt_count_planes(a->format); p++)
        for (int y = 0; y < plane_h(a, p); y++)
            assert_memory_equal(a->data[p] + (ptrdiff_t)y * a->linesize[p],
                                b->data[p] + (ptrdiff_t)y * b->linesize[p],
                                (size_t)(plane_w(a, p) * component(a, p)->step));
}

static void levels_give_the_same_bytes(void **state)
{
    (void)state;
    static const int sizes[][2] = {{411, 97}, {211, 40}, {67, 40}, {64, 64},
                                   {40, 9},   {9, 5},    {1, 1}};
    static const double parts[] = {1, 0.87, 0.4, 0.11};
    sc_cropper *c = open_cropper(50, 33), *fast = open_cropper(50, 33);
    assert_true(sc_cropper_set_level(c, 0));
    assert_false(sc_cropper_set_level(c, -1));
    assert_false(sc_cropper_set_level(c, 2));
    if (!sc_cropper_set_level(fast, 1))
        skip();
    for (size_t i = 0; i < SC_COUNT(kinds); i++)
        for (size_t s = 0; s < SC_COUNT(sizes); s++) {
            int w = sizes[s][0], h = sizes[s][1];
            AVFrame *in = make_noise(kinds[i].format, kinds[i].siting, w, h);
            for (size_t k = 0; k < SC_COUNT(parts); k++) {
                float cw = (float)(w * parts[k]), ch = (float)(h * parts[k]);
                struct sc_crop crop = {((float)w - cw) * 0.7F, ((float)h - ch) * 0.6F, cw, ch};
                AVFrame *one = must_crop(c, in, crop), *two = must_crop(fast, in, crop);
                assert_same_samples(one, two);
                av_frame_free(&one);
                av_frame_free(&two);
            }
            av_frame_free(&in);
        }
    sc_cropper_close(&c);
    sc_cropper_close(&fast);
}

// Both sides of the range, next to each other: the filter overshoots, the samples must not.
static void overshooting_ends_at_black_and_white(void **state)
{
    (void)state;
    static const int formats[] = {AV_PIX_FMT_GRAY8, AV_PIX_FMT_GRAY10, AV_PIX_FMT_GRAY16};
    sc_cropper *cropper = open_cropper(160, 120);
    for (size_t i = 0; i < SC_COUNT(formats); i++) {
        AVFrame *in = make_noise(formats[i], 0, 80, 60);
        int most = (1 << component(in, 0)->depth) - 1, step = component(in, 0)->step;
        for (int k = 0; k < 80 * 60; k++) {
            uint16_t v = (uint16_t)(k % 80 / 4 % 2 ? most : 0);
            memcpy(in->data[0] + (ptrdiff_t)k * step, &v, (size_t)step);
        }
        for (int level = 0; sc_cropper_set_level(cropper, level); level++) {
            AVFrame *out = must_crop(cropper, in, (struct sc_crop){0, 0, 80, 60});
            for (int x = 0; x < 160; x++)
                if (x % 8 > 1 && x % 8 < 6) // in the middle of a stripe
                    assert_int_equal(sample(out, 0, x, 60), x / 8 % 2 ? most : 0);
            av_frame_free(&out);
        }
        av_frame_free(&in);
    }
    sc_cropper_close(&cropper);
}

// zimg's filter is the same. But it mirrors edges, which these crops are away from, and cuts overshooting
// off between its two passes, which there is none of in the middle of the range.
static void samples_are_those_of_zimg(void **state)
{
    (void)state;
    static const struct sc_crop crops[] = {{20.3F, 17.7F, 160, 90},
                                           {30, 25, 96.5F, 54.25F},
                                           {16.75F, 16.25F, 280, 157.5F},
                                           {60.1F, 60.9F, 40, 22.5F}};
    sc_cropper *cropper = open_cropper(96, 54);
    struct sc_scaler *scaler = sc_scaler_new();
    struct sc_scratch staged = {0}, scaled = {0};
    AVFrame *in = make_noise(AV_PIX_FMT_YUV420P, AVCHROMA_LOC_LEFT, 320, 240);
    for (int p = 0; p < 3; p++)
        for (size_t k = 0; k < in->buf[p]->size; k++)
            in->data[p][k] = (uint8_t)(64 + in->data[p][k] / 2);
    struct sc_source src;
    assert_int_equal(sc_source_describe(&src, in, NULL), 0);
    assert_int_equal(sc_source_planes(&src, in, 32, 16, &staged), 0);
    struct sc_image img = src.img;
    img.w = img.pad_w = 96;
    img.h = img.pad_h = 54;
    assert_int_equal(sc_image_alloc(&img, &scaled), 0);
    for (size_t i = 0; i < SC_COUNT(crops); i++) {
        struct sc_geometry geo = {
            .left = crops[i].x, .top = crops[i].y, .crop_w = crops[i].w, .crop_h = crops[i].h};
        assert_int_equal(sc_scaler_run(scaler, &src.img, &geo, &img), 0);
        AVFrame *out = must_crop(cropper, in, crops[i]);
        for (int p = 0; p < 3; p++)
            for (int y = 0; y < plane_h(out, p); y++)
                for (int x = 0; x < plane_w(out, p); x++)
                    assert_true(
                        abs(sample(out, p, x, y) - img.data[p][y * img.stride[p] + x]) <= 1);
        av_frame_free(&out);
    }
    av_frame_free(&in);
    sc_scratch_release(&staged);
    sc_scratch_release(&scaled);
    sc_scaler_free(&scaler);
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
        cmocka_unit_test(samples_are_those_of_a_direct_computation),
        cmocka_unit_test(samples_are_those_of_zimg),
        cmocka_unit_test(levels_give_the_same_bytes),
        cmocka_unit_test(overshooting_ends_at_black_and_white),
        cmocka_unit_test(bad_parameters_are_named),
        cmocka_unit_test(hardware_frames_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
