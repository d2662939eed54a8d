// What a key engine implements. keys.c checks arguments; engines trust them.
//
// An engine is one file ending in one sc_keys_backend, plus a line in the table of keys.c. Its
// object starts with a struct sc_keys.
//
// Thread-safety: engines lock for themselves.
#pragma once

#include "store/keys.h"

typedef struct sc_keys_backend {
    const char *name;
    // On failure the engine cleans up after itself and *pkeys stays NULL.
    int (*open)(sc_keys **pkeys, const struct sc_keys_params *params, sc_err *err);
    void (*close)(sc_keys *keys);
    // As their namesakes in keys.h.
    int (*set)(sc_keys *keys, const char *key, const char *value, int64_t ttl_ns);
    int (*get)(sc_keys *keys, const char *key, char **value);
    int (*remove)(sc_keys *keys, const char *key);
    int (*add)(sc_keys *keys, const char *key, int64_t delta, int64_t ttl_ns, int64_t *sum);
} sc_keys_backend;

struct sc_keys {
    const sc_keys_backend *backend; // immutable
};

extern const sc_keys_backend sc_keys_memory;
