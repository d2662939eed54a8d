// ONNX Runtime by its library: sessions, runs, refusals.
#include "vision/onnx.h"

#include "graphs.h"

// The library is looked for as a program would; without one the tests have nothing to test.
static int open_library(void **state)
{
    sc_err err = {0};
    sc_onnx *onnx = NULL;
    if (sc_onnx_open(&onnx, NULL, NULL, &err))
        print_message("%s\n", err.text);
    *state = onnx;
    return 0;
}

static int close_library(void **state)
{
    sc_onnx *onnx = *state;
    sc_onnx_close(&onnx);
    return 0;
}

#define NEED_LIBRARY(state)                                                                    \
    do {                                                                                       \
        if (!*(state)) {                                                                       \
            print_message("no ONNX Runtime: npm ci brings it\n");                              \
            skip();                                                                            \
        }                                                                                      \
    } while (0)

static int open_path(sc_session **psession, sc_onnx *onnx, const char *path, sc_err *err)
{
    const struct sc_session_params params = {.path = path, .threads = 1};
    *err = (sc_err){0};
    return sc_session_open(psession, onnx, &params, err);
}

static int open_graph(sc_session **psession, sc_onnx *onnx, const char *name, sc_err *err)
{
    char *path = graph_path(name);
    int ret = open_path(psession, onnx, path, err);
    free(path);
    return ret;
}

static sc_session *must_open(sc_onnx *onnx, const char *name)
{
    sc_err err = {0};
    sc_session *session = NULL;
    if (open_graph(&session, onnx, name, &err))
        fail_msg("%s", err.text);
    return session;
}

static void runs_yolox(void **state)
{
    NEED_LIBRARY(state);
    NEED_MEDIA("yolox_nano.onnx");
    sc_err err = {0};
    sc_session *session = NULL;
    if (open_path(&session, *state, MEDIA_DIR "/yolox_nano.onnx", &err))
        fail_msg("%s", err.text);
    const struct sc_session_info *info = sc_session_get_info(session);
    assert_int_equal(info->inputs, 1);
    assert_string_equal(info->input[0].name, "images");
    assert_int_equal(info->input[0].rank, 4);
    assert_int_equal(info->input[0].dims[2], 416);
    size_t size = sizeof(float) * 3 * 416 * 416;
    struct sc_tensor out, in = {.type = SC_FLOAT32,
                                .rank = 4,
                                .dims = {1, 3, 416, 416},
                                .data = calloc(1, size),
                                .size = size};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sc_session_run(session, &in, &out, &err), SC_OK);
        assert_int_equal(out.rank, 3);
        assert_int_equal(out.dims[1], 52 * 52 + 26 * 26 + 13 * 13);
        assert_int_equal(out.dims[2], 85);
        assert_int_equal(out.size, sizeof(float) * 3549 * 85);
        const float *row = out.data;
        assert_true(row[4] >= 0 && row[4] <= 1);
    }
    free(in.data);
    sc_session_close(&session);
}

static void opens_static(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    sc_session *session = must_open(*state, "static_f32");
    sc_session_close(&session);
    assert_null(session);
    sc_session_close(&session);
    sc_session_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_static),
        cmocka_unit_test(runs_yolox),
    };
    return cmocka_run_group_tests(tests, open_library, close_library);
}
