// Boxes and labels on pictures: where they are, where they are not, in every format and view.
#include "vision/overlay.h"

#include <math.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "../base/test.h"
#include "base/mem.h"
#include "media/picture.h"
#include "vision/overlay_internal.h"

// --- pictures ---------------------------------------------------------------------------------

// A component's sample, in 8-bit levels.
static double sample(const AVFrame *av, int c, int x, int y)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av->format);
    const AVComponentDescriptor *d = &desc->comp[c];
    const uint8_t *at =
        av->data[d->plane] + (ptrdiff_t)y * av->linesize[d->plane] + d->offset + x * d->step;
    if (d->depth == 8)
        return *at;
    uint16_t word;
    memcpy(&word, at, 2);
    return (word >> d->shift) / (double)(1 << (d->depth - 8));
}

static int components(const AVFrame *av)
{
    return av_pix_fmt_desc_get(av->format)->nb_components >= 3 ? 3 : 1;
}

static int shift_w(const AVFrame *av, int c)
{
    return c ? av_pix_fmt_desc_get(av->format)->log2_chroma_w : 0;
}

static int shift_h(const AVFrame *av, int c)
{
    return c ? av_pix_fmt_desc_get(av->format)->log2_chroma_h : 0;
}

static void set_sample(AVFrame *av, int c, int x, int y, int level)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av->format);
    const AVComponentDescriptor *d = &desc->comp[c];
    uint8_t *at =
        av->data[d->plane] + (ptrdiff_t)y * av->linesize[d->plane] + d->offset + x * d->step;
    if (d->depth == 8) {
        *at = (uint8_t)level;
        return;
    }
    uint16_t word = (uint16_t)(level << (d->depth - 8 + d->shift));
    memcpy(at, &word, 2);
}

// One colour all over; limited range of BT.709.
static sc_frame *plain_frame(enum AVPixelFormat format, int w, int h)
{
    static const int level[3] = {90, 110, 150};
    AVFrame *av = av_frame_alloc();
    av->format = format;
    av->width = w;
    av->height = h;
    av->colorspace = AVCOL_SPC_BT709;
    av->color_range = AVCOL_RANGE_MPEG;
    assert_int_equal(av_frame_get_buffer(av, 0), 0);
    for (int c = 0; c < components(av); c++)
        for (int y = 0; y < AV_CEIL_RSHIFT(h, shift_h(av, c)); y++)
            for (int x = 0; x < AV_CEIL_RSHIFT(w, shift_w(av, c)); x++)
                set_sample(av, c, x, y, level[c]);
    return sc_frame_wrap(av, 7, 280);
}

static sc_detections *detections(int w, int h, int count, ...)
{
    sc_detections *d = sc_detections_new(count);
    d->width = w;
    d->height = h;
    va_list ap;
    va_start(ap, count);
    for (int i = 0; i < count; i++) {
        const double *box = va_arg(ap, const double *);
        d->items[i] = (struct sc_detection){
            (float)box[0], (float)box[1], (float)box[2], (float)box[3], 0.83f, i, 0};
    }
    va_end(ap);
    return d;
}
#define BOX(...) ((const double[]){__VA_ARGS__})

static const char *const names[] = {"bottle", "Größe", "car"};
static const struct sc_overlay_labels labels = {names, 3, true};

static sc_frame *draw_view(const char *font, sc_frame *frame, const struct sc_view *view,
                           const sc_detections *d, const struct sc_overlay_labels *l)
{
    sc_overlay *overlay = sc_overlay_open(&(struct sc_overlay_params){.font = font});
    sc_frame *out = NULL;
    sc_err err = {0};
    if (sc_overlay_draw(overlay, &out, frame, view, d, d->count, l, &err) < 0)
        fail_msg("%s: %s", av_get_pix_fmt_name(frame->av->format), err.text);
    sc_overlay_close(&overlay); // the picture lives on
    return out;
}

static sc_frame *draw(sc_frame *frame, const sc_detections *d)
{
    return draw_view(NULL, frame, &(struct sc_view){0}, d, &labels);
}

static bool changed(const sc_frame *a, const sc_frame *b, int x, int y)
{
    for (int c = 0; c < components(a->av); c++) {
        int u = x >> shift_w(a->av, c), v = y >> shift_h(a->av, c);
        if (sample(a->av, c, u, v) != sample(b->av, c, u, v))
            return true;
    }
    return false;
}

