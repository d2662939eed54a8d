// Refcounted immutable bytes: an encoded picture, a cached answer.
//
// Thread-safety: Safe; the bytes never change once the sc_buf is shared.
#pragma once

#include <stddef.h>

#include "base/ref.h"

typedef struct sc_buf {
    sc_ref ref;              // internal
    unsigned char *data;     // size bytes; written only by whoever made it, before sharing
    size_t size;             // bytes
    void (*release)(void *); // frees data
} sc_buf;

// A buffer of size bytes of its own, uninitialised; NULL when memory is out.
sc_buf *sc_buf_new(size_t size);

// Takes data over (release(data) frees it; NULL means free()). On NULL (out of memory) data is
// still the caller's.
sc_buf *sc_buf_wrap(void *data, size_t size, void (*release)(void *));

sc_buf *sc_buf_ref(sc_buf *buf);  // NULL gives NULL
void sc_buf_unref(sc_buf **pbuf); // NULL and &NULL allowed; writes NULL
