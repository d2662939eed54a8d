#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

struct task_list {
    struct sc_pool_task *head, *tail;
};

struct sc_pool {
    // immutable after open
    pthread_t *threads;
    int count;
    size_t max_pending;
    char name[11];

    pthread_mutex_t lock;
    pthread_cond_t work;

    // under lock
    struct task_list lists[SC_PRIO_COUNT];
    size_t pending;
    bool closing;
    bool sooner; // the next alarm is to come earlier than the worker waits for

    bool keeps_time;             // immutable after open, and so is then alarms
    pthread_mutex_t alarms_lock; // its own, since a thread is started under it
    // under alarms_lock
    sc_alarms *alarms; // NULL = nobody uses them
    int alarm_users;
};

// The most urgent task, or NULL; the lock is held.
static struct sc_pool_task *take_task(sc_pool *pool)
{
    for (int prio = 0; prio < SC_PRIO_COUNT; prio++) {
        struct task_list *list = &pool->lists[prio];
        struct sc_pool_task *task = list->head;
        if (!task)
            continue;
        list->head = task->next;
        pool->pending--;
        return task;
    }
    return NULL;
}

// A task of the caller's is gone once its function runs.
static void run_task(struct sc_pool_task *task)
{
    struct sc_pool_task copy = *task;
    if (copy.owned)
        free(task);
    copy.fn(copy.arg);
}

// Returns when the next alarm is due, INT64_MAX = none. The lock is held, but for calls.
static int64_t keep_time(sc_pool *pool)
{
    if (!pool->keeps_time)
        return INT64_MAX;
    pool->sooner = false;
    pthread_mutex_unlock(&pool->lock);
    int64_t next_ns = sc_alarms_ring(pool->alarms);
    pthread_mutex_lock(&pool->lock);
    return next_ns;
}

static void wait_for_work(sc_pool *pool, int64_t until_ns)
{
    struct timespec ts = {.tv_sec = until_ns / SC_NS_PER_S, .tv_nsec = until_ns % SC_NS_PER_S};
    if (until_ns == INT64_MAX)
        pthread_cond_wait(&pool->work, &pool->lock);
    else
        pthread_cond_timedwait(&pool->work, &pool->lock, &ts);
}

static void *worker(void *arg)
{
    sc_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        int64_t next_ns = keep_time(pool);
        struct sc_pool_task *task = take_task(pool);
        if (task) {
            pthread_mutex_unlock(&pool->lock);
            run_task(task);
            pthread_mutex_lock(&pool->lock);
        } else if (pool->closing) {
            break;
        } else if (!pool->sooner) {
            wait_for_work(pool, next_ns);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool start_thread(sc_pool *pool, int i)
{
    if (pthread_create(&pool->threads[i], NULL, worker, pool) != 0)
        return false;
    char name[16]; // the kernel's limit
    snprintf(name, sizeof(name), "%s-%d", pool->name, i % 1000);
    pthread_setname_np(pool->threads[i], name);
    return true;
}

// Who sets an alarm may be the worker itself, which then looks anyway.
static void on_sooner(void *arg)
{
    sc_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    pool->sooner = true;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

static void init_locks(sc_pool *pool)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, &attr);
    pthread_mutex_init(&pool->alarms_lock, NULL);
    pthread_condattr_destroy(&attr);
}

sc_pool *sc_pool_open(const struct sc_pool_params *params)
{
    int wanted = params->threads > 0 ? params->threads : sc_cpu_count();
    sc_require(!params->keeps_time || wanted == 1);
    sc_pool *pool = sc_new(sc_pool);
    pool->max_pending = params->max_pending ? params->max_pending : 65536;
    snprintf(pool->name, sizeof(pool->name), "%s", params->name ? params->name : "pool");
    init_locks(pool);
    pool->keeps_time = params->keeps_time;
    if (pool->keeps_time)
        pool->alarms = sc_alarms_new(on_sooner, pool);
    pool->threads = sc_xcalloc((size_t)wanted, sizeof(*pool->threads));
    while (pool->count < wanted && start_thread(pool, pool->count))
        pool->count++;
    if (!pool->count) // fewer threads than asked for are slower, none would hang
        sc_pool_close(&pool);
    return pool;
}

void sc_pool_close(sc_pool **ppool)
{
    sc_pool *pool = ppool ? *ppool : NULL;
    if (!pool)
        return;
    *ppool = NULL;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    sc_require(!pool->alarm_users);
    sc_alarms_close(&pool->alarms);
    pthread_mutex_destroy(&pool->alarms_lock);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    free(pool);
}

// The lock is held.
static void append_task(sc_pool *pool, enum sc_priority prio, struct sc_pool_task *task)
{
    struct task_list *list = &pool->lists[prio];
    task->next = NULL;
    if (list->head)
        list->tail->next = task;
    else
        list->head = task;
    list->tail = task;
    pool->pending++;
    pthread_cond_signal(&pool->work);
}

int sc_pool_post(sc_pool *pool, enum sc_priority prio, void (*fn)(void *arg), void *arg)
{
    sc_require((unsigned)prio < SC_PRIO_COUNT && fn);
    struct sc_pool_task *task = sc_new(struct sc_pool_task);
    *task = (struct sc_pool_task){.fn = fn, .arg = arg, .owned = true};
    pthread_mutex_lock(&pool->lock);
    bool room = pool->pending < pool->max_pending;
    if (room)
        append_task(pool, prio, task);
    pthread_mutex_unlock(&pool->lock);
    if (!room)
        free(task);
    return room ? SC_OK : SC_EBUSY;
}

void sc_pool_post_task(sc_pool *pool, enum sc_priority prio, struct sc_pool_task *task)
{
    sc_require((unsigned)prio < SC_PRIO_COUNT && task->fn && !task->owned);
    pthread_mutex_lock(&pool->lock);
    append_task(pool, prio, task);
    pthread_mutex_unlock(&pool->lock);
}

sc_alarms *sc_pool_use_alarms(sc_pool *pool)
{
    pthread_mutex_lock(&pool->alarms_lock);
    if (!pool->alarms) {
        char name[16]; // the kernel's limit
        snprintf(name, sizeof(name), "%s-time", pool->name);
        pool->alarms = sc_alarms_open(name);
    }
    sc_alarms *alarms = pool->alarms;
    if (alarms)
        pool->alarm_users++;
    pthread_mutex_unlock(&pool->alarms_lock);
    return alarms;
}

void sc_pool_leave_alarms(sc_pool *pool)
{
    sc_alarms *unused = NULL;
    pthread_mutex_lock(&pool->alarms_lock);
    sc_require(pool->alarm_users > 0);
    if (--pool->alarm_users == 0 && !pool->keeps_time) {
        unused = pool->alarms;
        pool->alarms = NULL;
    }
    pthread_mutex_unlock(&pool->alarms_lock);
    sc_alarms_close(&unused);
}

int sc_pool_threads(const sc_pool *pool)
{
    return pool->count;
}

size_t sc_pool_pending(sc_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t pending = pool->pending;
    pthread_mutex_unlock(&pool->lock);
    return pending;
}
