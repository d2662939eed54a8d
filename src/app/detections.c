// Detections: cache, one flight for equal requests, frame, batch, hand out.
//
// A flight is one frame on its way to a model, with everybody who waits for it. It asks the reader
// for the frame, whose callback hands it to the batcher, which completes it. What fails before the
// batcher has it is told by a pool of one thread, so that nobody is called inside his own call.
#include "app/detections.h"

#include <xxhash.h>

#include "app/models_internal.h"
#include "app/videos_internal.h"
#include "base/cache.h"
#include "base/mem.h"
#include "vision/report.h"

#define BUCKETS     1024
#define MAX_PENDING 4096 // waiters, all flights together

struct waiter {
    struct waiter *next;
    sc_detect_fn *fn;
    void *arg;
    sc_cancel *cancel;
};

struct flight {
    // Immutable.
    sc_inference *inference;
    sc_video *video;       // referenced
    sc_instance *instance; // referenced
    sc_key key;
    int64_t n;
    enum sc_batch_priority priority;
    int64_t deadline_ns; // 0 = none

    // Under the lock.
    struct flight *next; // in its bucket
    struct waiter *waiters;

    // Owned by whoever carries the flight on: reader's callback, batcher, or the pool's task.
    struct sc_model_item item;
    sc_detections *found;
    int ret;
    sc_err err;
};

struct sc_inference {
    sc_models *models;
    sc_cache *cache; // of sc_detections
    sc_pool *pool;   // completes what failed early
    atomic_bool closing;
    atomic_uint_least64_t hits, misses;
    sc_counter *hits_total, *misses_total;

    pthread_mutex_t lock;
    // Under lock.
    struct flight *buckets[BUCKETS];
    size_t pending; // waiters
};

// --- keys ---------------------------------------------------------------------------------

static sc_key key_of(const sc_video *video, int64_t n, const sc_instance *instance)
{
    uint64_t parts[] = {(uint64_t)n, instance->uid};
    return (sc_key){.hi = video->uid, .lo = XXH3_64bits(parts, sizeof(parts))};
}

struct sc_view sc_video_view(sc_video *video)
{
    const struct sc_index_info *info = sc_index_get_info(video->index);
    return (struct sc_view){.rotation = info->rotation,
                            .hflip = info->hflip,
                            .vflip = info->vflip,
                            .sample_aspect = info->sample_aspect};
}

// --- landing ------------------------------------------------------------------------------

static struct flight **bucket_of(sc_inference *inference, sc_key key)
{
    return &inference->buckets[(key.lo ^ key.hi) % BUCKETS];
}

// From now on nobody can join. Under lock; again does nothing.
static void unlist(struct flight *flight)
{
    struct flight **p = bucket_of(flight->inference, flight->key);
    while (*p && *p != flight)
        p = &(*p)->next;
    if (*p)
        *p = flight->next;
}

// Takes the flight out of the table; its waiters are the caller's.
static struct waiter *detach(struct flight *flight)
{
    sc_inference *inference = flight->inference;
    pthread_mutex_lock(&inference->lock);
    unlist(flight);
    struct waiter *waiters = flight->waiters;
    for (struct waiter *w = waiters; w; w = w->next)
        inference->pending--;
    pthread_mutex_unlock(&inference->lock);
    return waiters;
}

static void land(void *arg)
{
    struct flight *flight = arg;
    struct waiter *waiter = detach(flight);
    sc_frame_unref(&flight->item.frame);
    while (waiter) {
        struct waiter *next = waiter->next;
        waiter->fn(waiter->arg, flight->ret, sc_detections_ref(flight->found), &flight->err);
        free(waiter);
        waiter = next;
    }
    sc_detections_unref(&flight->found);
    sc_instance_unref(&flight->instance);
    sc_video *video = flight->video;
    free(flight);
    sc_video_unref(&video); // last: all this may end with it
}

static void fail_later(struct flight *flight, int ret, const char *text)
{
    flight->ret = sc_fail(&flight->err, ret, "%s", text);
    // Waiters are bounded well below the pool's queue, so it takes the task.
    sc_require(!sc_pool_post(flight->inference->pool, SC_PRIO_INTERACTIVE, land, flight));
}

// --- in the air ---------------------------------------------------------------------------