// --- tests ------------------------------------------------------------------------------------

// 444 lines of 640 columns: the line is 2 wide, one of it outside the box.
static void lines_are_at_the_edges(void **state)
{
    (void)state;
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV444P, 640, 480);
    uint64_t hash = sc_frame_hash(frame->av);
    sc_detections *d = detections(640, 480, 1, BOX(100, 120, 300, 360));
    sc_frame *out = draw(frame, d);
    assert_int_equal(sc_frame_hash(frame->av), hash); // a copy was made
    assert_int_equal(out->n, 7);
    assert_int_equal(out->pts_ns, 280);
    int inside = 0, text = 0;
    for (int y = 0; y < 480; y++)
        for (int x = 0; x < 640; x++) {
            bool level = (y >= 119 && y < 121) || (y >= 359 && y < 361);
            bool upright = (x >= 99 && x < 101) || (x >= 299 && x < 301);
            bool line = (level && x >= 99 && x < 301) || (upright && y >= 119 && y < 361);
            bool label = x >= 99 && x < 240 && y >= 90 && y < 121; // above the box
            bool is = changed(frame, out, x, y);
            if (line && !is)
                fail_msg("no line at %d, %d", x, y);
            if (!line && !label && is)
                fail_msg("%d, %d was touched", x, y);
            inside += is && line;
            text += is && label && !line;
        }
    assert_int_equal(inside, 4 * (202 + 238));
    assert_true(text > 500);
    sc_frame_unref(&out);
    sc_frame_unref(&frame);
    sc_detections_unref(&d);
}

// What a sample should be: the mean of those of 4:4:4 that it stands for.
static double mean_of(const AVFrame *reference, int c, int x, int y, int ss_w, int ss_h)
{
    double sum = 0, count = 0;
    for (int v = y << ss_h; v < (y + 1) << ss_h && v < reference->height; v++)
        for (int u = x << ss_w; u < (x + 1) << ss_w && u < reference->width; u++, count++)
            sum += sample(reference, c, u, v);
    return sum / count;
}

// Samples of any format agree with 8-bit 4:4:4. Where a subsampled one lies under two edges at once,
// the order of drawing shows: that may be so for few.
static void compare(const AVFrame *av, const AVFrame *reference)
{
    for (int c = 0; c < components(av); c++) {
        int ss_w = shift_w(av, c), ss_h = shift_h(av, c), off = 0, drawn = 0;
        for (int y = 0; y < AV_CEIL_RSHIFT(av->height, ss_h); y++)
            for (int x = 0; x < AV_CEIL_RSHIFT(av->width, ss_w); x++) {
                double expected = mean_of(reference, c, x, y, ss_w, ss_h);
                double error = fabs(expected - sample(av, c, x, y));
                drawn += fabs(expected - mean_of(reference, c, 0, 100 >> ss_h, ss_w, ss_h)) > 1;
                off += error > 1.6;
                if (error > (ss_w || ss_h ? 40 : 1.01))
                    fail_msg("%s: component %d at %d, %d is %.2f, expected %.2f",
                             av_get_pix_fmt_name(av->format), c, x, y, sample(av, c, x, y),
                             expected);
            }
        assert_true(drawn > 100);
        if (off * (ss_w == 2 ? 8 : 20) > drawn)
            fail_msg("%s: component %d: %d of %d samples are off",
                     av_get_pix_fmt_name(av->format), c, off, drawn);
    }
}

