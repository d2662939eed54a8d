// Model files: the folder, and uploads on their way into it.
//
// An upload is a hidden file of the folder until it has been loaded; then it gets its name. The
// next start removes what a crash left.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "app/models_internal.h"
#include "base/mem.h"
#include "store/blobs.h"

#define TEMPORARY ".upload-"
#define BLOCK     (1 << 20)

static int fail_path(sc_err *err, const char *what, const char *path)
{
    int errnum = errno;
    return sc_fail(err, sc_error_from_errno(errnum), "cannot %s %s: %s", what, path,
                   strerror(errnum));
}

static char *path_of(const sc_models *models, const char *name, const char *end)
{
    sc_str path = {0};
    sc_str_addf(&path, "%s/%s%s", models->dir, name, end);
    return sc_str_detach(&path);
}

void sc_model_file_release(struct sc_model_file *file)
{
    if (file->upload && file->path)
        unlink(file->path);
    free(file->path);
    free(file->labels);
    *file = (struct sc_model_file){0};
}

int sc_model_file_complete(struct sc_model_file *file, sc_err *err)
{
    struct sc_model_beside beside;
    if (file->upload)
        return 0;
    int ret = sc_model_beside_read(&beside, file->path, err);
    if (ret)
        return ret;
    free(file->labels);
    file->labels = beside.labels;
    file->threshold = beside.threshold;
    file->size = beside.size;
    return 0;
}

int sc_model_file_hash(struct sc_model_file *file, uint64_t *hash, sc_err *err)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_path(err, "read", file->path);
    XXH3_state_t *state = XXH3_createState();
    char *block = malloc(BLOCK);
    ssize_t n = -1;
    if (state && block) {
        XXH3_64bits_reset(state);
        while ((n = read(fd, block, BLOCK)) > 0)
            XXH3_64bits_update(state, block, (size_t)n);
        *hash = XXH3_64bits_digest(state);
    }
    int ret = n < 0 ? fail_path(err, "read", file->path) : 0;
    XXH3_freeState(state);
    free(block);
    close(fd);
    return ret;
}

// --- the folder ---------------------------------------------------------------------------

