// Loading models and running them: the loader's thread, instances, their batches.
#include <string.h>

#include <xxhash.h>

#include "app/models_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"

// --- running ------------------------------------------------------------------------------

static int run(void *arg, const struct sc_batch_turn *turn, struct sc_batch_work *work,
               int count, sc_err *err)
{
    sc_instance *instance = arg;
    sc_models *models = instance->models;
    int64_t start = sc_clock_now();
    int ret = sc_model_run_items(models->ops->detect, instance->detector, instance->info.lanes,
                                 turn, work, count, err);
    if (!ret)
        return SC_OK;
    atomic_fetch_add(&models->runs, 1);
    atomic_fetch_add(&models->pictures, ret > 0 ? (uint64_t)ret : (uint64_t)count);
    atomic_fetch_add(&models->run_ns, sc_clock_now() - start);
    return ret < 0 ? ret : SC_OK;
}

// The device was lost.
static int reopen(void *arg, sc_err *err)
{
    sc_instance *instance = arg;
    sc_models *models = instance->models;
    models->ops->close(&instance->detector);
    int ret = models->ops->open(models->ops_arg, &instance->detector, &instance->params, err);
    SC_WARN(models->log, "model opened again, its device was lost",
            SC_S("name", instance->info.name), SC_S("error", ret ? sc_err_text(err, ret) : ""));
    return ret;
}

// --- instances ----------------------------------------------------------------------------

sc_instance *sc_instance_ref(sc_instance *instance)
{
    if (instance)
        sc_ref_inc(&instance->ref);
    return instance;
}

// The last reference may go on an I/O thread, or on the batcher's own, which cannot close itself.
void sc_instance_unref(sc_instance **pinstance)
{
    sc_instance *instance = pinstance ? *pinstance : NULL;
    if (!instance)
        return;
    *pinstance = NULL;
    if (!sc_ref_dec(&instance->ref))
        return;
    sc_models *models = instance->models;
    pthread_mutex_lock(&models->lock);
    instance->next_dead = models->dead;
    models->dead = instance;
    pthread_cond_broadcast(&models->wake);
    pthread_mutex_unlock(&models->lock);
}

const struct sc_instance_info *sc_instance_get_info(const sc_instance *instance)
{
    return &instance->info;
}

const char *sc_instance_provider(const sc_instance *instance)
{
    return sc_provider_name(instance->info.provider);
}

bool sc_instance_on_gpu(const sc_instance *instance)
{
    return instance->info.provider > SC_PROVIDER_CPU;
}

static void free_labels(struct sc_instance_info *info)
{
    for (int i = 0; info->labels && i < info->classes; i++)
        free(info->labels[i]);
    free(info->labels);
}

static void free_instance(sc_instance *instance)
{
    sc_models *models = instance->models;
    sc_batcher_close(&instance->batcher);
    if (instance->detector)
        models->ops->close(&instance->detector);
    free_labels(&instance->info);
    free(instance->path);
    free(instance->labels);
    pthread_mutex_lock(&models->lock);
    models->bytes -= instance->info.bytes;
    models->live--;
    pthread_cond_broadcast(&models->wake);
    pthread_mutex_unlock(&models->lock);
    free(instance);
}

void sc_models_reap(sc_models *models)
{
    for (;;) {
        pthread_mutex_lock(&models->lock);
        sc_instance *instance = models->dead;
        if (instance)
            models->dead = instance->next_dead;
        pthread_mutex_unlock(&models->lock);
        if (!instance)
            return;
        free_instance(instance);
    }
}

static void copy_labels(struct sc_instance_info *info, const char *const *labels)
{
    if (!labels || info->classes <= 0)
        return;
    info->labels = sc_xcalloc((size_t)info->classes, sizeof(*info->labels));
    for (int i = 0; i < info->classes; i++)
        info->labels[i] = sc_xstrdup(labels[i] ? labels[i] : "");
}

static void copy_info(struct sc_instance_info *out, const struct sc_model_info *in)
{
    snprintf(out->family, sizeof(out->family), "%s", in->family ? in->family : "");
    out->width = in->width;
    out->height = in->height;
    out->max_batch = in->max_batch < 1                    ? 1
                     : in->max_batch > SC_MODEL_MAX_BATCH ? SC_MODEL_MAX_BATCH
                                                          : in->max_batch;
    out->lanes = in->lanes;
    out->classes = in->classes;
    copy_labels(out, in->labels);
    out->threshold = in->threshold;
    out->warm_ns = in->warm_ns;
    if (in->session) {
        out->provider = in->session->provider;
        out->half = in->session->half;
        snprintf(out->reason, sizeof(out->reason), "%s",
                 in->session->reason ? in->session->reason : "");
    }
}

// --- loading ------------------------------------------------------------------------------

static sc_instance *new_instance(sc_models *models, const struct sc_model_job *job)
{
    const struct sc_models_settings *settings = models->settings;
    sc_instance *instance = sc_new(sc_instance);
    sc_ref_init(&instance->ref);
    instance->models = models;
    instance->uid = atomic_fetch_add(&models->next_uid, 1);
    memcpy(instance->info.name, job->name, sizeof(instance->info.name));
    instance->info.generation = job->generation;
    instance->info.device = (int)settings->device;
    instance->path = sc_xstrdup(job->file.path);
    instance->labels = job->file.labels ? sc_xstrdup(job->file.labels) : NULL;
    instance->params = (struct sc_model_params){
        .name = instance->info.name,
        .path = instance->path,
        .labels = instance->labels,
        .threshold = job->file.threshold,
        .size = job->file.size,
        .max_batch = (int)settings->max_batch,
        .provider = (enum sc_provider)settings->provider,
        .device = (int)settings->device,
        .threads = (int)settings->threads,
        .half = settings->half,
        .log = models->log,
    };
    pthread_mutex_lock(&models->lock);
    models->live++;
    pthread_mutex_unlock(&models->lock);
    return instance;
}

