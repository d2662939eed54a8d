// GET /: the web page and its files, from the binary itself.
#include <string.h>

#include "http/api/endpoints.h"
#include "http/assets.h"
#include "http/range.h"
#include "http/request.h"

static const sc_asset *find(const char *path)
{
    if (!strcmp(path, "/"))
        path = "/index.html";
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
    sc_reply_header(req, "Content-Security-Policy",
                    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
                    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'");
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
