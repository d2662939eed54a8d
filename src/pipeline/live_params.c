// What a stream is asked to be: checks, and what follows.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "media/encoder.h"
#include "pipeline/live_internal.h"
#include "pipeline/stage_rung.h"

// --- the camera's text ------------------------------------------------------------------------

static bool parse_aspect(const char *text, double *aspect)
{
    const char *colon = strchr(text, ':');
    double w, h = 1;
    char left[32];
    if (!colon)
        return sc_parse_double(text, 1.0 / 16, 16, aspect);
    if ((size_t)(colon - text) >= sizeof(left))
        return false;
    snprintf(left, sizeof(left), "%.*s", (int)(colon - text), text);
    if (!sc_parse_double(left, 1e-3, 1e6, &w) || !sc_parse_double(colon + 1, 1e-3, 1e6, &h))
        return false;
    *aspect = w / h;
    return *aspect >= 1.0 / 16 && *aspect <= 16;
}

static int set_camera(struct sc_live_camera *camera, const char *key, const char *value,
                      sc_err *err)
{
    if (!strcmp(key, "follow")) {
        if (strlen(value) >= sizeof(camera->follow))
            return sc_fail_field(err, SC_EARG, "camera", "camera: follow is too long");
        snprintf(camera->follow, sizeof(camera->follow), "%s", value);
    } else if (!strcmp(key, "aspect")) {
        if (!parse_aspect(value, &camera->aspect))
            return sc_fail_field(err, SC_EARG, "camera",
                                 "camera: aspect=%s must be W:H, from 1:16 to 16:1", value);
    } else if (!strcmp(key, "zoom")) {
        if (!sc_parse_double(value, 1, 32, &camera->zoom))
            return sc_fail_field(err, SC_EARG, "camera", "camera: zoom=%s must be 1 to 32",
                                 value);
    } else if (!strcmp(key, "ahead")) {
        if (!sc_parse_duration(value, 0, 5 * SC_NS_PER_S, &camera->ahead_ns))
            return sc_fail_field(err, SC_EARG, "camera",
                                 "camera: ahead=%s must be a time up to 5s, such as 500ms",
                                 value);
    } else {
        return sc_fail_field(err, SC_EARG, "camera",
                             "camera: no such key as %s; there are follow, aspect, zoom, ahead",
                             key);
    }
    return SC_OK;
}

int sc_live_camera_parse(struct sc_live_camera *camera, const char *text, sc_err *err)
{
    char *copy = sc_xstrdup(text), *save = NULL;
    int ret = SC_OK;
    *camera = (struct sc_live_camera){.on = true};
    for (char *pair = strtok_r(copy, ",", &save); pair && ret >= 0;
         pair = strtok_r(NULL, ",", &save)) {
        char *value = strchr(pair, '=');
        if (value)
            *value++ = '\0';
        ret = value ? set_camera(camera, pair, value, err)
                    : sc_fail_field(err, SC_EARG, "camera",
                                    "camera: %s has no value; write follow=ball,aspect=16:9",
                                    pair);
    }
    free(copy);
    return ret;
}

// --- whom the camera follows ------------------------------------------------------------------

static int class_of(const struct sc_live_model *model, const char *name)
{
    int64_t number;
    for (int i = 0; i < model->classes && model->labels; i++)
        if (!strcasecmp(model->labels[i], name))
            return i;
    return sc_parse_int(name, 0, model->classes - 1, &number) ? (int)number : -1;
}

static int follow_classes(struct sc_live *live, const char *names, sc_err *err)
{
    char copy[256], *save = NULL;
    snprintf(copy, sizeof(copy), "%s", names);
    for (char *name = strtok_r(copy, "+", &save); name; name = strtok_r(NULL, "+", &save)) {
        int cls = class_of(&live->params.model, name);
        if (cls < 0)
            return sc_fail_field(err, SC_EARG, "camera",
                                 "camera: the model %s knows no class %s",
                                 live->params.model.name, name);
        if (live->camera.lead_count == SC_CAMERA_CLASSES)
            return sc_fail_field(err, SC_EARG, "camera", "camera: too many classes to follow");
        live->camera_leads[live->camera.lead_count++] = cls;
    }
    return SC_OK;
}

static int settle_camera(struct sc_live *live, sc_err *err)
{
    const struct sc_live_camera *wanted = &live->params.camera;
    struct sc_camera_params *camera = &live->camera;
    int64_t track;
    if (!wanted->on)
        return SC_OK;
    if (!live->params.model.batcher)
        return sc_fail_field(err, SC_EARG, "camera",
                             "the camera follows what a model finds: choose a model");
    *camera = (struct sc_camera_params){
        .aspect = wanted->aspect,
        .max_zoom = wanted->zoom,
        .threshold = live->threshold,
        .ahead_ns = wanted->ahead_ns ? wanted->ahead_ns
                    : live->timed    ? 0
                                     : SC_NS_PER_S,
        .classes = live->camera_classes,
        .leads = live->camera_leads,
    };
    if (!wanted->follow[0] || !strcmp(wanted->follow, "action"))
        return SC_OK;
    if (!strncmp(wanted->follow, "track:", 6)) {
        if (!sc_parse_int(wanted->follow + 6, 1, INT64_MAX, &track))
            return sc_fail_field(err, SC_EARG, "camera",
                                 "camera: follow=%s must be a number as in track:7",
                                 wanted->follow);
        camera->track = track;
        camera->follow = SC_CAMERA_SUBJECT;
        live->params.track = true;
        return SC_OK;
    }
    return follow_classes(live, wanted->follow, err);
}

// --- the rest ---------------------------------------------------------------------------------

