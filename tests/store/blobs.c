// The suite that every blob engine passes, then what only a folder can get wrong.
#include "store/blobs.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "scratch.h"

enum { THREADS = 4, EACH = 20, PIECE = 64 << 10 };

struct fixture {
    const char *backend;
    char *parent;
    char *folder;
    sc_blobs *blobs;
};

static sc_blobs *open_blobs(const struct fixture *f)
{
    sc_blobs *blobs = NULL;
    sc_err err = {0};
    const struct sc_blobs_params params = {.backend = f->backend, .path = f->folder};
    if (sc_blobs_open(&blobs, &params, &err))
        print_error("%s\n", err.text);
    return blobs;
}

static int setup(void **state, const char *backend)
{
    struct fixture *f = sc_new(struct fixture);
    f->backend = backend;
    f->parent = scratch_make();
    f->folder = scratch_join(f->parent, "made/on/demand");
    f->blobs = open_blobs(f);
    *state = f;
    return f->blobs ? 0 : -1;
}

static int setup_folder(void **state)
{
    return setup(state, "folder");
}

static int setup_memory(void **state)
{
    return setup(state, "memory");
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sc_blobs_close(&f->blobs);
    scratch_remove(f->parent);
    free(f->folder);
    free(f);
    return 0;
}

// Bytes that tell where they are and whose they are.
static void pattern(unsigned char *piece, size_t size, int64_t at, int seed)
{
    for (size_t i = 0; i < size; i++)
        piece[i] = (unsigned char)((at + (int64_t)i) * 31 / 7 + seed);
}

static int write_pattern(sc_blob_writer *w, int64_t size, int seed)
{
    unsigned char *piece = sc_xcalloc(PIECE, 1);
    int ret = SC_OK;
    for (int64_t at = 0; at < size && !ret; at += PIECE) {
        size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
        pattern(piece, n, at, seed);
        ret = sc_blob_writer_write(w, piece, n);
    }
    free(piece);
    return ret;
}

static int put(sc_blobs *blobs, const char *key, int64_t size, int seed)
{
    sc_blob_writer *w;
    int ret = sc_blob_writer_open(&w, blobs, key, size);
    if (!ret)
        ret = write_pattern(w, size, seed);
    if (!ret)
        ret = sc_blob_writer_commit(&w);
    sc_blob_writer_abort(&w);
    return ret;
}

// 0 if the descriptor holds exactly the pattern.
static int check_pattern(int fd, int64_t size, int seed)
{
    unsigned char *want = sc_xcalloc(PIECE, 1), *got = sc_xcalloc(PIECE, 1);
    int bad = 0;
    int64_t at = 0;
    for (ssize_t n; !bad && (n = read(fd, got, PIECE)) > 0; at += n) {
        pattern(want, (size_t)n, at, seed);
        bad = memcmp(want, got, (size_t)n);
    }
    free(want);
    free(got);
    return bad || at != size;
}

static int check_blob(sc_blobs *blobs, const char *key, int64_t size, int seed)
{
    int fd;
    int64_t told;
    int ret = sc_blobs_open_fd(blobs, key, &fd, &told);
    if (ret)
        return ret;
    ret = told != size || check_pattern(fd, size, seed);
    close(fd);
    return ret;
}

static int count_blob(void *arg, const char *key, int64_t size)
{
    (void)key;
    (void)size;
    ++*(int *)arg;
    return 0;
}

static int count_blobs(sc_blobs *blobs)
{
    int count = 0;
    assert_int_equal(sc_blobs_each(blobs, count_blob, &count), 0);
    return count;
}

// Files in the folder's tmp/.
static int count_leftovers(const struct fixture *f)
{
    char *path = scratch_join(f->folder, "tmp");
    DIR *dir = opendir(path);
    int count = 0;
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    free(path);
    return count;
}

