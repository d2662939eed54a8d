#include "media/turn.h"

#include <math.h>
#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>

#include "base/mem.h"

// --- the matrix -------------------------------------------------------------------------------

// ISO/IEC 14496-12 8.2.2: a point is mapped to (a x + c y, b x + d y). A mirrored matrix is a
// turned one whose picture is flipped left to right afterwards.
struct sc_turn sc_turn_of(const AVStream *stream)
{
    struct sc_turn turn = {0};
    size_t size = 0;
    const int32_t *m = (const int32_t *)(const void *)av_stream_get_side_data(
        stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (!m || size < 9 * sizeof(*m))
        return turn;
    double a = m[0], b = m[1], c = m[3], d = m[4];
    if (a * d - b * c < 0) {
        turn.hflip = true;
        a = -a;
    }
    if (fabs(a) >= fabs(b))
        turn.rotation = a < 0 ? 180 : 0;
    else
        turn.rotation = b > 0 ? 90 : 270;
    return turn;
}

bool sc_turn_any(struct sc_turn turn)
{
    return turn.rotation || turn.hflip || turn.vflip;
}

static bool is_quarter(struct sc_turn turn)
{
    return turn.rotation == 90 || turn.rotation == 270;
}

// --- planes -----------------------------------------------------------------------------------

// dst(x, y) = src(x * dx_x + y * dy_x + ..): one source step a destination column and row.
struct walk {
    ptrdiff_t start, column, row; // bytes in the source
};

// Every rotation with flips is one of eight walks: where destination (0,0) lies in the source,
// and how one goes on from there.
static struct walk walk_of(struct sc_turn turn, int w, int h, ptrdiff_t step, ptrdiff_t stride)
{
    struct walk walk = {0, step, stride};
    int out_w = is_quarter(turn) ? h : w, out_h = is_quarter(turn) ? w : h;
    if (turn.rotation == 90)
        walk = (struct walk){(h - 1) * stride, -stride, step};
    else if (turn.rotation == 180)
        walk = (struct walk){(h - 1) * stride + (w - 1) * step, -step, -stride};
    else if (turn.rotation == 270)
        walk = (struct walk){(w - 1) * step, stride, -step};
    if (turn.hflip) {
        walk.start += (out_w - 1) * walk.column;
        walk.column = -walk.column;
    }
    if (turn.vflip) {
        walk.start += (out_h - 1) * walk.row;
        walk.row = -walk.row;
    }
    return walk;
}

#define BLOCK 32 // columns and rows walked together, so that both images stay in the cache

// A copy of constant size is a move; there is one loop for each.
static inline __attribute__((always_inline)) void walk_block(const uint8_t *src,
                                                             struct walk walk, int step, int w,
                                                             int h, uint8_t *dst,
                                                             ptrdiff_t stride)
{
    for (int y = 0; y < h; y++, dst += stride, src += walk.row) {
        const uint8_t *from = src;
        for (int x = 0; x < w; x++, from += walk.column)
            memcpy(dst + (ptrdiff_t)x * step, from, (size_t)step);
    }
}

static void walk_any(const uint8_t *src, struct walk walk, int step, int w, int h, uint8_t *dst,
                     ptrdiff_t stride)
{
    if (step == 1)
        walk_block(src, walk, 1, w, h, dst, stride);
    else if (step == 2)
        walk_block(src, walk, 2, w, h, dst, stride);
    else if (step == 4)
        walk_block(src, walk, 4, w, h, dst, stride);
    else
        walk_block(src, walk, step, w, h, dst, stride);
}

void sc_turn_plane(struct sc_turn turn, int step, const uint8_t *src, ptrdiff_t src_stride,
                   int w, int h, uint8_t *dst, ptrdiff_t dst_stride)
{
    struct walk walk = walk_of(turn, w, h, step, src_stride);
    int out_w = is_quarter(turn) ? h : w, out_h = is_quarter(turn) ? w : h;
    for (int y = 0; y < out_h; y += BLOCK)
        for (int x = 0; x < out_w; x += BLOCK)
            walk_any(src + walk.start + x * walk.column + y * walk.row, walk, step,
                     out_w - x < BLOCK ? out_w - x : BLOCK,
                     out_h - y < BLOCK ? out_h - y : BLOCK,
                     dst + y * dst_stride + (ptrdiff_t)x * step, dst_stride);
}

// --- pictures ---------------------------------------------------------------------------------

// The format with the subsampling turned. AV_PIX_FMT_NONE: there is none, or samples are not apart.
static enum AVPixelFormat turned_format(enum AVPixelFormat format, bool quarter)
{
    static const enum AVPixelFormat pairs[][2] = {
        {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV440P},
        {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ440P},
        {AV_PIX_FMT_YUV422P10, AV_PIX_FMT_YUV440P10},
        {AV_PIX_FMT_YUV422P12, AV_PIX_FMT_YUV440P12},
    };
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    const uint64_t odd = AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL |
                         AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER;
    bool planar = desc && (desc->flags & AV_PIX_FMT_FLAG_PLANAR);
    if (!desc || desc->flags & odd || (!planar && desc->log2_chroma_w))
        return AV_PIX_FMT_NONE;
    if (!quarter || desc->log2_chroma_w == desc->log2_chroma_h)
        return format;
    for (size_t i = 0; i < SC_COUNT(pairs); i++)
        for (int side = 0; side < 2; side++)
            if (pairs[i][side] == format)
                return pairs[i][!side];
    return AV_PIX_FMT_NONE;
}

// Bytes from one sample of the plane to the next.
static int plane_step(const AVPixFmtDescriptor *desc, int plane)
{
    int step = 0;
    for (int c = 0; c < desc->nb_components; c++)
        if (desc->comp[c].plane == plane)
            step = desc->comp[c].step;
    return step;
}

static void turn_planes(AVFrame *out, const AVFrame *in, struct sc_turn turn)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(in->format);
    for (int p = 0; p < av_pix_fmt_count_planes(in->format); p++) {
        bool chroma = (p == 1 || p == 2) && !(desc->flags & AV_PIX_FMT_FLAG_RGB);
        int w = chroma ? AV_CEIL_RSHIFT(in->width, desc->log2_chroma_w) : in->width;
        int h = chroma ? AV_CEIL_RSHIFT(in->height, desc->log2_chroma_h) : in->height;
        sc_turn_plane(turn, plane_step(desc, p), in->data[p], in->linesize[p], w, h,
                      out->data[p], out->linesize[p]);
    }
}

int sc_turn_frame(AVFrame **out, const AVFrame *in, struct sc_turn turn)
{
    bool quarter = is_quarter(turn);
    enum AVPixelFormat format = turned_format(in->format, quarter);
    *out = NULL;
    if (format == AV_PIX_FMT_NONE)
        return SC_EUNSUPPORTED;
    AVFrame *av = av_frame_alloc();
    if (!av)
        return SC_ENOMEM;
    av->format = format;
    av->width = quarter ? in->height : in->width;
    av->height = quarter ? in->width : in->height;
    if (av_frame_get_buffer(av, 0) < 0 || av_frame_copy_props(av, in) < 0) {
        av_frame_free(&av);
        return SC_ENOMEM;
    }
    AVRational sar = in->sample_aspect_ratio;
    if (quarter && sar.num > 0)
        av->sample_aspect_ratio = (AVRational){sar.den, sar.num};
    av_frame_remove_side_data(av, AV_FRAME_DATA_DISPLAYMATRIX);
    turn_planes(av, in, turn);
    *out = av;
    return SC_OK;
}
