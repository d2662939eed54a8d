// One encoding for many: what taps get, when it begins, what they may wish, and that it costs nothing without them.
#include "pipeline/stage_rung.h"

#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>

#include "../base/test.h"
#include "base/mem.h"
#include "media/scene.h"
#include "shots.h"

#define STEP   (40 * MS)
#define WIDTH  192
#define HEIGHT 108

struct rig {
    struct shots shots; // its source feeds the rungs, and its sink
    struct sc_live_facts facts;
    sc_rung *rungs[2];
    sc_scene *scene; // NULL: flat pictures that say their number
    int next;
};

static void start(struct rig *rig, int count, const struct sc_live_rung *wanted)
{
    *rig = (struct rig){0};
    shots_open(&rig->shots);
    sc_live_facts_init(&rig->facts);
    for (int i = 0; i < count; i++) {
        const struct sc_stage_rung_params params = {.name = i ? "rung-2" : "rung-1",
                                                    .wanted = wanted[i],
                                                    .rung = rig->rungs[i] = sc_rung_new(),
                                                    .facts = &rig->facts,
                                                    .threshold = 0.25,
                                                    .counts = !i};
        struct sc_link_params link = {.from = rig->shots.source};
        assert_int_equal(sc_stage_rung_add(rig->shots.graph, &params, &link.to, NULL), SC_OK);
        assert_int_equal(sc_graph_link(rig->shots.graph, &link, NULL), SC_OK);
    }
    const struct sc_link_params sink = {.from = rig->shots.source, .to = rig->shots.sink};
    assert_int_equal(sc_graph_link(rig->shots.graph, &sink, NULL), SC_OK);
    assert_int_equal(sc_graph_start(rig->shots.graph, NULL), SC_OK);
}

static void finish(struct rig *rig)
{
    shots_end(&rig->shots);
    assert_int_equal(sc_graph_wait(rig->shots.graph, 20000, NULL), SC_OK);
    shots_close(&rig->shots);
    for (int i = 0; i < 2; i++)
        sc_rung_unref(&rig->rungs[i]);
    sc_live_facts_release(&rig->facts);
    sc_scene_close(&rig->scene);
}

// --- pictures ---------------------------------------------------------------------------------

// 40 to 230, far enough apart for any encoder.
static int shade_of(int64_t n)
{
    return 40 + (int)(n * 7 % 20) * 10;
}

static AVFrame *flat(int width, int height, int64_t n)
{
    AVFrame *av = av_frame_alloc();
    av->width = width;
    av->height = height;
    av->format = AV_PIX_FMT_YUV420P;
    assert_int_equal(av_frame_get_buffer(av, 0), 0);
    memset(av->data[0], shade_of(n), (size_t)av->linesize[0] * (size_t)height);
    for (int i = 1; i < 3; i++)
        memset(av->data[i], 128, (size_t)av->linesize[i] * (size_t)((height + 1) / 2));
    return av;
}

static void send_picture(struct rig *rig, AVFrame *av)
{
    int64_t n = rig->next++;
    shots_send(&rig->shots, sc_shot_new(sc_frame_wrap(av, n, (n + 1) * STEP), sc_clock_now()));
}

static void send_some(struct rig *rig, int count)
{
    for (int i = 0; i < count; i++) {
        AVFrame *av =
            rig->scene ? sc_scene_frame_new(rig->scene) : flat(WIDTH, HEIGHT, rig->next);
        if (rig->scene)
            sc_scene_render(rig->scene, rig->next, av);
        send_picture(rig, av);
    }
    shots_wait_taken(&rig->shots, "rung-1", rig->next);
    shots_wait_seen(&rig->shots, rig->next);
}

// Until the last step has ended, and what it gave was seen.
static void settle(struct rig *rig, const char *stage)
{
    shots_wait_taken(&rig->shots, stage, rig->next);
    for (bool idle = false; !idle; sc_clock_sleep(MS)) {
        struct sc_graph_stats stats;
        sc_graph_get_stats(rig->shots.graph, &stats);
        for (int i = 0; i < stats.stage_count; i++)
            if (!strcmp(stats.stages[i].name, stage))
                idle = stats.stages[i].state != SC_STAGE_RUNNING &&
                       stats.stages[i].state != SC_STAGE_READY;
        sc_graph_stats_release(&stats);
    }
}

