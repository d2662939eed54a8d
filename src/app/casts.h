// HLS of running streams, made for whoever asks for it: in memory, with parts (low latency).
//
// A stream's cast begins with the first request for its playlist, and ends half a minute after the last
// request or with the stream's run. It taps the stream, so all its viewers share one encoding. Sound
// is AAC. Requests for what is about to come (a playlist with a later part, the part that was hinted
// at) are held until it is there, for some seconds at most.
//
// Thread-safety: Safe, except that close comes last.
#pragma once

#include "app/streams.h"
#include "base/buf.h"

typedef struct sc_casts sc_casts;

struct sc_casts_params {
    sc_streams *streams; // with rungs; outlives it, as the log
    sc_log *log;
    int64_t linger_ns; // after the last request; 0 = 30 s
    int64_t hold_ns;   // a request at most; 0 = 6 s
};
int sc_casts_open(sc_casts **pcasts, const struct sc_casts_params *params, sc_err *err);
// What is held is answered, nothing is begun any more. Idempotent, never blocks.
void sc_casts_stop(sc_casts *casts);
void sc_casts_close(sc_casts **pcasts); // NULL and &NULL allowed

#define SC_CASTS_PLAYLIST "index.m3u8"

struct sc_casts_query {
    const char *stream, *file; // copied
    int64_t segment, part;     // that the playlist must hold (_HLS_msn, _HLS_part); -1 = any
};
// Never blocks. done() is called once, on any thread, also from within: SC_OK and the file, which is
// borrowed, or SC_ENOTFOUND (stream, file), SC_EAGAIN (the stream is not running), SC_EARG (a part too far
// ahead), SC_EBUSY (too many wait), SC_ETIMEOUT (it did not come), SC_ENOMEM.
void sc_casts_get(sc_casts *casts, const struct sc_casts_query *query,
                  void (*done)(void *arg, int ret, sc_buf *body, const sc_err *err), void *arg);
