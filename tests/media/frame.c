#include "media/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libavutil/pixdesc.h>

#include "base/error.h"
#include "clip.h"

// The md5 of the n-th data line of framemd5's output.
static void framemd5_line(const char *text, int n, char md5[33])
{
    const char *line = text;
    for (int seen = -1; line && *line; line = strchr(line, '\n'), line += !!line) {
        if (*line == '#' || ++seen < n)
            continue;
        const char *end = strchr(line, '\n');
        assert_true(end && end - line > 32);
        memcpy(md5, end - 32, 32);
        md5[32] = '\0';
        return;
    }
    fail_msg("framemd5 gave no line %d", n);
}

struct clip {
    const char *pix_fmt, *codec;
    int w, h;
};

static void check_clip(const struct clip *clip)
{
    char path[256];
    clip_path(path, "frame.nut");
    free(clip_run(
        "ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=5:d=0.6 -vf scale=%d:%d,format=%s "
        "-c:v %s -strict -1 -f nut %s",
        clip->w, clip->h, clip->pix_fmt, clip->codec, path));
    char *text = clip_run("ffmpeg -v error -i %s -f framemd5 -", path);
    assert_non_null(text);
    for (int n = 0; n < 3; n += 2) {
        AVFrame *av = clip_decode(path, n);
        assert_non_null(av);
        assert_string_equal(av_get_pix_fmt_name(av->format), clip->pix_fmt);
        char expected[33], got[33];
        framemd5_line(text, n, expected);
        assert_int_equal(sc_frame_md5(av, got), 0);
        if (strcmp(got, expected))
            fail_msg("%s %dx%d frame %d: %s, ffmpeg says %s", clip->pix_fmt, clip->w, clip->h,
                     n, got, expected);
        av_frame_free(&av);
    }
    free(text);
    unlink(path);
}

static void md5_equals_framemd5(void **state)
{
    (void)state;
    static const struct clip clips[] = {
        {"yuv420p", "rawvideo", 64, 48},
        {"yuv420p", "ffv1", 65, 49},
        {"yuv420p", "rawvideo", 37, 1},
        {"yuv422p", "ffv1", 33, 17},
        {"yuv444p", "ffv1", 31, 19},
        {"yuv411p", "ffv1", 39, 21},
        {"yuv410p", "ffv1", 41, 23},
        {"nv12", "rawvideo", 64, 48},
        {"nv12", "rawvideo", 35, 27},
        {"yuv420p10le", "ffv1", 35, 27},
        {"yuv444p12le", "rawvideo", 33, 15},
        {"yuva420p", "ffv1", 33, 27},
        {"gray", "ffv1", 33, 27},
        {"gray16le", "rawvideo", 33, 27},
        {"rgb24", "rawvideo", 33, 27},
        {"bgra", "ffv1", 33, 27},
        {"gbrp10le", "ffv1", 33, 27},
        {"pal8", "png", 33, 27},
        {"pal8", "png", 64, 48},
        {"monob", "png", 33, 27},
        {"yuyv422", "rawvideo", 34, 26},
        {"yuv420p10be", "rawvideo", 35, 27},
    };
    for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++)
        check_clip(&clips[i]);
}

static AVFrame *new_frame(int format, int w, int h, int align)
{
    AVFrame *av = av_frame_alloc();
    av->format = format;
    av->width = w;
    av->height = h;
    assert_int_equal(av_frame_get_buffer(av, align), 0);
    return av;
}

static void fill(AVFrame *av, int padding)
{
    for (int i = 0; i < 3; i++) {
        int shift = i > 0;
        for (int y = 0; y < AV_CEIL_RSHIFT(av->height, shift); y++)
            for (int x = 0; x < av->linesize[i]; x++)
                av->data[i][y * av->linesize[i] + x] =
                    (uint8_t)(x < AV_CEIL_RSHIFT(av->width, shift) ? x * 7 + y * 13 + i
                                                                   : padding);
    }
}

static void hash_sees_visible_bytes_only(void **state)
{
    (void)state;
    AVFrame *a = new_frame(AV_PIX_FMT_YUV420P, 33, 17, 64);
    AVFrame *b = new_frame(AV_PIX_FMT_YUV420P, 33, 17, 1);
    fill(a, 0xaa);
    fill(b, 0);
    assert_int_not_equal(a->linesize[0], b->linesize[0]);
    uint64_t hash = sc_frame_hash(a);
    assert_true(hash != 0 && hash == sc_frame_hash(b));
    a->data[2][8 * a->linesize[2] + 16] ^= 1; // the last visible byte
    assert_true(hash != sc_frame_hash(a));
    b->format = AV_PIX_FMT_YUVJ420P;
    assert_true(hash != sc_frame_hash(b));
    av_frame_free(&a);
    av_frame_free(&b);
}

static void refs_and_size(void **state)
{
    (void)state;
    AVFrame *av = new_frame(AV_PIX_FMT_YUV420P, 64, 48, 0);
    sc_frame *frame = sc_frame_wrap(av, 7, 280000000);
    assert_non_null(frame);
    assert_int_equal(frame->n, 7);
    assert_int_equal(frame->pts_ns, 280000000);
    assert_true(frame->bytes >= 64 * 48 * 3 / 2);
    sc_frame *other = sc_frame_ref(frame);
    sc_frame_unref(&frame);
    assert_null(frame);
    assert_int_equal(other->av->width, 64);
    sc_frame_unref(&other);
    sc_frame_unref(&other);
    sc_frame_unref(NULL);
    assert_null(sc_frame_ref(NULL));
}

static void hardware_formats_have_no_md5(void **state)
{
    (void)state;
    AVFrame *av = av_frame_alloc();
    av->format = AV_PIX_FMT_CUDA;
    av->width = av->height = 16;
    char hex[33];
    assert_int_equal(sc_frame_md5(av, hex), SC_EUNSUPPORTED);
    assert_string_equal(hex, "");
    av->format = AV_PIX_FMT_NONE;
    assert_int_equal(sc_frame_md5(av, hex), SC_EUNSUPPORTED);
    av_frame_free(&av);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md5_equals_framemd5),
        cmocka_unit_test(hash_sees_visible_bytes_only),
        cmocka_unit_test(refs_and_size),
        cmocka_unit_test(hardware_formats_have_no_md5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
