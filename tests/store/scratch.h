// Scratch space for the tests of stores: temporary folders, a small disk that can be filled, and
// children that are killed in the middle of their work.
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

static inline char *scratch_make(void)
{
    const char *parent = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/saccade-store-XXXXXX", parent ? parent : "/tmp") < 0 ||
        !mkdtemp(path))
        abort();
    return path;
}

static inline int scratch_unlink(const char *path, const struct stat *st, int type,
                                 struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void scratch_remove(char *path)
{
    nftw(path, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

static inline char *scratch_join(const char *folder, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        abort();
    return path;
}

// Mounts a disk of so many bytes on path, for this process alone; false where that is not
// allowed. It vanishes with the process or at scratch_unmount().
static inline bool scratch_mount(const char *path, int64_t bytes)
{
    char options[64];
    snprintf(options, sizeof(options), "size=%lld", (long long)bytes);
    return !unshare(CLONE_NEWNS) && !mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) &&
           !mount("tmpfs", path, "tmpfs", 0, options);
}

static inline void scratch_unmount(const char *path)
{
    umount2(path, MNT_DETACH);
}

// Writes to path until the disk is full.
static inline void scratch_fill(const char *path)
{
    static const char zeros[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (fd >= 0 && write(fd, zeros, sizeof(zeros)) > 0)
        continue;
    close(fd);
}

// Runs work(arg, fd) in a child; work writes an int32_t to fd for each thing it was told is done.
// Once `enough` were told, kills the child with SIGKILL. Returns how many were told in all.
static inline int scratch_kill_midway(void (*work)(void *arg, int fd), void *arg, int enough)
{
    int fds[2], told = 0;
    int32_t word;
    if (pipe2(fds, O_CLOEXEC))
        abort();
    pid_t pid = fork();
    if (!pid) {
        close(fds[0]);
        work(arg, fds[1]);
        _exit(1);
    }
    close(fds[1]);
    while (read(fds[0], &word, sizeof(word)) == sizeof(word)) {
        if (++told == enough)
            kill(pid, SIGKILL);
    }
    close(fds[0]);
    waitpid(pid, NULL, 0);
    return told;
}
