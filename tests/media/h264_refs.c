// Which pictures an H.264 picture refers to, asked of streams made up here: every rule of the
// standard that is followed gives the right numbers, everything else is "not known" until the next
// reset, and no bytes whatever lead outside the packet.
#include "media/h264_refs.h"

#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "bit_writer.h"

// --- streams --------------------------------------------------------------------------------------

// The sets and slices of a stream are described by what they are read into; here 0 entries of a
// list in use mean the default of the picture parameter set.
struct stream {
    struct sc_h264_sps sps;
    struct sc_h264_pps pps;
    sc_h264_refs *refs;
    int64_t next; // number of the next packet
    uint8_t packet[4096];
    int size;
};

#define I(...) ((struct sc_h264_slice){.type = SC_H264_I, __VA_ARGS__})
#define P(...) ((struct sc_h264_slice){.type = SC_H264_P, .reference = true, __VA_ARGS__})
#define B(...) ((struct sc_h264_slice){.type = SC_H264_B, __VA_ARGS__})
#define IDR    I(.idr = true, .reference = true)

static void put_sps(struct writer *w, const struct sc_h264_sps *sps)
{
    put(w, 0x674d001e, 32);
    put_ue(w, 0);
    put_ue(w, (uint32_t)sps->frame_num_bits - 4);
    put_ue(w, (uint32_t)sps->poc_type);
    if (!sps->poc_type)
        put_ue(w, (uint32_t)sps->poc_lsb_bits - 4);
    put_ue(w, (uint32_t)sps->max_refs);
    put(w, sps->gaps_allowed, 1);
    put_ue(w, 3); // 4x4 macroblocks
    put_ue(w, 3);
    put(w, sps->frame_mbs_only, 1);
    if (!sps->frame_mbs_only)
        put(w, 0, 1);
    put(w, 9, 4); // direct 8x8, no cropping, no VUI, stop
}

static void put_pps(struct writer *w, const struct sc_h264_pps *pps)
{
    put(w, 0x68, 8);
    put_ue(w, 0);
    put_ue(w, 0);
    put(w, 0, 1);
    put(w, pps->bottom_poc, 1);
    put_ue(w, 0);
    for (int i = 0; i < 2; i++)
        put_ue(w, pps->active[i] - 1U);
    put(w, pps->weighted_p, 1);
    put(w, pps->weighted_b, 2);
    put(w, 7, 3); // quantisers
    put(w, 0, 2);
    put(w, pps->redundant, 1);
    put(w, 1, 1);
}

static void put_changes(struct writer *w, const struct sc_h264_slice *s, int which)
{
    put(w, s->change_count[which] > 0, 1);
    for (int i = 0; i < s->change_count[which]; i++) {
        put_ue(w, s->changes[which][i].op);
        put_ue(w, s->changes[which][i].value);
    }
    if (s->change_count[which])
        put_ue(w, 3);
}

static void put_marking(struct writer *w, const struct sc_h264_slice *s)
{
    if (s->idr) {
        put(w, 0, 1);
        put(w, s->long_term, 1);
        return;
    }
    put(w, s->adaptive, 1);
    for (int i = 0; i < s->marking_count; i++) {
        put_ue(w, s->marking[i].op);
        if (s->marking[i].op != 5)
            put_ue(w, s->marking[i].value);
        if (s->marking[i].op == 3)
            put_ue(w, 0);
    }
    if (s->adaptive)
        put_ue(w, 0);
}

// Each entry of a list has a luma and a chroma weight.
static void put_weights(struct writer *w, const struct stream *st,
                        const struct sc_h264_slice *s, int lists)
{
    put_ue(w, 0);
    put_ue(w, 0);
    for (int i = 0; i < lists; i++) {
        for (int k = s->active[i] ? s->active[i] : st->pps.active[i]; k > 0; k--) {
            put(w, 1, 1);
            put_se(w, -7);
            put_se(w, 3);
            put(w, k & 1, 1);
            for (int n = k & 1 ? 4 : 0; n > 0; n--)
                put_se(w, 20);
        }
    }
}

static void put_lists(struct writer *w, const struct stream *st, const struct sc_h264_slice *s)
{
    int lists = s->type == SC_H264_P ? 1 : s->type == SC_H264_B ? 2 : 0;
    bool own = s->active[0] > 0;
    if (s->type == SC_H264_B)
        put(w, 1, 1); // direct prediction
    if (lists)
        put(w, own, 1);
    for (int i = 0; own && i < lists; i++)
        put_ue(w, (uint32_t)s->active[i] - 1);
    for (int i = 0; i < lists; i++)
        put_changes(w, s, i);
    if ((s->type == SC_H264_P && st->pps.weighted_p) ||
        (s->type == SC_H264_B && st->pps.weighted_b == 1))
        put_weights(w, st, s, lists);
}

