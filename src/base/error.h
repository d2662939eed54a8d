// Result codes, and the one way to say why something failed.
//
// Every fallible function returns int: 0 or positive is good, negative is one of SC_E*.
// AGAIN and EOF are flow, not failure. Functions that a user's input can make fail also take
// an `sc_err *` (NULL allowed) and write there one complete sentence that says what, where
// and what to do; callers pass it on and never log it twice.
//
// Thread-safety: an sc_err belongs to one call chain; everything else here is pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// X(name, text, state): state says what the failing object is like afterwards.
#define SC_ERRORS(X)                                                                           \
    X(AGAIN, "try again later", "unchanged")                                                   \
    X(EOF, "end of data", "unchanged")                                                         \
    X(NOMEM, "out of memory", "unchanged")                                                     \
    X(ARG, "invalid argument", "unchanged")                                                    \
    X(NOTFOUND, "not found", "unchanged")                                                      \
    X(EXISTS, "already exists", "unchanged")                                                   \
    X(RANGE, "outside the valid range", "unchanged")                                           \
    X(DATA, "damaged or malformed data", "input skipped, object usable")                       \
    X(UNSUPPORTED, "not supported", "unchanged")                                               \
    X(IO, "input/output error", "unknown; reopen")                                             \
    X(NOSPACE, "no space left on the device", "unchanged; partial output removed")             \
    X(BUSY, "busy", "unchanged")                                                               \
    X(CANCELLED, "cancelled", "unchanged")                                                     \
    X(TIMEOUT, "timed out", "unchanged")                                                       \
    X(LIMIT, "a limit was exceeded", "unchanged")                                              \
    X(DENIED, "permission denied", "unchanged")                                                \
    X(STALE, "out of date", "unchanged; rebuild")                                              \
    X(INTERNAL, "internal error", "unknown; close")

enum sc_error_code {
    SC_OK = 0,
    SC_E_BASE = -1000, // below every -errno, so that a leaked errno is recognisable
#define SC_ERROR_ENUM(name, text, state) SC_E##name,
    SC_ERRORS(SC_ERROR_ENUM)
#undef SC_ERROR_ENUM
};

// Why a call failed. Zero-initialise with {0}.
typedef struct sc_err {
    int code;        // SC_OK or SC_E*
    char field[64];  // the parameter or option at fault, or ""
    char text[1000]; // one sentence, no trailing full stop needed; "" if unknown
} sc_err;

// Never NULL. Unknown codes give "unknown error".
const char *sc_strerror(int code);

// The code's name as written in logs and JSON ("NOTFOUND"), never NULL.
const char *sc_error_name(int code);

// The best SC_E* for an errno value (ENOSPC and EDQUOT become SC_ENOSPACE).
int sc_error_from_errno(int errnum);

// Fills *err (NULL allowed) and returns code, so that `return sc_fail(err, SC_E.., "..")` reads
// well. The first cause wins: an err that already holds a failure is left as it is.
int sc_fail(sc_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

// As sc_fail, naming the parameter or option at fault.
int sc_fail_field(sc_err *err, int code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

// err's text, or the code's general text where nothing more is known. Never NULL.
const char *sc_err_text(const sc_err *err, int code);
