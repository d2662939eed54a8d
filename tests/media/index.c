// Questions to an index (the time rule, entries) and opening one for a file.
#include "media/index.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clips.h"
#include "media/scene.h"

// --- time -----------------------------------------------------------------------------------------

static const AVRational time_bases[] = {{1, 90000},      {1001, 30000}, {1, 1000},
                                        {1, 12800},      {1001, 24000}, {1, 1},
                                        {1, 2147483647}, {7, 3},        {2147483647, 1}};

static void expect_time(const sc_index *ix, const char *t, int expected, int64_t frame)
{
    int64_t n = -1;
    int ret = sc_index_find_time(ix, t, &n);
    if (ret != expected || (ret == SC_OK && n != frame))
        fail_msg("t=%s: %s, frame %lld instead of %lld", t, sc_error_name(ret), (long long)n,
                 (long long)frame);
}

// Ticks that grow by uneven steps, from the smallest possible on.
static void uneven(int64_t *ticks, int64_t count, int64_t most)
{
    for (int64_t i = 0; i < count; i++)
        ticks[i] = i ? ticks[i - 1] + 1 + i * 7919 % most : 0;
}

static void printed_times_name_their_frames(void **state)
{
    (void)state;
    int64_t ticks[200];
    char text[64];
    for (size_t b = 0; b < sizeof(time_bases) / sizeof(*time_bases); b++) {
        for (int64_t most = 1; most < 5000; most *= 70) {
            if (time_bases[b].num > 100000 && most > 1)
                continue; // longer than any video
            int64_t count = time_bases[b].num > 100000 ? 2 : 200;
            uneven(ticks, count, most);
            sc_index *ix =
                fake_index(time_bases[b], ticks, count, ticks[count - 1] + most, count);
            for (int64_t n = 0; n < count; n++)
                expect_time(ix, sc_index_format_time(ix, n, text, sizeof(text)), SC_OK, n);
            sc_index_format_duration(ix, text, sizeof(text));
            expect_time(ix, text, SC_ERANGE, 0);
            sc_index_unref(&ix);
        }
    }
}

static void half_a_tick_is_forgiven(void **state)
{
    (void)state;
    static const int64_t ticks[] = {0, 1, 2, 5}; // 0.000 0.033.. 0.0667 0.1668
    sc_index *ix = fake_index((AVRational){1001, 30000}, ticks, 4, 6, 1);
    expect_time(ix, "0", SC_OK, 0);
    expect_time(ix, "0.01668", SC_OK, 0);
    expect_time(ix, "0.016684", SC_OK, 1); // half a tick is 0.01668333
    expect_time(ix, "0.03336", SC_OK, 1);
    expect_time(ix, "0.15", SC_OK, 2);   // 4.4955 ticks
    expect_time(ix, "0.1503", SC_OK, 3); // 4.5044 ticks
    expect_time(ix, "0.200199999", SC_OK, 3);
    expect_time(ix, "0.2002", SC_ERANGE, 0);
    expect_time(ix, "1", SC_ERANGE, 0);
    sc_index_unref(&ix);
}