static void put_slice(struct writer *w, const struct stream *st, const struct sc_h264_slice *s)
{
    put(w, (s->reference ? 0x60 : 0) | (s->idr ? 5 : 1), 8);
    put_ue(w, s->first_mb);
    put_ue(w, s->type);
    put_ue(w, 0);
    put(w, (uint32_t)s->frame_num, st->sps.frame_num_bits);
    if (!st->sps.frame_mbs_only) {
        put(w, s->field > 0, 1);
        put(w, s->field == 2, s->field > 0);
    }
    if (s->idr)
        put_ue(w, 0);
    if (!st->sps.poc_type) {
        put(w, s->poc_lsb, st->sps.poc_lsb_bits);
        if (st->pps.bottom_poc)
            put_se(w, s->poc_bottom);
    }
    if (st->pps.redundant)
        put_ue(w, s->redundant);
    put_lists(w, st, s);
    if (s->reference)
        put_marking(w, s);
    put(w, 0xa5a5a5, 24);
}

// Appends a unit behind its length, with emulation prevention.
static void add_unit(struct stream *st, const struct writer *w)
{
    uint8_t *length = st->packet + st->size, *to = length + 4;
    for (int i = 0, zeros = 0; i < bytes(w); i++) {
        if (zeros >= 2 && w->data[i] <= 3) {
            *to++ = 3;
            zeros = 0;
        }
        *to++ = w->data[i];
        zeros = w->data[i] ? 0 : zeros + 1;
    }
    long size = to - length - 4;
    memcpy(length, (uint8_t[]){0, 0, (uint8_t)(size >> 8), (uint8_t)size}, 4);
    st->size = (int)(to - st->packet);
}

static void add_slice(struct stream *st, struct sc_h264_slice slice)
{
    struct writer w = {.bits = 0};
    put_slice(&w, st, &slice);
    add_unit(st, &w);
}

static void add_sps(struct stream *st, const struct sc_h264_sps *sps)
{
    struct writer w = {.bits = 0};
    put_sps(&w, sps);
    add_unit(st, &w);
}

static void add_pps(struct stream *st, const struct sc_h264_pps *pps)
{
    struct writer w = {.bits = 0};
    put_pps(&w, pps);
    add_unit(st, &w);
}

// The avcC is two units behind lengths of 16 bits.
static int make_avcc(struct stream *st, uint8_t avcc[256])
{
    memcpy(avcc, (uint8_t[]){1, 77, 0, 30, 0xff, 0xe1}, 6);
    int size = 6;
    for (int i = 0; i < 2; i++) {
        st->size = 0;
        if (i)
            add_pps(st, &st->pps);
        else
            add_sps(st, &st->sps);
        if (i)
            avcc[size++] = 1;
        memcpy(avcc + size, st->packet + 2, (size_t)st->size - 2);
        size += st->size - 2;
    }
    st->size = 0;
    return size;
}

static void open_stream(struct stream *st)
{
    uint8_t avcc[256];
    AVCodecParameters par = {
        .codec_id = AV_CODEC_ID_H264, .extradata = avcc, .extradata_size = make_avcc(st, avcc)};
    st->refs = sc_h264_refs_open(&par);
    assert_non_null(st->refs);
}

// With the usual sets; those that differ are changed before open_stream().
static struct stream usual(int max_refs, int active0, int active1)
{
    return (struct stream){.sps = {.frame_mbs_only = true,
                                   .frame_num_bits = 4,
                                   .poc_lsb_bits = 6,
                                   .max_refs = max_refs},
                           .pps = {.active = {(uint8_t)active0, (uint8_t)active1}}};
}

static struct stream opened(int max_refs, int active0, int active1)
{
    struct stream st = usual(max_refs, active0, active1);
    open_stream(&st);
    return st;
}

// --- expectations ---------------------------------------------------------------------------------

// Takes the packet that was put together; its references as text in rising order, "?" if unknown.
static const char *take(struct stream *st, char text[256])
{
    int64_t to[SC_H264_MAX_REFS];
    uint8_t *exact = malloc(st->size ? (size_t)st->size : 1); // so that overreads show
    memcpy(exact, st->packet, (size_t)st->size);
    int64_t number = st->next++;
    int count = sc_h264_refs_add(st->refs, number, exact, st->size, to), used = 0;
    free(exact);
    st->size = 0;
    text[0] = '\0';
    for (int64_t n = 0; count >= 0 && n < number; n++) {
        for (int i = 0; i < count; i++) {
            if (to[i] == n)
                used += snprintf(text + used, 256 - (size_t)used, used ? " %d" : "%d", (int)n);
        }
    }
    return count == SC_H264_REFS_UNKNOWN ? "?" : text;
}