// --- eyes -------------------------------------------------------------------------------------

// What a tap got, decoded as it came.
struct eye {
    enum AVCodecID codec;
    pthread_mutex_t lock;
    // Under lock.
    AVCodecContext *decoder;
    int samples, keys, ends, wrong;
    bool first_key;
    int64_t bytes, first_n, last_n, key_ns[16];
    int width, height;
    bool sets;  // every keyframe began with SPS and PPS
    int slices; // at most in a packet
    uint8_t profile[3];
};

static void eye_open(struct eye *eye, enum AVCodecID codec)
{
    *eye = (struct eye){.codec = codec, .sets = true};
    pthread_mutex_init(&eye->lock, NULL);
    eye->decoder = avcodec_alloc_context3(avcodec_find_decoder(codec));
    eye->decoder->thread_count = 1;
    eye->decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
    assert_int_equal(avcodec_open2(eye->decoder, NULL, NULL), 0);
}

static void eye_close(struct eye *eye)
{
    avcodec_free_context(&eye->decoder);
    pthread_mutex_destroy(&eye->lock);
}

static void read_units(struct eye *eye, const sc_packet *packet)
{
    const uint8_t *d = packet->av->data;
    int types[64], count = 0, slices = 0;
    for (int i = 0; i + 6 < packet->av->size && count < 64; i++) {
        if (d[i] || d[i + 1] || d[i + 2] != 1)
            continue;
        types[count] = d[i + 3] & 31;
        if (types[count] == 7)
            memcpy(eye->profile, d + i + 4, 3);
        slices += types[count] == 1 || types[count] == 5;
        count++;
    }
    if (packet->key)
        eye->sets &= count > 2 && types[0] == 7 && types[1] == 8;
    eye->slices = slices > eye->slices ? slices : eye->slices;
}

static void decode(struct eye *eye, const struct sc_live_sample *sample)
{
    AVFrame *frame = av_frame_alloc();
    bool right = avcodec_send_packet(eye->decoder, sample->packet->av) >= 0 &&
                 avcodec_receive_frame(eye->decoder, frame) >= 0 &&
                 frame->width == sample->width && frame->height == sample->height;
    int at = frame->height / 2 * frame->linesize[0] + frame->width / 2;
    right = right && abs(frame->data[0][at] - shade_of(sample->n)) <= 4;
    eye->wrong += !right;
    av_frame_free(&frame);
}

static void take(void *arg, const struct sc_live_sample *sample)
{
    struct eye *eye = arg;
    pthread_mutex_lock(&eye->lock);
    if (!sample) {
        eye->ends++;
    } else {
        if (!eye->samples++) {
            eye->first_key = sample->packet->key;
            eye->first_n = sample->n;
        }
        if (sample->packet->key)
            eye->key_ns[eye->keys++ % 16] = sample->ready_ns;
        eye->bytes += sample->packet->av->size;
        eye->last_n = sample->n;
        eye->width = sample->width;
        eye->height = sample->height;
        eye->wrong += sample->pts_ns != (sample->n + 1) * STEP || sample->threshold != 0.25 ||
                      sample->ready_ns < sample->arrival_ns;
        if (eye->codec == AV_CODEC_ID_H264)
            read_units(eye, sample->packet);
        decode(eye, sample);
    }
    pthread_mutex_unlock(&eye->lock);
}

// --- what taps get ----------------------------------------------------------------------------

static void test_nobody_costs_nothing(void **state)
{
    (void)state;
    struct rig rig;
    struct sc_live_rung_figures figures;
    start(&rig, 1, &(struct sc_live_rung){0});
    send_some(&rig, 20);
    settle(&rig, "rung-1");
    sc_rung_get(rig.rungs[0], &figures);
    assert_int_equal(figures.pictures, 0);
    assert_int_equal(figures.width, 0);
    assert_true(figures.busy == 0);
    assert_int_equal(rig.facts.encoded, 20); // shown
    assert_int_equal(rig.facts.out_width, WIDTH);
    finish(&rig);
}

