// A frame to draw on, mostly a copy, whatever its layout: rectangles and masks in up to three components.
//
// A sample gets the mean of what is drawn on the pixels that it stands for, so subsampled chroma is
// blended by how much of its pixels is covered.
#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "base/mem.h"
#include "vision/overlay_internal.h"

// --- frames -----------------------------------------------------------------------------------

// Whether each sample is a byte or a native word of its own.
static bool can_draw(const AVPixFmtDescriptor *desc)
{
    const uint64_t no = AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_PAL |
                        AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER;
    if ((desc->flags & no) || !strncmp(desc->name, "xyz", 3))
        return false;
    for (int c = 0; c < (desc->nb_components >= 3 ? 3 : 1); c++) {
        const AVComponentDescriptor *comp = &desc->comp[c];
        bool word = comp->depth > 8;
        if (comp->depth < 8 || comp->depth > 16 || (!word && comp->shift) ||
            (word && ((desc->flags & AV_PIX_FMT_FLAG_BE) || comp->step % 2 ||
                      comp->offset % 2 || comp->shift + comp->depth > 16)))
            return false;
    }
    return true;
}

// What a frame that cannot be drawn on is turned into: the same in native order, or planar RGB.
static enum AVPixelFormat stand_in(const AVPixFmtDescriptor *desc, enum AVPixelFormat format)
{
    enum AVPixelFormat native = av_pix_fmt_swap_endianness(format);
    if ((desc->flags & AV_PIX_FMT_FLAG_BE) && native != AV_PIX_FMT_NONE &&
        can_draw(av_pix_fmt_desc_get(native)))
        return native;
    return desc->comp[0].depth > 8 ? AV_PIX_FMT_GBRP16 : AV_PIX_FMT_GBRP;
}

static int convert(AVFrame *to, const AVFrame *from)
{
    struct SwsContext *sws = sws_getContext(
        from->width, from->height, from->format, to->width, to->height, to->format,
        SWS_BILINEAR | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (!sws)
        return SC_EUNSUPPORTED;
    int rows = sws_scale(sws, (const uint8_t *const *)from->data, from->linesize, 0,
                         from->height, to->data, to->linesize);
    sws_freeContext(sws);
    if (av_pix_fmt_desc_get(to->format)->flags & AV_PIX_FMT_FLAG_RGB) {
        to->colorspace = AVCOL_SPC_RGB;
        to->color_range = AVCOL_RANGE_JPEG;
    }
    return rows == from->height ? SC_OK : SC_EUNSUPPORTED;
}

static int get_frame(AVFrame **pav, sc_buffers *buffers, const AVFrame *from, bool in_place)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(from->format);
    bool plain = can_draw(desc);
    AVFrame *av = plain && in_place ? av_frame_clone(from) : av_frame_alloc();
    if (!av)
        return SC_ENOMEM;
    *pav = av;
    if (plain && in_place)
        return SC_OK;
    av->format = plain ? from->format : stand_in(desc, from->format);
    av->width = from->width;
    av->height = from->height;
    if (sc_buffers_get(buffers, NULL, av) < 0 || av_frame_copy_props(av, from) < 0)
        return SC_ENOMEM;
    if (!plain)
        return convert(av, from);
    return av_frame_copy(av, from) < 0 ? SC_EUNSUPPORTED : SC_OK;
}

static void find_components(struct sc_canvas *canvas, const AVPixFmtDescriptor *desc)
{
    const AVFrame *av = canvas->av;
    bool rgb = desc->flags & AV_PIX_FMT_FLAG_RGB;
    canvas->components = desc->nb_components >= 3 ? 3 : 1;
    for (int c = 0; c < canvas->components; c++) {
        const AVComponentDescriptor *d = &desc->comp[c];
        int ss_w = c && !rgb ? desc->log2_chroma_w : 0,
            ss_h = c && !rgb ? desc->log2_chroma_h : 0;
        canvas->component[c] = (struct sc_component){
            .data = av->data[d->plane] + d->offset,
            .row = av->linesize[d->plane],
            .step = d->depth > 8 ? d->step / 2 : d->step,
            .w = AV_CEIL_RSHIFT(av->width, ss_w),
            .h = AV_CEIL_RSHIFT(av->height, ss_h),
            .ss_w = ss_w,
            .ss_h = ss_h,
            .depth = d->depth,
            .shift = d->shift,
        };
    }
}

