// The registry: names, what each is waiting for, and which instance answers.
#include "app/models_internal.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

#define MAX_PENDING 4 // loads of one name

#define OPT(field)  offsetof(struct sc_models_settings, field)
static const sc_option rows[] = {
    {"model", SC_OPT_STRING, OPT(model), "",
     "the default detector: a model's name, or the path of an .onnx file to load"},
    {"models-dir", SC_OPT_STRING, OPT(dir), "",
     "folder of models (NAME.onnx); DATA-DIR/models if empty"},
    {"models-load", SC_OPT_STRING, OPT(load), "",
     "models to load from elsewhere: NAME=PATH, separated by commas"},
    {"models-library", SC_OPT_STRING, OPT(library), "",
     "path of ONNX Runtime (libonnxruntime.so.1); looked for if empty"},
    {"models-provider", SC_OPT_CHOICE, OPT(provider), "auto",
     "what runs models; auto takes the fastest there is",
     .choices = "auto|cpu|cuda|tensorrt|webgpu"},
    {"models-device", SC_OPT_INT, OPT(device), "0", "number of the GPU", .min = 0, .max = 63},
    {"models-threads", SC_OPT_INT, OPT(threads), "0",
     "threads of a run on the CPU; 0 = all cores", .min = 0, .max = 1024},
    {"models-half", SC_OPT_BOOL, OPT(half), "false",
     "let a GPU compute in float16 where it can"},
    {"models-max-batch", SC_OPT_INT, OPT(max_batch), "16",
     "pictures in a run, where the model leaves it open", .min = 1, .max = SC_MODEL_MAX_BATCH},
    {"models-memory", SC_OPT_SIZE, OPT(memory), "4G",
     "model files loaded at once, by their size; a model needs about twice that", .min = 1,
     .max = 1e15},
    {"models-max-upload", SC_OPT_SIZE, OPT(max_upload), "1G", "largest model file accepted",
     .min = 1, .max = 1e15},
    {"detection-cache", SC_OPT_SIZE, OPT(detection_cache), "32M",
     "memory for what models found; 0 keeps none", .min = 0, .max = 1e15},
};
#undef OPT

const sc_option_group sc_models_options =
    SC_OPTION_GROUP("models", rows, struct sc_models_settings);

bool sc_model_name_valid(const char *name)
{
    size_t n =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    // pins.json, beside the models, is no model's: `saccade models fetch` keeps hashes there.
    return n && n <= 64 && !name[n] && name[0] != '.' && strcmp(name, "pins") != 0;
}

// --- entries, under lock ------------------------------------------------------------------

static struct sc_model_entry *find(sc_models *models, const char *name)
{
    for (int i = 0; i < models->count; i++) {
        if (!strcmp(models->entries[i].name, name))
            return &models->entries[i];
    }
    return NULL;
}

static struct sc_model_entry *find_id(sc_models *models, uint64_t id)
{
    for (int i = 0; i < models->count; i++) {
        if (models->entries[i].id == id)
            return &models->entries[i];
    }
    return NULL;
}

static struct sc_model_entry *add(sc_models *models, const char *name,
                                  enum sc_model_origin origin)
{
    struct sc_model_entry *entry = &models->entries[models->count++];
    *entry = (struct sc_model_entry){.id = ++models->next_id, .origin = origin};
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    return entry;
}

// The default: the one that the option names, else the first that answers, else the first.
static struct sc_model_entry *find_default(sc_models *models)
{
    if (models->default_name[0])
        return find(models, models->default_name);
    for (int i = 0; i < models->count; i++) {
        if (models->entries[i].instance)
            return &models->entries[i];
    }
    return models->count ? &models->entries[0] : NULL;
}

static enum sc_model_state state_of(const struct sc_model_entry *entry)
{
    return entry->pending ? SC_MODEL_LOADING : entry->ret ? SC_MODEL_FAILED : SC_MODEL_READY;
}

// --- loading ------------------------------------------------------------------------------

