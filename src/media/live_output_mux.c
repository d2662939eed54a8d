// Outputs that are one of libavformat's muxers: files, RTMP, SRT, RTSP, UDP.
#include <string.h>

#include <libavcodec/bsf.h>
#include <libavutil/avstring.h>
#include <libavutil/opt.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/live_output_internal.h"

#define FRAGMENT_NS SC_NS_PER_S // of MP4 files: what a power cut may cost

struct mux {
    struct sc_sink_setup setup;
    struct sc_muxer m;
    AVBSFContext *in_band; // puts parameter sets into the packets; NULL = not needed
    int64_t fragment_from; // dts_ns of the first picture of the fragment
    bool began;            // the header is written
};

// --- muxer ------------------------------------------------------------------------------------

// AAC that comes with a header a packet (ADTS) says its parameters there only; containers want them
// at once. ISO/IEC 14496-3 1.6.2.1: object type, index of the sample rate, channels.
static int add_aac_config(AVCodecParameters *par)
{
    static const int rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                22050, 16000, 12000, 11025, 8000,  7350};
    unsigned rate = 0;
    int channels = par->ch_layout.nb_channels;
    while (rate < SC_COUNT(rates) && rates[rate] != par->sample_rate)
        rate++;
    if (par->codec_id != AV_CODEC_ID_AAC || par->extradata_size || rate == SC_COUNT(rates) ||
        channels < 1 || channels > 8 || channels == 7)
        return SC_OK;
    par->extradata = av_mallocz(2 + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!par->extradata)
        return SC_ENOMEM;
    unsigned type = par->profile >= 0 && par->profile < 4 ? (unsigned)par->profile + 1 : 2;
    unsigned bits = type << 11 | rate << 7 | (unsigned)(channels == 8 ? 7 : channels) << 3;
    par->extradata[0] = (uint8_t)(bits >> 8);
    par->extradata[1] = (uint8_t)bits;
    par->extradata_size = 2;
    return SC_OK;
}

// Takes that header away; libavformat would do it as well, but not where the parameters are known.
static void strip_adts(AVPacket *packet)
{
    int size =
        packet->size > 2 && packet->data[1] & 1 ? 7 : 9; // with a checksum: two bytes more
    if (packet->size <= size || packet->data[0] != 0xff || (packet->data[1] & 0xf6) != 0xf0)
        return;
    packet->data += size;
    packet->size -= size;
}

static int add_stream(struct sc_muxer *m, int track, const AVCodecParameters *par)
{
    AVStream *stream = avformat_new_stream(m->av, NULL);
    if (!stream || avcodec_parameters_copy(stream->codecpar, par) < 0)
        return SC_ENOMEM;
    bool mp4 = !strcmp(m->av->oformat->name, "mp4");
    stream->codecpar->codec_tag = 0; // the container's own, but for the one that Apple plays
    if (mp4 && par->codec_id == AV_CODEC_ID_HEVC)
        stream->codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
    stream->time_base = (AVRational){1, 90000};
    if (track == SC_TRACK_SOUND && par->sample_rate > 0)
        stream->time_base = (AVRational){1, par->sample_rate};
    m->tracks[track].stream = stream;
    m->tracks[track].last_dts = INT64_MIN;
    return track == SC_TRACK_SOUND ? add_aac_config(stream->codecpar) : SC_OK;
}

int sc_muxer_init(struct sc_muxer *m, const struct sc_sink_setup *setup, const char *url)
{
    const struct sc_live_output_params *p = setup->params;
    *m = (struct sc_muxer){.packet = av_packet_alloc()};
    if (!m->packet ||
        avformat_alloc_output_context2(&m->av, NULL, setup->kind->format, url) < 0)
        return SC_ENOMEM;
    m->av->interrupt_callback = (AVIOInterruptCB){sc_output_interrupted, setup->guard};
    m->av->flags |= AVFMT_FLAG_FLUSH_PACKETS;
    m->av->max_interleave_delta =
        500000; // us that a picture waits for sound that does not come
    int ret = add_stream(m, SC_TRACK_VIDEO, p->video);
    if (ret < 0)
        return ret;
    m->tracks[SC_TRACK_VIDEO].stream->avg_frame_rate = p->frame_rate;
    m->tracks[SC_TRACK_VIDEO].stream->sample_aspect_ratio = p->video->sample_aspect_ratio;
    return setup->sound ? add_stream(m, SC_TRACK_SOUND, p->sound) : SC_OK;
}

