#include "media/crop.h"

#include <math.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "media/buffers.h"
#include "media/crop_internal.h"

#define MAX_SIDE 8192
#define RESERVE  (32 << 20) // bytes of freed pictures kept for the next ones

static const struct sc_crop_kernels *const levels[] = {
    &sc_crop_kernels_c,
#if defined(__x86_64__)
    &sc_crop_kernels_avx2,
#endif
};

struct sc_cropper {
    int width, height; // immutable
    const struct sc_crop_kernels *kernels;
    struct sc_crop_taps x[2], y[2]; // of luma, of chroma
    struct sc_scratch staged, row;
    sc_buffers *buffers;
};

// What is left of a crop within the picture, in its luma samples.
struct area {
    double x, y, w, h;
};

// --- opening

int sc_cropper_open(sc_cropper **out, const struct sc_cropper_params *params, sc_err *err)
{
    *out = NULL;
    if (params->width < 1 || params->width > MAX_SIDE)
        return sc_fail_field(err, SC_EARG, "width", "width must be from 1 to %d; it is %d",
                             MAX_SIDE, params->width);
    if (params->height < 1 || params->height > MAX_SIDE)
        return sc_fail_field(err, SC_EARG, "height", "height must be from 1 to %d; it is %d",
                             MAX_SIDE, params->height);
    sc_cropper *cropper = sc_new(sc_cropper);
    *cropper = (sc_cropper){
        .width = params->width,
        .height = params->height,
        .buffers = sc_buffers_new(RESERVE),
    };
    for (int level = 0; level < (int)SC_COUNT(levels); level++)
        sc_cropper_set_level(cropper, level);
    *out = cropper;
    return 0;
}

bool sc_cropper_set_level(sc_cropper *cropper, int level)
{
    if (level < 0 || level >= (int)SC_COUNT(levels) || !levels[level]->supported())
        return false;
    cropper->kernels = levels[level];
    return true;
}

void sc_cropper_close(sc_cropper **pcropper)
{
    sc_cropper *cropper = pcropper ? *pcropper : NULL;
    if (!cropper)
        return;
    for (int i = 0; i < 2; i++) {
        sc_crop_taps_release(&cropper->x[i]);
        sc_crop_taps_release(&cropper->y[i]);
    }
    sc_scratch_release(&cropper->staged);
    sc_scratch_release(&cropper->row);
    sc_buffers_unref(&cropper->buffers);
    free(cropper);
    *pcropper = NULL;
}

// --- the result

// Whether samples of the format are laid out as those of img: planes of bytes or native words.
static bool is_format(const AVPixFmtDescriptor *desc, const struct sc_image *img)
{
    const uint64_t odd = AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
                         AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_FLOAT |
                         AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_BE;
    int planes = sc_image_planes(img), bytes = img->depth > 8 ? 2 : 1;
    bool rgb = desc->flags & AV_PIX_FMT_FLAG_RGB;
    if ((desc->flags & odd) || desc->nb_components != planes ||
        rgb != (img->family == SC_FAMILY_RGB) ||
        av_pix_fmt_count_planes(av_pix_fmt_desc_get_id(desc)) != planes)
        return false;
    for (int c = 0; c < planes; c++)
        if (desc->comp[c].depth != img->depth || desc->comp[c].step != bytes ||
            desc->comp[c].offset || desc->comp[c].shift)
            return false;
    return img->family != SC_FAMILY_YUV ||
           (desc->log2_chroma_w == img->ss_w && desc->log2_chroma_h == img->ss_h);
}

// The frame's own format where that will do, else the first that does; NULL = none.
static const AVPixFmtDescriptor *find_format(const struct sc_image *img, int own)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(own);
    if (desc && is_format(desc, img))
        return desc;
    desc = NULL;
    while ((desc = av_pix_fmt_desc_next(desc)) && !is_format(desc, img))
        ;
    return desc;
}

