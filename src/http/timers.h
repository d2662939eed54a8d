// Timers: functions called at a time, on one thread. They must not block.
//
// Thread-safety: Safe.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct sc_timers sc_timers;

sc_timers *sc_timers_open(void); // NULL when no thread can be started
// Everything pending was called, after sc_timers_stop().
void sc_timers_close(sc_timers **ptimers);

// Calls fn(arg) once at when_ns (monotonic) or soon after; at once when stopping.
void sc_timers_at(sc_timers *timers, int64_t when_ns, void (*fn)(void *arg), void *arg);

// Whoever will call sc_timers_at() later from elsewhere holds the timers meanwhile: close waits.
void sc_timers_hold(sc_timers *timers);
void sc_timers_release(sc_timers *timers);

// From now on everything pending is due; whoever repeats looks at stopping() and ends.
void sc_timers_stop(sc_timers *timers);
bool sc_timers_stopping(sc_timers *timers);
