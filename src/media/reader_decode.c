// The decoding side of the reader: slots, passes, landing checks.
#include <string.h>

#include <libavutil/frame.h>

#include "base/mem.h"
#include "media/reader_internal.h"

#define LEADING_MOST 64 // packets behind an entry among which leading pictures are looked for
#define WINDOW_BACK  64 // frames kept at most for a reader that walks backwards
#define WINDOW_AHEAD 32 // frames that reordering and threads can bring out besides a target
#define MAX_FILLERS  40 // 16 frames of reordering, one for each thread of a large machine
#define LOST_AFTER   96 // packets sent behind a target that has not come out: it is lost

struct pass {
    struct sc_group *group;
    sc_reader_engine *engine;
    sc_reader *reader;
    struct sc_slot *slot;
    AVPacket *pkt;
    sc_err *err;
    // The frames this pass is after, sorted by packet; done ones are -1.
    int64_t *targets; // packets
    int count, open;
    int64_t first_n;                // the lowest frame number
    int64_t last_target;            // the greatest packet
    int64_t window_from, window_to; // frame numbers kept besides, for readers going backwards
    enum sc_approach approach;
    struct sc_plan plan;
    int fillers;   // sent to push a single target out
    bool distrust; // a target came out that is not to be trusted
};

// --- slots ------------------------------------------------------------------------------------

static void close_slot(struct sc_slot *slot)
{
    sc_decoder_close(&slot->dec);
    sc_source_close(&slot->src);
    sc_index_unref(&slot->index);
    sc_h264_refs_close(&slot->refs);
    free(slot->spoiled);
    free(slot);
}

static struct sc_slot *oldest_idle(sc_reader_engine *engine, const sc_reader *reader)
{
    struct sc_slot *oldest = NULL;
    for (struct sc_slot *s = engine->slots; s; s = s->next) {
        if (!s->busy && (!reader || s->reader == reader) && (!oldest || s->used < oldest->used))
            oldest = s;
    }
    return oldest;
}

static void unlink_slot(sc_reader_engine *engine, struct sc_slot *slot)
{
    struct sc_slot **at = &engine->slots;
    while (*at != slot)
        at = &(*at)->next;
    *at = slot->next;
    engine->slot_count--;
}

static void close_unlocked(sc_reader_engine *engine, struct sc_slot *slot)
{
    unlink_slot(engine, slot);
    pthread_mutex_unlock(&engine->lock);
    close_slot(slot);
    pthread_mutex_lock(&engine->lock);
}

void sc_slots_close(sc_reader_engine *engine, int keep)
{
    struct sc_slot *slot;
    while (engine->slot_count > keep && (slot = oldest_idle(engine, NULL)))
        close_unlocked(engine, slot);
}

void sc_slots_close_reader(sc_reader_engine *engine, const sc_reader *reader)
{
    struct sc_slot *slot;
    while ((slot = oldest_idle(engine, reader)))
        close_unlocked(engine, slot);
}

static bool holds(const struct sc_slot *slot, int64_t packet)
{
    for (int i = 0; i < slot->inflight_count; i++) {
        if (slot->inflight[i] == packet)
            return true;
    }
    return false;
}

// Packets to send before the first target can come out of this slot, -1 if it never can.
static int64_t slot_cost(const struct sc_slot *slot, const struct pass *pass)
{
    int64_t first = pass->targets[0];
    if (slot->busy || slot->drained || slot->linear != (pass->approach == SC_APPROACH_LINEAR) ||
        slot->reader != pass->reader || slot->index != pass->group->index ||
        pass->first_n < slot->first_exact || pass->first_n < slot->pushed)
        return -1;
    for (int i = 0; i < pass->count; i++) {
        if (pass->targets[i] < slot->at && !holds(slot, pass->targets[i]))
            return -1;
    }
    return first < slot->at ? 0 : first - slot->at;
}

static struct sc_slot *cheapest_live(struct pass *pass, int64_t from_entry)
{
    struct sc_slot *best = NULL;
    int64_t best_cost = from_entry; // starting over costs this much
    for (struct sc_slot *s = pass->engine->slots; s; s = s->next) {
        int64_t cost = slot_cost(s, pass);
        if (cost >= 0 && cost <= best_cost) {
            best = s;
            best_cost = cost;
        }
    }
    return best;
}

