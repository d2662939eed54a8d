// Chunks of sound as Opus for all who tap it; nothing where nobody does.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "pipeline/graph.h"
#include "pipeline/rung.h"

// The stage takes a reference to rung of its own. Sound that cannot be decoded is left out; that is logged once for
// each source.
int sc_stage_sound_add(sc_graph *graph, sc_rung *rung, sc_log *log, sc_stage **pstage,
                       sc_err *err);
