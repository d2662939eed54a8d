// Where boxes and labels go.
#include "vision/overlay.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "vision/overlay_internal.h"

#define RESERVE             (48 << 20) // bytes of picture memory kept for the next one
#define NAME_MAX_CHARACTERS 40
#define DARK                90 // of 255: outside of a part

struct sc_overlay {
    sc_text *text;
    sc_buffers *buffers;
    uint8_t *mask;
    size_t mask_size;
    struct sc_place places[SC_OVERLAY_MOST];
};

// One picture being drawn on, with all sizes in its upright pixels.
struct sheet {
    sc_overlay *overlay;
    struct sc_canvas canvas;
    const sc_detections *detections;
    const struct sc_overlay_labels *labels;
    const struct sc_crop *part; // outlined instead of detections; NULL = none
    int width, height;          // of the displayed picture
    double scale_x, scale_y;    // upright pixels a displayed one
    int line_x, line_y;         // thickness of upright and of level lines
    int pad_x, pad_y;           // around text
    int ascent;                 // of a label: base line below its top
    int label_height;
    int radius;
};

sc_overlay *sc_overlay_open(const struct sc_overlay_params *params)
{
    sc_overlay *overlay = sc_new(sc_overlay);
    overlay->text = sc_text_open(params ? params->font : NULL);
    overlay->buffers = sc_buffers_new(RESERVE);
    return overlay;
}

void sc_overlay_close(sc_overlay **poverlay)
{
    sc_overlay *overlay = poverlay ? *poverlay : NULL;
    if (!overlay)
        return;
    *poverlay = NULL;
    sc_text_close(&overlay->text);
    sc_buffers_unref(&overlay->buffers);
    free(overlay->mask);
    free(overlay);
}

const char *sc_overlay_font(const sc_overlay *overlay)
{
    return sc_text_font(overlay->text);
}

static int at_least(int least, double v)
{
    return v < least ? least : v > 4096 ? 4096 : (int)lrint(v);
}

// Sizes follow the shorter side, so that a picture on edge does not get larger text than a lying one.
static void measure(struct sheet *sheet)
{
    sheet->scale_x = (double)sheet->canvas.w / sheet->width;
    sheet->scale_y = (double)sheet->canvas.h / sheet->height;
    double side = fmin(sheet->width, sheet->height), em = fmax(11, side / 48);
    double line = side < 160 ? 1 : fmax(2, side / 320);
    double em_x = em * sheet->scale_x, em_y = em * sheet->scale_y;
    sheet->line_x = at_least(1, line * sheet->scale_x);
    sheet->line_y = at_least(1, line * sheet->scale_y);
    sheet->pad_x = at_least(1, 0.34 * em_x);
    sheet->pad_y = at_least(1, 0.20 * em_y);
    sheet->ascent = sheet->pad_y + at_least(1, 0.76 * em_y);
    sheet->label_height = sheet->ascent + at_least(1, 0.20 * em_y) + sheet->pad_y;
    sheet->radius = at_least(1, 0.20 * fmin(em_x, em_y));
    sc_text_set_size(sheet->overlay->text, (float)em_x, (float)em_y);
}

static int to_pixel(double v, double scale, int most)
{
    v = fmax(v * scale, 0); // NaN becomes 0
    return v > most ? most : (int)lrint(v);
}

// The lines' outer edge: half a line outside the box, but within the picture.
static struct sc_rect outline(const struct sheet *sheet, const struct sc_detection *d)
{
    int w = sheet->canvas.w, h = sheet->canvas.h;
    int x0 = to_pixel(d->x1, sheet->scale_x, w), x1 = to_pixel(d->x2, sheet->scale_x, w);
    int y0 = to_pixel(d->y1, sheet->scale_y, h), y1 = to_pixel(d->y2, sheet->scale_y, h);
    int out_x = sheet->line_x / 2, out_y = sheet->line_y / 2;
    x1 = x1 > x0 ? x1 : x0 + 1;
    y1 = y1 > y0 ? y1 : y0 + 1;
    return (struct sc_rect){x0 > out_x ? x0 - out_x : 0, y0 > out_y ? y0 - out_y : 0,
                            x1 + out_x < w ? x1 + out_x : w, y1 + out_y < h ? y1 + out_y : h};
}

