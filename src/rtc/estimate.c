#include "rtc/estimate.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/estimate_internal.h"

#define START INT64_C(1500000)
#define LEAST INT64_C(50000)
#define MOST  INT64_C(50000000)

// Draft, sections 5.5 and 6.
#define FALL           0.85
#define GROWTH         1.08                 // a second, far from the last fall
#define BEYOND         1.5                  // of what arrives, no further
#define RESPONSE_NS    (100 * SC_NS_PER_MS) // and a round trip
#define NEAR           3.0                  // deviations from the mean rate at falls
#define LOSS_LOW       0.02
#define LOSS_GROWTH    1.05
#define LOSS_NS        (200 * SC_NS_PER_MS)
#define LOSS_FLOOR     0.5 // of what arrives

#define QUEUE_LEAST_MS 12.0 // below it nothing queues, whatever the trend says
#define QUEUE_NONE_MS  40.0 // what arrives meanwhile is carried
#define WINDOW_NS      SC_NS_PER_S
#define SILENCE_NS     SC_NS_PER_S
#define BURST_NS       (10 * SC_NS_PER_S)
#define STEP_NS        SC_NS_PER_S // growth counts no more time at once

struct sc_rtc_estimate {
    struct sc_rtc_estimate_params params;
    struct sc_rtc_history history;
    struct sc_rtc_trend trend;
    struct sc_rtc_burst burst;
    double by_delay, by_loss;    // bits a second
    double link, link_deviation; // rate at the last falls, share; 0 = none yet
    int64_t fed_ns, heard_ns;    // last call; last with news; 0 = none
    int64_t loss_ns;             // last step by loss
    int64_t silent_ns;           // last halving
    int64_t round_ns;            // from sending to feedback
    double packet;               // bits, mean
    struct sc_rtc_estimate_info info;
};

sc_rtc_estimate *sc_rtc_estimate_new(const struct sc_rtc_estimate_params *params)
{
    sc_rtc_estimate *estimate = sc_new(sc_rtc_estimate);
    estimate->params = (struct sc_rtc_estimate_params){
        .start = params && params->start ? params->start : START,
        .min = params && params->min ? params->min : LEAST,
        .max = params && params->max ? params->max : MOST,
    };
    sc_rtc_history_init(&estimate->history);
    sc_rtc_trend_init(&estimate->trend);
    estimate->by_delay = (double)estimate->params.start;
    estimate->by_loss = (double)estimate->params.max;
    estimate->info.bitrate = estimate->params.start;
    return estimate;
}

void sc_rtc_estimate_free(sc_rtc_estimate **pestimate)
{
    if (!pestimate)
        return;
    free(*pestimate);
    *pestimate = NULL;
}

static double clamp(const sc_rtc_estimate *e, double rate)
{
    return fmin(fmax(rate, (double)e->params.min), (double)e->params.max);
}

// --- by delay -----------------------------------------------------------------------------------

// Where the link gave way before: a mean that moves, and how much it varies (draft, section 5.5).
static void note_limit(sc_rtc_estimate *e, double rate)
{
    if (e->link <= 0) {
        e->link = rate;
        e->link_deviation = 0.1;
        return;
    }
    double off = (rate - e->link) / e->link;
    e->link += 0.05 * (rate - e->link);
    e->link_deviation = fmin(
        fmax(sqrt(0.95 * e->link_deviation * e->link_deviation + 0.05 * off * off), 0.03), 0.2);
}

static bool is_near(sc_rtc_estimate *e)
{
    double reach = NEAR * e->link_deviation * e->link;
    if (e->link > 0 && (double)e->info.received > e->link + reach)
        e->link = 0; // it carries more than it did
    return e->link > 0 && fabs((double)e->info.received - e->link) <= reach;
}

static void fall(sc_rtc_estimate *e, int64_t now_ns)
{
    // While packets queue, what arrives is what the link carries, be that more or less than was thought. A
    // queue that is gone too soon to measure that is a keyframe's.
    double carried = sc_rtc_history_busy(&e->history);
    if (carried <= 0)
        return;
    note_limit(e, carried);
    e->by_delay = FALL * carried;
    e->info.overused_ns = now_ns;
}

static void grow(sc_rtc_estimate *e, double seconds)
{
    double received = (double)e->info.received, rate = e->by_delay;
    if (is_near(e))
        rate += seconds * e->packet / ((double)(RESPONSE_NS + e->round_ns) / SC_NS_PER_S);
    else
        rate *= pow(GROWTH, seconds);
    e->by_delay = fmax(e->by_delay, fmin(rate, BEYOND * received));
    if (e->info.queue_ms < QUEUE_NONE_MS)
        e->by_delay = fmax(e->by_delay, received);
}

