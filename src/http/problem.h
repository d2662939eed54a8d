// Problem documents (RFC 9457): how a failure reads on the wire.
//
// Thread-safety: pure.
#pragma once

#include "base/error.h"
#include "base/str.h"

// The HTTP status for a result code.
int sc_problem_status(int code);
// The status' reason phrase, "Unknown" at worst.
const char *sc_problem_title(int status);
// The kind of problem as in `type` ("/docs#problem-<kind>"): "not-found", "bad-argument", ...
const char *sc_problem_kind(int status);

// Appends {"type","title","status","detail","field"?,"request_id"?}.
void sc_problem_print(sc_str *out, int status, const char *field, const char *detail,
                      const char *request_id);

// Every kind with its status and meaning, for the docs. False at the end.
bool sc_problem_row(int i, int *status, const char **kind, const char **help);