// expected: NULL for anything that is known.
static void expect_packet_at(struct stream *st, const char *expected, int line)
{
    char text[256];
    int number = (int)st->next;
    const char *found = take(st, text);
    if (expected ? strcmp(found, expected) != 0 : *found == '?')
        fail_msg("line %d: packet %d refers to \"%s\", not \"%s\"", line, number, found,
                 expected ? expected : "any");
}

#define expect_packet(st, expected) expect_packet_at(st, expected, __LINE__)
#define expect(st, slice, expected)                                                            \
    do {                                                                                       \
        add_slice(st, slice);                                                                  \
        expect_packet_at(st, expected, __LINE__);                                              \
    } while (0)

#define change(o, v) .change_count = {1}, .changes = {{{o, v}}}
#define marked(o, v) .adaptive = true, .marking_count = 1, .marking = {{o, v}}

static void done(struct stream *st)
{
    sc_h264_refs_close(&st->refs);
    assert_null(st->refs);
}

// --- what is followed -----------------------------------------------------------------------------

static void chains(void **state)
{
    (void)state;
    struct stream st = opened(4, 1, 1);
    expect(&st, IDR, "");
    for (int n = 1; n < 12; n++) {
        char last[16];
        snprintf(last, sizeof(last), "%d", n - 1);
        expect(&st, P(.frame_num = n, .poc_lsb = 2U * (uint32_t)n), last);
    }
    expect(&st, I(.frame_num = 12, .poc_lsb = 24, .reference = true), "");
    expect(&st, P(.frame_num = 13, .poc_lsb = 26), "12");
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 2, .active = {4}), "14"); // nothing before the IDR
    done(&st);
    st = opened(4, 3, 1);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 2), "0");
    expect(&st, P(.frame_num = 2, .poc_lsb = 4), "0 1");
    expect(&st, P(.frame_num = 3, .poc_lsb = 6), "0 1 2");
    expect(&st, P(.frame_num = 4, .poc_lsb = 8), "1 2 3");
    expect(&st, P(.frame_num = 5, .poc_lsb = 10, .active = {1}), "4");
    expect(&st, P(.frame_num = 6, .poc_lsb = 12, .active = {4}), "2 3 4 5");
    done(&st);
}

// IDR 0, P 1 at 8, B 2 between them, others between those.
static void pyramid(struct stream *st)
{
    expect(st, IDR, "");
    expect(st, P(.frame_num = 1, .poc_lsb = 8), "0");
    expect(st, B(.frame_num = 2, .poc_lsb = 4, .reference = true), "0 1");
    expect(st, B(.frame_num = 3, .poc_lsb = 2), "0 2");
    expect(st, B(.frame_num = 3, .poc_lsb = 6), "1 2");
}

static void pyramids(void **state)
{
    (void)state;
    struct stream st = opened(4, 1, 1);
    pyramid(&st);
    expect(&st, P(.frame_num = 3, .poc_lsb = 16), "2"); // the B-frame was decoded last
    done(&st);
    st = opened(4, 1, 1);
    pyramid(&st);
    expect(&st, P(.frame_num = 3, .poc_lsb = 16, change(0, 1)), "1");
    expect(&st, B(.frame_num = 4, .poc_lsb = 12, .reference = true), "1 5");
    expect(&st, B(.frame_num = 5, .poc_lsb = 10, .active = {2, 1}), "1 2 6");
    expect(&st, B(.frame_num = 5, .poc_lsb = 14, .active = {1, 2}), "5 6"); // the end of a list
    expect(&st, B(.frame_num = 5, .poc_lsb = 14, .active = {2, 1}), "1 5 6");
    expect(&st, B(.frame_num = 5, .poc_lsb = 14, .active = {3, 1}), "1 2 5 6");
    done(&st);
}

static void changed_lists(void **state)
{
    (void)state;
    struct stream st = opened(4, 2, 1);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 8), "0");
    expect(&st, P(.frame_num = 2, .poc_lsb = 16), "0 1");
    // 0 first, the rest moves up
    expect(&st, P(.frame_num = 3, .poc_lsb = 24, change(0, 2)), "0 2");
    // 3, then back to 0 and from there forward to 1
    expect(&st,
           P(.frame_num = 4, .poc_lsb = 32, .active = {3}, .change_count = {3},
             .changes = {{{0, 0}, {0, 2}, {1, 0}}}),
           "0 1 3");
    // the same picture twice is what weights are for
    expect(
        &st,
        P(.frame_num = 5, .poc_lsb = 40, .change_count = {2}, .changes = {{{0, 3}, {1, 15}}}),
        "1");
    // the second list has changes of its own
    expect(&st,
           B(.frame_num = 6, .poc_lsb = 36, .active = {1, 1}, .change_count = {0, 1},
             .changes = {{{0}}, {{0, 3}}}),
           "2 4");
    done(&st);
}

