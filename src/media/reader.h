// The frame reader: any frame of any indexed video, exact, from many threads at once.
//
// sc_reader_engine owns what all videos share: worker threads, live decoders, the cache of
// decoded frames, and the budgets. An sc_reader is one open video. A request is answered from
// the cache, or joins a running decode of the same GOP, or starts one: from a live decoder that
// stands before the target if that is cheaper, else from the entry point. Each landing is
// checked against the index; a mismatch goes one entry back, in the end to a linear decode.
//
// Thread-safety: Safe, except that close must come last.
#pragma once

#include "base/log.h"
#include "base/metrics.h"
#include "media/frame.h"
#include "media/index.h"

typedef struct sc_reader_engine sc_reader_engine;
typedef struct sc_reader sc_reader;

struct sc_reader_engine_params {
    sc_log *log;
    sc_metrics *metrics;
    int threads;              // decoding threads in total; 0 = all cores
    size_t frame_cache_bytes; // 0 = 256 MiB
    int max_decoders;         // live decoders kept; 0 = 2 + threads
    size_t max_pending;       // requests waiting; 0 = 4096
    bool no_prefetch;
};

// NULL when threads cannot be started.
sc_reader_engine *sc_reader_engine_open(const struct sc_reader_engine_params *params);
// All readers must be closed.
void sc_reader_engine_close(sc_reader_engine **pengine);

struct sc_reader_stats {
    uint64_t hits, misses;       // frame cache
    uint64_t decoded, delivered; // frames out of decoders, frames given to callers
    uint64_t merged;             // requests answered by another request's decode
    uint64_t spared;             // pictures that others refer to, passed over all the same
    uint64_t fallbacks;          // landings that had to go back an entry
    size_t cache_bytes, cache_items;
    int decoders; // live now
};
void sc_reader_engine_get_stats(sc_reader_engine *engine, struct sc_reader_stats *stats);

// Takes references to what it needs; the file is opened on first use. Never NULL.
sc_reader *sc_reader_open(sc_reader_engine *engine, sc_index *index, const char *path);
// Pending requests complete with SC_ECANCELLED before it returns.
void sc_reader_close(sc_reader **preader);

// After a verification: later requests use the new index (same frames, plus hashes).
void sc_reader_set_index(sc_reader *reader, sc_index *index);
sc_index *sc_reader_index(sc_reader *reader); // a new reference

// Called once for each request that get() accepted, on a worker thread: it may only hand the
// result on (set, signal), never block. frame is the callee's reference, NULL unless ret is 0.
// SC_EDATA: the frame's data is damaged beyond decoding. SC_EIO, SC_ENOMEM, SC_ECANCELLED.
typedef void sc_frame_fn(void *arg, int ret, sc_frame *frame, const sc_err *err);

enum sc_read_flags {
    SC_READ_BACKGROUND = 1, // prefetch: yields to everything else
    SC_READ_SEQUENTIAL = 2, // the caller goes on to n+1, n+2, ...
};

// The frame if it is cached, else NULL. Never blocks. Counts a hit or nothing.
sc_frame *sc_reader_peek(sc_reader *reader, int64_t n);
// Is it cached? For display only.
bool sc_reader_cached(sc_reader *reader, int64_t n);

// Asks for frame n. SC_OK: fn will be called exactly once, maybe before this returns (cache
// hit). SC_ERANGE; SC_EBUSY when max_pending wait already: fn is then not called.
int sc_reader_get(sc_reader *reader, int64_t n, int flags, sc_frame_fn *fn, void *arg);

// Blocks until frame n is there. Not on I/O threads.
int sc_reader_get_sync(sc_reader *reader, int64_t n, int flags, sc_frame **pframe, sc_err *err);

// Decodes all frames in order at full speed with all threads, past the cache: for whole-file
// work. fn returns non-zero to stop (which is returned). frame is borrowed during the call.
// Blocks; SC_ECANCELLED by token. Of a damaged stretch it shows what concealment by several threads
// makes of it (see sc_decoder_errors()): for pictures that must be the same again, use get.
int sc_reader_each(sc_reader *reader, int64_t from, int64_t to, sc_cancel *cancel,
                   int (*fn)(void *arg, sc_frame *frame), void *arg);
