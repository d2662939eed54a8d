// POST /api/v1/models: a form with a model's file and what it is to be called.
#include <string.h>

#include "base/mem.h"
#include "http/api/body.h"
#include "http/api/endpoints.h"
#include "http/api/model.h"
#include "http/multipart.h"

// A form's boundaries, headers and small fields: what its Content-Length has beyond the file.
#define FORM_OVERHEAD (320 << 10)

enum field { FIELD_FILE, FIELD_NAME, FIELD_LABELS, FIELD_THRESHOLD, FIELD_SIZE, FIELDS };

static const struct {
    const char *name;
    size_t max; // bytes
} fields[FIELDS] = {
    [FIELD_FILE] = {"file", 0},
    [FIELD_NAME] = {"name", 64},
    [FIELD_LABELS] = {"labels", 256 << 10},
    [FIELD_THRESHOLD] = {"threshold", 32},
    [FIELD_SIZE] = {"size", 16},
};

struct upload {
    sc_models *models;
    int64_t size_hint;
    sc_multipart *form;
    enum field field; // under way
    bool given[FIELDS];
    sc_str text[FIELDS]; // of the small ones
    sc_model_upload *up;
};

// --- the form -----------------------------------------------------------------------------

static int on_begin(void *arg, const struct sc_multipart_part *part, sc_err *err)
{
    struct upload *u = arg;
    enum field f = FIELD_FILE;
    while (f < FIELDS && strcmp(part->name, fields[f].name))
        f++;
    if (f == FIELDS)
        return sc_fail_field(err, SC_EARG, "body",
                             "unknown form field; there are name, file, labels, threshold and "
                             "size");
    if (u->given[f])
        return sc_fail_field(err, SC_EARG, fields[f].name, "%s is given more than once",
                             fields[f].name);
    u->given[f] = true;
    u->field = f;
    return f == FIELD_FILE ? sc_model_upload_open(&u->up, u->models, u->size_hint, err) : 0;
}

static int on_data(void *arg, const char *data, size_t size, sc_err *err)
{
    struct upload *u = arg;
    sc_str *text = &u->text[u->field];
    size_t max = fields[u->field].max;
    if (u->field == FIELD_FILE)
        return sc_model_upload_write(u->up, data, size, err);
    if (memchr(data, 0, size))
        return sc_fail_field(err, SC_EARG, fields[u->field].name, "%s has a NUL in it",
                             fields[u->field].name);
    if (text->len + size > max)
        return sc_fail_field(err, SC_EARG, fields[u->field].name, "%s is longer than %zu bytes",
                             fields[u->field].name, max);
    sc_str_addn(text, data, size);
    return 0;
}

static int on_end(void *arg, sc_err *err)
{
    (void)arg, (void)err;
    return 0;
}

// --- the sink -----------------------------------------------------------------------------

static int write_bytes(void *arg, const char *data, size_t size, sc_err *err)
{
    struct upload *u = arg;
    return sc_multipart_push(u->form, data, size, err);
}

static int read_params(struct upload *u, struct sc_model_upload_params *params, sc_err *err)
{
    int64_t size = 0;
    *params = (struct sc_model_upload_params){.name = sc_str_get(&u->text[FIELD_NAME]),
                                              .labels = sc_str_get(&u->text[FIELD_LABELS])};
    const char *threshold = sc_str_get(&u->text[FIELD_THRESHOLD]);
    const char *side = sc_str_get(&u->text[FIELD_SIZE]);
    if (!u->given[FIELD_FILE])
        return sc_fail_field(err, SC_EARG, "file", "the form has no file field named file");
    if (*threshold && !sc_parse_double(threshold, 0, 1, &params->threshold))
        return sc_fail_field(err, SC_EARG, "threshold", "threshold is a number from 0 to 1");
    if (*side && !sc_parse_int(side, 0, 8192, &size))
        return sc_fail_field(err, SC_EARG, "size", "size is a whole number of pixels");
    params->size = (int)size;
    return 0;
}

