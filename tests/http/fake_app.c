#include "fake_app.h"

#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../app/fake_detector.h"
#include "../app/fake_live.h"
#include "app/play.h"
#include "base/clock.h"
#include "base/mem.h"
#include "vision/report.h"

struct fake fake;

#define VIDEOS 64
#define FPS    25

struct sc_videos {
    int unused;
};

struct sc_video {
    char id[65];
    char name[256];
    int64_t size;
    bool used;
    int refs;
};

struct sc_index {
    struct sc_index_info info;
};

struct sc_app {
    sc_pool *pool;
    sc_metrics *metrics;
    sc_log *log;
    struct sc_app_settings settings;
    struct sc_videos videos;
    struct sc_models_settings models_settings;
    struct fake_runtime runtime;
    char data_dir[64], empty[1];
    sc_models *models;
    struct sc_streams_settings streams_settings;
    sc_rows *rows;
    sc_streams *streams;
    sc_plays *plays;
};

struct sc_upload {
    char id[65], name[256];
    int64_t size;
};

static sc_app *the_app;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sc_video table[VIDEOS];
static struct sc_index the_index;
static sc_answer *cached[100000];

const sc_option_group sc_app_options = {.name = "app", .size = sizeof(struct sc_app_settings)};

// --- app ----------------------------------------------------------------------------------

static struct sc_video *add(const char *id, const char *name, int64_t size)
{
    for (int i = 0; i < VIDEOS; i++) {
        if (table[i].used || table[i].refs)
            continue;
        table[i] = (struct sc_video){.used = true, .size = size};
        snprintf(table[i].id, sizeof(table[i].id), "%s", id);
        snprintf(table[i].name, sizeof(table[i].name), "%s", name);
        return &table[i];
    }
    return NULL;
}

static void open_streams(sc_app *app)
{
    app->streams_settings = (struct sc_streams_settings){.max = 4, .files = app->empty};
    sc_require(!sc_rows_open(&app->rows, &(struct sc_rows_params){.backend = "memory"}, NULL));
    sc_require(!sc_streams_open(&app->streams,
                                &(struct sc_streams_params){.settings = &app->streams_settings,
                                                            .ops = &fake_live_ops,
                                                            .log = app->log,
                                                            .metrics = app->metrics,
                                                            .rows = app->rows,
                                                            .models = app->models,
                                                            .videos = &app->videos,
                                                            .threads = 1},
                                NULL));
}

