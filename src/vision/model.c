#include "vision/model_internal.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_MAX_LENGTH 64
#define DEFAULT_BATCH   16
#define MAX_BATCH       64
#define MAX_SIDE        4096
#define SIDE_MULTIPLE   32
#define MAX_WARM_NS     (200 * SC_NS_PER_MS) // what the warm run of the largest batch may take
#define WARM_GREY       114

static int check_params(const struct sc_model_params *params, sc_err *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t len = strlen(params->name);
    if (!len || len > NAME_MAX_LENGTH || params->name[strspn(params->name, allowed)])
        return sc_fail_field(err, SC_EARG, "name",
                             "a model's name is 1 to %d letters, digits, '_', '.' or '-'",
                             NAME_MAX_LENGTH);
    if (!(params->threshold >= 0 && params->threshold <= 1))
        return sc_fail_field(err, SC_EARG, "threshold", "the threshold must lie in 0..1");
    if (params->max_batch < 0 || params->max_batch > MAX_BATCH)
        return sc_fail_field(err, SC_EARG, "max_batch", "the batch must lie in 1..%d",
                             MAX_BATCH);
    if (params->size < 0 || params->size > MAX_SIDE || params->size % SIDE_MULTIPLE)
        return sc_fail_field(err, SC_EARG, "size",
                             "the side of the input must be a multiple of %d up to %d",
                             SIDE_MULTIPLE, MAX_SIDE);
    return SC_OK;
}

static int open_session(sc_model *model, sc_onnx *onnx, const struct sc_model_params *params,
                        sc_err *err)
{
    const struct sc_session_params session = {
        .path = params->path,
        .provider = params->provider,
        .device = params->device,
        .threads = params->threads,
        .half = params->half,
        .cache_dir = params->cache_dir,
    };
    int64_t start = sc_clock_now();
    int ret = sc_session_open(&model->wide.session, onnx, &session, err);
    if (ret < 0)
        return ret;
    struct stat st;
    model->info.load_ns = sc_clock_now() - start;
    model->info.session = sc_session_get_info(model->wide.session);
    model->info.bytes = stat(params->path, &st) ? 0 : (size_t)st.st_size;
    return SC_OK;
}

static const char *metadata(const void *arg, const char *key)
{
    return sc_session_metadata(arg, key);
}

static int find_contract(sc_model *model, const struct sc_model_params *params, sc_err *err)
{
    const struct sc_model_facts facts = {
        .session = model->info.session, .metadata = metadata, .arg = model->wide.session};
    struct sc_contract *c = &model->contract;
    int ret = sc_family_find(&facts, c, err);
    if (ret < 0)
        return ret;
    if (c->any_size && params->size)
        c->prepare.width = c->prepare.height = params->size;
    int most = params->max_batch ? params->max_batch : DEFAULT_BATCH;
    if (c->batch_most && most > c->batch_most)
        most = c->batch_most;
    model->info.max_batch = c->batch ? c->batch : most;
    ret = sc_model_lane_open(model, &model->wide, err);
    if (!ret)
        model->picture = sc_prepare_size(model->wide.prepare);
    return ret;
}

// A grey picture in every place of a run.
static int place_grey(sc_model *model, int count, sc_err *err)
{
    static const struct sc_view whole = {0};
    AVFrame *av = av_frame_alloc();
    sc_frame *frame = NULL;
    int ret = SC_ENOMEM;
    if (!av)
        goto end;
    av->format = AV_PIX_FMT_YUV420P;
    av->width = 64;
    av->height = 64;
    if (av_frame_get_buffer(av, 0) < 0)
        goto end;
    for (int i = 0; i < 3; i++)
        memset(av->data[i], i ? 128 : WARM_GREY,
               (size_t)av->linesize[i] * (size_t)(i ? 32 : 64));
    frame = sc_frame_wrap(av, 0, 0);
    if (!frame)
        goto end;
    av = NULL;
    ret = sc_model_reserve(model, &model->wide, count, err);
    for (int i = 0; !ret && i < count; i++)
        ret = sc_model_place(model, &model->wide, frame, &whole, i, err);
end:
    av_frame_free(&av);
    sc_frame_unref(&frame);
    return ret < 0 ? sc_fail(err, ret, "no memory for the first run") : SC_OK;
}

static int run_grey(sc_model *model, int count, struct sc_tensor *outputs, int64_t *ns,
                    sc_err *err)
{
    int ret = place_grey(model, count, err);
    int64_t start = sc_clock_now();
    if (!ret)
        ret = sc_model_run(model, &model->wide, count, outputs, err);
    *ns = sc_clock_now() - start;
    return ret;
}

