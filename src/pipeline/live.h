// A live stream as a whole: a source, what is done to its pictures, and where they go.
//
//   input -> pace -> decode -> detect -> track -> camera -> render -> encode -> outputs
//              \-- sound, as it came ---------------------------------------/
//                                   \-> lines  \-> wide    \-> viewers (MJPEG), rungs
//
// Rungs of pictures that nothing is done to encode beside detection, and wait for what is found.
//
// Made of stages (pipeline/graph.h) by what the parameters ask for; what is not asked for is not there.
// The source comes back and the outputs come back on their own; the stream ends when a file ends, when
// the source is given up, when nothing is left that takes its pictures, or when it is stopped.
//
// Late rule. From a file that only goes to files, nothing is late: everything waits for the slowest stage
// and every picture is detected. Otherwise the stream keeps the source's time: a picture waits for its
// detections for `delay_ns`, and when it has waited so long it goes on with what the tracker expects; the
// model gets the newest picture whenever it is free. Pictures that the encoder has no time for are
// left out, oldest first.
//
// Thread-safety: open and close are one thread's; the rest is safe in between.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/pool.h"
#include "media/crop.h"
#include "media/live_input.h"
#include "media/live_output.h"
#include "media/packet.h"
#include "pipeline/choice.h"
#include "pipeline/graph.h"
#include "vision/camera.h"
#include "vision/tracker.h"

typedef struct sc_batcher sc_batcher; // vision/batcher.h

#define SC_LIVE_OUTPUTS     8             // at most
#define SC_LIVE_RUNGS       4             // at most
#define SC_LIVE_SOUND       SC_LIVE_RUNGS // in the place of a rung's number: the sound, as Opus

#define SC_LIVE_BITRATE_MIN 10000 // bits a second
#define SC_LIVE_BITRATE_MAX 1000000000

// One encoding of the stream's pictures for many viewers (sc_live_tap). Nothing is encoded while nobody
// taps it. Zero in width, height, fps: the picture's that is shown; both sides are brought down in shape,
// never up; samples are square. What is given out can be decoded from each keyframe on (parameter sets in
// band), each picture is one packet, and nothing is held back. Pictures that come while one is encoded
// are left out, but for the last.
struct sc_live_rung {
    enum sc_live_codec { SC_LIVE_H264, SC_LIVE_VP8 } codec; // H.264: constrained baseline
    int width, height;                                      // at most
    double fps;                                             // at most
    int64_t bitrate;                                        // bits a second; 0 = by size
};

// A model, ready to run; everything outlives the stream.
struct sc_live_model {
    sc_batcher *batcher; // takes struct sc_model_item
    const char *name;
    const char *const *labels; // classes of them, NULL = numbers
    int classes;
    double threshold;
};

// The camera as users say it: "follow=ball,aspect=16:9,zoom=2". Names are the model's labels.
struct sc_live_camera {
    bool on;
    char follow[256]; // "" or "action" = the action's middle; "track:7"; else classes, by '+'
    double aspect;    // 0 = the picture's
    double zoom;      // most; 0 = 2
    int64_t ahead_ns; // 0 = as far as the delay allows
};
// key=value, by commas: follow, aspect (W:H or a number), zoom (1..32), ahead (such as 500ms).
// SC_EARG: err says which key and what is allowed.
int sc_live_camera_parse(struct sc_live_camera *camera, const char *text, sc_err *err);

