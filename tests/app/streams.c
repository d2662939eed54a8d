// Streams as resources, with runs by script: rows, restarts, files, secrets, models, videos, viewers.
#include "fixture.h"

#include "app/streams.h"
#include "base/clock.h"
#include "fake_detector.h"
#include "fake_live.h"

struct rig {
    struct fixture *fx; // videos
    sc_rows *rows;
    sc_metrics *metrics;
    sc_models *models;
    struct fake_runtime runtime;
    sc_options *options;
    struct sc_streams_settings settings;
    sc_streams *streams;
    char files[200];
};

static int setup(void **state)
{
    static const sc_option_group *const groups[] = {&sc_models_options, NULL};
    struct rig *rig = sc_new(struct rig);
    void *fx;
    fixture_setup(&fx);
    rig->fx = fx;
    app_fresh(rig->fx, "data", "prefetch=false");
    snprintf(rig->files, sizeof(rig->files), "%s/files", rig->fx->root);
    shell("mkdir -p %s/in %s/outside", rig->files, rig->fx->root);
    rig->metrics = sc_metrics_new();
    assert_int_equal(
        sc_rows_open(&rig->rows, &(struct sc_rows_params){.backend = "memory"}, NULL), 0);
    fake_init(&rig->runtime);
    rig->options = sc_options_new(groups);
    assert_int_equal(
        sc_models_open(&rig->models,
                       &(struct sc_models_params){
                           .settings = sc_options_get(rig->options, &sc_models_options),
                           .data_dir = rig->fx->root,
                           .built_in = "/nowhere",
                           .ops = &fake_ops,
                           .ops_arg = &rig->runtime,
                           .metrics = rig->metrics},
                       NULL),
        0);
    rig->settings = (struct sc_streams_settings){.max = 4, .files = rig->files};
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    sc_models_close(&rig->models);
    sc_options_free(&rig->options);
    sc_rows_close(&rig->rows);
    sc_metrics_free(&rig->metrics);
    app_close(rig->fx);
    void *fx = rig->fx;
    fixture_teardown(&fx);
    free(rig);
    return 0;
}

static void begin(struct rig *rig)
{
    static const struct sc_live_rung rungs[] = {{.bitrate = 500000}, {.codec = SC_LIVE_VP8}};
    assert_int_equal(sc_streams_open(&rig->streams,
                                     &(struct sc_streams_params){.settings = &rig->settings,
                                                                 .ops = &fake_live_ops,
                                                                 .log = rig->fx->log,
                                                                 .metrics = rig->metrics,
                                                                 .rows = rig->rows,
                                                                 .models = rig->models,
                                                                 .videos = rig->fx->videos,
                                                                 .threads = 1,
                                                                 .rungs = rungs,
                                                                 .rung_count = 2,
                                                                 .pause_ns = 2000000,
                                                                 .flush_ns = 50000000},
                                     NULL),
                     0);
}

static void end(struct rig *rig)
{
    sc_streams_close(&rig->streams);
    assert_int_equal(fake_lives.open, 0);
    assert_int_equal(fake_lives.viewers, 0);
}

// Ends, and forgets all streams.
static void end_clean(struct rig *rig)
{
    char ids[16][65];
    int count = sc_streams_list(rig->streams, "", 16, ids);
    for (int i = 0; i < count; i++)
        assert_int_equal(sc_streams_delete(rig->streams, ids[i]), 0);
    sc_row *rows;
    assert_int_equal(sc_rows_list(rig->rows, "streams", "", 10, &rows), 0);
    end(rig);
}

// spec is JSON with ' for ".
static int add(struct rig *rig, const char *spec, char id[65], sc_err *err)
{
    char text[4096];
    snprintf(text, sizeof(text), "%s", spec);
    for (char *p = text; (p = strchr(p, '\''));)
        *p = '"';
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    int ret = sc_streams_add(rig->streams, json, id, err);
    json_decref(json);
    return ret;
}

