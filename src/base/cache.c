// Each shard is a hash table of entries, every entry on one of three FIFO lists: SMALL
// (probation), MAIN, and GHOST (keys without values, remembered after leaving SMALL).
#include "base/cache.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

enum queue { SMALL, MAIN, GHOST, QUEUE_COUNT };

#define DEFAULT_SHARDS 8
#define MIN_BUCKETS    64
#define MIN_GHOSTS     64
#define MAX_USES       3 // more would only keep what was popular long ago

struct entry {
    sc_key key;
    void *value; // NULL in GHOST
    size_t bytes;
    enum queue queue;
    int uses; // since it was placed, at most MAX_USES
    struct entry *chain;
    struct entry *prev, *next; // towards the newer, the older
};

struct fifo {
    struct entry *newest, *oldest;
    size_t bytes, items;
};

struct shard {
    pthread_mutex_t lock;
    // under lock
    struct fifo fifos[QUEUE_COUNT];
    struct entry **buckets; // a power of two of them
    size_t bucket_count, entry_count;
    struct sc_cache_stats stats; // counters only
} __attribute__((aligned(64)));  // locks of two shards share no cache line

struct sc_cache {
    // immutable after init
    size_t shard_bytes;
    size_t shard_count;
    void *(*ref)(void *value);
    void (*unref)(void *value);
    struct shard *shards;
};

// Keys are often counters: spread them (the finaliser of splitmix64).
static uint64_t hash_key(sc_key key)
{
    uint64_t x = key.lo + 0x9e3779b97f4a7c15u * (key.hi ^ (key.hi >> 29)) + 1;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

sc_cache *sc_cache_new(const struct sc_cache_params *params)
{
    sc_require(params->ref && params->unref);
    sc_cache *cache = sc_new(sc_cache);
    cache->shard_count = params->shards > 0 ? (size_t)params->shards : DEFAULT_SHARDS;
    cache->shard_bytes = params->max_bytes / cache->shard_count;
    cache->ref = params->ref;
    cache->unref = params->unref;
    cache->shards = aligned_alloc(64, cache->shard_count * sizeof(struct shard));
    sc_require(cache->shards);
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        *shard = (struct shard){.bucket_count = MIN_BUCKETS};
        shard->buckets = sc_xcalloc(MIN_BUCKETS, sizeof(struct entry *));
        pthread_mutex_init(&shard->lock, NULL);
    }
    return cache;
}

static struct shard *find_shard(sc_cache *cache, sc_key key)
{
    // The high half picks the shard, the low half the bucket within.
    return &cache->shards[(hash_key(key) >> 32) % cache->shard_count];
}

static struct entry **find_bucket(const struct shard *shard, sc_key key)
{
    return &shard->buckets[hash_key(key) & (shard->bucket_count - 1)];
}

// The entry, a ghost perhaps, or NULL.
static struct entry *find_entry(const struct shard *shard, sc_key key)
{
    struct entry *entry = *find_bucket(shard, key);
    while (entry && (entry->key.lo != key.lo || entry->key.hi != key.hi))
        entry = entry->chain;
    return entry;
}

static void fifo_push(struct shard *shard, struct entry *entry, enum queue queue)
{
    struct fifo *fifo = &shard->fifos[queue];
    entry->queue = queue;
    entry->uses = 0;
    entry->prev = NULL;
    entry->next = fifo->newest;
    if (fifo->newest)
        fifo->newest->prev = entry;
    else
        fifo->oldest = entry;
    fifo->newest = entry;
    fifo->bytes += entry->bytes;
    fifo->items++;
}

static void fifo_remove(struct shard *shard, struct entry *entry)
{
    struct fifo *fifo = &shard->fifos[entry->queue];
    *(entry->prev ? &entry->prev->next : &fifo->newest) = entry->next;
    *(entry->next ? &entry->next->prev : &fifo->oldest) = entry->prev;
    fifo->bytes -= entry->bytes;
    fifo->items--;
}

// Takes entry off its list and out of the table.
static void detach(struct shard *shard, struct entry *entry)
{
    struct entry **p = find_bucket(shard, entry->key);
    while (*p != entry)
        p = &(*p)->chain;
    *p = entry->chain;
    shard->entry_count--;
    fifo_remove(shard, entry);
}

// Frees a list of detached entries linked by chain; no lock is held.
static void free_entries(sc_cache *cache, struct entry *entry)
{
    while (entry) {
        struct entry *next = entry->chain;
        if (entry->value)
            cache->unref(entry->value);
        free(entry);
        entry = next;
    }
}

static void detach_to(struct shard *shard, struct entry *entry, struct entry **dead)
{
    detach(shard, entry);
    entry->chain = *dead;
    *dead = entry;
}

void sc_cache_free(sc_cache **pcache)
{
    sc_cache *cache = pcache ? *pcache : NULL;
    if (!cache)
        return;
    *pcache = NULL;
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        for (size_t b = 0; b < shard->bucket_count; b++)
            free_entries(cache, shard->buckets[b]);
        free(shard->buckets);
        pthread_mutex_destroy(&shard->lock);
    }
    free(cache->shards);
    free(cache);
}

static void grow_table(struct shard *shard)
{
    size_t old_count = shard->bucket_count;
    struct entry **old = shard->buckets;
    struct entry **buckets = sc_try_calloc(old_count * 2, sizeof(*buckets));
    if (!buckets)
        return; // longer chains, nothing worse
    shard->buckets = buckets;
    shard->bucket_count = old_count * 2;
    for (size_t b = 0; b < old_count; b++) {
        while (old[b]) {
            struct entry *entry = old[b];
            old[b] = entry->chain;
            struct entry **bucket = find_bucket(shard, entry->key);
            entry->chain = *bucket;
            *bucket = entry;
        }
    }
    free(old);
}

