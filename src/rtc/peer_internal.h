// What the files of a peer share. See peer.h for what it is.
//
//   peer.c           its life: open, close, state, stats
//   peer_negotiate.c offer in, answer out; the certificate
//   peer_ice.c       candidates, the restart of ICE
//   peer_media.c     caps of what is sent and received
//   peer_send.c      pictures and sound out, each packet at its time
//   peer_repeat.c    what the viewer misses, once more
//   peer_wire.c      packets and reports, encrypted, past webrtcbin
//   peer_receive.c   pictures and sound in
//   peer_feedback.c  what the other side says: RTCP, transport-wide feedback
//   peer_channel.c   data channels
//   sender.c         the threads by which packets leave
//   rtc.c            who is silent, who is being taken down
#pragma once

#include <gst/gst.h>
#define GST_USE_UNSTABLE_API // that is how webrtcbin is marked until this day
#include <gst/webrtc/webrtc.h>
#include <nice/agent.h>
#include <pthread.h>
#include <stdatomic.h>

#include "rtc/packets.h"
#include "rtc/peer.h"
#include "rtc/repeat.h"
#include "rtc/rtcp.h"
#include "rtc/sender.h"
#include "rtc/srtp.h"
#include "rtc/twcc.h"

#define SC_RTC_CHANNELS 4 // data channels that a peer may open
#define SC_RTC_SENDERS  8 // threads, at most
#define SC_RTC_QUEUE    40 // pictures, and pieces of sound: what one gets who joins, and some more
#define SC_RTC_PICTURES 64                 // that can be sent again
#define SC_RTC_MISSED   256                // packets that wait to be sent again
#define SC_RTC_BATCH    8                  // packets that go to libnice at once
#define SC_RTC_SLACK_NS (SC_NS_PER_MS / 4) // waits below it are not worth it

struct sc_rtc {
    // Immutable after open.
    sc_log *log;
    int port_min, port_max;
    char *stun, *turn;
    int64_t silence_ns;
    char version[64];
    sc_rtc_sender *senders[SC_RTC_SENDERS];
    int sender_count;

    atomic_int refs; // the owner's, and one a pipeline that is being taken down: some never end
    pthread_t keeper;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    // Under lock.
    bool stopping, stopped; // close has begun; the keeper is to end
    bool warm;              // the first connection was made
    int next_sender;
    struct sc_rtc_peer *first; // open ones
    int open;
    struct sc_rtc_demolition *demolitions;
    int closing, left_behind;
    uint8_t associations[8192]; // a bit for each SCTP association in use
    int next_association;
};

// One medium that is sent. The sender's but for what is immutable.
struct sc_rtc_track {
    bool used;                   // immutable
    int rate;                    // of its RTP clock; immutable
    struct sc_rtp_cutter cutter; // its params are immutable
    bool begun;
    uint32_t timestamp; // of the last picture
    int64_t pts_ns;
    uint32_t packets, bytes; // sent: what reports say
};

// What waits to be sent.
struct sc_rtc_item {
    sc_packet *packet; // owned
    uint32_t timestamp;
    int64_t since_ns;
};
struct sc_rtc_queue {
    struct sc_rtc_item items[SC_RTC_QUEUE]; // a ring
    int first, count;                       // with the one that is being sent
    size_t bytes;
};

// A packet that is to leave, with room for what it grows by.
struct sc_rtc_parcel {
    size_t size;
    uint8_t data[SC_RTP_PACKET_MAX + SC_RTP_RTX_EXTRA + SC_SRTP_EXTRA];
};
struct sc_rtc_parcels {
    struct sc_rtc_parcel *all; // owned
    int count, room;
};

// What leaves now.
struct sc_rtc_sending {
    struct sc_rtc_track *track; // NULL = nothing
    bool key;
    size_t bytes; // of the encoded picture
    struct sc_rtc_parcels parcels;
    int gone; // packets that have left
    int64_t begin_ns, spread_ns;
    int64_t end_ns;   // of the last one
    bool related;     // shift_ns is known
    int64_t shift_ns; // from packets' times to sc_clock_now()
    int64_t reported_ns;
};

// What can be sent again: pictures, as all of a rung share them.
struct sc_rtc_picture {
    sc_packet *packet; // owned; NULL = none
    uint32_t timestamp;
    uint16_t seq, number; // of the first packet; of VP8's picture
    int count;            // of packets
};
struct sc_rtc_memory {
    struct sc_rtc_picture pictures[SC_RTC_PICTURES];
    unsigned next;
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
    sc_rtc_sender *sender;
    struct sc_rtp_rtx rtx; // its number is the sender's
    char cname[SC_RTCP_CNAME_MAX + 1];

    atomic_int refs;
    atomic_bool joined;           // ICE has found a way, once at least
    atomic_int_fast64_t heard_ns; // the last RTCP, or RTP of a publisher

    struct sc_rtc_peer *next; // under rtc->lock
    bool listed;

    struct { // under the sender's lock
        struct sc_rtc_peer *next, *after;
        bool waits;
        int64_t due_ns;
    } turn;

