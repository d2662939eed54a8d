#include "http/api/webrtc.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

// --- failures -----------------------------------------------------------------------------

bool sc_api_webrtc_available(sc_app *app)
{
    struct sc_webrtc_info info = {0};
    if (sc_app_webrtc(app))
        sc_webrtc_get_info(sc_app_webrtc(app), &info);
    return info.available;
}

static int status_of(int ret, const sc_err *err)
{
    switch (ret) {
    case SC_EUNSUPPORTED:
        return strcmp(err->field, "webrtc") ? 422 : 501;
    case SC_EAGAIN:
    case SC_EEXISTS:
        return 409;
    case SC_ESTALE:
        return 412;
    case SC_ENOTFOUND:
        return 404;
    case SC_EARG:
        return 400;
    case SC_EBUSY:
    case SC_ETIMEOUT:
    case SC_ENOMEM:
    case SC_ECANCELLED:
        return 503;
    default:
        return 500;
    }
}

void sc_api_webrtc_fail(sc_request *req, int ret, const sc_err *err)
{
    int status = status_of(ret, err);
    sc_reply_problem(req, status, err->field, "%s", sc_err_text(err, ret));
    if (status == 409)
        sc_reply_header(req, "Retry-After", "1"); // problems of 503 have it
}

bool sc_api_webrtc_need(sc_request *req)
{
    if (sc_app_webrtc(sc_request_app(req)))
        return true;
    sc_reply_problem(req, 501, "webrtc", "WebRTC is off (option webrtc)");
    return false;
}

// --- answers ------------------------------------------------------------------------------

// As it is: small, and read by clients that unpack nothing. text is taken over.
static void reply_sdp(sc_request *req, int status, const char *mime, char *text)
{
    sc_buf *buf = sc_buf_wrap(text, strlen(text), NULL);
    if (buf) {
        sc_reply_buf(req, status, mime, buf);
    } else {
        free(text);
        sc_reply_err(req, SC_ENOMEM, NULL);
    }
    sc_buf_unref(&buf);
    sc_reply_header(req, "Cache-Control", "no-store");
}

static void reply_answer(sc_request *req, const char *kind, struct sc_webrtc_answer *answer)
{
    const char *const *links = sc_webrtc_links(sc_app_webrtc(sc_request_app(req)));
    char *sdp = answer->sdp;
    answer->sdp = NULL;
    reply_sdp(req, 201, SC_API_SDP, sdp);
    sc_reply_headerf(req, "Location", "/api/v1/streams/%s/%s/%s", sc_request_param(req, "id"),
                     kind, answer->session);
    sc_reply_headerf(req, "ETag", "\"%s\"", answer->etag);
    sc_reply_header(req, "Accept-Patch", SC_API_FRAGMENT);
    for (; links && *links; links++)
        sc_reply_header(req, "Link", *links);
}

typedef int (*offer_fn)(sc_webrtc *webrtc, const char *stream, const char *offer, size_t size,
                        struct sc_webrtc_answer *answer, sc_err *err);

static void offer(sc_request *req, const char *kind, offer_fn take)
{
    struct sc_webrtc_answer answer = {0};
    size_t size;
    sc_err err = {0};
    const char *body = sc_request_body(req, &size);
    int ret = take(sc_app_webrtc(sc_request_app(req)), sc_request_param(req, "id"), body, size,
                   &answer, &err);
    if (ret)
        sc_api_webrtc_fail(req, ret, &err);
    else
        reply_answer(req, kind, &answer);
    sc_webrtc_answer_release(&answer);
}

static void watch_work(sc_request *req)
{
    offer(req, "whep", sc_webrtc_watch);
}

static void publish_work(sc_request *req)
{
    offer(req, "whip", sc_webrtc_publish);
}

void sc_api_whep_post(sc_request *req)
{
    if (sc_api_webrtc_need(req))
        sc_request_run(req, watch_work);
}

void sc_api_whip_post(sc_request *req)
{
    if (sc_api_webrtc_need(req))
        sc_request_run(req, publish_work);
}

// --- candidates, restarts -----------------------------------------------------------------

// What If-Match names, without quotes; too long a name matches nothing.
static void read_etag(const char *header, char *etag, size_t size)
{
    size_t length = strlen(header);
    if (length >= 2 && header[0] == '"' && header[length - 1] == '"')
        snprintf(etag, size, "%.*s", (int)(length < size ? length - 2 : 0), header + 1);
    else
        snprintf(etag, size, "%s", strcmp(header, "*") ? "" : "*");
}

