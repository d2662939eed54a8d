// Requests: the caches first, then a place in a group; and guesses at what is asked for next.
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/reader.h"
#include "media/reader_internal.h"

#define STEP           8 // asking this near the last frame is walking, not jumping
#define PREFETCH_SHARE 8 // of the frame cache's budget

sc_frame *sc_reader_peek(sc_reader *reader, int64_t n)
{
    return sc_cache_get(reader->engine->cache, (sc_key){reader->uid, (uint64_t)n});
}

bool sc_reader_cached(sc_reader *reader, int64_t n)
{
    return sc_cache_peek(reader->engine->cache, (sc_key){reader->uid, (uint64_t)n});
}

static void ignore_frame(void *arg, int ret, sc_frame *frame, const sc_err *err)
{
    (void)arg, (void)ret, (void)err;
    sc_frame_unref(&frame);
}

// Lock held. Asks for the frames likely to be asked for next: the following ones for a reader
// that walks forward, the rest of the GOP after a jump; as much as an eighth of the cache holds.
static void prefetch(sc_reader *reader, int64_t n)
{
    sc_reader_engine *engine = reader->engine;
    const struct sc_index_info *info = sc_index_get_info(reader->index);
    int64_t bytes = (int64_t)info->width * info->height * 3 / 2 + 1;
    int64_t room = (int64_t)engine->params.frame_cache_bytes / PREFETCH_SHARE / bytes;
    int64_t entry = sc_index_entry_for(reader->index, n), end = info->frames;
    bool walking = sc_reader_walks(reader, 1);
    if (sc_reader_walks(reader, -1))
        return; // the pass itself keeps what comes next
    if (!walking && entry + 1 < info->entries)
        end = sc_index_entry(reader->index, entry + 1).first_exact;
    if (n + room < end)
        end = n + room;
    for (int64_t i = n + 1; i < end && engine->pending < engine->params.max_pending / 2; i++) {
        if (sc_cache_peek(engine->cache, (sc_key){reader->uid, (uint64_t)i}))
            continue;
        struct sc_read *read = sc_new(struct sc_read);
        *read = (struct sc_read){.n = i, .flags = SC_READ_BACKGROUND, .fn = ignore_frame};
        sc_reader_enqueue(reader, read);
    }
}

// Lock held. Background reads left over from an older guess are dropped when a new one is made.
static void drop_guesses(sc_reader *reader)
{
    sc_reader_engine *engine = reader->engine;
    for (struct sc_group *g = engine->queue[1]; g; g = g->next) {
        if (g->reader != reader)
            continue;
        for (struct sc_read **at = &g->reads; *at;) {
            struct sc_read *read = *at;
            if (read->fn != ignore_frame) {
                at = &read->next;
                continue;
            }
            *at = read->next;
            engine->pending--;
            free(read);
        }
    }
}

bool sc_reader_walks(const sc_reader *reader, int direction)
{
    int64_t step = (reader->last - reader->before) * direction;
    return reader->before >= 0 && step > 0 && step <= STEP;
}

static void note_pattern(sc_reader *reader, int64_t n, int flags)
{
    sc_reader_engine *engine = reader->engine;
    if (flags & SC_READ_BACKGROUND)
        return;
    reader->before = reader->last;
    reader->last = n;
    engine->last_interactive_ns = sc_clock_now();
}

