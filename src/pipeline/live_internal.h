// A live stream's parts, shared by its opening (live.c), its parameters (live_params.c) and its state
// (live_status.c).
#pragma once

#include "pipeline/live.h"
#include "pipeline/live_facts.h"
#include "pipeline/rung.h"
#include "pipeline/stage_detect.h"
#include "pipeline/stage_output.h"
#include "pipeline/stage_track.h"
#include "pipeline/stage_viewers.h"

struct sc_live {
    // Immutable after opening.
    struct sc_live_params params; // its texts are in `texts`
    char *texts[16 + SC_LIVE_OUTPUTS];
    int text_count;
    int output_count;
    struct sc_live_output_kind kinds[SC_LIVE_OUTPUTS]; // of the outputs
    bool timed;                                        // keeps the source's time
    bool paced;                                        // by us
    double threshold;
    struct sc_camera_params camera;
    int camera_classes[SC_CAMERA_CLASSES], camera_leads[SC_CAMERA_CLASSES];
    int64_t opened_ns;
    struct sc_pipeline_choice choice;
    sc_log *log;
    sc_cancel *stop; // of the source
    sc_graph *graph;
    sc_stage *pace; // where it is paced, else NULL

    struct sc_detect_figures detection;
    struct sc_track_figures tracking;
    struct sc_live_facts facts;
    struct sc_output_monitor monitors[SC_LIVE_OUTPUTS];
    struct sc_viewers viewers[SC_LIVE_VIEWS];
    sc_rung *rungs[SC_LIVE_RUNGS + 1]; // those asked for, and SC_LIVE_SOUND; a reference each

    pthread_mutex_t lock;
    // Under lock.
    bool ended;
    int ret; // how it ended
    sc_err err;
};

// Copies params and works out what follows from them alone. SC_EARG: err names the field.
int sc_live_settle(struct sc_live *live, const struct sc_live_params *params, sc_err *err);
