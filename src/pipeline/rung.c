#include "pipeline/rung.h"

#include "base/clock.h"
#include "base/mem.h"

struct sc_live_tap {
    sc_rung *rung; // a reference
    void (*take)(void *arg, const struct sc_live_sample *sample);
    void *arg;
    // Under rung->lock.
    sc_live_tap *next, *prev;
    bool begun; // it got a keyframe
};

sc_rung *sc_rung_new(void)
{
    sc_rung *rung = sc_new(sc_rung);
    sc_ref_init(&rung->ref);
    pthread_mutex_init(&rung->lock, NULL);
    return rung;
}

sc_rung *sc_rung_ref(sc_rung *rung)
{
    sc_ref_inc(&rung->ref);
    return rung;
}

void sc_rung_unref(sc_rung **prung)
{
    sc_rung *rung = prung ? *prung : NULL;
    if (!rung)
        return;
    *prung = NULL;
    if (!sc_ref_dec(&rung->ref))
        return;
    pthread_mutex_destroy(&rung->lock);
    free(rung);
}

// --- taps -------------------------------------------------------------------------------------

void sc_rung_add(sc_rung *rung, sc_live_tap **ptap,
                 void (*take)(void *arg, const struct sc_live_sample *sample), void *arg)
{
    sc_live_tap *tap = *ptap = sc_new(sc_live_tap);
    *tap = (sc_live_tap){.rung = sc_rung_ref(rung), .take = take, .arg = arg};
    pthread_mutex_lock(&rung->lock);
    tap->next = rung->first;
    if (tap->next)
        tap->next->prev = tap;
    rung->first = tap;
    if (rung->figures.taps++ == 0)
        atomic_store(&rung->alone, true);
    atomic_store(&rung->want_key, true);
    if (rung->over)
        take(arg, NULL);
    pthread_mutex_unlock(&rung->lock);
}

void sc_live_tap_close(sc_live_tap **ptap)
{
    sc_live_tap *tap = ptap ? *ptap : NULL;
    if (!tap)
        return;
    *ptap = NULL;
    sc_rung *rung = tap->rung;
    pthread_mutex_lock(&rung->lock);
    if (tap->prev)
        tap->prev->next = tap->next;
    else
        rung->first = tap->next;
    if (tap->next)
        tap->next->prev = tap->prev;
    rung->figures.taps--;
    pthread_mutex_unlock(&rung->lock);
    sc_rung_unref(&rung);
    free(tap);
}

void sc_live_want_key(sc_live_tap *tap)
{
    atomic_store(&tap->rung->want_key, true);
}

int sc_live_set_bitrate(sc_live_tap *tap, int64_t bitrate)
{
    if (bitrate < SC_LIVE_BITRATE_MIN || bitrate > SC_LIVE_BITRATE_MAX)
        return SC_EARG;
    atomic_store(&tap->rung->bitrate, bitrate);
    return SC_OK;
}

// --- the stage's side -------------------------------------------------------------------------

int sc_rung_taps(sc_rung *rung)
{
    pthread_mutex_lock(&rung->lock);
    int taps = rung->figures.taps;
    pthread_mutex_unlock(&rung->lock);
    return taps;
}

void sc_rung_give(sc_rung *rung, const struct sc_live_sample *sample)
{
    const sc_packet *packet = sample->packet;
    struct sc_live_rung_figures *figures = &rung->figures;
    pthread_mutex_lock(&rung->lock);
    figures->width = sample->width;
    figures->height = sample->height;
    figures->pictures++;
    figures->keys += packet->key;
    figures->bytes += packet->av->size;
    for (sc_live_tap *tap = rung->first; tap; tap = tap->next) {
        tap->begun |= packet->key;
        if (tap->begun)
            tap->take(tap->arg, sample);
    }
    pthread_mutex_unlock(&rung->lock);
}

void sc_rung_spend(sc_rung *rung, int64_t cpu_ns)
{
    pthread_mutex_lock(&rung->lock);
    sc_rate_meter_add(&rung->busy, sc_clock_now(), (int)(cpu_ns / 1000));
    pthread_mutex_unlock(&rung->lock);
}

// Who wishes has come before, under the lock.
void sc_rung_forget(sc_rung *rung)
{
    pthread_mutex_lock(&rung->lock);
    if (!rung->figures.taps)
        atomic_store(&rung->bitrate, 0);
    pthread_mutex_unlock(&rung->lock);
}

void sc_rung_end(sc_rung *rung)
{
    pthread_mutex_lock(&rung->lock);
    for (sc_live_tap *tap = rung->over ? NULL : rung->first; tap; tap = tap->next)
        tap->take(tap->arg, NULL);
    rung->over = true;
    pthread_mutex_unlock(&rung->lock);
}

void sc_rung_get(sc_rung *rung, struct sc_live_rung_figures *figures)
{
    pthread_mutex_lock(&rung->lock);
    *figures = rung->figures;
    figures->busy = sc_rate_meter_get(&rung->busy, sc_clock_now()) / 1e6;
    pthread_mutex_unlock(&rung->lock);
}