static void fail_entry(struct sc_model_entry *entry, int ret, const char *reason)
{
    entry->ret = ret;
    snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
}

static int check_budget(sc_models *models, const char *name, size_t bytes, sc_err *err)
{
    char need[32], used[32], budget[32];
    if (models->bytes + bytes <= (size_t)models->settings->memory)
        return 0;
    return sc_fail_field(
        err, SC_ENOSPACE, "file",
        "model %s of %s does not fit: models of %s are loaded and the budget is %s (option "
        "models-memory): delete a model, or raise the budget",
        name, sc_format_size(need, sizeof(need), (int64_t)bytes),
        sc_format_size(used, sizeof(used), (int64_t)models->bytes),
        sc_format_size(budget, sizeof(budget), models->settings->memory));
}

static int check_room(sc_models *models, const char *name, size_t bytes, sc_err *err)
{
    const struct sc_model_entry *entry = find(models, name);
    if (models->closing)
        return sc_fail(err, SC_ECANCELLED, "the server is shutting down");
    if (!entry && models->count == SC_MODELS_MAX)
        return sc_fail_field(err, SC_ELIMIT, "name", "there are %d models already: delete one",
                             SC_MODELS_MAX);
    if (entry && entry->pending >= MAX_PENDING)
        return sc_fail_field(err, SC_EBUSY, "name",
                             "%d files of model %s wait to be loaded: try again later",
                             entry->pending, name);
    return check_budget(models, name, bytes, err);
}

static void append(sc_models *models, struct sc_model_entry *entry,
                   const struct sc_model_file *file)
{
    bool later =
        entry->origin == SC_ORIGIN_BUILT_IN && strcmp(entry->name, models->default_name);
    struct sc_model_job *job = sc_new(struct sc_model_job);
    struct sc_model_job **p = later ? &models->later : &models->jobs;
    job->entry = entry->id;
    memcpy(job->name, entry->name, sizeof(job->name));
    job->generation = ++entry->generation;
    job->file = *file;
    entry->pending++;
    entry->bytes = file->bytes;
    models->bytes += file->bytes;
    while (*p)
        p = &(*p)->next;
    *p = job;
    pthread_cond_broadcast(&models->wake);
}

// Somebody asks for models: what waited for that is loaded. Under lock.
static void wake_later(sc_models *models)
{
    struct sc_model_job **p = &models->jobs;
    if (!models->later)
        return;
    while (*p)
        p = &(*p)->next;
    *p = models->later;
    models->later = NULL;
    pthread_cond_broadcast(&models->wake);
}

bool sc_models_known(sc_models *models, const char *name)
{
    pthread_mutex_lock(&models->lock);
    bool known = find(models, name) != NULL;
    pthread_mutex_unlock(&models->lock);
    return known;
}

int sc_models_enqueue(sc_models *models, const char *name, enum sc_model_origin origin,
                      struct sc_model_file *file, sc_err *err)
{
    sc_err own = {0};
    pthread_mutex_lock(&models->lock);
    int ret = check_room(models, name, file->bytes, &own);
    struct sc_model_entry *entry = find(models, name);
    bool room = entry || models->count < SC_MODELS_MAX;
    // A configured model is listed whatever becomes of it; an upload that is refused leaves nothing.
    if (!entry && room && (!ret || origin != SC_ORIGIN_UPLOAD))
        entry = add(models, name, origin);
    if (!ret && entry) {
        entry->origin = origin;
        append(models, entry, file);
        *file = (struct sc_model_file){0};
    } else if (entry && origin != SC_ORIGIN_UPLOAD) {
        fail_entry(entry, ret, sc_err_text(&own, ret));
    }
    pthread_mutex_unlock(&models->lock);
    sc_model_file_release(file);
    if (ret && err)
        *err = own;
    return ret;
}

bool sc_models_wanted(sc_models *models, const struct sc_model_job *job)
{
    pthread_mutex_lock(&models->lock);
    bool wanted = find_id(models, job->entry) && !models->closing;
    pthread_mutex_unlock(&models->lock);
    return wanted;
}

