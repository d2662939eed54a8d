// Shots in, shots out, with a clock in their pictures (media/clock_strip.h): the time when the picture was
// there to be looked at, before anything is done to it. For measuring how long it takes to be seen.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "base/log.h"
#include "pipeline/graph.h"

// Pictures that it cannot be drawn in go on as they are; that is logged once.
int sc_stage_clock_add(sc_graph *graph, sc_log *log, sc_stage **pstage, sc_err *err);
