// What a row engine implements. rows.c checks arguments; engines trust them.
//
// An engine is one file ending in one sc_rows_backend, plus a line in the table of rows.c. Its
// object starts with a struct sc_rows.
//
// Thread-safety: engines lock for themselves.
#pragma once

#include "store/rows.h"

typedef struct sc_rows_backend {
    const char *name;
    // On failure the engine cleans up after itself and *prows stays NULL.
    int (*open)(sc_rows **prows, const struct sc_rows_params *params, sc_err *err);
    void (*close)(sc_rows *rows);
    // As their namesakes in rows.h; get finds *row zeroed.
    int (*insert)(sc_rows *rows, const char *table, const char *key, const char *value);
    int (*update)(sc_rows *rows, const char *table, const char *key, const char *value,
                  int64_t rev);
    int (*get)(sc_rows *rows, const char *table, const char *key, sc_row *row);
    int (*remove)(sc_rows *rows, const char *table, const char *key);
    int (*list)(sc_rows *rows, const char *table, const char *after, int max, sc_row **out);
} sc_rows_backend;

struct sc_rows {
    const sc_rows_backend *backend; // immutable
};

extern const sc_rows_backend sc_rows_sqlite;
extern const sc_rows_backend sc_rows_memory;

// A growing result of list: zero it, append, hand .rows to the caller. After SC_ENOMEM release it.
struct sc_row_list {
    sc_row *rows;
    int count;
    int capacity;
};

// Copies key and value into *row; SC_ENOMEM leaves *row zeroed.
int sc_row_set(sc_row *row, const char *key, const char *value, int64_t rev);
int sc_row_list_add(struct sc_row_list *list, const char *key, const char *value, int64_t rev);
void sc_row_list_release(struct sc_row_list *list);
