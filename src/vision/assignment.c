#include "vision/assignment.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

// Minimises the sum of -gain. Row i may also take a private column of cost 0, which is "alone".
// Potentials u, v keep every reduced cost -gain - u - v at 0 or above, pairs at 0.
struct solver {
    const double *gain;
    int rows, columns;
    int *column_of;
    double *u;    // by row
    double *v;    // by column
    double *near; // by column: length of the shortest path from the row being added
    double *at;   // by row: the same, where it is in the tree
    int *row_of;  // by column, -1 = free
    int *from;    // by column: the row before it on that path
    int *tree;    // columns whose rows are in the tree, then the others
};

size_t sc_assign_work_size(int rows, int columns)
{
    return (size_t)rows * 2 * sizeof(double) +
           (size_t)columns * (2 * sizeof(double) + 3 * sizeof(int));
}

static void init(struct solver *s, void *work)
{
    size_t rows = (size_t)s->rows, columns = (size_t)s->columns;
    s->u = work;
    s->at = s->u + rows;
    s->v = s->at + rows;
    s->near = s->v + columns;
    void *whole_numbers = s->near + columns;
    s->row_of = whole_numbers;
    s->from = s->row_of + columns;
    s->tree = s->from + columns;
    memset(work, 0, sc_assign_work_size(s->rows, s->columns));
    for (int j = 0; j < s->columns; j++)
        s->row_of[j] = -1;
    for (int i = 0; i < s->rows; i++)
        s->column_of[i] = -1;
}

// Shortens the paths to columns outside the tree by going over row.
static void relax(struct solver *s, int row, int inside)
{
    const double *gain = s->gain + (size_t)row * (size_t)s->columns;
    double base = s->at[row] - s->u[row];
    for (int k = inside; k < s->columns; k++) {
        int j = s->tree[k];
        double path = base - gain[j] - s->v[j];
        if (gain[j] > 0 && path < s->near[j]) { // false for NaN
            s->near[j] = path;
            s->from[j] = row;
        }
    }
}

// Moves the nearest column outside the tree to place `inside`; -1 where none can be reached.
static int take_nearest(struct solver *s, int inside)
{
    int best = -1;
    double least = INFINITY;
    for (int k = inside; k < s->columns; k++) {
        if (s->near[s->tree[k]] < least) {
            least = s->near[s->tree[k]];
            best = k;
        }
    }
    if (best < 0)
        return -1;
    int column = s->tree[best];
    s->tree[best] = s->tree[inside];
    s->tree[inside] = column;
    return column;
}

static void move_potentials(struct solver *s, int row, int inside, double length)
{
    s->u[row] += length;
    for (int k = 0; k < inside; k++) {
        int j = s->tree[k], i = s->row_of[j];
        s->u[i] += length - s->at[i];
        s->v[j] -= length - s->near[j];
    }
}

// Gives column to the row before it on the path, that row's old column to the one before, and so on.
static void shift(struct solver *s, int column)
{
    while (column >= 0) { // the row being added had none
        int i = s->from[column], old = s->column_of[i];
        s->row_of[column] = i;
        s->column_of[i] = column;
        column = old;
    }
}

// Adds a row: the shortest path ends in a free column, or in a row that stays alone from now on.
static void add_row(struct solver *s, int row)
{
    int inside = 0, alone = row, column;
    double shortest = 0; // to the end at `alone`
    for (int j = 0; j < s->columns; j++) {
        s->tree[j] = j;
        s->near[j] = INFINITY;
    }
    s->at[row] = 0;
    relax(s, row, inside);
    while ((column = take_nearest(s, inside)) >= 0 && s->near[column] < shortest) {
        int next = s->row_of[column];
        if (next < 0)
            break;
        inside++;
        s->at[next] = s->near[column];
        if (s->at[next] - s->u[next] < shortest) {
            shortest = s->at[next] - s->u[next];
            alone = next;
        }
        relax(s, next, inside);
    }
    bool free_column = column >= 0 && s->near[column] < shortest;
    move_potentials(s, row, inside, free_column ? s->near[column] : shortest);
    if (free_column) {
        shift(s, column);
    } else if (alone != row) {
        column = s->column_of[alone];
        s->column_of[alone] = -1;
        shift(s, column);
    }
}

void sc_assign(const double *gain, int rows, int columns, int *column_of, void *work)
{
    struct solver s = {.gain = gain, .rows = rows, .columns = columns, .column_of = column_of};
    init(&s, work);
    for (int row = 0; row < rows; row++)
        add_row(&s, row);
}
