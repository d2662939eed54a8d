// What the commands share: messages, progress, the index cache.
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"

#define BAR_WIDTH    32
#define BAR_EVERY_NS (50 * SC_NS_PER_MS)

int sc_cli_usage(const struct sc_command *cmd, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "saccade %s: ", cmd->name);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "; see `saccade %s --help`\n", cmd->name);
    va_end(ap);
    return 2;
}

int sc_cli_fail(const struct sc_command *cmd, const sc_err *err, int code)
{
    fprintf(stderr, "saccade %s: %s\n", cmd->name, sc_err_text(err, code));
    return 1;
}

int sc_cli_help(const struct sc_command *cmd)
{
    fputs(cmd->help, stdout);
    return 0;
}

sc_log *sc_cli_log(void)
{
    return sc_log_open(&(struct sc_log_params){.level = SC_LOG_WARN});
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void sc_cli_remove_tree(const char *path)
{
    if (*path)
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

// The one object a process has for its signals; made by the main thread before any other.
static sc_cancel *interrupted;

static void *wait_for_signals(void *arg)
{
    const sigset_t *set = arg;
    int sig;
    while (!sigwait(set, &sig)) {
        if (sc_cancel_requested(interrupted))
            _exit(130); // asked twice: at once
        sc_cancel_request(interrupted);
    }
    return NULL;
}

sc_cancel *sc_cli_cancel(void)
{
    static sigset_t set;
    pthread_t thread;
    if (interrupted)
        return interrupted;
    interrupted = sc_cancel_new(NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!pthread_create(&thread, NULL, wait_for_signals, &set))
        pthread_detach(thread);
    return interrupted;
}

// --- progress ---------------------------------------------------------------------------------

void sc_progress_init(struct sc_progress *p, const char *what, bool json)
{
    *p = (struct sc_progress){.what = what, .json = json, .started_ns = sc_clock_now()};
}

void sc_progress_update(void *progress, double fraction)
{
    struct sc_progress *p = progress;
    int64_t now = sc_clock_now();
    if (now - p->printed_ns < (p->json ? SC_NS_PER_S / 2 : BAR_EVERY_NS))
        return;
    p->printed_ns = now;
    fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    if (p->json) {
        printf("{\"progress\":%.3f,\"what\":\"%s\"}\n", fraction, p->what);
        fflush(stdout);
    } else if (isatty(STDERR_FILENO)) {
        char bar[BAR_WIDTH + 1];
        double elapsed = (double)(now - p->started_ns) / 1e9;
        for (int i = 0; i < BAR_WIDTH; i++)
            bar[i] = i < fraction * BAR_WIDTH ? '#' : '.';
        bar[BAR_WIDTH] = 0;
        fprintf(stderr, "\r%s [%s] %3.0f %%", p->what, bar, fraction * 100);
        if (p->rate > 0)
            fprintf(stderr, "  %.1f fps", p->rate);
        fprintf(stderr, "  %.0f s left \033[K",
                fraction > 0.01 ? elapsed / fraction - elapsed : 0.0);
        p->shown = true;
    }
}

void sc_progress_done(struct sc_progress *p)
{
    if (p->shown)
        fprintf(stderr, "\r\033[K");
    p->shown = false;
}

// --- numbers ----------------------------------------------------------------------------------

int sc_cli_numbers(const char *flag, const char *text,
                   int (*fn)(void *arg, int64_t from, int64_t to, sc_err *err), void *arg,
                   sc_err *err)
{
    int ret = *text ? SC_OK : SC_EARG;
    for (const char *p = text; ret >= 0 && *p;) {
        char *end;
        errno = 0;
        long long from = strtoll(p, &end, 10), to = from;
        bool good = end != p && *p >= '0' && *p <= '9' && !errno;
        if (good && *end == '-') {
            p = end + 1;
            to = strtoll(p, &end, 10);
            good = end != p && to >= from && !errno;
        }
        if (!good || (*end && *end != ',') || (*end == ',' && !end[1]))
            return sc_fail(err, SC_EARG, "%s %s: not a frame number, list or range", flag,
                           text);
        ret = fn(arg, from, to, err);
        p = *end ? end + 1 : end;
    }
    return ret == SC_EARG && !*text
               ? sc_fail(err, ret, "%s: not a frame number, list or range", flag)
               : ret;
}

// --- index cache ------------------------------------------------------------------------------

static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int ret = mkdir(path, 0755);
        *slash = '/';
        if (ret < 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

char *sc_cli_index_path(const char *video, sc_err *err)
{
    char absolute[PATH_MAX];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    sc_str path = {0};
    if (!realpath(video, absolute)) {
        sc_fail(err, sc_error_from_errno(errno), "%s: %s", video, strerror(errno));
        return NULL;
    }
    if (cache && *cache)
        sc_str_addf(&path, "%s/saccade/index/", cache);
    else
        sc_str_addf(&path, "%s/.cache/saccade/index/", home && *home ? home : "/tmp");
    XXH128_hash_t hash = XXH3_128bits(absolute, strlen(absolute));
    sc_str_addf(&path, "%016llx%016llx.sci", (unsigned long long)hash.high64,
                (unsigned long long)hash.low64);
    if (make_folders(path.s) < 0) {
        sc_fail(err, sc_error_from_errno(errno), "%s: %s", path.s, strerror(errno));
        sc_str_release(&path);
        return NULL;
    }
    return sc_str_detach(&path);
}

int sc_cli_open_index(sc_index **pix, const char *video, const char *index_path, bool json,
                      bool *built, sc_err *err)
{
    struct sc_progress progress;
    struct sc_index_params params = {
        .cancel = sc_cli_cancel(),
        .progress = sc_progress_update,
        .progress_arg = &progress,
    };
    sc_err ignored = {0};
    char *own = index_path ? NULL : sc_cli_index_path(video, &ignored);
    sc_progress_init(&progress, "indexing", json);
    int ret;
    if (index_path || own) {
        ret = sc_index_open(pix, video, index_path ? index_path : own, &params, built, err);
    } else {
        ret = sc_index_build(pix, video, &params, err);
        *built = true;
    }
    sc_progress_done(&progress);
    free(own);
    return ret;
}
