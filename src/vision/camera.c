// The virtual camera: parameters, time, and the frames held back.
#include "vision/camera.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "vision/camera_internal.h"

#define QUEUE    8192 // frames held back, at most
#define SECOND   INT64_C(1000000000)
#define MIN_SPAN 0.02 // seconds
#define MAX_SPAN 20.0

struct held {
    int64_t pts_ns, at_ns; // the frame's own time; the camera's
    struct sc_crop crop;   // once it is due
};

struct sc_camera {
    struct sc_camera_info info; // immutable
    struct sc_target target;
    struct sc_path path;
    struct held *queue; // a ring of QUEUE
    int first, count;   // frames put and not got
    int due;            // of them, the first ones have their crop
    int64_t now_ns;     // grows with the frames, never with a cut
    int64_t path_ns;    // where the path is: up to now_ns
    int64_t last_pts_ns;
    bool started, flushed;
    bool placed; // this scene's path has its place
};

static int check_number(double value, double lo, double hi, const char *field, sc_err *err)
{
    if (value >= lo && value <= hi)
        return 0;
    return sc_fail_field(err, SC_EARG, field, "%s must be within %g and %g, not %g", field, lo,
                         hi, value);
}

static double or_default(double value, double fallback)
{
    return value == 0 ? fallback : value;
}

// Replaces zeros, which are the defaults, and negatives where they mean none.
static void fill_in(struct sc_camera_params *params)
{
    params->aspect = or_default(params->aspect, (double)params->width / params->height);
    params->threshold = or_default(params->threshold, 0.3);
    params->min_zoom = or_default(params->min_zoom, 1);
    params->max_zoom = or_default(params->max_zoom, fmax(2, params->min_zoom));
    params->margin = or_default(params->margin, 0.15);
    params->window_ns = params->window_ns ? params->window_ns : 3 * SECOND / 10;
    params->window_ns = params->window_ns < 0 ? 0 : params->window_ns;
    params->dead = params->dead < 0 ? 0 : or_default(params->dead, 0.08);
    params->max_speed = or_default(params->max_speed, 0.4);
    params->max_acceleration = or_default(params->max_acceleration, 1);
    params->max_zoom_speed = or_default(params->max_zoom_speed, 0.15);
    if (params->track > 0)
        params->follow = SC_CAMERA_SUBJECT;
}

static int check_lists(const struct sc_camera_params *params, sc_err *err)
{
    int ret = check_number(params->class_count, 0, SC_CAMERA_CLASSES, "classes", err);
    if (ret >= 0)
        ret = check_number(params->lead_count, 0, SC_CAMERA_CLASSES, "leads", err);
    if (ret < 0)
        return ret;
    if ((params->class_count && !params->classes) || (params->lead_count && !params->leads))
        return sc_fail_field(err, SC_EARG, "classes", "the lists of classes are missing");
    if (params->follow != SC_CAMERA_ACTION && params->follow != SC_CAMERA_SUBJECT)
        return sc_fail_field(err, SC_EARG, "follow", "follow must be action or subject");
    return 0;
}

static int check(const struct sc_camera_params *params, sc_err *err)
{
    const struct {
        double value, lo, hi;
        const char *field;
    } numbers[] = {
        {params->width, 1, 65536, "width"},
        {params->height, 1, 65536, "height"},
        {params->aspect, 1.0 / 16, 16, "aspect"},
        {params->threshold, 0, 1, "threshold"},
        {params->min_zoom, 1, 32, "min_zoom"},
        {params->max_zoom, params->min_zoom, 32, "max_zoom"},
        {params->margin, 0, 0.45, "margin"},
        {(double)params->window_ns, 0, 2.0 * SECOND, "window_ns"},
        {params->dead, 0, 0.5, "dead"},
        {params->max_speed, 0.01, 4, "max_speed"},
        {params->max_acceleration, 0.01, 40, "max_acceleration"},
        {params->max_zoom_speed, 0.001, 4, "max_zoom_speed"},
        {(double)params->ahead_ns, 0, (double)SC_CAMERA_MAX_AHEAD, "ahead_ns"},
    };
    int ret = check_lists(params, err);
    for (size_t i = 0; i < SC_COUNT(numbers) && ret >= 0; i++)
        ret =
            check_number(numbers[i].value, numbers[i].lo, numbers[i].hi, numbers[i].field, err);
    return ret;
}

