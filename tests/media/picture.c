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

// An encoded picture read back by libavcodec and libswscale.
static struct rgb rgb_decode(const sc_buf *buf, const char *name)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
