// A stage between a source that sends the shots it is told to and a sink that keeps them; and a scripted
// model.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "pipeline/graph.h"
#include "pipeline/shot.h"
#include "vision/batcher.h"

#define MS SC_NS_PER_MS

enum { SHOTS_MOST = 2048 };

struct shots {
    sc_graph *graph;
    sc_stage *source, *sink;
    int64_t sink_ns; // each push takes so long
    pthread_mutex_t lock;
    pthread_cond_t changed;
    // under lock
    sc_shot *sent[SHOTS_MOST], *seen[SHOTS_MOST]; // the graph's once emitted; the rig's
    int64_t sent_ns[SHOTS_MOST], seen_ns[SHOTS_MOST];
    int sent_count, emitted, seen_count;
    bool ended;
};

void shots_open(struct shots *shots);                   // the test adds its stage to the graph
void shots_start(struct shots *shots, sc_stage *stage); // between source and sink
// Picture n, at n * 10 ms, without pixels.
sc_shot *shots_make(int n);
void shots_send(struct shots *shots, sc_shot *shot); // takes it over
void shots_send_some(struct shots *shots, int first, int count);
void shots_end(struct shots *shots);
void shots_wait_seen(struct shots *shots, int count);
void shots_wait_taken(struct shots *shots, const char *stage, int count);
// Closes the graph; checks that each picture came once and in order, as numbered from 0; frees all.
void shots_close(struct shots *shots);

// --- the model ----------------------------------------------------------------------------------

// Finds one thing in picture n, of class n, at once or when it is let.
struct model {
    sc_batcher *batcher;
    int64_t most_ns; // of a run, at random
    unsigned fail_one_in;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    // under lock
    unsigned seed;
    bool held;             // pictures that were not let wait
    bool let[SHOTS_MOST];  // by number
    int ret[SHOTS_MOST];   // by number: fails with this
    int begun[SHOTS_MOST]; // numbers, in the order of the runs
    int begun_count;
};

void model_open(struct model *model, struct sc_batcher_params params);
void model_let(struct model *model, int n);
void model_let_all(struct model *model);
void model_wait_begun(struct model *model, int count);
void model_close(struct model *model);
