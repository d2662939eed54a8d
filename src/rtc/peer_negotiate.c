// Offer in, answer out; and whether the certificate is the one that was offered.
#include <gst/sdp/sdp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

// --- asking webrtcbin ---------------------------------------------------------------------------

// What webrtcbin replies, if it does: it is not waited for longer than there is time, so both sides hold it.
struct reply {
    atomic_int refs;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    GstStructure *said; // NULL = nothing
};

static void unref_reply(gpointer arg)
{
    struct reply *reply = arg;
    if (atomic_fetch_sub(&reply->refs, 1) != 1)
        return;
    if (reply->said)
        gst_structure_free(reply->said);
    pthread_cond_destroy(&reply->changed);
    pthread_mutex_destroy(&reply->lock);
    free(reply);
}

static void take_reply(GstPromise *promise, gpointer arg)
{
    struct reply *reply = arg;
    const GstStructure *said = NULL;
    if (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED)
        said = gst_promise_get_reply(promise);
    pthread_mutex_lock(&reply->lock);
    reply->said = said ? gst_structure_copy(said) : NULL;
    reply->done = true;
    pthread_cond_broadcast(&reply->changed);
    pthread_mutex_unlock(&reply->lock);
}

static int judge_reply(const struct reply *reply, const char *action, sc_err *err)
{
    GError *error = NULL;
    if (!reply->done)
        return sc_fail(err, SC_ETIMEOUT, "GStreamer did not answer in time (%s)", action);
    if (reply->said && gst_structure_has_field(reply->said, "error"))
        gst_structure_get(reply->said, "error", G_TYPE_ERROR, &error, NULL);
    if (!error)
        return SC_OK;
    int ret = sc_fail(err, SC_EUNSUPPORTED, "the offer cannot be answered: %s", error->message);
    g_error_free(error);
    return ret;
}

// said: what the reply holds, the caller's; NULL = not wanted.
static int ask(sc_rtc_peer *peer, const char *action, gpointer what, GstStructure **said,
               int64_t until_ns, sc_err *err)
{
    struct reply *reply = sc_new(struct reply);
    atomic_init(&reply->refs, 2);
    pthread_mutex_init(&reply->lock, NULL);
    sc_clock_init_cond(&reply->changed);
    GstPromise *promise = gst_promise_new_with_change_func(take_reply, reply, unref_reply);
    g_signal_emit_by_name(peer->webrtc, action, what, promise);
    gst_promise_unref(promise);
    pthread_mutex_lock(&reply->lock);
    while (!reply->done && sc_clock_wait(&reply->changed, &reply->lock, until_ns))
        ;
    int ret = judge_reply(reply, action, err);
    if (said) {
        *said = reply->said;
        reply->said = NULL;
    }
    pthread_mutex_unlock(&reply->lock);
    unref_reply(reply);
    return ret;
}

// --- the certificate ----------------------------------------------------------------------------

static bool hash_type(const char *name, GChecksumType *type)
{
    static const struct {
        const char *name;
        GChecksumType type;
    } hashes[] = {{"sha-256", G_CHECKSUM_SHA256},
                  {"sha-384", G_CHECKSUM_SHA384},
                  {"sha-512", G_CHECKSUM_SHA512}};
    for (size_t i = 0; i < SC_COUNT(hashes); i++)
        if (!strcmp(name, hashes[i].name)) {
            *type = hashes[i].type;
            return true;
        }
    return false;
}

static bool is_offered(const sc_rtc_offer *offer, const char *pem)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----",
                      end[] = "-----END CERTIFICATE-----";
    GChecksumType type;
    uint8_t hash[64];
    gsize hash_size = sizeof(hash), size = 0;
    const char *from = pem ? strstr(pem, begin) : NULL, *to = from ? strstr(from, end) : NULL;
    if (!to || !hash_type(offer->fingerprint_hash, &type))
        return false;
    from += strlen(begin);
    char *text = g_strndup(from, (gsize)(to - from));
    guchar *der = g_base64_decode(text, &size);
    GChecksum *sum = g_checksum_new(type);
    g_checksum_update(sum, der, (gssize)size);
    g_checksum_get_digest(sum, hash, &hash_size);
    g_checksum_free(sum);
    g_free(der);
    g_free(text);
    return size > 0 && hash_size == offer->fingerprint_size &&
           memcmp(hash, offer->fingerprint, hash_size) == 0;
}

