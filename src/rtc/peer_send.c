// Pictures and sound out. The caller's thread cuts a picture into packets, in groups that are each due
// at a moment; the source's thread, which is the viewer's own, waits for it.
#include <gst/app/gstappsrc.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

#define QUEUE_PICTURES 12
#define QUEUE_BYTES    (4 << 20)
#define AT_ONCE        6 // packets: so few harm no queue, and each wait costs a wakeup
#define GROUP          3 // of the packets of larger pictures leave together
#define SLACK_NS       (SC_NS_PER_MS / 4) // waits below it are not worth it
#define JUMP_NS        SC_NS_PER_S // packets so far from now are of another run of the stream

// --- set up -------------------------------------------------------------------------------------

static GstPadProbeReturn send_at_its_time(GstPad *pad, GstPadProbeInfo *info, gpointer arg);

static GstElement *add_source(sc_rtc_peer *peer, GstCaps *caps)
{
    GstElement *source = gst_element_factory_make("appsrc", NULL);
    if (!source)
        return NULL;
    // Its own limits are off: it would drop packets, we drop pictures.
    g_object_set(source, "caps", caps, "format", GST_FORMAT_TIME, "is-live", TRUE, "block",
                 FALSE, "max-bytes", (guint64)0, "emit-signals", FALSE, NULL);
    gst_bin_add(GST_BIN(peer->pipeline), source);
    GstPad *pad = gst_element_get_static_pad(source, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER_LIST, send_at_its_time, peer, NULL);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, sc_rtc_peer_take_event, peer,
                      NULL);
    gst_object_unref(pad);
    return source;
}

// A source with a transceiver of its own that sends only.
static int add_track(sc_rtc_peer *peer, struct sc_rtc_track *track,
                     const struct sc_rtp_params *rtp, GstWebRTCRTPTransceiver **ptransceiver,
                     sc_err *err)
{
    GstCaps *caps = sc_rtc_peer_make_caps(rtp);
    GstPadTemplate *template = gst_element_get_pad_template(peer->webrtc, "sink_%u");
    GstPad *to = gst_element_request_pad(peer->webrtc, template, NULL, caps), *from = NULL;
    GstElement *source = add_source(peer, caps);
    int ret = SC_OK;
    if (source)
        from = gst_element_get_static_pad(source, "src");
    if (!to || !from || gst_pad_link(from, to) != GST_PAD_LINK_OK)
        ret = sc_fail(err, SC_EINTERNAL, "GStreamer takes no source");
    if (ret == SC_OK) {
        g_object_get(to, "transceiver", ptransceiver, NULL);
        g_object_set(*ptransceiver, "direction", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY,
                     "codec-preferences", caps, NULL);
        sc_rtp_cutter_init(&track->cutter, rtp);
        track->cutter.seq = (uint16_t)g_random_int_range(0, 0x8000);
        track->source = source;
    }
    gst_clear_object(&from);
    gst_clear_object(&to);
    gst_caps_unref(caps);
    return ret;
}

int sc_rtc_peer_add_sources(sc_rtc_peer *peer, const struct sc_rtc_peer_params *params,
                            sc_err *err)
{
    struct sc_rtp_params rtp;
    const sc_rtc_offer *offer = &peer->offer;
    sc_rtc_peer_fill_rtp(&rtp, &offer->media[offer->video], peer->codec);
    rtp.ssrc = (uint32_t)g_random_int_range(1, G_MAXINT32);
    rtp.playout_min_ms = params->playout_min_ms;
    rtp.playout_max_ms = params->playout_max_ms;
    int ret = add_track(peer, &peer->video, &rtp, &peer->transceiver, err);
    if (ret < 0)
        return ret;
    g_object_set(peer->transceiver, "do-nack", TRUE, NULL);
    if (offer->audio < 0)
        return SC_OK;
    GstWebRTCRTPTransceiver *transceiver = NULL;
    sc_rtc_peer_fill_rtp(&rtp, &offer->media[offer->audio], SC_RTC_OPUS);
    rtp.ssrc = (uint32_t)g_random_int_range(1, G_MAXINT32);
    ret = add_track(peer, &peer->sound, &rtp, &transceiver, err);
    g_clear_object(&transceiver);
    return ret;
}

// --- packets leave ------------------------------------------------------------------------------

// Without it rtpsession knows no times for its sender reports. Pipelines have a way to distribute it, which hangs
// when one is taken down meanwhile.
static void tell_latency(sc_rtc_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    GstPad *output = peer->output;
    peer->output = NULL;
    pthread_mutex_unlock(&peer->lock);
    if (!output)
        return;
    gst_pad_send_event(output, gst_event_new_latency(0));
    gst_object_unref(output);
}