static void only_plain_decimals_are_times(void **state)
{
    (void)state;
    static const int64_t ticks[] = {0, 500, 1000};
    sc_index *ix = fake_index((AVRational){1, 1000}, ticks, 3, 1500, 1);
    static const char *const bad[] = {"",    ".",   "abc", "-1",       "-0",   "+1",    "1e308",
                                      "1e1", "0x1", " 1",  "1 ",       "1..0", "1.0.0", "1,0",
                                      "nan", "inf", "1s",  "\xd9\xa1", "0.5\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        expect_time(ix, bad[i], SC_EARG, 0);
    expect_time(ix, "1.", SC_OK, 2);
    expect_time(ix, ".5", SC_OK, 1);
    expect_time(ix, "00000000000000000000000000000001", SC_OK, 2);
    expect_time(ix, "0.500000000000000000000000000000", SC_OK, 1);
    expect_time(ix, "1.499999999999999999999999999999", SC_OK, 2);
    expect_time(ix, "123456789012345678901234567890", SC_ERANGE, 0);
    expect_time(ix, "99999999999999999999999999999999999999999999999.9", SC_ERANGE, 0);
    expect_time(ix, "9223372036854775808", SC_ERANGE, 0);
    expect_time(ix, "10000000000", SC_ERANGE, 0);
    expect_time(ix, "10000000000.000000000000001", SC_ERANGE, 0);
    sc_index_unref(&ix);
}

static void times_are_short(void **state)
{
    (void)state;
    static const int64_t ticks[] = {0, 3600, 8100};
    char text[64], tiny[4];
    sc_index *ix = fake_index((AVRational){1, 90000}, ticks, 3, 11700, 1);
    assert_string_equal(sc_index_format_time(ix, 0, text, sizeof(text)), "0.0");
    assert_string_equal(sc_index_format_time(ix, 1, text, sizeof(text)), "0.04");
    assert_string_equal(sc_index_format_duration(ix, text, sizeof(text)), "0.13");
    assert_string_equal(sc_index_format_time(ix, 2, tiny, sizeof(tiny)), "0.0"); // cut, closed
    assert_int_equal(sc_index_pts_ns(ix, 2), 90000000);
    sc_index_unref(&ix);
}

// --- entries --------------------------------------------------------------------------------------

// An open GOP: two pictures that follow the second entry in decode order come before it on screen.
static void leading_pictures_are_reached_from_before(void **state)
{
    (void)state;
    static const uint32_t shown[] = {0, 2, 3, 1, 5, 6, 4, 8, 9, 7}; // packet of each frame
    struct sc_frame_rec frames[10];
    struct sc_packet_rec packets[10];
    static const struct sc_entry_rec entries[] = {{0, 0}, {4, 6}};
    for (int n = 0; n < 10; n++) {
        frames[n] = (struct sc_frame_rec){.ticks = n, .packet = shown[n]};
        packets[shown[n]] = (struct sc_packet_rec){.frame = n, .size = 1};
    }
    struct sc_index_parts parts = {.header = fake_header((AVRational){1, 25}, 10),
                                   .frames = frames,
                                   .packets = packets,
                                   .entries = entries};
    parts.header.frames = parts.header.packets = 10;
    parts.header.entries = 2;
    sc_index *ix;
    assert_int_equal(sc_index_assemble(&ix, &parts, NULL), SC_OK);
    for (int n = 0; n < 10; n++)
        assert_int_equal(sc_index_entry_for(ix, n), n >= 6);
    struct sc_entry_info e = sc_index_entry(ix, 0);
    assert_int_equal(e.end, 4);
    e = sc_index_entry(ix, 1);
    assert_int_equal(e.packet, 4);
    assert_int_equal(e.first_exact, 6);
    assert_int_equal(e.end, 10);
    sc_index_unref(&ix);
}

// Every frame of a real open-GOP clip has an entry that precedes it in both orders.
static void entries_precede_their_frames(void **state)
{
    char clip[128], path[128];
    scene_clip(state, "clip.mp4", 75, 25, 0, clip);
    static const char *const options[] = {
        "-c:v libx264 -bf 3 -g 12 -x264-params open-gop=1:b-adapt=0:scenecut=0",
        "-c:v libx265 -bf 3 -g 12 -x265-params open-gop=1:log-level=none:pools=1",
        "-c:v mpeg2video -bf 2 -g 12 -q:v 2"};
    static const char *const names[] = {"open264.mp4", "open265.mkv", "open2.mkv"};
    for (int i = 0; i < 3; i++) {
        sc_index *ix = build_index(recode(state, clip, options[i], names[i], path));
        const struct sc_index_info *info = sc_index_get_info(ix);
        int leading = 0;
        assert_int_equal(info->frames, 75);
        assert_true(info->entries >= 5);
        for (int64_t n = 0; n < info->frames; n++) {
            struct sc_entry_info e = sc_index_entry(ix, sc_index_entry_for(ix, n));
            assert_true(e.packet <= sc_index_frame_packet(ix, n) && e.first_exact <= n);
            leading += sc_index_frame_packet(ix, n) >= e.end;
        }
        if (!leading)
            fail_msg("%s: no leading pictures", names[i]);
        sc_index_unref(&ix);
    }
}

static void a_built_index_tells_the_facts(void **state)
{
    char clip[128], text[64];
    scene_clip(state, "clip.mp4", 75, 25, 0, clip);
    sc_index *ix = build_index(clip);
    const struct sc_index_info *info = sc_index_get_info(ix);
    assert_int_equal(info->frames, 75);
    assert_int_equal(info->entries, 3);
    assert_true(info->direct && !info->decoded && !info->variable_rate && !info->has_audio);
    assert_int_equal(info->width, 160);
    assert_int_equal(info->display_height, 128);
    assert_string_equal(info->codec_name, "h264");
    assert_string_equal(sc_index_format_duration(ix, text, sizeof(text)), "3.0");
    assert_true(sc_index_is_key(ix, 25) && !sc_index_is_key(ix, 26));
    assert_int_equal(sc_index_pts_ns(ix, 25), 1000000000);
    assert_int_equal(info->verdict, SC_VERDICT_NONE);
    assert_int_equal(sc_index_hash(ix, 3), 0);
    assert_int_equal(sc_index_packet(ix, sc_index_frame_packet(ix, 9)).frame, 9);
    sc_index_unref(&ix);
}

static void a_clip_without_pictures_is_refused(void **state)
{
    char clip[128], path[128];
    sc_index *ix = NULL;
    sc_err err = {0};
    size_t size;
    scene_clip(state, "clip.mp4", 75, 25, 0, clip);
    uint8_t *data = read_file(clip, &size);
    uint8_t *moov = memmem(data, size, "mdat", 4);
    assert_non_null(moov);
    write_file(folder_file(state, "bare.mp4", path), data, (size_t)(moov - data) + 4);
    assert_int_equal(sc_index_build(&ix, path, NULL, &err), SC_EDATA);
    assert_null(ix);
    assert_true(err.text[0]);
    free(data);
    err = (sc_err){0};
    assert_int_equal(
        sc_index_build(&ix, clip, &(struct sc_index_params){.max_packets = 74}, &err),
        SC_ELIMIT);
    sc_cancel *cancel = sc_cancel_new(NULL);
    sc_cancel_request(cancel);
    assert_int_equal(
        sc_index_build(&ix, clip, &(struct sc_index_params){.cancel = cancel}, NULL),
        SC_ECANCELLED);
    sc_cancel_free(&cancel);
}

// --- opening --------------------------------------------------------------------------------------

static sc_index *open_index(const char *clip, const char *saved, bool expect_built)
{
    sc_index *ix = NULL;
    sc_err err = {0};
    bool built;
    if (sc_index_open(&ix, clip, saved, NULL, &built, &err) < 0)
        fail_msg("%s: %s", clip, err.text);
    assert_int_equal(built, expect_built);
    return ix;
}

static void copy_file(const char *from, const char *to)
{
    size_t size;
    uint8_t *data = read_file(from, &size);
    write_file(to, data, size);
    free(data);
}

static void opening_builds_once(void **state)
{
    char clip[128], path[128], saved[128];
    copy_file(scene_clip(state, "clip.mp4", 75, 25, 0, clip),
              folder_file(state, "v.mp4", path));
    sc_index *a = open_index(path, folder_file(state, "v.idx", saved), true);
    sc_index *b = open_index(path, saved, false);
    assert_memory_equal(a->header, b->header, a->header->total_size);
    sc_index_unref(&a);
    sc_index_unref(&b);
    // Another video under the same name.
    copy_file(scene_clip(state, "other.mp4", 20, 5, 0, clip), path);
    a = open_index(path, saved, true);
    assert_int_equal(sc_index_get_info(a)->frames, 20);
    sc_index_unref(&a);
    a = open_index(path, saved, false);
    sc_index_unref(&a);
    // A damaged index.
    size_t size;
    uint8_t *data = read_file(saved, &size);
    data[size / 2] ^= 4;
    write_file(saved, data, size);
    free(data);
    a = open_index(path, saved, true);
    sc_index_unref(&a);
    a = open_index(path, saved, false);
    sc_index_unref(&a);
    bool built;
    unlink(path);
    assert_int_equal(sc_index_open(&a, path, saved, NULL, &built, NULL), SC_ENOTFOUND);
    assert_null(a);
}

// A copied file has another date: what a verification has found still holds.
static void a_new_date_keeps_the_verification(void **state)
{
    char clip[128], path[128], saved[128];
    copy_file(scene_clip(state, "other.mp4", 20, 5, 0, clip),
              folder_file(state, "d.mp4", path));
    sc_index *ix = open_index(path, folder_file(state, "d.idx", saved), true), *verified;
    assert_int_equal(sc_index_verify(&verified, ix, path, NULL, NULL), SC_OK);
    assert_int_equal(sc_index_save(verified, saved, NULL), SC_OK);
    sc_index_unref(&ix);
    const struct timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    ix = open_index(path, saved, true);
    assert_int_equal(sc_index_get_info(ix)->verdict, SC_VERDICT_EXACT);
    assert_true(sc_index_hash(ix, 7) && sc_index_hash(ix, 7) == sc_index_hash(verified, 7));
    sc_index_unref(&ix);
    sc_index_unref(&verified);
    ix = open_index(path, saved, false);
    assert_int_equal(sc_index_get_info(ix)->verdict, SC_VERDICT_EXACT);
    sc_index_unref(&ix);
}

struct opener {
    const char *clip, *saved;
    int ret;
    sc_err err;
};

static void *open_often(void *arg)
{
    struct opener *o = arg;
    for (int i = 0; i < 8 && o->ret == SC_OK; i++) {
        sc_index *ix = NULL;
        bool built;
        unlink(o->saved);
        o->ret = sc_index_open(&ix, o->clip, o->saved, NULL, &built, &o->err);
        if (o->ret == SC_OK && sc_index_get_info(ix)->frames != 20)
            o->ret = SC_EINTERNAL;
        sc_index_unref(&ix);
    }
    return NULL;
}

// Threads and a second process index one file into one place at once.
static void many_open_at_once(void **state)
{
    char clip[128], saved[128];
    scene_clip(state, "other.mp4", 20, 5, 0, clip);
    folder_file(state, "shared.idx", saved);
    struct opener openers[4];
    pthread_t threads[4];
    pid_t child = fork();
    if (!child) {
        struct opener o = {clip, saved, SC_OK, {0}};
        open_often(&o);
        _exit(o.ret != SC_OK);
    }
    for (int i = 0; i < 4; i++) {
        openers[i] = (struct opener){clip, saved, SC_OK, {0}};
        assert_int_equal(pthread_create(&threads[i], NULL, open_often, &openers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        if (openers[i].ret < 0)
            fail_msg("%s", openers[i].err.text);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    sc_index *ix = NULL;
    bool built;
    assert_int_equal(sc_index_open(&ix, clip, saved, NULL, &built, NULL), SC_OK);
    sc_index_unref(&ix);
    char *list = clip_run("ls '%s'", ((struct folder *)*state)->path);
    assert_null(strstr(list, ".tmp"));
    free(list);
}

static void saving_where_nothing_can_be_saved(void **state)
{
    char clip[128], path[128];
    sc_index *ix = NULL;
    sc_err err = {0};
    bool built;
    scene_clip(state, "other.mp4", 20, 5, 0, clip);
    assert_int_equal(
        sc_index_open(&ix, clip, folder_file(state, "no/such.idx", path), NULL, &built, &err),
        SC_ENOTFOUND);
    assert_null(ix);
    assert_non_null(strstr(err.text, "such.idx"));
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printed_times_name_their_frames),
        cmocka_unit_test(half_a_tick_is_forgiven),
        cmocka_unit_test(only_plain_decimals_are_times),
        cmocka_unit_test(times_are_short),
        cmocka_unit_test(leading_pictures_are_reached_from_before),
        cmocka_unit_test(entries_precede_their_frames),
        cmocka_unit_test(a_built_index_tells_the_facts),
        cmocka_unit_test(a_clip_without_pictures_is_refused),
        cmocka_unit_test(opening_builds_once),
        cmocka_unit_test(a_new_date_keeps_the_verification),
        cmocka_unit_test(many_open_at_once),
        cmocka_unit_test(saving_where_nothing_can_be_saved),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
