#include "app/app.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/casts.h"
#include "app/detections.h"
#include "app/detector.h"
#include "app/play.h"
#include "app/streams.h"
#include "app/videos_internal.h"
#include "app/webrtc.h"
#include "base/clock.h"
#include "base/mem.h"

struct sc_app {
    // Immutable after open; in the order in which things are opened.
    const struct sc_app_settings *settings;
    sc_log *parent; // borrowed
    sc_log *log;
    int64_t start_ns;
    int threads;
    struct sc_pipeline_choice pipeline;
    int lock_fd;
    sc_metrics *metrics;
    sc_rows *rows;
    sc_blobs *blobs;
    sc_keys *keys;
    sc_pool *pool;
    sc_reader_engine *engine;
    sc_detector *detector; // NULL where the caller brought another
    sc_models *models;
    sc_inference *inference;
    sc_videos *videos;
    sc_plays *plays;
    struct sc_live_rung rungs[SC_LIVE_RUNGS];
    int rung_count;
    sc_streams *streams;
    sc_webrtc *webrtc;
    sc_casts *casts;
};

#define OPT(field) offsetof(struct sc_app_settings, field)
static const sc_option rows[] = {
    {"data-dir", SC_OPT_STRING, OPT(data_dir), "saccade-data",
     "folder for videos, indexes and the database; made if missing"},
    {"threads", SC_OPT_INT, OPT(threads), "0", "decoding threads; 0 = all cores", .min = 0,
     .max = 1024},
    {"frame-cache", SC_OPT_SIZE, OPT(frame_cache), "256M", "memory for decoded frames",
     .min = 1 << 20, .max = 1e15},
    {"answer-cache", SC_OPT_SIZE, OPT(answer_cache), "64M",
     "memory for encoded pictures; 0 keeps none", .min = 0, .max = 1e15},
    {"max-upload", SC_OPT_SIZE, OPT(max_upload), "64G", "largest video accepted", .min = 1,
     .max = 1e15},
    {"prefetch", SC_OPT_BOOL, OPT(prefetch), "true", "decode what will be asked for next"},
    {"verify", SC_OPT_CHOICE, OPT(verify), "off",
     "idle: check in the background that every frame of a stored video equals its linear "
     "decode",
     .choices = "off|idle"},
    {"log-level", SC_OPT_CHOICE, OPT(log_level), "info", "how much is logged",
     .choices = "error|warn|info|debug|trace"},
    {"log-format", SC_OPT_CHOICE, OPT(log_format), "logfmt", "how log lines are written",
     .choices = "logfmt|json"},
};
#undef OPT

const sc_option_group sc_app_options = SC_OPTION_GROUP("app", rows, struct sc_app_settings);

// --- the data folder ----------------------------------------------------------------------

static int fail_path(sc_err *err, const char *what, const char *path)
{
    int errnum = errno;
    return sc_fail(err, sc_error_from_errno(errnum), "cannot %s %s: %s", what, path,
                   strerror(errnum));
}

// Makes path and the folders above it.
static int make_folder(const char *path, sc_err *err)
{
    sc_str part = {0};
    int ret = 0;
    for (const char *p = path; !ret && *p;) {
        size_t n = strspn(p, "/");
        n += strcspn(p + n, "/");
        sc_str_addn(&part, p, n);
        p += n;
        if (mkdir(sc_str_get(&part), 0750) && errno != EEXIST)
            ret = fail_path(err, "make folder", sc_str_get(&part));
    }
    sc_str_release(&part);
    if (!ret && access(path, R_OK | W_OK | X_OK))
        ret = fail_path(err, "write to", path);
    return ret;
}

static char *in_folder(const sc_app *app, const char *name)
{
    sc_str path = {0};
    sc_str_addf(&path, "%s/%s", app->settings->data_dir, name);
    return sc_str_detach(&path);
}

// The lock ends with the process, however that ends.
static int lock_folder(sc_app *app, sc_err *err)
{
    char *path = in_folder(app, "lock");
    int ret = 0;
    app->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (app->lock_fd < 0)
        ret = fail_path(err, "open", path);
    else if (!flock(app->lock_fd, LOCK_EX | LOCK_NB))
        ret = 0;
    else if (errno == EWOULDBLOCK)
        ret = sc_fail(err, SC_EBUSY,
                      "another saccade is using %s: stop it, or choose another --data-dir",
                      app->settings->data_dir);
    else
        ret = fail_path(err, "lock", path);
    free(path);
    return ret;
}

// --- open and close -----------------------------------------------------------------------

static int open_stores(sc_app *app, bool *fresh, sc_err *err)
{
    char *db = in_folder(app, "saccade.db"), *blobs = in_folder(app, "blobs");
    *fresh = access(db, F_OK) != 0;
    int ret = sc_rows_open(
        &app->rows, &(struct sc_rows_params){.backend = "sqlite", .path = db, .log = app->log},
        err);
    if (!ret)
        ret = sc_blobs_open(
            &app->blobs,
            &(struct sc_blobs_params){.backend = "folder", .path = blobs, .log = app->log},
            err);
    if (!ret)
        ret = sc_keys_open(&app->keys, &(struct sc_keys_params){.backend = "memory"}, err);
    free(db);
    free(blobs);
    return ret;
}

