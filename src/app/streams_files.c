// What a client may name as input and output: addresses of known kinds, and files below one folder.
//
// Nothing that came over the net becomes a path before it has been checked here: other kinds of
// addresses that libavformat knows (concat:, subfile:, pipe:) count as files, and are none.
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/streams_internal.h"
#include "base/mem.h"
#include "base/str.h"

static const char *const sources[] = {"rtsp://",  "rtsps://", "rtmp://", "rtmps://",
                                      "srt://",   "udp://",   "http://", "https://",
                                      "testsrc:", "whip:",    NULL};
static const char *const sinks[] = {"rtmp://", "rtmps://", "srt://", "rtsp://", "udp://", NULL};

static bool is_one_of(const char *const *prefixes, const char *url)
{
    while (*prefixes && strncasecmp(url, *prefixes, strlen(*prefixes)))
        prefixes++;
    return *prefixes != NULL;
}

static bool is_below(const char *folder, const char *path)
{
    size_t len = strlen(folder);
    while (len && folder[len - 1] == '/')
        len--;
    return !strncmp(path, folder, len) && path[len] == '/' && path[len + 1];
}

static bool climbs(const char *path)
{
    for (const char *p = path; *p; p += strcspn(p, "/")) {
        p += strspn(p, "/");
        if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
            return true;
    }
    return false;
}

// The path that was meant, below the folder as far as its text tells. Whether there is anything
// outside is told to nobody.
static int meant(const char *files, const char *name, const char *field, char path[PATH_MAX],
                 sc_err *err)
{
    if (!strncasecmp(name, "file:", 5))
        name += 5;
    if (strstr(name, "://"))
        return sc_fail_field(err, SC_EARG, field, "this kind of address is not known here");
    if (!*files)
        return sc_fail_field(err, SC_EDENIED, field,
                             "files of the server cannot be used: the option streams-files "
                             "names the folder for them, and it is not set");
    int len = snprintf(path, PATH_MAX, "%s%s%s", *name == '/' ? "" : files,
                       *name == '/' ? "" : "/", name);
    if (len < 0 || len >= PATH_MAX)
        return sc_fail_field(err, SC_EARG, field, "the path is too long");
    if (climbs(name) || !is_below(files, path))
        return sc_fail_field(err, SC_EDENIED, field,
                             "only files below the folder of streams-files can be used");
    return SC_OK;
}

// Links resolved; out has room for PATH_MAX. False: it is not there, or elsewhere.
static bool resolve(const char *files, const char *path, char *out)
{
    char folder[PATH_MAX];
    return realpath(files, folder) && realpath(path, out) &&
           (is_below(folder, out) || !strcmp(folder, out));
}

static int missing(sc_err *err, const char *field)
{
    return sc_fail_field(err, SC_ENOTFOUND, field, "there is no such file");
}

int sc_streams_source(const char *files, const char *input, char **url, sc_err *err)
{
    char path[PATH_MAX], real[PATH_MAX];
    struct stat st;
    *url = NULL;
    if (is_one_of(sources, input)) {
        *url = sc_xstrdup(input);
        return SC_OK;
    }
    int ret = meant(files, input, "input", path, err);
    if (ret)
        return ret;
    // A pipe or a device would be waited for, or worse.
    if (!resolve(files, path, real) || stat(real, &st) || !S_ISREG(st.st_mode))
        return missing(err, "input");
    *url = sc_xstrdup(real);
    return SC_OK;
}

// The deepest part of the path that is there must lie in the folder; what is to be made below it
// follows as text.
static int place(const char *files, char *path, const char *field, char **url, sc_err *err)
{
    char real[PATH_MAX];
    sc_str made = {0};
    char *cut;
    struct stat st;
    while (lstat(path, &st) && errno == ENOENT && (cut = strrchr(path, '/')) && cut != path) {
        sc_str rest = {0};
        sc_str_addf(&rest, "/%s%s", cut + 1, sc_str_get(&made));
        sc_str_release(&made);
        made = rest;
        *cut = 0;
    }
    bool fits = resolve(files, path, real) && !stat(real, &st) &&
                (made.len ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));
    if (!fits) {
        sc_str_release(&made);
        return sc_fail_field(err, SC_EDENIED, field,
                             "only files below the folder of streams-files can be written");
    }
    sc_str whole = {0};
    sc_str_addf(&whole, "%s%s", real, sc_str_get(&made));
    sc_str_release(&made);
    *url = sc_str_detach(&whole);
    return SC_OK;
}

int sc_streams_sink(const char *files, const char *output, const char *field, char **url,
                    sc_err *err)
{
    char path[PATH_MAX];
    *url = NULL;
    if (is_one_of(sinks, output)) {
        *url = sc_xstrdup(output);
        return SC_OK;
    }
    int ret = meant(files, output, field, path, err);
    return ret ? ret : place(files, path, field, url, err);
}
