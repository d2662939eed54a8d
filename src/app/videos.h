// Videos: uploaded files with their index, and the pictures made from them.
//
// A video is visible once it is stored durably and indexed; a failed or cut upload leaves
// nothing behind. Ids are [A-Za-z0-9_-]{1,64}; on disk a video is a blob under a random key, and
// its index a file beside it, so that no path ever comes from an id.
//
// Thread-safety: Safe; an sc_upload belongs to one thread at a time.
#pragma once

#include <stdint.h>

#include "app/app.h"
#include "app/models.h"
#include "base/buf.h"
#include "media/index.h"
#include "media/picture.h"
#include "media/reader.h"
#include "vision/batcher.h"

typedef struct sc_video sc_video;
typedef struct sc_upload sc_upload;

struct sc_video_info {
    char id[65];
    char name[256];     // the file's name as uploaded, UTF-8, "" if unknown
    int64_t size;       // bytes
    int64_t created_ns; // wall clock
    int64_t index_ns;   // how long indexing took
    enum sc_verdict verdict;
};

bool sc_video_id_valid(const char *id);

// --- uploads ------------------------------------------------------------------------------

struct sc_upload_params {
    const char *id;    // NULL = a random one
    const char *name;  // original file name or NULL
    int64_t size_hint; // bytes to come, 0 = unknown
};

// SC_EARG (id, size_hint), SC_EEXISTS (id taken, also by an upload under way), SC_ELIMIT (size_hint beyond
// max-upload), SC_ENOSPACE. Does not block for long (may touch the disk).
int sc_upload_open(sc_upload **pup, sc_videos *videos, const struct sc_upload_params *params,
                   sc_err *err);
// Gives it another id before it is finished, for forms that tell the id after the file.
// SC_EARG, SC_EEXISTS: it keeps the one it had.
int sc_upload_set_id(sc_upload *up, const char *id, sc_err *err);
// Appends. Blocks for the disk. SC_ELIMIT, SC_ENOSPACE, SC_EIO; then only abort is possible.
int sc_upload_write(sc_upload *up, const void *data, size_t size, sc_err *err);
// Makes it durable, indexes it, makes it visible. Blocks for the index scan. Always consumes the
// upload; on failure nothing is left. SC_EDATA: not a video, err says what it looks like.
int sc_upload_finish(sc_upload **pup, sc_video **pvideo, sc_err *err);
void sc_upload_abort(sc_upload **pup); // NULL allowed; removes what was written; blocks
// The id it will have, and the bytes so far.
const char *sc_upload_id(const sc_upload *up);
int64_t sc_upload_size(const sc_upload *up);

// --- videos -------------------------------------------------------------------------------

// A reference (sc_video_unref), or NULL. Never blocks.
sc_video *sc_videos_get(sc_videos *videos, const char *id);
sc_video *sc_video_ref(sc_video *video);
void sc_video_unref(sc_video **pvideo); // NULL and &NULL allowed; never blocks
// Up to max videos with id > after, by id; the caller's references. Returns how many.
int sc_videos_list(sc_videos *videos, const char *after, int max, sc_video **out);
// Requests under way end with their frame or SC_ECANCELLED; the files go when the last reference
// does. Blocks for the disk. SC_ENOTFOUND; SC_EIO, SC_ENOSPACE: the video is still there.
int sc_videos_delete(sc_videos *videos, const char *id);

void sc_video_get_info(sc_video *video, struct sc_video_info *info);
sc_index *sc_video_index(sc_video *video);   // a new reference
sc_reader *sc_video_reader(sc_video *video); // borrowed while the video is referenced
// The stored file: a descriptor (the caller's) and its size. Blocks.
int sc_video_open_fd(sc_video *video, int *fd, int64_t *size);
// Where it is stored, for those who open it themselves while they hold a reference.
const char *sc_video_path(const sc_video *video);
bool sc_video_is_deleted(const sc_video *video); // it goes with the last reference
// Cache state of frame n, for display: 0 nothing, 1 decoded frame cached.
int sc_video_cached(sc_video *video, int64_t n);

