// /api/v1/streams/{id}/whep: watching a live stream with WebRTC.
#include "http/api/endpoints.h"
#include "http/api/webrtc.h"

static const sc_param params[] = {SC_ROW_STREAM_ID, {0}};
static const sc_response_row responses[] = {
    {201, SC_API_SDP, "{\"type\":\"string\"}",
     "the answer, with all candidates; Location is the session, ETag its state, each Link an "
     "ICE server"},
    {400, "application/problem+json", NULL, "malformed SDP; detail says which line"},
    {404, "application/problem+json", NULL, "no such stream"},
    {409, "application/problem+json", NULL, "the stream is not running; see Retry-After"},
    {415, "application/problem+json", NULL, "it is no " SC_API_SDP},
    {422, "application/problem+json", NULL, "SDP that cannot be served; detail says why"},
    {501, "application/problem+json", NULL, "WebRTC is off here, or GStreamer is missing"},
    {503, "application/problem+json", NULL, "too many viewers; see Retry-After"},
    {0},
};
const sc_endpoint sc_post_whep = {
    .method = "POST",
    .path = "/api/v1/streams/{id}/whep",
    .tag = "streams",
    .summary = "Watch a live stream with WebRTC (WHEP)",
    .help = "The offer has one video, recvonly (H.264 or VP8), all media in one BUNDLE, and "
            "DTLS setup actpass. A data channel in it gets each picture's detections. The "
            "session ends by DELETE of its Location, or when nothing is heard of the viewer.",
    .params = params,
    .body = SC_BODY_TEXT,
    .max_body = SC_API_OFFER_MAX,
    .body_mime = SC_API_SDP,
    .body_schema = "{\"type\":\"string\"}",
    .responses = responses,
    .flags = SC_ENDPOINT_CORS,
    .handle = sc_api_whep_post,
};
const sc_endpoint sc_patch_whep = {
    .method = "PATCH",
    .path = "/api/v1/streams/{id}/whep/{session}",
    .tag = "streams",
    .summary = "Bring candidates of a viewer, or restart its ICE",
    .help = "If-Match is the session's ETag. With `*` and new a=ice-ufrag and a=ice-pwd ICE is "
            "restarted, for who has another address now: media and DTLS go on, and what the "
            "answer has takes the place of its like in the one of before.",
    .params = sc_api_session_params,
    .body = SC_BODY_TEXT,
    .max_body = SC_API_FRAGMENT_MAX,
    .body_mime = SC_API_FRAGMENT,
    .body_schema = "{\"type\":\"string\"}",
    .responses = sc_api_patch_responses,
    .flags = SC_ENDPOINT_CORS,
    .handle = sc_api_whep_patch,
};
const sc_endpoint sc_delete_whep = {
    .method = "DELETE",
    .path = "/api/v1/streams/{id}/whep/{session}",
    .tag = "streams",
    .summary = "End a viewer's session",
    .help = "Its media stop at once.",
    .params = sc_api_session_params,
    .responses = sc_api_end_responses,
    .flags = SC_ENDPOINT_CORS,
    .handle = sc_api_whep_delete,
};