static void add_good(struct rig *rig, const char *spec)
{
    char id[65];
    sc_err err = {0};
    int ret = add(rig, spec, id, &err);
    if (ret)
        fail_msg("%s: %s", spec, sc_err_text(&err, ret));
}

static void await_state(struct rig *rig, const char *id, enum sc_streams_state state,
                        char reason[600])
{
    struct sc_streams_status status;
    for (int i = 0;; i++) {
        assert_int_equal(sc_streams_get(rig->streams, id, false, &status), 0);
        enum sc_streams_state now = status.state;
        if (reason)
            memcpy(reason, status.reason, 600);
        sc_streams_status_release(&status);
        if (now == state)
            return;
        if (i > 20000)
            fail_msg("%s is %s: %s", id, sc_streams_state_name(now), status.reason);
        usleep(1000);
    }
}

static void await_opened(int count)
{
    for (int i = 0;; i++) {
        pthread_mutex_lock(&fake_lives.lock);
        int opened = fake_lives.opened;
        pthread_mutex_unlock(&fake_lives.lock);
        if (opened >= count)
            return;
        assert_true(i < 20000);
        usleep(1000);
    }
}

// --- life ---------------------------------------------------------------------------------

static void life_of_a_stream(void **state)
{
    struct rig *rig = *state;
    struct sc_streams_status status;
    char id[65];
    sc_row row;
    begin(rig);
    assert_int_equal(add(rig,
                         "{'input':'rtsp://me:hush@cam/1','outputs':['rtmp://h/app/hush'],"
                         "'id':'door','fps':5,'delay':'150ms','sound':false,'restart':'never'}",
                         id, NULL),
                     0);
    assert_string_equal(id, "door");
    assert_int_equal(sc_rows_get(rig->rows, "streams", "door", &row), 0);
    assert_non_null(strstr(row.value, "me:hush@cam"));
    sc_row_release(&row);
    sc_live *live = fake_live_at("door");
    assert_string_equal(live->url, "rtsp://me:hush@cam/1");
    assert_string_equal(live->outputs[0], "rtmp://h/app/hush");
    assert_true(live->params.no_sound);
    assert_true(live->params.viewers);
    assert_int_equal(live->params.delay_ns, 150000000);
    assert_int_equal(sc_streams_get(rig->streams, "door", true, &status), 0);
    assert_int_equal(status.state, SC_STREAMS_RUNNING);
    assert_true(status.has_live);
    assert_int_equal(status.graph.stage_count, 2);
    char *text = json_dumps(status.spec, JSON_COMPACT);
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "rtsp://me:***@cam/1"));
    assert_null(strstr(text, "\"id\""));
    assert_null(strstr(status.live.outputs[0].url, "hush"));
    free(text);
    sc_streams_status_release(&status);
    assert_int_equal(add(rig, "{'input':'testsrc:'}", id, NULL), 0);
    assert_int_equal(strlen(id), 12);
    char ids[4][65];
    assert_int_equal(sc_streams_list(rig->streams, "", 4, ids), 2);
    assert_int_equal(sc_streams_list(rig->streams, ids[0], 4, ids), 1);
    assert_int_equal(sc_streams_delete(rig->streams, "door"), 0);
    assert_null(fake_live_at("door"));
    assert_int_equal(sc_rows_get(rig->rows, "streams", "door", &row), SC_ENOTFOUND);
    assert_int_equal(sc_streams_delete(rig->streams, "door"), SC_ENOTFOUND);
    assert_int_equal(sc_streams_get(rig->streams, "door", true, &status), SC_ENOTFOUND);
    add_good(rig, "{'input':'testsrc:','id':'door'}");
    end_clean(rig);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *spec, *field;
        int ret;
    } cases[] = {
        {"[]", "body", SC_EARG},
        {"{}", "input", SC_EARG},
        {"{'input':''}", "input", SC_EARG},
        {"{'input':7}", "input", SC_EARG},
        {"{'input':'rtsp://h/a\\nb'}", "input", SC_EARG},
        {"{'input':'gopher://h/a'}", "input", SC_EARG},
        {"{'input':'testsrc:','id':'a b'}", "id", SC_EARG},
        {"{'input':'testsrc:','id':7}", "id", SC_EARG},
        {"{'input':'testsrc:','colour':1}", "colour", SC_EARG},
        {"{'input':'testsrc:','fps':'5'}", "fps", SC_EARG},
        {"{'input':'testsrc:','fps':1e9}", "fps", SC_EARG},
        {"{'input':'testsrc:','width':1.5}", "width", SC_EARG},
        {"{'input':'testsrc:','loop':1}", "loop", SC_EARG},
        {"{'input':'testsrc:','delay':'a year'}", "delay", SC_EARG},
        {"{'input':'testsrc:','restart':'maybe'}", "restart", SC_EARG},
        {"{'input':'testsrc:','codec':'a b'}", "codec", SC_EARG},
        {"{'input':'testsrc:','transport':'ip'}", "transport", SC_EARG},
        {"{'input':'testsrc:','outputs':'x'}", "outputs", SC_EARG},
        {"{'input':'testsrc:','outputs':[7]}", "outputs[0]", SC_EARG},
        {"{'input':'testsrc:','outputs':['1','2','3','4','5','6','7','8','9']}", "outputs",
         SC_EARG},
        {"{'input':'testsrc:','outputs':['rtmp://h/a/b','/x.mp4']}", "outputs[1]", SC_EDENIED},
        {"{'input':'testsrc:','outputs':['http://h/x.m3u8']}", "outputs[0]", SC_EARG},
        {"{'input':'testsrc:','camera':7}", "camera", SC_EARG},
        {"{'input':'testsrc:','camera':{'zoom':[]}}", "camera.zoom", SC_EARG},
        {"{'input':'testsrc:','camera':{'follow':'a,b'}}", "camera.follow", SC_EARG},
        {"{'input':'testsrc:','camera':{'follow':'bad'}}", "camera", SC_EARG},
        {"{'input':'testsrc:','track':true}", "model", SC_EARG},
        {"{'input':'testsrc:','model':'nobody'}", "model", SC_ENOTFOUND},
        {"{'input':'video:nobody'}", "input", SC_ENOTFOUND},
        {"{'input':'testsrc:fail'}", "input", SC_EARG},
    };
    struct rig *rig = *state;
    char id[65];
    begin(rig);
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_err err = {0};
        int ret = add(rig, cases[i].spec, id, &err);
        if (ret != cases[i].ret || strcmp(err.field, cases[i].field))
            fail_msg("%s: %s, %s: %s", cases[i].spec, sc_error_name(ret), err.field, err.text);
        assert_true(err.text[0]);
        assert_null(strstr(err.text, "hush"));
    }
    assert_int_equal(fake_lives.open, 0);
    assert_int_equal(sc_streams_list(rig->streams, "", 1, &id), 0);
    end_clean(rig); // no row is left
}

