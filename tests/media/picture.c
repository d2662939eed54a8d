#include "media/picture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libavutil/imgutils.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "clip.h"

// --- pictures as packed RGB

struct rgb {
    int w, h;
    uint8_t *data;
};

static void rgb_free(struct rgb *rgb)
{
    free(rgb->data);
    rgb->data = NULL;
}

// How far two pictures are apart: mean of absolute differences, and PSNR in dB.
struct distance {
    double mean, psnr;
};

static struct distance rgb_distance(const struct rgb *a, const struct rgb *b)
{
    double sum = 0, squares = 0, n = (double)a->w * a->h * 3;
    assert_int_equal(a->w, b->w);
    assert_int_equal(a->h, b->h);
    for (int i = 0; i < a->w * a->h * 3; i++) {
        double d = (double)a->data[i] - b->data[i];
        sum += fabs(d);
        squares += d * d;
    }
    return (struct distance){sum / n, squares > 0 ? 10 * log10(255 * 255 * n / squares) : 99};
}

static void assert_close(const struct rgb *a, const struct rgb *b, double psnr, double mean,
                         const char *what)
{
    struct distance d = rgb_distance(a, b);
    if (getenv("PICTURE_VERBOSE"))
        print_message("%-48s %6.2f dB, mean %.3f\n", what, d.psnr, d.mean);
    if (d.psnr < psnr || d.mean > mean)
        fail_msg("%s: %.2f dB (wanted %.1f), mean error %.3f (allowed %.2f)", what, d.psnr,
                 psnr, d.mean, mean);
}

// The first frame of what ffmpeg makes of a file, as RGB.
static struct rgb rgb_by_ffmpeg(const char *path, const char *filters, int w, int h)
{
    struct rgb rgb = {w, h, malloc((size_t)w * (size_t)h * 3)};
    char command[1024];
    snprintf(command, sizeof(command),
             "ffmpeg -v error -noautorotate -i %s -vf '%s' -frames:v 1 -pix_fmt rgb24 "
             "-f rawvideo -",
             path, filters);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t got = fread(rgb.data, 1, (size_t)w * (size_t)h * 3, pipe);
    assert_int_equal(fgetc(pipe), EOF);
    assert_int_equal(pclose(pipe), 0);
    assert_int_equal(got, w * h * 3);
    return rgb;
}

// An encoded picture read back by libavcodec.
static AVFrame *decode(const sc_buf *buf, const char *name)
{
    char path[256];
    clip_path(path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(buf->data, 1, buf->size, file), buf->size);
    fclose(file);
    AVFrame *av = clip_decode(path, 0);
    assert_non_null(av);
    unlink(path);
    return av;
}

// The same, as RGB by libswscale.
static struct rgb rgb_decode(const sc_buf *buf, const char *name)
{
    AVFrame *av = decode(buf, name);
    struct rgb rgb = {av->width, av->height,
                      malloc((size_t)av->width * (size_t)av->height * 3)};
    struct SwsContext *sws = sws_getContext(
        av->width, av->height, av->format, av->width, av->height, AV_PIX_FMT_RGB24,
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    uint8_t *data[4] = {rgb.data};
    int stride[4] = {av->width * 3};
    sws_scale(sws, (const uint8_t *const *)av->data, av->linesize, 0, av->height, data, stride);
    sws_freeContext(sws);
    av_frame_free(&av);
    return rgb;
}

// --- frames

static sc_frame *blank_frame(int format, int w, int h)
{
    AVFrame *av = av_frame_alloc();
    av->format = format;
    av->width = w;
    av->height = h;
    assert_int_equal(av_frame_get_buffer(av, 0), 0);
    return sc_frame_wrap(av, 0, 0);
}

// A file of rawvideo as one frame.
static sc_frame *raw_frame(const char *path, int format, int w, int h)
{
    sc_frame *frame = blank_frame(format, w, h);
    int size = av_image_get_buffer_size(format, w, h, 1);
    uint8_t *bytes = malloc((size_t)size), *planes[4];
    int strides[4];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, (size_t)size, file), size);
    fclose(file);
    av_image_fill_arrays(planes, strides, bytes, format, w, h, 1);
    av_image_copy(frame->av->data, frame->av->linesize, (const uint8_t **)planes, strides,
                  format, w, h);
    free(bytes);
    return frame;
}

static struct rgb picture_rgb(sc_frame *frame, const struct sc_picture_params *params,
                              struct sc_picture_info *info)
{
    sc_picture_ctx *ctx = sc_picture_ctx_new();
    struct sc_picture_info own;
    sc_buf *buf = NULL;
    sc_err err = {0};
    info = info ? info : &own;
    if (sc_picture_rgb(ctx, &buf, info, frame, params, &err) < 0)
        fail_msg("%s", err.text);
    struct rgb rgb = {info->width, info->height, malloc(buf->size)};
    assert_int_equal(buf->size, info->width * info->height * 3);
    memcpy(rgb.data, buf->data, buf->size);
    sc_buf_unref(&buf);
    sc_picture_ctx_free(&ctx);
    return rgb;
}

