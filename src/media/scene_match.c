// The course of play: formations that follow the ball, pressing, dribbling, passes, shots.
#include "media/scene_internal.h"

#define GRAVITY  9.81
#define FRICTION 2.6 // m/s^2, a ball rolling on grass

static const double formations[2][11][2] = {
    {{-50, 0},
     {-33, -23},
     {-36, -8},
     {-36, 8},
     {-33, 23},
     {-13, -25},
     {-18, -8},
     {-17, 9},
     {-13, 25},
     {2, -9},
     {5, 9}},
    {{-50, 0},
     {-33, -24},
     {-36, -8},
     {-36, 8},
     {-33, 24},
     {-16, -14},
     {-20, 0},
     {-16, 14},
     {2, -24},
     {6, 1},
     {2, 24}},
};

static double direction(int team) // in which x it attacks
{
    return team ? -1 : 1;
}

static double hypotenuse(double x, double y)
{
    return sqrt(x * x + y * y);
}

static double distance(const struct sc_player *a, double x, double y)
{
    return hypotenuse(a->x - x, a->y - y);
}

static bool chance(struct sc_match *m, double per_second, double dt)
{
    return sc_rng_range(&m->rng, 0, 1) < per_second * dt;
}

static void place_player(struct sc_match *m, int i)
{
    struct sc_player *p = &m->players[i];
    const double *at = formations[i / 11][i % 11];
    *p = (struct sc_player){.team = i / 11, .keeper = i % 11 == 0};
    double dir = direction(p->team);
    p->home_x = at[0] * dir;
    p->home_y = at[1];
    p->pace = sc_rng_range(&m->rng, 0.92, 1.08);
    p->x = p->home_x + sc_rng_range(&m->rng, -2, 2);
    p->y = p->home_y + sc_rng_range(&m->rng, -2, 2);
    p->hx = dir;
    p->phase = sc_rng_range(&m->rng, 0, 1);
}

void sc_match_init(struct sc_match *m, uint64_t seed)
{
    *m = (struct sc_match){.rng = {sc_mix(seed + 1)}, .owner = -1, .kicker = -1, .claim = -1};
    m->receiver = -1;
    for (int i = 0; i < SC_SCENE_PLAYERS; i++)
        place_player(m, i);
    m->bx = sc_rng_range(&m->rng, -8, 8);
    m->by = sc_rng_range(&m->rng, -12, 12);
    m->clock = (double)(int)sc_rng_range(&m->rng, 180, 4800);
    for (int i = 0; i < 360; i++) // so that the first frame is in full flow
        sc_match_step(m, 1.0 / 60);
    m->time = 0;
    m->score[0] = (int)sc_rng_range(&m->rng, 0, 3);
    m->score[1] = (int)sc_rng_range(&m->rng, 0, 3);
}

// Player nearest to a point among a team (-1 = both), without number skip.
static int nearest(const struct sc_match *m, int team, int skip, double x, double y,
                   double *dist)
{
    int best = -1;
    double best_d = 1e9;
    for (int i = 0; i < SC_SCENE_PLAYERS; i++) {
        double d = distance(&m->players[i], x, y);
        if (i == skip || (team >= 0 && m->players[i].team != team) || d >= best_d)
            continue;
        best = i;
        best_d = d;
    }
    if (dist)
        *dist = best_d;
    return best;
}

// ---- kicking ----

static void release_ball(struct sc_match *m, double vx, double vy, double vz, int receiver)
{
    m->kicker = m->owner;
    m->owner = -1;
    m->receiver = receiver;
    m->loose = 0;
    m->bvx = vx;
    m->bvy = vy;
    m->bvz = vz;
}

static double pass_worth(struct sc_match *m, int from, int to)
{
    const struct sc_player *a = &m->players[from], *b = &m->players[to];
    double gain = (b->x - a->x) * direction(a->team), d = distance(a, b->x, b->y), open, lane;
    nearest(m, !a->team, -1, b->x, b->y, &open);
    nearest(m, !a->team, -1, (a->x + b->x) / 2, (a->y + b->y) / 2, &lane);
    if (d < 5 || d > 42 || b->keeper)
        return -100;
    return gain * 0.06 + fmin(open, 9) * 0.35 + fmin(lane, 6) * 0.25 - fabs(d - 15) * 0.06 +
           sc_rng_range(&m->rng, 0, 2.5);
}