static void tap_of(enum sc_live_codec codec, enum AVCodecID id)
{
    struct rig rig;
    struct eye eye;
    sc_live_tap *tap;
    start(&rig, 1, &(struct sc_live_rung){.codec = codec, .bitrate = 300000});
    eye_open(&eye, id);
    sc_rung_add(rig.rungs[0], &tap, take, &eye);
    send_some(&rig, 40);
    settle(&rig, "rung-1");
    assert_int_equal(eye.samples, 40);
    assert_true(eye.first_key);
    assert_int_equal(eye.keys, 1);
    assert_int_equal(eye.wrong, 0);
    assert_int_equal(eye.width, WIDTH);
    finish(&rig);
    assert_int_equal(eye.ends, 1);
    if (id == AV_CODEC_ID_H264) {
        assert_true(eye.sets);
        assert_int_equal(eye.slices, 1);
        assert_int_equal(eye.profile[0], 66);          // baseline,
        assert_int_equal(eye.profile[1] & 0xc0, 0xc0); // constrained,
        assert_int_equal(eye.profile[2], 31);          // 3.1
    }
    sc_live_tap_close(&tap); // after the graph's end
    eye_close(&eye);
}

static void test_h264(void **state)
{
    (void)state;
    tap_of(SC_LIVE_H264, AV_CODEC_ID_H264);
}

static void test_vp8(void **state)
{
    (void)state;
    tap_of(SC_LIVE_VP8, AV_CODEC_ID_VP8);
}

// Who comes later begins with a keyframe, which the first one sees, too.
static void test_joining(void **state)
{
    (void)state;
    struct rig rig;
    struct eye eyes[2];
    sc_live_tap *taps[2];
    start(&rig, 1, &(struct sc_live_rung){0});
    for (int i = 0; i < 2; i++)
        eye_open(&eyes[i], AV_CODEC_ID_H264);
    sc_rung_add(rig.rungs[0], &taps[0], take, &eyes[0]);
    send_some(&rig, 5);
    settle(&rig, "rung-1");
    sc_rung_add(rig.rungs[0], &taps[1], take, &eyes[1]);
    send_some(&rig, 5);
    settle(&rig, "rung-1");
    if (sc_clock_now() - eyes[0].key_ns[0] < 500 * MS)
        assert_int_equal(eyes[1].samples, 0); // too soon after the last keyframe
    sc_clock_sleep(500 * MS);
    send_some(&rig, 5);
    settle(&rig, "rung-1");
    assert_int_equal(eyes[0].samples, 15);
    assert_int_equal(eyes[0].keys, 2);
    assert_int_equal(eyes[1].samples, 15 - eyes[1].first_n);
    assert_true(eyes[1].first_key);
    sc_live_tap_close(&taps[0]);
    send_some(&rig, 5);
    finish(&rig);
    assert_int_equal(eyes[0].samples, 15);
    assert_int_equal(eyes[0].ends, 0);
    assert_int_equal(eyes[1].samples, 20 - eyes[1].first_n);
    assert_int_equal(eyes[0].wrong + eyes[1].wrong, 0);
    sc_live_tap_close(&taps[1]);
    for (int i = 0; i < 2; i++)
        eye_close(&eyes[i]);
}

static void test_end_is_told_once(void **state)
{
    (void)state;
    struct rig rig;
    struct eye early, late;
    sc_live_tap *taps[2];
    start(&rig, 1, &(struct sc_live_rung){0});
    sc_rung *rung = sc_rung_ref(rig.rungs[0]);
    eye_open(&early, AV_CODEC_ID_H264);
    eye_open(&late, AV_CODEC_ID_H264);
    sc_rung_add(rung, &taps[0], take, &early); // before the first picture, which never comes
    finish(&rig);
    sc_rung_end(rung);
    assert_int_equal(early.ends, 1);
    sc_rung_add(rung, &taps[1], take, &late);
    assert_int_equal(late.ends, 1);
    sc_rung_unref(&rung);
    sc_live_want_key(taps[0]); // and nothing happens
    for (int i = 0; i < 2; i++)
        sc_live_tap_close(&taps[i]);
    sc_live_tap_close(&taps[0]);
    sc_live_tap_close(NULL);
    eye_close(&early);
    eye_close(&late);
}

// --- wishes -----------------------------------------------------------------------------------

