// Shared by media/reader.c (requests, groups, workers) and media/reader_decode.c (decoding).
//
// A *group* is the waiting requests of one video that start at the same entry point. Workers take
// groups from two queues; a group is decoded in one or more *passes*, each on one *slot* (a live
// decoder with its place in the stream). One lock guards everything but the decoding itself.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/cache.h"
#include "media/decoder.h"
#include "media/h264_refs.h"
#include "media/reader.h"
#include "media/source.h"

#define SC_SLOT_INFLIGHT 128 // packets inside a decoder whose frame has not come out yet

struct sc_slot {
    struct sc_slot *next; // in the engine's list
    // Immutable after opening:
    sc_reader *reader;
    sc_index *index;
    sc_decoder *dec;
    sc_source *src;
    int threads;
    // Owned by the worker that holds it (busy), else guarded by the engine's lock:
    int busy;            // read under the lock while the holder writes the fields behind it
    bool drained;        // must be flushed before it can go on
    int64_t entry;       // it was last started there
    int64_t first_exact; // frames before this one are not exact from where it started
    int64_t at;          // decode number of the packet to send next
    bool linear;         // opened for SC_APPROACH_LINEAR: nothing was skipped since
    int64_t lead_end;    // up to this packet complaints are expected: leading pictures
    int64_t errors;      // complaints that were expected so far
    int64_t inflight[SC_SLOT_INFLIGHT];
    int inflight_count;
    int64_t used; // engine tick of last use, for closing the oldest
    // Pictures that nobody needs and their stand-ins; NULL where references are not followed.
    sc_h264_refs *refs;
    int64_t refs_at; // packets from the entry to here were followed
    // Since the start, ascending: packets whose picture is not in this decoder, but a stand-in, or
    // something that was made from one.
    int64_t *spoiled;
    int spoiled_count, spoiled_room;
    int64_t pushed; // frame that fillers pushed out: those before it do not come out, -1 none
};

struct sc_read {
    struct sc_read *next;
    int64_t n;
    int flags;
    sc_frame_fn *fn;
    void *arg;
};

// A frame asked for by one or more reads of a group.
struct sc_group {
    struct sc_group *next; // in its queue, or in the reader's running list
    sc_reader *reader;
    sc_index *index; // the numbers' meaning while this group lives
    uint64_t uid;    // the reader's when the group was made
    int64_t entry;
    bool running;
    atomic_bool background; // set under the lock, read by the running worker
    struct sc_read *reads;  // sorted by n
};

// What landings have taught about an entry point: how its frames must be reached.
enum sc_approach {
    SC_APPROACH_ENTRY,  // from the entry itself
    SC_APPROACH_BEFORE, // from the entry before it
    SC_APPROACH_LINEAR, // from the start by a fresh decoder with one thread, skipping nothing
};

struct sc_reader {
    sc_reader_engine *engine;
    char *path;
    atomic_uint_fast64_t uid; // cache key, set under the lock
    atomic_bool closing;      // likewise; running work reads it at each packet
    // Guarded by the engine's lock:
    sc_index *index;
    int active;           // groups queued or being decoded
    int64_t last, before; // frame numbers asked for last, -1 none
    uint8_t *approach;    // per entry of the index: enum sc_approach
    int64_t approach_count;
};

struct sc_reader_engine {
    struct sc_reader_engine_params params;
    sc_cache *cache;
    sc_buffers *buffers;
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    pthread_t *threads;
    int thread_count;
    // Guarded by lock:
    struct sc_group *queue[2]; // interactive, background; each oldest first
    struct sc_group *running;
    struct sc_slot *slots;
    int slot_count, running_count;
    size_t pending;
    int64_t tick; // counts slot uses
    int64_t last_interactive_ns, last_work_ns;
    bool stopping;
    struct sc_reader_stats stats; // the counters of it
    // Atomic: set under lock, read by running background work at each packet.
    atomic_int interactive_waiting;
    atomic_uint_fast64_t decoded; // frames out of decoders
    atomic_uint_fast64_t spared;  // stand-ins sent
    atomic_uint_fast64_t next_uid;
};

// Lock held. Joins the read to a group of its entry, or makes one; it is the engine's from then on.
void sc_reader_enqueue(sc_reader *reader, struct sc_read *read);

// Decodes one pass of a group: delivers what it can. Called without the lock, by a worker.
// SC_OK: progress was made or the group is done; SC_EAGAIN: it should yield to others; anything
// else: the reads that are left cannot be had (err says why).
int sc_group_decode(struct sc_group *group, bool wide, sc_err *err);

// Takes all reads of frame n off the group and completes them (frame may be NULL with ret < 0).
void sc_group_complete(struct sc_group *group, int64_t n, int ret, sc_frame *frame,
                       const sc_err *err);

// Packets [from, to) of a slot whose picture, though others refer to it, none of the wanted ones
// needs: stand-ins go to the decoder in their place.
struct sc_plan {
    int64_t from, to;
    uint8_t *needed; // one each
};

// Plans the way of a slot to packet `last`; wanted() says which packets' pictures are asked for.
// SC_OK, also where everything is needed; SC_ESTALE when the slot has passed over a picture that
// is needed now: it must start again from its entry. SC_EIO and its like from reading.
typedef bool sc_wanted_fn(const void *arg, int64_t packet);
int sc_plan_make(struct sc_plan *plan, struct sc_slot *slot, int64_t last, sc_wanted_fn *wanted,
                 const void *arg, AVPacket *pkt, sc_err *err);
bool sc_plan_skips(const struct sc_plan *plan, int64_t packet);
void sc_plan_free(struct sc_plan *plan);

// Are references followed in this video?
bool sc_slot_follows(sc_index *index);
// Puts the stand-in of packet `number` into pkt, where there is one. Its picture is spoiled.
void sc_slot_stand_in(struct sc_slot *slot, int64_t number, AVPacket *pkt);
// For a packet behind the planned way: is its picture spoiled by those it refers to?
bool sc_slot_spoils(struct sc_slot *slot, int64_t number, const AVPacket *pkt);
// Makes pkt a filler behind the packet sent last, if all up to it were followed.
bool sc_slot_fill(const struct sc_slot *slot, AVPacket *pkt);
bool sc_slot_spoiled(const struct sc_slot *slot, int64_t packet);

// Is the reader asked for frames a few steps on (1) or back (-1) from the last? Lock held.
bool sc_reader_walks(const sc_reader *reader, int direction);

// Closes the longest unused idle slots until `keep` are left in all. Lock held; it is released
// while decoders close.
void sc_slots_close(sc_reader_engine *engine, int keep);
// Closes all idle slots of one reader; likewise.
void sc_slots_close_reader(sc_reader_engine *engine, const sc_reader *reader);