static struct rgb picture_coded(sc_frame *frame, const struct sc_picture_params *params)
{
    static const char *const names[] = {"p.jpg", "p.png", "p.webp"};
    sc_picture_ctx *ctx = sc_picture_ctx_new();
    struct sc_picture_info info;
    sc_buf *buf = NULL, *again = NULL;
    sc_err err = {0};
    if (sc_picture_encode(ctx, &buf, &info, frame, params, &err) < 0)
        fail_msg("%s", err.text);
    // The same again from a context that has seen the size: the bytes must not change.
    assert_int_equal(sc_picture_encode(ctx, &again, NULL, frame, params, NULL), 0);
    assert_int_equal(buf->size, again->size);
    assert_memory_equal(buf->data, again->data, buf->size);
    struct rgb rgb = rgb_decode(buf, names[params->format]);
    assert_int_equal(rgb.w, info.width);
    assert_int_equal(rgb.h, info.height);
    sc_buf_unref(&buf);
    sc_buf_unref(&again);
    sc_picture_ctx_free(&ctx);
    return rgb;
}

// --- colour

struct colour {
    const char *pix_fmt;
    int matrix;       // enum AVColorSpace
    const char *name; // of the matrix, for zscale
    bool full;
};

static const struct colour colours[] = {
    {"yuv420p", AVCOL_SPC_BT709, "709", false},
    {"yuv420p", AVCOL_SPC_SMPTE170M, "170m", false},
    {"yuv420p", AVCOL_SPC_BT2020_NCL, "2020_ncl", false},
    {"yuv420p", AVCOL_SPC_BT709, "709", true},
    {"yuv420p", AVCOL_SPC_SMPTE170M, "170m", true},
    {"yuv422p", AVCOL_SPC_BT709, "709", false},
    {"yuv422p", AVCOL_SPC_SMPTE170M, "170m", true},
    {"yuv440p", AVCOL_SPC_BT709, "709", false},
    {"yuv444p", AVCOL_SPC_BT709, "709", false},
    {"yuv444p", AVCOL_SPC_BT2020_NCL, "2020_ncl", true},
    {"yuv444p", AVCOL_SPC_YCGCO, "ycgco", true},
    {"yuv411p", AVCOL_SPC_SMPTE170M, "170m", false},
    {"yuv410p", AVCOL_SPC_SMPTE170M, "170m", false},
    {"nv12", AVCOL_SPC_BT709, "709", false},
    {"nv21", AVCOL_SPC_BT709, "709", false},
    {"p010le", AVCOL_SPC_BT2020_NCL, "2020_ncl", false},
    {"yuv420p9le", AVCOL_SPC_BT709, "709", false},
    {"yuv420p10le", AVCOL_SPC_BT709, "709", false},
    {"yuv420p10be", AVCOL_SPC_BT709, "709", false},
    {"yuv422p10le", AVCOL_SPC_BT2020_NCL, "2020_ncl", true},
    {"yuv420p12le", AVCOL_SPC_BT709, "709", false},
    {"yuv444p16le", AVCOL_SPC_BT709, "709", false},
    {"yuva420p", AVCOL_SPC_BT709, "709", false},
    {"yuyv422", AVCOL_SPC_BT709, "709", false},
    {"uyvy422", AVCOL_SPC_SMPTE170M, "170m", false},
    {"gbrp", AVCOL_SPC_RGB, "gbr", true},
    {"gbrp10le", AVCOL_SPC_RGB, "gbr", true},
    {"rgb24", AVCOL_SPC_RGB, "gbr", true},
    {"bgra", AVCOL_SPC_RGB, "gbr", true},
    {"rgb565le", AVCOL_SPC_RGB, "gbr", true},
    {"rgb48be", AVCOL_SPC_RGB, "gbr", true},
    {"x2rgb10le", AVCOL_SPC_RGB, "gbr", true},
};

// A soft picture of w x h as RGB, in a file of the caller's to unlink.
static struct rgb soft_picture(char path[256], int w, int h)
{
    clip_path(path, "soft.nut");
    free(clip_run("ffmpeg -v error -y -f lavfi -i testsrc2=s=640x480:d=0.04 -vf "
                  "format=gbrp,gblur=sigma=6,scale=%d:%d:flags=area -c:v ffv1 %s",
                  w, h, path));
    return rgb_by_ffmpeg(path, "null", w, h);
}

// What zscale makes of Y'CbCr before swscale packs it, which it cannot itself.
static const char *planar_of(const char *pix_fmt)
{
    static const char *const packed[][2] = {
        {"nv12", "yuv420p"},       {"nv21", "yuv420p"},
        {"p010le", "yuv420p10le"}, {"yuv420p10be", "yuv420p10le"},
        {"yuva420p", "yuv420p"},   {"yuyv422", "yuv422p"},
        {"uyvy422", "yuv422p"},
    };
    for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++)
        if (!strcmp(packed[i][0], pix_fmt))
            return packed[i][1];
    return pix_fmt;
}

