// Packet headers: what each codec's random access, reference and field marks are taken for, and
// that no bytes whatever lead outside the packet.
#include "media/bitstream.h"

#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "bit_writer.h"
#include "media/bits.h"

// --- writing headers ----------------------------------------------------------------------------

static void start(struct writer *w)
{
    w->bits = (w->bits + 7) & ~7;
    put(w, 1, 24);
}

static void put_h264_sets(struct writer *w, bool interlaced)
{
    start(w);
    put(w, 0x67, 8);
    put(w, 66, 8);
    put(w, 30, 16);
    put_ue(w, 0); // id
    put_ue(w, 0); // frame_num in 4 bits
    put_ue(w, 2); // order type
    put_ue(w, 4);
    put(w, 0, 1);
    put_ue(w, 19);
    put_ue(w, 14);
    put(w, !interlaced, 1);
    put(w, 0x80, 8);
    start(w);
    put(w, 0x68, 8);
    put_ue(w, 0);
    put_ue(w, 0);
    put(w, 0x80, 8);
}

// field: -1 where the sequence has frames only, else 0 frame, 1 top, 2 bottom.
static void put_h264_slice(struct writer *w, int type, int ref_idc, int frame_num, int field)
{
    start(w);
    put(w, (uint32_t)(ref_idc << 5 | type), 8);
    put_ue(w, 0);
    put_ue(w, type == 5 ? 7 : 5);
    put_ue(w, 0);
    put(w, (uint32_t)frame_num, 4);
    if (field >= 0)
        put(w, field > 0, 1);
    if (field > 0)
        put(w, field == 2, 1);
    put(w, 0xa5a5a5, 24);
}

static sc_bitstream *open_codec(enum AVCodecID id)
{
    AVCodecParameters par = {.codec_type = AVMEDIA_TYPE_VIDEO, .codec_id = id};
    return sc_bitstream_open(&par);
}

static struct sc_au inspect(sc_bitstream *bs, const void *data, int size)
{
    struct sc_au au;
    uint8_t *exact = malloc(size ? (size_t)size : 1); // so that overreads show
    memcpy(exact, data, (size_t)size);
    sc_bitstream_inspect(bs, exact, size, &au);
    free(exact);
    return au;
}

// --- bits -----------------------------------------------------------------------------------------

static void exp_golomb(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 2, 3, 7, 8, 254, 255, 65535, 0x7ffffffe};
    struct writer w = {.bits = 0};
    sc_bits b;
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        put_ue(&w, values[i]);
    sc_bits_init(&b, w.data, bytes(&w));
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        assert_int_equal(sc_bits_ue(&b), values[i]);
    assert_false(sc_bits_overrun(&b));
    w = (struct writer){.bits = 0};
    for (uint32_t k = 0; k < 5; k++)
        put_ue(&w, k);
    sc_bits_init(&b, w.data, bytes(&w));
    static const int32_t is_signed[] = {0, 1, -1, 2, -2};
    for (int k = 0; k < 5; k++)
        assert_int_equal(sc_bits_se(&b), is_signed[k]);
}

static void emulation_prevention(void **state)
{
    (void)state;
    static const uint8_t data[] = {0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 0, 3};
    static const uint8_t plain[] = {0, 0, 1, 0, 0, 0, 0, 3, 0, 3};
    sc_bits b;
    sc_bits_init_escaped(&b, data, sizeof(data));
    assert_int_equal(sc_bits_left(&b), 8 * sizeof(plain));
    for (size_t i = 0; i < sizeof(plain); i++)
        assert_int_equal(sc_bits_get(&b, 8), plain[i]);
    sc_bits_init(&b, data, sizeof(data));
    assert_int_equal(sc_bits_left(&b), 8 * sizeof(data));
}

