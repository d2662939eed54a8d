// What a decoder may be spared on its way to a frame.
//
// Pictures that no other picture refers to are passed over by the index's flags. Among the others
// some are needed only by their neighbours: the middle one of a group of B-frames. Where the
// references can be followed, from the wanted pictures back to the entry point, such pictures are
// replaced by stand-ins, and what is left decodes in parallel.
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "media/reader_internal.h"

#define WORTHWHILE 4 // packets: on shorter ways nothing is gained

// The references of a stretch of packets: those of packet from + i are to[first[i]..first[i + 1]).
struct references {
    int64_t *to;
    size_t *first;
    size_t count, room;
    int64_t known_from; // before this one all are needed
};

bool sc_slot_follows(sc_index *index)
{
    const AVCodecParameters *par = sc_index_codecpar(index);
    return sc_index_get_info(index)->direct && sc_h264_refs_possible(par);
}

bool sc_plan_skips(const struct sc_plan *plan, int64_t packet)
{
    return packet >= plan->from && packet < plan->to && !plan->needed[packet - plan->from];
}

void sc_plan_free(struct sc_plan *plan)
{
    free(plan->needed);
    *plan = (struct sc_plan){0};
}

bool sc_slot_spoiled(const struct sc_slot *slot, int64_t packet)
{
    int low = 0, high = slot->spoiled_count;
    while (low < high) {
        int mid = (low + high) / 2;
        if (slot->spoiled[mid] < packet)
            low = mid + 1;
        else
            high = mid;
    }
    return low < slot->spoiled_count && slot->spoiled[low] == packet;
}

static void spoil(struct sc_slot *slot, int64_t number)
{
    if (slot->spoiled_count == slot->spoiled_room) {
        slot->spoiled_room = slot->spoiled_room ? 2 * slot->spoiled_room : 64;
        slot->spoiled =
            sc_xrealloc(slot->spoiled, (size_t)slot->spoiled_room * sizeof(*slot->spoiled));
    }
    slot->spoiled[slot->spoiled_count++] = number;
}

void sc_slot_stand_in(struct sc_slot *slot, int64_t number, AVPacket *pkt)
{
    // Without a stand-in the real one goes, which may refer to others that are not there.
    sc_h264_refs_stand_in(slot->refs, pkt);
    spoil(slot, number);
}

// What the next packet refers to, as sc_h264_refs_add() has it.
static int take(struct sc_slot *slot, int64_t number, const AVPacket *pkt, int64_t *to)
{
    size_t size = 0;
    const uint8_t *extra = av_packet_get_side_data(pkt, AV_PKT_DATA_NEW_EXTRADATA, &size);
    if (extra && size <= INT_MAX)
        sc_h264_refs_extradata(slot->refs, extra, (int)size);
    slot->refs_at = number + 1;
    return sc_h264_refs_add(slot->refs, number, pkt->data, pkt->size, to);
}

bool sc_slot_spoils(struct sc_slot *slot, int64_t number, const AVPacket *pkt)
{
    int64_t to[SC_H264_MAX_REFS];
    if (!slot->spoiled_count || number < slot->refs_at)
        return false;
    int count = take(slot, number, pkt, to);
    bool spoils = count < 0;
    for (int i = 0; i < count; i++)
        spoils = spoils || sc_slot_spoiled(slot, to[i]);
    if (spoils)
        spoil(slot, number);
    return spoils;
}

bool sc_slot_fill(const struct sc_slot *slot, AVPacket *pkt)
{
    if (!slot->refs || slot->refs_at != slot->at || !sc_h264_refs_filler(slot->refs, pkt))
        return false;
    pkt->pts = pkt->dts = -1; // it is nobody's
    return true;
}

static int follow(struct sc_slot *slot, int64_t packet, AVPacket *pkt, int64_t *to, int *count,
                  sc_err *err)
{
    int ret = sc_source_read(slot->src, packet, pkt, err);
    if (ret >= 0)
        *count = take(slot, packet, pkt, to);
    return ret;
}

static int collect(struct references *r, struct sc_slot *slot, int64_t last, AVPacket *pkt,
                   sc_err *err)
{
    int64_t to[SC_H264_MAX_REFS];
    int count = 0, ret = SC_OK;
    for (int64_t k = slot->refs_at; k <= last && ret >= 0; k++) {
        ret = follow(slot, k, pkt, to, &count, err);
        if (k < slot->at || ret < 0)
            continue;
        if (count < 0) {
            r->known_from = k + 1;
            count = 0;
        }
        if (r->count + (size_t)count > r->room) {
            r->room = 2 * r->room + SC_H264_MAX_REFS;
            r->to = sc_xrealloc(r->to, r->room * sizeof(*r->to));
        }
        for (int i = 0; i < count; i++)
            r->to[r->count++] = to[i];
        r->first[k - slot->at + 1] = r->count;
    }
    return ret;
}

// Goes back from the wanted pictures. False when one of them needs a picture that the decoder
// was given a stand-in for.
static bool mark_needed(struct sc_plan *plan, const struct references *r,
                        const struct sc_slot *slot, sc_wanted_fn *wanted, const void *arg)
{
    for (int64_t k = plan->to - 1; k >= plan->from; k--) {
        int64_t i = k - plan->from;
        if (k < r->known_from || wanted(arg, k))
            plan->needed[i] = 1;
        for (size_t at = r->first[i]; plan->needed[i] && at < r->first[i + 1]; at++) {
            if (r->to[at] >= plan->from)
                plan->needed[r->to[at] - plan->from] = 1;
            else if (sc_slot_spoiled(slot, r->to[at]))
                return false;
        }
    }
    return r->known_from <= plan->from || !slot->spoiled_count;
}

int sc_plan_make(struct sc_plan *plan, struct sc_slot *slot, int64_t last, sc_wanted_fn *wanted,
                 const void *arg, AVPacket *pkt, sc_err *err)
{
    *plan = (struct sc_plan){0};
    if (!slot->refs || slot->linear || last < slot->at ||
        (last - slot->at < WORTHWHILE && !slot->spoiled_count))
        return SC_OK;
    size_t length = (size_t)(last - slot->at + 1);
    struct references r = {.room = SC_H264_MAX_REFS};
    r.to = sc_xcalloc(r.room, sizeof(*r.to));
    r.first = sc_try_calloc(length + 1, sizeof(*r.first));
    plan->needed = sc_try_calloc(length, 1);
    int ret = r.first && plan->needed ? SC_OK : SC_ENOMEM;
    plan->from = slot->at;
    plan->to = last + 1;
    if (ret == SC_OK)
        ret = collect(&r, slot, last, pkt, err);
    if (ret >= 0 && !mark_needed(plan, &r, slot, wanted, arg))
        ret = SC_ESTALE;
    if (ret < 0)
        sc_plan_free(plan);
    free(r.first);
    free(r.to);
    return ret;
}
