// What the endpoints of models and detections share: choosing a model, and how things read as JSON.
#pragma once

#include "app/detections.h"
#include "http/request.h"

// The model that the parameter `model` names, or the default one, into *instance (a reference).
// False: a problem was replied (404, 409, 501, 503).
bool sc_api_instance(sc_request *req, const char *name, sc_instance **instance);
// The problem for what sc_models_acquire() gave.
void sc_api_reply_model(sc_request *req, int ret, const sc_err *err);
// Does the request want a model? `inference` decides; without it, a `model` that is given does.
bool sc_api_wants_model(sc_request *req);
// `threshold` of the request, else the model's.
double sc_api_threshold(sc_request *req, const sc_instance *instance);
// As sc_reply_err, but what is too busy to infer gives 429 with Retry-After.
void sc_api_reply_inference(sc_request *req, int ret, const sc_err *err);
// X-Count, X-Model, X-Model-Generation, X-Provider.
void sc_api_add_model(sc_request *req, const sc_instance *instance, int count);

// "cpu", "cuda:0", ...: into text.
const char *sc_api_device(const sc_instance *instance, char *text, size_t size);
// Counts requests for batches, and answers that a GPU had a part in.
sc_counter *sc_api_batch_counter(sc_metrics *metrics);
sc_counter *sc_api_gpu_counter(sc_metrics *metrics);

json_t *sc_api_model_json(const struct sc_model_status *status, bool labels);
// Appends the line of a frame that failed: {"n","t","error":{problem}}.
void sc_api_print_lost(sc_str *out, sc_video *video, int64_t n, int ret, const sc_err *err);

// Rows that several endpoints share.
#define SC_ROW_MODEL                                                                           \
    {                                                                                          \
        .name = "model", .type = SC_PARAM_STRING, .max = 64,                                   \
        .help = "name of the detector; the server's default if not given"                      \
    }
#define SC_ROW_THRESHOLD                                                                       \
    {                                                                                          \
        .name = "threshold", .type = SC_PARAM_NUM, .min = 0, .max = 1,                         \
        .help = "least score, 0.05 at least; the model's own if not given"                     \
    }
#define SC_ROW_INFERENCE                                                                       \
    {                                                                                          \
        .name = "inference", .type = SC_PARAM_BOOL,                                            \
        .help = "find things with a model; a given `model` implies it"                         \
    }
#define SC_ROW_OVERLAY                                                                         \
    {                                                                                          \
        .name = "overlay", .type = SC_PARAM_BOOL, .value = "true",                             \
        .help = "draw what the model finds; false: only count it"                              \
    }

#define SC_MODEL_SCHEMA                                                                        \
    "{\"type\":\"object\",\"required\":[\"name\",\"state\"],\"properties\":{"                  \
    "\"name\":{\"type\":\"string\"},\"default\":{\"type\":\"boolean\"},"                       \
    "\"origin\":{\"enum\":[\"option\",\"folder\",\"upload\",\"built-in\"]},"                   \
    "\"state\":{\"enum\":[\"loading\",\"ready\",\"failed\"]},"                                 \
    "\"reason\":{\"type\":[\"string\",\"null\"]},\"bytes\":{\"type\":\"integer\"},"            \
    "\"serving\":{\"type\":\"boolean\"},\"generation\":{\"type\":\"integer\"},"                \
    "\"family\":{\"type\":\"string\"},\"width\":{\"type\":\"integer\"},"                       \
    "\"height\":{\"type\":\"integer\"},\"max_batch\":{\"type\":\"integer\"},"                  \
    "\"classes\":{\"type\":\"integer\"},\"label_count\":{\"type\":\"integer\"},"               \
    "\"labels\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"                         \
    "\"threshold\":{\"type\":\"number\"},\"provider\":{\"type\":\"string\"},"                  \
    "\"device\":{\"type\":\"string\"},\"provider_reason\":{\"type\":\"string\"},"              \
    "\"half\":{\"type\":\"boolean\"},\"load_ms\":{\"type\":\"number\"},"                       \
    "\"warm_ms\":{\"type\":\"number\"}}}"