static void a_blob_lives(void **state)
{
    struct fixture *f = *state;
    const int64_t size = 20000001; // crosses several write-back windows, odd at the end
    assert_int_equal(check_blob(f->blobs, "abc.mp4", size, 1), SC_ENOTFOUND);
    assert_int_equal(put(f->blobs, "abc.mp4", size, 1), SC_OK);
    assert_int_equal(check_blob(f->blobs, "abc.mp4", size, 1), 0);
    assert_int_equal(put(f->blobs, "empty", 0, 1), SC_OK);
    assert_int_equal(check_blob(f->blobs, "empty", 0, 1), 0);
    assert_int_equal(count_blobs(f->blobs), 2);
    assert_int_equal(sc_blobs_delete(f->blobs, "abc.mp4"), SC_OK);
    assert_int_equal(sc_blobs_delete(f->blobs, "abc.mp4"), SC_ENOTFOUND);
    assert_int_equal(check_blob(f->blobs, "abc.mp4", size, 1), SC_ENOTFOUND);
    assert_int_equal(count_blobs(f->blobs), 1);
}

static void a_taken_key_is_kept(void **state)
{
    struct fixture *f = *state;
    sc_blob_writer *w;
    assert_int_equal(put(f->blobs, "aa", 10, 1), SC_OK);
    assert_int_equal(sc_blob_writer_open(&w, f->blobs, "aa", 0), SC_EEXISTS);
    assert_null(w);
    // Two writers of one key: the first to commit has it.
    sc_blob_writer *slow;
    assert_int_equal(sc_blob_writer_open(&slow, f->blobs, "bb", 0), SC_OK);
    assert_int_equal(put(f->blobs, "bb", 10, 1), SC_OK);
    assert_int_equal(write_pattern(slow, 10, 2), SC_OK);
    assert_int_equal(sc_blob_writer_commit(&slow), SC_EEXISTS);
    assert_non_null(slow);
    sc_blob_writer_abort(&slow);
    assert_null(slow);
    assert_int_equal(check_blob(f->blobs, "aa", 10, 1), 0);
    assert_int_equal(check_blob(f->blobs, "bb", 10, 1), 0);
    assert_int_equal(count_blobs(f->blobs), 2);
}

static void nothing_shows_before_commit(void **state)
{
    struct fixture *f = *state;
    sc_blob_writer *w;
    assert_int_equal(sc_blob_writer_open(&w, f->blobs, "aa", 1 << 20), SC_OK);
    assert_int_equal(write_pattern(w, 1000, 1), SC_OK);
    assert_int_equal(sc_blob_writer_size(w), 1000);
    assert_int_equal(count_blobs(f->blobs), 0);
    assert_int_equal(check_blob(f->blobs, "aa", 1000, 1), SC_ENOTFOUND);
    sc_blob_writer_abort(&w);
    assert_null(w);
    sc_blob_writer_abort(&w);
    sc_blob_writer_abort(NULL);
    assert_int_equal(count_blobs(f->blobs), 0);
    assert_int_equal(put(f->blobs, "aa", 10, 1), SC_OK);
}

static void readers_are_apart(void **state)
{
    struct fixture *f = *state;
    int first, second;
    int64_t size;
    assert_int_equal(put(f->blobs, "aa", 100000, 3), SC_OK);
    assert_int_equal(sc_blobs_open_fd(f->blobs, "aa", &first, &size), SC_OK);
    assert_int_equal(sc_blobs_open_fd(f->blobs, "aa", &second, &size), SC_OK);
    assert_int_equal(size, 100000);
    assert_int_equal(write(first, "x", 1), -1); // blobs are immutable
    assert_int_equal(sc_blobs_delete(f->blobs, "aa"), SC_OK);
    assert_int_equal(check_pattern(first, size, 3), 0);
    assert_int_equal(check_pattern(second, size, 3), 0);
    close(first);
    close(second);
}

static void bad_keys_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = {
        "",         ".",
        "..",       "../x",
        "a/b",      "/etc/passwd",
        "a..b",     "a.",
        ".a",       "A",
        "a_b",      "a b",
        "a\n",      "a.b.c",
        "a.mp4/",   "tmp/a",
        "\xc3\xa4", "a.123456789",
        "a.MP4",    "12345678901234567890123456789012345678901234567890123456789012345",
    };
    for (size_t i = 0; i < SC_COUNT(keys); i++) {
        sc_blob_writer *w;
        int fd;
        int64_t size;
        assert_int_equal(sc_blob_writer_open(&w, f->blobs, keys[i], 0), SC_EARG);
        assert_null(w);
        assert_int_equal(sc_blobs_open_fd(f->blobs, keys[i], &fd, &size), SC_EARG);
        assert_int_equal(fd, -1);
        assert_int_equal(sc_blobs_delete(f->blobs, keys[i]), SC_EARG);
        assert_null(sc_blobs_path(f->blobs, keys[i]));
    }
    assert_int_equal(count_blobs(f->blobs), 0);
}

