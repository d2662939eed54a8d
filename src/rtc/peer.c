#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

// A connection that does not come about is given up after so many times the silence.
#define PATIENCE        3

#define ANSWER_NS       (5 * SC_NS_PER_S)
#define FIRST_ANSWER_NS (30 * SC_NS_PER_S)

const char *sc_rtc_state_name(enum sc_rtc_state state)
{
    static const char *const names[] = {"connecting", "connected", "gone"};
    return (unsigned)state < SC_COUNT(names) ? names[state] : "unknown";
}

// --- references and callbacks -------------------------------------------------------------------

sc_rtc_peer *sc_rtc_peer_ref(sc_rtc_peer *peer)
{
    atomic_fetch_add(&peer->refs, 1);
    return peer;
}

void sc_rtc_peer_unref(sc_rtc_peer **ppeer)
{
    sc_rtc_peer *peer = *ppeer;
    *ppeer = NULL;
    if (atomic_fetch_sub(&peer->refs, 1) != 1)
        return;
    sc_srtp_close(&peer->srtp);
    pthread_cond_destroy(&peer->changed);
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}

bool sc_rtc_peer_enter(sc_rtc_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    bool open = !peer->closed;
    peer->inside += open;
    pthread_mutex_unlock(&peer->lock);
    return open;
}

void sc_rtc_peer_leave(sc_rtc_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    if (--peer->inside == 0)
        pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
}

// --- state --------------------------------------------------------------------------------------

// One thread tells at a time, so that states come in order; who changes the state meanwhile, be it from
// within the callback, leaves the telling to it.
static void tell(sc_rtc_peer *peer)
{
    if (peer->telling)
        return;
    peer->telling = true;
    peer->inside++;
    while (!peer->closed && peer->told != peer->state) {
        enum sc_rtc_state state = peer->told = peer->state;
        pthread_mutex_unlock(&peer->lock);
        // The reason is written once, before the state it belongs to.
        const char *reason = state == SC_RTC_GONE ? peer->reason : "";
        if (peer->events.on_state)
            peer->events.on_state(peer->events.arg, state, reason);
        pthread_mutex_lock(&peer->lock);
    }
    peer->telling = false;
    if (--peer->inside == 0)
        pthread_cond_broadcast(&peer->changed);
}

void sc_rtc_peer_become(sc_rtc_peer *peer, enum sc_rtc_state state, const char *reason)
{
    pthread_mutex_lock(&peer->lock);
    if (!peer->closed && state > peer->state) {
        peer->state = state;
        if (state == SC_RTC_CONNECTED)
            peer->counts.connected_ns = sc_clock_now();
        if (reason)
            g_strlcpy(peer->reason, reason, sizeof(peer->reason));
        pthread_cond_broadcast(&peer->changed);
        tell(peer);
    }
    pthread_mutex_unlock(&peer->lock);
}

void sc_rtc_peer_check(sc_rtc_peer *peer, int64_t now_ns)
{
    char reason[96];
    int64_t silence = peer->rtc->silence_ns;
    pthread_mutex_lock(&peer->lock);
    enum sc_rtc_state state = peer->state;
    int64_t since =
        state == SC_RTC_CONNECTED ? peer->counts.connected_ns : peer->counts.opened_ns;
    pthread_mutex_unlock(&peer->lock);
    int64_t heard = atomic_load(&peer->heard_ns);
    int64_t quiet = now_ns - (heard > since ? heard : since);
    if (state == SC_RTC_CONNECTED && quiet > silence)
        snprintf(reason, sizeof(reason), "nothing was heard of it for %.1f s",
                 (double)quiet / 1e9);
    else if (state == SC_RTC_CONNECTING && quiet > PATIENCE * silence)
        snprintf(reason, sizeof(reason), "no connection came about within %.1f s",
                 (double)quiet / 1e9);
    else
        return;
    sc_rtc_peer_become(peer, SC_RTC_GONE, reason);
}

// --- open ---------------------------------------------------------------------------------------

// Nobody reads the bus: what matters is taken here, and the rest would pile up.
static GstBusSyncReply take_message(GstBus *bus, GstMessage *message, gpointer arg)
{
    (void)bus;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError *error = NULL;
        gst_message_parse_error(message, &error, NULL);
        sc_rtc_peer_become(arg, SC_RTC_GONE, error ? error->message : "GStreamer failed");
        g_clear_error(&error);
    }
    gst_message_unref(message);
    return GST_BUS_DROP;
}

