#include "rtc/peer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "peer_link.h"

// --- watching -----------------------------------------------------------------------------------

static void test_pictures_arrive_whole_at_their_times(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    static struct client_unit units[MOST];
    struct link_params params = {.peer = {.pace_bitrate = 20000000}};
    open_link(f, &link, &params);
    assert_false(sc_rtc_peer_send(link.peer, f->pictures[0], START)); // not connected yet
    assert_true(wait_for_state(&link, SC_RTC_CONNECTED));
    assert_false(f->pictures[2]->key);
    assert_false(sc_rtc_peer_send(link.peer, f->pictures[2], START));
    int before = lead_in(&link);
    uint32_t first = link.timestamp;
    send_pictures(&link, PICTURES, 33 * SC_NS_PER_MS);
    assert_true(wait_for_client(link.client, count_units, before + PICTURES));
    int count = client_units(link.client, units, MOST);
    assert_int_equal(count, before + PICTURES);
    for (int i = 0; i < PICTURES; i++) {
        assert_int_equal(units[before + i].timestamp, first + (uint32_t)i * STEP);
        check_unit(&units[before + i], f->pictures[i]);
    }
    struct sc_rtc_peer_stats stats;
    sc_rtc_peer_get_stats(link.peer, &stats);
    assert_true(stats.pictures >= PICTURES + before);
    assert_non_null(strchr(stats.remote, ':'));
    assert_int_equal(stats.state, SC_RTC_CONNECTED);
    assert_true(stats.first_sent_ns > stats.connected_ns);
    assert_true(stats.connected_ns > stats.opened_ns);
    assert_true(stats.heard_ns > stats.connected_ns);
    close_link(&link);
}

static void test_header_extensions(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    static struct client_packet packets[MOST];
    struct link_params params = {.peer = {.playout_min_ms = 20, .playout_max_ms = 300}};
    open_link(f, &link, &params);
    assert_non_null(strstr(link.answer, "a=setup:passive"));
    assert_null(strstr(link.answer, "a=setup:active"));
    assert_non_null(strstr(link.answer, "profile-level-id="));
    assert_non_null(strstr(link.answer, "experiments/rtp-hdrext/playout-delay"));
    lead_in(&link);
    send_pictures(&link, 8, 5 * SC_NS_PER_MS);
    int count = client_packets(link.client, packets, MOST), last = -1;
    char wanted[32];
    snprintf(wanted, sizeof(wanted), "a=ssrc:%u ", packets[0].ssrc);
    assert_non_null(strstr(link.answer, wanted));
    for (int i = 0; i < count; i++) {
        assert_true(packets[i].has_playout && packets[i].has_twcc);
        assert_memory_equal(packets[i].playout, "\x00\x20\x1e", 3); // 2 and 30 times 10 ms
        int number = packets[i].twcc[0] << 8 | packets[i].twcc[1];
        if (last >= 0 && i > 0 && packets[i].seq == (uint16_t)(packets[i - 1].seq + 1))
            assert_true((int16_t)(uint16_t)(number - last) > 0);
        last = number;
    }
    close_link(&link);
}

static void test_keyframes_messages_feedback(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    struct link_params params = {.client = {.channel = true}};
    char text[100];
    open_link(f, &link, &params);
    assert_false(sc_rtc_peer_send_text(link.peer, "early", 5));
    lead_in(&link);
    send_pictures(&link, PICTURES, 33 * SC_NS_PER_MS);
    client_want_key(link.client);
    assert_true(wait_for(&link, &link.keys_wanted, 1));
    assert_true(wait_for(&link, &link.channels, 1));
    assert_int_equal(link.greetings, 1);
    assert_true(wait_for_client(link.client, client_messages, 1));
    client_message(link.client, text, sizeof(text));
    assert_string_equal(text, "{\"n\":1}");
    for (int i = 0; i < 400 && !client_send_text(link.client, "hello"); i++)
        sc_clock_sleep(5 * SC_NS_PER_MS);
    assert_true(wait_for(&link, &link.messages, 1));
    assert_string_equal(link.message, "hello");

    struct sc_rtc_peer_stats stats;
    sc_rtc_peer_get_stats(link.peer, &stats);
    assert_true(stats.plis >= 1);
    // All but what was sent last is told of, once, in order, with its times.
    assert_true(wait_for(&link, &link.arrival_count, (int)stats.packets * 8 / 10));
    pthread_mutex_lock(&link.lock);
    for (int i = 0; i < link.arrival_count; i++) {
        const struct sc_rtc_arrival *a = &link.arrivals[i];
        assert_true(a->sent_ns > stats.connected_ns && a->sent_ns < sc_clock_now());
        assert_in_range(a->size, 25, 1200);
        if (i > 0) {
            assert_int_equal(a->seq, (uint16_t)(a[-1].seq + 1));
            assert_true(a->sent_ns >= a[-1].sent_ns);
        }
    }
    pthread_mutex_unlock(&link.lock);
    close_link(&link);
}

