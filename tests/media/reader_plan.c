// What is spared on the way to a frame: pictures of real x264 streams against their own linear
// decode, however the frame is reached.
#include "media/reader.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "clips.h"
#include "media/reader_internal.h"

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

struct pair {
    const struct bed *bed;
    atomic_int good, done;
};

static void arrive(void *arg, int ret, sc_frame *frame, const sc_err *err)
{
    struct pair *pair = arg;
    (void)err;
    if (ret == SC_OK && sc_frame_hash(frame->av) == pair->bed->linear.hash[frame->n])
        atomic_fetch_add(&pair->good, 1);
    sc_frame_unref(&frame);
    atomic_fetch_add(&pair->done, 1);
}

// Two frames asked for together: what one needs is not spared for the other.
static void pairs(struct bed *bed)
{
    unsigned seed = 5;
    open_reader(bed);
    for (int i = 0; i < 30; i++) {
        struct pair pair = {.bed = bed};
        int64_t n = rand_r(&seed) % FRAMES, m = (n + 1 + rand_r(&seed) % 12) % FRAMES;
        assert_int_equal(sc_reader_get(bed->reader, n, 0, arrive, &pair), SC_OK);
        assert_int_equal(sc_reader_get(bed->reader, m, 0, arrive, &pair), SC_OK);
        int64_t until = sc_clock_now() + 60 * SC_NS_PER_S;
        while (atomic_load(&pair.done) < 2 && sc_clock_now() < until)
            usleep(200);
        assert_int_equal(pair.done, 2);
        assert_int_equal(pair.good, 2);
    }
    assert_int_equal(close_reader(bed).fallbacks, 0);
}

enum { NEVER, SOMETIMES, MAYBE }; // pictures are spared

static void check(void **state, const char *options, const char *name, int spares)
{
    struct bed bed;
    prepare(state, &bed, options, name);
    uint64_t spared = each_alone(&bed);
    if (spares != MAYBE && (spares == SOMETIMES) != (spared > 0))
        fail_msg("%s: %d pictures spared", name, (int)spared);
    jump_and_step(&bed);
    pairs(&bed);
    sc_index_unref(&bed.index);
}

static void pyramids(void **state)
{
    check(state, "-c:v libx264 -preset veryfast -g 60 -bf 3 -x264-params ref=1:b-adapt=0",
          "p-one.mp4", SOMETIMES);
    check(state,
          "-c:v libx264 -preset veryfast -g 250 -bf 7 -x264-params b-adapt=0:b-pyramid=strict",
          "p-strict.mp4", SOMETIMES);
    check(state,
          "-c:v libx264 -preset veryfast -g 60 -bf 3 -x264-params ref=1:b-adapt=0:slices=4",
          "p-slices.mp4", SOMETIMES);
}

static void other_formats(void **state)
{
    check(state,
          "-c:v libx264 -preset veryfast -pix_fmt yuv420p10le -g 60 -bf 3 -x264-params "
          "ref=1:b-adapt=0",
          "p-ten.mp4", SOMETIMES);
    check(state,
          "-c:v libx264 -preset veryfast -pix_fmt yuv422p -g 60 -bf 3 -x264-params "
          "ref=1:b-adapt=0",
          "p-422.mp4", SOMETIMES);
    check(state,
          "-c:v libx264 -preset veryfast -pix_fmt yuv444p -g 60 -bf 3 -x264-params "
          "ref=1:b-adapt=0",
          "p-444.mp4",
          SOMETIMES); // counted, yet sent as they are: there is no grey picture of 4:4:4
}

// Where P-frames refer to more, B-frames among it, fewer pictures can be spared or none.
static void many_references(void **state)
{
    check(state, "-c:v libx264 -preset veryfast -g 250 -bf 3 -x264-params ref=2:b-adapt=0",
          "p-two.mp4", MAYBE);
    check(state,
          "-c:v libx264 -preset veryfast -x264-params "
          "keyint=infinite:ref=16:bframes=3:b-adapt=0:weightp=2:scenecut=0",
          "p-sixteen.mp4", MAYBE);
    check(state,
          "-c:v libx264 -preset veryfast -x264-params "
          "keyint=30:bframes=3:b-adapt=0:weightp=2:weightb=1:ref=4:b-pyramid=strict",
          "p-weights.mp4", MAYBE);
}

static void others(void **state)
{
    check(state,
          "-c:v libx264 -preset veryfast -x264-params keyint=25:intra-refresh=1:bframes=0",
          "p-refresh.mp4", NEVER);
    check(state, "-c:v libx264 -preset veryfast -g 60 -bf 0", "p-none.mp4", NEVER);
    check(state,
          "-c:v libx264 -preset veryfast -g 20 -bf 3 -x264-params "
          "open-gop=1:scenecut=0:b-adapt=0",
          "p-open.mp4", SOMETIMES);
    check(state, "-c:v libx264 -flags +ilme+ildct -g 60 -bf 3", "p-mbaff.mp4", NEVER);
}

// --- plans ----------------------------------------------------------------------------------------

static bool is_wanted(const void *arg, int64_t packet)
{
    return packet == *(const int64_t *)arg;
}

static int make_plan(struct sc_plan *plan, struct sc_slot *slot, int64_t target)
{
    AVPacket *pkt = av_packet_alloc();
    int ret = sc_plan_make(plan, slot, target, is_wanted, &target, pkt, NULL);
    av_packet_free(&pkt);
    return ret;
}

// Goes from a target to the next with one picture spoiled between: only what needs it goes back.
static void spoiled_pictures(void **state)
{
    char clip[128], path[128];
    scene_clip(state, "plan.mp4", FRAMES, 30, 2, clip);
    recode(
        state, clip,
        "-c:v libx264 -preset veryfast -bf 3 -x264-params ref=1:b-adapt=0:keyint=90:scenecut=0",
        "p-spoiled.mp4", path);
    sc_index *ix = build_index(path);
    for (int spoil_needed = 0; spoil_needed < 2; spoil_needed++) {
        struct sc_slot slot = {.index = ix,
                               .src = sc_source_open(ix, path),
                               .refs = sc_h264_refs_open(sc_index_codecpar(ix))};
        struct sc_plan plan;
        int64_t skipped = -1; // packets are I, then P, B, b, b
        assert_int_equal(make_plan(&plan, &slot, 21), SC_OK);
        for (int64_t k = 0; k <= 21; k++)
            skipped = sc_plan_skips(&plan, k) && k % 4 == 2 ? k : skipped;
        assert_int_equal(skipped, 18);
        assert_false(sc_plan_skips(&plan, 21) || sc_plan_skips(&plan, 17));
        sc_plan_free(&plan);
        slot.at = 22;
        slot.spoiled = (int64_t[]){spoil_needed ? 21 : skipped};
        slot.spoiled_count = 1;
        assert_int_equal(make_plan(&plan, &slot, 29), spoil_needed ? SC_ESTALE : SC_OK);
        assert_int_equal(sc_plan_skips(&plan, 22), !spoil_needed);
        sc_plan_free(&plan);
        sc_h264_refs_close(&slot.refs);
        sc_source_close(&slot.src);
    }
    sc_index_unref(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pyramids),         cmocka_unit_test(other_formats),
        cmocka_unit_test(many_references),  cmocka_unit_test(others),
        cmocka_unit_test(spoiled_pictures),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
