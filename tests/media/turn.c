// Pictures turned and mirrored: every sample is where its definition puts it, in all kinds of formats.
#include "media/turn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>

#include "base/mem.h"

#define W 37 // odd, and more than a block of the walk
#define H 70

static AVFrame *make_picture(enum AVPixelFormat format)
{
    AVFrame *av = av_frame_alloc();
    av->format = format;
    av->width = W;
    av->height = H;
    av->pts = 77;
    av->sample_aspect_ratio = (AVRational){4, 3};
    assert_int_equal(av_frame_get_buffer(av, 0), 0);
    assert_non_null(
        av_frame_new_side_data(av, AV_FRAME_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t)));
    for (int p = 0; p < av_pix_fmt_count_planes(format); p++) {
        const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
        int rows = p == 1 || p == 2 ? AV_CEIL_RSHIFT(H, desc->log2_chroma_h) : H;
        for (int i = 0; i < rows * av->linesize[p]; i++)
            av->data[p][i] = (uint8_t)(i * 31 + i / 251 + p * 7);
    }
    return av;
}

// Where the sample at (x, y) of the turned picture lies in one of w x h.
static void find_source(struct sc_turn turn, int w, int h, int *x, int *y)
{
    bool quarter = turn.rotation == 90 || turn.rotation == 270;
    int out_w = quarter ? h : w, out_h = quarter ? w : h;
    int u = turn.hflip ? out_w - 1 - *x : *x, v = turn.vflip ? out_h - 1 - *y : *y;
    int rotation = turn.rotation;
    *x = rotation == 90 ? v : rotation == 180 ? w - 1 - u : rotation == 270 ? w - 1 - v : u;
    *y = rotation == 90 ? h - 1 - u : rotation == 180 ? h - 1 - v : rotation == 270 ? u : v;
}

static void check_plane(const AVFrame *in, const AVFrame *out, struct sc_turn turn, int p,
                        int step)
{
    const AVPixFmtDescriptor *a = av_pix_fmt_desc_get(in->format);
    const AVPixFmtDescriptor *b = av_pix_fmt_desc_get(out->format);
    bool chroma = (p == 1 || p == 2) && !(a->flags & AV_PIX_FMT_FLAG_RGB);
    int w = AV_CEIL_RSHIFT(in->width, chroma ? a->log2_chroma_w : 0);
    int h = AV_CEIL_RSHIFT(in->height, chroma ? a->log2_chroma_h : 0);
    int out_w = AV_CEIL_RSHIFT(out->width, chroma ? b->log2_chroma_w : 0);
    int out_h = AV_CEIL_RSHIFT(out->height, chroma ? b->log2_chroma_h : 0);
    assert_int_equal(out_w * out_h, w * h);
    for (int y = 0; y < out_h; y++) {
        for (int x = 0; x < out_w; x++) {
            int from_x = x, from_y = y;
            find_source(turn, w, h, &from_x, &from_y);
            assert_memory_equal(out->data[p] + y * out->linesize[p] + x * step,
                                in->data[p] + from_y * in->linesize[p] + from_x * step,
                                (size_t)step);
        }
    }
}

static void every_sample_is_in_place(void **state)
{
    (void)state;
    static const struct {
        enum AVPixelFormat format, quarter;
        int steps[4];
    } cases[] = {
        {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P, {1, 1, 1}},
        {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV440P, {1, 1, 1}},
        {AV_PIX_FMT_YUV444P10, AV_PIX_FMT_YUV444P10, {2, 2, 2}},
        {AV_PIX_FMT_NV12, AV_PIX_FMT_NV12, {1, 2}},
        {AV_PIX_FMT_P010, AV_PIX_FMT_P010, {2, 4}},
        {AV_PIX_FMT_RGB24, AV_PIX_FMT_RGB24, {3}},
        {AV_PIX_FMT_GBRP, AV_PIX_FMT_GBRP, {1, 1, 1}},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        AVFrame *in = make_picture(cases[i].format);
        for (int n = 0; n < 16; n++) {
            struct sc_turn turn = {n / 4 * 90, n & 1, n & 2};
            bool quarter = n / 4 & 1;
            AVFrame *out = NULL;
            assert_int_equal(sc_turn_frame(&out, in, turn), SC_OK);
            assert_int_equal(out->format, quarter ? cases[i].quarter : cases[i].format);
            assert_int_equal(out->width, quarter ? H : W);
            assert_int_equal(out->sample_aspect_ratio.num, quarter ? 3 : 4);
            assert_int_equal(out->pts, 77);
            assert_null(av_frame_get_side_data(out, AV_FRAME_DATA_DISPLAYMATRIX));
            for (int p = 0; cases[i].steps[p]; p++)
                check_plane(in, out, turn, p, cases[i].steps[p]);
            av_frame_free(&out);
        }
        av_frame_free(&in);
    }
}

static void what_cannot_be_turned_is_refused(void **state)
{
    (void)state;
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUYV422, AV_PIX_FMT_MONOBLACK,
                                                 AV_PIX_FMT_YUV411P};
    for (size_t i = 0; i < SC_COUNT(formats); i++) {
        AVFrame in = {.format = formats[i], .width = W, .height = H}, *out = &in;
        assert_int_equal(sc_turn_frame(&out, &in, (struct sc_turn){.rotation = 90}),
                         SC_EUNSUPPORTED);
        assert_null(out);
    }
}

static void matrices_are_read(void **state)
{
    (void)state;
    static const struct {
        int a, b, c, d;
        struct sc_turn turn;
    } cases[] = {
        {1, 0, 0, 1, {0}},
        {0, 1, -1, 0, {.rotation = 90}},
        {-1, 0, 0, -1, {.rotation = 180}},
        {0, -1, 1, 0, {.rotation = 270}},
        {-1, 0, 0, 1, {.hflip = true}},
        {0, 1, 1, 0, {.rotation = 90, .hflip = true}},
    };
    AVFormatContext *fmt = avformat_alloc_context();
    AVStream *stream = avformat_new_stream(fmt, NULL);
    assert_false(sc_turn_any(sc_turn_of(stream)));
    int32_t *m = (int32_t *)(void *)av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX,
                                                            9 * sizeof(*m));
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        m[0] = cases[i].a * 65536;
        m[1] = cases[i].b * 65536;
        m[3] = cases[i].c * 65536;
        m[4] = cases[i].d * 65536;
        struct sc_turn turn = sc_turn_of(stream);
        assert_int_equal(turn.rotation, cases[i].turn.rotation);
        assert_int_equal(turn.hflip, cases[i].turn.hflip);
        assert_int_equal(sc_turn_any(turn), i > 0);
    }
    avformat_free_context(fmt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_in_place),
        cmocka_unit_test(what_cannot_be_turned_is_refused),
        cmocka_unit_test(matrices_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
