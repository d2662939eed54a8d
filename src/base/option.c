// The table of options and its sources but the file. A source is read into a batch first, so
// that nothing of a broken one is applied.
#include "base/option.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/option_internal.h"

#define ENV_PREFIX "SACCADE_"

void *sc_option_field(const sc_options *opts, const struct sc_option_entry *entry)
{
    return (char *)opts->structs[entry->group] + entry->row->offset;
}

static void store(sc_options *opts, const struct sc_option_entry *entry, sc_option_value value)
{
    void *field = sc_option_field(opts, entry);
    switch (entry->row->type) {
    case SC_OPT_BOOL:
        *(bool *)field = value.b;
        break;
    case SC_OPT_NUM:
        *(double *)field = value.f;
        break;
    case SC_OPT_STRING:
        free(*(char **)field);
        *(char **)field = value.s;
        break;
    default:
        *(int64_t *)field = value.i;
    }
}

static void add_entry(sc_options *opts, size_t group, const sc_option *row)
{
    sc_require(!sc_option_find(opts, NULL, row->name)); // names are unique over all groups
    struct sc_option_entry *entry = &opts->entries[opts->entry_count++];
    entry->row = row;
    entry->group = group;
    entry->where = sc_xstrdup("default");
    sc_option_value value = {0};
    bool good_default = sc_option_parse(row, row->value ? row->value : "", &value);
    sc_require(good_default);
    sc_require(!row->secret || row->type == SC_OPT_STRING); // printing relies on it
    store(opts, entry, value);
}

sc_options *sc_options_new(const sc_option_group *const *groups)
{
    sc_options *opts = sc_new(sc_options);
    size_t rows = 0;
    opts->groups = groups;
    for (; groups[opts->group_count]; opts->group_count++)
        rows += groups[opts->group_count]->count;
    opts->structs = sc_xcalloc(opts->group_count, sizeof(*opts->structs));
    opts->entries = sc_xcalloc(rows, sizeof(*opts->entries));
    for (size_t g = 0; g < opts->group_count; g++) {
        opts->structs[g] = sc_xcalloc(1, groups[g]->size);
        for (size_t i = 0; i < groups[g]->count; i++)
            add_entry(opts, g, &groups[g]->rows[i]);
    }
    return opts;
}

void sc_options_free(sc_options **popts)
{
    sc_options *opts = popts ? *popts : NULL;
    if (!opts)
        return;
    *popts = NULL;
    for (size_t i = 0; i < opts->entry_count; i++) {
        struct sc_option_entry *entry = &opts->entries[i];
        if (entry->row->type == SC_OPT_STRING)
            free(*(char **)sc_option_field(opts, entry));
        free(entry->where);
    }
    for (size_t g = 0; g < opts->group_count; g++)
        free(opts->structs[g]);
    free(opts->structs);
    free(opts->entries);
    free(opts);
}

struct sc_option_entry *sc_option_find(sc_options *opts, const sc_option_group *group,
                                       const char *name)
{
    for (size_t i = 0; i < opts->entry_count; i++) {
        struct sc_option_entry *entry = &opts->entries[i];
        if (strcmp(entry->row->name, name) == 0 &&
            (!group || opts->groups[entry->group] == group))
            return entry;
    }
    return NULL;
}

static int fail_value(const sc_option *row, const char *text, const char *where, sc_err *err)
{
    sc_str wanted = {0};
    sc_option_describe(row, &wanted);
    sc_fail_field(err, SC_EARG, row->name, "%s: option '%s' takes %s, not '%.60s'", where,
                  row->name, sc_str_get(&wanted), row->secret ? "***" : text);
    sc_str_release(&wanted);
    return SC_EARG;
}

int sc_option_batch_add(struct sc_option_batch *batch, struct sc_option_entry *entry,
                        const char *text, const char *where, sc_err *err)
{
    sc_option_value value = {0};
    if (!sc_option_parse(entry->row, text, &value))
        return fail_value(entry->row, text, where, err);
    if (batch->count == batch->cap) {
        batch->cap = batch->cap * 2 + 16;
        batch->changes = sc_xrealloc(batch->changes, batch->cap * sizeof(*batch->changes));
    }
    batch->changes[batch->count++] = (struct sc_option_change){entry, value, sc_xstrdup(where)};
    return SC_OK;
}

bool sc_option_batch_has(const struct sc_option_batch *batch,
                         const struct sc_option_entry *entry)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->changes[i].entry == entry)
            return true;
    return false;
}

void sc_option_batch_apply(struct sc_option_batch *batch, sc_options *opts)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct sc_option_change *change = &batch->changes[i];
        store(opts, change->entry, change->value);
        free(change->entry->where);
        change->entry->where = change->where;
    }
    batch->count = 0;
}

void sc_option_batch_release(struct sc_option_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct sc_option_change *change = &batch->changes[i];
        if (change->entry->row->type == SC_OPT_STRING)
            free(change->value.s);
        free(change->where);
    }
    free(batch->changes);
    *batch = (struct sc_option_batch){0};
}

static int fail_unknown(const char *where, const char *name, sc_err *err)
{
    return sc_fail_field(err, SC_EARG, name,
                         "%s: unknown option '%.60s'; 'saccade options' lists all", where,
                         name);
}

