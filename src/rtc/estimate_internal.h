// The parts of an estimate: what was sent and when it came, the trend of its delay, bursts.
#pragma once

#include "rtc/estimate.h"

#define SC_RTC_HISTORY 4096 // packets: three seconds of 16 Mbit/s

// --- history: the last packets, each once -------------------------------------------------------

struct sc_rtc_sent {
    int64_t seq; // unwrapped; 0 = none
    int64_t sent_ns;
    int64_t arrived_ns; // on a clock that does not wrap or jump; means something where not lost
    int size;
    bool lost;
};

#define SC_RTC_PERIODS   6 // the least delay is kept for each of them
#define SC_RTC_PERIOD_NS INT64_C(5000000000)
#define SC_RTC_NO_DELAY  INT64_MAX

struct sc_rtc_history {
    struct sc_rtc_sent sent[SC_RTC_HISTORY];
    int64_t newest;          // seq; 0 = nothing yet
    int64_t newest_sent_ns;  // of all that was reported
    int64_t first_ns;        // arrival of the first packet
    int64_t arrived_ns;      // the latest arrival,
    int64_t arrived_sent_ns; // and when that packet was sent
    // Of the last packet: arrival on its clock, sending on ours, arrival on one without jumps.
    int64_t raw_ns, raw_sent_ns, raw_arrived_ns;
    bool heard;                       // something arrived
    int64_t least_ns[SC_RTC_PERIODS]; // delay; within each of the last periods
    int64_t period;                   // number of the current one
};

// LATE: it arrived, but a later packet was reported before. JUMPED: it arrived, and the other clock
// made a jump before it.
enum sc_rtc_news { SC_RTC_OLD, SC_RTC_LOST, SC_RTC_LATE, SC_RTC_ARRIVED, SC_RTC_JUMPED };

void sc_rtc_history_init(struct sc_rtc_history *history);
// *psent is valid for all but SC_RTC_OLD.
enum sc_rtc_news sc_rtc_history_put(struct sc_rtc_history *history,
                                    const struct sc_rtc_arrival *arrival, int64_t now_ns,
                                    const struct sc_rtc_sent **psent);
// Bits a second that arrived over the last window_ns.
double sc_rtc_history_rate(const struct sc_rtc_history *history, int64_t window_ns);
// Share of packets; 0 where there were too few. *plossy: it is more than 10 %, beyond chance.
double sc_rtc_history_loss(const struct sc_rtc_history *history, bool *plossy);
// How much longer even the fastest of the last packets took than the fastest within half a minute.
double sc_rtc_history_queue_ms(const struct sc_rtc_history *history);
// Bits a second that arrived since packets queue, 0.3 s at most; 0 = too few to say.
double sc_rtc_history_busy(const struct sc_rtc_history *history);

// --- trend --------------------------------------------------------------------------------------

#define SC_RTC_TREND 20 // groups

struct sc_rtc_trend {
    struct sc_rtc_group {
        int64_t first_ns, sent_ns; // of the first packet, of the last; 0 = none
        int64_t first_arrived_ns, arrived_ns;
    } group, before;
    double delay_ms, smooth_ms;                         // accumulated
    double at_ms[SC_RTC_TREND], value_ms[SC_RTC_TREND]; // a ring
    int count, next;
    double groups;                // so far
    double threshold_ms, last_ms; // last: the trend before
    double over_ms;               // for how long it has been above the threshold
    int over_count;
    enum sc_rtc_usage usage;
};

void sc_rtc_trend_init(struct sc_rtc_trend *trend);
void sc_rtc_trend_reset(struct sc_rtc_trend *trend); // after a jump; the threshold stays
void sc_rtc_trend_add(struct sc_rtc_trend *trend, const struct sc_rtc_sent *sent);

// --- bursts -------------------------------------------------------------------------------------

struct sc_rtc_burst {
    int64_t first_sent_ns, first_arrived_ns;
    int64_t sent_ns, arrived_ns, bytes; // of the last packet; without the first one's
    int count, lost;
    // The last one that was complete.
    double rate; // 0 = none
    bool slowed;
    int64_t rate_ns; // when it was sent
};

void sc_rtc_burst_add(struct sc_rtc_burst *burst, const struct sc_rtc_sent *sent);
