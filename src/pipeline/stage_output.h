// One output of a live stream.
//
// Inputs: 0 = encoded packets of the picture, 1 = chunks of the sound, 2 = shots whose detections become
// cues (HLS). Its trouble is its own: it is an optional stage.
//
// Thread-safety: add as sc_graph_add(); the monitor is safe.
#pragma once

#include "media/live_output.h"
#include "pipeline/graph.h"
#include "pipeline/live_facts.h"

// What the others see of it; outlives the stage.
struct sc_output_monitor {
    pthread_mutex_t lock;
    sc_live_output *output;          // while it is open, under lock
    struct sc_live_output_info info; // last seen, where it is not open
};
void sc_output_monitor_init(struct sc_output_monitor *monitor);
void sc_output_monitor_release(struct sc_output_monitor *monitor);
void sc_output_monitor_get(struct sc_output_monitor *monitor, struct sc_live_output_info *info);

struct sc_stage_output_params {
    const char *url;             // outlives the graph
    const char *name;            // of the stage
    bool lossless;               // nothing is dropped: the stream waits for it
    struct sc_live_facts *facts; // outlive the graph
    struct sc_output_monitor *monitor;
    sc_log *log;
    bool cues;                 // input 2 is connected
    const char *model;         // of the cues; with the labels it outlives the graph
    const char *const *labels; // NULL = numbers
    int label_count;
    double threshold;
};
int sc_stage_output_add(sc_graph *graph, const struct sc_stage_output_params *params,
                        sc_stage **pstage, sc_err *err);
