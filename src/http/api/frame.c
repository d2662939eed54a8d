// GET .../frame: one picture. A cached one is answered on the I/O thread, any other when a
// worker has made it.
#include <inttypes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/video.h"

// A request that waits for its picture.
struct job {
    sc_request *req;
    sc_video *video;
    bool compat;
};

static void release(void *arg)
{
    struct job *job = arg;
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

static void add_compat(sc_request *req, const sc_answer *answer, bool hit)
{
    sc_reply_header(req, "X-Inference-Time", "0.000s");
    sc_reply_headerf(req, "X-Encode-Time", "%.3fs", hit ? 0 : (double)answer->encode_ns / 1e9);
    sc_reply_header(req, "X-Count", "0");
    sc_reply_header(req, "X-GPU-Enabled", "False");
}

static void add_time(sc_request *req, sc_video *video, int64_t n)
{
    char text[64];
    sc_index *index = sc_video_index(video);
    sc_reply_header(req, "X-Frame-Time", sc_index_format_time(index, n, text, sizeof(text)));
    sc_index_unref(&index);
}

static void reply(sc_request *req, sc_video *video, const sc_answer *answer, bool compat,
                  bool hit)
{
    sc_reply_buf(req, 200, sc_picture_mime(answer->format), answer->body);
    sc_reply_header(req, "ETag", answer->etag);
    sc_reply_headerf(req, "X-Frame-Number", "%" PRId64, answer->n);
    add_time(req, video, answer->n);
    sc_reply_header(req, "X-Verified", answer->verified ? "true" : "false");
    add_origin(req, hit, compat);
    if (answer->info.tone_mapped)
        sc_reply_header(req, "X-Tone-Mapped", "true");
    if (compat)
        add_compat(req, answer, hit);
}

// On a worker thread.
static void on_picture(void *arg, int ret, sc_answer *answer, const sc_err *err)
{
    struct job *job = arg;
    sc_request *req = job->req;
    if (ret)
        sc_reply_err(req, ret, err);
    else
        reply(req, job->video, answer, job->compat, false);
    sc_answer_unref(&answer);
    sc_request_resume(req);
}

// Takes over the reference to video.
static void wait_for(sc_request *req, sc_video *video, int64_t n,
                     const struct sc_picture_query *query, bool compat)
{
    struct job *job = sc_new(struct job);
    sc_err err = {0};
    *job = (struct job){req, video, compat};
    sc_request_set_state(req, job, release);
    sc_request_defer(req);
    int ret = sc_video_picture(video, n, query, 0, on_picture, job, &err);
    if (ret) {
        sc_reply_err(req, ret, &err);
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
    struct sc_picture_query query;
    sc_answer *answer = NULL;
    sc_err err = {0};
    int64_t n;
    sc_video *video = sc_api_video(req);
    if (!video || !sc_api_picture_query(req, video, &query))
        goto end;
    int ret = find(req, video, compat, &n, &err);
    if (ret) {
        sc_reply_err(req, ret, &err);
        goto end;
    }
    if (not_modified(req, video, n, &query, compat))
        goto end;
    answer = sc_video_peek(video, n, &query);
    if (answer) {
        reply(req, video, answer, compat, true);
    } else {
        wait_for(req, video, n, &query, compat);
        video = NULL;
    }
end:
    sc_answer_unref(&answer);
    sc_video_unref(&video);
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
    {0},
};
static const sc_response_row responses[] = {
    {200, "image/jpeg|image/png|image/webp|application/x-npy", NULL,
     "the picture; X-Frame-Number, X-Frame-Time and X-Verified say which frame it is, "
     "X-Cache-Status where it came from, X-Processing-Time how long it took, X-Tone-Mapped "
     "that HDR was turned into SDR"},
    {304, NULL, NULL, "If-None-Match holds its ETag"},
    {404, "application/problem+json", NULL, "no such video"},
    {416, "application/problem+json", NULL, "beyond the end; detail tells the valid range"},
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
    if (sc_request_bool(req, "inference"))
        sc_reply_problem(req, 501, "inference", "this server has no model: inference=false");
    else
        serve(req, true);
}

static const sc_param compat_params[] = {
    SC_ROW_ID,
    {"t", SC_IN_QUERY, SC_PARAM_DECIMAL, .value = "0",
     .help = "seconds from the first displayed frame; the frame on screen then"},
    {"inference", SC_IN_QUERY, SC_PARAM_BOOL, .value = "false",
     .help = "draw what a model finds; needs a model"},
    SC_ROW_QUALITY,
    {0},
};
static const sc_response_row compat_responses[] = {
    {200, "image/jpeg", NULL,
     "the picture, with X-Processing-Time, X-Inference-Time, X-Encode-Time, X-Count, "
     "X-GPU-Enabled, X-Cache-Status"},
    {416, "application/problem+json", NULL, "beyond the end; detail tells the valid range"},
    {501, "application/problem+json", NULL, "inference was asked for"},
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