// The picture at path as a frame of the wanted coding.
static sc_frame *colour_frame(const struct colour *colour, const char *rgb_path, int w, int h)
{
    char path[256], filters[512];
    clip_path(path, "colour.raw");
    if (colour->matrix == AVCOL_SPC_RGB)
        snprintf(filters, sizeof(filters), "format=%s", colour->pix_fmt);
    else
        snprintf(filters, sizeof(filters), "zscale=m=%s:r=%s:c=left,format=%s,scale,format=%s",
                 colour->name, colour->full ? "full" : "limited", planar_of(colour->pix_fmt),
                 colour->pix_fmt);
    free(clip_run("ffmpeg -v error -y -i %s -vf %s -f rawvideo %s", rgb_path, filters, path));
    sc_frame *frame = raw_frame(path, av_get_pix_fmt(colour->pix_fmt), w, h);
    frame->av->colorspace = colour->matrix;
    frame->av->color_range = colour->full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    frame->av->chroma_location = AVCHROMA_LOC_LEFT;
    unlink(path);
    return frame;
}

static void check_colour(const struct colour *colour, const char *path,
                         const struct rgb *reference)
{
    char what[128];
    int w = reference->w, h = reference->h;
    sc_frame *frame = colour_frame(colour, path, w, h);
    // Five bits hold no more than this; subsampling of four smears; one level is one at 8 bits.
    bool coarse = strstr(colour->pix_fmt, "565") || strstr(colour->pix_fmt, "x2rgb") ||
                  !strncmp(colour->pix_fmt, "yuv41", 5);
    for (int format = 0; format < 4; format++) {
        struct sc_picture_params params = {.format = (enum sc_picture_format)format,
                                           .quality = 95};
        bool exact = format == SC_PICTURE_PNG || format == SC_PICTURE_NPY;
        struct rgb got = format == SC_PICTURE_NPY ? picture_rgb(frame, &params, NULL)
                                                  : picture_coded(frame, &params);
        snprintf(what, sizeof(what), "%s %s %s %dx%d as %s", colour->pix_fmt, colour->name,
                 colour->full ? "full" : "limited", w, h, sc_picture_mime(params.format));
        assert_close(&got, reference,
                     coarse  ? 34
                     : exact ? 43
                             : 37,
                     coarse  ? 3.5
                     : exact ? 1
                             : 2,
                     what);
        rgb_free(&got);
    }
    sc_frame_unref(&frame);
}

static void colours_survive(void **state)
{
    (void)state;
    char path[256];
    struct rgb reference = soft_picture(path, 320, 240);
    for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
        check_colour(&colours[i], path, &reference);
    rgb_free(&reference);
    unlink(path);
}

// --- flat patches against the definition of Y'CbCr (ITU-T H.273, 8.3), in double precision

struct patch_case {
    int matrix;
    double kr, kb;
    bool full;
    int format, depth;
};

static void patch_rgb(const struct patch_case *c, const int ycc[3], double rgb[3])
{
    double one = 1 << (c->depth - 8), top = (1 << c->depth) - 1;
    double y = c->full ? ycc[0] / top : (ycc[0] - 16 * one) / (219 * one);
    double span = c->full ? top : 224 * one;
    double cb = (ycc[1] - 128 * one) / span, cr = (ycc[2] - 128 * one) / span;
    rgb[0] = y + 2 * (1 - c->kr) * cr;
    rgb[2] = y + 2 * (1 - c->kb) * cb;
    rgb[1] = (y - c->kr * rgb[0] - c->kb * rgb[2]) / (1 - c->kr - c->kb);
    for (int i = 0; i < 3; i++)
        rgb[i] = fmin(fmax(255 * rgb[i], 0), 255);
}

static sc_frame *flat_frame(int format, int w, int h, const int value[3])
{
    sc_frame *frame = blank_frame(format, w, h);
    AVFrame *av = frame->av;
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    for (int p = 0; p < desc->nb_components; p++)
        for (int y = 0; y < AV_CEIL_RSHIFT(h, p ? desc->log2_chroma_h : 0); y++)
            for (int x = 0; x < AV_CEIL_RSHIFT(w, p ? desc->log2_chroma_w : 0); x++) {
                uint8_t *at = av->data[p] + y * av->linesize[p];
                if (desc->comp[0].depth > 8)
                    ((uint16_t *)(void *)at)[x] = (uint16_t)value[p];
                else
                    at[x] = (uint8_t)value[p];
            }
    return frame;
}

static void assert_flat(const struct rgb *got, const double rgb[3], double tolerance,
                        const char *what)
{
    for (int i = 0; i < got->w * got->h * 3; i++)
        if (fabs(got->data[i] - rgb[i % 3]) > tolerance)
            fail_msg("%s: (%d, %d) channel %d is %d, not %.1f", what, i / 3 % got->w,
                     i / 3 / got->w, i % 3, got->data[i], rgb[i % 3]);
}

