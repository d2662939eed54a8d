// Plays: the pace, what is skipped, the ways they end, and that many cost no thread more.
#include "fixture.h"

#include "app/play.h"
#include "app/webrtc.h"
#include "base/clock.h"
#include "fake_detector.h"

#define QUIET "prefetch=false "
#define MS    SC_NS_PER_MS

// Who watches.
struct viewer {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    sc_play *play;
    int taken, ends, ret, found;
    int64_t ns[256]; // of the pictures
    int enough;      // so many are enough; 0 = all
    bool busy;       // has not taken the one before yet
    int asked;       // ready() was called
    bool late;       // something came after the end
};

static bool ready(void *arg)
{
    struct viewer *v = arg;
    pthread_mutex_lock(&v->lock);
    v->asked++;
    bool free = !v->busy;
    pthread_cond_broadcast(&v->cond);
    pthread_mutex_unlock(&v->lock);
    return free;
}

static bool take(void *arg, const sc_answer *answer)
{
    struct viewer *v = arg;
    pthread_mutex_lock(&v->lock);
    v->late |= v->ends;
    v->ns[v->taken++ % 256] = answer->n;
    v->found += answer->found ? answer->count : 0;
    bool more = v->taken != v->enough;
    pthread_cond_broadcast(&v->cond);
    pthread_mutex_unlock(&v->lock);
    return more;
}

static void on_end(void *arg, int ret)
{
    struct viewer *v = arg;
    pthread_mutex_lock(&v->lock);
    v->ends++;
    v->ret = ret;
    pthread_cond_broadcast(&v->cond);
    pthread_mutex_unlock(&v->lock);
}

static void viewer_init(struct viewer *v)
{
    *v = (struct viewer){0};
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->cond, NULL);
}

static void viewer_release(struct viewer *v)
{
    sc_play_unref(&v->play);
    pthread_cond_destroy(&v->cond);
    pthread_mutex_destroy(&v->lock);
}

// Until *value, which changes under the lock, is `least`: before the end.
static void await(struct viewer *v, const int *value, int least)
{
    pthread_mutex_lock(&v->lock);
    while (*value < least && !v->ends)
        pthread_cond_wait(&v->cond, &v->lock);
    int reached = *value;
    pthread_mutex_unlock(&v->lock);
    assert_true(reached >= least);
}

static int try_play(struct fixture *fx, struct viewer *v, struct sc_play_params params,
                    sc_err *err)
{
    viewer_init(v);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    assert_int_equal(sc_video_prepare(video, &params.query, NULL), 0);
    params.video = video;
    params.ready = ready;
    params.take = take;
    params.on_end = on_end;
    params.arg = v;
    int ret = sc_play_new(&v->play, sc_app_plays(fx->app), &params, err);
    sc_video_unref(&video);
    return ret;
}

static void play(struct fixture *fx, struct viewer *v, struct sc_play_params params)
{
    assert_int_equal(try_play(fx, v, params, NULL), 0);
}

static void assert_ended(struct viewer *v, int ret)
{
    await(v, &v->ends, 1);
    assert_int_equal(v->ret, ret);
}

static void open_clip(struct fixture *fx, const char *name)
{
    app_fresh(fx, name, QUIET);
    upload_clip(fx, "clip");
}

// Has every picture of the clip made, so that plays find them.
static void make_all(struct fixture *fx)
{
    sc_video *video = sc_videos_get(fx->videos, "clip");
    for (int n = 0; n < 50; n++) {
        sc_answer *answer = picture(video, n);
        sc_answer_unref(&answer);
    }
    sc_video_unref(&video);
}

// --- the pace ---------------------------------------------------------------------------------

