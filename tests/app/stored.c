// What a start finds: everything that was acknowledged, nothing that was not, after a clean end,
// after a crash at any step, and after files were damaged.
#include <signal.h>

#include "fixture.h"

static void restart_finds_videos(void **state)
{
    struct fixture *fx = *state;
    struct sc_video_info before, after;
    app_fresh(fx, "restart", "prefetch=false");
    upload_clip(fx, "one");
    upload_clip(fx, "two");
    sc_video *video = sc_videos_get(fx->videos, "two");
    sc_answer *a = picture(video, 33);
    sc_video_get_info(video, &before);
    sc_video_unref(&video);
    app_reopen(fx);
    assert_int_equal(sc_videos_count(fx->videos), 2);
    video = sc_videos_get(fx->videos, "two");
    sc_answer *b = picture(video, 33);
    sc_video_get_info(video, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_string_equal(a->etag, b->etag);
    assert_int_equal(a->body->size, b->body->size);
    assert_memory_equal(a->body->data, b->body->data, a->body->size);
    sc_answer_unref(&a);
    sc_answer_unref(&b);
    sc_video_unref(&video);
    app_close(fx);
}

// --- crashes ------------------------------------------------------------------------------

static void stop_here(void *arg, const char *name)
{
    if (!strcmp(arg, name))
        kill(getpid(), SIGKILL);
}

// Does work in another process and pulls the plug at the step.
static void crash(struct fixture *fx, void (*work)(struct fixture *), const char *step)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        app_open(fx, "prefetch=false");
        sc_videos_on_step(fx->videos, stop_here, (void *)(uintptr_t)step);
        work(fx);
        _exit(0); // the step was never reached
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void upload_new(struct fixture *fx)
{
    upload_clip(fx, "new");
}

static void delete_new(struct fixture *fx)
{
    assert_int_equal(sc_videos_delete(fx->videos, "new"), 0);
    for (;;)
        pause(); // files are removed by a worker
}

static void crash_in_upload(void **state)
{
    static const char *const steps[] = {"reserved", "written", "committed", "indexed",
                                        "inserted"};
    struct fixture *fx = *state;
    app_fresh(fx, "crash-upload", "prefetch=false");
    upload_clip(fx, "old");
    app_close(fx);
    for (size_t i = 0; i < SC_COUNT(steps); i++) {
        bool stored = !strcmp(steps[i], "inserted");
        crash(fx, upload_new, steps[i]);
        app_open(fx, "prefetch=false");
        assert_files(fx, 1 + stored);
        sc_video *video = sc_videos_get(fx->videos, "new");
        assert_int_equal(video != NULL, stored);
        if (video) {
            sc_answer *answer = picture(video, 20);
            sc_answer_unref(&answer);
        } else {
            upload_clip(fx, "new"); // the id is free
        }
        sc_video_unref(&video);
        assert_int_equal(sc_videos_delete(fx->videos, "new"), 0);
        app_close(fx);
        assert_files(fx, 1);
    }
}

static void crash_in_delete(void **state)
{
    static const char *const steps[] = {"row-deleted", "unlisted", "index-removed",
                                        "blob-removed"};
    struct fixture *fx = *state;
    app_fresh(fx, "crash-delete", "prefetch=false");
    upload_clip(fx, "old");
    for (size_t i = 0; i < SC_COUNT(steps); i++) {
        upload_clip(fx, "new");
        app_close(fx);
        crash(fx, delete_new, steps[i]);
        app_open(fx, "prefetch=false");
        assert_null(sc_videos_get(fx->videos, "new"));
        assert_int_equal(sc_videos_count(fx->videos), 1);
        assert_files(fx, 1);
    }
    app_close(fx);
}

// --- damage -------------------------------------------------------------------------------

// The path of the only file in a folder.
static void only_file(struct fixture *fx, const char *sub, char path[600])
{
    char folder[256];
    snprintf(folder, sizeof(folder), "%s/%s", fx->dir, sub);
    assert_int_equal(walk(folder, path), 1);
}

static void truncate_half(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
}

static void flip_byte(const char *path)
{
    struct bytes b = read_bytes(path);
    b.data[b.size / 3] ^= 0x10;
    write_bytes(path, b.data, b.size);
    free(b.data);
}

static void fill_with_text(const char *path)
{
    write_bytes(path, "garbage", 7);
}

static void remove_it(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

static void index_is_rebuilt(void **state)
{
    static void (*const damages[])(const char *) = {truncate_half, flip_byte, fill_with_text,
                                                    remove_it};
    struct fixture *fx = *state;
    char path[600];
    app_fresh(fx, "index", "prefetch=false");
    upload_clip(fx, "one");
    only_file(fx, "index", path);
    struct bytes good = read_bytes(path);
    for (size_t i = 0; i < SC_COUNT(damages); i++) {
        app_close(fx);
        damages[i](path);
        app_open(fx, "prefetch=false");
        sc_video *video = sc_videos_get(fx->videos, "one");
        sc_answer *answer = picture(video, 44);
        struct bytes now = read_bytes(path);
        assert_int_equal(now.size, good.size);
        free(now.data);
        sc_answer_unref(&answer);
        sc_video_unref(&video);
    }
    free(good.data);
    app_close(fx);
}

static void leftovers_go(void **state)
{
    struct fixture *fx = *state;
    app_fresh(fx, "leftovers", "prefetch=false");
    upload_clip(fx, "one");
    app_close(fx);
    shell("cd %s && touch index/00ff.sci index/00ff.sci.tmp1 index/.x && mkdir -p blobs/00 "
          "&& touch blobs/00/00ff",
          fx->dir);
    app_open(fx, "");
    assert_files(fx, 1);
    app_close(fx);
}

static void lost_file_loses_its_row(void **state)
{
    struct fixture *fx = *state;
    char path[600];
    sc_err err = {0};
    app_fresh(fx, "lost", "prefetch=false");
    upload_clip(fx, "one");
    only_file(fx, "blobs", path);
    upload_clip(fx, "two");
    app_close(fx);
    shell("mv %s/blobs %s/away; mkdir %s/blobs", fx->dir, fx->dir, fx->dir);
    assert_int_equal(app_try(fx, "", &err), SC_EDATA); // all at once: not mounted, presumably
    assert_non_null(strstr(err.text, "mounted"));
    shell("rm -r %s/blobs; mv %s/away %s/blobs; rm %s", fx->dir, fx->dir, fx->dir, path);
    app_open(fx, "");
    assert_null(sc_videos_get(fx->videos, "one"));
    assert_int_equal(sc_videos_count(fx->videos), 1);
    assert_files(fx, 1);
    upload_clip(fx, "one");
    app_close(fx);
}

// A damaged video is kept for a repair, out of sight, until somebody deletes it.
static void damaged_file_is_kept(void **state)
{
    struct fixture *fx = *state;
    sc_video *video;
    char path[600];
    app_fresh(fx, "damaged", "prefetch=false");
    upload_clip(fx, "one");
    only_file(fx, "blobs", path);
    app_close(fx);
    shell("chmod u+w %s", path);
    fill_with_text(path);
    app_open(fx, "");
    assert_null(sc_videos_get(fx->videos, "one"));
    assert_int_equal(sc_videos_list(fx->videos, "", 1, &video), 0);
    assert_int_equal(sc_videos_count(fx->videos), 0);
    assert_int_equal(count_files(fx, "blobs"), 1);
    assert_int_equal(upload(fx, "one", fx->clip, &video, NULL), SC_EEXISTS);
    assert_int_equal(sc_videos_delete(fx->videos, "one"), 0);
    assert_files(fx, 0);
    upload_clip(fx, "one");
    app_close(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restart_finds_videos), cmocka_unit_test(crash_in_upload),
        cmocka_unit_test(crash_in_delete),      cmocka_unit_test(index_is_rebuilt),
        cmocka_unit_test(leftovers_go),         cmocka_unit_test(lost_file_loses_its_row),
        cmocka_unit_test(damaged_file_is_kept),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