int sc_options_set(sc_options *opts, const char *name, const char *value, const char *where,
                   sc_err *err)
{
    struct sc_option_entry *entry = sc_option_find(opts, NULL, name);
    if (!entry)
        return fail_unknown(where, name, err);
    struct sc_option_batch batch = {0};
    int ret = sc_option_batch_add(&batch, entry, value, where, err);
    if (ret == SC_OK)
        sc_option_batch_apply(&batch, opts);
    sc_option_batch_release(&batch);
    return ret;
}

// "MAX_UPLOAD=2G" to "max-upload" in name; where gets "SACCADE_MAX_UPLOAD".
static void split_variable(const char *text, sc_str *name, sc_str *where)
{
    size_t size = strcspn(text, "=");
    sc_str_add(where, ENV_PREFIX);
    sc_str_addn(where, text, size);
    for (size_t i = 0; i < size; i++)
        sc_str_addc(name, text[i] == '_' ? '-' : (char)tolower((unsigned char)text[i]));
}

static int add_variable(sc_options *opts, struct sc_option_batch *batch, const char *text,
                        sc_err *err)
{
    sc_str name = {0}, where = {0};
    split_variable(text, &name, &where);
    struct sc_option_entry *entry = sc_option_find(opts, NULL, sc_str_get(&name));
    const char *value = strchr(text, '=');
    int ret = entry && value
                  ? sc_option_batch_add(batch, entry, value + 1, sc_str_get(&where), err)
                  : fail_unknown(sc_str_get(&where), sc_str_get(&name), err);
    sc_str_release(&name);
    sc_str_release(&where);
    return ret;
}

int sc_options_load_env(sc_options *opts, char *const *envp, sc_err *err)
{
    struct sc_option_batch batch = {0};
    int ret = SC_OK;
    for (; *envp && ret == SC_OK; envp++)
        if (sc_starts_with(*envp, ENV_PREFIX))
            ret = add_variable(opts, &batch, *envp + strlen(ENV_PREFIX), err);
    if (ret == SC_OK)
        sc_option_batch_apply(&batch, opts);
    sc_option_batch_release(&batch);
    return ret;
}

// What one argument means: an option of ours with its value (NULL: the next argument), or none.
struct flag {
    struct sc_option_entry *entry;
    const char *value;
    sc_str where;
};

static void read_flag(sc_options *opts, const char *arg, struct flag *flag)
{
    *flag = (struct flag){0};
    if (!sc_starts_with(arg, "--") || !arg[2])
        return;
    const char *equals = strchr(arg, '=');
    sc_str_addn(&flag->where, arg, equals ? (size_t)(equals - arg) : strlen(arg));
    const char *name = sc_str_get(&flag->where) + 2;
    flag->entry = sc_option_find(opts, NULL, name);
    flag->value = equals ? equals + 1 : NULL;
    bool is_bool = flag->entry && flag->entry->row->type == SC_OPT_BOOL;
    if (is_bool && !equals) {
        flag->value = "true";
    } else if (!flag->entry && !equals && sc_starts_with(name, "no-")) {
        flag->entry = sc_option_find(opts, NULL, name + 3);
        flag->value = "false";
        if (flag->entry && flag->entry->row->type != SC_OPT_BOOL)
            flag->entry = NULL;
    }
}

// Handles argv[0] of the `left` that remain; returns how many were ours (0, 1 or 2) or SC_EARG.
static int take_flag(sc_options *opts, struct sc_option_batch *batch, char **argv, int left,
                     sc_err *err)
{
    struct flag flag;
    int ret = 0;
    read_flag(opts, argv[0], &flag);
    if (flag.entry) {
        int used = flag.value ? 1 : 2;
        const char *where = sc_str_get(&flag.where);
        if (used > left)
            ret = sc_fail_field(err, SC_EARG, flag.entry->row->name, "%s needs a value", where);
        else
            ret = sc_option_batch_add(batch, flag.entry, flag.value ? flag.value : argv[1],
                                      where, err);
        if (ret == SC_OK)
            ret = used;
    }
    sc_str_release(&flag.where);
    return ret;
}

int sc_options_load_args(sc_options *opts, int *argc, char **argv, sc_err *err)
{
    struct sc_option_batch batch = {0};
    char **rest = sc_xcalloc((size_t)*argc + 1, sizeof(*rest));
    int count = 0, used = 0;
    bool ended = false;
    for (int i = 0; i < *argc && used >= 0; i += used ? used : 1) {
        ended = ended || strcmp(argv[i], "--") == 0;
        used = i && !ended ? take_flag(opts, &batch, argv + i, *argc - i, err) : 0;
        if (!used)
            rest[count++] = argv[i];
    }
    if (used >= 0) { // argv stays as it is when something is wrong
        memcpy(argv, rest, ((size_t)count + 1) * sizeof(*rest));
        *argc = count;
        sc_option_batch_apply(&batch, opts);
    }
    free(rest);
    sc_option_batch_release(&batch);
    return used < 0 ? used : SC_OK;
}

const void *sc_options_get(const sc_options *opts, const sc_option_group *group)
{
    for (size_t g = 0; g < opts->group_count; g++)
        if (opts->groups[g] == group)
            return opts->structs[g];
    sc_require(!"the group was given to sc_options_new()");
    return NULL;
}
