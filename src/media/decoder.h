// A decoder of one indexed video: packets in, frames out, each known by its packet's number.
//
// Wraps libavcodec with the settings that make a linear decode and every random access give the
// same pictures. `threads` > 1 uses frame threads where the codec has them.
//
// Thread-safety: Unsafe; one thread at a time, not necessarily always the same.
#pragma once

#include <libavcodec/avcodec.h>

#include "media/buffers.h"
#include "media/index.h"

typedef struct sc_decoder sc_decoder;

// buffers: where frames' memory comes from; NULL = libavcodec's own pools. The decoder takes a
// reference. SC_EUNSUPPORTED (no such decoder in this FFmpeg), SC_ENOMEM.
int sc_decoder_open(sc_decoder **pdec, sc_index *index, int threads, sc_buffers *buffers,
                    sc_err *err);
void sc_decoder_close(sc_decoder **pdec);

// Sends one packet as sc_source_read() made it (its pts is its number); NULL starts draining.
// SC_EAGAIN: take frames first. SC_EDATA: this packet is damaged, the decoder stays usable.
int sc_decoder_send(sc_decoder *dec, const AVPacket *pkt);

// *frame is the caller's, *packet the number of the packet it came from. SC_EAGAIN, SC_EEOF,
// SC_ENOMEM. A decoder that gives only errors is flushed: SC_EAGAIN, and one more error counted.
int sc_decoder_receive(sc_decoder *dec, AVFrame **frame, int64_t *packet);

// Forgets everything: the next packet must be an entry point.
void sc_decoder_flush(sc_decoder *dec);

// How many complaints about the data the decoder has made since it was opened. Concealment of
// damage depends on the number of threads: where complaints grow, only one thread gives the same
// picture every time.
int64_t sc_decoder_errors(const sc_decoder *dec);

int sc_decoder_threads(const sc_decoder *dec);
// Frames that may be inside before the first comes out: reordering plus threads.
int sc_decoder_delay(const sc_decoder *dec);

// Linear work over packets [from, to): fn gets every frame in the decoder's order (frame is
// borrowed) and stops it by returning non-zero, which is then returned. The last packets are
// drained. Damaged packets are passed over, as a player would; *errors (may be NULL) counts
// complaints as sc_decoder_errors() does.
typedef int sc_decoded_fn(void *arg, AVFrame *frame, int64_t packet);
int sc_decode_range(sc_index *index, const char *path, int64_t from, int64_t to, int threads,
                    sc_cancel *cancel, sc_decoded_fn *fn, void *arg, int64_t *errors,
                    sc_err *err);
