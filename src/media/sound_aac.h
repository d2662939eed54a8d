// Sound of any codec into AAC, for containers that take little else.
//
// Sample rate and channels stay as they are. Times follow the packets': a gap of theirs is a gap here.
//
// Thread-safety: Unsafe; one thread at a time.
#pragma once

#include <libavcodec/codec_par.h>

#include "base/error.h"
#include "media/packet.h"

typedef struct sc_sound_aac sc_sound_aac;

// SC_EUNSUPPORTED: libavcodec cannot decode it, or AAC has no such sample rate. *paac is NULL then.
int sc_sound_aac_open(sc_sound_aac **paac, const AVCodecParameters *from);
void sc_sound_aac_close(sc_sound_aac **paac); // NULL and &NULL allowed

// What the packets that come out are; as long as the object.
const AVCodecParameters *sc_sound_aac_codec(const sc_sound_aac *aac);

// Decodes and encodes; damaged packets are skipped. SC_ENOMEM, SC_EINTERNAL.
int sc_sound_aac_put(sc_sound_aac *aac, const sc_packet *packet);
// No more packets are put: what is still inside comes out.
void sc_sound_aac_finish(sc_sound_aac *aac);
// The next packet, the caller's. SC_EAGAIN: put more; SC_EEOF: finished, and all is taken.
int sc_sound_aac_get(sc_sound_aac *aac, sc_packet **ppacket);
