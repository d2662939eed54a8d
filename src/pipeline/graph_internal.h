// Inside the graph: its objects, and what its files call of each other.
//
// One lock a graph guards all that changes. It is held for the bookkeeping between steps only: no
// function of a stage or of an item type runs under it, but interrupt(), which may not block.
#pragma once

#include <pthread.h>

#include "base/ref.h"
#include "pipeline/graph.h"

#define SC_LINK_RELIEF 16 // times its bounds that a link may grow in the way of what is missing

struct sc_slot {
    struct sc_item item;
    size_t bytes;
};

typedef struct sc_link {
    // Immutable:
    sc_stage *from, *to;
    int out, in;
    const struct sc_item_type *type;
    enum sc_link_policy policy;
    size_t max_items, max_bytes;
    struct sc_link *next_of_out; // the other links of the same output

    // Under the graph's lock:
    struct sc_slot *slots; // a ring of capacity
    size_t capacity, head, count, bytes;
    bool ended;                // nothing more comes
    bool closed;               // nothing more is taken
    enum sc_drop close_reason; // what counts as the reason from then on
    bool skipping;             // SC_LINK_DROP_GROUP: up to the next entry
    uint64_t offered, taken, dropped[SC_DROPS];
    size_t most;
} sc_link;

// Items to give back once the lock is free.
struct sc_bag {
    void **data;
    size_t count, capacity;
};

#define SC_LATENCY_BUCKETS 256 // eight a power of two, from 1024 ns

struct sc_latency {
    uint32_t buckets[SC_LATENCY_BUCKETS];
    uint32_t total; // halved with the buckets, so that old ones fade
};

enum sc_turn { SC_TURN_IDLE, SC_TURN_QUEUED, SC_TURN_RUNNING, SC_TURN_CLOSED };

struct sc_stage {
    // Immutable once started:
    sc_graph *graph;
    int index;
    char name[32];
    const struct sc_stage_ops *ops;
    void *self;
    const struct sc_item_type *in_types[SC_STAGE_PORTS], *out_types[SC_STAGE_PORTS];
    int in_count, out_count;
    sc_link *in[SC_STAGE_PORTS], *out[SC_STAGE_PORTS]; // NULL = not connected
    bool optional;
    bool threaded; // has its own thread, to be joined
    pthread_t thread;
    pthread_cond_t turn_came;
    struct sc_pool_task task; // the pool's while queued
    sc_waker *waker;

    // Under the graph's lock:
    enum sc_turn turn;
    bool in_step; // one of its functions runs
    bool opened;
    bool waiting;  // open, pull or flush said SC_EAGAIN
    bool woken;    // and not told yet
    bool finished; // only close is left
    bool over_limit;
    bool held[SC_STAGE_PORTS];     // by sc_stage_hold
    bool put_back[SC_STAGE_PORTS]; // push said SC_EAGAIN
    bool told_end[SC_STAGE_PORTS];
    int64_t wake_at_ns; // 0 = no timer
    int ret;            // why it failed
    char error[200];
    enum sc_wait wait; // what for, while it does not run
    int64_t since_ns;  // since when
    uint64_t steps, taken, emitted, dropped[SC_DROPS];
    int64_t busy_ns, wait_ns[SC_WAITS], pts_ns;
    struct sc_latency latency;
};

typedef struct sc_trace sc_trace;

struct sc_graph {
    // Immutable once started:
    char name[32];
    sc_pool *pool, *own_pool; // own_pool NULL = shared
    sc_cancel *stop;          // also the stages' stop token
    sc_log *log;
    sc_trace *trace; // NULL = none
    void (*on_end)(void *arg, int ret, const sc_err *err);
    void *arg;
    sc_stage **stages;
    sc_link **links;
    int stage_count, link_count;
    sc_alarm alarm; // for the stages' timers and for stop, once started
    int64_t started_ns;

    pthread_mutex_t lock;
    pthread_cond_t end_came; // on the monotonic clock

