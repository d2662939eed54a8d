// Held against a reference in double precision that reads the frame sample by sample, as the
// header describes the tensor, and against the display pictures of media/picture.h.
#include "vision/prepare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <libavutil/pixdesc.h>

#include "media/picture.h"

#define LEVELS 3

// --- random numbers

static uint32_t dice_state;

static uint32_t dice(void)
{
    dice_state = dice_state * 1664525 + 1013904223;
    return dice_state >> 8;
}

static int roll(int from, int to)
{
    return from + (int)(dice() % (uint32_t)(to - from + 1));
}

static bool toss(void)
{
    return dice() & 16;
}

static float roll_float(double from, double to)
{
    return (float)(from + (to - from) * dice() / 0xffffff);
}

// --- frames whose planes end at a page that cannot be touched

#define PLANES 3

struct fenced {
    void *map[PLANES];
    size_t size[PLANES];
    sc_frame *frame;
};

static int plane_rows(const AVPixFmtDescriptor *desc, int plane, int h)
{
    bool chroma = (plane == 1 || plane == 2) && !(desc->flags & AV_PIX_FMT_FLAG_RGB);
    return chroma ? AV_CEIL_RSHIFT(h, desc->log2_chroma_h) : h;
}

static int row_bytes(const AVPixFmtDescriptor *desc, int plane, int w)
{
    int most = 0;
    for (int c = 0; c < desc->nb_components; c++) {
        if (desc->comp[c].plane != plane)
            continue;
        bool chroma = (c == 1 || c == 2) && !(desc->flags & AV_PIX_FMT_FLAG_RGB);
        int samples = chroma ? AV_CEIL_RSHIFT(w, desc->log2_chroma_w) : w;
        int bytes = samples * desc->comp[c].step;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void fill_plane(uint8_t *row, int bytes, const AVComponentDescriptor *comp)
{
    if (comp->depth <= 8) {
        for (int i = 0; i < bytes; i++)
            row[i] = (uint8_t)dice();
        return;
    }
    for (int i = 0; i + 1 < bytes; i += 2) {
        uint16_t v = (uint16_t)((dice() & ((1u << comp->depth) - 1)) << comp->shift);
        memcpy(row + i, &v, 2);
    }
}

static void fence_plane(struct fenced *f, int plane, const AVPixFmtDescriptor *desc)
{
    AVFrame *av = f->frame->av;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int rows = plane_rows(desc, plane, av->height), bytes = row_bytes(desc, plane, av->width);
    int stride = bytes + roll(0, 3) * roll(0, 40) * 2;
    bool upwards = roll(0, 3) == 0;
    size_t used = (size_t)stride * (size_t)(rows - 1) + (size_t)bytes;
    size_t inner = (used + page - 1) / page * page;
    f->size[plane] = inner + 2 * page;
    f->map[plane] =
        mmap(NULL, f->size[plane], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(f->map[plane] != MAP_FAILED);
    uint8_t *start = (uint8_t *)f->map[plane] + page;
    mprotect(f->map[plane], page, PROT_NONE);
    mprotect(start + inner, page, PROT_NONE);
    // The first or the last sample lies next to a fence; words stay aligned.
    uint8_t *data = toss() ? start : start + ((inner - used) & ~(size_t)1);
    const AVComponentDescriptor *comp = desc->comp;
    while (comp->plane != plane)
        comp++;
    for (int y = 0; y < rows; y++)
        fill_plane(data + (ptrdiff_t)y * stride, bytes, comp);
    av->data[plane] = upwards ? data + (ptrdiff_t)(rows - 1) * stride : data;
    av->linesize[plane] = upwards ? -stride : stride;
}

static struct fenced fenced_frame(int format, int w, int h)
{
    struct fenced f = {0};
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    f.frame = sc_frame_wrap(av_frame_alloc(), 0, 0);
    f.frame->av->format = format;
    f.frame->av->width = w;
    f.frame->av->height = h;
    int planes = av_pix_fmt_count_planes(format);
    assert_true(planes <= PLANES);
    for (int p = 0; p < planes; p++)
        fence_plane(&f, p, desc);
    return f;
}

static void fenced_free(struct fenced *f)
{
    sc_frame_unref(&f->frame);
    for (int p = 0; p < PLANES; p++)
        if (f->map[p])
            munmap(f->map[p], f->size[p]);
}

// --- the reference

struct reference {
    const AVFrame *av;
    const struct sc_prepare_params *params;
    const struct sc_view *view;
    const AVPixFmtDescriptor *desc;
    int shown_w, shown_h;      // of the displayed picture
    double x, y, w, h;         // crop
    int left, top, in_w, in_h; // in the tensor
};

static double sample(const AVFrame *av, const AVComponentDescriptor *comp, int x, int y)
{
    const uint8_t *at = av->data[comp->plane] + (ptrdiff_t)y * av->linesize[comp->plane] +
                        (ptrdiff_t)x * comp->step + comp->offset;
    uint16_t word;
    if (comp->depth <= 8)
        return *at;
    memcpy(&word, at, 2);
    return word >> comp->shift;
}

// One component at a position of luma (0 = the middle of the first pixel), of an area of
// reach_x x reach_y luma pixels where that is more than a pixel.
struct spot {
    double x, y, reach_x, reach_y;
    double from_x, from_y, to_x, to_y; // first and last pixel that count
};

struct line {
    double at, reach;
    int first, last;
};

static double limit(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static struct line line_of(double at, double reach, double from, double to, bool antialias,
                           int ss, double origin, int samples)
{
    struct line l;
    double scale = 1 << ss;
    if (antialias) {
        l.first = (int)limit(floor((floor(from + 1e-6) - origin) / scale), 0, samples - 1);
        l.last = (int)limit(ceil((ceil(to - 1e-6) - origin) / scale), l.first, samples - 1);
        l.at = limit((at - origin) / scale, l.first, l.last);
        l.reach = fmax(1, reach / scale);
    } else {
        at = to < from ? (from + to) / 2 : limit(at, from, to);
        l.first = 0;
        l.last = samples - 1;
        l.at = limit((at - origin) / scale, 0, samples - 1);
        l.reach = 1;
    }
    l.first = (int)limit(floor(l.at - l.reach), l.first, l.last);
    l.last = (int)limit(ceil(l.at + l.reach), l.first, l.last);
    return l;
}

static double triangle(const struct line *l, int k)
{
    return fmax(0, 1 - fabs(k - l->at) / l->reach);
}

static double component(const struct reference *r, int c, const struct spot *s)
{
    const AVFrame *av = r->av;
    bool chroma = c > 0 && !(r->desc->flags & AV_PIX_FMT_FLAG_RGB);
    int ss_w = chroma ? r->desc->log2_chroma_w : 0, ss_h = chroma ? r->desc->log2_chroma_h : 0;
    bool centre =
        av->chroma_location == AVCHROMA_LOC_CENTER ||
        (av->chroma_location == AVCHROMA_LOC_UNSPECIFIED && !strncmp(r->desc->name, "yuvj", 4));
    bool above = av->chroma_location == AVCHROMA_LOC_TOPLEFT;
    struct line x =
        line_of(s->x, s->reach_x, s->from_x, s->to_x, r->params->antialias, ss_w,
                centre ? ((1 << ss_w) - 1) / 2.0 : 0, AV_CEIL_RSHIFT(av->width, ss_w));
    struct line y =
        line_of(s->y, s->reach_y, s->from_y, s->to_y, r->params->antialias, ss_h,
                above ? 0 : ((1 << ss_h) - 1) / 2.0, AV_CEIL_RSHIFT(av->height, ss_h));
    double sum = 0, weights = 0;
    for (int j = y.first; j <= y.last; j++)
        for (int i = x.first; i <= x.last; i++) {
            double weight = triangle(&x, i) * triangle(&y, j);
            sum += weight > 0 ? weight * sample(av, &r->desc->comp[c], i, j) : 0;
            weights += weight;
        }
    return sum / weights;
}

// Where in the source a spot of the tensor's picture area is.
static struct spot spot_of(const struct reference *r, int tx, int ty)
{
    double x =
        r->x + (tx - r->left + 0.5) * r->w / r->in_w; // displayed, edges at whole numbers
    double y = r->y + (ty - r->top + 0.5) * r->h / r->in_h;
    double x0 = r->x, x1 = r->x + r->w, y0 = r->y, y1 = r->y + r->h;
    double step_x = r->w / r->in_w, step_y = r->h / r->in_h;
    double w = r->shown_w, h = r->shown_h, swap;
#define MIRROR(a, a0, a1, size) (swap = a0, a = size - a, a0 = size - a1, a1 = size - swap)
#define SWAP(a, b)              (swap = a, a = b, b = swap)
    if (r->view->hflip)
        MIRROR(x, x0, x1, w);
    if (r->view->vflip)
        MIRROR(y, y0, y1, h);
    for (int turn = r->view->rotation; turn > 0; turn -= 90) { // back, against the clock
        MIRROR(x, x0, x1, w);
        SWAP(x, y);
        SWAP(x0, y0);
        SWAP(x1, y1);
        SWAP(step_x, step_y);
        SWAP(w, h);
    }
#undef MIRROR
#undef SWAP
    double sx = r->av->width / w, sy = r->av->height / h;
    return (struct spot){x * sx - 0.5, y * sy - 0.5, step_x * sx, step_y * sy,
                         x0 * sx,      y0 * sy,      x1 * sx - 1, y1 * sy - 1};
}

static void weights_of(const AVFrame *av, double *kr, double *kb)
{
    int matrix = av->colorspace;
    if (matrix == AVCOL_SPC_UNSPECIFIED)
        matrix = av->height >= 720 || av->width >= 1280 ? AVCOL_SPC_BT709 : AVCOL_SPC_BT470BG;
    *kr = matrix == AVCOL_SPC_BT709 ? 0.2126 : matrix == AVCOL_SPC_BT2020_NCL ? 0.2627 : 0.299;
    *kb = matrix == AVCOL_SPC_BT709 ? 0.0722 : matrix == AVCOL_SPC_BT2020_NCL ? 0.0593 : 0.114;
}

static void colour(const struct reference *r, const double v[3], double rgb[3])
{
    double kr, kb, most = (1 << r->desc->comp[0].depth) - 1;
    double unit = 1 << (r->desc->comp[0].depth - 8);
    bool is_rgb = r->desc->flags & AV_PIX_FMT_FLAG_RGB, gray = r->desc->nb_components < 3;
    bool full = is_rgb || gray || !strncmp(r->desc->name, "yuvj", 4);
    if (r->av->color_range != AVCOL_RANGE_UNSPECIFIED)
        full = r->av->color_range == AVCOL_RANGE_JPEG;
    double y[3];
    for (int c = 0; c < 3; c++)
        y[c] = full ? v[c] / most : (v[c] - 16 * unit) / (219 * unit);
    if (is_rgb || gray) {
        for (int c = 0; c < 3; c++)
            rgb[c] = 255 * y[gray ? 0 : c];
        return;
    }
    weights_of(r->av, &kr, &kb);
    double cb = (v[1] - 128 * unit) / (full ? most : 224 * unit);
    double cr = (v[2] - 128 * unit) / (full ? most : 224 * unit);
    rgb[0] = 255 * (y[0] + 2 * (1 - kr) * cr);
    rgb[2] = 255 * (y[0] + 2 * (1 - kb) * cb);
    rgb[1] = (255 * y[0] - kr * rgb[0] - kb * rgb[2]) / (1 - kr - kb);
}

// The three channels at a place of the tensor, in its order, before scale, mean and std.
static void expected(const struct reference *r, int tx, int ty, double out[3])
{
    double v[3] = {0}, rgb[3];
    if (tx < r->left || tx >= r->left + r->in_w || ty < r->top || ty >= r->top + r->in_h) {
        out[0] = out[1] = out[2] = r->params->pad;
        return;
    }
    struct spot spot = spot_of(r, tx, ty);
    for (int c = 0; c < (r->desc->nb_components < 3 ? 1 : 3); c++)
        v[c] = component(r, c, &spot);
    colour(r, v, rgb);
    for (int c = 0; c < 3; c++)
        out[c] = limit(rgb[r->params->bgr ? 2 - c : c], 0, 255);
}

static void reference_init(struct reference *r, const AVFrame *av,
                           const struct sc_prepare_params *params, const struct sc_view *view)
{
    *r = (struct reference){av, params, view, av_pix_fmt_desc_get(av->format)};
    AVRational sar = view->sample_aspect.num ? view->sample_aspect : av->sample_aspect_ratio;
    double wide = sar.num ? fmax(1, (double)av->width * sar.num / sar.den) : av->width;
    double over = fmax(1, fmax(wide, av->height) / SC_PICTURE_MAX_SIDE);
    int w = (int)fmax(1, rint(wide / over)), h = (int)fmax(1, rint(av->height / over));
    bool turned = view->rotation % 180;
    r->shown_w = turned ? h : w;
    r->shown_h = turned ? w : h;
    bool all = view->w == 0 || view->h == 0;
    r->x = all ? 0 : fmax(0, view->x);
    r->y = all ? 0 : fmax(0, view->y);
    r->w = all ? r->shown_w : fmin(r->shown_w, (double)view->x + (double)view->w) - r->x;
    r->h = all ? r->shown_h : fmin(r->shown_h, (double)view->y + (double)view->h) - r->y;
    double ratio = fmin(params->width / r->w, params->height / r->h);
    r->in_w = params->width;
    r->in_h = params->height;
    if (params->fit == SC_PREPARE_LETTERBOX) {
        r->in_w = (int)fmax(1, rint(r->w * ratio));
        r->in_h = (int)fmax(1, rint(r->h * ratio));
        r->left = (int)rint((params->width - r->in_w) / 2.0 - 0.1);
        r->top = (int)rint((params->height - r->in_h) / 2.0 - 0.1);
    } else if (params->fit == SC_PREPARE_LETTERBOX_TOP_LEFT) {
        r->in_w = (int)fmax(1, floor(r->w * ratio));
        r->in_h = (int)fmax(1, floor(r->h * ratio));
    }
}

// --- tensors

static float half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double v = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return (float)(bits & 0x8000 ? -v : v);
}

static double element(const void *tensor, enum sc_element type, size_t i)
{
    if (type == SC_UINT8)
        return ((const uint8_t *)tensor)[i];
    if (type == SC_FLOAT16)
        return (double)half_value(((const uint16_t *)tensor)[i]);
    return (double)((const float *)tensor)[i];
}

#define MARGIN 64
struct tensor {
    uint8_t *memory;
    size_t size;
};

static struct tensor tensor_new(const sc_prepare *prepare)
{
    struct tensor t = {.size = sc_prepare_size(prepare)};
    size_t all = (t.size + 3 * MARGIN - 1) / MARGIN * MARGIN;
    t.memory = aligned_alloc(MARGIN, all);
    assert_non_null(t.memory);
    memset(t.memory, 0xa5, all);
    return t;
}

static uint8_t *tensor_data(const struct tensor *t)
{
    return t->memory + MARGIN;
}

static void tensor_free(struct tensor *t)
{
    for (int i = 0; i < MARGIN; i++) {
        assert_int_equal(t->memory[i], 0xa5);
        assert_int_equal(t->memory[MARGIN + t->size + (size_t)i], 0xa5);
    }
    free(t->memory);
}

static void run_ok(sc_prepare *prepare, const sc_frame *frame, const struct sc_view *view,
                   void *tensor, struct sc_mapping *mapping)
{
    sc_err err = {0};
    int ret = sc_prepare_run(prepare, frame, view, tensor, mapping, &err);
    if (ret < 0)
        fail_msg("%s: %s", sc_strerror(ret), err.text);
}

static sc_prepare *open_ok(const struct sc_prepare_params *params)
{
    sc_prepare *prepare = NULL;
    sc_err err = {0};
    if (sc_prepare_open(&prepare, params, &err) < 0)
        fail_msg("%s", err.text);
    return prepare;
}

// --- comparison

static double tolerance(const struct sc_prepare_params *p, int c, double value)
{
    int rgb = p->bgr ? 2 - c : c;
    double gain = (double)p->scale / (p->std[rgb] != 0 ? fabs((double)p->std[rgb]) : 1);
    double most = (p->antialias ? 0.5 : 0.06) * gain; // levels of 255
    if (p->type == SC_UINT8)
        most += 0.5;
    if (p->type == SC_FLOAT16)
        most += fmax(fabs(value) / 2048, 0x1p-25);
    return most + 1e-4 * gain;
}

static double normalised(const struct sc_prepare_params *p, int c, double v)
{
    int rgb = p->bgr ? 2 - c : c;
    double std = p->std[rgb] != 0 ? (double)p->std[rgb] : 1;
    v = (v * (double)p->scale - (double)p->mean[rgb]) / std;
    return p->type == SC_UINT8 ? limit(v, 0, 255) : v;
}

static double worst_plain, worst_antialias; // in levels of 255, float32 only

static void check_place(const struct reference *r, const void *tensor, int x, int y)
{
    const struct sc_prepare_params *p = r->params;
    double want[3];
    expected(r, x, y, want);
    for (int c = 0; c < 3; c++) {
        size_t pixel = (size_t)y * (size_t)p->width + (size_t)x;
        size_t i = p->nhwc ? pixel * 3 + (size_t)c
                           : pixel + (size_t)c * (size_t)p->width * (size_t)p->height;
        double got = element(tensor, p->type, i), value = normalised(p, c, want[c]);
        double *worst = p->antialias ? &worst_antialias : &worst_plain;
        if (p->type == SC_FLOAT32)
            *worst = fmax(*worst, fabs(got - value) / normalised(p, c, 1 / (double)p->scale) *
                                      (p->mean[0] == 0 ? 1 : 0));
        if (fabs(got - value) > tolerance(p, c, value))
            fail_msg(
                "%s %dx%d, rotation %d%s%s, tensor %dx%d fit %d%s%s type %d: channel %d at "
                "%d,%d is %.6g, not %.6g",
                r->desc->name, r->av->width, r->av->height, r->view->rotation,
                r->view->hflip ? " hflip" : "", r->view->vflip ? " vflip" : "", p->width,
                p->height, p->fit, p->antialias ? " antialias" : "", p->nhwc ? " nhwc" : "",
                p->type, c, x, y, got, value);
    }
}

static void check_against_reference(const struct reference *r, const void *tensor, int places)
{
    const struct sc_prepare_params *p = r->params;
    static const int corners[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
    for (int i = 0; i < 4; i++) {
        int x = r->left + corners[i][0] * (r->in_w - 1);
        int y = r->top + corners[i][1] * (r->in_h - 1);
        check_place(r, tensor, x, y);
        check_place(r, tensor, corners[i][0] * (p->width - 1), corners[i][1] * (p->height - 1));
    }
    for (int i = 0; i < places; i++)
        check_place(r, tensor, roll(0, p->width - 1), roll(0, p->height - 1));
}

// The C version against the reference, the others against the C version, bit by bit.
static void check_all_levels(sc_prepare *prepare, const struct reference *r,
                             const sc_frame *frame, int places)
{
    struct tensor first = tensor_new(prepare);
    struct sc_mapping mapping;
    assert_true(sc_prepare_set_level(prepare, 0));
    run_ok(prepare, frame, r->view, tensor_data(&first), &mapping);
    assert_int_equal(mapping.width, r->shown_w);
    assert_int_equal(mapping.height, r->shown_h);
    assert_float_equal(mapping.x0 + mapping.step_x * (float)r->left, r->x, 0.02);
    assert_float_equal(mapping.y0 + mapping.step_y * (float)(r->top + r->in_h), r->y + r->h,
                       0.02);
    check_against_reference(r, tensor_data(&first), places);
    for (int level = 1; level < LEVELS; level++) {
        if (!sc_prepare_set_level(prepare, level))
            continue;
        struct tensor other = tensor_new(prepare);
        run_ok(prepare, frame, r->view, tensor_data(&other), NULL);
        for (size_t i = 0; i < first.size; i++)
            if (tensor_data(&first)[i] != tensor_data(&other)[i])
                fail_msg("level %d, %s %dx%d to %dx%d type %d%s: byte %zu differs", level,
                         r->desc->name, r->av->width, r->av->height, r->params->width,
                         r->params->height, r->params->type,
                         r->params->antialias ? " antialias" : "", i);
        tensor_free(&other);
    }
    tensor_free(&first);
}

// --- random cases

static const int formats[] = {
    AV_PIX_FMT_YUV420P,     AV_PIX_FMT_YUV422P,     AV_PIX_FMT_YUV444P,   AV_PIX_FMT_YUVJ420P,
    AV_PIX_FMT_NV12,        AV_PIX_FMT_NV21,        AV_PIX_FMT_P010LE,    AV_PIX_FMT_GRAY8,
    AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_YUV422P12LE, AV_PIX_FMT_YUV444P16, AV_PIX_FMT_GRAY16LE,
    AV_PIX_FMT_YUV411P,     AV_PIX_FMT_YUYV422,     AV_PIX_FMT_RGB24,     AV_PIX_FMT_GBRP10LE,
    AV_PIX_FMT_YUV420P9LE,  AV_PIX_FMT_YUV410P,
};

static int random_side(void)
{
    static const int odd[] = {1, 2, 3, 5, 15, 16, 17, 31, 33, 63, 64, 65, 127};
    int kind = roll(0, 9);
    if (kind < 3)
        return odd[roll(0, (int)(sizeof(odd) / sizeof(odd[0])) - 1)];
    return kind < 9 ? roll(1, 200) : roll(200, 900);
}

static struct sc_prepare_params random_params(void)
{
    static const enum sc_element types[] = {SC_FLOAT32, SC_FLOAT32, SC_FLOAT16, SC_UINT8};
    struct sc_prepare_params p = {
        .width = random_side(),
        .height = random_side(),
        .fit = (enum sc_prepare_fit)roll(0, 2),
        .antialias = toss(),
        .bgr = toss(),
        .nhwc = toss(),
        .pad = (uint8_t)dice(),
        .type = types[roll(0, 3)],
    };
    p.scale = p.type == SC_UINT8 || toss() ? 1 : 1 / 255.0F;
    if (p.type != SC_UINT8 && toss())
        for (int c = 0; c < 3; c++) {
            p.mean[c] = roll_float(-1, 1);
            p.std[c] = roll_float(0.2, 2);
        }
    return p;
}

static struct sc_view random_view(int w, int h)
{
    struct sc_view v = {
        .rotation = toss() ? 0 : 90 * roll(0, 3),
        .hflip = roll(0, 3) == 0,
        .vflip = roll(0, 3) == 0,
    };
    if (roll(0, 3) == 0)
        v.sample_aspect = (AVRational){roll(1, 4), roll(1, 4)};
    if (roll(0, 2) == 0) {
        int side = v.rotation % 180 ? h : w, other = v.rotation % 180 ? w : h;
        v.x = roll_float(0, side * 0.4);
        v.y = roll_float(0, other * 0.4);
        v.w = roll_float(1, side);
        v.h = roll_float(1, other);
        if (v.sample_aspect.num) // may shrink the picture to where the crop is not
            v.x = v.y = 0;
    }
    return v;
}

static void random_colour(AVFrame *av)
{
    static const int spaces[] = {AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_BT709, AVCOL_SPC_SMPTE170M,
                                 AVCOL_SPC_BT2020_NCL};
    static const int ranges[] = {AVCOL_RANGE_UNSPECIFIED, AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG};
    static const int places[] = {AVCHROMA_LOC_UNSPECIFIED, AVCHROMA_LOC_LEFT,
                                 AVCHROMA_LOC_CENTER, AVCHROMA_LOC_TOPLEFT};
    av->colorspace = spaces[roll(0, 3)];
    av->color_range = ranges[roll(0, 2)];
    av->chroma_location = places[roll(0, 3)];
}

static void random_case(int format, int w, int h, const struct sc_prepare_params *params)
{
    struct fenced f = fenced_frame(format, w, h);
    struct sc_view view = random_view(w, h);
    struct reference r;
    random_colour(f.frame->av);
    sc_prepare *prepare = open_ok(params);
    reference_init(&r, f.frame->av, params, &view);
    check_all_levels(prepare, &r, f.frame, 30);
    sc_prepare_close(&prepare);
    fenced_free(&f);
}

static void test_random(void **state)
{
    const char *seed = getenv("PREPARE_SEED");
    (void)state;
    dice_state = seed ? (uint32_t)strtoul(seed, NULL, 10) : 20240229;
    const int kinds = (int)(sizeof(formats) / sizeof(formats[0]));
    time_t end = time(NULL) + 3;
    int done = 0;
    for (; done < kinds || (done < 1500 && time(NULL) < end); done++) {
        struct sc_prepare_params params = random_params();
        random_case(formats[done % kinds], random_side(), random_side(), &params);
    }
    if (getenv("PREPARE_VERBOSE"))
        print_message("%d cases; off by %.4f of 255 at most, %.4f with antialias\n", done,
                      worst_plain, worst_antialias);
}

// Sides up to the largest, both ways, and large steps.
static void test_extremes(void **state)
{
    static const int cases[][4] = {{3, 2, 8192, 3},   {2, 3, 3, 8192}, {8192, 2, 3, 5},
                                   {2, 8192, 5, 3},   {8191, 3, 1, 1}, {1, 1, 8192, 1},
                                   {1, 1, 1, 1},      {2, 2, 1, 1},    {4096, 1, 2047, 2},
                                   {1000, 700, 1, 1}, {1, 2, 2, 1}};
    (void)state;
    dice_state = 7;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int antialias = 0; antialias < 2; antialias++) {
            struct sc_prepare_params params = {
                .width = cases[i][2], .height = cases[i][3], .scale = 1, .type = SC_FLOAT32};
            params.antialias = antialias;
            random_case(i % 2 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_P010LE, cases[i][0],
                        cases[i][1], &params);
        }
}

// --- known figures

// Ultralytics' and YOLOX's own preparations give these.
static void test_letterbox(void **state)
{
    static const struct {
        int w, h, side;
        enum sc_prepare_fit fit;
        int left, top, in_w, in_h;
    } cases[] = {
        {1920, 1080, 640, SC_PREPARE_LETTERBOX, 0, 140, 640, 360},
        {810, 1080, 640, SC_PREPARE_LETTERBOX, 80, 0, 480, 640},
        {500, 375, 640, SC_PREPARE_LETTERBOX, 0, 80, 640, 480},
        {1000, 333, 640, SC_PREPARE_LETTERBOX, 0, 213, 640, 213},
        {640, 427, 416, SC_PREPARE_LETTERBOX, 0, 69, 416, 278},
        {1920, 1080, 416, SC_PREPARE_LETTERBOX_TOP_LEFT, 0, 0, 416, 234},
        {640, 427, 416, SC_PREPARE_LETTERBOX_TOP_LEFT, 0, 0, 416, 277},
        {1920, 1080, 640, SC_PREPARE_STRETCH, 0, 0, 640, 640},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sc_prepare_params params = {.width = cases[i].side,
                                           .height = cases[i].side,
                                           .fit = cases[i].fit,
                                           .scale = 1,
                                           .pad = 114,
                                           .type = SC_UINT8};
        struct sc_mapping map;
        struct fenced f = fenced_frame(AV_PIX_FMT_GRAY8, cases[i].w, cases[i].h);
        for (int y = 0; y < cases[i].h; y++)
            memset(f.frame->av->data[0] + (ptrdiff_t)y * f.frame->av->linesize[0], 255,
                   (size_t)cases[i].w);
        sc_prepare *prepare = open_ok(&params);
        struct tensor t = tensor_new(prepare);
        run_ok(prepare, f.frame, NULL, tensor_data(&t), &map);
        int white = 0;
        for (int k = 0; k < params.width * params.height; k++)
            white += tensor_data(&t)[k] == 255;
        assert_int_equal(white, cases[i].in_w * cases[i].in_h);
        assert_int_equal(tensor_data(&t)[cases[i].top * params.width + cases[i].left], 255);
        if (cases[i].top)
            assert_int_equal(tensor_data(&t)[(cases[i].top - 1) * params.width], 114);
        assert_float_equal(map.x0 + map.step_x * (float)cases[i].left, 0, 1e-3);
        assert_float_equal(map.y0 + map.step_y * (float)(cases[i].top + cases[i].in_h),
                           cases[i].h, 1e-3);
        tensor_free(&t);
        sc_prepare_close(&prepare);
        fenced_free(&f);
    }
}

// The same picture in two formats gives the same tensor.
static void compare_formats(int a, int b, int w, int h)
{
    struct sc_prepare_params params = {
        .width = 37, .height = 41, .scale = 1, .type = SC_FLOAT32};
    struct fenced fa = fenced_frame(a, w, h), fb = fenced_frame(b, w, h);
    const AVPixFmtDescriptor *da = av_pix_fmt_desc_get(a), *db = av_pix_fmt_desc_get(b);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < AV_CEIL_RSHIFT(h, c ? da->log2_chroma_h : 0); y++)
            for (int x = 0; x < AV_CEIL_RSHIFT(w, c ? da->log2_chroma_w : 0); x++) {
                const AVComponentDescriptor *to = &db->comp[c];
                uint8_t *at = fb.frame->av->data[to->plane] +
                              (ptrdiff_t)y * fb.frame->av->linesize[to->plane] + x * to->step +
                              to->offset;
                int v = (int)sample(fa.frame->av, &da->comp[c], x, y) << to->shift;
                memcpy(at, &(uint16_t){(uint16_t)v}, to->depth > 8 ? 2 : 1);
            }
    sc_prepare *prepare = open_ok(&params);
    struct tensor ta = tensor_new(prepare), tb = tensor_new(prepare);
    run_ok(prepare, fa.frame, NULL, tensor_data(&ta), NULL);
    run_ok(prepare, fb.frame, NULL, tensor_data(&tb), NULL);
    assert_memory_equal(tensor_data(&ta), tensor_data(&tb), ta.size);
    tensor_free(&ta);
    tensor_free(&tb);
    sc_prepare_close(&prepare);
    fenced_free(&fa);
    fenced_free(&fb);
}

static void test_formats(void **state)
{
    (void)state;
    dice_state = 3;
    compare_formats(AV_PIX_FMT_YUV420P, AV_PIX_FMT_NV12, 101, 75);
    compare_formats(AV_PIX_FMT_YUV420P, AV_PIX_FMT_NV21, 64, 66);
    compare_formats(AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_P010LE, 102, 75);
    compare_formats(AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUYV422, 100, 30);
    compare_formats(AV_PIX_FMT_YUV422P, AV_PIX_FMT_UYVY422, 100, 30);
    compare_formats(AV_PIX_FMT_GBRP, AV_PIX_FMT_RGB24, 51, 30);
    compare_formats(AV_PIX_FMT_GBRP, AV_PIX_FMT_BGRA, 51, 30);
}

// Matrices that zimg undoes, and formats that are unpacked first, come out as in pictures.
static void test_converted(void **state)
{
    static const struct {
        int format, space;
    } cases[] = {
        {AV_PIX_FMT_YUV444P, AVCOL_SPC_YCGCO},
        {AV_PIX_FMT_YUV444P10LE, AVCOL_SPC_BT2020_CL},
        {AV_PIX_FMT_RGB565LE, AVCOL_SPC_RGB},
        {AV_PIX_FMT_MONOWHITE, AVCOL_SPC_UNSPECIFIED},
        {AV_PIX_FMT_YUV444P10BE, AVCOL_SPC_BT709},
        {AV_PIX_FMT_YUV444P, AVCOL_SPC_BT709}, // not converted: shows that the test is right
    };
    (void)state;
    sc_picture_ctx *ctx = sc_picture_ctx_new();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fenced f = fenced_frame(cases[i].format, 48, 20);
        f.frame->av->colorspace = cases[i].space;
        struct sc_prepare_params params = {
            .width = 48, .height = 20, .nhwc = true, .scale = 1, .type = SC_UINT8};
        sc_prepare *prepare = open_ok(&params);
        struct tensor t = tensor_new(prepare);
        sc_buf *rgb = NULL;
        sc_err err = {0};
        run_ok(prepare, f.frame, NULL, tensor_data(&t), NULL);
        assert_int_equal(
            sc_picture_rgb(ctx, &rgb, NULL, f.frame, &(struct sc_picture_params){0}, &err), 0);
        for (size_t k = 0; k < t.size; k++)
            if (abs(tensor_data(&t)[k] - rgb->data[k]) > 1)
                fail_msg("%s: byte %zu is %d, %d in the picture",
                         av_get_pix_fmt_name(cases[i].format), k, tensor_data(&t)[k],
                         rgb->data[k]);
        sc_buf_unref(&rgb);
        tensor_free(&t);
        sc_prepare_close(&prepare);
        fenced_free(&f);
    }
    sc_picture_ctx_free(&ctx);
}

// Turned, mirrored and stretched as in pictures.
static void test_orientation(void **state)
{
    (void)state;
    dice_state = 5;
    sc_picture_ctx *ctx = sc_picture_ctx_new();
    for (int i = 0; i < 16; i++) {
        struct sc_picture_params shown = {
            .rotation = i % 4 * 90, .hflip = i & 4, .vflip = i & 8};
        struct sc_view view = {
            .rotation = shown.rotation, .hflip = shown.hflip, .vflip = shown.vflip};
        struct fenced f = fenced_frame(AV_PIX_FMT_YUV444P, 50, 20);
        struct sc_picture_info info;
        sc_buf *rgb = NULL;
        sc_err err = {0};
        assert_int_equal(sc_picture_rgb(ctx, &rgb, &info, f.frame, &shown, &err), 0);
        struct sc_prepare_params params = {.width = info.width,
                                           .height = info.height,
                                           .nhwc = true,
                                           .scale = 1,
                                           .type = SC_UINT8};
        sc_prepare *prepare = open_ok(&params);
        struct tensor t = tensor_new(prepare);
        run_ok(prepare, f.frame, &view, tensor_data(&t), NULL);
        for (size_t k = 0; k < t.size; k++)
            if (abs(tensor_data(&t)[k] - rgb->data[k]) > 1)
                fail_msg("rotation %d%s%s: byte %zu is %d, %d in the picture", view.rotation,
                         view.hflip ? " hflip" : "", view.vflip ? " vflip" : "", k,
                         tensor_data(&t)[k], rgb->data[k]);
        sc_buf_unref(&rgb);
        tensor_free(&t);
        sc_prepare_close(&prepare);
        fenced_free(&f);
    }
    sc_picture_ctx_free(&ctx);
}

// Geometry changes from call to call; so must the tables.
static void test_changing_frames(void **state)
{
    struct sc_prepare_params params = {
        .width = 40, .height = 30, .fit = SC_PREPARE_LETTERBOX, .scale = 1, .type = SC_FLOAT32};
    (void)state;
    dice_state = 11;
    sc_prepare *prepare = open_ok(&params);
    for (int i = 0; i < 40; i++) {
        struct fenced f = fenced_frame(formats[i % 8], 20 + i % 3 * 50, 30 + i % 5 * 17);
        struct sc_view view = random_view(f.frame->av->width, f.frame->av->height);
        struct reference r;
        random_colour(f.frame->av);
        reference_init(&r, f.frame->av, &params, &view);
        check_all_levels(prepare, &r, f.frame, 20);
        check_all_levels(prepare, &r, f.frame, 20);
        fenced_free(&f);
    }
    sc_prepare_close(&prepare);
}

// Every half: what lies between two goes to the nearer, or to the even one.
static void test_halves(void **state)
{
    (void)state;
    dice_state = 1;
    struct sc_prepare_params params = {
        .width = 64, .height = 4, .scale = 1, .type = SC_FLOAT16};
    struct fenced f = fenced_frame(AV_PIX_FMT_GRAY16LE, 64, 4);
    static const float scales[] = {1e-8F, 1e-7F, 1e-6F, 1e-3F, 1, 250, 1e4F};
    for (size_t s = 0; s < sizeof(scales) / sizeof(scales[0]); s++) {
        params.type = SC_FLOAT32;
        params.scale = scales[s];
        sc_prepare *wide = open_ok(&params);
        params.type = SC_FLOAT16;
        sc_prepare *half = open_ok(&params);
        struct tensor a = tensor_new(wide), b = tensor_new(half);
        for (int level = 0; level < LEVELS; level++) {
            if (!sc_prepare_set_level(wide, level) || !sc_prepare_set_level(half, level))
                continue;
            run_ok(wide, f.frame, NULL, tensor_data(&a), NULL);
            run_ok(half, f.frame, NULL, tensor_data(&b), NULL);
            for (size_t i = 0; i < b.size / 2; i++) {
                double v = element(tensor_data(&a), SC_FLOAT32, i);
                uint16_t bits = ((uint16_t *)(void *)tensor_data(&b))[i];
                if (v >= 65520) {
                    assert_int_equal(bits, 0x7c00);
                    continue;
                }
                double got = (double)half_value(bits), off = fabs(got - v);
                double up = fabs((double)half_value((uint16_t)(bits + 1)) - v);
                double down = bits ? fabs((double)half_value((uint16_t)(bits - 1)) - v) : 1;
                assert_true(off <= up && off <= down);
                assert_true((off < up && off < down) || bits % 2 == 0);
            }
        }
        tensor_free(&a);
        tensor_free(&b);
        sc_prepare_close(&wide);
        sc_prepare_close(&half);
    }
    fenced_free(&f);
}

// --- refusals

static void test_bad_params(void **state)
{
    const struct sc_prepare_params good = {
        .width = 8, .height = 8, .scale = 1, .type = SC_FLOAT32};
    struct sc_prepare_params bad[] = {good, good, good, good, good, good, good, good};
    (void)state;
    bad[0].width = 0;
    bad[1].height = 8193;
    bad[2].fit = (enum sc_prepare_fit)3;
    bad[3].type = SC_INT64;
    bad[4].scale = NAN;
    bad[5].mean[1] = INFINITY;
    bad[6].std[2] = NAN;
    bad[7].width = -1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sc_prepare *prepare = (sc_prepare *)&good;
        sc_err err = {0};
        assert_int_equal(sc_prepare_open(&prepare, &bad[i], &err), SC_EARG);
        assert_null(prepare);
        assert_true(err.text[0] && err.field[0]);
    }
    sc_prepare_close(NULL);
    sc_prepare *none = NULL;
    sc_prepare_close(&none);
}

