#include "media/writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/avstring.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/encoder_internal.h"
#include "media/writer_internal.h"

struct sc_writer {
    struct sc_writer_params params; // path is a copy
    AVFormatContext *muxer;
    AVStream *stream;
    sc_encoder *encoder;
    AVPacket *packet;
    struct sc_sound *sound;
    int64_t frames, bytes;
    int64_t last_pts, end;  // of the last picture; time_base
    bool created, finished; // path is ours to remove; it is complete
};

static int fail_av(const sc_writer *w, int averror, const char *what, sc_err *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(averror, text, sizeof(text));
    int code =
        averror == AVERROR(EINVAL) || averror < -4096 ? SC_EIO : sc_error_from_errno(-averror);
    return sc_fail(err, code, "%s %s: %s", what, w->params.path, text);
}

bool sc_muxer_edits(const AVFormatContext *muxer)
{
    return av_match_name(muxer->oformat->name, "mp4,mov,ipod");
}

// --- opening ----------------------------------------------------------------------------------

static int open_muxer(sc_writer *w, sc_err *err)
{
    const AVOutputFormat *format = av_guess_format(w->params.format, w->params.path, NULL);
    if (!format || format->video_codec == AV_CODEC_ID_NONE || format->flags & AVFMT_NOFILE)
        return sc_fail(
            err, SC_EUNSUPPORTED,
            "%s: its ending names no container of video that can be written; .mp4 and "
            ".mkv do",
            w->params.path);
    int ret = avformat_alloc_output_context2(&w->muxer, format, NULL, w->params.path);
    if (ret < 0)
        return fail_av(w, ret, "cannot prepare", err);
    if (w->params.reproducible)
        w->muxer->flags |= AVFMT_FLAG_BITEXACT;
    w->stream = avformat_new_stream(w->muxer, NULL);
    return w->stream ? SC_OK : SC_ENOMEM;
}

static int check_codec(const sc_writer *w, const char *name, sc_err *err)
{
    const AVCodec *codec = NULL;
    int ret = sc_encoder_find(&codec, name, err);
    if (ret < 0)
        return ret;
    if (avformat_query_codec(w->muxer->oformat, codec->id, FF_COMPLIANCE_NORMAL) != 0)
        return SC_OK;
    return sc_fail_field(err, SC_EUNSUPPORTED, "codec", "%s files cannot hold %s",
                         w->muxer->oformat->name, avcodec_get_name(codec->id));
}

static int open_encoder(sc_writer *w, sc_err *err)
{
    const struct sc_writer_params *p = &w->params;
    const struct sc_encoder_params params = {
        .like = p->like,
        .frame_rate = p->frame_rate,
        .time_base = p->time_base,
        .sample_aspect = p->sample_aspect,
        .codec = p->codec ? p->codec : "libx264",
        .preset = p->preset,
        .crf = p->crf,
        .gop = p->gop,
        .bframes = p->bframes,
        .threads = p->threads,
        .in_band = !(w->muxer->oformat->flags & AVFMT_GLOBALHEADER),
        .reproducible = p->reproducible,
    };
    struct sc_encoder_info info;
    int ret = check_codec(w, params.codec, err);
    if (ret >= 0)
        ret = sc_encoder_open(&w->encoder, &params, err);
    if (ret < 0)
        return ret;
    const AVCodecParameters *codec = sc_encoder_codec(w->encoder);
    sc_encoder_get_info(w->encoder, &info);
    w->stream->time_base = info.time_base;
    w->stream->avg_frame_rate = info.frame_rate;
    w->stream->sample_aspect_ratio = codec->sample_aspect_ratio;
    return avcodec_parameters_copy(w->stream->codecpar, codec) < 0 ? SC_ENOMEM : SC_OK;
}

// The display matrix maps coded to displayed places: turned clockwise, then flipped.
static int set_view(sc_writer *w, sc_err *err)
{
    static const int turned[4][4] = {
        {1, 0, 0, 1}, {0, 1, -1, 0}, {-1, 0, 0, -1}, {0, -1, 1, 0}};
    const struct sc_writer_params *p = &w->params;
    if (!p->rotation && !p->hflip && !p->vflip)
        return SC_OK;
    if (!sc_muxer_edits(w->muxer))
        return sc_fail(err, SC_EUNSUPPORTED,
                       "%s: a container of this kind cannot say that the picture is turned or "
                       "mirrored; .mp4 can",
                       p->path);
    int32_t *m = (int32_t *)(void *)av_stream_new_side_data(
        w->stream, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(*m));
    if (!m)
        return SC_ENOMEM;
    const int *turn = turned[p->rotation / 90 % 4];
    int x = p->hflip ? -65536 : 65536, y = p->vflip ? -65536 : 65536;
    const int32_t matrix[9] = {turn[0] * x, turn[1] * y, 0, turn[2] * x, turn[3] * y,
                               0,           0,           0, 1 << 30};
    memcpy(m, matrix, sizeof(matrix));
    return SC_OK;
}

