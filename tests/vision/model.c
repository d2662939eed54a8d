// Models from end to end: small graphs of every family look at a drawn picture, and what they see is
// found where it was drawn. See graphs_families.py for what they see.
#include "vision/model.h"

#include <math.h>
#include <string.h>

#include "onnx.h"

enum { RED, WHITE, GREY };

#define NEED_ALL(state)                                                                        \
    do {                                                                                       \
        NEED_GRAPHS();                                                                         \
        if (!*(state)) {                                                                       \
            print_message("no ONNX Runtime: npm ci brings it\n");                              \
            skip();                                                                            \
        }                                                                                      \
    } while (0)

static int open_with(sc_model **model, sc_onnx *onnx, const char *graph,
                     struct sc_model_params params, sc_err *err)
{
    char *path = graph_path(graph);
    params.name = params.name ? params.name : "test";
    params.path = path;
    params.provider = SC_PROVIDER_CPU;
    params.threads = 1;
    *err = (sc_err){0};
    int ret = sc_model_open(model, onnx, &params, err);
    free(path);
    return ret;
}

static sc_model *must_open(sc_onnx *onnx, const char *graph)
{
    sc_model *model;
    sc_err err;
    if (open_with(&model, onnx, graph, (struct sc_model_params){0}, &err))
        fail_msg("%s: %s", graph, err.text);
    return model;
}

static void fill(AVFrame *av, int x, int y, int w, int h, const int *yuv)
{
    for (int p = 0; p < 3; p++) {
        int s = p ? 1 : 0;
        for (int row = y >> s; row < (y + h) >> s; row++)
            memset(av->data[p] + row * av->linesize[p] + (x >> s), yuv[p], (size_t)(w >> s));
    }
}

// White with a red rectangle, BT.601; no rectangle where rw is 0.
static sc_frame *draw(int width, int height, int rx, int ry, int rw, int rh)
{
    static const int white[] = {235, 128, 128}, red[] = {81, 90, 240};
    AVFrame *av = av_frame_alloc();
    av->format = AV_PIX_FMT_YUV420P;
    av->width = width;
    av->height = height;
    assert_int_equal(av_frame_get_buffer(av, 0), 0);
    fill(av, 0, 0, width, height, white);
    fill(av, rx, ry, rw, rh, red);
    sc_frame *frame = sc_frame_wrap(av, 0, 0);
    assert_non_null(frame);
    return frame;
}

static const struct sc_detection *of_class(const sc_detections *d, int class)
{
    const struct sc_detection *found = NULL;
    for (int i = 0; i < d->count; i++)
        if (d->items[i].class == class) {
            assert_null(found);
            found = &d->items[i];
        }
    return found;
}

static void expect(const char *graph, const sc_detections *d, int class, double score,
                   const float *box, double tolerance)
{
    const struct sc_detection *x = of_class(d, class);
    if (!x)
        fail_msg("%s: nothing of class %d among %d", graph, class, d->count);
    if (fabs((double)x->score - score) > 0.006 || fabs((double)(x->x1 - box[0])) > tolerance ||
        fabs((double)(x->y1 - box[1])) > tolerance ||
        fabs((double)(x->x2 - box[2])) > tolerance ||
        fabs((double)(x->y2 - box[3])) > tolerance)
        fail_msg("%s: class %d at %g %g %g %g with %g", graph, class, (double)x->x1,
                 (double)x->y1, (double)x->x2, (double)x->y2, (double)x->score);
}

static sc_detections *detect_one(sc_model *model, sc_frame *frame, const struct sc_view *view)
{
    sc_detections *out = NULL;
    sc_err err = {0};
    if (sc_model_detect(model, &frame, view, 1, &out, &err))
        fail_msg("%s", err.text);
    return out;
}