static AVFrame *make_frame(const sc_cropper *cropper, struct sc_image *img,
                           const AVPixFmtDescriptor *desc, const AVFrame *in)
{
    AVFrame *av = av_frame_alloc();
    if (!av)
        return NULL;
    av->format = av_pix_fmt_desc_get_id(desc);
    av->width = img->w;
    av->height = img->h;
    if (sc_buffers_get(cropper->buffers, NULL, av) < 0 || av_frame_copy_props(av, in) < 0) {
        av_frame_free(&av);
        return NULL;
    }
    av->crop_left = av->crop_right = av->crop_top = av->crop_bottom = 0;
    for (int c = 0; c < sc_image_planes(img); c++) {
        img->data[c] = av->data[desc->comp[c].plane];
        img->stride[c] = av->linesize[desc->comp[c].plane];
    }
    return av;
}

// Cut to the picture; all of it where nothing sensible is left.
static struct area place(const struct sc_crop *crop, const struct sc_image *img)
{
    double x1 = fmax(crop->x, 0), x2 = fmin((double)crop->x + crop->w, img->w);
    double y1 = fmax(crop->y, 0), y2 = fmin((double)crop->y + crop->h, img->h);
    bool sane = isfinite(crop->x) && isfinite(crop->y) && isfinite(crop->w) &&
                isfinite(crop->h) && x2 - x1 >= 1 && y2 - y1 >= 1;
    if (!sane)
        return (struct area){.w = img->w, .h = img->h};
    return (struct area){x1, y1, x2 - x1, y2 - y1};
}

// A stretched crop is shown in the shape it has in the source.
static AVRational aspect_of(const struct area *area, const AVFrame *in, int w, int h)
{
    AVRational from = in->sample_aspect_ratio;
    double stretch = area->w * h / (area->h * w);
    if (fabs(stretch - 1) < 0.004) // what rounding to whole pixels makes
        return from;
    return av_d2q(stretch * (from.num > 0 && from.den > 0 ? av_q2d(from) : 1), 1 << 16);
}

// --- resampling

// Luma samples from the first luma site to the first chroma site, along a side.
static double origin_x(const struct sc_image *img)
{
    bool left = img->siting == ZIMG_CHROMA_LEFT || img->siting == ZIMG_CHROMA_TOP_LEFT ||
                img->siting == ZIMG_CHROMA_BOTTOM_LEFT;
    return left ? 0 : ((1 << img->ss_w) - 1) / 2.0;
}

static double origin_y(const struct sc_image *img)
{
    int last = (1 << img->ss_h) - 1;
    bool top = img->siting == ZIMG_CHROMA_TOP_LEFT || img->siting == ZIMG_CHROMA_TOP;
    bool bottom = img->siting == ZIMG_CHROMA_BOTTOM_LEFT || img->siting == ZIMG_CHROMA_BOTTOM;
    return top ? 0 : bottom ? last : last / 2.0;
}

// Samples of both pictures lie at the same site, so chroma keeps its place to luma.
static struct sc_crop_side side_of(double start, double step, double origin, int ss,
                                   int samples, int count)
{
    double luma = start + (origin + 0.5) * step - 0.5;
    return (struct sc_crop_side){
        .count = count, .samples = samples, .start = ldexp(luma - origin, -ss), .step = step};
}

static int make_taps(sc_cropper *cropper, const struct area *area, const struct sc_image *src,
                     const struct sc_image *dst)
{
    const double step_x = area->w / dst->w, step_y = area->h / dst->h;
    const int kinds = src->ss_w || src->ss_h ? 2 : 1;
    int ret = 0;
    for (int p = 0; p < kinds && ret >= 0; p++) {
        struct sc_crop_side x =
            side_of(area->x, step_x, p ? origin_x(src) : 0, p ? src->ss_w : 0,
                    sc_image_plane_w(src, p), sc_image_plane_w(dst, p));
        struct sc_crop_side y =
            side_of(area->y, step_y, p ? origin_y(src) : 0, p ? src->ss_h : 0,
                    sc_image_plane_h(src, p), sc_image_plane_h(dst, p));
        ret = sc_crop_taps_make(&cropper->x[p], &x, true);
        if (ret >= 0)
            ret = sc_crop_taps_make(&cropper->y[p], &y, false);
    }
    return ret;
}

