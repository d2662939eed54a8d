// Execution providers in order of preference: who takes a model, and why the better ones did not.
//
// That a provider is compiled in says little: its libraries, its driver or its device may be
// missing, or it may take none of the model's nodes. So each is tried with the model itself, and
// the library's account of which provider got how many nodes decides.
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/pool.h"
#include "vision/onnx_internal.h"

#define MAX_OPTIONS 8

struct provider {
    enum sc_provider provider;
    const char *name;  // as in options and answers
    const char *label; // as in sentences
    const char *ort;   // the library's
    // Adds it, and whatever it should fall back to before the CPU. NULL: nothing to add.
    ort_status *(*append)(const struct ort_api *api, ort_options *options,
                          const struct sc_session_params *params);
    // Why it is not worth trying unless named, or NULL.
    const char *(*pointless)(void);
};

struct pairs {
    const char *keys[MAX_OPTIONS], *values[MAX_OPTIONS];
    size_t count;
    char device[16];
};

static void add_pair(struct pairs *pairs, const char *key, const char *value)
{
    sc_require(pairs->count < MAX_OPTIONS);
    pairs->keys[pairs->count] = key;
    pairs->values[pairs->count++] = value;
}

static void add_device(struct pairs *pairs, const struct sc_session_params *params)
{
    snprintf(pairs->device, sizeof(pairs->device), "%d", params->device);
    add_pair(pairs, "device_id", pairs->device);
}

// The default search for convolutions costs seconds for each new shape, and the default arena
// doubles with every step.
static ort_status *append_cuda(const struct ort_api *api, ort_options *options,
                               const struct sc_session_params *params)
{
    struct pairs pairs = {0};
    ort_cuda *cuda = NULL;
    add_device(&pairs, params);
    add_pair(&pairs, "cudnn_conv_algo_search", "HEURISTIC");
    add_pair(&pairs, "arena_extend_strategy", "kSameAsRequested");
    add_pair(&pairs, "do_copy_in_default_stream", "1");
    ort_status *status = api->CreateCUDAProviderOptions(&cuda);
    if (!status) // all keys at once: each update forgets what the one before said
        status = api->UpdateCUDAProviderOptions(cuda, pairs.keys, pairs.values, pairs.count);
    if (!status)
        status = api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda);
    if (cuda)
        api->ReleaseCUDAProviderOptions(cuda);
    return status;
}

// Nodes that TensorRT leaves go to CUDA. Engines take minutes to build, so they are kept.
static ort_status *append_tensorrt(const struct ort_api *api, ort_options *options,
                                   const struct sc_session_params *params)
{
    struct pairs pairs = {0};
    ort_tensorrt *trt = NULL;
    add_device(&pairs, params);
    add_pair(&pairs, "trt_fp16_enable", params->half ? "1" : "0");
    if (params->cache_dir) {
        mkdir(params->cache_dir, 0700); // where that fails, the library says so
        add_pair(&pairs, "trt_engine_cache_enable", "1");
        add_pair(&pairs, "trt_engine_cache_path", params->cache_dir);
        add_pair(&pairs, "trt_timing_cache_enable", "1");
        add_pair(&pairs, "trt_timing_cache_path", params->cache_dir);
    }
    ort_status *status = api->CreateTensorRTProviderOptions(&trt);
    if (!status)
        status = api->UpdateTensorRTProviderOptions(trt, pairs.keys, pairs.values, pairs.count);
    if (!status)
        status = api->SessionOptionsAppendExecutionProvider_TensorRT_V2(options, trt);
    if (trt)
        api->ReleaseTensorRTProviderOptions(trt);
    return status ? status : append_cuda(api, options, params);
}

static ort_status *append_webgpu(const struct ort_api *api, ort_options *options,
                                 const struct sc_session_params *params)
{
    (void)params;
    return api->SessionOptionsAppendExecutionProvider(options, "WebGPU", NULL, NULL, 0);
}

