// The hub between a scripted stream and scripted peers; the estimate and the ladder are the real ones.
#include "rtc/hub.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fake_peer.h"

enum { HIGH, LOW, VP8, RUNGS, POINTS = SC_LIVE_SOUND + 1 };

static const struct sc_live_rung rungs[RUNGS] = {
    {.width = 1280, .height = 720, .bitrate = 2500000},
    {.width = 640, .height = 360, .bitrate = 600000},
    {.codec = SC_LIVE_VP8, .width = 854, .height = 480, .bitrate = 1000000},
};

// --- a stream by script -------------------------------------------------------------------

struct rig {
    sc_rtc_hub *hub;
    bool stopped; // the stream does not run
    bool wide;    // it has a camera
    bool tapped[POINTS], want_key[POINTS];
    int64_t bitrate[POINTS];
    void (*take[POINTS])(void *arg, const struct sc_live_sample *sample);
    void *arg[POINTS];
    int wakes, gone;
    char reason[100];
    int64_t pts_ns;
};

struct fake_tap {
    struct rig *rig;
    int rung;
};
static struct fake_tap taps[POINTS];

static int tap(void *arg, int rung, void **ptap,
               void (*take)(void *arg, const struct sc_live_sample *sample), void *take_arg,
               sc_err *err)
{
    struct rig *rig = arg;
    if (rig->stopped)
        return sc_fail(err, SC_EAGAIN, "it does not run");
    assert_false(rig->tapped[rung]);
    rig->tapped[rung] = true;
    rig->take[rung] = take;
    rig->arg[rung] = take_arg;
    taps[rung] = (struct fake_tap){rig, rung};
    *ptap = &taps[rung];
    return SC_OK;
}

static void untap(void *arg, void *tapped)
{
    (void)arg;
    struct fake_tap *t = tapped;
    assert_true(t->rig->tapped[t->rung]);
    t->rig->tapped[t->rung] = false;
}

static void want_key(void *arg, void *tapped)
{
    (void)arg;
    struct fake_tap *t = tapped;
    t->rig->want_key[t->rung] = true;
}

static int set_bitrate(void *arg, void *tapped, int64_t bitrate)
{
    (void)arg;
    struct fake_tap *t = tapped;
    t->rig->bitrate[t->rung] = bitrate;
    return SC_OK;
}

static void wake(void *arg)
{
    struct rig *rig = arg;
    rig->wakes++;
}

static void open_rig(struct rig *rig, int most)
{
    *rig = (struct rig){0};
    const struct sc_rtc_source source = {.tap = tap,
                                         .untap = untap,
                                         .want_key = want_key,
                                         .set_bitrate = set_bitrate,
                                         .arg = rig};
    rig->hub = sc_rtc_hub_open(&(struct sc_rtc_hub_params){.source = &source,
                                                           .rungs = rungs,
                                                           .rung_count = RUNGS,
                                                           .most = most,
                                                           .wake = wake,
                                                           .arg = rig});
}

static void close_rig(struct rig *rig)
{
    sc_rtc_hub_close(&rig->hub);
    for (int i = 0; i < POINTS; i++)
        assert_false(rig->tapped[i]);
    assert_int_equal(fake_peers, 0);
}

static sc_packet *make_packet(int rung, bool key)
{
    AVPacket *av = av_packet_alloc();
    assert_int_equal(av_new_packet(av, 100), 0);
    av->data[0] = (uint8_t)rung;
    av->flags = key ? AV_PKT_FLAG_KEY : 0;
    sc_packet *packet = sc_packet_wrap(av, SC_MEDIA_VIDEO);
    packet->key = key;
    return packet;
}

