// GET /api/v1/models, GET and DELETE /api/v1/models/{name}.
#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/model.h"

static void list(sc_request *req)
{
    struct sc_model_status *all = sc_xcalloc(SC_MODELS_MAX, sizeof(*all));
    int count = sc_models_list(sc_app_models(sc_request_app(req)), all, SC_MODELS_MAX);
    json_t *array = json_array();
    for (int i = 0; i < count; i++) {
        json_array_append_new(array, sc_api_model_json(&all[i], false));
        sc_model_status_release(&all[i]);
    }
    free(all);
    sc_reply_json(req, 200, json_pack("{s:o}", "models", array));
    sc_reply_header(req, "Cache-Control", "no-store");
}

static const sc_response_row list_responses[] = {
    {200, "application/json",
     "{\"type\":\"object\",\"properties\":{\"models\":{\"type\":\"array\","
     "\"items\":" SC_MODEL_SCHEMA "}}}",
     "by name; at most 64"},
    {0},
};
const sc_endpoint sc_list_models = {
    .method = "GET",
    .path = "/api/v1/models",
    .tag = "models",
    .summary = "List detectors",
    .help =
        "`state` tells of the file given last; `serving` says that the model answers, which it "
        "does while another file is loaded for it. `provider` is what really runs it, "
        "`provider_reason` why.",
    .responses = list_responses,
    .handle = list,
};

static void reply_unknown(sc_request *req)
{
    sc_reply_problem(req, 404, "name", "there is no model %s", sc_request_param(req, "name"));
}

static void get(sc_request *req)
{
    struct sc_model_status status;
    if (sc_models_get(sc_app_models(sc_request_app(req)), sc_request_param(req, "name"),
                      &status)) {
        reply_unknown(req);
        return;
    }
    sc_reply_json(req, 200, sc_api_model_json(&status, true));
    sc_reply_header(req, "Cache-Control", "no-store");
    sc_model_status_release(&status);
}

#define ROW_NAME                                                                               \
    {                                                                                          \
        .name = "name", .in = SC_IN_PATH, .type = SC_PARAM_STRING, .max = 255,                 \
        .required = true, .help = "the model, [A-Za-z0-9_.-]{1,64}"                            \
    }
static const sc_param params[] = {ROW_NAME, {0}};
static const sc_response_row responses[] = {
    {200, "application/json", SC_MODEL_SCHEMA, "the model, with its labels"},
    {404, "application/problem+json", NULL, "no such model"},
    {0},
};
const sc_endpoint sc_get_model = {
    .method = "GET",
    .path = "/api/v1/models/{name}",
    .tag = "models",
    .summary = "What a detector is and does",
    .help = "",
    .params = params,
    .responses = responses,
    .handle = get,
};

static void delete_work(sc_request *req)
{
    if (sc_models_delete(sc_app_models(sc_request_app(req)), sc_request_param(req, "name")))
        reply_unknown(req);
    else
        sc_reply_empty(req, 204);
}

static void delete (sc_request *req)
{
    sc_request_run(req, delete_work);
}

static const sc_response_row delete_responses[] = {
    {204, NULL, NULL, "gone; requests under way end with it"},
    {404, "application/problem+json", NULL, "no such model"},
    {0},
};
const sc_endpoint sc_delete_model = {
    .method = "DELETE",
    .path = "/api/v1/models/{name}",
    .tag = "models",
    .summary = "Take a detector away",
    .help =
        "Its files in the models folder are removed. One that the options name, or that came "
        "with the program, is back after the next start.",
    .params = params,
    .responses = delete_responses,
    .handle = delete,
};
