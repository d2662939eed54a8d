// What a blob engine implements. blobs.c checks keys and keeps the writer's size and state;
// engines trust it.
//
// An engine is one file ending in one sc_blobs_backend, plus a line in the table of blobs.c. Its
// store starts with a struct sc_blobs, its writer with a struct sc_blob_writer.
//
// Thread-safety: engines lock for themselves; a writer has one owner.
#pragma once

#include "store/blobs.h"

typedef struct sc_blobs_backend {
    const char *name;
    // On failure the engine cleans up after itself and *pblobs stays NULL.
    int (*open)(sc_blobs **pblobs, const struct sc_blobs_params *params, sc_err *err);
    void (*close)(sc_blobs *blobs);
    // As their namesakes in blobs.h. writer_close ends a writer, committed or not, and removes
    // what is not committed; write takes all or fails.
    int (*writer_open)(sc_blob_writer **pw, sc_blobs *blobs, const char *key,
                       int64_t size_hint);
    int (*writer_write)(sc_blob_writer *w, const void *data, size_t size);
    int (*writer_commit)(sc_blob_writer *w);
    void (*writer_close)(sc_blob_writer *w);
    int (*open_fd)(sc_blobs *blobs, const char *key, int *fd, int64_t *size);
    char *(*path)(sc_blobs *blobs, const char *key);
    int (*remove)(sc_blobs *blobs, const char *key);
    int (*each)(sc_blobs *blobs, int (*fn)(void *arg, const char *key, int64_t size),
                void *arg);
    int64_t (*free_bytes)(sc_blobs *blobs);
} sc_blobs_backend;

struct sc_blobs {
    const sc_blobs_backend *backend; // immutable
};

struct sc_blob_writer {
    sc_blobs *blobs;            // immutable
    char key[SC_BLOB_KEY_SIZE]; // immutable
    const char *path;           // immutable; the engine's, NULL if there is none
    // Owned by blobs.c:
    int64_t size; // bytes taken so far
    bool failed;  // a write failed: nothing but abort from here
};

extern const sc_blobs_backend sc_blobs_folder;
extern const sc_blobs_backend sc_blobs_memory;

bool sc_blob_key_valid(const char *key);
// Writes all of it to fd, or gives the SC_E* of what stopped it.
int sc_blob_write_all(int fd, const void *data, size_t size);
