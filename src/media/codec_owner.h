// What our decoder contexts carry in `opaque`: the count of complaints, and where frames live.
//
// libavcodec tells of concealed damage in its log only. sc_codec_listen(), or the first owner that is
// attached, puts one log callback into libav, for the whole process: it counts for contexts with an
// owner, and prints nothing, as what libav prints holds addresses with their passwords.
//
// Thread-safety: Safe; complaints come from any of a codec's threads.
#pragma once

#include <stdatomic.h>

#include <libavcodec/avcodec.h>

#include "media/buffers.h"

struct sc_codec_owner {
    atomic_int_fast64_t complaints;
    sc_buffers *buffers; // NULL: libavcodec's own
};

void sc_codec_listen(void);

// ctx is not open yet, and its opaque belongs to this from here on. Takes a reference to buffers
// (may be NULL). The owner outlives ctx.
void sc_codec_owner_attach(struct sc_codec_owner *owner, AVCodecContext *ctx,
                           sc_buffers *buffers);
void sc_codec_owner_release(
    struct sc_codec_owner *owner); // after ctx is freed; zeroed is allowed