// The inverse of: turn clockwise, then flip.
static void find_walk(struct sc_canvas *canvas, const struct sc_view *view)
{
    canvas->swap = view->rotation == 90 || view->rotation == 270;
    canvas->w = canvas->swap ? canvas->av->height : canvas->av->width;
    canvas->h = canvas->swap ? canvas->av->width : canvas->av->height;
    // Turned by 90 degrees, upright columns run up the coded rows; flips are of the upright picture.
    canvas->flip_x = (view->rotation == 180 || view->rotation == 270) ^
                     (canvas->swap ? view->vflip : view->hflip);
    canvas->flip_y = (view->rotation == 180 || view->rotation == 90) ^
                     (canvas->swap ? view->hflip : view->vflip);
}

int sc_canvas_open(struct sc_canvas *canvas, sc_buffers *buffers, const AVFrame *av,
                   bool in_place, const struct sc_view *view, sc_err *err)
{
    *canvas = (struct sc_canvas){0};
    int ret = sc_picture_get_colour(&canvas->colour, av, err);
    if (ret < 0)
        return ret;
    ret = get_frame(&canvas->av, buffers, av, in_place);
    if (ret >= 0)
        ret = sc_picture_get_colour(&canvas->colour, canvas->av, err);
    if (ret < 0) {
        sc_canvas_release(canvas);
        return sc_fail(err, ret, "cannot draw on %s pictures: %s",
                       av_get_pix_fmt_name(av->format), sc_strerror(ret));
    }
    find_components(canvas, av_pix_fmt_desc_get(canvas->av->format));
    find_walk(canvas, view);
    return SC_OK;
}

void sc_canvas_release(struct sc_canvas *canvas)
{
    av_frame_free(&canvas->av);
    free(canvas->scratch);
    canvas->scratch = NULL;
    canvas->scratch_size = 0;
}

struct sc_paint sc_canvas_paint(const struct sc_canvas *canvas, struct sc_rgb rgb)
{
    struct sc_paint paint = {0};
    sc_rgb_encode(rgb, &canvas->colour, canvas->component[0].depth, paint.value);
    return paint;
}

// --- samples ----------------------------------------------------------------------------------

