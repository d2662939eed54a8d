// What a stage does next. Looks only; changes nothing.
#include "pipeline/graph_internal.h"

// Whether stage waits for more of input `in` while it holds what came to another.
static bool starves_on(const sc_stage *stage, int in)
{
    if (stage->held[in] || stage->in[in]->ended)
        return false;
    for (int i = 0; i < stage->in_count; i++)
        if (stage->held[i] && stage->in[i] && stage->in[i]->count)
            return true;
    return false;
}

// The stage that holds an input and waits for another that only this one can bring. Follows links
// that are empty to stages that do nothing: what is on its way already is worth waiting for.
static sc_stage *awaited_by(const sc_stage *stage);
static sc_stage *awaited_over(const sc_link *link)
{
    sc_stage *to = link->to;
    if (link->count || link->closed || to->turn != SC_TURN_IDLE)
        return NULL;
    return starves_on(to, link->in) ? to : awaited_by(to);
}

static sc_stage *awaited_by(const sc_stage *stage)
{
    if (!stage->graph->holds)
        return NULL;
    for (int out = 0; out < stage->out_count; out++) {
        for (const sc_link *link = stage->out[out]; link; link = link->next_of_out) {
            sc_stage *holder = awaited_over(link);
            if (holder)
                return holder;
        }
    }
    return NULL;
}

static bool is_full(const sc_link *link)
{
    return link->policy == SC_LINK_WAIT && sc_link_full(link, 1);
}

// Whether the link is full because of what the holder holds, not because someone is slow.
static bool is_held_up_by(const sc_link *link, const sc_stage *holder)
{
    const sc_stage *to = link->to;
    if (to->turn != SC_TURN_IDLE)
        return false;
    if (to == holder)
        return to->held[link->in];
    for (int out = 0; out < to->out_count; out++)
        for (const sc_link *next = to->out[out]; next; next = next->next_of_out)
            if (is_full(next) && is_held_up_by(next, holder))
                return true;
    return false;
}

// *exhausted is set to the holder that a link has grown for as far as it may.
static bool has_room(const sc_stage *stage, sc_stage **exhausted)
{
    sc_stage *holder = NULL;
    for (int out = 0; out < stage->out_count; out++) {
        for (const sc_link *link = stage->out[out]; link; link = link->next_of_out) {
            if (!is_full(link))
                continue;
            if (!holder)
                holder = awaited_by(stage);
            if (!holder || !is_held_up_by(link, holder))
                return false;
            if (sc_link_full(link, SC_LINK_RELIEF)) {
                *exhausted = holder;
                return false;
            }
        }
    }
    return true;
}

sc_stage *sc_stage_exhausted_by(const sc_stage *stage)
{
    sc_stage *holder = NULL;
    has_room(stage, &holder);
    return holder;
}

// The input whose first item has the lowest time, of those that may be given; -1 = none.
static int first_ready_input(const sc_stage *stage)
{
    int best = -1;
    int64_t best_pts = 0;
    for (int i = 0; i < stage->in_count; i++) {
        const sc_link *link = stage->in[i];
        if (!link || !link->count || stage->held[i] || stage->put_back[i])
            continue;
        int64_t pts = link->slots[link->head].item.pts_ns;
        if (best < 0 || pts < best_pts) {
            best = i;
            best_pts = pts;
        }
    }
    return best;
}

// An input that has ended without the stage knowing; -1 = none. *all: none will bring anything.
static int ended_input(const sc_stage *stage, bool *all)
{
    *all = true;
    for (int i = 0; i < stage->in_count; i++) {
        const sc_link *link = stage->in[i];
        if (!link || stage->told_end[i])
            continue;
        if (link->ended && !link->count)
            return i;
        *all = false;
    }
    return -1;
}

static bool has_items(const sc_stage *stage)
{
    for (int i = 0; i < stage->in_count; i++)
        if (stage->in[i] && stage->in[i]->count)
            return true;
    return false;
}

// Whatever there is room for or not.
static enum sc_step next_step(const sc_stage *stage, int *in, enum sc_wait *wait)
{
    bool all_ended;
    *wait = has_items(stage) ? SC_WAIT_SELF : SC_WAIT_INPUT;
    if (stage->woken)
        return SC_STEP_WOKEN;
    *in = first_ready_input(stage);
    if (*in >= 0)
        return SC_STEP_PUSH;
    *in = ended_input(stage, &all_ended);
    if (*in >= 0)
        return SC_STEP_ENDED;
    if (!all_ended || stage->waiting)
        return SC_STEP_NONE;
    return stage->in_count ? SC_STEP_FLUSH : SC_STEP_PULL;
}

enum sc_step sc_stage_pick(const sc_stage *stage, int *in, enum sc_wait *wait)
{
    *wait = SC_WAIT_INPUT;
    if (stage->turn == SC_TURN_CLOSED)
        return SC_STEP_NONE;
    if (stage->finished)
        return SC_STEP_CLOSE;
    if (stage->over_limit)
        return SC_STEP_LIMIT;
    if (!stage->opened)
        return stage->waiting && !stage->woken ? SC_STEP_NONE : SC_STEP_OPEN;
    enum sc_step step = next_step(stage, in, wait);
    sc_stage *holder = NULL;
    if (step != SC_STEP_NONE && !has_room(stage, &holder)) {
        *wait = SC_WAIT_ROOM;
        return SC_STEP_NONE;
    }
    return step;
}