static void test_wrong_certificate_is_refused(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    static struct client_packet packets[MOST];
    struct link_params params = {.wrong_fingerprint = true};
    open_link(f, &link, &params);
    for (int i = 0; i < 300 && read_int(&link, (int *)&link.state) != SC_RTC_GONE; i++) {
        assert_false(sc_rtc_peer_send(link.peer, f->pictures[0], START));
        sc_clock_sleep(5 * SC_NS_PER_MS);
    }
    assert_true(wait_for_state(&link, SC_RTC_GONE));
    assert_int_equal(link.states, 1);
    assert_non_null(strstr(link.reason, "certificate"));
    assert_false(sc_rtc_peer_send(link.peer, f->pictures[0], START));
    assert_int_equal(client_packets(link.client, packets, MOST), 0);
    close_link(&link);
}

static void test_silence_is_noticed(void **state)
{
    struct fixture *f = begin(state), other = *f;
    static struct link link;
    struct link_params params = {0};
    struct sc_rtc_params rtc = {.log = f->log, .silence_ns = 2 * SC_NS_PER_S};
    sc_err err = {0};
    assert_int_equal(sc_rtc_open(&other.rtc, &rtc, &err), SC_OK);
    open_link(&other, &link, &params);
    assert_true(wait_for_state(&link, SC_RTC_CONNECTED));
    for (int i = 0; i < 150; i++) { // it is not silent while it watches
        sc_rtc_peer_send(link.peer, f->pictures[i % PICTURES], START + (uint32_t)i * STEP);
        sc_clock_sleep(20 * SC_NS_PER_MS);
    }
    assert_int_equal(read_int(&link, (int *)&link.state), SC_RTC_CONNECTED);
    client_mute(link.client);
    int64_t since = sc_clock_now();
    assert_true(wait_for_state(&link, SC_RTC_GONE));
    assert_non_null(strstr(link.reason, "heard"));
    assert_in_range(sc_clock_now() - since, SC_NS_PER_S, 4 * SC_NS_PER_S);
    close_link(&link);
    sc_rtc_close(&other.rtc);
}

static void test_a_picture_is_spread(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    struct link_params params = {.peer = {.pace_bitrate = 3000000}};
    open_link(f, &link, &params);
    assert_true(wait_for_state(&link, SC_RTC_CONNECTED));
    // At 3 Mbit/s the keyframe's 24 kB would take 64 ms: half the time to the next picture is 16 ms.
    send_pictures(&link, 1, 100 * SC_NS_PER_MS);
    assert_true(f->pictures[0]->av->size > 20000);
    assert_true(wait_for(&link, &link.arrival_count, 20));
    pthread_mutex_lock(&link.lock);
    int64_t took = link.arrivals[link.arrival_count - 1].sent_ns - link.arrivals[0].sent_ns;
    pthread_mutex_unlock(&link.lock);
    assert_true(took >= 13 * SC_NS_PER_MS); // and more, where others need the machine
    close_link(&link);
}

// What came late at first must not set the pace of all that follows: a picture leaves when it comes, whatever its time.
static void test_pictures_are_not_held(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    struct link_params params = {0};
    open_link(f, &link, &params);
    assert_true(wait_for_state(&link, SC_RTC_CONNECTED));
    send_pictures(&link, 1, 0);
    assert_true(wait_for(&link, &link.arrival_count, 20));
    int before = read_int(&link, &link.arrival_count);
    int64_t begun = sc_clock_now();
    assert_true(sc_rtc_peer_send(link.peer, f->pictures[PICTURES - 1], link.timestamp));
    assert_true(wait_for(&link, &link.arrival_count, before + 1));
    pthread_mutex_lock(&link.lock);
    int64_t held = link.arrivals[link.arrival_count - 1].sent_ns - begun;
    pthread_mutex_unlock(&link.lock);
    // By their times the two are 767 ms apart.
    assert_true(held < 400 * SC_NS_PER_MS);
    close_link(&link);
}

