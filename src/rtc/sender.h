// The threads that let packets leave: each has many peers, serves those that have something due, and sleeps until the
// next is. Internal to this folder.
//
// Thread-safety: Safe, except that close comes last.
#pragma once

#include "base/error.h"
#include "rtc/peer.h"

typedef struct sc_rtc_sender sc_rtc_sender;

int sc_rtc_sender_open(sc_rtc_sender **psender,
                       sc_err *err);               // SC_EINTERNAL: no thread can be made
void sc_rtc_sender_close(sc_rtc_sender **psender); // NULL and &NULL allowed
// The peer has something to send, or asks to be looked at: sc_rtc_peer_serve() is called soon. It may be closed
// meanwhile.
void sc_rtc_sender_wake(sc_rtc_sender *sender, sc_rtc_peer *peer);
