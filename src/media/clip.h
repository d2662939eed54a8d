// Writes the scene as a video file: test and demo material that is the same everywhere.
//
// Frames come from media/scene.h, go through one libavcodec encoder into one libavformat muxer;
// there is no sound.
//
// Thread-safety: Safe; calls share nothing.
#pragma once

#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "media/scene.h"

// All zero is the default clip: 20 s of 1280x720 H.264.
struct sc_clip_params {
    struct sc_scene_params scene;
    int64_t frames;     // 0 = 20 seconds
    const char *codec;  // name of a libavcodec encoder that takes yuv420p; NULL = "libx264"
    const char *preset; // of x264, x265, SVT-AV1; NULL = "veryfast" for x264 and x265
    int crf;            // constant quality, 1..63; 0 = 23. Encoders without one ignore it
    int gop;            // frames between keyframes at most; 0 = 60
    int bframes;        // in a row at most; 0 = 2, < 0 = none
    int threads;        // of the encoder; 0 = its own choice (the cores)
    void (*progress)(void *arg, int64_t done, int64_t frames); // calling thread; may be NULL
    void *progress_arg;
    sc_cancel *cancel; // looked at before each frame
};

// Writes path, replacing a file there; its ending picks the container, without a known one MP4
// (with the index at the front). Blocks until the file is complete. On failure no file is left.
// SC_EARG (err names the field), SC_EUNSUPPORTED (no such encoder, or the container cannot hold
// it), SC_ECANCELLED, SC_ENOSPACE, SC_EDENIED, SC_ENOTFOUND (no such folder), SC_EIO, SC_ENOMEM.
int sc_clip_write(const char *path, const struct sc_clip_params *params, sc_err *err);
