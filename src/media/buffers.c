#include "media/buffers.h"

#include <pthread.h>
#include <sys/mman.h>

#include <libavutil/imgutils.h>

#include "base/mem.h"
#include "base/ref.h"

#define ALIGN      64 // bytes: what AVX-512 wants of rows
#define PADDING    64 // behind each plane: decoders may read and write a little further
#define LEAST      (256 << 10) // smaller frames are left to libavcodec's own pools
#define MAX_BLOCKS 64

struct block {
    sc_buffers *buffers;
    size_t size;
};

struct sc_buffers {
    sc_ref ref;
    size_t reserve; // immutable
    pthread_mutex_t lock;
    // Guarded by lock:
    void *kept[MAX_BLOCKS];
    size_t sizes[MAX_BLOCKS];
    int count;
    size_t bytes;
};

sc_buffers *sc_buffers_new(size_t reserve_bytes)
{
    sc_buffers *buffers = sc_new(sc_buffers);
    sc_ref_init(&buffers->ref);
    pthread_mutex_init(&buffers->lock, NULL);
    buffers->reserve = reserve_bytes;
    return buffers;
}

sc_buffers *sc_buffers_ref(sc_buffers *buffers)
{
    sc_ref_inc(&buffers->ref);
    return buffers;
}

void sc_buffers_unref(sc_buffers **pbuffers)
{
    sc_buffers *buffers = pbuffers ? *pbuffers : NULL;
    if (!buffers)
        return;
    *pbuffers = NULL;
    if (!sc_ref_dec(&buffers->ref))
        return;
    for (int i = 0; i < buffers->count; i++)
        munmap(buffers->kept[i], buffers->sizes[i]);
    pthread_mutex_destroy(&buffers->lock);
    free(buffers);
}

// Lock held.
static void *take_at(sc_buffers *buffers, int i)
{
    void *data = buffers->kept[i];
    buffers->bytes -= buffers->sizes[i];
    buffers->count--;
    buffers->kept[i] = buffers->kept[buffers->count];
    buffers->sizes[i] = buffers->sizes[buffers->count];
    return data;
}

static void *take(sc_buffers *buffers, size_t size)
{
    void *data = NULL;
    pthread_mutex_lock(&buffers->lock);
    for (int i = buffers->count - 1; i >= 0 && !data; i--) { // the last one is still in caches
        if (buffers->sizes[i] == size)
            data = take_at(buffers, i);
    }
    pthread_mutex_unlock(&buffers->lock);
    if (data)
        return data;
    data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return data == MAP_FAILED ? NULL : data;
}

// Keeps the memory if the reserve has room, making room from other sizes.
static void give_back(sc_buffers *buffers, void *data, size_t size)
{
    void *old = NULL;
    size_t old_size = 0;
    pthread_mutex_lock(&buffers->lock);
    bool full = buffers->count == MAX_BLOCKS || buffers->bytes + size > buffers->reserve;
    if (full && buffers->count && buffers->sizes[0] != size) {
        old_size = buffers->sizes[0];
        old = take_at(buffers, 0);
        full = buffers->bytes + size > buffers->reserve;
    }
    if (!full) {
        buffers->kept[buffers->count] = data;
        buffers->sizes[buffers->count++] = size;
        buffers->bytes += size;
    }
    pthread_mutex_unlock(&buffers->lock);
    if (full)
        munmap(data, size);
    if (old)
        munmap(old, old_size);
}

static void release(void *opaque, uint8_t *data)
{
    struct block *block = opaque;
    give_back(block->buffers, data, block->size);
    sc_buffers_unref(&block->buffers);
    free(block);
}

static AVBufferRef *allocate(sc_buffers *buffers, size_t size)
{
    struct block *block = sc_try_calloc(1, sizeof(*block));
    void *data = block ? take(buffers, size) : NULL;
    AVBufferRef *ref = data ? av_buffer_create(data, size, release, block, 0) : NULL;
    if (ref) {
        *block = (struct block){sc_buffers_ref(buffers), size};
        return ref;
    }
    if (data)
        munmap(data, size);
    free(block);
    return NULL;
}

// Rows and planes as the decoder wants them; the sum of the planes' bytes, or an AVERROR.
static int64_t lay_out(AVCodecContext *ctx, const AVFrame *frame, int linesize[4],
                       size_t plane[4])
{
    int width = frame->width, height = frame->height, align[AV_NUM_DATA_POINTERS];
    ptrdiff_t rows[4] = {0};
    int64_t total = 0;
    if (ctx)
        avcodec_align_dimensions2(ctx, &width, &height, align);
    int ret = av_image_fill_linesizes(linesize, frame->format, width);
    for (int i = 0; i < 4 && ret >= 0; i++) {
        linesize[i] = FFALIGN(linesize[i], ALIGN);
        rows[i] = linesize[i];
    }
    if (ret >= 0)
        ret = av_image_fill_plane_sizes(plane, frame->format, height, rows);
    for (int i = 0; i < 4 && ret >= 0; i++)
        total += plane[i] ? (int64_t)FFALIGN(plane[i] + PADDING, ALIGN) : 0;
    return ret < 0 ? ret : total;
}

int sc_buffers_get(sc_buffers *buffers, AVCodecContext *ctx, AVFrame *frame)
{
    int linesize[4] = {0};
    size_t plane[4] = {0};
    int64_t total = lay_out(ctx, frame, linesize, plane);
    if (total < LEAST)
        return ctx ? avcodec_default_get_buffer2(ctx, frame, 0) : av_frame_get_buffer(frame, 0);
    frame->buf[0] = allocate(buffers, (size_t)FFALIGN(total, 4096));
    if (!frame->buf[0])
        return AVERROR(ENOMEM);
    uint8_t *data = frame->buf[0]->data;
    for (int i = 0; i < 4 && plane[i]; i++) {
        frame->data[i] = data;
        frame->linesize[i] = linesize[i];
        data += FFALIGN(plane[i] + PADDING, ALIGN);
    }
    frame->extended_data = frame->data;
    return 0;
}
