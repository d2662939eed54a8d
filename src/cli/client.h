// A small HTTP client for the commands that use a server as people do. On libcurl.
//
// Thread-safety: Unsafe; one thread.
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

typedef struct sc_client sc_client;

struct sc_reply {
    int status;     // HTTP status
    sc_str body;    // at most 64 MiB
    sc_str headers; // as they came
    double seconds; // from request to last byte
};
void sc_client_release(struct sc_reply *reply);
// The value of a response header into buf, "" if it is not there. Returns buf.
const char *sc_client_header(const struct sc_reply *reply, const char *name, char *buf,
                             size_t size);

// base: "http://127.0.0.1:8000"; token "" = none. NULL when libcurl cannot start.
sc_client *sc_client_open(const char *base, const char *token);
void sc_client_close(sc_client **pclient);

// SC_OK with any HTTP status; SC_EIO with err when there was no answer.
int sc_client_get(sc_client *client, const char *path, struct sc_reply *reply, sc_err *err);
int sc_client_post_json(sc_client *client, const char *path, const char *json,
                        struct sc_reply *reply, sc_err *err);
// Sends a file as the body. progress (NULL allowed) gets 0..1.
int sc_client_upload(sc_client *client, const char *path, const char *file,
                     void (*progress)(void *arg, double fraction), void *arg,
                     struct sc_reply *reply, sc_err *err);
