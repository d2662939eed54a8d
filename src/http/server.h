// The HTTP server core: connections, routing, limits, auth, problem documents.
//
// On libmicrohttpd (epoll, a pool of I/O threads). A handler runs on an I/O thread and must not
// block: it answers at once (caches, small JSON), or defers: blocking work goes to the app's
// pool and asynchronous results come back by sc_request_resume(). Endpoints are typed rows; the
// router, parameter checks, OpenAPI and the readable docs all derive from them.
//
// Thread-safety: server functions are safe. An sc_request belongs to the thread that runs its
// current callback; a deferred request belongs to whoever will resume it.
#pragma once

#include "app/app.h"
#include "base/buf.h"
#include "base/option.h"

typedef struct sc_http sc_http;
typedef struct sc_request sc_request;

// Rows: host, port, token, max-connections, max-header, max-body, rate, rate-burst, idle-timeout,
// io-threads, drain-timeout.
extern const sc_option_group sc_http_options;

struct sc_http_params {
    sc_app *app;
    const sc_options *options;
};

// Listens and serves until closed. SC_EIO/SC_EDENIED/SC_EBUSY (port in use) with a clear err;
// SC_EARG when bound beyond loopback without a token.
int sc_http_open(sc_http **phttp, const struct sc_http_params *params, sc_err *err);
int sc_http_port(const sc_http *http);          // the real port when 0 was asked for
const char *sc_http_url(const sc_http *http);   // "http://127.0.0.1:8000", as people open it
const char *sc_http_token(const sc_http *http); // the bearer token clients must show, "" = none
// Graceful: stops accepting, drains the app, lets requests finish for at most drain-timeout, cuts the
// rest.
void sc_http_close(sc_http **phttp);
