// What the parts of the cropper share.
//
//   crop, sizes, siting -> taps: which samples make an output, with what weight, along a side of a plane
//   one row of the result at a time: down (rows -> one row of columns that count) -> across -> result
//
// Rows come first as sums of rows cost the least, and the sums that cost more are then never more than
// the samples of the result. Weights are integers of 1/16384 that sum up to one exactly: what is flat
// stays flat, and all versions of a kernel give the same bytes. In between, samples are 15 bits around
// 0, whatever their depth, so that overshooting has room in a word.
//
// Thread-safety: everything belongs to one sc_cropper, one thread at a time.
#pragma once

#include "media/planes.h"

#define SC_CROP_ONE   16384 // the weights of an output sum up to this
#define SC_CROP_BLOCK 16    // outputs that are summed up together; tables have whole blocks
#define SC_CROP_SLACK 16    // words readable beyond a row, besides the weights of one output

// --- taps: the weighted samples of each output along one side of a plane
struct sc_crop_side {
    int count, samples; // of the result's plane, of the source's
    double start,
        step; // output i lies at start + i * step; 0 is the middle of the first sample
};

struct sc_crop_taps {
    struct sc_crop_side side; // that the rest was made for
    int width;                // weights of each output, even; the ones beyond the plane are 0
    int from, span;           // the samples that count, for any of the outputs
    int group; // across: so many neighbours, 4, 2 or 1, find a pair each in 8 samples in a row
    int32_t *first; // sample of the first weight, counted from `from`
    // down: [count][width]. across: [blocks][width / 2][SC_CROP_BLOCK][2].
    int16_t *weights;
    uint8_t *places; // across: [whole blocks][4], the bytes of a pair in those samples
    struct sc_scratch memory;
};
// Makes the tables unless they are there. 0 or SC_ENOMEM, after which there are none.
int sc_crop_taps_make(struct sc_crop_taps *taps, const struct sc_crop_side *side, bool across);
void sc_crop_taps_release(struct sc_crop_taps *taps);

// --- kernels
struct sc_crop_rows {
    const uint8_t *data; // first column that counts, of the first of the n rows
    ptrdiff_t stride;    // bytes
    int columns;
    int depth; // 8: bytes, else native words of 9..16 bits
    int n;
    const int16_t *weights; // n, and one of 0 more where n is odd
};

struct sc_crop_kernels {
    const char *name;
    bool (*supported)(void);
    // out[x] = weighted sum of column x.
    void (*down)(const struct sc_crop_rows *rows, int16_t *out);
    // A row of the result, of samples of this depth; out has room for whole blocks.
    void (*across)(const int16_t *row, const struct sc_crop_taps *taps, int depth, void *out);
};
extern const struct sc_crop_kernels sc_crop_kernels_c;
#if defined(__x86_64__)
extern const struct sc_crop_kernels sc_crop_kernels_avx2;
#endif

// What sums of `down` start with: rounding, and samples around 0 afterwards.
static inline int32_t sc_crop_down_start(int depth)
{
    return (1 << (depth - 2)) - (SC_CROP_ONE << (depth - 1));
}

static inline int sc_crop_down_shift(int depth)
{
    return depth - 1; // depth + 14 bits to 15
}

static inline int sc_crop_across_shift(int depth)
{
    return 29 - depth; // 15 + 14 bits to depth
}

static inline int32_t sc_crop_across_start(int depth)
{
    return (SC_CROP_ONE << 14) + (1 << (sc_crop_across_shift(depth) - 1));
}
