#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "test.h"

struct gate {
    atomic_bool open;
    atomic_int entered;
};

static void wait_at_gate(void *arg)
{
    struct gate *gate = arg;
    atomic_fetch_add(&gate->entered, 1);
    while (!atomic_load(&gate->open))
        sc_clock_sleep(SC_NS_PER_MS);
}

static sc_pool *open_blocked(struct gate *gate, size_t max_pending)
{
    sc_pool *pool =
        sc_pool_open(&(struct sc_pool_params){.threads = 1, .max_pending = max_pending});
    sc_pool_post(pool, SC_PRIO_NORMAL, wait_at_gate, gate);
    while (!atomic_load(&gate->entered))
        sc_clock_sleep(SC_NS_PER_MS);
    return pool;
}

static void increment(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_close_runs_all(void **state)
{
    (void)state;
    atomic_int count = 0;
    sc_pool *pool =
        sc_pool_open(&(struct sc_pool_params){.threads = 4, .name = "a-long-name-here"});
    assert_int_equal(sc_pool_threads(pool), 4);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(sc_pool_post(pool, i % SC_PRIO_COUNT, increment, &count), SC_OK);
    sc_pool_close(&pool);
    assert_null(pool);
    assert_int_equal(count, 3000);
}

static char order[8];
static atomic_int order_len;

static void note(void *arg)
{
    order[atomic_fetch_add(&order_len, 1)] = *(char *)arg;
}

static void test_urgent_first(void **state)
{
    (void)state;
    struct gate gate = {0};
    char names[] = "bnij";
    sc_pool *pool = open_blocked(&gate, 0);
    sc_pool_post(pool, SC_PRIO_BACKGROUND, note, &names[0]);
    sc_pool_post(pool, SC_PRIO_NORMAL, note, &names[1]);
    sc_pool_post(pool, SC_PRIO_INTERACTIVE, note, &names[2]);
    sc_pool_post(pool, SC_PRIO_INTERACTIVE, note, &names[3]);
    assert_int_equal(sc_pool_pending(pool), 4);
    atomic_store(&gate.open, true);
    sc_pool_close(&pool);
    assert_string_equal(order, "ijnb");
}

static void test_full_pool_refuses(void **state)
{
    (void)state;
    struct gate gate = {0};
    atomic_int count = 0;
    sc_pool *pool = open_blocked(&gate, 2);
    assert_int_equal(sc_pool_post(pool, SC_PRIO_NORMAL, increment, &count), SC_OK);
    assert_int_equal(sc_pool_post(pool, SC_PRIO_BACKGROUND, increment, &count), SC_OK);
    assert_int_equal(sc_pool_post(pool, SC_PRIO_INTERACTIVE, increment, &count), SC_EBUSY);
    atomic_store(&gate.open, true);
    sc_pool_close(&pool);
    assert_int_equal(count, 2);
}

struct chain {
    sc_pool *pool;
    atomic_int left;
};

static void post_next(void *arg)
{
    struct chain *chain = arg;
    if (atomic_fetch_sub(&chain->left, 1) > 1)
        sc_pool_post(chain->pool, SC_PRIO_NORMAL, post_next, chain);
}

static void test_tasks_post_tasks_while_closing(void **state)
{
    (void)state;
    struct chain chain = {.left = 100};
    sc_pool *pool = chain.pool = sc_pool_open(&(struct sc_pool_params){.threads = 2});
    sc_pool_post(pool, SC_PRIO_NORMAL, post_next, &chain);
    sc_pool_close(&pool);
    assert_int_equal(chain.left, 0);
}

static void test_core_count(void **state)
{
    (void)state;
    assert_true(sc_cpu_count() >= 1);
    sc_pool *pool = sc_pool_open(&(struct sc_pool_params){0});
    assert_int_equal(sc_pool_threads(pool), sc_cpu_count());
    sc_pool_close(&pool);
    sc_pool_close(NULL);
}

static void *note_niceness(void *arg)
{
    *(int *)arg = getpriority(PRIO_PROCESS, (id_t)gettid());
    return NULL;
}

static void *give_way(void *arg)
{
    int *nice = arg;
    pthread_t thread;
    sc_cpu_give_way();
    note_niceness(&nice[0]);
    assert_int_equal(pthread_create(&thread, NULL, note_niceness, &nice[1]), 0);
    pthread_join(thread, NULL);
    return NULL;
}

static void test_giving_way(void **state)
{
    (void)state;
    int before, after, nice[2] = {-99, -99};
    pthread_t thread;
    note_niceness(&before);
    assert_int_equal(pthread_create(&thread, NULL, give_way, nice), 0);
    pthread_join(thread, NULL);
    note_niceness(&after);
    assert_int_equal(after, before); // the other threads' stays
    assert_int_equal(nice[0], before > 5 ? before : 5);
    assert_int_equal(nice[1], nice[0]); // as does whom it starts
}

static void on_alarm(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_alarms_are_shared(void **state)
{
    (void)state;
    sc_alarm alarm;
    atomic_int rings = 0;
    sc_pool *pool = sc_pool_open(&(struct sc_pool_params){.threads = 1});
    for (int i = 0; i < 3; i++) { // the thread goes and comes again
        sc_alarms *first = sc_pool_use_alarms(pool), *second = sc_pool_use_alarms(pool);
        assert_non_null(first);
        assert_ptr_equal(first, second);
        sc_pool_leave_alarms(pool);
        sc_alarm_init(&alarm, first, on_alarm, &rings);
        sc_alarm_set(&alarm, sc_clock_now());
        while (atomic_load(&rings) <= i)
            sc_clock_sleep(SC_NS_PER_MS);
        sc_alarm_release(&alarm);
        sc_pool_leave_alarms(pool);
    }
    sc_pool_close(&pool);
}

// --- a pool that keeps the time itself --------------------------------------------------------

struct beat {
    sc_alarm alarm;
    sc_pool *pool;
    int64_t due_ns;
    atomic_int rings, tasks;
    atomic_bool early;
};

static void on_task(void *arg)
{
    struct beat *beat = arg;
    if (atomic_fetch_add(&beat->tasks, 1) < 9) {
        beat->due_ns = sc_clock_now() + SC_NS_PER_MS;
        sc_alarm_set(&beat->alarm, beat->due_ns);
    }
}

static void on_beat(void *arg)
{
    struct beat *beat = arg;
    if (sc_clock_now() < beat->due_ns)
        atomic_store(&beat->early, true);
    atomic_fetch_add(&beat->rings, 1);
    sc_pool_post(beat->pool, SC_PRIO_NORMAL, on_task, beat);
}

static void wait_for_tasks(struct beat *beat, int tasks)
{
    for (int i = 0; atomic_load(&beat->tasks) < tasks; i++) {
        assert_true(i < 10000);
        sc_clock_sleep(SC_NS_PER_MS);
    }
}

static void test_keeps_time_itself(void **state)
{
    (void)state;
    struct beat beat = {0}, far = {0};
    sc_pool *pool = sc_pool_open(&(struct sc_pool_params){.threads = 1, .keeps_time = true});
    sc_alarms *alarms = sc_pool_use_alarms(pool);
    beat.pool = far.pool = pool;
    sc_alarm_init(&beat.alarm, alarms, on_beat, &beat);
    sc_alarm_init(&far.alarm, alarms, on_beat, &far);
    far.due_ns = sc_clock_now() + 3600 * SC_NS_PER_S;
    sc_alarm_set(&far.alarm, far.due_ns);
    sc_clock_sleep(5 * SC_NS_PER_MS); // it sleeps until then,
    sc_alarm_set(&beat.alarm, 0);     // and is woken
    wait_for_tasks(&beat, 10);
    assert_int_equal(beat.rings, 10);
    assert_false(beat.early);
    assert_int_equal(far.rings, 0);
    sc_alarm_release(&beat.alarm);
    sc_alarm_release(&far.alarm);
    sc_pool_leave_alarms(pool);
    sc_pool_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_runs_all),
        cmocka_unit_test(test_urgent_first),
        cmocka_unit_test(test_full_pool_refuses),
        cmocka_unit_test(test_tasks_post_tasks_while_closing),
        cmocka_unit_test(test_core_count),
        cmocka_unit_test(test_giving_way),
        cmocka_unit_test(test_alarms_are_shared),
        cmocka_unit_test(test_keeps_time_itself),
    };
    return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
