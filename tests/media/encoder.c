// Pictures into packets: times, keyframes, sizes and rates are as they were asked for.
#include "media/encoder.h"

#include <libavutil/imgutils.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "media/scene.h"

#define FRAME_NS INT64_C(33366700) // no whole number of any encoder's ticks

struct fixture {
    sc_scene *scene;
    AVFrame *picture;
    int64_t painted;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct sc_scene_params params = {.width = 320, .height = 180, .noise = 3};
    *state = f;
    if (sc_scene_open(&f->scene, &params, NULL) < 0)
        return -1;
    f->picture = sc_scene_frame_new(f->scene);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    av_frame_free(&f->picture);
    sc_scene_close(&f->scene);
    free(f);
    return 0;
}

static const AVFrame *next_picture(struct fixture *f)
{
    AVFrame *fresh = sc_scene_frame_new(f->scene); // encoders keep the last ones
    sc_scene_render(f->scene, f->painted++, fresh);
    av_frame_free(&f->picture);
    f->picture = fresh;
    return fresh;
}

static sc_encoder *open_encoder(struct fixture *f, struct sc_encoder_params params)
{
    sc_encoder *encoder = NULL;
    sc_err err = {0};
    params.like = params.like ? params.like : next_picture(f);
    params.threads = 1;
    if (sc_encoder_open(&encoder, &params, &err) < 0)
        fail_msg("%s", err.text);
    return encoder;
}

// The packet that is ready at once.
static sc_packet *encode_one(sc_encoder *encoder, const AVFrame *picture, int64_t pts_ns)
{
    sc_packet *packet = NULL;
    assert_int_equal(sc_encoder_put(encoder, picture, pts_ns, FRAME_NS, NULL), SC_OK);
    assert_int_equal(sc_encoder_get(encoder, &packet, NULL), SC_OK);
    return packet;
}

static void live_holds_nothing_back(void **state)
{
    struct fixture *f = *state;
    sc_encoder *e = open_encoder(f, (struct sc_encoder_params){.live = true, .gop = 10});
    for (int n = 0; n < 25; n++) {
        sc_packet *packet = encode_one(e, next_picture(f), 7 + n * FRAME_NS), *more = NULL;
        assert_int_equal(packet->pts_ns, 7 + n * FRAME_NS);
        assert_int_equal(packet->dts_ns, packet->pts_ns);
        assert_int_equal(packet->duration_ns, FRAME_NS);
        assert_int_equal(packet->key, n % 10 == 0);
        assert_int_equal(packet->media, SC_MEDIA_VIDEO);
        assert_int_equal(sc_encoder_get(e, &more, NULL), SC_EAGAIN);
        sc_packet_unref(&packet);
    }
    struct sc_encoder_info info;
    sc_encoder_get_info(e, &info);
    assert_int_equal(info.packets, 25);
    assert_int_equal(info.keys, 3);
    assert_false(info.refitted);
    sc_encoder_close(&e);
}

static void packets_are_shared(void **state)
{
    struct fixture *f = *state;
    sc_encoder *e = open_encoder(f, (struct sc_encoder_params){.live = true});
    sc_packet *one = encode_one(e, next_picture(f), 0), *other = sc_packet_ref(one);
    sc_encoder_close(&e);
    AVPacket *clone = av_packet_alloc();
    assert_int_equal(sc_packet_clone(clone, one), SC_OK);
    assert_ptr_equal(clone->data, one->av->data);
    sc_packet_unref(&one);
    assert_null(one);
    assert_true(other->av->size > 0);
    sc_packet_unref(&other);
    av_packet_free(&clone);
}

static void wishes_for_a_key_are_one(void **state)
{
    struct fixture *f = *state;
    sc_encoder *e = open_encoder(f, (struct sc_encoder_params){.live = true, .gop = 100});
    for (int n = 0; n < 12; n++) {
        if (n == 6 || n == 9) {
            sc_encoder_want_key(e);
            sc_encoder_want_key(e);
        }
        sc_packet *packet = encode_one(e, next_picture(f), n * FRAME_NS);
        assert_int_equal(packet->key, n == 0 || n == 6 || n == 9);
        sc_packet_unref(&packet);
    }
    sc_encoder_close(&e);
}

// Regular keyframes keep their distance in time, whatever is wished for or left out in between.
static void regular_keys_go_by_time(void **state)
{
    struct fixture *f = *state;
    sc_encoder *e = open_encoder(
        f, (struct sc_encoder_params){.live = true, .gop = 5, .key_ns = 10 * FRAME_NS});
    for (int n = 0; n < 40; n++) {
        if (n == 14)
            sc_encoder_want_key(e);
        if (n > 22 && n < 26) // left out
            continue;
        // The picture that is due comes a little early.
        sc_packet *packet =
            encode_one(e, next_picture(f), n * FRAME_NS - (n == 30 ? FRAME_NS / 4 : 0));
        assert_int_equal(packet->key, n % 10 == 0 || n == 14);
        sc_packet_unref(&packet);
    }
    sc_encoder_close(&e);
}

