// The path of a virtual camera: a mean over time of a point with a capped speed.
#include <math.h>
#include <string.h>

#include "vision/camera_internal.h"

static double clamp(double v, double lo, double hi)
{
    if (isnan(v))
        return (lo + hi) / 2;
    return v < lo ? lo : v > hi ? hi : v;
}

struct sc_framing sc_path_clamp(const struct sc_path_limits *limits, struct sc_framing shot)
{
    double w = clamp(shot.w, limits->min_w, limits->max_w);
    double half_w = w / 2, half_h = w / limits->aspect / 2;
    return (struct sc_framing){
        .x = clamp(shot.x, half_w, limits->width - half_w),
        .y = clamp(shot.y, half_h, limits->height - half_h),
        .w = w,
    };
}

void sc_path_reset(struct sc_path *path, struct sc_framing at)
{
    at = sc_path_clamp(&path->limits, at);
    for (size_t i = 0; i < SC_PATH_STEPS + 2; i++)
        path->nodes[i] = at;
    path->step = path->limits.span / SC_PATH_STEPS;
    path->phase = 0;
}

// The point's next place. The width goes first, then the centre as far as the new width's bounds let
// it. A bound is moved by no more than half of what the width (or the height) grew, so the centre keeps
// its cap as long as zoom_speed is at most twice the speed, and that times aspect.
static struct sc_framing next(const struct sc_path *path, struct sc_framing goal, double pace)
{
    const struct sc_path_limits *limits = &path->limits;
    struct sc_framing at = path->nodes[SC_PATH_STEPS + 1];
    double reach = limits->speed * path->step * pace;
    double zoom = limits->zoom_speed * path->step * pace;
    at.w += clamp(goal.w - at.w, -zoom, zoom);
    at.x += clamp(goal.x - at.x, -reach, reach);
    at.y += clamp(goal.y - at.y, -reach, reach);
    return sc_path_clamp(limits, at);
}

static void add(struct sc_framing *sum, struct sc_framing shot, double weight)
{
    sum->x += shot.x * weight;
    sum->y += shot.y * weight;
    sum->w += shot.w * weight;
}

// The mean over the span that ends `phase` after the last node but one: whole cells by the trapezium
// rule, which is exact here, and the two cells at the ends in part. In steps: the weights of a
// cell's nodes over its part from a to b are the integrals of 1 - u and of u.
static struct sc_framing mean(const struct sc_path *path)
{
    const struct sc_framing *nodes = path->nodes;
    double f = path->phase / path->step, g = 1 - f;
    struct sc_framing sum = {0};
    add(&sum, nodes[0], g * g / 2);
    add(&sum, nodes[1], (1 - f * f) / 2 + 0.5);
    for (int i = 2; i < SC_PATH_STEPS; i++)
        add(&sum, nodes[i], 1);
    add(&sum, nodes[SC_PATH_STEPS], 0.5 + f - f * f / 2);
    add(&sum, nodes[SC_PATH_STEPS + 1], f * f / 2);
    sum.x /= SC_PATH_STEPS;
    sum.y /= SC_PATH_STEPS;
    sum.w /= SC_PATH_STEPS;
    return sum;
}

struct sc_framing sc_path_advance(struct sc_path *path, double dt, struct sc_framing goal,
                                  double pace)
{
    goal = sc_path_clamp(&path->limits, goal);
    path->phase += clamp(dt, 0, 6);
    while (path->phase >= path->step) {
        struct sc_framing made = next(path, goal, pace);
        memmove(path->nodes, path->nodes + 1, (SC_PATH_STEPS + 1) * sizeof(path->nodes[0]));
        path->nodes[SC_PATH_STEPS + 1] = made;
        path->phase -= path->step;
    }
    return mean(path);
}
