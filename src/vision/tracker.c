// The life of tracks, and the lists that come in and go out.
#include "vision/tracker.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/mem.h"
#include "vision/tracker_internal.h"

#define FARTHEST 1e6  // pixels; what lies beyond is no box
#define LEAST    1e-3 // pixels of a side
#define HOUR_NS  (INT64_C(3600) * 1000000000)

static const struct sc_tracker_ops *const kinds[] = {
    [SC_TRACKER_BYTETRACK] = &sc_tracker_bytetrack,
    [SC_TRACKER_OCSORT] = &sc_tracker_ocsort,
    [SC_TRACKER_SORT] = &sc_tracker_sort,
};

const char *sc_tracker_kind_name(enum sc_tracker_kind kind)
{
    return (size_t)kind < SC_COUNT(kinds) ? kinds[kind]->name : NULL;
}

int sc_tracker_kind_find(const char *name)
{
    for (size_t i = 0; i < SC_COUNT(kinds); i++) {
        if (!strcasecmp(name, kinds[i]->name))
            return (int)i;
    }
    return SC_ENOTFOUND;
}

// --- opening ----------------------------------------------------------------------------------

// NaN and 0 are the default.
static double share(double v, double zero)
{
    return v > 0 ? fmin(v, 1) : v < 0 ? 0 : zero;
}

static struct sc_tracker_params fill_in(const struct sc_tracker_params *given,
                                        const struct sc_tracker_params *zero)
{
    struct sc_tracker_params p = *given;
    p.high = share(p.high, zero->high);
    p.low = fmin(share(p.low, zero->low), p.high);
    p.fresh = fmax(share(p.fresh, zero->fresh ? fmin(p.high + zero->fresh, 1) : p.high), p.low);
    p.match = share(p.match, zero->match);
    p.match_low = share(p.match_low, zero->match_low);
    p.max_lost_ns = p.max_lost_ns > 0 ? p.max_lost_ns : zero->max_lost_ns;
    p.max_lost_ns = p.max_lost_ns < HOUR_NS ? p.max_lost_ns : HOUR_NS;
    p.coast_ns = p.coast_ns > 0 ? p.coast_ns : 0;
    p.min_hits = p.min_hits > 0 ? p.min_hits : zero->min_hits;
    return p;
}

sc_tracker *sc_tracker_open(const struct sc_tracker_params *params)
{
    static const struct sc_tracker_params zero;
    params = params ? params : &zero;
    sc_require((size_t)params->kind < SC_COUNT(kinds));
    sc_tracker *t = sc_new(sc_tracker);
    t->ops = kinds[params->kind];
    t->params = fill_in(params, &t->ops->params);
    return t;
}

void sc_tracker_close(sc_tracker **ptracker)
{
    sc_tracker *t = ptracker ? *ptracker : NULL;
    if (!t)
        return;
    *ptracker = NULL;
    free(t->tracks);
    free(t->found);
    free(t->rows);
    free(t->columns);
    free(t->column_of);
    free(t->gain);
    free(t->work);
    free(t);
}

// --- an update --------------------------------------------------------------------------------

static bool is_box(const struct sc_box *b)
{
    // False for NaN.
    return b->x1 >= -FARTHEST && b->y1 >= -FARTHEST && b->x2 <= FARTHEST && b->y2 <= FARTHEST &&
           b->x2 - b->x1 >= LEAST && b->y2 - b->y1 >= LEAST;
}

static void collect(sc_tracker *t, const sc_detections *list)
{
    t->found_count = 0;
    for (int i = 0; i < list->count; i++) {
        const struct sc_detection *d = &list->items[i];
        struct sc_found found = {{d->x1, d->y1, d->x2, d->y2}, d->score, d->class, i, false};
        if (!is_box(&found.box) || isnan(found.score) || t->found_count == SC_TRACKER_MOST)
            t->stats.left_out++;
        else if (found.score >= t->params.low)
            t->found[t->found_count++] = found;
    }
}

