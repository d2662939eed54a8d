// GET /openapi.json, /docs: the API told by its own rows.
#include "http/api/api.h"
#include "http/api/endpoints.h"
#include "http/openapi.h"
#include "http/request.h"

static void openapi(sc_request *req)
{
    sc_str text = {0};
    size_t size;
    const char *json = sc_request_openapi(req, &size);
    sc_str_addn(&text, json, size);
    sc_reply_text(req, 200, "application/json", &text);
}

static const sc_response_row openapi_responses[] = {
    {200, "application/json", "{\"type\":\"object\"}", "OpenAPI 3.1"},
    {0},
};
const sc_endpoint sc_get_openapi = {
    .method = "GET",
    .path = "/openapi.json",
    .tag = "docs",
    .summary = "This API as OpenAPI 3.1",
    .help = "",
    .responses = openapi_responses,
    .flags = SC_ENDPOINT_PUBLIC,
    .handle = openapi,
};

static void docs(sc_request *req)
{
    sc_str text = {0};
    sc_openapi_print_html(&text, sc_api_table);
    sc_reply_text(req, 200, "text/html; charset=utf-8", &text);
}

static const sc_response_row docs_responses[] = {
    {200, "text/html", "{\"type\":\"string\"}", "the page"},
    {0},
};
const sc_endpoint sc_get_docs = {
    .method = "GET",
    .path = "/docs",
    .tag = "docs",
    .summary = "This API as a readable page",
    .help = "",
    .responses = docs_responses,
    .flags = SC_ENDPOINT_PUBLIC,
    .handle = docs,
};
