// The whole-string number parsers of base/str.h. No locale, no leading blanks, no hexadecimal.
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool sc_parse_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
    if (!is_digit(*s) && !((*s == '-' || *s == '+') && is_digit(s[1])))
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(s, &end, 10);
    if (errno || *end || value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool sc_parse_double(const char *s, double min, double max, double *out)
{
    if (!*s || s[strspn(s, "0123456789+-.eE")])
        return false;
    char *end;
    errno = 0;
    double value = strtod(s, &end);
    bool overflow = errno == ERANGE && fabs(value) > 1;
    if (end == s || *end || overflow || !isfinite(value) || value < min || value > max)
        return false;
    *out = value;
    return true;
}

struct unit {
    const char *suffix;
    int64_t factor;
};

// Reads "12", "1.5" or ".5" exactly as whole + fraction / scale; NULL if s starts with no number
// or has more digits than these hold. Returns what follows.
static const char *read_decimal(const char *s, int64_t *whole, int64_t *fraction,
                                int64_t *scale)
{
    const char *p = s;
    *whole = *fraction = 0;
    *scale = 1;
    for (; is_digit(*p); p++)
        if (__builtin_mul_overflow(*whole, 10, whole) ||
            __builtin_add_overflow(*whole, *p - '0', whole))
            return NULL;
    size_t digits = (size_t)(p - s);
    if (*p == '.')
        for (p++; is_digit(*p); p++, digits++) {
            if (*scale > INT64_MAX / 100)
                return NULL;
            *fraction = *fraction * 10 + (*p - '0');
            *scale *= 10;
        }
    return digits ? p : NULL;
}

// A decimal number and a unit, rounded to the nearest whole; integers stay exact.
static bool parse_with_unit(const char *s, const struct unit *units, size_t count, int64_t min,
                            int64_t max, int64_t *out)
{
    int64_t whole, fraction, scale;
    const char *suffix = read_decimal(s, &whole, &fraction, &scale);
    if (!suffix)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(suffix, units[i].suffix) != 0)
            continue;
        __int128 factor = units[i].factor;
        __int128 value = whole * factor + (fraction * factor + scale / 2) / scale;
        if (value < min || value > max)
            return false;
        *out = (int64_t)value;
        return true;
    }
    return false;
}

bool sc_parse_size(const char *s, int64_t min, int64_t max, int64_t *out)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"K", INT64_C(1) << 10},
        {"KB", INT64_C(1) << 10},
        {"KiB", INT64_C(1) << 10},
        {"M", INT64_C(1) << 20},
        {"MB", INT64_C(1) << 20},
        {"MiB", INT64_C(1) << 20},
        {"G", INT64_C(1) << 30},
        {"GB", INT64_C(1) << 30},
        {"GiB", INT64_C(1) << 30},
        {"T", INT64_C(1) << 40},
        {"TB", INT64_C(1) << 40},
        {"TiB", INT64_C(1) << 40},
    };
    return parse_with_unit(s, units, SC_COUNT(units), min, max, out);
}

bool sc_parse_duration(const char *s, int64_t min_ns, int64_t max_ns, int64_t *out_ns)
{
    static const struct unit units[] = {
        {"", SC_NS_PER_S},
        {"s", SC_NS_PER_S},
        {"ms", SC_NS_PER_MS},
        {"us", 1000},
        {"ns", 1},
        {"m", 60 * SC_NS_PER_S},
        {"h", 3600 * SC_NS_PER_S},
        {"d", 86400 * SC_NS_PER_S},
    };
    return parse_with_unit(s, units, SC_COUNT(units), min_ns, max_ns, out_ns);
}
