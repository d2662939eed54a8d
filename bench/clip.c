// Writes the frames of the benchmark's clip to standard output, as raw yuv420p, for an encoder.
//
//   clip WIDTH HEIGHT FRAMES
//
// The clip is a broadcast in miniature: shots of the made-up match of unlike lengths, each with
// its own camera, so that an encoder puts a keyframe at every cut and groups of pictures vary.
#include <stdlib.h>

#include "media/scene.h"

// Shares of the clip, in frames of 1800; the longest exceeds an encoder's usual 250.
static const int shots[] = {30, 35,  50,  60,  60,  75,  75,  90,  90,
                            90, 100, 110, 120, 130, 140, 140, 145, 260};
#define SHOTS       (int)(sizeof(shots) / sizeof(*shots))
#define SHOTS_TOTAL 1800

static int write_frame(const AVFrame *frame)
{
    for (int plane = 0; plane < 3; plane++) {
        size_t w = (size_t)(plane ? frame->width / 2 : frame->width);
        int h = plane ? frame->height / 2 : frame->height;
        for (int y = 0; y < h; y++) {
            const uint8_t *row = frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane];
            if (fwrite(row, 1, w, stdout) != w)
                return -1;
        }
    }
    return 0;
}

static struct sc_scene_params camera(int shot, int width, int height)
{
    return (struct sc_scene_params){
        .width = width,
        .height = height,
        .seed = (uint64_t)shot + 1,
        .zoom = 1 + 0.35 * (shot * 5 % 7),
        .pan_x = (shot * 3 % 5 - 2) * 0.4,
        .pan_y = (shot * 2 % 3 - 1) * 0.4,
        .noise = 2.5,
    };
}

static int write_shot(int shot, int width, int height, int frames)
{
    struct sc_scene_params params = camera(shot, width, height);
    sc_scene *scene = NULL;
    sc_err err = {0};
    int ret = sc_scene_open(&scene, &params, &err);
    if (ret < 0) {
        fprintf(stderr, "clip: %s\n", sc_err_text(&err, ret));
        return ret;
    }
    AVFrame *frame = sc_scene_frame_new(scene);
    ret = frame ? 0 : SC_ENOMEM;
    for (int n = 0; n < frames && ret == 0; n++) {
        sc_scene_render(scene, n, frame);
        ret = write_frame(frame);
    }
    av_frame_free(&frame);
    sc_scene_close(&scene);
    return ret;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: clip WIDTH HEIGHT FRAMES\n");
        return 2;
    }
    int width = atoi(argv[1]), height = atoi(argv[2]), frames = atoi(argv[3]);
    int before = 0;
    for (int shot = 0; shot < SHOTS; shot++) {
        int from = (int)((int64_t)frames * before / SHOTS_TOTAL);
        before += shots[shot];
        int to = (int)((int64_t)frames * before / SHOTS_TOTAL);
        if (write_shot(shot, width, height, to - from) != 0)
            return 1;
    }
    return fflush(stdout) ? 1 : 0;
}
