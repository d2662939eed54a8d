#include "media/writer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/avstring.h>
#include <libavutil/opt.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/writer_internal.h"

#define IN_FLIGHT 1024 // pictures that an encoder may hold: more than any looks ahead

struct sc_writer {
    struct sc_writer_params params; // path is a copy
    AVFormatContext *muxer;
    AVStream *stream;
    AVCodecContext *encoder;
    AVPacket *packet;
    AVFrame *picture;
    struct SwsContext *sws;
    struct sc_sound *sound;
    int64_t frames, bytes;
    int64_t last_pts, end; // of the last picture; time_base
    struct {
        int64_t pts, duration;
    } sent[IN_FLIGHT];      // by frame number
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

static const AVCodec *find_encoder(const sc_writer *w, sc_err *err)
{
    const char *name = w->params.codec ? w->params.codec : "libx264";
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    if (!codec || codec->type != AVMEDIA_TYPE_VIDEO) {
        sc_fail_field(err, SC_EUNSUPPORTED, "codec",
                      "this FFmpeg has no video encoder called %s; `ffmpeg -encoders` lists "
                      "those it has",
                      name);
        return NULL;
    }
    if (avformat_query_codec(w->muxer->oformat, codec->id, FF_COMPLIANCE_NORMAL) != 0)
        return codec;
    sc_fail_field(err, SC_EUNSUPPORTED, "codec", "%s files cannot hold %s",
                  w->muxer->oformat->name, avcodec_get_name(codec->id));
    return NULL;
}

static void set_picture(const sc_writer *w, AVCodecContext *e)
{
    const AVFrame *like = w->params.like;
    AVRational aspect = w->params.sample_aspect;
    e->width = like->width;
    e->height = like->height;
    e->pix_fmt = sc_encoder_format(e->codec, like);
    e->time_base = w->params.time_base;
    e->framerate = w->params.frame_rate;
    e->sample_aspect_ratio = aspect.num > 0 ? aspect : like->sample_aspect_ratio;
    e->color_range = like->color_range;
    e->color_primaries = like->color_primaries;
    e->color_trc = like->color_trc;
    e->colorspace = like->colorspace;
    e->chroma_sample_location = like->chroma_location;
    if (like->colorspace == AVCOL_SPC_RGB || like->format == AV_PIX_FMT_PAL8) {
        e->colorspace = AVCOL_SPC_BT709;
        e->color_range = AVCOL_RANGE_MPEG;
    }
}

static int set_encoder(const sc_writer *w, AVCodecContext *e, sc_err *err)
{
    const struct sc_writer_params *p = &w->params;
    const char *name = e->codec->name, *preset = p->preset;
    set_picture(w, e);
    if (p->gop)
        e->gop_size = p->gop;
    if (p->bframes)
        e->max_b_frames = FFMAX(p->bframes, 0);
    e->thread_count = p->threads;
    if (p->reproducible)
        e->flags |= AV_CODEC_FLAG_BITEXACT;
    if (w->muxer->oformat->flags & AVFMT_GLOBALHEADER)
        e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (!preset && (!strcmp(name, "libx264") || !strcmp(name, "libx265")))
        preset = "veryfast";
    if (preset && av_opt_set(e->priv_data, "preset", preset, 0) < 0)
        return sc_fail_field(err, SC_EARG, "preset", "%s knows no preset %s", name, preset);
    av_opt_set_int(e->priv_data, "crf", p->crf ? p->crf : 23, 0); // not every encoder has it
    return SC_OK;
}

static int open_encoder(sc_writer *w, sc_err *err)
{
    const AVCodec *codec = find_encoder(w, err);
    if (!codec)
        return SC_EUNSUPPORTED;
    w->encoder = avcodec_alloc_context3(codec);
    if (!w->encoder)
        return SC_ENOMEM;
    int ret = set_encoder(w, w->encoder, err);
    if (ret < 0)
        return ret;
    ret = avcodec_open2(w->encoder, codec, NULL);
    if (ret < 0)
        return sc_fail_field(err, SC_EUNSUPPORTED, "codec",
                             "the encoder %s refuses these settings (error %d)", codec->name,
                             ret);
    w->stream->time_base = w->encoder->time_base;
    w->stream->avg_frame_rate = w->encoder->framerate;
    w->stream->sample_aspect_ratio = w->encoder->sample_aspect_ratio;
    return avcodec_parameters_from_context(w->stream->codecpar, w->encoder) < 0 ? SC_ENOMEM : 0;
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
    w->picture = av_frame_alloc();
    int ret = w->packet && w->picture ? open_muxer(w, err) : SC_ENOMEM;
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
    avcodec_free_context(&w->encoder);
    sws_freeContext(w->sws);
    av_packet_free(&w->packet);
    av_frame_free(&w->picture);
    free((char *)w->params.path);
    free(w);
}

// --- writing ----------------------------------------------------------------------------------

static int64_t duration_of(const sc_writer *w, int64_t pts)
{
    for (int64_t n = w->frames - 1; n >= 0 && n >= w->frames - IN_FLIGHT; n--) {
        if (w->sent[n % IN_FLIGHT].pts == pts)
            return w->sent[n % IN_FLIGHT].duration;
    }
    return 1;
}

// Feeds one frame (NULL ends) and writes what the encoder has ready.
static int encode(sc_writer *w, AVFrame *frame, sc_err *err)
{
    int ret = avcodec_send_frame(w->encoder, frame);
    while (ret >= 0) {
        ret = avcodec_receive_packet(w->encoder, w->packet);
        if (ret == AVERROR(EAGAIN) || ret == AVERROR_EOF)
            return SC_OK;
        if (ret < 0)
            break;
        w->packet->stream_index = w->stream->index;
        w->packet->duration = duration_of(w, w->packet->pts);
        av_packet_rescale_ts(w->packet, w->encoder->time_base, w->stream->time_base);
        ret = av_interleaved_write_frame(w->muxer, w->packet);
    }
    return fail_av(w, ret, "cannot write", err);
}

int sc_writer_put(sc_writer *w, const AVFrame *picture, int64_t pts, int64_t duration,
                  sc_err *err)
{
    pts = w->frames && pts <= w->last_pts ? w->last_pts + 1 : pts;
    duration = duration > 0 ? duration : 1;
    av_frame_unref(w->picture);
    int ret = sc_encoder_fit(&w->sws, w->encoder, picture, w->picture);
    if (ret < 0)
        return sc_fail(err, ret, "cannot encode such pictures for %s: %s", w->params.path,
                       sc_strerror(ret));
    w->picture->pict_type = AV_PICTURE_TYPE_NONE; // where keyframes go is the encoder's choice
    w->picture->pts = pts;
    w->sent[w->frames % IN_FLIGHT].pts = pts;
    w->sent[w->frames % IN_FLIGHT].duration = duration;
    w->frames++;
    w->last_pts = pts;
    w->end = pts + duration;
    int64_t until = av_rescale_q(pts, w->encoder->time_base, (AVRational){1, (int)SC_NS_PER_S});
    ret = sc_sound_copy(w->sound, w->muxer, until);
    return ret < 0 ? fail_av(w, ret, "cannot write the sound of", err)
                   : encode(w, w->picture, err);
}

int sc_writer_finish(sc_writer *w, bool whole_sound, sc_err *err)
{
    if (!w->frames)
        return sc_fail(err, SC_EDATA, "%s: there are no pictures to write", w->params.path);
    int64_t until = whole_sound ? INT64_MAX
                                : av_rescale_q(w->end, w->encoder->time_base,
                                               (AVRational){1, (int)SC_NS_PER_S});
    int ret = encode(w, NULL, err);
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
    *info = (struct sc_writer_info){
        .encoder = w->encoder->codec->name,
        .format = w->muxer->oformat->name,
        .frames = w->frames,
        .bytes = w->bytes,
    };
    info->sounds = sc_sound_streams(w->sound, &info->sounds_left_out);
}