// True when all who waited have left, or the video or the server goes.
static bool gone(void *arg)
{
    struct flight *flight = arg;
    sc_inference *inference = flight->inference;
    if (atomic_load(&flight->video->deleted) || atomic_load(&inference->closing))
        return true;
    pthread_mutex_lock(&inference->lock);
    bool all = true;
    for (struct waiter *w = flight->waiters; w && all; w = w->next)
        all = w->cancel && sc_cancel_requested(w->cancel);
    if (all)
        unlist(flight);
    pthread_mutex_unlock(&inference->lock);
    return all;
}

// On the batcher's thread.
static void on_batch(void *arg, int ret, void *out, const sc_err *err)
{
    struct flight *flight = arg;
    flight->ret = ret;
    flight->found = out;
    if (ret)
        flight->err = err && err->code ? *err : flight->err;
    // Kept before the flight leaves the table, so that nobody runs it twice.
    if (!ret)
        sc_cache_put(flight->inference->cache, flight->key, out, sc_detections_bytes(out));
    land(flight);
}

static void submit(struct flight *flight)
{
    sc_err err = {0};
    int64_t retry_ns;
    int ret = sc_batcher_submit(flight->instance->batcher,
                                &(struct sc_batch_request){
                                    .in = &flight->item,
                                    .priority = flight->priority,
                                    .deadline_ns = flight->deadline_ns,
                                    .done = on_batch,
                                    .arg = flight,
                                },
                                NULL, &retry_ns, &err);
    if (ret == SC_EBUSY)
        fail_later(flight, ret, "the model's queue is full: try again in a moment");
    else if (ret)
        fail_later(flight, ret, sc_err_text(&err, ret));
}

static void on_frame(void *arg, int ret, sc_frame *frame, const sc_err *err)
{
    struct flight *flight = arg;
    flight->item.frame = frame;
    if (ret)
        fail_later(flight, ret, sc_err_text(err, ret));
    else if (gone(flight))
        fail_later(flight, SC_ECANCELLED, "nobody waits for this any more");
    else
        submit(flight);
}

// --- taking off ---------------------------------------------------------------------------

static struct flight *new_flight(sc_inference *inference, const struct sc_detect_params *params,
                                 sc_key key)
{
    struct flight *flight = sc_new(struct flight);
    flight->inference = inference;
    flight->video = sc_video_ref(params->video);
    flight->instance = sc_instance_ref(params->instance);
    flight->key = key;
    flight->n = params->n;
    flight->priority = params->priority;
    flight->deadline_ns = params->deadline_ns;
    flight->item = (struct sc_model_item){
        .view = sc_video_view(params->video), .gone = gone, .arg = flight};
    return flight;
}

static bool serves(const struct flight *flight, const struct sc_detect_params *params,
                   sc_key key)
{
    bool patient = !flight->deadline_ns ||
                   (params->deadline_ns && flight->deadline_ns >= params->deadline_ns);
    return flight->key.hi == key.hi && flight->key.lo == key.lo && flight->n == params->n &&
           flight->instance == params->instance && flight->priority <= params->priority &&
           patient;
}

// Joins a flight or makes one (*pnew) and counts the waiter. SC_EBUSY.
static int board(sc_inference *inference, const struct sc_detect_params *params,
                 struct waiter *waiter, struct flight **pnew)
{
    sc_key key = key_of(params->video, params->n, params->instance);
    int ret = 0;
    *pnew = NULL;
    pthread_mutex_lock(&inference->lock);
    struct flight **bucket = bucket_of(inference, key), *flight = *bucket;
    while (flight && !serves(flight, params, key))
        flight = flight->next;
    if (inference->pending >= MAX_PENDING) {
        ret = SC_EBUSY;
    } else {
        if (!flight) {
            *pnew = flight = new_flight(inference, params, key);
            // Asked under the lock: a flight that has left the table has left its result here.
            flight->found = sc_cache_get(inference->cache, key);
            flight->next = *bucket;
            *bucket = flight;
        }
        waiter->next = flight->waiters;
        flight->waiters = waiter;
        inference->pending++;
    }
    pthread_mutex_unlock(&inference->lock);
    return ret;
}

static void take_off(struct flight *flight, int flags)
{
    if (flight->found) {
        sc_require(!sc_pool_post(flight->inference->pool, SC_PRIO_INTERACTIVE, land, flight));
        return;
    }
    int ret = sc_reader_get(flight->video->reader, flight->n, flags, on_frame, flight);
    if (ret)
        fail_later(flight, ret,
                   ret == SC_EBUSY ? "too many frames are waited for" : sc_strerror(ret));
}

static void count(sc_inference *inference, bool hit)
{
    atomic_fetch_add(hit ? &inference->hits : &inference->misses, 1);
    sc_counter_add(hit ? inference->hits_total : inference->misses_total, 1);
}

