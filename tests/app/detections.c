// Detections: one run for equal requests, what is kept and for how long, what goes when it must.
#include "fixture.h"

#include "app/detections.h"
#include "app/streams.h"
#include "app/webrtc.h"
#include "fake_detector.h"

static struct fake_runtime fake;

static void open_app(struct fixture *fx, const char *name)
{
    static const sc_option_group *const groups[] = {
        &sc_app_options, &sc_models_options, &sc_streams_options, &sc_webrtc_options, NULL};
    sc_err err = {0};
    fake_init(&fake);
    snprintf(fx->dir, sizeof(fx->dir), "%s/%s", fx->root, name);
    fx->options = sc_options_new(groups);
    sc_options_set(fx->options, "data-dir", fx->dir, "test", NULL);
    sc_options_set(fx->options, "threads", "2", "test", NULL);
    sc_options_set(fx->options, "prefetch", "false", "test", NULL);
    int ret = sc_app_open(&fx->app,
                          &(struct sc_app_params){.options = fx->options,
                                                  .log = fx->log,
                                                  .detector = &fake_ops,
                                                  .detector_arg = &fake},
                          &err);
    if (ret)
        fail_msg("%s", sc_err_text(&err, ret));
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

static sc_instance *acquire(struct fixture *fx)
{
    sc_instance *instance;
    assert_int_equal(sc_models_acquire(sc_app_models(fx->app), "m", &instance, NULL), 0);
    return instance;
}

// --- waiting ------------------------------------------------------------------------------

struct results {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int called, good, cancelled, busy, other;
    sc_detections *last;
};

static void results_init(struct results *r)
{
    *r = (struct results){0};
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->cond, NULL);
}

static void on_found(void *arg, int ret, sc_detections *found, const sc_err *err)
{
    struct results *r = arg;
    (void)err;
    pthread_mutex_lock(&r->lock);
    r->called++;
    r->good += !ret;
    r->cancelled += ret == SC_ECANCELLED;
    r->busy += ret == SC_EBUSY;
    r->other += ret && ret != SC_ECANCELLED && ret != SC_EBUSY;
    sc_detections_unref(&r->last);
    r->last = found;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

static void await(struct results *r, int count)
{
    pthread_mutex_lock(&r->lock);
    while (r->called < count)
        pthread_cond_wait(&r->cond, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static int ask(struct fixture *fx, sc_video *video, sc_instance *instance, int64_t n,
               enum sc_batch_priority priority, sc_cancel *cancel, struct results *r)
{
    struct sc_detect_params params = {
        .video = video, .instance = instance, .n = n, .priority = priority, .cancel = cancel};
    return sc_detect(sc_app_inference(fx->app), &params, on_found, r, NULL);
}

// --- tests --------------------------------------------------------------------------------

static void found_then_kept(void **state)
{
    struct fixture *fx = *state;
    struct results r;
    struct sc_inference_stats stats;
    open_app(fx, "kept");
    load_model(fx, "good 1");
    results_init(&r);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    sc_instance *instance = acquire(fx);
    assert_null(sc_detect_peek(sc_app_inference(fx->app), video, 7, instance));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(fx, video, instance, 7, SC_PRIORITY_INTERACTIVE, NULL, &r), 0);
        await(&r, i + 1);
        assert_int_equal(r.good, i + 1);
    }
    assert_int_equal(atomic_load(&fake.runs), 1);
    assert_int_equal(r.last->count, 2);
    assert_float_equal(r.last->items[0].x1, 7, 0); // it is that frame
    assert_int_equal(sc_detections_above(r.last, 0.5), 1);
    assert_int_equal(ask(fx, video, instance, 50, SC_PRIORITY_JOB, NULL, &r), SC_ERANGE);
    sc_inference_get_stats(sc_app_inference(fx->app), &stats);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.misses, 1);
    sc_detections_unref(&r.last);
    sc_instance_unref(&instance);
    sc_video_unref(&video);
    app_close(fx);
}

