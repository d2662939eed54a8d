// What is lost on its way comes again: the other side is a second webrtcbin, before which packets are dropped.
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "peer_link.h"

enum { EVERY = 9, LOSSY = 2 * PICTURES, ALL = LOSSY + 2 * PICTURES, WIRE = 8000 };

#define IN_TIME (800 * SC_NS_PER_MS) // the client's jitter buffer waits for 1000

struct wire {
    struct client_packet packets[WIRE];
    int count;
};

// The packet of that number of the pictures, which are what came first.
static const struct client_packet *find(const struct wire *wire, uint16_t seq)
{
    for (int i = 0; i < wire->count; i++)
        if (wire->packets[i].ssrc == wire->packets[0].ssrc && wire->packets[i].seq == seq)
            return &wire->packets[i];
    fail_msg("number %d was never sent", seq);
    return NULL;
}

static bool came_again(const struct wire *wire, const struct client_packet *lost,
                       int64_t within_ns)
{
    for (int i = 0; i < wire->count; i++) {
        const struct client_packet *p = &wire->packets[i];
        if (p->ssrc != lost->ssrc && p->missed == lost->seq && !p->dropped &&
            p->at_ns - lost->at_ns < within_ns)
            return true;
    }
    return false;
}

// What was lost of a picture came again before the client gave it up.
static bool is_whole(const struct wire *wire, uint32_t timestamp)
{
    for (int i = 0; i < wire->count; i++) {
        const struct client_packet *p = &wire->packets[i];
        if (p->ssrc == wire->packets[0].ssrc && p->timestamp == timestamp && p->dropped &&
            !came_again(wire, p, IN_TIME))
            return false;
    }
    return true;
}

// Each repetition is of what it says, and most of what was lost came again: the client may not have asked for the rest.
// Returns how many repetitions there were.
static int check_wire(const struct wire *wire)
{
    int repetitions = 0, lost = 0, again = 0;
    for (int i = 0; i < wire->count; i++) {
        const struct client_packet *p = &wire->packets[i];
        if (p->ssrc == wire->packets[0].ssrc) {
            lost += p->dropped;
            again += p->dropped && came_again(wire, p, INT64_MAX);
            continue;
        }
        const struct client_packet *first = find(wire, p->missed);
        assert_int_equal(p->payload, first->payload + 2);
        assert_int_equal(p->inner_hash, first->hash);
        assert_int_equal(p->timestamp, first->timestamp);
        assert_int_equal(p->marker, first->marker);
        repetitions++;
    }
    assert_true(lost >= LOSSY / EVERY);
    assert_true(again >= lost * 3 / 4);
    return repetitions;
}

// On a slow machine the client's jitter buffer gives up what comes again too late for it: whole pictures, or a packet
// of one.
static void check_pictures(const struct link *link, const struct wire *wire, int first,
                           uint32_t timestamp)
{
    static struct client_unit units[MOST];
    int count = client_units(link->client, units, MOST), whole = 0;
    assert_true(count <= first + ALL);
    for (int i = 0; i < ALL && count == first + ALL; i++, timestamp += STEP) {
        if (!is_whole(wire, timestamp))
            continue;
        check_unit(&units[first + i], link->shown[i % PICTURES]);
        whole++;
    }
    if (whole < ALL)
        print_message("the client gave up %d pictures, and parts of %d\n", first + ALL - count,
                      count == first + ALL ? ALL - whole : 0);
}

// Pictures with losses between some without: the last loss is only noticed by what follows.
static void check_losses(struct fixture *f, enum sc_rtc_codec codec)
{
    static struct link link;
    static struct wire wire;
    struct link_params params = {
        .video = codec, .client = {.name = codec == SC_RTC_VP8 ? "VP8" : "H264", .nack = true}};
    struct sc_rtc_peer_stats stats;
    open_link(f, &link, &params);
    int first = lead_in(&link);
    uint32_t timestamp = link.timestamp;
    send_pictures(&link, PICTURES, 33 * SC_NS_PER_MS);
    client_wire_drop(client_wire(link.client), EVERY);
    send_pictures(&link, LOSSY, 33 * SC_NS_PER_MS);
    client_wire_drop(client_wire(link.client), 0);
    send_pictures(&link, PICTURES, 33 * SC_NS_PER_MS);
    for (int i = 0; i < 300 && count_units(link.client) < first + ALL; i++)
        sc_clock_sleep(10 * SC_NS_PER_MS);
    wire.count = client_wire_packets(client_wire(link.client), wire.packets, WIRE);
    sc_rtc_peer_get_stats(link.peer, &stats);
    int repetitions = check_wire(&wire);
    assert_true(stats.retransmitted >= repetitions && stats.nacks >= stats.retransmitted);
    assert_true(stats.packets >= wire.count); // what is sent again counts as sent
    check_pictures(&link, &wire, first, timestamp);
    close_link(&link);
}

static void test_losses_of_h264(void **state)
{
    check_losses(begin(state), SC_RTC_H264);
}

static void test_losses_of_vp8(void **state)
{
    check_losses(begin(state), SC_RTC_VP8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses_of_h264),
        cmocka_unit_test(test_losses_of_vp8),
    };
    return run_with_links(tests);
}
