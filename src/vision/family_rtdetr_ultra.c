// RT-DETR as Ultralytics exports it: (B,300,4+nc), normalised boxes, sigmoid scores, final.
#include "base/mem.h"
#include "vision/family_internal.h"

#define QUERIES 300

// Six columns are final YOLO boxes unless the description says otherwise, and as many columns as
// there are anchors are raw YOLO boxes of 296 classes.
static bool match_shape(const struct sc_tensor_info *t, const struct sc_ultralytics *u,
                        const struct sc_contract *c)
{
    int w = c->prepare.width, h = c->prepare.height;
    if (u->rtdetr)
        return (t->dims[1] == QUERIES || t->dims[1] < 0) &&
               (sc_match_size(t->dims[2], SC_MODEL_MAX_CLASSES + 4) >= 5 ||
                (t->dims[2] < 0 && u->names));
    return t->dims[1] == QUERIES && sc_match_size(t->dims[2], SC_MODEL_MAX_CLASSES + 4) >= 5 &&
           t->dims[2] != 6 && u->end2end != SC_YES &&
           (c->any_size ||
            (t->dims[2] != sc_anchors(w, h, 8, 32) && t->dims[2] != sc_anchors(w, h, 4, 32) &&
             t->dims[2] != sc_anchors(w, h, 8, 64)));
}

static bool match(const struct sc_model_facts *facts, struct sc_contract *c)
{
    struct sc_ultralytics u = {0};
    const struct sc_tensor_info *t = NULL;
    if (facts->session->inputs != 1 || facts->session->outputs != 1 ||
        !sc_match_image(facts, "images", SC_FAMILY_SIDE, c) ||
        !(t = sc_match_output(facts, "output0", 3, 0, c, &c->boxes)))
        return false;
    sc_ultralytics_read(facts, &u);
    bool good = u.detect && match_shape(t, &u, c) &&
                sc_ultralytics_names(&u, c, t->dims[2] > 0 ? (int)t->dims[2] - 4 : 0);
    sc_ultralytics_size(&u, c);
    sc_ultralytics_release(&u);
    c->prepare.fit = SC_PREPARE_STRETCH;
    c->threshold = 0.25;
    c->most = QUERIES;
    return good;
}

static int check(struct sc_contract *c, const struct sc_tensor *outputs, int count, sc_err *err)
{
    const struct sc_tensor *t = &outputs[c->boxes];
    size_t columns = 4 + (size_t)c->classes, rows = (size_t)count * QUERIES;
    int ret = sc_check_shape(t, "output0", 3, count, QUERIES, (int64_t)columns, err);
    const float *row = t->data;
    for (size_t i = 0; !ret && i < rows; i++)
        ret = sc_check_unit(row + i * columns + 4, (size_t)c->classes, "a score", err);
    return ret ? ret : sc_check_normalised(row, rows, columns, err);
}

static int read(const struct sc_contract *c, const struct sc_tensor *outputs, int i,
                float floor, struct sc_candidates *out)
{
    size_t columns = 4 + (size_t)c->classes;
    const float *row = (const float *)outputs[c->boxes].data + (size_t)i * QUERIES * columns;
    float sx = (float)c->prepare.width, sy = (float)c->prepare.height;
    for (int q = 0; q < QUERIES; q++, row += columns) {
        int class = sc_best(row + 4, c->classes);
        float score = row[4 + class], w = row[2] / 2, h = row[3] / 2;
        if (score >= floor &&
            !sc_candidates_add(out, (row[0] - w) * sx, (row[1] - h) * sy, (row[0] + w) * sx,
                               (row[1] + h) * sy, score, class))
            return SC_ENOMEM;
    }
    return SC_OK;
}

const struct sc_family sc_family_rtdetr_ultra = {
    .name = "rt-detr-ultralytics",
    .summary = "RT-DETR (Ultralytics)",
    .wants = "images(B,3,H,W) -> output0(B,300,4+nc)",
    .match = match,
    .check = check,
    .read = read,
};