static void reading_past_the_end(void **state)
{
    (void)state;
    static const uint8_t data[] = {0xff};
    static const uint8_t zeros[8] = {0};
    sc_bits b;
    sc_bits_init(&b, data, 1);
    assert_int_equal(sc_bits_get(&b, 12), 0xff0);
    assert_true(sc_bits_overrun(&b));
    assert_int_equal(sc_bits_get(&b, 32), 0);
    sc_bits_init(&b, data, 1);
    sc_bits_get(&b, 8);
    assert_false(sc_bits_overrun(&b));
    sc_bits_ue(&b); // nothing is left: that is no 0
    assert_true(sc_bits_overrun(&b));
    sc_bits_init(&b, zeros, 3); // a number that never begins
    sc_bits_ue(&b);
    assert_true(sc_bits_overrun(&b));
    sc_bits_init(&b, zeros, 8);
    assert_int_equal(sc_bits_ue(&b), UINT32_MAX);
    sc_bits_init(&b, NULL, -1);
    assert_int_equal(sc_bits_left(&b), 0);
    sc_bits_skip(&b, INT64_C(1) << 40);
    assert_int_equal(sc_bits_get(&b, 1), 0);
}

// --- H.264 ----------------------------------------------------------------------------------------

static void h264_references(void **state)
{
    (void)state;
    sc_bitstream *bs = open_codec(AV_CODEC_ID_H264);
    struct writer w = {.bits = 0};
    put_h264_sets(&w, false);
    put_h264_slice(&w, 5, 3, 0, -1);
    struct sc_au au = inspect(bs, w.data, bytes(&w));
    assert_int_equal(au.rap, SC_RAP_CLEAN);
    assert_false(au.broken || au.disposable || au.field);
    w = (struct writer){.bits = 0};
    put_h264_slice(&w, 1, 2, 5, -1);
    au = inspect(bs, w.data, bytes(&w));
    assert_int_equal(au.rap, SC_RAP_NONE);
    assert_int_equal(au.frame_num, 5);
    assert_false(au.broken || au.disposable);
    w = (struct writer){.bits = 0};
    put_h264_slice(&w, 1, 0, 6, -1);
    au = inspect(bs, w.data, bytes(&w));
    assert_true(au.disposable);
    assert_false(au.broken);
    sc_bitstream_close(&bs);
    assert_null(bs);
    sc_bitstream_close(&bs);
}

// A recovery point message, behind another message that is to be passed over.
static void put_sei(struct writer *w, uint32_t recovery_frames)
{
    start(w);
    put(w, 0x06, 8);
    put(w, 0x0502, 16); // user data of 2 bytes
    put(w, 0xffff, 16);
    put(w, 0x0601, 16);
    put_ue(w, recovery_frames);
    w->bits = (w->bits + 7) & ~7;
    put(w, 0x80, 8);
}

static void h264_recovery_points(void **state)
{
    (void)state;
    static const enum sc_rap expected[] = {SC_RAP_OPEN, SC_RAP_RECOVERY};
    for (int i = 0; i < 2; i++) {
        sc_bitstream *bs = open_codec(AV_CODEC_ID_H264);
        struct writer w = {.bits = 0};
        put_h264_sets(&w, false);
        put_sei(&w, i ? 9 : 0);
        put_h264_slice(&w, 1, 2, 0, -1);
        struct sc_au au = inspect(bs, w.data, bytes(&w));
        assert_int_equal(au.rap, expected[i]);
        assert_false(au.broken);
        sc_bitstream_close(&bs);
    }
}

static void h264_fields(void **state)
{
    (void)state;
    sc_bitstream *bs = open_codec(AV_CODEC_ID_H264);
    struct writer w = {.bits = 0};
    put_h264_sets(&w, true);
    put_h264_slice(&w, 5, 3, 7, 1);
    struct sc_au au = inspect(bs, w.data, bytes(&w));
    assert_int_equal(au.field, 1);
    assert_int_equal(au.frame_num, 7);
    w = (struct writer){.bits = 0};
    put_h264_slice(&w, 1, 3, 7, 2);
    au = inspect(bs, w.data, bytes(&w));
    assert_int_equal(au.field, 2);
    w = (struct writer){.bits = 0};
    put_h264_slice(&w, 1, 3, 8, 0);
    assert_int_equal(inspect(bs, w.data, bytes(&w)).field, 0);
    sc_bitstream_close(&bs);
}