// Memory for a row of any plane; what weights of 0 may meet beyond it is set.
static int make_row(sc_cropper *cropper, const struct sc_crop_taps *x)
{
    size_t slack = (size_t)x->width + SC_CROP_SLACK, span = (size_t)x->span;
    int ret = sc_scratch_need(&cropper->row, (span + slack) * sizeof(int16_t));
    if (ret >= 0)
        memset(cropper->row.data + span * sizeof(int16_t), 0, slack * sizeof(int16_t));
    return ret;
}

static int resample(sc_cropper *cropper, const struct sc_image *src, const struct sc_image *dst,
                    int p)
{
    const int kind = p && (src->ss_w || src->ss_h), bytes = src->depth > 8 ? 2 : 1;
    const struct sc_crop_taps *x = &cropper->x[kind], *y = &cropper->y[kind];
    int ret = make_row(cropper, x);
    if (ret < 0)
        return ret;
    int16_t *row = (int16_t *)(void *)cropper->row.data;
    const uint8_t *from = src->data[p] + y->from * src->stride[p] + (ptrdiff_t)x->from * bytes;
    for (int i = 0; i < y->side.count; i++) {
        struct sc_crop_rows rows = {
            .data = from + y->first[i] * src->stride[p],
            .stride = src->stride[p],
            .columns = x->span,
            .depth = src->depth,
            .n = y->width,
            .weights = y->weights + (ptrdiff_t)i * y->width,
        };
        while (rows.n > 1 && !rows.weights[rows.n - 1]) // such rows may be beyond the picture
            rows.n--;
        cropper->kernels->down(&rows, row);
        cropper->kernels->across(row, x, dst->depth, dst->data[p] + i * dst->stride[p]);
    }
    return 0;
}

static int fill(sc_cropper *cropper, const struct area *area, const struct sc_image *src,
                const struct sc_image *dst)
{
    int ret = make_taps(cropper, area, src, dst);
    for (int p = 0; p < sc_image_planes(src) && ret >= 0; p++)
        ret = resample(cropper, src, dst, p);
    return ret;
}

static int crop_to(sc_cropper *cropper, AVFrame **out, const AVFrame *in,
                   const struct sc_crop *crop, sc_err *err)
{
    struct sc_source source;
    int ret = sc_source_describe(&source, in, err);
    if (ret < 0)
        return ret;
    struct sc_image img = source.img;
    const AVPixFmtDescriptor *desc = find_format(&img, in->format);
    if (!desc)
        return SC_EUNSUPPORTED;
    img.w = cropper->width;
    img.h = cropper->height;
    ret = sc_source_planes(&source, in, img.depth > 8 ? 2 : 1, 0, &cropper->staged);
    if (ret < 0)
        return ret;
    struct area area = place(crop, &source.img);
    AVFrame *av = make_frame(cropper, &img, desc, in);
    if (!av)
        return SC_ENOMEM;
    av->sample_aspect_ratio = aspect_of(&area, in, img.w, img.h);
    ret = fill(cropper, &area, &source.img, &img);
    if (ret < 0)
        av_frame_free(&av);
    *out = av;
    return ret;
}

int sc_cropper_run(sc_cropper *cropper, AVFrame **out, const AVFrame *in,
                   const struct sc_crop *crop, sc_err *err)
{
    *out = NULL;
    int ret = crop_to(cropper, out, in, crop, err);
    if (ret >= 0)
        return 0;
    const char *name = av_get_pix_fmt_name(in->format);
    return sc_fail(err, ret, "a picture of %dx%d could not be cut from %s: %s", cropper->width,
                   cropper->height, name ? name : "an unknown format", sc_strerror(ret));
}
