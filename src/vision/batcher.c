#include "vision/batcher.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "vision/batcher_internal.h"

#define REOPEN_PAUSE_NS SC_NS_PER_S // between attempts at a device that does not come back
#define MOST_RUNNERS    64

// A running thread and what is its own.
struct sc_batch_runner {
    sc_batcher *batcher;
    pthread_t thread;
    bool started;
    struct sc_batch_turn turn;
    struct sc_batch_item **batch; // max_batch of them, of the run under way
    struct sc_batch_work *work;   // likewise
};

struct sc_batcher {
    // immutable after open
    struct sc_batcher_params params; // defaults filled in; name is not kept
    struct sc_batch_meters meters;
    struct sc_batch_runner *runners;
    pthread_t keeper;
    bool keeper_started;

    pthread_mutex_t lock;
    pthread_cond_t wake_runner; // something waits, or stopping
    pthread_cond_t wake_keeper; // an earlier deadline, or stopping; on the monotonic clock

    // under lock
    struct sc_batch_queue queue;
    struct sc_batch_limit limit;
    struct sc_batcher_stats stats;
    int64_t next_deadline_ns; // no waiting item has an earlier one; INT64_MAX = none
    int64_t run_started_ns;   // the last one
    int busy;                 // runners in run() or reopen()
    bool stopping;
    bool lost; // while it is set, one runner at most is busy with anything new

    // of the runner that recovers, one at a time
    int64_t reopen_at_ns; // not before; 0 = at once
    int lost_ret;         // why reopening failed last
    sc_err lost_err;
};

static int64_t now_of(const sc_batcher *batcher)
{
    return batcher->params.now ? batcher->params.now(batcher->params.arg) : sc_clock_now();
}

// --- completing ---------------------------------------------------------------------------

// Counts an item's end. The lock is held; done() follows after it.
static void count_result(sc_batcher *batcher, enum sc_batch_priority priority,
                         enum sc_batch_result result)
{
    struct sc_batcher_stats *stats = &batcher->stats;
    uint64_t *const totals[SC_BATCH_RESULTS] = {
        [SC_BATCH_RESULT_FAILED] = &stats->failed,
        [SC_BATCH_RESULT_CANCELLED] = &stats->cancelled,
        [SC_BATCH_RESULT_EXPIRED] = &stats->expired,
        [SC_BATCH_RESULT_DROPPED] = &stats->dropped,
        [SC_BATCH_RESULT_REFUSED] = &stats->refused,
    };
    if (totals[result])
        ++*totals[result];
    sc_counter_add(batcher->meters.items[priority][result], 1);
}

static void show_depth(sc_batcher *batcher, enum sc_batch_priority priority)
{
    sc_gauge_set(batcher->meters.depth[priority], batcher->queue.lists[priority].count);
}

// Takes a waiting item out to end as result; the lock is held.
static void take_out(sc_batcher *batcher, struct sc_batch_item *item,
                     enum sc_batch_result result)
{
    sc_batch_queue_remove(&batcher->queue, item);
    count_result(batcher, item->request.priority, result);
    show_depth(batcher, item->request.priority);
}

// Takes out all that waits; the lock is held.
static struct sc_batch_list take_all(sc_batcher *batcher, enum sc_batch_result result)
{
    struct sc_batch_list all = {0};
    for (int i = 0; i < SC_PRIORITIES; i++) {
        struct sc_batch_item *item;
        while ((item = batcher->queue.lists[i].head)) {
            take_out(batcher, item, result);
            sc_batch_list_append(&all, item);
        }
    }
    return all;
}

static struct sc_batch_list take_expired(sc_batcher *batcher, int64_t now_ns)
{
    struct sc_batch_list expired = {0};
    if (now_ns < batcher->next_deadline_ns)
        return expired;
    batcher->next_deadline_ns = sc_batch_queue_expire(&batcher->queue, now_ns, &expired);
    for (struct sc_batch_item *item = expired.head; item; item = item->next) {
        count_result(batcher, item->request.priority, SC_BATCH_RESULT_EXPIRED);
        show_depth(batcher, item->request.priority);
    }
    return expired;
}

