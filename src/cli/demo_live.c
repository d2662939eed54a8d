#include "cli/demo_live.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "base/pool.h"
#include "cli/command.h"

#define FPS      15 // on small machines: leaves half of them to whoever tries the page
#define PICTURES 30 // to wait for
#define WAIT_NS  (20 * SC_NS_PER_S)
#define STREAMS  "/api/v1/streams"

static int post(const struct sc_demo_live *live, struct sc_reply *reply, sc_err *err)
{
    sc_str spec = {0};
    sc_str_addf(&spec,
                "{\"id\":\"" SC_DEMO_STREAM "\",\"input\":\"video:%s\",\"loop\":true,"
                "\"realtime\":true,\"fps\":%d,\"model\":\"%s\",\"track\":true}",
                live->video, sc_cpu_count() < 4 ? FPS : 0, live->model);
    int ret = sc_client_post_json(live->client, STREAMS, spec.s, reply, err);
    sc_str_release(&spec);
    return ret;
}

static int start(const struct sc_demo_live *live, bool *pstarted, sc_err *err)
{
    struct sc_reply reply;
    int64_t end = sc_clock_now() + WAIT_NS;
    int ret = post(live, &reply, err);
    while (ret >= 0 && reply.status == 503 && sc_clock_now() < end &&
           !sc_cancel_requested(sc_cli_cancel())) { // the model is being loaded
        sc_client_release(&reply);
        sc_clock_sleep(SC_NS_PER_S / 10);
        ret = post(live, &reply, err);
    }
    if (ret < 0)
        return ret;
    *pstarted = reply.status == 201;
    if (!*pstarted && !live->json)
        printf("no live stream: the server answered %d: %.200s\n\n", reply.status,
               sc_str_get(&reply.body));
    sc_client_release(&reply);
    return SC_OK;
}

struct figures {
    json_int_t detected, objects;    // the most of a look, as a late picture has none
    double detection_ms, latency_ms; // medians
};

static int look(const struct sc_demo_live *live, struct figures *figures, sc_err *err)
{
    struct sc_reply reply;
    json_int_t objects = 0;
    int ret =
        sc_client_get(live->client, STREAMS "/" SC_DEMO_STREAM "/stats?once=true", &reply, err);
    if (ret < 0)
        return ret;
    json_t *root = json_loadb(sc_str_get(&reply.body), reply.body.len, 0, NULL);
    json_unpack(root, "{s:{s:F}, s:{s:I, s:I, s:F}}", "picture", "latency_p50_ms",
                &figures->latency_ms, "detection", "detected", &figures->detected, "objects",
                &objects, "latency_p50_ms", &figures->detection_ms);
    json_decref(root);
    sc_client_release(&reply);
    figures->objects = objects > figures->objects ? objects : figures->objects;
    return SC_OK;
}

int sc_demo_live(const struct sc_demo_live *live, bool *pstarted, int *pfailures, sc_err *err)
{
    struct figures figures = {0};
    int ret = start(live, pstarted, err);
    int64_t end = sc_clock_now() + WAIT_NS;
    if (ret < 0 || !*pstarted)
        return ret;
    while (ret >= 0 && figures.detected < PICTURES && sc_clock_now() < end &&
           !sc_cancel_requested(sc_cli_cancel())) {
        sc_clock_sleep(SC_NS_PER_S / 10);
        ret = look(live, &figures, err);
    }
    if (ret < 0)
        return ret;
    *pfailures += !figures.detected;
    printf(live->json ? "{\"stream\":\"" SC_DEMO_STREAM "\",\"detected\":%" PRId64
                        ",\"objects\":%" PRId64 ",\"detection_ms\":%.1f,\"latency_ms\":%.1f}\n"
                      : "live stream     " SC_DEMO_STREAM ": %" PRId64
                        " pictures looked at, up to %" PRId64
                        " objects; %.0f ms a detection, %.0f ms from source to "
                        "picture\n\n",
           (int64_t)figures.detected, (int64_t)figures.objects, figures.detection_ms,
           figures.latency_ms);
    return SC_OK;
}
