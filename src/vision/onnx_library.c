// Finding ONNX Runtime's library, and filling the table of its functions.
#include <dlfcn.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "vision/onnx_internal.h"

#if defined(__aarch64__)
#define MACHINE "arm64"
#else
#define MACHINE "x64"
#endif
#define FILE_NAME "libonnxruntime.so.1"
#define IN_NODE   "node_modules/onnxruntime-node/bin/napi-v*/linux/" MACHINE "/" FILE_NAME
#define PARENTS                                                                                \
    3 // folders above the program's that are searched: a build folder's tests lie deep

// One search: what was opened, where it came from, and where nothing was.
struct search {
    void *handle;
    char *path;
    sc_str looked;
    sc_str broken; // the last library that was there and could not be opened
};

// Since 1.29, ONNX Runtime counts its use on Linux too: it keeps an identifier under the user's
// cache folder, writes to /tmp/mat-debug-PID.log and sends to Microsoft. DisableTelemetryEvents()
// comes too late for what opening the environment starts. Before main(), because the environment's
// variables cannot be changed once there are threads.
__attribute__((constructor)) static void keep_onnx_runtime_from_reporting(void)
{
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
}

// Opens path; false: it is not there, or is not to be opened (then `broken` says why).
static bool try_path(struct search *s, const char *path, const char *why_not)
{
    const char *said = why_not;
    if (!why_not) {
        s->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        said = s->handle ? NULL : dlerror();
    }
    if (s->handle) {
        s->path = sc_xstrdup(path);
        return true;
    }
    sc_str_clear(&s->broken);
    if (strchr(path, '/') && !strncmp(said, path, strlen(path)))
        sc_str_add(&s->broken, said);
    else
        sc_str_addf(&s->broken, "%s: %s", path, said);
    return false;
}

static const char *untrusted(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        return "cannot be looked at";
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return "belongs to another user; name it (option models-library) if that is right";
    return st.st_mode & S_IWOTH ? "may be written by everybody" : NULL;
}

// What is found by looking around is code that runs: only where this user or root put it. The
// library opens others from its folder, so that counts too.
static bool try_found(struct search *s, const char *path)
{
    char real[PATH_MAX], folder[PATH_MAX];
    if (!realpath(path, real))
        return try_path(s, path, "cannot be looked at");
    snprintf(folder, sizeof(folder), "%s", real);
    const char *why_not = untrusted(real);
    return try_path(s, real, why_not ? why_not : untrusted(dirname(folder)));
}

static bool try_pattern(struct search *s, const char *folder, const char *pattern)
{
    glob_t found = {0};
    sc_str path = {0};
    sc_str_addf(&path, "%s/%s", folder, pattern);
    bool done = false;
    if (!glob(sc_str_get(&path), 0, NULL, &found))
        for (size_t i = found.gl_pathc; i-- && !done;) // the newest napi last
            done = try_found(s, found.gl_pathv[i]);
    globfree(&found);
    sc_str_release(&path);
    return done;
}

static bool try_folder(struct search *s, const char *folder, const char *pattern,
                       const char *below)
{
    sc_str_addf(&s->looked, "%s%s%s%s", s->looked.len ? ", " : "", folder,
                strcmp(folder, "/") ? "/" : "", below);
    return try_pattern(s, folder, pattern);
}

