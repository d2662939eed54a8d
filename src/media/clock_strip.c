#include "media/clock_strip.h"

#include <string.h>

#include <libavutil/pixdesc.h>

#define BLACK 16
#define WHITE 235

static bool has_luma(const AVFrame *picture)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(picture->format);
    return desc && desc->nb_components && picture->width >= SC_CLOCK_MIN &&
           !(desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL |
                            AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL)) &&
           desc->comp[0].depth == 8 && desc->comp[0].step == 1 && desc->comp[0].plane == 0;
}

// The left edge of a block; also the top of the row below, since blocks are square.
static int edge(const AVFrame *picture, int block)
{
    return picture->width * block / 80;
}

static uint64_t with_check(struct sc_clock_stamp stamp)
{
    uint64_t value = (uint64_t)stamp.n << 32 | stamp.ms;
    unsigned sum = 0;
    for (int shift = 0; shift < 48; shift += 8)
        sum += value >> shift & 0xff;
    return value | (uint64_t)(sum * 37 & 0xff) << 48;
}

static void draw_row(AVFrame *picture, int top, uint64_t bits)
{
    for (int y = top; y < top + edge(picture, 1) && y < picture->height; y++) {
        uint8_t *row = picture->data[0] + (ptrdiff_t)y * picture->linesize[0];
        for (int i = 0; i < SC_CLOCK_BLOCKS; i++)
            memset(row + edge(picture, i), bits >> i & 1 ? WHITE : BLACK,
                   (size_t)(edge(picture, i + 1) - edge(picture, i)));
    }
}

bool sc_clock_strip_draw(AVFrame *picture, struct sc_clock_stamp stamp)
{
    if (!has_luma(picture))
        return false;
    draw_row(picture, 0, with_check(stamp));
    draw_row(picture, picture->height / 2, with_check(stamp));
    return true;
}

// The middle of the block, where neighbours do not bleed in.
static bool is_white(const AVFrame *picture, int top, int block)
{
    int size = edge(picture, 1), rim = size / 4, sum = 0, count = 0;
    for (int y = top + rim; y < top + size - rim && y < picture->height; y++)
        for (int x = edge(picture, block) + rim; x < edge(picture, block + 1) - rim; x++) {
            sum += picture->data[0][(ptrdiff_t)y * picture->linesize[0] + x];
            count++;
        }
    return count && sum / count >= (BLACK + WHITE) / 2;
}

static bool read_row(const AVFrame *picture, int top, struct sc_clock_stamp *stamp)
{
    uint64_t bits = 0;
    for (int i = 0; i < SC_CLOCK_BLOCKS; i++)
        bits |= (uint64_t)is_white(picture, top, i) << i;
    *stamp = (struct sc_clock_stamp){.ms = (uint32_t)bits, .n = (uint16_t)(bits >> 32)};
    return bits && with_check(*stamp) == bits;
}

bool sc_clock_strip_read(const AVFrame *picture, struct sc_clock_stamp *stamp)
{
    return has_luma(picture) &&
           (read_row(picture, 0, stamp) || read_row(picture, picture->height / 2, stamp));
}
