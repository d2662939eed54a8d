// A detector ready to run: session, contract, preparation, labels.
//
// Thread-safety: sc_model_detect on one thread at a time, sc_model_detect_on on one a lane, all of them
// beside each other; info is immutable after opening.
#pragma once

#include "vision/family.h"

typedef struct sc_model sc_model;

#define SC_MODEL_FLOOR                                                                         \
    0.05 // scores below this are never reported: answers are filtered above it

struct sc_model_params {
    const char *name; // [A-Za-z0-9_.-]{1,64}
    const char *path;
    const char
        *labels; // one a line (text, not a path), NULL = the model's own, or COCO, or numbers
    double threshold; // 0 = the family's
    int size;      // side of the input where the model leaves it open: a multiple of 32 up to
                   // 4096; 0 = what its metadata says, or 640
    int max_batch; // where the model leaves it open, up to 64; 0 = 16
    enum sc_provider provider;
    int device, threads;
    bool half;
    const char *cache_dir;
    sc_log *log;
};

struct sc_model_info {
    const char *name, *family, *path;
    int width, height; // of the input
    int batch;         // 0 = open
    int max_batch;     // pictures of a run; 1 where there are lanes
    int lanes;         // pictures that may run side by side, one a lane; 0 = none
    int classes;
    const char *const *labels; // classes of them
    double threshold;
    enum sc_element input_type;
    const struct sc_session_info *session; // provider, reason
    int64_t load_ns, warm_ns;              // opening; first run
    size_t bytes;                          // the file's
};

// Loads, finds and proves the contract by a warm run of one grey picture (or the static batch). Where
// the batch is open, a run of two follows: a model that cannot do it gets max_batch 1, and the log
// says so; then, where there are no lanes and two took so little that max_batch would take 200 ms at
// most, one of max_batch.
// Blocks. Errors as for sessions; SC_EUNSUPPORTED where no family fits, SC_EDATA where the warm run
// contradicts it, SC_EARG parameters, or labels that do not fit, SC_ELIMIT inputs beyond 4 GiB.
int sc_model_open(sc_model **pmodel, sc_onnx *onnx, const struct sc_model_params *params,
                  sc_err *err);
void sc_model_close(sc_model **pmodel);
const struct sc_model_info *sc_model_get_info(const sc_model *model);

// Any number of pictures, in runs of at most max_batch over all cores; a static batch is padded.
// views: one a frame, NULL = whole pictures. out[i] is the caller's; all NULL on failure. Blocks. SC_EUNSUPPORTED (pixel
// format), SC_EDATA (the model contradicts itself: other sizes than in its first run, a class
// without a label), SC_EIO (device lost), SC_ENOMEM.
int sc_model_detect(sc_model *model, sc_frame *const *frames, const struct sc_view *views,
                    int count, sc_detections **out, sc_err *err);

// One picture on one core: several at once, each on a lane of its own (0..lanes - 1), get more done
// than one after the other on all cores. Otherwise as sc_model_detect.
int sc_model_detect_on(sc_model *model, int lane, const sc_frame *frame,
                       const struct sc_view *view, sc_detections **out, sc_err *err);
