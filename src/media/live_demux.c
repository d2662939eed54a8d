// Sources that libavformat opens: files, and everything on the net.
#include <string.h>

#include <libavcodec/avcodec.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "media/input.h"
#include "media/live_input_internal.h"

struct demux {
    const struct sc_live_address *address; // borrowed
    struct sc_live_deadline *deadline;     // borrowed
    sc_input *file;                        // owns fmt where it is a file
    AVFormatContext *fmt;
    int track[SC_TIMELINE_TRACKS]; // stream index, or -1
    struct sc_live_facts facts;
};

static int passed(void *arg)
{
    return sc_live_deadline_passed(arg);
}

static AVRational frame_rate(AVFormatContext *fmt, AVStream *st)
{
    AVRational rate = av_guess_frame_rate(fmt, st, NULL);
    bool sane = rate.num > 0 && rate.den > 0 && av_q2d(rate) <= 1000 && av_q2d(rate) > 0.001;
    return sane ? rate : (AVRational){0, 1};
}

static void fill_format(struct demux *d, enum sc_timeline_track track)
{
    AVStream *st = d->fmt->streams[d->track[track]];
    AVRational rate = d->facts.frame_rate;
    struct sc_timeline_format *format = &d->facts.format[track];
    *format = (struct sc_timeline_format){
        .time_base = st->time_base,
        .wrap_bits = st->pts_wrap_bits,
        .delay = st->codecpar->video_delay,
    };
    if (track == SC_TIMELINE_PICTURE && rate.num)
        format->frame_ns = av_rescale(SC_NS_PER_S, rate.den, rate.num);
    else if (st->codecpar->sample_rate > 0 && st->codecpar->frame_size > 0)
        format->frame_ns =
            av_rescale(SC_NS_PER_S, st->codecpar->frame_size, st->codecpar->sample_rate);
}

static int check_video(struct demux *d, sc_err *err)
{
    const char *shown = d->address->shown;
    if (d->track[0] < 0)
        return sc_fail(err, SC_EDATA, "%s: there is no picture in it (%s)", shown,
                       d->track[1] < 0 ? "nor sound that is known" : "only sound");
    const AVCodecParameters *par = d->fmt->streams[d->track[0]]->codecpar;
    if (par->codec_id == AV_CODEC_ID_NONE || !avcodec_find_decoder(par->codec_id))
        return sc_fail(err, SC_EUNSUPPORTED, "%s: its codec (%s) is not known to this FFmpeg",
                       shown, avcodec_get_name(par->codec_id));
    if (par->width <= 0 || par->height <= 0)
        return sc_fail(
            err, SC_EDATA,
            "%s: no picture that can be decoded came (%s); the source may be damaged", shown,
            avcodec_get_name(par->codec_id));
    if (par->width > SC_LIVE_MAX_SIDE || par->height > SC_LIVE_MAX_SIDE)
        return sc_fail(err, SC_ELIMIT, "%s: %d x %d pixels are too many, a side has at most %d",
                       shown, par->width, par->height, SC_LIVE_MAX_SIDE);
    return SC_OK;
}