// Hands an item's result over and frees it. The lock is not held.
static void complete(struct sc_batch_item *item, int ret, void *out, const sc_err *err)
{
    if (ret < 0)
        item->request.done(item->request.arg, ret, NULL, err);
    else
        item->request.done(item->request.arg, SC_OK, out, NULL);
    free(item);
}

static void complete_list(struct sc_batch_list *list, int ret, const sc_err *err)
{
    struct sc_batch_item *next;
    for (struct sc_batch_item *item = list->head; item; item = next) {
        next = item->next;
        complete(item, ret, NULL, err);
    }
}

static void complete_expired(struct sc_batch_list *expired)
{
    sc_err err = {0};
    sc_fail(&err, SC_ETIMEOUT, "the deadline passed before the model had time for it");
    complete_list(expired, SC_ETIMEOUT, &err);
}

// --- running ------------------------------------------------------------------------------

static void note_run(sc_batcher *batcher, int count, int64_t took_ns)
{
    struct sc_batcher_stats *stats = &batcher->stats;
    size_t last = SC_COUNT(stats->sizes) - 1;
    stats->batches++;
    stats->sizes[(size_t)count < last ? (size_t)count : last]++;
    stats->run_ns = stats->run_ns ? stats->run_ns + (took_ns - stats->run_ns) / 8 : took_ns;
    sc_histogram_observe(batcher->meters.size, count);
    sc_histogram_observe(batcher->meters.run, (double)took_ns / SC_NS_PER_S);
}

static void learn(sc_batcher *batcher, int ret, int count, int64_t took_ns)
{
    if (ret >= 0)
        sc_batch_limit_learn(&batcher->limit, count, took_ns);
    else if (ret == SC_ENOMEM)
        sc_batch_limit_out_of_memory(&batcher->limit, count);
    sc_gauge_set(batcher->meters.limit, batcher->limit.now);
}

// One call of run(). Where it fails, so has every item of it.
static int run_some(struct sc_batch_runner *runner, struct sc_batch_work *work, int count)
{
    sc_batcher *batcher = runner->batcher;
    sc_err err = {0};
    int64_t start_ns = now_of(batcher);
    int ret = batcher->params.run(batcher->params.arg, &runner->turn, work, count, &err);
    int64_t took_ns = now_of(batcher) - start_ns;
    pthread_mutex_lock(&batcher->lock);
    note_run(batcher, count, took_ns);
    learn(batcher, ret, count, took_ns);
    if (ret == SC_EIO) {
        batcher->lost = true;
        batcher->reopen_at_ns = 0;
    }
    pthread_mutex_unlock(&batcher->lock);
    for (int i = 0; ret < 0 && i < count; i++) {
        work[i].ret = ret;
        work[i].err = err;
    }
    return ret;
}

static void fill_work(struct sc_batch_runner *runner, int count)
{
    for (int i = 0; i < count; i++) {
        struct sc_batch_work *work = &runner->work[i];
        work->in = runner->batch[i]->request.in;
        work->out = NULL;
        work->ret = SC_OK;
        work->err.code = SC_OK;
        work->err.field[0] = work->err.text[0] = '\0';
    }
}

// Runs the batch, and where it fails as a whole, each item alone.
static void run_batch(struct sc_batch_runner *runner, int count)
{
    fill_work(runner, count);
    int ret = run_some(runner, runner->work, count);
    if (ret >= 0 || ret == SC_EIO || count == 1)
        return;
    fill_work(runner, count);
    for (int i = 0; i < count; i++) {
        ret = run_some(runner, &runner->work[i], 1);
        if (ret != SC_EIO)
            continue;
        for (int rest = i + 1; rest < count; rest++) {
            runner->work[rest].ret = ret;
            runner->work[rest].err = runner->work[i].err;
        }
        return;
    }
}

