// The reader: any frame by number, from many threads, decoded once, within its budgets.
#include "media/reader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "clips.h"
#include "media/scene.h"

#define FRAME_BYTES (160 * 128 * 3 / 2)

static sc_reader_engine *open_engine(int cached_frames, bool prefetch)
{
    sc_reader_engine *engine = sc_reader_engine_open(&(struct sc_reader_engine_params){
        .threads = 2,
        .frame_cache_bytes = (size_t)cached_frames * FRAME_BYTES * 5 / 4,
        .no_prefetch = !prefetch});
    assert_non_null(engine);
    return engine;
}

static struct sc_reader_stats stats_of(sc_reader_engine *engine)
{
    struct sc_reader_stats stats;
    sc_reader_engine_get_stats(engine, &stats);
    return stats;
}

static void expect_frame(sc_reader *reader, int64_t n)
{
    sc_frame *frame;
    sc_err err = {0};
    if (sc_reader_get_sync(reader, n, 0, &frame, &err) < 0)
        fail_msg("frame %lld: %s", (long long)n, err.text);
    assert_int_equal(frame->n, n);
    assert_int_equal(sc_scene_read_stamp(frame->av), n);
    sc_frame_unref(&frame);
}

// --- the right frame ------------------------------------------------------------------------------

// Frames of every kind of file, in random order, with a cache of a few frames.
static void random_order(void **state)
{
    static const char *const options[] = {
        "-c copy",
        "-c copy",
        "-c:v libx264 -bf 3 -g 12 -x264-params open-gop=1:b-adapt=0:scenecut=0",
        "-c:v libx264 -g 25 -x264-params intra-refresh=1:bframes=0:keyint=25",
        "-c:v libx265 -bf 3 -g 12 -x265-params open-gop=1:log-level=none:pools=1",
        "-c:v mpeg2video -bf 2 -g 12 -q:v 2",
        "-c:v mpeg4 -bf 2 -g 12 -q:v 2",
        "-c:v libvpx-vp9 -g 12 -deadline realtime -cpu-used 8",
        "-c:v mjpeg -q:v 2"};
    static const char *const names[] = {"r.ts",          "r.mkv",    "r-open.mp4",
                                        "r-refresh.mp4", "r265.mp4", "r2.ts",
                                        "r4.avi",        "r9.webm",  "r.mov"};
    char clip[128], path[128];
    sc_reader_engine *engine = open_engine(6, false);
    scene_clip(state, "clip.mp4", 60, 12, 2, clip);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        unsigned seed = (unsigned)i;
        sc_index *ix = build_index(recode(state, clip, options[i], names[i], path));
        sc_reader *reader = sc_reader_open(engine, ix, path);
        assert_int_equal(sc_index_get_info(ix)->frames, 60);
        sc_index_unref(&ix);
        for (int k = 0; k < 50; k++)
            expect_frame(reader, rand_r(&seed) % 60);
        expect_frame(reader, 59);
        expect_frame(reader, 0);
        sc_reader_close(&reader);
        assert_null(reader);
    }
    assert_true(stats_of(engine).cache_bytes == 0); // closed readers keep nothing
    sc_reader_engine_close(&engine);
    assert_null(engine);
}

static void numbers_outside_the_video(void **state)
{
    char clip[128];
    sc_reader_engine *engine = open_engine(6, true);
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 60, 12, 2, clip));
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    sc_frame *frame;
    static const int64_t bad[] = {-1, 60, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++) {
        sc_err err = {0};
        assert_int_equal(sc_reader_get_sync(reader, bad[i], 0, &frame, &err), SC_ERANGE);
        assert_null(frame);
    }
    sc_reader_close(&reader);
    sc_index_unref(&ix);
    sc_reader_engine_close(&engine);
}

// --- many at once ---------------------------------------------------------------------------------

struct waiting {
    atomic_int done, good, cancelled, others;
};

static void arrive(void *arg, int ret, sc_frame *frame, const sc_err *err)
{
    struct waiting *w = arg;
    (void)err;
    if (ret == SC_OK && frame && sc_scene_read_stamp(frame->av) == frame->n)
        atomic_fetch_add(&w->good, 1);
    else
        atomic_fetch_add(ret == SC_ECANCELLED && !frame ? &w->cancelled : &w->others, 1);
    sc_frame_unref(&frame);
    atomic_fetch_add(&w->done, 1);
}

static void wait_for(struct waiting *w, int count)
{
    int64_t until = sc_clock_now() + 60 * SC_NS_PER_S;
    while (atomic_load(&w->done) < count && sc_clock_now() < until)
        usleep(1000);
    assert_int_equal(atomic_load(&w->done), count);
}

