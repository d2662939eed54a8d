// Pictures shared out to lanes get the answers that they get alone.
#include "base/pool.h"
#include "media/reader.h"
#include "onnx.h"
#include "vision/model.h"

#define FRAMES 13 // odd: the lanes do not get equally many

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

static void many_get_what_one_gets(void **state)
{
    (void)state;
    struct fixture f = {0};
    sc_err err = {0};
    NEED_MEDIA("yolox_nano.onnx");
    NEED_MEDIA("bottle-detection.mp4");
    open_model(&f, 3);
    read_frames(&f, MEDIA_DIR "/bottle-detection.mp4");
    assert_true(sc_model_get_info(f.model)->max_batch > 1);
    sc_detections *many[FRAMES], *one;
    assert_int_equal(sc_model_detect(f.model, f.frames, NULL, FRAMES, many, &err), SC_OK);
    int found = 0;
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal(sc_model_detect(f.model, &f.frames[i], NULL, 1, &one, &err), SC_OK);
        assert_same(one, many[i]);
        assert_int_equal(many[i]->batch, FRAMES);
        assert_int_equal(one->batch, 1);
        found += one->count;
        sc_detections_unref(&one);
        sc_detections_unref(&many[i]);
    }
    assert_true(found > 0);
    close_all(&f);
}

// A crop beside the picture fails; whatever others found is given back, and the next call is well.
static void one_failure_fails_all(void **state)
{
    (void)state;
    struct fixture f = {0};
    sc_err err = {0};
    NEED_MEDIA("yolox_nano.onnx");
    NEED_MEDIA("bottle-detection.mp4");
    open_model(&f, 2);
    read_frames(&f, MEDIA_DIR "/bottle-detection.mp4");
    struct sc_view views[FRAMES] = {0};
    views[FRAMES / 2].rotation = 45;
    sc_detections *out[FRAMES];
    assert_int_equal(sc_model_detect(f.model, f.frames, views, FRAMES, out, &err), SC_EARG);
    assert_true(err.text[0]);
    for (int i = 0; i < FRAMES; i++)
        assert_null(out[i]);
    views[FRAMES / 2].rotation = 0;
    assert_int_equal(sc_model_detect(f.model, f.frames, views, FRAMES, out, &err), SC_OK);
    for (int i = 0; i < FRAMES; i++)
        sc_detections_unref(&out[i]);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_get_what_one_gets),
        cmocka_unit_test(one_failure_fails_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
