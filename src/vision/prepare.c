#include "vision/prepare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vision/prepare_internal.h"

#define MAX_SIDE  8192
#define TURN_ROWS 16 // of a turned picture, written together as runs of columns
#define ROW_ALIGN 64 // bytes

static const struct sc_kernels *const levels[] = {
    &sc_kernels_c,
#if defined(__x86_64__)
    &sc_kernels_avx2,
    &sc_kernels_avx512,
#endif
};

// What tables depend on; made in zeroed memory, so equal ones are equal bytes.
struct key {
    struct sc_view view;
    AVRational sample_aspect;
    int32_t w, h, ss_w, ss_h, siting;
};

struct sc_prepare {
    struct sc_prepare_params params;
    const struct sc_kernels *kernels;
    struct sc_input_memory memory;
    struct key key; // of the tables below
    bool ready;     // they are there
    struct sc_layout layout;
    struct sc_taps x[2], y[2]; // of luma, of chroma
    struct sc_scratch rows;
};

// --- opening

static int check_params(const struct sc_prepare_params *p, sc_err *err)
{
    if (p->width < 1 || p->width > MAX_SIDE || p->height < 1 || p->height > MAX_SIDE)
        return sc_fail_field(err, SC_EARG, "size",
                             "a tensor's sides are from 1 to %d, not %dx%d", MAX_SIDE, p->width,
                             p->height);
    if ((unsigned)p->fit > SC_PREPARE_LETTERBOX_TOP_LEFT)
        return sc_fail_field(err, SC_EARG, "fit", "unknown fit %d", (int)p->fit);
    if (p->type != SC_FLOAT32 && p->type != SC_FLOAT16 && p->type != SC_UINT8)
        return sc_fail_field(err, SC_EARG, "type", "pictures cannot have elements of type %d",
                             (int)p->type);
    if (!isfinite(p->scale))
        return sc_fail_field(err, SC_EARG, "scale", "scale must be finite");
    for (int c = 0; c < 3; c++)
        if (!isfinite(p->mean[c]) || !isfinite(p->std[c]))
            return sc_fail_field(err, SC_EARG, "mean", "mean and std must be finite");
    return 0;
}

int sc_prepare_open(sc_prepare **pprepare, const struct sc_prepare_params *params, sc_err *err)
{
    *pprepare = NULL;
    int ret = check_params(params, err);
    if (ret < 0)
        return ret;
    sc_prepare *prepare = sc_new(sc_prepare);
    prepare->params = *params;
    for (int level = 0; level < (int)SC_COUNT(levels); level++)
        sc_prepare_set_level(prepare, level);
    *pprepare = prepare;
    return 0;
}

bool sc_prepare_set_level(sc_prepare *prepare, int level)
{
    if (level < 0 || level >= (int)SC_COUNT(levels) || !levels[level]->supported())
        return false;
    prepare->kernels = levels[level];
    return true;
}

static void drop_tables(sc_prepare *prepare)
{
    for (int i = 0; i < 2; i++) {
        sc_taps_release(&prepare->x[i]);
        sc_taps_release(&prepare->y[i]);
    }
    prepare->ready = false;
}

void sc_prepare_close(sc_prepare **pprepare)
{
    sc_prepare *prepare = pprepare ? *pprepare : NULL;
    if (!prepare)
        return;
    drop_tables(prepare);
    sc_input_memory_release(&prepare->memory);
    sc_scratch_release(&prepare->rows);
    free(prepare);
    *pprepare = NULL;
}

size_t sc_prepare_size(const sc_prepare *prepare)
{
    const struct sc_prepare_params *p = &prepare->params;
    return (size_t)p->width * (size_t)p->height * 3 * sc_element_size(p->type);
}

// --- tables

static struct key key_of(const AVFrame *av, const struct sc_input *input,
                         const struct sc_view *view)
{
    const struct sc_image *img = &input->source.img;
    struct key key;
    memset(&key, 0, sizeof(key));
    key.view.rotation = view->rotation;
    key.view.hflip = view->hflip;
    key.view.vflip = view->vflip;
    key.view.sample_aspect = view->sample_aspect;
    key.view.x = view->x;
    key.view.y = view->y;
    key.view.w = view->w;
    key.view.h = view->h;
    key.sample_aspect = av->sample_aspect_ratio;
    key.w = av->width;
    key.h = av->height;
    key.ss_w = img->ss_w;
    key.ss_h = img->ss_h;
    key.siting = img->siting;
    return key;
}

