// Whole streams of the made-up match, with a scripted model: what comes out, how they end, what they say.
#include "pipeline/live.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "media/index.h"
#include "vision/model_batch.h"

#define SMALL "testsrc:size=192x108,rate=25"

// --- a model that finds one thing, which moves ------------------------------------------------

struct script {
    int64_t run_ns; // a run takes so long
    atomic_int runs;
    int fail_at; // this run fails; 0 = none
};

static int run(void *arg, const struct sc_batch_turn *turn, struct sc_batch_work *work,
               int count, sc_err *err)
{
    struct script *script = arg;
    (void)turn;
    if (atomic_fetch_add(&script->runs, 1) + 1 == script->fail_at)
        return sc_fail(err, SC_EDATA, "the model says no");
    sc_clock_sleep(script->run_ns);
    for (int i = 0; i < count; i++) {
        const struct sc_model_item *item = work[i].in;
        sc_detections *found = sc_detections_new(1);
        found->width = item->frame->av->width;
        found->height = item->frame->av->height;
        float x = (float)(20 + item->frame->n % 60);
        found->items[0] =
            (struct sc_detection){.x1 = x, .y1 = 30, .x2 = x + 30, .y2 = 60, .score = 0.9F};
        work[i].out = found;
    }
    return SC_OK;
}

static const char *const labels[] = {"thing", "other"};

static struct sc_live_model model_of(struct script *script)
{
    struct sc_live_model model = {
        .name = "script", .labels = labels, .classes = 2, .threshold = 0.5};
    const struct sc_batcher_params params = {.run = run, .arg = script};
    assert_int_equal(sc_batcher_open(&model.batcher, &params, NULL), SC_OK);
    return model;
}

// --- helpers ----------------------------------------------------------------------------------

static char folder[] = "/tmp/saccade-live-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[8][400];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static int64_t frames_of(const char *path)
{
    sc_index *index = NULL;
    sc_err err = {0};
    if (sc_index_build(&index, path, &(struct sc_index_params){0}, &err) < 0)
        return -1;
    int64_t frames = sc_index_get_info(index)->frames;
    sc_index_unref(&index);
    return frames;
}

static int lines_of(const char *path)
{
    FILE *f = fopen(path, "re");
    int lines = 0;
    for (int c; f && (c = fgetc(f)) != EOF;)
        lines += c == '\n';
    if (f)
        fclose(f);
    return lines;
}

static int run_whole(const struct sc_live_params *params, struct sc_live_status *status,
                     sc_err *err)
{
    sc_live *live = NULL;
    int ret = sc_live_open(&live, params, err);
    if (ret < 0)
        return ret;
    ret = sc_live_wait(live, 30000, err);
    if (status)
        sc_live_get_status(live, status);
    sc_live_close(&live);
    return ret;
}

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int count = 0;
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

// --- what comes out ---------------------------------------------------------------------------

static void test_file_gets_every_picture(void **state)
{
    (void)state;
    struct script script = {0};
    struct sc_live_status status;
    sc_err err = {0};
    struct sc_live_params params = {.input.url = SMALL ",duration=2",
                                    .outputs = {path_of("a.mp4"), path_of("a.mkv")},
                                    .lines = path_of("a.jsonl"),
                                    .model = model_of(&script),
                                    .track = true,
                                    .overlay = true};
    assert_int_equal(run_whole(&params, &status, &err), SC_OK);
    assert_int_equal(frames_of(params.outputs[0]), 50);
    assert_int_equal(frames_of(params.outputs[1]), 50);
    assert_int_equal(lines_of(params.lines), 50);
    assert_int_equal(atomic_load(&script.runs), 50);
    assert_int_equal(status.phase, SC_LIVE_PHASE_ENDED);
    assert_int_equal(status.frames, 50);
    assert_int_equal(status.encoded, 50);
    assert_int_equal(status.detected, 50);
    assert_int_equal(status.objects_so_far, 1);
    assert_int_equal(status.late, 0);
    assert_int_equal(status.outputs[0].info.state, SC_OUTPUT_DONE);
    assert_string_equal(status.choice.name, "cpu");
    sc_batcher_close(&params.model.batcher);
}

