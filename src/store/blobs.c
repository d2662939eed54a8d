#include "store/blobs.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/blobs_internal.h"

enum { MAX_NAME = 64, MAX_EXTENSION = 8, RANDOM_BYTES = 16 };

static const sc_blobs_backend *const backends[] = {&sc_blobs_folder, &sc_blobs_memory};

bool sc_blob_key_valid(const char *key)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t len = strspn(key, allowed);
    if (len < 1 || len > MAX_NAME)
        return false;
    if (!key[len])
        return true;
    if (key[len] != '.')
        return false;
    const char *extension = key + len + 1;
    len = strspn(extension, allowed);
    return len >= 1 && len <= MAX_EXTENSION && !extension[len];
}

int sc_blob_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sc_error_from_errno(errno);
        at += n;
        size -= (size_t)n;
    }
    return SC_OK;
}

int sc_blobs_open(sc_blobs **pblobs, const struct sc_blobs_params *params, sc_err *err)
{
    *pblobs = NULL;
    for (size_t i = 0; i < SC_COUNT(backends); i++) {
        if (!strcmp(backends[i]->name, params->backend))
            return backends[i]->open(pblobs, params, err);
    }
    return sc_fail(err, SC_EARG,
                   "there is no blob store called \"%.40s\"; use folder or memory",
                   params->backend);
}

void sc_blobs_close(sc_blobs **pblobs)
{
    if (!pblobs || !*pblobs)
        return;
    (*pblobs)->backend->close(*pblobs);
    *pblobs = NULL;
}

void sc_blobs_new_key(char *key, const char *ext)
{
    unsigned char random[RANDOM_BYTES];
    // Up to 256 bytes come whole or not at all, and not at all only on kernels before 3.17.
    ssize_t got = getrandom(random, sizeof(random), 0);
    sc_require(got == sizeof(random));
    for (int i = 0; i < RANDOM_BYTES; i++)
        snprintf(key + 2 * i, 3, "%02x", random[i]);
    snprintf(key + 2 * RANDOM_BYTES, SC_BLOB_KEY_SIZE - 2 * RANDOM_BYTES, "%s", ext);
    sc_require(sc_blob_key_valid(key));
}

int sc_blob_writer_open(sc_blob_writer **pw, sc_blobs *blobs, const char *key,
                        int64_t size_hint)
{
    *pw = NULL;
    sc_require(size_hint >= 0);
    if (!sc_blob_key_valid(key))
        return SC_EARG;
    int ret = blobs->backend->writer_open(pw, blobs, key, size_hint);
    if (ret)
        return ret;
    (*pw)->blobs = blobs;
    snprintf((*pw)->key, sizeof((*pw)->key), "%s", key);
    return SC_OK;
}

int sc_blob_writer_write(sc_blob_writer *w, const void *data, size_t size)
{
    sc_require(!w->failed);
    int ret = w->blobs->backend->writer_write(w, data, size);
    if (ret)
        w->failed = true;
    else
        w->size += (int64_t)size;
    return ret;
}

int64_t sc_blob_writer_size(const sc_blob_writer *w)
{
    return w->size;
}

const char *sc_blob_writer_path(const sc_blob_writer *w)
{
    return w->path;
}

int sc_blob_writer_commit(sc_blob_writer **pw)
{
    sc_blob_writer *w = *pw;
    sc_require(!w->failed);
    int ret = w->blobs->backend->writer_commit(w);
    if (ret) {
        w->failed = true;
        return ret;
    }
    w->blobs->backend->writer_close(w);
    *pw = NULL;
    return SC_OK;
}

void sc_blob_writer_abort(sc_blob_writer **pw)
{
    if (!pw || !*pw)
        return;
    (*pw)->blobs->backend->writer_close(*pw);
    *pw = NULL;
}

int sc_blobs_open_fd(sc_blobs *blobs, const char *key, int *fd, int64_t *size)
{
    *fd = -1;
    *size = 0;
    if (!sc_blob_key_valid(key))
        return SC_EARG;
    return blobs->backend->open_fd(blobs, key, fd, size);
}

char *sc_blobs_path(sc_blobs *blobs, const char *key)
{
    return sc_blob_key_valid(key) ? blobs->backend->path(blobs, key) : NULL;
}

int sc_blobs_delete(sc_blobs *blobs, const char *key)
{
    if (!sc_blob_key_valid(key))
        return SC_EARG;
    return blobs->backend->remove(blobs, key);
}

int sc_blobs_each(sc_blobs *blobs, int (*fn)(void *arg, const char *key, int64_t size),
                  void *arg)
{
    return blobs->backend->each(blobs, fn, arg);
}

int64_t sc_blobs_free_bytes(sc_blobs *blobs)
{
    return blobs->backend->free_bytes(blobs);
}
