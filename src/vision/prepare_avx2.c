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

INLINE __m256i load_weights(const int16_t *weights)
{
    int32_t pair;
    memcpy(&pair, weights, sizeof(pair));
    return _mm256_set1_epi32(pair);
}

INLINE void add_pair(struct sums *sums, __m256i a, __m256i b, __m256i weights)
{
    sums->low =
        _mm256_add_epi32(sums->low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weights));
    sums->high =
        _mm256_add_epi32(sums->high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weights));
}

INLINE const uint8_t *second_row(const struct sc_down *d, const uint8_t *row, int k)
{
    return k + 1 < d->n ? row + d->stride : row;
}

INLINE void down_columns(const struct sc_down *d, __m256i weights, int x, bool words,
                         int16_t *out)
{
    int shift = d->depth - 1;
    __m256i start = _mm256_set1_epi32((1 << (shift - 1)) + (words ? SC_TAPS_ONE << 15 : 0));
    struct sums sums = {start, start};
    const uint8_t *row = d->data, *next = second_row(d, row, 0);
    add_pair(&sums, load_columns(row, x, words), load_columns(next, x, words), weights);
    for (int k = 2; k < d->n; k += 2) {
        row += 2 * d->stride;
        next = second_row(d, row, k);
        add_pair(&sums, load_columns(row, x, words), load_columns(next, x, words),
                 load_weights(d->weights + k));
    }
    __m128i count = _mm_cvtsi32_si128(shift);
    __m256i v = _mm256_packs_epi32(_mm256_sra_epi32(sums.low, count),
                                   _mm256_sra_epi32(sums.high, count));
    _mm256_storeu_si256((__m256i *)(void *)(out + x), v);
}

// The last columns are done together with some before them. *d is a copy that out cannot alias.
INLINE void down_as(struct sc_down d, bool words, int16_t *out)
{
    __m256i weights = load_weights(d.weights);
    for (int x = 0; x + 16 <= d.width; x += 16)
        down_columns(&d, weights, x, words, out);
    if (d.width % 16)
        down_columns(&d, weights, d.width - 16, words, out);
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
        down_as(*d, true, out);
    else if (d->n == 1)
        copy_bytes(d, out);
    else
        down_as(*d, false, out);
}

// --- across: the two samples of a pair of weights are one word of 32 bits

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
    for (ptrdiff_t i = 0; i < padded; i += 8) {
        const int32_t *first = taps->first + i;
        const int16_t *weights = taps->weights + 2 * i;
        __m256i sum = _mm256_setzero_si256();
        for (int k = 0; k < taps->width; k += 2, weights += 2 * padded) {
            __m256i v =
                _mm256_inserti128_si256(_mm256_castsi128_si256(load_4_pairs(row + k, first)),
                                        load_4_pairs(row + k, first + 4), 1);
            __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)weights);
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(v, w));
        }
        _mm256_storeu_ps(out + i, _mm256_cvtepi32_ps(sum));
    }
}

INLINE __m256i load_two(const int16_t *low, const int16_t *high)
{
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low)),
        _mm_loadu_si128((const __m128i *)(const void *)high), 1);
}

// 16 samples hold all that four outputs need: each half of the registers serves four.
static void across_near(const int16_t *row, const struct sc_taps *taps, float *out)
{
    const ptrdiff_t padded = sc_taps_padded(taps->count);
    const int lowest = taps->first[0] <= taps->first[padded - 1] ? 0 : 3; // of four
    const __m256i spread = _mm256_set1_epi64x(0x0404040400000000);
    const __m256i bytes = _mm256_add_epi8(
        _mm256_set_epi64x(0x0808080808080808, 0, 0x0808080808080808, 0), spread);
    const __m256i order = _mm256_set1_epi32(0x03020100), step = _mm256_set1_epi8(4);
    for (ptrdiff_t i = 0; i < padded; i += 8) {
        const int32_t *first = taps->first + i;
        const int16_t *weights = taps->weights + 2 * i;
        int low = first[lowest], high = first[4 + lowest];
        __m256i a = load_two(row + low, row + high),
                b = load_two(row + low + 8, row + high + 8);
        __m256i base = _mm256_inserti128_si256(_mm256_set1_epi32(low), _mm_set1_epi32(high), 1);
        __m256i at =
            _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(const void *)first), base);
        // The places of a pair's four bytes.
        at = _mm256_add_epi8(_mm256_shuffle_epi8(_mm256_add_epi32(at, at), bytes), order);
        __m256i sum = _mm256_setzero_si256();
        for (int k = 0; k < taps->width; k += 2, weights += 2 * padded) {
            // A place with its top bit set gives zero: from 16 up here, below 16 there.
            __m256i in_a = _mm256_shuffle_epi8(a, _mm256_add_epi8(at, _mm256_set1_epi8(112)));
            __m256i in_b = _mm256_shuffle_epi8(b, _mm256_sub_epi8(at, _mm256_set1_epi8(16)));
            __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)weights);
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_or_si256(in_a, in_b), w));
            at = _mm256_add_epi8(at, step);
        }
        _mm256_storeu_ps(out + i, _mm256_cvtepi32_ps(sum));
    }
}

static void across(const int16_t *row, const struct sc_taps *taps, float *out)
{
    (taps->span4 <= 16 ? across_near : across_far)(row, taps, out);
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

INLINE void colour_columns(const float *const in[3], int i, const struct sc_colour *colour,
                           enum sc_element type, void *const out[3])
{
    const __m256 v[3] = {_mm256_loadu_ps(in[0] + i), _mm256_loadu_ps(in[1] + i),
                         _mm256_loadu_ps(in[2] + i)};
    for (int c = 0; c < 3; c++)
        store(out[c], channel(v, colour, c), type);
}

// colour is a copy that out cannot alias.
INLINE void colours_as(const float *const in[3], int n, struct sc_colour colour,
                       enum sc_element type, void *const out[3])
{
    size_t element = sc_element_size(type);
    uint8_t *to[3] = {out[0], out[1], out[2]};
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        colour_columns(in, i, &colour, type, (void *const *)to);
        for (int c = 0; c < 3; c++)
            to[c] += 8 * element;
    }
    if (i == n)
        return;
    uint8_t last[3][32];
    colour_columns(in, i, &colour, type, (void *const[3]){last[0], last[1], last[2]});
    for (int c = 0; c < 3; c++)
        memcpy(to[c], last[c], (size_t)(n - i) * element);
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
    return __builtin_cpu_supports("avx2"); // F16C is older; not all compilers can ask for it
}

const struct sc_kernels sc_kernels_avx2 = {
    .name = "avx2",
    .supported = supported,
    .down = down,
    .across = across,
    .colour = colours,
};
