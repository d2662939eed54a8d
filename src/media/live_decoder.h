// The decoder of a live stream's picture: packets of media/live_input.h in, sc_frames out.
//
// Frames are numbered from 0 in display order and carry the packets' repaired times, which grow
// strictly; they are upright, whatever the streams' turn. What is damaged is passed over and counted; nothing before the first entry point comes
// out. A change of the streams is a new start:
//
//   STREAMS: sc_live_decoder_send(dec, NULL), receive until SC_EEOF, sc_live_decoder_start(dec, streams)
//   PACKET:  if (item.resumed) likewise, with the same streams; then send, receive until SC_EAGAIN
//
// Thread-safety: Unsafe; one thread at a time, not necessarily always the same.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "media/buffers.h"
#include "media/frame.h"
#include "media/live_input.h"

typedef struct sc_live_decoder sc_live_decoder;

// Zero is the default.
struct sc_live_decoder_params {
    int threads; // 0 = for live sources at most 4 slice threads, for others frame threads, at
                 // most as many as cores
    sc_buffers
        *buffers; // where frames' memory comes from; a reference is taken; NULL = libavcodec's
};

// Never NULL in *pdec; nothing is decoded until sc_live_decoder_start().
int sc_live_decoder_open(sc_live_decoder **pdec, const struct sc_live_decoder_params *params,
                         sc_err *err);
void sc_live_decoder_close(sc_live_decoder **pdec); // NULL and &NULL allowed; writes NULL

// Begins with these streams, of which it takes a reference; what is still inside is lost. Numbers and
// times go on. SC_EUNSUPPORTED (no decoder for this codec here), SC_ENOMEM: no packets are taken then.
int sc_live_decoder_start(sc_live_decoder *dec, sc_live_streams *streams, sc_err *err);

// One packet of the picture, which stays the caller's; NULL = no more come: drain. SC_EAGAIN: take
// frames first. SC_EDATA: this packet is damaged and was counted; go on with the next. SC_ENOMEM.
int sc_live_decoder_send(sc_live_decoder *dec, const sc_packet *packet);

// *frame is the caller's. SC_EAGAIN (send more), SC_EEOF (drained), SC_ENOMEM.
int sc_live_decoder_receive(sc_live_decoder *dec, sc_frame **frame);

struct sc_live_decoder_info {
    const char *codec;   // "h264"; static; "" before the first start
    const char *threads; // "none", "slice", "frame"; static
    int thread_count;
    int64_t packets;    // sent
    int64_t frames;     // received
    int64_t damaged;    // packets refused, and frames with damage in them
    int64_t skipped;    // packets before the first entry point
    int64_t complaints; // of libavcodec about the data, concealed damage among them
};
void sc_live_decoder_get_info(const sc_live_decoder *dec, struct sc_live_decoder_info *info);
