// A decoded frame as planes: what it is (family, depth, colour), its samples in planar form, and
// their conversion by zimg. What pictures and tensors are made from.
//
// Thread-safety: everything belongs to one thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavutil/frame.h>
#include <zimg.h>

#include "base/error.h"

#define SC_ALIGN(x, n) (((x) + (n)-1) / (n) * (n)) // n > 0

enum sc_family { SC_FAMILY_GRAY, SC_FAMILY_YUV, SC_FAMILY_RGB };

// A planar image; planes are gray, Y Cb Cr or R G B. Samples are bytes for depth 8, else native
// 16-bit words.
struct sc_image {
    enum sc_family family;
    int w, h;         // visible size; chroma planes have the rounded-up share
    int ss_w, ss_h;   // log2 of the chroma subsampling
    int depth;        // bits
    int matrix;       // enum AVColorSpace
    bool full;        // full range
    int siting;       // zimg_chroma_location_e
    int pad_w, pad_h; // size up to which there are valid samples (edges repeated)
    uint8_t *data[3];
    ptrdiff_t stride[3]; // bytes
};

// Memory that only grows, 64-byte aligned.
struct sc_scratch {
    uint8_t *data;
    size_t size;
};
int sc_scratch_need(struct sc_scratch *scratch, size_t size); // 0 or SC_ENOMEM
void sc_scratch_release(struct sc_scratch *scratch);

int sc_image_planes(const struct sc_image *img);
int sc_image_plane_w(const struct sc_image *img, int plane);
int sc_image_plane_h(const struct sc_image *img, int plane);
// Gives img's pad_w x pad_h planes memory from scratch. 0 or SC_ENOMEM.
int sc_image_alloc(struct sc_image *img, struct sc_scratch *scratch);

// --- source: what a frame is, and its planes in a form the other stages take
struct sc_source {
    struct sc_image img;     // data only after sc_source_planes()
    int transfer, primaries; // enum AVColorTransferCharacteristic, AVColorPrimaries
    int how;                 // internal
    bool hdr;                // PQ or HLG
    double peak_nits;        // of an HDR frame's content
};
// SC_EUNSUPPORTED: hardware frames, absurd sizes.
int sc_source_describe(struct sc_source *src, const AVFrame *av, sc_err *err);
// Whether the frame's own samples can be read where they are: whole bytes or native words, as its
// pixel format's component descriptors say (plane, step, offset, shift).
bool sc_source_strided(const struct sc_source *src);
// min_align: byte alignment that data and strides must have; img.pad_* become multiples of the
// subsampling and at least min_pad, by copying where the frame's own planes do not do.
int sc_source_planes(struct sc_source *src, const AVFrame *av, int min_align, int min_pad,
                     struct sc_scratch *scratch);

// The part of a source that is taken, and the size it gets.
struct sc_geometry {
    int out_w, out_h;                 // of the result
    int w, h;                         // before rotation
    double left, top, crop_w, crop_h; // of the source, in its pixels
};

// --- scale: zimg
struct sc_scaler;
struct sc_scaler *sc_scaler_new(void);
void sc_scaler_free(struct sc_scaler **pscaler);
// Converts src (crop region in its pixels) into dst, whose planes are there already. Matrix and
// range are converted too where they differ. SC_EUNSUPPORTED, SC_ENOMEM.
int sc_scaler_run(struct sc_scaler *scaler, const struct sc_image *src,
                  const struct sc_geometry *geo, struct sc_image *dst);

// Kr and Kb of ITU-T H.273 table 4; false for matrices that are not made of them.
bool sc_luma_weights(int matrix, double *kr, double *kb);