// Forms the batch from what waits now; the lock is held. 0 where nothing is left.
static int take_batch(struct sc_batch_runner *runner, int64_t now_ns)
{
    sc_batcher *batcher = runner->batcher;
    int count = 0;
    struct sc_batch_item *item;
    while (count < batcher->limit.now &&
           (item = sc_batch_queue_next(&batcher->queue, now_ns))) {
        enum sc_batch_priority priority = item->request.priority;
        sc_batch_queue_remove(&batcher->queue, item);
        show_depth(batcher, priority);
        sc_histogram_observe(batcher->meters.wait[priority],
                             (double)(now_ns - item->queued_ns) / SC_NS_PER_S);
        runner->batch[count++] = item;
    }
    runner->turn.alone = !batcher->busy && !batcher->queue.count;
    batcher->stats.running += count;
    batcher->run_started_ns = now_ns;
    return count;
}

static void finish_batch(struct sc_batch_runner *runner, int count)
{
    sc_batcher *batcher = runner->batcher;
    pthread_mutex_lock(&batcher->lock);
    batcher->stats.running -= count;
    batcher->stats.items += (uint64_t)count;
    for (int i = 0; i < count; i++)
        count_result(batcher, runner->batch[i]->request.priority,
                     runner->work[i].ret < 0 ? SC_BATCH_RESULT_FAILED : SC_BATCH_RESULT_OK);
    pthread_mutex_unlock(&batcher->lock);
    for (int i = 0; i < count; i++) {
        struct sc_batch_work *work = &runner->work[i];
        if (work->ret < 0) // keeps what run() said
            sc_fail(&work->err, work->ret, "%s", sc_strerror(work->ret));
        complete(runner->batch[i], work->ret, work->out, &work->err);
    }
}

// One batch, late-bound. Enters and leaves with the lock held, and gives it up meanwhile.
static void serve(struct sc_batch_runner *runner)
{
    sc_batcher *batcher = runner->batcher;
    int64_t now_ns = now_of(batcher);
    struct sc_batch_list expired = take_expired(batcher, now_ns);
    int count = take_batch(runner, now_ns);
    batcher->busy++;
    pthread_mutex_unlock(&batcher->lock);
    complete_expired(&expired);
    if (count) {
        run_batch(runner, count);
        finish_batch(runner, count);
    }
    pthread_mutex_lock(&batcher->lock);
    batcher->busy--;
}

// Gets the lost device back. Items wait in the queue meanwhile, so they expire and can be cancelled.
static bool reopen(sc_batcher *batcher)
{
    int64_t now_ns = now_of(batcher);
    if (batcher->reopen_at_ns && now_ns < batcher->reopen_at_ns)
        return false;
    batcher->lost_err = (sc_err){0};
    if (batcher->params.reopen)
        batcher->lost_ret = batcher->params.reopen(batcher->params.arg, &batcher->lost_err);
    else
        batcher->lost_ret = sc_fail(&batcher->lost_err, SC_EIO, "the device was lost");
    batcher->reopen_at_ns = now_of(batcher) + REOPEN_PAUSE_NS;
    return batcher->lost_ret >= 0;
}

// As serve(), for a device that was lost.
static void recover(sc_batcher *batcher)
{
    batcher->busy++;
    pthread_mutex_unlock(&batcher->lock);
    bool good = reopen(batcher);
    pthread_mutex_lock(&batcher->lock);
    batcher->busy--;
    batcher->lost = !good;
    if (good) {
        batcher->stats.reopened++;
        sc_counter_add(batcher->meters.reopened, 1);
        pthread_cond_broadcast(&batcher->wake_runner); // those that slept over it
        return;
    }
    struct sc_batch_list failed = take_all(batcher, SC_BATCH_RESULT_FAILED);
    pthread_mutex_unlock(&batcher->lock);
    complete_list(&failed, batcher->lost_ret, &batcher->lost_err);
    pthread_mutex_lock(&batcher->lock);
}

