// Detector families: one file each, one row in family.c.
//
// A family looks at what a session declares (names, ranks, sizes, element types, metadata) and
// either says what it is, or that it is none of its own. Never guesses: what does not fit exactly
// is refused, and so is what fits two. After one warm run, check() refuses what only real values
// show, and settles what the declarations leave open.
//
// Families see float32 and int64 only: whoever runs the session widens float16 (vision/half.h).
//
// Thread-safety: rows are immutable; contracts and candidates are values of one owner.
#pragma once

#include "vision/detection.h"
#include "vision/onnx.h"
#include "vision/prepare.h"

#define SC_MODEL_MAX_CLASSES 4096

// What a model says of itself. metadata gives NULL where there is no such key.
struct sc_model_facts {
    const struct sc_session_info *session;
    const char *(*metadata)(const void *arg, const char *key);
    const void *arg;
};

// What a session's inputs and outputs mean.
struct sc_contract {
    const struct sc_family *family;
    struct sc_prepare_params prepare;
    int image, sizes;          // input numbers; sizes: (N,2) int64 width, height, -1 = none
    int boxes, scores, labels; // output numbers as the family uses them, -1 = none
    int batch;                 // 0 = open, else pictures a run must have
    int batch_most;            // where batch is open: the model's own bound, 0 = none
    int classes;               // real ones, without 'no object'; 0 = the outputs do not tell
    bool any_size;     // H and W are open: prepare.width/height may be chosen, multiples of 32
    bool drop_last;    // the last class slot means 'no object'
    bool last_unsure;  // nothing tells whether it does; labels one fewer than classes settle it
    bool decoded;      // YOLOX: grid already applied; settled by check()
    bool unreadable;   // the metadata has names, but damaged ones: no COCO names instead
    double threshold;  // default
    double iou;        // of the suppression, 0 = none
    int most;          // objects at most
    char *labels_text; // owned: one label a line from the metadata, NULL = unknown
};

// Candidates of one picture, before they are detections; grows as needed, bounded. Zero it, set most.
struct sc_candidates {
    struct sc_detection *items; // track holds the order of arrival
    int count, room;
    int most; // bound; the lowest scores are dropped beyond it
    int64_t seen;
    float floor; // of what may still enter, once something was dropped
};

#define SC_CANDIDATES_MOST 30000

// x1..y2 in tensor pixels. What is not finite, or empty, is left out. False when memory is out.
bool sc_candidates_add(struct sc_candidates *c, float x1, float y1, float x2, float y2,
                       float score, int class);

struct sc_family {
    const char *name;    // "yolox"
    const char *summary; // "YOLOX, grid undecoded"
    const char *wants;   // inputs -> outputs, for the error that lists what would fit
    // True and *contract (zeroed by the caller, released by it in any case) filled where the model
    // is of this family.
    bool (*match)(const struct sc_model_facts *facts, struct sc_contract *contract);
    // After a run with `count` pictures: SC_EDATA and err say what contradicts the contract.
    int (*check)(struct sc_contract *contract, const struct sc_tensor *outputs, int count,
                 sc_err *err);
    // Candidates of picture i of a run whose shapes check() has seen, with at least this score.
    // SC_ENOMEM; SC_EDATA: a class beyond contract->classes.
    int (*read)(const struct sc_contract *contract, const struct sc_tensor *outputs, int i,
                float floor, struct sc_candidates *out);
};

extern const struct sc_family *const sc_families[]; // ends with NULL

// The family that fits. SC_EUNSUPPORTED: none, or more than one; err lists inputs and outputs and
// what each family would want. Release the contract in any case.
int sc_family_find(const struct sc_model_facts *facts, struct sc_contract *contract,
                   sc_err *err);
void sc_contract_release(struct sc_contract *contract); // zeroes it; NULL allowed

// Class-aware suppression (contract->iou), at most contract->most, mapped to the displayed picture,
// clipped, sorted by falling score, equal ones as they came. NULL when memory is out. The
// candidates are used up: c is empty and ready for the next picture.
sc_detections *sc_candidates_finish(struct sc_candidates *c, const struct sc_contract *contract,
                                    const struct sc_mapping *mapping);
void sc_candidates_release(struct sc_candidates *c);
