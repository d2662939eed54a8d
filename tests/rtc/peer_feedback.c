// What the other side says, as much of it as it likes.
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

enum { PACKETS = 2000, MESSAGE = 24 };

void sc_rtc_sender_wake(sc_rtc_sender *sender, sc_rtc_peer *peer)
{
    (void)sender, (void)peer;
    fail();
}

void sc_rtc_peer_miss(sc_rtc_peer *peer, uint16_t seq)
{
    (void)peer, (void)seq;
    fail();
}

static void count_feedback(void *arg, const struct sc_rtc_arrival *arrivals, int count)
{
    (void)arrivals;
    assert_int_equal(count, PACKETS);
    ++*(int *)arg;
}

// Calls all packets lost, with a single chunk.
static size_t add_message(uint8_t *to)
{
    memset(to, 0, MESSAGE);
    memcpy(to, "\x8f\xcd\0\5", 4);
    to[14] = PACKETS >> 8;
    to[15] = PACKETS & 0xff;
    to[20] = PACKETS >> 8;
    to[21] = PACKETS & 0xff;
    return MESSAGE;
}

static void test_a_flood_of_feedback(void **state)
{
    (void)state;
    int count = 0;
    uint8_t report[50 * MESSAGE];
    sc_rtc_peer *peer = sc_new(sc_rtc_peer);
    pthread_mutex_init(&peer->lock, NULL);
    peer->events = (struct sc_rtc_events){.on_feedback = count_feedback, .arg = &count};
    for (int i = 0; i < PACKETS; i++)
        sc_twcc_sent(&peer->twcc, 1000, 1);
    size_t size = add_message(report);
    for (int i = 0; i < 5; i++) // some in a row are fine
        sc_rtc_peer_take_rtcp(peer, report, size);
    assert_int_equal(count, 5);
    while (size < sizeof(report))
        size += add_message(report + size);
    int64_t since = sc_clock_now();
    for (int i = 0; i < 100; i++)
        sc_rtc_peer_take_rtcp(peer, report, size);
    int64_t turns = (sc_clock_now() - since) / (5 * SC_NS_PER_MS);
    assert_in_range(count, 30, 33 + turns);
    sc_clock_sleep(20 * SC_NS_PER_MS);
    int before = count;
    sc_rtc_peer_take_rtcp(peer, report, MESSAGE);
    assert_int_equal(count, before + 1);
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_flood_of_feedback)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