static void test_ports_are_kept_to(void **state)
{
    struct fixture *f = begin(state), other = {.log = f->log};
    static struct link link;
    struct link_params params = {.no_answer = true};
    struct sc_rtc_params rtc = {.log = f->log, .port_min = 42000, .port_max = 42050};
    sc_err err = {0};
    assert_int_equal(sc_rtc_open(&other.rtc, &rtc, &err), SC_OK);
    open_link(&other, &link, &params);
    int candidates = 0, port;
    for (const char *at = link.answer; (at = strstr(at, "a=candidate:")); at++, candidates++) {
        assert_int_equal(sscanf(at, "a=candidate:%*s %*s %*s %*s %*s %d", &port), 1);
        assert_in_range(port, 42000, 42050);
    }
    assert_true(candidates > 0);
    // What makes no sense is ignored.
    sc_rtc_peer_add_candidate(link.peer, "candidate:");
    sc_rtc_peer_add_candidate(link.peer, "candidate:1 2 UDP 1 127.0.0.1 9 typ host");
    sc_rtc_peer_add_candidate(link.peer, "candidate:1 1 UDP 1 nowhere.local 9 typ host");
    sc_rtc_peer_add_candidate(link.peer, "a=candidate:1 1 UDP 1 127.0.0.1 9 typ host");
    close_link(&link);
    sc_rtc_close(&other.rtc);
}

// --- ICE restarts -------------------------------------------------------------------------------

