// Blobs as files: FOLDER/ab/abcdef.mp4, where "ab" is the start of the key; unfinished ones are
// FOLDER/tmp/RANDOM-KEY.
//
// A blob appears under its key in one step (rename without overwriting) after its bytes are on
// disk, and is acknowledged after its folder is too: a crash leaves all of it or nothing. What a
// crash leaves in tmp/ is removed at the next open; a writer holds a lock on its file, so that
// another process that opens the same folder does not take live uploads for leftovers.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/blobs_internal.h"

// What stays free for the database and the indexes when uploads fill the disk.
#define RESERVE_BYTES (INT64_C(16) << 20)
// Write-back is started every so many bytes. The disk then works while the data arrives, and the
// last fsync has little left to wait for.
#define WRITEBACK_BYTES (INT64_C(8) << 20)

enum { FAN_SIZE = 3, FOLDER_MODE = 0750, FILE_MODE = 0640 };

struct folder_blobs {
    sc_blobs blobs;
    sc_log *log;
    char *path; // absolute
    int root;   // descriptor of path
    int tmp;    // descriptor of path/tmp
};

struct folder_writer {
    sc_blob_writer writer;
    struct folder_blobs *folder;
    char *path;       // absolute
    const char *name; // its last part
    int fd;
    bool committed;
    int64_t flushed; // bytes whose write-back has been started
};

// The sub-folder of a key: its first two letters, '_' where it has fewer.
static void fan_name(char fan[FAN_SIZE], const char *key)
{
    fan[0] = key[0];
    fan[1] = key[1] && key[1] != '.' ? key[1] : '_';
    fan[2] = '\0';
}

// What a failed system call means to the caller. Files and folders that are missing or of the
// wrong kind mean a damaged store here, not a missing blob.
static int disk_error(int errnum)
{
    int code = sc_error_from_errno(errnum);
    return code == SC_ENOSPACE || code == SC_EDENIED || code == SC_ENOMEM ? code : SC_EIO;
}

static int fail_errno(struct folder_blobs *folder, const char *what, const char *key)
{
    int errnum = errno, code = disk_error(errnum);
    SC_ERROR(folder->log, "blob access failed", SC_S("while", what), SC_S("key", key),
             SC_S("error", strerror(errnum)));
    return code;
}

// Makes the folder `name` below `at` where it is missing and gives a descriptor of it. It is on
// disk before anything is put in it; one that was there may be another thread's of just now.
static int make_folder(int at, const char *name, int *fd)
{
    if ((mkdirat(at, name, FOLDER_MODE) && errno != EEXIST) || fsync(at))
        return -1;
    *fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? -1 : 0;
}

// As mkdir -p.
static int make_path(const char *path)
{
    char *copy = sc_xstrdup(path);
    int ret = 0;
    for (char *slash = strchr(copy + 1, '/'); slash && !ret; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ret = mkdir(copy, FOLDER_MODE) && errno != EEXIST;
        *slash = '/';
    }
    if (!ret)
        ret = mkdir(copy, FOLDER_MODE) && errno != EEXIST;
    free(copy);
    return ret ? -1 : 0;
}

// Opens the root, which may be new: then its own entry has to be on disk as well. A parent that
// may not be read was not made by us.
static int open_root(struct folder_blobs *folder)
{
    folder->root = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->root < 0)
        return -1;
    int parent = openat(folder->root, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return 0;
    int ret = fsync(parent);
    close(parent);
    return ret;
}

// Removes an unfinished file unless a living writer has it locked.
static void remove_leftover(struct folder_blobs *folder, const char *name)
{
    int fd = openat(folder->tmp, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (!flock(fd, LOCK_EX | LOCK_NB) && !unlinkat(folder->tmp, name, 0))
        SC_INFO(folder->log, "unfinished blob removed", SC_S("file", name));
    close(fd);
}

// A stream over a folder, independent of fd's position; NULL on failure.
static DIR *list_folder(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

static int remove_leftovers(struct folder_blobs *folder)
{
    DIR *dir = list_folder(folder->tmp, ".");
    if (!dir)
        return -1;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] != '.')
            remove_leftover(folder, entry->d_name);
    }
    closedir(dir);
    return 0;
}

static void folder_close(sc_blobs *blobs)
{
    struct folder_blobs *folder = (struct folder_blobs *)blobs;
    if (folder->tmp >= 0)
        close(folder->tmp);
    if (folder->root >= 0)
        close(folder->root);
    sc_log_close(&folder->log);
    free(folder->path);
    free(folder);
}