int sc_reader_get(sc_reader *reader, int64_t n, int flags, sc_frame_fn *fn, void *arg)
{
    sc_reader_engine *engine = reader->engine;
    pthread_mutex_lock(&engine->lock);
    int ret = n < 0 || n >= sc_index_get_info(reader->index)->frames ? SC_ERANGE : SC_OK;
    sc_frame *frame = NULL;
    if (ret >= 0) {
        note_pattern(reader, n, flags);
        frame = sc_cache_get(engine->cache, (sc_key){reader->uid, (uint64_t)n});
    }
    if (ret >= 0 && !frame) {
        ret = atomic_load(&reader->closing)                   ? SC_ECANCELLED
              : engine->pending >= engine->params.max_pending ? SC_EBUSY
                                                              : SC_OK;
    }
    if (ret >= 0 && !frame) {
        struct sc_read *read = sc_new(struct sc_read);
        *read = (struct sc_read){.n = n, .flags = flags, .fn = fn, .arg = arg};
        sc_reader_enqueue(reader, read);
    }
    if (ret >= 0 && !(flags & SC_READ_BACKGROUND) && !engine->params.no_prefetch) {
        drop_guesses(reader);
        prefetch(reader, n);
    }
    pthread_mutex_unlock(&engine->lock);
    if (frame)
        fn(arg, SC_OK, frame, NULL);
    return ret;
}

struct sync_read {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
    int ret;
    sc_frame *frame;
    sc_err err;
};

static void finish_sync(void *arg, int ret, sc_frame *frame, const sc_err *err)
{
    struct sync_read *sync = arg;
    pthread_mutex_lock(&sync->lock);
    sync->ret = ret;
    sync->frame = frame;
    if (err)
        sync->err = *err;
    sync->finished = true;
    pthread_cond_signal(&sync->done);
    pthread_mutex_unlock(&sync->lock);
}

int sc_reader_get_sync(sc_reader *reader, int64_t n, int flags, sc_frame **pframe, sc_err *err)
{
    struct sync_read sync = {.finished = false};
    *pframe = NULL;
    pthread_mutex_init(&sync.lock, NULL);
    pthread_cond_init(&sync.done, NULL);
    int ret = sc_reader_get(reader, n, flags, finish_sync, &sync);
    if (ret >= 0) {
        pthread_mutex_lock(&sync.lock);
        while (!sync.finished)
            pthread_cond_wait(&sync.done, &sync.lock);
        pthread_mutex_unlock(&sync.lock);
        ret = sync.ret;
        *pframe = sync.frame;
    }
    pthread_cond_destroy(&sync.done);
    pthread_mutex_destroy(&sync.lock);
    return ret < 0 ? sc_fail(err, ret, "%s", sc_err_text(&sync.err, ret)) : SC_OK;
}

// --- whole files ------------------------------------------------------------------------------

struct each {
    sc_index *index;
    int64_t from, to;
    int (*fn)(void *arg, sc_frame *frame);
    void *arg;
};

static int each_frame(void *arg, AVFrame *av, int64_t packet)
{
    struct each *each = arg;
    if (packet < 0 || packet >= sc_index_get_info(each->index)->packets)
        return 0;
    int64_t n = sc_index_packet(each->index, packet).frame;
    if (n < each->from || n >= each->to)
        return 0;
    AVFrame *own = av_frame_clone(av);
    sc_frame *frame = own ? sc_frame_wrap(own, n, sc_index_pts_ns(each->index, n)) : NULL;
    if (!frame) {
        av_frame_free(&own);
        return SC_ENOMEM;
    }
    int ret = each->fn(each->arg, frame);
    sc_frame_unref(&frame);
    return ret;
}

int sc_reader_each(sc_reader *reader, int64_t from, int64_t to, sc_cancel *cancel,
                   int (*fn)(void *arg, sc_frame *frame), void *arg)
{
    struct each each = {sc_reader_index(reader), from, to, fn, arg};
    int64_t frames = sc_index_get_info(each.index)->frames, last = -1;
    if (each.to > frames)
        each.to = frames;
    for (int64_t n = from < 0 ? each.to : from; n < each.to; n++) {
        int64_t packet = sc_index_frame_packet(each.index, n);
        last = packet > last ? packet : last;
    }
    int ret = last < 0 ? SC_ERANGE : SC_OK;
    if (ret >= 0) {
        int64_t entry = sc_index_entry_for(each.index, from);
        ret = sc_decode_range(
            each.index, reader->path, sc_index_entry(each.index, entry).packet, last + 1,
            reader->engine->thread_count, cancel, each_frame, &each, NULL, NULL);
    }
    sc_index_unref(&each.index);
    return ret;
}
