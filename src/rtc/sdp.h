// SDP as lines (RFC 8866), for offers, answers and fragments: checked for what makes a line, not for what it means.
//
// Thread-safety: Unsafe; one owner.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define SC_SDP_LINE_MAX 4096 // bytes; the longest that browsers send have some 500

// "t=value"; of an attribute "a=name:value" or "a=name" name and value are apart.
struct sc_sdp_line {
    int number; // from 1
    char type;
    const char *name;  // "" where type is not 'a'
    const char *value; // "" where there is none
};

// A run of lines: a whole text, the session's part of it, or an m-line with what follows it.
struct sc_sdp_part {
    const struct sc_sdp_line *lines;
    int count;
};

struct sc_sdp {
    char *text; // cut in place
    struct sc_sdp_line *lines;
    int count;
};

// text: size bytes, at most `most`; need not end in NUL or a line break; lines end in LF or CRLF. SC_EARG: err says
// which line and what. SC_ENOMEM. What was made is to be released in every case.
int sc_sdp_init(struct sc_sdp *sdp, const char *text, size_t size, size_t most, sc_err *err);
void sc_sdp_release(struct sc_sdp *sdp);

struct sc_sdp_part sc_sdp_session(const struct sc_sdp *sdp);      // before the first m-line
struct sc_sdp_part sc_sdp_media(const struct sc_sdp *sdp, int i); // count 0: there are no more
const struct sc_sdp_line *sc_sdp_find(struct sc_sdp_part part, const char *name); // or NULL
const char *sc_sdp_get(struct sc_sdp_part part, const char *name); // its value; NULL = none

// The next word of *rest, which moves behind it. False: there is none, or it needs more than size bytes.
bool sc_sdp_word(const char **rest, char *out, size_t size);
// The next word as a number within [min, max], digits only.
bool sc_sdp_number(const char **rest, long min, long max, long *out);
// The value of a parameter of "key=value;key=value", as fmtp has them. False: there is none, it is too long, or not
// of letters, digits, '.', ',' and '-'.
bool sc_sdp_param(const char *params, const char *key, char *out, size_t size);
bool sc_sdp_token(const char *text);     // RFC 8866's token
bool sc_sdp_ice_chars(const char *text); // letters, digits, + and /

// A checked pair of ICE credentials (RFC 8839: 4 to 256 and 22 to 256 of ice-char).
bool sc_sdp_ice_valid(const char *ufrag, const char *pwd);

// A candidate, written anew: "candidate:...". text: with or without "candidate:" before it. False: it makes no sense,
// is not of UDP and component 1, or names no address that could be reached (hosts' names included).
bool sc_sdp_candidate(const char *text, char *out, size_t size);
