// A model's parts, shared by its opening (model.c), its runs (model_run.c) and its lanes
// (model_lanes.c).
#pragma once

#include "vision/labels.h"
#include "vision/model.h"

// All that one run at a time needs.
struct sc_model_lane {
    sc_session *session;
    sc_prepare *prepare;
    unsigned char *images; // room for `room` pictures, aligned to 64
    unsigned char *one;    // an aligned picture, where those in a batch are not
    int64_t *sizes;        // width and height, room of them
    struct sc_mapping *mappings;
    int room;
    float *widened[SC_SESSION_MAX_TENSORS];      // float16 outputs as float32
    size_t widened_room[SC_SESSION_MAX_TENSORS]; // floats
    struct sc_candidates candidates;
};

struct sc_model {
    // Immutable after opening.
    struct sc_model_info info;
    char *name, *path;
    struct sc_contract contract;
    struct sc_labels labels;
    sc_log *log;
    size_t picture;                                 // bytes of one prepared picture
    struct sc_tensor shape[SC_SESSION_MAX_TENSORS]; // as check() has seen them, without data
    bool checked;
    // Of whoever runs it.
    struct sc_model_lane wide;   // all threads in one run
    struct sc_model_lane *lanes; // info.lanes of them, one thread each; NULL = none
};

// The model's preparation and candidates; its session comes first.
int sc_model_lane_open(const sc_model *model, struct sc_model_lane *lane, sc_err *err);
void sc_model_lane_close(struct sc_model_lane *lane);

// Makes room for a run of `count` pictures. SC_ENOMEM, SC_ELIMIT.
int sc_model_reserve(const sc_model *model, struct sc_model_lane *lane, int count, sc_err *err);
// Frame -> place `i` of the next run.
int sc_model_place(const sc_model *model, struct sc_model_lane *lane, const sc_frame *frame,
                   const struct sc_view *view, int i, sc_err *err);
// Runs what was placed. Outputs that the family uses are float32 or int64, of the sizes it has seen
// (any before `checked`), valid until the next run.
int sc_model_run(const sc_model *model, struct sc_model_lane *lane, int count,
                 struct sc_tensor *outputs, sc_err *err);
// One run over `count` pictures, at most max_batch. Nothing is left in out on failure.
int sc_model_detect_batch(const sc_model *model, struct sc_model_lane *lane,
                          const sc_frame *const *frames, const struct sc_view *views, int count,
                          sc_detections **out, sc_err *err);

// Lanes where they pay: on the CPU, for models of moderate size. `threads` as in the parameters.
int sc_model_lanes_open(sc_model *model, sc_onnx *onnx, const struct sc_model_params *params,
                        sc_err *err);
void sc_model_lanes_close(sc_model *model);
