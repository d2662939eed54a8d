// The registry of models: names and states, uploads, replacement, the budget.
#include "fixture.h"

#include "fake_detector.h"

static struct fake_runtime fake;

struct registry {
    char dir[160], built_in[200];
    sc_options *options;
    sc_log *log;
    sc_models *models;
};

static int try_open(struct registry *r, const char *settings, sc_err *err)
{
    static const sc_option_group *const groups[] = {&sc_models_options, NULL};
    char text[600], *save = NULL;
    r->options = sc_options_new(groups);
    snprintf(text, sizeof(text), "%s", settings);
    for (char *s = strtok_r(text, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(s, '=');
        *eq = 0;
        assert_int_equal(sc_options_set(r->options, s, eq + 1, "test", NULL), 0);
    }
    return sc_models_open(
        &r->models,
        &(struct sc_models_params){.settings = sc_options_get(r->options, &sc_models_options),
                                   .data_dir = r->dir,
                                   .built_in = r->built_in,
                                   .ops = &fake_ops,
                                   .ops_arg = &fake},
        err);
}

static void open_registry(struct registry *r, const char *settings)
{
    sc_err err = {0};
    int ret = try_open(r, settings, &err);
    if (ret)
        fail_msg("%s", sc_err_text(&err, ret));
}

static void close_registry(struct registry *r)
{
    sc_models_close(&r->models);
    sc_options_free(&r->options);
    assert_int_equal(atomic_load(&fake.open), 0);
}

static int setup(void **state)
{
    struct registry *r = sc_new(struct registry);
    snprintf(r->dir, sizeof(r->dir), "%s/saccade-models-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->built_in, sizeof(r->built_in), "%s/share", r->dir);
    fake_init(&fake);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct registry *r = *state;
    shell("rm -rf %s", r->dir);
    free(r);
    return 0;
}

static void put(struct registry *r, const char *file, const char *text)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/models", r->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/models/%s", r->dir, file);
    write_bytes(path, text, strlen(text));
}

static bool exists(struct registry *r, const char *file)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/models/%s", r->dir, file);
    return !access(path, F_OK);
}

static int files(struct registry *r)
{
    char path[300], last[600];
    snprintf(path, sizeof(path), "%s/models", r->dir);
    return walk(path, last);
}

// Until what was given for this name is loaded or has failed.
static enum sc_model_state settle(struct registry *r, const char *name, char reason[400])
{
    for (;;) {
        struct sc_model_status status;
        assert_int_equal(sc_models_get(r->models, name, &status), 0);
        sc_model_status_release(&status);
        if (reason)
            memcpy(reason, status.reason, 400);
        if (status.state != SC_MODEL_LOADING)
            return status.state;
        usleep(1000);
    }
}

static int try_upload(struct registry *r, const char *text,
                      const struct sc_model_upload_params *params, sc_err *err)
{
    sc_model_upload *up;
    int ret = sc_model_upload_open(&up, r->models, (int64_t)strlen(text), err);
    if (!ret)
        ret = sc_model_upload_write(up, text, strlen(text), err);
    if (!ret)
        return sc_model_upload_finish(&up, params, err);
    sc_model_upload_abort(&up);
    return ret;
}

static void upload_model(struct registry *r, const char *name, const char *text)
{
    sc_err err = {0};
    int ret = try_upload(r, text, &(struct sc_model_upload_params){.name = name}, &err);
    if (ret)
        fail_msg("%s", sc_err_text(&err, ret));
}

static sc_instance *acquire(struct registry *r, const char *name)
{
    sc_instance *instance;
    sc_err err = {0};
    int ret = sc_models_acquire(r->models, name, &instance, &err);
    if (ret)
        fail_msg("%s", sc_err_text(&err, ret));
    return instance;
}

// --- where models come from ---------------------------------------------------------------

