// The stages of detection and of what live streams do then, each alone over the same frames; see
// answer.h for how it is driven.
//
//   model PATH      loads a detector; the program's argument is how many runs go side by side  -> 0
//   open PATH       indexes a video, decodes and keeps its first 400 frames               -> frames
//   decode          decodes them again                                                   -> ms
//   prepare         makes a tensor of each                                                -> ms
//   infer           runs the model on each                                                -> ms
//   post            reads boxes from an output as often                                    -> ms
//   film CLASS      finds, tracks, cuts out, draws and keeps it all; the camera follows that class -> 0
//   cut, track, camera, crop, overlay, encode
//                   do it again, one of them                                               -> ms
//   cpu             CPU time that the last of these took, all threads                      -> ms
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "answer.h"
#include "base/mem.h"
#include "base/pool.h"
#include "film.h"
#include "media/index.h"
#include "media/reader.h"
#include "vision/family.h"

#define FRAMES  FILM_FRAMES // kept at most
#define TENSORS 8           // prepared and run in turn
#define LANES   16          // at most

struct stages {
    int lanes; // runs side by side, a thread each
    char *path;
    sc_index *index;
    sc_frame *frames[FRAMES];
    int count;
    sc_onnx *onnx;
    sc_session *sessions[LANES]; // the first has the model, the others share it
    struct sc_contract contract;
    sc_prepare *prepare;
    struct sc_mapping mapping;
    void *tensors[TENSORS];
    struct sc_tensor outputs[SC_SESSION_MAX_TENSORS]; // of the first lane's last run
    struct film film;
    double cpu_ms; // of the last stage
};

static double cpu_now_ms(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3;
}

static const char *metadata(const void *session, const char *key)
{
    return sc_session_metadata(session, key);
}