// Luma samples from the first luma site to the first chroma site, along a side.
static double origin_x(const struct sc_image *img)
{
    bool left = img->siting == ZIMG_CHROMA_LEFT || img->siting == ZIMG_CHROMA_TOP_LEFT ||
                img->siting == ZIMG_CHROMA_BOTTOM_LEFT;
    return left ? 0 : ((1 << img->ss_w) - 1) / 2.0;
}

static double origin_y(const struct sc_image *img)
{
    int last = (1 << img->ss_h) - 1;
    switch (img->siting) {
    case ZIMG_CHROMA_TOP_LEFT:
    case ZIMG_CHROMA_TOP:
        return 0;
    case ZIMG_CHROMA_BOTTOM_LEFT:
    case ZIMG_CHROMA_BOTTOM:
        return last;
    default:
        return last / 2.0;
    }
}

static int make_taps(sc_prepare *prepare, const struct sc_input *input)
{
    const struct sc_image *img = &input->source.img;
    int ret = 0, kinds = img->ss_w || img->ss_h ? 2 : 1;
    for (int i = 0; i < kinds && ret >= 0; i++) {
        struct sc_taps_params x = {
            .side = prepare->layout.x,
            .luma = img->w,
            .samples = input->planes[i].w,
            .ss = i ? img->ss_w : 0,
            .origin = i ? origin_x(img) : 0,
            .antialias = prepare->params.antialias,
            .across = true,
        };
        struct sc_taps_params y = {
            .side = prepare->layout.y,
            .luma = img->h,
            .samples = input->planes[i].h,
            .ss = i ? img->ss_h : 0,
            .origin = i ? origin_y(img) : 0,
            .antialias = prepare->params.antialias,
        };
        ret = sc_taps_init(&prepare->x[i], &x);
        if (ret >= 0)
            ret = sc_taps_init(&prepare->y[i], &y);
    }
    return ret;
}

static int make_tables(sc_prepare *prepare, const AVFrame *av, const struct sc_input *input,
                       const struct sc_view *view, sc_err *err)
{
    struct key key = key_of(av, input, view);
    if (prepare->ready &&
        !memcmp(&key, &prepare->key, sizeof(key))) // NOLINT(bugprone-*,cert-*)
        return 0;
    drop_tables(prepare);
    int ret = sc_layout_compute(&prepare->layout, &prepare->params, view, av, err);
    if (ret < 0)
        return ret;
    ret = make_taps(prepare, input);
    if (ret < 0)
        return sc_fail(err, ret, "no memory for the tables of a tensor");
    memcpy(&prepare->key, &key, sizeof(key));
    prepare->ready = true;
    return 0;
}

// --- rows

// One picture on its way.
struct job {
    const sc_prepare *prepare;
    const struct sc_input *input;
    struct sc_colour colour;
    uint8_t *tensor;
    ptrdiff_t step_x, step_y, step_c; // bytes from an element to the next column, row, channel
    size_t element;                   // bytes
    // Scratch rows.
    int16_t *packed, *picked;
    float *planes[3];
    uint8_t *block; // [3][TURN_ROWS][block_row bytes]
    size_t block_row;
};

static size_t take(size_t *total, size_t count, size_t size)
{
    size_t at = *total;
    *total += SC_ALIGN(count * size, (size_t)ROW_ALIGN);
    return at;
}

static int make_rows(struct job *job, sc_prepare *prepare)
{
    size_t total = 0, packed = 0, picked = 0;
    for (int p = 0; p < sc_image_planes(&job->input->source.img); p++) {
        const struct sc_plane *plane = &job->input->planes[p];
        size_t w = (size_t)plane->w, wide = w * (size_t)plane->step;
        packed = wide > packed ? wide : packed;
        picked = w > picked ? w : picked;
    }
    size_t slack = (size_t)prepare->x[0].width + (size_t)prepare->x[1].width + SC_ROW_SLACK;
    size_t outputs = (size_t)sc_taps_padded(prepare->layout.x.count);
    job->block_row = SC_ALIGN(outputs * job->element, (size_t)ROW_ALIGN);
    size_t packed_at = take(&total, packed + slack, sizeof(int16_t));
    size_t picked_at = take(&total, picked + slack, sizeof(int16_t));
    size_t planes_at = take(&total, 3 * outputs, sizeof(float));
    size_t block_at = take(&total, 3 * TURN_ROWS, job->block_row);
    int ret = sc_scratch_need(&prepare->rows, total);
    if (ret < 0)
        return ret;
    uint8_t *base = prepare->rows.data;
    memset(base, 0, planes_at); // weights of 0 may meet what is beyond a row
    job->packed = (int16_t *)(void *)(base + packed_at);
    job->picked = (int16_t *)(void *)(base + picked_at);
    for (size_t p = 0; p < 3; p++)
        job->planes[p] = (float *)(void *)(base + planes_at) + p * outputs;
    job->block = base + block_at;
    return 0;
}

