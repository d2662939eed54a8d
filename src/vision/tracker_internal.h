// What the parts of the tracker share: `tracker` (life of tracks, lists in and out), `match` (passes
// that pair tracks with detections), and a file for each kind.
//
// Thread-safety: as the tracker.
#pragma once

#include "vision/kalman.h"
#include "vision/tracker.h"

#define SC_FRAME_NS (1e9 / 30) // the papers' unit of time
#define SC_RECENT   8          // observations kept of a track

struct sc_observation {
    struct sc_box box;
    int64_t pts_ns;
};

struct sc_track {
    int64_t id;                              // 0 = not confirmed
    int64_t born_ns;                         // its first observation
    struct sc_kalman filter;                 // as of the last observation
    struct sc_box ahead;                     // where it should be in this update
    struct sc_observation recent[SC_RECENT]; // ring
    int64_t observed;          // so far; the last is recent[(observed - 1) % SC_RECENT]
    double toward_x, toward_y; // OC-SORT: direction it goes, length 1; 0, 0 = unknown
    int hits;                  // updates in a row that found it
    int class;
    float score;
    int item;   // of this update's list that is it, -1 = none yet
    bool found; // in the last update
    bool ended; // goes at the end of this one
};

// A detection that takes part.
struct sc_found {
    struct sc_box box;
    double score;
    int class;
    int item; // of the list
    bool taken;
};

struct sc_tracker_ops {
    const char *name;
    enum sc_kalman_kind filter;
    struct sc_tracker_params params; // what 0 stands for; fresh is how far above high
    bool strict;                     // an unconfirmed track that is missed is dropped
    bool hold_size;                  // of lost tracks
    // Pairs tracks and detections of an update in passes, calls sc_tracker_pass().
    void (*associate)(sc_tracker *tracker);
    // Before the filter takes in the track's new box: may move it on. Returns how many frames the
    // filter is before the box. NULL = nothing to do.
    double (*observe)(sc_tracker *tracker, struct sc_track *track, const struct sc_box *box);
    // After the passes: another track is this object; NULL = never.
    bool (*is_double)(const sc_tracker *tracker, const struct sc_track *track);
};
extern const struct sc_tracker_ops sc_tracker_bytetrack, sc_tracker_ocsort, sc_tracker_sort;

struct sc_tracker {
    const struct sc_tracker_ops *ops;
    struct sc_tracker_params params; // with defaults filled in
    struct sc_track *tracks;
    struct sc_found *found; // of this update
    int track_count, found_count, track_room, found_room;
    int *rows, *columns, *column_of; // of a pass: tracks, detections, the answer
    double *gain;                    // of a pass
    void *work;
    size_t gain_size, work_size; // bytes
    int64_t pts_ns;              // of the last update
    int width, height;           // of the last picture
    bool started;                // there was an update since the start, a cut or a step back
    struct sc_tracker_stats stats;
};

static inline const struct sc_observation *sc_track_last(const struct sc_track *track)
{
    return &track->recent[(track->observed - 1) % SC_RECENT];
}

// How long the track has not been found, in this update.
static inline int64_t sc_track_lost_ns(const sc_tracker *tracker, const struct sc_track *track)
{
    return tracker->pts_ns - sc_track_last(track)->pts_ns;
}

static inline double sc_track_lost_frames(const sc_tracker *tracker,
                                          const struct sc_track *track)
{
    return (double)sc_track_lost_ns(tracker, track) / SC_FRAME_NS;
}

// --- match

double sc_box_iou(const struct sc_box *a, const struct sc_box *b);

// Who takes part in a pass, and the gain of a pair: 0 = must not be.
struct sc_tracker_pass {
    bool (*track)(const sc_tracker *tracker, const struct sc_track *track); // NULL = all
    double from, below;                                                     // scores
    double (*gain)(const sc_tracker *tracker, const struct sc_track *track,
                   const struct sc_found *found);
};
// Memory for the passes of an update of so many. SC_ENOMEM.
int sc_tracker_reserve(sc_tracker *tracker, int found);
// Pairs those that no pass before has paired, of one class unless classes do not matter.
void sc_tracker_pass(sc_tracker *tracker, const struct sc_tracker_pass *pass);
// Pairs what is left of confirmed tracks and strong detections where they are near each other
// without overlapping: small things that move fast, such as a ball when it is kicked.
void sc_tracker_pass_near(sc_tracker *tracker);

// --- tracker

void sc_track_hit(sc_tracker *tracker, struct sc_track *track, struct sc_found *found);