static void equal_requests_are_decoded_once(void **state)
{
    char clip[128];
    struct waiting w = {0};
    sc_reader_engine *engine = open_engine(100, false);
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 60, 12, 0, clip));
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    for (int i = 0; i < 100; i++)
        assert_int_equal(sc_reader_get(reader, 11, 0, arrive, &w), SC_OK);
    wait_for(&w, 100);
    assert_int_equal(w.good, 100);
    struct sc_reader_stats stats = stats_of(engine);
    assert_in_range(stats.decoded, 12, 12 + 4); // and what was inside the decoder besides
    assert_int_equal(sc_reader_get(reader, 11, 0, arrive, &w), SC_OK);
    assert_int_equal(w.done, 101); // a hit arrives at once
    sc_frame *frame = sc_reader_peek(reader, 11);
    assert_non_null(frame);
    sc_frame_unref(&frame);
    assert_true(sc_reader_cached(reader, 11));
    assert_null(sc_reader_peek(reader, 12));
    sc_reader_close(&reader);
    sc_index_unref(&ix);
    sc_reader_engine_close(&engine);
}

static void requests_of_a_gop_are_decoded_once(void **state)
{
    char clip[128];
    struct waiting w = {0};
    sc_reader_engine *engine = open_engine(400, false);
    sc_index *ix = build_index(scene_clip(state, "long.mp4", 250, 250, 2, clip));
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    for (int k = 0; k < 250; k++) // 37 is prime to 250: every frame, in disorder
        assert_int_equal(sc_reader_get(reader, k * 37 % 250, 0, arrive, &w), SC_OK);
    wait_for(&w, 250);
    assert_int_equal(w.good, 250);
    struct sc_reader_stats stats = stats_of(engine);
    assert_in_range(stats.decoded, 250, 4 * 250); // passes begin while requests still come
    assert_true(stats.merged > 0);
    sc_reader_close(&reader);
    sc_index_unref(&ix);
    sc_reader_engine_close(&engine);
}

static void the_cache_keeps_its_budget(void **state)
{
    char clip[128];
    sc_reader_engine *engine = open_engine(10, true);
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 60, 12, 2, clip));
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    for (int64_t n = 0; n < 60; n++) {
        expect_frame(reader, n * 7 % 60);
        struct sc_reader_stats stats = stats_of(engine);
        assert_true(stats.cache_bytes <= (size_t)10 * FRAME_BYTES * 5 / 4);
        assert_true(stats.cache_items <= 13);
        assert_true(stats.decoders <= 6 + 2);
    }
    sc_reader_close(&reader);
    sc_index_unref(&ix);
    sc_reader_engine_close(&engine);
}

static void too_many_requests_are_refused(void **state)
{
    char clip[128];
    struct waiting w = {0};
    int accepted = 0, busy = 0;
    sc_reader_engine *engine = sc_reader_engine_open(
        &(struct sc_reader_engine_params){.threads = 1, .max_pending = 4, .no_prefetch = true});
    sc_index *ix = build_index(scene_clip(state, "long.mp4", 250, 250, 2, clip));
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    for (int i = 0; i < 50; i++) {
        int ret = sc_reader_get(reader, 249 - i, 0, arrive, &w);
        accepted += ret == SC_OK;
        busy += ret == SC_EBUSY;
    }
    assert_int_equal(accepted + busy, 50);
    assert_true(accepted >= 4 && busy > 0);
    wait_for(&w, accepted);
    usleep(20000);
    assert_int_equal(w.done, accepted); // and none of those that were refused
    assert_int_equal(w.good, accepted);
    sc_reader_close(&reader);
    sc_index_unref(&ix);
    sc_reader_engine_close(&engine);
}

static void closing_completes_everything_once(void **state)
{
    char clip[128], clip2[128];
    sc_reader_engine *engine = open_engine(20, true);
    sc_index *ix = build_index(scene_clip(state, "long.mp4", 250, 250, 2, clip));
    sc_index *other = build_index(scene_clip(state, "clip.mp4", 60, 12, 2, clip2));
    sc_reader *stays = sc_reader_open(engine, other, clip2);
    int cancelled = 0;
    for (int round = 0; round < 12; round++) {
        struct waiting w = {0}, w2 = {0};
        sc_reader *reader = sc_reader_open(engine, ix, clip);
        for (int k = 0; k < 100; k++) {
            int flags = k % 3 ? 0 : SC_READ_BACKGROUND;
            assert_int_equal(sc_reader_get(reader, k * 5 % 250, flags, arrive, &w), SC_OK);
            if (k < 20)
                assert_int_equal(sc_reader_get(stays, k * 3, 0, arrive, &w2), SC_OK);
        }
        usleep((useconds_t)(round * 1500));
        sc_reader_close(&reader);
        assert_int_equal(w.done, 100);
        assert_int_equal(w.good + w.cancelled, 100);
        cancelled += w.cancelled;
        wait_for(&w2, 20);
        assert_int_equal(w2.good, 20);
        usleep(2000);
        assert_int_equal(w.done, 100);
    }
    assert_true(cancelled > 0);
    sc_reader_close(&stays);
    sc_reader_close(NULL);
    sc_index_unref(&ix);
    sc_index_unref(&other);
    sc_reader_engine_close(&engine);
}

