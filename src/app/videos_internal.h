// What the files of sc_videos share: the registry, a video, the order in which things live.
//
// A video's life: an id is reserved (slot without video), its bytes become a blob, the index is
// written, the row makes it exist, publishing makes it visible. Deleting goes the other way: row,
// slot, and when the last reference is gone the index file and the blob. A crash between any two
// steps leaves files without a row at worst, which the next open removes (stored.c).
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "app/videos.h"
#include "base/cache.h"
#include "base/cancel.h"
#include "base/pool.h"
#include "store/blobs.h"
#include "store/rows.h"

#define SC_VIDEOS_TABLE "videos"

struct sc_video {
    sc_ref ref;

    // Immutable once visible.
    sc_videos *videos;
    struct sc_video_info info; // without the verdict, which the reader's index knows
    char key[SC_BLOB_KEY_SIZE];
    char *path, *index_path;
    uint64_t uid;      // within this process: what caches know it by
    uint64_t secret;   // seeds hashes of what clients choose, against made-up collisions
    sc_index *index;   // NULL: damaged beyond indexing, kept invisible until it is deleted
    sc_reader *reader; // NULL likewise

    atomic_bool deleted; // its row is gone or going; files go with the last reference

    // Owned by the opening thread, then by the verifier.
    bool present;  // the blob was seen
    bool verified; // a verification was tried

    sc_video *next_dead; // under videos->lock
};

// A place in the registry; without a video it is an id that an upload has reserved.
struct sc_slot {
    char id[65];
    sc_video *video;
};

typedef struct sc_pictures sc_pictures;
typedef struct sc_verifier sc_verifier;

struct sc_videos {
    // Immutable after open.
    sc_log *log;
    sc_rows *rows;
    sc_blobs *blobs;
    sc_reader_engine *engine;
    sc_inference *inference;
    char *index_dir;
    const struct sc_app_settings *settings;
    int threads;
    sc_pool *pool;   // short work only: encoding, freeing
    sc_cache *cache; // of sc_answer
    sc_cancel *cancel;
    sc_pictures *pictures;
    sc_verifier *verifier; // NULL unless asked for
    sc_counter *uploads_total, *upload_bytes_total, *upload_failures_total;
    void (*step)(void *arg, const char *name); // tests cut the power here; NULL otherwise
    void *step_arg;

    pthread_mutex_t lock; // never held over I/O or a callback
    pthread_cond_t quiet; // signalled when live falls

    // Under lock.
    struct sc_slot *slots; // sorted by id
    size_t count, cap;
    int64_t visible;
    int64_t live;   // sc_video objects
    sc_video *dead; // unreferenced, to be freed where blocking is allowed
    bool reaping;   // a task that will see all of dead is posted

    atomic_uint_least64_t next_uid; // also used by opening workers
    atomic_bool closing;            // read without lock by request threads
    atomic_uint_least64_t uploads, upload_bytes;
};

struct sc_videos_params {
    const struct sc_app_settings *settings; // borrowed
    sc_log *log;
    sc_metrics *metrics;
    sc_rows *rows;
    sc_blobs *blobs;
    sc_reader_engine *engine;
    sc_inference *inference;
    const char *index_dir; // exists
    int threads;           // at least 1
    bool fresh;            // the rows were created just now: there can be no blobs yet
};

// Blocks as sc_app_open() does. All pointers are borrowed for the videos' life.
int sc_videos_open(sc_videos **pvideos, const struct sc_videos_params *params, sc_err *err);
void sc_videos_stop(sc_videos *videos); // as sc_app_stop()
// Nobody may call any more; waits for the last reference to each video. NULL allowed.
void sc_videos_close(sc_videos **pvideos);

// For tests: fn is called between the steps of uploads and deletes.
void sc_videos_on_step(sc_videos *videos, void (*fn)(void *arg, const char *name), void *arg);

static inline void sc_videos_step(sc_videos *videos, const char *name)
{
    if (videos->step)
        videos->step(videos->step_arg, name);
}

// --- registry (videos.c) ------------------------------------------------------------------

int sc_videos_reserve(sc_videos *videos, const char *id); // SC_EEXISTS
void sc_videos_unreserve(sc_videos *videos, const char *id);
// Puts video into its slot (made if none was reserved) with a reference of the registry's own.
void sc_videos_publish(sc_videos *videos, sc_video *video);

// A video without index, reader and slot, with one reference. info is copied.
sc_video *sc_video_new(sc_videos *videos, const struct sc_video_info *info, const char *key);
// Gives it its index (taken over) and reader.
void sc_video_attach(sc_video *video, sc_index *index);
// Deletes index file and blob; for videos that have no row (any more).
void sc_video_remove_files(sc_video *video);

// --- rows and files (stored.c) ------------------------------------------------------------

int sc_video_insert_row(sc_video *video, sc_err *err);
// Reads the rows, reconciles rows, blobs and index files, maps indexes, publishes.
int sc_videos_load(sc_videos *videos, bool fresh, sc_err *err);

// --- pictures (query.c, pictures.c) -------------------------------------------------------

// The answer's place in the cache.
sc_key sc_video_answer_key(sc_video *video, int64_t n, const struct sc_picture_query *query);

sc_pictures *sc_pictures_new(sc_videos *videos, sc_metrics *metrics);
void sc_pictures_free(sc_pictures **ppics); // no request may be under way
void sc_pictures_get_stats(sc_pictures *pics, struct sc_videos_stats *stats);

// --- verification (verify.c) --------------------------------------------------------------

sc_verifier *sc_verifier_open(sc_videos *videos); // NULL when there is no thread to be had
void sc_verifier_close(sc_verifier **pverifier);  // cancels and joins; NULL allowed
void sc_verifier_wake(sc_verifier *verifier);     // a video came; NULL allowed
void sc_verifier_drop(sc_verifier *verifier, sc_video *video); // it is being deleted

// What unreadable data looks like ("a ZIP archive"), or NULL (sniff.c). Pure.
const char *sc_sniff(const unsigned char *data, size_t size);
