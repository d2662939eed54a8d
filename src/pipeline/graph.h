// The stage graph: runs stages, carries items between them, ends, and tells how it goes.
//
//   sc_graph_open(&graph, &params, &err)
//   sc_graph_add(graph, &stage_params, &stage, &err)  ...
//   sc_graph_link(graph, &link_params, &err)          ...
//   sc_graph_start(graph, &err); sc_graph_wait(graph, -1, &err); sc_graph_close(&graph)
//
// Each link is a queue bounded in items and bytes, with a rule for when it is full. A stage runs when
// it has something to do and each SC_LINK_WAIT link behind it has room. Blocking stages have a
// thread each; the others are tasks on a pool that any number of graphs may share: after a few
// milliseconds a stage makes place for the next. Timers of all graphs of a pool are kept by one thread
// more, which is there as long as one of them is (base/alarm.h); a graph costs no thread by itself.
//
// A graph ends with SC_OK when all its sources ended and everything was flushed through; with the
// first error of a stage that is not optional (err says "name: why"); or with SC_ECANCELLED. In the
// last two cases steps under way are interrupted and what waits is dropped.
//
// It is not for stages that come and go while it runs: what serves a changing number of viewers is
// one stage.
//
// Thread-safety: add, link and start are one thread's; the rest is safe, except that nobody may be
// inside or come when sc_graph_close() is called.
#pragma once

#include "base/log.h"
#include "base/pool.h"
#include "pipeline/stage.h"

typedef struct sc_graph sc_graph;

struct sc_graph_params {
    const char *name;       // for logs and the trace; copied; NULL = "graph"
    sc_pool *pool;          // outlives the graph; NULL = one of its own
    int threads;            // of its own pool; 0 = as many as cores
    sc_cancel *cancel;      // cancels the graph; outlives it; NULL = none
    sc_log *log;            // failures are logged once, here; NULL = not
    const char *trace_path; // Chrome/Perfetto JSON of all steps; NULL = none
    size_t trace_max_bytes; // no events are added after so many; 0 = 256 MiB
    // Called once, when a started graph has ended and all stages are closed, on the thread that closed
    // the last one; err is empty when ret is SC_OK. It may signal, and calls nothing of this graph.
    void (*on_end)(void *arg, int ret, const sc_err *err);
    void *arg;
};

// SC_ENOMEM, SC_EIO (trace file). *pgraph is set on success only.
int sc_graph_open(sc_graph **pgraph, const struct sc_graph_params *params, sc_err *err);

struct sc_stage_params {
    const char *name; // for errors, figures and the trace, unique; copied; NULL = ops->kind
    const struct sc_stage_ops *ops; // outlives the graph
    void *self;                     // passed to ops
    // What goes in and comes out, by number; the first NULL ends the list. An input that is not
    // connected counts as ended, what goes to an output that is not connected is dropped.
    const struct sc_item_type *in[SC_STAGE_PORTS], *out[SC_STAGE_PORTS];
    bool optional; // its failure ends only itself
};

// SC_OK: self is the graph's, which calls ops->close() on it. The stage lives as long as the graph.
// SC_EARG (functions or ports missing), SC_EEXISTS (the name), SC_EBUSY (started): self is still
// the caller's.
int sc_graph_add(sc_graph *graph, const struct sc_stage_params *params, sc_stage **pstage,
                 sc_err *err);

enum sc_link_policy {
    SC_LINK_WAIT,        // lossless: the stage before waits
    SC_LINK_DROP_OLDEST, // the newest matter: pictures to look at, to detect on
    SC_LINK_DROP_NEWEST, // the first matter
    SC_LINK_DROP_GROUP,  // empties itself and begins again at an entry; also begins at one
};

struct sc_link_params {
    sc_stage *from, *to;
    int out, in; // of from, of to
    enum sc_link_policy policy;
    size_t max_items; // 0 = 8
    size_t max_bytes; // 0 = no bound; one item is let in whatever its size
};

// An output may feed several links (each gets a reference), an input has one. SC_EARG (no such port,
// unequal types, a loop), SC_EEXISTS (the input is connected), SC_EBUSY (started).
int sc_graph_link(sc_graph *graph, const struct sc_link_params *params, sc_err *err);

// SC_EARG: there is no stage, or one has inputs and none is connected; nothing was run.
// SC_ENOMEM: a thread could not be started; the graph ends with that error. SC_EBUSY: was started.
int sc_graph_start(sc_graph *graph, sc_err *err);

// Any thread, any time; returns at once. The graph ends with SC_ECANCELLED, unless it ends already.
// A graph that is cancelled before it starts ends when it starts.
void sc_graph_cancel(sc_graph *graph);

// Waits for the end, at most timeout_ms (< 0 = for ever), including on_end. Returns how the graph
// ended, and its err; SC_EAGAIN when it runs still (no graph ends with that). Started graphs only.
int sc_graph_wait(sc_graph *graph, int timeout_ms, sc_err *err);

// Cancels, waits for the end, frees. Not from a step or on_end. NULL and &NULL allowed.
void sc_graph_close(sc_graph **pgraph);

// --- figures ----------------------------------------------------------------------------------

// What a stage that does not run waits for.
enum sc_wait {
    SC_WAIT_INPUT, // an item, an event
    SC_WAIT_ROOM,  // a full link behind it
    SC_WAIT_SELF,  // it has items, but holds them back or waits to be woken
    SC_WAIT_TURN,  // a thread of the pool
    SC_WAITS
};

enum sc_stage_state {
    SC_STAGE_WAITING,
    SC_STAGE_READY, // waits for a thread
    SC_STAGE_RUNNING,
    SC_STAGE_ENDED,
    SC_STAGE_FAILED
};

struct sc_stage_stats {
    char name[32], kind[32];
    enum sc_stage_state state;
    int ret;         // why it failed; SC_OK otherwise
    char error[200]; // likewise, ""
    uint64_t steps;
    int64_t busy_ns;           // in steps
    int64_t wait_ns[SC_WAITS]; // between them
    // sc_clock_now() - born_ns of the items taken, over about the last 4000: to 10 %.
    uint64_t taken; // items, all inputs
    int64_t latency_p50_ns, latency_p95_ns;
    int64_t pts_ns;             // of the last item taken, or emitted by a source
    uint64_t emitted;           // items, all outputs
    uint64_t dropped[SC_DROPS]; // by itself, and at outputs that are not connected
};

struct sc_link_stats {
    int from, to; // places in stages[]
    int out, in;
    const char *type;           // the item type's name
    uint64_t offered;           // by the stage before
    uint64_t taken;             // by the stage behind
    uint64_t dropped[SC_DROPS]; // the rest waits
    size_t items, bytes;        // waiting now
    size_t max_items, max_bytes;
    size_t most_items; // that ever waited
};

struct sc_graph_stats {
    int stage_count, link_count;
    struct sc_stage_stats *stages; // in the order added
    struct sc_link_stats *links;   // likewise
    int64_t run_ns;                // since the start, until the end
};

// All figures of one moment, valid until sc_graph_stats_release() even where the graph is closed
// before. Cheap enough for once a second.
void sc_graph_get_stats(sc_graph *graph, struct sc_graph_stats *stats);
void sc_graph_stats_release(struct sc_graph_stats *stats);

const char *sc_drop_name(enum sc_drop reason); // "oldest", as in metrics
const char *sc_wait_name(enum sc_wait wait);   // "input"