static void test_camera_and_sizes(void **state)
{
    (void)state;
    struct script script = {0};
    struct sc_live_status status;
    sc_err err = {0};
    struct sc_live_params params = {.input.url = SMALL ",duration=1",
                                    .outputs = {path_of("tall.mp4")},
                                    .model = model_of(&script)};
    assert_int_equal(sc_live_camera_parse(&params.camera, "follow=thing,aspect=9:16", &err),
                     SC_OK);
    assert_int_equal(run_whole(&params, &status, &err), SC_OK);
    assert_int_equal(status.out_height, 108);
    assert_int_equal(status.out_width, 60);
    params.camera.on = false;
    params.width = 96;
    assert_int_equal(run_whole(&params, &status, &err), SC_OK);
    assert_int_equal(status.out_width, 96);
    assert_int_equal(status.out_height, 54);
    assert_int_equal(frames_of(params.outputs[0]), 25);
    sc_batcher_close(&params.model.batcher);
}

static void test_rate_is_thinned(void **state)
{
    (void)state;
    struct sc_live_status status;
    sc_err err = {0};
    struct sc_live_params params = {
        .input.url = SMALL ",duration=2", .outputs = {path_of("thin.mp4")}, .fps = 10};
    assert_int_equal(run_whole(&params, &status, &err), SC_OK);
    assert_in_range(frames_of(params.outputs[0]), 19, 21);
}

// --- the late rule ----------------------------------------------------------------------------

// The model takes eight pictures' time: the stream keeps the source's, and its delay stays bounded.
static void test_slow_model_holds_nobody_up(void **state)
{
    (void)state;
    struct script script = {.run_ns = 320 * SC_NS_PER_MS};
    struct sc_live_status status;
    sc_err err = {0};
    struct sc_live_params params = {.input.url = SMALL ",duration=4",
                                    .outputs = {path_of("slow.mp4")},
                                    .model = model_of(&script),
                                    .track = true,
                                    .realtime = true,
                                    .delay_ns = 100 * SC_NS_PER_MS};
    int64_t start_ns = sc_clock_now();
    assert_int_equal(run_whole(&params, &status, &err), SC_OK);
    assert_true(sc_clock_now() - start_ns < 15 * SC_NS_PER_S); // not the 32 s of every picture
    assert_true(status.detected < 30 && status.detected > 0);
    assert_true(status.encoded > 50);
    sc_batcher_close(&params.model.batcher);
}

// --- ends -------------------------------------------------------------------------------------

static void test_stop_leaves_a_whole_file(void **state)
{
    (void)state;
    sc_live *live = NULL;
    sc_err err = {0};
    struct sc_live_status status = {0};
    struct sc_live_params params = {
        .input.url = SMALL, .outputs = {path_of("stop.mp4")}, .realtime = true};
    assert_int_equal(sc_live_open(&live, &params, &err), SC_OK);
    while (status.encoded < 10) {
        sc_clock_sleep(10 * SC_NS_PER_MS);
        sc_live_get_status(live, &status);
    }
    assert_int_equal(sc_live_wait(live, 0, &err), SC_EAGAIN);
    sc_live_stop(live);
    assert_int_equal(sc_live_wait(live, 20000, &err), SC_OK);
    sc_live_get_status(live, &status);
    assert_int_equal(status.phase, SC_LIVE_PHASE_ENDED);
    sc_live_close(&live);
    assert_int_equal(frames_of(params.outputs[0]), status.encoded);
}