// The best picture and the sound that goes with it; other tracks are left alone.
static int pick_tracks(struct demux *d, sc_err *err)
{
    AVFormatContext *fmt = d->fmt;
    int video = d->file ? d->file->video->index
                        : av_find_best_stream(fmt, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    int sound = av_find_best_stream(fmt, AVMEDIA_TYPE_AUDIO, -1, video, NULL, 0);
    if (sound >= 0 && (fmt->streams[sound]->codecpar->codec_id == AV_CODEC_ID_NONE ||
                       fmt->streams[sound]->codecpar->sample_rate <= 0))
        sound = -1; // nothing could be done with it
    d->track[SC_TIMELINE_PICTURE] = video >= 0 ? video : -1;
    d->track[SC_TIMELINE_SOUND] = sound >= 0 ? sound : -1;
    int ret = check_video(d, err);
    if (ret < 0)
        return ret;
    for (int i = 0; i < (int)fmt->nb_streams; i++)
        fmt->streams[i]->discard = i == video || i == sound ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    d->facts.video = fmt->streams[video]->codecpar;
    d->facts.sound = sound >= 0 ? fmt->streams[sound]->codecpar : NULL;
    d->facts.frame_rate = frame_rate(fmt, fmt->streams[video]);
    d->facts.turn = sc_turn_of(fmt->streams[video]);
    d->facts.finite = fmt->duration > 0;
    d->facts.jumps = fmt->iformat->flags & AVFMT_TS_DISCONT;
    fill_format(d, SC_TIMELINE_PICTURE);
    if (sound >= 0)
        fill_format(d, SC_TIMELINE_SOUND);
    return SC_OK;
}

static struct demux *demux_new(void **pself, const struct sc_live_address *address,
                               struct sc_live_deadline *deadline)
{
    struct demux *d = *pself = sc_new(struct demux);
    d->address = address;
    d->deadline = deadline;
    d->track[0] = d->track[1] = -1;
    return d;
}

static void set_options(AVDictionary **options, const struct sc_live_address *address,
                        const struct sc_live_input_params *params)
{
    const struct sc_live_kind *kind = address->kind;
    bool rtsp = !strcmp(kind->name, "rtsp"), low = params->low_latency;
    av_dict_parse_string(options, kind->options, "=", ":", 0);
    av_dict_set(options, "protocol_whitelist", kind->protocols, 0);
    av_dict_set(options, "format_whitelist", kind->formats, 0);
    av_dict_set(options, "max_streams", "64", 0);
    av_dict_set(options, "correct_ts_overflow", "0", 0); // media/timeline.h does that
    av_dict_set_int(options, "analyzeduration", low ? 500000 : 3000000, 0); // us
    if (low)
        av_dict_set(options, "fpsprobesize", "0", 0);
    if (rtsp)
        av_dict_set(options, "rtsp_transport", params->transport ? params->transport : "tcp",
                    0);
    if (address->listens && !strcmp(kind->name, "rtmp"))
        av_dict_set(options, "listen", "1", 0);
    if (!strcmp(kind->name, "http"))
        av_dict_set(options, "user_agent", "saccade/" SC_VERSION, 0);
}

static int open_net(void **pself, const struct sc_live_address *address,
                    const struct sc_live_input_params *params,
                    struct sc_live_deadline *deadline, sc_err *err)
{
    struct demux *d = demux_new(pself, address, deadline);
    const char *forced = address->kind->format;
    const AVInputFormat *format = forced ? av_find_input_format(forced) : NULL;
    AVDictionary *options = NULL;
    if (forced && !format)
        return sc_live_explain(address, AVERROR_DEMUXER_NOT_FOUND, deadline, err);
    d->fmt = avformat_alloc_context();
    if (!d->fmt)
        return sc_fail(err, SC_ENOMEM, "out of memory opening the source");
    d->fmt->interrupt_callback = (AVIOInterruptCB){passed, deadline};
    set_options(&options, address, params);
    int ret = avformat_open_input(&d->fmt, address->url, format, &options);
    av_dict_free(&options);
    if (ret >= 0)
        ret = avformat_find_stream_info(d->fmt, NULL);
    if (ret < 0 || sc_live_deadline_passed(deadline))
        return sc_live_explain(address, ret < 0 ? ret : AVERROR(ETIMEDOUT), deadline, err);
    return pick_tracks(d, err);
}

static int open_file(void **pself, const struct sc_live_address *address,
                     const struct sc_live_input_params *params,
                     struct sc_live_deadline *deadline, sc_err *err)
{
    struct demux *d = demux_new(pself, address, deadline);
    (void)params;
    sc_err why = {0};
    int ret = sc_input_open(&d->file, address->url, true, &why);
    if (ret < 0 && sc_starts_with(why.text, address->url))
        return sc_fail(err, ret, "%s", why.text);
    if (ret < 0)
        return sc_fail(err, ret, "%s: %s", address->shown, sc_err_text(&why, ret));
    d->fmt = d->file->fmt;
    return pick_tracks(d, err);
}

static const struct sc_live_facts *facts(const void *self)
{
    const struct demux *d = self;
    return &d->facts;
}

static int read_packet(void *self, AVPacket *pkt, enum sc_timeline_track *track, sc_err *err)
{
    struct demux *d = self;
    for (;;) {
        int ret =
            sc_live_deadline_passed(d->deadline) ? AVERROR_EXIT : av_read_frame(d->fmt, pkt);
        if (ret == AVERROR(EAGAIN))
            continue;
        if (ret == AVERROR_EOF && !sc_live_deadline_passed(d->deadline))
            return SC_EEOF;
        if (ret < 0)
            return sc_live_explain(d->address, ret, d->deadline, err);
        *track = pkt->stream_index == d->track[0] ? SC_TIMELINE_PICTURE : SC_TIMELINE_SOUND;
        bool ours = pkt->stream_index == d->track[*track];
        if (ours && pkt->size > 0 && pkt->size <= SC_LIVE_MAX_PACKET)
            return SC_OK;
        av_packet_unref(pkt);
    }
}

static void close_demux(void **pself)
{
    struct demux *d = *pself;
    if (!d)
        return;
    if (d->file)
        sc_input_close(&d->file);
    else
        avformat_close_input(&d->fmt);
    free(d);
    *pself = NULL;
}

const struct sc_live_source_ops sc_live_demux = {open_net, facts, read_packet, close_demux};
const struct sc_live_source_ops sc_live_file = {open_file, facts, read_packet, close_demux};
