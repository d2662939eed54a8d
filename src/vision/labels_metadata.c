// Class names out of metadata: the text of Python literals, JSON objects and arrays. All of it is
// outside input: bounded, and refused as a whole where it is anything but what is expected.
#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"
#include "vision/family.h"
#include "vision/labels.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define DEPTH           16 // of nested Python values that are passed over

struct names {
    char **v; // SC_MODEL_MAX_CLASSES of them, NULL = not named
    int count;
};

static void names_release(struct names *names)
{
    for (int i = 0; names->v && i < names->count; i++)
        free(names->v[i]);
    free(names->v);
}

// False where the number is out of range or taken, or the name too long.
static bool names_set(struct names *names, int64_t number, const char *name)
{
    while (!strncmp(name, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)))
        name += strlen(BYTE_ORDER_MARK); // it would begin the text of labels, and be taken off
    if (number < 0 || number >= SC_MODEL_MAX_CLASSES || strlen(name) > SC_LABEL_MAX)
        return false;
    if (!names->v)
        names->v = sc_xcalloc(SC_MODEL_MAX_CLASSES, sizeof(*names->v));
    if (names->v[number])
        return false;
    char *copy = sc_xstrdup(name);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
    names->v[number] = copy;
    if (number >= names->count)
        names->count = (int)number + 1;
    return true;
}

// One a line. NULL where nothing was named or good is false. Releases the names.
static char *names_finish(struct names *names, bool good, int *count)
{
    sc_str text = {0};
    *count = good ? names->count : 0;
    for (int i = 0; i < *count; i++) {
        const char *name = names->v[i];
        if (name && name[strspn(name, " ")])
            sc_str_addf(&text, "%s\n", name);
        else
            sc_str_addf(&text, "%d\n", i);
    }
    names_release(names);
    if (text.len > SC_LABELS_MAX)
        *count = 0;
    if (*count)
        return sc_str_detach(&text);
    sc_str_release(&text);
    return NULL;
}

static void skip_blanks(const char **p)
{
    *p += strspn(*p, " \t\r\n");
}

static bool take(const char **p, char c)
{
    skip_blanks(p);
    if (**p != c)
        return false;
    ++*p;
    return true;
}

static void add_utf8(sc_str *out, uint32_t c)
{
    if (c < 0x80) {
        sc_str_addc(out, (char)c);
    } else if (c < 0x800) {
        sc_str_addc(out, (char)(0xc0 | c >> 6));
        sc_str_addc(out, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        sc_str_addc(out, (char)(0xe0 | c >> 12));
        sc_str_addc(out, (char)(0x80 | (c >> 6 & 63)));
        sc_str_addc(out, (char)(0x80 | (c & 63)));
    } else {
        sc_str_addc(out, (char)(0xf0 | c >> 18));
        sc_str_addc(out, (char)(0x80 | (c >> 12 & 63)));
        sc_str_addc(out, (char)(0x80 | (c >> 6 & 63)));
        sc_str_addc(out, (char)(0x80 | (c & 63)));
    }
}

// `digits` hexadecimal digits as one character; NUL, surrogates and what is no character are refused.
static bool read_hex(const char **p, int digits, sc_str *out)
{
    uint32_t c = 0;
    for (int i = 0; i < digits; i++, ++*p) {
        static const char hex[] = "0123456789abcdef";
        char lower = **p >= 'A' && **p <= 'F' ? (char)(**p + 32) : **p;
        const char *at = lower ? strchr(hex, lower) : NULL;
        if (!at)
            return false;
        c = c << 4 | (uint32_t)(at - hex);
    }
    if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return false;
    add_utf8(out, c);
    return true;
}

// What follows a backslash, as repr() writes it.
static bool read_escape(const char **p, sc_str *out)
{
    static const char plain[] = "\\'\"", control[] = "nrtabfv";
    char c = *(*p)++;
    if (!c)
        return false;
    if (c == 'x')
        return read_hex(p, 2, out);
    if (c == 'u')
        return read_hex(p, 4, out);
    if (c == 'U')
        return read_hex(p, 8, out);
    if (!strchr(plain, c) && !strchr(control, c))
        return false;
    sc_str_addc(out, strchr(plain, c) ? c : ' ');
    return true;
}

static bool read_string(const char **p, sc_str *out)
{
    skip_blanks(p);
    char quote = **p;
    sc_str_clear(out);
    if (quote != '\'' && quote != '"')
        return false;
    for (++*p; **p != quote;) {
        char c = *(*p)++;
        if (!c || c == '\n')
            return false;
        if (c != '\\')
            sc_str_addc(out, c);
        else if (!read_escape(p, out))
            return false;
    }
    ++*p;
    return true;
}

static bool read_number(const char **p, int64_t *number)
{
    skip_blanks(p);
    size_t len = strspn(*p, "0123456789");
    if (!len || len > 9)
        return false;
    *number = 0;
    for (size_t i = 0; i < len; i++)
        *number = *number * 10 + (*(*p)++ - '0');
    return true;
}

// After an item: true where another follows; *end where the closing bracket was taken. A comma
// before the bracket is allowed, as in Python.
static bool next_item(const char **p, char close, bool *end)
{
    bool comma = take(p, ',');
    *end = take(p, close);
    return comma && !*end;
}

static bool read_names(const char **p, bool dict, struct names *names, sc_str *name)
{
    char close = dict ? '}' : ']';
    int64_t number = 0;
    bool end = take(p, close), more = !end;
    for (int64_t place = 0; more; place++) {
        number = place;
        if (dict && (!read_number(p, &number) || !take(p, ':')))
            return false;
        if (!read_string(p, name) || !names_set(names, number, sc_str_get(name)))
            return false;
        more = next_item(p, close, &end);
    }
    skip_blanks(p);
    return end && !**p;
}

char *sc_labels_from_python(const char *text, int *count)
{
    struct names names = {0};
    sc_str name = {0};
    *count = 0;
    if (strlen(text) > SC_LABELS_MAX)
        return NULL;
    bool dict = take(&text, '{');
    bool good = (dict || take(&text, '[')) && read_names(&text, dict, &names, &name);
    sc_str_release(&name);
    return names_finish(&names, good, count);
}

static bool from_object(const json_t *object, struct names *names)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        int64_t number;
        if (!sc_parse_int(key, 0, SC_MODEL_MAX_CLASSES - 1, &number) ||
            !json_is_string(value) || !names_set(names, number, json_string_value(value)))
            return false;
    }
    return true;
}