static void formats_agree(void **state)
{
    (void)state;
    static const enum AVPixelFormat formats[] = {
        AV_PIX_FMT_YUV420P,   AV_PIX_FMT_YUV422P,   AV_PIX_FMT_YUV440P,   AV_PIX_FMT_YUV411P,
        AV_PIX_FMT_YUV410P,   AV_PIX_FMT_NV12,      AV_PIX_FMT_NV21,      AV_PIX_FMT_NV16,
        AV_PIX_FMT_P010,      AV_PIX_FMT_P016,      AV_PIX_FMT_YUV420P9,  AV_PIX_FMT_YUV420P10,
        AV_PIX_FMT_YUV422P10, AV_PIX_FMT_YUV444P12, AV_PIX_FMT_YUV444P16, AV_PIX_FMT_GRAY8,
        AV_PIX_FMT_GRAY10,    AV_PIX_FMT_GRAY16,    AV_PIX_FMT_YUYV422,   AV_PIX_FMT_YUVA420P,
    };
    const int w = 323, h = 241; // odd: the last chroma sample stands for fewer pixels
    sc_detections *d = detections(w, h, 3, BOX(33.2, 41, 150.7, 140), BOX(201, 60, 323, 241),
                                  BOX(0, 0, 140, 90));
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV444P, w, h), *reference = draw(frame, d);
    for (size_t i = 0; i < SC_COUNT(formats); i++) {
        sc_frame *other = plain_frame(formats[i], w, h), *out = draw(other, d);
        assert_int_equal(out->av->format, formats[i]);
        compare(out->av, reference->av);
        sc_frame_unref(&out);
        sc_frame_unref(&other);
    }
    sc_frame_unref(&reference);
    sc_frame_unref(&frame);
    sc_detections_unref(&d);
}

// What cannot be drawn on as it is becomes something that can.
static void other_formats(void **state)
{
    (void)state;
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_RGB24,  AV_PIX_FMT_GBRP10,
                                                 AV_PIX_FMT_RGB565, AV_PIX_FMT_YUV420P10BE,
                                                 AV_PIX_FMT_BGRA,   AV_PIX_FMT_MONOBLACK};
    sc_detections *d = detections(320, 240, 1, BOX(100, 100, 200, 200));
    for (size_t i = 0; i < SC_COUNT(formats); i++) {
        AVFrame *av = av_frame_alloc();
        av->format = formats[i];
        av->width = 320;
        av->height = 240;
        assert_int_equal(av_frame_get_buffer(av, 0), 0);
        for (int p = 0; p < av_pix_fmt_count_planes(av->format); p++)
            memset(av->data[p], 0, (size_t)av->linesize[p] * (240 >> (p ? shift_h(av, 1) : 0)));
        sc_frame *frame = sc_frame_wrap(av, 0, 0), *out = draw(frame, d);
        // A line in the class's colour: class 0 is reddish.
        bool rgb = av_pix_fmt_desc_get(out->av->format)->flags & AV_PIX_FMT_FLAG_RGB;
        double first = sample(out->av, 0, 150, 100), inside = sample(out->av, 0, 150, 150);
        assert_true(rgb ? first > 200 : first > 100);
        assert_true(inside < 20);
        sc_frame_unref(&out);
        sc_frame_unref(&frame);
    }
    AVFrame *none = av_frame_alloc();
    none->format = AV_PIX_FMT_VAAPI;
    none->width = none->height = 64;
    sc_frame *frame = sc_frame_wrap(none, 0, 0), *out = NULL;
    sc_overlay *overlay = sc_overlay_open(NULL);
    sc_err err = {0};
    assert_int_equal(
        sc_overlay_draw(overlay, &out, frame, &(struct sc_view){0}, d, 1, NULL, &err),
        SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "vaapi"));
    assert_null(out);
    sc_overlay_close(&overlay);
    sc_frame_unref(&frame);
    sc_detections_unref(&d);
}

static sc_buf *shown(sc_frame *frame, const struct sc_view *view)
{
    sc_picture_ctx *ctx = sc_picture_ctx_new();
    sc_buf *buf = NULL;
    struct sc_picture_params params = {
        .rotation = view->rotation, .hflip = view->hflip, .vflip = view->vflip};
    assert_int_equal(sc_picture_rgb(ctx, &buf, NULL, frame, &params, NULL), 0);
    sc_picture_ctx_free(&ctx);
    return buf;
}