static void equal_requests_share_a_run(void **state)
{
    struct fixture *fx = *state;
    struct results r;
    open_app(fx, "share");
    load_model(fx, "good 1");
    results_init(&r);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    sc_instance *instance = acquire(fx);
    fake_shut(&fake, true);
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask(fx, video, instance, 3, SC_PRIORITY_LIVE, NULL, &r), 0);
    fake_await_run(&fake);
    fake_shut(&fake, false);
    await(&r, 20);
    assert_int_equal(r.good, 20);
    assert_int_equal(atomic_load(&fake.pictures), 1);
    sc_detections_unref(&r.last);
    sc_instance_unref(&instance);
    sc_video_unref(&video);
    app_close(fx);
}

// Who is more urgent than the flight under way does not wait for it.
static void urgent_ones_do_not_join_jobs(void **state)
{
    struct fixture *fx = *state;
    struct results r;
    open_app(fx, "urgent");
    load_model(fx, "good 1");
    results_init(&r);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    sc_instance *instance = acquire(fx);
    fake_shut(&fake, true);
    ask(fx, video, instance, 3, SC_PRIORITY_JOB, NULL, &r);
    ask(fx, video, instance, 3, SC_PRIORITY_INTERACTIVE, NULL, &r); // a flight of its own
    ask(fx, video, instance, 3, SC_PRIORITY_JOB, NULL, &r);         // joins either
    fake_shut(&fake, false);
    await(&r, 3);
    assert_int_equal(r.good, 3);
    assert_true(atomic_load(&fake.pictures) <= 2);
    sc_detections_unref(&r.last);
    sc_instance_unref(&instance);
    sc_video_unref(&video);
    app_close(fx);
}

static void batches_form(void **state)
{
    struct fixture *fx = *state;
    struct results r;
    open_app(fx, "batches");
    load_model(fx, "good 1");
    results_init(&r);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    sc_instance *instance = acquire(fx);
    fake.run_ns = 2000000;
    for (int n = 0; n < 50; n++)
        assert_int_equal(ask(fx, video, instance, n, SC_PRIORITY_JOB, NULL, &r), 0);
    await(&r, 50);
    assert_int_equal(r.good, 50);
    assert_true(atomic_load(&fake.largest) > 1);
    assert_true(atomic_load(&fake.largest) <= 4);
    struct sc_models_stats stats;
    sc_models_get_stats(sc_app_models(fx->app), &stats);
    assert_int_equal(stats.pictures, 50);
    assert_int_equal(stats.runs, atomic_load(&fake.runs));
    sc_detections_unref(&r.last);
    sc_instance_unref(&instance);
    sc_video_unref(&video);
    app_close(fx);
}

static void who_left_costs_no_run(void **state)
{
    struct fixture *fx = *state;
    struct results r;
    open_app(fx, "cancel");
    load_model(fx, "good 1");
    results_init(&r);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    sc_instance *instance = acquire(fx);
    sc_cancel *cancel = sc_cancel_new(NULL);
    fake_shut(&fake, true);
    ask(fx, video, instance, 0, SC_PRIORITY_JOB, NULL, &r);
    fake_await_run(&fake);
    for (int n = 1; n <= 10; n++)
        ask(fx, video, instance, n, SC_PRIORITY_JOB, cancel, &r);
    ask(fx, video, instance, 10, SC_PRIORITY_JOB, NULL, &r); // joins, and stays
    usleep(100000);                                          // the frames are there by now
    sc_cancel_request(cancel);
    fake_shut(&fake, false);
    await(&r, 12);
    assert_int_equal(r.cancelled, 9);
    assert_int_equal(r.good, 3);
    assert_int_equal(atomic_load(&fake.pictures), 2);
    sc_cancel_free(&cancel);
    sc_detections_unref(&r.last);
    sc_instance_unref(&instance);
    sc_video_unref(&video);
    app_close(fx);
}

