// GET .../frame: one picture. A cached one is answered on the I/O thread, any other when a
// worker has made it.
#include <inttypes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/model.h"
#include "http/api/video.h"

// A request that waits for its picture.
struct job {
    sc_request *req;
    sc_video *video;
    sc_instance *instance; // NULL = none
    bool compat;
};

static void release(void *arg)
{
    struct job *job = arg;
    sc_instance_unref(&job->instance);
    sc_video_unref(&job->video);
    free(job);
}

// Where the picture came from and how long that took. A 304 has them too: a client's own cache
// would else tell those of the first time.
static void add_origin(sc_request *req, bool hit, bool compat)
{
    int64_t us = (sc_clock_now() - sc_request_start_ns(req)) / 1000;
    sc_reply_header(req, "X-Cache-Status", hit ? "HIT" : "MISS");
    if (compat)
        sc_reply_headerf(req, "X-Processing-Time", "%.3fs", (double)us / 1e6);
    else
        sc_reply_headerf(req, "X-Processing-Time", "%d.%06ds", (int)(us / 1000000),
                         (int)(us % 1000000));
    // The id may name another video one day: ask again, it costs a 304.
    sc_reply_header(req, "Cache-Control", "private, no-cache");
}

static void add_compat(const struct job *job, const sc_answer *answer, bool hit)
{
    sc_request *req = job->req;
    bool gpu = job->instance && sc_instance_on_gpu(job->instance);
    sc_reply_headerf(req, "X-Encode-Time", "%.3fs", hit ? 0 : (double)answer->encode_ns / 1e9);
    sc_reply_header(req, "X-GPU-Enabled", gpu ? "True" : "False");
    if (answer->found)
        return;
    sc_reply_header(req, "X-Inference-Time", "0.000s");
    sc_reply_header(req, "X-Count", "0");
}

static void add_found(sc_request *req, const sc_instance *instance, const sc_answer *answer,
                      bool hit)
{
    sc_api_add_model(req, instance, answer->count);
    sc_reply_headerf(req, "X-Inference-Time", "%.3fs",
                     hit ? 0 : (double)answer->inference_ns / 1e9);
}

static void add_time(sc_request *req, sc_video *video, int64_t n)
{
    char text[64];
    sc_index *index = sc_video_index(video);
    sc_reply_header(req, "X-Frame-Time", sc_index_format_time(index, n, text, sizeof(text)));
    sc_index_unref(&index);
}

static void reply(const struct job *job, const sc_answer *answer, bool hit)
{
    sc_request *req = job->req;
    sc_reply_buf(req, 200, sc_picture_mime(answer->format), answer->body);
    sc_reply_header(req, "ETag", answer->etag);
    sc_reply_headerf(req, "X-Frame-Number", "%" PRId64, answer->n);
    add_time(req, job->video, answer->n);
    sc_reply_header(req, "X-Verified", answer->verified ? "true" : "false");
    add_origin(req, hit, job->compat);
    if (answer->info.tone_mapped)
        sc_reply_header(req, "X-Tone-Mapped", "true");
    if (job->compat)
        add_compat(job, answer, hit);
    if (job->instance)
        add_found(req, job->instance, answer, hit);
}

static void fail(const struct job *job, int ret, const sc_err *err)
{
    (job->instance ? sc_api_reply_inference : sc_reply_err)(job->req, ret, err);
}

// On a worker thread.
static void on_picture(void *arg, int ret, sc_answer *answer, const sc_err *err)
{
    struct job *job = arg;
    sc_request *req = job->req;
    if (ret)
        fail(job, ret, err);
    else
        reply(job, answer, false);
    sc_answer_unref(&answer);
    sc_request_resume(req);
}

// Takes over the references of the job.
static void wait_for(const struct job *given, int64_t n, const struct sc_picture_query *query)
{
    struct job *job = sc_new(struct job);
    sc_request *req = given->req;
    sc_err err = {0};
    *job = *given;
    sc_request_set_state(req, job, release);
    sc_request_defer(req);
    int ret = sc_video_picture(job->video, n, query, 0, on_picture, job, &err);
    if (ret) {
        fail(job, ret, &err);
        sc_request_resume(req);
    }
}

// Which frame is asked for: t, or n, or the first.
static int find(sc_request *req, sc_video *video, bool compat, int64_t *n, sc_err *err)
{
    const char *t = sc_request_param(req, "t");
    bool by_number = !compat && sc_request_given(req, "n");
    *n = by_number ? sc_request_int(req, "n") : 0;
    if (t && by_number)
        return sc_fail_field(err, SC_EARG, "n", "give t or n, not both");
    return t ? sc_video_find(video, t, n, err) : sc_video_check_n(video, *n, err);
}