// However the picture lies in the file, what is shown is the same.
static void text_is_upright(void **state)
{
    (void)state;
    sc_detections *d = detections(320, 240, 2, BOX(40, 60, 190, 170), BOX(200, 0, 320, 100));
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV444P, 320, 240), *out = draw(frame, d);
    sc_buf *expected = shown(out, &(struct sc_view){0});
    for (int i = 0; i < 16; i++) {
        struct sc_view view = {.rotation = i / 4 * 90, .hflip = i & 1, .vflip = i & 2};
        bool swap = view.rotation % 180;
        sc_frame *other = plain_frame(AV_PIX_FMT_YUV444P, swap ? 240 : 320, swap ? 320 : 240);
        sc_frame *drawn = draw_view(NULL, other, &view, d, &labels);
        sc_buf *got = shown(drawn, &view);
        assert_int_equal(got->size, expected->size);
        if (memcmp(got->data, expected->data, got->size))
            fail_msg("rotation %d, flips %d", view.rotation, i % 4);
        sc_buf_unref(&got);
        sc_frame_unref(&drawn);
        sc_frame_unref(&other);
    }
    sc_buf_unref(&expected);
    sc_frame_unref(&out);
    sc_frame_unref(&frame);
    sc_detections_unref(&d);
}

// Displayed as 640x240 from 320 columns: places halve across, letters get narrow.
static void sample_aspect(void **state)
{
    (void)state;
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV444P, 320, 240);
    sc_detections *d = detections(640, 240, 1, BOX(200, 60, 400, 180));
    sc_frame *out = draw(frame, d);
    assert_true(changed(frame, out, 100, 150));
    assert_true(changed(frame, out, 199, 150));
    assert_false(changed(frame, out, 102, 150));
    assert_false(changed(frame, out, 202, 150));
    assert_true(changed(frame, out, 150, 60));
    int widest = 0;
    for (int x = 0; x < 320; x++)
        widest = changed(frame, out, x, 52) ? x : widest;
    assert_in_range(widest, 120, 150); // about 75 displayed pixels of label
    sc_frame_unref(&out);
    sc_frame_unref(&frame);
    sc_detections_unref(&d);
}

static void nothing_to_draw(void **state)
{
    (void)state;
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV420P, 64, 48), *out = NULL;
    sc_detections *none = detections(64, 48, 0);
    sc_detections *one = detections(64, 48, 1, BOX(1, 1, 20, 20));
    sc_overlay *overlay = sc_overlay_open(NULL);
    struct sc_view view = {0};
    assert_int_equal(sc_overlay_draw(overlay, &out, frame, &view, none, 9, NULL, NULL), 0);
    assert_int_equal(sc_frame_hash(out->av), sc_frame_hash(frame->av));
    sc_frame_unref(&out);
    assert_int_equal(sc_overlay_draw(overlay, &out, frame, &view, one, 0, NULL, NULL), 0);
    assert_int_equal(sc_frame_hash(out->av), sc_frame_hash(frame->av));
    sc_frame_unref(&out);
    sc_overlay_close(&overlay);
    sc_detections_unref(&none);
    sc_detections_unref(&one);
    sc_frame_unref(&frame);
}

static void pixels_of_nobody_else_are_drawn_on(void **state)
{
    (void)state;
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV420P, 320, 240);
    sc_detections *d = detections(320, 240, 1, BOX(40, 60, 200, 180));
    sc_overlay *overlay = sc_overlay_open(NULL);
    const struct sc_view view = {0};
    sc_frame *want = draw(frame, d), *shared = sc_frame_ref(frame), *other = shared;
    const uint64_t plain = sc_frame_hash(frame->av), drawn = sc_frame_hash(want->av);
    assert_true(plain != drawn);
    // Somebody has the frame: a copy.
    assert_int_equal(sc_overlay_draw_on(overlay, &shared, &view, d, 1, &labels, NULL), 0);
    assert_int_equal(sc_frame_hash(shared->av), drawn);
    assert_int_equal(sc_frame_hash(other->av), plain);
    sc_frame_unref(&shared);
    // Somebody has the pixels, as a decoder does.
    AVFrame *pixels = av_frame_clone(frame->av);
    assert_int_equal(sc_overlay_draw_on(overlay, &frame, &view, d, 1, &labels, NULL), 0);
    assert_int_equal(sc_frame_hash(frame->av), drawn);
    assert_int_equal(sc_frame_hash(pixels), plain);
    av_frame_free(&pixels);
    sc_frame_unref(&frame);
    // Nobody.
    frame = plain_frame(AV_PIX_FMT_YUV420P, 320, 240);
    const uint8_t *data = frame->av->data[0];
    assert_int_equal(sc_overlay_draw_on(overlay, &frame, &view, d, 1, &labels, NULL), 0);
    assert_int_equal(sc_frame_hash(frame->av), drawn);
    assert_ptr_equal(frame->av->data[0], data);
    sc_frame_unref(&frame);
    sc_frame_unref(&want);
    sc_overlay_close(&overlay);
    sc_detections_unref(&d);
}

