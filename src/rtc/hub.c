// The hub: taps on one side, viewers on the other, all under one lock that is never held over a call into the
// stream. take() and the peers' callbacks only note what is to be done; sc_rtc_hub_step() does it.
#include "rtc/hub_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define RTP_RATE      90000
#define SOUND_RATE    48000
#define TAP_PAUSE_NS  (SC_NS_PER_S / 5) // between tries to tap a stream that does not run
#define RATE_PAUSE_NS SC_NS_PER_S       // between changes of an encoder's rate
#define SILENCE_NS    (SC_NS_PER_S / 5) // feedback comes several times as often

// --- pictures in --------------------------------------------------------------------------

// RTP time for pts_ns, in ticks of pictures. A run that begins anew goes on where the one before was, by the
// clock.
static int64_t stamp(sc_rtc_hub *hub, int64_t pts_ns)
{
    int64_t ticks = av_rescale(pts_ns, RTP_RATE, SC_NS_PER_S);
    int64_t now = sc_clock_now();
    if (hub->fresh) {
        int64_t since = av_rescale(now - hub->stamped_ns, RTP_RATE, SC_NS_PER_S);
        hub->base = hub->last + (since > 0 ? since : 1) - ticks;
        hub->fresh = false;
    }
    if (hub->base + ticks > hub->last) {
        hub->last = hub->base + ticks;
        hub->stamped_ns = now;
    }
    return hub->base + ticks;
}

// The viewer changes to this rung with this picture.
static void change(sc_rtc_viewer *viewer, int rung)
{
    sc_rtc_hub *hub = viewer->hub;
    if (viewer->rung >= 0) {
        hub->rungs[viewer->rung].users--;
        viewer->switches++;
    }
    viewer->rung = rung;
}

// Where the link is full, what the rung before still has would only come before the new one's keyframe.
static bool held(const sc_rtc_viewer *viewer)
{
    return viewer->ladder.hold && viewer->wanted != viewer->rung;
}

static void send(sc_rtc_viewer *viewer, const struct sc_live_sample *sample, uint32_t timestamp)
{
    bool later = (int32_t)(timestamp - viewer->timestamp) > 0 || !viewer->begun;
    if (!later) // of another rung, and sent already
        return;
    sc_hub_begin(viewer, timestamp);
    viewer->timestamp = timestamp;
    if (sc_rtc_peer_send(viewer->peer, sample->packet, timestamp)) {
        sc_hub_tell(viewer);
    } else {
        viewer->told_until = timestamp;
        viewer->hub->rungs[viewer->rung].want_key = true; // it drops up to the next one
    }
}

// Changes to the rung that it wants, if that can be shown from this picture on.
static void try_to_change(sc_rtc_viewer *viewer, struct sc_hub_rung *rung,
                          const sc_packet *packet)
{
    bool first = viewer->rung < 0;
    if (packet->key || (first && !viewer->asked && sc_hub_catch_up(rung, viewer)))
        change(viewer, (int)(rung - rung->hub->rungs));
    else if (first && !viewer->asked)
        rung->want_key = viewer->asked = true;
}

static void take(void *arg, const struct sc_live_sample *sample)
{
    struct sc_hub_rung *rung = arg;
    sc_rtc_hub *hub = rung->hub;
    int number = (int)(rung - hub->rungs);
    pthread_mutex_lock(&hub->lock);
    if (!sample) {
        rung->over = true;
        sc_hub_forget(rung);
    } else {
        uint32_t timestamp = (uint32_t)stamp(hub, sample->pts_ns);
        sc_hub_describe(rung, sample, timestamp);
        rung->width = sample->width;
        rung->height = sample->height;
        sc_hub_keep(rung, sample->packet, timestamp);
        for (sc_rtc_viewer *v = hub->first; v; v = v->next) {
            if (!v->connected)
                continue;
            if (v->wanted == number && v->rung != number)
                try_to_change(v, rung, sample->packet);
            if (v->rung == number && !held(v))
                send(v, sample, timestamp);
        }
    }
    bool wake = !sample || rung->want_key;
    pthread_mutex_unlock(&hub->lock);
    if (wake)
        hub->params.wake(hub->params.arg);
}

