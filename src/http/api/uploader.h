// A video on its way from a connection to the disk, as a raw body or a form.
//
// When the client goes, the upload is aborted and nothing is left.
//
// Thread-safety: called on the request's I/O thread.
#pragma once

#include "http/api/body.h"

struct sc_uploader_params {
    const char *field; // the form's file field
    const char *id;    // from the query, NULL = from the form, else a random one
    const char *name;  // likewise
    void (*reply)(sc_request *req, sc_video *video); // success; runs on the pool
};

// The endpoints' begin(); data() and handle() are those of http/api/body.h.
void sc_uploader_begin(sc_request *req, const struct sc_uploader_params *params);
