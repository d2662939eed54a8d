// Finding the library: named, beside the program, nowhere; and what is not one.
//
// Where a program lies decides what it finds, so a copy of this one is run in folders made for it:
// with the argument "find" it prints what it found, or the error, and nothing else.
#include "onnx.h"

#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/mem.h"

#if defined(__aarch64__)
#define FOLDER "node_modules/onnxruntime-node/bin/napi-v6/linux/arm64"
#else
#define FOLDER "node_modules/onnxruntime-node/bin/napi-v6/linux/x64"
#endif

extern char **environ;

struct fixture {
    char *real;      // path of a library, NULL = there is none
    char folder[64]; // scratch
    char *program;   // folder/prefix/bin/program
    char said[1024]; // by the last run
};

static int find(void)
{
    sc_err err = {0};
    sc_onnx *onnx = NULL;
    int ret = onnx_first_open(&onnx, &err);
    printf("%s %s\n", sc_error_name(ret), ret ? err.text : sc_onnx_get_info(onnx)->path);
    sc_onnx_close(&onnx);
    return 0;
}

// Runs the copied program in folder `cwd`.
static const char *run_copy(struct fixture *f, const char *cwd)
{
    int fds[2];
    pid_t pid;
    char find_word[] = "find", *argv[] = {f->program, find_word, NULL};
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
    posix_spawn_file_actions_addchdir_np(&actions, cwd);
    assert_int_equal(posix_spawn(&pid, f->program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    size_t size = 0;
    for (ssize_t n; (n = read(fds[0], f->said + size, sizeof(f->said) - 1 - size)) > 0;)
        size += (size_t)n;
    f->said[size] = '\0';
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return f->said;
}

static void copy_file(const char *from, const char *to)
{
    static char piece[1 << 16];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, piece, sizeof(piece))) > 0;)
        assert_int_equal(write(out, piece, (size_t)n), n);
    close(in);
    close(out);
}

// Makes path and the folders above it, from folder on.
static void make_folders(const char *folder, const char *path)
{
    char *whole = NULL;
    assert_true(asprintf(&whole, "%s/%s/", folder, path) > 0);
    for (char *p = whole + strlen(folder) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(whole, 0700);
        *p = '/';
    }
    free(whole);
}

// A link to the real library as npm would lay it under folder/below.
static void plant(const struct fixture *f, const char *below, const char *to)
{
    char *path = NULL, *where = NULL;
    assert_true(asprintf(&where, "%s%s" FOLDER, below, *below ? "/" : "") > 0);
    make_folders(f->folder, where);
    assert_true(asprintf(&path, "%s/%s/libonnxruntime.so.1", f->folder, where) > 0);
    assert_int_equal(symlink(to, path), 0);
    free(path);
    free(where);
}

static int setup(void **state)
{
    struct fixture *f = sc_new(struct fixture);
    char self[4096];
    sc_onnx *onnx = NULL;
    if (!onnx_first_open(&onnx, NULL))
        f->real = sc_xstrdup(sc_onnx_get_info(onnx)->path);
    sc_onnx_close(&onnx);
    snprintf(f->folder, sizeof(f->folder), "/tmp/saccade-find-XXXXXX");
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (!mkdtemp(f->folder) || n < 0)
        return -1;
    self[n] = '\0';
    make_folders(f->folder, "a/prefix/bin");
    if (asprintf(&f->program, "%s/a/prefix/bin/program", f->folder) < 0)
        return -1;
    copy_file(self, f->program);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f->real);
    free(f->program);
    free(f);
    return 0;
}

#define NEED_REAL(f)                                                                           \
    do {                                                                                       \
        if (!(f)->real || strstr((f)->real, "node_modules") == NULL) {                         \
            print_message("no ONNX Runtime under node_modules: npm ci brings it\n");           \
            skip();                                                                            \
        }                                                                                      \
    } while (0)

static void nowhere(void **state)
{
    struct fixture *f = *state;
    if (f->real && !strstr(f->real, "node_modules")) {
        print_message("the system has an ONNX Runtime: %s\n", f->real);
        skip();
    }
    const char *said = run_copy(f, "/");
    assert_memory_equal(said, "NOTFOUND ", 9);
    assert_non_null(strstr(said, "npm ci"));
    assert_non_null(strstr(said, "the system's libraries"));
    assert_non_null(strstr(said, "/a/prefix/bin/node_modules"));
    assert_non_null(strstr(said, "/a/prefix/lib/saccade"));
    assert_non_null(strstr(said, ", /node_modules")); // the working folder's
}

static void above_the_program(void **state)
{
    struct fixture *f = *state;
    NEED_REAL(f);
    plant(f, "a", f->real);
    const char *said = run_copy(f, "/");
    assert_memory_equal(said, "OK ", 3);
    assert_memory_equal(said + 3, f->real, strlen(f->real)); // what the link leads to
}