static void short_and_long_keys_do(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = {
        "a",     "a.b",
        "1.mp4", "tm",
        "tmp",   "1234567890123456789012345678901234567890123456789012345678901234.12345678",
    };
    for (size_t i = 0; i < SC_COUNT(keys); i++)
        assert_int_equal(put(f->blobs, keys[i], 100, (int)i), SC_OK);
    for (size_t i = 0; i < SC_COUNT(keys); i++)
        assert_int_equal(check_blob(f->blobs, keys[i], 100, (int)i), 0);
    assert_int_equal(count_blobs(f->blobs), SC_COUNT(keys));
}

static int stop_at_once(void *arg, const char *key, int64_t size)
{
    ++*(int *)arg;
    return size == 7 && key[0] ? 42 : 0;
}

static void fresh_keys_differ(void **state)
{
    struct fixture *f = *state;
    char first[SC_BLOB_KEY_SIZE], second[SC_BLOB_KEY_SIZE];
    sc_blobs_new_key(first, ".mp4");
    sc_blobs_new_key(second, "");
    assert_int_equal(strlen(first), 36);
    assert_int_equal(strlen(second), 32);
    assert_string_equal(first + 32, ".mp4");
    assert_int_not_equal(memcmp(first, second, 32), 0);
    assert_int_equal(put(f->blobs, first, 7, 1), SC_OK);
    assert_int_equal(put(f->blobs, second, 7, 1), SC_OK);
    int calls = 0;
    assert_int_equal(sc_blobs_each(f->blobs, stop_at_once, &calls), 42);
    assert_int_equal(calls, 1);
}

struct worker {
    sc_blobs *blobs;
    int number;
    int failures;
    int won; // of the keys that all fight for
};

static void *hammer(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; i < EACH; i++) {
        char key[32];
        snprintf(key, sizeof(key), "w%dn%d", w->number, i);
        w->failures += put(w->blobs, key, 1000 * i, w->number) != SC_OK;
        w->failures += check_blob(w->blobs, key, 1000 * i, w->number) != 0;
        if (i % 2)
            w->failures += sc_blobs_delete(w->blobs, key) != SC_OK;
        snprintf(key, sizeof(key), "shared%d", i);
        int ret = put(w->blobs, key, 1000, 9);
        w->won += ret == SC_OK;
        w->failures += ret != SC_OK && ret != SC_EEXISTS;
    }
    return NULL;
}

static void threads_share_a_store(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    struct worker workers[THREADS] = {0};
    int won = 0;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.blobs = f->blobs, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failures, 0);
        won += workers[i].won;
    }
    assert_int_equal(won, EACH);
    assert_int_equal(count_blobs(f->blobs), THREADS * EACH / 2 + EACH);
}

static void an_unknown_engine_is_refused(void **state)
{
    (void)state;
    sc_blobs *blobs;
    sc_err err = {0};
    assert_int_equal(sc_blobs_open(&blobs, &(struct sc_blobs_params){.backend = "tape"}, &err),
                     SC_EARG);
    assert_null(blobs);
    assert_non_null(strstr(err.text, "tape"));
    sc_blobs_close(&blobs);
    sc_blobs_close(NULL);
}

static void files_are_where_paths_say(void **state)
{
    struct fixture *f = *state;
    sc_blob_writer *w;
    assert_int_equal(sc_blob_writer_open(&w, f->blobs, "0123abcd.mp4", 1 << 20), SC_OK);
    assert_int_equal(write_pattern(w, 5000, 1), SC_OK);
    struct stat st;
    assert_int_equal(stat(sc_blob_writer_path(w), &st), 0); // readable while it grows
    assert_int_equal(st.st_size, 5000);
    assert_int_equal(count_leftovers(f), 1);
    assert_int_equal(sc_blob_writer_commit(&w), SC_OK);
    assert_null(w);
    assert_int_equal(count_leftovers(f), 0);
    char *path = sc_blobs_path(f->blobs, "0123abcd.mp4");
    assert_non_null(strstr(path, "/01/0123abcd.mp4"));
    assert_int_equal(path[0], '/');
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 5000);
    assert_true(st.st_blocks * 512 < 100000); // what was set aside is given back
    free(path);
}

