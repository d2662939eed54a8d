// Peers by script in the place of rtc/peer.c: what is sent is written down, events come when the test says so.
#pragma once

#include "rtc/peer.h"

#define FAKE_SENT 4096

struct sc_rtc_peer {
    struct sc_rtc_events events;
    enum sc_rtc_codec codec;
    bool full; // its queue takes nothing
    int count;
    struct {
        bool key;
        uint32_t timestamp;
        int rung; // the packet's first byte
    } sent[FAKE_SENT];
    bool open; // its data channel
    int texts;
    char text[2000]; // the last one
    int64_t pace, rate, estimate;
};

// How many are open, and what the next open() gives.
extern int fake_peers, fake_peer_ret;

void fake_connect(sc_rtc_peer *peer);
void fake_open_channel(sc_rtc_peer *peer);
void fake_leave(sc_rtc_peer *peer, const char *reason);
