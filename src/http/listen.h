// The listening socket.
#pragma once

#include <stdbool.h>

#include "base/error.h"

// Does host name this machine only? Unresolvable names do not.
bool sc_listen_is_loopback(const char *host);
// Binds host:port (0 = any free one) and listens. *fd is the caller's, *real_port the port.
// SC_EARG (host), SC_EBUSY (port in use), SC_EDENIED, SC_EIO.
int sc_listen_open(const char *host, int port, int *fd, int *real_port, sc_err *err);
