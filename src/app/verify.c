// Background verification: one thread of the lowest priority that decodes stored videos linearly,
// one after the other, and gives their readers the index with hashes that results.
#include <sched.h>

#include "app/videos_internal.h"
#include "base/mem.h"

struct sc_verifier {
    sc_videos *videos;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;

    // Under lock.
    bool closing;
    bool more;         // a video may have come since the last look
    sc_video *current; // being verified, referenced
    sc_cancel *cancel; // for current
};

static bool unverified(sc_video *video)
{
    struct sc_video_info info;
    if (video->verified || atomic_load(&video->deleted))
        return false;
    video->verified = true; // whatever comes of it, once is enough
    sc_video_get_info(video, &info);
    return info.verdict == SC_VERDICT_NONE;
}

// The next video to verify, referenced, or NULL.
static sc_video *next_video(sc_videos *videos)
{
    char after[65] = "";
    sc_video *video;
    while (sc_videos_list(videos, after, 1, &video)) {
        if (unverified(video))
            return video;
        snprintf(after, sizeof(after), "%s", video->info.id);
        sc_video_unref(&video);
    }
    return NULL;
}

static void verify(sc_video *video, sc_cancel *cancel)
{
    sc_videos *videos = video->videos;
    sc_index *index = sc_video_index(video), *checked = NULL;
    sc_err err = {0};
    int ret = sc_index_verify(
        &checked, index, video->path,
        &(struct sc_index_params){.log = videos->log, .cancel = cancel, .threads = 1}, &err);
    if (!ret)
        ret = sc_index_save(checked, video->index_path, &err);
    if (checked) {
        const struct sc_index_info *info = sc_index_get_info(checked);
        sc_reader_set_index(video->reader, checked);
        sc_cache_drop_hi(videos->cache, video->uid); // those say: not verified
        SC_INFO(videos->log, "video verified", SC_S("id", video->info.id),
                SC_B("exact", info->verdict == SC_VERDICT_EXACT),
                SC_I("differing", info->differing));
    }
    if (ret && ret != SC_ECANCELLED)
        SC_WARN(videos->log, "verification failed", SC_S("id", video->info.id),
                SC_S("error", sc_err_text(&err, ret)));
    sc_index_unref(&checked);
    sc_index_unref(&index);
}

// Under the lock, which it leaves while it works.
static void verify_next(sc_verifier *v)
{
    v->more = false;
    pthread_mutex_unlock(&v->lock);
    sc_video *video = next_video(v->videos);
    pthread_mutex_lock(&v->lock);
    if (!video)
        return;
    v->more = true;
    v->current = video;
    if (v->closing || atomic_load(&video->deleted))
        sc_cancel_request(v->cancel);
    sc_cancel *cancel = v->cancel;
    pthread_mutex_unlock(&v->lock);
    verify(video, cancel);
    pthread_mutex_lock(&v->lock);
    v->current = NULL;
    sc_cancel_free(&v->cancel);
    v->cancel = sc_cancel_new(NULL);
    sc_video_unref(&video);
}

static void *run(void *arg)
{
    sc_verifier *v = arg;
    // Threads that the decoder starts inherit this; where it is not allowed, ordinary will do.
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &(struct sched_param){0});
    pthread_mutex_lock(&v->lock);
    while (!v->closing) {
        if (v->more)
            verify_next(v);
        else
            pthread_cond_wait(&v->wake, &v->lock);
    }
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

sc_verifier *sc_verifier_open(sc_videos *videos)
{
    sc_verifier *v = sc_new(sc_verifier);
    v->videos = videos;
    v->more = true;
    v->cancel = sc_cancel_new(NULL);
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->wake, NULL);
    if (pthread_create(&v->thread, NULL, run, v)) {
        SC_WARN(videos->log, "no verification: no thread to be had");
        pthread_cond_destroy(&v->wake);
        pthread_mutex_destroy(&v->lock);
        sc_cancel_free(&v->cancel);
        free(v);
        return NULL;
    }
    return v;
}

void sc_verifier_wake(sc_verifier *v)
{
    if (!v)
        return;
    pthread_mutex_lock(&v->lock);
    v->more = true;
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
}

void sc_verifier_drop(sc_verifier *v, sc_video *video)
{
    if (!v)
        return;
    pthread_mutex_lock(&v->lock);
    if (v->current == video)
        sc_cancel_request(v->cancel);
    pthread_mutex_unlock(&v->lock);
}

void sc_verifier_close(sc_verifier **pv)
{
    sc_verifier *v = *pv;
    if (!v)
        return;
    *pv = NULL;
    pthread_mutex_lock(&v->lock);
    v->closing = true;
    sc_cancel_request(v->cancel);
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
    pthread_join(v->thread, NULL);
    pthread_cond_destroy(&v->wake);
    pthread_mutex_destroy(&v->lock);
    sc_cancel_free(&v->cancel);
    free(v);
}
