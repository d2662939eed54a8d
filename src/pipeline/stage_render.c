#include "pipeline/stage_render.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "pipeline/shot.h"
#include "vision/overlay.h"

struct render {
    struct sc_stage_render_params params; // immutable
    // The stage's own.
    sc_stage *stage;
    sc_overlay *overlay;
    sc_cropper *cropper; // NULL before the first picture that needs one
    int width, height;   // of the cropper's result
};

static int even(double side)
{
    int n = 2 * (int)lround(side / 2);
    return n < 2 ? 2 : n > 8192 ? 8192 : n;
}

// The size that a picture of this shape is to have.
static void size_of(const struct render *r, double width, double height, double aspect, int *w,
                    int *h)
{
    const struct sc_stage_render_params *p = &r->params;
    *w = p->width ? p->width : p->height ? even(p->height * aspect) : 0;
    *h = p->height ? p->height : p->width ? even(p->width / aspect) : 0;
    if (*w)
        return;
    *h = even(height);
    *w = fabs(aspect - width / height) < 1e-3 ? even(width) : even(height * aspect);
}

// What of the picture is seen, as a picture of the output's size; NULL where that is the picture
// itself.
static int crop(struct render *r, const sc_shot *shot, AVFrame **out, sc_err *err)
{
    const AVFrame *av = shot->frame->av;
    AVRational sar = av->sample_aspect_ratio;
    double stretch = sar.num > 0 && sar.den > 0 ? av_q2d(sar) : 1;
    double wide = av->width * stretch, tall = av->height;
    double aspect = shot->cropped && r->params.aspect > 0 ? r->params.aspect : wide / tall;
    int w, h;
    size_of(r, wide, tall, aspect, &w, &h);
    *out = NULL;
    if (!shot->cropped && w == av->width && h == av->height)
        return SC_OK;
    if (!r->cropper || w != r->width || h != r->height) {
        sc_cropper_close(&r->cropper);
        const struct sc_cropper_params params = {.width = w, .height = h};
        int ret = sc_cropper_open(&r->cropper, &params, err);
        if (ret < 0)
            return ret;
        r->width = w;
        r->height = h;
    }
    struct sc_crop whole = {.w = (float)av->width, .h = (float)av->height};
    return sc_cropper_run(r->cropper, out, av, shot->cropped ? &shot->crop : &whole, err);
}

// A box of the source in the displayed pixels of the result; false where too little of it is in there.
static bool move_box(struct sc_detection *d, const struct sc_crop *crop, double scale_x,
                     double scale_y, double w, double h)
{
    double x1 = (d->x1 - crop->x) * scale_x, x2 = (d->x2 - crop->x) * scale_x;
    double y1 = (d->y1 - crop->y) * scale_y, y2 = (d->y2 - crop->y) * scale_y;
    double left = fmax(x1, 0), right = fmin(x2, w), top = fmax(y1, 0), bottom = fmin(y2, h);
    if (right <= left || bottom <= top ||
        (right - left) * (bottom - top) < 0.2 * (x2 - x1) * (y2 - y1))
        return false;
    d->x1 = (float)left;
    d->x2 = (float)right;
    d->y1 = (float)top;
    d->y2 = (float)bottom;
    return true;
}

// The displayed size of a frame.
static void shown_size(const AVFrame *av, double *w, double *h)
{
    AVRational sar = av->sample_aspect_ratio;
    *w = av->width * (sar.num > 0 && sar.den > 0 ? av_q2d(sar) : 1);
    *h = av->height;
}

