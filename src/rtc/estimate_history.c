// What was sent, when it came, and what that says about rate, loss and queue.
//
// Figures are made by walking back over the last packets: feedback comes 15 times a second, so that is cheap,
// and packets that were called lost and come after all need no bookkeeping.
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "rtc/estimate_internal.h"

#define WRAP_NS       (INT64_C(64) * SC_NS_PER_MS * (1 << 24)) // of the other side's clock
#define JUMP_NS       (10 * SC_NS_PER_S) // delay does not change by so much from packet to packet
#define DRIFT_NS      (INT64_C(1) << 52) // nor by so much in total
#define PACKET_MOST   65535

#define OVERTAKEN     64 // packets that arrive before one sent earlier, at most
#define RATE_LEAST_NS (200 * SC_NS_PER_MS) // of a window

#define LOSS_NS       SC_NS_PER_S
#define LOSS_MOST_NS  (3 * SC_NS_PER_S)
#define LOSS_PACKETS  200 // or LOSS_MOST_NS
#define LOSS_HIGH     0.10
#define LOSS_CHANCE   2.0                  // deviations
#define LOSS_LEAST    20                   // packets, to say anything
#define LATE_NS       (100 * SC_NS_PER_MS) // what is missing may still come

#define QUEUE_NS      (100 * SC_NS_PER_MS)
#define QUEUE_PACKETS 5

#define BUSY_NS       (8 * SC_NS_PER_MS) // a packet that took so much longer found others before it
#define BUSY_LEAST_NS (120 * SC_NS_PER_MS)
#define BUSY_MOST_NS  (300 * SC_NS_PER_MS)

void sc_rtc_history_init(struct sc_rtc_history *history)
{
    for (int i = 0; i < SC_RTC_PERIODS; i++)
        history->least_ns[i] = SC_RTC_NO_DELAY;
}

static struct sc_rtc_sent *slot(struct sc_rtc_history *history, int64_t seq)
{
    return &history->sent[(uint64_t)seq % SC_RTC_HISTORY];
}

// The packet before `seq`, of those that are remembered; NULL = no such report.
static const struct sc_rtc_sent *look(const struct sc_rtc_history *history, int64_t seq)
{
    const struct sc_rtc_sent *sent = &history->sent[(uint64_t)seq % SC_RTC_HISTORY];
    return seq > 0 && sent->seq == seq ? sent : NULL;
}

static int64_t oldest(const struct sc_rtc_history *history)
{
    return history->newest > SC_RTC_HISTORY ? history->newest - SC_RTC_HISTORY : 0;
}

static int64_t unwrap_seq(const struct sc_rtc_history *history, uint16_t seq)
{
    if (!history->newest) // so that what came before the first report has numbers as well
        return (INT64_C(1) << 20) + seq;
    return history->newest + (int16_t)(uint16_t)(seq - (uint16_t)history->newest);
}

// Arrival on a clock that goes on: *pjumped where the other one did not.
static int64_t unwrap_time(struct sc_rtc_history *history, int64_t raw_ns, int64_t sent_ns,
                           bool *pjumped)
{
    raw_ns %= WRAP_NS;
    int64_t time_ns = sent_ns;
    *pjumped = false;
    if (history->heard) {
        int64_t step = (raw_ns - history->raw_ns) % WRAP_NS;
        if (step > WRAP_NS / 2)
            step -= WRAP_NS;
        else if (step < -WRAP_NS / 2)
            step += WRAP_NS;
        int64_t expected = sent_ns - history->raw_sent_ns;
        int64_t drift = history->raw_arrived_ns + step - sent_ns;
        *pjumped = llabs(step - expected) > JUMP_NS || llabs(drift) > DRIFT_NS;
        time_ns = history->raw_arrived_ns + (*pjumped ? expected : step);
    }
    history->raw_ns = raw_ns;
    history->raw_sent_ns = sent_ns;
    history->raw_arrived_ns = time_ns;
    return time_ns;
}

static void note_delay(struct sc_rtc_history *history, int64_t delay_ns, int64_t now_ns)
{
    int64_t period = now_ns / SC_RTC_PERIOD_NS;
    for (int i = 0; history->period < period && i < SC_RTC_PERIODS; i++)
        history->least_ns[++history->period % SC_RTC_PERIODS] = SC_RTC_NO_DELAY;
    history->period = period > history->period ? period : history->period;
    int64_t *least = &history->least_ns[history->period % SC_RTC_PERIODS];
    *least = delay_ns < *least ? delay_ns : *least;
}

static void note_arrival(struct sc_rtc_history *history, const struct sc_rtc_sent *sent,
                         int64_t now_ns)
{
    if (!history->heard)
        history->first_ns = history->arrived_ns = sent->arrived_ns;
    if (!history->heard || sent->arrived_ns > history->arrived_ns) {
        history->arrived_ns = sent->arrived_ns;
        history->arrived_sent_ns = sent->sent_ns;
    }
    history->heard = true;
    note_delay(history, sent->arrived_ns - sent->sent_ns, now_ns);
}

static bool makes_sense(const struct sc_rtc_arrival *arrival, int64_t now_ns)
{
    return arrival->size > 0 && arrival->size <= PACKET_MOST && arrival->sent_ns > 0 &&
           arrival->sent_ns <= now_ns && (arrival->lost || arrival->arrived_ns >= 0);
}

