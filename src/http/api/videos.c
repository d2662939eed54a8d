// GET /api/v1/videos, GET and DELETE /api/v1/videos/{id}.
#include "http/api/endpoints.h"
#include "http/api/video.h"

#define LIST_MAX 1000

#define VIDEO_SCHEMA                                                                           \
    "{\"type\":\"object\",\"required\":[\"id\",\"frames\",\"duration\"],\"properties\":{"      \
    "\"id\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"                             \
    "\"size\":{\"type\":\"integer\"},\"created\":{\"type\":\"string\",\"format\":"             \
    "\"date-time\"},\"duration\":{\"type\":\"number\"},\"frames\":{\"type\":\"integer\"},"     \
    "\"fps\":{\"type\":\"number\"},\"variable_rate\":{\"type\":\"boolean\"},"                  \
    "\"width\":{\"type\":\"integer\"},\"height\":{\"type\":\"integer\"},"                      \
    "\"codec\":{\"type\":\"string\"},\"format\":{\"type\":\"string\"},"                        \
    "\"pix_fmt\":{\"type\":\"string\"},\"rotation\":{\"type\":\"integer\"},"                   \
    "\"has_audio\":{\"type\":\"boolean\"},\"hdr\":{\"type\":\"boolean\"},"                     \
    "\"gops\":{\"type\":\"integer\"},\"verdict\":{\"enum\":[\"none\",\"exact\",\"differs\"]}," \
    "\"index_seconds\":{\"type\":\"number\"},\"mime\":{\"type\":\"string\"}}}"

static void list(sc_request *req)
{
    sc_video *videos[LIST_MAX];
    int limit = (int)sc_request_int(req, "limit");
    int count = sc_videos_list(sc_app_videos(sc_request_app(req)),
                               sc_request_param(req, "cursor"), limit, videos);
    json_t *array = json_array(), *next = json_null();
    for (int i = 0; i < count; i++) {
        struct sc_video_info info;
        json_array_append_new(array, sc_api_video_json(videos[i]));
        sc_video_get_info(videos[i], &info);
        if (i == limit - 1)
            next = json_string(info.id);
        sc_video_unref(&videos[i]);
    }
    sc_reply_json(req, 200, json_pack("{s:o, s:o}", "videos", array, "next", next));
    sc_reply_header(req, "Cache-Control", "no-cache");
}

static const sc_param list_params[] = {
    SC_ROW_LIMIT(LIST_MAX),
    SC_ROW_CURSOR,
    {0},
};
static const sc_response_row list_responses[] = {
    {200, "application/json",
     "{\"type\":\"object\",\"properties\":{\"videos\":{\"type\":\"array\","
     "\"items\":" VIDEO_SCHEMA "},\"next\":{\"type\":[\"string\",\"null\"]}}}",
     "a page, by id; `next` is null on the last one"},
    {0},
};
const sc_endpoint sc_list_videos = {
    .method = "GET",
    .path = "/api/v1/videos",
    .tag = "videos",
    .summary = "List videos",
    .help = "Paged by cursor.",
    .params = list_params,
    .responses = list_responses,
    .handle = list,
};

static void get(sc_request *req)
{
    sc_video *video = sc_api_video(req);
    if (!video)
        return;
    sc_reply_json(req, 200, sc_api_video_json(video));
    sc_reply_header(req, "Cache-Control", "no-cache");
    sc_video_unref(&video);
}

static const sc_param id_params[] = {SC_ROW_ID, {0}};
static const sc_response_row get_responses[] = {
    {200, "application/json", VIDEO_SCHEMA, "the video"},
    {0},
};
const sc_endpoint sc_get_video = {
    .method = "GET",
    .path = "/api/v1/videos/{id}",
    .tag = "videos",
    .summary = "One video",
    .help = "",
    .params = id_params,
    .responses = get_responses,
    .handle = get,
};

static void delete_work(sc_request *req)
{
    const char *id = sc_request_param(req, "id");
    int ret = sc_videos_delete(sc_app_videos(sc_request_app(req)), id);
    if (ret == SC_ENOTFOUND)
        sc_reply_problem(req, 404, "id", "there is no video %s", id);
    else if (ret)
        sc_reply_err(req, ret, NULL);
    else
        sc_reply_empty(req, 204);
}

static void delete (sc_request *req)
{
    sc_video *video = sc_api_video(req);
    if (!video)
        return;
    sc_video_unref(&video);
    sc_request_run(req, delete_work);
}

static const sc_response_row delete_responses[] = {
    {204, NULL, NULL, "gone, with its file and index"},
    {0},
};
const sc_endpoint sc_delete_video = {
    .method = "DELETE",
    .path = "/api/v1/videos/{id}",
    .tag = "videos",
    .summary = "Delete a video",
    .help = "Requests under way end with their frame or 410.",
    .params = id_params,
    .responses = delete_responses,
    .handle = delete,
};