// At the borders the whole line stays within the picture; what is no number does no harm.
static void boxes_at_the_borders(void **state)
{
    (void)state;
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV420P, 320, 240);
    sc_detections *d = detections(320, 240, 1, BOX(0, 0, 320, 240));
    sc_frame *out = draw_view(NULL, frame, &(struct sc_view){0}, d,
                              &(struct sc_overlay_labels){(const char *const[]){""}, 1, false});
    for (int i = 0; i < 2; i++) {
        assert_true(changed(frame, out, i, 120) && changed(frame, out, 319 - i, 120));
        assert_true(changed(frame, out, 160, i) && changed(frame, out, 160, 239 - i));
    }
    assert_false(changed(frame, out, 2, 120) || changed(frame, out, 317, 120));
    sc_frame_unref(&out);
    sc_detections_unref(&d);

    d = detections(320, 240, 6, BOX(-1e30, -INFINITY, 1e30, INFINITY), BOX(NAN, NAN, NAN, NAN),
                   BOX(319.9, 239.9, 320, 240), BOX(50, 50, 50, 50), BOX(90, 90, 10, 10),
                   BOX(-5, 230, 2, 260));
    d->items[0].score = NAN;
    d->items[1].class = -3;
    d->items[2].class = INT32_MAX;
    d->items[3].track = INT64_MIN;
    out = draw(frame, d);
    assert_true(changed(frame, out, 319, 239));
    sc_frame_unref(&out);
    sc_detections_unref(&d);
    sc_frame_unref(&frame);
}

// A track keeps its colour whatever it is taken for, and its label says which it is.
static void tracks(void **state)
{
    (void)state;
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV444P, 640, 480);
    sc_detections *d = detections(640, 480, 3, BOX(10, 200, 110, 400), BOX(210, 200, 310, 400),
                                  BOX(410, 200, 510, 400));
    for (int i = 0; i < 3; i++) {
        d->items[i].class = i;
        d->items[i].track = i < 2 ? 5 : 6;
    }
    sc_frame *out = draw(frame, d);
    double unlike = 0, label = 0;
    for (int c = 0; c < 3; c++) { // the boxes' lower lines
        assert_true(sample(out->av, c, 60, 400) == sample(out->av, c, 260, 400));
        unlike += fabs(sample(out->av, c, 60, 400) - sample(out->av, c, 460, 400));
    }
    assert_true(unlike > 10);
    d->items[0].track = 123456;
    sc_frame *longest = draw(frame, d);
    for (int x = 10; x < 200; x++)
        label += changed(frame, longest, x, 190) - changed(frame, out, x, 190);
    assert_true(label > 10);
    sc_frame_unref(&longest);
    sc_frame_unref(&out);
    sc_detections_unref(&d);
    sc_frame_unref(&frame);
}

#define RECT(...) ((struct sc_rect){__VA_ARGS__})

static void assert_label(const struct sc_place *place, struct sc_rect is)
{
    struct sc_rect r = place->label;
    if (memcmp(&r, &is, sizeof(r)))
        fail_msg("label at %d, %d to %d, %d", r.x0, r.y0, r.x1, r.y1);
}

// Labels of 90 x 20 in a picture of 1280 x 720 with lines of 2.
static void place_all(struct sc_place *places, int count)
{
    for (int i = 0; i < count; i++)
        sc_overlay_place(places, count, i, 90, 20, 2, 1280, 720);
}

