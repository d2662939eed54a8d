// Verification: one linear decode that hashes every frame, then a decode from each entry that
// must give the same.
#include <string.h>

#include "base/mem.h"
#include "media/decoder.h"
#include "media/frame.h"
#include "media/index_internal.h"

struct verify {
    sc_index *ix;
    const char *path;
    const struct sc_index_params *params;
    uint64_t *linear;   // per packet: hash of the frame it gave in the linear decode, 0 none
    uint8_t *differs;   // per packet: random access gave something else
    int64_t done, work; // packets decoded, for progress
    int threads;        // 1 once damage was seen: see sc_decoder_errors()
};

static void step(struct verify *v)
{
    if (v->params->progress && !(++v->done & 15))
        v->params->progress(v->params->progress_arg, (double)v->done / (double)v->work);
}

static int take_linear(void *arg, AVFrame *frame, int64_t packet)
{
    struct verify *v = arg;
    step(v);
    if (packet >= 0 && packet < v->ix->header->packets && v->ix->packets[packet].frame >= 0 &&
        !v->linear[packet])
        v->linear[packet] = sc_frame_hash(frame);
    return 0;
}

struct probe {
    struct verify *v;
    int64_t entry;
    uint8_t *seen; // per packet
};

static int take_random(void *arg, AVFrame *frame, int64_t packet)
{
    struct probe *p = arg;
    struct verify *v = p->v;
    step(v);
    if (packet < 0 || packet >= v->ix->header->packets)
        return 0;
    int32_t n = v->ix->packets[packet].frame;
    if (n < 0 || !v->linear[packet] || sc_index_entry_for(v->ix, n) != p->entry)
        return 0;
    p->seen[packet] = 1;
    v->differs[packet] = sc_frame_hash(frame) != v->linear[packet];
    return 0;
}

// One past the last packet whose frame is reached from this entry.
static int64_t reach(const sc_index *ix, int64_t entry)
{
    struct sc_entry_info e = sc_index_entry(ix, entry);
    int64_t to = e.end, frames = ix->header->frames;
    int64_t next =
        entry + 1 < ix->header->entries ? sc_index_entry(ix, entry + 1).first_exact : frames;
    for (int64_t n = e.first_exact; n < next; n++)
        to = (int64_t)ix->frames[n].packet + 1 > to ? (int64_t)ix->frames[n].packet + 1 : to;
    return to;
}

static int probe_entry(struct verify *v, int64_t entry, uint8_t *seen, sc_err *err)
{
    struct probe probe = {v, entry, seen};
    struct sc_entry_info e = sc_index_entry(v->ix, entry);
    int64_t to = reach(v->ix, entry);
    int ret = sc_decode_range(v->ix, v->path, e.packet, to, v->threads, v->params->cancel,
                              take_random, &probe, NULL, err);
    for (int64_t k = e.packet; ret >= 0 && k < to; k++) {
        int32_t n = v->ix->packets[k].frame;
        if (n >= 0 && v->linear[k] && !seen[k] && sc_index_entry_for(v->ix, n) == entry)
            v->differs[k] = 1;
    }
    return ret;
}

// A new index from the old one: hashes in, frames that never came out.
static int conclude(struct verify *v, sc_index **pix, sc_err *err)
{
    const sc_index *ix = v->ix;
    struct sc_index_header h = *ix->header;
    struct sc_frame_rec *frames = sc_try_calloc((size_t)h.frames, sizeof(*frames));
    uint64_t *hashes = sc_try_calloc((size_t)h.frames, sizeof(*hashes));
    struct sc_packet_rec *packets = sc_try_calloc((size_t)h.packets, sizeof(*packets));
    struct sc_entry_rec *entries = sc_try_calloc((size_t)h.entries, sizeof(*entries));
    int ret = frames && hashes && packets && entries ? SC_OK : SC_ENOMEM;
    if (ret < 0)
        goto out;
    memcpy(packets, ix->packets, (size_t)h.packets * sizeof(*packets));
    int64_t kept = 0, e = 0, first_ticks = 0;
    h.differing = 0;
    for (int64_t n = 0; n <= h.frames; n++) {
        for (; e < h.entries && ix->entries[e].first_exact == (uint64_t)n; e++)
            entries[e] = (struct sc_entry_rec){ix->entries[e].packet, (uint32_t)kept};
        if (n == h.frames)
            break;
        uint32_t k = ix->frames[n].packet;
        if (!v->linear[k]) {
            packets[k].frame = -1;
            packets[k].flags |= SC_PACKET_HIDDEN;
            continue;
        }
        if (!kept)
            first_ticks = ix->frames[n].ticks;
        frames[kept] = ix->frames[n];
        frames[kept].ticks -= first_ticks;
        frames[kept].flags = v->differs[k] ? SC_FRAME_DIFFERS : 0;
        h.differing += v->differs[k];
        packets[k].frame = (int32_t)kept;
        hashes[kept++] = v->linear[k];
    }
    while (h.entries > 1 && entries[h.entries - 1].first_exact >= kept)
        h.entries--; // nothing is displayed from there any more
    h.frames = kept;
    h.duration_ticks -= first_ticks;
    h.has_hash = 1;
    h.verdict = h.differing ? SC_VERDICT_DIFFERS : SC_VERDICT_EXACT;
    struct sc_index_parts parts = {
        .header = h,
        .frames = frames,
        .hashes = hashes,
        .packets = packets,
        .dts = ix->dts,
        .entries = entries,
        .sides = ix->sides,
        .extradata = ix->extradata,
        .side_data = ix->side_data,
    };
    ret = kept ? sc_index_assemble(pix, &parts, err)
               : sc_fail(err, SC_EDATA, "no frame of the video can be decoded");
out:
    free(frames);
    free(hashes);
    free(packets);
    free(entries);
    return ret;
}

static int decode_linear(struct verify *v, sc_err *err)
{
    int64_t packets = v->ix->header->packets, errors = 0;
    int ret = sc_decode_range(v->ix, v->path, 0, packets, v->threads, v->params->cancel,
                              take_linear, v, &errors, err);
    if (ret < 0 || !errors || v->threads == 1)
        return ret;
    v->threads = 1;
    v->work += packets;
    memset(v->linear, 0, (size_t)packets * sizeof(*v->linear));
    return sc_decode_range(v->ix, v->path, 0, packets, 1, v->params->cancel, take_linear, v,
                           NULL, err);
}

int sc_index_verify(sc_index **pverified, sc_index *ix, const char *path,
                    const struct sc_index_params *params, sc_err *err)
{
    static const struct sc_index_params defaults;
    struct verify v = {.ix = ix, .path = path, .params = params ? params : &defaults};
    size_t packets = (size_t)ix->header->packets;
    uint8_t *seen = sc_try_calloc(packets, 1);
    *pverified = NULL;
    v.work = 2 * ix->header->packets;
    v.threads = v.params->threads;
    v.linear = sc_try_calloc(packets, sizeof(uint64_t));
    v.differs = sc_try_calloc(packets, 1);
    int ret = v.linear && v.differs && seen ? SC_OK : SC_ENOMEM;
    if (ret >= 0)
        ret = decode_linear(&v, err);
    for (int64_t e = 1; ret >= 0 && e < ix->header->entries; e++)
        ret = probe_entry(&v, e, seen, err);
    if (ret >= 0)
        ret = conclude(&v, pverified, err);
    free(v.linear);
    free(v.differs);
    free(seen);
    return ret < 0 ? sc_fail(err, ret, "%s: %s", path, sc_strerror(ret)) : SC_OK;
}
