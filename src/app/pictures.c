// Making pictures: answer cache, one flight for equal requests, decode, encode, hand out.
//
// A flight is one picture in the making with everybody who waits for it. It asks for what a model
// finds, if that is wanted, then the reader for the frame, whose callback posts the encoding to the
// pool; the encoder's task keeps the answer and completes the waiters. Nothing here blocks but the
// encoder.
#include "app/detections.h"
#include "app/videos_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "vision/overlay.h"

#define BUCKETS       1024
#define MAX_PENDING   4096 // waiters, all flights together
#define TOOLS_IDLE_NS (60 * SC_NS_PER_S)

struct waiter {
    struct waiter *next;
    sc_answer_fn *fn;
    void *arg;
};

struct flight {
    // Immutable.
    sc_pictures *pics;
    sc_video *video; // referenced
    sc_key key;
    int64_t n;
    struct sc_picture_query query; // with a reference to its instance
    int flags;                     // for the reader
    char etag[40];
    bool rgb;        // packed RGB, neither shared nor cached
    bool background; // yields to others, so others do not join it
    int64_t start_ns;

    // Under the lock of pics.
    struct flight *next; // in its bucket
    struct waiter *waiters;

    // Owned by whoever carries the flight on: reader callback, then pool task.
    sc_detections *found;
    sc_frame *frame;
    sc_answer *answer;
    int ret;
    sc_err err;
    int64_t inference_ns, decode_ns;
};

// What one picture is drawn and encoded with: scratch memory.
struct tools {
    sc_picture_ctx *ctx;
    sc_overlay *overlay; // NULL until something is drawn
    int64_t used_ns;
};

// Those not in use, most recently used last.
struct toolbox {
    pthread_mutex_t lock;
    struct tools *items;
    int count, cap;
};

struct sc_pictures {
    sc_videos *videos;
    pthread_mutex_t lock;
    struct flight *buckets[BUCKETS]; // under lock
    size_t pending;                  // waiters, under lock
    struct toolbox toolbox;
    atomic_int encoding; // pictures, by the pool's threads
    atomic_uint_least64_t hits, misses, encoded;
    sc_counter *hits_total, *misses_total;
    sc_histogram *encode_seconds;
};

// --- answers ------------------------------------------------------------------------------

sc_answer *sc_answer_ref(sc_answer *answer)
{
    if (answer)
        sc_ref_inc(&answer->ref);
    return answer;
}

void sc_answer_unref(sc_answer **panswer)
{
    sc_answer *answer = panswer ? *panswer : NULL;
    if (!answer)
        return;
    *panswer = NULL;
    if (!sc_ref_dec(&answer->ref))
        return;
    sc_buf_unref(&answer->body);
    sc_detections_unref(&answer->found);
    free(answer);
}

// --- tools --------------------------------------------------------------------------------

static void free_tools(struct tools *tools)
{
    sc_picture_ctx_free(&tools->ctx);
    sc_overlay_close(&tools->overlay);
}

static struct tools take_tools(struct toolbox *box)
{
    struct tools tools = {0};
    pthread_mutex_lock(&box->lock);
    if (box->count)
        tools = box->items[--box->count];
    pthread_mutex_unlock(&box->lock);
    if (!tools.ctx)
        tools.ctx = sc_picture_ctx_new();
    return tools;
}

// Gives tools back and lets go of some that a quieter time no longer needs.
static void give_tools(struct toolbox *box, struct tools *tools)
{
    struct tools old = {0};
    tools->used_ns = sc_clock_now();
    pthread_mutex_lock(&box->lock);
    if (box->count && tools->used_ns - box->items[0].used_ns > TOOLS_IDLE_NS) {
        old = box->items[0];
        box->count--;
        memmove(box->items, box->items + 1, (size_t)box->count * sizeof(*box->items));
    }
    if (box->count < box->cap) {
        box->items[box->count++] = *tools;
        *tools = (struct tools){0};
    }
    pthread_mutex_unlock(&box->lock);
    free_tools(&old);
    free_tools(tools);
}

// --- landing ------------------------------------------------------------------------------

static struct flight **bucket_of(sc_pictures *pics, sc_key key)
{
    return &pics->buckets[(key.lo ^ key.hi) % BUCKETS];
}

// Takes the waiters and, where others could join it, the flight out of the table.
static struct waiter *detach(struct flight *flight)
{
    sc_pictures *pics = flight->pics;
    pthread_mutex_lock(&pics->lock);
    if (!flight->rgb) {
        struct flight **p = bucket_of(pics, flight->key);
        while (*p && *p != flight)
            p = &(*p)->next;
        if (*p)
            *p = flight->next;
    }
    struct waiter *waiters = flight->waiters;
    flight->waiters = NULL;
    for (struct waiter *w = waiters; w; w = w->next)
        pics->pending--;
    pthread_mutex_unlock(&pics->lock);
    return waiters;
}

