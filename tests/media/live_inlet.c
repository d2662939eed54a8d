// An inlet: what is published comes out of a live input, repaired; publishers come and go.
#include "media/live_inlet.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "live_feed.h"
#include "media/live_input.h"

static sc_live_input *open_input(sc_live_inlet *inlet, sc_cancel *cancel)
{
    sc_live_input *in;
    sc_err err = {0};
    const struct sc_live_input_params params = {
        .url = "whip:", .inlet = inlet, .cancel = cancel, .retry = {.first_ns = SC_NS_PER_MS}};
    if (sc_live_input_open(&in, &params, &err))
        fail_msg("%s", err.text);
    return in;
}

// As feed_open(), with parameter sets where publishers have them: in the packets.
static int open_feed(struct feed *feed, const char *codec)
{
    sc_err err = {0};
    if (feed_open(feed, codec, 1000, false, &err))
        return -1;
    sc_encoder_close(&feed->encoder);
    AVFrame *like = sc_scene_frame_new(feed->scene);
    sc_scene_render(feed->scene, 0, like);
    const struct sc_encoder_params params = {.like = like,
                                             .frame_rate = {FEED_FPS, 1},
                                             .codec = codec,
                                             .bitrate = 500000,
                                             .gop = 1000,
                                             .threads = 1,
                                             .in_band = true,
                                             .live = true};
    int ret = sc_encoder_open(&feed->encoder, &params, &err);
    av_frame_free(&like);
    return ret;
}

// Publishes `count` pictures of one GOP, waiting for a reader first.
struct publisher {
    sc_live_inlet *inlet;
    const char *codec;
    enum AVCodecID id;
    int count;
    int sent;
    atomic_int keys_wanted;
};

static void on_want_key(void *arg)
{
    struct publisher *p = arg;
    atomic_fetch_add(&p->keys_wanted, 1);
}

static void *publish(void *arg)
{
    struct publisher *p = arg;
    struct feed feed;
    while (!sc_live_inlet_is_read(p->inlet))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    const struct sc_live_inlet_params params = {.want_key = on_want_key, .arg = p};
    bool began = sc_live_inlet_begin(p->inlet, p->id, AV_CODEC_ID_NONE, &params);
    if (!began || open_feed(&feed, p->codec))
        return NULL;
    while (!atomic_load(&p->keys_wanted)) // the reader is not there yet
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    for (int i = 0; i < p->count; i++) {
        sc_packet *packet = feed_picture(&feed, 0);
        p->sent += sc_live_inlet_packet(p->inlet, packet);
        sc_packet_unref(&packet);
    }
    sc_live_inlet_end(p->inlet);
    feed_close(&feed);
    return NULL;
}

struct seen {
    int streams, pictures, keys, lost, resumed;
    int width, height;
    int64_t last_ns;
    char why[200];
};

// Reads until `pictures` have come and the publisher is gone.
static void read_all(sc_live_input *in, struct seen *seen, int pictures)
{
    struct sc_live_item item;
    sc_err err = {0};
    while (seen->pictures < pictures || !seen->lost) {
        int ret = sc_live_input_read(in, &item, &err);
        if (ret)
            fail_msg("%d %s", ret, err.text);
        if (item.type == SC_LIVE_STREAMS) {
            seen->streams++;
            seen->width = item.streams->video->width;
            seen->height = item.streams->video->height;
        } else if (item.type == SC_LIVE_PACKET) {
            assert_true(!seen->pictures || item.packet->pts_ns > seen->last_ns);
            seen->last_ns = item.packet->pts_ns;
            seen->pictures++;
            seen->keys += item.packet->key;
            seen->resumed += item.resumed;
        } else if (item.state == SC_LIVE_LOST) {
            seen->lost++;
            snprintf(seen->why, sizeof(seen->why), "%.190s", item.err.text);
        }
        sc_live_item_release(&item);
    }
}

static void test_what_is_published_comes_out(void **state)
{
    static const struct {
        const char *codec;
        enum AVCodecID id;
    } cases[] = {{"libx264", AV_CODEC_ID_H264}, {"libvpx", AV_CODEC_ID_VP8}};
    (void)state;
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_live_inlet *inlet = sc_live_inlet_new();
        sc_live_input *in = open_input(inlet, NULL);
        struct publisher p = {
            .inlet = inlet, .codec = cases[i].codec, .id = cases[i].id, .count = 30};
        struct seen seen = {0};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, publish, &p), 0);
        read_all(in, &seen, 30);
        pthread_join(thread, NULL);
        assert_int_equal(p.sent, 30);
        assert_int_equal(seen.pictures, 30);
        assert_int_equal(seen.keys, 1);
        assert_int_equal(seen.streams, 1);
        assert_int_equal(seen.width, 320);
        assert_int_equal(seen.height, 180);
        assert_non_null(strstr(seen.why, "has left"));
        sc_live_input_close(&in);
        assert_false(sc_live_inlet_is_read(inlet));
        sc_live_inlet_unref(&inlet);
    }
}

