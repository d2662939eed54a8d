#include "http/api/frames_query.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "http/api/model.h"
#include "http/params.h"

// What one picture has as query parameters, the body has as fields.
static const sc_param rows[] = {
    SC_ROW_W,
    SC_ROW_H,
    SC_ROW_FIT,
    SC_ROW_FORMAT,
    SC_ROW_QUALITY,
    SC_ROW_MODEL,
    SC_ROW_THRESHOLD,
    SC_ROW_INFERENCE,
    SC_ROW_OVERLAY,
    {.name = "detections", .type = SC_PARAM_BOOL, .help = "tell what is found as JSON, too"},
    {0},
};

// The shortest decimal text that gives the same double is what was written, for up to 15 digits.
static void format_real(double value, char *text, size_t size)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (!strchr(text, 'e'))
        return;
    snprintf(text, size, "%.24f", value); // no exponents in decimal text
}

bool sc_json_decimal(const json_t *value, char *text, size_t size)
{
    if (json_is_integer(value))
        snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value) && json_real_value(value) < 1e15)
        format_real(json_real_value(value), text, size);
    else if (json_is_string(value) && json_string_length(value) < size)
        snprintf(text, size, "%s", json_string_value(value));
    else
        return false;
    return true;
}

static int name_item(sc_err *err, const char *field, size_t i)
{
    snprintf(err->field, sizeof(err->field), "%s[%zu]", field, i);
    return err->code;
}

static int one_frame(sc_video *video, const char *field, const json_t *item, int64_t *n,
                     sc_err *err)
{
    if (*field == 'n') {
        if (!json_is_integer(item) || json_integer_value(item) < 0)
            return sc_fail(err, SC_EARG, "frame numbers are whole numbers from 0");
        *n = json_integer_value(item);
        return sc_video_check_n(video, *n, err);
    }
    char text[128];
    if (!sc_json_decimal(item, text, sizeof(text)))
        return sc_fail(err, SC_EARG, "times are numbers or decimal text");
    return sc_video_find(video, text, n, err);
}

static int take_frames(struct sc_frames_query *query, sc_video *video, const char *field,
                       const json_t *array, sc_err *err)
{
    size_t count = json_array_size(array);
    if (query->ns)
        return sc_fail_field(err, SC_EARG, "n", "give t or n, not both");
    if (!json_is_array(array) || !count)
        return sc_fail_field(err, SC_EARG, field, "%s must be an array of one or more", field);
    if (count > SC_FRAMES_MAX)
        return sc_fail_field(err, SC_ELIMIT, field,
                             "at most %d frames can be asked for at once", SC_FRAMES_MAX);
    query->ns = sc_xcalloc(count, sizeof(*query->ns)); // bounded by SC_FRAMES_MAX
    query->count = count;
    for (size_t i = 0; i < count; i++) {
        sc_err cause = {0};
        if (one_frame(video, field, json_array_get(array, i), &query->ns[i], &cause)) {
            name_item(&cause, field, i);
            if (err)
                *err = cause;
            return cause.code;
        }
    }
    return SC_OK;
}

static const sc_param *find_row(const char *name)
{
    for (const sc_param *row = rows; row->name; row++) {
        if (!strcmp(row->name, name))
            return row;
    }
    return NULL;
}

static void set_picture(struct sc_picture_params *picture, const sc_param *row,
                        const char *text)
{
    int number = row->choices ? sc_choice_find(row->choices, text) : atoi(text);
    if (!strcmp(row->name, "w"))
        picture->w = number;
    else if (!strcmp(row->name, "h"))
        picture->h = number;
    else if (!strcmp(row->name, "fit"))
        picture->fit = (enum sc_picture_fit)number;
    else if (!strcmp(row->name, "format"))
        picture->format = (enum sc_picture_format)number;
    else
        picture->quality = number;
}