static void labels_of_small_objects(void **state)
{
    (void)state;
    // In a row: the first above, the second below, no room for the third; the ball stands apart.
    struct sc_place row[] = {{.box = {100, 300, 120, 350}},
                             {.box = {130, 300, 150, 350}},
                             {.box = {160, 300, 180, 350}},
                             {.box = {600, 300, 606, 306}}};
    place_all(row, 4);
    assert_label(&row[0], RECT(100, 282, 190, 302));
    assert_label(&row[1], RECT(130, 348, 220, 368));
    assert_label(&row[2], RECT(0));
    assert_label(&row[3], RECT(600, 282, 690, 302));
    // Somebody above: below. Somebody below as well: none.
    struct sc_place column[] = {{.box = {100, 300, 120, 350}},
                                {.box = {140, 240, 160, 290}},
                                {.box = {140, 360, 160, 410}}};
    place_all(column, 2);
    assert_label(&column[0], RECT(100, 348, 190, 368));
    place_all(column, 3);
    assert_label(&column[0], RECT(0));
    // At the upper edge below, in the corner moved into the picture.
    struct sc_place edge[] = {{.box = {100, 4, 120, 54}}, {.box = {1260, 670, 1280, 720}}};
    place_all(edge, 2);
    assert_label(&edge[0], RECT(100, 52, 190, 72));
    assert_label(&edge[1], RECT(1190, 652, 1280, 672));
}

static void labels_of_large_objects(void **state)
{
    (void)state;
    // One place after the other; what is left goes to the first, for it hides little.
    struct sc_place same[4];
    for (int i = 0; i < 4; i++)
        same[i] = (struct sc_place){.box = {100, 300, 300, 600}};
    place_all(same, 4);
    assert_label(&same[0], RECT(100, 282, 190, 302));
    assert_label(&same[1], RECT(100, 598, 190, 618)); // within it would touch the first
    assert_label(&same[2], RECT(100, 282, 190, 302));
    assert_label(&same[3], RECT(100, 282, 190, 302));
    // Within where it is at the upper edge; on a table that holds it.
    struct sc_place table[] = {{.box = {0, 0, 1280, 720}}, {.box = {400, 300, 440, 350}}};
    place_all(table, 2);
    assert_label(&table[0], RECT(0, 0, 90, 20));
    assert_label(&table[1], RECT(400, 282, 490, 302));
}

// Of a crowd at any size: all lines, some labels, and most of what the boxes hold.
static void labels_leave_crowds_visible(void **state)
{
    (void)state;
    static const int heights[] = {240, 720, 2160};
    for (size_t s = 0; s < SC_COUNT(heights); s++) {
        int h = heights[s], w = h * 16 / 9, line = h < 720 ? 2 : h / 320, text = 0;
        sc_frame *frame = plain_frame(AV_PIX_FMT_GRAY8, w, h);
        sc_detections *d = sc_detections_new(40);
        d->width = w;
        d->height = h;
        for (int i = 0; i < 40; i++) {
            float x = (float)(w / 4 + i % 8 * h / 18), y = (float)(h / 4 + i / 8 * h / 12);
            d->items[i] = (struct sc_detection){
                x, y, x + (float)h / 36, y + (float)h / 14, 0.9f, i % 3, 0};
        }
        sc_frame *out = draw(frame, d);
        for (int i = 0; i < 40; i++) {
            const struct sc_detection *b = &d->items[i];
            int hidden = 0, all = 0;
            assert_true(changed(frame, out, (int)b->x1, (int)(b->y1 + b->y2) / 2));
            for (int y = (int)b->y1 + line; y < (int)b->y2 - line; y++)
                for (int x = (int)b->x1 + line; x < (int)b->x2 - line; x++, all++)
                    hidden += changed(frame, out, x, y);
            if (4 * hidden > all)
                fail_msg("%d lines: %d of %d of box %d are hidden", h, hidden, all, i);
        }
        for (int y = 0; y < h / 4 - line; y++)
            for (int x = 0; x < w; x++)
                text += changed(frame, out, x, y);
        assert_true(text > h / 4);
        sc_frame_unref(&out);
        sc_detections_unref(&d);
        sc_frame_unref(&frame);
    }
}

static void tiny_pictures(void **state)
{
    (void)state;
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_NV12,
                                                 AV_PIX_FMT_YUV410P, AV_PIX_FMT_P010};
    static const int sizes[][2] = {{1, 1}, {2, 1}, {3, 3}, {16, 16}, {40, 17}, {17, 60}};
    for (size_t f = 0; f < SC_COUNT(formats); f++)
        for (size_t s = 0; s < SC_COUNT(sizes); s++) {
            int w = sizes[s][0], h = sizes[s][1];
            sc_frame *frame = plain_frame(formats[f], w, h);
            sc_detections *d = detections(w, h, 1, BOX(0, 0, w, h));
            sc_frame *out = draw(frame, d);
            assert_true(changed(frame, out, 0, 0));
            assert_true(changed(frame, out, w - 1, h - 1));
            if (w == 16)
                assert_false(changed(frame, out, 8, 8));
            sc_frame_unref(&out);
            sc_detections_unref(&d);
            sc_frame_unref(&frame);
        }
}