static void h264_damage(void **state)
{
    (void)state;
    sc_bitstream *bs = open_codec(AV_CODEC_ID_H264);
    struct writer w = {.bits = 0};
    put_h264_slice(&w, 5, 3, 0, -1);
    assert_true(inspect(bs, w.data, bytes(&w)).broken); // no parameter sets
    assert_true(inspect(bs, "", 0).broken);
    assert_true(inspect(bs, "\0\0\1", 3).broken);
    w = (struct writer){.bits = 0};
    put_h264_sets(&w, false);
    assert_true(inspect(bs, w.data, bytes(&w)).broken); // no picture
    w = (struct writer){.bits = 0};
    put_h264_slice(&w, 5, 3, 0, -1);
    assert_false(inspect(bs, w.data, bytes(&w)).broken);
    w.data[3] |= 0x80; // forbidden_zero_bit
    assert_true(inspect(bs, w.data, bytes(&w)).broken);
    sc_bitstream_close(&bs);
}

// The NAL units of an Annex B writer as the array of an avcC, and behind lengths.
static void h264_with_lengths(void **state)
{
    (void)state;
    struct writer sets = {.bits = 0}, slice = {.bits = 0};
    put_h264_sets(&sets, false);
    put_h264_slice(&slice, 5, 3, 0, -1);
    const uint8_t *pps = memmem(sets.data + 3, sizeof(sets.data) - 3, "\0\0\1", 3);
    assert_non_null(pps);
    int sps_size = (int)(pps - sets.data) - 3, pps_size = bytes(&sets) - sps_size - 6;
    uint8_t avcc[128] = {1, 66, 0, 30, 0xff, 0xe1, 0, (uint8_t)sps_size};
    int size = 8;
    memcpy(avcc + size, sets.data + 3, (size_t)sps_size);
    size += sps_size;
    memcpy(avcc + size, (uint8_t[]){1, 0, (uint8_t)pps_size}, 3);
    memcpy(avcc + size + 3, pps + 3, (size_t)pps_size);
    size += 3 + pps_size;
    AVCodecParameters par = {
        .codec_id = AV_CODEC_ID_H264, .extradata = avcc, .extradata_size = size};
    sc_bitstream *bs = sc_bitstream_open(&par);
    int length = bytes(&slice) - 3;
    uint8_t au[128] = {0, 0, 0, (uint8_t)length};
    memcpy(au + 4, slice.data + 3, (size_t)length);
    struct sc_au seen = inspect(bs, au, 4 + length);
    assert_int_equal(seen.rap, SC_RAP_CLEAN);
    assert_false(seen.broken);
    for (int cut = 0; cut < 4 + length; cut++)
        assert_true(inspect(bs, au, cut).broken);
    au[3]++;
    assert_true(inspect(bs, au, 4 + length).broken);
    sc_bitstream_close(&bs);
}

// --- HEVC -----------------------------------------------------------------------------------------

static struct sc_au hevc(sc_bitstream *bs, int type, int layer)
{
    struct writer w = {.bits = 0};
    start(&w);
    put(&w, (uint32_t)(type << 9 | (layer + 1)), 16);
    put(&w, 1, 1);
    if (type >= 16)
        put(&w, 0, 1);
    put_ue(&w, 0);
    put(&w, 0xa5a5, 16);
    return inspect(bs, w.data, bytes(&w));
}

