// Uploads: what is refused, with which words, and that nothing of it stays behind.
#include "fixture.h"

static void ids(void **state)
{
    char long_id[66];
    (void)state;
    memset(long_id, 'x', 65);
    long_id[65] = 0;
    assert_false(sc_video_id_valid(long_id));
    assert_true(sc_video_id_valid(long_id + 1));
    assert_true(sc_video_id_valid("aZ09_-"));
    assert_false(sc_video_id_valid(""));
    assert_false(sc_video_id_valid("a.b"));
    assert_false(sc_video_id_valid("../x"));
    assert_false(sc_video_id_valid("\xc3\xa4"));
}

static int open_upload(struct fixture *fx, const char *id, int64_t size_hint, sc_upload **pup,
                       sc_err *err)
{
    *err = (sc_err){0};
    return sc_upload_open(pup, fx->videos,
                          &(struct sc_upload_params){.id = id, .size_hint = size_hint}, err);
}

static void id_is_reserved(void **state)
{
    struct fixture *fx = *state;
    sc_upload *a, *b;
    sc_err err;
    app_fresh(fx, "ids", "prefetch=false");
    assert_int_equal(open_upload(fx, "bad id", 0, &b, &err), SC_EARG);
    assert_string_equal(err.field, "id");
    assert_int_equal(open_upload(fx, "one", 0, &a, &err), 0);
    assert_int_equal(open_upload(fx, "one", 0, &b, &err), SC_EEXISTS);
    assert_null(b);
    assert_null(sc_videos_get(fx->videos, "one"));
    assert_int_equal(sc_videos_delete(fx->videos, "one"), SC_ENOTFOUND);
    sc_upload_abort(&a);
    assert_int_equal(open_upload(fx, "one", 0, &a, &err), 0);
    sc_upload_abort(&a);
    upload_clip(fx, "one");
    assert_int_equal(open_upload(fx, "one", 0, &b, &err), SC_EEXISTS);
    assert_int_equal(open_upload(fx, NULL, 0, &a, &err), 0);
    assert_int_equal(open_upload(fx, NULL, 0, &b, &err), 0);
    assert_true(sc_video_id_valid(sc_upload_id(a)));
    assert_string_not_equal(sc_upload_id(a), sc_upload_id(b));
    sc_upload_abort(&a);
    sc_upload_abort(&b);
    sc_upload_abort(&b);
    assert_files(fx, 1);
    app_close(fx);
}

static void id_may_come_late(void **state)
{
    struct fixture *fx = *state;
    sc_upload *a, *b;
    sc_video *video;
    sc_err err;
    app_fresh(fx, "late", "prefetch=false");
    assert_int_equal(open_upload(fx, "taken", 0, &a, &err), 0);
    assert_int_equal(open_upload(fx, "first", 0, &b, &err), 0);
    assert_int_equal(sc_upload_set_id(b, "a b", &err), SC_EARG);
    assert_int_equal(sc_upload_set_id(b, "taken", NULL), SC_EEXISTS);
    assert_string_equal(sc_upload_id(b), "first");
    assert_int_equal(sc_upload_set_id(b, "first", NULL), 0);
    assert_int_equal(sc_upload_set_id(b, "second", NULL), 0);
    sc_upload_abort(&a);
    assert_int_equal(open_upload(fx, "first", 0, &a, &err), 0); // given back
    sc_upload_abort(&a);
    assert_int_equal(sc_upload_write(b, fx->clip.data, fx->clip.size, NULL), 0);
    assert_int_equal(sc_upload_finish(&b, &video, NULL), 0);
    assert_string_equal(video->info.id, "second");
    sc_video_unref(&video);
    app_close(fx);
}

