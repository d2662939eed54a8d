// A virtual camera: the part of a wide picture that follows the action.
//
//   detections -> target (who counts, where, how wide) -> path (caps, picture's edges) -> crop
//
// A plain object: no thread, no clock, no pixels. Time is the frames' own, in any steps. It promises,
// whatever it is fed: the crop lies inside the picture and has the aspect asked for; its centre and its
// width never go faster, nor change speed faster, than the caps, except at a cut, where it starts anew.
//
// Thread-safety: an sc_camera belongs to one thread at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "media/crop.h"
#include "vision/detection.h"

typedef struct sc_camera sc_camera;

enum sc_camera_follow {
    SC_CAMERA_ACTION, // the lead, as far as it is known, and the crowd around it
    SC_CAMERA_SUBJECT, // all that is followed must be in the crop; its middle where it does not fit
};

#define SC_CAMERA_CLASSES   64 // at most, each list
#define SC_CAMERA_MAX_AHEAD (5 * INT64_C(1000000000))

// All zero but the size is a camera with the picture's aspect that follows the action of all classes.
// Lengths are shares of the picture's width.
struct sc_camera_params {
    int width, height; // of the displayed picture, 1..65536
    double aspect;     // width / height of the crop, 1/16..16; 0 = the picture's

    // What is followed: of all classes where there are none. Leads (the ball) are followed too; there
    // is at most one at a time, and the action is where it is. Copied.
    enum sc_camera_follow follow;
    const int *classes, *leads;
    int class_count, lead_count;
    int64_t track;    // > 0: only this track, as the subject, whatever its class
    double threshold; // scores below do not count; 0 = 0.3

    // 1 = the widest crop of the aspect, 2 = half of its width, up to 32; 0 = 1, and 2 or min_zoom.
    double min_zoom, max_zoom;
    double margin; // air on each side of what must be seen, of the crop, up to 0.45; 0 = 0.15
    int64_t window_ns; // of the median against outliers, up to 2 s; 0 = 0.3 s, < 0 = none
    // How far the target goes before the camera does, of the crop's size, up to 0.5; 0 = 0.08, < 0 =
    // none.
    double dead;

    double max_speed;        // widths a second, of each axis, 0.01..4; 0 = 0.4
    double max_acceleration; // widths a second squared, of each axis, 0.01..40; 0 = 1
    // Of the crop's width, widths a second, 0.001..4; 0 = 0.15. It never passes twice max_speed, for tall
    // crops that times the aspect, so that a crop at the edge can give way.
    double max_zoom_speed;
    // How long a frame may be held back to see what comes, up to SC_CAMERA_MAX_AHEAD; 0 = not at all.
    int64_t ahead_ns;
};

// What the parameters came to, in pixels and seconds.
struct sc_camera_info {
    float min_width, max_width;                   // of the crop
    double max_speed, max_acceleration;           // of the centre, on each axis
    double max_zoom_speed, max_zoom_acceleration; // of the width
    int64_t ahead_ns;                             // really held back: no more than is of use
};

// SC_EARG (err names the field). On failure *out is NULL.
int sc_camera_open(sc_camera **out, const struct sc_camera_params *params, sc_err *err);
void sc_camera_close(sc_camera **pcamera); // NULL and &NULL allowed; writes NULL
const struct sc_camera_info *sc_camera_get_info(const sc_camera *camera);

// The next frame: its time, what was found in it (NULL = nobody looked; a list without items = nothing
// there), and whether it starts a new scene. found may be of another size than the picture and is not
// kept. A time that does not grow counts as the last one; a step above a second counts as a second.
// SC_EAGAIN where 8192 frames are held back: get them first.
int sc_camera_put(sc_camera *camera, int64_t pts_ns, const sc_detections *found, bool cut);

// The crop for the oldest frame not yet answered, in pixels of the displayed picture. SC_EAGAIN: more
// frames have to be put first; never so after each put where ahead_ns is 0. SC_EEOF after the flush.
// pts_ns may be NULL.
int sc_camera_get(sc_camera *camera, int64_t *pts_ns, struct sc_crop *crop);

// No more frames: the rest can be got without waiting. Later puts are refused with SC_EEOF.
void sc_camera_flush(sc_camera *camera);
