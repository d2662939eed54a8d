// What a client asks a stream to be: JSON to a checked struct, by a table of fields.
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "app/streams_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/url.h"
#include "vision/tracker.h"

enum kind {
    TEXT,   // an address or a name: no control characters, max bytes
    WORD,   // letters, digits, - _ . : what encoders are called
    CHOICE, // index into choices
    BOOL,
    UNSET, // a bool whose false sets the field
    INT,
    NUM,
    TIME, // seconds, or text such as 200ms
};

struct field {
    const char *name;
    enum kind kind;
    size_t offset;
    double min, max;
    const char *choices; // "a|b|c"
};

#define AT(field) offsetof(struct sc_streams_spec, field)
static const struct field fields[] = {
    {"input", TEXT, AT(input), .max = SC_STREAMS_URL_MAX},
    {"model", TEXT, AT(model), .max = 64},
    {"threshold", NUM, AT(threshold), 0, 1},
    {"track", BOOL, AT(track)},
    {"tracker", CHOICE, AT(tracker), .choices = "bytetrack|ocsort|sort"},
    {"overlay", BOOL, AT(overlay)},
    {"clock", BOOL, AT(clock)},
    {"width", INT, AT(width), 0, 16384},
    {"height", INT, AT(height), 0, 16384},
    {"fps", NUM, AT(fps), 0, 240},
    {"codec", WORD, AT(codec), .max = 32},
    {"preset", WORD, AT(preset), .max = 32},
    {"bitrate", INT, AT(bitrate), 0, 1e9},
    {"quality", INT, AT(quality), 1, 100},
    {"sound", UNSET, AT(no_sound)},
    {"realtime", BOOL, AT(realtime)},
    {"delay", TIME, AT(delay_ns), 0, 10},
    {"loop", BOOL, AT(loop)},
    {"transport", WORD, AT(transport), .max = 8},
    {"restart", CHOICE, AT(restart), .choices = "on-failure|always|never"},
    {"max_restarts", INT, AT(max_restarts), 0, SC_STREAMS_RESTARTS_MAX},
};
#undef AT

// --- one value ----------------------------------------------------------------------------

static int find_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (int i = 0; *choices; i++) {
        size_t n = strcspn(choices, "|");
        if (n == len && !strncmp(choices, text, n))
            return i;
        choices += n + (choices[n] == '|');
    }
    return -1;
}

// Line breaks in an address would end up in requests that are made from it.
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool is_word(const char *text)
{
    return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_-.")];
}

static int check_text(const char *name, const json_t *value, double max, bool word, sc_err *err)
{
    const char *text = json_string_value(value);
    if (!text)
        return sc_fail_field(err, SC_EARG, name, "%s must be text", name);
    if ((double)strlen(text) > max)
        return sc_fail_field(err, SC_EARG, name, "%s is longer than %.0f bytes", name, max);
    if (word ? !is_word(text) : !is_plain(text))
        return sc_fail_field(err, SC_EARG, name, "%s has characters that cannot be in it",
                             name);
    return SC_OK;
}

static int take_number(double *out, const struct field *field, const json_t *value, sc_err *err)
{
    double number = json_number_value(value);
    if (!(field->kind == INT ? json_is_integer(value) : json_is_number(value)))
        return sc_fail_field(err, SC_EARG, field->name, "%s must be a %snumber", field->name,
                             field->kind == INT ? "whole " : "");
    if (!(number >= field->min && number <= field->max))
        return sc_fail_field(err, SC_EARG, field->name, "%s is %g; it is %g to %g", field->name,
                             number, field->min, field->max);
    *out = number;
    return SC_OK;
}

static int take_time(int64_t *out, const struct field *field, const json_t *value, sc_err *err)
{
    double seconds = 0;
    if (json_is_string(value)) {
        if (sc_parse_duration(json_string_value(value), (int64_t)(field->min * 1e9),
                              (int64_t)(field->max * 1e9), out))
            return SC_OK;
        return sc_fail_field(err, SC_EARG, field->name,
                             "%s is seconds, or text such as \"200ms\"; at most %g s",
                             field->name, field->max);
    }
    int ret = take_number(&seconds, field, value, err);
    if (!ret)
        *out = llround(seconds * (double)SC_NS_PER_S);
    return ret;
}

static int take_choice(int64_t *out, const struct field *field, const json_t *value,
                       sc_err *err)
{
    int i = json_is_string(value) ? find_choice(field->choices, json_string_value(value)) : -1;
    if (i < 0)
        return sc_fail_field(err, SC_EARG, field->name, "%s must be one of %s", field->name,
                             field->choices);
    *out = i;
    return SC_OK;
}

static int take_field(struct sc_streams_spec *spec, const struct field *field,
                      const json_t *value, sc_err *err)
{
    void *at = (char *)spec + field->offset;
    double number = 0;
    int ret;
    switch (field->kind) {
    case TEXT:
    case WORD:
        ret = check_text(field->name, value, field->max, field->kind == WORD, err);
        if (!ret)
            *(const char **)at = json_string_value(value);
        return ret;
    case CHOICE:
        return take_choice(at, field, value, err);
    case BOOL:
    case UNSET:
        if (!json_is_boolean(value))
            return sc_fail_field(err, SC_EARG, field->name, "%s must be true or false",
                                 field->name);
        *(bool *)at = json_is_true(value) == (field->kind == BOOL);
        return SC_OK;
    case TIME:
        return take_time(at, field, value, err);
    default:
        ret = take_number(&number, field, value, err);
        if (!ret && field->kind == INT)
            *(int64_t *)at = (int64_t)number;
        else if (!ret)
            *(double *)at = number;
        return ret;
    }
}

