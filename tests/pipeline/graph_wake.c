// Wakers, timers, holding back: stages whose results come from elsewhere.
#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fake.h"
#include "pipeline/graph.h"

#define MS SC_NS_PER_MS

// --- waking -----------------------------------------------------------------------------------

// Counts; never ends by itself.
struct sleeper {
    sc_stage *stage;
    atomic_int opens, pulls, wokens;
    atomic_bool asked, missed; // asked: by a thread that wakes
    int64_t woken_at[8];
};

static int sleeper_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct sleeper *)self)->stage = stage;
    return SC_OK;
}

static int sleeper_pull(void *self, sc_err *err)
{
    (void)err;
    atomic_fetch_add(&((struct sleeper *)self)->pulls, 1);
    return SC_EAGAIN;
}

static int sleeper_woken(void *self, sc_err *err)
{
    (void)err;
    struct sleeper *s = self;
    atomic_store(&s->asked, false);
    int n = atomic_load(&s->wokens);
    if (n < 8)
        s->woken_at[n] = sc_clock_now();
    atomic_fetch_add(&s->wokens, 1);
    return SC_OK;
}

static const struct sc_stage_ops sleeper_ops = {
    .kind = "sleeper", .open = sleeper_open, .pull = sleeper_pull, .woken = sleeper_woken};

static sc_graph *start_sleeper(struct sleeper *s, sc_stage **stage)
{
    sc_graph *graph = fake_graph(NULL);
    struct sc_stage_params params = {.ops = &sleeper_ops, .self = s, .out = {&fake_type}};
    assert_int_equal(sc_graph_add(graph, &params, stage, NULL), SC_OK);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    fake_wait_for(&s->pulls, 1);
    return graph;
}

static void test_sleeps_until_woken(void **state)
{
    (void)state;
    struct sleeper s = {0};
    sc_stage *stage;
    sc_graph *graph = start_sleeper(&s, &stage);
    sc_clock_sleep(20 * MS);
    assert_int_equal(s.pulls, 1);
    for (int i = 1; i <= 5; i++) {
        sc_stage_wake(stage);
        fake_wait_for(&s.wokens, i);
        fake_wait_for(&s.pulls, i + 1); // goes on where it had nothing
    }
    sc_graph_close(&graph);
}

static int open_when_woken(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    struct sleeper *s = self;
    s->stage = stage;
    return atomic_fetch_add(&s->opens, 1) ? SC_OK : SC_EAGAIN;
}

static void test_open_is_tried_again_when_woken(void **state)
{
    (void)state;
    static const struct sc_stage_ops ops = {
        .kind = "late", .open = open_when_woken, .pull = sleeper_pull};
    struct sleeper s = {0};
    sc_stage *stage;
    sc_graph *graph = fake_graph(NULL);
    struct sc_stage_params params = {.ops = &ops, .self = &s, .out = {&fake_type}};
    assert_int_equal(sc_graph_add(graph, &params, &stage, NULL), SC_OK);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    fake_wait_for(&s.opens, 1);
    sc_clock_sleep(10 * MS);
    assert_int_equal(s.opens, 1);
    assert_int_equal(s.pulls, 0);
    sc_stage_wake(stage);
    fake_wait_for(&s.pulls, 1);
    assert_int_equal(s.opens, 2);
    sc_graph_close(&graph);
}

struct nagger {
    struct sleeper *sleeper;
    sc_waker *waker;
};

static void *nag(void *arg)
{
    struct nagger *n = arg;
    for (int i = 0; i < 2000; i++) {
        atomic_store(&n->sleeper->asked, true);
        sc_waker_wake(n->waker);
    }
    return NULL;
}

static void test_no_wake_is_lost(void **state)
{
    (void)state;
    struct sleeper s = {0};
    sc_stage *stage;
    pthread_t threads[3];
    sc_graph *graph = start_sleeper(&s, &stage);
    struct nagger nagger = {&s, sc_stage_waker(stage)};
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, nag, &nagger);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; atomic_load(&s.asked); i++) { // a call follows the last wake
        assert_true(i < 5000);
        sc_clock_sleep(MS);
    }
    sc_waker_unref(&nagger.waker);
    sc_graph_close(&graph);
}

