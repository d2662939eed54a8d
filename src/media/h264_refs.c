#include "media/h264_refs.h"

#include <string.h>

#include <libavcodec/defs.h>

#include "base/mem.h"

#define MAX_DPB     16
#define MAX_HEADERS 1024  // of a stand-in: 66 marking operations are less than 600 bytes
#define MAX_SHORT   60000 // macroblocks whose unit still fits a length of two bytes

struct picture {
    int64_t number;
    int frame_num;
    int64_t poc;
};

struct sc_h264_refs {
    struct sc_h264_sets sets;
    int nal_length_size;
    struct picture dpb[MAX_DPB]; // short-term reference frames, in decode order
    int count;
    bool lost;    // something came that is not followed: nothing is known until the next reset
    bool started; // a picture was taken since the last reset
    int frame_num, last_frame_num; // of the last reference picture; of the last picture
    int64_t poc_msb;               // of the last reference picture
    uint32_t poc_lsb;
    int64_t frame_num_offset;      // for picture order of type 2
    int64_t last_poc;              // of the last picture
    const struct sc_h264_sps *sps; // of the last picture, in sets
};

static void take_set(void *arg, const struct sc_nal *nal)
{
    sc_h264_refs *refs = arg;
    int type = nal->size ? nal->data[0] & 31 : 0;
    if (type == SC_H264_SPS)
        sc_h264_take_sps(&refs->sets, nal);
    else if (type == SC_H264_PPS)
        sc_h264_take_pps(&refs->sets, nal);
}

bool sc_h264_refs_possible(const AVCodecParameters *par)
{
    return par->codec_id == AV_CODEC_ID_H264 && par->extradata_size >= 7 &&
           par->extradata[0] == 1;
}

sc_h264_refs *sc_h264_refs_open(const AVCodecParameters *par)
{
    if (!sc_h264_refs_possible(par))
        return NULL;
    sc_h264_refs *refs = sc_new(sc_h264_refs);
    refs->nal_length_size = sc_nal_avcc(par->extradata, par->extradata_size, take_set, refs);
    return refs;
}

void sc_h264_refs_close(sc_h264_refs **prefs)
{
    if (!prefs)
        return;
    free(*prefs);
    *prefs = NULL;
}

void sc_h264_refs_reset(sc_h264_refs *refs)
{
    refs->count = 0;
    refs->lost = refs->started = false;
}

// --- picture order ------------------------------------------------------------------------------

static int64_t order_by_lsb(sc_h264_refs *refs, const struct sc_h264_slice *s) // 8.2.1.1
{
    int64_t max = INT64_C(1) << s->sps->poc_lsb_bits, msb = 0;
    if (!s->idr && refs->started) {
        int64_t step = (int64_t)s->poc_lsb - refs->poc_lsb;
        msb = refs->poc_msb + (step <= -max / 2 ? max : step > max / 2 ? -max : 0);
    }
    if (s->reference) {
        refs->poc_msb = msb;
        refs->poc_lsb = s->poc_lsb;
    }
    int64_t top = msb + s->poc_lsb, bottom = top + s->poc_bottom;
    return top < bottom ? top : bottom;
}

static int64_t order_by_frame_num(sc_h264_refs *refs, const struct sc_h264_slice *s) // 8.2.1.3
{
    if (s->idr || !refs->started)
        refs->frame_num_offset = 0;
    else if (refs->last_frame_num > s->frame_num)
        refs->frame_num_offset += INT64_C(1) << s->sps->frame_num_bits;
    return 2 * (refs->frame_num_offset + s->frame_num) - !s->reference;
}

// --- reference lists ----------------------------------------------------------------------------

static int wrapped(const struct sc_h264_slice *s, int frame_num) // FrameNumWrap, 8.2.4.1
{
    return frame_num > s->frame_num ? frame_num - (1 << s->sps->frame_num_bits) : frame_num;
}