// Sound goes on the clock of the pictures, in ticks of its own.
static void take_sound(void *arg, const struct sc_live_sample *sample)
{
    struct sc_hub_rung *rung = arg;
    sc_rtc_hub *hub = rung->hub;
    pthread_mutex_lock(&hub->lock);
    if (!sample) {
        rung->over = true;
    } else {
        stamp(hub, sample->pts_ns);
        int64_t ticks = av_rescale(hub->base, SOUND_RATE, RTP_RATE) +
                        av_rescale(sample->pts_ns, SOUND_RATE, SC_NS_PER_S);
        for (sc_rtc_viewer *v = hub->first; v; v = v->next)
            if (v->sound && v->connected && v->begun)
                sc_rtc_peer_send(v->peer, sample->packet, (uint32_t)ticks);
    }
    pthread_mutex_unlock(&hub->lock);
    if (!sample)
        hub->params.wake(hub->params.arg);
}

// --- what peers say -----------------------------------------------------------------------

static void on_state(void *arg, enum sc_rtc_state state, const char *reason)
{
    sc_rtc_viewer *viewer = arg;
    sc_rtc_hub *hub = viewer->hub;
    pthread_mutex_lock(&hub->lock);
    viewer->connected = state == SC_RTC_CONNECTED;
    if (state == SC_RTC_CONNECTED) {
        struct sc_hub_rung *rung = &hub->rungs[viewer->wanted];
        viewer->asked = !sc_hub_is_young(rung);
        rung->want_key |= viewer->asked;
    } else if (state == SC_RTC_GONE && !viewer->gone) {
        viewer->gone = true;
        snprintf(viewer->reason, sizeof(viewer->reason), "%s", reason ? reason : "");
    }
    pthread_mutex_unlock(&hub->lock);
    hub->params.wake(hub->params.arg);
}

static void on_want_key(void *arg)
{
    sc_rtc_viewer *viewer = arg;
    sc_rtc_hub *hub = viewer->hub;
    pthread_mutex_lock(&hub->lock);
    hub->rungs[viewer->rung >= 0 ? viewer->rung : viewer->wanted].want_key = true;
    pthread_mutex_unlock(&hub->lock);
    hub->params.wake(hub->params.arg);
}

// There may have been pictures before.
static void on_channel(void *arg)
{
    sc_rtc_viewer *viewer = arg;
    pthread_mutex_lock(&viewer->hub->lock);
    viewer->listening = true;
    if (viewer->listed && viewer->rung >= 0)
        sc_hub_tell(viewer);
    pthread_mutex_unlock(&viewer->hub->lock);
}

// The viewer's next rung, by number in its ladder. Under lock.
static bool aim(sc_rtc_viewer *viewer, int step)
{
    sc_rtc_hub *hub = viewer->hub;
    int rung = viewer->first_rung + step;
    if (rung == viewer->wanted)
        return false;
    if (viewer->wanted != viewer->rung) // it was on its way to another one
        hub->rungs[viewer->wanted].users--;
    viewer->wanted = rung;
    if (viewer->wanted != viewer->rung) {
        hub->rungs[rung].users++;
        hub->rungs[rung].want_key = true;
    }
    return true;
}

// What has become known of the link, for the ladder and the peer. True: the rung is to change. Under lock.
static bool judge(sc_rtc_viewer *viewer, const struct sc_rtc_arrival *arrivals, int count)
{
    const struct sc_rtc_ladder *ladder = &viewer->ladder;
    int64_t now = sc_clock_now();
    sc_rtc_estimate_feed(viewer->estimate, arrivals, count, now);
    sc_rtc_estimate_get(viewer->estimate, &viewer->link);
    bool changed = aim(viewer, sc_rtc_ladder_step(&viewer->ladder, &viewer->link, now));
    if (viewer->listed) {
        int64_t rate = ladder->rates[ladder->rung];
        sc_rtc_peer_set_pace(viewer->peer, sc_rtc_ladder_pace(ladder, &viewer->link));
        sc_rtc_peer_set_link(viewer->peer, rate ? rate : ladder->params.bitrates[ladder->rung],
                             viewer->link.bitrate);
    }
    return changed;
}

static void on_feedback(void *arg, const struct sc_rtc_arrival *arrivals, int count)
{
    sc_rtc_viewer *viewer = arg;
    sc_rtc_hub *hub = viewer->hub;
    pthread_mutex_lock(&hub->lock);
    bool changed = judge(viewer, arrivals, count);
    viewer->heard_ns = sc_clock_now();
    pthread_mutex_unlock(&hub->lock);
    if (changed)
        hub->params.wake(hub->params.arg);
}

// --- viewers ------------------------------------------------------------------------------