static void test_waker_outlives_the_graph(void **state)
{
    (void)state;
    struct sleeper s = {0};
    sc_stage *stage;
    sc_graph *graph = start_sleeper(&s, &stage);
    sc_waker *waker = sc_stage_waker(stage), *second = sc_waker_ref(waker);
    sc_waker_unref(&second);
    sc_graph_cancel(graph);
    sc_graph_wait(graph, -1, NULL);
    sc_waker_wake(waker); // ended, not closed
    sc_stage_wake_at(stage, 1);
    sc_graph_close(&graph);
    sc_waker_wake(waker);
    sc_waker_unref(&waker);
    sc_waker_unref(&waker);
    sc_waker_wake(NULL);
    assert_null(sc_waker_ref(NULL));
}

static void test_timer(void **state)
{
    (void)state;
    struct sleeper s = {0};
    sc_stage *stage;
    sc_graph *graph = start_sleeper(&s, &stage);
    int64_t now = sc_clock_now();
    sc_stage_wake_at(stage, now + 3600 * SC_NS_PER_S);
    sc_stage_wake_at(stage, now + 20 * MS); // the earliest counts
    sc_stage_wake_at(stage, now + 60 * SC_NS_PER_S);
    fake_wait_for(&s.wokens, 1);
    assert_true(s.woken_at[0] >= now + 20 * MS);
    assert_true(s.woken_at[0] < now + 5 * SC_NS_PER_S);
    sc_stage_wake_at(stage, INT64_MIN); // long past
    fake_wait_for(&s.wokens, 2);
    sc_clock_sleep(20 * MS);
    assert_int_equal(s.wokens, 2); // each is used up
    sc_graph_close(&graph);
}

// --- results from elsewhere -------------------------------------------------------------------

#define IN_FLIGHT 4

// A filter whose work is done by another pool's tasks, in any order; what comes out keeps its order.
struct async {
    sc_pool *workers; // the test's
    sc_stage *stage;
    struct async_job {
        struct sc_item item;
        sc_waker *waker;
        atomic_bool done;
    } jobs[IN_FLIGHT]; // a ring
    unsigned first, count;
    atomic_int running, most;
};

static void async_run(void *arg)
{
    struct async_job *job = arg;
    unsigned seed = (unsigned)((struct fake_item *)job->item.data)->n;
    sc_clock_sleep(rand_r(&seed) % 300 * 1000);
    sc_waker *waker = job->waker; // the job may be used again at once
    atomic_store(&job->done, true);
    sc_waker_wake(waker);
    sc_waker_unref(&waker);
}

static int async_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct async *)self)->stage = stage;
    return SC_OK;
}

static int async_push(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)err;
    struct async *a = self;
    assert_true(a->count < IN_FLIGHT);
    struct async_job *job = &a->jobs[(a->first + a->count++) % IN_FLIGHT];
    job->item = item;
    atomic_store(&job->done, false);
    job->waker = sc_stage_waker(a->stage);
    sc_pool_post(a->workers, SC_PRIO_NORMAL, async_run, job);
    sc_stage_hold(a->stage, in, a->count == IN_FLIGHT);
    return SC_OK;
}

static int async_woken(void *self, sc_err *err)
{
    (void)err;
    struct async *a = self;
    while (a->count && atomic_load(&a->jobs[a->first].done)) {
        sc_stage_emit(a->stage, 0, a->jobs[a->first].item);
        a->first = (a->first + 1) % IN_FLIGHT;
        a->count--;
    }
    sc_stage_hold(a->stage, 0, a->count == IN_FLIGHT);
    return SC_OK;
}

static int async_flush(void *self, sc_err *err)
{
    (void)err;
    return ((struct async *)self)->count ? SC_EAGAIN : SC_EEOF;
}

static void async_close(void *self)
{
    struct async *a = self;
    for (; a->count; a->count--, a->first = (a->first + 1) % IN_FLIGHT) {
        while (!atomic_load(&a->jobs[a->first].done))
            sc_clock_sleep(MS);
        fake_type.unref(a->jobs[a->first].item.data);
    }
}