// From the program's folder upwards, then PREFIX/lib/saccade, PREFIX being the folder above it.
static bool try_beside_program(struct search *s)
{
    char program[PATH_MAX], prefix[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (n <= 0)
        return false;
    program[n] = '\0';
    char *folder = dirname(program);
    snprintf(prefix, sizeof(prefix), "%s", folder);
    for (int i = 0; i <= PARENTS && strcmp(folder, "/"); i++) {
        if (try_folder(s, folder, IN_NODE, "node_modules"))
            return true;
        folder = dirname(folder);
    }
    return try_folder(s, dirname(prefix), "lib/saccade/" FILE_NAME, "lib/saccade");
}

static bool search_everywhere(struct search *s)
{
    static const char *const names[] = {FILE_NAME, "libonnxruntime.so"};
    char folder[PATH_MAX];
    for (size_t i = 0; i < SC_COUNT(names); i++)
        if (try_path(s, names[i], NULL))
            return true;
    sc_str_clear(&s->broken); // "no such file" is what the list of places says already
    sc_str_add(&s->looked, "the system's libraries");
    return try_beside_program(s) ||
           (getcwd(folder, sizeof(folder)) && try_folder(s, folder, IN_NODE, "node_modules"));
}

static int not_found(const struct search *s, const char *library, sc_err *err)
{
    if (library)
        return sc_fail(
            err, SC_ENOTFOUND,
            "ONNX Runtime cannot be opened: %s; name another library, or none to have "
            "it looked for",
            sc_str_get(&s->broken));
    if (s->broken.len)
        return sc_fail(
            err, SC_ENOTFOUND,
            "ONNX Runtime cannot be opened: %s; run `npm ci` in Saccade's folder, or "
            "name a library (option models-library)",
            sc_str_get(&s->broken));
    return sc_fail(err, SC_ENOTFOUND,
                   "no ONNX Runtime (" FILE_NAME
                   "): run `npm ci` in Saccade's folder, or name a "
                   "library (option models-library); looked in %s",
                   sc_str_get(&s->looked));
}

// Where the loader took a bare name from.
static void real_path(struct search *s, const void *symbol)
{
    Dl_info info;
    if (!strchr(s->path, '/') && dladdr(symbol, &info) && info.dli_fname) {
        free(s->path);
        s->path = sc_xstrdup(info.dli_fname);
    }
}

static void fill_table(struct ort_api *api, const void *const *table)
{
#define FILL(slot, name, result, args) memcpy(&api->name, &table[slot], sizeof(void *));
    ORT_CALLS(FILL)
#undef FILL
}

// The version is read first: GetApi() writes to standard error when asked for too much.
static int take_library(struct sc_onnx_library *out, struct search *s, sc_err *err)
{
    const struct ort_base *(*get_base)(void) = NULL;
    void *symbol = dlsym(s->handle, "OrtGetApiBase");
    if (!symbol)
        return sc_fail(err, SC_EUNSUPPORTED, "%s is not ONNX Runtime: it has no OrtGetApiBase",
                       s->path);
    memcpy(&get_base, &symbol, sizeof(symbol));
    const struct ort_base *base = get_base();
    const char *version = base ? base->get_version() : NULL;
    unsigned major = 0, minor = 0;
    real_path(s, symbol);
    if (!version || sscanf(version, "%u.%u", &major, &minor) != 2)
        return sc_fail(err, SC_EUNSUPPORTED, "%s does not tell its version", s->path);
    bool old = major < 1 || (major == 1 && minor < ORT_API);
    const void *const *table = old ? NULL : base->get_api(ORT_API);
    if (!table)
        return sc_fail(err, SC_EUNSUPPORTED, "%s is ONNX Runtime %s: 1.%d or later is wanted",
                       s->path, version, ORT_API);
    fill_table(&out->api, table);
    out->version = sc_xstrdup(version);
    out->path = sc_xstrdup(s->path);
    return SC_OK;
}

int sc_onnx_library_find(struct sc_onnx_library *out, const char *library, sc_err *err)
{
    struct search s = {0};
    if (library && !*library)
        library = NULL;
    bool found = library ? try_path(&s, library, NULL) : search_everywhere(&s);
    int ret = found ? take_library(out, &s, err) : not_found(&s, library, err);
    if (s.handle)
        dlclose(s.handle); // stays mapped, see RTLD_NODELETE
    free(s.path);
    sc_str_release(&s.looked);
    sc_str_release(&s.broken);
    return ret;
}

void sc_onnx_library_release(struct sc_onnx_library *library)
{
    free(library->path);
    free(library->version);
    *library = (struct sc_onnx_library){0};
}
