// An app without video: 25 pictures a second of made-up bytes. Everything that http calls is
// here, so that its tests need no decoder and can make anything fail.
#pragma once

#include "app/detections.h"

struct fake {
    // set by tests before use
    size_t picture_bytes; // of each picture
    int64_t delay_ns;     // before a picture that is not cached is there
    int64_t write_ns;     // each write of an upload takes this
    int write_ret;        // what writing an upload gives
    int finish_ret;       // what finishing an upload gives
    int picture_ret;      // what making a picture gives
    int busy;             // so many next pictures are refused with SC_EBUSY
    int detect_busy;      // so many next detections end with SC_EBUSY
    int detect_ret;       // what they give else
    // counted
    atomic_int open_uploads, aborted, finished, pictures;
    atomic_int detected, detect_cancelled;
    atomic_long written;
};
#include <stdatomic.h>
extern struct fake fake; // tests only: one app a process

// A video "clip" of so many frames is there at once.
int fake_app_open(sc_app **papp, int64_t frames);
void fake_app_close(sc_app **papp);
struct fake_runtime; // of its models
struct fake_runtime *fake_app_runtime(sc_app *app);

// Of its live streams: a run ends, a picture for all viewers, how many those are.
void fake_app_live_end(const char *id, int ret, const char *text);
void fake_app_picture(const char *id, const char *text, int64_t n);
int fake_app_viewers(void);
