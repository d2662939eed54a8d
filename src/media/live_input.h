// Where a live stream comes from: an address or a file that gives packets with repaired times.
//
//   rtsp://  rtsps://            over TCP; UDP by params.transport or "?udp"
//   rtmp://  rtmps://            FLV; with params.listen it waits for a publisher
//   srt://host:port?mode=..      MPEG-TS; mode=listener waits for a caller
//   udp://[host]:port            MPEG-TS
//   http://  https://            HLS, MPEG-TS, FLV, MJPEG, or a file
//   /path/file  file:/path       any file that the product reads, as fast as it is read
//   testsrc:size=1280x720,rate=30,duration=10,seed=1,stamp=no   the made-up match (media/scene.h);
//                                raw pictures, no sound, as fast as they are read; without
//                                duration endless
//   whip:                        what somebody publishes into params.inlet (media/live_inlet.h)
//
// One object, read by one thread:
//
//   sc_live_input_open(&in, &params, &err);
//   while ((ret = sc_live_input_read(in, &item, &err)) == SC_OK) {
//       switch (item.type) ...
//       sc_live_item_release(&item);
//   }
//   sc_live_input_close(&in);
//
// Opening checks the address only. The first read connects; whatever happens then is told by STATE
// items. After a loss, a network source is opened again after a jittered pause that doubles, until
// `attempts` in a row have failed. A password that is refused, and codecs that are unknown, end it at
// once: waiting does not help. Times go on over losses where the wall clock says, see
// media/timeline.h.
//
// Tracks are chosen when the source is opened: the best picture and the sound that goes with it. A
// sound that only begins later is not noticed before the source is opened again.
//
// Everything that comes in is hostile: only formats and protocols of the address's kind are used, and
// nothing that comes over the net can name a file of this machine.
//
// Thread-safety: Unsafe; one thread at a time. params.cancel may be requested by any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/codec_par.h>
#include <libavutil/rational.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/ref.h"
#include "media/turn.h"

typedef struct sc_live_input sc_live_input;
typedef struct sc_packet sc_packet;         // media/packet.h
typedef struct sc_live_inlet sc_live_inlet; // media/live_inlet.h

// What the source consists of. Immutable, shared by reference.
typedef struct sc_live_streams {
    sc_ref ref;               // internal
    int generation;           // 1, 2, ...: counts the changes
    AVCodecParameters *video; // never NULL; width, height and codec are known
    AVRational frame_rate;    // average; 0/1 = unknown
    struct sc_turn turn;      // how its pictures are to be shown
    AVCodecParameters *sound; // NULL = none
    // The source sets the pace (HLS: a segment at a time); else it is as fast as it is read: files,
    // testsrc, and recordings on the net.
    bool live;
    char kind[8]; // "rtsp", "rtmp", "srt", "udp", "http", "file", "testsrc", "whip"
} sc_live_streams;

sc_live_streams *sc_live_streams_ref(sc_live_streams *streams); // NULL gives NULL
void sc_live_streams_unref(sc_live_streams **pstreams); // NULL and &NULL allowed; writes NULL

enum sc_live_state {
    SC_LIVE_CONNECTING,
    SC_LIVE_CONNECTED, // STREAMS and packets follow
    SC_LIVE_LOST,      // or could not be opened; err says why
    SC_LIVE_WAITING,   // for the next try, at until_ns
};
const char *sc_live_state_name(enum sc_live_state state); // "connecting", ...

enum sc_live_item_type {
    SC_LIVE_STREAMS, // before the first packet, and whenever what it says has changed
    SC_LIVE_PACKET,  // of the picture or the sound, as packet->media says
    SC_LIVE_STATE,
};

struct sc_live_item {
    enum sc_live_item_type type;
    sc_live_streams *streams; // STREAMS: owned by the item
    sc_packet *packet;        // PACKET: owned by the item; times are repaired, ns from 0
    // PACKET: sc_clock_now() when it was read.
    int64_t arrival_ns;
    // PACKET: the first of its track after a loss or a file's end: a decoder is drained before it.
    bool resumed;
    enum sc_live_state state; // STATE
    sc_err err;               // STATE, LOST: why
    int64_t until_ns;         // STATE, WAITING: on sc_clock_now()
    int attempt;              // STATE: failed tries in a row
};
void sc_live_item_release(struct sc_live_item *item); // a zeroed or released one is allowed

// Pauses between tries. Zero is the default.
struct sc_live_retry {
    int64_t first_ns; // 0 = 0.5 s; doubles with every failure
    int64_t max_ns;   // 0 = 15 s
    double jitter;    // a pause is shortened by up to this share; 0 = 0.5, < 0 = none
    int attempts; // failures in a row after which it ends; 0 = never, < 0 = the first ends it
};

// Time and chance, for tests. NULL = the real ones.
struct sc_live_seams {
    int64_t (*now)(void *arg);                 // ns, monotonic
    void (*wait)(void *arg, int64_t until_ns); // of a pause between tries
    double (*chance)(void *arg);               // 0 <= x < 1
    void *arg;
};

// Zero is the default everywhere but in url, which is copied with all the rest.
struct sc_live_input_params {
    const char *url;
    const char *transport;      // RTSP: "tcp", "udp"; NULL = tcp
    bool listen;                // RTMP: wait for a publisher
    int64_t connect_timeout_ns; // until packets flow; 0 = 10 s. Not while it listens
    int64_t read_timeout_ns; // without a picture the source counts as lost; 0 = 10 s, http 30 s
    struct sc_live_retry retry; // files and testsrc never retry
    bool loop;                  // files: from the start again, times go on
    bool low_latency;           // look at less of the stream before it begins, buffer nothing
    sc_live_inlet *inlet;       // outlives the input; NULL unless url is "whip:"
    sc_cancel *cancel;          // outlives the input; NULL = none
    struct sc_live_seams seams;
};

// SC_EARG (err names "url", "transport" or a testsrc option), SC_EUNSUPPORTED (no such protocol
// here). On failure *pinput is NULL. Does not block.
int sc_live_input_open(sc_live_input **pinput, const struct sc_live_input_params *params,
                       sc_err *err);
void sc_live_input_close(sc_live_input **pinput); // NULL and &NULL allowed; writes NULL

// Waits for the next item, which is the caller's. SC_EEOF (end of a file, or of a recording on the
// net), SC_ECANCELLED (at once after a request, at most about 0.1 s; a name server may take longer),
// SC_ENOMEM; SC_EDENIED, SC_ENOTFOUND, SC_EDATA, SC_EUNSUPPORTED, SC_ETIMEOUT, SC_EIO: it failed for
// good, err says what, where and what to do, without secrets. Anything but SC_OK leaves *item empty
// and is returned ever after.
int sc_live_input_read(sc_live_input *input, struct sc_live_item *item, sc_err *err);

struct sc_live_input_info {
    int64_t packets[2]; // given: picture, sound
    int64_t bytes;      // likewise
    int64_t damaged;    // that libavformat marked as corrupt (they are given too)
    int64_t left_out;   // sound that would have overlapped or begun before the picture
    int64_t reconnects; // times it was opened again
    int64_t jumps;      // of the source's times, that were repaired
};
void sc_live_input_get_info(const sc_live_input *input, struct sc_live_input_info *info);
