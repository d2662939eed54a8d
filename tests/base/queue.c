#include "base/queue.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "test.h"

enum { WRITERS = 4, READERS = 3, EACH = 2000 };

static void *item(intptr_t n)
{
    return (void *)n; // queues do not look at items
}

static sc_queue *make_queue(size_t max_items, size_t max_bytes)
{
    return sc_queue_new(
        &(struct sc_queue_params){.max_items = max_items, .max_bytes = max_bytes});
}

static void test_first_in_first_out(void **state)
{
    (void)state;
    sc_queue *q = make_queue(3, 0);
    void *got;
    for (intptr_t i = 1; i <= 10; i++) { // round the ring
        assert_int_equal(sc_queue_push(q, item(i), 5, 0), SC_OK);
        assert_int_equal(sc_queue_push(q, item(-i), 7, 0), SC_OK);
        assert_int_equal(sc_queue_bytes(q), 12);
        assert_int_equal(sc_queue_pop(q, &got, 0), SC_OK);
        assert_ptr_equal(got, item(i));
        assert_int_equal(sc_queue_pop(q, &got, 0), SC_OK);
        assert_ptr_equal(got, item(-i));
    }
    assert_int_equal(sc_queue_pop(q, &got, 0), SC_EAGAIN);
    sc_queue_free(&q);
    assert_null(q);
}

static void test_bounded_in_items(void **state)
{
    (void)state;
    sc_queue *q = make_queue(2, 0);
    assert_int_equal(sc_queue_push(q, item(1), 0, 0), SC_OK);
    assert_int_equal(sc_queue_push(q, item(2), 0, 0), SC_OK);
    assert_int_equal(sc_queue_push(q, item(3), 0, 0), SC_EAGAIN);
    int64_t start = sc_clock_now();
    assert_int_equal(sc_queue_push(q, item(3), 0, 20), SC_ETIMEOUT);
    assert_true(sc_clock_now() - start >= 20 * SC_NS_PER_MS);
    assert_int_equal(sc_queue_count(q), 2);
    sc_queue_free(&q);
}

static void test_bounded_in_bytes(void **state)
{
    (void)state;
    sc_queue *q = make_queue(10, 100);
    void *got;
    assert_int_equal(sc_queue_push(q, item(1), 60, 0), SC_OK);
    assert_int_equal(sc_queue_push(q, item(2), 41, 0), SC_EAGAIN);
    assert_int_equal(sc_queue_push(q, item(2), SIZE_MAX, 0), SC_EAGAIN);
    assert_int_equal(sc_queue_push(q, item(2), 40, 0), SC_OK);
    assert_int_equal(sc_queue_pop(q, &got, 0), SC_OK);
    assert_int_equal(sc_queue_pop(q, &got, 0), SC_OK);
    assert_int_equal(sc_queue_push(q, item(3), 5000, 0), SC_OK); // alone it may be any size
    assert_int_equal(sc_queue_push(q, item(4), 0, 0), SC_EAGAIN);
    sc_queue_free(&q);
}

static void test_finish_drains(void **state)
{
    (void)state;
    sc_queue *q = make_queue(4, 0);
    void *got = NULL;
    sc_queue_push(q, item(1), 0, 0);
    sc_queue_finish(q);
    assert_int_equal(sc_queue_push(q, item(2), 0, -1), SC_EEOF);
    assert_int_equal(sc_queue_pop(q, &got, -1), SC_OK);
    assert_ptr_equal(got, item(1));
    assert_int_equal(sc_queue_pop(q, &got, -1), SC_EEOF);
    sc_queue_free(&q);
}

static void test_abort_and_free_drop_items(void **state)
{
    (void)state;
    sc_queue *q = sc_queue_new(&(struct sc_queue_params){.drop = free});
    void *got;
    sc_queue_push(q, sc_xcalloc(1, 8), 8, 0);
    sc_queue_push(q, sc_xcalloc(1, 8), 8, 0);
    sc_queue_abort(q); // leak checkers watch
    assert_int_equal(sc_queue_bytes(q), 0);
    assert_int_equal(sc_queue_pop(q, &got, -1), SC_EEOF);
    sc_queue_free(&q);
    q = sc_queue_new(&(struct sc_queue_params){.drop = free});
    sc_queue_push(q, sc_xcalloc(1, 8), 8, 0);
    sc_queue_free(&q);
    sc_queue_free(NULL);
}

static void *blocked_push(void *arg)
{
    return (void *)(intptr_t)sc_queue_push(arg, item(2), 0, -1);
}

static void test_closing_wakes_the_blocked(void **state)
{
    (void)state;
    sc_queue *q = make_queue(1, 0);
    pthread_t thread;
    void *ret;
    sc_queue_push(q, item(1), 0, 0);
    pthread_create(&thread, NULL, blocked_push, q);
    sc_clock_sleep(5 * SC_NS_PER_MS);
    sc_queue_abort(q);
    pthread_join(thread, &ret);
    assert_int_equal((intptr_t)ret, SC_EEOF);
    sc_queue_free(&q);
}

struct traffic {
    sc_queue *queue;
    atomic_long sum, popped;
};

static void *write_many(void *arg)
{
    struct traffic *t = arg;
    for (intptr_t i = 1; i <= EACH; i++)
        if (sc_queue_push(t->queue, item(i), (size_t)i % 7, -1) != SC_OK)
            return t;
    return NULL;
}

static void *read_many(void *arg)
{
    struct traffic *t = arg;
    void *got;
    while (sc_queue_pop(t->queue, &got, -1) == SC_OK) {
        atomic_fetch_add(&t->sum, (intptr_t)got);
        atomic_fetch_add(&t->popped, 1);
    }
    return NULL;
}

static void run_traffic(size_t max_bytes)
{
    struct traffic t = {.queue = make_queue(5, max_bytes)};
    pthread_t writers[WRITERS], readers[READERS];
    void *failed;
    for (int i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, read_many, &t);
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&writers[i], NULL, write_many, &t);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i], &failed);
        assert_null(failed);
    }
    sc_queue_finish(t.queue);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(t.popped, WRITERS * EACH);
    assert_int_equal(t.sum, (long)WRITERS * EACH * (EACH + 1) / 2);
    sc_queue_free(&t.queue);
}

static void test_many_threads_lose_nothing(void **state)
{
    (void)state;
    run_traffic(0);
    run_traffic(9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_bounded_in_items),
        cmocka_unit_test(test_bounded_in_bytes),
        cmocka_unit_test(test_finish_drains),
        cmocka_unit_test(test_abort_and_free_drop_items),
        cmocka_unit_test(test_closing_wakes_the_blocked),
        cmocka_unit_test(test_many_threads_lose_nothing),
    };
    return cmocka_run_group_tests_name("base/queue", tests, NULL, NULL);
}
