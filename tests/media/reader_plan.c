// What is spared on the way to a frame: pictures of real x264 streams against their own linear
// decode, however the frame is reached.
#include "media/reader.h"

#include <stdlib.h>

#include "clips.h"

#define FRAMES 90

struct linear {
    uint64_t hash[FRAMES];
    int count;
};

static int keep_hash(void *arg, sc_frame *frame)
{
    struct linear *linear = arg;
    linear->hash[linear->count++] = sc_frame_hash(frame->av);
    return 0;
}

struct bed {
    sc_reader_engine *engine;
    sc_reader *reader;
    sc_index *index;
    char path[128];
    struct linear linear;
};

static void open_reader(struct bed *bed)
{
    bed->engine = sc_reader_engine_open(&(struct sc_reader_engine_params){
        .threads = 2, .frame_cache_bytes = 1, .no_prefetch = true});
    assert_non_null(bed->engine);
    bed->reader = sc_reader_open(bed->engine, bed->index, bed->path);
}

static struct sc_reader_stats close_reader(struct bed *bed)
{
    struct sc_reader_stats stats;
    sc_reader_close(&bed->reader);
    sc_reader_engine_get_stats(bed->engine, &stats);
    sc_reader_engine_close(&bed->engine);
    return stats;
}

static void expect_frame(struct bed *bed, int64_t n)
{
    sc_frame *frame = NULL;
    sc_err err = {0};
    if (sc_reader_get_sync(bed->reader, n, 0, &frame, &err) < 0)
        fail_msg("%s: frame %lld: %s", bed->path, (long long)n, err.text);
    if (sc_frame_hash(frame->av) != bed->linear.hash[n])
        fail_msg("%s: frame %lld is another picture", bed->path, (long long)n);
    sc_frame_unref(&frame);
}

static void prepare(void **state, struct bed *bed, const char *options, const char *name)
{
    char clip[128];
    scene_clip(state, "plan.mp4", FRAMES, 30, 2, clip);
    *bed = (struct bed){.index = build_index(recode(state, clip, options, name, bed->path))};
    snprintf(bed->path, sizeof(bed->path), "%s", folder_file(state, name, (char[128]){0}));
    assert_int_equal(sc_index_get_info(bed->index)->frames, FRAMES);
    open_reader(bed);
    assert_true(sc_reader_each(bed->reader, 0, FRAMES, NULL, keep_hash, &bed->linear) >= 0);
    assert_int_equal(bed->linear.count, FRAMES);
    close_reader(bed);
}

// Every frame by a reader that has seen nothing. Gives how many pictures were spared in all.
static uint64_t each_alone(struct bed *bed)
{
    uint64_t spared = 0;
    for (int64_t n = 0; n < FRAMES; n++) {
        open_reader(bed);
        expect_frame(bed, n);
        struct sc_reader_stats stats = close_reader(bed);
        assert_int_equal(stats.fallbacks, 0); // no complaint: stand-ins and fillers decode well
        spared += stats.spared;
    }
    return spared;
}

// Jumps, then steps on and back, with one live decoder after another.
static void jump_and_step(struct bed *bed)
{
    unsigned seed = 3;
    open_reader(bed);
    for (int i = 0; i < 60; i++) {
        int64_t n = rand_r(&seed) % FRAMES, step = i % 3 - 1;
        for (int k = 0; k < 4 && n >= 0 && n < FRAMES; k++, n += step)
            expect_frame(bed, n);
    }
    assert_int_equal(close_reader(bed).fallbacks, 0);
}

static void check(void **state, const char *options, const char *name, bool spares)
{
    struct bed bed;
    prepare(state, &bed, options, name);
    uint64_t spared = each_alone(&bed);
    if (spares != (spared > 0))
        fail_msg("%s: %d pictures spared", name, (int)spared);
    jump_and_step(&bed);
    sc_index_unref(&bed.index);
}

static void pyramids(void **state)
{
    check(state, "-c:v libx264 -preset veryfast -g 60 -bf 3 -x264-params ref=1:b-adapt=0",
          "p-one.mp4", true);
    check(state,
          "-c:v libx264 -preset veryfast -g 250 -bf 7 -x264-params b-adapt=0:b-pyramid=strict",
          "p-strict.mp4", true);
    check(state,
          "-c:v libx264 -preset veryfast -g 60 -bf 3 -x264-params ref=1:b-adapt=0:slices=4",
          "p-slices.mp4", true);
}

static void other_formats(void **state)
{
    check(state,
          "-c:v libx264 -preset veryfast -pix_fmt yuv420p10le -g 60 -bf 3 -x264-params "
          "ref=1:b-adapt=0",
          "p-ten.mp4", true);
    check(state,
          "-c:v libx264 -preset veryfast -pix_fmt yuv422p -g 60 -bf 3 -x264-params "
          "ref=1:b-adapt=0",
          "p-422.mp4", true);
    check(state,
          "-c:v libx264 -preset veryfast -pix_fmt yuv444p -g 60 -bf 3 -x264-params "
          "ref=1:b-adapt=0",
          "p-444.mp4",
          true); // counted, yet sent as they are: there is no grey picture of 4:4:4
}

static void others(void **state)
{
    check(state, "-c:v libx264 -preset veryfast -g 60 -bf 0", "p-none.mp4", false);
    check(state,
          "-c:v libx264 -preset veryfast -g 20 -bf 3 -x264-params "
          "open-gop=1:scenecut=0:b-adapt=0",
          "p-open.mp4", true);
    check(state, "-c:v libx264 -flags +ilme+ildct -g 60 -bf 3", "p-mbaff.mp4", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pyramids),
        cmocka_unit_test(other_formats),
        cmocka_unit_test(others),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