// Ends all tracks where this picture does not follow the last one; then those not found for long.
static void end_tracks(sc_tracker *t, int64_t pts_ns, bool cut)
{
    bool back = t->started && pts_ns < t->pts_ns;
    t->stats.cuts += cut;
    t->stats.backs += back && !cut;
    if (cut || back) {
        t->track_count = 0;
        t->started = false;
    }
    int kept = 0;
    for (int i = 0; i < t->track_count; i++) {
        // Times may lie as far apart as they like.
        uint64_t lost = (uint64_t)pts_ns - (uint64_t)sc_track_last(&t->tracks[i])->pts_ns;
        if (lost <= (uint64_t)t->params.max_lost_ns)
            t->tracks[kept++] = t->tracks[i];
    }
    t->track_count = kept;
}

// The filter moved to pts_ns.
static struct sc_kalman filter_at(const sc_tracker *t, const struct sc_track *track,
                                  int64_t pts_ns)
{
    struct sc_kalman filter = track->filter;
    int64_t gap = pts_ns - sc_track_last(track)->pts_ns;
    bool hold = t->ops->hold_size && !track->found;
    sc_kalman_predict(&filter, gap > 0 ? (double)gap / SC_FRAME_NS : 0, hold);
    return filter;
}

static void confirm(sc_tracker *t, struct sc_track *track)
{
    if (!track->id && (track->hits >= t->params.min_hits || !t->started))
        track->id = ++t->stats.ids;
}

static void note(sc_tracker *t, struct sc_track *track, struct sc_found *found)
{
    track->recent[track->observed++ % SC_RECENT] =
        (struct sc_observation){found->box, t->pts_ns};
    track->class = found->class;
    track->score = (float)found->score;
    track->item = found->item;
    track->hits++;
    found->taken = true;
    confirm(t, track);
}

void sc_track_hit(sc_tracker *t, struct sc_track *track, struct sc_found *found)
{
    double frames = t->ops->observe ? t->ops->observe(t, track, &found->box)
                                    : sc_track_lost_frames(t, track);
    sc_kalman_predict(&track->filter, frames, t->ops->hold_size && !track->found);
    sc_kalman_update(&track->filter, &found->box);
    note(t, track, found);
}

// A place for a new track: the end, or that of whoever is lost longest. NULL: all are needed.
static struct sc_track *make_room(sc_tracker *t)
{
    if (t->track_count < t->track_room)
        return &t->tracks[t->track_count++];
    struct sc_track *oldest = NULL;
    for (int i = 0; i < t->track_count; i++) {
        struct sc_track *track = &t->tracks[i];
        // There are tracks where their count is not 0. NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
        if (track->item < 0 &&
            (!oldest || sc_track_lost_ns(t, track) > sc_track_lost_ns(t, oldest)))
            oldest = track;
    }
    return oldest;
}

static void begin_tracks(sc_tracker *t)
{
    for (int i = 0; i < t->found_count; i++) {
        struct sc_found *found = &t->found[i];
        if (found->taken || found->score < t->params.fresh)
            continue;
        struct sc_track *track = make_room(t);
        if (!track) {
            t->stats.left_out++;
            continue;
        }
        *track = (struct sc_track){.born_ns = t->pts_ns};
        sc_kalman_init(&track->filter, t->ops->filter, &found->box);
        note(t, track, found);
    }
}

// Which tracks were found, and which end here.
static void judge_tracks(sc_tracker *t)
{
    for (int i = 0; i < t->track_count; i++) {
        struct sc_track *track = &t->tracks[i];
        track->found = track->item >= 0;
        if (!track->found)
            track->hits = 0;
    }
    for (int i = 0; i < t->track_count; i++) {
        struct sc_track *track = &t->tracks[i];
        track->ended = (t->ops->strict && !track->found && !track->id) ||
                       (t->ops->is_double && t->ops->is_double(t, track));
    }
}

static void keep_tracks(sc_tracker *t)
{
    struct sc_tracker_stats *s = &t->stats;
    int kept = 0;
    s->found = s->lost = s->fresh = 0;
    for (int i = 0; i < t->track_count; i++) {
        const struct sc_track *track = &t->tracks[i];
        if (track->ended)
            continue;
        s->found += track->id && track->found;
        s->lost += track->id && !track->found;
        s->fresh += !track->id;
        t->tracks[kept++] = *track;
    }
    t->track_count = kept;
}

