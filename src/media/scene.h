// A made-up football match seen from above: the test picture of this project.
//
// A seed gives a pitch, two teams and a course of play; frame n of a scene is the same bytes in
// every run. The scene also knows the truth: where each player and the ball is drawn. It is no
// physics model and knows no offside.
//
// Thread-safety: Unsafe; one thread at a time per scene. Scenes share nothing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libavutil/frame.h>
#include <libavutil/rational.h>

#include "base/error.h"

#define SC_SCENE_PLAYERS    22
#define SC_SCENE_MAX_BOXES  (SC_SCENE_PLAYERS + 1)
#define SC_SCENE_MIN_WIDTH  128
#define SC_SCENE_MIN_HEIGHT 64
#define SC_SCENE_MAX_SIDE   8192
#define SC_SCENE_CLEAR      0.25f // who shows less than this of himself is not to be found

typedef struct sc_scene sc_scene;

// All zero is the default match.
struct sc_scene_params {
    int width, height; // pixels, even; 0 = 1280, 720
    AVRational fps;    // frames a second, 1..240; 0/x = 30
    uint64_t seed;     // picks the play, the kits, the grass, the sun and the clouds
    double zoom;       // 0 = 1: the whole pitch; up to 8
    double pan_x;      // where the camera looks, -1 (left goal) .. 1 (right goal)
    double pan_y;      // -1 (near touchline) .. 1 (far touchline)
    uint32_t kit[2];   // 0xRRGGBB shirts of home and away; 0 = from the seed
    double light;      // mean brightness as a factor, 0.2..1.6; 0 = 1
    double blur;       // of the lens, sigma in pixels, 0..4
    double noise;      // of the sensor, sigma in 8-bit levels, up to 20; 0 = 1, < 0 = none
    bool no_overlay;   // leave out scoreboard and stamp
};

enum sc_scene_class { SC_SCENE_PLAYER, SC_SCENE_BALL };

// Where something is drawn, without its shadow. Edges lie between pixels: x2 - x1 is the width.
struct sc_scene_box {
    enum sc_scene_class cls;
    int team;             // 0 home, 1 away; -1 for the ball
    int id;               // stable in a scene: players 0..21, ball 22
    bool keeper;          // wears another shirt than the team
    float x1, y1, x2, y2; // pixels, cut at the picture's edges
    float visible;        // share of the uncut box inside the picture, above 0..1
    float clear;          // share of the figure that shows, 0..1: that is in the picture and
                          // under nobody drawn later, nor under scoreboard or stamp
};

// SC_EARG (err names the field), SC_ENOMEM. Blocks while the pitch is painted (about 0.2 s for
// 1280x720). On failure *out is NULL.
int sc_scene_open(sc_scene **out, const struct sc_scene_params *params, sc_err *err);
void sc_scene_close(sc_scene **pscene); // NULL and &NULL allowed; writes NULL

// The parameters with defaults filled in; valid as long as the scene.
const struct sc_scene_params *sc_scene_get_params(const sc_scene *scene);

// An empty yuv420p frame of the scene's size; NULL when memory is out. The caller's.
AVFrame *sc_scene_frame_new(const sc_scene *scene);

// Paints frame n >= 0 into frame: writable, yuv420p, of the scene's size (as from
// sc_scene_frame_new()). Sets pts to n and the colour fields to BT.709 limited. Going forward is
// cheap; going back plays the match again from its start.
void sc_scene_render(sc_scene *scene, int64_t n, AVFrame *frame);

// The truth of frame n: up to SC_SCENE_MAX_BOXES boxes, players first, of all who are in the
// picture, however little of them. Boxes are of whole figures, also where others hide them; whose
// clear is below SC_SCENE_CLEAR is neither to be found nor wrong when found. Returns the count.
int sc_scene_boxes(sc_scene *scene, int64_t n, struct sc_scene_box boxes[SC_SCENE_MAX_BOXES]);

// The frame number (mod 65536) stamped at the top edge, from any 8-bit YUV or grey frame that
// was neither scaled nor cropped; -1 where there is no readable stamp.
int sc_scene_read_stamp(const AVFrame *frame);