static void pick(const int16_t *restrict from, int step, int n, int16_t *restrict out)
{
    if (step == 2)
        for (int i = 0; i < n; i++)
            out[i] = from[2 * i];
    else
        for (int i = 0; i < n; i++)
            out[i] = from[i * step];
}

static void resample(const struct job *job, int p, int y, bool same_rows)
{
    const struct sc_prepare *prepare = job->prepare;
    const struct sc_plane *plane = &job->input->planes[p];
    int kind = p && prepare->x[1].count;
    const struct sc_taps *taps = &prepare->y[kind];
    struct sc_down down = {
        .data = plane->data + taps->first[y] * plane->stride,
        .stride = plane->stride,
        .width = plane->w * plane->step,
        .depth = job->input->depth,
        .n = taps->width,
        .weights = taps->weights + (size_t)y * (size_t)taps->width,
    };
    while (down.n > 1 && !down.weights[down.n - 1])
        down.n--;
    if (!same_rows)
        prepare->kernels->down(&down, job->packed);
    const int16_t *row = job->packed;
    if (plane->step > 1) {
        pick(row + plane->offset, plane->step, plane->w, job->picked);
        row = job->picked;
    }
    prepare->kernels->across(row, &prepare->x[kind], job->planes[p]);
}

// Row y of the source's grid, as three channels into out.
static void make_row(const struct job *job, int y, void *const out[3])
{
    const struct sc_plane *planes = job->input->planes;
    int count = sc_image_planes(&job->input->source.img);
    const float *in[3] = {job->planes[0], job->planes[0], job->planes[0]};
    for (int p = 0; p < count; p++) {
        // Semi-planar chroma lies in the same rows.
        bool same_rows = p == 2 && planes[2].data == planes[1].data;
        resample(job, p, y, same_rows);
        in[p] = job->planes[p];
    }
    job->prepare->kernels->colour(in, job->prepare->layout.x.count, &job->colour,
                                  job->prepare->params.type, out);
}

// Rows of the block as runs of columns: `rows` neighbours at a time, so that lines of the cache are
// written whole.
static inline void turn_elements(const struct job *job, size_t element, int y, int rows)
{
    for (int c = 0; c < 3; c++) {
        const uint8_t *from = job->block + (size_t)c * TURN_ROWS * job->block_row;
        uint8_t *to = job->tensor + c * job->step_c + y * job->step_x;
        for (int x = 0; x < job->prepare->layout.x.count; x++, to += job->step_y)
            for (int r = 0; r < rows; r++)
                memcpy(to + r * job->step_x,
                       from + (size_t)r * job->block_row + (size_t)x * element, element);
    }
}

static inline void interleave_elements(const struct job *job, size_t element, int y)
{
    const uint8_t *from = job->block;
    const size_t plane = TURN_ROWS * job->block_row;
    uint8_t *to = job->tensor + y * job->step_y;
    for (int x = 0; x < job->prepare->layout.x.count; x++, from += element)
        for (size_t c = 0; c < 3; c++, to += element)
            memcpy(to, from + c * plane, element);
}

static inline void scatter_elements(const struct job *job, size_t element, int y, int rows)
{
    if (job->prepare->layout.turned)
        turn_elements(job, element, y, rows);
    else
        interleave_elements(job, element, y);
}

static void scatter(const struct job *job, int y, int rows)
{
    if (job->element == 1)
        scatter_elements(job, 1, y, rows);
    else if (job->element == 2)
        scatter_elements(job, 2, y, rows);
    else
        scatter_elements(job, 4, y, rows);
}

static void make_rows_scattered(const struct job *job)
{
    const struct sc_layout *layout = &job->prepare->layout;
    int most = layout->turned ? TURN_ROWS : 1;
    for (int y = 0; y < layout->y.count; y += most) {
        int rows = layout->y.count - y < most ? layout->y.count - y : most;
        for (int r = 0; r < rows; r++) {
            void *out[3];
            for (size_t c = 0; c < 3; c++)
                out[c] = job->block + (c * TURN_ROWS + (size_t)r) * job->block_row;
            make_row(job, y + r, out);
        }
        scatter(job, y, rows);
    }
}

