// What a virtual camera should show: from boxes to a place and a width.
//
//   boxes -> measurement (a place and a width) -> median over a window -> dead zone -> goal
#include <math.h>
#include <string.h>

#include "vision/camera_internal.h"

#define LOST   2.0  // seconds after which the view widens
#define GENTLE 0.3  // of the speed, on that way
#define NEAR   0.08 // widths around the focus in which others count fully

#define INNER  0.35 // of somebody's size, from the middle
#define ALONE  0.05 // widths to the nearest other
#define LONELY 0.6  // of its score for a lead that is alone
#define DOUBT  0.4  // of its score for a lead in the midst of somebody

struct bounds {
    double x1, y1, x2, y2;
    double x, y; // mean of the middles
    int count;
};

struct scan {
    struct sc_seen lead[SC_TARGET_SEEN], other[SC_TARGET_SEEN];
    int leads, others;
    struct bounds bounds;
};

void sc_target_reset(struct sc_target *target)
{
    const struct sc_target_params params = target->params;
    *target = (struct sc_target){
        .params = params,
        .focus = {0.5, params.height / 2, params.max_w},
        .drawn = {0.5, params.height / 2, params.max_w},
        .goal = {0.5, params.height / 2, params.max_w},
        .looked = -1,
        .pace = 1,
    };
    sc_leads_reset(&target->leads);
}

static bool among(const int *classes, int count, int class)
{
    for (int i = 0; i < count; i++)
        if (classes[i] == class)
            return true;
    return false;
}

static bool is_sane(const struct sc_detection *d)
{
    return isfinite(d->x1) && isfinite(d->y1) && isfinite(d->x2) && isfinite(d->y2) &&
           d->x1 <= d->x2 && d->y1 <= d->y2;
}

static void widen(struct bounds *bounds, const struct sc_detection *d, double scale)
{
    double x1 = d->x1 * scale, y1 = d->y1 * scale, x2 = d->x2 * scale, y2 = d->y2 * scale;
    if (!bounds->count)
        *bounds = (struct bounds){x1, y1, x2, y2, 0, 0, 0};
    bounds->x1 = fmin(bounds->x1, x1);
    bounds->y1 = fmin(bounds->y1, y1);
    bounds->x2 = fmax(bounds->x2, x2);
    bounds->y2 = fmax(bounds->y2, y2);
    int n = ++bounds->count;
    bounds->x += ((x1 + x2) / 2 - bounds->x) / n;
    bounds->y += ((y1 + y2) / 2 - bounds->y) / n;
}

// A ball is where people are, and it is no part of them: a box in the inner part of somebody's is a
// shirt more often than a ball at their feet.
static void weigh_lead(struct sc_seen *lead, const struct scan *scan)
{
    double nearest = scan->others ? INFINITY : 0;
    for (int i = 0; i < scan->others; i++) {
        const struct sc_seen *other = &scan->other[i];
        double dx = fabs(lead->x - other->x), dy = fabs(lead->y - other->y);
        nearest = fmin(nearest, hypot(dx, dy));
        if (dx < INNER * other->w && dy < INNER * other->h)
            lead->part = true;
    }
    lead->score *= lead->part ? DOUBT : nearest > ALONE ? LONELY : 1;
}

static void scan_boxes(struct scan *scan, const struct sc_target_params *params,
                       const sc_detections *found)
{
    double scale = 1.0 / found->width; // both directions: the aspect is the picture's
    for (int i = 0; i < found->count && scan->leads + scan->others < SC_TARGET_SEEN; i++) {
        const struct sc_detection *d = &found->items[i];
        bool lead = among(params->leads, params->lead_count, d->class);
        bool followed = params->track > 0
                            ? d->track == params->track
                            : lead || !params->class_count ||
                                  among(params->classes, params->class_count, d->class);
        if (!followed || !(d->score >= params->threshold) || !is_sane(d))
            continue;
        struct sc_seen seen = {
            ((double)d->x1 + d->x2) / 2 * scale, ((double)d->y1 + d->y2) / 2 * scale,
            ((double)d->x2 - d->x1) * scale, ((double)d->y2 - d->y1) * scale, d->score};
        widen(&scan->bounds, d, scale);
        if (lead)
            scan->lead[scan->leads++] = seen;
        else
            scan->other[scan->others++] = seen;
    }
    for (int i = 0; i < scan->leads; i++)
        weigh_lead(&scan->lead[i], scan);
}

// The middle of the others, those near the focus most; the longer the lead is out of sight, the more
// all the others. Their spread, one standard deviation, goes to w.
static struct sc_framing crowd(const struct scan *scan, struct sc_framing focus, double unseen)
{
    double reach = NEAR * (1 + fmin(unseen, 10)), sum = 0, x = 0, y = 0, xx = 0;
    for (int i = 0; i < scan->others; i++) {
        const struct sc_seen *seen = &scan->other[i];
        double far = hypot(seen->x - focus.x, seen->y - focus.y) / reach;
        double weight = seen->score / (1 + far * far);
        sum += weight;
        x += weight * seen->x;
        y += weight * seen->y;
        xx += weight * seen->x * seen->x;
    }
    if (!(sum > 0))
        return (struct sc_framing){focus.x, focus.y, 0};
    x /= sum;
    y /= sum;
    return (struct sc_framing){x, y, sqrt(fmax(0, xx / sum - x * x))};
}

