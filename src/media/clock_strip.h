// A clock in the picture that programs can read: the wall clock's milliseconds and the frame's number as
// black and white blocks of luma. They survive encoding and scaling, so whoever sees the picture knows how
// old it is.
//
// A row of 56 square blocks, white = 1, at the left of the top edge, and again of the lower half (something
// may be drawn over one of them): 32 bits of milliseconds since 1970 (the low ones), 16 bits of the frame's
// number, 8 bits of checksum: 37 times the sum of those six bytes. Each part least bit first. A block is an
// 80th of the picture's width, whatever that is, so that scaled pictures are read alike.
//
// Thread-safety: pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libavutil/frame.h>

#define SC_CLOCK_BLOCKS 56
#define SC_CLOCK_MIN    480 // pixels of width, at least

struct sc_clock_stamp {
    uint32_t ms; // of the wall clock
    uint16_t n;
};

// Writes into the luma of a picture that may be written to. False: not a planar or semi-planar YUV or gray picture
// of bytes, or too small; nothing was written.
bool sc_clock_strip_draw(AVFrame *picture, struct sc_clock_stamp stamp);
// False: there is none, or what can be read of it makes no sense.
bool sc_clock_strip_read(const AVFrame *picture, struct sc_clock_stamp *stamp);
