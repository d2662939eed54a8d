// POST /api/v1/videos, and the two paths that existing clients upload to.
#include "http/api/endpoints.h"
#include "http/api/uploader.h"
#include "http/api/video.h"

static void reply_resource(sc_request *req, sc_video *video)
{
    struct sc_video_info info;
    sc_video_get_info(video, &info);
    sc_reply_json(req, 201, sc_api_video_json(video));
    sc_reply_headerf(req, "Location", "/api/v1/videos/%s", info.id);
}

static void reply_compat(sc_request *req, sc_video *video)
{
    sc_reply_json(req, 200, sc_api_compat_json(video));
}

static void begin(sc_request *req, const char *field, void (*reply)(sc_request *, sc_video *))
{
    struct sc_uploader_params params = {.field = field,
                                        .id = sc_request_param(req, "id"),
                                        .name = sc_request_param(req, "name"),
                                        .reply = reply};
    sc_uploader_begin(req, &params);
}

static void begin_resource(sc_request *req)
{
    begin(req, "file", reply_resource);
}

static void begin_gpu(sc_request *req)
{
    begin(req, "file", reply_compat);
}

static void begin_v1(sc_request *req)
{
    begin(req, "video", reply_compat);
}

static const sc_param params[] = {
    {"id", SC_IN_QUERY, SC_PARAM_STRING, .max = 255,
     .help = "the id it shall have, [A-Za-z0-9_-]{1,64}; a random one if none is given"},
    {"name", SC_IN_QUERY, SC_PARAM_STRING, .max = 255, .help = "the file's name"},
    {0},
};

#define FORM_SCHEMA(field)                                                                     \
    "{\"type\":\"object\",\"required\":[\"" field "\"],\"properties\":{\"id\":{\"type\":"      \
    "\"string\"},\"" field "\":{\"type\":\"string\",\"format\":\"binary\"}}}"

static const sc_response_row resource_responses[] = {
    {201, "application/json", "{\"type\":\"object\"}",
     "stored durably and indexed; the body is the video, Location its address"},
    {409, "application/problem+json", NULL, "the id is taken"},
    {413, "application/problem+json", NULL, "larger than max-upload"},
    {415, "application/problem+json", NULL,
     "no decoder for this codec, or a wrong Content-Type"},
    {422, "application/problem+json", NULL, "not a video, or damaged beyond use"},
    {507, "application/problem+json", NULL, "the disk is full; nothing was kept"},
    {0},
};
const sc_endpoint sc_upload_video = {
    .method = "POST",
    .path = "/api/v1/videos",
    .tag = "videos",
    .summary = "Upload a video",
    .help = "The file itself as the body, or a form with the field file and an optional id. A "
            "half upload leaves nothing behind.",
    .params = params,
    .body = SC_BODY_STREAM,
    .body_mime = "video/*|application/octet-stream|multipart/form-data",
    .responses = resource_responses,
    .begin = begin_resource,
    .data = sc_body_data,
    .handle = sc_body_finish,
};

static const sc_response_row compat_responses[] = {
    {200, "application/json",
     "{\"type\":\"object\",\"required\":[\"status\",\"id\"],\"properties\":{\"status\":{"
     "\"const\":"
     "\"success\"},\"id\":{\"type\":\"string\"},\"fps\":{\"type\":\"number\"},\"duration\":{"
     "\"type\":\"number\"},\"total_frames\":{\"type\":\"integer\"},\"resolution\":{\"type\":"
     "\"string\"},\"index_size\":{\"type\":\"integer\"},\"index_time\":{\"type\":\"string\"},"
     "\"gpu_enabled\":{\"type\":\"boolean\"},\"device\":{\"type\":\"string\"}}}",
     "stored durably and indexed"},
    {409, "application/problem+json", NULL, "the id is taken"},
    {422, "application/problem+json", NULL, "not a video, or damaged beyond use"},
    {507, "application/problem+json", NULL, "the disk is full; nothing was kept"},
    {0},
};
const sc_endpoint sc_upload_gpu = {
    .method = "POST",
    .path = "/api/gpu/video/upload",
    .tag = "compatible",
    .summary = "Upload a video (form)",
    .help = "A form with the fields id (optional) and file.",
    .params = params,
    .body = SC_BODY_STREAM,
    .body_mime = "multipart/form-data",
    .body_schema = FORM_SCHEMA("file"),
    .responses = compat_responses,
    .begin = begin_gpu,
    .data = sc_body_data,
    .handle = sc_body_finish,
};
const sc_endpoint sc_upload_v1 = {
    .method = "POST",
    .path = "/api/v1/videos/upload",
    .tag = "compatible",
    .summary = "Upload a video (form)",
    .help = "A form with the fields id (optional) and video.",
    .params = params,
    .body = SC_BODY_STREAM,
    .body_mime = "multipart/form-data",
    .body_schema = FORM_SCHEMA("video"),
    .responses = compat_responses,
    .begin = begin_v1,
    .data = sc_body_data,
    .handle = sc_body_finish,
};
