// The scoreboard in a small font, and the stamp that tests read.
#include "media/scene_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define STAMP_BITS  16
#define STAMP_BLOCK 8 // pixels a side
#define STAMP_ONE   235
#define STAMP_ZERO  16

// 5 x 7 dots, a byte a row, the leftmost dot is bit 4.
static const struct glyph {
    char c;
    uint8_t rows[7];
} font[] = {
    {'0', {14, 17, 17, 17, 17, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},
    {'2', {14, 17, 1, 6, 8, 16, 31}},    {'3', {30, 1, 1, 14, 1, 1, 30}},
    {'4', {18, 18, 18, 31, 2, 2, 2}},    {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {14, 16, 16, 30, 17, 17, 14}}, {'7', {31, 1, 2, 2, 4, 4, 4}},
    {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 1, 14}},
    {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {15, 16, 16, 16, 16, 16, 15}}, {'D', {30, 17, 17, 17, 17, 17, 30}},
    {'E', {31, 16, 16, 30, 16, 16, 31}}, {'H', {17, 17, 17, 31, 17, 17, 17}},
    {'I', {14, 4, 4, 4, 4, 4, 14}},      {'K', {17, 18, 20, 24, 20, 18, 17}},
    {'L', {16, 16, 16, 16, 16, 16, 31}}, {'M', {17, 27, 21, 21, 17, 17, 17}},
    {'N', {17, 25, 25, 21, 19, 19, 17}}, {'O', {14, 17, 17, 17, 17, 17, 14}},
    {'R', {30, 17, 17, 30, 20, 18, 17}}, {'S', {15, 16, 16, 14, 1, 1, 30}},
    {'U', {17, 17, 17, 17, 17, 17, 14}}, {'V', {17, 17, 17, 17, 10, 10, 4}},
    {'W', {17, 17, 17, 21, 21, 27, 17}}, {'Y', {17, 17, 10, 4, 4, 4, 4}},
    {'-', {0, 0, 0, 14, 0, 0, 0}},       {':', {0, 4, 4, 0, 4, 4, 0}},
    {'#', {10, 10, 31, 10, 31, 10, 10}},
};

static void draw_glyph(AVFrame *frame, const struct glyph *g, int x, int y, int scale,
                       struct sc_yuv colour)
{
    for (int j = 0; j < 7; j++)
        for (int i = 0; i < 5; i++)
            if (g->rows[j] >> (4 - i) & 1)
                sc_draw_rect(frame, x + i * scale, y + j * scale, scale, scale, colour, 1);
}

// Returns the column after the text.
static int draw_text(AVFrame *frame, const char *text, int x, int y, int scale,
                     struct sc_yuv colour)
{
    for (; *text; text++, x += 6 * scale)
        for (size_t k = 0; k < SC_COUNT(font); k++)
            if (font[k].c == *text)
                draw_glyph(frame, &font[k], x, y, scale, colour);
    return x;
}

struct board {
    char score[16], clock[16], number[24];
    int scale;
    struct sc_rect at;
};

// False where the picture is too small for it.
static bool lay_out(struct board *b, int width, int height, const struct sc_match *match,
                    int64_t n)
{
    int seconds = (int)(match->clock + match->time), scale = FFMAX(1, height / 360);
    snprintf(b->score, sizeof(b->score), "%d-%d", match->score[0] % 100, match->score[1] % 100);
    snprintf(b->clock, sizeof(b->clock), "%02d:%02d", seconds / 60 % 1000, seconds % 60);
    snprintf(b->number, sizeof(b->number), "#%06lld", (long long)n);
    int chars = (int)(8 + strlen(b->score) + strlen(b->clock) + strlen(b->number));
    b->scale = scale;
    b->at = (struct sc_rect){8 * scale, 12 * scale, (chars * 6 + 46) * scale, 15 * scale};
    return b->at.x + b->at.w <= width && b->at.y + b->at.h <= height;
}

int sc_overlay_places(const struct sc_view *view, const struct sc_match *match, int64_t n,
                      struct sc_rect places[SC_OVERLAYS])
{
    struct board board;
    int count = 0;
    if (lay_out(&board, view->width, view->height, match, n))
        places[count++] = board.at;
    places[count++] = (struct sc_rect){0, 0, STAMP_BITS * STAMP_BLOCK, STAMP_BLOCK};
    return count;
}

// [home kit] RED 1-0 BLU [away kit] | 37:12 | #000123, where the picture is wide enough.
void sc_scoreboard_draw(AVFrame *frame, const struct sc_match *match,
                        const struct sc_look *look, int64_t n)
{
    struct board b;
    if (!lay_out(&b, frame->width, frame->height, match, n))
        return;
    struct sc_yuv ink = sc_yuv_from_rgb(245, 245, 245), dim = sc_yuv_from_rgb(170, 178, 190);
    int scale = b.scale, x = b.at.x, y = b.at.y, h = b.at.h;
    int text_y = y + 4 * scale, right = x + b.at.w;
    sc_draw_rect(frame, x, y, b.at.w, h, sc_yuv_from_rgb(14, 18, 30), 0.82);
    sc_draw_rect(frame, x, y, 4 * scale, h, look->kit[0].shirt, 1);
    x = draw_text(frame, look->kit[0].name, x + 8 * scale, text_y, scale, ink) + 5 * scale;
    x = draw_text(frame, b.score, x, text_y, scale, sc_yuv_from_rgb(255, 214, 80)) + 5 * scale;
    x = draw_text(frame, look->kit[1].name, x, text_y, scale, ink) + 3 * scale;
    sc_draw_rect(frame, x, y, 4 * scale, h, look->kit[1].shirt, 1);
    draw_text(frame, b.clock, x + 10 * scale, text_y, scale, ink);
    draw_text(frame, b.number, right - (int)(strlen(b.number) * 6 + 3) * scale, text_y, scale,
              dim);
}

void sc_stamp_draw(AVFrame *frame, int64_t n)
{
    for (int bit = 0; bit < STAMP_BITS; bit++) {
        bool one = n >> (STAMP_BITS - 1 - bit) & 1;
        struct sc_yuv colour = {{one ? STAMP_ONE : STAMP_ZERO, 128, 128}};
        sc_draw_rect(frame, bit * STAMP_BLOCK, 0, STAMP_BLOCK, STAMP_BLOCK, colour, 1);
    }
}

static int block_mean(const AVFrame *frame, int bit) // of the inner 4 x 4
{
    int sum = 0;
    for (int y = 2; y < 6; y++)
        for (int x = 2; x < 6; x++)
            sum += frame->data[0][(ptrdiff_t)y * frame->linesize[0] + bit * STAMP_BLOCK + x];
    return sum / 16;
}

int sc_scene_read_stamp(const AVFrame *frame)
{
    int n = 0;
    if (frame->width < STAMP_BITS * STAMP_BLOCK || frame->height < STAMP_BLOCK)
        return -1;
    for (int bit = 0; bit < STAMP_BITS; bit++) {
        int mean = block_mean(frame, bit);
        if (mean > 70 && mean < 180)
            return -1;
        n = n << 1 | (mean >= 180);
    }
    return n;
}
