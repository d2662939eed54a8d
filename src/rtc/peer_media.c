// What a medium is to GStreamer: its caps, for what is sent and what is received.
#include <stdio.h>

#include "rtc/peer_internal.h"

#define TWCC_URI    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
#define PLAYOUT_URI "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

static const struct sc_rtc_format *format_of(const struct sc_rtc_media *media,
                                             enum sc_rtc_codec codec)
{
    return codec == SC_RTC_H264  ? &media->h264
           : codec == SC_RTC_VP8 ? &media->vp8
                                 : &media->opus;
}

// Extensions beyond 14 would need two-byte headers, which rtpsession does not write into.
void sc_rtc_peer_fill_rtp(struct sc_rtp_params *rtp, const struct sc_rtc_media *media,
                          enum sc_rtc_codec codec)
{
    const struct sc_rtc_format *format = format_of(media, codec);
    *rtp = (struct sc_rtp_params){
        .codec = codec,
        .payload = format->payload,
        .twcc_id = media->twcc_id <= 14 && format->twcc ? media->twcc_id : 0,
        .playout_id = media->playout_id <= 14 ? media->playout_id : 0,
    };
}

static void add_extension(GstCaps *caps, int id, const char *uri)
{
    char key[24];
    if (id <= 0)
        return;
    snprintf(key, sizeof(key), "extmap-%d", id);
    gst_caps_set_simple(caps, key, G_TYPE_STRING, uri, NULL);
}

// SSRC (0 = none) and extensions have to be in the caps: webrtcbin's answer lacks what it has not seen there, and
// browsers show black or send no feedback.
static GstCaps *make_caps(const struct sc_rtp_params *rtp)
{
    static const struct {
        const char *media, *name;
        int rate;
    } kinds[] = {[SC_RTC_H264] = {"video", "H264", 90000},
                 [SC_RTC_VP8] = {"video", "VP8", 90000},
                 [SC_RTC_OPUS] = {"audio", "OPUS", 48000}};
    GstCaps *caps = gst_caps_new_simple(
        "application/x-rtp", "media", G_TYPE_STRING, kinds[rtp->codec].media, "encoding-name",
        G_TYPE_STRING, kinds[rtp->codec].name, "payload", G_TYPE_INT, rtp->payload,
        "clock-rate", G_TYPE_INT, kinds[rtp->codec].rate, NULL);
    if (rtp->ssrc)
        gst_caps_set_simple(caps, "ssrc", G_TYPE_UINT, (guint)rtp->ssrc, NULL);
    if (rtp->codec == SC_RTC_H264)
        gst_caps_set_simple(caps, "packetization-mode", G_TYPE_STRING, "1", NULL);
    add_extension(caps, rtp->twcc_id, TWCC_URI);
    add_extension(caps, rtp->playout_id, PLAYOUT_URI);
    return caps;
}

void sc_rtc_peer_add_transceiver(sc_rtc_peer *peer, const struct sc_rtp_params *rtp,
                                 GstWebRTCRTPTransceiverDirection direction,
                                 GstWebRTCRTPTransceiver **ptransceiver)
{
    GstCaps *caps = make_caps(rtp);
    g_signal_emit_by_name(peer->webrtc, "add-transceiver", direction, caps, ptransceiver);
    gst_caps_unref(caps);
}
