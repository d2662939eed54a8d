#include "media/clip.h"

#include <errno.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include "base/mem.h"

struct clip {
    struct sc_clip_params params;
    const char *path;
    sc_err *err;
    sc_scene *scene;
    AVFrame *frame;
    AVPacket *packet;
    AVCodecContext *encoder;
    AVFormatContext *muxer;
    AVStream *stream;
    bool created; // path is ours to remove
};

static int fail_av(struct clip *c, int averror, const char *what)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(averror, text, sizeof(text));
    int code =
        averror == AVERROR(EINVAL) || averror < -4096 ? SC_EIO : sc_error_from_errno(-averror);
    return sc_fail(c->err, code, "%s %s: %s", what, c->path, text);
}

static int check_number(struct clip *c, int64_t value, int64_t min, int64_t max,
                        const char *field)
{
    if (value >= min && value <= max)
        return SC_OK;
    return sc_fail_field(c->err, SC_EARG, field, "%s is %lld; it must be %lld to %lld", field,
                         (long long)value, (long long)min, (long long)max);
}

static int fill_defaults(struct clip *c)
{
    struct sc_clip_params *p = &c->params;
    double fps = av_q2d(sc_scene_get_params(c->scene)->fps);
    p->frames = p->frames ? p->frames : (int64_t)(20 * fps + 0.5);
    p->codec = p->codec ? p->codec : "libx264";
    p->crf = p->crf ? p->crf : 23;
    p->gop = p->gop ? p->gop : 60;
    p->bframes = p->bframes ? p->bframes : 2;
    int ret = check_number(c, p->frames, 1, 10000000, "frames");
    if (ret >= 0)
        ret = check_number(c, p->crf, 1, 63, "crf");
    if (ret >= 0)
        ret = check_number(c, p->gop, 1, 100000, "gop");
    if (ret >= 0)
        ret = check_number(c, p->bframes, INT32_MIN, 16, "bframes");
    if (ret >= 0)
        ret = check_number(c, p->threads, 0, 256, "threads");
    return ret;
}

static int open_muxer(struct clip *c)
{
    const AVOutputFormat *format = av_guess_format(NULL, c->path, NULL);
    if (!format || format->video_codec == AV_CODEC_ID_NONE || format->flags & AVFMT_NOFILE)
        format = av_guess_format("mp4", NULL, NULL);
    int ret = avformat_alloc_output_context2(&c->muxer, format, NULL, c->path);
    if (ret < 0)
        return fail_av(c, ret, "cannot prepare");
    c->muxer->flags |= AVFMT_FLAG_BITEXACT; // the same file from the same seed
    c->stream = avformat_new_stream(c->muxer, NULL);
    return c->stream ? SC_OK : SC_ENOMEM;
}

static const AVCodec *find_encoder(struct clip *c)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(c->params.codec);
    const enum AVPixelFormat *format = codec ? codec->pix_fmts : NULL;
    if (!codec || codec->type != AVMEDIA_TYPE_VIDEO) {
        sc_fail_field(c->err, SC_EUNSUPPORTED, "codec",
                      "this FFmpeg has no video encoder called %s; `ffmpeg -encoders` lists "
                      "those it has",
                      c->params.codec);
        return NULL;
    }
    while (format && *format != AV_PIX_FMT_NONE && *format != AV_PIX_FMT_YUV420P)
        format++;
    if (!format || *format == AV_PIX_FMT_YUV420P)
        return codec;
    sc_fail_field(c->err, SC_EUNSUPPORTED, "codec", "the encoder %s does not take yuv420p",
                  codec->name);
    return NULL;
}

static int set_encoder(struct clip *c, AVCodecContext *e)
{
    const struct sc_scene_params *s = sc_scene_get_params(c->scene);
    const char *name = e->codec->name, *preset = c->params.preset;
    e->width = s->width;
    e->height = s->height;
    e->pix_fmt = AV_PIX_FMT_YUV420P;
    e->time_base = av_inv_q(s->fps);
    e->framerate = s->fps;
    e->gop_size = c->params.gop;
    e->max_b_frames = FFMAX(c->params.bframes, 0);
    e->thread_count = c->params.threads;
    e->sample_aspect_ratio = (AVRational){1, 1};
    e->color_range = AVCOL_RANGE_MPEG;
    e->color_primaries = AVCOL_PRI_BT709;
    e->color_trc = AVCOL_TRC_BT709;
    e->colorspace = AVCOL_SPC_BT709;
    e->chroma_sample_location = AVCHROMA_LOC_LEFT;
    e->flags |= AV_CODEC_FLAG_BITEXACT;
    if (c->muxer->oformat->flags & AVFMT_GLOBALHEADER)
        e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (!preset && (!strcmp(name, "libx264") || !strcmp(name, "libx265")))
        preset = "veryfast";
    if (preset && av_opt_set(e->priv_data, "preset", preset, 0) < 0)
        return sc_fail_field(c->err, SC_EARG, "preset", "%s knows no preset %s", name, preset);
    av_opt_set_int(e->priv_data, "crf", c->params.crf, 0); // not every encoder has it
    return SC_OK;
}

