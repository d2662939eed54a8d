// The geometry of a picture: sample aspect, rotation, then the wanted size and fit.
#include <math.h>

#include "media/picture_internal.h"

static int to_side(double x)
{
    return x < 1.5 ? 1 : x > SC_PICTURE_MAX_SIDE ? SC_PICTURE_MAX_SIDE : (int)lrint(x);
}

// The display size in square pixels before rotation: the height is kept.
static void display_size(int width, int height, AVRational sar, double *w, double *h)
{
    *w = width;
    *h = height;
    if (sar.num > 0 && sar.den > 0)
        *w = fmax(1, width * av_q2d(sar));
    double over = fmax(*w, *h) / SC_PICTURE_MAX_SIDE;
    if (over > 1) { // still whole, a little smaller
        *w = fmax(1, *w / over);
        *h = fmax(1, *h / over);
    }
}

static void result_size(struct sc_geometry *geo, const struct sc_picture_params *params,
                        double dw, double dh)
{
    double w = params->w, h = params->h;
    if (!params->w && !params->h) {
        w = dw;
        h = dh;
    } else if (!params->w) {
        w = h * dw / dh;
    } else if (!params->h) {
        h = w * dh / dw;
    } else if (params->fit == SC_FIT_CONTAIN) {
        double scale = fmin(w / dw, h / dh);
        w = scale * dw;
        h = scale * dh;
    }
    geo->out_w = to_side(w);
    geo->out_h = to_side(h);
}

// Cuts the source's middle so that it has the result's aspect; in square pixels dw x dh.
static void centre_crop(struct sc_geometry *geo, double dw, double dh, int width, int height)
{
    double scale = fmax(geo->w / dw, geo->h / dh);
    double share_w = geo->w / (scale * dw), share_h = geo->h / (scale * dh);
    geo->crop_w = width * fmin(share_w, 1);
    geo->crop_h = height * fmin(share_h, 1);
    geo->left = (width - geo->crop_w) / 2;
    geo->top = (height - geo->crop_h) / 2;
}

void sc_geometry_compute(struct sc_geometry *geo, const struct sc_picture_params *params,
                         int width, int height, AVRational sample_aspect)
{
    bool turned = params->rotation == 90 || params->rotation == 270;
    if (params->sample_aspect.num > 0)
        sample_aspect = params->sample_aspect;
    double dw, dh;
    display_size(width, height, sample_aspect, &dw, &dh);
    result_size(geo, params, turned ? dh : dw, turned ? dw : dh);
    geo->w = turned ? geo->out_h : geo->out_w;
    geo->h = turned ? geo->out_w : geo->out_h;
    geo->left = geo->top = 0;
    geo->crop_w = width;
    geo->crop_h = height;
    if (params->fit == SC_FIT_COVER && params->w && params->h)
        centre_crop(geo, dw, dh, width, height);
}

void sc_picture_size(const struct sc_picture_params *params, int width, int height,
                     AVRational sample_aspect, int *w, int *h)
{
    struct sc_geometry geo;
    sc_geometry_compute(&geo, params, width, height, sample_aspect);
    *w = geo.out_w;
    *h = geo.out_h;
}
