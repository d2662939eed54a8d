// Decoding by packet number: each frame carries the number of the packet it was made from.
#include "media/decoder.h"

#include "clips.h"
#include "media/scene.h"
#include "media/source.h"

static int64_t errors_to_come; // from libavcodec, before it answers again

int __real_avcodec_receive_frame(AVCodecContext *ctx, AVFrame *frame);
int __wrap_avcodec_receive_frame(AVCodecContext *ctx, AVFrame *frame);
int __wrap_avcodec_receive_frame(AVCodecContext *ctx, AVFrame *frame)
{
    if (!errors_to_come)
        return __real_avcodec_receive_frame(ctx, frame);
    errors_to_come--;
    return AVERROR_INVALIDDATA;
}

struct taken {
    const sc_index *ix;
    int64_t last, count, stop;
    bool check; // the stamp is the display number
};

static int take(void *arg, AVFrame *frame, int64_t k)
{
    struct taken *t = arg;
    assert_in_range(k, 0, sc_index_get_info(t->ix)->packets - 1);
    int64_t n = sc_index_packet(t->ix, k).frame;
    if (t->check)
        assert_int_equal(sc_scene_read_stamp(frame), n);
    if (t->check)
        assert_true(n > t->last);
    t->last = n;
    return ++t->count == t->stop ? 77 : 0;
}

static int range(sc_index *ix, const char *path, int64_t from, int64_t to, int threads,
                 struct taken *t)
{
    int64_t errors = -1;
    *t = (struct taken){.ix = ix, .last = -1, .check = true, .stop = t->stop};
    int ret = sc_decode_range(ix, path, from, to, threads, NULL, take, t, &errors, NULL);
    assert_int_equal(errors, 0);
    return ret;
}

static void frames_know_their_packets(void **state)
{
    static const char *const options[] = {
        "-c copy", "-c:v libx265 -bf 3 -x265-params log-level=none:pools=1",
        "-c:v mpeg2video -bf 2 -q:v 2", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8",
        "-c:v mjpeg -q:v 2"};
    static const char *const names[] = {"d.ts", "d265.mkv", "d2.mpg", "d.webm", "d.avi"};
    char clip[128], path[128];
    struct taken t = {.stop = 0};
    scene_clip(state, "clip.mp4", 50, 12, 2, clip);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        sc_index *ix = build_index(recode(state, clip, options[i], names[i], path));
        int64_t packets = sc_index_get_info(ix)->packets;
        for (int threads = 1; threads <= 4; threads += 3) {
            assert_int_equal(range(ix, path, 0, packets, threads, &t), SC_OK);
            assert_int_equal(t.count, 50);
        }
        sc_index_unref(&ix);
    }
}

static void ranges_begin_at_entries(void **state)
{
    char clip[128];
    struct taken t = {.stop = 0};
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 50, 12, 2, clip));
    for (int64_t e = 0; e < sc_index_get_info(ix)->entries; e++) {
        struct sc_entry_info entry = sc_index_entry(ix, e);
        assert_int_equal(range(ix, clip, entry.packet, entry.end, 2, &t), SC_OK);
        assert_int_equal(t.count, entry.end - entry.packet);
    }
    t.stop = 3;
    assert_int_equal(range(ix, clip, 0, 50, 1, &t), 77); // what the callback returned
    assert_int_equal(t.count, 3);
    sc_cancel *cancel = sc_cancel_new(NULL);
    sc_cancel_request(cancel);
    assert_int_equal(sc_decode_range(ix, clip, 0, 50, 1, cancel, take, &t, NULL, NULL),
                     SC_ECANCELLED);
    sc_cancel_free(&cancel);
    sc_index_unref(&ix);
}

// Sends packets [from, to) and drains; the number of the first frame that comes out.
static int64_t first_out(sc_decoder *dec, sc_source *src, int64_t from, int64_t to)
{
    AVPacket *pkt = av_packet_alloc();
    int64_t first = -1, k;
    for (int64_t i = from; i <= to; i++) {
        AVFrame *frame;
        if (i < to)
            assert_int_equal(sc_source_read(src, i, pkt, NULL), SC_OK);
        assert_int_equal(sc_decoder_send(dec, i < to ? pkt : NULL), SC_OK);
        while (sc_decoder_receive(dec, &frame, &k) == SC_OK) {
            first = first < 0 ? k : first;
            av_frame_free(&frame);
        }
        assert_null(frame);
    }
    av_packet_free(&pkt);
    return first;
}

