// From a decoded picture to a detector's input tensor, in one pass.
//
// Crop, resize, letterbox, colour, normalise, layout, element type. The picture is seen as it is
// displayed: rotation, flips and sample aspect are applied, matrix and range respected (unspecified
// ones as media/picture.h says). Taken in: planar YUV 4:2:0, 4:2:2, 4:4:4 of 8 to 16 bits, NV12,
// P010, gray, and what else has whole bytes or words as samples; the rest is converted first. HDR is taken as it is.
//
// Three versions (C, AVX2, AVX-512) are chosen at run time; they give the same bytes, so that a
// picture's detections do not depend on the machine's vector units.
//
// Thread-safety: an sc_prepare belongs to one thread at a time.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "media/frame.h"
#include "vision/tensor.h"

enum sc_prepare_fit {
    SC_PREPARE_STRETCH,   // to width x height, aspect lost
    SC_PREPARE_LETTERBOX, // aspect kept, centred, the rest padded (Ultralytics' rounding)
    SC_PREPARE_LETTERBOX_TOP_LEFT // aspect kept, at the top left (YOLOX)
};

struct sc_prepare_params {
    int width, height; // of the tensor, 1..8192
    enum sc_prepare_fit fit;
    bool
        antialias; // bilinear over the covered area when shrinking; else two taps, half-pixel centres
    bool bgr;              // channel order B, G, R
    bool nhwc;             // channels last; else planes
    uint8_t pad;           // letterbox grey, 0..255 before scaling
    float scale;           // multiplies 0..255; 0 = 1
    float mean[3], std[3]; // in the order R, G, B, after scaling; std 0 = 1
    enum sc_element type;  // SC_FLOAT32, SC_FLOAT16, SC_UINT8
};

// How a picture is displayed, and the part of it to be taken.
struct sc_view {
    int rotation;             // clockwise degrees: 0, 90, 180, 270
    bool hflip, vflip;        // after the rotation
    AVRational sample_aspect; // 0/x = the frame's own, or 1/1
    float x, y, w, h;         // crop in pixels of the displayed picture; w or h 0 = all of it
};

// From tensor to picture: displayed_x = x0 + tensor_x * step_x, likewise y.
struct sc_mapping {
    float x0, y0, step_x, step_y;
    int width, height; // of the displayed picture
};

typedef struct sc_prepare sc_prepare;
// SC_EARG, SC_ENOMEM.
int sc_prepare_open(sc_prepare **pprepare, const struct sc_prepare_params *params, sc_err *err);
void sc_prepare_close(sc_prepare **pprepare);
// Bytes of one picture's tensor.
size_t sc_prepare_size(const sc_prepare *prepare);

// Fills `tensor` (sc_prepare_size bytes, aligned to 64) from frame. view and mapping may be NULL: the
// whole picture, upright; not wanted. SC_EARG (the view: rotation, or a crop beside the picture),
// SC_EUNSUPPORTED (pixel format), SC_ENOMEM.
int sc_prepare_run(sc_prepare *prepare, const sc_frame *frame, const struct sc_view *view,
                   void *tensor, struct sc_mapping *mapping, sc_err *err);

// For tests and benches: 0 C, 1 AVX2, 2 AVX-512; false where the machine lacks it.
bool sc_prepare_set_level(sc_prepare *prepare, int level);
