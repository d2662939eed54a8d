// Shots as one encoding for all who tap it; nothing where nobody does.
//
// Input 0 has the shots. Where what is found comes beside, input 1 has the same shots once more, later, with what was
// found: encoding does not wait for the model, only what was encoded does.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "pipeline/graph.h"
#include "pipeline/live.h"
#include "pipeline/live_facts.h"
#include "pipeline/rung.h"

struct sc_stage_rung_params {
    const char *name; // of the stage
    struct sc_live_rung wanted;
    sc_rung *rung;                     // the stage takes a reference of its own
    const struct sc_live_model *model; // for samples, as the threshold; outlives the graph
    double threshold;
    double fps;                  // of the pictures at most; 0 = the source's
    struct sc_live_facts *facts; // outlive the graph
    bool beside;                 // there is an input 1
    bool counts;                 // pictures that come are counted in facts as those that leave
};
// libavcodec's name of what encodes that.
const char *sc_live_codec_encoder(enum sc_live_codec codec);

int sc_stage_rung_add(sc_graph *graph, const struct sc_stage_rung_params *params,
                      sc_stage **pstage, sc_err *err);
