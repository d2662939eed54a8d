// A made-up link with a viewer at its end, in virtual time: what the estimate and the ladder are tested on.
//
//   encoder (rungs, keyframes) -> pacer -> queue with a rate, drops what does not fit -> delay, jitter, loss -> viewer
//        ^                          ^                                                                         |
//        |   ladder  <-  estimate   |   <- transport-wide feedback, retransmissions, keyframe wishes          |
//
// Everything follows from the seed. The viewer asks for what is missing again, shows a picture when it and all before
// it since the last keyframe are whole, and wishes for a keyframe when it has been stuck for half a second.
//
// Thread-safety: Unsafe.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "rtc/ladder.h"

#define LINK_STEPS  8
#define LINK_MOST_S 700

struct link_step {
    double from_s;
    double value;
};

struct link_params {
    uint32_t seed;
    double seconds;
    struct link_step
        capacity[LINK_STEPS]; // bits a second; ends with the first of from_s 0 but the first
    struct link_step
        activity[LINK_STEPS];           // share of the rung's rate that pictures need; none = 1
    struct link_step deaf[LINK_STEPS];  // 1 = no feedback comes; none = 0
    int queue;                          // bytes; 0 = 64 kB
    double delay_ms;                    // each way
    double jitter_ms;                   // each packet's own
    double loss;                        // share, whatever the load
    double skew;                        // of the other side's clock, share
    struct sc_rtc_ladder_params ladder; // none = 2.5M, 1M, 350k
    int start;                          // rung
    bool follow;  // the encoders follow the estimate (the viewer is the only one)
    double key_s; // between keyframes that nobody asked for; 0 = 2
    bool no_pace; // packets of a picture go out at once
};

// Once a second.
struct link_second {
    double capacity, estimate, rate, received; // bits a second; rate: what the encoder has
    double queue_ms;                           // most that a packet waited
    int rung;
    bool starved;
    int shown;
};

struct link_result {
    int switches; // of rungs as they took effect
    int shown, sent, dropped;
    double freeze_ms;    // the longest time without a new picture
    double freeze_at_s;  // its end
    double queue_p95_ms; // of all packets
    double starved_s;
    int rung; // at the end
    int count;
    struct link_second seconds[LINK_MOST_S];
};

// result is filled; freezes count from freeze_from_s on, queues from queue_from_s on.
void link_run(const struct link_params *params, double freeze_from_s, double queue_from_s,
              struct link_result *result);
// When rung `rung` was first sent at `from_s` or later; < 0 = never.
double link_reached_s(const struct link_result *result, int rung, double from_s);
// Share of seconds from `from_s` on that were on `rung`.
double link_share(const struct link_result *result, int rung, double from_s);

// 0..1 from a state that goes on.
double link_random(uint32_t *state);
