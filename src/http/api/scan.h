// Detections of many frames, asked for ahead so that batches form, handed out in order.
//
// As many frames are under way as fill two batches. Where the model's queue is full a patient scan
// tries again a little later.
//
// Refcounted: whoever started it holds one reference, it holds itself while it goes on.
//
// Thread-safety: Safe.
#pragma once

#include "app/detections.h"
#include "http/timers.h"

typedef struct sc_scan sc_scan;

struct sc_scan_params {
    sc_app *app;
    sc_timers *timers;
    sc_video *video;                       // referenced by the scan,
    sc_instance *instance;                 // likewise
    int64_t (*frame)(void *arg, size_t i); // number of the i-th frame; pure
    size_t count;
    enum sc_batch_priority priority;
    bool patient;
    // Under the scan's lock, one at a time; they must not block nor call the scan. May more be asked
    // for? NULL = always.
    bool (*ready)(void *arg);
    // The i-th result, in order; ret and err as sc_detect_fn has them. found is borrowed.
    void (*on_result)(void *arg, size_t i, int ret, const sc_detections *found,
                      const sc_err *err);
    // After the last result, or once nothing is under way after a cancel.
    void (*on_end)(void *arg, bool cancelled);
    void *arg;
    void (*release)(void *arg); // with the last reference; NULL = nothing
};

sc_scan *sc_scan_new(const struct sc_scan_params *params); // begins with the first pump
void sc_scan_pump(sc_scan *scan);                          // ready() may say something else now
void sc_scan_cancel(sc_scan *scan);                        // no more results; idempotent
sc_scan *sc_scan_ref(sc_scan *scan);
void sc_scan_unref(sc_scan **pscan);