// A picture of all rungs that are tapped.
static void shoot(struct rig *rig, bool key, sc_detections *found)
{
    static const char *const labels[] = {"ball", "player"};
    struct sc_live_model model = {
        .batcher = found ? (sc_batcher *)rig : NULL, .labels = labels, .classes = 2};
    for (int i = 0; i < RUNGS; i++) {
        if (!rig->tapped[i])
            continue;
        struct sc_live_sample sample = {.packet = make_packet(i, key),
                                        .width = rungs[i].width,
                                        .height = rungs[i].height,
                                        .found = found,
                                        .source_width = 1920,
                                        .source_height = 1080,
                                        .crop = {100.25F, 50, 1920, 1080},
                                        .wide_width = rig->wide ? 3840 : 0,
                                        .wide_height = rig->wide ? 2160 : 0,
                                        .detected = true,
                                        .model = &model,
                                        .threshold = 0.5,
                                        .n = rig->pts_ns / 40000000,
                                        .pts_ns = rig->pts_ns,
                                        .arrival_ns = 1000000000,
                                        .ready_ns = 1012500000};
        rig->take[i](rig->arg[i], &sample);
        sc_packet_unref(&sample.packet);
    }
    rig->pts_ns += 40000000;
}

static void on_gone(void *arg, const char *reason)
{
    struct rig *rig = arg;
    rig->gone++;
    snprintf(rig->reason, sizeof(rig->reason), "%s", reason);
}

static sc_rtc_offer an_offer(bool h264, bool vp8)
{
    sc_rtc_offer offer = {.count = 1, .video = 0, .audio = -1, .data = -1};
    offer.media[0].h264.payload = h264 ? 102 : -1;
    offer.media[0].vp8.payload = vp8 ? 96 : -1;
    offer.media[0].opus.payload = -1;
    return offer;
}

static int join(struct rig *rig, bool h264, bool vp8, sc_rtc_viewer **pviewer)
{
    sc_rtc_offer offer = an_offer(h264, vp8);
    char *answer;
    sc_err err = {0};
    int ret = sc_rtc_hub_add(
        rig->hub, pviewer, &answer,
        &(struct sc_rtc_viewer_params){.offer = &offer, .on_gone = on_gone, .arg = rig}, &err);
    assert_int_equal(ret < 0, !*pviewer);
    assert_int_equal(ret < 0, !answer);
    if (ret < 0)
        assert_true(*err.text);
    free(answer);
    return ret;
}

// Connected, but for its data channel.
static sc_rtc_peer *join_without_channel(struct rig *rig, sc_rtc_viewer **pviewer)
{
    assert_int_equal(join(rig, true, true, pviewer), 0);
    sc_rtc_hub_step(rig->hub);
    sc_rtc_peer *peer = sc_rtc_viewer_peer(*pviewer);
    fake_connect(peer);
    return peer;
}

static sc_rtc_peer *join_well(struct rig *rig, sc_rtc_viewer **pviewer)
{
    sc_rtc_peer *peer = join_without_channel(rig, pviewer);
    fake_open_channel(peer);
    sc_rtc_hub_step(rig->hub);
    return peer;
}

static void assert_times_grow(const sc_rtc_peer *peer)
{
    for (int i = 1; i < peer->count; i++)
        assert_true((int32_t)(peer->sent[i].timestamp - peer->sent[i - 1].timestamp) > 0);
}

// --- tests --------------------------------------------------------------------------------

static void test_begins_with_a_keyframe(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer;
    open_rig(&rig, 0);
    assert_int_equal(join(&rig, true, true, &viewer), 0);
    assert_true(rig.wakes > 0);
    sc_rtc_hub_step(rig.hub);
    assert_true(rig.tapped[HIGH]); // it is encoded while the peer connects
    assert_false(rig.tapped[LOW]);
    sc_rtc_peer *peer = sc_rtc_viewer_peer(viewer);
    assert_int_equal(peer->codec, SC_RTC_H264);
    fake_connect(peer);
    sc_rtc_hub_step(rig.hub);
    assert_true(rig.want_key[HIGH]);
    shoot(&rig, false, NULL);
    assert_int_equal(peer->count, 0);
    shoot(&rig, true, NULL);
    shoot(&rig, false, NULL);
    assert_int_equal(peer->count, 2);
    assert_true(peer->sent[0].key);
    assert_int_equal(peer->sent[1].timestamp - peer->sent[0].timestamp, 3600);
    sc_rtc_hub_remove(&viewer);
    sc_rtc_hub_step(rig.hub);
    assert_false(rig.tapped[HIGH]); // nobody is left
    close_rig(&rig);
}

