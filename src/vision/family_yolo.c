// YOLOv8, YOLO11 and their like: (B,4+nc,A), boxes in tensor pixels, sigmoid scores, no objectness.
#include "base/mem.h"
#include "vision/family_internal.h"

#define BLOCK 1024 // predictions whose best scores fit the first cache

// Strides 8, 16, 32; with an extra finer or coarser level also 4 or 64.
static bool anchors_fit(const struct sc_contract *c, int64_t anchors)
{
    int w = c->prepare.width, h = c->prepare.height;
    return anchors == sc_anchors(w, h, 8, 32) || anchors == sc_anchors(w, h, 4, 32) ||
           (w % 64 == 0 && h % 64 == 0 && anchors == sc_anchors(w, h, 8, 64));
}

static bool match_shape(const struct sc_tensor_info *t, const struct sc_ultralytics *u,
                        struct sc_contract *c)
{
    int channels = sc_match_size(t->dims[1], SC_MODEL_MAX_CLASSES + 4);
    if (t->dims[1] < 0 ? !u->names : channels < 5)
        return false;
    return t->dims[2] < 0 || (!c->any_size && anchors_fit(c, t->dims[2]));
}

static bool match(const struct sc_model_facts *facts, struct sc_contract *c)
{
    struct sc_ultralytics u = {0};
    const struct sc_tensor_info *t = NULL;
    bool good = facts->session->inputs == 1 && facts->session->outputs == 1 &&
                sc_match_image(facts, "images", SC_FAMILY_SIDE, c) &&
                (t = sc_match_output(facts, "output0", 3, 0, c, &c->boxes));
    if (!good)
        return false;
    sc_ultralytics_read(facts, &u);
    good = u.detect && u.end2end != SC_YES && !u.rtdetr && match_shape(t, &u, c) &&
           sc_ultralytics_names(&u, c, t->dims[1] > 0 ? (int)t->dims[1] - 4 : 0);
    sc_ultralytics_size(&u, c);
    sc_ultralytics_release(&u);
    c->prepare.fit = SC_PREPARE_LETTERBOX;
    c->prepare.pad = 114;
    c->threshold = 0.25;
    c->iou = 0.7;
    return good;
}

static int check(struct sc_contract *c, const struct sc_tensor *outputs, int count, sc_err *err)
{
    const struct sc_tensor *t = &outputs[c->boxes];
    int64_t anchors = t->rank == 3 ? t->dims[2] : 0;
    if (!anchors_fit(c, anchors))
        anchors = sc_anchors(c->prepare.width, c->prepare.height, 8, 32);
    int ret = sc_check_shape(t, "output0", 3, count, 4 + c->classes, anchors, err);
    for (int i = 0; !ret && i < count; i++) {
        const float *picture = (const float *)t->data + (int64_t)i * t->dims[1] * anchors;
        ret = sc_check_unit(picture + 4 * anchors, (size_t)(c->classes * anchors), "a score",
                            err);
    }
    return ret;
}

// The best class of each of n predictions; rows are class by class, `step` floats apart.
static void best_scores(const float *scores, size_t step, int classes, size_t n, float *best)
{
    memset(best, 0, n * sizeof(*best));
    for (int k = 0; k < classes; k++, scores += step)
        for (size_t a = 0; a < n; a++)
            best[a] = scores[a] > best[a] ? scores[a] : best[a]; // NaN is never greater
}

static int class_of(const float *scores, size_t step, int classes, float score)
{
    for (int k = 0; k < classes; k++)
        if (scores[(size_t)k * step] == score)
            return k;
    return 0;
}

static bool read_block(const float *rows, size_t step, int classes, size_t n, float floor,
                       struct sc_candidates *out)
{
    float best[BLOCK];
    const float *scores = rows + 4 * step;
    best_scores(scores, step, classes, n, best);
    for (size_t a = 0; a < n; a++) {
        if (best[a] < floor || best[a] <= 0)
            continue;
        float x = rows[a], y = rows[step + a];
        float w = rows[2 * step + a] / 2, h = rows[3 * step + a] / 2;
        if (!sc_candidates_add(out, x - w, y - h, x + w, y + h, best[a],
                               class_of(scores + a, step, classes, best[a])))
            return false;
    }
    return true;
}

static int read(const struct sc_contract *c, const struct sc_tensor *outputs, int i,
                float floor, struct sc_candidates *out)
{
    const struct sc_tensor *t = &outputs[c->boxes];
    size_t anchors = (size_t)t->dims[2];
    const float *rows = (const float *)t->data + (size_t)i * (size_t)t->dims[1] * anchors;
    for (size_t a = 0; a < anchors; a += BLOCK) {
        size_t n = anchors - a < BLOCK ? anchors - a : BLOCK;
        if (!read_block(rows + a, anchors, c->classes, n, floor, out))
            return SC_ENOMEM;
    }
    return SC_OK;
}

const struct sc_family sc_family_yolo = {
    .name = "yolo",
    .summary = "YOLOv8, YOLO11 (Ultralytics)",
    .wants = "images(B,3,H,W) -> output0(B,4+nc,A)",
    .match = match,
    .check = check,
    .read = read,
};
