// Shots in, encoded packets out.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "pipeline/graph.h"
#include "pipeline/live_facts.h"

struct sc_stage_encode_params {
    const char *codec, *preset;  // outlive the graph; NULL = the default
    int64_t bitrate;             // 0 = by `sized` or by quality
    bool sized;                  // where no bitrate is given: one that suits size and rate
    bool live;                   // nothing is held back
    double fps;                  // expected at most; 0 = the source's
    int64_t key_ns;              // keyframes so far apart; 0 = the encoder's choice
    struct sc_live_facts *facts; // outlives the graph
};
int sc_stage_encode_add(sc_graph *graph, const struct sc_stage_encode_params *params,
                        sc_stage **pstage, sc_err *err);
