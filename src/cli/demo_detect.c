#include "cli/demo_detect.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "media/scene.h"

#define MODEL   SC_DEMO_MODEL
#define FRAMES  8
#define WAIT_NS (30 * SC_NS_PER_S) // for the model to be loaded

struct row {
    int64_t n;
    int found, truth;
    char inference[32], provider[32];
    double ms;
};

// True once the model is ready or why says why it will not be; false while it is being loaded.
static bool read_state(const struct sc_reply *reply, bool *ready, char *why, size_t size)
{
    json_t *root = json_loadb(sc_str_get(&reply->body), reply->body.len, 0, NULL);
    const char *state = json_string_value(json_object_get(root, "state"));
    const char *reason = json_string_value(json_object_get(root, "reason"));
    *ready = state && !strcmp(state, "ready");
    bool known = !state || strcmp(state, "loading") != 0;
    snprintf(why, size, "%s", reason ? reason : "there is no model " MODEL);
    json_decref(root);
    return known;
}

// *ready false with why: detection cannot be shown.
static int wait_ready(const struct sc_demo_match *match, bool *ready, char *why, size_t size,
                      sc_err *err)
{
    int64_t end = sc_clock_now() + WAIT_NS;
    snprintf(why, size, "the model is still being loaded");
    *ready = false;
    while (sc_clock_now() < end && !sc_cancel_requested(sc_cli_cancel())) {
        struct sc_reply reply = {0};
        int ret = sc_client_get(match->client, "/api/v1/models/" MODEL, &reply, err);
        if (ret < 0)
            return ret;
        bool known = read_state(&reply, ready, why, size);
        sc_client_release(&reply);
        if (known)
            return SC_OK;
        sc_clock_sleep(SC_NS_PER_S / 20);
    }
    return SC_OK;
}

// How many there are to be found.
static int count_clear(sc_scene *scene, int64_t n)
{
    struct sc_scene_box boxes[SC_SCENE_MAX_BOXES];
    int count = sc_scene_boxes(scene, n, boxes), clear = 0;
    for (int i = 0; i < count; i++)
        clear += boxes[i].clear >= SC_SCENE_CLEAR;
    return clear;
}

static int get_row(const struct sc_demo_match *match, sc_scene *scene, struct row *row,
                   sc_err *err)
{
    struct sc_reply reply = {0};
    char path[160], count[16];
    snprintf(path, sizeof(path), "/api/v1/videos/%s/frame?n=%" PRId64 "&model=" MODEL,
             match->video, row->n);
    int ret = sc_client_get(match->client, path, &reply, err);
    if (ret >= 0 && reply.status != 200)
        ret = sc_fail(err, SC_EIO, "%s: the server answered %d: %.200s", path, reply.status,
                      sc_str_get(&reply.body));
    if (ret >= 0) {
        row->found = atoi(sc_client_header(&reply, "X-Count", count, sizeof(count)));
        row->truth = count_clear(scene, row->n);
        row->ms = reply.seconds * 1000;
        sc_client_header(&reply, "X-Inference-Time", row->inference, sizeof(row->inference));
        sc_client_header(&reply, "X-Provider", row->provider, sizeof(row->provider));
    }
    sc_client_release(&reply);
    return ret;
}

static void print_row(const struct sc_demo_match *match, const struct row *row)
{
    if (match->json)
        printf("{\"n\":%" PRId64 ",\"found\":%d,\"there\":%d,\"inference\":\"%s\","
               "\"ms\":%.3f,\"provider\":\"%s\"}\n",
               row->n, row->found, row->truth, row->inference, row->ms, row->provider);
    else
        printf("%8" PRId64 "  %5d of %-5d  %9s  %8.1f ms  %s\n", row->n, row->found, row->truth,
               row->inference, row->ms, row->provider);
}

static int show_rows(const struct sc_demo_match *match, int *pfailures, sc_err *err)
{
    sc_scene *scene = NULL;
    int ret = sc_scene_open(&scene, &(struct sc_scene_params){.seed = match->seed}, err);
    if (ret >= 0 && !match->json)
        printf("   frame    objects      inference    request     with\n");
    for (int i = 0; i < FRAMES && ret >= 0 && !sc_cancel_requested(sc_cli_cancel()); i++) {
        struct row row = {.n = match->frames * i / FRAMES};
        if ((ret = get_row(match, scene, &row, err)) < 0)
            break;
        print_row(match, &row);
        *pfailures += !row.found;
    }
    if (ret >= 0 && !match->json)
        printf("players and the ball, found by the model of models/pitch\n\n");
    sc_scene_close(&scene);
    return ret;
}

int sc_demo_detect(const struct sc_demo_match *match, int *pfailures, sc_err *err)
{
    char why[400];
    bool ready;
    int ret = wait_ready(match, &ready, why, sizeof(why), err);
    if (ret < 0)
        return ret;
    if (!ready) {
        if (!match->json)
            printf("no detection: %s\n\n", why);
        return SC_OK;
    }
    return show_rows(match, pfailures, err);
}