// Names of the classes, and with them how many there are where the outputs do not tell.
static int settle_labels(sc_model *model, const char *given, sc_err *err)
{
    struct sc_contract *c = &model->contract;
    const char *text = given && *given ? given : c->labels_text;
    if (!text) {
        c->classes = c->classes ? c->classes : 80; // COCO's: its authors' exports tell nothing
        sc_labels_default(&model->labels, c->classes, c->unreadable);
        return SC_OK;
    }
    int ret = sc_labels_parse(&model->labels, text, err);
    if (ret < 0)
        return ret;
    if (c->last_unsure && model->labels.count == c->classes - 1) {
        c->drop_last = true;
        c->classes--;
    }
    if (c->classes && model->labels.count != c->classes)
        return sc_fail_field(err, SC_EARG, "labels", "%d labels for a model of %d classes",
                             model->labels.count, c->classes);
    c->classes = model->labels.count;
    return SC_OK;
}

static void keep_shapes(sc_model *model, const struct sc_tensor *outputs)
{
    memcpy(model->shape, outputs, sizeof(model->shape));
    for (int i = 0; i < SC_SESSION_MAX_TENSORS; i++)
        model->shape[i].data = NULL;
    model->checked = true;
}

// The first run proves the contract.
static int prove(sc_model *model, const char *labels, sc_err *err)
{
    struct sc_contract *c = &model->contract;
    struct sc_tensor outputs[SC_SESSION_MAX_TENSORS] = {0};
    int count = c->batch ? c->batch : 1;
    bool untold = !c->classes;
    int ret = run_grey(model, count, outputs, &model->info.warm_ns, err);
    if (!ret)
        ret = c->family->check(c, outputs, count, err);
    if (!ret)
        ret = settle_labels(model, labels, err);
    if (!ret && untold)
        ret = c->family->check(c, outputs, count, err);
    if (!ret)
        keep_shapes(model, outputs);
    return ret;
}

// True where runs of count pictures are good; else max_batch is `otherwise`, and the log says why.
static int prove_batch(sc_model *model, int count, int otherwise, int64_t *ns, sc_err *err)
{
    struct sc_tensor outputs[SC_SESSION_MAX_TENSORS] = {0};
    sc_err why = {0};
    int ret = run_grey(model, count, outputs, ns, &why);
    if (!ret || ret == SC_EIO)
        return ret < 0 ? sc_fail(err, ret, "%s", sc_err_text(&why, ret)) : SC_OK;
    SC_WARN(model->log, "the model takes no larger batch, though it says so",
            SC_S("model", model->name), SC_I("batch", otherwise),
            SC_S("error", sc_err_text(&why, ret)));
    model->info.max_batch = otherwise;
    return SC_OK;
}

// Where the batch is open: two pictures, as exports are known that can only do one; and the largest
// one if that is cheap, so that memory and kernels for it are there. Lanes run pictures one by one.
static int prove_batches(sc_model *model, sc_err *err)
{
    int most = model->info.max_batch;
    int64_t ns = 0;
    if (model->contract.batch || most < 2)
        return SC_OK;
    int ret = prove_batch(model, 2, 1, &ns, err);
    if (!ret && model->info.max_batch > 2 && ns / 2 * most <= MAX_WARM_NS)
        ret = prove_batch(model, most, 2, &ns, err);
    return ret;
}

static void fill_info(sc_model *model, const struct sc_model_params *params)
{
    const struct sc_contract *c = &model->contract;
    struct sc_model_info *info = &model->info;
    info->family = c->family->name;
    info->width = c->prepare.width;
    info->height = c->prepare.height;
    info->batch = c->batch;
    info->classes = c->classes;
    info->labels = model->labels.names;
    info->threshold = params->threshold > 0 ? params->threshold : c->threshold;
    info->input_type = c->prepare.type;
}

int sc_model_open(sc_model **pmodel, sc_onnx *onnx, const struct sc_model_params *params,
                  sc_err *err)
{
    sc_require(pmodel && onnx && params && params->name && params->path);
    *pmodel = NULL;
    int ret = check_params(params, err);
    if (ret < 0)
        return ret;
    sc_model *model = sc_new(sc_model);
    model->info.name = model->name = sc_xstrdup(params->name);
    model->info.path = model->path = sc_xstrdup(params->path);
    model->log = params->log;
    ret = open_session(model, onnx, params, err);
    if (!ret)
        ret = find_contract(model, params, err);
    if (!ret)
        ret = prove(model, params->labels, err);
    if (!ret)
        ret = sc_model_lanes_open(model, onnx, params, err);
    if (!ret)
        ret = prove_batches(model, err);
    if (ret < 0) {
        sc_model_close(&model);
        return ret;
    }
    fill_info(model, params);
    *pmodel = model;
    return SC_OK;
}

void sc_model_close(sc_model **pmodel)
{
    sc_model *model = pmodel ? *pmodel : NULL;
    if (!model)
        return;
    *pmodel = NULL;
    sc_model_lanes_close(model);
    sc_model_lane_close(&model->wide);
    sc_contract_release(&model->contract);
    sc_labels_release(&model->labels);
    free(model->name);
    free(model->path);
    free(model);
}

const struct sc_model_info *sc_model_get_info(const sc_model *model)
{
    return &model->info;
}
