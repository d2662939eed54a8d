// Sessions: what models declare, runs, results, refusals, several at once.
#include "onnx.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/mem.h"

static void runs_yolox(void **state)
{
    NEED_LIBRARY(state);
    NEED_MEDIA("yolox_nano.onnx");
    sc_err err = {0};
    sc_session *session = NULL;
    if (onnx_open_path(&session, *state, MEDIA_DIR "/yolox_nano.onnx", &err))
        fail_msg("%s", err.text);
    const struct sc_session_info *info = sc_session_get_info(session);
    assert_int_equal(info->inputs, 1);
    assert_string_equal(info->input[0].name, "images");
    assert_int_equal(info->input[0].rank, 4);
    assert_int_equal(info->input[0].dims[2], 416);
    float *grey = calloc(3 * 416 * 416, sizeof(*grey));
    struct sc_tensor out, in = FLOATS(grey, 1, 3, 416, 416);
    for (int i = 0; i < 2; i++) {
        onnx_must_run(session, &in, &out);
        assert_int_equal(out.rank, 3);
        assert_int_equal(out.dims[1], 52 * 52 + 26 * 26 + 13 * 13);
        assert_int_equal(out.dims[2], 85);
        assert_int_equal(out.size, sizeof(float) * 3549 * 85);
        const float *row = out.data;
        assert_true(row[4] >= 0 && row[4] <= 1);
    }
    free(grey);
    sc_session_close(&session);
}

static void static_sizes(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    sc_session *session = onnx_must_open(*state, "static_f32");
    const struct sc_session_info *info = sc_session_get_info(session);
    assert_int_equal(info->inputs, 1);
    assert_int_equal(info->outputs, 1);
    assert_string_equal(info->input[0].name, "x");
    assert_string_equal(info->output[0].name, "y");
    assert_int_equal(info->input[0].type, SC_FLOAT32);
    assert_int_equal(info->input[0].rank, 2);
    assert_int_equal(info->input[0].dims[0], 2);
    assert_int_equal(info->input[0].dims[1], 3);
    assert_int_equal(info->provider, SC_PROVIDER_CPU);
    assert_string_equal(info->provider_name, "CPUExecutionProvider");
    assert_false(info->half);
    float values[] = {0, 1, 2, 3, 4, -1};
    struct sc_tensor out, in = FLOATS(values, 2, 3);
    onnx_must_run(session, &in, &out);
    assert_int_equal(out.type, SC_FLOAT32);
    assert_int_equal(out.rank, 2);
    assert_int_equal(out.size, sizeof(values));
    for (int i = 0; i < 6; i++)
        assert_true(((float *)out.data)[i] == values[i] + 1);
    sc_session_close(&session);
    assert_null(session);
    sc_session_close(&session);
    sc_session_close(NULL);
}

// Results of one run are its own: a run of another size does not write into those before.
static void dynamic_batch(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    static const int batches[] = {1, 5, 2, 5, 1};
    sc_session *session = onnx_must_open(*state, "dynamic_f32");
    const struct sc_session_info *info = sc_session_get_info(session);
    assert_int_equal(info->input[0].dims[0], -1);
    assert_int_equal(info->input[0].dims[1], 3);
    for (size_t b = 0; b < SC_COUNT(batches); b++) {
        float values[30];
        for (int i = 0; i < 30; i++)
            values[i] = (float)(i + (int)b * 100);
        struct sc_tensor out, in = FLOATS(values, batches[b], 3, 2);
        onnx_must_run(session, &in, &out);
        assert_int_equal(out.dims[0], batches[b]);
        assert_int_equal(out.size, in.size);
        memset(values, 0, sizeof(values)); // the input is no longer needed
        for (int i = 0; i < batches[b] * 6; i++)
            assert_true(((float *)out.data)[i] == (float)(i + (int)b * 100 + 1));
    }
    sc_session_close(&session);
}