static void ids_and_number_are_bounded(void **state)
{
    struct rig *rig = *state;
    char id[65];
    sc_err err = {0};
    begin(rig);
    add_good(rig, "{'input':'testsrc:','id':'a'}");
    assert_int_equal(add(rig, "{'input':'testsrc:','id':'a'}", id, &err), SC_EEXISTS);
    assert_string_equal(err.field, "id");
    add_good(rig, "{'input':'testsrc:','id':'b'}");
    add_good(rig, "{'input':'testsrc:','id':'c'}");
    add_good(rig, "{'input':'testsrc:','id':'d'}");
    assert_int_equal(add(rig, "{'input':'testsrc:','id':'e'}", id, NULL), SC_EBUSY);
    assert_int_equal(sc_streams_delete(rig->streams, "b"), 0);
    add_good(rig, "{'input':'testsrc:','id':'e'}");
    end_clean(rig);
}

// --- restarts -----------------------------------------------------------------------------

static void failed_ones_are_started_again(void **state)
{
    struct rig *rig = *state;
    struct sc_streams_status status;
    char reason[600];
    begin(rig);
    fake_lives.opened = 0;
    add_good(rig, "{'input':'rtsp://u:hush@h/','id':'a','max_restarts':3}");
    for (int i = 1; i <= 3; i++) {
        assert_true(fake_live_end("a", SC_EIO, "no way to rtsp://u:hush@h/"));
        await_opened(1 + i);
        await_state(rig, "a", SC_STREAMS_RUNNING, NULL);
    }
    assert_int_equal(sc_streams_get(rig->streams, "a", false, &status), 0);
    assert_int_equal(status.restarts, 3);
    sc_streams_status_release(&status);
    fake_live_end("a", SC_EIO, "no way to rtsp://u:hush@h/");
    await_state(rig, "a", SC_STREAMS_FAILED, reason);
    assert_non_null(strstr(reason, "no way to rtsp://u:***@h/"));
    assert_non_null(strstr(reason, "3 restarts within an hour"));
    assert_int_equal(fake_lives.opened, 4);
    end_clean(rig);
}

