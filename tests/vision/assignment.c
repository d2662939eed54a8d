// The best pairing, against all pairings of small tables; shapes, ties, forbidden pairs.
#include "vision/assignment.h"

#include <math.h>
#include <stdlib.h>

#include "../base/test.h"

static uint64_t seed = 1;

static double random_unit(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 40) / (1 << 24);
}

// The largest sum from row on, by trying everything.
static double best_of_all(const double *gain, int rows, int columns, int row, unsigned used)
{
    if (row == rows)
        return 0;
    double best = best_of_all(gain, rows, columns, row + 1, used);
    for (int j = 0; j < columns; j++) {
        double g = gain[row * columns + j];
        if (g > 0 && !(used >> j & 1))
            best = fmax(best, g + best_of_all(gain, rows, columns, row + 1, used | 1u << j));
    }
    return best;
}

// The sum that sc_assign() reaches; checks that what it says is a pairing.
static double solve(const double *gain, int rows, int columns)
{
    int *column_of = calloc((size_t)rows + 1, sizeof(*column_of));
    bool *used = calloc((size_t)columns + 1, sizeof(*used));
    void *work = malloc(sc_assign_work_size(rows, columns) + 1);
    double sum = 0;
    sc_assign(gain, rows, columns, column_of, work);
    for (int i = 0; i < rows; i++) {
        int j = column_of[i];
        assert_in_range(j + 1, 0, columns);
        if (j < 0)
            continue;
        assert_false(used[j]);
        used[j] = true;
        assert_true(gain[i * columns + j] > 0);
        sum += gain[i * columns + j];
    }
    free(column_of);
    free(used);
    free(work);
    return sum;
}

static void fill(double *gain, int cells, double forbidden, bool ties)
{
    for (int k = 0; k < cells; k++) {
        double v = random_unit();
        gain[k] = random_unit() < forbidden ? -v : ties ? ceil(3 * v) : v;
    }
}

static void as_good_as_trying_all(void **state)
{
    (void)state;
    double gain[6 * 7];
    for (int round = 0; round < 4000; round++) {
        int rows = 1 + (int)(6 * random_unit()), columns = 1 + (int)(7 * random_unit());
        fill(gain, rows * columns, round % 5 * 0.2, round % 2);
        double best = best_of_all(gain, rows, columns, 0, 0);
        assert_true(fabs(solve(gain, rows, columns) - best) < 1e-9);
    }
}

// The last row's great gain makes all others move on by one, so that none is left alone.
static void a_long_way(void **state)
{
    (void)state;
    enum { N = 60 };
    static double gain[N * N];
    for (int i = 0; i + 1 < N; i++) {
        gain[i * N + i] = 1;
        gain[(i + 1) * N + i] = 0.999;
    }
    assert_true(fabs(solve(gain, N, N) - (N - 1)) < 1e-9);
    gain[(N - 1) * N + N - 2] = 5;
    gain[N - 1] = 0.95;
    assert_true(fabs(solve(gain, N, N) - (5 + 0.999 * (N - 2) + 0.95)) < 1e-9);
}

static void edges(void **state)
{
    (void)state;
    double nothing[6] = {0, -1, NAN, -INFINITY, 0, NAN}, one[1] = {0.1};
    assert_true(solve(nothing, 2, 3) == 0);
    assert_true(solve(nothing, 0, 3) == 0);
    assert_true(solve(nothing, 3, 0) == 0);
    assert_true(solve(one, 1, 1) == 0.1);
    double tiny[4] = {1e-300, 2e-300, 2e-300, 1e-300};
    assert_true(solve(tiny, 2, 2) == 4e-300);
    double unlike[4] = {1e6, 1e-3, 1e6 - 1, NAN};
    assert_true(fabs(solve(unlike, 2, 2) - (1e6 - 1 + 1e-3)) < 1e-6 ||
                fabs(solve(unlike, 2, 2) - 1e6) < 1e-6);
}

// Wide and tall tables of the same gains have the same best sum.
static void turned(void **state)
{
    (void)state;
    enum { ROWS = 40, COLUMNS = 90 };
    static double wide[ROWS * COLUMNS], tall[ROWS * COLUMNS];
    for (int round = 0; round < 10; round++) {
        fill(wide, ROWS * COLUMNS, round * 0.1, false);
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < COLUMNS; j++)
                tall[j * ROWS + i] = wide[i * COLUMNS + j];
        assert_true(fabs(solve(wide, ROWS, COLUMNS) - solve(tall, COLUMNS, ROWS)) < 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_good_as_trying_all),
        cmocka_unit_test(a_long_way),
        cmocka_unit_test(edges),
        cmocka_unit_test(turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
