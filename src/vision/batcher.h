// A dynamic batcher: runs what is queued when the device is free.
//
// Batches are formed late, from what waits at that moment: no delay is added when idle, and under
// load batches grow by themselves. Three priorities; whoever has waited `ageing_ns` is served as the
// next higher one, and the oldest first among equals. So, whatever else is submitted, a job is begun
// after 2 * ageing_ns, the run then under way, and the runs of what was submitted before it.
// The largest batch adapts: it starts at 1, doubles at most with each full batch while the time
// measured leaves room below target_ns, and shrinks when two runs took longer than that.
// Every item is completed exactly once.
//
// A GPU is one device, run by one thread. A CPU is several: where one run a core, side by side, gets
// more done than one run over all cores, there are as many `runners`, each of which takes its own
// batch when it is free; none waits for another.
//
// All threads sleep when there is nothing to do. One more keeps deadlines, so that a waiting item
// expires at its deadline (to a millisecond on an idle machine) even while a long run or a reopening
// is under way.
//
// Thread-safety: Safe, except that nobody may be inside or come when sc_batcher_close() is called;
// sc_batcher_stop() is what may come in the middle. Nothing is locked while run(), reopen() and
// done() are called. run() is called on as many threads at once as there are runners, reopen() on
// one of them while no run() is under way; done() on any thread of the batcher or in the caller of
// submit (what it dropped), cancel and stop. done() must not block, and
// may submit and cancel, not stop or close.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/metrics.h"

typedef struct sc_batcher sc_batcher;

enum sc_batch_priority {
    SC_PRIORITY_INTERACTIVE,
    SC_PRIORITY_LIVE,
    SC_PRIORITY_JOB,
    SC_PRIORITIES
};

struct sc_batch_work {
    void *in;   // borrowed by run()
    void *out;  // set by run() where ret is SC_OK; the completion's from then on
    int ret;    // set by run() for a single item that failed; starts as SC_OK
    sc_err err; // likewise: why; starts empty
};

struct sc_batch_turn {
    int runner; // which one: 0..runners - 1
    bool alone; // when it began nothing else ran or waited: all cores are free
};

struct sc_batcher_params {
    const char *name; // label of the metrics, [A-Za-z0-9_.-]; copied; NULL = "default"
    // Runs count items. A negative return leaves no `out` behind. Of a batch of several that failed
    // so, each is run again alone, so that one bad picture fails only itself; after SC_ENOMEM
    // batches stay at half that size. SC_EIO means that the device is lost: the batch fails, and
    // reopen() is called before the next run. Where that fails, what waits fails with its error, and
    // so does all that comes for a second, when it is tried again. NULL: all further items fail.
    int (*run)(void *arg, const struct sc_batch_turn *turn, struct sc_batch_work *work,
               int count, sc_err *err);
    int (*reopen)(void *arg, sc_err *err);
    void *arg;
    int runners;         // runs at once, up to 64; 0 = 1
    bool gives_way;      // to the process's other threads: runs need cores (sc_cpu_give_way())
    int max_batch;       // 1 for static models; 0 = 1
    int max_queue;       // items waiting, all priorities; 0 = 256
    int64_t target_ns;   // a run should not take longer; 0 = 100 ms
    int64_t ageing_ns;   // 0 = 500 ms
    sc_metrics *metrics; // NULL = none; outlives the batcher
    // NULL = sc_clock_now; tests script time with it. Called under the lock: calls nothing back.
    int64_t (*now)(void *arg);
};

typedef void sc_batch_done(void *arg, int ret, void *out, const sc_err *err);

struct sc_batch_request {
    void *in; // must live until done()
    enum sc_batch_priority priority;
    bool drop_oldest; // a full queue drops the oldest item of this `stream` instead of refusing
    uint64_t stream;  // 0 = none
    int64_t deadline_ns; // sc_clock_now() time after which it is not begun; 0 = none
    // SC_OK with out; else out is NULL and err says why: SC_ECANCELLED, SC_ETIMEOUT (deadline),
    // SC_EBUSY (dropped for a newer one of its stream), run()'s and reopen()'s errors.
    sc_batch_done *done;
    void *arg;
};

// SC_ENOMEM (for max_batch, or no thread could be started).
int sc_batcher_open(sc_batcher **pbatcher, const struct sc_batcher_params *params, sc_err *err);
// What waits completes with SC_ECANCELLED in this call, runs under way end first; submit fails
// from then on. Every done() has returned afterwards, but those that other threads' cancel and
// submit are in. Blocks for those runs. A second call does nothing; one thread at a time.
void sc_batcher_stop(sc_batcher *batcher);
void sc_batcher_close(sc_batcher **pbatcher); // stops first

// SC_OK: done() will be called, perhaps before this returns. Else it is not called: SC_EBUSY where
// the queue is full (*retry_ns, may be NULL, says after how long a place should be free),
// SC_ECANCELLED after stop. *ticket (may be NULL, never 0) names the item for cancelling; it is set
// before done() can run. Never blocks for a run.
int sc_batcher_submit(sc_batcher *batcher, const struct sc_batch_request *request,
                      uint64_t *ticket, int64_t *retry_ns, sc_err *err);
// Completes a waiting item with SC_ECANCELLED before it returns true. false: its done() was called,
// or is just being called, or will be when the run it is in ends.
bool sc_batcher_cancel(sc_batcher *batcher, uint64_t ticket);

// As opened, with the defaults filled in (but without name); as long as the batcher.
const struct sc_batcher_params *sc_batcher_get_params(const sc_batcher *batcher);

struct sc_batcher_stats {
    uint64_t items;     // went through run(), well or not
    uint64_t batches;   // calls of run()
    uint64_t cancelled; // by cancel or stop
    uint64_t expired, dropped;
    uint64_t refused;  // by submit, for want of room
    uint64_t failed;   // by run() or reopen()
    uint64_t reopened; // times that reopen() did well
    int waiting[SC_PRIORITIES];
    int running;        // in the runs under way
    int limit;          // largest batch now
    int64_t run_ns;     // moving average of a run; 0 = none yet
    uint64_t sizes[65]; // batches by size; 64 and more in the last
};
void sc_batcher_get_stats(sc_batcher *batcher, struct sc_batcher_stats *stats);