static void files_get_all_pictures(void **state)
{
    struct fixture *f = *state;
    sc_encoder *e = open_encoder(f, (struct sc_encoder_params){.bframes = 2, .gop = 12});
    int64_t last_dts = INT64_MIN;
    bool seen[30] = {false};
    int count = 0, ret = 0;
    for (int n = 0; n <= 30; n++) {
        sc_packet *packet = NULL;
        if (n < 30)
            assert_int_equal(sc_encoder_put(e, next_picture(f), n * FRAME_NS, FRAME_NS, NULL),
                             SC_OK);
        else
            assert_int_equal(sc_encoder_flush(e, NULL), SC_OK);
        while ((ret = sc_encoder_get(e, &packet, NULL)) == SC_OK) {
            assert_true(packet->dts_ns > last_dts && packet->dts_ns <= packet->pts_ns);
            assert_int_equal(packet->pts_ns % FRAME_NS, 0);
            assert_false(seen[packet->pts_ns / FRAME_NS]);
            seen[packet->pts_ns / FRAME_NS] = true;
            last_dts = packet->dts_ns;
            count++;
            sc_packet_unref(&packet);
        }
    }
    assert_int_equal(ret, SC_EEOF);
    assert_int_equal(count, 30);
    sc_encoder_close(&e);
}

static void times_always_grow(void **state)
{
    struct fixture *f = *state;
    static const int64_t at[] = {0, 40000000, 40000000, 39000000, 80000000};
    sc_encoder *e = open_encoder(f, (struct sc_encoder_params){.live = true});
    int64_t last = -1;
    for (size_t n = 0; n < SC_COUNT(at); n++) {
        sc_packet *packet = encode_one(e, next_picture(f), at[n]);
        assert_true(packet->pts_ns > last);
        assert_true(packet->pts_ns - at[n] < 2 * SC_NS_PER_MS);
        last = packet->pts_ns;
        sc_packet_unref(&packet);
    }
    sc_encoder_close(&e);
}

static bool has_sps(const sc_packet *packet)
{
    for (int i = 0; i + 4 < packet->av->size; i++) {
        const uint8_t *d = packet->av->data + i;
        if (!d[0] && !d[1] && d[2] == 1 && (d[3] & 31) == 7)
            return true;
    }
    return false;
}

static void parameter_sets_are_where_they_should_be(void **state)
{
    struct fixture *f = *state;
    for (int in_band = 0; in_band < 2; in_band++) {
        sc_encoder *e =
            open_encoder(f, (struct sc_encoder_params){.live = true, .in_band = in_band});
        sc_packet *packet = encode_one(e, next_picture(f), 0);
        assert_int_equal(has_sps(packet), in_band);
        assert_int_equal(sc_encoder_codec(e)->extradata_size > 0, !in_band);
        sc_packet_unref(&packet);
        sc_encoder_close(&e);
    }
}

static AVFrame *decode(const sc_encoder *encoder, const sc_packet *packet)
{
    const AVCodecParameters *par = sc_encoder_codec(encoder);
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_decoder(par->codec_id));
    AVFrame *frame = av_frame_alloc();
    avcodec_parameters_to_context(codec, par);
    codec->thread_count = 1;
    assert_int_equal(avcodec_open2(codec, NULL, NULL), 0);
    assert_int_equal(avcodec_send_packet(codec, packet->av), 0);
    avcodec_send_packet(codec, NULL);
    assert_int_equal(avcodec_receive_frame(codec, frame), 0);
    avcodec_free_context(&codec);
    return frame;
}

static AVFrame *white_picture(int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    frame->width = width;
    frame->height = height;
    frame->format = AV_PIX_FMT_YUV422P;
    frame->colorspace = AVCOL_SPC_BT709;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    memset(frame->data[0], 235, (size_t)frame->linesize[0] * (size_t)height);
    memset(frame->data[1], 128, (size_t)frame->linesize[1] * (size_t)height);
    memset(frame->data[2], 128, (size_t)frame->linesize[2] * (size_t)height);
    return frame;
}

static void assert_luma(const AVFrame *frame, int x, int y, int expected)
{
    int got = frame->data[0][y * frame->linesize[0] + x];
    if (abs(got - expected) > 6)
        fail_msg("luma at %d,%d is %d, expected %d", x, y, got, expected);
}

