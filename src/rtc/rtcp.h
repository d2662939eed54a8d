// RTCP of one who sends: what comes in is told by callbacks, sender reports go out (RFC 3550; feedback: RFC 4585,
// 5104; reduced-size packets: RFC 5506).
//
// No sockets, no encryption and no clock: what is read was decrypted, what is written is still to be encrypted. What
// transport-wide feedback says is read by rtc/twcc.h.
//
// Thread-safety: Safe, nothing is kept.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One block of a sender or receiver report (RFC 3550, 6.4).
struct sc_rtcp_report {
    uint32_t ssrc; // of ours, that it is about
    double loss;   // share, 0 to 1, since the one before
    // The middle of the NTP time of our last report, and the time since; 1/65536 s. last 0: none came.
    uint32_t last, delay;
};

// Called within sc_rtcp_read(), in the order of the packet. Any may be NULL.
struct sc_rtcp_events {
    void (*on_report)(void *arg, const struct sc_rtcp_report *report);
    // One call for each packet that is missed, 17 for every 4 bytes at most. A request names them in ascending order
    // (modulo 2^16); requests may repeat each other.
    void (*on_nack)(void *arg, uint32_t ssrc, uint16_t seq);
    // A keyframe is wanted: PLI (of the media source), FIR (one call an entry; repeated ones are told again).
    void (*on_key)(void *arg, uint32_t ssrc);
    // Transport-wide feedback: what follows both SSRCs, borrowed for the call.
    void (*on_twcc)(void *arg, const uint8_t *fci, size_t size);
    void *arg;
};
// A compound packet or a reduced-size one, decrypted. What is of no interest is skipped, packets of unknown type too.
// False: malformed, or empty; what came before the fault was told.
bool sc_rtcp_read(const uint8_t *data, size_t size, const struct sc_rtcp_events *events);

#define SC_RTCP_CNAME_MAX  63  // bytes, without an end
#define SC_RTCP_SENDER_MAX 104 // bytes that a sender report with its description takes at most

struct sc_rtcp_sender {
    uint32_t ssrc;
    uint64_t ntp;       // now, of sc_rtcp_ntp(),
    uint32_t timestamp; // and what the RTP clock shows at that time
    uint32_t packets;   // sent so far, modulo 2^32,
    uint32_t bytes;     // and what they carried, without headers and padding
    const char *cname; // the same for all that is played together; cut beyond SC_RTCP_CNAME_MAX
};
// A sender report without blocks, and the source description (CNAME) that must go with it. to: has room for
// SC_RTCP_SENDER_MAX. Returns the size, of which four is a divisor.
size_t sc_rtcp_write(uint8_t *to, const struct sc_rtcp_sender *sender);

// Seconds since 1900, 32 bits and 32 of their fraction. wall_ns: of sc_clock_wall(), not before 1970.
uint64_t sc_rtcp_ntp(int64_t wall_ns);
// The round trip in ms that a report tells, to 1/65536 s; < 0 where it tells none, or a clock was set meanwhile.
// ntp: when it came.
double sc_rtcp_round_trip_ms(const struct sc_rtcp_report *report, uint64_t ntp);
