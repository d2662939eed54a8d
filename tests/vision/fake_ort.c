#include "fake_ort.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vision/onnx_api.h"

#define SLOTS 267

struct fake_ort fake_ort;
const struct ort_base *OrtGetApiBase(void);

static const void *table[SLOTS];
static struct ort_api real; // only the members that are called here
static ort_status *(*create_status)(int code, const char *text);
static ort_log_fn *log_fn;

static void say(const char *fmt, ...)
{
    size_t n = strlen(fake_ort.said);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fake_ort.said + n, sizeof(fake_ort.said) - n, fmt, ap);
    va_end(ap);
}

static ort_status *answer(const char *text)
{
    return text ? create_status(ORT_FAIL, text) : NULL;
}

static ort_status *say_pairs(const char *what, const char *const *keys,
                             const char *const *values, size_t count)
{
    say("[%s", what);
    for (size_t i = 0; i < count; i++)
        say(" %s=%s", keys[i], values[i]);
    say("]");
    return NULL;
}

static ort_status *available(char ***names, int *count)
{
    *names = (char **)fake_ort.providers;
    for (*count = 0; fake_ort.providers[*count]; ++*count)
        continue;
    return NULL;
}

static ort_status *release_available(char **names, int count)
{
    (void)names;
    (void)count;
    return NULL;
}

static char made; // what opaque options point to

static ort_status *create_cuda(ort_cuda **out)
{
    *out = (ort_cuda *)&made;
    return NULL;
}

static ort_status *create_tensorrt(ort_tensorrt **out)
{
    *out = (ort_tensorrt *)&made;
    return NULL;
}

static void release_cuda(ort_cuda *options)
{
    (void)options;
    say("[release]");
}

static void release_tensorrt(ort_tensorrt *options)
{
    (void)options;
    say("[release]");
}

static ort_status *update_cuda(ort_cuda *options, const char *const *keys,
                               const char *const *values, size_t count)
{
    (void)options;
    return say_pairs("cuda", keys, values, count);
}

static ort_status *update_tensorrt(ort_tensorrt *options, const char *const *keys,
                                   const char *const *values, size_t count)
{
    (void)options;
    return say_pairs("tensorrt", keys, values, count);
}

static ort_status *append_cuda(ort_options *options, const ort_cuda *cuda)
{
    (void)options;
    (void)cuda;
    say("[append cuda]");
    return answer(fake_ort.cuda_fails);
}

static ort_status *append_tensorrt(ort_options *options, const ort_tensorrt *tensorrt)
{
    (void)options;
    (void)tensorrt;
    say("[append tensorrt]");
    return answer(fake_ort.tensorrt_fails);
}

static ort_status *append_named(ort_options *options, const char *name, const char *const *keys,
                                const char *const *values, size_t count)
{
    (void)options;
    say("[append");
    say_pairs(name, keys, values, count);
    return answer(fake_ort.webgpu_fails);
}

static void message(void *arg, int severity, const char *category, const char *id,
                    const char *where, const char *text)
{
    if (!strstr(text, " placed on [")) {
        log_fn(arg, severity, category, id, where, text);
        return;
    }
    for (int i = 0; i < 4 && fake_ort.placements[i]; i++)
        log_fn(arg, severity, category, id, where, fake_ort.placements[i]);
}

static ort_status *set_log(ort_options *options, ort_log_fn *fn, void *arg)
{
    log_fn = fn;
    return real.SetUserLoggingFunction(options, message, arg);
}

static ort_status *run(ort_session *session, const ort_run_options *options,
                       const ort_binding *binding)
{
    if (fake_ort.run_code)
        return create_status(fake_ort.run_code, fake_ort.run_text);
    return real.RunWithBinding(session, options, binding);
}

static const struct ort_base *real_base(void)
{
    const struct ort_base *(*get)(void) = NULL;
    void *handle = dlopen(fake_ort.real, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle ? dlsym(handle, "OrtGetApiBase") : NULL;
    memcpy(&get, &symbol, sizeof(get));
    return get ? get() : NULL;
}

#define REPLACE(slot, name, fn)                                                                \
    do {                                                                                       \
        memcpy(&real.name, &table[slot], sizeof(void *));                                      \
        __typeof__(real.name) ours = fn;                                                       \
        memcpy(&table[slot], &ours, sizeof(void *));                                           \
    } while (0)

static const void *const *get_api(uint32_t version)
{
    const void *const *theirs = real_base()->get_api(version);
    if (!theirs)
        return NULL;
    memcpy(table, theirs, sizeof(table));
    memcpy(&create_status, &table[0], sizeof(void *));
    REPLACE(125, GetAvailableProviders, available);
    REPLACE(126, ReleaseAvailableProviders, release_available);
    REPLACE(133, RunWithBinding, run);
    REPLACE(170, SessionOptionsAppendExecutionProvider_TensorRT_V2, append_tensorrt);
    REPLACE(171, CreateTensorRTProviderOptions, create_tensorrt);
    REPLACE(172, UpdateTensorRTProviderOptions, update_tensorrt);
    REPLACE(174, ReleaseTensorRTProviderOptions, release_tensorrt);
    REPLACE(204, SessionOptionsAppendExecutionProvider_CUDA_V2, append_cuda);
    REPLACE(205, CreateCUDAProviderOptions, create_cuda);
    REPLACE(206, UpdateCUDAProviderOptions, update_cuda);
    REPLACE(208, ReleaseCUDAProviderOptions, release_cuda);
    REPLACE(216, SessionOptionsAppendExecutionProvider, append_named);
    REPLACE(266, SetUserLoggingFunction, set_log);
    return table;
}

static const char *get_version(void)
{
    return fake_ort.version ? fake_ort.version : real_base()->get_version();
}

const struct ort_base *OrtGetApiBase(void)
{
    static const struct ort_base base = {get_api, get_version};
    return &base;
}
