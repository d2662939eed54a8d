// Streams of stored videos, for those who watch: made or joined by what is asked for, gone some time
// after the last one has.
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "app/ids.h"
#include "app/webrtc_internal.h"
#include "base/clock.h"
#include "base/mem.h"

// --- what is asked for --------------------------------------------------------------------

enum kind { TEXT, BOOL, INT, NUM };

// Fields that go to the stream as they are; it checks them.
static const struct {
    const char *name;
    enum kind kind;
} passed[] = {
    {"fps", NUM},     {"width", INT},  {"height", INT}, {"bitrate", INT},
    {"quality", INT}, {"clock", BOOL}, {"track", BOOL}, {"threshold", NUM},
};

static int check_names(const json_t *spec, sc_err *err)
{
    static const char *const own[] = {"video_id", "inference_enabled", "model", "overlay"};
    const char *key;
    json_t *value;
    if (!json_is_object(spec))
        return sc_fail_field(err, SC_EARG, "body", "a JSON object is expected");
    json_object_foreach((json_t *)spec, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < SC_COUNT(own); i++)
            known |= !strcmp(key, own[i]);
        for (size_t i = 0; i < SC_COUNT(passed); i++)
            known |= !strcmp(key, passed[i].name);
        if (!known)
            return sc_fail_field(err, SC_EARG, key, "there is no field %.60s", key);
    }
    return SC_OK;
}

static int take_bool(const json_t *spec, const char *name, bool *out, sc_err *err)
{
    const json_t *value = json_object_get(spec, name);
    if (value && !json_is_boolean(value))
        return sc_fail_field(err, SC_EARG, name, "%s must be true or false", name);
    *out = json_is_true(value);
    return SC_OK;
}

// Boxes are drawn on the pictures where detection is asked for, unless "overlay" says no: then they come on
// the data channel only.
static int add_inference(json_t *stream, const json_t *spec, sc_err *err)
{
    const json_t *model = json_object_get(spec, "model");
    bool on = false, overlay = false;
    int ret = take_bool(spec, "inference_enabled", &on, err);
    if (!ret)
        ret = take_bool(spec, "overlay", &overlay, err);
    if (ret)
        return ret;
    if (model && !json_is_string(model))
        return sc_fail_field(err, SC_EARG, "model", "model must be a name");
    if (!on && !model)
        return SC_OK;
    json_object_set_new(stream, "model",
                        model ? json_incref((json_t *)model) : json_string(""));
    if (!json_object_get(spec, "track"))
        json_object_set_new(stream, "track", json_true());
    json_object_set_new(stream, "overlay",
                        json_boolean(overlay || !json_object_get(spec, "overlay")));
    return SC_OK;
}

static int make_spec(const json_t *spec, json_t *stream, sc_err *err)
{
    const char *video = json_string_value(json_object_get(spec, "video_id"));
    if (!video || !sc_id_valid(video))
        return sc_fail_field(err, SC_EARG, "video_id", "video_id must name a stored video");
    sc_str input = {0};
    sc_str_addf(&input, "video:%s", video);
    json_object_set_new(stream, "input", json_string(sc_str_get(&input)));
    sc_str_release(&input);
    json_object_set_new(stream, "realtime", json_true());
    json_object_set_new(stream, "loop", json_true());
    json_object_set_new(stream, "restart", json_string("never"));
    for (size_t i = 0; i < SC_COUNT(passed); i++) {
        json_t *value = json_object_get(spec, passed[i].name);
        if (value && !json_is_null(value))
            json_object_set(stream, passed[i].name, value);
    }
    return add_inference(stream, spec, err);
}

// The same wish has the same name.
static void name_it(const json_t *spec, const json_t *stream, char id[65])
{
    char *text = json_dumps(stream, JSON_SORT_KEYS | JSON_COMPACT);
    uint64_t hash = text ? XXH3_64bits(text, strlen(text)) : 0;
    free(text);
    snprintf(id, 65, "%.40s-%016llx", json_string_value(json_object_get(spec, "video_id")),
             (unsigned long long)hash);
}

// --- making -------------------------------------------------------------------------------

// Under lock. It is noted before it is made, so that it cannot expire in between.
static struct sc_webrtc_passing *note(sc_webrtc *webrtc, const char *id)
{
    struct sc_webrtc_passing *p = webrtc->passing;
    while (p && strcmp(p->stream, id))
        p = p->next;
    if (!p) {
        p = sc_new(struct sc_webrtc_passing);
        snprintf(p->stream, sizeof(p->stream), "%s", id);
        p->next = webrtc->passing;
        webrtc->passing = p;
    }
    p->unused_ns = sc_clock_now();
    return p;
}