// Blocking work waits for disks more than it computes, hence more threads than cores.
static int open_workers(sc_app *app, sc_err *err)
{
    int threads = app->threads < 4 ? 8 : 2 * app->threads;
    app->pool = sc_pool_open(&(struct sc_pool_params){.threads = threads, .name = "work"});
    app->engine = sc_reader_engine_open(&(struct sc_reader_engine_params){
        .log = app->log,
        .metrics = app->metrics,
        .threads = app->threads,
        .frame_cache_bytes = (size_t)app->settings->frame_cache,
        .no_prefetch = !app->settings->prefetch,
    });
    if (!app->pool || !app->engine)
        return sc_fail(err, SC_ENOMEM, "cannot start %d threads: the system refuses",
                       threads + app->threads);
    return 0;
}

static int open_models(sc_app *app, const struct sc_app_params *params, sc_err *err)
{
    const struct sc_models_settings *settings =
        sc_options_get(params->options, &sc_models_options);
    struct sc_models_params models = {
        .settings = settings,
        .data_dir = app->settings->data_dir,
        .ops = params->detector,
        .ops_arg = params->detector_arg,
        .log = app->log,
        .metrics = app->metrics,
    };
    if (!models.ops) {
        char *engines = in_folder(app, "engines");
        app->detector = sc_detector_new(&(struct sc_detector_params){
            .library = settings->library, .cache = engines, .log = app->log});
        free(engines);
        models.ops = &sc_detector_onnx;
        models.ops_arg = app->detector;
    }
    int ret = sc_models_open(&app->models, &models, err);
    if (ret)
        return ret;
    return sc_inference_open(&app->inference,
                             &(struct sc_inference_params){
                                 .cache_bytes = (size_t)settings->detection_cache,
                                 .models = app->models,
                                 .metrics = app->metrics,
                             },
                             err);
}

static int open_videos(sc_app *app, bool fresh, sc_err *err)
{
    char *index_dir = in_folder(app, "index");
    int ret = make_folder(index_dir, err);
    if (!ret)
        ret = sc_videos_open(&app->videos,
                             &(struct sc_videos_params){
                                 .settings = app->settings,
                                 .log = app->log,
                                 .metrics = app->metrics,
                                 .rows = app->rows,
                                 .blobs = app->blobs,
                                 .engine = app->engine,
                                 .inference = app->inference,
                                 .index_dir = index_dir,
                                 .threads = app->threads,
                                 .fresh = fresh,
                             },
                             err);
    free(index_dir);
    return ret;
}

static int open_streams(sc_app *app, const struct sc_app_params *params, sc_err *err)
{
    return sc_streams_open(&app->streams,
                           &(struct sc_streams_params){
                               .settings = sc_options_get(params->options, &sc_streams_options),
                               .ops = params->live ? params->live : &sc_live_real,
                               .log = app->log,
                               .metrics = app->metrics,
                               .rows = app->rows,
                               .models = app->models,
                               .videos = app->videos,
                               .threads = app->threads,
                               .rungs = app->rungs,
                               .rung_count = app->rung_count,
                           },
                           err);
}

static int open_webrtc(sc_app *app, const struct sc_webrtc_settings *settings, sc_err *err)
{
    return sc_webrtc_open(&app->webrtc,
                          &(struct sc_webrtc_params){
                              .settings = settings,
                              .rungs = app->rungs,
                              .rung_count = app->rung_count,
                              .log = app->log,
                              .metrics = app->metrics,
                              .pool = app->pool,
                              .streams = app->streams,
                          },
                          err);
}

// Streams, and who watches them.
static int open_live(sc_app *app, const struct sc_app_params *params, sc_err *err)
{
    const struct sc_webrtc_settings *webrtc =
        sc_options_get(params->options, &sc_webrtc_options);
    int ret = sc_webrtc_rungs(webrtc->rungs, app->rungs, err);
    if (ret < 0)
        return ret;
    app->rung_count = ret; // also without WebRTC: HLS is made of the first one
    ret = open_streams(app, params, err);
    if (!ret)
        ret = sc_casts_open(&app->casts,
                            &(struct sc_casts_params){.streams = app->streams, .log = app->log},
                            err);
    return ret ? ret : open_webrtc(app, webrtc, err);
}

