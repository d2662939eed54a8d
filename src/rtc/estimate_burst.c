// Packets that were sent faster than usual, and how fast they came.
#include "base/clock.h"
#include "rtc/estimate_internal.h"

#define GAP_NS   (12 * SC_NS_PER_MS) // between packets of one burst
#define MOST_NS  (150 * SC_NS_PER_MS)
#define PACKETS  8
#define SLOW     1.1 // longer at arrival than at sending, beyond
#define SLACK_NS SC_NS_PER_MS
#define LOST     0.2          // share: dropped by a short queue
#define SPAN_NS  SC_NS_PER_MS // below it arrival times are too coarse

static void finish(struct sc_rtc_burst *burst)
{
    int64_t sent = burst->sent_ns - burst->first_sent_ns;
    int64_t arrived = burst->arrived_ns - burst->first_arrived_ns;
    if (burst->count < PACKETS)
        return;
    burst->slowed = (double)arrived > SLOW * (double)sent + SLACK_NS ||
                    burst->lost > LOST * (burst->count + burst->lost);
    burst->rate = (double)burst->bytes * 8e9 / (double)(arrived > SPAN_NS ? arrived : SPAN_NS);
    burst->rate_ns = burst->sent_ns;
}

void sc_rtc_burst_add(struct sc_rtc_burst *burst, const struct sc_rtc_sent *sent)
{
    bool same = burst->count && sent->sent_ns - burst->sent_ns <= GAP_NS &&
                sent->sent_ns - burst->first_sent_ns <= MOST_NS;
    if (!same) {
        finish(burst);
        burst->count = burst->lost = 0;
        burst->bytes = 0;
        burst->first_sent_ns = sent->sent_ns;
        burst->first_arrived_ns = burst->arrived_ns = sent->arrived_ns;
    } else {
        burst->bytes += sent->size;
    }
    burst->count++;
    burst->sent_ns = sent->sent_ns;
    burst->arrived_ns =
        sent->arrived_ns; // not the latest one: jitter would make each burst longer
}