// What came since a keyframe of a moment ago is enough to begin with.
static void test_a_young_keyframe_serves_who_joins(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewers[3];
    open_rig(&rig, 0);
    assert_int_equal(join(&rig, true, true, &viewers[0]), 0);
    sc_rtc_hub_step(rig.hub);
    sc_rtc_peer *peer = sc_rtc_viewer_peer(viewers[0]);
    for (int i = 0; i < 4; i++)
        shoot(&rig, i == 1, NULL);
    assert_int_equal(peer->count, 0); // not before it is connected
    rig.want_key[HIGH] = false;
    fake_connect(peer);
    fake_open_channel(peer);
    sc_rtc_hub_step(rig.hub);
    shoot(&rig, false, NULL);
    assert_false(rig.want_key[HIGH]);
    assert_int_equal(peer->count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(peer->sent[i].key, i == 0);
    assert_int_equal(peer->texts, 4);
    shoot(&rig, false, NULL);
    assert_int_equal(peer->count, 5);
    assert_times_grow(peer);

    // One whose queue does not take it waits for the next keyframe, and is not sent the same twice.
    assert_int_equal(join(&rig, true, true, &viewers[1]), 0);
    sc_rtc_peer *full = sc_rtc_viewer_peer(viewers[1]);
    fake_connect(full);
    full->full = true;
    shoot(&rig, false, NULL);
    full->full = false;
    shoot(&rig, false, NULL);
    sc_rtc_hub_step(rig.hub);
    assert_true(rig.want_key[HIGH]);
    assert_int_equal(full->count, 0);
    shoot(&rig, true, NULL);
    assert_int_equal(full->count, 1);

    // Half a second later it would be too much.
    sc_clock_sleep(510 * SC_NS_PER_MS);
    rig.want_key[HIGH] = false;
    assert_int_equal(join(&rig, true, true, &viewers[2]), 0);
    sc_rtc_peer *late = sc_rtc_viewer_peer(viewers[2]);
    fake_connect(late);
    shoot(&rig, false, NULL);
    sc_rtc_hub_step(rig.hub);
    assert_true(rig.want_key[HIGH]);
    assert_int_equal(late->count, 0);
    for (int i = 0; i < 3; i++)
        sc_rtc_hub_remove(&viewers[i]);
    sc_rtc_hub_step(rig.hub);
    close_rig(&rig);
}

static void test_tells_detections_by_timestamp(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer;
    open_rig(&rig, 0);
    sc_rtc_peer *peer = join_well(&rig, &viewer);
    sc_detections *found = sc_detections_new(3);
    found->items[0] = (struct sc_detection){10, 20, 30.25f, 40, 0.875f, 1, 7};
    found->items[1] = (struct sc_detection){1, 2, 3, 4, 0.25f, 0, 9}; // weak, but tracked
    found->items[2] = (struct sc_detection){1, 2, 3, 4, 0.25f, 0, 0};
    shoot(&rig, true, found);
    assert_int_equal(peer->texts, 1);
    json_t *json = json_loads(peer->text, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "rtp")), peer->sent[0].timestamp);
    assert_int_equal(json_integer_value(json_object_get(json, "width")), 1920);
    assert_true(json_is_true(json_object_get(json, "detected")));
    assert_float_equal(json_number_value(json_object_get(json, "age_ms")), 12.5, 0.01);
    const json_t *list = json_object_get(json, "detections");
    assert_int_equal(json_array_size(list), 2);
    const json_t *item = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(item, "label")), "player");
    assert_int_equal(json_integer_value(json_object_get(item, "track")), 7);
    assert_float_equal(json_number_value(json_array_get(json_object_get(item, "box"), 2)), 30.2,
                       0.06);
    json_decref(json);
    assert_null(strstr(peer->text, "crop"));
    rig.wide = true;
    shoot(&rig, false, found);
    assert_non_null(
        strstr(peer->text, ",\"crop\":[100.2,50.0,1920.0,1080.0],\"crop_of\":[3840,2160]"));
    shoot(&rig, false, NULL); // no model: still the picture's name
    assert_non_null(strstr(peer->text, "\"n\":2"));
    assert_null(strstr(peer->text, "detections"));
    sc_detections_unref(&found);
    sc_rtc_hub_remove(&viewer);
    close_rig(&rig);
}

static uint32_t told(const sc_rtc_peer *peer)
{
    json_t *json = json_loads(peer->text, 0, NULL);
    assert_non_null(json);
    uint32_t timestamp = (uint32_t)json_integer_value(json_object_get(json, "rtp"));
    json_decref(json);
    return timestamp;
}

