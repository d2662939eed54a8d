// Keys in memory: a hash table for looking up and a heap by expiry for forgetting. The heap's top
// is both the first to expire and the first to go when the store is full.
#include <inttypes.h>
#include <pthread.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/keys_internal.h"

#define DEFAULT_ITEMS 65536
#define DEFAULT_BYTES ((size_t)64 << 20)

struct item {
    struct item *next; // in its bucket
    size_t place;      // in the heap
    int64_t expires;   // ns by params.now; INT64_MAX = never
    size_t bytes;      // of key and value with their NULs
    char *value;
    char key[];
};

struct memory_keys {
    sc_keys keys;
    // Immutable:
    size_t max_items, max_bytes;
    int64_t (*now)(void);
    uint64_t seed; // random: keys may come from clients, who must not choose their bucket
    pthread_mutex_t lock;
    // Under lock:
    struct item **buckets; // bucket_count, a power of two
    size_t bucket_count;
    struct item **heap; // count of capacity bucket_count
    size_t count;
    size_t bytes;
};

static struct item **bucket_of(struct memory_keys *mem, const char *key)
{
    return &mem->buckets[XXH3_64bits_withSeed(key, strlen(key), mem->seed) &
                         (mem->bucket_count - 1)];
}

static void place(struct memory_keys *mem, size_t i, struct item *item)
{
    mem->heap[i] = item;
    item->place = i;
}

// Moves the item at place i to where it belongs after its expiry changed.
static void sift(struct memory_keys *mem, size_t i)
{
    struct item *item = mem->heap[i];
    for (; i && mem->heap[(i - 1) / 2]->expires > item->expires; i = (i - 1) / 2)
        place(mem, i, mem->heap[(i - 1) / 2]);
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < mem->count && mem->heap[child + 1]->expires < mem->heap[child]->expires)
            child++;
        if (child >= mem->count || mem->heap[child]->expires >= item->expires)
            break;
        place(mem, i, mem->heap[child]);
        i = child;
    }
    place(mem, i, item);
}

static void forget(struct memory_keys *mem, struct item *item)
{
    struct item **link = bucket_of(mem, item->key);
    while (*link != item)
        link = &(*link)->next;
    *link = item->next;
    size_t i = item->place;
    struct item *last = mem->heap[--mem->count];
    if (last != item) {
        place(mem, i, last);
        sift(mem, i);
    }
    mem->bytes -= item->bytes;
    free(item->value);
    free(item);
}

// Forgets what has expired; then nothing that is found is stale.
static void expire(struct memory_keys *mem)
{
    int64_t now = mem->now();
    // forget() moves another item to heap[0], which the analyser cannot know.
    while (mem->count && mem->heap[0]->expires <= now) // NOLINT(clang-analyzer-unix.Malloc)
        forget(mem, mem->heap[0]);
}

static struct item *find(struct memory_keys *mem, const char *key)
{
    struct item *item = *bucket_of(mem, key);
    while (item && strcmp(item->key, key))
        item = item->next;
    return item;
}

static int64_t expiry(const struct memory_keys *mem, int64_t ttl_ns)
{
    int64_t now = mem->now();
    return ttl_ns <= 0 || ttl_ns > INT64_MAX - now ? INT64_MAX : now + ttl_ns;
}

// Twice the buckets, and a heap of that size. Without memory for it the old ones still do.
static int grow(struct memory_keys *mem)
{
    size_t old_count = mem->bucket_count, count = old_count * 2;
    struct item **heap = sc_try_realloc(mem->heap, count, sizeof(*heap));
    if (!heap)
        return SC_ENOMEM;
    mem->heap = heap;
    struct item **buckets = sc_try_calloc(count, sizeof(*buckets));
    if (!buckets)
        return SC_ENOMEM;
    free(mem->buckets);
    mem->buckets = buckets;
    mem->bucket_count = count;
    for (size_t i = 0; i < mem->count; i++) {
        struct item **bucket = bucket_of(mem, mem->heap[i]->key);
        mem->heap[i]->next = *bucket;
        *bucket = mem->heap[i];
    }
    return SC_OK;
}