static void test_failures_are_told(void **state)
{
    (void)state;
    struct script script = {.fail_at = 5};
    struct sc_live_status status;
    sc_err err = {0};
    struct sc_live_params params = {.input.url = SMALL ",duration=1",
                                    .outputs = {path_of("f.mp4")},
                                    .model = model_of(&script)};
    assert_int_equal(run_whole(&params, &status, &err), SC_EDATA);
    assert_non_null(strstr(err.text, "the model says no"));
    assert_int_equal(status.phase, SC_LIVE_PHASE_FAILED);
    sc_batcher_close(&params.model.batcher);

    params = (struct sc_live_params){.input.url = path_of("missing.mp4"),
                                     .outputs = {path_of("f.mp4")}};
    assert_true(run_whole(&params, &status, &err) < 0);
    assert_non_null(strstr(err.text, "missing.mp4"));

    params = (struct sc_live_params){.input.url = SMALL ",duration=1",
                                     .outputs = {path_of("no/such/folder.mp4")}};
    assert_int_equal(run_whole(&params, &status, &err), SC_EIO);
    assert_non_null(strstr(err.text, "folder.mp4"));
}

static void test_bad_parameters(void **state)
{
    (void)state;
    struct script script = {0};
    struct sc_live_model model = model_of(&script);
    const struct {
        struct sc_live_params params;
        const char *field;
    } cases[] = {
        {{.input.url = ""}, "input"},
        {{.input.url = SMALL}, "outputs"},
        {{.input.url = SMALL, .outputs = {"x.mp4"}, .width = 31}, "width"},
        {{.input.url = SMALL, .outputs = {"x.mp4"}, .height = -2}, "height"},
        {{.input.url = SMALL, .outputs = {"x.mp4"}, .fps = -1}, "fps"},
        {{.input.url = SMALL, .outputs = {"x.mp4"}, .bitrate = 3}, "bitrate"},
        {{.input.url = SMALL, .rung_count = 5}, "rungs"},
        {{.input.url = SMALL, .rung_count = 1, .rungs = {{.width = 31}}}, "rungs"},
        {{.input.url = SMALL, .rung_count = 1, .rungs = {{.bitrate = 5}}}, "rungs"},
        {{.input.url = SMALL, .outputs = {"x.mp4"}, .track = true}, "track"},
        {{.input.url = SMALL, .outputs = {"x.mp4"}, .camera.on = true}, "camera"},
        {{.input.url = SMALL,
          .outputs = {"x.mp4"},
          .model = model,
          .camera = {.on = true, .follow = "unicorn"}},
         "camera"},
        {{.input.url = "gopher://x", .outputs = {"x.mp4"}}, "url"},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_live *live = NULL;
        sc_err err = {0};
        assert_true(sc_live_open(&live, &cases[i].params, &err) < 0);
        assert_null(live);
        assert_string_equal(err.field, cases[i].field);
        assert_true(err.text[0]);
    }
    sc_batcher_close(&model.batcher);
}

static void test_camera_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"follow",     "aspect=0",   "aspect=1:99",
                                      "zoom=0",     "zoom=33",    "ahead=6s",
                                      "colour=red", "aspect=x:y", "zoom=1,zoom"};
    struct sc_live_camera camera;
    sc_err err = {0};
    for (size_t i = 0; i < SC_COUNT(bad); i++)
        assert_int_equal(sc_live_camera_parse(&camera, bad[i], &err), SC_EARG);
    const char *good = "follow=ball+player,aspect=4:3,zoom=3,ahead=250ms";
    assert_int_equal(sc_live_camera_parse(&camera, good, &err), SC_OK);
    assert_string_equal(camera.follow, "ball+player");
    assert_true(camera.aspect > 1.33 && camera.aspect < 1.34);
    assert_true(camera.zoom == 3 && camera.ahead_ns == 250 * SC_NS_PER_MS);
}