static int folder_open(sc_blobs **pblobs, const struct sc_blobs_params *params, sc_err *err)
{
    if (!params->path || !*params->path)
        return sc_fail(err, SC_EARG, "the blob store needs the path of its folder");
    struct folder_blobs *folder = sc_new(struct folder_blobs);
    folder->blobs.backend = &sc_blobs_folder;
    folder->log = sc_log_child(params->log, "blobs");
    folder->root = folder->tmp = -1;
    if (make_path(params->path) || !(folder->path = realpath(params->path, NULL)) ||
        open_root(folder) || make_folder(folder->root, "tmp", &folder->tmp) ||
        faccessat(folder->tmp, ".", W_OK, AT_EACCESS) || remove_leftovers(folder)) {
        int errnum = errno, code = disk_error(errnum);
        folder_close(&folder->blobs);
        return sc_fail(err, code, "cannot use the folder %.200s for blobs: %.100s",
                       params->path, strerror(errnum));
    }
    *pblobs = &folder->blobs;
    return SC_OK;
}

static int64_t folder_free_bytes(sc_blobs *blobs)
{
    struct statvfs st;
    if (fstatvfs(((struct folder_blobs *)blobs)->root, &st))
        return -1;
    int64_t bytes = (int64_t)st.f_bavail * (int64_t)st.f_frsize - RESERVE_BYTES;
    return bytes > 0 ? bytes : 0;
}

