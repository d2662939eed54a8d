// Opening and closing: options, the listening socket, MHD's daemon, the sweeper.
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/api/api.h"
#include "http/http_internal.h"
#include "http/listen.h"
#include "http/openapi.h"

#define SWEEP_NS (250 * SC_NS_PER_MS)
// Beside the request header, for the answer's. MHD clears a connection's memory for each request, so
// that more costs time.
#define REPLY_HEADER_ROOM (4 << 10)

#define FIELD(name)       offsetof(struct sc_http_settings, name)
static const sc_option rows[] = {
    {"port", SC_OPT_INT, FIELD(port), "8000", "port to listen on; 0 takes a free one", 0,
     65535},
    {"host", SC_OPT_STRING, FIELD(host), "127.0.0.1",
     "address to listen on; beyond loopback a token is needed"},
    {"token", SC_OPT_STRING, FIELD(token), "",
     "bearer token that requests must show; \"\" = none", .secret = true},
    {"max-connections", SC_OPT_INT, FIELD(max_connections), "1024", "open connections in total",
     1, 100000},
    {"max-connections-per-ip", SC_OPT_INT, FIELD(max_connections_ip), "0",
     "open connections of one client address; 0 = no limit of its own", 0, 100000},
    {"max-header", SC_OPT_SIZE, FIELD(max_header), "8K", "largest request header", 1024,
     1048576},
    {"max-body", SC_OPT_SIZE, FIELD(max_body), "1M", "largest JSON body", 1024, 1073741824},
    {"rate", SC_OPT_NUM, FIELD(rate), "0",
     "requests a second that one client may make; 0 = no limit", 0, 1e6},
    {"rate-burst", SC_OPT_NUM, FIELD(rate_burst), "50", "requests a client may make at once", 1,
     1e6},
    {"idle-timeout", SC_OPT_DURATION, FIELD(idle_timeout), "60s",
     "time for a whole request header, for each 64 KiB of a body, and for a stalled answer",
     1e8, 86400e9},
    {"io-threads", SC_OPT_INT, FIELD(io_threads), "0",
     "threads that serve connections; 0 = the cores, at most 4", 0, 64},
    {"drain-timeout", SC_OPT_DURATION, FIELD(drain_timeout), "10s",
     "time that requests under way get to end at shutdown", 0, 3600e9},
};
const sc_option_group sc_http_options = SC_OPTION_GROUP("http", rows, struct sc_http_settings);

// --- connections --------------------------------------------------------------------------

static struct sc_conn *new_conn(sc_http *http, struct MHD_Connection *conn)
{
    struct sc_conn *peer = sc_new(struct sc_conn);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    peer->fd = info ? info->connect_fd : -1;
    info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *addr = info ? info->client_addr : NULL;
    if (addr && addr->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)addr)->sin_addr, peer->client,
                  sizeof(peer->client));
    else if (addr && addr->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)addr)->sin6_addr, peer->client,
                  sizeof(peer->client));
    atomic_init(&peer->deadline_ns, sc_clock_now() + http->settings->idle_timeout);
    return peer;
}

static void link_conn(sc_http *http, struct sc_conn *peer)
{
    pthread_mutex_lock(&http->lock);
    peer->next = http->connections;
    if (peer->next)
        peer->next->prev = peer;
    http->connections = peer;
    http->connection_count++;
    http->under_way--;
    pthread_mutex_unlock(&http->lock);
}

static void unlink_conn(sc_http *http, struct sc_conn *peer)
{
    pthread_mutex_lock(&http->lock);
    if (peer->prev)
        peer->prev->next = peer->next;
    else
        http->connections = peer->next;
    if (peer->next)
        peer->next->prev = peer->prev;
    http->connection_count--;
    pthread_mutex_unlock(&http->lock);
}

static void on_connection(void *arg, struct MHD_Connection *conn, void **ppeer,
                          enum MHD_ConnectionNotificationCode why)
{
    sc_http *http = arg;
    if (why == MHD_CONNECTION_NOTIFY_STARTED) {
        struct sc_conn *peer = *ppeer = new_conn(http, conn);
        link_conn(http, peer);
    } else if (*ppeer) {
        unlink_conn(http, *ppeer);
        free(*ppeer);
        *ppeer = NULL;
    }
}

static bool has_room(void *arg)
{
    sc_http *http = arg;
    pthread_mutex_lock(&http->lock);
    bool room = http->connection_count + http->under_way < http->settings->max_connections;
    pthread_mutex_unlock(&http->lock);
    return room;
}