static void equal_lists_are_swapped(void **state)
{
    (void)state;
    struct stream st = opened(4, 1, 1);
    expect(&st, IDR, "");
    expect(&st, B(.frame_num = 1, .poc_lsb = 2), "0"); // one entry: nothing to swap
    expect(&st, P(.frame_num = 1, .poc_lsb = 4), "0");
    expect(&st, P(.frame_num = 2, .poc_lsb = 8), "2");
    expect(&st, B(.frame_num = 3, .poc_lsb = 10), "2 3");
    expect(&st, B(.frame_num = 3, .poc_lsb = 6), "2 3"); // one before, one behind: they differ
    expect(&st, B(.frame_num = 3, .poc_lsb = 6, .active = {1, 2}), "0 2 3" + 2);
    done(&st);
}

static void weights_are_passed_over(void **state)
{
    (void)state;
    struct stream st = usual(4, 2, 2);
    st.pps.weighted_p = true;
    st.pps.weighted_b = 1;
    open_stream(&st);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 8), "0");
    expect(&st, P(.frame_num = 2, .poc_lsb = 16, marked(1, 1)),
           "0 1"); // read behind the weights
    expect(&st, B(.frame_num = 3, .poc_lsb = 12, .reference = true, marked(1, 1)), "1 2");
    expect(&st, P(.frame_num = 4, .poc_lsb = 24, .active = {4}), "2 3");
    done(&st);
}

static void sliding_window(void **state)
{
    (void)state;
    for (int max_refs = 0; max_refs < 4; max_refs++) {
        static const char *const last[] = {"8", "8", "7 8", "6 7 8"};
        struct stream st = opened(max_refs, 4, 1);
        char text[256];
        for (int n = 0; n < 9; n++) {
            add_slice(&st, n ? P(.frame_num = n, .poc_lsb = 2U * (uint32_t)n) : IDR);
            assert_string_not_equal(take(&st, text), "?");
        }
        expect(&st, B(.frame_num = 9, .poc_lsb = 30), last[max_refs]); // takes no place itself
        expect(&st, P(.frame_num = 9, .poc_lsb = 18), last[max_refs]);
        done(&st);
    }
}

static void marking(void **state)
{
    (void)state;
    struct stream st = opened(4, 4, 1);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 2), "0");
    expect(&st, P(.frame_num = 2, .poc_lsb = 4), "0 1");
    expect(&st, P(.frame_num = 3, .poc_lsb = 6, marked(1, 1)), "0 1 2"); // 1 goes, from now on
    expect(&st, P(.frame_num = 4, .poc_lsb = 8), "0 2 3");
    expect(&st,
           P(.frame_num = 5, .poc_lsb = 10, .adaptive = true, .marking_count = 3,
             .marking = {{1, 0}, {4, 0}, {1, 4}}),
           "0 2 3 4");
    expect(&st, P(.frame_num = 6, .poc_lsb = 12), "2 3 5");
    done(&st);
    st = opened(2, 4, 1);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 2), "0");
    expect(&st, P(.frame_num = 2, .poc_lsb = 4, marked(1, 9)), "?"); // makes no room
    done(&st);
}

static void frame_numbers_wrap(void **state)
{
    (void)state;
    struct stream st = opened(3, 2, 1);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 2), "0");
    for (int n = 2; n < 40; n++) {
        char expected[32];
        struct sc_h264_slice slice = P(.frame_num = n % 16, .poc_lsb = 2U * (uint32_t)n % 64,
                                       .change_count = {n & 1}, .changes = {{{0, 2}}});
        bool back = n > 2 && n & 1; // three back, then the last
        snprintf(expected, sizeof(expected), "%d %d", back ? n - 3 : n - 2, n - 1);
        expect(&st, slice, expected);
    }
    done(&st);
}

// Groups of P, B and b far beyond the range of the bits that are sent.
static void picture_order_wraps(void **state)
{
    (void)state;
    for (int bottom = 0; bottom < 2; bottom++) {
        struct stream st = usual(3, 1, 1);
        st.sps.poc_lsb_bits = 5;
        st.pps.bottom_poc = bottom;
        open_stream(&st);
        expect(&st, IDR, "");
        for (int k = 0; k < 12; k++) {
            char expected[3][32];
            int p = 3 * k + 1, before = k ? p - 3 : 0, order = 6 * k + 6;
            snprintf(expected[0], 32, "%d", before);
            snprintf(expected[1], 32, "%d %d", before, p);
            snprintf(expected[2], 32, "%d %d", p, p + 1);
            expect(&st,
                   P(.frame_num = (2 * k + 1) % 16, .poc_lsb = (uint32_t)order % 32,
                     .poc_bottom = -bottom, .change_count = {k > 0}, .changes = {{{0, 1}}}),
                   expected[0]);
            expect(&st,
                   B(.frame_num = (2 * k + 2) % 16, .poc_lsb = (uint32_t)(order - 4) % 32,
                     .poc_bottom = -bottom, .reference = true),
                   expected[1]);
            expect(&st,
                   B(.frame_num = (2 * k + 3) % 16, .poc_lsb = (uint32_t)(order - 2) % 32,
                     .poc_bottom = -bottom),
                   expected[2]);
        }
        done(&st);
    }
}

