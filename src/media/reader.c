// Requests, groups and workers: who waits for what, and in which order it is decoded.
#include "media/reader.h"

#include <malloc.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "media/reader_internal.h"

#define QUIET_NS (20 * SC_NS_PER_MS) // background work waits for a lull this long
#define RESERVE  ((size_t)48 << 20)  // freed frame memory kept at hand
#define IDLE_NS  (10 * SC_NS_PER_S)  // live decoders are kept this long without work

// --- groups -----------------------------------------------------------------------------------

// Puts the read where its n belongs; the same n stays in order of asking.
static void insert_read(struct sc_group *group, struct sc_read *read)
{
    struct sc_read **at = &group->reads;
    while (*at && (*at)->n <= read->n)
        at = &(*at)->next;
    read->next = *at;
    *at = read;
}

static struct sc_group *find_group(struct sc_group *list, const sc_reader *reader,
                                   int64_t entry)
{
    for (struct sc_group *g = list; g; g = g->next) {
        if (g->reader == reader && g->index == reader->index && g->entry == entry)
            return g;
    }
    return NULL;
}

static void append_group(struct sc_group **list, struct sc_group *group)
{
    while (*list)
        list = &(*list)->next;
    group->next = NULL;
    *list = group;
}

static void remove_group(struct sc_group **list, struct sc_group *group)
{
    while (*list != group)
        list = &(*list)->next;
    *list = group->next;
}

static void free_group(struct sc_group *group)
{
    sc_index_unref(&group->index);
    free(group);
}

static void count_waiting(sc_reader_engine *engine, bool background, int delta)
{
    if (!background)
        atomic_fetch_add(&engine->interactive_waiting, delta);
}

// A background group that somebody now waits for joins the others.
static void promote(sc_reader_engine *engine, struct sc_group *group)
{
    if (!group->running) {
        remove_group(&engine->queue[1], group);
        append_group(&engine->queue[0], group);
    }
    atomic_store(&group->background, false);
    count_waiting(engine, false, 1);
}

void sc_reader_enqueue(sc_reader *reader, struct sc_read *read)
{
    sc_reader_engine *engine = reader->engine;
    bool background = read->flags & SC_READ_BACKGROUND;
    int64_t entry = sc_index_entry_for(reader->index, read->n);
    struct sc_group *group = find_group(engine->running, reader, entry);
    if (!group)
        group = find_group(engine->queue[0], reader, entry);
    if (!group)
        group = find_group(engine->queue[1], reader, entry);
    if (!group) {
        group = sc_new(struct sc_group);
        group->reader = reader;
        group->index = sc_index_ref(reader->index);
        group->uid = reader->uid;
        group->entry = entry;
        group->background = background;
        append_group(&engine->queue[background], group);
        count_waiting(engine, background, 1);
        reader->active++;
    } else {
        engine->stats.merged++;
        if (group->background && !background)
            promote(engine, group);
    }
    insert_read(group, read);
    engine->pending++;
    pthread_cond_signal(&engine->work);
}

void sc_group_complete(struct sc_group *group, int64_t n, int ret, sc_frame *frame,
                       const sc_err *err)
{
    sc_reader_engine *engine = group->reader->engine;
    struct sc_read *done = NULL, **tail = &done, **at;
    pthread_mutex_lock(&engine->lock);
    for (at = &group->reads; *at && (*at)->n < n;)
        at = &(*at)->next;
    while (*at && (*at)->n == n) {
        *tail = *at;
        tail = &(*at)->next;
        *at = (*at)->next;
        engine->pending--;
        engine->stats.delivered++;
    }
    *tail = NULL;
    pthread_mutex_unlock(&engine->lock);
    while (done) {
        struct sc_read *read = done;
        done = read->next;
        read->fn(read->arg, ret, sc_frame_ref(frame), err);
        free(read);
    }
}

// Completes whatever is left of a group with an error.
static void fail_group(struct sc_group *group, int ret, const sc_err *err)
{
    sc_reader_engine *engine = group->reader->engine;
    for (;;) {
        pthread_mutex_lock(&engine->lock);
        int64_t n = group->reads ? group->reads->n : -1;
        pthread_mutex_unlock(&engine->lock);
        if (n < 0)
            return;
        sc_group_complete(group, n, ret, NULL, err);
    }
}

// --- workers ----------------------------------------------------------------------------------

// Lock held. The next group to decode, or NULL; *wait_ns says how long background work still has
// to hold back.
static struct sc_group *pick(sc_reader_engine *engine, int64_t *wait_ns)
{
    struct sc_group *group = engine->queue[0];
    *wait_ns = 0;
    if (!group && engine->queue[1]) {
        *wait_ns = engine->last_interactive_ns + QUIET_NS - sc_clock_now();
        if (*wait_ns <= 0 && !atomic_load(&engine->interactive_waiting))
            group = engine->queue[1];
        else if (*wait_ns <= 0)
            *wait_ns = QUIET_NS;
    }
    if (!group)
        return NULL;
    remove_group(&engine->queue[group->background], group);
    group->running = true;
    append_group(&engine->running, group);
    engine->running_count++;
    return group;
}