static void land(struct flight *flight)
{
    struct waiter *waiter = detach(flight);
    while (waiter) {
        struct waiter *next = waiter->next;
        waiter->fn(waiter->arg, flight->ret, flight->ret ? NULL : sc_answer_ref(flight->answer),
                   &flight->err);
        free(waiter);
        waiter = next;
    }
    sc_answer_unref(&flight->answer);
    sc_detections_unref(&flight->found);
    sc_instance_unref(&flight->query.instance);
    sc_video *video = flight->video;
    free(flight);
    sc_video_unref(&video); // last: pics may end with it
}

// --- encoding -----------------------------------------------------------------------------

// Cores that a picture about to be encoded may take: those of the pool when all it has is this.
static int spare_threads(sc_pictures *pics)
{
    sc_pool *pool = pics->videos->pool;
    bool alone = atomic_load(&pics->encoding) == 1 && !sc_pool_pending(pool);
    return alone ? sc_pool_threads(pool) : 1;
}

// Puts a copy with boxes in the frame's place.
static int draw(struct flight *flight, struct tools *tools)
{
    const struct sc_picture_query *query = &flight->query;
    if (!flight->found || !query->overlay)
        return 0;
    const struct sc_instance_info *info = sc_instance_get_info(query->instance);
    struct sc_overlay_labels labels = {.names = (const char *const *)info->labels,
                                       .count = info->labels ? info->classes : 0,
                                       .scores = true};
    struct sc_view view = sc_video_view(flight->video);
    sc_frame *drawn;
    if (!tools->overlay)
        tools->overlay = sc_overlay_open(&(struct sc_overlay_params){0});
    int ret = sc_overlay_draw(tools->overlay, &drawn, flight->frame, &view, flight->found,
                              sc_detections_above(flight->found, query->threshold), &labels,
                              &flight->err);
    if (ret)
        return ret;
    sc_frame_unref(&flight->frame);
    flight->frame = drawn;
    return 0;
}

static void encode(struct flight *flight, sc_answer *answer)
{
    sc_pictures *pics = flight->pics;
    struct tools tools = take_tools(&pics->toolbox);
    bool verified = flight->frame->verified;
    atomic_fetch_add(&pics->encoding, 1);
    flight->query.picture.threads = spare_threads(pics);
    flight->ret = draw(flight, &tools);
    if (!flight->ret)
        flight->ret = (flight->rgb ? sc_picture_rgb : sc_picture_encode)(
            tools.ctx, &answer->body, &answer->info, flight->frame, &flight->query.picture,
            &flight->err);
    atomic_fetch_sub(&pics->encoding, 1);
    give_tools(&pics->toolbox, &tools);
    answer->verified = verified;
}

// What the picture is, beside its bytes.
static void describe(const struct flight *flight, sc_answer *answer)
{
    answer->format = flight->query.picture.format;
    answer->n = flight->n;
    answer->decode_ns = flight->decode_ns;
    answer->inference_ns = flight->inference_ns;
    answer->found = sc_detections_ref(flight->found);
    if (flight->found)
        answer->count = sc_detections_above(flight->found, flight->query.threshold);
    memcpy(answer->etag, flight->etag, sizeof(answer->etag));
}

static void make_answer(struct flight *flight)
{
    sc_pictures *pics = flight->pics;
    sc_answer *answer = sc_new(sc_answer);
    int64_t start = sc_clock_now();
    sc_ref_init(&answer->ref);
    encode(flight, answer);
    if (flight->ret) {
        sc_answer_unref(&answer);
        return;
    }
    describe(flight, answer);
    answer->encode_ns = sc_clock_now() - start;
    flight->answer = answer;
    atomic_fetch_add(&pics->encoded, 1);
    sc_histogram_observe(pics->encode_seconds, (double)answer->encode_ns / (double)SC_NS_PER_S);
}

static bool gone(const struct flight *flight)
{
    return atomic_load(&flight->video->deleted) || atomic_load(&flight->pics->videos->closing);
}

static size_t bytes_of(const sc_answer *answer)
{
    return answer->body->size + sizeof(*answer) +
           (answer->found ? sc_detections_bytes(answer->found) : 0);
}

