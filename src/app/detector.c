#include "app/detector.h"

#include "base/mem.h"

struct sc_detector {
    char *library;
    sc_log *log;
};

sc_detector *sc_detector_new(const char *library, sc_log *log)
{
    sc_detector *detector = sc_new(sc_detector);
    detector->library = sc_xstrdup(library);
    detector->log = log;
    return detector;
}

void sc_detector_free(sc_detector **pdetector)
{
    sc_detector *detector = pdetector ? *pdetector : NULL;
    if (!detector)
        return;
    *pdetector = NULL;
    free(detector->library);
    free(detector);
}

static int start(void *arg, sc_err *err)
{
    (void)arg;
    return sc_fail(err, SC_EUNSUPPORTED, "this build cannot run models");
}

const struct sc_detector_ops sc_detector_onnx = {.start = start};
