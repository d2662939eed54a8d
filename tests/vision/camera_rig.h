// Puts a virtual camera in front of the made-up match and measures how it does: what the tests of the
// camera and its table of figures share.
#pragma once

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/scene.h"
#include "vision/camera.h"
#include "vision/model.h"

#define RIG_FPS   30
#define RIG_TURNS 0.005 // widths a second below which the camera stands

// What came of a run; lengths are picture widths.
struct rig_figures {
    int frames, with_ball, inside; // frames; with the ball in the wide picture, and in the crop
    double speed, acceleration;    // the greatest, of either axis
    double turns;                  // changes of direction a second, both axes
    double travel;                 // widths a second
    double width;                  // of the crop, mean
};

struct rig_meter {
    struct rig_figures sum;
    double at[2], speed[2];
    int way[2];
};

static inline void rig_axis(struct rig_meter *meter, int axis, double at)
{
    double speed = (at - meter->at[axis]) * RIG_FPS;
    int way = speed > RIG_TURNS ? 1 : speed < -RIG_TURNS ? -1 : 0;
    meter->sum.speed = fmax(meter->sum.speed, fabs(speed));
    if (meter->sum.frames > 1)
        meter->sum.acceleration =
            fmax(meter->sum.acceleration, fabs(speed - meter->speed[axis]) * RIG_FPS);
    if (way && way == -meter->way[axis])
        meter->sum.turns++;
    meter->way[axis] = way ? way : meter->way[axis];
    meter->speed[axis] = speed;
}

static inline void rig_measure(struct rig_meter *meter, const struct sc_crop *crop,
                               const struct sc_scene_box *ball, double width)
{
    const double at[2] = {(crop->x + crop->w / 2.0) / width, (crop->y + crop->h / 2.0) / width};
    if (meter->sum.frames) {
        meter->sum.travel += hypot(at[0] - meter->at[0], at[1] - meter->at[1]);
        rig_axis(meter, 0, at[0]);
        rig_axis(meter, 1, at[1]);
    }
    memcpy(meter->at, at, sizeof(at));
    meter->sum.frames++;
    meter->sum.width += crop->w / width;
    if (!ball)
        return;
    float x = (ball->x1 + ball->x2) / 2, y = (ball->y1 + ball->y2) / 2;
    meter->sum.with_ball++;
    meter->sum.inside +=
        x >= crop->x && x <= crop->x + crop->w && y >= crop->y && y <= crop->y + crop->h;
}

static inline struct rig_figures rig_result(const struct rig_meter *meter)
{
    struct rig_figures figures = meter->sum;
    figures.turns *= (double)RIG_FPS / figures.frames;
    figures.travel *= (double)RIG_FPS / figures.frames;
    figures.width /= figures.frames;
    return figures;
}

static inline const struct sc_scene_box *rig_ball(const struct sc_scene_box *boxes, int count)
{
    for (int i = 0; i < count; i++)
        if (boxes[i].cls == SC_SCENE_BALL)
            return &boxes[i];
    return NULL;
}

// What is seen in frame n: NULL = nobody looked.
typedef sc_detections *rig_look(void *user, sc_scene *scene, int64_t n);

// The camera that the figures are about: follows players and ball, at a fixed width.
static inline struct sc_camera_params rig_params(double aspect, double zoom, int64_t ahead_ns)
{
    static const int classes[] = {SC_SCENE_PLAYER}, leads[] = {SC_SCENE_BALL};
    return (struct sc_camera_params){
        .width = 1280,
        .height = 720,
        .aspect = aspect,
        .classes = classes,
        .class_count = 1,
        .leads = leads,
        .lead_count = 1,
        .min_zoom = zoom,
        .max_zoom = zoom,
        .ahead_ns = ahead_ns,
    };
}