static unsigned codecs(const sc_rtc_hub *hub)
{
    unsigned have = 0;
    for (int i = 0; i < hub->rung_count; i++)
        have |= 1u << (hub->rungs[i].params.codec == SC_LIVE_VP8 ? SC_RTC_VP8 : SC_RTC_H264);
    return have;
}

// The rungs of its codec, as its ladder; they lie side by side.
static void set_ladder(sc_rtc_viewer *viewer, enum sc_rtc_codec codec)
{
    sc_rtc_hub *hub = viewer->hub;
    enum sc_live_codec wanted = codec == SC_RTC_VP8 ? SC_LIVE_VP8 : SC_LIVE_H264;
    struct sc_rtc_ladder_params params = {0};
    for (int i = 0; i < hub->rung_count; i++) {
        if (hub->rungs[i].params.codec != wanted)
            continue;
        if (!params.count)
            viewer->first_rung = i;
        params.bitrates[params.count++] = hub->rungs[i].params.bitrate;
    }
    sc_rtc_ladder_init(&viewer->ladder, &params, 0, sc_clock_now());
    const struct sc_rtc_estimate_params estimate = {.start = params.bitrates[0]};
    viewer->estimate = sc_rtc_estimate_new(&estimate);
    sc_rtc_estimate_get(viewer->estimate, &viewer->link);
    viewer->rung = -1;
    viewer->wanted = viewer->first_rung;
}

static int enlist(sc_rtc_viewer *viewer, sc_err *err)
{
    sc_rtc_hub *hub = viewer->hub;
    pthread_mutex_lock(&hub->lock);
    bool full = hub->params.most && hub->count >= hub->params.most;
    if (!full) {
        hub->count++;
        hub->rungs[viewer->wanted].users++;
        hub->rungs[SC_LIVE_SOUND].users += viewer->sound;
    }
    pthread_mutex_unlock(&hub->lock);
    if (full)
        return sc_fail(err, SC_EBUSY, "this stream has as many viewers as it may have: %d",
                       hub->params.most);
    hub->params.wake(
        hub->params.arg); // so that the rung is encoded when the viewer is connected
    return SC_OK;
}

// Takes the viewer off its rungs and out of the list. Under lock.
static void unlist(sc_rtc_viewer *viewer)
{
    sc_rtc_hub *hub = viewer->hub;
    if (viewer->listed) {
        if (viewer->prev)
            viewer->prev->next = viewer->next;
        else
            hub->first = viewer->next;
        if (viewer->next)
            viewer->next->prev = viewer->prev;
    }
    viewer->listed = false;
    viewer->connected = false;
    hub->rungs[viewer->wanted].users--;
    hub->rungs[SC_LIVE_SOUND].users -= viewer->sound;
    if (viewer->rung >= 0 && viewer->rung != viewer->wanted)
        hub->rungs[viewer->rung].users--;
    hub->count--;
}

static void list(sc_rtc_viewer *viewer)
{
    sc_rtc_hub *hub = viewer->hub;
    pthread_mutex_lock(&hub->lock);
    viewer->next = hub->first;
    if (viewer->next)
        viewer->next->prev = viewer;
    hub->first = viewer;
    viewer->listed = true;
    pthread_mutex_unlock(&hub->lock);
}

static int open_peer(sc_rtc_viewer *viewer, const sc_rtc_offer *offer, enum sc_rtc_codec codec,
                     char **answer, sc_err *err)
{
    const struct sc_rtc_peer_params params = {
        .role = SC_RTC_WATCH,
        .offer = offer,
        .video = codec,
        .sound = viewer->sound,
        .pace_bitrate = sc_rtc_ladder_pace(&viewer->ladder, &viewer->link),
        .events = {.on_state = on_state,
                   .on_want_key = on_want_key,
                   .on_feedback = on_feedback,
                   .on_channel = on_channel,
                   .arg = viewer}};
    return sc_rtc_peer_open(viewer->hub->params.rtc, &viewer->peer, answer, &params, err);
}