static void *run_thread(void *arg)
{
    struct sc_batch_runner *runner = arg;
    sc_batcher *batcher = runner->batcher;
    if (batcher->params.gives_way)
        sc_cpu_give_way();
    pthread_mutex_lock(&batcher->lock);
    while (!batcher->stopping) {
        if (!batcher->queue.count || (batcher->lost && batcher->busy))
            pthread_cond_wait(&batcher->wake_runner, &batcher->lock);
        else if (batcher->lost)
            recover(batcher);
        else
            serve(runner);
    }
    pthread_mutex_unlock(&batcher->lock);
    return NULL;
}

// --- deadlines ----------------------------------------------------------------------------

static void wait_for_deadline(sc_batcher *batcher, int64_t now_ns)
{
    if (batcher->next_deadline_ns == INT64_MAX) {
        pthread_cond_wait(&batcher->wake_keeper, &batcher->lock);
        return;
    }
    // Looks again each hour at the latest, which keeps the sum from overflowing; and waits for a
    // moment at least, because a scripted clock may stand still.
    int64_t left_ns = batcher->next_deadline_ns - now_ns;
    left_ns = left_ns > 3600 * SC_NS_PER_S ? 3600 * SC_NS_PER_S : left_ns;
    int64_t end_ns = sc_clock_now() + (left_ns < 100000 ? 100000 : left_ns);
    struct timespec end = {.tv_sec = end_ns / SC_NS_PER_S, .tv_nsec = end_ns % SC_NS_PER_S};
    pthread_cond_timedwait(&batcher->wake_keeper, &batcher->lock, &end);
}

static void *keeper_thread(void *arg)
{
    sc_batcher *batcher = arg;
    pthread_mutex_lock(&batcher->lock);
    while (!batcher->stopping) {
        int64_t now_ns = now_of(batcher);
        struct sc_batch_list expired = take_expired(batcher, now_ns);
        if (!expired.count) {
            wait_for_deadline(batcher, now_ns);
            continue;
        }
        pthread_mutex_unlock(&batcher->lock);
        complete_expired(&expired);
        pthread_mutex_lock(&batcher->lock);
    }
    pthread_mutex_unlock(&batcher->lock);
    return NULL;
}

// --- open and close -----------------------------------------------------------------------

static void fill_params(struct sc_batcher_params *params)
{
    params->runners = params->runners > 0 ? params->runners : 1;
    params->runners = params->runners < MOST_RUNNERS ? params->runners : MOST_RUNNERS;
    params->max_batch = params->max_batch > 0 ? params->max_batch : 1;
    params->max_queue = params->max_queue > 0 ? params->max_queue : 256;
    params->target_ns = params->target_ns > 0 ? params->target_ns : 100 * SC_NS_PER_MS;
    params->ageing_ns = params->ageing_ns > 0 ? params->ageing_ns : 500 * SC_NS_PER_MS;
    params->name = NULL; // the caller's
}

static void init_lock(sc_batcher *batcher)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&batcher->lock, NULL);
    pthread_cond_init(&batcher->wake_runner, &attr);
    pthread_cond_init(&batcher->wake_keeper, &attr);
    pthread_condattr_destroy(&attr);
}

static int open_runner(sc_batcher *batcher, int number)
{
    struct sc_batch_runner *runner = &batcher->runners[number];
    size_t most = (size_t)batcher->params.max_batch;
    runner->batcher = batcher;
    runner->turn.runner = number;
    runner->batch = sc_try_calloc(most, sizeof(*runner->batch));
    runner->work = sc_try_calloc(most, sizeof(*runner->work));
    if (!runner->batch || !runner->work ||
        pthread_create(&runner->thread, NULL, run_thread, runner))
        return SC_ENOMEM;
    runner->started = true;
    pthread_setname_np(runner->thread, "batch-run");
    return SC_OK;
}

