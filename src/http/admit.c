// Everything that can refuse a request before its body is read.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http_internal.h"

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void name_request(sc_request *req)
{
    static const char hex[] = "0123456789abcdef";
    const char *given = sc_request_header(req, "X-Request-Id");
    size_t length = given ? strlen(given) : 0;
    if (length && length < sizeof(req->id) &&
        strspn(given, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
            length) {
        memcpy(req->id, given, length + 1);
        return;
    }
    uint64_t id = mix(req->http->id_seed +
                      0x9e3779b97f4a7c15u * atomic_fetch_add_explicit(&req->http->next_id, 1,
                                                                      memory_order_relaxed));
    for (int i = 0; i < 16; i++)
        req->id[i] = hex[id >> (60 - 4 * i) & 15];
}

static void check_header_size(sc_request *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    int64_t max = req->http->settings->max_header;
    if (info && info->header_size > (size_t)max)
        sc_reply_problem(req, 431, NULL, "the request header is larger than %lld bytes",
                         (long long)max);
}

static void check_rate(sc_request *req)
{
    if (!req->http->rate || !req->peer)
        return;
    int wait_s = sc_rate_take(req->http->rate, req->peer->client, strlen(req->peer->client),
                              req->start_ns);
    if (!wait_s)
        return;
    sc_reply_problem(req, 429, NULL, "more than %g requests a second; wait %d s",
                     req->http->settings->rate, wait_s);
    sc_reply_headerf(req, "Retry-After", "%d", wait_s);
}

// "a/b|c/d", as rows have it, is "a/b, c/d" in headers.
static void add_accept_post(sc_request *req)
{
    sc_str types = {0};
    for (const char *c = req->route.accept_post; c && *c; c++)
        sc_str_addn(&types, *c == '|' ? ", " : c, *c == '|' ? 2 : 1);
    if (types.len)
        sc_reply_header(req, "Accept-Post", types.s);
    sc_str_release(&types);
}

static void find_route(sc_request *req)
{
    sc_err err = {0};
    int ret =
        sc_router_find(req->http->router, req->method, req->split_path, &req->route, &err);
    bool options =
        !strcmp(req->method, "OPTIONS") && (ret == SC_EUNSUPPORTED || *req->path == '*');
    if (!ret) {
        req->values = req->route.args;
    } else if (options) {
        sc_reply_empty(req, 204);
        sc_reply_headerf(req, "Allow", "%s%sOPTIONS", req->route.allow,
                         req->route.allow[0] ? ", " : "");
        add_accept_post(req);
    } else if (ret == SC_EUNSUPPORTED) {
        sc_reply_problem(req, 405, NULL, "%s", sc_err_text(&err, ret));
        sc_reply_headerf(req, "Allow", "%s, OPTIONS", req->route.allow);
    } else {
        sc_reply_err(req, ret, &err);
    }
}

// Takes a time that depends on given's length only.
static bool equals_secret(const char *given, const char *secret)
{
    size_t given_size = strlen(given) + 1, secret_size = strlen(secret) + 1;
    volatile unsigned char differs = given_size != secret_size;
    for (size_t i = 0; i < given_size; i++)
        differs |= (unsigned char)(given[i] ^ secret[i % secret_size]);
    return !differs;
}

static void check_token(sc_request *req)
{
    const char *token = req->http->settings->token;
    if (!token[0] || req->route.endpoint->flags & SC_ENDPOINT_PUBLIC)
        return;
    const char *given = sc_request_header(req, "Authorization");
    bool bearer = given && !strncasecmp(given, "Bearer ", 7);
    if (bearer && equals_secret(given + 7, token))
        return;
    sc_reply_problem(req, 401, NULL, "send the server's token as Authorization: Bearer TOKEN");
    sc_reply_header(req, "WWW-Authenticate",
                    bearer ? "Bearer realm=\"saccade\", error=\"invalid_token\""
                           : "Bearer realm=\"saccade\"");
}

static void check_params(sc_request *req)
{
    sc_err err = {0};
    int ret = sc_params_parse(req->route.endpoint->params, req->query, &req->values, &err);
    if (ret)
        sc_reply_err(req, ret, &err);
}

static bool is_type(const char *header, const char *mime)
{
    size_t size = strlen(mime);
    return header && !strncasecmp(header, mime, size) &&
           (!header[size] || strchr("; \t", header[size]));
}

static void check_body(sc_request *req)
{
    const sc_endpoint *endpoint = req->route.endpoint;
    int64_t max = endpoint->max_body ? endpoint->max_body : req->http->settings->max_body;
    const char *type = sc_request_header(req, "Content-Type");
    bool json = endpoint->body == SC_BODY_JSON, text = endpoint->body == SC_BODY_TEXT;
    if (endpoint->body != SC_BODY_STREAM && sc_request_content_length(req) > max)
        sc_reply_problem(req, 413, "body", "the body is larger than %lld bytes",
                         (long long)max);
    else if (json && type && strncasecmp(type, "application/json", 16))
        sc_reply_problem(req, 415, "Content-Type", "send application/json");
    else if (text && !is_type(type, endpoint->body_mime))
        sc_reply_problem(req, 415, "Content-Type", "send %s", endpoint->body_mime);
}

static void check_closing(sc_request *req)
{
    if (!atomic_load_explicit(&req->http->closing, memory_order_relaxed))
        return;
    sc_reply_problem(req, 503, NULL, "the server is shutting down");
    sc_reply_header(req, "Retry-After", "5");
}

void sc_request_admit(sc_request *req)
{
    // Where the path leads to is found before all, since headers for other origins depend on it; what
    // that answers gives way to the answers of the three behind it.
    static void (*const first[])(sc_request *) = {
        name_request, find_route, check_rate, check_header_size, check_closing,
    };
    static void (*const checks[])(sc_request *) = {check_token, check_params, check_body};
    atomic_fetch_add_explicit(&req->http->requests, 1, memory_order_relaxed);
    for (size_t i = 0; i < SC_COUNT(first); i++)
        first[i](req);
    for (size_t i = 0; i < SC_COUNT(checks) && !req->reply; i++)
        checks[i](req);
}