// One that has ended or failed makes room for a new try.
static bool runs(sc_webrtc *webrtc, const char *id)
{
    struct sc_streams_status status;
    if (sc_streams_get(webrtc->streams, id, false, &status))
        return false;
    bool over = status.state == SC_STREAMS_ENDED || status.state == SC_STREAMS_FAILED;
    sc_streams_status_release(&status);
    if (over)
        sc_streams_delete(webrtc->streams, id);
    return !over;
}

static int make_or_join(sc_webrtc *webrtc, json_t *stream, char id[65], sc_err *err)
{
    pthread_mutex_lock(&webrtc->lock);
    bool closing = webrtc->closing;
    if (!closing)
        note(webrtc, id);
    webrtc->wanted = true;
    sc_webrtc_poke(webrtc);
    pthread_mutex_unlock(&webrtc->lock);
    if (closing)
        return sc_fail(err, SC_ECANCELLED, "the server is shutting down");
    if (runs(webrtc, id))
        return SC_OK;
    json_object_set_new(stream, "id", json_string(id));
    int ret = sc_streams_add_passing(webrtc->streams, stream, id, err);
    if (ret == SC_EEXISTS) // somebody was faster
        ret = SC_OK;
    if (ret && !strcmp(err->field, "input"))
        snprintf(err->field, sizeof(err->field), "video_id");
    return ret;
}

int sc_webrtc_start(sc_webrtc *webrtc, const json_t *spec, char id[65], sc_err *err)
{
    if (!webrtc->settings->on)
        return sc_fail_field(err, SC_EUNSUPPORTED, "webrtc",
                             "WebRTC is switched off (option webrtc)");
    json_t *stream = json_object();
    int ret = check_names(spec, err);
    if (!ret)
        ret = make_spec(spec, stream, err);
    if (!ret) {
        name_it(spec, stream, id);
        ret = make_or_join(webrtc, stream, id, err);
    }
    json_decref(stream);
    return ret;
}

// --- the end ------------------------------------------------------------------------------

struct removal {
    sc_streams *streams;
    char id[65];
};

static void remove_work(void *arg)
{
    struct removal *removal = arg;
    sc_streams_delete(removal->streams, removal->id);
    free(removal);
}

// It takes a while, so somebody else does it.
static void remove_stream(sc_webrtc *webrtc, const char *id)
{
    struct removal *removal = sc_new(struct removal);
    removal->streams = webrtc->streams;
    snprintf(removal->id, sizeof(removal->id), "%s", id);
    if (sc_pool_post(webrtc->pool, SC_PRIO_NORMAL, remove_work, removal))
        remove_work(removal);
}

// MJPEG viewers; not under lock.
static bool has_viewers(sc_webrtc *webrtc, const char *id)
{
    struct sc_streams_status status;
    if (sc_streams_get(webrtc->streams, id, true, &status))
        return false;
    bool has = status.has_live && status.live.viewers > 0;
    sc_streams_status_release(&status);
    return has;
}

// Under lock.
static bool has_sessions(const sc_webrtc *webrtc, const char *id)
{
    bool has = false;
    for (const struct sc_webrtc_watched *w = webrtc->watched; w; w = w->next)
        has |= !strcmp(w->stream, id) && w->users;
    return has;
}

void sc_webrtc_expire(sc_webrtc *webrtc)
{
    pthread_mutex_lock(&webrtc->lock);
    struct sc_webrtc_passing **at = &webrtc->passing;
    while (*at) { // new ones are put in front, and only this thread takes any out
        struct sc_webrtc_passing *p = *at;
        pthread_mutex_unlock(&webrtc->lock);
        bool used = has_viewers(webrtc, p->stream);
        pthread_mutex_lock(&webrtc->lock);
        used |= has_sessions(webrtc, p->stream); // who joined meanwhile, too
        int64_t now = sc_clock_now();
        if (used)
            p->unused_ns = now;
        if (!used && now - p->unused_ns > webrtc->settings->linger_ns) {
            for (at = &webrtc->passing; *at != p; at = &(*at)->next)
                ;
            *at = p->next;
            remove_stream(webrtc, p->stream);
            free(p);
        } else {
            at = &p->next;
        }
    }
    pthread_mutex_unlock(&webrtc->lock);
}
