// From what was decoded to what is seen: the camera's crop, the output's size, boxes and labels. What was
// found goes on in the pixels of the picture that is seen; what is not in it is left out.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "pipeline/graph.h"
#include "pipeline/live.h"

struct sc_stage_render_params {
    bool overlay;
    double threshold;          // of what is drawn; what has a track is drawn whatever its score
    const char *const *labels; // of the classes; outlive the graph; NULL = numbers
    int label_count;
    double aspect; // of a crop, where there are crops; 0 = the picture's
    int width,
        height; // of the result; 0 = the picture's (of crops: its height); one 0 = by aspect
};
int sc_stage_render_add(sc_graph *graph, const struct sc_stage_render_params *params,
                        sc_stage **pstage, sc_err *err);
