// Which rung of a stream a viewer gets: down at once when its link is too small, up when there was room for
// long enough. And what follows from it: the rate of a rung's encoder, and how fast packets go out.
//
//   down   the link was overused and its estimate is below 0.9 of the rung's rate, or more than 10 % is lost, or more
//          than 200 ms queue for half a second and do not drain: to the highest rung that fits, at once; then the
//          queue gets time to drain. An estimate that is low because little was sent says nothing, so
//          there must be overuse on this very rung
//   up     for up_ns nothing queued, not too much was lost (retransmissions repair it), and no burst was slowed
//          down to less than the next rung's rate; then that rung is tried. A trial that fails within 10 s is
//          taken back, and the next one waits twice as long, a minute at most, until a trial has held for a minute
//   floor  on the lowest rung, where even that is too much: every second picture cannot be left out (all refer to
//          the one before), so the peer's queue drops pictures up to the next keyframe, and that is told as `starved`
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
    // Of the encoders at the moment, kept by the owner where it moves them (sc_rtc_ladder_rate); 0 = as in params.
    int64_t rates[SC_RTC_RUNGS];
    int rung; // now, 0 = the highest
    bool starved;
    // Until the keyframe of the new rung comes, nothing is to be sent: what queues on the link gets to drain, so that
    // the keyframe is not lost. The picture stands still for less than it would otherwise.
    bool hold;
    int64_t changed_ns; // when it got to this rung
    int64_t settled_ns; // until then, what is measured is of the rung before
    int64_t room_ns;    // since when there is room for the next rung; 0 = there is none
    int64_t trial_ns;   // when the rung was gone up to; 0 = it has proved itself
    int64_t pause_ns;   // before the next trial
    double queued_ms;   // the least that queued since then
    int64_t queued_ns;  // since when too much is queued and does not drain; 0 = it is not
    int64_t fine_ns;    // since when the lowest rung is not too much; 0 = it is
    int switches;
};

// Begins at rung `start`.
void sc_rtc_ladder_init(struct sc_rtc_ladder *ladder, const struct sc_rtc_ladder_params *params,
                        int start, int64_t now_ns);
// To be called with every feedback or at least five times a second. Returns the rung that is to be sent from the
// next keyframe on.
int sc_rtc_ladder_step(struct sc_rtc_ladder *ladder, const struct sc_rtc_estimate_info *info,
                       int64_t now_ns);

// How fast a viewer's packets should go out (sc_rtc_peer_set_pace), after each step: faster than the rung's rate, so
// that keyframes are not late; slower than floods a link that slowed down the last burst; fast enough for a burst
// to show whether the next rung would fit; and with the estimate where the viewer is starved, so that pictures
// are dropped by the peer and not by the link.
int64_t sc_rtc_ladder_pace(const struct sc_rtc_ladder *ladder,
                           const struct sc_rtc_estimate_info *info);

// Which bitrate a rung's encoder should have, within 0.5 to 1 of its nominal one, by the best of its viewers:
// one slow viewer never makes it worse for others. Down at once, up by 8 % a second at most. Viewers whose
// links were never overused are fine with the nominal one, as is nobody at all.
//   now: the bitrate as it is; elapsed_ns: since the last call
int64_t sc_rtc_ladder_rate(int64_t nominal, int64_t now, int64_t elapsed_ns,
                           const struct sc_rtc_estimate_info *viewers, int count);
