// What the files of sc_casts share: the casts (casts.c), and one cast's files and who waits for them
// (cast.c).
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "app/casts.h"

#define SC_CAST_FILES 256 // at once
#define SC_CAST_HELD  256 // requests at once

struct sc_cast_file {
    char name[64];
    sc_buf *body;
};

// A request, which may be held.
struct sc_cast_want {
    char file[64];
    int64_t segment, part; // of the playlist; -1 = any
    int64_t until_ns;
    void (*done)(void *arg, int ret, sc_buf *body, const sc_err *err);
    void *arg;
};

// One stream's HLS.
struct sc_cast {
    // Immutable.
    char id[65];
    const struct sc_live_ops *ops;
    sc_log *log;
    AVRational rate; // of the pictures at most; 0/x = unknown
    bool sound;      // the source has some
    struct sc_live_output_store store;
    sc_live_tap *sound_tap;
    atomic_bool heard; // sound has come
    // The stream's thread's, which also reads `output`.
    int width, height;       // of the pictures
    int64_t first_ns;        // of the first picture; INT64_MIN = none yet
    int64_t key_ns, last_ns; // of the last keyframe, and of the last picture

    pthread_mutex_t lock;
    // Under lock.
    sc_live_tap *tap;       // NULL once it is given back
    sc_live_output *output; // since the first picture
    struct sc_cast_file files[SC_CAST_FILES];
    int file_count;
    size_t bytes;       // of the files
    int segment, parts; // the playlist holds so many parts of that segment, and all before
    bool over;          // nothing more comes
    struct sc_cast_want held[SC_CAST_HELD];
    int held_count;
    int64_t asked_ns; // of the last request

    // Under the casts' lock.
    struct sc_cast *next;
    int users; // threads that are at it: it is not closed
};

// SC_ENOTFOUND (no such stream), SC_EAGAIN (it does not run).
int sc_cast_open(struct sc_cast **pcast, const char *id, sc_streams *streams, sc_log *log,
                 sc_err *err);
// Answers who still waits. Nobody else has it any more. Blocks until its output has ended, briefly.
void sc_cast_close(struct sc_cast **pcast);
// Answers, or holds.
void sc_cast_get(struct sc_cast *cast, const struct sc_cast_want *want);
// Answers those who have waited too long. Whether anybody has asked since then, or waits.
bool sc_cast_step(struct sc_cast *cast, int64_t since_ns);
bool sc_cast_is_over(struct sc_cast *cast);