static void every_family_sees(void **state)
{
    NEED_ALL(state);
    static const struct {
        const char *graph, *family;
        bool grey; // its letterbox surrounds the picture
        double
            tolerance; // pixels; about 1 where nothing shrinks, as chroma then blurs the edge
    } rows[] = {
        {"yolo", "yolo", true, 0.01},
        {"yolo_half", "yolo", true, 0.05},
        {"yolo_half_in", "yolo", true, 0.05},
        {"yolo_batch3", "yolo", true, 0.01},
        {"yolo_odd", "yolo", true, 0.01},
        {"e2e", "yolo-e2e", true, 0.01},
        {"e2e_half", "yolo-e2e", true, 0.05},
        {"e2e_open", "yolo-e2e", true, 1},
        {"yolox", "yolox", false, 0.01},
        {"yolox_half", "yolox", false, 0.1},
        {"yolox_decoded", "yolox", false, 0.01},
        {"rfdetr", "rf-detr", false, 0.01},
        {"rfdetr_batch", "rf-detr", false, 1.01},
        {"rfdetr_half", "rf-detr", false, 0.1},
        {"rfdetr_91", "rf-detr", false, 0.01},
        {"detr", "rt-detr", false, 2.01}, // smoothed when it shrinks
        {"detr_half", "rt-detr", false, 1.01},
        {"ultra", "rt-detr-ultralytics", false, 0.01},
        {"ultra_half", "rt-detr-ultralytics", false, 1.01},
    };
    const float red[] = {32, 16, 64, 32}, all[] = {0, 0, 128, 64};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        sc_model *model = must_open(*state, rows[i].graph);
        const struct sc_model_info *info = sc_model_get_info(model);
        sc_frame *frame = draw(128, 64, 32, 16, 32, 16);
        sc_detections *d = detect_one(model, frame, NULL);
        assert_string_equal(info->family, rows[i].family);
        expect(rows[i].graph, d, RED, 0.8, red, rows[i].tolerance);
        expect(rows[i].graph, d, WHITE, 0.9, all, rows[i].tolerance);
        if (rows[i].grey)
            expect(rows[i].graph, d, GREY, 0.7, all, rows[i].tolerance);
        // Half precision may leave a hair of the letterbox inside the picture.
        const struct sc_detection *grey = of_class(d, GREY);
        assert_true(rows[i].grey || !grey || grey->y2 - grey->y1 < 0.1f);
        assert_int_equal(d->count, 2 + !!grey);
        assert_int_equal(d->width, 128);
        assert_int_equal(d->height, 64);
        assert_int_equal(d->items[0].class, WHITE); // by falling score
        assert_true(d->prepare_ns > 0 && d->run_ns > 0 && d->decode_ns >= 0 && d->batch == 1);
        sc_detections_unref(&d);
        sc_frame_unref(&frame);
        sc_model_close(&model);
    }
}

