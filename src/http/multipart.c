#include "http/multipart.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/params.h"

#define BOUNDARY_MAX  70 // RFC 2046
#define DELIMITER_MAX (BOUNDARY_MAX + 4)
#define HEADER_MAX    8192
#define PREAMBLE_MAX  4096
#define LINE_MAX_SIZE 80

enum state { PREAMBLE, AFTER_BOUNDARY, HEADER, DATA, EPILOGUE, FAILED };

struct sc_multipart {
    struct sc_multipart_events events;
    void *arg;
    enum state state;
    char delimiter[DELIMITER_MAX + 1]; // "\r\n--boundary"
    size_t delimiter_size;
    char hold[DELIMITER_MAX]; // the end of the last piece, where it may begin a delimiter
    size_t hold_size;
    size_t preamble;         // bytes seen
    char header[HEADER_MAX]; // a part's header, or the rest of a boundary's line
    size_t header_size;
};

bool sc_multipart_is(const char *content_type)
{
    return content_type && !strncasecmp(content_type, "multipart/form-data", 19);
}

// The value of `name=value` or `name="value"` among parameters that begin at s; at most size - 1
// bytes into out. False if there is none or it is too long.
static bool parameter(const char *s, const char *name, char *out, size_t size)
{
    size_t name_size = strlen(name);
    while ((s = strchr(s, ';'))) {
        s += 1 + strspn(s + 1, " \t");
        if (strncasecmp(s, name, name_size) || s[name_size] != '=') {
            const char *quote = strchr(s, '"'), *next = strchr(s, ';');
            if (quote && next && quote < next) // a ; inside quotes does not count
                s = strchr(quote + 1, '"') ? strchr(quote + 1, '"') : quote + strlen(quote);
            continue;
        }
        s += name_size + 1;
        bool quoted = *s == '"';
        size_t n = 0;
        for (s += quoted; *s && (quoted ? *s != '"' : !strchr("; \t", *s)); s++) {
            if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
                s++;
            if (n + 1 >= size)
                return false;
            out[n++] = *s;
        }
        out[n] = 0;
        return !quoted || *s == '"';
    }
    return false;
}

int sc_multipart_open(sc_multipart **pmp, const char *content_type,
                      const struct sc_multipart_events *events, void *arg, sc_err *err)
{
    char boundary[BOUNDARY_MAX + 1];
    *pmp = NULL;
    if (!parameter(content_type, "boundary", boundary, sizeof(boundary)) || !boundary[0])
        return sc_fail_field(err, SC_EARG, "Content-Type",
                             "multipart/form-data needs a boundary of 1 to 70 characters");
    sc_multipart *mp = sc_new(sc_multipart);
    mp->events = *events;
    mp->arg = arg;
    mp->delimiter_size =
        (size_t)snprintf(mp->delimiter, sizeof(mp->delimiter), "\r\n--%s", boundary);
    // The first boundary may stand at the very start: as if a line break came before.
    memcpy(mp->hold, "\r\n", 2);
    mp->hold_size = 2;
    *pmp = mp;
    return SC_OK;
}

void sc_multipart_close(sc_multipart **pmp)
{
    free(*pmp);
    *pmp = NULL;
}

static int malformed(sc_multipart *mp, sc_err *err, const char *what)
{
    mp->state = FAILED;
    return sc_fail_field(err, SC_EARG, "body", "malformed multipart body: %s", what);
}

// --- headers of a part --------------------------------------------------------------------

struct fields {
    char name[256], filename[1024], type[128];
    bool has_name, has_filename;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *back = strrchr(path, '\\');
    const char *last = slash > back ? slash : back;
    return last ? last + 1 : path;
}

static void disposition(struct fields *fields, const char *value)
{
    char extended[1024];
    fields->has_name = !strncasecmp(value, "form-data", 9) &&
                       parameter(value, "name", fields->name, sizeof(fields->name));
    fields->has_filename =
        parameter(value, "filename", fields->filename, sizeof(fields->filename));
    // RFC 5987: filename*=UTF-8''percent-encoded
    if (parameter(value, "filename*", extended, sizeof(extended)) &&
        !strncasecmp(extended, "UTF-8''", 7) && !sc_percent_decode(extended + 7, false, NULL)) {
        snprintf(fields->filename, sizeof(fields->filename), "%s", extended + 7);
        fields->has_filename = true;
    }
}

static int header_line(sc_multipart *mp, struct fields *fields, char *line, sc_err *err)
{
    char *colon = strchr(line, ':');
    if (!colon || colon == line)
        return malformed(mp, err, "a part's header line has no name");
    *colon = 0;
    char *value = colon + 1 + strspn(colon + 1, " \t");
    if (!strcasecmp(line, "Content-Disposition"))
        disposition(fields, value);
    else if (!strcasecmp(line, "Content-Type"))
        snprintf(fields->type, sizeof(fields->type), "%s", value);
    return SC_OK;
}

static int begin_part(sc_multipart *mp, sc_err *err)
{
    struct fields fields = {0};
    int ret = SC_OK;
    mp->header[mp->header_size] = 0;
    if (strlen(mp->header) != mp->header_size)
        return malformed(mp, err, "a part's header holds a zero byte");
    for (char *line = mp->header, *end; !ret && (end = strstr(line, "\r\n")); line = end + 2) {
        *end = 0;
        if (*line)
            ret = header_line(mp, &fields, line, err);
    }
    if (ret)
        return ret;
    if (!fields.has_name)
        return malformed(mp, err, "a part has no Content-Disposition: form-data; name=...");
    if (!strncasecmp(fields.type, "multipart/", 10))
        return malformed(mp, err, "parts within parts are not taken");
    mp->state = DATA;
    struct sc_multipart_part part = {
        fields.name, fields.has_filename ? base_name(fields.filename) : NULL, fields.type};
    return mp->events.begin(mp->arg, &part, err);
}

