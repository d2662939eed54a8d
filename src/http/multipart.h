// multipart/form-data (RFC 7578), parsed as it arrives.
//
// Push bytes in pieces of any size; parts come out by callback, bulk data without copying.
// Memory is bounded: a part's header may have 8 KiB, text before the first boundary 4 KiB.
// Content after the last boundary is ignored.
//
// Thread-safety: Unsafe; one owner. Callbacks run inside sc_multipart_push().
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct sc_multipart sc_multipart;

struct sc_multipart_part {
    const char *name;     // of the form field
    const char *filename; // as sent, without folders; NULL if none
    const char *type;     // Content-Type, "" if none
};

// Each returns 0, or an error that push() then returns.
struct sc_multipart_events {
    int (*begin)(void *arg, const struct sc_multipart_part *part, sc_err *err);
    int (*data)(void *arg, const char *data, size_t size, sc_err *err);
    int (*end)(void *arg, sc_err *err);
};

bool sc_multipart_is(const char *content_type); // NULL: no

// SC_EARG: content_type has no usable boundary. events are copied.
int sc_multipart_open(sc_multipart **pmp, const char *content_type,
                      const struct sc_multipart_events *events, void *arg, sc_err *err);
void sc_multipart_close(sc_multipart **pmp);

// SC_EARG: malformed, err says what; or what a callback returned. The parser is then finished.
int sc_multipart_push(sc_multipart *mp, const char *data, size_t size, sc_err *err);
// The body is over. SC_EARG if the last boundary never came.
int sc_multipart_finish(sc_multipart *mp, sc_err *err);
