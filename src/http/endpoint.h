// Endpoints as typed rows: the router, parameter checks, OpenAPI and the readable docs all
// derive from them.
//
// An endpoint is one `const sc_endpoint` in a file of http/api/. Its parameter and answer rows
// are arrays that end with an empty row. A body is JSON or text of one type (collected, then
// handle() runs), or streamed: begin() sees the headers, data() gets the bytes, handle() runs at the end.
//
// Thread-safety: immutable.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sc_request sc_request;

enum sc_param_in { SC_IN_QUERY, SC_IN_PATH };

enum sc_param_type {
    SC_PARAM_STRING,  // at most max bytes (0 = 255)
    SC_PARAM_INT,     // in [min, max]
    SC_PARAM_NUM,     // in [min, max]
    SC_PARAM_BOOL,    // true|false|1|0
    SC_PARAM_DECIMAL, // decimal text, 0 or more, kept as text so that it stays exact
    SC_PARAM_CHOICE,  // one of choices, "a|b|c"
};

typedef struct sc_param {
    const char *name;
    enum sc_param_in in;
    enum sc_param_type type;
    double min, max;
    const char *choices;
    const char *value; // default as text, NULL = none
    bool required;
    const char *help;
} sc_param;

#define SC_PARAMS_MAX 16 // rows an endpoint may have

enum sc_body_kind {
    SC_BODY_NONE,
    SC_BODY_JSON,
    SC_BODY_TEXT, // of the type body_mime, which must be named: 415 else
    SC_BODY_STREAM,
};

typedef struct sc_response_row {
    int status;
    const char *mime;
    const char *schema; // JSON Schema as JSON text, NULL = none
    const char *help;
} sc_response_row;

enum sc_endpoint_flags {
    SC_ENDPOINT_PUBLIC = 1,   // answered without a token
    SC_ENDPOINT_FALLBACK = 2, // for a GET that no other row matches; handle() may say 404
    SC_ENDPOINT_HIDDEN = 4,   // not in OpenAPI
    SC_ENDPOINT_CORS = 8,     // pages of any origin may use its path
};

typedef struct sc_endpoint {
    const char *method; // "GET" also answers HEAD
    const char *path;   // "/api/v1/videos/{id}/frame"
    const char *tag, *summary, *help;
    const sc_param *params; // NULL = none
    enum sc_body_kind body;
    int64_t max_body;        // bytes; 0 = the option max-body, or no limit here (stream)
    const char *body_mime;   // for the docs; of a text, what it must be
    const char *body_schema; // JSON Schema as JSON text
    const sc_response_row *responses;
    int flags;
    // Runs on an I/O thread and must not block: replies, or defers (http/request.h).
    void (*handle)(sc_request *req);
    // Streamed bodies only. begin: before the first byte; may reply, the body is then dropped.
    void (*begin)(sc_request *req);
    // Takes up to size bytes; fewer than size only after sc_request_defer().
    size_t (*data)(sc_request *req, const char *data, size_t size);
} sc_endpoint;
