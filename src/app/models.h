// Models by name: where they come from, their loading in the background, their replacement.
//
// A model comes from the options (model, models-load), from the models folder (NAME.onnx, beside it
// NAME.labels with one label a line and NAME.json with threshold and size, both optional; what
// `saccade models fetch` notes in NAME.json besides is let be), with the
// program (PREFIX/share/saccade/models; loaded once somebody asks for models, as many servers are
// never asked), or by upload, which ends as files of that folder. One thread loads them, one after
// the other. What is loaded is an instance: a detector with its batcher,
// refcounted. A new file for a taken name is loaded beside the old instance, which answers until the
// new one is ready; requests under way end on the one they began with. A file that cannot be loaded
// leaves the old instance in place.
//
// Uploads are durable once they are ready: a file that brings the server down is not loaded again.
//
// Thread-safety: Safe, except that close comes last and an sc_model_upload has one owner.
#pragma once

#include "base/log.h"
#include "base/metrics.h"
#include "base/option.h"
#include "vision/model_batch.h"

#define SC_MODELS_MAX 64 // names

typedef struct sc_models sc_models;
typedef struct sc_instance sc_instance;
typedef struct sc_model_upload sc_model_upload;

// What sc_options_get(options, &sc_models_options) points to.
struct sc_models_settings {
    char *model;      // the default: a name, or the path of an .onnx file
    char *dir;        // "" = DATA-DIR/models
    char *load;       // NAME=PATH, separated by commas
    char *library;    // of ONNX Runtime, "" = look for it
    int64_t provider; // enum sc_provider
    int64_t device, threads, max_batch;
    bool half;
    int64_t memory;          // bytes of model files loaded at once
    int64_t max_upload;      // bytes
    int64_t detection_cache; // bytes
};
extern const sc_option_group sc_models_options;

// What loads and runs models: ONNX Runtime (detector.c), or a script in tests. All but start() may
// be called on different threads for different detectors, detect() on one thread at a time and lane.
struct sc_detector_ops {
    // Finds what all detectors need; called before each load. SC_EUNSUPPORTED: err says what to do.
    int (*start)(void *arg, sc_err *err);
    // As sc_model_open() etc.
    int (*open)(void *arg, void **pdetector, const struct sc_model_params *params, sc_err *err);
    void (*close)(void **pdetector);
    const struct sc_model_info *(*info)(void *detector);
    sc_model_detect_fn *detect;
};

struct sc_models_params {
    const struct sc_models_settings *settings; // borrowed
    const char *data_dir;
    const char *built_in; // folder of the program's models; NULL = beside the program
    const struct sc_detector_ops *ops;
    void *ops_arg;
    sc_log *log;
    sc_metrics *metrics;
};

// Reads the folder and begins to load. SC_EARG: an option makes no sense; SC_ENOMEM: no thread.
int sc_models_open(sc_models **pmodels, const struct sc_models_params *params, sc_err *err);
// A load under way ends first; waits until all instances are given back. NULL allowed.
void sc_models_close(sc_models **pmodels);

// [A-Za-z0-9_.-]{1,64}, not starting with a dot, not "pins".
bool sc_model_name_valid(const char *name);

// --- instances ----------------------------------------------------------------------------

// What an instance is, copied from its detector.
struct sc_instance_info {
    char name[65];
    uint64_t generation; // grows with each load of that name since the start
    uint64_t hash;       // of file, labels, size and provider: equal over restarts
    char family[32];
    int width, height; // of the input
    int max_batch;     // pictures of a run
    int lanes;         // runs side by side, where there may be several; else 0
    int classes;
    char **labels; // classes of them; NULL = numbers
    double threshold;
    enum sc_provider provider; // the one that really runs
    char reason[600];          // why that one
    bool half;
    int device;   // number of the GPU
    size_t bytes; // of the file
    int64_t load_ns, warm_ns;
};

