#include "media/live_decoder.h"

#include <libavcodec/avcodec.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "media/codec_owner.h"
#include "media/packet.h"

#define LIVE_THREADS 4    // slices of one picture; more gain little
#define STUCK_AFTER  64   // errors in a row, beyond one a thread, until a decoder is emptied
#define MIN_STEP     1000 // ns between two frames
#define MAX_PIXELS   (INT64_C(16384) * 16384)

struct sc_live_decoder {
    int threads; // wished for; 0 = by kind
    sc_buffers *buffers;
    sc_live_streams *streams;
    AVCodecContext *ctx; // NULL before the first start and after one that failed
    struct sc_codec_owner owner;
    AVPacket *pkt;      // what is being sent
    bool entered;       // an entry point was sent since the start
    int64_t next;       // number of the next frame
    int64_t last_ns;    // time of the last; -1 = none
    int64_t complaints; // of contexts before this one
    struct sc_live_decoder_info info;
};

int sc_live_decoder_open(sc_live_decoder **pdec, const struct sc_live_decoder_params *params,
                         sc_err *err)
{
    AVPacket *pkt = av_packet_alloc();
    *pdec = NULL;
    if (!pkt)
        return sc_fail(err, SC_ENOMEM, "out of memory opening a decoder");
    sc_live_decoder *dec = *pdec = sc_new(sc_live_decoder);
    dec->pkt = pkt;
    dec->threads = params ? params->threads : 0;
    dec->buffers = params && params->buffers ? sc_buffers_ref(params->buffers) : NULL;
    dec->last_ns = -1;
    dec->info.codec = "";
    dec->info.threads = "none";
    return SC_OK;
}

static void stop(sc_live_decoder *dec)
{
    avcodec_free_context(&dec->ctx);
    sc_codec_owner_release(&dec->owner);
    dec->complaints += atomic_exchange(&dec->owner.complaints, 0);
    sc_live_streams_unref(&dec->streams);
    dec->entered = false;
}

void sc_live_decoder_close(sc_live_decoder **pdec)
{
    sc_live_decoder *dec = pdec ? *pdec : NULL;
    if (!dec)
        return;
    stop(dec);
    av_packet_free(&dec->pkt);
    sc_buffers_unref(&dec->buffers);
    free(dec);
    *pdec = NULL;
}

// Frame threads hold back a picture each: good for files, a delay for what is live.
static void set_threads(const sc_live_decoder *dec, AVCodecContext *ctx)
{
    bool live = dec->streams->live;
    int cores = sc_cpu_count(), most = live && cores > LIVE_THREADS ? LIVE_THREADS : cores;
    ctx->thread_count = dec->threads > 0 ? dec->threads : most;
    ctx->thread_type = live ? FF_THREAD_SLICE : FF_THREAD_FRAME | FF_THREAD_SLICE;
    if (live)
        ctx->flags |= AV_CODEC_FLAG_LOW_DELAY;
}

static int open_context(sc_live_decoder *dec, const AVCodec *codec)
{
    AVCodecContext *ctx = dec->ctx = avcodec_alloc_context3(codec);
    int ret = ctx ? avcodec_parameters_to_context(ctx, dec->streams->video) : AVERROR(ENOMEM);
    if (ret < 0)
        return ret;
    sc_codec_owner_attach(&dec->owner, ctx, dec->buffers);
    set_threads(dec, ctx);
    ctx->pkt_timebase = (AVRational){1, SC_NS_PER_S};
    ctx->framerate = dec->streams->frame_rate;
    ctx->max_pixels = MAX_PIXELS;
    return avcodec_open2(ctx, codec, NULL);
}

int sc_live_decoder_start(sc_live_decoder *dec, sc_live_streams *streams, sc_err *err)
{
    sc_require(streams);
    const AVCodec *codec = avcodec_find_decoder(streams->video->codec_id);
    const char *name = avcodec_get_name(streams->video->codec_id);
    sc_live_streams *mine = sc_live_streams_ref(streams); // may be the one in use
    stop(dec);
    dec->streams = mine;
    int ret = codec ? open_context(dec, codec) : AVERROR_DECODER_NOT_FOUND;
    if (ret < 0) {
        stop(dec);
        return ret == AVERROR(ENOMEM)
                   ? sc_fail(err, SC_ENOMEM, "out of memory opening a decoder")
                   : sc_fail(err, SC_EUNSUPPORTED, "%s for %s in this FFmpeg",
                             codec ? "the decoder refuses this stream" : "no decoder", name);
    }
    int type = dec->ctx->active_thread_type;
    dec->info.codec = name;
    dec->info.thread_count = dec->ctx->thread_count;
    dec->info.threads = type & FF_THREAD_FRAME   ? "frame"
                        : type & FF_THREAD_SLICE ? "slice"
                                                 : "none";
    return SC_OK;
}