static const struct sc_stage_ops async_ops = {.kind = "async",
                                              .open = async_open,
                                              .push = async_push,
                                              .woken = async_woken,
                                              .flush = async_flush,
                                              .close = async_close};

static void run_async(int count, int cancel_after_ms)
{
    struct async async = {.workers = sc_pool_open(&(struct sc_pool_params){.threads = 3})};
    struct fake source = {.count = count}, sink = {0};
    sc_graph *graph = fake_graph(NULL);
    struct sc_stage_params params = {
        .ops = &async_ops, .self = &async, .in = {&fake_type}, .out = {&fake_type}};
    sc_stage *stage;
    assert_int_equal(sc_graph_add(graph, &params, &stage, NULL), SC_OK);
    fake_link(graph, fake_add(graph, "source", &source, 0, 1, false, false), stage,
              SC_LINK_WAIT, 2);
    fake_link(graph, stage, fake_add(graph, "sink", &sink, 1, 0, false, false), SC_LINK_WAIT,
              2);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    if (cancel_after_ms) {
        sc_clock_sleep(cancel_after_ms * MS);
        sc_graph_cancel(graph);
    }
    int ret = sc_graph_wait(graph, 20000, NULL);
    assert_int_equal(ret, cancel_after_ms ? SC_ECANCELLED : SC_OK);
    for (int i = 0; i < sink.seen; i++)
        assert_int_equal(sink.order[i], i);
    if (!cancel_after_ms)
        assert_int_equal(sink.seen, count);
    sc_graph_close(&graph);
    sc_pool_close(&async.workers);
    assert_int_equal(fake_live(), 0);
}

static void test_async_stage_keeps_order_and_flushes(void **state)
{
    (void)state;
    run_async(600, 0);
}

static void test_async_stage_is_cancelled(void **state)
{
    (void)state;
    for (int i = 1; i < 6; i++)
        run_async(1 << 30, i);
}

// --- offered again ----------------------------------------------------------------------------

static void test_put_back_until_woken(void **state)
{
    (void)state;
    atomic_int gate = 0;
    struct fake source = {.count = 20}, sink = {.gate = &gate};
    sc_graph *graph = fake_graph(NULL);
    sc_stage *to = fake_add(graph, "sink", &sink, 1, 0, false, false);
    fake_link(graph, fake_add(graph, "source", &source, 0, 1, false, false), to, SC_LINK_WAIT,
              3);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    fake_wait_for(&sink.calls[FAKE_PUSH], 1);
    sc_clock_sleep(10 * MS);
    assert_int_equal(sink.calls[FAKE_PUSH], 1); // not asked again by itself
    for (int i = 0; i < 20; i++) {
        assert_int_equal(sink.seen, i);
        atomic_store(&gate, 1);
        sc_stage_wake(to);
        fake_wait_for(&sink.seen, i + 1);
    }
    assert_int_equal(sc_graph_wait(graph, 10000, NULL), SC_OK);
    for (int i = 0; i < 20; i++)
        assert_int_equal(sink.order[i], i);
    struct sc_graph_stats stats;
    sc_graph_get_stats(graph, &stats);
    assert_int_equal(stats.links[0].taken, 20);
    assert_int_equal(stats.stages[0].taken, 20);
    assert_true(stats.links[0].most_items <= 4); // its bound, and the one put back
    sc_graph_stats_release(&stats);
    sc_graph_close(&graph);
    assert_int_equal(fake_live(), 0);
}

// --- several inputs ---------------------------------------------------------------------------

// Takes nothing until woken, then notes what comes from where.
struct collector {
    sc_stage *stage;
    int count, inputs[16];
};

static int collector_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct collector *)self)->stage = stage;
    for (int in = 0; in < 2; in++)
        sc_stage_hold(stage, in, true);
    return SC_OK;
}

static int collector_woken(void *self, sc_err *err)
{
    (void)err;
    for (int in = 0; in < 2; in++)
        sc_stage_hold(((struct collector *)self)->stage, in, false);
    return SC_OK;
}

