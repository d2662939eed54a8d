#include "media/timeline.h"

#include <stdlib.h>

#include <libavutil/avutil.h>
#include <libavutil/mathematics.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

#define MAX_NS      (INT64_C(1) << 59)   // 18 years; beyond, a time is taken as missing
#define MIN_STEP    INT64_C(1000)        // between two dts
#define BACK        (100 * SC_NS_PER_MS) // a picture's step back that is squeezed, not a jump
#define AHEAD_LIVE  (2 * SC_NS_PER_S)    // a step that needs no explanation
#define AHEAD_FILE  (10 * SC_NS_PER_S)   //
#define OVERLAP     (5 * SC_NS_PER_MS)   // of sound that is squeezed, not left out
#define GLITCH      SC_NS_PER_S          // how long the correction before a jump is remembered
#define REORDER     SC_NS_PER_S          // made dts lie at most that far before pts
#define MAX_REORDER (60 * SC_NS_PER_S)   // pts further from dts than that is taken as missing
#define WINDOW      (20 * SC_NS_PER_S)   // in which the lead is measured
#define SLEW_TIME   32                   // s in which drift is taken back
#define SLEW_SHARE  50                   // at most one part in so many
#define SLEW_MIN    (2 * SC_NS_PER_MS)   // drift that is left alone

struct track {
    struct sc_timeline_format format;
    bool begun;       // had a packet since the last resume
    int64_t ticks;    // last dts (or pts where there is none), unwrapped
    int64_t in_ns;    // last dts of the source
    int64_t frame_ns; // last known duration
    int64_t shift;    // correction in use: out = in + shift
    bool given;       // had a packet ever
    int64_t out_ns;   // last dts given
    int64_t from_ns;  // what comes since the last resume begins there or later
    int64_t shown_ns; // end of what is shown or heard by what was given
    int64_t arrival_ns;
};

// How far times lead arrival, at least, in windows.
struct lead {
    bool begun;
    int windows;   // complete ones
    int64_t start; // of the window, on the arrival clock
    int64_t least; // in this window so far
    int64_t last;  // of the window before
    int64_t base;  // what it shall be: that of the second window
    int64_t error; // what is still to be taken back
};

struct sc_timeline {
    bool live, may_jump;
    int64_t ahead;
    struct track track[SC_TIMELINE_TRACKS];
    bool anchored;         // a picture came since the last resume
    int64_t shift, before; // the newest correction, and the one before its jump
    int64_t jump_ns;       // out time of that jump
    struct lead lead;
    int64_t jumps;
};

sc_timeline *sc_timeline_new(const struct sc_timeline_params *params)
{
    sc_timeline *tl = sc_new(sc_timeline);
    tl->live = params->live;
    tl->may_jump = params->live || params->jumps;
    tl->ahead = params->live ? AHEAD_LIVE : AHEAD_FILE;
    return tl;
}

void sc_timeline_free(sc_timeline **ptl)
{
    if (!ptl)
        return;
    free(*ptl);
    *ptl = NULL;
}

int64_t sc_timeline_jumps(const sc_timeline *tl)
{
    return tl->jumps;
}

void sc_timeline_set_track(sc_timeline *tl, enum sc_timeline_track track,
                           const struct sc_timeline_format *format)
{
    struct track *t = &tl->track[track];
    int64_t usual = (track == SC_TIMELINE_SOUND ? 20 : 40) * SC_NS_PER_MS;
    t->format = *format;
    if (format->time_base.num <= 0 || format->time_base.den <= 0)
        t->format.time_base = (AVRational){1, 1000};
    t->format.delay = av_clip(format->delay, 0, 16);
    t->frame_ns = format->frame_ns > 0 ? FFMIN(format->frame_ns, SC_NS_PER_S) : usual;
}

static int64_t end_of(const struct track *t)
{
    return t->given ? t->out_ns + t->frame_ns : 0;
}

void sc_timeline_resume(sc_timeline *tl)
{
    for (int i = 0; i < SC_TIMELINE_TRACKS; i++) {
        struct track *t = &tl->track[i];
        t->begun = false;
        t->from_ns = end_of(t);
    }
    tl->anchored = false;
}

// AV_NOPTS_VALUE where it does not fit.
static int64_t to_ns(const struct track *t, int64_t ticks)
{
    if (ticks == AV_NOPTS_VALUE)
        return AV_NOPTS_VALUE;
    int64_t ns = av_rescale_q(ticks, t->format.time_base, (AVRational){1, SC_NS_PER_S});
    return ns > -MAX_NS && ns < MAX_NS ? ns : AV_NOPTS_VALUE;
}

