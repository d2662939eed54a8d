// NumPy's .npy, format version 1.0: a magic, a Python dictionary as text, then the samples.
#include <string.h>

#include "media/picture_internal.h"

sc_buf *sc_picture_npy_header(int64_t count, int h, int w)
{
    char shape[64], text[192];
    if (count)
        snprintf(shape, sizeof(shape), "(%lld, %d, %d, 3)", (long long)count, h, w);
    else
        snprintf(shape, sizeof(shape), "(%d, %d, 3)", h, w);
    int len = snprintf(text, sizeof(text),
                       "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }", shape);
    // Samples start at a multiple of 64; the header ends in a newline.
    size_t total = SC_ALIGN(10 + (size_t)len + 1, (size_t)64), rest = total - 10;
    sc_buf *buf = sc_buf_new(total);
    if (!buf)
        return NULL;
    memset(buf->data, ' ', total);
    memcpy(buf->data, "\x93NUMPY\x01\x00", 8);
    buf->data[8] = (unsigned char)rest;
    buf->data[9] = (unsigned char)(rest >> 8);
    memcpy(buf->data + 10, text, (size_t)len);
    buf->data[total - 1] = '\n';
    return buf;
}

static int encode(sc_picture_ctx *ctx, sc_buf **out, const struct sc_image *img, int quality)
{
    (void)ctx;
    (void)quality;
    sc_buf *header = sc_picture_npy_header(0, img->h, img->w);
    if (!header)
        return SC_ENOMEM;
    *out = sc_buf_new(header->size + (size_t)img->w * (size_t)img->h * 3);
    if (*out) {
        memcpy((*out)->data, header->data, header->size);
        sc_pack_rgb(img, 0, img->h, (*out)->data + header->size);
    }
    sc_buf_unref(&header);
    return *out ? 0 : SC_ENOMEM;
}

const struct sc_picture_codec sc_picture_npy = {
    .mime = "application/x-npy",
    .target = SC_TARGET_RGB,
    .encode = encode,
};
