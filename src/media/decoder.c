#include "media/decoder.h"

#include "base/mem.h"
#include "base/pool.h"
#include "media/codec_owner.h"
#include "media/index_internal.h"
#include "media/source.h"

// Errors in a row, beyond one for each thread, after which a decoder is held to be stuck.
// libavcodec ends a drain after 20 beyond its threads.
#define STUCK_AFTER 64

struct sc_decoder {
    AVCodecContext *ctx;
    sc_index *index;
    struct sc_codec_owner owner; // counts the errors
};

int sc_decoder_open(sc_decoder **pdec, sc_index *index, int threads, sc_buffers *buffers,
                    sc_err *err)
{
    const AVCodec *codec = avcodec_find_decoder(index->par->codec_id);
    *pdec = NULL;
    if (!codec)
        return sc_fail(err, SC_EUNSUPPORTED, "no decoder for %s in this FFmpeg",
                       index->header->codec_name);
    sc_decoder *dec = sc_new(sc_decoder);
    dec->index = sc_index_ref(index);
    dec->ctx = avcodec_alloc_context3(codec);
    int ret = dec->ctx ? avcodec_parameters_to_context(dec->ctx, index->par) : AVERROR(ENOMEM);
    if (ret >= 0) {
        dec->ctx->thread_count = threads > 0 ? threads : sc_cpu_count();
        sc_codec_owner_attach(&dec->owner, dec->ctx, buffers);
        dec->ctx->pkt_timebase = (AVRational){1, 1000}; // pts are numbers, not times
        dec->ctx->framerate = index->info.frame_rate;
        ret = avcodec_open2(dec->ctx, codec, NULL);
    }
    if (ret < 0) {
        sc_decoder_close(&dec);
        return ret == AVERROR(ENOMEM)
                   ? sc_fail(err, SC_ENOMEM, "out of memory opening a decoder")
                   : sc_fail(err, SC_EUNSUPPORTED, "the %s decoder refuses this stream",
                             codec->name);
    }
    *pdec = dec;
    return SC_OK;
}

void sc_decoder_close(sc_decoder **pdec)
{
    sc_decoder *dec = pdec ? *pdec : NULL;
    if (!dec)
        return;
    avcodec_free_context(&dec->ctx);
    sc_codec_owner_release(&dec->owner);
    sc_index_unref(&dec->index);
    free(dec);
    *pdec = NULL;
}

int sc_decoder_send(sc_decoder *dec, const AVPacket *pkt)
{
    sc_require(dec);
    int ret = avcodec_send_packet(dec->ctx, pkt);
    if (ret == AVERROR(EAGAIN))
        return SC_EAGAIN;
    if (ret == AVERROR(ENOMEM))
        return SC_ENOMEM;
    return ret < 0 && ret != AVERROR_EOF ? SC_EDATA : SC_OK;
}

// Passes over damaged packets. A decoder that has nothing but errors is emptied, so that it takes
// packets again: else those who send and receive in turn would never get on.
static int receive(sc_decoder *dec, AVFrame *av)
{
    for (int i = 0; i < STUCK_AFTER + dec->ctx->thread_count; i++) {
        int ret = avcodec_receive_frame(dec->ctx, av);
        if (ret >= 0 || ret == AVERROR(EAGAIN) || ret == AVERROR_EOF || ret == AVERROR(ENOMEM))
            return ret;
    }
    atomic_fetch_add_explicit(&dec->owner.complaints, 1, memory_order_relaxed);
    avcodec_flush_buffers(dec->ctx);
    return AVERROR(EAGAIN);
}

int sc_decoder_receive(sc_decoder *dec, AVFrame **frame, int64_t *packet)
{
    AVFrame *av = av_frame_alloc();
    *frame = NULL;
    if (!av)
        return SC_ENOMEM;
    int ret = receive(dec, av);
    if (ret < 0) {
        av_frame_free(&av);
        return ret == AVERROR_EOF ? SC_EEOF : ret == AVERROR(ENOMEM) ? SC_ENOMEM : SC_EAGAIN;
    }
    *packet = av->pts != AV_NOPTS_VALUE ? av->pts : av->pkt_dts;
    *frame = av;
    return SC_OK;
}

void sc_decoder_flush(sc_decoder *dec)
{
    avcodec_flush_buffers(dec->ctx);
}

int64_t sc_decoder_errors(const sc_decoder *dec)
{
    return atomic_load_explicit(&dec->owner.complaints, memory_order_relaxed);
}

int sc_decoder_threads(const sc_decoder *dec)
{
    return dec->ctx->thread_count;
}

int sc_decoder_delay(const sc_decoder *dec)
{
    bool frames = dec->ctx->active_thread_type & FF_THREAD_FRAME;
    return dec->ctx->has_b_frames + (frames ? dec->ctx->thread_count - 1 : 0);
}

static int take_frames(sc_decoder *dec, sc_decoded_fn *fn, void *arg)
{
    for (;;) {
        AVFrame *frame;
        int64_t packet;
        int ret = sc_decoder_receive(dec, &frame, &packet);
        if (ret < 0)
            return ret;
        ret = fn(arg, frame, packet);
        av_frame_free(&frame);
        if (ret)
            return ret;
    }
}

// Sends pkt (NULL: drain), taking frames out of the way as needed.
static int pump(sc_decoder *dec, const AVPacket *pkt, sc_decoded_fn *fn, void *arg)
{
    for (;;) {
        int ret = sc_decoder_send(dec, pkt);
        if (ret == SC_ENOMEM)
            return ret;
        int taken = take_frames(dec, fn, arg);
        if (taken != SC_EAGAIN && taken != SC_EEOF)
            return taken;
        if (ret != SC_EAGAIN)
            return SC_OK;
    }
}

int sc_decode_range(sc_index *index, const char *path, int64_t from, int64_t to, int threads,
                    sc_cancel *cancel, sc_decoded_fn *fn, void *arg, int64_t *errors,
                    sc_err *err)
{
    sc_decoder *dec = NULL;
    sc_source *src = sc_source_open(index, path);
    AVPacket *pkt = av_packet_alloc();
    int ret = pkt ? sc_decoder_open(&dec, index, threads, NULL, err) : SC_ENOMEM;
    for (int64_t k = from; dec && ret == SC_OK && k < to; k++) {
        if (sc_cancel_requested(cancel))
            ret = sc_fail(err, SC_ECANCELLED, "cancelled");
        else if ((ret = sc_source_read(src, k, pkt, err)) >= 0)
            ret = pump(dec, pkt, fn, arg);
    }
    if (dec && ret == SC_OK)
        ret = pump(dec, NULL, fn, arg);
    if (errors)
        *errors = dec ? sc_decoder_errors(dec) : 0;
    av_packet_free(&pkt);
    sc_decoder_close(&dec);
    sc_source_close(&src);
    return ret;
}
