// The threads by which packets leave, with peers by script in the place of the real ones.
#include "rtc/sender.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

enum { MOST = 64, FAR_S = 1000 };

// --- peers by script ----------------------------------------------------------------------------

struct script {
    sc_rtc_peer peer; // first: what the sender gets is this
    sc_rtc_sender *sender;
    // What it says when it is served: called by the sender's thread.
    int64_t (*serve)(struct script *script);
    int64_t after_ns[8]; // when it is due again, from now; 0 = not
    struct script *other;
    int64_t at_ns[MOST]; // when it was served
    int64_t due_ns[MOST];
    atomic_int count; // of that
    atomic_bool busy;
    atomic_int wished, seen; // wakes, and those of which a serve knew
    unsigned random;
};

sc_rtc_peer *sc_rtc_peer_ref(sc_rtc_peer *peer)
{
    atomic_fetch_add(&peer->refs, 1);
    return peer;
}

void sc_rtc_peer_unref(sc_rtc_peer **ppeer)
{
    assert_true(atomic_fetch_sub(&(*ppeer)->refs, 1) > 1); // the test has the last one
    *ppeer = NULL;
}

int64_t sc_rtc_peer_serve(sc_rtc_peer *peer)
{
    struct script *script = (struct script *)peer;
    assert_false(atomic_exchange(&script->busy, true)); // by one thread at a time
    int n = atomic_load(&script->count);
    if (n < MOST) {
        script->at_ns[n] = sc_clock_now();
        script->due_ns[n] = script->serve(script);
    }
    int64_t due = n < MOST ? script->due_ns[n] : script->serve(script);
    atomic_store(&script->busy, false);
    atomic_fetch_add(&script->count, 1);
    return due;
}

// As after_ns says, the one after the other.
static int64_t by_list(struct script *script)
{
    int n = atomic_load(&script->count);
    int64_t after = n < (int)SC_COUNT(script->after_ns) ? script->after_ns[n] : 0;
    return after ? sc_clock_now() + after : 0;
}

static struct script *new_script(sc_rtc_sender *sender, int64_t (*serve)(struct script *))
{
    struct script *script = sc_new(struct script);
    script->sender = sender;
    script->serve = serve;
    atomic_init(&script->peer.refs, 1);
    return script;
}

static void wake(struct script *script)
{
    sc_rtc_sender_wake(script->sender, &script->peer);
}

static bool wait_for(atomic_int *value, int wanted)
{
    for (int i = 0; i < 5000 && atomic_load(value) != wanted; i++)
        sc_clock_sleep(SC_NS_PER_MS);
    return atomic_load(value) == wanted;
}

static sc_rtc_sender *open_sender(void)
{
    sc_rtc_sender *sender;
    sc_err err = {0};
    assert_int_equal(sc_rtc_sender_open(&sender, &err), SC_OK);
    return sender;
}

// Nothing but the test holds it, now or soon.
static void free_script(struct script *script)
{
    assert_true(wait_for(&script->peer.refs, 1));
    free(script);
}

// --- tests --------------------------------------------------------------------------------------

static void test_each_at_its_time(void **state)
{
    (void)state;
    static const int ms[][3] = {{60, 20, 40}, {20, 40, 20}, {10, 80, 10}, {90, 5, 30}};
    sc_rtc_sender *sender = open_sender();
    struct script *scripts[SC_COUNT(ms)];
    for (size_t i = 0; i < SC_COUNT(ms); i++) {
        scripts[i] = new_script(sender, by_list);
        for (int k = 0; k < 3; k++)
            scripts[i]->after_ns[k] = ms[i][k] * SC_NS_PER_MS;
        wake(scripts[i]);
    }
    for (size_t i = 0; i < SC_COUNT(ms); i++)
        assert_true(wait_for(&scripts[i]->count, 4));
    sc_clock_sleep(20 * SC_NS_PER_MS); // who has nothing is left alone
    int late = 0;
    for (size_t i = 0; i < SC_COUNT(ms); i++) {
        assert_int_equal(atomic_load(&scripts[i]->count), 4);
        for (int k = 0; k < 3; k++) {
            int64_t by_ns = scripts[i]->at_ns[k + 1] - scripts[i]->due_ns[k];
            assert_true(by_ns >= 0);
            late += by_ns > 4 * SC_NS_PER_MS;
        }
    }
    assert_in_range(late, 0, 4); // of 12: the machine has other work, too
    sc_rtc_sender_close(&sender);
    for (size_t i = 0; i < SC_COUNT(ms); i++)
        free_script(scripts[i]);
}

