// The suite that every row engine passes, then what only a database file can get wrong.
#include "store/rows.h"

#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>

#include <cmocka.h>

#include "scratch.h"

enum { THREADS = 4, EACH = 40 };

struct fixture {
    const char *backend;
    char *folder;
    char *path;
    sc_rows *rows;
};

static sc_rows *open_rows(const struct fixture *f)
{
    sc_rows *rows = NULL;
    sc_err err = {0};
    const struct sc_rows_params params = {.backend = f->backend, .path = f->path};
    if (sc_rows_open(&rows, &params, &err))
        print_error("%s\n", err.text);
    return rows;
}

static int setup(void **state, const char *backend)
{
    struct fixture *f = sc_new(struct fixture);
    f->backend = backend;
    f->folder = scratch_make();
    f->path = scratch_join(f->folder, "rows.db");
    f->rows = open_rows(f);
    *state = f;
    return 0;
}

static int setup_sqlite(void **state)
{
    return setup(state, "sqlite");
}

static int setup_memory(void **state)
{
    return setup(state, "memory");
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sc_rows_close(&f->rows);
    scratch_remove(f->folder);
    free(f->path);
    free(f);
    return 0;
}

static void expect_row(sc_rows *rows, const char *table, const char *key, const char *value,
                       int64_t rev)
{
    sc_row row;
    assert_int_equal(sc_rows_get(rows, table, key, &row), SC_OK);
    assert_string_equal(row.key, key);
    assert_string_equal(row.value, value);
    assert_int_equal(row.rev, rev);
    sc_row_release(&row);
    assert_null(row.key);
}

static void expect_no_row(sc_rows *rows, const char *table, const char *key)
{
    sc_row row = {.rev = 7};
    assert_int_equal(sc_rows_get(rows, table, key, &row), SC_ENOTFOUND);
    assert_null(row.key);
    assert_null(row.value);
    assert_int_equal(row.rev, 0);
}

static void a_row_lives(void **state)
{
    sc_rows *rows = ((struct fixture *)*state)->rows;
    assert_int_equal(sc_rows_insert(rows, "videos", "a", "{\"n\":1}"), SC_OK);
    expect_row(rows, "videos", "a", "{\"n\":1}", 1);
    assert_int_equal(sc_rows_insert(rows, "videos", "a", "{\"n\":2}"), SC_EEXISTS);
    expect_row(rows, "videos", "a", "{\"n\":1}", 1);
    assert_int_equal(sc_rows_update(rows, "videos", "a", "{\"n\":3}", 0), SC_OK);
    expect_row(rows, "videos", "a", "{\"n\":3}", 2);
    assert_int_equal(sc_rows_delete(rows, "videos", "a"), SC_OK);
    expect_no_row(rows, "videos", "a");
    assert_int_equal(sc_rows_delete(rows, "videos", "a"), SC_ENOTFOUND);
    assert_int_equal(sc_rows_update(rows, "videos", "a", "{}", 0), SC_ENOTFOUND);
    assert_int_equal(sc_rows_insert(rows, "videos", "a", "{}"), SC_OK);
    expect_row(rows, "videos", "a", "{}", 1);
}

static void a_stale_writer_loses(void **state)
{
    sc_rows *rows = ((struct fixture *)*state)->rows;
    assert_int_equal(sc_rows_insert(rows, "t", "a", "1"), SC_OK);
    assert_int_equal(sc_rows_update(rows, "t", "a", "2", 1), SC_OK);
    assert_int_equal(sc_rows_update(rows, "t", "a", "3", 1), SC_ESTALE);
    assert_int_equal(sc_rows_update(rows, "t", "a", "3", 99), SC_ESTALE);
    expect_row(rows, "t", "a", "2", 2);
    assert_int_equal(sc_rows_update(rows, "t", "a", "3", 2), SC_OK);
    expect_row(rows, "t", "a", "3", 3);
    assert_int_equal(sc_rows_update(rows, "t", "gone", "3", 2), SC_ENOTFOUND);
}

