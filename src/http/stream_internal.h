// The connection's side of a stream; for the core only.
#pragma once

#include <sys/types.h>

#include <microhttpd.h>

#include "http/stream.h"

// Before the reply is queued, on the connection's I/O thread.
void sc_stream_attach(sc_stream *stream, struct MHD_Connection *conn);
// MHD's content reader and its end; arg is the stream, whose reference detach drops.
ssize_t sc_stream_read(void *arg, uint64_t pos, char *out, size_t max);
void sc_stream_detach(void *arg);