// --- pictures -----------------------------------------------------------------------------

// An encoded picture of one frame. Immutable, refcounted.
typedef struct sc_answer {
    sc_ref ref; // internal
    sc_buf *body;
    struct sc_picture_info info;
    enum sc_picture_format format;
    int64_t n;
    bool verified;                // the frame's hash equals the linear decode's
    int64_t decode_ns, encode_ns; // what it cost when it was made
    int64_t inference_ns;         // likewise; 0 where it was known already
    sc_detections *found;         // NULL unless the query has an instance
    int count;                    // of found, from the threshold up
    char etag[40];                // quoted, strong: content, number, picture parameters, model
} sc_answer;

void sc_answer_unref(sc_answer **panswer);
sc_answer *sc_answer_ref(sc_answer *answer);

// What the client asked for; sc_video_prepare() completes it before the other functions take it.
struct sc_picture_query {
    struct sc_picture_params picture;
    // What is to be found in it; NULL = nothing. Borrowed during a call.
    sc_instance *instance;
    double threshold;
    bool overlay; // draw it
    enum sc_batch_priority priority;
};

// Checks the picture parameters, fills in rotation, flips and aspect from the video, and writes
// equal requests alike. SC_EARG with field "format", "fit", "w", "h" or "quality".
int sc_video_prepare(sc_video *video, struct sc_picture_query *query, sc_err *err);
// The frame number for t (decimal text). SC_EARG, SC_ERANGE (err tells the valid range), field "t".
int sc_video_find(sc_video *video, const char *t, int64_t *n, sc_err *err);
// SC_ERANGE with the valid range, field "n".
int sc_video_check_n(sc_video *video, int64_t n, sc_err *err);
// The ETag the answer would have, without making it (for If-None-Match).
void sc_video_etag(sc_video *video, int64_t n, const struct sc_picture_query *query,
                   char etag[40]);

// The picture if it is cached, else NULL. Never blocks: for I/O threads.
sc_answer *sc_video_peek(sc_video *video, int64_t n, const struct sc_picture_query *query);

// Called exactly once per accepted request, on a worker thread (never inside the call that made
// the request); hand on, never block. answer is the callee's reference, NULL unless ret is 0.
// SC_EDATA, SC_EIO, SC_ENOMEM, SC_EBUSY (the decoders' queue is full), SC_ECANCELLED (deleted, or
// shutting down), SC_EARG and SC_EUNSUPPORTED (from the encoder), and what sc_detect() gives.
typedef void sc_answer_fn(void *arg, int ret, sc_answer *answer, const sc_err *err);

// Makes (or joins the making of) the picture; flags are sc_read_flags. SC_ERANGE, SC_EBUSY (too
// much waits), SC_ECANCELLED (shutting down): fn is then not called.
int sc_video_picture(sc_video *video, int64_t n, const struct sc_picture_query *query,
                     int flags, sc_answer_fn *fn, void *arg, sc_err *err);
// As above for packed RGB24 (npy tensors): answer->body holds height*width*3 bytes, uncached
// and with an empty etag.
int sc_video_rgb(sc_video *video, int64_t n, const struct sc_picture_query *query, int flags,
                 sc_answer_fn *fn, void *arg, sc_err *err);

struct sc_videos_stats {
    uint64_t frames;       // pictures asked for and accepted
    uint64_t hits, misses; // answer cache; a request that joined another is a miss
    uint64_t encoded;      // pictures made
    size_t answer_bytes, answer_items;
    uint64_t uploads, upload_bytes;
};
int64_t sc_videos_count(sc_videos *videos); // visible ones
void sc_videos_get_stats(sc_videos *videos, struct sc_videos_stats *stats);
