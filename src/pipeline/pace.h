// Pacing: lets items through in real time.
//
// Thread-safety: a pacer belongs to one thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/graph.h"

struct sc_pace_params {
    double speed; // 2 = twice as fast; 0 = 1
    int64_t
        max_behind_ns; // whoever is later than this begins anew from now; 0 = 1 s, < 0 = never
    // Once it is requested what waits is dropped, so that a stop does not take as long as what was
    // read ahead; the stage is to be woken then. Outlives the graph; NULL = none.
    sc_cancel *stop;
};

// The rule alone, without clock and thread.
struct sc_pacer {
    double speed;
    int64_t max_behind_ns;
    // Owned by the caller's thread:
    bool anchored;
    int64_t pts_ns, at_ns; // what is shown when
    uint64_t anchors;      // times that it began anew
};

void sc_pacer_init(struct sc_pacer *pacer, const struct sc_pace_params *params); // NULL = zero
// When the item of pts_ns may pass; <= now_ns means now. The first item passes at once.
int64_t sc_pacer_due(struct sc_pacer *pacer, int64_t pts_ns, int64_t now_ns);

// Adds a stage that carries `count` kinds of items (sound and picture by one clock), input i to
// output i. name NULL = "pace". Errors as sc_graph_add().
int sc_pace_add(sc_graph *graph, const char *name, const struct sc_item_type *const *types,
                int count, const struct sc_pace_params *params, sc_stage **pstage, sc_err *err);
