// Our side of the library comparisons; see answer.h for how it is driven.
//
//   index PATH       builds the index                               -> ms
//   save PATH        writes the index of the open video             -> ms
//   load PATH        loads a saved index                            -> ms
//   open PATH        indexes a video; the verbs below are about it  -> frames
//   distance N       packets from the entry point to frame N        -> packets
//   frame N          frame N by a reader that has seen nothing      -> ms
//   picture N        the same, and its JPEG                         -> ms
//   all COUNT        the first COUNT frames in order                -> ms
//   keep N           holds frame N for encode                       -> 0
//   encode           the JPEG of the frame held                     -> ms
//   prepare KIND     the tensor of the frame held for a detector:
//                    yolo (640, letterbox) or yolox (416)           -> ms
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/pool.h"
#include "media/index.h"
#include "media/picture.h"
#include "media/reader.h"
#include "vision/prepare.h"

#define QUALITY 85
#define REPEATS 5 // of what takes less than a millisecond: the median counts

struct ours {
    int threads;
    char *path;
    sc_index *index;
    sc_picture_ctx *pictures;
    sc_frame *kept;
    sc_prepare *prepare; // made when first used
    bool prepare_yolox;
};

// An engine and a reader that have seen nothing.
struct cold {
    sc_reader_engine *engine;
    sc_reader *reader;
};

static int cold_open(struct cold *cold, const struct ours *ours, char error[256])
{
    *cold = (struct cold){0};
    if (!ours->index)
        return answer_fail(error, "no video is open");
    struct sc_reader_engine_params params = {.threads = ours->threads, .no_prefetch = true};
    cold->engine = sc_reader_engine_open(&params);
    if (!cold->engine)
        return answer_fail(error, "cannot start the engine");
    return 0;
}

static void cold_close(struct cold *cold)
{
    if (cold->reader)
        sc_reader_close(&cold->reader);
    if (cold->engine)
        sc_reader_engine_close(&cold->engine);
}

static int cold_frame(struct cold *cold, const struct ours *ours, int64_t n, sc_frame **frame,
                      char error[256])
{
    sc_err err = {0};
    cold->reader = sc_reader_open(cold->engine, ours->index, ours->path);
    int ret = sc_reader_get_sync(cold->reader, n, 0, frame, &err);
    if (ret < 0)
        return answer_fail(error, "frame %lld: %s", (long long)n, sc_err_text(&err, ret));
    if ((*frame)->n != n)
        return answer_fail(error, "asked for frame %lld, got %lld", (long long)n,
                           (long long)(*frame)->n);
    return 0;
}

