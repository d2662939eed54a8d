#include "rtc/repeat.h"

#include <math.h>

#include "base/clock.h"

#define LEAST       0.15 // of the rate
#define MOST        0.3
#define PAST        0.75 // of what is saved up is not for what came before a keyframe
#define SAVED_S     1.0  // seconds of that
#define ROUND_LEAST (20 * SC_NS_PER_MS)  // where the round trip is not known
#define BEFORE_KEY  (SC_RTC_REPEATS / 2) // packets before it that are told from later ones

void sc_rtc_repeat_sent(struct sc_rtc_repeat *repeat, uint16_t seq, int size, bool key,
                        int64_t now_ns)
{
    int at = seq % SC_RTC_REPEATS;
    repeat->packets[at].at_ns = now_ns;
    repeat->packets[at].size = size;
    repeat->packets[at].seq = seq;
    repeat->packets[at].again = false;
    if (key) {
        repeat->key = seq;
        repeat->known = true;
    }
}

// Bytes a second that there are to spare.
static double spare(int64_t rate, int64_t estimate)
{
    double share = (double)(estimate - rate) / (double)(rate > 0 ? rate : 1);
    return fmin(fmax(share, LEAST), MOST) * (double)rate / 8;
}

static bool is_past(const struct sc_rtc_repeat *repeat, uint16_t seq)
{
    uint16_t behind = (uint16_t)(repeat->key - seq);
    return repeat->known && behind > 0 && behind <= BEFORE_KEY;
}

// What is left for what matters more than this one.
static double reserve(const struct sc_rtc_repeat *repeat, uint16_t seq, double bytes)
{
    return is_past(repeat, seq) ? SAVED_S * bytes * PAST : 0;
}

static void save_up(struct sc_rtc_repeat *repeat, double bytes, int64_t now_ns)
{
    double since_s = (double)(now_ns - repeat->asked_ns) / SC_NS_PER_S;
    if (!repeat->asked_ns)
        since_s = SAVED_S;
    repeat->budget = fmin(repeat->budget + since_s * bytes, SAVED_S * bytes);
    repeat->asked_ns = now_ns;
}

bool sc_rtc_repeat_ask(struct sc_rtc_repeat *repeat, uint16_t seq, int64_t rate,
                       int64_t estimate, int64_t round_ns, int64_t now_ns)
{
    int at = seq % SC_RTC_REPEATS;
    int64_t since_ns = now_ns - repeat->packets[at].at_ns;
    int64_t least_ns = round_ns > ROUND_LEAST ? round_ns : ROUND_LEAST;
    bool mine = repeat->packets[at].at_ns && repeat->packets[at].seq == seq;
    double bytes = spare(rate, estimate);
    save_up(repeat, bytes, now_ns);
    if (!mine || (repeat->packets[at].again && since_ns < least_ns) ||
        repeat->budget - repeat->packets[at].size < reserve(repeat, seq, bytes)) {
        repeat->refused++;
        return false;
    }
    repeat->budget -= repeat->packets[at].size;
    repeat->packets[at].at_ns = now_ns;
    repeat->packets[at].again = true;
    repeat->granted++;
    return true;
}
