#include "media/sound_aac.h"

#include <libavcodec/avcodec.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/avutil.h>

#include "base/clock.h"
#include "base/mem.h"

#define JUMP_NS     (50 * SC_NS_PER_MS) // what jitter and rounding stay below
#define MAX_SAMPLES 1000000             // decoded from one packet

static const AVRational ns = {1, (int)SC_NS_PER_S};

struct sc_sound_aac {
    AVCodecContext *decoder, *encoder;
    AVCodecParameters *described;
    AVAudioFifo *fifo;        // planar float
    AVFrame *decoded, *frame; // frame: what the encoder gets
    AVPacket *packet;
    int64_t clock; // of the first sample in the fifo, in samples; AV_NOPTS_VALUE = none yet
    bool finished;
};

static int open_decoder(sc_sound_aac *a, const AVCodecParameters *from)
{
    const AVCodec *codec = avcodec_find_decoder(from->codec_id);
    a->decoder = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!a->decoder || avcodec_parameters_to_context(a->decoder, from) < 0)
        return SC_EUNSUPPORTED;
    a->decoder->pkt_timebase = ns;
    a->decoder->thread_count = 1;
    return avcodec_open2(a->decoder, codec, NULL) < 0 ? SC_EUNSUPPORTED : SC_OK;
}

static int open_encoder(sc_sound_aac *a, const AVCodecParameters *from)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    a->encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    a->described = avcodec_parameters_alloc();
    if (!a->encoder || !a->described)
        return SC_EUNSUPPORTED;
    a->encoder->sample_rate = from->sample_rate;
    a->encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    av_channel_layout_default(&a->encoder->ch_layout, from->ch_layout.nb_channels);
    a->encoder->bit_rate = INT64_C(64000) * from->ch_layout.nb_channels;
    a->encoder->time_base = (AVRational){1, from->sample_rate};
    a->encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (avcodec_open2(a->encoder, codec, NULL) < 0)
        return SC_EUNSUPPORTED;
    return avcodec_parameters_from_context(a->described, a->encoder) < 0 ? SC_ENOMEM : SC_OK;
}

static int make_frame(sc_sound_aac *a)
{
    a->frame->format = AV_SAMPLE_FMT_FLTP;
    a->frame->sample_rate = a->encoder->sample_rate;
    a->frame->nb_samples = a->encoder->frame_size;
    if (av_channel_layout_copy(&a->frame->ch_layout, &a->encoder->ch_layout) < 0)
        return SC_ENOMEM;
    return av_frame_get_buffer(a->frame, 0) < 0 ? SC_ENOMEM : SC_OK;
}

int sc_sound_aac_open(sc_sound_aac **paac, const AVCodecParameters *from)
{
    int ret = SC_EUNSUPPORTED;
    *paac = NULL;
    if (from->sample_rate <= 0 || from->ch_layout.nb_channels < 1 ||
        from->ch_layout.nb_channels > 8)
        return ret;
    sc_sound_aac *a = sc_new(sc_sound_aac);
    a->clock = AV_NOPTS_VALUE;
    a->decoded = av_frame_alloc();
    a->frame = av_frame_alloc();
    a->packet = av_packet_alloc();
    a->fifo = av_audio_fifo_alloc(AV_SAMPLE_FMT_FLTP, from->ch_layout.nb_channels, 4096);
    if (!a->decoded || !a->frame || !a->packet || !a->fifo)
        ret = SC_ENOMEM;
    else
        ret = open_decoder(a, from);
    if (ret >= 0)
        ret = open_encoder(a, from);
    if (ret >= 0)
        ret = make_frame(a);
    *paac = a;
    if (ret < 0)
        sc_sound_aac_close(paac);
    return ret;
}

void sc_sound_aac_close(sc_sound_aac **paac)
{
    sc_sound_aac *a = paac ? *paac : NULL;
    if (!a)
        return;
    *paac = NULL;
    avcodec_free_context(&a->decoder);
    avcodec_free_context(&a->encoder);
    avcodec_parameters_free(&a->described);
    if (a->fifo)
        av_audio_fifo_free(a->fifo);
    av_frame_free(&a->decoded);
    av_frame_free(&a->frame);
    av_packet_free(&a->packet);
    free(a);
}

const AVCodecParameters *sc_sound_aac_codec(const sc_sound_aac *a)
{
    return a->described;
}