// --- walking --------------------------------------------------------------------------------------

static void walking_forward_decodes_each_frame_once(void **state)
{
    char clip[128];
    sc_reader_engine *engine = open_engine(64, false);
    sc_index *ix = build_index(scene_clip(state, "long.mp4", 250, 250, 2, clip));
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    for (int64_t n = 0; n < 250; n++)
        expect_frame(reader, n);
    assert_in_range(stats_of(engine).decoded, 200, 300);
    assert_int_equal(stats_of(engine).decoders, 1);
    sc_reader_close(&reader);
    sc_index_unref(&ix);
    sc_reader_engine_close(&engine);
}

static void walking_back_is_not_quadratic(void **state)
{
    char clip[128];
    sc_reader_engine *engine = open_engine(300, false);
    sc_index *ix = build_index(scene_clip(state, "long.mp4", 250, 250, 2, clip));
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    for (int64_t n = 249; n >= 0; n--)
        expect_frame(reader, n);
    uint64_t decoded = stats_of(engine).decoded;
    sc_reader_close(&reader);
    sc_reader_engine_close(&engine);
    print_message("reverse: %d frames decoded\n", (int)decoded);
    assert_in_range(decoded, 250, 4 * 250);
    engine = open_engine(64, true);
    reader = sc_reader_open(engine, ix, clip);
    for (int64_t n = 249; n >= 0; n--)
        expect_frame(reader, n);
    decoded = stats_of(engine).decoded;
    sc_reader_close(&reader);
    sc_reader_engine_close(&engine);
    print_message("reverse, 64 cached: %d frames decoded\n", (int)decoded);
    assert_in_range(decoded, 250, 8 * 250);
    sc_index_unref(&ix);
}

static void prefetch_makes_hits(void **state)
{
    char clip[128];
    sc_reader_engine *engine = open_engine(200, true);
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 60, 12, 2, clip));
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    expect_frame(reader, 0);
    expect_frame(reader, 1);
    int64_t until = sc_clock_now() + 20 * SC_NS_PER_S;
    while (!sc_reader_cached(reader, 20) && sc_clock_now() < until)
        usleep(1000);
    uint64_t misses = stats_of(engine).misses;
    for (int64_t n = 2; n <= 20; n++)
        expect_frame(reader, n);
    assert_int_equal(stats_of(engine).misses, misses);
    sc_reader_close(&reader);
    sc_index_unref(&ix);
    sc_reader_engine_close(&engine);
}

struct order {
    int64_t next;
    int stop;
};

static int in_order(void *arg, sc_frame *frame)
{
    struct order *o = arg;
    assert_int_equal(frame->n, o->next);
    assert_int_equal(sc_scene_read_stamp(frame->av), o->next);
    return ++o->next == o->stop ? 42 : 0;
}

static void each_frame_in_order(void **state)
{
    char clip[128];
    sc_reader_engine *engine = open_engine(8, false);
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 60, 12, 2, clip));
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    struct order o = {0, 0};
    assert_int_equal(sc_reader_each(reader, 0, INT64_MAX, NULL, in_order, &o), SC_OK);
    assert_int_equal(o.next, 60);
    o = (struct order){17, 0};
    assert_int_equal(sc_reader_each(reader, 17, 41, NULL, in_order, &o), SC_OK);
    assert_int_equal(o.next, 41);
    o = (struct order){0, 5};
    assert_int_equal(sc_reader_each(reader, 0, 60, NULL, in_order, &o), 42);
    assert_int_equal(sc_reader_each(reader, 60, 70, NULL, in_order, &o), SC_ERANGE);
    assert_int_equal(sc_reader_each(reader, -1, 7, NULL, in_order, &o), SC_ERANGE);
    sc_cancel *cancel = sc_cancel_new(NULL);
    sc_cancel_request(cancel);
    assert_int_equal(sc_reader_each(reader, 0, 60, cancel, in_order, &o), SC_ECANCELLED);
    sc_cancel_free(&cancel);
    sc_reader_close(&reader);
    sc_index_unref(&ix);
    sc_reader_engine_close(&engine);
}