static struct sc_slot *reusable(struct pass *pass, int threads)
{
    struct sc_slot *best = NULL;
    for (struct sc_slot *s = pass->engine->slots; s; s = s->next) {
        if (!s->busy && !s->linear && s->reader == pass->reader &&
            s->index == pass->group->index && s->threads == threads &&
            (!best || s->used < best->used))
            best = s;
    }
    return best;
}

static int open_slot(struct pass *pass, int threads, struct sc_slot **pslot)
{
    struct sc_slot *slot = sc_new(struct sc_slot);
    slot->reader = pass->reader;
    slot->index = sc_index_ref(pass->group->index);
    slot->threads = threads;
    slot->src = sc_source_open(slot->index, pass->reader->path);
    slot->refs =
        sc_slot_follows(slot->index) ? sc_h264_refs_open(sc_index_codecpar(slot->index)) : NULL;
    // What concealment shows may depend on what memory held before: a linear decode gets its own.
    sc_buffers *buffers = pass->approach == SC_APPROACH_LINEAR ? NULL : pass->engine->buffers;
    int ret = sc_decoder_open(&slot->dec, slot->index, threads, buffers, pass->err);
    if (ret < 0) {
        close_slot(slot);
        slot = NULL;
    }
    *pslot = slot;
    return ret;
}

// One past the last leading picture of an entry, 0 if it has none: decoded without what it refers
// to, it makes the decoder complain.
static int64_t end_of_leading(const sc_index *ix, const struct sc_entry_info *e)
{
    int64_t end = 0, packets = sc_index_get_info(ix)->packets;
    for (int64_t k = e->packet; k < packets && k < e->packet + LEADING_MOST; k++) {
        int64_t n = sc_index_packet(ix, k).frame;
        if (n >= 0 && n < e->first_exact)
            end = k + 1;
    }
    return end;
}

static void start_slot(struct sc_slot *slot, int64_t entry)
{
    struct sc_entry_info e = sc_index_entry(slot->index, entry);
    if (slot->at || slot->drained)
        sc_decoder_flush(slot->dec);
    slot->lead_end = entry ? end_of_leading(slot->index, &e) : 0;
    slot->errors = sc_decoder_errors(slot->dec);
    slot->entry = entry;
    slot->first_exact = e.first_exact;
    slot->at = e.packet;
    slot->inflight_count = 0;
    slot->drained = false;
    slot->spoiled_count = 0;
    slot->pushed = -1;
    slot->refs_at = e.packet;
    if (slot->refs)
        sc_h264_refs_reset(slot->refs);
}

// Stand-ins take a turn of a frame thread and next to none of its time: one thread more keeps all
// cores at work.
static int slot_threads(const struct pass *pass, bool wide)
{
    if (!wide || pass->approach == SC_APPROACH_LINEAR)
        return 1;
    return pass->engine->thread_count + sc_slot_follows(pass->group->index);
}

// Finds or opens a decoder for this pass, standing before its first target, marked busy.
static int acquire_slot(struct pass *pass, int64_t entry, bool wide)
{
    sc_reader_engine *engine = pass->engine;
    int threads = slot_threads(pass, wide), ret = SC_OK;
    int64_t from_entry = pass->targets[0] - sc_index_entry(pass->group->index, entry).packet;
    pthread_mutex_lock(&engine->lock);
    struct sc_slot *slot = cheapest_live(pass, from_entry);
    bool live = slot != NULL;
    if (!slot && pass->approach != SC_APPROACH_LINEAR)
        slot = reusable(pass, threads);
    if (slot)
        slot->busy = true;
    else
        sc_slots_close(engine, engine->params.max_decoders - 1);
    pthread_mutex_unlock(&engine->lock);
    if (!slot) {
        if ((ret = open_slot(pass, threads, &slot)) < 0)
            return ret;
        slot->busy = true;
        slot->linear = pass->approach == SC_APPROACH_LINEAR;
        pthread_mutex_lock(&engine->lock);
        slot->next = engine->slots;
        engine->slots = slot;
        engine->slot_count++;
        pthread_mutex_unlock(&engine->lock);
    }
    if (!live)
        start_slot(slot, entry);
    pass->slot = slot;
    return ret;
}

static void release_slot(struct pass *pass, bool broken)
{
    sc_reader_engine *engine = pass->engine;
    struct sc_slot *slot = pass->slot;
    if (!slot)
        return;
    pthread_mutex_lock(&engine->lock);
    slot->busy = false;
    slot->used = ++engine->tick;
    if (broken)
        unlink_slot(engine, slot);
    sc_slots_close(engine, engine->params.max_decoders);
    pthread_mutex_unlock(&engine->lock);
    if (broken)
        close_slot(slot);
}

