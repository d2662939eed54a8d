// From encoded pictures and sound to RTP packets: H.264 (RFC 6184), VP8 (RFC 7741), Opus (RFC 7587).
//
// Made here and not by GStreamer's payloaders because the timestamps on the wire must be the caller's, the
// header extensions must be in every packet (1.22 forgets them where packets travel as lists, and knows
// no playout-delay), and packets of a picture must be able to leave at different moments.
//
// Thread-safety: Unsafe; one owner.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "rtc/offer.h"

#define SC_RTP_PACKET_MAX                                                                      \
    1200 // bytes with header and extensions: fits every path with room for SRTP

struct sc_rtp_params {
    enum sc_rtc_codec codec;
    int payload; // type, 0..127
    uint32_t ssrc;
    int twcc_id, playout_id; // of the header extensions, 1..14; others = without
    int playout_min_ms, playout_max_ms;
};

// An embedded value; sc_rtp_cutter_init() begins it anew, nothing needs to be released.
struct sc_rtp_cutter {
    struct sc_rtp_params params;
    uint8_t extension[16]; // what follows the fixed header of each packet
    size_t extension_size;
    uint16_t seq;     // of the next packet
    uint16_t picture; // of the next VP8 frame, 15 bits
};
void sc_rtp_cutter_init(struct sc_rtp_cutter *cutter, const struct sc_rtp_params *params);

// Bytes of a packet that are header and extensions.
size_t sc_rtp_overhead(const struct sc_rtp_cutter *cutter);

// packet: borrowed, size bytes, as it goes to SRTP. The last one of a picture has the marker bit.
typedef void sc_rtp_emit(void *arg, const uint8_t *packet, size_t size);

// The sequence number of a packet.
uint16_t sc_rtp_seq(const uint8_t *packet);
// Writes the transport-wide number into a packet of this cutter, or a repetition of it; where there is a place for it.
void sc_rtp_number(const struct sc_rtp_cutter *cutter, uint8_t *packet, uint16_t number);

// A stream of repetitions (RFC 4588).
struct sc_rtp_rtx {
    int payload; // type; 0 = nothing is sent again
    uint32_t ssrc;
    uint16_t seq; // of the next packet
};
#define SC_RTP_RTX_EXTRA 2 // bytes that a repetition is longer by
// Writes the repetition of a packet of this cutter. Returns its size.
size_t sc_rtp_repeat(const struct sc_rtp_cutter *cutter, uint8_t *to, const uint8_t *packet,
                     size_t size, struct sc_rtp_rtx *rtx);

// Gives out the packets of one access unit (Annex B), VP8 frame or Opus packet. Access unit delimiters and
// filler are left out, and so are units that cannot be (empty, or of a reserved first bit). Nothing usable in
// it: nothing comes out. Returns how many packets.
int sc_rtp_cut(struct sc_rtp_cutter *cutter, const uint8_t *data, size_t size,
               uint32_t timestamp, sc_rtp_emit *emit, void *arg);
