// Addresses in text: hiding what is secret in them.
//
// Thread-safety: Safe.
#pragma once

#include <stddef.h>

// Copies text to out with every secret replaced by "***", in whole addresses and in bits of them, as
// libav's log lines have them:
//   scheme://user:PASSWORD@host   the password; without one ("scheme://TOKEN@host") all before the @
//   key=VALUE                     the values of keys that look like secrets: token, pass, secret,
//                                 auth, sig, streamid, session, anything that ends in key, ...
//   rtmp://host/app/KEY           all behind the first part of the path: it is the stream's key
//   Authorization: VALUE          the rest of the line; cookies likewise
// Text that holds none is copied as it is. What does not fit into size bytes with the NUL is cut.
// out must not overlap text; size >= 1. Returns out.
char *sc_url_hide(const char *text, char *out, size_t size);