static void pass(struct sc_match *m)
{
    const struct sc_player *p = &m->players[m->owner];
    int best = -1;
    double best_worth = -99;
    for (int i = p->team * 11; i < p->team * 11 + 11; i++) {
        double worth = i == m->owner ? -100 : pass_worth(m, m->owner, i);
        if (worth > best_worth) {
            best = i;
            best_worth = worth;
        }
    }
    if (best < 0)
        return;
    const struct sc_player *to = &m->players[best];
    double d = distance(p, to->x, to->y);
    bool high = d > 24;
    double first = sqrt(25 + 2 * FRICTION * d); // arrives with 5 m/s when it rolls
    double time = high ? 0.8 + d / 24 : (first - 5) / FRICTION;
    double x = sc_clamp(to->x + to->vx * time * 0.8, -50, 50) - m->bx;
    double y = sc_clamp(to->y + to->vy * time * 0.8, -32, 32) - m->by;
    double length = fmax(hypotenuse(x, y), 0.1);
    double speed = high ? length / time : first;
    release_ball(m, x / length * speed, y / length * speed, high ? GRAVITY * time / 2 : 0,
                 best);
}

static void shoot(struct sc_match *m)
{
    double x = PITCH_X * direction(m->players[m->owner].team) - m->bx;
    double y = sc_rng_range(&m->rng, -5, 5) - m->by;
    double speed = sc_rng_range(&m->rng, 20, 27), length = fmax(hypotenuse(x, y), 0.1);
    release_ball(m, x / length * speed, y / length * speed, sc_rng_range(&m->rng, 0.5, 6), -1);
}

static void owner_decides(struct sc_match *m, double dt)
{
    const struct sc_player *p = &m->players[m->owner];
    double pressed, goal = distance(p, PITCH_X * direction(p->team), 0);
    nearest(m, !p->team, -1, m->bx, m->by, &pressed);
    if (p->keeper) {
        if (m->held > 1.4 && fabs(p->x) < 50)
            pass(m);
        return;
    }
    if (m->held < 0.45 || fabs(p->x) > PITCH_X || fabs(p->y) > PITCH_Y)
        return;
    if (goal < 25 && fabs(p->y) < 22 && chance(m, goal < 15 ? 5 : 1, dt))
        shoot(m);
    else if (chance(m, pressed < 2.5 ? 4 : pressed < 6 ? 0.9 : 0.3, dt))
        pass(m);
}

// ---- where everyone wants to be ----

static void keep_formation(struct sc_match *m, int i)
{
    struct sc_player *p = &m->players[i];
    double sway = m->time / (9 + i % 7);
    p->tx = sc_clamp(p->home_x + 0.48 * m->bx + m->push[p->team] * direction(p->team), -49, 49);
    p->ty = sc_clamp(p->home_y * 0.85 + 0.35 * m->by, -32, 32);
    p->tx += 1.6 * sc_wave(sway + i * 0.37);
    p->ty += 1.6 * sc_wave(sway * 1.3 + i * 0.61);
    p->speed = hypotenuse(p->tx - p->x, p->ty - p->y) > 10 ? 6.2 : 4.2;
}

static void keep_goal(struct sc_match *m, int i)
{
    struct sc_player *p = &m->players[i];
    double line = -PITCH_X * direction(p->team), x = m->bx - line;
    double d = fmax(hypotenuse(x, m->by), 1), out = sc_clamp(d * 0.12, 0.8, 7);
    p->tx = line + x / d * out;
    p->ty = sc_clamp(m->by / d * out * 1.4, -3.4, 3.4);
    if (fabs(p->tx) > 52)
        p->tx = p->tx > 0 ? 52 : -52;
    p->speed = d < 25 ? 6 : 2.5;
}

static void chase(struct sc_match *m, int i, double lead)
{
    struct sc_player *p = &m->players[i];
    p->tx = m->bx + m->bvx * lead;
    p->ty = m->by + m->bvy * lead;
    p->speed = 7.2;
}

