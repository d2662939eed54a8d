// Whether packets take longer and longer: the slope of their delay, against a threshold that adapts.
//
// Constants of the threshold: draft-ietf-rmcat-gcc-02, section 5.4. The line through the last groups, its
// smoothing and its gain: as the trend-line estimator of libwebrtc describes itself (20 groups, 0.9, 4).
#include <math.h>
#include <stddef.h>

#include "base/clock.h"
#include "rtc/estimate_internal.h"

#define GROUP_NS           (5 * SC_NS_PER_MS)
#define PAUSE_NS           SC_NS_PER_S // nothing was sent for so long: the trend begins anew

#define SMOOTH             0.9
#define GAIN               4.0
#define GROUPS             60.0 // the slope counts for more the more groups there were, up to here

#define THRESHOLD_MS       12.5
#define THRESHOLD_LEAST_MS 6.0
#define THRESHOLD_MOST_MS  600.0
#define THRESHOLD_UP       0.01
#define THRESHOLD_DOWN     0.00018
#define THRESHOLD_NEAR_MS  15.0 // a trend further above it is no reason to adapt
#define THRESHOLD_STEP_MS  100.0
#define OVER_MS            10.0

void sc_rtc_trend_init(struct sc_rtc_trend *trend)
{
    trend->threshold_ms = THRESHOLD_MS;
}

void sc_rtc_trend_reset(struct sc_rtc_trend *trend)
{
    *trend = (struct sc_rtc_trend){.threshold_ms = trend->threshold_ms};
}

// Of a line through the points, by least squares; ms a ms.
static double slope(const struct sc_rtc_trend *trend)
{
    double at = 0, value = 0, above = 0, below = 0;
    for (int i = 0; i < trend->count; i++) {
        at += trend->at_ms[i] / trend->count;
        value += trend->value_ms[i] / trend->count;
    }
    for (int i = 0; i < trend->count; i++) {
        double x = trend->at_ms[i] - at;
        above += x * (trend->value_ms[i] - value);
        below += x * x;
    }
    return below > 0 ? above / below : 0;
}

static void adapt(struct sc_rtc_trend *trend, double size, double step_ms)
{
    double beyond = size - trend->threshold_ms;
    if (beyond > THRESHOLD_NEAR_MS)
        return;
    double pull = beyond > 0 ? THRESHOLD_UP : THRESHOLD_DOWN;
    double threshold = trend->threshold_ms + pull * beyond * fmin(step_ms, THRESHOLD_STEP_MS);
    trend->threshold_ms = fmin(fmax(threshold, THRESHOLD_LEAST_MS), THRESHOLD_MOST_MS);
}

static void judge(struct sc_rtc_trend *trend, double now_ms, double step_ms)
{
    if (now_ms > trend->threshold_ms) {
        trend->over_ms += step_ms;
        trend->over_count++;
        if (trend->over_ms > OVER_MS && trend->over_count > 1 && now_ms >= trend->last_ms)
            trend->usage = SC_RTC_OVERUSE;
    } else {
        trend->over_ms = trend->over_count = 0;
        trend->usage = now_ms < -trend->threshold_ms ? SC_RTC_UNDERUSE : SC_RTC_NORMAL;
    }
    adapt(trend, fabs(now_ms), step_ms);
    trend->last_ms = now_ms;
}

static void add_group(struct sc_rtc_trend *trend, const struct sc_rtc_group *before,
                      const struct sc_rtc_group *group)
{
    double sent_ms = (double)(group->sent_ns - before->sent_ns) / SC_NS_PER_MS;
    double arrived_ms = (double)(group->arrived_ns - before->arrived_ns) / SC_NS_PER_MS;
    trend->delay_ms += arrived_ms - sent_ms;
    trend->smooth_ms = SMOOTH * trend->smooth_ms + (1 - SMOOTH) * trend->delay_ms;
    double at_ms = (double)group->sent_ns / SC_NS_PER_MS;
    trend->at_ms[trend->next] = at_ms;
    trend->value_ms[trend->next] = trend->smooth_ms;
    trend->next = (trend->next + 1) % SC_RTC_TREND;
    trend->groups++;
    if (trend->count < SC_RTC_TREND)
        trend->count++;
    if (trend->count == SC_RTC_TREND)
        judge(trend, slope(trend) * fmin(trend->groups, GROUPS) * GAIN, sent_ms);
}

// Sent together, or arrived together after having been sent apart: one group.
static bool belongs(const struct sc_rtc_group *group, const struct sc_rtc_sent *sent)
{
    if (sent->sent_ns - group->first_ns <= GROUP_NS)
        return true;
    int64_t arrival = sent->arrived_ns - group->arrived_ns;
    return arrival <= GROUP_NS && arrival < sent->sent_ns - group->sent_ns &&
           sent->arrived_ns - group->first_arrived_ns < 20 * GROUP_NS;
}

void sc_rtc_trend_add(struct sc_rtc_trend *trend, const struct sc_rtc_sent *sent)
{
    struct sc_rtc_group *group = &trend->group;
    if (group->first_ns && sent->sent_ns < group->sent_ns)
        return;
    if (group->first_ns && sent->sent_ns - group->sent_ns > PAUSE_NS)
        sc_rtc_trend_reset(trend);
    if (group->first_ns && !belongs(group, sent)) {
        if (trend->before.first_ns)
            add_group(trend, &trend->before, group);
        trend->before = *group;
        group->first_ns = 0;
    }
    if (!group->first_ns)
        *group = (struct sc_rtc_group){sent->sent_ns, sent->sent_ns, sent->arrived_ns,
                                       sent->arrived_ns};
    group->sent_ns = sent->sent_ns;
    if (sent->arrived_ns > group->arrived_ns)
        group->arrived_ns = sent->arrived_ns;
}