static void test_keys_are_half_a_second_apart(void **state)
{
    (void)state;
    struct rig rig;
    struct eye eye;
    sc_live_tap *tap;
    start(&rig, 1, &(struct sc_live_rung){0});
    eye_open(&eye, AV_CODEC_ID_H264);
    sc_rung_add(rig.rungs[0], &tap, take, &eye);
    int64_t begin_ns = sc_clock_now();
    while (sc_clock_now() - begin_ns < 1200 * MS) {
        sc_live_want_key(tap);
        send_some(&rig, 1);
        sc_clock_sleep(10 * MS);
    }
    settle(&rig, "rung-1");
    struct sc_live_rung_figures figures;
    sc_rung_get(rig.rungs[0], &figures);
    assert_true(figures.busy > 0 && figures.busy < 1);
    assert_in_range(eye.keys, 2, 3); // a busy machine may miss a moment
    int keys = eye.keys;
    for (int i = 1; i < eye.keys; i++)
        assert_true(eye.key_ns[i] - eye.key_ns[i - 1] >= 500 * MS);
    // The last wish, which came too soon, was kept; after it there is none.
    sc_clock_sleep(500 * MS);
    send_some(&rig, 1);
    settle(&rig, "rung-1");
    assert_int_equal(eye.keys, keys + 1);
    sc_clock_sleep(550 * MS);
    send_some(&rig, 1);
    settle(&rig, "rung-1");
    assert_int_equal(eye.keys, keys + 1);
    finish(&rig);
    sc_live_tap_close(&tap);
    eye_close(&eye);
}

// A page that is loaded again costs nobody else a keyframe; where somebody else watches, it waits.
static void test_who_is_alone_need_not_wait(void **state)
{
    (void)state;
    struct rig rig;
    struct eye eyes[3];
    sc_live_tap *taps[3];
    start(&rig, 1, &(struct sc_live_rung){0});
    for (int i = 0; i < 3; i++)
        eye_open(&eyes[i], AV_CODEC_ID_H264);
    int64_t begin_ns = sc_clock_now();
    for (int i = 0; i < 2; i++) {
        sc_rung_add(rig.rungs[0], &taps[i], take, &eyes[i]);
        send_some(&rig, 3);
        settle(&rig, "rung-1");
        assert_int_equal(eyes[i].samples, 3);
        assert_true(eyes[i].first_key);
        if (i == 0)
            sc_live_tap_close(&taps[0]);
    }
    sc_rung_add(rig.rungs[0], &taps[2], take, &eyes[2]);
    send_some(&rig, 3);
    settle(&rig, "rung-1");
    if (sc_clock_now() - begin_ns < 500 * MS) // not so on a machine that is held up
        assert_int_equal(eyes[2].samples, 0);
    finish(&rig);
    for (int i = 1; i < 3; i++)
        sc_live_tap_close(&taps[i]);
    for (int i = 0; i < 3; i++)
        eye_close(&eyes[i]);
}

// Bits a second over 3 s of pictures.
static double rate_over(struct rig *rig, int count)
{
    struct sc_live_rung_figures before, after;
    settle(rig, "rung-1");
    sc_rung_get(rig->rungs[0], &before);
    send_some(rig, count);
    settle(rig, "rung-1");
    sc_rung_get(rig->rungs[0], &after);
    assert_int_equal(after.pictures - before.pictures, count);
    return (double)(after.bytes - before.bytes) * 8 / (count * 0.04);
}

static void assert_near(double got, double wanted)
{
    if (got < wanted * 0.8 || got > wanted * 1.2)
        fail_msg("%.0f bits a second instead of %.0f", got, wanted);
}

static void ignore(void *arg, const struct sc_live_sample *sample)
{
    (void)arg;
    (void)sample;
}

static void bitrate_of(enum sc_live_codec codec)
{
    struct rig rig;
    sc_live_tap *tap;
    struct sc_live_rung_figures figures;
    const struct sc_scene_params scene = {.width = 320, .height = 180, .noise = 4};
    start(&rig, 1, &(struct sc_live_rung){.codec = codec, .bitrate = 800000, .fps = 25});
    assert_int_equal(sc_scene_open(&rig.scene, &scene, NULL), SC_OK);
    sc_rung_add(rig.rungs[0], &tap, ignore, NULL);
    assert_near(rate_over(&rig, 75), 800000);
    assert_int_equal(sc_live_set_bitrate(tap, 5), SC_EARG);
    assert_int_equal(sc_live_set_bitrate(tap, 350000), SC_OK);
    if (codec == SC_LIVE_VP8)
        sc_clock_sleep(2000 * MS);
    assert_near(rate_over(&rig, 75), 350000);
    sc_rung_get(rig.rungs[0], &figures);
    assert_int_equal(figures.bitrate, 350000);
    assert_int_equal(sc_live_set_bitrate(tap, 700000), SC_OK);
    if (codec == SC_LIVE_VP8)
        sc_clock_sleep(2000 * MS);
    assert_near(rate_over(&rig, 75), 700000);
    finish(&rig);
    sc_live_tap_close(&tap);
}

