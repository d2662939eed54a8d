// ByteTrack: every detection counts, the strong ones first.
#include <math.h>

#include "vision/tracker_internal.h"

#define MATCH_NEW 0.3  // least IoU times score for an unconfirmed track
#define SAME      0.85 // IoU above which two tracks are one

static bool is_confirmed(const sc_tracker *t, const struct sc_track *track)
{
    (void)t;
    return track->id != 0;
}

// Found in the update before, so that a weak detection is likely to be it.
static bool is_followed(const sc_tracker *t, const struct sc_track *track)
{
    (void)t;
    return track->id && track->found;
}

static bool is_unconfirmed(const sc_tracker *t, const struct sc_track *track)
{
    (void)t;
    return !track->id;
}

// Beyond the least likeness, so that a pair just above it is worth little.
static double gain_strong(const sc_tracker *t, const struct sc_track *track,
                          const struct sc_found *found)
{
    return sc_box_iou(&track->ahead, &found->box) * found->score - t->params.match;
}

static double gain_weak(const sc_tracker *t, const struct sc_track *track,
                        const struct sc_found *found)
{
    return sc_box_iou(&track->ahead, &found->box) - t->params.match_low;
}

static double gain_new(const sc_tracker *t, const struct sc_track *track,
                       const struct sc_found *found)
{
    (void)t;
    return sc_box_iou(&track->ahead, &found->box) * found->score - MATCH_NEW;
}

static void associate(sc_tracker *t)
{
    double high = t->params.high, low = t->params.low;
    sc_tracker_pass(t, &(struct sc_tracker_pass){is_confirmed, high, INFINITY, gain_strong});
    sc_tracker_pass(t, &(struct sc_tracker_pass){is_followed, low, high, gain_weak});
    sc_tracker_pass_near(t);
    sc_tracker_pass(t, &(struct sc_tracker_pass){is_unconfirmed, high, INFINITY, gain_new});
}

static const struct sc_box *place(const struct sc_track *track)
{
    return track->found ? &sc_track_last(track)->box : &track->ahead;
}

static int64_t known_ns(const struct sc_track *track)
{
    return sc_track_last(track)->pts_ns - track->born_ns;
}

// Of a found track and a lost one in the same place, the one that was known for less time goes.
static bool is_double(const sc_tracker *t, const struct sc_track *track)
{
    for (int i = 0; i < t->track_count; i++) {
        const struct sc_track *other = &t->tracks[i];
        if (other->found == track->found || known_ns(other) < known_ns(track) ||
            (known_ns(other) == known_ns(track) && track->found))
            continue;
        if (!t->params.class_agnostic && other->class != track->class)
            continue;
        if (sc_box_iou(place(other), place(track)) > SAME)
            return true;
    }
    return false;
}

const struct sc_tracker_ops sc_tracker_bytetrack = {
    .name = "bytetrack",
    .filter = SC_KALMAN_HEIGHT,
    .params = {.high = 0.6,
               .low = 0.1,
               .fresh = 0.1,
               .match = 0.2,
               .match_low = 0.5,
               .max_lost_ns = 1000000000,
               .min_hits = 2},
    .strict = true,
    .hold_size = true,
    .associate = associate,
    .is_double = is_double,
};