static void the_earlier_field_orders(void **state)
{
    (void)state;
    struct stream st = usual(4, 1, 1);
    st.pps.bottom_poc = true;
    open_stream(&st);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 8, .poc_bottom = -6), "0"); // at 2
    expect(&st, P(.frame_num = 2, .poc_lsb = 6), "1");
    expect(&st, B(.frame_num = 3, .poc_lsb = 4), "1 2"); // not 0 and 2
    done(&st);
}

static void order_by_frame_number(void **state)
{
    (void)state;
    struct stream st = usual(3, 1, 1);
    st.sps.poc_type = 2;
    open_stream(&st);
    expect(&st, IDR, "");
    for (int n = 1; n < 40; n++) { // all references are before it: the lists are equal
        char expected[32];
        snprintf(expected, sizeof(expected), n < 2 ? "%.0d%d" : "%d %d", n < 2 ? 0 : n - 2,
                 n - 1);
        expect(&st, B(.frame_num = n % 16, .reference = true), expected);
    }
    done(&st);
}

static void slices_are_united(void **state)
{
    (void)state;
    struct stream st = opened(4, 1, 1);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 2), "0");
    expect(&st, P(.frame_num = 2, .poc_lsb = 4), "1");
    add_slice(&st, I(.frame_num = 3, .poc_lsb = 6, .reference = true));
    add_slice(&st, P(.frame_num = 3, .poc_lsb = 6, .first_mb = 4, change(0, 2)));
    add_slice(&st, P(.frame_num = 3, .poc_lsb = 6, .first_mb = 8));
    add_slice(&st, P(.frame_num = 3, .poc_lsb = 6, .first_mb = 12));
    expect_packet(&st, "0 2");
    expect(&st, P(.frame_num = 4, .poc_lsb = 8, .active = {4}), "0 1 2 3"); // it took one place
    done(&st);
}

static void sets_in_the_stream(void **state)
{
    (void)state;
    struct stream st = opened(4, 1, 1);
    expect(&st, IDR, "");
    add_sps(&st, &st.sps); // the same again
    add_pps(&st, &st.pps);
    add_slice(&st, P(.frame_num = 1, .poc_lsb = 2));
    expect_packet(&st, "0");
    expect(&st, P(.frame_num = 2, .poc_lsb = 4), "1");
    sc_h264_refs_reset(st.refs);
    st.sps.frame_num_bits = 7;
    st.pps.active[0] = 2;
    add_sps(&st, &st.sps); // others at an entry point
    add_pps(&st, &st.pps);
    add_slice(&st, I(.frame_num = 77, .reference = true));
    expect_packet(&st, "");
    expect(&st, P(.frame_num = 78, .poc_lsb = 2), "3");
    expect(&st, P(.frame_num = 79, .poc_lsb = 4), "3 4");
    done(&st);
}

static void entries_without_idr(void **state)
{
    (void)state;
    struct stream st = opened(4, 4, 1);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 2), "0");
    sc_h264_refs_reset(st.refs);
    expect(&st, I(.frame_num = 9, .poc_lsb = 60, .reference = true), "");
    expect(&st, B(.frame_num = 10, .poc_lsb = 58), "2"); // a leading picture
    expect(&st, P(.frame_num = 10, .poc_lsb = 0), "2");  // order wraps from there
    expect(&st, B(.frame_num = 11, .poc_lsb = 62), "2 4");
    sc_h264_refs_reset(st.refs);
    expect(&st, I(.frame_num = 2), "?"); // no reference: there is nothing to go on from
    done(&st);
}

// --- what is not ----------------------------------------------------------------------------------

// Everything is unknown from here to the next reset, whatever comes.
static void expect_lost(struct stream *st)
{
    expect_packet(st, "?");
    expect(st, P(.frame_num = 3, .poc_lsb = 8), "?");
    expect(st, IDR, "?");
    sc_h264_refs_reset(st->refs);
    expect(st, IDR, "");
    char last[24];
    snprintf(last, sizeof(last), "%d", (int)st->next - 1);
    expect(st, P(.frame_num = 1, .poc_lsb = 2), last);
    done(st);
}

// A stream of three pictures with numbers 0, 1, 2.
static struct stream begun(void)
{
    struct stream st = opened(4, 1, 1);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 2), "0");
    expect(&st, P(.frame_num = 2, .poc_lsb = 4), "1");
    return st;
}

