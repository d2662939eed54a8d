// Rows in memory: one array sorted by table and key. For tests and throw-away servers; an insert
// moves what lies behind it, which is cheap up to some ten thousand rows.
#include <pthread.h>

#include "base/mem.h"
#include "store/rows_internal.h"

struct item {
    char *table;
    sc_row row;
};

struct memory_rows {
    sc_rows rows;
    pthread_mutex_t lock;
    // Under lock:
    struct item *items;
    size_t count;
    size_t capacity;
};

// The first position whose item is not before (table, key).
static size_t lower_bound(const struct memory_rows *mem, const char *table, const char *key)
{
    size_t low = 0, high = mem->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(mem->items[mid].table, table);
        if (!order)
            order = strcmp(mem->items[mid].row.key, key);
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool item_is(const struct memory_rows *mem, size_t pos, const char *table,
                    const char *key)
{
    return pos < mem->count && !strcmp(mem->items[pos].table, table) &&
           !strcmp(mem->items[pos].row.key, key);
}

static void item_release(struct item *item)
{
    free(item->table);
    sc_row_release(&item->row);
}

static int memory_open(sc_rows **prows, const struct sc_rows_params *params, sc_err *err)
{
    (void)params;
    (void)err;
    struct memory_rows *mem = sc_new(struct memory_rows);
    mem->rows.backend = &sc_rows_memory;
    pthread_mutex_init(&mem->lock, NULL);
    *prows = &mem->rows;
    return SC_OK;
}

static void memory_close(sc_rows *rows)
{
    struct memory_rows *mem = (struct memory_rows *)rows;
    for (size_t i = 0; i < mem->count; i++)
        item_release(&mem->items[i]);
    free(mem->items);
    pthread_mutex_destroy(&mem->lock);
    free(mem);
}

static int insert_at(struct memory_rows *mem, size_t pos, const char *table, const char *key,
                     const char *value)
{
    if (mem->count == mem->capacity) {
        size_t capacity = mem->capacity ? mem->capacity * 2 : 64;
        struct item *grown = sc_try_realloc(mem->items, capacity, sizeof(*grown));
        if (!grown)
            return SC_ENOMEM;
        mem->items = grown;
        mem->capacity = capacity;
    }
    sc_row row;
    int ret = sc_row_set(&row, key, value, 1);
    if (ret)
        return ret;
    memmove(&mem->items[pos + 1], &mem->items[pos], (mem->count - pos) * sizeof(*mem->items));
    mem->items[pos] = (struct item){.table = sc_xstrdup(table), .row = row};
    mem->count++;
    return SC_OK;
}

static int memory_insert(sc_rows *rows, const char *table, const char *key, const char *value)
{
    struct memory_rows *mem = (struct memory_rows *)rows;
    pthread_mutex_lock(&mem->lock);
    size_t pos = lower_bound(mem, table, key);
    int ret =
        item_is(mem, pos, table, key) ? SC_EEXISTS : insert_at(mem, pos, table, key, value);
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

static int memory_update(sc_rows *rows, const char *table, const char *key, const char *value,
                         int64_t rev)
{
    struct memory_rows *mem = (struct memory_rows *)rows;
    sc_row fresh = {0};
    int ret = SC_ENOTFOUND;
    pthread_mutex_lock(&mem->lock);
    size_t pos = lower_bound(mem, table, key);
    if (!item_is(mem, pos, table, key))
        goto out;
    sc_row *row = &mem->items[pos].row;
    ret = SC_ESTALE;
    if (rev && rev != row->rev)
        goto out;
    ret = sc_row_set(&fresh, key, value, row->rev + 1);
    if (ret)
        goto out;
    sc_row_release(row);
    *row = fresh;
out:
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

static int memory_get(sc_rows *rows, const char *table, const char *key, sc_row *row)
{
    struct memory_rows *mem = (struct memory_rows *)rows;
    pthread_mutex_lock(&mem->lock);
    size_t pos = lower_bound(mem, table, key);
    int ret = SC_ENOTFOUND;
    if (item_is(mem, pos, table, key)) {
        const sc_row *found = &mem->items[pos].row;
        ret = sc_row_set(row, found->key, found->value, found->rev);
    }
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

static int memory_remove(sc_rows *rows, const char *table, const char *key)
{
    struct memory_rows *mem = (struct memory_rows *)rows;
    pthread_mutex_lock(&mem->lock);
    size_t pos = lower_bound(mem, table, key);
    int ret = SC_ENOTFOUND;
    if (item_is(mem, pos, table, key)) {
        item_release(&mem->items[pos]);
        mem->count--;
        memmove(&mem->items[pos], &mem->items[pos + 1],
                (mem->count - pos) * sizeof(*mem->items));
        ret = SC_OK;
    }
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

static int memory_list(sc_rows *rows, const char *table, const char *after, int max,
                       sc_row **out)
{
    struct memory_rows *mem = (struct memory_rows *)rows;
    struct sc_row_list list = {0};
    int ret = SC_OK;
    pthread_mutex_lock(&mem->lock);
    size_t pos = lower_bound(mem, table, after);
    if (item_is(mem, pos, table, after))
        pos++;
    for (; !ret && list.count < max && pos < mem->count; pos++) {
        const struct item *item = &mem->items[pos];
        if (strcmp(item->table, table))
            break;
        ret = sc_row_list_add(&list, item->row.key, item->row.value, item->row.rev);
    }
    pthread_mutex_unlock(&mem->lock);
    if (ret) {
        sc_row_list_release(&list);
        return ret;
    }
    *out = list.rows;
    return list.count;
}

const sc_rows_backend sc_rows_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .insert = memory_insert,
    .update = memory_update,
    .get = memory_get,
    .remove = memory_remove,
    .list = memory_list,
};
