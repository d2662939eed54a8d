// What the files of sc_webrtc share: sessions (webrtc_sessions.c, webrtc_publish.c), the thread that tends them (webrtc.c), streams
// of stored videos (webrtc_start.c), options (webrtc_options.c).
#pragma once

#include <pthread.h>

#include "app/webrtc.h"
#include "media/live_inlet.h"
#include "rtc/hub.h"

#define SC_WEBRTC_START_WAIT_NS (3 * SC_NS_PER_S) // for a stream that is about to run

// A stream that is watched.
struct sc_webrtc_watched {
    // Immutable.
    sc_webrtc *webrtc;
    char stream[65];
    sc_rtc_hub *hub;
    // Under webrtc->lock.
    int users; // sessions, and those on their way
    struct sc_webrtc_watched *next;
};

struct sc_webrtc_session {
    // Immutable once it is listed.
    sc_webrtc *webrtc;
    char id[33];
    char stream[65];
    sc_rtc_offer *offer;
    struct sc_webrtc_watched *watched; // of a viewer
    sc_rtc_viewer *viewer;             // likewise
    sc_rtc_peer *publisher;            // else
    sc_live_inlet *inlet;              // where its packets go; a reference
    int64_t opened_ns;
    // Under webrtc->lock.
    char etag[17];
    int busy;        // calls under way that use it
    bool restarting; // one of them restarts ICE
    bool ending;     // it is deleted, or its stream has ended
    bool gone;       // its peer has
    char reason[160];
    // The thread's, for rates.
    int64_t seen_bytes, seen_ns;
    double bits; // a second. Under lock
    struct sc_webrtc_session *next;
};

// A stream that exists because somebody watches a stored video.
struct sc_webrtc_passing {
    char stream[65];
    int64_t unused_ns; // since when nobody watches
    struct sc_webrtc_passing *next;
};

struct sc_webrtc {
    // Immutable after open.
    const struct sc_webrtc_settings *settings;
    struct sc_live_rung rungs[SC_LIVE_RUNGS];
    int rung_count;
    sc_log *log;
    sc_pool *pool;
    sc_streams *streams;
    int port_min, port_max;
    char *stun, *turn; // as GStreamer writes them; NULL = none
    char *links[3];    // for clients; NULL-terminated
    sc_gauge *viewers_gauge;
    sc_counter *sessions_total, *bytes_total;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; // never held over a call that blocks
    pthread_cond_t wake;  // of the thread
    pthread_cond_t done;  // sessions ended; the engine was loaded
    // Under lock.
    sc_rtc *rtc; // NULL = not loaded
    bool wanted; // it is to be loaded
    bool tried;  // it was; rtc or load_err say how that went
    sc_err load_err;
    struct sc_webrtc_watched *watched;
    struct sc_webrtc_session *sessions;
    struct sc_webrtc_passing *passing;
    int viewers;   // sessions, and those on their way
    int64_t count; // of sessions so far
    bool poked, closing, quit;
};

// webrtc_sessions.c: what watching and publishing share.

// A place among all sessions. SC_EBUSY, SC_ECANCELLED.
int sc_webrtc_take_place(sc_webrtc *webrtc, sc_err *err);
void sc_webrtc_leave_place(sc_webrtc *webrtc);
// Takes the offer over. Never NULL.
struct sc_webrtc_session *sc_webrtc_session_new(sc_webrtc *webrtc, const char *stream,
                                                sc_rtc_offer *offer);
void sc_webrtc_session_free(struct sc_webrtc_session *session);
// The thread may end it from now on.
void sc_webrtc_session_list(struct sc_webrtc_session *session, struct sc_webrtc_answer *answer);
void sc_webrtc_session_gone(struct sc_webrtc_session *session, const char *reason);

// Under lock.
void sc_webrtc_poke(sc_webrtc *webrtc);
// The engine, loaded where it was not; blocks for that. SC_EUNSUPPORTED with field "webrtc".
int sc_webrtc_engine(sc_webrtc *webrtc, sc_rtc **prtc, sc_err *err);
// Ends what is to end, brings figures up to date. The thread's.
void sc_webrtc_reap(sc_webrtc *webrtc);
// Every second: sessions of streams that are over end, streams that nobody watches go. The thread's.
void sc_webrtc_check(sc_webrtc *webrtc);
// Deletes those that nobody has watched for a while. The thread's.
void sc_webrtc_expire(sc_webrtc *webrtc);

// webrtc_options.c. SC_EARG.
int sc_webrtc_settle(sc_webrtc *webrtc, sc_err *err);