void sc_models_finish(sc_models *models, const struct sc_model_job *job, sc_instance *instance,
                      int ret, const sc_err *err, bool no_runtime)
{
    sc_instance *old = instance;
    pthread_mutex_lock(&models->lock);
    struct sc_model_entry *entry = find_id(models, job->entry);
    if (entry) {
        entry->pending--;
        entry->no_runtime = no_runtime;
        fail_entry(entry, ret, ret ? sc_err_text(err, ret) : "");
        if (instance) {
            old = entry->instance;
            entry->instance = instance;
        }
    }
    pthread_mutex_unlock(&models->lock);
    sc_instance_unref(&old);
}

// --- asking -------------------------------------------------------------------------------

// "; ready: a, b"
static void add_ready(sc_models *models, sc_str *text)
{
    const char *before = "; ready: ";
    for (int i = 0; i < models->count; i++) {
        if (!models->entries[i].instance)
            continue;
        sc_str_addf(text, "%s%s", before, models->entries[i].name);
        before = ", ";
    }
    if (*before == ';')
        sc_str_add(text, "; none is ready");
}

static int fail_unknown(sc_models *models, const char *name, sc_err *err)
{
    sc_str ready = {0};
    if (!models->count && !*name)
        return sc_fail_field(err, SC_EUNSUPPORTED, "model",
                             "this server has no model: start it with --model FILE.onnx, or "
                             "upload one with POST /api/v1/models");
    add_ready(models, &ready);
    sc_fail_field(err, SC_ENOTFOUND, "model", "there is no model %.64s%s", name, ready.s);
    sc_str_release(&ready);
    return SC_ENOTFOUND;
}

static int fail_unready(const struct sc_model_entry *entry, sc_err *err)
{
    if (entry->pending)
        return sc_fail_field(err, SC_EAGAIN, "model",
                             "model %s is being loaded: try again in a moment", entry->name);
    return sc_fail_field(err, entry->no_runtime ? SC_EUNSUPPORTED : SC_EDATA, "model",
                         "model %s cannot be used: %s", entry->name, entry->reason);
}

int sc_models_acquire(sc_models *models, const char *name, sc_instance **pinstance, sc_err *err)
{
    int ret = 0;
    *pinstance = NULL;
    pthread_mutex_lock(&models->lock);
    wake_later(models);
    bool named = name && *name;
    struct sc_model_entry *entry = named ? find(models, name) : find_default(models);
    if (!entry)
        ret = fail_unknown(models, named ? name : models->default_name, err);
    else if (!entry->instance)
        ret = fail_unready(entry, err);
    else
        *pinstance = sc_instance_ref(entry->instance);
    pthread_mutex_unlock(&models->lock);
    return ret;
}

// --- state --------------------------------------------------------------------------------

static const char *const origins[] = {
    [SC_ORIGIN_OPTION] = "option",
    [SC_ORIGIN_FOLDER] = "folder",
    [SC_ORIGIN_UPLOAD] = "upload",
    [SC_ORIGIN_BUILT_IN] = "built-in",
};

static void fill(sc_models *models, struct sc_model_entry *entry, struct sc_model_status *out)
{
    *out = (struct sc_model_status){
        .origin = origins[entry->origin],
        .state = state_of(entry),
        .bytes = entry->bytes,
        .is_default = entry == find_default(models),
        .instance = sc_instance_ref(entry->instance),
    };
    memcpy(out->name, entry->name, sizeof(out->name));
    memcpy(out->reason, entry->reason, sizeof(out->reason));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct sc_model_status *)a)->name,
                  ((const struct sc_model_status *)b)->name);
}

int sc_models_list(sc_models *models, struct sc_model_status *out, int max)
{
    pthread_mutex_lock(&models->lock);
    wake_later(models);
    int count = models->count < max ? models->count : max;
    for (int i = 0; i < count; i++)
        fill(models, &models->entries[i], &out[i]);
    pthread_mutex_unlock(&models->lock);
    qsort(out, (size_t)count, sizeof(*out), compare_names);
    return count;
}