static int collector_push(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)err;
    struct collector *c = self;
    c->inputs[c->count++] = in;
    fake_type.unref(item.data);
    return SC_OK;
}

static void wait_for_items(sc_graph *graph, size_t each)
{
    for (bool there = false; !there; sc_clock_sleep(MS)) {
        struct sc_graph_stats stats;
        sc_graph_get_stats(graph, &stats);
        there = stats.links[0].items == each && stats.links[1].items == each;
        sc_graph_stats_release(&stats);
    }
}

static void test_earliest_of_all_inputs_comes_first(void **state)
{
    (void)state;
    static const struct sc_stage_ops ops = {.kind = "collector",
                                            .open = collector_open,
                                            .push = collector_push,
                                            .woken = collector_woken};
    struct fake a = {.count = 6}, b = {.count = 6};
    struct collector c = {0};
    sc_graph *graph = fake_graph(NULL);
    sc_stage *to;
    struct sc_stage_params params = {.ops = &ops, .self = &c, .in = {&fake_type, &fake_type}};
    assert_int_equal(sc_graph_add(graph, &params, &to, NULL), SC_OK);
    fake_link(graph, fake_add(graph, "a", &a, 0, 1, false, false), to, SC_LINK_WAIT, 8);
    struct sc_link_params second = {
        .from = fake_add(graph, "b", &b, 0, 1, false, false), .to = to, .in = 1};
    assert_int_equal(sc_graph_link(graph, &second, NULL), SC_OK);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    wait_for_items(graph, 6);
    sc_stage_wake(to);
    assert_int_equal(sc_graph_wait(graph, 10000, NULL), SC_OK);
    assert_int_equal(c.count, 12);
    for (int i = 0; i < 12; i++)
        assert_int_equal(c.inputs[i], i % 2);
    sc_graph_close(&graph);
    assert_int_equal(fake_live(), 0);
}

// --- sound and picture ------------------------------------------------------------------------

// Emits `apart` pictures, then as many sounds, and so on: badly interleaved.
struct demux {
    sc_stage *stage;
    int apart, made, count;
};

static int demux_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct demux *)self)->stage = stage;
    return SC_OK;
}

static int demux_pull(void *self, sc_err *err)
{
    (void)err;
    struct demux *d = self;
    if (d->made == d->count)
        return SC_EEOF;
    int n = d->made++, out = n / d->apart % 2;
    sc_stage_emit(d->stage, out, (struct sc_item){fake_item_new(n, 1, true), .pts_ns = n});
    return SC_OK;
}

// Takes them in pairs: holds whichever is ahead.
struct mux {
    sc_stage *stage;
    int got[2];
    bool ended[2];
    int most_apart;
};

static int mux_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct mux *)self)->stage = stage;
    return SC_OK;
}

static void mux_balance(struct mux *m)
{
    for (int in = 0; in < 2; in++)
        sc_stage_hold(m->stage, in, !m->ended[!in] && m->got[in] > m->got[!in]);
}

static int mux_push(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)err;
    struct mux *m = self;
    m->got[in]++;
    int apart = abs(m->got[0] - m->got[1]);
    m->most_apart = apart > m->most_apart ? apart : m->most_apart;
    mux_balance(m);
    fake_type.unref(item.data);
    return SC_OK;
}

static int mux_ended(void *self, int in, sc_err *err)
{
    (void)err;
    struct mux *m = self;
    m->ended[in] = true;
    mux_balance(m);
    return SC_OK;
}

static const struct sc_stage_ops demux_ops = {
    .kind = "demux", .open = demux_open, .pull = demux_pull};
static const struct sc_stage_ops mux_ops = {
    .kind = "mux", .open = mux_open, .push = mux_push, .ended = mux_ended};

