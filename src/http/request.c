#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/http_internal.h"

// A body that nobody wants is still read up to here, so that clients which only listen once
// they have sent everything (browsers, most libraries) get their answer instead of a reset.
#define DROP_MAX         (INT64_C(256) << 20)
#define DROP_MAX_UNKNOWN (INT64_C(1) << 20) // from clients that showed no valid token
#define MARK_BYTES       (64 << 10)         // a body must bring this much each idle-timeout

// --- life ---------------------------------------------------------------------------------

// The path of a request target: absolute form loses its authority.
static const char *target_path(const char *uri)
{
    if (!strncasecmp(uri, "http://", 7) || !strncasecmp(uri, "https://", 8)) {
        const char *slash = strchr(strchr(uri, ':') + 3, '/');
        return slash ? slash : "/";
    }
    return uri;
}

void *sc_on_uri(void *arg, const char *uri, struct MHD_Connection *conn)
{
    sc_http *http = arg;
    const char *path = target_path(uri), *query = strchr(path, '?');
    size_t path_size = query ? (size_t)(query - path) : strlen(path);
    size_t query_size = query ? strlen(query + 1) : 0;
    sc_request *req = calloc(1, sizeof(*req) + 2 * (path_size + 1) + query_size + 1);
    if (!req)
        return NULL;
    req->http = http;
    req->conn = conn;
    req->start_ns = sc_clock_now();
    req->path = (char *)(req + 1);
    req->split_path = req->path + path_size + 1;
    // The request is zeroed memory: the byte behind each is its end.
    memcpy(req->path, path, path_size);       // NOLINT(bugprone-not-null-terminated-result)
    memcpy(req->split_path, path, path_size); // NOLINT(bugprone-not-null-terminated-result)
    if (query) {
        req->query = req->split_path + path_size + 1;
        memcpy(req->query, query + 1, query_size);
    }
    atomic_fetch_add(&http->active, 1);
    return req;
}

void sc_on_completed(void *arg, struct MHD_Connection *conn, void **preq,
                     enum MHD_RequestTerminationCode why)
{
    (void)conn;
    sc_http *http = arg;
    sc_request *req = *preq;
    if (!req)
        return;
    *preq = NULL;
    sc_access_done(req, why);
    if (req->peer)
        atomic_store(&req->peer->deadline_ns, sc_clock_now() + http->settings->idle_timeout);
    if (req->release)
        req->release(req->state);
    sc_reply_drop(req);
    sc_str_release(&req->body);
    free(req);
    atomic_fetch_sub(&http->active, 1);
}

// --- the three calls ----------------------------------------------------------------------

static enum MHD_Result queue(sc_request *req)
{
    if (!req->reply)
        sc_reply_problem(req, 500, NULL, "the handler made no reply");
    sc_reply_header(req, "X-Request-Id", req->id);
    if (req->route.cors)
        sc_cors_reply(req);
    if (atomic_load_explicit(&req->http->closing, memory_order_relaxed))
        sc_reply_header(req, "Connection", "close");
    struct MHD_Response *reply = req->reply;
    req->reply = NULL;
    enum MHD_Result ret = MHD_queue_response(req->conn, (unsigned)req->status, reply);
    MHD_destroy_response(reply);
    return ret;
}

// Must the refusal be sent before the body? It then ends the connection, and a client that sends
// on regardless may see a reset instead of it.
static bool refuse_early(const sc_request *req)
{
    int64_t length = sc_request_content_length(req);
    if (sc_request_header(req, "Expect"))
        return true; // it waits for our word
    if (req->status == 401 || req->status == 429)
        return length < 0 || length > DROP_MAX_UNKNOWN;
    return length > DROP_MAX;
}

static void find_peer(sc_request *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    req->peer = info ? info->socket_context : NULL;
}

static void set_deadline(sc_request *req, int64_t ns)
{
    if (req->peer)
        atomic_store_explicit(&req->peer->deadline_ns, ns, memory_order_relaxed);
}