static void policies(void **state)
{
    struct rig *rig = *state;
    char reason[600];
    begin(rig);
    fake_lives.opened = 0;
    add_good(rig, "{'input':'testsrc:','id':'never','restart':'never'}");
    add_good(rig, "{'input':'testsrc:','id':'none','max_restarts':0}");
    add_good(rig, "{'input':'testsrc:','id':'always','restart':'always'}");
    add_good(rig, "{'input':'testsrc:','id':'ends'}");
    fake_live_end("never", SC_EDATA, "no video");
    await_state(rig, "never", SC_STREAMS_FAILED, reason);
    assert_string_equal(reason, "no video");
    fake_live_end("none", SC_EDATA, "no video");
    await_state(rig, "none", SC_STREAMS_FAILED, NULL);
    assert_int_equal(sc_streams_delete(rig->streams, "none"), 0);
    add_good(rig, "{'input':'testsrc:','id':'none'}");
    fake_live_end("none", SC_EUNSUPPORTED, "no such preset");
    await_state(rig, "none", SC_STREAMS_FAILED, NULL);
    fake_live_end("ends", 0, "");
    await_state(rig, "ends", SC_STREAMS_ENDED, reason);
    assert_string_equal(reason, "the source has ended");
    fake_live_end("always", 0, "");
    await_opened(6);
    // What ended stays so over a restart; what failed gets another chance.
    end(rig);
    begin(rig);
    await_opened(9);
    await_state(rig, "never", SC_STREAMS_RUNNING, NULL);
    await_state(rig, "ends", SC_STREAMS_ENDED, NULL);
    assert_null(fake_live_at("ends"));
    end_clean(rig);
}

static void pauses_grow(void **state)
{
    struct rig *rig = *state;
    struct sc_streams_status status;
    begin(rig);
    fake_lives.opened = 0;
    add_good(rig, "{'input':'testsrc:','id':'a'}");
    int64_t start = sc_clock_now();
    for (int i = 1; i <= 5; i++) {
        fake_live_end("a", SC_EIO, "gone");
        await_opened(1 + i);
    }
    assert_true(sc_clock_now() - start >= 62000000); // 2 + 4 + 8 + 16 + 32 ms
    await_state(rig, "a", SC_STREAMS_RUNNING, NULL);
    fake_live_end("a", SC_EIO, "gone");
    await_state(rig, "a", SC_STREAMS_WAITING, NULL);
    assert_int_equal(sc_streams_get(rig->streams, "a", false, &status), 0);
    assert_true(status.retry_ns <= 64000000);
    sc_streams_status_release(&status);
    end_clean(rig); // also while it waits
}

static void deaf_ones_are_cut(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    fake_lives.deaf = true;
    add_good(rig, "{'input':'testsrc:','id':'a'}");
    add_good(rig, "{'input':'testsrc:','id':'b'}");
    int64_t start = sc_clock_now();
    assert_int_equal(sc_streams_delete(rig->streams, "a"), 0);
    assert_true(sc_clock_now() - start >= 50000000);
    end(rig);
    fake_lives.deaf = false;
    begin(rig);
    end_clean(rig);
}

