// Which detection is which object: gives detections ids that stay with an object over time.
//
//   found in a picture, its time -> sc_tracker_update() -> the same list with `track` filled
//                                   sc_tracker_predict() -> where the tracks are at another time
//
// A track begins with a detection that no track explains, is confirmed when it was found often
// enough, and is dropped when it was not found for too long. Only confirmed tracks carry an id: from
// 1 up, never given twice by a tracker. Tracks of the first update, and of the first after a cut,
// are confirmed at once.
//
// Kinds, all with constant velocity and an optimal assignment:
//   ByteTrack  Zhang et al. 2022, arXiv:2110.06864: detections of low score may continue a track
//   OC-SORT    Cao et al. 2023, arXiv:2203.14360: observations correct the filter after a gap
//   SORT       Bewley et al. 2016, arXiv:1602.00763: the plain one, to compare with
// The first two also try boxes that are near each other without overlapping (Yang et al. 2023,
// arXiv:2211.14317), for what is small and fast.
// Where the papers count frames this counts time, in frames of 1/30 s, so steps may be uneven.
//
// No picture is looked at: whoever was hidden for long, or crosses somebody alike at low frame rate,
// may come back with another id.
//
// Thread-safety: an sc_tracker belongs to one thread at a time. No thread, no clock of its own.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vision/detection.h"

typedef struct sc_tracker sc_tracker;

enum sc_tracker_kind { SC_TRACKER_BYTETRACK, SC_TRACKER_OCSORT, SC_TRACKER_SORT };

// "bytetrack", "ocsort" or "sort"; valid for ever. NULL where kind is none of them.
const char *sc_tracker_kind_name(enum sc_tracker_kind kind);
// The kind of that name (any case), or SC_ENOTFOUND.
int sc_tracker_kind_find(const char *name);

// All zero is the kind's default, as published. Values out of their range are brought into it.
struct sc_tracker_params {
    enum sc_tracker_kind kind;
    double high;      // 0..1: detections of this score are matched first; 0 = 0.6
    double low;       // 0..1: those below continue no track; 0 = 0.1. SORT uses none below high
    double fresh;     // 0..1: score that begins a track; 0 = 0.7 for ByteTrack, else high
    double match;     // 0..1: least likeness (ByteTrack: IoU times score, else IoU) of a
                      // detection and a track; 0 = 0.2 for ByteTrack, else 0.3
    double match_low; // 0..1: least IoU for those below high; 0 = 0.5
    int64_t max_lost_ns; // a track not found for longer is dropped; 0 = 1 s; at most an hour
    int64_t coast_ns;    // predict() also gives tracks not found for up to this; 0 = only those
                         // of the last update
    int min_hits; // found this often in a row, it is confirmed; 0 = 2 for ByteTrack, else 3
    bool class_agnostic; // a track may change its class; else classes are tracked apart
};

// Objects beyond these are left out: the last ones of a list, new tracks. An update of so many that
// all overlap takes a fifth of a second, one of as many apart a few milliseconds.
#define SC_TRACKER_MOST 500

// Never NULL. params NULL = all zero.
sc_tracker *sc_tracker_open(const struct sc_tracker_params *params);
void sc_tracker_close(sc_tracker **ptracker); // NULL and &NULL allowed; writes NULL

// Takes what was found in the picture of time pts_ns (any zero; nanoseconds) and returns a copy of
// that list, in its order, with `track` set where the item belongs to a confirmed track, else 0.
// The caller's, NULL when memory is out (the tracks stay as they were). found should go down to
// score `low`: what is too weak to be shown may still be who was there a moment ago; items with a
// track are worth showing whatever their score. cut: the picture has nothing to do with the one
// before; all tracks end. So they do where pts_ns is before the last one. Boxes that are no boxes
// (not finite, empty, more than a million pixels away) get no track. Does not block.
sc_detections *sc_tracker_update(sc_tracker *tracker, const sc_detections *found,
                                 int64_t pts_ns, bool cut);

// The confirmed tracks of the last update (see coast_ns) moved to pts_ns, cut at the picture, those
// outside left out; by falling score (each the last seen). For pictures between detections: may be
// called often, changes nothing. Before the last update's time it is as at that time; beyond
// max_lost_ns after a track was found the track is left out. The caller's; NULL when memory is out.
sc_detections *sc_tracker_predict(const sc_tracker *tracker, int64_t pts_ns);

struct sc_tracker_stats {
    int64_t updates, ids;   // so far; ids given so far, the last one's number
    int64_t cuts, backs;    // updates that ended all tracks: by `cut`, by time going back
    int64_t left_out;       // detections that were no boxes or beyond the limit
    int found, lost, fresh; // tracks now: in the last update, not in it, not yet confirmed
};
void sc_tracker_get_stats(const sc_tracker *tracker, struct sc_tracker_stats *stats);