// What decides what it finds.
static uint64_t identify(const sc_instance *instance, uint64_t file_hash)
{
    const struct sc_instance_info *info = &instance->info;
    const char *labels = instance->labels ? instance->labels : "";
    uint64_t parts[] = {file_hash, XXH3_64bits(labels, strlen(labels)),
                        (uint64_t)info->width << 32 | (uint32_t)info->height,
                        (uint64_t)info->provider << 1 | info->half};
    return XXH3_64bits(parts, sizeof(parts));
}

static int open_detector(sc_instance *instance, sc_err *err)
{
    sc_models *models = instance->models;
    int64_t start = sc_clock_now();
    int ret = models->ops->open(models->ops_arg, &instance->detector, &instance->params, err);
    if (ret)
        return ret;
    copy_info(&instance->info, models->ops->info(instance->detector));
    instance->info.load_ns = sc_clock_now() - start;
    return sc_batcher_open(&instance->batcher,
                           &(struct sc_batcher_params){
                               .name = instance->info.name,
                               .run = run,
                               .reopen = reopen,
                               .arg = instance,
                               .runners = instance->info.lanes,
                               .max_batch = instance->info.max_batch,
                               .metrics = models->metrics,
                           },
                           err);
}

// An upload gets its name, which the model is opened by should its device be lost.
static int store(sc_instance *instance, struct sc_model_job *job, sc_err *err)
{
    sc_models *models = instance->models;
    int ret = 0;
    if (!job->file.upload)
        return 0;
    pthread_mutex_lock(&models->files);
    if (sc_models_wanted(models, job))
        ret = sc_models_store(models, job->name, &job->file, err);
    pthread_mutex_unlock(&models->files);
    free(instance->path);
    instance->path = sc_xstrdup(job->file.path);
    instance->params.path = instance->path;
    return ret;
}

// The instance owns the file's share of the budget from here on.
static int make_instance(sc_models *models, struct sc_model_job *job, sc_instance **pinstance,
                         sc_err *err)
{
    uint64_t hash;
    int ret = sc_model_file_complete(&job->file, err);
    if (!ret)
        ret = sc_model_file_hash(&job->file, &hash, err);
    if (ret)
        return ret;
    sc_instance *instance = new_instance(models, job);
    ret = open_detector(instance, err);
    if (!ret)
        ret = store(instance, job, err);
    if (ret) {
        sc_instance_unref(&instance);
        return ret;
    }
    instance->info.hash = identify(instance, hash);
    instance->info.bytes = job->file.bytes;
    *pinstance = instance;
    return 0;
}

static void tell(sc_models *models, const struct sc_model_job *job, const sc_instance *instance,
                 int ret, const sc_err *err)
{
    if (ret) {
        SC_ERROR(models->log, "model failed", SC_S("name", job->name),
                 SC_S("error", sc_err_text(err, ret)));
        return;
    }
    const struct sc_instance_info *info = &instance->info;
    SC_INFO(models->log, "model ready", SC_S("name", info->name), SC_S("family", info->family),
            SC_I("width", info->width), SC_I("height", info->height),
            SC_S("provider", sc_instance_provider(instance)), SC_S("why", info->reason),
            SC_F("load_s", (double)info->load_ns / (double)SC_NS_PER_S),
            SC_I("generation", info->generation));
}

void sc_models_unload(sc_models *models, size_t bytes)
{
    pthread_mutex_lock(&models->lock);
    models->bytes -= bytes;
    pthread_mutex_unlock(&models->lock);
}

// Why a model failed is told to whoever asks: where the server keeps its files is not.
static void leave_out(sc_err *err, const char *path)
{
    static const char instead[] = "the file";
    size_t len = strlen(path), room = strlen(instead);
    char *at = err->text;
    while (len > room && (at = strstr(at, path))) {
        memcpy(at, instead, room); // NOLINT(bugprone-not-null-terminated-result)
        memmove(at + room, at + len, strlen(at + len) + 1);
        at += room;
    }
}

static void load(sc_models *models, struct sc_model_job *job)
{
    sc_instance *instance = NULL;
    sc_err err = {0};
    size_t bytes = job->file.bytes; // as it was taken from the budget
    int ret = sc_models_wanted(models, job) ? 0 : SC_ECANCELLED;
    bool no_runtime = false;
    if (!ret) {
        ret = models->ops->start(models->ops_arg, &err);
        no_runtime = ret != 0;
        if (!ret)
            ret = make_instance(models, job, &instance, &err);
        tell(models, job, instance, ret, &err);
    }
    if (ret) {
        sc_models_unload(models, bytes);
        leave_out(&err, job->file.path); // the log has it
    }
    sc_model_file_release(&job->file); // before it is told: a failed upload leaves no file
    sc_models_finish(models, job, instance, ret, &err, no_runtime);
    free(job);
}

void *sc_models_loader(void *arg)
{
    sc_models *models = arg;
    pthread_setname_np(pthread_self(), "models");
    sc_cpu_give_way(); // as do the threads that ONNX Runtime starts here for its runs
    pthread_mutex_lock(&models->lock);
    while (!models->closing) {
        struct sc_model_job *job = models->jobs;
        if (models->dead) {
            pthread_mutex_unlock(&models->lock);
            sc_models_reap(models);
        } else if (job) {
            models->jobs = job->next;
            pthread_mutex_unlock(&models->lock);
            load(models, job);
        } else {
            pthread_cond_wait(&models->wake, &models->lock);
            continue;
        }
        pthread_mutex_lock(&models->lock);
    }
    pthread_mutex_unlock(&models->lock);
    return NULL;
}