// Orders references: those at or behind `from` by falling, then all others by rising distance.
static void sort_by(const int64_t *key, int count, int64_t from, bool forward, int *list)
{
    int used = 0;
    for (int side = 0; side < 2; side++) {
        bool after = forward != (side == 1);
        int first = used;
        for (int i = 0; i < count; i++) {
            if ((key[i] > from) != after)
                continue;
            int at = used++;
            while (at > first &&
                   (after ? key[list[at - 1]] > key[i] : key[list[at - 1]] < key[i])) {
                list[at] = list[at - 1];
                at--;
            }
            list[at] = i;
        }
    }
}

// The list as it is before changes, as positions in the buffer (8.2.4.2).
static void initial_list(const sc_h264_refs *refs, const struct sc_h264_slice *s, int which,
                         int64_t poc, int list[MAX_DPB])
{
    int64_t key[MAX_DPB];
    bool order = s->type == SC_H264_B;
    for (int i = 0; i < refs->count; i++)
        key[i] = order ? refs->dpb[i].poc : wrapped(s, refs->dpb[i].frame_num);
    sort_by(key, refs->count, order ? poc : INT64_MAX, which == 1, list);
    if (!which || refs->count < 2)
        return;
    int other[MAX_DPB];
    sort_by(key, refs->count, poc, false, other);
    if (!memcmp(list, other, (size_t)refs->count * sizeof(*list))) {
        list[0] = other[1];
        list[1] = other[0];
    }
}

static int find_short(const sc_h264_refs *refs, const struct sc_h264_slice *s, int pic_num)
{
    for (int i = 0; i < refs->count; i++) {
        if (wrapped(s, refs->dpb[i].frame_num) == pic_num)
            return i;
    }
    return -1;
}

// Applies the slice's own changes (8.2.4.3.1): each puts one picture at the next place, the others
// move up. False for long-term references.
static bool change_list(const sc_h264_refs *refs, const struct sc_h264_slice *s, int which,
                        int *list)
{
    int max = 1 << s->sps->frame_num_bits, pic_num = s->frame_num, active = s->active[which];
    for (int i = 0; i < s->change_count[which]; i++) {
        const struct sc_h264_op *c = &s->changes[which][i];
        if (c->op > 1 || c->value >= (uint32_t)max || i >= active)
            return false;
        int step = (int)c->value + 1;
        pic_num = (pic_num + (c->op ? step : max - step)) % max;
        int found = find_short(refs, s, pic_num > s->frame_num ? pic_num - max : pic_num);
        memmove(list + i + 1, list + i, (size_t)(active - i) * sizeof(*list));
        list[i] = found;
        int to = i + 1;
        for (int from = i + 1; from <= active; from++) {
            if (found < 0 || list[from] != found)
                list[to++] = list[from];
        }
    }
    return true;
}

static int add_unique(int64_t *to, int count, int64_t number)
{
    for (int i = 0; i < count; i++) {
        if (to[i] == number)
            return count;
    }
    if (count == SC_H264_MAX_REFS)
        return SC_H264_REFS_UNKNOWN;
    to[count] = number;
    return count + 1;
}

// Adds what one slice may refer to.
static int list_references(const sc_h264_refs *refs, const struct sc_h264_slice *s, int64_t poc,
                           int64_t *to, int count)
{
    int lists = s->type == SC_H264_P ? 1 : s->type == SC_H264_B ? 2 : 0;
    for (int which = 0; which < lists; which++) {
        int list[MAX_DPB + SC_H264_MAX_REFS + 2];
        memset(list, 0xff, sizeof(list)); // -1: no picture
        initial_list(refs, s, which, poc, list);
        if (!change_list(refs, s, which, list))
            return SC_H264_REFS_UNKNOWN;
        for (int i = 0; i < s->active[which] && count >= 0; i++) {
            if (list[i] >= 0)
                count = add_unique(to, count, refs->dpb[list[i]].number);
        }
        if (count < 0)
            break;
    }
    return count;
}

// --- marking ------------------------------------------------------------------------------------

static void forget(sc_h264_refs *refs, int at)
{
    refs->count--;
    memmove(refs->dpb + at, refs->dpb + at + 1,
            (size_t)(refs->count - at) * sizeof(*refs->dpb));
}

