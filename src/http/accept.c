#include "http/accept.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/mem.h"

#define PAUSE_MS 10 // until it looks again for room, or for descriptors

struct sc_acceptor {
    struct sc_acceptor_params params;
    sc_cancel *cancel;
    pthread_t thread;
};

// Waits for a client or the end; where nobody can be taken, for the end only and not long.
static void wait_for_client(const sc_acceptor *acceptor, bool can_take)
{
    struct pollfd fds[] = {{.fd = sc_cancel_fd(acceptor->cancel), .events = POLLIN},
                           {.fd = acceptor->params.fd, .events = POLLIN}};
    (void)poll(fds, can_take ? 2 : 1, can_take ? -1 : PAUSE_MS);
}

// False where the machine has no descriptor or memory for another one.
static bool take_one(const sc_acceptor *acceptor)
{
    struct sockaddr_storage addr;
    socklen_t size = sizeof(addr);
    int fd = accept4(acceptor->params.fd, (struct sockaddr *)&addr, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        acceptor->params.take(acceptor->params.arg, fd, (struct sockaddr *)&addr, size);
    return fd >= 0 ||
           (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM);
}

static void *accept_thread(void *arg)
{
    const sc_acceptor *acceptor = arg;
    const struct sc_acceptor_params *p = &acceptor->params;
    bool able = true;
    while (!sc_cancel_requested(acceptor->cancel)) {
        bool room = !p->room || p->room(p->arg);
        wait_for_client(acceptor, room && able);
        if (room && !sc_cancel_requested(acceptor->cancel))
            able = take_one(acceptor);
    }
    return NULL;
}

int sc_acceptor_open(sc_acceptor **pacceptor, const struct sc_acceptor_params *params,
                     sc_err *err)
{
    sc_acceptor *acceptor = sc_new(sc_acceptor);
    acceptor->params = *params;
    acceptor->cancel = sc_cancel_new(NULL);
    *pacceptor = NULL;
    if (sc_cancel_fd(acceptor->cancel) < 0 ||
        pthread_create(&acceptor->thread, NULL, accept_thread, acceptor)) {
        sc_cancel_free(&acceptor->cancel);
        free(acceptor);
        return sc_fail(err, SC_ENOMEM, "no thread to accept connections could be started");
    }
    pthread_setname_np(acceptor->thread, "accept");
    *pacceptor = acceptor;
    return SC_OK;
}

void sc_acceptor_close(sc_acceptor **pacceptor)
{
    sc_acceptor *acceptor = pacceptor ? *pacceptor : NULL;
    if (!acceptor)
        return;
    *pacceptor = NULL;
    sc_cancel_request(acceptor->cancel);
    pthread_join(acceptor->thread, NULL);
    close(acceptor->params.fd);
    sc_cancel_free(&acceptor->cancel);
    free(acceptor);
}
