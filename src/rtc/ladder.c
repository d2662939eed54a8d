#include "rtc/ladder.h"

#include <math.h>

#include "base/clock.h"
#include "base/mem.h"

#define UP_NS      (6 * SC_NS_PER_S)
#define PAUSE_MOST (60 * SC_NS_PER_S)
#define TRIAL_NS   (10 * SC_NS_PER_S)
#define PROVED_NS  (60 * SC_NS_PER_S)
#define SETTLE_NS  (1500 * SC_NS_PER_MS) // a round trip, a keyframe, feedback
#define DRAIN_MOST (3 * SC_NS_PER_S)
#define QUEUED_NS  (500 * SC_NS_PER_MS) // longer than a keyframe takes
#define RECENT_NS  SC_NS_PER_S          // overuse counts for so long
#define FINE_NS    SC_NS_PER_S          // before a viewer is no longer starved

#define DOWN_SHARE                                                                             \
    0.9 // of the rung's rate: packet headers, retransmissions and keyframes come on top
#define DOWN_QUEUE_MS 200.0
#define DRAINED_MS    10.0 // so much less counts as draining
#define HOLD_QUEUE_MS 15.0
#define UP_QUEUE_MS   50.0
#define UP_BURST      1.3
#define UP_VETO       1.0

#define PACE          1.5 // of the rung's rate, at least
#define PACE_NEXT     1.5 // of the next rung's: a burst at it shows whether that one would fit
#define PACE_FIRST    2.5 // of the rung's, before any burst
#define PACE_SLOWED   1.25
#define PACE_FREE     2.0
#define PACE_MOST     100e6

#define RATE_SHARE    0.9 // of the estimate
#define RATE_LEAST    0.5 // of the nominal rate
#define RATE_GROWTH   0.08

void sc_rtc_ladder_init(struct sc_rtc_ladder *ladder, const struct sc_rtc_ladder_params *params,
                        int start, int64_t now_ns)
{
    sc_require(params->count > 0 && params->count <= SC_RTC_RUNGS);
    sc_require(start >= 0 && start < params->count);
    *ladder = (struct sc_rtc_ladder){.params = *params, .rung = start, .changed_ns = now_ns};
    if (!ladder->params.up_ns)
        ladder->params.up_ns = UP_NS;
    ladder->pause_ns = ladder->params.up_ns;
    ladder->settled_ns = now_ns;
}

static double rate_of(const struct sc_rtc_ladder *ladder, int rung)
{
    int64_t rate = ladder->rates[rung];
    return (double)(rate > 0 ? rate : ladder->params.bitrates[rung]);
}

static void change(struct sc_rtc_ladder *ladder, int rung, int64_t settle_ns, int64_t now_ns)
{
    ladder->rung = rung;
    ladder->changed_ns = now_ns;
    ladder->settled_ns = now_ns + settle_ns;
    ladder->room_ns = 0;
    ladder->trial_ns = 0;
    ladder->switches++;
    ladder->hold = false;
}

// Whether the rung of now is too much for the link.
static bool too_much(const struct sc_rtc_ladder *ladder,
                     const struct sc_rtc_estimate_info *info, int64_t now_ns)
{
    bool queued = ladder->queued_ns && now_ns - ladder->queued_ns >= QUEUED_NS;
    if (info->lossy || queued)
        return true;
    return info->overused_ns > ladder->changed_ns && now_ns - info->overused_ns < RECENT_NS &&
           (double)info->bitrate < DOWN_SHARE * rate_of(ladder, ladder->rung);
}

static void go_down(struct sc_rtc_ladder *ladder, const struct sc_rtc_estimate_info *info,
                    int64_t now_ns)
{
    int rung = ladder->rung + 1, lowest = ladder->params.count - 1;
    // The rung before a trial was fine, so a trial goes back to it.
    if (ladder->trial_ns && now_ns - ladder->trial_ns < TRIAL_NS)
        ladder->pause_ns =
            2 * ladder->pause_ns < PAUSE_MOST ? 2 * ladder->pause_ns : PAUSE_MOST;
    else
        while (rung < lowest && rate_of(ladder, rung) > (double)info->bitrate)
            rung++;
    double drain_ns = fmin(info->queue_ms * SC_NS_PER_MS, DRAIN_MOST);
    change(ladder, rung, SETTLE_NS + (int64_t)drain_ns, now_ns);
    ladder->hold = info->lossy || info->queue_ms > HOLD_QUEUE_MS;
}

