// What the parts of the preparation share.
//
//   frame -> input: where each plane's samples lie, or a converted copy
//   params, view, frame size -> layout -> taps: which samples make an output, with what weight
//   one row of the tensor at a time: down (rows -> one row) -> across (columns) -> colour -> tensor
//
// Luma and chroma are resampled apart, each from its own sites, and meet at the size of the tensor,
// where a matrix is cheap. Weights are integers of 1/16384 and rows 15-bit integers, so that all
// versions of a kernel give the very same sums; from there on it is float, product and sum rounded
// apart (the files are built with -ffp-contract=off), which keeps the versions equal to the bit.
//
// Thread-safety: everything belongs to one sc_prepare, one thread at a time; tables are immutable.
#pragma once

#include "media/planes.h"
#include "vision/prepare.h"

#define SC_TAPS_ONE   16384 // the weights of an output sum up to this
#define SC_TAPS_BLOCK 16    // tables are padded to whole blocks of outputs
#define SC_ROW_SLACK  64    // samples readable beyond a row, besides the weights of one output

// --- input: planes as they lie in memory; gray, Y Cb Cr or R G B
struct sc_plane {
    const uint8_t *data; // of the row's first sample, whichever plane that belongs to
    ptrdiff_t stride;    // bytes
    int w, h;            // samples of this plane
    int step, offset;    // in samples: w are at offset, offset + step, ...
};

struct sc_input {
    struct sc_source source;
    struct sc_plane planes[3];
    int depth; // the top bit of a sample is 1 << (depth - 1): 8, or 9..16 in native words
};

struct sc_input_memory {
    struct sc_scratch staged, converted;
    struct sc_scaler *scaler; // made when first used
};
// The planes live as long as the frame and until the next call with this memory. SC_EUNSUPPORTED,
// SC_ENOMEM.
int sc_input_take(struct sc_input *input, const AVFrame *av, struct sc_input_memory *memory,
                  sc_err *err);
void sc_input_memory_release(struct sc_input_memory *memory);

// --- layout: where the picture lies in the tensor, and the tensor in the picture
struct sc_side { // along one side of the source, in its luma samples
    int count;   // outputs
    double start, length;
    bool reversed; // output 0 is at the end
};

struct sc_layout {
    struct sc_mapping mapping;
    int left, top, w, h; // the part of the tensor that shows the picture
    bool turned;         // rows of the source are columns of the tensor
    struct sc_side x, y;
};
// SC_EARG: the view (rotation, or a crop beside the picture).
int sc_layout_compute(struct sc_layout *layout, const struct sc_prepare_params *params,
                      const struct sc_view *view, const AVFrame *av, sc_err *err);

// --- taps: the weighted samples of each output along one side of a plane
struct sc_taps {
    int count;         // outputs
    int width;         // weights of each, even; the ones beyond the plane are 0
    int span4, span16; // samples that 4 or 16 neighbouring outputs reach over, at most
    int32_t *first;
    // down: [count][width]. across: [width / 2][count in whole blocks][2].
    int16_t *weights;
};

struct sc_taps_params {
    struct sc_side side;
    int luma;      // samples of luma along this side
    int samples;   // of the plane
    int ss;        // log2 of its subsampling
    double origin; // of its sample 0, in luma samples
    bool antialias, across;
};
int sc_taps_init(struct sc_taps *taps, const struct sc_taps_params *params); // 0 or SC_ENOMEM
void sc_taps_release(struct sc_taps *taps);
// Entries of a row of count outputs in whole blocks.
static inline int sc_taps_padded(int count)
{
    return SC_ALIGN(count, SC_TAPS_BLOCK);
}

// --- kernels
struct sc_down {
    const uint8_t *data; // first of the n rows
    ptrdiff_t stride;    // bytes
    int width;           // samples
    int depth;
    int n;
    const int16_t *weights; // n, and one of 0 more where n is odd
};

// v[c] = clamp(m[c] . (y, cb, cr, 1), 0, 255) * gain[c] + bias[c], c in the order of the tensor.
struct sc_colour {
    float m[3][4];
    float gain[3], bias[3];
};
// y, cb and cr as `across` gives them. params for scale, mean, std and channel order.
void sc_colour_init(struct sc_colour *colour, const struct sc_input *input,
                    const struct sc_prepare_params *params);

struct sc_kernels {
    const char *name;
    bool (*supported)(void);
    // out[x] = weighted sum of column x, as 15 bits whatever the depth.
    void (*down)(const struct sc_down *d, int16_t *out);
    // out[i] = weighted sum of row's samples, as taps say; in 1 / (1 << 29) of full scale. out has
    // room for whole blocks.
    void (*across)(const int16_t *row, const struct sc_taps *taps, float *out);
    // n elements of each of three rows; inputs can be read in whole blocks.
    void (*colour)(const float *const in[3], int n, const struct sc_colour *colour,
                   enum sc_element type, void *const out[3]);
};
extern const struct sc_kernels sc_kernels_c;
#if defined(__x86_64__)
extern const struct sc_kernels sc_kernels_avx2, sc_kernels_avx512;
#endif

// v as an element of this type, in the low bits.
uint32_t sc_element_bits(float v, enum sc_element type);
