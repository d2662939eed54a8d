// One value of an option: from text, back to text, and what is allowed.
#include <float.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/option_internal.h"

static const char *const type_names[] = {
    [SC_OPT_BOOL] = "bool",     [SC_OPT_INT] = "int",   [SC_OPT_NUM] = "number",
    [SC_OPT_STRING] = "string", [SC_OPT_SIZE] = "size", [SC_OPT_DURATION] = "duration",
    [SC_OPT_CHOICE] = "choice",
};

const char *sc_option_type_name(enum sc_option_type type)
{
    return type_names[type];
}

static bool has_range(const sc_option *row)
{
    return row->min != 0 || row->max != 0;
}

// A double limit as an integer; INT64_MAX itself is not a double.
static int64_t as_limit(double limit)
{
    if (limit >= 0x1p63)
        return INT64_MAX;
    return limit < -0x1p63 ? INT64_MIN : (int64_t)limit;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < SC_COUNT(words); i++) {
        if (strcasecmp(text, words[i]) != 0)
            continue;
        *out = i % 2;
        return true;
    }
    return false;
}

static bool parse_choice(const char *choices, const char *text, int64_t *out)
{
    size_t size = strlen(text);
    int64_t index = 0;
    for (const char *p = choices;; index++) {
        size_t len = strcspn(p, "|");
        if (len == size && memcmp(p, text, len) == 0) {
            *out = index;
            return true;
        }
        if (!p[len])
            return false;
        p += len + 1;
    }
}

bool sc_option_parse(const sc_option *row, const char *text, sc_option_value *value)
{
    bool ranged = has_range(row), is_signed = row->type == SC_OPT_INT;
    int64_t min = ranged ? as_limit(row->min) : is_signed ? INT64_MIN : 0;
    int64_t max = ranged ? as_limit(row->max) : INT64_MAX;
    switch (row->type) {
    case SC_OPT_BOOL:
        return parse_bool(text, &value->b);
    case SC_OPT_INT:
        return sc_parse_int(text, min, max, &value->i);
    case SC_OPT_NUM:
        return sc_parse_double(text, ranged ? row->min : -DBL_MAX, ranged ? row->max : DBL_MAX,
                               &value->f);
    case SC_OPT_STRING:
        value->s = sc_xstrdup(text);
        return true;
    case SC_OPT_SIZE:
        return sc_parse_size(text, min, max, &value->i);
    case SC_OPT_DURATION:
        return sc_parse_duration(text, min, max, &value->i);
    case SC_OPT_CHOICE:
        return parse_choice(row->choices, text, &value->i);
    }
    return false;
}

struct unit {
    const char *suffix;
    int64_t factor;
};

// In the largest unit that divides it.
static void format_units(sc_str *out, int64_t value, const struct unit *units)
{
    while (value % units->factor != 0 || (value == 0 && units->factor != 1))
        units++;
    sc_str_addf(out, "%lld%s", (long long)(value / units->factor), units->suffix);
}

void sc_option_format_size(sc_str *out, int64_t bytes)
{
    static const struct unit units[] = {{"T", INT64_C(1) << 40},
                                        {"G", INT64_C(1) << 30},
                                        {"M", INT64_C(1) << 20},
                                        {"K", INT64_C(1) << 10},
                                        {"", 1}};
    format_units(out, bytes, units);
}

void sc_option_format_duration(sc_str *out, int64_t ns)
{
    static const struct unit units[] = {{"h", 3600 * SC_NS_PER_S},
                                        {"m", 60 * SC_NS_PER_S},
                                        {"s", SC_NS_PER_S},
                                        {"ms", SC_NS_PER_MS},
                                        {"us", 1000},
                                        {"ns", 1}};
    if (ns == 0)
        sc_str_add(out, "0s");
    else
        format_units(out, ns, units);
}

static void add_limit(const sc_option *row, double limit, sc_str *out)
{
    if (row->type == SC_OPT_SIZE)
        sc_option_format_size(out, as_limit(limit));
    else if (row->type == SC_OPT_DURATION)
        sc_option_format_duration(out, as_limit(limit));
    else
        sc_str_addf(out, "%.15g", limit);
}

void sc_option_describe(const sc_option *row, sc_str *out)
{
    static const char *const texts[] = {
        [SC_OPT_BOOL] = "true or false",
        [SC_OPT_INT] = "an integer",
        [SC_OPT_NUM] = "a number",
        [SC_OPT_STRING] = "text",
        [SC_OPT_SIZE] = "a size such as 64M",
        [SC_OPT_DURATION] = "a duration such as 30s or 250ms",
        [SC_OPT_CHOICE] = "one of ",
    };
    sc_str_add(out, texts[row->type]);
    if (row->type == SC_OPT_CHOICE)
        sc_str_add(out, row->choices);
    if (!has_range(row))
        return;
    sc_str_add(out, " from ");
    add_limit(row, row->min, out);
    sc_str_add(out, " to ");
    add_limit(row, row->max, out);
}

static void format_choice(const char *choices, int64_t index, sc_str *out)
{
    const char *p = choices;
    while (index-- > 0)
        p += strcspn(p, "|") + 1;
    sc_str_addn(out, p, strcspn(p, "|"));
}

void sc_option_format(const sc_option *row, const void *field, sc_str *out)
{
    switch (row->type) {
    case SC_OPT_BOOL:
        sc_str_add(out, *(const bool *)field ? "true" : "false");
        break;
    case SC_OPT_INT:
        sc_str_addf(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case SC_OPT_NUM:
        sc_str_addf(out, "%.15g", *(const double *)field);
        break;
    case SC_OPT_STRING:
        sc_str_add(out, *(char *const *)field);
        break;
    case SC_OPT_SIZE:
        sc_option_format_size(out, *(const int64_t *)field);
        break;
    case SC_OPT_DURATION:
        sc_option_format_duration(out, *(const int64_t *)field);
        break;
    case SC_OPT_CHOICE:
        format_choice(row->choices, *(const int64_t *)field, out);
        break;
    }
}
