#include "media/h264.h"

#include <string.h>

#include "media/bits.h"

#define MAX_MBS (1 << 20) // far above level 6.2's 139,264

static void skip_scaling_list(sc_bits *b, int count)
{
    int last = 8, next = 8;
    for (int i = 0; i < count; i++) {
        if (next)
            next = (int)(((uint32_t)last + (uint32_t)sc_bits_se(b)) & 255); // of any step
        last = next ? next : last;
    }
}

static bool has_chroma_fields(int profile)
{
    static const uint8_t profiles[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134};
    return memchr(profiles, profile, sizeof(profiles)) != NULL;
}

static void take_chroma_fields(sc_bits *b, struct sc_h264_sps *sps)
{
    uint32_t chroma = sc_bits_ue(b);
    sps->chroma = chroma < 4 ? (int)chroma : 3;
    if (chroma == 3)
        sps->separate_planes = sc_bits_get(b, 1);
    sc_bits_ue(b); // bit depths
    sc_bits_ue(b);
    sc_bits_get(b, 1);
    if (!sc_bits_get(b, 1))
        return;
    for (int i = 0; i < (chroma == 3 ? 12 : 8); i++) {
        if (sc_bits_get(b, 1))
            skip_scaling_list(b, i < 6 ? 16 : 64);
    }
}

// False where no picture could be read by them.
static bool take_poc_fields(sc_bits *b, struct sc_h264_sps *sps)
{
    uint32_t type = sc_bits_ue(b), lsb_bits = type ? 0 : sc_bits_ue(b);
    if (type > 2 || lsb_bits > 12)
        return false;
    sps->poc_type = (int)type;
    sps->poc_lsb_bits = type ? 0 : (int)lsb_bits + 4;
    if (type == 1) {
        sc_bits_get(b, 1);
        sc_bits_se(b);
        sc_bits_se(b);
        uint32_t count = sc_bits_ue(b);
        for (uint32_t i = 0; i < count && i < 256; i++)
            sc_bits_se(b);
    }
    return true;
}

void sc_h264_take_sps(struct sc_h264_sets *sets, const struct sc_nal *nal)
{
    sc_bits b;
    sc_bits_init_escaped(&b, nal->data + 1, nal->size - 1);
    struct sc_h264_sps sps;
    memset(&sps, 0, sizeof(sps));
    sps.known = true;
    sps.chroma = 1;
    int profile = (int)sc_bits_get(&b, 8);
    sc_bits_get(&b, 16);
    uint32_t id = sc_bits_ue(&b);
    if (has_chroma_fields(profile))
        take_chroma_fields(&b, &sps);
    uint32_t frame_num_bits = sc_bits_ue(&b);
    bool order = take_poc_fields(&b, &sps);
    uint32_t refs = sc_bits_ue(&b);
    sps.gaps_allowed = sc_bits_get(&b, 1);
    uint64_t width = (uint64_t)sc_bits_ue(&b) + 1, height = (uint64_t)sc_bits_ue(&b) + 1;
    sps.frame_mbs_only = sc_bits_get(&b, 1);
    if (id >= SC_H264_MAX_SPS || frame_num_bits > 12 || !order || sc_bits_overrun(&b))
        return;
    sps.frame_num_bits = (int)frame_num_bits + 4;
    sps.max_refs = refs < 16 ? (int)refs : 16;
    sps.mbs = width <= MAX_MBS && height <= MAX_MBS / width ? (int)(width * height) : 0;
    memcpy(&sets->sps[id], &sps, sizeof(sps)); // with the padding: sets are compared
}

void sc_h264_take_pps(struct sc_h264_sets *sets, const struct sc_nal *nal)
{
    sc_bits b;
    sc_bits_init_escaped(&b, nal->data + 1, nal->size - 1);
    uint32_t id = sc_bits_ue(&b), sps = sc_bits_ue(&b);
    if (id >= SC_H264_MAX_PPS || sps >= SC_H264_MAX_SPS || sc_bits_overrun(&b))
        return;
    struct sc_h264_pps pps;
    memset(&pps, 0, sizeof(pps));
    pps.known = true;
    pps.sps = (uint8_t)sps;
    sc_bits_get(&b, 1); // entropy coding mode
    pps.bottom_poc = sc_bits_get(&b, 1);
    pps.slice_groups = sc_bits_ue(&b) > 0;
    for (int i = 0; i < 2 && !pps.slice_groups; i++) {
        uint32_t active = sc_bits_ue(&b);
        pps.active[i] = active < SC_H264_MAX_REFS ? (uint8_t)(active + 1) : SC_H264_MAX_REFS;
    }
    pps.weighted_p = sc_bits_get(&b, 1);
    pps.weighted_b = (uint8_t)sc_bits_get(&b, 2);
    sc_bits_se(&b); // quantisers
    sc_bits_se(&b);
    sc_bits_se(&b);
    sc_bits_get(&b, 2); // deblocking control, constrained intra prediction
    pps.redundant = sc_bits_get(&b, 1);
    memcpy(&sets->pps[id], &pps, sizeof(pps));
}

// --- slices -----------------------------------------------------------------------------------

