// A fixed pool of worker threads with three priorities.
//
// Thread-safety: Safe. Tasks may post tasks; a task must not close its own pool.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/alarm.h"

typedef struct sc_pool sc_pool;

enum sc_priority { SC_PRIO_INTERACTIVE, SC_PRIO_NORMAL, SC_PRIO_BACKGROUND, SC_PRIO_COUNT };

struct sc_pool_params {
    int threads;        // 0 = the number of online cores
    size_t max_pending; // tasks waiting, all priorities together; 0 = 65536
    const char *name;   // thread name prefix, at most 10 characters; NULL = "pool"
    // Alarms have no thread of their own, the pool's keeps them between tasks: less to wake, and exact
    // where all tasks are short. Pools of one thread only.
    bool keeps_time;
};

sc_pool *
sc_pool_open(const struct sc_pool_params *params); // NULL when no thread can be started
// Runs what was posted already, then joins the threads.
void sc_pool_close(sc_pool **ppool);

// fn(arg) runs on some worker. SC_EBUSY when max_pending tasks wait already (nothing was kept).
int sc_pool_post(sc_pool *pool, enum sc_priority prio, void (*fn)(void *arg), void *arg);

// A task in memory of the caller's: posting it allocates nothing and is never refused, since each
// waits once at most. Zero it, set fn and arg; the rest is the pool's.
struct sc_pool_task {
    void (*fn)(void *arg);
    void *arg;
    struct sc_pool_task *next;
    bool owned; // by the pool, which frees it
};

// Not again before fn has begun; fn may post it again, or free it.
void sc_pool_post_task(sc_pool *pool, enum sc_priority prio, struct sc_pool_task *task);

// Alarms for all who use the pool: one thread more, from the first use to the last (but keeps_time). Each use is given
// back, its alarms released, before the pool closes. NULL when the thread cannot be started. Giving
// back the last one waits for the thread, so not from an alarm.
sc_alarms *sc_pool_use_alarms(sc_pool *pool);
void sc_pool_leave_alarms(sc_pool *pool);

int sc_pool_threads(const sc_pool *pool);
size_t sc_pool_pending(sc_pool *pool); // tasks waiting, not those running

// Online cores this process may use (affinity and cgroup quota respected), at least 1.
int sc_cpu_count(void);

// From now on the calling thread, and those it starts, give way to the process's others where cores are short: for
// work that may be late. There is no way back.
void sc_cpu_give_way(void);
