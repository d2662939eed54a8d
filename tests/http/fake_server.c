// The server on the fake app, for trying and measuring: fake_server [--port N] [options].
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "fake_app.h"
#include "http/server.h"

int main(int argc, char **argv)
{
    static const sc_option_group *const groups[] = {&sc_http_options, NULL};
    sc_options *options = sc_options_new(groups);
    sc_err err = {0};
    sc_app *app;
    sc_http *http;
    sigset_t set;
    int signal_number;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fake_app_open(&app, 1000);
    if (sc_options_load_args(options, &argc, argv, &err) ||
        sc_http_open(&http, &(struct sc_http_params){app, options}, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("listening on http://127.0.0.1:%d\n", sc_http_port(http));
    fflush(stdout);
    sigwait(&set, &signal_number);
    sc_http_close(&http);
    fake_app_close(&app);
    sc_options_free(&options);
    return 0;
}
