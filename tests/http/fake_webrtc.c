#include "fake_webrtc.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct fake_webrtc fake_webrtc;

struct sc_webrtc {
    int unused;
};
static sc_webrtc the_one;

sc_webrtc *sc_app_webrtc(sc_app *app)
{
    (void)app;
    return fake_webrtc.off ? NULL : &the_one;
}

void sc_webrtc_get_info(sc_webrtc *webrtc, struct sc_webrtc_info *info)
{
    (void)webrtc;
    *info = (struct sc_webrtc_info){.available = !fake_webrtc.missing,
                                    .viewers = fake_webrtc.session,
                                    .sessions = fake_webrtc.offers};
}

const char *const *sc_webrtc_links(const sc_webrtc *webrtc)
{
    static const char *const links[] = {
        "<stun:stun.example:3478>; rel=\"ice-server\"",
        "<turn:turn.example:3478>; rel=\"ice-server\"; username=\"me\"; credential=\"hush\"; "
        "credential-type=\"password\"",
        NULL};
    (void)webrtc;
    return links;
}

static int scripted(sc_err *err)
{
    if (!fake_webrtc.ret)
        return SC_OK;
    return sc_fail_field(err, fake_webrtc.ret, fake_webrtc.field ? fake_webrtc.field : "",
                         "as the script says");
}

static int take(const char *wanted, const char *stream, const char *offer, size_t size,
                struct sc_webrtc_answer *answer, sc_err *err)
{
    int ret = scripted(err);
    if (ret)
        return ret;
    if (strcmp(stream, wanted))
        return sc_fail_field(err, SC_ENOTFOUND, "id", "there is no stream %s", stream);
    if (size < 4 || memcmp(offer, "v=0", 3))
        return sc_fail(err, SC_EARG, "line 1: v= must be here");
    fake_webrtc.offers++;
    fake_webrtc.session = true;
    snprintf(fake_webrtc.etag, sizeof(fake_webrtc.etag), "e%d", fake_webrtc.offers);
    snprintf(fake_webrtc.said, sizeof(fake_webrtc.said), "%.*s", (int)size, offer);
    snprintf(answer->session, sizeof(answer->session), "%s", FAKE_SESSION);
    snprintf(answer->etag, sizeof(answer->etag), "%s", fake_webrtc.etag);
    answer->sdp = sc_xcalloc(1, 3000);
    memset(answer->sdp, 'x', 2999); // large enough to be packed, if it were
    memcpy(answer->sdp, "v=0\r\n", 5);
    return SC_OK;
}

int sc_webrtc_watch(sc_webrtc *webrtc, const char *stream, const char *offer, size_t size,
                    struct sc_webrtc_answer *answer, sc_err *err)
{
    (void)webrtc;
    return take("door", stream, offer, size, answer, err);
}

int sc_webrtc_publish(sc_webrtc *webrtc, const char *stream, const char *offer, size_t size,
                      struct sc_webrtc_answer *answer, sc_err *err)
{
    (void)webrtc;
    return take("inlet", stream, offer, size, answer, err);
}

void sc_webrtc_answer_release(struct sc_webrtc_answer *answer)
{
    free(answer->sdp);
    answer->sdp = NULL;
}

static bool known(const struct sc_webrtc_name *name)
{
    const char *stream = name->kind == SC_WEBRTC_WHEP ? "door" : "inlet";
    return fake_webrtc.session && !strcmp(name->session, FAKE_SESSION) &&
           !strcmp(name->stream, stream);
}

int sc_webrtc_trickle(sc_webrtc *webrtc, const struct sc_webrtc_name *name, const char *etag,
                      const char *fragment, size_t size, char **answer, char etag_out[17],
                      sc_err *err)
{
    (void)webrtc;
    *answer = NULL;
    int ret = scripted(err);
    if (ret)
        return ret;
    if (!known(name))
        return sc_fail(err, SC_ENOTFOUND, "no such session");
    if (!size)
        return sc_fail(err, SC_EARG, "the text is empty");
    snprintf(fake_webrtc.said, sizeof(fake_webrtc.said), "%.*s", (int)size, fragment);
    fake_webrtc.fragments++;
    if (!strcmp(etag, "*")) {
        *answer = sc_xstrdup("a=ice-ufrag:new1\r\n");
        snprintf(etag_out, 17, "r%d", fake_webrtc.fragments);
        snprintf(fake_webrtc.etag, sizeof(fake_webrtc.etag), "%s", etag_out);
        return SC_OK;
    }
    return strcmp(etag, fake_webrtc.etag) ? sc_fail(err, SC_ESTALE, "another ETag") : SC_OK;
}

int sc_webrtc_end(sc_webrtc *webrtc, const struct sc_webrtc_name *name)
{
    (void)webrtc;
    if (!known(name))
        return SC_ENOTFOUND;
    fake_webrtc.session = false;
    return SC_OK;
}

int sc_webrtc_start(sc_webrtc *webrtc, const json_t *spec, char id[65], sc_err *err)
{
    (void)webrtc;
    int ret = scripted(err);
    if (ret)
        return ret;
    if (!json_is_string(json_object_get(spec, "video_id")))
        return sc_fail_field(err, SC_EARG, "video_id", "video_id is missing");
    snprintf(id, 65, "door");
    return SC_OK;
}

json_t *sc_webrtc_viewers_json(sc_webrtc *webrtc, const char *stream)
{
    (void)webrtc;
    json_t *array = json_array();
    if (fake_webrtc.session)
        json_array_append_new(array,
                              json_pack("{s:s, s:s}", "session", "012345", "stream", stream));
    return array;
}
