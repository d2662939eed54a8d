// Writing an offer anew, for webrtcbin.
#include "base/mem.h"
#include "base/str.h"
#include "rtc/offer_internal.h"

static void add_extension(sc_str *out, int id, const char *uri)
{
    if (id)
        sc_str_addf(out, "a=extmap:%d %s\r\n", id, uri);
}

static void add_feedback(sc_str *out, const struct sc_rtc_format *format)
{
    if (format->nack)
        sc_str_addf(out, "a=rtcp-fb:%d nack\r\n", format->payload);
    if (format->pli)
        sc_str_addf(out, "a=rtcp-fb:%d nack pli\r\n", format->payload);
    if (format->twcc)
        sc_str_addf(out, "a=rtcp-fb:%d transport-cc\r\n", format->payload);
}

static void add_format(sc_str *out, const struct sc_rtc_format *format, const char *encoding)
{
    sc_str_addf(out, "a=rtpmap:%d %s\r\n", format->payload, encoding);
    if (format->fmtp[0])
        sc_str_addf(out, "a=fmtp:%d %s\r\n", format->payload, format->fmtp);
    add_feedback(out, format);
    if (format->rtx_payload >= 0)
        sc_str_addf(out, "a=rtpmap:%d rtx/90000\r\na=fmtp:%d apt=%d\r\n", format->rtx_payload,
                    format->rtx_payload, format->payload);
}

// webrtcbin tells a publisher's streams apart by SSRC.
static void add_sources(sc_str *out, const struct sc_rtc_media *media)
{
    if (media->rtx_ssrc)
        sc_str_addf(out, "a=ssrc-group:FID %u %u\r\n", media->ssrc, media->rtx_ssrc);
    if (media->ssrc)
        sc_str_addf(out, "a=ssrc:%u cname:peer\r\n", media->ssrc);
    if (media->rtx_ssrc)
        sc_str_addf(out, "a=ssrc:%u cname:peer\r\n", media->rtx_ssrc);
}

static void add_rtp(sc_str *out, const sc_rtc_offer *offer, const struct sc_rtc_media *media,
                    enum sc_rtc_codec codec)
{
    static const char *const encodings[] = {[SC_RTC_H264] = "H264/90000",
                                            [SC_RTC_VP8] = "VP8/90000",
                                            [SC_RTC_OPUS] = "opus/48000/2"};
    const struct sc_rtc_format *format = sc_offer_format(media, codec);
    sc_str_addf(out, "m=%s 9 UDP/TLS/RTP/SAVPF %d", media->name, format->payload);
    if (format->rtx_payload >= 0)
        sc_str_addf(out, " %d", format->rtx_payload);
    sc_str_addf(out, "\r\nc=IN IP4 0.0.0.0\r\na=%s\r\na=rtcp-mux\r\n",
                offer->role == SC_RTC_WATCH ? "recvonly" : "sendonly");
    add_format(out, format, encodings[codec]);
    add_extension(out, media->twcc_id, SC_EXT_TWCC);
    add_extension(out, media->playout_id, SC_EXT_PLAYOUT);
    add_extension(out, media->mid_id, SC_EXT_MID);
    if (offer->role == SC_RTC_PUBLISH)
        add_sources(out, media);
}

static void add_transport(sc_str *out, const sc_rtc_offer *offer)
{
    sc_str_addf(out, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=setup:active\r\na=fingerprint:%s ",
                offer->ufrag, offer->pwd, offer->fingerprint_hash);
    for (size_t i = 0; i < offer->fingerprint_size; i++)
        sc_str_addf(out, "%s%02X", i ? ":" : "", offer->fingerprint[i]);
    sc_str_add(out, "\r\n");
}

// All belong to the one transport, which the first m-line stands for.
static void add_candidates(sc_str *out, const sc_rtc_offer *offer, bool first)
{
    for (int i = 0; first && i < offer->candidate_count; i++)
        sc_str_addf(out, "a=%s\r\n", offer->candidates[i].text);
    if (!offer->trickle)
        sc_str_add(out, "a=end-of-candidates\r\n");
}

static void add_session(sc_str *out, const sc_rtc_offer *offer)
{
    sc_str_add(out, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
    for (int i = 0; i < offer->count; i++) {
        if (sc_offer_uses(offer, i))
            sc_str_addf(out, " %s", offer->media[i].mid);
    }
    sc_str_add(out, "\r\n");
    if (offer->trickle)
        sc_str_add(out, "a=ice-options:trickle\r\n");
}

char *sc_rtc_offer_text(const sc_rtc_offer *offer, enum sc_rtc_codec video)
{
    sc_str out = {0};
    sc_require(sc_offer_format(&offer->media[offer->video], video) != NULL);
    add_session(&out, offer);
    bool first = true;
    for (int i = 0; i < offer->count; i++) {
        const struct sc_rtc_media *media = &offer->media[i];
        if (!sc_offer_uses(offer, i))
            continue;
        if (media->kind == SC_RTC_DATA)
            sc_str_addf(&out,
                        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
                        "c=IN IP4 0.0.0.0\r\na=sctp-port:%d\r\n",
                        media->sctp_port);
        else
            add_rtp(&out, offer, media, media->kind == SC_RTC_VIDEO ? video : SC_RTC_OPUS);
        sc_str_addf(&out, "a=mid:%s\r\n", media->mid);
        add_transport(&out, offer);
        add_candidates(&out, offer, first);
        first = false;
    }
    return sc_str_detach(&out);
}
