// Pictures behind a batcher: what it takes, and how its runs become runs of a model.
//
// Thread-safety: as sc_batcher.
#pragma once

#include "vision/batcher.h"
#include "vision/model.h"

// One picture on its way: sc_batch_request.in. `out` is its sc_detections, the completion's.
struct sc_model_item {
    sc_frame *frame;
    struct sc_view view;
    bool (*gone)(
        void *arg); // nobody waits any more: the run leaves it out; NULL = somebody does
    void *arg;
};

// As sc_model_detect() for SC_MODEL_WIDE, as sc_model_detect_on() for a lane.
#define SC_MODEL_WIDE (-1)
typedef int sc_model_detect_fn(void *model, int lane, sc_frame *const *frames,
                               const struct sc_view *views, int count, sc_detections **out,
                               sc_err *err);

// A run() of a batcher over a model with `lanes` lanes: a lone picture gets all cores. Returns how
// many pictures were run, or what detect failed with.
int sc_model_run_items(sc_model_detect_fn *detect, void *model, int lanes,
                       const struct sc_batch_turn *turn, struct sc_batch_work *work, int count,
                       sc_err *err);
// sc_model_detect_fn of an sc_model.
int sc_model_detect_either(void *model, int lane, sc_frame *const *frames,
                           const struct sc_view *views, int count, sc_detections **out,
                           sc_err *err);

// A batcher of this model, which is borrowed. Name and metrics may be NULL.
int sc_model_batcher_open(sc_batcher **pbatcher, sc_model *model, const char *name,
                          sc_metrics *metrics, sc_err *err);