// The value nearest to `near` that a counter of so many bits shows as `ticks`.
static int64_t unwrap(int64_t ticks, int64_t near, int bits)
{
    if (bits < 1 || bits > 62 || ticks == AV_NOPTS_VALUE)
        return ticks;
    uint64_t step = ((uint64_t)ticks - (uint64_t)near) << (64 - bits);
    // cppcheck-suppress shiftTooManyBitsSigned; the sign is what is wanted
    return (int64_t)((uint64_t)near + (uint64_t)((int64_t)step >> (64 - bits)));
}

// Ticks of track t near which its next time is looked for; the other track's place at its start.
static int64_t near_ticks(const sc_timeline *tl, const struct track *t, int64_t ticks)
{
    if (t->begun)
        return t->ticks;
    const struct track *other = &tl->track[t == &tl->track[0]];
    if (!other->begun)
        return ticks;
    return av_rescale_q(other->in_ns, (AVRational){1, SC_NS_PER_S}, t->format.time_base);
}

// A dts for a packet that has only pts: as even as possible, never behind pts.
static int64_t make_dts(const struct track *t, int64_t pts)
{
    int64_t next = t->in_ns + t->frame_ns;
    if (!t->begun || llabs(pts - next) > REORDER)
        return pts - t->format.delay * t->frame_ns;
    return FFMIN(pts, next);
}

// The source's times in ns, complete.
static void read_times(const sc_timeline *tl, struct track *t, const struct sc_timeline_in *in,
                       struct sc_timeline_out *src)
{
    bool sound = t == &tl->track[SC_TIMELINE_SOUND];
    int64_t given = in->dts != AV_NOPTS_VALUE ? in->dts : in->pts;
    int64_t ticks = unwrap(given, near_ticks(tl, t, given), t->format.wrap_bits);
    int64_t dts = to_ns(t, in->dts != AV_NOPTS_VALUE ? ticks : AV_NOPTS_VALUE);
    int64_t pts = to_ns(t, unwrap(in->pts, ticks, t->format.wrap_bits));
    int64_t duration = in->duration > 0 ? to_ns(t, in->duration) : AV_NOPTS_VALUE;
    // A file's last sound says that it is shorter than what is heard of it.
    if (duration > 0 && duration <= SC_NS_PER_S)
        t->frame_ns = sound ? FFMAX(duration, t->format.frame_ns) : duration;
    if (dts != AV_NOPTS_VALUE && pts != AV_NOPTS_VALUE && llabs(pts - dts) > MAX_REORDER)
        pts = AV_NOPTS_VALUE;
    src->pts_guessed = pts == AV_NOPTS_VALUE;
    if (dts == AV_NOPTS_VALUE && pts != AV_NOPTS_VALUE)
        dts = make_dts(t, pts);
    else if (dts == AV_NOPTS_VALUE)
        dts = t->begun ? t->in_ns + t->frame_ns : 0;
    if (pts == AV_NOPTS_VALUE)
        pts = dts;
    if (given != AV_NOPTS_VALUE)
        t->ticks = ticks;
    src->dts_ns = dts;
    src->pts_ns = FFMAX(pts, dts);
    src->duration_ns = duration > 0 && duration < MAX_REORDER ? duration : t->frame_ns;
}

// Where the clock says that a packet that arrives now belongs.
static int64_t clock_place(const sc_timeline *tl, int64_t arrival)
{
    const struct lead *l = &tl->lead;
    if (!tl->live || !l->begun)
        return 0;
    int64_t lead = l->windows > 0 ? FFMIN(l->least, l->last) : l->least;
    return arrival + (l->windows > 1 ? FFMIN(lead, l->base) : lead);
}

// The first picture since the start or a resume decides the correction of both tracks. In a file it is shown
// right behind what was; by dts, the picture would stand for the depth of reordering.
static void anchor(sc_timeline *tl, const struct sc_timeline_out *src, int64_t arrival)
{
    struct track *t = tl->track;
    int64_t early = tl->live ? 0 : src->pts_ns - src->dts_ns;
    int64_t place = tl->live ? FFMAX(end_of(&t[0]), end_of(&t[1]))
                             : FFMAX(t[0].shown_ns, t[1].shown_ns) - early;
    place = FFMAX(place, t->given ? t->out_ns + MIN_STEP : 0);
    place = FFMAX(place, clock_place(tl, arrival));
    tl->shift = tl->before = place - src->dts_ns;
    tl->jump_ns = place;
    tl->anchored = true;
}

// Whether the step from the last packet to this one needs no repair.
static bool fits(const sc_timeline *tl, const struct track *t, int64_t step, int64_t arrival)
{
    bool sound = t == &tl->track[SC_TIMELINE_SOUND];
    if (step < (sound ? -tl->ahead : -BACK))
        return false;
    return step <= tl->ahead || (tl->live && arrival - t->arrival_ns + tl->ahead >= step);
}

