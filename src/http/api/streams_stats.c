// GET /api/v1/streams/{id}/stats: figures once a second as server-sent events, or once as JSON.
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/streams.h"
#include "http/timers.h"

#define PERIOD_NS SC_NS_PER_S

struct events {
    sc_app *app;
    sc_timers *timers;
    sc_stream *out;
    char id[65];
};

static void end(struct events *events)
{
    sc_stream_end(events->out, false);
    sc_stream_unref(&events->out);
    sc_timers_release(events->timers);
    free(events);
}

static void send(struct events *events, const struct sc_streams_status *status)
{
    json_t *json = sc_api_stream_stats_json(events->app, status);
    char *text = json_dumps(json, JSON_COMPACT);
    sc_str event = {0};
    if (text)
        sc_str_addf(&event, "event: stats\ndata: %s\n\n", text);
    sc_stream_write_copy(events->out, sc_str_get(&event), event.len);
    sc_str_release(&event);
    free(text);
    json_decref(json);
}

static void tick(void *arg)
{
    struct events *events = arg;
    struct sc_streams_status status;
    if (sc_stream_gone(events->out) || sc_timers_stopping(events->timers) ||
        sc_streams_get(sc_app_streams(events->app), events->id, true, &status)) {
        end(events);
        return;
    }
    bool over = status.state == SC_STREAMS_ENDED || status.state == SC_STREAMS_FAILED;
    if (!sc_stream_pending(events->out)) // else the client has not taken the one before
        send(events, &status);
    sc_streams_status_release(&status);
    if (over)
        end(events);
    else
        sc_timers_at(events->timers, sc_clock_now() + PERIOD_NS, tick, events);
}

static void start(sc_request *req)
{
    struct events *events = sc_new(struct events);
    events->app = sc_request_app(req);
    events->timers = sc_request_timers(req);
    events->out = sc_stream_new(&(struct sc_stream_params){0});
    snprintf(events->id, sizeof(events->id), "%s", sc_request_param(req, "id"));
    sc_timers_hold(events->timers);
    sc_reply_stream(req, 200, "text/event-stream", sc_stream_ref(events->out), -1);
    sc_reply_header(req, "Cache-Control", "no-store");
    sc_reply_header(req, "X-Accel-Buffering", "no"); // proxies would hold events back
    sc_timers_at(events->timers, 0, tick, events);
}

static bool wants_once(const sc_request *req)
{
    const char *accept = sc_request_header(req, "Accept");
    return sc_request_bool(req, "once") ||
           (accept && strstr(accept, "application/json") && !strstr(accept, "event-stream"));
}

static void stats(sc_request *req)
{
    struct sc_streams_status status;
    bool once = wants_once(req);
    if (!sc_api_streams_get(req, once, &status))
        return;
    if (once) {
        sc_reply_json(req, 200, sc_api_stream_stats_json(sc_request_app(req), &status));
        sc_reply_header(req, "Cache-Control", "no-store");
    } else if (sc_request_is_head(req)) {
        sc_reply_empty(req, 200);
    } else {
        start(req);
    }
    sc_streams_status_release(&status);
}

#define STATS_SCHEMA                                                                           \
    "{\"type\":\"object\",\"required\":[\"id\",\"state\"],\"properties\":{"                    \
    "\"id\":{\"type\":\"string\"},\"state\":" SC_STREAM_STATES ","                             \
    "\"reason\":{\"type\":[\"string\",\"null\"]},\"restarts\":{\"type\":\"integer\"},"         \
    "\"uptime\":{\"type\":\"number\"},\"viewers\":{\"type\":\"integer\"},"                     \
    "\"viewers_webrtc\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"                 \
    "\"rungs\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"                          \
    "\"pipeline\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"        \
    "\"reason\":{\"type\":\"string\"}}},"                                                      \
    "\"source\":{\"type\":\"object\"},\"picture\":{\"type\":\"object\"},"                      \
    "\"detection\":{\"type\":\"object\"},"                                                     \
    "\"outputs\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"                        \
    "\"stages\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"           \
    "\"name\":{\"type\":\"string\"},\"busy\":{\"type\":\"number\"},"                           \
    "\"latency_p50_ms\":{\"type\":\"number\"},\"latency_p95_ms\":{\"type\":\"number\"},"       \
    "\"queue\":{\"type\":\"integer\"},\"drops\":{\"type\":\"object\"}}}}}}"

static const sc_param params[] = {
    SC_ROW_STREAM_ID,
    {"once", SC_IN_QUERY, SC_PARAM_BOOL, .value = "false",
     .help = "one JSON object instead of events, as with `Accept: application/json`"},
    {0},
};
static const sc_response_row responses[] = {
    {200, "text/event-stream", NULL,
     "`event: stats` each second, its data as the JSON below; ends with the stream"},
    {200, "application/json", STATS_SCHEMA,
     "the run's figures; without a run only id, state, reason, restarts, retry_in"},
    {404, "application/problem+json", NULL, "no such stream"},
    {0},
};
const sc_endpoint sc_get_live_stats = {
    .method = "GET",
    .path = "/api/v1/streams/{id}/stats",
    .tag = "streams",
    .summary = "What a live stream does, as it does it",
    .help =
        "`stages`: of each step, `busy` is its share of the time, the latencies are the age "
        "of what it takes, `queue` what waits for it, `drops` what was left out, by reason. "
        "`viewers_webrtc`: of each, its `rung` and size, `bitrate` (what its link carries), "
        "`sent` (bits a second), `loss`, `rtt_ms`, `queue_ms`, pictures `dropped`. `rungs`: "
        "the encodings that they share, `busy` in cores. `pipeline`: what its pictures run on, "
        "and why.",
    .params = params,
    .responses = responses,
    .handle = stats,
};
