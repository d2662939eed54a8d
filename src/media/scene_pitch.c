// The still background: grass with mowing stripes, lines, goals, boards and the stand.
#include "media/scene_internal.h"

#define LINE 0.08 // half the width of a painted line, m

struct rgb {
    double r, g, b;
};

struct turf {
    struct rgb light, dark;
    int style; // of mowing: 0 stripes across, 1 checks, 2 stripes along
    uint64_t seed;
};

static struct rgb mix(struct rgb a, struct rgb b, double t)
{
    return (struct rgb){sc_lerp(a.r, b.r, t), sc_lerp(a.g, b.g, t), sc_lerp(a.b, b.b, t)};
}

static struct rgb shade(struct rgb a, double k)
{
    return (struct rgb){a.r * k, a.g * k, a.b * k};
}

static double cell(uint64_t seed, double x,
                   double y) // a fixed number in [0, 1) per unit square
{
    uint64_t at = (uint64_t)(int64_t)floor(x) * UINT64_C(0x9e3779b97f4a7c15);
    return sc_unit(
        sc_mix(at ^ ((uint64_t)(int64_t)floor(y) * UINT64_C(0xd1b54a32d192ed03)) ^ seed));
}

static double value_noise(uint64_t seed, double x, double y) // smooth, [0, 1)
{
    double fx = x - floor(x), fy = y - floor(y);
    fx = fx * fx * (3 - 2 * fx);
    fy = fy * fy * (3 - 2 * fy);
    return sc_lerp(sc_lerp(cell(seed, x, y), cell(seed, x + 1, y), fx),
                   sc_lerp(cell(seed, x, y + 1), cell(seed, x + 1, y + 1), fx), fy);
}

// Share of a pixel of size m at distance d from the middle of a band of half width half.
static double band(double d, double half, double m)
{
    return sc_clamp(fmin(d + m / 2, half) - fmax(d - m / 2, -half), 0, m) / m;
}

static double ring(double x, double y, double radius, const double m[2])
{
    double d = sqrt(x * x + y * y), k = d > 1e-9 ? 1 / d : 0;
    double size = sqrt(m[0] * m[0] * x * x + m[1] * m[1] * y * y) * k;
    return band(d - radius, LINE, fmax(size, 1e-6));
}

static double spot(double x, double y, double radius, const double m[2])
{
    return sc_clamp((radius - sqrt(x * x + y * y)) / m[0] + 0.5, 0, 1);
}

// A line at x = at for |y| in the interval, and one at y = at for |x| in the interval.
static double upright(double x, double at, double y, double from, double to, const double m[2])
{
    double middle = (from + to) / 2, half = (to - from) / 2 + LINE;
    return band(x - at, LINE, m[0]) * band(y - middle, half, m[1]);
}

static double level(double y, double at, double x, double from, double to, const double m[2])
{
    double middle = (from + to) / 2, half = (to - from) / 2 + LINE;
    return band(y - at, LINE, m[1]) * band(x - middle, half, m[0]);
}

static double lines(double px, double py, const double m[2]) // Laws of the Game, law 1
{
    double x = fabs(px), y = fabs(py);
    double c = level(y, PITCH_Y, x, -1, PITCH_X, m);
    c = fmax(c, upright(x, PITCH_X, y, -1, PITCH_Y, m));
    c = fmax(c, upright(px, 0, y, -1, PITCH_Y, m));
    c = fmax(c, ring(x, y, 9.15, m));
    c = fmax(c, spot(x, y, 0.25, m));
    c = fmax(c, upright(x, PITCH_X - 16.5, y, -1, 20.16, m));
    c = fmax(c, level(y, 20.16, x, PITCH_X - 16.5, PITCH_X, m));
    c = fmax(c, upright(x, PITCH_X - 5.5, y, -1, 9.16, m));
    c = fmax(c, level(y, 9.16, x, PITCH_X - 5.5, PITCH_X, m));
    c = fmax(c, spot(x - (PITCH_X - 11), y, 0.22, m));
    if (x < PITCH_X - 16.5)
        c = fmax(c, ring(x - (PITCH_X - 11), y, 9.15, m));
    if (x < PITCH_X && y < PITCH_Y)
        c = fmax(c, ring(x - PITCH_X, y - PITCH_Y, 1, m));
    return c;
}

// -1 or 1 by turns, with a soft edge one pixel (and a bit of grass) wide.
static double stripes(double x, double width, double m)
{
    double t = x / width, near = floor(t + 0.5), d = (t - near) * width;
    double side = ((int64_t)near & 1) ? -1 : 1;
    return side * sc_clamp(d / (m + 0.12) * 2, -1, 1);
}

