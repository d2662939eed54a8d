// The four small filters, against the published ones with whole matrices.
#include "vision/kalman.h"

#include <math.h>
#include <string.h>

#include "../base/test.h"

#define N 8

typedef double matrix[N][N];

// A filter of the textbook: x' = F x, P' = F P F^T + Q; K = P H^T (H P H^T + R)^-1.
struct whole {
    enum sc_kalman_kind kind;
    double x[N];
    matrix p;
};

static void multiply(const matrix a, const matrix b, matrix out)
{
    matrix sum = {{0}};
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int k = 0; k < N; k++)
                sum[i][j] += a[i][k] * b[k][j];
    memcpy(out, sum, sizeof(sum));
}

static void transpose(const matrix a, matrix out)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            out[j][i] = a[i][j];
}

// Inverts the upper left 4x4 of a, Gauss and Jordan.
static void invert4(matrix a, matrix out)
{
    memset(out, 0, sizeof(matrix));
    for (int i = 0; i < 4; i++)
        out[i][i] = 1;
    for (int i = 0; i < 4; i++) {
        double pivot = a[i][i];
        for (int j = 0; j < 4; j++) {
            a[i][j] /= pivot;
            out[i][j] /= pivot;
        }
        for (int k = 0; k < 4; k++) {
            double factor = a[k][i];
            for (int j = 0; j < 4 && k != i; j++) {
                a[k][j] -= factor * a[i][j];
                out[k][j] -= factor * out[i][j];
            }
        }
    }
}

static void measured(enum sc_kalman_kind kind, const struct sc_box *b, double z[4])
{
    double w = b->x2 - b->x1, h = b->y2 - b->y1;
    const double area[4] = {b->x1 + w / 2, b->y1 + h / 2, w * h, w / h};
    const double height[4] = {b->x1 + w / 2, b->y1 + h / 2, w / h, h};
    memcpy(z, kind == SC_KALMAN_AREA ? area : height, sizeof(area));
}

// Standard deviations as in the papers' programs: by the height for DeepSORT's.
static void diagonal(matrix m, const double deviation[N])
{
    memset(m, 0, sizeof(matrix));
    for (int i = 0; i < N; i++)
        m[i][i] = deviation[i] * deviation[i];
}

static void whole_init(struct whole *f, enum sc_kalman_kind kind, const struct sc_box *box)
{
    *f = (struct whole){.kind = kind};
    measured(kind, box, f->x);
    double h = f->x[3], s = sqrt(10);
    const double height[N] = {h / 10, h / 10, 1e-2, h / 10, h / 16, h / 16, 1e-5, h / 16};
    const double area[N] = {s, s, s, s, 100, 100, 100, 0};
    diagonal(f->p, kind == SC_KALMAN_AREA ? area : height);
}

static void whole_step(struct whole *f)
{
    matrix step = {{0}}, turned, noise;
    double h = f->x[3], x[N];
    const double height[N] = {h / 20, h / 20, 1e-2, h / 20, h / 160, h / 160, 1e-5, h / 160};
    const double area[N] = {1, 1, 1, 1, 0.1, 0.1, 0.01, 0};
    diagonal(noise, f->kind == SC_KALMAN_AREA ? area : height);
    for (int i = 0; i < N; i++) {
        step[i][i] = 1;
        if (i < 4)
            step[i][i + 4] = 1;
    }
    for (int i = 0; i < N; i++)
        x[i] = f->x[i] + (i < 4 ? f->x[i + 4] : 0);
    memcpy(f->x, x, sizeof(x));
    transpose(step, turned);
    multiply(step, f->p, f->p);
    multiply(f->p, turned, f->p);
    for (int i = 0; i < N; i++)
        f->p[i][i] += noise[i][i];
}

static void whole_update(struct whole *f, const struct sc_box *box)
{
    double z[4], h = f->x[3];
    const double height[4] = {h / 20, h / 20, 1e-1, h / 20};
    const double area[4] = {1, 1, sqrt(10), sqrt(10)};
    matrix total = {{0}}, inverse, gain = {{0}}, keep = {{0}};
    measured(f->kind, box, z);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            total[i][j] = f->p[i][j];
    for (int i = 0; i < 4; i++) {
        double deviation = (f->kind == SC_KALMAN_AREA ? area : height)[i];
        total[i][i] += deviation * deviation;
        z[i] -= f->x[i];
    }
    invert4(total, inverse);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 4; k++)
                gain[i][j] += f->p[i][k] * inverse[k][j];
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            keep[i][j] = (i == j) - (j < 4 ? gain[i][j] : 0);
        for (int j = 0; j < 4; j++)
            f->x[i] += gain[i][j] * z[j];
    }
    multiply(keep, f->p, f->p);
}