// Cut off at any moment, nothing is left: for the sanitizers, and no descriptor stays open.
static void test_closed_at_any_time(void **state)
{
    (void)state;
    struct script script = {.run_ns = 5 * SC_NS_PER_MS};
    struct sc_live_model model = model_of(&script);
    int before = count_entries("/proc/self/fd");
    for (int i = 0; i < 12; i++) {
        sc_live *live = NULL;
        sc_err err = {0};
        struct sc_live_params params = {.input.url = SMALL,
                                        .outputs = {path_of("cut.mp4"), "udp://127.0.0.1:9"},
                                        .model = model,
                                        .track = true,
                                        .overlay = true,
                                        .viewers = true};
        assert_int_equal(sc_live_open(&live, &params, &err), SC_OK);
        sc_clock_sleep(i * 12 * SC_NS_PER_MS);
        if (i % 3 == 1)
            sc_live_stop(live);
        sc_live_close(&live);
    }
    assert_int_equal(count_entries("/proc/self/fd"), before);
    sc_batcher_close(&model.batcher);
}

// --- viewers ----------------------------------------------------------------------------------

struct eye {
    atomic_int pictures, ends;
    atomic_bool good;
};

static void look(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns)
{
    struct eye *eye = arg;
    (void)n;
    (void)pts_ns;
    if (!jpeg) {
        atomic_fetch_add(&eye->ends, 1);
        return;
    }
    const unsigned char *bytes = jpeg->data;
    if (jpeg->size > 100 && bytes[0] == 0xff && bytes[1] == 0xd8)
        atomic_store(&eye->good, true);
    atomic_fetch_add(&eye->pictures, 1);
}

static void test_viewers_share_pictures(void **state)
{
    (void)state;
    sc_live *live = NULL;
    sc_err err = {0};
    struct sc_live_status status;
    struct eye eyes[2] = {0}, late = {0};
    sc_live_viewer *viewers[2], *last;
    struct sc_live_params params = {.input.url = SMALL ",duration=2", .viewers = true};
    assert_int_equal(sc_live_open(&live, &params, &err), SC_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sc_live_view(live, SC_LIVE_SHOWN, &viewers[i], look, &eyes[i], &err),
                         SC_OK);
    while (atomic_load(&eyes[0].pictures) < 5)
        sc_clock_sleep(SC_NS_PER_MS);
    sc_live_unview(&viewers[0]);
    int seen = atomic_load(&eyes[0].pictures);
    assert_int_equal(sc_live_wait(live, 20000, &err), SC_OK);
    sc_live_get_status(live, &status);
    assert_int_equal(status.out_width, 192);
    assert_true(status.encoded > seen && status.latency_p95_ns > 0);
    assert_int_equal(atomic_load(&eyes[0].pictures), seen);
    assert_int_equal(atomic_load(&eyes[0].ends), 0);
    assert_int_equal(atomic_load(&eyes[1].ends), 1);
    assert_true(atomic_load(&eyes[1].pictures) > seen && atomic_load(&eyes[1].good));
    assert_int_equal(sc_live_view(live, SC_LIVE_SHOWN, &last, look, &late, &err), SC_OK);
    assert_int_equal(atomic_load(&late.ends), 1);
    sc_live_unview(&last);
    sc_live_unview(&viewers[1]);
    sc_live_close(&live);
}

// --- the wide view ----------------------------------------------------------------------------

#define SEEN 128

// What a tap and a viewer of the wide view saw of the same stream.
struct wide {
    pthread_mutex_t lock;
    // Under lock.
    struct sc_crop crops[SEEN]; // by the picture's number
    bool known[SEEN];
    int wrong, pictures, ends;
    sc_buf *jpeg; // the last one
    int64_t n, pts_ns;
};

static void note_crop(void *arg, const struct sc_live_sample *sample)
{
    struct wide *wide = arg;
    if (!sample)
        return;
    pthread_mutex_lock(&wide->lock);
    wide->wrong += sample->wide_width != 600 || sample->wide_height != 300;
    wide->crops[sample->n % SEEN] = sample->crop;
    wide->known[sample->n % SEEN] = true;
    pthread_mutex_unlock(&wide->lock);
}

