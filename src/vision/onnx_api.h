// The part of ONNX Runtime's C API that is used here, by slot.
//
// The library exports one function, OrtGetApiBase(), whose GetApi(version) gives a table of function
// pointers that only ever grows; a function is its place in that table. Each row below is the place,
// our name for it, its result and arguments. Functions that can fail give an ort_status that the
// caller releases, or NULL. Tested with 1.30; the newest row is of API 17.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ORT_API 17 // ONNX Runtime 1.17

typedef struct ort_status ort_status;
typedef struct ort_env ort_env;
typedef struct ort_session ort_session;
typedef struct ort_options ort_options; // of a session
typedef struct ort_run_options ort_run_options;
typedef struct ort_allocator ort_allocator;
typedef struct ort_memory ort_memory; // says where memory is
typedef struct ort_value ort_value;
typedef struct ort_type ort_type;
typedef struct ort_shape ort_shape; // element type and sizes of a tensor
typedef struct ort_metadata ort_metadata;
typedef struct ort_binding ort_binding;
typedef struct ort_cuda ort_cuda;
typedef struct ort_tensorrt ort_tensorrt;

enum ort_code {
    ORT_OK,
    ORT_FAIL,
    ORT_INVALID_ARGUMENT,
    ORT_NO_SUCHFILE,
    ORT_NO_MODEL,
    ORT_ENGINE_ERROR,
    ORT_RUNTIME_EXCEPTION,
    ORT_INVALID_PROTOBUF,
    ORT_MODEL_LOADED,
    ORT_NOT_IMPLEMENTED,
    ORT_INVALID_GRAPH,
    ORT_EP_FAIL
};
enum ort_severity { ORT_VERBOSE, ORT_INFO, ORT_WARNING, ORT_ERROR, ORT_FATAL };
enum {
    ORT_SEQUENTIAL = 0,
    ORT_OPTIMIZE_ALL = 99,
    ORT_ARENA_ALLOCATOR = 1,
    ORT_MEMORY_DEFAULT = 0
};

typedef void ort_log_fn(void *arg, int severity, const char *category, const char *id,
                        const char *where, const char *message);