static void test_bitrate_h264(void **state)
{
    (void)state;
    bitrate_of(SC_LIVE_H264);
}

static void test_bitrate_vp8(void **state)
{
    (void)state;
    bitrate_of(SC_LIVE_VP8);
}

// Nobody there for two seconds: the encoder goes, and what was wished of it.
static void test_idle_forgets(void **state)
{
    (void)state;
    struct rig rig;
    struct eye eye;
    sc_live_tap *tap;
    struct sc_live_rung_figures figures;
    start(&rig, 1, &(struct sc_live_rung){.bitrate = 300000});
    eye_open(&eye, AV_CODEC_ID_H264);
    for (int i = 0; i < 2; i++) {
        sc_rung_add(rig.rungs[0], &tap, take, &eye);
        send_some(&rig, 3);
        settle(&rig, "rung-1");
        sc_rung_get(rig.rungs[0], &figures);
        assert_int_equal(figures.bitrate, 300000);
        assert_int_equal(eye.keys, 1 + i);
        assert_int_equal(sc_live_set_bitrate(tap, 100000), SC_OK);
        send_some(&rig, 1);
        settle(&rig, "rung-1");
        sc_rung_get(rig.rungs[0], &figures);
        assert_int_equal(figures.bitrate, 100000);
        sc_live_tap_close(&tap);
        sc_clock_sleep(i ? 0 : 2050 * MS);
        send_some(&rig, 1);
        settle(&rig, "rung-1");
    }
    assert_int_equal(eye.samples, 8);
    assert_int_equal(eye.wrong, 0);
    finish(&rig);
    eye_close(&eye);
}

// --- sizes and rates --------------------------------------------------------------------------

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        int width, height;
        AVRational aspect;
        int most_width, most_height, out_width, out_height;
    } cases[] = {
        {192, 108, {1, 1}, 0, 0, 192, 108},  {192, 108, {1, 1}, 96, 0, 96, 54},
        {192, 108, {1, 1}, 0, 54, 96, 54},   {192, 108, {0, 1}, 400, 400, 192, 108},
        {192, 108, {1, 1}, 150, 54, 96, 54}, {191, 107, {1, 1}, 0, 0, 190, 106},
        {192, 108, {2, 1}, 0, 0, 192, 54},   {192, 108, {1, 2}, 0, 54, 48, 54},
        {108, 192, {1, 1}, 0, 96, 54, 96},   {640, 64, {1, 1}, 100, 0, 100, 10},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        struct rig rig;
        struct eye eye;
        sc_live_tap *tap;
        start(&rig, 1,
              &(struct sc_live_rung){.width = cases[i].most_width,
                                     .height = cases[i].most_height});
        eye_open(&eye, AV_CODEC_ID_H264);
        sc_rung_add(rig.rungs[0], &tap, take, &eye);
        for (int n = 0; n < 3; n++) {
            AVFrame *av = flat(cases[i].width, cases[i].height, rig.next);
            av->sample_aspect_ratio = cases[i].aspect;
            send_picture(&rig, av);
        }
        finish(&rig);
        assert_int_equal(eye.samples, 3);
        assert_int_equal(eye.width, cases[i].out_width);
        assert_int_equal(eye.height, cases[i].out_height);
        assert_int_equal(eye.wrong, 0);
        sc_live_tap_close(&tap);
        eye_close(&eye);
    }
}

// The source's picture changes: the encoding follows, from a keyframe on.
static void test_size_changes(void **state)
{
    (void)state;
    struct rig rig;
    struct eye eye;
    sc_live_tap *tap;
    start(&rig, 1, &(struct sc_live_rung){.height = 54});
    eye_open(&eye, AV_CODEC_ID_H264);
    sc_rung_add(rig.rungs[0], &tap, take, &eye);
    send_some(&rig, 3);
    for (int n = 0; n < 3; n++)
        send_picture(&rig, flat(96, 96, rig.next));
    finish(&rig);
    assert_int_equal(eye.samples, 6);
    assert_int_equal(eye.keys, 2);
    assert_int_equal(eye.width, 54);
    assert_int_equal(eye.wrong, 0);
    sc_live_tap_close(&tap);
    eye_close(&eye);
}

