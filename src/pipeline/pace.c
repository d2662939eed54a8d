#include "pipeline/pace.h"

#include <math.h>

#include "base/clock.h"
#include "base/mem.h"

void sc_pacer_init(struct sc_pacer *pacer, const struct sc_pace_params *params)
{
    *pacer = (struct sc_pacer){.speed = 1, .max_behind_ns = SC_NS_PER_S};
    if (params && params->speed > 0)
        pacer->speed = params->speed;
    if (params && params->max_behind_ns)
        pacer->max_behind_ns = params->max_behind_ns;
}

static int64_t anchor(struct sc_pacer *pacer, int64_t pts_ns, int64_t now_ns)
{
    pacer->anchors += pacer->anchored;
    pacer->anchored = true;
    pacer->pts_ns = pts_ns;
    pacer->at_ns = now_ns;
    return now_ns;
}

int64_t sc_pacer_due(struct sc_pacer *pacer, int64_t pts_ns, int64_t now_ns)
{
    if (!pacer->anchored)
        return anchor(pacer, pts_ns, now_ns);
    // In floating point: no pts can overflow it, and it is exact to a nanosecond for 100 days.
    double after = ((double)pts_ns - (double)pacer->pts_ns) / pacer->speed;
    double wait = (double)pacer->at_ns + after - (double)now_ns;
    if (pacer->max_behind_ns > 0 && wait < -(double)pacer->max_behind_ns)
        return anchor(pacer, pts_ns, now_ns);
    const double most = 1e18; // 30 years
    return now_ns + (int64_t)llrint(wait > most ? most : wait < -most ? -most : wait);
}

// --- the stage --------------------------------------------------------------------------------

struct pace {
    sc_stage *stage;
    struct sc_pacer pacer;
    sc_cancel *stop;
    const struct sc_item_type *types[SC_STAGE_PORTS];
};

static int pace_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct pace *)self)->stage = stage;
    return SC_OK;
}

static int pace_push(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)err;
    struct pace *pace = self;
    if (pace->stop && sc_cancel_requested(pace->stop)) {
        pace->types[in]->unref(item.data);
        sc_stage_count_drop(pace->stage, SC_DROP_STOPPED, 1);
        return SC_OK;
    }
    int64_t now = sc_clock_now(), due = sc_pacer_due(&pace->pacer, item.pts_ns, now);
    if (due > now) {
        sc_stage_wake_at(pace->stage, due);
        return SC_EAGAIN;
    }
    sc_stage_emit(pace->stage, in, item);
    return SC_OK;
}

static const struct sc_stage_ops pace_ops = {
    .kind = "pace",
    .open = pace_open,
    .push = pace_push,
    .close = free,
};

int sc_pace_add(sc_graph *graph, const char *name, const struct sc_item_type *const *types,
                int count, const struct sc_pace_params *params, sc_stage **pstage, sc_err *err)
{
    struct sc_stage_params stage = {.name = name, .ops = &pace_ops};
    if (count < 1 || count > SC_STAGE_PORTS)
        return sc_fail(err, SC_EARG, "a pace stage has 1 to %d inputs", SC_STAGE_PORTS);
    struct pace *pace = sc_new(struct pace);
    for (int i = 0; i < count; i++)
        pace->types[i] = stage.in[i] = stage.out[i] = types[i];
    pace->stop = params ? params->stop : NULL;
    sc_pacer_init(&pace->pacer, params);
    stage.self = pace;
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        free(pace);
    return ret;
}
