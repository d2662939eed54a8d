#include "pipeline/stage_track.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "vision/cut.h"

#define REPEAT_NS (200 * SC_NS_PER_MS)

struct track {
    struct sc_stage_track_params params; // defaults filled in
    struct sc_track_figures own;         // where nobody looks
    sc_stage *stage;
    sc_tracker *tracker; // NULL = none
    sc_cut *cut;         // NULL once it cannot look at the pictures
    // The scene, since the last cut:
    int64_t begin_pts_ns;
    bool new_to_tracker; // nothing of it was found yet, and there was one before
    sc_detections *last; // found last, as shown; NULL = nothing yet
    int64_t last_pts_ns;
};

// --- cuts -------------------------------------------------------------------------------------

static bool find_cut(struct track *track, const sc_shot *shot)
{
    bool is_cut = false;
    sc_err err = {0};
    if (!track->cut)
        return false;
    int ret = sc_cut_put(track->cut, shot->frame->av, &is_cut, &err);
    if (ret >= 0)
        return is_cut;
    SC_WARN(track->params.log, "scene cuts are not looked for",
            SC_S("why", sc_err_text(&err, ret)));
    sc_cut_close(&track->cut);
    return false;
}

static void begin_scene(struct track *track, int64_t pts_ns)
{
    track->begin_pts_ns = pts_ns;
    track->new_to_tracker = true;
    sc_detections_unref(&track->last);
    atomic_fetch_add(&track->params.figures->cuts, 1);
}

// --- what is known ----------------------------------------------------------------------------

static bool is_worth_showing(const struct track *track, const struct sc_detection *item)
{
    return item->track || item->score >= track->params.threshold;
}

// found itself where all of it is worth it. Takes found over; never NULL.
static sc_detections *leave_out_weak(const struct track *track, sc_detections *found)
{
    int count = 0;
    for (int i = 0; i < found->count; i++)
        count += is_worth_showing(track, &found->items[i]);
    sc_detections *shown = count < found->count ? sc_detections_new(count) : NULL;
    if (!shown)
        return found;
    shown->width = found->width;
    shown->height = found->height;
    shown->batch = found->batch;
    shown->prepare_ns = found->prepare_ns;
    shown->run_ns = found->run_ns;
    shown->decode_ns = found->decode_ns;
    for (int i = 0, at = 0; i < found->count; i++)
        if (is_worth_showing(track, &found->items[i]))
            shown->items[at++] = found->items[i];
    sc_detections_unref(&found);
    return shown;
}

// Takes what was found at pts_ns into account. What of it is to be shown: the caller's, never NULL.
static sc_detections *take_found(struct track *track, sc_detections *found, int64_t pts_ns)
{
    sc_detections *known = NULL;
    if (track->tracker)
        known = sc_tracker_update(track->tracker, found, pts_ns, track->new_to_tracker);
    if (known)
        track->new_to_tracker = false;
    else
        known = sc_detections_ref(found);
    known = leave_out_weak(track, known);
    sc_detections_unref(&track->last);
    track->last = sc_detections_ref(known);
    track->last_pts_ns = pts_ns;
    return known;
}

static void take_late(struct track *track, sc_shot *shot)
{
    int64_t pts_ns = shot->late_pts_ns;
    bool newest = !track->last || pts_ns > track->last_pts_ns;
    if (shot->late && newest && pts_ns >= track->begin_pts_ns) {
        sc_detections *known = take_found(track, shot->late, pts_ns);
        sc_detections_unref(&known);
    }
    sc_shot_set_late(shot, NULL, 0);
}

// What an undetected picture shows: the caller's, or NULL.
static sc_detections *expect(const struct track *track, int64_t pts_ns)
{
    if (!track->last)
        return NULL;
    if (track->tracker)
        return sc_tracker_predict(track->tracker, pts_ns);
    bool recent = pts_ns - track->last_pts_ns <= track->params.repeat_ns;
    return recent ? sc_detections_ref(track->last) : NULL;
}

static void show_figures(struct track *track, const sc_shot *shot)
{
    struct sc_track_figures *figures = track->params.figures;
    atomic_store(&figures->objects, shot->found ? shot->found->count : 0);
    if (!track->tracker)
        return;
    struct sc_tracker_stats stats;
    sc_tracker_get_stats(track->tracker, &stats);
    atomic_store(&figures->ids, stats.ids);
}

// --- the stage --------------------------------------------------------------------------------

static int track_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct track *)self)->stage = stage;
    return SC_OK;
}

static int track_push(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)in;
    (void)err;
    struct track *track = self;
    sc_shot *shot = sc_shot_own(item.data);
    shot->cut = find_cut(track, shot);
    if (shot->cut)
        begin_scene(track, item.pts_ns);
    take_late(track, shot);
    bool detected = shot->detected && shot->found;
    sc_detections *known =
        detected ? take_found(track, shot->found, item.pts_ns) : expect(track, item.pts_ns);
    sc_shot_set_found(shot, known, detected);
    show_figures(track, shot);
    item.data = shot;
    sc_stage_emit(track->stage, 0, item);
    return SC_OK;
}

static void track_close(void *self)
{
    struct track *track = self;
    sc_detections_unref(&track->last);
    sc_cut_close(&track->cut);
    sc_tracker_close(&track->tracker);
    free(track);
}

static const struct sc_stage_ops track_ops = {
    .kind = "track",
    .open = track_open,
    .push = track_push,
    .close = track_close,
};

static struct track *track_new(const struct sc_stage_track_params *params)
{
    struct track *track = sc_new(struct track);
    track->params = *params;
    track->begin_pts_ns = INT64_MIN;
    track->cut = sc_cut_open();
    if (params->track)
        track->tracker = sc_tracker_open(&params->tracker);
    if (!params->repeat_ns)
        track->params.repeat_ns = REPEAT_NS;
    if (!params->figures)
        track->params.figures = &track->own;
    return track;
}

int sc_stage_track_add(sc_graph *graph, const char *name,
                       const struct sc_stage_track_params *params, sc_stage **pstage,
                       sc_err *err)
{
    static const struct sc_stage_track_params none;
    struct track *track = track_new(params ? params : &none);
    int ret = sc_graph_add(graph,
                           &(struct sc_stage_params){.name = name,
                                                     .ops = &track_ops,
                                                     .self = track,
                                                     .in = {&sc_shot_item},
                                                     .out = {&sc_shot_item}},
                           pstage, err);
    if (ret < 0)
        track_close(track);
    return ret;
}