// --- targets ----------------------------------------------------------------------------------

static int compare_packets(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return a < b ? -1 : a > b;
}

// Copies what the group wants now; later requests wait for the next pass. Lock held.
static void collect_targets(struct pass *pass)
{
    struct sc_group *group = pass->group;
    int count = 0;
    for (struct sc_read *r = group->reads; r; r = r->next)
        count++;
    pass->first_n = group->reads->n;
    pass->targets = sc_xcalloc((size_t)count + 1, sizeof(*pass->targets));
    for (struct sc_read *r = group->reads; r; r = r->next) {
        int64_t packet = sc_index_frame_packet(group->index, r->n);
        if (!pass->count || pass->targets[pass->count - 1] != packet)
            pass->targets[pass->count++] = packet;
    }
    qsort(pass->targets, (size_t)pass->count, sizeof(*pass->targets), compare_packets);
    int unique = 0;
    for (int i = 0; i < pass->count; i++) {
        if (!unique || pass->targets[unique - 1] != pass->targets[i])
            pass->targets[unique++] = pass->targets[i];
    }
    pass->count = pass->open = unique;
    pass->last_target = pass->targets[unique - 1];
}

static bool sequential(const struct sc_group *group)
{
    for (const struct sc_read *r = group->reads; r; r = r->next) {
        if (r->flags & SC_READ_SEQUENTIAL)
            return true;
    }
    return false;
}

// A reader that walks gets more than its target kept on the way. Backwards: the frames before it,
// as many as the cache can hold. Forwards: those that come out together with it or are about to,
// so that the live decoder can go on from there. Lock held.
static void choose_window(struct pass *pass)
{
    const struct sc_index_info *info = sc_index_get_info(pass->group->index);
    int64_t n = pass->first_n, bytes = (int64_t)info->width * info->height * 3 / 2;
    int64_t room = (int64_t)pass->engine->params.frame_cache_bytes / 2 / (bytes ? bytes : 1);
    pass->window_from = pass->window_to = -1;
    if (pass->group->background)
        return;
    if (sc_reader_walks(pass->reader, -1)) {
        pass->window_from = n - (room < WINDOW_BACK ? room : WINDOW_BACK);
        pass->window_to = n;
    } else if (sc_reader_walks(pass->reader, 1) || sequential(pass->group)) {
        pass->window_from = n;
        pass->window_to = n + WINDOW_AHEAD;
    }
}

static int target_slot(const struct pass *pass, int64_t packet)
{
    for (int i = 0; i < pass->count; i++) {
        if (pass->targets[i] == packet)
            return i;
    }
    return -1;
}

static bool wanted(const struct pass *pass, int64_t packet, int64_t n)
{
    return target_slot(pass, packet) >= 0 ||
           (n >= pass->window_from && n <= pass->window_to && pass->window_to >= 0);
}

// --- landing ----------------------------------------------------------------------------------

static bool flagged(const AVFrame *av)
{
    return (av->flags & AV_FRAME_FLAG_CORRUPT) || av->decode_error_flags;
}

static bool complained(const struct sc_slot *slot)
{
    return sc_decoder_errors(slot->dec) > slot->errors;
}

// Is this picture what the linear decode gives? With a stored hash that is certain. Without one,
// damage on the way means a linear pass: what concealment makes of it depends on everything
// decoded before, and on the number of threads.
static bool trust(const struct pass *pass, sc_frame *frame)
{
    uint64_t stored = sc_index_hash(pass->group->index, frame->n);
    if (stored) {
        frame->hash = sc_frame_hash(frame->av);
        frame->verified = frame->hash == stored;
        return frame->verified || pass->slot->linear;
    }
    return pass->slot->linear || (!flagged(frame->av) && !complained(pass->slot));
}

