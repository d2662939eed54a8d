// Who taps an encoding of a stream's pictures, what they wish of it, and what it does for them.
//
// Lives as long as the stream or a tap, whichever is longer: a tap can be closed, and wish for something, at any
// time. Wishes take no lock, so that they can be made from take() and under the locks of whoever makes
// them.
//
// Thread-safety: Safe.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/ref.h"
#include "pipeline/live.h"
#include "pipeline/live_facts.h"

typedef struct sc_rung {
    sc_ref ref; // the stream's, its stage's, taps'

    // Atomic: wishes from anywhere, for the stage.
    atomic_bool want_key;
    atomic_bool alone; // of the first tap, which need not wait: no other pays for its keyframe
    atomic_int_least64_t bitrate; // 0 = as the rung was asked for

    pthread_mutex_t lock;
    // Under lock.
    struct sc_live_tap *first; // and their take()
    bool over;                 // no more pictures come
    struct sc_live_rung_figures figures;
    struct sc_rate_meter busy; // microseconds of a core
} sc_rung;

sc_rung *sc_rung_new(void); // never NULL
sc_rung *sc_rung_ref(sc_rung *rung);
void sc_rung_unref(sc_rung **prung); // NULL and &NULL allowed; writes NULL

// As sc_live_tap_open().
void sc_rung_add(sc_rung *rung, sc_live_tap **ptap,
                 void (*take)(void *arg, const struct sc_live_sample *sample), void *arg);
int sc_rung_taps(sc_rung *rung);
// To all taps that have begun; at a keyframe the others begin.
void sc_rung_give(sc_rung *rung, const struct sc_live_sample *sample);
// Counts a picture's cost, given out or not.
void sc_rung_spend(sc_rung *rung, int64_t cpu_ns);
// Nobody has tapped it for a while: what was wished then is void, unless somebody has come meanwhile.
void sc_rung_forget(sc_rung *rung);
// Tells all taps, once, that it is over.
void sc_rung_end(sc_rung *rung);
void sc_rung_get(sc_rung *rung, struct sc_live_rung_figures *figures);