static struct rgb grass(const struct turf *turf, double x, double y, const double m[2])
{
    bool inside = fabs(x) < PITCH_X && fabs(y) < PITCH_Y;
    double s = turf->style == 2 ? stripes(y + PITCH_Y, 2 * PITCH_Y / 12, m[1])
                                : stripes(x + PITCH_X, 2 * PITCH_X / 18, m[0]);
    if (turf->style == 1)
        s *= stripes(y + PITCH_Y, 2 * PITCH_Y / 12, m[1]);
    struct rgb c = mix(turf->dark, turf->light, inside ? 0.5 + 0.5 * s : 0.2);
    double patch =
        value_noise(turf->seed, x / 6, y / 6) + 0.5 * value_noise(turf->seed + 1, x, y);
    double fine = value_noise(turf->seed + 2, x * 7, y * 7);
    c = shade(c, 0.93 + 0.07 * patch + 0.05 * fine);
    double gx = fabs(x) - 48.5, wear = fmax(0, 1 - (gx * gx / 20 + y * y / 16));
    wear = fmax(wear, 0.5 * fmax(0, 1 - (x * x + y * y) / 9));
    wear *= 0.6 * value_noise(turf->seed + 3, x * 1.7, y * 1.7);
    return mix(c, (struct rgb){126, 122, 70}, inside ? wear : 0);
}

static struct rgb board(double along, double up, uint64_t seed)
{
    static const struct rgb colours[] = {{225, 228, 230}, {24, 62, 140}, {198, 40, 44},
                                         {240, 200, 40},  {20, 24, 30},  {230, 120, 30}};
    double panel = floor(along / 7);
    struct rgb c = colours[(int)(cell(seed, panel, 1) * 6)];
    struct rgb ink =
        c.r + c.g + c.b > 400 ? (struct rgb){30, 34, 60} : (struct rgb){235, 235, 235};
    double at = along - panel * 7;
    bool letter = up > 0.3 && up < 0.75 && at > 1 && at < 6 && cell(seed, along * 2.2, 7) > 0.4;
    return letter ? mix(c, ink, 0.8) : c;
}

static struct rgb stand(double x, double depth, uint64_t seed)
{
    static const struct rgb coats[] = {{190, 60, 55}, {60, 80, 150},  {205, 205, 205},
                                       {70, 70, 80},  {190, 160, 70}, {110, 70, 60},
                                       {60, 110, 90}};
    double row = floor(depth / 0.95), fy = depth / 0.95 - row - 0.45;
    double seat = x / 0.8 + 0.5 * cell(seed + 5, row, 0), fx = seat - floor(seat) - 0.5;
    double pick = cell(seed + 6, seat, row);
    struct rgb step = {58, 60, 66};
    if (fabs(x / 17 - floor(x / 17) - 0.5) > 0.46)
        return (struct rgb){92, 92, 96}; // stairs
    double person = sc_clamp((0.42 - sqrt(fx * fx + fy * fy)) * 5, 0, 1) * (pick < 0.85);
    struct rgb coat = coats[(int)(cell(seed + 7, seat, row) * 7)];
    if (fy < -0.1)
        coat = mix(coat, (struct rgb){205, 160, 130}, 0.5);
    return shade(mix(step, coat, person), 0.8 + 0.03 * sc_clamp(6 - row, -6, 6));
}

static struct rgb surface(const struct turf *turf, double x, double y, const double m[2])
{
    double out = fmax(fabs(x) - PITCH_X - 4.2, fabs(y) - PITCH_Y - 3.8);
    bool side = fabs(x) - PITCH_X - 4.2 > fabs(y) - PITCH_Y - 3.8;
    double along = side ? y : x;
    if (out > 1.1)
        return stand(along + 100, out - 1.1, turf->seed);
    if (out > 0)
        return board(along + 200, out / 1.1, turf->seed + 9);
    struct rgb c = grass(turf, x, y, m);
    c = mix(c, (struct rgb){238, 240, 236}, 0.92 * lines(x, y, m));
    return shade(c, out > -0.5 ? 0.8 : 1); // at the foot of the boards
}

static struct sc_yuv sample(const struct turf *turf, const struct sc_view *view, double px,
                            double py, int size)
{
    double at[2], m[2];
    sc_view_ground(view, px, py, at, m);
    m[0] *= size;
    m[1] *= size;
    struct rgb c = surface(turf, at[0], at[1], m);
    return sc_yuv_from_rgb(c.r, c.g, c.b);
}

