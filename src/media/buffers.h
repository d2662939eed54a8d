// Memory for decoded frames, shared by all decoders of a reader engine.
//
// libavcodec pools frame memory per decoder and gives none of it back while the decoder lives: with
// a cache of frames from many decoders the process grows far beyond the cache's budget. Here a freed
// frame's memory serves any decoder, and beyond a small reserve it goes back to the system.
//
// Thread-safety: Safe. Frames may outlive everybody else: each holds a reference.
#pragma once

#include <libavcodec/avcodec.h>

typedef struct sc_buffers sc_buffers;

// reserve_bytes: how much freed memory is kept at hand. Never NULL.
sc_buffers *sc_buffers_new(size_t reserve_bytes);
sc_buffers *sc_buffers_ref(sc_buffers *buffers);
void sc_buffers_unref(sc_buffers **pbuffers);

// Gives frame memory for its format, width and height as ctx wants it aligned, as
// AVCodecContext.get_buffer2 does; without ctx (NULL), rows of a multiple of 64 bytes. 0 or an
// AVERROR.
int sc_buffers_get(sc_buffers *buffers, AVCodecContext *ctx, AVFrame *frame);