static void judge_transport(sc_rtc_peer *peer, GObject *transport)
{
    GstWebRTCDTLSTransportState state = GST_WEBRTC_DTLS_TRANSPORT_STATE_NEW;
    g_object_get(transport, "state", &state, NULL);
    if (state == GST_WEBRTC_DTLS_TRANSPORT_STATE_FAILED)
        sc_rtc_peer_become(peer, SC_RTC_GONE, "DTLS failed");
    else if (state == GST_WEBRTC_DTLS_TRANSPORT_STATE_CLOSED)
        sc_rtc_peer_become(peer, SC_RTC_GONE, "closed by the other side");
    if (state != GST_WEBRTC_DTLS_TRANSPORT_STATE_CONNECTED)
        return;
    char *pem = NULL;
    g_object_get(transport, "remote-certificate", &pem, NULL);
    bool offered = is_offered(&peer->offer, pem);
    g_free(pem);
    sc_err err = {0};
    if (!offered)
        sc_rtc_peer_become(peer, SC_RTC_GONE, "its certificate is not the one it offered");
    else if (peer->role == SC_RTC_WATCH && sc_rtc_peer_take_keys(peer, &err) < 0)
        sc_rtc_peer_become(peer, SC_RTC_GONE, err.text);
    else
        sc_rtc_peer_become(peer, SC_RTC_CONNECTED, NULL);
}

// A peer that is being taken down takes no keys: nobody would give them and the agent back.
static void take_transport_state(GObject *transport, GParamSpec *spec, gpointer arg)
{
    (void)spec;
    sc_rtc_peer *peer = arg;
    if (!sc_rtc_peer_enter(peer))
        return;
    judge_transport(peer, transport);
    sc_rtc_peer_leave(peer);
}

static void take_connection_state(GObject *webrtc, GParamSpec *spec, gpointer arg)
{
    (void)spec;
    GstWebRTCPeerConnectionState state = GST_WEBRTC_PEER_CONNECTION_STATE_NEW;
    g_object_get(webrtc, "connection-state", &state, NULL);
    if (state == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED)
        sc_rtc_peer_become(arg, SC_RTC_GONE, "ICE failed: no address of it can be reached");
    else if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CLOSED)
        sc_rtc_peer_become(arg, SC_RTC_GONE, "closed by the other side");
}

// All media share one transport (max-bundle): that of the video.
static int watch_transport(sc_rtc_peer *peer, sc_err *err)
{
    GObject *end = NULL;
    const char *which = peer->role == SC_RTC_WATCH ? "sender" : "receiver";
    if (peer->transceiver)
        g_object_get(peer->transceiver, which, &end, NULL);
    if (end)
        g_object_get(end, "transport", &peer->transport, NULL);
    g_clear_object(&end);
    if (!peer->transport)
        return sc_fail(err, SC_EUNSUPPORTED,
                       "the offer cannot be answered: no video in common");
    g_signal_connect(peer->transport, "notify::state", G_CALLBACK(take_transport_state), peer);
    g_signal_connect(peer->webrtc, "notify::connection-state",
                     G_CALLBACK(take_connection_state), peer);
    take_transport_state(G_OBJECT(peer->transport), NULL, peer); // it may have been quicker
    return sc_rtc_peer_find_stream(peer, err);
}

// --- the answer ---------------------------------------------------------------------------------

static int set_offer(sc_rtc_peer *peer, int64_t until_ns, sc_err *err)
{
    GstSDPMessage *sdp = NULL;
    char *text = sc_rtc_offer_text(&peer->offer, peer->codec);
    if (!text)
        return sc_fail(err, SC_ENOMEM, "out of memory");
    int ret = SC_OK;
    if (gst_sdp_message_new_from_text(text, &sdp) != GST_SDP_OK)
        ret = sc_fail(err, SC_EUNSUPPORTED, "GStreamer does not understand the offer");
    free(text);
    if (ret < 0)
        return ret;
    GstWebRTCSessionDescription *offer =
        gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_OFFER, sdp);
    ret = ask(peer, "set-remote-description", offer, NULL, until_ns, err);
    gst_webrtc_session_description_free(offer);
    return ret;
}

// webrtcbin would choose to be the active side, whose first message comes in fragments that browsers
// drop: its DTLS takes the path's limit for 0.
static void make_passive(GstSDPMessage *sdp)
{
    for (guint i = 0; i < gst_sdp_message_medias_len(sdp); i++) {
        GstSDPMedia *media = (GstSDPMedia *)gst_sdp_message_get_media(sdp, i);
        for (guint k = gst_sdp_media_attributes_len(media); k-- > 0;)
            if (!strcmp(gst_sdp_media_get_attribute(media, k)->key, "setup"))
                gst_sdp_media_remove_attribute(media, k);
        gst_sdp_media_add_attribute(media, "setup", "passive");
    }
}