static void folder_and_options(void **state)
{
    struct registry *r = *state;
    struct sc_model_status list[SC_MODELS_MAX];
    char settings[600];
    put(r, "b.onnx", "good 1");
    put(r, "a.onnx", "good 1");
    put(r, "a.labels", "x\ny\n");
    put(r, "a.json",
        "{\"threshold\": 0.25, \"size\": 320, \"name\": \"a\", \"url\": \"u\", "
        "\"sha256\": \"0\", \"bytes\": 6, \"licence\": \"MIT\", \"fetched\": \"now\"}");
    put(r, "notes.txt", "none");
    put(r, ".upload-left", "of a crash");
    put(r, "own", "good 0");
    snprintf(settings, sizeof(settings), "models-load=own=%s/models/own,gone=/nowhere", r->dir);
    open_registry(r, settings);
    assert_int_equal(settle(r, "a", NULL), SC_MODEL_READY);
    assert_int_equal(settle(r, "b", NULL), SC_MODEL_READY);
    assert_int_equal(settle(r, "own", NULL), SC_MODEL_READY);
    assert_int_equal(settle(r, "gone", NULL), SC_MODEL_FAILED);
    assert_int_equal(sc_models_list(r->models, list, SC_MODELS_MAX), 4);
    assert_string_equal(list[0].name, "a");
    assert_string_equal(list[0].origin, "folder");
    assert_string_equal(list[3].origin, "option");
    assert_true(list[3].is_default); // options come first, and it answers
    const struct sc_instance_info *info = sc_instance_get_info(list[0].instance);
    assert_float_equal(info->threshold, 0.25, 1e-9);
    assert_string_equal(info->labels[1], "dog");
    assert_string_equal(sc_instance_provider(list[0].instance), "cpu");
    assert_string_equal(info->reason, "a fake");
    for (int i = 0; i < 4; i++)
        sc_model_status_release(&list[i]);
    assert_false(exists(r, ".upload-left"));
    close_registry(r);
}

// The program's own model costs nothing until somebody asks for models.
static void built_in_waits(void **state)
{
    struct registry *r = *state;
    struct sc_model_status list[SC_MODELS_MAX];
    shell("mkdir %s/share; echo good 1 > %s/share/pitch.onnx", r->dir, r->dir);
    open_registry(r, "");
    usleep(30000);
    assert_int_equal(atomic_load(&fake.loads), 0);
    assert_int_equal(sc_models_list(r->models, list, SC_MODELS_MAX), 1);
    assert_int_equal(list[0].state, SC_MODEL_LOADING);
    assert_string_equal(list[0].origin, "built-in");
    sc_model_status_release(&list[0]);
    assert_int_equal(settle(r, "pitch", NULL), SC_MODEL_READY);
    close_registry(r);
    open_registry(r, "model=pitch"); // unless it is the default by name
    while (!atomic_load(&fake.open))
        usleep(1000);
    close_registry(r);
    open_registry(r, ""); // and closing before anybody asked
    close_registry(r);
}

static void default_by_path_and_name(void **state)
{
    struct registry *r = *state;
    char settings[300];
    put(r, "a.onnx", "good 0");
    shell("mkdir %s/else; echo good 1 > %s/else/mine.onnx", r->dir, r->dir);
    snprintf(settings, sizeof(settings), "model=%s/else/mine.onnx", r->dir);
    open_registry(r, settings);
    settle(r, "mine", NULL);
    sc_instance *instance = acquire(r, NULL);
    assert_string_equal(sc_instance_get_info(instance)->name, "mine");
    sc_instance_unref(&instance);
    close_registry(r);
    open_registry(r, "model=none");
    settle(r, "a", NULL);
    sc_err err = {0};
    assert_int_equal(sc_models_acquire(r->models, "", &instance, &err), SC_ENOTFOUND);
    assert_non_null(strstr(err.text, "ready: a"));
    close_registry(r);
}

static void bad_options_are_refused(void **state)
{
    struct registry *r = *state;
    static const char *const bad[] = {"models-load=x", "models-load=../x=/a", "models-load==/a",
                                      "model=/a/.onnx"};
    for (size_t i = 0; i < SC_COUNT(bad); i++) {
        sc_err err = {0};
        assert_int_equal(try_open(r, bad[i], &err), SC_EARG);
        assert_true(err.field[0]);
        sc_options_free(&r->options);
    }
}

