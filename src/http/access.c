// The access log and the counters of a request that is over.
//
// What was answered at once and well (a cached frame, /health) is logged at level debug: a line
// costs more than the answer itself. Everything else is logged at info, our faults at warn.
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http_internal.h"

#define STATUS_CLIENT_GONE 499 // in the log and counters only, as nginx has it

static const short statuses[SC_STATUS_SLOTS - 1] = {
    200, 201, 202, 204, 206, 304, 400, 401, 404, 405, 409, 410, 412,
    413, 415, 416, 422, 428, 429, 431, 499, 500, 501, 503, 507,
};

static int slot_of(int status)
{
    int slot = 0;
    while (slot < SC_STATUS_SLOTS - 1 && statuses[slot] != status)
        slot++;
    return slot;
}

static const char *route_name(const sc_request *req)
{
    return req->route.endpoint ? req->route.endpoint->path : "other";
}

static sc_counter *status_counter(sc_request *req, struct sc_route_metrics *route, int status)
{
    int slot = slot_of(status);
    sc_counter *counter = atomic_load_explicit(&route->by_status[slot], memory_order_acquire);
    if (counter)
        return counter;
    char labels[256];
    const char *method = req->route.endpoint ? req->route.endpoint->method : "other";
    snprintf(labels, sizeof(labels), "route=\"%s\",method=\"%s\",code=\"%d\"", route_name(req),
             method, slot < SC_STATUS_SLOTS - 1 ? statuses[slot] : 0);
    counter = sc_metrics_counter(sc_app_metrics(req->http->app), "saccade_http_requests_total",
                                 labels, "Requests answered, by route, method and status.");
    atomic_store_explicit(&route->by_status[slot], counter, memory_order_release);
    return counter;
}

static sc_histogram *seconds_histogram(sc_request *req, struct sc_route_metrics *route)
{
    sc_histogram *seconds = atomic_load_explicit(&route->seconds, memory_order_acquire);
    if (seconds)
        return seconds;
    char labels[256];
    snprintf(labels, sizeof(labels), "route=\"%s\",method=\"%s\"", route_name(req),
             req->route.endpoint ? req->route.endpoint->method : "other");
    seconds = sc_metrics_histogram(sc_app_metrics(req->http->app),
                                   "saccade_http_request_seconds", labels,
                                   "From the request line to the answer's last byte.", NULL, 0);
    atomic_store_explicit(&route->seconds, seconds, memory_order_release);
    return seconds;
}

static void log_line(sc_request *req, int status, int64_t bytes, int64_t took_ns)
{
    enum sc_log_level level = status >= 500               ? SC_LOG_WARN
                              : req->fast && status < 400 ? SC_LOG_DEBUG
                                                          : SC_LOG_INFO;
    SC_LOG(req->http->log, level, "request", SC_S("method", req->method ? req->method : "-"),
           SC_S("path", req->path), SC_I("status", status), SC_I("bytes", bytes),
           SC_F("ms", (double)took_ns / 1e6), SC_S("id", req->id),
           SC_S("client", req->peer ? req->peer->client : ""));
}

void sc_access_done(sc_request *req, enum MHD_RequestTerminationCode why)
{
    sc_http *http = req->http;
    int64_t took_ns = sc_clock_now() - req->start_ns;
    bool whole = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    int status = req->status ? req->status : STATUS_CLIENT_GONE;
    int64_t bytes = whole && !req->head && req->reply_bytes > 0 ? req->reply_bytes : 0;
    int routes = sc_router_count(http->router);
    struct sc_route_metrics *route =
        &http->routes[req->route.endpoint ? req->route.index : routes];
    sc_counter_add(status_counter(req, route, status), 1);
    sc_histogram_observe(seconds_histogram(req, route), (double)took_ns / 1e9);
    sc_counter_add(http->bytes_sent, (uint64_t)bytes);
    sc_counter_add(http->bytes_received, (uint64_t)req->body_bytes);
    log_line(req, status, bytes, took_ns);
}
