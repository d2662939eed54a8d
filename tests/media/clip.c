#include "media/clip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#define PATH_SIZE 64

static char *clip_path(char path[PATH_SIZE], const char *name)
{
    snprintf(path, PATH_SIZE, "/tmp/saccade-clip-%ld-%s", (long)getpid(), name);
    return path;
}

static void count_progress(void *arg, int64_t done, int64_t frames)
{
    assert_true(done <= frames);
    *(int64_t *)arg = done;
}

static void cancel_at_five(void *arg, int64_t done, int64_t frames)
{
    (void)frames;
    if (done == 5)
        sc_cancel_request(arg);
}

// Decodes what is ready and checks that the stamps count up; returns the next number.
static int check_stamps(AVCodecContext *decoder, AVFrame *frame, int next)
{
    while (avcodec_receive_frame(decoder, frame) >= 0) {
        assert_int_equal(sc_scene_read_stamp(frame), next);
        assert_int_equal(frame->colorspace, AVCOL_SPC_BT709);
        assert_int_equal(frame->color_range, AVCOL_RANGE_MPEG);
        next++;
    }
    return next;
}

static int decode_all(const char *path)
{
    AVFormatContext *demuxer = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int next = 0;
    assert_int_equal(avformat_open_input(&demuxer, path, NULL, NULL), 0);
    assert_true(avformat_find_stream_info(demuxer, NULL) >= 0);
    assert_int_equal(demuxer->nb_streams, 1);
    const AVCodecParameters *par = demuxer->streams[0]->codecpar;
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(par->codec_id));
    assert_true(avcodec_parameters_to_context(decoder, par) >= 0);
    assert_int_equal(avcodec_open2(decoder, NULL, NULL), 0);
    while (av_read_frame(demuxer, packet) >= 0) {
        assert_int_equal(avcodec_send_packet(decoder, packet), 0);
        av_packet_unref(packet);
        next = check_stamps(decoder, frame, next);
    }
    avcodec_send_packet(decoder, NULL);
    next = check_stamps(decoder, frame, next);
    avcodec_free_context(&decoder);
    avformat_close_input(&demuxer);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return next;
}

static void clip_holds_every_frame(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    int64_t done = 0;
    sc_err err = {0};
    struct sc_clip_params params = {.scene = {.width = 320, .height = 240, .seed = 1},
                                    .frames = 75,
                                    .gop = 30,
                                    .progress = count_progress,
                                    .progress_arg = &done};
    if (sc_clip_write(clip_path(path, "a.mp4"), &params, &err) == SC_EUNSUPPORTED)
        skip(); // an FFmpeg without x264
    assert_string_equal(err.text, "");
    assert_int_equal(done, 75);
    assert_int_equal(decode_all(path), 75);
    assert_int_equal(unlink(path), 0);
}

static void other_codecs_and_containers(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    struct sc_clip_params params = {.scene = {.width = 160, .height = 128, .fps = {25, 1}},
                                    .frames = 20,
                                    .codec = "mpeg4",
                                    .bframes = -1};
    assert_int_equal(sc_clip_write(clip_path(path, "b.mkv"), &params, NULL), SC_OK);
    assert_int_equal(decode_all(path), 20);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sc_clip_write(clip_path(path, "noending"), &params, NULL), SC_OK);
    assert_int_equal(decode_all(path), 20);
    assert_int_equal(unlink(path), 0);
}

static void failures_say_why_and_leave_nothing(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    sc_err err = {0};
    struct sc_clip_params params = {.scene = {.width = 160, .height = 128},
                                    .codec = "nonesuch"};
    clip_path(path, "c.mp4");
    assert_int_equal(sc_clip_write(path, &params, &err), SC_EUNSUPPORTED);
    assert_string_equal(err.field, "codec");
    assert_non_null(strstr(err.text, "nonesuch"));
    err = (sc_err){0};
    params.codec = "mpeg4";
    params.gop = -1;
    assert_int_equal(sc_clip_write(path, &params, &err), SC_EARG);
    assert_string_equal(err.field, "gop");
    err = (sc_err){0};
    params.gop = 0;
    assert_int_equal(sc_clip_write("/nonexistent/x.mp4", &params, &err), SC_ENOTFOUND);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void cancelling_removes_the_file(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    sc_cancel *cancel = sc_cancel_new(NULL);
    struct sc_clip_params params = {.scene = {.width = 160, .height = 128},
                                    .codec = "mpeg4",
                                    .cancel = cancel,
                                    .progress = cancel_at_five,
                                    .progress_arg = cancel};
    clip_path(path, "d.mp4");
    assert_int_equal(sc_clip_write(path, &params, NULL), SC_ECANCELLED);
    assert_int_not_equal(access(path, F_OK), 0);
    sc_cancel_free(&cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clip_holds_every_frame),
        cmocka_unit_test(other_codecs_and_containers),
        cmocka_unit_test(failures_say_why_and_leave_nothing),
        cmocka_unit_test(cancelling_removes_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
