// gzip for answers (zlib).
//
// Thread-safety: pure.
#pragma once

#include <stddef.h>

#include "base/buf.h"

// Packs data; NULL when memory is out or it would not get smaller.
sc_buf *sc_gzip(const void *data, size_t size);
