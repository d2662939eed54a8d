// Takes connections from a listening socket, on a thread of its own.
//
// libmicrohttpd could listen itself, but cannot stop listening while it goes on answering: its
// MHD_quiesce_daemon() races with its epoll threads and then aborts the process.
//
// Thread-safety: open and close on one thread.
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"

typedef struct sc_acceptor sc_acceptor;

struct sc_acceptor_params {
    int fd; // listening, not blocking; closed by sc_acceptor_close()
    // Is there room for one more? While not, clients wait in the kernel's queue. NULL = always.
    bool (*room)(void *arg);
    // A connection, which is the callee's.
    void (*take)(void *arg, int fd, const struct sockaddr *addr, socklen_t size);
    void *arg;
};

// SC_ENOMEM: no thread or descriptor; fd is still the caller's then.
int sc_acceptor_open(sc_acceptor **pacceptor, const struct sc_acceptor_params *params,
                     sc_err *err);
// No callback runs afterwards, and clients are refused. NULL and &NULL allowed.
void sc_acceptor_close(sc_acceptor **pacceptor);