static void blobs_survive_a_restart(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f->blobs, "aa.mp4", 100000, 5), SC_OK);
    sc_blobs_close(&f->blobs);
    f->blobs = open_blobs(f);
    assert_int_equal(check_blob(f->blobs, "aa.mp4", 100000, 5), 0);
}

// Another process that opens the folder removes what died, not what is being written.
static void live_uploads_are_no_leftovers(void **state)
{
    struct fixture *f = *state;
    char *leftover = scratch_join(f->folder, "tmp/0123456789abcdef-dead");
    close(open(leftover, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    sc_blob_writer *w;
    assert_int_equal(sc_blob_writer_open(&w, f->blobs, "aa", 0), SC_OK);
    assert_int_equal(count_leftovers(f), 2);
    sc_blobs *other = open_blobs(f);
    assert_int_equal(count_leftovers(f), 1);
    assert_int_equal(access(leftover, F_OK), -1);
    assert_int_equal(write_pattern(w, 1000, 1), SC_OK);
    assert_int_equal(sc_blob_writer_commit(&w), SC_OK);
    assert_int_equal(check_blob(other, "aa", 1000, 1), 0);
    sc_blobs_close(&other);
    free(leftover);
}

static void foreign_files_are_passed_over(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"ab/README", "ab/xy", "ab/.hidden", "lost",
                                        "ab/abdir/"};
    assert_int_equal(put(f->blobs, "abc", 10, 1), SC_OK);
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        char *path = scratch_join(f->folder, names[i]);
        if (path[strlen(path) - 1] == '/')
            assert_int_equal(mkdir(path, 0700), 0);
        else
            close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        free(path);
    }
    char *link = scratch_join(f->folder, "ab/abl");
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(count_blobs(f->blobs), 1);
    assert_int_equal(check_blob(f->blobs, "abdir", 0, 0), SC_ENOTFOUND);
    int fd;
    int64_t size;
    assert_true(sc_blobs_open_fd(f->blobs, "abl", &fd, &size) < 0);
    free(link);
}

static int64_t size_of(int number)
{
    return (number * 7919 % 50) * 10000;
}

static void write_for_ever(void *arg, int fd)
{
    sc_blobs *blobs = open_blobs(arg);
    for (int32_t i = 0; blobs; i++) {
        char key[32];
        snprintf(key, sizeof(key), "%06d", i);
        if (put(blobs, key, size_of(i), i) || write(fd, &i, sizeof(i)) != sizeof(i))
            break;
    }
}

static int check_killed(void *arg, const char *key, int64_t size)
{
    int number = atoi(key);
    return size != size_of(number) || check_blob(arg, key, size, number);
}

static void blobs_survive_a_kill(void **state)
{
    struct fixture *f = *state;
    sc_blobs_close(&f->blobs);
    int told = scratch_kill_midway(write_for_ever, f, 40);
    assert_true(told >= 40);
    f->blobs = open_blobs(f);
    assert_int_equal(count_leftovers(f), 0);
    // All that was acknowledged, at most one more (its acknowledgement was under way), all whole.
    int count = count_blobs(f->blobs);
    assert_true(count == told || count == told + 1);
    assert_int_equal(sc_blobs_each(f->blobs, check_killed, f->blobs), 0);
}

// Runs body with f's folder on a disk of so many bytes.
static void on_small_disk(struct fixture *f, int64_t bytes, void (*body)(struct fixture *f))
{
    sc_blobs_close(&f->blobs);
    if (!scratch_mount(f->folder, bytes)) {
        print_message("skipped: mounting a small disk needs root\n");
        skip();
    }
    f->blobs = open_blobs(f);
    body(f);
    sc_blobs_close(&f->blobs);
    scratch_unmount(f->folder);
}

