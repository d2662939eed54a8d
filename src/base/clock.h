// Time: one unit inside the program, nanoseconds in an int64_t.
//
// Thread-safety: Safe.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define SC_NS_PER_S  INT64_C(1000000000)
#define SC_NS_PER_MS INT64_C(1000000)

int64_t sc_clock_now(void);  // monotonic, ns since an arbitrary start
int64_t sc_clock_wall(void); // ns since 1970-01-01 UTC

void sc_clock_sleep(int64_t ns); // blocks; <= 0 returns at once

// A condition that waits by sc_clock_now(), destroyed as any other.
void sc_clock_init_cond(pthread_cond_t *cond);
// As pthread_cond_wait(), until then at most. False: the time is over.
bool sc_clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns);

// Writes "2026-01-31T12:00:00.123Z" into buf (at least 32 bytes) and returns buf.
char *sc_clock_format(char *buf, int64_t wall_ns);
