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

#define MEMORY    0.6   // seconds of evidence
#define BLUR      0.5   // seconds over which a place is averaged, so that a jump is no way
#define WANDER    4.0   // seconds in which home follows
#define STEADY    0.3   // seconds over which a speed is found
#define SPEED     0.3   // widths a second that a ball may do
#define NEAR      0.012 // widths that a box may be off
#define FAR       0.2   // at most
#define FAR_GONE  0.06  // the same, from where it left the picture
#define LIFE      2.5   // seconds unseen
#define EDGE      0.015 // widths from the picture's edge
#define GONE      0.2   // pace of forgetting who has left the picture
#define LIFE_GONE 6.0
#define STILL     3.0 // seconds after which a ball should have moved
#define UNSURE    0.1 // what a guess is worth that is not followed, and is fully
#define SURE      0.35
#define MOST      32   // boxes that count in a look
#define YOUNG     1.5  // seconds in which a guess has to prove itself
#define BLINK     0.3  // seconds unseen that are forgiven the poorest
#define FRICTION  0.8  // of the speed that is left after an unseen second
#define MOVES     0.03 // widths from home that prove a ball
#define BETTER    1.25 // than the one that leads, to take over
#define BACK      1.6  // the same, while that one is expected back

void sc_leads_reset(struct sc_leads *leads)
{
    *leads = (struct sc_leads){.best = -1};
}

static double value(const struct sc_lead *lead)
{
    double moves = fmax(fmin(1, lead->moved / MOVES), 1 - lead->age / STILL);
    return lead->evidence * (0.3 + 0.7 * moves);
}

// Who leaves the picture is expected back about there.
static void keep_inside(struct sc_lead *lead, double height)
{
    double x = fmin(fmax(lead->x, 0), 1), y = fmin(fmax(lead->y, 0), height);
    if (x != lead->x || y != lead->y)
        lead->vx = lead->vy = 0;
    lead->x = x;
    lead->y = y;
    lead->gone =
        lead->unseen > 0 && (x < EDGE || x > 1 - EDGE || y < EDGE || y > height - EDGE);
}

void sc_leads_advance(struct sc_leads *leads, double dt, double height)
{
    double keep = pow(FRICTION, dt), forget = exp(-dt / WANDER), blur = exp(-dt / BLUR);
    for (struct sc_lead *lead = leads->items; lead < leads->items + leads->count; lead++) {
        lead->x += lead->vx * dt;
        lead->y += lead->vy * dt;
        lead->vx *= keep;
        lead->vy *= keep;
        lead->unseen += dt;
        lead->age += dt;
        keep_inside(lead, height);
        lead->mean_x = lead->x + (lead->mean_x - lead->x) * blur;
        lead->mean_y = lead->y + (lead->mean_y - lead->y) * blur;
        lead->home_x = lead->x + (lead->home_x - lead->x) * forget;
        lead->home_y = lead->y + (lead->home_y - lead->y) * forget;
        double far = hypot(lead->mean_x - lead->home_x, lead->mean_y - lead->home_y);
        lead->moved = fmax(lead->moved * forget, fmin(far, 2 * MOVES));
    }
}

// How far off a box is, of what may be; 1 and more is too far.
static double distance(const struct sc_lead *lead, const struct sc_seen *seen)
{
    double reach = fmin(lead->gone ? FAR_GONE : FAR, NEAR + SPEED * lead->unseen);
    return lead->gone && seen->part ? 1 : hypot(seen->x - lead->x, seen->y - lead->y) / reach;
}

static void meet(struct sc_lead *lead, const struct sc_seen *seen)
{
    double since = fmax(lead->unseen, 1e-3);
    double pull = fmin(0.6, since / STEADY);
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
    leads->items[i] = (struct sc_lead){.x = seen->x,
                                       .y = seen->y,
                                       .mean_x = seen->x,
                                       .mean_y = seen->y,
                                       .home_x = seen->x,
                                       .home_y = seen->y};
    return i;
}

static void choose(struct sc_leads *leads)
{
    int kept = 0, best = -1;
    for (int i = 0; i < leads->count; i++) {
        const struct sc_lead *lead = &leads->items[i];
        if (lead->unseen > (lead->gone ? LIFE_GONE : LIFE) ||
            (lead->unseen > BLINK && lead->evidence < 0.01))
            continue;
        if (leads->best == i)
            best = kept;
        leads->items[kept++] = *lead;
    }
    leads->count = kept;
    for (int i = 0; i < kept; i++) {
        double margin = best >= 0 && leads->items[best].gone ? BACK : BETTER;
        if (best < 0 || value(&leads->items[i]) > margin * value(&leads->items[best]))
            best = i;
    }
    leads->best = best;
}

// Gives boxes to the guesses that they belong to, the nearest pairs first: for each box the guess,
// or -1.
static void match(const struct sc_leads *leads, const struct sc_seen *seen, int count, int *to)
{
    unsigned taken = 0;
    for (int k = 0; k < count; k++)
        to[k] = -1;
    for (;;) {
        double nearest = 1;
        int box = -1, guess = -1;
        for (int i = 0; i < leads->count; i++)
            for (int k = 0; k < count && !(taken >> i & 1); k++) {
                double far = to[k] < 0 ? distance(&leads->items[i], &seen[k]) : 1;
                if (far < nearest) {
                    nearest = far;
                    box = k;
                    guess = i;
                }
            }
        if (box < 0)
            return;
        to[box] = guess;
        taken |= 1U << guess;
    }
}

void sc_leads_look(struct sc_leads *leads, const struct sc_seen *seen, int count, double since)
{
    int to[MOST];
    unsigned taken = 0;
    double score[SC_LEADS] = {0};
    count = count < MOST ? count : MOST;
    match(leads, seen, count, to);
    for (int k = 0; k < count; k++)
        if (to[k] >= 0) {
            meet(&leads->items[to[k]], &seen[k]);
            score[to[k]] = seen[k].score;
            taken |= 1U << to[k];
        }
    for (int k = 0; k < count; k++) {
        int i = to[k] < 0 ? add(leads, &seen[k], taken) : -1;
        if (i < 0)
            continue;
        score[i] = seen[k].score;
        taken |= 1U << i;
    }
    double share = 1 - exp(-fmin(since, MEMORY) / MEMORY);
    for (int i = 0; i < leads->count; i++) {
        struct sc_lead *lead = &leads->items[i];
        double slow = lead->gone && !(taken >> i & 1) ? GONE : 1;
        lead->evidence += share * slow * (score[i] - lead->evidence);
    }
    choose(leads);
}

// Of two young guesses neither has proved itself.
static double rivalry(const struct sc_leads *leads, const struct sc_lead *lead)
{
    double rival = 0;
    for (int i = 0; i < leads->count && lead->age < YOUNG; i++)
        if (i != leads->best)
            rival = fmax(rival, value(&leads->items[i]) / value(lead));
    return fmin(1, 2 * fmax(0, 1 - rival));
}

const struct sc_lead *sc_leads_best(const struct sc_leads *leads, double *sure)
{
    const struct sc_lead *lead = leads->best < 0 ? NULL : &leads->items[leads->best];
    *sure = 0;
    if (!lead)
        return NULL;
    double worth = (value(lead) - UNSURE) / (SURE - UNSURE);
    double fresh = exp(0.5 - lead->unseen * (lead->gone ? GONE : 1));
    *sure = fmin(1, fmax(0, worth)) * fmin(1, fresh) * rivalry(leads, lead);
    return lead;
}
