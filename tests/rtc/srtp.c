// What leaves is opened by another SRTP, written down from RFC 3711 and held to its test vectors.
#include "rtc/srtp.h"

#include <libavutil/aes.h>
#include <libavutil/hmac.h>
#include <libavutil/mem.h>
#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/mem.h"

enum { MOST = 1500, HEAD = 12, REPORT_HEAD = 8, TAG = 10, SHORT_TAG = 4, INDEX = 4 };

// --- the reference ------------------------------------------------------------------------------

// Session keys of one direction, for packets or for reports.
struct session {
    uint8_t key[16], salt[14], sign[20];
};

// AES in counter mode: what it gives is added to the data.
static void add_stream(const uint8_t *key, const uint8_t *iv, uint8_t *data, size_t size)
{
    struct AVAES *aes = av_aes_alloc();
    uint8_t counter[16], block[16];
    memcpy(counter, iv, sizeof(counter));
    assert_int_equal(av_aes_init(aes, key, 128, 0), 0);
    for (size_t i = 0; i < size; i++) {
        if (i % 16 == 0) {
            counter[14] = (uint8_t)(i / 16 >> 8);
            counter[15] = (uint8_t)(i / 16);
            av_aes_crypt(aes, block, counter, 1, NULL, 0);
        }
        data[i] ^= block[i % 16];
    }
    av_free(aes);
}

static void derive(const uint8_t *master, uint8_t label, uint8_t *key, size_t size)
{
    uint8_t iv[16] = {0};
    memcpy(iv, master + 16, 14);
    iv[7] ^= label;
    memset(key, 0, size);
    add_stream(master, iv, key, size);
}

static struct session make_session(const uint8_t *master, bool reports)
{
    struct session s;
    uint8_t first = reports ? 3 : 0;
    derive(master, first, s.key, sizeof(s.key));
    derive(master, first + 1, s.sign, sizeof(s.sign));
    derive(master, first + 2, s.salt, sizeof(s.salt));
    return s;
}

// Encrypts and decrypts.
static void crypt(const struct session *s, const uint8_t *ssrc, uint64_t index, uint8_t *data,
                  size_t size)
{
    uint8_t iv[16] = {0};
    memcpy(iv, s->salt, sizeof(s->salt));
    for (int i = 0; i < 4; i++)
        iv[4 + i] ^= ssrc[i];
    for (int i = 0; i < 6; i++)
        iv[8 + i] ^= (uint8_t)(index >> (40 - 8 * i));
    add_stream(s->key, iv, data, size);
}

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// tail: what is signed but not sent.
static void sign(const struct session *s, const uint8_t *data, size_t size, const void *tail,
                 size_t tail_size, uint8_t *mac)
{
    AVHMAC *hmac = av_hmac_alloc(AV_HMAC_SHA1);
    av_hmac_init(hmac, s->sign, sizeof(s->sign));
    av_hmac_update(hmac, data, (unsigned)size);
    av_hmac_update(hmac, tail, (unsigned)tail_size);
    assert_int_equal(av_hmac_final(hmac, mac, 20), 20);
    av_hmac_free(hmac);
}

static size_t head_of(const uint8_t *packet)
{
    return packet[0] & 0x10 ? HEAD + 4 + 4 * (size_t)(packet[14] << 8 | packet[15]) : HEAD;
}

// rollover: how often the sequence number has wrapped.
static void open_packet(const struct session *s, uint8_t *packet, size_t *size, size_t tag,
                        uint32_t rollover)
{
    uint8_t mac[20], tail[4];
    size_t head = head_of(packet);
    assert_true(*size >= head + tag);
    *size -= tag;
    put32(tail, rollover);
    sign(s, packet, *size, tail, sizeof(tail), mac);
    assert_memory_equal(packet + *size, mac, tag);
    crypt(s, packet + 8, (uint64_t)rollover << 16 | packet[2] << 8 | packet[3], packet + head,
          *size - head);
}

// Returns its index.
static uint32_t open_report(const struct session *s, uint8_t *report, size_t *size)
{
    uint8_t mac[20];
    assert_true(*size >= REPORT_HEAD + INDEX + TAG);
    *size -= TAG;
    sign(s, report, *size, "", 0, mac);
    assert_memory_equal(report + *size, mac, TAG);
    *size -= INDEX;
    uint32_t index = get32(report + *size);
    assert_true(index >> 31); // it is encrypted
    index &= INT32_MAX;
    crypt(s, report + 4, index, report + REPORT_HEAD, *size - REPORT_HEAD);
    return index;
}

