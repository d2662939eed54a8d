// What the files of a peer share. See peer.h for what it is.
//
//   peer.c           its life: open, close, state, stats
//   peer_negotiate.c offer in, answer out; the certificate
//   peer_ice.c       candidates, the restart of ICE
//   peer_media.c     caps of what is sent and received
//   peer_send.c      pictures and sound out, each packet at its time
//   peer_receive.c   pictures and sound in
//   peer_feedback.c  what the other side says: RTCP, transport-wide feedback
//   peer_channel.c   data channels
//   rtc.c            who is silent, who is being taken down
#pragma once

#include <gst/gst.h>
#define GST_USE_UNSTABLE_API // that is how webrtcbin is marked until this day
#include <gst/webrtc/webrtc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "rtc/packets.h"
#include "rtc/peer.h"
#include "rtc/repeat.h"

#define SC_RTC_CHANNELS 4 // data channels that a peer may open

struct sc_rtc {
    // Immutable after open.
    sc_log *log;
    int port_min, port_max;
    char *stun, *turn;
    int64_t silence_ns;
    char version[64];

    atomic_int refs; // the owner's, and one a pipeline that is being taken down: some never end
    pthread_t keeper;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    // Under lock.
    bool stopping, stopped;    // close has begun; the keeper is to end
    bool warm;                 // the first connection was made
    struct sc_rtc_peer *first; // open ones
    int open;
    struct sc_rtc_demolition *demolitions;
    int closing, left_behind;
    uint8_t associations[8192]; // a bit for each SCTP association in use
    int next_association;
};

// One medium that is sent.
struct sc_rtc_track {
    GstElement *source; // appsrc; NULL = not sent. The pipeline's
    struct sc_rtp_cutter cutter;
    bool begun;
    uint32_t timestamp; // of the last picture
};

struct sc_rtc_channel {
    GstWebRTCDataChannel *channel; // owned
    gulong signals[3];
};

struct sc_rtc_peer {
    // Immutable after open.
    sc_rtc *
        rtc; // borrowed; outlives the peer but for those left behind, which hold it by a demolition
    enum sc_rtc_role role;
    sc_rtc_offer offer; // with the sound rejected if there is to be none
    enum sc_rtc_codec codec;
    struct sc_rtc_events events;
    GstElement *pipeline, *webrtc;
    GstWebRTCRTPTransceiver *transceiver; // of the video
    GstWebRTCDTLSTransport *transport;
    guint ice_stream; // below it, of libnice's agent
    bool hidden;      // a first connection that warms up
    int association;  // SCTP's, of all in the process

    atomic_int refs;
    atomic_bool joined;           // ICE has found a way, once at least
    atomic_int_fast64_t heard_ns; // the last RTCP, or RTP of a publisher

    struct sc_rtc_peer *next; // under rtc->lock
    bool listed;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    // Under lock.
    bool closed;
    int inside; // callbacks that run
    enum sc_rtc_state state, told;
    bool telling;
    char reason[160]; // for GONE
    bool gathered;
    char ufrag[257]; // the other side's
    struct sc_rtc_track video, sound;
    int64_t pace;                    // bits a second
    int queued;                      // pictures that wait to be sent,
    size_t queued_bytes;             // and their bytes
    bool key_only;                   // what is no keyframe is left out
    struct sc_rtc_peer_stats counts; // the rest is filled in when asked
    struct sc_rtc_repeat repeat;     // of the pictures
    int64_t rate, estimate;          // sc_rtc_peer_set_link()
    bool shifted;                    // shift_ns is known
    int64_t shift_ns;                // from packets' times to the pipeline's
    struct sc_rtc_channel channels[SC_RTC_CHANNELS];
    int channel_count;
    GstPad *output;  // of rtpbin, until it was told its latency; owned
    GstElement *rtx; // sends again; owned
    GstPad
        *inputs[2]; // of webrtcbin, by enum sc_rtc_kind: where keyframes are asked for; owned
};

// --- peer.c

// False: the peer is closed, and nothing may be called. Else sc_rtc_peer_leave() when done.
bool sc_rtc_peer_enter(sc_rtc_peer *peer);
void sc_rtc_peer_leave(sc_rtc_peer *peer);
// Moves on and tells so. reason: for GONE. Going back is ignored.
void sc_rtc_peer_become(sc_rtc_peer *peer, enum sc_rtc_state state, const char *reason);
sc_rtc_peer *sc_rtc_peer_ref(sc_rtc_peer *peer);
void sc_rtc_peer_unref(sc_rtc_peer **ppeer);
// As sc_rtc_peer_open(), for the first connection too.
int sc_rtc_peer_make(sc_rtc *rtc, sc_rtc_peer **ppeer, char **answer,
                     const struct sc_rtc_peer_params *params, bool hidden, sc_err *err);
// What a demolition does: blocks, for ever if GStreamer does.
void sc_rtc_peer_demolish(sc_rtc_peer *peer);
// Reports a peer that has been silent for too long.
void sc_rtc_peer_check(sc_rtc_peer *peer, int64_t now_ns);

// Asks for the address that it is reached at, which is in the stats some time later.
void sc_rtc_peer_find_remote(sc_rtc_peer *peer);

// --- peer_negotiate.c

int sc_rtc_peer_negotiate(sc_rtc_peer *peer, int64_t until_ns, char **answer, sc_err *err);

// --- peer_ice.c

// Before negotiation.
void sc_rtc_peer_set_up_ice(sc_rtc_peer *peer);
// When the transport is known. SC_EUNSUPPORTED.
int sc_rtc_peer_find_stream(sc_rtc_peer *peer, sc_err *err);

// --- peer_media.c

// payload and extensions as offered; the rest is left at 0.
void sc_rtc_peer_fill_rtp(struct sc_rtp_params *rtp, const struct sc_rtc_media *media,
                          enum sc_rtc_codec codec);
// SSRC (0 = none) and extensions have to be in the caps: webrtcbin's answer lacks what it has not seen there, and
// browsers show black or send no feedback. The caller's.
GstCaps *sc_rtc_peer_make_caps(const struct sc_rtp_params *rtp);

// --- peer_send.c

// Before negotiation: sources and transceivers of what is sent.
int sc_rtc_peer_add_sources(sc_rtc_peer *peer, const struct sc_rtc_peer_params *params,
                            sc_err *err);

// Turns down what is not worth sending again. A probe.
GstPadProbeReturn sc_rtc_peer_judge_repeat(GstPad *pad, GstPadProbeInfo *info, gpointer arg);

// --- peer_receive.c

int sc_rtc_peer_add_sinks(sc_rtc_peer *peer, sc_err *err);

// --- peer_feedback.c

void sc_rtc_peer_hear(sc_rtc_peer *peer); // RTCP of the whole connection
GstPadProbeReturn sc_rtc_peer_take_event(GstPad *pad, GstPadProbeInfo *info, gpointer peer);

// --- peer_channel.c

void sc_rtc_peer_await_channels(sc_rtc_peer *peer);
void sc_rtc_peer_drop_channels(sc_rtc_peer *peer);

// --- rtc.c

// Blocks until the first connection was made, half a minute at most.
void sc_rtc_wait_till_warm(sc_rtc *rtc);
int sc_rtc_take_association(sc_rtc *rtc);
void sc_rtc_enlist(sc_rtc *rtc, sc_rtc_peer *peer);
// The caller's reference goes along.
void sc_rtc_retire(sc_rtc *rtc, sc_rtc_peer *peer);

// A condition that waits by sc_clock_now().
void sc_rtc_cond_init(pthread_cond_t *cond);
// False: the time is over.
bool sc_rtc_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns);