// Zero is the default everywhere but in input. All is copied, but what `model`, `pool`, `log` point to.
struct sc_live_params {
    const char *name; // for logs and figures; NULL = "live"
    struct sc_live_input_params input;
    const char
        *outputs[SC_LIVE_OUTPUTS]; // as media/live_output.h names them; the first NULL ends it
    const char *lines;             // JSON lines of detections: a file, or "-"; NULL = none
    struct sc_live_model model;    // without a batcher nothing is detected
    double threshold;              // 0 = the model's
    bool track;                    // the camera turns it on where it follows a track
    enum sc_tracker_kind tracker;
    struct sc_live_camera camera;
    bool overlay; // boxes and labels, drawn on the picture
    bool clock; // a clock that programs read, drawn before anything else (media/clock_strip.h)
    // The picture that is encoded.
    int width,
        height; // 0 = the source's (the camera's: the source's height); one 0 = by aspect
    double fps; // at most; 0 = the source's
    const char *codec; // libavcodec's name of the encoder; NULL = "libx264"
    const char *preset;
    int64_t
        bitrate; // bits a second; 0 = by size for what goes over the net, by quality for files
    bool no_sound;
    bool realtime;    // keep the source's time, also from a file to files
    int64_t delay_ns; // a picture waits for its detections so long; 0 = 200 ms
    bool viewers;     // sc_live_view() may be called
    int quality;      // of the viewers' JPEG; 0 = 85
    struct sc_live_rung rungs[SC_LIVE_RUNGS]; // for sc_live_tap()
    int rung_count;
    sc_pool *pool; // of the stages; NULL = one of its own
    const char *trace_path;
    sc_log *log;
    // Called once, on a thread of the stream, when it has ended. It may signal, and calls nothing here.
    void (*on_end)(void *arg);
    void *arg;
};

typedef struct sc_live sc_live;

// Checks everything that can be known without the source. SC_EARG (err names the field: "input",
// "outputs", "camera", "width", .., or "url"), SC_EUNSUPPORTED, SC_EDENIED and others where `lines` cannot
// be written. On failure *plive is NULL. Does not wait for the source; outputs are opened with the first
// picture, and what fails then is their state.
int sc_live_open(sc_live **plive, const struct sc_live_params *params, sc_err *err);

// Ends it early but well: what is encoded is written. Returns at once.
void sc_live_stop(sc_live *live);
// Waits for the end, at most timeout_ms (< 0 = for ever). SC_OK: the source has ended, or it was stopped;
// SC_EAGAIN: it runs; else why it failed.
int sc_live_wait(sc_live *live, int timeout_ms, sc_err *err);
// Cuts what still runs. NULL and &NULL allowed.
void sc_live_close(sc_live **plive);

// --- state ------------------------------------------------------------------------------------

enum sc_live_phase {
    SC_LIVE_PHASE_STARTING,     // connecting to the source for the first time
    SC_LIVE_PHASE_RUNNING,      // pictures come
    SC_LIVE_PHASE_RECONNECTING, // they came, the source was lost
    SC_LIVE_PHASE_STOPPING,
    SC_LIVE_PHASE_ENDED, // at the source's end, or stopped
    SC_LIVE_PHASE_FAILED,
};
const char *sc_live_phase_name(enum sc_live_phase phase); // "starting", ...

struct sc_live_status {
    struct sc_pipeline_choice choice; // what its pictures run on, and why
    enum sc_live_phase phase;
    char reason[512];  // why it reconnects or failed, without secrets; ""
    int attempt;       // of reconnecting
    int64_t uptime_ns; // since open
    // The source's picture; zero before it is known.
    char codec[32];
    int width, height;
    double fps;
    bool sound, live;
    // What leaves.
    int out_width, out_height;
    double out_fps;     // over the last two seconds
    int64_t frames;     // decoded
    int64_t encoded;    // pictures encoded; without outputs: shown, or ready to be
    int64_t late;       // pictures left out because they were late
    int64_t reconnects; // of the source
    int64_t damaged;    // packets and pictures
    // Detection.
    int64_t detected;       // pictures that the model saw
    int64_t detect_late;    // results that came after their picture had gone on
    double detect_fps;      // over the last two seconds
    int64_t detect_p50_ns;  // from asking the model to its answer
    int objects;            // in the last picture
    int64_t objects_so_far; // ids given by the tracker
    // From arrival (or, paced, from a picture's turn) to encoded.
    int64_t latency_p50_ns, latency_p95_ns;
    int viewers; // of SC_LIVE_SHOWN
    int output_count;
    struct {
        char url[256]; // secrets hidden
        struct sc_live_output_info info;
    } outputs[SC_LIVE_OUTPUTS];
};
void sc_live_get_status(sc_live *live, struct sc_live_status *status);
// The graph's own figures; to be released.
void sc_live_get_graph_stats(sc_live *live, struct sc_graph_stats *stats);

// --- viewers ----------------------------------------------------------------------------------

