// The index of a video: every frame's display time, keyframes, GOPs, and where its packets are.
//
// Made by one scan over the packets, without decoding; only stretches that packets alone cannot
// settle (no timestamps, damaged packets, a start that is not a clean random access point) are
// decoded. An index is immutable; building, loading and verifying give new ones. Saved files are
// versioned, checksummed and mmap-ed, and name no FFmpeg version.
//
// Numbers: a *frame* is counted in display order from 0; a *packet* in decode order from 0. Edit
// lists are applied; packets that show nothing are kept (the decoder needs them) but are no
// frames. Ticks are units of the time base, with 0 at the first displayed frame.
//
// Thread-safety: Safe (immutable, refcounted).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>
#include <libavutil/rational.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"

typedef struct sc_index sc_index;

enum sc_verdict {
    SC_VERDICT_NONE,   // no linear decode was done yet
    SC_VERDICT_EXACT,  // every frame reached at random equals the linear decode
    SC_VERDICT_DIFFERS // some did not; those frames are only served by linear decode
};

enum sc_packet_flags {
    SC_PACKET_KEY = 1,        // the container or bitstream calls it a keyframe
    SC_PACKET_HIDDEN = 2,     // shows nothing (edit list, alt-ref, second field, undecodable)
    SC_PACKET_DISPOSABLE = 4, // no other picture refers to it: it may be skipped
    SC_PACKET_SUSPECT = 8,    // damaged as far as the scan can tell
    SC_PACKET_SIDE = 16,      // has side data (new extradata, palette) in the index
};

struct sc_packet_info {
    int64_t pos;   // of its bytes in the file (direct) or as the demuxer says; -1 unknown
    int32_t size;  // bytes
    int32_t frame; // display number, -1 if hidden
    uint32_t crc;  // of its bytes (XXH3, low 32 bits)
    uint8_t flags; // SC_PACKET_*
};

// An entry point: a packet from which decoding may start.
struct sc_entry_info {
    int64_t packet;      // decode number of the packet
    int64_t first_exact; // first frame number that is exact after entering here
    int64_t end;         // decode number one past the last packet before the next entry
};

struct sc_index_info {
    int64_t frames, packets, entries;
    AVRational time_base;   // of ticks, seconds
    int64_t duration_ticks; // end of the last frame
    AVRational frame_rate;  // average, frames a second
    bool variable_rate;     // frame durations differ by more than a tick
    enum AVCodecID codec_id;
    const char *codec_name, *format_name; // "h264", "mov,mp4,m4a,3gp,3g2,mj2"
    const char *pix_fmt_name;             // of the first frames as declared; "" if unknown
    int width, height;                 // coded picture as declared, before rotation and aspect
    int display_width, display_height; // after both
    AVRational sample_aspect;          // 1/1 if unknown
    int rotation;                      // clockwise degrees to show it upright: 0, 90, 180, 270
    bool hflip, vflip;                 // applied after the rotation
    int color_range, color_primaries, color_trc, color_space; // AVCOL_*
    bool has_audio;
    bool direct;  // packet bytes lie contiguous at pos: no demuxer is needed to read
    bool decoded; // some or all of it had to be decoded to be settled
    enum sc_verdict verdict;
    int64_t differing;        // frames found to differ at random access by the verification
    int64_t file_size;        // bytes
    uint64_t content_hash[2]; // XXH3-128 of the whole file
};

struct sc_index_params {
    sc_log *log;
    sc_cancel *cancel;
    int threads;                                  // for what must be decoded; 0 = all cores
    int64_t max_packets;                          // 0 = 50 million
    void (*progress)(void *arg, double fraction); // 0..1, from the calling thread; may be NULL
    void *progress_arg;
};

// Scans path. Blocks for the scan. SC_ENOTFOUND, SC_EDATA (not a video, no frame; err says
// what), SC_EUNSUPPORTED (no decoder), SC_ELIMIT, SC_ECANCELLED, SC_ENOMEM.
int sc_index_build(sc_index **pix, const char *path, const struct sc_index_params *params,
                   sc_err *err);

// Decodes everything linearly and again from each entry; gives an index with a hash a frame and a
// verdict. `ix` itself is unchanged. Errors as for building.
int sc_index_verify(sc_index **pverified, sc_index *ix, const char *path,
                    const struct sc_index_params *params, sc_err *err);

sc_index *sc_index_ref(sc_index *ix);
void sc_index_unref(sc_index **pix);

// Writes to a temporary name beside path, fsyncs, renames. SC_ENOSPACE, SC_EIO.
int sc_index_save(const sc_index *ix, const char *path, sc_err *err);
// Maps and checks a saved index. SC_ENOTFOUND; SC_ESTALE for another version; SC_EDATA for
// anything broken: rebuild in both cases.
int sc_index_load(sc_index **pix, const char *path, sc_err *err);
// As load, from memory that must outlive the index (for fuzzing).
int sc_index_parse(sc_index **pix, const void *data, size_t size, sc_err *err);

// Loads index_path if it is good and belongs to the video at path (same size and modification
// time, or same content); else builds and saves. *built says which.
int sc_index_open(sc_index **pix, const char *path, const char *index_path,
                  const struct sc_index_params *params, bool *built, sc_err *err);

const struct sc_index_info *sc_index_get_info(const sc_index *ix);

// For opening decoders; borrowed.
const AVCodecParameters *sc_index_codecpar(const sc_index *ix);

// n in [0, frames): caller bug otherwise.
int64_t sc_index_ticks(const sc_index *ix, int64_t n);
int64_t sc_index_frame_packet(const sc_index *ix, int64_t n);
uint64_t sc_index_hash(const sc_index *ix, int64_t n); // 0 = none stored
// A verification found that entering at the frame's own entry gives another picture.
bool sc_index_differs(const sc_index *ix, int64_t n);
bool sc_index_is_key(const sc_index *ix, int64_t n);
int64_t sc_index_pts_ns(const sc_index *ix, int64_t n);
struct sc_packet_info sc_index_packet(const sc_index *ix, int64_t packet);
struct sc_entry_info sc_index_entry(const sc_index *ix, int64_t entry);
// The cheapest entry from which frame n is exact.
int64_t sc_index_entry_for(const sc_index *ix, int64_t n);

// The frame on screen at the decimal text t, in seconds: exact decimal arithmetic, half a tick
// forgiven. SC_OK and *n; SC_EARG when t is no non-negative decimal number; SC_ERANGE when it
// is at or beyond the end.
int sc_index_find_time(const sc_index *ix, const char *t, int64_t *n);

// Frame n's time in seconds as decimal text that, given back, names the same frame.
char *sc_index_format_time(const sc_index *ix, int64_t n, char *buf, size_t size);
// The end of the last frame, likewise.
char *sc_index_format_duration(const sc_index *ix, char *buf, size_t size);