static int set_answer(sc_rtc_peer *peer, int64_t until_ns, sc_err *err)
{
    GstStructure *said = NULL;
    GstWebRTCSessionDescription *answer = NULL;
    int ret = ask(peer, "create-answer", NULL, &said, until_ns, err);
    if (said) {
        gst_structure_get(said, "answer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &answer, NULL);
        gst_structure_free(said);
    }
    if (ret == SC_OK && answer) {
        make_passive(answer->sdp);
        ret = ask(peer, "set-local-description", answer, NULL, until_ns, err);
    } else if (ret == SC_OK) {
        ret = sc_fail(err, SC_EUNSUPPORTED, "the offer cannot be answered");
    }
    if (answer)
        gst_webrtc_session_description_free(answer);
    return ret;
}

static void take_gathering(GObject *webrtc, GParamSpec *spec, gpointer arg)
{
    (void)spec;
    sc_rtc_peer *peer = arg;
    GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
    g_object_get(webrtc, "ice-gathering-state", &state, NULL);
    if (state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE)
        return;
    pthread_mutex_lock(&peer->lock);
    peer->gathered = true;
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
}

// With STUN or TURN servers that do not answer this takes all the time there is; what was found by then
// is good enough.
static void wait_for_candidates(sc_rtc_peer *peer, int64_t until_ns)
{
    take_gathering(G_OBJECT(peer->webrtc), NULL, peer);
    pthread_mutex_lock(&peer->lock);
    while (!peer->gathered && !peer->closed && peer->state != SC_RTC_GONE &&
           sc_clock_wait(&peer->changed, &peer->lock, until_ns))
        ;
    pthread_mutex_unlock(&peer->lock);
}

// webrtcbin has drawn the SSRC of repetitions and the name that pictures and sound share: they are in the answer, as
// "ssrc-group:FID 1234 5678" and "ssrc:1234 cname:user@host".
static void read_answer(sc_rtc_peer *peer, const char *answer)
{
    char text[64];
    const sc_rtc_offer *offer = &peer->offer;
    const struct sc_rtc_media *media = &offer->media[offer->video];
    const struct sc_rtc_format *format =
        peer->codec == SC_RTC_H264 ? &media->h264 : &media->vp8;
    uint32_t ssrc = peer->video.cutter.params.ssrc;
    snprintf(text, sizeof(text), "a=ssrc-group:FID %u ", ssrc);
    const char *group = strstr(answer, text);
    if (group && format->rtx_payload > 0) {
        peer->rtx.ssrc = (uint32_t)strtoul(group + strlen(text), NULL, 10);
        peer->rtx.seq = (uint16_t)g_random_int_range(0, 0x8000);
        peer->rtx.payload = format->rtx_payload;
    }
    snprintf(text, sizeof(text), "a=ssrc:%u cname:", ssrc);
    const char *name = strstr(answer, text);
    if (name)
        snprintf(peer->cname, sizeof(peer->cname), "%.*s",
                 (int)strcspn(name + strlen(text), "\r\n"), name + strlen(text));
}

static int get_answer(sc_rtc_peer *peer, char **answer, sc_err *err)
{
    GstWebRTCSessionDescription *local = NULL;
    g_object_get(peer->webrtc, "local-description", &local, NULL);
    char *text = local ? gst_sdp_message_as_text(local->sdp) : NULL;
    if (local)
        gst_webrtc_session_description_free(local);
    if (text)
        *answer = sc_rtc_answer_mend(&peer->offer, peer->codec, text);
    if (text && peer->role == SC_RTC_WATCH)
        read_answer(peer, text);
    SC_TRACE(peer->rtc->log, "answered", SC_S("sdp", text));
    g_free(text);
    return *answer ? SC_OK : sc_fail(err, SC_EUNSUPPORTED, "GStreamer's answer makes no sense");
}

// A publisher gets reports every second, not every five.
static void hasten_reports(sc_rtc_peer *peer)
{
    GObject *session = NULL;
    GstElement *rtpbin = gst_bin_get_by_name(GST_BIN(peer->webrtc), "rtpbin");
    if (rtpbin)
        g_signal_emit_by_name(rtpbin, "get-internal-session", 0u, &session);
    if (session)
        g_object_set(session, "rtcp-min-interval", (guint64)SC_NS_PER_S, NULL);
    g_clear_object(&session);
    gst_clear_object(&rtpbin);
}

int sc_rtc_peer_negotiate(sc_rtc_peer *peer, int64_t until_ns, char **answer, sc_err *err)
{
    g_signal_connect(peer->webrtc, "notify::ice-gathering-state", G_CALLBACK(take_gathering),
                     peer);
    int ret = set_offer(peer, until_ns, err);
    if (ret == SC_OK)
        ret = set_answer(peer, until_ns, err);
    if (ret == SC_OK)
        ret = watch_transport(peer, err);
    if (ret < 0)
        return ret;
    if (peer->role == SC_RTC_PUBLISH)
        hasten_reports(peer);
    wait_for_candidates(peer, until_ns);
    return get_answer(peer, answer, err);
}
