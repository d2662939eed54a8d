// The choice of a provider, and the path of a GPU's sessions, against a library that claims to have
// them all.
#include "onnx.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fake_ort.h"

#define CUDA_ALL     " All nodes placed on [CUDAExecutionProvider]. Number of nodes: 3"
#define CUDA_SOME    " Node(s) placed on [CUDAExecutionProvider]. Number of nodes: 6"
#define CPU_SOME     " Node(s) placed on [CPUExecutionProvider]. Number of nodes: 4"
#define CPU_ALL      " All nodes placed on [CPUExecutionProvider]. Number of nodes: 10"
#define TENSORRT_ALL " All nodes placed on [TensorrtExecutionProvider]. Number of nodes: 1"
#define WEBGPU_ALL   " All nodes placed on [WebGpuExecutionProvider]. Number of nodes: 1"

struct fixture {
    struct fake_ort *fake; // NULL: no library to build on
    char *real;
    sc_onnx *onnx;
};

static int group_setup(void **state)
{
    static struct fixture f;
    sc_err err = {0};
    sc_onnx *onnx = NULL;
    void *handle = dlopen(FAKE_ORT, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        print_error("%s\n", dlerror());
        return -1;
    }
    if (!onnx_first_open(&onnx, &err)) {
        f.real = strdup(sc_onnx_get_info(onnx)->path);
        f.fake = dlsym(handle, "fake_ort");
    }
    sc_onnx_close(&onnx);
    dlclose(handle);
    *state = &f;
    return 0;
}

static int group_teardown(void **state)
{
    struct fixture *f = *state;
    free(f->real);
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = *state;
    sc_err err = {0};
    if (!f->fake)
        return 0;
    *f->fake =
        (struct fake_ort){.real = f->real,
                          .providers = {"TensorrtExecutionProvider", "CUDAExecutionProvider",
                                        "WebGpuExecutionProvider", "CPUExecutionProvider"}};
    if (sc_onnx_open(&f->onnx, FAKE_ORT, NULL, &err))
        print_error("%s\n", err.text);
    return f->onnx ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sc_onnx_close(&f->onnx);
    return 0;
}

#define NEED_FAKE(f)                                                                           \
    do {                                                                                       \
        NEED_GRAPHS();                                                                         \
        if (!(f)->fake) {                                                                      \
            print_message("no ONNX Runtime: npm ci brings it\n");                              \
            skip();                                                                            \
        }                                                                                      \
    } while (0)

static int open_as(struct fixture *f, sc_session **psession, struct sc_session_params params,
                   sc_err *err)
{
    char *path = graph_path("dynamic_f32");
    params.path = path;
    int ret = sc_session_open(psession, f->onnx, &params, err);
    free(path);
    return ret;
}

static void must_run(sc_session *session)
{
    float values[12] = {1};
    struct sc_tensor out, in = FLOATS(values, 2, 3, 2);
    onnx_must_run(session, &in, &out);
    assert_true(((float *)out.data)[0] == 2 && ((float *)out.data)[11] == 1);
}

static void tensorrt_first(void **state)
{
    struct fixture *f = *state;
    NEED_FAKE(f);
    sc_session *session = NULL;
    f->fake->placements[0] = TENSORRT_ALL;
    const struct sc_session_params params = {.half = true, .cache_dir = "/tmp", .device = 2};
    assert_int_equal(open_as(f, &session, params, NULL), SC_OK);
    const struct sc_session_info *info = sc_session_get_info(session);
    assert_int_equal(info->provider, SC_PROVIDER_TENSORRT);
    assert_string_equal(info->provider_name, "TensorrtExecutionProvider");
    assert_string_equal(info->reason, "TensorRT");
    assert_true(info->half);
    assert_string_equal(
        f->fake->said,
        "[tensorrt device_id=2 trt_fp16_enable=1 trt_engine_cache_enable=1 "
        "trt_engine_cache_path=/tmp trt_timing_cache_enable=1 trt_timing_cache_path=/tmp]"
        "[append tensorrt][release]"
        "[cuda device_id=2 cudnn_conv_algo_search=HEURISTIC "
        "arena_extend_strategy=kSameAsRequested do_copy_in_default_stream=1]"
        "[append cuda][release]");
    must_run(session);
    sc_session_close(&session);
}