static int jpeg(const struct ours *ours, sc_frame *frame, char error[256])
{
    sc_buf *out = NULL;
    struct sc_picture_info info;
    sc_err err = {0};
    struct sc_picture_params params = {
        .format = SC_PICTURE_JPEG,
        .quality = QUALITY,
        .threads = ours->threads > 0 ? ours->threads : sc_cpu_count(),
    };
    int ret = sc_picture_encode(ours->pictures, &out, &info, frame, &params, &err);
    sc_buf_unref(&out);
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

static int build(sc_index **index, const struct ours *ours, const char *path, double *ms,
                 char error[256])
{
    sc_err err = {0};
    double start = answer_now_ms();
    int ret =
        sc_index_build(index, path, &(struct sc_index_params){.threads = ours->threads}, &err);
    *ms = answer_now_ms() - start;
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

static int verb_index(void *state, const char *path, double *number, char error[256])
{
    sc_index *index = NULL;
    int ret = build(&index, state, path, number, error);
    sc_index_unref(&index);
    return ret;
}

static int verb_save(void *state, const char *path, double *number, char error[256])
{
    struct ours *ours = state;
    sc_err err = {0};
    if (!ours->index)
        return answer_fail(error, "no video is open");
    double start = answer_now_ms();
    int ret = sc_index_save(ours->index, path, &err);
    *number = answer_now_ms() - start;
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

static int verb_load(void *state, const char *path, double *number, char error[256])
{
    sc_index *index = NULL;
    sc_err err = {0};
    (void)state;
    double start = answer_now_ms();
    int ret = sc_index_load(&index, path, &err);
    *number = answer_now_ms() - start;
    sc_index_unref(&index);
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

static int verb_open(void *state, const char *path, double *number, char error[256])
{
    struct ours *ours = state;
    double ms;
    sc_frame_unref(&ours->kept);
    sc_index_unref(&ours->index);
    free(ours->path);
    ours->path = strdup(path);
    if (!ours->path)
        return answer_fail(error, "out of memory");
    int ret = build(&ours->index, ours, path, &ms, error);
    if (ret == 0)
        *number = (double)sc_index_get_info(ours->index)->frames;
    return ret;
}

// Packets, leading pictures and skippable ones included: what a plain decode must read.
static int verb_distance(void *state, const char *argument, double *number, char error[256])
{
    struct ours *ours = state;
    int64_t n = strtoll(argument, NULL, 10);
    if (!ours->index || n < 0 || n >= sc_index_get_info(ours->index)->frames)
        return answer_fail(error, "no such frame");
    struct sc_entry_info entry =
        sc_index_entry(ours->index, sc_index_entry_for(ours->index, n));
    *number = (double)(sc_index_frame_packet(ours->index, n) - entry.packet + 1);
    return 0;
}

static int timed_cold(void *state, const char *argument, bool picture, double *number,
                      char error[256])
{
    struct ours *ours = state;
    struct cold cold;
    sc_frame *frame = NULL;
    int ret = cold_open(&cold, ours, error);
    double start = answer_now_ms();
    if (ret == 0)
        ret = cold_frame(&cold, ours, strtoll(argument, NULL, 10), &frame, error);
    if (ret == 0 && picture)
        ret = jpeg(ours, frame, error);
    *number = answer_now_ms() - start;
    sc_frame_unref(&frame);
    cold_close(&cold);
    return ret;
}

static int verb_frame(void *state, const char *argument, double *number, char error[256])
{
    return timed_cold(state, argument, false, number, error);
}

static int verb_picture(void *state, const char *argument, double *number, char error[256])
{
    return timed_cold(state, argument, true, number, error);
}

static int count_frame(void *arg, sc_frame *frame)
{
    (void)frame;
    ++*(int64_t *)arg;
    return 0;
}

static int verb_all(void *state, const char *argument, double *number, char error[256])
{
    struct ours *ours = state;
    struct cold cold;
    int64_t seen = 0, wanted = strtoll(argument, NULL, 10);
    int ret = cold_open(&cold, ours, error);
    double start = answer_now_ms();
    if (ret == 0) {
        cold.reader = sc_reader_open(cold.engine, ours->index, ours->path);
        ret = sc_reader_each(cold.reader, 0, wanted, NULL, count_frame, &seen);
        if (ret < 0)
            answer_fail(error, "%s", sc_strerror(ret));
        else if (seen != wanted)
            ret = answer_fail(error, "%lld frames instead of %lld", (long long)seen,
                              (long long)wanted);
    }
    *number = answer_now_ms() - start;
    cold_close(&cold);
    return ret < 0 ? ret : 0;
}

static int verb_keep(void *state, const char *argument, double *number, char error[256])
{
    struct ours *ours = state;
    struct cold cold;
    sc_frame_unref(&ours->kept);
    int ret = cold_open(&cold, ours, error);
    if (ret == 0)
        ret = cold_frame(&cold, ours, strtoll(argument, NULL, 10), &ours->kept, error);
    cold_close(&cold);
    *number = 0;
    return ret;
}

static int verb_encode(void *state, const char *argument, double *number, char error[256])
{
    struct ours *ours = state;
    (void)argument;
    if (!ours->kept)
        return answer_fail(error, "no frame is kept");
    double start = answer_now_ms();
    int ret = jpeg(ours, ours->kept, error);
    *number = answer_now_ms() - start;
    return ret;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// On the caller's thread only.
static int timed_prepare(const struct ours *ours, sc_prepare *prepare, double *ms,
                         char error[256])
{
    double times[REPEATS];
    sc_err err = {0};
    void *tensor = aligned_alloc(64, (sc_prepare_size(prepare) + 63) / 64 * 64);
    int ret = tensor ? 0 : answer_fail(error, "out of memory");
    for (int i = 0; i < REPEATS && ret == 0; i++) {
        double start = answer_now_ms();
        if (sc_prepare_run(prepare, ours->kept, NULL, tensor, NULL, &err) < 0)
            ret = answer_fail(error, "%s", err.text);
        times[i] = answer_now_ms() - start;
    }
    free(tensor);
    if (ret == 0) {
        qsort(times, REPEATS, sizeof(times[0]), by_value);
        *ms = times[REPEATS / 2];
    }
    return ret;
}

static int verb_prepare(void *state, const char *argument, double *number, char error[256])
{
    struct ours *ours = state;
    bool yolox = strcmp(argument, "yolox") == 0;
    struct sc_prepare_params params = {
        .width = yolox ? 416 : 640,
        .height = yolox ? 416 : 640,
        .fit = yolox ? SC_PREPARE_LETTERBOX_TOP_LEFT : SC_PREPARE_LETTERBOX,
        .bgr = yolox,
        .pad = 114,
        .scale = yolox ? 1 : 1 / 255.0F,
        .type = SC_FLOAT32,
    };
    if (!ours->kept)
        return answer_fail(error, "no frame is kept");
    if (!ours->prepare || ours->prepare_yolox != yolox) { // tables stay, as they do in a server
        sc_err err = {0};
        sc_prepare_close(&ours->prepare);
        if (sc_prepare_open(&ours->prepare, &params, &err) < 0)
            return answer_fail(error, "%s", err.text);
        ours->prepare_yolox = yolox;
    }
    return timed_prepare(ours, ours->prepare, number, error);
}

int main(int argc, char **argv)
{
    static const struct answer_verb verbs[] = {
        {"index", verb_index},       {"save", verb_save},       {"load", verb_load},
        {"open", verb_open},         {"frame", verb_frame},     {"picture", verb_picture},
        {"distance", verb_distance}, {"all", verb_all},         {"keep", verb_keep},
        {"encode", verb_encode},     {"prepare", verb_prepare}, {0},
    };
    struct ours ours = {.threads = argc > 1 ? atoi(argv[1]) : 2};
    ours.pictures = sc_picture_ctx_new();
    answer_loop(verbs, &ours);
    sc_prepare_close(&ours.prepare);
    sc_frame_unref(&ours.kept);
    sc_picture_ctx_free(&ours.pictures);
    sc_index_unref(&ours.index);
    free(ours.path);
    return 0;
}
