// A resumable download over HTTP or HTTPS into a file. On libcurl.
//
// What arrived stays in the file when a download ends early; the next one asks for the rest only if
// the server still has the same version (If-Range with its ETag or Last-Modified, kept beside the
// file as PATH.json), else begins anew. Certificates are checked (against the system's authorities,
// or those in the file that SSL_CERT_FILE names), redirects bounded, and none of them leads from
// HTTPS to HTTP or out of HTTP.
//
// Thread-safety: Unsafe; one thread. Two processes: the second gets SC_EBUSY.
#pragma once

#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"

struct sc_download_params {
    const char *url;
    const char *path;  // of the file
    int64_t max_size;  // bytes
    int stall_s;       // gives up after so many seconds without a byte; 0 = 30
    int retries;       // after cuts, stalls and 5xx; each goes on where the one before ended
    sc_cancel *cancel; // may be NULL
    void (*progress)(void *arg, double fraction); // may be NULL; only where the size is known
    void *progress_arg;
};

struct sc_download_result {
    int64_t size;    // bytes of the whole file
    int64_t resumed; // bytes that were there before, 0 = began anew
};

// SC_OK: PATH is complete and on disk; what it contains is the caller's to check. SC_EARG (address),
// SC_ENOTFOUND (host, 404), SC_EDENIED (401, 403, certificate), SC_ELIMIT (max_size; the file is
// removed), SC_ENOSPACE, SC_ETIMEOUT, SC_EBUSY, SC_ECANCELLED, SC_EIO. Blocks.
int sc_download(const struct sc_download_params *params, struct sc_download_result *result,
                sc_err *err);
// Removes PATH and PATH.json.
void sc_download_remove(const char *path);