static void tables_are_apart(void **state)
{
    sc_rows *rows = ((struct fixture *)*state)->rows;
    assert_int_equal(sc_rows_insert(rows, "a", "b_c", "1"), SC_OK);
    assert_int_equal(sc_rows_insert(rows, "a_b", "c", "2"), SC_OK);
    assert_int_equal(sc_rows_insert(rows, "b", "b_c", "3"), SC_OK);
    assert_int_equal(sc_rows_delete(rows, "a", "b_c"), SC_OK);
    expect_row(rows, "a_b", "c", "2", 1);
    expect_row(rows, "b", "b_c", "3", 1);
    sc_row *list;
    assert_int_equal(sc_rows_list(rows, "a", "", 10, &list), 0);
    assert_null(list);
}

static void any_bytes_are_a_key(void **state)
{
    sc_rows *rows = ((struct fixture *)*state)->rows;
    static const char *const keys[] = {
        "'; DROP TABLE rows; --", "../../etc/passwd", "%s%n", "*", "\xff\xfe bad utf-8",
        "\xc3\xa4\xe2\x82\xac",   "\n\t\x01",         "A",    "a", " ",
    };
    for (size_t i = 0; i < SC_COUNT(keys); i++)
        assert_int_equal(sc_rows_insert(rows, "t", keys[i], keys[i]), SC_OK);
    for (size_t i = 0; i < SC_COUNT(keys); i++)
        expect_row(rows, "t", keys[i], keys[i], 1);
}

static void keys_have_a_length(void **state)
{
    sc_rows *rows = ((struct fixture *)*state)->rows;
    char longest[256], beyond[257];
    memset(longest, 'k', 255);
    memset(beyond, 'k', 256);
    longest[255] = beyond[256] = '\0';
    sc_row row, *list;
    assert_int_equal(sc_rows_insert(rows, "t", longest, "1"), SC_OK);
    expect_row(rows, "t", longest, "1", 1);
    assert_int_equal(sc_rows_insert(rows, "t", beyond, "1"), SC_EARG);
    assert_int_equal(sc_rows_insert(rows, "t", "", "1"), SC_EARG);
    assert_int_equal(sc_rows_update(rows, "t", "", "1", 0), SC_EARG);
    assert_int_equal(sc_rows_get(rows, "t", beyond, &row), SC_EARG);
    assert_int_equal(sc_rows_delete(rows, "t", ""), SC_EARG);
    assert_int_equal(sc_rows_list(rows, "t", beyond, 1, &list), SC_EARG);
    assert_null(list);
}

static void a_long_value_comes_back(void **state)
{
    sc_rows *rows = ((struct fixture *)*state)->rows;
    size_t size = 3 << 20;
    char *value = sc_xcalloc(size + 1, 1);
    memset(value, 'v', size);
    assert_int_equal(sc_rows_insert(rows, "t", "big", value), SC_OK);
    expect_row(rows, "t", "big", value, 1);
    free(value);
}

// Pages of two over "k0".."k6" and a few keys that sort around them by bytes.
static void lists_are_paged(void **state)
{
    sc_rows *rows = ((struct fixture *)*state)->rows;
    static const char *const keys[] = {"B", "_", "a", "aa", "b", "\xc3\xa4", "\xff"};
    static const int shuffled[] = {4, 6, 0, 2, 5, 1, 3};
    for (size_t i = 0; i < SC_COUNT(keys); i++)
        assert_int_equal(sc_rows_insert(rows, "t", keys[shuffled[i]], "1"), SC_OK);
    assert_int_equal(sc_rows_insert(rows, "u", "other", "1"), SC_OK);
    assert_int_equal(sc_rows_insert(rows, "s", "other", "1"), SC_OK);

    char after[256] = "";
    size_t seen = 0;
    int got;
    sc_row *list;
    while ((got = sc_rows_list(rows, "t", after, 2, &list)) > 0) {
        assert_true(got <= 2);
        for (int i = 0; i < got; i++, seen++) {
            assert_true(seen < SC_COUNT(keys));
            assert_string_equal(list[i].key, keys[seen]);
            assert_int_equal(list[i].rev, 1);
            snprintf(after, sizeof(after), "%s", list[i].key);
            sc_row_release(&list[i]);
        }
        free(list);
    }
    assert_int_equal(got, 0);
    assert_null(list);
    assert_int_equal(seen, SC_COUNT(keys));
    // A cursor need not exist (its row may have been deleted since).
    assert_int_equal(sc_rows_list(rows, "t", "ab", 1, &list), 1);
    assert_string_equal(list[0].key, "b");
    sc_row_release(&list[0]);
    free(list);
}