// A data channel opens later than pictures come: nothing was lost by then.
static void test_tells_of_pictures_before_the_channel(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer;
    open_rig(&rig, 0);
    sc_rtc_peer *peer = join_without_channel(&rig, &viewer);
    for (int i = 0; i < 6; i++)
        shoot(&rig, i == 2, NULL);
    assert_int_equal(peer->count, 4);
    fake_open_channel(peer);
    assert_int_equal(peer->texts, 4); // and not of the two before
    assert_int_equal(told(peer), peer->sent[3].timestamp);
    fake_open_channel(peer); // another one
    assert_int_equal(peer->texts, 4);
    shoot(&rig, false, NULL);
    assert_int_equal(peer->texts, 5);
    assert_int_equal(told(peer), peer->sent[4].timestamp);
    peer->full = true;
    shoot(&rig, false, NULL);
    peer->full = false;
    shoot(&rig, true, NULL);
    assert_int_equal(peer->texts, 6); // of what it gets only
    sc_rtc_hub_remove(&viewer);
    close_rig(&rig);
}

// So much of it as a channel takes at once, the last of it.
static void test_tells_the_last_of_too_much(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer;
    open_rig(&rig, 0);
    sc_rtc_peer *peer = join_without_channel(&rig, &viewer);
    sc_detections *found = sc_detections_new(12);
    for (int i = 0; i < found->count; i++)
        found->items[i] = (struct sc_detection){100, 200, 300, 400, 0.875f, 1, 1000 + i};
    for (int i = 0; i < 100; i++)
        shoot(&rig, i == 0, found);
    fake_open_channel(peer);
    assert_in_range(peer->texts, 10, 60);
    assert_in_range(peer->texts * strlen(peer->text), 28 << 10, 33 << 10);
    assert_int_equal(told(peer), peer->sent[99].timestamp);
    sc_detections_unref(&found);
    sc_rtc_hub_remove(&viewer);

    peer = join_without_channel(&rig, &viewer); // small ones, but many
    for (int i = 0; i < 100; i++)
        shoot(&rig, i == 0, NULL);
    fake_open_channel(peer);
    assert_in_range(peer->texts, 32, 99);
    assert_int_equal(told(peer), peer->sent[99].timestamp);
    sc_rtc_hub_remove(&viewer);
    close_rig(&rig);
}

static void test_viewers_share_a_rung(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *a, *b;
    open_rig(&rig, 2);
    sc_rtc_peer *first = join_well(&rig, &a);
    shoot(&rig, true, NULL);
    sc_rtc_peer *second = join_well(&rig, &b);
    shoot(&rig, false, NULL);
    shoot(&rig, true, NULL);
    assert_int_equal(first->count, 3);
    assert_int_equal(second->count, 3); // the keyframe before it came, too
    assert_int_equal(sc_rtc_hub_viewers(rig.hub), 2);
    sc_rtc_viewer *third = NULL;
    assert_int_equal(join(&rig, true, true, &third), SC_EBUSY);
    sc_rtc_hub_remove(&a);
    sc_rtc_hub_step(rig.hub);
    assert_true(rig.tapped[HIGH]);
    sc_rtc_hub_remove(&b);
    sc_rtc_hub_step(rig.hub);
    assert_false(rig.tapped[HIGH]);
    close_rig(&rig);
}

static void test_refuses_what_it_cannot_serve(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer = NULL;
    open_rig(&rig, 0);
    assert_int_equal(join(&rig, false, false, &viewer), SC_EUNSUPPORTED);
    fake_peer_ret = SC_ETIMEOUT;
    assert_int_equal(join(&rig, true, false, &viewer), SC_ETIMEOUT);
    fake_peer_ret = 0;
    assert_int_equal(sc_rtc_hub_viewers(rig.hub), 0);
    sc_rtc_hub_step(rig.hub);
    assert_false(rig.tapped[HIGH]);
    close_rig(&rig);
}

