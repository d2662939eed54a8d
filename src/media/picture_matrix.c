// Y'CbCr to Y'CbCr of BT.601 without a detour over RGB, for 8-bit planes.
//
// Any pair of such spaces differs by a linear map whose chroma rows do not depend on luma:
//   Y' = g Y + a Cb + b Cr,  Cb' = c Cb + d Cr,  Cr' = e Cb + f Cr
// so chroma stays at its own resolution and luma gets a small, smooth correction, interpolated
// bilinearly from the chroma grid at the sites where the chroma is.
#include <math.h>
#include <string.h>

#include <libavutil/pixfmt.h>

#include "media/picture_internal.h"

#define BAND_MAX 16 // luma rows done in one go

bool sc_luma_weights(int matrix, double *kr, double *kb)
{
    static const struct {
        int matrix;
        double kr, kb;
    } table[] = {
        {AVCOL_SPC_BT709, 0.2126, 0.0722},   {AVCOL_SPC_FCC, 0.30, 0.11},
        {AVCOL_SPC_BT470BG, 0.299, 0.114},   {AVCOL_SPC_SMPTE170M, 0.299, 0.114},
        {AVCOL_SPC_SMPTE240M, 0.212, 0.087}, {AVCOL_SPC_BT2020_NCL, 0.2627, 0.0593},
    };
    for (size_t i = 0; i < SC_COUNT(table); i++) {
        if (table[i].matrix != matrix)
            continue;
        *kr = table[i].kr;
        *kb = table[i].kb;
        return true;
    }
    return false;
}

static int fixed(double x, int one)
{
    return (int)lrint(x * one);
}

bool sc_matrix_init(struct sc_matrix *m, const struct sc_image *src, bool full)
{
    const double dr = 0.299, db = 0.114, dg = 1 - dr - db;
    double kr = dr, kb = db;
    *m = (struct sc_matrix){0};
    if (src->depth != 8 || src->ss_w > 1 || src->ss_h > 1 || src->family == SC_FAMILY_RGB)
        return false;
    if (src->family == SC_FAMILY_YUV &&
        (!sc_luma_weights(src->matrix, &kr, &kb) ||
         (src->siting != ZIMG_CHROMA_CENTER && src->siting != ZIMG_CHROMA_LEFT)))
        return false;
    double kg = 1 - kr - kb;
    // R = Y + 2(1-Kr) Cr, B = Y + 2(1-Kb) Cb, G from Y = Kr R + Kg G + Kb B, at unit scale.
    double a = db * 2 * (1 - kb) - dg * 2 * (1 - kb) * kb / kg; // luma of BT.601 by Cb
    double b = dr * 2 * (1 - kr) - dg * 2 * (1 - kr) * kr / kg; // and by Cr
    double ys = src->full ? 255 : 219, cs = src->full ? 255 : 224;
    double yd = full ? 255 : 219, cd = full ? 255 : 224;
    double y0s = src->full ? 0 : 16, y0d = full ? 0 : 16;
    m->shift = src->ss_w && src->siting == ZIMG_CHROMA_LEFT;
    m->luma_gain = fixed(yd / ys, 16384);
    m->luma_offset = fixed(y0d - y0s * yd / ys, 64) + 32;
    m->luma_cb = fixed(a * yd / cs, 32768);
    m->luma_cr = fixed(b * yd / cs, 32768);
    m->cb_cb = fixed((2 * (1 - kb) - a) / (2 * (1 - db)) * cd / cs, 16384);
    m->cb_cr = fixed(-b / (2 * (1 - db)) * cd / cs, 16384);
    m->cr_cb = fixed(-a / (2 * (1 - dr)) * cd / cs, 16384);
    m->cr_cr = fixed((2 * (1 - kr) - b) / (2 * (1 - dr)) * cd / cs, 16384);
    m->identity = src->full == full && !m->shift && !m->luma_cb && !m->luma_cr;
    return true;
}

// Scratch holds one row of corrections for each chroma row of the band and its two neighbours,
// and one to work in, each with PAD words on both sides, so that the neighbours of the edges can
// be read.
#define PAD  32
#define ROWS (BAND_MAX + 3)

static size_t row_words(int w)
{
    return (size_t)SC_ALIGN(w + 2, 32) + 2 * PAD;
}

size_t sc_matrix_scratch(int w)
{
    return ROWS * row_words(w) * sizeof(int16_t);
}

