// A dynamic batcher: one thread that runs what is queued when the device is free.
//
// Batches are formed late, from what waits at that moment: no delay is added when idle, and under
// load batches grow by themselves. Three priorities; whoever has waited `ageing_ns` is served as the
// next higher one. The largest batch adapts: it shrinks while a run takes longer than target_ns and
// grows again while there is room. Every item is completed exactly once.
//
// Thread-safety: Safe. Completions run on the batcher's thread (or in submit/cancel's caller) and
// must not block; they may submit.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/metrics.h"

typedef struct sc_batcher sc_batcher;

enum sc_batch_priority { SC_PRIORITY_INTERACTIVE, SC_PRIORITY_LIVE, SC_PRIORITY_JOB, SC_PRIORITIES };

struct sc_batch_work {
    void *in;  // borrowed by run()
    void *out; // set by run() where ret is SC_OK; the completion's from then on
    int ret;   // set by run() for a single item that failed; starts as SC_OK
};

struct sc_batcher_params {
    const char *name; // label of the metrics
    // Runs count items on the batcher's thread. A negative return fails all of them; SC_EIO means the
    // device is lost: reopen() is called before the next run (NULL: all further items fail).
    int (*run)(void *arg, struct sc_batch_work *work, int count, sc_err *err);
    int (*reopen)(void *arg, sc_err *err);
    void *arg;
    int max_batch;       // 1 for static models
    int max_queue;       // items waiting, all priorities; 0 = 256
    int64_t target_ns;   // a run should not take longer; 0 = 100 ms
    int64_t ageing_ns;   // 0 = 500 ms
    sc_metrics *metrics; // NULL = none
    // NULL = the real clock; tests script time with it.
    int64_t (*now)(void *arg);
};

typedef void sc_batch_done(void *arg, int ret, void *out, const sc_err *err);

struct sc_batch_request {
    void *in; // must live until done()
    enum sc_batch_priority priority;
    bool drop_oldest; // a full queue drops the oldest item of this `stream` instead of refusing
    uint64_t stream;  // 0 = none
    int64_t deadline_ns; // sc_clock_now() time after which it is not begun; 0 = none
    sc_batch_done *done; // SC_OK; SC_ECANCELLED, SC_ETIMEOUT (deadline), run()'s errors
    void *arg;
};

int sc_batcher_open(sc_batcher **pbatcher, const struct sc_batcher_params *params, sc_err *err);
// What waits completes with SC_ECANCELLED; a run under way ends first.
void sc_batcher_close(sc_batcher **pbatcher);

// SC_EBUSY where the queue is full (done is not called; *retry_ns says when to try again). *ticket
// (may be NULL) names the item for cancelling.
int sc_batcher_submit(sc_batcher *batcher, const struct sc_batch_request *request,
                      uint64_t *ticket, int64_t *retry_ns, sc_err *err);
// Completes a waiting item with SC_ECANCELLED before it returns; one that runs or is done is left.
bool sc_batcher_cancel(sc_batcher *batcher, uint64_t ticket);

struct sc_batcher_stats {
    uint64_t items, batches, cancelled, expired, refused, dropped, failed, reopened;
    int waiting[SC_PRIORITIES];
    int limit;          // largest batch now
    int64_t run_ns;     // moving average of a run
    uint64_t sizes[65]; // batches by size; 64 and more in the last
};
void sc_batcher_get_stats(sc_batcher *batcher, struct sc_batcher_stats *stats);
