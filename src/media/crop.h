// A part of a picture as a picture of its own: what a virtual camera shows.
//
// The part may lie anywhere between samples and move by fractions of one from picture to picture;
// luma and chroma follow it exactly, so a slow pan glides. Where the result is smaller than the part,
// all samples of it count (no shimmering). Nothing is read outside the picture: what a filter wants
// beyond the edges repeats them.
//
// Thread-safety: an sc_cropper belongs to one thread at a time.
#pragma once

#include <stdbool.h>

#include <libavutil/frame.h>

#include "base/error.h"

// In pixels of the picture; edges lie between pixels.
struct sc_crop {
    float x, y, w, h;
};

typedef struct sc_cropper sc_cropper;

struct sc_cropper_params {
    int width, height; // of the result, 1..8192
};
// SC_EARG. On failure *out is NULL.
int sc_cropper_open(sc_cropper **out, const struct sc_cropper_params *params, sc_err *err);
void sc_cropper_close(sc_cropper **pcropper); // NULL and &NULL allowed; writes NULL

// The crop of in, stretched to the result's size. It is in samples of in as decoded (before sample
// aspect and rotation); what lies outside the picture is cut off, and one that is not finite, or
// smaller than a sample, is the whole picture. *out is the caller's, NULL on failure; it carries the times and
// side data of in, its colour, and a sample aspect that keeps things in shape. Its pixel format is that of in
// where its samples are planar bytes or native words, else the planar one with the same depth and
// subsampling. Blocks. SC_EUNSUPPORTED (pixel format, size), SC_ENOMEM.
int sc_cropper_run(sc_cropper *cropper, AVFrame **out, const AVFrame *in,
                   const struct sc_crop *crop, sc_err *err);

// For tests and benches: 0 C, 1 AVX2, which give the same bytes; false where the machine lacks it.
bool sc_cropper_set_level(sc_cropper *cropper, int level);