static void paint_ground(AVFrame *frame, const struct sc_view *view, const struct turf *turf)
{
    for (int y = 0; y < frame->height; y++) {
        uint8_t *row = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
        for (int x = 0; x < frame->width; x++)
            row[x] = sample(turf, view, x + 0.5, y + 0.5, 1).c[0];
    }
    for (int y = 0; y < frame->height / 2; y++) {
        for (int x = 0; x < frame->width / 2; x++) {
            struct sc_yuv c = sample(turf, view, 2 * x + 0.5, 2 * y + 1, 2);
            frame->data[1][(ptrdiff_t)y * frame->linesize[1] + x] = c.c[1];
            frame->data[2][(ptrdiff_t)y * frame->linesize[2] + x] = c.c[2];
        }
    }
}

static void bar(AVFrame *frame, const struct sc_view *view, const double a[3],
                const double b[3], double radius, double alpha, struct sc_yuv colour)
{
    double p[2], q[2];
    double s = sc_view_project(view, a, p), t = sc_view_project(view, b, q);
    // Thinner than a pixel: as thin as a pixel, and paler.
    double pale = fmin(1, radius * s / 0.5);
    struct sc_capsule c = {p[0], p[1], fmax(0.5, radius * s), q[0], q[1], fmax(0.5, radius * t),
                           1};
    sc_draw_capsule(frame, &c, colour, alpha * pale);
}

static void paint_net(AVFrame *frame, const struct sc_view *view, double front, double back)
{
    struct sc_yuv white = sc_yuv_from_rgb(235, 235, 235);
    for (int i = 0; i <= 12; i++) { // over the roof and down the back
        double y = sc_lerp(-GOAL_Y, GOAL_Y, i / 12.0), mid = sc_lerp(front, back, 0.55);
        const double a[3] = {front, y, GOAL_Z}, b[3] = {mid, y, GOAL_Z}, c[3] = {back, y, 0};
        bar(frame, view, a, b, 0.03, 0.6, white);
        bar(frame, view, b, c, 0.03, 0.6, white);
    }
    for (int i = 0; i <= 8; i++) {
        double t = i / 8.0, x = sc_lerp(front, back, t), top = t < 0.55 ? 1 : (1 - t) / 0.45;
        const double a[3] = {x, -GOAL_Y, GOAL_Z * top}, b[3] = {x, GOAL_Y, GOAL_Z * top};
        const double c[3] = {x, -GOAL_Y, 0}, d[3] = {x, GOAL_Y, 0};
        bar(frame, view, a, b, 0.03, 0.6, white);
        bar(frame, view, c, a, 0.03, 0.5, white);
        bar(frame, view, d, b, 0.03, 0.5, white);
    }
}

static void paint_goal(AVFrame *frame, const struct sc_view *view, int side)
{
    double front = side * PITCH_X, back = side * (PITCH_X + GOAL_DEPTH);
    struct sc_yuv white = sc_yuv_from_rgb(250, 250, 250), dark = sc_yuv_from_rgb(20, 40, 18);
    const double shade_a[3] = {front + side, -GOAL_Y, 0},
                 shade_b[3] = {front + side, GOAL_Y, 0};
    bar(frame, view, shade_a, shade_b, 0.95, 0.22, dark);
    paint_net(frame, view, front, back);
    const double a[3] = {front, -GOAL_Y, 0}, b[3] = {front, -GOAL_Y, GOAL_Z};
    const double c[3] = {front, GOAL_Y, GOAL_Z}, d[3] = {front, GOAL_Y, 0};
    bar(frame, view, d, c, 0.1, 1, white);
    bar(frame, view, b, c, 0.1, 1, white);
    bar(frame, view, a, b, 0.1, 1, white);
}

static void paint_flags(AVFrame *frame, const struct sc_view *view)
{
    for (int i = 0; i < 4; i++) {
        double x = i & 1 ? PITCH_X : -PITCH_X, y = i & 2 ? PITCH_Y : -PITCH_Y;
        const double a[3] = {x, y, 0}, b[3] = {x, y, 1.6}, c[3] = {x + 0.6, y, 1.4};
        bar(frame, view, a, b, 0.05, 1, sc_yuv_from_rgb(240, 240, 240));
        bar(frame, view, b, c, 0.14, 1, sc_yuv_from_rgb(230, 190, 30));
    }
}

void sc_pitch_paint(AVFrame *frame, const struct sc_view *view, uint64_t seed)
{
    struct sc_rng rng = {sc_mix(seed + 2)};
    double warm = sc_rng_range(&rng, -8, 12), bright = sc_rng_range(&rng, 0.9, 1.08);
    struct turf turf = {
        .light = shade((struct rgb){96 + warm, 148, 58}, bright),
        .dark = shade((struct rgb){74 + warm, 124, 46}, bright),
        .style = (int)sc_rng_range(&rng, 0, 3),
        .seed = sc_rng_next(&rng),
    };
    paint_ground(frame, view, &turf);
    paint_goal(frame, view, -1);
    paint_goal(frame, view, 1);
    paint_flags(frame, view);
}
