// POST /api/gpu/video/{id}/batch_inference: what a model finds at many times, in one answer.
#include "base/clock.h"
#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/frames_query.h"
#include "http/api/model.h"
#include "http/api/scan.h"

struct batch {
    sc_request *req;
    sc_video *video;
    sc_instance *instance;
    sc_scan *scan;
    double threshold;
    int64_t *ns;
    size_t count;
    sc_str results;
    int ret; // of a queue that was full
    sc_err err;
};

static int64_t frame(void *arg, size_t i)
{
    return ((const struct batch *)arg)->ns[i];
}

static void on_result(void *arg, size_t i, int ret, const sc_detections *found,
                      const sc_err *err)
{
    struct batch *batch = arg;
    if (ret == SC_EBUSY && !batch->ret) {
        batch->ret = ret;
        batch->err = *err;
    }
    if (i)
        sc_str_addc(&batch->results, ',');
    if (ret)
        sc_api_print_lost(&batch->results, batch->video, batch->ns[i], ret, err);
    else
        sc_detections_report(&batch->results, batch->video, batch->ns[i], batch->instance,
                             found, batch->threshold);
    batch->results.s[--batch->results.len] = 0; // the line's break
}

static void reply(struct batch *batch)
{
    sc_str text = {0};
    double seconds =
        (double)(sc_clock_now() - sc_request_start_ns(batch->req)) / (double)SC_NS_PER_S;
    char device[24];
    sc_str_addf(
        &text,
        "{\"status\":\"success\",\"processed_frames\":%zu,\"processing_time\":\"%.3fs\","
        "\"gpu_device\":\"%s\",\"batch_size\":%zu,\"model\":\"%s\",\"results\":[",
        batch->count, seconds, sc_api_device(batch->instance, device, sizeof(device)),
        batch->count, sc_instance_get_info(batch->instance)->name);
    sc_str_addn(&text, sc_str_get(&batch->results), batch->results.len);
    sc_str_add(&text, "]}\n");
    sc_reply_text(batch->req, 200, "application/json", &text);
}

static void on_end(void *arg, bool cancelled)
{
    struct batch *batch = arg;
    sc_request *req = batch->req;
    if (batch->ret || cancelled)
        sc_api_reply_inference(req, batch->ret ? batch->ret : SC_ECANCELLED, &batch->err);
    else
        reply(batch);
    sc_request_resume(req);
}

static void release(void *arg)
{
    struct batch *batch = arg;
    sc_instance_unref(&batch->instance);
    sc_video_unref(&batch->video);
    sc_str_release(&batch->results);
    free(batch->ns);
    free(batch);
}

static void start(struct batch *batch)
{
    sc_request *req = batch->req;
    sc_metrics *metrics = sc_app_metrics(sc_request_app(req));
    sc_counter_add(sc_api_batch_counter(metrics), 1);
    if (sc_instance_on_gpu(batch->instance))
        sc_counter_add(sc_api_gpu_counter(metrics), 1);
    sc_scan *scan = sc_scan_new(&(struct sc_scan_params){
        .app = sc_request_app(req),
        .timers = sc_request_timers(req),
        .video = batch->video,
        .instance = batch->instance,
        .frame = frame,
        .count = batch->count,
        .priority = SC_PRIORITY_INTERACTIVE,
        .on_result = on_result,
        .on_end = on_end,
        .arg = batch,
        .release = release,
    });
    sc_request_defer(req);
    sc_scan_pump(scan);
    sc_scan_unref(&scan);
}

static void batch_inference(sc_request *req)
{
    struct batch *batch = sc_new(struct batch);
    size_t size;
    sc_err err = {0};
    batch->req = req;
    batch->video = sc_api_video(req);
    if (!batch->video)
        goto fail;
    const char *body = sc_request_body(req, &size);
    int ret = sc_times_parse(batch->video, body, size, &batch->ns, &batch->count, &err);
    if (ret) {
        sc_reply_err(req, ret, &err);
        goto fail;
    }
    if (!sc_api_instance(req, sc_request_param(req, "model"), &batch->instance))
        goto fail;
    batch->threshold = sc_api_threshold(req, batch->instance);
    start(batch);
    return;
fail:
    release(batch);
}

static const sc_param params[] = {SC_ROW_ID, SC_ROW_MODEL, SC_ROW_THRESHOLD, {0}};
static const sc_response_row responses[] = {
    {200, "application/json",
     "{\"type\":\"object\",\"required\":[\"status\",\"processed_frames\",\"results\"],"
     "\"properties\":{\"status\":{\"const\":\"success\"},\"processed_frames\":{\"type\":"
     "\"integer\"},\"processing_time\":{\"type\":\"string\"},\"gpu_device\":{\"type\":"
     "\"string\"},"
     "\"batch_size\":{\"type\":\"integer\"},\"model\":{\"type\":\"string\"},\"results\":{"
     "\"type\":"
     "\"array\"}}}",
     "results in the order asked, each as a line of .../detections; a frame that cannot be "
     "decoded "
     "has `error` in place of `detections`"},
    {400, "application/problem+json", NULL, "the body is no array of times; field says where"},
    {416, "application/problem+json", NULL,
     "a time is beyond the end: field says which (t[3]), nothing is done"},
    {429, "application/problem+json", NULL, "the model's queue is full; see Retry-After"},
    {501, "application/problem+json", NULL, "no model, or nothing to run one"},
    {0},
};
const sc_endpoint sc_batch_inference = {
    .method = "POST",
    .path = "/api/gpu/video/{id}/batch_inference",
    .tag = "compatible",
    .summary = "What a model finds at many times",
    .help = "At most 1000 times.",
    .params = params,
    .body = SC_BODY_JSON,
    .body_schema = "{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,\"items\":{\"type\":["
                   "\"number\",\"string\"]}}",
    .responses = responses,
    .handle = batch_inference,
};