static void set_limits(struct sc_path_limits *limits, const struct sc_camera_params *params)
{
    double width = params->width, height = params->height;
    double widest = fmin(width, height * params->aspect);
    double speed = params->max_speed, zoom = params->max_zoom_speed;
    double span = fmax(2 * speed / params->max_acceleration, MIN_SPAN);
    if (span > MAX_SPAN) {
        span = MAX_SPAN;
        speed = span * params->max_acceleration / 2;
    }
    *limits = (struct sc_path_limits){
        .width = width,
        .height = height,
        .aspect = params->aspect,
        .min_w = widest / params->max_zoom,
        .max_w = widest / params->min_zoom,
        .speed = speed * width,
        .zoom_speed = fmin(zoom, 2 * speed * fmin(1, params->aspect)) * width,
        .span = span,
    };
}

// The path is behind by half of its span, the median by half of its window.
static int64_t useful_ahead(const struct sc_camera_params *params, double span)
{
    int64_t lag_ns = (int64_t)(span / 2 * SECOND) + params->window_ns / 2;
    return params->ahead_ns < lag_ns ? params->ahead_ns : lag_ns;
}

static void set_target(struct sc_target_params *target, const struct sc_camera_params *params,
                       const struct sc_camera *camera)
{
    const struct sc_path_limits *limits = &camera->path.limits;
    double behind = limits->span / 2 + (double)params->window_ns / 2 / SECOND;
    *target = (struct sc_target_params){
        .follow = params->follow,
        .class_count = params->class_count,
        .lead_count = params->lead_count,
        .track = params->track,
        .threshold = params->threshold,
        .margin = params->margin,
        .dead = params->dead,
        .aspect = params->aspect,
        .height = limits->height / limits->width,
        .min_w = limits->min_w / limits->width,
        .max_w = limits->max_w / limits->width,
        .window = (double)params->window_ns / SECOND,
        .lag = behind - (double)camera->info.ahead_ns / SECOND,
    };
    if (params->class_count)
        memcpy(target->classes, params->classes, sizeof(int) * (size_t)params->class_count);
    if (params->lead_count)
        memcpy(target->leads, params->leads, sizeof(int) * (size_t)params->lead_count);
}

int sc_camera_open(sc_camera **out, const struct sc_camera_params *given, sc_err *err)
{
    struct sc_camera_params params = *given;
    *out = NULL;
    if (params.width < 1 || params.height < 1)
        return sc_fail_field(err, SC_EARG, "width", "the picture has no size");
    fill_in(&params);
    int ret = check(&params, err);
    if (ret < 0)
        return ret;
    sc_camera *camera = sc_new(sc_camera);
    struct sc_path_limits *limits = &camera->path.limits;
    camera->queue = sc_xcalloc(QUEUE, sizeof(*camera->queue));
    set_limits(limits, &params);
    camera->info = (struct sc_camera_info){
        .min_width = (float)limits->min_w,
        .max_width = (float)limits->max_w,
        .max_speed = limits->speed,
        .max_zoom_speed = limits->zoom_speed,
        .max_acceleration = 2 * limits->speed / limits->span,
        .max_zoom_acceleration = 2 * limits->zoom_speed / limits->span,
        .ahead_ns = useful_ahead(&params, limits->span),
    };
    set_target(&camera->target.params, &params, camera);
    *out = camera;
    return 0;
}

void sc_camera_close(sc_camera **pcamera)
{
    sc_camera *camera = pcamera ? *pcamera : NULL;
    if (!camera)
        return;
    free(camera->queue);
    free(camera);
    *pcamera = NULL;
}

const struct sc_camera_info *sc_camera_get_info(const sc_camera *camera)
{
    return &camera->info;
}

