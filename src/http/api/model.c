#include "http/api/model.h"

#include <inttypes.h>
#include <math.h>

#include "http/api/video.h"

void sc_api_reply_model(sc_request *req, int ret, const sc_err *err)
{
    if (ret == SC_EUNSUPPORTED)
        sc_reply_problem(req, 501, err->field, "%s", sc_err_text(err, ret));
    else if (ret == SC_EDATA)
        sc_reply_problem(req, 409, err->field, "%s", sc_err_text(err, ret));
    else
        sc_reply_err(req, ret, err);
}

bool sc_api_instance(sc_request *req, const char *name, sc_instance **instance)
{
    sc_err err = {0};
    int ret = sc_models_acquire(sc_app_models(sc_request_app(req)), name, instance, &err);
    if (ret)
        sc_api_reply_model(req, ret, &err);
    return !ret;
}

bool sc_api_wants_model(sc_request *req)
{
    return sc_request_given(req, "inference") ? sc_request_bool(req, "inference")
                                              : sc_request_given(req, "model");
}

double sc_api_threshold(sc_request *req, const sc_instance *instance)
{
    return sc_request_given(req, "threshold") ? sc_request_num(req, "threshold")
                                              : sc_instance_get_info(instance)->threshold;
}

void sc_api_reply_inference(sc_request *req, int ret, const sc_err *err)
{
    if (ret != SC_EBUSY) {
        sc_reply_err(req, ret, err);
        return;
    }
    sc_reply_problem(req, 429, NULL, "%s", sc_err_text(err, ret));
    sc_reply_header(req, "Retry-After", "1");
}

void sc_api_add_model(sc_request *req, const sc_instance *instance, int count)
{
    const struct sc_instance_info *info = sc_instance_get_info(instance);
    sc_reply_headerf(req, "X-Count", "%d", count);
    sc_reply_header(req, "X-Model", info->name);
    sc_reply_headerf(req, "X-Model-Generation", "%" PRIu64, info->generation);
    sc_reply_header(req, "X-Provider", sc_instance_provider(instance));
    if (sc_instance_on_gpu(instance))
        sc_counter_add(sc_api_gpu_counter(sc_app_metrics(sc_request_app(req))), 1);
}

const char *sc_api_device(const sc_instance *instance, char *text, size_t size)
{
    const struct sc_instance_info *info = sc_instance_get_info(instance);
    bool cuda = info->provider == SC_PROVIDER_CUDA || info->provider == SC_PROVIDER_TENSORRT;
    if (cuda)
        snprintf(text, size, "cuda:%d", info->device);
    else
        snprintf(text, size, "%s", sc_instance_provider(instance));
    return text;
}

sc_counter *sc_api_batch_counter(sc_metrics *metrics)
{
    return sc_metrics_counter(metrics, "saccade_batch_inferences_total", "",
                              "Requests for inference on many frames.");
}

sc_counter *sc_api_gpu_counter(sc_metrics *metrics)
{
    return sc_metrics_counter(metrics, "saccade_gpu_requests_total", "",
                              "Pictures and batches that a GPU had a part in.");
}

// --- JSON ---------------------------------------------------------------------------------

static const char *const states[] = {
    [SC_MODEL_LOADING] = "loading", [SC_MODEL_READY] = "ready", [SC_MODEL_FAILED] = "failed"};

static double ms(int64_t ns)
{
    return round((double)ns / 1e4) / 100;
}

// What is known once a model has been loaded.
static void add_instance(json_t *json, const sc_instance *instance)
{
    const struct sc_instance_info *info = sc_instance_get_info(instance);
    char device[24];
    json_object_update_new(
        json,
        json_pack("{s:I, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:s, s:s, s:s, s:b, s:o, s:o}",
                  "generation", (json_int_t)info->generation, "family", info->family, "width",
                  info->width, "height", info->height, "max_batch", info->max_batch, "lanes",
                  info->lanes, "classes", info->classes, "label_count",
                  info->labels ? info->classes : 0, "threshold",
                  sc_api_number(round(info->threshold * 1e6) / 1e6), "provider",
                  sc_instance_provider(instance), "device",
                  sc_api_device(instance, device, sizeof(device)), "provider_reason",
                  info->reason, "half", info->half, "load_ms", sc_api_number(ms(info->load_ns)),
                  "warm_ms", sc_api_number(ms(info->warm_ns))));
}

static void add_labels(json_t *json, const sc_instance *instance)
{
    const struct sc_instance_info *info = sc_instance_get_info(instance);
    json_t *array = json_array();
    for (int i = 0; info->labels && i < info->classes; i++) {
        json_t *label = json_string(info->labels[i]); // NULL where it is not UTF-8
        json_array_append_new(array, label ? label : json_sprintf("%d", i));
    }
    json_object_set_new(json, "labels", array);
}

json_t *sc_api_model_json(const struct sc_model_status *status, bool labels)
{
    json_t *reason = status->reason[0] ? json_string(status->reason) : json_null();
    json_t *json =
        json_pack("{s:s, s:b, s:s, s:s, s:o, s:I, s:b}", "name", status->name, "default",
                  status->is_default, "origin", status->origin, "state", states[status->state],
                  "reason", reason ? reason : json_string("it cannot be told in UTF-8"),
                  "bytes", (json_int_t)status->bytes, "serving", status->instance != NULL);
    if (status->instance)
        add_instance(json, status->instance);
    if (status->instance && labels)
        add_labels(json, status->instance);
    return json;
}

void sc_api_print_lost(sc_str *out, sc_video *video, int64_t n, int ret, const sc_err *err)
{
    char t[64];
    sc_index *index = sc_video_index(video);
    sc_str_addf(out, "{\"n\":%" PRId64 ",\"t\":%s,\"error\":", n,
                sc_index_format_time(index, n, t, sizeof(t)));
    sc_index_unref(&index);
    sc_api_problem_print(out, ret, err);
    out->s[--out->len] = 0; // its line break
    sc_str_add(out, "}\n");
}
