// Publishers: a browser or an encoder as the source of a stream (WHIP).
#include "app/webrtc_internal.h"

#include "base/clock.h"
#include "base/mem.h"

static void on_state(void *arg, enum sc_rtc_state state, const char *reason)
{
    if (state == SC_RTC_GONE)
        sc_webrtc_session_gone(arg, reason ? reason : "");
}

static void on_packet(void *arg, sc_packet *packet, enum sc_rtc_codec codec)
{
    struct sc_webrtc_session *session = arg;
    (void)codec;
    sc_live_inlet_packet(session->inlet, packet);
    sc_packet_unref(&packet);
}

static void want_key(void *arg)
{
    struct sc_webrtc_session *session = arg;
    sc_rtc_peer_want_key(session->publisher);
}

static int open_peer(struct sc_webrtc_session *session, enum sc_rtc_codec video, char **answer,
                     sc_err *err)
{
    sc_rtc *rtc;
    int ret = sc_webrtc_engine(session->webrtc, &rtc, err);
    const struct sc_rtc_peer_params params = {
        .role = SC_RTC_PUBLISH,
        .offer = session->offer,
        .video = video,
        .sound = session->offer->audio >= 0,
        .events = {.on_state = on_state, .on_packet = on_packet, .arg = session}};
    return ret ? ret : sc_rtc_peer_open(rtc, &session->publisher, answer, &params, err);
}

static int begin(struct sc_webrtc_session *session, char **answer, sc_err *err)
{
    const sc_rtc_offer *offer = session->offer;
    enum sc_rtc_codec video = sc_rtc_offer_choose(offer, 1u << SC_RTC_H264 | 1u << SC_RTC_VP8);
    if (video == SC_RTC_NONE)
        return sc_fail(err, SC_EUNSUPPORTED,
                       "no video codec in common: send H.264 (packetization-mode=1) or VP8");
    int ret = open_peer(session, video, answer, err);
    if (ret)
        return ret;
    const struct sc_live_inlet_params params = {.want_key = want_key, .arg = session};
    if (sc_live_inlet_begin(session->inlet,
                            video == SC_RTC_VP8 ? AV_CODEC_ID_VP8 : AV_CODEC_ID_H264,
                            offer->audio >= 0 ? AV_CODEC_ID_OPUS : AV_CODEC_ID_NONE, &params))
        return SC_OK;
    sc_rtc_peer_close(&session->publisher);
    free(*answer);
    *answer = NULL;
    return sc_fail(err, SC_EEXISTS, "somebody publishes into stream %s already",
                   session->stream);
}

int sc_webrtc_publish(sc_webrtc *webrtc, const char *stream, const char *offer, size_t size,
                      struct sc_webrtc_answer *answer, sc_err *err)
{
    sc_rtc_offer *parsed = NULL;
    sc_live_inlet *inlet = NULL;
    *answer = (struct sc_webrtc_answer){0};
    if (!webrtc->settings->on)
        return sc_fail_field(err, SC_EUNSUPPORTED, "webrtc",
                             "WebRTC is switched off (option webrtc)");
    int ret = sc_rtc_offer_parse(&parsed, offer, size, SC_RTC_PUBLISH, err);
    if (!ret)
        ret = sc_streams_inlet(webrtc->streams, stream, &inlet, err);
    if (!ret)
        ret = sc_webrtc_take_place(webrtc, err);
    if (ret) {
        sc_live_inlet_unref(&inlet);
        sc_rtc_offer_free(&parsed);
        return ret;
    }
    struct sc_webrtc_session *session = sc_webrtc_session_new(webrtc, stream, parsed);
    session->inlet = inlet;
    ret = begin(session, &answer->sdp, err);
    if (ret) {
        sc_webrtc_leave_place(webrtc);
        sc_webrtc_session_free(session);
        return ret;
    }
    sc_webrtc_session_list(session, answer);
    return SC_OK;
}
