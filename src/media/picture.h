// Display pictures: from a decoded frame to what a person sees, as JPEG, PNG, WebP or npy.
//
// Sample aspect, rotation and flips are applied (in this order); matrix (BT.601, BT.709, BT.2020,
// SMPTE 240M, FCC, YCgCo, RGB) and range are respected; PQ and HLG are tone-mapped to SDR BT.709
// (how: picture_hdr.c). Primaries of SDR content stay as they are, alpha is left out, interlaced
// frames are shown woven, as decoded.
//
// Unspecified colour: BT.709 from 720 lines or 1280 columns up, else BT.601; limited range except
// for yuvj*, gray and RGB formats (as ffmpeg takes gray). Unspecified chroma siting: left, but
// centre for yuvj*; JPEG and WebP store chroma centred, so it is resampled by the quarter sample
// between the two. JPEG keeps 4:2:0, 4:2:2, 4:4:0 and 4:4:4; RGB gives 4:4:4, 4:1:1 gives 4:2:2,
// 4:1:0 gives 4:2:0, and a turned picture with an odd side gets full chroma on that side.
//
// Thread-safety: sc_picture_encode is safe; scratch memory and conversion graphs are kept per
// thread in an sc_picture_ctx, one thread at a time each.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "media/frame.h"

enum sc_picture_format { SC_PICTURE_JPEG, SC_PICTURE_PNG, SC_PICTURE_WEBP, SC_PICTURE_NPY };
enum sc_picture_fit {
    SC_FIT_CONTAIN, // whole picture within w x h, aspect kept, no bars: the result may be smaller
    SC_FIT_COVER,   // fills w x h, aspect kept, centre crop
    SC_FIT_FILL,    // exactly w x h, stretched
};

#define SC_PICTURE_MAX_SIDE 8192

struct sc_picture_params {
    enum sc_picture_format format;
    int w, h; // 0 = from the other by aspect; both 0 = the display size. <= SC_PICTURE_MAX_SIDE
    enum sc_picture_fit fit;
    int quality;              // 1..100; 0 = 85. PNG and npy ignore it
    int rotation;             // clockwise degrees: 0, 90, 180, 270
    bool hflip, vflip;        // after the rotation
    AVRational sample_aspect; // 0/x = take the frame's own, or 1/1
    int threads; // that may encode a large JPEG, 4 at most; 0 and 1 = only the caller's
};

struct sc_picture_info {
    int width, height; // of the result
    bool tone_mapped;  // HDR was turned into SDR
};

// How a frame's samples are to be read, by the rules above.
struct sc_picture_colour {
    bool rgb, gray;          // else Y'CbCr
    bool full;               // full range
    bool hdr;                // PQ or HLG
    int matrix;              // enum AVColorSpace
    int transfer, primaries; // enum AVColorTransferCharacteristic, AVColorPrimaries
};
// SC_EUNSUPPORTED (pixel format, size). Pure.
int sc_picture_get_colour(struct sc_picture_colour *colour, const AVFrame *av, sc_err *err);

typedef struct sc_picture_ctx sc_picture_ctx;
sc_picture_ctx *sc_picture_ctx_new(void);        // never NULL
void sc_picture_ctx_free(sc_picture_ctx **pctx); // NULL and &NULL allowed; writes NULL

// The size that sc_picture_encode() will give; params as it accepts them. Pure.
void sc_picture_size(const struct sc_picture_params *params, int width, int height,
                     AVRational sample_aspect, int *w, int *h);

// SC_EARG (sizes, quality, rotation, fit, format: err names the field), SC_EUNSUPPORTED (pixel
// format), SC_ENOMEM. *out is the caller's reference, NULL on failure; info may be NULL.
// The same frame and parameters always give the same bytes, whatever threads is.
int sc_picture_encode(sc_picture_ctx *ctx, sc_buf **out, struct sc_picture_info *info,
                      sc_frame *frame, const struct sc_picture_params *params, sc_err *err);

// The same picture as packed RGB24 rows of width * 3 bytes (npy body, tests, detectors' checks).
int sc_picture_rgb(sc_picture_ctx *ctx, sc_buf **out, struct sc_picture_info *info,
                   sc_frame *frame, const struct sc_picture_params *params, sc_err *err);

// NULL when memory is out. The .npy header for an uint8 array (count, h, w, 3), or (h, w, 3) when count is 0.
sc_buf *sc_picture_npy_header(int64_t count, int h, int w);

// "image/jpeg", "image/png", "image/webp", "application/x-npy".
const char *sc_picture_mime(enum sc_picture_format format);