static void no_model_and_no_runtime(void **state)
{
    struct registry *r = *state;
    sc_instance *instance;
    sc_err err = {0};
    open_registry(r, "");
    assert_int_equal(sc_models_acquire(r->models, NULL, &instance, &err), SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "--model"));
    fake.start_ret = SC_ENOTFOUND;
    upload_model(r, "m", "good 0");
    assert_int_equal(settle(r, "m", NULL), SC_MODEL_FAILED);
    err = (sc_err){0};
    assert_int_equal(sc_models_acquire(r->models, NULL, &instance, &err), SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "install the runtime"));
    fake.start_ret = 0; // it was installed meanwhile
    upload_model(r, "m", "good 0");
    assert_int_equal(settle(r, "m", NULL), SC_MODEL_READY);
    close_registry(r);
}

// --- uploads ------------------------------------------------------------------------------

static void upload_is_kept(void **state)
{
    struct registry *r = *state;
    sc_err err = {0};
    open_registry(r, "");
    struct sc_model_upload_params params = {
        .name = "m", .labels = "x\ny\n", .threshold = 0.4, .size = 320};
    assert_int_equal(try_upload(r, "good 1", &params, &err), 0);
    assert_int_equal(settle(r, "m", NULL), SC_MODEL_READY);
    sc_instance *instance = acquire(r, "m");
    uint64_t hash = sc_instance_get_info(instance)->hash;
    sc_instance_unref(&instance);
    close_registry(r);
    open_registry(r, "");
    assert_int_equal(settle(r, "m", NULL), SC_MODEL_READY);
    instance = acquire(r, "m");
    assert_float_equal(sc_instance_get_info(instance)->threshold, 0.4, 1e-9);
    assert_true(sc_instance_get_info(instance)->hash == hash); // ETags stay good
    sc_instance_unref(&instance);
    assert_int_equal(sc_models_delete(r->models, "m"), 0);
    assert_int_equal(sc_models_delete(r->models, "m"), SC_ENOTFOUND);
    assert_int_equal(files(r), 0);
    close_registry(r);
}

static void garbage_fails_and_goes(void **state)
{
    struct registry *r = *state;
    char reason[400];
    sc_instance *instance;
    sc_err err = {0};
    open_registry(r, "");
    upload_model(r, "m", "garbage");
    assert_int_equal(settle(r, "m", reason), SC_MODEL_FAILED);
    assert_string_equal(reason, "this is no model");
    assert_int_equal(files(r), 0);
    assert_int_equal(sc_models_acquire(r->models, "m", &instance, &err), SC_EDATA);
    assert_non_null(strstr(err.text, "this is no model"));
    assert_string_equal(err.field, "model");
    close_registry(r);
}

static void bad_uploads_leave_nothing(void **state)
{
    struct registry *r = *state;
    static const struct sc_model_upload_params bad[] = {
        {.name = NULL},
        {.name = "../x"},
        {.name = ".hidden"},
        {.name = "a/b"},
        {.name = ""},
        {.name = "m", .threshold = 1.5},
        {.name = "m", .size = 7},
        {.name = "m", .size = 99999},
        {.name = "m", .threshold = -1},
    };
    sc_err err;
    open_registry(r, "models-max-upload=10");
    for (size_t i = 0; i < SC_COUNT(bad); i++) {
        err = (sc_err){0};
        assert_int_equal(try_upload(r, "good 0", &bad[i], &err), SC_EARG);
        assert_true(err.field[0]);
    }
    err = (sc_err){0};
    struct sc_model_upload_params params = {.name = "m"};
    assert_int_equal(try_upload(r, "", &params, &err), SC_EDATA);
    assert_int_equal(try_upload(r, "good 0 but long", &params, NULL), SC_ELIMIT);
    assert_int_equal(files(r), 0);
    struct sc_model_status status;
    assert_int_equal(sc_models_get(r->models, "m", &status), SC_ENOTFOUND);
    close_registry(r);
}

