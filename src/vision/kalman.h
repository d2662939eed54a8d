// The Kalman filters of box trackers: a box, and how it changes, from boxes measured with error.
//
// Both are as published: SORT's state is centre, area and ratio with velocities of the first three
// (Bewley et al. 2016, arXiv:1602.00763, and the noise of its reference program, which OC-SORT
// keeps); ByteTrack's is centre, ratio and height with all velocities (DeepSORT, Wojke et al. 2017,
// arXiv:1703.07402: noise in proportion to the height). In both a value meets none but its own
// velocity, in the model and in all noise, so that the 7x7 and 8x8 filters are exactly four filters
// of two, which is how they are computed here, in double precision.
//
// Time is in frames of 1/30 s and need not be whole: n frames at once are n steps of the published
// filter, and the same formula stands for what lies between.
//
// Thread-safety: pure.
#pragma once

#include <stdbool.h>

struct sc_box {
    double x1, y1, x2, y2; // pixels; x1 < x2, y1 < y2
};

enum sc_kalman_kind {
    SC_KALMAN_AREA,   // centre x, centre y, area, width / height (which has no velocity)
    SC_KALMAN_HEIGHT, // centre x, centre y, width / height, height
};

// A value with its velocity (a frame), and their covariance.
struct sc_kalman_axis {
    double x, v;
    double xx, xv, vv;
};

struct sc_kalman {
    enum sc_kalman_kind kind;
    struct sc_kalman_axis axis[4]; // in the order above
};

// Begins with one box, standing still. All numbers finite and at most about 1e6, sides above 0.
void sc_kalman_init(struct sc_kalman *filter, enum sc_kalman_kind kind,
                    const struct sc_box *box);
// Moves on by frames >= 0. hold_size: the size keeps (ByteTrack's lost tracks).
void sc_kalman_predict(struct sc_kalman *filter, double frames, bool hold_size);
// Takes in a box measured at the filter's time.
void sc_kalman_update(struct sc_kalman *filter, const struct sc_box *box);
// The filter's box. Always finite with sides above 0.
struct sc_box sc_kalman_box(const struct sc_kalman *filter);
