#include "film.h"

#include <math.h>

#include "answer.h"
#include "base/mem.h"
#include "media/encoder.h"
#include "vision/camera.h"
#include "vision/cut.h"
#include "vision/overlay.h"
#include "vision/tracker.h"

#define WIDTH  1280
#define HEIGHT 720

int film_cut(struct film *film, char error[256])
{
    sc_err err = {0};
    sc_cut *cut = sc_cut_open();
    int ret = SC_OK;
    for (int i = 0; i < film->count && ret >= 0; i++)
        ret = sc_cut_put(cut, film->frames[i]->av, &film->cuts[i], &err);
    sc_cut_close(&cut);
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

int film_track(struct film *film, char error[256])
{
    sc_tracker *tracker = sc_tracker_open(NULL);
    int ret = 0;
    for (int i = 0; i < film->count && !ret; i++) {
        sc_detections_unref(&film->tracked[i]);
        film->tracked[i] =
            sc_tracker_update(tracker, film->found[i], film->frames[i]->pts_ns, film->cuts[i]);
        if (!film->tracked[i])
            ret = answer_fail(error, "out of memory");
    }
    sc_tracker_close(&tracker);
    return ret;
}

// As a stream from file to file has it: a second ahead.
int film_camera(struct film *film, char error[256])
{
    sc_err err = {0};
    const struct sc_camera_params params = {.width = film->frames[0]->av->width,
                                            .height = film->frames[0]->av->height,
                                            .aspect = 16.0 / 9,
                                            .leads = &film->follow,
                                            .lead_count = 1,
                                            .ahead_ns = INT64_C(1000000000)};
    sc_camera *camera;
    int got = 0, ret = sc_camera_open(&camera, &params, &err);
    if (ret < 0)
        return answer_fail(error, "%s", sc_err_text(&err, ret));
    for (int i = 0; i < film->count; i++) {
        sc_camera_put(camera, film->frames[i]->pts_ns, film->tracked[i], film->cuts[i]);
        while (sc_camera_get(camera, NULL, &film->crops[got]) >= 0)
            got++;
    }
    sc_camera_flush(camera);
    while (got < film->count && sc_camera_get(camera, NULL, &film->crops[got]) >= 0)
        got++;
    sc_camera_close(&camera);
    return got < film->count ? answer_fail(error, "%d crops of %d", got, film->count) : 0;
}

int film_crop(struct film *film, char error[256])
{
    sc_err err = {0};
    sc_cropper *cropper;
    const struct sc_cropper_params params = {.width = WIDTH, .height = HEIGHT};
    int ret = sc_cropper_open(&cropper, &params, &err);
    for (int i = 0; i < film->count && ret >= 0; i++) {
        AVFrame *av = NULL;
        sc_frame_unref(&film->cropped[i]);
        ret = sc_cropper_run(cropper, &av, film->frames[i]->av, &film->crops[i], &err);
        if (ret < 0)
            break;
        film->cropped[i] = sc_frame_wrap(av, i, film->frames[i]->pts_ns);
        if (!film->cropped[i]) {
            av_frame_free(&av);
            ret = sc_fail(&err, SC_ENOMEM, "out of memory");
        }
    }
    sc_cropper_close(&cropper);
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

// The objects that have a track, where they are in the crop; NULL when memory is out.
static sc_detections *move(const sc_detections *tracked, const struct sc_crop *crop)
{
    sc_detections *moved = sc_detections_new(tracked->count);
    if (!moved)
        return NULL;
    moved->width = WIDTH;
    moved->height = HEIGHT;
    moved->count = 0;
    for (int i = 0; i < tracked->count; i++) {
        struct sc_detection d = tracked->items[i];
        float sx = WIDTH / crop->w, sy = HEIGHT / crop->h;
        d.x1 = fmaxf(0, (d.x1 - crop->x) * sx);
        d.x2 = fminf(WIDTH, (d.x2 - crop->x) * sx);
        d.y1 = fmaxf(0, (d.y1 - crop->y) * sy);
        d.y2 = fminf(HEIGHT, (d.y2 - crop->y) * sy);
        if (d.track && d.x1 < d.x2 && d.y1 < d.y2)
            moved->items[moved->count++] = d;
    }
    return moved;
}

int film_overlay(struct film *film, char error[256])
{
    sc_err err = {0};
    sc_overlay *overlay = sc_overlay_open(&(struct sc_overlay_params){0});
    const struct sc_overlay_labels labels = {0};
    const struct sc_view view = {0};
    int ret = SC_OK;
    for (int i = 0; i < film->count && ret >= 0; i++) {
        sc_detections *moved = move(film->tracked[i], &film->crops[i]);
        sc_frame_unref(&film->drawn[i]);
        ret = moved ? sc_overlay_draw(overlay, &film->drawn[i], film->cropped[i], &view, moved,
                                      moved->count, &labels, &err)
                    : sc_fail(&err, SC_ENOMEM, "out of memory");
        sc_detections_unref(&moved);
    }
    sc_overlay_close(&overlay);
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

static int drop_packets(sc_encoder *encoder, sc_err *err)
{
    sc_packet *packet;
    int ret;
    while ((ret = sc_encoder_get(encoder, &packet, err)) >= 0)
        sc_packet_unref(&packet);
    return ret == SC_EAGAIN || ret == SC_EEOF ? SC_OK : ret;
}

static double rate(const struct film *film)
{
    int64_t span_ns = film->frames[film->count - 1]->pts_ns - film->frames[0]->pts_ns;
    return span_ns > 0 ? (film->count - 1) * 1e9 / (double)span_ns : 30;
}

int film_encode(struct film *film, char error[256])
{
    sc_err err = {0};
    const struct sc_encoder_params params = {.like = film->drawn[0]->av,
                                             .frame_rate = av_d2q(rate(film), 100000),
                                             .preset = "veryfast"};
    sc_encoder *encoder;
    int ret = sc_encoder_open(&encoder, &params, &err);
    for (int i = 0; i < film->count && ret >= 0; i++) {
        ret = sc_encoder_put(encoder, film->drawn[i]->av, film->drawn[i]->pts_ns, 0, &err);
        if (ret >= 0)
            ret = drop_packets(encoder, &err);
    }
    if (ret >= 0)
        ret = sc_encoder_flush(encoder, &err);
    if (ret >= 0)
        ret = drop_packets(encoder, &err);
    sc_encoder_close(&encoder);
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

void film_release(struct film *film)
{
    for (int i = 0; i < FILM_FRAMES; i++) {
        sc_detections_unref(&film->found[i]);
        sc_detections_unref(&film->tracked[i]);
        sc_frame_unref(&film->cropped[i]);
        sc_frame_unref(&film->drawn[i]);
    }
}
