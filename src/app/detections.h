// What a model finds in a frame of a video, asked for and answered later.
//
// The frame comes from the reader, then goes to the model's batcher. Results are kept by video,
// frame and instance, with all scores from SC_MODEL_FLOOR up, so that one run answers every
// threshold; equal requests share one flight. A flight is joined only by requests that it serves as
// soon as one of their own would.
//
// Thread-safety: Safe, except that close comes last.
#pragma once

#include "app/models.h"
#include "app/videos.h"
#include "base/cancel.h"
#include "vision/batcher.h"
#include "vision/detection.h"

typedef struct sc_inference sc_inference;

struct sc_inference_params {
    size_t cache_bytes; // 0 keeps nothing
    sc_models *models;  // outlives it
    sc_metrics *metrics;
};
// SC_ENOMEM: no thread could be started.
int sc_inference_open(sc_inference **pinference, const struct sc_inference_params *params,
                      sc_err *err);
// What waits ends with SC_ECANCELLED, soon; new requests are refused likewise.
void sc_inference_stop(sc_inference *inference);
// No request may be under way (they hold their videos, so the videos are closed first).
void sc_inference_close(sc_inference **pinference);

struct sc_detect_params {
    sc_video *video;       // referenced meanwhile,
    sc_instance *instance; // likewise
    int64_t n;
    enum sc_batch_priority priority;
    int flags;           // sc_read_flags for the frame
    int64_t deadline_ns; // sc_clock_now() time after which it is not begun; 0 = none
    sc_cancel *cancel;   // NULL, or it lives until fn was called
};

// Called exactly once for each request that was accepted with SC_OK, never inside the call that
// asked; hand on, never block. found is the callee's reference, NULL unless ret is 0. The reader's
// errors, the model's (SC_EUNSUPPORTED, SC_EIO, SC_ENOMEM), SC_EBUSY (its queue is full),
// SC_ETIMEOUT, SC_ECANCELLED.
typedef void sc_detect_fn(void *arg, int ret, sc_detections *found, const sc_err *err);

// SC_OK: fn will be called. SC_ERANGE, SC_EBUSY, SC_ECANCELLED: it will not.
int sc_detect(sc_inference *inference, const struct sc_detect_params *params, sc_detect_fn *fn,
              void *arg, sc_err *err);
// What is known already, a reference, or NULL. Never blocks. Counts a hit or nothing.
sc_detections *sc_detect_peek(sc_inference *inference, sc_video *video, int64_t n,
                              sc_instance *instance);
// Forgets a video that is deleted.
void sc_inference_drop(sc_inference *inference, sc_video *video);

// Appends what was found from the threshold up as a JSON line (see vision/report.h).
void sc_detections_report(sc_str *out, sc_video *video, int64_t n, const sc_instance *instance,
                          const sc_detections *found, double threshold);

// How a video's frames are displayed.
struct sc_view sc_video_view(sc_video *video);

struct sc_inference_stats {
    uint64_t hits, misses; // a request that joined another is a miss
    size_t cache_bytes, cache_items;
};
void sc_inference_get_stats(sc_inference *inference, struct sc_inference_stats *stats);
