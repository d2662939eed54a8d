// How pictures and sound leave: reports, numbers, a full queue.
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "peer_link.h"

enum { WIRE = 8000, REPORTS = 100, EVERY_MS = 33 };

static sc_packet *copy_packet(const sc_packet *packet, int64_t pts_ns)
{
    AVPacket *av = av_packet_alloc();
    assert_int_equal(sc_packet_clone(av, packet), SC_OK);
    sc_packet *copy = sc_packet_wrap(av, SC_MEDIA_VIDEO);
    copy->key = packet->key;
    copy->pts_ns = pts_ns;
    return copy;
}

static sc_packet *make_sound(int64_t pts_ns)
{
    AVPacket *av = av_packet_alloc();
    assert_int_equal(av_new_packet(av, 40), 0);
    memset(av->data, 0, 40);
    av->data[0] = 0xfc;
    sc_packet *sound = sc_packet_wrap(av, SC_MEDIA_SOUND);
    sound->pts_ns = pts_ns;
    return sound;
}

// Sends it with the RTP time of its pts since base_ns.
static bool send_at(struct link *link, sc_packet *packet, uint32_t base, int64_t since_ns)
{
    bool video = packet->media == SC_MEDIA_VIDEO;
    bool sent = sc_rtc_peer_send(link->peer, packet,
                                 base + (uint32_t)(since_ns / 1000 * (video ? 90 : 48) / 1000));
    sc_packet_unref(&packet);
    return sent;
}

// --- reports ------------------------------------------------------------------------------------

struct show {
    int64_t wall_ns, at_ns, pts_ns; // when it began, and with what
    uint32_t video, sound;          // RTP
};

// Pictures and their sound, which comes a little later than they do.
static void play(struct fixture *f, struct link *link, struct show *show, int count)
{
    const int late = 2;
    show->pts_ns = 1000 * SC_NS_PER_S;
    show->at_ns = sc_clock_now();
    show->wall_ns = sc_clock_wall();
    show->video = link->timestamp;
    show->sound = 77;
    for (int i = 0; i < count; i++) {
        int64_t since_ns = i * EVERY_MS * SC_NS_PER_MS,
                sound_ns = since_ns - late * EVERY_MS * SC_NS_PER_MS;
        sc_packet *picture = copy_packet(f->pictures[i % PICTURES], show->pts_ns + since_ns);
        assert_true(send_at(link, picture, show->video, since_ns));
        if (sound_ns >= 0)
            assert_true(
                send_at(link, make_sound(show->pts_ns + sound_ns), show->sound, sound_ns));
        int64_t next = show->at_ns + since_ns + EVERY_MS * SC_NS_PER_MS, now = sc_clock_now();
        sc_clock_sleep(next > now ? next - now : 0);
    }
}

// What the report is off by, in ms.
static double off_by(const struct show *show, const struct client_report *report, bool video)
{
    double since_ms = (double)(report->ntp_ns - show->wall_ns) / 1e6;
    int32_t ticks = (int32_t)(report->timestamp - (video ? show->video : show->sound));
    return ticks / (video ? 90.0 : 48.0) - since_ms;
}

// What it counts more than the one before is what came in between.
static void check_counts(const struct client_packet *packets,
                         const struct client_report *before, const struct client_report *report)
{
    uint32_t count = 0, bytes = 0;
    for (int i = before->wire; i < report->wire; i++)
        if (packets[i].ssrc == report->ssrc) {
            count++;
            bytes += (uint32_t)packets[i].payload;
        }
    assert_true(count > 0);
    assert_int_equal(report->packets - before->packets, count);
    assert_int_equal(report->bytes - before->bytes, bytes);
}

static void test_reports(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    static struct client_packet packets[WIRE];
    static struct client_report reports[REPORTS];
    struct link_params params = {.client = {.sound = true}, .peer = {.sound = true}};
    struct show show;
    open_link(f, &link, &params);
    lead_in(&link);
    struct client_wire *wire = client_wire(link.client);
    int first = client_wire_reports(wire, reports, REPORTS);
    play(f, &link, &show, 100);
    int count = client_wire_reports(wire, reports, REPORTS), videos = 0, sounds = 0;
    int came = client_wire_packets(wire, packets, WIRE);
    assert_in_range(came, 100, WIRE - 1);
    uint32_t ssrc = packets[0].ssrc; // the lead-in is of pictures only
    const struct client_report *last[2] = {NULL, NULL};
    double least = 1e9, most = -1e9, soonest_ms = 1e9;
    for (int i = first; i < count; i++) {
        const struct client_report *r = &reports[i];
        bool video = r->ssrc == ssrc;
        assert_string_equal(r->cname, reports[0].cname); // or they are not played together
        assert_true(*r->cname);
        if (r->ntp_ns < show.wall_ns)
            continue;
        double came_ms = (double)(r->at_ns - r->ntp_ns) / 1e6, off = off_by(&show, r, video);
        assert_true(came_ms > -1 && came_ms < 1000);
        soonest_ms = came_ms < soonest_ms ? came_ms : soonest_ms;
        least = off < least ? off : least;
        most = off > most ? off : most;
        if (last[video]) {
            check_counts(packets, last[video], r);
            int64_t apart = r->ntp_ns - last[video]->ntp_ns;
            assert_in_range(apart, 9 * SC_NS_PER_S / 10, 2 * SC_NS_PER_S);
        }
        last[video] = r;
        *(video ? &videos : &sounds) += 1;
    }
    assert_in_range(videos, 2, 4);
    assert_in_range(sounds, 2, 4);
    assert_true(soonest_ms < 50);
    assert_true(least > -20 && most < 20);
    assert_true(most - least < 8); // both are of one clock, though sound came 66 ms later
    close_link(&link);
}