static void check_patch(const struct patch_case *c, const int eight[3])
{
    int ycc[3];
    double rgb[3];
    char what[96];
    for (int i = 0; i < 3; i++)
        ycc[i] = eight[i] << (c->depth - 8);
    patch_rgb(c, ycc, rgb);
    for (int i = 0; i < 3; i++) // what no display can show may be clipped in any way
        if (rgb[i] <= 0 || rgb[i] >= 255)
            return;
    sc_frame *frame = flat_frame(c->format, 33, 17, ycc);
    frame->av->colorspace = c->matrix;
    frame->av->color_range = c->full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    for (int format = 0; format < 4; format++) {
        struct sc_picture_params params = {.format = (enum sc_picture_format)format,
                                           .quality = 98};
        struct rgb got = format == SC_PICTURE_NPY ? picture_rgb(frame, &params, NULL)
                                                  : picture_coded(frame, &params);
        snprintf(what, sizeof(what), "%s matrix %d %s %d %d %d as %s",
                 av_get_pix_fmt_name(c->format), c->matrix, c->full ? "full" : "limited",
                 ycc[0], ycc[1], ycc[2], sc_picture_mime(params.format));
        assert_flat(&got, rgb, format == SC_PICTURE_PNG || format == SC_PICTURE_NPY ? 1.01 : 3,
                    what);
        rgb_free(&got);
    }
    sc_frame_unref(&frame);
}

static void patches_follow_the_definition(void **state)
{
    (void)state;
    static const struct patch_case cases[] = {
        {AVCOL_SPC_BT709, 0.2126, 0.0722, false, AV_PIX_FMT_YUV420P, 8},
        {AVCOL_SPC_BT709, 0.2126, 0.0722, true, AV_PIX_FMT_YUV422P, 8},
        {AVCOL_SPC_SMPTE170M, 0.299, 0.114, false, AV_PIX_FMT_YUV420P, 8},
        {AVCOL_SPC_BT470BG, 0.299, 0.114, true, AV_PIX_FMT_YUV444P, 8},
        {AVCOL_SPC_SMPTE240M, 0.212, 0.087, false, AV_PIX_FMT_YUV420P, 8},
        {AVCOL_SPC_FCC, 0.30, 0.11, false, AV_PIX_FMT_YUV440P, 8},
        {AVCOL_SPC_BT2020_NCL, 0.2627, 0.0593, false, AV_PIX_FMT_YUV420P10, 10},
        {AVCOL_SPC_BT2020_NCL, 0.2627, 0.0593, true, AV_PIX_FMT_YUV420P12, 12},
    };
    static const int patches[][3] = {{81, 90, 180},   {145, 54, 100}, {41, 140, 120},
                                     {180, 128, 128}, {16, 128, 128}, {120, 170, 110},
                                     {100, 100, 150}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t j = 0; j < sizeof(patches) / sizeof(patches[0]); j++)
            check_patch(&cases[i], patches[j]);
}

// What a frame that does not say its colour is taken for.
static void unspecified_colour(void **state)
{
    (void)state;
    static const int ycc[3] = {81, 90, 180};
    static const struct {
        int format, w, h;
        struct patch_case as;
    } cases[] = {
        {AV_PIX_FMT_YUV420P, 64, 48, {.kr = 0.299, .kb = 0.114, .depth = 8}},
        {AV_PIX_FMT_YUV420P, 1280, 16, {.kr = 0.2126, .kb = 0.0722, .depth = 8}},
        {AV_PIX_FMT_YUV420P, 16, 720, {.kr = 0.2126, .kb = 0.0722, .depth = 8}},
        {AV_PIX_FMT_YUVJ420P, 64, 48, {.kr = 0.299, .kb = 0.114, .full = true, .depth = 8}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double rgb[3];
        sc_frame *frame = flat_frame(cases[i].format, cases[i].w, cases[i].h, ycc);
        struct rgb got = picture_rgb(frame, &(struct sc_picture_params){0}, NULL);
        patch_rgb(&cases[i].as, ycc, rgb);
        assert_flat(&got, rgb, 1.01, "unspecified colour");
        rgb_free(&got);
        sc_frame_unref(&frame);
    }
}

static void grays_palettes_and_bits(void **state)
{
    (void)state;
    static const struct {
        int format, value, expected;
        enum AVColorRange range;
    } cases[] = {
        {AV_PIX_FMT_GRAY8, 100, 100, AVCOL_RANGE_UNSPECIFIED},
        {AV_PIX_FMT_GRAY8, 235, 255, AVCOL_RANGE_MPEG},
        {AV_PIX_FMT_GRAY10, 400, 100, AVCOL_RANGE_JPEG},
        {AV_PIX_FMT_GRAY16, 25700, 100, AVCOL_RANGE_JPEG},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double rgb[3] = {cases[i].expected, cases[i].expected, cases[i].expected};
        sc_frame *frame = flat_frame(cases[i].format, 21, 13, (int[3]){cases[i].value});
        frame->av->color_range = cases[i].range;
        for (int format = 0; format < 3; format++) {
            struct sc_picture_params params = {.format = (enum sc_picture_format)format};
            struct rgb got = picture_coded(frame, &params);
            assert_flat(&got, rgb, 1.01, "gray");
            rgb_free(&got);
        }
        sc_frame_unref(&frame);
    }
    sc_frame *frame = blank_frame(AV_PIX_FMT_PAL8, 7, 5);
    for (int i = 0; i < 256; i++)
        ((uint32_t *)(void *)frame->av->data[1])[i] = 0xff000000u | (uint32_t)i * 0x010203u;
    memset(frame->av->data[0], 50, (size_t)frame->av->linesize[0] * 5);
    struct rgb got = picture_rgb(frame, &(struct sc_picture_params){0}, NULL);
    assert_flat(&got, (double[3]){50, 100, 150}, 0, "pal8");
    rgb_free(&got);
    sc_frame_unref(&frame);
    for (int format = AV_PIX_FMT_MONOWHITE; format <= AV_PIX_FMT_MONOBLACK; format++) {
        frame = blank_frame(format, 9, 3);
        memset(frame->av->data[0], 0, (size_t)frame->av->linesize[0] * 3);
        double level = format == AV_PIX_FMT_MONOWHITE ? 255 : 0;
        got = picture_rgb(frame, &(struct sc_picture_params){0}, NULL);
        assert_flat(&got, (double[3]){level, level, level}, 0, "bits");
        rgb_free(&got);
        sc_frame_unref(&frame);
    }
}

// --- orientation

static void turns_equal_ffmpegs(void **state)
{
    (void)state;
    static const struct {
        int rotation;
        bool hflip, vflip;
        const char *filters;
    } turns[] = {
        {90, false, false, "transpose=clock"},
        {180, false, false, "hflip,vflip"},
        {270, false, false, "transpose=cclock"},
        {0, true, false, "hflip"},
        {0, false, true, "vflip"},
        {90, true, false, "transpose=clock,hflip"},
        {270, false, true, "transpose=cclock,vflip"},
        {180, true, true, "null"},
    };
    static const int sizes[][2] = {{96, 64}, {95, 63}, {1, 40}, {33, 1}};
    for (size_t z = 0; z < sizeof(sizes) / sizeof(sizes[0]); z++) {
        char path[256];
        int w = sizes[z][0], h = sizes[z][1];
        struct rgb soft = soft_picture(path, w, h);
        sc_frame *exact =
            colour_frame(&(struct colour){"gbrp", AVCOL_SPC_RGB, "", true}, path, w, h);
        sc_frame *video = colour_frame(
            &(struct colour){"yuv444p", AVCOL_SPC_BT709, "709", false}, path, w, h);
        for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
            bool turned = turns[i].rotation % 180;
            struct rgb want =
                rgb_by_ffmpeg(path, turns[i].filters, turned ? h : w, turned ? w : h);
            struct sc_picture_params params = {.rotation = turns[i].rotation,
                                               .quality = 95,
                                               .hflip = turns[i].hflip,
                                               .vflip = turns[i].vflip};
            struct rgb got = picture_rgb(exact, &params, NULL);
            struct rgb jpeg = picture_coded(video, &params);
            assert_int_equal(got.w, want.w);
            assert_memory_equal(got.data, want.data, (size_t)w * (size_t)h * 3);
            assert_close(&jpeg, &want, 36, 2.5, turns[i].filters);
            rgb_free(&want);
            rgb_free(&got);
            rgb_free(&jpeg);
        }
        rgb_free(&soft);
        sc_frame_unref(&exact);
        sc_frame_unref(&video);
        unlink(path);
    }
}

