// The virtual camera's figures and picture in docs/camera.md:
//
//   camera-figures [PICTURE.jpg]      prints the tables; run in the source folder
//
// The shipped detector looks at every third picture, as on a slow machine. Without ONNX Runtime the rows
// of the detector are left out, and the picture is made with the truth.
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "camera_rig.h"
#include "media/picture.h"
#include "vision/cut.h"
#include "vision/model.h"

#define FIRST_SEED 201
#define FRAMES     (20 * RIG_FPS)
#define EVERY      3

static const struct {
    const char *name;
    double aspect, min_zoom, max_zoom;
    int64_t ahead_ns;
} kinds[] = {
    {"16:9, half the width", 16.0 / 9, 2, 2, 0},
    {"16:9, half the width", 16.0 / 9, 2, 2, 500000000},
    {"16:9, a third to all of the width", 16.0 / 9, 1, 3, 0},
    {"9:16, full height", 9.0 / 16, 1, 1, 0},
    {"9:16, full height", 9.0 / 16, 1, 1, 500000000},
};

struct total {
    struct rig_figures sum;
    double worst; // share of frames with the ball in the crop, of a seed
    int seeds;
};

static void add(struct total *total, const struct rig_figures *figures)
{
    double share = (double)figures->inside / figures->with_ball;
    total->worst = !total->seeds || share < total->worst ? share : total->worst;
    total->seeds++;
    total->sum.with_ball += figures->with_ball;
    total->sum.inside += figures->inside;
    total->sum.speed = fmax(total->sum.speed, figures->speed);
    total->sum.acceleration = fmax(total->sum.acceleration, figures->acceleration);
    total->sum.turns += figures->turns;
    total->sum.travel += figures->travel;
    total->sum.width += figures->width;
}

static void print_rows(const char *who, const struct total *totals)
{
    for (size_t i = 0; i < SC_COUNT(kinds); i++) {
        const struct total *t = &totals[i];
        printf("| %s, %d matches | %s | %.1f s | %.2f %% | %.2f %% | %.2f | %.2f | %.2f | %.3f "
               "| %.2f |\n",
               who, t->seeds, kinds[i].name, (double)kinds[i].ahead_ns / 1e9,
               100.0 * t->sum.inside / t->sum.with_ball, 100 * t->worst,
               t->sum.turns / t->seeds, t->sum.speed, t->sum.acceleration,
               t->sum.travel / t->seeds, t->sum.width / t->seeds);
    }
}

