// Runs of a model: pictures in, detections out.
#include "vision/model_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "vision/half.h"

#define ALIGNMENT  64
#define MOST_BYTES (INT64_C(4) << 30) // of one run's pictures

static void *aligned(size_t size)
{
    void *data = NULL;
    if (posix_memalign(&data, ALIGNMENT, size))
        return NULL;
    memset(data, 0, size);
    return data;
}

int sc_model_lane_open(const sc_model *model, struct sc_model_lane *lane, sc_err *err)
{
    const struct sc_contract *c = &model->contract;
    lane->candidates.most = c->iou > 0 ? SC_CANDIDATES_MOST : c->most;
    return sc_prepare_open(&lane->prepare, &c->prepare, err);
}

void sc_model_lane_close(struct sc_model_lane *lane)
{
    sc_session_close(&lane->session);
    sc_prepare_close(&lane->prepare);
    sc_candidates_release(&lane->candidates);
    for (int i = 0; i < SC_SESSION_MAX_TENSORS; i++)
        free(lane->widened[i]);
    free(lane->images);
    free(lane->one);
    free(lane->sizes);
    free(lane->mappings);
}

int sc_model_reserve(const sc_model *model, struct sc_model_lane *lane, int count, sc_err *err)
{
    if (count <= lane->room)
        return SC_OK;
    int64_t bytes;
    if (__builtin_mul_overflow((int64_t)model->picture, (int64_t)count, &bytes) ||
        bytes > MOST_BYTES)
        return sc_fail(err, SC_ELIMIT, "a run of %d pictures of %zu bytes is too large", count,
                       model->picture);
    bool apart = model->picture % ALIGNMENT; // pictures behind the first are not aligned
    unsigned char *images = aligned((size_t)bytes);
    int64_t *sizes = sc_try_calloc((size_t)count, 2 * sizeof(*sizes));
    struct sc_mapping *mappings = sc_try_calloc((size_t)count, sizeof(*mappings));
    if (apart && !lane->one)
        lane->one = aligned(model->picture);
    if (!images || !sizes || !mappings || (apart && !lane->one)) {
        free(images);
        free(sizes);
        free(mappings);
        return sc_fail(err, SC_ENOMEM, "no memory for a run of %d pictures", count);
    }
    for (int i = 0; i < count; i++) {
        sizes[2 * i] = model->contract.prepare.width;
        sizes[2 * i + 1] = model->contract.prepare.height;
    }
    free(lane->images);
    free(lane->sizes);
    free(lane->mappings);
    lane->images = images;
    lane->sizes = sizes;
    lane->mappings = mappings;
    lane->room = count;
    return SC_OK;
}

int sc_model_place(const sc_model *model, struct sc_model_lane *lane, const sc_frame *frame,
                   const struct sc_view *view, int i, sc_err *err)
{
    unsigned char *place = lane->images + (size_t)i * model->picture;
    unsigned char *target = lane->one ? lane->one : place;
    int ret = sc_prepare_run(lane->prepare, frame, view, target, &lane->mappings[i], err);
    if (!ret && target != place)
        memcpy(place, target, model->picture);
    return ret;
}

static void fill_inputs(const sc_model *model, const struct sc_model_lane *lane, int count,
                        struct sc_tensor *inputs)
{
    const struct sc_contract *c = &model->contract;
    inputs[c->image] = (struct sc_tensor){
        .type = c->prepare.type,
        .rank = 4,
        .dims = {count, 3, c->prepare.height, c->prepare.width},
        .data = lane->images,
        .size = model->picture * (size_t)count,
    };
    if (c->sizes >= 0)
        inputs[c->sizes] = (struct sc_tensor){
            .type = SC_INT64,
            .rank = 2,
            .dims = {count, 2},
            .data = lane->sizes,
            .size = (size_t)count * 2 * sizeof(*lane->sizes),
        };
}

// Elements, -1 where sizes and bytes do not agree.
static int64_t elements(const struct sc_tensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] < 0 || __builtin_mul_overflow(count, t->dims[i], &count))
            return -1;
    size_t bytes;
    if (__builtin_mul_overflow((size_t)count, sc_element_size(t->type), &bytes))
        return -1;
    return bytes && bytes == t->size ? count : -1;
}

static int widen(struct sc_model_lane *lane, int number, struct sc_tensor *t, size_t count,
                 sc_err *err)
{
    if (count > lane->widened_room[number]) {
        float *wide = sc_try_realloc(lane->widened[number], count, sizeof(*wide));
        if (!wide)
            return sc_fail(err, SC_ENOMEM, "no memory for the model's output");
        lane->widened[number] = wide;
        lane->widened_room[number] = count;
    }
    sc_half_widen(lane->widened[number], t->data, count);
    t->type = SC_FLOAT32;
    t->data = lane->widened[number];
    t->size = count * sizeof(float);
    return SC_OK;
}

// Families read by the sizes that check() has seen: another size would be read beyond its end.
static bool same_shape(const struct sc_tensor *t, const struct sc_tensor *seen, int count)
{
    if (t->rank != seen->rank || t->rank < 1 || t->dims[0] != count)
        return false;
    for (int i = 1; i < t->rank; i++)
        if (t->dims[i] != seen->dims[i])
            return false;
    return true;
}

