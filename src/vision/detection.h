// What a detector found in one picture.
//
// Thread-safety: Safe to ref/unref from any thread; immutable once shared.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/ref.h"

struct sc_detection {
    float x1, y1, x2, y2; // pixels of the displayed picture, x1 <= x2, y1 <= y2, inside it
    float score;          // 0..1
    int class;            // index into the model's labels
    int64_t track;        // 0 = none
};

typedef struct sc_detections {
    sc_ref ref;        // internal
    int width, height; // of the displayed picture, pixels
    int count;
    int batch;                             // pictures in the run that found these
    int64_t prepare_ns, run_ns, decode_ns; // of that run, each
    struct sc_detection items[]; // by falling score; equal scores as the model gave them
} sc_detections;

// Room for count items, all zero. NULL when memory is out or count is negative or above 100,000.
sc_detections *sc_detections_new(int count);
sc_detections *sc_detections_ref(sc_detections *detections);
void sc_detections_unref(sc_detections **pdetections); // NULL and &NULL allowed; writes NULL
// How many items have at least this score: they are the first ones.
int sc_detections_above(const sc_detections *detections, double threshold);
// Those that are to be shown: with at least this score, or with a track. NULL when memory is out.
sc_detections *sc_detections_choose(const sc_detections *detections, double threshold);
// Memory held, for budgets.
size_t sc_detections_bytes(const sc_detections *detections);
