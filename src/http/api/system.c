// GET /health, /ready, /metrics: is it alive, does it take work, what does it do.
#include "app/app.h"
#include "base/clock.h"
#include "http/api/endpoints.h"
#include "http/request.h"

// A quotient in [0, 1].
static double rate_of(uint64_t hits, uint64_t misses)
{
    return hits + misses ? (double)hits / (double)(hits + misses) : 0;
}

static json_t *cache_json(sc_app *app)
{
    struct sc_reader_stats reader;
    struct sc_videos_stats videos;
    sc_reader_engine_get_stats(sc_app_engine(app), &reader);
    sc_videos_get_stats(sc_app_videos(app), &videos);
    return json_pack("{s:s, s:{s:I, s:I, s:f}, s:{s:I, s:I, s:f}}", "state", "active", "frames",
                     "bytes", (json_int_t)reader.cache_bytes, "items",
                     (json_int_t)reader.cache_items, "hit_rate",
                     rate_of(reader.hits, reader.misses), "answers", "bytes",
                     (json_int_t)videos.answer_bytes, "items", (json_int_t)videos.answer_items,
                     "hit_rate", rate_of(videos.hits, videos.misses));
}

static void health(sc_request *req)
{
    sc_app *app = sc_request_app(req);
    struct sc_app_status status;
    struct sc_reader_stats reader;
    struct sc_videos_stats videos;
    sc_app_get_status(app, &status);
    sc_reader_engine_get_stats(sc_app_engine(app), &reader);
    sc_videos_get_stats(sc_app_videos(app), &videos);
    json_t *json = json_pack(
        "{s:s, s:b, s:s, s:{s:I, s:I, s:I}, s:o, s:s, s:f, s:I, s:I}", "status",
        status.ready ? "healthy" : "unhealthy", "gpu_available", 0, "cache_status", "active",
        "memory_usage", "rss_bytes", (json_int_t)status.rss_bytes, "frame_cache_bytes",
        (json_int_t)reader.cache_bytes, "answer_cache_bytes", (json_int_t)videos.answer_bytes,
        "cache", cache_json(app), "version", SC_VERSION, "uptime_seconds",
        (double)status.uptime_ns / 1e9, "videos", (json_int_t)status.videos, "disk_free_bytes",
        (json_int_t)status.disk_free_bytes);
    sc_reply_json(req, status.ready ? 200 : 503, json);
    sc_reply_header(req, "Cache-Control", "no-store");
}

static const sc_response_row health_responses[] = {
    {200, "application/json",
     "{\"type\":\"object\",\"required\":[\"status\",\"gpu_available\",\"cache_status\","
     "\"memory_usage\"],\"properties\":{\"status\":{\"enum\":[\"healthy\",\"unhealthy\"]},"
     "\"gpu_available\":{\"type\":\"boolean\"},\"cache_status\":{\"type\":\"string\"},"
     "\"memory_usage\":{\"type\":\"object\"}}}",
     "healthy"},
    {503, "application/json", "{\"type\":\"object\"}", "alive, but stores cannot be written"},
    {0},
};
const sc_endpoint sc_get_health = {
    .method = "GET",
    .path = "/health",
    .tag = "system",
    .summary = "Is the server well",
    .help = "Answered without a token.",
    .responses = health_responses,
    .flags = SC_ENDPOINT_PUBLIC,
    .handle = health,
};

static void ready(sc_request *req)
{
    struct sc_app_status status;
    sc_app_get_status(sc_request_app(req), &status);
    if (status.ready)
        sc_reply_json(req, 200, json_pack("{s:b}", "ready", 1));
    else
        sc_reply_problem(req, 503, NULL, "the stores cannot be written, or the server stops");
    sc_reply_header(req, "Cache-Control", "no-store");
}

static const sc_response_row ready_responses[] = {
    {200, "application/json",
     "{\"type\":\"object\",\"properties\":{\"ready\":{\"const\":true}}}", "takes requests"},
    {0},
};
const sc_endpoint sc_get_ready = {
    .method = "GET",
    .path = "/ready",
    .tag = "system",
    .summary = "Does the server take requests",
    .help = "For load balancers; answered without a token.",
    .responses = ready_responses,
    .flags = SC_ENDPOINT_PUBLIC,
    .handle = ready,
};

static void metrics(sc_request *req)
{
    struct sc_http_stats stats;
    sc_str text = {0};
    sc_request_server_stats(req, &stats); // brings the gauges up to date
    sc_metrics_print(sc_app_metrics(sc_request_app(req)), &text);
    sc_reply_text(req, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
}

static const sc_response_row metrics_responses[] = {
    {200, "text/plain", "{\"type\":\"string\"}", "Prometheus text format 0.0.4"},
    {0},
};
const sc_endpoint sc_get_metrics = {
    .method = "GET",
    .path = "/metrics",
    .tag = "system",
    .summary = "Counters and latencies for Prometheus",
    .help = "",
    .responses = metrics_responses,
    .handle = metrics,
};