static void make_rows_straight(const struct job *job)
{
    for (int y = 0; y < job->prepare->layout.y.count; y++) {
        uint8_t *row = job->tensor + y * job->step_y;
        void *const out[3] = {row, row + job->step_c, row + 2 * job->step_c};
        make_row(job, y, out);
    }
}

// --- padding

// count copies of a unit, by copies of what is there already.
static void repeat(uint8_t *to, const uint8_t *unit, size_t size, size_t count)
{
    const size_t most = 4096 * size; // stays in the first cache
    size_t total = size * count, done = size;
    if (!count)
        return;
    memcpy(to, unit, size);
    while (done < total) {
        size_t part = done < most ? done : most;
        part = part < total - done ? part : total - done;
        memcpy(to + done, to, part);
        done += part;
    }
}

// The tensor's area outside the picture; its rows are units of `size` bytes.
static void pad_plane(const sc_prepare *prepare, uint8_t *plane, const uint8_t *unit,
                      size_t size)
{
    const struct sc_layout *l = &prepare->layout;
    size_t width = (size_t)prepare->params.width, height = (size_t)prepare->params.height;
    size_t left = (size_t)l->left, right = width - left - (size_t)l->w;
    size_t top = (size_t)l->top, end = top + (size_t)l->h;
    repeat(plane, unit, size, top * width);
    for (size_t y = top; y < end; y++) {
        repeat(plane + y * width * size, unit, size, left);
        repeat(plane + (y * width + width - right) * size, unit, size, right);
    }
    repeat(plane + end * width * size, unit, size, (height - end) * width);
}

static void pad(const struct job *job, uint8_t *tensor)
{
    const struct sc_prepare_params *params = &job->prepare->params;
    uint8_t unit[3 * sizeof(uint32_t)] = {0};
    for (size_t c = 0; c < 3; c++) {
        float v = (float)params->pad * job->colour.gain[c] + job->colour.bias[c];
        uint32_t bits = sc_element_bits(v, params->type);
        uint8_t *at = unit + (params->nhwc ? c * job->element : 0);
        if (job->element == 1)
            *at = (uint8_t)bits;
        else if (job->element == 2)
            memcpy(at, &(uint16_t){(uint16_t)bits}, 2);
        else
            memcpy(at, &bits, 4);
        if (!params->nhwc)
            pad_plane(job->prepare, tensor + (ptrdiff_t)c * job->step_c, unit, job->element);
    }
    if (params->nhwc)
        pad_plane(job->prepare, tensor, unit, 3 * job->element);
}

// --- running

static void set_steps(struct job *job, const sc_prepare *prepare, void *tensor)
{
    const struct sc_prepare_params *p = &prepare->params;
    job->element = sc_element_size(p->type);
    ptrdiff_t element = (ptrdiff_t)job->element;
    job->step_x = p->nhwc ? 3 * element : element;
    job->step_y = job->step_x * p->width;
    job->step_c = p->nhwc ? element : job->step_y * p->height;
    job->tensor = (uint8_t *)tensor + prepare->layout.top * job->step_y +
                  prepare->layout.left * job->step_x;
}

int sc_prepare_run(sc_prepare *prepare, const sc_frame *frame, const struct sc_view *view,
                   void *tensor, struct sc_mapping *mapping, sc_err *err)
{
    static const struct sc_view whole = {0};
    struct sc_input input;
    view = view ? view : &whole;
    int ret = sc_input_take(&input, frame->av, &prepare->memory, err);
    if (ret >= 0)
        ret = make_tables(prepare, frame->av, &input, view, err);
    if (ret < 0)
        return ret;
    struct job job = {.prepare = prepare, .input = &input};
    set_steps(&job, prepare, tensor);
    ret = make_rows(&job, prepare);
    if (ret < 0)
        return sc_fail(err, ret, "no memory for rows of a frame of %dx%d", frame->av->width,
                       frame->av->height);
    sc_colour_init(&job.colour, &input, &prepare->params);
    pad(&job, tensor);
    if (prepare->layout.turned || prepare->params.nhwc)
        make_rows_scattered(&job);
    else
        make_rows_straight(&job);
    if (mapping)
        *mapping = prepare->layout.mapping;
    return 0;
}
