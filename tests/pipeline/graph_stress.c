// Many graphs at once, and ends at any moment.
#include <pthread.h>
#include <stdlib.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fake.h"
#include "pipeline/graph.h"

#define MS SC_NS_PER_MS

// source -> filter -> sink, and from the filter to a second sink that may fail and drops.
struct tree {
    sc_graph *graph;
    struct fake source, filter, sink, extra;
};

static void tree_make(struct tree *t, sc_pool *pool, unsigned *seed)
{
    bool blocking = rand_r(seed) % 2;
    enum sc_link_policy policy = rand_r(seed) % 4;
    t->graph = fake_graph(pool);
    sc_stage *source = fake_add(t->graph, "source", &t->source, 0, 1, blocking, false);
    sc_stage *filter = fake_add(t->graph, "filter", &t->filter, 1, 1, false, false);
    sc_stage *sink = fake_add(t->graph, "sink", &t->sink, 1, 0, blocking, false);
    sc_stage *extra = fake_add(t->graph, "extra", &t->extra, 1, 0, !blocking, true);
    fake_link(t->graph, source, filter, SC_LINK_WAIT, 1 + rand_r(seed) % 8);
    fake_link(t->graph, filter, sink, SC_LINK_WAIT, 1 + rand_r(seed) % 8);
    fake_link(t->graph, filter, extra, policy, 1 + rand_r(seed) % 8);
}

static void tree_close(struct tree *t)
{
    struct fake *fakes[] = {&t->source, &t->filter, &t->sink, &t->extra};
    sc_graph_close(&t->graph);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(fakes[i]->closes, 1);
        assert_int_equal(fakes[i]->overlaps, 0);
    }
}

struct canceller {
    sc_graph *graph;
    sc_stage *stage;
    int64_t after_ns;
};

static void *cancel_later(void *arg)
{
    struct canceller *c = arg;
    sc_clock_sleep(c->after_ns);
    sc_stage_wake(c->stage);
    sc_graph_cancel(c->graph);
    struct sc_graph_stats stats;
    sc_graph_get_stats(c->graph, &stats);
    sc_graph_stats_release(&stats);
    return NULL;
}

static void cancel_at_random(unsigned *seed)
{
    struct tree *t = sc_new(struct tree);
    t->source.count = rand_r(seed) % 3 ? -1 : rand_r(seed) % 200;
    t->source.entry_every = 5;
    t->source.wake_itself = rand_r(seed) % 2;
    t->filter.keep = rand_r(seed) % 20;
    t->sink.step_ns = rand_r(seed) % 50 * 1000;
    t->extra.fail_at = rand_r(seed) % FAKE_POINTS;
    t->extra.fail_after = rand_r(seed) % 20;
    tree_make(t, NULL, seed);
    assert_int_equal(sc_graph_start(t->graph, NULL), SC_OK);
    struct canceller c[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (struct canceller){t->graph, NULL, rand_r(seed) % 3000 * 1000};
        while (!t->source.opens && sc_graph_wait(t->graph, 0, NULL) == SC_EAGAIN)
            sc_clock_sleep(10000);
        c[i].stage = t->source.stage;
        assert_int_equal(pthread_create(&threads[i], NULL, cancel_later, &c[i]), 0);
    }
    int ret = sc_graph_wait(t->graph, 20000, NULL);
    assert_true(ret == SC_ECANCELLED || (ret == SC_OK && t->source.count >= 0));
    if (ret == SC_OK)
        assert_int_equal(t->sink.seen, t->source.count);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    tree_close(t);
    free(t);
    assert_int_equal(fake_live(), 0);
}

static void test_cancel_at_any_time(void **state)
{
    (void)state;
    unsigned seed = 3;
    for (int i = 0; i < 150; i++)
        cancel_at_random(&seed);
}

static void test_close_at_any_time(void **state)
{
    (void)state;
    unsigned seed = 5;
    for (int i = 0; i < 150; i++) {
        struct tree *t = sc_new(struct tree);
        t->source.count = -1;
        tree_make(t, NULL, &seed);
        assert_int_equal(sc_graph_start(t->graph, NULL), SC_OK);
        sc_clock_sleep(rand_r(&seed) % 1000 * 1000);
        tree_close(t);
        free(t);
        assert_int_equal(fake_live(), 0);
    }
}

#define GRAPHS 20

static void test_many_graphs_to_their_end(void **state)
{
    (void)state;
    unsigned seed = 11;
    sc_pool *pool = sc_pool_open(&(struct sc_pool_params){.threads = 2});
    struct tree *trees = sc_xcalloc(GRAPHS, sizeof(*trees));
    for (int i = 0; i < GRAPHS; i++) {
        trees[i].source.count = 300;
        tree_make(&trees[i], pool, &seed);
    }
    for (int i = 0; i < GRAPHS; i++)
        assert_int_equal(sc_graph_start(trees[i].graph, NULL), SC_OK);
    for (int i = 0; i < GRAPHS; i++) {
        assert_int_equal(sc_graph_wait(trees[i].graph, 60000, NULL), SC_OK);
        assert_int_equal(trees[i].sink.seen, 300);
        for (int n = 0; n < 300; n++)
            assert_int_equal(trees[i].sink.order[n], n);
        tree_close(&trees[i]);
    }
    free(trees);
    sc_pool_close(&pool);
    assert_int_equal(fake_live(), 0);
}

// Endless sources that nothing holds back, on two threads: each gets about as far as the others.
static void test_many_graphs_share_fairly(void **state)
{
    (void)state;
    sc_pool *pool = sc_pool_open(&(struct sc_pool_params){.threads = 2});
    struct tree *trees = sc_xcalloc(GRAPHS, sizeof(*trees));
    for (int i = 0; i < GRAPHS; i++) {
        struct tree *t = &trees[i];
        t->source = (struct fake){.count = -1, .step_ns = 100000};
        t->graph = fake_graph(pool);
        fake_link(t->graph, fake_add(t->graph, "source", &t->source, 0, 1, false, false),
                  fake_add(t->graph, "sink", &t->sink, 1, 0, false, false), SC_LINK_DROP_OLDEST,
                  4);
        assert_int_equal(sc_graph_start(t->graph, NULL), SC_OK);
    }
    int before[GRAPHS], least = 1 << 30, most = 0;
    fake_wait_for(&trees[GRAPHS - 1].source.calls[FAKE_PULL], 1); // the first one began earlier
    for (int i = 0; i < GRAPHS; i++)
        before[i] = atomic_load(&trees[i].source.calls[FAKE_PULL]);
    fake_wait_for(&trees[0].source.calls[FAKE_PULL], before[0] + 150);
    for (int i = 0; i < GRAPHS; i++) {
        int pulls = atomic_load(&trees[i].source.calls[FAKE_PULL]) - before[i];
        least = pulls < least ? pulls : least;
        most = pulls > most ? pulls : most;
    }
    for (int i = 0; i < GRAPHS; i++)
        sc_graph_cancel(trees[i].graph);
    for (int i = 0; i < GRAPHS; i++)
        sc_graph_close(&trees[i].graph);
    free(trees);
    sc_pool_close(&pool);
    assert_int_equal(fake_live(), 0);
    assert_true(least * 2 > most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_at_any_time),
        cmocka_unit_test(test_close_at_any_time),
        cmocka_unit_test(test_many_graphs_to_their_end),
        cmocka_unit_test(test_many_graphs_share_fairly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