static void take_connection(void *arg, int fd, const struct sockaddr *addr, socklen_t size)
{
    sc_http *http = arg;
    pthread_mutex_lock(&http->lock);
    http->under_way++;
    pthread_mutex_unlock(&http->lock);
    if (MHD_add_connection(http->daemon, fd, addr, size) == MHD_YES)
        return;
    // MHD has closed it.
    pthread_mutex_lock(&http->lock);
    http->under_way--;
    pthread_mutex_unlock(&http->lock);
    SC_DEBUG(http->log, "refused a connection",
             SC_S("why", "too many of its address, or no memory"));
}

// Has the client closed? libmicrohttpd misses that when the end comes together with the last
// bytes (its epoll is edge-triggered), and would wait for the timeout.
static bool has_left(const struct sc_conn *peer)
{
    char byte;
    return recv(peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

// Cuts what is past its deadline or left in the middle. MHD notices the end of the socket and
// cleans up; the lock keeps the descriptor from being closed and used anew meanwhile.
static int cut(sc_http *http, int64_t now_ns)
{
    int count = 0;
    pthread_mutex_lock(&http->lock);
    for (struct sc_conn *peer = http->connections; peer; peer = peer->next) {
        int_fast64_t deadline_ns = atomic_load(&peer->deadline_ns);
        if (deadline_ns == INT64_MAX || (deadline_ns > now_ns && !has_left(peer)))
            continue;
        shutdown(peer->fd, SHUT_RDWR);
        atomic_compare_exchange_strong(&peer->deadline_ns, &deadline_ns, INT64_MAX);
        count++;
    }
    pthread_mutex_unlock(&http->lock);
    return count;
}

static void sweep(void *arg)
{
    sc_http *http = arg;
    int64_t now_ns = sc_clock_now();
    int count = cut(http, now_ns);
    if (count)
        SC_DEBUG(http->log, "cut slow or idle connections", SC_I("count", count));
    if (!sc_timers_stopping(http->timers))
        sc_timers_at(http->timers, now_ns + SWEEP_NS, sweep, http);
}

// --- open ---------------------------------------------------------------------------------

static void open_metrics(sc_http *http)
{
    sc_metrics *m = sc_app_metrics(http->app);
    http->routes = sc_xcalloc((size_t)sc_router_count(http->router) + 1, sizeof(*http->routes));
    http->bytes_sent = sc_metrics_counter(m, "saccade_http_sent_bytes_total", "",
                                          "Bytes of answers' bodies whose size was known.");
    http->bytes_received = sc_metrics_counter(m, "saccade_http_received_bytes_total", "",
                                              "Bytes of requests' bodies.");
    http->active_gauge =
        sc_metrics_gauge(m, "saccade_http_active_requests", "", "Requests under way.");
    http->connection_gauge =
        sc_metrics_gauge(m, "saccade_http_connections", "", "Open connections.");
}

static int check_token(const struct sc_http_settings *settings, sc_err *err)
{
    if (sc_listen_is_loopback(settings->host) || settings->token[0])
        return SC_OK;
    return sc_fail_field(err, SC_EARG, "token",
                         "%s is reachable from other machines: set a token (--token, or "
                         "SACCADE_TOKEN), or listen on 127.0.0.1",
                         settings->host);
}

static int start_accepting(sc_http *http, sc_err *err)
{
    const struct sc_acceptor_params params = {
        .fd = http->listen_fd, .room = has_room, .take = take_connection, .arg = http};
    int ret = sc_acceptor_open(&http->acceptor, &params, err);
    if (!ret)
        http->listen_fd = -1;
    return ret;
}

static int start_daemon(sc_http *http, sc_err *err)
{
    const struct sc_http_settings *s = http->settings;
    int cores = sc_cpu_count();
    unsigned io = s->io_threads ? (unsigned)s->io_threads : cores < 4 ? (unsigned)cores : 4;
    // Each thread gets an equal share; has_room() keeps the sum.
    unsigned connections = ((unsigned)s->max_connections + 1) * io;
    unsigned timeout_s = (unsigned)((s->idle_timeout + SC_NS_PER_S - 1) / SC_NS_PER_S);
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
            MHD_ALLOW_SUSPEND_RESUME,
        0, NULL, NULL, sc_on_request, http, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)s->max_connections_ip, MHD_OPTION_CONNECTION_TIMEOUT, timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)s->max_header + REPLY_HEADER_ROOM,
        MHD_OPTION_URI_LOG_CALLBACK, sc_on_uri, http, MHD_OPTION_NOTIFY_COMPLETED,
        sc_on_completed, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_THREAD_POOL_SIZE, io > 1 ? io : 0, MHD_OPTION_END);
    return http->daemon ? SC_OK : sc_fail(err, SC_EIO, "the HTTP threads could not be started");
}

