// A trial: a graph of one addition, loaded and run, to see that the library works and where.
#include "base/mem.h"
#include "vision/onnx.h"

// y = x + x for four floats, as protobuf: ModelProto, ONNX's onnx.proto, opset 13.
static const unsigned char graph[] = {
    0x08, 7,                              // ir_version
    0x3a, 57,                             // graph: 57 bytes
    0x0a, 14,                             //   node: 14 bytes
    0x0a, 1,  'x',  0x0a, 1,    'x',      //     inputs
    0x12, 1,  'y',                        //     output
    0x22, 3,  'A',  'd',  'd',            //     operator
    0x12, 5,  't',  'r',  'i',  'a', 'l', //   name
    0x5a, 15, 0x0a, 1,    'x',            //   input x, of
    0x12, 10, 0x0a, 8,    0x08, 1,        //     type tensor of float32, of
    0x12, 4,  0x0a, 2,    0x08, 4,        //     shape (4)
    0x62, 15, 0x0a, 1,    'y',            //   output y, likewise
    0x12, 10, 0x0a, 8,    0x08, 1,        //
    0x12, 4,  0x0a, 2,    0x08, 4,        //
    0x42, 4,  0x0a, 0,    0x10, 13,       // opset_import: ONNX's own, 13
};

static int add(sc_session *session, sc_err *err)
{
    float values[] = {0, 1, -2.5f, 1e30f};
    struct sc_tensor sum, x = {.type = SC_FLOAT32,
                               .rank = 1,
                               .dims = {SC_COUNT(values)},
                               .data = values,
                               .size = sizeof(values)};
    int ret = sc_session_run(session, &x, &sum, err);
    if (ret)
        return ret;
    for (size_t i = 0; i < SC_COUNT(values); i++)
        if (sum.size != sizeof(values) || ((const float *)sum.data)[i] != 2 * values[i])
            return sc_fail(err, SC_EIO, "ONNX Runtime's %s adds wrong",
                           sc_session_get_info(session)->provider_name);
    return SC_OK;
}

int sc_onnx_try(sc_onnx *onnx, enum sc_provider provider, int device,
                struct sc_onnx_trial *trial, sc_err *err)
{
    const struct sc_session_params params = {
        .data = graph, .size = sizeof(graph), .provider = provider, .device = device};
    sc_session *session = NULL;
    int ret = sc_session_open(&session, onnx, &params, err);
    if (!ret)
        ret = add(session, err);
    if (!ret) {
        const struct sc_session_info *info = sc_session_get_info(session);
        trial->provider = info->provider;
        trial->provider_name = info->provider_name;
        snprintf(trial->reason, sizeof(trial->reason), "%s", info->reason);
    }
    sc_session_close(&session);
    return ret;
}
