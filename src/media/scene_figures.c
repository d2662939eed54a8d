// Players and ball: a few capsules each, in the colours of their team, with shadows.
#include "media/scene_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROW      1.35 // players are drawn larger than life, or nobody would see them
#define BALL_R    0.24 // likewise, m
#define MAX_PARTS 12
#define GRID      16 // points a side that tell how much of a figure shows

struct part {
    struct sc_capsule shape;
    struct sc_yuv colour;
};

static const struct {
    uint32_t rgb;
    const char *name;
    uint32_t shorts;
} kits[] = {
    {0xd02428, "RED", 0xf0f0f0}, {0x1f4fc4, "BLU", 0x1f4fc4}, {0xf2f2f0, "WHI", 0x1c2030},
    {0xf4c81e, "YEL", 0x1e4fa0}, {0x18213f, "NAV", 0xf0f0f0}, {0xf07818, "ORA", 0x202020},
    {0x6cb8ea, "SKY", 0xf0f0f0}, {0x7a1638, "CLA", 0x7a1638}, {0x26262a, "BLA", 0x26262a},
};
static const uint32_t skins[] = {0xe6b899, 0xd09c78, 0xa87048, 0x6e4630};
static const uint32_t hairs[] = {0x2a1c14, 0x17120f, 0x5c3c20, 0xb08a4c};
static const uint32_t keepers[] = {0x30d060, 0xe060d0};

static void init_kit(struct sc_kit *kit, int team, int pick, uint32_t rgb)
{
    *kit = (struct sc_kit){.rgb = rgb ? rgb : kits[pick].rgb};
    snprintf(kit->name, sizeof(kit->name), "%s",
             rgb ? (team ? "AWY" : "HOM") : kits[pick].name);
    kit->shirt = sc_yuv_from_hex(kit->rgb);
    kit->keeper = sc_yuv_from_hex(keepers[team]);
    kit->shorts = sc_yuv_from_hex(rgb ? 0xe8e8e8 : kits[pick].shorts);
    kit->socks = sc_yuv_from_hex(kit->rgb);
}

// Would spectators mix the two up?
static bool alike(uint32_t a, uint32_t b)
{
    int sum = 0;
    for (int shift = 0; shift < 24; shift += 8)
        sum += abs((int)(a >> shift & 255) - (int)(b >> shift & 255));
    return sum < 250;
}

void sc_look_init(struct sc_look *look, const struct sc_scene_params *params)
{
    struct sc_rng rng = {sc_mix(params->seed + 3)};
    int count = sizeof(kits) / sizeof(kits[0]);
    int home = (int)sc_rng_range(&rng, 0, count), away;
    do
        away = (int)sc_rng_range(&rng, 0, count);
    while (alike(kits[home].rgb, kits[away].rgb));
    init_kit(&look->kit[0], 0, home, params->kit[0]);
    init_kit(&look->kit[1], 1, away, params->kit[1]);
    for (int i = 0; i < SC_SCENE_PLAYERS; i++) {
        look->skin[i] = sc_yuv_from_hex(skins[(int)sc_rng_range(&rng, 0, 4)]);
        look->hair[i] = sc_yuv_from_hex(hairs[(int)sc_rng_range(&rng, 0, 4)]);
    }
    look->sun_x = sc_rng_range(&rng, 0.35, 1.0) * (sc_rng_next(&rng) & 1 ? 1 : -1);
    look->sun_y = sc_rng_range(&rng, -0.45, 0.25);
}

// A point of the body: forward, to the right and up of the feet, in metres.
struct joint {
    double ahead, right, up;
};