static int verb_model(void *state, const char *path, double *number, char error[256])
{
    struct stages *s = state;
    sc_err err = {0};
    struct sc_session_params params = {.path = path, .threads = 1, .provider = SC_PROVIDER_CPU};
    int ret = sc_onnx_open(&s->onnx, NULL, NULL, &err);
    if (ret >= 0)
        ret = sc_session_open(&s->sessions[0], s->onnx, &params, &err);
    for (int i = 1; ret >= 0 && i < s->lanes; i++)
        ret = sc_session_share(&s->sessions[i], s->sessions[0], &err);
    if (ret < 0)
        return answer_fail(error, "%s", sc_err_text(&err, ret));
    struct sc_model_facts facts = {sc_session_get_info(s->sessions[0]), metadata,
                                   s->sessions[0]};
    ret = sc_family_find(&facts, &s->contract, &err);
    if (ret >= 0 && (s->contract.batch > 1 || s->contract.sizes >= 0))
        return answer_fail(error, "a model with one input and single pictures is wanted");
    if (ret >= 0)
        ret = sc_prepare_open(&s->prepare, &s->contract.prepare, &err);
    for (int i = 0; ret >= 0 && i < TENSORS; i++)
        if (!(s->tensors[i] = aligned_alloc(64, (sc_prepare_size(s->prepare) + 63) & ~63ul)))
            ret = sc_fail(&err, SC_ENOMEM, "out of memory");
    *number = 0;
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

static int keep(void *arg, sc_frame *frame)
{
    struct stages *s = arg;
    s->frames[s->count++] = sc_frame_ref(frame);
    return 0;
}

static int count(void *arg, sc_frame *frame)
{
    (void)frame;
    ++*(int *)arg;
    return 0;
}

// Gives the first `wanted` frames to fn, by a reader that has seen nothing.
static int each(struct stages *s, int wanted, int (*fn)(void *, sc_frame *), void *arg,
                char error[256])
{
    struct sc_reader_engine_params params = {.threads = sc_cpu_count(), .no_prefetch = true};
    sc_reader_engine *engine = sc_reader_engine_open(&params);
    if (!engine)
        return answer_fail(error, "cannot start the engine");
    sc_reader *reader = sc_reader_open(engine, s->index, s->path);
    int ret = sc_reader_each(reader, 0, wanted, NULL, fn, arg);
    sc_reader_close(&reader);
    sc_reader_engine_close(&engine);
    return ret < 0 ? answer_fail(error, "%s", sc_strerror(ret)) : 0;
}

static int verb_open(void *state, const char *path, double *number, char error[256])
{
    struct stages *s = state;
    sc_err err = {0};
    s->path = sc_xstrdup(path);
    int ret = sc_index_build(&s->index, path, &(struct sc_index_params){0}, &err);
    if (ret < 0)
        return answer_fail(error, "%s", sc_err_text(&err, ret));
    int64_t frames = sc_index_get_info(s->index)->frames;
    ret = each(s, frames < FRAMES ? (int)frames : FRAMES, keep, s, error);
    *number = s->count;
    return ret;
}

static int all_decode(struct stages *s, char error[256])
{
    int seen = 0;
    return each(s, s->count, count, &seen, error);
}

static int all_prepare(struct stages *s, char error[256])
{
    sc_err err = {0};
    int ret = SC_OK;
    for (int i = 0; i < s->count && ret >= 0; i++)
        ret = sc_prepare_run(s->prepare, s->frames[i], NULL, s->tensors[i % TENSORS],
                             &s->mapping, &err);
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

struct lane {
    struct stages *stages;
    int number, ret;
    sc_err err;
};

// Every lanes-th frame.
static void *infer(void *arg)
{
    struct lane *lane = arg;
    struct stages *s = lane->stages;
    const struct sc_prepare_params *p = &s->contract.prepare;
    struct sc_tensor own[SC_SESSION_MAX_TENSORS];
    struct sc_tensor *outputs = lane->number ? own : s->outputs;
    for (int i = lane->number; i < s->count && lane->ret >= 0; i += s->lanes) {
        struct sc_tensor input = {.type = p->type,
                                  .rank = 4,
                                  .dims = {1, 3, p->height, p->width},
                                  .data = s->tensors[i % TENSORS],
                                  .size = sc_prepare_size(s->prepare)};
        lane->ret = sc_session_run(s->sessions[lane->number], &input, outputs, &lane->err);
    }
    return NULL;
}

static int all_infer(struct stages *s, char error[256])
{
    struct lane lanes[LANES] = {0};
    pthread_t threads[LANES];
    int started = 1, ret = 0;
    for (int i = 0; i < s->lanes; i++)
        lanes[i] = (struct lane){.stages = s, .number = i};
    while (started < s->lanes &&
           !pthread_create(&threads[started], NULL, infer, &lanes[started]))
        started++;
    infer(&lanes[0]);
    for (int i = 1; i < started; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < s->lanes && !ret; i++)
        if (i >= started || lanes[i].ret < 0)
            ret =
                answer_fail(error, "lane %d: %s", i, sc_err_text(&lanes[i].err, lanes[i].ret));
    return ret;
}

// The outputs of the last run are read again and again.
static int all_post(struct stages *s, char error[256])
{
    sc_err err = {0};
    struct sc_candidates candidates = {.most = SC_CANDIDATES_MOST};
    int ret = SC_OK;
    for (int i = 0; i < s->count && ret >= 0; i++) {
        ret = s->contract.family->read(&s->contract, s->outputs, 0, 0.05F, &candidates);
        sc_detections *found =
            ret < 0 ? NULL : sc_candidates_finish(&candidates, &s->contract, &s->mapping);
        sc_detections_unref(&found);
    }
    sc_candidates_release(&candidates);
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

static int timed(struct stages *s, int (*stage)(struct stages *, char[256]), double *number,
                 char error[256])
{
    if (!s->prepare || !s->count)
        return answer_fail(error, "no model or no video is open");
    double start = answer_now_ms(), cpu = cpu_now_ms();
    int ret = stage(s, error);
    *number = answer_now_ms() - start;
    s->cpu_ms = cpu_now_ms() - cpu;
    return ret;
}

static int verb_decode(void *state, const char *argument, double *number, char error[256])
{
    (void)argument;
    return timed(state, all_decode, number, error);
}

static int verb_prepare(void *state, const char *argument, double *number, char error[256])
{
    (void)argument;
    return timed(state, all_prepare, number, error);
}

static int verb_infer(void *state, const char *argument, double *number, char error[256])
{
    (void)argument;
    return timed(state, all_infer, number, error);
}

static int verb_post(void *state, const char *argument, double *number, char error[256])
{
    (void)argument;
    if (!((struct stages *)state)->outputs[0].data)
        return answer_fail(error, "nothing was inferred yet");
    return timed(state, all_post, number, error);
}

// One frame's detections, by the first lane.
static sc_detections *find(struct stages *s, sc_frame *frame, struct sc_candidates *candidates,
                           sc_err *err)
{
    const struct sc_prepare_params *p = &s->contract.prepare;
    struct sc_tensor input = {.type = p->type,
                              .rank = 4,
                              .dims = {1, 3, p->height, p->width},
                              .data = s->tensors[0],
                              .size = sc_prepare_size(s->prepare)};
    int ret = sc_prepare_run(s->prepare, frame, NULL, s->tensors[0], &s->mapping, err);
    if (ret >= 0)
        ret = sc_session_run(s->sessions[0], &input, s->outputs, err);
    if (ret >= 0)
        ret = s->contract.family->read(&s->contract, s->outputs, 0, 0.05F, candidates);
    return ret < 0 ? NULL : sc_candidates_finish(candidates, &s->contract, &s->mapping);
}

static int verb_film(void *state, const char *argument, double *number, char error[256])
{
    struct stages *s = state;
    sc_err err = {0};
    struct sc_candidates candidates = {.most = SC_CANDIDATES_MOST};
    int ret = s->prepare && s->count ? 0 : answer_fail(error, "no model or no video is open");
    s->film.frames = s->frames;
    s->film.count = s->count;
    s->film.follow = atoi(argument);
    for (int i = 0; i < s->count && !ret; i++) {
        sc_detections_unref(&s->film.found[i]);
        s->film.found[i] = find(s, s->frames[i], &candidates, &err);
        if (!s->film.found[i])
            ret = answer_fail(error, "frame %d: %s", i, sc_err_text(&err, SC_ENOMEM));
    }
    sc_candidates_release(&candidates);
    int (*const stages[])(struct film *, char[256]) = {film_cut,  film_track,   film_camera,
                                                       film_crop, film_overlay, film_encode};
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]) && !ret; i++)
        ret = stages[i](&s->film, error);
    *number = 0;
    return ret;
}

