// The source of a live stream: reads it, tells how it goes, and ends well whatever becomes of it.
//
// Outputs: 0 = chunks of the picture, 1 = chunks of the sound.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "pipeline/graph.h"
#include "pipeline/live_facts.h"

struct sc_stage_input_params {
    const struct sc_live_input_params *input; // copied; its cancel is the graph's
    bool sound;                               // pass it through
    struct sc_live_facts *facts;              // outlives the graph
    sc_cancel *stop;                          // ends it early but well; outlives the graph
};
// SC_EARG and others of sc_live_input_open().
int sc_stage_input_add(sc_graph *graph, const struct sc_stage_input_params *params,
                       sc_stage **pstage, sc_err *err);