static void close_report(const struct session *s, uint8_t *report, size_t *size, uint32_t index)
{
    uint8_t mac[20];
    crypt(s, report + 4, index, report + REPORT_HEAD, *size - REPORT_HEAD);
    put32(report + *size, index | UINT32_C(1) << 31);
    *size += INDEX;
    sign(s, report, *size, "", 0, mac);
    memcpy(report + *size, mac, TAG);
    *size += TAG;
}

// RFC 3711, B.2 and B.3.
static void test_the_reference(void **state)
{
    (void)state;
    static const char master[] = "\xe1\xf9\x7a\x0d\x3e\x01\x8b\xe0\xd6\x4f\xa3\x2c\x06\xde\x41"
                                 "\x39\x0e\xc6\x75\xad\x49\x8a\xfe\xeb\xb6\x96\x0b\x3a\xab\xe6";
    struct session s = make_session((const uint8_t *)master, false);
    assert_memory_equal(s.key,
                        "\xc6\x1e\x7a\x93\x74\x4f\x39\xee\x10\x73\x4a\xfe\x3f\xf7\xa0\x87", 16);
    assert_memory_equal(s.salt, "\x30\xcb\xbc\x08\x86\x3d\x8c\x85\xd4\x9d\xb3\x4a\x9a\xe1", 14);
    assert_memory_equal(s.sign,
                        "\xce\xbe\x32\x1f\x6f\xf7\x71\x6b\x6f\xd4\xab\x49\xaf\x25\x6a\x15\x6d"
                        "\x38\xba\xa4",
                        20);
    uint8_t stream[32] = {0};
    add_stream(
        (const uint8_t *)"\x2b\x7e\x15\x16\x28\xae\xd2\xa6\xab\xf7\x15\x88\x09\xcf\x4f\x3c",
        (const uint8_t *)"\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\0\0", stream,
        sizeof(stream));
    assert_memory_equal(stream,
                        "\xe0\x3e\xad\x09\x35\xc9\x5e\x80\xe1\x66\xb1\x6d\xd9\x2b\x4e\xb4\xd2"
                        "\x35\x13\x16\x2b\x02\xd0\xf7\x2a\x43\xa2\xfe\x4a\x5f\x97\xab",
                        32);
}

// --- two sides ----------------------------------------------------------------------------------

static void fill(uint8_t *data, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        data[i] = (uint8_t)(seed >> 24);
    }
}

static struct sc_srtp_keys make_keys(uint32_t seed, bool short_tag)
{
    struct sc_srtp_keys keys = {.short_tag = short_tag};
    fill(keys.out, sizeof(keys.out), seed);
    fill(keys.in, sizeof(keys.in), seed + 1);
    return keys;
}

static struct sc_srtp_keys cross(const struct sc_srtp_keys *keys)
{
    struct sc_srtp_keys crossed = {.short_tag = keys->short_tag};
    memcpy(crossed.out, keys->in, sizeof(crossed.out));
    memcpy(crossed.in, keys->out, sizeof(crossed.in));
    return crossed;
}

static sc_srtp *open_side(const struct sc_srtp_keys *keys)
{
    sc_srtp *srtp;
    sc_err err = {0};
    assert_int_equal(sc_srtp_open(&srtp, keys, &err), SC_OK);
    return srtp;
}

// With one word of extensions, as what is sent has.
static size_t make_packet(uint8_t *packet, uint16_t seq, uint32_t ssrc, size_t payload)
{
    memcpy(packet, "\x90\x60\0\0\0\0\x12\x34\0\0\0\0\xbe\xde\0\1\x31\0\7\0", 20);
    packet[2] = (uint8_t)(seq >> 8);
    packet[3] = (uint8_t)seq;
    put32(packet + 8, ssrc);
    fill(packet + 20, payload, seq);
    return 20 + payload;
}

static size_t make_report(uint8_t *report, uint32_t ssrc, size_t words)
{
    memcpy(report, "\x80\xc9\0\0", 4);
    report[3] = (uint8_t)(words + 1);
    put32(report + 4, ssrc);
    fill(report + REPORT_HEAD, 4 * words, ssrc);
    return REPORT_HEAD + 4 * words;
}

