// WebRTC as users meet it: sessions by name, on streams by name.
//
// A session is a viewer of a stream (WHEP) or a stream's source (WHIP). It is named by an unguessable word, ends
// when it is deleted, when the other side goes, or when its stream ends, and is forgotten then.
//
// Stored videos are watched through streams that exist only as long as somebody watches: the same
// video asked for in the same way is the same stream.
//
// Thread-safety: Safe, except that close comes last.
#pragma once

#include <jansson.h>

#include "app/streams.h"

typedef struct sc_webrtc sc_webrtc;

// What sc_options_get(options, &sc_webrtc_options) points to.
struct sc_webrtc_settings {
    bool on;                // webrtc
    int64_t viewers;        // webrtc-viewers: in total
    int64_t stream_viewers; // webrtc-stream-viewers: of one stream
    char *ports;            // webrtc-ports: "40000-40100"; "" = any
    char *ice;         // webrtc-ice: "stun:host:port turn:user:password@host:port"; "" = none
    char *rungs;       // webrtc-rungs: "auto", or heights and rates: "720:2.5M 360:600k"
    int64_t linger_ns; // webrtc-linger: a video's stream outlives its last viewer by that
};
extern const sc_option_group sc_webrtc_options;

// The rungs of all streams as the option says, the highest first, VP8 last; their number. SC_EARG.
int sc_webrtc_rungs(const char *text, struct sc_live_rung rungs[SC_LIVE_RUNGS], sc_err *err);

struct sc_webrtc_params {
    const struct sc_webrtc_settings *settings; // borrowed, as all that follows
    const struct sc_live_rung *rungs;          // that the streams were opened with
    int rung_count;
    sc_log *log;
    sc_metrics *metrics;
    sc_pool *pool;
    sc_streams *streams;
};
// GStreamer is loaded in the background, when there is a stream that can be watched; where it is missing,
// watching fails with what to install. SC_EARG: an option makes no sense.
int sc_webrtc_open(sc_webrtc **pwebrtc, const struct sc_webrtc_params *params, sc_err *err);
// No new sessions; those there are end. Idempotent, never blocks.
void sc_webrtc_stop(sc_webrtc *webrtc);
// Waits for that. Before the streams and the pool are closed.
void sc_webrtc_close(sc_webrtc **pwebrtc);

struct sc_webrtc_answer {
    char session[33]; // for the Location
    char etag[17];    // without quotes
    char *sdp;        // to free()
};
void sc_webrtc_answer_release(struct sc_webrtc_answer *answer);

// Both block while candidates are gathered, five seconds at most.
// SC_EARG: malformed SDP (400). SC_EUNSUPPORTED: SDP that cannot be served (422). SC_ENOTFOUND: no such
// stream. SC_EAGAIN: it does not run, err says why (409). SC_EBUSY: too many viewers (503). SC_EEXISTS: the stream
// has a source already, or takes none (409). SC_EUNSUPPORTED with field "webrtc": WebRTC is off or GStreamer is missing (501). SC_ETIMEOUT.
int sc_webrtc_watch(sc_webrtc *webrtc, const char *stream, const char *offer, size_t size,
                    struct sc_webrtc_answer *answer, sc_err *err);
int sc_webrtc_publish(sc_webrtc *webrtc, const char *stream, const char *offer, size_t size,
                      struct sc_webrtc_answer *answer, sc_err *err);

// A session, as its address names it.
struct sc_webrtc_name {
    enum sc_webrtc_kind { SC_WEBRTC_WHEP, SC_WEBRTC_WHIP } kind;
    const char *stream, *session;
};
// A fragment of candidates, or an ICE restart (etag "*"). etag: what If-Match says, without quotes.
// *answer is NULL (204), or the fragment of a restart, to free(), with etag_out set (200). May block, briefly.
// SC_ENOTFOUND: no such session of that stream, or it is of the other kind. SC_ESTALE: another etag (412). Where these
// come the session goes on as it was: SC_EARG: malformed, or a restart without new credentials (400). SC_EAGAIN: it is being
// restarted (409). SC_EUNSUPPORTED: the restart failed (422).
int sc_webrtc_trickle(sc_webrtc *webrtc, const struct sc_webrtc_name *name, const char *etag,
                      const char *fragment, size_t size, char **answer, char etag_out[17],
                      sc_err *err);
// SC_ENOTFOUND.
int sc_webrtc_end(sc_webrtc *webrtc, const struct sc_webrtc_name *name);

// Link headers for the ICE servers, NULL-terminated: "<stun:host:port>; rel=\"ice-server\"". Immutable.
const char *const *sc_webrtc_links(const sc_webrtc *webrtc);

// POST /api/webrtc/start: makes or joins the stream of a stored video. spec: {"video_id", "inference_enabled", "model",
// "overlay"}, and what goes to the stream as it is: "fps", "width", "height", "bitrate", "quality", "track", "threshold",
// "clock". The stream's id. err has the field. SC_EARG,
// SC_ENOTFOUND (video), and what sc_streams_add() gives.
int sc_webrtc_start(sc_webrtc *webrtc, const json_t *spec, char id[65], sc_err *err);

// Viewers of a stream, for its stats: an array of
//   {"session": first 6 letters, "state", "remote", "rung", "width", "height", "bitrate" (estimate), "sent" (bits a
//    second), "loss", "rtt_ms", "queue_ms", "dropped", "nacks", "plis", "seconds"}
// A new reference; empty where there are none.
json_t *sc_webrtc_viewers_json(sc_webrtc *webrtc, const char *stream);

// Whether there is what WebRTC needs: loads it, and lets it go again. SC_EUNSUPPORTED: err says what is
// missing and how to get it.
int sc_webrtc_try(char version[64], sc_err *err);

struct sc_webrtc_info {
    bool available;
    char reason[200]; // why not
    int viewers;      // sessions that are open, publishers' too
    int64_t sessions; // so far
    int left_behind;
    char version[64];
};
void sc_webrtc_get_info(sc_webrtc *webrtc, struct sc_webrtc_info *info);
