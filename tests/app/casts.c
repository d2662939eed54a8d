// HLS of running streams from memory: what there is, what is held until it is there, and when it ends.
#include "app/casts.h"

#include "fixture.h"

#include "base/clock.h"

struct rig {
    struct fixture *fx;
    sc_options *options;
    sc_rows *rows;
    sc_metrics *metrics;
    sc_models *models;
    struct sc_streams_settings settings;
    char no_files[1];
    sc_streams *streams;
    sc_casts *casts;
};

static int setup(void **state)
{
    static const sc_option_group *const groups[] = {&sc_models_options, NULL};
    static const struct sc_live_rung rung = {.codec = SC_LIVE_H264, .height = 96};
    struct rig *rig = sc_new(struct rig);
    void *fx;
    fixture_setup(&fx);
    rig->fx = fx;
    app_fresh(rig->fx, "data", "prefetch=false");
    rig->options = sc_options_new(groups);
    rig->metrics = sc_metrics_new();
    assert_int_equal(
        sc_rows_open(&rig->rows, &(struct sc_rows_params){.backend = "memory"}, NULL), 0);
    assert_int_equal(
        sc_models_open(&rig->models,
                       &(struct sc_models_params){
                           .settings = sc_options_get(rig->options, &sc_models_options),
                           .data_dir = rig->fx->root,
                           .built_in = "/nowhere",
                           .metrics = rig->metrics},
                       NULL),
        0);
    rig->settings = (struct sc_streams_settings){.max = 4, .files = rig->no_files};
    assert_int_equal(sc_streams_open(&rig->streams,
                                     &(struct sc_streams_params){.settings = &rig->settings,
                                                                 .ops = &sc_live_real,
                                                                 .log = rig->fx->log,
                                                                 .metrics = rig->metrics,
                                                                 .rows = rig->rows,
                                                                 .models = rig->models,
                                                                 .videos = rig->fx->videos,
                                                                 .rungs = &rung,
                                                                 .rung_count = 1},
                                     NULL),
                     0);
    assert_int_equal(sc_casts_open(&rig->casts,
                                   &(struct sc_casts_params){.streams = rig->streams,
                                                             .log = rig->fx->log,
                                                             .linger_ns = SC_NS_PER_S,
                                                             .hold_ns = 5 * SC_NS_PER_S},
                                   NULL),
                     0);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    sc_casts_close(&rig->casts);
    sc_streams_stop(rig->streams);
    sc_streams_close(&rig->streams);
    sc_models_close(&rig->models);
    sc_options_free(&rig->options);
    sc_rows_close(&rig->rows);
    sc_metrics_free(&rig->metrics);
    app_close(rig->fx);
    void *fx = rig->fx;
    fixture_teardown(&fx);
    free(rig);
    return 0;
}

static void add(struct rig *rig, const char *id)
{
    char made[65];
    sc_err err = {0};
    json_t *spec = json_pack("{s:s, s:s, s:b}", "id", id, "input",
                             "testsrc:size=160x96,rate=25", "realtime", true);
    if (sc_streams_add(rig->streams, spec, made, &err))
        fail_msg("%s", err.text);
    json_decref(spec);
}

// --- asking -----------------------------------------------------------------------------------

struct answer {
    pthread_mutex_t lock;
    pthread_cond_t done;
    int count, ret;
    char text[100000]; // of the file, as far as it fits
    size_t size;
};

static void take(void *arg, int ret, sc_buf *body, const sc_err *err)
{
    struct answer *a = arg;
    (void)err;
    pthread_mutex_lock(&a->lock);
    a->count++;
    a->ret = ret;
    a->size = body ? body->size : 0;
    snprintf(a->text, sizeof(a->text), "%.*s", (int)a->size, body ? (char *)body->data : "");
    pthread_cond_signal(&a->done);
    pthread_mutex_unlock(&a->lock);
}

static struct answer *ask(struct rig *rig, const char *id, const char *file, int64_t segment,
                          int64_t part)
{
    struct answer *a = sc_new(struct answer);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->done, NULL);
    const struct sc_casts_query query = {id, file, segment, part};
    sc_casts_get(rig->casts, &query, take, a);
    return a;
}

static struct answer *await(struct answer *a)
{
    pthread_mutex_lock(&a->lock);
    while (!a->count)
        pthread_cond_wait(&a->done, &a->lock);
    assert_int_equal(a->count, 1);
    pthread_mutex_unlock(&a->lock);
    return a;
}

static int result(struct answer *a)
{
    int ret = await(a)->ret;
    free(a);
    return ret;
}

// The name after the last `before` in a playlist, up to one of `ends`.
static void find_name(const char *list, const char *before, const char *ends, char name[64])
{
    const char *at = NULL;
    for (const char *p = list; (p = strstr(p, before)); p += strlen(before))
        at = p + strlen(before);
    assert_non_null(at);
    snprintf(name, 64, "%.*s", (int)strcspn(at, ends), at);
}