bool sc_provider_gpu_seen(void)
{
    static const char *const nodes[] = {"/dev/dri/renderD*", "/dev/nvidia[0-9]*", "/dev/dxg",
                                        "/dev/mali*", "/dev/kgsl*"};
    for (size_t i = 0; i < SC_COUNT(nodes); i++) {
        glob_t found = {0};
        bool any = !glob(nodes[i], 0, NULL, &found);
        globfree(&found);
        if (any)
            return true;
    }
    return false;
}

// Asked for a GPU where there is none, WebGPU takes a while, writes to standard error, and may come
// up with a renderer in software, which is slower than the CPU provider.
static const char *no_gpu(void)
{
    return sc_provider_gpu_seen() ? NULL : "no GPU in /dev";
}

static const struct provider providers[] = {
    {SC_PROVIDER_TENSORRT, "tensorrt", "TensorRT", "TensorrtExecutionProvider",
     append_tensorrt},
    {SC_PROVIDER_CUDA, "cuda", "CUDA", "CUDAExecutionProvider", append_cuda},
    {SC_PROVIDER_WEBGPU, "webgpu", "WebGPU", "WebGpuExecutionProvider", append_webgpu, no_gpu},
    {SC_PROVIDER_CPU, "cpu", "CPU", "CPUExecutionProvider", NULL},
};

const char *sc_provider_name(enum sc_provider provider)
{
    for (size_t i = 0; i < SC_COUNT(providers); i++)
        if (providers[i].provider == provider)
            return providers[i].name;
    return "auto";
}

enum sc_provider sc_provider_find(const char *name, size_t size)
{
    for (size_t i = 0; i < SC_COUNT(providers); i++)
        if (strlen(providers[i].ort) == size && !strncmp(providers[i].ort, name, size))
            return providers[i].provider;
    return SC_PROVIDER_AUTO;
}

static bool compiled_in(const sc_onnx *onnx, const struct provider *p)
{
    for (int i = 0; i < onnx->provider_count; i++)
        if (!strcmp(onnx->providers[i], p->ort))
            return true;
    return !p->append;
}

// Threads wait for work without spinning: an idle server must not burn a core. On a GPU the CPU's
// share of a run is small.
static ort_status *set_options(sc_session *session, ort_options *options,
                               const struct provider *p, const struct sc_session_params *params)
{
    const struct ort_api *api = session->onnx->api;
    int threads = params->threads ? params->threads : p->append ? 1 : sc_cpu_count();
    ort_status *status =
        api->SetUserLoggingFunction(options, sc_session_log_message, &session->log);
    if (!status)
        status = api->SetSessionLogSeverityLevel(options, ORT_VERBOSE);
    if (!status)
        status = api->SetSessionExecutionMode(options, ORT_SEQUENTIAL);
    if (!status)
        status = api->SetSessionGraphOptimizationLevel(options, ORT_OPTIMIZE_ALL);
    if (!status)
        status = api->SetIntraOpNumThreads(options, threads);
    if (!status)
        status = api->AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0");
    if (!status && p->append)
        status = p->append(api, options, params);
    return status;
}

// What became of an attempt with one provider: a session, or why there is none.
struct attempt {
    ort_session *session;
    enum ort_code code;
    char text[256];
};

static void load_model(struct attempt *a, sc_session *session, const struct provider *p,
                       const struct sc_session_params *params)
{
    const sc_onnx *onnx = session->onnx;
    const struct ort_api *api = onnx->api;
    ort_options *options = NULL;
    session->log = (struct sc_session_log){.log = onnx->log, .loading = true};
    ort_status *status = api->CreateSessionOptions(&options);
    if (!status)
        status = set_options(session, options, p, params);
    if (!status && params->path)
        status = api->CreateSession(onnx->env, params->path, options, &a->session);
    else if (!status)
        status = api->CreateSessionFromArray(onnx->env, params->data, params->size, options,
                                             &a->session);
    a->code = sc_onnx_status(api, status, a->text, sizeof(a->text));
    session->log.loading = false;
    if (options)
        api->ReleaseSessionOptions(options);
}

