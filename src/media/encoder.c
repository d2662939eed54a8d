#include "media/encoder.h"

#include <stdatomic.h>
#include <string.h>

#include <libavutil/opt.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/encoder_internal.h"

#define IN_FLIGHT 1024 // pictures that an encoder may hold: more than any looks ahead

static const AVRational ns = {1, (int)SC_NS_PER_S};

struct sent {
    int64_t ticks, pts_ns, duration_ns;
};

struct sc_encoder {
    struct sc_encoder_params params; // like is gone after opening
    const struct sc_encoder_codec *row;
    AVCodecContext *codec;
    AVCodecParameters *described;
    AVFrame *picture;
    struct SwsContext *sws;
    int64_t last;                // ticks of the last picture
    int64_t last_ns, key_due_ns; // time of the last picture; of the next regular keyframe
    struct sent sent[IN_FLIGHT]; // by number
    int64_t pictures, packets, keys, bytes;
    bool refitted;
    atomic_bool want_key;
};

// --- opening ----------------------------------------------------------------------------------

// Live pictures have even sides: what the players of live streams take has whole chroma samples.
static void set_size(const struct sc_encoder_params *p, AVCodecContext *c)
{
    int w = p->width ? p->width : p->like->width;
    int h = p->height ? p->height : p->like->height;
    bool same = w == p->like->width && h == p->like->height;
    c->width = p->live && w > 1 ? w & ~1 : w;
    c->height = p->live && h > 1 ? h & ~1 : h;
    c->sample_aspect_ratio = p->sample_aspect;
    if (p->sample_aspect.num <= 0)
        c->sample_aspect_ratio = same ? p->like->sample_aspect_ratio : (AVRational){1, 1};
}

static void set_picture(const struct sc_encoder_params *p, AVCodecContext *c)
{
    const AVFrame *like = p->like;
    set_size(p, c);
    c->pix_fmt = sc_encoder_format(c->codec, like, p->live);
    if (p->narrow && c->pix_fmt == AV_PIX_FMT_YUVJ420P)
        c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = p->time_base;
    c->framerate = p->frame_rate;
    c->color_range = p->live && p->narrow ? AVCOL_RANGE_MPEG : like->color_range;
    c->color_primaries = like->color_primaries;
    c->color_trc = like->color_trc;
    c->colorspace = like->colorspace;
    c->chroma_sample_location = like->chroma_location;
    if (like->colorspace == AVCOL_SPC_RGB || like->format == AV_PIX_FMT_PAL8) {
        c->colorspace = AVCOL_SPC_BT709;
        c->color_range = AVCOL_RANGE_MPEG;
    }
}

static void set_bitrate(const sc_encoder *e, int64_t bitrate, int64_t max_bitrate)
{
    const struct sc_encoder_params *p = &e->params;
    AVCodecContext *c = e->codec;
    if (!max_bitrate && p->live)
        max_bitrate = bitrate;
    c->bit_rate = bitrate;
    c->rc_max_rate = max_bitrate;
    if (e->row && e->row->even && p->live)
        c->rc_min_rate = bitrate;
    c->rc_buffer_size =
        (int)FFMIN(max_bitrate * (p->buffer_ms ? p->buffer_ms : 1000) / 1000, INT32_MAX);
}

static void set_options(AVCodecContext *c, const char *const *pairs)
{
    for (; *pairs; pairs += 2)
        av_opt_set(c->priv_data, pairs[0], pairs[1], 0);
}

static int set_named(AVCodecContext *c, const char *name, const char *option, const char *value,
                     sc_err *err)
{
    if (value && av_opt_set(c->priv_data, option ? option : name, value, 0) < 0)
        return sc_fail_field(err, SC_EARG, name, "%s knows no %s %s", c->codec->name, name,
                             value);
    return SC_OK;
}

static void set_pace(const struct sc_encoder_params *p, AVCodecContext *c)
{
    double fps = av_q2d(p->frame_rate), key_s = (double)p->key_ns / SC_NS_PER_S;
    if (p->gop || p->live)
        c->gop_size = p->gop ? p->gop : FFMAX((int)(2 * fps), 1);
    if (p->key_ns) // what is due comes first
        c->gop_size = FFMAX(c->gop_size, (int)(2 * fps * key_s));
    if (p->bframes || p->live)
        c->max_b_frames = FFMAX(p->bframes, 0);
    if (p->steady) {
        c->keyint_min = c->gop_size;
        av_opt_set(c->priv_data, "sc_threshold", "0", 0); // x264's
    }
    if (p->level)
        c->level = p->level;
    c->thread_count = p->threads;
    if (p->reproducible)
        c->flags |= AV_CODEC_FLAG_BITEXACT;
    if (!p->in_band)
        c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
}