struct worker {
    sc_rows *rows;
    int number;
    int failures;
};

// Inserts rows of its own and counts up one row that all share.
static void *hammer(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; i < EACH; i++) {
        char key[32], value[32];
        snprintf(key, sizeof(key), "w%d-%d", w->number, i);
        w->failures += sc_rows_insert(w->rows, "t", key, key) != SC_OK;
        int ret = SC_ESTALE;
        while (ret == SC_ESTALE) {
            sc_row row;
            if (sc_rows_get(w->rows, "t", "count", &row))
                break;
            snprintf(value, sizeof(value), "%d", atoi(row.value) + 1);
            ret = sc_rows_update(w->rows, "t", "count", value, row.rev);
            sc_row_release(&row);
        }
        w->failures += ret != SC_OK;
    }
    return NULL;
}

static void hammer_from_threads(sc_rows *const *rows)
{
    pthread_t threads[THREADS];
    struct worker workers[THREADS] = {0};
    char total[32];
    assert_int_equal(sc_rows_insert(rows[0], "t", "count", "0"), SC_OK);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.rows = rows[i], .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failures, 0);
    }
    snprintf(total, sizeof(total), "%d", THREADS * EACH);
    expect_row(rows[0], "t", "count", total, THREADS * EACH + 1);
    sc_row *list;
    int count = sc_rows_list(rows[0], "t", "", 1000, &list);
    assert_int_equal(count, THREADS * EACH + 1);
    for (int i = 0; i < count; i++)
        sc_row_release(&list[i]);
    free(list);
}

static void threads_share_a_store(void **state)
{
    sc_rows *rows = ((struct fixture *)*state)->rows;
    hammer_from_threads((sc_rows *[THREADS]){rows, rows, rows, rows});
}

static void an_unknown_engine_is_refused(void **state)
{
    (void)state;
    sc_rows *rows;
    sc_err err = {0};
    assert_int_equal(sc_rows_open(&rows, &(struct sc_rows_params){.backend = "paper"}, &err),
                     SC_EARG);
    assert_null(rows);
    assert_non_null(strstr(err.text, "paper"));
    sc_rows_close(&rows);
    sc_rows_close(NULL);
}

// Several connections to one file stand for several processes: they also open it together.
static void *open_in_thread(void *arg)
{
    return open_rows(arg);
}

static void processes_share_a_file(void **state)
{
    struct fixture *f = *state;
    struct fixture shared = {.backend = f->backend,
                             .path = scratch_join(f->folder, "shared.db")};
    pthread_t threads[THREADS];
    sc_rows *rows[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_in_thread, &shared), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], (void **)&rows[i]);
        assert_non_null(rows[i]);
    }
    hammer_from_threads(rows);
    for (int i = 0; i < THREADS; i++)
        sc_rows_close(&rows[i]);
    free(shared.path);
}

static void rows_survive_a_restart(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sc_rows_insert(f->rows, "t", "a", "1"), SC_OK);
    assert_int_equal(sc_rows_update(f->rows, "t", "a", "2", 1), SC_OK);
    sc_rows_close(&f->rows);
    f->rows = open_rows(f);
    expect_row(f->rows, "t", "a", "2", 2);
}

static void insert_for_ever(void *arg, int fd)
{
    sc_rows *rows = open_rows(arg);
    if (!rows)
        _exit(1);
    for (int32_t i = 0;; i++) {
        char key[32];
        snprintf(key, sizeof(key), "%06d", i);
        if (sc_rows_insert(rows, "t", key, key) || write(fd, &i, sizeof(i)) != sizeof(i))
            _exit(1);
    }
}

static void rows_survive_a_kill(void **state)
{
    struct fixture *f = *state;
    sc_rows_close(&f->rows);
    int told = scratch_kill_midway(insert_for_ever, f, 50);
    assert_true(told >= 50);
    f->rows = open_rows(f);
    for (int i = 0; i < told; i++) {
        char key[32];
        snprintf(key, sizeof(key), "%06d", i);
        expect_row(f->rows, "t", key, key, 1);
    }
    assert_int_equal(sc_rows_insert(f->rows, "t", "after", "1"), SC_OK);
}