// The flight's last leg, on the pool.
static void encode_and_land(void *arg)
{
    struct flight *flight = arg;
    if (!flight->ret && !flight->answer) {
        if (gone(flight))
            flight->ret =
                sc_fail(&flight->err, SC_ECANCELLED, "the video was deleted meanwhile");
        else
            make_answer(flight);
        // Kept before the flight leaves the table, so that nobody makes it twice.
        if (!flight->ret && !flight->rgb)
            sc_cache_put(flight->pics->videos->cache, flight->key, flight->answer,
                         bytes_of(flight->answer));
    }
    sc_frame_unref(&flight->frame);
    land(flight);
}

static void post(struct flight *flight)
{
    enum sc_priority prio = flight->background ? SC_PRIO_BACKGROUND : SC_PRIO_INTERACTIVE;
    // Waiters are bounded well below the pool's queue, so it takes the task.
    sc_require(!sc_pool_post(flight->pics->videos->pool, prio, encode_and_land, flight));
}

static void on_frame(void *arg, int ret, sc_frame *frame, const sc_err *err)
{
    struct flight *flight = arg;
    flight->ret = ret;
    flight->frame = frame;
    if (ret && err)
        flight->err = *err;
    flight->decode_ns = sc_clock_now() - flight->start_ns;
    post(flight);
}

// --- taking off ---------------------------------------------------------------------------

struct request {
    sc_video *video;
    int64_t n;
    const struct sc_picture_query *query;
    int flags;
    bool rgb;
    struct waiter *waiter;
};

static struct flight *new_flight(sc_pictures *pics, const struct request *rq, sc_key key)
{
    struct flight *flight = sc_new(struct flight);
    flight->pics = pics;
    flight->video = sc_video_ref(rq->video);
    flight->key = key;
    flight->n = rq->n;
    flight->query = *rq->query;
    flight->query.instance = sc_instance_ref(rq->query->instance);
    flight->flags = rq->flags;
    flight->rgb = rq->rgb;
    flight->background = rq->flags & SC_READ_BACKGROUND;
    flight->start_ns = sc_clock_now();
    flight->waiters = rq->waiter;
    if (!rq->rgb)
        sc_video_etag(rq->video, rq->n, rq->query, flight->etag);
    return flight;
}

// A flight of this picture that serves the request as soon as one of its own would.
static struct flight *find_flight(sc_pictures *pics, const struct request *rq, sc_key key)
{
    struct flight *f = *bucket_of(pics, key);
    bool background = rq->flags & SC_READ_BACKGROUND;
    while (f && (f->key.hi != key.hi || f->key.lo != key.lo || f->n != rq->n ||
                 f->background > background || f->query.priority > rq->query->priority))
        f = f->next;
    return f;
}

// Joins a flight or makes one (*pnew) and counts the waiter. SC_EBUSY.
static int board(sc_pictures *pics, const struct request *rq, struct flight **pnew)
{
    sc_key key = sc_video_answer_key(rq->video, rq->n, rq->query);
    struct flight *flight = NULL;
    bool hit = false;
    int ret = 0;
    *pnew = NULL;
    pthread_mutex_lock(&pics->lock);
    if (pics->pending >= MAX_PENDING)
        ret = SC_EBUSY;
    else if (!rq->rgb && (flight = find_flight(pics, rq, key))) {
        rq->waiter->next = flight->waiters;
        flight->waiters = rq->waiter;
    } else {
        *pnew = flight = new_flight(pics, rq, key);
        // Asked under the lock: a flight that has left the table has left its answer here.
        flight->answer = rq->rgb ? NULL : sc_cache_get(pics->videos->cache, key);
        hit = flight->answer != NULL;
        if (!rq->rgb) {
            flight->next = *bucket_of(pics, key);
            *bucket_of(pics, key) = flight;
        }
    }
    pics->pending += !ret;
    pthread_mutex_unlock(&pics->lock);
    if (!ret) {
        atomic_fetch_add(hit ? &pics->hits : &pics->misses, 1);
        sc_counter_add(hit ? pics->hits_total : pics->misses_total, 1);
    }
    return ret;
}

static void ask_frame(struct flight *flight)
{
    flight->start_ns = sc_clock_now();
    int ret = sc_reader_get(flight->video->reader, flight->n, flight->flags, on_frame, flight);
    // Others may have joined by now: all are told in the same way.
    if (ret) {
        flight->ret =
            sc_fail(&flight->err, ret, "%s",
                    ret == SC_EBUSY ? "too many frames are waited for" : sc_strerror(ret));
        post(flight);
    }
}

static void on_found(void *arg, int ret, sc_detections *found, const sc_err *err)
{
    struct flight *flight = arg;
    if (ret) {
        flight->ret = sc_fail(&flight->err, ret, "%s", sc_err_text(err, ret));
        post(flight);
        return;
    }
    flight->found = found;
    flight->inference_ns = found->prepare_ns + found->run_ns + found->decode_ns;
    ask_frame(flight);
}

