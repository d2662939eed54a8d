// Packets of an indexed video by decode number, each checked against the index.
//
// Reads bytes straight from the file where the index is direct; otherwise demuxes, seeking to
// entry points and falling back to demuxing from the start where a seek does not land. What
// does not carry the indexed checksum is never handed out.
//
// Thread-safety: Unsafe; one thread at a time. Cheap to open (lazy).
#pragma once

#include <libavcodec/avcodec.h>

#include "media/index.h"

typedef struct sc_source sc_source;

// Never NULL; takes a reference to index. Nothing is opened before the first read.
sc_source *sc_source_open(sc_index *index, const char *path);
void sc_source_close(sc_source **psrc);

// Fills pkt (unreferenced first) with packet `number`; pts and dts are set to that number.
// Forward reading is cheapest. SC_EEOF past the last; SC_ESTALE when the file is not the one that
// was indexed; SC_EIO; SC_ENOMEM.
int sc_source_read(sc_source *src, int64_t number, AVPacket *pkt, sc_err *err);
