// Options from YAML: `name: value` lines, at the top or one level down under the group's name.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/option_internal.h"

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; // the current one
    sc_options *opts;
    struct sc_option_batch batch;
    const char *name; // of the file
    sc_err *err;
};

static int fail_at(struct reader *r, size_t line, int code, const char *what, const char *item)
{
    return sc_fail(r->err, code, "%.200s:%zu: %s%s%.60s%s", r->name, line, what,
                   item ? " '" : "", item ? item : "", item ? "'" : "");
}

static size_t event_line(const struct reader *r)
{
    return r->event.start_mark.line + 1;
}

// Moves to the next event.
static int next(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event))
        return SC_OK;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return sc_fail(r->err, SC_ENOMEM, "%.200s: out of memory", r->name);
    // The reader below the scanner knows no line of its own.
    bool marked = r->parser.error != YAML_READER_ERROR;
    size_t line = (marked ? r->parser.problem_mark.line : r->parser.mark.line) + 1;
    const char *why = r->parser.problem ? r->parser.problem : "cannot be parsed";
    return fail_at(r, line, SC_EDATA, "bad YAML:", why);
}

// The scalar of the current event, or NULL with err set.
static const char *scalar_text(struct reader *r)
{
    const char *text = (const char *)r->event.data.scalar.value;
    if (strlen(text) == r->event.data.scalar.length)
        return text;
    fail_at(r, event_line(r), SC_EDATA, "a NUL character is not allowed", NULL);
    return NULL;
}

// `name:` with nothing behind it.
static bool is_empty(const struct reader *r)
{
    return r->event.data.scalar.length == 0 &&
           r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static const sc_option_group *find_group(const sc_options *opts, const char *name)
{
    for (size_t g = 0; g < opts->group_count; g++)
        if (strcmp(opts->groups[g]->name, name) == 0)
            return opts->groups[g];
    return NULL;
}

// key's value is the current scalar.
static int read_value(struct reader *r, const sc_option_group *group, const char *key,
                      size_t line)
{
    struct sc_option_entry *entry = sc_option_find(r->opts, group, key);
    if (!entry && !group && is_empty(r) && find_group(r->opts, key))
        return SC_OK; // a group without options
    if (!entry)
        return fail_at(r, line, SC_EARG, "unknown option", key);
    if (is_empty(r))
        return fail_at(r, line, SC_EARG, "no value (write \"\" for empty text) for option",
                       key);
    if (sc_option_batch_has(&r->batch, entry))
        return fail_at(r, line, SC_EARG, "a second value for option", key);
    const char *text = scalar_text(r);
    if (!text)
        return SC_EDATA;
    sc_str where = {0};
    sc_str_addf(&where, "%.200s:%zu", r->name, line);
    int ret = sc_option_batch_add(&r->batch, entry, text, sc_str_get(&where), r->err);
    sc_str_release(&where);
    return ret;
}

static int read_mapping(struct reader *r, const sc_option_group *group);

// What stands behind `key:`, up to its last event.
static int read_node(struct reader *r, const sc_option_group *group, const char *key,
                     size_t line)
{
    int ret = next(r);
    if (ret < 0)
        return ret;
    if (r->event.type == YAML_SCALAR_EVENT)
        return read_value(r, group, key, line);
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return fail_at(r, line, SC_EARG, "one plain value is wanted for", key);
    const sc_option_group *inner = group ? NULL : find_group(r->opts, key);
    return inner ? read_mapping(r, inner) : fail_at(r, line, SC_EARG, "unknown group", key);
}

static int read_pair(struct reader *r, const sc_option_group *group)
{
    size_t line = event_line(r);
    if (r->event.type != YAML_SCALAR_EVENT)
        return fail_at(r, line, SC_EARG, "an option's name is wanted here", NULL);
    const char *text = scalar_text(r);
    if (!text)
        return SC_EDATA;
    char *key = sc_xstrdup(text); // the event goes with the next one
    int ret = read_node(r, group, key, line);
    free(key);
    return ret;
}

// From a mapping's start to its end. Nests once: groups hold no groups.
static int read_mapping(struct reader *r, const sc_option_group *group)
{
    for (;;) {
        int ret = next(r);
        if (ret < 0 || r->event.type == YAML_MAPPING_END_EVENT)
            return ret;
        ret = read_pair(r, group);
        if (ret < 0)
            return ret;
    }
}

static int read_document(struct reader *r)
{
    int ret = next(r);
    if (ret < 0)
        return ret;
    if (r->event.type == YAML_MAPPING_START_EVENT)
        ret = read_mapping(r, NULL);
    else if (r->event.type != YAML_SCALAR_EVENT || !is_empty(r))
        ret = fail_at(r, event_line(r), SC_EARG, "lines of the form 'name: value' are wanted",
                      NULL);
    return ret < 0 ? ret : next(r); // the document's end
}

static int read_stream(struct reader *r)
{
    int ret = next(r); // the stream's start
    if (ret == SC_OK)
        ret = next(r);
    if (ret < 0 || r->event.type == YAML_STREAM_END_EVENT)
        return ret;
    ret = read_document(r);
    if (ret == SC_OK)
        ret = next(r);
    if (ret == SC_OK && r->event.type != YAML_STREAM_END_EVENT)
        ret = fail_at(r, event_line(r), SC_EARG, "a second document is not allowed", NULL);
    return ret;
}

int sc_options_load_text(sc_options *opts, const char *name, const char *text, size_t size,
                         sc_err *err)
{
    struct reader r = {.opts = opts, .name = name, .err = err};
    if (size > SC_OPTION_MAX_FILE)
        return sc_fail(err, SC_ELIMIT, "%.200s: larger than 1 MiB", name);
    if (!yaml_parser_initialize(&r.parser))
        return sc_fail(err, SC_ENOMEM, "%.200s: out of memory", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    int ret = read_stream(&r);
    if (ret == SC_OK)
        sc_option_batch_apply(&r.batch, opts);
    sc_option_batch_release(&r.batch);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return ret;
}

int sc_options_load_file(sc_options *opts, const char *path, sc_err *err)
{
    int ret;
    size_t size = 0;
    char *text = NULL;
    FILE *f = fopen(path, "re");
    if (!f) {
        ret = sc_error_from_errno(errno);
        return sc_fail(err, ret, "%.200s cannot be opened: %s", path, sc_strerror(ret));
    }
    text = sc_xcalloc(1, SC_OPTION_MAX_FILE + 1); // one more tells a file that is too large
    size = fread(text, 1, SC_OPTION_MAX_FILE + 1, f);
    if (ferror(f))
        ret = sc_fail(err, SC_EIO, "%.200s cannot be read", path);
    else
        ret = sc_options_load_text(opts, path, text, size, err);
    free(text);
    fclose(f);
    return ret;
}
