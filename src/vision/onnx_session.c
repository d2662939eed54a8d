// A model's life: loading, what it declares, its metadata.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "vision/onnx_internal.h"

#define MAX_METADATA       1024
#define MAX_METADATA_BYTES (16 << 20) // of all keys and values

static void read_placement(struct sc_session_log *log, const char *message)
{
    static const char mark[] = " placed on [", number[] = "Number of nodes: ";
    const char *name = strstr(message, mark);
    const char *end = name ? strchr(name, ']') : NULL;
    const char *count = end ? strstr(end, number) : NULL;
    if (!count)
        return;
    name += strlen(mark);
    log->nodes[sc_provider_find(name, (size_t)(end - name))] += atoi(count + strlen(number));
    log->told = true;
}

// One step below what the library thinks of itself: its errors come back as statuses too, and
// whether they matter is for the caller to say.
void sc_session_log_message(void *arg, int severity, const char *category, const char *id,
                            const char *where, const char *message)
{
    static const enum sc_log_level levels[] = {[ORT_VERBOSE] = SC_LOG_TRACE,
                                               [ORT_INFO] = SC_LOG_TRACE,
                                               [ORT_WARNING] = SC_LOG_DEBUG,
                                               [ORT_ERROR] = SC_LOG_WARN,
                                               [ORT_FATAL] = SC_LOG_ERROR};
    struct sc_session_log *log = arg;
    (void)category;
    (void)id;
    if (log->loading && severity == ORT_VERBOSE)
        read_placement(log, message);
    if (severity >= 0 && severity < (int)SC_COUNT(levels))
        SC_LOG(log->log, levels[severity], "ONNX Runtime says", SC_S("text", message),
               SC_S("where", where));
}

