// What the parts of an HLS output share: its state, and the files in its folder.
//
// Thread-safety: as a sink.
#pragma once

#include "base/str.h"
#include "media/live_output_internal.h"

#define SC_HLS_MAX_HELD 1024  // packets of sound that wait for their picture
#define SC_HLS_MAX_CUES 10000 // a segment

struct sc_hls_segment {
    int64_t from_ns, duration_ns; // on the track's clock
};

struct sc_hls {
    struct sc_sink_setup setup;
    struct sc_muxer m;
    sc_str bytes; // of the segment so far; what the muxer wrote
    char *folder; // with its slash, or ""
    char *stem;   // "index"
    char run[17]; // of this run, hexadecimal
    int segment_ms, window;
    sc_packet *held[SC_HLS_MAX_HELD];
    int held_count;
    struct sc_hls_segment *segments; // those of the playlist
    int first, count;                // number of the first; how many
    int target;                      // seconds, rounded, that no segment exceeds
    int removed;                     // segments before this one are gone
    int64_t from_ns;     // of the segment under way, on the packets' clock; INT64_MIN = none
    int64_t end_ns;      // of the last picture
    int64_t zero_ns;     // of the track, on the packets' clock
    int64_t zero_wall;   // when that was
    struct sc_cue *cues; // of the segment under way
    int cue_count;
    bool asked; // for the keyframe that ends it
};

// Writes folder/name whole or not at all. An SC_E* by errno.
int sc_hls_write_file(const struct sc_hls *h, const char *name, const sc_str *content,
                      sc_err *err);
int sc_hls_fail_file(const struct sc_hls *h, const char *name, sc_err *err); // by errno
// The name of a segment's file.
void sc_hls_add_name(const struct sc_hls *h, sc_str *out, int number, const char *ending);
// Removes the segments that nobody asks for any more.
void sc_hls_remove_passed(struct sc_hls *h);

// Tells players of the segments that there are.
int sc_hls_write_playlists(struct sc_hls *h, bool ended, sc_err *err);
// The cues up to now, as the text of that segment; those that last longer stay for the next one too.
int sc_hls_write_cues(struct sc_hls *h, int number, int64_t until_ns, sc_err *err);