static void test_who_has_no_h264_gets_vp8(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer;
    open_rig(&rig, 0);
    assert_int_equal(join(&rig, false, true, &viewer), 0);
    sc_rtc_hub_step(rig.hub);
    sc_rtc_peer *peer = sc_rtc_viewer_peer(viewer);
    assert_int_equal(peer->codec, SC_RTC_VP8);
    assert_true(rig.tapped[VP8]);
    assert_false(rig.tapped[HIGH]);
    fake_connect(peer);
    shoot(&rig, true, NULL);
    assert_int_equal(peer->count, 1);
    assert_int_equal(peer->sent[0].rung, VP8);
    sc_rtc_hub_remove(&viewer);
    close_rig(&rig);
}

// Everything sent of late was lost.
static void lose_much(sc_rtc_peer *peer, uint16_t *seq)
{
    struct sc_rtc_arrival arrivals[40];
    int64_t now = sc_clock_now();
    for (int i = 0; i < 40; i++)
        arrivals[i] = (struct sc_rtc_arrival){.seq = (*seq)++,
                                              .lost = i % 2,
                                              .sent_ns = now - (40 - i) * 2000000,
                                              .arrived_ns = now - (40 - i) * 2000000 + 5000000,
                                              .size = 1200};
    peer->events.on_feedback(peer->events.arg, arrivals, 40);
}

