// Alarms: any number of timers on one thread, for those that wake something at a time.
//
// An alarm is part of whoever it calls: setting it allocates nothing and costs O(log n) of those
// set. Times are exact where the thread is their own: it does nothing else, and the kernel's timer is
// armed for the next.
//
// Thread-safety: Safe; init and release of an alarm are its owner's.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct sc_alarms sc_alarms;

// Starts the thread. name: of the thread, at most 15 characters. NULL when there is no thread or
// descriptor for it.
sc_alarms *sc_alarms_open(const char *name);
// Without a thread: whoever made them calls sc_alarms_ring(), when the time that it gave has come, and
// when sooner(arg) says that it has to be earlier. That is called by who sets an alarm; it may signal,
// and calls nothing of this header. Never NULL.
sc_alarms *sc_alarms_new(void (*sooner)(void *arg), void *arg);
// Calls all that are due and returns when the next one is; INT64_MAX = none. One thread's.
int64_t sc_alarms_ring(sc_alarms *alarms);
void sc_alarms_close(sc_alarms **palarms); // all alarms were released; NULL and &NULL allowed

// Fields are internal.
typedef struct sc_alarm {
    sc_alarms *alarms;
    void (*fn)(void *arg);
    void *arg;
    int64_t when_ns; // under the lock of alarms
    size_t place;    // likewise: in the heap, from 1; 0 = not set
} sc_alarm;

// fn(arg) is called on the thread of alarms, or in sc_alarms_ring(), never twice at a time. It must not block; it may set
// the alarm again.
void sc_alarm_init(sc_alarm *alarm, sc_alarms *alarms, void (*fn)(void *arg), void *arg);
// fn is called at when_ns (sc_clock_now()) or soon after, at once where that is past. The earliest
// time asked for counts and is used up when it comes. Never blocks for long; may be called under
// locks that fn takes.
void sc_alarm_set(sc_alarm *alarm, int64_t when_ns);
// No call afterwards: waits for one under way. Not from fn. One that is all zero is allowed.
void sc_alarm_release(sc_alarm *alarm);