static void hevc_pictures(void **state)
{
    (void)state;
    sc_bitstream *bs = open_codec(AV_CODEC_ID_HEVC);
    assert_true(hevc(bs, 19, 0).broken); // no parameter set yet
    inspect(bs, "\0\0\1\x44\1\xc0\xa5", 7);
    struct sc_au au = hevc(bs, 19, 0);
    assert_int_equal(au.rap, SC_RAP_CLEAN);
    assert_false(au.broken || au.cra || au.rasl || au.bla || au.disposable);
    au = hevc(bs, 21, 0);
    assert_int_equal(au.rap, SC_RAP_OPEN);
    assert_true(au.cra && !au.bla);
    au = hevc(bs, 16, 0);
    assert_int_equal(au.rap, SC_RAP_OPEN);
    assert_true(au.bla && !au.cra);
    au = hevc(bs, 9, 0);
    assert_int_equal(au.rap, SC_RAP_NONE);
    assert_true(au.rasl && !au.disposable);
    au = hevc(bs, 8, 2);
    assert_true(au.rasl && au.disposable);
    assert_int_equal(au.layer, 2);
    au = hevc(bs, 0, 1);
    assert_true(au.disposable && !au.rasl);
    assert_false(hevc(bs, 1, 0).disposable);
    sc_bitstream_close(&bs);
}

// --- the others -----------------------------------------------------------------------------------

static void mpeg2_pictures(void **state)
{
    (void)state;
    sc_bitstream *bs = open_codec(AV_CODEC_ID_MPEG2VIDEO);
    struct sc_au au = inspect(bs, "\0\0\1\xb3zz\0\0\1\0\0\x08\0", 13);
    assert_int_equal(au.rap, SC_RAP_OPEN);
    assert_false(au.broken || au.disposable);
    au = inspect(bs, "\0\0\1\0\0\x10\0", 7);
    assert_int_equal(au.rap, SC_RAP_NONE);
    assert_false(au.broken || au.disposable);
    au = inspect(bs, "\0\0\1\0\0\x18\0", 7);
    assert_true(au.disposable && !au.broken);
    assert_true(inspect(bs, "\0\0\1\0\0\x20\0", 7).broken);
    assert_true(inspect(bs, "\0\0\1\0\0", 5).broken);
    sc_bitstream_close(&bs);
}

static void mpeg4_pictures(void **state)
{
    (void)state;
    sc_bitstream *bs = open_codec(AV_CODEC_ID_MPEG4);
    assert_int_equal(inspect(bs, "\0\0\1\xb6\x10zzzz", 9).rap, SC_RAP_OPEN);
    assert_int_equal(inspect(bs, "\0\0\1\xb6\x50zzzz", 9).rap, SC_RAP_NONE);
    assert_true(inspect(bs, "\0\0\1\xb6\x90zzzz", 9).disposable);
    struct sc_au au = inspect(bs, "\0\0\1\xb6\x50zzzz\0\0\1\xb6\x90zzzz", 18);
    assert_true(au.packed && !au.disposable);
    assert_true(inspect(bs, "zzzzzzzzz", 9).broken);
    assert_false(inspect(bs,
                         "\0\0\1\xb2"
                         "DivX503Build1393\0\0\1\xb6\x10zzzz",
                         29)
                     .packed);
    inspect(bs,
            "\0\0\1\xb2"
            "DivX503Build1393p\0\0\1\xb6\x10zzzz",
            30);
    assert_true(inspect(bs, "\0\0\1\xb6\x50zzzz", 9).packed);
    sc_bitstream_close(&bs);
}

static void vp8_and_vp9_pictures(void **state)
{
    (void)state;
    sc_bitstream *bs = open_codec(AV_CODEC_ID_VP8);
    struct sc_au au = inspect(bs, "\x10\0\0\x9d\1\x2a", 6);
    assert_true(au.rap == SC_RAP_CLEAN && !au.hidden && !au.broken);
    au = inspect(bs, "\x01\0\0\0", 4);
    assert_true(au.rap == SC_RAP_NONE && au.hidden);
    assert_true(inspect(bs, "\x10", 1).broken);
    sc_bitstream_close(&bs);
    bs = open_codec(AV_CODEC_ID_VP9);
    au = inspect(bs, "\x82zzz", 4);
    assert_true(au.rap == SC_RAP_CLEAN && !au.hidden && !au.broken);
    au = inspect(bs, "\x84zzz", 4);
    assert_true(au.rap == SC_RAP_NONE && au.hidden);
    au = inspect(bs, "\x84zz\xc1", 4); // the hidden frame of a superframe that shows another
    assert_false(au.hidden);
    au = inspect(bs, "\x88", 1); // shows a frame again
    assert_true(au.rap == SC_RAP_NONE && !au.hidden && !au.broken);
    assert_true(inspect(bs, "\x12zzz", 4).broken);
    sc_bitstream_close(&bs);
}