// Drops a session whose provider took nothing: it would run on the CPU under another name.
static void judge(struct attempt *a, const sc_session *session, const struct provider *p)
{
    const struct sc_session_log *log = &session->log;
    if (!a->session || !p->append || !log->told || log->nodes[p->provider])
        return;
    session->onnx->api->ReleaseSession(a->session);
    a->session = NULL;
    a->code = ORT_EP_FAIL;
    snprintf(a->text, sizeof(a->text), "takes none of the model's operators");
}

static void attempt(struct attempt *a, sc_session *session, const struct provider *p,
                    const struct sc_session_params *params)
{
    const char *why_not = NULL;
    *a = (struct attempt){0};
    if (!compiled_in(session->onnx, p))
        why_not = "not in this build of ONNX Runtime";
    else if (params->provider == SC_PROVIDER_AUTO && p->pointless)
        why_not = p->pointless();
    if (why_not) {
        a->code = ORT_EP_FAIL;
        snprintf(a->text, sizeof(a->text), "%s", why_not);
    } else {
        load_model(a, session, p, params);
        judge(a, session, p);
    }
}

// "CUDA: not in this build of ONNX Runtime; CPU instead", "CUDA, 4 of 210 operators on the CPU".
static void give_reason(sc_session *session, const struct provider *p)
{
    const struct sc_session_log *log = &session->log;
    sc_str *reason = &session->reason;
    sc_str_addf(reason, reason->len ? "%s instead" : "%s", p->label);
    int all = 0;
    for (int i = 0; i < SC_PROVIDERS; i++)
        all += log->nodes[i];
    if (p->append && !log->told)
        sc_str_add(reason, ", though the library does not tell what runs there");
    else if (p->append && log->nodes[SC_PROVIDER_CPU])
        sc_str_addf(reason, ", %d of %d operators on the CPU", log->nodes[SC_PROVIDER_CPU],
                    all);
    session->info.provider = p->provider;
    session->info.provider_name = p->ort;
    session->info.reason = sc_str_get(reason);
}

static bool damaged(enum ort_code code)
{
    return code == ORT_INVALID_PROTOBUF || code == ORT_INVALID_GRAPH ||
           code == ORT_NO_SUCHFILE || code == ORT_NO_MODEL;
}

static int load_failed(const struct provider *p, const struct attempt *a,
                       const struct sc_session_params *params, sc_err *err)
{
    const char *model = params->path ? params->path : "the model";
    if (p->append && !damaged(a->code))
        return sc_fail(err, sc_onnx_code(a->text, SC_EUNSUPPORTED), "%s cannot run %s: %s",
                       p->label, model, a->text);
    int code = a->code == ORT_NOT_IMPLEMENTED ? SC_EUNSUPPORTED : SC_EDATA;
    return sc_fail(err, sc_onnx_code(a->text, code), "%s cannot be loaded: %s", model, a->text);
}

int sc_session_load(sc_session *session, const struct sc_session_params *params, sc_err *err)
{
    bool any = params->provider == SC_PROVIDER_AUTO;
    for (size_t i = 0; i < SC_COUNT(providers); i++) {
        const struct provider *p = &providers[i];
        struct attempt a;
        if (!any && p->provider != params->provider)
            continue;
        attempt(&a, session, p, params);
        if (a.session) {
            session->session = a.session;
            session->info.half = params->half && p->provider == SC_PROVIDER_TENSORRT;
            give_reason(session, p);
            return SC_OK;
        }
        if (!any || !p->append || damaged(a.code))
            return load_failed(p, &a, params, err);
        sc_str_addf(&session->reason, "%s: %s; ", p->label, a.text);
    }
    return sc_fail(err, SC_EARG, "there is no provider %d", (int)params->provider);
}
