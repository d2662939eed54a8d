// Packets and reports of a viewer go past webrtcbin: encrypted here by the keys that its DTLS has agreed on, and sent
// by the agent of libnice that it has for ICE. Of a packet's way through GStreamer (queues, rtpbin, retransmission,
// clocks, SRTP, sink) that leaves what is needed, a sixth of the time.
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

#define REPORT_MAX 2048 // bytes; no path carries more

// --- what comes ---------------------------------------------------------------------------------

// What of a transport's packets are which, by their first bytes (RFC 7983, RFC 5761).
static bool is_media(uint8_t first)
{
    return first >= 128 && first <= 191;
}

static bool is_report(uint8_t second)
{
    return second >= 192 && second <= 223;
}

static void take_report(sc_rtc_peer *peer, const uint8_t *data, size_t size)
{
    uint8_t copy[REPORT_MAX];
    pthread_mutex_lock(&peer->lock);
    sc_srtp *srtp = peer->srtp;
    pthread_mutex_unlock(&peer->lock);
    if (!srtp || size > sizeof(copy))
        return;
    memcpy(copy, data, size);
    if (sc_srtp_open_report(srtp, copy, &size))
        sc_rtc_peer_take_rtcp(peer, copy, size);
}

// Viewers send no media, so all of it that webrtcbin would get are reports on what it has not sent.
static GstPadProbeReturn take_packet(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad;
    sc_rtc_peer *peer = arg;
    GstMapInfo map;
    if (!gst_buffer_map(GST_PAD_PROBE_INFO_BUFFER(info), &map, GST_MAP_READ))
        return GST_PAD_PROBE_OK;
    bool media = map.size > 1 && is_media(map.data[0]);
    if (media && is_report(map.data[1]) && sc_rtc_peer_enter(peer)) {
        take_report(peer, map.data, map.size);
        sc_rtc_peer_leave(peer);
    }
    gst_buffer_unmap(GST_PAD_PROBE_INFO_BUFFER(info), &map);
    return media ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

// --- set up -------------------------------------------------------------------------------------

void sc_rtc_peer_find_wire(sc_rtc_peer *peer, GstElement *element, const char *factory)
{
    static const char *const names[] = {"dtlsenc", "dtlsdec"};
    pthread_mutex_lock(&peer->lock);
    for (size_t i = 0; i < SC_COUNT(names); i++)
        if (!peer->closed && !strcmp(factory, names[i]) && !peer->keys[i])
            peer->keys[i] = gst_object_ref(element);
    pthread_mutex_unlock(&peer->lock);
    if (strcmp(factory, "nicesrc") != 0)
        return;
    GstPad *pad = gst_element_get_static_pad(element, "src");
    if (pad)
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, take_packet, peer, NULL);
    gst_clear_object(&pad);
}

static bool read_key(GstElement *element, const char *name, uint8_t *key)
{
    GstBuffer *buffer = NULL;
    g_object_get(element, name, &buffer, NULL);
    bool whole = buffer && gst_buffer_get_size(buffer) == SC_SRTP_KEY &&
                 gst_buffer_extract(buffer, 0, key, SC_SRTP_KEY) == SC_SRTP_KEY;
    if (buffer)
        gst_buffer_unref(buffer);
    return whole;
}

// The numbers are GstDtlsSrtpCipher's and GstDtlsSrtpAuth's.
static bool read_keys(GstElement *const elements[2], struct sc_srtp_keys *keys)
{
    enum { AES_128_ICM = 1, HMAC_SHA1_32 = 1, HMAC_SHA1_80 = 2 };
    guint cipher = 0, auth = 0;
    if (!elements[0] || !elements[1] || !read_key(elements[0], "encoder-key", keys->out) ||
        !read_key(elements[1], "decoder-key", keys->in))
        return false;
    g_object_get(elements[1], "srtp-cipher", &cipher, "srtp-auth", &auth, NULL);
    keys->short_tag = auth == HMAC_SHA1_32;
    return cipher == AES_128_ICM && (auth == HMAC_SHA1_32 || auth == HMAC_SHA1_80);
}

int sc_rtc_peer_take_keys(sc_rtc_peer *peer, sc_err *err)
{
    struct sc_srtp_keys keys;
    sc_srtp *srtp = NULL;
    int ret = read_keys(peer->keys, &keys)
                  ? sc_srtp_open(&srtp, &keys, err)
                  : sc_fail(err, SC_EINTERNAL, "DTLS agreed on no keys for SRTP");
    explicit_bzero(&keys, sizeof(keys));
    if (ret < 0)
        return ret;
    NiceAgent *agent = sc_rtc_peer_get_agent(peer);
    if (!agent)
        ret = sc_fail(err, SC_EINTERNAL, "GStreamer's transport has no ICE by libnice");
    pthread_mutex_lock(&peer->lock);
    if (!peer->srtp && agent) {
        peer->agent = agent;
        peer->srtp = srtp;
        agent = NULL;
        srtp = NULL;
    }
    pthread_mutex_unlock(&peer->lock);
    g_clear_object(&agent);
    sc_srtp_close(&srtp);
    return ret;
}

void sc_rtc_peer_drop_wire(sc_rtc_peer *peer)
{
    g_clear_object(&peer->agent);
    gst_clear_object(&peer->keys[0]);
    gst_clear_object(&peer->keys[1]);
}

// --- what goes ----------------------------------------------------------------------------------

// What the system does not take now is lost, as anywhere on the way.
static void send_all(sc_rtc_peer *peer, NiceOutputMessage *messages, guint count)
{
    if (count)
        nice_agent_send_messages_nonblocking(peer->agent, peer->ice_stream,
                                             NICE_COMPONENT_TYPE_RTP, messages, count, NULL,
                                             NULL);
}

static void number(sc_rtc_peer *peer, const struct sc_rtc_track *track,
                   struct sc_rtc_parcel *parcels, int count)
{
    int64_t now = sc_clock_now();
    pthread_mutex_lock(&peer->lock);
    for (int i = 0; i < count; i++) {
        if (track->cutter.params.twcc_id)
            sc_rtp_number(&track->cutter, parcels[i].data,
                          sc_twcc_sent(&peer->twcc, (int)parcels[i].size, now));
        peer->counts.bytes += (int64_t)parcels[i].size;
    }
    peer->counts.packets += count;
    if (!peer->counts.first_sent_ns)
        peer->counts.first_sent_ns = now;
    pthread_mutex_unlock(&peer->lock);
}

void sc_rtc_peer_post(sc_rtc_peer *peer, const struct sc_rtc_track *track,
                      struct sc_rtc_parcel *parcels, int count)
{
    GOutputVector vectors[SC_RTC_BATCH];
    NiceOutputMessage messages[SC_RTC_BATCH];
    guint ready = 0;
    number(peer, track, parcels, count);
    for (int i = 0; i < count; i++) {
        struct sc_rtc_parcel *parcel = &parcels[i];
        if (!sc_srtp_protect(peer->srtp, parcel->data, &parcel->size))
            continue;
        vectors[ready] = (GOutputVector){parcel->data, parcel->size};
        messages[ready] = (NiceOutputMessage){&vectors[ready], 1};
        ready++;
    }
    send_all(peer, messages, ready);
}

void sc_rtc_peer_post_report(sc_rtc_peer *peer, uint8_t *report, size_t size)
{
    if (!sc_srtp_protect_report(peer->srtp, report, &size))
        return;
    GOutputVector vector = {report, size};
    NiceOutputMessage message = {&vector, 1};
    send_all(peer, &message, 1);
}
