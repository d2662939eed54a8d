// What the files of base/option.h share: the flat table of options, typed values, and batches of
// changes that are applied whole or not at all. Not for users of options.
#pragma once

#include "base/option.h"

#define SC_OPTION_MAX_FILE (1 << 20) // bytes

typedef union sc_option_value {
    bool b;
    int64_t i;
    double f;
    char *s; // owned by whoever holds the value
} sc_option_value;

struct sc_option_entry {
    const sc_option *row;
    size_t group; // index
    char *where;  // "default", "saccade.yaml:7", "SACCADE_PORT", "--port"
};

struct sc_options {
    const sc_option_group *const *groups;
    size_t group_count;
    void **structs; // one a group, as the group's settings struct
    struct sc_option_entry *entries;
    size_t entry_count;
};

struct sc_option_change {
    struct sc_option_entry *entry;
    sc_option_value value;
    char *where;
};

struct sc_option_batch {
    struct sc_option_change *changes;
    size_t count, cap;
};

// The option of this name, in this group only unless it is NULL; NULL if there is none.
struct sc_option_entry *sc_option_find(sc_options *opts, const sc_option_group *group,
                                       const char *name);
// The field of the settings struct.
void *sc_option_field(const sc_options *opts, const struct sc_option_entry *entry);

// Checks text and notes the change; the first cause is in err.
int sc_option_batch_add(struct sc_option_batch *batch, struct sc_option_entry *entry,
                        const char *text, const char *where, sc_err *err);
bool sc_option_batch_has(const struct sc_option_batch *batch,
                         const struct sc_option_entry *entry);
// Takes all changes over, in order, and empties the batch.
void sc_option_batch_apply(struct sc_option_batch *batch, sc_options *opts);
void sc_option_batch_release(struct sc_option_batch *batch);

// True and *value set (a string is the caller's) if text is a valid value of the row.
bool sc_option_parse(const sc_option *row, const char *text, sc_option_value *value);
// Appends "an integer from 0 to 65535" and the like.
void sc_option_describe(const sc_option *row, sc_str *out);
// Appends the value in the row's own syntax.
void sc_option_format(const sc_option *row, const void *field, sc_str *out);
// "int", "size", ..
const char *sc_option_type_name(enum sc_option_type type);
// Appends bytes as "64M" and ns as "30s", exactly.
void sc_option_format_size(sc_str *out, int64_t bytes);
void sc_option_format_duration(sc_str *out, int64_t ns);
