// A growable string that is always NUL-terminated, and small text helpers.
//
// sc_str is an embedded value: zero it with {0} (s is then NULL and len 0) or sc_str_init().
// Appending aborts when memory is out, so it is for text whose size the program bounds; give
// text sized by a client a limit before it gets here.
//
// Thread-safety: Unsafe; one owner.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sc_str {
    char *s;    // NUL-terminated once anything was appended, NULL before
    size_t len; // bytes before the NUL
    size_t cap; // bytes allocated
} sc_str;

void sc_str_init(sc_str *str);
void sc_str_release(sc_str *str); // frees; the value is empty and usable again
void sc_str_clear(sc_str *str);   // empties, keeps the memory

void sc_str_add(sc_str *str, const char *text);
void sc_str_addn(sc_str *str, const void *data, size_t size);
void sc_str_addc(sc_str *str, char c);
void sc_str_addf(sc_str *str, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sc_str_addfv(sc_str *str, const char *fmt, va_list ap);

// Appends text as a JSON string with its quotes; invalid UTF-8 bytes become U+FFFD.
void sc_str_add_json(sc_str *str, const char *text);

// The text (never NULL); valid until the next change.
const char *sc_str_get(const sc_str *str);

// Hands the memory over (free() it) and leaves str empty. Never NULL.
char *sc_str_detach(sc_str *str);

bool sc_starts_with(const char *s, const char *prefix);

// Whole-string parsers: true and *out set only if all of s is one number in [min, max].
bool sc_parse_int(const char *s, int64_t min, int64_t max, int64_t *out);
bool sc_parse_double(const char *s, double min, double max, double *out); // refuses nan, inf

// "64K", "1.5M", "2G", "4096" (powers of 1024; a trailing "B" or "iB" is allowed) to bytes.
bool sc_parse_size(const char *s, int64_t min, int64_t max, int64_t *out);

// "250ms", "30s", "5m", "2h", "1.5" (seconds) to nanoseconds.
bool sc_parse_duration(const char *s, int64_t min_ns, int64_t max_ns, int64_t *out_ns);

// Writes bytes as "1.5 GiB" into buf and returns buf.
char *sc_format_size(char *buf, size_t size, int64_t bytes);