static void slide(sc_h264_refs *refs, const struct sc_h264_slice *s) // 8.2.5.3
{
    int most = s->sps->max_refs > 1 ? s->sps->max_refs : 1;
    while (refs->count >= most) {
        int oldest = 0;
        for (int i = 1; i < refs->count; i++) {
            if (wrapped(s, refs->dpb[i].frame_num) < wrapped(s, refs->dpb[oldest].frame_num))
                oldest = i;
        }
        forget(refs, oldest);
    }
}

// Are its marking operations among those that are followed?
static bool marks_simply(const struct sc_h264_slice *s)
{
    for (int i = 0; i < s->marking_count; i++) {
        const struct sc_h264_op *m = &s->marking[i];
        bool no_long_term = m->op == 4 && !m->value; // there are none anyway
        if (!no_long_term && (m->op != 1 || m->value >= (1U << s->sps->frame_num_bits)))
            return false;
    }
    return true;
}

static bool mark_adaptively(sc_h264_refs *refs, const struct sc_h264_slice *s) // 8.2.5.4
{
    if (!marks_simply(s))
        return false;
    for (int i = 0; i < s->marking_count; i++) {
        const struct sc_h264_op *m = &s->marking[i];
        if (m->op != 1)
            continue;
        int at = find_short(refs, s, s->frame_num - (int)m->value - 1);
        if (at >= 0)
            forget(refs, at);
    }
    return refs->count < (s->sps->max_refs > 1 ? s->sps->max_refs : 1);
}

// A picture is complete: it takes its place among the references.
static bool mark(sc_h264_refs *refs, const struct sc_h264_slice *s, int64_t number, int64_t poc)
{
    refs->last_frame_num = s->frame_num;
    refs->last_poc = poc;
    refs->sps = s->sps;
    bool first = !refs->started;
    refs->started = true;
    if (!s->reference)
        return !first; // there would be no reference to count on from
    if (s->idr && s->long_term)
        return false;
    if (s->adaptive) {
        if (!mark_adaptively(refs, s))
            return false;
    } else {
        slide(refs, s);
    }
    refs->dpb[refs->count++] = (struct picture){number, s->frame_num, poc};
    refs->frame_num = s->frame_num;
    return true;
}

// --- packets ------------------------------------------------------------------------------------

// Does this frame number follow on the last reference picture's (7.4.3)?
static bool follows(const sc_h264_refs *refs, const struct sc_h264_slice *s)
{
    if (s->idr || !refs->started)
        return true;
    int next = (refs->frame_num + 1) % (1 << s->sps->frame_num_bits);
    return s->frame_num == next;
}

// Parameter sets may change at an entry point only.
static bool take_set_again(sc_h264_refs *refs, const struct sc_nal *nal)
{
    struct sc_h264_sets before = refs->sets;
    take_set(refs, nal);
    return !refs->started || !memcmp(&before, &refs->sets, sizeof(before));
}

void sc_h264_refs_extradata(sc_h264_refs *refs, const uint8_t *data, int size)
{
    struct sc_h264_sets before = refs->sets;
    int length_size = refs->nal_length_size;
    if (size < 7 || data[0] != 1)
        return;
    refs->nal_length_size = sc_nal_avcc(data, size, take_set, refs);
    if (refs->started && (refs->nal_length_size != length_size ||
                          memcmp(&before, &refs->sets, sizeof(before)) != 0))
        refs->lost = true;
}