static void other_elements(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    struct sc_tensor out;
    sc_session *session = onnx_must_open(*state, "half");
    assert_int_equal(sc_session_get_info(session)->input[0].type, SC_FLOAT16);
    uint16_t halves[] = {0x3c00, 0, 0xbc00, 0x4000}; // 1, 0, -1, 2
    struct sc_tensor in = onnx_tensor(SC_FLOAT16, halves, (int64_t[]){1, 4}, 2);
    onnx_must_run(session, &in, &out);
    assert_int_equal(out.size, 8);
    assert_memory_equal(out.data, ((uint16_t[]){0x4000, 0x3c00, 0, 0x4200}), 8);
    sc_session_close(&session);

    session = onnx_must_open(*state, "int64");
    int64_t wide[] = {INT64_C(1) << 40, -1};
    in = onnx_tensor(SC_INT64, wide, (int64_t[]){1, 2}, 2);
    onnx_must_run(session, &in, &out);
    assert_int_equal(out.type, SC_INT64);
    assert_int_equal(((int64_t *)out.data)[0], (INT64_C(1) << 40) + 1);
    assert_int_equal(((int64_t *)out.data)[1], 0);
    sc_session_close(&session);
}

static void several_tensors(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    float a[] = {3, 4}, b[] = {1, 5};
    sc_err err = {0};
    sc_session *session = onnx_must_open(*state, "sum_difference");
    const struct sc_session_info *info = sc_session_get_info(session);
    assert_int_equal(info->inputs, 2);
    assert_string_equal(info->input[1].name, "b");
    assert_string_equal(info->output[1].name, "difference");
    struct sc_tensor out[2], in[2] = {FLOATS(a, 1, 2), FLOATS(b, 1, 2)};
    onnx_must_run(session, in, out);
    assert_memory_equal(out[0].data, ((float[]){4, 9}), 8);
    assert_memory_equal(out[1].data, ((float[]){2, -1}), 8);

    // Each fits for itself; together they do not, which only the library sees.
    float wide[] = {1, 2, 3, 4, 5, 6};
    in[1] = FLOATS(wide, 3, 2);
    in[0] = FLOATS(wide, 2, 2);
    assert_int_equal(sc_session_run(session, in, out, &err), SC_EDATA);
    assert_non_null(strstr(err.text, "broadcast"));
    assert_null(strchr(err.text, '\n'));
    in[0] = FLOATS(a, 1, 2);
    in[1] = FLOATS(b, 1, 2);
    onnx_must_run(session, in, out); // the session is usable after that
    assert_memory_equal(out[0].data, ((float[]){4, 9}), 8);
    sc_session_close(&session);

    session = onnx_must_open(*state, "inputs8_outputs8");
    assert_int_equal(sc_session_get_info(session)->inputs, 8);
    assert_int_equal(sc_session_get_info(session)->outputs, 8);
    sc_session_close(&session);
}

static void sizes_by_values(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    sc_session *session = onnx_must_open(*state, "nonzero");
    float values[] = {0, 1, 0, 2};
    struct sc_tensor out, in = FLOATS(values, 4);
    onnx_must_run(session, &in, &out);
    assert_int_equal(out.dims[1], 2);
    assert_memory_equal(out.data, ((int64_t[]){1, 3}), 16);
    values[1] = values[3] = 0;
    onnx_must_run(session, &in, &out);
    assert_int_equal(out.dims[1], 0);
    assert_int_equal(out.size, 0);
    sc_session_close(&session);
}

static void reads_metadata(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    sc_session *session = onnx_must_open(*state, "metadata");
    assert_string_equal(sc_session_metadata(session, "names"), "{0: 'person', 1: 'bicycle'}");
    assert_string_equal(sc_session_metadata(session, "stride"), "32");
    assert_string_equal(sc_session_metadata(session, "empty"), "");
    assert_int_equal(strlen(sc_session_metadata(session, "long")), 100000);
    assert_null(sc_session_metadata(session, "nothing"));
    sc_session_close(&session);
    session = onnx_must_open(*state, "static_f32");
    assert_null(sc_session_metadata(session, "names"));
    sc_session_close(&session);
}