static void test_the_next_publisher_goes_on(void **state)
{
    (void)state;
    sc_live_inlet *inlet = sc_live_inlet_new();
    sc_live_input *in = open_input(inlet, NULL);
    struct seen seen = {0};
    for (int i = 1; i <= 2; i++) {
        struct publisher p = {
            .inlet = inlet, .codec = "libx264", .id = AV_CODEC_ID_H264, .count = 10};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, publish, &p), 0);
        seen.lost = 0;
        read_all(in, &seen, 10 * i);
        pthread_join(thread, NULL);
    }
    assert_int_equal(seen.pictures, 20);
    assert_int_equal(seen.resumed, 1); // times grew over the change: read_all() looks
    sc_live_input_close(&in);
    sc_live_inlet_unref(&inlet);
}

static void test_one_publisher_at_a_time(void **state)
{
    (void)state;
    const struct sc_live_inlet_params params = {0};
    sc_live_inlet *inlet = sc_live_inlet_new();
    assert_true(sc_live_inlet_begin(inlet, AV_CODEC_ID_H264, AV_CODEC_ID_NONE, &params));
    assert_false(sc_live_inlet_begin(inlet, AV_CODEC_ID_VP8, AV_CODEC_ID_NONE, &params));
    sc_live_inlet_end(inlet);
    assert_true(sc_live_inlet_begin(inlet, AV_CODEC_ID_VP8, AV_CODEC_ID_NONE, &params));
    sc_live_inlet_end(inlet);
    sc_live_inlet_unref(&inlet);
}

static void *cancel_soon(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    sc_cancel_request(arg);
    return NULL;
}

static void test_waiting_ends_with_a_cancel(void **state)
{
    (void)state;
    sc_live_inlet *inlet = sc_live_inlet_new();
    sc_cancel *cancel = sc_cancel_new(NULL);
    sc_live_input *in = open_input(inlet, cancel);
    struct sc_live_item item;
    sc_err err = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, cancel), 0);
    int ret;
    while ((ret = sc_live_input_read(in, &item, &err)) == SC_OK)
        sc_live_item_release(&item);
    assert_int_equal(ret, SC_ECANCELLED);
    pthread_join(thread, NULL);
    sc_live_input_close(&in);
    sc_cancel_free(&cancel);
    sc_live_inlet_unref(&inlet);
}

// Nobody takes what comes: it is bounded, and goes on with the next keyframe.
static void test_a_reader_that_stands_still(void **state)
{
    (void)state;
    sc_live_inlet *inlet = sc_live_inlet_new();
    struct publisher p = {.inlet = inlet};
    const struct sc_live_inlet_params params = {.want_key = on_want_key, .arg = &p};
    struct feed feed;
    sc_live_input *in = open_input(inlet, NULL);
    assert_int_equal(open_feed(&feed, "libx264"), 0);
    sc_packet *key = feed_picture(&feed, 0), *delta = feed_picture(&feed, 0);
    assert_true(key->key && !delta->key);
    assert_true(sc_live_inlet_begin(inlet, AV_CODEC_ID_H264, AV_CODEC_ID_NONE, &params));
    assert_false(sc_live_inlet_packet(inlet, key)); // nobody reads
    struct publisher other = {
        .inlet = inlet, .codec = "libx264", .id = AV_CODEC_ID_H264, .count = 1};
    sc_live_inlet_end(inlet);
    pthread_t thread;
    struct seen seen = {0};
    assert_int_equal(pthread_create(&thread, NULL, publish, &other), 0);
    read_all(in, &seen, 1);
    pthread_join(thread, NULL);
    // The input waits for the next one: it is given no time to look.
    assert_true(sc_live_inlet_begin(inlet, AV_CODEC_ID_H264, AV_CODEC_ID_NONE, &params));
    int taken = 0;
    if (sc_live_inlet_is_read(inlet)) {
        assert_true(sc_live_inlet_packet(inlet, key));
        for (int i = 0; i < 5000; i++)
            taken += sc_live_inlet_packet(inlet, delta);
        assert_true(taken < 1100);
        assert_true(atomic_load(&p.keys_wanted) > 0);
        assert_true(sc_live_inlet_packet(inlet, key));
        assert_true(sc_live_inlet_packet(inlet, delta));
    }
    sc_packet_unref(&key);
    sc_packet_unref(&delta);
    feed_close(&feed);
    sc_live_input_close(&in);
    sc_live_inlet_unref(&inlet);
}

static void test_it_is_no_address_of_its_own(void **state)
{
    (void)state;
    sc_live_input *in;
    sc_err err = {0};
    assert_int_equal(
        sc_live_input_open(&in, &(struct sc_live_input_params){.url = "whip:"}, &err), SC_EARG);
    assert_string_equal(err.field, "url");
    assert_null(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_published_comes_out),
        cmocka_unit_test(test_the_next_publisher_goes_on),
        cmocka_unit_test(test_one_publisher_at_a_time),
        cmocka_unit_test(test_waiting_ends_with_a_cancel),
        cmocka_unit_test(test_a_reader_that_stands_still),
        cmocka_unit_test(test_it_is_no_address_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