static int add_packet(sc_h264_refs *refs, int64_t number, const uint8_t *data, int size,
                      int64_t *to)
{
    struct sc_h264_slice first = {0}, slice;
    struct sc_nal nal;
    int pos = 0, count = 0;
    int64_t poc = 0;
    bool broken = false;
    while (sc_nal_next(refs->nal_length_size, data, size, &pos, &nal, &broken)) {
        int type = nal.size ? nal.data[0] & 31 : 0;
        if ((type == SC_H264_SPS || type == SC_H264_PPS) && !take_set_again(refs, &nal))
            return SC_H264_REFS_UNKNOWN;
        if (type > SC_H264_SLICE && type < SC_H264_IDR) // data partitions
            return SC_H264_REFS_UNKNOWN;
        if (type != SC_H264_SLICE && type != SC_H264_IDR)
            continue;
        if (!sc_h264_slice_whole(&refs->sets, &nal, &slice) || !slice.sps->frame_mbs_only ||
            slice.redundant)
            return SC_H264_REFS_UNKNOWN;
        if (!first.sps) {
            first = slice;
            if (first.idr)
                refs->count = 0;
            if (!follows(refs, &first))
                return SC_H264_REFS_UNKNOWN;
            poc = first.sps->poc_type ? order_by_frame_num(refs, &first)
                                      : order_by_lsb(refs, &first);
        } else if (!slice.first_mb || slice.frame_num != first.frame_num) {
            return SC_H264_REFS_UNKNOWN; // two pictures in one packet
        }
        if ((count = list_references(refs, &slice, poc, to, count)) < 0)
            return count;
    }
    return !broken && first.sps && mark(refs, &first, number, poc) ? count
                                                                   : SC_H264_REFS_UNKNOWN;
}

int sc_h264_refs_add(sc_h264_refs *refs, int64_t number, const uint8_t *data, int size,
                     int64_t to[SC_H264_MAX_REFS])
{
    int count = refs->lost ? SC_H264_REFS_UNKNOWN : add_packet(refs, number, data, size, to);
    refs->lost = count == SC_H264_REFS_UNKNOWN;
    return count;
}

// --- stand-ins ----------------------------------------------------------------------------------

struct writer {
    uint8_t *data;
    int size, bits, zeros;
    uint32_t byte;
};

static void put_byte(struct writer *w, uint8_t byte)
{
    if (w->zeros >= 2 && byte <= 3) { // emulation prevention
        w->data[w->size++] = 3;
        w->zeros = 0;
    }
    w->data[w->size++] = byte;
    w->zeros = byte ? 0 : w->zeros + 1;
}

static void put(struct writer *w, uint32_t value, int count)
{
    while (count--) {
        w->byte = w->byte << 1 | (value >> count & 1);
        if (++w->bits == 8) {
            put_byte(w, (uint8_t)w->byte);
            w->byte = 0;
            w->bits = 0;
        }
    }
}

static void put_ue(struct writer *w, uint32_t value)
{
    int length = 31 - __builtin_clz(value + 1);
    put(w, 0, length);
    put(w, value + 1, length + 1);
}

static void put_trailing(struct writer *w)
{
    put(w, 1, 1);
    while (w->bits)
        put(w, 0, 1);
}

// Closes a unit: its length goes in front of it.
static void put_length(const struct writer *w, int at, int length_size)
{
    for (int i = 0; i < length_size; i++)
        w->data[at + i] = (uint8_t)((w->size - at - length_size) >> 8 * (length_size - 1 - i));
}

static int unused_pps(const struct sc_h264_sets *sets)
{
    int id = SC_H264_MAX_PPS - 1;
    while (id >= 0 && sets->pps[id].known)
        id--;
    return id;
}

// CAVLC, one list entry, no weights, quantiser 26, filter control.
static void put_pps(struct writer *w, uint32_t id, uint32_t sps)
{
    put_ue(w, id);
    put_ue(w, sps);
    put(w, 0, 2);
    put(w, 7, 3); // one slice group, one entry in each list
    put(w, 0, 3); // no weights
    put(w, 7, 3); // quantisers
    put(w, 1, 1); // the filter may be switched off
    put(w, 0, 2);
    put_trailing(w);
}

static void put_marking(struct writer *w, const struct sc_h264_slice *s)
{
    if (!s->reference)
        return;
    put(w, s->adaptive, 1);
    for (int i = 0; i < s->marking_count; i++) {
        put_ue(w, s->marking[i].op);
        put_ue(w, s->marking[i].value);
    }
    if (s->adaptive)
        put_ue(w, 0);
}

