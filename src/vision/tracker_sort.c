// SORT: one pass by IoU.
//
// The published program drops a track after one miss and takes back its id when it is missed; here
// it has the patience of the others, and a confirmed track stays so, which makes it the fairer to
// compare with.
#include <math.h>

#include "vision/tracker_internal.h"

static double gain(const sc_tracker *t, const struct sc_track *track,
                   const struct sc_found *found)
{
    double iou = sc_box_iou(&track->ahead, &found->box);
    return iou >= t->params.match ? iou : 0;
}

static void associate(sc_tracker *t)
{
    sc_tracker_pass(t, &(struct sc_tracker_pass){NULL, t->params.high, INFINITY, gain});
}

const struct sc_tracker_ops sc_tracker_sort = {
    .name = "sort",
    .filter = SC_KALMAN_AREA,
    .params = {.high = 0.6,
               .low = 0.1,
               .match = 0.3,
               .match_low = 0.5,
               .max_lost_ns = 1000000000,
               .min_hits = 3},
    .associate = associate,
};
