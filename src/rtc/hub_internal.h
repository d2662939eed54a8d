// What a hub consists of.
#pragma once

#include <pthread.h>

#include "base/str.h"
#include "rtc/hub.h"
#include "rtc/ladder.h"

struct sc_hub_rung {
    // Immutable.
    sc_rtc_hub *hub;
    struct sc_live_rung params;
    // The stepping thread's.
    void *tap;      // NULL: nobody is on it, or the stream does not run
    int64_t try_ns; // not tapped again before
    int64_t rate;   // that the encoder was last told; 0 = the rung's own
    int64_t rate_ns;
    // Under hub->lock.
    int users;     // viewers that get it, and those that wait for its keyframe
    bool over;     // the run has ended
    bool want_key; // to be passed on
    int width, height;
};

struct sc_rtc_viewer {
    // Immutable once it is listed.
    sc_rtc_hub *hub;
    sc_rtc_peer *peer;
    void (*on_gone)(void *arg, const char *reason);
    void *arg;
    int first_rung; // of its codec
    bool sound;     // it takes some
    // Under hub->lock.
    sc_rtc_viewer *next, *prev;
    bool listed;
    bool connected;
    bool gone, told; // its peer has gone; its owner knows
    char reason[128];
    int rung;           // that is sent; -1 = none yet
    int wanted;         // sent from its next keyframe on
    bool begun;         // something was sent,
    uint32_t timestamp; // last with this RTP time
    int switches;
    int64_t heard_ns; // of its last feedback; 0 = none yet
    sc_rtc_estimate *estimate;
    struct sc_rtc_estimate_info link;
    struct sc_rtc_ladder ladder;
};

struct sc_rtc_hub {
    // Immutable.
    struct sc_rtc_hub_params params;
    struct sc_rtc_source source;
    int rung_count;

    pthread_mutex_t lock;                        // never held over a call into the stream
    struct sc_hub_rung rungs[SC_LIVE_RUNGS + 1]; // SC_LIVE_SOUND is the last
    // Under lock.
    sc_rtc_viewer *first;
    int count;          // of viewers, those that are being opened included
    bool fresh;         // the next picture is the first one of a run
    int64_t base, last; // RTP ticks of pictures: of the run's zero; of the last one
    int64_t stamped_ns; // when that was
    sc_str text;        // for take()
};