static void land(struct pass *pass, AVFrame *av, int64_t packet)
{
    const sc_index *ix = pass->group->index;
    int target = target_slot(pass, packet);
    int64_t n = sc_index_packet(ix, packet).frame;
    if (n < pass->slot->first_exact || !wanted(pass, packet, n)) {
        av_frame_free(&av);
        return;
    }
    sc_frame *frame = sc_frame_wrap(av, n, sc_index_pts_ns(ix, n));
    if (!frame) {
        av_frame_free(&av);
        return;
    }
    if (trust(pass, frame)) {
        sc_cache_put(pass->engine->cache, (sc_key){pass->group->uid, (uint64_t)n}, frame,
                     frame->bytes);
        if (target >= 0) {
            pass->targets[target] = -1;
            pass->open--;
        }
        // Also what was no target when this pass began: it may have been asked for since.
        sc_group_complete(pass->group, n, SC_OK, frame, NULL);
    } else if (target >= 0) {
        pass->distrust = true;
    }
    sc_frame_unref(&frame);
}

static void forget_inflight(struct sc_slot *slot, int64_t packet)
{
    for (int i = 0; i < slot->inflight_count; i++) {
        if (slot->inflight[i] == packet) {
            slot->inflight[i] = slot->inflight[--slot->inflight_count];
            return;
        }
    }
}

static void remember_inflight(struct sc_slot *slot, int64_t packet)
{
    if (slot->inflight_count == SC_SLOT_INFLIGHT) { // the oldest will not come any more
        memmove(slot->inflight, slot->inflight + 1, sizeof(slot->inflight) - sizeof(int64_t));
        slot->inflight_count--;
    }
    slot->inflight[slot->inflight_count++] = packet;
}

// --- a pass -----------------------------------------------------------------------------------

static int take_frames(struct pass *pass)
{
    for (;;) {
        AVFrame *av;
        int64_t packet;
        int ret = sc_decoder_receive(pass->slot->dec, &av, &packet);
        if (ret < 0)
            return ret;
        forget_inflight(pass->slot, packet);
        if (packet < 0 || sc_slot_spoiled(pass->slot, packet)) {
            av_frame_free(&av);
            continue;
        }
        atomic_fetch_add_explicit(&pass->engine->decoded, 1, memory_order_relaxed);
        if (packet >= sc_index_get_info(pass->group->index)->packets ||
            sc_index_packet(pass->group->index, packet).frame < 0)
            av_frame_free(&av);
        else
            land(pass, av, packet);
    }
}

static int send(struct pass *pass, const AVPacket *pkt)
{
    for (;;) {
        int ret = sc_decoder_send(pass->slot->dec, pkt);
        if (ret == SC_ENOMEM)
            return ret;
        int taken = take_frames(pass);
        if (taken == SC_ENOMEM)
            return taken;
        if (ret != SC_EAGAIN)
            return SC_OK;
    }
}

// Sends the slot's next packet, or passes it over if nobody needs it.
static int advance(struct pass *pass)
{
    struct sc_slot *slot = pass->slot;
    int64_t k = slot->at;
    bool skip = sc_plan_skips(&pass->plan, k);
    struct sc_packet_info info = sc_index_packet(slot->index, k);
    if ((info.flags & SC_PACKET_DISPOSABLE) && !slot->linear && !wanted(pass, k, info.frame)) {
        slot->at++;
        return SC_OK;
    }
    int ret = sc_source_read(slot->src, k, pass->pkt, pass->err);
    if (ret < 0)
        return ret;
    slot->at++;
    if (skip) {
        sc_slot_stand_in(slot, k, pass->pkt);
        atomic_fetch_add_explicit(&pass->engine->spared, 1, memory_order_relaxed);
    } else if (!sc_slot_spoils(slot, k, pass->pkt) && info.frame > slot->pushed) {
        remember_inflight(slot, k);
    }
    ret = send(pass, pass->pkt);
    if (k < slot->lead_end + (slot->lead_end ? slot->threads : 0))
        slot->errors = sc_decoder_errors(slot->dec);
    return ret;
}

// A single frame is pushed out of the decoder rather than followed by what comes next: that is
// decoded when it is asked for.
static bool fill(struct pass *pass)
{
    struct sc_slot *slot = pass->slot;
    if (pass->count > 1 || pass->window_to > pass->first_n ||
        slot->at != pass->last_target + 1 || pass->fillers == MAX_FILLERS ||
        !sc_slot_fill(slot, pass->pkt))
        return false;
    pass->fillers++;
    slot->pushed = pass->first_n;
    return true;
}

static int drain(struct pass *pass)
{
    pass->slot->drained = true;
    pass->slot->inflight_count = 0;
    return send(pass, NULL);
}

static bool must_stop(const struct pass *pass)
{
    sc_reader_engine *engine = pass->engine;
    return atomic_load(&pass->reader->closing) ||
           (pass->group->background && atomic_load(&engine->interactive_waiting) > 0);
}

