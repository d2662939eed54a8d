#include "base/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/buf.h"
#include "test.h"

static void *ref_buf(void *value)
{
    return sc_buf_ref(value);
}

static void unref_buf(void *value)
{
    sc_buf *buf = value;
    sc_buf_unref(&buf);
}

static sc_cache *make_cache(size_t max_bytes, int shards)
{
    return sc_cache_new(&(struct sc_cache_params){
        .max_bytes = max_bytes, .shards = shards, .ref = ref_buf, .unref = unref_buf});
}

static sc_key key(uint64_t hi, uint64_t lo)
{
    return (sc_key){hi, lo};
}

// Puts a buffer that holds lo and weighs `bytes`.
static void put(sc_cache *cache, uint64_t hi, uint64_t lo, size_t bytes)
{
    sc_buf *buf = sc_buf_new(sizeof(lo));
    *(uint64_t *)(void *)buf->data = lo;
    sc_cache_put(cache, key(hi, lo), buf, bytes);
    sc_buf_unref(&buf);
}

// True when it is there; checks that it is the right one.
static bool get(sc_cache *cache, uint64_t hi, uint64_t lo)
{
    sc_buf *buf = sc_cache_get(cache, key(hi, lo));
    if (!buf)
        return false;
    bool right = *(uint64_t *)(void *)buf->data == lo;
    sc_buf_unref(&buf);
    return right;
}

static struct sc_cache_stats stats_of(sc_cache *cache)
{
    struct sc_cache_stats stats;
    sc_cache_get_stats(cache, &stats);
    return stats;
}

static void test_put_get_drop(void **state)
{
    (void)state;
    sc_cache *cache = make_cache(8000, 0);
    put(cache, 1, 1, 10);
    put(cache, 1, 2, 10);
    put(cache, 2, 1, 10);
    assert_true(get(cache, 1, 1));
    assert_false(get(cache, 3, 1));
    assert_true(sc_cache_peek(cache, key(2, 1)));
    sc_cache_drop(cache, key(1, 1));
    assert_false(sc_cache_peek(cache, key(1, 1)));
    sc_cache_drop_hi(cache, 1);
    assert_false(get(cache, 1, 2));
    assert_true(get(cache, 2, 1));
    struct sc_cache_stats s = stats_of(cache);
    assert_int_equal(s.hits, 2);
    assert_int_equal(s.misses, 2);
    assert_int_equal(s.inserts, 3);
    assert_int_equal(s.items, 1);
    assert_int_equal(s.bytes, 10);
    sc_cache_free(&cache);
    assert_null(cache);
}

static void test_value_outlives_its_entry(void **state)
{
    (void)state;
    sc_cache *cache = make_cache(100, 1);
    put(cache, 0, 5, 10);
    sc_buf *held = sc_cache_get(cache, key(0, 5));
    sc_cache_free(&cache);
    assert_int_equal(*(uint64_t *)(void *)held->data, 5);
    sc_buf_unref(&held);
}

static void test_replacing(void **state)
{
    (void)state;
    sc_cache *cache = make_cache(100, 1);
    put(cache, 0, 1, 60);
    put(cache, 0, 1, 30);
    assert_int_equal(stats_of(cache).bytes, 30);
    assert_int_equal(stats_of(cache).items, 1);
    put(cache, 0, 1, 101); // too large: the old value must not be found either
    assert_false(get(cache, 0, 1));
    sc_cache_free(&cache);
}

static void test_budget_holds(void **state)
{
    (void)state;
    sc_cache *cache = make_cache(64000, 4);
    srand(1);
    for (int i = 0; i < 20000; i++) {
        uint64_t lo = (uint64_t)rand() % 3000;
        if (!get(cache, 0, lo))
            put(cache, 0, lo, (size_t)rand() % 400);
        if (i % 500 == 0)
            assert_true(stats_of(cache).bytes <= 64000);
    }
    struct sc_cache_stats s = stats_of(cache);
    assert_true(s.bytes > 64000 * 9 / 10);
    assert_true(s.evictions > 0);
    sc_cache_free(&cache);
}

static void test_no_budget_keeps_nothing(void **state)
{
    (void)state;
    sc_cache *cache = make_cache(0, 0);
    put(cache, 0, 1, 0);
    assert_false(get(cache, 0, 1));
    sc_cache_free(&cache);
}

static void test_scan_leaves_the_popular_alone(void **state)
{
    (void)state;
    sc_cache *cache = make_cache(1000, 1);
    for (uint64_t i = 0; i < 50; i++) {
        put(cache, 1, i, 10);
        assert_true(get(cache, 1, i));
    }
    for (uint64_t i = 0; i < 10000; i++) // a hundred times what fits, once each
        put(cache, 2, i, 10);
    for (uint64_t i = 0; i < 50; i++)
        assert_true(get(cache, 1, i));
    sc_cache_free(&cache);
}

static void test_ghosts_return_as_proven(void **state)
{
    (void)state;
    sc_cache *cache = make_cache(1000, 1);
    for (uint64_t i = 0; i < 130; i++)
        put(cache, 0, i, 10);
    assert_false(sc_cache_peek(cache, key(0, 20))); // left probation not long ago
    put(cache, 0, 20, 10);
    for (uint64_t i = 1000; i < 1500; i++)
        put(cache, 0, i, 10);
    assert_true(get(cache, 0, 20));
    sc_cache_free(&cache);
}

static void *hammer(void *arg)
{
    sc_cache *cache = arg;
    unsigned seed = (unsigned)(uintptr_t)&seed;
    for (int i = 0; i < 5000; i++) {
        uint64_t lo = (uint64_t)rand_r(&seed) % 400;
        if (i % 97 == 0)
            sc_cache_drop(cache, key(lo % 3, lo));
        else if (i % 1999 == 0)
            sc_cache_drop_hi(cache, lo % 3);
        else if (!sc_cache_peek(cache, key(lo % 3, lo)))
            put(cache, lo % 3, lo, lo);
        else
            get(cache, lo % 3, lo);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    sc_cache *cache = make_cache(20000, 2);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hammer, cache);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(stats_of(cache).bytes <= 20000);
    sc_cache_free(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_drop),
        cmocka_unit_test(test_value_outlives_its_entry),
        cmocka_unit_test(test_replacing),
        cmocka_unit_test(test_budget_holds),
        cmocka_unit_test(test_no_budget_keeps_nothing),
        cmocka_unit_test(test_scan_leaves_the_popular_alone),
        cmocka_unit_test(test_ghosts_return_as_proven),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests_name("base/cache", tests, NULL, NULL);
}
