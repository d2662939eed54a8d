// SRTP of one connection (RFC 3711), by libsrtp: what leaves is encrypted and signed in place, reports that come are
// checked and decrypted.
//
// Thread-safety: one thread at a time a direction: sc_srtp_protect() and sc_srtp_protect_report() are one,
// sc_srtp_open_report() is the other.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct sc_srtp sc_srtp;

#define SC_SRTP_KEY   30 // bytes: an AES-128 key and its salt, as DTLS gives them (RFC 5764)
#define SC_SRTP_EXTRA 20 // bytes that a packet grows by at most: index and tag

struct sc_srtp_keys {
    uint8_t out[SC_SRTP_KEY], in[SC_SRTP_KEY];
    bool short_tag; // RTP packets are signed by 32 bits instead of 80
};
int sc_srtp_open(sc_srtp **psrtp, const struct sc_srtp_keys *keys, sc_err *err); // SC_EINTERNAL
void sc_srtp_close(sc_srtp **psrtp); // NULL and &NULL allowed

// *size grows; there must be room for SC_SRTP_EXTRA behind. False: it must not be sent.
bool sc_srtp_protect(sc_srtp *srtp, uint8_t *packet, size_t *size);
bool sc_srtp_protect_report(sc_srtp *srtp, uint8_t *report, size_t *size);
// RTCP as it came. *size shrinks. False: it is not from the other side, was here before, or is of one SSRC too many.
bool sc_srtp_open_report(sc_srtp *srtp, uint8_t *report, size_t *size);