// Collects up to the empty line; *used says how much of data belonged to it.
static int take_header(sc_multipart *mp, const char *data, size_t size, size_t *used,
                       sc_err *err)
{
    for (*used = 0; *used < size;) {
        if (mp->header_size + 1 >= sizeof(mp->header))
            return malformed(mp, err, "a part's header is larger than 8 KiB");
        char *h = mp->header;
        h[mp->header_size++] = data[(*used)++];
        size_t n = mp->header_size;
        bool empty = n == 2 && !memcmp(h, "\r\n", 2);
        if (empty || (n >= 4 && !memcmp(h + n - 4, "\r\n\r\n", 4)))
            return begin_part(mp, err);
    }
    return SC_OK;
}

// What follows a boundary: "--" ends the body, else (blanks and) a line break begins a part.
static int take_line(sc_multipart *mp, const char *data, size_t size, size_t *used, sc_err *err)
{
    for (*used = 0; *used < size;) {
        char c = data[(*used)++], *line = mp->header;
        line[mp->header_size++] = c;
        size_t n = mp->header_size;
        if (n == 2 && !memcmp(line, "--", 2)) {
            mp->state = EPILOGUE;
            return SC_OK;
        }
        if (n >= 2 && c == '\n' && line[n - 2] == '\r') {
            mp->state = HEADER;
            mp->header_size = 0;
            return SC_OK;
        }
        bool blank = c == ' ' || c == '\t' || c == '\r' || (c == '-' && n == 1);
        if (!blank || n >= LINE_MAX_SIZE || (n > 1 && line[0] == '-'))
            return malformed(mp, err, "a boundary is followed by something else");
    }
    return SC_OK;
}

// --- data up to a delimiter ---------------------------------------------------------------

static int emit(sc_multipart *mp, const char *data, size_t size, sc_err *err)
{
    if (!size)
        return SC_OK;
    if (mp->state == DATA)
        return mp->events.data(mp->arg, data, size, err);
    mp->preamble += size;
    return mp->preamble > PREAMBLE_MAX ? malformed(mp, err, "no boundary was found") : SC_OK;
}

static int at_delimiter(sc_multipart *mp, sc_err *err)
{
    bool in_part = mp->state == DATA;
    mp->state = AFTER_BOUNDARY;
    mp->hold_size = mp->header_size = 0;
    return in_part ? mp->events.end(mp->arg, err) : SC_OK;
}

// Where in data the longest end begins that may be the start of a delimiter; size if nowhere.
static size_t partial(const sc_multipart *mp, const char *data, size_t size)
{
    size_t from = size >= mp->delimiter_size ? size - mp->delimiter_size + 1 : 0;
    while (from < size) {
        const char *cr = memchr(data + from, '\r', size - from);
        if (!cr)
            return size;
        from = (size_t)(cr - data);
        if (!memcmp(cr, mp->delimiter, size - from))
            return from;
        from++;
    }
    return size;
}

// What was held back, together with the start of data: does a delimiter begin there?
static int take_held(sc_multipart *mp, const char *data, size_t size, size_t *used, sc_err *err)
{
    char joined[2 * DELIMITER_MAX];
    size_t held = mp->hold_size, more = size < mp->delimiter_size ? size : mp->delimiter_size;
    memcpy(joined, mp->hold, held);
    memcpy(joined + held, data, more);
    *used = 0;
    const char *found = memmem(joined, held + more, mp->delimiter, mp->delimiter_size);
    size_t at = found ? (size_t)(found - joined) : partial(mp, joined, held + more);
    if (at >= held) { // not in what was held: that is plain data
        mp->hold_size = 0;
        return emit(mp, joined, held, err);
    }
    int ret = emit(mp, joined, at, err);
    if (ret)
        return ret;
    if (found) {
        *used = at + mp->delimiter_size - held;
        return at_delimiter(mp, err);
    }
    mp->hold_size = held + more - at;
    memcpy(mp->hold, joined + at, mp->hold_size);
    *used = more;
    return SC_OK;
}

static int take_data(sc_multipart *mp, const char *data, size_t size, size_t *used, sc_err *err)
{
    if (mp->hold_size)
        return take_held(mp, data, size, used, err);
    const char *found = memmem(data, size, mp->delimiter, mp->delimiter_size);
    size_t plain = found ? (size_t)(found - data) : partial(mp, data, size);
    int ret = emit(mp, data, plain, err);
    if (ret)
        return ret;
    if (found) {
        *used = plain + mp->delimiter_size;
        return at_delimiter(mp, err);
    }
    mp->hold_size = size - plain;
    memcpy(mp->hold, data + plain, mp->hold_size);
    *used = size;
    return SC_OK;
}

int sc_multipart_push(sc_multipart *mp, const char *data, size_t size, sc_err *err)
{
    int ret = SC_OK;
    while (size && !ret) {
        size_t used = size;
        switch (mp->state) {
        case PREAMBLE:
        case DATA:
            ret = take_data(mp, data, size, &used, err);
            break;
        case AFTER_BOUNDARY:
            ret = take_line(mp, data, size, &used, err);
            break;
        case HEADER:
            ret = take_header(mp, data, size, &used, err);
            break;
        case EPILOGUE:
            break;
        case FAILED:
            return sc_fail(err, SC_EARG, "the multipart body was refused already");
        }
        data += used;
        size -= used;
    }
    if (ret)
        mp->state = FAILED;
    return ret;
}

int sc_multipart_finish(sc_multipart *mp, sc_err *err)
{
    if (mp->state == EPILOGUE)
        return SC_OK;
    return malformed(mp, err, "it ends before its last boundary");
}
