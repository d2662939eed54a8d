// What the parts of an HLS output share: its state, and the files in its folder.
//
// Thread-safety: as a sink.
#pragma once

#include "base/str.h"
#include "media/live_output_internal.h"

#define SC_HLS_MAX_HELD  1024  // packets of sound that wait for their picture
#define SC_HLS_MAX_CUES  10000 // a segment
#define SC_HLS_MAX_PARTS 1024  // whose files are there
#define SC_HLS_IN_PARTS  3     // segments, besides the one under way, whose parts are listed

struct sc_hls_segment {
    int64_t from_ns, duration_ns; // on the track's clock
};

struct sc_hls_part {
    int segment, number; // the segment's, and its own within it
    int64_t duration_ns;
    bool key; // it begins with a keyframe
};

struct sc_hls {
    struct sc_sink_setup setup;
    struct sc_muxer m;
    sc_str bytes;    // of the segment so far; what the muxer wrote
    sc_packet *last; // picture; it is muxed when the next one tells how long it is shown
    int64_t step_ns; // from the picture before it to the last one
    char *folder;    // with its slash, or ""
    char *stem;      // "index"
    char run[17];    // of this run, hexadecimal
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
    // Partial segments.
    int64_t part_ns;                            // the longest; 0 = none are made
    int64_t part_from_ns;                       // of the one under way, on the packets' clock
    size_t part_at;                             // where it begins in `bytes`
    bool part_key;                              // it begins with a keyframe
    struct sc_hls_part parts[SC_HLS_MAX_PARTS]; // those whose files are there, in order
    int part_count;
};

// Writes folder/name whole or not at all. An SC_E* by errno.
int sc_hls_write_file(const struct sc_hls *h, const char *name, const void *data, size_t size,
                      sc_err *err);
int sc_hls_fail_file(const struct sc_hls *h, const char *name, sc_err *err); // by errno
// The name of a segment's file.
void sc_hls_add_name(const struct sc_hls *h, sc_str *out, int number, const char *ending);
void sc_hls_add_part_name(const struct sc_hls *h, sc_str *out, int segment, int number);
// Removes the segments and parts that nobody asks for any more.
void sc_hls_remove_passed(struct sc_hls *h);
// Removes what an earlier run left.
void sc_hls_remove_old(const struct sc_hls *h);

// Tells players of the segments that there are.
int sc_hls_write_playlists(struct sc_hls *h, bool ended, sc_err *err);
// And of the newest part.
int sc_hls_write_part_playlist(struct sc_hls *h, sc_err *err);
// The cues up to now, as the text of that segment; those that last longer stay for the next one too.
int sc_hls_write_cues(struct sc_hls *h, int number, int64_t until_ns, sc_err *err);
