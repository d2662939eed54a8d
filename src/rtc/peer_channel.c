// Data channels, as the other side opens them.
#include <string.h>

#include "rtc/peer_internal.h"

#define MOST_WAITING (64 << 10) // bytes: older than what comes next, and of no use then

static void take_message(sc_rtc_peer *peer, const char *data, size_t size)
{
    if (!peer->events.on_message || !sc_rtc_peer_enter(peer))
        return;
    peer->events.on_message(peer->events.arg, data, size);
    sc_rtc_peer_leave(peer);
}

static void take_text(GstWebRTCDataChannel *channel, const char *text, gpointer peer)
{
    (void)channel;
    take_message(peer, text ? text : "", text ? strlen(text) : 0);
}

static void take_bytes(GstWebRTCDataChannel *channel, GBytes *bytes, gpointer peer)
{
    (void)channel;
    gsize size = 0;
    const char *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    take_message(peer, data ? data : "", data ? size : 0);
}

static void tell_of_channel(sc_rtc_peer *peer)
{
    if (!peer->events.on_channel || !sc_rtc_peer_enter(peer))
        return;
    peer->events.on_channel(peer->events.arg);
    sc_rtc_peer_leave(peer);
}

// Takes the reference over.
static void hold(sc_rtc_peer *peer, GstWebRTCDataChannel *channel)
{
    struct sc_rtc_channel *held = NULL;
    pthread_mutex_lock(&peer->lock);
    if (!peer->closed && peer->channel_count < SC_RTC_CHANNELS)
        held = &peer->channels[peer->channel_count++];
    if (held) {
        held->channel = channel;
        held->signals[0] =
            g_signal_connect(channel, "on-message-string", G_CALLBACK(take_text), peer);
        held->signals[1] =
            g_signal_connect(channel, "on-message-data", G_CALLBACK(take_bytes), peer);
    }
    bool closed = peer->closed;
    pthread_mutex_unlock(&peer->lock);
    if (held) {
        tell_of_channel(peer);
        return;
    }
    g_object_unref(channel);
    if (!closed) // each costs threads, and webrtcbin takes any number
        sc_rtc_peer_become(peer, SC_RTC_GONE, "it opened too many data channels");
}

static void take_channel(GstElement *webrtc, GstWebRTCDataChannel *channel, gpointer peer)
{
    (void)webrtc;
    hold(peer, g_object_ref(channel));
}

// None of our own: some peers give it the number that theirs has already.
void sc_rtc_peer_await_channels(sc_rtc_peer *peer)
{
    g_signal_connect(peer->webrtc, "on-data-channel", G_CALLBACK(take_channel), peer);
}

// Known in 1.22: a channel whose signals come after its parent has gone.
void sc_rtc_peer_drop_channels(sc_rtc_peer *peer)
{
    for (int i = 0; i < peer->channel_count; i++) {
        struct sc_rtc_channel *held = &peer->channels[i];
        for (size_t k = 0; k < G_N_ELEMENTS(held->signals); k++)
            if (held->signals[k])
                g_signal_handler_disconnect(held->channel, held->signals[k]);
        g_clear_object(&held->channel);
    }
    peer->channel_count = 0;
}

static GstWebRTCDataChannel *ref_open_channel(sc_rtc_peer *peer)
{
    GstWebRTCDataChannel *open = NULL;
    pthread_mutex_lock(&peer->lock);
    for (int i = 0; i < peer->channel_count && !open; i++) {
        GstWebRTCDataChannelState state = GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED;
        g_object_get(peer->channels[i].channel, "ready-state", &state, NULL);
        if (state == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN)
            open = g_object_ref(peer->channels[i].channel);
    }
    pthread_mutex_unlock(&peer->lock);
    return open;
}

bool sc_rtc_peer_send_text(sc_rtc_peer *peer, const char *text, size_t size)
{
    guint64 waiting = 0;
    GstWebRTCDataChannel *channel = ref_open_channel(peer);
    if (!channel)
        return false;
    g_object_get(channel, "buffered-amount", &waiting, NULL);
    bool room = waiting + size <= MOST_WAITING;
    if (room) {
        char *copy = g_strndup(text, size);
        g_signal_emit_by_name(channel, "send-string", copy);
        g_free(copy);
    }
    g_object_unref(channel);
    return room;
}