static int set_up(sc_encoder *e, sc_err *err)
{
    const struct sc_encoder_params *p = &e->params;
    const struct sc_encoder_codec *row = e->row;
    AVCodecContext *c = e->codec;
    set_picture(p, c);
    set_pace(p, c);
    set_bitrate(e, p->bitrate, p->max_bitrate);
    if (row)
        set_options(c, row->always);
    if (row && p->live)
        set_options(c, row->live);
    const char *preset = p->preset ? p->preset : row ? row->preset : NULL;
    int ret = set_named(c, "preset", row ? row->preset_option : NULL, preset, err);
    if (ret >= 0)
        ret = set_named(c, "profile", NULL, p->profile, err);
    if (!p->bitrate)
        av_opt_set_int(c->priv_data, "crf", p->crf ? p->crf : 23, 0); // not every one has it
    return ret;
}

// A tenth of a bit a pixel: 2.8 Mbit/s for 720p30, where x264's veryfast is decent.
int64_t sc_encoder_suiting_bitrate(int width, int height, double fps)
{
    double bits = 0.1 * width * height * (fps > 0 && fps < 120 ? fps : 30);
    return (int64_t)FFMAX(bits, 200e3);
}

static int check(const struct sc_encoder_params *p, sc_err *err)
{
    if (p->width < 0 || p->height < 0 || p->width > 16384 || p->height > 16384)
        return sc_fail_field(err, SC_EARG, "width", "%dx%d is no size of a picture", p->width,
                             p->height);
    if (p->bitrate < 0 || p->max_bitrate < 0 || (p->max_bitrate && p->max_bitrate < p->bitrate))
        return sc_fail_field(err, SC_EARG, "bitrate",
                             "the bitrate must not be negative, nor above the greatest one");
    return SC_OK;
}

static const char *name_of(const char *value)
{
    return value ? value : "by default";
}

static int open_codec(sc_encoder *e, const AVCodec *codec, sc_err *err)
{
    e->codec = avcodec_alloc_context3(codec);
    e->picture = av_frame_alloc();
    e->described = avcodec_parameters_alloc();
    if (!e->codec || !e->picture || !e->described)
        return SC_ENOMEM;
    int ret = set_up(e, err);
    if (ret < 0)
        return ret;
    ret = avcodec_open2(e->codec, codec, NULL);
    if (ret < 0)
        return sc_fail_field(err, SC_EUNSUPPORTED, "codec",
                             "the encoder %s refuses these settings (preset %s, profile %s, "
                             "%dx%d; error %d)",
                             codec->name, name_of(e->params.preset), name_of(e->params.profile),
                             e->codec->width, e->codec->height, ret);
    return avcodec_parameters_from_context(e->described, e->codec) < 0 ? SC_ENOMEM : SC_OK;
}

int sc_encoder_open(sc_encoder **pencoder, const struct sc_encoder_params *params, sc_err *err)
{
    const char *name = params->codec ? params->codec : "libx264";
    const AVCodec *codec = NULL;
    sc_encoder *e = sc_new(sc_encoder);
    e->params = *params;
    if (e->params.frame_rate.num <= 0 || e->params.frame_rate.den <= 0)
        e->params.frame_rate = (AVRational){30, 1};
    if (e->params.time_base.num <= 0 || e->params.time_base.den <= 0)
        e->params.time_base = (AVRational){1, 90000};
    int ret = check(params, err);
    if (ret >= 0)
        ret = sc_encoder_find(&codec, name, err);
    if (ret >= 0) {
        e->row = sc_encoder_codec_find(codec->name);
        ret = open_codec(e, codec, err);
    }
    e->params.like = NULL; // borrowed for the call, as the names are
    e->params.codec = e->params.preset = e->params.profile = NULL;
    *pencoder = e;
    if (ret < 0)
        sc_encoder_close(pencoder);
    return ret;
}

void sc_encoder_close(sc_encoder **pencoder)
{
    sc_encoder *e = pencoder ? *pencoder : NULL;
    if (!e)
        return;
    *pencoder = NULL;
    avcodec_free_context(&e->codec);
    avcodec_parameters_free(&e->described);
    sws_freeContext(e->sws);
    av_frame_free(&e->picture);
    free(e);
}

// --- encoding ---------------------------------------------------------------------------------

static int send(sc_encoder *e, const AVFrame *picture, sc_err *err)
{
    int ret = avcodec_send_frame(e->codec, picture);
    if (ret == AVERROR(EAGAIN))
        return SC_EAGAIN;
    if (ret < 0 && ret != AVERROR_EOF)
        return sc_fail(err, SC_EINTERNAL, "the encoder %s gave up (error %d)",
                       e->codec->codec->name, ret);
    return SC_OK;
}

// By time, not by count, since pictures may be left out; and whatever keyframes come in between, since
// these are to be evenly apart.
static bool key_is_due(const sc_encoder *e, int64_t pts_ns)
{
    if (!e->params.key_ns || !e->pictures)
        return false;
    int64_t step = pts_ns - e->last_ns;
    return pts_ns + FFMIN(step, e->params.key_ns) / 2 >= e->key_due_ns;
}

