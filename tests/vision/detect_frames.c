// Runs a model on frames of a file and prints a JSON line a frame, in the order asked for.
//
// usage: detect-frames MODEL FILE N,N,... [BATCH]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "media/reader.h"
#include "vision/model.h"

#define MAX_FRAMES 4096

static void check(int ret, const sc_err *err, const char *what)
{
    if (ret >= 0)
        return;
    fprintf(stderr, "detect-frames: %s: %s\n", what, sc_err_text(err, ret));
    exit(1);
}

static void print(const sc_detections *d, int64_t n)
{
    printf("{\"n\":%lld,\"width\":%d,\"height\":%d,\"detections\":[", (long long)n, d->width,
           d->height);
    for (int i = 0; i < d->count; i++) {
        const struct sc_detection *x = &d->items[i];
        printf("%s{\"class\":%d,\"score\":%.6f,\"box\":[%.4f,%.4f,%.4f,%.4f]}", i ? "," : "",
               x->class, (double)x->score, (double)x->x1, (double)x->y1, (double)x->x2,
               (double)x->y2);
    }
    printf("]}\n");
}

static int parse(const char *text, int64_t *numbers)
{
    int count = 0;
    for (char *end; count < MAX_FRAMES; text = end + 1) {
        numbers[count++] = strtoll(text, &end, 10);
        if (*end != ',')
            return *end ? 0 : count;
    }
    return 0;
}

static void detect(sc_model *model, sc_reader *reader, const int64_t *numbers, int count)
{
    sc_frame *frames[64];
    sc_detections *found[64];
    sc_err err = {0};
    for (int i = 0; i < count; i++)
        check(sc_reader_get_sync(reader, numbers[i], 0, &frames[i], &err), &err, "frame");
    check(sc_model_detect(model, frames, NULL, count, found, &err), &err, "detect");
    for (int i = 0; i < count; i++) {
        print(found[i], numbers[i]);
        sc_detections_unref(&found[i]);
        sc_frame_unref(&frames[i]);
    }
}

int main(int argc, char **argv)
{
    static int64_t numbers[MAX_FRAMES];
    int count = argc > 3 ? parse(argv[3], numbers) : 0, batch = argc > 4 ? atoi(argv[4]) : 1;
    if (!count || batch < 1 || batch > 64) {
        fprintf(stderr, "usage: detect-frames MODEL FILE N,N,... [BATCH]\n");
        return 2;
    }
    sc_err err = {0};
    sc_onnx *onnx = NULL;
    sc_model *model = NULL;
    sc_index *index = NULL;
    check(sc_onnx_open(&onnx, NULL, NULL, &err), &err, "ONNX Runtime");
    struct sc_model_params params = {.name = "test", .path = argv[1]};
    check(sc_model_open(&model, onnx, &params, &err), &err, argv[1]);
    check(sc_index_build(&index, argv[2], &(struct sc_index_params){0}, &err), &err, argv[2]);
    struct sc_reader_engine_params engine_params = {.threads = 2, .no_prefetch = true};
    sc_reader_engine *engine = sc_reader_engine_open(&engine_params);
    sc_reader *reader = sc_reader_open(engine, index, argv[2]);
    for (int i = 0; i < count; i += batch)
        detect(model, reader, numbers + i, count - i < batch ? count - i : batch);
    sc_reader_close(&reader);
    sc_reader_engine_close(&engine);
    sc_index_unref(&index);
    sc_model_close(&model);
    sc_onnx_close(&onnx);
    return 0;
}
