// Detectors that people ask for by name: where their projects publish them, or how to make them.
//
// Thread-safety: Safe; constants.
#pragma once

struct sc_known_model {
    const char *name;
    const char *url;     // as the project publishes it; NULL = it publishes no ONNX file
    const char *sha256;  // as a public source states it; NULL = none does
    int size;            // side of the input
    const char *licence; // SPDX
    const char *project;
    const char *how; // where url is NULL: commands that make the file
};

// Ends with a row whose name is NULL.
extern const struct sc_known_model sc_known_models[];

const struct sc_known_model *sc_known_model_find(const char *name); // NULL = not known