static void beside_prefix(void **state)
{
    struct fixture *f = *state;
    NEED_REAL(f);
    char *path = NULL;
    make_folders(f->folder, "a/prefix/lib/saccade");
    assert_true(asprintf(&path, "%s/a/prefix/lib/saccade/libonnxruntime.so.1", f->folder) > 0);
    assert_int_equal(symlink(f->real, path), 0);
    assert_memory_equal(run_copy(f, "/"), "OK ", 3);
    free(path);
}

static void in_working_folder(void **state)
{
    struct fixture *f = *state;
    NEED_REAL(f);
    char *cwd = NULL;
    make_folders(f->folder, "b");
    plant(f, "b", f->real);
    assert_true(asprintf(&cwd, "%s/b", f->folder) > 0);
    assert_memory_equal(run_copy(f, "/"), "NOTFOUND ", 9);
    assert_memory_equal(run_copy(f, cwd), "OK ", 3);
    free(cwd);
}

// Code that anybody could have put there is not run because it lies around.
static void not_of_others(void **state)
{
    struct fixture *f = *state;
    NEED_REAL(f);
    char *library = NULL;
    assert_true(asprintf(&library, "%s/copy.so", f->folder) > 0);
    copy_file(f->real, library);
    assert_int_equal(chmod(library, 0777), 0);
    plant(f, "a", library);
    const char *said = run_copy(f, "/");
    assert_memory_equal(said, "NOTFOUND ", 9);
    assert_non_null(strstr(said, "written by everybody"));
    assert_int_equal(chmod(library, 0755), 0);
    assert_memory_equal(run_copy(f, "/"), "OK ", 3);
    assert_int_equal(chmod(f->folder, 0777),
                     0); // whoever may write there may put others beside it
    assert_memory_equal(run_copy(f, "/"), "NOTFOUND ", 9);
    free(library);
}

// One that cannot be opened does not hide one that can.
static void broken_then_good(void **state)
{
    struct fixture *f = *state;
    NEED_REAL(f);
    char *library = NULL;
    assert_true(asprintf(&library, "%s/broken.so", f->folder) > 0);
    FILE *file = fopen(library, "w");
    fputs("no library", file);
    fclose(file);
    plant(f, "a/prefix", library);
    const char *said = run_copy(f, "/");
    assert_memory_equal(said, "NOTFOUND ", 9);
    assert_non_null(strstr(said, "/broken.so"));
    plant(f, "a", f->real);
    assert_memory_equal(run_copy(f, "/"), "OK ", 3);
    free(library);
}

static void named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *library, *says;
        int code;
    } cases[] = {
        {"/nowhere/libonnxruntime.so.1", "/nowhere/libonnxruntime.so.1", SC_ENOTFOUND},
        {"/tmp", "/tmp", SC_ENOTFOUND},
        {"/proc/self/exe", "/proc/self/exe", SC_ENOTFOUND},
        {"libc.so.6", "is not ONNX Runtime", SC_EUNSUPPORTED},
    };
    sc_onnx *onnx = NULL;
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_err err = {0};
        int ret = sc_onnx_open(&onnx, cases[i].library, NULL, &err);
        if (ret != cases[i].code || !strstr(err.text, cases[i].says))
            fail_msg("%s: %d %s", cases[i].library, ret, err.text);
        assert_null(onnx);
    }
    NEED_REAL(f);
    assert_int_equal(sc_onnx_open(&onnx, f->real, NULL, NULL), SC_OK);
    const struct sc_onnx_info *info = sc_onnx_get_info(onnx);
    assert_string_equal(info->path, f->real);
    assert_memory_equal(info->version, "1.", 2);
    bool cpu = false;
    for (int i = 0; info->providers[i]; i++)
        cpu |= !strcmp(info->providers[i], "CPUExecutionProvider");
    assert_true(cpu);
    sc_onnx_close(&onnx);
}

// What it counts it keeps in the user's cache folder until it is sent.
static void reports_to_nobody(void **state)
{
    struct fixture *f = *state;
    NEED_REAL(f);
    char *cache = NULL;
    assert_true(asprintf(&cache, "%s/.cache", f->folder) > 0);
    plant(f, "a", f->real);
    setenv("HOME", f->folder, 1);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("ORT_DISABLE_TELEMETRY"); // the program is to see to it itself
    unsetenv("CI");                    // where the library is silent anyway
    assert_memory_equal(run_copy(f, "/"), "OK ", 3);
    assert_int_equal(access(cache, F_OK), -1);
    free(cache);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "find"))
        return find();
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(nowhere),       WITH_FOLDER(above_the_program),
        WITH_FOLDER(beside_prefix), WITH_FOLDER(in_working_folder),
        WITH_FOLDER(not_of_others), WITH_FOLDER(broken_then_good),
        WITH_FOLDER(named),         WITH_FOLDER(reports_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
