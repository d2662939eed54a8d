// What the parts of the overlay share.
//
//   detections -> overlay (layout) -> text (glyphs to masks) -> canvas (masks and rectangles to planes)
//                              |\-> colour (which one, and as which sample values)
//                               \-> place (where labels have room)
//
// Everything is laid out in an upright picture of coded pixels: turned and flipped as displayed, but
// not stretched. The canvas turns that into places in the planes.
//
// Thread-safety: everything belongs to one overlay, one thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "media/buffers.h"
#include "media/picture.h"
#include "vision/prepare.h"

// --- colour: sRGB, 0..1

struct sc_rgb {
    float r, g, b;
};
// The key-th of a sequence in which neighbours differ much.
struct sc_rgb sc_rgb_distinct(uint64_t key);
// Black or white, whichever is easier to read on that.
struct sc_rgb sc_rgb_ink(struct sc_rgb on);
// Sample values of a colour as a frame of such colours stores them, with depth bits.
void sc_rgb_encode(struct sc_rgb rgb, const struct sc_picture_colour *as, int depth,
                   int out[3]);

// --- canvas

struct sc_component {
    uint8_t *data; // of the first sample
    ptrdiff_t row; // bytes
    int step;      // samples from one to the next
    int w, h;      // samples
    int ss_w, ss_h;
    int depth, shift; // bits of a sample; to their left in a word
};

// A colour as raw samples, by component.
struct sc_paint {
    int value[3];
};

struct sc_canvas {
    AVFrame *av; // owned
    struct sc_picture_colour colour;
    int w, h;            // of the upright picture
    bool swap;           // upright columns are coded rows
    bool flip_x, flip_y; // of coded columns, rows
    int components;
    struct sc_component component[3];
    uint8_t *scratch; // turned masks, weights of a row
    size_t scratch_size;
};

// A copy of av to draw on, memory from buffers; in_place: av's own pixels, where its format can be drawn
// on. SC_EUNSUPPORTED, SC_ENOMEM.
int sc_canvas_open(struct sc_canvas *canvas, sc_buffers *buffers, const AVFrame *av,
                   bool in_place, const struct sc_view *view, sc_err *err);
void sc_canvas_release(struct sc_canvas *canvas);
struct sc_paint sc_canvas_paint(const struct sc_canvas *canvas, struct sc_rgb rgb);

struct sc_rect {
    int x0, y0, x1, y1; // x1 and y1 are outside
};
// Cut to the picture; opacity 0..255.
void sc_canvas_fill(struct sc_canvas *canvas, struct sc_rect rect, struct sc_paint paint,
                    int opacity);

// A small picture of two colours: how much of each a pixel gets, 0..255, together at most 255.
struct sc_mask {
    int w, h;
    uint8_t *back, *ink; // w * h each
};
// The mask's top left corner at x, y; it must lie within the picture. SC_ENOMEM.
int sc_canvas_blend(struct sc_canvas *canvas, const struct sc_mask *mask, int x, int y,
                    struct sc_paint back, struct sc_paint ink);

// --- places

// Of one detection, in upright pixels.
struct sc_place {
    struct sc_rect box;   // with its lines
    struct sc_rect label; // empty = none
};
// Finds room for label i of size w x h, the labels before it being placed: above its box, within it at
// the top, below it, always within the sheet. Where all of that would hide something, it is left out,
// or put in the first place if the box is four times as large. line: of the boxes' level lines.
void sc_overlay_place(struct sc_place *places, int count, int i, int w, int h, int line,
                      int sheet_w, int sheet_h);

// --- text

#define SC_TEXT_MAX  64 // characters of a text
#define SC_ELLIPSIS  0x2026
#define SC_FONT_ROWS 9 // of the built-in font: 7 above the base line, 2 below
#define SC_FONT_COLS 5

typedef struct sc_text sc_text;
sc_text *sc_text_open(const char *font); // never NULL; as sc_overlay_params
void sc_text_close(sc_text **ptext);
const char *sc_text_font(const sc_text *text);
// Size of an em in upright pixels, 1..512.
void sc_text_set_size(sc_text *text, float em_x, float em_y);
// Characters of UTF-8: at most most of them, then an ellipsis; what is invalid becomes U+FFFD, what
// cannot be seen is left out. Returns how many.
int sc_text_decode(const char *utf8, uint32_t *out, int most);
float sc_text_advance(sc_text *text, uint32_t character); // pixels
// Adds the characters to the mask's ink from x on; returns x after them. Cut to the mask.
float sc_text_draw(sc_text *text, const uint32_t *characters, int count, struct sc_mask *mask,
                   float x, int baseline);

// 5 x 7 dots and two rows of descenders for ' ' to '~'; the leftmost dot is bit 4.
extern const uint8_t sc_font_dots['~' - ' ' + 1][SC_FONT_ROWS];