static bool has_room(const struct sc_rtc_ladder *ladder,
                     const struct sc_rtc_estimate_info *info)
{
    double next = rate_of(ladder, ladder->rung - 1);
    if (info->slowed && (double)info->burst < UP_VETO * next)
        return false;
    return info->usage != SC_RTC_OVERUSE && info->queue_ms < UP_QUEUE_MS && !info->lossy;
}

// How long after the last change the next rung may be tried; not quite as long where a burst came through
// faster than that rung needs.
static int64_t pause_of(const struct sc_rtc_ladder *ladder,
                        const struct sc_rtc_estimate_info *info)
{
    bool shown = (double)info->burst > UP_BURST * rate_of(ladder, ladder->rung - 1);
    return shown ? ladder->pause_ns / 4 : ladder->pause_ns;
}

static void try_up(struct sc_rtc_ladder *ladder, const struct sc_rtc_estimate_info *info,
                   int64_t now_ns)
{
    if (!ladder->rung || !has_room(ladder, info)) {
        ladder->room_ns = 0;
        return;
    }
    if (!ladder->room_ns)
        ladder->room_ns = now_ns;
    if (now_ns - ladder->room_ns < ladder->params.up_ns ||
        now_ns - ladder->changed_ns < pause_of(ladder, info))
        return;
    change(ladder, ladder->rung - 1, 0, now_ns);
    ladder->trial_ns = now_ns;
}

// On the lowest rung: starved at once, fine again after a while.
static void judge_floor(struct sc_rtc_ladder *ladder, bool bad, int64_t now_ns)
{
    if (bad || ladder->rung < ladder->params.count - 1) {
        ladder->starved = bad;
        ladder->fine_ns = 0;
        return;
    }
    if (!ladder->fine_ns)
        ladder->fine_ns = now_ns;
    if (now_ns - ladder->fine_ns >= FINE_NS)
        ladder->starved = false;
}

// Too much is queued, and it does not drain.
static void watch_queue(struct sc_rtc_ladder *ladder, double queue_ms, int64_t now_ns)
{
    if (queue_ms < DOWN_QUEUE_MS) {
        ladder->queued_ns = 0;
    } else if (!ladder->queued_ns || queue_ms < ladder->queued_ms - DRAINED_MS) {
        ladder->queued_ns = now_ns;
        ladder->queued_ms = queue_ms;
    }
}

int sc_rtc_ladder_step(struct sc_rtc_ladder *ladder, const struct sc_rtc_estimate_info *info,
                       int64_t now_ns)
{
    bool lowest = ladder->rung == ladder->params.count - 1;
    watch_queue(ladder, info->queue_ms, now_ns);
    bool settled = now_ns >= ladder->settled_ns;
    bool bad = settled && too_much(ladder, info, now_ns);
    if (settled)
        judge_floor(ladder, bad && lowest, now_ns);
    if (bad && !lowest)
        go_down(ladder, info, now_ns);
    else if (settled)
        try_up(ladder, info, now_ns);
    if (ladder->trial_ns && now_ns - ladder->trial_ns > PROVED_NS) {
        ladder->pause_ns = ladder->params.up_ns;
        ladder->trial_ns = 0;
    }
    return ladder->rung;
}

int64_t sc_rtc_ladder_pace(const struct sc_rtc_ladder *ladder,
                           const struct sc_rtc_estimate_info *info)
{
    if (ladder->starved)
        return (int64_t)(PACE_SLOWED * (double)info->bitrate);
    double rate = rate_of(ladder, ladder->rung), pace = PACE * rate;
    if (info->slowed)
        return (int64_t)fmin(fmax(pace, PACE_SLOWED * (double)info->burst), PACE_MOST);
    if (ladder->rung)
        pace = fmax(pace, PACE_NEXT * rate_of(ladder, ladder->rung - 1));
    pace = fmax(pace, info->burst ? PACE_FREE * (double)info->burst : PACE_FIRST * rate);
    return (int64_t)fmin(pace, PACE_MOST);
}

int64_t sc_rtc_ladder_rate(int64_t nominal, int64_t now, int64_t elapsed_ns,
                           const struct sc_rtc_estimate_info *viewers, int count)
{
    double wanted = count ? 0 : (double)nominal;
    for (int i = 0; i < count; i++) {
        bool known = viewers[i].overused_ns != 0;
        wanted =
            fmax(wanted, known ? RATE_SHARE * (double)viewers[i].bitrate : (double)nominal);
    }
    wanted = fmin(fmax(wanted, RATE_LEAST * (double)nominal), (double)nominal);
    double step = RATE_GROWTH * (double)nominal * (double)elapsed_ns / SC_NS_PER_S;
    return (int64_t)fmin(wanted, (double)now + fmax(step, 0));
}
