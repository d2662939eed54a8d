// Detectors by script: a model "file" is a text whose first word says what loading it does ("good",
// "bad") and whose next character is the class that its instances find, so that a result tells
// which file made it.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "app/models.h"
#include "base/clock.h"
#include "base/mem.h"

struct fake_runtime {
    int max_batch;
    atomic_int start_ret, detect_ret;     // what start() and detect() give
    atomic_int_least64_t run_ns, load_ns; // each takes this
    atomic_int open, loads, runs, pictures, largest;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool shut;   // runs wait while it is set
    int waiting; // runs that wait
};

struct fake_model {
    struct fake_runtime *runtime;
    struct sc_session_info session;
    struct sc_model_info info;
    const char *labels[2];
    int class;
};

static inline void fake_init(struct fake_runtime *rt)
{
    *rt = (struct fake_runtime){.max_batch = 4};
    pthread_mutex_init(&rt->lock, NULL);
    pthread_cond_init(&rt->cond, NULL);
}

static inline void fake_shut(struct fake_runtime *rt, bool shut)
{
    pthread_mutex_lock(&rt->lock);
    rt->shut = shut;
    pthread_cond_broadcast(&rt->cond);
    pthread_mutex_unlock(&rt->lock);
}

// Waits until a run stands before the shut gate.
static inline void fake_await_run(struct fake_runtime *rt)
{
    pthread_mutex_lock(&rt->lock);
    while (!rt->waiting)
        pthread_cond_wait(&rt->cond, &rt->lock);
    pthread_mutex_unlock(&rt->lock);
}

static inline int fake_start(void *arg, sc_err *err)
{
    struct fake_runtime *rt = arg;
    return rt->start_ret ? sc_fail(err, rt->start_ret, "install the runtime") : 0;
}

static inline int fake_open(void *arg, void **pdetector, const struct sc_model_params *params,
                            sc_err *err)
{
    struct fake_runtime *rt = arg;
    char word[8] = "", class = '0';
    FILE *f = fopen(params->path, "re");
    if (!f)
        return sc_fail(err, SC_ENOTFOUND, "cannot read %s", params->path);
    int got = fscanf(f, "%7s %c", word, &class);
    fclose(f);
    atomic_fetch_add(&rt->loads, 1);
    sc_clock_sleep(rt->load_ns);
    if (got < 1 || strcmp(word, "good"))
        return sc_fail(err, SC_EDATA, "this is no model");
    struct fake_model *model = sc_new(struct fake_model);
    *model = (struct fake_model){.runtime = rt, .labels = {"cat", "dog"}, .class = class - '0'};
    model->session = (struct sc_session_info){.provider = SC_PROVIDER_CPU, .reason = "a fake"};
    model->info =
        (struct sc_model_info){.name = params->name,
                               .family = "fake",
                               .path = params->path,
                               .width = 64,
                               .height = 64,
                               .max_batch = rt->max_batch,
                               .classes = 2,
                               .labels = model->labels,
                               .threshold = params->threshold > 0 ? params->threshold : 0.5,
                               .session = &model->session};
    atomic_fetch_add(&rt->open, 1);
    *pdetector = model;
    return 0;
}

static inline void fake_close(void **pdetector)
{
    struct fake_model *model = *pdetector;
    *pdetector = NULL;
    atomic_fetch_sub(&model->runtime->open, 1);
    free(model);
}

static inline const struct sc_model_info *fake_info(void *detector)
{
    return &((struct fake_model *)detector)->info;
}

static inline void fake_pass_gate(struct fake_runtime *rt)
{
    pthread_mutex_lock(&rt->lock);
    rt->waiting++;
    pthread_cond_broadcast(&rt->cond);
    while (rt->shut)
        pthread_cond_wait(&rt->cond, &rt->lock);
    rt->waiting--;
    pthread_mutex_unlock(&rt->lock);
}

// Two boxes a picture, of scores 0.9 and 0.3; the first one's x1 is the frame's number.
static inline int fake_detect(void *detector, int lane, sc_frame *const *frames,
                              const struct sc_view *views, int count, sc_detections **out,
                              sc_err *err)
{
    struct fake_model *model = detector;
    struct fake_runtime *rt = model->runtime;
    (void)views;
    (void)lane;
    fake_pass_gate(rt);
    sc_clock_sleep(rt->run_ns);
    atomic_fetch_add(&rt->runs, 1);
    atomic_fetch_add(&rt->pictures, count);
    if (count > atomic_load(&rt->largest))
        atomic_store(&rt->largest, count);
    if (rt->detect_ret)
        return sc_fail(err, rt->detect_ret, "made to fail");
    for (int i = 0; i < count; i++) {
        sc_detections *found = out[i] = sc_detections_new(2);
        float n = (float)frames[i]->n;
        found->width = frames[i]->av->width;
        found->height = frames[i]->av->height;
        found->batch = count;
        found->run_ns = 1000000;
        found->items[0] = (struct sc_detection){n, 1, n + 50, 60, 0.9F, model->class, 0};
        found->items[1] = (struct sc_detection){2, 2, 30, 40, 0.3F, 1, 0};
    }
    return 0;
}

static const struct sc_detector_ops fake_ops = {fake_start, fake_open, fake_close, fake_info,
                                                fake_detect};