static void check_packet(sc_srtp *srtp, const struct session *session, uint16_t seq,
                         uint32_t ssrc, uint32_t rollover, size_t payload, size_t tag)
{
    uint8_t packet[MOST], plain[MOST];
    size_t size = make_packet(packet, seq, ssrc, payload), before = size;
    memcpy(plain, packet, size);
    assert_true(sc_srtp_protect(srtp, packet, &size));
    assert_int_equal(size, before + tag);
    assert_memory_equal(packet, plain, 20); // so that it can be read on its way
    if (payload >= 16)
        assert_memory_not_equal(packet + 20, plain + 20, payload);
    open_packet(session, packet, &size, tag, rollover);
    assert_int_equal(size, before);
    assert_memory_equal(packet, plain, size);
}

static void test_packets(void **state)
{
    (void)state;
    for (int short_tag = 0; short_tag < 2; short_tag++) {
        struct sc_srtp_keys keys = make_keys(1, short_tag);
        struct session session = make_session(keys.out, false);
        sc_srtp *srtp = open_side(&keys);
        size_t tag = short_tag ? SHORT_TAG : TAG;
        assert_true(tag <= SC_SRTP_EXTRA);
        uint16_t seq = 77;
        for (size_t payload = 0; payload <= 1200; payload += 1 + payload / 7, seq++)
            for (uint32_t ssrc = 0xfffffffe; ssrc != 2; ssrc++) // streams in between each other
                check_packet(srtp, &session, seq, ssrc, 0, payload, tag);
        sc_srtp_close(&srtp);
    }
}

// A stream of weeks: the number of its packets has 16 bits on the wire, and counts on in the cipher.
static void test_numbers_wrap(void **state)
{
    (void)state;
    struct sc_srtp_keys keys = make_keys(3, false);
    struct session session = make_session(keys.out, false);
    sc_srtp *srtp = open_side(&keys);
    uint8_t packet[100];
    for (uint32_t n = 32000; n < 3 * 65536 + 10; n++) {
        bool near = (n + 20) % 65536 < 40;
        if (near || n % 101 == 0) {
            check_packet(srtp, &session, (uint16_t)n, 5, n >> 16, 40, TAG);
            continue;
        }
        size_t size = make_packet(packet, (uint16_t)n, 5, 4);
        assert_true(sc_srtp_protect(srtp, packet, &size));
    }
    sc_srtp_close(&srtp);
}

static void test_reports_by_the_reference(void **state)
{
    (void)state;
    for (int short_tag = 0; short_tag < 2; short_tag++) {
        struct sc_srtp_keys keys = make_keys(5, short_tag);
        struct session out = make_session(keys.out, true), in = make_session(keys.in, true);
        sc_srtp *srtp = open_side(&keys);
        uint32_t last = 0;
        for (size_t words = 0; words < 60; words++) {
            uint8_t report[MOST], plain[MOST];
            size_t size = make_report(report, 9, words), before = size;
            memcpy(plain, report, size);
            assert_true(sc_srtp_protect_report(srtp, report, &size));
            assert_int_equal(size, before + INDEX + TAG); // reports have no short tags
            assert_true(size - before <= SC_SRTP_EXTRA);
            uint32_t index = open_report(&out, report, &size);
            assert_true(words == 0 || index == last + 1);
            assert_memory_equal(report, plain, before);
            last = index;
            close_report(&in, report, &size, (uint32_t)words + 1000);
            assert_true(sc_srtp_open_report(srtp, report, &size));
            assert_int_equal(size, before);
            assert_memory_equal(report, plain, before);
        }
        sc_srtp_close(&srtp);
    }
}

// --- what is refused ----------------------------------------------------------------------------

// In memory of that size, so that a read behind it is found. The report stays as it is.
static bool takes(sc_srtp *srtp, const uint8_t *report, size_t size)
{
    uint8_t *exact = malloc(size + !size);
    memcpy(exact, report, size);
    bool taken = sc_srtp_open_report(srtp, exact, &size);
    free(exact);
    return taken;
}

struct two_sides {
    sc_srtp *ours, *theirs;
    uint8_t report[MOST]; // of theirs
    size_t size;
};

static void open_two(struct two_sides *two)
{
    struct sc_srtp_keys keys = make_keys(7, false), crossed = cross(&keys);
    two->ours = open_side(&keys);
    two->theirs = open_side(&crossed);
    two->size = make_report(two->report, 9, 12);
    assert_true(sc_srtp_protect_report(two->theirs, two->report, &two->size));
}

static void close_two(struct two_sides *two)
{
    sc_srtp_close(&two->ours);
    sc_srtp_close(&two->theirs);
    assert_null(two->ours);
    sc_srtp_close(&two->ours);
    sc_srtp_close(NULL);
}