static void stopping_refuses(void **state)
{
    struct rig *rig = *state;
    char id[65];
    begin(rig);
    add_good(rig, "{'input':'testsrc:','id':'a'}");
    sc_streams_stop(rig->streams);
    await_state(rig, "a", SC_STREAMS_ENDED, NULL);
    assert_int_equal(add(rig, "{'input':'testsrc:'}", id, NULL), SC_ECANCELLED);
    end_clean(rig); // deleting still works
}

// --- files --------------------------------------------------------------------------------

static void files_stay_in_their_folder(void **state)
{
    struct rig *rig = *state;
    const char *root = rig->fx->root;
    char spec[600], id[65];
    shell("cd %s && echo x > files/in/a.mp4 && echo x > outside/b.mp4 && mkfifo files/pipe && "
          "ln -sf ../outside files/way && ln -sf ../outside/b.mp4 files/link.mp4 && "
          "ln -sf nowhere files/dangling.mp4 && mkdir -p filesx && echo x > filesx/c.mp4",
          root);
    const struct {
        const char *input, *output;
        int ret;
    } cases[] = {
        {"in/a.mp4", NULL, SC_OK},
        {"file:in/a.mp4", NULL, SC_OK},
        {"%s/files/in/a.mp4", NULL, SC_OK},
        {"FILE:%s/files/in/../in/a.mp4", NULL, SC_EDENIED},
        {"%s/outside/b.mp4", NULL, SC_EDENIED},
        {"%s/nowhere", NULL, SC_EDENIED},
        {"%s/filesx/c.mp4", NULL, SC_EDENIED},
        {"../outside/b.mp4", NULL, SC_EDENIED},
        {"way/b.mp4", NULL, SC_ENOTFOUND},
        {"link.mp4", NULL, SC_ENOTFOUND},
        {"in/none.mp4", NULL, SC_ENOTFOUND},
        {"in", NULL, SC_ENOTFOUND},
        {"pipe", NULL, SC_ENOTFOUND},
        {"file:///etc/passwd", NULL, SC_EDENIED},
        {"file:/etc/passwd", NULL, SC_EDENIED},
        {"/dev/zero", NULL, SC_EDENIED},
        {"concat:in/a.mp4|/etc/passwd", NULL, SC_ENOTFOUND},
        {"testsrc:", "new.mp4", SC_OK},
        {"testsrc:", "in/a.mp4", SC_OK},
        {"testsrc:", "hls/deep/index.m3u8", SC_OK},
        {"testsrc:", "%s/files/new.mp4", SC_OK},
        {"testsrc:", "way/new.mp4", SC_EDENIED},
        {"testsrc:", "way/new/index.m3u8", SC_EDENIED},
        {"testsrc:", "link.mp4", SC_EDENIED},
        {"testsrc:", "dangling.mp4", SC_EDENIED},
        {"testsrc:", "in/a.mp4/b.mp4", SC_EDENIED},
        {"testsrc:", "pipe", SC_EDENIED},
        {"testsrc:", "../new.mp4", SC_EDENIED},
        {"testsrc:", "in/../../new.mp4", SC_EDENIED},
        {"testsrc:", "/tmp/new.mp4", SC_EDENIED},
        {"testsrc:", "", SC_EDENIED},
    };
    begin(rig);
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        char input[300], output[300] = "";
        const char *made = cases[i].output;
        snprintf(input, sizeof(input), cases[i].input, root); // NOLINT
        if (made)
            snprintf(output, sizeof(output), made, root); // NOLINT
        snprintf(spec, sizeof(spec), "{'input':'%s','id':'a'%s%s%s}", input,
                 made ? ",'outputs':['" : "", output, made ? "']" : "");
        sc_err err = {0};
        int ret = add(rig, spec, id, &err);
        if (ret != cases[i].ret)
            fail_msg("%s: %s: %s", spec, sc_error_name(ret), err.text);
        if (!ret)
            assert_int_equal(sc_streams_delete(rig->streams, "a"), 0);
    }
    // The live stream gets the path itself; what is told has the name that was given.
    add_good(rig, "{'input':'in/a.mp4','id':'a','outputs':['hls/x.m3u8'],'restart':'never'}");
    snprintf(spec, sizeof(spec), "%s/files/in/a.mp4", root);
    assert_string_equal(fake_live_at("a")->url, spec);
    snprintf(spec, sizeof(spec), "%s/files/hls/x.m3u8", root);
    assert_string_equal(fake_live_at("a")->outputs[0], spec);
    struct sc_streams_status status;
    assert_int_equal(sc_streams_get(rig->streams, "a", true, &status), 0);
    assert_string_equal(status.live.outputs[0].url, "hls/x.m3u8");
    assert_string_equal(status.live.outputs[0].info.reason, "once hls/x.m3u8 was full");
    sc_streams_status_release(&status);
    char reason[600];
    snprintf(spec, sizeof(spec), "cannot write %s/files/hls/x.m3u8, disk full", root);
    fake_live_end("a", SC_ENOSPACE, spec);
    await_state(rig, "a", SC_STREAMS_FAILED, reason);
    assert_string_equal(reason, "cannot write hls/x.m3u8, disk full");
    char none[1] = "";
    rig->settings.files = none;
    sc_err err = {0};
    assert_int_equal(add(rig, "{'input':'in/a.mp4'}", id, &err), SC_EDENIED);
    assert_non_null(strstr(err.text, "streams-files"));
    rig->settings.files = rig->files;
    end_clean(rig);
}