static int open_encoder(struct clip *c)
{
    const AVCodec *codec = find_encoder(c);
    if (!codec)
        return SC_EUNSUPPORTED;
    if (avformat_query_codec(c->muxer->oformat, codec->id, FF_COMPLIANCE_NORMAL) == 0)
        return sc_fail_field(c->err, SC_EUNSUPPORTED, "codec", "%s files cannot hold %s",
                             c->muxer->oformat->name, avcodec_get_name(codec->id));
    c->encoder = avcodec_alloc_context3(codec);
    if (!c->encoder)
        return SC_ENOMEM;
    int ret = set_encoder(c, c->encoder);
    if (ret < 0)
        return ret;
    ret = avcodec_open2(c->encoder, codec, NULL);
    if (ret < 0)
        return sc_fail_field(c->err, SC_EUNSUPPORTED, "codec",
                             "the encoder %s refuses these settings (error %d)", codec->name,
                             ret);
    c->stream->time_base = c->encoder->time_base;
    c->stream->avg_frame_rate = c->encoder->framerate;
    return avcodec_parameters_from_context(c->stream->codecpar, c->encoder) < 0 ? SC_ENOMEM : 0;
}

static int open_file(struct clip *c)
{
    AVDictionary *options = NULL;
    int ret = avio_open(&c->muxer->pb, c->path, AVIO_FLAG_WRITE);
    if (ret < 0)
        return fail_av(c, ret, "cannot create");
    c->created = true;
    av_dict_set(&options, "movflags", "+faststart", 0); // ignored by other containers
    ret = avformat_write_header(c->muxer, &options);
    av_dict_free(&options);
    return ret < 0 ? fail_av(c, ret, "cannot write the header of") : SC_OK;
}

// Feeds one frame (NULL ends) and writes what the encoder has ready.
static int encode(struct clip *c, AVFrame *frame)
{
    int ret = avcodec_send_frame(c->encoder, frame);
    while (ret >= 0) {
        ret = avcodec_receive_packet(c->encoder, c->packet);
        if (ret == AVERROR(EAGAIN) || ret == AVERROR_EOF)
            return SC_OK;
        if (ret < 0)
            break;
        c->packet->stream_index = 0;
        c->packet->duration = c->packet->duration ? c->packet->duration : 1;
        av_packet_rescale_ts(c->packet, c->encoder->time_base, c->stream->time_base);
        ret = av_interleaved_write_frame(c->muxer, c->packet);
    }
    return fail_av(c, ret, "cannot write");
}

static int write_frames(struct clip *c)
{
    for (int64_t n = 0; n < c->params.frames; n++) {
        if (sc_cancel_requested(c->params.cancel))
            return sc_fail(c->err, SC_ECANCELLED, "cancelled while writing %s", c->path);
        if (av_frame_make_writable(c->frame) < 0) // the encoder may still hold the last one
            return SC_ENOMEM;
        sc_scene_render(c->scene, n, c->frame);
        c->frame->pict_type = AV_PICTURE_TYPE_NONE;
        int ret = encode(c, c->frame);
        if (ret < 0)
            return ret;
        if (c->params.progress)
            c->params.progress(c->params.progress_arg, n + 1, c->params.frames);
    }
    int ret = encode(c, NULL);
    if (ret < 0)
        return ret;
    ret = av_write_trailer(c->muxer);
    return ret < 0 ? fail_av(c, ret, "cannot finish") : SC_OK;
}

// Closing tells of late write errors; a file that failed is removed.
static int release(struct clip *c, int ret)
{
    if (c->muxer && c->muxer->pb) {
        int closed = avio_closep(&c->muxer->pb);
        if (ret >= 0 && closed < 0)
            ret = fail_av(c, closed, "cannot finish");
    }
    if (ret < 0 && c->created)
        unlink(c->path);
    avformat_free_context(c->muxer);
    avcodec_free_context(&c->encoder);
    av_packet_free(&c->packet);
    av_frame_free(&c->frame);
    sc_scene_close(&c->scene);
    return ret < 0 ? sc_fail(c->err, ret, "cannot write %s: %s", c->path, sc_strerror(ret))
                   : ret;
}

int sc_clip_write(const char *path, const struct sc_clip_params *params, sc_err *err)
{
    struct clip c = {.path = path, .err = err};
    if (params)
        c.params = *params;
    int ret = sc_scene_open(&c.scene, &c.params.scene, err);
    if (ret >= 0)
        ret = fill_defaults(&c);
    if (ret >= 0)
        ret = open_muxer(&c);
    if (ret >= 0)
        ret = open_encoder(&c);
    if (ret < 0)
        return release(&c, ret);
    c.packet = av_packet_alloc();
    c.frame = sc_scene_frame_new(c.scene);
    ret = c.packet && c.frame ? open_file(&c) : SC_ENOMEM;
    if (ret >= 0)
        ret = write_frames(&c);
    return release(&c, ret);
}
