// A video on its way from a connection to the disk.
//
// The I/O thread copies body bytes into one of two buffers; a pool task writes the other one
// (raw, or through the multipart parser). When both are full the connection is suspended until
// the writer has caught up, so memory is bounded and a slow disk slows its own client only.
// When the client goes, the upload is aborted and nothing is left.
//
// Thread-safety: the functions are called on the request's I/O thread.
#pragma once

#include "http/request.h"

struct sc_uploader_params {
    const char *field; // the form's file field
    const char *id;    // from the query, NULL = from the form, else a random one
    const char *name;  // likewise
    void (*reply)(sc_request *req, sc_video *video); // success; runs on the pool
};

// The endpoints' begin(), data() and handle().
void sc_uploader_begin(sc_request *req, const struct sc_uploader_params *params);
size_t sc_uploader_data(sc_request *req, const char *data, size_t size);
void sc_uploader_finish(sc_request *req);
