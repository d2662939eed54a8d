// What the families share: looking at declarations, at Ultralytics' metadata, at values.
#pragma once

#include "vision/family.h"

// The sides of what strides of 32 divide.
#define SC_FAMILY_SIDE 32

// Finds the image input by name: rank 4, three channels first, float32 or float16, both sides
// fixed (multiples of `multiple`) or both open. Fills image, batch, any_size, prepare's size
// (SC_FAMILY_OPEN_SIDE where open), type and scale (1/255).
#define SC_FAMILY_OPEN_SIDE 640
bool sc_match_image(const struct sc_model_facts *facts, const char *name, int multiple,
                    struct sc_contract *contract);

// An output by name and rank with floats (or type, where not 0), whose batch agrees with the
// contract's; a batch fixed by the output only is taken over. NULL where there is none such.
const struct sc_tensor_info *sc_match_output(const struct sc_model_facts *facts,
                                             const char *name, int rank, enum sc_element type,
                                             struct sc_contract *contract, int *number);

// 1..max, as an int; 0 otherwise (open sizes).
int sc_match_size(int64_t size, int max);

// Predictions of one stride each for the strides from first to last (powers of two).
int64_t sc_anchors(int width, int height, int first, int last);

enum sc_answer { SC_UNTOLD, SC_NO, SC_YES };

// What Ultralytics' exporter wrote.
struct sc_ultralytics {
    bool detect;            // no task is named, or 'detect'
    enum sc_answer end2end; // its boxes are final ("end2end", or "nms" among the arguments)
    bool rtdetr;            // the description says so
    int width, height;      // "imgsz", 0 = not told
    int names;              // classes named, 0 = none
    bool unreadable;        // named, but damaged
    char *labels_text;      // owned
};
void sc_ultralytics_read(const struct sc_model_facts *facts, struct sc_ultralytics *u);
// False where the names contradict `classes` (0 = not told by shapes). Takes the labels over.
bool sc_ultralytics_names(struct sc_ultralytics *u, struct sc_contract *contract, int classes);
// Where sides are open, the model's own default.
void sc_ultralytics_size(const struct sc_ultralytics *u, struct sc_contract *contract);
void sc_ultralytics_release(struct sc_ultralytics *u);

// Checks of values and shapes after a run. SC_EDATA and err.
int sc_check_shape(const struct sc_tensor *t, const char *what, int rank, int64_t d0,
                   int64_t d1, int64_t d2, sc_err *err);                        // -1 = any size
int sc_check_unit(const float *v, size_t count, const char *what, sc_err *err); // scores: 0..1
// Boxes as parts of the picture: rows of four, `step` floats apart.
int sc_check_normalised(const float *v, size_t rows, size_t step, sc_err *err);
// One class number of a model that reveals them only by use.
int sc_check_class(const struct sc_contract *contract, double class, sc_err *err);

// Index of the greatest of n >= 1 values, the first of equals.
int sc_best(const float *v, int n);
