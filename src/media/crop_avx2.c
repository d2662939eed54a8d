// The kernels for AVX2.
#include <immintrin.h>
#include <string.h>

#include "media/crop_internal.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load(const void *at)
{
    return _mm256_loadu_si256(at);
}

// --- down: rows in pairs, as sums of products of words

INLINE __m256i load_weights(const int16_t *weights)
{
    int32_t pair;
    memcpy(&pair, weights, sizeof(pair));
    return _mm256_set1_epi32(pair);
}

INLINE __m256i add_products(__m256i sum, __m256i words, __m256i weights)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(words, weights));
}

// Row k + 1; where there is none, any will do, as its weight is 0.
INLINE const uint8_t *next_row(const struct sc_crop_rows *rows, const uint8_t *row, int k)
{
    return k + 1 < rows->n ? row + rows->stride : row;
}

INLINE __m256i to_words(__m256i low, __m256i high, __m128i shift)
{
    return _mm256_packs_epi32(_mm256_sra_epi32(low, shift), _mm256_sra_epi32(high, shift));
}

// 32 columns. Unpacking works on halves: what comes from low bytes are columns 0-7 and 16-23.
INLINE void down_bytes(const struct sc_crop_rows *rows, int x, int16_t *out)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i start = _mm256_set1_epi32(sc_crop_down_start(8));
    const __m128i shift = _mm_cvtsi32_si128(sc_crop_down_shift(8));
    __m256i a = start, b = start, c = start, d = start;
    const uint8_t *row = rows->data + x;
    for (int k = 0; k < rows->n; k += 2, row += 2 * rows->stride) {
        __m256i one = load(row), two = load(next_row(rows, row, k));
        __m256i low = _mm256_unpacklo_epi8(one, two), high = _mm256_unpackhi_epi8(one, two);
        __m256i weights = load_weights(rows->weights + k);
        a = add_products(a, _mm256_unpacklo_epi8(low, zero), weights);
        b = add_products(b, _mm256_unpackhi_epi8(low, zero), weights);
        c = add_products(c, _mm256_unpacklo_epi8(high, zero), weights);
        d = add_products(d, _mm256_unpackhi_epi8(high, zero), weights);
    }
    a = to_words(a, b, shift);
    c = to_words(c, d, shift);
    _mm256_storeu_si256((void *)(out + x), _mm256_permute2x128_si256(a, c, 0x20));
    _mm256_storeu_si256((void *)(out + x + 16), _mm256_permute2x128_si256(a, c, 0x31));
}

// 16 columns. Words are made signed for the products; the middle of their range comes back with the
// start of the sums, as all weights sum up to one.
INLINE void down_words(const struct sc_crop_rows *rows, int x, int16_t *out)
{
    const __m256i sign = _mm256_set1_epi16(INT16_MIN);
    const __m256i start =
        _mm256_set1_epi32(sc_crop_down_start(rows->depth) + (SC_CROP_ONE << 15));
    __m256i a = start, b = start;
    const uint8_t *row = rows->data + 2 * (ptrdiff_t)x;
    for (int k = 0; k < rows->n; k += 2, row += 2 * rows->stride) {
        __m256i one = _mm256_xor_si256(load(row), sign);
        __m256i two = _mm256_xor_si256(load(next_row(rows, row, k)), sign);
        __m256i weights = load_weights(rows->weights + k);
        a = add_products(a, _mm256_unpacklo_epi16(one, two), weights);
        b = add_products(b, _mm256_unpackhi_epi16(one, two), weights);
    }
    const __m128i shift = _mm_cvtsi32_si128(sc_crop_down_shift(rows->depth));
    _mm256_storeu_si256((void *)(out + x), to_words(a, b, shift));
}

// The last columns are done together with some before them. rows is a copy that out cannot alias.
INLINE void down_as(struct sc_crop_rows rows, int n, bool words, int16_t *out)
{
    const int step = words ? 16 : 32;
    rows.n = n;
    for (int i = 0; i < rows.columns; i += step) {
        int x = i + step <= rows.columns ? i : rows.columns - step;
        if (words)
            down_words(&rows, x, out);
        else
            down_bytes(&rows, x, out);
    }
}

