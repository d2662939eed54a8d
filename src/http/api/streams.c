// POST and GET /api/v1/streams, GET and DELETE /api/v1/streams/{id}: live streams as resources.
#include "http/api/streams.h"

#include <string.h>

#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/model.h"
#include "http/api/video.h"

// --- making -------------------------------------------------------------------------------

void sc_api_stream_fail(sc_request *req, int ret, const sc_err *err)
{
    if (!strcmp(err->field, "model"))
        sc_api_reply_model(req, ret, err);
    else if (ret == SC_EUNSUPPORTED)
        sc_reply_problem(req, 422, err->field, "%s", sc_err_text(err, ret));
    else if (ret == SC_ECANCELLED)
        sc_reply_problem(req, 503, NULL, "%s", sc_err_text(err, ret));
    else
        sc_reply_err(req, ret, err);
}

void sc_api_stream_reply(sc_request *req, int status_code, const char *id)
{
    struct sc_streams_status status;
    sc_streams *streams = sc_app_streams(sc_request_app(req));
    if (sc_streams_get(streams, id, false, &status)) {
        sc_reply_problem(req, 410, NULL, "the stream was deleted meanwhile");
        return;
    }
    sc_reply_json(req, status_code, sc_api_stream_json(sc_request_app(req), &status));
    sc_reply_headerf(req, "Location", "/api/v1/streams/%s", id);
    sc_streams_status_release(&status);
}

json_t *sc_api_json_body(sc_request *req)
{
    size_t size;
    json_error_t error;
    const char *body = sc_request_body(req, &size);
    json_t *json = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        sc_reply_problem(req, 400, "body", "not valid JSON: line %d column %d: %s", error.line,
                         error.column, error.text);
    return json;
}

static void add_work(sc_request *req)
{
    char id[65];
    sc_err err = {0};
    json_t *spec = sc_api_json_body(req);
    if (!spec)
        return;
    int ret = sc_streams_add(sc_app_streams(sc_request_app(req)), spec, id, &err);
    json_decref(spec);
    if (ret)
        sc_api_stream_fail(req, ret, &err);
    else
        sc_api_stream_reply(req, 201, id);
}

static void add(sc_request *req)
{
    sc_request_run(req, add_work);
}

static const sc_response_row add_responses[] = {
    {201, "application/json", SC_STREAM_SCHEMA,
     "it is stored and starts; Location names it. Whether its source is there is told by its "
     "state"},
    {400, "application/problem+json", NULL,
     "what is asked for makes no sense; field says what"},
    {403, "application/problem+json", NULL, "a file that streams may not use"},
    {404, "application/problem+json", NULL, "no such video, file or model; field says which"},
    {409, "application/problem+json", NULL, "the id is taken, or the model failed to load"},
    {422, "application/problem+json", NULL, "this machine has no such encoder or container"},
    {501, "application/problem+json", NULL, "no model, or nothing to run one"},
    {503, "application/problem+json", NULL,
     "as many streams as streams-max allows, or the model is being loaded"},
    {0},
};
const sc_endpoint sc_add_stream = {
    .method = "POST",
    .path = "/api/v1/streams",
    .tag = "streams",
    .summary = "Start a live stream",
    .help =
        "`input`: rtsp, rtsps, rtmp, rtmps, srt, udp, http, https (HLS too), `testsrc:`, "
        "`whip:` (somebody publishes into it by WebRTC), `video:ID` for a stored video, or a "
        "file below the folder of the option "
        "`streams-files`. `outputs`: rtmp, rtmps, srt, rtsp, udp, or such a file (.mp4, .mkv, "
        ".webm, .ts, or .m3u8 for HLS), which is written anew at each start. `model` finds "
        "things (\"\" is the default one); `track`, `overlay` and `camera` need it. `camera`: "
        "`follow` (classes by +, \"action\", \"track:7\"), `aspect` (\"9:16\"), `zoom`, "
        "`ahead`. `clock` draws one that programs read, to measure delays. `delay`: seconds "
        "that a picture waits for its detections. `restart`: "
        "on-failure (default), always or never, with pauses of 1 s to a minute, at most "
        "`max_restarts` (10) within an hour. The stream is stored: it is back when the server "
        "is started again, unless it has ended.",
    .body = SC_BODY_JSON,
    .max_body = 64 << 10,
    .body_schema = "{\"type\":\"object\",\"required\":[\"input\"],\"additionalProperties\":"
                   "false,\"properties\":{" SC_STREAM_FIELDS "}}",
    .responses = add_responses,
    .handle = add,
};

