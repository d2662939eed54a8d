// Pictures and sound out. Whoever has one leaves it in the queue; the sender's thread cuts it into packets and lets
// them leave, each at its time.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"
#include "rtc/sender.h"

#define QUEUE_BYTES (4 << 20)
#define AT_ONCE     6           // packets: so few harm no queue, and each wait costs a wakeup
#define GROUP       3           // of the packets of larger pictures leave together
#define JUMP_NS     SC_NS_PER_S // what is so far from now is of another run of the stream

// Reports tell the viewer how sound and pictures belong together, and us the round trip.
#define REPORT_NS SC_NS_PER_S

// --- pictures come in ---------------------------------------------------------------------------

// Where the queue is full, nothing is let in but a keyframe that finds room again. Under lock.
static bool admit(sc_rtc_peer *peer, const sc_packet *packet)
{
    const struct sc_rtc_queue *queue = &peer->queue;
    bool full = queue->count >= SC_RTC_QUEUE || queue->bytes >= QUEUE_BYTES;
    if (packet->media == SC_MEDIA_SOUND)
        return !full;
    if (full)
        peer->key_only = true;
    if (full || (peer->key_only && !packet->key))
        return false;
    peer->key_only = false;
    return true;
}

bool sc_rtc_peer_send(sc_rtc_peer *peer, sc_packet *packet, uint32_t timestamp)
{
    bool video = packet->media == SC_MEDIA_VIDEO;
    const struct sc_rtc_track *track = video ? &peer->video : &peer->sound;
    struct sc_rtc_queue *queue = &peer->queue;
    if (!track->used || packet->av->size <= 0)
        return false;
    pthread_mutex_lock(&peer->lock);
    bool connected = peer->state == SC_RTC_CONNECTED;
    bool sent = connected && admit(peer, packet);
    if (sent) {
        queue->items[(queue->first + queue->count++) % SC_RTC_QUEUE] =
            (struct sc_rtc_item){sc_packet_ref(packet), timestamp, sc_clock_now()};
        queue->bytes += (size_t)packet->av->size;
        peer->counts.pictures += video;
    }
    peer->counts.dropped += connected && !sent && video;
    pthread_mutex_unlock(&peer->lock);
    if (sent)
        sc_rtc_sender_wake(peer->sender, peer);
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

// --- packets are made ---------------------------------------------------------------------------

// How long the packets of a picture take to leave: as the pace says, half the time between two pictures at most.
static int64_t spread_ns(const struct sc_rtc_track *track, int64_t pace, size_t size,
                         uint32_t timestamp)
{
    const int64_t usual = SC_NS_PER_S / 30, longest = SC_NS_PER_S / 10;
    if (pace <= 0)
        return 0;
    int64_t between = track->begun ? (int64_t)(uint32_t)(timestamp - track->timestamp) *
                                         SC_NS_PER_S / track->rate
                                   : usual;
    between = between > longest ? longest : between;
    int64_t time = (int64_t)((double)size * 8 * 1e9 / (double)pace);
    return time < between / 2 ? time : between / 2;
}

static void add_parcel(void *arg, const uint8_t *packet, size_t size)
{
    struct sc_rtc_parcels *parcels = arg;
    if (parcels->count == parcels->room) {
        parcels->room = parcels->room ? 2 * parcels->room : AT_ONCE;
        parcels->all = sc_xrealloc(parcels->all, (size_t)parcels->room * sizeof(*parcels->all));
    }
    struct sc_rtc_parcel *parcel = &parcels->all[parcels->count++];
    memcpy(parcel->data, packet, size);
    parcel->size = size;
}

static void release_parcels(struct sc_rtc_parcels *parcels)
{
    free(parcels->all);
    *parcels = (struct sc_rtc_parcels){0};
}

// Pictures and sound that belong together get the same time, whenever they come: players go by what the reports say
// of it. After a jump nothing is known of a track until something of it comes.
static void relate(sc_rtc_peer *peer, int64_t pts_ns, int64_t now)
{
    struct sc_rtc_sending *s = &peer->sending;
    if (s->related && llabs(pts_ns + s->shift_ns - now) <= JUMP_NS)
        return;
    s->shift_ns = now - pts_ns;
    s->related = true;
    peer->video.begun = peer->sound.begun = false;
}

static void cut(sc_rtc_peer *peer, const struct sc_rtc_item *item, int64_t pace)
{
    struct sc_rtc_sending *s = &peer->sending;
    const sc_packet *packet = item->packet;
    struct sc_rtc_track *track = packet->media == SC_MEDIA_VIDEO ? &peer->video : &peer->sound;
    size_t size = (size_t)packet->av->size;
    struct sc_rtp_cutter before = track->cutter;
    s->track = track;
    s->key = packet->media == SC_MEDIA_VIDEO && packet->key;
    s->bytes = size;
    bool late = item->since_ns < s->end_ns; // several came at once, as when somebody joins
    s->begin_ns = late ? s->end_ns : item->since_ns;
    s->gone = s->parcels.count = 0;
    sc_rtp_cut(&track->cutter, packet->av->data, size, item->timestamp, add_parcel,
               &s->parcels);
    s->spread_ns =
        s->parcels.count > AT_ONCE || late ? spread_ns(track, pace, size, item->timestamp) : 0;
    s->end_ns = s->begin_ns + s->spread_ns;
    if (track == &peer->video)
        sc_rtc_peer_remember(peer, item, &before, s->parcels.count);
    relate(peer, packet->pts_ns, item->since_ns);
    track->begun = true;
    track->timestamp = item->timestamp;
    track->pts_ns = packet->pts_ns;
}

// The next of the queue, cut. It counts as queued until its last packet has left. False: there is none.
static bool begin_next(sc_rtc_peer *peer)
{
    struct sc_rtc_queue *queue = &peer->queue;
    struct sc_rtc_item item = {0};
    pthread_mutex_lock(&peer->lock);
    if (queue->count) {
        item = queue->items[queue->first];
        queue->items[queue->first].packet = NULL;
    }
    int64_t pace = peer->pace;
    pthread_mutex_unlock(&peer->lock);
    if (!item.packet)
        return false;
    cut(peer, &item, pace);
    sc_packet_unref(&item.packet);
    return true;
}

static void end_picture(sc_rtc_peer *peer)
{
    struct sc_rtc_queue *queue = &peer->queue;
    pthread_mutex_lock(&peer->lock);
    queue->first = (queue->first + 1) % SC_RTC_QUEUE;
    queue->count--;
    queue->bytes -= peer->sending.bytes;
    pthread_mutex_unlock(&peer->lock);
    if (peer->sending.parcels.room > AT_ONCE) // large ones are rare, and there are many peers
        release_parcels(&peer->sending.parcels);
    peer->sending.track = NULL;
}

void sc_rtc_peer_release_queue(sc_rtc_peer *peer)
{
    for (int i = 0; i < SC_RTC_QUEUE; i++)
        sc_packet_unref(&peer->queue.items[i].packet);
    release_parcels(&peer->sending.parcels);
}

// --- packets leave ------------------------------------------------------------------------------

static void send_group(sc_rtc_peer *peer)
{
    struct sc_rtc_sending *s = &peer->sending;
    struct sc_rtc_parcel *group = s->parcels.all + s->gone;
    int left = s->parcels.count - s->gone, most = s->spread_ns ? GROUP : SC_RTC_BATCH;
    int count = left < most ? left : most;
    int64_t now = sc_clock_now();
    for (int i = 0; i < count && s->track == &peer->video; i++)
        sc_rtc_repeat_sent(&peer->repeat, sc_rtp_seq(group[i].data), (int)group[i].size,
                           s->key && !s->gone && !i, now);
    for (int i = 0; i < count; i++)
        s->track->bytes += (uint32_t)(group[i].size - sc_rtp_overhead(&s->track->cutter));
    s->track->packets += (uint32_t)count;
    sc_rtc_peer_post(peer, s->track, group, count);
    s->gone += count;
}

// A report tells which RTP time is now.
static void report(sc_rtc_peer *peer, const struct sc_rtc_track *track, int64_t now)
{
    uint8_t data[SC_RTCP_SENDER_MAX + SC_SRTP_EXTRA];
    int64_t since = now - (track->pts_ns + peer->sending.shift_ns);
    if (!track->begun || !track->packets)
        return;
    struct sc_rtcp_sender sender = {
        .ssrc = track->cutter.params.ssrc,
        .ntp = sc_rtcp_ntp(sc_clock_wall()),
        .timestamp = track->timestamp + (uint32_t)(since / 1000 * track->rate / 1000000),
        .packets = track->packets,
        .bytes = track->bytes,
        .cname = peer->cname,
    };
    sc_rtc_peer_post_report(peer, data, sc_rtcp_write(data, &sender));
}

static void report_all(sc_rtc_peer *peer)
{
    int64_t now = sc_clock_now();
    if (now - peer->sending.reported_ns < REPORT_NS)
        return;
    peer->sending.reported_ns = now;
    report(peer, &peer->video, now);
    report(peer, &peer->sound, now);
}

// When the next packets are to leave; 0 = there are none.
static int64_t next_due(sc_rtc_peer *peer)
{
    const struct sc_rtc_sending *s = &peer->sending;
    while (!s->track || s->gone == s->parcels.count) { // some have nothing to send in them
        if (s->track)
            end_picture(peer);
        if (!begin_next(peer))
            return 0;
    }
    return s->begin_ns + s->spread_ns * s->gone / s->parcels.count;
}

int64_t sc_rtc_peer_serve(sc_rtc_peer *peer)
{
    int64_t due;
    if (!sc_rtc_peer_enter(peer))
        return 0;
    sc_rtc_peer_repeat(peer);
    while ((due = next_due(peer)) && due - sc_clock_now() <= SC_RTC_SLACK_NS)
        send_group(peer);
    report_all(peer);
    sc_rtc_peer_leave(peer);
    return due;
}

// --- set up -------------------------------------------------------------------------------------

// A transceiver that sends only. webrtcbin never gets anything to send by it: it is there for the answer.
static int add_track(sc_rtc_peer *peer, struct sc_rtc_track *track,
                     const struct sc_rtp_params *rtp, GstWebRTCRTPTransceiver **ptransceiver,
                     sc_err *err)
{
    sc_rtc_peer_add_transceiver(peer, rtp, GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY,
                                ptransceiver);
    if (!*ptransceiver)
        return sc_fail(err, SC_EINTERNAL, "GStreamer takes no source");
    sc_rtp_cutter_init(&track->cutter, rtp);
    track->cutter.seq = (uint16_t)g_random_int_range(0, 0x8000);
    track->rate = rtp->codec == SC_RTC_OPUS ? 48000 : 90000;
    track->used = true;
    return SC_OK;
}

int sc_rtc_peer_add_tracks(sc_rtc_peer *peer, const struct sc_rtc_peer_params *params,
                           sc_err *err)
{
    struct sc_rtp_params rtp;
    const sc_rtc_offer *offer = &peer->offer;
    GstWebRTCRTPTransceiver *transceiver = NULL;
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
    sc_rtc_peer_fill_rtp(&rtp, &offer->media[offer->audio], SC_RTC_OPUS);
    rtp.ssrc = (uint32_t)g_random_int_range(1, G_MAXINT32);
    ret = add_track(peer, &peer->sound, &rtp, &transceiver, err);
    g_clear_object(&transceiver);
    return ret;
}