static void hostile_labels(void **state)
{
    (void)state;
    size_t size = 4 << 20;
    char *huge = malloc(size + 1), *unseen = malloc(size + 1);
    memset(huge, 'W', size);
    memset(unseen, 1, size);
    huge[size] = unseen[size] = 0;
    const char *bad[] = {huge,
                         unseen,
                         "\xff\xfe\xc0\x80\xed\xa0\x80",
                         "\xe2\x82",
                         "a\tb\nc\x1b[31m",
                         "\xf4\x90\x80\x80\xf0\x9f\x98\x80"};
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV420P, 320, 240);
    for (size_t i = 0; i < SC_COUNT(bad); i++) {
        sc_detections *d = detections(320, 240, 1, BOX(100, 100, 200, 200));
        for (int font = 0; font < 2; font++) {
            sc_frame *out = draw_view(font ? "/nowhere" : NULL, frame, &(struct sc_view){0}, d,
                                      &(struct sc_overlay_labels){&bad[i], 1, true});
            assert_true(changed(frame, out, 150, 100));
            assert_false(changed(frame, out, 150, 70));
            sc_frame_unref(&out);
        }
        sc_detections_unref(&d);
    }
    sc_frame_unref(&frame);
    free(huge);
    free(unseen);
}

static void characters(void **state)
{
    (void)state;
    uint32_t out[8];
    assert_int_equal(sc_text_decode("a\x01é€\xf0\x9f\x98\x80", out, 8), 4);
    assert_int_equal(out[0], 'a');
    assert_int_equal(out[1], 0xE9);
    assert_int_equal(out[2], 0x20AC);
    assert_int_equal(out[3], 0x1F600);
    assert_int_equal(sc_text_decode("\xc3(\xff", out, 8), 3);
    assert_int_equal(out[0], 0xFFFD);
    assert_int_equal(out[1], '(');
    assert_int_equal(out[2], 0xFFFD);
    assert_int_equal(sc_text_decode("\xe2\x80\xae x", out, 8), 2); // a change of direction
    assert_int_equal(sc_text_decode("12345678", out, 8), 8);
    assert_int_equal(out[7], '8');
    assert_int_equal(sc_text_decode("123456789", out, 8), 8);
    assert_int_equal(out[7], SC_ELLIPSIS);
    assert_int_equal(sc_text_decode("\xe2\x82", out, 8), 2); // ends within a character
}

static void fallback_font(void **state)
{
    (void)state;
    sc_overlay *overlay = sc_overlay_open(&(struct sc_overlay_params){.font = "/nowhere"});
    assert_string_equal(sc_overlay_font(overlay), "built-in");
    sc_overlay_close(&overlay);
    sc_overlay_close(&overlay);
    sc_overlay_close(NULL);
    // Every printable character has dots, and no two are alike.
    for (int a = 1; a <= '~' - ' '; a++)
        for (int b = 0; b < a; b++)
            if (!memcmp(sc_font_dots[a], sc_font_dots[b], SC_FONT_ROWS))
                fail_msg("'%c' looks like '%c'", a + ' ', b + ' ');
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV444P, 320, 240);
    sc_detections *d = detections(320, 240, 1, BOX(100, 100, 200, 200));
    sc_frame *out = draw_view("/nowhere", frame, &(struct sc_view){0}, d, &labels);
    int dark = 0; // black text on a light ground
    for (int y = 80; y < 101; y++)
        for (int x = 100; x < 200; x++)
            dark += sample(out->av, 0, x, y) < 40;
    assert_in_range(dark, 80, 1000);
    sc_frame_unref(&out);
    sc_frame_unref(&frame);
    sc_detections_unref(&d);
}

static double luminance(struct sc_rgb c)
{
    double v[3] = {c.r, c.g, c.b};
    for (int i = 0; i < 3; i++)
        v[i] = v[i] <= 0.04045 ? v[i] / 12.92 : pow((v[i] + 0.055) / 1.055, 2.4);
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
}

