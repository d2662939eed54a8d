// What the other side says about what it gets: receiver reports, wishes for packets and keyframes (RTCP), and
// the arrival of each packet (transport-wide feedback).
#define GLIB_DISABLE_DEPRECATION_WARNINGS // rtpsession lists packets in a GValueArray
#include <gst/rtp/gstrtcpbuffer.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

// --- RTCP ---------------------------------------------------------------------------------------

// The middle of NTP's 64 bits: seconds and their fractions, 16 bits each.
static uint32_t ntp_now(void)
{
    const int64_t from_1900 = INT64_C(2208988800);
    int64_t wall = sc_clock_wall(), seconds = wall / SC_NS_PER_S + from_1900;
    int64_t fraction = (wall % SC_NS_PER_S << 16) / SC_NS_PER_S;
    return (uint32_t)(seconds << 16 | fraction);
}

static void take_report(sc_rtc_peer *peer, GstRTCPPacket *packet, guint block)
{
    guint32 ssrc, highest, jitter, last, delay;
    guint8 fraction;
    gint32 lost;
    gst_rtcp_packet_get_rb(packet, block, &ssrc, &fraction, &lost, &highest, &jitter, &last,
                           &delay);
    pthread_mutex_lock(&peer->lock);
    if (ssrc == peer->video.cutter.params.ssrc) {
        peer->counts.loss = fraction / 256.0;
        int32_t rtt = (int32_t)(ntp_now() - last - delay); // in 1/65536 s
        if (last && rtt >= 0)
            peer->counts.rtt_ms = rtt * 1000.0 / 65536;
    }
    pthread_mutex_unlock(&peer->lock);
}

// Pairs of a number and a mask of the 16 that follow it (RFC 4585, 6.2.1).
static int count_nacked(GstRTCPPacket *packet)
{
    int count = 0;
    const guint8 *fci = gst_rtcp_packet_fb_get_fci(packet);
    for (guint words = gst_rtcp_packet_fb_get_fci_length(packet); fci && words > 0; words--) {
        count += 1 + __builtin_popcount(GST_READ_UINT16_BE(fci + 2));
        fci += 4;
    }
    return count;
}

static bool take_rtcp_packet(sc_rtc_peer *peer, GstRTCPPacket *packet)
{
    GstRTCPType type = gst_rtcp_packet_get_type(packet);
    if (type == GST_RTCP_TYPE_RR || type == GST_RTCP_TYPE_SR)
        for (guint i = 0; i < gst_rtcp_packet_get_rb_count(packet); i++)
            take_report(peer, packet, i);
    bool feedback = type == GST_RTCP_TYPE_PSFB || type == GST_RTCP_TYPE_RTPFB;
    GstRTCPFBType what =
        feedback ? gst_rtcp_packet_fb_get_type(packet) : GST_RTCP_FB_TYPE_INVALID;
    bool key = type == GST_RTCP_TYPE_PSFB &&
               (what == GST_RTCP_PSFB_TYPE_PLI || what == GST_RTCP_PSFB_TYPE_FIR);
    pthread_mutex_lock(&peer->lock);
    peer->counts.plis += key;
    if (type == GST_RTCP_TYPE_RTPFB && what == GST_RTCP_RTPFB_TYPE_NACK)
        peer->counts.nacks += count_nacked(packet);
    pthread_mutex_unlock(&peer->lock);
    return key;
}

static GstPadProbeReturn take_rtcp(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad;
    sc_rtc_peer *peer = arg;
    GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
    GstRTCPPacket packet;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    bool key = false;
    if (!gst_rtcp_buffer_validate_reduced(buffer) ||
        !gst_rtcp_buffer_map(buffer, GST_MAP_READ, &rtcp))
        return GST_PAD_PROBE_OK;
    atomic_store(&peer->heard_ns, sc_clock_now());
    for (gboolean more = gst_rtcp_buffer_get_first_packet(&rtcp, &packet); more;
         more = gst_rtcp_packet_move_to_next(&packet))
        key |= take_rtcp_packet(peer, &packet);
    gst_rtcp_buffer_unmap(&rtcp);
    if (key && peer->events.on_want_key && sc_rtc_peer_enter(peer)) {
        peer->events.on_want_key(peer->events.arg);
        sc_rtc_peer_leave(peer);
    }
    return GST_PAD_PROBE_OK;
}

