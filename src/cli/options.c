// saccade options: every option with type, default, value, origin and meaning.
#include <string.h>

#include "cli/command.h"
#include "cli/settings.h"

extern const struct sc_command sc_cmd_options;

static int run(int argc, char **argv)
{
    sc_options *options = NULL;
    bool json = false;
    int status = sc_cli_settings(&sc_cmd_options, &options, &argc, argv);
    for (int i = 1; i < argc && !status; i++) {
        if (!strcmp(argv[i], "--json"))
            json = true;
        else
            status = sc_cli_usage(&sc_cmd_options, "unknown argument %s", argv[i]);
    }
    if (!status) {
        sc_str out = {0};
        if (json)
            sc_options_print_json(options, &out);
        else
            sc_options_print(options, &out);
        fputs(sc_str_get(&out), stdout);
        sc_str_release(&out);
    }
    sc_options_free(&options);
    return status;
}

const struct sc_command sc_cmd_options = {
    .name = "options",
    .summary = "every option with its type, default and meaning",
    .help = "usage: saccade options [--config FILE] [--json] [--OPTION VALUE]...\n\n"
            "Lists the server's options, their values here and where each comes from:\n"
            "default < saccade.yaml < environment (SACCADE_NAME) < flag (--name).\n",
    .run = run,
};
