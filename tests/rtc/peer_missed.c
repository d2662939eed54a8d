// Packets that a viewer misses, with nobody behind: what would leave is counted.
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

enum { PICTURES = 20, SIZE = 30000, RATE = 2000000 };

struct counted {
    int packets;
    int64_t bytes;
};

void sc_rtc_peer_post(sc_rtc_peer *peer, const struct sc_rtc_track *track,
                      struct sc_rtc_parcel *parcels, int count)
{
    (void)track;
    struct counted *counted = peer->events.arg;
    counted->packets += count;
    for (int i = 0; i < count; i++)
        counted->bytes += (int64_t)parcels[i].size;
}

static void note(void *arg, const uint8_t *packet, size_t size)
{
    sc_rtc_peer *peer = arg;
    sc_rtc_repeat_sent(&peer->repeat, sc_rtp_seq(packet), (int)size, false, sc_clock_now());
}

static void send_picture(sc_rtc_peer *peer)
{
    struct sc_rtc_item item = {.packet = sc_packet_wrap(av_packet_alloc(), SC_MEDIA_VIDEO)};
    struct sc_rtp_cutter before = peer->video.cutter;
    assert_int_equal(av_new_packet(item.packet->av, SIZE), 0);
    memset(item.packet->av->data, 7, SIZE);
    int count = sc_rtp_cut(&peer->video.cutter, item.packet->av->data, SIZE, 0, note, peer);
    sc_rtc_peer_remember(peer, &item, &before, count);
    sc_packet_unref(&item.packet);
}

static sc_rtc_peer *open_peer(struct counted *counted, uint16_t seq)
{
    sc_rtc_peer *peer = sc_new(sc_rtc_peer);
    const struct sc_rtp_params params = {.codec = SC_RTC_VP8, .payload = 96, .ssrc = 1};
    pthread_mutex_init(&peer->lock, NULL);
    sc_rtp_cutter_init(&peer->video.cutter, &params);
    peer->video.cutter.seq = seq;
    peer->rtx = (struct sc_rtp_rtx){.payload = 97, .ssrc = 2};
    peer->events.arg = counted;
    peer->pace = RATE;
    for (int i = 0; i < PICTURES; i++)
        send_picture(peer);
    return peer;
}

static void close_peer(sc_rtc_peer *peer)
{
    sc_rtc_peer_forget(peer);
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}

// Numbers wrap among these packets.
static void test_what_is_missed_comes_once(void **state)
{
    (void)state;
    struct counted counted = {0};
    sc_rtc_peer *peer = open_peer(&counted, 65436);
    static const uint16_t missed[] = {65436, 65535, 0, 1, 1, 65435, 20000};
    for (size_t i = 0; i < SC_COUNT(missed); i++)
        sc_rtc_peer_miss(peer, missed[i]);
    sc_rtc_peer_repeat(peer);
    assert_int_equal(counted.packets, 4);
    assert_int_equal(peer->counts.nacks, SC_COUNT(missed));
    assert_int_equal(peer->counts.retransmitted, 4);
    close_peer(peer);
}

// Who asks for everything, all the time, and says nothing of its link.
static void test_a_flood_of_requests(void **state)
{
    (void)state;
    struct counted counted = {0};
    sc_rtc_peer *peer = open_peer(&counted, 0);
    int64_t since = sc_clock_now();
    while (sc_clock_now() - since < 200 * SC_NS_PER_MS) {
        for (uint16_t seq = 0; seq < 500; seq++)
            sc_rtc_peer_miss(peer, seq);
        sc_rtc_peer_repeat(peer);
        sc_clock_sleep(SC_NS_PER_MS);
    }
    assert_true(counted.packets > 0);
    assert_true(counted.bytes < RATE / 8 / 2); // about 0.3 of the rate, as after a second
    close_peer(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_missed_comes_once),
        cmocka_unit_test(test_a_flood_of_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