    // The sender's. Tracks are, too.
    struct sc_rtc_sending sending;
    struct sc_rtc_memory memory;
    struct sc_rtc_repeat repeat; // of the pictures

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
    struct sc_rtc_queue queue;       // what waits to be sent
    bool key_only;                   // what is no keyframe is left out
    struct sc_rtc_peer_stats counts; // the rest is filled in when asked
    int64_t rate, estimate;          // sc_rtc_peer_set_link()
    uint16_t missed[SC_RTC_MISSED];  // packets, as the viewer says
    int missed_count;
    struct sc_twcc twcc;
    int64_t told_ns;     // up to when feedback has used up its turns
    GstElement *keys[2]; // of DTLS, encoder and decoder; owned
    NiceAgent *agent;    // owned; that of webrtcbin, which it must not outlive
    sc_srtp *srtp;       // NULL = not connected yet. Kept until the peer is no more
    struct sc_rtc_channel channels[SC_RTC_CHANNELS];
    int channel_count;
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

// webrtcbin's, the caller's; NULL: there is none. Not to be kept longer than webrtcbin, on whose thread it runs.
NiceAgent *sc_rtc_peer_get_agent(const sc_rtc_peer *peer);
// Before negotiation.
void sc_rtc_peer_set_up_ice(sc_rtc_peer *peer);
// When the transport is known. SC_EUNSUPPORTED.
int sc_rtc_peer_find_stream(sc_rtc_peer *peer, sc_err *err);

// --- peer_media.c

// payload and extensions as offered; the rest is left at 0.
void sc_rtc_peer_fill_rtp(struct sc_rtp_params *rtp, const struct sc_rtc_media *media,
                          enum sc_rtc_codec codec);
// A transceiver for it; *ptransceiver is the caller's, NULL = GStreamer makes none.
void sc_rtc_peer_add_transceiver(sc_rtc_peer *peer, const struct sc_rtp_params *rtp,
                                 GstWebRTCRTPTransceiverDirection direction,
                                 GstWebRTCRTPTransceiver **ptransceiver);

// --- peer_send.c

// Before negotiation: transceivers of what is sent.
int sc_rtc_peer_add_tracks(sc_rtc_peer *peer, const struct sc_rtc_peer_params *params,
                           sc_err *err);
// Lets leave what is due. Returns when the next is; 0 = nothing is left. The sender's thread calls it.
int64_t sc_rtc_peer_serve(sc_rtc_peer *peer);
// When nothing is sent any more.
void sc_rtc_peer_release_queue(sc_rtc_peer *peer);

// --- peer_repeat.c: the sender's, but for the second

// A picture is being sent. cutter: as it was before; count: of its packets.
void sc_rtc_peer_remember(sc_rtc_peer *peer, const struct sc_rtc_item *item,
                          const struct sc_rtp_cutter *cutter, int count);
void sc_rtc_peer_miss(sc_rtc_peer *peer, uint16_t seq); // the viewer does. Any thread
void sc_rtc_peer_repeat(sc_rtc_peer *peer);             // sends what is missed
void sc_rtc_peer_forget(sc_rtc_peer *peer);             // all pictures

// --- peer_wire.c

// An element of webrtcbin's was made: those are remembered that have keys, or give us packets.
void sc_rtc_peer_find_wire(sc_rtc_peer *peer, GstElement *element, const char *factory);
// DTLS is connected: its keys are taken. SC_EINTERNAL. Within sc_rtc_peer_enter().
int sc_rtc_peer_take_keys(sc_rtc_peer *peer, sc_err *err);
// Numbers, encrypts and sends packets of a track, or their repetitions; they are changed. The sender's thread.
void sc_rtc_peer_post(sc_rtc_peer *peer, const struct sc_rtc_track *track,
                      struct sc_rtc_parcel *parcels, int count);
// Encrypts and sends a report; there is room for SC_SRTP_EXTRA behind. The sender's thread.
void sc_rtc_peer_post_report(sc_rtc_peer *peer, uint8_t *report, size_t size);
void sc_rtc_peer_drop_wire(sc_rtc_peer *peer); // nothing is sent any more

// --- peer_receive.c

int sc_rtc_peer_add_sinks(sc_rtc_peer *peer, sc_err *err);

// --- peer_feedback.c

// What webrtcbin itself hears and says by RTCP.
void sc_rtc_peer_hear(sc_rtc_peer *peer);
// RTCP as it came, decrypted.
void sc_rtc_peer_take_rtcp(sc_rtc_peer *peer, const uint8_t *data, size_t size);

// --- peer_channel.c

void sc_rtc_peer_await_channels(sc_rtc_peer *peer);
void sc_rtc_peer_drop_channels(sc_rtc_peer *peer);

// --- rtc.c

// Blocks until the first connection was made, half a minute at most.
void sc_rtc_wait_till_warm(sc_rtc *rtc);
int sc_rtc_take_association(sc_rtc *rtc);
sc_rtc_sender *sc_rtc_take_sender(sc_rtc *rtc); // in turn
void sc_rtc_enlist(sc_rtc *rtc, sc_rtc_peer *peer);
// The caller's reference goes along.
void sc_rtc_retire(sc_rtc *rtc, sc_rtc_peer *peer);
