#include "rtc/sender.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rtc/peer_internal.h"

struct sc_rtc_sender {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    // Under lock.
    bool stop;
    sc_rtc_peer *first; // those that wait, by no order, each with a reference
};

// Under lock. The reference goes along.
static void add(sc_rtc_sender *sender, sc_rtc_peer *peer, int64_t due_ns)
{
    peer->turn.due_ns = due_ns;
    peer->turn.waits = true;
    peer->turn.next = sender->first;
    sender->first = peer;
}

void sc_rtc_sender_wake(sc_rtc_sender *sender, sc_rtc_peer *peer)
{
    pthread_mutex_lock(&sender->lock);
    if (peer->turn.waits)
        peer->turn.due_ns = 0;
    else
        add(sender, sc_rtc_peer_ref(peer), 0);
    pthread_cond_signal(&sender->changed);
    pthread_mutex_unlock(&sender->lock);
}

// Takes those out that are due; *pnext: when the first of the others is. Under lock.
static sc_rtc_peer *take_due(sc_rtc_sender *sender, int64_t now, int64_t *pnext)
{
    sc_rtc_peer *due = NULL;
    *pnext = INT64_MAX;
    for (sc_rtc_peer **at = &sender->first; *at;) {
        sc_rtc_peer *peer = *at;
        if (peer->turn.due_ns > now) {
            *pnext = peer->turn.due_ns < *pnext ? peer->turn.due_ns : *pnext;
            at = &peer->turn.next;
            continue;
        }
        *at = peer->turn.next;
        peer->turn.waits = false;
        peer->turn.after = due;
        due = peer;
    }
    return due;
}

// Who was woken meanwhile waits already.
static void serve(sc_rtc_sender *sender, sc_rtc_peer *peer)
{
    int64_t due = sc_rtc_peer_serve(peer);
    pthread_mutex_lock(&sender->lock);
    bool again = due && !peer->turn.waits;
    if (again)
        add(sender, peer, due);
    pthread_mutex_unlock(&sender->lock);
    if (!again)
        sc_rtc_peer_unref(&peer);
}

static void *run(void *arg)
{
    sc_rtc_sender *sender = arg;
    int64_t next;
    pthread_mutex_lock(&sender->lock);
    while (!sender->stop) {
        sc_rtc_peer *due = take_due(sender, sc_clock_now(), &next);
        if (!due && next == INT64_MAX)
            pthread_cond_wait(&sender->changed, &sender->lock);
        else if (!due)
            sc_clock_wait(&sender->changed, &sender->lock, next);
        pthread_mutex_unlock(&sender->lock);
        while (due) {
            sc_rtc_peer *peer = due;
            due = peer->turn.after;
            serve(sender, peer);
        }
        pthread_mutex_lock(&sender->lock);
    }
    pthread_mutex_unlock(&sender->lock);
    return NULL;
}

int sc_rtc_sender_open(sc_rtc_sender **psender, sc_err *err)
{
    sc_rtc_sender *sender = sc_new(sc_rtc_sender);
    pthread_mutex_init(&sender->lock, NULL);
    sc_clock_init_cond(&sender->changed);
    if (pthread_create(&sender->thread, NULL, run, sender) == 0) {
        *psender = sender;
        return SC_OK;
    }
    pthread_cond_destroy(&sender->changed);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
    *psender = NULL;
    return sc_fail(err, SC_EINTERNAL, "no thread can be made");
}

void sc_rtc_sender_close(sc_rtc_sender **psender)
{
    sc_rtc_sender *sender = psender ? *psender : NULL;
    if (!sender)
        return;
    *psender = NULL;
    pthread_mutex_lock(&sender->lock);
    sender->stop = true;
    pthread_cond_signal(&sender->changed);
    pthread_mutex_unlock(&sender->lock);
    pthread_join(sender->thread, NULL);
    for (sc_rtc_peer *peer = sender->first, *next; peer; peer = next) {
        next = peer->turn.next;
        sc_rtc_peer_unref(&peer);
    }
    pthread_cond_destroy(&sender->changed);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}
