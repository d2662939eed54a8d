#include "vision/model_batch.h"

#include "base/mem.h"

#define MOST_BATCH 64

struct batch {
    sc_frame *frames[MOST_BATCH];
    struct sc_view views[MOST_BATCH];
    sc_detections *out[MOST_BATCH];
    struct sc_batch_work *work[MOST_BATCH];
    int count;
};

// Leaves out what nobody waits for any more.
static void gather(struct batch *batch, struct sc_batch_work *work, int count)
{
    batch->count = 0;
    for (int i = 0; i < count; i++) {
        const struct sc_model_item *item = work[i].in;
        if (item->gone && item->gone(item->arg)) {
            work[i].ret = SC_ECANCELLED;
            continue;
        }
        batch->frames[batch->count] = item->frame;
        batch->views[batch->count] = item->view;
        batch->out[batch->count] = NULL;
        batch->work[batch->count++] = &work[i];
    }
}

int sc_model_run_items(sc_model_detect_fn *detect, void *model, int lanes,
                       const struct sc_batch_turn *turn, struct sc_batch_work *work, int count,
                       sc_err *err)
{
    struct batch batch;
    sc_require(count <= MOST_BATCH);
    gather(&batch, work, count);
    if (!batch.count)
        return 0;
    int lane = turn->alone || !lanes ? SC_MODEL_WIDE : turn->runner;
    int ret = detect(model, lane, batch.frames, batch.views, batch.count, batch.out, err);
    for (int i = 0; i < batch.count && ret >= 0; i++)
        batch.work[i]->out = batch.out[i];
    return ret < 0 ? ret : batch.count;
}

int sc_model_detect_either(void *model, int lane, sc_frame *const *frames,
                           const struct sc_view *views, int count, sc_detections **out,
                           sc_err *err)
{
    if (lane == SC_MODEL_WIDE)
        return sc_model_detect(model, frames, views, count, out, err);
    sc_require(count == 1);
    return sc_model_detect_on(model, lane, frames[0], views, out, err);
}

static int run(void *arg, const struct sc_batch_turn *turn, struct sc_batch_work *work,
               int count, sc_err *err)
{
    sc_model *model = arg;
    int lanes = sc_model_get_info(model)->lanes;
    int ret = sc_model_run_items(sc_model_detect_either, model, lanes, turn, work, count, err);
    return ret < 0 ? ret : SC_OK;
}

int sc_model_batcher_open(sc_batcher **pbatcher, sc_model *model, const char *name,
                          sc_metrics *metrics, sc_err *err)
{
    const struct sc_model_info *info = sc_model_get_info(model);
    const struct sc_batcher_params params = {
        .name = name,
        .run = run,
        .arg = model,
        .runners = info->lanes,
        .gives_way = info->session->provider == SC_PROVIDER_CPU,
        .max_batch = info->max_batch < MOST_BATCH ? info->max_batch : MOST_BATCH,
        .metrics = metrics,
    };
    return sc_batcher_open(pbatcher, &params, err);
}
