#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/gzip.h"
#include "http/http_internal.h"
#include "http/problem.h"
#include "http/range.h"
#include "http/stream_internal.h"

#define GZIP_MIN     1024
#define STREAM_BLOCK (64 << 10)

void sc_reply_drop(sc_request *req)
{
    if (req->reply)
        MHD_destroy_response(req->reply);
    req->reply = NULL;
}

static void set(sc_request *req, int status, const char *mime, struct MHD_Response *reply,
                int64_t bytes)
{
    if (!reply) { // out of memory: the connection is cut when queueing fails
        status = 503;
        bytes = 0;
        reply = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    sc_reply_drop(req);
    req->reply = reply;
    req->status = status;
    req->reply_bytes = bytes;
    if (mime)
        sc_reply_header(req, "Content-Type", mime);
}

void sc_reply_header(sc_request *req, const char *name, const char *value)
{
    if (req->reply && value) // MHD refuses line breaks
        MHD_add_response_header(req->reply, name, value);
}

void sc_reply_headerf(sc_request *req, const char *name, const char *fmt, ...)
{
    char value[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    sc_reply_header(req, name, value);
}

void sc_reply_empty(sc_request *req, int status)
{
    set(req, status, NULL, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), 0);
}

void sc_reply_static(sc_request *req, int status, const char *mime, const void *data,
                     size_t size)
{
    set(req, status, mime,
        MHD_create_response_from_buffer(size, (void *)data, MHD_RESPMEM_PERSISTENT),
        (int64_t)size);
}

static void release_buf(void *arg)
{
    sc_buf *buf = arg;
    sc_buf_unref(&buf);
}

void sc_reply_buf(sc_request *req, int status, const char *mime, sc_buf *buf)
{
    struct MHD_Response *reply = MHD_create_response_from_buffer_with_free_callback_cls(
        buf->size, buf->data, release_buf, sc_buf_ref(buf));
    if (!reply)
        release_buf(buf);
    set(req, status, mime, reply, (int64_t)buf->size);
}

static bool reply_gzip(sc_request *req, int status, const char *mime, const sc_str *text)
{
    if (text->len < GZIP_MIN ||
        !sc_encoding_accepted(sc_request_header(req, "Accept-Encoding"), "gzip"))
        return false;
    sc_buf *packed = sc_gzip(text->s, text->len);
    if (!packed)
        return false;
    sc_reply_buf(req, status, mime, packed);
    sc_reply_header(req, "Content-Encoding", "gzip");
    sc_buf_unref(&packed);
    return true;
}

void sc_reply_text(sc_request *req, int status, const char *mime, sc_str *text)
{
    size_t size = text->len;
    if (reply_gzip(req, status, mime, text)) {
        sc_str_release(text);
    } else {
        char *data = sc_str_detach(text);
        set(req, status, mime,
            MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE), (int64_t)size);
    }
    sc_reply_header(req, "Vary", "Accept-Encoding");
}

static int append(const char *data, size_t size, void *arg)
{
    sc_str_addn(arg, data, size);
    return 0;
}

void sc_reply_json(sc_request *req, int status, json_t *json)
{
    sc_str text = {0};
    json_dump_callback(json, append, &text,
                       JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    sc_str_addc(&text, '\n');
    json_decref(json);
    sc_reply_text(req, status, "application/json", &text);
}

static void problem(sc_request *req, int status, const char *field, const char *detail)
{
    sc_str text = {0};
    sc_problem_print(&text, status, field, detail, req->id);
    size_t size = text.len;
    set(req, status, "application/problem+json",
        MHD_create_response_from_buffer(size, sc_str_detach(&text), MHD_RESPMEM_MUST_FREE),
        (int64_t)size);
    if (status == 503)
        sc_reply_header(req, "Retry-After", "1");
}

void sc_reply_problem(sc_request *req, int status, const char *field, const char *fmt, ...)
{
    char detail[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    problem(req, status, field, detail);
}

void sc_reply_err(sc_request *req, int ret, const sc_err *err)
{
    problem(req, sc_problem_status(ret), err ? err->field : NULL, sc_err_text(err, ret));
}

bool sc_reply_not_modified(sc_request *req, const char *etag)
{
    if (!sc_etag_listed(sc_request_header(req, "If-None-Match"), etag))
        return false;
    sc_reply_empty(req, 304);
    sc_reply_header(req, "ETag", etag);
    return true;
}

static void reply_part(sc_request *req, const char *mime, int fd, int64_t first, int64_t last,
                       int64_t size, bool whole)
{
    int64_t bytes = last - first + 1;
    struct MHD_Response *reply =
        MHD_create_response_from_fd_at_offset64((uint64_t)bytes, fd, (uint64_t)first);
    if (!reply)
        close(fd);
    set(req, whole ? 200 : 206, mime, reply, bytes);
    if (!whole)
        sc_reply_headerf(req, "Content-Range", "bytes %lld-%lld/%lld", (long long)first,
                         (long long)last, (long long)size);
}

void sc_reply_file(sc_request *req, const char *mime, int fd, int64_t size, const char *etag)
{
    int64_t first = 0, last = size - 1;
    const char *range = sc_request_header(req, "Range");
    const char *if_range = sc_request_header(req, "If-Range");
    if (if_range && (!etag || strcmp(if_range, etag)))
        range = NULL;
    if (etag && sc_reply_not_modified(req, etag)) {
        close(fd);
        return;
    }
    enum sc_range_kind kind = sc_range_parse(range, size, &first, &last);
    if (kind == SC_RANGE_BAD) {
        close(fd);
        sc_reply_problem(req, 416, "Range", "the file has %lld bytes", (long long)size);
        sc_reply_headerf(req, "Content-Range", "bytes */%lld", (long long)size);
        return;
    }
    if (kind == SC_RANGE_WHOLE)
        first = 0, last = size - 1;
    reply_part(req, mime, fd, first, last, size, kind == SC_RANGE_WHOLE);
    sc_reply_header(req, "Accept-Ranges", "bytes");
    if (etag)
        sc_reply_header(req, "ETag", etag);
}

void sc_reply_stream(sc_request *req, int status, const char *mime, sc_stream *stream,
                     int64_t size)
{
    sc_stream_attach(stream, req->conn);
    struct MHD_Response *reply = MHD_create_response_from_callback(
        size < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)size, STREAM_BLOCK, sc_stream_read, stream,
        sc_stream_detach);
    if (!reply)
        sc_stream_detach(stream);
    set(req, status, mime, reply, size);
}
