// Opens a detector as the flags say.
#include "cli/model.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/models.h"
#include "base/mem.h"
#include "base/str.h"
#include "vision/labels.h"

static int provider_of(const char *name)
{
    for (int p = SC_PROVIDER_AUTO; p <= SC_PROVIDER_WEBGPU; p++) {
        if (!strcmp(sc_provider_name((enum sc_provider)p), name))
            return p;
    }
    return -1;
}

int sc_cli_model_flag(const struct sc_command *cmd, struct sc_cli_model_args *args, int c,
                      const char *value)
{
    int64_t number;
    int provider;
    switch (c - SC_MODEL_FLAG) {
    case 0:
        args->path = value;
        return 0;
    case 1:
        args->labels = value;
        return 0;
    case 2:
        return sc_parse_double(value, SC_MODEL_FLOOR, 1, &args->threshold)
                   ? 0
                   : sc_cli_usage(cmd, "--threshold %s: must be %.2f to 1", value,
                                  SC_MODEL_FLOOR);
    case 3:
        provider = provider_of(value);
        if (provider < 0)
            return sc_cli_usage(cmd, "--provider %s: auto, cpu, cuda, tensorrt or webgpu",
                                value);
        args->provider = (enum sc_provider)provider;
        return 0;
    case 4:
        if (!sc_parse_int(value, 1, 1024, &number))
            return sc_cli_usage(cmd, "--threads %s: must be 1 to 1024", value);
        args->threads = (int)number;
        return 0;
    default:
        args->library = value;
        return 0;
    }
}

// The file's name without ending, as far as names go.
static void name_of(const char *path, char name[65])
{
    const char *base = strrchr(path, '/'), *dot;
    base = base ? base + 1 : path;
    dot = strrchr(base, '.');
    size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    n = n < 64 ? n : 64;
    for (size_t i = 0; i < n; i++)
        name[i] = isalnum((unsigned char)base[i]) || strchr("_.-", base[i]) ? base[i] : '_';
    name[n] = 0;
}

// What comes with the program. path is changed in any case.
static bool comes_along(const char *name, sc_str *path)
{
    char folder[PATH_MAX];
    for (int i = 0; sc_models_program_folder(i, folder, sizeof(folder)); i++) {
        sc_str_clear(path);
        sc_str_addf(path, "%s/%s.onnx", folder, name);
        if (!access(path->s, F_OK))
            return true;
    }
    return false;
}

// The file, what `saccade models fetch` keeps under that name, or what comes with the program. The
// caller's; NULL = none of them.
static char *find_model(const char *given, sc_err *err)
{
    const char *data = getenv("SACCADE_DATA_DIR");
    sc_str path = {0};
    sc_str_add(&path, given);
    if (!access(path.s, F_OK))
        return sc_str_detach(&path);
    int cause = errno;
    bool named = !strchr(given, '/') && !strstr(given, ".onnx");
    data = data && *data ? data : "saccade-data";
    sc_str_clear(&path);
    sc_str_addf(&path, "%s/models/%s.onnx", data, given);
    if (named && (!access(path.s, F_OK) || comes_along(given, &path)))
        return sc_str_detach(&path);
    if (named)
        sc_fail(err, SC_ENOTFOUND,
                "--model %s: neither a file nor %s/models/%s.onnx; `saccade models` lists what "
                "can be fetched",
                given, data, given);
    else
        sc_fail(err, sc_error_from_errno(cause), "--model %s: %s", given, strerror(cause));
    sc_str_release(&path);
    return NULL;
}

static int read_labels(const char *path, char **text, sc_err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return sc_fail(err, sc_error_from_errno(errno), "--labels %s: %s", path,
                       strerror(errno));
    char *bytes = sc_try_calloc(SC_LABELS_MAX + 2, 1);
    size_t n = bytes ? fread(bytes, 1, SC_LABELS_MAX + 1, f) : 0;
    bool failed = ferror(f) || !bytes;
    fclose(f);
    *text = bytes;
    if (failed)
        return sc_fail(err, SC_EIO, "--labels %s: cannot be read", path);
    if (n > SC_LABELS_MAX || memchr(bytes, 0, n))
        return sc_fail(err, SC_EARG, "--labels %s: not a text of labels, one a line", path);
    return SC_OK;
}

// What the flags do not say, the files beside the model do.
static int read_settings(struct sc_model_beside *settings, const char *path,
                         const struct sc_cli_model_args *args, sc_err *err)
{
    int ret = sc_model_beside_read(settings, path, err);
    if (ret >= 0 && args->labels) {
        free(settings->labels);
        settings->labels = NULL;
        ret = read_labels(args->labels, &settings->labels, err);
    }
    if (args->threshold > 0)
        settings->threshold = args->threshold;
    return ret;
}

int sc_cli_model_open(struct sc_cli_model *m, const struct sc_cli_model_args *args, sc_err *err)
{
    struct sc_model_beside settings = {0};
    char name[65];
    *m = (struct sc_cli_model){.log = sc_cli_log()};
    m->path = find_model(args->path, err);
    if (!m->path)
        return err ? err->code : SC_ENOTFOUND;
    name_of(m->path, name);
    int ret = read_settings(&settings, m->path, args, err);
    if (ret >= 0)
        ret = sc_onnx_open(&m->onnx, args->library, m->log, err);
    if (ret >= 0)
        ret = sc_model_open(&m->model, m->onnx,
                            &(struct sc_model_params){
                                .name = name,
                                .path = m->path,
                                .labels = settings.labels,
                                .threshold = settings.threshold,
                                .size = settings.size,
                                .provider = args->provider,
                                .threads = args->threads,
                                .log = m->log,
                            },
                            err);
    sc_model_beside_release(&settings);
    if (ret < 0)
        return sc_fail(err, ret, "--model %s: %s", args->path, sc_strerror(ret));
    m->info = sc_model_get_info(m->model);
    m->chosen = args->provider == SC_PROVIDER_AUTO;
    m->threshold = m->info->threshold;
    return SC_OK;
}

void sc_cli_model_close(struct sc_cli_model *m)
{
    sc_model_close(&m->model);
    free(m->path);
    m->path = NULL;
    sc_onnx_close(&m->onnx);
    sc_log_close(&m->log);
}
