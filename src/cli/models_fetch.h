// Fetching a detector into the models folder: NAME.onnx, NAME.json about it, pins.json.
//
// Thread-safety: Unsafe; the main thread only. Several processes may fetch at once.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct sc_fetch_args {
    const char *what;         // a well-known name or an address
    const char *name;         // NULL = the well-known one, or the address's last part
    const char *sha256;       // 64 digits; NULL = as published, or as first seen
    int64_t max_size;         // bytes
    int64_t retries, stall_s; // as for sc_download()
    bool force, json;
};

// Prints progress and the result. Errors as of sc_download(); SC_EDATA (not the file expected, or no
// model: not kept), SC_EEXISTS (the name is taken), SC_EUNSUPPORTED (err says how to make it).
int sc_models_fetch(const struct sc_fetch_args *args, const char *folder, sc_err *err);

// FOLDER/NAMEEND; the caller's.
char *sc_models_path(const char *folder, const char *name, const char *end);