static void budget(void **state)
{
    struct registry *r = *state;
    sc_err err = {0};
    struct sc_model_upload_params params = {.name = "c"};
    open_registry(r, "models-memory=14");
    upload_model(r, "a", "good 0");
    upload_model(r, "b", "good 1");
    assert_int_equal(settle(r, "b", NULL), SC_MODEL_READY);
    assert_int_equal(try_upload(r, "good 1", &params, &err), SC_ENOSPACE);
    assert_non_null(strstr(err.text, "models-memory"));
    assert_int_equal(sc_models_delete(r->models, "a"), 0);
    for (int i = 0; atomic_load(&fake.open) > 1 && i < 1000; i++)
        usleep(1000); // the loader lets go of it
    struct sc_models_stats stats;
    do {
        sc_models_get_stats(r->models, &stats);
    } while (stats.bytes > 6);
    assert_int_equal(try_upload(r, "good 1", &params, NULL), 0);
    assert_int_equal(settle(r, "c", NULL), SC_MODEL_READY);
    upload_model(r, "d", "x");
    assert_int_equal(settle(r, "d", NULL), SC_MODEL_FAILED);
    sc_models_get_stats(r->models, &stats);
    assert_int_equal(stats.bytes, 12); // what failed holds nothing
    assert_int_equal(stats.ready, 2);
    close_registry(r);
}

// --- replacement --------------------------------------------------------------------------

static void replacement(void **state)
{
    struct registry *r = *state;
    char reason[400];
    open_registry(r, "");
    upload_model(r, "m", "good 0");
    settle(r, "m", NULL);
    sc_instance *old = acquire(r, "m");
    fake.load_ns = 50000000;
    upload_model(r, "m", "good 1");
    sc_instance *meanwhile = acquire(r, "m"); // the old one answers
    assert_ptr_equal(meanwhile, old);
    assert_int_equal(settle(r, "m", NULL), SC_MODEL_READY);
    sc_instance *new = acquire(r, "m");
    assert_ptr_not_equal(new, old);
    assert_true(sc_instance_get_info(new)->generation > sc_instance_get_info(old)->generation);
    assert_true(sc_instance_get_info(new)->hash != sc_instance_get_info(old)->hash);
    assert_int_equal(atomic_load(&fake.open), 2);
    sc_instance_unref(&old);
    sc_instance_unref(&meanwhile);
    upload_model(r, "m", "bad");
    assert_int_equal(settle(r, "m", reason), SC_MODEL_FAILED);
    assert_string_equal(reason, "this is no model");
    sc_instance *still = acquire(r, "m");
    assert_ptr_equal(still, new);
    assert_true(exists(r, "m.onnx"));
    sc_instance_unref(&still);
    sc_instance_unref(&new);
    close_registry(r);
    open_registry(r, ""); // and the good one is what was kept
    assert_int_equal(settle(r, "m", NULL), SC_MODEL_READY);
    close_registry(r);
}

static void deleted_while_loading(void **state)
{
    struct registry *r = *state;
    open_registry(r, "");
    fake.load_ns = 50000000;
    upload_model(r, "m", "good 0");
    while (!atomic_load(&fake.loads))
        usleep(1000);
    assert_int_equal(sc_models_delete(r->models, "m"), 0);
    fake.load_ns = 0;
    upload_model(r, "other", "good 0"); // after the first
    settle(r, "other", NULL);
    assert_int_equal(files(r), 1);
    struct sc_model_status status;
    assert_int_equal(sc_models_get(r->models, "m", &status), SC_ENOTFOUND);
    close_registry(r);
}

static void closing_drops_what_waits(void **state)
{
    struct registry *r = *state;
    open_registry(r, "");
    fake.load_ns = 30000000;
    upload_model(r, "a", "good 0");
    upload_model(r, "b", "good 0");
    upload_model(r, "c", "good 0");
    close_registry(r);
    assert_true(files(r) <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folder_and_options, setup, teardown),
        cmocka_unit_test_setup_teardown(built_in_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(default_by_path_and_name, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_options_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(no_model_and_no_runtime, setup, teardown),
        cmocka_unit_test_setup_teardown(upload_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_fails_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_uploads_leave_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(budget, setup, teardown),
        cmocka_unit_test_setup_teardown(replacement, setup, teardown),
        cmocka_unit_test_setup_teardown(deleted_while_loading, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_drops_what_waits, setup, teardown),
    };
    return cmocka_run_group_tests_name("app/models", tests, NULL, NULL);
}
