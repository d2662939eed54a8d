// Brings pictures to the pixel format and size that an encoder was opened with.
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "media/encoder_internal.h"
#include "media/picture.h"

static bool takes(const AVCodec *codec, enum AVPixelFormat format)
{
    const enum AVPixelFormat *f = codec->pix_fmts;
    while (f && *f != AV_PIX_FMT_NONE && *f != format)
        f++;
    return !f || *f == format;
}

// What the players of live streams take: 4:2:0, and ten bits only where the codec is a newer one.
static enum AVPixelFormat live_format(const AVCodec *codec, const AVFrame *like)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(like->format);
    bool deep = desc->comp[0].depth > 8 && codec->id != AV_CODEC_ID_H264;
    if (deep && takes(codec, AV_PIX_FMT_YUV420P10))
        return AV_PIX_FMT_YUV420P10;
    if (like->format == AV_PIX_FMT_YUVJ420P && takes(codec, like->format))
        return like->format;
    return AV_PIX_FMT_YUV420P;
}

enum AVPixelFormat sc_encoder_format(const AVCodec *codec, const AVFrame *like, bool live)
{
    if (live)
        return live_format(codec, like);
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(like->format);
    bool rgb = desc->flags & AV_PIX_FMT_FLAG_RGB, deep = desc->comp[0].depth > 8;
    bool odd_w = like->width % (1 << desc->log2_chroma_w);
    bool odd_h = like->height % (1 << desc->log2_chroma_h);
    if (takes(codec, like->format) && !rgb && !odd_w && !odd_h)
        return like->format;
    odd_w = like->width % 2;
    odd_h = like->height % 2;
    if (odd_w || odd_h) { // encoders take whole chroma samples only
        enum AVPixelFormat full = deep ? AV_PIX_FMT_YUV444P10 : AV_PIX_FMT_YUV444P;
        if (takes(codec, full))
            return full;
    }
    if (deep && takes(codec, AV_PIX_FMT_YUV420P10))
        return desc->log2_chroma_h                  ? AV_PIX_FMT_YUV420P10
               : takes(codec, AV_PIX_FMT_YUV422P10) ? AV_PIX_FMT_YUV422P10
                                                    : AV_PIX_FMT_YUV420P10;
    return AV_PIX_FMT_YUV420P;
}

// Same matrix and range on both sides, except that RGB is given the encoder's.
static void set_colours(struct SwsContext *sws, const AVCodecContext *encoder,
                        const struct sc_picture_colour *from)
{
    bool full = encoder->color_range == AVCOL_RANGE_JPEG;
    int to =
        encoder->colorspace == AVCOL_SPC_UNSPECIFIED ? from->matrix : (int)encoder->colorspace;
    sws_setColorspaceDetails(sws, sws_getCoefficients(from->rgb ? to : from->matrix),
                             from->full, sws_getCoefficients(to), full, 0, 1 << 16, 1 << 16);
}

struct area {
    int x, y, w, h;
};

// Where in the encoder's picture such a frame goes: whole chroma samples, in the middle.
static struct area find_area(const AVCodecContext *encoder, const AVFrame *frame,
                             AVRational aspect)
{
    struct area area = {0, 0, encoder->width, encoder->height};
    AVRational to = encoder->sample_aspect_ratio;
    if (frame->sample_aspect_ratio.num > 0)
        aspect = frame->sample_aspect_ratio;
    double wanted = (double)frame->width / frame->height;
    wanted *= aspect.num > 0 ? av_q2d(aspect) : 1;
    wanted /= to.num > 0 ? av_q2d(to) : 1; // width to height in the encoder's samples
    double w = area.h * wanted, h = area.w / wanted;
    if (frame->width == area.w && frame->height == area.h)
        return area;
    if (w <= area.w - 4)
        area.w = FFMAX((int)(w / 2 + 0.5) * 2, 2);
    else if (h <= area.h - 4)
        area.h = FFMAX((int)(h / 2 + 0.5) * 2, 2);
    area.x = (encoder->width - area.w) / 4 * 2;
    area.y = (encoder->height - area.h) / 4 * 2;
    return area;
}

// An empty frame as the encoder takes it; black where the area leaves something.
static int make_frame(AVFrame *out, const AVCodecContext *encoder, const struct area *area)
{
    out->format = encoder->pix_fmt;
    out->width = encoder->width;
    out->height = encoder->height;
    out->color_range = encoder->color_range;
    out->colorspace = encoder->colorspace;
    if (av_frame_get_buffer(out, 0) < 0)
        return SC_ENOMEM;
    ptrdiff_t strides[4] = {out->linesize[0], out->linesize[1], out->linesize[2],
                            out->linesize[3]};
    bool whole = area->w == out->width && area->h == out->height;
    if (!whole && av_image_fill_black(out->data, strides, out->format, out->color_range,
                                      out->width, out->height) < 0)
        return SC_EUNSUPPORTED;
    return SC_OK;
}

// The planes of frame from the area's corner on.
static void get_corner(const AVFrame *frame, const struct area *area, uint8_t *planes[4])
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(frame->format);
    memcpy(planes, frame->data, 4 * sizeof(*planes));
    for (int i = 0; i < desc->nb_components; i++) {
        const AVComponentDescriptor *c = &desc->comp[i];
        bool chroma = (i == 1 || i == 2) && !(desc->flags & AV_PIX_FMT_FLAG_RGB);
        int x = area->x >> (chroma ? desc->log2_chroma_w : 0);
        int y = area->y >> (chroma ? desc->log2_chroma_h : 0);
        planes[c->plane] =
            frame->data[c->plane] + (ptrdiff_t)y * frame->linesize[c->plane] + x * c->step;
    }
}

static int convert(struct SwsContext **psws, const AVCodecContext *encoder,
                   const AVFrame *frame, AVRational aspect, AVFrame *out)
{
    struct sc_picture_colour colour;
    if (sc_picture_get_colour(&colour, frame, NULL) < 0)
        return SC_EUNSUPPORTED;
    struct area area = find_area(encoder, frame, aspect);
    *psws = sws_getCachedContext(
        *psws, frame->width, frame->height, frame->format, area.w, area.h, encoder->pix_fmt,
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
    if (!*psws)
        return SC_EUNSUPPORTED;
    set_colours(*psws, encoder, &colour);
    int ret = make_frame(out, encoder, &area);
    if (ret < 0)
        return ret;
    uint8_t *planes[4];
    get_corner(out, &area, planes);
    int rows = sws_scale(*psws, (const uint8_t *const *)frame->data, frame->linesize, 0,
                         frame->height, planes, out->linesize);
    return rows == area.h ? SC_OK : SC_EUNSUPPORTED;
}

int sc_encoder_fit(struct SwsContext **psws, const AVCodecContext *encoder,
                   const AVFrame *frame, AVRational sample_aspect, AVFrame *out)
{
    bool wide = frame->color_range == AVCOL_RANGE_JPEG;
    bool other_range = wide && encoder->color_range == AVCOL_RANGE_MPEG;
    if (frame->format != (int)encoder->pix_fmt || frame->width != encoder->width ||
        frame->height != encoder->height || other_range)
        return convert(psws, encoder, frame, sample_aspect, out);
    return av_frame_ref(out, frame) < 0 ? SC_ENOMEM : SC_OK;
}