static void ask_model(struct flight *flight)
{
    struct sc_detect_params params = {
        .video = flight->video,
        .instance = flight->query.instance,
        .n = flight->n,
        .priority = flight->query.priority,
        .flags = flight->flags,
    };
    int ret =
        sc_detect(flight->video->videos->inference, &params, on_found, flight, &flight->err);
    if (ret) {
        flight->ret = ret;
        post(flight);
    }
}

static void take_off(struct flight *flight)
{
    if (flight->answer) {
        post(flight);
        return;
    }
    if (flight->query.instance)
        flight->found = sc_detect_peek(flight->video->videos->inference, flight->video,
                                       flight->n, flight->query.instance);
    if (flight->query.instance && !flight->found)
        ask_model(flight);
    else
        ask_frame(flight);
}

static int ask(struct request *rq, sc_answer_fn *fn, void *arg, sc_err *err)
{
    sc_pictures *pics = rq->video->videos->pictures;
    struct flight *flight;
    int ret = sc_video_check_n(rq->video, rq->n, err);
    if (ret)
        return ret;
    if (atomic_load(&pics->videos->closing))
        return sc_fail(err, SC_ECANCELLED, "the server is shutting down");
    rq->waiter = sc_new(struct waiter);
    rq->waiter->fn = fn;
    rq->waiter->arg = arg;
    ret = board(pics, rq, &flight);
    if (ret) {
        free(rq->waiter);
        return sc_fail(err, ret, "too many pictures are waited for: try again in a moment");
    }
    if (flight)
        take_off(flight);
    return 0;
}

int sc_video_picture(sc_video *video, int64_t n, const struct sc_picture_query *query,
                     int flags, sc_answer_fn *fn, void *arg, sc_err *err)
{
    return ask(&(struct request){.video = video, .n = n, .query = query, .flags = flags}, fn,
               arg, err);
}

int sc_video_rgb(sc_video *video, int64_t n, const struct sc_picture_query *query, int flags,
                 sc_answer_fn *fn, void *arg, sc_err *err)
{
    return ask(
        &(struct request){.video = video, .n = n, .query = query, .flags = flags, .rgb = true},
        fn, arg, err);
}

sc_answer *sc_video_peek(sc_video *video, int64_t n, const struct sc_picture_query *query)
{
    sc_pictures *pics = video->videos->pictures;
    sc_answer *answer =
        sc_cache_get(video->videos->cache, sc_video_answer_key(video, n, query));
    if (answer) {
        atomic_fetch_add(&pics->hits, 1);
        sc_counter_add(pics->hits_total, 1);
    }
    return answer;
}

// --- open and close -----------------------------------------------------------------------

static const char requests_help[] = "Pictures asked for, by whether the answer was cached.";

sc_pictures *sc_pictures_new(sc_videos *videos, sc_metrics *metrics)
{
    sc_pictures *pics = sc_new(sc_pictures);
    pics->videos = videos;
    pthread_mutex_init(&pics->lock, NULL);
    pthread_mutex_init(&pics->toolbox.lock, NULL);
    pics->toolbox.cap = sc_pool_threads(videos->pool);
    pics->toolbox.items = sc_xcalloc((size_t)pics->toolbox.cap, sizeof(struct tools));
    pics->hits_total =
        sc_metrics_counter(metrics, "saccade_pictures_total", "cache=\"hit\"", requests_help);
    pics->misses_total =
        sc_metrics_counter(metrics, "saccade_pictures_total", "cache=\"miss\"", requests_help);
    pics->encode_seconds = sc_metrics_histogram(metrics, "saccade_encode_seconds", "",
                                                "Time to encode a picture.", NULL, 0);
    return pics;
}

void sc_pictures_free(sc_pictures **ppics)
{
    sc_pictures *pics = *ppics;
    if (!pics)
        return;
    *ppics = NULL;
    for (int i = 0; i < pics->toolbox.count; i++)
        free_tools(&pics->toolbox.items[i]);
    free(pics->toolbox.items);
    pthread_mutex_destroy(&pics->toolbox.lock);
    pthread_mutex_destroy(&pics->lock);
    free(pics);
}

void sc_pictures_get_stats(sc_pictures *pics, struct sc_videos_stats *stats)
{
    stats->hits = atomic_load(&pics->hits);
    stats->misses = atomic_load(&pics->misses);
    stats->frames = stats->hits + stats->misses;
    stats->encoded = atomic_load(&pics->encoded);
}