// Black and white edges; within them all is as it was, around them it is darker. Whoever else has the frame keeps
// it.
static void a_part_is_outlined(void **state)
{
    (void)state;
    sc_frame *frame = plain_frame(AV_PIX_FMT_YUV444P, 640, 480), *out = sc_frame_ref(frame);
    sc_overlay *overlay = sc_overlay_open(NULL);
    const struct sc_crop part = {200, 120, 400, 240}; // of a picture twice as large
    sc_err err = {0};
    assert_int_equal(
        sc_overlay_outline_on(overlay, &out, &(struct sc_view){0}, &part, 1280, 960, &err),
        SC_OK);
    assert_ptr_not_equal(out, frame);
    for (int x = 0; x < 640; x++) {
        int in = x < 200 ? x - 99 : 300 - x; // from the outermost line of an edge
        double expected = in < 0 ? 64 : in < 2 ? 16 : in < 6 ? 235 : 90;
        assert_true(fabs(sample(out->av, 0, x, 120) - expected) < 1.5);
        assert_true(fabs(sample(out->av, 0, x, 40) - 64) < 1.5);
    }
    sc_overlay_close(&overlay);
    sc_frame_unref(&out);
    sc_frame_unref(&frame);
}

// 4.5 to 1, as WCAG asks of text; neighbours differ.
static void colours(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        struct sc_rgb c = sc_rgb_distinct(i), next = sc_rgb_distinct(i + 1);
        double light = luminance(c) + 0.05, ink = luminance(sc_rgb_ink(c)) + 0.05;
        if (fmax(light, ink) / fmin(light, ink) < 4.5)
            fail_msg("colour %d is hard to write on", (int)i);
        assert_true(fabs(c.r - next.r) + fabs(c.g - next.g) + fabs(c.b - next.b) > 0.25);
    }
    // Known points: white and pure red in limited BT.709, full BT.601, and 10-bit PQ.
    int v[3];
    struct sc_picture_colour as = {.matrix = AVCOL_SPC_BT709};
    sc_rgb_encode((struct sc_rgb){1, 1, 1}, &as, 8, v);
    assert_true(v[0] == 235 && v[1] == 128 && v[2] == 128);
    sc_rgb_encode((struct sc_rgb){1, 0, 0}, &as, 8, v);
    assert_true(v[0] == 63 && v[1] == 102 && v[2] == 240);
    as = (struct sc_picture_colour){.matrix = AVCOL_SPC_SMPTE170M, .full = true};
    sc_rgb_encode((struct sc_rgb){1, 0, 0}, &as, 8, v);
    assert_true(v[0] == 76 && v[1] == 85 && v[2] == 255);
    as = (struct sc_picture_colour){
        .matrix = AVCOL_SPC_BT2020_NCL, .hdr = true, .transfer = AVCOL_TRC_SMPTE2084};
    sc_rgb_encode((struct sc_rgb){1, 1, 1}, &as, 10, v);
    assert_in_range(v[0], 570, 574); // 58 % of 64..940: BT.2408's diffuse white
    as.transfer = AVCOL_TRC_ARIB_STD_B67;
    sc_rgb_encode((struct sc_rgb){1, 1, 1}, &as, 10, v);
    assert_in_range(v[0], 719, 723); // 75 %
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_at_the_edges),
        cmocka_unit_test(formats_agree),
        cmocka_unit_test(other_formats),
        cmocka_unit_test(text_is_upright),
        cmocka_unit_test(sample_aspect),
        cmocka_unit_test(nothing_to_draw),
        cmocka_unit_test(a_part_is_outlined),
        cmocka_unit_test(pixels_of_nobody_else_are_drawn_on),
        cmocka_unit_test(boxes_at_the_borders),
        cmocka_unit_test(labels_of_small_objects),
        cmocka_unit_test(labels_of_large_objects),
        cmocka_unit_test(labels_leave_crowds_visible),
        cmocka_unit_test(tiny_pictures),
        cmocka_unit_test(hostile_labels),
        cmocka_unit_test(characters),
        cmocka_unit_test(tracks),
        cmocka_unit_test(fallback_font),
        cmocka_unit_test(colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
