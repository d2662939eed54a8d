// POST /api/webrtc/start: a stored video as a stream that can be watched with WebRTC.
#include <string.h>

#include "http/api/endpoints.h"
#include "http/api/webrtc.h"

static void start_work(sc_request *req)
{
    char id[65];
    sc_err err = {0};
    json_t *spec = sc_api_json_body(req);
    if (!spec)
        return;
    int ret = sc_webrtc_start(sc_app_webrtc(sc_request_app(req)), spec, id, &err);
    json_decref(spec);
    if (ret == SC_EUNSUPPORTED && !strcmp(err.field, "webrtc"))
        sc_api_webrtc_fail(req, ret, &err);
    else if (ret)
        sc_api_stream_fail(req, ret, &err);
    else
        sc_api_stream_reply(req, 200, id);
}

static void start(sc_request *req)
{
    if (sc_api_webrtc_need(req))
        sc_request_run(req, start_work);
}

static const sc_response_row responses[] = {
    {200, "application/json", SC_STREAM_SCHEMA,
     "the stream; POST an offer to its `whep_url` to watch it"},
    {400, "application/problem+json", NULL,
     "what is asked for makes no sense; field says what"},
    {404, "application/problem+json", NULL, "no such video or model; field says which"},
    {501, "application/problem+json", NULL, "WebRTC is off here, or GStreamer is missing"},
    {503, "application/problem+json", NULL, "as many streams as streams-max allows"},
    {0},
};
const sc_endpoint sc_start_webrtc = {
    .method = "POST",
    .path = "/api/webrtc/start",
    .tag = "compatible",
    .summary = "Make a stored video a stream to be watched with WebRTC",
    .help = "The same video asked for in the same way is the same stream. It ends some time "
            "after its last viewer. Boxes are drawn with `inference_enabled`, unless `overlay` "
            "says "
            "no; they are told on the data channel in any case.",
    .body = SC_BODY_JSON,
    .max_body = 64 << 10,
    .body_schema =
        "{\"type\":\"object\",\"required\":[\"video_id\"],\"additionalProperties\":false,"
        "\"properties\":{\"video_id\":{\"type\":\"string\"},\"fps\":{\"type\":\"number\"},"
        "\"width\":{\"type\":\"integer\"},\"height\":{\"type\":\"integer\"},"
        "\"inference_enabled\":{\"type\":\"boolean\"},\"bitrate\":{\"type\":\"integer\"},"
        "\"quality\":{\"type\":\"integer\"},\"model\":{\"type\":\"string\"},"
        "\"threshold\":{\"type\":\"number\"},\"track\":{\"type\":\"boolean\"},"
        "\"overlay\":{\"type\":\"boolean\"},\"clock\":{\"type\":\"boolean\"}}}",
    .responses = responses,
    .handle = start,
};
