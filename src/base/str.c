#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void sc_str_init(sc_str *str)
{
    *str = (sc_str){0};
}

void sc_str_release(sc_str *str)
{
    free(str->s);
    sc_str_init(str);
}

void sc_str_clear(sc_str *str)
{
    str->len = 0;
    if (str->s)
        str->s[0] = '\0';
}

// Makes room for size more bytes and the NUL.
static void reserve(sc_str *str, size_t size)
{
    size_t need;
    sc_require(!__builtin_add_overflow(str->len, size, &need) && need < SIZE_MAX / 2);
    if (need < str->cap)
        return;
    str->cap = need + need / 2 + 32;
    str->s = sc_xrealloc(str->s, str->cap);
}

void sc_str_add(sc_str *str, const char *text)
{
    sc_str_addn(str, text, strlen(text));
}

void sc_str_addn(sc_str *str, const void *data, size_t size)
{
    reserve(str, size);
    if (size)
        memcpy(str->s + str->len, data, size);
    str->len += size;
    str->s[str->len] = '\0';
}

void sc_str_addc(sc_str *str, char c)
{
    sc_str_addn(str, &c, 1);
}

void sc_str_addf(sc_str *str, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sc_str_addfv(str, fmt, ap);
    va_end(ap);
}

void sc_str_addfv(sc_str *str, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    reserve(str, 0);
    int size = vsnprintf(str->s + str->len, str->cap - str->len, fmt, ap);
    sc_require(size >= 0);
    if ((size_t)size >= str->cap - str->len) {
        reserve(str, (size_t)size);
        vsnprintf(str->s + str->len, str->cap - str->len, fmt, again);
    }
    str->len += (size_t)size;
    va_end(again);
}

// The bytes of the valid UTF-8 sequence that p (NUL-terminated) starts with, or 0. Overlong
// forms, surrogates and what lies beyond U+10FFFF are invalid (RFC 3629).
static size_t utf8_size(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    size_t size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || outside ? 0 : size;
}

static void add_json_ascii(sc_str *str, unsigned char c)
{
    static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *name = c ? strchr(names, c) : NULL;
    if (name) {
        sc_str_addc(str, '\\');
        sc_str_addc(str, letters[name - names]);
    } else if (c < 0x20 || c == 0x7f) {
        sc_str_addf(str, "\\u%04x", (unsigned)c);
    } else {
        sc_str_addc(str, (char)c);
    }
}

void sc_str_add_json(sc_str *str, const char *text)
{
    sc_str_addc(str, '"');
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t size = utf8_size(p);
        if (size == 1)
            add_json_ascii(str, *p);
        else if (size)
            sc_str_addn(str, p, size);
        else
            sc_str_add(str, "\xef\xbf\xbd");
        p += size ? size : 1;
    }
    sc_str_addc(str, '"');
}

const char *sc_str_get(const sc_str *str)
{
    return str->s ? str->s : "";
}

char *sc_str_detach(sc_str *str)
{
    reserve(str, 0);
    char *s = str->s;
    s[str->len] = '\0';
    sc_str_init(str);
    return s;
}

bool sc_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

char *sc_format_size(char *buf, size_t size, int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes > -1024 && bytes < 1024) {
        snprintf(buf, size, "%lld B", (long long)bytes);
        return buf;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    // 1023.95 would print as 1024.0.
    for (; unit + 1 < SC_COUNT(units) && (value >= 1023.95 || value <= -1023.95); unit++)
        value /= 1024;
    snprintf(buf, size, "%.1f %s", value, units[unit]);
    return buf;
}