static void each_generation_answers_for_itself(void **state)
{
    struct fixture *fx = *state;
    struct results r;
    open_app(fx, "generation");
    load_model(fx, "good 0");
    results_init(&r);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    for (int class = 0; class < 2; class ++) {
        sc_instance *instance = acquire(fx);
        assert_int_equal(ask(fx, video, instance, 3, SC_PRIORITY_LIVE, NULL, &r), 0);
        await(&r, class + 1);
        assert_int_equal(r.last->items[0].class, class);
        sc_instance_unref(&instance);
        if (!class)
            load_model(fx, "good 1");
    }
    sc_detections_unref(&r.last);
    sc_video_unref(&video);
    app_close(fx);
}

// Many ask while the model is replaced again and again: each is answered, by one or the other.
static void replacement_drops_nothing(void **state)
{
    struct fixture *fx = *state;
    struct results r;
    open_app(fx, "replace");
    load_model(fx, "good 0");
    results_init(&r);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    int asked = 0;
    fake.run_ns = 500000;
    for (int round = 1; round <= 5; round++) {
        for (int n = 0; n < 30; n++) {
            sc_instance *instance = acquire(fx);
            asked += !ask(fx, video, instance, n, SC_PRIORITY_LIVE, NULL, &r);
            sc_instance_unref(&instance);
        }
        load_model(fx, round % 2 ? "good 1" : "good 0");
    }
    assert_int_equal(asked, 150);
    await(&r, asked);
    assert_int_equal(r.good, asked);
    sc_detections_unref(&r.last);
    sc_video_unref(&video);
    app_close(fx);
    assert_int_equal(atomic_load(&fake.open), 0);
}

static void full_queue_and_failures_are_told(void **state)
{
    struct fixture *fx = *state;
    struct results r;
    open_app(fx, "full");
    fake.max_batch = 1;
    load_model(fx, "good 0");
    results_init(&r);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    sc_instance *instance = acquire(fx);
    fake.detect_ret = SC_EUNSUPPORTED;
    ask(fx, video, instance, 0, SC_PRIORITY_LIVE, NULL, &r);
    await(&r, 1);
    assert_int_equal(r.other, 1);
    fake.detect_ret = 0; // and nothing bad was kept
    ask(fx, video, instance, 0, SC_PRIORITY_LIVE, NULL, &r);
    await(&r, 2);
    assert_int_equal(r.good, 1);
    sc_detections_unref(&r.last);
    sc_instance_unref(&instance);
    sc_video_unref(&video);
    app_close(fx);
}

// Deleting the video, or stopping, ends what waits.
static void deleting_and_closing_end_it(void **state)
{
    struct fixture *fx = *state;
    struct results r;
    open_app(fx, "end");
    fake.max_batch = 1;
    load_model(fx, "good 0");
    results_init(&r);
    sc_video *video = sc_videos_get(fx->videos, "clip");
    sc_instance *instance = acquire(fx);
    fake_shut(&fake, true);
    for (int n = 0; n < 10; n++)
        ask(fx, video, instance, n, SC_PRIORITY_LIVE, NULL, &r);
    fake_await_run(&fake);
    usleep(100000);
    assert_int_equal(sc_videos_delete(fx->videos, "clip"), 0);
    sc_video_unref(&video);
    fake_shut(&fake, false);
    await(&r, 10);
    assert_int_equal(r.good, 1);
    assert_int_equal(r.cancelled, 9);
    upload_clip(fx, "next");
    video = sc_videos_get(fx->videos, "next");
    for (int n = 0; n < 50; n++)
        ask(fx, video, instance, n, SC_PRIORITY_LIVE, NULL, &r);
    sc_video_unref(&video);
    sc_instance_unref(&instance);
    app_close(fx);
    assert_int_equal(r.called, 60);
    assert_int_equal(r.other, 0);
    sc_detections_unref(&r.last);
}

