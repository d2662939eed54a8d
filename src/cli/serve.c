// saccade serve: the server, until it is told to stop.
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "cli/command.h"
#include "cli/settings.h"
#include "http/server.h"

extern const struct sc_command sc_cmd_serve;

static void wait_for_stop(sc_cancel *cancel)
{
    struct pollfd pfd = {.fd = sc_cancel_fd(cancel), .events = POLLIN};
    while (!sc_cancel_requested(cancel))
        poll(&pfd, 1, -1);
}

static int serve(sc_options *options, sc_log *log, sc_err *err)
{
    sc_app *app = NULL;
    sc_http *http = NULL;
    sc_cancel *cancel = sc_cli_cancel(); // before any thread: they inherit the signal mask
    int ret = sc_app_open(&app, &(struct sc_app_params){.options = options, .log = log}, err);
    if (ret >= 0)
        ret =
            sc_http_open(&http, &(struct sc_http_params){.app = app, .options = options}, err);
    if (ret >= 0) {
        printf("listening on %s\n", sc_http_url(http));
        fflush(stdout);
        wait_for_stop(cancel);
        SC_INFO(log, "stopping");
    }
    sc_http_close(&http);
    sc_app_close(&app);
    return ret;
}

static int run(int argc, char **argv)
{
    sc_options *options = NULL;
    sc_err err = {0};
    mallopt(M_ARENA_MAX, 2); // decoded frames move between threads: more arenas only fragment
    int status = sc_cli_settings(&sc_cmd_serve, &options, &argc, argv);
    if (!status && argc > 1)
        status = sc_cli_usage(&sc_cmd_serve, "unknown argument %s", argv[1]);
    if (!status) {
        sc_log *log = sc_cli_server_log(options);
        int ret = serve(options, log, &err);
        if (ret < 0)
            status = sc_cli_fail(&sc_cmd_serve, &err, ret);
        sc_log_close(&log);
    }
    sc_options_free(&options);
    return status;
}

const struct sc_command sc_cmd_serve = {
    .name = "serve",
    .summary = "the server: API and web page",
    .help =
        "usage: saccade serve [--port 8000] [--host 127.0.0.1] [--data-dir DIR] [OPTIONS]\n\n"
        "Serves the API and the page until SIGTERM or Ctrl-C; requests under way are then\n"
        "finished. Prints `listening on http://HOST:PORT` once it is ready.\n\n"
        "  --model M       the default detector: an .onnx file, or the name of a model in\n"
        "                  DATA-DIR/models; more can be uploaded while it runs\n"
        "  --config FILE   settings in YAML; default saccade.yaml in this folder, if there\n"
        "  --port 0        any free port\n\n"
        "`saccade options` lists every option; each is also an environment variable\n"
        "SACCADE_NAME and a line of the file. Beyond loopback a --token is required.\n",
    .run = run,
};
