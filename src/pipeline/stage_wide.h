// All that a camera has to choose from, as small JPEGs with boxes and the edges of what is shown; nothing is
// made where nobody looks.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "pipeline/graph.h"
#include "pipeline/stage_viewers.h"

struct sc_stage_wide_params {
    struct sc_viewers *viewers; // outlive the graph
    double threshold;           // of the boxes; what has a track is drawn whatever its score
};
int sc_stage_wide_add(sc_graph *graph, const struct sc_stage_wide_params *params,
                      sc_stage **pstage, sc_err *err);
