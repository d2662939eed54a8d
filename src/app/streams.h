// Live streams as resources: named, stored, started, watched, started again, stopped.
//
// A stream is a row before it starts, so it is back after the server was started again. One thread
// opens and closes all of them (pipeline/live.h); each runs by itself. When one ends, its `restart`
// decides: "always", "on-failure" (but not what cannot work: SC_EARG, SC_EUNSUPPORTED) or "never". Pauses double from a second to a minute, and start anew
// after a stream that ran for a minute; after `max_restarts` within an hour it has failed. What has
// ended well is not started again with the server, what has failed is.
//
// What clients give is hostile: files are refused as inputs and outputs, but for those below the folder
// that option streams-files names. Addresses may hold secrets: rows keep them, nothing that is given
// out or logged shows them.
//
// Thread-safety: Safe, except that close comes last and a viewer has one owner.
#pragma once

#include <jansson.h>

#include "app/models.h"
#include "app/videos.h"
#include "pipeline/live.h"
#include "store/rows.h"

#define SC_STREAMS_LIST 1000 // a page, at most

typedef struct sc_streams sc_streams;
typedef struct sc_streams_viewer sc_streams_viewer;

// What sc_options_get(options, &sc_streams_options) points to.
struct sc_streams_settings {
    int64_t max;
    char *files; // folder; "" = no files
};
extern const sc_option_group sc_streams_options; // streams-max, streams-files

// What runs a stream: pipeline/live.h, or a script in tests. As the functions of those names.
struct sc_live_ops {
    int (*camera_parse)(struct sc_live_camera *camera, const char *text, sc_err *err);
    int (*open)(sc_live **plive, const struct sc_live_params *params, sc_err *err);
    void (*stop)(sc_live *live);
    int (*wait)(sc_live *live, int timeout_ms, sc_err *err);
    void (*close)(sc_live **plive);
    void (*get_status)(sc_live *live, struct sc_live_status *status);
    void (*get_graph_stats)(sc_live *live, struct sc_graph_stats *stats);
    int (*view)(sc_live *live, enum sc_live_view view, sc_live_viewer **pviewer,
                void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns), void *arg,
                sc_err *err);
    void (*unview)(sc_live_viewer **pviewer);
    int (*tap)(sc_live *live, int rung, sc_live_tap **ptap,
               void (*take)(void *arg, const struct sc_live_sample *sample), void *arg,
               sc_err *err);
    void (*untap)(sc_live_tap **ptap);
    void (*want_key)(sc_live_tap *tap);
    int (*set_bitrate)(sc_live_tap *tap, int64_t bitrate);
    int (*get_rung)(sc_live *live, int rung, struct sc_live_rung_figures *figures);
};
extern const struct sc_live_ops sc_live_real; // streams_live.c

struct sc_streams_params {
    const struct sc_streams_settings *settings; // borrowed, as all that follows
    const struct sc_live_ops *ops;
    sc_log *log;
    sc_metrics *metrics;
    sc_rows *rows;
    sc_models *models;
    sc_videos *videos;
    const struct sc_live_rung *rungs; // of every stream, copied; NULL = none, and no taps
    int rung_count;
    int threads;      // of all streams together; 0 = all cores
    int64_t pause_ns; // before the first restart; 0 = 1 s. The longest is 60 times that
    int64_t flush_ns; // what one that is stopped has for its last pictures; 0 = 5 s
};

// Reads the rows and begins to start what they name. SC_EIO, SC_ENOMEM.
int sc_streams_open(sc_streams **pstreams, const struct sc_streams_params *params, sc_err *err);
// All streams end, flushed; nothing is started any more. Idempotent, never blocks.
void sc_streams_stop(sc_streams *streams);
// Waits for that, some seconds at most; all viewers were given back. NULL allowed.
void sc_streams_close(sc_streams **pstreams);

// --- making and removing ------------------------------------------------------------------