static struct sc_capsule limb(const struct sc_view *view, const struct sc_player *p,
                              struct joint a, double ra, struct joint b, double rb)
{
    double px[2], qx[2];
    const double from[3] = {p->x + GROW * (a.ahead * p->hx + a.right * p->hy),
                            p->y + GROW * (a.ahead * p->hy - a.right * p->hx), GROW * a.up};
    const double to[3] = {p->x + GROW * (b.ahead * p->hx + b.right * p->hy),
                          p->y + GROW * (b.ahead * p->hy - b.right * p->hx), GROW * b.up};
    double s = GROW * sc_view_project(view, from, px), t = GROW * sc_view_project(view, to, qx);
    return (struct sc_capsule){px[0], px[1], ra * s, qx[0], qx[1], rb * t, 1};
}

static int body(const struct sc_view *view, const struct sc_match *match,
                const struct sc_look *look, int i, struct part parts[MAX_PARTS])
{
    static const struct sc_look blank;
    const struct sc_player *p = &match->players[i];
    const struct sc_kit *kit = &(look ? look : &blank)->kit[p->team];
    struct sc_yuv skin = (look ? look : &blank)->skin[i],
                  hair = (look ? look : &blank)->hair[i];
    struct sc_yuv shirt = p->keeper ? kit->keeper : kit->shirt;
    struct sc_yuv socks = p->keeper ? kit->keeper : kit->socks;
    double speed = sqrt(p->vx * p->vx + p->vy * p->vy);
    double swing = sc_wave(p->phase) * fmin(0.42, speed * 0.085),
           lean = fmin(0.22, speed * 0.03);
    int n = 0;
    for (int side = -1; side <= 1; side += 2) {
        double s = swing * side, lift = fmax(0, s) * 0.35 + fmax(0, -s) * 0.5;
        struct joint hip = {0, 0.1 * side, 0.85}, knee = {s * 0.6 + 0.05, 0.11 * side, 0.47};
        struct joint foot = {s * 1.1, 0.12 * side, 0.08 + lift};
        struct joint toe = {s * 1.1 + 0.16, 0.12 * side, 0.05 + lift};
        parts[n++] = (struct part){limb(view, p, foot, 0.07, toe, 0.06), hair};
        parts[n++] = (struct part){limb(view, p, knee, 0.09, foot, 0.075), socks};
        parts[n++] = (struct part){limb(view, p, hip, 0.14, knee, 0.11), kit->shorts};
    }
    struct joint waist = {0, 0, 0.92}, chest = {lean, 0, 1.36}, head = {lean * 1.25, 0, 1.66};
    for (int side = -1; side <= 1; side += 2) {
        struct joint shoulder = {lean, 0.24 * side, 1.38};
        struct joint hand = {lean - swing * side, 0.33 * side, 0.98};
        parts[n++] = (struct part){limb(view, p, shoulder, 0.085, hand, 0.065), skin};
    }
    parts[n++] = (struct part){limb(view, p, waist, 0.19, chest, 0.25), shirt};
    parts[n++] = (struct part){limb(view, p, head, 0.13, head, 0.13), skin};
    struct joint crown = {lean * 1.25 - 0.04, 0, 1.72};
    parts[n++] = (struct part){limb(view, p, crown, 0.115, crown, 0.115), hair};
    return n;
}

// The shadow of the stretch between two heights above a point of the ground.
static void draw_shadow(AVFrame *frame, const struct sc_view *view, const struct sc_look *look,
                        const double at[2], const double up[2], const double radius[2],
                        double alpha)
{
    double px[2], qx[2];
    const double a[3] = {at[0] + up[0] * look->sun_x, at[1] + up[0] * look->sun_y, 0};
    const double b[3] = {at[0] + up[1] * look->sun_x, at[1] + up[1] * look->sun_y, 0};
    double s = sc_view_project(view, a, px), t = sc_view_project(view, b, qx);
    struct sc_capsule c = {px[0], px[1], radius[0] * s, qx[0], qx[1], radius[1] * t, 0.16 * s};
    sc_draw_capsule(frame, &c, sc_yuv_from_rgb(14, 30, 14), alpha);
}

