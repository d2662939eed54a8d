#include "http/params.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Length of the UTF-8 sequence at s, 0 if it is none (overlong, surrogate, beyond U+10FFFF).
static int utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    int length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (int i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

static bool utf8_valid(const char *s)
{
    for (int step; *s; s += step) {
        step = utf8_length((const unsigned char *)s);
        if (!step)
            return false;
    }
    return true;
}

int sc_percent_decode(char *s, bool plus, sc_err *err)
{
    char *out = s;
    for (const char *in = s; *in; in++) {
        char c = *in;
        if (c == '+' && plus)
            c = ' ';
        if (c == '%') {
            int hi = hex_digit(in[1]), lo = hi < 0 ? -1 : hex_digit(in[2]);
            if (lo < 0 || !(hi | lo))
                return sc_fail(err, SC_EARG,
                               "a %% in the address must be followed by two hex "
                               "digits, and not be %%00");
            c = (char)(hi << 4 | lo);
            in += 2;
        }
        *out++ = c;
    }
    *out = 0;
    return utf8_valid(s) ? SC_OK : sc_fail(err, SC_EARG, "the address is not valid UTF-8");
}

int sc_choice_find(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (int i = 0; choices; i++) {
        size_t size = strcspn(choices, "|");
        if (size == length && !memcmp(choices, text, size))
            return i;
        choices = choices[size] ? choices + size + 1 : NULL;
    }
    return -1;
}

static bool is_decimal(const char *s)
{
    size_t whole = strspn(s, "0123456789");
    s += whole;
    size_t fraction = 0;
    if (*s == '.') {
        fraction = strspn(s + 1, "0123456789");
        s += 1 + fraction;
    }
    return !*s && whole + fraction > 0 && whole + fraction <= 100;
}

static int check_int(const sc_param *row, const char *text, sc_err *err)
{
    int64_t value;
    if (!sc_parse_int(text, (int64_t)row->min, (int64_t)row->max, &value))
        return sc_fail_field(err, SC_EARG, row->name,
                             "%s must be a whole number from %.0f to %.0f", row->name, row->min,
                             row->max);
    return SC_OK;
}

static int check_num(const sc_param *row, const char *text, sc_err *err)
{
    double value;
    if (!sc_parse_double(text, row->min, row->max, &value))
        return sc_fail_field(err, SC_EARG, row->name, "%s must be a number from %g to %g",
                             row->name, row->min, row->max);
    return SC_OK;
}

static int check_string(const sc_param *row, const char *text, sc_err *err)
{
    size_t max = row->max > 0 ? (size_t)row->max : 255;
    if (strlen(text) > max)
        return sc_fail_field(err, SC_EARG, row->name, "%s must be at most %zu bytes long",
                             row->name, max);
    return SC_OK;
}

int sc_param_check(const sc_param *row, const char *text, sc_err *err)
{
    switch (row->type) {
    case SC_PARAM_INT:
        return check_int(row, text, err);
    case SC_PARAM_NUM:
        return check_num(row, text, err);
    case SC_PARAM_STRING:
        return check_string(row, text, err);
    case SC_PARAM_BOOL:
        if (sc_choice_find("true|false|1|0", text) < 0)
            return sc_fail_field(err, SC_EARG, row->name, "%s must be true or false",
                                 row->name);
        return SC_OK;
    case SC_PARAM_DECIMAL:
        if (!is_decimal(text))
            return sc_fail_field(err, SC_EARG, row->name,
                                 "%s must be a decimal number of 0 or more, such as 12.5",
                                 row->name);
        return SC_OK;
    case SC_PARAM_CHOICE:
        if (sc_choice_find(row->choices, text) < 0)
            return sc_fail_field(err, SC_EARG, row->name, "%s must be one of %s", row->name,
                                 row->choices);
        return SC_OK;
    }
    return SC_EINTERNAL;
}

static int find_row(const sc_param *rows, const char *name)
{
    for (int i = 0; rows && rows[i].name; i++) {
        if (rows[i].in == SC_IN_QUERY && !strcmp(rows[i].name, name))
            return i;
    }
    return -1;
}

// A field name that is safe to print: what is no plain word is not repeated.
static const char *printable(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)name[i]) && !strchr("_-.[]", name[i]))
            return "(query)";
    }
    return length && length < 60 ? name : "(query)";
}

static int take_pair(const sc_param *rows, char *pair, struct sc_param_values *values,
                     sc_err *err)
{
    char *value = strchr(pair, '=');
    if (value)
        *value++ = 0;
    int ret = sc_percent_decode(pair, true, err);
    if (!ret && value)
        ret = sc_percent_decode(value, true, err);
    if (ret)
        return ret;
    int row = find_row(rows, pair);
    if (row < 0)
        return sc_fail_field(err, SC_EARG, printable(pair), "unknown query parameter %s",
                             printable(pair));
    if (values->v[row])
        return sc_fail_field(err, SC_EARG, rows[row].name, "%s is given more than once",
                             rows[row].name);
    values->v[row] = value ? value : "";
    return SC_OK;
}

static int check_all(const sc_param *rows, const struct sc_param_values *values, sc_err *err)
{
    int ret = SC_OK;
    for (int i = 0; rows && rows[i].name && !ret; i++) {
        if (values->v[i])
            ret = sc_param_check(&rows[i], values->v[i], err);
        else if (rows[i].required)
            ret = sc_fail_field(err, SC_EARG, rows[i].name, "%s is required", rows[i].name);
    }
    return ret;
}

int sc_params_parse(const sc_param *rows, char *query, struct sc_param_values *values,
                    sc_err *err)
{
    int ret = SC_OK;
    while (query && *query && !ret) {
        char *next = strchr(query, '&');
        if (next)
            *next++ = 0;
        if (*query)
            ret = take_pair(rows, query, values, err);
        query = next;
    }
    return ret ? ret : check_all(rows, values, err);
}
