// Which of the boxes that could be the ball is the ball.
//
// Several guesses are kept side by side, each fed by the boxes near where it should be. A ball is seen
// again and again and moves; a false one is seen once, or for ever at the same place (a penalty spot).
// So a guess counts by how often it was seen lately and by how far it gets, and another takes over
// only when it is clearly better.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "vision/camera_internal.h"

#define MEMORY   0.6   // seconds of evidence
#define WANDER   4.0   // seconds in which home follows
#define SPEED    0.3   // widths a second that a ball may do
#define NEAR     0.012 // widths that a box may be off
#define FAR      0.2
#define LIFE     2.5 // seconds unseen
#define YOUNG    0.3
#define FRICTION 0.8  // of the speed that is left after an unseen second
#define MOVES    0.03 // widths from home that prove a ball
#define BETTER   1.25

void sc_leads_reset(struct sc_leads *leads)
{
    *leads = (struct sc_leads){.best = -1};
}

static double value(const struct sc_lead *lead)
{
    return lead->evidence * (0.3 + 0.7 * fmin(1, lead->moved / MOVES));
}

void sc_leads_advance(struct sc_leads *leads, double dt)
{
    double keep = pow(FRICTION, dt), forget = exp(-dt / WANDER);
    for (struct sc_lead *lead = leads->items; lead < leads->items + leads->count; lead++) {
        lead->x += lead->vx * dt;
        lead->y += lead->vy * dt;
        lead->vx *= keep;
        lead->vy *= keep;
        lead->unseen += dt;
        lead->home_x = lead->x + (lead->home_x - lead->x) * forget;
        lead->home_y = lead->y + (lead->home_y - lead->y) * forget;
        lead->moved =
            fmax(lead->moved * forget, hypot(lead->x - lead->home_x, lead->y - lead->home_y));
    }
}

// The nearest guess in reach that no box of this look was given to; -1 = none.
static int nearest(const struct sc_leads *leads, const struct sc_seen *seen, unsigned taken)
{
    double best = 1;
    int found = -1;
    for (int i = 0; i < leads->count; i++) {
        const struct sc_lead *lead = &leads->items[i];
        double reach = fmin(FAR, NEAR + SPEED * lead->unseen);
        double far = hypot(seen->x - lead->x, seen->y - lead->y) / reach;
        if (!(taken >> i & 1) && far < best) {
            best = far;
            found = i;
        }
    }
    return found;
}

static void meet(struct sc_lead *lead, const struct sc_seen *seen)
{
    double since = fmax(lead->unseen, 1e-3);
    double pull = fmin(0.6, since / 0.15);
    double far = hypot(seen->x - lead->x, seen->y - lead->y);
    double most = fmin(1, SPEED * since / fmax(far, 1e-9)); // a jump is no speed
    lead->vx += pull * most * (seen->x - lead->x) / since;
    lead->vy += pull * most * (seen->y - lead->y) / since;
    lead->x = seen->x;
    lead->y = seen->y;
    lead->unseen = 0;
}

// A new guess, in the place of the poorest where there is no room; -1 = that one is as new.
static int add(struct sc_leads *leads, const struct sc_seen *seen, unsigned taken)
{
    int i = leads->count;
    if (i == SC_LEADS) {
        i = leads->best == 0 ? 1 : 0;
        for (int k = 0; k < SC_LEADS; k++)
            if (k != leads->best && value(&leads->items[k]) < value(&leads->items[i]))
                i = k;
        if (taken >> i & 1)
            return -1;
    } else {
        leads->count++;
    }
    leads->items[i] =
        (struct sc_lead){.x = seen->x, .y = seen->y, .home_x = seen->x, .home_y = seen->y};
    return i;
}

static void choose(struct sc_leads *leads)
{
    int kept = 0, best = -1;
    for (int i = 0; i < leads->count; i++) {
        const struct sc_lead *lead = &leads->items[i];
        if (lead->unseen > LIFE || (lead->unseen > YOUNG && lead->evidence < 0.01))
            continue;
        if (leads->best == i)
            best = kept;
        leads->items[kept++] = *lead;
    }
    leads->count = kept;
    for (int i = 0; i < kept; i++)
        if (best < 0 || value(&leads->items[i]) > BETTER * value(&leads->items[best]))
            best = i;
    leads->best = best;
}

void sc_leads_look(struct sc_leads *leads, const struct sc_seen *seen, int count, double since)
{
    unsigned taken = 0;
    double score[SC_LEADS] = {0};
    for (int k = 0; k < count; k++) {
        int i = nearest(leads, &seen[k], taken);
        if (i >= 0)
            meet(&leads->items[i], &seen[k]);
        else
            i = add(leads, &seen[k], taken);
        if (i < 0)
            continue;
        taken |= 1U << i;
        score[i] = seen[k].score;
    }
    double share = 1 - exp(-fmin(since, MEMORY) / MEMORY);
    for (int i = 0; i < leads->count; i++)
        leads->items[i].evidence += share * (score[i] - leads->items[i].evidence);
    choose(leads);
}

const struct sc_lead *sc_leads_best(const struct sc_leads *leads, double *sure)
{
    const struct sc_lead *lead = leads->best < 0 ? NULL : &leads->items[leads->best];
    *sure = lead ? fmin(1, value(lead) / 0.25) * fmin(1, exp(0.5 - lead->unseen)) : 0;
    return lead;
}