// --- what goes wrong ------------------------------------------------------------------------------

static void a_file_that_changed(void **state)
{
    char clip[128], path[128];
    size_t size;
    scene_clip(state, "clip.mp4", 60, 12, 2, clip);
    uint8_t *data = read_file(clip, &size);
    write_file(folder_file(state, "changing.mp4", path), data, size);
    sc_index *ix = build_index(path);
    for (size_t i = 1000; i < size; i += 50)
        data[i] ^= 0x55;
    write_file(path, data, size);
    free(data);
    sc_reader_engine *engine = open_engine(20, true);
    sc_reader *reader = sc_reader_open(engine, ix, path);
    for (int64_t n = 0; n < 60; n += 11) {
        sc_frame *frame;
        sc_err err = {0};
        assert_int_equal(sc_reader_get_sync(reader, n, 0, &frame, &err), SC_ESTALE);
        assert_null(frame);
        assert_non_null(strstr(err.text, "changed"));
    }
    unlink(path);
    sc_reader_close(&reader);
    reader = sc_reader_open(engine, ix, path);
    sc_frame *frame;
    assert_int_equal(sc_reader_get_sync(reader, 3, 0, &frame, NULL), SC_ENOTFOUND);
    sc_reader_close(&reader);
    sc_index_unref(&ix);
    sc_reader_engine_close(&engine);
}

// --- storms ---------------------------------------------------------------------------------------

struct storm {
    sc_reader *readers[2];
    atomic_bool stop;
    atomic_int wrong, served;
    atomic_uint seed;
};

static void *ask_at_random(void *arg)
{
    struct storm *s = arg;
    unsigned seed = atomic_fetch_add(&s->seed, 1);
    while (!atomic_load(&s->stop)) {
        sc_frame *frame;
        int64_t n = rand_r(&seed) % 60;
        int flags = rand_r(&seed) % 4 ? 0 : SC_READ_BACKGROUND;
        for (int step = rand_r(&seed) % 6; step >= 0; step--, n = (n + 1) % 60) {
            int ret = sc_reader_get_sync(s->readers[rand_r(&seed) % 2], n, flags, &frame, NULL);
            if (ret != SC_OK || frame->n != n || sc_scene_read_stamp(frame->av) != n)
                atomic_fetch_add(&s->wrong, 1);
            sc_frame_unref(&frame);
            atomic_fetch_add(&s->served, 1);
        }
    }
    return NULL;
}

// Sixteen threads ask two readers for anything, while indexes are exchanged.
static void storm(void **state)
{
    char clip[128], path[128];
    struct storm s = {.stop = false};
    pthread_t threads[16];
    sc_reader_engine *engine = open_engine(30, true);
    sc_index *a = build_index(scene_clip(state, "clip.mp4", 60, 12, 2, clip));
    sc_index *b = build_index(recode(state, clip, "-c copy", "r.ts", path)), *verified;
    assert_int_equal(sc_index_verify(&verified, a, clip, NULL, NULL), SC_OK);
    s.readers[0] = sc_reader_open(engine, a, clip);
    s.readers[1] = sc_reader_open(engine, b, path);
    for (int i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_at_random, &s), 0);
    for (int i = 0; i < 60; i++) {
        usleep(33000);
        sc_reader_set_index(s.readers[0], i % 2 ? a : verified);
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    print_message("storm: %d served\n", atomic_load(&s.served));
    assert_int_equal(s.wrong, 0);
    assert_true(s.served > 50);
    sc_reader_close(&s.readers[0]);
    sc_reader_close(&s.readers[1]);
    assert_int_equal(stats_of(engine).decoders, 0);
    sc_reader_engine_close(&engine);
    sc_index_unref(&a);
    sc_index_unref(&b);
    sc_index_unref(&verified);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_order),
        cmocka_unit_test(numbers_outside_the_video),
        cmocka_unit_test(equal_requests_are_decoded_once),
        cmocka_unit_test(requests_of_a_gop_are_decoded_once),
        cmocka_unit_test(the_cache_keeps_its_budget),
        cmocka_unit_test(too_many_requests_are_refused),
        cmocka_unit_test(closing_completes_everything_once),
        cmocka_unit_test(walking_forward_decodes_each_frame_once),
        cmocka_unit_test(walking_back_is_not_quadratic),
        cmocka_unit_test(prefetch_makes_hits),
        cmocka_unit_test(each_frame_in_order),
        cmocka_unit_test(a_file_that_changed),
        cmocka_unit_test(storm),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
