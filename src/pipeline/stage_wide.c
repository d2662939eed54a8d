#include "pipeline/stage_wide.h"

#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/picture.h"
#include "pipeline/shot.h"
#include "vision/overlay.h"

#define MOST_SIDE 480
#define STEP_NS   (SC_NS_PER_S / 8) // between pictures
#define QUALITY   80

struct stage {
    struct sc_stage_wide_params params; // immutable
    // The stage's own.
    sc_picture_ctx *ctx;
    sc_overlay *overlay;
    sc_cropper *cropper; // NULL before the first picture that is made smaller
    int width, height;   // of its result
    int64_t last_ns;     // the time of the last picture that was made
};

// The steps of most sources do not divide ours: a quarter is forgiven.
static bool is_due(const struct stage *s, int64_t pts_ns)
{
    return pts_ns < s->last_ns || pts_ns - s->last_ns >= STEP_NS - STEP_NS / 4;
}

static int even(double side)
{
    int n = 2 * (int)lround(side / 2);
    return n < 2 ? 2 : n;
}

// The whole picture, brought down; the frame itself where it is small.
static int shrink(struct stage *s, const sc_shot *shot, const struct sc_part *part,
                  sc_frame **out, sc_err *err)
{
    const AVFrame *av = shot->frame->av;
    double scale = (double)MOST_SIDE / fmax(part->width, part->height);
    int w = even(part->width * scale), h = even(part->height * scale);
    const struct sc_crop whole = {.w = (float)av->width, .h = (float)av->height};
    AVFrame *small = NULL;
    int ret = SC_OK;
    *out = scale < 1 ? NULL : sc_frame_ref(shot->frame);
    if (*out)
        return SC_OK;
    if (!s->cropper || w != s->width || h != s->height) {
        sc_cropper_close(&s->cropper);
        ret = sc_cropper_open(&s->cropper, &(struct sc_cropper_params){w, h}, err);
        s->width = w;
        s->height = h;
    }
    if (ret >= 0)
        ret = sc_cropper_run(s->cropper, &small, av, &whole, err);
    if (ret >= 0 && !(*out = sc_frame_wrap(small, shot->frame->n, shot->frame->pts_ns))) {
        av_frame_free(&small);
        ret = sc_fail(err, SC_ENOMEM, "no memory for a picture");
    }
    return ret;
}

// Where the camera is, and boxes above that.
static int draw(struct stage *s, const sc_shot *shot, const struct sc_part *part,
                sc_frame **pframe, sc_err *err)
{
    static const struct sc_overlay_labels none = {.none = true};
    const struct sc_view view = {.sample_aspect = (*pframe)->av->sample_aspect_ratio};
    int ret = sc_overlay_outline_on(s->overlay, pframe, &view, &part->crop, part->width,
                                    part->height, err);
    if (ret < 0 || !shot->found)
        return ret;
    sc_detections *chosen = sc_detections_choose(shot->found, s->params.threshold);
    ret = chosen
              ? sc_overlay_draw_on(s->overlay, pframe, &view, chosen, chosen->count, &none, err)
              : sc_fail(err, SC_ENOMEM, "no memory for boxes");
    sc_detections_unref(&chosen);
    return ret;
}

static int make(struct stage *s, const sc_shot *shot, sc_err *err)
{
    const struct sc_picture_params params = {.format = SC_PICTURE_JPEG, .quality = QUALITY};
    const struct sc_part part = sc_shot_part(shot);
    sc_frame *frame = NULL;
    sc_buf *jpeg = NULL;
    int ret = shrink(s, shot, &part, &frame, err);
    if (frame)
        ret = draw(s, shot, &part, &frame, err);
    if (ret >= 0)
        ret = sc_picture_encode(s->ctx, &jpeg, NULL, frame, &params, err);
    if (ret >= 0)
        sc_viewers_tell(s->params.viewers, jpeg, shot->frame);
    sc_buf_unref(&jpeg);
    sc_frame_unref(&frame);
    return ret;
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct stage *s = self;
    sc_shot *shot = item.data;
    int64_t pts_ns = shot->frame->pts_ns;
    (void)in;
    if (is_due(s, pts_ns) && sc_viewers_count(s->params.viewers)) {
        int ret = make(s, shot, err);
        if (ret < 0)
            return ret;
        s->last_ns = pts_ns;
    }
    sc_shot_unref(&shot);
    return SC_OK;
}

static void release(struct stage *s)
{
    sc_cropper_close(&s->cropper);
    sc_overlay_close(&s->overlay);
    sc_picture_ctx_free(&s->ctx);
    free(s);
}

static void close_stage(void *self)
{
    struct stage *s = self;
    sc_viewers_end(s->params.viewers);
    release(s);
}

static const struct sc_stage_ops ops = {.kind = "wide", .push = push, .close = close_stage};

int sc_stage_wide_add(sc_graph *graph, const struct sc_stage_wide_params *params,
                      sc_stage **pstage, sc_err *err)
{
    struct stage *s = sc_new(struct stage);
    *s = (struct stage){.params = *params,
                        .ctx = sc_picture_ctx_new(),
                        .overlay = sc_overlay_open(&(struct sc_overlay_params){0}),
                        .last_ns = -SC_NS_PER_S};
    const struct sc_stage_params stage = {
        .ops = &ops, .self = s, .in = {&sc_shot_item}, .optional = true};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        release(s);
    return ret;
}
