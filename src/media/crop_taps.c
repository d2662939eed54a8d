// Tables of weighted samples: the cubic of Catmull and Rom, over what an output covers where that is
// more than a sample.
#include <math.h>
#include <string.h>

#include "media/crop_internal.h"

#define FINE 12 // bits more that weights have while they are summed up

// v, or 0 where it is negative, exactly; without the branch that loops in vectors cannot have.
static inline float positive(float v)
{
    return 0.5F * (v + fabsf(v));
}

// The values of the filter at n samples, a multiple of 4; the first lies at x, neighbours step apart. The
// pieces of the cubic are written as sums of what begins at 2 and at 1, which vectors can do.
static void sample_filter(float x, float step, int n, float *restrict out)
{
    for (int k = 0; k < n / 4 * 4; k++) { // said for the compiler
        float far = fabsf(x + (float)k * step);
        float a = positive(2 - far), b = positive(1 - far);
        out[k] = 0.5F * a * a * (a - 1) + b * b * (1 - 2 * b);
    }
}

// The values of one output on their way, with room for a multiple of 4 of them.
struct work {
    int n, padded;
    float *values;
    int32_t *scaled;
};

static int clamp(int i, int most)
{
    return i < 0 ? 0 : i > most ? most : i;
}

// As floor(), which is a call where the machine may be an old one.
static int round_down(double x)
{
    int i = (int)x;
    return i - (x < i);
}

// The values as integers that sum up to about SC_CROP_ONE << FINE.
static void scale_values(const float *values, int n, int32_t *restrict out)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += values[k];
    float gain = (float)((SC_CROP_ONE << FINE) / sum);
    for (int k = 0; k < n; k++)
        out[k] = (int32_t)(values[k] * gain);
}

// The sums of the weights so far are rounded, not the weights: so they sum up to one exactly. Weights
// beyond the edges go to the edges' samples.
static void write_weights(const int32_t *values, int n, int low, int last, int16_t *out,
                          int pair_stride)
{
    int32_t so_far = 1 << (FINE - 1);
    int done = 0, first = clamp(low, last);
    for (int k = 0; k < n; k++) {
        so_far += values[k];
        int upto = k < n - 1 ? so_far >> FINE : SC_CROP_ONE;
        unsigned i = (unsigned)(clamp(low + k, last) - first);
        int16_t *to = out + (size_t)(i / 2) * (size_t)pair_stride + i % 2;
        *to = (int16_t)(*to + upto - done);
        done = upto;
    }
}

static void fill(struct sc_crop_taps *taps, bool across, const struct work *work)
{
    const struct sc_crop_side *side = &taps->side;
    const double stretch = fmax(1, side->step), radius = 2 * stretch;
    const int last = side->samples - 1;
    for (int i = 0; i < side->count; i++) {
        double at = side->start + i * side->step;
        int low = round_down(at - radius) + 1;
        int block = i / SC_CROP_BLOCK * SC_CROP_BLOCK, stride = across ? 2 * SC_CROP_BLOCK : 2;
        ptrdiff_t offset = across ? (ptrdiff_t)block * taps->width + 2 * (ptrdiff_t)(i - block)
                                  : (ptrdiff_t)i * taps->width;
        sample_filter((float)((low - at) / stretch), (float)(1 / stretch), work->padded,
                      work->values);
        scale_values(work->values, work->padded, work->scaled);
        write_weights(work->scaled, work->n, low, last, taps->weights + offset, stride);
        taps->first[i] = clamp(low, last);
    }
}

// Outputs that only fill up the last block read what the last output does.
static void find_span(struct sc_crop_taps *taps, int padded)
{
    int count = taps->side.count, end = taps->first[count - 1] + taps->width;
    taps->from = taps->first[0];
    taps->span = (end < taps->side.samples ? end : taps->side.samples) - taps->from;
    for (int i = 0; i < count; i++)
        taps->first[i] -= taps->from;
    for (int i = count; i < padded; i++)
        taps->first[i] = taps->first[count - 1];
}

// A pair of any of the group is within 8 samples from the first one's.
static int find_group(const struct sc_crop_taps *taps, int padded)
{
    int most[] = {0, 0, 0};
    for (int i = 0; i < padded; i += 4) {
        const int32_t *first = taps->first + i;
        most[2] = first[3] - first[0] > most[2] ? first[3] - first[0] : most[2];
        most[1] = first[1] - first[0] > most[1] ? first[1] - first[0] : most[1];
        most[1] = first[3] - first[2] > most[1] ? first[3] - first[2] : most[1];
    }
    return most[2] <= 6 ? 4 : most[1] <= 6 ? 2 : 1;
}

static void find_places(struct sc_crop_taps *taps, int padded)
{
    taps->group = find_group(taps, padded);
    for (int i = 0; i < padded; i++) {
        int far = taps->first[i] - taps->first[i / taps->group * taps->group];
        for (int k = 0; k < 4; k++)
            taps->places[4 * (ptrdiff_t)i + k] = (uint8_t)(2 * far + k);
    }
}

// Gives the tables memory, and the values of one output behind them.
static int lay_out(struct sc_crop_taps *taps, size_t padded, struct work *work)
{
    size_t first = padded * sizeof(*taps->first), places = padded * 4;
    size_t weights = padded * (size_t)taps->width * sizeof(*taps->weights);
    size_t values = (size_t)work->padded * sizeof(*work->values);
    int ret = sc_scratch_need(&taps->memory, first + places + weights + 2 * values);
    if (ret < 0)
        return ret;
    uint8_t *base = taps->memory.data;
    taps->weights = (int16_t *)(void *)base; // whole blocks: all that follows is aligned
    taps->first = (int32_t *)(void *)(base + weights);
    taps->places = base + weights + first;
    work->values = (float *)(void *)(taps->places + places);
    work->scaled = (int32_t *)(void *)(taps->places + places + values);
    memset(taps->weights, 0, weights);
    return 0;
}

int sc_crop_taps_make(struct sc_crop_taps *taps, const struct sc_crop_side *side, bool across)
{
    const struct sc_crop_side *old = &taps->side;
    if (old->count == side->count && old->samples == side->samples &&
        old->start == side->start && old->step == side->step)
        return 0;
    int n = (int)ceil(4 * fmax(1, side->step)), padded = SC_ALIGN(side->count, SC_CROP_BLOCK);
    struct work work = {.n = n, .padded = SC_ALIGN(n, 4)};
    taps->width = SC_ALIGN(n < side->samples ? n : side->samples, 2);
    taps->side = (struct sc_crop_side){0};
    int ret = lay_out(taps, (size_t)padded, &work);
    if (ret < 0)
        return ret;
    taps->side = *side;
    fill(taps, across, &work);
    find_span(taps, padded);
    if (across)
        find_places(taps, padded);
    return 0;
}

void sc_crop_taps_release(struct sc_crop_taps *taps)
{
    sc_scratch_release(&taps->memory);
    *taps = (struct sc_crop_taps){0};
}
