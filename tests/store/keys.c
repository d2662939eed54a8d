// The suite that every key engine passes. Time stands still unless a test moves it.
#include "store/keys.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

enum { THREADS = 4, EACH = 5000 };

static atomic_llong fake_now;

static int64_t now(void)
{
    return atomic_load(&fake_now);
}

static sc_keys *open_keys(size_t max_items, size_t max_bytes)
{
    sc_keys *keys = NULL;
    const struct sc_keys_params params = {
        .backend = "memory", .max_items = max_items, .max_bytes = max_bytes, .now = now};
    assert_int_equal(sc_keys_open(&keys, &params, NULL), SC_OK);
    return keys;
}

static int setup(void **state)
{
    atomic_store(&fake_now, 1000);
    *state = open_keys(0, 0);
    return 0;
}

static int teardown(void **state)
{
    sc_keys_close((sc_keys **)state);
    return 0;
}

static void expect(sc_keys *keys, const char *key, const char *want)
{
    char *value;
    int ret = sc_keys_get(keys, key, &value);
    assert_int_equal(ret, want ? SC_OK : SC_ENOTFOUND);
    if (want)
        assert_string_equal(value, want);
    else
        assert_null(value);
    free(value);
}

static void a_key_lives(void **state)
{
    sc_keys *keys = *state;
    expect(keys, "a", NULL);
    assert_int_equal(sc_keys_set(keys, "a", "1", 0), SC_OK);
    assert_int_equal(sc_keys_set(keys, "", "empty", 0), SC_OK);
    expect(keys, "a", "1");
    expect(keys, "", "empty");
    assert_int_equal(sc_keys_set(keys, "a", "2", 0), SC_OK);
    expect(keys, "a", "2");
    assert_int_equal(sc_keys_delete(keys, "a"), SC_OK);
    assert_int_equal(sc_keys_delete(keys, "a"), SC_ENOTFOUND);
    expect(keys, "a", NULL);
}

static void keys_expire(void **state)
{
    sc_keys *keys = *state;
    sc_keys_set(keys, "short", "1", 10);
    sc_keys_set(keys, "long", "2", 20);
    sc_keys_set(keys, "ever", "3", 0);
    sc_keys_set(keys, "huge", "4", INT64_MAX);
    atomic_fetch_add(&fake_now, 9);
    expect(keys, "short", "1");
    atomic_fetch_add(&fake_now, 1);
    expect(keys, "short", NULL);
    expect(keys, "long", "2");
    sc_keys_set(keys, "long", "5", 20); // starts anew
    atomic_fetch_add(&fake_now, 19);
    expect(keys, "long", "5");
    atomic_fetch_add(&fake_now, 1);
    assert_int_equal(sc_keys_delete(keys, "long"), SC_ENOTFOUND);
    expect(keys, "ever", "3");
    expect(keys, "huge", "4");
}

static void counters_count(void **state)
{
    sc_keys *keys = *state;
    int64_t sum;
    assert_int_equal(sc_keys_add(keys, "n", 5, 10, &sum), SC_OK);
    assert_int_equal(sum, 5);
    atomic_fetch_add(&fake_now, 6);
    assert_int_equal(sc_keys_add(keys, "n", -7, 10, &sum), SC_OK);
    assert_int_equal(sum, -2);
    expect(keys, "n", "-2");
    atomic_fetch_add(&fake_now, 4); // ten after its creation, four after its last change
    expect(keys, "n", NULL);
    assert_int_equal(sc_keys_add(keys, "n", 1, 10, &sum), SC_OK);
    assert_int_equal(sum, 1);
}

static void bad_sums_are_refused(void **state)
{
    sc_keys *keys = *state;
    int64_t sum;
    sc_keys_set(keys, "word", "five", 0);
    assert_int_equal(sc_keys_add(keys, "word", 1, 0, &sum), SC_EDATA);
    expect(keys, "word", "five");
    assert_int_equal(sc_keys_add(keys, "n", INT64_MAX, 0, &sum), SC_OK);
    assert_int_equal(sc_keys_add(keys, "n", 1, 0, &sum), SC_ERANGE);
    expect(keys, "n", "9223372036854775807");
    assert_int_equal(sc_keys_add(keys, "m", INT64_MIN, 0, &sum), SC_OK);
    assert_int_equal(sc_keys_add(keys, "m", 1, 0, &sum), SC_OK);
    assert_true(sum == INT64_MIN + 1);
}

static void lengths_are_limited(void **state)
{
    sc_keys *keys = *state;
    char *key = sc_xcalloc(300, 1), *value = sc_xcalloc(70000, 1);
    int64_t sum;
    memset(key, 'k', 255);
    memset(value, 'v', 65535);
    assert_int_equal(sc_keys_set(keys, key, value, 0), SC_OK);
    expect(keys, key, value);
    key[255] = 'k';
    assert_int_equal(sc_keys_set(keys, key, "v", 0), SC_ELIMIT);
    assert_int_equal(sc_keys_delete(keys, key), SC_ELIMIT);
    assert_int_equal(sc_keys_add(keys, key, 1, 0, &sum), SC_ELIMIT);
    char *got;
    assert_int_equal(sc_keys_get(keys, key, &got), SC_ELIMIT);
    assert_null(got);
    value[65535] = 'v';
    assert_int_equal(sc_keys_set(keys, "a", value, 0), SC_ELIMIT);
    free(key);
    free(value);
}