static void plays_to_the_end(void **state)
{
    struct fixture *fx = *state;
    struct viewer v;
    open_clip(fx, "end");
    int64_t start = sc_clock_now();
    play(fx, &v, (struct sc_play_params){.fps = 25, .from = 1.6});
    assert_ended(&v, SC_OK);
    int64_t took = sc_clock_now() - start;
    assert_true(took >= 400 * MS);      // ten frames at their pace
    assert_in_range(v.taken, 1, 10);    // a slow machine skips,
    assert_int_equal(v.ns[0], 40);      // but never the first one,
    for (int i = 1; i < v.taken; i++) { // and never goes back
        assert_true(v.ns[i] > v.ns[i - 1]);
        assert_true(v.ns[i] < 50);
    }
    viewer_release(&v);
    app_close(fx);
    assert_int_equal(v.ends, 1);
    assert_false(v.late);
}

// A rate above the video's shows frames more than once.
static void keeps_its_own_rate(void **state)
{
    struct fixture *fx = *state;
    int most = 0;
    open_clip(fx, "rate");
    make_all(fx);
    for (int i = 0; i < 5 && most <= 10; i++) { // a busy machine skips some
        struct viewer v;
        play(fx, &v, (struct sc_play_params){.fps = 50, .from = 1.6});
        assert_ended(&v, SC_OK);
        assert_in_range(v.taken, 1, 20);
        for (int k = 1; k < v.taken; k++)
            assert_true(v.ns[k] >= v.ns[k - 1]);
        most = v.taken > most ? v.taken : most;
        viewer_release(&v);
    }
    assert_true(most > 10); // ten frames
    app_close(fx);
}

static uint64_t late_of(sc_play *play)
{
    struct sc_graph_stats stats;
    sc_play_get_stats(play, &stats);
    uint64_t late = stats.stage_count ? stats.stages[0].dropped[SC_DROP_LATE] : 0;
    sc_graph_stats_release(&stats);
    return late;
}

static void skips_what_is_not_taken(void **state)
{
    struct fixture *fx = *state;
    struct viewer v;
    open_clip(fx, "skip");
    make_all(fx);
    play(fx, &v, (struct sc_play_params){.fps = 100});
    await(&v, &v.taken, 1);
    pthread_mutex_lock(&v.lock);
    v.busy = true;
    int asked = v.asked;
    pthread_mutex_unlock(&v.lock);
    await(&v, &v.asked, asked + 2);
    int taken = v.taken; // one may have been on its way
    await(&v, &v.asked, asked + 20);
    assert_int_equal(v.taken, taken);
    assert_true(late_of(v.play) >= 18);
    pthread_mutex_lock(&v.lock);
    v.busy = false;
    pthread_mutex_unlock(&v.lock);
    await(&v, &v.taken, taken + 1);
    assert_true(v.ns[taken] > v.ns[taken - 1] + 3); // time went on
    sc_play_stop(v.play);
    assert_ended(&v, SC_OK);
    viewer_release(&v);
    app_close(fx);
}

static void tells_figures(void **state)
{
    struct fixture *fx = *state;
    struct viewer v;
    struct sc_graph_stats stats;
    open_clip(fx, "figures");
    make_all(fx);
    play(fx, &v, (struct sc_play_params){.fps = 25});
    await(&v, &v.taken, 3);
    sc_play_get_stats(v.play, &stats);
    assert_int_equal(stats.stage_count, 2);
    assert_int_equal(stats.link_count, 1);
    assert_string_equal(stats.stages[0].name, "source");
    assert_string_equal(stats.stages[1].name, "sink");
    assert_true(stats.stages[0].emitted >= 3);
    assert_true(stats.stages[1].taken >= 2);
    assert_true(stats.stages[1].latency_p95_ns > 0);
    sc_graph_stats_release(&stats);
    sc_play_stop(v.play);
    assert_ended(&v, SC_OK);
    while (sc_play_get_stats(v.play, &stats), stats.stage_count) {
        sc_graph_stats_release(&stats);
        sc_clock_sleep(MS);
    }
    viewer_release(&v);
    app_close(fx);
}

// --- ends -------------------------------------------------------------------------------------

