#include "app/detector.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct sc_detector {
    // Immutable.
    char *library, *cache;
    sc_log *log;
    sc_onnx *onnx; // set once, by the loader's thread, before any model is opened
};

sc_detector *sc_detector_new(const struct sc_detector_params *params)
{
    sc_detector *detector = sc_new(sc_detector);
    detector->library = sc_xstrdup(params->library);
    detector->cache = sc_xstrdup(params->cache);
    detector->log = sc_log_child(params->log, "onnx");
    return detector;
}

void sc_detector_free(sc_detector **pdetector)
{
    sc_detector *detector = pdetector ? *pdetector : NULL;
    if (!detector)
        return;
    *pdetector = NULL;
    sc_onnx_close(&detector->onnx);
    sc_log_close(&detector->log);
    free(detector->library);
    free(detector->cache);
    free(detector);
}

// Again for each model as long as it fails: the library may be installed meanwhile.
static int start(void *arg, sc_err *err)
{
    sc_detector *detector = arg;
    if (detector->onnx)
        return 0;
    return sc_onnx_open(&detector->onnx, detector->library, detector->log, err);
}

// A library may have been built for TensorRT and stand on a machine without a GPU.
static bool may_use_tensorrt(const sc_detector *detector)
{
    const char *const *p = sc_onnx_get_info(detector->onnx)->providers;
    while (*p && !strstr(*p, "Tensorrt"))
        p++;
    return *p && !access("/dev/nvidiactl", F_OK);
}

static int open_model(void *arg, void **pmodel, const struct sc_model_params *params,
                      sc_err *err)
{
    sc_detector *detector = arg;
    struct sc_model_params full = *params;
    sc_model *model;
    if (may_use_tensorrt(detector)) {
        (void)mkdir(detector->cache, 0750); // where it fails, engines are not kept
        full.cache_dir = detector->cache;
    }
    int ret = sc_model_open(&model, detector->onnx, &full, err);
    if (!ret)
        *pmodel = model;
    return ret;
}

static void close_model(void **pmodel)
{
    sc_model *model = *pmodel;
    *pmodel = NULL;
    sc_model_close(&model);
}

static const struct sc_model_info *get_info(void *model)
{
    return sc_model_get_info(model);
}

const struct sc_detector_ops sc_detector_onnx = {start, open_model, close_model, get_info,
                                                 sc_model_detect_either};