static void fill_up(struct fixture *f)
{
    assert_int_equal(put(f->blobs, "kept", 1 << 20, 1), SC_OK);
    sc_blob_writer *w;
    assert_int_equal(sc_blob_writer_open(&w, f->blobs, "more", 0), SC_OK);
    assert_int_equal(write_pattern(w, 64 << 20, 2), SC_ENOSPACE);
    assert_true(sc_blob_writer_size(w) < 40 << 20);
    sc_blob_writer_abort(&w);
    assert_int_equal(count_leftovers(f), 0);
    assert_int_equal(check_blob(f->blobs, "kept", 1 << 20, 1), 0);
    assert_int_equal(check_blob(f->blobs, "more", 0, 0), SC_ENOTFOUND);
    assert_int_equal(put(f->blobs, "more", 1 << 20, 2), SC_OK); // the space is back
}

static void a_full_disk_is_survived(void **state)
{
    on_small_disk(*state, 40 << 20, fill_up);
}

// 40 MiB less the reserve of 16: 20 fit once, not twice.
static void hint_too_much(struct fixture *f)
{
    sc_blob_writer *w, *second;
    assert_int_equal(sc_blob_writer_open(&w, f->blobs, "aa", 30 << 20), SC_ENOSPACE);
    assert_null(w);
    assert_int_equal(sc_blob_writer_open(&w, f->blobs, "aa", INT64_MAX), SC_ENOSPACE);
    assert_int_equal(sc_blob_writer_open(&w, f->blobs, "aa", 20 << 20), SC_OK);
    assert_true(sc_blobs_free_bytes(f->blobs) <= 4 << 20);
    assert_int_equal(sc_blob_writer_open(&second, f->blobs, "bb", 20 << 20), SC_ENOSPACE);
    assert_int_equal(count_leftovers(f), 1);
    assert_int_equal(write_pattern(w, 20 << 20, 1), SC_OK);
    assert_int_equal(sc_blob_writer_commit(&w), SC_OK);
    assert_int_equal(check_blob(f->blobs, "aa", 20 << 20, 1), 0);
}

static void a_hint_is_set_aside(void **state)
{
    on_small_disk(*state, 40 << 20, hint_too_much);
}

static void a_bad_folder_is_refused(void **state)
{
    struct fixture *f = *state;
    char *file = scratch_join(f->folder, "file");
    close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    char *below = scratch_join(file, "below");
    const char *const paths[] = {file, below, "", "/proc/nothing"};
    for (size_t i = 0; i < SC_COUNT(paths); i++) {
        sc_blobs *blobs;
        sc_err err = {0};
        const struct sc_blobs_params params = {.backend = "folder", .path = paths[i]};
        assert_int_equal(sc_blobs_open(&blobs, &params, &err), *paths[i] ? SC_EIO : SC_EARG);
        assert_null(blobs);
        assert_non_null(strstr(err.text, paths[i]));
        assert_true(strlen(err.text) > 10);
    }
    free(below);
    free(file);
}

#define SHARED_TEST(name, up) cmocka_unit_test_setup_teardown(name, up, teardown)
#define SHARED_TESTS(up)                                                                       \
    SHARED_TEST(a_blob_lives, up), SHARED_TEST(a_taken_key_is_kept, up),                       \
        SHARED_TEST(nothing_shows_before_commit, up), SHARED_TEST(readers_are_apart, up),      \
        SHARED_TEST(bad_keys_are_refused, up), SHARED_TEST(short_and_long_keys_do, up),        \
        SHARED_TEST(fresh_keys_differ, up), SHARED_TEST(threads_share_a_store, up)

int main(void)
{
    const struct CMUnitTest memory[] = {
        SHARED_TESTS(setup_memory),
        cmocka_unit_test(an_unknown_engine_is_refused),
    };
    const struct CMUnitTest folder[] = {
        SHARED_TESTS(setup_folder),
        SHARED_TEST(files_are_where_paths_say, setup_folder),
        SHARED_TEST(blobs_survive_a_restart, setup_folder),
        SHARED_TEST(live_uploads_are_no_leftovers, setup_folder),
        SHARED_TEST(foreign_files_are_passed_over, setup_folder),
        SHARED_TEST(blobs_survive_a_kill, setup_folder),
        SHARED_TEST(a_full_disk_is_survived, setup_folder),
        SHARED_TEST(a_hint_is_set_aside, setup_folder),
        SHARED_TEST(a_bad_folder_is_refused, setup_folder),
    };
    int failures = cmocka_run_group_tests_name("blobs/memory", memory, NULL, NULL);
    return failures + cmocka_run_group_tests_name("blobs/folder", folder, NULL, NULL);
}
