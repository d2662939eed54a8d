// Conditional and partial requests (RFC 9110): Range, If-None-Match, Accept-Encoding.
//
// Thread-safety: pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum sc_range_kind { SC_RANGE_WHOLE, SC_RANGE_PART, SC_RANGE_BAD };

// Reads a Range header (NULL allowed) for size bytes. PART: [*first, *last]. Several ranges, or
// what is no byte range, are answered with the whole, as the RFC allows; BAD means 416.
enum sc_range_kind sc_range_parse(const char *header, int64_t size, int64_t *first,
                                  int64_t *last);

// Is etag (quoted) in the If-None-Match list? Weak comparison; "*" matches all. NULL: no.
bool sc_etag_listed(const char *header, const char *etag);

// Does Accept-Encoding (NULL allowed) take this coding (q > 0)?
bool sc_encoding_accepted(const char *header, const char *coding);