static void test_changed_reports_are_refused(void **state)
{
    (void)state;
    struct two_sides two;
    open_two(&two);
    for (size_t bit = 0; bit < 8 * two.size; bit++) {
        two.report[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(takes(two.ours, two.report, two.size));
        two.report[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size < two.size; size++)
        assert_false(takes(two.ours, two.report, size));
    assert_true(takes(two.ours, two.report, two.size)); // none of that counted
    close_two(&two);
}

static void test_reports_come_once(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    uint8_t reports[COUNT][MOST];
    size_t sizes[COUNT];
    struct two_sides two;
    open_two(&two);
    for (int i = 0; i < COUNT; i++) {
        sizes[i] = make_report(reports[i], 9, 5);
        assert_true(sc_srtp_protect_report(two.theirs, reports[i], &sizes[i]));
    }
    for (int i = 0; i < COUNT; i++) { // in any order
        int next = i * 3 % COUNT;
        assert_true(takes(two.ours, reports[next], sizes[next]));
    }
    for (int i = 0; i < COUNT; i++)
        assert_false(takes(two.ours, reports[i], sizes[i]));
    assert_true(takes(two.ours, two.report, two.size));
    assert_false(takes(two.ours, two.report, two.size));
    close_two(&two);
}

static void test_wrong_keys_are_refused(void **state)
{
    (void)state;
    struct two_sides two;
    open_two(&two);
    assert_false(takes(two.theirs, two.report, two.size)); // one's own, sent back
    struct sc_srtp_keys keys = make_keys(7, false);
    for (size_t byte = 0; byte < SC_SRTP_KEY; byte++) {
        struct sc_srtp_keys wrong = keys;
        wrong.in[byte] ^= 1;
        sc_srtp *srtp = open_side(&wrong);
        assert_false(takes(srtp, two.report, two.size));
        sc_srtp_close(&srtp);
    }
    assert_true(takes(two.ours, two.report, two.size));
    close_two(&two);
}

static void test_what_is_none_is_not_sent(void **state)
{
    (void)state;
    struct two_sides two;
    open_two(&two);
    for (size_t size = 0; size < HEAD; size++) {
        uint8_t packet[MOST] = {0x80, 0x60};
        size_t now = size;
        assert_false(sc_srtp_protect(two.ours, packet, &now));
        assert_int_equal(now, size);
    }
    size_t size = ((size_t)1 << 32) + 60; // 60 to who counts in 32 bits
    assert_false(sc_srtp_protect(two.ours, two.report, &size));
    assert_false(sc_srtp_protect_report(two.ours, two.report, &size));
    assert_false(sc_srtp_open_report(two.ours, two.report, &size));
    // The same number twice would tell what both packets are.
    uint8_t packet[MOST];
    for (int i = 0; i < 2; i++) {
        size = make_packet(packet, 100, 1, 50);
        assert_int_equal(sc_srtp_protect(two.ours, packet, &size), i == 0);
    }
    close_two(&two);
}

// Who reports by ever new names is not remembered by all of them.
static void test_reporters_are_few(void **state)
{
    (void)state;
    int taken = 0;
    uint8_t report[MOST];
    struct two_sides two;
    open_two(&two);
    struct sc_srtp_keys keys = make_keys(7, false);
    struct session theirs = make_session(keys.in, true);
    for (uint32_t ssrc = 100; ssrc < 200; ssrc++) {
        size_t size = make_report(report, ssrc, 5);
        close_report(&theirs, report, &size, 1);
        report[size - 1] ^= 1;
        assert_false(takes(two.ours, report, size)); // that says nothing of its name
    }
    for (uint32_t index = 1; index < 3; index++) {
        for (uint32_t ssrc = 1; ssrc <= 100; ssrc++) {
            size_t size = make_report(report, ssrc, 5);
            close_report(&theirs, report, &size, index);
            taken += takes(two.ours, report, size);
        }
        assert_int_equal(taken, 16 * index);
    }
    close_two(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reference),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_numbers_wrap),
        cmocka_unit_test(test_reports_by_the_reference),
        cmocka_unit_test(test_changed_reports_are_refused),
        cmocka_unit_test(test_reports_come_once),
        cmocka_unit_test(test_wrong_keys_are_refused),
        cmocka_unit_test(test_what_is_none_is_not_sent),
        cmocka_unit_test(test_reporters_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
