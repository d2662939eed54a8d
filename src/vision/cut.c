#include "vision/cut.h"

#include <math.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "media/planes.h"

#define COLS    48 // of the grid
#define ROWS    27
#define TAPS    4 // samples a cell on each axis
#define BINS    32
#define PAST    8 // changes that a new one is compared with
#define LOOKS   4 // kept: this one and three before

#define SHIFT_X 8 // cells that the whole picture may have moved
#define SHIFT_Y 4

// Found by trial on clips and made-up pictures; differences are of 0..1.
#define MIN_MOVED 0.04 // mean difference of the cells
#define MIN_SUM   0.10 // that, and the share of the samples in other bins
#define TIMES     5.0  // the sum against the mean of the past
#define STAYS     0.5  // of the difference that no shift of the picture explains
#define RETURN    0.4  // as like an earlier picture as this, of the change: the end of a flash

struct look {
    float cell[ROWS * COLS]; // mean luma, 0..1
    float bin[BINS];         // share of the samples
    int width, height;
};

struct change {
    double moved, tint;
};

struct sc_cut {
    struct look looks[LOOKS]; // a ring by picture number
    double past[PAST];        // changes, a ring
    int64_t count;            // pictures of this scene
    int64_t changes;          // among them
};

sc_cut *sc_cut_open(void)
{
    return sc_new(sc_cut);
}

void sc_cut_close(sc_cut **pcut)
{
    if (pcut) {
        free(*pcut);
        *pcut = NULL;
    }
}

// The samples of luma, or of green, which is most of it.
struct samples {
    const uint8_t *data;
    ptrdiff_t row;
    int step, shift, depth;
};

static double sample(const struct samples *from, int x, int y)
{
    const uint8_t *at = from->data + y * from->row + (ptrdiff_t)x * from->step;
    if (from->depth == 8)
        return *at * (1 / 255.0);
    uint16_t word;
    memcpy(&word, at, sizeof(word));
    unsigned top = (1U << from->depth) - 1;
    return (double)(word >> from->shift & top) / top;
}

static void take_cell(struct look *look, const struct samples *from, int column, int row)
{
    double sum = 0;
    for (int i = 0; i < TAPS * TAPS; i++) {
        int x = (column * TAPS + i % TAPS) * look->width / (COLS * TAPS);
        int y = (row * TAPS + i / TAPS) * look->height / (ROWS * TAPS);
        double v = sample(from, x, y);
        look->bin[(int)(v * (BINS - 1) + 0.5)] += 1.0F / (COLS * TAPS * ROWS * TAPS);
        sum += v;
    }
    look->cell[row * COLS + column] = (float)(sum / (TAPS * TAPS));
}

static void take_look(struct look *look, const AVFrame *av, enum sc_family family)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av->format);
    const AVComponentDescriptor *comp = &desc->comp[family == SC_FAMILY_RGB ? 1 : 0];
    const struct samples from = {av->data[comp->plane] + comp->offset,
                                 av->linesize[comp->plane], comp->step, comp->shift,
                                 comp->depth};
    *look = (struct look){.width = av->width, .height = av->height};
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < COLS; column++)
            take_cell(look, &from, column, row);
}

static struct change compare(const struct look *a, const struct look *b)
{
    struct change change = {0};
    for (int i = 0; i < ROWS * COLS; i++)
        change.moved += fabs((double)a->cell[i] - b->cell[i]) / (ROWS * COLS);
    for (int i = 0; i < BINS; i++)
        change.tint += fabs((double)a->bin[i] - b->bin[i]) / 2;
    return change;
}

static double shifted(const struct look *a, const struct look *b, int dx, int dy)
{
    int left = dx > 0 ? dx : 0, right = dx < 0 ? COLS + dx : COLS;
    int top = dy > 0 ? dy : 0, bottom = dy < 0 ? ROWS + dy : ROWS;
    double sum = 0;
    for (int row = top; row < bottom; row++)
        for (int column = left; column < right; column++)
            sum +=
                fabsf(a->cell[row * COLS + column] - b->cell[(row - dy) * COLS + column - dx]);
    return sum / ((right - left) * (bottom - top));
}

// The least difference that a shift of the whole picture leaves: a jerk of the camera is no cut.
static double least_moved(const struct look *a, const struct look *b)
{
    double least = INFINITY;
    for (int dy = -SHIFT_Y; dy <= SHIFT_Y; dy++)
        for (int dx = -SHIFT_X; dx <= SHIFT_X; dx++)
            least = fmin(least, shifted(a, b, dx, dy));
    return least;
}

static const struct look *before(const sc_cut *cut, int64_t pictures)
{
    return &cut->looks[(cut->count - pictures) % LOOKS];
}

// Whether the picture is one of those before a flash again.
static bool returns(const sc_cut *cut, double change)
{
    for (int64_t i = 2; i < LOOKS && i <= cut->count; i++) {
        struct change older = compare(before(cut, 0), before(cut, i));
        if (older.moved + older.tint < RETURN * change)
            return true;
    }
    return false;
}

static bool decide(sc_cut *cut)
{
    struct change change = compare(before(cut, 0), before(cut, 1));
    double sum = change.moved + change.tint, past = 0;
    int known = cut->changes < PAST ? (int)cut->changes : PAST;
    for (int i = 0; i < known; i++)
        past += cut->past[i] / known;
    if (change.moved >= MIN_MOVED && sum >= MIN_SUM && sum > TIMES * past &&
        least_moved(before(cut, 0), before(cut, 1)) >= STAYS * change.moved)
        return !returns(cut, sum);
    cut->past[cut->changes++ % PAST] = sum;
    return false;
}

int sc_cut_put(sc_cut *cut, const AVFrame *av, bool *is_cut, sc_err *err)
{
    struct sc_source source;
    *is_cut = false;
    int ret = sc_source_describe(&source, av, err);
    if (ret < 0)
        return ret;
    if (!sc_source_strided(&source))
        return sc_fail(err, SC_EUNSUPPORTED, "cuts cannot be found in pixel format %s",
                       av_get_pix_fmt_name(av->format));
    if (cut->count &&
        (before(cut, 1)->width != av->width || before(cut, 1)->height != av->height)) {
        *cut = (sc_cut){0};
        *is_cut = true;
    }
    take_look(&cut->looks[cut->count % LOOKS], av, source.img.family);
    if (cut->count)
        *is_cut = decide(cut);
    cut->count++;
    return 0;
}
