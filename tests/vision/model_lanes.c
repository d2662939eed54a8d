// Pictures on lanes get the answers that they get alone.
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "media/reader.h"
#include "onnx.h"
#include "vision/model_batch.h"

#define FRAMES 13

struct fixture {
    sc_onnx *onnx;
    sc_model *model;
    sc_frame *frames[FRAMES];
    int count;
};

static int keep(void *arg, sc_frame *frame)
{
    struct fixture *f = arg;
    f->frames[f->count++] = sc_frame_ref(frame);
    return 0;
}

static void read_frames(struct fixture *f, const char *path)
{
    sc_err err = {0};
    sc_index *index = NULL;
    assert_int_equal(sc_index_build(&index, path, &(struct sc_index_params){0}, &err), SC_OK);
    struct sc_reader_engine_params params = {.no_prefetch = true};
    sc_reader_engine *engine = sc_reader_engine_open(&params);
    sc_reader *reader = sc_reader_open(engine, index, path);
    assert_int_equal(sc_reader_each(reader, 100, 100 + FRAMES, NULL, keep, f), 0);
    sc_reader_close(&reader);
    sc_reader_engine_close(&engine);
    sc_index_unref(&index);
}

static void open_model(struct fixture *f, int threads)
{
    sc_err err = {0};
    struct sc_model_params params = {.name = "nano",
                                     .path = MEDIA_DIR "/yolox_nano.onnx",
                                     .provider = SC_PROVIDER_CPU,
                                     .threads = threads};
    if (onnx_first_open(&f->onnx, &err)) {
        print_message("%s\n", err.text);
        skip();
    }
    assert_int_equal(sc_model_open(&f->model, f->onnx, &params, &err), SC_OK);
}

static void close_all(struct fixture *f)
{
    for (int i = 0; i < f->count; i++)
        sc_frame_unref(&f->frames[i]);
    sc_model_close(&f->model);
    sc_onnx_close(&f->onnx);
}

static void assert_same(const sc_detections *a, const sc_detections *b)
{
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        assert_int_equal(a->items[i].class, b->items[i].class);
        assert_true(fabsf(a->items[i].score - b->items[i].score) < 1e-3F);
        assert_true(fabsf(a->items[i].x1 - b->items[i].x1) < 0.5F);
        assert_true(fabsf(a->items[i].y2 - b->items[i].y2) < 0.5F);
    }
}

// On two lanes at once, from as many threads.
struct walker {
    struct fixture *f;
    int lane;
    sc_detections **found;
    int ret;
    sc_err err;
};

static void *walk(void *arg)
{
    struct walker *w = arg;
    static const struct sc_view whole = {0};
    for (int i = w->lane; i < FRAMES && !w->ret; i += 2)
        w->ret = sc_model_detect_on(w->f->model, w->lane, w->f->frames[i], &whole, &w->found[i],
                                    &w->err);
    return NULL;
}

static void lanes_get_what_one_gets(void **state)
{
    (void)state;
    struct fixture f = {0};
    sc_err err = {0};
    NEED_MEDIA("yolox_nano.onnx");
    NEED_MEDIA("bottle-detection.mp4");
    open_model(&f, 3);
    read_frames(&f, MEDIA_DIR "/bottle-detection.mp4");
    assert_int_equal(sc_model_get_info(f.model)->lanes, 3);
    assert_int_equal(sc_model_get_info(f.model)->max_batch, 1);
    sc_detections *many[FRAMES] = {0}, *one;
    struct walker walkers[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        walkers[i] = (struct walker){.f = &f, .lane = i, .found = many};
        pthread_create(&threads[i], NULL, walk, &walkers[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(walkers[i].ret, SC_OK);
    }
    int found = 0;
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal(sc_model_detect(f.model, &f.frames[i], NULL, 1, &one, &err), SC_OK);
        assert_same(one, many[i]);
        assert_int_equal(many[i]->batch, 1);
        found += one->count;
        sc_detections_unref(&one);
        sc_detections_unref(&many[i]);
    }
    assert_true(found > 0);
    close_all(&f);
}

// A view that cannot be fails alone, and leaves nothing behind that the next picture shows.
static void failure_of_one_is_its_own(void **state)
{
    (void)state;
    struct fixture f = {0};
    sc_err err = {0};
    NEED_MEDIA("yolox_nano.onnx");
    NEED_MEDIA("bottle-detection.mp4");
    open_model(&f, 2);
    read_frames(&f, MEDIA_DIR "/bottle-detection.mp4");
    struct sc_view view = {.rotation = 45};
    sc_detections *out = NULL, *again = NULL;
    assert_int_equal(sc_model_detect_on(f.model, 1, f.frames[0], &view, &out, &err), SC_EARG);
    assert_true(err.text[0]);
    assert_null(out);
    view.rotation = 0;
    assert_int_equal(sc_model_detect_on(f.model, 1, f.frames[0], &view, &out, &err), SC_OK);
    assert_int_equal(sc_model_detect_on(f.model, 0, f.frames[0], &view, &again, &err), SC_OK);
    assert_same(out, again);
    sc_detections_unref(&out);
    sc_detections_unref(&again);
    close_all(&f);
}

// Through the batcher: all lanes at work, each picture answered with what is its own.
struct answers {
    atomic_int left, failed;
    sc_detections *of[FRAMES];
};

struct ask {
    struct answers *answers;
    struct sc_model_item item;
    int number;
};

static void answered(void *arg, int ret, void *out, const sc_err *err)
{
    struct ask *ask = arg;
    (void)err;
    ask->answers->of[ask->number] = out;
    atomic_fetch_add(&ask->answers->failed, ret != SC_OK);
    atomic_fetch_sub(&ask->answers->left, 1);
}

static void batcher_keeps_all_lanes_busy(void **state)
{
    (void)state;
    struct fixture f = {0};
    sc_err err = {0};
    NEED_MEDIA("yolox_nano.onnx");
    NEED_MEDIA("bottle-detection.mp4");
    open_model(&f, 2);
    read_frames(&f, MEDIA_DIR "/bottle-detection.mp4");
    sc_batcher *batcher = NULL;
    struct answers answers = {.left = FRAMES};
    struct ask asks[FRAMES];
    assert_int_equal(sc_model_batcher_open(&batcher, f.model, NULL, NULL, &err), SC_OK);
    for (int i = 0; i < FRAMES; i++) {
        asks[i] = (struct ask){.answers = &answers, .item.frame = f.frames[i], .number = i};
        struct sc_batch_request request = {
            .in = &asks[i].item, .done = answered, .arg = &asks[i]};
        assert_int_equal(sc_batcher_submit(batcher, &request, NULL, NULL, &err), SC_OK);
    }
    while (atomic_load(&answers.left))
        usleep(1000);
    assert_int_equal(atomic_load(&answers.failed), 0);
    for (int i = 0; i < FRAMES; i++) {
        sc_detections *one;
        assert_int_equal(sc_model_detect(f.model, &f.frames[i], NULL, 1, &one, &err), SC_OK);
        assert_same(one, answers.of[i]);
        sc_detections_unref(&one);
        sc_detections_unref(&answers.of[i]);
    }
    sc_batcher_close(&batcher);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_get_what_one_gets),
        cmocka_unit_test(failure_of_one_is_its_own),
        cmocka_unit_test(batcher_keeps_all_lanes_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