void sc_muxer_release(struct sc_muxer *m)
{
    avformat_free_context(m->av);
    av_packet_free(&m->packet);
    m->av = NULL;
}

int sc_muxer_prepare(struct sc_muxer *m, const sc_packet *packet, int64_t zero_ns)
{
    const AVRational ns = {1, (int)SC_NS_PER_S};
    int track = packet->media == SC_MEDIA_VIDEO ? SC_TRACK_VIDEO : SC_TRACK_SOUND;
    AVStream *stream = m->tracks[track].stream;
    int64_t last = m->tracks[track].last_dts;
    int ret = sc_packet_clone(m->packet, packet);
    if (ret < 0)
        return ret;
    int64_t dts = av_rescale_q(packet->dts_ns - zero_ns, ns, stream->time_base);
    int64_t pts = av_rescale_q(packet->pts_ns - zero_ns, ns, stream->time_base);
    dts = last != INT64_MIN && dts <= last ? last + 1 : dts; // two within one tick
    m->tracks[track].last_dts = dts;
    m->packet->dts = dts;
    m->packet->pts = FFMAX(pts, dts);
    m->packet->duration = av_rescale_q(packet->duration_ns, ns, stream->time_base);
    m->packet->time_base = stream->time_base;
    m->packet->stream_index = stream->index;
    m->packet->pos = -1;
    if (stream->codecpar->codec_id == AV_CODEC_ID_AAC &&
        strcmp(m->av->oformat->name, "mpegts") != 0) // which wants it
        strip_adts(m->packet);
    return SC_OK;
}

// Without the flag libavformat adds durations up, and a gap would shift all that follows it.
int sc_muxer_cut(struct sc_muxer *m)
{
    int ret = av_write_frame(m->av, NULL);
    if (ret >= 0)
        ret = av_opt_set(m->av->priv_data, "movflags", "+frag_discont", 0);
    return ret;
}

static const char *advice(const struct sc_sink_setup *setup, int averror)
{
    if (!setup->kind->network)
        return averror == AVERROR(ENOSPC)   ? "; free some space on that disk"
               : averror == AVERROR(EFBIG)  ? "; the system does not allow larger files here"
               : averror == AVERROR(ENOENT) ? "; make the folder first"
               : averror == AVERROR(EACCES) ? "; allow writing there, or choose another place"
                                            : "";
    return averror == AVERROR(ECONNREFUSED)
               ? "; check that the server runs and listens on this port"
           : averror == AVERROR_EXIT || averror == AVERROR(ETIMEDOUT)
               ? "; check the host, the port and the network between"
               : "; check that the server takes this stream (path, key, password)";
}

int sc_sink_fail(const struct sc_sink_setup *setup, int averror, const char *what, sc_err *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    int code = averror == AVERROR_EXIT                         ? SC_ETIMEOUT
               : averror == AVERROR(EINVAL) || averror < -4096 ? SC_EIO
                                                               : sc_error_from_errno(-averror);
    if (averror == AVERROR_EXIT)
        snprintf(text, sizeof(text), "no answer in time");
    else
        av_strerror(averror, text, sizeof(text));
    return sc_fail(err, code, "cannot %s %s: %s%s", what, setup->shown, text,
                   advice(setup, averror));
}

// --- sink -------------------------------------------------------------------------------------

static int open_in_band(struct mux *x)
{
    const AVStream *stream = x->m.tracks[SC_TRACK_VIDEO].stream;
    const AVCodecParameters *par = stream->codecpar;
    bool has_start_codes = par->extradata_size > 4 && par->extradata[0] == 0;
    if (!x->setup.kind->in_band || !has_start_codes)
        return 0;
    int ret = av_bsf_list_parse_str("dump_extra=freq=keyframe", &x->in_band);
    if (ret >= 0)
        ret = avcodec_parameters_copy(x->in_band->par_in, par);
    if (ret < 0)
        return ret;
    x->in_band->time_base_in = stream->time_base;
    return av_bsf_init(x->in_band);
}

