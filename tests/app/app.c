// The app opens and closes, guards its folder, and tells its state.
#include "fixture.h"

static void opens_and_tells(void **state)
{
    struct fixture *fx = *state;
    struct sc_app_status status;
    sc_str text = {0};
    snprintf(fx->dir, sizeof(fx->dir), "%s/deep/er/data", fx->root);
    app_open(fx, "");
    sc_app_get_status(fx->app, &status);
    assert_true(status.ready);
    assert_true(status.rss_bytes > 1 << 20);
    assert_true(status.disk_free_bytes > 0);
    assert_int_equal(status.threads, 2);
    assert_int_equal(status.videos, 0);
    upload_clip(fx, "one");
    sc_app_get_status(fx->app, &status);
    assert_int_equal(status.videos, 1);
    sc_metrics_print(sc_app_metrics(fx->app), &text);
    assert_non_null(strstr(text.s, "\nsaccade_videos 1\n"));
    assert_non_null(strstr(text.s, "\nsaccade_uploads_total 1\n"));
    assert_non_null(strstr(text.s, "process_resident_memory_bytes "));
    assert_non_null(sc_app_log(fx->app));
    assert_non_null(sc_app_pool(fx->app));
    assert_non_null(sc_app_keys(fx->app));
    assert_non_null(sc_app_engine(fx->app));
    assert_true(sc_app_get_settings(fx->app)->prefetch);
    sc_str_release(&text);
    app_close(fx);
}

static void second_app_is_refused(void **state)
{
    struct fixture *fx = *state, other;
    sc_err err = {0};
    app_fresh(fx, "locked", "");
    other = *fx;
    assert_int_equal(app_try(&other, "", &err), SC_EBUSY);
    assert_non_null(strstr(err.text, "another saccade"));
    assert_non_null(strstr(err.text, fx->dir));
    app_close(fx);
    app_open(fx, "");
    app_close(fx);
}

static void unusable_folder_is_named(void **state)
{
    struct fixture *fx = *state;
    sc_err err = {0};
    snprintf(fx->dir, sizeof(fx->dir), "%s/clip.mp4/data", fx->root);
    assert_true(app_try(fx, "", &err) < 0);
    assert_non_null(strstr(err.text, fx->dir));
}

static void no_database_but_files_is_refused(void **state)
{
    struct fixture *fx = *state;
    sc_err err = {0};
    app_fresh(fx, "nodb", "prefetch=false");
    upload_clip(fx, "one");
    app_close(fx);
    shell("cd %s && mkdir saved && mv saccade.db* saved", fx->dir);
    assert_int_equal(app_try(fx, "", &err), SC_EDATA);
    assert_non_null(strstr(err.text, "saccade.db"));
    shell("cd %s && rm -f saccade.db* && mv saved/* .", fx->dir);
    app_open(fx, "");
    assert_int_equal(sc_videos_count(fx->videos), 1);
    app_close(fx);
}

// Verification in the background ends with the verdict, in memory and in the index file.
static void verifies_when_idle(void **state)
{
    struct fixture *fx = *state;
    struct sc_video_info info = {0};
    app_fresh(fx, "verify", "verify=idle");
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    for (int i = 0; i < 3000 && info.verdict == SC_VERDICT_NONE; i++) {
        usleep(10000);
        sc_video_get_info(video, &info);
    }
    assert_int_equal(info.verdict, SC_VERDICT_EXACT);
    sc_answer *answer = picture(video, 7);
    assert_true(answer->verified);
    sc_answer_unref(&answer);
    sc_video_unref(&video);
    app_reopen(fx);
    video = sc_videos_get(fx->videos, "one");
    sc_video_get_info(video, &info);
    assert_int_equal(info.verdict, SC_VERDICT_EXACT);
    sc_video_unref(&video);
    app_close(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_tells),
        cmocka_unit_test(second_app_is_refused),
        cmocka_unit_test(unusable_folder_is_named),
        cmocka_unit_test(no_database_but_files_is_refused),
        cmocka_unit_test(verifies_when_idle),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