static void test_two_rungs(void **state)
{
    (void)state;
    struct rig rig;
    struct eye eyes[2];
    sc_live_tap *taps[2];
    const struct sc_live_rung wanted[] = {{.bitrate = 300000},
                                          {.codec = SC_LIVE_VP8, .height = 54, .fps = 10}};
    start(&rig, 2, wanted);
    eye_open(&eyes[0], AV_CODEC_ID_H264);
    eye_open(&eyes[1], AV_CODEC_ID_VP8);
    for (int i = 0; i < 2; i++)
        sc_rung_add(rig.rungs[i], &taps[i], take, &eyes[i]);
    send_some(&rig, 50);
    finish(&rig);
    assert_int_equal(eyes[0].samples, 50);
    assert_in_range(eyes[1].samples, 19, 21);
    assert_int_equal(eyes[0].height, 108);
    assert_int_equal(eyes[1].height, 54);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(eyes[i].wrong, 0);
        assert_int_equal(eyes[i].ends, 1);
        sc_live_tap_close(&taps[i]);
        eye_close(&eyes[i]);
    }
}

// --- all at once ------------------------------------------------------------------------------

struct guest {
    struct rig *rig;
    unsigned seed;
    atomic_bool open; // calls are allowed
    int samples;      // of this tap
    atomic_int wrong, total;
};

static void visit(void *arg, const struct sc_live_sample *sample)
{
    struct guest *guest = arg;
    if (!atomic_load(&guest->open) || !sample || (!guest->samples++ && !sample->packet->key))
        atomic_fetch_add(&guest->wrong, 1);
    atomic_fetch_add(&guest->total, 1);
}

static void *come_and_go(void *arg)
{
    struct guest *guest = arg;
    for (int i = 0; i < 40; i++) {
        sc_live_tap *tap;
        guest->samples = 0;
        atomic_store(&guest->open, true);
        sc_rung_add(guest->rig->rungs[0], &tap, visit, guest);
        sc_clock_sleep(rand_r(&guest->seed) % (40 * MS));
        sc_live_want_key(tap);
        sc_live_set_bitrate(tap, 100000 + rand_r(&guest->seed) % 200000);
        sc_clock_sleep(rand_r(&guest->seed) % (10 * MS));
        sc_live_tap_close(&tap);
        atomic_store(&guest->open, false);
    }
    return NULL;
}

static void test_guests_come_and_go(void **state)
{
    (void)state;
    struct rig rig;
    struct guest guests[3] = {0};
    pthread_t threads[3];
    struct sc_live_rung_figures figures;
    start(&rig, 1, &(struct sc_live_rung){.height = 54});
    for (unsigned i = 0; i < 3; i++) {
        guests[i].rig = &rig;
        guests[i].seed = i;
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &guests[i]), 0);
    }
    for (int i = 0; i < 300; i++) {
        send_some(&rig, 1);
        sc_clock_sleep(3 * MS);
    }
    int total = 0;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&guests[i].wrong), 0);
        total += atomic_load(&guests[i].total);
    }
    assert_true(total > 0);
    sc_rung_get(rig.rungs[0], &figures);
    assert_int_equal(figures.taps, 0);
    finish(&rig);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_costs_nothing),
        cmocka_unit_test(test_h264),
        cmocka_unit_test(test_vp8),
        cmocka_unit_test(test_joining),
        cmocka_unit_test(test_end_is_told_once),
        cmocka_unit_test(test_keys_are_half_a_second_apart),
        cmocka_unit_test(test_who_is_alone_need_not_wait),
        cmocka_unit_test(test_bitrate_h264),
        cmocka_unit_test(test_bitrate_vp8),
        cmocka_unit_test(test_idle_forgets),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_size_changes),
        cmocka_unit_test(test_two_rungs),
        cmocka_unit_test(test_guests_come_and_go),
    };
    return cmocka_run_group_tests_name("pipeline/stage_rung", tests, NULL, NULL);
}