// First call: headers are there. A reply queued here would end the connection and cost a
// reconnect a request, so that is only done to refuse a body.
static enum MHD_Result begin(sc_request *req, const char *method)
{
    req->begun = true;
    req->method = method;
    req->head = !strcmp(method, "HEAD");
    req->has_body = sc_request_content_length(req) > 0 ||
                    sc_request_header(req, "Transfer-Encoding") != NULL;
    find_peer(req);
    set_deadline(req, req->has_body ? sc_clock_now() + req->http->settings->idle_timeout
                                    : INT64_MAX);
    sc_request_admit(req);
    if (!req->reply && req->route.endpoint->begin)
        req->route.endpoint->begin(req);
    if (req->reply && req->has_body && refuse_early(req))
        return queue(req);
    return MHD_YES;
}

static void collect(sc_request *req, const char *data, size_t size)
{
    const sc_endpoint *endpoint = req->route.endpoint;
    int64_t max = endpoint->max_body ? endpoint->max_body : req->http->settings->max_body;
    if (req->body.len + size > (size_t)max)
        sc_reply_problem(req, 413, "body", "the body is larger than %lld bytes",
                         (long long)max);
    else
        sc_str_addn(&req->body, data, size);
}

static void count_body(sc_request *req, size_t used)
{
    req->body_bytes += (int64_t)used;
    req->since_mark += (int64_t)used;
    if (req->deferred) {
        set_deadline(req, INT64_MAX);
    } else if (req->since_mark >= MARK_BYTES) {
        req->since_mark = 0;
        set_deadline(req, sc_clock_now() + req->http->settings->idle_timeout);
    }
}

