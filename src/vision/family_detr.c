// RT-DETR and D-FINE as their authors export them: the graph ends in final boxes, in the pixels that
// orig_target_sizes names. It is given the tensor's own size, so boxes are mapped as everyone's.
#include "base/mem.h"
#include "vision/family_internal.h"

#define MAX_BOXES 10000

static bool match_sizes(const struct sc_session_info *info, struct sc_contract *c)
{
    for (int i = 0; i < info->inputs; i++) {
        const struct sc_tensor_info *t = &info->input[i];
        if (strcmp(t->name, "orig_target_sizes") != 0)
            continue;
        c->sizes = i;
        if (!c->batch && t->dims[0] > 0)
            c->batch = sc_match_size(t->dims[0], 1024);
        return t->type == SC_INT64 && t->rank == 2 && t->dims[1] == 2 &&
               (t->dims[0] < 0 || t->dims[0] == c->batch);
    }
    return false;
}

static bool agree(int64_t a, int64_t b)
{
    return a < 0 || b < 0 || a == b;
}

static bool match(const struct sc_model_facts *facts, struct sc_contract *c)
{
    if (facts->session->inputs != 2 || !sc_match_image(facts, "images", 1, c) || c->any_size ||
        !match_sizes(facts->session, c))
        return false;
    const struct sc_tensor_info *labels =
        sc_match_output(facts, "labels", 2, SC_INT64, c, &c->labels);
    const struct sc_tensor_info *boxes = sc_match_output(facts, "boxes", 3, 0, c, &c->boxes);
    const struct sc_tensor_info *scores = sc_match_output(facts, "scores", 2, 0, c, &c->scores);
    c->prepare.fit = SC_PREPARE_STRETCH;
    c->prepare.antialias = true; // trained and shown with PIL's resizing
    c->threshold = 0.5;
    return labels && boxes && scores && agree(boxes->dims[2], 4) &&
           agree(labels->dims[1], boxes->dims[1]) && agree(scores->dims[1], boxes->dims[1]);
}

static int check(struct sc_contract *c, const struct sc_tensor *outputs, int count, sc_err *err)
{
    const struct sc_tensor *boxes = &outputs[c->boxes], *scores = &outputs[c->scores];
    const struct sc_tensor *labels = &outputs[c->labels];
    int ret = sc_check_shape(boxes, "boxes", 3, count, -1, 4, err);
    int64_t n = ret ? 0 : boxes->dims[1];
    if (!ret)
        ret = sc_check_shape(labels, "labels", 2, count, n, 0, err);
    if (!ret)
        ret = sc_check_shape(scores, "scores", 2, count, n, 0, err);
    if (!ret && n > MAX_BOXES)
        ret = sc_fail(err, SC_EDATA, "the model gives more than %d boxes", MAX_BOXES);
    if (!ret)
        ret = sc_check_unit(scores->data, (size_t)(count * n), "a score", err);
    for (int64_t i = 0; !ret && i < count * n; i++)
        ret = sc_check_class(c, (double)((const int64_t *)labels->data)[i], err);
    return ret;
}

static int read(const struct sc_contract *c, const struct sc_tensor *outputs, int i,
                float floor, struct sc_candidates *out)
{
    int64_t n = outputs[c->boxes].dims[1];
    const float *box = (const float *)outputs[c->boxes].data + i * n * 4;
    const float *scores = (const float *)outputs[c->scores].data + i * n;
    const int64_t *labels = (const int64_t *)outputs[c->labels].data + i * n;
    for (int64_t k = 0; k < n; k++, box += 4) {
        if (!(scores[k] >= floor))
            continue;
        if (sc_check_class(c, (double)labels[k], NULL))
            return SC_EDATA;
        if (!sc_candidates_add(out, box[0], box[1], box[2], box[3], scores[k], (int)labels[k]))
            return SC_ENOMEM;
    }
    return SC_OK;
}

const struct sc_family sc_family_detr = {
    .name = "rt-detr",
    .summary = "RT-DETR, D-FINE (official export)",
    .wants = "images(N,3,H,W), orig_target_sizes(N,2) -> labels(N,Q), boxes(N,Q,4), "
             "scores(N,Q)",
    .match = match,
    .check = check,
    .read = read,
};