int sc_rtc_hub_add(sc_rtc_hub *hub, sc_rtc_viewer **pviewer, char **answer,
                   const struct sc_rtc_viewer_params *params, sc_err *err)
{
    *pviewer = NULL;
    *answer = NULL;
    enum sc_rtc_codec codec = sc_rtc_offer_choose(params->offer, codecs(hub));
    if (codec == SC_RTC_NONE)
        return sc_fail(err, SC_EUNSUPPORTED,
                       "no video codec in common: offer H.264 (constrained baseline, "
                       "packetization-mode=1) or VP8");
    sc_rtc_viewer *viewer = sc_new(sc_rtc_viewer);
    viewer->hub = hub;
    viewer->on_gone = params->on_gone;
    viewer->arg = params->arg;
    viewer->sound = params->sound && params->offer->audio >= 0;
    set_ladder(viewer, codec);
    int ret = enlist(viewer, err);
    if (ret >= 0) {
        ret = open_peer(viewer, params->offer, codec, answer, err);
        if (ret < 0) {
            pthread_mutex_lock(&hub->lock);
            unlist(viewer);
            pthread_mutex_unlock(&hub->lock);
        }
    }
    if (ret < 0) {
        sc_rtc_estimate_free(&viewer->estimate);
        free(viewer);
        return ret;
    }
    list(viewer);
    *pviewer = viewer;
    return SC_OK;
}

void sc_rtc_hub_remove(sc_rtc_viewer **pviewer)
{
    sc_rtc_viewer *viewer = pviewer ? *pviewer : NULL;
    if (!viewer)
        return;
    *pviewer = NULL;
    sc_rtc_hub *hub = viewer->hub;
    pthread_mutex_lock(&hub->lock);
    unlist(viewer);
    pthread_mutex_unlock(&hub->lock);
    sc_rtc_peer_close(&viewer->peer); // its callbacks lock the hub
    sc_rtc_estimate_free(&viewer->estimate);
    free(viewer);
    hub->params.wake(hub->params.arg); // a rung may have lost its last viewer
}

// --- what is to be done -------------------------------------------------------------------

// The links of a rung's viewers; free() it. Under lock.
static struct sc_rtc_estimate_info *links(sc_rtc_hub *hub, int number, int *count)
{
    struct sc_rtc_estimate_info *all = sc_xcalloc((size_t)hub->count + 1, sizeof(*all));
    *count = 0;
    for (sc_rtc_viewer *v = hub->first; v; v = v->next)
        if (v->rung == number)
            all[(*count)++] = v->link;
    return all;
}

// Ladders know what their rungs really have. Under lock.
static void tell_ladders(const struct sc_hub_rung *rung)
{
    int number = (int)(rung - rung->hub->rungs);
    for (sc_rtc_viewer *v = rung->hub->first; v; v = v->next) {
        int step = number - v->first_rung;
        if (step >= 0 && step < v->ladder.params.count)
            v->ladder.rates[step] = rung->rate;
    }
}

static void open_tap(struct sc_hub_rung *rung)
{
    sc_rtc_hub *hub = rung->hub;
    int number = (int)(rung - hub->rungs);
    void *tap = NULL;
    sc_err err = {0};
    int ret = hub->source.tap(hub->source.arg, number, &tap,
                              number == SC_LIVE_SOUND ? take_sound : take, rung, &err);
    if (ret < 0) {
        rung->try_ns = sc_clock_now() + TAP_PAUSE_NS;
        return;
    }
    rung->tap = tap;
    rung->rate_ns = sc_clock_now();
}

static void close_tap(struct sc_hub_rung *rung)
{
    sc_rtc_hub *hub = rung->hub;
    hub->source.untap(hub->source.arg, rung->tap);
    rung->tap = NULL;
    bool tapped = false;
    pthread_mutex_lock(&hub->lock);
    bool over = rung->over;
    rung->over = false;
    sc_hub_forget(rung);
    rung->messages_made = 0; // after hours their times could pass for later ones
    for (size_t i = 0; i < SC_COUNT(hub->rungs); i++)
        tapped |= hub->rungs[i].tap != NULL;
    if (over)
        hub->fresh = true;
    rung->rate = 0;
    tell_ladders(rung);
    pthread_mutex_unlock(&hub->lock);
    rung->try_ns = over && !tapped ? sc_clock_now() + TAP_PAUSE_NS : 0;
}

static void set_rate(struct sc_hub_rung *rung, int64_t now)
{
    sc_rtc_hub *hub = rung->hub;
    int64_t nominal = rung->params.bitrate, had = rung->rate ? rung->rate : nominal;
    int count;
    if (now - rung->rate_ns < RATE_PAUSE_NS)
        return;
    pthread_mutex_lock(&hub->lock);
    struct sc_rtc_estimate_info *all = links(hub, (int)(rung - hub->rungs), &count);
    pthread_mutex_unlock(&hub->lock);
    int64_t rate = sc_rtc_ladder_rate(nominal, had, now - rung->rate_ns, all, count);
    free(all);
    rung->rate_ns = now;
    if (rate == had || hub->source.set_bitrate(hub->source.arg, rung->tap, rate) < 0)
        return;
    pthread_mutex_lock(&hub->lock);
    rung->rate = rate;
    tell_ladders(rung);
    pthread_mutex_unlock(&hub->lock);
}

