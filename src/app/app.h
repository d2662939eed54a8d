// The running product: everything a server or a command needs, opened and closed in order.
//
// Opens, in order: log, metrics, stores (data folder), pools, the frame reader, models, detections,
// the videos, plays of them, live streams, WebRTC sessions; closes in reverse, but streams are told to
// end first, since their last pictures take a while. Holds no HTTP.
//
// Thread-safety: Safe after open; close must come last.
#pragma once

#include "base/log.h"
#include "base/metrics.h"
#include "base/option.h"
#include "base/pool.h"
#include "media/reader.h"
#include "pipeline/choice.h"
#include "store/keys.h"

typedef struct sc_app sc_app;
typedef struct sc_videos sc_videos;
typedef struct sc_models sc_models;
typedef struct sc_streams sc_streams;
typedef struct sc_plays sc_plays;
typedef struct sc_casts sc_casts;
typedef struct sc_webrtc sc_webrtc;
typedef struct sc_inference sc_inference;
struct sc_detector_ops;
struct sc_live_ops;

// What sc_options_get(options, &sc_app_options) points to. The log rows are read by whoever opens
// the log.
struct sc_app_settings {
    char *data_dir;
    int64_t threads;      // 0 = all cores
    int64_t frame_cache;  // bytes of decoded frames
    int64_t answer_cache; // bytes of encoded pictures
    int64_t max_upload;   // bytes
    bool prefetch;        // decode ahead of requests
    int64_t verify;       // 0 off, 1 idle: linear decodes of stored videos in the background
    int64_t log_level;    // enum sc_log_level
    int64_t log_format;   // enum sc_log_format
};

// Rows: data-dir, threads, frame-cache, answer-cache, max-upload, prefetch, verify, log-level,
// log-format.
extern const sc_option_group sc_app_options;

struct sc_app_params {
    const sc_options *options; // must hold the app's, models' and streams' groups
    sc_log *log;               // the root log, borrowed for the app's life
    // What loads and runs models; NULL = ONNX Runtime. For tests.
    const struct sc_detector_ops *detector;
    void *detector_arg;
    const struct sc_live_ops *live; // what runs streams; NULL = pipeline/live.h. For tests
};

// Blocks: opens stores, reconciles them (leftovers of a crash are removed and logged), maps the
// indexes of all videos and rebuilds those that are missing or broken (progress is logged). Models
// are loaded in the background afterwards.
// SC_EIO, SC_EDENIED, SC_EDATA, SC_ESTALE with err saying which path and what to do; another
// server on the same data folder gives SC_EBUSY.
int sc_app_open(sc_app **papp, const struct sc_app_params *params, sc_err *err);
// A server that stops begins here, before it lets requests finish: live streams end, flushed, and
// plays as if their videos were over.
// Idempotent, never blocks.
void sc_app_drain(sc_app *app);
// Asks work under way to end early with SC_ECANCELLED (index scans, pictures); new pictures are
// refused likewise. For a server whose time to drain is over. Idempotent, never blocks.
void sc_app_stop(sc_app *app);
// Pending work is cancelled, then everything joins; waits until all sc_video are given back.
void sc_app_close(sc_app **papp);

const struct sc_app_settings *sc_app_get_settings(const sc_app *app);
sc_log *sc_app_log(sc_app *app);
sc_metrics *sc_app_metrics(sc_app *app);
// For blocking work on behalf of requests (uploads, scans, stores); more threads than cores.
sc_pool *sc_app_pool(sc_app *app);
sc_keys *sc_app_keys(sc_app *app);
sc_reader_engine *sc_app_engine(sc_app *app);
sc_models *sc_app_models(sc_app *app);
sc_inference *sc_app_inference(sc_app *app);
sc_videos *sc_app_videos(sc_app *app);
sc_plays *sc_app_plays(sc_app *app);
sc_streams *sc_app_streams(sc_app *app);
sc_casts *sc_app_casts(sc_app *app);
sc_webrtc *sc_app_webrtc(sc_app *app);

// What pictures run on, found out at the start; lives as long as the app.
const struct sc_pipeline_choice *sc_app_pipeline(const sc_app *app);

struct sc_app_status {
    int64_t uptime_ns;
    int64_t rss_bytes;       // of this process
    int64_t disk_free_bytes; // for new uploads, -1 unknown
    int64_t videos;
    int threads; // decoding threads
    bool ready;  // stores writable
};
// Touches the disk only for its free space.
void sc_app_get_status(sc_app *app, struct sc_app_status *status);