static void lost_by_one_slice(void **state)
{
    (void)state;
    const struct sc_h264_slice slices[] = {
        P(.frame_num = 4, .poc_lsb = 6),                // a gap
        P(.frame_num = 2, .poc_lsb = 6),                // the same number twice
        B(.frame_num = 2, .poc_lsb = 6),                // likewise, where nobody refers to it
        P(.frame_num = 3, .poc_lsb = 6, marked(2, 0)),  // long-term references
        P(.frame_num = 3, .poc_lsb = 6, marked(3, 0)),  //
        P(.frame_num = 3, .poc_lsb = 6, marked(4, 1)),  //
        P(.frame_num = 3, .poc_lsb = 6, marked(6, 0)),  //
        P(.frame_num = 3, .poc_lsb = 6, change(2, 0)),  //
        P(.frame_num = 3, .poc_lsb = 6, marked(5, 0)),  // all are forgotten
        P(.frame_num = 3, .poc_lsb = 6, marked(7, 0)),  // no such operation
        P(.frame_num = 3, .poc_lsb = 6, marked(1, 16)), // beyond the range of numbers
        P(.frame_num = 3, .poc_lsb = 6, change(4, 0)),
        P(.frame_num = 3, .poc_lsb = 6, change(0, 16)),
        P(.frame_num = 3, .poc_lsb = 6, .change_count = {2}, .changes = {{{0, 0}, {0, 0}}}),
        P(.frame_num = 3, .poc_lsb = 6, .active = {33}),
        I(.idr = true, .reference = true, .long_term = true),
        (struct sc_h264_slice){.type = SC_H264_SP, .reference = true, .frame_num = 3},
        (struct sc_h264_slice){.type = SC_H264_SI, .reference = true, .frame_num = 3},
    };
    for (size_t i = 0; i < sizeof(slices) / sizeof(*slices); i++) {
        struct stream st = begun();
        add_slice(&st, slices[i]);
        print_message("slice %d\n", (int)i);
        expect_lost(&st);
    }
}

static void lost_by_units(void **state)
{
    (void)state;
    const struct sc_h264_slice next = P(.frame_num = 3, .poc_lsb = 6);
    struct stream st = begun(); // no picture
    expect_lost(&st);
    for (int type = 2; type < 5; type++) { // data partitions
        st = begun();
        add_slice(&st, next);
        st.packet[4] = (uint8_t)(0x60 | type);
        expect_lost(&st);
    }
    st = begun(); // forbidden_zero_bit
    add_slice(&st, next);
    st.packet[4] |= 0x80;
    expect_lost(&st);
    st = begun(); // two pictures
    add_slice(&st, next);
    add_slice(&st, P(.frame_num = 4, .poc_lsb = 8));
    expect_lost(&st);
    st = begun();
    add_slice(&st, next);
    add_slice(&st, P(.frame_num = 4, .poc_lsb = 8, .first_mb = 3));
    expect_lost(&st);
}

static void lost_by_changed_sets(void **state)
{
    (void)state;
    const struct sc_h264_slice next = P(.frame_num = 3, .poc_lsb = 6);
    struct stream st = begun();
    struct sc_h264_sps sps = st.sps;
    sps.max_refs = 3;
    add_sps(&st, &sps);
    add_slice(&st, next);
    expect_lost(&st);
    st = begun();
    struct sc_h264_pps pps = st.pps;
    pps.active[1] = 2;
    add_pps(&st, &pps);
    add_slice(&st, next);
    expect_lost(&st);
}

static void lost_by_lengths(void **state)
{
    (void)state;
    struct stream whole = begun();
    add_slice(&whole, P(.frame_num = 3, .poc_lsb = 6));
    for (int cut = 0; cut < whole.size; cut++) {
        struct stream st = begun();
        memcpy(st.packet, whole.packet, (size_t)cut);
        st.size = cut;
        expect_lost(&st);
    }
    for (int i = 0; i < 4; i++) {
        struct stream st = begun();
        memcpy(st.packet, whole.packet, (size_t)whole.size);
        st.size = whole.size;
        st.packet[i]++;
        expect_lost(&st);
    }
    expect_packet(&whole, "2");
    done(&whole);
}

static void lost_by_kind_of_stream(void **state)
{
    (void)state;
    struct stream st = usual(4, 1, 1); // fields, and frames among which they may come
    st.sps.frame_mbs_only = false;
    open_stream(&st);
    expect(&st, I(.idr = true, .reference = true, .field = 1), "?");
    sc_h264_refs_reset(st.refs);
    expect(&st, IDR, "?");
    done(&st);
    st = usual(4, 1, 1);
    st.pps.redundant = true;
    open_stream(&st);
    expect(&st, IDR, "");
    add_slice(&st, P(.frame_num = 1, .poc_lsb = 2));
    add_slice(&st, P(.frame_num = 1, .poc_lsb = 2, .redundant = true));
    expect_lost(&st);
}

