// GET .../stream.mjpeg and the compatible .../stream: pictures at the pace of time.
//
// A tick asks for the frame on screen now; when it is there it is sent and the next tick is
// set. What takes too long, here or at the client, skips ticks, so that the speed stays true.
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/model.h"
#include "http/api/video.h"
#include "http/timers.h"

#define BOUNDARY "saccade-frame"

// Passed on from tick to picture to tick; each has it alone.
struct live {
    sc_video *video;
    sc_stream *stream;
    sc_timers *timers;
    struct sc_picture_query query; // its instance is a reference
    sc_models *models;
    bool inference;
    char model[65];   // asked for anew with each picture, so that it may be replaced
    double threshold; // -1 = the model's own
    double fps, from; // frames a second; seconds of video
    int64_t start_ns; // monotonic
    int64_t k;        // number of the next tick
};

static void end(struct live *live, bool failed)
{
    if (!failed)
        sc_stream_write_copy(live->stream, "--" BOUNDARY "--\r\n", strlen(BOUNDARY) + 6);
    sc_stream_end(live->stream, failed);
    sc_stream_unref(&live->stream);
    sc_instance_unref(&live->query.instance);
    sc_video_unref(&live->video);
    sc_timers_release(live->timers);
    free(live);
}

static void tick(void *arg);

static void set_next(struct live *live)
{
    double elapsed = (double)(sc_clock_now() - live->start_ns) / 1e9;
    int64_t now = (int64_t)ceil(elapsed * live->fps);
    live->k = now > live->k + 1 ? now : live->k + 1;
    int64_t when_ns = live->start_ns + (int64_t)((double)live->k / live->fps * 1e9);
    sc_timers_at(live->timers, when_ns, tick, live);
}

static void send(struct live *live, const sc_answer *answer)
{
    char text[64];
    sc_str head = {0};
    sc_index *index = sc_video_index(live->video);
    sc_str_addf(&head,
                "--" BOUNDARY "\r\nContent-Type: image/jpeg\r\nContent-Length: %zu\r\n"
                "X-Frame-Number: %lld\r\nX-Frame-Time: %s\r\n",
                answer->body->size, (long long)answer->n,
                sc_index_format_time(index, answer->n, text, sizeof(text)));
    if (answer->found)
        sc_str_addf(&head, "X-Count: %d\r\n", answer->count);
    sc_str_add(&head, "\r\n");
    sc_stream_write_copy(live->stream, head.s, head.len);
    sc_stream_write(live->stream, answer->body);
    sc_stream_write_copy(live->stream, "\r\n", 2);
    sc_str_release(&head);
    sc_index_unref(&index);
}

// On a worker thread. A damaged frame is left out; a deleted video ends the stream.
static void on_picture(void *arg, int ret, sc_answer *answer, const sc_err *err)
{
    (void)err;
    struct live *live = arg;
    if (ret == SC_ECANCELLED) {
        end(live, true);
        return;
    }
    if (!ret)
        send(live, answer);
    sc_answer_unref(&answer);
    set_next(live);
}

static void ask(struct live *live, int64_t n)
{
    sc_answer *answer = sc_video_peek(live->video, n, &live->query);
    if (answer)
        on_picture(live, 0, answer, NULL);
    else if (sc_video_picture(live->video, n, &live->query, SC_READ_SEQUENTIAL, on_picture,
                              live, NULL))
        set_next(live); // too much waits: this tick is skipped
}

// The instance that answers now. False: the model is gone.
static bool choose(struct live *live)
{
    sc_instance_unref(&live->query.instance);
    if (!live->inference)
        return true;
    if (sc_models_acquire(live->models, live->model, &live->query.instance, NULL))
        return false;
    live->query.threshold = live->threshold >= 0
                                ? live->threshold
                                : sc_instance_get_info(live->query.instance)->threshold;
    return true;
}

static void tick(void *arg)
{
    struct live *live = arg;
    char t[64];
    int64_t n;
    snprintf(t, sizeof(t), "%.9f", live->from + (double)live->k / live->fps);
    if (sc_stream_gone(live->stream) || sc_timers_stopping(live->timers) ||
        sc_video_find(live->video, t, &n, NULL)) // the video is over
        end(live, false);
    else if (sc_stream_pending(live->stream))
        set_next(live); // the client has not taken the picture before
    else if (choose(live))
        ask(live, n);
    else
        end(live, true);
}

static void set_model(struct live *live, sc_request *req)
{
    const char *name = sc_request_param(req, "model");
    live->models = sc_app_models(sc_request_app(req));
    live->inference = live->query.instance != NULL;
    live->query.priority = SC_PRIORITY_LIVE;
    snprintf(live->model, sizeof(live->model), "%s", name ? name : "");
    live->threshold =
        sc_request_given(req, "threshold") ? sc_request_num(req, "threshold") : -1;
}

// Takes over the references to video and instance.
static void start(sc_request *req, sc_video *video, const struct sc_picture_query *query,
                  double fps, double from)
{
    struct live *live = sc_new(struct live);
    live->video = video;
    live->query = *query;
    set_model(live, req);
    live->fps = fps;
    live->from = from;
    live->start_ns = sc_clock_now();
    live->timers = sc_request_timers(req);
    live->stream = sc_stream_new(&(struct sc_stream_params){0});
    sc_timers_hold(live->timers);
    sc_reply_stream(req, 200, "multipart/x-mixed-replace; boundary=" BOUNDARY,
                    sc_stream_ref(live->stream), -1);
    sc_reply_header(req, "Cache-Control", "no-store");
    sc_timers_at(live->timers, live->start_ns, tick, live);
}

static double own_fps(sc_video *video)
{
    sc_index *index = sc_video_index(video);
    double fps = sc_api_fps(sc_index_get_info(index));
    sc_index_unref(&index);
    return fps > 0 ? fmin(fps, 120) : 25;
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
    if (ret) {
        sc_reply_err(req, ret, &err);
    } else if (sc_request_is_head(req)) {
        sc_reply_empty(req, 200);
    } else {
        double fps = sc_request_num(req, "fps");
        start(req, video, &query, fps > 0 ? fps : own_fps(video), strtod(t, NULL));
        return; // with the references
    }
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
