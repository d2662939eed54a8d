// Opening files: what is no video is refused and named, and no file leads to another.
#include "media/input.h"

#include <unistd.h>

#include "clips.h"

static int open_bytes(void **state, const char *name, const void *data, size_t size,
                      sc_err *err)
{
    char path[128];
    sc_input *input = NULL;
    write_file(folder_file(state, name, path), data, size);
    *err = (sc_err){0};
    int ret = sc_input_open(&input, path, true, err);
    assert_true(ret == SC_OK || !input);
    sc_input_close(&input);
    return ret;
}

static void others_are_named(void **state)
{
    static const struct {
        const char *data, *what;
        size_t size;
    } table[] = {
        {"", "an empty file", 0},
        {"Dear all,\nplease find attached nothing.\n", "plain text", 40},
        {"<!DOCTYPE html><title>Login</title>", "an HTML page", 35},
        {"<html><body>404", "an HTML page", 15},
        {"PK\3\4\24\0\0\0\10\0zzzzzzzzzzzzzz", "a ZIP archive", 24},
        {"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\2\0\0\0zzzz", "a PNG image", 33},
        {"{\"status\":\"error\"}", "a JSON document", 18},
        {"#EXTM3U\n#EXTINF:5,\na.ts\n", "an HLS playlist", 24},
        {"\1\2\3\4\5\6\7\0\1\2\3", "unknown data", 11},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        sc_err err;
        assert_int_equal(open_bytes(state, "other.mp4", table[i].data, table[i].size, &err),
                         SC_EDATA);
        if (!strstr(err.text, table[i].what))
            fail_msg("%s: %s", table[i].what, err.text);
        assert_string_equal(sc_input_sniff((const unsigned char *)table[i].data, table[i].size),
                            table[i].what);
    }
}

// Formats whose files name other files: a good clip lies where they point.
static void no_file_leads_to_another(void **state)
{
    static const char *const texts[] = {
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n%s\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '%s'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP "
        "96\na=rtpmap:96 H264/90000\na=control:%s\n",
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" "
        "mediaPresentationDuration=\"PT1S\"><Period><AdaptationSet><Representation "
        "bandwidth=\"1\" id=\"0\"><BaseURL>%s</BaseURL></Representation></AdaptationSet>"
        "</Period></MPD>",
        "[playlist]\nFile1=%s\n",
        "RTSP %s\n",
    };
    static const char *const names[] = {"a.m3u8", "a.ffconcat", "a.sdp",
                                        "a.mpd",  "a.pls",      "a.mp4"};
    char clip[128], text[1024];
    scene_clip(state, "clip.mp4", 10, 5, 0, clip);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        sc_err err;
        const char *parts = strstr(texts[i], "%s");
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(parts - texts[i]), texts[i], clip,
                 parts + 2);
        assert_int_equal(open_bytes(state, names[i], text, strlen(text), &err), SC_EDATA);
    }
}

static void folders_and_absent_files(void **state)
{
    char path[128];
    sc_input *input = NULL;
    sc_err err = {0};
    assert_int_equal(sc_input_open(&input, folder_file(state, "absent", path), true, &err),
                     SC_ENOTFOUND);
    assert_non_null(strstr(err.text, "absent"));
    err = (sc_err){0};
    assert_int_equal(sc_input_open(&input, folder_file(state, ".", path), true, &err), SC_EARG);
    assert_null(input);
    assert_int_equal(mkfifo(folder_file(state, "pipe", path), 0600), 0);
    assert_int_equal(sc_input_open(&input, path, true, NULL), SC_EARG); // and does not hang
    sc_input_close(NULL);
}

static void videos_open(void **state)
{
    char clip[128], path[128];
    sc_input *input = NULL;
    scene_clip(state, "clip.mp4", 10, 5, 0, clip);
    assert_int_equal(sc_input_open(&input, clip, true, NULL), SC_OK);
    assert_int_equal(input->video->codecpar->width, 160);
    assert_false(input->has_audio);
    assert_true(input->size > 0 && input->mtime_ns > 0);
    sc_input_close(&input);
    assert_null(input);
    recode(state, clip, "-f lavfi -i sine=d=0.4 -map 1:a -map 0:v -c:v copy", "sound.mkv",
           path);
    assert_int_equal(sc_input_open(&input, path, false, NULL), SC_OK);
    assert_true(input->has_audio);
    assert_int_equal(input->video->index, 1);
    sc_input_close(&input);
    sc_err err = {0};
    recode(state, clip, "-f lavfi -i sine=d=0.4 -map 1:a", "only-sound.mkv", path);
    assert_int_equal(sc_input_open(&input, path, true, &err), SC_EDATA);
    assert_non_null(strstr(err.text, "no video stream"));
}

static void cut_clips_never_crash(void **state)
{
    char clip[128];
    size_t size;
    scene_clip(state, "clip.mp4", 10, 5, 0, clip);
    uint8_t *data = read_file(clip, &size);
    for (size_t cut = 1; cut < size; cut += cut < 64 ? 7 : size / 12) {
        sc_err err;
        int ret = open_bytes(state, "cut.mp4", data, cut, &err);
        assert_true(ret == SC_OK || (ret == SC_EDATA && err.text[0]));
    }
    free(data);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_are_named),         cmocka_unit_test(no_file_leads_to_another),
        cmocka_unit_test(folders_and_absent_files), cmocka_unit_test(videos_open),
        cmocka_unit_test(cut_clips_never_crash),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
