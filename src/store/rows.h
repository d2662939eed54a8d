// Rows: small JSON documents in named tables, ordered by key.
//
// The narrow interface every row engine has: SQLite (WAL) and memory. A row has a revision that
// starts at 1 and grows with each update; writers that must not lose a race pass the revision
// they read. Everything acknowledged is durable (SQLite: synchronous=FULL).
//
// Thread-safety: Safe. Calls block for the disk; keep them off I/O threads.
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

typedef struct sc_rows sc_rows;

typedef struct sc_row {
    char *key;   // owned by the row; sc_row_release() frees
    char *value; // UTF-8 JSON text, NUL-terminated, likewise
    int64_t rev; // 1 at insert
} sc_row;

void sc_row_release(sc_row *row);

struct sc_rows_params {
    const char *backend; // "sqlite" or "memory"
    const char *path;    // the database file (sqlite)
    sc_log *log;
};

// SC_EARG (unknown backend, no path), SC_EIO/SC_EDENIED/SC_ENOSPACE/SC_EDATA (not a database, or of a newer schema) with err filled.
int sc_rows_open(sc_rows **prows, const struct sc_rows_params *params, sc_err *err);
void sc_rows_close(sc_rows **prows);

// table: [a-z_]{1,32} (caller bug otherwise); key: 1 to 255 bytes (SC_EARG otherwise, from each
// call below). SC_EBUSY: another process held the database for five seconds.
// SC_EEXISTS if the key is taken. SC_ENOSPACE when the disk is full, state unchanged.
int sc_rows_insert(sc_rows *rows, const char *table, const char *key, const char *value);
// rev 0 = whatever is there. SC_ENOTFOUND, or SC_ESTALE when the revision has moved on.
int sc_rows_update(sc_rows *rows, const char *table, const char *key, const char *value,
                   int64_t rev);
// SC_ENOTFOUND, and *row zeroed.
int sc_rows_get(sc_rows *rows, const char *table, const char *key, sc_row *row);
int sc_rows_delete(sc_rows *rows, const char *table, const char *key);
// Up to max (> 0) rows with key > after ("" = from the start) in byte order. Returns how many, or an
// error; *out is the caller's (sc_row_release each, then free()), NULL when none.
int sc_rows_list(sc_rows *rows, const char *table, const char *after, int max, sc_row **out);
