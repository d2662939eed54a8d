// Pictures and sound in: whole access units to the callback, with the peer's own times.
#include <gst/app/gstappsink.h>
#include <gst/rtp/gstrtpbuffer.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

// One medium that is received; freed with its pad.
struct input {
    sc_rtc_peer *peer; // borrowed
    enum sc_rtc_codec codec;
    int rate; // of the RTP clock
    bool begun;
    guint64 first, last; // RTP timestamps, extended
};

// --- what comes out -----------------------------------------------------------------------------

static sc_packet *make_packet(const struct input *input, GstBuffer *buffer)
{
    gsize size = gst_buffer_get_size(buffer);
    AVPacket *av = size > 0 && size < INT_MAX / 2 ? av_packet_alloc() : NULL;
    sc_packet *packet = NULL;
    if (!av || av_new_packet(av, (int)size) < 0)
        goto done;
    gst_buffer_extract(buffer, 0, av->data, size);
    av->pts = av->dts = GST_BUFFER_PTS_IS_VALID(buffer) ? (int64_t)GST_BUFFER_PTS(buffer) : 0;
    av->time_base = (AVRational){1, (int)SC_NS_PER_S};
    if (!GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT))
        av->flags |= AV_PKT_FLAG_KEY;
    packet = sc_packet_wrap(av, input->codec == SC_RTC_OPUS ? SC_MEDIA_SOUND : SC_MEDIA_VIDEO);
    if (packet)
        av = NULL;
done:
    av_packet_free(&av);
    return packet;
}

static GstFlowReturn take_sample(GstAppSink *sink, gpointer arg)
{
    const struct input *input = arg;
    sc_rtc_peer *peer = input->peer;
    GstSample *sample = gst_app_sink_pull_sample(sink);
    GstBuffer *buffer = sample ? gst_sample_get_buffer(sample) : NULL;
    sc_packet *packet = buffer ? make_packet(input, buffer) : NULL;
    if (packet && peer->events.on_packet && sc_rtc_peer_enter(peer)) {
        pthread_mutex_lock(&peer->lock);
        peer->counts.pictures += packet->media == SC_MEDIA_VIDEO;
        pthread_mutex_unlock(&peer->lock);
        peer->events.on_packet(peer->events.arg, packet, input->codec);
        packet = NULL;
        sc_rtc_peer_leave(peer);
    }
    sc_packet_unref(&packet);
    if (sample)
        gst_sample_unref(sample);
    return GST_FLOW_OK;
}

// --- what comes in ------------------------------------------------------------------------------

// The jitter buffer's times follow our clock, with corrections that jump; the sender's are its RTP timestamps.
static GstPadProbeReturn set_time(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad;
    struct input *input = arg;
    sc_rtc_peer *peer = input->peer;
    GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
    GstBuffer *buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    info->data = buffer;
    if (!gst_rtp_buffer_map(buffer, GST_MAP_READ, &rtp))
        return GST_PAD_PROBE_DROP;
    guint32 timestamp = gst_rtp_buffer_get_timestamp(&rtp);
    gst_rtp_buffer_unmap(&rtp);
    if (!input->begun)
        input->first = input->last = gst_rtp_buffer_ext_timestamp(&input->last, timestamp);
    input->begun = true;
    guint64 now = gst_rtp_buffer_ext_timestamp(&input->last, timestamp);
    GST_BUFFER_PTS(buffer) =
        now <= input->first
            ? 0
            : gst_util_uint64_scale(now - input->first, GST_SECOND, (guint64)input->rate);
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
    int64_t heard = sc_clock_now();
    atomic_store(&peer->heard_ns, heard);
    pthread_mutex_lock(&peer->lock);
    peer->counts.packets++;
    peer->counts.bytes += (int64_t)gst_buffer_get_size(buffer);
    pthread_mutex_unlock(&peer->lock);
    return GST_PAD_PROBE_OK;
}

static const struct {
    const char *name, *depayloader, *parser, *caps;
    int rate;
} kinds[] = {
    [SC_RTC_H264] = {"H264", "rtph264depay", "h264parse",
                     "video/x-h264,stream-format=byte-stream,alignment=au", 90000},
    [SC_RTC_VP8] = {"VP8", "rtpvp8depay", NULL, "video/x-vp8", 90000},
    [SC_RTC_OPUS] = {"OPUS", "rtpopusdepay", NULL, "audio/x-opus", 48000},
};

static enum sc_rtc_codec codec_of(GstPad *pad)
{
    GstCaps *caps = gst_pad_get_current_caps(pad);
    const char *name =
        caps && gst_caps_get_size(caps) > 0
            ? gst_structure_get_string(gst_caps_get_structure(caps, 0), "encoding-name")
            : NULL;
    enum sc_rtc_codec codec = SC_RTC_NONE;
    for (size_t i = SC_RTC_H264; name && i < SC_COUNT(kinds); i++)
        if (!g_ascii_strcasecmp(name, kinds[i].name))
            codec = (enum sc_rtc_codec)i;
    if (caps)
        gst_caps_unref(caps);
    return codec;
}