static void open_declarations(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    sc_err err = {0};
    float values[6] = {0};
    struct sc_tensor out, in = FLOATS(values, 1, 3, 2);
    sc_session *session = onnx_must_open(*state, "unnamed_f32");
    assert_int_equal(sc_session_get_info(session)->input[0].dims[0], -1);
    assert_int_equal(sc_session_get_info(session)->input[0].dims[2], -1);
    onnx_must_run(session, &in, &out);
    assert_int_equal(out.size, in.size);
    sc_session_close(&session);

    session = onnx_must_open(*state, "no_shape");
    assert_int_equal(sc_session_get_info(session)->input[0].rank, -1);
    onnx_must_run(session, &in, &out);
    assert_int_equal(out.rank, 3);
    sc_session_close(&session);

    session = onnx_must_open(*state, "zero_size");
    in = FLOATS(values, 0, 3);
    onnx_must_run(session, &in, &out);
    assert_int_equal(out.size, 0);
    sc_session_close(&session);

    session = onnx_must_open(*state, "string"); // loads; nobody here can run it
    assert_int_equal(sc_session_get_info(session)->input[0].type, 8);
    in = FLOATS(values, 1);
    assert_int_equal(sc_session_run(session, &in, &out, &err), SC_EDATA);
    sc_session_close(&session);
}

static void refuses_inputs(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    float values[12] = {0};
    sc_session *session = onnx_must_open(*state, "static_f32");
    struct sc_tensor wrong[] = {FLOATS(values, 3, 3), FLOATS(values, 2, 3, 1),
                                FLOATS(values, 6),    FLOATS(values, 2, 3),
                                FLOATS(values, 2, 3), FLOATS(values, 2, 3)};
    wrong[3].type = SC_INT32;
    wrong[4].size -= 4;
    wrong[5].dims[0] = -2;
    for (size_t i = 0; i < SC_COUNT(wrong); i++) {
        struct sc_tensor out;
        sc_err err = {0};
        assert_int_equal(sc_session_run(session, &wrong[i], &out, &err), SC_EDATA);
        assert_non_null(strstr(err.text, "input x"));
    }
    sc_session_close(&session);

    // Sizes whose product is no number.
    session = onnx_must_open(*state, "huge_size");
    struct sc_tensor out, in = FLOATS(values, 1);
    in.rank = 2;
    in.dims[0] = in.dims[1] = INT64_C(1) << 40;
    assert_int_equal(sc_session_run(session, &in, &out, NULL), SC_EDATA);
    sc_session_close(&session);
}

static void refuses_models(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    static const struct {
        const char *name, *says;
        int code;
    } cases[] = {
        {"rank7", "7 dimensions", SC_EUNSUPPORTED},
        {"inputs9", "9 inputs", SC_EUNSUPPORTED},
        {"outputs9", "9 outputs", SC_EUNSUPPORTED},
        {"long_name", "more than 127 bytes", SC_EUNSUPPORTED},
        {"sequence", "not a tensor", SC_EUNSUPPORTED},
        {"unknown_operator", "NoSuchOperator", SC_EDATA},
        {"external", "external", SC_EDATA},
        {"there_is_none", "No such file", SC_ENOTFOUND},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_err err = {0};
        sc_session *session = NULL;
        int ret = onnx_open_graph(&session, *state, cases[i].name, &err);
        if (ret != cases[i].code || !strstr(err.text, cases[i].says))
            fail_msg("%s: %d %s", cases[i].name, ret, err.text);
        assert_null(session);
        assert_null(strchr(err.text, '\n'));
    }
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void refuses_files(void **state)
{
    NEED_LIBRARY(state);
    char folder[] = "/tmp/saccade-onnx-XXXXXX", path[64];
    unsigned char garbage[4096];
    sc_err err;
    sc_session *session = NULL;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(onnx_open_path(&session, *state, folder, &err), SC_EDATA);
    snprintf(path, sizeof(path), "%s/model", folder);
    write_file(path, "", 0);
    assert_int_equal(onnx_open_path(&session, *state, path, &err), SC_EDATA);
    assert_non_null(strstr(err.text, "empty"));
    for (unsigned round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof(garbage); i++)
            garbage[i] = (unsigned char)((i * 2654435761u + round * 40503u) >> (round % 13));
        write_file(path, garbage, sizeof(garbage));
        assert_int_equal(onnx_open_path(&session, *state, path, &err), SC_EDATA);
    }
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(onnx_open_path(&session, *state, path, &err), SC_EDATA);
    assert_non_null(strstr(err.text, "is not a file"));
    unlink(path);
    rmdir(folder);
}

static unsigned char *read_graph(const char *name, size_t *size)
{
    char *path = graph_path(name);
    FILE *file = fopen(path, "rb");
    unsigned char *data = malloc(1 << 20);
    *size = file ? fread(data, 1, 1 << 20, file) : 0;
    if (file)
        fclose(file);
    free(path);
    return data;
}

