// GET .../detections: what a model finds, a line a frame, streamed as it is found.
#include <inttypes.h>

#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/model.h"
#include "http/api/scan.h"
#include "http/api/video.h"

#define PENDING_MAX (32 << 10) // unread bytes that stop the asking

// One answer; the scan's, which the stream holds.
struct lines {
    sc_scan *scan; // a reference of the stream's, dropped by its release
    sc_video *video;
    sc_instance *instance;
    sc_stream *stream; // a reference; NULL once it ended
    sc_stream *caller; // the same, good while it calls
    double threshold;
    int64_t from, every;
};

static int64_t frame(void *arg, size_t i)
{
    const struct lines *lines = arg;
    return lines->from + (int64_t)i * lines->every;
}

static bool ready(void *arg)
{
    const struct lines *lines = arg;
    return lines->stream && sc_stream_pending(lines->stream) < PENDING_MAX;
}

static void on_result(void *arg, size_t i, int ret, const sc_detections *found,
                      const sc_err *err)
{
    struct lines *lines = arg;
    sc_str text = {0};
    if (ret)
        sc_api_print_lost(&text, lines->video, frame(lines, i), ret, err);
    else
        sc_detections_report(&text, lines->video, frame(lines, i), lines->instance, found,
                             lines->threshold);
    sc_stream_write_copy(lines->stream, text.s, text.len);
    sc_str_release(&text);
}

static void on_end(void *arg, bool cancelled)
{
    struct lines *lines = arg;
    sc_stream_end(lines->stream, cancelled);
    sc_stream_unref(&lines->stream);
}

static void release_lines(void *arg)
{
    struct lines *lines = arg;
    sc_instance_unref(&lines->instance);
    sc_video_unref(&lines->video);
    free(lines);
}

// --- the stream ---------------------------------------------------------------------------

// The client has read everything, or is gone.
static void drained(void *arg)
{
    struct lines *lines = arg;
    if (sc_stream_gone(lines->caller))
        sc_scan_cancel(lines->scan);
    else
        sc_scan_pump(lines->scan);
}

static void release_stream(void *arg)
{
    struct lines *lines = arg;
    sc_scan *scan = lines->scan;
    sc_scan_unref(&scan);
}

static void start(sc_request *req, struct lines *lines, size_t count)
{
    sc_stream *stream =
        sc_stream_new(&(struct sc_stream_params){drained, lines, release_stream});
    lines->caller = stream;
    lines->stream = sc_stream_ref(stream);
    lines->scan = sc_scan_new(&(struct sc_scan_params){
        .app = sc_request_app(req),
        .timers = sc_request_timers(req),
        .video = lines->video,
        .instance = lines->instance,
        .frame = frame,
        .count = count,
        // Somebody looks at a single frame; many are counted.
        .priority = count > 1 ? SC_PRIORITY_JOB : SC_PRIORITY_INTERACTIVE,
        .patient = true,
        .ready = ready,
        .on_result = on_result,
        .on_end = on_end,
        .arg = lines,
        .release = release_lines,
    });
    sc_scan *scan = sc_scan_ref(lines->scan);
    sc_reply_stream(req, 200, "application/x-ndjson", stream, -1);
    sc_reply_header(req, "Cache-Control", "no-store");
    sc_reply_header(req, "X-Model", sc_instance_get_info(lines->instance)->name);
    sc_reply_header(req, "X-Provider", sc_instance_provider(lines->instance));
    sc_scan_pump(scan);
    sc_scan_unref(&scan);
}

// --- the endpoint -------------------------------------------------------------------------

