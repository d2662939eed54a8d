// Models on ONNX Runtime, as the registry wants them.
//
// Thread-safety: as struct sc_detector_ops says.
#pragma once

#include "app/models.h"

typedef struct sc_detector sc_detector; // the runtime, opened when the first model is

sc_detector *sc_detector_new(const char *library, sc_log *log); // never NULL
void sc_detector_free(sc_detector **pdetector);                 // after all models

extern const struct sc_detector_ops sc_detector_onnx; // its arg is an sc_detector
