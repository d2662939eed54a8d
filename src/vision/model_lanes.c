// Lanes: runs of one thread each, side by side.
//
// A run that is spread over cores waits for all of them after every operator; two runs side by side
// wait for nothing. On the CPU, where a batch saves nothing either, several pictures therefore run
// one a lane, with the weights in common. A lone picture still has all cores in one session of its
// own.
#include "base/mem.h"
#include "base/pool.h"
#include "vision/model_internal.h"

#define MOST_BYTES (96 << 20) // of a file: larger models spread well, and are not kept twice
#define MOST_LANES 16

int sc_model_detect_on(sc_model *model, int lane, const sc_frame *frame,
                       const struct sc_view *view, sc_detections **out, sc_err *err)
{
    sc_require(lane >= 0 && lane < model->info.lanes);
    *out = NULL;
    return sc_model_detect_batch(model, &model->lanes[lane], &frame, view, 1, out, err);
}

static int open_lanes(sc_model *model, sc_onnx *onnx, const struct sc_model_params *params,
                      sc_err *err)
{
    const struct sc_session_params session = {
        .path = params->path, .provider = SC_PROVIDER_CPU, .threads = 1, .half = params->half};
    int ret = sc_session_open(&model->lanes[0].session, onnx, &session, err);
    for (int i = 0; !ret && i < model->info.lanes; i++) {
        struct sc_model_lane *lane = &model->lanes[i];
        if (i)
            ret = sc_session_share(&lane->session, model->lanes[0].session, err);
        if (!ret)
            ret = sc_model_lane_open(model, lane, err);
    }
    return ret;
}

int sc_model_lanes_open(sc_model *model, sc_onnx *onnx, const struct sc_model_params *params,
                        sc_err *err)
{
    int lanes = params->threads ? params->threads : sc_cpu_count();
    if (model->info.session->provider != SC_PROVIDER_CPU || model->contract.batch > 1 ||
        model->info.bytes > MOST_BYTES || lanes < 2)
        return SC_OK;
    model->info.lanes = lanes < MOST_LANES ? lanes : MOST_LANES;
    model->lanes = sc_xcalloc((size_t)model->info.lanes, sizeof(*model->lanes));
    int ret = open_lanes(model, onnx, params, err);
    if (ret < 0)
        return ret;
    model->info.max_batch = 1;
    return SC_OK;
}

void sc_model_lanes_close(sc_model *model)
{
    for (int i = model->info.lanes; i-- > 0;) // the first one's session is the others' too
        sc_model_lane_close(&model->lanes[i]);
    free(model->lanes);
    model->lanes = NULL;
    model->info.lanes = 0;
}
