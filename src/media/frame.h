// The decoded frame that every interface above speaks: planes, colour, time, number.
//
// Wraps one AVFrame, as decoded: before rotation, in the decoder's own pixel format. The pixels
// are shared and must not be written once the sc_frame is shared.
//
// Thread-safety: Safe to ref/unref from any thread; fields are immutable once shared.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavutil/frame.h>

#include "base/ref.h"

enum sc_memory { SC_MEMORY_CPU }; // where the planes are

typedef struct sc_frame {
    sc_ref ref;     // internal
    AVFrame *av;    // owned; width/height/format/data/linesize/color_* are what counts
    int64_t n;      // number in display order, from 0
    int64_t pts_ns; // display time, ns from the first displayed frame
    size_t bytes;   // memory it holds, for budgets
    uint64_t hash;  // sc_frame_hash() if it was computed, else 0
    bool verified;  // hash equals the one stored by a linear decode
    enum sc_memory memory;
} sc_frame;

// Takes av over; NULL when memory is out, and av is then still the caller's.
sc_frame *sc_frame_wrap(AVFrame *av, int64_t n, int64_t pts_ns);
sc_frame *sc_frame_ref(sc_frame *frame);
void sc_frame_unref(sc_frame **pframe); // NULL and &NULL allowed; writes NULL

// XXH3-64 over size, pixel format and the visible bytes of all planes; never 0.
uint64_t sc_frame_hash(const AVFrame *av);

// The md5 that `ffmpeg -f framemd5` prints for this frame (rawvideo layout without padding), as
// 32 hex digits and NUL. SC_EUNSUPPORTED for formats that have no rawvideo layout.
int sc_frame_md5(const AVFrame *av, char hex[33]);
