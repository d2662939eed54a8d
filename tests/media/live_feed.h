// Something to send: the scene encoded live, with a frame number in each picture, and a tone as AAC.
#pragma once

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "media/encoder.h"
#include "media/scene.h"

#define FEED_FPS  25
#define FEED_NS   (SC_NS_PER_S / FEED_FPS)
#define FEED_RATE 48000

struct feed {
    sc_scene *scene;
    sc_encoder *encoder;
    AVCodecContext *sound; // NULL = none
    AVCodecParameters *sound_codec;
    AVFrame *samples;
    int64_t painted, sample;
};

static inline void feed_close(struct feed *f)
{
    sc_encoder_close(&f->encoder);
    sc_scene_close(&f->scene);
    avcodec_free_context(&f->sound);
    avcodec_parameters_free(&f->sound_codec);
    av_frame_free(&f->samples);
}

static inline int feed_open_sound(struct feed *f)
{
    f->sound = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_AAC));
    f->sound_codec = avcodec_parameters_alloc();
    f->samples = av_frame_alloc();
    f->sound->sample_rate = f->samples->sample_rate = FEED_RATE;
    f->sound->sample_fmt = AV_SAMPLE_FMT_FLTP;
    f->sound->ch_layout = f->samples->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
    f->sound->time_base = (AVRational){1, FEED_RATE};
    f->sound->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (avcodec_open2(f->sound, NULL, NULL) < 0)
        return -1;
    f->samples->format = AV_SAMPLE_FMT_FLTP;
    f->samples->nb_samples = f->sound->frame_size;
    return avcodec_parameters_from_context(f->sound_codec, f->sound) < 0 ||
           av_frame_get_buffer(f->samples, 0) < 0;
}

static inline int feed_open(struct feed *f, const char *codec, int gop, bool sound, sc_err *err)
{
    const struct sc_scene_params scene = {
        .width = 320, .height = 180, .fps = {FEED_FPS, 1}, .noise = -1};
    *f = (struct feed){0};
    if (sc_scene_open(&f->scene, &scene, err) < 0)
        return -1;
    AVFrame *like = sc_scene_frame_new(f->scene);
    sc_scene_render(f->scene, 0, like);
    const struct sc_encoder_params params = {.like = like,
                                             .frame_rate = {FEED_FPS, 1},
                                             .codec = codec,
                                             .preset = codec ? NULL : "ultrafast",
                                             .bitrate = 500000,
                                             .gop = gop,
                                             .threads = 1,
                                             .live = true};
    int ret = sc_encoder_open(&f->encoder, &params, err);
    av_frame_free(&like);
    return ret < 0 || (sound && feed_open_sound(f) != 0) ? -1 : 0;
}

// The next picture's packet, frame `painted` at painted * FEED_NS + start_ns.
static inline sc_packet *feed_picture(struct feed *f, int64_t start_ns)
{
    sc_packet *packet = NULL;
    AVFrame *picture = sc_scene_frame_new(f->scene);
    sc_scene_render(f->scene, f->painted, picture);
    sc_encoder_put(f->encoder, picture, start_ns + f->painted++ * FEED_NS, FEED_NS, NULL);
    sc_encoder_get(f->encoder, &packet, NULL);
    av_frame_free(&picture);
    return packet;
}

// The next packet of the tone, if it begins before until_ns; else NULL.
static inline sc_packet *feed_sound(struct feed *f, int64_t start_ns, int64_t until_ns)
{
    AVPacket *av = av_packet_alloc();
    while (f->sound && start_ns + f->sample * SC_NS_PER_S / FEED_RATE < until_ns) {
        av_frame_make_writable(f->samples);
        float *data = (float *)(void *)f->samples->data[0];
        for (int i = 0; i < f->samples->nb_samples; i++)
            data[i] = 0.2F *
                      sinf((float)((f->sample + i) % FEED_RATE) * 440 * 6.2831853F / FEED_RATE);
        f->samples->pts = f->sample;
        f->sample += f->samples->nb_samples;
        avcodec_send_frame(f->sound, f->samples);
        if (avcodec_receive_packet(f->sound, av) < 0)
            continue;
        int64_t start = av_rescale(start_ns, FEED_RATE, SC_NS_PER_S);
        av->time_base = f->sound->time_base;
        av->pts += start;
        av->dts += start;
        return sc_packet_wrap(av, SC_MEDIA_SOUND);
    }
    av_packet_free(&av);
    return NULL;
}