static void takes_none(void **state)
{
    struct fixture *f = *state;
    NEED_FAKE(f);
    sc_err err = {0};
    sc_session *session = NULL;
    f->fake->placements[0] = CUDA_ALL; // also while TensorRT is tried
    assert_int_equal(open_as(f, &session, (struct sc_session_params){.half = true}, NULL),
                     SC_OK);
    const struct sc_session_info *info = sc_session_get_info(session);
    assert_int_equal(info->provider, SC_PROVIDER_CUDA);
    assert_string_equal(info->reason,
                        "TensorRT: takes none of the model's operators; CUDA instead");
    assert_false(info->half);
    must_run(session);
    sc_session_close(&session);
    f->fake->placements[0] = CPU_ALL;
    const struct sc_session_params params = {.provider = SC_PROVIDER_CUDA};
    assert_int_equal(open_as(f, &session, params, &err), SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "takes none of the model's operators"));
    assert_null(session);
}

static void takes_some(void **state)
{
    struct fixture *f = *state;
    NEED_FAKE(f);
    sc_session *session = NULL;
    const struct sc_session_params params = {.provider = SC_PROVIDER_CUDA};
    f->fake->placements[0] = CPU_SOME;
    f->fake->placements[1] = CUDA_SOME;
    assert_int_equal(open_as(f, &session, params, NULL), SC_OK);
    assert_string_equal(sc_session_get_info(session)->reason,
                        "CUDA, 4 of 10 operators on the CPU");
    sc_session_close(&session);
    f->fake->placements[0] = NULL;
    assert_int_equal(open_as(f, &session, params, NULL), SC_OK);
    assert_non_null(strstr(sc_session_get_info(session)->reason, "does not tell"));
    sc_session_close(&session);
}

static void cannot_be_added(void **state)
{
    struct fixture *f = *state;
    NEED_FAKE(f);
    sc_err err = {0};
    sc_session *session = NULL;
    f->fake->tensorrt_fails = "/src/a.cc:1 void F() [ONNXRuntimeError] : 1 : FAIL : Failed to "
                              "load library /a/libx.so with error: /a/libnvinfer.so.10: "
                              "cannot open\n shared object file";
    f->fake->cuda_fails = "CUDA failure 35: driver version is insufficient.";
    f->fake->webgpu_fails = "no adapter";
    f->fake->placements[0] = CPU_ALL;
    assert_int_equal(open_as(f, &session, (struct sc_session_params){0}, NULL), SC_OK);
    const struct sc_session_info *info = sc_session_get_info(session);
    assert_int_equal(info->provider, SC_PROVIDER_CPU);
    const char *want = "TensorRT: libnvinfer.so.10: cannot open shared object file; CUDA: CUDA "
                       "failure 35: driver version is insufficient; WebGPU: ";
    assert_memory_equal(info->reason, want, strlen(want));
    assert_non_null(strstr(info->reason, "; CPU instead"));
    must_run(session);
    sc_session_close(&session);
    const struct sc_session_params params = {.provider = SC_PROVIDER_CUDA};
    assert_int_equal(open_as(f, &session, params, &err), SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "driver version is insufficient"));
}

static void not_compiled_in(void **state)
{
    struct fixture *f = *state;
    NEED_FAKE(f);
    sc_err err = {0};
    sc_session *session = NULL;
    sc_onnx_close(&f->onnx);
    memset(f->fake->providers, 0, sizeof(f->fake->providers));
    f->fake->providers[0] = "CPUExecutionProvider";
    f->fake->placements[0] = CPU_ALL;
    assert_int_equal(sc_onnx_open(&f->onnx, FAKE_ORT, NULL, NULL), SC_OK);
    assert_int_equal(open_as(f, &session, (struct sc_session_params){0}, NULL), SC_OK);
    assert_string_equal(
        sc_session_get_info(session)->reason,
        "TensorRT: not in this build of ONNX Runtime; CUDA: not in this build of "
        "ONNX Runtime; WebGPU: not in this build of ONNX Runtime; CPU instead");
    assert_string_equal(f->fake->said, ""); // and none was tried
    sc_session_close(&session);
    const struct sc_session_params params = {.provider = SC_PROVIDER_WEBGPU};
    assert_int_equal(open_as(f, &session, params, &err), SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "not in this build"));
}