static int64_t rss_bytes(void)
{
    long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%*s %lld", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static double read_rss(void *arg)
{
    (void)arg;
    return (double)rss_bytes();
}

static double read_uptime(void *arg)
{
    sc_app *app = arg;
    return (double)(sc_clock_now() - app->start_ns) / (double)SC_NS_PER_S;
}

static double read_disk_free(void *arg)
{
    sc_app *app = arg;
    return (double)sc_blobs_free_bytes(app->blobs);
}

static void add_metrics(sc_app *app)
{
    sc_metrics_gauge_fn(app->metrics, "process_resident_memory_bytes", "",
                        "Resident memory of this process.", read_rss, NULL);
    sc_metrics_gauge_fn(app->metrics, "saccade_uptime_seconds", "", "Time since the start.",
                        read_uptime, app);
    sc_metrics_gauge_fn(app->metrics, "saccade_disk_free_bytes", "",
                        "Space left for uploads, -1 if unknown.", read_disk_free, app);
}

int sc_app_open(sc_app **papp, const struct sc_app_params *params, sc_err *err)
{
    sc_app *app = sc_new(sc_app);
    bool fresh = false;
    app->settings = sc_options_get(params->options, &sc_app_options);
    app->parent = params->log;
    app->log = sc_log_child(params->log, "app");
    app->start_ns = sc_clock_now();
    app->threads = app->settings->threads ? (int)app->settings->threads : sc_cpu_count();
    sc_pipeline_choose(&app->pipeline);
    app->lock_fd = -1;
    app->metrics = sc_metrics_new();
    int ret = make_folder(app->settings->data_dir, err);
    if (!ret)
        ret = lock_folder(app, err);
    if (!ret)
        ret = open_stores(app, &fresh, err);
    if (!ret)
        ret = open_workers(app, err);
    if (!ret)
        ret = open_models(app, params, err);
    if (!ret)
        ret = open_videos(app, fresh, err);
    if (!ret)
        ret = sc_plays_open(
            &app->plays,
            &(struct sc_plays_params){.models = app->models, .metrics = app->metrics}, err);
    if (!ret)
        ret = open_live(app, params, err);
    if (ret) {
        sc_app_close(&app);
        return ret;
    }
    add_metrics(app);
    SC_INFO(app->log, "opened", SC_S("data_dir", app->settings->data_dir),
            SC_I("videos", sc_videos_count(app->videos)), SC_I("threads", app->threads));
    *papp = app;
    return 0;
}

void sc_app_drain(sc_app *app)
{
    if (app->casts)
        sc_casts_stop(app->casts);
    if (app->webrtc)
        sc_webrtc_stop(app->webrtc);
    if (app->streams)
        sc_streams_stop(app->streams);
    if (app->plays)
        sc_plays_stop(app->plays);
}

void sc_app_stop(sc_app *app)
{
    sc_app_drain(app);
    if (app->inference)
        sc_inference_stop(app->inference);
    if (app->videos)
        sc_videos_stop(app->videos);
}

void sc_app_close(sc_app **papp)
{
    sc_app *app = *papp;
    if (!app)
        return;
    *papp = NULL;
    sc_app_stop(app);
    sc_webrtc_close(&app->webrtc); // it posts to the pool
    sc_casts_close(&app->casts);
    // The pool's tasks use videos; what runs still ends before they go.
    sc_pool_close(&app->pool);
    sc_streams_close(&app->streams); // they hold videos and models
    sc_plays_close(&app->plays);     // likewise
    sc_videos_close(&app->videos);
    sc_inference_close(&app->inference);
    sc_models_close(&app->models);
    sc_detector_free(&app->detector);
    sc_reader_engine_close(&app->engine);
    sc_keys_close(&app->keys);
    sc_blobs_close(&app->blobs);
    sc_rows_close(&app->rows);
    sc_metrics_free(&app->metrics);
    if (app->lock_fd >= 0)
        close(app->lock_fd);
    sc_log_close(&app->log);
    free(app);
}

// --- parts --------------------------------------------------------------------------------

const struct sc_app_settings *sc_app_get_settings(const sc_app *app)
{
    return app->settings;
}

sc_log *sc_app_log(sc_app *app)
{
    return app->parent;
}

sc_metrics *sc_app_metrics(sc_app *app)
{
    return app->metrics;
}

sc_pool *sc_app_pool(sc_app *app)
{
    return app->pool;
}

sc_keys *sc_app_keys(sc_app *app)
{
    return app->keys;
}

sc_reader_engine *sc_app_engine(sc_app *app)
{
    return app->engine;
}

sc_models *sc_app_models(sc_app *app)
{
    return app->models;
}

sc_inference *sc_app_inference(sc_app *app)
{
    return app->inference;
}

sc_videos *sc_app_videos(sc_app *app)
{
    return app->videos;
}

sc_plays *sc_app_plays(sc_app *app)
{
    return app->plays;
}

sc_streams *sc_app_streams(sc_app *app)
{
    return app->streams;
}

sc_casts *sc_app_casts(sc_app *app)
{
    return app->casts;
}

sc_webrtc *sc_app_webrtc(sc_app *app)
{
    return app->webrtc;
}

const struct sc_pipeline_choice *sc_app_pipeline(const sc_app *app)
{
    return &app->pipeline;
}

void sc_app_get_status(sc_app *app, struct sc_app_status *status)
{
    int64_t free_bytes = sc_blobs_free_bytes(app->blobs);
    *status = (struct sc_app_status){
        .uptime_ns = sc_clock_now() - app->start_ns,
        .rss_bytes = rss_bytes(),
        .disk_free_bytes = free_bytes,
        .videos = sc_videos_count(app->videos),
        .threads = app->threads,
        .ready = free_bytes != 0 && !access(app->settings->data_dir, W_OK | X_OK),
    };
}