static sc_answer *picture_with(sc_video *video, sc_instance *instance, bool overlay)
{
    struct sc_picture_query query = {
        .instance = instance, .threshold = 0.5, .overlay = overlay};
    struct wait w;
    wait_init(&w);
    assert_int_equal(sc_video_prepare(video, &query, NULL), 0);
    assert_int_equal(sc_video_picture(video, 3, &query, 0, on_answer, &w, NULL), 0);
    wait_for(&w, 1);
    assert_int_equal(w.ret, 0);
    sc_answer *answer = sc_answer_ref(w.answer);
    wait_release(&w);
    return answer;
}

// A picture of what is found: with its number, kept apart by threshold and model.
static void pictures_know_what_is_found(void **state)
{
    struct fixture *fx = *state;
    char etags[3][40];
    open_app(fx, "pictures");
    load_model(fx, "good 0");
    sc_video *video = sc_videos_get(fx->videos, "clip");
    sc_instance *instance = acquire(fx);
    static const double thresholds[] = {0.5, 0.2};
    for (int i = 0; i < 2; i++) {
        struct sc_picture_query query = {.instance = instance, .threshold = thresholds[i]};
        struct wait w;
        wait_init(&w);
        assert_int_equal(sc_video_prepare(video, &query, NULL), 0);
        sc_video_etag(video, 3, &query, etags[i]);
        assert_null(sc_video_peek(video, 3, &query));
        assert_int_equal(sc_video_picture(video, 3, &query, 0, on_answer, &w, NULL), 0);
        wait_for(&w, 1);
        assert_int_equal(w.ret, 0);
        assert_int_equal(w.answer->count, i + 1);
        assert_string_equal(w.answer->etag, etags[i]);
        sc_answer *again = sc_video_peek(video, 3, &query);
        assert_ptr_equal(again, w.answer);
        sc_answer_unref(&again);
        wait_release(&w);
    }
    assert_int_equal(atomic_load(&fake.runs), 1); // one run, two thresholds
    sc_answer *plain = picture_with(video, instance, false);
    sc_answer *boxes = picture_with(video, instance, true);
    assert_int_equal(boxes->count, 1);
    assert_true(plain->body->size != boxes->body->size ||
                memcmp(plain->body->data, boxes->body->data, plain->body->size) != 0);
    assert_string_not_equal(plain->etag, boxes->etag);
    sc_answer_unref(&plain);
    sc_answer_unref(&boxes);
    sc_instance_unref(&instance);
    load_model(fx, "good 1");
    instance = acquire(fx);
    struct sc_picture_query query = {.instance = instance, .threshold = 0.5};
    sc_video_prepare(video, &query, NULL);
    sc_video_etag(video, 3, &query, etags[2]);
    assert_null(sc_video_peek(video, 3, &query));
    assert_string_not_equal(etags[0], etags[1]);
    assert_string_not_equal(etags[0], etags[2]);
    query.threshold = 1.5;
    assert_int_equal(sc_video_prepare(video, &query, NULL), SC_EARG);
    sc_instance_unref(&instance);
    sc_video_unref(&video);
    app_close(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_then_kept),
        cmocka_unit_test(equal_requests_share_a_run),
        cmocka_unit_test(urgent_ones_do_not_join_jobs),
        cmocka_unit_test(batches_form),
        cmocka_unit_test(who_left_costs_no_run),
        cmocka_unit_test(each_generation_answers_for_itself),
        cmocka_unit_test(replacement_drops_nothing),
        cmocka_unit_test(full_queue_and_failures_are_told),
        cmocka_unit_test(deleting_and_closing_end_it),
        cmocka_unit_test(pictures_know_what_is_found),
    };
    return cmocka_run_group_tests_name("app/detections", tests, fixture_setup,
                                       fixture_teardown);
}
