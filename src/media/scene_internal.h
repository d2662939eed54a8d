// What the parts of the scene share: match (who is where), view (where that is in the picture),
// pitch (the still background), draw (shapes), light (lens and sensor), text (scoreboard, stamp).
//
// Only the five exact operations and sqrt are used on doubles: the same bytes in every run.
//
// Thread-safety: Unsafe, as the scene.
#pragma once

#include <math.h>

#include "media/scene.h"

// Pitch and goals in metres; the origin is the centre spot, x to the right, y away, z up.
#define PITCH_X    52.5
#define PITCH_Y    34.0
#define GOAL_Y     3.66
#define GOAL_Z     2.44
#define GOAL_DEPTH 2.0

// splitmix64 (Steele, Lea, Flood 2014).
struct sc_rng {
    uint64_t state;
};

static inline uint64_t sc_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t sc_rng_next(struct sc_rng *rng)
{
    return sc_mix(rng->state += UINT64_C(0x9e3779b97f4a7c15));
}

static inline double sc_unit(uint64_t bits) // [0, 1)
{
    return (double)(bits >> 11) * 0x1p-53;
}

static inline double sc_rng_range(struct sc_rng *rng, double lo, double hi)
{
    return lo + (hi - lo) * sc_unit(sc_rng_next(rng));
}

static inline double sc_clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static inline double sc_lerp(double a, double b, double t)
{
    return a + (b - a) * t;
}

// A sine of t turns, two parabolas: smooth enough for limbs and clouds, and free of libm.
static inline double sc_wave(double t)
{
    t -= floor(t);
    return t < 0.5 ? 16 * t * (0.5 - t) : -16 * (t - 0.5) * (1 - t);
}

// ---- match ----

struct sc_player {
    double x, y, vx, vy; // m, m/s
    double hx, hy;       // where he faces, a unit vector
    double phase;        // of his run, in turns
    double home_x, home_y, pace;
    double tx, ty, speed; // where to, how fast at most
    int team;
    bool keeper;
};

struct sc_match {
    struct sc_rng rng;
    struct sc_player players[SC_SCENE_PLAYERS];
    double bx, by, bz, bvx, bvy, bvz; // the ball
    double time, clock; // s since the first frame; s shown on the scoreboard at that time
    double held, loose; // s since the ball was won, since it was kicked
    double push[2];     // m the team stands forward of its formation
    int owner, kicker, receiver; // player numbers, -1 = nobody
    int claim;                   // team that alone may take a ball that went out, -1 = anyone
    bool scored;                 // the ball lies in a net
    int score[2];
};

void sc_match_init(struct sc_match *match, uint64_t seed);
void sc_match_step(struct sc_match *match, double dt); // dt in seconds, at most 1/30

// ---- view ----

struct sc_view {
    int width, height;
    double f, cx, cy;      // focal length and principal point, pixels
    double look_x, look_y; // m, the point of the pitch at the principal point
};

void sc_view_init(struct sc_view *view, const struct sc_scene_params *params);
// Pixel position of a point; returns the scale there in pixels a metre.
double sc_view_project(const struct sc_view *view, const double at[3], double px[2]);
// The point of the ground under a pixel, and how many metres a pixel step across and up is there.
void sc_view_ground(const struct sc_view *view, double px, double py, double at[2],
                    double step[2]);

// ---- draw ----

struct sc_yuv {
    uint8_t c[3]; // BT.709 limited
};

struct sc_yuv sc_yuv_from_rgb(double r, double g, double b); // 0..255 each
struct sc_yuv sc_yuv_from_hex(uint32_t rgb);                 // 0xRRGGBB

// Two discs and what lies between them: every limb, post and shadow.
struct sc_capsule {
    double x0, y0, r0, x1, y1, r1; // pixels
    double soft;                   // width of the edge, pixels; below 1 is 1
};

void sc_draw_capsule(AVFrame *frame, const struct sc_capsule *shape, struct sc_yuv colour,
                     double alpha);
void sc_draw_rect(AVFrame *frame, int x, int y, int w, int h, struct sc_yuv colour,
                  double alpha);

// ---- figures ----

struct sc_kit {
    struct sc_yuv shirt, keeper, shorts, socks;
    uint32_t rgb;
    char name[4];
};

struct sc_look {
    struct sc_kit kit[2];
    struct sc_yuv skin[SC_SCENE_PLAYERS], hair[SC_SCENE_PLAYERS];
    double sun_x, sun_y; // m of shadow a metre of height
};

void sc_look_init(struct sc_look *look, const struct sc_scene_params *params);
void sc_figures_draw(AVFrame *frame, const struct sc_view *view, const struct sc_look *look,
                     const struct sc_match *match);

struct sc_rect {
    int x, y, w, h;
};

struct sc_extent {
    double box[4]; // x1, y1, x2, y2 in pixels, uncut
    double clear;  // as in struct sc_scene_box
};

// Of each player and of the ball (22), where over[0..count) is drawn over the picture.
void sc_figures_measure(const struct sc_view *view, const struct sc_match *match,
                        const struct sc_rect *over, int count,
                        struct sc_extent extents[SC_SCENE_MAX_BOXES]);

// ---- pitch ----

void sc_pitch_paint(AVFrame *frame, const struct sc_view *view, uint64_t seed);

// ---- light ----

struct sc_light;
struct sc_light *sc_light_new(const struct sc_scene_params *params); // NULL: out of memory
void sc_light_free(struct sc_light **plight);
// Blurs, shades (clouds, vignette, slow change) and adds noise, in place.
void sc_light_apply(struct sc_light *light, int64_t n, AVFrame *frame);

// ---- text ----

#define SC_OVERLAYS 2

// What of a picture scoreboard and stamp lie over. Returns the count.
int sc_overlay_places(const struct sc_view *view, const struct sc_match *match, int64_t n,
                      struct sc_rect places[SC_OVERLAYS]);
void sc_scoreboard_draw(AVFrame *frame, const struct sc_match *match,
                        const struct sc_look *look, int64_t n);
void sc_stamp_draw(AVFrame *frame, int64_t n);