static int sync_folder(const sc_models *models)
{
    int fd = open(models->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int ret = fd < 0 || fsync(fd) ? -1 : 0;
    if (fd >= 0)
        close(fd);
    return ret;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

// Writes text under its name in one step; no text removes the file.
static int put_text(const sc_models *models, const char *name, const char *end,
                    const char *text, sc_err *err)
{
    char *path = path_of(models, name, end), *temporary = path_of(models, TEMPORARY, "text");
    int ret = 0;
    if (!text) {
        unlink(path); // often there is none
        goto end;
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool good = fd >= 0 && !write_all(fd, text, strlen(text)) && !fsync(fd);
    if (fd >= 0)
        close(fd);
    if (!good || rename(temporary, path))
        ret = fail_path(err, "write", path);
end:
    free(path);
    free(temporary);
    return ret;
}

static int put_settings(const sc_models *models, const char *name,
                        const struct sc_model_file *file, sc_err *err)
{
    char text[96];
    if (file->threshold <= 0 && !file->size)
        return put_text(models, name, ".json", NULL, err);
    snprintf(text, sizeof(text), "{\"threshold\":%.6f,\"size\":%d}\n",
             file->threshold > 0 ? file->threshold : 0, file->size);
    return put_text(models, name, ".json", text, err);
}

int sc_models_store(sc_models *models, const char *name, struct sc_model_file *file,
                    sc_err *err)
{
    char *path = path_of(models, name, ".onnx");
    int ret = put_text(models, name, ".labels", file->labels, err);
    if (!ret)
        ret = put_settings(models, name, file, err);
    if (!ret && (rename(file->path, path) || sync_folder(models)))
        ret = fail_path(err, "store", path);
    if (ret) {
        free(path);
        return ret;
    }
    free(file->path);
    file->path = path;
    file->upload = false;
    return 0;
}

void sc_models_remove_files(sc_models *models, const char *name)
{
    static const char *const ends[] = {".onnx", ".labels", ".json"};
    for (size_t i = 0; i < SC_COUNT(ends); i++) {
        char *path = path_of(models, name, ends[i]);
        unlink(path); // of the last two there are often none
        free(path);
    }
    sync_folder(models);
}

// --- what there is at the start -----------------------------------------------------------

static void enqueue(sc_models *models, const char *name, const char *path,
                    enum sc_model_origin origin)
{
    struct stat st;
    sc_err err = {0};
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return;
    if (sc_models_known(models, name)) {
        SC_WARN(models->log, "model hidden by another of its name", SC_S("name", name),
                SC_S("path", path));
        return;
    }
    struct sc_model_file file = {.path = sc_xstrdup(path), .bytes = (size_t)st.st_size};
    int ret = sc_models_enqueue(models, name, origin, &file, &err);
    if (ret)
        SC_ERROR(models->log, "model not loaded", SC_S("name", name),
                 SC_S("error", sc_err_text(&err, ret)));
}

// NAME.onnx gives name[65]; false for all else.
static bool model_name(const char *file, char name[65])
{
    size_t n = strlen(file);
    if (n <= 5 || n > 69 || strcmp(file + n - 5, ".onnx"))
        return false;
    snprintf(name, 65, "%.*s", (int)n - 5, file);
    return sc_model_name_valid(name);
}

static void scan_one(sc_models *models, const char *folder, const char *file,
                     enum sc_model_origin origin)
{
    char name[65];
    sc_str path = {0};
    sc_str_addf(&path, "%s/%s", folder, file);
    if (origin == SC_ORIGIN_FOLDER && sc_starts_with(file, TEMPORARY))
        unlink(path.s);
    else if (model_name(file, name))
        enqueue(models, name, path.s, origin);
    sc_str_release(&path);
}

// By name, so that the same one is first at each start.
static void scan(sc_models *models, const char *folder, enum sc_model_origin origin)
{
    struct dirent **files = NULL;
    int count = scandir(folder, &files, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        scan_one(models, folder, files[i]->d_name, origin);
        free(files[i]);
    }
    free(files);
}

bool sc_models_program_folder(int i, char *path, size_t size)
{
    static const char *const folders[] = {"share/saccade/models", "models/pitch"};
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (n <= 0 || i < 0 || i >= (int)SC_COUNT(folders))
        return false;
    program[n] = 0;
    *strrchr(program, '/') = 0;
    return snprintf(path, size, "%s/../%s", program, folders[i]) < (int)size;
}

static void scan_program(sc_models *models)
{
    char path[PATH_MAX];
    for (int i = 0; sc_models_program_folder(i, path, sizeof(path)); i++)
        scan(models, path, SC_ORIGIN_BUILT_IN);
}

void sc_models_scan(sc_models *models)
{
    scan(models, models->dir, SC_ORIGIN_FOLDER);
    if (models->built_in)
        scan(models, models->built_in, SC_ORIGIN_BUILT_IN);
    else
        scan_program(models);
}

// --- uploads ------------------------------------------------------------------------------

struct sc_model_upload {
    sc_models *models;
    char *path;
    int fd;
    size_t size;
    int failed; // SC_E* of a write, after which only abort is possible
};

static int too_large(const sc_models *models, sc_err *err)
{
    char limit[32];
    return sc_fail_field(err, SC_ELIMIT, "file",
                         "the model is larger than %s, the most that is accepted (option "
                         "models-max-upload)",
                         sc_format_size(limit, sizeof(limit), models->settings->max_upload));
}

static int write_failed(sc_model_upload *up, sc_err *err)
{
    up->failed = sc_error_from_errno(errno);
    if (up->failed == SC_ENOSPACE)
        return sc_fail(err, SC_ENOSPACE, "the server's disk is full: nothing was stored");
    return sc_fail(err, up->failed, "the model cannot be stored: %s", strerror(errno));
}

static int check_size(const sc_models *models, int64_t size, sc_err *err)
{
    char budget[32];
    if (size > models->settings->max_upload)
        return too_large(models, err);
    if (size > models->settings->memory)
        return sc_fail_field(err, SC_ENOSPACE, "file",
                             "the model is larger than %s, the budget of all models (option "
                             "models-memory)",
                             sc_format_size(budget, sizeof(budget), models->settings->memory));
    return 0;
}

int sc_model_upload_open(sc_model_upload **pup, sc_models *models, int64_t size_hint,
                         sc_err *err)
{
    *pup = NULL;
    int ret = check_size(models, size_hint, err);
    if (ret)
        return ret;
    if (mkdir(models->dir, 0750) && errno != EEXIST)
        return fail_path(err, "make folder", models->dir);
    sc_model_upload *up = sc_new(sc_model_upload);
    up->models = models;
    up->path = path_of(models, TEMPORARY, "XXXXXX");
    up->fd = mkostemp(up->path, O_CLOEXEC);
    if (up->fd < 0) {
        ret = write_failed(up, err);
        sc_model_upload_abort(&up);
    }
    *pup = up;
    return ret;
}

int sc_model_upload_write(sc_model_upload *up, const void *data, size_t size, sc_err *err)
{
    if (up->failed)
        return sc_fail(err, up->failed, "an earlier part of the upload failed");
    if (size > (size_t)up->models->settings->max_upload - up->size) {
        up->failed = SC_ELIMIT;
        return too_large(up->models, err);
    }
    if (write_all(up->fd, data, size))
        return write_failed(up, err);
    up->size += size;
    return 0;
}

void sc_model_upload_abort(sc_model_upload **pup)
{
    sc_model_upload *up = pup ? *pup : NULL;
    if (!up)
        return;
    *pup = NULL;
    if (up->fd >= 0) {
        close(up->fd);
        if (up->path)
            unlink(up->path);
    }
    free(up->path);
    free(up);
}

static int check_params(const struct sc_model_upload_params *params, sc_err *err)
{
    if (!params->name || !*params->name)
        return sc_fail_field(err, SC_EARG, "name", "the form has no field name");
    if (!sc_model_name_valid(params->name))
        return sc_fail_field(err, SC_EARG, "name",
                             "a name is 1 to 64 of the characters A-Z a-z 0-9 _ . - and does "
                             "not start with a dot");
    if (!(params->threshold >= 0 && params->threshold <= 1))
        return sc_fail_field(err, SC_EARG, "threshold", "threshold is 0 to 1");
    if (params->size &&
        (params->size < 32 || params->size > SC_MODEL_SIZE_MAX || params->size % 32))
        return sc_fail_field(err, SC_EARG, "size", "size is a multiple of 32 up to %d",
                             SC_MODEL_SIZE_MAX);
    if (params->labels && strlen(params->labels) > SC_MODEL_LABELS_MAX)
        return sc_fail_field(err, SC_ELIMIT, "labels", "the labels have more than %d bytes",
                             SC_MODEL_LABELS_MAX);
    return 0;
}

int sc_model_upload_finish(sc_model_upload **pup, const struct sc_model_upload_params *params,
                           sc_err *err)
{
    sc_model_upload *up = *pup;
    int ret = up->failed ? sc_fail(err, up->failed, "an earlier part of the upload failed")
                         : check_params(params, err);
    if (!ret && !up->size)
        ret = sc_fail_field(err, SC_EDATA, "file", "the file is empty: a model is needed");
    if (!ret && fsync(up->fd))
        ret = write_failed(up, err);
    if (!ret) {
        struct sc_model_file file = {
            .path = up->path,
            .labels = params->labels && *params->labels ? sc_xstrdup(params->labels) : NULL,
            .threshold = params->threshold,
            .size = params->size,
            .upload = true,
            .bytes = up->size,
        };
        up->path = NULL; // the file's
        ret = sc_models_enqueue(up->models, params->name, SC_ORIGIN_UPLOAD, &file, err);
    }
    sc_model_upload_abort(pup);
    return ret;
}