static int open_threads(sc_batcher *batcher)
{
    int ret = SC_OK;
    batcher->runners = sc_xcalloc((size_t)batcher->params.runners, sizeof(*batcher->runners));
    for (int i = 0; ret >= 0 && i < batcher->params.runners; i++)
        ret = open_runner(batcher, i);
    if (ret < 0 || pthread_create(&batcher->keeper, NULL, keeper_thread, batcher))
        return SC_ENOMEM;
    batcher->keeper_started = true;
    pthread_setname_np(batcher->keeper, "batch-deadline");
    return SC_OK;
}

int sc_batcher_open(sc_batcher **pbatcher, const struct sc_batcher_params *params, sc_err *err)
{
    sc_require(params->run);
    *pbatcher = NULL;
    sc_batcher *batcher = sc_new(sc_batcher);
    batcher->params = *params;
    fill_params(&batcher->params);
    init_lock(batcher);
    batcher->queue.ageing_ns = batcher->params.ageing_ns;
    batcher->next_deadline_ns = INT64_MAX;
    batcher->limit = (struct sc_batch_limit){
        .target_ns = batcher->params.target_ns, .now = 1, .ceiling = batcher->params.max_batch};
    sc_batch_meters_open(&batcher->meters, params->metrics,
                         params->name ? params->name : "default");
    sc_gauge_set(batcher->meters.limit, batcher->limit.now);
    if (open_threads(batcher) < 0) {
        sc_batcher_close(&batcher);
        return sc_fail(err, SC_ENOMEM, "no memory or no thread for batches of %d",
                       params->max_batch);
    }
    *pbatcher = batcher;
    return SC_OK;
}

void sc_batcher_stop(sc_batcher *batcher)
{
    pthread_mutex_lock(&batcher->lock);
    batcher->stopping = true;
    struct sc_batch_list left = take_all(batcher, SC_BATCH_RESULT_CANCELLED);
    pthread_cond_broadcast(&batcher->wake_runner);
    pthread_cond_signal(&batcher->wake_keeper);
    pthread_mutex_unlock(&batcher->lock);
    sc_err err = {0};
    sc_fail(&err, SC_ECANCELLED, "the model is being closed");
    complete_list(&left, SC_ECANCELLED, &err);
    for (int i = 0; i < batcher->params.runners; i++) {
        if (batcher->runners[i].started)
            pthread_join(batcher->runners[i].thread, NULL);
        batcher->runners[i].started = false;
    }
    if (batcher->keeper_started)
        pthread_join(batcher->keeper, NULL);
    batcher->keeper_started = false;
}

void sc_batcher_close(sc_batcher **pbatcher)
{
    sc_batcher *batcher = pbatcher ? *pbatcher : NULL;
    if (!batcher)
        return;
    *pbatcher = NULL;
    sc_batcher_stop(batcher);
    pthread_cond_destroy(&batcher->wake_keeper);
    pthread_cond_destroy(&batcher->wake_runner);
    pthread_mutex_destroy(&batcher->lock);
    for (int i = 0; i < batcher->params.runners; i++) {
        free(batcher->runners[i].work);
        free(batcher->runners[i].batch);
    }
    free(batcher->runners);
    free(batcher);
}

// --- submitting ---------------------------------------------------------------------------

// When a place should be free: at the end of the run under way, which takes a batch.
static int64_t time_to_retry(const sc_batcher *batcher)
{
    int64_t run_ns = batcher->stats.run_ns ? batcher->stats.run_ns : batcher->params.target_ns;
    int64_t left_ns =
        batcher->stats.running ? run_ns - (now_of(batcher) - batcher->run_started_ns) : run_ns;
    int64_t least_ns = run_ns / 4 > SC_NS_PER_MS ? run_ns / 4 : SC_NS_PER_MS;
    return left_ns > least_ns ? left_ns : least_ns;
}

