// Pictures: made once for all who ask, kept, refused with reason, cancelled with their video.
#include "fixture.h"

#define QUIET "prefetch=false "

static struct sc_picture_query query_of(sc_video *video, struct sc_picture_params params)
{
    struct sc_picture_query query = {params};
    assert_int_equal(sc_video_prepare(video, &query, NULL), 0);
    return query;
}

static void makes_and_keeps(void **state)
{
    struct fixture *fx = *state;
    struct sc_videos_stats stats;
    char etag[40];
    app_fresh(fx, "keeps", QUIET);
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    struct sc_picture_query query = query_of(video, (struct sc_picture_params){0});
    assert_null(sc_video_peek(video, 12, &query));
    assert_int_equal(sc_video_cached(video, 12), 0);
    sc_answer *made = picture(video, 12);
    assert_int_equal(made->n, 12);
    assert_int_equal(made->info.width, 320);
    assert_int_equal(made->info.height, 240);
    assert_memory_equal(made->body->data, "\xff\xd8", 2);
    assert_true(made->decode_ns > 0 && made->encode_ns > 0);
    sc_video_etag(video, 12, &query, etag);
    assert_string_equal(made->etag, etag);
    assert_int_equal(sc_video_cached(video, 12), 1);
    sc_answer *kept = sc_video_peek(video, 12, &query), *again = picture(video, 12);
    assert_ptr_equal(made, kept);
    assert_ptr_equal(made, again);
    assert_null(sc_video_peek(video, 13, &query));
    sc_videos_get_stats(fx->videos, &stats);
    assert_int_equal(stats.encoded, 1);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.frames, 3);
    assert_int_equal(stats.answer_items, 1);
    sc_answer_unref(&made);
    sc_answer_unref(&kept);
    sc_answer_unref(&again);
    sc_video_unref(&video);
    app_close(fx);
}

static void parameters_are_told_apart(void **state)
{
    static const struct sc_picture_params different[] = {
        {0},
        {.quality = 50},
        {.w = 100},
        {.h = 100},
        {.w = 100, .h = 100},
        {.w = 100, .h = 100, .fit = SC_FIT_COVER},
        {.w = 100, .h = 100, .fit = SC_FIT_FILL},
        {.format = SC_PICTURE_PNG},
        {.format = SC_PICTURE_WEBP},
    };
    struct fixture *fx = *state;
    char etags[SC_COUNT(different)][40], same[40];
    app_fresh(fx, "params", QUIET);
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    for (size_t i = 0; i < SC_COUNT(different); i++) {
        struct sc_picture_query query = query_of(video, different[i]);
        sc_video_etag(video, 3, &query, etags[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(etags[i], etags[j]);
    }
    struct sc_picture_query query = query_of(video, (struct sc_picture_params){.quality = 85});
    sc_video_etag(video, 3, &query, same);
    assert_string_equal(same, etags[0]);
    sc_video_etag(video, 4, &query, same);
    assert_string_not_equal(same, etags[0]);
    sc_video_unref(&video);
    app_close(fx);
}

static void assert_refused(sc_video *video, struct sc_picture_params params, const char *field)
{
    struct sc_picture_query query = {params};
    sc_err err = {0};
    assert_int_equal(sc_video_prepare(video, &query, &err), SC_EARG);
    assert_string_equal(err.field, field);
    assert_true(err.text[0]);
}

static void bad_requests(void **state)
{
    struct fixture *fx = *state;
    sc_err err = {0};
    app_fresh(fx, "bad", QUIET);
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    assert_refused(video, (struct sc_picture_params){.w = -1}, "w");
    assert_refused(video, (struct sc_picture_params){.h = 8193}, "h");
    assert_refused(video, (struct sc_picture_params){.h = 8192}, "h"); // w would be 10923
    assert_refused(video, (struct sc_picture_params){.quality = 101}, "quality");
    assert_refused(video, (struct sc_picture_params){.format = 9}, "format");
    assert_refused(video, (struct sc_picture_params){.fit = 9}, "fit");
    struct sc_picture_query query = query_of(video, (struct sc_picture_params){0});
    assert_int_equal(sc_video_picture(video, 50, &query, 0, on_answer, NULL, &err), SC_ERANGE);
    assert_string_equal(err.field, "n");
    assert_int_equal(sc_video_rgb(video, -1, &query, 0, on_answer, NULL, NULL), SC_ERANGE);
    sc_video_unref(&video);
    app_close(fx);
}

static void rgb(void **state)
{
    struct fixture *fx = *state;
    struct wait w;
    struct sc_videos_stats stats;
    app_fresh(fx, "rgb", QUIET);
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    struct sc_picture_query query =
        query_of(video, (struct sc_picture_params){.format = SC_PICTURE_NPY, .w = 64});
    wait_init(&w);
    assert_int_equal(sc_video_rgb(video, 5, &query, SC_READ_SEQUENTIAL, on_answer, &w, NULL),
                     0);
    wait_for(&w, 1);
    assert_int_equal(w.ret, 0);
    assert_int_equal(w.answer->info.width, 64);
    assert_int_equal(w.answer->info.height, 48);
    assert_int_equal(w.answer->body->size, 64 * 48 * 3);
    sc_videos_get_stats(fx->videos, &stats);
    assert_int_equal(stats.answer_items, 0);
    wait_release(&w);
    sc_video_unref(&video);
    app_close(fx);
}

// --- one flight for equal requests --------------------------------------------------------

struct asker {
    pthread_t thread;
    sc_video *video;
    struct sc_picture_query query;
    struct wait *wait;
};

static void *ask_ten(void *arg)
{
    struct asker *a = arg;
    for (int i = 0; i < 10; i++)
        if (sc_video_picture(a->video, 37, &a->query, 0, on_answer, a->wait, NULL))
            abort();
    return NULL;
}

static void equal_requests_share(void **state)
{
    struct fixture *fx = *state;
    struct asker askers[8];
    struct wait w;
    struct sc_videos_stats stats;
    struct sc_reader_stats reader;
    app_fresh(fx, "share", QUIET);
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    wait_init(&w);
    for (size_t i = 0; i < SC_COUNT(askers); i++) {
        askers[i] = (struct asker){.video = video, .wait = &w};
        askers[i].query = query_of(video, (struct sc_picture_params){0});
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_ten, &askers[i]), 0);
    }
    for (size_t i = 0; i < SC_COUNT(askers); i++)
        pthread_join(askers[i].thread, NULL);
    wait_for(&w, 80);
    assert_int_equal(w.good, 80);
    sc_videos_get_stats(fx->videos, &stats);
    assert_int_equal(stats.encoded, 1);
    assert_int_equal(stats.frames, 80);
    sc_reader_engine_get_stats(sc_app_engine(fx->app), &reader);
    assert_int_equal(reader.delivered, 1);
    wait_release(&w);
    sc_video_unref(&video);
    app_close(fx);
}

