// GET /api/v1/streams/{id}/hls/{file}: a running stream as HLS, from memory.
//
// A request for what is about to come waits in app/casts.h; there may be as many as it holds.
#include <string.h>

#include "app/casts.h"
#include "http/api/endpoints.h"
#include "http/api/streams.h"

static const char *type_of(const char *file)
{
    const char *ending = strrchr(file, '.');
    if (ending && !strcmp(ending, ".m3u8"))
        return "application/vnd.apple.mpegurl";
    return ending && !strcmp(ending, ".mp4") ? "video/mp4" : "video/iso.segment";
}

static void fail(sc_request *req, int ret, const sc_err *err)
{
    if (ret == SC_EAGAIN)
        sc_reply_problem(req, 409, NULL, "%s", sc_err_text(err, ret));
    else if (ret == SC_ECANCELLED)
        sc_reply_problem(req, 503, NULL, "%s", sc_err_text(err, ret));
    else
        sc_reply_err(req, ret, err);
    if (ret == SC_EAGAIN || ret == SC_ETIMEOUT)
        sc_reply_header(req, "Retry-After", "1");
    sc_reply_header(req, "Cache-Control", "no-store");
}

static void answer(void *arg, int ret, sc_buf *body, const sc_err *err)
{
    sc_request *req = arg;
    const char *file = sc_request_param(req, "file");
    bool playlist = !strcmp(file, SC_CASTS_PLAYLIST);
    if (ret < 0) {
        fail(req, ret, err);
    } else {
        sc_reply_buf(req, 200, type_of(file), body);
        // All but the playlist is never written again under its name.
        sc_reply_header(req, "Cache-Control", playlist ? "no-store" : "private, max-age=60");
    }
    sc_request_resume(req);
}

static void hls(sc_request *req)
{
    struct sc_streams_status status;
    const struct sc_casts_query query = {
        .stream = sc_request_param(req, "id"),
        .file = sc_request_param(req, "file"),
        .segment = sc_request_given(req, "_HLS_msn") ? sc_request_int(req, "_HLS_msn") : -1,
        .part = sc_request_given(req, "_HLS_part") ? sc_request_int(req, "_HLS_part") : -1,
    };
    if (!sc_api_streams_get(req, false, &status))
        return;
    sc_streams_status_release(&status);
    if (query.part >= 0 && query.segment < 0) {
        sc_reply_problem(req, 400, "_HLS_part", "_HLS_part needs _HLS_msn");
        return;
    }
    sc_request_defer(req);
    sc_casts_get(sc_app_casts(sc_request_app(req)), &query, answer, req);
}

static const sc_param params[] = {
    SC_ROW_STREAM_ID,
    {"file", SC_IN_PATH, SC_PARAM_STRING, .max = 63, .required = true,
     .help = "`index.m3u8`, or what that names"},
    {"_HLS_msn", SC_IN_QUERY, SC_PARAM_INT, .min = 0, .max = 2147483647,
     .help = "wait until the playlist has this segment"},
    {"_HLS_part", SC_IN_QUERY, SC_PARAM_INT, .min = 0, .max = 2147483647,
     .help = "or this part of it, counted from 0"},
    {0},
};
static const sc_response_row responses[] = {
    {200, "application/vnd.apple.mpegurl", NULL, "the playlist, with parts (RFC 8216bis)"},
    {200, "video/mp4", NULL, "fragmented MP4: the header, a segment, or a part"},
    {400, "application/problem+json", NULL,
     "what is asked for is more than two segments ahead"},
    {404, "application/problem+json", NULL, "no such stream or file, or not any more"},
    {409, "application/problem+json", NULL, "it is not running; see Retry-After"},
    {503, "application/problem+json", NULL, "no picture came in time, or too many wait"},
    {0},
};
const sc_endpoint sc_get_live_hls = {
    .method = "GET",
    .path = "/api/v1/streams/{id}/hls/{file}",
    .tag = "streams",
    .summary = "Watch a live stream as HLS",
    .help =
        "Low latency HLS of what is shown: made from the first request for "
        "`index.m3u8` until half a minute after the last one. Requests for what is about to "
        "come are held until it is there.",
    .params = params,
    .responses = responses,
    .handle = hls,
};
