#include "app/casts.h"

#include <string.h>

#include "app/casts_internal.h"
#include "base/clock.h"
#include "base/mem.h"

#define LOOK_NS   (SC_NS_PER_S / 4)
#define MAX_CASTS 64

struct sc_casts {
    struct sc_casts_params params; // immutable
    pthread_t thread;              // that ends casts
    bool started;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    // Under lock.
    struct sc_cast *first;
    int count;
    bool stopping;
};

// --- requests ---------------------------------------------------------------------------------

static int begin(sc_casts *casts, const char *id, struct sc_cast **pcast, sc_err *err)
{
    if (casts->count == MAX_CASTS)
        return sc_fail(err, SC_EBUSY, "%d streams are watched as HLS: no more at once",
                       MAX_CASTS);
    int ret = sc_cast_open(pcast, id, casts->params.streams, casts->params.log, err);
    if (ret < 0)
        return ret;
    (*pcast)->next = casts->first;
    casts->first = *pcast;
    casts->count++;
    pthread_cond_signal(&casts->changed);
    return SC_OK;
}

// The stream's cast, which begins where the playlist is asked for; left NULL on failure. Under lock.
static int find(sc_casts *casts, const struct sc_casts_query *q, struct sc_cast **pcast,
                sc_err *err)
{
    bool playlist = !strcmp(q->file, SC_CASTS_PLAYLIST);
    struct sc_cast *c = casts->first;
    if (casts->stopping)
        return sc_fail(err, SC_ECANCELLED, "the server is stopping");
    // Of one that is over there may still be files to fetch, but the playlist is that of the next run.
    while (c && (strcmp(c->id, q->stream) != 0 || (playlist && sc_cast_is_over(c))))
        c = c->next;
    *pcast = c;
    if (c)
        return SC_OK;
    if (playlist)
        return begin(casts, q->stream, pcast, err);
    return sc_fail(err, SC_ENOTFOUND, "there is no %s of stream %s, or not any more", q->file,
                   q->stream);
}

void sc_casts_get(sc_casts *casts, const struct sc_casts_query *q,
                  void (*done)(void *arg, int ret, sc_buf *body, const sc_err *err), void *arg)
{
    struct sc_cast_want want = {
        .segment = q->segment, .part = q->part, .done = done, .arg = arg};
    struct sc_cast *cast = NULL;
    sc_err err = {0};
    want.until_ns = sc_clock_now() + casts->params.hold_ns;
    snprintf(want.file, sizeof(want.file), "%s", q->file); // one that is longer is none of ours
    pthread_mutex_lock(&casts->lock);
    int ret = find(casts, q, &cast, &err);
    if (cast)
        cast->users++;
    pthread_mutex_unlock(&casts->lock);
    if (!cast) {
        done(arg, ret, NULL, &err);
        return;
    }
    sc_cast_get(cast, &want);
    pthread_mutex_lock(&casts->lock);
    cast->users--;
    pthread_mutex_unlock(&casts->lock);
}

// --- ending -----------------------------------------------------------------------------------

static void unlist(sc_casts *casts, struct sc_cast *cast)
{
    struct sc_cast **p = &casts->first;
    while (*p != cast)
        p = &(*p)->next;
    *p = cast->next;
    casts->count--;
}

// Answers those who have waited too long, and ends what nobody wants.
static void step(sc_casts *casts)
{
    struct sc_cast *all[MAX_CASTS];
    bool idle[MAX_CASTS];
    int count = 0, doomed = 0;
    pthread_mutex_lock(&casts->lock);
    for (struct sc_cast *c = casts->first; c; c = c->next) {
        c->users++;
        all[count++] = c;
    }
    bool stopping = casts->stopping;
    pthread_mutex_unlock(&casts->lock);
    for (int i = 0; i < count; i++)
        idle[i] = !sc_cast_step(all[i], sc_clock_now() - casts->params.linger_ns) || stopping;
    pthread_mutex_lock(&casts->lock);
    for (int i = 0; i < count; i++) {
        if (--all[i]->users || !idle[i])
            continue;
        unlist(casts, all[i]);
        all[doomed++] = all[i];
    }
    pthread_mutex_unlock(&casts->lock);
    for (int i = 0; i < doomed; i++)
        sc_cast_close(&all[i]);
}

static void *watch(void *arg)
{
    sc_casts *casts = arg;
    pthread_mutex_lock(&casts->lock);
    while (!casts->stopping || casts->first) {
        int64_t at = sc_clock_now() + (casts->stopping ? SC_NS_PER_MS : LOOK_NS);
        struct timespec when = {at / SC_NS_PER_S, at % SC_NS_PER_S};
        if (casts->first)
            pthread_cond_timedwait(&casts->changed, &casts->lock, &when);
        else
            pthread_cond_wait(&casts->changed, &casts->lock);
        pthread_mutex_unlock(&casts->lock);
        step(casts);
        pthread_mutex_lock(&casts->lock);
    }
    pthread_mutex_unlock(&casts->lock);
    return NULL;
}

int sc_casts_open(sc_casts **pcasts, const struct sc_casts_params *params, sc_err *err)
{
    sc_casts *casts = sc_new(sc_casts);
    pthread_condattr_t monotonic;
    casts->params = *params;
    casts->params.linger_ns = params->linger_ns > 0 ? params->linger_ns : 30 * SC_NS_PER_S;
    casts->params.hold_ns = params->hold_ns > 0 ? params->hold_ns : 6 * SC_NS_PER_S;
    pthread_mutex_init(&casts->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&casts->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int error = pthread_create(&casts->thread, NULL, watch, casts);
    casts->started = !error;
    *pcasts = casts;
    if (!error)
        return SC_OK;
    sc_casts_close(pcasts);
    return sc_fail(err, SC_ENOMEM, "no thread for HLS: %s", strerror(error));
}

void sc_casts_stop(sc_casts *casts)
{
    pthread_mutex_lock(&casts->lock);
    casts->stopping = true;
    pthread_cond_signal(&casts->changed);
    pthread_mutex_unlock(&casts->lock);
}

void sc_casts_close(sc_casts **pcasts)
{
    sc_casts *casts = pcasts ? *pcasts : NULL;
    if (!casts)
        return;
    *pcasts = NULL;
    sc_casts_stop(casts);
    if (casts->started)
        pthread_join(casts->thread, NULL);
    pthread_cond_destroy(&casts->changed);
    pthread_mutex_destroy(&casts->lock);
    free(casts);
}
