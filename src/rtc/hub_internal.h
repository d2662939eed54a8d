// What a hub consists of.
#pragma once

#include <pthread.h>

#include "base/str.h"
#include "rtc/hub.h"
#include "rtc/ladder.h"

#define SC_HUB_RECENT   32 // pictures: more than half a second of most streams
#define SC_HUB_MESSAGES 64 // as many again: a channel opens within that time

struct sc_hub_recent {
    sc_packet *packet; // owned
    uint32_t timestamp;
};

struct sc_hub_message {
    uint32_t timestamp;
    sc_str text;
};

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
    struct sc_hub_recent recent[SC_HUB_RECENT]; // a keyframe and what came after it, or nothing
    int recent_count;
    int64_t key_ns;                                  // when that keyframe came
    struct sc_hub_message messages[SC_HUB_MESSAGES]; // of its last pictures, in a ring
    unsigned messages_made;
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
    int rung;            // that is sent; -1 = none yet
    int wanted;          // sent from its next keyframe on
    bool asked;          // a keyframe to begin with was wished for
    bool begun;          // something was sent,
    uint32_t timestamp;  // last with this RTP time
    bool listening;      // its data channel is open
    uint32_t told_until; // pictures up to this one need no message any more
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
};

// --- hub_recent.c: all under lock

bool sc_hub_is_young(const struct sc_hub_rung *rung); // one who joins now needs no keyframe
void sc_hub_keep(struct sc_hub_rung *rung, sc_packet *packet, uint32_t timestamp);
void sc_hub_forget(struct sc_hub_rung *rung);
// Sends what was kept, but for the last picture. False: there is nothing to begin with, or it is not taken.
bool sc_hub_catch_up(const struct sc_hub_rung *rung, sc_rtc_viewer *viewer);

// --- hub_messages.c: likewise

void sc_hub_describe(struct sc_hub_rung *rung, const struct sc_live_sample *sample,
                     uint32_t timestamp);
void sc_hub_begin(sc_rtc_viewer *viewer,
                  uint32_t timestamp);   // with this picture, if it has not
void sc_hub_tell(sc_rtc_viewer *viewer); // of what it was sent, once it listens
void sc_hub_release_messages(struct sc_hub_rung *rung);
