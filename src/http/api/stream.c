// GET .../stream.mjpeg and the compatible .../stream: a stored video as pictures at the pace of time.
//
// A play (app/play.h) makes the pictures; here they become parts of a body. A client that has not
// taken one yet is not given the next.
#include <math.h>
#include <string.h>

#include "app/play.h"
#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/model.h"
#include "http/api/video.h"

#define BOUNDARY "saccade-frame"

// Lives as long as its stream, which the reply and the play hold.
struct view {
    sc_stream *stream;
    sc_index *index;
    sc_play *play;
};

// --- the play's calls -------------------------------------------------------------------------

static bool ready(void *arg)
{
    struct view *view = arg;
    return !sc_stream_pending(view->stream);
}

static bool take(void *arg, const sc_answer *answer)
{
    struct view *view = arg;
    char text[64];
    sc_str head = {0};
    sc_str_addf(&head,
                "--" BOUNDARY "\r\nContent-Type: image/jpeg\r\nContent-Length: %zu\r\n"
                "X-Frame-Number: %lld\r\nX-Frame-Time: %s\r\n",
                answer->body->size, (long long)answer->n,
                sc_index_format_time(view->index, answer->n, text, sizeof(text)));
    if (answer->found)
        sc_str_addf(&head, "X-Count: %d\r\n", answer->count);
    sc_str_add(&head, "\r\n");
    bool open = sc_stream_write_copy(view->stream, head.s, head.len) &&
                sc_stream_write(view->stream, answer->body) &&
                sc_stream_write_copy(view->stream, "\r\n", 2);
    sc_str_release(&head);
    return open;
}

static void on_end(void *arg, int ret)
{
    struct view *view = arg;
    sc_stream *stream = view->stream;
    if (!ret)
        sc_stream_write_copy(stream, "--" BOUNDARY "--\r\n", strlen(BOUNDARY) + 6);
    sc_stream_end(stream, ret < 0);
    sc_stream_unref(&stream);
}

// --- the stream's -----------------------------------------------------------------------------

static void drained(void *arg)
{
    struct view *view = arg;
    if (sc_stream_gone(view->stream))
        sc_play_stop(view->play);
}

static void release(void *arg)
{
    struct view *view = arg;
    sc_play_unref(&view->play);
    sc_index_unref(&view->index);
    free(view);
}

// --- requests ---------------------------------------------------------------------------------

static void start(sc_request *req, struct sc_play_params params)
{
    struct view *view = sc_new(struct view);
    sc_err err = {0};
    view->index = sc_video_index(params.video);
    view->stream = sc_stream_new(&(struct sc_stream_params){drained, view, release});
    sc_stream *stream = sc_stream_ref(view->stream); // the reply's; the first one is the play's
    params.ready = ready;
    params.take = take;
    params.on_end = on_end;
    params.arg = view;
    int ret = sc_play_new(&view->play, sc_app_plays(sc_request_app(req)), &params, &err);
    if (ret) {
        sc_stream_unref(&view->stream);
        sc_stream_unref(&stream);
        sc_reply_err(req, ret, &err);
        return;
    }
    sc_reply_stream(req, 200, "multipart/x-mixed-replace; boundary=" BOUNDARY, stream, -1);
    sc_reply_header(req, "Cache-Control", "no-store");
}

static double own_fps(sc_video *video)
{
    sc_index *index = sc_video_index(video);
    double fps = sc_api_fps(sc_index_get_info(index));
    sc_index_unref(&index);
    return fps > 0 ? fmin(fps, 120) : 25;
}

static struct sc_play_params read_params(sc_request *req, sc_video *video, const char *t,
                                         const struct sc_picture_query *query)
{
    struct sc_play_params params = {.video = video, .query = *query, .threshold = -1};
    const char *model = sc_request_param(req, "model");
    if (query->instance)
        params.model = model ? model : "";
    if (sc_request_given(req, "threshold"))
        params.threshold = sc_request_num(req, "threshold");
    params.fps = sc_request_num(req, "fps");
    if (params.fps <= 0)
        params.fps = own_fps(video);
    params.from = strtod(t, NULL);
    return params;
}

static void serve(sc_request *req, const char *t)
{
    struct sc_picture_query query = {0};
    sc_err err = {0};
    int64_t n;
    sc_video *video = sc_api_video(req);
    if (!video || !sc_api_picture_query(req, video, &query))
        goto end;
    int ret = sc_video_find(video, t, &n, &err);
    if (ret)
        sc_reply_err(req, ret, &err);
    else if (sc_request_is_head(req))
        sc_reply_empty(req, 200);
    else
        start(req, read_params(req, video, t, &query));
end:
    sc_instance_unref(&query.instance);
    sc_video_unref(&video);
}

static void stream(sc_request *req)
{
    serve(req, sc_request_param(req, "t"));
}

#define ROW_FPS(text, meaning)                                                                 \
    {                                                                                          \
        .name = "fps", .type = SC_PARAM_NUM, .min = 0.1, .max = 120, .value = (text),          \
        .help = (meaning)                                                                      \
    }

static const sc_param params[] = {
    SC_ROW_ID,
    ROW_FPS(NULL, "pictures a second; the video's own rate if not given"),
    {"t", SC_IN_QUERY, SC_PARAM_DECIMAL, .value = "0", .help = "where to start, in seconds"},
    SC_ROW_W,
    SC_ROW_H,
    SC_ROW_FIT,
    SC_ROW_QUALITY,
    SC_ROW_MODEL,
    SC_ROW_THRESHOLD,
    SC_ROW_INFERENCE,
    SC_ROW_OVERLAY,
    {0},
};
static const sc_response_row responses[] = {
    {200, "multipart/x-mixed-replace", NULL,
     "JPEG pictures at the pace of time, to the end; with a model each part has X-Count"},
    {0},
};
const sc_endpoint sc_get_stream = {
    .method = "GET",
    .path = "/api/v1/videos/{id}/stream.mjpeg",
    .tag = "frames",
    .summary = "Play as MJPEG",
    .help = "In real time: what a slow client or machine cannot take is left out.",
    .params = params,
    .responses = responses,
    .handle = stream,
};

static void compat_stream(sc_request *req)
{
    serve(req, "0");
}

static const sc_param compat_params[] = {
    SC_ROW_ID,        ROW_FPS("30", "pictures a second"),
    SC_ROW_INFERENCE, SC_ROW_MODEL,
    SC_ROW_THRESHOLD, SC_ROW_OVERLAY,
    SC_ROW_QUALITY,   {0},
};
const sc_endpoint sc_get_gpu_stream = {
    .method = "GET",
    .path = "/api/gpu/video/{id}/stream",
    .tag = "compatible",
    .summary = "Play as MJPEG",
    .help = "",
    .params = compat_params,
    .responses = responses,
    .handle = compat_stream,
};