// As the app does it: the restart, then the candidates. The new ways that the client has chosen.
static int restart(struct link *link)
{
    static sc_rtc_fragment fragment;
    char text[8000], *answer = NULL;
    sc_err err = {0};
    int before = client_pairs(link->client);
    client_restart(link->client, text, sizeof(text));
    assert_int_equal(sc_rtc_fragment_parse(&fragment, text, strlen(text), &err), SC_OK);
    if (sc_rtc_peer_restart(link->peer, fragment.ufrag, fragment.pwd, &answer, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < fragment.count; i++)
        sc_rtc_peer_add_candidate(link->peer, fragment.candidates[i].text);
    client_take_fragment(link->client, answer);
    free(answer);
    for (int i = 0; i < 1000 && client_pairs(link->client) == before; i++)
        sc_clock_sleep(5 * SC_NS_PER_MS);
    return client_pairs(link->client) - before;
}

static void assert_pictures_go_on(struct link *link)
{
    int before = count_units(link->client);
    send_pictures(link, PICTURES, 33 * SC_NS_PER_MS);
    assert_true(wait_for_client(link->client, count_units, before + PICTURES));
    assert_int_equal(read_int(link, (int *)&link->state), SC_RTC_CONNECTED);
    assert_int_equal(read_int(link, &link->states), 1); // DTLS was not begun again
}

static void test_ice_restarts_under_pictures(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    struct link_params params = {.client = {.channel = true}};
    open_link(f, &link, &params);
    lead_in(&link);
    for (int i = 0; i < 3; i++) {
        assert_true(restart(&link) > 0);
        assert_pictures_go_on(&link);
    }
    close_link(&link);
}

static void test_a_restart_tells_new_credentials_and_old_candidates(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    struct link_params params = {0};
    char before[300], after[300], line[300], *fragment = NULL;
    sc_err err = {0};
    open_link(f, &link, &params);
    lead_in(&link);
    read_value(link.answer, "ice-ufrag", before, sizeof(before));
    assert_int_equal(sc_rtc_peer_restart(link.peer, "another", "22222222222222222222222222",
                                         &fragment, &err),
                     SC_OK);
    read_value(fragment, "ice-ufrag", after, sizeof(after));
    assert_string_not_equal(before, after);
    read_value(link.answer, "ice-pwd", before, sizeof(before));
    read_value(fragment, "ice-pwd", after, sizeof(after));
    assert_string_not_equal(before, after);
    assert_true(strlen(after) >= 22);
    read_value(link.answer, "candidate", line, sizeof(line));
    assert_non_null(strstr(fragment, line));
    assert_non_null(strstr(fragment, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:"));
    assert_non_null(strstr(fragment, "\r\na=end-of-candidates\r\n"));
    free(fragment);
    close_link(&link);
}

static void test_a_restart_that_fails_leaves_the_old_way(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    struct link_params params = {0};
    char *fragment = NULL;
    static const char pwd[] = "22222222222222222222222222";
    sc_err err = {0};
    open_link(f, &link, &params);
    lead_in(&link);
    assert_int_equal(sc_rtc_peer_restart(link.peer, link.ufrag, pwd, &fragment, &err), SC_EARG);
    assert_null(fragment);
    assert_pictures_go_on(&link);
    // Credentials that nobody has, and an address where nobody is: ICE fails after some seconds.
    assert_int_equal(sc_rtc_peer_restart(link.peer, "nobody", pwd, &fragment, &err), SC_OK);
    free(fragment);
    sc_rtc_peer_add_candidate(link.peer, "candidate:1 1 UDP 1 127.0.0.1 9 typ host");
    for (int i = 0; i < 12; i++)
        assert_pictures_go_on(&link);
    assert_true(restart(&link) > 0);
    assert_pictures_go_on(&link);
    close_link(&link);
}

// --- publishing ---------------------------------------------------------------------------------

static void test_a_publisher_is_received(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    struct link_params params = {.client = {.publish = true, .sound = true},
                                 .peer = {.sound = true}};
    open_link(f, &link, &params);
    assert_true(wait_for_state(&link, SC_RTC_CONNECTED));
    for (int i = 0; i < PICTURES; i++) {
        const AVPacket *av = f->pictures[i]->av;
        client_push(link.client, false, av->data, (size_t)av->size, i * INT64_C(33366667));
        client_push(link.client, true, "\xfc\xff\xfe", 3, i * INT64_C(20000000));
        sc_clock_sleep(10 * SC_NS_PER_MS);
    }
    assert_true(wait_for(&link, &link.packet_count, PICTURES - 2));
    assert_true(wait_for(&link, &link.sounds, PICTURES - 4));
    pthread_mutex_lock(&link.lock);
    for (int i = 0; i < link.packet_count; i++) {
        const sc_packet *packet = link.packets[i];
        assert_int_equal(packet->key, f->pictures[i]->key);
        int64_t off = packet->pts_ns - i * INT64_C(33366667);
        assert_in_range(off + 50000, 0, 100000); // RTP counts in 1/90000 s
        struct client_unit unit = {.data = packet->av->data, .size = (size_t)packet->av->size};
        check_unit(&unit, f->pictures[i]);
    }
    pthread_mutex_unlock(&link.lock);
    close_link(&link);
}

// --- the end ------------------------------------------------------------------------------------

static int count_entries(const char *folder)
{
    int count = 0;
    DIR *dir = opendir(folder);
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static void settle(struct fixture *f)
{
    struct sc_rtc_info info;
    for (int i = 0; i < 400; i++) {
        sc_rtc_get_info(f->rtc, &info);
        if (info.closing == 0)
            break;
        sc_clock_sleep(5 * SC_NS_PER_MS);
    }
    sc_clock_sleep(100 * SC_NS_PER_MS);
    assert_int_equal(info.closing, 0);
    assert_int_equal(info.left_behind, 0);
    assert_int_equal(info.peers, 0);
}

static void test_closing_at_any_moment(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    settle(f);
    int threads = 0, files = 0;
    for (int round = 0; round < 100; round++) {
        struct link_params params = {.client = {.channel = round % 2},
                                     .no_answer = round % 5 == 0};
        open_link(f, &link, &params);
        if (round % 5 == 2)
            sc_clock_sleep((round * 7919) % 120 * SC_NS_PER_MS); // before, in, after DTLS
        if (round % 5 == 3)
            client_close(&link.client);
        if (round % 5 == 4) {
            wait_for_state(&link, SC_RTC_CONNECTED);
            for (int i = 0; i < 30; i++)
                sc_rtc_peer_send(link.peer, f->pictures[i % PICTURES],
                                 START + (uint32_t)i * STEP);
        }
        int64_t since = sc_clock_now();
        sc_rtc_peer_close(&link.peer);
        assert_true(sc_clock_now() - since < 500 * SC_NS_PER_MS);
        close_link(&link);
        if (round == 9) {
            settle(f);
            threads = count_entries("/proc/self/task");
            files = count_entries("/proc/self/fd");
        }
    }
    settle(f);
    // GLib keeps a few threads for later; ninety rounds that leak would show.
    assert_true(count_entries("/proc/self/task") <= threads + 10);
    assert_true(count_entries("/proc/self/fd") <= files + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures_arrive_whole_at_their_times),
        cmocka_unit_test(test_header_extensions),
        cmocka_unit_test(test_keyframes_messages_feedback),
        cmocka_unit_test(test_wrong_certificate_is_refused),
        cmocka_unit_test(test_silence_is_noticed),
        cmocka_unit_test(test_a_picture_is_spread),
        cmocka_unit_test(test_pictures_are_not_held),
        cmocka_unit_test(test_ports_are_kept_to),
        cmocka_unit_test(test_ice_restarts_under_pictures),
        cmocka_unit_test(test_a_restart_tells_new_credentials_and_old_candidates),
        cmocka_unit_test(test_a_restart_that_fails_leaves_the_old_way),
        cmocka_unit_test(test_a_publisher_is_received),
        cmocka_unit_test(test_closing_at_any_moment),
    };
    return run_with_links(tests);
}
