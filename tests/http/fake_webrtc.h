// WebRTC by script: one stream "door" that can be watched, one "inlet" that takes a source, one session at a time.
#pragma once

#include "app/webrtc.h"

#define FAKE_SESSION "0123456789abcdef0123456789abcdef"

struct fake_webrtc {
    // set by tests before use
    bool off;          // the app has none
    bool missing;      // GStreamer is
    int ret;           // what the next calls give
    const char *field; // of that error; NULL = none
    // told
    bool session;
    char etag[17];
    char said[300]; // the last offer or fragment
    int offers, fragments;
};
extern struct fake_webrtc fake_webrtc;