static enum MHD_Result take_body(sc_request *req, const char *data, size_t *size)
{
    const sc_endpoint *endpoint = req->route.endpoint;
    size_t used = *size;
    if (req->reply || endpoint->body == SC_BODY_NONE)
        req->dropped += (int64_t)used;
    else if (endpoint->body != SC_BODY_STREAM)
        collect(req, data, used);
    else
        used = endpoint->data(req, data, used);
    *size -= used;
    count_body(req, used);
    return req->dropped > DROP_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result finish(sc_request *req)
{
    void (*then)(sc_request *) = req->then;
    req->then = NULL;
    set_deadline(req, INT64_MAX);
    if (then) {
        then(req);
    } else if (!req->handled) {
        req->handled = true;
        if (!req->reply) {
            req->route.endpoint->handle(req);
            req->fast = !req->deferred;
        }
    }
    return req->deferred ? MHD_YES : queue(req);
}

enum MHD_Result sc_on_request(void *arg, struct MHD_Connection *conn, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **preq)
{
    (void)arg, (void)conn, (void)url, (void)version;
    sc_request *req = *preq;
    if (!req)
        return MHD_NO;
    if (!req->begun)
        return begin(req, method);
    if (req->deferred)
        set_deadline(req, sc_clock_now() + req->http->settings->idle_timeout);
    req->deferred = false;
    return *size ? take_body(req, data, size) : finish(req);
}

// --- deferring ----------------------------------------------------------------------------

void sc_request_defer(sc_request *req)
{
    req->deferred = true;
    MHD_suspend_connection(req->conn);
}

void sc_request_resume(sc_request *req)
{
    MHD_resume_connection(req->conn);
}

void sc_request_resume_with(sc_request *req, void (*then)(sc_request *req))
{
    req->then = then;
    MHD_resume_connection(req->conn);
}

struct job {
    sc_request *req;
    void (*work)(sc_request *req);
};

static void run_job(void *arg)
{
    struct job job = *(struct job *)arg;
    free(arg);
    job.work(job.req);
    sc_request_resume(job.req);
}

void sc_request_run(sc_request *req, void (*work)(sc_request *req))
{
    struct job *job = sc_new(struct job);
    *job = (struct job){req, work};
    sc_request_defer(req);
    int ret = sc_pool_post(sc_app_pool(req->http->app), SC_PRIO_INTERACTIVE, run_job, job);
    if (ret) {
        free(job);
        sc_reply_err(req, ret, NULL);
        sc_request_resume(req);
    }
}

// --- what was asked -----------------------------------------------------------------------

sc_app *sc_request_app(sc_request *req)
{
    return req->http->app;
}

const sc_endpoint *sc_request_endpoint(const sc_request *req)
{
    return req->route.endpoint;
}

const char *sc_request_id(const sc_request *req)
{
    return req->id;
}

const char *sc_request_path(const sc_request *req)
{
    return req->path;
}

static int row_of(const sc_request *req, const char *name)
{
    const sc_param *rows = req->route.endpoint->params;
    for (int i = 0; rows && rows[i].name; i++) {
        if (!strcmp(rows[i].name, name))
            return i;
    }
    sc_require(!"the endpoint has no such parameter");
    return -1;
}

const char *sc_request_param(const sc_request *req, const char *name)
{
    int row = row_of(req, name);
    const char *text = req->values.v[row];
    return text ? text : req->route.endpoint->params[row].value;
}

bool sc_request_given(const sc_request *req, const char *name)
{
    return req->values.v[row_of(req, name)] != NULL;
}

int64_t sc_request_int(const sc_request *req, const char *name)
{
    const char *text = sc_request_param(req, name);
    int64_t value = 0;
    return text && sc_parse_int(text, INT64_MIN, INT64_MAX, &value) ? value : 0;
}

double sc_request_num(const sc_request *req, const char *name)
{
    const char *text = sc_request_param(req, name);
    double value = 0;
    return text && sc_parse_double(text, -1e300, 1e300, &value) ? value : 0;
}

bool sc_request_bool(const sc_request *req, const char *name)
{
    const char *text = sc_request_param(req, name);
    return text && (!strcmp(text, "true") || !strcmp(text, "1"));
}

int sc_request_choice(const sc_request *req, const char *name)
{
    int row = row_of(req, name);
    const char *text = sc_request_param(req, name);
    int choice = text ? sc_choice_find(req->route.endpoint->params[row].choices, text) : 0;
    return choice < 0 ? 0 : choice;
}

const char *sc_request_header(const sc_request *req, const char *name)
{
    return MHD_lookup_connection_value(req->conn, MHD_HEADER_KIND, name);
}

int64_t sc_request_content_length(const sc_request *req)
{
    const char *text = sc_request_header(req, "Content-Length");
    int64_t length;
    return text && sc_parse_int(text, 0, INT64_MAX, &length) ? length : -1;
}

const char *sc_request_body(const sc_request *req, size_t *size)
{
    *size = req->body.len;
    return sc_str_get(&req->body);
}

bool sc_request_is_head(const sc_request *req)
{
    return req->head;
}

int64_t sc_request_start_ns(const sc_request *req)
{
    return req->start_ns;
}

void sc_request_set_state(sc_request *req, void *state, void (*release)(void *state))
{
    sc_require(!req->state);
    req->state = state;
    req->release = release;
}

void *sc_request_state(const sc_request *req)
{
    return req->state;
}

sc_timers *sc_request_timers(sc_request *req)
{
    return req->http->timers;
}

void sc_request_server_stats(sc_request *req, struct sc_http_stats *stats)
{
    sc_http *http = req->http;
    pthread_mutex_lock(&http->lock);
    *stats = (struct sc_http_stats){.requests = atomic_load(&http->requests),
                                    .active = atomic_load(&http->active),
                                    .connections = http->connection_count};
    pthread_mutex_unlock(&http->lock);
    sc_gauge_set(http->active_gauge, stats->active);
    sc_gauge_set(http->connection_gauge, stats->connections);
}

const char *sc_request_openapi(sc_request *req, size_t *size)
{
    *size = req->http->openapi_size;
    return req->http->openapi;
}
