// The registry of videos, their life, and what can be asked of one without decoding.
#include "app/videos_internal.h"

#include <sys/random.h>
#include <unistd.h>

#include "app/detections.h"
#include "base/clock.h"
#include "base/mem.h"

// --- registry -----------------------------------------------------------------------------

// The first slot whose id is >= id; *found says whether it is that id. Under lock.
static size_t find_slot(const sc_videos *videos, const char *id, bool *found)
{
    size_t lo = 0, hi = videos->count;
    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = strcmp(videos->slots[mid].id, id);
        *found |= !cmp;
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void add_slot(sc_videos *videos, size_t at, const char *id)
{
    if (videos->count == videos->cap) {
        videos->cap = videos->cap ? 2 * videos->cap : 64;
        videos->slots = sc_xrealloc(videos->slots, videos->cap * sizeof(*videos->slots));
    }
    struct sc_slot *slot = &videos->slots[at];
    memmove(slot + 1, slot, (videos->count - at) * sizeof(*slot));
    videos->count++;
    *slot = (struct sc_slot){0};
    snprintf(slot->id, sizeof(slot->id), "%s", id);
}

static void remove_slot(sc_videos *videos, size_t at)
{
    struct sc_slot *slot = &videos->slots[at];
    videos->count--;
    memmove(slot, slot + 1, (videos->count - at) * sizeof(*slot));
}

int sc_videos_reserve(sc_videos *videos, const char *id)
{
    bool found;
    pthread_mutex_lock(&videos->lock);
    size_t at = find_slot(videos, id, &found);
    if (!found)
        add_slot(videos, at, id);
    pthread_mutex_unlock(&videos->lock);
    return found ? SC_EEXISTS : 0;
}

void sc_videos_unreserve(sc_videos *videos, const char *id)
{
    bool found;
    pthread_mutex_lock(&videos->lock);
    size_t at = find_slot(videos, id, &found);
    if (found && !videos->slots[at].video)
        remove_slot(videos, at);
    pthread_mutex_unlock(&videos->lock);
}

void sc_videos_publish(sc_videos *videos, sc_video *video)
{
    bool found;
    pthread_mutex_lock(&videos->lock);
    size_t at = find_slot(videos, video->info.id, &found);
    if (!found)
        add_slot(videos, at, video->info.id);
    videos->slots[at].video = sc_video_ref(video);
    videos->visible += video->reader != NULL;
    pthread_mutex_unlock(&videos->lock);
    sc_verifier_wake(videos->verifier);
}

sc_video *sc_videos_get(sc_videos *videos, const char *id)
{
    bool found;
    pthread_mutex_lock(&videos->lock);
    size_t at = find_slot(videos, id, &found);
    sc_video *video = found ? videos->slots[at].video : NULL;
    if (video)
        video = video->reader ? sc_video_ref(video) : NULL;
    pthread_mutex_unlock(&videos->lock);
    return video;
}

int sc_videos_list(sc_videos *videos, const char *after, int max, sc_video **out)
{
    bool found;
    int n = 0;
    pthread_mutex_lock(&videos->lock);
    size_t at = find_slot(videos, after ? after : "", &found);
    for (at += found; at < videos->count && n < max; at++) {
        sc_video *video = videos->slots[at].video;
        if (video && video->reader)
            out[n++] = sc_video_ref(video);
    }
    pthread_mutex_unlock(&videos->lock);
    return n;
}

int64_t sc_videos_count(sc_videos *videos)
{
    pthread_mutex_lock(&videos->lock);
    int64_t visible = videos->visible;
    pthread_mutex_unlock(&videos->lock);
    return visible;
}

// --- deleting -----------------------------------------------------------------------------

// A reference to the video and the right to delete it, which one caller gets.
static sc_video *claim(sc_videos *videos, const char *id)
{
    bool found;
    pthread_mutex_lock(&videos->lock);
    size_t at = find_slot(videos, id, &found);
    sc_video *video = found ? videos->slots[at].video : NULL;
    if (video && !atomic_exchange(&video->deleted, true))
        sc_video_ref(video);
    else
        video = NULL;
    pthread_mutex_unlock(&videos->lock);
    return video;
}

static void unlist(sc_videos *videos, sc_video *video)
{
    bool found;
    pthread_mutex_lock(&videos->lock);
    size_t at = find_slot(videos, video->info.id, &found);
    sc_require(found && videos->slots[at].video == video);
    remove_slot(videos, at);
    videos->visible -= video->reader != NULL;
    pthread_mutex_unlock(&videos->lock);
    sc_video_unref(&(sc_video *){video}); // the registry's
}

int sc_videos_delete(sc_videos *videos, const char *id)
{
    sc_video *video = claim(videos, id);
    if (!video)
        return SC_ENOTFOUND;
    int ret = sc_rows_delete(videos->rows, SC_VIDEOS_TABLE, id);
    if (ret && ret != SC_ENOTFOUND) {
        atomic_store(&video->deleted, false);
        SC_ERROR(videos->log, "cannot delete video", SC_S("id", id),
                 SC_S("error", sc_strerror(ret)));
        sc_video_unref(&video);
        return ret;
    }
    sc_videos_step(videos, "row-deleted");
    unlist(videos, video);
    sc_verifier_drop(videos->verifier, video);
    sc_cache_drop_hi(videos->cache, video->uid);
    sc_inference_drop(videos->inference, video);
    SC_INFO(videos->log, "video deleted", SC_S("id", id));
    sc_videos_step(videos, "unlisted");
    sc_video_unref(&video);
    return 0;
}

// --- a video's life -----------------------------------------------------------------------

sc_video *sc_video_new(sc_videos *videos, const struct sc_video_info *info, const char *key)
{
    sc_video *video = sc_new(sc_video);
    sc_str index_path = {0};
    sc_ref_init(&video->ref);
    video->videos = videos;
    video->info = *info;
    snprintf(video->key, sizeof(video->key), "%s", key);
    video->path = sc_blobs_path(videos->blobs, key);
    sc_str_addf(&index_path, "%s/%s.sci", videos->index_dir, key);
    video->index_path = sc_str_detach(&index_path);
    video->uid = atomic_fetch_add(&videos->next_uid, 1);
    (void)!getrandom(&video->secret, sizeof(video->secret), GRND_NONBLOCK);
    pthread_mutex_lock(&videos->lock);
    videos->live++;
    pthread_mutex_unlock(&videos->lock);
    return video;
}

void sc_video_attach(sc_video *video, sc_index *index)
{
    video->index = index;
    video->reader = sc_reader_open(video->videos->engine, index, video->path);
}

sc_video *sc_video_ref(sc_video *video)
{
    if (video)
        sc_ref_inc(&video->ref);
    return video;
}

void sc_video_remove_files(sc_video *video)
{
    sc_videos *videos = video->videos;
    unlink(video->index_path); // often there is none
    sc_videos_step(videos, "index-removed");
    int ret = sc_blobs_delete(videos->blobs, video->key);
    if (ret && ret != SC_ENOTFOUND)
        SC_WARN(videos->log, "cannot remove a file, the next start will",
                SC_S("key", video->key), SC_S("error", sc_strerror(ret)));
    sc_videos_step(videos, "blob-removed");
}

static void free_video(sc_video *video)
{
    sc_videos *videos = video->videos;
    sc_reader_close(&video->reader);
    sc_index_unref(&video->index);
    if (atomic_load(&video->deleted)) {
        sc_cache_drop_hi(videos->cache, video->uid); // what came between delete and now
        sc_inference_drop(videos->inference, video);
        sc_video_remove_files(video);
    }
    free(video->path);
    free(video->index_path);
    free(video);
    // Last: who waits for live to fall frees videos.
    pthread_mutex_lock(&videos->lock);
    videos->live--;
    pthread_cond_broadcast(&videos->quiet);
    pthread_mutex_unlock(&videos->lock);
}

// Frees all unreferenced videos. Blocks.
static void reap(void *arg)
{
    sc_videos *videos = arg;
    for (;;) {
        pthread_mutex_lock(&videos->lock);
        sc_video *video = videos->dead;
        if (video)
            videos->dead = video->next_dead;
        else
            videos->reaping = false;
        pthread_mutex_unlock(&videos->lock);
        if (!video)
            return;
        free_video(video);
    }
}

// The last reference may go on an I/O thread or inside a reader's callback, where closing the
// reader would wait for itself: so a worker does the freeing. If none can be had now, whoever
// comes next does.
void sc_video_unref(sc_video **pvideo)
{
    sc_video *video = pvideo ? *pvideo : NULL;
    if (!video)
        return;
    *pvideo = NULL;
    if (!sc_ref_dec(&video->ref))
        return;
    sc_videos *videos = video->videos;
    pthread_mutex_lock(&videos->lock);
    video->next_dead = videos->dead;
    videos->dead = video;
    pthread_cond_broadcast(&videos->quiet);
    // Under the lock, because a closing thread may reap the video and go on to free the pool.
    if (!videos->reaping)
        videos->reaping = !sc_pool_post(videos->pool, SC_PRIO_NORMAL, reap, videos);
    pthread_mutex_unlock(&videos->lock);
}

// --- open and close -----------------------------------------------------------------------

static void *ref_answer(void *value)
{
    return sc_answer_ref(value);
}

static void unref_answer(void *value)
{
    sc_answer *answer = value;
    sc_answer_unref(&answer);
}

static double read_count(void *arg)
{
    return (double)sc_videos_count(arg);
}

static double read_cache_bytes(void *arg)
{
    struct sc_videos_stats stats;
    sc_videos_get_stats(arg, &stats);
    return (double)stats.answer_bytes;
}

static void add_metrics(sc_videos *videos, sc_metrics *m)
{
    sc_metrics_gauge_fn(m, "saccade_videos", "", "Videos stored.", read_count, videos);
    sc_metrics_gauge_fn(m, "saccade_answer_cache_bytes", "", "Encoded pictures cached.",
                        read_cache_bytes, videos);
    videos->uploads_total =
        sc_metrics_counter(m, "saccade_uploads_total", "", "Videos uploaded and stored.");
    videos->upload_bytes_total = sc_metrics_counter(m, "saccade_upload_bytes_total", "",
                                                    "Bytes of the videos uploaded and stored.");
    videos->upload_failures_total = sc_metrics_counter(
        m, "saccade_upload_failures_total", "", "Uploads that were refused at their end.");
}

static void init(sc_videos *videos, const struct sc_videos_params *params)
{
    pthread_mutex_init(&videos->lock, NULL);
    pthread_cond_init(&videos->quiet, NULL);
    videos->log = sc_log_child(params->log, "videos");
    videos->rows = params->rows;
    videos->blobs = params->blobs;
    videos->engine = params->engine;
    videos->inference = params->inference;
    videos->settings = params->settings;
    videos->threads = params->threads;
    videos->index_dir = sc_xstrdup(params->index_dir);
    videos->cancel = sc_cancel_new(NULL);
    atomic_init(&videos->next_uid, 1);
    videos->cache = sc_cache_new(&(struct sc_cache_params){
        .max_bytes = (size_t)params->settings->answer_cache,
        .ref = ref_answer,
        .unref = unref_answer,
    });
    add_metrics(videos, params->metrics);
}

int sc_videos_open(sc_videos **pvideos, const struct sc_videos_params *params, sc_err *err)
{
    sc_videos *videos = sc_new(sc_videos);
    int ret = 0;
    init(videos, params);
    videos->pool =
        sc_pool_open(&(struct sc_pool_params){.threads = params->threads, .name = "picture"});
    if (!videos->pool)
        ret = sc_fail(err, SC_ENOMEM, "cannot start %d threads: the system refuses",
                      params->threads);
    if (!ret) {
        videos->pictures = sc_pictures_new(videos, params->metrics);
        ret = sc_videos_load(videos, params->fresh, err);
    }
    if (!ret && params->settings->verify)
        videos->verifier = sc_verifier_open(videos);
    if (ret)
        sc_videos_close(&videos);
    *pvideos = videos;
    return ret;
}

void sc_videos_stop(sc_videos *videos)
{
    atomic_store(&videos->closing, true);
    sc_cancel_request(videos->cancel);
}

// Closing the readers ends what waits for frames; then the last references come back.
static void empty(sc_videos *videos)
{
    for (size_t i = 0; i < videos->count; i++) {
        sc_video *video = videos->slots[i].video;
        if (video)
            sc_reader_close(&video->reader);
        sc_video_unref(&video);
    }
    pthread_mutex_lock(&videos->lock);
    videos->count = 0;
    while (videos->live) {
        bool dead = videos->dead != NULL;
        if (!dead)
            pthread_cond_wait(&videos->quiet, &videos->lock);
        pthread_mutex_unlock(&videos->lock);
        if (dead)
            reap(videos);
        pthread_mutex_lock(&videos->lock);
    }
    pthread_mutex_unlock(&videos->lock);
}

void sc_videos_close(sc_videos **pvideos)
{
    sc_videos *videos = *pvideos;
    if (!videos)
        return;
    *pvideos = NULL;
    sc_videos_stop(videos);
    sc_verifier_close(&videos->verifier);
    empty(videos);
    sc_pool_close(&videos->pool);
    sc_pictures_free(&videos->pictures);
    sc_cache_free(&videos->cache);
    sc_cancel_free(&videos->cancel);
    pthread_cond_destroy(&videos->quiet);
    pthread_mutex_destroy(&videos->lock);
    sc_log_close(&videos->log);
    free(videos->index_dir);
    free(videos->slots);
    free(videos);
}

void sc_videos_on_step(sc_videos *videos, void (*fn)(void *arg, const char *name), void *arg)
{
    videos->step_arg = arg;
    videos->step = fn;
}

// --- what is known of a video -------------------------------------------------------------

void sc_video_get_info(sc_video *video, struct sc_video_info *info)
{
    sc_index *index = sc_reader_index(video->reader);
    *info = video->info;
    info->verdict = sc_index_get_info(index)->verdict;
    sc_index_unref(&index);
}

sc_index *sc_video_index(sc_video *video)
{
    return sc_reader_index(video->reader);
}

sc_reader *sc_video_reader(sc_video *video)
{
    return video->reader;
}

const char *sc_video_path(const sc_video *video)
{
    return video->path;
}

bool sc_video_is_deleted(const sc_video *video)
{
    return atomic_load(&video->deleted);
}

int sc_video_open_fd(sc_video *video, int *fd, int64_t *size)
{
    return sc_blobs_open_fd(video->videos->blobs, video->key, fd, size);
}

int sc_video_cached(sc_video *video, int64_t n)
{
    return sc_reader_cached(video->reader, n);
}

void sc_videos_get_stats(sc_videos *videos, struct sc_videos_stats *stats)
{
    struct sc_cache_stats cache;
    *stats = (struct sc_videos_stats){0};
    sc_cache_get_stats(videos->cache, &cache);
    sc_pictures_get_stats(videos->pictures, stats);
    stats->answer_bytes = cache.bytes;
    stats->answer_items = cache.items;
    stats->uploads = atomic_load(&videos->uploads);
    stats->upload_bytes = atomic_load(&videos->upload_bytes);
}
