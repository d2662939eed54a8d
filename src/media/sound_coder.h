// Sound of any codec into another: AAC for containers that take little else, Opus for WebRTC.
//
// AAC keeps sample rate and channels. Opus is of 48 kHz, one or two channels, 20 ms a packet. Times follow
// the packets': a gap of theirs is a gap here.
//
// Thread-safety: Unsafe; one thread at a time.
#pragma once

#include <libavcodec/codec_par.h>

#include "base/error.h"
#include "media/packet.h"

typedef struct sc_sound_coder sc_sound_coder;

enum sc_sound_kind { SC_SOUND_AAC, SC_SOUND_OPUS };

// SC_EUNSUPPORTED: libavcodec cannot decode it, or has no such encoder, or AAC has no such sample rate.
// *pcoder is NULL then.
int sc_sound_coder_open(sc_sound_coder **pcoder, const AVCodecParameters *from,
                        enum sc_sound_kind kind);
void sc_sound_coder_close(sc_sound_coder **pcoder); // NULL and &NULL allowed

// What the packets that come out are; as long as the object.
const AVCodecParameters *sc_sound_coder_codec(const sc_sound_coder *coder);

// Decodes and encodes; damaged packets are skipped. SC_ENOMEM, SC_EINTERNAL.
int sc_sound_coder_put(sc_sound_coder *coder, const sc_packet *packet);
// No more packets are put: what is still inside comes out.
void sc_sound_coder_finish(sc_sound_coder *coder);
// The next packet, the caller's. SC_EAGAIN: put more; SC_EEOF: finished, and all is taken.
int sc_sound_coder_get(sc_sound_coder *coder, sc_packet **ppacket);