static void step_rung(struct sc_hub_rung *rung)
{
    sc_rtc_hub *hub = rung->hub;
    int64_t now = sc_clock_now();
    pthread_mutex_lock(&hub->lock);
    bool wanted = rung->users > 0, over = rung->over, key = rung->want_key;
    if (rung->tap)
        rung->want_key = false;
    pthread_mutex_unlock(&hub->lock);
    if (rung->tap && (over || !wanted))
        close_tap(rung);
    if (!rung->tap && wanted && now >= rung->try_ns)
        open_tap(rung);
    if (rung->tap && key)
        hub->source.want_key(hub->source.arg, rung->tap);
    if (rung->tap && rung->params.bitrate)
        set_rate(rung, now);
}

// The next of those who have gone and whose owner does not know.
static sc_rtc_viewer *next_gone(sc_rtc_hub *hub)
{
    sc_rtc_viewer *v;
    pthread_mutex_lock(&hub->lock);
    for (v = hub->first; v && !(v->gone && !v->told); v = v->next)
        ;
    if (v)
        v->told = true;
    pthread_mutex_unlock(&hub->lock);
    return v;
}

// Those of whom nothing is heard: that says something as well.
static void judge_silent(sc_rtc_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    for (sc_rtc_viewer *v = hub->first; v; v = v->next)
        if (v->begun && v->heard_ns && sc_clock_now() - v->heard_ns > SILENCE_NS)
            judge(v, NULL, 0);
    pthread_mutex_unlock(&hub->lock);
}

void sc_rtc_hub_step(sc_rtc_hub *hub)
{
    judge_silent(hub);
    for (size_t i = 0; i < SC_COUNT(hub->rungs); i++)
        step_rung(&hub->rungs[i]);
    for (sc_rtc_viewer *v; (v = next_gone(hub));)
        v->on_gone(v->arg, v->reason);
}

// --- figures ------------------------------------------------------------------------------

sc_rtc_peer *sc_rtc_viewer_peer(sc_rtc_viewer *viewer)
{
    return viewer->peer;
}

void sc_rtc_viewer_get_stats(sc_rtc_viewer *viewer, struct sc_rtc_viewer_stats *stats)
{
    sc_rtc_hub *hub = viewer->hub;
    *stats = (struct sc_rtc_viewer_stats){0};
    sc_rtc_peer_get_stats(viewer->peer, &stats->peer);
    pthread_mutex_lock(&hub->lock);
    stats->link = viewer->link;
    stats->rung = viewer->rung;
    stats->switches = viewer->switches;
    stats->starved = viewer->ladder.starved;
    if (viewer->rung >= 0) {
        stats->width = hub->rungs[viewer->rung].width;
        stats->height = hub->rungs[viewer->rung].height;
    }
    pthread_mutex_unlock(&hub->lock);
}

int sc_rtc_hub_viewers(sc_rtc_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    int count = hub->count;
    pthread_mutex_unlock(&hub->lock);
    return count;
}

// --- open and close -----------------------------------------------------------------------

sc_rtc_hub *sc_rtc_hub_open(const struct sc_rtc_hub_params *params)
{
    sc_rtc_hub *hub = sc_new(sc_rtc_hub);
    hub->params = *params;
    hub->source = *params->source;
    hub->fresh = true;
    hub->stamped_ns = sc_clock_now();
    hub->rung_count = params->rung_count;
    for (size_t i = 0; i < SC_COUNT(hub->rungs); i++)
        hub->rungs[i].hub = hub;
    for (int i = 0; i < params->rung_count; i++)
        hub->rungs[i].params = params->rungs[i];
    pthread_mutex_init(&hub->lock, NULL);
    return hub;
}

void sc_rtc_hub_close(sc_rtc_hub **phub)
{
    sc_rtc_hub *hub = phub ? *phub : NULL;
    if (!hub)
        return;
    *phub = NULL;
    sc_require(!hub->count);
    for (size_t i = 0; i < SC_COUNT(hub->rungs); i++)
        if (hub->rungs[i].tap)
            hub->source.untap(hub->source.arg, hub->rungs[i].tap);
    for (size_t i = 0; i < SC_COUNT(hub->rungs); i++) {
        sc_hub_forget(&hub->rungs[i]);
        sc_hub_release_messages(&hub->rungs[i]);
    }
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}
