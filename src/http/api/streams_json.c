// A live stream as JSON: the resource, and its figures.
#include <math.h>

#include "base/clock.h"
#include "http/api/streams.h"
#include "http/api/video.h"
#include "http/api/webrtc.h"

bool sc_api_streams_get(sc_request *req, bool figures, struct sc_streams_status *status)
{
    const char *id = sc_request_param(req, "id");
    sc_streams *streams = sc_app_streams(sc_request_app(req));
    if (!sc_video_id_valid(id))
        sc_reply_problem(req, 400, "id", "an id is 1 to 64 letters, digits, _ or -");
    else if (sc_streams_get(streams, id, figures, status))
        sc_reply_problem(req, 404, "id", "there is no stream %s", id);
    else
        return true;
    return false;
}

// Text from outside may be cut within a character.
static json_t *text_or_null(const char *text)
{
    json_t *json = text[0] ? json_string(text) : NULL;
    if (!json && text[0])
        json = json_string("it cannot be told in UTF-8");
    return json ? json : json_null();
}

static json_t *ms(int64_t ns)
{
    return sc_api_number(round((double)ns / 1e4) / 100);
}

static json_t *seconds(int64_t ns)
{
    return sc_api_number(round((double)ns / 1e6) / 1000);
}

static json_t *rate(double fps)
{
    return sc_api_number(round(fps * 100) / 100);
}

json_t *sc_api_stream_json(sc_app *app, const struct sc_streams_status *status)
{
    char created[40];
    json_t *json = json_pack(
        "{s:s, s:s, s:o, s:s, s:I, s:o}", "id", status->id, "state",
        sc_streams_state_name(status->state), "reason", text_or_null(status->reason), "created",
        sc_clock_format(created, status->created_ns), "restarts", (json_int_t)status->restarts,
        "retry_in", status->retry_ns ? seconds(status->retry_ns) : json_null());
    json_object_update(json, status->spec);
    json_object_set_new(json, "mjpeg_url",
                        json_sprintf("/api/v1/streams/%s/stream.mjpeg", status->id));
    const json_t *camera = json_object_get(status->spec, "camera");
    if (camera && !json_is_false(camera))
        json_object_set_new(
            json, "wide_url",
            json_sprintf("/api/v1/streams/%s/stream.mjpeg?view=wide", status->id));
    json_object_set_new(json, "hls_url",
                        json_sprintf("/api/v1/streams/%s/hls/index.m3u8", status->id));
    json_object_set_new(json, "stats_url",
                        json_sprintf("/api/v1/streams/%s/stats", status->id));
    if (sc_api_webrtc_available(app))
        json_object_set_new(json, "whep_url",
                            json_sprintf("/api/v1/streams/%s/whep", status->id));
    return json;
}

// --- figures ------------------------------------------------------------------------------

static json_t *output_json(const char *url, const struct sc_live_output_info *info)
{
    return json_pack("{s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "url",
                     text_or_null(url), "kind", info->kind ? info->kind : "", "state",
                     sc_live_output_state_name(info->state), "reason",
                     text_or_null(info->reason), "frames", (json_int_t)info->frames, "sounds",
                     (json_int_t)info->sounds, "bytes", (json_int_t)info->bytes, "drops",
                     (json_int_t)info->drops, "retries", (json_int_t)info->retries, "queued",
                     (json_int_t)info->queued, "retry_in",
                     info->wait_ns > 0 ? seconds(info->wait_ns) : json_null());
}

static json_t *outputs_json(const struct sc_live_status *live)
{
    json_t *array = json_array();
    for (int i = 0; i < live->output_count && i < SC_LIVE_OUTPUTS; i++)
        json_array_append_new(array, output_json(live->outputs[i].url, &live->outputs[i].info));
    return array;
}

// What the stage itself dropped, and the queues before it.
static json_t *drops_json(const struct sc_graph_stats *graph, int stage)
{
    json_t *json = json_object();
    for (int reason = 0; reason < SC_DROPS; reason++) {
        uint64_t count = graph->stages[stage].dropped[reason];
        for (int i = 0; i < graph->link_count; i++)
            if (graph->links[i].to == stage)
                count += graph->links[i].dropped[reason];
        if (count)
            json_object_set_new(json, sc_drop_name((enum sc_drop)reason),
                                json_integer((json_int_t)count));
    }
    return json;
}

