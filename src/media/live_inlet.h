// A source that the program itself feeds: what a publisher sends (WHIP) becomes a live input.
//
// One side is a publisher at a time, any thread: begin, packets, end. The other side is a live input
// (media/live_input.h) opened with this object and the address "whip:". A publisher that leaves is a
// source that was lost: the input waits for the next one.
//
// Packets are bounded in bytes and number: when nobody reads, or reads too slowly, all up to the next keyframe
// are left out.
//
// Thread-safety: Safe.
#pragma once

#include <stdbool.h>

#include <libavcodec/codec_id.h>

#include "media/packet.h"

typedef struct sc_live_inlet sc_live_inlet;

struct sc_live_inlet_params {
    // The reader cannot go on without a keyframe. Any thread, must not block, calls nothing of the inlet's. NULL =
    // nobody can be asked.
    void (*want_key)(void *arg);
    void *arg;
};

sc_live_inlet *sc_live_inlet_new(void); // never NULL
sc_live_inlet *sc_live_inlet_ref(sc_live_inlet *inlet);
void sc_live_inlet_unref(sc_live_inlet **pinlet); // NULL and &NULL allowed; writes NULL

// A publisher comes. video: AV_CODEC_ID_H264 (Annex B with parameter sets in band) or AV_CODEC_ID_VP8;
// sound: AV_CODEC_ID_OPUS (48 kHz, stereo) or AV_CODEC_ID_NONE. False: there is one already.
bool sc_live_inlet_begin(sc_live_inlet *inlet, enum AVCodecID video, enum AVCodecID sound,
                         const struct sc_live_inlet_params *params);
// packet is borrowed; its times are the publisher's, those of picture and sound by one clock. False: left out.
bool sc_live_inlet_packet(sc_live_inlet *inlet, const sc_packet *packet);
// The publisher has left; what it sent before is still read.
void sc_live_inlet_end(sc_live_inlet *inlet);
bool sc_live_inlet_is_read(sc_live_inlet *inlet); // whether an input is open on it