static struct sc_rgb colour_of(const struct sc_detection *d)
{
    return sc_rgb_distinct(d->track ? (uint64_t)d->track : (uint64_t)(unsigned)d->class);
}

// The rectangle's lines, within it.
static void draw_edges(struct sheet *sheet, struct sc_rgb colour, struct sc_rect r)
{
    struct sc_canvas *canvas = &sheet->canvas;
    struct sc_paint paint = sc_canvas_paint(canvas, colour);
    int x = sheet->line_x, y = sheet->line_y;
    if (r.x1 - r.x0 <= 2 * x || r.y1 - r.y0 <= 2 * y) {
        sc_canvas_fill(canvas, r, paint, 255);
        return;
    }
    sc_canvas_fill(canvas, (struct sc_rect){r.x0, r.y0, r.x1, r.y0 + y}, paint, 255);
    sc_canvas_fill(canvas, (struct sc_rect){r.x0, r.y1 - y, r.x1, r.y1}, paint, 255);
    sc_canvas_fill(canvas, (struct sc_rect){r.x0, r.y0 + y, r.x0 + x, r.y1 - y}, paint, 255);
    sc_canvas_fill(canvas, (struct sc_rect){r.x1 - x, r.y0 + y, r.x1, r.y1 - y}, paint, 255);
}

static void draw_box(struct sheet *sheet, const struct sc_detection *d, struct sc_rect r)
{
    draw_edges(sheet, colour_of(d), r);
}

static void darken_around(struct sc_canvas *canvas, struct sc_rect r)
{
    struct sc_paint black = sc_canvas_paint(canvas, (struct sc_rgb){0, 0, 0});
    const struct sc_rect around[] = {{0, 0, canvas->w, r.y0},
                                     {0, r.y1, canvas->w, canvas->h},
                                     {0, r.y0, r.x0, r.y1},
                                     {r.x1, r.y0, canvas->w, r.y1}};
    for (size_t i = 0; i < SC_COUNT(around); i++)
        sc_canvas_fill(canvas, around[i], black, DARK);
}

// Two colours, so that it is seen on any ground.
static void draw_outline(struct sheet *sheet, const struct sc_crop *part)
{
    struct sc_rect r = outline(sheet, &(struct sc_detection){.x1 = part->x,
                                                             .y1 = part->y,
                                                             .x2 = part->x + part->w,
                                                             .y2 = part->y + part->h});
    int x = sheet->line_x, y = sheet->line_y;
    darken_around(&sheet->canvas, r);
    draw_edges(sheet, (struct sc_rgb){0, 0, 0}, r);
    for (int i = 0; i < 2 && r.x1 - r.x0 > 4 * x && r.y1 - r.y0 > 4 * y; i++) {
        r = (struct sc_rect){r.x0 + x, r.y0 + y, r.x1 - x, r.y1 - y};
        draw_edges(sheet, (struct sc_rgb){1, 1, 1}, r);
    }
}

// --- labels -----------------------------------------------------------------------------------

struct label {
    uint32_t text[SC_TEXT_MAX + 1];
    int count;
    float width; // pixels
};

static float width_of(sc_text *text, const uint32_t *characters, int count)
{
    float width = 0;
    for (int i = 0; i < count; i++)
        width += sc_text_advance(text, characters[i]);
    return width;
}

// Shortens the name until it and the tail fit; what is left of both.
static void compose(struct label *label, sc_text *text, uint32_t *name, int names,
                    const uint32_t *tail, int tails, float room)
{
    float name_width = width_of(text, name, names), tail_width = width_of(text, tail, tails);
    if (tail_width > room) {
        tails = 0;
        tail_width = 0;
    }
    float dots = sc_text_advance(text, SC_ELLIPSIS);
    bool cut = names && name_width + tail_width > room;
    while (cut && names && name_width + dots + tail_width > room)
        name_width -= sc_text_advance(text, name[--names]);
    memcpy(label->text, name, (size_t)names * sizeof(*name));
    label->count = names;
    if (cut && names)
        label->text[label->count++] = SC_ELLIPSIS;
    memcpy(label->text + label->count, tail, (size_t)tails * sizeof(*tail));
    label->count += tails;
    label->width = name_width + tail_width + (cut && names ? dots : 0);
}