static void dribble(struct sc_match *m)
{
    struct sc_player *p = &m->players[m->owner];
    double dir = direction(p->team), away = 0, d;
    const struct sc_player *q = &m->players[nearest(m, !p->team, -1, p->x, p->y, &d)];
    if (d < 7 && (q->x - p->x) * dir > -1)
        away = (p->y >= q->y ? 1 : -1) * (7 - d);
    p->tx = sc_clamp(p->x + dir * 7, -50, 50);
    p->ty = sc_clamp(p->y + away - p->y * 0.08, -32, 32);
    p->speed = p->keeper ? 3 : 5.2;
    if (p->keeper)
        p->tx = -44 * dir;
}

static void chase_loose_ball(struct sc_match *m)
{
    for (int team = 0; team < 2; team++) {
        if (m->claim >= 0 && m->claim != team)
            continue;
        int i = nearest(m, team, m->loose < 0.6 ? m->kicker : -1, m->bx + m->bvx * 0.4,
                        m->by + m->bvy * 0.4, NULL);
        if (m->scored)
            i = team * 11;
        if (!m->players[i].keeper || m->scored || fabs(m->bx) > 38)
            chase(m, i, 0.4);
    }
    if (m->receiver >= 0 && m->claim < 0)
        chase(m, m->receiver, 0.55);
}

static void press(struct sc_match *m)
{
    int team = !m->players[m->owner].team;
    int first = nearest(m, team, -1, m->bx, m->by, NULL);
    if (!m->players[first].keeper && !m->players[m->owner].keeper)
        chase(m, first, 0.15);
}

static void choose_targets(struct sc_match *m, double dt)
{
    for (int team = 0; team < 2; team++) {
        double want = m->owner < 0 ? 0 : m->players[m->owner].team == team ? 8 : -5;
        m->push[team] += (want - m->push[team]) * dt * 0.6;
    }
    for (int i = 0; i < SC_SCENE_PLAYERS; i++) {
        if (m->players[i].keeper)
            keep_goal(m, i);
        else
            keep_formation(m, i);
    }
    if (m->owner < 0) {
        chase_loose_ball(m);
    } else {
        press(m);
        dribble(m);
    }
}

// ---- motion ----

static void keep_apart(struct sc_match *m, int i, double *ax, double *ay)
{
    const struct sc_player *p = &m->players[i];
    for (int j = 0; j < SC_SCENE_PLAYERS; j++) {
        const struct sc_player *q = &m->players[j];
        double x = p->x - q->x, y = p->y - q->y, d = hypotenuse(x, y);
        if (j == i || d > 1.8 || d < 1e-6)
            continue;
        *ax += x / d * (1.8 - d) * 9;
        *ay += y / d * (1.8 - d) * 9;
    }
}

static void face(struct sc_player *p, double x, double y, double rate)
{
    double d = hypotenuse(x, y);
    if (d < 1e-3)
        return;
    p->hx += (x / d - p->hx) * rate;
    p->hy += (y / d - p->hy) * rate;
    d = hypotenuse(p->hx, p->hy);
    if (d < 0.05) { // turning right about: any side will do
        p->hx = -y;
        p->hy = x;
        d = hypotenuse(x, y);
    }
    p->hx /= d;
    p->hy /= d;
}

static void move_player(struct sc_match *m, int i, double dt)
{
    struct sc_player *p = &m->players[i];
    double x = p->tx - p->x, y = p->ty - p->y, d = hypotenuse(x, y);
    double want = d < 0.4 ? 0 : fmin(p->speed * p->pace, (d - 0.3) * 1.5);
    double ax = (want * x / fmax(d, 0.1) - p->vx) * 3;
    double ay = (want * y / fmax(d, 0.1) - p->vy) * 3;
    keep_apart(m, i, &ax, &ay);
    double a = hypotenuse(ax, ay), limit = a > 8 ? 8 / a : 1;
    p->vx += ax * limit * dt;
    p->vy += ay * limit * dt;
    p->x += p->vx * dt;
    p->y += p->vy * dt;
    double speed = hypotenuse(p->vx, p->vy);
    p->phase += dt * (speed < 0.3 ? 0 : 0.55 + speed * 0.2);
    if (speed > 1)
        face(p, p->vx, p->vy, fmin(1, dt * 7));
    else
        face(p, m->bx - p->x, m->by - p->y, fmin(1, dt * 3));
}

