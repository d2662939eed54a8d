// Tables of weighted samples: bilinear with two taps, or a triangle over what an output covers.
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "vision/prepare_internal.h"

// What an output is made of: samples first..last around a position, before they are integers.
struct reach {
    double at;     // in samples of the plane; 0 = the middle of the first
    double radius; // where the triangle ends
    int first, last;
};

static double clamp(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

static double in_plane(const struct sc_taps_params *p, double luma)
{
    return (luma - p->origin) / (1 << p->ss);
}

// Two samples next to the position. The part taken ends where a picture of its own would: what is
// beyond it has no say.
static struct reach two_taps(const struct sc_taps_params *p, double luma)
{
    double low = p->side.start, high = p->side.start + p->side.length - 1;
    if (high < low)
        low = high = (low + high) / 2;
    double at = clamp(in_plane(p, clamp(luma, low, high)), 0, p->samples - 1);
    int first = (int)at;
    return (struct reach){at, 1, first, first + 1 < p->samples ? first + 1 : first};
}

static struct reach triangle(const struct sc_taps_params *p, double luma)
{
    const double little = 1e-6; // of rounding in a crop that ends between two pixels
    double from = floor(p->side.start + little);
    double to = ceil(p->side.start + p->side.length - little) - 1;
    int low = (int)clamp(floor(in_plane(p, from)), 0, p->samples - 1);
    int high = (int)clamp(ceil(in_plane(p, to)), low, p->samples - 1);
    struct reach r = {.at = clamp(in_plane(p, luma), low, high)};
    r.radius = fmax(1, p->side.length / p->side.count / (1 << p->ss));
    r.first = (int)clamp(floor(r.at - r.radius) + 1, low, high);
    r.last = (int)clamp(ceil(r.at + r.radius) - 1, r.first, high);
    return r;
}

static struct reach reach_of(const struct sc_taps_params *p, int i)
{
    int k = p->side.reversed ? p->side.count - 1 - i : i;
    double luma = p->side.start + (k + 0.5) * p->side.length / p->side.count - 0.5;
    return p->antialias ? triangle(p, luma) : two_taps(p, luma);
}

static double weight(const struct reach *r, int sample)
{
    return fmax(0, 1 - fabs(sample - r->at) / r->radius);
}

// The sums of the weights so far are rounded, not the weights: so they sum up to one exactly, and
// however many there are, no run of them is off by more than one step.
static void write_weights(const struct reach *r, int16_t *out, size_t pair_stride)
{
    double sum = 0, so_far = 0;
    long done = 0;
    for (int s = r->first; s <= r->last; s++)
        sum += weight(r, s);
    for (int s = r->first; s <= r->last; s++) {
        so_far += weight(r, s);
        long upto = sum > 0 ? lrint(so_far / sum * SC_TAPS_ONE) : SC_TAPS_ONE;
        int i = s - r->first;
        out[(size_t)(i / 2) * pair_stride + (size_t)(i % 2)] = (int16_t)(upto - done);
        done = upto;
    }
}

static void measure(struct sc_taps *taps, const struct sc_taps_params *p)
{
    int width = 2;
    for (int i = 0; i < taps->count; i++) {
        struct reach r = reach_of(p, i);
        width = r.last - r.first + 1 > width ? r.last - r.first + 1 : width;
    }
    taps->width = SC_ALIGN(width, 2);
}

static int span_of(const struct sc_taps *taps, size_t padded, size_t neighbours)
{
    int most = 0;
    for (size_t i = 0; i < padded; i += neighbours) {
        int span = abs(taps->first[i + neighbours - 1] - taps->first[i]) + taps->width;
        most = span > most ? span : most;
    }
    return most;
}

static void fill(struct sc_taps *taps, const struct sc_taps_params *p)
{
    size_t padded = (size_t)sc_taps_padded(taps->count), width = (size_t)taps->width;
    for (int i = 0; i < taps->count; i++) {
        struct reach r = reach_of(p, i);
        taps->first[i] = r.first;
        if (p->across)
            write_weights(&r, taps->weights + (size_t)i * 2, padded * 2);
        else
            write_weights(&r, taps->weights + (size_t)i * width, 2);
    }
    // Outputs that only fill up the last block read what the last output does.
    for (size_t i = (size_t)taps->count; i < padded; i++)
        taps->first[i] = taps->first[taps->count - 1];
    taps->span4 = span_of(taps, padded, 4);
    taps->span16 = span_of(taps, padded, 16);
}

int sc_taps_init(struct sc_taps *taps, const struct sc_taps_params *params)
{
    *taps = (struct sc_taps){.count = params->side.count};
    measure(taps, params);
    size_t padded = (size_t)sc_taps_padded(taps->count);
    taps->first = sc_try_calloc(padded, sizeof(*taps->first));
    taps->weights = sc_try_calloc(padded * (size_t)taps->width, sizeof(*taps->weights));
    if (!taps->first || !taps->weights)
        return SC_ENOMEM;
    fill(taps, params);
    return 0;
}

void sc_taps_release(struct sc_taps *taps)
{
    free(taps->first);
    free(taps->weights);
    *taps = (struct sc_taps){0};
}
