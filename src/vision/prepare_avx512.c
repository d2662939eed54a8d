// The kernels for AVX-512 (F, BW, VL, DQ).
#include <immintrin.h>
#include <string.h>

#include "vision/prepare_internal.h"

#define INLINE static inline __attribute__((always_inline))

// --- down: 32 columns at a time, rows in pairs, as sums of products of words

struct sums {
    __m512i low, high; // halves of each quarter, as unpacking gives them
};

// Words are made signed for the products; the middle of their range comes back with the start of
// the sums, as all weights sum up to SC_TAPS_ONE.
INLINE __m512i load_columns(const uint8_t *row, int x, __mmask32 mask, bool words)
{
    if (!words)
        return _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(mask, row + x));
    __m512i v = _mm512_maskz_loadu_epi16(mask, row + 2 * (ptrdiff_t)x);
    return _mm512_xor_si512(v, _mm512_set1_epi16(INT16_MIN));
}

INLINE __m512i load_weights(const int16_t *weights)
{
    int32_t pair;
    memcpy(&pair, weights, sizeof(pair));
    return _mm512_set1_epi32(pair);
}

INLINE void add_pair(struct sums *sums, __m512i a, __m512i b, __m512i weights)
{
    sums->low =
        _mm512_add_epi32(sums->low, _mm512_madd_epi16(_mm512_unpacklo_epi16(a, b), weights));
    sums->high =
        _mm512_add_epi32(sums->high, _mm512_madd_epi16(_mm512_unpackhi_epi16(a, b), weights));
}

INLINE const uint8_t *second_row(const struct sc_down *d, const uint8_t *row, int k)
{
    return k + 1 < d->n ? row + d->stride : row;
}

INLINE __mmask32 columns_left(const struct sc_down *d, int x)
{
    return d->width - x >= 32 ? (__mmask32)-1 : ((__mmask32)1 << (d->width - x)) - 1;
}

INLINE void down_columns(const struct sc_down *d, __m512i weights, int x, __mmask32 mask,
                         bool words, int16_t *out)
{
    int shift = d->depth - 1;
    __m512i start = _mm512_set1_epi32((1 << (shift - 1)) + (words ? SC_TAPS_ONE << 15 : 0));
    struct sums sums = {start, start};
    const uint8_t *row = d->data, *next = second_row(d, row, 0);
    add_pair(&sums, load_columns(row, x, mask, words), load_columns(next, x, mask, words),
             weights);
    for (int k = 2; k < d->n; k += 2) {
        row += 2 * d->stride;
        next = second_row(d, row, k);
        add_pair(&sums, load_columns(row, x, mask, words), load_columns(next, x, mask, words),
                 load_weights(d->weights + k));
    }
    __m128i count = _mm_cvtsi32_si128(shift);
    __m512i v = _mm512_packs_epi32(_mm512_sra_epi32(sums.low, count),
                                   _mm512_sra_epi32(sums.high, count));
    _mm512_mask_storeu_epi16(out + x, mask, v);
}

// d is a copy that out cannot alias.
INLINE void down_as(struct sc_down d, bool words, int16_t *out)
{
    __m512i weights = load_weights(d.weights);
    int x = 0;
    for (; x + 32 <= d.width; x += 32)
        down_columns(&d, weights, x, (__mmask32)-1, words, out);
    if (x < d.width)
        down_columns(&d, weights, x, columns_left(&d, x), words, out);
}

static void copy_bytes(const struct sc_down *d, int16_t *out)
{
    for (int x = 0; x < d->width; x += 32) {
        __mmask32 mask = columns_left(d, x);
        __m512i v = _mm512_slli_epi16(load_columns(d->data, x, mask, false), 7);
        _mm512_mask_storeu_epi16(out + x, mask, v);
    }
}

static void down(const struct sc_down *d, int16_t *out)
{
    if (d->depth > 8)
        down_as(*d, true, out);
    else if (d->n == 1)
        copy_bytes(d, out);
    else
        down_as(*d, false, out);
}

// --- across: the two samples of a pair of weights are one word of 32 bits

// 64 samples hold all that a block of outputs needs: a permutation takes them out of two registers,
// several times faster than gathering.
static void across_near(const int16_t *row, const struct sc_taps *taps, float *out)
{
    const ptrdiff_t padded = sc_taps_padded(taps->count);
    const __m512i next = _mm512_set1_epi32(1 << 16), step = _mm512_set1_epi16(2);
    for (ptrdiff_t i = 0; i < padded; i += SC_TAPS_BLOCK) {
        const int32_t *first = taps->first + i;
        const int16_t *weights = taps->weights + 2 * i;
        int base = first[0] < first[SC_TAPS_BLOCK - 1] ? first[0] : first[SC_TAPS_BLOCK - 1];
        __m512i a = _mm512_loadu_si512(row + base), b = _mm512_loadu_si512(row + base + 32);
        __m512i at = _mm512_sub_epi32(_mm512_loadu_si512(first), _mm512_set1_epi32(base));
        at = _mm512_add_epi32(_mm512_or_si512(at, _mm512_slli_epi32(at, 16)), next);
        __m512i sum = _mm512_setzero_si512();
        for (int k = 0; k < taps->width; k += 2, weights += 2 * padded) {
            __m512i v = _mm512_permutex2var_epi16(a, at, b);
            sum = _mm512_add_epi32(sum, _mm512_madd_epi16(v, _mm512_loadu_si512(weights)));
            at = _mm512_add_epi16(at, step);
        }
        _mm512_storeu_ps(out + i, _mm512_cvtepi32_ps(sum));
    }
}

