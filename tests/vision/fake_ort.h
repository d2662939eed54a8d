// A library that is ONNX Runtime, except that it says what a test tells it to about providers.
//
// It opens the real one and hands out its table with a few places changed, so sessions load and
// run (on the CPU), whatever provider they are told to run on.
#pragma once

#include <stddef.h>

struct fake_ort {
    const char *real;         // path of the real library; before the first use
    const char *version;      // NULL = the real one's
    const char *providers[8]; // compiled in, ends with NULL
    // What adding a provider answers; NULL = it is fine.
    const char *tensorrt_fails, *cuda_fails, *webgpu_fails;
    // What the session's log says in place of the real account of operators; NULL = nothing.
    const char *placements[4];
    int run_code; // with run_text: a run's status; 0 = runs
    const char *run_text;
    char said[2048]; // calls that were made, with their keys and values
};

// As the library's symbol "fake_ort".
extern struct fake_ort fake_ort;
