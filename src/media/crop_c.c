// The kernels in plain C: the reference that the others are held to, and what runs where there is
// no other.
#include "media/crop_internal.h"

#define COLUMNS 256 // summed up together, so that the sums stay in the first cache

static void add_bytes(const uint8_t *restrict row, int weight, int n, int32_t *restrict sum)
{
    for (int x = 0; x < n; x++)
        sum[x] += weight * row[x];
}

static void add_words(const uint16_t *restrict row, int weight, int n, int32_t *restrict sum)
{
    for (int x = 0; x < n; x++)
        sum[x] += weight * row[x];
}

static int32_t clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

static void down_columns(const struct sc_crop_rows *rows, int from, int n, int16_t *out)
{
    int32_t sum[COLUMNS];
    int shift = sc_crop_down_shift(rows->depth);
    for (int x = 0; x < n; x++)
        sum[x] = sc_crop_down_start(rows->depth);
    for (int k = 0; k < rows->n; k++) {
        const uint8_t *row = rows->data + k * rows->stride;
        if (rows->depth > 8)
            add_words((const uint16_t *)(const void *)row + from, rows->weights[k], n, sum);
        else
            add_bytes(row + from, rows->weights[k], n, sum);
    }
    for (int x = 0; x < n; x++)
        out[x] = (int16_t)clamp(sum[x] >> shift, INT16_MIN, INT16_MAX);
}

static void down(const struct sc_crop_rows *rows, int16_t *out)
{
    for (int x = 0; x < rows->columns; x += COLUMNS) {
        int left = rows->columns - x;
        down_columns(rows, x, left < COLUMNS ? left : COLUMNS, out + x);
    }
}

static void across(const int16_t *row, const struct sc_crop_taps *taps, int depth, void *out)
{
    const int shift = sc_crop_across_shift(depth), most = (1 << depth) - 1;
    for (int i = 0; i < taps->side.count; i++) {
        const int block = i / SC_CROP_BLOCK * SC_CROP_BLOCK;
        const int16_t *from = row + taps->first[i];
        const int16_t *weights =
            taps->weights + (ptrdiff_t)block * taps->width + 2 * (ptrdiff_t)(i - block);
        int32_t sum = sc_crop_across_start(depth);
        for (int k = 0; k < taps->width; k += 2, weights += 2 * SC_CROP_BLOCK)
            sum += from[k] * weights[0] + from[k + 1] * weights[1];
        int32_t v = clamp(sum >> shift, 0, most);
        if (depth > 8)
            ((uint16_t *)out)[i] = (uint16_t)v;
        else
            ((uint8_t *)out)[i] = (uint8_t)v;
    }
}

static bool supported(void)
{
    return true;
}

const struct sc_crop_kernels sc_crop_kernels_c = {
    .name = "c", .supported = supported, .down = down, .across = across};
