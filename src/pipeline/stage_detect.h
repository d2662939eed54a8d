// Detection: shows pictures to a model and hands them on with what was found in them.
//
// Input 0: shots. Output 0: all of them, each once, in their order; `found` and `detected` are set where the
// model's answer came in time.
//
// Without `live` each picture is looked at, and waits for its answer. A picture that cannot be looked at
// fails the stage. Where the batcher has no room the picture is offered again a little later.
//
// Live, the late rule:
//   - The model gets the newest picture whenever it is free, that is, whenever less than `window`
//     pictures of this stage are with the batcher. A picture that finds it busy waits, and is passed over
//     when a newer one comes.
//   - A shot waits for its answer at most delay_ns, counted from when it came to this stage: so the delay
//     is what detection adds at most, whatever the network and the decoder took before.
//   - It waits only as long as its answer can still come in time, by the fastest of the last four answers.
//     So a model that is always slower than delay_ns holds nothing up. One that was passed over does not
//     wait for itself, only for those before it.
//   - An answer that comes when its shot has left goes with the next shot that leaves, as `late`: only the
//     newest one, and only if no newer detections went before it.
//   - More than 256 shots or 512 MiB never wait: the first goes on without its answer.
//   - A picture that fails is counted, logged once for each code, and leaves undetected. Only a batcher
//     that was stopped fails the stage.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "pipeline/graph.h"
#include "pipeline/shot.h"
#include "vision/batcher.h"
#include "vision/prepare.h"

#define SC_DETECT_WINDOW 64  // at most
#define SC_DETECT_LAST   256 // answers that the figures look back on

// How it goes. All zero to begin with; written by the stage, read by any thread.
struct sc_detect_figures {
    atomic_llong answers, late, undetected, failed;
    // Of the last answers, a ring by `answers`:
    atomic_llong took_ns[SC_DETECT_LAST], at_ns[SC_DETECT_LAST];
};

// Zero is the default everywhere but in batcher.
struct sc_stage_detect_params {
    sc_batcher *batcher;             // takes struct sc_model_item; outlives the stage
    struct sc_view view;             // of all pictures
    enum sc_batch_priority priority; // not live: usually SC_PRIORITY_JOB
    uint64_t stream;                 // as in struct sc_batch_request
    // Pictures with the batcher at once, and, not live, shots in the stage. 0 = one a runner when live,
    // else enough to keep all runners busy with full batches, up to 32.
    int window;
    bool live;
    int64_t delay_ns;                  // live: a shot waits no longer
    struct sc_detect_figures *figures; // outlives the graph; NULL = nobody looks
    sc_log *log;                       // live: of failures; NULL = none
};

// name NULL = "detect". Errors as sc_graph_add().
int sc_stage_detect_add(sc_graph *graph, const char *name,
                        const struct sc_stage_detect_params *params, sc_stage **pstage,
                        sc_err *err);

struct sc_detect_stats {
    int64_t answers;    // pictures that the model saw, whether in time or not
    int64_t late;       // of them, those whose shot had left
    int64_t undetected; // shots that left without
    int64_t failed;     // pictures that the model failed on
    int64_t p50_ns;     // from submitting to the answer, of the last 256; 0 = none yet
    double fps;         // answers a second in the two seconds before now_ns; up to 128
};
// Any thread. Figures of one moment, but not all of the very same.
void sc_detect_figures_get(struct sc_detect_figures *figures, int64_t now_ns,
                           struct sc_detect_stats *stats);
