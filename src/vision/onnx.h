// ONNX Runtime, found and opened at run time: the library, its environment, sessions.
//
// Only vision/onnx*.c know the C API's slots (onnx_api.h; ONNX Runtime 1.17 and later, tested with
// 1.30). libonnxruntime.so.1 is looked for by the system's loader, then in node_modules (where npm's
// onnxruntime-node lies) beside the program and up to three folders above it, in PREFIX/lib/saccade,
// and in node_modules of the working folder. A file or folder of another user, or writable by all, is
// not trusted unless it is named.
//
// Models may be hostile: what they declare is checked here, the rest is the library's. Weights in
// other files (external data) are read from the model's folder and below only; for models from
// memory, from the working folder.
//
// The library is kept from reporting its use to its makers (ORT_DISABLE_TELEMETRY).
//
// Thread-safety: sc_onnx is safe. A session runs on one thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "vision/tensor.h"

typedef struct sc_onnx sc_onnx;
typedef struct sc_session sc_session;

#define SC_SESSION_MAX_TENSORS 8 // inputs, outputs

struct sc_onnx_info {
    const char *path;             // of the library that was opened
    const char *version;          // "1.30.0"
    const char *const *providers; // compiled in, ends with NULL: "CUDAExecutionProvider", ...
};

// library: its path, or a name that the loader knows; NULL or "" = look for it. SC_ENOTFOUND where
// there is none or it cannot be opened (err says where it was looked for and what to do),
// SC_EUNSUPPORTED where it is too old or something else. Once opened it stays mapped, also after
// close. log: borrowed for the life; a session's messages go there, at debug and below but for
// errors (which also come back as such).
int sc_onnx_open(sc_onnx **ponnx, const char *library, sc_log *log, sc_err *err);
void sc_onnx_close(sc_onnx **ponnx); // after all its sessions
const struct sc_onnx_info *sc_onnx_get_info(const sc_onnx *onnx);

enum sc_provider {
    SC_PROVIDER_AUTO,
    SC_PROVIDER_CPU,
    SC_PROVIDER_CUDA,
    SC_PROVIDER_TENSORRT,
    SC_PROVIDER_WEBGPU
};

struct sc_session_params {
    const char *path; // the model's file, or
    const void *data; // its bytes, size of them; borrowed for the call
    size_t size;
    enum sc_provider provider; // AUTO: TensorRT > CUDA > WebGPU > CPU; a named one or an error
    int device;                // GPU number
    int threads;               // inside one run on the CPU; 0 = all cores
    bool half;                 // let the provider compute in float16 where it can
    const char *cache_dir;     // for TensorRT's engines; NULL = none kept
};

struct sc_session_info {
    int inputs, outputs;
    struct sc_tensor_info input[SC_SESSION_MAX_TENSORS], output[SC_SESSION_MAX_TENSORS];
    enum sc_provider provider; // the one that really runs
    const char *provider_name; // "CPUExecutionProvider"
    // Why this one, one line: "CUDA: libcudnn.so.9: cannot open shared object file; CPU instead",
    // "CUDA, 4 of 210 operators on the CPU", "CPU" where it was named.
    const char *reason;
    bool half; // computes in float16
};

// Loads a model. Blocks, seconds for large ones, minutes where TensorRT builds engines. That the
// provider takes the model is verified: by loading with it, and by the library's account of where
// each operator went; one that takes none counts as not to be had. SC_ENOTFOUND, SC_EDENIED (the
// file), SC_EDATA (no model, or a damaged one: err says what the library said), SC_EUNSUPPORTED
// (provider not to be had, too many inputs), SC_EARG, SC_ENOMEM, SC_EIO.
int sc_session_open(sc_session **psession, sc_onnx *onnx,
                    const struct sc_session_params *params, sc_err *err);
// Another session on the same loaded model, to be run on a thread of its own: weights are shared, and
// so are the threads of a run. `of` outlives it. SC_ENOMEM.
int sc_session_share(sc_session **psession, sc_session *of, sc_err *err);
void sc_session_close(sc_session **psession);
const struct sc_session_info *sc_session_get_info(const sc_session *session);
// Custom metadata of the model, NULL if there is no such key; valid while the session lives.
const char *sc_session_metadata(const sc_session *session, const char *key);

// One run. inputs: as many as info.inputs, in that order, with all sizes given, in host memory;
// borrowed for the call. outputs: filled with tensors in host memory that are valid until the next
// run or close; elements that tensor.h does not list come with data NULL and size 0. SC_EDATA (these
// inputs do not fit, or the model refuses them), SC_ENOMEM, SC_EIO (device lost: the session is of
// no more use).
int sc_session_run(sc_session *session, const struct sc_tensor *inputs,
                   struct sc_tensor *outputs, sc_err *err);

const char *
sc_provider_name(enum sc_provider provider); // "auto", "cpu", "cuda", "tensorrt", "webgpu"

// What a trial showed.
struct sc_onnx_trial {
    enum sc_provider provider;
    const char *provider_name; // static
    char reason[1024];         // as in sc_session_info
};
// Loads and runs a built-in graph (one addition) on the best provider, or the named one, and checks
// the sum. Blocks, up to seconds on a GPU. Errors as for sessions; SC_EIO: it ran and added wrong.
int sc_onnx_try(sc_onnx *onnx, enum sc_provider provider, int device,
                struct sc_onnx_trial *trial, sc_err *err);
bool sc_provider_gpu_seen(void); // /dev has a GPU of some kind, usable or not
