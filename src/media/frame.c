#include "media/frame.h"

#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/md5.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#define XXH_STATIC_LINKING_ONLY // the streaming state on the stack
#include "media/hash.h"

#include "base/error.h"
#include "base/mem.h"

static size_t held_bytes(const AVFrame *av)
{
    size_t bytes = sizeof(sc_frame) + sizeof(AVFrame);
    for (size_t i = 0; i < SC_COUNT(av->buf) && av->buf[i]; i++)
        bytes += av->buf[i]->size;
    for (int i = 0; i < av->nb_extended_buf; i++)
        bytes += av->extended_buf[i]->size;
    return bytes;
}

sc_frame *sc_frame_wrap(AVFrame *av, int64_t n, int64_t pts_ns)
{
    sc_frame *frame = sc_try_calloc(1, sizeof(*frame));
    if (!frame)
        return NULL;
    sc_ref_init(&frame->ref);
    frame->av = av;
    frame->n = n;
    frame->pts_ns = pts_ns;
    frame->bytes = held_bytes(av);
    frame->memory = SC_MEMORY_CPU;
    return frame;
}

sc_frame *sc_frame_ref(sc_frame *frame)
{
    if (frame)
        sc_ref_inc(&frame->ref);
    return frame;
}

void sc_frame_unref(sc_frame **pframe)
{
    sc_frame *frame = pframe ? *pframe : NULL;
    if (!frame)
        return;
    *pframe = NULL;
    if (!sc_ref_dec(&frame->ref))
        return;
    av_frame_free(&frame->av);
    free(frame);
}

// The visible part of a frame's planes, in the order rawvideo stores them.
struct layout {
    int planes;
    struct {
        int bytes, rows; // of one row without padding; of the plane
    } plane[4];
    bool palette; // 256 little-endian words in data[1]
};

static bool frame_layout(const AVFrame *av, struct layout *out)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av->format);
    int bytes[4] = {0};
    *out = (struct layout){0};
    if (!desc || (desc->flags & AV_PIX_FMT_FLAG_HWACCEL) ||
        av_image_fill_linesizes(bytes, av->format, av->width) < 0)
        return false;
    out->palette = desc->flags & AV_PIX_FMT_FLAG_PAL;
    out->planes = out->palette ? 1 : av_pix_fmt_count_planes(av->format);
    for (int i = 0; i < out->planes; i++) {
        int shift = i == 1 || i == 2 ? desc->log2_chroma_h : 0;
        out->plane[i].bytes = bytes[i];
        out->plane[i].rows = AV_CEIL_RSHIFT(av->height, shift);
        if (!av->data[i])
            return false;
    }
    return !out->palette || av->data[1];
}

typedef void visit_fn(void *state, const uint8_t *bytes, size_t size);

// Feeds the planes to visit, in as few pieces as their padding allows.
static void visit_planes(const AVFrame *av, const struct layout *layout, visit_fn *visit,
                         void *state)
{
    for (int i = 0; i < layout->planes; i++) {
        size_t bytes = (size_t)layout->plane[i].bytes;
        int rows = layout->plane[i].rows;
        if (av->linesize[i] == layout->plane[i].bytes) {
            visit(state, av->data[i], bytes * (size_t)rows);
            continue;
        }
        for (int y = 0; y < rows; y++)
            visit(state, av->data[i] + (ptrdiff_t)y * av->linesize[i], bytes);
    }
    if (!layout->palette)
        return;
    uint8_t words[256 * 4]; // kept in the machine's byte order by libavutil
    for (int i = 0; i < 256; i++) {
        uint32_t word;
        memcpy(&word, av->data[1] + 4 * i, 4);
        for (int b = 0; b < 4; b++)
            words[4 * i + b] = (uint8_t)(word >> (8 * b));
    }
    visit(state, words, sizeof(words));
}

static void visit_xxh3(void *state, const uint8_t *bytes, size_t size)
{
    XXH3_64bits_update(state, bytes, size);
}

uint64_t sc_frame_hash(const AVFrame *av)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset(&state);
    int32_t head[3] = {av->width, av->height, av->format};
    XXH3_64bits_update(&state, head, sizeof(head));
    struct layout layout;
    if (frame_layout(av, &layout))
        visit_planes(av, &layout, visit_xxh3, &state);
    uint64_t hash = XXH3_64bits_digest(&state);
    return hash ? hash : 1;
}

static void visit_md5(void *state, const uint8_t *bytes, size_t size)
{
    av_md5_update(state, bytes, size);
}

int sc_frame_md5(const AVFrame *av, char hex[33])
{
    hex[0] = '\0';
    struct layout layout;
    if (!frame_layout(av, &layout))
        return SC_EUNSUPPORTED;
    struct AVMD5 *md5 = av_md5_alloc();
    if (!md5)
        return SC_ENOMEM;
    av_md5_init(md5);
    visit_planes(av, &layout, visit_md5, md5);
    uint8_t digest[16];
    av_md5_final(md5, digest);
    av_free(md5);
    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return 0;
}
