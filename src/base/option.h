// Options: typed rows beside the component they steer.
//
// A component keeps a struct of its settings and a const table of rows that say, for each field,
// name, type, range, default and meaning. The configuration file, the environment, the flags
// and `saccade options` all derive from those rows. Precedence:
// default < file (saccade.yaml) < environment (SACCADE_*) < flags.
//
//   struct http_options { int64_t port; char *host; };
//   static const sc_option rows[] = {
//       {"port", SC_OPT_INT, offsetof(struct http_options, port), "8000", "port to listen on",
//        .min = 0, .max = 65535},
//       {"host", SC_OPT_STRING, offsetof(struct http_options, host), "127.0.0.1", "address"},
//   };
//   const sc_option_group http_option_group = SC_OPTION_GROUP("http", rows, struct http_options);
//
// A row "max-upload" is `max-upload: 2G` in the file (or under its group: `http:` then
// `  max-upload: 2G`), SACCADE_MAX_UPLOAD, --max-upload. Names are unique over all groups.
//
// Thread-safety: Unsafe until all sources are loaded; reading is then safe.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum sc_option_type {
    SC_OPT_BOOL,     // bool: true/false/yes/no/on/off/1/0; as a flag also --name and --no-name
    SC_OPT_INT,      // int64_t in [min, max]
    SC_OPT_NUM,      // double in [min, max]
    SC_OPT_STRING,   // char *, owned by the struct; "" when unset
    SC_OPT_SIZE,     // int64_t bytes in [min, max], written "64M"
    SC_OPT_DURATION, // int64_t ns in [min, max], written "30s"
    SC_OPT_CHOICE,   // int64_t: index into choices, "a|b|c"
};

typedef struct sc_option {
    const char *name; // lower-case words joined by '-'
    enum sc_option_type type;
    size_t offset;     // of the field in the group's struct
    const char *value; // default, as text of the same syntax
    const char *help;  // one line
    double min, max;   // both 0 = no range beyond the type's own
    const char *choices;
    bool secret; // printed as "***"
} sc_option;

typedef struct sc_option_group {
    const char *name;
    const sc_option *rows;
    size_t count;
    size_t size; // of the settings struct
} sc_option_group;

#define SC_OPTION_GROUP(group, table, type)                                                    \
    {                                                                                          \
        .name = (group), .rows = (table), .count = sizeof(table) / sizeof((table)[0]),         \
        .size = sizeof(type)                                                                   \
    }

typedef struct sc_options sc_options;

// groups: NULL-terminated; must outlive the result. Aborts on a bad table (a caller bug).
sc_options *sc_options_new(const sc_option_group *const *groups);
void sc_options_free(sc_options **popts);

// Reads YAML. SC_ENOTFOUND if there is no such file; SC_EARG / SC_EDATA with
// "saccade.yaml:7: ..." in err for an unknown option, an ill-typed value or bad YAML; nothing of
// a broken file is applied. At most 1 MiB.
int sc_options_load_file(sc_options *opts, const char *path, sc_err *err);
// As above from memory; name is what messages call it.
int sc_options_load_text(sc_options *opts, const char *name, const char *text, size_t size,
                         sc_err *err);
// Takes SACCADE_* from envp; an unknown SACCADE_ name is an error.
int sc_options_load_env(sc_options *opts, char *const *envp, sc_err *err);
// Takes --name=value, --name value, --flag, --no-flag out of argv (argv[0] is left alone), moving
// what is not an option of ours to the front; *argc becomes their number. "--" ends options and
// is left in, so that the command knows too. argv needs room for a NULL at argv[*argc], as main
// has it; on an error nothing is applied and argv is left alone.
// Flags nobody knows are left in argv for the command to judge.
int sc_options_load_args(sc_options *opts, int *argc, char **argv, sc_err *err);
// Sets one value; `where` ("flag", "saccade.yaml:7") is told in errors and by `saccade options`.
int sc_options_set(sc_options *opts, const char *name, const char *value, const char *where,
                   sc_err *err);

// The settings struct of a group (const-correct users cast it), valid while opts lives.
const void *sc_options_get(const sc_options *opts, const sc_option_group *group);

// Every option with type, default, current value, where it came from, and meaning.
void sc_options_print(const sc_options *opts, sc_str *out);
void sc_options_print_json(const sc_options *opts, sc_str *out);