// Where the action is: at the lead, as far as it is sure, drawn a little to those around it.
static struct sc_framing measure_action(struct sc_target *target, const struct scan *scan)
{
    const struct sc_target_params *params = &target->params;
    double sure, air = 1 - 2 * params->margin;
    const struct sc_lead *lead = sc_leads_best(&target->leads, &sure);
    double unseen = !params->lead_count ? 10 : lead ? lead->unseen : target->now;
    struct sc_framing around = crowd(scan, target->focus, unseen);
    if (!lead)
        return (struct sc_framing){around.x, around.y, 4 * around.w / air};
    double share = sure * (scan->others ? 0.85 : 1);
    double x = around.x + (lead->x - around.x) * share;
    double y = around.y + (lead->y - around.y) * share;
    double need = 2 * fmax(fabs(lead->x - x), fabs(lead->y - y) * params->aspect);
    return (struct sc_framing){x, y, fmax(need, (4 - 2 * sure) * around.w) / air};
}

// All of it, or its middle where it does not fit.
static struct sc_framing measure_subject(const struct sc_target *target,
                                         const struct scan *scan)
{
    const struct sc_target_params *params = &target->params;
    const struct bounds *b = &scan->bounds;
    double w = fmax(b->x2 - b->x1, (b->y2 - b->y1) * params->aspect) / (1 - 2 * params->margin);
    if (w > params->max_w)
        return (struct sc_framing){b->x, b->y, w};
    return (struct sc_framing){(b->x1 + b->x2) / 2, (b->y1 + b->y2) / 2, w};
}

static void remember(struct sc_target *target, struct sc_framing shot)
{
    const double window = target->params.window;
    int last = (target->first + target->count - 1) % SC_TARGET_WINDOW;
    while (target->count && target->now - target->times[target->first] > window) {
        target->first = (target->first + 1) % SC_TARGET_WINDOW;
        target->count--;
    }
    // At high rates some are passed over, so that the window is always covered.
    if (target->count && target->now - target->times[last] < window / (SC_TARGET_WINDOW - 1))
        return;
    int i = (target->first + target->count) % SC_TARGET_WINDOW;
    if (target->count == SC_TARGET_WINDOW)
        target->first = (target->first + 1) % SC_TARGET_WINDOW;
    else
        target->count++;
    target->recent[i] = shot;
    target->times[i] = target->now;
}

static double median(double *values, int count)
{
    for (int i = 1; i < count; i++) {
        double v = values[i];
        int k = i;
        for (; k > 0 && values[k - 1] > v; k--)
            values[k] = values[k - 1];
        values[k] = v;
    }
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static struct sc_framing recent_median(const struct sc_target *target)
{
    double x[SC_TARGET_WINDOW], y[SC_TARGET_WINDOW], w[SC_TARGET_WINDOW];
    for (int i = 0; i < target->count; i++) {
        const struct sc_framing *shot = &target->recent[(target->first + i) % SC_TARGET_WINDOW];
        x[i] = shot->x;
        y[i] = shot->y;
        w[i] = shot->w;
    }
    return (struct sc_framing){median(x, target->count), median(y, target->count),
                               median(w, target->count)};
}

// Within the dead zone the goal stays; beyond, it is drawn along at that distance, without a jerk.
static double drag(double goal, double to, double dead)
{
    return to > goal + dead ? to - dead : to < goal - dead ? to + dead : goal;
}

static double limited(double v, double lo, double hi)
{
    return fmin(fmax(v, lo), hi);
}

static void follow(struct sc_target *target)
{
    const struct sc_target_params *params = &target->params;
    double sure, w, dead;
    struct sc_framing to = recent_median(target);
    const struct sc_lead *lead = sc_leads_best(&target->leads, &sure);
    if (lead && params->follow == SC_CAMERA_ACTION) {
        to.x += lead->vx * sure * params->lag;
        to.y += lead->vy * sure * params->lag;
    }
    to.w = limited(to.w, params->min_w, params->max_w);
    // The dead zone comes before the edges: who stands at one is seen with all the air there is.
    w = target->known ? drag(target->drawn.w, to.w, 2 * params->dead * to.w) : to.w;
    dead = target->known ? params->dead * w : 0;
    target->drawn = (struct sc_framing){
        .x = drag(target->drawn.x, to.x, dead),
        .y = drag(target->drawn.y, to.y, dead / params->aspect),
        .w = w,
    };
    double half_h = w / params->aspect / 2;
    target->goal = (struct sc_framing){
        .x = limited(target->drawn.x, w / 2, 1 - w / 2),
        .y = limited(target->drawn.y, half_h, params->height - half_h),
        .w = w,
    };
    target->known = true;
    target->pace = 1;
}

static void look(struct sc_target *target, const sc_detections *found)
{
    const struct sc_target_params *params = &target->params;
    struct scan scan = {0};
    double since = target->looked < 0 ? 1 : target->now - target->looked;
    target->looked = target->now;
    if (found->width > 0 && found->height > 0)
        scan_boxes(&scan, params, found);
    if (params->follow == SC_CAMERA_ACTION)
        sc_leads_look(&target->leads, scan.lead, scan.leads, since);
    if (!scan.leads && !scan.others)
        return;
    target->seen = target->now;
    target->focus = params->follow == SC_CAMERA_ACTION ? measure_action(target, &scan)
                                                       : measure_subject(target, &scan);
    remember(target, target->focus);
    follow(target);
}

void sc_target_put(struct sc_target *target, double dt, const sc_detections *found)
{
    target->now += dt;
    sc_leads_advance(&target->leads, dt, target->params.height);
    if (found)
        look(target, found);
    if (target->now - target->seen > LOST) {
        target->goal = target->drawn =
            (struct sc_framing){0.5, target->params.height / 2, target->params.max_w};
        target->pace = GENTLE;
        target->count = 0;
    }
}