int sc_detect(sc_inference *inference, const struct sc_detect_params *params, sc_detect_fn *fn,
              void *arg, sc_err *err)
{
    struct flight *flight;
    int ret = sc_video_check_n(params->video, params->n, err);
    if (ret)
        return ret;
    if (atomic_load(&inference->closing))
        return sc_fail(err, SC_ECANCELLED, "the server is shutting down");
    struct waiter *waiter = sc_new(struct waiter);
    *waiter = (struct waiter){.fn = fn, .arg = arg, .cancel = params->cancel};
    ret = board(inference, params, waiter, &flight);
    if (ret) {
        free(waiter);
        return sc_fail(err, ret, "too many detections are waited for: try again in a moment");
    }
    count(inference, flight && flight->found);
    if (flight)
        take_off(flight, params->flags);
    return 0;
}

sc_detections *sc_detect_peek(sc_inference *inference, sc_video *video, int64_t n,
                              sc_instance *instance)
{
    sc_detections *found = sc_cache_get(inference->cache, key_of(video, n, instance));
    if (found)
        count(inference, true);
    return found;
}

void sc_inference_drop(sc_inference *inference, sc_video *video)
{
    sc_cache_drop_hi(inference->cache, video->uid);
}

void sc_detections_report(sc_str *out, sc_video *video, int64_t n, const sc_instance *instance,
                          const sc_detections *found, double threshold)
{
    const struct sc_instance_info *info = &instance->info;
    char t[64];
    sc_report_add_json(out, &(struct sc_report){
                                .n = n,
                                .t = sc_index_format_time(video->index, n, t, sizeof(t)),
                                .model = info->name,
                                .labels = (const char *const *)info->labels,
                                .label_count = info->labels ? info->classes : 0,
                                .detections = found,
                                .count = sc_detections_above(found, threshold),
                            });
}

// --- open and close -----------------------------------------------------------------------

static void *ref_found(void *value)
{
    return sc_detections_ref(value);
}

static void unref_found(void *value)
{
    sc_detections *found = value;
    sc_detections_unref(&found);
}

static double read_bytes(void *arg)
{
    struct sc_inference_stats stats;
    sc_inference_get_stats(arg, &stats);
    return (double)stats.cache_bytes;
}

static void add_metrics(sc_inference *inference, sc_metrics *m)
{
    static const char help[] = "Detections asked for, by whether they were cached.";
    inference->hits_total =
        sc_metrics_counter(m, "saccade_detections_total", "cache=\"hit\"", help);
    inference->misses_total =
        sc_metrics_counter(m, "saccade_detections_total", "cache=\"miss\"", help);
    sc_metrics_gauge_fn(m, "saccade_detection_cache_bytes", "", "Detections cached.",
                        read_bytes, inference);
}

int sc_inference_open(sc_inference **pinference, const struct sc_inference_params *params,
                      sc_err *err)
{
    sc_inference *inference = sc_new(sc_inference);
    inference->models = params->models;
    pthread_mutex_init(&inference->lock, NULL);
    inference->cache = sc_cache_new(&(struct sc_cache_params){
        .max_bytes = params->cache_bytes, .ref = ref_found, .unref = unref_found});
    add_metrics(inference, params->metrics);
    inference->pool = sc_pool_open(&(struct sc_pool_params){.threads = 1, .name = "detect"});
    *pinference = inference;
    if (inference->pool)
        return 0;
    sc_inference_close(pinference);
    return sc_fail(err, SC_ENOMEM, "cannot start a thread: the system refuses");
}

void sc_inference_stop(sc_inference *inference)
{
    atomic_store(&inference->closing, true);
}

void sc_inference_close(sc_inference **pinference)
{
    sc_inference *inference = pinference ? *pinference : NULL;
    if (!inference)
        return;
    *pinference = NULL;
    sc_pool_close(&inference->pool);
    sc_cache_free(&inference->cache);
    pthread_mutex_destroy(&inference->lock);
    free(inference);
}

void sc_inference_get_stats(sc_inference *inference, struct sc_inference_stats *stats)
{
    struct sc_cache_stats cache;
    sc_cache_get_stats(inference->cache, &cache);
    *stats = (struct sc_inference_stats){
        .hits = atomic_load(&inference->hits),
        .misses = atomic_load(&inference->misses),
        .cache_bytes = cache.bytes,
        .cache_items = cache.items,
    };
}
