// Detections as JSON lines in a file.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "pipeline/graph.h"

struct sc_stage_lines_params {
    const char *path;          // "-" = standard output
    const char *model;         // its name; with the labels it outlives the graph
    const char *const *labels; // NULL = numbers
    int label_count;
    double threshold;
};
// Opens the file, replacing one there. SC_EDENIED, SC_ENOTFOUND, SC_EIO: err names the path.
int sc_stage_lines_add(sc_graph *graph, const struct sc_stage_lines_params *params,
                       sc_stage **pstage, sc_err *err);
