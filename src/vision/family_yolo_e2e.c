// YOLO whose boxes are final (v10, 26, or exported with nms=True): (B,N,6) rows of corners in tensor
// pixels, score, class.
#include "base/mem.h"
#include "vision/family_internal.h"

#define MAX_BOXES 1000

// Metadata decides where there is any; else six columns and no more rows than final boxes can be.
static bool match_shape(const struct sc_tensor_info *t, const struct sc_ultralytics *u)
{
    bool told = u->end2end == SC_YES;
    bool columns = t->dims[2] == 6 || (t->dims[2] < 0 && told);
    bool rows = sc_match_size(t->dims[1], MAX_BOXES) || told; // check() says more of too many
    return columns && rows && u->end2end != SC_NO && !u->rtdetr;
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
    bool good = u.detect && match_shape(t, &u) && sc_ultralytics_names(&u, c, 0);
    sc_ultralytics_size(&u, c);
    sc_ultralytics_release(&u);
    c->prepare.fit = SC_PREPARE_LETTERBOX;
    c->prepare.pad = 114;
    c->threshold = 0.25;
    c->most = sc_match_size(t->dims[1], MAX_BOXES);
    if (!c->most)
        c->most = 300;
    return good;
}

// Exports with nms=True and open sizes are known to give all raw boxes, or the first picture only.
static int check(struct sc_contract *c, const struct sc_tensor *outputs, int count, sc_err *err)
{
    const struct sc_tensor *t = &outputs[c->boxes];
    int ret = sc_check_shape(t, "output0", 3, count, -1, 6, err);
    if (!ret && t->dims[1] > MAX_BOXES)
        ret =
            sc_fail(err, SC_EDATA,
                    "the model's first run gave %lld rows, which are no final boxes: export it "
                    "with fixed sizes, or without nms",
                    (long long)t->dims[1]);
    const float *row = t->data;
    for (int64_t i = 0; !ret && i < count * t->dims[1]; i++, row += 6) {
        ret = sc_check_unit(row + 4, 1, "a score", err);
        if (!ret && row[4] > 0)
            ret = sc_check_class(c, (double)row[5], err);
    }
    return ret;
}

static int read(const struct sc_contract *c, const struct sc_tensor *outputs, int i,
                float floor, struct sc_candidates *out)
{
    const struct sc_tensor *t = &outputs[c->boxes];
    const float *row = (const float *)t->data + (int64_t)i * t->dims[1] * 6;
    for (int64_t k = 0; k < t->dims[1]; k++, row += 6) {
        if (!(row[4] >= floor))
            continue;
        if (sc_check_class(c, (double)row[5], NULL))
            return SC_EDATA;
        if (!sc_candidates_add(out, row[0], row[1], row[2], row[3], row[4], (int)row[5]))
            return SC_ENOMEM;
    }
    return SC_OK;
}

const struct sc_family sc_family_yolo_e2e = {
    .name = "yolo-e2e",
    .summary = "YOLO with final boxes (v10, 26, nms=True)",
    .wants = "images(B,3,H,W) -> output0(B,N<=1000,6)",
    .match = match,
    .check = check,
    .read = read,
};