// --- outputs and camera -------------------------------------------------------------------

static int take_outputs(struct sc_streams_spec *spec, const json_t *array, sc_err *err)
{
    size_t count = json_array_size(array);
    if (!json_is_array(array))
        return sc_fail_field(err, SC_EARG, "outputs", "outputs must be an array of addresses");
    if (count > SC_LIVE_OUTPUTS)
        return sc_fail_field(err, SC_EARG, "outputs", "at most %d outputs", SC_LIVE_OUTPUTS);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        const json_t *item = json_array_get(array, i);
        snprintf(name, sizeof(name), "outputs[%zu]", i);
        int ret = check_text(name, item, SC_STREAMS_URL_MAX, false, err);
        if (ret)
            return ret;
        spec->outputs[i] = json_string_value(item);
    }
    return SC_OK;
}

// One setting of the camera, as its text form has it.
static int add_setting(sc_str *text, const char *name, const json_t *value, sc_err *err)
{
    char field[32];
    snprintf(field, sizeof(field), "camera.%.20s", name);
    if (!json_is_string(value) && !json_is_number(value))
        return sc_fail_field(err, SC_EARG, field, "%s must be text or a number", field);
    if (text->len)
        sc_str_addc(text, ',');
    if (json_is_number(value)) {
        bool time = !strcmp(name, "ahead");
        sc_str_addf(text, "%s=%.9g%s", name, json_number_value(value), time ? "s" : "");
        return SC_OK;
    }
    if (strpbrk(json_string_value(value), ",=") || !is_plain(json_string_value(value)))
        return sc_fail_field(err, SC_EARG, field, "%s has characters that cannot be in it",
                             field);
    sc_str_addf(text, "%s=%s", name, json_string_value(value));
    return SC_OK;
}

static int take_camera(struct sc_streams_spec *spec, json_t *json,
                       const struct sc_live_ops *ops, sc_err *err)
{
    const char *name;
    json_t *value;
    sc_str text = {0};
    int ret = SC_OK;
    if (json_is_boolean(json)) {
        spec->camera.on = json_is_true(json);
        return SC_OK;
    }
    if (!json_is_object(json))
        return sc_fail_field(err, SC_EARG, "camera",
                             "camera must be an object of follow, aspect, zoom, ahead");
    json_object_foreach(json, name, value)
    {
        if (strlen(name) > 16 || !is_word(name))
            ret = sc_fail_field(err, SC_EARG, "camera", "unknown field in camera");
        if (!ret)
            ret = add_setting(&text, name, value, err);
        if (ret)
            break;
    }
    if (!ret && text.len)
        ret = ops->camera_parse(&spec->camera, text.s, err);
    spec->camera.on = true;
    sc_str_release(&text);
    return ret;
}

// --- all of it ----------------------------------------------------------------------------

static const struct field *find_field(const char *name)
{
    for (size_t i = 0; i < SC_COUNT(fields); i++)
        if (!strcmp(fields[i].name, name))
            return &fields[i];
    return NULL;
}

static int take(struct sc_streams_spec *spec, const char *name, json_t *value,
                const struct sc_live_ops *ops, sc_err *err)
{
    const struct field *field = find_field(name);
    if (field)
        return take_field(spec, field, value, err);
    if (!strcmp(name, "outputs"))
        return take_outputs(spec, value, err);
    if (!strcmp(name, "camera"))
        return take_camera(spec, value, ops, err);
    return sc_fail_field(err, SC_EARG, strlen(name) < 40 ? name : "body", "unknown field");
}

static int check_all(const struct sc_streams_spec *spec, sc_err *err)
{
    const char *transport = spec->transport;
    if (!spec->input || !*spec->input)
        return sc_fail_field(err, SC_EARG, "input", "the input is missing");
    if (transport && strcmp(transport, "tcp") && strcmp(transport, "udp"))
        return sc_fail_field(err, SC_EARG, "transport", "transport must be tcp or udp");
    if (spec->tracker && !spec->track)
        return sc_fail_field(err, SC_EARG, "tracker", "tracker needs track: true");
    if (!spec->model && (spec->track || spec->overlay || spec->camera.on))
        return sc_fail_field(err, SC_EARG, "model",
                             "track, overlay and camera need a model that finds things");
    return SC_OK;
}

int sc_streams_spec_parse(struct sc_streams_spec *spec, const json_t *json,
                          const struct sc_live_ops *ops, sc_err *err)
{
    const char *name;
    json_t *value;
    *spec = (struct sc_streams_spec){.max_restarts = 10};
    if (!json_is_object(json))
        return sc_fail_field(err, SC_EARG, "body", "a JSON object is expected");
    json_object_foreach((json_t *)json, name, value)
    {
        int ret = take(spec, name, value, ops, err);
        if (ret)
            return ret;
    }
    return check_all(spec, err);
}

// --- what may be shown --------------------------------------------------------------------

static json_t *hide(const json_t *value)
{
    char shown[2 * SC_STREAMS_URL_MAX];
    const char *text = json_string_value(value);
    json_t *hidden = text ? json_string(sc_url_hide(text, shown, sizeof(shown))) : NULL;
    return hidden ? hidden : json_null(); // cut within a character
}

json_t *sc_streams_spec_shown(const json_t *json)
{
    json_t *shown = json_deep_copy(json);
    json_t *outputs = json_object_get(shown, "outputs");
    json_object_set_new(shown, "input", hide(json_object_get(shown, "input")));
    for (size_t i = 0; i < json_array_size(outputs); i++)
        json_array_set_new(outputs, i, hide(json_array_get(outputs, i)));
    return shown;
}
