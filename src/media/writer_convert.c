// Brings pictures to the pixel format and size that an encoder was opened with.
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "media/picture.h"
#include "media/writer_internal.h"

static bool takes(const AVCodec *codec, enum AVPixelFormat format)
{
    const enum AVPixelFormat *f = codec->pix_fmts;
    while (f && *f != AV_PIX_FMT_NONE && *f != format)
        f++;
    return !f || *f == format;
}

enum AVPixelFormat sc_encoder_format(const AVCodec *codec, const AVFrame *like)
{
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

static int convert(struct SwsContext **psws, const AVCodecContext *encoder,
                   const AVFrame *frame, AVFrame *out)
{
    struct sc_picture_colour colour;
    if (sc_picture_get_colour(&colour, frame, NULL) < 0)
        return SC_EUNSUPPORTED;
    *psws = sws_getCachedContext(*psws, frame->width, frame->height, frame->format,
                                 encoder->width, encoder->height, encoder->pix_fmt,
                                 SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL,
                                 NULL, NULL);
    if (!*psws)
        return SC_EUNSUPPORTED;
    set_colours(*psws, encoder, &colour);
    out->format = encoder->pix_fmt;
    out->width = encoder->width;
    out->height = encoder->height;
    out->color_range = encoder->color_range;
    out->colorspace = encoder->colorspace;
    if (av_frame_get_buffer(out, 0) < 0)
        return SC_ENOMEM;
    int rows = sws_scale(*psws, (const uint8_t *const *)frame->data, frame->linesize, 0,
                         frame->height, out->data, out->linesize);
    return rows == encoder->height ? SC_OK : SC_EUNSUPPORTED;
}

int sc_encoder_fit(struct SwsContext **psws, const AVCodecContext *encoder,
                   const AVFrame *frame, AVFrame *out)
{
    if (frame->format != (int)encoder->pix_fmt || frame->width != encoder->width ||
        frame->height != encoder->height)
        return convert(psws, encoder, frame, out);
    return av_frame_ref(out, frame) < 0 ? SC_ENOMEM : SC_OK;
}
