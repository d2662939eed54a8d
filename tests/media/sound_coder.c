// Sound that becomes AAC or Opus is still at its place in time.
#include "media/sound_coder.h"

#include <libavcodec/avcodec.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"

#define RATE  8000
#define CHUNK 160 // samples: 20 ms
#define ZERO  (INT64_C(77) * SC_NS_PER_S)

static AVCodecParameters *make_codec(enum AVCodecID id, int rate, int channels)
{
    AVCodecParameters *par = avcodec_parameters_alloc();
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = id;
    par->sample_rate = rate;
    par->bits_per_coded_sample = av_get_bits_per_sample(id);
    av_channel_layout_default(&par->ch_layout, channels);
    return par;
}

// 20 ms of silence, or of a loud square wave.
static sc_packet *make_chunk(int64_t pts_ns, bool loud)
{
    AVPacket *av = av_packet_alloc();
    assert_int_equal(av_new_packet(av, CHUNK * 2), 0);
    for (int i = 0; i < CHUNK; i++)
        ((int16_t *)(void *)av->data)[i] = (int16_t)(loud ? i / 8 % 2 ? 20000 : -20000 : 0);
    av->pts = av->dts = pts_ns;
    return sc_packet_wrap(av, SC_MEDIA_SOUND);
}

struct heard {
    AVCodecContext *decoder;
    AVFrame *frame;
    int rate;
    int64_t last_pts;
    int count;
    int64_t begins[8]; // ns, where it becomes loud
    bool loud;
    int quiet; // samples in a row
};

static void listen_to(struct heard *h, const sc_packet *packet)
{
    assert_true(packet->pts_ns > h->last_pts);
    h->last_pts = packet->pts_ns;
    assert_int_equal(avcodec_send_packet(h->decoder, packet->av), 0);
    while (avcodec_receive_frame(h->decoder, h->frame) >= 0) {
        const float *x = (const float *)(const void *)h->frame->data[0];
        for (int i = 0; i < h->frame->nb_samples; i++) {
            bool loud = x[i] > 0.25F || x[i] < -0.25F;
            h->quiet = loud ? 0 : h->quiet + 1;
            if (loud && !h->loud && h->count < (int)SC_COUNT(h->begins))
                h->begins[h->count++] = packet->pts_ns + i * SC_NS_PER_S / h->rate;
            h->loud = loud || (h->loud && h->quiet < h->rate / 10);
        }
        av_frame_unref(h->frame);
    }
}

static void put_chunk(sc_sound_coder *aac, struct heard *h, int64_t pts_ns, bool loud)
{
    sc_packet *packet = make_chunk(pts_ns, loud), *made = NULL;
    assert_int_equal(sc_sound_coder_put(aac, packet), SC_OK);
    int ret;
    while ((ret = sc_sound_coder_get(aac, &made)) == SC_OK) {
        listen_to(h, made);
        sc_packet_unref(&made);
    }
    assert_int_equal(ret, SC_EAGAIN);
    sc_packet_unref(&packet);
}

static void assert_begins(const struct heard *h, int i, int64_t at_ns)
{
    int64_t off = h->begins[i] - at_ns;
    if (i >= h->count || llabs(off) > 8 * SC_NS_PER_MS) // AAC smears a little ahead
        fail_msg("sound %d of %d is %d us off", i, h->count, (int)(off / 1000));
}

static void check_kind(enum sc_sound_kind kind, enum AVCodecID id, int rate)
{
    sc_sound_coder *coder = NULL;
    AVCodecParameters *from = make_codec(AV_CODEC_ID_PCM_S16LE, RATE, 1);
    assert_int_equal(sc_sound_coder_open(&coder, from, kind), SC_OK);
    const AVCodecParameters *to = sc_sound_coder_codec(coder);
    assert_int_equal(to->codec_id, id);
    assert_int_equal(to->sample_rate, rate);
    assert_true(to->extradata_size >= 2);
    struct heard h = {.frame = av_frame_alloc(), .rate = rate, .last_pts = INT64_MIN};
    h.decoder = avcodec_alloc_context3(avcodec_find_decoder(id));
    avcodec_parameters_to_context(h.decoder, to);
    assert_int_equal(avcodec_open2(h.decoder, NULL, NULL), 0);
    for (int n = 0; n < 150; n++) { // with a second missing from 1.5 s on, and some jitter
        int64_t at = ZERO + n * 20 * SC_NS_PER_MS + (n >= 75 ? SC_NS_PER_S : 0);
        put_chunk(coder, &h, at + n % 3 * SC_NS_PER_MS,
                  (n >= 50 && n < 60) || (n >= 100 && n < 110));
    }
    assert_int_equal(h.count, 2);
    assert_begins(&h, 0, ZERO + SC_NS_PER_S);
    assert_begins(&h, 1, ZERO + 3 * SC_NS_PER_S);
    avcodec_free_context(&h.decoder);
    av_frame_free(&h.frame);
    avcodec_parameters_free(&from);
    sc_sound_coder_close(&coder);
}

static void sound_stays_where_it_was(void **state)
{
    (void)state;
    check_kind(SC_SOUND_AAC, AV_CODEC_ID_AAC, RATE);
    check_kind(SC_SOUND_OPUS, AV_CODEC_ID_OPUS, 48000);
}

// At the end all that was put has come out, the last samples too.
static void the_end_is_not_lost(void **state)
{
    (void)state;
    sc_sound_coder *aac = NULL;
    sc_packet *made = NULL;
    AVCodecParameters *from = make_codec(AV_CODEC_ID_PCM_S16LE, RATE, 1);
    assert_int_equal(sc_sound_coder_open(&aac, from, SC_SOUND_AAC), SC_OK);
    for (int n = 0; n < 7; n++) {
        sc_packet *packet = make_chunk(ZERO + n * 20 * SC_NS_PER_MS, false);
        assert_int_equal(sc_sound_coder_put(aac, packet), SC_OK);
        sc_packet_unref(&packet);
    }
    int64_t end_ns = 0;
    int ret;
    sc_sound_coder_finish(aac);
    while ((ret = sc_sound_coder_get(aac, &made)) == SC_OK) {
        end_ns = made->pts_ns + 1024 * SC_NS_PER_S / RATE;
        sc_packet_unref(&made);
    }
    assert_int_equal(ret, SC_EEOF);
    assert_true(end_ns >= ZERO + 7 * 20 * SC_NS_PER_MS);
    assert_int_equal(sc_sound_coder_get(aac, &made), SC_EEOF);
    avcodec_parameters_free(&from);
    sc_sound_coder_close(&aac);
}

static void what_cannot_be_done_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum AVCodecID id;
        int rate, channels;
    } cases[] = {{AV_CODEC_ID_NONE, RATE, 1},
                 {AV_CODEC_ID_PCM_S16LE, 12345, 1},
                 {AV_CODEC_ID_PCM_S16LE, 0, 1},
                 {AV_CODEC_ID_PCM_S16LE, RATE, 12}};
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_sound_coder *aac = NULL;
        AVCodecParameters *from = make_codec(cases[i].id, cases[i].rate, cases[i].channels);
        assert_int_equal(sc_sound_coder_open(&aac, from, SC_SOUND_AAC), SC_EUNSUPPORTED);
        assert_null(aac);
        avcodec_parameters_free(&from);
    }
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_stays_where_it_was),
        cmocka_unit_test(the_end_is_not_lost),
        cmocka_unit_test(what_cannot_be_done_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
