// YOLOX: (B,A,5+nc), a row a prediction, strides 8, 16, 32 row by row; objectness times class.
#include <math.h>

#include "base/mem.h"
#include "vision/family_internal.h"
#include "vision/labels.h"

// Others' exports have none; names that do not fit the classes are no names.
static void read_names(const struct sc_model_facts *facts, struct sc_contract *c)
{
    const char *names = facts->metadata(facts->arg, "names");
    int count = 0;
    char *text = names ? sc_labels_from_python(names, &count) : NULL;
    c->unreadable = names && !text;
    if (count == c->classes)
        c->labels_text = text;
    else
        free(text);
}

static bool match(const struct sc_model_facts *facts, struct sc_contract *c)
{
    const struct sc_tensor_info *t = NULL;
    if (facts->session->inputs != 1 || facts->session->outputs != 1 ||
        !sc_match_image(facts, "images", SC_FAMILY_SIDE, c) ||
        !(t = sc_match_output(facts, "output", 3, 0, c, &c->boxes)))
        return false;
    int columns = sc_match_size(t->dims[2], SC_MODEL_MAX_CLASSES + 5);
    int64_t anchors = sc_anchors(c->prepare.width, c->prepare.height, 8, 32);
    c->classes = columns - 5;
    c->prepare.fit = SC_PREPARE_LETTERBOX_TOP_LEFT;
    c->prepare.pad = 114;
    c->prepare.bgr = true;
    c->prepare.scale = 1;
    c->threshold = 0.3;
    c->iou = 0.45;
    if (columns < 6 || (t->dims[1] >= 0 && !c->any_size && t->dims[1] != anchors))
        return false;
    read_names(facts, c);
    return true;
}

// A place on the grid; rows follow each other as next_cell() goes.
struct cell {
    int x, y, stride;
};

static void next_cell(struct cell *cell, int width, int height)
{
    if (++cell->x < width / cell->stride)
        return;
    cell->x = 0;
    if (++cell->y < height / cell->stride)
        return;
    cell->y = 0;
    cell->stride *= 2;
}

// How far centres lie from the middle of their cells, in cells, taken as offsets and as pixels.
static int check_grid(struct sc_contract *c, const struct sc_tensor *t, sc_err *err)
{
    double offsets = 0, pixels = 0;
    const float *row = t->data;
    struct cell cell = {.stride = 8};
    for (int64_t a = 0; a < t->dims[1]; a++, row += t->dims[2]) {
        double s = cell.stride;
        offsets += fabs(row[0] - 0.5) + fabs(row[1] - 0.5);
        pixels += fabs(row[0] / s - cell.x - 0.5) + fabs(row[1] / s - cell.y - 0.5);
        next_cell(&cell, c->prepare.width, c->prepare.height);
    }
    offsets /= 2.0 * (double)t->dims[1];
    pixels /= 2.0 * (double)t->dims[1];
    // As a rule one is below 1 and the other a quarter of the grid or more.
    c->decoded = pixels < offsets;
    double near = c->decoded ? pixels : offsets, far = c->decoded ? offsets : pixels;
    if (near < 4 && near * 2 < far)
        return SC_OK;
    return sc_fail(err, SC_EDATA,
                   "the model's first run gave boxes that are neither YOLOX's offsets from its "
                   "grid (%.1f cells away) nor pixels (%.1f cells away)",
                   offsets, pixels);
}

static int check(struct sc_contract *c, const struct sc_tensor *outputs, int count, sc_err *err)
{
    const struct sc_tensor *t = &outputs[c->boxes];
    int64_t anchors = sc_anchors(c->prepare.width, c->prepare.height, 8, 32);
    int ret = sc_check_shape(t, "output", 3, count, anchors, 5 + c->classes, err);
    const float *row = t->data;
    for (int64_t i = 0; !ret && i < count * anchors; i++, row += t->dims[2])
        ret = sc_check_unit(row + 4, (size_t)c->classes + 1, "a score", err);
    return ret ? ret : check_grid(c, t, err);
}

static bool add_row(const struct sc_contract *c, const float *row, const struct cell *cell,
                    float floor, struct sc_candidates *out)
{
    int class = sc_best(row + 5, c->classes);
    float score = row[4] * row[5 + class];
    if (!(score >= floor))
        return true;
    float x = row[0], y = row[1], w = row[2], h = row[3];
    if (!c->decoded) {
        float s = (float)cell->stride;
        x = (x + (float)cell->x) * s;
        y = (y + (float)cell->y) * s;
        w = expf(w) * s;
        h = expf(h) * s;
    }
    return sc_candidates_add(out, x - w / 2, y - h / 2, x + w / 2, y + h / 2, score, class);
}

// A score is at most its objectness, so most rows end at the first look.
static int read(const struct sc_contract *c, const struct sc_tensor *outputs, int i,
                float floor, struct sc_candidates *out)
{
    const struct sc_tensor *t = &outputs[c->boxes];
    const float *row = (const float *)t->data + (int64_t)i * t->dims[1] * t->dims[2];
    struct cell cell = {.stride = 8};
    for (int64_t a = 0; a < t->dims[1]; a++, row += t->dims[2]) {
        if (row[4] >= floor && !add_row(c, row, &cell, floor, out))
            return SC_ENOMEM;
        next_cell(&cell, c->prepare.width, c->prepare.height);
    }
    return SC_OK;
}

const struct sc_family sc_family_yolox = {
    .name = "yolox",
    .summary = "YOLOX",
    .wants = "images(B,3,H,W) -> output(B,A,5+nc)",
    .match = match,
    .check = check,
    .read = read,
};