// Loaded one by one: processors that guard gathers against leaks take six times as long for them.
INLINE __m128i load_pair(const int16_t *at)
{
    int32_t pair;
    memcpy(&pair, at, sizeof(pair));
    return _mm_cvtsi32_si128(pair);
}

INLINE __m128i load_4_pairs(const int16_t *row, const int32_t *first)
{
    __m128i a = _mm_unpacklo_epi32(load_pair(row + first[0]), load_pair(row + first[1]));
    __m128i b = _mm_unpacklo_epi32(load_pair(row + first[2]), load_pair(row + first[3]));
    return _mm_unpacklo_epi64(a, b);
}

static void across_far(const int16_t *row, const struct sc_taps *taps, float *out)
{
    const ptrdiff_t padded = sc_taps_padded(taps->count);
    for (ptrdiff_t i = 0; i < padded; i += 4) {
        const int16_t *weights = taps->weights + 2 * i;
        __m128i sum = _mm_setzero_si128();
        for (int k = 0; k < taps->width; k += 2, weights += 2 * padded) {
            __m128i w = _mm_loadu_si128((const __m128i *)(const void *)weights);
            __m128i v = load_4_pairs(row + k, taps->first + i);
            sum = _mm_add_epi32(sum, _mm_madd_epi16(v, w));
        }
        _mm_storeu_ps(out + i, _mm_cvtepi32_ps(sum));
    }
}

static void across(const int16_t *row, const struct sc_taps *taps, float *out)
{
    (taps->span16 <= 64 ? across_near : across_far)(row, taps, out);
}

// --- colour

INLINE __m512 channel(const __m512 in[3], const struct sc_colour *colour, int c)
{
    const float *m = colour->m[c];
    __m512 v = _mm512_mul_ps(_mm512_set1_ps(m[0]), in[0]);
    v = _mm512_add_ps(v, _mm512_mul_ps(_mm512_set1_ps(m[1]), in[1]));
    v = _mm512_add_ps(v, _mm512_mul_ps(_mm512_set1_ps(m[2]), in[2]));
    v = _mm512_add_ps(v, _mm512_set1_ps(m[3]));
    v = _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_set1_ps(255));
    return _mm512_add_ps(_mm512_mul_ps(v, _mm512_set1_ps(colour->gain[c])),
                         _mm512_set1_ps(colour->bias[c]));
}

INLINE void store(void *out, __mmask16 mask, __m512 v, enum sc_element type)
{
    if (type == SC_FLOAT32) {
        _mm512_mask_storeu_ps(out, mask, v);
    } else if (type == SC_FLOAT16) {
        _mm256_mask_storeu_epi16(out, mask, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    } else {
        v = _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_set1_ps(255));
        _mm_mask_storeu_epi8(out, mask, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
    }
}

INLINE void colour_columns(const float *const in[3], int i, __mmask16 mask,
                           const struct sc_colour *colour, enum sc_element type,
                           void *const out[3])
{
    const __m512 v[3] = {_mm512_loadu_ps(in[0] + i), _mm512_loadu_ps(in[1] + i),
                         _mm512_loadu_ps(in[2] + i)};
    for (int c = 0; c < 3; c++)
        store((uint8_t *)out[c] + (size_t)i * sc_element_size(type), mask,
              channel(v, colour, c), type);
}

// colour is a copy that out cannot alias.
INLINE void colours_as(const float *const in[3], int n, struct sc_colour colour,
                       enum sc_element type, void *const out[3])
{
    int i = 0;
    for (; i + 16 <= n; i += 16)
        colour_columns(in, i, (__mmask16)-1, &colour, type, out);
    if (i < n)
        colour_columns(in, i, (__mmask16)((1U << (n - i)) - 1), &colour, type, out);
}

static void colours(const float *const in[3], int n, const struct sc_colour *colour,
                    enum sc_element type, void *const out[3])
{
    if (type == SC_FLOAT32)
        colours_as(in, n, *colour, SC_FLOAT32, out);
    else if (type == SC_FLOAT16)
        colours_as(in, n, *colour, SC_FLOAT16, out);
    else
        colours_as(in, n, *colour, SC_UINT8, out);
}

static bool supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

const struct sc_kernels sc_kernels_avx512 = {
    .name = "avx512",
    .supported = supported,
    .down = down,
    .across = across,
    .colour = colours,
};