// The one that answers for a name; NULL or "" = the default one. *pinstance is the caller's. Never
// blocks. err has field "model". SC_ENOTFOUND (err lists those that are ready), SC_EAGAIN (being
// loaded), SC_EDATA (loading failed, err says why), SC_EUNSUPPORTED (no model at all, or nothing
// to run one: err says what to do).
int sc_models_acquire(sc_models *models, const char *name, sc_instance **pinstance,
                      sc_err *err);
sc_instance *sc_instance_ref(sc_instance *instance);
void sc_instance_unref(sc_instance **pinstance); // NULL and &NULL allowed; never blocks
const struct sc_instance_info *sc_instance_get_info(const sc_instance *instance);
const char *sc_instance_provider(const sc_instance *instance); // "cpu", "cuda", ...
bool sc_instance_on_gpu(const sc_instance *instance);

// --- state --------------------------------------------------------------------------------

enum sc_model_state { SC_MODEL_LOADING, SC_MODEL_READY, SC_MODEL_FAILED };

struct sc_model_status {
    char name[65];
    const char *origin;        // "option", "folder", "upload", "built-in"
    enum sc_model_state state; // of what was given last
    char reason[1000];         // why that failed, else ""
    size_t bytes;              // of its file
    bool is_default;
    sc_instance *instance; // that answers now, NULL = none; a reference
};
// Up to max, by name; returns how many. Each is to be released.
int sc_models_list(sc_models *models, struct sc_model_status *out, int max);
int sc_models_get(sc_models *models, const char *name,
                  struct sc_model_status *out); // SC_ENOTFOUND
void sc_model_status_release(struct sc_model_status *status);

// Takes the name away; what runs ends. Its files in the models folder are removed; a model that the
// options name or that came with the program is back after the next start. Blocks. SC_ENOTFOUND.
int sc_models_delete(sc_models *models, const char *name);

struct sc_models_stats {
    int ready, on_gpu;       // models that answer
    size_t bytes;            // of loaded files
    uint64_t runs, pictures; // of all models since the start
    int64_t run_ns;          // all runs together
};
void sc_models_get_stats(sc_models *models, struct sc_models_stats *stats);

// --- uploads ------------------------------------------------------------------------------

struct sc_model_upload_params {
    const char *name;
    const char *labels; // text, one a line; NULL or "" = none
    double threshold;   // 0 = the model's
    int size;           // side of an open input; 0 = 640
};

// size_hint: bytes to come, 0 = unknown. SC_ELIMIT (beyond models-max-upload), SC_ENOSPACE (disk, or
// models-memory), SC_EIO. Blocks for the disk.
int sc_model_upload_open(sc_model_upload **pup, sc_models *models, int64_t size_hint,
                         sc_err *err);
int sc_model_upload_write(sc_model_upload *up, const void *data, size_t size, sc_err *err);
// Hands the file to the loader; always consumes the upload. SC_EARG (field), SC_ENOSPACE
// (models-memory), SC_ELIMIT (SC_MODELS_MAX), SC_EBUSY (too many loads of that name wait).
int sc_model_upload_finish(sc_model_upload **pup, const struct sc_model_upload_params *params,
                           sc_err *err);
void sc_model_upload_abort(sc_model_upload **pup); // NULL allowed; removes what was written

// --- files --------------------------------------------------------------------------------

// What NAME.labels and NAME.json beside a model's file say.
struct sc_model_beside {
    char *labels;     // text, one a line; NULL = no file
    double threshold; // 0 = not said
    int size;         // 0 = not said
};
// path: of the model. Files that are not there say nothing. SC_EDATA, SC_EIO and other errors of
// reading; *out is empty then, else to be released.
int sc_model_beside_read(struct sc_model_beside *out, const char *path, sc_err *err);
void sc_model_beside_release(struct sc_model_beside *beside);

// Folder i, from 0, of the models that come with the program: PREFIX/share where it is installed,
// models/ in a source tree. False after the last, or where path has no room.
bool sc_models_program_folder(int i, char *path, size_t size);