// --- sizes

// Flat frames of odd and tiny sizes stay flat to their edges: same size and scaled, all turns.
static void odd_sizes(void **state)
{
    (void)state;
    static const int sizes[][2] = {{319, 241}, {321, 240}, {17, 15}, {3, 2}, {2, 3}, {1, 1}};
    static const struct colour kinds[] = {
        {"yuv420p", AVCOL_SPC_BT709, "709", false},
        {"yuv422p10le", AVCOL_SPC_BT709, "709", false},
        {"yuv444p", AVCOL_SPC_BT709, "709", false},
    };
    for (size_t z = 0; z < sizeof(sizes) / sizeof(sizes[0]); z++) {
        int w = sizes[z][0], h = sizes[z][1];
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            sc_frame *frame =
                flat_frame(av_get_pix_fmt(kinds[k].pix_fmt), w, h,
                           k == 1 ? (int[3]){400, 440, 600} : (int[3]){100, 110, 150});
            frame->av->colorspace = AVCOL_SPC_BT709;
            for (int turn = 0; turn < 360; turn += 90)
                for (int format = 0; format < 4; format++) {
                    double rgb[3];
                    struct patch_case c = {AVCOL_SPC_BT709, 0.2126, 0.0722, false, 0, 8};
                    patch_rgb(&c, (int[3]){100, 110, 150}, rgb);
                    struct sc_picture_params params = {.format = (enum sc_picture_format)format,
                                                       .rotation = turn,
                                                       .quality = 98};
                    for (int scaled = 0; scaled < 2; scaled++, params.w = 41, params.h = 23) {
                        params.fit = SC_FIT_FILL;
                        struct rgb got = format == SC_PICTURE_NPY
                                             ? picture_rgb(frame, &params, NULL)
                                             : picture_coded(frame, &params);
                        assert_int_equal(got.w, scaled ? 41 : turn % 180 ? h : w);
                        assert_int_equal(got.h, scaled ? 23 : turn % 180 ? w : h);
                        assert_flat(&got, rgb, 3, kinds[k].pix_fmt);
                        rgb_free(&got);
                    }
                }
            sc_frame_unref(&frame);
        }
    }
}

