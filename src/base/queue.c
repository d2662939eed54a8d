#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

struct slot {
    void *item;
    size_t bytes;
};

struct sc_queue {
    // immutable after init
    size_t max_items, max_bytes;
    void (*drop)(void *item);

    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full; // on the monotonic clock

    // under lock
    struct slot *slots; // a ring of max_items
    size_t head, count, bytes;
    bool finished; // closed by either side
};

sc_queue *sc_queue_new(const struct sc_queue_params *params)
{
    sc_queue *queue = sc_new(sc_queue);
    queue->max_items = params->max_items ? params->max_items : 16;
    queue->max_bytes = params->max_bytes;
    queue->drop = params->drop;
    queue->slots = sc_xcalloc(queue->max_items, sizeof(*queue->slots));
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->not_empty, &attr);
    pthread_cond_init(&queue->not_full, &attr);
    pthread_condattr_destroy(&attr);
    return queue;
}

void sc_queue_free(sc_queue **pqueue)
{
    sc_queue *queue = pqueue ? *pqueue : NULL;
    if (!queue)
        return;
    *pqueue = NULL;
    sc_queue_abort(queue);
    pthread_cond_destroy(&queue->not_full);
    pthread_cond_destroy(&queue->not_empty);
    pthread_mutex_destroy(&queue->lock);
    free(queue->slots);
    free(queue);
}

static bool is_full(const sc_queue *queue, size_t bytes)
{
    if (!queue->count)
        return false;
    if (queue->count >= queue->max_items)
        return true;
    // Written so that a huge item cannot overflow the sum.
    return queue->max_bytes &&
           (queue->bytes >= queue->max_bytes || bytes > queue->max_bytes - queue->bytes);
}

static struct timespec deadline_in(int timeout_ms)
{
    int64_t end = sc_clock_now() + timeout_ms * SC_NS_PER_MS;
    return (struct timespec){.tv_sec = end / SC_NS_PER_S, .tv_nsec = end % SC_NS_PER_S};
}

// One wait of a loop that re-checks its condition. SC_OK: woken; else why to give up.
static int wait_on(sc_queue *queue, pthread_cond_t *cond, int timeout_ms,
                   const struct timespec *deadline)
{
    if (timeout_ms == 0)
        return SC_EAGAIN;
    if (timeout_ms < 0)
        return pthread_cond_wait(cond, &queue->lock), SC_OK;
    int rc = pthread_cond_timedwait(cond, &queue->lock, deadline);
    return rc == ETIMEDOUT ? SC_ETIMEOUT : SC_OK;
}

int sc_queue_push(sc_queue *queue, void *item, size_t bytes, int timeout_ms)
{
    struct timespec deadline = deadline_in(timeout_ms);
    int ret = SC_OK;
    pthread_mutex_lock(&queue->lock);
    while (ret == SC_OK && !queue->finished && is_full(queue, bytes))
        ret = wait_on(queue, &queue->not_full, timeout_ms, &deadline);
    if (queue->finished) {
        ret = SC_EEOF;
    } else if (!is_full(queue, bytes)) {
        size_t tail = (queue->head + queue->count++) % queue->max_items;
        queue->slots[tail] = (struct slot){item, bytes};
        queue->bytes += bytes;
        pthread_cond_signal(&queue->not_empty);
        ret = SC_OK; // room that appeared as time ran out still counts
    }
    pthread_mutex_unlock(&queue->lock);
    return ret;
}

static void *take_first(sc_queue *queue)
{
    struct slot slot = queue->slots[queue->head];
    queue->head = (queue->head + 1) % queue->max_items;
    queue->count--;
    queue->bytes -= slot.bytes;
    return slot.item;
}

int sc_queue_pop(sc_queue *queue, void **item, int timeout_ms)
{
    struct timespec deadline = deadline_in(timeout_ms);
    int ret = SC_OK;
    pthread_mutex_lock(&queue->lock);
    while (ret == SC_OK && !queue->finished && !queue->count)
        ret = wait_on(queue, &queue->not_empty, timeout_ms, &deadline);
    if (queue->count) {
        *item = take_first(queue);
        // One place freed serves one writer, but freed bytes may serve several or not the first.
        if (queue->max_bytes)
            pthread_cond_broadcast(&queue->not_full);
        else
            pthread_cond_signal(&queue->not_full);
        ret = SC_OK;
    } else if (queue->finished) {
        ret = SC_EEOF;
    }
    pthread_mutex_unlock(&queue->lock);
    return ret;
}

static void close_both_sides(sc_queue *queue)
{
    queue->finished = true;
    pthread_cond_broadcast(&queue->not_empty);
    pthread_cond_broadcast(&queue->not_full);
}

void sc_queue_finish(sc_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    close_both_sides(queue);
    pthread_mutex_unlock(&queue->lock);
}

void sc_queue_abort(sc_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    close_both_sides(queue);
    while (queue->count) {
        void *item = take_first(queue);
        pthread_mutex_unlock(&queue->lock); // drop() is the caller's code
        if (queue->drop)
            queue->drop(item);
        pthread_mutex_lock(&queue->lock);
    }
    pthread_mutex_unlock(&queue->lock);
}

size_t sc_queue_count(sc_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

size_t sc_queue_bytes(sc_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t bytes = queue->bytes;
    pthread_mutex_unlock(&queue->lock);
    return bytes;
}
