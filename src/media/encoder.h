// From pictures to packets: one libavcodec encoder, set up for live streams or for files.
//
// Pictures come with times in ns, so variable rates are kept. One that has another size or pixel
// format than the encoder is converted; where the shape differs too it is fitted between black bars,
// so what leaves an encoder never changes its size. Colour is described as the pictures' is.
//
// Parameter sets (SPS, PPS) are in sc_encoder_codec()'s extradata, not in the packets: who sends to a
// container that wants them in the packets (MPEG-TS) adds them there.
//
// Thread-safety: Unsafe, one thread at a time; but sc_encoder_want_key is safe from any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>

#include "base/error.h"
#include "media/packet.h"

typedef struct sc_encoder sc_encoder;

// Zero is the default everywhere but in `like`.
struct sc_encoder_params {
    const AVFrame *like;      // size, pixel format, colour and sample aspect of the pictures
    int width, height;        // of what comes out; 0 = like's
    AVRational frame_rate;    // average, for rate control; 0/x = 30
    AVRational time_base;     // ticks that the encoder counts in; 0/x = 1/90000
    AVRational sample_aspect; // 0/x = like's, or 1/1 where the size is another
    const char *codec;        // libavcodec's name; NULL = "libx264"
    const char *preset;  // of x264, x265, SVT-AV1; libvpx's cpu-used; NULL = one that suits
    const char *profile; // of x264, x265: "baseline", "main", ..; NULL = the encoder's choice
    int level;           // of x264, times ten: 31; 0 = by the rest
    int64_t bitrate;     // bits a second on average; 0 = constant quality (crf)
    int64_t max_bitrate; // at most, over the buffer; 0 = none, but live: = bitrate
    int buffer_ms;       // of the rate control, at max_bitrate; 0 = 1000
    int crf;             // constant quality, 1..63; 0 = 23. Encoders without one ignore it
    int gop;             // frames between keyframes at most; 0 = two seconds live, else the
                         // encoder's choice
    int64_t key_ns;      // a keyframe after so much time, whatever else is asked for, to half a
                         // picture; 0 = as gop says
    int bframes;  // in a row at most; 0 = none live, else the encoder's choice; < 0 = none
    int threads;  // 0 = the encoder's choice (the cores); 1 = one slice a picture
    bool steady;  // keyframes by gop and by wish only, none where the scene changes
    bool in_band; // parameter sets in the packets instead of the extradata
    bool live;    // nothing is held back: a picture in, its packet out
    bool narrow;  // live: limited range, whatever `like` has: some players know nothing else
    bool reproducible; // the same input gives the same bytes
};

// Bits a second that make decent live pictures of that size with H.264; fps 0 = 30.
int64_t sc_encoder_suiting_bitrate(int width, int height, double fps);

// SC_EUNSUPPORTED: there is no encoder of that name; err says so.
int sc_encoder_find(const AVCodec **pcodec, const char *name, sc_err *err);

// SC_EUNSUPPORTED (no such encoder, or it refuses the settings), SC_EARG (err names the field: codec,
// preset, profile, bitrate, ..), SC_ENOMEM. On failure *pencoder is NULL.
int sc_encoder_open(sc_encoder **pencoder, const struct sc_encoder_params *params, sc_err *err);
void sc_encoder_close(sc_encoder **pencoder); // NULL and &NULL allowed; what it holds is lost

// Encodes one picture, which is borrowed; blocks while the encoder is busy. pts_ns must grow: one
// that does not is moved a tick behind its predecessor. SC_EAGAIN: first take what is ready.
// SC_EUNSUPPORTED (such pictures cannot be converted), SC_ENOMEM: the picture is skipped.
// SC_EINTERNAL: only close is left.
int sc_encoder_put(sc_encoder *encoder, const AVFrame *picture, int64_t pts_ns,
                   int64_t duration_ns, sc_err *err);
// No more pictures: what is held back becomes ready.
int sc_encoder_flush(sc_encoder *encoder, sc_err *err);
// The next packet, the caller's. SC_EAGAIN (needs pictures), SC_EEOF (flushed and all taken),
// SC_ENOMEM, SC_EINTERNAL.
int sc_encoder_get(sc_encoder *encoder, sc_packet **ppacket, sc_err *err);

// The next picture becomes a keyframe where decoding can start. Several wishes before it are one.
void sc_encoder_want_key(sc_encoder *encoder);

// From the next picture on. max_bitrate as in params. SC_EUNSUPPORTED where the encoder cannot
// change it while it runs, or was opened without a bitrate; nothing has changed then.
int sc_encoder_set_bitrate(sc_encoder *encoder, int64_t bitrate, int64_t max_bitrate);

// What a muxer needs to know; as long as the encoder.
const AVCodecParameters *sc_encoder_codec(const sc_encoder *encoder);

struct sc_encoder_info {
    const char *encoder; // "libx264"
    int width, height;
    AVRational time_base, frame_rate;
    int64_t pictures, packets, keys, bytes; // in; out
    int64_t bitrate;                        // wanted now; 0 = constant quality
    bool refitted;                          // pictures are scaled or have bars
};
void sc_encoder_get_info(const sc_encoder *encoder, struct sc_encoder_info *info);