// --- videos and models --------------------------------------------------------------------

static void stored_videos_are_inputs(void **state)
{
    struct rig *rig = *state;
    char reason[600];
    upload_clip(rig->fx, "clip");
    begin(rig);
    add_good(rig, "{'input':'video:clip','id':'a','restart':'always'}");
    const char *url = fake_live_at("a")->url;
    assert_true(sc_starts_with(url, "file:"));
    assert_int_equal(access(url + 5, R_OK), 0);
    assert_int_equal(sc_videos_delete(rig->fx->videos, "clip"), 0);
    await_state(rig, "a", SC_STREAMS_FAILED, reason);
    assert_string_equal(reason, "its video was deleted");
    assert_files(rig->fx, 0);
    end_clean(rig);
}

static void put_model(struct rig *rig, const char *name)
{
    sc_model_upload *up;
    assert_int_equal(sc_model_upload_open(&up, rig->models, 6, NULL), 0);
    assert_int_equal(sc_model_upload_write(up, "good 1", 6, NULL), 0);
    assert_int_equal(
        sc_model_upload_finish(&up, &(struct sc_model_upload_params){.name = name}, NULL), 0);
}

static void models_are_kept_and_waited_for(void **state)
{
    struct rig *rig = *state;
    char id[65], reason[600];
    sc_err err = {0};
    begin(rig);
    fake_lives.opened = 0;
    atomic_store(&rig->runtime.load_ns, 300000000);
    put_model(rig, "m");
    assert_int_equal(add(rig, "{'input':'testsrc:','model':'m'}", id, &err), SC_EAGAIN);
    assert_string_equal(err.field, "model");
    for (int i = 0;; i++) {
        int ret = add(rig,
                      "{'input':'testsrc:','id':'a','model':'m','overlay':true,"
                      "'camera':{'zoom':3,'ahead':0.5}}",
                      id, NULL);
        if (!ret)
            break;
        assert_int_equal(ret, SC_EAGAIN);
        assert_true(i < 20000);
        usleep(1000);
    }
    sc_live *live = fake_live_at("a");
    assert_non_null(live->params.model.batcher);
    assert_string_equal(live->params.model.labels[1], "dog");
    assert_true(live->params.camera.on);
    assert_string_equal(live->params.camera.follow, "zoom=3,ahead=0.5s");
    end(rig);
    // Loaded anew, as after the server's start.
    assert_int_equal(sc_models_delete(rig->models, "m"), 0);
    put_model(rig, "m");
    begin(rig);
    await_state(rig, "a", SC_STREAMS_STARTING, reason);
    await_opened(2);
    await_state(rig, "a", SC_STREAMS_RUNNING, NULL);
    assert_int_equal(sc_models_delete(rig->models, "m"), 0);
    assert_non_null(fake_live_at("a")); // it keeps what it began with
    end_clean(rig);
    atomic_store(&rig->runtime.load_ns, 0);
}

