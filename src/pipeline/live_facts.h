// What the stages of a live stream tell each other and whoever asks how it goes.
//
// Each fact is written by one stage and read by anyone, under the lock; stages that need a fact to begin
// find it set before the first item that comes to them.
//
// Thread-safety: Safe by the functions here.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/codec_par.h>

#include "media/live_input.h"

// How often something happened of late.
struct sc_rate_meter {
    int64_t first_ns; // of the slots
    int counts[8];    // a quarter of a second each, a ring
    int64_t slot;     // the current one's number since first_ns
};
void sc_rate_meter_add(struct sc_rate_meter *meter, int64_t now_ns, int count);
// A second, over about the last two.
double sc_rate_meter_get(struct sc_rate_meter *meter, int64_t now_ns);

#define SC_LIVE_LAST 256

struct sc_live_facts {
    atomic_bool stopping; // the source is to end, well
    atomic_bool want_key; // an output needs an entry point

    pthread_mutex_t lock;
    // By the input.
    enum sc_live_state source;
    char reason[512]; // why it was lost, without secrets; "" again once it is back
    int attempt;
    int source_ret; // why the source ended for good; SC_OK = at its end
    sc_live_streams *streams;
    AVCodecParameters *sound; // the outputs': of the first streams; NULL = none
    int64_t reconnects, damaged_packets;
    // By the decoder.
    int64_t frames, damaged, thinned;
    int width, height;
    bool running; // a picture came since the source was last lost
    // By the encoder, or where there is none, by the viewers' stage, or the first rung's.
    AVCodecParameters *video; // what it makes
    int out_width, out_height;
    AVRational out_rate; // 0/x = unknown
    int64_t encoded;
    int64_t took_ns
        [SC_LIVE_LAST]; // from arrival to encoded, of the last pictures: a ring by encoded
    struct sc_rate_meter encoding;
};

void sc_live_facts_init(struct sc_live_facts *facts);
void sc_live_facts_release(struct sc_live_facts *facts);
// A picture of this age has left.
void sc_live_facts_count(struct sc_live_facts *facts, int64_t born_ns);
// And it is this large.
void sc_live_facts_show(struct sc_live_facts *facts, int width, int height, int64_t born_ns);
// Of the source; 0/1 = unknown.
AVRational sc_live_facts_rate(struct sc_live_facts *facts);
// Of what is encoded; 0/x = unknown.
AVRational sc_live_facts_out_rate(struct sc_live_facts *facts);
// Copies; NULL where the fact is not known. The caller's (avcodec_parameters_free).
AVCodecParameters *sc_live_facts_video(struct sc_live_facts *facts);
AVCodecParameters *sc_live_facts_sound(struct sc_live_facts *facts);