// Which frames are asked for: from, up to but without to, each every-th.
static int find(sc_request *req, sc_video *video, struct lines *lines, size_t *count,
                sc_err *err)
{
    sc_index *index = sc_video_index(video);
    int64_t frames = sc_index_get_info(index)->frames;
    sc_index_unref(&index);
    lines->from = sc_request_int(req, "from");
    lines->every = sc_request_int(req, "every");
    int64_t to = sc_request_given(req, "to") ? sc_request_int(req, "to") : frames;
    if (lines->from >= frames)
        return sc_fail_field(err, SC_ERANGE, "from", "valid is 0 <= from <= %" PRId64,
                             frames - 1);
    if (to > frames)
        return sc_fail_field(err, SC_ERANGE, "to", "valid is from < to <= %" PRId64, frames);
    if (to <= lines->from)
        return sc_fail_field(err, SC_EARG, "to",
                             "to is the frame after the last one, so it is above from");
    *count = (size_t)((to - lines->from + lines->every - 1) / lines->every);
    return 0;
}

static void detections(sc_request *req)
{
    struct lines lines = {0};
    size_t count = 0;
    sc_err err = {0};
    lines.video = sc_api_video(req);
    if (!lines.video)
        return;
    int ret = find(req, lines.video, &lines, &count, &err);
    if (ret) {
        sc_reply_err(req, ret, &err);
    } else if (sc_api_instance(req, sc_request_param(req, "model"), &lines.instance)) {
        lines.threshold = sc_api_threshold(req, lines.instance);
        if (sc_request_is_head(req)) {
            sc_reply_empty(req, 200);
        } else {
            struct lines *own = sc_new(struct lines);
            *own = lines;
            start(req, own, count);
            return;
        }
    }
    sc_instance_unref(&lines.instance);
    sc_video_unref(&lines.video);
}

static const sc_param params[] = {
    SC_ROW_ID,
    {"from", SC_IN_QUERY, SC_PARAM_INT, 0, 9e15, .value = "0", .help = "first frame number"},
    {"to", SC_IN_QUERY, SC_PARAM_INT, 0, 9e15,
     .help = "number of the frame after the last one; the video's end if not given"},
    {"every", SC_IN_QUERY, SC_PARAM_INT, 1, 9e15, .value = "1",
     .help = "each so-many-th frame"},
    SC_ROW_MODEL,
    SC_ROW_THRESHOLD,
    {0},
};
static const sc_response_row responses[] = {
    {200, "application/x-ndjson",
     "{\"type\":\"object\",\"required\":[\"n\",\"t\"],\"properties\":{\"n\":{\"type\":"
     "\"integer\"},\"t\":{\"type\":\"number\"},\"width\":{\"type\":\"integer\"},"
     "\"height\":{\"type\":\"integer\"},\"model\":{\"type\":\"string\"},\"detections\":{"
     "\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"class\":{\"type\":"
     "\"integer\"},\"label\":{\"type\":\"string\"},\"score\":{\"type\":\"number\"},\"box\":{"
     "\"type\":\"array\",\"items\":{\"type\":\"number\"},\"minItems\":4,\"maxItems\":4}}}},"
     "\"error\":{\"$ref\":\"#/components/schemas/Problem\"}}}",
     "a JSON line a frame, in order, as they are found; box is x1, y1, x2, y2 in pixels of the "
     "displayed picture; a frame that cannot be decoded has `error` in place of `detections`"},
    {404, "application/problem+json", NULL, "no such video or model"},
    {409, "application/problem+json", NULL, "the model could not be loaded; detail says why"},
    {416, "application/problem+json", NULL, "beyond the end; detail tells the valid range"},
    {501, "application/problem+json", NULL, "no model, or nothing to run one"},
    {503, "application/problem+json", NULL, "the model is being loaded"},
    {0},
};
const sc_endpoint sc_get_detections = {
    .method = "GET",
    .path = "/api/v1/videos/{id}/detections",
    .tag = "models",
    .summary = "What a model finds in each frame",
    .help =
        "Whoever was cut off goes on with from = the last n + every. A slow reader slows only "
        "this answer; requests for single frames go before it. It ends on the model that it "
        "began with.",
    .params = params,
    .responses = responses,
    .handle = detections,
};
