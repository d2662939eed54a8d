// Which pictures each picture of an H.264 stream refers to, found from headers alone.
//
// Follows the decoded picture buffer as a decoder would: picture order (ITU-T H.264, 8.2.1),
// reference lists (8.2.4) and marking (8.2.5). Frames with short-term references are followed;
// fields, long-term references, gaps and whatever else is rare are not, and then it says so: a
// caller that takes "not known" for "everything before" is always right.
//
// A picture that nobody needs but that has its place in the buffer is passed over by sending the
// decoder a *stand-in*: a grey picture that costs next to nothing and takes the same place.
//
// Thread-safety: Unsafe.
#pragma once

#include <libavcodec/codec_par.h>
#include <libavcodec/packet.h>

#include "media/h264.h"

#define SC_H264_REFS_UNKNOWN (-1)

typedef struct sc_h264_refs sc_h264_refs;

// False where references cannot be followed: other codecs, units behind start codes.
bool sc_h264_refs_possible(const AVCodecParameters *par);
// NULL where not possible.
sc_h264_refs *sc_h264_refs_open(const AVCodecParameters *par);
void sc_h264_refs_close(sc_h264_refs **prefs);

// Forgets all pictures: the next packet is an entry point.
void sc_h264_refs_reset(sc_h264_refs *refs);

// New extradata that comes with the next packet. What is no avcC box is passed over, as it is by
// decoders.
void sc_h264_refs_extradata(sc_h264_refs *refs, const uint8_t *data, int size);

// Takes the next packet in decode order, known by its number. Returns how many packets its
// pictures may refer to and their numbers in `to`, or SC_H264_REFS_UNKNOWN.
int sc_h264_refs_add(sc_h264_refs *refs, int64_t number, const uint8_t *data, int size,
                     int64_t to[SC_H264_MAX_REFS]);

// Replaces what is in pkt, a packet that was added, by its stand-in. False, and pkt is unchanged,
// where there is none.
bool sc_h264_refs_stand_in(const sc_h264_refs *refs, AVPacket *pkt);

// Makes pkt a *filler*: a grey picture that no other refers to, displayed right behind that of the
// packet added last. It pushes pictures out of a decoder that was sent exactly what was added,
// and leaves its references as they are. False where there is none.
bool sc_h264_refs_filler(const sc_h264_refs *refs, AVPacket *pkt);