// 0..255, still as a 16-bit word.
static inline int16_t clip(int16_t v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

// The upper half of the product: one instruction for eight or sixteen of them.
static inline int16_t mul_high(int16_t a, int16_t b)
{
    return (int16_t)((a * b) >> 16);
}

// What luma gets from chroma and from the move of black, in 1/64 of a level.
SC_CLONES static void correction_row(const uint8_t *restrict cb, const uint8_t *restrict cr,
                                     int n, struct sc_matrix m, int16_t *restrict out)
{
    int16_t by_cb = (int16_t)m.luma_cb, by_cr = (int16_t)m.luma_cr;
    for (int i = 0; i < n; i++) {
        int16_t u = (int16_t)((cb[i] - 128) * 128), v = (int16_t)((cr[i] - 128) * 128);
        out[i] = (int16_t)(mul_high(u, by_cb) + mul_high(v, by_cr) + m.luma_offset);
    }
    out[-1] = out[0];
    out[n] = out[n - 1];
}

// Both new chroma samples from the old, these in 1/128.
static inline void turn(const struct sc_matrix *m, int16_t u, int16_t v, uint8_t *cb,
                        uint8_t *cr)
{
    const int16_t half = 128 * 32 + 17; // and what mul_high() cuts off, on average
    int16_t b =
        (int16_t)(mul_high(u, (int16_t)m->cb_cb) + mul_high(v, (int16_t)m->cb_cr) + half);
    int16_t r =
        (int16_t)(mul_high(u, (int16_t)m->cr_cb) + mul_high(v, (int16_t)m->cr_cr) + half);
    *cb = (uint8_t)clip((int16_t)(b >> 5));
    *cr = (uint8_t)clip((int16_t)(r >> 5));
}

SC_CLONES static void chroma_row(struct sc_matrix m, const uint8_t *restrict u,
                                 const uint8_t *restrict v, int n, uint8_t *restrict cb,
                                 uint8_t *restrict cr)
{
    for (int i = 0; i < n; i++)
        turn(&m, (int16_t)((u[i] - 128) * 128), (int16_t)((v[i] - 128) * 128), cb + i, cr + i);
}

// From siting left to centre: a quarter of a chroma sample to the right, by the Catmull-Rom
// weights for t = 1/4.
static inline int16_t quarter(int a, int b, int c, int d)
{
    return (int16_t)(110 * b + 30 * c - 8 * a - 4 * d - 128 * 128);
}

SC_CLONES static void shifted_inner(struct sc_matrix m, const uint8_t *restrict u,
                                    const uint8_t *restrict v, int n, uint8_t *restrict cb,
                                    uint8_t *restrict cr)
{
    for (int i = 1; i < n - 2; i++)
        turn(&m, quarter(u[i - 1], u[i], u[i + 1], u[i + 2]),
             quarter(v[i - 1], v[i], v[i + 1], v[i + 2]), cb + i, cr + i);
}

static int clamp_to(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static int16_t quarter_at_edge(const uint8_t *c, int i, int n)
{
    return quarter(c[clamp_to(i - 1, n)], c[i], c[clamp_to(i + 1, n)], c[clamp_to(i + 2, n)]);
}

static void shifted_row(const struct sc_matrix *m, const uint8_t *u, const uint8_t *v, int n,
                        uint8_t *cb, uint8_t *cr)
{
    shifted_inner(*m, u, v, n, cb, cr);
    for (int i = 0; i < n; i = i == 0 && n > 3 ? n - 2 : i + 1)
        turn(m, quarter_at_edge(u, i, n), quarter_at_edge(v, i, n), cb + i, cr + i);
}

// v in 1/256, gain in 1/16384, add in 1/64.
static inline uint16_t luma(uint16_t v, uint16_t gain, int16_t add)
{
    int16_t scaled = (int16_t)(((uint32_t)v * gain) >> 16);
    return (uint16_t)clip((int16_t)((int16_t)(scaled + add) >> 6));
}

SC_CLONES static void luma_row(const uint8_t *restrict y, const int16_t *restrict add, int n,
                               uint16_t gain, uint8_t *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = (uint8_t)luma((uint16_t)(y[i] << 8), gain, add[i]);
}

SC_CLONES static void luma_row_alone(const uint8_t *restrict y, int n, uint16_t gain,
                                     int16_t offset, uint8_t *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = (uint8_t)luma((uint16_t)(y[i] << 8), gain, offset);
}

// Two luma samples as one word, taken out as its upper byte: they stay in the lane of their chroma
// sample, and nothing needs to be shuffled.
typedef uint16_t __attribute__((may_alias, aligned(1))) pair;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FIRST(p)   ((uint16_t)((p) << 8))
#define SECOND(p)  ((uint16_t)((p)&0xff00u))
#define PAIR(a, b) ((pair)((a) | (b) << 8))
#else
#define FIRST(p)   ((uint16_t)((p)&0xff00u))
#define SECOND(p)  ((uint16_t)((p) << 8))
#define PAIR(a, b) ((pair)((a) << 8 | (b)))
#endif

static inline int16_t blend(int16_t near, int16_t far)
{
    return (int16_t)((int16_t)(3 * near + far + 2) >> 2); // all in 16 bits: twice the lanes
}

SC_CLONES static void luma_pairs_left(const pair *restrict y, const int16_t *restrict near,
                                      const int16_t *restrict far, int n, uint16_t gain,
                                      pair *restrict out)
{
    for (int i = 0; i < n; i++) {
        int16_t a = blend(near[i], far[i]), b = blend(near[i + 1], far[i + 1]);
        int16_t between = (int16_t)((int16_t)(a + b + 1) >> 1);
        out[i] = PAIR(luma(FIRST(y[i]), gain, a), luma(SECOND(y[i]), gain, between));
    }
}

SC_CLONES static void luma_pairs_centre(const pair *restrict y, const int16_t *restrict near,
                                        const int16_t *restrict far, int n, uint16_t gain,
                                        pair *restrict out)
{
    for (int i = 0; i < n; i++) {
        int16_t a = blend(near[i - 1], far[i - 1]), b = blend(near[i], far[i]);
        int16_t c = blend(near[i + 1], far[i + 1]);
        out[i] =
            PAIR(luma(FIRST(y[i]), gain, blend(b, a)), luma(SECOND(y[i]), gain, blend(b, c)));
    }
}

// The band being converted: correction[0] belongs to the chroma row above it.
struct rows {
    const struct sc_matrix *m;
    const struct sc_image *src;
    int16_t *correction[ROWS];
};

static const uint8_t *plane_row(const struct sc_image *img, int plane, int y)
{
    return img->data[plane] + clamp_to(y, sc_image_plane_h(img, plane)) * img->stride[plane];
}

static void do_luma(const struct rows *r, int y, int in_band, uint8_t *out)
{
    const struct sc_image *src = r->src;
    const uint8_t *in = plane_row(src, 0, y);
    uint16_t gain = (uint16_t)r->m->luma_gain;
    if (src->family == SC_FAMILY_GRAY || (!r->m->luma_cb && !r->m->luma_cr)) {
        luma_row_alone(in, src->w, gain, (int16_t)r->m->luma_offset, out);
        return;
    }
    int j = 1 + (in_band >> src->ss_h);
    int16_t *near = r->correction[j], *far = near;
    if (src->ss_h)
        far = r->correction[in_band & 1 ? j + 1 : j - 1];
    if (!src->ss_w) {
        int16_t *between = r->correction[ROWS - 1];
        for (int i = 0; i < src->w; i++)
            between[i] = blend(near[i], far[i]);
        luma_row(in, between, src->w, gain, out);
        return;
    }
    int pairs = src->w / 2;
    (r->m->shift ? luma_pairs_left : luma_pairs_centre)((const pair *)(const void *)in, near,
                                                        far, pairs, gain, (pair *)(void *)out);
    if (src->w % 2)
        out[src->w - 1] =
            luma((uint16_t)(in[src->w - 1] << 8), gain, blend(near[pairs], far[pairs]));
}

static void do_chroma(const struct rows *r, int j, uint8_t *cb, uint8_t *cr)
{
    const uint8_t *u = plane_row(r->src, 1, j), *v = plane_row(r->src, 2, j);
    int n = sc_image_plane_w(r->src, 1);
    if (r->m->shift)
        shifted_row(r->m, u, v, n, cb, cr);
    else
        chroma_row(*r->m, u, v, n, cb, cr);
}

static void convert_rows(const struct rows *r, int y, int rows, uint8_t *const dst[3],
                         const ptrdiff_t stride[3])
{
    const struct sc_image *src = r->src;
    int j0 = y >> src->ss_h, chroma_rows = (rows + src->ss_h) >> src->ss_h;
    int n = sc_image_plane_w(src, 1);
    for (int j = -1; j <= chroma_rows && src->family != SC_FAMILY_GRAY; j++) {
        correction_row(plane_row(src, 1, j0 + j), plane_row(src, 2, j0 + j), n, *r->m,
                       r->correction[j + 1]);
        if (j >= 0 && j < chroma_rows)
            do_chroma(r, j0 + j, dst[1] + j * stride[1], dst[2] + j * stride[2]);
    }
    for (int i = 0; i < rows; i++)
        do_luma(r, y + i, i, dst[0] + i * stride[0]);
}

static void copy_rows(const struct sc_image *src, int y, int rows, uint8_t *const dst[3],
                      const ptrdiff_t stride[3])
{
    for (int p = 0; p < sc_image_planes(src); p++) {
        int shift = p ? src->ss_h : 0;
        for (int i = 0; i < SC_ALIGN(rows, 1 << shift) >> shift; i++)
            memcpy(dst[p] + i * stride[p], plane_row(src, p, (y >> shift) + i),
                   (size_t)sc_image_plane_w(src, p));
    }
}

void sc_matrix_rows(const struct sc_matrix *m, const struct sc_image *src, int y, int rows,
                    uint8_t *const dst[3], const ptrdiff_t stride[3], void *scratch)
{
    if (m->identity) {
        copy_rows(src, y, rows, dst, stride);
        return;
    }
    struct rows r = {.m = m, .src = src};
    for (int i = 0; i < ROWS; i++)
        r.correction[i] = (int16_t *)scratch + PAD + (size_t)i * row_words(src->w);
    for (int done = 0; done < rows; done += BAND_MAX) {
        uint8_t *at[3] = {dst[0] + done * stride[0]};
        for (int p = 1; p < sc_image_planes(src); p++)
            at[p] = dst[p] + (done >> src->ss_h) * stride[p];
        convert_rows(&r, y + done, rows - done < BAND_MAX ? rows - done : BAND_MAX, at, stride);
    }
}
