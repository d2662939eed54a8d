// What the parts of the picture module share: one planar image type, scratch memory, stages.
//
//   AVFrame -> source (what it is; planar) -> scale (zimg: size, depth, RGB) -> orient -> encoder
//                                          \-> hdr (tone mapping) ---------/
//
// Stages write into scratch memory of the context, one buffer a stage, which the next picture
// overwrites. The matrix from any Y'CbCr to full-range BT.601 (what JPEG stores) is the last
// step, done a band of rows at a time just before they are encoded, while they are in the cache.
//
// Thread-safety: everything belongs to one context, one thread at a time; the JPEG encoder lends
// parts of it to threads that end before it returns.
#pragma once

#include "base/mem.h"
#include "media/picture.h"
#include "media/planes.h"

// Compiled for AVX2 as well and chosen at load time. Sanitizers run before the choice can.
#if defined(__x86_64__) && defined(__has_attribute) && !defined(__SANITIZE_ADDRESS__) &&       \
    !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#if __has_attribute(target_clones)
#define SC_CLONES __attribute__((target_clones("avx2", "default")))
#endif
#endif
#ifndef SC_CLONES
#define SC_CLONES
#endif

// --- size: the geometry of a picture
void sc_geometry_compute(struct sc_geometry *geo, const struct sc_picture_params *params,
                         int width, int height, AVRational sample_aspect);

// --- matrix: 8-bit Y'CbCr of any matrix and siting left or centre to BT.601, siting centre
struct sc_matrix {
    bool identity;
    bool shift;                     // chroma from left to centre
    int luma_gain, luma_offset;     // 1/16384; 1/64 level
    int luma_cb, luma_cr;           // 1/32768 per level
    int cb_cb, cb_cr, cr_cb, cr_cr; // 1/16384
};
bool sc_matrix_init(struct sc_matrix *m, const struct sc_image *src,
                    bool full); // false: cannot
// Bytes of scratch that sc_matrix_rows() needs for images of width w.
size_t sc_matrix_scratch(int w);
// Rows y .. y + rows (y even if ss_h) into dst planes; rows beyond the image repeat its last.
void sc_matrix_rows(const struct sc_matrix *m, const struct sc_image *src, int y, int rows,
                    uint8_t *const dst[3], const ptrdiff_t stride[3], void *scratch);

// --- orient: rotation, then flips
int sc_orient(struct sc_image *img, int rotation, bool hflip, bool vflip,
              struct sc_scratch *scratch);

// --- hdr: full-range 16-bit RGB with PQ or HLG to 8-bit SDR BT.709
struct sc_hdr; // the tables of the last kind of content; about 300 KB
void sc_hdr_free(struct sc_hdr **phdr);
// *phdr is made when NULL. src and dst have equal sizes and planes. Never fails.
void sc_hdr_tone_map(struct sc_hdr **phdr, const struct sc_source *kind,
                     const struct sc_image *src, struct sc_image *dst);

// --- encoders
enum sc_target {
    SC_TARGET_YUV,    // 8-bit Y'CbCr or gray, any matrix sc_matrix_init() takes, ss 0 or 1
    SC_TARGET_YUV420, // the same, 4:2:0
    SC_TARGET_RGB,    // 8-bit full-range planar RGB; gray has three equal planes
};

struct sc_picture_codec {
    const char *mime;
    enum sc_target target;
    int (*encode)(sc_picture_ctx *ctx, sc_buf **out, const struct sc_image *img, int quality);
};
extern const struct sc_picture_codec sc_picture_jpeg, sc_picture_png, sc_picture_webp,
    sc_picture_npy;

#define SC_JPEG_THREADS 4 // at most, for one picture
struct sc_jpeg;
void sc_jpeg_free(struct sc_jpeg **pjpeg);

// Packs rows y .. y + rows of planar RGB into dst, 3 * w bytes a row.
void sc_pack_rgb(const struct sc_image *img, int y, int rows, uint8_t *dst);

struct sc_picture_ctx {
    struct sc_scratch staged, scaled, toned, coloured, turned; // one a stage
    struct sc_scratch band, packed, output;                    // of the encoders
    struct sc_scaler *scaler;
    struct sc_hdr *hdr;                    // made when first used
    struct sc_jpeg *jpeg[SC_JPEG_THREADS]; // each made when first used
    int threads;                           // that may encode the picture in the making
};
