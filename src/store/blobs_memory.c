// Blobs in memory, each a sealed memfd, so that readers get a real descriptor that outlives the
// blob's deletion just as with files. For tests and throw-away servers: each blob holds one
// descriptor.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/blobs_internal.h"

struct item {
    char key[SC_BLOB_KEY_SIZE];
    int fd;
    int64_t size; // bytes
};

struct memory_blobs {
    sc_blobs blobs;
    pthread_mutex_t lock;
    // Under lock:
    struct item *items;
    size_t count;
    size_t capacity;
};

struct memory_writer {
    sc_blob_writer writer;
    int fd; // -1 once the store owns it
};

// Under lock. The item of that key, or NULL.
static struct item *find(struct memory_blobs *mem, const char *key)
{
    for (size_t i = 0; i < mem->count; i++) {
        if (!strcmp(mem->items[i].key, key))
            return &mem->items[i];
    }
    return NULL;
}

static int memory_open(sc_blobs **pblobs, const struct sc_blobs_params *params, sc_err *err)
{
    (void)params;
    (void)err;
    struct memory_blobs *mem = sc_new(struct memory_blobs);
    mem->blobs.backend = &sc_blobs_memory;
    pthread_mutex_init(&mem->lock, NULL);
    *pblobs = &mem->blobs;
    return SC_OK;
}

static void memory_close(sc_blobs *blobs)
{
    struct memory_blobs *mem = (struct memory_blobs *)blobs;
    for (size_t i = 0; i < mem->count; i++)
        close(mem->items[i].fd);
    free(mem->items);
    pthread_mutex_destroy(&mem->lock);
    free(mem);
}

static int memory_writer_open(sc_blob_writer **pw, sc_blobs *blobs, const char *key,
                              int64_t size_hint)
{
    struct memory_blobs *mem = (struct memory_blobs *)blobs;
    (void)size_hint;
    pthread_mutex_lock(&mem->lock);
    bool taken = find(mem, key);
    pthread_mutex_unlock(&mem->lock);
    if (taken)
        return SC_EEXISTS;
    int fd = memfd_create(key, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return sc_error_from_errno(errno);
    struct memory_writer *w = sc_new(struct memory_writer);
    w->fd = fd;
    *pw = &w->writer;
    return SC_OK;
}

static int memory_writer_write(sc_blob_writer *writer, const void *data, size_t size)
{
    return sc_blob_write_all(((struct memory_writer *)writer)->fd, data, size);
}

// Under lock. Takes the writer's memfd over.
static int adopt(struct memory_blobs *mem, struct memory_writer *w)
{
    if (find(mem, w->writer.key))
        return SC_EEXISTS;
    if (mem->count == mem->capacity) {
        size_t capacity = mem->capacity ? mem->capacity * 2 : 16;
        struct item *grown = sc_try_realloc(mem->items, capacity, sizeof(*grown));
        if (!grown)
            return SC_ENOMEM;
        mem->items = grown;
        mem->capacity = capacity;
    }
    struct item *item = &mem->items[mem->count++];
    *item = (struct item){.fd = w->fd, .size = w->writer.size};
    memcpy(item->key, w->writer.key, sizeof(item->key));
    w->fd = -1;
    return SC_OK;
}

static int memory_writer_commit(sc_blob_writer *writer)
{
    struct memory_blobs *mem = (struct memory_blobs *)writer->blobs;
    struct memory_writer *w = (struct memory_writer *)writer;
    if (fcntl(w->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
        return sc_error_from_errno(errno);
    pthread_mutex_lock(&mem->lock);
    int ret = adopt(mem, w);
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

static void memory_writer_close(sc_blob_writer *writer)
{
    struct memory_writer *w = (struct memory_writer *)writer;
    if (w->fd >= 0)
        close(w->fd);
    free(w);
}

static int memory_open_fd(sc_blobs *blobs, const char *key, int *fd, int64_t *size)
{
    struct memory_blobs *mem = (struct memory_blobs *)blobs;
    char path[64];
    int ret = SC_ENOTFOUND;
    pthread_mutex_lock(&mem->lock);
    const struct item *item = find(mem, key);
    if (item) {
        // Opened anew, not dup()ed: each reader has a position of its own.
        snprintf(path, sizeof(path), "/proc/self/fd/%d", item->fd);
        *fd = open(path, O_RDONLY | O_CLOEXEC);
        *size = *fd < 0 ? 0 : item->size;
        ret = *fd < 0 ? sc_error_from_errno(errno) : SC_OK;
    }
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

static char *memory_path(sc_blobs *blobs, const char *key)
{
    (void)blobs;
    (void)key;
    return NULL;
}

static int memory_remove(sc_blobs *blobs, const char *key)
{
    struct memory_blobs *mem = (struct memory_blobs *)blobs;
    int ret = SC_ENOTFOUND;
    pthread_mutex_lock(&mem->lock);
    struct item *item = find(mem, key);
    if (item) {
        close(item->fd);
        *item = mem->items[--mem->count];
        ret = SC_OK;
    }
    pthread_mutex_unlock(&mem->lock);
    return ret;
}

// Calls fn on a copy, without the lock, so that fn may use the store.
static int memory_each(sc_blobs *blobs, int (*fn)(void *arg, const char *key, int64_t size),
                       void *arg)
{
    struct memory_blobs *mem = (struct memory_blobs *)blobs;
    pthread_mutex_lock(&mem->lock);
    size_t count = mem->count;
    struct item *items = sc_try_calloc(count, sizeof(*items));
    if (items && count)
        memcpy(items, mem->items, count * sizeof(*items));
    pthread_mutex_unlock(&mem->lock);
    int ret = items ? SC_OK : SC_ENOMEM;
    for (size_t i = 0; !ret && i < count; i++)
        ret = fn(arg, items[i].key, items[i].size);
    free(items);
    return ret;
}

static int64_t memory_free_bytes(sc_blobs *blobs)
{
    (void)blobs;
    return -1;
}

const sc_blobs_backend sc_blobs_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .writer_open = memory_writer_open,
    .writer_write = memory_writer_write,
    .writer_commit = memory_writer_commit,
    .writer_close = memory_writer_close,
    .open_fd = memory_open_fd,
    .path = memory_path,
    .remove = memory_remove,
    .each = memory_each,
    .free_bytes = memory_free_bytes,
};
