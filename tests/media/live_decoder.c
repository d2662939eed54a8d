// Decoding live packets: numbers, times, changes of format, damage.
#include "media/live_decoder.h"

#include "base/clock.h"
#include "base/mem.h"
#include "clips.h"
#include "media/packet.h"
#include "media/scene.h"

#define MS SC_NS_PER_MS

// A decoder and what came out of it.
struct player {
    sc_live_decoder *dec;
    sc_live_streams *streams;
    int64_t frames, last_ns;
    int width;
    bool stamped; // frames carry their number
    int damage;   // every so many-th packet is spoilt; 0 = none
    int lose;     // so many packets from the start never come
    int64_t packets;
};

static int open_player(struct player *p, const struct player *values,
                       const struct sc_live_decoder_params *params)
{
    *p = *values;
    p->last_ns = -1;
    return sc_live_decoder_open(&p->dec, params, NULL);
}

static void take_frames(struct player *p)
{
    sc_frame *frame;
    int ret;
    while ((ret = sc_live_decoder_receive(p->dec, &frame)) == SC_OK) {
        assert_int_equal(frame->n, p->frames++);
        assert_true(frame->pts_ns > p->last_ns);
        p->last_ns = frame->pts_ns;
        p->width = frame->av->width;
        if (p->stamped)
            assert_int_equal(sc_scene_read_stamp(frame->av), frame->n);
        sc_frame_unref(&frame);
    }
    assert_true(ret == SC_EAGAIN || ret == SC_EEOF);
}

static void restart(struct player *p)
{
    sc_err err = {0};
    sc_live_decoder_send(p->dec, NULL);
    take_frames(p);
    assert_int_equal(sc_live_decoder_start(p->dec, p->streams, &err), SC_OK);
}

static void send(struct player *p, sc_packet *packet)
{
    if (p->packets++ < p->lose)
        return;
    if (p->damage && p->packets % p->damage == 0) {
        assert_int_equal(av_packet_make_writable(packet->av), 0);
        for (int i = packet->av->size / 4; i < packet->av->size; i += 3)
            packet->av->data[i] ^= 0x5a;
    }
    int ret;
    while ((ret = sc_live_decoder_send(p->dec, packet)) == SC_EAGAIN)
        take_frames(p);
    assert_true(ret == SC_OK || (p->damage && ret == SC_EDATA));
    take_frames(p);
}

static void play(struct player *p, const char *url, bool loop, int pictures)
{
    sc_live_input *in = NULL;
    struct sc_live_item item;
    sc_err err = {0};
    struct sc_live_input_params params = {.url = url, .loop = loop};
    assert_int_equal(sc_live_input_open(&in, &params, &err), SC_OK);
    while (pictures && sc_live_input_read(in, &item, &err) == SC_OK) {
        if (item.type == SC_LIVE_STREAMS) {
            sc_live_streams_unref(&p->streams);
            p->streams = sc_live_streams_ref(item.streams);
            restart(p);
        } else if (item.type == SC_LIVE_PACKET && item.packet->media == SC_MEDIA_VIDEO) {
            if (item.resumed)
                restart(p);
            send(p, item.packet);
            pictures--;
        }
        sc_live_item_release(&item);
    }
    sc_live_decoder_send(p->dec, NULL);
    take_frames(p);
    sc_live_input_close(&in);
}

static void close_player(struct player *p)
{
    sc_live_streams_unref(&p->streams);
    sc_live_decoder_close(&p->dec);
    assert_null(p->dec);
}

static void frames_come_in_order_with_their_times(void **state)
{
    static const char *const options[] = {"-c copy", "-c copy",
                                          "-c:v libx265 -bf 3 -x265-params "
                                          "log-level=none:pools=1",
                                          "-c:v mpeg2video -bf 2 -q:v 2", "-c:v mjpeg -q:v 2"};
    static const char *const names[] = {"d.ts", "d.mkv", "d265.ts", "d2.ts", "d.avi"};
    char clip[128], path[128];
    scene_clip(state, "clip.mp4", 50, 12, 2, clip);
    for (size_t i = 0; i < SC_COUNT(names); i++)
        for (int threads = 0; threads < 3; threads++) {
            struct player p;
            sc_buffers *buffers = sc_buffers_new(1 << 20);
            recode(state, clip, options[i], names[i], path);
            open_player(&p, &(struct player){.stamped = true},
                        &(struct sc_live_decoder_params){threads, threads ? buffers : NULL});
            sc_buffers_unref(&buffers);
            play(&p, path, false, 1000);
            assert_int_equal(p.frames, 50);
            assert_in_range(p.last_ns / MS, 1959, 2200);
            close_player(&p);
        }
}

