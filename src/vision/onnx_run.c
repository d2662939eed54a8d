// One run: inputs checked against what the model declares, results taken where the library put them.
//
// Inputs and outputs are bound, on the CPU too, where it costs nothing: one path for all providers.
// Inputs come from host memory and outputs go there; the library moves them where a device wants
// them.
#include "base/mem.h"
#include "vision/onnx_internal.h"

// Bytes of a tensor of these sizes, all of them given; false if that is no number.
static bool tensor_bytes(enum sc_element type, const int64_t *dims, int rank, size_t *bytes)
{
    size_t n = sc_element_size(type);
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0 || __builtin_mul_overflow(n, (size_t)dims[i], &n))
            return false;
    *bytes = n;
    return n <= PTRDIFF_MAX;
}

// "(2,3,-1)" into text.
static const char *shape_text(char *text, size_t size, const int64_t *dims, int rank)
{
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; i < rank && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%lld", i ? "," : "", (long long)dims[i]);
    return text;
}

static bool fits(const struct sc_tensor_info *info, const struct sc_tensor *tensor)
{
    if (info->rank >= 0 && info->rank != tensor->rank)
        return false;
    for (int i = 0; i < tensor->rank && info->rank >= 0; i++)
        if (info->dims[i] >= 0 && info->dims[i] != tensor->dims[i])
            return false;
    return true;
}

static int check_input(const struct sc_tensor_info *info, const struct sc_tensor *tensor,
                       sc_err *err)
{
    char want[128], got[128];
    size_t bytes = 0;
    if (tensor->type != info->type || !sc_element_size(tensor->type))
        return sc_fail(err, SC_EDATA, "the model's input %s has elements of type %d, not %d",
                       info->name, (int)info->type, (int)tensor->type);
    sc_require(tensor->rank >= 0 && tensor->rank <= SC_TENSOR_MAX_RANK);
    shape_text(got, sizeof(got), tensor->dims, tensor->rank);
    if (!fits(info, tensor))
        return sc_fail(err, SC_EDATA, "the model's input %s wants sizes (%s), not (%s)",
                       info->name, shape_text(want, sizeof(want), info->dims, info->rank), got);
    if (!tensor_bytes(tensor->type, tensor->dims, tensor->rank, &bytes) ||
        bytes != tensor->size)
        return sc_fail(err, SC_EDATA, "input %s of sizes (%s) is not of %zu bytes", info->name,
                       got, tensor->size);
    return SC_OK;
}

static ort_status *bind_input(sc_session *session, int i, const struct sc_tensor *tensor)
{
    const sc_onnx *onnx = session->onnx;
    ort_value *value = NULL;
    ort_status *status = onnx->api->CreateTensorWithDataAsOrtValue(
        onnx->cpu, tensor->data, tensor->size, tensor->dims, (size_t)tensor->rank,
        (int)tensor->type, &value);
    if (!status)
        status = onnx->api->BindInput(session->binding, session->info.input[i].name, value);
    if (value)
        onnx->api->ReleaseValue(value); // the binding has its own share
    return status;
}

// Outputs are bound anew for each run: the library would else write into those of the last one,
// which may be of other sizes.
static ort_status *bind_and_run(sc_session *session, const struct sc_tensor *inputs)
{
    const sc_onnx *onnx = session->onnx;
    const struct ort_api *api = onnx->api;
    ort_status *status = NULL;
    for (int i = 0; i < session->info.inputs && !status; i++)
        status = bind_input(session, i, &inputs[i]);
    for (int i = 0; i < session->info.outputs && !status; i++)
        status =
            api->BindOutputToDevice(session->binding, session->info.output[i].name, onnx->cpu);
    if (!status)
        status = api->SynchronizeBoundInputs(session->binding);
    if (!status)
        status = api->RunWithBinding(session->session, session->run_options, session->binding);
    if (!status)
        status = api->SynchronizeBoundOutputs(session->binding);
    return status;
}

static ort_status *take_results(sc_session *session)
{
    const sc_onnx *onnx = session->onnx;
    ort_value **values = NULL;
    size_t count = 0;
    ort_status *status =
        onnx->api->GetBoundOutputValues(session->binding, onnx->allocator, &values, &count);
    if (status)
        // cppcheck-suppress returnDanglingLifetime; it points to nothing of this function
        return status;
    for (size_t i = 0; i < count; i++) {
        if (i < SC_SESSION_MAX_TENSORS)
            session->results[i] = values[i];
        else
            onnx->api->ReleaseValue(values[i]);
    }
    return values ? onnx->api->AllocatorFree(onnx->allocator, values) : NULL;
}

