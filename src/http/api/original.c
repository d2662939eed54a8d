// GET /api/v1/videos/{id}/original: the file as it was uploaded, whole or in parts.
#include <stdio.h>
#include <string.h>

#include "http/api/endpoints.h"
#include "http/api/video.h"

// attachment; filename="..." with an ASCII name, and the real one as RFC 5987 has it.
static void add_disposition(sc_request *req, const char *id, const char *name)
{
    char plain[300], coded[256 * 3 + 1];
    size_t n = 0, k = 0;
    if (!name[0])
        name = id;
    for (const unsigned char *s = (const unsigned char *)name; *s; s++) {
        bool word = (*s >= '0' && *s <= '9') || ((*s | 32) >= 'a' && (*s | 32) <= 'z') ||
                    strchr("._-", *s);
        plain[n++] = word || *s == ' ' ? (char)*s : '_';
        k += (size_t)snprintf(coded + k, sizeof(coded) - k, word ? "%c" : "%%%02X", *s);
    }
    plain[n] = 0;
    char value[sizeof(plain) + sizeof(coded) + 64];
    snprintf(value, sizeof(value), "inline; filename=\"%s\"; filename*=UTF-8''%s", plain,
             coded);
    sc_reply_header(req, "Content-Disposition", value);
}

static void send_file(sc_request *req)
{
    sc_video *video = sc_api_video(req);
    if (!video)
        return;
    int fd;
    int64_t size;
    char etag[64];
    struct sc_video_info info;
    sc_video_get_info(video, &info);
    sc_index *index = sc_video_index(video);
    const struct sc_index_info *ix = sc_index_get_info(index);
    snprintf(etag, sizeof(etag), "\"%016llx%016llx\"", (unsigned long long)ix->content_hash[0],
             (unsigned long long)ix->content_hash[1]);
    int ret = sc_video_open_fd(video, &fd, &size);
    if (ret) {
        sc_reply_err(req, ret, NULL);
    } else {
        sc_reply_file(req, sc_api_video_mime(video), fd, size, etag);
        add_disposition(req, info.id, info.name);
        sc_reply_header(req, "Cache-Control", "private, no-cache");
        sc_reply_header(req, "X-Content-Type-Options", "nosniff");
    }
    sc_index_unref(&index);
    sc_video_unref(&video);
}

static void original(sc_request *req)
{
    sc_request_run(req, send_file);
}

static const sc_param params[] = {SC_ROW_ID, {0}};
static const sc_response_row responses[] = {
    {200, "video/*", NULL, "the file"},
    {206, "video/*", NULL, "the part that Range asks for"},
    {304, NULL, NULL, "If-None-Match holds its ETag"},
    {416, "application/problem+json", NULL, "the range is beyond the end"},
    {0},
};
const sc_endpoint sc_get_original = {
    .method = "GET",
    .path = "/api/v1/videos/{id}/original",
    .tag = "videos",
    .summary = "The file as uploaded",
    .help = "Takes a single Range.",
    .params = params,
    .responses = responses,
    .handle = original,
};