// Rounded to float without leaving the picture.
static struct sc_crop make_crop(const struct sc_path_limits *limits, struct sc_framing shot)
{
    struct sc_crop crop;
    float width = (float)limits->width, height = (float)limits->height;
    shot = sc_path_clamp(limits, shot);
    crop.w = fminf((float)shot.w, width);
    crop.h = fminf((float)(shot.w / limits->aspect), height);
    crop.x = fmaxf((float)(shot.x - shot.w / 2), 0);
    crop.y = fmaxf((float)(shot.y - shot.w / limits->aspect / 2), 0);
    while (crop.x + crop.w > width)
        crop.x = nextafterf(fminf(crop.x, width - crop.w), -1);
    while (crop.y + crop.h > height)
        crop.y = nextafterf(fminf(crop.y, height - crop.h), -1);
    crop.x = fmaxf(crop.x, 0);
    crop.y = fmaxf(crop.y, 0);
    return crop;
}

static struct sc_framing in_pixels(const sc_camera *camera, struct sc_framing shot)
{
    double width = camera->path.limits.width;
    return (struct sc_framing){shot.x * width, shot.y * width, shot.w * width};
}

static struct sc_framing move_to(sc_camera *camera, int64_t at_ns)
{
    double dt = (double)(at_ns - camera->path_ns) / SECOND;
    camera->path_ns = at_ns;
    return sc_path_advance(&camera->path, dt, in_pixels(camera, camera->target.goal),
                           camera->target.pace);
}

// Gives the frames their crops that are due at until_ns.
static void settle(sc_camera *camera, int64_t until_ns)
{
    for (; camera->due < camera->count; camera->due++) {
        struct held *held = &camera->queue[(camera->first + camera->due) % QUEUE];
        int64_t at_ns = held->at_ns + camera->info.ahead_ns;
        if (at_ns > until_ns)
            return;
        camera->placed = true;
        held->crop = make_crop(&camera->path.limits, move_to(camera, at_ns));
    }
}

// All that is left of a scene, with what is known of it.
static void finish(sc_camera *camera)
{
    settle(camera, INT64_MAX);
    if (camera->path_ns < camera->now_ns)
        camera->path_ns = camera->now_ns;
}

static void begin(sc_camera *camera)
{
    finish(camera);
    sc_target_reset(&camera->target);
    camera->path_ns = camera->now_ns;
    camera->placed = false;
    sc_path_reset(&camera->path, in_pixels(camera, camera->target.goal));
}

static int64_t step_of(const sc_camera *camera, int64_t pts_ns)
{
    if (!camera->started || pts_ns <= camera->last_pts_ns)
        return 0;
    uint64_t step = (uint64_t)pts_ns - (uint64_t)camera->last_pts_ns;
    return step < (uint64_t)SECOND ? (int64_t)step : SECOND;
}

int sc_camera_put(sc_camera *camera, int64_t pts_ns, const sc_detections *found, bool cut)
{
    if (camera->flushed)
        return SC_EEOF;
    if (camera->count == QUEUE)
        return SC_EAGAIN;
    int64_t step_ns = step_of(camera, pts_ns);
    camera->now_ns += step_ns;
    camera->last_pts_ns = step_ns || !camera->started ? pts_ns : camera->last_pts_ns;
    if (cut || !camera->started)
        begin(camera);
    camera->started = true;
    camera->queue[(camera->first + camera->count++) % QUEUE] =
        (struct held){.pts_ns = pts_ns, .at_ns = camera->now_ns};
    sc_target_put(&camera->target, (double)step_ns / SECOND, found);
    if (!camera->placed && camera->target.known) {
        // No frame of this scene was shown yet, so the view may start where things are.
        sc_path_reset(&camera->path, in_pixels(camera, camera->target.goal));
        camera->placed = true;
    }
    settle(camera, camera->now_ns);
    move_to(camera, camera->now_ns);
    return 0;
}

int sc_camera_get(sc_camera *camera, int64_t *pts_ns, struct sc_crop *crop)
{
    if (!camera->due)
        return camera->flushed ? SC_EEOF : SC_EAGAIN;
    const struct held *held = &camera->queue[camera->first];
    if (pts_ns)
        *pts_ns = held->pts_ns;
    *crop = held->crop;
    camera->first = (camera->first + 1) % QUEUE;
    camera->count--;
    camera->due--;
    return 0;
}

void sc_camera_flush(sc_camera *camera)
{
    camera->flushed = true;
    finish(camera);
}
