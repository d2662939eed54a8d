// Which of the packets that a viewer misses are worth sending again.
//
// Viewers ask for whatever they miss, again and again. Where the link is too small that makes it worse: what
// is sent again takes the place of what would be shown, and is lost as well. So nothing is sent again
//   - that was sent again less than a round trip ago, or
//   - beyond what the estimate leaves, within 0.06 to 0.25 of the rate; half of what has been saved up is for
//     what came after the newest keyframe, since the viewer goes on from there.
//
// Thread-safety: Unsafe. No clock of its own.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SC_RTC_REPEATS 1024 // packets remembered

struct sc_rtc_repeat {
    struct {
        int64_t at_ns; // when it was last sent; 0 = unknown
        int size;
        uint16_t seq;
        bool again; // not for the first time
    } packets[SC_RTC_REPEATS];
    uint16_t key;     // first packet of the newest keyframe
    bool known;       // there was one
    double budget;    // bytes
    int64_t asked_ns; // the budget is of then; 0 = not yet
    int64_t granted, refused;
};

// All zero to begin with. A packet goes out for the first time; seq: of RTP; key: a keyframe starts with it.
void sc_rtc_repeat_sent(struct sc_rtc_repeat *repeat, uint16_t seq, int size, bool key,
                        int64_t now_ns);
// Whether it is to be sent again now. rate: of the rung; estimate: what the link carries; both in
// bits a second. round_ns: a round trip.
bool sc_rtc_repeat_ask(struct sc_rtc_repeat *repeat, uint16_t seq, int64_t rate,
                       int64_t estimate, int64_t round_ns, int64_t now_ns);
