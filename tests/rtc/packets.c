#include "rtc/packets.h"

#include <gst/rtp/gstrtpbuffer.h>
#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/mem.h"

enum { MOST = 512, HEADER = 12 };

struct heap {
    int count;
    uint8_t data[MOST][SC_RTP_PACKET_MAX + 1];
    size_t size[MOST];
};

static void keep(void *arg, const uint8_t *packet, size_t size)
{
    struct heap *heap = arg;
    assert_true(size <= SC_RTP_PACKET_MAX);
    assert_true(heap->count < MOST);
    memcpy(heap->data[heap->count], packet, size);
    heap->size[heap->count++] = size;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static size_t head_of(const uint8_t *packet)
{
    return packet[0] & 0x10 ? HEADER + 4 + 4 * get16(packet + HEADER + 2) : HEADER;
}

// Puts an access unit together again, with start codes of four bytes.
struct unit {
    uint8_t data[1 << 20];
    size_t size;
};

static void add(struct unit *unit, const void *data, size_t size)
{
    memcpy(unit->data + unit->size, data, size);
    unit->size += size;
}

static void begin_nal(struct unit *unit)
{
    add(unit, "\0\0\0\1", 4);
}

static void join_packet(struct unit *unit, const uint8_t *at, size_t size)
{
    unsigned type = at[0] & 0x1f;
    if (type == 28) {
        uint8_t first = (uint8_t)((at[0] & 0xe0) | (at[1] & 0x1f));
        if (at[1] & 0x80) {
            begin_nal(unit);
            add(unit, &first, 1);
        }
        add(unit, at + 2, size - 2);
    } else if (type == 24) {
        for (size_t k = 1; k < size;) {
            size_t length = get16(at + k);
            assert_true(length > 0 && k + 2 + length <= size);
            begin_nal(unit);
            add(unit, at + k + 2, length);
            k += 2 + length;
        }
    } else {
        begin_nal(unit);
        add(unit, at, size);
    }
}

static void join(struct unit *unit, const struct heap *heap)
{
    unit->size = 0;
    for (int i = 0; i < heap->count; i++) {
        size_t head = head_of(heap->data[i]);
        join_packet(unit, heap->data[i] + head, heap->size[i] - head);
    }
}

// A NAL unit of the given size, which never looks like a start code.
static void add_nal(struct unit *unit, unsigned first, size_t size)
{
    begin_nal(unit);
    for (size_t i = 0; i < size; i++)
        unit->data[unit->size++] = (uint8_t)(i == 0 ? first : 1 + (i * 7 + size) % 250);
}

static const struct sc_rtp_params h264 = {.codec = SC_RTC_H264,
                                          .payload = 102,
                                          .ssrc = 0xcafe1234,
                                          .twcc_id = 3,
                                          .playout_id = 5,
                                          .playout_min_ms = 10,
                                          .playout_max_ms = 400};

static void check_headers(const struct heap *heap, unsigned seq, uint32_t timestamp)
{
    for (int i = 0; i < heap->count; i++) {
        const uint8_t *p = heap->data[i];
        assert_int_equal(p[0], 0x90);
        assert_int_equal(p[1], 102 | (i + 1 == heap->count ? 0x80 : 0));
        assert_int_equal(get16(p + 2), (seq + (unsigned)i) & 0xffff);
        assert_int_equal(get32(p + 4), timestamp);
        assert_int_equal(get32(p + 8), 0xcafe1234);
        // One-byte extensions in two words: transport-wide number, playout delay 1 and 40 times 10 ms.
        assert_memory_equal(p + HEADER, "\xbe\xde\0\2\x31\0\0\x52\0\x10\x28\0", 12);
    }
}

static void test_whole_access_units(void **state)
{
    (void)state;
    static struct heap heap;
    static struct unit unit, joined;
    struct sc_rtp_cutter cutter;
    sc_rtp_cutter_init(&cutter, &h264);
    cutter.seq = 65530; // wraps on the way
    unsigned seq = cutter.seq;
    for (size_t size = 1; size < 4000; size += 1 + size / 9) {
        heap.count = 0;
        unit.size = 0;
        add_nal(&unit, 0x67, 20);
        add_nal(&unit, 0x68, 4);
        add_nal(&unit, 0x65, size);
        int count = sc_rtp_cut(&cutter, unit.data, unit.size, 4000000000u + (uint32_t)size,
                               keep, &heap);
        assert_int_equal(count, heap.count);
        check_headers(&heap, seq, 4000000000u + (uint32_t)size);
        seq += (unsigned)count;
        join(&joined, &heap);
        assert_int_equal(joined.size, unit.size);
        assert_memory_equal(joined.data, unit.data, unit.size);
    }
}

static void test_sizes_around_the_limit(void **state)
{
    (void)state;
    static struct heap heap;
    static struct unit unit, joined;
    struct sc_rtp_cutter cutter;
    sc_rtp_cutter_init(&cutter, &h264);
    const size_t room = SC_RTP_PACKET_MAX - HEADER - 12;
    for (size_t size = room - 8; size < room + 8; size++) {
        heap.count = 0;
        unit.size = 0;
        add_nal(&unit, 0x41, size);
        sc_rtp_cut(&cutter, unit.data, unit.size, 1, keep, &heap);
        join(&joined, &heap);
        assert_memory_equal(joined.data, unit.data, unit.size);
        assert_int_equal(joined.size, unit.size);
        assert_int_equal(heap.count, size <= room ? 1 : 2);
    }
    // Fragments are of equal size, give or take the last.
    heap.count = 0;
    unit.size = 0;
    add_nal(&unit, 0x41, 10 * room);
    sc_rtp_cut(&cutter, unit.data, unit.size, 1, keep, &heap);
    for (int i = 0; i + 1 < heap.count; i++)
        assert_int_equal(heap.size[i], heap.size[0]);
    assert_true(heap.size[heap.count - 1] + 16 > heap.size[0]);
}

static void test_leaves_out_what_is_no_use(void **state)
{
    (void)state;
    static struct heap heap;
    static struct unit unit;
    struct sc_rtp_cutter cutter;
    sc_rtp_cutter_init(&cutter, &h264);
    add_nal(&unit, 0x09, 2);
    add_nal(&unit, 0x41, 100);
    add_nal(&unit, 0x0c, 50);
    assert_int_equal(sc_rtp_cut(&cutter, unit.data, unit.size, 1, keep, &heap), 1);
    assert_int_equal(heap.size[0], HEADER + 12 + 100);
    assert_int_equal(heap.data[0][HEADER + 12], 0x41);
    assert_int_equal(heap.data[0][1], 102 | 0x80);
    // Nothing, no start code, start codes only.
    assert_int_equal(sc_rtp_cut(&cutter, unit.data, 0, 1, keep, &heap), 0);
    assert_int_equal(sc_rtp_cut(&cutter, (const uint8_t *)"abc", 3, 1, keep, &heap), 0);
    assert_int_equal(sc_rtp_cut(&cutter, (const uint8_t *)"\0\0\1\0\0\1", 6, 1, keep, &heap),
                     0);
    assert_int_equal(cutter.seq, 1);
}

static void test_any_bytes(void **state)
{
    (void)state;
    static struct heap heap;
    uint8_t data[3000];
    uint32_t random = 1;
    for (int round = 0; round < 3000; round++) {
        size_t size = (size_t)round;
        for (size_t i = 0; i < size; i++) {
            random = random * 1664525 + 1013904223;
            data[i] = (uint8_t)(random >> 24) % 3; // start codes everywhere
        }
        uint8_t *exact = malloc(size + 1);
        memcpy(exact, data, size);
        struct sc_rtp_cutter cutter;
        for (enum sc_rtc_codec codec = SC_RTC_H264; codec <= SC_RTC_OPUS; codec++) {
            heap.count = 0;
            sc_rtp_cutter_init(&cutter, &(struct sc_rtp_params){.codec = codec});
            int count = sc_rtp_cut(&cutter, exact, size, 1, keep, &heap);
            assert_int_equal(count, heap.count);
        }
        free(exact);
    }
}

static void test_vp8(void **state)
{
    (void)state;
    static struct heap heap;
    static uint8_t frame[5000], joined[5000];
    struct sc_rtp_cutter cutter;
    sc_rtp_cutter_init(&cutter, &(struct sc_rtp_params){.codec = SC_RTC_VP8, .payload = 97});
    cutter.picture = 0x7fff;
    for (size_t i = 0; i < sizeof(frame); i++)
        frame[i] = (uint8_t)(i * 31);
    for (int round = 0; round < 2; round++) {
        size_t size = 0;
        heap.count = 0;
        assert_int_equal(sc_rtp_cut(&cutter, frame, sizeof(frame), 9, keep, &heap), 5);
        for (int i = 0; i < heap.count; i++) {
            const uint8_t *p = heap.data[i] + HEADER;
            assert_int_equal(heap.data[i][0], 0x80); // no extensions: none offered
            assert_int_equal(p[0], i == 0 ? 0x90 : 0x80);
            assert_int_equal(p[1], 0x80);
            assert_int_equal(get16(p + 2), round == 0 ? 0xffff : 0x8000); // wraps
            memcpy(joined + size, p + 4, heap.size[i] - HEADER - 4);
            size += heap.size[i] - HEADER - 4;
        }
        assert_int_equal(size, sizeof(frame));
        assert_memory_equal(joined, frame, size);
    }
}

static void test_opus(void **state)
{
    (void)state;
    static struct heap heap;
    uint8_t sound[2000] = {1, 2, 3};
    struct sc_rtp_cutter cutter;
    sc_rtp_cutter_init(&cutter, &(struct sc_rtp_params){.codec = SC_RTC_OPUS, .payload = 111});
    assert_int_equal(sc_rtp_cut(&cutter, sound, 160, 960, keep, &heap), 1);
    assert_int_equal(heap.size[0], HEADER + 160);
    assert_memory_equal(heap.data[0] + HEADER, sound, 160);
    assert_int_equal(sc_rtp_cut(&cutter, sound, sizeof(sound), 960, keep, &heap), 0);
}

static void test_playout_delay_is_bounded(void **state)
{
    (void)state;
    struct sc_rtp_params params = {.codec = SC_RTC_H264,
                                   .playout_id = 14,
                                   .playout_min_ms = -5,
                                   .playout_max_ms = 1000000};
    struct sc_rtp_cutter cutter;
    sc_rtp_cutter_init(&cutter, &params);
    assert_int_equal(cutter.extension_size, 8);
    assert_memory_equal(cutter.extension, "\xbe\xde\0\1\xe2\0\x0f\xff", 8);
    params.playout_id = 15; // reserved in one-byte headers
    sc_rtp_cutter_init(&cutter, &params);
    assert_int_equal(cutter.extension_size, 0);
}

// --- numbers and repetitions, as GStreamer reads them -------------------------------------------

static void open_rtp(GstRTPBuffer *rtp, const uint8_t *packet, size_t size)
{
    *rtp = (GstRTPBuffer)GST_RTP_BUFFER_INIT;
    GstBuffer *buffer = gst_buffer_new_memdup(packet, size);
    assert_true(gst_rtp_buffer_map(buffer, GST_MAP_READ, rtp));
}

static void close_rtp(GstRTPBuffer *rtp)
{
    GstBuffer *buffer = rtp->buffer;
    gst_rtp_buffer_unmap(rtp);
    gst_buffer_unref(buffer);
}

// number < 0: there is none.
static void check_extensions(GstRTPBuffer *rtp, const struct sc_rtp_params *params, int number)
{
    gpointer data;
    guint size;
    guint8 twcc = (guint8)(params->twcc_id ? params->twcc_id : 13),
           playout = (guint8)(params->playout_id ? params->playout_id : 13);
    bool has = gst_rtp_buffer_get_extension_onebyte_header(rtp, twcc, 0, &data, &size);
    assert_int_equal(has, number >= 0);
    if (has) {
        assert_int_equal(size, 2);
        assert_int_equal(get16(data), number);
    }
    has = gst_rtp_buffer_get_extension_onebyte_header(rtp, playout, 0, &data, &size);
    assert_int_equal(has, params->playout_id != 0);
    if (has) {
        assert_int_equal(size, 3);
        assert_memory_equal(data, "\0\x10\x28", 3);
    }
    assert_int_equal(gst_rtp_buffer_get_extension(rtp), number >= 0 || params->playout_id);
}

// Sent for the first time, and again.
static void check_repetition(const struct sc_rtp_cutter *cutter, uint8_t *packet, size_t size,
                             struct sc_rtp_rtx *rtx)
{
    const struct sc_rtp_params *params = &cutter->params;
    uint16_t number = (uint16_t)(40000 + 7 * rtx->seq), seq = rtx->seq;
    uint8_t *again = malloc(size + SC_RTP_RTX_EXTRA);
    GstRTPBuffer first, second;
    sc_rtp_number(cutter, packet, number);
    assert_int_equal(sc_rtp_repeat(cutter, again, packet, size, rtx), size + SC_RTP_RTX_EXTRA);
    sc_rtp_number(cutter, again, (uint16_t)(number + 1));
    open_rtp(&first, packet, size);
    open_rtp(&second, again, size + SC_RTP_RTX_EXTRA);
    check_extensions(&first, params, params->twcc_id ? number : -1);
    check_extensions(&second, params, params->twcc_id ? (uint16_t)(number + 1) : -1);
    assert_int_equal(sc_rtp_seq(packet), gst_rtp_buffer_get_seq(&first));
    assert_int_equal(gst_rtp_buffer_get_header_len(&first), sc_rtp_overhead(cutter));
    assert_int_equal(gst_rtp_buffer_get_ssrc(&first), params->ssrc);
    assert_int_equal(gst_rtp_buffer_get_payload_type(&first), params->payload);
    assert_int_equal(gst_rtp_buffer_get_ssrc(&second), rtx->ssrc);
    assert_int_equal(gst_rtp_buffer_get_payload_type(&second), rtx->payload);
    assert_int_equal(gst_rtp_buffer_get_seq(&second), seq);
    assert_int_equal(rtx->seq, (uint16_t)(seq + 1));
    assert_int_equal(gst_rtp_buffer_get_marker(&second), gst_rtp_buffer_get_marker(&first));
    assert_int_equal(gst_rtp_buffer_get_timestamp(&second),
                     gst_rtp_buffer_get_timestamp(&first));
    guint payload = gst_rtp_buffer_get_payload_len(&first);
    const uint8_t *bytes = gst_rtp_buffer_get_payload(&second);
    assert_int_equal(gst_rtp_buffer_get_payload_len(&second), payload + 2);
    assert_int_equal(get16(bytes), gst_rtp_buffer_get_seq(&first));
    assert_memory_equal(bytes + 2, gst_rtp_buffer_get_payload(&first), payload);
    close_rtp(&first);
    close_rtp(&second);
    free(again);
}

static void test_numbers_and_repetitions(void **state)
{
    (void)state;
    static const int ids[][2] = {{0, 0}, {3, 0}, {0, 5}, {3, 5}, {14, 1}};
    static struct heap heap;
    static struct unit unit;
    add_nal(&unit, 0x67, 20);
    add_nal(&unit, 0x65, 3000);
    for (enum sc_rtc_codec codec = SC_RTC_H264; codec <= SC_RTC_OPUS; codec++)
        for (size_t i = 0; i < SC_COUNT(ids); i++) {
            struct sc_rtp_params params = h264;
            struct sc_rtp_cutter cutter;
            struct sc_rtp_rtx rtx = {.payload = 127, .ssrc = 0xfedcba98, .seq = 65534};
            params.codec = codec;
            params.twcc_id = ids[i][0];
            params.playout_id = ids[i][1];
            sc_rtp_cutter_init(&cutter, &params);
            cutter.seq = 65535;
            heap.count = 0;
            int count = sc_rtp_cut(&cutter, unit.data, codec == SC_RTC_OPUS ? 160 : unit.size,
                                   4000000001u, keep, &heap);
            assert_true(codec == SC_RTC_OPUS ? count == 1 : count >= 3);
            for (int k = 0; k < count; k++)
                check_repetition(&cutter, heap.data[k], heap.size[k], &rtx);
        }
}

// A full packet that is sent again is larger than one is otherwise: there must be room for it.
static void test_the_largest_repetition(void **state)
{
    (void)state;
    static struct heap heap;
    static struct unit unit;
    struct sc_rtp_cutter cutter;
    struct sc_rtp_rtx rtx = {.payload = 97, .ssrc = 1};
    sc_rtp_cutter_init(&cutter, &h264);
    add_nal(&unit, 0x41, SC_RTP_PACKET_MAX - sc_rtp_overhead(&cutter));
    assert_int_equal(sc_rtp_cut(&cutter, unit.data, unit.size, 1, keep, &heap), 1);
    assert_int_equal(heap.size[0], SC_RTP_PACKET_MAX);
    check_repetition(&cutter, heap.data[0], heap.size[0], &rtx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_access_units),
        cmocka_unit_test(test_sizes_around_the_limit),
        cmocka_unit_test(test_leaves_out_what_is_no_use),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_vp8),
        cmocka_unit_test(test_opus),
        cmocka_unit_test(test_playout_delay_is_bounded),
        cmocka_unit_test(test_numbers_and_repetitions),
        cmocka_unit_test(test_the_largest_repetition),
    };
    setenv("GST_REGISTRY_DISABLE", "yes", 1); // only its library is of use here
    setenv("GST_PLUGIN_SYSTEM_PATH_1_0", "", 1);
    gst_init(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