static void insert(struct shard *shard, struct entry *entry, enum queue queue)
{
    if (shard->entry_count >= shard->bucket_count)
        grow_table(shard);
    struct entry **bucket = find_bucket(shard, entry->key);
    entry->chain = *bucket;
    *bucket = entry;
    shard->entry_count++;
    fifo_push(shard, entry, queue);
}

// Remembers the key of what leaves probation unused, as many as there are values.
static void leave_ghost(struct shard *shard, sc_key key, struct entry **dead)
{
    struct entry *ghost = sc_try_calloc(1, sizeof(*ghost));
    if (!ghost)
        return;
    ghost->key = key;
    insert(shard, ghost, GHOST);
    struct fifo *ghosts = &shard->fifos[GHOST];
    size_t values = shard->fifos[SMALL].items + shard->fifos[MAIN].items;
    while (ghosts->items > MIN_GHOSTS && ghosts->items > values)
        detach_to(shard, ghosts->oldest, dead);
}

// One step of eviction: the oldest entry is promoted, given another round, or put on dead.
static void evict_step(struct shard *shard, size_t budget, struct entry **dead)
{
    const struct fifo *small = &shard->fifos[SMALL], *proven = &shard->fifos[MAIN];
    bool from_small = small->items && (!proven->items || small->bytes >= budget / 10);
    struct entry *entry = from_small ? small->oldest : proven->oldest;
    int uses = entry->uses;
    if (uses) {
        fifo_remove(shard, entry);
        fifo_push(shard, entry, MAIN);
        entry->uses = from_small ? 0 : uses - 1; // ends: each round uses one up
        return;
    }
    sc_key key = entry->key;
    detach_to(shard, entry, dead);
    shard->stats.evictions++;
    if (from_small)
        leave_ghost(shard, key, dead);
}

static size_t bytes_held(const struct shard *shard)
{
    return shard->fifos[SMALL].bytes + shard->fifos[MAIN].bytes;
}

void *sc_cache_get(sc_cache *cache, sc_key key)
{
    struct shard *shard = find_shard(cache, key);
    void *value = NULL;
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find_entry(shard, key);
    if (entry && entry->value) {
        value = cache->ref(entry->value);
        if (entry->uses < MAX_USES)
            entry->uses++;
        shard->stats.hits++;
    } else {
        shard->stats.misses++;
    }
    pthread_mutex_unlock(&shard->lock);
    return value;
}

int sc_cache_peek(sc_cache *cache, sc_key key)
{
    struct shard *shard = find_shard(cache, key);
    pthread_mutex_lock(&shard->lock);
    const struct entry *entry = find_entry(shard, key);
    int found = entry && entry->value;
    pthread_mutex_unlock(&shard->lock);
    return found;
}

// Puts fresh in, in the place of what had its key; what has to go is on dead.
static void place(struct shard *shard, size_t budget, struct entry *fresh, struct entry **dead)
{
    struct entry *old = find_entry(shard, fresh->key);
    enum queue queue = SMALL;
    int uses = 0;
    if (old) {
        queue = old->queue == SMALL ? SMALL : MAIN; // a ghost that comes back has proven itself
        uses = old->uses;
        detach_to(shard, old, dead);
    }
    while (bytes_held(shard) > budget - fresh->bytes)
        evict_step(shard, budget, dead);
    insert(shard, fresh, queue);
    fresh->uses = uses;
    shard->stats.inserts++;
}

void sc_cache_put(sc_cache *cache, sc_key key, void *value, size_t bytes)
{
    sc_require(value);
    if (!bytes)
        bytes = 1; // so that the budget bounds their number too
    if (bytes > cache->shard_bytes) {
        sc_cache_drop(cache, key);
        return;
    }
    struct entry *fresh = sc_try_calloc(1, sizeof(*fresh));
    if (!fresh)
        return;
    *fresh = (struct entry){.key = key, .value = cache->ref(value), .bytes = bytes};
    struct shard *shard = find_shard(cache, key);
    struct entry *dead = NULL;
    pthread_mutex_lock(&shard->lock);
    place(shard, cache->shard_bytes, fresh, &dead);
    pthread_mutex_unlock(&shard->lock);
    free_entries(cache, dead);
}

void sc_cache_drop(sc_cache *cache, sc_key key)
{
    struct shard *shard = find_shard(cache, key);
    struct entry *dead = NULL;
    pthread_mutex_lock(&shard->lock);
    struct entry *entry = find_entry(shard, key);
    if (entry)
        detach_to(shard, entry, &dead);
    pthread_mutex_unlock(&shard->lock);
    free_entries(cache, dead);
}

void sc_cache_drop_hi(sc_cache *cache, uint64_t hi)
{
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        struct entry *dead = NULL;
        pthread_mutex_lock(&shard->lock);
        for (int q = 0; q < QUEUE_COUNT; q++) {
            struct entry *next;
            for (struct entry *entry = shard->fifos[q].newest; entry; entry = next) {
                next = entry->next;
                if (entry->key.hi == hi)
                    detach_to(shard, entry, &dead);
            }
        }
        pthread_mutex_unlock(&shard->lock);
        free_entries(cache, dead);
    }
}

void sc_cache_get_stats(sc_cache *cache, struct sc_cache_stats *stats)
{
    *stats = (struct sc_cache_stats){0};
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        stats->hits += shard->stats.hits;
        stats->misses += shard->stats.misses;
        stats->inserts += shard->stats.inserts;
        stats->evictions += shard->stats.evictions;
        stats->bytes += bytes_held(shard);
        stats->items += shard->fifos[SMALL].items + shard->fifos[MAIN].items;
        pthread_mutex_unlock(&shard->lock);
    }
}
