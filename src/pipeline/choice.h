// What a pipeline's pictures run on, found out once by looking at the machine.
//
// Thread-safety: pure.
#pragma once

#include <stdbool.h>

enum sc_pipeline_kind { SC_PIPELINE_CPU };

struct sc_pipeline_choice {
    enum sc_pipeline_kind kind;
    const char *name; // "cpu"
    bool gpu;         // there is one, whether it is used or not
    char reason[300]; // why this one, in words
};

// Opens nothing and takes no memory; a few microseconds.
void sc_pipeline_choose(struct sc_pipeline_choice *choice);
