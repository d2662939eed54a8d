// Chunks of the picture in, shots out.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "pipeline/graph.h"
#include "pipeline/live_facts.h"

struct sc_stage_decode_params {
    double fps;  // at most: pictures beyond are left out; 0 = all
    bool paced;  // a shot arrives when it is decoded, not when its packet was read
    int threads; // 0 = by the source
    struct sc_live_facts *facts; // outlives the graph
};
int sc_stage_decode_add(sc_graph *graph, const struct sc_stage_decode_params *params,
                        sc_stage **pstage, sc_err *err);