// Any beginning of a model is refused or is a model; a copy of just its size, so that a reader
// beyond the end is seen.
static void models_from_bytes(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    size_t size = 0;
    unsigned char *data = read_graph("sum_difference", &size);
    assert_true(size > 50);
    for (size_t n = 0; n <= size; n++) {
        unsigned char *cut = malloc(n ? n : 1);
        memcpy(cut, data, n);
        const struct sc_session_params params = {
            .data = cut, .size = n, .threads = 1, .provider = SC_PROVIDER_CPU};
        sc_err err = {0};
        sc_session *session = NULL;
        int ret = sc_session_open(&session, *state, &params, &err);
        free(cut); // borrowed for the call only
        if (n == size)
            assert_int_equal(ret, SC_OK);
        else if (ret)
            assert_true(ret == SC_EDATA || ret == SC_EUNSUPPORTED);
        if (!ret) {
            float a[] = {3, 4};
            struct sc_tensor out[2], in[2] = {FLOATS(a, 1, 2), FLOATS(a, 1, 2)};
            onnx_must_run(session, in, out);
            assert_memory_equal(out[0].data, ((float[]){6, 8}), 8);
        }
        sc_session_close(&session);
    }
    free(data);
}

static void refuses_params(void **state)
{
    NEED_LIBRARY(state);
    sc_session *session = NULL;
    const struct sc_session_params wrong[] = {
        {.data = "x", .size = 1, .threads = -1},
        {.data = "x", .size = 1, .threads = 100000},
        {.data = "x", .size = 1, .device = -1},
        {.data = "x", .size = 1, .provider = (enum sc_provider)77},
    };
    for (size_t i = 0; i < SC_COUNT(wrong); i++)
        assert_int_equal(sc_session_open(&session, *state, &wrong[i], NULL), SC_EARG);
}

struct worker {
    pthread_t thread;
    sc_onnx *onnx;
    int bad;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    char *path = graph_path("matmul");
    float values[256 * 4];
    for (int round = 0; round < 3; round++) {
        const struct sc_session_params params = {
            .path = path, .threads = 2, .provider = SC_PROVIDER_CPU};
        sc_session *session = NULL;
        if (sc_session_open(&session, w->onnx, &params, NULL)) {
            w->bad++;
            break;
        }
        float first = 0;
        for (int i = 0; i < 20; i++) {
            int batch = 1 + i % 4;
            for (int k = 0; k < 256 * batch; k++)
                values[k] = (float)(k % 256) / 256;
            struct sc_tensor out, in = FLOATS(values, batch, 256);
            if (sc_session_run(session, &in, &out, NULL)) {
                w->bad++;
                break;
            }
            float last = ((float *)out.data)[(batch - 1) * 256 + 7];
            if (!i)
                first = last;
            float off = last - first;
            w->bad += off < -1e-3f || off > 1e-3f;
        }
        sc_session_close(&session);
    }
    free(path);
    return NULL;
}

static void sessions_on_threads(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    struct worker workers[4];
    for (size_t i = 0; i < SC_COUNT(workers); i++) {
        workers[i] = (struct worker){.onnx = *state};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < SC_COUNT(workers); i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].bad, 0);
    }
}

// The environment beneath is one a process: opening it many times, and two that overlap.
static void opens_many_times(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    sc_onnx *last = NULL;
    for (int i = 0; i < 50; i++) {
        sc_onnx *onnx = NULL;
        assert_int_equal(sc_onnx_open(&onnx, NULL, NULL, NULL), SC_OK);
        sc_onnx_close(&last);
        sc_session *session = onnx_must_open(onnx, "static_f32");
        sc_session_close(&session);
        last = onnx;
    }
    sc_onnx_close(&last);
    assert_null(last);
    sc_onnx_close(&last);
    sc_onnx_close(NULL);
}