static void nobody_wants_more(void **state)
{
    struct fixture *fx = *state;
    struct viewer v;
    open_clip(fx, "enough");
    make_all(fx);
    play(fx, &v, (struct sc_play_params){.fps = 50});
    pthread_mutex_lock(&v.lock);
    v.enough = v.taken + 2;
    pthread_mutex_unlock(&v.lock);
    assert_ended(&v, SC_OK);
    assert_int_equal(v.taken, v.enough);
    sc_play_stop(v.play); // late, and does nothing
    viewer_release(&v);
    app_close(fx);
}

// Also between ticks that are far apart, and with nobody who holds it.
static void stops_at_once(void **state)
{
    struct fixture *fx = *state;
    struct viewer v;
    open_clip(fx, "stop");
    play(fx, &v, (struct sc_play_params){.fps = 0.1});
    await(&v, &v.taken, 1);
    int64_t start = sc_clock_now();
    sc_play_stop(v.play);
    sc_play_unref(&v.play);
    assert_ended(&v, SC_OK);
    assert_true(sc_clock_now() - start < 3000 * MS);
    viewer_release(&v);
    app_close(fx);
}

static void ends_with_its_video(void **state)
{
    struct fixture *fx = *state;
    struct viewer v;
    open_clip(fx, "gone");
    sc_video *video = sc_videos_get(fx->videos, "clip");
    sc_answer *first = picture(video, 0); // is there, the others are not
    sc_answer_unref(&first);
    sc_video_unref(&video);
    play(fx, &v, (struct sc_play_params){.fps = 50});
    await(&v, &v.taken, 1);
    assert_int_equal(sc_videos_delete(fx->videos, "clip"), 0);
    assert_ended(&v, SC_ECANCELLED);
    assert_files(fx, 0); // nothing holds it any more
    viewer_release(&v);
    app_close(fx);
}

static void damage_is_left_out(void **state)
{
    struct fixture *fx = *state;
    struct viewer v;
    open_clip(fx, "damage");
    // A picture that no encoder takes stands for one that cannot be made.
    sc_video *video = sc_videos_get(fx->videos, "clip");
    struct sc_play_params params = {.video = video,
                                    .fps = 50,
                                    .from = 1.8,
                                    .ready = ready,
                                    .take = take,
                                    .on_end = on_end,
                                    .arg = &v};
    viewer_init(&v);
    assert_int_equal(sc_video_prepare(video, &params.query, NULL), 0);
    params.query.picture.format = 77;
    assert_int_equal(sc_play_new(&v.play, sc_app_plays(fx->app), &params, NULL), 0);
    sc_video_unref(&video);
    assert_ended(&v, SC_OK);
    assert_int_equal(v.taken, 0);
    viewer_release(&v);
    app_close(fx);
}

static void a_server_that_stops_ends_all(void **state)
{
    struct fixture *fx = *state;
    struct viewer v[3], refused;
    sc_err err = {0};
    open_clip(fx, "drain");
    for (int i = 0; i < 3; i++)
        play(fx, &v[i], (struct sc_play_params){.fps = i ? 25 : 0.1});
    await(&v[0], &v[0].taken, 1);
    sc_app_drain(fx->app);
    for (int i = 0; i < 3; i++)
        assert_ended(&v[i], SC_OK);
    assert_int_equal(try_play(fx, &refused, (struct sc_play_params){.fps = 25}, &err),
                     SC_ECANCELLED);
    assert_null(refused.play);
    app_close(fx);
    for (int i = 0; i < 3; i++) // references may outlive the app
        viewer_release(&v[i]);
    viewer_release(&refused);
}

static void closed_while_pictures_are_made(void **state)
{
    struct fixture *fx = *state;
    struct viewer v[8];
    for (int round = 0; round < 5; round++) {
        char name[20];
        snprintf(name, sizeof(name), "closed-%d", round);
        open_clip(fx, name);
        for (int i = 0; i < 8; i++)
            play(fx, &v[i], (struct sc_play_params){.fps = 100, .from = i / 5.0});
        sc_clock_sleep(round * 5 * MS);
        app_close(fx);
        for (int i = 0; i < 8; i++) {
            assert_int_equal(v[i].ends, 1);
            assert_false(v[i].late);
            viewer_release(&v[i]);
        }
    }
}

