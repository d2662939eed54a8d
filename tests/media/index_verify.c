// Verification: hashes of a linear decode, a verdict on random access, and frames that no decoder
// gives taken out.
#include "clips.h"
#include "media/decoder.h"
#include "media/reader.h"
#include "media/scene.h"

static sc_index *verify(sc_index *ix, const char *path)
{
    sc_index *verified = NULL;
    sc_err err = {0};
    if (sc_index_verify(&verified, ix, path, &(struct sc_index_params){.threads = 2}, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    return verified;
}

static void clean_clips_are_exact(void **state)
{
    static const char *const options[] = {
        "-c copy", "-c:v libx264 -bf 3 -g 12 -x264-params open-gop=1:b-adapt=0:scenecut=0",
        "-c:v mpeg2video -bf 2 -g 12"};
    static const char *const names[] = {"v.ts", "v-open.mp4", "v2.mkv"};
    char clip[128], path[128];
    scene_clip(state, "clip.mp4", 60, 12, 2, clip);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        sc_index *ix = build_index(recode(state, clip, options[i], names[i], path));
        sc_index *verified = verify(ix, path);
        const struct sc_index_info *info = sc_index_get_info(verified);
        assert_int_equal(info->verdict, SC_VERDICT_EXACT);
        assert_int_equal(info->differing, 0);
        assert_int_equal(info->frames, 60);
        assert_int_equal(info->entries, sc_index_get_info(ix)->entries);
        for (int64_t n = 0; n < 60; n++) {
            assert_true(sc_index_hash(verified, n) != 0);
            assert_false(sc_index_differs(verified, n));
            assert_int_equal(sc_index_ticks(verified, n), sc_index_ticks(ix, n));
        }
        assert_int_equal(sc_index_get_info(ix)->verdict, SC_VERDICT_NONE); // unchanged
        sc_index_unref(&verified);
        sc_index_unref(&ix);
    }
}

static void frames_are_verified(void **state)
{
    char clip[128];
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 60, 12, 2, clip));
    sc_index *verified = verify(ix, clip);
    sc_reader_engine *engine =
        sc_reader_engine_open(&(struct sc_reader_engine_params){.threads = 2});
    sc_reader *reader = sc_reader_open(engine, ix, clip);
    sc_frame *frame;
    assert_int_equal(sc_reader_get_sync(reader, 30, 0, &frame, NULL), SC_OK);
    assert_false(frame->verified);
    sc_frame_unref(&frame);
    sc_reader_set_index(reader, verified);
    for (int64_t n = 59; n >= 0; n -= 7) {
        assert_int_equal(sc_reader_get_sync(reader, n, 0, &frame, NULL), SC_OK);
        assert_true(frame->verified);
        assert_int_equal(frame->hash, sc_index_hash(verified, n));
        assert_int_equal(frame->hash, sc_frame_hash(frame->av));
        sc_frame_unref(&frame);
    }
    sc_reader_close(&reader);
    sc_reader_engine_close(&engine);
    sc_index_unref(&verified);
    sc_index_unref(&ix);
}

// An index of the same clip with facts that `change` made false.
static sc_index *falsified(const sc_index *ix, void (*change)(struct sc_index_parts *parts))
{
    struct sc_index_parts parts = {.header = *ix->header,
                                   .frames = ix->frames,
                                   .packets = ix->packets,
                                   .dts = ix->dts,
                                   .entries = ix->entries,
                                   .sides = ix->sides,
                                   .extradata = ix->extradata,
                                   .side_data = ix->side_data};
    sc_index *made = NULL;
    sc_err err = {0};
    change(&parts);
    if (sc_index_assemble(&made, &parts, &err) < 0)
        fail_msg("%s", err.text);
    return made;
}

// Frame 20 is no entry point: whoever enters there gets another picture.
static void enter_in_between(struct sc_index_parts *parts)
{
    static struct sc_entry_rec entries[2];
    entries[0] = parts->entries[0];
    entries[1] = (struct sc_entry_rec){parts->frames[20].packet, 20};
    parts->entries = entries;
    parts->header.entries = 2;
}