static int number_of(const char *name, int *part)
{
    int segment = -1;
    *part = -1;
    assert_true(sscanf(strrchr(name, '-'), "-%d.%d", &segment, part) >= 1);
    return segment;
}

// --- tests ------------------------------------------------------------------------------------

static void what_is_not_there_is_not_found(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(result(ask(rig, "nobody", "index.m3u8", -1, -1)), SC_ENOTFOUND);
    add(rig, "a");
    assert_int_equal(result(ask(rig, "a", "index-0-init.mp4", -1, -1)), SC_ENOTFOUND);
    free(await(ask(rig, "a", "index.m3u8", -1, -1)));
    assert_int_equal(result(ask(rig, "a", "../../etc/passwd", -1, -1)), SC_ENOTFOUND);
    assert_int_equal(result(ask(rig, "a", "index-0-00099.7.m4s", -1, -1)), SC_ENOTFOUND);
    char name[300];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(result(ask(rig, "a", name, -1, -1)), SC_ENOTFOUND);
    assert_int_equal(result(ask(rig, "a", "index.m3u8", 1000, -1)), SC_EARG);
}

static void what_comes_is_waited_for(void **state)
{
    struct rig *rig = *state;
    char name[64], hint[64];
    int part, segment;
    add(rig, "a");
    struct answer *list = await(ask(rig, "a", "index.m3u8", -1, -1)); // waits for a segment
    assert_int_equal(list->ret, 0);
    assert_non_null(strstr(list->text, "CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK="));
    find_name(list->text, "#EXT-X-MAP:URI=\"", "\"", name);
    assert_int_equal(result(ask(rig, "a", name, -1, -1)), 0);
    find_name(list->text, "#EXTINF:", "\n", name);
    assert_true(atof(name) > 0.8 && atof(name) < 3); // a busy machine leaves pictures out
    for (int n = 0; n < 6; n++) {
        find_name(list->text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"", "\"", hint);
        segment = number_of(hint, &part);
        struct answer *file = ask(rig, "a", hint, -1, -1);
        struct answer *next = ask(rig, "a", "index.m3u8", segment, part);
        assert_int_equal(await(file)->ret, 0);
        assert_true(file->size > 100);
        assert_int_equal(await(next)->ret, 0);
        assert_non_null(strstr(next->text, hint));
        find_name(next->text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"", "\"", name);
        assert_string_not_equal(name, hint); // it is a part now
        free(file);
        free(list);
        list = next;
    }
    free(list);
}

static void nobody_asks_and_it_ends(void **state)
{
    struct rig *rig = *state;
    struct sc_live_rung_figures rung;
    char name[64];
    add(rig, "a");
    struct answer *list = await(ask(rig, "a", "index.m3u8", -1, -1));
    find_name(list->text, "#EXT-X-MAP:URI=\"", "\"", name);
    free(list);
    assert_int_equal(sc_streams_get_rungs(rig->streams, "a", &rung, 1), 1);
    assert_int_equal(rung.taps, 1);
    for (int i = 0; i < 500 && rung.taps; i++) {
        sc_clock_sleep(10 * SC_NS_PER_MS);
        sc_streams_get_rungs(rig->streams, "a", &rung, 1);
    }
    assert_int_equal(rung.taps, 0);
    assert_int_equal(result(ask(rig, "a", name, -1, -1)), SC_ENOTFOUND);
}

static void the_end_of_the_stream_ends_the_playlist(void **state)
{
    struct rig *rig = *state;
    add(rig, "a");
    free(await(ask(rig, "a", "index.m3u8", -1, -1)));
    struct answer *held = ask(rig, "a", "index.m3u8", 2, -1);
    assert_int_equal(sc_streams_delete(rig->streams, "a"), 0);
    assert_int_equal(await(held)->ret, 0);
    assert_non_null(strstr(held->text, "#EXT-X-ENDLIST"));
    free(held);
    assert_int_equal(result(ask(rig, "a", "index.m3u8", -1, -1)), SC_ENOTFOUND);
}

static void stopping_answers_all(void **state)
{
    struct rig *rig = *state;
    struct answer *held[20];
    add(rig, "a");
    for (int i = 0; i < 20; i++)
        held[i] = ask(rig, "a", "index.m3u8", i % 2, -1);
    sc_casts_stop(rig->casts);
    for (int i = 0; i < 20; i++)
        result(held[i]);
    assert_int_equal(result(ask(rig, "a", "index.m3u8", -1, -1)), SC_ECANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_there_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_comes_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_asks_and_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_the_stream_ends_the_playlist, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(stopping_answers_all, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