static void take_element(GstBin *bin, GstBin *sub, GstElement *element, gpointer arg)
{
    (void)bin, (void)sub;
    sc_rtc_peer *peer = arg;
    GstElementFactory *factory = gst_element_get_factory(element);
    const char *name = factory ? GST_OBJECT_NAME(factory) : "";
    if (!strcmp(name, "sctpenc") || !strcmp(name, "sctpdec"))
        g_object_set(element, "sctp-association-id", (guint)peer->association, NULL);
    if (peer->role == SC_RTC_WATCH)
        sc_rtc_peer_find_wire(peer, element, name);
}

static int build(sc_rtc_peer *peer, const struct sc_rtc_peer_params *params, sc_err *err)
{
    peer->pipeline = gst_object_ref_sink(gst_pipeline_new(NULL));
    peer->webrtc = gst_element_factory_make("webrtcbin", NULL);
    if (!peer->webrtc)
        return sc_fail(err, SC_EINTERNAL, "GStreamer makes no webrtcbin");
    GstBus *bus = gst_element_get_bus(peer->pipeline);
    gst_bus_set_sync_handler(bus, take_message, peer, NULL);
    gst_object_unref(bus);
    g_signal_connect(peer->pipeline, "deep-element-added", G_CALLBACK(take_element), peer);
    // latency is that of the jitter buffer for what we receive.
    g_object_set(peer->webrtc, "bundle-policy", GST_WEBRTC_BUNDLE_POLICY_MAX_BUNDLE, "latency",
                 50u, NULL);
    gst_bin_add(GST_BIN(peer->pipeline), peer->webrtc);
    sc_rtc_peer_set_up_ice(peer);
    sc_rtc_peer_hear(peer);
    int ret = params->role == SC_RTC_WATCH ? sc_rtc_peer_add_tracks(peer, params, err)
                                           : sc_rtc_peer_add_sinks(peer, err);
    if (ret < 0)
        return ret;
    if (gst_element_set_state(peer->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
        return sc_fail(err, SC_EINTERNAL, "GStreamer's pipeline does not start");
    if (peer->offer.data >= 0)
        sc_rtc_peer_await_channels(peer);
    return SC_OK;
}

static sc_rtc_peer *new_peer(sc_rtc *rtc, const struct sc_rtc_peer_params *params)
{
    sc_rtc_peer *peer = sc_new(sc_rtc_peer);
    peer->rtc = rtc;
    peer->role = params->role;
    peer->codec = params->video;
    peer->offer = *params->offer;
    memcpy(peer->ufrag, peer->offer.ufrag, sizeof(peer->ufrag));
    if (!params->sound && peer->offer.audio >= 0) {
        peer->offer.media[peer->offer.audio].rejected = true;
        peer->offer.audio = -1;
    }
    peer->events = params->events;
    peer->pace = params->pace_bitrate;
    peer->key_only = true;
    peer->counts =
        (struct sc_rtc_peer_stats){.rtt_ms = -1, .loss = -1, .opened_ns = sc_clock_now()};
    peer->association = sc_rtc_take_association(rtc);
    peer->sender = sc_rtc_take_sender(rtc);
    atomic_init(&peer->refs, 1);
    atomic_init(&peer->joined, false);
    atomic_init(&peer->heard_ns, 0);
    pthread_mutex_init(&peer->lock, NULL);
    sc_clock_init_cond(&peer->changed);
    return peer;
}

int sc_rtc_peer_make(sc_rtc *rtc, sc_rtc_peer **ppeer, char **answer,
                     const struct sc_rtc_peer_params *params, bool hidden, sc_err *err)
{
    *ppeer = NULL;
    *answer = NULL;
    sc_rtc_peer *peer = new_peer(rtc, params);
    peer->hidden = hidden;
    sc_rtc_enlist(rtc, peer);
    int ret = build(peer, params, err);
    if (ret == SC_OK)
        ret = sc_rtc_peer_negotiate(
            peer, sc_clock_now() + (hidden ? FIRST_ANSWER_NS : ANSWER_NS), answer, err);
    if (ret == SC_OK)
        *ppeer = peer;
    else
        sc_rtc_peer_close(&peer);
    return ret;
}

int sc_rtc_peer_open(sc_rtc *rtc, sc_rtc_peer **ppeer, char **answer,
                     const struct sc_rtc_peer_params *params, sc_err *err)
{
    sc_rtc_wait_till_warm(rtc);
    return sc_rtc_peer_make(rtc, ppeer, answer, params, false, err);
}

// --- close --------------------------------------------------------------------------------------

void sc_rtc_peer_close(sc_rtc_peer **ppeer)
{
    sc_rtc_peer *peer = ppeer ? *ppeer : NULL;
    if (!peer)
        return;
    pthread_mutex_lock(&peer->lock);
    peer->closed = true;
    pthread_cond_broadcast(&peer->changed);
    while (peer->inside > 0)
        pthread_cond_wait(&peer->changed, &peer->lock);
    pthread_mutex_unlock(&peer->lock);
    *ppeer = NULL; // events that were on their way may have used it
    sc_rtc_retire(peer->rtc, peer);
}

// Known to hang in 1.22: a data channel whose signals still arrive, a bus that keeps descriptors open, and
// taking down from one of the pipeline's own threads. Hence the order, and the thread we are on.
void sc_rtc_peer_demolish(sc_rtc_peer *peer)
{
    sc_rtc_peer_drop_wire(peer);
    sc_rtc_peer_release_queue(peer);
    sc_rtc_peer_forget(peer);
    GstBus *bus = gst_element_get_bus(peer->pipeline);
    gst_bus_set_flushing(bus, TRUE);
    gst_object_unref(bus);
    g_signal_handlers_disconnect_by_data(peer->pipeline, peer);
    if (peer->webrtc)
        g_signal_handlers_disconnect_by_data(peer->webrtc, peer);
    if (peer->transport)
        g_signal_handlers_disconnect_by_data(peer->transport, peer);
    sc_rtc_peer_drop_channels(peer);
    gst_element_set_state(peer->pipeline, GST_STATE_NULL);
    g_clear_object(&peer->transport);
    g_clear_object(&peer->transceiver);
    for (size_t i = 0; i < SC_COUNT(peer->inputs); i++)
        gst_clear_object(&peer->inputs[i]);
    gst_clear_object(&peer->pipeline);
}

// --- stats --------------------------------------------------------------------------------------

static gboolean take_remote(GQuark id, const GValue *value, gpointer arg)
{
    (void)id;
    sc_rtc_peer *peer = arg;
    guint port = 0;
    GstWebRTCStatsType type;
    const GstStructure *said =
        GST_VALUE_HOLDS_STRUCTURE(value) ? gst_value_get_structure(value) : NULL;
    if (!said || !gst_structure_get(said, "type", GST_TYPE_WEBRTC_STATS_TYPE, &type, NULL) ||
        type != GST_WEBRTC_STATS_REMOTE_CANDIDATE)
        return TRUE;
    const char *address = gst_structure_get_string(said, "address");
    gst_structure_get_uint(said, "port", &port);
    pthread_mutex_lock(&peer->lock);
    if (address)
        snprintf(peer->counts.remote, sizeof(peer->counts.remote),
                 strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
    pthread_mutex_unlock(&peer->lock);
    return TRUE;
}

static void take_stats(GstPromise *promise, gpointer peer)
{
    if (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED &&
        gst_promise_get_reply(promise))
        gst_structure_foreach(gst_promise_get_reply(promise), take_remote, peer);
}

static void drop_ref(gpointer arg)
{
    sc_rtc_peer *peer = arg;
    sc_rtc_peer_unref(&peer);
}

void sc_rtc_peer_find_remote(sc_rtc_peer *peer)
{
    GstPromise *promise =
        gst_promise_new_with_change_func(take_stats, sc_rtc_peer_ref(peer), drop_ref);
    g_signal_emit_by_name(peer->webrtc, "get-stats", NULL, promise);
    gst_promise_unref(promise);
}

void sc_rtc_peer_get_stats(sc_rtc_peer *peer, struct sc_rtc_peer_stats *stats)
{
    pthread_mutex_lock(&peer->lock);
    *stats = peer->counts;
    stats->state = peer->state;
    pthread_mutex_unlock(&peer->lock);
    stats->heard_ns = atomic_load(&peer->heard_ns);
}