static void scaling_equals_zscale(void **state)
{
    (void)state;
    char path[256];
    struct rgb soft = soft_picture(path, 320, 240);
    static const struct {
        int w, h;
        enum sc_picture_fit fit;
        const char *filters;
        int out_w, out_h;
    } cases[] = {
        {160, 0, SC_FIT_CONTAIN, "zscale=160:120:filter=bicubic", 160, 120},
        {0, 97, SC_FIT_CONTAIN, "zscale=129:97:filter=bicubic", 129, 97},
        {500, 500, SC_FIT_CONTAIN, "zscale=500:375:filter=bicubic", 500, 375},
        {100, 100, SC_FIT_COVER, "crop=240:240,zscale=100:100:filter=bicubic", 100, 100},
        {200, 100, SC_FIT_COVER, "crop=320:160,zscale=200:100:filter=bicubic", 200, 100},
        {77, 190, SC_FIT_FILL, "zscale=77:190:filter=bicubic", 77, 190},
    };
    sc_frame *full = colour_frame(&(struct colour){"yuv444p", AVCOL_SPC_BT709, "709", false},
                                  path, 320, 240);
    sc_frame *half = colour_frame(&(struct colour){"yuv420p", AVCOL_SPC_BT709, "709", false},
                                  path, 320, 240);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int w = cases[i].out_w, h = cases[i].out_h;
        struct sc_picture_params params = {
            .w = cases[i].w, .h = cases[i].h, .fit = cases[i].fit, .quality = 95};
        struct rgb want = rgb_by_ffmpeg(path, cases[i].filters, w, h);
        struct rgb got = picture_rgb(half, &params, NULL);
        assert_close(&got, &want, 36, 2, cases[i].filters);
        rgb_free(&got);
        got = picture_coded(full, &params);
        assert_close(&got, &want, 38, 2, cases[i].filters);
        rgb_free(&got);
        rgb_free(&want);
        if (w % 2 || h % 2)
            continue;      // zscale has no such 4:2:0
        char filters[256]; // what 4:2:0 loses, the reference loses too
        snprintf(
            filters, sizeof(filters),
            "%s,zscale=m=170m:r=full:c=center,format=yuv420p,zscale=m=gbr:r=full,format=gbrp",
            cases[i].filters);
        want = rgb_by_ffmpeg(path, filters, w, h);
        got = picture_coded(half, &params);
        assert_close(&got, &want, 32, 3.5, filters); // chroma is enlarged differently
        rgb_free(&got);
        rgb_free(&want);
    }
    sc_frame_unref(&full);
    sc_frame_unref(&half);
    rgb_free(&soft);
    unlink(path);
}

// --- large pictures, which are encoded in strips

enum { LARGE_W = 1030, LARGE_H = 515, WHOLE_ROWS = 480, MARGIN = 16, LOWER = 64 };

static sc_frame *noisy_frame(int format)
{
    sc_frame *frame = blank_frame(format, LARGE_W, LARGE_H);
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    uint32_t seed = 1;
    for (int p = 0; p < desc->nb_components; p++)
        for (int y = 0; y < AV_CEIL_RSHIFT(LARGE_H, p ? desc->log2_chroma_h : 0); y++)
            for (int x = 0; x < AV_CEIL_RSHIFT(LARGE_W, p ? desc->log2_chroma_w : 0); x++) {
                seed = seed * 1664525u + 1013904223u;
                frame->av->data[p][y * frame->av->linesize[p] + x] =
                    (uint8_t)(60 + (x + 2 * y + 50 * p) % 128 + (int)(seed >> 27));
            }
    return frame;
}

// Rows of a frame as one too small to be cut; y a multiple of MARGIN.
static sc_frame *rows_of(const sc_frame *frame, int y, int rows)
{
    AVFrame *av = av_frame_clone(frame->av);
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av->format);
    for (int p = 0; p < desc->nb_components; p++)
        av->data[p] += (y >> (p ? desc->log2_chroma_h : 0)) * av->linesize[p];
    av->height = rows;
    return sc_frame_wrap(av, 0, 0);
}

static sc_buf *jpeg_by(sc_frame *frame, int threads)
{
    sc_picture_ctx *ctx = sc_picture_ctx_new();
    sc_buf *buf = NULL;
    struct sc_picture_params params = {.threads = threads};
    assert_int_equal(sc_picture_encode(ctx, &buf, NULL, frame, &params, NULL), 0);
    sc_picture_ctx_free(&ctx);
    return buf;
}

// Restart markers, which count from 0.
static int restarts(const sc_buf *buf)
{
    int count = 0;
    for (size_t i = 0; i + 1 < buf->size; i++)
        if (buf->data[i] == 0xff && buf->data[i + 1] >= 0xd0 && buf->data[i + 1] <= 0xd7)
            assert_int_equal(buf->data[i + 1] - 0xd0, count++ % 8);
    return count;
}

