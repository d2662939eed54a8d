// Keys: short-lived counters and values with a time to live. Backend: memory.
//
// Nothing here is needed for correctness: everything may vanish at any time. Used for rate
// limits and short caches.
//
// Thread-safety: Safe; never blocks on I/O (memory backend).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct sc_keys sc_keys;

struct sc_keys_params {
    const char *backend;  // "memory"
    size_t max_items;     // 0 = 65536; the soonest to expire goes first when full
    size_t max_bytes;     // of keys and values together; 0 = 64 MiB; likewise
    int64_t (*now)(void); // ns, monotonic; NULL = sc_clock_now (tests pass their own)
};

// SC_EARG for an unknown backend.
int sc_keys_open(sc_keys **pkeys, const struct sc_keys_params *params, sc_err *err);
void sc_keys_close(sc_keys **pkeys);

// ttl_ns <= 0 = does not expire. Key and value: NUL-terminated, at most 255 and 65535 bytes
// (SC_ELIMIT).
int sc_keys_set(sc_keys *keys, const char *key, const char *value, int64_t ttl_ns);
int sc_keys_get(sc_keys *keys, const char *key, char **value); // malloc'ed; SC_ENOTFOUND
int sc_keys_delete(sc_keys *keys, const char *key);            // SC_ENOTFOUND
// Adds delta to a counter (0 if absent; ttl_ns counts from its creation) and gives the sum.
// SC_EDATA if the value is not a number, SC_ERANGE if the sum does not fit; both leave it alone.
int sc_keys_add(sc_keys *keys, const char *key, int64_t delta, int64_t ttl_ns, int64_t *sum);