// demux -> filter -> mux for pictures, demux -> mux for sound; and a recorder of pictures beside,
// which is slow and must not be flooded for the mux's sake.
static int run_mux(struct mux *mux, int apart, int count, struct fake *recorder, sc_err *err)
{
    struct demux demux = {.apart = apart, .count = count};
    struct fake filter = {0};
    sc_graph *graph = fake_graph(NULL);
    sc_stage *from, *to, *between = fake_add(graph, "filter", &filter, 1, 1, false, false);
    struct sc_stage_params source = {
        .ops = &demux_ops, .self = &demux, .out = {&fake_type, &fake_type}};
    struct sc_stage_params sink = {
        .ops = &mux_ops, .self = mux, .in = {&fake_type, &fake_type}};
    assert_int_equal(sc_graph_add(graph, &source, &from, NULL), SC_OK);
    assert_int_equal(sc_graph_add(graph, &sink, &to, NULL), SC_OK);
    fake_link(graph, from, between, SC_LINK_WAIT, 4);
    fake_link(graph, between, to, SC_LINK_WAIT, 4);
    struct sc_link_params sound = {.from = from, .out = 1, .to = to, .in = 1, .max_items = 4};
    assert_int_equal(sc_graph_link(graph, &sound, NULL), SC_OK);
    if (recorder)
        fake_link(graph, from, fake_add(graph, "recorder", recorder, 1, 0, true, false),
                  SC_LINK_WAIT, 2);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    int ret = sc_graph_wait(graph, 10000, err);
    struct sc_graph_stats stats;
    sc_graph_get_stats(graph, &stats);
    if (recorder)
        assert_int_equal(stats.links[3].most_items, 2);
    sc_graph_stats_release(&stats);
    sc_graph_close(&graph);
    assert_int_equal(fake_live(), 0);
    return ret;
}

static void test_sound_and_picture_far_apart(void **state)
{
    (void)state;
    static const int aparts[] = {1, 3, 8, 30, 60};
    for (size_t i = 0; i < SC_COUNT(aparts); i++) {
        struct mux mux = {0};
        assert_int_equal(run_mux(&mux, aparts[i], 480, NULL, NULL), SC_OK);
        assert_int_equal(mux.got[0] + mux.got[1], 480);
    }
}

static void test_slow_reader_beside_keeps_its_bound(void **state)
{
    (void)state;
    struct mux mux = {0};
    struct fake recorder = {.step_ns = MS / 2};
    assert_int_equal(run_mux(&mux, 40, 400, &recorder, NULL), SC_OK);
    assert_int_equal(mux.got[0] + mux.got[1], 400);
    assert_int_equal(recorder.seen, 200);
}

static void test_too_far_apart_is_an_error(void **state)
{
    (void)state;
    struct mux mux = {0};
    sc_err err = {0};
    assert_int_equal(run_mux(&mux, 1000, 4000, NULL, &err), SC_ELIMIT);
    assert_memory_equal(err.text, "mux: ", 5);
}

// --- many graphs ------------------------------------------------------------------------------