int fake_app_open(sc_app **papp, int64_t frames)
{
    sc_app *app = sc_new(sc_app);
    fake = (struct fake){.picture_bytes = 30000};
    app->pool = sc_pool_open(&(struct sc_pool_params){.threads = 4});
    app->metrics = sc_metrics_new();
    app->log = sc_log_open(&(struct sc_log_params){.level = SC_LOG_ERROR});
    app->settings.max_upload = 1 << 30;
    the_index.info = (struct sc_index_info){.frames = frames,
                                            .packets = frames,
                                            .entries = (frames + 11) / 12,
                                            .time_base = {1, FPS},
                                            .duration_ticks = frames,
                                            .frame_rate = {FPS, 1},
                                            .codec_name = "h264",
                                            .format_name = "mov,mp4,m4a,3gp,3g2,mj2",
                                            .pix_fmt_name = "yuv420p",
                                            .width = 320,
                                            .height = 240,
                                            .display_width = 320,
                                            .display_height = 240};
    fake_init(&app->runtime);
    snprintf(app->data_dir, sizeof(app->data_dir), "/tmp/saccade-http-XXXXXX");
    sc_require(mkdtemp(app->data_dir) != NULL);
    app->models_settings = (struct sc_models_settings){.model = app->empty,
                                                       .dir = app->empty,
                                                       .load = app->empty,
                                                       .library = app->empty,
                                                       .max_batch = 4,
                                                       .memory = 1 << 20,
                                                       .max_upload = 1 << 19};
    sc_require(!sc_models_open(&app->models,
                               &(struct sc_models_params){.settings = &app->models_settings,
                                                          .data_dir = app->data_dir,
                                                          .ops = &fake_ops,
                                                          .ops_arg = &app->runtime,
                                                          .metrics = app->metrics},
                               NULL));
    sc_require(!sc_plays_open(
        &app->plays, &(struct sc_plays_params){.models = app->models, .metrics = app->metrics},
        NULL));
    open_streams(app);
    memset(table, 0, sizeof(table));
    add("clip", "a \"clip\" \xc3\xa4.mp4", 1000);
    *papp = the_app = app;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_folder(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void fake_app_close(sc_app **papp)
{
    sc_app *app = *papp;
    *papp = NULL;
    sc_plays_close(&app->plays);
    sc_pool_close(&app->pool);
    sc_streams_close(&app->streams);
    sc_rows_close(&app->rows);
    sc_models_close(&app->models);
    remove_folder(app->data_dir);
    sc_metrics_free(&app->metrics);
    sc_log_close(&app->log);
    for (size_t i = 0; i < SC_COUNT(cached); i++)
        sc_answer_unref(&cached[i]);
    free(app);
}

void sc_app_drain(sc_app *app)
{
    sc_plays_stop(app->plays);
}

void sc_app_stop(sc_app *app)
{
    sc_app_drain(app);
}

void fake_app_live_end(const char *id, int ret, const char *text)
{
    sc_require(fake_live_end(id, ret, text));
}

void fake_app_picture(const char *id, const char *text, int64_t n)
{
    fake_live_picture(id, text, n);
}

int fake_app_viewers(void)
{
    pthread_mutex_lock(&fake_lives.lock);
    int viewers = fake_lives.viewers;
    pthread_mutex_unlock(&fake_lives.lock);
    return viewers;
}

sc_plays *sc_app_plays(sc_app *app)
{
    return app->plays;
}

sc_streams *sc_app_streams(sc_app *app)
{
    return app->streams;
}

const struct sc_app_settings *sc_app_get_settings(const sc_app *app)
{
    return &app->settings;
}
sc_log *sc_app_log(sc_app *app)
{
    return app->log;
}
sc_metrics *sc_app_metrics(sc_app *app)
{
    return app->metrics;
}
sc_pool *sc_app_pool(sc_app *app)
{
    return app->pool;
}
sc_models *sc_app_models(sc_app *app)
{
    return app->models;
}
struct fake_runtime *fake_app_runtime(sc_app *app)
{
    return &app->runtime;
}
sc_inference *sc_app_inference(sc_app *app)
{
    (void)app;
    return NULL;
}
sc_videos *sc_app_videos(sc_app *app)
{
    return &app->videos;
}
sc_reader_engine *sc_app_engine(sc_app *app)
{
    (void)app;
    return NULL;
}
const struct sc_pipeline_choice *sc_app_pipeline(const sc_app *app)
{
    static const struct sc_pipeline_choice choice = {.name = "cpu", .reason = "for tests"};
    (void)app;
    return &choice;
}

void sc_app_get_status(sc_app *app, struct sc_app_status *status)
{
    (void)app;
    *status = (struct sc_app_status){.ready = true, .videos = 1, .threads = 1};
}
void sc_reader_engine_get_stats(sc_reader_engine *engine, struct sc_reader_stats *stats)
{
    (void)engine;
    *stats = (struct sc_reader_stats){0};
}
void sc_videos_get_stats(sc_videos *videos, struct sc_videos_stats *stats)
{
    (void)videos;
    *stats = (struct sc_videos_stats){.hits = 3, .misses = 1, .frames = 4};
}

// --- uploads ------------------------------------------------------------------------------

const char *sc_video_path(const sc_video *video)
{
    return video->id;
}

bool sc_video_is_deleted(const sc_video *video)
{
    return !video->used;
}

bool sc_video_id_valid(const char *id)
{
    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n && n <= 64 && !id[n];
}

static bool taken(const char *id)
{
    for (int i = 0; i < VIDEOS; i++) {
        if (table[i].used && !strcmp(table[i].id, id))
            return true;
    }
    return false;
}

int sc_upload_open(sc_upload **pup, sc_videos *videos, const struct sc_upload_params *params,
                   sc_err *err)
{
    (void)videos;
    *pup = NULL;
    pthread_mutex_lock(&lock);
    bool exists = params->id && taken(params->id);
    pthread_mutex_unlock(&lock);
    if (exists)
        return sc_fail_field(err, SC_EEXISTS, "id", "the id is taken");
    if (params->size_hint > the_app->settings.max_upload)
        return sc_fail(err, SC_ELIMIT, "too large");
    sc_upload *up = sc_new(sc_upload);
    snprintf(up->id, sizeof(up->id), "%s", params->id ? params->id : "random");
    snprintf(up->name, sizeof(up->name), "%s", params->name ? params->name : "");
    atomic_fetch_add(&fake.open_uploads, 1);
    *pup = up;
    return 0;
}

int sc_upload_set_id(sc_upload *up, const char *id, sc_err *err)
{
    if (taken(id))
        return sc_fail_field(err, SC_EEXISTS, "id", "the id is taken");
    snprintf(up->id, sizeof(up->id), "%s", id);
    return 0;
}

int sc_upload_write(sc_upload *up, const void *data, size_t size, sc_err *err)
{
    (void)data;
    sc_clock_sleep(fake.write_ns);
    if (fake.write_ret)
        return sc_fail(err, fake.write_ret, "writing failed");
    up->size += (int64_t)size;
    atomic_fetch_add(&fake.written, (long)size);
    return 0;
}

int sc_upload_finish(sc_upload **pup, sc_video **pvideo, sc_err *err)
{
    sc_upload *up = *pup;
    *pup = NULL;
    *pvideo = NULL;
    int ret = fake.finish_ret;
    if (!ret && !up->size)
        ret = sc_fail(err, SC_EDATA, "the file is empty");
    if (!ret) {
        pthread_mutex_lock(&lock);
        *pvideo = add(up->id, up->name, up->size);
        (*pvideo)->refs++;
        pthread_mutex_unlock(&lock);
        atomic_fetch_add(&fake.finished, 1);
    }
    atomic_fetch_sub(&fake.open_uploads, 1);
    free(up);
    return ret;
}

void sc_upload_abort(sc_upload **pup)
{
    if (!*pup)
        return;
    atomic_fetch_add(&fake.aborted, 1);
    atomic_fetch_sub(&fake.open_uploads, 1);
    free(*pup);
    *pup = NULL;
}

// --- videos -------------------------------------------------------------------------------

sc_video *sc_videos_get(sc_videos *videos, const char *id)
{
    (void)videos;
    sc_video *found = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < VIDEOS && !found; i++) {
        if (table[i].used && !strcmp(table[i].id, id)) {
            found = &table[i];
            found->refs++;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

sc_video *sc_video_ref(sc_video *video)
{
    pthread_mutex_lock(&lock);
    video->refs++;
    pthread_mutex_unlock(&lock);
    return video;
}

void sc_video_unref(sc_video **pvideo)
{
    if (!*pvideo)
        return;
    pthread_mutex_lock(&lock);
    (*pvideo)->refs--;
    pthread_mutex_unlock(&lock);
    *pvideo = NULL;
}

int sc_videos_list(sc_videos *videos, const char *after, int max, sc_video **out)
{
    (void)videos;
    int count = 0;
    pthread_mutex_lock(&lock);
    for (;;) {
        sc_video *least = NULL;
        for (int i = 0; i < VIDEOS; i++) {
            if (table[i].used && strcmp(table[i].id, after) > 0 &&
                (!least || strcmp(table[i].id, least->id) < 0))
                least = &table[i];
        }
        if (!least || count == max)
            break;
        least->refs++;
        after = least->id;
        out[count++] = least;
    }
    pthread_mutex_unlock(&lock);
    return count;
}

int sc_videos_delete(sc_videos *videos, const char *id)
{
    sc_video *video = sc_videos_get(videos, id);
    if (!video)
        return SC_ENOTFOUND;
    pthread_mutex_lock(&lock);
    video->used = false;
    pthread_mutex_unlock(&lock);
    sc_video_unref(&video);
    return 0;
}

void sc_video_get_info(sc_video *video, struct sc_video_info *info)
{
    *info = (struct sc_video_info){.size = video->size, .index_ns = 125000000};
    memcpy(info->id, video->id, sizeof(info->id));
    memcpy(info->name, video->name, sizeof(info->name));
}

sc_index *sc_video_index(sc_video *video)
{
    (void)video;
    return &the_index;
}

int sc_video_open_fd(sc_video *video, int *fd, int64_t *size)
{
    *fd = memfd_create("clip", MFD_CLOEXEC);
    *size = video->size;
    for (int64_t i = 0; i < *size; i++) {
        char c = (char)('a' + i % 26);
        if (write(*fd, &c, 1) != 1)
            return SC_EIO;
    }
    return 0;
}

int sc_video_cached(sc_video *video, int64_t n)
{
    (void)video;
    return n % 10 < 3;
}

// --- index --------------------------------------------------------------------------------

const struct sc_index_info *sc_index_get_info(const sc_index *ix)
{
    return &ix->info;
}
void sc_index_unref(sc_index **pix)
{
    *pix = NULL;
}
bool sc_index_is_key(const sc_index *ix, int64_t n)
{
    (void)ix;
    return n % 12 == 0;
}
char *sc_index_format_time(const sc_index *ix, int64_t n, char *buf, size_t size)
{
    (void)ix;
    snprintf(buf, size, "%g", (double)n / FPS);
    return buf;
}
char *sc_index_format_duration(const sc_index *ix, char *buf, size_t size)
{
    return sc_index_format_time(ix, ix->info.frames, buf, size);
}

// --- pictures -----------------------------------------------------------------------------

const char *sc_picture_mime(enum sc_picture_format format)
{
    static const char *const mimes[] = {"image/jpeg", "image/png", "image/webp",
                                        "application/x-npy"};
    return mimes[format];
}

sc_buf *sc_picture_npy_header(int64_t count, int h, int w)
{
    sc_buf *buf = sc_buf_new(128);
    memset(buf->data, ' ', 128);
    snprintf((char *)buf->data, 128, "NPY %d %d %d", (int)count, h, w);
    return buf;
}

sc_answer *sc_answer_ref(sc_answer *answer)
{
    sc_ref_inc(&answer->ref);
    return answer;
}

void sc_answer_unref(sc_answer **panswer)
{
    sc_answer *answer = *panswer;
    *panswer = NULL;
    if (!answer || !sc_ref_dec(&answer->ref))
        return;
    sc_buf_unref(&answer->body);
    sc_detections_unref(&answer->found);
    free(answer);
}

int sc_video_prepare(sc_video *video, struct sc_picture_query *query, sc_err *err)
{
    (void)video, (void)query, (void)err;
    return 0;
}

int sc_video_check_n(sc_video *video, int64_t n, sc_err *err)
{
    (void)video;
    if (n < the_index.info.frames)
        return 0;
    return sc_fail_field(err, SC_ERANGE, "n", "frames are 0 to %lld",
                         (long long)the_index.info.frames - 1);
}

int sc_video_find(sc_video *video, const char *t, int64_t *n, sc_err *err)
{
    char *end;
    double seconds = strtod(t, &end);
    if (*end || seconds < 0)
        return sc_fail_field(err, SC_EARG, "t", "no time");
    *n = (int64_t)floor(seconds * FPS + 1e-6);
    if (sc_video_check_n(video, *n, NULL))
        return sc_fail_field(err, SC_ERANGE, "t", "t is 0 to %g",
                             (double)the_index.info.frames / FPS);
    return 0;
}

void sc_video_etag(sc_video *video, int64_t n, const struct sc_picture_query *query,
                   char etag[40])
{
    (void)video, (void)query;
    snprintf(etag, 40, "\"f%lld\"", (long long)n);
}

sc_answer *sc_video_peek(sc_video *video, int64_t n, const struct sc_picture_query *query)
{
    (void)video;
    if (query->instance)
        return NULL;
    pthread_mutex_lock(&lock);
    sc_answer *answer = cached[n] ? sc_answer_ref(cached[n]) : NULL;
    pthread_mutex_unlock(&lock);
    return answer;
}

struct wait {
    int64_t n;
    bool rgb, found;
    double threshold;
    sc_answer_fn *fn;
    void *arg;
};

// Two things in each frame, of scores 0.9 and 0.3.
static sc_detections *find_two(int64_t n)
{
    sc_detections *found = sc_detections_new(2);
    found->width = 320;
    found->height = 240;
    found->batch = 1;
    found->items[0] = (struct sc_detection){(float)n, 1, 50, 60, 0.9F, 0, 0};
    found->items[1] = (struct sc_detection){2, 2, 30, 40, 0.3F, 7, 0};
    atomic_fetch_add(&fake.detected, 1);
    return found;
}

static sc_answer *make(int64_t n, bool rgb, sc_detections *found, double threshold)
{
    sc_answer *answer = sc_new(sc_answer);
    sc_ref_init(&answer->ref);
    answer->info.width = 10;
    answer->info.height = 10;
    answer->n = n;
    answer->found = found;
    answer->count = found ? sc_detections_above(found, threshold) : 0;
    answer->body = sc_buf_new(rgb ? 300 : fake.picture_bytes);
    memset(answer->body->data, (int)('A' + n % 26), answer->body->size);
    snprintf(answer->etag, sizeof(answer->etag), "\"f%lld\"", (long long)n);
    return answer;
}

static void run(void *arg)
{
    struct wait wait = *(struct wait *)arg;
    free(arg);
    sc_clock_sleep(fake.delay_ns);
    atomic_fetch_add(&fake.pictures, 1);
    sc_err err = {0};
    if (fake.picture_ret) {
        sc_fail(&err, fake.picture_ret, "made to fail");
        wait.fn(wait.arg, fake.picture_ret, NULL, &err);
        return;
    }
    sc_answer *answer =
        make(wait.n, wait.rgb, wait.found ? find_two(wait.n) : NULL, wait.threshold);
    pthread_mutex_lock(&lock);
    if (!wait.rgb && !wait.found && !cached[wait.n])
        cached[wait.n] = sc_answer_ref(answer);
    pthread_mutex_unlock(&lock);
    wait.fn(wait.arg, 0, answer, NULL);
}

static int ask(int64_t n, bool rgb, const struct sc_picture_query *query, sc_answer_fn *fn,
               void *arg, sc_err *err)
{
    if (fake.busy > 0 && fake.busy--)
        return sc_fail(err, SC_EBUSY, "too much waits");
    struct wait *wait = sc_new(struct wait);
    *wait = (struct wait){n, rgb, query->instance != NULL, query->threshold, fn, arg};
    return sc_pool_post(the_app->pool, SC_PRIO_INTERACTIVE, run, wait);
}

int sc_video_picture(sc_video *video, int64_t n, const struct sc_picture_query *query,
                     int flags, sc_answer_fn *fn, void *arg, sc_err *err)
{
    (void)video, (void)flags;
    return ask(n, false, query, fn, arg, err);
}

int sc_video_rgb(sc_video *video, int64_t n, const struct sc_picture_query *query, int flags,
                 sc_answer_fn *fn, void *arg, sc_err *err)
{
    (void)video, (void)flags;
    return ask(n, true, query, fn, arg, err);
}

// --- detections ---------------------------------------------------------------------------

struct detect {
    struct sc_detect_params params;
    sc_detect_fn *fn;
    void *arg;
};

static void run_detect(void *arg)
{
    struct detect detect = *(struct detect *)arg;
    free(arg);
    sc_clock_sleep(fake.delay_ns);
    sc_err err = {0};
    int ret = fake.detect_ret;
    pthread_mutex_lock(&lock);
    if (fake.detect_busy > 0 && fake.detect_busy--)
        ret = SC_EBUSY;
    pthread_mutex_unlock(&lock);
    if (sc_cancel_requested(detect.params.cancel)) {
        ret = SC_ECANCELLED;
        atomic_fetch_add(&fake.detect_cancelled, 1);
    }
    if (ret)
        sc_fail(&err, ret, "made to fail");
    detect.fn(detect.arg, ret, ret ? NULL : find_two(detect.params.n), &err);
}

int sc_detect(sc_inference *inference, const struct sc_detect_params *params, sc_detect_fn *fn,
              void *arg, sc_err *err)
{
    (void)inference, (void)err;
    struct detect *detect = sc_new(struct detect);
    *detect = (struct detect){*params, fn, arg};
    return sc_pool_post(the_app->pool, SC_PRIO_NORMAL, run_detect, detect);
}

void sc_detections_report(sc_str *out, sc_video *video, int64_t n, const sc_instance *instance,
                          const sc_detections *found, double threshold)
{
    const struct sc_instance_info *info = sc_instance_get_info(instance);
    char t[64];
    (void)video;
    sc_report_add_json(out, &(struct sc_report){
                                .n = n,
                                .t = sc_index_format_time(&the_index, n, t, sizeof(t)),
                                .model = info->name,
                                .labels = (const char *const *)info->labels,
                                .label_count = info->classes,
                                .detections = found,
                                .count = sc_detections_above(found, threshold),
                            });
}
