#include "media/sound_coder.h"

#include <libavcodec/avcodec.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/avutil.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>

#include "base/clock.h"
#include "base/mem.h"

#define JUMP_NS     (50 * SC_NS_PER_MS) // what jitter and rounding stay below
#define MAX_SAMPLES 1000000             // decoded from one packet

static const AVRational ns = {1, (int)SC_NS_PER_S};

struct sc_sound_coder {
    AVCodecContext *decoder, *encoder;
    AVCodecParameters *described;
    SwrContext *swr; // from what is decoded to what is encoded; NULL before the first samples
    AVAudioFifo *fifo;
    AVFrame *decoded, *fitted, *frame; // frame: what the encoder gets
    AVPacket *packet;
    int64_t clock; // of the first sample in the fifo, in samples; AV_NOPTS_VALUE = none yet
    bool finished;
};

static int open_decoder(sc_sound_coder *c, const AVCodecParameters *from)
{
    const AVCodec *codec = avcodec_find_decoder(from->codec_id);
    c->decoder = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!c->decoder || avcodec_parameters_to_context(c->decoder, from) < 0)
        return SC_EUNSUPPORTED;
    c->decoder->pkt_timebase = ns;
    c->decoder->thread_count = 1;
    return avcodec_open2(c->decoder, codec, NULL) < 0 ? SC_EUNSUPPORTED : SC_OK;
}

static void choose_aac(AVCodecContext *encoder, const AVCodecParameters *from)
{
    encoder->sample_rate = from->sample_rate;
    encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    av_channel_layout_default(&encoder->ch_layout, from->ch_layout.nb_channels);
    encoder->bit_rate = INT64_C(64000) * from->ch_layout.nb_channels;
}

static void choose_opus(AVCodecContext *encoder, const AVCodecParameters *from)
{
    int channels = from->ch_layout.nb_channels < 2 ? 1 : 2;
    encoder->sample_rate = 48000;
    encoder->sample_fmt = AV_SAMPLE_FMT_FLT;
    av_channel_layout_default(&encoder->ch_layout, channels);
    encoder->bit_rate = INT64_C(48000) * channels;
    av_opt_set(encoder->priv_data, "frame_duration", "20", 0);
    av_opt_set(encoder->priv_data, "application", "audio", 0);
}

static int open_encoder(sc_sound_coder *c, const AVCodecParameters *from,
                        enum sc_sound_kind kind)
{
    const AVCodec *codec = kind == SC_SOUND_OPUS ? avcodec_find_encoder_by_name("libopus")
                                                 : avcodec_find_encoder(AV_CODEC_ID_AAC);
    c->encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    c->described = avcodec_parameters_alloc();
    if (!c->encoder || !c->described)
        return SC_EUNSUPPORTED;
    if (kind == SC_SOUND_OPUS)
        choose_opus(c->encoder, from);
    else
        choose_aac(c->encoder, from);
    c->encoder->time_base = (AVRational){1, c->encoder->sample_rate};
    c->encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (avcodec_open2(c->encoder, codec, NULL) < 0)
        return SC_EUNSUPPORTED;
    return avcodec_parameters_from_context(c->described, c->encoder) < 0 ? SC_ENOMEM : SC_OK;
}

// A frame in the encoder's format, without samples.
static int describe_frame(const sc_sound_coder *c, AVFrame *frame)
{
    frame->format = c->encoder->sample_fmt;
    frame->sample_rate = c->encoder->sample_rate;
    return av_channel_layout_copy(&frame->ch_layout, &c->encoder->ch_layout) < 0 ? SC_ENOMEM
                                                                                 : SC_OK;
}

static int make_buffers(sc_sound_coder *c)
{
    c->fifo =
        av_audio_fifo_alloc(c->encoder->sample_fmt, c->encoder->ch_layout.nb_channels, 4096);
    c->frame->nb_samples = c->encoder->frame_size;
    int ret = c->fifo ? describe_frame(c, c->frame) : SC_ENOMEM;
    return ret < 0 || av_frame_get_buffer(c->frame, 0) < 0 ? SC_ENOMEM : SC_OK;
}

int sc_sound_coder_open(sc_sound_coder **pcoder, const AVCodecParameters *from,
                        enum sc_sound_kind kind)
{
    int ret = SC_EUNSUPPORTED;
    *pcoder = NULL;
    if (from->sample_rate <= 0 || from->ch_layout.nb_channels < 1 ||
        from->ch_layout.nb_channels > 8)
        return ret;
    sc_sound_coder *c = sc_new(sc_sound_coder);
    c->clock = AV_NOPTS_VALUE;
    c->decoded = av_frame_alloc();
    c->fitted = av_frame_alloc();
    c->frame = av_frame_alloc();
    c->packet = av_packet_alloc();
    if (!c->decoded || !c->fitted || !c->frame || !c->packet)
        ret = SC_ENOMEM;
    else
        ret = open_decoder(c, from);
    if (ret >= 0)
        ret = open_encoder(c, from, kind);
    if (ret >= 0)
        ret = make_buffers(c);
    *pcoder = c;
    if (ret < 0)
        sc_sound_coder_close(pcoder);
    return ret;
}

