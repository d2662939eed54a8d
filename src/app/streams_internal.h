// What the files of sc_streams share: registry (streams.c), the thread that runs them (streams_run.c),
// state and viewers (streams_view.c), taps (streams_tap.c), figures (streams_watch.c), what a client may ask for (streams_spec.c, streams_files.c).
#pragma once

#include <pthread.h>

#include "app/streams.h"
#include "base/ref.h"
#include "media/live_inlet.h"

#define SC_STREAMS_TABLE        "streams"
#define SC_STREAMS_RESTARTS_MAX 1000
#define SC_STREAMS_URL_MAX      2048

enum sc_streams_restart { SC_RESTART_ON_FAILURE, SC_RESTART_ALWAYS, SC_RESTART_NEVER };

// What was asked for, checked. Texts belong to the JSON it was made from.
struct sc_streams_spec {
    const char *input, *outputs[SC_LIVE_OUTPUTS], *model, *codec, *preset, *transport;
    double threshold, fps;
    bool track, overlay, clock, no_sound, realtime, loop;
    int64_t tracker; // enum sc_tracker_kind
    struct sc_live_camera camera;
    int64_t width, height, bitrate, quality;
    int64_t delay_ns;
    int64_t restart; // enum sc_streams_restart
    int64_t max_restarts;
};

// SC_EARG with the field's name. json outlives the spec.
int sc_streams_spec_parse(struct sc_streams_spec *spec, const json_t *json,
                          const struct sc_live_ops *ops, sc_err *err);
// A copy of json without what is secret in addresses.
json_t *sc_streams_spec_shown(const json_t *json);

// What is really opened for an input that is no stored video, or for an output: the address as it is, or
// the path of a file below `files`. Touches the disk. *url is the caller's. SC_EARG, SC_EDENIED,
// SC_ENOTFOUND with `field`.
int sc_streams_source(const char *files, const char *input, char **url, sc_err *err);
int sc_streams_sink(const char *files, const char *output, const char *field, char **url,
                    sc_err *err);

// --- one stream ---------------------------------------------------------------------------

struct sc_streams_viewer {
    struct sc_streams_entry *entry; // a reference
    void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns);
    void *arg;
    bool told; // of the end; take()'s threads, then under live_lock
    // Under entry->live_lock.
    sc_live_viewer *live; // NULL: the run is over
    sc_streams_viewer *next;
};

struct sc_streams_entry {
    sc_ref ref; // the registry's, the thread's, viewers', callers'

    // Immutable.
    sc_streams *streams;
    char id[65];
    json_t *json; // as given
    struct sc_streams_spec spec;
    int64_t created_ns;
    bool passing;         // has no row
    sc_live_inlet *inlet; // for publishers; NULL where the input is another

    // Owned by the thread.
    sc_instance *instance;
    sc_video *video;
    char *urls[1 + SC_LIVE_OUTPUTS]; // that were opened: the input, the outputs
    int64_t opened_ns;
    int64_t stop_until_ns; // it was told to stop, and is cut then; 0 = it was not
    int failures;          // in a row, for the pause
    int64_t *starts;       // when it was started again, the last spec.max_restarts
    int64_t seen_frames, seen_late, seen_detected; // that the counters have

    // Under streams->lock.
    enum sc_streams_state state; // as far as it is known without asking the run
    char reason[600];
    int64_t next_ns; // of the next start
    int64_t restarts;
    bool ended;             // the run says so
    bool fresh;             // somebody waits for its first opening
    int ret;                // of that
    sc_err err;             // likewise
    bool claimed;           // somebody deletes it
    bool deleting, removed; // the thread is to let it go; has done so

    pthread_mutex_t live_lock; // taken after streams->lock is left
    // Under live_lock: set and closed by the thread.
    sc_live *live;
    sc_streams_viewer *viewers;
};

struct sc_streams {
    // Immutable after open.
    const struct sc_streams_settings *settings;
    const struct sc_live_ops *ops;
    sc_log *log;
    sc_rows *rows;
    sc_models *models;
    sc_videos *videos;
    sc_pool *pool; // of all stages
    int64_t pause_ns, flush_ns;
    struct sc_live_rung rungs[SC_LIVE_RUNGS];
    int rung_count;
    pthread_t thread;
    bool started;
    sc_gauge *by_state[SC_STREAMS_STATES], *latency_p50, *latency_p95;
    sc_counter *frames, *late, *detected, *restarts;

    pthread_mutex_t lock; // never held over I/O or a call to a run
    pthread_cond_t wake;  // of the thread
    pthread_cond_t done;  // of those who wait for it
    // Under lock.
    struct sc_streams_entry **entries; // by id
    size_t count, cap;
    bool closing; // nothing is started any more
    bool quit;    // nobody calls any more
    bool poked;   // there is something to do
};

// SC_EAGAIN, with the state in err.
int sc_streams_not_running(sc_err *err, enum sc_streams_state state);

// A reference, or NULL.
struct sc_streams_entry *sc_streams_find(sc_streams *streams, const char *id);
void sc_streams_entry_unref(struct sc_streams_entry **pentry); // NULL and &NULL allowed
// Takes it out of the registry. Under lock.
void sc_streams_unlist(struct sc_streams_entry *entry);
// Writes the row anew with how it ended. Blocks.
void sc_streams_note_end(struct sc_streams_entry *entry);

// All of them, a reference each; free() the array.
struct sc_streams_entry **sc_streams_copy(sc_streams *streams, size_t *n);

// Replaces the paths of files by their names as they were given, and hides secrets. The thread's, or
// under live_lock while there is a run.
void sc_streams_clean(const struct sc_streams_entry *entry, char *text, size_t size);

// Adds what a run has done since the last call to the counters. The thread's.
void sc_streams_count(struct sc_streams_entry *entry, const struct sc_live_status *status);
void sc_streams_watch(sc_streams *streams); // brings all figures up to date. The thread's

void *sc_streams_thread(void *streams);
void sc_streams_poke(sc_streams *streams); // there is something to do for it. Under lock

// The state with the run asked. Under no lock.
enum sc_streams_state sc_streams_ask(struct sc_streams_entry *entry,
                                     struct sc_live_status *status, bool *has_live);
// Ends viewers and hands the run out, to be closed. The thread's.
sc_live *sc_streams_detach(struct sc_streams_entry *entry);
