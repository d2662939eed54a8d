#include "store/rows.h"

#include "base/mem.h"
#include "store/rows_internal.h"

enum { MAX_TABLE = 32, MAX_KEY = 255 };

static const sc_rows_backend *const backends[] = {&sc_rows_sqlite, &sc_rows_memory};

static bool table_valid(const char *table)
{
    size_t len = strspn(table, "abcdefghijklmnopqrstuvwxyz_");
    return len >= 1 && len <= MAX_TABLE && !table[len];
}

static bool key_valid(const char *key)
{
    size_t len = strnlen(key, MAX_KEY + 1);
    return len >= 1 && len <= MAX_KEY;
}

int sc_rows_open(sc_rows **prows, const struct sc_rows_params *params, sc_err *err)
{
    *prows = NULL;
    for (size_t i = 0; i < SC_COUNT(backends); i++) {
        if (!strcmp(backends[i]->name, params->backend))
            return backends[i]->open(prows, params, err);
    }
    return sc_fail(err, SC_EARG, "there is no row store called \"%.40s\"; use sqlite or memory",
                   params->backend);
}

void sc_rows_close(sc_rows **prows)
{
    if (!prows || !*prows)
        return;
    (*prows)->backend->close(*prows);
    *prows = NULL;
}

int sc_rows_insert(sc_rows *rows, const char *table, const char *key, const char *value)
{
    sc_require(table_valid(table) && value);
    if (!key_valid(key))
        return SC_EARG;
    return rows->backend->insert(rows, table, key, value);
}

int sc_rows_update(sc_rows *rows, const char *table, const char *key, const char *value,
                   int64_t rev)
{
    sc_require(table_valid(table) && value && rev >= 0);
    if (!key_valid(key))
        return SC_EARG;
    return rows->backend->update(rows, table, key, value, rev);
}

int sc_rows_get(sc_rows *rows, const char *table, const char *key, sc_row *row)
{
    sc_require(table_valid(table));
    *row = (sc_row){0};
    if (!key_valid(key))
        return SC_EARG;
    return rows->backend->get(rows, table, key, row);
}

int sc_rows_delete(sc_rows *rows, const char *table, const char *key)
{
    sc_require(table_valid(table));
    if (!key_valid(key))
        return SC_EARG;
    return rows->backend->remove(rows, table, key);
}

int sc_rows_list(sc_rows *rows, const char *table, const char *after, int max, sc_row **out)
{
    sc_require(table_valid(table) && max > 0);
    *out = NULL;
    if (*after && !key_valid(after))
        return SC_EARG;
    return rows->backend->list(rows, table, after, max, out);
}

void sc_row_release(sc_row *row)
{
    if (!row)
        return;
    free(row->key);
    free(row->value);
    *row = (sc_row){0};
}

static char *try_strdup(const char *s)
{
    if (!s) // SQLite's way of saying that memory is out
        return NULL;
    size_t size = strlen(s) + 1;
    char *copy = sc_try_calloc(size, 1);
    return copy ? memcpy(copy, s, size) : NULL;
}

int sc_row_set(sc_row *row, const char *key, const char *value, int64_t rev)
{
    *row = (sc_row){.key = try_strdup(key), .value = try_strdup(value), .rev = rev};
    if (row->key && row->value)
        return SC_OK;
    sc_row_release(row);
    return SC_ENOMEM;
}

int sc_row_list_add(struct sc_row_list *list, const char *key, const char *value, int64_t rev)
{
    if (list->count == list->capacity) {
        int capacity = list->capacity ? list->capacity * 2 : 16;
        sc_row *grown = sc_try_realloc(list->rows, (size_t)capacity, sizeof(*grown));
        if (!grown)
            return SC_ENOMEM;
        list->rows = grown;
        list->capacity = capacity;
    }
    int ret = sc_row_set(&list->rows[list->count], key, value, rev);
    if (!ret)
        list->count++;
    return ret;
}

void sc_row_list_release(struct sc_row_list *list)
{
    for (int i = 0; i < list->count; i++)
        sc_row_release(&list->rows[i]);
    free(list->rows);
    *list = (struct sc_row_list){0};
}