static void draw_shadows(AVFrame *frame, const struct sc_view *view, const struct sc_look *look,
                         const struct sc_match *m)
{
    for (int i = 0; i < SC_SCENE_PLAYERS; i++) {
        const double at[2] = {m->players[i].x, m->players[i].y};
        draw_shadow(frame, view, look, at, (double[]){0, 1.4 * GROW},
                    (double[]){0.2 * GROW, 0.24 * GROW}, 0.45);
        draw_shadow(frame, view, look, at, (double[]){1.5 * GROW, 1.75 * GROW},
                    (double[]){0.13 * GROW, 0.13 * GROW}, 0.4);
        draw_shadow(frame, view, look, at, (double[]){0, 0},
                    (double[]){0.32 * GROW, 0.32 * GROW}, 0.3);
    }
    const double ball[2] = {m->bx, m->by};
    draw_shadow(frame, view, look, ball, (double[]){m->bz, m->bz + 0.3},
                (double[]){BALL_R, BALL_R * 0.9}, 0.55);
}

static struct sc_capsule ball_shape(const struct sc_view *view, const struct sc_match *m)
{
    double px[2];
    const double at[3] = {m->bx, m->by, m->bz + BALL_R};
    double r = fmax(1.2, BALL_R * sc_view_project(view, at, px));
    return (struct sc_capsule){px[0], px[1], r, px[0], px[1], r, 1};
}

static void draw_ball(AVFrame *frame, const struct sc_view *view, const struct sc_match *m)
{
    struct sc_capsule c = ball_shape(view, m), rim = c;
    rim.r0 = rim.r1 = c.r0 + 0.5;
    sc_draw_capsule(frame, &rim, sc_yuv_from_rgb(70, 80, 70), 0.6);
    sc_draw_capsule(frame, &c, sc_yuv_from_rgb(190, 194, 196), 1);
    c.r0 = c.r1 = c.r0 * 0.75;
    c.x0 = c.x1 = c.x0 - c.r0 * 0.15;
    c.y0 = c.y1 = c.y0 - c.r0 * 0.25;
    sc_draw_capsule(frame, &c, sc_yuv_from_rgb(255, 255, 255), 1);
}