static int open_world(struct mux *x)
{
    AVDictionary *options = NULL;
    AVFormatContext *av = x->m.av;
    int ret = 0;
    if (x->setup.kind->options)
        ret = av_dict_parse_string(&options, x->setup.kind->options, "=", ":", 0);
    if (ret >= 0 && !(av->oformat->flags & AVFMT_NOFILE))
        ret = avio_open2(&av->pb, av->url, AVIO_FLAG_WRITE, &av->interrupt_callback, &options);
    if (ret >= 0)
        ret = avformat_write_header(av, &options);
    x->began = ret >= 0;
    av_dict_free(&options);
    return ret;
}

static void mux_close(void *sink)
{
    struct mux *x = sink;
    AVFormatContext *av = x->m.av;
    // A muxer with its own connection lets go of it in its trailer only.
    if (av && x->began && av->oformat->flags & AVFMT_NOFILE)
        av_write_trailer(av);
    if (av && !(av->oformat->flags & AVFMT_NOFILE))
        avio_closep(&av->pb);
    av_bsf_free(&x->in_band);
    sc_muxer_release(&x->m);
    free(x);
}

static int mux_open(void **psink, const struct sc_sink_setup *setup, sc_err *err)
{
    struct mux *x = sc_new(struct mux);
    char *file = NULL; // a name like a:b.mp4 is no protocol
    x->setup = *setup;
    x->fragment_from = INT64_MIN;
    if (!setup->kind->network)
        file = av_asprintf("file:%s", setup->params->url);
    int ret = sc_muxer_init(&x->m, setup, file ? file : setup->params->url);
    av_free(file);
    if (ret >= 0) {
        ret = open_world(x);
        if (ret >= 0)
            ret = open_in_band(x);
        if (ret < 0)
            ret = sc_sink_fail(setup, ret, setup->kind->network ? "connect to" : "create", err);
    }
    if (ret < 0)
        mux_close(x);
    else
        *psink = x;
    return ret;
}

// Each keyframe begins a fragment, and so does a picture a second after the last one did.
static int cut_fragment(struct mux *x, const sc_packet *packet)
{
    int ret = 0;
    if (!x->setup.kind->fragments || packet->media != SC_MEDIA_VIDEO)
        return 0;
    bool first = x->fragment_from == INT64_MIN;
    if (!first && !packet->key && packet->dts_ns - x->fragment_from < FRAGMENT_NS)
        return 0;
    if (!first)
        ret = av_interleaved_write_frame(x->m.av, NULL);
    if (!first && ret >= 0)
        ret = sc_muxer_cut(&x->m);
    x->fragment_from = packet->dts_ns;
    return ret;
}

static int mux_write(void *sink, const sc_packet *packet, int64_t zero_ns, sc_err *err)
{
    struct mux *x = sink;
    int ret = cut_fragment(x, packet);
    if (ret < 0)
        return sc_sink_fail(&x->setup, ret, "write to", err);
    ret = sc_muxer_prepare(&x->m, packet, zero_ns);
    if (ret < 0)
        return ret;
    if (x->in_band && packet->media == SC_MEDIA_VIDEO) {
        int stream = x->m.packet->stream_index;
        ret = av_bsf_send_packet(x->in_band, x->m.packet);
        if (ret >= 0)
            ret = av_bsf_receive_packet(x->in_band, x->m.packet);
        x->m.packet->stream_index = stream;
    }
    if (ret >= 0)
        ret = av_interleaved_write_frame(x->m.av, x->m.packet);
    av_packet_unref(x->m.packet);
    return ret < 0 ? sc_sink_fail(&x->setup, ret, "write to", err) : SC_OK;
}

static void linger(const struct mux *x)
{
    int64_t until = sc_clock_now() + x->setup.kind->linger_ms * SC_NS_PER_MS;
    while (sc_clock_now() < until && !sc_output_interrupted(x->setup.guard))
        sc_clock_sleep(10 * SC_NS_PER_MS);
}

static int mux_finish(void *sink, sc_err *err)
{
    struct mux *x = sink;
    AVFormatContext *av = x->m.av;
    int ret = av_write_trailer(av);
    linger(x);
    x->began = false;
    if (!(av->oformat->flags & AVFMT_NOFILE)) {
        int closed = avio_closep(&av->pb); // tells of late errors
        ret = ret < 0 ? ret : closed;
    }
    return ret < 0 ? sc_sink_fail(&x->setup, ret, "finish", err) : SC_OK;
}

const struct sc_sink_ops sc_sink_mux = {
    .open = mux_open,
    .write = mux_write,
    .finish = mux_finish,
    .close = mux_close,
};
