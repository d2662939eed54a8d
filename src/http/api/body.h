// A large body on its way from a connection to somebody who blocks, such as a disk.
//
// The I/O thread copies body bytes into one of two buffers; a pool task hands the other one on. When
// both are full the connection is suspended until the task has caught up, so memory is bounded and
// a slow disk slows its own client only.
//
// Thread-safety: the functions are called on the request's I/O thread.
#pragma once

#include "http/request.h"

// Where the bytes go. Called on the pool, one at a time.
struct sc_body_sink {
    // The next bytes. After a failure nothing more comes but release.
    int (*write)(void *arg, const char *data, size_t size, sc_err *err);
    // The whole body was there: replies.
    void (*end)(void *arg, sc_request *req);
    // Removes what is unfinished, and frees arg: the request is over, however it ended.
    void (*release)(void *arg);
    // After a failed write and before the client is told: removes what is unfinished.
    void (*abort)(void *arg);
};

// Takes arg over. A 503 is replied where memory is out. What begin() of an endpoint ends with.
void sc_body_begin(sc_request *req, const struct sc_body_sink *sink, void *arg);
// The endpoint's data() and handle().
size_t sc_body_data(sc_request *req, const char *data, size_t size);
void sc_body_finish(sc_request *req);