static sc_scene *open_scene(uint64_t seed)
{
    sc_scene *scene;
    sc_err err = {0};
    if (sc_scene_open(&scene, &(struct sc_scene_params){.seed = seed}, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return scene;
}

static sc_camera *open_camera(size_t kind)
{
    struct sc_camera_params params =
        rig_params(kinds[kind].aspect, kinds[kind].min_zoom, kinds[kind].ahead_ns);
    sc_camera *camera;
    sc_err err = {0};
    params.max_zoom = kinds[kind].max_zoom;
    if (sc_camera_open(&camera, &params, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return camera;
}

static void measure(const char *who, int seeds, rig_look *look, void *user)
{
    struct total totals[SC_COUNT(kinds)] = {0};
    for (int s = 0; s < seeds; s++) {
        sc_camera *cameras[SC_COUNT(kinds)];
        struct rig_figures figures[SC_COUNT(kinds)];
        sc_scene *scene = open_scene(FIRST_SEED + (uint64_t)s);
        for (size_t i = 0; i < SC_COUNT(kinds); i++)
            cameras[i] = open_camera(i);
        rig_run(scene, FRAMES, cameras, SC_COUNT(kinds), look, user, figures);
        for (size_t i = 0; i < SC_COUNT(kinds); i++) {
            add(&totals[i], &figures[i]);
            sc_camera_close(&cameras[i]);
        }
        sc_scene_close(&scene);
    }
    print_rows(who, totals);
    fflush(stdout);
}

// --- the shipped detector

static sc_model *open_model(sc_onnx **onnx)
{
    const struct sc_model_params params = {.name = "pitch",
                                           .path = "models/pitch/pitch.onnx",
                                           .provider = SC_PROVIDER_CPU,
                                           .threads = 1};
    sc_model *model = NULL;
    sc_err err = {0};
    if (sc_onnx_open(onnx, NULL, NULL, &err) || sc_model_open(&model, *onnx, &params, &err))
        fprintf(stderr, "no detector: %s\n", err.text);
    return model;
}

// --- times

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double time_crop(const AVFrame *in, float w, float h)
{
    enum { RUNS = 200 };
    sc_cropper *cropper;
    double best = INFINITY;
    sc_err err = {0};
    if (sc_cropper_open(&cropper, &(struct sc_cropper_params){in->width, in->height}, &err))
        exit(1);
    for (int i = 0; i < RUNS; i++) {
        AVFrame *out;
        struct sc_crop crop = {50 + (float)i * 0.37F, 30 + (float)i * 0.21F, w, h};
        double began = now_ms();
        if (sc_cropper_run(cropper, &out, in, &crop, &err))
            fprintf(stderr, "%s\n", err.text);
        best = fmin(best, now_ms() - began);
        av_frame_free(&out);
    }
    sc_cropper_close(&cropper);
    return best;
}

static double time_cut(const AVFrame *in)
{
    sc_cut *cut = sc_cut_open();
    double best = INFINITY;
    for (int i = 0; i < 200; i++) {
        bool is_cut;
        double began = now_ms();
        sc_cut_put(cut, in, &is_cut, NULL);
        best = fmin(best, now_ms() - began);
    }
    sc_cut_close(&cut);
    return best;
}

static double time_camera(sc_scene *scene)
{
    struct rig_noise noise = {.state = 1, .every = 1};
    sc_camera *camera = open_camera(0);
    sc_detections *found = rig_look_noisy(&noise, scene, 0);
    double began = now_ms();
    for (int n = 0; n < 1000; n++) {
        struct sc_crop crop;
        sc_camera_put(camera, n * INT64_C(1000000000) / RIG_FPS, found, false);
        sc_camera_get(camera, NULL, &crop);
    }
    double took = now_ms() - began;
    sc_detections_unref(&found);
    sc_camera_close(&camera);
    return took / 1000;
}

static void print_times(void)
{
    sc_scene *scene = open_scene(FIRST_SEED);
    AVFrame *in = sc_scene_frame_new(scene);
    sc_scene_render(scene, 0, in);
    printf("\n| step, a 1280x720 picture on one core | ms |\n|---|---|\n");
    printf("| crop of 640x360 to 1280x720, another place each time | %.2f |\n",
           time_crop(in, 640, 360));
    printf("| crop of 960x540 to 1280x720, the same | %.2f |\n", time_crop(in, 960, 540));
    printf("| looking for a cut | %.2f |\n", time_cut(in));
    printf("| the camera itself | %.3f |\n", time_camera(scene));
    av_frame_free(&in);
    sc_scene_close(&scene);
}

// --- the picture

#define TILE_H 360
#define GAP    8

static void outline(AVFrame *av, const struct sc_crop *crop, double scale)
{
    int x1 = (int)(crop->x * scale), x2 = (int)((crop->x + crop->w) * scale) - 1;
    int y1 = (int)(crop->y * scale), y2 = (int)((crop->y + crop->h) * scale) - 1;
    for (int x = x1; x <= x2; x++)
        for (int i = 0; i < 2; i++) {
            av->data[0][(y1 + i) * av->linesize[0] + x] = 235;
            av->data[0][(y2 - i) * av->linesize[0] + x] = 235;
        }
    for (int y = y1; y <= y2; y++)
        for (int i = 0; i < 2; i++) {
            av->data[0][y * av->linesize[0] + x1 + i] = 235;
            av->data[0][y * av->linesize[0] + x2 - i] = 235;
        }
}

static AVFrame *cut_tile(const AVFrame *in, const struct sc_crop *crop, int width)
{
    AVFrame *out = NULL;
    sc_cropper *cropper;
    sc_err err = {0};
    if (sc_cropper_open(&cropper, &(struct sc_cropper_params){width, TILE_H}, &err) ||
        sc_cropper_run(cropper, &out, in, crop, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    sc_cropper_close(&cropper);
    return out;
}

static void paste(AVFrame *to, const AVFrame *tile, int x)
{
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < tile->height >> !!p; y++)
            memcpy(to->data[p] + y * to->linesize[p] + (x >> !!p),
                   tile->data[p] + y * tile->linesize[p], (size_t)(tile->width >> !!p));
}

// White, of the tile's height and colour.
static AVFrame *make_canvas(const AVFrame *tile, int width)
{
    AVFrame *av = av_frame_alloc();
    av->format = tile->format;
    av->width = width;
    av->height = tile->height;
    if (av_frame_get_buffer(av, 0) < 0 || av_frame_copy_props(av, tile) < 0)
        exit(1);
    av->sample_aspect_ratio = (AVRational){1, 1};
    for (int p = 0; p < 3; p++)
        memset(av->data[p], p ? 128 : 235, (size_t)av->linesize[p] * (TILE_H >> !!p));
    return av;
}

static void save(AVFrame *av, const char *path)
{
    sc_picture_ctx *ctx = sc_picture_ctx_new();
    sc_frame *frame = sc_frame_wrap(av, 0, 0);
    const struct sc_picture_params params = {.format = SC_PICTURE_JPEG, .quality = 75};
    sc_buf *jpeg = NULL;
    sc_err err = {0};
    FILE *file = fopen(path, "wb");
    if (!file || sc_picture_encode(ctx, &jpeg, NULL, frame, &params, &err) ||
        fwrite(jpeg->data, 1, jpeg->size, file) != jpeg->size)
        fprintf(stderr, "%s: not written %s\n", path, err.text);
    if (file)
        fclose(file);
    sc_buf_unref(&jpeg);
    sc_frame_unref(&frame);
    sc_picture_ctx_free(&ctx);
}

// The wide picture with both crops drawn, and the crops beside it.
static void make_picture(const char *path, rig_look *look, void *user)
{
    enum { AT = 12 * RIG_FPS };
    static const size_t shown[] = {0, 3};
    static const int widths[] = {640, 202};
    sc_scene *scene = open_scene(FIRST_SEED);
    sc_camera *cameras[] = {open_camera(shown[0]), open_camera(shown[1])};
    struct sc_crop crops[2];
    for (int n = 0; n <= AT; n++) {
        sc_detections *found = look(user, scene, n);
        for (int i = 0; i < 2; i++) {
            sc_camera_put(cameras[i], n * INT64_C(1000000000) / RIG_FPS, found, false);
            sc_camera_get(cameras[i], NULL, &crops[i]);
        }
        sc_detections_unref(&found);
    }
    AVFrame *in = sc_scene_frame_new(scene);
    sc_scene_render(scene, AT, in);
    AVFrame *wide = cut_tile(in, &(struct sc_crop){0, 0, 1280, 720}, 640);
    AVFrame *all = make_canvas(wide, 640 + widths[0] + widths[1] + 2 * GAP);
    for (int i = 0, x = 640 + GAP; i < 2; x += widths[i++] + GAP) {
        AVFrame *tile = cut_tile(in, &crops[i], widths[i]);
        outline(wide, &crops[i], 0.5);
        paste(all, tile, x);
        av_frame_free(&tile);
        sc_camera_close(&cameras[i]);
    }
    paste(all, wide, 0);
    save(all, path);
    av_frame_free(&wide);
    av_frame_free(&in);
    sc_scene_close(&scene);
}

int main(int argc, char **argv)
{
    struct rig_noise noise = {.state = 1, .every = EVERY};
    sc_onnx *onnx = NULL;
    sc_model *model = open_model(&onnx);
    struct rig_detector detector = {.model = model, .every = EVERY};
    printf(
        "| seen by | crop | look-ahead | ball inside | worst match | turns/s | top speed | "
        "top acceleration | travel/s | width |\n|---|---|---|---|---|---|---|---|---|---|\n");
    if (model)
        measure("the shipped detector", 4, rig_look_with_model, &detector);
    measure("truth with noise", 8, rig_look_noisy, &noise);
    print_times();
    if (argc > 1)
        make_picture(argv[1], model ? rig_look_with_model : rig_look_noisy,
                     model ? (void *)&detector : &noise);
    sc_model_close(&model);
    sc_onnx_close(&onnx);
    return 0;
}