static void test_goes_down_at_a_keyframe(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer;
    uint16_t seq = 0;
    open_rig(&rig, 0);
    sc_rtc_peer *peer = join_well(&rig, &viewer);
    shoot(&rig, true, NULL);
    int64_t pace = peer->pace;
    for (int i = 0; i < 40 && !rig.tapped[LOW]; i++) {
        lose_much(peer, &seq);
        sc_rtc_hub_step(rig.hub);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    assert_true(rig.tapped[LOW]);
    assert_true(rig.tapped[HIGH]); // until the other one has a keyframe
    assert_true(rig.want_key[LOW]);
    shoot(&rig, false, NULL);
    assert_int_equal(peer->sent[peer->count - 1].rung, HIGH);
    shoot(&rig, true, NULL);
    sc_rtc_hub_step(rig.hub);
    shoot(&rig, false, NULL);
    assert_int_equal(peer->sent[peer->count - 1].rung, LOW);
    assert_false(rig.tapped[HIGH]);
    assert_times_grow(peer);
    assert_true(peer->pace < pace);
    assert_int_equal(peer->rate, 600000);
    assert_true(peer->estimate > 0);
    struct sc_rtc_viewer_stats stats;
    sc_rtc_viewer_get_stats(viewer, &stats);
    assert_int_equal(stats.rung, LOW);
    assert_int_equal(stats.switches, 1);
    assert_int_equal(stats.width, 640);
    sc_rtc_hub_remove(&viewer);
    close_rig(&rig);
}

static void test_full_queue_asks_for_a_keyframe(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer;
    open_rig(&rig, 0);
    sc_rtc_peer *peer = join_well(&rig, &viewer);
    shoot(&rig, true, NULL);
    rig.want_key[HIGH] = false;
    peer->full = true;
    shoot(&rig, false, NULL);
    sc_rtc_hub_step(rig.hub);
    assert_true(rig.want_key[HIGH]);
    rig.want_key[HIGH] = false;
    peer->events.on_want_key(peer->events.arg);
    sc_rtc_hub_step(rig.hub);
    assert_true(rig.want_key[HIGH]);
    sc_rtc_hub_remove(&viewer);
    close_rig(&rig);
}

static void test_viewers_stay_over_a_restart(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer;
    open_rig(&rig, 0);
    sc_rtc_peer *peer = join_well(&rig, &viewer);
    rig.pts_ns = 3600 * SC_NS_PER_S;
    shoot(&rig, true, NULL);
    shoot(&rig, false, NULL);
    rig.stopped = true;
    rig.take[HIGH](rig.arg[HIGH], NULL);
    sc_rtc_hub_step(rig.hub);
    assert_false(rig.tapped[HIGH]);
    rig.stopped = false;
    for (int i = 0; i < 50 && !rig.tapped[HIGH]; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        sc_rtc_hub_step(rig.hub);
    }
    assert_true(rig.tapped[HIGH]);
    rig.pts_ns = 0; // a new run
    shoot(&rig, true, NULL);
    shoot(&rig, false, NULL);
    assert_int_equal(peer->count, 4);
    assert_times_grow(peer);
    assert_true(peer->sent[2].timestamp - peer->sent[1].timestamp < 2 * 90000);
    assert_int_equal(peer->sent[3].timestamp - peer->sent[2].timestamp, 3600);
    sc_rtc_hub_remove(&viewer);
    close_rig(&rig);
}

static void hear(struct rig *rig, int64_t pts_ns)
{
    AVPacket *av = av_packet_alloc();
    assert_int_equal(av_new_packet(av, 20), 0);
    av->data[0] = SC_LIVE_SOUND;
    av->pts = av->dts = pts_ns;
    struct sc_live_sample sample = {.packet = sc_packet_wrap(av, SC_MEDIA_SOUND),
                                    .pts_ns = pts_ns};
    rig->take[SC_LIVE_SOUND](rig->arg[SC_LIVE_SOUND], &sample);
    sc_packet_unref(&sample.packet);
}

static void test_sound_goes_with_the_pictures(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *with = NULL, *without;
    open_rig(&rig, 0);
    sc_rtc_peer *deaf = join_well(&rig, &without);
    assert_false(rig.tapped[SC_LIVE_SOUND]);
    sc_rtc_offer offer = an_offer(true, false);
    offer.audio = 1;
    char *answer;
    const struct sc_rtc_viewer_params params = {
        .offer = &offer, .sound = true, .on_gone = on_gone, .arg = &rig};
    assert_int_equal(sc_rtc_hub_add(rig.hub, &with, &answer, &params, NULL), 0);
    free(answer);
    sc_rtc_hub_step(rig.hub);
    assert_true(rig.tapped[SC_LIVE_SOUND]);
    sc_rtc_peer *peer = sc_rtc_viewer_peer(with);
    fake_connect(peer);
    hear(&rig, 0);
    assert_int_equal(peer->count, 0); // not before the first picture
    shoot(&rig, true, NULL);          // of time 0
    hear(&rig, 60000000);
    hear(&rig, 80000000);
    assert_int_equal(deaf->count, 1);
    assert_int_equal(peer->count, 3);
    assert_int_equal(peer->sent[2].timestamp - peer->sent[1].timestamp, 960);
    // One clock: the same time in ticks of 48 and of 90 kHz, from the same zero.
    int64_t zero = (int64_t)peer->sent[0].timestamp * 48 / 90;
    assert_true(llabs((int64_t)peer->sent[1].timestamp - zero - 2880) <= 1);
    sc_rtc_hub_remove(&with);
    sc_rtc_hub_step(rig.hub);
    assert_false(rig.tapped[SC_LIVE_SOUND]);
    sc_rtc_hub_remove(&without);
    close_rig(&rig);
}

static void test_tells_once_who_has_gone(void **state)
{
    (void)state;
    struct rig rig;
    sc_rtc_viewer *viewer;
    open_rig(&rig, 0);
    sc_rtc_peer *peer = join_well(&rig, &viewer);
    shoot(&rig, true, NULL);
    fake_leave(peer, "silent for 10 s");
    assert_int_equal(rig.gone, 0);
    shoot(&rig, false, NULL);
    assert_int_equal(peer->count, 1);
    sc_rtc_hub_step(rig.hub);
    sc_rtc_hub_step(rig.hub);
    assert_int_equal(rig.gone, 1);
    assert_string_equal(rig.reason, "silent for 10 s");
    sc_rtc_hub_remove(&viewer);
    close_rig(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_with_a_keyframe),
        cmocka_unit_test(test_a_young_keyframe_serves_who_joins),
        cmocka_unit_test(test_tells_detections_by_timestamp),
        cmocka_unit_test(test_tells_of_pictures_before_the_channel),
        cmocka_unit_test(test_tells_the_last_of_too_much),
        cmocka_unit_test(test_viewers_share_a_rung),
        cmocka_unit_test(test_refuses_what_it_cannot_serve),
        cmocka_unit_test(test_who_has_no_h264_gets_vp8),
        cmocka_unit_test(test_goes_down_at_a_keyframe),
        cmocka_unit_test(test_full_queue_asks_for_a_keyframe),
        cmocka_unit_test(test_viewers_stay_over_a_restart),
        cmocka_unit_test(test_sound_goes_with_the_pictures),
        cmocka_unit_test(test_tells_once_who_has_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