static void says_which_provider(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    char *path = graph_path("matmul");
    struct sc_session_params params = {.path = path};
    sc_session *session = NULL;
    sc_err err = {0};
    assert_int_equal(sc_session_open(&session, *state, &params, &err), SC_OK);
    const struct sc_session_info *info = sc_session_get_info(session);
    print_message("%s\n", info->reason);
    if (info->provider == SC_PROVIDER_CPU) {
        assert_non_null(strstr(info->reason, "TensorRT: "));
        assert_non_null(strstr(info->reason, "CUDA: "));
        assert_non_null(strstr(info->reason, "WebGPU: "));
        assert_non_null(strstr(info->reason, "CPU instead"));
    }
    bool tensorrt = info->provider == SC_PROVIDER_TENSORRT;
    sc_session_close(&session);
    if (!tensorrt) { // named, it is this or an error
        params.provider = SC_PROVIDER_TENSORRT;
        assert_int_equal(sc_session_open(&session, *state, &params, &err), SC_EUNSUPPORTED);
        assert_non_null(strstr(err.text, "TensorRT cannot run"));
        assert_null(session);
    }
    params.provider = SC_PROVIDER_CPU;
    assert_int_equal(sc_session_open(&session, *state, &params, NULL), SC_OK);
    assert_string_equal(sc_session_get_info(session)->reason, "CPU");
    sc_session_close(&session);
    free(path);
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

// A server that waits burns nothing: by default the library's threads would spin for a while.
static void idle_after_runs(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    char *path = graph_path("matmul");
    const struct sc_session_params params = {
        .path = path, .threads = 4, .provider = SC_PROVIDER_CPU};
    sc_session *session = NULL;
    float *values = calloc(64 * 256, sizeof(*values));
    struct sc_tensor out, in = FLOATS(values, 64, 256);
    assert_int_equal(sc_session_open(&session, *state, &params, NULL), SC_OK);
    onnx_must_run(session, &in, &out);
    int64_t before = cpu_ns();
    usleep(200000);
    assert_true(cpu_ns() - before < 50000000);
    sc_session_close(&session);
    free(values);
    free(path);
}

static void tries_itself(void **state)
{
    NEED_LIBRARY(state);
    sc_err err = {0};
    struct sc_onnx_trial trial = {0};
    assert_int_equal(sc_onnx_try(*state, SC_PROVIDER_CPU, 0, &trial, &err), SC_OK);
    assert_int_equal(trial.provider, SC_PROVIDER_CPU);
    assert_string_equal(trial.provider_name, "CPUExecutionProvider");
    assert_string_equal(trial.reason, "CPU");
    assert_int_equal(sc_onnx_try(*state, (enum sc_provider)77, 0, &trial, &err), SC_EARG);
}

static void logs_what_it_says(void **state)
{
    NEED_LIBRARY(state);
    NEED_GRAPHS();
    int fds[2];
    static char text[1 << 20];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
    sc_log *log = sc_log_open(&(struct sc_log_params){.fd = fds[1], .level = SC_LOG_TRACE});
    sc_onnx *onnx = NULL;
    assert_int_equal(sc_onnx_open(&onnx, NULL, log, NULL), SC_OK);
    sc_session *session = onnx_must_open(onnx, "static_f32");
    sc_session_close(&session);
    sc_onnx_close(&onnx);
    sc_log_close(&log);
    close(fds[1]);
    size_t size = 0;
    for (ssize_t n; (n = read(fds[0], text + size, sizeof(text) - 1 - size)) > 0;)
        size += (size_t)n;
    close(fds[0]);
    text[size] = '\0';
    assert_non_null(strstr(text, "ONNX Runtime opened"));
    assert_non_null(strstr(text, "placed on [CPUExecutionProvider]"));
    assert_non_null(strstr(text, "level=trace obj=onnx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_sizes),        cmocka_unit_test(dynamic_batch),
        cmocka_unit_test(other_elements),      cmocka_unit_test(several_tensors),
        cmocka_unit_test(sizes_by_values),     cmocka_unit_test(reads_metadata),
        cmocka_unit_test(open_declarations),   cmocka_unit_test(refuses_inputs),
        cmocka_unit_test(refuses_models),      cmocka_unit_test(refuses_files),
        cmocka_unit_test(models_from_bytes),   cmocka_unit_test(refuses_params),
        cmocka_unit_test(sessions_on_threads), cmocka_unit_test(opens_many_times),
        cmocka_unit_test(says_which_provider), cmocka_unit_test(idle_after_runs),
        cmocka_unit_test(tries_itself),        cmocka_unit_test(logs_what_it_says),
        cmocka_unit_test(runs_yolox),
    };
    return cmocka_run_group_tests(tests, onnx_setup, onnx_teardown);
}
