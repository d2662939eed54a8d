// Lens and sensor: blur, vignette, passing clouds, slow change of light, noise.
//
// Light is a coarse grid of gains, stretched over the picture; noise comes from a table that is
// entered at a random place in each row. Both passes vectorise.
#include "media/scene_internal.h"

#include "base/mem.h"

#define CELL        16 // pixels between two nodes of the grid
#define CLOUDS      5
#define NOISE_COUNT (1 << 15)
#define ONE         (1 << 14) // gain 1

struct cloud {
    double x, y, radius, drift; // in picture widths; widths a second
    double depth;               // light it takes away, 0..1
};

struct sc_light {
    struct sc_scene_params params;
    struct cloud clouds[CLOUDS];
    double phase, wind_y;
    int columns, rows;
    int16_t *grid;  // columns * rows gains, 2.14
    int16_t *gain;  // one row of pixels and CELL more
    int16_t *cgain; // of its chroma
    int16_t *noise; // NOISE_COUNT + width, 1/32 levels
    uint8_t *above; // a row before blurring, and one more
    bool noisy;
};

void sc_light_free(struct sc_light **plight)
{
    struct sc_light *l = plight ? *plight : NULL;
    if (!l)
        return;
    *plight = NULL;
    free(l->grid);
    free(l->gain);
    free(l->cgain);
    free(l->noise);
    free(l->above);
    free(l);
}

// Sums of four uniform numbers: close enough to a bell.
static void fill_noise(struct sc_light *l, struct sc_rng *rng)
{
    double scale = fmax(l->params.noise, 0) * 32 * 1.7320508;
    for (int i = 0; i < NOISE_COUNT + l->params.width; i++) {
        uint64_t bits = sc_rng_next(rng);
        double sum = 0;
        for (int k = 0; k < 4; k++)
            sum += (double)(bits >> (16 * k) & 0xffff) / 65536 - 0.5;
        l->noise[i] = (int16_t)(sum * scale);
    }
}

struct sc_light *sc_light_new(const struct sc_scene_params *params)
{
    struct sc_light *l = sc_new(struct sc_light);
    struct sc_rng rng = {sc_mix(params->seed + 4)};
    l->params = *params;
    l->noisy = params->noise > 0;
    l->columns = params->width / CELL + 2;
    l->rows = params->height / CELL + 2;
    l->grid = sc_try_calloc((size_t)l->columns * l->rows, sizeof(*l->grid));
    l->gain = sc_try_calloc((size_t)params->width + CELL, sizeof(*l->gain));
    l->cgain = sc_try_calloc((size_t)params->width, sizeof(*l->cgain));
    l->noise = sc_try_calloc((size_t)NOISE_COUNT + params->width, sizeof(*l->noise));
    l->above = sc_try_calloc((size_t)params->width, 2);
    if (!l->grid || !l->gain || !l->cgain || !l->noise || !l->above) {
        sc_light_free(&l);
        return NULL;
    }
    fill_noise(l, &rng);
    l->phase = sc_rng_range(&rng, 0, 1);
    l->wind_y = sc_rng_range(&rng, -0.004, 0.004);
    double wind = sc_rng_range(&rng, 0.01, 0.03) * (sc_rng_next(&rng) & 1 ? 1 : -1);
    for (int i = 0; i < CLOUDS; i++)
        l->clouds[i] = (struct cloud){.x = sc_rng_range(&rng, 0, 2),
                                      .y = sc_rng_range(&rng, -0.1, 0.66),
                                      .radius = sc_rng_range(&rng, 0.15, 0.4),
                                      .drift = wind * sc_rng_range(&rng, 0.8, 1.2),
                                      .depth = sc_rng_range(&rng, 0.06, 0.16)};
    return l;
}

static double gain_at(const struct sc_light *l, double t, double x, double y)
{
    double w = l->params.width, h = l->params.height;
    double vx = (x - w / 2) / w * 2, vy = (y - h / 2) / h * 2;
    double g = 1 - 0.07 * (vx * vx + vy * vy); // vignette
    for (int i = 0; i < CLOUDS; i++) {
        const struct cloud *c = &l->clouds[i];
        double cx = c->x + c->drift * t, cy = c->y + l->wind_y * t;
        cx -= floor(cx / 2) * 2; // they come round again, outside the picture
        double dx = x / w - (cx * 1.4 - 0.9), dy = y / w - cy;
        double k = 1 - (dx * dx + dy * dy * 1.6) / (c->radius * c->radius);
        if (k > 0)
            g *= 1 - c->depth * k * k * (3 - 2 * k);
    }
    return g;
}

