// Stored videos played at the pace of time: whoever watches gets the picture on screen now.
//
//     source --> sink
//
// A play is a graph (pipeline/graph.h). At each tick of its timer the source finds the frame that is
// on screen, takes its picture from the cache or has it made, and the sink hands it on. What takes
// too long, here or at who watches, skips ticks, so that the speed stays true; a damaged frame is
// left out. The pictures are those of app/videos.h: made once for all who want them, never copied.
//
// All plays together run on one thread, which keeps their timers, too.
//
// Thread-safety: Safe.
#pragma once

#include "app/videos.h"
#include "pipeline/graph.h"

typedef struct sc_plays sc_plays; // all of them
typedef struct sc_play sc_play;   // refcounted

struct sc_plays_params {
    sc_models *models; // outlives the plays
    sc_metrics *metrics;
};

// SC_ENOMEM.
int sc_plays_open(sc_plays **pplays, const struct sc_plays_params *params, sc_err *err);
// All end as if their videos were over, and no more begin. Idempotent, never blocks.
void sc_plays_stop(sc_plays *plays);
// Waits for that. References to plays may be left. NULL and &NULL allowed.
void sc_plays_close(sc_plays **pplays);

struct sc_play_params {
    sc_video *video; // referenced until the end
    struct sc_picture_query
        query; // prepared; instance, threshold and priority are not looked at
    // What is to be found in the pictures; NULL = nothing, "" = the default model. Asked for anew with
    // each picture, so that it may be replaced meanwhile. Copied.
    const char *model;
    double threshold; // < 0 = the model's own
    double fps;       // ticks a second, > 0
    double from;      // seconds of video at the first tick

    // All calls come on the thread of the plays, one at a time; they must not block.
    // Whether the picture before was taken: if not, this tick is skipped. NULL = always.
    bool (*ready)(void *arg);
    // A picture, borrowed. False: nobody wants more, the play ends with SC_OK.
    bool (*take)(void *arg, const sc_answer *answer);
    // The last call, exactly once. SC_OK: the video is over, or the play was stopped; SC_ECANCELLED:
    // the video was deleted, or the app stops; what sc_models_acquire() gives: the model is gone.
    void (*on_end)(void *arg, int ret);
    void *arg;
};

// Begins to play at once. *pplay is the caller's reference. SC_ENOMEM, SC_ECANCELLED (stopping): no
// call comes.
int sc_play_new(sc_play **pplay, sc_plays *plays, const struct sc_play_params *params,
                sc_err *err);
// Ends it as if the video were over, soon. Never blocks; may be called after its end.
void sc_play_stop(sc_play *play);
// Figures of its two stages, all zero after its end. To be released.
void sc_play_get_stats(sc_play *play, struct sc_graph_stats *stats);
void sc_play_unref(sc_play **pplay); // plays on; NULL and &NULL allowed