static void write_label(const struct sheet *sheet, const struct sc_detection *d,
                        struct label *label)
{
    const struct sc_overlay_labels *labels = sheet->labels;
    uint32_t name[NAME_MAX_CHARACTERS], tail[SC_TEXT_MAX - NAME_MAX_CHARACTERS];
    char number[16], text[48] = "";
    const char *known = labels && labels->names && d->class >= 0 && d->class < labels->count
                            ? labels->names[d->class]
                            : NULL;
    snprintf(number, sizeof(number), "%d", d->class);
    int names = sc_text_decode(known ? known : number, name, NAME_MAX_CHARACTERS);
    if (d->track)
        snprintf(text, sizeof(text), "%s#%" PRId64, names ? " " : "", d->track);
    if (labels && labels->scores)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.2f",
                 names || d->track ? " " : "", fmin(fmax(d->score, 0), 1));
    int tails = sc_text_decode(text, tail, (int)SC_COUNT(tail));
    float room = (float)(sheet->canvas.w - 2 * sheet->pad_x);
    compose(label, sheet->overlay->text, name, names, tail, tails, room);
}

// A corner of radius r, seen from its centre: 0..255.
static int round_corner(int x, int y, int r)
{
    double far = hypot(x + 0.5, y + 0.5), cover = r - far + 0.5;
    return (int)lrint(255 * fmin(fmax(cover, 0), 1));
}

static int prepare_mask(sc_overlay *overlay, struct sc_mask *mask, int radius)
{
    size_t size = (size_t)mask->w * (size_t)mask->h;
    if (overlay->mask_size < 2 * size) {
        uint8_t *more = sc_try_realloc(overlay->mask, size, 2);
        if (!more)
            return SC_ENOMEM;
        overlay->mask = more;
        overlay->mask_size = 2 * size;
    }
    mask->back = overlay->mask;
    mask->ink = overlay->mask + size;
    memset(mask->back, 255, size);
    memset(mask->ink, 0, size);
    int w = mask->w, h = mask->h;
    for (int y = 0; y < radius; y++)
        for (int x = 0; x < radius; x++) {
            uint8_t v = (uint8_t)round_corner(radius - 1 - x, radius - 1 - y, radius);
            mask->back[y * w + x] = mask->back[y * w + w - 1 - x] = v;
            mask->back[(h - 1 - y) * w + x] = mask->back[(h - 1 - y) * w + w - 1 - x] = v;
        }
    return SC_OK;
}

// The text of a label and the size of its mask; false = there is none to draw.
static bool shape_label(const struct sheet *sheet, const struct sc_detection *d,
                        struct label *label, struct sc_mask *mask)
{
    write_label(sheet, d, label);
    *mask = (struct sc_mask){.w = (int)ceilf(label->width) + 2 * sheet->pad_x,
                             .h = sheet->label_height};
    return label->count && mask->w <= sheet->canvas.w && mask->w > 2 * sheet->radius;
}

static void place_all(struct sheet *sheet, int count)
{
    struct sc_place *places = sheet->overlay->places;
    struct sc_canvas *canvas = &sheet->canvas;
    struct label label;
    struct sc_mask mask;
    for (int i = 0; i < count; i++)
        places[i] = (struct sc_place){.box = outline(sheet, &sheet->detections->items[i])};
    bool none = sheet->labels && sheet->labels->none;
    if (none || sheet->label_height > canvas->h / 3)
        return; // or too small a picture for text
    for (int i = 0; i < count; i++)
        if (shape_label(sheet, &sheet->detections->items[i], &label, &mask))
            sc_overlay_place(places, count, i, mask.w, mask.h, sheet->line_y, canvas->w,
                             canvas->h);
}

static int draw_label(struct sheet *sheet, const struct sc_detection *d, struct sc_rect at)
{
    struct sc_canvas *canvas = &sheet->canvas;
    struct label label;
    struct sc_mask mask;
    if (at.x1 <= at.x0 || !shape_label(sheet, d, &label, &mask))
        return SC_OK;
    int ret = prepare_mask(sheet->overlay, &mask, sheet->radius);
    if (ret < 0)
        return ret;
    sc_text_draw(sheet->overlay->text, label.text, label.count, &mask, (float)sheet->pad_x,
                 sheet->ascent);
    struct sc_rgb back = colour_of(d);
    return sc_canvas_blend(canvas, &mask, at.x0, at.y0, sc_canvas_paint(canvas, back),
                           sc_canvas_paint(canvas, sc_rgb_ink(back)));
}