static void too_large(void **state)
{
    struct fixture *fx = *state;
    sc_upload *up;
    sc_video *video;
    sc_err err;
    app_fresh(fx, "large", "max-upload=1000");
    assert_int_equal(open_upload(fx, "one", 1001, &up, &err), SC_ELIMIT);
    assert_non_null(strstr(err.text, "max-upload"));
    assert_int_equal(open_upload(fx, "one", 1000, &up, &err), 0);
    assert_int_equal(sc_upload_write(up, fx->clip.data, 600, &err), 0);
    assert_int_equal(sc_upload_size(up), 600);
    assert_int_equal(sc_upload_write(up, fx->clip.data, 401, &err), SC_ELIMIT);
    assert_int_equal(sc_upload_write(up, fx->clip.data, 1, NULL), SC_ELIMIT);
    assert_int_equal(sc_upload_finish(&up, &video, NULL), SC_ELIMIT);
    assert_null(up);
    assert_null(video);
    assert_int_equal(open_upload(fx, "one", 0, &up, &err), 0);
    sc_upload_abort(&up);
    assert_files(fx, 0);
    app_close(fx);
}

static void garbage_leaves_nothing(void **state)
{
    static const struct {
        const char *data, *what;
        size_t size;
    } cases[] = {
        {"", "empty", 0},
        {"<!DOCTYPE html><html><body>404</body></html>", "HTML", 44},
        {"PK\3\4\24\0\0\0\10\0abcdefgh", "ZIP", 18},
        {"just some words, nothing else", "plain text", 29},
        {"{\"error\": \"not found\"}", "JSON", 22},
    };
    struct fixture *fx = *state;
    app_fresh(fx, "garbage", "");
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        struct bytes b = {(unsigned char *)cases[i].data, cases[i].size};
        sc_video *video;
        sc_err err = {0};
        assert_int_equal(upload(fx, "one", b, &video, &err), SC_EDATA);
        assert_non_null(strstr(err.text, cases[i].what));
        assert_null(video);
        assert_null(sc_videos_get(fx->videos, "one"));
        assert_int_equal(count_files(fx, "blobs") + count_files(fx, "index"), 0);
    }
    upload_clip(fx, "one");
    app_close(fx);
}

static void cut_files_do_no_harm(void **state)
{
    struct fixture *fx = *state;
    app_fresh(fx, "cut", "");
    for (size_t cut = 1; cut < 6; cut++) {
        struct bytes b = {fx->clip.data, fx->clip.size * cut / 6};
        sc_video *video;
        sc_err err = {0};
        int ret = upload(fx, NULL, b, &video, &err);
        assert_true(!ret || err.text[0]);
        sc_video_unref(&video);
    }
    assert_files(fx, (int)sc_videos_count(fx->videos));
    app_close(fx);
}

static void names_are_cleaned(void **state)
{
    static const char *const names[][2] = {
        {"/a/b/c.mp4", "c.mp4"},
        {"..\\x\\y.mov", "y.mov"},
        {"tab\there\xff.mp4", "tab_here_.mp4"},
        {"gr\xc3\xbc\xc3\x9f.mp4", "gr\xc3\xbc\xc3\x9f.mp4"},
        {"\xed\xa0\x80\xc0\x80", "_____"}, // a surrogate, an overlong NUL
    };
    struct fixture *fx = *state;
    app_fresh(fx, "names", "prefetch=false");
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        struct sc_video_info info;
        sc_upload *up;
        sc_video *video;
        assert_int_equal(sc_upload_open(&up, fx->videos,
                                        &(struct sc_upload_params){.name = names[i][0]}, NULL),
                         0);
        assert_int_equal(sc_upload_write(up, fx->clip.data, fx->clip.size, NULL), 0);
        assert_int_equal(sc_upload_finish(&up, &video, NULL), 0);
        sc_video_get_info(video, &info);
        assert_string_equal(info.name, names[i][1]);
        sc_video_unref(&video);
    }
    app_close(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids),
        cmocka_unit_test(id_is_reserved),
        cmocka_unit_test(id_may_come_late),
        cmocka_unit_test(too_large),
        cmocka_unit_test(garbage_leaves_nothing),
        cmocka_unit_test(cut_files_do_no_harm),
        cmocka_unit_test(names_are_cleaned),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
