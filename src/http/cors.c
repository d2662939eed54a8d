// Pages of other origins: what they may send and see on paths with SC_ENDPOINT_CORS.
//
// Credentials are no part of it: browsers send no cookies then, and a token is sent by whoever has it.
#include <string.h>

#include "http/http_internal.h"

void sc_cors_reply(sc_request *req)
{
    sc_reply_header(req, "Access-Control-Allow-Origin", "*");
    sc_reply_header(req, "Access-Control-Expose-Headers",
                    "Location, ETag, Link, Accept-Patch, Retry-After");
    if (strcmp(req->method, "OPTIONS"))
        return;
    // Of the whole resource: clients look here, on the path they POST to, whether candidates can be trickled.
    sc_reply_header(req, "Access-Control-Allow-Methods", "POST, PATCH, DELETE, OPTIONS");
    sc_reply_header(req, "Access-Control-Allow-Headers",
                    "Authorization, Content-Type, If-Match");
    sc_reply_header(req, "Access-Control-Max-Age", "3600");
}