// --- models -----------------------------------------------------------------------------------

static struct fake_runtime fake;

static void open_with_models(struct fixture *fx, const char *name)
{
    static const sc_option_group *const groups[] = {
        &sc_app_options, &sc_models_options, &sc_streams_options, &sc_webrtc_options, NULL};
    fake_init(&fake);
    snprintf(fx->dir, sizeof(fx->dir), "%s/%s", fx->root, name);
    fx->options = sc_options_new(groups);
    sc_options_set(fx->options, "data-dir", fx->dir, "test", NULL);
    sc_options_set(fx->options, "threads", "2", "test", NULL);
    assert_int_equal(sc_app_open(&fx->app,
                                 &(struct sc_app_params){.options = fx->options,
                                                         .log = fx->log,
                                                         .detector = &fake_ops,
                                                         .detector_arg = &fake},
                                 NULL),
                     0);
    fx->videos = sc_app_videos(fx->app);
    upload_clip(fx, "clip");
}

static void load_model(struct fixture *fx, const char *text)
{
    sc_model_upload *up;
    struct sc_model_status status = {.state = SC_MODEL_LOADING};
    sc_models *models = sc_app_models(fx->app);
    assert_int_equal(sc_model_upload_open(&up, models, 0, NULL), 0);
    assert_int_equal(sc_model_upload_write(up, text, strlen(text), NULL), 0);
    assert_int_equal(
        sc_model_upload_finish(&up, &(struct sc_model_upload_params){.name = "m"}, NULL), 0);
    while (status.state == SC_MODEL_LOADING) {
        assert_int_equal(sc_models_get(models, "m", &status), 0);
        sc_model_status_release(&status);
        usleep(1000);
    }
    assert_int_equal(status.state, SC_MODEL_READY);
}

static void ends_with_its_model(void **state)
{
    struct fixture *fx = *state;
    struct viewer v;
    open_with_models(fx, "model");
    make_all(fx); // the frames, at least
    load_model(fx, "good 0");
    play(fx, &v, (struct sc_play_params){.fps = 20, .model = "m", .threshold = 0.1});
    await(&v, &v.taken, 2);
    assert_true(v.found >= 4); // two in each
    assert_int_equal(sc_models_delete(sc_app_models(fx->app), "m"), 0);
    assert_ended(&v, SC_ENOTFOUND);
    viewer_release(&v);
    app_close(fx);
}

// --- many -------------------------------------------------------------------------------------

static int count_threads(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

#define MANY 100

static void many_cost_no_thread(void **state)
{
    struct fixture *fx = *state;
    struct viewer *v = sc_xcalloc(MANY, sizeof(*v));
    struct sc_videos_stats stats;
    open_clip(fx, "many");
    make_all(fx);
    int threads = count_threads();
    for (int i = 0; i < MANY; i++)
        play(fx, &v[i], (struct sc_play_params){.fps = 5});
    for (int i = 0; i < MANY; i++)
        await(&v[i], &v[i].taken, 2);
    int during = count_threads();
    for (int i = 0; i < MANY; i++) {
        sc_play_stop(v[i].play);
        assert_ended(&v[i], SC_OK);
        viewer_release(&v[i]);
    }
    sc_videos_get_stats(fx->videos, &stats);
    assert_int_equal(stats.encoded, 50); // all were shown what there was
    app_close(fx);
    free(v);
    assert_true(during <= threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plays_to_the_end),
        cmocka_unit_test(keeps_its_own_rate),
        cmocka_unit_test(skips_what_is_not_taken),
        cmocka_unit_test(tells_figures),
        cmocka_unit_test(nobody_wants_more),
        cmocka_unit_test(stops_at_once),
        cmocka_unit_test(ends_with_its_video),
        cmocka_unit_test(damage_is_left_out),
        cmocka_unit_test(a_server_that_stops_ends_all),
        cmocka_unit_test(closed_while_pictures_are_made),
        cmocka_unit_test(ends_with_its_model),
        cmocka_unit_test(many_cost_no_thread),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
