// Shots as JPEG, made once for all who look.
//
// Thread-safety: add as sc_graph_add(); the rest is safe.
#pragma once

#include <pthread.h>

#include "base/buf.h"
#include "media/frame.h"
#include "pipeline/graph.h"
#include "pipeline/live.h"
#include "pipeline/live_facts.h"

// Who looks; outlives the graph.
struct sc_viewers {
    pthread_mutex_t lock;
    struct sc_live_viewer *first; // under lock, and so is their take()
    int count;
    bool over; // no more pictures come
};

void sc_viewers_init(struct sc_viewers *viewers);
void sc_viewers_release(struct sc_viewers *viewers);
// As sc_live_view(). Who comes after the end is told at once.
void sc_viewers_add(struct sc_viewers *viewers, sc_live_viewer **pviewer,
                    void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns),
                    void *arg);
int sc_viewers_count(struct sc_viewers *viewers);
// A picture for all.
void sc_viewers_tell(struct sc_viewers *viewers, sc_buf *jpeg, const sc_frame *frame);
// Tells all that it is over; for a graph that ended.
void sc_viewers_end(struct sc_viewers *viewers);

// facts: where pictures that leave are counted, NULL = somebody else does.
int sc_stage_viewers_add(sc_graph *graph, struct sc_viewers *viewers, int quality,
                         struct sc_live_facts *facts, sc_stage **pstage, sc_err *err);