static void see_wide(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns)
{
    struct wide *wide = arg;
    pthread_mutex_lock(&wide->lock);
    if (jpeg) {
        wide->wrong += wide->jpeg && pts_ns - wide->pts_ns < SC_NS_PER_S / 12;
        sc_buf_unref(&wide->jpeg);
        wide->jpeg = sc_buf_ref(jpeg);
        wide->n = n;
        wide->pts_ns = pts_ns;
        wide->pictures++;
    } else {
        wide->ends++;
    }
    pthread_mutex_unlock(&wide->lock);
}

static AVFrame *decode_jpeg(const sc_buf *jpeg)
{
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_MJPEG));
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    assert_int_equal(avcodec_open2(codec, NULL, NULL), 0);
    assert_int_equal(av_new_packet(packet, (int)jpeg->size), 0);
    memcpy(packet->data, jpeg->data, jpeg->size);
    assert_int_equal(avcodec_send_packet(codec, packet), 0);
    assert_int_equal(avcodec_receive_frame(codec, frame), 0);
    av_packet_free(&packet);
    avcodec_free_context(&codec);
    return frame;
}

// Mean luma of an upright line's middle half.
static double line_at(const AVFrame *av, double x, double top, double bottom)
{
    double sum = 0, count = 0;
    for (int y = (int)(top + (bottom - top) / 4); y < (int)(bottom - (bottom - top) / 4); y++) {
        sum += av->data[0][y * av->linesize[0] + (int)lrint(x)];
        count++;
    }
    return sum / count;
}

// All of the source's picture, small, with white lines and darkness beyond where the tap says that the camera is.
static void test_wide_view(void **state)
{
    (void)state;
    struct script script = {0};
    sc_err err = {0};
    sc_live *live = NULL;
    sc_live_tap *tap = NULL;
    sc_live_viewer *viewer = NULL;
    struct wide wide = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct sc_live_params params = {.input.url = "testsrc:size=600x300,rate=25,duration=2",
                                    .model = model_of(&script),
                                    .viewers = true,
                                    .rungs = {{.bitrate = 300000, .height = 100}},
                                    .rung_count = 1};
    assert_int_equal(sc_live_open(&live, &params, &err), SC_OK);
    assert_int_equal(sc_live_view(live, SC_LIVE_WIDE, &viewer, see_wide, &wide, &err), SC_EARG);
    assert_string_equal(err.field, "view");
    sc_live_close(&live);
    assert_int_equal(
        sc_live_camera_parse(&params.camera, "follow=thing,aspect=4:3,zoom=2", &err), SC_OK);
    assert_int_equal(sc_live_open(&live, &params, &err), SC_OK);
    assert_int_equal(sc_live_tap_open(live, 0, &tap, note_crop, &wide, &err), SC_OK);
    assert_int_equal(sc_live_view(live, SC_LIVE_WIDE, &viewer, see_wide, &wide, &err), SC_OK);
    assert_int_equal(sc_live_wait(live, 20000, &err), SC_OK);
    sc_live_unview(&viewer);
    sc_live_close(&live);
    sc_live_tap_close(&tap);
    assert_int_equal(wide.wrong, 0);
    assert_int_equal(wide.ends, 1);
    assert_in_range(wide.pictures, 6, 20);
    assert_true(wide.known[wide.n % SEEN]);
    AVFrame *av = decode_jpeg(wide.jpeg);
    assert_int_equal(av->width, 480);
    assert_int_equal(av->height, 240);
    struct sc_crop crop = wide.crops[wide.n % SEEN];
    double right = (crop.x + crop.w) * 0.8, top = crop.y * 0.8,
           bottom = (crop.y + crop.h) * 0.8;
    assert_true(crop.w < 450 && right < 470);
    assert_true(line_at(av, right - 2, top, bottom) > 180);
    assert_true(line_at(av, right + 4, top, bottom) <
                0.8 * line_at(av, right - 10, top, bottom));
    av_frame_free(&av);
    sc_buf_unref(&wide.jpeg);
    sc_batcher_close(&params.model.batcher);
}