static int settle_output(const sc_model *model, struct sc_model_lane *lane, int number,
                         enum sc_element type, int count, struct sc_tensor *outputs,
                         sc_err *err)
{
    if (number < 0)
        return SC_OK;
    struct sc_tensor *t = &outputs[number];
    const char *name = model->info.session->output[number].name;
    int64_t n = elements(t);
    if (n <= 0)
        return sc_fail(err, SC_EDATA, "the model's output %s holds nothing", name);
    if (t->type == SC_FLOAT16 && type == SC_FLOAT32) {
        int ret = widen(lane, number, t, (size_t)n, err);
        if (ret < 0)
            return ret;
    }
    if (t->type != type)
        return sc_fail(err, SC_EDATA, "the model's output %s is of another type than declared",
                       name);
    if (model->checked && !same_shape(t, &model->shape[number], count))
        return sc_fail(err, SC_EDATA,
                       "the model's output %s has another size than in its first run", name);
    return SC_OK;
}

int sc_model_run(const sc_model *model, struct sc_model_lane *lane, int count,
                 struct sc_tensor *outputs, sc_err *err)
{
    const struct sc_contract *c = &model->contract;
    struct sc_tensor inputs[SC_SESSION_MAX_TENSORS] = {0};
    fill_inputs(model, lane, count, inputs);
    int ret = sc_session_run(lane->session, inputs, outputs, err);
    if (!ret)
        ret = settle_output(model, lane, c->boxes, SC_FLOAT32, count, outputs, err);
    if (!ret)
        ret = settle_output(model, lane, c->scores, SC_FLOAT32, count, outputs, err);
    if (!ret)
        ret = settle_output(model, lane, c->labels, SC_INT64, count, outputs, err);
    return ret;
}

static int read_one(const sc_model *model, struct sc_model_lane *lane,
                    const struct sc_tensor *outputs, int i, sc_detections **out, sc_err *err)
{
    const struct sc_contract *c = &model->contract;
    int ret = c->family->read(c, outputs, i, (float)SC_MODEL_FLOOR, &lane->candidates);
    if (ret == SC_EDATA)
        return sc_fail(err, ret,
                       "the model gave a class beyond its %d labels: give it as many labels as "
                       "it has classes",
                       c->classes);
    if (!ret && !(*out = sc_candidates_finish(&lane->candidates, c, &lane->mappings[i])))
        ret = SC_ENOMEM;
    return ret < 0 ? sc_fail(err, ret, "no memory for the detections") : SC_OK;
}

static int read_all(const sc_model *model, struct sc_model_lane *lane,
                    const struct sc_tensor *outputs, int count, sc_detections **out,
                    sc_err *err)
{
    int ret = SC_OK;
    for (int i = 0; !ret && i < count; i++)
        ret = read_one(model, lane, outputs, i, &out[i], err);
    for (int i = 0; ret < 0 && i < count; i++)
        sc_detections_unref(&out[i]);
    // What a failed picture left behind must not show in the next one.
    lane->candidates.count = 0;
    lane->candidates.seen = 0;
    lane->candidates.floor = 0;
    return ret;
}

int sc_model_detect_batch(const sc_model *model, struct sc_model_lane *lane,
                          const sc_frame *const *frames, const struct sc_view *views, int count,
                          sc_detections **out, sc_err *err)
{
    static const struct sc_view whole = {0};
    struct sc_tensor outputs[SC_SESSION_MAX_TENSORS] = {0};
    int n = model->contract.batch ? model->contract.batch : count;
    int64_t start = sc_clock_now();
    int ret = sc_model_reserve(model, lane, n, err);
    for (int i = 0; !ret && i < count; i++)
        ret = sc_model_place(model, lane, frames[i], views ? &views[i] : &whole, i, err);
    int64_t prepared = sc_clock_now();
    if (!ret)
        ret = sc_model_run(model, lane, n, outputs, err);
    int64_t ran = sc_clock_now();
    if (!ret)
        ret = read_all(model, lane, outputs, count, out, err);
    int64_t done = sc_clock_now();
    for (int i = 0; !ret && i < count; i++) {
        out[i]->batch = count;
        out[i]->prepare_ns = prepared - start;
        out[i]->run_ns = ran - prepared;
        out[i]->decode_ns = done - ran;
    }
    return ret;
}

int sc_model_detect(sc_model *model, sc_frame *const *frames, const struct sc_view *views,
                    int count, sc_detections **out, sc_err *err)
{
    sc_require(model && frames && out && count > 0);
    memset(out, 0, (size_t)count * sizeof(*out));
    int most = model->contract.batch ? model->contract.batch : model->info.max_batch;
    int ret = SC_OK;
    for (int i = 0; !ret && i < count; i += most)
        ret = sc_model_detect_batch(model, &model->wide, (const sc_frame *const *)frames + i,
                                    views ? views + i : NULL,
                                    count - i < most ? count - i : most, out + i, err);
    for (int i = 0; ret < 0 && i < count; i++)
        sc_detections_unref(&out[i]);
    return ret;
}
