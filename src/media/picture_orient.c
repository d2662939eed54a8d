// Rotation by quarter turns and flips of 8-bit planar images.
#include <string.h>

#include "media/picture_internal.h"

// dst(x, y) = src(x * dx_x + y * dy_x + ..): one source step a destination column and row.
struct walk {
    ptrdiff_t start, column, row; // bytes in the source
};

// Every rotation with flips is one of eight walks: where destination (0,0) lies in the source,
// and how one goes on from there.
static struct walk walk_of(int w, int h, ptrdiff_t stride, int rotation, bool hflip, bool vflip)
{
    struct walk walk = {0, 1, stride};
    int out_w = w, out_h = h;
    if (rotation == 90)
        walk = (struct walk){(h - 1) * stride, -stride, 1};
    else if (rotation == 180)
        walk = (struct walk){(h - 1) * stride + w - 1, -1, -stride};
    else if (rotation == 270)
        walk = (struct walk){w - 1, stride, -1};
    if (rotation == 90 || rotation == 270) {
        out_w = h;
        out_h = w;
    }
    if (hflip) {
        walk.start += (out_w - 1) * walk.column;
        walk.column = -walk.column;
    }
    if (vflip) {
        walk.start += (out_h - 1) * walk.row;
        walk.row = -walk.row;
    }
    return walk;
}

#define BLOCK 32 // columns and rows walked together, so that both images stay in the cache

static void walk_block(const uint8_t *src, struct walk walk, int w, int h, uint8_t *dst,
                       ptrdiff_t stride)
{
    for (int y = 0; y < h; y++, dst += stride, src += walk.row) {
        const uint8_t *from = src;
        for (int x = 0; x < w; x++, from += walk.column)
            dst[x] = *from;
    }
}

static void walk_plane(const uint8_t *src, struct walk walk, int w, int h, uint8_t *dst,
                       ptrdiff_t stride)
{
    for (int y = 0; y < h; y += BLOCK)
        for (int x = 0; x < w; x += BLOCK)
            walk_block(src + walk.start + x * walk.column + y * walk.row, walk,
                       w - x < BLOCK ? w - x : BLOCK, h - y < BLOCK ? h - y : BLOCK,
                       dst + y * stride + x, stride);
}

int sc_orient(struct sc_image *img, int rotation, bool hflip, bool vflip,
              struct sc_scratch *scratch)
{
    if (!rotation && !hflip && !vflip)
        return 0;
    struct sc_image out = *img;
    if (rotation == 90 || rotation == 270) {
        out.w = img->h;
        out.h = img->w;
        out.ss_w = img->ss_h;
        out.ss_h = img->ss_w;
    }
    out.pad_w = out.w;
    out.pad_h = out.h;
    int ret = sc_image_alloc(&out, scratch);
    if (ret < 0)
        return ret;
    for (int p = 0; p < sc_image_planes(img); p++) {
        struct walk walk = walk_of(sc_image_plane_w(img, p), sc_image_plane_h(img, p),
                                   img->stride[p], rotation, hflip, vflip);
        walk_plane(img->data[p], walk, sc_image_plane_w(&out, p), sc_image_plane_h(&out, p),
                   out.data[p], out.stride[p]);
    }
    *img = out;
    return 0;
}