static void not_possible(void **state)
{
    (void)state;
    uint8_t avcc[] = {1, 77, 0, 30, 0xff, 0xe0, 0};
    AVCodecParameters par = {
        .codec_id = AV_CODEC_ID_HEVC, .extradata = avcc, .extradata_size = 7};
    assert_null(sc_h264_refs_open(&par));
    par.codec_id = AV_CODEC_ID_H264;
    sc_h264_refs *refs = sc_h264_refs_open(&par);
    assert_non_null(refs);
    sc_h264_refs_close(&refs);
    sc_h264_refs_close(&refs);
    sc_h264_refs_close(NULL);
    par.extradata_size = 6;
    assert_null(sc_h264_refs_open(&par));
    par.extradata_size = 7;
    avcc[0] = 0; // start codes
    assert_null(sc_h264_refs_open(&par));
}

// As where an MP4 changes its sample description.
static void extradata_in_the_stream(void **state)
{
    (void)state;
    struct stream st = begun();
    uint8_t avcc[256];
    int size = make_avcc(&st, avcc);
    sc_h264_refs_extradata(st.refs, avcc, size); // the same again
    sc_h264_refs_extradata(st.refs, avcc, 6);    // no avcC
    expect(&st, P(.frame_num = 3, .poc_lsb = 6), "2");
    st.sps.frame_num_bits = 7;
    size = make_avcc(&st, avcc);
    sc_h264_refs_extradata(st.refs, avcc, size);
    add_slice(&st, P(.frame_num = 4, .poc_lsb = 8));
    expect_packet(&st, "?");
    sc_h264_refs_reset(st.refs);
    sc_h264_refs_extradata(st.refs, avcc, size);
    expect(&st, IDR, "");
    expect(&st, P(.frame_num = 1, .poc_lsb = 2), "5");
    done(&st);
}

// --- stand-ins and fillers ------------------------------------------------------------------------

// The slice of what was made, read by the sets that came with it.
static struct sc_h264_slice made(const struct stream *st, const AVPacket *pkt)
{
    static struct sc_h264_sets sets;
    struct sc_h264_slice slice = {0};
    struct sc_nal nal;
    int pos = 0, units = 0;
    bool broken = false;
    struct writer w = {.bits = 0};
    put_sps(&w, &st->sps);
    sc_h264_take_sps(&sets, &(struct sc_nal){w.data, bytes(&w)});
    while (sc_nal_next(4, pkt->data, pkt->size, &pos, &nal, &broken)) {
        if (units++)
            assert_true(sc_h264_slice_whole(&sets, &nal, &slice));
        else
            sc_h264_take_pps(&sets, &nal);
    }
    assert_false(broken);
    assert_int_equal(units, 2);
    return slice;
}

static AVPacket *packet_of(struct stream *st)
{
    AVPacket *pkt = av_packet_alloc();
    assert_int_equal(av_new_packet(pkt, st->size), 0);
    memcpy(pkt->data, st->packet, (size_t)st->size);
    return pkt;
}

static void stand_ins_keep_their_place(void **state)
{
    (void)state;
    struct stream st = begun();
    add_slice(&st, P(.frame_num = 3, .poc_lsb = 6, marked(1, 1)));
    AVPacket *pkt = packet_of(&st);
    expect_packet(&st, "2");
    pkt->pts = 77;
    assert_true(sc_h264_refs_stand_in(st.refs, pkt));
    struct sc_h264_slice slice = made(&st, pkt);
    assert_int_equal(pkt->pts, 77);
    assert_int_equal(slice.type, SC_H264_I);
    assert_true(slice.reference && !slice.idr && slice.adaptive);
    assert_int_equal(slice.frame_num, 3);
    assert_int_equal(slice.poc_lsb, 6);
    assert_int_equal(slice.marking_count, 1);
    assert_int_equal(slice.marking[0].op, 1);
    assert_int_equal(slice.marking[0].value, 1);
    av_packet_free(&pkt);
    add_slice(&st, IDR); // has none: all others go with it
    pkt = packet_of(&st);
    int size = pkt->size;
    assert_false(sc_h264_refs_stand_in(st.refs, pkt));
    assert_int_equal(pkt->size, size);
    av_packet_free(&pkt);
    done(&st);
}

// Whatever a slice says that is not followed is not put into a stand-in either.
static void no_stand_in_for_what_is_not_followed(void **state)
{
    (void)state;
    const struct sc_h264_op ops[] = {{2, 0}, {3, 0}, {4, 1}, {5, 0}, {6, 0}, {1, 16}};
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
        struct stream st = begun();
        add_slice(&st, P(.frame_num = 3, .poc_lsb = 6, marked(ops[i].op, ops[i].value)));
        AVPacket *pkt = packet_of(&st);
        expect_packet(&st, "?");
        assert_false(sc_h264_refs_stand_in(st.refs, pkt));
        av_packet_free(&pkt);
        done(&st);
    }
}

