// Commands: one file each, ending in its descriptor; main.c holds the table.
//
// Thread-safety: Unsafe; the main thread only.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "media/index.h"

struct sc_command {
    const char *name;
    const char *summary; // one line, for `saccade --help`
    const char *help;    // for `saccade NAME --help`
    // argv[0] is the command's name. Returns the exit status: 0 good, 1 failed, 2 wrong usage.
    int (*run)(int argc, char **argv);
};

extern const struct sc_command sc_cmd_bench, sc_cmd_demo, sc_cmd_detect, sc_cmd_doctor,
    sc_cmd_frame, sc_cmd_index, sc_cmd_live, sc_cmd_models, sc_cmd_options, sc_cmd_probe,
    sc_cmd_serve;

// Says on standard error what is wrong and where help is; returns 2.
int sc_cli_usage(const struct sc_command *cmd, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
// Says what failed; returns 1.
int sc_cli_fail(const struct sc_command *cmd, const sc_err *err, int code);
// Prints the command's help on standard output; returns 0.
int sc_cli_help(const struct sc_command *cmd);

// A log for commands: warnings and errors on standard error.
sc_log *sc_cli_log(void);

// Removes a folder of ours and all that is in it; "" does nothing. Links are not followed.
void sc_cli_remove_tree(const char *path);

// A token that SIGINT and SIGTERM cancel. One a process.
sc_cancel *sc_cli_cancel(void);

// A progress bar on standard error when that is a terminal, JSON lines on standard output with
// json, else nothing. An embedded value.
struct sc_progress {
    const char *what;
    bool json, shown;
    double rate; // frames a second; shown where it is above 0
    int64_t started_ns, printed_ns;
};
void sc_progress_init(struct sc_progress *p, const char *what, bool json);
void sc_progress_update(void *progress, double fraction); // fits sc_index_params.progress
void sc_progress_done(struct sc_progress *p);

// "7", "0,20,40", "10-19", or mixed: calls fn with the first and last of each range, until it fails.
// SC_EARG where text is none of that; err names `flag`. fn checks the numbers.
int sc_cli_numbers(const char *flag, const char *text,
                   int (*fn)(void *arg, int64_t from, int64_t to, sc_err *err), void *arg,
                   sc_err *err);

// Where the command line keeps the index of a video file: under $XDG_CACHE_HOME or ~/.cache,
// named by a hash of the absolute path. malloc'ed; the folder is made.
char *sc_cli_index_path(const char *video, sc_err *err);
// Opens or builds the index of a video with a progress bar. index_path NULL = as above; where no
// cache folder can be written the index is built in memory.
int sc_cli_open_index(sc_index **pix, const char *video, const char *index_path, bool json,
                      bool *built, sc_err *err);
