// The clock that programs read in pictures, before and after encoding and scaling.
#include "media/clock_strip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "media/decoder.h"
#include "media/encoder.h"

static AVFrame *make_picture(int width, int height, enum AVPixelFormat format)
{
    AVFrame *picture = av_frame_alloc();
    picture->width = width;
    picture->height = height;
    picture->format = format;
    assert_int_equal(av_frame_get_buffer(picture, 0), 0);
    for (int y = 0; y < height; y++)
        memset(picture->data[0] + (ptrdiff_t)y * picture->linesize[0], 100 + y % 20,
               (size_t)width);
    return picture;
}

static const struct sc_clock_stamp stamps[] = {
    {0x01234567, 0x89ab}, {0xffffffff, 0xffff}, {0, 1}, {0x80000000, 0}};

static void test_what_is_drawn_is_read(void **state)
{
    static const struct {
        int width, height;
        enum AVPixelFormat format;
    } cases[] = {{1280, 720, AV_PIX_FMT_YUV420P},
                 {896, 50, AV_PIX_FMT_NV12},
                 {640, 360, AV_PIX_FMT_YUV444P},
                 {480, 270, AV_PIX_FMT_GRAY8},
                 {721, 405, AV_PIX_FMT_YUVJ420P}};
    (void)state;
    for (size_t i = 0; i < SC_COUNT(cases); i++)
        for (size_t j = 0; j < SC_COUNT(stamps); j++) {
            AVFrame *picture = make_picture(cases[i].width, cases[i].height, cases[i].format);
            struct sc_clock_stamp got;
            assert_false(sc_clock_strip_read(picture, &got));
            assert_true(sc_clock_strip_draw(picture, stamps[j]));
            assert_true(sc_clock_strip_read(picture, &got));
            assert_int_equal(got.ms, stamps[j].ms);
            assert_int_equal(got.n, stamps[j].n);
            av_frame_free(&picture);
        }
}

static void test_one_row_may_be_covered(void **state)
{
    (void)state;
    AVFrame *picture = make_picture(1280, 720, AV_PIX_FMT_YUV420P);
    struct sc_clock_stamp got;
    sc_clock_strip_draw(picture, stamps[0]);
    for (int y = 0; y < 30; y++)
        memset(picture->data[0] + (ptrdiff_t)y * picture->linesize[0] + 200, 200, 80);
    assert_true(sc_clock_strip_read(picture, &got));
    assert_int_equal(got.ms, stamps[0].ms);
    memset(picture->data[0] + (ptrdiff_t)360 * picture->linesize[0], 16,
           (size_t)picture->linesize[0] * 16);
    assert_false(sc_clock_strip_read(picture, &got)); // damaged is not read as something else
    av_frame_free(&picture);
}

static void test_odd_pictures_are_let_be(void **state)
{
    (void)state;
    AVFrame *small = make_picture(478, 300, AV_PIX_FMT_YUV420P);
    AVFrame *deep = make_picture(1280, 720, AV_PIX_FMT_YUV420P10LE);
    AVFrame *rgb = make_picture(1280, 720, AV_PIX_FMT_GBRP);
    assert_false(sc_clock_strip_draw(small, stamps[0]));
    assert_false(sc_clock_strip_draw(deep, stamps[0]));
    assert_false(sc_clock_strip_draw(rgb, stamps[0]));
    av_frame_free(&small);
    av_frame_free(&deep);
    av_frame_free(&rgb);
}

// At the lowest rung of a live stream, where blocks are half as large.
static void test_it_survives_encoding_and_scaling(void **state)
{
    (void)state;
    AVFrame *picture = make_picture(1280, 720, AV_PIX_FMT_YUV420P), *seen = av_frame_alloc();
    sc_clock_strip_draw(picture, stamps[0]);
    const struct sc_encoder_params params = {.like = picture,
                                             .width = 640,
                                             .height = 360,
                                             .bitrate = 500000,
                                             .in_band = true,
                                             .live = true};
    sc_encoder *encoder;
    sc_packet *packet;
    struct sc_clock_stamp got;
    assert_int_equal(sc_encoder_open(&encoder, &params, NULL), 0);
    assert_int_equal(sc_encoder_put(encoder, picture, 0, 0, NULL), 0);
    assert_int_equal(sc_encoder_get(encoder, &packet, NULL), 0);
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264));
    assert_int_equal(avcodec_open2(decoder, NULL, NULL), 0);
    assert_int_equal(avcodec_send_packet(decoder, packet->av), 0);
    avcodec_send_packet(decoder, NULL);
    assert_int_equal(avcodec_receive_frame(decoder, seen), 0);
    assert_int_equal(seen->width, 640);
    assert_true(sc_clock_strip_read(seen, &got));
    assert_int_equal(got.ms, stamps[0].ms);
    assert_int_equal(got.n, stamps[0].n);
    avcodec_free_context(&decoder);
    sc_packet_unref(&packet);
    sc_encoder_close(&encoder);
    av_frame_free(&seen);
    av_frame_free(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_drawn_is_read),
        cmocka_unit_test(test_one_row_may_be_covered),
        cmocka_unit_test(test_odd_pictures_are_let_be),
        cmocka_unit_test(test_it_survives_encoding_and_scaling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
