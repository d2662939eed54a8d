// WebP by libwebp: lossy, from 4:2:0 planes (limited-range BT.601, which is what it stores).
#include <string.h>

#include <webp/encode.h>

#include "media/picture_internal.h"

// The planes that libwebp gets, in the context's memory.
static int make_planes(sc_picture_ctx *ctx, WebPPicture *picture, const struct sc_image *img)
{
    struct sc_matrix matrix;
    if (!sc_matrix_init(&matrix, img, false))
        return SC_EUNSUPPORTED;
    struct sc_image planes = {.family = SC_FAMILY_YUV,
                              .w = img->w,
                              .h = img->h,
                              .ss_w = 1,
                              .ss_h = 1,
                              .depth = 8,
                              .pad_w = img->w,
                              .pad_h = img->h};
    int ret = sc_scratch_need(&ctx->band, sc_matrix_scratch(img->w));
    if (ret >= 0)
        ret = sc_image_alloc(&planes, &ctx->packed);
    if (ret < 0)
        return ret;
    for (int p = 1; p < 3 && img->family == SC_FAMILY_GRAY; p++)
        memset(planes.data[p], 128,
               (size_t)planes.stride[p] * (size_t)sc_image_plane_h(&planes, p));
    sc_matrix_rows(&matrix, img, 0, img->h, planes.data, planes.stride, ctx->band.data);
    picture->y = planes.data[0];
    picture->u = planes.data[1];
    picture->v = planes.data[2];
    picture->y_stride = (int)planes.stride[0];
    picture->uv_stride = (int)planes.stride[1];
    return 0;
}

static int encode(sc_picture_ctx *ctx, sc_buf **out, const struct sc_image *img, int quality)
{
    WebPConfig config;
    WebPPicture picture;
    WebPMemoryWriter writer;
    if (!WebPConfigPreset(&config, WEBP_PRESET_DEFAULT, (float)quality) ||
        !WebPPictureInit(&picture))
        return SC_EINTERNAL; // the library is older than its header
    config.method = 2;
    picture.use_argb = 0;
    picture.colorspace = WEBP_YUV420;
    picture.width = img->w;
    picture.height = img->h;
    int ret = make_planes(ctx, &picture, img);
    if (ret < 0)
        return ret;
    WebPMemoryWriterInit(&writer);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    if (!WebPEncode(&config, &picture))
        ret = picture.error_code == VP8_ENC_ERROR_OUT_OF_MEMORY ||
                      picture.error_code == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY
                  ? SC_ENOMEM
                  : SC_EINTERNAL;
    else if (!(*out = sc_buf_new(writer.size)))
        ret = SC_ENOMEM;
    else
        memcpy((*out)->data, writer.mem, writer.size);
    WebPMemoryWriterClear(&writer);
    WebPPictureFree(&picture);
    return ret;
}

const struct sc_picture_codec sc_picture_webp = {
    .mime = "image/webp",
    .target = SC_TARGET_YUV420,
    .encode = encode,
};
