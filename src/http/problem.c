#include "http/problem.h"

#include <string.h>

#include "base/mem.h"

static const struct row {
    int status;
    const char *title, *kind, *help;
} rows[] = {
    {400, "Bad Request", "bad-request", "a parameter or field is wrong; `field` names it"},
    {401, "Unauthorized", "unauthorized", "the bearer token is missing or wrong"},
    {403, "Forbidden", "forbidden", "the server may not do this"},
    {404, "Not Found", "not-found", "no such path, video or model"},
    {405, "Method Not Allowed", "method-not-allowed", "the `Allow` header lists the methods"},
    {408, "Request Timeout", "timeout", "the request came too slowly"},
    {409, "Conflict", "conflict", "the id is taken, or the model could not be loaded"},
    {410, "Gone", "gone", "the video was deleted while the request ran"},
    {411, "Length Required", "length-required", "a Content-Length is needed"},
    {412, "Precondition Failed", "precondition-failed",
     "it has changed since; ask for its `ETag`"},
    {413, "Content Too Large", "too-large", "the body is beyond a limit"},
    {415, "Unsupported Media Type", "unsupported", "no decoder or handler for this type"},
    {416, "Range Not Satisfiable", "out-of-range", "`detail` tells the valid range"},
    {422, "Unprocessable Content", "unprocessable",
     "the data is damaged, or not what it should be"},
    {428, "Precondition Required", "precondition-required", "send its `ETag` as `If-Match`"},
    {429, "Too Many Requests", "rate-limited",
     "too many requests, or the model's queue is full; wait for `Retry-After` seconds"},
    {431, "Request Header Fields Too Large", "header-too-large", "shorten the headers"},
    {500, "Internal Server Error", "internal", "our fault; the log has the request id"},
    {501, "Not Implemented", "not-implemented",
     "this server cannot do that; `detail` says what it lacks"},
    {503, "Service Unavailable", "busy", "wait for `Retry-After` seconds"},
    {507, "Insufficient Storage", "no-space",
     "the disk or the budget of models is full; nothing was kept"},
};

int sc_problem_status(int code)
{
    switch (code) {
    case SC_ENOTFOUND:
        return 404;
    case SC_EEXISTS:
    case SC_ESTALE:
        return 409;
    case SC_EARG:
    case SC_EEOF:
        return 400;
    case SC_ERANGE:
        return 416;
    case SC_ELIMIT:
        return 413;
    case SC_EDATA:
        return 422;
    case SC_EUNSUPPORTED:
        return 415;
    case SC_ENOSPACE:
        return 507;
    case SC_ECANCELLED:
        return 410;
    case SC_EDENIED:
        return 403;
    case SC_EBUSY:
    case SC_EAGAIN:
    case SC_ETIMEOUT:
    case SC_ENOMEM:
        return 503;
    default:
        return 500;
    }
}

static const struct row *find(int status)
{
    for (size_t i = 0; i < SC_COUNT(rows); i++) {
        if (rows[i].status == status)
            return &rows[i];
    }
    return NULL;
}

const char *sc_problem_title(int status)
{
    const struct row *row = find(status);
    return row ? row->title : "Unknown";
}

const char *sc_problem_kind(int status)
{
    const struct row *row = find(status);
    return row ? row->kind : "internal";
}

void sc_problem_print(sc_str *out, int status, const char *field, const char *detail,
                      const char *request_id)
{
    sc_str_addf(out,
                "{\"type\":\"/docs#problem-%s\",\"title\":\"%s\",\"status\":%d,\"detail\":",
                sc_problem_kind(status), sc_problem_title(status), status);
    sc_str_add_json(out, detail);
    if (field && field[0]) {
        sc_str_add(out, ",\"field\":");
        sc_str_add_json(out, field);
    }
    if (request_id) {
        sc_str_add(out, ",\"request_id\":");
        sc_str_add_json(out, request_id);
    }
    sc_str_add(out, "}\n");
}

bool sc_problem_row(int i, int *status, const char **kind, const char **help)
{
    if (i < 0 || (size_t)i >= SC_COUNT(rows))
        return false;
    *status = rows[i].status;
    *kind = rows[i].kind;
    *help = rows[i].help;
    return true;
}