// --- taps -------------------------------------------------------------------------------------

struct mouth {
    pthread_mutex_t lock;
    // Under lock.
    int samples, keys, ends, boxes, wrong, detected, misplaced;
    int width, height, source_width, source_height;
    double shape; // of the last box that is whole
};

static void check_boxes(struct mouth *mouth, const struct sc_live_sample *sample)
{
    const sc_detections *found = sample->found;
    for (int i = 0; found && i < found->count; i++) {
        const struct sc_detection *d = &found->items[i];
        mouth->wrong += d->x1 < 0 || d->y1 < 0 || d->x1 >= d->x2 || d->y1 >= d->y2 ||
                        d->x2 > (float)sample->source_width + 0.01F ||
                        d->y2 > (float)sample->source_height + 0.01F;
        if (d->x1 > 1 && d->x2 < (float)sample->source_width - 1)
            mouth->shape = (double)(d->x2 - d->x1) / (double)(d->y2 - d->y1);
        mouth->boxes++;
    }
}

static void swallow(void *arg, const struct sc_live_sample *sample)
{
    struct mouth *mouth = arg;
    pthread_mutex_lock(&mouth->lock);
    if (sample) {
        mouth->wrong += !mouth->samples && !sample->packet->key;
        mouth->wrong += sample->packet->pts_ns != sample->pts_ns ||
                        sample->arrival_ns > sample->ready_ns || !sample->model;
        mouth->samples++;
        mouth->keys += sample->packet->key;
        mouth->width = sample->width;
        mouth->height = sample->height;
        mouth->source_width = sample->source_width;
        mouth->source_height = sample->source_height;
        check_boxes(mouth, sample);
        mouth->detected += sample->detected;
        mouth->misplaced +=
            sample->detected && (sample->found->count != 1 ||
                                 sample->found->items[0].x1 != (float)(20 + sample->n % 60));
    } else {
        mouth->ends++;
    }
    pthread_mutex_unlock(&mouth->lock);
}

static bool are_linked(sc_live *live, const char *from, const char *to)
{
    struct sc_graph_stats stats;
    bool linked = false;
    sc_live_get_graph_stats(live, &stats);
    for (int i = 0; i < stats.link_count; i++)
        linked |= !strcmp(stats.stages[stats.links[i].from].name, from) &&
                  !strcmp(stats.stages[stats.links[i].to].name, to);
    sc_graph_stats_release(&stats);
    return linked;
}

// Pictures that are shown as they come are encoded while the model looks at them, and leave with what it found.
static void test_encoding_beside_detection(void **state)
{
    (void)state;
    struct script script = {.run_ns = 60 * SC_NS_PER_MS}; // longer than a picture lasts
    sc_err err = {0};
    struct sc_live_status status;
    struct mouth mouth = {.lock = PTHREAD_MUTEX_INITIALIZER};
    sc_live_tap *tap;
    sc_live *live = NULL;
    struct sc_live_params params = {.input.url = SMALL ",duration=2",
                                    .model = model_of(&script),
                                    .delay_ns = 200 * SC_NS_PER_MS,
                                    .rungs = {{.bitrate = 300000}},
                                    .rung_count = 1};
    assert_int_equal(sc_live_open(&live, &params, &err), SC_OK);
    assert_int_equal(sc_live_tap_open(live, 0, &tap, swallow, &mouth, &err), SC_OK);
    assert_int_equal(sc_live_wait(live, 20000, &err), SC_OK);
    sc_live_get_status(live, &status);
    assert_true(status.encoded > 20);
    assert_true(are_linked(live, "decode", "rung-1"));
    assert_true(are_linked(live, "track", "rung-1"));
    sc_live_close(&live);
    assert_true(mouth.samples > 20);
    assert_int_equal(mouth.ends, 1);
    assert_int_equal(mouth.wrong, 0);
    assert_true(mouth.detected > 5);
    assert_int_equal(mouth.misplaced, 0);
    sc_live_tap_close(&tap);
    sc_batcher_close(&params.model.batcher);
}