// Sets the track's correction to the one of the known that fits this packet best, or a new one.
static void choose_shift(sc_timeline *tl, struct track *t, int64_t in_ns, int64_t arrival)
{
    int64_t due = end_of(t), best = t->shift;
    bool recent = t->out_ns - tl->jump_ns < GLITCH;
    int64_t known[] = {tl->shift, recent ? tl->before : tl->shift};
    if (!tl->may_jump)
        return;
    for (int i = 0; i < 2; i++) // another one must be clearly better
        if (llabs(in_ns + known[i] - due) + t->frame_ns / 2 < llabs(in_ns + best - due))
            best = known[i];
    if (best == tl->before && best != t->shift) // the jump was none
        tl->shift = best;
    t->shift = best;
    if (fits(tl, t, in_ns + best - t->out_ns, arrival))
        return;
    tl->before = best;
    t->shift = tl->shift = FFMAX(due, clock_place(tl, arrival)) - in_ns;
    tl->jump_ns = in_ns + t->shift;
    tl->jumps++;
}

// A track that begins beside the other takes its correction, unless that makes no sense.
static void join(sc_timeline *tl, struct track *t, int64_t in_ns)
{
    const struct track *other = &tl->track[t == &tl->track[0]];
    t->shift = tl->shift;
    if (tl->may_jump && other->begun && llabs(in_ns + t->shift - other->out_ns) > AHEAD_FILE) {
        t->shift = other->out_ns - in_ns;
        tl->jumps++;
    }
}

static void measure_lead(struct lead *l, int64_t lead, int64_t arrival)
{
    if (!l->begun || lead < l->least)
        l->least = lead;
    if (!l->begun)
        l->start = arrival;
    l->begun = true;
    if (arrival - l->start < WINDOW)
        return;
    l->last = l->least;
    l->windows++;
    if (l->windows == 2) // the first may hold what the server had kept for a newcomer
        l->base = l->last;
    l->error = l->windows > 2 ? l->last - l->base : 0;
    l->least = lead;
    l->start = arrival;
}

// Takes a part of the drift back, in step with stream time.
static void slew(sc_timeline *tl, int64_t step)
{
    struct lead *l = &tl->lead;
    if (llabs(l->error) < SLEW_MIN || step <= 0)
        return;
    step = FFMIN(step, SC_NS_PER_S);
    int64_t part = (int64_t)((double)l->error * (double)step / (SLEW_TIME * SC_NS_PER_S));
    part = av_clip64(part, -step / SLEW_SHARE, step / SLEW_SHARE);
    l->error -= part;
    l->last -= part;
    l->least -= part;
    tl->shift -= part;
    tl->before -= part;
    for (int i = 0; i < SC_TIMELINE_TRACKS; i++)
        tl->track[i].shift -= part;
}

// The dts to give for what would come at `place`; false: leave it out.
static bool settle(const sc_timeline *tl, const struct track *t, int64_t *place)
{
    int64_t earliest = FFMAX(t->from_ns, t->given ? t->out_ns + MIN_STEP : 0);
    if (t == &tl->track[SC_TIMELINE_SOUND] && *place < earliest - OVERLAP)
        return false;
    *place = FFMAX(*place, earliest);
    return *place < MAX_NS;
}

int sc_timeline_place(sc_timeline *tl, enum sc_timeline_track track,
                      const struct sc_timeline_in *in, struct sc_timeline_out *out)
{
    struct track *t = &tl->track[track];
    bool picture = track == SC_TIMELINE_PICTURE;
    if (!picture && !tl->anchored)
        return SC_EAGAIN;
    read_times(tl, t, in, out);
    int64_t in_dts = out->dts_ns, last = t->out_ns;
    if (!tl->anchored)
        anchor(tl, out, in->arrival_ns);
    if (t->begun)
        choose_shift(tl, t, in_dts, in->arrival_ns);
    else
        join(tl, t, in_dts);
    t->begun = true;
    t->in_ns = in_dts;
    int64_t place = in_dts + t->shift, pts = out->pts_ns + t->shift;
    if (!settle(tl, t, &place))
        return SC_ERANGE;
    t->out_ns = place;
    t->arrival_ns = in->arrival_ns;
    out->dts_ns = place;
    out->pts_ns = FFMAX(pts, place);
    t->shown_ns = FFMAX(t->shown_ns, FFMIN(out->pts_ns, place + REORDER) + t->frame_ns);
    if (picture && tl->live) {
        slew(tl, t->given ? place - last : 0);
        measure_lead(&tl->lead, place - in->arrival_ns, in->arrival_ns);
    }
    t->given = true;
    return SC_OK;
}