// The file is looked at first: the library's words for these cases are poor, and it would wait for
// the writer of a pipe.
static int check_file(const char *path, sc_err *err)
{
    struct stat st;
    if (stat(path, &st))
        return sc_fail(err, sc_error_from_errno(errno), "model %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return sc_fail(err, SC_EDATA, "model %s is not a file", path);
    if (access(path, R_OK))
        return sc_fail(err, sc_error_from_errno(errno), "model %s: %s", path, strerror(errno));
    if (!st.st_size)
        return sc_fail(err, SC_EDATA, "model %s is empty", path);
    return SC_OK;
}

static int check_params(const struct sc_session_params *params, sc_err *err)
{
    if (params->threads < 0 || params->threads > 1024 || params->device < 0)
        return sc_fail(err, SC_EARG, "threads are 0 to 1024, devices count from 0");
    if (params->path)
        return check_file(params->path, err);
    return params->size ? SC_OK : sc_fail(err, SC_EDATA, "the model is empty");
}

// Name of input or output i.
static int read_name(const sc_session *session, bool input, size_t i,
                     struct sc_tensor_info *info, sc_err *err)
{
    const sc_onnx *onnx = session->onnx;
    const struct ort_api *api = onnx->api;
    char *name = NULL;
    int ret = sc_onnx_check(onnx,
                            (input ? api->SessionGetInputName : api->SessionGetOutputName)(
                                session->session, i, onnx->allocator, &name),
                            "name", err);
    if (ret)
        return ret;
    if (!name)
        return sc_fail(err, SC_EDATA, "the model's %s %zu has no name",
                       input ? "input" : "output", i);
    if (strlen(name) >= sizeof(info->name))
        ret = sc_fail(err, SC_EUNSUPPORTED,
                      "the model's %s %zu has a name of more than %zu bytes",
                      input ? "input" : "output", i, sizeof(info->name) - 1);
    else
        snprintf(info->name, sizeof(info->name), "%s", name);
    api->AllocatorFree(onnx->allocator, name);
    return ret;
}

// A rank of 0 is what the library says of scalars and of tensors whose rank the graph leaves open.
static int read_shape(const sc_session *session, const ort_shape *shape,
                      struct sc_tensor_info *info, sc_err *err)
{
    const struct ort_api *api = session->onnx->api;
    int type = 0;
    size_t rank = 0;
    int ret =
        sc_onnx_check(session->onnx, api->GetTensorElementType(shape, &type), "type", err);
    if (!ret)
        ret = sc_onnx_check(session->onnx, api->GetDimensionsCount(shape, &rank), "rank", err);
    if (ret)
        return ret;
    if (rank > SC_TENSOR_MAX_RANK)
        return sc_fail(err, SC_EUNSUPPORTED, "the model's %s has %zu dimensions, at most %d",
                       info->name, rank, SC_TENSOR_MAX_RANK);
    info->type = type;
    info->rank = rank ? (int)rank : -1;
    ret =
        sc_onnx_check(session->onnx, api->GetDimensions(shape, info->dims, rank), "sizes", err);
    for (size_t i = 0; i < rank; i++)
        if (info->dims[i] < 0)
            info->dims[i] = -1;
    return ret;
}

static int read_tensor(const sc_session *session, bool input, size_t i,
                       struct sc_tensor_info *info, sc_err *err)
{
    const struct ort_api *api = session->onnx->api;
    ort_type *type = NULL;
    const ort_shape *shape = NULL;
    int ret = read_name(session, input, i, info, err);
    if (!ret)
        ret = sc_onnx_check(session->onnx,
                            (input ? api->SessionGetInputTypeInfo
                                   : api->SessionGetOutputTypeInfo)(session->session, i, &type),
                            "type", err);
    if (!ret)
        ret = sc_onnx_check(session->onnx, api->CastTypeInfoToTensorInfo(type, &shape), "type",
                            err);
    if (!ret && !shape)
        ret = sc_fail(err, SC_EUNSUPPORTED,
                      "the model's %s %s is not a tensor but a sequence or map",
                      input ? "input" : "output", info->name);
    if (!ret)
        ret = read_shape(session, shape, info, err);
    if (type)
        api->ReleaseTypeInfo(type);
    return ret;
}

static int read_tensors(sc_session *session, bool input, sc_err *err)
{
    const struct ort_api *api = session->onnx->api;
    struct sc_session_info *info = &session->info;
    size_t count = 0;
    int ret = sc_onnx_check(session->onnx,
                            (input ? api->SessionGetInputCount
                                   : api->SessionGetOutputCount)(session->session, &count),
                            "counts", err);
    if (ret)
        return ret;
    if (count < 1 || count > SC_SESSION_MAX_TENSORS)
        return sc_fail(err, SC_EUNSUPPORTED, "the model has %zu %ss: 1 to %d are supported",
                       count, input ? "input" : "output", SC_SESSION_MAX_TENSORS);
    for (size_t i = 0; i < count && !ret; i++)
        ret = read_tensor(session, input, i, input ? &info->input[i] : &info->output[i], err);
    *(input ? &info->inputs : &info->outputs) = (int)count;
    return ret;
}

static int take_metadata(sc_session *session, const ort_metadata *metadata, const char *key,
                         size_t *bytes, sc_err *err)
{
    const sc_onnx *onnx = session->onnx;
    char *value = NULL;
    int ret = sc_onnx_check(
        onnx,
        onnx->api->ModelMetadataLookupCustomMetadataMap(metadata, onnx->allocator, key, &value),
        "metadata", err);
    if (ret || !value)
        return ret;
    *bytes += strlen(key) + strlen(value);
    if (*bytes <= MAX_METADATA_BYTES)
        session->metadata[session->metadata_count++] =
            (struct sc_metadata){sc_xstrdup(key), sc_xstrdup(value)};
    else
        ret = sc_fail(err, SC_EUNSUPPORTED, "the model's metadata are more than %d MiB",
                      MAX_METADATA_BYTES >> 20);
    onnx->api->AllocatorFree(onnx->allocator, value);
    return ret;
}

static int take_all_metadata(sc_session *session, const ort_metadata *metadata, sc_err *err)
{
    const sc_onnx *onnx = session->onnx;
    char **keys = NULL;
    int64_t count = 0;
    size_t bytes = 0;
    int ret = sc_onnx_check(onnx,
                            onnx->api->ModelMetadataGetCustomMetadataMapKeys(
                                metadata, onnx->allocator, &keys, &count),
                            "metadata", err);
    if (!ret && count > MAX_METADATA)
        ret = sc_fail(err, SC_EUNSUPPORTED, "the model has %lld metadata, at most %d",
                      (long long)count, MAX_METADATA);
    if (!ret && count > 0)
        session->metadata = sc_xcalloc((size_t)count, sizeof(*session->metadata));
    for (int64_t i = 0; keys && i < count; i++) {
        if (!ret)
            ret = take_metadata(session, metadata, keys[i], &bytes, err);
        onnx->api->AllocatorFree(onnx->allocator, keys[i]);
    }
    if (keys)
        onnx->api->AllocatorFree(onnx->allocator, keys);
    return ret;
}

static int read_metadata(sc_session *session, sc_err *err)
{
    const struct ort_api *api = session->onnx->api;
    ort_metadata *metadata = NULL;
    int ret =
        sc_onnx_check(session->onnx, api->SessionGetModelMetadata(session->session, &metadata),
                      "metadata", err);
    if (!ret)
        ret = take_all_metadata(session, metadata, err);
    if (metadata)
        api->ReleaseModelMetadata(metadata);
    return ret;
}

// Messages of runs are kept to warnings, those of loading were not.
static int prepare_runs(sc_session *session, sc_err *err)
{
    const sc_onnx *onnx = session->onnx;
    int ret =
        sc_onnx_check(onnx, onnx->api->CreateRunOptions(&session->run_options), "options", err);
    if (!ret)
        ret = sc_onnx_check(
            onnx,
            onnx->api->RunOptionsSetRunLogSeverityLevel(session->run_options, ORT_WARNING),
            "options", err);
    return ret ? ret
               : sc_onnx_check(onnx,
                               onnx->api->CreateIoBinding(session->session, &session->binding),
                               "binding", err);
}

int sc_session_open(sc_session **psession, sc_onnx *onnx,
                    const struct sc_session_params *params, sc_err *err)
{
    *psession = NULL;
    int ret = check_params(params, err);
    if (ret)
        return ret;
    sc_session *session = sc_new(sc_session);
    session->onnx = onnx;
    ret = sc_session_load(session, params, err);
    if (!ret)
        ret = read_tensors(session, true, err);
    if (!ret)
        ret = read_tensors(session, false, err);
    if (!ret)
        ret = read_metadata(session, err);
    if (!ret)
        ret = prepare_runs(session, err);
    if (ret)
        sc_session_close(&session);
    *psession = session;
    return ret;
}

int sc_session_share(sc_session **psession, sc_session *of, sc_err *err)
{
    sc_session *session = sc_new(sc_session);
    session->onnx = of->onnx;
    session->origin = of->origin ? of->origin : of;
    session->session = of->session;
    session->info = of->info;
    int ret = prepare_runs(session, err);
    if (ret)
        sc_session_close(&session);
    *psession = session;
    return ret;
}

void sc_session_close(sc_session **psession)
{
    sc_session *session = psession ? *psession : NULL;
    if (!session)
        return;
    *psession = NULL;
    const struct ort_api *api = session->onnx->api;
    sc_session_drop_results(session);
    if (session->binding)
        api->ReleaseIoBinding(session->binding);
    if (session->run_options)
        api->ReleaseRunOptions(session->run_options);
    if (session->session && !session->origin)
        api->ReleaseSession(session->session);
    for (int i = 0; i < session->metadata_count; i++) {
        free(session->metadata[i].key);
        free(session->metadata[i].value);
    }
    free(session->metadata);
    sc_str_release(&session->reason);
    free(session);
}

const struct sc_session_info *sc_session_get_info(const sc_session *session)
{
    return &session->info;
}

const char *sc_session_metadata(const sc_session *session, const char *key)
{
    if (session->origin)
        session = session->origin;
    for (int i = 0; i < session->metadata_count; i++)
        if (!strcmp(session->metadata[i].key, key))
            return session->metadata[i].value;
    return NULL;
}