    // Under lock:
    bool started, stopping, over; // over: on_end has returned
    int open_stages;              // not closed yet
    int holds;                    // inputs held
    int64_t ended_ns;
    int ret;
    sc_err err;
};

// graph_link.c; the lock is held ------------------------------------------------------------
// Takes over slot's reference; what is dropped goes into bag.
void sc_link_offer(sc_link *link, struct sc_slot slot, bool entry, struct sc_bag *bag);
struct sc_slot sc_link_take(sc_link *link); // not from an empty one
void sc_link_put_back(sc_link *link, struct sc_slot slot);
void sc_link_close(sc_link *link, enum sc_drop reason);
void sc_link_drain(sc_link *link, struct sc_bag *bag);
bool sc_link_full(const sc_link *link, size_t times); // the given number of times
void sc_link_free(sc_link *link);                     // empty or never started; no lock needed
// Without the lock.
void sc_bag_empty(struct sc_bag *bag, const struct sc_item_type *type);

// graph_turn.c; the lock is held -------------------------------------------------------------
// Gives the stage a turn if it has something to do. Call after every change that may matter to it.
void sc_stage_consider(sc_stage *stage);
void sc_graph_consider_all(sc_graph *graph);
// A turn: steps until there is none or until_ns. False: nothing more to do now.
bool sc_stage_take_turn(sc_stage *stage, int64_t until_ns);

// graph_pick.c; the lock is held -------------------------------------------------------------
enum sc_step {
    SC_STEP_NONE,
    SC_STEP_OPEN,
    SC_STEP_WOKEN,
    SC_STEP_PUSH,
    SC_STEP_ENDED,
    SC_STEP_FLUSH,
    SC_STEP_PULL,
    SC_STEP_LIMIT, // fails for what was held back too long
    SC_STEP_CLOSE,
};
// What the stage does next. *in is set for PUSH and ENDED, *wait for NONE.
enum sc_step sc_stage_pick(const sc_stage *stage, int *in, enum sc_wait *wait);
// For one that waits for room: the stage whose held input fills a link as far as relief goes, while it
// waits for what only this one can bring; NULL = none.
sc_stage *sc_stage_exhausted_by(const sc_stage *stage);

// graph_end.c; the lock is held --------------------------------------------------------------
// Only close is left for the stage; reason counts what still comes to it.
void sc_stage_finish(sc_stage *stage, enum sc_drop reason);
void sc_stage_fail(sc_stage *stage, int ret, const sc_err *err);
void sc_graph_stop(sc_graph *graph, int ret, const char *stage, const sc_err *err);
void sc_stage_close(sc_stage *stage); // the last step: frees self; the lock is free meanwhile

// graph_wake.c -------------------------------------------------------------------------------
// The alarm's life, around that of a graph which runs. watch: SC_ENOMEM.
int sc_graph_watch(sc_graph *graph, sc_err *err);
void sc_graph_unwatch(sc_graph *graph);
// Stops what was cancelled, wakes whose time has come; the lock is held.
void sc_graph_look(sc_graph *graph);
sc_waker *sc_waker_new(sc_stage *stage); // never NULL
void sc_waker_detach(sc_waker *waker);   // wakes nothing from now on

// graph_stats.c ------------------------------------------------------------------------------
void sc_stage_account(sc_stage *stage, enum sc_wait next, int64_t now_ns); // the lock is held
void sc_latency_add(struct sc_latency *latency, int64_t ns);
int64_t sc_latency_quantile(const struct sc_latency *latency, double q); // 0 = no data

// graph_trace.c; any thread, NULL allowed ----------------------------------------------------
int sc_trace_open(sc_trace **ptrace, const char *path, size_t max_bytes, const char *name,
                  sc_err *err);
void sc_trace_stage(sc_trace *trace, int index, const char *name);
void sc_trace_step(sc_trace *trace, int index, const char *step, int64_t from_ns,
                   int64_t to_ns);
// Makes the file complete. SC_EIO: not all of it could be written.
int sc_trace_close(sc_trace **ptrace);
