// Addresses in text: hiding what is secret in them.
//
// Thread-safety: Safe.
#pragma once

#include <stddef.h>

// Copies text to out with every secret replaced by "***", in whole addresses and in bits of them, as
// libav's log lines have them:
//   scheme://user:PASSWORD@host      the password; without one ("scheme://TOKEN@host") all of it
//   ?key=VALUE &key=VALUE ;key=VALUE values of keys that look like secrets (token, key, pass, pwd,
//                                    secret, auth, sig, credential, session, streamid, code, ...)
//   rtmp://host/app/KEY              the last part of the path of rtmp addresses with three or more:
//                                    it is the stream's key
// Text that holds none is copied as it is. Never writes more than size bytes with the NUL, and never
// part of a secret. out must not overlap text. size >= 1. Returns out.
char *sc_url_hide(const char *text, char *out, size_t size);
