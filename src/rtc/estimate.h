// How much a viewer's link can carry: an estimate from transport-wide feedback, by delay and by loss.
//
// Google Congestion Control (draft-ietf-rmcat-gcc-02): packets sent within 5 ms are a group; the difference of
// two groups' spacing at arrival and at sending goes through a trend filter; when it stays above an adaptive
// threshold the link is overused and the estimate falls to 0.85 of what arrives; else it grows, fast when
// far from the last fall, slowly when near. More than 10 % loss takes it down as well, 2 % or less lets it grow.
//
// What is sent limits what can be known: where less is sent than the link carries, the estimate grows to 1.5 times
// what arrives and no further.
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
void sc_rtc_estimate_free(sc_rtc_estimate **pestimate);

// Feedback as it came at now_ns. Lists may repeat, overlap and skip packets, sequence numbers wrap, arrival times
// may jump (the other side's clock has 24 bits of 64 ms): what makes no sense is left out.
void sc_rtc_estimate_feed(sc_rtc_estimate *estimate, const struct sc_rtc_arrival *arrivals,
                          int count, int64_t now_ns);

enum sc_rtc_usage { SC_RTC_NORMAL, SC_RTC_OVERUSE, SC_RTC_UNDERUSE };
struct sc_rtc_estimate_info {
    int64_t bitrate;  // the estimate
    int64_t received; // what arrived over the last second or so
    double loss;      // share, over the last second or so
    double queue_ms;  // how much longer packets take now than at best
    enum sc_rtc_usage usage;
    int64_t overused_ns; // when it was last overused; 0 = never
};
void sc_rtc_estimate_get(const sc_rtc_estimate *estimate, struct sc_rtc_estimate_info *info);
