#include "media/crop.h"

#include <math.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "media/buffers.h"
#include "media/planes.h"

#define MAX_SIDE   8192
#define RESERVE    (32 << 20) // bytes of freed pictures kept for the next ones
#define ZIMG_ALIGN 32
#define ZIMG_LEAST 16

struct sc_cropper {
    int width, height; // immutable
    struct sc_scaler *scaler;
    struct sc_scratch staged;
    sc_buffers *buffers;
};

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
        .scaler = sc_scaler_new(),
        .buffers = sc_buffers_new(RESERVE),
    };
    *out = cropper;
    return 0;
}

void sc_cropper_close(sc_cropper **pcropper)
{
    sc_cropper *cropper = pcropper ? *pcropper : NULL;
    if (!cropper)
        return;
    sc_scaler_free(&cropper->scaler);
    sc_scratch_release(&cropper->staged);
    sc_buffers_unref(&cropper->buffers);
    free(cropper);
    *pcropper = NULL;
}

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

// Room for the crop, with the padding that the scaler fills.
static AVFrame *make_frame(const sc_cropper *cropper, struct sc_image *img,
                           const AVPixFmtDescriptor *desc, const AVFrame *in)
{
    AVFrame *av = av_frame_alloc();
    if (!av)
        return NULL;
    av->format = av_pix_fmt_desc_get_id(desc);
    av->width = img->pad_w;
    av->height = img->pad_h;
    if (sc_buffers_get(cropper->buffers, NULL, av) < 0 || av_frame_copy_props(av, in) < 0) {
        av_frame_free(&av);
        return NULL;
    }
    av->width = img->w;
    av->height = img->h;
    av->crop_left = av->crop_right = av->crop_top = av->crop_bottom = 0;
    for (int c = 0; c < sc_image_planes(img); c++) {
        img->data[c] = av->data[desc->comp[c].plane];
        img->stride[c] = av->linesize[desc->comp[c].plane];
    }
    return av;
}

// Cut to the picture; all of it where nothing sensible is left.
static struct sc_geometry place(const struct sc_crop *crop, const struct sc_image *img)
{
    double x1 = fmax(crop->x, 0), x2 = fmin((double)crop->x + crop->w, img->w);
    double y1 = fmax(crop->y, 0), y2 = fmin((double)crop->y + crop->h, img->h);
    bool sane = isfinite(crop->x) && isfinite(crop->y) && isfinite(crop->w) &&
                isfinite(crop->h) && x2 - x1 >= 1 && y2 - y1 >= 1;
    if (!sane)
        return (struct sc_geometry){.crop_w = img->w, .crop_h = img->h};
    return (struct sc_geometry){.left = x1, .top = y1, .crop_w = x2 - x1, .crop_h = y2 - y1};
}

// A stretched crop is shown in the shape it has in the source.
static AVRational aspect_of(const struct sc_geometry *geo, const AVFrame *in, int w, int h)
{
    AVRational from = in->sample_aspect_ratio;
    double stretch = geo->crop_w * h / (geo->crop_h * w);
    if (fabs(stretch - 1) < 0.004) // what rounding to whole pixels makes
        return from;
    return av_d2q(stretch * (from.num > 0 && from.den > 0 ? av_q2d(from) : 1), 1 << 16);
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
    img.pad_w = SC_ALIGN(img.w, 1 << img.ss_w);
    img.pad_h = SC_ALIGN(img.h, 1 << img.ss_h);
    ret = sc_source_planes(&source, in, ZIMG_ALIGN, ZIMG_LEAST, &cropper->staged);
    if (ret < 0)
        return ret;
    struct sc_geometry geo = place(crop, &source.img);
    AVFrame *av = make_frame(cropper, &img, desc, in);
    if (!av)
        return SC_ENOMEM;
    av->sample_aspect_ratio = aspect_of(&geo, in, img.w, img.h);
    ret = sc_scaler_run(cropper->scaler, &source.img, &geo, &img);
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
