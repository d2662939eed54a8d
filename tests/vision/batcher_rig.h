// A batcher over a scripted device: a clock that moves only in run(), a gate that holds runs.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "vision/batcher.h"

enum { RIG_ITEMS = 4096, RIG_BATCHES = 4096 };

#define MS SC_NS_PER_MS

struct rig;

struct rig_item {
    struct rig *rig;
    uint64_t ticket;
    int ret, answers, batch; // batch: which run it was in, -1 = none
    int poison;              // run() refuses any batch with it, with this code
    int single;              // run() fails it alone, with this code
    int64_t begun_ns, done_ns;
    sc_err err;
    void *out;
    void (*then)(struct rig_item *item); // in done(), unlocked
};

struct rig {
    sc_batcher *batcher;
    bool real_time;           // sc_clock_now, and runs take no time
    int64_t base_ns, each_ns; // a run takes base + each * count of scripted time
    atomic_llong now_ns;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    // under lock
    bool held; // runs wait
    int running, batches, sizes[RIG_BATCHES], done;
    int next_ret; // the next run returns it, once
    int reopen_ret, reopens;
    struct rig_item items[RIG_ITEMS];
    int count;
};

static inline int64_t rig_now(void *arg)
{
    return atomic_load(&((struct rig *)arg)->now_ns);
}

static inline void rig_advance(struct rig *rig, int64_t ns)
{
    atomic_fetch_add(&rig->now_ns, ns);
}

static inline int rig_judge(struct rig *rig, struct sc_batch_work *work, int count, sc_err *err)
{
    int ret = rig->next_ret;
    rig->next_ret = SC_OK;
    for (int i = 0; i < count && ret == SC_OK; i++)
        ret = ((struct rig_item *)work[i].in)->poison;
    if (ret < 0)
        return sc_fail(err, ret, "the whole run failed");
    for (int i = 0; i < count; i++) {
        struct rig_item *item = work[i].in;
        work[i].ret = item->single;
        if (item->single < 0)
            sc_fail(&work[i].err, item->single, "this one failed");
        else
            work[i].out = item;
    }
    return SC_OK;
}

static inline int rig_run(void *arg, const struct sc_batch_turn *turn,
                          struct sc_batch_work *work, int count, sc_err *err)
{
    (void)turn;
    struct rig *rig = arg;
    pthread_mutex_lock(&rig->lock);
    rig->running = count;
    for (int i = 0; i < count; i++) {
        struct rig_item *item = work[i].in;
        item->batch = rig->batches;
        item->begun_ns = rig_now(rig);
    }
    if (rig->batches < RIG_BATCHES)
        rig->sizes[rig->batches] = count;
    rig->batches++;
    pthread_cond_broadcast(&rig->changed);
    while (rig->held)
        pthread_cond_wait(&rig->changed, &rig->lock);
    rig->running = 0;
    int ret = rig_judge(rig, work, count, err);
    rig_advance(rig, rig->base_ns + rig->each_ns * count);
    pthread_mutex_unlock(&rig->lock);
    return ret;
}

static inline int rig_reopen(void *arg, sc_err *err)
{
    struct rig *rig = arg;
    pthread_mutex_lock(&rig->lock);
    rig->reopens++;
    int ret = rig->reopen_ret;
    pthread_mutex_unlock(&rig->lock);
    return ret < 0 ? sc_fail(err, ret, "no device") : SC_OK;
}

static inline void rig_done(void *arg, int ret, void *out, const sc_err *err)
{
    struct rig_item *item = arg;
    struct rig *rig = item->rig;
    pthread_mutex_lock(&rig->lock);
    item->answers++;
    item->ret = ret;
    item->out = out;
    item->done_ns = rig->real_time ? sc_clock_now() : rig_now(rig);
    if (err)
        item->err = *err;
    rig->done++;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
    if (item->then)
        item->then(item);
}

