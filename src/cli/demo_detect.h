// The demo's second half: what the model for the made clip finds, beside what is really there.
#pragma once

#include "base/log.h"
#include "cli/client.h"

#define SC_DEMO_MODEL "pitch"

struct sc_demo_match {
    sc_client *client;
    const char *video; // id
    int64_t frames;    // of the clip
    uint64_t seed;     // of its scene
    bool json;
};

// Waits for the model "pitch", counts objects in some frames, prints a table. Blocks. *pfailures grows
// by the frames in which nothing was found. A server without the model, or without ONNX Runtime, is
// told of and is no failure. SC_EIO: a request failed.
int sc_demo_detect(const struct sc_demo_match *match, int *pfailures, sc_err *err);
