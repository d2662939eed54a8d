// How much a viewer's link can carry: an estimate from transport-wide feedback, by delay and by loss.
//
// Google Congestion Control (draft-ietf-rmcat-gcc-02): packets sent within 5 ms are a group; when packets take
// longer and longer, beyond an adaptive threshold, the link is overused and the estimate falls to 0.85 of what
// it carries; else it grows, 8 % a second when far from the last fall, about a packet a round trip when near.
// More than 10 % loss, beyond what may be chance among so few packets, takes it down as well, 2 % or less lets it grow.
//
// What differs from the draft, and why:
//   - the trend is a line through the last 20 groups' delay, as in later versions of libwebrtc, instead of the
//     Kalman filter: it needs no model of the noise and gives the same at every packet rate;
//   - a rising trend is overuse only where packets do queue: bursts of keyframes and jitter do not count;
//   - the fall is to 0.85 of what came while packets queued, which is the link's rate, not of an
//     average that less was sent in, so phases in which little is sent do not spoil the estimate;
//   - what has just been carried without a queue is carried: the estimate is not below it, since encoders here
//     do not follow the estimate from second to second;
//   - the loss controller leaves half of what arrives.
//
// What is sent limits what can be known: where less is sent than the link carries, the estimate grows to 1.5 times
// what arrives and no further. Bursts tell more: a keyframe's packets come faster than the average.
//
// Thread-safety: Unsafe. No clock of its own: time comes with the calls.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rtc/peer.h"

typedef struct sc_rtc_estimate sc_rtc_estimate;

struct sc_rtc_estimate_params {
    int64_t start, min, max; // bits a second; 0 = 1.5 Mbit/s, 50 kbit/s, 50 Mbit/s
};
sc_rtc_estimate *sc_rtc_estimate_new(const struct sc_rtc_estimate_params *params); // never NULL
void sc_rtc_estimate_free(sc_rtc_estimate **pestimate); // NULL and &NULL allowed

// Feedback as it came at now_ns. Lists may repeat, overlap and skip packets, sequence numbers wrap, arrival times
// may jump (the other side's clock has 24 bits of 64 ms): what makes no sense is left out.
// count 0: packets are being sent and nothing came. After a second of that the estimate is halved, and again
// with every further second; to be called a few times a second while something is sent.
void sc_rtc_estimate_feed(sc_rtc_estimate *estimate, const struct sc_rtc_arrival *arrivals,
                          int count, int64_t now_ns);

enum sc_rtc_usage { SC_RTC_NORMAL, SC_RTC_OVERUSE, SC_RTC_UNDERUSE };
struct sc_rtc_estimate_info {
    int64_t bitrate;  // the estimate
    int64_t received; // what arrived over the last second or so
    double loss;      // share, over the last second or so (more where few packets are sent)
    bool lossy;       // more than 10 % is lost, and not by chance
    double queue_ms;  // how much longer packets take now than at best within half a minute
    enum sc_rtc_usage usage;
    int64_t overused_ns; // when it was last overused, or silent; 0 = never
    // The last burst of eight packets or more: how fast it arrived; 0 = none within the last 10 s.
    int64_t burst; // bits a second
    bool slowed;   // more slowly than it was sent: that is what the link carries
};
void sc_rtc_estimate_get(const sc_rtc_estimate *estimate, struct sc_rtc_estimate_info *info);