static void fillers_come_right_behind(void **state)
{
    (void)state;
    struct stream st = opened(4, 1, 1);
    AVPacket *pkt = av_packet_alloc();
    assert_false(sc_h264_refs_filler(st.refs, pkt)); // behind what?
    expect(&st, IDR, "");
    for (int n = 1; n < 20; n++)
        expect(&st, P(.frame_num = n % 16, .poc_lsb = 2U * (uint32_t)n), NULL);
    expect(&st, B(.frame_num = 4, .poc_lsb = 35), NULL);
    assert_true(sc_h264_refs_filler(st.refs, pkt));
    struct sc_h264_slice slice = made(&st, pkt);
    assert_int_equal(slice.type, SC_H264_I);
    assert_false(slice.reference || slice.idr);
    assert_int_equal(slice.frame_num, 4);
    assert_int_equal(slice.poc_lsb, 36);
    expect(&st, P(.frame_num = 4, .poc_lsb = 40), "19"); // nothing has changed
    add_slice(&st, P(.frame_num = 9));
    expect_packet(&st, "?");
    assert_false(sc_h264_refs_filler(st.refs, pkt));
    av_packet_free(&pkt);
    done(&st);
}

// Numbers that no standard allows, where a wrong width of a field would follow from them.
static void orders_out_of_range(void **state)
{
    (void)state;
    static const uint32_t bad[] = {13, 29, 0x7fffffff, 0xfffffffa, 0xfffffffe};
    for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(*bad); i++) {
        struct sc_h264_sets sets = {0};
        struct writer w = {.bits = 0};
        bool type = i & 1; // else the bits of type 0
        put(&w, 0x674d001e, 32);
        put_ue(&w, 0);
        put_ue(&w, 0);
        put_ue(&w, type ? bad[i / 2] : 0);
        if (!type)
            put_ue(&w, bad[i / 2]);
        put_ue(&w, 4);
        put(&w, 0, 1);
        put_ue(&w, 3);
        put_ue(&w, 3);
        put(&w, 0x80, 32);
        sc_h264_take_sps(&sets, &(struct sc_nal){w.data, bytes(&w)});
        assert_false(sets.sps[0].known);
    }
}

// Any bytes at all, in the stream or instead of a picture: bounds hold, nothing is read outside.
static void random_bytes(void **state)
{
    (void)state;
    unsigned seed = 7;
    for (int round = 0; round < 3000; round++) {
        struct stream st = opened(4, 2, 2);
        expect(&st, IDR, "");
        for (int k = 0; k < 4; k++) {
            add_slice(&st, P(.frame_num = 1 + k, .poc_lsb = 2 + 2 * (uint32_t)k));
            for (int i = rand_r(&seed) % 4; i > 0; i--)
                st.packet[rand_r(&seed) % st.size] = (uint8_t)rand_r(&seed);
            char text[256];
            take(&st, text);
        }
        AVPacket *pkt = av_packet_alloc();
        assert_int_equal(av_new_packet(pkt, 32), 0);
        for (int i = 0; i < 32; i++)
            pkt->data[i] = (uint8_t)rand_r(&seed);
        memcpy(pkt->data, "\0\0\0\x1c", 4);
        sc_h264_refs_stand_in(st.refs, pkt);
        sc_h264_refs_filler(st.refs, pkt);
        av_packet_free(&pkt);
        done(&st);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains),
        cmocka_unit_test(pyramids),
        cmocka_unit_test(changed_lists),
        cmocka_unit_test(equal_lists_are_swapped),
        cmocka_unit_test(weights_are_passed_over),
        cmocka_unit_test(sliding_window),
        cmocka_unit_test(marking),
        cmocka_unit_test(frame_numbers_wrap),
        cmocka_unit_test(picture_order_wraps),
        cmocka_unit_test(the_earlier_field_orders),
        cmocka_unit_test(order_by_frame_number),
        cmocka_unit_test(slices_are_united),
        cmocka_unit_test(sets_in_the_stream),
        cmocka_unit_test(entries_without_idr),
        cmocka_unit_test(lost_by_one_slice),
        cmocka_unit_test(lost_by_units),
        cmocka_unit_test(lost_by_changed_sets),
        cmocka_unit_test(lost_by_lengths),
        cmocka_unit_test(lost_by_kind_of_stream),
        cmocka_unit_test(not_possible),
        cmocka_unit_test(extradata_in_the_stream),
        cmocka_unit_test(stand_ins_keep_their_place),
        cmocka_unit_test(no_stand_in_for_what_is_not_followed),
        cmocka_unit_test(fillers_come_right_behind),
        cmocka_unit_test(orders_out_of_range),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
