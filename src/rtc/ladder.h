// Which rung of a stream a viewer gets: down at once when its link is too small, up when there was room for
// long enough.
//
//   down   the estimate is below 0.85 of the rung's rate, or more than 10 % is lost, or packets queue for
//          more than 200 ms: to the highest rung that fits, at once
//   up     the estimate is above 1.3 times what the next rung needs, or (where we send too little to know) nothing was
//          lost or delayed, for up_ns; then that rung is tried. A trial that fails within 2 s is taken back, and the
//          next one waits twice as long, a minute at most
//   floor  on the lowest rung, where even that is too much: every second picture cannot be left out (all refer to the
//          one before), so pictures are dropped up to the next keyframe by the peer's queue, and that is told as `starved`
//
// Thread-safety: Unsafe. No clock of its own.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rtc/estimate.h"

#define SC_RTC_RUNGS 4

struct sc_rtc_ladder_params {
    int count;                      // of rungs, highest rate first
    int64_t bitrates[SC_RTC_RUNGS]; // bits a second
    int64_t up_ns;                  // 0 = 6 s
};

struct sc_rtc_ladder {
    struct sc_rtc_ladder_params params;
    int rung; // now, 0 = the highest
    bool starved;
    int64_t room_ns;  // since when there is room for the next rung; 0 = there is none
    int64_t trial_ns; // when the rung was gone up to; 0 = it has proved itself
    int64_t pause_ns; // before the next trial
    int switches;
};

// Begins at rung `start`.
void sc_rtc_ladder_init(struct sc_rtc_ladder *ladder, const struct sc_rtc_ladder_params *params,
                        int start, int64_t now_ns);
// To be called with every feedback or at least five times a second. Returns the rung that is to be sent from the next keyframe on.
int sc_rtc_ladder_step(struct sc_rtc_ladder *ladder, const struct sc_rtc_estimate_info *info,
                       int64_t now_ns);