void sc_sound_coder_close(sc_sound_coder **pcoder)
{
    sc_sound_coder *c = pcoder ? *pcoder : NULL;
    if (!c)
        return;
    *pcoder = NULL;
    avcodec_free_context(&c->decoder);
    avcodec_free_context(&c->encoder);
    avcodec_parameters_free(&c->described);
    swr_free(&c->swr);
    if (c->fifo)
        av_audio_fifo_free(c->fifo);
    av_frame_free(&c->decoded);
    av_frame_free(&c->fitted);
    av_frame_free(&c->frame);
    av_packet_free(&c->packet);
    free(c);
}

const AVCodecParameters *sc_sound_coder_codec(const sc_sound_coder *c)
{
    return c->described;
}

// Made for the first samples, and anew where what is decoded has changed: add_samples() is told.
static int fit_converter(sc_sound_coder *c, const AVFrame *in)
{
    if (c->swr)
        return SC_OK;
    if (swr_alloc_set_opts2(&c->swr, &c->encoder->ch_layout, c->encoder->sample_fmt,
                            c->encoder->sample_rate, (AVChannelLayout *)&in->ch_layout,
                            in->format, in->sample_rate, 0, NULL) < 0 ||
        swr_init(c->swr) < 0) {
        swr_free(&c->swr);
        return SC_EUNSUPPORTED;
    }
    return SC_OK;
}

// The clock counts samples; where the packets' times have jumped it begins anew there.
static void follow_time(sc_sound_coder *c, int64_t pts_ns)
{
    const AVRational samples = {1, c->encoder->sample_rate};
    int64_t at = av_rescale_q(pts_ns, ns, samples) - swr_get_delay(c->swr, samples.den);
    int64_t expected = c->clock + av_audio_fifo_size(c->fifo);
    int64_t jump = av_rescale_q(JUMP_NS, ns, samples);
    if (c->clock != AV_NOPTS_VALUE && llabs(at - expected) <= jump)
        return;
    av_audio_fifo_reset(c->fifo);
    c->clock = at;
}

static int add_samples(sc_sound_coder *c, const AVFrame *in)
{
    int ret = describe_frame(c, c->fitted);
    if (ret >= 0) // libswresample gives it memory
        ret = swr_convert_frame(c->swr, c->fitted, in);
    if (ret == AVERROR_INPUT_CHANGED) {
        swr_free(&c->swr);
        ret = 0;
    } else if (ret >= 0 && c->fitted->nb_samples > 0) {
        ret = av_audio_fifo_write(c->fifo, (void **)c->fitted->extended_data,
                                  c->fitted->nb_samples) < c->fitted->nb_samples
                  ? SC_ENOMEM
                  : SC_OK;
    }
    av_frame_unref(c->fitted);
    return ret < 0 ? SC_ENOMEM : SC_OK;
}

static int take_samples(sc_sound_coder *c, const AVFrame *in, int64_t packet_ns)
{
    if (in->nb_samples > MAX_SAMPLES || in->sample_rate <= 0)
        return SC_OK; // damaged
    int ret = fit_converter(c, in);
    if (ret == SC_EUNSUPPORTED)
        return SC_OK;
    follow_time(c, in->pts != AV_NOPTS_VALUE ? in->pts : packet_ns);
    return add_samples(c, in);
}

int sc_sound_coder_put(sc_sound_coder *c, const sc_packet *packet)
{
    int ret = sc_packet_clone(c->packet, packet);
    if (ret < 0)
        return ret;
    c->packet->pts = packet->pts_ns;
    c->packet->dts = packet->dts_ns;
    avcodec_send_packet(c->decoder, c->packet); // a damaged one gives no samples
    av_packet_unref(c->packet);
    while (ret >= 0 && avcodec_receive_frame(c->decoder, c->decoded) >= 0) {
        ret = take_samples(c, c->decoded, packet->pts_ns);
        av_frame_unref(c->decoded);
    }
    return ret;
}

void sc_sound_coder_finish(sc_sound_coder *c)
{
    c->finished = true;
}

// Gives the encoder one frame of the samples that wait; the last may be a short one, then it is drained.
static int feed_encoder(sc_sound_coder *c)
{
    int size = c->encoder->frame_size, waiting = av_audio_fifo_size(c->fifo);
    if (waiting < size && !c->finished)
        return SC_EAGAIN;
    if (!waiting)
        return avcodec_send_frame(c->encoder, NULL) < 0 ? SC_EINTERNAL : SC_OK;
    if (av_frame_make_writable(c->frame) < 0)
        return SC_ENOMEM;
    size = FFMIN(size, waiting);
    c->frame->nb_samples = size;
    av_audio_fifo_read(c->fifo, (void **)c->frame->extended_data, size);
    c->frame->pts = c->clock;
    c->clock += size;
    return avcodec_send_frame(c->encoder, c->frame) < 0 ? SC_EINTERNAL : SC_OK;
}

int sc_sound_coder_get(sc_sound_coder *c, sc_packet **ppacket)
{
    *ppacket = NULL;
    AVPacket *av = av_packet_alloc();
    if (!av)
        return SC_ENOMEM;
    int ret = SC_OK, got;
    while ((got = avcodec_receive_packet(c->encoder, av)) == AVERROR(EAGAIN) && ret >= 0)
        ret = feed_encoder(c);
    if (got >= 0) {
        av->time_base = c->encoder->time_base;
        *ppacket = sc_packet_wrap(av, SC_MEDIA_SOUND);
    }
    if (*ppacket)
        return SC_OK;
    av_packet_free(&av);
    if (got == AVERROR_EOF)
        return SC_EEOF;
    return ret < 0 ? ret : got < 0 ? SC_EINTERNAL : SC_ENOMEM;
}