static int count_threads(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

#define IDLE 200

struct crowd {
    sc_pool *pool;
    sc_cancel *stop;
    struct sleeper sleepers[IDLE];
    sc_graph *graphs[IDLE];
    sc_stage *stages[IDLE];
};

static struct crowd *start_crowd(void)
{
    struct crowd *c = sc_new(struct crowd);
    c->pool = sc_pool_open(&(struct sc_pool_params){.threads = 2});
    c->stop = sc_cancel_new(NULL);
    int threads = count_threads();
    for (int i = 0; i < IDLE; i++) {
        const struct sc_graph_params options = {.pool = c->pool, .cancel = c->stop};
        const struct sc_stage_params params = {
            .ops = &sleeper_ops, .self = &c->sleepers[i], .out = {&fake_type}};
        assert_int_equal(sc_graph_open(&c->graphs[i], &options, NULL), SC_OK);
        assert_int_equal(sc_graph_add(c->graphs[i], &params, &c->stages[i], NULL), SC_OK);
        assert_int_equal(sc_graph_start(c->graphs[i], NULL), SC_OK);
    }
    for (int i = 0; i < IDLE; i++)
        fake_wait_for(&c->sleepers[i].pulls, 1);
    assert_in_range(count_threads(), threads, threads + 1);
    return c;
}

static void test_idle_graphs_share_a_thread(void **state)
{
    (void)state;
    int before = count_threads();
    struct crowd *c = start_crowd();
    int64_t start = sc_clock_now() + 20 * MS;
    for (int i = 0; i < IDLE; i++)
        sc_stage_wake_at(c->stages[i], start + i * 77 % IDLE * MS / 4);
    for (int i = 0; i < IDLE; i++) {
        fake_wait_for(&c->sleepers[i].wokens, 1);
        assert_true(c->sleepers[i].woken_at[0] >= start + i * 77 % IDLE * MS / 4);
    }
    for (int i = 0; i < IDLE; i += 2) // the others go on
        sc_graph_close(&c->graphs[i]);
    for (int i = 1; i < IDLE; i += 2) {
        sc_stage_wake_at(c->stages[i], sc_clock_now() + MS);
        fake_wait_for(&c->sleepers[i].wokens, 2);
    }
    sc_cancel_request(c->stop);
    for (int i = 1; i < IDLE; i += 2) {
        assert_int_equal(sc_graph_wait(c->graphs[i], 10000, NULL), SC_ECANCELLED);
        assert_int_equal(c->sleepers[i].wokens, 2);
        sc_graph_close(&c->graphs[i]);
    }
    sc_pool_close(&c->pool);
    sc_cancel_free(&c->stop);
    free(c);
    for (int i = 0; count_threads() > before; i++) { // the kernel is a little behind join
        assert_true(i < 1000);
        sc_clock_sleep(MS);
    }
}

// A time asked for before the start counts, too.
static void test_timer_before_the_start(void **state)
{
    (void)state;
    struct sleeper s = {0};
    sc_stage *stage;
    sc_graph *graph = fake_graph(NULL);
    struct sc_stage_params params = {.ops = &sleeper_ops, .self = &s, .out = {&fake_type}};
    assert_int_equal(sc_graph_add(graph, &params, &stage, NULL), SC_OK);
    int64_t when = sc_clock_now() + 20 * MS;
    sc_stage_wake_at(stage, when);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    fake_wait_for(&s.wokens, 1);
    assert_true(s.woken_at[0] >= when);
    sc_graph_close(&graph);
}

// on_end of a graph that shares its pool may come as late as it likes: close waits for it.
static void end_slowly(void *arg, int ret, const sc_err *err)
{
    (void)err;
    sc_clock_sleep(30 * MS);
    atomic_store((atomic_int *)arg, ret);
}

static void test_close_waits_for_on_end(void **state)
{
    (void)state;
    struct sleeper s = {0};
    atomic_int ended = 1;
    sc_graph *graph = NULL;
    sc_pool *pool = sc_pool_open(&(struct sc_pool_params){.threads = 1});
    const struct sc_graph_params options = {.pool = pool, .on_end = end_slowly, .arg = &ended};
    struct sc_stage_params params = {.ops = &sleeper_ops, .self = &s, .out = {&fake_type}};
    assert_int_equal(sc_graph_open(&graph, &options, NULL), SC_OK);
    assert_int_equal(sc_graph_add(graph, &params, NULL, NULL), SC_OK);
    assert_int_equal(sc_graph_start(graph, NULL), SC_OK);
    sc_graph_close(&graph);
    assert_int_equal(ended, SC_ECANCELLED);
    sc_pool_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleeps_until_woken),
        cmocka_unit_test(test_open_is_tried_again_when_woken),
        cmocka_unit_test(test_no_wake_is_lost),
        cmocka_unit_test(test_waker_outlives_the_graph),
        cmocka_unit_test(test_timer),
        cmocka_unit_test(test_async_stage_keeps_order_and_flushes),
        cmocka_unit_test(test_async_stage_is_cancelled),
        cmocka_unit_test(test_put_back_until_woken),
        cmocka_unit_test(test_earliest_of_all_inputs_comes_first),
        cmocka_unit_test(test_sound_and_picture_far_apart),
        cmocka_unit_test(test_slow_reader_beside_keeps_its_bound),
        cmocka_unit_test(test_too_far_apart_is_an_error),
        cmocka_unit_test(test_idle_graphs_share_a_thread),
        cmocka_unit_test(test_timer_before_the_start),
        cmocka_unit_test(test_close_waits_for_on_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
