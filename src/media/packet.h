// The encoded packet that live streams share: one picture or a piece of sound, with its times.
//
// Wraps one AVPacket. Several outputs hold the same packet; its bytes and fields must not be
// changed once it is shared (a muxer gets a reference of its own: sc_packet_clone).
//
// Thread-safety: Safe to ref/unref from any thread; fields are immutable once shared.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavcodec/packet.h>

#include "base/error.h"
#include "base/ref.h"

enum sc_media { SC_MEDIA_VIDEO, SC_MEDIA_SOUND };

typedef struct sc_packet {
    sc_ref ref; // internal
    AVPacket
        *av; // owned; its times are in its time_base and the same as these but for rounding
    enum sc_media media;
    int64_t pts_ns, dts_ns; // on the stream's clock
    int64_t duration_ns;    // 0 = unknown
    bool key;               // decoding can start here; always so for sound
    size_t bytes;           // memory it holds, for budgets
} sc_packet;

// Takes av over. Its pts, dts (AV_NOPTS_VALUE = as the other one; both absent = 0) and duration are
// read in its time_base; without one they are ns. NULL when memory is out, and av is then still the
// caller's.
sc_packet *sc_packet_wrap(AVPacket *av, enum sc_media media);
sc_packet *sc_packet_ref(sc_packet *packet);
void sc_packet_unref(sc_packet **ppacket); // NULL and &NULL allowed; writes NULL

// Fills `out`, an empty packet, with a reference to the same bytes. SC_ENOMEM.
int sc_packet_clone(AVPacket *out, const sc_packet *packet);