// An upright picture between bars at the sides, a wide one between bars above and below.
static void other_shapes_get_bars(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int w, h, in_x, in_y, out_x, out_y;
    } cases[] = {
        {90, 180, 160, 5, 40, 90}, {640, 90, 5, 90, 160, 20}, {640, 360, 2, 2, -1, -1}};
    sc_encoder *e = open_encoder(f, (struct sc_encoder_params){.live = true, .crf = 10});
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        AVFrame *white = white_picture(cases[i].w, cases[i].h);
        sc_encoder_want_key(e);
        sc_packet *packet = encode_one(e, white, (int64_t)i * FRAME_NS);
        AVFrame *frame = decode(e, packet);
        assert_int_equal(frame->width, 320);
        assert_int_equal(frame->height, 180);
        assert_int_equal(frame->colorspace, AVCOL_SPC_BT709);
        assert_luma(frame, cases[i].in_x, cases[i].in_y, 235);
        if (cases[i].out_x >= 0)
            assert_luma(frame, cases[i].out_x, cases[i].out_y, 16);
        av_frame_free(&frame);
        av_frame_free(&white);
        sc_packet_unref(&packet);
    }
    struct sc_encoder_info info;
    sc_encoder_get_info(e, &info);
    assert_true(info.refitted);
    sc_encoder_close(&e);
}

static void sizes_are_chosen(void **state)
{
    struct fixture *f = *state;
    AVFrame *odd = white_picture(321, 181);
    struct sc_encoder_params params = {.live = true, .like = odd};
    sc_encoder *e = open_encoder(f, params);
    assert_int_equal(sc_encoder_codec(e)->width, 320);
    assert_int_equal(sc_encoder_codec(e)->height, 180);
    assert_int_equal(sc_encoder_codec(e)->format, AV_PIX_FMT_YUV420P);
    sc_encoder_close(&e);
    params.width = 160;
    params.height = 90;
    e = open_encoder(f, params);
    sc_packet *packet = encode_one(e, odd, 0);
    AVFrame *frame = decode(e, packet);
    assert_int_equal(frame->width, 160);
    assert_luma(frame, 1, 1, 235);
    assert_luma(frame, 158, 88, 235);
    av_frame_free(&frame);
    av_frame_free(&odd);
    sc_packet_unref(&packet);
    sc_encoder_close(&e);
}

static int64_t bytes_of(struct fixture *f, sc_encoder *e, int from, int to)
{
    int64_t bytes = 0;
    for (int n = from; n < to; n++) {
        sc_packet *packet = encode_one(e, next_picture(f), n * FRAME_NS);
        bytes += packet->av->size;
        sc_packet_unref(&packet);
    }
    return bytes;
}

static void bitrate_follows(void **state)
{
    struct fixture *f = *state;
    sc_encoder *e = open_encoder(
        f, (struct sc_encoder_params){
               .live = true, .bitrate = 1200000, .buffer_ms = 250, .preset = "ultrafast"});
    int64_t before = bytes_of(f, e, 0, 60);
    assert_in_range(before, 2 * 150000 * 7 / 10, 2 * 150000 * 13 / 10);
    assert_int_equal(sc_encoder_set_bitrate(e, 300000, 0), SC_OK);
    bytes_of(f, e, 60, 75);
    int64_t after = bytes_of(f, e, 75, 135);
    assert_in_range(after, 1, 2 * 37500 * 15 / 10);
    sc_encoder_close(&e);
    e = open_encoder(f, (struct sc_encoder_params){.live = true});
    assert_int_equal(sc_encoder_set_bitrate(e, 300000, 0), SC_EUNSUPPORTED);
    sc_encoder_close(&e);
}

static void other_codecs_work(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"hevc", "vp8", "vp9", "av1", "mpeg4"};
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        sc_encoder *e = NULL;
        struct sc_encoder_params params = {
            .like = next_picture(f), .codec = names[i], .live = true, .threads = 1};
        if (sc_encoder_open(&e, &params, NULL) < 0)
            continue; // this FFmpeg was built without it
        int packets = 0, ret = 0;
        for (int n = 0; n < 6; n++) {
            sc_packet *packet = NULL;
            if (n < 5)
                sc_encoder_put(e, next_picture(f), n * FRAME_NS, FRAME_NS, NULL);
            else
                sc_encoder_flush(e, NULL);
            while ((ret = sc_encoder_get(e, &packet, NULL)) == SC_OK) {
                assert_int_equal(packet->pts_ns, packets * FRAME_NS);
                assert_int_equal(packet->key, packets == 0);
                packets++;
                sc_packet_unref(&packet);
            }
            if (n < 5 && packets != n + 1)
                fail_msg("%s holds pictures back: %d of %d", names[i], packets, n + 1);
        }
        assert_int_equal(ret, SC_EEOF);
        sc_encoder_close(&e);
    }
}

