// Where the displayed picture lies in the tensor, and which part of the source each side of it is.
#include <math.h>

#include "media/picture.h"
#include "vision/prepare_internal.h"

// Part of the displayed picture, in its pixels.
struct box {
    double x, y, w, h;
};

// One side of a crop within 0..size.
static void clip_side(double *start, double *length, int size)
{
    double end = fmin(*start + *length, size);
    *start = fmax(*start, 0);
    *length = end - *start;
}

static int take_crop(struct box *box, const struct sc_view *view, int w, int h, sc_err *err)
{
    *box = (struct box){0, 0, w, h};
    if (!isfinite(view->x) || !isfinite(view->y) || !isfinite(view->w) || !isfinite(view->h))
        return sc_fail_field(err, SC_EARG, "crop", "crop must be made of finite numbers");
    if (view->w == 0 || view->h == 0)
        return 0;
    *box = (struct box){view->x, view->y, view->w, view->h};
    clip_side(&box->x, &box->w, w);
    clip_side(&box->y, &box->h, h);
    if (box->w > 0 && box->h > 0)
        return 0;
    return sc_fail_field(
        err, SC_EARG, "crop", "crop %gx%g at %g,%g has no part in the picture of %dx%d",
        (double)view->w, (double)view->h, (double)view->x, (double)view->y, w, h);
}

static int at_least_one(double x)
{
    return x < 1 ? 1 : (int)x;
}

// Sizes and pads are rounded as the detectors' own preparations do (Ultralytics' LetterBox with
// Python's round(), YOLOX's preproc with int()), so that boxes land where they were trained to.
static void place(struct sc_layout *layout, const struct sc_prepare_params *params,
                  const struct box *box)
{
    double ratio = fmin(params->width / box->w, params->height / box->h);
    layout->w = params->width;
    layout->h = params->height;
    if (params->fit == SC_PREPARE_LETTERBOX_TOP_LEFT) {
        layout->w = at_least_one(box->w * ratio);
        layout->h = at_least_one(box->h * ratio);
    } else if (params->fit == SC_PREPARE_LETTERBOX) {
        layout->w = at_least_one(rint(box->w * ratio));
        layout->h = at_least_one(rint(box->h * ratio));
        layout->left = (int)rint((params->width - layout->w) / 2.0 - 0.1);
        layout->top = (int)rint((params->height - layout->h) / 2.0 - 0.1);
    }
}

// Which sides of the source the displayed picture's are, and where its crop lies along them.
static void follow_rotation(struct sc_layout *layout, const struct box *box,
                            const struct sc_view *view, const AVFrame *av)
{
    const struct sc_mapping *map = &layout->mapping;
    int rotation = view->rotation;
    layout->turned = rotation == 90 || rotation == 270;
    // Along a displayed side: start from its end where the rotation or a flip, but not both, does.
    bool x_back = (rotation == 90 || rotation == 180) != view->hflip;
    bool y_back = (rotation == 180 || rotation == 270) != view->vflip;
    double x = x_back ? map->width - box->x - box->w : box->x;
    double y = y_back ? map->height - box->y - box->h : box->y;
    int side_x = layout->turned ? av->height : av->width;
    int side_y = layout->turned ? av->width : av->height;
    double scale_x = (double)side_x / map->width, scale_y = (double)side_y / map->height;
    struct sc_side along_x = {layout->w, x * scale_x, box->w * scale_x, x_back};
    struct sc_side along_y = {layout->h, y * scale_y, box->h * scale_y, y_back};
    layout->x = layout->turned ? along_y : along_x;
    layout->y = layout->turned ? along_x : along_y;
}

int sc_layout_compute(struct sc_layout *layout, const struct sc_prepare_params *params,
                      const struct sc_view *view, const AVFrame *av, sc_err *err)
{
    struct sc_picture_params shown = {.rotation = view->rotation,
                                      .sample_aspect = view->sample_aspect};
    struct box box;
    *layout = (struct sc_layout){0};
    if (view->rotation < 0 || view->rotation > 270 || view->rotation % 90)
        return sc_fail_field(err, SC_EARG, "rotation",
                             "rotation must be 0, 90, 180 or 270 degrees; it is %d",
                             view->rotation);
    struct sc_mapping *map = &layout->mapping;
    sc_picture_size(&shown, av->width, av->height, av->sample_aspect_ratio, &map->width,
                    &map->height);
    int ret = take_crop(&box, view, map->width, map->height, err);
    if (ret < 0)
        return ret;
    place(layout, params, &box);
    follow_rotation(layout, &box, view, av);
    map->step_x = (float)(box.w / layout->w);
    map->step_y = (float)(box.h / layout->h);
    map->x0 = (float)(box.x - layout->left * box.w / layout->w);
    map->y0 = (float)(box.y - layout->top * box.h / layout->h);
    return 0;
}