// The due time of packets travels in the offset of the first one's buffer, which nothing else uses; where they are the last
// of a picture, its bytes are in the offset's end.
static GstPadProbeReturn send_at_its_time(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad;
    sc_rtc_peer *peer = arg;
    GstBufferList *list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
    const GstBuffer *first = gst_buffer_list_get(list, 0);
    tell_latency(peer);
    int64_t due = (int64_t)GST_BUFFER_OFFSET(first), now = sc_clock_now();
    pthread_mutex_lock(&peer->lock);
    while (!peer->closed && due - now > SLACK_NS) {
        sc_rtc_cond_wait(&peer->changed, &peer->lock, due);
        now = sc_clock_now();
    }
    bool closed = peer->closed;
    if (GST_BUFFER_OFFSET_END(first) != GST_BUFFER_OFFSET_NONE) {
        peer->queued--;
        peer->queued_bytes -= (size_t)GST_BUFFER_OFFSET_END(first);
    }
    if (!peer->counts.first_sent_ns)
        peer->counts.first_sent_ns = now;
    peer->counts.packets += gst_buffer_list_length(list);
    peer->counts.bytes += (int64_t)gst_buffer_list_calculate_size(list);
    pthread_mutex_unlock(&peer->lock);
    return closed ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

// --- pictures come in ---------------------------------------------------------------------------

struct cut {
    GstBufferList *list;
    GstClockTime pts; // what sender reports relate the RTP timestamp to
};

static void add_buffer(void *arg, const uint8_t *packet, size_t size)
{
    const struct cut *cut = arg;
    GstBuffer *buffer = gst_buffer_new_memdup(packet, size);
    GST_BUFFER_PTS(buffer) = cut->pts;
    gst_buffer_list_add(cut->list, buffer);
}

// How long the packets of a picture take to leave: as the pace says, half the time between two pictures at most.
static int64_t spread_ns(const sc_rtc_peer *peer, const struct sc_rtc_track *track, size_t size,
                         uint32_t timestamp)
{
    const int64_t usual = SC_NS_PER_S / 30, longest = SC_NS_PER_S / 10;
    if (peer->pace <= 0)
        return 0;
    int64_t between =
        track->begun ? (int64_t)(uint32_t)(timestamp - track->timestamp) * SC_NS_PER_S / 90000
                     : usual;
    between = between > longest ? longest : between;
    int64_t time = (int64_t)((double)size * 8 * 1e9 / (double)peer->pace);
    return time < between / 2 ? time : between / 2;
}

static GstClockTime running_time(sc_rtc_peer *peer)
{
    GstClock *clock = gst_element_get_clock(peer->pipeline);
    GstClockTime now = clock ? gst_clock_get_time(clock) : 0;
    GstClockTime base = gst_element_get_base_time(peer->pipeline);
    if (clock)
        gst_object_unref(clock);
    return now > base ? now - base : 0;
}

// The packet's own time on the pipeline's clock. Pictures and sound that belong together get the same, whenever
// they come: sender reports tell it, and players go by that. Under lock.
static GstClockTime media_time(sc_rtc_peer *peer, int64_t pts_ns)
{
    int64_t now = (int64_t)running_time(peer), at = pts_ns + peer->shift_ns;
    if (!peer->shifted || llabs(at - now) > JUMP_NS) {
        peer->shift_ns = now - pts_ns;
        peer->shifted = true;
        at = now;
    }
    return at > 0 ? (GstClockTime)at : 0;
}

// Under lock.
static void note_sent(sc_rtc_peer *peer, GstBuffer *buffer, bool key, int64_t now_ns)
{
    uint8_t head[4];
    if (gst_buffer_extract(buffer, 0, head, sizeof(head)) == sizeof(head))
        sc_rtc_repeat_sent(&peer->repeat, (uint16_t)(head[2] << 8 | head[3]),
                           (int)gst_buffer_get_size(buffer), key, now_ns);
}

GstPadProbeReturn sc_rtc_peer_judge_repeat(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad;
    sc_rtc_peer *peer = arg;
    const GstStructure *what = gst_event_get_structure(GST_PAD_PROBE_INFO_EVENT(info));
    guint seq;
    if (!what || !gst_structure_has_name(what, "GstRTPRetransmissionRequest") ||
        !gst_structure_get_uint(what, "seqnum", &seq))
        return GST_PAD_PROBE_OK;
    pthread_mutex_lock(&peer->lock);
    double round_ms = peer->counts.rtt_ms > 0 ? peer->counts.rtt_ms : 0;
    bool granted = !peer->estimate ||
                   sc_rtc_repeat_ask(&peer->repeat, (uint16_t)seq, peer->rate, peer->estimate,
                                     (int64_t)(round_ms * SC_NS_PER_MS), sc_clock_now());
    pthread_mutex_unlock(&peer->lock);
    return granted ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

struct sending {
    sc_rtc_peer *peer;
    struct sc_rtc_track *track;
    const sc_packet *packet;
    int64_t begin_ns, spread_ns;
    guint count, group; // packets of the picture; those that leave together
};

// The next packets, of which `before` have left. They are taken out of `rest`, as who changes them downstream copies
// what others hold.
static void push_group(const struct sending *s, GstBufferList *rest, guint before)
{
    guint count = MIN(s->group, s->count - before);
    GstBufferList *list = gst_buffer_list_new_sized(count);
    for (guint i = 0; i < count; i++) {
        GstBuffer *buffer = gst_buffer_ref(gst_buffer_list_get(rest, i));
        if (s->track == &s->peer->video)
            note_sent(s->peer, buffer, s->packet->key && !before && !i, s->begin_ns);
        gst_buffer_list_add(list, buffer);
    }
    gst_buffer_list_remove(rest, 0, count);
    GstBuffer *first = gst_buffer_list_get(list, 0);
    GST_BUFFER_OFFSET(first) = (guint64)(s->begin_ns + s->spread_ns * before / s->count);
    if (before + count == s->count)
        GST_BUFFER_OFFSET_END(first) = (guint64)s->packet->av->size;
    gst_app_src_push_buffer_list(GST_APP_SRC(s->track->source), list);
}

// As lists, which cost less than single buffers on their way through webrtcbin.
static void push_all(sc_rtc_peer *peer, struct sc_rtc_track *track, const sc_packet *packet,
                     GstBufferList *all, uint32_t timestamp)
{
    struct sending s = {peer, track, packet, .begin_ns = sc_clock_now()};
    s.count = s.group = gst_buffer_list_length(all);
    if (s.count > AT_ONCE) {
        s.spread_ns = spread_ns(peer, track, (size_t)packet->av->size, timestamp);
        s.group = s.spread_ns ? GROUP : s.count;
    }
    for (guint before = 0; before < s.count; before += s.group)
        push_group(&s, all, before);
}

// Under lock. Where the queue is full, nothing is let in but a keyframe that finds room again.
static bool admit(sc_rtc_peer *peer, const sc_packet *packet)
{
    bool full = peer->queued >= QUEUE_PICTURES || peer->queued_bytes >= QUEUE_BYTES;
    if (packet->media == SC_MEDIA_SOUND)
        return !full;
    if (full)
        peer->key_only = true;
    if (full || (peer->key_only && !packet->key))
        return false;
    peer->key_only = false;
    return true;
}

static bool send_packet(sc_rtc_peer *peer, struct sc_rtc_track *track, const sc_packet *packet,
                        uint32_t timestamp)
{
    const AVPacket *av = packet->av;
    if (!admit(peer, packet)) {
        peer->counts.dropped += packet->media == SC_MEDIA_VIDEO;
        return false;
    }
    struct cut cut = {gst_buffer_list_new(), media_time(peer, packet->pts_ns)};
    size_t size = (size_t)av->size;
    int count = sc_rtp_cut(&track->cutter, av->data, size, timestamp, add_buffer, &cut);
    if (count > 0) {
        peer->queued++;
        peer->queued_bytes += size;
        peer->counts.pictures += packet->media == SC_MEDIA_VIDEO;
        push_all(peer, track, packet, cut.list, timestamp);
        track->begun = true;
        track->timestamp = timestamp;
    }
    gst_buffer_list_unref(cut.list);
    return count > 0;
}

bool sc_rtc_peer_send(sc_rtc_peer *peer, const sc_packet *packet, uint32_t timestamp)
{
    struct sc_rtc_track *track = packet->media == SC_MEDIA_SOUND ? &peer->sound : &peer->video;
    pthread_mutex_lock(&peer->lock);
    bool sent = peer->state == SC_RTC_CONNECTED && track->source && packet->av->size > 0 &&
                send_packet(peer, track, packet, timestamp);
    pthread_mutex_unlock(&peer->lock);
    return sent;
}

void sc_rtc_peer_set_pace(sc_rtc_peer *peer, int64_t bitrate)
{
    pthread_mutex_lock(&peer->lock);
    peer->pace = bitrate;
    pthread_mutex_unlock(&peer->lock);
}

void sc_rtc_peer_set_link(sc_rtc_peer *peer, int64_t rate, int64_t estimate)
{
    pthread_mutex_lock(&peer->lock);
    peer->rate = rate;
    peer->estimate = estimate;
    pthread_mutex_unlock(&peer->lock);
}
