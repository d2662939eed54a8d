// Models on ONNX Runtime, as the registry wants them.
//
// Thread-safety: as struct sc_detector_ops says.
#pragma once

#include "app/models.h"

typedef struct sc_detector sc_detector; // the runtime, opened when the first model is

struct sc_detector_params {
    const char *library; // path of ONNX Runtime, "" = look for it
    const char *cache;   // folder for TensorRT's engines, made when it is needed
    sc_log *log;
};
sc_detector *sc_detector_new(const struct sc_detector_params *params); // never NULL
void sc_detector_free(sc_detector **pdetector);                        // after all models

extern const struct sc_detector_ops sc_detector_onnx; // its arg is an sc_detector