// What was found, in the displayed pixels of the result; what is outside is left out. NULL when memory
// is out.
static sc_detections *carry_over(const sc_shot *shot, const AVFrame *out)
{
    sc_detections *found = shot->found;
    const AVFrame *in = shot->frame->av;
    double w, h;
    shown_size(out, &w, &h);
    if (!shot->cropped && found->width == (int)lround(w) && found->height == (int)lround(h))
        return sc_detections_ref(found);
    sc_detections *moved = sc_detections_new(found->count);
    if (!moved)
        return NULL;
    // Detections are in displayed pixels, the crop in samples.
    double fx = (double)found->width / in->width, fy = (double)found->height / in->height;
    struct sc_crop c = {.w = (float)found->width, .h = (float)found->height};
    if (shot->cropped)
        c = (struct sc_crop){(float)(shot->crop.x * fx), (float)(shot->crop.y * fy),
                             (float)(shot->crop.w * fx), (float)(shot->crop.h * fy)};
    moved->width = (int)lround(w);
    moved->height = (int)lround(h);
    moved->count = 0;
    for (int i = 0; i < found->count; i++) {
        struct sc_detection d = found->items[i];
        if (move_box(&d, &c, w / c.w, h / c.h, w, h))
            moved->items[moved->count++] = d;
    }
    return moved;
}

static int draw(struct render *r, sc_frame **pframe, const sc_detections *found, sc_err *err)
{
    const struct sc_overlay_labels labels = {.names = r->params.labels,
                                             .count = r->params.label_count};
    const struct sc_view view = {.sample_aspect = (*pframe)->av->sample_aspect_ratio};
    sc_detections *chosen = sc_detections_choose(found, r->params.threshold);
    if (!chosen)
        return sc_fail(err, SC_ENOMEM, "no memory for boxes");
    int ret =
        sc_overlay_draw_on(r->overlay, pframe, &view, chosen, chosen->count, &labels, err);
    sc_detections_unref(&chosen);
    return ret;
}

// The picture as it is shown, and what is to be seen there (NULL = nothing known).
static int make(struct render *r, const sc_shot *shot, sc_frame **pframe,
                sc_detections **pfound, sc_err *err)
{
    AVFrame *av = NULL;
    int ret = crop(r, shot, &av, err);
    if (ret < 0)
        return ret;
    sc_frame *frame =
        av ? sc_frame_wrap(av, shot->frame->n, shot->frame->pts_ns) : sc_frame_ref(shot->frame);
    sc_detections *found = frame && shot->found ? carry_over(shot, frame->av) : NULL;
    if (!frame)
        av_frame_free(&av);
    if (!frame || (shot->found && !found))
        ret = sc_fail(err, SC_ENOMEM, "no memory for a picture");
    else if (r->overlay && found && found->count)
        ret = draw(r, &frame, found, err);
    if (ret < 0) {
        sc_frame_unref(&frame);
        sc_detections_unref(&found);
    }
    *pframe = frame;
    *pfound = found;
    return ret;
}

static int open_render(void *self, sc_stage *stage, sc_err *err)
{
    struct render *r = self;
    (void)err;
    r->stage = stage;
    if (r->params.overlay)
        r->overlay = sc_overlay_open(&(struct sc_overlay_params){0});
    return SC_OK;
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct render *r = self;
    sc_shot *shot = item.data;
    sc_frame *frame = NULL;
    sc_detections *found = NULL;
    (void)in;
    int ret = make(r, shot, &frame, &found, err);
    if (ret < 0)
        return ret;
    sc_shot *out = sc_shot_new(frame, shot->arrival_ns);
    sc_shot_set_found(out, found, shot->detected);
    out->cut = shot->cut;
    if (shot->cropped)
        out->part = sc_shot_part(shot);
    sc_shot_unref(&shot);
    item.data = out;
    sc_stage_emit(r->stage, 0, item);
    return SC_OK;
}

static void close_render(void *self)
{
    struct render *r = self;
    sc_overlay_close(&r->overlay);
    sc_cropper_close(&r->cropper);
    free(r);
}

static const struct sc_stage_ops ops = {
    .kind = "render", .open = open_render, .push = push, .close = close_render};

int sc_stage_render_add(sc_graph *graph, const struct sc_stage_render_params *params,
                        sc_stage **pstage, sc_err *err)
{
    struct render *r = sc_new(struct render);
    r->params = *params;
    const struct sc_stage_params stage = {
        .ops = &ops, .self = r, .in = {&sc_shot_item}, .out = {&sc_shot_item}};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        close_render(r);
    return ret;
}