static void step_delay(sc_rtc_estimate *e, double seconds, int64_t now_ns)
{
    if (e->info.usage == SC_RTC_OVERUSE)
        fall(e, now_ns);
    else if (e->info.usage == SC_RTC_NORMAL)
        grow(e, seconds);
    e->by_delay = clamp(e, e->by_delay);
}

// --- by loss ------------------------------------------------------------------------------------

static void step_loss(sc_rtc_estimate *e, int64_t now_ns)
{
    double received = (double)e->info.received;
    if (now_ns - e->loss_ns < LOSS_NS)
        return;
    e->loss_ns = now_ns;
    if (e->info.lossy) {
        double rate = fmin(e->by_loss, e->by_delay) * (1 - 0.5 * e->info.loss);
        e->by_loss = fmax(rate, LOSS_FLOOR * received);
    } else if (e->info.loss <= LOSS_LOW) {
        e->by_loss *= LOSS_GROWTH;
    }
    if (!e->info.lossy)
        e->by_loss = fmax(e->by_loss, received);
    e->by_loss = clamp(e, e->by_loss);
}

// --- feedback -----------------------------------------------------------------------------------

static void take(sc_rtc_estimate *e, const struct sc_rtc_arrival *arrival, int64_t now_ns)
{
    const struct sc_rtc_sent *sent = NULL;
    enum sc_rtc_news news = sc_rtc_history_put(&e->history, arrival, now_ns, &sent);
    if (news == SC_RTC_OLD)
        return;
    e->heard_ns = now_ns;
    e->round_ns = now_ns - sent->sent_ns;
    e->packet += 0.01 * (8.0 * sent->size - e->packet);
    if (news == SC_RTC_JUMPED) {
        sc_rtc_trend_reset(&e->trend);
        e->burst.count = 0;
    }
    if (news == SC_RTC_LOST)
        e->burst.lost++;
    if (news == SC_RTC_ARRIVED)
        sc_rtc_burst_add(&e->burst, sent);
    if (news != SC_RTC_LOST && news != SC_RTC_LATE)
        sc_rtc_trend_add(&e->trend, sent);
}

// Nothing comes back: what was known of the link holds no longer.
static void be_silent(sc_rtc_estimate *e, int64_t now_ns)
{
    int64_t since = e->silent_ns > e->heard_ns ? e->silent_ns : e->heard_ns;
    if (!e->heard_ns || now_ns - since < SILENCE_NS)
        return;
    e->silent_ns = now_ns;
    e->by_delay = clamp(e, e->by_delay / 2);
    e->info.bitrate = (int64_t)fmin(e->by_delay, e->by_loss);
    e->info.usage = SC_RTC_OVERUSE;
    e->info.overused_ns = now_ns;
}

static void measure(sc_rtc_estimate *e)
{
    struct sc_rtc_estimate_info *info = &e->info;
    info->received = (int64_t)sc_rtc_history_rate(&e->history, WINDOW_NS);
    info->loss = sc_rtc_history_loss(&e->history, &info->lossy);
    info->queue_ms = sc_rtc_history_queue_ms(&e->history);
    info->usage = e->trend.usage;
    if (info->usage == SC_RTC_OVERUSE && info->queue_ms < QUEUE_LEAST_MS)
        info->usage = SC_RTC_NORMAL;
    bool fresh = e->burst.rate > 0 && e->history.newest_sent_ns - e->burst.rate_ns < BURST_NS;
    info->burst = fresh ? (int64_t)e->burst.rate : 0;
    info->slowed = fresh && e->burst.slowed;
}

void sc_rtc_estimate_feed(sc_rtc_estimate *estimate, const struct sc_rtc_arrival *arrivals,
                          int count, int64_t now_ns)
{
    for (int i = 0; i < count; i++)
        take(estimate, &arrivals[i], now_ns);
    if (estimate->heard_ns != now_ns) {
        be_silent(estimate, now_ns);
        return;
    }
    int64_t step_ns = estimate->fed_ns ? now_ns - estimate->fed_ns : 0;
    estimate->fed_ns = now_ns;
    measure(estimate);
    step_delay(estimate, (double)(step_ns < STEP_NS ? step_ns : STEP_NS) / SC_NS_PER_S, now_ns);
    step_loss(estimate, now_ns);
    estimate->info.bitrate = (int64_t)fmin(estimate->by_delay, estimate->by_loss);
}

void sc_rtc_estimate_get(const sc_rtc_estimate *estimate, struct sc_rtc_estimate_info *info)
{
    *info = estimate->info;
}
