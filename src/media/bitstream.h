// What a packet's first bytes say: random access, references, fields, damage.
//
// A look at the headers of one access unit, without decoding: enough to build the index. Knows
// H.264, HEVC, MPEG-1/2, MPEG-4 part 2, VP8 and VP9; for other codecs nothing is claimed.
// Every byte is taken as hostile.
//
// Thread-safety: Unsafe; packets must come in decode order.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/codec_par.h>

enum sc_rap {
    SC_RAP_UNKNOWN,  // this codec is not looked into: trust the container's keyframe flag
    SC_RAP_NONE,     // no random access point
    SC_RAP_CLEAN,    // nothing after it refers to anything before it (IDR, VP8/VP9 key)
    SC_RAP_OPEN,     // exact from its own display time on; leading pictures may not be
    SC_RAP_RECOVERY, // exact only some frames later (recovery point with a count), if at all
};

struct sc_au {
    enum sc_rap rap;
    bool broken;     // the structure is not what the codec prescribes: maybe damaged
    bool hidden;     // shows no picture (VP8/VP9 alt-ref)
    bool disposable; // no other picture refers to it
    bool rasl;       // HEVC leading picture that a decoder drops after a CRA it started at
    bool cra;        // HEVC CRA: RASL pictures after it drop if decoding starts here
    bool bla;        // HEVC BLA: its RASL pictures always drop
    bool packed;   // MPEG-4 with several VOPs, or a place holder for one: order needs decoding
    int field;     // H.264: 0 frame, 1 top field, 2 bottom field
    int frame_num; // H.264, for pairing fields
    int layer;     // HEVC temporal id
};

typedef struct sc_bitstream sc_bitstream;

// Never NULL.
sc_bitstream *sc_bitstream_open(const AVCodecParameters *par);
void sc_bitstream_close(sc_bitstream **pbs);

// New out-of-band parameter sets (the stream's own are taken at open).
void sc_bitstream_extradata(sc_bitstream *bs, const uint8_t *data, int size);
void sc_bitstream_inspect(sc_bitstream *bs, const uint8_t *data, int size, struct sc_au *au);
