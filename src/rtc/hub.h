// The viewers of one stream: one encoding of each rung for all of them.
//
//   live stream -> rungs (encoded only while somebody is on them) -> hub -> a peer each
//                  sound (likewise) ---------------------------------/
//
// A viewer is put on a rung, follows its ladder (rtc/ladder.h), and changes at a keyframe of the new rung, with RTP
// time going on. Keyframes are wished for when somebody joins, changes, or lost too much; the stream makes one of
// wishes within half a second. Who joins within that time gets what came since the last one at once, and causes
// none. The rate of a rung is moved within its bounds by the best of its viewers.
// Who is gone is reported once, and is removed by whoever owns it.
//
// Detections go to each viewer's data channel as JSON, one message a picture; those of pictures that were sent
// before the channel was open follow when it is, the last 64 or 32 kB of them:
//   {"rtp":123456,"n":42,"t":1.4,"age_ms":12.5,"width":1280,"height":720,"detected":true,"detections":[{..}, ..]}
// With a camera there is "crop":[x,y,w,h],"crop_of":[width,height] too: what it shows, in pixels of the source's
// picture as displayed, and that one's size. Boxes are in pixels of what is shown.
// rtp is the timestamp of the picture (requestVideoFrameCallback's rtpTimestamp), age_ms how long it was in the
// server, the rest as everywhere.
//
// When the stream starts anew, viewers stay: they see its first keyframe next.
//
// Thread-safety: Safe, except that close comes last.
#pragma once

#include "base/error.h"
#include "pipeline/live.h"
#include "rtc/estimate.h"
#include "rtc/peer.h"

typedef struct sc_rtc_hub sc_rtc_hub;
typedef struct sc_rtc_viewer sc_rtc_viewer;

// Where encoded pictures come from: a live stream, or a script in tests. As the functions of
// pipeline/live.h; a tap is the source's own.
struct sc_rtc_source {
    int (*tap)(void *arg, int rung, void **ptap,
               void (*take)(void *arg, const struct sc_live_sample *sample), void *take_arg,
               sc_err *err);
    void (*untap)(void *arg, void *tap);
    void (*want_key)(void *arg, void *tap);
    int (*set_bitrate)(void *arg, void *tap, int64_t bitrate);
    void *arg;
};

struct sc_rtc_hub_params {
    sc_rtc *rtc;                        // outlives the hub, as the rest
    const struct sc_rtc_source *source; // copied
    const struct sc_live_rung *rungs;   // copied; the highest first, VP8 last
    int rung_count;
    int most; // viewers; 0 = no limit
    // There is something for sc_rtc_hub_step() to do. Any thread; signals only.
    void (*wake)(void *arg);
    void *arg;
};
sc_rtc_hub *sc_rtc_hub_open(const struct sc_rtc_hub_params *params); // never NULL
// All viewers were removed.
void sc_rtc_hub_close(sc_rtc_hub **phub);

// Opens and closes taps, changes bitrates, tells who has gone. To be called after wake() and five times a
// second while there are viewers, by one thread at a time. Does not block for long.
void sc_rtc_hub_step(sc_rtc_hub *hub);

struct sc_rtc_viewer_params {
    const sc_rtc_offer *offer;
    bool sound; // the stream has some: it is sent to who offers to take it
    // The viewer has gone by itself: once, from sc_rtc_hub_step().
    void (*on_gone)(void *arg, const char *reason);
    void *arg;
};
// Blocks as sc_rtc_peer_open(). SC_EBUSY: as many viewers as there may be. SC_EUNSUPPORTED: no codec in common.
int sc_rtc_hub_add(sc_rtc_hub *hub, sc_rtc_viewer **pviewer, char **answer,
                   const struct sc_rtc_viewer_params *params, sc_err *err);
// By the thread that steps. NULL and &NULL allowed.
void sc_rtc_hub_remove(sc_rtc_viewer **pviewer);
sc_rtc_peer *sc_rtc_viewer_peer(sc_rtc_viewer *viewer); // as long as the viewer

struct sc_rtc_viewer_stats {
    struct sc_rtc_peer_stats peer;
    struct sc_rtc_estimate_info link;
    int rung, switches; // rung -1: none yet
    int width, height;
    bool starved;
};
void sc_rtc_viewer_get_stats(sc_rtc_viewer *viewer, struct sc_rtc_viewer_stats *stats);
int sc_rtc_hub_viewers(sc_rtc_hub *hub); // how many there are
