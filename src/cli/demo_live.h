// The demo's last part: the clip as a live stream, with what a model finds in it.
#pragma once

#include "cli/client.h"

#define SC_DEMO_STREAM "match-live"

struct sc_demo_live {
    sc_client *client;
    const char *video; // id; it plays over and over
    const char *model;
    bool json;
};

// Starts the stream SC_DEMO_STREAM, waits for its first pictures and prints how it goes. Blocks for
// some seconds. *pstarted: whether the stream is there now; a server that cannot run the model is told
// of and is no failure. *pfailures grows where no picture came. SC_EIO: a request failed.
int sc_demo_live(const struct sc_demo_live *live, bool *pstarted, int *pfailures, sc_err *err);