static void nonsense_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        struct sc_encoder_params params;
        int code;
        const char *field;
    } cases[] = {
        {{.codec = "h263.9"}, SC_EUNSUPPORTED, "codec"},
        {{.codec = "aac"}, SC_EUNSUPPORTED, "codec"},
        {{.preset = "warp"}, SC_EUNSUPPORTED, "codec"}, // x264 looks at both when it opens
        {{.profile = "thin"}, SC_EUNSUPPORTED, "codec"},
        {{.codec = "vp8", .profile = "high"}, SC_EARG, "profile"},
        {{.codec = "vp8", .preset = "warp"}, SC_EARG, "preset"},
        {{.bitrate = -1}, SC_EARG, "bitrate"},
        {{.bitrate = 2000, .max_bitrate = 1000}, SC_EARG, "bitrate"},
        {{.width = 100000}, SC_EARG, "width"},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        struct sc_encoder_params params = cases[i].params;
        sc_encoder *e = NULL;
        sc_err err = {0};
        params.like = next_picture(f);
        assert_int_equal(sc_encoder_open(&e, &params, &err), cases[i].code);
        assert_string_equal(err.field, cases[i].field);
        assert_null(e);
    }
}

// In place of a gop of its own choice: a cut makes no keyframe, a wish does.
static void steady_ones_keep_to_wishes(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"libx264", "libvpx"};
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        AVFrame *white = white_picture(320, 180);
        sc_encoder *e = open_encoder(f, (struct sc_encoder_params){.codec = names[i],
                                                                   .live = true,
                                                                   .steady = true,
                                                                   .bitrate = 500000,
                                                                   .gop = 300});
        for (int n = 0; n < 40; n++) {
            if (n == 30)
                sc_encoder_want_key(e);
            sc_packet *packet =
                encode_one(e, n / 8 % 2 ? white : next_picture(f), n * FRAME_NS);
            assert_int_equal(packet->key, n == 0 || n == 30);
            sc_packet_unref(&packet);
        }
        sc_encoder_close(&e);
        av_frame_free(&white);
    }
}

// Full range becomes limited where players know nothing else.
static void narrow_ones_leave_full_range(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"libx264", "libvpx"};
    for (size_t i = 0; i < 2 * SC_COUNT(names); i++) {
        AVFrame *white = white_picture(320, 180);
        white->format = i % 2 ? AV_PIX_FMT_YUVJ422P : AV_PIX_FMT_YUV422P;
        white->color_range = AVCOL_RANGE_JPEG;
        memset(white->data[0], 255, (size_t)white->linesize[0] * 180);
        sc_encoder *e = open_encoder(f, (struct sc_encoder_params){.codec = names[i / 2],
                                                                   .like = white,
                                                                   .live = true,
                                                                   .narrow = true,
                                                                   .bitrate = 500000});
        sc_packet *packet = encode_one(e, white, 0);
        AVFrame *frame = decode(e, packet);
        assert_luma(frame, 160, 90, 235);
        assert_int_not_equal(frame->color_range, AVCOL_RANGE_JPEG);
        av_frame_free(&frame);
        av_frame_free(&white);
        sc_packet_unref(&packet);
        sc_encoder_close(&e);
    }
}

// What speeds an encoder is its preset, whatever it calls it; the level is the one asked for.
static void presets_and_levels(void **state)
{
    struct fixture *f = *state;
    sc_encoder *e = open_encoder(
        f, (struct sc_encoder_params){.codec = "vp8", .preset = "-8", .live = true});
    sc_encoder_close(&e);
    e = open_encoder(f, (struct sc_encoder_params){
                            .profile = "baseline", .level = 31, .live = true, .in_band = true});
    sc_packet *packet = encode_one(e, next_picture(f), 0);
    static const uint8_t sps[] = {66, 0xc0, 31}; // constrained baseline 3.1
    assert_int_equal(packet->av->data[4] & 31, 7);
    assert_memory_equal(packet->av->data + 5, sps, sizeof(sps));
    sc_packet_unref(&packet);
    sc_encoder_close(&e);
}

// x265 forgets what it takes for its zones when it opens.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libx265";
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_holds_nothing_back),
        cmocka_unit_test(packets_are_shared),
        cmocka_unit_test(wishes_for_a_key_are_one),
        cmocka_unit_test(regular_keys_go_by_time),
        cmocka_unit_test(files_get_all_pictures),
        cmocka_unit_test(times_always_grow),
        cmocka_unit_test(parameter_sets_are_where_they_should_be),
        cmocka_unit_test(other_shapes_get_bars),
        cmocka_unit_test(sizes_are_chosen),
        cmocka_unit_test(bitrate_follows),
        cmocka_unit_test(other_codecs_work),
        cmocka_unit_test(steady_ones_keep_to_wishes),
        cmocka_unit_test(narrow_ones_leave_full_range),
        cmocka_unit_test(presets_and_levels),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
