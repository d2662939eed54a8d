// Encoded pictures that wait for what is found in them, since encoding and detecting go on side by side.
//
// Pictures and findings come in the order of their pts, either of them first. A picture leaves with the finding of
// its pts, or without one as soon as a later finding says that there is none. Findings without a picture go.
//
// Thread-safety: Unsafe; one owner.
#pragma once

#include "pipeline/live.h"

enum {
    SC_RUNG_WAIT_PICTURES = 512, // and the oldest leaves without
    SC_RUNG_WAIT_FINDINGS = 64,
};
#define SC_RUNG_WAIT_BYTES (16 << 20)

struct sc_rung_finding {
    int64_t pts_ns;
    sc_detections *found;
    bool detected;
};

// Zeroed, nothing waits.
struct sc_rung_wait {
    struct sc_live_sample *pictures; // a ring, made with the first
    struct sc_rung_finding findings[SC_RUNG_WAIT_FINDINGS];
    size_t first, count, bytes;
    size_t first_finding, finding_count;
};

// References the sample's packet; found and detected are not read.
void sc_rung_wait_put(struct sc_rung_wait *wait, const struct sc_live_sample *sample);
// References found, which may be NULL.
void sc_rung_wait_find(struct sc_rung_wait *wait, int64_t pts_ns, sc_detections *found,
                       bool detected);
// The next picture that waits for nothing, or, with `all`, the next. Its packet and found are the caller's
// references. False: there is none.
bool sc_rung_wait_take(struct sc_rung_wait *wait, bool all, struct sc_live_sample *sample);
void sc_rung_wait_clear(struct sc_rung_wait *wait);
