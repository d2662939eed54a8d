// GET /: the web page and its files, from the binary itself. GET /webrtc: the viewer of a stream alone.
#include <string.h>

#include "http/api/endpoints.h"
#include "http/assets.h"
#include "http/range.h"
#include "http/request.h"

#define POLICY                                                                                 \
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "                 \
    "style-src 'self' 'unsafe-inline'"
#define VIEWER "/webrtc.html"

static const sc_asset *find(const char *path)
{
    if (!strcmp(path, "/"))
        path = "/index.html";
    else if (!strcmp(path, "/webrtc"))
        path = VIEWER;
    for (size_t i = 0; i < sc_asset_count; i++) {
        if (!strcmp(sc_assets[i].path, path))
            return &sc_assets[i];
    }
    return NULL;
}

static void page(sc_request *req)
{
    const sc_asset *asset = find(sc_request_path(req));
    if (!asset) {
        sc_reply_problem(req, 404, NULL, "there is nothing at this path");
        return;
    }
    bool packed = asset->gzip_size &&
                  sc_encoding_accepted(sc_request_header(req, "Accept-Encoding"), "gzip");
    const char *etag = packed ? asset->gzip_etag : asset->etag;
    if (!sc_reply_not_modified(req, etag)) {
        if (packed)
            sc_reply_static(req, 200, asset->mime, asset->gzip, asset->gzip_size);
        else
            sc_reply_static(req, 200, asset->mime, asset->data, asset->size);
        if (packed)
            sc_reply_header(req, "Content-Encoding", "gzip");
        sc_reply_header(req, "ETag", etag);
    }
    sc_reply_header(req, "Cache-Control", "no-cache");
    sc_reply_header(req, "Vary", "Accept-Encoding");
    sc_reply_header(req, "X-Content-Type-Options", "nosniff");
    // The viewer may stand in frames of other sites: there is nothing in it that a click could break.
    bool framed = !strcmp(asset->path, VIEWER);
    sc_reply_header(req, "Content-Security-Policy",
                    framed ? POLICY : POLICY "; frame-ancestors 'none'");
}

const sc_endpoint sc_get_page = {
    .method = "GET",
    .path = "/",
    .tag = "page",
    .summary = "The web page",
    .help = "",
    .flags = SC_ENDPOINT_PUBLIC | SC_ENDPOINT_FALLBACK,
    .handle = page,
};

// The page reads them itself.
static const sc_param viewer_params[] = {
    {"stream", SC_IN_QUERY, SC_PARAM_STRING, .max = 64, .help = "a live stream"},
    {"video", SC_IN_QUERY, SC_PARAM_STRING, .max = 64,
     .help = "a stored video, streamed while somebody watches"},
    {"boxes", SC_IN_QUERY, SC_PARAM_CHOICE, .choices = "on|off", .value = "on",
     .help = "whether there are boxes on the picture at first"},
    {0},
};
static const sc_response_row viewer_responses[] = {
    {200, "text/html", "{\"type\":\"string\"}", "the page"},
    {0},
};
const sc_endpoint sc_get_viewer = {
    .method = "GET",
    .path = "/webrtc",
    .tag = "page",
    .summary = "The player of a stream, alone",
    .help = "To be put into frames of other pages: `stream` or `video` says what it plays.",
    .params = viewer_params,
    .responses = viewer_responses,
    .flags = SC_ENDPOINT_PUBLIC,
    .handle = page,
};