static void take_ball(struct sc_match *m, int i)
{
    m->owner = i;
    m->held = 0;
    m->receiver = m->claim = -1;
    m->scored = false;
    m->bvz = 0;
}

static void carry_ball(struct sc_match *m, double dt)
{
    const struct sc_player *p = &m->players[m->owner];
    double speed = hypotenuse(p->vx, p->vy);
    double ahead = 0.55 + speed * 0.07 * (1.2 + sc_wave(p->phase));
    double x = p->x + p->hx * ahead, y = p->y + p->hy * ahead;
    m->bvx += ((x - m->bx) * 90 + (p->vx - m->bvx) * 16) * dt;
    m->bvy += ((y - m->by) * 90 + (p->vy - m->bvy) * 16) * dt;
    m->bz = fmax(0, m->bz - 4 * dt);
    double d;
    int thief = nearest(m, !p->team, -1, m->bx, m->by, &d);
    if (d < 1.1 && m->held > 0.5 && !p->keeper && chance(m, 1.6, dt))
        take_ball(m, thief);
}

static void roll_or_fly(struct sc_match *m, double dt)
{
    if (m->bz > 0 || m->bvz > 0) {
        m->bvz -= GRAVITY * dt;
        m->bz += m->bvz * dt;
        if (m->bz < 0) {
            m->bz = 0;
            m->bvz = m->bvz < -1.5 ? -0.5 * m->bvz : 0;
            m->bvx *= 0.75;
            m->bvy *= 0.75;
        }
        return;
    }
    double speed = hypotenuse(m->bvx, m->bvy);
    double keep = speed > 0 ? fmax(0, speed - FRICTION * dt) / speed : 0;
    m->bvx *= keep;
    m->bvy *= keep;
}

// Goals, nets and boards; whatever leaves the field belongs to the other side.
static void bound_ball(struct sc_match *m, double old_x)
{
    double side = m->bx > 0 ? 1 : -1;
    bool between = fabs(m->by) < GOAL_Y - 0.1 && m->bz < GOAL_Z - 0.1;
    if (fabs(m->bx) > PITCH_X && fabs(old_x) <= PITCH_X && between) {
        m->scored = true;
        m->claim = side > 0;
        m->score[side < 0]++;
        m->bvx *= 0.35;
        m->bvy *= 0.2;
    }
    double edge = m->scored ? PITCH_X + GOAL_DEPTH - 0.4 : PITCH_X + 3.6;
    if (fabs(m->bx) > edge) {
        m->bx = side * edge;
        m->bvx *= -0.25;
    }
    if (fabs(m->by) > PITCH_Y + 3.2) {
        m->by = m->by > 0 ? PITCH_Y + 3.2 : -PITCH_Y - 3.2;
        m->bvy *= -0.3;
    }
    if (m->claim < 0 && m->kicker >= 0 &&
        (fabs(m->bx) > PITCH_X + 0.2 || fabs(m->by) > PITCH_Y + 0.2))
        m->claim = !m->players[m->kicker].team;
}

static void win_ball(struct sc_match *m)
{
    double d;
    int i = nearest(m, m->claim, m->loose < 0.6 ? m->kicker : -1, m->bx, m->by, &d);
    const struct sc_player *p = &m->players[i];
    double reach = p->keeper ? 1.5 : 1.0, height = p->keeper ? 2.3 : 1.1;
    double speed = hypotenuse(m->bvx - p->vx, m->bvy - p->vy);
    if (d < reach && m->bz < height && (speed < 17 || p->keeper) && (!m->scored || p->keeper))
        take_ball(m, i);
}

void sc_match_step(struct sc_match *m, double dt)
{
    double old_x = m->bx;
    m->time += dt;
    m->held += dt;
    m->loose += dt;
    choose_targets(m, dt);
    for (int i = 0; i < SC_SCENE_PLAYERS; i++)
        move_player(m, i, dt);
    if (m->owner >= 0)
        owner_decides(m, dt);
    m->bx += m->bvx * dt;
    m->by += m->bvy * dt;
    if (m->owner >= 0) {
        carry_ball(m, dt);
        return;
    }
    roll_or_fly(m, dt);
    bound_ball(m, old_x);
    win_ball(m);
}
