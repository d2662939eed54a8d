// What the files of live_input.h share: kinds of addresses, sources, and the watch for changes.
#pragma once

#include <libavformat/avformat.h>

#include "media/live_input.h"
#include "media/packet.h"
#include "media/timeline.h"

#define SC_LIVE_MAX_SIDE   16384
#define SC_LIVE_MAX_PACKET (64 << 20) // bytes; larger ones are passed over
#define SC_LIVE_SHOWN      300

// When blocking calls end before their time.
struct sc_live_deadline {
    sc_cancel *cancel;
    int64_t at_ns; // on sc_clock_now(); 0 = none
};
bool sc_live_deadline_passed(const struct sc_live_deadline *deadline);

// What a source has; valid until it is closed.
struct sc_live_facts {
    const AVCodecParameters *video, *sound; // sound may be NULL
    AVRational frame_rate;
    struct sc_timeline_format format[SC_TIMELINE_TRACKS];
    struct sc_turn turn;
    bool finite; // the source says that it has an end
    bool jumps;  // of a format whose times may jump
};

struct sc_live_kind;

// What is to be opened: the caller's wishes, with the address taken apart.
struct sc_live_address {
    const struct sc_live_kind *kind;
    char *url;                 // for the source; owned
    char shown[SC_LIVE_SHOWN]; // without secrets
    bool listens;              // waits for the other side
};

struct sc_live_source_ops {
    // Blocks until the tracks are known or the deadline passes. On failure *pself may be half built;
    // close() follows in any case.
    int (*open)(void **pself, const struct sc_live_address *address,
                const struct sc_live_input_params *params, struct sc_live_deadline *deadline,
                sc_err *err);
    const struct sc_live_facts *(*facts)(const void *self);
    // The next packet of one of the tracks, times in ticks of its format. SC_EEOF at the end.
    int (*read)(void *self, AVPacket *pkt, enum sc_timeline_track *track, sc_err *err);
    void (*close)(void **pself); // *pself NULL allowed
    int (*check)(const struct sc_live_address *address,
                 sc_err *err); // without opening; NULL = good
};
extern const struct sc_live_source_ops sc_live_demux, sc_live_file, sc_live_testsrc,
    sc_live_inflow;

struct sc_live_kind {
    const char *name, *scheme; // scheme: "rtsp://"; NULL = a path
    const char *format;        // forced; NULL = probed
    const char *protocols;     // that may be opened, also from inside
    const char *formats;       // likewise
    const char *options;       // of libavformat, "a=b:c=d"
    const char *silent;        // what it may be where nothing comes
    const char *broken;        // what it may be where libavformat says no more than "I/O error"
    bool live;                 // a network source: it is opened again
    const struct sc_live_source_ops *ops;
};

// SC_EARG, SC_EUNSUPPORTED. Free address->url.
int sc_live_address_parse(struct sc_live_address *address,
                          const struct sc_live_input_params *params, sc_err *err);

// One sentence on why libavformat failed at this address, and the SC_E* for it.
int sc_live_explain(const struct sc_live_address *address, int averror,
                    const struct sc_live_deadline *deadline, sc_err *err);

// Watches packets of a picture for changes of its format.
struct sc_live_watch;
struct sc_live_watch *sc_live_watch_new(const AVCodecParameters *par); // never NULL
void sc_live_watch_free(struct sc_live_watch **pwatch);
// True: the format changed with this packet; *par, which is the caller's, was brought up to date.
bool sc_live_watch_packet(struct sc_live_watch *watch, const AVPacket *pkt,
                          AVCodecParameters *par);

// The pause after so many failures in a row (1, 2, ...); chance is 0 <= x < 1.
int64_t sc_live_pause(const struct sc_live_retry *retry, int failures, double chance);

sc_live_streams *sc_live_streams_new(const struct sc_live_facts *facts, int generation,
                                     const struct sc_live_kind *kind); // NULL: out of memory
// Whether a decoder or muxer made for one does for the other.
bool sc_live_streams_equal(const sc_live_streams *a, const sc_live_streams *b);