static struct sc_webrtc_name name_of(const sc_request *req, enum sc_webrtc_kind kind)
{
    return (struct sc_webrtc_name){.kind = kind,
                                   .stream = sc_request_param(req, "id"),
                                   .session = sc_request_param(req, "session")};
}

static void patch(sc_request *req, enum sc_webrtc_kind kind)
{
    const struct sc_webrtc_name name = name_of(req, kind);
    char etag[40], new_etag[17] = "", *answer = NULL;
    size_t size;
    sc_err err = {0};
    const char *body = sc_request_body(req, &size);
    read_etag(sc_request_header(req, "If-Match"), etag, sizeof(etag));
    int ret = sc_webrtc_trickle(sc_app_webrtc(sc_request_app(req)), &name, etag, body, size,
                                &answer, new_etag, &err);
    if (ret) {
        sc_api_webrtc_fail(req, ret, &err);
    } else if (answer) {
        reply_sdp(req, 200, SC_API_FRAGMENT, answer);
        sc_reply_headerf(req, "ETag", "\"%s\"", new_etag);
    } else {
        sc_reply_empty(req, 204);
    }
}

static void patch_watched(sc_request *req)
{
    patch(req, SC_WEBRTC_WHEP);
}

static void patch_published(sc_request *req)
{
    patch(req, SC_WEBRTC_WHIP);
}

static void run_patch(sc_request *req, void (*work)(sc_request *req))
{
    if (!sc_api_webrtc_need(req))
        return;
    if (sc_request_header(req, "If-Match"))
        sc_request_run(req, work);
    else
        sc_reply_problem(req, 428, "If-Match",
                         "send the ETag of the session as If-Match, or * for an ICE restart");
}

void sc_api_whep_patch(sc_request *req)
{
    run_patch(req, patch_watched);
}

void sc_api_whip_patch(sc_request *req)
{
    run_patch(req, patch_published);
}

// --- ends ---------------------------------------------------------------------------------

static void end(sc_request *req, enum sc_webrtc_kind kind)
{
    sc_err err = {0};
    const struct sc_webrtc_name name = name_of(req, kind);
    int ret = sc_webrtc_end(sc_app_webrtc(sc_request_app(req)), &name);
    if (ret == SC_ENOTFOUND)
        sc_reply_problem(req, 404, "session", "there is no such session, or it has ended");
    else if (ret)
        sc_api_webrtc_fail(req, ret, &err);
    else
        sc_reply_empty(req, 200);
}

static void end_watched(sc_request *req)
{
    end(req, SC_WEBRTC_WHEP);
}

static void end_published(sc_request *req)
{
    end(req, SC_WEBRTC_WHIP);
}

void sc_api_whep_delete(sc_request *req)
{
    if (sc_api_webrtc_need(req))
        sc_request_run(req, end_watched);
}

void sc_api_whip_delete(sc_request *req)
{
    if (sc_api_webrtc_need(req))
        sc_request_run(req, end_published);
}

// --- rows ---------------------------------------------------------------------------------

const sc_param sc_api_session_params[] = {
    SC_ROW_STREAM_ID,
    {"session", SC_IN_PATH, SC_PARAM_STRING, .max = 64, .required = true,
     .help = "as the Location of the POST has it"},
    {0},
};
const sc_response_row sc_api_patch_responses[] = {
    {200, SC_API_FRAGMENT, "{\"type\":\"string\"}",
     "ICE was restarted: the server's new credentials and its candidates; ETag is the new one"},
    {204, NULL, NULL, "the candidates are taken; those that make no sense are left out"},
    {400, "application/problem+json", NULL,
     "no such fragment can be, or a restart without new credentials; the session goes on"},
    {404, "application/problem+json", NULL, "no such session"},
    {409, "application/problem+json", NULL, "ICE is being restarted; see Retry-After"},
    {412, "application/problem+json", NULL, "ICE was restarted since; see ETag of that answer"},
    {415, "application/problem+json", NULL, "it is no " SC_API_FRAGMENT},
    {422, "application/problem+json", NULL, "ICE cannot be restarted; the session goes on"},
    {428, "application/problem+json", NULL, "If-Match is missing"},
    {501, "application/problem+json", NULL, "WebRTC is off here, or GStreamer is missing"},
    {0},
};
const sc_response_row sc_api_end_responses[] = {
    {200, NULL, NULL, "it has ended"},
    {404, "application/problem+json", NULL, "no such session, or it has ended already"},
    {501, "application/problem+json", NULL, "WebRTC is off here"},
    {0},
};