static struct sc_box walk(int n)
{
    double x = 100 + 4.5 * n + sin(n), y = 60 + 1.5 * n + cos(3 * n), w = 20 + sin(2 * n);
    double h = 50 + 0.3 * n + sin(5 * n);
    return (struct sc_box){x, y, x + w, y + h};
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1, fmax(fabs(a), fabs(b)));
}

static void same(const struct sc_kalman *small, const struct whole *large)
{
    for (int i = 0; i < 4; i++) {
        assert_true(near(small->axis[i].x, large->x[i]));
        assert_true(near(small->axis[i].v, large->x[i + 4]));
        assert_true(near(small->axis[i].xx, large->p[i][i]));
        assert_true(near(small->axis[i].xv, large->p[i][i + 4]));
        assert_true(near(small->axis[i].vv, large->p[i + 4][i + 4]));
    }
}

static void as_published(void **state)
{
    (void)state;
    for (int kind = SC_KALMAN_AREA; kind <= SC_KALMAN_HEIGHT; kind++) {
        struct sc_kalman small;
        struct whole large;
        struct sc_box box = walk(0);
        sc_kalman_init(&small, (enum sc_kalman_kind)kind, &box);
        whole_init(&large, (enum sc_kalman_kind)kind, &box);
        for (int n = 1; n < 50; n++) {
            sc_kalman_predict(&small, 1, false);
            whole_step(&large);
            same(&small, &large);
            box = walk(n);
            if (n % 7 == 0)
                continue; // missed
            sc_kalman_update(&small, &box);
            whole_update(&large, &box);
            same(&small, &large);
        }
    }
}

// Many frames at once, or few, are as many steps; the height kind's noise is that of the first.
static void any_step(void **state)
{
    (void)state;
    struct sc_box box = walk(0);
    struct sc_kalman one, many;
    sc_kalman_init(&one, SC_KALMAN_AREA, &box);
    many = one;
    for (int i = 0; i < 7; i++)
        sc_kalman_predict(&many, 1, false);
    sc_kalman_predict(&one, 7, false);
    for (int i = 0; i < 4; i++) {
        assert_true(near(one.axis[i].xx, many.axis[i].xx));
        assert_true(near(one.axis[i].xv, many.axis[i].xv));
        assert_true(near(one.axis[i].vv, many.axis[i].vv));
    }
    sc_kalman_init(&one, SC_KALMAN_HEIGHT, &box);
    many = one;
    for (int i = 0; i < 10; i++)
        sc_kalman_predict(&many, 0.25, false);
    sc_kalman_predict(&one, 2.5, false);
    assert_true(near(one.axis[0].xx, many.axis[0].xx));
    assert_true(near(one.axis[0].xv, many.axis[0].xv));
    sc_kalman_predict(&one, 0, false);
    assert_true(near(one.axis[0].xx, many.axis[0].xx));
}

// Follows a constant motion whatever the steps are.
static void finds_the_velocity(void **state)
{
    (void)state;
    for (int kind = SC_KALMAN_AREA; kind <= SC_KALMAN_HEIGHT; kind++) {
        struct sc_box box = {0, 0, 20, 40};
        struct sc_kalman f;
        sc_kalman_init(&f, (enum sc_kalman_kind)kind, &box);
        for (int n = 1; n < 80; n++) {
            double frames = 0.5 + n % 3;
            box = (struct sc_box){box.x1 + 3 * frames, box.y1 - frames, box.x2 + 3 * frames,
                                  box.y2 - frames};
            sc_kalman_predict(&f, frames, false);
            sc_kalman_update(&f, &box);
        }
        assert_true(fabs(f.axis[0].v - 3) < 0.01 && fabs(f.axis[1].v + 1) < 0.01);
        struct sc_box got = sc_kalman_box(&f);
        assert_true(fabs(got.x1 - box.x1) < 0.05 && fabs(got.y2 - box.y2) < 0.05);
    }
}

static void shrinks_to_no_nonsense(void **state)
{
    (void)state;
    for (int kind = SC_KALMAN_AREA; kind <= SC_KALMAN_HEIGHT; kind++) {
        struct sc_box box = {0, 0, 200, 200};
        struct sc_kalman f;
        sc_kalman_init(&f, (enum sc_kalman_kind)kind, &box);
        for (int n = 0; n < 12; n++) {
            double side = n % 2 ? 200 : 0.002;
            box = (struct sc_box){-1e6, 1e6 - side, -1e6 + side, 1e6};
            sc_kalman_predict(&f, n * 1000, n % 3 == 0);
            sc_kalman_update(&f, &box);
            struct sc_box got = sc_kalman_box(&f);
            assert_true(isfinite(got.x1) && isfinite(got.y1) && isfinite(got.x2));
            assert_true(got.x2 > got.x1 && got.y2 > got.y1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_published),
        cmocka_unit_test(any_step),
        cmocka_unit_test(finds_the_velocity),
        cmocka_unit_test(shrinks_to_no_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
