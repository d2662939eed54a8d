#include "media/scene.h"

#include "base/mem.h"
#include "media/scene_internal.h"

struct sc_scene {
    struct sc_scene_params params;
    struct sc_view view;
    struct sc_look look;
    struct sc_light *light;
    AVFrame *pitch;        // painted once
    struct sc_match match; // as of frame at
    int64_t at;
};

static int check_number(double value, double min, double max, const char *field, sc_err *err)
{
    if (value >= min && value <= max) // false for NaN
        return SC_OK;
    return sc_fail_field(err, SC_EARG, field, "%s is %g; it must be %g to %g", field, value,
                         min, max);
}

static int check_side(int value, int min, const char *field, sc_err *err)
{
    if (value >= min && value <= SC_SCENE_MAX_SIDE && value % 2 == 0)
        return SC_OK;
    return sc_fail_field(err, SC_EARG, field, "%s is %d; it must be even and %d to %d", field,
                         value, min, SC_SCENE_MAX_SIDE);
}

static void fill_defaults(struct sc_scene_params *p)
{
    p->width = p->width ? p->width : 1280;
    p->height = p->height ? p->height : 720;
    p->fps = p->fps.num ? p->fps : (AVRational){30, 1};
    p->zoom = p->zoom != 0 ? p->zoom : 1;
    p->light = p->light != 0 ? p->light : 1;
    p->noise = p->noise != 0 ? p->noise : 1;
}

static int check_params(const struct sc_scene_params *p, sc_err *err)
{
    int ret = check_side(p->width, SC_SCENE_MIN_WIDTH, "width", err);
    if (ret >= 0)
        ret = check_side(p->height, SC_SCENE_MIN_HEIGHT, "height", err);
    if (ret >= 0)
        ret = check_number(p->fps.den > 0 ? av_q2d(p->fps) : 0, 1, 240, "fps", err);
    if (ret >= 0)
        ret = check_number(p->zoom, 0.5, 8, "zoom", err);
    if (ret >= 0)
        ret = check_number(p->pan_x, -1, 1, "pan_x", err);
    if (ret >= 0)
        ret = check_number(p->pan_y, -1, 1, "pan_y", err);
    if (ret >= 0)
        ret = check_number(p->light, 0.2, 1.6, "light", err);
    if (ret >= 0)
        ret = check_number(p->blur, 0, 4, "blur", err);
    if (ret >= 0)
        ret = check_number(fmax(p->noise, 0), 0, 20, "noise", err);
    return ret;
}

int sc_scene_open(sc_scene **out, const struct sc_scene_params *params, sc_err *err)
{
    struct sc_scene_params p = params ? *params : (struct sc_scene_params){0};
    *out = NULL;
    fill_defaults(&p);
    int ret = check_params(&p, err);
    if (ret < 0)
        return ret;
    sc_scene *scene = sc_new(sc_scene);
    scene->params = p;
    sc_view_init(&scene->view, &p);
    sc_look_init(&scene->look, &p);
    scene->light = sc_light_new(&p);
    scene->pitch = sc_scene_frame_new(scene);
    if (!scene->light || !scene->pitch) {
        sc_scene_close(&scene);
        return sc_fail(err, SC_ENOMEM, "no memory for a picture of %dx%d", p.width, p.height);
    }
    sc_pitch_paint(scene->pitch, &scene->view, p.seed);
    sc_match_init(&scene->match, p.seed);
    *out = scene;
    return SC_OK;
}

void sc_scene_close(sc_scene **pscene)
{
    sc_scene *scene = pscene ? *pscene : NULL;
    if (!scene)
        return;
    *pscene = NULL;
    sc_light_free(&scene->light);
    av_frame_free(&scene->pitch);
    free(scene);
}

const struct sc_scene_params *sc_scene_get_params(const sc_scene *scene)
{
    return &scene->params;
}

static void describe(AVFrame *frame)
{
    frame->color_range = AVCOL_RANGE_MPEG;
    frame->color_primaries = AVCOL_PRI_BT709;
    frame->color_trc = AVCOL_TRC_BT709;
    frame->colorspace = AVCOL_SPC_BT709;
    frame->chroma_location = AVCHROMA_LOC_LEFT;
    frame->sample_aspect_ratio = (AVRational){1, 1};
}

AVFrame *sc_scene_frame_new(const sc_scene *scene)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = scene->params.width;
    frame->height = scene->params.height;
    describe(frame);
    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);
    return frame;
}

static void seek(sc_scene *scene, int64_t n)
{
    if (n < scene->at) {
        sc_match_init(&scene->match, scene->params.seed);
        scene->at = 0;
    }
    double fps = av_q2d(scene->params.fps);
    int steps = (int)ceil(60 / fps);
    for (; scene->at < n; scene->at++)
        for (int k = 0; k < steps; k++)
            sc_match_step(&scene->match, 1 / fps / steps);
}

static void tag(AVFrame *frame, int64_t n)
{
    frame->pts = n;
    describe(frame);
}

void sc_scene_render(sc_scene *scene, int64_t n, AVFrame *frame)
{
    sc_require(n >= 0);
    sc_require(frame->format == AV_PIX_FMT_YUV420P);
    sc_require(frame->width == scene->params.width && frame->height == scene->params.height);
    seek(scene, n);
    sc_require(av_frame_copy(frame, scene->pitch) >= 0);
    sc_figures_draw(frame, &scene->view, &scene->look, &scene->match);
    sc_light_apply(scene->light, n, frame);
    if (!scene->params.no_overlay) {
        sc_scoreboard_draw(frame, &scene->match, &scene->look, n);
        sc_stamp_draw(frame, n);
    }
    tag(frame, n);
}

// Cuts the extent at the picture; false where nothing of it is left.
static bool cut(const sc_scene *scene, const double e[4], struct sc_scene_box *box)
{
    double x1 = fmax(e[0], 0), x2 = fmin(e[2], scene->params.width);
    double y1 = fmax(e[1], 0), y2 = fmin(e[3], scene->params.height);
    if (x2 <= x1 || y2 <= y1)
        return false;
    box->visible = (float)((x2 - x1) * (y2 - y1) / ((e[2] - e[0]) * (e[3] - e[1])));
    box->x1 = (float)x1;
    box->y1 = (float)y1;
    box->x2 = (float)x2;
    box->y2 = (float)y2;
    return true;
}

int sc_scene_boxes(sc_scene *scene, int64_t n, struct sc_scene_box boxes[SC_SCENE_MAX_BOXES])
{
    struct sc_extent extents[SC_SCENE_MAX_BOXES];
    struct sc_rect over[SC_OVERLAYS];
    int count = 0, covers = 0;
    sc_require(n >= 0);
    seek(scene, n);
    if (!scene->params.no_overlay)
        covers = sc_overlay_places(&scene->view, &scene->match, n, over);
    sc_figures_measure(&scene->view, &scene->match, over, covers, extents);
    for (int i = 0; i <= SC_SCENE_PLAYERS; i++) {
        bool ball = i == SC_SCENE_PLAYERS;
        struct sc_scene_box box = {.cls = ball ? SC_SCENE_BALL : SC_SCENE_PLAYER, .id = i};
        box.team = ball ? -1 : scene->match.players[i].team;
        box.keeper = !ball && scene->match.players[i].keeper;
        box.clear = (float)extents[i].clear;
        if (cut(scene, extents[i].box, &box))
            boxes[count++] = box;
    }
    return count;
}
