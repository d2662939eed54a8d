// The kernels for AVX2 with F16C.
#include <immintrin.h>
#include <string.h>

#include "vision/prepare_internal.h"

#define INLINE static inline __attribute__((always_inline))

// --- down: 16 columns at a time, rows in pairs, as sums of products of words

struct sums {
    __m256i low, high; // of columns 0-3 and 8-11, 4-7 and 12-15: as unpacking gives them
};

// Words are made signed for the products; the middle of their range comes back with the start of
// the sums, as all weights sum up to SC_TAPS_ONE.
INLINE __m256i load_columns(const uint8_t *row, int x, bool words)
{
    if (!words)
        return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(row + x)));
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(row + 2 * (ptrdiff_t)x));
    return _mm256_xor_si256(v, _mm256_set1_epi16(INT16_MIN));
}

INLINE void add_pair(struct sums *sums, __m256i a, __m256i b, const int16_t *weights)
{
    int32_t pair;
    memcpy(&pair, weights, sizeof(pair));
    __m256i w = _mm256_set1_epi32(pair);
    sums->low = _mm256_add_epi32(sums->low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), w));
    sums->high =
        _mm256_add_epi32(sums->high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), w));
}

INLINE void down_columns(const struct sc_down *d, int x, bool words, int16_t *out)
{
    int shift = d->depth - 1;
    __m256i start = _mm256_set1_epi32((1 << (shift - 1)) + (words ? SC_TAPS_ONE << 15 : 0));
    struct sums sums = {start, start};
    const uint8_t *row = d->data;
    for (int k = 0; k < d->n; k += 2, row += 2 * d->stride) {
        const uint8_t *next = k + 1 < d->n ? row + d->stride : row;
        add_pair(&sums, load_columns(row, x, words), load_columns(next, x, words),
                 d->weights + k);
    }
    __m128i count = _mm_cvtsi32_si128(shift);
    __m256i v = _mm256_packs_epi32(_mm256_sra_epi32(sums.low, count),
                                   _mm256_sra_epi32(sums.high, count));
    _mm256_storeu_si256((__m256i *)(void *)(out + x), v);
}

// The last columns are done together with some before them.
INLINE void down_as(const struct sc_down *d, bool words, int16_t *out)
{
    for (int x = 0; x + 16 <= d->width; x += 16)
        down_columns(d, x, words, out);
    if (d->width % 16)
        down_columns(d, d->width - 16, words, out);
}

static void copy_bytes(const struct sc_down *d, int16_t *out)
{
    for (int i = 0; i < d->width; i += 16) {
        int x = i + 16 <= d->width ? i : d->width - 16;
        __m256i v = _mm256_slli_epi16(load_columns(d->data, x, false), 7);
        _mm256_storeu_si256((__m256i *)(void *)(out + x), v);
    }
}

static void down(const struct sc_down *d, int16_t *out)
{
    if (d->width < 16)
        sc_kernels_c.down(d, out);
    else if (d->depth > 8)
        down_as(d, true, out);
    else if (d->n == 1)
        copy_bytes(d, out);
    else
        down_as(d, false, out);
}

// --- across: the two samples of a pair of weights are one word of 32 bits

static void across(const int16_t *row, const struct sc_taps *taps, float *out)
{
    int padded = sc_taps_padded(taps->count);
    for (int i = 0; i < padded; i += 8) {
        const int16_t *weights = taps->weights + 2 * (ptrdiff_t)i;
        __m256i at = _mm256_loadu_si256((const __m256i *)(const void *)(taps->first + i));
        __m256i sum = _mm256_setzero_si256();
        for (int k = 0; k < taps->width; k += 2, weights += 2 * (ptrdiff_t)padded) {
            __m256i v = _mm256_i32gather_epi32((const int *)(const void *)(row + k), at, 2);
            __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)weights);
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(v, w));
        }
        _mm256_storeu_ps(out + i, _mm256_cvtepi32_ps(sum));
    }
}

// --- colour

INLINE __m256 channel(const __m256 in[3], const struct sc_colour *colour, int c)
{
    const float *m = colour->m[c];
    __m256 v = _mm256_mul_ps(_mm256_set1_ps(m[0]), in[0]);
    v = _mm256_add_ps(v, _mm256_mul_ps(_mm256_set1_ps(m[1]), in[1]));
    v = _mm256_add_ps(v, _mm256_mul_ps(_mm256_set1_ps(m[2]), in[2]));
    v = _mm256_add_ps(v, _mm256_set1_ps(m[3]));
    v = _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(255));
    return _mm256_add_ps(_mm256_mul_ps(v, _mm256_set1_ps(colour->gain[c])),
                         _mm256_set1_ps(colour->bias[c]));
}

INLINE void store(void *out, __m256 v, enum sc_element type)
{
    if (type == SC_FLOAT32) {
        _mm256_storeu_ps(out, v);
    } else if (type == SC_FLOAT16) {
        _mm_storeu_si128(out, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    } else {
        __m256i whole = _mm256_cvtps_epi32(
            _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(255)));
        __m128i words =
            _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
        _mm_storel_epi64(out, _mm_packus_epi16(words, words));
    }
}

INLINE void colours_as(const float *const in[3], int n, const struct sc_colour *colour,
                       enum sc_element type, void *const out[3])
{
    size_t element = sc_element_size(type);
    for (int i = 0; i < n; i += 8) {
        __m256 v[3];
        for (int p = 0; p < 3; p++)
            v[p] = _mm256_loadu_ps(in[p] + i);
        for (int c = 0; c < 3; c++) {
            uint8_t *to = (uint8_t *)out[c] + (size_t)i * element;
            uint8_t part[32];
            bool whole = i + 8 <= n;
            store(whole ? to : part, channel(v, colour, c), type);
            if (!whole)
                memcpy(to, part, (size_t)(n - i) * element);
        }
    }
}

static void colours(const float *const in[3], int n, const struct sc_colour *colour,
                    enum sc_element type, void *const out[3])
{
    if (type == SC_FLOAT32)
        colours_as(in, n, colour, SC_FLOAT32, out);
    else if (type == SC_FLOAT16)
        colours_as(in, n, colour, SC_FLOAT16, out);
    else
        colours_as(in, n, colour, SC_UINT8, out);
}

static bool supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
}

const struct sc_kernels sc_kernels_avx2 = {
    .name = "avx2",
    .supported = supported,
    .down = down,
    .across = across,
    .colour = colours,
};