// Makes room in a full queue; the lock is held. *dropped: whom to complete, or NULL.
static int make_room(sc_batcher *batcher, const struct sc_batch_request *request,
                     struct sc_batch_item **dropped, int64_t *retry_ns, sc_err *err)
{
    if (batcher->stopping)
        return sc_fail(err, SC_ECANCELLED, "the model is being closed");
    if (batcher->queue.count < batcher->params.max_queue)
        return SC_OK;
    if (request->drop_oldest && request->stream)
        *dropped = sc_batch_queue_oldest(&batcher->queue, request->stream);
    if (*dropped) {
        take_out(batcher, *dropped, SC_BATCH_RESULT_DROPPED);
        return SC_OK;
    }
    count_result(batcher, request->priority, SC_BATCH_RESULT_REFUSED);
    if (retry_ns)
        *retry_ns = time_to_retry(batcher);
    return sc_fail(err, SC_EBUSY, "%d pictures wait for the model already: try again later",
                   batcher->queue.count);
}

// The lock is held.
static void add_item(sc_batcher *batcher, struct sc_batch_item *item, uint64_t *ticket)
{
    int64_t deadline_ns = item->request.deadline_ns;
    sc_batch_queue_add(&batcher->queue, item, now_of(batcher));
    show_depth(batcher, item->request.priority);
    if (ticket)
        *ticket = item->ticket;
    pthread_cond_signal(&batcher->wake_runner);
    if (deadline_ns && deadline_ns < batcher->next_deadline_ns) {
        batcher->next_deadline_ns = deadline_ns;
        pthread_cond_signal(&batcher->wake_keeper);
    }
}

int sc_batcher_submit(sc_batcher *batcher, const struct sc_batch_request *request,
                      uint64_t *ticket, int64_t *retry_ns, sc_err *err)
{
    sc_require(request->done && (unsigned)request->priority < SC_PRIORITIES);
    struct sc_batch_item *item = sc_new(struct sc_batch_item), *dropped = NULL;
    item->request = *request;
    pthread_mutex_lock(&batcher->lock);
    int ret = make_room(batcher, request, &dropped, retry_ns, err);
    if (ret == SC_OK)
        add_item(batcher, item, ticket);
    pthread_mutex_unlock(&batcher->lock);
    if (ret < 0)
        free(item);
    if (dropped) {
        sc_err why = {0};
        sc_fail(&why, SC_EBUSY, "dropped for a newer picture of its stream");
        complete(dropped, SC_EBUSY, NULL, &why);
    }
    return ret;
}

bool sc_batcher_cancel(sc_batcher *batcher, uint64_t ticket)
{
    pthread_mutex_lock(&batcher->lock);
    struct sc_batch_item *item = sc_batch_queue_find(&batcher->queue, ticket);
    if (item)
        take_out(batcher, item, SC_BATCH_RESULT_CANCELLED);
    pthread_mutex_unlock(&batcher->lock);
    if (!item)
        return false;
    sc_err err = {0};
    sc_fail(&err, SC_ECANCELLED, "cancelled while it waited for the model");
    complete(item, SC_ECANCELLED, NULL, &err);
    return true;
}

const struct sc_batcher_params *sc_batcher_get_params(const sc_batcher *batcher)
{
    return &batcher->params;
}

void sc_batcher_get_stats(sc_batcher *batcher, struct sc_batcher_stats *stats)
{
    pthread_mutex_lock(&batcher->lock);
    *stats = batcher->stats;
    stats->limit = batcher->limit.now;
    for (int i = 0; i < SC_PRIORITIES; i++)
        stats->waiting[i] = batcher->queue.lists[i].count;
    pthread_mutex_unlock(&batcher->lock);
}
