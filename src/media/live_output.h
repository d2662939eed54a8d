// Where a live stream goes: an address or a file that takes encoded packets.
//
//   rtmp://host/app/key  rtmps://  FLV           srt://host:port?..   MPEG-TS
//   rtsp://host/path     ANNOUNCE over TCP       udp://host:port      MPEG-TS
//   FILE.mp4  FILE.mkv  FILE.ts                  DIR/index.m3u8       HLS of fragmented MP4
//
// Packets are put and never waited for: each output has a queue, bounded in items and bytes, and a
// thread that opens, writes, fails and opens again. A full queue drops up to its next keyframe. One
// output's trouble is therefore nobody else's.
//
// A network output that fails comes back on its own after a jittered pause, at the newest keyframe that
// it was given meanwhile. A file that fails (full disk, no permission) has failed for good; what was
// written stays and plays, as it does when the program is killed: MP4 files are made of fragments of
// a second at most, Matroska of clusters.
//
// What is written starts at zero with the first keyframe. Sound keeps its distance to the picture and
// its packets as they are; what the container does not take becomes AAC, or is left out where that
// does not fit either, and the state says so.
//
// Thread-safety: Safe, any thread; but open and close are the owner's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavcodec/codec_par.h>

#include "base/error.h"
#include "base/log.h"
#include "media/packet.h"

typedef struct sc_live_output sc_live_output;

// Where the files of an HLS output go instead of a folder. All is called on the output's thread, and nothing
// after close has returned where none of it blocks.
struct sc_live_output_store {
    // The whole file of that name (no folder), in place of one that has it. Fails as files do, for good.
    int (*put)(void *arg, const char *name, const void *data, size_t size, sc_err *err);
    void (*remove)(void *arg, const char *name); // one that was put, or not
    // The playlist that was put names so many parts of that segment, and all before it; parts -1: the
    // stream has ended.
    void (*listed)(void *arg, int segment, int parts);
    void *arg;
};

// Zero is the default everywhere but in url and video.
struct sc_live_output_params {
    const char *url;
    const AVCodecParameters *video; // as sc_encoder_codec() gives them
    const AVCodecParameters *sound; // NULL = none
    bool aac; // sound becomes AAC even where it fits, for players that know no more
    AVRational frame_rate;      // average, for containers that tell; 0/x = unknown
    int max_items;              // of the queue; 0 = 600
    size_t max_bytes;           // of the queue; 0 = 16 MiB
    int timeout_ms;             // connecting, or a write that does not go on; 0 = 10 s
    int retry_ms, retry_max_ms; // first pause after a failure, and the longest; 0 = 500, 15000
    bool no_retry;              // a failure is final, as for files
    // HLS.
    int segment_ms; // shortest segment, cut at keyframes; 0 = 1000
    int window;     // segments kept; 0 = 6, < 0 = all (on demand afterwards)
    bool cues;      // a WebVTT track beside the picture; index.m3u8 is then a master playlist
    const struct sc_live_output_store *store; // NULL = the url's folder; outlives the output
    bool holds; // whoever serves the files holds requests for what is about to come
    // Called on any thread, also from within put, when it needs a keyframe to go on (it came back, it
    // dropped, a segment is due). It must not block or call the output.
    void (*want_key)(void *arg);
    void *want_key_arg;
    sc_log *log; // NULL allowed
};

// Checks the address and the codecs and starts the thread; the world is met there. SC_EARG (err names
// "url"), SC_EUNSUPPORTED (the container cannot hold the picture's codec), SC_ENOMEM. On failure
// *poutput is NULL. The address is copied; its secrets are never shown.
int sc_live_output_open(sc_live_output **poutput, const struct sc_live_output_params *params,
                        sc_err *err);

// What an address stands for.
struct sc_live_output_kind {
    bool network;   // else files, which nobody waits for
    bool cues;      // takes cues
    int64_t key_ns; // wants keyframes so far apart; 0 = anyhow
};
// Whether the address is one, as open does, and of which kind. SC_EARG (err names "url").
int sc_live_output_check(const char *url, struct sc_live_output_kind *kind, sc_err *err);

// Takes a reference of its own. Never blocks. Packets of one track come in the order of their dts;
// sound is ignored where there is no track for it. Nothing happens after finish.
void sc_live_output_put(sc_live_output *output, sc_packet *packet);

// Text shown from pts_ns for duration_ns, on the packets' clock: HLS with cues, ignored elsewhere.
// Copied; cues come in order and not much later than their picture: a segment that is written is
// not written again, so a late cue begins with the next one.
void sc_live_output_cue(sc_live_output *output, int64_t pts_ns, int64_t duration_ns,
                        const char *text);

// No more packets: what is queued is written, then the end. Does not block.
void sc_live_output_finish(sc_live_output *output);

// Ends it. With flush_ms > 0 what is queued is written first, for at most that long. Whatever hangs
// is interrupted; a thread that still does not end within two seconds (a name server, a dead network
// file system) is left behind with its memory. NULL and &NULL allowed; writes NULL.
void sc_live_output_close(sc_live_output **poutput, int flush_ms);

enum sc_live_output_state {
    SC_OUTPUT_CONNECTING, // opening, or waiting for the first keyframe
    SC_OUTPUT_RUNNING,
    SC_OUTPUT_WAITING, // failed, comes back by itself
    SC_OUTPUT_FAILED,  // for good
    SC_OUTPUT_DONE,    // finished, everything written
};

struct sc_live_output_info {
    enum sc_live_output_state state;
    const char *kind; // "rtmp", "srt", "rtsp", "udp", "file", "hls"; static
    char reason[512]; // why it waits or failed (also the last reason once it runs again), or ""
    char sound[64];   // "aac"; "aac, encoded from opus"; "none: opus does not fit there"; or ""
    int64_t frames;   // pictures written
    int64_t sounds;   // packets of sound written
    int64_t bytes;    // of packets written
    int64_t drops;    // pictures that were put and never written
    int64_t retries;  // times it was opened again
    int64_t queued;   // packets now
    int64_t wait_ns;  // until the next try, while it waits
};
void sc_live_output_get_info(sc_live_output *output, struct sc_live_output_info *info);

// "connecting", "running", "waiting", "failed", "done".
const char *sc_live_output_state_name(enum sc_live_output_state state);