static void webgpu_by_name(void **state)
{
    struct fixture *f = *state;
    NEED_FAKE(f);
    sc_session *session = NULL;
    const struct sc_session_params params = {.provider = SC_PROVIDER_WEBGPU};
    f->fake->placements[0] = WEBGPU_ALL;
    assert_int_equal(open_as(f, &session, params, NULL), SC_OK);
    assert_string_equal(f->fake->said, "[append[WebGPU]");
    assert_string_equal(sc_session_get_info(session)->reason, "WebGPU");
    sc_session_close(&session);
}

static void failing_runs(void **state)
{
    struct fixture *f = *state;
    NEED_FAKE(f);
    static const struct {
        enum sc_provider provider;
        int code, want;
        const char *text;
    } cases[] = {
        {SC_PROVIDER_CUDA, 11, SC_EIO, "CUDNN failure 4"},
        {SC_PROVIDER_CUDA, 1, SC_EIO, "CUDA failure 719: unspecified launch failure"},
        {SC_PROVIDER_CUDA, 1, SC_ENOMEM, "BFCArena: Failed to allocate memory for 1 byte"},
        {SC_PROVIDER_CUDA, 2, SC_EDATA, "Got invalid dimensions for input"},
        {SC_PROVIDER_CPU, 1, SC_EDATA, "Non-zero status code\nwhile running Add"},
        {SC_PROVIDER_CPU, 6, SC_ENOMEM, "std::bad_alloc"},
    };
    float values[6] = {0};
    struct sc_tensor out, in = FLOATS(values, 1, 3, 2);
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_err err = {0};
        sc_session *session = NULL;
        f->fake->run_code = 0;
        f->fake->placements[0] = CUDA_ALL;
        const struct sc_session_params params = {.provider = cases[i].provider};
        assert_int_equal(open_as(f, &session, params, NULL), SC_OK);
        f->fake->run_code = cases[i].code;
        f->fake->run_text = cases[i].text;
        assert_int_equal(sc_session_run(session, &in, &out, &err), cases[i].want);
        assert_non_null(strstr(err.text, "the model's run failed: "));
        assert_null(strchr(err.text, '\n'));
        sc_session_close(&session);
    }
}

static void versions(void **state)
{
    struct fixture *f = *state;
    NEED_FAKE(f);
    static const char *const wrong[] = {"1.16.3", "", "of today", "0.5.0"};
    for (size_t i = 0; i < SC_COUNT(wrong); i++) {
        sc_err err = {0};
        sc_onnx *onnx = NULL;
        f->fake->version = wrong[i];
        assert_int_equal(sc_onnx_open(&onnx, FAKE_ORT, NULL, &err), SC_EUNSUPPORTED);
        assert_non_null(strstr(err.text, FAKE_ORT));
        assert_null(onnx);
    }
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(sc_provider_name(SC_PROVIDER_AUTO), "auto");
    assert_string_equal(sc_provider_name(SC_PROVIDER_CPU), "cpu");
    assert_string_equal(sc_provider_name(SC_PROVIDER_CUDA), "cuda");
    assert_string_equal(sc_provider_name(SC_PROVIDER_TENSORRT), "tensorrt");
    assert_string_equal(sc_provider_name(SC_PROVIDER_WEBGPU), "webgpu");
}

#define WITH_FAKE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FAKE(tensorrt_first),  WITH_FAKE(takes_none),      WITH_FAKE(takes_some),
        WITH_FAKE(cannot_be_added), WITH_FAKE(not_compiled_in), WITH_FAKE(webgpu_by_name),
        WITH_FAKE(failing_runs),    WITH_FAKE(versions),        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
