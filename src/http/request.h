// What a handler sees of a request, and how it replies.
//
// A handler runs on an I/O thread. It replies at once, or it defers:
//
//   sc_request_defer(req);                     // before the work is started
//   start_something(..., on_done, req);
//   ... on_done, any thread: sc_reply_json(req, ...); sc_request_resume(req);
//
// sc_request_run() does this for work that blocks. A reply may be made on any thread by
// whoever owns the request then; making a second one replaces the first.
//
// Thread-safety: a request belongs to the handler until deferred, then to whoever will resume
// it; sc_request_resume() gives it up.
#pragma once

#include <jansson.h>

#include "app/videos.h"
#include "http/endpoint.h"
#include "http/stream.h"

// --- what was asked -----------------------------------------------------------------------

sc_app *sc_request_app(sc_request *req);
const sc_endpoint *sc_request_endpoint(const sc_request *req);
const char *sc_request_id(const sc_request *req);   // of this request
const char *sc_request_path(const sc_request *req); // as sent, without the query

// A parameter's text: as given, else its default, else NULL. The name must be a row's.
const char *sc_request_param(const sc_request *req, const char *name);
bool sc_request_given(const sc_request *req, const char *name);
int64_t sc_request_int(const sc_request *req, const char *name); // 0 when there is none
double sc_request_num(const sc_request *req, const char *name);
bool sc_request_bool(const sc_request *req, const char *name);
int sc_request_choice(const sc_request *req, const char *name); // index, 0 when there is none

const char *sc_request_header(const sc_request *req, const char *name); // NULL if absent
int64_t sc_request_content_length(const sc_request *req);               // -1 unknown
// The collected body (JSON or text), NUL-terminated.
const char *sc_request_body(const sc_request *req, size_t *size);
bool sc_request_is_head(const sc_request *req);
int64_t sc_request_start_ns(const sc_request *req); // monotonic

// The handler's own state, freed with the request (also when the client is gone).
void sc_request_set_state(sc_request *req, void *state, void (*release)(void *state));
void *sc_request_state(const sc_request *req);

// --- deferring ----------------------------------------------------------------------------

void sc_request_defer(sc_request *req);  // on the I/O thread, within a handler or data()
void sc_request_resume(sc_request *req); // on any thread, exactly once a defer
// As resume, but then() runs on the I/O thread first and may reply, or defer again.
void sc_request_resume_with(sc_request *req, void (*then)(sc_request *req));
// Defers and runs work on the app's pool; replies 503 itself when the pool is full.
void sc_request_run(sc_request *req, void (*work)(sc_request *req));

// --- replies ------------------------------------------------------------------------------

// A problem document for a result code.
void sc_reply_err(sc_request *req, int ret, const sc_err *err);
// A problem document for an HTTP status. field may be NULL.
void sc_reply_problem(sc_request *req, int status, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// Steals the reference to json. gzip is used if the client takes it and it is worth it.
void sc_reply_json(sc_request *req, int status, json_t *json);
// Takes text over (it is empty afterwards); mime is a constant.
void sc_reply_text(sc_request *req, int status, const char *mime, sc_str *text);
void sc_reply_empty(sc_request *req, int status);
// Shares buf (takes its own reference).
void sc_reply_buf(sc_request *req, int status, const char *mime, sc_buf *buf);
// Bytes that live as long as the program.
void sc_reply_static(sc_request *req, int status, const char *mime, const void *data,
                     size_t size);
// The file, or the part that Range asks for (206, 416); fd is taken over in every case.
void sc_reply_file(sc_request *req, const char *mime, int fd, int64_t size, const char *etag);
// What is written to stream; takes over the caller's reference. size -1 = unknown (chunked).
void sc_reply_stream(sc_request *req, int status, const char *mime, sc_stream *stream,
                     int64_t size);
// Adds a header to the reply that was made. Line breaks in value make it vanish.
void sc_reply_header(sc_request *req, const char *name, const char *value);
void sc_reply_headerf(sc_request *req, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Does If-None-Match hold this ETag? Then 304 was replied.
bool sc_reply_not_modified(sc_request *req, const char *etag);

// --- the server ---------------------------------------------------------------------------

typedef struct sc_timers sc_timers;
struct sc_http_stats {
    uint64_t requests;
    int active, connections;
};
sc_timers *sc_request_timers(sc_request *req);
void sc_request_server_stats(sc_request *req, struct sc_http_stats *stats);
const char *sc_request_openapi(sc_request *req, size_t *size); // JSON text