static void test_a_wake_does_not_wait(void **state)
{
    (void)state;
    sc_rtc_sender *sender = open_sender();
    struct script *script = new_script(sender, by_list), *other = new_script(sender, by_list);
    for (size_t i = 0; i < SC_COUNT(script->after_ns); i++)
        script->after_ns[i] = other->after_ns[i] = FAR_S * SC_NS_PER_S;
    wake(other);
    assert_true(wait_for(&other->count, 1));
    for (int i = 1; i <= 5; i++) {
        wake(script);
        assert_true(wait_for(&script->count, i));
    }
    assert_int_equal(atomic_load(&other->count), 1);
    assert_int_equal(atomic_load(&script->peer.refs), 2); // it waits once
    // Two wait for what is far: both are let go.
    int64_t since = sc_clock_now();
    sc_rtc_sender_close(&sender);
    assert_true(sc_clock_now() - since < SC_NS_PER_S);
    assert_null(sender);
    sc_rtc_sender_close(&sender);
    sc_rtc_sender_close(NULL);
    free_script(script);
    free_script(other);
}

static void *wake_on_a_thread(void *arg)
{
    wake(arg);
    return NULL;
}

// The first time it is woken while it is being served, by another thread, and so is its neighbour.
static int64_t woken_meanwhile(struct script *script)
{
    pthread_t thread;
    if (atomic_load(&script->count) > 0)
        return 0;
    assert_int_equal(pthread_create(&thread, NULL, wake_on_a_thread, script), 0);
    pthread_join(thread, NULL);
    wake(script); // twice is once
    wake(script->other);
    return script->after_ns[0] ? sc_clock_now() + script->after_ns[0] : 0;
}

static void test_a_wake_during_serve(void **state)
{
    (void)state;
    sc_rtc_sender *sender = open_sender();
    for (int far = 0; far < 2; far++) {
        struct script *script = new_script(sender, woken_meanwhile);
        struct script *other = script->other = new_script(sender, by_list);
        script->after_ns[0] = far * FAR_S * SC_NS_PER_S;
        wake(script);
        assert_true(wait_for(&script->count, 2));
        assert_true(wait_for(&other->count, 1));
        sc_clock_sleep(20 * SC_NS_PER_MS);
        assert_int_equal(atomic_load(&script->count), 2);
        assert_int_equal(atomic_load(&other->count), 1);
        free_script(script);
        free_script(other);
    }
    sc_rtc_sender_close(&sender);
}

// One that wants to be served again and again, at once, keeps nobody away.
static int64_t greedy(struct script *script)
{
    return atomic_load(&script->wished) ? 0 : sc_clock_now();
}

static void test_nobody_is_kept_away(void **state)
{
    (void)state;
    sc_rtc_sender *sender = open_sender();
    struct script *script = new_script(sender, greedy), *other = new_script(sender, by_list);
    wake(script);
    for (int i = 1; i <= 20; i++) {
        wake(other);
        assert_true(wait_for(&other->count, i));
    }
    assert_true(atomic_load(&script->count) > 20);
    atomic_store(&script->wished, 1);
    sc_rtc_sender_close(&sender);
    free_script(script);
    free_script(other);
}

// --- any order ----------------------------------------------------------------------------------

enum { PEERS = 12, THREADS = 4, WAKES = 3000 };

// What was wished for before it is served is done then.
static int64_t at_random(struct script *script)
{
    atomic_store(&script->seen, atomic_load(&script->wished));
    script->random = script->random * 1664525 + 1013904223;
    unsigned what = script->random >> 24;
    if (what % 4 == 0)
        wake(script->other);
    return what % 3 == 0 ? 0 : sc_clock_now() + what * 10 * INT64_C(1000);
}

struct waker {
    struct script **scripts;
    unsigned random;
};

static void *wake_at_random(void *arg)
{
    struct waker *waker = arg;
    for (int i = 0; i < WAKES; i++) {
        waker->random = waker->random * 1664525 + 1013904223;
        struct script *script = waker->scripts[(waker->random >> 16) % PEERS];
        atomic_fetch_add(&script->wished, 1);
        wake(script);
        if (waker->random >> 28 == 0)
            sc_clock_sleep((waker->random >> 8) % 256 * INT64_C(1000));
    }
    return NULL;
}

static void test_any_order(void **state)
{
    (void)state;
    sc_rtc_sender *sender = open_sender();
    struct script *scripts[PEERS];
    struct waker wakers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < PEERS; i++) {
        scripts[i] = new_script(sender, at_random);
        scripts[i]->random = (unsigned)i;
    }
    for (int i = 0; i < PEERS; i++)
        scripts[i]->other = scripts[(i + 5) % PEERS];
    for (int i = 0; i < THREADS; i++) {
        wakers[i] = (struct waker){scripts, (unsigned)i * 77};
        assert_int_equal(pthread_create(&threads[i], NULL, wake_at_random, &wakers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < PEERS; i++) // no wake is lost
        assert_true(wait_for(&scripts[i]->seen, atomic_load(&scripts[i]->wished)));
    sc_rtc_sender_close(&sender); // with some that wait
    for (int i = 0; i < PEERS; i++)
        free_script(scripts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_at_its_time),    cmocka_unit_test(test_a_wake_does_not_wait),
        cmocka_unit_test(test_a_wake_during_serve), cmocka_unit_test(test_nobody_is_kept_away),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