static void the_soonest_to_expire_makes_room(void **state)
{
    (void)state;
    sc_keys *keys = open_keys(3, 0);
    sc_keys_set(keys, "ever", "1", 0);
    sc_keys_set(keys, "late", "2", 100);
    sc_keys_set(keys, "soon", "3", 50);
    sc_keys_set(keys, "new", "4", 75);
    expect(keys, "soon", NULL);
    expect(keys, "ever", "1");
    expect(keys, "late", "2");
    expect(keys, "new", "4");
    sc_keys_set(keys, "late", "5", 10); // replacing needs no room
    expect(keys, "new", "4");
    sc_keys_set(keys, "last", "6", 0);
    expect(keys, "late", NULL);
    expect(keys, "new", "4");
    sc_keys_close(&keys);
}

static void bytes_are_limited(void **state)
{
    (void)state;
    sc_keys *keys = open_keys(0, 100);
    sc_keys_set(keys, "a", "1234567890123456789012345678901234567", 10); // 40 with both NULs
    sc_keys_set(keys, "b", "1234567890123456789012345678901234567", 5);
    sc_keys_set(keys, "c", "1234567890123456789012345678901234567", 20);
    expect(keys, "b", NULL);
    expect(keys, "a", "1234567890123456789012345678901234567");
    expect(keys, "c", "1234567890123456789012345678901234567");
    char big[120] = {0};
    memset(big, 'v', 110);
    assert_int_equal(sc_keys_set(keys, "d", big, 0), SC_ELIMIT);
    expect(keys, "c", "1234567890123456789012345678901234567");
    sc_keys_close(&keys);
}

// Thousands of keys with mixed lives, against a plain array.
static void many_keys_agree_with_a_model(void **state)
{
    enum { KEYS = 3000, STEPS = 60000 };
    sc_keys *keys = *state;
    int64_t *expires = sc_xcalloc(KEYS, sizeof(*expires));
    unsigned random = 12345;
    for (int i = 0; i < STEPS; i++) {
        random = random * 1664525 + 1013904223;
        unsigned which = (random >> 8) % KEYS;
        char key[16], *value;
        snprintf(key, sizeof(key), "key%u", which);
        bool alive = expires[which] > now();
        if (random >> 30 == 0) {
            assert_int_equal(sc_keys_delete(keys, key), alive ? SC_OK : SC_ENOTFOUND);
            expires[which] = 0;
        } else if (random >> 30 == 1) {
            assert_int_equal(sc_keys_get(keys, key, &value), alive ? SC_OK : SC_ENOTFOUND);
            free(value);
        } else {
            int64_t ttl = 1 + (random >> 20) % 5000;
            assert_int_equal(sc_keys_set(keys, key, "v", ttl), SC_OK);
            expires[which] = now() + ttl;
        }
        atomic_fetch_add(&fake_now, 1);
    }
    free(expires);
}

static void *count_up(void *arg)
{
    sc_keys *keys = arg;
    for (int i = 0; i < EACH; i++) {
        char key[16], *value;
        int64_t sum;
        snprintf(key, sizeof(key), "k%d", i % 100);
        sc_keys_add(keys, "total", 1, 0, &sum);
        sc_keys_set(keys, key, "v", 1 + i % 7);
        sc_keys_get(keys, key, &value);
        free(value);
        atomic_fetch_add(&fake_now, 1);
    }
    return NULL;
}

static void threads_share_a_store(void **state)
{
    sc_keys *keys = *state;
    pthread_t threads[THREADS];
    char total[16];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, keys), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    snprintf(total, sizeof(total), "%d", THREADS * EACH);
    expect(keys, "total", total);
}

static void an_unknown_engine_is_refused(void **state)
{
    (void)state;
    sc_keys *keys;
    sc_err err = {0};
    assert_int_equal(sc_keys_open(&keys, &(struct sc_keys_params){.backend = "wax"}, &err),
                     SC_EARG);
    assert_null(keys);
    assert_non_null(strstr(err.text, "wax"));
    sc_keys_close(&keys);
    sc_keys_close(NULL);
}

int main(void)
{
    const struct CMUnitTest memory[] = {
        cmocka_unit_test_setup_teardown(a_key_lives, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_expire, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_count, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_sums_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(lengths_are_limited, setup, teardown),
        cmocka_unit_test(the_soonest_to_expire_makes_room),
        cmocka_unit_test(bytes_are_limited),
        cmocka_unit_test_setup_teardown(many_keys_agree_with_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_share_a_store, setup, teardown),
        cmocka_unit_test(an_unknown_engine_is_refused),
    };
    return cmocka_run_group_tests_name("keys/memory", memory, NULL, NULL);
}