// Rows y .. y + rows of a large picture are those that an uncut one shows; its edges see others.
static void assert_rows_equal(const AVFrame *large, sc_frame *frame, int y, int rows)
{
    sc_frame *part = rows_of(frame, y, rows);
    sc_buf *buf = jpeg_by(part, 4);
    assert_int_equal(restarts(buf), 0);
    AVFrame *whole = decode(buf, "whole.jpg");
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(large->format);
    assert_int_equal(whole->format, large->format);
    int from = y ? MARGIN : 0, to = y + rows < LARGE_H ? rows - MARGIN : rows;
    for (int p = 0; p < desc->nb_components; p++) {
        int shift = p ? desc->log2_chroma_h : 0;
        int w = AV_CEIL_RSHIFT(LARGE_W, p ? desc->log2_chroma_w : 0);
        for (int i = from >> shift; i < AV_CEIL_RSHIFT(to, shift); i++)
            assert_memory_equal(large->data[p] + ((y >> shift) + i) * large->linesize[p],
                                whole->data[p] + i * whole->linesize[p], (size_t)w);
    }
    av_frame_free(&whole);
    sc_buf_unref(&buf);
    sc_frame_unref(&part);
}

static void strips_change_no_pixel(void **state)
{
    (void)state;
    static const int formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV422P,
                                  AV_PIX_FMT_YUV440P, AV_PIX_FMT_YUV444P,  AV_PIX_FMT_GRAY8};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        sc_frame *frame = noisy_frame(formats[i]);
        sc_buf *one = jpeg_by(frame, 0);
        assert_int_equal(restarts(one), 3);
        for (int threads = 2; threads <= 5; threads++) {
            sc_buf *many = jpeg_by(frame, threads);
            assert_int_equal(many->size, one->size);
            assert_memory_equal(many->data, one->data, one->size);
            sc_buf_unref(&many);
        }
        AVFrame *large = decode(one, "strips.jpg");
        assert_int_equal(large->width, LARGE_W);
        assert_int_equal(large->height, LARGE_H);
        assert_rows_equal(large, frame, 0, WHOLE_ROWS);
        assert_rows_equal(large, frame, LOWER, LARGE_H - LOWER);
        av_frame_free(&large);
        sc_buf_unref(&one);
        sc_frame_unref(&frame);
    }
}

static void size_arithmetic(void **state)
{
    (void)state;
    static const struct {
        struct sc_picture_params params;
        int w, h;
        AVRational sar;
        int out_w, out_h;
    } cases[] = {
        {{0}, 720, 576, {16, 11}, 1047, 576},
        {{0}, 720, 576, {0, 1}, 720, 576},
        {{0}, 1440, 1080, {4, 3}, 1920, 1080},
        {{.sample_aspect = {1, 1}}, 1440, 1080, {4, 3}, 1440, 1080},
        {{.rotation = 90}, 1440, 1080, {4, 3}, 1080, 1920},
        {{.rotation = 90, .w = 540}, 1920, 1080, {1, 1}, 540, 960},
        {{.w = 640}, 1920, 1080, {1, 1}, 640, 360},
        {{.h = 100}, 1920, 1080, {1, 1}, 178, 100},
        {{.w = 400, .h = 400}, 1920, 1080, {1, 1}, 400, 225},
        {{.w = 400, .h = 400, .fit = SC_FIT_COVER}, 1920, 1080, {1, 1}, 400, 400},
        {{.w = 400, .h = 10, .fit = SC_FIT_FILL}, 1920, 1080, {1, 1}, 400, 10},
        {{.w = 3}, 8000, 100, {1, 1}, 3, 1},
        {{.h = 8192}, 8000, 100, {1, 1}, 8192, 8192},
        {{0}, 16384, 4096, {1, 1}, 8192, 2048},
        {{0}, 100, 100, {1000, 1}, 8192, 8},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int w, h;
        sc_picture_size(&cases[i].params, cases[i].w, cases[i].h, cases[i].sar, &w, &h);
        if (w != cases[i].out_w || h != cases[i].out_h)
            fail_msg("case %zu: %dx%d, not %dx%d", i, w, h, cases[i].out_w, cases[i].out_h);
    }
}

static void wrong_parameters_are_named(void **state)
{
    (void)state;
    static const struct {
        struct sc_picture_params params;
        const char *field;
    } cases[] = {
        {{.w = 100000}, "w"},
        {{.w = -1}, "w"},
        {{.h = 8193}, "h"},
        {{.quality = 101}, "quality"},
        {{.quality = -1}, "quality"},
        {{.rotation = 45}, "rotation"},
        {{.rotation = 360}, "rotation"},
        {{.fit = 7}, "fit"},
        {{.format = 9}, "format"},
    };
    sc_frame *frame = flat_frame(AV_PIX_FMT_GRAY8, 8, 8, (int[3]){1});
    sc_picture_ctx *ctx = sc_picture_ctx_new();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sc_buf *buf = NULL;
        sc_err err = {0};
        assert_int_equal(sc_picture_encode(ctx, &buf, NULL, frame, &cases[i].params, &err),
                         SC_EARG);
        assert_string_equal(err.field, cases[i].field);
        assert_null(buf);
    }
    sc_err err = {0};
    sc_buf *buf = NULL;
    frame->av->format = AV_PIX_FMT_CUDA;
    assert_int_equal(
        sc_picture_encode(ctx, &buf, NULL, frame, &(struct sc_picture_params){0}, &err),
        SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "cuda"));
    sc_picture_ctx_free(&ctx);
    sc_picture_ctx_free(&ctx);
    sc_picture_ctx_free(NULL);
    sc_frame_unref(&frame);
}

// --- HDR