static void a_full_disk_is_survived(void **state)
{
    struct fixture *f = *state;
    sc_rows_close(&f->rows);
    if (!scratch_mount(f->folder, 4 << 20)) {
        print_message("skipped: mounting a small disk needs root\n");
        f->rows = open_rows(f);
        skip();
    }
    f->rows = open_rows(f);
    assert_int_equal(sc_rows_insert(f->rows, "t", "kept", "1"), SC_OK);
    char *filler = scratch_join(f->folder, "filler");
    scratch_fill(filler);
    char *value = sc_xcalloc(1, 100001);
    memset(value, 'v', 100000);
    assert_int_equal(sc_rows_insert(f->rows, "t", "more", value), SC_ENOSPACE);
    expect_no_row(f->rows, "t", "more");
    assert_int_equal(sc_rows_update(f->rows, "t", "kept", value, 1), SC_ENOSPACE);
    expect_row(f->rows, "t", "kept", "1", 1);
    unlink(filler);
    assert_int_equal(sc_rows_insert(f->rows, "t", "more", value), SC_OK);
    sc_rows_close(&f->rows);
    f->rows = open_rows(f);
    expect_row(f->rows, "t", "kept", "1", 1);
    expect_row(f->rows, "t", "more", value, 1);
    sc_rows_close(&f->rows);
    scratch_unmount(f->folder);
    f->rows = open_rows(f);
    free(filler);
    free(value);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void expect_refusal(const char *path, int code, const char *word)
{
    sc_rows *rows;
    sc_err err = {0};
    const struct sc_rows_params params = {.backend = "sqlite", .path = path};
    assert_int_equal(sc_rows_open(&rows, &params, &err), code);
    assert_null(rows);
    assert_non_null(strstr(err.text, word));
}

static void foreign_files_are_refused(void **state)
{
    struct fixture *f = *state;
    sc_rows_close(&f->rows);
    run_sql(f->path, "PRAGMA user_version = 2");
    expect_refusal(f->path, SC_EDATA, "newer");
    run_sql(f->path, "PRAGMA user_version = 1; DROP TABLE rows");
    expect_refusal(f->path, SC_EDATA, "table");
    run_sql(f->path, "PRAGMA user_version = 0; CREATE TABLE songs (title)");
    expect_refusal(f->path, SC_EDATA, "another program");
    run_sql(f->path, "SELECT title FROM songs"); // still theirs

    char *text = scratch_join(f->folder, "text");
    FILE *file = fopen(text, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", file);
    fclose(file);
    expect_refusal(text, SC_EDATA, text);
    expect_refusal(f->folder, SC_EIO, f->folder);
    expect_refusal("/nonexistent/rows.db", SC_EIO, "/nonexistent/rows.db");
    expect_refusal("", SC_EARG, "path");
    free(text);
}

#define SHARED_TEST(name, up) cmocka_unit_test_setup_teardown(name, up, teardown)
#define SHARED_TESTS(up)                                                                       \
    SHARED_TEST(a_row_lives, up), SHARED_TEST(a_stale_writer_loses, up),                       \
        SHARED_TEST(tables_are_apart, up), SHARED_TEST(any_bytes_are_a_key, up),               \
        SHARED_TEST(keys_have_a_length, up), SHARED_TEST(a_long_value_comes_back, up),         \
        SHARED_TEST(lists_are_paged, up), SHARED_TEST(threads_share_a_store, up)

int main(void)
{
    const struct CMUnitTest memory[] = {
        SHARED_TESTS(setup_memory),
        cmocka_unit_test(an_unknown_engine_is_refused),
    };
    const struct CMUnitTest sqlite[] = {
        SHARED_TESTS(setup_sqlite),
        SHARED_TEST(processes_share_a_file, setup_sqlite),
        SHARED_TEST(rows_survive_a_restart, setup_sqlite),
        SHARED_TEST(rows_survive_a_kill, setup_sqlite),
        SHARED_TEST(a_full_disk_is_survived, setup_sqlite),
        SHARED_TEST(foreign_files_are_refused, setup_sqlite),
    };
    int failures = cmocka_run_group_tests_name("rows/memory", memory, NULL, NULL);
    return failures + cmocka_run_group_tests_name("rows/sqlite", sqlite, NULL, NULL);
}
