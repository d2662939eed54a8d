#include "http/range.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

// Digits at *s, at most 18 of them; false if there are none or more.
static bool digits(const char **s, int64_t *value)
{
    size_t count = strspn(*s, "0123456789");
    if (!count || count > 18)
        return false;
    *value = 0;
    for (; count; count--)
        *value = *value * 10 + *(*s)++ - '0';
    return true;
}

static enum sc_range_kind suffix(const char *s, int64_t size, int64_t *first, int64_t *last)
{
    int64_t length;
    if (!digits(&s, &length) || *s)
        return SC_RANGE_WHOLE;
    if (!length || !size)
        return SC_RANGE_BAD;
    *first = length < size ? size - length : 0;
    *last = size - 1;
    return SC_RANGE_PART;
}

enum sc_range_kind sc_range_parse(const char *header, int64_t size, int64_t *first,
                                  int64_t *last)
{
    if (!header || strncasecmp(header, "bytes=", 6))
        return SC_RANGE_WHOLE;
    const char *s = header + 6;
    if (*s == '-')
        return suffix(s + 1, size, first, last);
    if (!digits(&s, first) || *s++ != '-')
        return SC_RANGE_WHOLE;
    *last = size - 1;
    int64_t end;
    if (*s) {
        if (!digits(&s, &end) || *s || end < *first)
            return SC_RANGE_WHOLE;
        if (end < *last)
            *last = end;
    }
    return *first < size ? SC_RANGE_PART : SC_RANGE_BAD;
}

static const char *skip_space(const char *s)
{
    while (*s == ' ' || *s == '\t' || *s == ',')
        s++;
    return s;
}

bool sc_etag_listed(const char *header, const char *etag)
{
    size_t length = strlen(etag);
    for (const char *s = header; s && *s;) {
        s = skip_space(s);
        if (*s == '*')
            return true;
        if (!strncmp(s, "W/", 2))
            s += 2;
        if (!strncmp(s, etag, length))
            return true;
        s = strchr(s, ',');
    }
    return false;
}

// Is there a q=0 in the parameters of a coding (";q=0.000")?
static bool refused(const char *s, size_t length)
{
    const char *q = memchr(s, '=', length);
    if (!q || !strchr("qQ", q[-1]))
        return false;
    size_t rest = length - (size_t)(q + 1 - s);
    return rest && strspn(q + 1, "0.") >= rest;
}

bool sc_encoding_accepted(const char *header, const char *coding)
{
    size_t length = strlen(coding);
    for (const char *s = header; s && *s;) {
        s = skip_space(s);
        size_t item = strcspn(s, ","), name = strcspn(s, ",; \t");
        if (name == length && !strncasecmp(s, coding, length))
            return !refused(s + name, item - name);
        s += item;
    }
    return false;
}