// Far ones first; the ball, number SC_SCENE_PLAYERS, comes after players as far as it is.
static void draw_order(const struct sc_match *match, int order[SC_SCENE_MAX_BOXES])
{
    double y[SC_SCENE_MAX_BOXES];
    for (int i = 0; i < SC_SCENE_MAX_BOXES; i++) {
        int j = i;
        y[i] = i < SC_SCENE_PLAYERS ? match->players[i].y : match->by;
        for (; j > 0 && y[order[j - 1]] < y[i]; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
}

void sc_figures_draw(AVFrame *frame, const struct sc_view *view, const struct sc_look *look,
                     const struct sc_match *match)
{
    int order[SC_SCENE_MAX_BOXES];
    draw_order(match, order);
    draw_shadows(frame, view, look, match);
    for (int i = 0; i < SC_SCENE_MAX_BOXES; i++) {
        struct part parts[MAX_PARTS];
        if (order[i] == SC_SCENE_PLAYERS) {
            draw_ball(frame, view, match);
            continue;
        }
        int count = body(view, match, look, order[i], parts);
        for (int k = 0; k < count; k++)
            sc_draw_capsule(frame, &parts[k].shape, parts[k].colour, 1);
    }
}

// The outline of a player or of the ball.
struct figure {
    struct part parts[MAX_PARTS];
    int count;
    double box[4];
};

static void include(double box[4], const struct sc_capsule *c)
{
    box[0] = fmin(box[0], fmin(c->x0 - c->r0, c->x1 - c->r1));
    box[1] = fmin(box[1], fmin(c->y0 - c->r0, c->y1 - c->r1));
    box[2] = fmax(box[2], fmax(c->x0 + c->r0, c->x1 + c->r1));
    box[3] = fmax(box[3], fmax(c->y0 + c->r0, c->y1 + c->r1));
}

static void outline(struct figure *f, const struct sc_view *view, const struct sc_match *match,
                    int i)
{
    f->count = 1;
    if (i < SC_SCENE_PLAYERS)
        f->count = body(view, match, NULL, i, f->parts);
    else
        f->parts[0].shape = ball_shape(view, match);
    f->box[0] = f->box[1] = 1e9;
    f->box[2] = f->box[3] = -1e9;
    for (int k = 0; k < f->count; k++)
        include(f->box, &f->parts[k].shape);
}

static bool in_capsule(const struct sc_capsule *s, double x, double y)
{
    double dx = s->x1 - s->x0, dy = s->y1 - s->y0, length2 = dx * dx + dy * dy;
    double px = x - s->x0, py = y - s->y0;
    double t = length2 > 0 ? sc_clamp((px * dx + py * dy) / length2, 0, 1) : 0;
    double ex = px - t * dx, ey = py - t * dy, r = sc_lerp(s->r0, s->r1, t);
    return ex * ex + ey * ey <= r * r;
}

static bool in_figure(const struct figure *f, double x, double y)
{
    if (x < f->box[0] || x > f->box[2] || y < f->box[1] || y > f->box[3])
        return false;
    for (int k = 0; k < f->count; k++)
        if (in_capsule(&f->parts[k].shape, x, y))
            return true;
    return false;
}

// What lies over a figure: the figures drawn later, the picture's edges, and rectangles.
struct cover {
    const struct figure *figures;
    const int *later;
    int later_count;
    const struct sc_rect *over;
    int over_count;
    int width, height;
};

static bool is_covered(const struct cover *c, double x, double y)
{
    if (x < 0 || y < 0 || x >= c->width || y >= c->height)
        return true;
    for (int i = 0; i < c->later_count; i++)
        if (in_figure(&c->figures[c->later[i]], x, y))
            return true;
    for (int i = 0; i < c->over_count; i++) {
        const struct sc_rect *r = &c->over[i];
        if (x >= r->x && x < r->x + r->w && y >= r->y && y < r->y + r->h)
            return true;
    }
    return false;
}

// By points on a grid: a thin sliver more or less does not matter to anyone.
static double share_clear(const struct figure *f, const struct cover *cover)
{
    int whole = 0, clear = 0;
    for (int j = 0; j < GRID; j++) {
        for (int i = 0; i < GRID; i++) {
            double x = sc_lerp(f->box[0], f->box[2], (i + 0.5) / GRID);
            double y = sc_lerp(f->box[1], f->box[3], (j + 0.5) / GRID);
            if (!in_figure(f, x, y))
                continue;
            whole++;
            clear += !is_covered(cover, x, y);
        }
    }
    return (double)clear / FFMAX(whole, 1);
}

void sc_figures_measure(const struct sc_view *view, const struct sc_match *match,
                        const struct sc_rect *over, int count,
                        struct sc_extent extents[SC_SCENE_MAX_BOXES])
{
    struct figure figures[SC_SCENE_MAX_BOXES];
    int order[SC_SCENE_MAX_BOXES];
    for (int i = 0; i < SC_SCENE_MAX_BOXES; i++)
        outline(&figures[i], view, match, i);
    draw_order(match, order);
    for (int k = 0; k < SC_SCENE_MAX_BOXES; k++) {
        const struct figure *f = &figures[order[k]];
        struct sc_extent *e = &extents[order[k]];
        struct cover cover = {.figures = figures, .over = over, .over_count = count};
        cover.later = order + k + 1;
        cover.later_count = SC_SCENE_MAX_BOXES - k - 1;
        cover.width = view->width;
        cover.height = view->height;
        memcpy(e->box, f->box, sizeof(e->box));
        e->clear = share_clear(f, &cover);
    }
}