static void take_pad(GstElement *rtpbin, GstPad *pad, gpointer arg)
{
    (void)rtpbin;
    sc_rtc_peer *peer = arg;
    pthread_mutex_lock(&peer->lock);
    if (!peer->output && g_str_has_prefix(GST_PAD_NAME(pad), "send_rtp_src_"))
        peer->output = gst_object_ref(pad);
    pthread_mutex_unlock(&peer->lock);
    if (g_str_has_prefix(GST_PAD_NAME(pad), "recv_rtcp_sink_"))
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, take_rtcp, peer, NULL);
}

void sc_rtc_peer_hear(sc_rtc_peer *peer)
{
    GstElement *rtpbin = gst_bin_get_by_name(GST_BIN(peer->webrtc), "rtpbin");
    if (!rtpbin)
        return;
    g_signal_connect(rtpbin, "pad-added", G_CALLBACK(take_pad), peer);
    gst_object_unref(rtpbin);
}

// --- transport-wide feedback --------------------------------------------------------------------

// size: without headers as GStreamer tells it; overhead is added.
static void read_arrival(struct sc_rtc_arrival *arrival, const GstStructure *said, int overhead)
{
    guint seq = 0, size = 0;
    guint64 sent = 0, arrived = GST_CLOCK_TIME_NONE;
    gboolean lost = TRUE;
    gst_structure_get_uint(said, "seqnum", &seq);
    gst_structure_get_uint(said, "size", &size);
    gst_structure_get_uint64(said, "local-ts", &sent);
    gst_structure_get_uint64(said, "remote-ts", &arrived);
    gst_structure_get_boolean(said, "lost", &lost);
    *arrival = (struct sc_rtc_arrival){.seq = (uint16_t)seq,
                                       .lost = lost || arrived == GST_CLOCK_TIME_NONE,
                                       .sent_ns = (int64_t)sent,
                                       .arrived_ns = (int64_t)arrived,
                                       .size = (int)size + overhead};
    if (arrival->lost)
        arrival->arrived_ns = 0;
}

static void take_arrivals(sc_rtc_peer *peer, const GstStructure *said)
{
    const GValue *value = gst_structure_get_value(said, "packets");
    const GValueArray *list =
        value && G_VALUE_HOLDS(value, G_TYPE_VALUE_ARRAY) ? g_value_get_boxed(value) : NULL;
    if (!list || list->n_values == 0)
        return;
    struct sc_rtc_arrival *arrivals = sc_try_calloc(list->n_values, sizeof(*arrivals));
    int count = 0, overhead = (int)sc_rtp_overhead(&peer->video.cutter);
    for (guint i = 0; arrivals && i < list->n_values; i++)
        if (GST_VALUE_HOLDS_STRUCTURE(&list->values[i]))
            read_arrival(&arrivals[count++], gst_value_get_structure(&list->values[i]),
                         overhead);
    if (count > 0 && sc_rtc_peer_enter(peer)) {
        peer->events.on_feedback(peer->events.arg, arrivals, count);
        sc_rtc_peer_leave(peer);
    }
    free(arrivals);
}

GstPadProbeReturn sc_rtc_peer_take_event(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    sc_rtc_peer *peer = arg;
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    const GstStructure *said = gst_event_get_structure(event);
    // With sound both sources get it: the video's is taken.
    if (GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_UPSTREAM && peer->events.on_feedback &&
        said && gst_structure_has_name(said, "RTPTWCCPackets") &&
        GST_PAD_PARENT(pad) == peer->video.source)
        take_arrivals(peer, said);
    return GST_PAD_PROBE_OK;
}