static void flushing_forgets(void **state)
{
    char clip[128];
    sc_decoder *dec;
    AVFrame *frame;
    int64_t k;
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 50, 12, 2, clip));
    sc_source *src = sc_source_open(ix, clip);
    assert_int_equal(sc_decoder_open(&dec, ix, 1, NULL, NULL), SC_OK);
    assert_int_equal(sc_decoder_threads(dec), 1);
    assert_int_equal(first_out(dec, src, 0, 5), 0);
    assert_int_equal(sc_decoder_receive(dec, &frame, &k), SC_EEOF);
    sc_decoder_flush(dec);
    assert_int_equal(sc_decoder_receive(dec, &frame, &k), SC_EAGAIN);
    int64_t entry = sc_index_entry(ix, 2).packet;
    assert_int_equal(first_out(dec, src, entry, entry + 3), entry);
    assert_int_equal(sc_decoder_errors(dec), 0);
    sc_decoder_close(&dec);
    assert_null(dec);
    sc_decoder_close(&dec);
    sc_source_close(&src);
    sc_index_unref(&ix);
}

static void damage_is_told(void **state)
{
    char clip[128];
    sc_decoder *dec;
    AVPacket *pkt = av_packet_alloc();
    AVFrame *frame;
    int64_t k;
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 50, 12, 2, clip));
    sc_source *src = sc_source_open(ix, clip);
    assert_int_equal(sc_decoder_open(&dec, ix, 1, NULL, NULL), SC_OK);
    for (int64_t i = 0; i < 12; i++) {
        assert_int_equal(sc_source_read(src, i, pkt, NULL), SC_OK);
        if (i == 3)
            memset(pkt->data + pkt->size / 3, 0x5a, (size_t)pkt->size * 2 / 3);
        int ret = sc_decoder_send(dec, pkt);
        assert_true(ret == SC_OK || ret == SC_EDATA);
        while (sc_decoder_receive(dec, &frame, &k) == SC_OK)
            av_frame_free(&frame);
    }
    assert_true(sc_decoder_errors(dec) > 0);
    av_packet_free(&pkt);
    sc_decoder_close(&dec);
    sc_source_close(&src);
    sc_index_unref(&ix);
}

static void stuck_decoders_are_emptied(void **state)
{
    char clip[128];
    sc_decoder *dec;
    AVFrame *frame;
    int64_t k;
    struct taken t = {.ix = NULL};
    sc_index *ix = build_index(scene_clip(state, "clip.mp4", 50, 12, 2, clip));
    sc_source *src = sc_source_open(ix, clip);
    assert_int_equal(sc_decoder_open(&dec, ix, 1, NULL, NULL), SC_OK);
    errors_to_come = 20; // a run of damage is passed over, nothing is lost
    assert_int_equal(first_out(dec, src, 0, 5), 0);
    assert_int_equal(sc_decoder_errors(dec), 0);
    errors_to_come = INT64_MAX;
    assert_int_equal(sc_decoder_receive(dec, &frame, &k), SC_EAGAIN);
    assert_null(frame);
    assert_int_equal(sc_decoder_errors(dec), 1);
    errors_to_come = 0; // it was draining: flushed, it takes packets again
    int64_t entry = sc_index_entry(ix, 2).packet;
    assert_int_equal(first_out(dec, src, entry, entry + 3), entry);
    sc_decoder_close(&dec);
    errors_to_come = INT64_MAX;
    t.ix = ix;
    assert_int_equal(sc_decode_range(ix, clip, 0, 50, 2, NULL, take, &t, &k, NULL), SC_OK);
    assert_int_equal(t.count, 0);
    assert_true(k > 0);
    errors_to_come = 0;
    sc_source_close(&src);
    sc_index_unref(&ix);
}

static void unknown_codecs_are_refused(void **state)
{
    (void)state;
    struct sc_frame_rec frame = {.ticks = 0};
    struct sc_packet_rec packet = {.size = 1};
    struct sc_entry_rec entry = {0};
    struct sc_index_parts parts = {.header = fake_header((AVRational){1, 25}, 1),
                                   .frames = &frame,
                                   .packets = &packet,
                                   .entries = &entry};
    sc_decoder *dec = NULL;
    sc_index *ix = NULL;
    sc_err err = {0};
    parts.header.frames = parts.header.packets = parts.header.entries = 1;
    snprintf(parts.header.codec_name, sizeof(parts.header.codec_name), "vvc");
    assert_int_equal(sc_index_assemble(&ix, &parts, &err), SC_OK);
    if (!avcodec_find_decoder(sc_index_get_info(ix)->codec_id)) {
        assert_int_equal(sc_decoder_open(&dec, ix, 1, NULL, &err), SC_EUNSUPPORTED);
        assert_null(dec);
        assert_non_null(strstr(err.text, "vvc"));
    }
    sc_index_unref(&ix);
    err = (sc_err){0};
    snprintf(parts.header.codec_name, sizeof(parts.header.codec_name), "nonesuch");
    assert_int_equal(sc_index_assemble(&ix, &parts, &err), SC_ESTALE);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_know_their_packets),
        cmocka_unit_test(ranges_begin_at_entries),
        cmocka_unit_test(flushing_forgets),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(stuck_decoders_are_emptied),
        cmocka_unit_test(unknown_codecs_are_refused),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
