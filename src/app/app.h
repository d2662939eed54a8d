// The running product: everything a server or a command needs, opened and closed in order.
//
// Opens, in order: log, metrics, stores (data folder), pools, the frame reader, the videos; closes
// in reverse. Holds no HTTP.
//
// Thread-safety: Safe after open; close must come last.
#pragma once

#include "base/log.h"
#include "base/metrics.h"
#include "base/option.h"
#include "base/pool.h"
#include "media/reader.h"
#include "store/keys.h"

typedef struct sc_app sc_app;
typedef struct sc_videos sc_videos;

// Rows: data-dir, threads, frame-cache, answer-cache, max-upload, prefetch, verify, log-level,
// log-format. The log rows are read by whoever opens the log.
extern const sc_option_group sc_app_options;

struct sc_app_params {
    const sc_options *options; // must hold sc_app_options
    sc_log *log;               // the root log, borrowed for the app's life
};

// Blocks: opens stores and reconciles them (leftovers of a crash are removed and logged).
// SC_EIO, SC_EDENIED, SC_EDATA, SC_ESTALE with err saying which path and what to do; another
// server on the same data folder gives SC_EBUSY.
int sc_app_open(sc_app **papp, const struct sc_app_params *params, sc_err *err);
void sc_app_close(sc_app **papp); // pending work is cancelled, then everything joins

sc_log *sc_app_log(sc_app *app);
sc_metrics *sc_app_metrics(sc_app *app);
sc_pool *sc_app_pool(sc_app *app); // for blocking work on behalf of requests
sc_keys *sc_app_keys(sc_app *app);
sc_reader_engine *sc_app_engine(sc_app *app);
sc_videos *sc_app_videos(sc_app *app);

struct sc_app_status {
    int64_t uptime_ns;
    int64_t rss_bytes;      // of this process
    int64_t disk_free_bytes; // for new uploads, -1 unknown
    int64_t videos;
    int threads;
    bool ready;             // stores writable, not shutting down
};
void sc_app_get_status(sc_app *app, struct sc_app_status *status);
