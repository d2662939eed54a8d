// GET /api/v1/streams/{id}/stream.mjpeg: a live stream's pictures, encoded once for all viewers.
//
// Pictures come on a thread of the stream. One is handed on when the client has taken the one before,
// else it is skipped: at most one waits for each viewer. A timer looks whether it is over; the pool
// gives the viewer back, which may wait for a picture on its way.
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/streams.h"
#include "http/timers.h"

#define BOUNDARY "saccade-frame"
#define LOOK_NS  (SC_NS_PER_S / 4)

struct view {
    sc_stream *out;
    sc_timers *timers;
    sc_pool *pool;
    sc_streams_viewer *viewer;
    atomic_bool over; // the stream has ended
};

static void send(struct view *view, sc_buf *jpeg, int64_t n, int64_t pts_ns)
{
    sc_str head = {0};
    sc_str_addf(&head,
                "--" BOUNDARY "\r\nContent-Type: image/jpeg\r\nContent-Length: %zu\r\n"
                "X-Frame-Number: %lld\r\nX-Frame-Time: %.6f\r\n\r\n",
                jpeg->size, (long long)n, (double)pts_ns / (double)SC_NS_PER_S);
    sc_stream_write_copy(view->out, head.s, head.len);
    sc_stream_write(view->out, jpeg);
    sc_stream_write_copy(view->out, "\r\n", 2);
    sc_str_release(&head);
}

static void take(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns)
{
    struct view *view = arg;
    if (!jpeg) {
        sc_stream_write_copy(view->out, "--" BOUNDARY "--\r\n", strlen(BOUNDARY) + 6);
        sc_stream_end(view->out, false);
        atomic_store(&view->over, true);
    } else if (!sc_stream_pending(view->out)) {
        send(view, jpeg, n, pts_ns);
    }
}

static void release(void *arg)
{
    struct view *view = arg;
    sc_timers *timers = view->timers;
    sc_streams_unview(&view->viewer);
    sc_stream_end(view->out, false);
    sc_stream_unref(&view->out);
    free(view);
    sc_timers_release(timers); // last: the server may go
}

static void look(void *arg)
{
    struct view *view = arg;
    bool stopping = sc_timers_stopping(view->timers);
    if (stopping || atomic_load(&view->over) || sc_stream_gone(view->out)) {
        if (!sc_pool_post(view->pool, SC_PRIO_NORMAL, release, view))
            return;
    }
    sc_timers_at(view->timers, sc_clock_now() + LOOK_NS, look, view);
}

// A client that cannot see it now may try again.
static void reply_failure(sc_request *req, int ret, const sc_err *err)
{
    if (ret != SC_EAGAIN) {
        sc_reply_err(req, ret, err);
        return;
    }
    sc_reply_problem(req, 409, NULL, "%s", sc_err_text(err, ret));
    sc_reply_header(req, "Retry-After", "1");
}

static void start(sc_request *req)
{
    sc_app *app = sc_request_app(req);
    struct view *view = sc_new(struct view);
    sc_err err = {0};
    view->timers = sc_request_timers(req);
    view->pool = sc_app_pool(app);
    view->out = sc_stream_new(&(struct sc_stream_params){0});
    bool wide = !strcmp(sc_request_param(req, "view"), "wide");
    int ret =
        sc_streams_view(sc_app_streams(app), sc_request_param(req, "id"),
                        wide ? SC_LIVE_WIDE : SC_LIVE_SHOWN, &view->viewer, take, view, &err);
    if (ret) {
        sc_stream_unref(&view->out);
        free(view);
        reply_failure(req, ret, &err);
        return;
    }
    sc_timers_hold(view->timers);
    sc_reply_stream(req, 200, "multipart/x-mixed-replace; boundary=" BOUNDARY,
                    sc_stream_ref(view->out), -1);
    sc_reply_header(req, "Cache-Control", "no-store");
    sc_reply_header(req, "X-Accel-Buffering", "no");
    sc_timers_at(view->timers, sc_clock_now() + LOOK_NS, look, view);
}

static void mjpeg(sc_request *req)
{
    struct sc_streams_status status;
    if (!sc_api_streams_get(req, false, &status))
        return;
    sc_streams_status_release(&status);
    if (sc_request_is_head(req))
        sc_reply_empty(req, 200);
    else
        start(req);
}

static const sc_param params[] = {
    SC_ROW_STREAM_ID,
    {"view", SC_IN_QUERY, SC_PARAM_CHOICE, .choices = "shown|wide", .value = "shown",
     .help = "`wide`: where the stream has a `camera`, all that it has to choose from, small, "
             "with boxes and the edges of what is shown"},
    {0},
};
static const sc_response_row responses[] = {
    {200, "multipart/x-mixed-replace", NULL,
     "JPEG pictures as they are made; it ends when the stream ends or is started again"},
    {400, "application/problem+json", NULL, "the wide view of a stream without a camera"},
    {404, "application/problem+json", NULL, "no such stream"},
    {409, "application/problem+json", NULL, "it is not running; see Retry-After"},
    {0},
};
const sc_endpoint sc_get_live_mjpeg = {
    .method = "GET",
    .path = "/api/v1/streams/{id}/stream.mjpeg",
    .tag = "streams",
    .summary = "Watch a live stream as MJPEG",
    .help = "With boxes where the stream has `overlay`. A slow client skips pictures. Each "
            "picture's part has `X-Frame-Number` and `X-Frame-Time`. The wide view is at most "
            "480 pixels on a side and 8 pictures a second.",
    .params = params,
    .responses = responses,
    .handle = mjpeg,
};