// Nothing but rungs: pictures are made and counted, and found things are where they are seen.
static void test_rungs_alone(void **state)
{
    (void)state;
    struct script script = {0};
    sc_err err = {0};
    struct sc_live_status status;
    struct sc_live_rung_figures figures;
    struct mouth mouths[2] = {{.lock = PTHREAD_MUTEX_INITIALIZER},
                              {.lock = PTHREAD_MUTEX_INITIALIZER}};
    sc_live_tap *taps[2], *none;
    sc_live *live = NULL;
    struct sc_live_params params = {
        .input.url = SMALL ",duration=2",
        .model = model_of(&script),
        .rungs = {{.bitrate = 300000}, {.codec = SC_LIVE_VP8, .height = 54, .fps = 5}},
        .rung_count = 2};
    assert_int_equal(sc_live_camera_parse(&params.camera, "follow=thing,aspect=4:3", &err),
                     SC_OK);
    assert_int_equal(sc_live_open(&live, &params, &err), SC_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sc_live_tap_open(live, i, &taps[i], swallow, &mouths[i], &err), SC_OK);
    assert_int_equal(sc_live_tap_open(live, 2, &none, swallow, NULL, &err), SC_EARG);
    assert_int_equal(sc_live_wait(live, 20000, &err), SC_OK);
    sc_live_get_status(live, &status);
    assert_true(status.encoded > 20 && status.out_width == 144 && status.out_height == 108);
    assert_int_equal(sc_live_rung_get(live, 0, &figures), SC_OK);
    assert_int_equal(figures.taps, 1);
    assert_int_equal(figures.pictures, mouths[0].samples);
    assert_int_equal(sc_live_rung_get(live, -1, &figures), SC_EARG);
    sc_live_close(&live);
    assert_true(mouths[0].samples > 20 && mouths[1].samples >= 5 && mouths[1].samples <= 11);
    assert_int_equal(mouths[1].width, 72);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mouths[i].ends, 1);
        assert_int_equal(mouths[i].wrong, 0);
        assert_int_equal(mouths[i].source_width,
                         144); // what the camera shows, before it is scaled
        assert_int_equal(mouths[i].source_height, 108);
        assert_true(mouths[i].boxes > 0);
        assert_true(fabs(mouths[i].shape - 1) < 0.1); // as square as what was found
        sc_live_tap_close(&taps[i]);                  // after its stream
    }
    sc_batcher_close(&params.model.batcher);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] != '.')
            unlink(path_of(e->d_name));
    if (dir)
        closedir(dir);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_gets_every_picture),
        cmocka_unit_test(test_camera_and_sizes),
        cmocka_unit_test(test_rate_is_thinned),
        cmocka_unit_test(test_slow_model_holds_nobody_up),
        cmocka_unit_test(test_stop_leaves_a_whole_file),
        cmocka_unit_test(test_failures_are_told),
        cmocka_unit_test(test_bad_parameters),
        cmocka_unit_test(test_camera_text),
        cmocka_unit_test(test_closed_at_any_time),
        cmocka_unit_test(test_viewers_share_pictures),
        cmocka_unit_test(test_wide_view),
        cmocka_unit_test(test_encoding_beside_detection),
        cmocka_unit_test(test_rungs_alone),
    };
    return cmocka_run_group_tests_name("pipeline/live", tests, make_folder, remove_folder);
}
