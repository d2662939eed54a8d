#include "vision/kalman.h"

#include <math.h>

#define POSITION (1.0 / 20)  // of the height: DeepSORT's standard deviation of a position,
#define VELOCITY (1.0 / 160) // and of a velocity
#define LEAST    1e-3        // pixels of a side, whatever a filter says

// Variances of one kind.
struct noise {
    double x[4], v[4];
};

static const struct noise area_start = {{10, 10, 10, 10}, {1e4, 1e4, 1e4, 0}};
static const struct noise area_step = {{1, 1, 1, 1}, {0.01, 0.01, 1e-4, 0}};
static const double area_measured[4] = {1, 1, 10, 10};

static double square(double v)
{
    return v * v;
}

// Of the height kind, in units of the height; the ratio's are absolute.
static struct noise height_noise(double height, double positions, double velocities,
                                 double ratio, double ratio_velocity)
{
    height = fmax(height, LEAST); // so that no variance is 0
    double x = square(positions * POSITION * height);
    double v = square(velocities * VELOCITY * height);
    return (struct noise){{x, x, square(ratio), x}, {v, v, square(ratio_velocity), v}};
}

static void measure(enum sc_kalman_kind kind, const struct sc_box *box, double z[4])
{
    double w = box->x2 - box->x1, h = box->y2 - box->y1;
    z[0] = (box->x1 + box->x2) / 2;
    z[1] = (box->y1 + box->y2) / 2;
    z[2] = kind == SC_KALMAN_AREA ? w * h : w / h;
    z[3] = kind == SC_KALMAN_AREA ? w / h : h;
}

void sc_kalman_init(struct sc_kalman *filter, enum sc_kalman_kind kind,
                    const struct sc_box *box)
{
    double z[4];
    measure(kind, box, z);
    struct noise start =
        kind == SC_KALMAN_AREA ? area_start : height_noise(z[3], 2, 10, 1e-2, 1e-5);
    filter->kind = kind;
    for (int i = 0; i < 4; i++)
        filter->axis[i] =
            (struct sc_kalman_axis){.x = z[i], .xx = start.x[i], .vv = start.v[i]};
}

// n steps of x += v; v += 0 with noise qx, qv a step, in one: the sums over 0..n-1 of 1, k and k^2.
static void move(struct sc_kalman_axis *a, double n, double qx, double qv)
{
    double sum = n * (n - 1) / 2, squares = n * (n - 1) * (2 * n - 1) / 6;
    a->x += n * a->v;
    a->xx += 2 * n * a->xv + n * n * a->vv + n * qx + squares * qv;
    a->xv += n * a->vv + sum * qv;
    a->vv += n * qv;
}

void sc_kalman_predict(struct sc_kalman *filter, double frames, bool hold_size)
{
    struct sc_kalman_axis *a = filter->axis;
    bool area = filter->kind == SC_KALMAN_AREA;
    struct noise step = area ? area_step : height_noise(a[3].x, 1, 1, 1e-2, 1e-5);
    int size = area ? 2 : 3; // the axis whose velocity makes it grow
    if (hold_size || a[size].x + frames * a[size].v <= 0)
        a[size].v = 0;
    for (int i = 0; i < 4; i++)
        move(&a[i], frames, step.x[i], step.v[i]);
}

static void correct(struct sc_kalman_axis *a, double z, double variance)
{
    double total = a->xx + variance, kx = a->xx / total, kv = a->xv / total, off = z - a->x;
    a->x += kx * off;
    a->v += kv * off;
    a->vv -= kv * a->xv;
    a->xv *= 1 - kx;
    a->xx *= 1 - kx;
}

void sc_kalman_update(struct sc_kalman *filter, const struct sc_box *box)
{
    double z[4];
    bool area = filter->kind == SC_KALMAN_AREA;
    struct noise measured = height_noise(filter->axis[3].x, 1, 0, 1e-1, 0);
    const double *variance = area ? area_measured : measured.x;
    measure(filter->kind, box, z);
    for (int i = 0; i < 4; i++)
        correct(&filter->axis[i], z[i], variance[i]);
}

struct sc_box sc_kalman_box(const struct sc_kalman *filter)
{
    const struct sc_kalman_axis *a = filter->axis;
    bool area = filter->kind == SC_KALMAN_AREA;
    double ratio = fmax(a[area ? 3 : 2].x, 1e-6), w, h;
    if (area) {
        w = fmax(sqrt(fmax(a[2].x, 0) * ratio), LEAST);
        h = fmax(a[2].x / w, LEAST);
    } else {
        h = fmax(a[3].x, LEAST);
        w = fmax(ratio * h, LEAST);
    }
    return (struct sc_box){a[0].x - w / 2, a[1].x - h / 2, a[0].x + w / 2, a[1].x + h / 2};
}