// A macroblock is 00100 1 1 1: Intra 16x16 predicted by its mean without residual, chroma likewise,
// the same quantiser, no coefficients (7.3.5, tables 7-11 and 9-5). Eight bits: bytes repeat.
static void put_grey(struct writer *w, int mbs)
{
    put(w, 0x2727, 16);
    memset(w->data + w->size, w->data[w->size - 1], (size_t)mbs - 2);
    w->size += mbs - 2;
}

static void put_slice(struct writer *w, const struct sc_h264_slice *s, uint32_t pps)
{
    put(w, s->reference ? 0x61 : 0x01, 8);
    put_ue(w, 0); // first macroblock
    put_ue(w, 7); // all slices are intra
    put_ue(w, pps);
    put(w, (uint32_t)s->frame_num, s->sps->frame_num_bits);
    put(w, s->poc_lsb, s->sps->poc_lsb_bits);
    put_marking(w, s);
    put_ue(w, 0); // quantiser
    put_ue(w, 1); // no filter
    put_grey(w, s->sps->mbs);
    put_trailing(w);
}

static bool first_slice(const sc_h264_refs *refs, const AVPacket *pkt, struct sc_nal *nal,
                        struct sc_h264_slice *slice)
{
    int pos = 0;
    bool broken = false;
    while (sc_nal_next(refs->nal_length_size, pkt->data, pkt->size, &pos, nal, &broken)) {
        if (nal->size && (nal->data[0] & 31) == SC_H264_SLICE)
            return sc_h264_slice_whole(&refs->sets, nal, slice);
    }
    return false;
}

static bool can_be_grey(const sc_h264_refs *refs, const struct sc_h264_sps *sps)
{
    int length_size = refs->nal_length_size;
    return sps->frame_mbs_only && !sps->separate_planes &&
           (sps->chroma == 1 || sps->chroma == 2) && sps->mbs >= 2 && length_size >= 2 &&
           (length_size > 2 || sps->mbs <= MAX_SHORT);
}

// Makes pkt a grey picture with the head of `slice`.
static bool make_grey(const sc_h264_refs *refs, const struct sc_h264_slice *slice,
                      AVPacket *pkt)
{
    int pps = unused_pps(&refs->sets), length_size = refs->nal_length_size;
    if (pps < 0 || !can_be_grey(refs, slice->sps))
        return false;
    AVBufferRef *buf =
        av_buffer_alloc((size_t)slice->sps->mbs + MAX_HEADERS + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!buf)
        return false;
    struct writer w = {.data = buf->data, .size = length_size};
    put(&w, 0x68, 8);
    put_pps(&w, (uint32_t)pps, (uint32_t)(slice->sps - refs->sets.sps));
    put_length(&w, 0, length_size);
    int at = w.size;
    w.size += length_size;
    w.zeros = 0;
    put_slice(&w, slice, (uint32_t)pps);
    put_length(&w, at, length_size);
    memset(w.data + w.size, 0, AV_INPUT_BUFFER_PADDING_SIZE);
    av_buffer_unref(&pkt->buf);
    pkt->buf = buf;
    pkt->data = buf->data;
    pkt->size = w.size;
    return true;
}

bool sc_h264_refs_stand_in(const sc_h264_refs *refs, AVPacket *pkt)
{
    struct sc_h264_slice slice;
    struct sc_nal nal;
    return first_slice(refs, pkt, &nal, &slice) && marks_simply(&slice) &&
           make_grey(refs, &slice, pkt);
}

bool sc_h264_refs_filler(const sc_h264_refs *refs, AVPacket *pkt)
{
    if (refs->lost || !refs->started || refs->sps->poc_type)
        return false;
    uint32_t frame_num = (uint32_t)refs->frame_num + 1, poc = (uint32_t)(refs->last_poc + 1);
    struct sc_h264_slice slice = {
        .sps = refs->sps,
        .frame_num = (int)(frame_num & ((1U << refs->sps->frame_num_bits) - 1)),
        .poc_lsb = poc & ((1U << refs->sps->poc_lsb_bits) - 1),
    };
    av_packet_unref(pkt);
    return make_grey(refs, &slice, pkt);
}
