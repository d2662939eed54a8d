#include "http/timers.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

struct timer {
    int64_t when_ns;
    void (*fn)(void *arg);
    void *arg;
};

struct sc_timers {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    // under lock
    struct timer *heap; // the soonest first
    size_t count, capacity;
    int holds;
    bool stopping, closing;
};

static void swap(struct timer *a, struct timer *b)
{
    struct timer t = *a;
    *a = *b;
    *b = t;
}

static void sift_up(struct timer *heap, size_t i)
{
    for (; i && heap[i].when_ns < heap[(i - 1) / 2].when_ns; i = (i - 1) / 2)
        swap(&heap[i], &heap[(i - 1) / 2]);
}

static void sift_down(struct timer *heap, size_t count, size_t i)
{
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < count && heap[left].when_ns < heap[least].when_ns)
            least = left;
        if (right < count && heap[right].when_ns < heap[least].when_ns)
            least = right;
        if (least == i)
            return;
        swap(&heap[i], &heap[least]);
        i = least;
    }
}

static struct timer pop(sc_timers *t)
{
    struct timer first = t->heap[0];
    t->heap[0] = t->heap[--t->count];
    sift_down(t->heap, t->count, 0);
    return first;
}

static void wait_until(sc_timers *t, int64_t when_ns)
{
    struct timespec ts = {.tv_sec = when_ns / SC_NS_PER_S, .tv_nsec = when_ns % SC_NS_PER_S};
    pthread_cond_timedwait(&t->changed, &t->lock, &ts);
}

static void *run(void *arg)
{
    sc_timers *t = arg;
    pthread_mutex_lock(&t->lock);
    while (t->count || t->holds || !t->closing) {
        if (!t->count) {
            pthread_cond_wait(&t->changed, &t->lock);
        } else if (!t->stopping && t->heap[0].when_ns > sc_clock_now()) {
            wait_until(t, t->heap[0].when_ns);
        } else {
            struct timer timer = pop(t);
            pthread_mutex_unlock(&t->lock);
            timer.fn(timer.arg);
            pthread_mutex_lock(&t->lock);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

sc_timers *sc_timers_open(void)
{
    sc_timers *t = sc_new(sc_timers);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&t->lock, NULL);
    if (!pthread_create(&t->thread, NULL, run, t))
        return t;
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

void sc_timers_at(sc_timers *t, int64_t when_ns, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&t->lock);
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 16;
        t->heap = sc_xrealloc(t->heap, t->capacity * sizeof(*t->heap));
    }
    t->heap[t->count] = (struct timer){when_ns, fn, arg};
    sift_up(t->heap, t->count++);
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void sc_timers_hold(sc_timers *t)
{
    pthread_mutex_lock(&t->lock);
    t->holds++;
    pthread_mutex_unlock(&t->lock);
}

void sc_timers_release(sc_timers *t)
{
    pthread_mutex_lock(&t->lock);
    t->holds--;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void sc_timers_stop(sc_timers *t)
{
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

bool sc_timers_stopping(sc_timers *t)
{
    pthread_mutex_lock(&t->lock);
    bool stopping = t->stopping;
    pthread_mutex_unlock(&t->lock);
    return stopping;
}

void sc_timers_close(sc_timers **ptimers)
{
    sc_timers *t = ptimers ? *ptimers : NULL;
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = t->closing = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t->heap);
    free(t);
    *ptimers = NULL; // not before: what is called last may still read it
}