// --- numbers ------------------------------------------------------------------------------------

struct stream {
    uint32_t ssrc;
    uint16_t seq;
    int count;
};

static void take_number(struct stream *streams, const struct client_packet *packet)
{
    struct stream *s = streams;
    while (s->count && s->ssrc != packet->ssrc)
        s++;
    if (s->count)
        assert_int_equal(packet->seq, (uint16_t)(s->seq + 1));
    *s = (struct stream){packet->ssrc, packet->seq, s->count + 1};
}

static uint16_t number_of(const struct client_packet *packet)
{
    return (uint16_t)(packet->twcc[0] << 8 | packet->twcc[1]);
}

static void test_numbers_are_for_all(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    static struct client_packet packets[WIRE];
    struct link_params params = {.client = {.sound = true, .number_sound = true, .nack = true},
                                 .peer = {.sound = true}};
    struct show show;
    struct stream streams[8] = {0}; // pictures, sound, repetitions
    struct sc_rtc_peer_stats stats;
    open_link(f, &link, &params);
    lead_in(&link);
    struct client_wire *wire = client_wire(link.client);
    int first = client_wire_packets(wire, packets, WIRE);
    client_wire_drop(wire, 10);
    play(f, &link, &show, 40);
    int dropped = client_wire_drop(wire, 0);
    assert_true(dropped >= 4);
    for (int i = 0; i < 1000; i++) { // lost sound is not asked for
        sc_rtc_peer_get_stats(link.peer, &stats);
        if (stats.retransmitted >= dropped / 3)
            break;
        sc_clock_sleep(5 * SC_NS_PER_MS);
    }
    sc_clock_sleep(300 * SC_NS_PER_MS);
    int count = client_wire_packets(wire, packets, WIRE);
    for (int i = first; i < count; i++) {
        assert_true(packets[i].has_twcc);
        take_number(streams, &packets[i]);
        if (i > first)
            assert_int_equal(number_of(&packets[i]),
                             (uint16_t)(number_of(&packets[i - 1]) + 1));
    }
    assert_true(streams[2].count > 0 && !streams[3].count);
    close_link(&link);
}

// --- a full queue -------------------------------------------------------------------------------

// Keyframes as fast as possible. They leave over some time each.
static int fill(struct fixture *f, struct link *link)
{
    int sent = 0;
    while (sent < 1000 && sc_rtc_peer_send(link->peer, f->pictures[0], link->timestamp)) {
        link->timestamp += STEP;
        sent++;
    }
    return sent;
}

static bool send_one(struct fixture *f, struct link *link, int n)
{
    link->timestamp += STEP;
    return sc_rtc_peer_send(link->peer, f->pictures[n], link->timestamp);
}

// Packets of all that was sent so far, when the last has left.
static int64_t count_gone(struct link *link)
{
    struct sc_rtc_peer_stats stats;
    int64_t before = -1;
    for (int i = 0; i < 100; i++) {
        sc_rtc_peer_get_stats(link->peer, &stats);
        if (stats.packets == before)
            break;
        before = stats.packets;
        sc_clock_sleep(200 * SC_NS_PER_MS);
    }
    return before;
}

static void test_a_full_queue(void **state)
{
    struct fixture *f = begin(state);
    static struct link link;
    struct link_params params = {.client = {.sound = true},
                                 .peer = {.sound = true, .pace_bitrate = 1}};
    struct sc_rtc_peer_stats before, after;
    open_link(f, &link, &params);
    lead_in(&link);
    int64_t none = count_gone(&link);
    assert_false(f->pictures[2]->key);
    assert_true(send_one(f, &link, 0));
    int64_t one = count_gone(&link), each = one - none;
    assert_in_range(each, 20, 30);
    sc_rtc_peer_get_stats(link.peer, &before);
    int sent = fill(f, &link);
    assert_false(send_at(&link, make_sound(0), 77, 0));
    assert_in_range(sent, 12, 999); // what there is room for, and what left meanwhile
    assert_int_equal(count_gone(&link), one + sent * each);
    // There is room again, but pictures that refer to what was left out are of no use.
    assert_true(send_at(&link, make_sound(0), 77, SC_NS_PER_S));
    assert_false(send_one(f, &link, 2));
    assert_false(send_one(f, &link, 2));
    assert_int_equal(count_gone(&link), one + sent * each + 1);
    assert_true(send_one(f, &link, 0));
    assert_int_equal(count_gone(&link), one + (sent + 1) * each + 1);
    assert_true(send_one(f, &link, 2));
    assert_true(count_gone(&link) > one + (sent + 1) * each + 1);
    sc_rtc_peer_get_stats(link.peer, &after);
    assert_int_equal(after.pictures - before.pictures, sent + 2);
    assert_int_equal(after.dropped - before.dropped, 3);
    fill(f, &link); // what waits is let go of by close
    close_link(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_numbers_are_for_all),
        cmocka_unit_test(test_a_full_queue),
    };
    return run_with_links(tests);
}