// --- viewers ------------------------------------------------------------------------------

struct seen {
    atomic_int pictures, ends;
};

static void see(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns)
{
    struct seen *seen = arg;
    (void)n, (void)pts_ns;
    atomic_fetch_add(jpeg ? &seen->pictures : &seen->ends, 1);
}

static void viewers_see_and_end(void **state)
{
    struct rig *rig = *state;
    struct seen seen[3] = {0};
    sc_streams_viewer *viewers[3];
    sc_err err = {0};
    begin(rig);
    add_good(rig, "{'input':'testsrc:','id':'a','restart':'never'}");
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            sc_streams_view(rig->streams, "a", SC_LIVE_SHOWN, &viewers[i], see, &seen[i], NULL),
            0);
    fake_live_picture("a", "jpeg", 1);
    sc_streams_unview(&viewers[0]);
    fake_live_picture("a", "jpeg", 2);
    fake_live_end("a", SC_EIO, "gone");
    await_state(rig, "a", SC_STREAMS_FAILED, NULL);
    assert_int_equal(seen[0].pictures, 1);
    assert_int_equal(seen[0].ends, 0);
    assert_int_equal(seen[1].pictures, 2);
    assert_int_equal(seen[1].ends, 1);
    sc_streams_viewer *none;
    assert_int_equal(sc_streams_view(rig->streams, "a", SC_LIVE_SHOWN, &none, see, NULL, &err),
                     SC_EAGAIN);
    assert_non_null(strstr(err.text, "failed"));
    assert_int_equal(sc_streams_view(rig->streams, "b", SC_LIVE_SHOWN, &none, see, NULL, NULL),
                     SC_ENOTFOUND);
    assert_int_equal(sc_streams_view(rig->streams, "b", SC_LIVE_WIDE, &none, see, NULL, NULL),
                     SC_ENOTFOUND);
    assert_int_equal(sc_streams_delete(rig->streams, "a"), 0);
    sc_streams_unview(&viewers[1]);
    sc_streams_unview(&viewers[2]);
    // Cut: nobody said the end, so it is said for it.
    fake_lives.deaf = true;
    add_good(rig, "{'input':'testsrc:','id':'b'}");
    seen[0] = (struct seen){0};
    assert_int_equal(
        sc_streams_view(rig->streams, "b", SC_LIVE_SHOWN, &viewers[0], see, &seen[0], NULL), 0);
    assert_int_equal(sc_streams_delete(rig->streams, "b"), 0);
    assert_int_equal(seen[0].ends, 1);
    sc_streams_unview(&viewers[0]);
    fake_lives.deaf = false;
    end_clean(rig);
}

// --- taps ---------------------------------------------------------------------------------

static void sip(void *arg, const struct sc_live_sample *sample)
{
    struct seen *seen = arg;
    atomic_fetch_add(sample ? &seen->pictures : &seen->ends, 1);
}