static json_t *stage_json(const struct sc_graph_stats *graph, int i)
{
    const struct sc_stage_stats *stage = &graph->stages[i];
    size_t queue = 0, room = 0;
    for (int k = 0; k < graph->link_count; k++) {
        if (graph->links[k].to != i)
            continue;
        queue += graph->links[k].items;
        room += graph->links[k].max_items;
    }
    double busy = graph->run_ns > 0 ? (double)stage->busy_ns / (double)graph->run_ns : 0;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "name",
                     stage->name, "kind", stage->kind, "busy",
                     sc_api_number(round(busy * 1e4) / 1e4), "latency_p50_ms",
                     ms(stage->latency_p50_ns), "latency_p95_ms", ms(stage->latency_p95_ns),
                     "taken", (json_int_t)stage->taken, "emitted", (json_int_t)stage->emitted,
                     "queue", (json_int_t)queue, "queue_max", (json_int_t)room, "drops",
                     drops_json(graph, i), "error", text_or_null(stage->error));
}

static json_t *stages_json(const struct sc_graph_stats *graph)
{
    json_t *array = json_array();
    for (int i = 0; i < graph->stage_count; i++)
        json_array_append_new(array, stage_json(graph, i));
    return array;
}

static json_t *source_json(const struct sc_live_status *live)
{
    return json_pack("{s:o, s:i, s:i, s:o, s:b, s:b, s:I, s:I, s:i}", "codec",
                     text_or_null(live->codec), "width", live->width, "height", live->height,
                     "fps", rate(live->fps), "sound", live->sound, "live", live->live,
                     "reconnects", (json_int_t)live->reconnects, "damaged",
                     (json_int_t)live->damaged, "attempt", live->attempt);
}

static json_t *picture_json(const struct sc_live_status *live)
{
    return json_pack("{s:i, s:i, s:o, s:I, s:I, s:I, s:o, s:o}", "width", live->out_width,
                     "height", live->out_height, "fps", rate(live->out_fps), "frames",
                     (json_int_t)live->frames, "encoded", (json_int_t)live->encoded, "late",
                     (json_int_t)live->late, "latency_p50_ms", ms(live->latency_p50_ns),
                     "latency_p95_ms", ms(live->latency_p95_ns));
}

static json_t *detection_json(const struct sc_live_status *live)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:i, s:I}", "detected", (json_int_t)live->detected,
                     "late", (json_int_t)live->detect_late, "fps", rate(live->detect_fps),
                     "latency_p50_ms", ms(live->detect_p50_ns), "objects", live->objects,
                     "objects_so_far", (json_int_t)live->objects_so_far);
}

// The encodings that WebRTC viewers share.
static json_t *rungs_json(sc_app *app, const char *id)
{
    struct sc_live_rung_figures rungs[SC_LIVE_RUNGS];
    json_t *array = json_array();
    int count = sc_streams_get_rungs(sc_app_streams(app), id, rungs, SC_LIVE_RUNGS);
    for (int i = 0; i < count; i++)
        json_array_append_new(
            array,
            json_pack("{s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:f}", "viewers", rungs[i].taps,
                      "width", rungs[i].width, "height", rungs[i].height, "bitrate",
                      (json_int_t)rungs[i].bitrate, "pictures", (json_int_t)rungs[i].pictures,
                      "keyframes", (json_int_t)rungs[i].keys, "bytes",
                      (json_int_t)rungs[i].bytes, "busy", rungs[i].busy));
    return array;
}

json_t *sc_api_stream_stats_json(sc_app *app, const struct sc_streams_status *status)
{
    const struct sc_live_status *live = &status->live;
    json_t *json =
        json_pack("{s:s, s:s, s:o, s:I, s:o}", "id", status->id, "state",
                  sc_streams_state_name(status->state), "reason", text_or_null(status->reason),
                  "restarts", (json_int_t)status->restarts, "retry_in",
                  status->retry_ns ? seconds(status->retry_ns) : json_null());
    if (!status->has_live)
        return json;
    json_object_set_new(json, "uptime", seconds(live->uptime_ns));
    json_object_set_new(json, "viewers", json_integer(live->viewers));
    if (sc_app_webrtc(app))
        json_object_set_new(json, "viewers_webrtc",
                            sc_webrtc_viewers_json(sc_app_webrtc(app), status->id));
    json_object_set_new(json, "rungs", rungs_json(app, status->id));
    json_object_set_new(json, "pipeline",
                        json_pack("{s:s, s:s}", "name",
                                  live->choice.name ? live->choice.name : "", "reason",
                                  live->choice.reason));
    json_object_set_new(json, "source", source_json(live));
    json_object_set_new(json, "picture", picture_json(live));
    if (json_object_get(status->spec, "model"))
        json_object_set_new(json, "detection", detection_json(live));
    json_object_set_new(json, "outputs", outputs_json(live));
    json_object_set_new(json, "stages", stages_json(&status->graph));
    return json;
}