static bool asked_for(const void *arg, int64_t packet)
{
    const struct pass *pass = arg;
    return wanted(pass, packet, sc_index_packet(pass->group->index, packet).frame);
}

// A live decoder that was spared a picture needed now starts again.
static int plan_way(struct pass *pass, int64_t entry)
{
    for (;;) {
        int ret = sc_plan_make(&pass->plan, pass->slot, pass->last_target, asked_for, pass,
                               pass->pkt, pass->err);
        if (ret != SC_ESTALE || !pass->slot->spoiled_count)
            return ret;
        start_slot(pass->slot, entry);
    }
}

static int run_pass(struct pass *pass)
{
    int64_t packets = sc_index_get_info(pass->group->index)->packets;
    int ret = take_frames(pass);
    if (ret == SC_ENOMEM)
        return ret;
    while (pass->open && !pass->distrust) {
        if (must_stop(pass))
            return SC_EAGAIN;
        if (pass->slot->at >= packets || pass->slot->at > pass->last_target + LOST_AFTER)
            return drain(pass);
        ret = fill(pass) ? send(pass, pass->pkt) : advance(pass);
        if (ret < 0)
            return ret;
    }
    return SC_OK;
}

// The pass failed its landing: this entry's frames are reached in another way from now on. False
// when the pass was linear already.
static bool go_back(struct pass *pass)
{
    sc_reader *reader = pass->reader;
    int64_t own = pass->group->entry;
    if (pass->slot->linear)
        return false;
    bool damage = complained(pass->slot) || pass->approach == SC_APPROACH_BEFORE || !own;
    pthread_mutex_lock(&pass->engine->lock);
    if (own < reader->approach_count)
        reader->approach[own] = damage ? SC_APPROACH_LINEAR : SC_APPROACH_BEFORE;
    pass->engine->stats.fallbacks++;
    pthread_mutex_unlock(&pass->engine->lock);
    SC_INFO(pass->engine->params.log,
            damage ? "damage: decoding from the start"
                   : "landing is in doubt: going one entry back",
            SC_S("path", reader->path), SC_I("entry", own));
    return true;
}

// From the start on even the linear decode has no such frame.
static void give_up(struct pass *pass)
{
    sc_err err = {0};
    for (int i = 0; i < pass->count; i++) {
        if (pass->targets[i] < 0)
            continue;
        int64_t n = sc_index_packet(pass->group->index, pass->targets[i]).frame;
        sc_fail(&err, SC_EDATA, "the data of frame %lld is damaged: no decoder can show it",
                (long long)n);
        sc_group_complete(pass->group, n, SC_EDATA, NULL, &err);
        err.code = SC_OK;
    }
}

// Lock held.
static int64_t choose_approach(struct pass *pass)
{
    int64_t entry = pass->group->entry;
    pass->approach = entry < pass->reader->approach_count
                         ? (enum sc_approach)pass->reader->approach[entry]
                         : SC_APPROACH_LINEAR;
    if (pass->approach == SC_APPROACH_LINEAR)
        return 0;
    return pass->approach == SC_APPROACH_BEFORE && entry ? entry - 1 : entry;
}

int sc_group_decode(struct sc_group *group, bool wide, sc_err *err)
{
    struct pass pass = {
        .group = group,
        .engine = group->reader->engine,
        .reader = group->reader,
        .err = err,
    };
    pthread_mutex_lock(&pass.engine->lock);
    if (!group->reads) {
        pthread_mutex_unlock(&pass.engine->lock);
        return SC_OK;
    }
    collect_targets(&pass);
    choose_window(&pass);
    int64_t entry = choose_approach(&pass);
    pthread_mutex_unlock(&pass.engine->lock);

    pass.pkt = av_packet_alloc();
    int ret = pass.pkt ? acquire_slot(&pass, entry, wide) : SC_ENOMEM;
    if (ret >= 0)
        ret = plan_way(&pass, entry);
    if (ret >= 0)
        ret = run_pass(&pass);
    if (ret == SC_OK && pass.open) {
        pass.slot->drained = true; // whatever is inside is not to be trusted
        if (!go_back(&pass))
            give_up(&pass);
    }
    release_slot(&pass, ret < 0 && ret != SC_EAGAIN);
    av_packet_free(&pass.pkt);
    sc_plan_free(&pass.plan);
    free(pass.targets);
    return ret;
}
