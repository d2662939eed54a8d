#include "cli/download.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/json_file.h"

#define MAX_REDIRECTS 5
#define CONNECT_S     20L

struct transfer {
    const struct sc_download_params *params;
    CURL *curl;
    char *memo_path; // PATH.json
    int fd;
    int64_t have; // bytes in the file
    int64_t kept; // those of them that were there before this call

    // one attempt's
    char validator[256]; // of the file's bytes; "" = none, so they are of no use
    bool begun, skip;    // the answer's body: looked at; not wanted
    bool again;          // a failure that another attempt may mend
    bool stalled;
    int64_t total;         // -1 = unknown
    int64_t seen, seen_ns; // bytes that came in, and when the last of them did
    char error[CURL_ERROR_SIZE];
    int ret; // of the callbacks
    sc_err *err;

    // headers of the answer that comes in
    char etag[256], modified[64];
    int64_t range_start, range_total; // Content-Range; -1 = none
};

// --- what the file's bytes are of ---------------------------------------------------------

static void load_memo(struct transfer *t)
{
    const char *url, *validator;
    json_t *memo = sc_json_file_load(t->memo_path);
    t->validator[0] = '\0';
    if (!json_unpack(memo, "{s:s, s:s}", "url", &url, "validator", &validator) &&
        !strcmp(url, t->params->url) && strlen(validator) < sizeof(t->validator))
        snprintf(t->validator, sizeof(t->validator), "%s", validator);
    json_decref(memo);
}

// Only a strong validator says that bytes are the same.
static int save_memo(struct transfer *t)
{
    bool strong = t->etag[0] && strncmp(t->etag, "W/", 2) != 0;
    snprintf(t->validator, sizeof(t->validator), "%s", strong ? t->etag : t->modified);
    if (!t->validator[0])
        return unlink(t->memo_path), SC_OK;
    json_t *memo = json_pack("{s:s, s:s}", "url", t->params->url, "validator", t->validator);
    int ret = sc_json_file_save(t->memo_path, memo, t->err);
    json_decref(memo);
    return ret;
}

// --- the answer ---------------------------------------------------------------------------

static bool take_header(const char *line, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) || line[length] != ':')
        return false;
    line += length + 1;
    line += strspn(line, " \t");
    int used = (int)strcspn(line, "\r\n");
    snprintf(out, size, "%.*s", used < (int)size ? used : 0, line);
    return true;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    char line[1024], range[64];
    snprintf(line, sizeof(line), "%.*s", (int)(size * count), data);
    if (!strncmp(line, "HTTP/", 5)) { // of a redirect, perhaps; the last answer counts
        t->etag[0] = t->modified[0] = '\0';
        t->range_start = t->range_total = -1;
    } else if (take_header(line, "etag", t->etag, sizeof(t->etag)) ||
               take_header(line, "last-modified", t->modified, sizeof(t->modified))) {
        return size * count;
    } else if (take_header(line, "content-range", range, sizeof(range))) {
        if (sscanf(range, "bytes %" SCNd64 "-%*d/%" SCNd64, &t->range_start, &t->range_total) !=
            2)
            sscanf(range, "bytes */%" SCNd64, &t->range_total);
    }
    return size * count;
}

static int check_room(struct transfer *t)
{
    struct statvfs fs;
    char need[32], room[32];
    if (t->total < 0 || fstatvfs(t->fd, &fs) < 0)
        return SC_OK;
    int64_t free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    if (t->total - t->have <= free_bytes)
        return SC_OK;
    return sc_fail(t->err, SC_ENOSPACE, "%s more are needed, but %s are free at %s",
                   sc_format_size(need, sizeof(need), t->total - t->have),
                   sc_format_size(room, sizeof(room), free_bytes), t->params->path);
}

static int check_limit(const struct transfer *t, int64_t size)
{
    char limit[32];
    if (size <= t->params->max_size)
        return SC_OK;
    return sc_fail(t->err, SC_ELIMIT, "%s is larger than %s (--max-size)", t->params->url,
                   sc_format_size(limit, sizeof(limit), t->params->max_size));
}

// Begins the file anew: the server knows no ranges, or has another version.
static int begin_whole(struct transfer *t)
{
    curl_off_t length = -1;
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    t->total = length;
    t->have = t->kept = 0;
    unlink(t->memo_path); // never beside bytes that it does not describe
    if (ftruncate(t->fd, 0) < 0)
        return sc_fail(t->err, sc_error_from_errno(errno), "%s: %s", t->params->path,
                       strerror(errno));
    return save_memo(t);
}

