// Shared by the files of the server core; endpoints never include it.
#pragma once

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include <microhttpd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "http/accept.h"
#include "http/rate.h"
#include "http/request.h"
#include "http/router.h"
#include "http/server.h"
#include "http/timers.h"

#define SC_STATUS_SLOTS 26

struct sc_http_settings {
    int64_t port;
    char *host;
    char *token;
    int64_t max_connections, max_connections_ip;
    int64_t max_header, max_body; // bytes
    double rate, rate_burst;      // requests a second and client; 0 = off
    int64_t idle_timeout;         // ns
    int64_t io_threads;
    int64_t drain_timeout; // ns
};

// What is counted for one endpoint.
struct sc_route_metrics {
    _Atomic(sc_counter *) by_status[SC_STATUS_SLOTS]; // made on first use
    _Atomic(sc_histogram *) seconds;
};

struct sc_http {
    // immutable once open
    sc_app *app;
    sc_log *log;
    const struct sc_http_settings *settings;
    sc_router *router;
    sc_rate *rate; // NULL = no limit
    sc_timers *timers;
    struct MHD_Daemon *daemon;
    sc_acceptor *acceptor;
    int listen_fd, port; // listen_fd: until the acceptor has it
    char url[320];
    uint64_t id_seed;
    char *openapi; // JSON text
    size_t openapi_size;
    sc_counter *bytes_sent, *bytes_received;
    sc_gauge *active_gauge, *connection_gauge; // set when they are read
    struct sc_route_metrics *routes; // one an endpoint, one more for what matched none

    atomic_bool closing; // new requests are refused
    atomic_int active;   // requests from their first line to their end
    atomic_uint_fast64_t requests, next_id;

    pthread_mutex_t lock; // guards connections
    struct sc_conn *connections;
    int connection_count;
    int under_way; // accepted, not yet in connections
};

// One TCP connection.
struct sc_conn {
    struct sc_conn *prev, *next; // under http->lock
    int fd;
    atomic_int_fast64_t deadline_ns; // monotonic; the sweeper cuts it then
    char client[INET6_ADDRSTRLEN];
};

struct sc_request {
    // owned by the I/O thread
    sc_http *http;
    struct MHD_Connection *conn;
    struct sc_conn *peer;
    bool begun, handled, deferred, has_body, head, fast;
    const char *method; // MHD's, for the request's life
    int64_t start_ns;
    int64_t body_bytes, dropped, since_mark; // bytes
    struct sc_route route;
    struct sc_param_values values;
    char id[65];
    char *path;       // as sent, without the query
    char *split_path; // cut in place by the router
    char *query;      // cut in place by the parameters
    sc_str body;      // JSON or text

    // owned by whoever owns the request
    struct MHD_Response *reply;
    int status;
    int64_t reply_bytes; // -1 unknown
    void (*then)(sc_request *req);
    void *state;
    void (*release)(void *state);
};

// request.c: what MHD calls
void *sc_on_uri(void *arg, const char *uri, struct MHD_Connection *conn);
enum MHD_Result sc_on_request(void *arg, struct MHD_Connection *conn, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **preq);
void sc_on_completed(void *arg, struct MHD_Connection *conn, void **preq,
                     enum MHD_RequestTerminationCode why);

// admit.c: everything that can refuse a request before its body; a refusal is replied
void sc_request_admit(sc_request *req);

// cors.c: headers for pages of other origins, on the reply that was made
void sc_cors_reply(sc_request *req);

// access.c
void sc_access_done(sc_request *req, enum MHD_RequestTerminationCode why);

// reply.c
void sc_reply_drop(sc_request *req);