// X(slot, name, result, arguments)
#define ORT_CALLS(X)                                                                           \
    X(1, GetErrorCode, int, (const ort_status *))                                              \
    X(2, GetErrorMessage, const char *, (const ort_status *))                                  \
    X(4, CreateEnvWithCustomLogger, ort_status *,                                              \
      (ort_log_fn *, void *, int, const char *, ort_env **))                                   \
    X(6, DisableTelemetryEvents, ort_status *, (const ort_env *))                              \
    X(7, CreateSession, ort_status *,                                                          \
      (const ort_env *, const char *, const ort_options *, ort_session **))                    \
    X(8, CreateSessionFromArray, ort_status *,                                                 \
      (const ort_env *, const void *, size_t, const ort_options *, ort_session **))            \
    X(10, CreateSessionOptions, ort_status *, (ort_options **))                                \
    X(13, SetSessionExecutionMode, ort_status *, (ort_options *, int))                         \
    X(22, SetSessionLogSeverityLevel, ort_status *, (ort_options *, int))                      \
    X(23, SetSessionGraphOptimizationLevel, ort_status *, (ort_options *, int))                \
    X(24, SetIntraOpNumThreads, ort_status *, (ort_options *, int))                            \
    X(30, SessionGetInputCount, ort_status *, (const ort_session *, size_t *))                 \
    X(31, SessionGetOutputCount, ort_status *, (const ort_session *, size_t *))                \
    X(33, SessionGetInputTypeInfo, ort_status *, (const ort_session *, size_t, ort_type **))   \
    X(34, SessionGetOutputTypeInfo, ort_status *, (const ort_session *, size_t, ort_type **))  \
    X(36, SessionGetInputName, ort_status *,                                                   \
      (const ort_session *, size_t, ort_allocator *, char **))                                 \
    X(37, SessionGetOutputName, ort_status *,                                                  \
      (const ort_session *, size_t, ort_allocator *, char **))                                 \
    X(39, CreateRunOptions, ort_status *, (ort_run_options **))                                \
    X(41, RunOptionsSetRunLogSeverityLevel, ort_status *, (ort_run_options *, int))            \
    X(49, CreateTensorWithDataAsOrtValue, ort_status *,                                        \
      (const ort_memory *, void *, size_t, const int64_t *, size_t, int, ort_value **))        \
    X(51, GetTensorMutableData, ort_status *, (ort_value *, void **))                          \
    X(55, CastTypeInfoToTensorInfo, ort_status *, (const ort_type *, const ort_shape **))      \
    X(60, GetTensorElementType, ort_status *, (const ort_shape *, int *))                      \
    X(61, GetDimensionsCount, ort_status *, (const ort_shape *, size_t *))                     \
    X(62, GetDimensions, ort_status *, (const ort_shape *, int64_t *, size_t))                 \
    X(65, GetTensorTypeAndShape, ort_status *, (const ort_value *, ort_shape **))              \
    X(69, CreateCpuMemoryInfo, ort_status *, (int, int, ort_memory **))                        \
    X(76, AllocatorFree, ort_status *, (ort_allocator *, void *))                              \
    X(78, GetAllocatorWithDefaultOptions, ort_status *, (ort_allocator **))                    \
    X(92, ReleaseEnv, void, (ort_env *))                                                       \
    X(93, ReleaseStatus, void, (ort_status *))                                                 \
    X(94, ReleaseMemoryInfo, void, (ort_memory *))                                             \
    X(95, ReleaseSession, void, (ort_session *))                                               \
    X(96, ReleaseValue, void, (ort_value *))                                                   \
    X(97, ReleaseRunOptions, void, (ort_run_options *))                                        \
    X(98, ReleaseTypeInfo, void, (ort_type *))                                                 \
    X(99, ReleaseTensorTypeAndShapeInfo, void, (ort_shape *))                                  \
    X(100, ReleaseSessionOptions, void, (ort_options *))                                       \
    X(111, SessionGetModelMetadata, ort_status *, (const ort_session *, ort_metadata **))      \
    X(116, ModelMetadataLookupCustomMetadataMap, ort_status *,                                 \
      (const ort_metadata *, ort_allocator *, const char *, char **))                          \
    X(118, ReleaseModelMetadata, void, (ort_metadata *))                                       \
    X(123, ModelMetadataGetCustomMetadataMapKeys, ort_status *,                                \
      (const ort_metadata *, ort_allocator *, char ***, int64_t *))                            \
    X(125, GetAvailableProviders, ort_status *, (char ***, int *))                             \
    X(126, ReleaseAvailableProviders, ort_status *, (char **, int))                            \
    X(130, AddSessionConfigEntry, ort_status *, (ort_options *, const char *, const char *))   \
    X(133, RunWithBinding, ort_status *,                                                       \
      (ort_session *, const ort_run_options *, const ort_binding *))                           \
    X(134, CreateIoBinding, ort_status *, (ort_session *, ort_binding **))                     \
    X(135, ReleaseIoBinding, void, (ort_binding *))                                            \
    X(136, BindInput, ort_status *, (ort_binding *, const char *, const ort_value *))          \
    X(138, BindOutputToDevice, ort_status *,                                                   \
      (ort_binding *, const char *, const ort_memory *))                                       \
    X(140, GetBoundOutputValues, ort_status *,                                                 \
      (const ort_binding *, ort_allocator *, ort_value ***, size_t *))                         \
    X(141, ClearBoundInputs, void, (ort_binding *))                                            \
    X(142, ClearBoundOutputs, void, (ort_binding *))                                           \
    X(170, SessionOptionsAppendExecutionProvider_TensorRT_V2, ort_status *,                    \
      (ort_options *, const ort_tensorrt *))                                                   \
    X(171, CreateTensorRTProviderOptions, ort_status *, (ort_tensorrt **))                     \
    X(172, UpdateTensorRTProviderOptions, ort_status *,                                        \
      (ort_tensorrt *, const char *const *, const char *const *, size_t))                      \
    X(174, ReleaseTensorRTProviderOptions, void, (ort_tensorrt *))                             \
    X(202, SynchronizeBoundInputs, ort_status *, (ort_binding *))                              \
    X(203, SynchronizeBoundOutputs, ort_status *, (ort_binding *))                             \
    X(204, SessionOptionsAppendExecutionProvider_CUDA_V2, ort_status *,                        \
      (ort_options *, const ort_cuda *))                                                       \
    X(205, CreateCUDAProviderOptions, ort_status *, (ort_cuda **))                             \
    X(206, UpdateCUDAProviderOptions, ort_status *,                                            \
      (ort_cuda *, const char *const *, const char *const *, size_t))                          \
    X(208, ReleaseCUDAProviderOptions, void, (ort_cuda *))                                     \
    X(216, SessionOptionsAppendExecutionProvider, ort_status *,                                \
      (ort_options *, const char *, const char *const *, const char *const *, size_t))         \
    X(266, SetUserLoggingFunction, ort_status *, (ort_options *, ort_log_fn *, void *))

struct ort_api {
#define ORT_MEMBER(slot, name, result, args) result(*name) args; // NOLINT(bugprone-macro-*)
    ORT_CALLS(ORT_MEMBER)
#undef ORT_MEMBER
};

// What OrtGetApiBase() gives.
struct ort_base {
    const void *const *(*get_api)(uint32_t version); // NULL for versions it does not know
    const char *(*get_version)(void);
};