enum sc_rtc_news sc_rtc_history_put(struct sc_rtc_history *history,
                                    const struct sc_rtc_arrival *arrival, int64_t now_ns,
                                    const struct sc_rtc_sent **psent)
{
    if (!makes_sense(arrival, now_ns))
        return SC_RTC_OLD;
    int64_t seq = unwrap_seq(history, arrival->seq);
    struct sc_rtc_sent *sent = slot(history, seq);
    bool known = sent->seq == seq;
    if (seq <= oldest(history) || (known && (arrival->lost || !sent->lost)))
        return SC_RTC_OLD;
    *sent = (struct sc_rtc_sent){
        .seq = seq, .sent_ns = arrival->sent_ns, .size = arrival->size, .lost = arrival->lost};
    *psent = sent;
    bool late = seq < history->newest, jumped = false;
    if (seq > history->newest)
        history->newest = seq;
    if (sent->sent_ns > history->newest_sent_ns)
        history->newest_sent_ns = sent->sent_ns;
    if (sent->lost)
        return SC_RTC_LOST;
    sent->arrived_ns = unwrap_time(history, arrival->arrived_ns, sent->sent_ns, &jumped);
    note_arrival(history, sent, now_ns);
    return jumped ? SC_RTC_JUMPED : late ? SC_RTC_LATE : SC_RTC_ARRIVED;
}

// The time there when the newest packet would have come, had it not been lost.
static int64_t end_ns(const struct sc_rtc_history *history)
{
    int64_t behind = history->newest_sent_ns - history->arrived_sent_ns;
    return history->arrived_ns + (behind > 0 ? behind : 0);
}

double sc_rtc_history_rate(const struct sc_rtc_history *history, int64_t window_ns)
{
    if (!history->heard)
        return 0;
    int64_t end = end_ns(history), bytes = 0;
    int before = 0; // in a row
    for (int64_t seq = history->newest; seq > oldest(history) && before < OVERTAKEN; seq--) {
        const struct sc_rtc_sent *sent = look(history, seq);
        if (!sent || sent->lost)
            continue;
        bool within = sent->arrived_ns > end - window_ns;
        before = within ? 0 : before + 1;
        bytes += within ? sent->size : 0;
    }
    int64_t since = end - history->first_ns;
    int64_t span = since < window_ns ? since : window_ns;
    return (double)bytes * 8e9 / (double)(span > RATE_LEAST_NS ? span : RATE_LEAST_NS);
}

double sc_rtc_history_loss(const struct sc_rtc_history *history, bool *plossy)
{
    int count = 0, lost = 0;
    for (int64_t seq = history->newest; seq > oldest(history); seq--) {
        const struct sc_rtc_sent *sent = look(history, seq);
        if (!sent)
            continue;
        int64_t age = history->newest_sent_ns - sent->sent_ns;
        if (age > LOSS_MOST_NS || (age > LOSS_NS && count >= LOSS_PACKETS))
            break;
        count += age >= LATE_NS;
        lost += age >= LATE_NS && sent->lost;
    }
    double deviation = sqrt(LOSS_HIGH * (1 - LOSS_HIGH) * count);
    *plossy = count >= LOSS_LEAST && lost > LOSS_HIGH * count + LOSS_CHANCE * deviation;
    return count >= LOSS_LEAST ? (double)lost / count : 0;
}

static int64_t least_delay(const struct sc_rtc_history *history)
{
    int64_t least = SC_RTC_NO_DELAY;
    for (int i = 0; i < SC_RTC_PERIODS; i++)
        least = history->least_ns[i] < least ? history->least_ns[i] : least;
    return least;
}

static int64_t waited_ns(const struct sc_rtc_sent *sent, int64_t least_ns)
{
    return sent->arrived_ns - sent->sent_ns - least_ns;
}

double sc_rtc_history_queue_ms(const struct sc_rtc_history *history)
{
    if (!history->heard)
        return 0;
    int64_t base = least_delay(history), least = INT64_MAX;
    int count = 0;
    for (int64_t seq = history->newest; seq > oldest(history); seq--) {
        const struct sc_rtc_sent *sent = look(history, seq);
        if (!sent || sent->lost)
            continue;
        if (count >= QUEUE_PACKETS && sent->arrived_ns < history->arrived_ns - QUEUE_NS)
            break;
        int64_t waited = waited_ns(sent, base);
        least = waited < least ? waited : least;
        count++;
    }
    return count && least > 0 ? (double)least / SC_NS_PER_MS : 0;
}

double sc_rtc_history_busy(const struct sc_rtc_history *history)
{
    int64_t base = least_delay(history), first = INT64_MAX, last = INT64_MIN, bytes = 0;
    int first_size = 0;
    for (int64_t seq = history->newest; history->heard && seq > oldest(history); seq--) {
        const struct sc_rtc_sent *sent = look(history, seq);
        if (!sent) // a report was lost: how much came meanwhile is not known
            break;
        if (sent->lost)
            continue;
        if (waited_ns(sent, base) < BUSY_NS ||
            (last > first && last - sent->arrived_ns > BUSY_MOST_NS))
            break;
        bytes += sent->size;
        last = sent->arrived_ns > last ? sent->arrived_ns : last;
        if (sent->arrived_ns < first) {
            first = sent->arrived_ns;
            first_size = sent->size;
        }
    }
    if (last <= first || last - first < BUSY_LEAST_NS)
        return 0;
    return (double)(bytes - first_size) * 8e9 / (double)(last - first);
}
