// One WebRTC connection: a GStreamer pipeline around webrtcbin, which negotiates; has ICE, DTLS and data channels.
//
//   sending:   pictures -> packets (rtc/packets.h), each at its time (rtc/sender.h) -> SRTP -> webrtcbin's ICE
//   receiving: webrtcbin -> depayloader, parser -> appsink
//
// sc_rtc_open() once; peers are opened, answered, fed and closed by any thread. What GStreamer 1.22 gets wrong is
// known here and nowhere else: the answer is the passive DTLS side; SSRC and extensions are put into caps;
// the peer's certificate is compared with the offer's fingerprint before a single picture is sent; there is
// no consent freshness, so a peer of which no RTCP came for `silence_ns` is reported as gone; pipelines are
// taken down on a thread of their own, with a watchdog that leaves behind what hangs (counted, logged).
//
// Thread-safety: Safe, except that close comes last. Callbacks run on threads of GStreamer's, must not block and
// may call any function of the peer but close; none runs after close has returned.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "media/packet.h"
#include "rtc/offer.h"

typedef struct sc_rtc sc_rtc;
typedef struct sc_rtc_peer sc_rtc_peer;

struct sc_rtc_params {
    sc_log *log;
    int port_min, port_max; // UDP; 0 = the system's choice
    const char
        *stun; // "stun://host:port"; NULL = none (the host's own addresses are enough in a LAN)
    const char *turn;   // "turn://user:password@host:port"; NULL = none
    int64_t silence_ns; // 0 = 10 s
};
// Loads GStreamer; SC_EUNSUPPORTED: it or one of its plugins is missing, err says which package to install.
// A first connection is set up in the background, because its certificate takes a while; peers that are opened
// before it is there wait for it.
int sc_rtc_open(sc_rtc **prtc, const struct sc_rtc_params *params, sc_err *err);
// All peers were closed. Waits for pipelines that are still being taken down, two seconds at most.
void sc_rtc_close(sc_rtc **prtc); // NULL and &NULL allowed

enum sc_rtc_state {
    SC_RTC_CONNECTING,
    SC_RTC_CONNECTED, // ICE and DTLS are up and the certificate is the offered one
    SC_RTC_GONE, // failed, closed by the other side, or silent; final. The reason comes with it
};
const char *sc_rtc_state_name(enum sc_rtc_state state); // "connecting", ...

// What the other side says about one packet that we sent (transport-wide feedback).
struct sc_rtc_arrival {
    uint16_t seq;
    bool lost;
    int64_t sent_ns;    // our clock
    int64_t arrived_ns; // its clock; only differences mean something. Nothing where lost
    int size;           // bytes
};

struct sc_rtc_events {
    void (*on_state)(void *arg, enum sc_rtc_state state, const char *reason);
    // The viewer cannot go on without a keyframe (PLI, FIR).
    void (*on_want_key)(void *arg);
    // About 15 times a second; in the order of sending.
    void (*on_feedback)(void *arg, const struct sc_rtc_arrival *arrivals, int count);
    // From a publisher: a whole access unit (Annex B, parameter sets in band) or VP8 frame, or an Opus packet.
    // Times are of the peer's RTP clock from its first packet on. The packet is the callee's.
    void (*on_packet)(void *arg, sc_packet *packet, enum sc_rtc_codec codec);
    // A data channel is open: sc_rtc_peer_send_text() gets through.
    void (*on_channel)(void *arg);
    // Text or bytes on the data channel.
    void (*on_message)(void *arg, const char *data, size_t size);
    void *arg;
};

struct sc_rtc_peer_params {
    enum sc_rtc_role role;
    const sc_rtc_offer *offer; // borrowed for the call
    enum sc_rtc_codec video;   // sc_rtc_offer_choose()
    bool sound;                // audio is sent or taken, if offered
    int playout_min_ms,
        playout_max_ms; // what the viewer is asked to delay (header extension); 0/0 = as little as it can
    int64_t pace_bitrate; // packets of one picture are spread at this rate; 0 = at once
    struct sc_rtc_events events;
};
// Makes the answer, with all candidates; blocks for that, usually some ms, at most five seconds. *answer is the
// caller's, to free(). SC_EUNSUPPORTED (the peer and webrtcbin do not agree), SC_ETIMEOUT, SC_ENOMEM, SC_EINTERNAL.
int sc_rtc_peer_open(sc_rtc *rtc, sc_rtc_peer **ppeer, char **answer,
                     const struct sc_rtc_peer_params *params, sc_err *err);
// The peer ends at once; its pipeline is taken down elsewhere. *ppeer stays until the last callback has returned.
// NULL and &NULL allowed. Not from a callback.
void sc_rtc_peer_close(sc_rtc_peer **ppeer);

// A candidate of the other side: "candidate:...", of whatever medium, as all share one transport. Ignored where it
// makes no sense.
void sc_rtc_peer_add_candidate(sc_rtc_peer *peer, const char *candidate);
// Restarts ICE with the other side's new credentials; its candidates are added after that. *fragment has ours, old
// candidates with new credentials, to free() (RFC 9725, 4.3.3). What is sent goes the old way until a new one is found,
// and DTLS goes on. One at a time.
// SC_EARG: they are the credentials of before. SC_EUNSUPPORTED: it cannot be done. Nothing was changed then.
int sc_rtc_peer_restart(sc_rtc_peer *peer, const char *ufrag, const char *pwd, char **fragment,
                        sc_err *err);

// Sends one encoded picture, or an Opus packet (packet->media). Never blocks: where the peer's queue is full the
// picture is dropped, and all up to the next keyframe. timestamp: RTP, 90 kHz (48 kHz); it grows from call to call.
// False: dropped.
bool sc_rtc_peer_send(sc_rtc_peer *peer, sc_packet *packet, uint32_t timestamp);
// On the data channel that the viewer opened (unordered and without retransmissions is best). False: there is
// none, or it is not open, or more than 64 kB wait: nothing was sent.
bool sc_rtc_peer_send_text(sc_rtc_peer *peer, const char *text, size_t size);
void sc_rtc_peer_set_pace(sc_rtc_peer *peer, int64_t bitrate); // 0 = at once
// What is sent, and what the link carries, bits a second: packets that the viewer misses are sent again within that
// (rtc/repeat.h). estimate 0: not known, within a share of the pace.
void sc_rtc_peer_set_link(sc_rtc_peer *peer, int64_t rate, int64_t estimate);
void sc_rtc_peer_want_key(sc_rtc_peer *peer); // asks a publisher for a keyframe (PLI)

struct sc_rtc_peer_stats {
    enum sc_rtc_state state;
    int64_t opened_ns, connected_ns, first_sent_ns; // sc_clock_now(); 0 = not yet
    int64_t pictures, dropped;                      // sent; left out because the queue was full
    int64_t packets, bytes;                         // RTP, sent or received
    int64_t retransmitted, nacks, plis;
    double rtt_ms, loss; // by the last receiver report; < 0 = unknown
    int64_t heard_ns;    // of the last RTCP, or restart of ICE
    char remote[64];     // "192.168.1.7:51000"; "" = unknown
};
void sc_rtc_peer_get_stats(sc_rtc_peer *peer, struct sc_rtc_peer_stats *stats);

struct sc_rtc_info {
    int peers;        // open
    int closing;      // pipelines being taken down
    int left_behind;  // that hung and were given up
    char version[64]; // "GStreamer 1.22.0"
};
void sc_rtc_get_info(sc_rtc *rtc, struct sc_rtc_info *info);
