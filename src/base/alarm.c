#include "base/alarm.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

struct sc_alarms {
    // Immutable: a thread of its own,
    pthread_t thread;
    int timer; // which sleeps in reading this, so whoever is earlier arms it and wakes nobody; -1 = none
    // or whoever calls sc_alarms_ring().
    void (*sooner)(void *arg);
    void *arg;

    pthread_mutex_t lock;
    pthread_cond_t rang; // an alarm's call has returned

    // under lock
    sc_alarm **heap; // the earliest first
    size_t count, capacity;
    int64_t armed_ns;  // when the timer wakes the thread; 0 = it does not
    sc_alarm *ringing; // is being called
    bool closing;
};

// --- the heap; the lock is held ---------------------------------------------------------------

static void put(sc_alarms *alarms, size_t i, sc_alarm *alarm)
{
    alarms->heap[i] = alarm;
    alarm->place = i + 1;
}

static void sift_up(sc_alarms *alarms, size_t i)
{
    sc_alarm *alarm = alarms->heap[i];
    for (; i && alarm->when_ns < alarms->heap[(i - 1) / 2]->when_ns; i = (i - 1) / 2)
        put(alarms, i, alarms->heap[(i - 1) / 2]);
    put(alarms, i, alarm);
}

static void sift_down(sc_alarms *alarms, size_t i)
{
    sc_alarm *alarm = alarms->heap[i];
    for (size_t child = 2 * i + 1; child < alarms->count; i = child, child = 2 * i + 1) {
        if (child + 1 < alarms->count &&
            alarms->heap[child + 1]->when_ns < alarms->heap[child]->when_ns)
            child++;
        if (alarm->when_ns <= alarms->heap[child]->when_ns)
            break;
        put(alarms, i, alarms->heap[child]);
    }
    put(alarms, i, alarm);
}

static void insert(sc_alarms *alarms, sc_alarm *alarm)
{
    if (alarms->count == alarms->capacity) {
        alarms->capacity = alarms->capacity ? 2 * alarms->capacity : 16;
        alarms->heap = sc_xrealloc(alarms->heap, alarms->capacity * sizeof(*alarms->heap));
    }
    put(alarms, alarms->count++, alarm);
    sift_up(alarms, alarms->count - 1);
}

static void take_out(sc_alarms *alarms, sc_alarm *alarm)
{
    size_t i = alarm->place - 1;
    sc_alarm *last = alarms->heap[--alarms->count];
    alarm->place = 0;
    if (last == alarm)
        return;
    put(alarms, i, last);
    sift_up(alarms, i);
    sift_down(alarms, last->place - 1);
}

// --- the thread -------------------------------------------------------------------------------

// 0 disarms. The lock is held.
static void arm(sc_alarms *alarms, int64_t when_ns)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = when_ns / SC_NS_PER_S, .tv_nsec = when_ns % SC_NS_PER_S}};
    timerfd_settime(alarms->timer, TFD_TIMER_ABSTIME, &at, NULL);
    alarms->armed_ns = when_ns;
}

// The lock is held, but for the call.
static void ring(sc_alarms *alarms, sc_alarm *alarm)
{
    take_out(alarms, alarm);
    alarms->ringing = alarm;
    pthread_mutex_unlock(&alarms->lock);
    alarm->fn(alarm->arg);
    pthread_mutex_lock(&alarms->lock);
    alarms->ringing = NULL;
    pthread_cond_broadcast(&alarms->rang);
}

// Returns when the next is due.
static int64_t ring_all_due(sc_alarms *alarms)
{
    int64_t now = sc_clock_now();
    while (alarms->count && alarms->heap[0]->when_ns <= now)
        ring(alarms, alarms->heap[0]);
    return alarms->count ? alarms->heap[0]->when_ns : INT64_MAX;
}

static void *run(void *arg)
{
    sc_alarms *alarms = arg;
    pthread_mutex_lock(&alarms->lock);
    while (!alarms->closing) {
        int64_t next_ns = ring_all_due(alarms);
        arm(alarms, alarms->closing ? 1 : next_ns == INT64_MAX ? 0 : next_ns);
        pthread_mutex_unlock(&alarms->lock);
        uint64_t times;
        if (read(alarms->timer, &times, sizeof(times)) < 0)
            times = 0; // a signal: what is due is looked at all the same
        pthread_mutex_lock(&alarms->lock);
    }
    pthread_mutex_unlock(&alarms->lock);
    return NULL;
}