static void end(void *arg, sc_request *req)
{
    struct upload *u = arg;
    struct sc_model_upload_params params;
    struct sc_model_status status;
    sc_err err = {0};
    int ret = sc_multipart_finish(u->form, &err);
    if (!ret)
        ret = read_params(u, &params, &err);
    if (!ret)
        ret = sc_model_upload_finish(&u->up, &params, &err);
    sc_model_upload_abort(&u->up);
    if (ret) {
        sc_reply_err(req, ret, &err);
    } else if (sc_models_get(u->models, params.name, &status)) {
        sc_reply_problem(req, 410, "name", "model %s was deleted meanwhile", params.name);
    } else {
        sc_reply_json(req, 202, sc_api_model_json(&status, true));
        sc_reply_headerf(req, "Location", "/api/v1/models/%s", params.name);
        sc_model_status_release(&status);
    }
}

static void abort_upload(void *arg)
{
    struct upload *u = arg;
    sc_model_upload_abort(&u->up);
}

static void release(void *arg)
{
    struct upload *u = arg;
    sc_model_upload_abort(&u->up);
    sc_multipart_close(&u->form);
    for (int i = 0; i < FIELDS; i++)
        sc_str_release(&u->text[i]);
    free(u);
}

static const struct sc_body_sink sink = {write_bytes, end, release, abort_upload};

// --- the endpoint -------------------------------------------------------------------------

static void begin(sc_request *req)
{
    static const struct sc_multipart_events events = {on_begin, on_data, on_end};
    struct upload *u = sc_new(struct upload);
    sc_err err = {0};
    const char *type = sc_request_header(req, "Content-Type");
    int64_t length = sc_request_content_length(req);
    int ret = SC_OK;
    u->models = sc_app_models(sc_request_app(req));
    u->size_hint = length > FORM_OVERHEAD ? length - FORM_OVERHEAD : 0;
    if (!sc_multipart_is(type))
        ret = sc_fail_field(&err, SC_EUNSUPPORTED, "Content-Type",
                            "send a form as multipart/form-data with name and file");
    if (!ret)
        ret = sc_multipart_open(&u->form, type, &events, u, &err);
    if (ret) {
        release(u);
        sc_reply_err(req, ret, &err);
    } else {
        sc_body_begin(req, &sink, u);
    }
}

static const sc_response_row responses[] = {
    {202, "application/json", SC_MODEL_SCHEMA,
     "taken, and being loaded; Location tells where its state is to be seen"},
    {400, "application/problem+json", NULL, "a field is wrong; `field` names it"},
    {413, "application/problem+json", NULL,
     "the file is larger than the option models-max-upload"},
    {507, "application/problem+json", NULL,
     "the disk is full, or the models loaded would be larger than the option models-memory"},
    {0},
};
const sc_endpoint sc_upload_model = {
    .method = "POST",
    .path = "/api/v1/models",
    .tag = "models",
    .summary = "Give the server a detector",
    .help =
        "An ONNX file of a known family (YOLO, YOLOX, RT-DETR, RF-DETR, D-FINE). It is loaded "
        "in the background: ask for /api/v1/models/{name} until its state is ready or failed. "
        "For a name that is taken, the model that is there answers until the new one is ready, "
        "and stays where that fails. labels: one a line, as text or file; threshold: what a "
        "request without one uses; size: side of the input where the model leaves it open.",
    .body = SC_BODY_STREAM,
    .body_mime = "multipart/form-data",
    .body_schema =
        "{\"type\":\"object\",\"required\":[\"name\",\"file\"],\"properties\":{\"name\":{"
        "\"type\":"
        "\"string\",\"pattern\":\"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$\"},\"file\":{\"type\":"
        "\"string\",\"format\":\"binary\"},\"labels\":{\"type\":\"string\"},\"threshold\":{"
        "\"type\":\"number\",\"minimum\":0,\"maximum\":1},\"size\":{\"type\":\"integer\"}}}",
    .responses = responses,
    .begin = begin,
    .data = sc_body_data,
    .handle = sc_body_finish,
};