// The same pictures, each its own place, in one call and one by one.
static void batches_keep_pictures_apart(void **state)
{
    NEED_ALL(state);
    enum { PICTURES = 5 };
    static const struct {
        const char *graph;
        int batches[PICTURES];
    } rows[] = {
        {"yolo", {1, 1, 1, 1, 1}},
        {"yolo_half", {5, 5, 5, 5, 5}},
        {"yolo_batch3", {3, 3, 3, 2, 2}},
        {"e2e", {5, 5, 5, 5, 5}},
        {"yolox", {5, 5, 5, 5, 5}},
        {"rfdetr_batch", {2, 2, 2, 2, 1}},
        {"detr", {5, 5, 5, 5, 5}},
        {"ultra", {5, 5, 5, 5, 5}},
        {"yolo_first_only", {1, 1, 1, 1, 1}},
        {"yolo_fixed_reshape", {1, 1, 1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        sc_model *model = must_open(*state, rows[i].graph);
        sc_frame *frames[PICTURES];
        sc_detections *found[PICTURES];
        sc_err err = {0};
        for (int k = 0; k < PICTURES; k++)
            frames[k] = draw(128, 64, 8 + 16 * k, 16, 32, 16);
        if (sc_model_detect(model, frames, NULL, PICTURES, found, &err))
            fail_msg("%s: %s", rows[i].graph, err.text);
        for (int k = 0; k < PICTURES; k++) {
            const float red[] = {(float)(8 + 16 * k), 16, (float)(40 + 16 * k), 32};
            expect(rows[i].graph, found[k], RED, 0.8, red, 2.01);
            assert_int_equal(found[k]->batch, rows[i].batches[k]);
            sc_detections_unref(&found[k]);
            sc_frame_unref(&frames[k]);
        }
        sc_model_close(&model);
    }
}

static void views_turn_the_picture(void **state)
{
    NEED_ALL(state);
    sc_model *model = must_open(*state, "yolo");
    sc_frame *frame = draw(128, 64, 32, 16, 32, 16);
    struct sc_view view = {.rotation = 90};
    sc_detections *d = detect_one(model, frame, &view);
    const float red[] = {32, 32, 48, 64}; // the old bottom is on the left
    assert_int_equal(d->width, 64);
    assert_int_equal(d->height, 128);
    expect("rotated", d, RED, 0.8, red, 0.01);
    sc_detections_unref(&d);
    view = (struct sc_view){.x = 16, .y = 8, .w = 64, .h = 32};
    d = detect_one(model, frame, &view);
    const float same[] = {32, 16, 64, 32}, part[] = {16, 8, 80, 40};
    assert_int_equal(d->width, 128);
    expect("cropped", d, RED, 0.8, same, 1.01);
    expect("cropped", d, WHITE, 0.9, part, 0.01);
    sc_detections_unref(&d);
    sc_frame_unref(&frame);
    sc_model_close(&model);
}

static void contradicting_models_are_refused(void **state)
{
    NEED_ALL(state);
    static const struct {
        const char *graph;
        int code;
        const char *text;
    } rows[] = {
        {"static_f32", SC_EUNSUPPORTED, "x float32(2,3) -> y float32(2,3)"},
        {"no_shape", SC_EUNSUPPORTED, "no known detector family"},
        {"yolo_wrong_rows", SC_EDATA, "instead of (1,8,8400)"},
        {"yolo_logits", SC_EDATA, "outside 0..1"},
        {"e2e_raw", SC_EDATA, "no final boxes"},
        {"e2e_class_90", SC_EDATA, "class 90"},
        {"detr_class_90", SC_EDATA, "class 90"},
        {"yolox_neither", SC_EDATA, "grid"},
        {"ultra_pixels", SC_EDATA, "no parts of the picture"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        sc_model *model = (sc_model *)1;
        sc_err err;
        int ret = open_with(&model, *state, rows[i].graph, (struct sc_model_params){0}, &err);
        if (ret != rows[i].code || !strstr(err.text, rows[i].text))
            fail_msg("%s: %d %s", rows[i].graph, ret, err.text);
        assert_null(model);
    }
}

// A model whose output is larger for some pictures than it was at first.
static void a_model_that_changes_its_mind(void **state)
{
    NEED_ALL(state);
    sc_model *model = must_open(*state, "e2e_by_picture");
    sc_frame *frames[] = {draw(128, 64, 0, 0, 0, 0), draw(128, 64, 32, 16, 32, 16)};
    sc_detections *found[2] = {(sc_detections *)1, (sc_detections *)1};
    sc_err err = {0};
    assert_int_equal(sc_model_detect(model, frames, NULL, 2, found, &err), SC_EDATA);
    assert_non_null(strstr(err.text, "another size"));
    assert_null(found[0]);
    assert_null(found[1]);
    sc_detections *d = detect_one(model, frames[0], NULL);
    assert_non_null(of_class(d, WHITE));
    sc_detections_unref(&d);
    sc_frame_unref(&frames[0]);
    sc_frame_unref(&frames[1]);
    sc_model_close(&model);
}

static void open_sizes_are_chosen(void **state)
{
    NEED_ALL(state);
    sc_model *model = must_open(*state, "yolo_open");
    const struct sc_model_info *info = sc_model_get_info(model);
    assert_int_equal(info->width, 96); // as its metadata says
    assert_int_equal(info->height, 64);
    assert_int_equal(info->batch, 0);
    assert_int_equal(info->max_batch, 16);
    sc_model_close(&model);
    sc_err err;
    struct sc_model_params params = {.size = 128, .max_batch = 3};
    assert_int_equal(open_with(&model, *state, "yolo_open", params, &err), SC_OK);
    info = sc_model_get_info(model);
    assert_int_equal(info->width, 128);
    assert_int_equal(info->height, 128);
    assert_int_equal(info->max_batch, 3);
    sc_frame *frame = draw(128, 64, 32, 16, 32, 16);
    sc_detections *d = detect_one(model, frame, NULL);
    const float red[] = {32, 16, 64, 32};
    expect("yolo_open", d, RED, 0.8, red, 1.01);
    sc_detections_unref(&d);
    sc_frame_unref(&frame);
    sc_model_close(&model);
    // Where sides are fixed the choice is none.
    assert_int_equal(open_with(&model, *state, "yolo", params, &err), SC_OK);
    assert_int_equal(sc_model_get_info(model)->width, 64);
    sc_model_close(&model);
}

static void bad_parameters_are_refused(void **state)
{
    NEED_ALL(state);
    const struct {
        struct sc_model_params params;
        const char *field;
    } rows[] = {
        {{.name = ""}, "name"},
        {{.name = "a/b"}, "name"},
        {{.threshold = 1.5}, "threshold"},
        {{.threshold = NAN}, "threshold"},
        {{.size = 100}, "size"},
        {{.size = -32}, "size"},
        {{.size = 8192}, "size"},
        {{.max_batch = 65}, "max_batch"},
        {{.labels = "a\nb\n"}, "labels"},
        {{.labels = "a\n\nb\nc\nd\n"}, "labels"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        sc_model *model;
        sc_err err;
        assert_int_equal(open_with(&model, *state, "yolo_open", rows[i].params, &err), SC_EARG);
        assert_string_equal(err.field, rows[i].field);
    }
}

static void label_is(sc_onnx *onnx, const char *graph, const char *given, int classes, int i,
                     const char *label)
{
    sc_model *model;
    sc_err err;
    struct sc_model_params params = {.labels = given};
    if (open_with(&model, onnx, graph, params, &err))
        fail_msg("%s: %s", graph, err.text);
    const struct sc_model_info *info = sc_model_get_info(model);
    assert_int_equal(info->classes, classes);
    assert_string_equal(info->labels[i], label);
    sc_model_close(&model);
}

static void labels_come_from_where_they_are(void **state)
{
    NEED_ALL(state);
    char lines[91 * 4 + 1] = "";
    for (int i = 0; i < 91; i++)
        snprintf(lines + 4 * i, sizeof(lines) - 4 * (size_t)i, "L%02d\n", i);
    label_is(*state, "yolo", NULL, 4, 3, "it's none");
    label_is(*state, "yolo", "a\r\nb\r\nc\r\nd\r\n\r\n", 4, 3, "d");
    label_is(*state, "yolo_half", NULL, 4, 3, "3");
    label_is(*state, "yolo_80", NULL, 80, 39, "bottle");
    label_is(*state, "yolo_bad_names", NULL, 80, 39, "39");
    label_is(*state, "e2e", NULL, 4, 1, "white");
    label_is(*state, "e2e_half", NULL, 80, 0, "person");
    label_is(*state, "rfdetr", NULL, 3, 2, "2");
    label_is(*state, "rfdetr_batch", NULL, 2, 1, "white");
    label_is(*state, "rfdetr_91", NULL, 91, 1, "person");
    label_is(*state, "rfdetr_91", lines, 91, 90, "L90");
    label_is(*state, "detr", NULL, 80, 79, "toothbrush");
    label_is(*state, "detr_class_90", lines, 91, 90, "L90");
    lines[90 * 4] = 0; // 90 labels for 91 slots: the last slot is 'no object'
    label_is(*state, "rfdetr_91", lines, 90, 89, "L89");
}

static void information_is_complete(void **state)
{
    NEED_ALL(state);
    sc_model *model;
    sc_err err;
    struct sc_model_params params = {.name = "My-model_1.0"};
    assert_int_equal(open_with(&model, *state, "rfdetr_batch", params, &err), SC_OK);
    const struct sc_model_info *info = sc_model_get_info(model);
    assert_string_equal(info->name, "My-model_1.0");
    assert_int_equal(info->width, 128);
    assert_int_equal(info->height, 64);
    assert_int_equal(info->batch, 0);
    assert_int_equal(info->max_batch, 2); // the model's own bound
    assert_float_equal(info->threshold, 0.5, 1e-9);
    assert_int_equal(info->input_type, SC_FLOAT32);
    assert_int_equal(info->session->provider, SC_PROVIDER_CPU);
    assert_true(info->load_ns > 0 && info->warm_ns > 0 && info->bytes > 1000);
    sc_model_close(&model);
    sc_model_close(&model);
    sc_model_close(NULL);
    params.threshold = 0.4;
    assert_int_equal(open_with(&model, *state, "yolo_batch3", params, &err), SC_OK);
    info = sc_model_get_info(model);
    assert_float_equal(info->threshold, 0.4, 1e-9);
    assert_int_equal(info->batch, 3);
    assert_int_equal(info->max_batch, 3);
    sc_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_sees),
        cmocka_unit_test(batches_keep_pictures_apart),
        cmocka_unit_test(views_turn_the_picture),
        cmocka_unit_test(contradicting_models_are_refused),
        cmocka_unit_test(a_model_that_changes_its_mind),
        cmocka_unit_test(open_sizes_are_chosen),
        cmocka_unit_test(bad_parameters_are_refused),
        cmocka_unit_test(labels_come_from_where_they_are),
        cmocka_unit_test(information_is_complete),
    };
    return cmocka_run_group_tests(tests, onnx_setup, onnx_teardown);
}