static int begin(struct transfer *t)
{
    long status = 0;
    int ret = SC_OK;
    t->begun = true;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) {
        ret = begin_whole(t);
    } else if (status == 206 && t->range_start == t->have && t->range_total > t->have) {
        t->total = t->range_total;
    } else if (status == 206) {
        return sc_fail(t->err, SC_EIO, "%s: the server sent another part than asked for",
                       t->params->url);
    } else {
        t->skip = true;
        return SC_OK;
    }
    if (ret == SC_OK)
        ret = check_limit(t, t->total);
    return ret == SC_OK ? check_room(t) : ret;
}

static int append(struct transfer *t, const char *data, size_t size)
{
    int ret = check_limit(t, t->have + (int64_t)size);
    while (ret == SC_OK && size) {
        ssize_t wrote = pwrite(t->fd, data, size, t->have);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            int code = errno == EFBIG ? SC_ENOSPACE : sc_error_from_errno(errno);
            return sc_fail(t->err, code, "%s: %s", t->params->path, strerror(errno));
        }
        data += wrote;
        size -= (size_t)wrote;
        t->have += wrote;
    }
    if (ret == SC_OK && t->params->progress && t->total > 0)
        t->params->progress(t->params->progress_arg, (double)t->have / (double)t->total);
    return ret;
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    if (!t->begun)
        t->ret = begin(t);
    if (t->ret == SC_OK && !t->skip)
        t->ret = append(t, data, size * count);
    return t->ret == SC_OK ? size * count : 0; // libcurl takes 0 as an error
}

// Called about once a second, whatever comes in; libcurl's own limit takes an average over longer.
static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct transfer *t = arg;
    int64_t now_ns = sc_clock_now();
    int stall_s = t->params->stall_s > 0 ? t->params->stall_s : 30;
    (void)down_total, (void)up_total, (void)up;
    if (down != t->seen) {
        t->seen = down;
        t->seen_ns = now_ns;
    }
    t->stalled = now_ns - t->seen_ns > stall_s * SC_NS_PER_S;
    return t->stalled || sc_cancel_requested(t->params->cancel);
}

// --- judging ------------------------------------------------------------------------------

static int judge_stall(struct transfer *t)
{
    t->again = true;
    return sc_fail(t->err, SC_ETIMEOUT, "%s: nothing came for too long (--timeout)",
                   t->params->url);
}

static int judge_failure(struct transfer *t, CURLcode code)
{
    const char *url = t->params->url;
    const char *why = t->error[0] ? t->error : curl_easy_strerror(code);
    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        if (t->stalled)
            return judge_stall(t);
        return sc_fail(t->err, SC_ECANCELLED, "interrupted; the same command goes on later");
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return sc_fail(t->err, SC_EARG, "%s: only http and https addresses are followed: %s",
                       url, why);
    case CURLE_COULDNT_RESOLVE_HOST:
        return sc_fail(t->err, SC_ENOTFOUND,
                       "%s: the host's name cannot be resolved; check the address and the "
                       "network",
                       url);
    case CURLE_TOO_MANY_REDIRECTS:
        return sc_fail(t->err, SC_EIO, "%s: more than %d redirects", url, MAX_REDIRECTS);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return sc_fail(t->err, SC_EDENIED, "%s: the server's certificate is not trusted: %s",
                       url, why);
    case CURLE_OPERATION_TIMEDOUT:
        return judge_stall(t);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        t->again = true;
        return sc_fail(t->err, SC_EIO, "%s: the connection was cut: %s", url, why);
    default:
        return sc_fail(t->err, SC_EIO, "%s: %s", url, why);
    }
}

// The server has nothing behind our bytes: they are all, or of no use.
static int judge_beyond_end(struct transfer *t)
{
    if (t->range_total == t->have && t->have)
        return SC_OK;
    unlink(t->memo_path);
    t->have = t->kept = 0;
    t->again = true;
    return sc_fail(t->err, SC_EIO, "%s: the server refuses the range (416)", t->params->url);
}

static int judge_status(struct transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200 || status == 206) {
        t->ret = t->begun ? SC_OK : begin(t); // an empty body calls nobody
        return t->ret;
    }
    if (status == 416)
        return judge_beyond_end(t);
    t->again = status >= 500 || status == 429;
    int code = status == 404 || status == 410   ? SC_ENOTFOUND
               : status == 401 || status == 403 ? SC_EDENIED
                                                : SC_EIO;
    return sc_fail(t->err, code, "%s: the server answered with status %ld%s", t->params->url,
                   status, code == SC_ENOTFOUND ? " (not found)" : "");
}