static void raw_pictures_pass(void **state)
{
    struct player p;
    (void)state;
    open_player(&p, &(struct player){.stamped = true}, NULL);
    play(&p, "testsrc:size=160x128,rate=25", false, 30);
    assert_int_equal(p.frames, 30);
    assert_int_equal(p.last_ns / MS, 29 * 40);
    close_player(&p);
}

static void numbers_go_on_over_changes(void **state)
{
    char clip[128], a[128], b[128], both[128];
    struct player p;
    scene_clip(state, "clip.mp4", 50, 12, 2, clip);
    recode(state, clip, "-c copy", "small.ts", a);
    recode(state, clip, "-vf scale=320:192 -c:v libx264 -preset ultrafast -g 10", "large.ts",
           b);
    folder_file(state, "both.ts", both);
    free(clip_run("cat '%s' '%s' > '%s'", a, b, both));
    open_player(&p, &(struct player){0}, NULL);
    play(&p, both, true, 250); // two rounds and a half
    assert_int_equal(p.frames, 250);
    assert_int_equal(p.width, 160);
    close_player(&p);
}

static void damage_is_counted_and_passed_over(void **state)
{
    char clip[128], path[128];
    struct sc_live_decoder_info info;
    struct player p;
    scene_clip(state, "clip.mp4", 50, 12, 2, clip);
    recode(state, clip, "-c copy", "d.ts", path);
    open_player(&p, &(struct player){.damage = 7}, NULL);
    play(&p, path, true, 200);
    sc_live_decoder_get_info(p.dec, &info);
    assert_string_equal(info.codec, "h264");
    assert_in_range(p.frames, 100, 200);
    assert_int_equal(info.frames, p.frames);
    assert_true(info.damaged + info.complaints > 10);
    close_player(&p);
}

static void nothing_comes_before_an_entry(void **state)
{
    char clip[128], path[128];
    struct sc_live_decoder_info info;
    struct player p;
    scene_clip(state, "clip.mp4", 50, 12, 2, clip);
    recode(state, clip, "-c:v mpeg2video -g 12 -bf 0 -q:v 2", "entry.ts", path);
    open_player(&p, &(struct player){.lose = 5}, NULL);
    play(&p, path, false, 1000);
    sc_live_decoder_get_info(p.dec, &info);
    assert_int_equal(info.skipped, 7);
    assert_int_equal(p.frames, 38);
    close_player(&p);
}

static void unknown_codecs_are_refused(void **state)
{
    sc_live_decoder *dec = NULL;
    sc_err err = {0};
    sc_frame *frame;
    (void)state;
    AVCodecParameters *par = avcodec_parameters_alloc();
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_PROBE;
    sc_live_streams streams = {.video = par, .live = true};
    sc_ref_init(&streams.ref);
    assert_int_equal(sc_live_decoder_open(&dec, NULL, &err), SC_OK);
    assert_int_equal(sc_live_decoder_start(dec, &streams, &err), SC_EUNSUPPORTED);
    assert_int_equal(sc_live_decoder_receive(dec, &frame), SC_EEOF);
    sc_live_decoder_close(&dec);
    avcodec_parameters_free(&par);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_in_order_with_their_times),
        cmocka_unit_test(raw_pictures_pass),
        cmocka_unit_test(numbers_go_on_over_changes),
        cmocka_unit_test(damage_is_counted_and_passed_over),
        cmocka_unit_test(nothing_comes_before_an_entry),
        cmocka_unit_test(unknown_codecs_are_refused),
    };
    return cmocka_run_group_tests_name("live_decoder", tests, folder_open, folder_close);
}