static GstElement *make_sink(struct input *input)
{
    GstElement *sink = gst_element_factory_make("appsink", NULL);
    if (!sink)
        return NULL;
    GstCaps *caps = gst_caps_from_string(kinds[input->codec].caps);
    GstAppSinkCallbacks callbacks = {.new_sample = take_sample};
    g_object_set(sink, "caps", caps, "sync", FALSE, "async", FALSE, "max-buffers", 8u, NULL);
    gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, input, NULL);
    gst_caps_unref(caps);
    return sink;
}

// depayloader -> parser -> sink; the first of them, or NULL.
static GstElement *add_chain(sc_rtc_peer *peer, struct input *input)
{
    GstElement *first = gst_element_factory_make(kinds[input->codec].depayloader, NULL);
    GstElement *parser = kinds[input->codec].parser
                             ? gst_element_factory_make(kinds[input->codec].parser, NULL)
                             : NULL;
    GstElement *sink = make_sink(input), *all[] = {sink, parser, first};
    if (!first || !sink)
        return NULL;
    if (parser) // parameter sets before every keyframe, wherever they came from
        g_object_set(parser, "config-interval", -1, NULL);
    if (input->codec != SC_RTC_OPUS)
        g_object_set(first, "request-keyframe", TRUE, "wait-for-keyframe", TRUE, NULL);
    for (size_t i = 0; i < SC_COUNT(all); i++)
        if (all[i])
            gst_bin_add(GST_BIN(peer->pipeline), all[i]);
    bool linked = parser ? gst_element_link_many(first, parser, sink, NULL)
                         : gst_element_link(first, sink);
    for (size_t i = 0; i < SC_COUNT(all) && linked; i++)
        if (all[i])
            gst_element_sync_state_with_parent(all[i]);
    return linked ? first : NULL;
}

static void take_pad(GstElement *webrtc, GstPad *pad, gpointer arg)
{
    (void)webrtc;
    sc_rtc_peer *peer = arg;
    enum sc_rtc_codec codec = codec_of(pad);
    enum sc_rtc_kind kind = codec == SC_RTC_OPUS ? SC_RTC_AUDIO : SC_RTC_VIDEO;
    if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC || codec == SC_RTC_NONE ||
        !sc_rtc_peer_enter(peer))
        return;
    pthread_mutex_lock(&peer->lock);
    bool first = !peer->inputs[kind];
    if (first)
        peer->inputs[kind] = gst_object_ref(pad);
    pthread_mutex_unlock(&peer->lock);
    if (first) {
        struct input *input = sc_new(struct input);
        *input = (struct input){
            .peer = peer, .codec = codec, .rate = kinds[codec].rate, .last = (guint64)-1};
        GstElement *depayloader = add_chain(peer, input);
        GstPad *to = depayloader ? gst_element_get_static_pad(depayloader, "sink") : NULL;
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, set_time, input, free);
        if (!to || gst_pad_link(pad, to) != GST_PAD_LINK_OK)
            sc_rtc_peer_become(peer, SC_RTC_GONE, "GStreamer does not take what it sends");
        gst_clear_object(&to);
    }
    sc_rtc_peer_leave(peer);
}

// --- set up -------------------------------------------------------------------------------------

static void add_transceiver(sc_rtc_peer *peer, int media, enum sc_rtc_codec codec,
                            GstWebRTCRTPTransceiver **ptransceiver)
{
    struct sc_rtp_params rtp;
    sc_rtc_peer_fill_rtp(&rtp, &peer->offer.media[media], codec);
    sc_rtc_peer_add_transceiver(peer, &rtp, GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                                ptransceiver);
}

int sc_rtc_peer_add_sinks(sc_rtc_peer *peer, sc_err *err)
{
    const sc_rtc_offer *offer = &peer->offer;
    GstWebRTCRTPTransceiver *sound = NULL;
    g_signal_connect(peer->webrtc, "pad-added", G_CALLBACK(take_pad), peer);
    add_transceiver(peer, offer->video, peer->codec, &peer->transceiver);
    if (!peer->transceiver)
        return sc_fail(err, SC_EINTERNAL, "GStreamer takes no sink");
    g_object_set(peer->transceiver, "do-nack", TRUE, NULL);
    if (offer->audio >= 0)
        add_transceiver(peer, offer->audio, SC_RTC_OPUS, &sound);
    g_clear_object(&sound);
    return SC_OK;
}

void sc_rtc_peer_want_key(sc_rtc_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    GstPad *pad =
        peer->inputs[SC_RTC_VIDEO] ? gst_object_ref(peer->inputs[SC_RTC_VIDEO]) : NULL;
    pthread_mutex_unlock(&peer->lock);
    if (!pad)
        return;
    GstStructure *wish =
        gst_structure_new("GstForceKeyUnit", "all-headers", G_TYPE_BOOLEAN, TRUE, NULL);
    gst_pad_send_event(pad, gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, wish));
    gst_object_unref(pad);
}