// --- looking ------------------------------------------------------------------------------

static void list(sc_request *req)
{
    sc_streams *streams = sc_app_streams(sc_request_app(req));
    int limit = (int)sc_request_int(req, "limit");
    char(*ids)[65] = sc_xcalloc(SC_STREAMS_LIST, sizeof(*ids));
    int count = sc_streams_list(streams, sc_request_param(req, "cursor"), limit, ids);
    json_t *array = json_array();
    for (int i = 0; i < count; i++) {
        struct sc_streams_status status;
        if (sc_streams_get(streams, ids[i], false, &status))
            continue; // went meanwhile
        json_array_append_new(array, sc_api_stream_json(sc_request_app(req), &status));
        sc_streams_status_release(&status);
    }
    json_t *next = count == limit ? json_string(ids[count - 1]) : json_null();
    free(ids);
    sc_reply_json(req, 200, json_pack("{s:o, s:o}", "streams", array, "next", next));
    sc_reply_header(req, "Cache-Control", "no-store");
}

static const sc_param list_params[] = {
    SC_ROW_LIMIT(SC_STREAMS_LIST),
    SC_ROW_CURSOR,
    {0},
};
static const sc_response_row list_responses[] = {
    {200, "application/json",
     "{\"type\":\"object\",\"properties\":{\"streams\":{\"type\":\"array\","
     "\"items\":" SC_STREAM_SCHEMA "},\"next\":{\"type\":[\"string\",\"null\"]}}}",
     "a page, by id; `next` is null on the last one"},
    {0},
};
const sc_endpoint sc_list_streams = {
    .method = "GET",
    .path = "/api/v1/streams",
    .tag = "streams",
    .summary = "List live streams",
    .help = "Paged by cursor.",
    .params = list_params,
    .responses = list_responses,
    .handle = list,
};

static void get(sc_request *req)
{
    struct sc_streams_status status;
    if (!sc_api_streams_get(req, false, &status))
        return;
    sc_reply_json(req, 200, sc_api_stream_json(sc_request_app(req), &status));
    sc_reply_header(req, "Cache-Control", "no-store");
    sc_streams_status_release(&status);
}

static const sc_param params[] = {SC_ROW_STREAM_ID, {0}};
static const sc_response_row responses[] = {
    {200, "application/json", SC_STREAM_SCHEMA, "the stream; secrets in addresses are ***"},
    {404, "application/problem+json", NULL, "no such stream"},
    {0},
};
const sc_endpoint sc_get_live = {
    .method = "GET",
    .path = "/api/v1/streams/{id}",
    .tag = "streams",
    .summary = "One live stream",
    .help =
        "`state`: starting (connecting, or its model is being loaded), running, reconnecting "
        "(the source was lost), waiting (to be started again, in `retry_in` seconds), "
        "stopping, ended, failed (for good). `reason` says why.",
    .params = params,
    .responses = responses,
    .handle = get,
};

// --- removing -----------------------------------------------------------------------------

static void delete_work(sc_request *req)
{
    const char *id = sc_request_param(req, "id");
    int ret = sc_streams_delete(sc_app_streams(sc_request_app(req)), id);
    if (ret == SC_ENOTFOUND)
        sc_reply_problem(req, 404, "id", "there is no stream %s", id);
    else if (ret)
        sc_reply_err(req, ret, NULL);
    else
        sc_reply_empty(req, 204);
}

static void delete (sc_request *req)
{
    struct sc_streams_status status;
    if (!sc_api_streams_get(req, false, &status))
        return;
    sc_streams_status_release(&status);
    sc_request_run(req, delete_work);
}

static const sc_response_row delete_responses[] = {
    {204, NULL, NULL, "it has ended; what was encoded is written"},
    {404, "application/problem+json", NULL, "no such stream"},
    {0},
};
const sc_endpoint sc_delete_stream = {
    .method = "DELETE",
    .path = "/api/v1/streams/{id}",
    .tag = "streams",
    .summary = "End a live stream",
    .help = "Files that it wrote stay.",
    .params = params,
    .responses = delete_responses,
    .handle = delete,
};
