#include "fake.h"

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"

static atomic_int live;

int fake_live(void)
{
    return atomic_load(&live);
}

struct fake_item *fake_item_new(int n, size_t bytes, bool entry)
{
    struct fake_item *item = sc_new(struct fake_item);
    sc_ref_init(&item->ref);
    item->n = n;
    item->bytes = bytes;
    item->entry = entry;
    atomic_fetch_add(&live, 1);
    return item;
}

static void *item_ref(void *data)
{
    struct fake_item *item = data;
    sc_ref_inc(&item->ref);
    return item;
}

static void item_unref(void *data)
{
    struct fake_item *item = data;
    if (!sc_ref_dec(&item->ref))
        return;
    atomic_fetch_sub(&live, 1);
    free(item);
}

static size_t item_bytes(const void *data)
{
    return ((const struct fake_item *)data)->bytes;
}

static bool item_is_entry(const void *data)
{
    return ((const struct fake_item *)data)->entry;
}

const struct sc_item_type fake_type = {
    .name = "picture",
    .ref = item_ref,
    .unref = item_unref,
    .bytes = item_bytes,
    .is_entry = item_is_entry,
};
const struct sc_item_type fake_sound = {.name = "sound", .ref = item_ref, .unref = item_unref};

// --- the stage --------------------------------------------------------------------------------

// Counts the call, and says whether it is one that fails.
static int enter(struct fake *fake, enum fake_point point, sc_err *err)
{
    if (atomic_fetch_add(&fake->inside, 1))
        atomic_fetch_add(&fake->overlaps, 1);
    int call = atomic_fetch_add(&fake->calls[point], 1);
    if (fake->fail_at != point || call < fake->fail_after)
        return SC_OK;
    return sc_fail(err, fake->fail_code ? fake->fail_code : SC_EIO, "told to fail at %d",
                   (int)point);
}

static int leave(struct fake *fake, int ret)
{
    atomic_fetch_sub(&fake->inside, 1);
    return ret;
}

static int work(struct fake *fake)
{
    sc_clock_sleep(fake->step_ns);
    while (fake->block && !atomic_load(&fake->stop))
        sc_clock_sleep(SC_NS_PER_MS);
    return atomic_load(&fake->stop) ? SC_ECANCELLED : SC_OK;
}

static int fake_open(void *self, sc_stage *stage, sc_err *err)
{
    struct fake *fake = self;
    fake->stage = stage;
    atomic_fetch_add(&fake->opens, 1);
    return leave(fake, enter(fake, FAKE_OPEN, err));
}

static void emit_all(struct fake *fake, struct sc_item item)
{
    for (int out = 0; out < fake->outs; out++) {
        item_ref(item.data);
        sc_stage_emit(fake->stage, out, item);
    }
    item_unref(item.data);
}

static int fake_pull(void *self, sc_err *err)
{
    struct fake *fake = self;
    int ret = enter(fake, FAKE_PULL, err);
    if (ret >= 0)
        ret = work(fake);
    if (ret >= 0 && fake->count >= 0 && fake->made >= fake->count)
        ret = SC_EEOF;
    if (ret >= 0) {
        int n = fake->made++;
        bool entry = !fake->entry_every || n % fake->entry_every == 0;
        emit_all(fake, (struct sc_item){fake_item_new(n, fake->bytes, entry),
                                        .pts_ns = n * SC_NS_PER_MS});
        if (fake->wake_itself)
            sc_stage_wake(fake->stage);
    }
    return leave(fake, ret);
}

static bool gate_is_shut(struct fake *fake)
{
    if (!fake->gate)
        return false;
    if (atomic_load(fake->gate) <= 0)
        return true;
    atomic_fetch_sub(fake->gate, 1);
    return false;
}

