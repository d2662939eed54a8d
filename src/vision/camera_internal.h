// What the parts of the virtual camera share.
//
// Lengths are pixels of the displayed picture, times seconds, in double.
//
// Thread-safety: everything belongs to one camera.
#pragma once

#include "vision/camera.h"

// What a camera shows: centre and width; the height follows from the aspect.
struct sc_framing {
    double x, y, w;
};

// --- path: a point that goes towards where it is sent, no faster than it may, and never leaves
#define SC_PATH_STEPS 128

struct sc_path_limits {
    double width, height; // of the picture
    double aspect;        // of the crop
    double min_w, max_w;  // of the crop
    double speed, zoom_speed;
    double span; // seconds over which is averaged: 2 * speed / acceleration
};

// The point itself may turn at once; what is shown is its mean over the last span. That keeps every
// cap without a case to be forgotten. Its speed is a mean of speeds within the cap. Its speed changes
// by (speed now - speed a span ago) / span, at most 2 * speed / span. And the places a crop may have
// form a convex set (all bounds on centre and width are linear), which no mean leaves.
struct sc_path {
    struct sc_path_limits limits;
    struct sc_framing
        nodes[SC_PATH_STEPS + 2]; // places of the point, a step apart, the latest last
    double step;                  // seconds
    double phase;                 // seconds since the latest node but one, below step
};

// The nearest that may be shown; any input, NaN is the middle of what is allowed.
struct sc_framing sc_path_clamp(const struct sc_path_limits *limits, struct sc_framing shot);
void sc_path_reset(struct sc_path *path, struct sc_framing at); // limits are set
// Time goes on by dt (0..6) with the point sent towards goal at pace (0..1) of its speed; what is shown then.
struct sc_framing sc_path_advance(struct sc_path *path, double dt, struct sc_framing goal,
                                  double pace);

// --- lead: which of the boxes that could be the ball is the ball
#define SC_LEADS 16

struct sc_seen {
    double x, y, w, h; // middle and size, widths
    double score;
    bool part; // looks like a part of somebody
};

// A thing that was seen now and then, and where it would be now.
struct sc_lead {
    double x, y, vx, vy;   // widths, widths a second
    double mean_x, mean_y; // where it was lately
    double home_x, home_y; // where it has been, on the whole
    double evidence;       // how well it is seen, 0..1, forgetting
    double moved;          // how far from home it gets, forgetting
    double age, unseen;    // seconds
    bool gone;             // it is where it would have left the picture
};

struct sc_leads {
    struct sc_lead items[SC_LEADS];
    int count;
    int best; // -1 = none
};

void sc_leads_reset(struct sc_leads *leads);
// Time goes on by dt without a look; height of the picture in its widths.
void sc_leads_advance(struct sc_leads *leads, double dt, double height);
// A look, `since` seconds after the last one.
void sc_leads_look(struct sc_leads *leads, const struct sc_seen *seen, int count, double since);
// The one to be followed, NULL = none. *sure: 0..1.
const struct sc_lead *sc_leads_best(const struct sc_leads *leads, double *sure);

// --- target: what should be shown, were there no caps
#define SC_TARGET_WINDOW 48  // measurements that a median is taken of, at most
#define SC_TARGET_SEEN   256 // boxes that count in a picture, the surest

struct sc_target_params {
    enum sc_camera_follow follow;
    int classes[SC_CAMERA_CLASSES], leads[SC_CAMERA_CLASSES];
    int class_count, lead_count;
    int64_t track;
    double threshold, margin, dead;
    double aspect, height; // of the crop; of the picture in its widths
    double min_w, max_w;   // of the crop, in widths
    double window;         // seconds
    double lag;            // seconds that the path is behind, and nobody makes up for
};

// Lengths are the picture's widths here.
struct sc_target {
    struct sc_target_params params;
    struct sc_leads leads;
    struct sc_framing recent[SC_TARGET_WINDOW]; // measurements, a ring
    double times[SC_TARGET_WINDOW];
    int count, first;
    double now, looked,
        seen;   // seconds: the clock, the last look, the last one that saw something
    bool known; // something was seen in this scene
    struct sc_framing focus; // the last measurement
    struct sc_framing drawn; // after median and dead zone
    struct sc_framing goal;  // drawn, inside the picture
    double pace;             // 0..1, how fast to go there
};

void sc_target_reset(struct sc_target *target); // params are set
// dt seconds later; found may be NULL (nobody looked).
void sc_target_put(struct sc_target *target, double dt, const sc_detections *found);