// Sources that cannot be made to wait. What comes over HTTP can, as a file can.
static bool sets_the_pace(const char *url)
{
    static const char *const schemes[] = {"rtmp", "rtmps", "rtsp", "rtsps", "srt", "udp"};
    const char *end = strstr(url, "://");
    for (size_t i = 0; end && i < SC_COUNT(schemes); i++)
        if ((size_t)(end - url) == strlen(schemes[i]) &&
            !strncasecmp(url, schemes[i], strlen(schemes[i])))
            return true;
    return false;
}

static const char *keep(struct sc_live *live, const char *text)
{
    if (!text)
        return NULL;
    sc_require(live->text_count < (int)SC_COUNT(live->texts));
    return live->texts[live->text_count++] = sc_xstrdup(text);
}

static bool is_bitrate(int64_t bitrate)
{
    return !bitrate || (bitrate >= SC_LIVE_BITRATE_MIN && bitrate <= SC_LIVE_BITRATE_MAX);
}

static bool is_side(int side)
{
    return side >= 0 && side <= 8192 && side % 2 == 0;
}

static int check_rungs(const struct sc_live_params *p, sc_err *err)
{
    const AVCodec *codec;
    if (p->rung_count < 0 || p->rung_count > SC_LIVE_RUNGS)
        return sc_fail_field(err, SC_EARG, "rungs", "there may be %d rungs", SC_LIVE_RUNGS);
    for (int i = 0; i < p->rung_count; i++) {
        const struct sc_live_rung *rung = &p->rungs[i];
        if (!is_side(rung->width) || !is_side(rung->height) || !is_bitrate(rung->bitrate) ||
            !(rung->fps >= 0 && rung->fps <= 1000))
            return sc_fail_field(
                err, SC_EARG, "rungs",
                "rung %d: sides must be even and at most 8192, fps up to 1000, "
                "the bitrate 10,000 to 1,000,000,000",
                i);
        int ret = sc_encoder_find(&codec, sc_live_codec_encoder(rung->codec), err);
        if (ret < 0)
            return ret;
    }
    return SC_OK;
}

static int check(const struct sc_live_params *p, sc_err *err)
{
    if (!p->input.url || !p->input.url[0])
        return sc_fail_field(err, SC_EARG, "input", "an input is needed: an address or a file");
    if (!is_side(p->width) || !is_side(p->height))
        return sc_fail_field(err, SC_EARG, is_side(p->width) ? "height" : "width",
                             "the picture's sides must be even and at most 8192");
    if (p->fps < 0 || p->fps > 1000)
        return sc_fail_field(err, SC_EARG, "fps", "fps must be up to 1000");
    if (!is_bitrate(p->bitrate))
        return sc_fail_field(err, SC_EARG, "bitrate",
                             "the bitrate must be 10,000 to 1,000,000,000 bits a second");
    if (p->delay_ns < 0 || p->delay_ns > 10 * SC_NS_PER_S)
        return sc_fail_field(err, SC_EARG, "delay", "the delay must be at most 10 s");
    if ((p->track || p->overlay || p->lines) && !p->model.batcher)
        return sc_fail_field(err, SC_EARG,
                             p->track     ? "track"
                             : p->overlay ? "overlay"
                                          : "lines",
                             "there is nothing to %s without a model: choose one",
                             p->track     ? "track"
                             : p->overlay ? "draw"
                                          : "write");
    return SC_OK;
}

// What would fail later, but for good.
static int check_outputs(struct sc_live *live, const struct sc_live_params *p, sc_err *err)
{
    const AVCodec *codec;
    for (int i = 0; i < SC_LIVE_OUTPUTS && p->outputs[i]; i++) {
        sc_err why = {0};
        int ret = sc_live_output_check(p->outputs[i], &live->kinds[i], &why);
        if (ret < 0)
            return sc_fail_field(err, ret, "outputs", "%s", sc_err_text(&why, ret));
    }
    return p->codec ? sc_encoder_find(&codec, p->codec, err) : SC_OK;
}

int sc_live_settle(struct sc_live *live, const struct sc_live_params *params, sc_err *err)
{
    struct sc_live_params *p = &live->params;
    int ret = check(params, err);
    if (ret >= 0)
        ret = check_outputs(live, params, err);
    if (ret >= 0)
        ret = check_rungs(params, err);
    if (ret < 0)
        return ret;
    *p = *params;
    p->name = keep(live, params->name ? params->name : "live");
    p->input.url = keep(live, params->input.url);
    p->input.transport = keep(live, params->input.transport);
    p->lines = keep(live, params->lines);
    p->codec = keep(live, params->codec);
    p->preset = keep(live, params->preset);
    p->trace_path = keep(live, params->trace_path);
    bool net = false;
    while (live->output_count < SC_LIVE_OUTPUTS && params->outputs[live->output_count]) {
        net |= live->kinds[live->output_count].network;
        p->outputs[live->output_count] = keep(live, params->outputs[live->output_count]);
        live->output_count++;
    }
    bool pushed = sets_the_pace(p->input.url);
    live->timed = p->realtime || p->viewers || p->rung_count || net || pushed;
    live->paced = live->timed && !pushed;
    p->input.low_latency = live->timed;
    live->threshold = p->threshold > 0 ? p->threshold : p->model.threshold;
    if (!p->delay_ns)
        p->delay_ns = 200 * SC_NS_PER_MS;
    if (!live->output_count && !p->viewers && !p->rung_count && !p->lines)
        return sc_fail_field(err, SC_EARG, "outputs",
                             "an output is needed: a file, an address, or lines of detections");
    return settle_camera(live, err);
}
