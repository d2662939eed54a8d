// Planar images and the scratch memory they live in.
#include <libavutil/common.h>

#include "media/picture_internal.h"

int sc_scratch_need(struct sc_scratch *scratch, size_t size)
{
    if (scratch->size >= size && scratch->data)
        return 0;
    if (size > SIZE_MAX - 64)
        return SC_ENOMEM;
    size = SC_ALIGN(size + !size, (size_t)64);
    free(scratch->data);
    scratch->data = aligned_alloc(64, size);
    scratch->size = scratch->data ? size : 0;
    return scratch->data ? 0 : SC_ENOMEM;
}

void sc_scratch_release(struct sc_scratch *scratch)
{
    free(scratch->data);
    *scratch = (struct sc_scratch){0};
}

int sc_image_planes(const struct sc_image *img)
{
    return img->family == SC_FAMILY_GRAY ? 1 : 3;
}

int sc_image_plane_w(const struct sc_image *img, int plane)
{
    return AV_CEIL_RSHIFT(img->w, plane ? img->ss_w : 0);
}

int sc_image_plane_h(const struct sc_image *img, int plane)
{
    return AV_CEIL_RSHIFT(img->h, plane ? img->ss_h : 0);
}

int sc_image_alloc(struct sc_image *img, struct sc_scratch *scratch)
{
    size_t total = 0, offset[3] = {0};
    size_t bytes = img->depth > 8 ? 2 : 1;
    for (int p = 0; p < sc_image_planes(img); p++) {
        size_t w = (size_t)AV_CEIL_RSHIFT(img->pad_w, p ? img->ss_w : 0);
        size_t h = (size_t)AV_CEIL_RSHIFT(img->pad_h, p ? img->ss_h : 0);
        offset[p] = total;
        img->stride[p] = (ptrdiff_t)SC_ALIGN(w * bytes, (size_t)64);
        total += (size_t)img->stride[p] * h;
    }
    // A row more, so that loops over whole vectors may read past the last one.
    int ret = sc_scratch_need(scratch, total + 64);
    if (ret < 0)
        return ret;
    for (int p = 0; p < sc_image_planes(img); p++)
        img->data[p] = scratch->data + offset[p];
    return 0;
}

void sc_pack_rgb(const struct sc_image *img, int y, int rows, uint8_t *dst)
{
    for (int i = 0; i < rows; i++) {
        const uint8_t *r = img->data[0] + (y + i) * img->stride[0];
        const uint8_t *g = img->data[1] + (y + i) * img->stride[1];
        const uint8_t *b = img->data[2] + (y + i) * img->stride[2];
        for (int x = 0; x < img->w; x++, dst += 3) {
            dst[0] = r[x];
            dst[1] = g[x];
            dst[2] = b[x];
        }
    }
}