static void open_parts(sc_http *http)
{
    const struct sc_http_settings *s = http->settings;
    http->log = sc_log_child(sc_app_log(http->app), "http");
    http->router = sc_router_new(sc_api_table);
    if (s->rate > 0)
        http->rate = sc_rate_new(s->rate, s->rate_burst);
    sc_str text = {0};
    sc_openapi_print(&text, sc_api_table);
    http->openapi_size = text.len;
    http->openapi = sc_str_detach(&text);
    open_metrics(http);
    if (getrandom(&http->id_seed, sizeof(http->id_seed), 0) < 0)
        http->id_seed = (uint64_t)sc_clock_wall();
}

int sc_http_open(sc_http **phttp, const struct sc_http_params *params, sc_err *err)
{
    sc_http *http = sc_new(sc_http);
    http->app = params->app;
    http->settings = sc_options_get(params->options, &sc_http_options);
    http->listen_fd = -1;
    pthread_mutex_init(&http->lock, NULL);
    open_parts(http);
    int ret = check_token(http->settings, err);
    if (ret)
        goto end;
    ret = sc_listen_open(http->settings->host, (int)http->settings->port, &http->listen_fd,
                         &http->port, err);
    if (ret)
        goto end;
    bool v6 = strchr(http->settings->host, ':') != NULL;
    snprintf(http->url, sizeof(http->url), v6 ? "http://[%s]:%d" : "http://%s:%d",
             http->settings->host, http->port);
    http->timers = sc_timers_open();
    if (!http->timers) {
        ret = sc_fail(err, SC_ENOMEM, "no thread for timers could be started");
        goto end;
    }
    ret = start_daemon(http, err);
    if (!ret)
        ret = start_accepting(http, err);
    if (ret)
        goto end;
    sc_timers_at(http->timers, 0, sweep, http);
end:
    if (ret)
        sc_http_close(&http);
    *phttp = http;
    return ret;
}

const char *sc_http_url(const sc_http *http)
{
    return http->url;
}

const char *sc_http_token(const sc_http *http)
{
    return http->settings->token;
}

int sc_http_port(const sc_http *http)
{
    return http->port;
}

// --- close --------------------------------------------------------------------------------

static bool wait_idle(sc_http *http, int64_t until_ns)
{
    while (atomic_load(&http->active) && sc_clock_now() < until_ns)
        sc_clock_sleep(5 * SC_NS_PER_MS);
    return !atomic_load(&http->active);
}

// MHD must not be stopped while a connection is suspended: whoever deferred still holds it.
// Deferred work always ends, so after the cut this waits for it; the app ends it early.
static void drain(sc_http *http)
{
    if (!wait_idle(http, sc_clock_now() + http->settings->drain_timeout)) {
        SC_WARN(http->log, "drain-timeout is over, cutting connections",
                SC_I("requests", atomic_load(&http->active)));
        pthread_mutex_lock(&http->lock);
        for (struct sc_conn *peer = http->connections; peer; peer = peer->next)
            shutdown(peer->fd, SHUT_RDWR);
        pthread_mutex_unlock(&http->lock);
        sc_app_stop(http->app);
        wait_idle(http, INT64_MAX);
    }
}

static void stop_daemon(sc_http *http)
{
    atomic_store(&http->closing, true);
    sc_timers_stop(http->timers);
    sc_app_drain(http->app);
    sc_acceptor_close(&http->acceptor);
    drain(http);
    MHD_stop_daemon(http->daemon);
}

void sc_http_close(sc_http **phttp)
{
    sc_http *http = phttp ? *phttp : NULL;
    if (!http)
        return;
    *phttp = NULL;
    if (http->daemon)
        stop_daemon(http);
    sc_timers_close(&http->timers);
    if (http->listen_fd >= 0)
        close(http->listen_fd);
    sc_rate_free(&http->rate);
    sc_router_free(&http->router);
    sc_log_close(&http->log);
    pthread_mutex_destroy(&http->lock);
    free(http->openapi);
    free(http->routes);
    free(http);
}