static void unknown_codecs(void **state)
{
    (void)state;
    sc_bitstream *bs = open_codec(AV_CODEC_ID_PRORES);
    struct sc_au au = inspect(bs, "zzzz", 4);
    assert_true(au.rap == SC_RAP_UNKNOWN && !au.broken && !au.hidden);
    assert_true(inspect(bs, "", 0).broken);
    sc_bitstream_close(&bs);
}

// --- hostile bytes --------------------------------------------------------------------------------

static const enum AVCodecID looked_into[] = {
    AV_CODEC_ID_H264,  AV_CODEC_ID_HEVC, AV_CODEC_ID_MPEG1VIDEO, AV_CODEC_ID_MPEG2VIDEO,
    AV_CODEC_ID_MPEG4, AV_CODEC_ID_VP8,  AV_CODEC_ID_VP9,        AV_CODEC_ID_PRORES,
};

// Random bytes with start codes strewn in, in a block as large as the data.
static uint8_t *hostile(unsigned *seed, int *size)
{
    *size = rand_r(seed) % 200;
    uint8_t *data = malloc(*size ? (size_t)*size : 1);
    for (int i = 0; i < *size; i++)
        data[i] = (uint8_t)(rand_r(seed) >> 5);
    for (int i = rand_r(seed) % 4; i > 0 && *size > 5; i--) {
        static const uint8_t units[] = {0x67, 0x68, 0x06, 0x65, 0x41,
                                        0x40, 0x44, 0x26, 0xb6, 0};
        int at = rand_r(seed) % (*size - 4);
        memcpy(data + at, "\0\0\1", 3);
        data[at + 3] = units[(size_t)rand_r(seed) % sizeof(units)];
    }
    return data;
}

static void no_bytes_lead_outside(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 4000; round++) {
        int extra, size;
        uint8_t *extradata = hostile(&seed, &extra);
        if (extra && round & 1)
            extradata[0] = 1; // looks like avcC, hvcC
        AVCodecParameters par = {
            .codec_id =
                looked_into[(size_t)round % (sizeof(looked_into) / sizeof(*looked_into))],
            .extradata = extradata,
            .extradata_size = extra};
        sc_bitstream *bs = sc_bitstream_open(&par);
        for (int i = 0; i < 8; i++) {
            struct sc_au au;
            uint8_t *data = hostile(&seed, &size);
            sc_bitstream_inspect(bs, data, size, &au);
            assert_true(au.field >= 0 && au.field <= 2 && au.layer >= -1 && au.layer <= 6);
            sc_bitstream_extradata(bs, data, size);
            free(data);
        }
        sc_bitstream_close(&bs);
        free(extradata);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_golomb),           cmocka_unit_test(emulation_prevention),
        cmocka_unit_test(reading_past_the_end), cmocka_unit_test(h264_references),
        cmocka_unit_test(h264_recovery_points), cmocka_unit_test(h264_fields),
        cmocka_unit_test(h264_damage),          cmocka_unit_test(h264_with_lengths),
        cmocka_unit_test(hevc_pictures),        cmocka_unit_test(mpeg2_pictures),
        cmocka_unit_test(mpeg4_pictures),       cmocka_unit_test(vp8_and_vp9_pictures),
        cmocka_unit_test(unknown_codecs),       cmocka_unit_test(no_bytes_lead_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