// --- ends ---------------------------------------------------------------------------------

static int ask_all(sc_video *video, struct wait *w)
{
    struct sc_picture_query query = query_of(video, (struct sc_picture_params){0});
    int asked = 0;
    for (int64_t n = 0; n < 50; n++)
        asked += !sc_video_picture(video, n * 7 % 50, &query, 0, on_answer, w, NULL);
    return asked;
}

static void deleted_while_pending(void **state)
{
    struct fixture *fx = *state;
    struct wait w;
    struct sc_videos_stats stats;
    app_fresh(fx, "gone", QUIET);
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    wait_init(&w);
    int asked = ask_all(video, &w);
    assert_int_equal(asked, 50);
    assert_int_equal(sc_videos_delete(fx->videos, "one"), 0);
    sc_video_unref(&video);
    wait_for(&w, asked);
    assert_int_equal(w.other, 0);
    assert_int_equal(w.good + w.cancelled, asked);
    assert_files(fx, 0);
    app_close(fx); // joins everything: no call may come after this
    assert_int_equal(w.called, asked);
    wait_release(&w);

    app_fresh(fx, "gone2", QUIET);
    upload_clip(fx, "one");
    sc_videos_get_stats(fx->videos, &stats);
    assert_int_equal(stats.answer_items, 0);
    app_close(fx);
}

static void closed_while_pending(void **state)
{
    struct fixture *fx = *state;
    struct wait w;
    app_fresh(fx, "closed", "");
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    wait_init(&w);
    int asked = ask_all(video, &w);
    sc_video_unref(&video);
    app_close(fx);
    assert_int_equal(w.called, asked);
    assert_int_equal(w.other, 0);
    wait_release(&w);
}

static void stopping_refuses(void **state)
{
    struct fixture *fx = *state;
    sc_err err = {0};
    app_fresh(fx, "stopping", QUIET);
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    struct sc_picture_query query = query_of(video, (struct sc_picture_params){0});
    sc_app_stop(fx->app);
    assert_int_equal(sc_video_picture(video, 0, &query, 0, on_answer, NULL, &err),
                     SC_ECANCELLED);
    sc_video_unref(&video);
    app_close(fx);
}

static void prefetches_keyframes(void **state)
{
    struct fixture *fx = *state;
    app_fresh(fx, "prefetch", "prefetch=true");
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    for (int64_t n = 0; n < 50; n += 10) {
        for (int i = 0; i < 500 && !sc_video_cached(video, n); i++)
            usleep(10000);
        assert_int_equal(sc_video_cached(video, n), 1);
    }
    sc_video_unref(&video);
    app_close(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_and_keeps),      cmocka_unit_test(parameters_are_told_apart),
        cmocka_unit_test(bad_requests),         cmocka_unit_test(rgb),
        cmocka_unit_test(equal_requests_share), cmocka_unit_test(deleted_while_pending),
        cmocka_unit_test(closed_while_pending), cmocka_unit_test(stopping_refuses),
        cmocka_unit_test(prefetches_keyframes),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
