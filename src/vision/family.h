// Detector families: one file each, one row in family.c.
//
// A family looks at what a session declares (names, ranks, sizes, element types, metadata) and
// either says what it is, or that it is none of its own. Never guesses: what does not fit exactly
// is refused. After one warm run, check() may refuse what only real shapes show.
//
// Thread-safety: rows are immutable; contracts are values.
#pragma once

#include "vision/detection.h"
#include "vision/onnx.h"
#include "vision/prepare.h"

#define SC_MODEL_MAX_CLASSES 4096

// What a session's inputs and outputs mean.
struct sc_contract {
    const struct sc_family *family;
    struct sc_prepare_params prepare;
    int image, sizes;          // input numbers; sizes: (N,2) int64 width, height, -1 = none
    int boxes, scores, labels; // output numbers as the family uses them, -1 = none
    int batch;                 // 0 = open, else pictures a run must have
    int classes;               // C
    bool any_size;     // H and W are open: prepare.width/height may be chosen, multiples of 32
    bool drop_last;    // the last class means 'no object'
    bool decoded;      // YOLOX: grid already applied
    double threshold;  // default
    double iou;        // of the suppression, 0 = none
    int most;          // objects at most
    char *labels_text; // owned: one label a line from the metadata, NULL = unknown
};

// Candidates of one picture, before they are detections; grows as needed, bounded.
struct sc_candidates {
    struct sc_detection *items;
    int count, room;
    int most; // bound; the lowest scores are dropped beyond it
};
// x1..y2 in tensor pixels. False when memory is out.
bool sc_candidates_add(struct sc_candidates *c, float x1, float y1, float x2, float y2,
                       float score, int class);

struct sc_family {
    const char *name;    // "yolox"
    const char *summary; // "YOLOX, grid undecoded"
    // True and *contract filled where the session is of this family. labels_text as found.
    bool (*match)(const sc_session *session, struct sc_contract *contract);
    // After the warm run with one picture (or the static batch): SC_EDATA and err say what does not fit.
    int (*check)(const struct sc_contract *contract, const struct sc_tensor *outputs,
                 sc_err *err);
    // Candidates of picture i of a run with at least this score.
    int (*read)(const struct sc_contract *contract, const struct sc_tensor *outputs, int i,
                float floor, struct sc_candidates *out);
};

extern const struct sc_family *const sc_families[]; // ends with NULL

// The family that fits. SC_EUNSUPPORTED: none; err lists inputs and outputs and what each family
// would want.
int sc_family_find(const sc_session *session, struct sc_contract *contract, sc_err *err);
void sc_contract_release(struct sc_contract *contract);

// Class-aware suppression (contract->iou), at most contract->most, mapped to the displayed picture,
// clipped, sorted by falling score. NULL when memory is out.
sc_detections *sc_candidates_finish(struct sc_candidates *c, const struct sc_contract *contract,
                                    const struct sc_mapping *mapping);
void sc_candidates_release(struct sc_candidates *c);
