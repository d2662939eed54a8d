// A server on the app without video, and requests to it.
#pragma once

#include "http/server.h"

#include <stdio.h>

#include "../base/test.h"
#include "client.h"
#include "fake_app.h"

struct env {
    sc_options *options;
    sc_app *app;
    sc_http *http;
    int port;
};

static const sc_option_group *const groups[] = {&sc_http_options, NULL};

// flags: "name=value" texts, NULL-terminated.
static inline int open_env(struct env *env, const char *const *flags, sc_err *err)
{
    *env = (struct env){.options = sc_options_new(groups)};
    sc_require(!sc_options_set(env->options, "port", "0", "test", NULL));
    for (; flags && *flags; flags++) {
        char name[64];
        const char *equals = strchr(*flags, '=');
        snprintf(name, sizeof(name), "%.*s", (int)(equals - *flags), *flags);
        sc_require(!sc_options_set(env->options, name, equals + 1, "test", NULL));
    }
    fake_app_open(&env->app, 100);
    int ret = sc_http_open(&env->http, &(struct sc_http_params){env->app, env->options}, err);
    if (!ret)
        env->port = sc_http_port(env->http);
    return ret;
}

static inline void close_env(struct env *env)
{
    sc_http_close(&env->http);
    assert_int_equal(fake.open_uploads, 0);
    fake_app_close(&env->app);
    sc_options_free(&env->options);
}

// One request on a connection of its own.
static inline struct answer ask(struct env *env, const char *request)
{
    struct client c = client_open(env->port);
    client_send(&c, request);
    struct answer a = client_read(&c, !strncmp(request, "HEAD", 4));
    client_close(&c);
    return a;
}

static inline int ask_status(struct env *env, const char *request)
{
    struct answer a = ask(env, request);
    answer_release(&a);
    return a.status;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

#define assert_header(a, name, wanted)                                                         \
    do {                                                                                       \
        char value_[512];                                                                      \
        assert_non_null(answer_header(&(a), name, value_, sizeof(value_)));                    \
        assert_string_equal(value_, wanted);                                                   \
    } while (0)
#define assert_has(text, part) assert_non_null(strstr(sc_str_get(&(text)), part))
