// What the files of sc_models share: registry (models.c), loading and instances (models_load.c),
// files (models_files.c), what lies beside a model (models_beside.c).
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "app/models.h"
#include "base/ref.h"
#include "base/str.h"
#include "vision/model_batch.h"

#define SC_MODEL_MAX_BATCH  64
#define SC_MODEL_LABELS_MAX (256 << 10) // bytes of labels
#define SC_MODEL_SIZE_MAX   4096

struct sc_instance {
    sc_ref ref;
    // Immutable.
    sc_models *models;
    struct sc_instance_info info;
    uint64_t uid; // within this process
    sc_batcher *batcher;
    // Owned by the batcher's threads.
    void *detector;
    struct sc_model_params params; // to open it again
    char *path, *labels;

    sc_instance *next_dead; // under models->lock
};

// What is to be loaded.
struct sc_model_file {
    char *path;
    char *labels; // NULL = look for NAME.labels beside it
    double threshold;
    int size;
    bool upload; // a temporary file: stored under the name once it is ready, else removed
    size_t bytes;
};

struct sc_model_job {
    struct sc_model_job *next;
    uint64_t entry; // the id of the one it is for, which may be gone
    char name[65];
    uint64_t generation;
    struct sc_model_file file;
};

enum sc_model_origin {
    SC_ORIGIN_OPTION,
    SC_ORIGIN_FOLDER,
    SC_ORIGIN_UPLOAD,
    SC_ORIGIN_BUILT_IN
};

// A name.
struct sc_model_entry {
    uint64_t id;
    char name[65];
    enum sc_model_origin origin;
    int pending; // loads that wait or run
    int ret;     // of the last one
    char reason[1000];
    bool no_runtime; // it failed for want of a runtime
    uint64_t generation;
    size_t bytes;          // of the last file
    sc_instance *instance; // that answers, a reference
};

struct sc_models {
    // Immutable after open.
    const struct sc_models_settings *settings;
    const struct sc_detector_ops *ops;
    void *ops_arg;
    sc_log *log;
    sc_metrics *metrics;
    char *dir, *built_in; // NULL = beside the program
    char *default_name;   // "" = the first
    pthread_t thread;
    bool started;

    pthread_mutex_t files; // held over changes of the folder; taken before lock

    pthread_mutex_t lock; // never held over I/O
    pthread_cond_t wake;  // of the loader, and of close
    // Under lock.
    struct sc_model_entry entries[SC_MODELS_MAX]; // options first, then as they came
    int count;
    uint64_t next_id;
    struct sc_model_job *jobs;  // first in, first out
    struct sc_model_job *later; // the program's own, until somebody asks for models
    size_t bytes;               // of files loaded or waiting
    int live;                   // instances
    sc_instance *dead;
    bool closing;

    atomic_uint_least64_t next_uid, runs, pictures;
    atomic_int_least64_t run_ns;
};

// --- registry (models.c) ------------------------------------------------------------------

// Queues a file for a name (a new entry where there is none), taking the file over in every case.
// SC_ENOSPACE, SC_ELIMIT, SC_EBUSY.
int sc_models_enqueue(sc_models *models, const char *name, enum sc_model_origin origin,
                      struct sc_model_file *file, sc_err *err);
// Without asking for it.
bool sc_models_known(sc_models *models, const char *name);
// A load has ended: instance is taken over, NULL with ret and err.
void sc_models_finish(sc_models *models, const struct sc_model_job *job, sc_instance *instance,
                      int ret, const sc_err *err, bool no_runtime);
// Is the entry of this job still there?
bool sc_models_wanted(sc_models *models, const struct sc_model_job *job);

// --- loading (models_load.c) --------------------------------------------------------------

void *sc_models_loader(void *models);                   // the thread
void sc_models_reap(sc_models *models);                 // frees instances; blocks
void sc_models_unload(sc_models *models, size_t bytes); // gives bytes back to the budget

// --- files (models_files.c) ---------------------------------------------------------------

void sc_model_file_release(struct sc_model_file *file); // removes a temporary file
// Fills in labels, threshold and size from the files beside it. SC_EDATA.
int sc_model_file_complete(struct sc_model_file *file, sc_err *err);
// Hash and size of the file. SC_EIO, SC_ENOTFOUND.
int sc_model_file_hash(struct sc_model_file *file, uint64_t *hash, sc_err *err);
// Moves a temporary file and its settings to their names in the folder. SC_EIO, SC_ENOSPACE.
int sc_models_store(sc_models *models, const char *name, struct sc_model_file *file,
                    sc_err *err);
void sc_models_remove_files(sc_models *models, const char *name);
// Queues what the folder and PREFIX/share hold; leftovers of uploads are removed.
void sc_models_scan(sc_models *models);