int sc_encoder_put(sc_encoder *e, const AVFrame *picture, int64_t pts_ns, int64_t duration_ns,
                   sc_err *err)
{
    int64_t ticks = av_rescale_q(pts_ns, ns, e->codec->time_base);
    if (e->pictures && ticks <= e->last) {
        ticks = e->last + 1;
        pts_ns = av_rescale_q(ticks, e->codec->time_base, ns);
    }
    av_frame_unref(e->picture);
    int ret = sc_encoder_fit(&e->sws, e->codec, picture, e->params.sample_aspect, e->picture);
    if (ret < 0)
        return sc_fail(err, ret, "pictures of %dx%d cannot be made ready for the encoder: %s",
                       picture->width, picture->height, sc_strerror(ret));
    bool due = key_is_due(e, pts_ns);
    bool key = atomic_exchange(&e->want_key, false) || due;
    // Where keyframes go is otherwise the encoder's choice, not what the picture was before.
    e->picture->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    e->picture->pts = ticks;
    ret = send(e, e->picture, err);
    if (ret == SC_EAGAIN && key && !due)
        atomic_store(&e->want_key, true);
    if (ret < 0)
        return ret;
    e->refitted |= e->picture->width != picture->width || e->picture->height != picture->height;
    e->sent[e->pictures++ % IN_FLIGHT] = (struct sent){ticks, pts_ns, FFMAX(duration_ns, 0)};
    e->last = ticks;
    e->last_ns = pts_ns;
    if (due || e->pictures == 1)
        e->key_due_ns = pts_ns + e->params.key_ns;
    return SC_OK;
}

int sc_encoder_flush(sc_encoder *e, sc_err *err)
{
    return send(e, NULL, err);
}

// The picture that a packet shows, as it was put; NULL where the encoder made the time up.
static const struct sent *find_sent(const sc_encoder *e, int64_t ticks)
{
    for (int64_t n = e->pictures - 1; n >= 0 && n >= e->pictures - IN_FLIGHT; n--) {
        if (e->sent[n % IN_FLIGHT].ticks == ticks)
            return &e->sent[n % IN_FLIGHT];
    }
    return NULL;
}

static sc_packet *wrap(sc_encoder *e, AVPacket *av)
{
    const struct sent *sent = find_sent(e, av->pts);
    bool same = av->dts == av->pts;
    av->time_base = e->codec->time_base;
    av->duration =
        sent ? FFMAX(av_rescale_q(sent->duration_ns, ns, av->time_base), 1) : av->duration;
    sc_packet *packet = sc_packet_wrap(av, SC_MEDIA_VIDEO);
    if (packet && sent) { // the exact times, without the rounding to ticks
        packet->pts_ns = sent->pts_ns;
        packet->dts_ns = same ? packet->pts_ns : FFMIN(packet->dts_ns, packet->pts_ns);
        packet->duration_ns = sent->duration_ns;
    }
    return packet;
}

int sc_encoder_get(sc_encoder *e, sc_packet **ppacket, sc_err *err)
{
    *ppacket = NULL;
    AVPacket *av = av_packet_alloc();
    if (!av)
        return SC_ENOMEM;
    int ret = avcodec_receive_packet(e->codec, av);
    if (ret >= 0)
        *ppacket = wrap(e, av);
    if (!*ppacket)
        av_packet_free(&av);
    if (ret == AVERROR(EAGAIN))
        return SC_EAGAIN;
    if (ret == AVERROR_EOF)
        return SC_EEOF;
    if (ret < 0)
        return sc_fail(err, SC_EINTERNAL, "the encoder %s gave up (error %d)",
                       e->codec->codec->name, ret);
    if (!*ppacket)
        return SC_ENOMEM;
    e->packets++;
    e->keys += (*ppacket)->key;
    e->bytes += av->size;
    return SC_OK;
}

// --- while it runs ----------------------------------------------------------------------------

void sc_encoder_want_key(sc_encoder *e)
{
    atomic_store(&e->want_key, true);
}

int sc_encoder_set_bitrate(sc_encoder *e, int64_t bitrate, int64_t max_bitrate)
{
    if (bitrate <= 0 || !e->params.bitrate || !e->row || !e->row->sets_bitrate)
        return SC_EUNSUPPORTED;
    set_bitrate(e, bitrate, max_bitrate);
    return SC_OK;
}

const AVCodecParameters *sc_encoder_codec(const sc_encoder *e)
{
    return e->described;
}

void sc_encoder_get_info(const sc_encoder *e, struct sc_encoder_info *info)
{
    *info = (struct sc_encoder_info){
        .encoder = e->codec->codec->name,
        .width = e->codec->width,
        .height = e->codec->height,
        .time_base = e->codec->time_base,
        .frame_rate = e->codec->framerate,
        .pictures = e->pictures,
        .packets = e->packets,
        .keys = e->keys,
        .bytes = e->bytes,
        .bitrate = e->params.bitrate ? e->codec->bit_rate : 0,
        .refitted = e->refitted,
    };
}