static void wrong_entries_are_found(void **state)
{
    char clip[128];
    sc_index *ix = build_index(scene_clip(state, "one.mp4", 40, 40, 0, clip));
    sc_index *wrong = falsified(ix, enter_in_between), *verified = verify(wrong, clip);
    const struct sc_index_info *info = sc_index_get_info(verified);
    assert_int_equal(info->verdict, SC_VERDICT_DIFFERS);
    assert_in_range(info->differing, 1, 20);
    assert_true(sc_index_differs(verified, 20) && !sc_index_differs(verified, 19));
    // The reader still gives the right picture, by its hash.
    sc_reader_engine *engine =
        sc_reader_engine_open(&(struct sc_reader_engine_params){.threads = 2});
    sc_reader *reader = sc_reader_open(engine, verified, clip);
    for (int64_t n = 39; n >= 15; n -= 3) {
        sc_frame *frame;
        assert_int_equal(sc_reader_get_sync(reader, n, 0, &frame, NULL), SC_OK);
        assert_int_equal(sc_scene_read_stamp(frame->av), n);
        assert_true(frame->verified);
        sc_frame_unref(&frame);
    }
    sc_reader_close(&reader);
    sc_reader_engine_close(&engine);
    sc_index_unref(&verified);
    sc_index_unref(&wrong);
    sc_index_unref(&ix);
}

// A decoder that shows something all the same: only hashes tell.
static void wrong_pictures_are_found(void **state)
{
    char clip[128], path[128];
    scene_clip(state, "one.mp4", 40, 40, 0, clip);
    recode(state, clip, "-c:v mpeg4 -g 40 -q:v 2 -sc_threshold 1000000000", "one.avi", path);
    sc_index *ix = build_index(path);
    assert_int_equal(sc_index_get_info(ix)->entries, 1);
    sc_index *wrong = falsified(ix, enter_in_between), *verified = verify(wrong, path);
    assert_int_equal(sc_index_get_info(verified)->verdict, SC_VERDICT_DIFFERS);
    assert_int_equal(sc_index_get_info(verified)->frames, 40);
    assert_true(sc_index_differs(verified, 20));
    sc_index_unref(&verified);
    sc_index_unref(&wrong);
    sc_index_unref(&ix);
}

// The bytes of a picture that no decoder can make anything of.
static void frames_that_never_come_disappear(void **state)
{
    char clip[128], path[128];
    size_t size;
    scene_clip(state, "clip.mp4", 60, 12, 2, clip);
    sc_index *ix = build_index(recode(state, clip, "-c:v mjpeg -q:v 2", "holes.avi", path));
    uint8_t *data = read_file(path, &size);
    for (int64_t n = 0; n < 60; n += n ? 29 : 30) { // 0, 30, 59
        struct sc_packet_info p = sc_index_packet(ix, sc_index_frame_packet(ix, n));
        memset(data + p.pos, 0, (size_t)p.size);
    }
    write_file(path, data, size);
    free(data);
    sc_index_unref(&ix);
    // A scan that looks into no JPEG takes them for frames; built anew for the new checksums.
    sc_index *scanned = build_index(path), *verified = verify(scanned, path);
    char text[64];
    int64_t n;
    assert_int_equal(sc_index_get_info(scanned)->frames, 60);
    assert_int_equal(sc_index_get_info(verified)->frames, 57);
    assert_int_equal(sc_index_ticks(verified, 0), 0);
    assert_int_equal(sc_index_find_time(
                         verified, sc_index_format_time(verified, 56, text, sizeof(text)), &n),
                     SC_OK);
    assert_int_equal(n, 56);
    sc_index_unref(&scanned);
    sc_index_unref(&verified);
}

static void verifying_can_fail(void **state)
{
    char clip[128], path[128];
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 60, 12, 2, clip)), *verified;
    sc_err err = {0};
    sc_cancel *cancel = sc_cancel_new(NULL);
    sc_cancel_request(cancel);
    assert_int_equal(
        sc_index_verify(&verified, ix, clip, &(struct sc_index_params){.cancel = cancel}, &err),
        SC_ECANCELLED);
    assert_null(verified);
    sc_cancel_free(&cancel);
    err = (sc_err){0};
    assert_int_equal(
        sc_index_verify(&verified, ix, folder_file(state, "none", path), NULL, &err),
        SC_ENOTFOUND);
    assert_non_null(strstr(err.text, "none"));
    err = (sc_err){0};
    assert_int_equal(sc_index_verify(&verified, ix,
                                     recode(state, clip, "-c:v mpeg4", "x.avi", path), NULL,
                                     &err),
                     SC_ESTALE);
    sc_index_unref(&ix);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_clips_are_exact),
        cmocka_unit_test(frames_are_verified),
        cmocka_unit_test(wrong_entries_are_found),
        cmocka_unit_test(wrong_pictures_are_found),
        cmocka_unit_test(frames_that_never_come_disappear),
        cmocka_unit_test(verifying_can_fail),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
