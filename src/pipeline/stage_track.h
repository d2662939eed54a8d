// Tracking: makes of detections, which may be missing or late, what is known about each picture.
//
// Input 0: shots, with `found` and `late` as the detect stage leaves them. Output 0: all of them, in their
// order, with `cut` set, `late` used up, and in `found` what is to be shown:
//   detected      what the model found, with the ids of the tracker
//   not detected  where the tracker expects its objects; without a tracker the last detections, for
//                 repeat_ns after the picture that they were found in, so that boxes do not flicker;
//                 NULL where nothing was found since the last cut
// Late detections move the tracks at their own time. Those of the scene before a cut are of no use.
// A picture format that cuts cannot be found in is logged once; there are no cuts then.
//
// Where memory for a list is out, detections go on without ids, and undetected pictures without any.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "pipeline/graph.h"
#include "pipeline/shot.h"
#include "vision/tracker.h"

// How it goes. All zero to begin with; written by the stage, read by any thread.
struct sc_track_figures {
    atomic_int objects; // in `found` of the last picture
    atomic_llong ids;   // given by the tracker so far
    atomic_llong cuts;
};

// Zero is the default everywhere.
struct sc_stage_track_params {
    bool track; // else no tracker
    struct sc_tracker_params tracker;
    double threshold;  // detections below it, which no track explains, are left out; 0 = none
    int64_t repeat_ns; // without a tracker; 0 = 200 ms, < 0 = not at all
    struct sc_track_figures *figures; // outlives the graph; NULL = nobody looks
    sc_log *log;                      // NULL = none
};

// name NULL = "track". Errors as sc_graph_add().
int sc_stage_track_add(sc_graph *graph, const char *name,
                       const struct sc_stage_track_params *params, sc_stage **pstage,
                       sc_err *err);
