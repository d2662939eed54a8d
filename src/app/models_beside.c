// What lies beside a model's file: NAME.labels and NAME.json.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "app/models_internal.h"
#include "base/mem.h"

// path with its ".onnx" replaced.
static char *beside(const char *path, const char *end)
{
    size_t n = strlen(path);
    sc_str text = {0};
    if (n > 5 && !strcmp(path + n - 5, ".onnx"))
        n -= 5;
    sc_str_addn(&text, path, n);
    sc_str_add(&text, end);
    return sc_str_detach(&text);
}

static int unreadable(const char *path, sc_err *err)
{
    int errnum = errno;
    return sc_fail(err, sc_error_from_errno(errnum), "cannot read %s: %s", path,
                   strerror(errnum));
}

// The whole of a small text file; *text is NULL where there is none.
static int read_text(const char *path, char **text, sc_err *err)
{
    struct stat st;
    *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : unreadable(path, err);
    int ret = 0;
    if (fstat(fd, &st) || st.st_size > SC_MODEL_LABELS_MAX) {
        ret = sc_fail(err, SC_EDATA, "%s is larger than %d bytes", path, SC_MODEL_LABELS_MAX);
    } else {
        *text = sc_xcalloc((size_t)st.st_size + 1, 1); // bounded just above
        if (read(fd, *text, (size_t)st.st_size) != st.st_size) {
            ret = unreadable(path, err);
            free(*text);
            *text = NULL;
        }
    }
    close(fd);
    return ret;
}

static int parse_settings(struct sc_model_beside *out, const char *path, const char *text,
                          sc_err *err)
{
    json_error_t error;
    double threshold = 0;
    int size = 0;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        return sc_fail(err, SC_EDATA, "%s:%d: %s", path, error.line, error.text);
    // What `saccade models fetch` notes there for people is allowed, and a slip of the pen is not.
    json_t *note;
    int bad =
        json_unpack_ex(json, &error, JSON_STRICT, "{s?F, s?i, s?o, s?o, s?o, s?o, s?o, s?o}",
                       "threshold", &threshold, "size", &size, "name", &note, "url", &note,
                       "sha256", &note, "bytes", &note, "licence", &note, "fetched", &note);
    json_decref(json);
    if (bad)
        return sc_fail(err, SC_EDATA, "%s: %s (settings are threshold and size)", path,
                       error.text);
    if (!(threshold >= 0 && threshold <= 1) || size < 0 || size > SC_MODEL_SIZE_MAX)
        return sc_fail(err, SC_EDATA, "%s: threshold is 0 to 1, size at most %d", path,
                       SC_MODEL_SIZE_MAX);
    out->threshold = threshold;
    out->size = size;
    return 0;
}

int sc_model_beside_read(struct sc_model_beside *out, const char *path, sc_err *err)
{
    char *labels = beside(path, ".labels"), *settings = beside(path, ".json"), *text = NULL;
    *out = (struct sc_model_beside){0};
    int ret = read_text(labels, &out->labels, err);
    if (!ret)
        ret = read_text(settings, &text, err);
    if (!ret && text)
        ret = parse_settings(out, settings, text, err);
    if (ret)
        sc_model_beside_release(out);
    free(text);
    free(labels);
    free(settings);
    return ret;
}

void sc_model_beside_release(struct sc_model_beside *beside)
{
    free(beside->labels);
    *beside = (struct sc_model_beside){0};
}
