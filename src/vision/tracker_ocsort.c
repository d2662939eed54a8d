// OC-SORT: observations are trusted more than the filter.
//
// Momentum (OCM): a pair is the likelier the less the track would have to turn for it. Recovery
// (OCR): who is left is compared with where tracks were last seen, not with where they should be.
// Re-update (ORU): a track found again is filtered once more over the time it was lost, as if it had
// been seen on a straight line. With the second pass of ByteTrack for weak detections, which the
// authors' program has as an option.
#include <math.h>

#include "vision/tracker_internal.h"

#define MOMENTUM_NS 100000000 // over how long a direction is measured: 3 frames
#define INERTIA     0.2       // weight of the direction beside IoU
#define STEPS_MOST  64        // of a re-update

static double centre_x(const struct sc_box *b)
{
    return (b->x1 + b->x2) / 2;
}

static double centre_y(const struct sc_box *b)
{
    return (b->y1 + b->y2) / 2;
}

// The oldest observation that is no older than MOMENTUM_NS; the last one where all are.
static const struct sc_observation *reference(const sc_tracker *t, const struct sc_track *track)
{
    const struct sc_observation *best = sc_track_last(track);
    int64_t first = track->observed > SC_RECENT ? track->observed - SC_RECENT : 0;
    for (int64_t k = track->observed - 1; k >= first; k--) {
        const struct sc_observation *o = &track->recent[k % SC_RECENT];
        if (t->pts_ns - o->pts_ns > MOMENTUM_NS)
            break;
        best = o;
    }
    return best;
}

static bool direction(const struct sc_box *from, const struct sc_box *to, double *x, double *y)
{
    double dx = centre_x(to) - centre_x(from), dy = centre_y(to) - centre_y(from);
    double length = sqrt(dx * dx + dy * dy);
    *x = length > 0 ? dx / length : 0;
    *y = length > 0 ? dy / length : 0;
    return length > 0;
}

// -0.5 (turns back) .. 0.5 (straight on); 0 where either direction is unknown.
static double consistency(const sc_tracker *t, const struct sc_track *track,
                          const struct sc_found *found)
{
    double x, y;
    bool goes = track->toward_x != 0 || track->toward_y != 0;
    if (!goes || !direction(&reference(t, track)->box, &found->box, &x, &y))
        return 0;
    double cosine = fmin(fmax(x * track->toward_x + y * track->toward_y, -1), 1);
    return 0.5 - acos(cosine) / M_PI;
}

static double gain_strong(const sc_tracker *t, const struct sc_track *track,
                          const struct sc_found *found)
{
    double iou = sc_box_iou(&track->ahead, &found->box);
    if (iou < t->params.match)
        return 0;
    return iou + INERTIA * consistency(t, track, found) * found->score;
}

static double gain_weak(const sc_tracker *t, const struct sc_track *track,
                        const struct sc_found *found)
{
    double iou = sc_box_iou(&track->ahead, &found->box);
    return iou >= t->params.match_low ? iou : 0;
}

static double gain_last(const sc_tracker *t, const struct sc_track *track,
                        const struct sc_found *found)
{
    double iou = sc_box_iou(&sc_track_last(track)->box, &found->box);
    return iou >= t->params.match ? iou : 0;
}

static void associate(sc_tracker *t)
{
    double high = t->params.high, low = t->params.low;
    sc_tracker_pass(t, &(struct sc_tracker_pass){NULL, high, INFINITY, gain_strong});
    sc_tracker_pass(t, &(struct sc_tracker_pass){NULL, low, high, gain_weak});
    sc_tracker_pass(t, &(struct sc_tracker_pass){NULL, high, INFINITY, gain_last});
    sc_tracker_pass_near(t);
}

static struct sc_box between(const struct sc_box *a, const struct sc_box *b, double share)
{
    return (struct sc_box){a->x1 + share * (b->x1 - a->x1), a->y1 + share * (b->y1 - a->y1),
                           a->x2 + share * (b->x2 - a->x2), a->y2 + share * (b->y2 - a->y2)};
}

// The re-update: up to, and without, the step at which box was measured.
static double observe(sc_tracker *t, struct sc_track *track, const struct sc_box *box)
{
    struct sc_box last = sc_track_last(track)->box;
    double frames = sc_track_lost_frames(t, track);
    int steps = (int)fmin(round(frames), STEPS_MOST);
    direction(&reference(t, track)->box, box, &track->toward_x, &track->toward_y);
    if (track->found || steps < 2)
        return frames;
    for (int i = 1; i < steps; i++) {
        struct sc_box at = between(&last, box, (double)i / steps);
        sc_kalman_predict(&track->filter, frames / steps, false);
        sc_kalman_update(&track->filter, &at);
    }
    return frames / steps;
}

const struct sc_tracker_ops sc_tracker_ocsort = {
    .name = "ocsort",
    .filter = SC_KALMAN_AREA,
    .params = {.high = 0.6,
               .low = 0.1,
               .match = 0.3,
               .match_low = 0.5,
               .max_lost_ns = 1000000000,
               .min_hits = 3},
    .associate = associate,
    .observe = observe,
};