// --- for whoever has alarms -------------------------------------------------------------------

static void destroy(sc_alarms *alarms)
{
    if (alarms->timer >= 0)
        close(alarms->timer);
    pthread_cond_destroy(&alarms->rang);
    pthread_mutex_destroy(&alarms->lock);
    free(alarms->heap);
    free(alarms);
}

sc_alarms *sc_alarms_new(void (*sooner)(void *arg), void *arg)
{
    sc_alarms *alarms = sc_new(sc_alarms);
    alarms->sooner = sooner;
    alarms->arg = arg;
    alarms->timer = -1;
    pthread_mutex_init(&alarms->lock, NULL);
    pthread_cond_init(&alarms->rang, NULL);
    return alarms;
}

sc_alarms *sc_alarms_open(const char *name)
{
    sc_alarms *alarms = sc_alarms_new(NULL, NULL);
    char shown[16]; // the kernel's limit
    alarms->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (alarms->timer < 0 || pthread_create(&alarms->thread, NULL, run, alarms) != 0) {
        destroy(alarms);
        return NULL;
    }
    snprintf(shown, sizeof(shown), "%.15s", name);
    pthread_setname_np(alarms->thread, shown);
    return alarms;
}

void sc_alarms_close(sc_alarms **palarms)
{
    sc_alarms *alarms = palarms ? *palarms : NULL;
    if (!alarms)
        return;
    *palarms = NULL;
    pthread_mutex_lock(&alarms->lock);
    sc_require(!alarms->count && !alarms->ringing);
    alarms->closing = true;
    if (!alarms->sooner)
        arm(alarms, 1);
    pthread_mutex_unlock(&alarms->lock);
    if (!alarms->sooner)
        pthread_join(alarms->thread, NULL);
    destroy(alarms);
}

int64_t sc_alarms_ring(sc_alarms *alarms)
{
    sc_require(alarms->sooner);
    pthread_mutex_lock(&alarms->lock);
    int64_t next_ns = ring_all_due(alarms);
    pthread_mutex_unlock(&alarms->lock);
    return next_ns;
}

void sc_alarm_init(sc_alarm *alarm, sc_alarms *alarms, void (*fn)(void *arg), void *arg)
{
    sc_require(alarms && fn);
    *alarm = (sc_alarm){.alarms = alarms, .fn = fn, .arg = arg};
}

// Whether it has become the next one. The lock is held.
static bool set(sc_alarms *alarms, sc_alarm *alarm, int64_t when_ns)
{
    if (!alarm->place) {
        alarm->when_ns = when_ns;
        insert(alarms, alarm);
    } else if (when_ns < alarm->when_ns) {
        alarm->when_ns = when_ns;
        sift_up(alarms, alarm->place - 1);
    } else {
        return false;
    }
    return alarm->place == 1;
}

void sc_alarm_set(sc_alarm *alarm, int64_t when_ns)
{
    sc_alarms *alarms = alarm->alarms;
    when_ns = when_ns < 1 ? 1 : when_ns; // 0 would disarm
    pthread_mutex_lock(&alarms->lock);
    bool next = set(alarms, alarm, when_ns);
    bool earlier = !alarms->armed_ns || when_ns < alarms->armed_ns;
    if (next && earlier && !alarms->sooner)
        arm(alarms, when_ns);
    pthread_mutex_unlock(&alarms->lock);
    if (next && alarms->sooner)
        alarms->sooner(alarms->arg);
}

void sc_alarm_release(sc_alarm *alarm)
{
    sc_alarms *alarms = alarm->alarms;
    if (!alarms)
        return;
    pthread_mutex_lock(&alarms->lock);
    while (alarm->place || alarms->ringing == alarm) {
        if (alarm->place)
            take_out(alarms, alarm); // a call under way may set it again
        else
            pthread_cond_wait(&alarms->rang, &alarms->lock);
    }
    pthread_mutex_unlock(&alarms->lock);
    *alarm = (sc_alarm){0};
}
