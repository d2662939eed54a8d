// Videos come, are listed, answer questions and go; many threads at it at once.
#include "fixture.h"

static void get_and_info(void **state)
{
    struct fixture *fx = *state;
    struct sc_video_info info;
    int64_t n, size;
    int fd;
    sc_err err = {0};
    app_fresh(fx, "get", "");
    assert_null(sc_videos_get(fx->videos, "one"));
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    assert_non_null(video);
    sc_video_get_info(video, &info);
    assert_string_equal(info.id, "one");
    assert_string_equal(info.name, "clip.mp4");
    assert_int_equal(info.size, fx->clip.size);
    assert_true(info.created_ns > 0 && info.index_ns > 0);
    sc_index *index = sc_video_index(video);
    assert_int_equal(sc_index_get_info(index)->frames, 50);
    sc_index_unref(&index);

    assert_int_equal(sc_video_find(video, "0.04", &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(sc_video_find(video, "2", &n, &err), SC_ERANGE);
    assert_string_equal(err.field, "t");
    assert_non_null(strstr(err.text, "0 <= t < 2"));
    err = (sc_err){0};
    assert_int_equal(sc_video_find(video, "abc", &n, &err), SC_EARG);
    assert_string_equal(err.field, "t");
    err = (sc_err){0};
    assert_int_equal(sc_video_check_n(video, 49, &err), 0);
    assert_int_equal(sc_video_check_n(video, 50, &err), SC_ERANGE);
    assert_non_null(strstr(err.text, "0 <= n <= 49"));
    assert_int_equal(sc_video_check_n(video, -1, NULL), SC_ERANGE);

    assert_int_equal(sc_video_open_fd(video, &fd, &size), 0);
    assert_int_equal(size, fx->clip.size);
    close(fd);
    sc_video_unref(&video);
    app_close(fx);
}

static void lists_by_id(void **state)
{
    struct fixture *fx = *state;
    static const char *const ids[] = {"m", "B", "a", "z", "a-1"};
    static const char *const sorted[] = {"B", "a", "a-1", "m", "z"};
    char after[65] = "";
    sc_video *page[2];
    int n, seen = 0;
    app_fresh(fx, "list", "prefetch=false");
    for (size_t i = 0; i < SC_COUNT(ids); i++)
        upload_clip(fx, ids[i]);
    while ((n = sc_videos_list(fx->videos, after, 2, page)))
        for (int i = 0; i < n; i++) {
            assert_string_equal(page[i]->info.id, sorted[seen++]);
            snprintf(after, sizeof(after), "%s", page[i]->info.id);
            sc_video_unref(&page[i]);
        }
    assert_int_equal(seen, 5);
    assert_int_equal(sc_videos_list(fx->videos, "aa", 1, page), 1);
    assert_string_equal(page[0]->info.id, "m");
    sc_video_unref(&page[0]);
    app_close(fx);
}

static void delete_waits_for_users(void **state)
{
    struct fixture *fx = *state;
    app_fresh(fx, "delete", "prefetch=false");
    assert_int_equal(sc_videos_delete(fx->videos, "one"), SC_ENOTFOUND);
    upload_clip(fx, "one");
    sc_video *video = sc_videos_get(fx->videos, "one");
    assert_int_equal(sc_videos_delete(fx->videos, "one"), 0);
    assert_int_equal(sc_videos_delete(fx->videos, "one"), SC_ENOTFOUND);
    assert_null(sc_videos_get(fx->videos, "one"));
    assert_int_equal(sc_videos_count(fx->videos), 0);
    assert_int_equal(count_files(fx, "blobs"), 1); // still in use
    upload_clip(fx, "one");                        // the id is free already
    assert_int_equal(count_files(fx, "blobs"), 2);
    sc_video_unref(&video);
    assert_files(fx, 1);
    app_close(fx);
}

// --- many at once -------------------------------------------------------------------------

struct worker {
    struct fixture *fx;
    pthread_t thread;
    unsigned seed;
    int bad; // things that must not be
};

static void ask_something(struct worker *w, sc_video *video, struct wait *wait, int *asked)
{
    struct sc_picture_query query = {.picture.w = rand_r(&w->seed) % 2 ? 64 : 0};
    int64_t n = rand_r(&w->seed) % 50;
    w->bad += sc_video_prepare(video, &query, NULL) != 0;
    sc_answer *answer = sc_video_peek(video, n, &query);
    w->bad += answer && answer->n != n;
    if (!answer && !sc_video_picture(video, n, &query, 0, on_answer, wait, NULL))
        ++*asked;
    sc_answer_unref(&answer);
}

static void *hammer(void *arg)
{
    struct worker *w = arg;
    struct wait wait;
    int asked = 0;
    char own[16];
    wait_init(&wait);
    snprintf(own, sizeof(own), "own%u", w->seed);
    for (int i = 0; i < 60; i++) {
        sc_video *page[3], *video = sc_videos_get(w->fx->videos, i % 3 ? "shared" : own);
        if (video)
            ask_something(w, video, &wait, &asked);
        sc_video_unref(&video);
        if (i % 20 == 5) {
            w->bad += upload(w->fx, own, w->fx->clip, &video, NULL) != 0;
            sc_video_unref(&video);
        }
        if (i % 20 == 15)
            w->bad += sc_videos_delete(w->fx->videos, own) != 0;
        for (int n = sc_videos_list(w->fx->videos, "", 3, page); n > 0; n--)
            sc_video_unref(&page[n - 1]);
    }
    wait_for(&wait, asked);
    w->bad += wait.called != asked || wait.other;
    wait_release(&wait);
    return NULL;
}

static void threads(void **state)
{
    struct fixture *fx = *state;
    struct worker workers[6];
    struct sc_videos_stats stats;
    app_fresh(fx, "threads", "frame-cache=4M answer-cache=100K");
    upload_clip(fx, "shared");
    for (unsigned i = 0; i < SC_COUNT(workers); i++) {
        workers[i] = (struct worker){.fx = fx, .seed = i + 1};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, hammer, &workers[i]), 0);
    }
    for (size_t i = 0; i < SC_COUNT(workers); i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].bad, 0);
    }
    sc_videos_get_stats(fx->videos, &stats);
    assert_int_equal(stats.uploads, 1 + 3 * SC_COUNT(workers));
    assert_true(stats.answer_bytes <= 100 << 10);
    assert_files(fx, 1);
    app_close(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_and_info),
        cmocka_unit_test(lists_by_id),
        cmocka_unit_test(delete_waits_for_users),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
