// Packets that the viewer misses, sent again (RFC 4588). Nothing is kept for it but the encoded pictures, which all
// viewers of a rung share: what is asked for is cut out of them once more.
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

void sc_rtc_peer_remember(sc_rtc_peer *peer, const struct sc_rtc_item *item,
                          const struct sc_rtp_cutter *cutter, int count)
{
    struct sc_rtc_memory *memory = &peer->memory;
    if (!peer->rtx.payload || !count)
        return;
    struct sc_rtc_picture *picture = &memory->pictures[memory->next++ % SC_RTC_PICTURES];
    sc_packet_unref(&picture->packet);
    *picture = (struct sc_rtc_picture){sc_packet_ref(item->packet), item->timestamp,
                                       cutter->seq, cutter->picture, count};
}

void sc_rtc_peer_forget(sc_rtc_peer *peer)
{
    for (int i = 0; i < SC_RTC_PICTURES; i++)
        sc_packet_unref(&peer->memory.pictures[i].packet);
}

void sc_rtc_peer_miss(sc_rtc_peer *peer, uint16_t seq)
{
    pthread_mutex_lock(&peer->lock);
    peer->counts.nacks++;
    if (peer->missed_count < SC_RTC_MISSED)
        peer->missed[peer->missed_count++] = seq;
    pthread_mutex_unlock(&peer->lock);
}

#define USUAL_RATE 10000000 // bits a second, of who says nothing of his link and is not paced

struct again {
    sc_rtc_peer *peer;
    const uint16_t *seqs; // that are wanted
    int count;
    struct sc_rtc_parcel parcels[SC_RTC_BATCH];
    int parcel_count;
};

static void flush(struct again *again)
{
    sc_rtc_peer *peer = again->peer;
    sc_rtc_peer_post(peer, &peer->video, again->parcels, again->parcel_count);
    pthread_mutex_lock(&peer->lock);
    peer->counts.retransmitted += again->parcel_count;
    pthread_mutex_unlock(&peer->lock);
    again->parcel_count = 0;
}

static bool wants(const struct again *again, uint16_t seq)
{
    for (int i = 0; i < again->count; i++)
        if (again->seqs[i] == seq)
            return true;
    return false;
}

// Of one picture's packets, those that are wanted.
static void take(void *arg, const uint8_t *packet, size_t size)
{
    struct again *again = arg;
    sc_rtc_peer *peer = again->peer;
    if (!wants(again, sc_rtp_seq(packet)))
        return;
    struct sc_rtc_parcel *parcel = &again->parcels[again->parcel_count++];
    parcel->size = sc_rtp_repeat(&peer->video.cutter, parcel->data, packet, size, &peer->rtx);
    if (again->parcel_count == SC_RTC_BATCH)
        flush(again);
}

static void cut_again(struct again *again, const struct sc_rtc_picture *picture)
{
    struct sc_rtp_cutter cutter = again->peer->video.cutter;
    const AVPacket *av = picture->packet->av;
    cutter.seq = picture->seq;
    cutter.picture = picture->number;
    sc_rtp_cut(&cutter, av->data, (size_t)av->size, picture->timestamp, take, again);
}

static bool has_wanted(const struct again *again, const struct sc_rtc_picture *picture)
{
    for (int i = 0; i < again->count && picture->packet; i++)
        if ((uint16_t)(again->seqs[i] - picture->seq) < picture->count)
            return true;
    return false;
}

// Those of the missed ones that are worth it. Who says nothing of his link gets a share of the pace: a request of few
// bytes can name hundreds of packets, and again a moment later. Under lock.
static int choose(sc_rtc_peer *peer, uint16_t *seqs)
{
    int64_t now = sc_clock_now();
    double round_ms = peer->counts.rtt_ms > 0 ? peer->counts.rtt_ms : 0;
    int64_t pace = peer->pace > 0 ? peer->pace : USUAL_RATE;
    int64_t rate = peer->estimate ? peer->rate : pace;
    int64_t estimate = peer->estimate ? peer->estimate : 2 * pace;
    int count = 0;
    for (int i = 0; i < peer->missed_count; i++)
        if (sc_rtc_repeat_ask(&peer->repeat, peer->missed[i], rate, estimate,
                              (int64_t)(round_ms * SC_NS_PER_MS), now))
            seqs[count++] = peer->missed[i];
    peer->missed_count = 0;
    return count;
}

void sc_rtc_peer_repeat(sc_rtc_peer *peer)
{
    uint16_t seqs[SC_RTC_MISSED];
    struct again again = {.peer = peer, .seqs = seqs};
    pthread_mutex_lock(&peer->lock);
    again.count = peer->rtx.payload ? choose(peer, seqs) : 0;
    pthread_mutex_unlock(&peer->lock);
    for (int i = 0; i < SC_RTC_PICTURES && again.count; i++)
        if (has_wanted(&again, &peer->memory.pictures[i]))
            cut_again(&again, &peer->memory.pictures[i]);
    if (again.parcel_count)
        flush(&again);
}
