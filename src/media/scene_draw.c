// The camera, and shapes with smooth edges in a yuv420p picture.
#include "media/scene_internal.h"

// The camera stands 140 m off and looks down steeply; sine and cosine are exact (8, 15, 17).
#define CAMERA_FAR 140.0
#define CAMERA_SIN (15.0 / 17)
#define CAMERA_COS (8.0 / 17)

void sc_view_init(struct sc_view *view, const struct sc_scene_params *params)
{
    double w = params->width, h = params->height;
    double y = PITCH_Y * CAMERA_SIN, depth = PITCH_Y * CAMERA_COS;
    double up = y / (CAMERA_FAR + depth), down = y / (CAMERA_FAR - depth);
    double across = (PITCH_X + 3.2) / (CAMERA_FAR - depth);
    double f = fmin(w / 2 / across, h * 0.87 / (up + down));
    view->width = params->width;
    view->height = params->height;
    view->f = f * params->zoom;
    view->cx = w / 2;
    view->cy =
        h * (params->zoom > 1.2 ? 0.5 : 0.535) - (params->zoom > 1.2 ? 0 : f * (down - up) / 2);
    view->look_x = params->pan_x * PITCH_X;
    view->look_y = params->pan_y * PITCH_Y;
}

double sc_view_project(const struct sc_view *view, const double at[3], double px[2])
{
    double y = at[1] - view->look_y;
    double scale = view->f / (CAMERA_FAR + y * CAMERA_COS - at[2] * CAMERA_SIN);
    px[0] = view->cx + (at[0] - view->look_x) * scale;
    px[1] = view->cy - (y * CAMERA_SIN + at[2] * CAMERA_COS) * scale;
    return scale;
}

void sc_view_ground(const struct sc_view *view, double px, double py, double at[2],
                    double step[2])
{
    double v = (view->cy - py) / view->f, k = CAMERA_SIN - v * CAMERA_COS;
    double y = v * CAMERA_FAR / k, depth = CAMERA_FAR + y * CAMERA_COS;
    at[0] = (px - view->cx) / view->f * depth + view->look_x;
    at[1] = y + view->look_y;
    step[0] = depth / view->f;
    step[1] = CAMERA_FAR * CAMERA_SIN / (k * k) / view->f;
}

struct sc_yuv sc_yuv_from_rgb(double r, double g, double b)
{
    double y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    double values[3] = {16.5 + y * 219 / 255, 128.5 + (b - y) / 1.8556 * 224 / 255,
                        128.5 + (r - y) / 1.5748 * 224 / 255};
    struct sc_yuv yuv;
    for (int i = 0; i < 3; i++)
        yuv.c[i] = (uint8_t)sc_clamp(values[i], 16, i ? 240 : 235);
    return yuv;
}

struct sc_yuv sc_yuv_from_hex(uint32_t rgb)
{
    return sc_yuv_from_rgb(rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255);
}

static uint8_t blend(uint8_t from, uint8_t to, double share)
{
    int a = (int)(share * 256 + 0.5);
    return (uint8_t)(from + (((to - from) * a + 128) >> 8));
}

// A row of one plane; x is of luma column step * i. Chroma is sited left, as H.264 has it.
static void capsule_row(uint8_t *row, int from, int to, int step, double y,
                        const struct sc_capsule *s, uint8_t value, double alpha)
{
    double dx = s->x1 - s->x0, dy = s->y1 - s->y0, length2 = dx * dx + dy * dy;
    double inv = length2 > 0 ? 1 / length2 : 0, edge = 1 / fmax(step, s->soft);
    for (int i = from; i <= to; i++) {
        double x = i * step + 0.5 - s->x0;
        double t = sc_clamp((x * dx + y * dy) * inv, 0, 1);
        double ex = x - t * dx, ey = y - t * dy;
        double gap = sc_lerp(s->r0, s->r1, t) - sqrt(ex * ex + ey * ey);
        double cover = sc_clamp(gap * edge + 0.5, 0, 1);
        if (cover > 0)
            row[i] = blend(row[i], value, cover * alpha);
    }
}

void sc_draw_capsule(AVFrame *frame, const struct sc_capsule *s, struct sc_yuv colour,
                     double alpha)
{
    double pad = fmax(s->r0, s->r1) + fmax(2, s->soft);
    double x0 = fmin(s->x0, s->x1) - pad, x1 = fmax(s->x0, s->x1) + pad;
    double y0 = fmin(s->y0, s->y1) - pad, y1 = fmax(s->y0, s->y1) + pad;
    if (x1 < 0 || y1 < 0 || x0 > frame->width || y0 > frame->height)
        return;
    for (int p = 0; p < 3; p++) {
        int step = p ? 2 : 1, w = frame->width / step, h = frame->height / step;
        int left = (int)fmax(0, x0 / step), right = (int)fmin(w - 1, x1 / step);
        int top = (int)fmax(0, y0 / step), bottom = (int)fmin(h - 1, y1 / step);
        for (int j = top; j <= bottom; j++) {
            double y = j * step + step * 0.5 - s->y0;
            capsule_row(frame->data[p] + (ptrdiff_t)j * frame->linesize[p], left, right, step,
                        y, s, colour.c[p], alpha);
        }
    }
}

void sc_draw_rect(AVFrame *frame, int x, int y, int w, int h, struct sc_yuv colour,
                  double alpha)
{
    for (int p = 0; p < 3; p++) {
        int s = p ? 1 : 0;
        int right = FFMIN(x + w, frame->width) >> s, bottom = FFMIN(y + h, frame->height) >> s;
        for (int j = FFMAX(y, 0) >> s; j < bottom; j++) {
            uint8_t *row = frame->data[p] + (ptrdiff_t)j * frame->linesize[p];
            for (int i = FFMAX(x, 0) >> s; i < right; i++)
                row[i] = blend(row[i], colour.c[p], alpha);
        }
    }
}