static void taps_outlive_runs(void **state)
{
    struct rig *rig = *state;
    struct seen seen[3] = {0};
    sc_live_tap *taps[3];
    struct sc_live_rung_figures figures[4];
    sc_err err = {0};
    begin(rig);
    const struct sc_live_ops *ops = sc_streams_ops(rig->streams);
    fake_lives.opened = 0;
    add_good(rig, "{'input':'testsrc:','id':'a','restart':'always'}");
    assert_int_equal(fake_live_at("a")->params.rungs[1].codec, SC_LIVE_VP8);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sc_streams_tap(rig->streams, "a", i, &taps[i], sip, &seen[i], &err),
                         0);
    assert_int_equal(sc_streams_tap(rig->streams, "a", 2, &taps[2], sip, &seen[2], &err),
                     SC_EARG);
    assert_null(taps[2]);
    fake_live_sample("a", 1, &(struct sc_live_sample){.n = 7});
    assert_int_equal(sc_streams_get_rungs(rig->streams, "a", figures, 4), 2);
    assert_int_equal(figures[0].taps, 1);
    assert_int_equal(figures[0].bitrate, 500000);
    fake_live_end("a", SC_EIO, "gone");
    await_opened(2);
    await_state(rig, "a", SC_STREAMS_RUNNING, NULL);
    // The run has been closed; its taps have not, and another has begun.
    assert_int_equal(sc_streams_tap(rig->streams, "a", 1, &taps[2], sip, &seen[2], &err), 0);
    fake_live_sample("a", 1, &(struct sc_live_sample){.n = 8});
    assert_int_equal(seen[0].pictures, 0);
    assert_int_equal(seen[1].pictures, 1);
    assert_int_equal(seen[2].pictures, 1);
    assert_int_equal(seen[0].ends + seen[1].ends, 2);
    assert_int_equal(sc_streams_delete(rig->streams, "a"), 0);
    assert_int_equal(seen[2].ends, 1);
    for (int i = 0; i < 3; i++)
        ops->untap(&taps[i]);
    assert_int_equal(fake_lives.taps, 0);
    add_good(rig, "{'input':'testsrc:','id':'a','restart':'never'}");
    fake_live_end("a", SC_EIO, "gone");
    await_state(rig, "a", SC_STREAMS_FAILED, NULL);
    err = (sc_err){0};
    assert_int_equal(sc_streams_tap(rig->streams, "a", 0, &taps[0], sip, NULL, &err),
                     SC_EAGAIN);
    assert_non_null(strstr(err.text, "failed"));
    assert_int_equal(sc_streams_get_rungs(rig->streams, "a", figures, 4), SC_EAGAIN);
    assert_int_equal(sc_streams_tap(rig->streams, "b", 0, &taps[0], sip, NULL, &err),
                     SC_ENOTFOUND);
    end_clean(rig);
}

static void figures_add_up(void **state)
{
    struct rig *rig = *state;
    sc_str text = {0};
    begin(rig);
    add_good(rig, "{'input':'testsrc:','id':'a'}");
    add_good(rig, "{'input':'testsrc:','id':'b'}");
    for (int i = 0; i < 3000; i++) {
        sc_str_clear(&text);
        sc_metrics_print(rig->metrics, &text);
        if (strstr(text.s, "saccade_streams{state=\"running\"} 2"))
            break;
        usleep(1000);
    }
    assert_non_null(strstr(text.s, "saccade_streams{state=\"running\"} 2"));
    assert_non_null(strstr(text.s, "saccade_stream_latency_seconds{quantile=\"0.95\"} 0.04"));
    assert_non_null(strstr(text.s, "saccade_stream_frames_total"));
    end_clean(rig);
    sc_str_clear(&text);
    sc_metrics_print(rig->metrics, &text);
    assert_non_null(strstr(text.s, "saccade_streams{state=\"running\"} 0"));
    sc_str_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_of_a_stream),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(ids_and_number_are_bounded),
        cmocka_unit_test(failed_ones_are_started_again),
        cmocka_unit_test(policies),
        cmocka_unit_test(pauses_grow),
        cmocka_unit_test(deaf_ones_are_cut),
        cmocka_unit_test(stopping_refuses),
        cmocka_unit_test(files_stay_in_their_folder),
        cmocka_unit_test(stored_videos_are_inputs),
        cmocka_unit_test(models_are_kept_and_waited_for),
        cmocka_unit_test(viewers_see_and_end),
        cmocka_unit_test(taps_outlive_runs),
        cmocka_unit_test(figures_add_up),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
