#include "base/cancel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct sc_cancel {
    atomic_bool requested; // written under the tree's lock, read anywhere

    sc_cancel *parent;     // immutable after init
    pthread_mutex_t *lock; // the root's tree_lock; immutable after init
    pthread_mutex_t tree_lock;

    // under lock
    sc_cancel *children; // linked by next
    sc_cancel *prev, *next;
    int fd;                // -1 = none yet
    void (*fn)(void *arg); // NULL = nobody is told
    void *arg;
};

// Links cancel into its parent's tree; the lock is held.
static void link_child(sc_cancel *cancel, sc_cancel *parent)
{
    cancel->next = parent->children;
    if (cancel->next)
        cancel->next->prev = cancel;
    parent->children = cancel;
    atomic_store(&cancel->requested, atomic_load(&parent->requested));
}

static void unlink_child(sc_cancel *cancel)
{
    if (cancel->prev)
        cancel->prev->next = cancel->next;
    else
        cancel->parent->children = cancel->next;
    if (cancel->next)
        cancel->next->prev = cancel->prev;
}

sc_cancel *sc_cancel_new(sc_cancel *parent)
{
    sc_cancel *cancel = sc_new(sc_cancel);
    cancel->fd = -1;
    cancel->parent = parent;
    pthread_mutex_init(&cancel->tree_lock, NULL);
    cancel->lock = parent ? parent->lock : &cancel->tree_lock;
    if (parent) {
        pthread_mutex_lock(cancel->lock);
        link_child(cancel, parent);
        pthread_mutex_unlock(cancel->lock);
    }
    return cancel;
}

void sc_cancel_free(sc_cancel **pcancel)
{
    sc_cancel *cancel = pcancel ? *pcancel : NULL;
    if (!cancel)
        return;
    *pcancel = NULL;
    pthread_mutex_lock(cancel->lock);
    sc_require(!cancel->children);
    if (cancel->parent)
        unlink_child(cancel);
    pthread_mutex_unlock(cancel->lock);
    if (cancel->fd >= 0)
        close(cancel->fd);
    pthread_mutex_destroy(&cancel->tree_lock);
    free(cancel);
}

// Trees are shallow (server, request, work): recursion is bounded by their depth.
static void mark(sc_cancel *cancel)
{
    bool first = !atomic_exchange(&cancel->requested, true);
    if (first && cancel->fd >= 0)
        eventfd_write(cancel->fd, 1);
    if (first && cancel->fn)
        cancel->fn(cancel->arg);
    for (sc_cancel *child = cancel->children; child; child = child->next)
        mark(child);
}

void sc_cancel_request(sc_cancel *cancel)
{
    if (!cancel)
        return;
    pthread_mutex_lock(cancel->lock);
    mark(cancel);
    pthread_mutex_unlock(cancel->lock);
}

bool sc_cancel_requested(const sc_cancel *cancel)
{
    return cancel && atomic_load(&cancel->requested);
}

void sc_cancel_on_request(sc_cancel *cancel, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(cancel->lock);
    sc_require(!cancel->fn || !fn);
    cancel->fn = fn;
    cancel->arg = arg;
    if (fn && atomic_load(&cancel->requested))
        fn(arg);
    pthread_mutex_unlock(cancel->lock);
}

int sc_cancel_fd(sc_cancel *cancel)
{
    if (!cancel)
        return -1;
    pthread_mutex_lock(cancel->lock);
    if (cancel->fd < 0)
        cancel->fd = eventfd(atomic_load(&cancel->requested), EFD_CLOEXEC | EFD_NONBLOCK);
    int fd = cancel->fd;
    pthread_mutex_unlock(cancel->lock);
    return fd;
}
