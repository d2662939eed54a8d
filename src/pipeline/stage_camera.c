#include "pipeline/stage_camera.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "pipeline/shot.h"

struct held {
    struct held *next;
    sc_shot *shot;
    int64_t born_ns;
};

struct camera {
    // Immutable.
    struct sc_camera_params params;
    int classes[SC_CAMERA_CLASSES], leads[SC_CAMERA_CLASSES];
    // The stage's own.
    sc_stage *stage;
    sc_camera *camera;
    int width, height;          // of the pictures it was opened for, in samples
    double stretch;             // a sample's width in displayed pixels
    struct held *first, **last; // shots that wait for their crop
};

static double sample_aspect(const AVFrame *av)
{
    AVRational sar = av->sample_aspect_ratio;
    return sar.num > 0 && sar.den > 0 ? av_q2d(sar) : 1;
}

static bool fits(const struct camera *c, const AVFrame *av)
{
    return c->camera && av->width == c->width && av->height == c->height &&
           sample_aspect(av) == c->stretch;
}

static int open_for(struct camera *c, const AVFrame *av, sc_err *err)
{
    struct sc_camera_params params = c->params;
    c->width = av->width;
    c->height = av->height;
    c->stretch = sample_aspect(av);
    params.width = (int)lround(av->width * c->stretch);
    params.height = av->height;
    params.classes = c->params.class_count ? c->classes : NULL;
    params.leads = c->leads;
    return sc_camera_open(&c->camera, &params, err);
}

static void hold(struct camera *c, sc_shot *shot, int64_t born_ns)
{
    struct held *held = sc_new(struct held);
    *held = (struct held){.shot = shot, .born_ns = born_ns};
    *c->last = held;
    c->last = &held->next;
}

static sc_shot *take_first(struct camera *c, int64_t *born_ns)
{
    struct held *held = c->first;
    sc_shot *shot = held->shot;
    *born_ns = held->born_ns;
    c->first = held->next;
    if (!c->first)
        c->last = &c->first;
    free(held);
    return shot;
}

// Emits what has its crop.
static void emit_ready(struct camera *c)
{
    struct sc_crop crop;
    while (c->first && sc_camera_get(c->camera, NULL, &crop) >= 0) {
        int64_t born_ns;
        sc_shot *shot = sc_shot_own(take_first(c, &born_ns));
        crop.x /= (float)c->stretch; // displayed pixels to samples
        crop.w /= (float)c->stretch;
        shot->crop = crop;
        shot->cropped = true;
        sc_stage_emit(
            c->stage, 0,
            (struct sc_item){.data = shot, .pts_ns = shot->frame->pts_ns, .born_ns = born_ns});
    }
}

static void finish(struct camera *c)
{
    if (!c->camera)
        return;
    sc_camera_flush(c->camera);
    emit_ready(c);
    sc_camera_close(&c->camera);
}

static int open_camera(void *self, sc_stage *stage, sc_err *err)
{
    struct camera *c = self;
    (void)err;
    c->stage = stage;
    return SC_OK;
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct camera *c = self;
    sc_shot *shot = item.data;
    (void)in;
    if (!fits(c, shot->frame->av)) {
        finish(c);
        int ret = open_for(c, shot->frame->av, err);
        if (ret < 0)
            return ret;
    }
    hold(c, shot, item.born_ns);
    if (sc_camera_put(c->camera, shot->frame->pts_ns, shot->found, shot->cut) == SC_EAGAIN) {
        emit_ready(c); // it holds all it can: more than any look-ahead
        (void)sc_camera_put(c->camera, shot->frame->pts_ns, shot->found, shot->cut);
    }
    emit_ready(c);
    return SC_OK;
}

static int flush(void *self, sc_err *err)
{
    (void)err;
    finish(self);
    return SC_EEOF;
}

static void close_stage(void *self)
{
    struct camera *c = self;
    while (c->first) {
        int64_t born_ns;
        sc_shot *shot = take_first(c, &born_ns);
        sc_shot_unref(&shot);
    }
    sc_camera_close(&c->camera);
    free(c);
}

static const struct sc_stage_ops ops = {
    .kind = "camera", .open = open_camera, .push = push, .flush = flush, .close = close_stage};

int sc_stage_camera_add(sc_graph *graph, const struct sc_camera_params *params,
                        sc_stage **pstage, sc_err *err)
{
    sc_require(params->class_count <= SC_CAMERA_CLASSES &&
               params->lead_count <= SC_CAMERA_CLASSES);
    struct camera *c = sc_new(struct camera);
    c->params = *params;
    c->last = &c->first;
    for (int i = 0; i < params->class_count; i++)
        c->classes[i] = params->classes[i];
    for (int i = 0; i < params->lead_count; i++)
        c->leads[i] = params->leads[i];
    const struct sc_stage_params stage = {
        .ops = &ops, .self = c, .in = {&sc_shot_item}, .out = {&sc_shot_item}};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        close_stage(c);
    return ret;
}