static int clamp_to(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

static struct sc_rect clip(struct sc_rect r, int w, int h)
{
    return (struct sc_rect){clamp_to(r.x0, 0, w), clamp_to(r.y0, 0, h), clamp_to(r.x1, 0, w),
                            clamp_to(r.y1, 0, h)};
}

// From upright to coded places.
static struct sc_rect to_coded(const struct sc_canvas *canvas, struct sc_rect r)
{
    int w = canvas->av->width, h = canvas->av->height;
    if (canvas->swap)
        r = (struct sc_rect){r.y0, r.x0, r.y1, r.x1};
    if (canvas->flip_x)
        r = (struct sc_rect){w - r.x1, r.y0, w - r.x0, r.y1};
    if (canvas->flip_y)
        r = (struct sc_rect){r.x0, h - r.y1, r.x1, h - r.y0};
    return r;
}

// n samples of a row go towards value by weight / 255.
static void blend_run(const struct sc_component *comp, int x, int y, int n, int value,
                      int weight)
{
    uint8_t *row = comp->data + y * comp->row;
    if (comp->depth > 8) {
        uint16_t *p = (uint16_t *)(void *)row + (ptrdiff_t)x * comp->step;
        for (int i = 0; i < n && weight == 255; i++, p += comp->step)
            *p = (uint16_t)(value << comp->shift);
        for (int i = 0; i < n && weight < 255; i++, p += comp->step) {
            int v = *p >> comp->shift;
            v += ((value - v) * weight + (value > v ? 127 : -127)) / 255;
            *p = (uint16_t)(v << comp->shift);
        }
        return;
    }
    uint8_t *p = row + (ptrdiff_t)x * comp->step;
    if (comp->step == 1 && weight == 255) {
        memset(p, value, (size_t)n);
        return;
    }
    for (int i = 0; i < n; i++, p += comp->step)
        *p = (uint8_t)(*p + ((value - *p) * weight + (value > *p ? 127 : -127)) / 255);
}

// Which share of the pixels of sample i lies within from..to: 0..255. size: of the picture.
static int share(int i, int ss, int from, int to, int size)
{
    int first = i << ss, end = (i + 1) << ss;
    end = end < size ? end : size;
    int low = first > from ? first : from, high = end < to ? end : to;
    return 255 * (high - low) / (end - first);
}

// The runs of a row of samples: partly covered at the ends, alike between them.
struct runs {
    int first, n;    // samples of the middle
    int left, right; // coverage of the samples before and after, 0 = none
};

static struct runs find_runs(const struct sc_component *comp, struct sc_rect r, int width)
{
    int first = r.x0 >> comp->ss_w, last = (r.x1 - 1) >> comp->ss_w;
    struct runs runs = {.left = share(first, comp->ss_w, r.x0, r.x1, width),
                        .right = share(last, comp->ss_w, r.x0, r.x1, width)};
    if (first == last)
        runs.right = 0;
    if (runs.left == 255)
        runs.left = 0;
    if (runs.right == 255)
        runs.right = 0;
    runs.first = first + (runs.left > 0);
    runs.n = last - (runs.right > 0) - runs.first + 1;
    return runs;
}

static void fill_row(const struct sc_component *comp, const struct runs *runs, int y, int value,
                     int weight)
{
    if (runs->left)
        blend_run(comp, runs->first - 1, y, 1, value, weight * runs->left / 255);
    if (runs->n)
        blend_run(comp, runs->first, y, runs->n, value, weight);
    if (runs->right)
        blend_run(comp, runs->first + runs->n, y, 1, value, weight * runs->right / 255);
}

void sc_canvas_fill(struct sc_canvas *canvas, struct sc_rect rect, struct sc_paint paint,
                    int opacity)
{
    struct sc_rect r = to_coded(canvas, clip(rect, canvas->w, canvas->h));
    if (r.x0 >= r.x1 || r.y0 >= r.y1)
        return;
    for (int c = 0; c < canvas->components; c++) {
        const struct sc_component *comp = &canvas->component[c];
        struct runs runs = find_runs(comp, r, canvas->av->width);
        int first = r.y0 >> comp->ss_h, last = (r.y1 - 1) >> comp->ss_h;
        for (int y = first; y <= last; y++) {
            bool edge = y == first || y == last;
            int rows = edge ? share(y, comp->ss_h, r.y0, r.y1, canvas->av->height) : 255;
            fill_row(comp, &runs, y, paint.value[c], opacity * rows / 255);
        }
    }
}

// --- masks ------------------------------------------------------------------------------------

static uint8_t *need(struct sc_canvas *canvas, size_t size)
{
    if (canvas->scratch_size < size) {
        uint8_t *more = sc_try_realloc(canvas->scratch, size, 1);
        if (!more)
            return NULL;
        canvas->scratch = more;
        canvas->scratch_size = size;
    }
    return canvas->scratch;
}

// in (w x h, upright) as it lies in the planes.
static void turn(const struct sc_canvas *canvas, const uint8_t *in, int w, int h, uint8_t *out)
{
    int out_w = canvas->swap ? h : w, out_h = canvas->swap ? w : h;
    for (int y = 0; y < out_h; y++)
        for (int x = 0; x < out_w; x++) {
            int u = canvas->flip_x ? out_w - 1 - x : x, v = canvas->flip_y ? out_h - 1 - y : y;
            *out++ = canvas->swap ? in[u * w + v] : in[v * w + u];
        }
}

// A mask as it lies in the planes, and what is needed to bring a row of it to a component's grid.
struct tile {
    struct sc_rect at; // in coded pixels
    const uint8_t *back, *ink;
    uint16_t *column;   // sums of columns: a pixel row and three more
    uint8_t *weight[2]; // of a row of samples: back, ink
};

// Means of 1 << ss sums of `rows` pixels each; of fewer at the picture's edge, `left` pixels on.
static void mean_columns(const uint16_t *restrict column, int n, int ss, int rows, int left,
                         uint8_t *restrict out)
{
    int block = 1 << ss, u = 0;
    if (rows == 2 && block == 2) // nearly all of it: 4:2:0
        for (; u + 2 <= n && u + 2 <= left; u += 2)
            out[u / 2] = (uint8_t)((column[u] + column[u + 1] + 2) >> 2);
    for (; u < n && u < left && rows > 0; u += block) {
        int sum = 0, pixels = rows * (left - u < block ? left - u : block);
        for (int i = 0; i < block; i++)
            sum += column[u + i];
        out[u >> ss] = (uint8_t)((sum + pixels / 2) / pixels);
    }
}

// The means of the pixels that each sample of row y stands for.
static void weigh(const struct tile *tile, const uint8_t *mask, const struct sc_component *comp,
                  int y, const AVFrame *av, uint8_t *out)
{
    const struct sc_rect *at = &tile->at;
    int w = at->x1 - at->x0, ss = comp->ss_w, block = 1 << ss, first = at->x0 & (block - 1);
    int from = y << comp->ss_h, to = (y + 1) << comp->ss_h, n = first + w;
    int rows = to < av->height ? to - from : av->height - from;
    uint16_t *column = tile->column + first;
    memset(tile->column, 0, (size_t)(n + block) * sizeof(*column));
    from = from > at->y0 ? from : at->y0;
    to = to < at->y1 ? to : at->y1;
    for (int v = from; v < to; v++) {
        const uint8_t *row = mask + (size_t)(v - at->y0) * (size_t)w;
        for (int u = 0; u < w; u++)
            column[u] = (uint16_t)(column[u] + row[u]);
    }
    mean_columns(tile->column, n, ss, rows, av->width - (at->x0 - first), out);
}

// All of it fits 16 bits: back and ink together are at most 255.
static void blend_bytes(uint8_t *restrict p, const uint8_t *restrict back_weight,
                        const uint8_t *restrict ink_weight, int n, int step, int back, int ink)
{
    uint16_t b = (uint16_t)back, k = (uint16_t)ink;
    for (int i = 0; i < n; i++) {
        uint16_t wb = back_weight[i], wk = ink_weight[i], rest = (uint16_t)(255 - wb - wk);
        uint16_t v = (uint16_t)(p[(ptrdiff_t)i * step] * rest + b * wb + k * wk + 128);
        p[(ptrdiff_t)i * step] = (uint8_t)((uint16_t)(v + (v >> 8)) >> 8); // v / 255
    }
}

static void blend_words(uint16_t *p, const struct sc_component *comp,
                        const uint8_t *const weight[2], int n, int back, int ink)
{
    int step = comp->step, shift = comp->shift;
    for (int i = 0; i < n; i++, p += step) {
        unsigned wb = weight[0][i], wk = weight[1][i], v = *p >> shift;
        v = (v * (255 - wb - wk) + (unsigned)back * wb + (unsigned)ink * wk + 127) / 255;
        *p = (uint16_t)(v << shift);
    }
}

static void blend_row(const struct sc_component *comp, int x, int y,
                      const uint8_t *const weight[2], int n, int back, int ink)
{
    uint8_t *row = comp->data + y * comp->row;
    ptrdiff_t at = (ptrdiff_t)x * comp->step;
    if (comp->depth > 8)
        blend_words((uint16_t *)(void *)row + at, comp, weight, n, back, ink);
    else if (comp->step == 1)
        blend_bytes(row + at, weight[0], weight[1], n, 1, back, ink);
    else
        blend_bytes(row + at, weight[0], weight[1], n, comp->step, back, ink);
}

// Draws on components that have the same grid: the first alone, or the others.
static void blend_components(struct sc_canvas *canvas, const struct tile *tile, int from,
                             int to, const struct sc_paint *back, const struct sc_paint *ink)
{
    const struct sc_component *comp = &canvas->component[from];
    const struct sc_rect *at = &tile->at;
    int first = at->x0 >> comp->ss_w, n = ((at->x1 - 1) >> comp->ss_w) - first + 1;
    for (int y = at->y0 >> comp->ss_h; y <= (at->y1 - 1) >> comp->ss_h; y++) {
        const uint8_t *weight[2] = {tile->weight[0], tile->weight[1]};
        if (comp->ss_w || comp->ss_h) {
            weigh(tile, tile->back, comp, y, canvas->av, tile->weight[0]);
            weigh(tile, tile->ink, comp, y, canvas->av, tile->weight[1]);
        } else {
            size_t row = (size_t)(y - at->y0) * (size_t)(at->x1 - at->x0);
            weight[0] = tile->back + row;
            weight[1] = tile->ink + row;
        }
        for (int c = from; c < to; c++)
            blend_row(&canvas->component[c], first, y, weight, n, back->value[c],
                      ink->value[c]);
    }
}

int sc_canvas_blend(struct sc_canvas *canvas, const struct sc_mask *mask, int x, int y,
                    struct sc_paint back, struct sc_paint ink)
{
    struct sc_rect at = {x, y, x + mask->w, y + mask->h};
    size_t size = (size_t)mask->w * (size_t)mask->h;
    struct tile tile = {.at = to_coded(canvas, at), .back = mask->back, .ink = mask->ink};
    size_t row = (size_t)(tile.at.x1 - tile.at.x0) + 16;
    bool turned = canvas->swap || canvas->flip_x || canvas->flip_y;
    uint8_t *scratch = need(canvas, 4 * row + (turned ? 2 * size : 0));
    if (!scratch)
        return SC_ENOMEM;
    tile.column = (uint16_t *)(void *)scratch;
    tile.weight[0] = scratch + 2 * row;
    tile.weight[1] = scratch + 3 * row;
    if (turned) {
        tile.back = scratch + 4 * row;
        tile.ink = tile.back + size;
        turn(canvas, mask->back, mask->w, mask->h, scratch + 4 * row);
        turn(canvas, mask->ink, mask->w, mask->h, scratch + 4 * row + size);
    }
    blend_components(canvas, &tile, 0, 1, &back, &ink);
    if (canvas->components > 1)
        blend_components(canvas, &tile, 1, canvas->components, &back, &ink);
    return SC_OK;
}