int sc_models_get(sc_models *models, const char *name, struct sc_model_status *out)
{
    pthread_mutex_lock(&models->lock);
    wake_later(models);
    struct sc_model_entry *entry = find(models, name);
    if (entry)
        fill(models, entry, out);
    pthread_mutex_unlock(&models->lock);
    return entry ? 0 : SC_ENOTFOUND;
}

void sc_model_status_release(struct sc_model_status *status)
{
    sc_instance_unref(&status->instance);
}

int sc_models_delete(sc_models *models, const char *name)
{
    sc_instance *instance = NULL;
    pthread_mutex_lock(&models->files);
    pthread_mutex_lock(&models->lock);
    struct sc_model_entry *entry = find(models, name);
    if (entry) {
        instance = entry->instance;
        models->count--;
        memmove(entry, entry + 1,
                (size_t)(&models->entries[models->count] - entry) * sizeof(*entry));
    }
    pthread_mutex_unlock(&models->lock);
    if (entry)
        sc_models_remove_files(models, name);
    pthread_mutex_unlock(&models->files);
    sc_instance_unref(&instance);
    if (entry)
        SC_INFO(models->log, "model deleted", SC_S("name", name));
    return entry ? 0 : SC_ENOTFOUND;
}

void sc_models_get_stats(sc_models *models, struct sc_models_stats *stats)
{
    *stats = (struct sc_models_stats){
        .runs = atomic_load(&models->runs),
        .pictures = atomic_load(&models->pictures),
        .run_ns = atomic_load(&models->run_ns),
    };
    pthread_mutex_lock(&models->lock);
    for (int i = 0; i < models->count; i++) {
        const sc_instance *instance = models->entries[i].instance;
        stats->ready += instance != NULL;
        stats->on_gpu += instance && sc_instance_on_gpu(instance);
    }
    stats->bytes = models->bytes;
    pthread_mutex_unlock(&models->lock);
}

// --- options ------------------------------------------------------------------------------

static void enqueue_path(sc_models *models, const char *name, const char *path)
{
    struct stat st;
    struct sc_model_file file = {.path = sc_xstrdup(path)};
    sc_err err = {0};
    if (!stat(path, &st)) // one that is missing fails when it is loaded
        file.bytes = (size_t)st.st_size;
    int ret = sc_models_enqueue(models, name, SC_ORIGIN_OPTION, &file, &err);
    if (ret)
        SC_ERROR(models->log, "model not loaded", SC_S("name", name),
                 SC_S("error", sc_err_text(&err, ret)));
}

// The last part of path without ".onnx".
static void name_of(const char *path, char name[65])
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base);
    if (n > 5 && !strcmp(base + n - 5, ".onnx"))
        n -= 5;
    snprintf(name, 65, "%.*s", n > 64 ? 64 : (int)n, base);
}

static int load_default(sc_models *models, sc_err *err)
{
    const char *given = models->settings->model;
    size_t n = strlen(given);
    char name[65];
    if (!strchr(given, '/') && !(n > 5 && !strcmp(given + n - 5, ".onnx"))) {
        models->default_name = sc_xstrdup(given);
        return 0;
    }
    name_of(given, name);
    if (!sc_model_name_valid(name))
        return sc_fail_field(err, SC_EARG, "model",
                             "model: \"%s\" gives no name ([A-Za-z0-9_.-]{1,64}): use "
                             "models-load with NAME=PATH",
                             given);
    models->default_name = sc_xstrdup(name);
    enqueue_path(models, name, given);
    return 0;
}

