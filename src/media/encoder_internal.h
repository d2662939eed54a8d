// What the parts of the encoder share: its codecs' settings, and pictures as it wants them.
//
// Thread-safety: as sc_encoder.
#pragma once

#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>

#include "media/encoder.h"

// --- codecs: what libavcodec's encoders call the same things

struct sc_encoder_codec {
    const char *name, *alias;  // libavcodec's; what people say
    const char *preset;        // the default where it has such
    const char *preset_option; // what it calls that; NULL = "preset"
    bool sets_bitrate;         // while it runs
    bool even;                 // live: asked for its bitrate as the least one, too, it keeps it
    // Private options in pairs, ended by NULL; those it does not know are skipped.
    const char *always[5], *live[13];
};

// The row of that name or alias, NULL for encoders that are used as they are.
const struct sc_encoder_codec *sc_encoder_codec_find(const char *name);

// --- pictures

// The format an encoder should get for such frames.
enum AVPixelFormat sc_encoder_format(const AVCodec *codec, const AVFrame *like, bool live);

// Fills out, an empty frame, with a reference to frame's pixels or a converted picture: scaled, with
// black bars where its shape is another. sample_aspect is the frame's where it has none of its own.
// *psws is made when it is needed; sws_freeContext() it. SC_ENOMEM, SC_EUNSUPPORTED.
int sc_encoder_fit(struct SwsContext **psws, const AVCodecContext *encoder,
                   const AVFrame *frame, AVRational sample_aspect, AVFrame *out);
