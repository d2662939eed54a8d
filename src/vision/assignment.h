// The assignment problem: which rows and columns of a table to pair for the largest total.
//
// Shortest augmenting paths with potentials (Jonker, Volgenant 1987; Crouse 2016), where a row may
// stay alone: O(rows^2 * columns).
//
// Thread-safety: pure.
#pragma once

#include <stddef.h>

// Bytes that sc_assign() needs to work in.
size_t sc_assign_work_size(int rows, int columns);

// Of all ways to pair rows with columns, each used at most once, takes one whose gains have the
// largest sum, in double precision. gain[row * columns + column] of 0, below or NaN must not be
// paired; infinite ones are not allowed. Writes each row's column, or -1, to column_of. work is
// aligned as by malloc. Equal tables give equal answers.
void sc_assign(const double *gain, int rows, int columns, int *column_of, void *work);
