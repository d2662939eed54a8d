// A sharded cache with a byte budget that scans cannot flush.
//
// Keys are 128 bits; values are opaque, refcounted by the two callbacks. An entry enters a small
// probation queue and moves to the main part when it is asked for again; keys pushed out of
// probation are remembered for a while and enter the main part directly when they come back
// (the S3-FIFO scheme: Yang et al., "FIFO queues are all you need for cache eviction", 2023).
//
// Thread-safety: Safe; each shard has its own lock. ref() runs under it (an entry found must not
// go away before it is counted) and may only count; unref() runs with no lock held.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct sc_cache sc_cache;

typedef struct sc_key {
    uint64_t hi, lo;
} sc_key;

struct sc_cache_params {
    size_t max_bytes;           // the budget; 0 keeps nothing
    int shards;                 // 0 = 8; the budget is split evenly
    void *(*ref)(void *value);  // gives a new reference; never blocks, never NULL
    void (*unref)(void *value); // drops one
};

struct sc_cache_stats {
    uint64_t hits, misses, inserts, evictions;
    size_t bytes, items;
};

sc_cache *sc_cache_new(const struct sc_cache_params *params);
void sc_cache_free(sc_cache **pcache);

// A new reference to the value, or NULL.
void *sc_cache_get(sc_cache *cache, sc_key key);
// Is it there? Counts as neither hit nor miss and does not promote.
int sc_cache_peek(sc_cache *cache, sc_key key);
// Keeps a reference of its own to value (replacing an older one), weighed as bytes (0 counts
// as 1). A value larger than a shard's budget is not kept. The caller's reference stays the
// caller's.
void sc_cache_put(sc_cache *cache, sc_key key, void *value, size_t bytes);
// Drops one key, or all keys with this hi.
void sc_cache_drop(sc_cache *cache, sc_key key);
void sc_cache_drop_hi(sc_cache *cache, uint64_t hi);

void sc_cache_get_stats(sc_cache *cache, struct sc_cache_stats *stats);
