// What the tests of ONNX Runtime share.
#pragma once

#include "vision/onnx.h"

#include <string.h>

#include "graphs.h"

// Only there under AddressSanitizer.
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

// Opens it for the first time in a process: the library then leaks 14 bytes of its own, once. What is
// lost later counts, so that a forgotten release of ours is seen.
static inline int onnx_first_open(sc_onnx **ponnx, sc_err *err)
{
    if (__lsan_disable)
        __lsan_disable();
    int ret = sc_onnx_open(ponnx, NULL, NULL, err);
    if (__lsan_enable)
        __lsan_enable();
    return ret;
}

// Group setup: the library is looked for as a program would; *state stays NULL without one.
static inline int onnx_setup(void **state)
{
    sc_err err = {0};
    sc_onnx *onnx = NULL;
    if (onnx_first_open(&onnx, &err))
        print_message("%s\n", err.text);
    *state = onnx;
    return 0;
}

static inline int onnx_teardown(void **state)
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

static inline int onnx_open_path(sc_session **psession, sc_onnx *onnx, const char *path,
                                 sc_err *err)
{
    const struct sc_session_params params = {
        .path = path, .threads = 1, .provider = SC_PROVIDER_CPU};
    *err = (sc_err){0};
    return sc_session_open(psession, onnx, &params, err);
}

static inline int onnx_open_graph(sc_session **psession, sc_onnx *onnx, const char *name,
                                  sc_err *err)
{
    char *path = graph_path(name);
    int ret = onnx_open_path(psession, onnx, path, err);
    free(path);
    return ret;
}

static inline sc_session *onnx_must_open(sc_onnx *onnx, const char *name)
{
    sc_err err = {0};
    sc_session *session = NULL;
    if (onnx_open_graph(&session, onnx, name, &err))
        fail_msg("%s", err.text);
    return session;
}

static inline void onnx_must_run(sc_session *session, const struct sc_tensor *in,
                                 struct sc_tensor *out)
{
    sc_err err = {0};
    if (sc_session_run(session, in, out, &err))
        fail_msg("%s", err.text);
}

// Floats of these sizes, given after the data: FLOATS(values, 2, 3).
#define FLOATS(values, ...)                                                                    \
    onnx_tensor(SC_FLOAT32, values, (const int64_t[]){__VA_ARGS__},                            \
                sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static inline struct sc_tensor onnx_tensor(enum sc_element type, void *data,
                                           const int64_t *dims, size_t rank)
{
    struct sc_tensor tensor = {.type = type, .rank = (int)rank, .data = data};
    tensor.size = sc_element_size(type);
    for (size_t i = 0; i < rank; i++) {
        tensor.dims[i] = dims[i];
        tensor.size *= (size_t)dims[i];
    }
    return tensor;
}