static int timed_film(struct stages *s, int (*stage)(struct film *, char[256]), double *number,
                      char error[256])
{
    if (!s->film.count || !s->film.drawn[s->film.count - 1])
        return answer_fail(error, "nothing was filmed yet");
    double start = answer_now_ms(), cpu = cpu_now_ms();
    int ret = stage(&s->film, error);
    *number = answer_now_ms() - start;
    s->cpu_ms = cpu_now_ms() - cpu;
    return ret;
}

#define FILM_VERB(stage)                                                                       \
    static int verb_##stage(void *state, const char *argument, double *number,                 \
                            char error[256])                                                   \
    {                                                                                          \
        (void)argument;                                                                        \
        return timed_film(state, film_##stage, number, error);                                 \
    }
FILM_VERB(cut)
FILM_VERB(track)
FILM_VERB(camera)
FILM_VERB(crop)
FILM_VERB(overlay)
FILM_VERB(encode)

static int verb_cpu(void *state, const char *argument, double *number, char error[256])
{
    (void)argument;
    (void)error;
    *number = ((struct stages *)state)->cpu_ms;
    return 0;
}

static void release(struct stages *s)
{
    film_release(&s->film);
    for (int i = 0; i < s->count; i++)
        sc_frame_unref(&s->frames[i]);
    for (int i = 0; i < TENSORS; i++)
        free(s->tensors[i]);
    sc_prepare_close(&s->prepare);
    sc_contract_release(&s->contract);
    for (int i = LANES; i-- > 0;) // the others before the one that they share
        sc_session_close(&s->sessions[i]);
    sc_onnx_close(&s->onnx);
    sc_index_unref(&s->index);
    free(s->path);
}

int main(int argc, char **argv)
{
    static const struct answer_verb verbs[] = {
        {"model", verb_model},     {"open", verb_open},   {"decode", verb_decode},
        {"prepare", verb_prepare}, {"infer", verb_infer}, {"post", verb_post},
        {"film", verb_film},       {"cut", verb_cut},     {"track", verb_track},
        {"camera", verb_camera},   {"crop", verb_crop},   {"overlay", verb_overlay},
        {"encode", verb_encode},   {"cpu", verb_cpu},     {0},
    };
    struct stages stages = {.lanes = argc > 1 ? atoi(argv[1]) : 1};
    if (stages.lanes < 1 || stages.lanes > LANES)
        return 2;
    answer_loop(verbs, &stages);
    release(&stages);
    return 0;
}