static bool not_modified(sc_request *req, sc_video *video, int64_t n,
                         const struct sc_picture_query *query, bool compat)
{
    char etag[40];
    if (!sc_request_header(req, "If-None-Match"))
        return false;
    sc_video_etag(video, n, query, etag);
    if (!sc_reply_not_modified(req, etag))
        return false;
    add_origin(req, true, compat);
    return true;
}

static void serve(sc_request *req, bool compat)
{
    struct sc_picture_query query = {0};
    struct job job = {.req = req, .compat = compat};
    sc_answer *answer = NULL;
    sc_err err = {0};
    int64_t n;
    job.video = sc_api_video(req);
    if (!job.video || !sc_api_picture_query(req, job.video, &query))
        goto end;
    job.instance = query.instance;
    int ret = find(req, job.video, compat, &n, &err);
    if (ret) {
        sc_reply_err(req, ret, &err);
        goto end;
    }
    if (not_modified(req, job.video, n, &query, compat))
        goto end;
    answer = sc_video_peek(job.video, n, &query);
    if (answer) {
        reply(&job, answer, true);
    } else {
        wait_for(&job, n, &query);
        return; // with the references
    }
end:
    sc_answer_unref(&answer);
    sc_instance_unref(&job.instance);
    sc_video_unref(&job.video);
}

static void frame(sc_request *req)
{
    serve(req, false);
}

static const sc_param params[] = {
    SC_ROW_ID,
    {"t", SC_IN_QUERY, SC_PARAM_DECIMAL,
     .help = "seconds from the first displayed frame; the frame on screen then"},
    {"n", SC_IN_QUERY, SC_PARAM_INT, 0, 9e15, .help = "frame number in display order, from 0"},
    SC_ROW_W,
    SC_ROW_H,
    SC_ROW_FIT,
    SC_ROW_FORMAT,
    SC_ROW_QUALITY,
    SC_ROW_MODEL,
    SC_ROW_THRESHOLD,
    SC_ROW_INFERENCE,
    SC_ROW_OVERLAY,
    {0},
};
static const sc_response_row responses[] = {
    {200, "image/jpeg|image/png|image/webp|application/x-npy", NULL,
     "the picture; X-Frame-Number, X-Frame-Time and X-Verified say which frame it is, "
     "X-Cache-Status where it came from, X-Processing-Time how long it took, X-Tone-Mapped "
     "that HDR was turned into SDR. With a model: X-Count (objects found), X-Model, "
     "X-Model-Generation, X-Provider, X-Inference-Time"},
    {304, NULL, NULL, "If-None-Match holds its ETag"},
    {404, "application/problem+json", NULL, "no such video or model; field says which"},
    {409, "application/problem+json", NULL, "the model could not be loaded; detail says why"},
    {416, "application/problem+json", NULL, "beyond the end; detail tells the valid range"},
    {429, "application/problem+json", NULL, "the model's queue is full; see Retry-After"},
    {501, "application/problem+json", NULL, "no model, or nothing to run one"},
    {503, "application/problem+json", NULL, "too much waits, or the model is being loaded"},
    {0},
};
const sc_endpoint sc_get_frame = {
    .method = "GET",
    .path = "/api/v1/videos/{id}/frame",
    .tag = "frames",
    .summary = "One frame as a picture",
    .help = "By time or by number; the first one if neither is given. The same picture as a "
            "linear decode from the start gives.",
    .params = params,
    .responses = responses,
    .handle = frame,
};

static void compat_frame(sc_request *req)
{
    serve(req, true);
}

static const sc_param compat_params[] = {
    SC_ROW_ID,
    {"t", SC_IN_QUERY, SC_PARAM_DECIMAL, .value = "0",
     .help = "seconds from the first displayed frame; the frame on screen then"},
    SC_ROW_INFERENCE,
    SC_ROW_MODEL,
    SC_ROW_THRESHOLD,
    SC_ROW_OVERLAY,
    SC_ROW_QUALITY,
    {0},
};
static const sc_response_row compat_responses[] = {
    {200, "image/jpeg", NULL,
     "the picture, with X-Processing-Time, X-Inference-Time, X-Encode-Time, X-Count, "
     "X-GPU-Enabled, X-Cache-Status"},
    {416, "application/problem+json", NULL, "beyond the end; detail tells the valid range"},
    {501, "application/problem+json", NULL, "no model, or nothing to run one"},
    {0},
};
const sc_endpoint sc_get_gpu_frame = {
    .method = "GET",
    .path = "/api/gpu/video/{id}/frame",
    .tag = "compatible",
    .summary = "One frame as JPEG",
    .help = "",
    .params = compat_params,
    .responses = compat_responses,
    .handle = compat_frame,
};
