// A stage: what a part of the graph implements, and what it may call.
//
// A stage takes items at its inputs and emits items at its outputs; it knows nothing of what it is
// connected to. Its functions never run at the same time, each is one *step*, and all steps of a
// stage see each other's writes: it needs no lock for what is its own. A step begins only when each
// lossless link behind the stage has room; what it then emits is always accepted, so a step never
// blocks on its neighbours. It should emit little: a link is overfilled by one step at most.
//
// Thread-safety: the functions below are for the stage's own steps, except where they say "any
// thread".
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"

typedef struct sc_stage sc_stage;
typedef struct sc_waker sc_waker;

#define SC_STAGE_PORTS 8 // inputs, and outputs, of a stage at most

// What flows over a link. Types are compared by address: one `static const` a type, declared where
// the item is. The functions may be called on any thread.
struct sc_item_type {
    const char *name;
    void *(*ref)(void *data);           // another reference to the same data, never NULL
    void (*unref)(void *data);          // gives one back
    size_t (*bytes)(const void *data);  // counted against max_bytes; NULL = 0 each
    bool (*is_entry)(const void *data); // decoding can begin here; NULL = everywhere
};

struct sc_item {
    void *data;
    int64_t pts_ns;  // stream time
    int64_t born_ns; // sc_clock_now() when it entered the graph; 0 = when emitted
};

// All functions get the stage's self. They return SC_OK, or:
//   SC_EAGAIN  nothing more can be done until the stage is woken (see each)
//   SC_EEOF    the stage has ended: its outputs end, and what still comes to it is dropped. When
//              all that a stage feeds have ended so, it is ended too.
//   other      it failed: the graph fails with this error, or, where the stage is optional, only
//              the stage ends. err gets what went wrong; the graph adds the stage's name.
struct sc_stage_ops {
    const char *kind; // "decode"
    // Its steps wait for the world (network, files, devices): it gets a thread of its own. All
    // others share the pool, and must not block.
    bool blocking;

    // First step. SC_EAGAIN: called again when woken. May be NULL.
    int (*open)(void *self, sc_stage *stage, sc_err *err);

    // Stages without inputs: makes the next items. SC_OK: called again when there is room.
    // SC_EAGAIN: called again when woken.
    int (*pull)(void *self, sc_err *err);

    // One item of input `in`; where several inputs have one, the lowest pts comes first. SC_OK: the
    // item's reference is the stage's. Otherwise it is untouched: SC_EAGAIN puts it back, and it is
    // offered again, first, when the stage was woken.
    int (*push)(void *self, int in, struct sc_item item, sc_err *err);

    // Input `in`, which is connected, has ended and was drained. May be NULL. Before, and not instead
    // of, flush().
    int (*ended)(void *self, int in, sc_err *err);

    // All inputs have ended: emits what is left. As pull(): called until SC_EEOF. NULL = nothing is
    // left.
    int (*flush)(void *self, sc_err *err);

    // After sc_stage_wake() or at the time of sc_stage_wake_at(), once for any number of them. Needs
    // room as every step does. May be NULL; what SC_EAGAIN held back goes on in any case.
    int (*woken)(void *self, sc_err *err);

    // Makes a step under way, or just about to begin, return soon; only close() comes after it. The
    // one function that another thread calls, beside a step (never beside or after close()). It may
    // set flags and shut sockets; it must not block, and calls nothing of the graph. NULL: steps look at
    // sc_stage_stop_token(), or are short.
    void (*interrupt)(void *self);

    // Frees self, exactly once for every stage that was added, whatever happened before: without
    // open(), too. Comes as soon as the stage has ended, so what others look at must have an owner
    // of its own. Waits for, or detaches itself from, everything it has under way elsewhere. May be
    // NULL.
    void (*close)(void *self);
};

// Takes over item.data, always; gives it to every link of output `out`, where it may be dropped by
// the link's rule. Never blocks. Not in close().
void sc_stage_emit(sc_stage *stage, int out, struct sc_item item);

// Whether anyone still takes what output `out` emits: what nobody wants need not be made.
bool sc_stage_wanted(sc_stage *stage, int out);

// Gives the stage nothing more of input `in` until released: it has enough under way, or waits for
// another input. In the second case (some input held, another neither held nor ended, and empty) the
// links that are in the way of what is missing are allowed to grow to 16 times their bounds, so
// that sound and picture that lie far apart in a file cannot stop each other; beyond, the stage
// fails with SC_ELIMIT.
void sc_stage_hold(sc_stage *stage, int in, bool hold);

// Counts items that the stage itself dropped, for the graph's figures.
enum sc_drop {
    SC_DROP_OLDEST,   // full: the oldest gave way
    SC_DROP_NEWEST,   // full: was refused
    SC_DROP_GROUP,    // full: dropped up to the next entry
    SC_DROP_LATE,     // by a stage's own rule
    SC_DROP_UNWANTED, // whoever took them has ended, or nobody is connected
    SC_DROP_FAILED,   // whoever took them has failed; by a stage: could not be made
    SC_DROP_STOPPED,  // the graph was stopped
    SC_DROPS
};
void sc_stage_count_drop(sc_stage *stage, enum sc_drop reason, uint64_t count);

// Any thread, as long as the graph lives (whoever may outlive it uses a waker): woken() is called
// on the stage's turn.
void sc_stage_wake(sc_stage *stage);
// Any thread, likewise: as sc_stage_wake() at when_ns (sc_clock_now()) or soon after. A stage has one
// timer: the earliest time asked for counts and is used up when it comes, so a stage that waits for
// several asks again when woken.
void sc_stage_wake_at(sc_stage *stage, int64_t when_ns);

// Any thread: is requested when the graph stops before its end, for whatever reason. For
// interrupting I/O. It lives as long as the stage.
sc_cancel *sc_stage_stop_token(sc_stage *stage);

// A reference to the stage that outlives it, for completions that come whenever they come. The
// caller owns one reference. Never NULL. Any thread; NULL allowed in all three.
sc_waker *sc_stage_waker(sc_stage *stage);
sc_waker *sc_waker_ref(sc_waker *waker);
void sc_waker_unref(sc_waker **pwaker);
void sc_waker_wake(sc_waker *waker); // as sc_stage_wake(); nothing once the graph is closed