static bool from_array(const json_t *array, struct names *names)
{
    size_t i;
    json_t *value;
    json_array_foreach(array, i, value)
    {
        if (!json_is_string(value) || !names_set(names, (int64_t)i, json_string_value(value)))
            return false;
    }
    return true;
}

char *sc_labels_from_json(const struct json_t *json, int *count)
{
    struct names names = {0};
    bool good = json_is_object(json)  ? from_object(json, &names)
                : json_is_array(json) ? from_array(json, &names)
                                      : false;
    return names_finish(&names, good, count);
}

// Passes over one value: a string, a bare word or number, or brackets with such inside.
static bool skip_value(const char **p, sc_str *scratch)
{
    static const char open[] = "([{", close[] = ")]}";
    char stack[DEPTH];
    int depth = 0;
    do {
        skip_blanks(p);
        const char *bracket = **p ? strchr(open, **p) : NULL;
        if (**p == '\'' || **p == '"') {
            if (!read_string(p, scratch))
                return false;
        } else if (bracket) {
            if (depth == DEPTH)
                return false;
            stack[depth++] = close[bracket - open];
            ++*p;
        } else if (depth && **p == stack[depth - 1]) {
            depth--;
            ++*p;
        } else if (depth && **p && strchr(",:", **p)) {
            ++*p;
        } else {
            size_t len = strcspn(*p, " \t\r\n()[]{},:'\"");
            if (!len)
                return false;
            *p += len;
        }
    } while (depth);
    return true;
}

bool sc_python_get(const char *text, const char *key, char *buf, int size)
{
    sc_str name = {0}, scratch = {0};
    bool found = false, end = false, more = take(&text, '{') && !take(&text, '}');
    while (more && !found) {
        if (!read_string(&text, &name) || !take(&text, ':'))
            break;
        skip_blanks(&text);
        const char *start = text;
        if (!skip_value(&text, &scratch))
            break;
        if (!strcmp(sc_str_get(&name), key)) {
            int len = (int)(text - start);
            found = text - start < size;
            snprintf(buf, (size_t)size, "%.*s", found ? len : 0, start);
            break;
        }
        more = next_item(&text, '}', &end);
    }
    sc_str_release(&name);
    sc_str_release(&scratch);
    return found;
}