static void fill_grid(struct sc_light *l, double t)
{
    double base = l->params.light * (1.03 + 0.03 * sc_wave(t / 31 + l->phase));
    for (int j = 0; j < l->rows; j++)
        for (int i = 0; i < l->columns; i++)
            l->grid[j * l->columns + i] =
                (int16_t)sc_clamp(base * gain_at(l, t, i * CELL, j * CELL) * ONE, 0, INT16_MAX);
}

static void fill_gain_row(struct sc_light *l, int y)
{
    const int16_t *top = l->grid + (ptrdiff_t)(y / CELL) * l->columns, *low = top + l->columns;
    int down = y % CELL;
    for (int c = 0; c < l->columns - 1; c++) {
        int a = top[c] + (low[c] - top[c]) * down / CELL;
        int b = top[c + 1] + (low[c + 1] - top[c + 1]) * down / CELL;
        for (int k = 0; k < CELL && c * CELL + k < l->params.width; k++)
            l->gain[c * CELL + k] = (int16_t)(a + (b - a) * k / CELL);
    }
    for (int i = 0; i < l->params.width / 2; i++)
        l->cgain[i] = l->gain[2 * i];
}

// 16-bit products only: (v * 128 * gain * 2^14) >> 16 is v * gain in 1/32 levels.
static void light_row(uint8_t *restrict row, int width, const int16_t *restrict gain,
                      const int16_t *restrict noise, int zero, int shift, int max)
{
    for (int i = 0; i < width; i++) {
        int16_t v = (int16_t)((row[i] - zero) * 128);
        int16_t lit = (int16_t)((v * gain[i]) >> 16);
        int16_t out = (int16_t)((lit + (noise[i] >> shift) + zero * 32 + 16) >> 5);
        row[i] = (uint8_t)(out < 16 ? 16 : out > max ? max : out);
    }
}

static void light_rows(struct sc_light *l, struct sc_rng *rng, int y, AVFrame *frame)
{
    int w = frame->width;
    fill_gain_row(l, y);
    uint64_t at = sc_rng_next(rng);
    for (int k = 0; k < 2; k++)
        light_row(frame->data[0] + (ptrdiff_t)(y + k) * frame->linesize[0], w, l->gain,
                  l->noise + (at >> (15 * k)) % NOISE_COUNT, 16, 0, 235);
    at = sc_rng_next(rng);
    for (int p = 1; p < 3; p++)
        light_row(frame->data[p] + (ptrdiff_t)(y / 2) * frame->linesize[p], w / 2, l->cgain,
                  l->noise + (at >> (15 * p)) % NOISE_COUNT, 128, 1, 240);
}

// One pass of the kernel (a, 256 - 2a, a) / 256 across.
static void blur_across(uint8_t *row, int w, int a)
{
    int left = row[0];
    for (int i = 0; i < w; i++) {
        int here = row[i], right = row[i + 1 < w ? i + 1 : i];
        row[i] = (uint8_t)((here * (256 - 2 * a) + (left + right) * a + 128) >> 8);
        left = here;
    }
}

static void blur_plane(struct sc_light *l, uint8_t *data, int stride, int w, int h, int a)
{
    uint8_t *above = l->above, *here = l->above + l->params.width;
    for (int y = 0; y < h; y++)
        blur_across(data + (ptrdiff_t)y * stride, w, a);
    memcpy(above, data, (size_t)w);
    for (int y = 0; y < h; y++) {
        uint8_t *row = data + (ptrdiff_t)y * stride;
        const uint8_t *below = y + 1 < h ? row + stride : row;
        memcpy(here, row, (size_t)w);
        for (int i = 0; i < w; i++)
            row[i] =
                (uint8_t)((here[i] * (256 - 2 * a) + (above[i] + below[i]) * a + 128) >> 8);
        uint8_t *swap = above;
        above = here;
        here = swap;
    }
}

// Each pass adds a variance of up to half a pixel squared; chroma pixels are twice as large.
static void blur(struct sc_light *l, AVFrame *frame)
{
    double variance = l->params.blur * l->params.blur;
    for (int p = 0; p < 3; p++) {
        double all = p ? variance / 4 : variance;
        int passes = all > 0.004 ? (int)ceil((all - 0.004) / 0.5) : 0;
        for (int i = 0; i < passes; i++)
            blur_plane(l, frame->data[p], frame->linesize[p], frame->width >> (p > 0),
                       frame->height >> (p > 0), (int)(fmin(all - 0.5 * i, 0.5) * 128));
    }
}

void sc_light_apply(struct sc_light *l, int64_t n, AVFrame *frame)
{
    struct sc_rng rng = {sc_mix(sc_mix(l->params.seed + 5) + (uint64_t)n)};
    blur(l, frame);
    fill_grid(l, (double)n * l->params.fps.den / l->params.fps.num);
    for (int y = 0; y < frame->height; y += 2)
        light_rows(l, &rng, y, frame);
}
