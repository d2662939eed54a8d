// The server's settings for commands: file, environment, flags, in this order of precedence.
//
// Thread-safety: Unsafe; the main thread only.
#pragma once

#include "base/option.h"
#include "cli/command.h"

// Reads --config FILE (default saccade.yaml, if there), SACCADE_*, and takes the flags that are
// options out of argv. Returns 0 or the exit status after saying what is wrong.
int sc_cli_settings(const struct sc_command *cmd, sc_options **popts, int *argc, char **argv);

// The root log that the settings ask for.
sc_log *sc_cli_server_log(const sc_options *opts);