static void hand_out(const sc_tracker *t, sc_detections *list)
{
    for (int i = 0; i < t->track_count; i++) {
        if (t->tracks[i].found)
            list->items[t->tracks[i].item].track = t->tracks[i].id;
    }
}

static sc_detections *copy(const sc_detections *found)
{
    sc_detections *list = sc_detections_new(found->count);
    if (!list)
        return NULL;
    list->width = found->width;
    list->height = found->height;
    list->batch = found->batch;
    list->prepare_ns = found->prepare_ns;
    list->run_ns = found->run_ns;
    list->decode_ns = found->decode_ns;
    for (int i = 0; i < found->count; i++) {
        list->items[i] = found->items[i];
        list->items[i].track = 0;
    }
    return list;
}

sc_detections *sc_tracker_update(sc_tracker *t, const sc_detections *found, int64_t pts_ns,
                                 bool cut)
{
    int most = found->count < SC_TRACKER_MOST ? found->count : SC_TRACKER_MOST;
    sc_detections *list = copy(found);
    if (!list || sc_tracker_reserve(t, most) < 0) {
        sc_detections_unref(&list);
        return NULL;
    }
    end_tracks(t, pts_ns, cut);
    t->pts_ns = pts_ns;
    t->width = found->width;
    t->height = found->height;
    for (int i = 0; i < t->track_count; i++) {
        struct sc_kalman filter = filter_at(t, &t->tracks[i], pts_ns);
        t->tracks[i].ahead = sc_kalman_box(&filter);
        t->tracks[i].item = -1;
    }
    collect(t, found);
    t->ops->associate(t);
    begin_tracks(t);
    judge_tracks(t);
    keep_tracks(t);
    hand_out(t, list);
    t->started = true;
    t->stats.updates++;
    return list;
}

// --- between updates --------------------------------------------------------------------------

// Cut at the picture; false where nothing is left.
static bool place(const sc_tracker *t, const struct sc_box *box, struct sc_detection *d)
{
    d->x1 = (float)fmax(box->x1, 0);
    d->y1 = (float)fmax(box->y1, 0);
    d->x2 = (float)fmin(box->x2, t->width);
    d->y2 = (float)fmin(box->y2, t->height);
    return d->x1 < d->x2 && d->y1 < d->y2;
}

static bool is_live(const sc_tracker *t, const struct sc_track *track, int64_t pts_ns)
{
    int64_t end;
    if (!track->id || (!track->found && sc_track_lost_ns(t, track) > t->params.coast_ns))
        return false;
    return __builtin_add_overflow(sc_track_last(track)->pts_ns, t->params.max_lost_ns, &end) ||
           pts_ns <= end;
}

static int compare(const void *a, const void *b)
{
    const struct sc_detection *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->track > y->track) - (x->track < y->track);
}

sc_detections *sc_tracker_predict(const sc_tracker *t, int64_t pts_ns)
{
    sc_detections *list = sc_detections_new(t->track_count);
    if (!list)
        return NULL;
    int count = 0;
    pts_ns = pts_ns > t->pts_ns ? pts_ns : t->pts_ns;
    list->width = t->width;
    list->height = t->height;
    for (int i = 0; i < t->track_count; i++) {
        const struct sc_track *track = &t->tracks[i];
        if (!is_live(t, track, pts_ns))
            continue;
        struct sc_kalman filter = filter_at(t, track, pts_ns);
        struct sc_box box = sc_kalman_box(&filter);
        struct sc_detection d = {
            .score = track->score, .class = track->class, .track = track->id};
        if (place(t, &box, &d))
            list->items[count++] = d;
    }
    list->count = count;
    qsort(list->items, (size_t)count, sizeof(*list->items), compare);
    return list;
}

void sc_tracker_get_stats(const sc_tracker *t, struct sc_tracker_stats *stats)
{
    *stats = t->stats;
}
