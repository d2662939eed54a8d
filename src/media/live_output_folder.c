// The files of an HLS output: written whole, and removed when nobody asks for them any more.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "media/live_output_hls.h"

int sc_hls_fail_file(const struct sc_hls *h, const char *name, sc_err *err)
{
    int code = sc_error_from_errno(errno);
    return sc_fail(err, code, "cannot write %s%s: %s%s", h->folder, name, strerror(errno),
                   errno == ENOSPC ? "; free some space on that disk" : "");
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return -1;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

// Under another name first.
static int write_to_folder(const struct sc_hls *h, const char *name, const void *data,
                           size_t size, sc_err *err)
{
    sc_str path = {0}, temporary = {0};
    sc_str_addf(&path, "%s%s", h->folder, name);
    sc_str_addf(&temporary, "%s.%s.part", h->folder, name);
    int ret = SC_OK;
    int fd = open(temporary.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0 && write_all(fd, data, size) == 0;
    if (fd >= 0 && close(fd) < 0)
        good = false;
    if (!good || rename(temporary.s, path.s) < 0) {
        ret = sc_hls_fail_file(h, name, err);
        unlink(temporary.s);
    }
    sc_str_release(&path);
    sc_str_release(&temporary);
    return ret;
}

int sc_hls_write_file(const struct sc_hls *h, const char *name, const void *data, size_t size,
                      sc_err *err)
{
    const struct sc_live_output_store *store = h->setup.params->store;
    return store ? store->put(store->arg, name, data, size, err)
                 : write_to_folder(h, name, data, size, err);
}

static void remove_file(const struct sc_hls *h, const char *name)
{
    const struct sc_live_output_store *store = h->setup.params->store;
    sc_str path = {0};
    sc_str_addf(&path, "%s%s", h->folder, name);
    if (store)
        store->remove(store->arg, name);
    else
        unlink(path.s);
    sc_str_release(&path);
}

void sc_hls_add_name(const struct sc_hls *h, sc_str *out, int number, const char *ending)
{
    sc_str_addf(out, "%s-%s-%05d.%s", h->stem, h->run, number, ending);
}

void sc_hls_add_part_name(const struct sc_hls *h, sc_str *out, int segment, int number)
{
    char ending[32];
    snprintf(ending, sizeof(ending), "%d.m4s", number);
    sc_hls_add_name(h, out, segment, ending);
}

static void remove_part(const struct sc_hls *h, const struct sc_hls_part *part)
{
    sc_str name = {0};
    sc_hls_add_part_name(h, &name, part->segment, part->number);
    remove_file(h, name.s);
    sc_str_release(&name);
}

static void remove_segment(const struct sc_hls *h, int number, const char *ending)
{
    sc_str name = {0};
    sc_hls_add_name(h, &name, number, ending);
    remove_file(h, name.s);
    sc_str_release(&name);
}

#define DIGITS "0123456789"

// "index-<run>-00012.m4s", or with the number of a part, of another run.
static bool is_old(const struct sc_hls *h, const char *name)
{
    size_t stem = strlen(h->stem), run = strlen(h->run);
    if (strncmp(name, h->stem, stem) != 0 || name[stem] != '-' ||
        strspn(name + stem + 1, "0123456789abcdef") != run || name[stem + 1 + run] != '-')
        return false;
    const char *rest = name + stem + 2 + run, *ending = rest + strspn(rest, DIGITS);
    if (*ending == '.' && strspn(ending + 1, DIGITS))
        ending += 1 + strspn(ending + 1, DIGITS);
    bool ours = !strcmp(rest, "init.mp4") ||
                (ending > rest && (!strcmp(ending, ".m4s") || !strcmp(ending, ".vtt")));
    return ours && strncmp(name + stem + 1, h->run, run) != 0;
}

void sc_hls_remove_old(const struct sc_hls *h)
{
    DIR *folder = h->setup.params->store ? NULL : opendir(*h->folder ? h->folder : ".");
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        if (is_old(h, entry->d_name))
            unlinkat(dirfd(folder), entry->d_name, 0);
    }
    if (folder)
        closedir(folder);
}

static void remove_passed_parts(struct sc_hls *h)
{
    int first = h->first + h->count - 2 * SC_HLS_IN_PARTS, n = 0;
    bool full = h->part_count == SC_HLS_MAX_PARTS; // no keyframe comes
    while (n < h->part_count && (h->parts[n].segment < first || (full && !n)))
        remove_part(h, &h->parts[n++]);
    h->part_count -= n;
    memmove(h->parts, h->parts + n, (size_t)h->part_count * sizeof(*h->parts));
}

// Who has just read a playlist may still ask for what has left it since.
void sc_hls_remove_passed(struct sc_hls *h)
{
    remove_passed_parts(h);
    while (h->window > 0 && h->removed < h->first - h->window) {
        remove_segment(h, h->removed, "m4s");
        remove_segment(h, h->removed++, "vtt");
    }
}
