// Blobs: large immutable files under opaque keys.
//
// Backends: a folder (write under a temporary name, fsync, rename, fsync the folder; leftovers of
// a crash are removed at open) and memory. Keys are made by the program
// ([a-z0-9]{1,64} with an optional ".ext" of [a-z0-9]{1,8}), never by users.
//
// Thread-safety: Safe for the store; an sc_blob_writer belongs to one thread at a time. Calls
// block for the disk. Several processes may open one folder.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

typedef struct sc_blobs sc_blobs;
typedef struct sc_blob_writer sc_blob_writer;

struct sc_blobs_params {
    const char *backend; // "folder" or "memory"
    const char *path;    // the folder; made if missing
    sc_log *log;
};

// SC_EARG (unknown backend, no path), SC_EIO/SC_EDENIED/SC_ENOSPACE, with err filled.
int sc_blobs_open(sc_blobs **pblobs, const struct sc_blobs_params *params, sc_err *err);
void sc_blobs_close(sc_blobs **pblobs); // after its writers; descriptors stay good

// A fresh random key ("" never happens): 32 hex digits plus ext ("" or ".mp4") into
// key[SC_BLOB_KEY_SIZE].
#define SC_BLOB_KEY_SIZE 80
void sc_blobs_new_key(char *key, const char *ext);

// size_hint in bytes (0 = unknown) sets that much aside where the file system can, so that a full
// disk is refused before the first byte: SC_ENOSPACE. SC_EARG: no valid key, as from all below.
// SC_EEXISTS: the key is taken.
int sc_blob_writer_open(sc_blob_writer **pw, sc_blobs *blobs, const char *key,
                        int64_t size_hint);
// SC_ENOSPACE or SC_EIO; the writer can then only be aborted.
int sc_blob_writer_write(sc_blob_writer *w, const void *data, size_t size);
int64_t sc_blob_writer_size(const sc_blob_writer *w); // bytes so far
// Where the unfinished bytes can be read meanwhile (folder backend), or NULL.
const char *sc_blob_writer_path(const sc_blob_writer *w);
// Makes it durable and visible under its key. Consumes the writer on success; on failure the
// writer must still be aborted. SC_EEXISTS if the key is taken.
int sc_blob_writer_commit(sc_blob_writer **pw);
void sc_blob_writer_abort(sc_blob_writer **pw); // removes what was written; NULL allowed

// A read-only descriptor (the caller's; a memfd for memory) and the size. SC_ENOTFOUND.
int sc_blobs_open_fd(sc_blobs *blobs, const char *key, int *fd, int64_t *size);
// The file's path for libraries that need one, malloc'ed, or NULL (memory backend, no valid key).
// Absolute; says nothing about whether there is such a blob.
char *sc_blobs_path(sc_blobs *blobs, const char *key);
// SC_ENOTFOUND. Descriptors that are open go on reading.
int sc_blobs_delete(sc_blobs *blobs, const char *key);
// Calls fn for each key (order unspecified); stops when it returns non-zero and returns that. fn
// may use the store. Blobs that come or go meanwhile may be told or not.
int sc_blobs_each(sc_blobs *blobs, int (*fn)(void *arg, const char *key, int64_t size),
                  void *arg);
// Bytes free for new blobs (16 MiB of the disk are kept for other things), -1 if unknown.
int64_t sc_blobs_free_bytes(sc_blobs *blobs);
