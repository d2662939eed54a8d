// The kernels in plain C: the reference that the others are held to, and what runs where there is
// no other.
#include <string.h>

#include "vision/prepare_internal.h"

#define COLUMNS 256 // summed up together, so that the sums stay in the first cache

static void add8(const uint8_t *restrict row, int weight, int n, int32_t *restrict sum)
{
    for (int x = 0; x < n; x++)
        sum[x] += weight * row[x];
}

static void add16(const uint16_t *restrict row, int weight, int n, int32_t *restrict sum)
{
    for (int x = 0; x < n; x++)
        sum[x] += weight * row[x];
}

static void down_columns(const struct sc_down *d, int from, int n, int16_t *restrict out)
{
    int32_t sum[COLUMNS];
    int shift = d->depth - 1; // 14 bits of weights, to 15 of depth
    for (int x = 0; x < n; x++)
        sum[x] = 1 << (shift - 1);
    for (int k = 0; k < d->n; k++) {
        const uint8_t *row = d->data + k * d->stride;
        if (d->depth > 8)
            add16((const uint16_t *)(const void *)row + from, d->weights[k], n, sum);
        else
            add8(row + from, d->weights[k], n, sum);
    }
    for (int x = 0; x < n; x++) {
        int32_t v = sum[x] >> shift;
        out[x] = (int16_t)(v < INT16_MAX ? v : INT16_MAX);
    }
}

static void down(const struct sc_down *d, int16_t *out)
{
    for (int x = 0; x < d->width; x += COLUMNS)
        down_columns(d, x, d->width - x < COLUMNS ? d->width - x : COLUMNS, out + x);
}

static void across(const int16_t *row, const struct sc_taps *taps, float *out)
{
    size_t padded = (size_t)sc_taps_padded(taps->count);
    for (int i = 0; i < taps->count; i++) {
        const int16_t *from = row + taps->first[i];
        const int16_t *weights = taps->weights + (size_t)i * 2;
        int32_t sum = 0;
        for (int k = 0; k < taps->width; k += 2, weights += padded * 2)
            sum += from[k] * weights[0] + from[k + 1] * weights[1];
        out[i] = (float)sum;
    }
}

// Normalised values of one channel.
static void channel(const float *const in[3], int n, const struct sc_colour *colour, int c,
                    float *restrict out)
{
    const float *y = in[0], *cb = in[1], *cr = in[2], *m = colour->m[c];
    float m0 = m[0], m1 = m[1], m2 = m[2], m3 = m[3];
    float gain = colour->gain[c], bias = colour->bias[c];
    for (int i = 0; i < n; i++) {
        float v = m0 * y[i] + m1 * cb[i] + m2 * cr[i] + m3;
        v = v > 0 ? v : 0;
        v = v < 255 ? v : 255;
        out[i] = v * gain + bias;
    }
}

static void store(const float *in, int n, enum sc_element type, uint8_t *out)
{
    if (type == SC_FLOAT32) {
        memcpy(out, in, (size_t)n * sizeof(*in));
        return;
    }
    for (int i = 0; i < n; i++) {
        uint32_t bits = sc_element_bits(in[i], type);
        if (type == SC_UINT8)
            out[i] = (uint8_t)bits;
        else
            ((uint16_t *)(void *)out)[i] = (uint16_t)bits;
    }
}

static void colours(const float *const in[3], int n, const struct sc_colour *colour,
                    enum sc_element type, void *const out[3])
{
    float values[COLUMNS];
    for (int i = 0; i < n; i += COLUMNS) {
        const float *const from[3] = {in[0] + i, in[1] + i, in[2] + i};
        int part = n - i < COLUMNS ? n - i : COLUMNS;
        for (int c = 0; c < 3; c++) {
            channel(from, part, colour, c, values);
            store(values, part, type, (uint8_t *)out[c] + (size_t)i * sc_element_size(type));
        }
    }
}

static bool supported(void)
{
    return true;
}

const struct sc_kernels sc_kernels_c = {
    .name = "c",
    .supported = supported,
    .down = down,
    .across = across,
    .colour = colours,
};
