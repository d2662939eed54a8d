#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct addrinfo *resolve(const char *host, int port)
{
    char service[8];
    snprintf(service, sizeof(service), "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    return getaddrinfo(host[0] ? host : NULL, service, &hints, &found) ? NULL : found;
}

static bool is_loopback(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24 == 127;
    return addr->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

bool sc_listen_is_loopback(const char *host)
{
    struct addrinfo *found = resolve(host, 0);
    bool loopback = found != NULL;
    for (struct addrinfo *a = found; a; a = a->ai_next)
        loopback &= is_loopback(a->ai_addr);
    if (found)
        freeaddrinfo(found);
    return loopback;
}

static int port_of(int fd)
{
    struct sockaddr_storage addr = {0};
    socklen_t size = sizeof(addr);
    if (getsockname(fd, (struct sockaddr *)&addr, &size))
        return -1;
    // getsockname() has filled in what the family says. NOLINTNEXTLINE(clang-analyzer-core.*)
    return ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                            : ((struct sockaddr_in *)&addr)->sin_port);
}

static int refuse(const char *host, int port, int errnum, sc_err *err)
{
    if (errnum == EADDRINUSE)
        return sc_fail_field(err, SC_EBUSY, "port",
                             "port %d on %s is in use by another program; choose another with "
                             "--port",
                             port, host);
    int ret = sc_error_from_errno(errnum);
    return sc_fail_field(err, ret == SC_EARG ? SC_EIO : ret, "port",
                         "cannot listen on %s port %d: %s", host, port, strerror(errnum));
}

int sc_listen_open(const char *host, int port, int *fd, int *real_port, sc_err *err)
{
    struct addrinfo *addr = resolve(host, port);
    if (!addr)
        return sc_fail_field(err, SC_EARG, "host", "%s is no address of this machine", host);
    int on = 1, ret = SC_OK;
    *fd = socket(addr->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(*fd, addr->ai_addr, addr->ai_addrlen) || listen(*fd, 1024)) {
        ret = refuse(host, port, errno, err);
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
    } else {
        *real_port = port_of(*fd);
    }
    freeaddrinfo(addr);
    return ret;
}
