// What the parts of a live output share: the kinds there are, the queue, and the sinks that write.
#pragma once

#include <stdatomic.h>

#include <libavformat/avformat.h>

#include "media/live_output.h"

#define SC_OUTPUT_SEGMENT_MS 1000 // of HLS, unless it is told otherwise

// --- kinds: what addresses mean

struct sc_sink_ops;

struct sc_output_kind {
    const char *name;                   // as in the info
    const char *prefix;                 // of the address, or
    const char *ending;                 // of the file's name
    const char *format;                 // libavformat's muxer
    const char *options;                // "key=value:.." for muxer and protocol
    bool network;                       // comes back by itself
    bool in_band;                       // parameter sets go with each keyframe
    bool fragments;                     // fragmented MP4, cut by us
    enum AVCodecID video[8], sound[12]; // that it can hold, ended by 0
    int linger_ms;                      // between the last byte and the end
    const struct sc_sink_ops *ops;
};

// SC_EARG: err says which addresses there are.
int sc_output_kind_find(const struct sc_output_kind **pkind, const char *url, sc_err *err);
bool sc_output_holds(const enum AVCodecID *ids, enum AVCodecID id);

// --- guard: how long a sink may block

struct sc_output_guard {
    _Atomic int64_t until;   // of the call under way; INT64_MAX = for ever
    _Atomic int64_t stop_at; // of everything
};
// For AVIOInterruptCB; arg is the guard.
int sc_output_interrupted(void *arg);

// --- queue: packets that wait for the sink
//
// Thread-safety: Unsafe; the output's lock.

struct sc_output_queue {
    sc_packet **items; // a ring
    int max_items, first, count;
    size_t max_bytes, bytes;
    bool need_key;  // pictures are dropped up to the next keyframe
    int64_t *drops; // pictures
};

int sc_output_queue_init(struct sc_output_queue *q, int max_items, size_t max_bytes,
                         int64_t *drops);
void sc_output_queue_release(struct sc_output_queue *q);
// Takes a reference or drops the packet, and others up to a keyframe. False: a keyframe is needed.
bool sc_output_queue_put(struct sc_output_queue *q, sc_packet *packet);
sc_packet *sc_output_queue_get(struct sc_output_queue *q); // NULL = empty; the caller's
// Drops what comes before the first (or newest) keyframe in it. False: there is none, all is kept.
bool sc_output_queue_start(struct sc_output_queue *q, bool newest, int64_t *zero_ns);
void sc_output_queue_clear(struct sc_output_queue *q);

// --- sinks: what writes; blocking, one thread

struct sc_sink_setup {
    const struct sc_output_kind *kind;
    const struct sc_live_output_params *params; // as long as the sink
    const char *shown;                          // its address in messages
    struct sc_output_guard *guard;
    bool sound; // there is a track for it
};

struct sc_cue {
    int64_t from_ns, to_ns;
    char *text;
};

struct sc_sink_ops {
    // *psink is NULL on failure.
    int (*open)(void **psink, const struct sc_sink_setup *setup, sc_err *err);
    // zero_ns: the track's time zero on the packets' clock.
    int (*write)(void *sink, const sc_packet *packet, int64_t zero_ns, sc_err *err);
    void (*cue)(void *sink, const struct sc_cue *cue, int64_t zero_ns); // NULL = none are taken
    bool (*wants_key)(void *sink);                                      // NULL = never
    int (*finish)(void *sink, sc_err *err);
    void (*close)(void *sink);
};

extern const struct sc_sink_ops sc_sink_mux; // libavformat's muxers
extern const struct sc_sink_ops sc_sink_hls;

// --- muxers: what both sinks do with libavformat

enum { SC_TRACK_VIDEO, SC_TRACK_SOUND };

struct sc_muxer {
    AVFormatContext *av;
    struct {
        AVStream *stream;
        int64_t last_dts; // ticks of the stream
    } tracks[2];
    AVPacket *packet;
};

// Makes the context with its streams; pb and the header are the caller's to do.
int sc_muxer_init(struct sc_muxer *m, const struct sc_sink_setup *setup, const char *url);
void sc_muxer_release(struct sc_muxer *m); // not pb
// m->packet becomes the packet as its stream wants it.
int sc_muxer_prepare(struct sc_muxer *m, const sc_packet *packet, int64_t zero_ns);
// The fragment so far is written out; the next one says its time itself.
int sc_muxer_cut(struct sc_muxer *m);

// "cannot `what` ADDRESS: reason; advice". Returns the code.
int sc_sink_fail(const struct sc_sink_setup *setup, int averror, const char *what, sc_err *err);
