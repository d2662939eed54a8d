// Pictures turned by quarter turns and mirrored, as the side data of a container asks for.
//
// Thread-safety: Safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavformat/avformat.h>

#include "base/error.h"

// How a coded picture is to be shown: turned, then flipped. Zero is as it is.
struct sc_turn {
    int rotation; // clockwise degrees: 0, 90, 180, 270
    bool hflip, vflip;
};

// What the stream's display matrix says, to the next quarter turn.
struct sc_turn sc_turn_of(const AVStream *stream);
bool sc_turn_any(struct sc_turn turn); // false: as it is

// Turns a plane of w x h samples of `step` bytes; dst has its sides swapped after a quarter turn.
void sc_turn_plane(struct sc_turn turn, int step, const uint8_t *src, ptrdiff_t src_stride,
                   int w, int h, uint8_t *dst, ptrdiff_t dst_stride);

// in turned, as a new picture: the caller's, NULL on failure. Times, colour and side data are in's, but
// for the display matrix; the sample aspect and the subsampling turn with the picture. SC_EUNSUPPORTED: a
// pixel format whose samples do not lie by themselves. SC_ENOMEM.
int sc_turn_frame(AVFrame **out, const AVFrame *in, struct sc_turn turn);
