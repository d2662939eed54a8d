// An app on a folder of its own, real clips, and small steps that every test of the app takes.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/streams.h"
#include "app/videos_internal.h"
#include "app/webrtc.h"
#include "base/mem.h"

struct bytes {
    unsigned char *data;
    size_t size;
};

struct fixture {
    char root[128];    // removed at the end
    char dir[160];     // the data folder
    struct bytes clip; // 50 frames of 320x240 at 25/s, keyframes every 10
    sc_log *log;
    sc_options *options;
    sc_app *app;
    sc_videos *videos;
};

// Runs a command of the shell's and demands that it succeeds.
static inline void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void shell(const char *fmt, ...)
{
    char command[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while (fgetc(pipe) != EOF)
        ;
    assert_int_equal(pclose(pipe), 0);
}

static inline struct bytes read_bytes(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    struct bytes b = {.data = malloc((size_t)st.st_size + 1), .size = (size_t)st.st_size};
    assert_int_equal(read(fd, b.data, b.size), b.size);
    close(fd);
    return b;
}

static inline void write_bytes(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

static inline int fixture_setup(void **state)
{
    struct fixture *fx = sc_new(struct fixture);
    char path[200];
    snprintf(fx->root, sizeof(fx->root), "%s/saccade-app-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(fx->root));
    snprintf(path, sizeof(path), "%s/clip.mp4", fx->root);
    shell("ffmpeg -v error -nostdin -f lavfi -i testsrc=s=320x240:r=25:d=2 -c:v libx264 "
          "-preset ultrafast -g 10 -pix_fmt yuv420p -y %s",
          path);
    fx->clip = read_bytes(path);
    fx->log = sc_log_open(&(struct sc_log_params){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
                                                  .level = SC_LOG_TRACE});
    *state = fx;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fx = *state;
    shell("rm -rf %s", fx->root);
    sc_log_close(&fx->log);
    free(fx->clip.data);
    free(fx);
    return 0;
}

static inline void app_close(struct fixture *fx)
{
    sc_app_close(&fx->app);
    sc_options_free(&fx->options);
    fx->videos = NULL;
}

// Opens the app on the present folder; settings are "name=value" separated by spaces.
static inline int app_try(struct fixture *fx, const char *settings, sc_err *err)
{
    static const sc_option_group *const groups[] = {
        &sc_app_options, &sc_models_options, &sc_streams_options, &sc_webrtc_options, NULL};
    char text[400], *save = NULL;
    fx->options = sc_options_new(groups);
    assert_int_equal(sc_options_set(fx->options, "data-dir", fx->dir, "test", NULL), 0);
    assert_int_equal(sc_options_set(fx->options, "threads", "2", "test", NULL), 0);
    snprintf(text, sizeof(text), "%s", settings);
    for (char *s = strtok_r(text, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(s, '=');
        *eq = 0;
        assert_int_equal(sc_options_set(fx->options, s, eq + 1, "test", NULL), 0);
    }
    int ret = sc_app_open(&fx->app,
                          &(struct sc_app_params){.options = fx->options, .log = fx->log}, err);
    if (ret)
        sc_options_free(&fx->options);
    else
        fx->videos = sc_app_videos(fx->app);
    return ret;
}

static inline void app_open(struct fixture *fx, const char *settings)
{
    sc_err err = {0};
    int ret = app_try(fx, settings, &err);
    if (ret)
        fail_msg("sc_app_open: %s", sc_err_text(&err, ret));
}

// An app on a fresh folder named after the test.
static inline void app_fresh(struct fixture *fx, const char *name, const char *settings)
{
    snprintf(fx->dir, sizeof(fx->dir), "%s/%s", fx->root, name);
    app_open(fx, settings);
}

static inline void app_reopen(struct fixture *fx)
{
    app_close(fx);
    app_open(fx, "prefetch=false");
}

// Uploads bytes in pieces. The video is the caller's.
static inline int upload(struct fixture *fx, const char *id, struct bytes b, sc_video **pvideo,
                         sc_err *err)
{
    sc_upload *up = NULL;
    *pvideo = NULL;
    int ret = sc_upload_open(
        &up, fx->videos, &(struct sc_upload_params){.id = id, .name = "C:\\films\\clip.mp4"},
        err);
    for (size_t at = 0; !ret && at < b.size; at += 20000)
        ret = sc_upload_write(up, b.data + at, b.size - at < 20000 ? b.size - at : 20000, err);
    if (!ret)
        return sc_upload_finish(&up, pvideo, err);
    sc_upload_abort(&up);
    return ret;
}

static inline void upload_clip(struct fixture *fx, const char *id)
{
    sc_err err = {0};
    sc_video *video;
    int ret = upload(fx, id, fx->clip, &video, &err);
    if (ret)
        fail_msg("upload: %s", sc_err_text(&err, ret));
    sc_video_unref(&video);
}

// Regular files in a folder and its folders, and the path of the last that was found.
static inline int walk(const char *path, char last[600])
{
    int n = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return 0; // went meanwhile
    for (struct dirent *e; (e = readdir(dir));) {
        char below[600];
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(below, sizeof(below), "%.300s/%s", path, e->d_name);
        if (lstat(below, &st))
            continue;
        if (S_ISDIR(st.st_mode))
            n += walk(below, last);
        if (S_ISREG(st.st_mode)) {
            snprintf(last, 600, "%s", below);
            n++;
        }
    }
    closedir(dir);
    return n;
}

static inline int count_files(struct fixture *fx, const char *sub)
{
    char path[256], last[600];
    snprintf(path, sizeof(path), "%s/%s", fx->dir, sub);
    return walk(path, last);
}

// As many blobs and index files as there are videos, after what is freed in the background.
static inline void assert_files(struct fixture *fx, int videos)
{
    for (int i = 0; i < 500; i++) {
        if (count_files(fx, "blobs") == videos && count_files(fx, "index") == videos)
            return;
        usleep(10000);
    }
    assert_int_equal(count_files(fx, "blobs"), videos);
    assert_int_equal(count_files(fx, "index"), videos);
}

// --- waiting for pictures -----------------------------------------------------------------

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int called; // must end as the number of accepted requests
    int ret;    // of the last
    int good, cancelled, other;
    sc_answer *answer; // of the last good one
};

static inline void wait_init(struct wait *w)
{
    *w = (struct wait){0};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->cond, NULL);
}

static inline void on_answer(void *arg, int ret, sc_answer *answer, const sc_err *err)
{
    struct wait *w = arg;
    (void)err;
    pthread_mutex_lock(&w->lock);
    w->called++;
    w->ret = ret;
    w->good += !ret;
    w->cancelled += ret == SC_ECANCELLED;
    w->other += ret && ret != SC_ECANCELLED;
    sc_answer_unref(&w->answer);
    w->answer = answer;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static inline void wait_for(struct wait *w, int count)
{
    pthread_mutex_lock(&w->lock);
    while (w->called < count)
        pthread_cond_wait(&w->cond, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static inline void wait_release(struct wait *w)
{
    sc_answer_unref(&w->answer);
    pthread_cond_destroy(&w->cond);
    pthread_mutex_destroy(&w->lock);
}

// The picture of frame n at its own size; the answer is the caller's.
static inline sc_answer *picture(sc_video *video, int64_t n)
{
    struct sc_picture_query query = {0};
    struct wait w;
    wait_init(&w);
    assert_int_equal(sc_video_prepare(video, &query, NULL), 0);
    assert_int_equal(sc_video_picture(video, n, &query, 0, on_answer, &w, NULL), 0);
    wait_for(&w, 1);
    assert_int_equal(w.ret, 0);
    sc_answer *answer = sc_answer_ref(w.answer);
    wait_release(&w);
    return answer;
}
