// What the files of ONNX Runtime share: the opened library, a session, statuses into errors.
#pragma once

#include "base/str.h"
#include "vision/onnx.h"
#include "vision/onnx_api.h"

// A library that was found and is of use. It stays mapped until the process ends: ONNX Runtime
// leaves destructors of its threads behind.
struct sc_onnx_library {
    char *path;
    char *version;
    struct ort_api api;
};

// library as for sc_onnx_open().
int sc_onnx_library_find(struct sc_onnx_library *out, const char *library, sc_err *err);
void sc_onnx_library_release(struct sc_onnx_library *library);

// All immutable after open.
struct sc_onnx {
    struct sc_onnx_library library;
    const struct ort_api *api;
    sc_log *log; // a child of its own, or NULL
    ort_env *env;
    ort_memory *cpu;
    ort_allocator *allocator; // borrowed from the library
    char **providers;
    int provider_count; // in providers, without the NULL
    struct sc_onnx_info info;
};

#define SC_PROVIDERS 5 // of enum sc_provider

// Where a session's messages go, and what they tell: while loading, in a message and nowhere else,
// the library says how many nodes each provider got.
struct sc_session_log {
    sc_log *log;             // borrowed from the sc_onnx
    bool loading;            // these three belong to the loading thread
    bool told;               // such a message was seen
    int nodes[SC_PROVIDERS]; // by enum sc_provider; AUTO counts those of others
};

struct sc_metadata {
    char *key, *value;
};

struct sc_session {
    // Immutable after open.
    sc_onnx *onnx;
    const sc_session *origin; // whose model this is, NULL = its own
    ort_session *session;
    struct sc_session_log log;
    struct sc_session_info info;
    sc_str reason;
    struct sc_metadata *metadata;
    int metadata_count;
    // The running thread's.
    ort_run_options *run_options;
    ort_binding *binding;
    ort_value *results[SC_SESSION_MAX_TENSORS]; // of the last run
};

// Releases the status. What the library said, as one line without its preamble, goes to text.
// Returns the library's code, ORT_OK (text empty) for NULL.
enum ort_code sc_onnx_status(const struct ort_api *api, ort_status *status, char *text,
                             size_t size);
// SC_ENOMEM where the text tells of memory, else `otherwise`.
int sc_onnx_code(const char *text, int otherwise);
// For calls that fail only for want of memory or in a library gone wrong: status released, err says
// what was being done. SC_OK for NULL.
int sc_onnx_check(const struct sc_onnx *onnx, ort_status *status, const char *what,
                  sc_err *err);

// The log function of a session; arg is its sc_session_log.
void sc_session_log_message(void *arg, int severity, const char *category, const char *id,
                            const char *where, const char *message);

// Loads the model by the best provider there is, or the named one: session->session, the provider
// part of info and reason.
int sc_session_load(sc_session *session, const struct sc_session_params *params, sc_err *err);
// The provider of that name in the library's words, SC_PROVIDER_AUTO for others.
enum sc_provider sc_provider_find(const char *name, size_t size);
// Gives back what the last run made.
void sc_session_drop_results(sc_session *session);
