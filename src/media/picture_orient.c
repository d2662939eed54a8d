// Rotation by quarter turns and flips of 8-bit planar images.
#include "media/picture_internal.h"
#include "media/turn.h"

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
    const struct sc_turn turn = {rotation, hflip, vflip};
    for (int p = 0; p < sc_image_planes(img); p++)
        sc_turn_plane(turn, 1, img->data[p], img->stride[p], sc_image_plane_w(img, p),
                      sc_image_plane_h(img, p), out.data[p], out.stride[p]);
    *img = out;
    return 0;
}
