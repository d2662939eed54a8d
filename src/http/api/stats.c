// GET /api/gpu/stats: the counters that existing dashboards read.
#include "app/webrtc.h"
#include "http/api/endpoints.h"
#include "http/api/model.h"
#include "http/request.h"

static double per(double sum, uint64_t count)
{
    return count ? sum / (double)count : 0;
}

static void stats(sc_request *req)
{
    struct sc_http_stats http;
    struct sc_models_stats models;
    struct sc_reader_stats reader;
    struct sc_videos_stats videos;
    struct sc_webrtc_info webrtc = {0};
    sc_app *app = sc_request_app(req);
    sc_request_server_stats(req, &http);
    sc_reader_engine_get_stats(sc_app_engine(app), &reader);
    sc_videos_get_stats(sc_app_videos(app), &videos);
    sc_models_get_stats(sc_app_models(app), &models);
    if (sc_app_webrtc(app))
        sc_webrtc_get_info(sc_app_webrtc(app), &webrtc);
    sc_metrics *metrics = sc_app_metrics(app);
    uint64_t batches = sc_counter_get(sc_api_batch_counter(metrics));
    uint64_t gpu = sc_counter_get(sc_api_gpu_counter(metrics));
    const struct sc_pipeline_choice *pipeline = sc_app_pipeline(app);
    json_t *json = json_pack(
        "{s:{s:I, s:I, s:I, s:I}, s:{s:I, s:f, s:f, s:f, s:I, s:f}, s:{s:b, s:n, s:b, s:b, "
        "s:b, s:s, s:s}}",
        "api_stats", "total_requests", (json_int_t)http.requests, "gpu_requests",
        (json_int_t)gpu, "webrtc_sessions", (json_int_t)webrtc.sessions, "batch_inferences",
        (json_int_t)batches, "gpu_processor", "frames_processed",
        (json_int_t)videos.frames + (json_int_t)models.pictures, "cache_hit_rate",
        per((double)videos.hits, videos.hits + videos.misses), "average_inference_time",
        per((double)models.run_ns / 1e9, models.runs), "average_batch_size",
        per((double)models.pictures, models.runs), "gpu_memory_used", (json_int_t)0,
        "gpu_utilization", 0.0, "system_info", "gpu_available", models.on_gpu > 0, "gpu_device",
        "batch_processing", models.ready > 0, "frame_indexing", 1, "webrtc_enabled",
        webrtc.available, "pipeline", pipeline->name, "pipeline_reason", pipeline->reason);
    sc_reply_json(req, 200, json);
    sc_reply_header(req, "Cache-Control", "no-store");
}

static const sc_response_row responses[] = {
    {200, "application/json",
     "{\"type\":\"object\",\"required\":[\"api_stats\",\"gpu_processor\",\"system_info\"]}",
     "counters since the start"},
    {0},
};
const sc_endpoint sc_get_gpu_stats = {
    .method = "GET",
    .path = "/api/gpu/stats",
    .tag = "compatible",
    .summary = "Counters of API, cache and machine",
    .help = "frames_processed: pictures asked for and pictures that models looked at; "
            "average_inference_time in seconds a run, average_batch_size pictures a run; "
            "batch_processing: a model is ready; webrtc_sessions: viewers and sources so far; "
            "cache_hit_rate of encoded pictures; pipeline: what decodes, draws and encodes "
            "(cpu), and "
            "pipeline_reason why.",
    .responses = responses,
    .handle = stats,
};