// What comes before an entry point gives no picture, or a grey one. H.264 knows by itself, and has
// streams that are refreshed bit by bit, without entry points.
static bool skip(sc_live_decoder *dec, const sc_packet *packet)
{
    if (!dec->entered && !packet->key && dec->ctx->codec_id != AV_CODEC_ID_H264) {
        dec->info.skipped++;
        return true;
    }
    dec->entered = true;
    return false;
}

int sc_live_decoder_send(sc_live_decoder *dec, const sc_packet *packet)
{
    if (!dec->ctx || (packet && skip(dec, packet)))
        return SC_OK;
    if (packet && sc_packet_clone(dec->pkt, packet) < 0)
        return SC_ENOMEM;
    int ret = avcodec_send_packet(dec->ctx, packet ? dec->pkt : NULL);
    av_packet_unref(dec->pkt);
    if (ret == AVERROR(EAGAIN))
        return SC_EAGAIN;
    if (ret == AVERROR(ENOMEM))
        return SC_ENOMEM;
    dec->info.packets += packet != NULL;
    if (ret >= 0 || ret == AVERROR_EOF)
        return SC_OK;
    dec->info.damaged++;
    return SC_EDATA;
}

// Passes over damaged packets. A decoder that gives nothing but errors is emptied, so that it takes
// packets again.
static int receive(sc_live_decoder *dec, AVFrame *av)
{
    for (int i = 0; i < STUCK_AFTER + dec->ctx->thread_count; i++) {
        int ret = avcodec_receive_frame(dec->ctx, av);
        if (ret >= 0 || ret == AVERROR(EAGAIN) || ret == AVERROR_EOF || ret == AVERROR(ENOMEM))
            return ret;
        dec->info.damaged++;
    }
    avcodec_flush_buffers(dec->ctx);
    dec->entered = false;
    return AVERROR(EAGAIN);
}

// The packet's time as libavcodec carried it through; made up where it had none.
static int64_t frame_time(const sc_live_decoder *dec, const AVFrame *av)
{
    int64_t ns = av->best_effort_timestamp;
    if (ns == AV_NOPTS_VALUE)
        ns = dec->last_ns + (av->pkt_duration > 0 ? av->pkt_duration : 40 * SC_NS_PER_MS);
    return ns > dec->last_ns ? ns : dec->last_ns + MIN_STEP;
}

// Everything behind it deals with upright pictures. What cannot be turned stays as it is.
static int set_upright(const sc_live_decoder *dec, AVFrame **pav)
{
    AVFrame *turned = NULL;
    if (!sc_turn_any(dec->streams->turn))
        return SC_OK;
    int ret = sc_turn_frame(&turned, *pav, dec->streams->turn);
    if (ret < 0)
        return ret == SC_EUNSUPPORTED ? SC_OK : ret;
    av_frame_free(pav);
    *pav = turned;
    return SC_OK;
}

int sc_live_decoder_receive(sc_live_decoder *dec, sc_frame **pframe)
{
    *pframe = NULL;
    if (!dec->ctx)
        return SC_EEOF;
    AVFrame *av = av_frame_alloc();
    if (!av)
        return SC_ENOMEM;
    int ret = receive(dec, av);
    if (ret >= 0 && set_upright(dec, &av) < 0)
        ret = AVERROR(ENOMEM);
    int64_t ns = ret >= 0 ? frame_time(dec, av) : 0;
    sc_frame *frame = ret >= 0 ? sc_frame_wrap(av, dec->next, ns) : NULL;
    if (!frame) {
        av_frame_free(&av);
        return ret == AVERROR_EOF ? SC_EEOF : ret == AVERROR(EAGAIN) ? SC_EAGAIN : SC_ENOMEM;
    }
    dec->next++;
    dec->last_ns = ns;
    dec->info.frames++;
    dec->info.damaged += av->decode_error_flags || av->flags & AV_FRAME_FLAG_CORRUPT;
    *pframe = frame;
    return SC_OK;
}

void sc_live_decoder_get_info(const sc_live_decoder *dec, struct sc_live_decoder_info *info)
{
    *info = dec->info;
    info->complaints = dec->complaints + atomic_load(&dec->owner.complaints);
}
