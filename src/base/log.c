#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

// Longer field texts are cut, so that a client cannot make a line of any size.
#define MAX_TEXT 4096

// Immutable after open; shared by a root and its children.
struct sink {
    int fd;
    enum sc_log_level level;
    enum sc_log_format format;
};

struct sc_log {
    struct sink sink; // a copy: it never changes, and the root need not be reached
    char *name;
};

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};
static const char *const format_names[] = {"logfmt", "json"};

static sc_log *make_log(const struct sink *sink, const char *name)
{
    sc_log *log = sc_new(sc_log);
    log->sink = *sink;
    log->name = sc_xstrdup(name);
    return log;
}

sc_log *sc_log_open(const struct sc_log_params *params)
{
    struct sink sink = {
        .fd = params->fd ? params->fd : STDERR_FILENO,
        .level = params->level,
        .format = params->format,
    };
    return make_log(&sink, "saccade");
}

sc_log *sc_log_child(sc_log *parent, const char *name)
{
    return parent ? make_log(&parent->sink, name) : NULL;
}

void sc_log_close(sc_log **plog)
{
    sc_log *log = plog ? *plog : NULL;
    if (!log)
        return;
    *plog = NULL;
    free(log->name);
    free(log);
}

bool sc_log_enabled(const sc_log *log, enum sc_log_level level)
{
    return log && level <= log->sink.level;
}

static bool needs_quotes(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p >= 0x7f)
            return true;
    return !*text;
}

static void add_text(sc_str *line, enum sc_log_format format, const char *text)
{
    char *cut = NULL;
    if (!text)
        text = "";
    if (strnlen(text, MAX_TEXT + 1) > MAX_TEXT) {
        cut = sc_xcalloc(1, MAX_TEXT + sizeof("..."));
        memcpy(cut, text, MAX_TEXT);
        memcpy(cut + MAX_TEXT, "...", sizeof("..."));
        text = cut;
    }
    if (format == SC_LOG_JSON || needs_quotes(text))
        sc_str_add_json(line, text);
    else
        sc_str_add(line, text);
    free(cut);
}

static void add_key(sc_str *line, enum sc_log_format format, const char *key)
{
    if (format == SC_LOG_JSON) {
        sc_str_addc(line, line->len ? ',' : '{');
        sc_str_add_json(line, key);
        sc_str_addc(line, ':');
    } else {
        if (line->len)
            sc_str_addc(line, ' ');
        sc_str_add(line, key);
        sc_str_addc(line, '=');
    }
}

static void add_pair(sc_str *line, enum sc_log_format format, const char *key, const char *text)
{
    add_key(line, format, key);
    add_text(line, format, text);
}

static void add_field(sc_str *line, enum sc_log_format format, const sc_log_field *field)
{
    add_key(line, format, field->key);
    switch (field->type) {
    case SC_FIELD_STR:
        add_text(line, format, field->s);
        break;
    case SC_FIELD_INT:
        sc_str_addf(line, "%lld", (long long)field->i);
        break;
    case SC_FIELD_NUM:
        if (format == SC_LOG_JSON && !isfinite(field->f))
            sc_str_add(line, "null"); // JSON has no word for it
        else
            sc_str_addf(line, "%.9g", field->f);
        break;
    case SC_FIELD_BOOL:
        sc_str_add(line, field->i ? "true" : "false");
        break;
    }
}

// A log that cannot be written has nowhere to say so: the rest of the line is lost.
static void write_line(int fd, const sc_str *line)
{
    for (size_t done = 0; done < line->len;) {
        ssize_t n = write(fd, line->s + done, line->len - done);
        if (n < 0 && errno != EINTR)
            return;
        done += n > 0 ? (size_t)n : 0;
    }
}

void sc_log_write(sc_log *log, enum sc_log_level level, const char *msg,
                  const sc_log_field *fields, size_t count)
{
    if (!sc_log_enabled(log, level))
        return;
    enum sc_log_format format = log->sink.format;
    int saved_errno = errno;
    char now[32];
    sc_str line = {0};
    add_pair(&line, format, "time", sc_clock_format(now, sc_clock_wall()));
    add_pair(&line, format, "level", level_names[level]);
    add_pair(&line, format, "obj", log->name);
    add_pair(&line, format, "msg", msg);
    for (size_t i = 0; i < count; i++)
        add_field(&line, format, &fields[i]);
    sc_str_add(&line, format == SC_LOG_JSON ? "}\n" : "\n");
    write_line(log->sink.fd, &line);
    sc_str_release(&line);
    errno = saved_errno; // callers log between a failure and reading its errno
}

static int find_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

int sc_log_level_parse(const char *name)
{
    return find_name(level_names, SC_COUNT(level_names), name);
}

int sc_log_format_parse(const char *name)
{
    return find_name(format_names, SC_COUNT(format_names), name);
}