// Lock held. Without work for a while live decoders are given up: they hold threads and frames.
// Returns how long to wait before that, 0 for no end, -1 when the lock was given up meanwhile.
static int64_t rest(sc_reader_engine *engine)
{
    if (!engine->slot_count || engine->running_count)
        return 0;
    int64_t wait_ns = engine->last_work_ns + IDLE_NS - sc_clock_now();
    if (wait_ns > 0)
        return wait_ns;
    sc_slots_close(engine, 0);
    pthread_mutex_unlock(&engine->lock);
    malloc_trim(0); // what decoders held is large: the system gets it back
    pthread_mutex_lock(&engine->lock);
    return -1;
}

static void wait_for_work(sc_reader_engine *engine, int64_t wait_ns)
{
    if (wait_ns <= 0)
        wait_ns = rest(engine);
    if (wait_ns < 0)
        return; // work may have come unheard
    if (!wait_ns) {
        pthread_cond_wait(&engine->work, &engine->lock);
        return;
    }
    int64_t until = sc_clock_now() + wait_ns;
    struct timespec ts = {until / SC_NS_PER_S, until % SC_NS_PER_S};
    pthread_cond_timedwait(&engine->work, &engine->lock, &ts);
}

// Lock held. A group with reads left goes back to its queue, an empty one ends.
static void put_back(sc_reader_engine *engine, struct sc_group *group)
{
    remove_group(&engine->running, group);
    engine->running_count--;
    group->running = false;
    engine->last_work_ns = sc_clock_now();
    if (!group->background)
        engine->last_interactive_ns = sc_clock_now();
    pthread_cond_broadcast(&engine->idle); // whoever closes the reader takes it from the queue
    if (group->reads) {
        append_group(&engine->queue[group->background], group);
        return;
    }
    count_waiting(engine, group->background, -1);
    group->reader->active--;
    free_group(group);
}

static void run_group(sc_reader_engine *engine, struct sc_group *group)
{
    bool wide = engine->running_count == 1 && !engine->queue[0];
    pthread_mutex_unlock(&engine->lock);
    sc_err err = {0};
    int ret = sc_group_decode(group, wide, &err);
    if (atomic_load(&group->reader->closing))
        ret = sc_fail(&err, SC_ECANCELLED, "the video was closed");
    if (ret < 0 && ret != SC_EAGAIN)
        fail_group(group, ret, &err);
    pthread_mutex_lock(&engine->lock);
}

static void *worker(void *arg)
{
    sc_reader_engine *engine = arg;
    int64_t wait_ns;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping) {
        struct sc_group *group = pick(engine, &wait_ns);
        if (group) {
            run_group(engine, group);
            put_back(engine, group);
        } else {
            wait_for_work(engine, wait_ns);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

// --- engine -----------------------------------------------------------------------------------

static void *ref_frame(void *frame)
{
    return sc_frame_ref(frame);
}

static void unref_frame(void *frame)
{
    sc_frame *f = frame;
    sc_frame_unref(&f);
}

static void init_lock(sc_reader_engine *engine)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&engine->work, &attr);
    pthread_cond_init(&engine->idle, NULL);
    pthread_condattr_destroy(&attr);
}

sc_reader_engine *sc_reader_engine_open(const struct sc_reader_engine_params *params)
{
    sc_reader_engine *engine = sc_new(sc_reader_engine);
    engine->params = *params;
    int threads = params->threads > 0 ? params->threads : sc_cpu_count();
    if (!engine->params.frame_cache_bytes)
        engine->params.frame_cache_bytes = (size_t)256 << 20;
    if (!engine->params.max_decoders)
        engine->params.max_decoders = 2 + threads;
    if (!engine->params.max_pending)
        engine->params.max_pending = 4096;
    engine->cache = sc_cache_new(&(struct sc_cache_params){
        .max_bytes = engine->params.frame_cache_bytes,
        .shards = 1, // frames are few and large: an even split would waste budget
        .ref = ref_frame,
        .unref = unref_frame,
    });
    engine->buffers = sc_buffers_new(RESERVE);
    init_lock(engine);
    atomic_init(&engine->next_uid, 1);
    engine->threads = sc_xcalloc((size_t)threads, sizeof(*engine->threads));
    for (; engine->thread_count < threads; engine->thread_count++) {
        if (pthread_create(&engine->threads[engine->thread_count], NULL, worker, engine))
            break;
    }
    if (!engine->thread_count)
        sc_reader_engine_close(&engine);
    return engine;
}