void sc_session_drop_results(sc_session *session)
{
    for (int i = 0; i < SC_SESSION_MAX_TENSORS; i++) {
        if (session->results[i])
            session->onnx->api->ReleaseValue(session->results[i]);
        session->results[i] = NULL;
    }
}

// Elements that tensor.h has no name for are handed out without their data.
static int describe(const sc_session *session, int i, const ort_shape *shape,
                    struct sc_tensor *out, sc_err *err)
{
    const sc_onnx *onnx = session->onnx;
    const struct ort_api *api = onnx->api;
    int type = 0;
    size_t rank = 0;
    int ret = sc_onnx_check(onnx, api->GetTensorElementType(shape, &type), "output", err);
    if (!ret)
        ret = sc_onnx_check(onnx, api->GetDimensionsCount(shape, &rank), "output", err);
    if (!ret && rank > SC_TENSOR_MAX_RANK)
        ret = sc_fail(err, SC_EDATA, "the model's output %s has %zu dimensions, at most %d",
                      session->info.output[i].name, rank, SC_TENSOR_MAX_RANK);
    if (!ret)
        ret = sc_onnx_check(onnx, api->GetDimensions(shape, out->dims, rank), "output", err);
    if (ret)
        return ret;
    out->type = type;
    out->rank = (int)rank;
    if (!tensor_bytes(out->type, out->dims, out->rank, &out->size))
        return sc_fail(err, SC_EDATA, "the model's output %s has impossible sizes",
                       session->info.output[i].name);
    return sc_element_size(out->type)
               ? sc_onnx_check(onnx, api->GetTensorMutableData(session->results[i], &out->data),
                               "output", err)
               : SC_OK;
}

static int hand_out(sc_session *session, struct sc_tensor *outputs, sc_err *err)
{
    const sc_onnx *onnx = session->onnx;
    for (int i = 0; i < session->info.outputs; i++) {
        ort_shape *shape = NULL;
        outputs[i] = (struct sc_tensor){0};
        if (!session->results[i])
            return sc_fail(err, SC_EDATA, "the model gave no output %s",
                           session->info.output[i].name);
        int ret = sc_onnx_check(
            onnx, onnx->api->GetTensorTypeAndShape(session->results[i], &shape), "output", err);
        if (!ret)
            ret = describe(session, i, shape, &outputs[i], err);
        if (shape)
            onnx->api->ReleaseTensorTypeAndShapeInfo(shape);
        if (ret)
            return ret;
    }
    return SC_OK;
}

// On a GPU whatever is neither the inputs' fault nor want of memory is the device's.
static int run_failed(const sc_session *session, enum ort_code code, const char *text,
                      sc_err *err)
{
    bool gpu = session->info.provider != SC_PROVIDER_CPU;
    bool inputs = code == ORT_INVALID_ARGUMENT || code == ORT_NOT_IMPLEMENTED;
    int ret = sc_onnx_code(text, code == ORT_EP_FAIL || (gpu && !inputs) ? SC_EIO : SC_EDATA);
    return sc_fail(err, ret, "the model's run failed: %s", text);
}

int sc_session_run(sc_session *session, const struct sc_tensor *inputs,
                   struct sc_tensor *outputs, sc_err *err)
{
    const struct ort_api *api = session->onnx->api;
    char text[300];
    for (int i = 0; i < session->info.inputs; i++) {
        int ret = check_input(&session->info.input[i], &inputs[i], err);
        if (ret)
            return ret;
    }
    sc_session_drop_results(session);
    ort_status *status = bind_and_run(session, inputs);
    if (!status)
        status = take_results(session);
    // The binding lets go of the caller's inputs, and of outputs that are now the session's.
    api->ClearBoundInputs(session->binding);
    api->ClearBoundOutputs(session->binding);
    enum ort_code code = sc_onnx_status(api, status, text, sizeof(text));
    return code ? run_failed(session, code, text, err) : hand_out(session, outputs, err);
}