// A new item under key; forgets others where there is no room. Takes value over on success.
static int insert(struct memory_keys *mem, const char *key, char *value, int64_t expires)
{
    size_t key_size = strlen(key) + 1, bytes = key_size + strlen(value) + 1;
    if (bytes > mem->max_bytes)
        return SC_ELIMIT;
    while (mem->count && (mem->count >= mem->max_items || bytes > mem->max_bytes - mem->bytes))
        forget(mem, mem->heap[0]); // NOLINT(clang-analyzer-unix.Malloc): as in expire()
    if (mem->count == mem->bucket_count && grow(mem))
        return SC_ENOMEM;
    struct item *item = sc_try_calloc(1, sizeof(*item) + key_size);
    if (!item)
        return SC_ENOMEM;
    memcpy(item->key, key, key_size);
    item->value = value;
    item->bytes = bytes;
    item->expires = expires;
    struct item **bucket = bucket_of(mem, key);
    item->next = *bucket;
    *bucket = item;
    mem->bytes += bytes;
    place(mem, mem->count++, item);
    sift(mem, item->place);
    return SC_OK;
}

// A malloc'ed copy, NULL when memory is out.
static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = sc_try_calloc(size, 1);
    return copy ? memcpy(copy, text, size) : NULL;
}

// Under lock: replaces what is under key.
static int put(struct memory_keys *mem, const char *key, const char *value, int64_t expires)
{
    char *copy = copy_text(value);
    if (!copy)
        return SC_ENOMEM;
    struct item *old = find(mem, key);
    if (old)
        forget(mem, old);
    int ret = insert(mem, key, copy, expires);
    if (ret)
        free(copy);
    return ret;
}

static void memory_close(sc_keys *keys)
{
    struct memory_keys *mem = (struct memory_keys *)keys;
    for (size_t i = 0; i < mem->count; i++) {
        free(mem->heap[i]->value);
        free(mem->heap[i]);
    }
    free(mem->heap);
    free(mem->buckets);
    pthread_mutex_destroy(&mem->lock);
    free(mem);
}

static int memory_open(sc_keys **pkeys, const struct sc_keys_params *params, sc_err *err)
{
    (void)err;
    struct memory_keys *mem = sc_new(struct memory_keys);
    mem->keys.backend = &sc_keys_memory;
    mem->max_items = params->max_items ? params->max_items : DEFAULT_ITEMS;
    mem->max_bytes = params->max_bytes ? params->max_bytes : DEFAULT_BYTES;
    mem->now = params->now ? params->now : sc_clock_now;
    if (getrandom(&mem->seed, sizeof(mem->seed), 0) != sizeof(mem->seed))
        mem->seed = (uint64_t)sc_clock_wall();
    mem->bucket_count = 64;
    mem->buckets = sc_xcalloc(mem->bucket_count, sizeof(*mem->buckets));
    mem->heap = sc_xcalloc(mem->bucket_count, sizeof(*mem->heap));
    pthread_mutex_init(&mem->lock, NULL);
    *pkeys = &mem->keys;
    return SC_OK;
}

static int memory_set(sc_keys *keys, const char *key, const char *value, int64_t ttl_ns)
{
    struct memory_keys *mem = (struct memory_keys *)keys;
    pthread_mutex_lock(&mem->lock);
    expire(mem);
    int ret = put(mem, key, value, expiry(mem, ttl_ns));
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

static int memory_get(sc_keys *keys, const char *key, char **value)
{
    struct memory_keys *mem = (struct memory_keys *)keys;
    int ret = SC_ENOTFOUND;
    pthread_mutex_lock(&mem->lock);
    expire(mem);
    const struct item *item = find(mem, key);
    if (item) {
        *value = copy_text(item->value);
        ret = *value ? SC_OK : SC_ENOMEM;
    }
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

static int memory_remove(sc_keys *keys, const char *key)
{
    struct memory_keys *mem = (struct memory_keys *)keys;
    pthread_mutex_lock(&mem->lock);
    expire(mem);
    struct item *item = find(mem, key);
    if (item)
        forget(mem, item);
    pthread_mutex_unlock(&mem->lock);
    return item ? SC_OK : SC_ENOTFOUND;
}

static int memory_add(sc_keys *keys, const char *key, int64_t delta, int64_t ttl_ns,
                      int64_t *sum)
{
    struct memory_keys *mem = (struct memory_keys *)keys;
    char text[24];
    int64_t value = 0;
    int ret = SC_EDATA;
    pthread_mutex_lock(&mem->lock);
    expire(mem);
    const struct item *item = find(mem, key);
    if (item && !sc_parse_int(item->value, INT64_MIN, INT64_MAX, &value))
        goto out;
    ret = SC_ERANGE;
    if (__builtin_add_overflow(value, delta, &value))
        goto out;
    snprintf(text, sizeof(text), "%" PRId64, value);
    ret = put(mem, key, text, item ? item->expires : expiry(mem, ttl_ns));
    if (!ret)
        *sum = value;
out:
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

const sc_keys_backend sc_keys_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .set = memory_set,
    .get = memory_get,
    .remove = memory_remove,
    .add = memory_add,
};