static int fake_push(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)in;
    struct fake *fake = self;
    int ret = enter(fake, FAKE_PUSH, err);
    if (ret >= 0)
        ret = work(fake);
    if (ret >= 0 && gate_is_shut(fake))
        ret = SC_EAGAIN;
    if (ret < 0)
        return leave(fake, ret);
    const struct fake_item *data = item.data;
    int i = atomic_load(&fake->seen);
    if (i < FAKE_SEEN) {
        fake->order[i] = data->n;
        fake->pts[i] = item.pts_ns;
    }
    if (fake->kept_count < fake->keep)
        fake->kept[fake->kept_count++] = item;
    else
        emit_all(fake, item);
    atomic_fetch_add(&fake->seen, 1);
    if (fake->wake_itself)
        sc_stage_wake(fake->stage);
    return leave(fake, ret);
}

static int fake_ended(void *self, int in, sc_err *err)
{
    (void)in;
    return leave(self, enter(self, FAKE_ENDED, err));
}

static int fake_flush(void *self, sc_err *err)
{
    struct fake *fake = self;
    int ret = enter(fake, FAKE_FLUSH, err);
    if (ret >= 0 && !fake->kept_count)
        ret = SC_EEOF;
    if (ret >= 0)
        emit_all(fake, fake->kept[--fake->kept_count]);
    return leave(fake, ret);
}

static int fake_woken(void *self, sc_err *err)
{
    return leave(self, enter(self, FAKE_WOKEN, err));
}

static void fake_interrupt(void *self)
{
    struct fake *fake = self;
    atomic_fetch_add(&fake->interrupts, 1);
    atomic_store(&fake->stop, true);
}

static void fake_close(void *self)
{
    struct fake *fake = self;
    if (atomic_fetch_add(&fake->inside, 1))
        atomic_fetch_add(&fake->overlaps, 1);
    while (fake->kept_count)
        item_unref(fake->kept[--fake->kept_count].data);
    atomic_fetch_add(&fake->closes, 1);
    leave(fake, 0);
}

#define FAKE_OPS                                                                               \
    .open = fake_open, .pull = fake_pull, .push = fake_push, .ended = fake_ended,              \
    .flush = fake_flush, .woken = fake_woken, .interrupt = fake_interrupt, .close = fake_close

const struct sc_stage_ops fake_ops = {.kind = "fake", FAKE_OPS};
const struct sc_stage_ops fake_blocking_ops = {.kind = "fake", .blocking = true, FAKE_OPS};

sc_stage *fake_add(sc_graph *graph, const char *name, struct fake *fake, int in, int out,
                   bool blocking, bool optional)
{
    struct sc_stage_params params = {
        .name = name,
        .ops = blocking ? &fake_blocking_ops : &fake_ops,
        .self = fake,
        .optional = optional,
    };
    for (int i = 0; i < in; i++)
        params.in[i] = &fake_type;
    for (int i = 0; i < out; i++)
        params.out[i] = &fake_type;
    fake->outs = out;
    sc_err err = {0};
    sc_stage *stage = NULL;
    assert_int_equal(sc_graph_add(graph, &params, &stage, &err), SC_OK);
    return stage;
}

void fake_link(sc_graph *graph, sc_stage *from, sc_stage *to, enum sc_link_policy policy,
               size_t max_items)
{
    struct sc_link_params params = {
        .from = from, .to = to, .policy = policy, .max_items = max_items};
    assert_int_equal(sc_graph_link(graph, &params, NULL), SC_OK);
}

sc_graph *fake_graph(sc_pool *pool)
{
    sc_graph *graph = NULL;
    struct sc_graph_params params = {.pool = pool, .threads = 2};
    assert_int_equal(sc_graph_open(&graph, &params, NULL), SC_OK);
    return graph;
}

void fake_wait_for(atomic_int *value, int least)
{
    for (int i = 0; atomic_load(value) < least; i++) {
        assert_true(i < 10000);
        sc_clock_sleep(SC_NS_PER_MS);
    }
}