static bool take_head(const struct sc_h264_sets *sets, const struct sc_nal *nal, sc_bits *b,
                      struct sc_h264_slice *s)
{
    *s = (struct sc_h264_slice){
        .idr = (nal->data[0] & 31) == SC_H264_IDR,
        .reference = nal->data[0] & 0x60,
    };
    s->first_mb = sc_bits_ue(b);
    uint32_t type = sc_bits_ue(b), pps = sc_bits_ue(b);
    if (type > 9 || pps >= SC_H264_MAX_PPS || !sets->pps[pps].known ||
        !sets->sps[sets->pps[pps].sps].known)
        return false;
    s->type = (enum sc_h264_slice_type)(type % 5);
    s->pps = &sets->pps[pps];
    s->sps = &sets->sps[s->pps->sps];
    if (s->sps->separate_planes)
        sc_bits_get(b, 2);
    s->frame_num = (int)sc_bits_get(b, s->sps->frame_num_bits);
    if (!s->sps->frame_mbs_only && sc_bits_get(b, 1))
        s->field = sc_bits_get(b, 1) ? 2 : 1;
    return !sc_bits_overrun(b) && !(nal->data[0] & 0x80);
}

bool sc_h264_slice_head(const struct sc_h264_sets *sets, const struct sc_nal *nal,
                        struct sc_h264_slice *slice)
{
    sc_bits b;
    sc_bits_init_escaped(&b, nal->data + 1, nal->size - 1);
    return take_head(sets, nal, &b, slice);
}

static void take_poc(sc_bits *b, struct sc_h264_slice *s)
{
    if (s->sps->poc_type == 0) {
        s->poc_lsb = sc_bits_get(b, s->sps->poc_lsb_bits);
        if (s->pps->bottom_poc)
            s->poc_bottom = sc_bits_se(b);
    }
    if (s->pps->redundant)
        s->redundant = sc_bits_ue(b) > 0;
}

static bool take_active(sc_bits *b, struct sc_h264_slice *s, int lists)
{
    bool own = lists && sc_bits_get(b, 1);
    for (int i = 0; i < lists; i++) {
        uint32_t active = own ? sc_bits_ue(b) : s->pps->active[i] - 1U;
        if (active >= SC_H264_MAX_REFS)
            return false;
        s->active[i] = (int)active + 1;
    }
    return true;
}

static bool take_changes(sc_bits *b, struct sc_h264_slice *s, int lists)
{
    for (int i = 0; i < lists; i++) {
        if (!sc_bits_get(b, 1))
            continue;
        for (;;) {
            uint32_t op = sc_bits_ue(b);
            if (op == 3)
                break;
            if (op > 3 || s->change_count[i] > SC_H264_MAX_REFS)
                return false;
            s->changes[i][s->change_count[i]++] =
                (struct sc_h264_op){(uint8_t)op, sc_bits_ue(b)};
        }
    }
    return true;
}

static void skip_weights(sc_bits *b, const struct sc_h264_slice *s, int lists)
{
    bool chroma = s->sps->chroma && !s->sps->separate_planes;
    sc_bits_ue(b);
    if (chroma)
        sc_bits_ue(b);
    for (int i = 0; i < lists; i++) {
        for (int k = 0; k < s->active[i]; k++) {
            for (int n = sc_bits_get(b, 1) ? 2 : 0; n > 0; n--)
                sc_bits_se(b);
            for (int n = chroma && sc_bits_get(b, 1) ? 4 : 0; n > 0; n--)
                sc_bits_se(b);
        }
    }
}

static bool take_marking(sc_bits *b, struct sc_h264_slice *s)
{
    if (!s->reference)
        return true;
    if (s->idr) {
        sc_bits_get(b, 1); // output of prior pictures
        s->long_term = sc_bits_get(b, 1);
        return true;
    }
    s->adaptive = sc_bits_get(b, 1);
    while (s->adaptive) {
        uint32_t op = sc_bits_ue(b);
        if (!op)
            break;
        if (op > 6 || s->marking_count == 66)
            return false;
        struct sc_h264_op *m = &s->marking[s->marking_count++];
        *m = (struct sc_h264_op){(uint8_t)op, op == 5 ? 0 : sc_bits_ue(b)};
        if (op == 3)
            sc_bits_ue(b);
    }
    return true;
}

bool sc_h264_slice_whole(const struct sc_h264_sets *sets, const struct sc_nal *nal,
                         struct sc_h264_slice *s)
{
    sc_bits b;
    sc_bits_init_escaped(&b, nal->data + 1, nal->size - 1);
    if (!take_head(sets, nal, &b, s) || s->field || s->pps->slice_groups ||
        s->sps->poc_type == 1 || s->type > SC_H264_I)
        return false;
    int lists = s->type == SC_H264_P ? 1 : s->type == SC_H264_B ? 2 : 0;
    if (s->idr)
        sc_bits_ue(&b); // idr_pic_id
    take_poc(&b, s);
    if (s->type == SC_H264_B)
        sc_bits_get(&b, 1); // direct prediction
    if (!take_active(&b, s, lists) || !take_changes(&b, s, lists))
        return false;
    if ((s->type == SC_H264_P && s->pps->weighted_p) ||
        (s->type == SC_H264_B && s->pps->weighted_b == 1))
        skip_weights(&b, s, lists);
    return take_marking(&b, s) && !sc_bits_overrun(&b);
}