static bool blob_exists(struct folder_blobs *folder, const char *key)
{
    char fan[FAN_SIZE], name[FAN_SIZE + SC_BLOB_KEY_SIZE];
    fan_name(fan, key);
    snprintf(name, sizeof(name), "%s/%s", fan, key);
    return !faccessat(folder->root, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

static void folder_writer_close(sc_blob_writer *writer)
{
    struct folder_writer *w = (struct folder_writer *)writer;
    if (w->fd >= 0 && !w->committed)
        unlinkat(w->folder->tmp, w->name, 0);
    if (w->fd >= 0)
        close(w->fd);
    free(w->path);
    free(w);
}

static struct folder_writer *writer_new(struct folder_blobs *folder, const char *key,
                                        const char *random)
{
    struct folder_writer *w = sc_new(struct folder_writer);
    sc_str path = {0};
    sc_str_addf(&path, "%s/tmp/%.16s-", folder->path, random);
    size_t name = strlen(folder->path) + strlen("/tmp/");
    sc_str_add(&path, key);
    w->folder = folder;
    w->fd = -1;
    w->path = sc_str_detach(&path);
    w->name = w->path + name;
    w->writer.path = w->path;
    return w;
}

// Makes the unfinished file and locks it. Between the two another process's clean-up may have
// removed it: the caller then tries another name.
static int create_locked(struct folder_writer *w)
{
    struct stat st;
    w->fd = openat(w->folder->tmp, w->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (w->fd < 0)
        return fail_errno(w->folder, "create", w->name);
    if (flock(w->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        return SC_EAGAIN;
    return !fstat(w->fd, &st) && !st.st_nlink ? SC_EAGAIN : SC_OK;
}

// Sets size_hint bytes aside, so that two uploads that do not fit together are not both begun.
// File systems that cannot do that just take what comes.
static int reserve(struct folder_writer *w, int64_t size_hint)
{
    int64_t available = folder_free_bytes(&w->folder->blobs);
    if (available >= 0 && size_hint > available)
        return SC_ENOSPACE;
    if (!size_hint || !fallocate(w->fd, FALLOC_FL_KEEP_SIZE, 0, size_hint))
        return SC_OK;
    return errno == ENOSPC || errno == EDQUOT ? SC_ENOSPACE : SC_OK;
}

static int folder_writer_open(sc_blob_writer **pw, sc_blobs *blobs, const char *key,
                              int64_t size_hint)
{
    struct folder_blobs *folder = (struct folder_blobs *)blobs;
    char random[SC_BLOB_KEY_SIZE];
    if (blob_exists(folder, key))
        return SC_EEXISTS;
    struct folder_writer *w = NULL;
    int ret = SC_EAGAIN;
    while (ret == SC_EAGAIN) {
        if (w)
            folder_writer_close(&w->writer);
        sc_blobs_new_key(random, "");
        w = writer_new(folder, key, random);
        ret = create_locked(w);
    }
    if (!ret)
        ret = reserve(w, size_hint);
    if (ret)
        folder_writer_close(&w->writer);
    else
        *pw = &w->writer;
    return ret;
}

static int folder_writer_write(sc_blob_writer *writer, const void *data, size_t size)
{
    struct folder_writer *w = (struct folder_writer *)writer;
    int ret = sc_blob_write_all(w->fd, data, size);
    if (ret)
        return ret;
    int64_t written = writer->size + (int64_t)size;
    if (written - w->flushed >= WRITEBACK_BYTES) {
        // Advice only: errors of the disk come back from fsync.
        sync_file_range(w->fd, w->flushed, written - w->flushed, SYNC_FILE_RANGE_WRITE);
        w->flushed = written;
    }
    return SC_OK;
}

// Moves the finished file to its key without replacing anything. The link is for file systems
// without that kind of rename.
static int publish(struct folder_writer *w, int fan, const char *key)
{
    int tmp = w->folder->tmp;
    if (!renameat2(tmp, w->name, fan, key, RENAME_NOREPLACE))
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (linkat(tmp, w->name, fan, key, 0))
        return -1;
    unlinkat(tmp, w->name, 0);
    return 0;
}

static int folder_writer_commit(sc_blob_writer *writer)
{
    struct folder_writer *w = (struct folder_writer *)writer;
    const char *key = writer->key;
    char name[FAN_SIZE];
    int fan = -1, ret = SC_OK;
    fan_name(name, key);
    // Gives back what was set aside and not used.
    if (ftruncate(w->fd, writer->size) || fsync(w->fd)) {
        ret = fail_errno(w->folder, "sync", key);
        goto out;
    }
    if (make_folder(w->folder->root, name, &fan)) {
        ret = fail_errno(w->folder, "make folder", key);
        goto out;
    }
    if (publish(w, fan, key)) {
        ret = errno == EEXIST ? SC_EEXISTS : fail_errno(w->folder, "rename", key);
        goto out;
    }
    w->committed = true; // under its key now: nothing is left in tmp
    if (fsync(fan)) {
        ret = fail_errno(w->folder, "sync folder", key);
        unlinkat(fan, key, 0); // not acknowledged, so not there
    }
out:
    if (fan >= 0)
        close(fan);
    return ret;
}

static char *folder_path(sc_blobs *blobs, const char *key)
{
    char fan[FAN_SIZE];
    sc_str path = {0};
    fan_name(fan, key);
    sc_str_addf(&path, "%s/%s/%s", ((struct folder_blobs *)blobs)->path, fan, key);
    return sc_str_detach(&path);
}

static int folder_open_fd(sc_blobs *blobs, const char *key, int *fd, int64_t *size)
{
    struct folder_blobs *folder = (struct folder_blobs *)blobs;
    char fan[FAN_SIZE], name[FAN_SIZE + SC_BLOB_KEY_SIZE];
    struct stat st;
    fan_name(fan, key);
    snprintf(name, sizeof(name), "%s/%s", fan, key);
    *fd = openat(folder->root, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT ? SC_ENOTFOUND : fail_errno(folder, "open", key);
    if (!fstat(*fd, &st) && S_ISREG(st.st_mode)) {
        *size = st.st_size;
        return SC_OK;
    }
    close(*fd);
    *fd = -1;
    return SC_ENOTFOUND;
}

static int folder_remove(sc_blobs *blobs, const char *key)
{
    struct folder_blobs *folder = (struct folder_blobs *)blobs;
    char name[FAN_SIZE];
    int ret = SC_OK;
    fan_name(name, key);
    int fan = openat(folder->root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fan < 0)
        return errno == ENOENT ? SC_ENOTFOUND : fail_errno(folder, "delete", key);
    if (unlinkat(fan, key, 0))
        ret = errno == ENOENT ? SC_ENOTFOUND : fail_errno(folder, "delete", key);
    else if (fsync(fan))
        ret = fail_errno(folder, "sync folder", key);
    close(fan);
    return ret;
}

// Files that are no blobs of ours (a wrong name, the wrong folder) are passed over.
static int each_in_fan(struct folder_blobs *folder, const char *fan,
                       int (*fn)(void *arg, const char *key, int64_t size), void *arg)
{
    DIR *dir = list_folder(folder->root, fan);
    if (!dir)
        return errno == ENOENT || errno == ENOTDIR ? SC_OK : fail_errno(folder, "list", fan);
    int ret = SC_OK;
    for (const struct dirent *entry; !ret && (entry = readdir(dir));) {
        struct stat st;
        char expected[FAN_SIZE];
        fan_name(expected, entry->d_name);
        if (!sc_blob_key_valid(entry->d_name) || strcmp(expected, fan))
            continue;
        if (!fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
            S_ISREG(st.st_mode))
            ret = fn(arg, entry->d_name, st.st_size);
    }
    closedir(dir);
    return ret;
}

static int folder_each(sc_blobs *blobs, int (*fn)(void *arg, const char *key, int64_t size),
                       void *arg)
{
    struct folder_blobs *folder = (struct folder_blobs *)blobs;
    DIR *dir = list_folder(folder->root, ".");
    if (!dir)
        return fail_errno(folder, "list", "");
    int ret = SC_OK;
    for (const struct dirent *entry; !ret && (entry = readdir(dir));) {
        if (strlen(entry->d_name) == FAN_SIZE - 1 && entry->d_name[0] != '.')
            ret = each_in_fan(folder, entry->d_name, fn, arg);
    }
    closedir(dir);
    return ret;
}

const sc_blobs_backend sc_blobs_folder = {
    .name = "folder",
    .open = folder_open,
    .close = folder_close,
    .writer_open = folder_writer_open,
    .writer_write = folder_writer_write,
    .writer_commit = folder_writer_commit,
    .writer_close = folder_writer_close,
    .open_fd = folder_open_fd,
    .path = folder_path,
    .remove = folder_remove,
    .each = folder_each,
    .free_bytes = folder_free_bytes,
};