// Sample i of a channel, -1..1.
static float get_sample(const AVFrame *frame, int channel, int i)
{
    bool planar = av_sample_fmt_is_planar(frame->format);
    int channels = frame->ch_layout.nb_channels;
    const uint8_t *data = planar ? frame->extended_data[channel] : frame->extended_data[0];
    int at = planar ? i : i * channels + channel;
    switch (av_get_packed_sample_fmt(frame->format)) {
    case AV_SAMPLE_FMT_U8:
        return (float)(data[at] - 128) / 128;
    case AV_SAMPLE_FMT_S16:
        return (float)((const int16_t *)(const void *)data)[at] / 32768;
    case AV_SAMPLE_FMT_S32:
        return (float)((const int32_t *)(const void *)data)[at] / 2147483648.0F;
    case AV_SAMPLE_FMT_FLT:
        return ((const float *)(const void *)data)[at];
    case AV_SAMPLE_FMT_DBL:
        return (float)((const double *)(const void *)data)[at];
    default:
        return 0;
    }
}

static int add_samples(sc_sound_aac *a, const AVFrame *frame)
{
    int count = frame->nb_samples, channels = a->encoder->ch_layout.nb_channels;
    void *planes[8];
    float *data = sc_try_calloc((size_t)count * (size_t)channels, sizeof(*data));
    if (!data)
        return SC_ENOMEM;
    for (int c = 0; c < channels; c++) {
        float *plane = data + (ptrdiff_t)c * count;
        planes[c] = plane;
        for (int i = 0; i < count; i++)
            plane[i] = get_sample(frame, c, i);
    }
    int added = av_audio_fifo_write(a->fifo, planes, count);
    free(data);
    return added < count ? SC_ENOMEM : SC_OK;
}

// The clock counts samples; where the packets' times have jumped it begins anew there.
static void follow_time(sc_sound_aac *a, int64_t pts_ns)
{
    const AVRational samples = {1, a->encoder->sample_rate};
    int64_t at = av_rescale_q(pts_ns, ns, samples);
    int64_t expected = a->clock + av_audio_fifo_size(a->fifo);
    int64_t jump = av_rescale_q(JUMP_NS, ns, samples);
    if (a->clock != AV_NOPTS_VALUE && llabs(at - expected) <= jump)
        return;
    av_audio_fifo_reset(a->fifo);
    a->clock = at;
}

int sc_sound_aac_put(sc_sound_aac *a, const sc_packet *packet)
{
    int ret = sc_packet_clone(a->packet, packet);
    if (ret < 0)
        return ret;
    a->packet->pts = packet->pts_ns;
    a->packet->dts = packet->dts_ns;
    avcodec_send_packet(a->decoder, a->packet); // a damaged one gives no samples
    av_packet_unref(a->packet);
    while (ret >= 0 && avcodec_receive_frame(a->decoder, a->decoded) >= 0) {
        const AVFrame *f = a->decoded;
        bool fits = f->ch_layout.nb_channels == a->encoder->ch_layout.nb_channels &&
                    f->sample_rate == a->encoder->sample_rate && f->nb_samples <= MAX_SAMPLES;
        if (fits) {
            follow_time(a, f->pts != AV_NOPTS_VALUE ? f->pts : packet->pts_ns);
            ret = add_samples(a, f);
        }
        av_frame_unref(a->decoded);
    }
    return ret;
}

void sc_sound_aac_finish(sc_sound_aac *a)
{
    a->finished = true;
}

// Gives the encoder one frame of the samples that wait; the last may be a short one, then it is drained.
static int feed_encoder(sc_sound_aac *a)
{
    int size = a->encoder->frame_size, waiting = av_audio_fifo_size(a->fifo);
    if (waiting < size && !a->finished)
        return SC_EAGAIN;
    if (!waiting)
        return avcodec_send_frame(a->encoder, NULL) < 0 ? SC_EINTERNAL : SC_OK;
    if (av_frame_make_writable(a->frame) < 0)
        return SC_ENOMEM;
    size = FFMIN(size, waiting);
    a->frame->nb_samples = size;
    av_audio_fifo_read(a->fifo, (void **)a->frame->extended_data, size);
    a->frame->pts = a->clock;
    a->clock += size;
    return avcodec_send_frame(a->encoder, a->frame) < 0 ? SC_EINTERNAL : SC_OK;
}

int sc_sound_aac_get(sc_sound_aac *a, sc_packet **ppacket)
{
    *ppacket = NULL;
    AVPacket *av = av_packet_alloc();
    if (!av)
        return SC_ENOMEM;
    int ret = SC_OK, got;
    while ((got = avcodec_receive_packet(a->encoder, av)) == AVERROR(EAGAIN) && ret >= 0)
        ret = feed_encoder(a);
    if (got >= 0) {
        av->time_base = a->encoder->time_base;
        *ppacket = sc_packet_wrap(av, SC_MEDIA_SOUND);
    }
    if (*ppacket)
        return SC_OK;
    av_packet_free(&av);
    if (got == AVERROR_EOF)
        return SC_EEOF;
    return ret < 0 ? ret : got < 0 ? SC_EINTERNAL : SC_ENOMEM;
}
