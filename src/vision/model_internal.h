// A model's parts, shared by its opening (model.c) and its runs (model_run.c).
#pragma once

#include "vision/labels.h"
#include "vision/model.h"

struct sc_model {
    // Immutable after opening.
    struct sc_model_info info;
    char *name, *path;
    sc_session *session;
    struct sc_contract contract;
    struct sc_labels labels;
    sc_log *log;
    // Of whoever runs it.
    sc_prepare *prepare;
    size_t picture;        // bytes of one prepared picture
    unsigned char *images; // room for `room` of them, aligned to 64
    unsigned char *one;    // an aligned picture, where those in a batch are not
    int64_t *sizes;        // width and height, room of them
    int room;
    float *wide[SC_SESSION_MAX_TENSORS]; // float16 outputs as float32
    size_t wide_room[SC_SESSION_MAX_TENSORS];
    struct sc_tensor shape[SC_SESSION_MAX_TENSORS]; // as check() has seen them, without data
    bool checked;
    struct sc_candidates candidates;
};

// Makes room for a run of `count` pictures. SC_ENOMEM, SC_ELIMIT.
int sc_model_reserve(sc_model *model, int count, sc_err *err);
// Frame -> place `i` of the next run.
int sc_model_place(sc_model *model, const sc_frame *frame, const struct sc_view *view, int i,
                   struct sc_mapping *mapping, sc_err *err);
// Runs what was placed. Outputs that the family uses are float32 or int64, of the sizes it has seen
// (any before `checked`), valid until the next run.
int sc_model_run(sc_model *model, int count, struct sc_tensor *outputs, sc_err *err);
