// Writes frames of a made-up match and the truth about them to standard output, for training.
//
//   scenes [KEY=VALUE...] FRAME...      KEY: seed width height zoom pan_x pan_y home away light
//                                            blur noise overlay (0 or 1); home, away: 0xRRGGBB
//
// Each frame: a line `FRAME WIDTH HEIGHT COUNT`, COUNT lines `CLASS X1 Y1 X2 Y2 VISIBLE CLEAR`
// (media/scene.h), then the planes of yuv420p without gaps.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "media/scene.h"

static bool set_double(double *out, const char *text)
{
    return sc_parse_double(text, -1e6, 1e6, out);
}

static bool set_int(int *out, const char *text)
{
    int64_t value;
    if (!sc_parse_int(text, 0, SC_SCENE_MAX_SIDE, &value))
        return false;
    *out = (int)value;
    return true;
}

static bool set_colour(uint32_t *out, const char *text)
{
    char *end;
    *out = (uint32_t)strtoul(text, &end, 16);
    return *text && !*end;
}

// The value of `key=value`; NULL for another key.
static const char *value_of(const char *arg, const char *key)
{
    size_t len = strlen(key);
    return !strncmp(arg, key, len) && arg[len] == '=' ? arg + len + 1 : NULL;
}

static bool set(struct sc_scene_params *p, const char *arg)
{
    const struct {
        const char *key;
        double *to;
    } numbers[] = {{"zoom", &p->zoom},   {"pan_x", &p->pan_x}, {"pan_y", &p->pan_y},
                   {"light", &p->light}, {"blur", &p->blur},   {"noise", &p->noise}};
    const char *v;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if ((v = value_of(arg, numbers[i].key)))
            return set_double(numbers[i].to, v);
    int64_t seed = 0;
    if ((v = value_of(arg, "seed"))) {
        bool ok = sc_parse_int(v, 0, INT64_MAX, &seed);
        p->seed = (uint64_t)seed;
        return ok;
    }
    if ((v = value_of(arg, "width")))
        return set_int(&p->width, v);
    if ((v = value_of(arg, "height")))
        return set_int(&p->height, v);
    if ((v = value_of(arg, "home")))
        return set_colour(&p->kit[0], v);
    if ((v = value_of(arg, "away")))
        return set_colour(&p->kit[1], v);
    if ((v = value_of(arg, "overlay"))) {
        p->no_overlay = !strcmp(v, "0");
        return true;
    }
    return false;
}

static void write_truth(sc_scene *scene, int64_t n, const AVFrame *frame)
{
    struct sc_scene_box boxes[SC_SCENE_MAX_BOXES];
    int count = sc_scene_boxes(scene, n, boxes);
    printf("%" PRId64 " %d %d %d\n", n, frame->width, frame->height, count);
    for (int i = 0; i < count; i++)
        printf("%d %.3f %.3f %.3f %.3f %.4f %.4f\n", (int)boxes[i].cls, boxes[i].x1,
               boxes[i].y1, boxes[i].x2, boxes[i].y2, boxes[i].visible, boxes[i].clear);
}

static void write_planes(const AVFrame *frame)
{
    for (int plane = 0; plane < 3; plane++) {
        size_t w = (size_t)(plane ? frame->width / 2 : frame->width);
        int h = plane ? frame->height / 2 : frame->height;
        for (int y = 0; y < h; y++)
            fwrite(frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane], 1, w, stdout);
    }
}

static int write_scene(const struct sc_scene_params *params, char **frames, int count)
{
    sc_scene *scene = NULL;
    sc_err err = {0};
    int ret = sc_scene_open(&scene, params, &err);
    if (ret < 0) {
        fprintf(stderr, "scenes: %s\n", sc_err_text(&err, ret));
        return 1;
    }
    AVFrame *frame = sc_scene_frame_new(scene);
    bool ok = frame != NULL;
    for (int i = 0; i < count && ok; i++) {
        int64_t n;
        ok = sc_parse_int(frames[i], 0, INT32_MAX, &n);
        if (!ok) {
            fprintf(stderr, "scenes: %s is no frame number\n", frames[i]);
            break;
        }
        sc_scene_render(scene, n, frame);
        write_truth(scene, n, frame);
        write_planes(frame);
    }
    av_frame_free(&frame);
    sc_scene_close(&scene);
    return ok && !fflush(stdout) && !ferror(stdout) ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct sc_scene_params params = {0};
    int i = 1;
    for (; i < argc && strchr(argv[i], '='); i++) {
        if (!set(&params, argv[i])) {
            fprintf(stderr, "scenes: cannot understand %s\n", argv[i]);
            return 2;
        }
    }
    if (i == argc) {
        fprintf(stderr, "usage: scenes [KEY=VALUE...] FRAME...\n");
        return 2;
    }
    return write_scene(&params, argv + i, argc - i);
}