// Runs a camera over the first frames of a scene, and a second one over the same where there is one.
static inline void rig_run(sc_scene *scene, int frames, sc_camera *const *cameras, int count,
                           rig_look *look, void *user, struct rig_figures *figures)
{
    struct rig_meter meters[16] = {0};
    struct sc_scene_box *boxes = calloc((size_t)frames * SC_SCENE_MAX_BOXES, sizeof(*boxes));
    int *boxes_count = calloc((size_t)frames, sizeof(int));
    double width = sc_scene_get_params(scene)->width;
    for (int n = 0; n <= frames; n++) {
        sc_detections *found = NULL;
        if (n < frames) {
            boxes_count[n] = sc_scene_boxes(scene, n, boxes + (size_t)n * SC_SCENE_MAX_BOXES);
            found = look(user, scene, n);
        }
        for (int i = 0; i < count; i++) {
            struct sc_crop crop;
            if (n < frames)
                sc_camera_put(cameras[i], n * INT64_C(1000000000) / RIG_FPS, found, false);
            else
                sc_camera_flush(cameras[i]);
            while (!sc_camera_get(cameras[i], NULL, &crop)) {
                int at = meters[i].sum.frames;
                rig_measure(&meters[i], &crop,
                            rig_ball(boxes + (size_t)at * SC_SCENE_MAX_BOXES, boxes_count[at]),
                            width);
            }
        }
        sc_detections_unref(&found);
    }
    for (int i = 0; i < count; i++)
        figures[i] = rig_result(&meters[i]);
    free(boxes);
    free(boxes_count);
}

// The truth as a poor detector might see it, every third frame: a quarter of the balls and some
// players are missed, the rest shake, and false balls come up, some again and again at one place.
struct rig_noise {
    uint64_t state;
    int every;
};

static inline double rig_random(struct rig_noise *noise)
{
    noise->state = noise->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(noise->state >> 40) / (1 << 24);
}

static inline sc_detections *rig_look_noisy(void *user, sc_scene *scene, int64_t n)
{
    struct rig_noise *noise = user;
    struct sc_scene_box boxes[SC_SCENE_MAX_BOXES];
    if (n % noise->every)
        return NULL;
    int count = sc_scene_boxes(scene, n, boxes), kept = 0;
    sc_detections *found = sc_detections_new(count + 2);
    found->width = sc_scene_get_params(scene)->width;
    found->height = sc_scene_get_params(scene)->height;
    for (int i = 0; i < count; i++) {
        bool ball = boxes[i].cls == SC_SCENE_BALL;
        float dx = (float)(4 * rig_random(noise) - 2), dy = (float)(4 * rig_random(noise) - 2);
        float score = (float)(0.4 + 0.5 * rig_random(noise));
        if (rig_random(noise) < (ball ? 0.25 : 0.08))
            continue;
        found->items[kept++] = (struct sc_detection){boxes[i].x1 + dx,
                                                     boxes[i].y1 + dy,
                                                     boxes[i].x2 + dx,
                                                     boxes[i].y2 + dy,
                                                     score,
                                                     boxes[i].cls,
                                                     0};
    }
    if (rig_random(noise) < 0.3) {
        float x = (float)(1270 * rig_random(noise)), y = (float)(710 * rig_random(noise));
        found->items[kept++] =
            (struct sc_detection){x, y, x + 6, y + 6, 0.55F, SC_SCENE_BALL, 0};
    }
    if (rig_random(noise) < 0.5)
        found->items[kept++] =
            (struct sc_detection){294, 180, 300, 185, 0.45F, SC_SCENE_BALL, 0};
    found->count = kept;
    return found;
}

// A detector that looks at every so many pictures.
struct rig_detector {
    sc_model *model;
    int every;
};

static inline sc_detections *rig_look_with_model(void *user, sc_scene *scene, int64_t n)
{
    const struct rig_detector *detector = user;
    sc_detections *found = NULL;
    sc_err err = {0};
    if (n % detector->every)
        return NULL;
    AVFrame *av = sc_scene_frame_new(scene);
    sc_scene_render(scene, n, av);
    sc_frame *frame = sc_frame_wrap(av, n, 0);
    if (sc_model_detect(detector->model, &frame, NULL, 1, &found, &err))
        fprintf(stderr, "%s\n", err.text);
    sc_frame_unref(&frame);
    return found;
}
