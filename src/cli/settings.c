#include "cli/settings.h"

#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/models.h"
#include "app/streams.h"
#include "app/webrtc.h"
#include "http/server.h"

static const sc_option_group *const groups[] = {&sc_app_options,     &sc_models_options,
                                                &sc_streams_options, &sc_webrtc_options,
                                                &sc_http_options,    NULL};

// Takes "--config FILE" or "--config=FILE" out of argv.
static const char *take_config(int *argc, char **argv)
{
    for (int i = 1; i < *argc && argv[i]; i++) {
        const char *value = NULL;
        int used = 1;
        if (!strncmp(argv[i], "--config=", 9)) {
            value = argv[i] + 9;
        } else if (!strcmp(argv[i], "--config") && i + 1 < *argc) {
            value = argv[i + 1];
            used = 2;
        }
        if (!value)
            continue;
        memmove(argv + i, argv + i + used, sizeof(*argv) * (size_t)(*argc - i - used + 1));
        *argc -= used;
        return value;
    }
    return NULL;
}

int sc_cli_settings(const struct sc_command *cmd, sc_options **popts, int *argc, char **argv)
{
    sc_err err = {0};
    sc_options *opts = *popts = sc_options_new(groups);
    const char *config = take_config(argc, argv);
    int ret = sc_options_load_file(opts, config ? config : "saccade.yaml", &err);
    if (ret == SC_ENOTFOUND && !config) {
        ret = SC_OK;
        err = (sc_err){0};
    }
    if (ret >= 0)
        ret = sc_options_load_env(opts, environ, &err);
    if (ret >= 0)
        ret = sc_options_load_args(opts, argc, argv, &err);
    if (ret >= 0)
        return 0;
    sc_cli_fail(cmd, &err, ret);
    return 2;
}

sc_log *sc_cli_server_log(const sc_options *opts)
{
    const struct sc_app_settings *settings = sc_options_get(opts, &sc_app_options);
    return sc_log_open(&(struct sc_log_params){
        .level = (enum sc_log_level)settings->log_level,
        .format = (enum sc_log_format)settings->log_format,
    });
}