static void test_bad_views(void **state)
{
    const struct sc_prepare_params params = {
        .width = 8, .height = 8, .scale = 1, .type = SC_FLOAT32};
    static const struct sc_view bad[] = {{.rotation = 45},          {.rotation = 360},
                                         {.rotation = -90},         {.x = 100, .w = 5, .h = 5},
                                         {.y = -9, .w = 5, .h = 5}, {.w = -1, .h = 5},
                                         {.x = NAN, .w = 5, .h = 5}};
    (void)state;
    sc_prepare *prepare = open_ok(&params);
    struct tensor t = tensor_new(prepare);
    struct fenced f = fenced_frame(AV_PIX_FMT_YUV420P, 32, 32);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sc_err err = {0};
        assert_int_equal(sc_prepare_run(prepare, f.frame, &bad[i], tensor_data(&t), NULL, &err),
                         SC_EARG);
        run_ok(prepare, f.frame, NULL, tensor_data(&t), NULL);
    }
    f.frame->av->format = AV_PIX_FMT_VAAPI;
    sc_err err = {0};
    assert_int_equal(sc_prepare_run(prepare, f.frame, NULL, tensor_data(&t), NULL, &err),
                     SC_EUNSUPPORTED);
    fenced_free(&f);
    tensor_free(&t);
    sc_prepare_close(&prepare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letterbox),       cmocka_unit_test(test_formats),
        cmocka_unit_test(test_converted),       cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_halves),          cmocka_unit_test(test_random),
        cmocka_unit_test(test_changing_frames), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_bad_params),      cmocka_unit_test(test_bad_views),
    };
    return cmocka_run_group_tests_name("prepare", tests, NULL, NULL);
}