// Fills what params leave open. real: the real clock instead of the scripted one.
static inline struct rig *rig_open(struct sc_batcher_params params, bool real)
{
    struct rig *rig = sc_new(struct rig);
    rig->real_time = real;
    rig->each_ns = 10 * MS;
    atomic_store(&rig->now_ns, SC_NS_PER_S);
    pthread_mutex_init(&rig->lock, NULL);
    pthread_cond_init(&rig->changed, NULL);
    params.run = rig_run;
    params.arg = rig;
    params.now = real ? NULL : rig_now;
    assert_int_equal(sc_batcher_open(&rig->batcher, &params, NULL), SC_OK);
    return rig;
}

static inline void rig_close(struct rig **prig)
{
    struct rig *rig = *prig;
    sc_batcher_close(&rig->batcher);
    assert_int_equal(rig->done, rig->count);
    for (int i = 0; i < rig->count; i++)
        assert_int_equal(rig->items[i].answers, 1);
    pthread_cond_destroy(&rig->changed);
    pthread_mutex_destroy(&rig->lock);
    free(rig);
    *prig = NULL;
}

static inline struct rig_item *rig_new_item(struct rig *rig)
{
    pthread_mutex_lock(&rig->lock);
    assert_true(rig->count < RIG_ITEMS);
    struct rig_item *item = &rig->items[rig->count++];
    pthread_mutex_unlock(&rig->lock);
    item->rig = rig;
    item->batch = -1;
    return item;
}

// Submits item as request says; `in`, `done` and `arg` are filled in. One refused does not count.
static inline int rig_submit_item(struct rig_item *item, struct sc_batch_request request,
                                  int64_t *retry_ns)
{
    struct rig *rig = item->rig;
    request.in = request.arg = item;
    request.done = rig_done;
    int ret = sc_batcher_submit(rig->batcher, &request, &item->ticket, retry_ns, NULL);
    if (ret < 0) {
        pthread_mutex_lock(&rig->lock);
        assert_int_equal(item->answers, 0);
        item->answers = 1; // by the return value
        rig->done++;
        pthread_mutex_unlock(&rig->lock);
    }
    return ret;
}

static inline struct rig_item *rig_submit(struct rig *rig, struct sc_batch_request request)
{
    struct rig_item *item = rig_new_item(rig);
    assert_int_equal(rig_submit_item(item, request, NULL), SC_OK);
    return item;
}

static inline struct rig_item *rig_add(struct rig *rig, enum sc_batch_priority priority)
{
    return rig_submit(rig, (struct sc_batch_request){.priority = priority});
}

static inline void rig_wait_all(struct rig *rig)
{
    pthread_mutex_lock(&rig->lock);
    while (rig->done < rig->count)
        pthread_cond_wait(&rig->changed, &rig->lock);
    pthread_mutex_unlock(&rig->lock);
}

static inline void rig_wait_item(struct rig_item *item)
{
    pthread_mutex_lock(&item->rig->lock);
    while (!item->answers)
        pthread_cond_wait(&item->rig->changed, &item->rig->lock);
    pthread_mutex_unlock(&item->rig->lock);
}

// Occupies the device: submits an item and waits until it runs, held.
static inline struct rig_item *rig_hold(struct rig *rig)
{
    pthread_mutex_lock(&rig->lock);
    rig->held = true;
    pthread_mutex_unlock(&rig->lock);
    struct rig_item *plug = rig_add(rig, SC_PRIORITY_INTERACTIVE);
    pthread_mutex_lock(&rig->lock);
    while (!rig->running)
        pthread_cond_wait(&rig->changed, &rig->lock);
    pthread_mutex_unlock(&rig->lock);
    return plug;
}

static inline void rig_release(struct rig *rig)
{
    pthread_mutex_lock(&rig->lock);
    rig->held = false;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
}

static inline struct sc_batcher_stats rig_stats(struct rig *rig)
{
    struct sc_batcher_stats stats;
    sc_batcher_get_stats(rig->batcher, &stats);
    return stats;
}

// Full batches, until the limit stands still at `limit` or many were tried.
static inline void rig_load(struct rig *rig, int items)
{
    rig_hold(rig);
    for (int i = 0; i < items; i++)
        rig_add(rig, SC_PRIORITY_INTERACTIVE);
    rig_release(rig);
    rig_wait_all(rig);
}
