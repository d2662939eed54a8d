#include "media/codec_owner.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

// The copies that frame threads make of a context carry its opaque, too.
static void count_complaint(void *object, int level, const char *fmt, va_list ap)
{
    (void)ap;
    bool complaint = level <= AV_LOG_ERROR || !strncmp(fmt, "concealing", 10);
    if (!complaint || !object || *(const AVClass **)object != avcodec_get_class())
        return;
    struct sc_codec_owner *owner = ((AVCodecContext *)object)->opaque;
    if (owner)
        atomic_fetch_add_explicit(&owner->complaints, 1, memory_order_relaxed);
}

static void set_callback(void)
{
    av_log_set_callback(count_complaint);
}

void sc_codec_listen(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_callback);
}

static int get_buffer(AVCodecContext *ctx, AVFrame *frame, int flags)
{
    const struct sc_codec_owner *owner = ctx->opaque;
    if (!(ctx->codec->capabilities & AV_CODEC_CAP_DR1))
        return avcodec_default_get_buffer2(ctx, frame, flags);
    return sc_buffers_get(owner->buffers, ctx, frame);
}

static void use_buffers(struct sc_codec_owner *owner, AVCodecContext *ctx, sc_buffers *buffers)
{
    owner->buffers = sc_buffers_ref(buffers);
    ctx->get_buffer2 = get_buffer;
#if LIBAVCODEC_VERSION_MAJOR < 60 // deprecated there, yet without it one thread makes all calls
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    ctx->thread_safe_callbacks = 1;
#pragma GCC diagnostic pop
#endif
}

void sc_codec_owner_attach(struct sc_codec_owner *owner, AVCodecContext *ctx,
                           sc_buffers *buffers)
{
    sc_codec_listen();
    ctx->opaque = owner;
    if (buffers)
        use_buffers(owner, ctx, buffers);
}

void sc_codec_owner_release(struct sc_codec_owner *owner)
{
    sc_buffers_unref(&owner->buffers);
}
