#include "pipeline/stage_clock.h"

#include "base/clock.h"
#include "base/mem.h"
#include "media/clock_strip.h"
#include "pipeline/shot.h"

struct clock {
    sc_log *log;
    sc_stage *stage;
    bool told;
};

static int start(void *self, sc_stage *stage, sc_err *err)
{
    struct clock *c = self;
    (void)err;
    c->stage = stage;
    return SC_OK;
}

// A copy with the clock in it: the decoder may still refer to the picture. NULL: it cannot be.
static sc_frame *stamped(const sc_frame *frame)
{
    AVFrame *av = av_frame_clone(frame->av);
    const struct sc_clock_stamp stamp = {.ms = (uint32_t)(sc_clock_wall() / SC_NS_PER_MS),
                                         .n = (uint16_t)frame->n};
    if (!av || av_frame_make_writable(av) < 0 || !sc_clock_strip_draw(av, stamp)) {
        av_frame_free(&av);
        return NULL;
    }
    return sc_frame_wrap(av, frame->n, frame->pts_ns);
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct clock *c = self;
    sc_shot *shot = item.data;
    (void)in;
    (void)err;
    sc_frame *copy = stamped(shot->frame);
    if (copy) {
        shot = sc_shot_own(shot);
        sc_frame_unref(&shot->frame);
        shot->frame = copy;
        item.data = shot;
    } else if (!c->told) {
        c->told = true;
        SC_WARN(c->log, "a clock cannot be drawn in such pictures");
    }
    sc_stage_emit(c->stage, 0, item);
    return SC_OK;
}

static void close_clock(void *self)
{
    free(self);
}

static const struct sc_stage_ops ops = {
    .kind = "clock", .open = start, .push = push, .close = close_clock};

int sc_stage_clock_add(sc_graph *graph, sc_log *log, sc_stage **pstage, sc_err *err)
{
    struct clock *c = sc_new(struct clock);
    c->log = log;
    const struct sc_stage_params stage = {
        .ops = &ops, .self = c, .in = {&sc_shot_item}, .out = {&sc_shot_item}};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        free(c);
    return ret;
}