// Checks spec (a JSON object as the API takes it, with an optional "id"; keeps a reference), stores it
// and starts it. Blocks for the disk and until it has been opened, which does not wait for the source.
// err has the field. SC_EARG, SC_EEXISTS, SC_EDENIED (a file), SC_EBUSY (streams-max),
// SC_ENOTFOUND (video), what sc_models_acquire() gives (field "model"), what sc_live_open() gives;
// nothing is left then.
int sc_streams_add(sc_streams *streams, json_t *spec, char id[65], sc_err *err);
// As above, but it is not stored, and gone with the server.
int sc_streams_add_passing(sc_streams *streams, json_t *spec, char id[65], sc_err *err);
// Ends it, flushed, and removes its row. Blocks for that, some seconds at most. SC_ENOTFOUND; SC_EIO,
// SC_ENOSPACE: it goes on.
int sc_streams_delete(sc_streams *streams, const char *id);

// --- state --------------------------------------------------------------------------------

enum sc_streams_state {
    SC_STREAMS_STARTING, // or waits for its model
    SC_STREAMS_RUNNING,
    SC_STREAMS_RECONNECTING, // running, without its source
    SC_STREAMS_WAITING,      // for its next start
    SC_STREAMS_STOPPING,
    SC_STREAMS_ENDED,
    SC_STREAMS_FAILED, // for good
    SC_STREAMS_STATES
};
const char *sc_streams_state_name(enum sc_streams_state state); // "starting", ...

struct sc_streams_status {
    char id[65];
    enum sc_streams_state state;
    char reason[600];   // why it is not running, or what it waits for; ""
    int64_t created_ns; // wall clock
    int64_t restarts;   // since the server's start
    int64_t retry_ns;   // until the next start; 0 unless waiting
    json_t *spec;       // as given, without id; secrets hidden
    bool has_live;      // whether what follows is known
    struct sc_live_status live;
    struct sc_graph_stats graph;
};
// Both give what is to be released; figures = false leaves live and graph out. Never blocks for long.
// SC_ENOTFOUND.
int sc_streams_get(sc_streams *streams, const char *id, bool figures,
                   struct sc_streams_status *status);
// Up to max ids > after, by id; returns how many.
int sc_streams_list(sc_streams *streams, const char *after, int max, char (*ids)[65]);
void sc_streams_status_release(struct sc_streams_status *status);

// Where publishers send to a stream whose input is "whip:"; a reference. SC_ENOTFOUND; SC_EEXISTS: it has
// another source.
int sc_streams_inlet(sc_streams *streams, const char *id, sc_live_inlet **pinlet, sc_err *err);

// --- viewers ------------------------------------------------------------------------------

// As sc_live_view(): take() gets each picture as JPEG, on a thread of the stream, and NULL at the end of
// the run, as its last call. SC_ENOTFOUND; SC_EAGAIN: it is not running, err says why; SC_EARG: no such
// view.
int sc_streams_view(sc_streams *streams, const char *id, enum sc_live_view view,
                    sc_streams_viewer **pviewer,
                    void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns), void *arg,
                    sc_err *err);
// No call afterwards. Not from take(). NULL and &NULL allowed.
void sc_streams_unview(sc_streams_viewer **pviewer);

// --- taps ---------------------------------------------------------------------------------

// As sc_live_tap_open(), of the run that is under way. The tap is used with sc_streams_ops()'s untap, want_key and
// set_bitrate, also after the run's end, and is given back whenever. Whoever is told the end tries again until
// there is another run. SC_ENOTFOUND; SC_EAGAIN: it is not running, err says why; SC_EARG (no such rung).
int sc_streams_tap(sc_streams *streams, const char *id, int rung, sc_live_tap **ptap,
                   void (*take)(void *arg, const struct sc_live_sample *sample), void *arg,
                   sc_err *err);
// What runs the streams; outlives them.
const struct sc_live_ops *sc_streams_ops(const sc_streams *streams);
// What the rungs do now, up to max of them; returns how many. SC_ENOTFOUND; SC_EAGAIN: it is not running.
int sc_streams_get_rungs(sc_streams *streams, const char *id,
                         struct sc_live_rung_figures *figures, int max);
