// What the other side says about what it gets: receiver reports, wishes for packets and keyframes, the arrival of each
// packet (transport-wide feedback).
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

// Of one message: it has some dozens, after a long loss as many as are known.
#define ARRIVALS SC_TWCC_SENT

// Feedback is judged under the lock of all viewers of a stream, and some bytes of it can tell of all packets known: so
// often it is listened to, a few times in a row too. Viewers send 10 to 60 a second.
#define FEEDBACK_NS (5 * SC_NS_PER_MS)
#define IN_A_ROW    32

struct hearing {
    sc_rtc_peer *peer;
    bool key, missed;
};

static void take_report(void *arg, const struct sc_rtcp_report *report)
{
    const struct hearing *hearing = arg;
    sc_rtc_peer *peer = hearing->peer;
    double round_ms = sc_rtcp_round_trip_ms(report, sc_rtcp_ntp(sc_clock_wall()));
    if (report->ssrc != peer->video.cutter.params.ssrc)
        return;
    pthread_mutex_lock(&peer->lock);
    peer->counts.loss = report->loss;
    if (round_ms >= 0)
        peer->counts.rtt_ms = round_ms;
    pthread_mutex_unlock(&peer->lock);
}

static void take_nack(void *arg, uint32_t ssrc, uint16_t seq)
{
    struct hearing *hearing = arg;
    if (ssrc != hearing->peer->video.cutter.params.ssrc)
        return;
    sc_rtc_peer_miss(hearing->peer, seq);
    hearing->missed = true;
}

static void take_key(void *arg, uint32_t ssrc)
{
    (void)ssrc; // there is one video
    struct hearing *hearing = arg;
    hearing->key = true;
    pthread_mutex_lock(&hearing->peer->lock);
    hearing->peer->counts.plis++;
    pthread_mutex_unlock(&hearing->peer->lock);
}

// Under lock.
static bool may_tell(sc_rtc_peer *peer, int64_t now)
{
    int64_t least = now - IN_A_ROW * FEEDBACK_NS;
    int64_t told = peer->told_ns > least ? peer->told_ns : least;
    if (told + FEEDBACK_NS > now)
        return false;
    peer->told_ns = told + FEEDBACK_NS;
    return true;
}

static void take_twcc(void *arg, const uint8_t *fci, size_t size)
{
    const struct hearing *hearing = arg;
    sc_rtc_peer *peer = hearing->peer;
    struct sc_rtc_arrival arrivals[ARRIVALS];
    pthread_mutex_lock(&peer->lock);
    int count = may_tell(peer, sc_clock_now())
                    ? sc_twcc_read(&peer->twcc, fci, size, arrivals, ARRIVALS)
                    : 0;
    pthread_mutex_unlock(&peer->lock);
    if (count > 0 && peer->events.on_feedback)
        peer->events.on_feedback(peer->events.arg, arrivals, count);
}

void sc_rtc_peer_take_rtcp(sc_rtc_peer *peer, const uint8_t *data, size_t size)
{
    struct hearing hearing = {.peer = peer};
    const struct sc_rtcp_events events = {take_report, take_nack, take_key, take_twcc,
                                          &hearing};
    atomic_store(&peer->heard_ns, sc_clock_now());
    sc_rtcp_read(data, size, &events);
    if (hearing.missed)
        sc_rtc_sender_wake(peer->sender, peer);
    if (hearing.key && peer->events.on_want_key)
        peer->events.on_want_key(peer->events.arg);
}

// --- webrtcbin's own ----------------------------------------------------------------------------

static GstPadProbeReturn hear_rtcp(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad, (void)info;
    sc_rtc_peer *peer = arg;
    atomic_store(&peer->heard_ns, sc_clock_now());
    return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn drop_rtcp(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad, (void)info, (void)arg;
    return GST_PAD_PROBE_DROP;
}

// A publisher's reports are heard on their way; to a viewer nothing is reported of streams that webrtcbin only
// believes to send.
static void take_pad(GstElement *rtpbin, GstPad *pad, gpointer arg)
{
    (void)rtpbin;
    sc_rtc_peer *peer = arg;
    const char *name = GST_PAD_NAME(pad);
    if (peer->role == SC_RTC_PUBLISH && g_str_has_prefix(name, "recv_rtcp_sink_"))
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, hear_rtcp, peer, NULL);
    else if (peer->role == SC_RTC_WATCH && g_str_has_prefix(name, "send_rtcp_src_"))
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST,
                          drop_rtcp, NULL, NULL);
}

void sc_rtc_peer_hear(sc_rtc_peer *peer)
{
    GstElement *rtpbin = gst_bin_get_by_name(GST_BIN(peer->webrtc), "rtpbin");
    if (!rtpbin)
        return;
    g_signal_connect(rtpbin, "pad-added", G_CALLBACK(take_pad), peer);
    gst_object_unref(rtpbin);
}