static double hdr_gray(int transfer, int code)
{
    sc_frame *frame = flat_frame(AV_PIX_FMT_YUV420P10, 64, 48, (int[3]){code, 512, 512});
    frame->av->colorspace = AVCOL_SPC_BT2020_NCL;
    frame->av->color_primaries = AVCOL_PRI_BT2020;
    frame->av->color_trc = transfer;
    frame->av->color_range = AVCOL_RANGE_MPEG;
    struct sc_picture_info info = {0};
    struct rgb got = picture_rgb(frame, &(struct sc_picture_params){0}, &info);
    assert_true(info.tone_mapped);
    double level = got.data[1];
    assert_flat(&got, (double[3]){level, level, level}, 1, "hdr gray");
    struct rgb jpeg = picture_coded(frame, &(struct sc_picture_params){.quality = 95, .w = 31});
    assert_flat(&jpeg, (double[3]){level, level, level}, 3, "hdr gray as JPEG");
    rgb_free(&got);
    rgb_free(&jpeg);
    sc_frame_unref(&frame);
    return level;
}

// Codes are from ITU-R BT.2408 table 1: 58 % PQ and 75 % HLG are diffuse white (203 cd/m2),
// 38 % of both is an 18 % gray card (26 cd/m2).
static void hdr_lands_where_sdr_would(void **state)
{
    (void)state;
    static const int transfers[] = {AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67};
    for (int i = 0; i < 2; i++) {
        int white_code = 64 + (int)((i ? 0.75 : 0.581) * 876);
        double black = hdr_gray(transfers[i], 64), gray = hdr_gray(transfers[i], 64 + 333);
        double white = hdr_gray(transfers[i], white_code), peak = hdr_gray(transfers[i], 940);
        if (getenv("PICTURE_VERBOSE"))
            print_message("black %.0f gray %.0f white %.0f peak %.0f\n", black, gray, white,
                          peak);
        assert_true(black <= 2);
        assert_in_range((int)gray, 90, 130);
        assert_in_range((int)white, 205, 245);
        assert_true(peak > white && peak >= 250);
    }
}

static void sdr_is_not_tone_mapped(void **state)
{
    (void)state;
    struct sc_picture_info info = {.tone_mapped = true};
    sc_frame *frame = flat_frame(AV_PIX_FMT_YUV420P10, 16, 16, (int[3]){512, 512, 512});
    struct rgb got = picture_rgb(frame, &(struct sc_picture_params){0}, &info);
    assert_false(info.tone_mapped);
    rgb_free(&got);
    sc_frame_unref(&frame);
}

// --- npy

static void npy_opens_in_numpy(void **state)
{
    (void)state;
    char path[256];
    sc_frame *frame = flat_frame(AV_PIX_FMT_GBRP, 5, 3, (int[3]){20, 30, 10}); // G B R
    sc_picture_ctx *ctx = sc_picture_ctx_new();
    sc_buf *buf = NULL;
    struct sc_picture_params params = {.format = SC_PICTURE_NPY};
    assert_int_equal(sc_picture_encode(ctx, &buf, NULL, frame, &params, NULL), 0);
    assert_memory_equal(buf->data, "\x93NUMPY\x01\x00", 8);
    size_t start = 10 + buf->data[8] + 256u * buf->data[9];
    assert_int_equal(start % 64, 0);
    assert_int_equal(buf->data[start - 1], '\n');
    assert_int_equal(buf->size, start + 5 * 3 * 3);
    assert_memory_equal(buf->data + start, "\x0a\x14\x1e\x0a\x14\x1e", 6);
    FILE *file = fopen(clip_path(path, "p.npy"), "wb");
    assert_int_equal(fwrite(buf->data, 1, buf->size, file), buf->size);
    fclose(file);
    char *text = clip_run("/usr/bin/python3 -c 'import numpy as n; a = n.load(\"%s\"); "
                          "print(a.shape, a.dtype, a[2, 4])' 2>/dev/null",
                          path);
    if (text) // where NumPy is installed
        assert_string_equal(text, "(3, 5, 3) uint8 [10 20 30]\n");
    free(text);
    unlink(path);
    sc_buf_unref(&buf);
    buf = sc_picture_npy_header(7, 1080, 1920);
    assert_non_null(strstr((char *)buf->data + 10, "(7, 1080, 1920, 3)"));
    sc_buf_unref(&buf);
    sc_picture_ctx_free(&ctx);
    sc_frame_unref(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_survive),
        cmocka_unit_test(patches_follow_the_definition),
        cmocka_unit_test(unspecified_colour),
        cmocka_unit_test(grays_palettes_and_bits),
        cmocka_unit_test(turns_equal_ffmpegs),
        cmocka_unit_test(odd_sizes),
        cmocka_unit_test(scaling_equals_zscale),
        cmocka_unit_test(strips_change_no_pixel),
        cmocka_unit_test(size_arithmetic),
        cmocka_unit_test(wrong_parameters_are_named),
        cmocka_unit_test(hdr_lands_where_sdr_would),
        cmocka_unit_test(sdr_is_not_tone_mapped),
        cmocka_unit_test(npy_opens_in_numpy),
    };
    av_log_set_level(AV_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