// Labels lie over all lines, the best detection on top.
static int draw_all(struct sheet *sheet, int count)
{
    const struct sc_detection *items = sheet->detections->items;
    const struct sc_place *places = sheet->overlay->places;
    int ret = SC_OK;
    place_all(sheet, count);
    for (int i = count - 1; i >= 0; i--)
        draw_box(sheet, &items[i], places[i].box);
    for (int i = count - 1; i >= 0 && ret >= 0; i--)
        ret = draw_label(sheet, &items[i], places[i].label);
    return ret;
}

// There is something to draw: what the sheet says. *out is a new frame, in place with the pixels of the
// given one.
static int draw_frame(struct sheet *sheet, sc_frame **out, sc_frame *frame, bool in_place,
                      const struct sc_view *view, int count, sc_err *err)
{
    struct sc_canvas *canvas = &sheet->canvas;
    sc_require(sheet->width > 0 && sheet->height > 0);
    int ret = sc_canvas_open(canvas, sheet->overlay->buffers, frame->av, in_place, view, err);
    if (ret < 0)
        return ret;
    measure(sheet);
    if (sheet->part)
        draw_outline(sheet, sheet->part);
    else
        ret = draw_all(sheet, count);
    if (ret >= 0) {
        *out = sc_frame_wrap(canvas->av, frame->n, frame->pts_ns);
        ret = *out ? SC_OK : SC_ENOMEM;
    }
    if (*out)
        canvas->av = NULL;
    sc_canvas_release(canvas);
    return ret < 0 ? sc_fail(err, ret, "cannot draw boxes: %s", sc_strerror(ret)) : SC_OK;
}

static int draw_on(struct sheet *sheet, sc_frame **pframe, const struct sc_view *view,
                   int count, sc_err *err)
{
    sc_frame *frame = *pframe, *drawn = NULL;
    bool alone = sc_ref_is_unique(&frame->ref) && av_frame_is_writable(frame->av) > 0;
    int ret = draw_frame(sheet, &drawn, frame, alone, view, count, err);
    if (ret < 0)
        return ret;
    sc_frame_unref(pframe);
    *pframe = drawn;
    return SC_OK;
}

static struct sheet sheet_of(sc_overlay *overlay, const sc_detections *detections,
                             const struct sc_overlay_labels *labels)
{
    return (struct sheet){.overlay = overlay,
                          .detections = detections,
                          .labels = labels,
                          .width = detections->width,
                          .height = detections->height};
}

static int limit(int count, const sc_detections *detections)
{
    count = count < detections->count ? count : detections->count;
    return count < SC_OVERLAY_MOST ? count : SC_OVERLAY_MOST;
}

int sc_overlay_draw(sc_overlay *overlay, sc_frame **out, sc_frame *frame,
                    const struct sc_view *view, const sc_detections *detections, int count,
                    const struct sc_overlay_labels *labels, sc_err *err)
{
    struct sheet sheet = sheet_of(overlay, detections, labels);
    *out = NULL;
    count = limit(count, detections);
    if (count > 0)
        return draw_frame(&sheet, out, frame, false, view, count, err);
    *out = sc_frame_ref(frame);
    return SC_OK;
}

int sc_overlay_draw_on(sc_overlay *overlay, sc_frame **pframe, const struct sc_view *view,
                       const sc_detections *detections, int count,
                       const struct sc_overlay_labels *labels, sc_err *err)
{
    struct sheet sheet = sheet_of(overlay, detections, labels);
    count = limit(count, detections);
    return count > 0 ? draw_on(&sheet, pframe, view, count, err) : SC_OK;
}

int sc_overlay_outline_on(sc_overlay *overlay, sc_frame **pframe, const struct sc_view *view,
                          const struct sc_crop *part, int width, int height, sc_err *err)
{
    struct sheet sheet = {.overlay = overlay, .part = part, .width = width, .height = height};
    return draw_on(&sheet, pframe, view, 0, err);
}