static int open_file(sc_writer *w, sc_err *err)
{
    AVDictionary *options = NULL;
    int ret = avio_open(&w->muxer->pb, w->params.path, AVIO_FLAG_WRITE);
    if (ret < 0)
        return fail_av(w, ret, "cannot create", err);
    struct stat st;
    w->created = !stat(w->params.path, &st) && S_ISREG(st.st_mode); // never a device
    av_dict_set(&options, "movflags", "+faststart", 0); // ignored by other containers
    ret = avformat_write_header(w->muxer, &options);
    av_dict_free(&options);
    return ret < 0 ? fail_av(w, ret, "cannot write the header of", err) : SC_OK;
}

int sc_writer_open(sc_writer **pwriter, const struct sc_writer_params *params, sc_err *err)
{
    sc_writer *w = sc_new(sc_writer);
    w->params = *params;
    w->params.path = sc_xstrdup(params->path);
    w->packet = av_packet_alloc();
    int ret = w->packet ? open_muxer(w, err) : SC_ENOMEM;
    if (ret >= 0)
        ret = open_encoder(w, err);
    if (ret >= 0)
        ret = set_view(w, err);
    if (ret >= 0)
        ret = sc_sound_open(&w->sound, w->muxer, &w->params, err);
    if (ret >= 0)
        ret = open_file(w, err);
    w->params.like = NULL; // borrowed for the call
    *pwriter = w;
    if (ret < 0) {
        sc_fail(err, ret, "cannot write %s: %s", params->path, sc_strerror(ret));
        sc_writer_close(pwriter);
    }
    return ret;
}

void sc_writer_close(sc_writer **pwriter)
{
    sc_writer *w = pwriter ? *pwriter : NULL;
    if (!w)
        return;
    *pwriter = NULL;
    if (w->muxer && w->muxer->pb)
        avio_closep(&w->muxer->pb);
    if (w->created && !w->finished)
        unlink(w->params.path);
    avformat_free_context(w->muxer);
    sc_sound_close(&w->sound);
    sc_encoder_close(&w->encoder);
    av_packet_free(&w->packet);
    free((char *)w->params.path);
    free(w);
}

// --- writing ----------------------------------------------------------------------------------

// Writes what the encoder has ready.
static int drain(sc_writer *w, sc_err *err)
{
    sc_packet *packet = NULL;
    int ret;
    while ((ret = sc_encoder_get(w->encoder, &packet, err)) >= 0) {
        ret = sc_packet_clone(w->packet, packet);
        sc_packet_unref(&packet);
        if (ret < 0)
            return ret;
        w->packet->stream_index = w->stream->index;
        av_packet_rescale_ts(w->packet, w->packet->time_base, w->stream->time_base);
        ret = av_interleaved_write_frame(w->muxer, w->packet);
        if (ret < 0)
            return fail_av(w, ret, "cannot write", err);
    }
    return ret == SC_EAGAIN || ret == SC_EEOF ? SC_OK : ret;
}

int sc_writer_put(sc_writer *w, const AVFrame *picture, int64_t pts, int64_t duration,
                  sc_err *err)
{
    const AVRational ns = {1, (int)SC_NS_PER_S};
    pts = w->frames && pts <= w->last_pts ? w->last_pts + 1 : pts;
    duration = duration > 0 ? duration : 1;
    int ret = sc_encoder_put(w->encoder, picture, av_rescale_q(pts, w->params.time_base, ns),
                             av_rescale_q(duration, w->params.time_base, ns), err);
    if (ret < 0)
        return sc_fail(err, ret, "cannot encode for %s: %s", w->params.path, sc_strerror(ret));
    w->frames++;
    w->last_pts = pts;
    w->end = pts + duration;
    ret = sc_sound_copy(w->sound, w->muxer, av_rescale_q(pts, w->params.time_base, ns));
    return ret < 0 ? fail_av(w, ret, "cannot write the sound of", err) : drain(w, err);
}

int sc_writer_finish(sc_writer *w, bool whole_sound, sc_err *err)
{
    if (!w->frames)
        return sc_fail(err, SC_EDATA, "%s: there are no pictures to write", w->params.path);
    int64_t until = whole_sound ? INT64_MAX
                                : av_rescale_q(w->end, w->params.time_base,
                                               (AVRational){1, (int)SC_NS_PER_S});
    int ret = sc_encoder_flush(w->encoder, err);
    if (ret >= 0)
        ret = drain(w, err);
    if (ret < 0)
        return ret;
    ret = sc_sound_copy(w->sound, w->muxer, until);
    if (ret >= 0)
        ret = av_write_trailer(w->muxer);
    int closed = avio_closep(&w->muxer->pb); // tells of late write errors
    ret = ret < 0 ? ret : closed;
    if (ret < 0)
        return fail_av(w, ret, "cannot finish", err);
    struct stat st;
    w->bytes = stat(w->params.path, &st) < 0 ? 0 : st.st_size;
    w->finished = true;
    return SC_OK;
}

void sc_writer_get_info(const sc_writer *w, struct sc_writer_info *info)
{
    struct sc_encoder_info encoder;
    sc_encoder_get_info(w->encoder, &encoder);
    *info = (struct sc_writer_info){
        .encoder = encoder.encoder,
        .format = w->muxer->oformat->name,
        .frames = w->frames,
        .bytes = w->bytes,
    };
    info->sounds = sc_sound_streams(w->sound, &info->sounds_left_out);
}