void sc_reader_engine_close(sc_reader_engine **pengine)
{
    sc_reader_engine *engine = pengine ? *pengine : NULL;
    if (!engine)
        return;
    pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    pthread_cond_broadcast(&engine->work);
    pthread_mutex_unlock(&engine->lock);
    for (int i = 0; i < engine->thread_count; i++)
        pthread_join(engine->threads[i], NULL);
    pthread_mutex_lock(&engine->lock);
    sc_slots_close(engine, 0);
    pthread_mutex_unlock(&engine->lock);
    sc_cache_free(&engine->cache);
    sc_buffers_unref(&engine->buffers);
    pthread_cond_destroy(&engine->work);
    pthread_cond_destroy(&engine->idle);
    pthread_mutex_destroy(&engine->lock);
    free(engine->threads);
    free(engine);
    *pengine = NULL;
}

void sc_reader_engine_get_stats(sc_reader_engine *engine, struct sc_reader_stats *stats)
{
    struct sc_cache_stats cache;
    sc_cache_get_stats(engine->cache, &cache);
    pthread_mutex_lock(&engine->lock);
    *stats = engine->stats;
    stats->decoders = engine->slot_count;
    pthread_mutex_unlock(&engine->lock);
    stats->decoded = atomic_load(&engine->decoded);
    stats->spared = atomic_load(&engine->spared);
    stats->hits = cache.hits;
    stats->misses = cache.misses;
    stats->cache_bytes = cache.bytes;
    stats->cache_items = cache.items;
}

// --- readers ----------------------------------------------------------------------------------

// Lock held, or the reader still private. Without memory for it every frame is reached linearly.
static void reset_approach(sc_reader *reader)
{
    free(reader->approach);
    reader->approach_count = sc_index_get_info(reader->index)->entries;
    reader->approach = sc_try_calloc((size_t)reader->approach_count, 1);
    if (!reader->approach)
        reader->approach_count = 0;
}

sc_reader *sc_reader_open(sc_reader_engine *engine, sc_index *index, const char *path)
{
    sc_reader *reader = sc_new(sc_reader);
    reader->engine = engine;
    reader->index = sc_index_ref(index);
    reader->path = sc_xstrdup(path);
    reader->uid = atomic_fetch_add(&engine->next_uid, 1);
    reader->last = reader->before = -1;
    reset_approach(reader);
    return reader;
}

// Lock held. Takes this reader's groups out of a queue.
static struct sc_group *take_groups(sc_reader *reader, struct sc_group **queue)
{
    struct sc_group *mine = NULL;
    for (struct sc_group **at = queue; *at;) {
        struct sc_group *group = *at;
        if (group->reader != reader) {
            at = &group->next;
            continue;
        }
        *at = group->next;
        count_waiting(reader->engine, group->background, -1);
        append_group(&mine, group);
    }
    return mine;
}

static void cancel_groups(sc_reader *reader, struct sc_group *groups)
{
    sc_err err = {0};
    int ret = sc_fail(&err, SC_ECANCELLED, "the video was closed");
    while (groups) {
        struct sc_group *group = groups;
        groups = group->next;
        fail_group(group, ret, &err);
        free_group(group);
        pthread_mutex_lock(&reader->engine->lock);
        reader->active--;
        pthread_mutex_unlock(&reader->engine->lock);
    }
}

void sc_reader_close(sc_reader **preader)
{
    sc_reader *reader = preader ? *preader : NULL;
    if (!reader)
        return;
    sc_reader_engine *engine = reader->engine;
    pthread_mutex_lock(&engine->lock);
    atomic_store(&reader->closing, true);
    do {
        struct sc_group *waiting = take_groups(reader, &engine->queue[0]);
        struct sc_group *background = take_groups(reader, &engine->queue[1]);
        pthread_mutex_unlock(&engine->lock);
        cancel_groups(reader, waiting);
        cancel_groups(reader, background);
        pthread_mutex_lock(&engine->lock);
        if (reader->active)
            pthread_cond_wait(&engine->idle, &engine->lock);
    } while (reader->active);
    sc_slots_close_reader(engine, reader);
    pthread_mutex_unlock(&engine->lock);
    sc_cache_drop_hi(engine->cache, reader->uid);
    sc_index_unref(&reader->index);
    free(reader->path);
    free(reader->approach);
    free(reader);
    *preader = NULL;
}

void sc_reader_set_index(sc_reader *reader, sc_index *index)
{
    sc_reader_engine *engine = reader->engine;
    sc_index_ref(index);
    pthread_mutex_lock(&engine->lock);
    sc_index *old = reader->index;
    reader->index = index;
    reset_approach(reader);
    uint64_t uid = reader->uid;
    reader->uid = atomic_fetch_add(&engine->next_uid, 1); // numbers may mean other frames now
    sc_slots_close_reader(engine, reader);
    pthread_mutex_unlock(&engine->lock);
    sc_cache_drop_hi(engine->cache, uid);
    sc_index_unref(&old);
}

sc_index *sc_reader_index(sc_reader *reader)
{
    pthread_mutex_lock(&reader->engine->lock);
    sc_index *index = sc_index_ref(reader->index);
    pthread_mutex_unlock(&reader->engine->lock);
    return index;
}