typedef struct sc_live_viewer sc_live_viewer;

enum sc_live_view {
    SC_LIVE_SHOWN, // what leaves the stream
    // All that a camera has to choose from, small: at most 480 pixels on a side and 8 a second, with boxes,
    // and with the edges of what is shown.
    SC_LIVE_WIDE,
    SC_LIVE_VIEWS
};

// Each picture of a view as JPEG, made once for all its viewers. take() runs on a thread of the stream,
// must not block (a slow viewer skips pictures), and may keep a reference. NULL jpeg: the stream has
// ended; the last call. While it is not yet running nothing comes. SC_EUNSUPPORTED: params.viewers was not
// set. SC_EARG (field "view"): there is no camera.
int sc_live_view(sc_live *live, enum sc_live_view view, sc_live_viewer **pviewer,
                 void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns), void *arg,
                 sc_err *err);
// No call afterwards. Before the stream is closed; NULL and &NULL allowed. Not from take().
void sc_live_unview(sc_live_viewer **pviewer);

// --- encoded pictures for many ----------------------------------------------------------------

typedef struct sc_live_tap sc_live_tap;

// An encoded picture of a rung. Borrowed for the call; packet and found may be referenced.
struct sc_live_sample {
    sc_packet *packet; // Annex B or a VP8 frame; packet->key: decoding can start here
    int width, height; // of it
    // What is in it, or where tracks are expected; what a camera does not show is left out. NULL = nothing
    // known.
    sc_detections *found;
    // The picture that the boxes are in: what is shown, before it was brought down to this rung.
    int source_width, source_height;
    // What the camera shows, in pixels of the source's picture as displayed, and that one's size; 0 = there is
    // no camera.
    struct sc_crop crop;
    int wide_width, wide_height;
    bool detected;                     // `found` is the model's answer for this very picture
    const struct sc_live_model *model; // the stream's; without a batcher nothing is detected
    double threshold;   // items below it, and without a track, are not to be shown
    int64_t n;          // the frame's number in the stream
    int64_t pts_ns;     // on the stream's clock
    int64_t arrival_ns; // sc_clock_now() when it came to the stream
    int64_t ready_ns;   // when it was encoded and what is in it was known
};

// Where rungs are asked for there is SC_LIVE_SOUND too: Opus of 48 kHz, 20 ms a packet, on the clock of the
// pictures; its samples have packet and times only. Nothing comes where the source has no sound.
//
// Each encoded picture of a rung. As sc_live_view(): take() runs on a thread of the stream, must not block
// and calls nothing of the stream but sc_live_want_key() and sc_live_set_bitrate(); sample NULL: the
// stream has ended, the last call; who comes after the end is told at once. The first picture that is given
// is a keyframe, which is asked for, and made at once where nobody else taps the rung. Opening and closing wait
// for a take() under way. SC_EARG: there is no such rung.
int sc_live_tap_open(sc_live *live, int rung, sc_live_tap **ptap,
                     void (*take)(void *arg, const struct sc_live_sample *sample), void *arg,
                     sc_err *err);
// No call afterwards. Also after the stream was closed; NULL and &NULL allowed. Not from take().
void sc_live_tap_close(sc_live_tap **ptap);
// The rung's next picture is a keyframe, but not more than one in half a second: a wish that comes sooner is
// kept for so long. Any thread, also from take(); takes no locks. Nothing after the stream's end.
void sc_live_want_key(sc_live_tap *tap);
// The rung's bitrate from the next picture on, until nobody has tapped it for two seconds. With VP8 a change
// costs a keyframe, so small ones (5 %) are not made, nor more than one in two seconds. Any thread, also
// from take(); takes no locks. SC_EARG: outside of SC_LIVE_BITRATE_MIN..MAX.
int sc_live_set_bitrate(sc_live_tap *tap, int64_t bitrate);

struct sc_live_rung_figures {
    int taps;
    int width, height;             // 0 = never encoded
    int64_t bitrate;               // wanted
    int64_t pictures, keys, bytes; // so far
    double busy;                   // share of a core over the last two seconds
};
// SC_EARG: there is no such rung.
int sc_live_rung_get(sc_live *live, int rung, struct sc_live_rung_figures *figures);