// The loops are written out for the usual numbers of weights, here and below: none or little shrinking.
static void down(const struct sc_crop_rows *rows, int16_t *out)
{
    if (rows->columns < 32)
        sc_crop_kernels_c.down(rows, out);
    else if (rows->depth > 8)
        down_as(*rows, rows->n, true, out);
    else if (rows->n == 4)
        down_as(*rows, 4, false, out);
    else if (rows->n == 6)
        down_as(*rows, 6, false, out);
    else
        down_as(*rows, rows->n, false, out);
}

// --- across: the two samples of a pair of weights are one word of 32 bits

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

INLINE __m256i join(__m128i low, __m128i high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

INLINE __m256i load_near(const int16_t *row, int low, int high)
{
    return join(_mm_loadu_si128((const void *)(row + low)),
                _mm_loadu_si128((const void *)(row + high)));
}

// The pairs of 8 outputs: 8 samples in a row hold those of a group of 4 or 2, at places that are the same
// for all pairs.
INLINE __m256i load_8_pairs(const int16_t *row, const int32_t *first, __m256i places, int group)
{
    if (group == 1)
        return join(load_4_pairs(row, first), load_4_pairs(row, first + 4));
    __m256i v = _mm256_shuffle_epi8(load_near(row, first[0], first[4]), places);
    if (group == 4)
        return v;
    __m256i w = _mm256_shuffle_epi8(load_near(row, first[2], first[6]), places);
    return _mm256_blend_epi32(v, w, 0xcc);
}

INLINE void store(void *out, __m256i low, __m256i high, int depth)
{
    if (depth > 8) {
        __m256i most = _mm256_set1_epi16((int16_t)((1 << depth) - 1));
        __m256i v = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xd8);
        _mm256_storeu_si256(out, _mm256_min_epu16(v, most));
        return;
    }
    __m256i v = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    _mm_storeu_si128(
        out, _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
}

INLINE void across_as(const int16_t *row, const struct sc_crop_taps *taps, int pairs, int group,
                      int depth, uint8_t *out)
{
    const int bytes = SC_CROP_BLOCK * (depth > 8 ? 2 : 1);
    const __m256i start = _mm256_set1_epi32(sc_crop_across_start(depth));
    const __m128i shift = _mm_cvtsi32_si128(sc_crop_across_shift(depth));
    const int16_t *weights = taps->weights;
    for (int i = 0; i < taps->side.count; i += SC_CROP_BLOCK, out += bytes) {
        const int32_t *first = taps->first + i;
        const uint8_t *places = taps->places + 4 * (ptrdiff_t)i;
        __m256i low = start, high = start, low_at = load(places), high_at = load(places + 32);
        for (int k = 0; k < pairs; k++, weights += 2 * SC_CROP_BLOCK) {
            __m256i a = load_8_pairs(row + 2 * (ptrdiff_t)k, first, low_at, group);
            __m256i b = load_8_pairs(row + 2 * (ptrdiff_t)k, first + 8, high_at, group);
            low = add_products(low, a, load(weights));
            high = add_products(high, b, load(weights + SC_CROP_BLOCK));
        }
        store(out, _mm256_sra_epi32(low, shift), _mm256_sra_epi32(high, shift), depth);
    }
}

static void across(const int16_t *row, const struct sc_crop_taps *taps, int depth, void *out)
{
    int pairs = taps->width / 2;
    if (taps->group == 1)
        across_as(row, taps, pairs, 1, depth, out);
    else if (taps->group == 2)
        across_as(row, taps, pairs, 2, depth, out);
    else if (depth == 8 && pairs == 2)
        across_as(row, taps, 2, 4, 8, out);
    else if (depth == 8 && pairs == 3)
        across_as(row, taps, 3, 4, 8, out);
    else
        across_as(row, taps, pairs, 4, depth, out);
}

static bool supported(void)
{
    return __builtin_cpu_supports("avx2");
}

const struct sc_crop_kernels sc_crop_kernels_avx2 = {
    .name = "avx2", .supported = supported, .down = down, .across = across};
