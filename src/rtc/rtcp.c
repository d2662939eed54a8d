#include "rtc/rtcp.h"

#include <string.h>

#include "base/clock.h"

#define HEADER      4  // version, padding, count or format; type; length
#define SENDER_INFO 20 // between the SSRC of a sender report and its blocks
#define BLOCK       24
#define FEEDBACK    12                   // a feedback's header, with both SSRCs
#define FROM_1900   UINT64_C(2208988800) // s, to 1970
#define ROUNDING    2                    // 1/65536 s: each of the three times is cut

enum {
    SENDER_REPORT = 200,
    RECEIVER_REPORT,
    DESCRIPTION,
    TRANSPORT_FEEDBACK = 205,
    PAYLOAD_FEEDBACK
};
enum { FORMAT_NACK = 1, FORMAT_TWCC = 15 }; // of the transport's feedback
enum { FORMAT_PLI = 1, FORMAT_FIR = 4 };    // of the payload's
enum { CNAME = 1 };

static unsigned get16(const uint8_t *at)
{
    return (unsigned)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

// --- reading ------------------------------------------------------------------------------------

// One packet of a compound one.
struct packet {
    const uint8_t *data; // from the header on
    size_t size;         // without padding, at least that of the header
    unsigned count;      // of blocks, or the format of feedback
    unsigned type;
};

// Padding is taken off wherever it is, though only the last packet should have it. Returns how many bytes the packet
// takes, 0 = malformed.
static size_t next_packet(struct packet *packet, const uint8_t *data, size_t left)
{
    if (left < HEADER || data[0] >> 6 != 2)
        return 0;
    size_t whole = HEADER + (size_t)4 * get16(data + 2), padding = 0;
    if (whole > left)
        return 0;
    if (data[0] & 0x20) {
        padding = data[whole - 1];
        if (whole == HEADER || padding == 0 || padding > whole - HEADER)
            return 0;
    }
    *packet = (struct packet){
        .data = data, .size = whole - padding, .count = data[0] & 0x1f, .type = data[1]};
    return whole;
}

static bool read_reports(const struct packet *packet, const struct sc_rtcp_events *events)
{
    size_t at = HEADER + 4 + (packet->type == SENDER_REPORT ? SENDER_INFO : 0);
    if (packet->size < at + packet->count * BLOCK)
        return false;
    for (unsigned i = 0; i < packet->count && events->on_report; i++, at += BLOCK) {
        const uint8_t *block = packet->data + at;
        struct sc_rtcp_report report = {.ssrc = get32(block),
                                        .loss = block[4] / 256.0,
                                        .last = get32(block + 16),
                                        .delay = get32(block + 20)};
        events->on_report(events->arg, &report);
    }
    return true;
}

// Pairs of a number and a mask of the 16 that follow it (RFC 4585, 6.2.1).
static bool read_nack(const struct packet *packet, const struct sc_rtcp_events *events)
{
    if (packet->size % 4)
        return false;
    uint32_t ssrc = get32(packet->data + 8);
    for (size_t at = FEEDBACK; at < packet->size && events->on_nack; at += 4) {
        unsigned seq = get16(packet->data + at);
        unsigned missed = get16(packet->data + at + 2) << 1 | 1;
        for (; missed; missed >>= 1, seq++)
            if (missed & 1)
                events->on_nack(events->arg, ssrc, (uint16_t)seq);
    }
    return true;
}

// Entries of an SSRC, a number that tells repeated requests, and 24 bits of nothing (RFC 5104, 4.3.1).
static bool read_fir(const struct packet *packet, const struct sc_rtcp_events *events)
{
    if ((packet->size - FEEDBACK) % 8)
        return false;
    for (size_t at = FEEDBACK; at < packet->size && events->on_key; at += 8)
        events->on_key(events->arg, get32(packet->data + at));
    return true;
}

static bool read_feedback(const struct packet *packet, const struct sc_rtcp_events *events)
{
    if (packet->size < FEEDBACK)
        return false;
    bool transport = packet->type == TRANSPORT_FEEDBACK;
    if (transport && packet->count == FORMAT_NACK)
        return read_nack(packet, events);
    if (!transport && packet->count == FORMAT_FIR)
        return read_fir(packet, events);
    if (transport && packet->count == FORMAT_TWCC && events->on_twcc)
        events->on_twcc(events->arg, packet->data + FEEDBACK, packet->size - FEEDBACK);
    if (!transport && packet->count == FORMAT_PLI && events->on_key)
        events->on_key(events->arg, get32(packet->data + 8));
    return true;
}

static bool read_packet(const struct packet *packet, const struct sc_rtcp_events *events)
{
    switch (packet->type) {
    case SENDER_REPORT:
    case RECEIVER_REPORT:
        return read_reports(packet, events);
    case TRANSPORT_FEEDBACK:
    case PAYLOAD_FEEDBACK:
        return read_feedback(packet, events);
    default:
        return true;
    }
}

bool sc_rtcp_read(const uint8_t *data, size_t size, const struct sc_rtcp_events *events)
{
    size_t at = 0;
    do {
        struct packet packet;
        size_t whole = next_packet(&packet, data + at, size - at);
        if (!whole || !read_packet(&packet, events))
            return false;
        at += whole;
    } while (at < size);
    return true;
}

// --- writing ------------------------------------------------------------------------------------

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(value >> shift);
    return at;
}

// size: with the header, a multiple of four.
static uint8_t *put_header(uint8_t *at, unsigned count, unsigned type, size_t size)
{
    return put32(at, (uint32_t)(0x80 | count) << 24 | type << 16 | (uint32_t)(size / 4 - 1));
}

size_t sc_rtcp_write(uint8_t *to, const struct sc_rtcp_sender *sender)
{
    uint8_t *at = put_header(to, 0, SENDER_REPORT, HEADER + 4 + SENDER_INFO);
    at = put32(at, sender->ssrc);
    at = put32(at, (uint32_t)(sender->ntp >> 32));
    at = put32(at, (uint32_t)sender->ntp);
    at = put32(at, sender->timestamp);
    at = put32(at, sender->packets);
    at = put32(at, sender->bytes);

    // One chunk: SSRC, an item of type, length and text, and one to four zeros up to the next word.
    size_t length = strnlen(sender->cname, SC_RTCP_CNAME_MAX);
    size_t items = (2 + length) / 4 * 4 + 4;
    at = put_header(at, 1, DESCRIPTION, HEADER + 4 + items);
    at = put32(at, sender->ssrc);
    memset(at, 0, items);
    at[0] = CNAME;
    at[1] = (uint8_t)length;
    memcpy(at + 2, sender->cname, length);
    return (size_t)(at - to) + items;
}

// --- time ---------------------------------------------------------------------------------------

uint64_t sc_rtcp_ntp(int64_t wall_ns)
{
    uint64_t wall = (uint64_t)wall_ns, seconds = wall / SC_NS_PER_S + FROM_1900;
    return seconds << 32 | (wall % SC_NS_PER_S << 32) / SC_NS_PER_S;
}

double sc_rtcp_round_trip_ms(const struct sc_rtcp_report *report, uint64_t ntp)
{
    int32_t trip = (int32_t)((uint32_t)(ntp >> 16) - report->last - report->delay);
    if (!report->last || trip < -ROUNDING)
        return -1;
    return trip > 0 ? trip * 1000.0 / 65536 : 0;
}
