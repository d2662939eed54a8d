// What WHEP and WHIP share: an offer in, an answer out, and the life of the session that it makes.
//
// Both are what RFC 9725 and draft-ietf-wish-whep say: POST makes a session, PATCH brings candidates or restarts ICE,
// DELETE ends it. Pages of other origins may do all that (SC_ENDPOINT_CORS); only their preflights need no token.
#pragma once

#include "app/webrtc.h"
#include "http/api/streams.h"
#include "http/request.h"

#define SC_API_OFFER_MAX    (64 << 10) // bytes; browsers send some 6 kB
#define SC_API_FRAGMENT_MAX (16 << 10)
#define SC_API_SDP          "application/sdp"
#define SC_API_FRAGMENT     "application/trickle-ice-sdpfrag"

// Can streams be watched with WebRTC here?
bool sc_api_webrtc_available(sc_app *app);
// False: there are no sessions to be asked, and a problem was replied.
bool sc_api_webrtc_need(sc_request *req);

// A problem document for what app/webrtc.h gives.
void sc_api_webrtc_fail(sc_request *req, int ret, const sc_err *err);

// Handlers of the rows in whep.c and whip.c.
void sc_api_whep_post(sc_request *req);
void sc_api_whip_post(sc_request *req);
void sc_api_whep_patch(sc_request *req);
void sc_api_whip_patch(sc_request *req);
void sc_api_whep_delete(sc_request *req);
void sc_api_whip_delete(sc_request *req);

// Rows and answers of both.
extern const sc_param sc_api_session_params[];
extern const sc_response_row sc_api_patch_responses[], sc_api_end_responses[];