static int load_list(sc_models *models, sc_err *err)
{
    char *list = sc_xstrdup(models->settings->load), *save = NULL;
    int ret = 0;
    for (char *s = strtok_r(list, ",", &save); s && !ret; s = strtok_r(NULL, ",", &save)) {
        char *path = strchr(s, '=');
        if (path)
            *path++ = 0;
        if (!path || !*path || !sc_model_name_valid(s))
            ret = sc_fail_field(err, SC_EARG, "models-load",
                                "models-load: \"%s\" is not NAME=PATH with a name of "
                                "[A-Za-z0-9_.-]{1,64}",
                                s);
        else
            enqueue_path(models, s, path);
    }
    free(list);
    return ret;
}

// --- open and close -----------------------------------------------------------------------

static double read_ready(void *arg)
{
    struct sc_models_stats stats;
    sc_models_get_stats(arg, &stats);
    return stats.ready;
}

static double read_bytes(void *arg)
{
    struct sc_models_stats stats;
    sc_models_get_stats(arg, &stats);
    return (double)stats.bytes;
}

static void init(sc_models *models, const struct sc_models_params *params)
{
    sc_str dir = {0};
    models->settings = params->settings;
    models->ops = params->ops;
    models->ops_arg = params->ops_arg;
    models->log = sc_log_child(params->log, "models");
    models->metrics = params->metrics;
    sc_str_addf(&dir, "%s/models", params->data_dir);
    models->dir = sc_xstrdup(*params->settings->dir ? params->settings->dir : dir.s);
    sc_str_release(&dir);
    models->built_in = params->built_in ? sc_xstrdup(params->built_in) : NULL;
    atomic_init(&models->next_uid, 1);
    pthread_mutex_init(&models->files, NULL);
    pthread_mutex_init(&models->lock, NULL);
    pthread_cond_init(&models->wake, NULL);
    sc_metrics_gauge_fn(params->metrics, "saccade_models_ready", "", "Models that answer.",
                        read_ready, models);
    sc_metrics_gauge_fn(params->metrics, "saccade_models_bytes", "",
                        "Size of the model files that are loaded or wait for it.", read_bytes,
                        models);
}

int sc_models_open(sc_models **pmodels, const struct sc_models_params *params, sc_err *err)
{
    sc_models *models = sc_new(sc_models);
    init(models, params);
    int ret = load_default(models, err);
    if (!ret)
        ret = load_list(models, err);
    if (!ret) {
        sc_models_scan(models);
        models->started = !pthread_create(&models->thread, NULL, sc_models_loader, models);
        if (!models->started)
            ret = sc_fail(err, SC_ENOMEM, "cannot start a thread: the system refuses");
    }
    if (ret)
        sc_models_close(&models);
    *pmodels = models;
    return ret;
}

static void stop_loader(sc_models *models)
{
    pthread_mutex_lock(&models->lock);
    models->closing = true;
    pthread_cond_broadcast(&models->wake);
    pthread_mutex_unlock(&models->lock);
    if (models->started)
        pthread_join(models->thread, NULL);
}

static void empty(sc_models *models)
{
    wake_later(models);
    for (struct sc_model_job *job; (job = models->jobs);) {
        models->jobs = job->next;
        sc_model_file_release(&job->file);
        free(job);
    }
    for (int i = 0; i < models->count; i++)
        sc_instance_unref(&models->entries[i].instance);
    pthread_mutex_lock(&models->lock);
    while (models->live) {
        if (!models->dead)
            pthread_cond_wait(&models->wake, &models->lock);
        pthread_mutex_unlock(&models->lock);
        sc_models_reap(models);
        pthread_mutex_lock(&models->lock);
    }
    pthread_mutex_unlock(&models->lock);
}

void sc_models_close(sc_models **pmodels)
{
    sc_models *models = pmodels ? *pmodels : NULL;
    if (!models)
        return;
    *pmodels = NULL;
    stop_loader(models);
    empty(models);
    pthread_cond_destroy(&models->wake);
    pthread_mutex_destroy(&models->lock);
    pthread_mutex_destroy(&models->files);
    sc_log_close(&models->log);
    free(models->dir);
    free(models->built_in);
    free(models->default_name);
    free(models);
}
