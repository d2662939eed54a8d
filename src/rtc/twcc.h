// Transport-wide numbers: each packet that leaves gets one, whatever stream it is of, and the other side tells when
// those numbers arrived (draft-holmer-rmcat-transport-wide-cc-extensions-01). Read by rtc/estimate.h.
//
// Thread-safety: Unsafe; one owner. No clock of its own.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "rtc/peer.h"

#define SC_TWCC_SENT    2048 // packets remembered: more than a second of 16 Mbit/s
#define SC_TWCC_WRAP_NS (INT64_C(64000000) << 24) // the other side's clock: 24 bits of 64 ms

// An embedded value, all zero to begin with; nothing needs to be released.
struct sc_twcc {
    struct {
        int64_t sent_ns;  // 0 = none
        int size;         // bytes
    } sent[SC_TWCC_SENT]; // by number
    uint16_t next;        // number
};

// The number of a packet that leaves now; it wraps. size: what it counts for, in bytes, > 0; now_ns > 0.
uint16_t sc_twcc_sent(struct sc_twcc *twcc, int size, int64_t now_ns);

// What feedback tells of our packets, in the order of sending; of those that were not sent, or are no longer
// remembered, nothing. arrived_ns: 0 <= arrived_ns < SC_TWCC_WRAP_NS, where it begins anew, maybe among these packets.
// Feedback may overlap: packets that were told of are told of again.
// fci: as sc_rtcp_events.on_twcc has it. Returns the count, at most `most`, what is beyond that is left out;
// SC_TWCC_SENT are always enough. < 0: malformed, arrivals mean nothing.
int sc_twcc_read(const struct sc_twcc *twcc, const uint8_t *fci, size_t size,
                 struct sc_rtc_arrival *arrivals, int most);