// --- one attempt --------------------------------------------------------------------------

static void limit_protocols(CURL *curl, const char *url)
{
    bool secure = !strncasecmp(url, "https:", 6);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
    long http = secure ? 0 : CURLPROTO_HTTP;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, http | CURLPROTO_HTTPS);
#endif
}

static void set_up(struct transfer *t)
{
    CURL *curl = t->curl;
    const char *authorities = getenv("SSL_CERT_FILE"); // as OpenSSL's own programs have it
    curl_easy_reset(curl);
    limit_protocols(curl, t->params->url);
    if (authorities && *authorities)
        curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
    curl_easy_setopt(curl, CURLOPT_URL, t->params->url);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "saccade/" SC_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
}

static int attempt(struct transfer *t)
{
    struct curl_slist *headers = NULL;
    t->begun = t->skip = t->again = t->stalled = false;
    t->seen = 0;
    t->seen_ns = sc_clock_now();
    t->total = -1;
    t->ret = SC_OK;
    t->error[0] = '\0';
    load_memo(t);
    if (!t->validator[0])
        t->have = t->kept = 0;
    set_up(t);
    if (t->have) {
        char line[300];
        snprintf(line, sizeof(line), "If-Range: %s", t->validator);
        headers = curl_slist_append(headers, line);
        snprintf(line, sizeof(line), "%" PRId64 "-", t->have);
        curl_easy_setopt(t->curl, CURLOPT_RANGE, line);
        curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
    }
    CURLcode code = curl_easy_perform(t->curl);
    int ret = t->ret;
    if (ret == SC_OK)
        ret = code == CURLE_OK ? judge_status(t) : judge_failure(t, code);
    curl_slist_free_all(headers);
    return ret;
}

static int try_often(struct transfer *t, sc_err *err)
{
    for (int failed = 0;; failed++) {
        sc_err why = {0};
        t->err = &why; // cppcheck-suppress autoVariables; for the attempt only
        int ret = attempt(t);
        if (ret == SC_OK)
            return ret;
        if (!t->again || failed >= t->params->retries)
            return sc_fail(err, ret, "%s", why.text);
        for (int ms = 250 << (failed < 5 ? failed : 5);
             ms > 0 && !sc_cancel_requested(t->params->cancel); ms -= 50)
            sc_clock_sleep(50 * SC_NS_PER_MS);
    }
}

// --- the file -----------------------------------------------------------------------------

static int open_file(struct transfer *t, sc_err *err)
{
    struct stat st;
    const char *path = t->params->path;
    t->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (t->fd < 0 || fstat(t->fd, &st) < 0)
        return sc_fail(err, sc_error_from_errno(errno), "%s: %s", path, strerror(errno));
    if (flock(t->fd, LOCK_EX | LOCK_NB) < 0)
        return sc_fail(err, SC_EBUSY, "%s: another download into it is under way", path);
    t->have = t->kept = st.st_size;
    return SC_OK;
}

static bool is_empty(int fd)
{
    struct stat st;
    return !fstat(fd, &st) && !st.st_size;
}

int sc_download(const struct sc_download_params *params, struct sc_download_result *result,
                sc_err *err)
{
    struct transfer t = {.params = params, .fd = -1, .curl = curl_easy_init()};
    sc_str memo = {0};
    sc_str_addf(&memo, "%s.json", params->path);
    t.memo_path = sc_str_detach(&memo);
    int ret = t.curl ? open_file(&t, err) : sc_fail(err, SC_ENOMEM, "libcurl cannot start");
    if (ret == SC_OK)
        ret = try_often(&t, err);
    if (ret == SC_OK && (ftruncate(t.fd, t.have) < 0 || fsync(t.fd) < 0))
        ret = sc_fail(err, sc_error_from_errno(errno), "%s: %s", params->path, strerror(errno));
    *result = (struct sc_download_result){.size = t.have, .resumed = t.kept};
    if (ret < 0 && ret != SC_EBUSY && t.fd >= 0 && (ret == SC_ELIMIT || is_empty(t.fd)))
        sc_download_remove(params->path);
    if (t.fd >= 0)
        close(t.fd);
    curl_easy_cleanup(t.curl);
    free(t.memo_path);
    return ret;
}

void sc_download_remove(const char *path)
{
    sc_str memo = {0};
    sc_str_addf(&memo, "%s.json", path);
    unlink(path);
    unlink(memo.s);
    sc_str_release(&memo);
}
