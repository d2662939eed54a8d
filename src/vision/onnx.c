// The library's environment, and what it says in our words.
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "vision/onnx_internal.h"

// The library keeps one environment a process with the log function of whoever was first, for as
// long as anyone has it: a log of ours could be closed by then. So nothing is logged here: errors
// come back as statuses, and each session has a log function of its own.
static void environment_message(void *arg, int severity, const char *category, const char *id,
                                const char *where, const char *message)
{
    (void)arg;
    (void)severity;
    (void)category;
    (void)id;
    (void)where;
    (void)message;
}

// The part behind the last of these marks is what a reader can use: "/src/x.cc:12 Foo()
// [ONNXRuntimeError] : 1 : FAIL : Failed to load library /a/b.so with error: libc.so.9: no such
// file" is "libc.so.9: no such file".
static const char *skip_preamble(const char *message)
{
    static const struct {
        const char *mark;
        int colons; // " : " that still follow it
    } marks[] = {{"[ONNXRuntimeError]", 3}, {" was false. ", 0}, {" with error: ", 0}};
    for (size_t i = 0; i < SC_COUNT(marks); i++) {
        const char *at;
        while ((at = strstr(message, marks[i].mark))) {
            message = at + strlen(marks[i].mark);
            for (int n = 0; n < marks[i].colons && (at = strstr(message, " : ")); n++)
                message = at + strlen(" : ");
        }
    }
    return message;
}

// The loader's messages begin with a path, of which the last part matters.
static const char *skip_folders(const char *message)
{
    const char *end = strchr(message, ':'), *base = message;
    if (message[0] != '/' || !end || memchr(message, ' ', (size_t)(end - message)))
        return message;
    for (const char *p = message; p < end; p++)
        if (*p == '/')
            base = p + 1;
    return base;
}

static void one_line(char *text, size_t size, const char *message)
{
    size_t n = 0;
    for (const char *p = message; *p && n + 1 < size; p++) {
        bool blank = isspace((unsigned char)*p) || iscntrl((unsigned char)*p);
        if (!blank)
            text[n++] = *p;
        else if (n && text[n - 1] != ' ')
            text[n++] = ' ';
    }
    while (n && (text[n - 1] == ' ' || text[n - 1] == '.'))
        n--;
    text[n] = '\0';
}

enum ort_code sc_onnx_status(const struct ort_api *api, ort_status *status, char *text,
                             size_t size)
{
    text[0] = '\0';
    if (!status)
        return ORT_OK;
    int code = api->GetErrorCode(status);
    one_line(text, size, skip_folders(skip_preamble(api->GetErrorMessage(status))));
    if (!text[0])
        snprintf(text, size, "error %d without a text", code);
    api->ReleaseStatus(status);
    return code == ORT_OK ? ORT_FAIL : (enum ort_code)code;
}

int sc_onnx_code(const char *text, int otherwise)
{
    static const char *const signs[] = {"bad_alloc", "bad allocation", "Failed to allocate",
                                        "out of memory", "Out of memory"};
    for (size_t i = 0; i < SC_COUNT(signs); i++)
        if (strstr(text, signs[i]))
            return SC_ENOMEM;
    return otherwise;
}

int sc_onnx_check(const struct sc_onnx *onnx, ort_status *status, const char *what, sc_err *err)
{
    char text[256];
    if (!sc_onnx_status(onnx->api, status, text, sizeof(text)))
        return SC_OK;
    return sc_fail(err, sc_onnx_code(text, SC_EIO), "ONNX Runtime: %s: %s", what, text);
}

static int read_providers(sc_onnx *onnx, sc_err *err)
{
    const struct ort_api *api = onnx->api;
    char **names = NULL, text[256];
    int count = 0;
    int ret = sc_onnx_check(onnx, api->GetAvailableProviders(&names, &count), "providers", err);
    if (ret)
        return ret;
    onnx->providers = sc_xcalloc((size_t)count + 1, sizeof(*onnx->providers));
    for (int i = 0; i < count; i++)
        onnx->providers[onnx->provider_count++] = sc_xstrdup(names[i]);
    sc_onnx_status(api, api->ReleaseAvailableProviders(names, count), text, sizeof(text));
    return SC_OK;
}

static int open_environment(sc_onnx *onnx, sc_err *err)
{
    const struct ort_api *api = onnx->api;
    int ret = sc_onnx_check(onnx,
                            api->CreateEnvWithCustomLogger(environment_message, NULL, ORT_FATAL,
                                                           "saccade", &onnx->env),
                            "environment", err);
    if (!ret)
        ret = sc_onnx_check(onnx, api->DisableTelemetryEvents(onnx->env), "telemetry", err);
    if (!ret)
        ret = sc_onnx_check(
            onnx, api->CreateCpuMemoryInfo(ORT_ARENA_ALLOCATOR, ORT_MEMORY_DEFAULT, &onnx->cpu),
            "memory", err);
    if (!ret)
        ret = sc_onnx_check(onnx, api->GetAllocatorWithDefaultOptions(&onnx->allocator),
                            "allocator", err);
    return ret ? ret : read_providers(onnx, err);
}

int sc_onnx_open(sc_onnx **ponnx, const char *library, sc_log *log, sc_err *err)
{
    sc_onnx *onnx = sc_new(sc_onnx);
    *ponnx = NULL;
    onnx->log = sc_log_child(log, "onnx");
    onnx->api = &onnx->library.api;
    int ret = sc_onnx_library_find(&onnx->library, library, err);
    if (!ret)
        ret = open_environment(onnx, err);
    if (ret) {
        sc_onnx_close(&onnx);
        return ret;
    }
    onnx->info = (struct sc_onnx_info){
        .path = onnx->library.path,
        .version = onnx->library.version,
        .providers = (const char *const *)onnx->providers,
    };
    SC_INFO(onnx->log, "ONNX Runtime opened", SC_S("version", onnx->info.version),
            SC_S("path", onnx->info.path));
    *ponnx = onnx;
    return SC_OK;
}

void sc_onnx_close(sc_onnx **ponnx)
{
    sc_onnx *onnx = ponnx ? *ponnx : NULL;
    if (!onnx)
        return;
    *ponnx = NULL;
    if (onnx->cpu)
        onnx->api->ReleaseMemoryInfo(onnx->cpu);
    if (onnx->env)
        onnx->api->ReleaseEnv(onnx->env);
    for (int i = 0; i < onnx->provider_count; i++)
        free(onnx->providers[i]);
    free(onnx->providers);
    sc_onnx_library_release(&onnx->library);
    sc_log_close(&onnx->log);
    free(onnx);
}

const struct sc_onnx_info *sc_onnx_get_info(const sc_onnx *onnx)
{
    return &onnx->info;
}