static void set_field(struct sc_frames_query *query, const sc_param *row, const char *text)
{
    bool yes = row->type == SC_PARAM_BOOL && *text == 't';
    if (!strcmp(row->name, "model"))
        snprintf(query->model, sizeof(query->model), "%s", text);
    else if (!strcmp(row->name, "threshold"))
        query->threshold = strtod(text, NULL);
    else if (!strcmp(row->name, "overlay"))
        query->picture.overlay = yes;
    else if (!strcmp(row->name, "detections"))
        query->detections = yes;
    else if (!strcmp(row->name, "inference"))
        query->inference = yes;
    else
        set_picture(&query->picture.picture, row, text);
}

// The value as the text that a query string would have. NULL, or what it must be.
static const char *field_text(const sc_param *row, const json_t *value, char *text, size_t size)
{
    switch (row->type) {
    case SC_PARAM_BOOL:
        snprintf(text, size, "%s", json_is_true(value) ? "true" : "false");
        return json_is_boolean(value) ? NULL : "true or false";
    case SC_PARAM_NUM:
        return json_is_number(value) && sc_json_decimal(value, text, size) ? NULL : "a number";
    case SC_PARAM_INT:
        return json_is_integer(value) && sc_json_decimal(value, text, size) ? NULL
                                                                            : "a whole number";
    default:
        return json_is_string(value) && sc_json_decimal(value, text, size) ? NULL : "text";
    }
}

static int take_field(struct sc_frames_query *query, const char *name, const json_t *value,
                      sc_err *err)
{
    char text[80] = "";
    const sc_param *row = find_row(name);
    if (!row)
        return sc_fail_field(err, SC_EARG, strlen(name) < 40 ? name : "body", "unknown field");
    const char *wanted = field_text(row, value, text, sizeof(text));
    if (wanted)
        return sc_fail_field(err, SC_EARG, name, "%s must be %s", name, wanted);
    int ret = sc_param_check(row, text, err);
    if (!ret)
        set_field(query, row, text);
    return ret;
}

static int take_all(struct sc_frames_query *query, sc_video *video, json_t *root, sc_err *err)
{
    const char *name;
    json_t *value;
    int ret = SC_OK;
    json_object_foreach(root, name, value)
    {
        ret = !strcmp(name, "t") || !strcmp(name, "n")
                  ? take_frames(query, video, name, value, err)
                  : take_field(query, name, value, err);
        if (ret)
            return ret;
    }
    if (!query->ns)
        return sc_fail_field(err, SC_EARG, "t", "give t or n: an array of times or numbers");
    bool asked = json_object_get(root, "model") || query->detections;
    query->inference = json_object_get(root, "inference") ? query->inference : asked;
    return sc_video_prepare(video, &query->picture, err);
}

int sc_frames_query_parse(struct sc_frames_query *query, sc_video *video, const char *body,
                          size_t size, sc_err *err)
{
    json_error_t error;
    *query = (struct sc_frames_query){
        .picture.picture.quality = 85, .picture.overlay = true, .threshold = -1};
    json_t *root = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    int ret;
    if (!root)
        ret = sc_fail_field(err, SC_EARG, "body", "not valid JSON: line %d column %d: %s",
                            error.line, error.column, error.text);
    else if (!json_is_object(root))
        ret = sc_fail_field(err, SC_EARG, "body", "a JSON object is expected");
    else
        ret = take_all(query, video, root, err);
    json_decref(root);
    if (ret) {
        free(query->ns);
        *query = (struct sc_frames_query){0};
    }
    return ret;
}

int sc_times_parse(sc_video *video, const char *body, size_t size, int64_t **ns, size_t *count,
                   sc_err *err)
{
    struct sc_frames_query query = {0};
    json_error_t error;
    json_t *root = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    int ret;
    if (!root)
        ret = sc_fail_field(err, SC_EARG, "body", "not valid JSON: line %d column %d: %s",
                            error.line, error.column, error.text);
    else
        ret = take_frames(&query, video, "t", root, err);
    json_decref(root);
    if (ret) {
        free(query.ns);
        query = (struct sc_frames_query){0};
    }
    *ns = query.ns;
    *count = query.count;
    return ret;
}
