// saccade COMMAND: finds the command in the table and runs it.
#include <stdio.h>
#include <string.h>

#include <libavutil/log.h>

#include "base/mem.h"
#include "cli/command.h"

// In the order of `saccade --help`.
static const struct sc_command *const commands[] = {
    &sc_cmd_serve, &sc_cmd_demo,   &sc_cmd_probe,   &sc_cmd_index,
    &sc_cmd_frame, &sc_cmd_detect, &sc_cmd_live,    &sc_cmd_models,
    &sc_cmd_bench, &sc_cmd_doctor, &sc_cmd_options,
};

static void print_help(FILE *out)
{
    fprintf(out, "saccade " SC_VERSION ": any frame of any video, exact and at once\n\n"
                 "usage: saccade COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < SC_COUNT(commands); i++)
        fprintf(out, "  %-10s%s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n`saccade COMMAND --help` says more. First time here: saccade demo\n");
}

static const struct sc_command *find(const char *name)
{
    for (size_t i = 0; i < SC_COUNT(commands); i++) {
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    }
    return NULL;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        if (!strcmp(argv[i], "--help"))
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    av_log_set_level(AV_LOG_QUIET); // what matters is reported by us, once and with its place
    if (!*name) {
        print_help(stderr);
        return 2;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        const struct sc_command *topic = argc > 2 ? find(argv[2]) : NULL;
        if (topic)
            return sc_cli_help(topic);
        print_help(stdout);
        return 0;
    }
    if (!strcmp(name, "--version")) {
        puts("saccade " SC_VERSION);
        return 0;
    }
    const struct sc_command *cmd = find(name);
    if (!cmd) {
        fprintf(stderr, "saccade: there is no command '%s'; `saccade --help` lists them\n",
                name);
        return 2;
    }
    return wants_help(argc - 1, argv + 1) ? sc_cli_help(cmd) : cmd->run(argc - 1, argv + 1);
}
