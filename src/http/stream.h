// A body that is produced while it is sent: a bounded queue of buffers between any producer and
// a connection. A slow client slows its own producer only.
//
// Refcounted: the reply holds one reference, the producer another. Nothing here blocks. When
// the client is gone, writes fail and drained() is called one last time.
//
// Thread-safety: Safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

typedef struct sc_stream sc_stream;

struct sc_stream_params {
    // Called on an I/O thread (must not block, must not write) each time everything written was
    // sent, and once when the client is gone. May be NULL.
    void (*drained)(void *arg);
    void *arg;
    void (*release)(void *arg); // frees arg with the last reference; may be NULL
};

sc_stream *sc_stream_new(const struct sc_stream_params *params); // never NULL
sc_stream *sc_stream_ref(sc_stream *stream);
void sc_stream_unref(sc_stream **pstream);

// Appends (takes a reference of its own). False when the client is gone or the stream ended.
bool sc_stream_write(sc_stream *stream, sc_buf *buf);
// As above, copying; for part headers.
bool sc_stream_write_copy(sc_stream *stream, const void *data, size_t size);
// No more comes. failed cuts the connection, so that a short answer cannot pass for a whole one.
void sc_stream_end(sc_stream *stream, bool failed);

size_t sc_stream_pending(sc_stream *stream); // bytes not yet sent
bool sc_stream_gone(sc_stream *stream);      // the client left or the server stops
