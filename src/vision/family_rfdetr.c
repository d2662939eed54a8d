// RF-DETR: normalised boxes and logits by name, the best pairs of query and class, no suppression.
#include <jansson.h>
#include <math.h>

#include "base/mem.h"
#include "base/str.h"
#include "vision/family_internal.h"
#include "vision/labels.h"

#define COCO_SLOTS  91 // category numbers 0..90, the last one a class
#define MAX_QUERIES 10000

static const float means[] = {0.485f, 0.456f, 0.406f}, deviations[] = {0.229f, 0.224f, 0.225f};

static bool read_three(const json_t *array, float *out)
{
    if (json_array_size(array) != 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_number(value) || !isfinite(json_number_value(value)))
            return false;
        out[i] = (float)json_number_value(value);
    }
    return true;
}

static bool is_text(const json_t *value, const char *text)
{
    return !value || (json_is_string(value) && !strcmp(json_string_value(value), text));
}

// The names say which slots are classes: whether the last one is.
static bool read_names(const json_t *root, int slots, struct sc_contract *c)
{
    const json_t *map = json_object_get(root, "class_id_to_name");
    const json_t *list = json_object_get(root, "class_names");
    // A list that is shorter than the slots by more than 'no object' names no slots.
    const json_t *names = json_object_size(map)                        ? map
                          : json_array_size(list) + 1 >= (size_t)slots ? list
                                                                       : NULL;
    int named = 0;
    if (!names)
        return true;
    c->labels_text = sc_labels_from_json(names, &named);
    c->unreadable = !c->labels_text;
    if (!c->labels_text)
        return true;
    c->drop_last = named < slots;
    c->last_unsure = false;
    c->classes = slots - c->drop_last;
    // Numbers at the end that the map leaves out.
    sc_str text = {0};
    sc_str_add(&text, c->labels_text);
    for (; named < c->classes; named++)
        sc_str_addf(&text, "%d\n", named);
    free(c->labels_text);
    c->labels_text = sc_str_detach(&text);
    return named == c->classes;
}

// What the exporter says about its model wins. False where it says what this family cannot be.
static bool read_metadata(const char *text, int slots, struct sc_contract *c)
{
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *select = json_object_get(root, "num_select");
    const json_t *batch = json_object_get(root, "max_batch_size");
    const json_t *mean = json_object_get(root, "means"), *std = json_object_get(root, "stds");
    const json_t *task = json_object_get(root, "task");
    bool good = json_is_object(root) && (!task || json_is_string(task)) &&
                (!task || strcmp(json_string_value(task), "backbone")) &&
                is_text(json_object_get(root, "box_format"), "cxcywh_normalized") &&
                is_text(json_object_get(root, "channel_order"), "RGB") &&
                (!mean || read_three(mean, c->prepare.mean)) &&
                (!std || (read_three(std, c->prepare.std) && c->prepare.std[0] > 0 &&
                          c->prepare.std[1] > 0 && c->prepare.std[2] > 0)) &&
                read_names(root, slots, c);
    if (json_integer_value(select) > 0 && json_integer_value(select) <= MAX_QUERIES)
        c->most = (int)json_integer_value(select);
    if (json_integer_value(batch) > 0)
        c->batch_most = sc_match_size(json_integer_value(batch), 1024);
    json_decref(root);
    return good;
}

static bool match(const struct sc_model_facts *facts, struct sc_contract *c)
{
    if (facts->session->inputs != 1 || !sc_match_image(facts, "input", 1, c) || c->any_size)
        return false;
    const struct sc_tensor_info *dets = sc_match_output(facts, "dets", 3, 0, c, &c->boxes);
    const struct sc_tensor_info *labels = sc_match_output(facts, "labels", 3, 0, c, &c->scores);
    int slots = labels ? sc_match_size(labels->dims[2], SC_MODEL_MAX_CLASSES + 1) : 0;
    if (!dets || dets->dims[2] != 4 || slots < 2 ||
        (dets->dims[1] > 0 && labels->dims[1] > 0 && dets->dims[1] != labels->dims[1]))
        return false;
    memcpy(c->prepare.mean, means, sizeof(means));
    memcpy(c->prepare.std, deviations, sizeof(deviations));
    c->prepare.fit = SC_PREPARE_STRETCH;
    c->threshold = 0.5;
    c->drop_last = slots != COCO_SLOTS;
    c->last_unsure = slots == COCO_SLOTS;
    c->classes = slots - c->drop_last;
    const char *text = facts->metadata(facts->arg, "rfdetr_inference");
    return (!text || read_metadata(text, slots, c)) && c->classes <= SC_MODEL_MAX_CLASSES;
}

static int check(struct sc_contract *c, const struct sc_tensor *outputs, int count, sc_err *err)
{
    const struct sc_tensor *dets = &outputs[c->boxes], *labels = &outputs[c->scores];
    int ret = sc_check_shape(dets, "dets", 3, count, -1, 4, err);
    if (!ret)
        ret = sc_check_shape(labels, "labels", 3, count, dets->dims[1],
                             c->classes + c->drop_last, err);
    if (!ret && dets->dims[1] > MAX_QUERIES)
        ret = sc_fail(err, SC_EDATA, "the model gives more than %d boxes", MAX_QUERIES);
    return ret ? ret : sc_check_normalised(dets->data, (size_t)(count * dets->dims[1]), 4, err);
}

// The best pairs of query and class; in equal ones the lower place wins, as they come.
static int read(const struct sc_contract *c, const struct sc_tensor *outputs, int i,
                float floor, struct sc_candidates *out)
{
    size_t queries = (size_t)outputs[c->boxes].dims[1];
    size_t slots = (size_t)outputs[c->scores].dims[2];
    const float *boxes = (const float *)outputs[c->boxes].data + (size_t)i * queries * 4;
    const float *logits = (const float *)outputs[c->scores].data + (size_t)i * queries * slots;
    float least = floor > 0 ? logf(floor / (1 - floor)) - 1e-4f : -INFINITY;
    for (size_t q = 0; q < queries; q++, boxes += 4, logits += slots)
        for (int k = 0; k < c->classes; k++) {
            if (!(logits[k] >= least))
                continue;
            float score = 1 / (1 + expf(-logits[k]));
            float w = boxes[2] / 2, h = boxes[3] / 2;
            float sx = (float)c->prepare.width, sy = (float)c->prepare.height;
            if (score >= floor &&
                !sc_candidates_add(out, (boxes[0] - w) * sx, (boxes[1] - h) * sy,
                                   (boxes[0] + w) * sx, (boxes[1] + h) * sy, score, k))
                return SC_ENOMEM;
        }
    return SC_OK;
}

const struct sc_family sc_family_rfdetr = {
    .name = "rf-detr",
    .summary = "RF-DETR",
    .wants = "input(B,3,H,W) -> dets(B,Q,4), labels(B,Q,C)",
    .match = match,
    .check = check,
    .read = read,
};
