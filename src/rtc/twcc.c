// Feedback is a header (first number, count of packets, reference time, number of the feedback), the status of each
// packet in chunks of 16 bits, and then, for each that arrived, the time since the one before.
#include "rtc/twcc.h"

#include <stdbool.h>

#include "base/clock.h"

#define HEADER       8
#define COUNT_MOST   (65536 - SC_TWCC_SENT) // beyond, the oldest could come after the newest
#define CHUNK        2
#define REFERENCE_NS (64 * SC_NS_PER_MS)
#define DELTA_NS     (SC_NS_PER_MS / 4)

// The fourth is reserved, and nobody sends it. Where the times of later packets are would be a guess, so such feedback
// is malformed, as it is for libwebrtc.
enum status { LOST, SMALL_DELTA, LARGE_DELTA, RESERVED };

uint16_t sc_twcc_sent(struct sc_twcc *twcc, int size, int64_t now_ns)
{
    uint16_t seq = twcc->next++;
    twcc->sent[seq % SC_TWCC_SENT].sent_ns = now_ns;
    twcc->sent[seq % SC_TWCC_SENT].size = size;
    return seq;
}

struct reading {
    const struct sc_twcc *twcc;
    const uint8_t *delta, *end; // what is left of the deltas
    uint16_t seq;               // of the next packet,
    unsigned left;              // and how many there are
    int64_t time_ns;
    struct sc_rtc_arrival *arrivals;
    int count, most;
};

static unsigned get16(const uint8_t *at)
{
    return (unsigned)(at[0] << 8 | at[1]);
}

static bool take_delta(struct reading *r, enum status status)
{
    if (r->end - r->delta < (int)status) // a small one has one byte, a large one two
        return false;
    int delta = status == SMALL_DELTA ? r->delta[0] : (int16_t)get16(r->delta);
    r->delta += status;
    r->time_ns += delta * DELTA_NS;
    return true;
}

// Numbers behind this one's, up to the newest that was sent.
static unsigned behind(const struct reading *r)
{
    return (uint16_t)(r->twcc->next - 1 - r->seq);
}

static void tell(struct reading *r, enum status status)
{
    int at = r->seq % SC_TWCC_SENT;
    int64_t sent_ns = r->twcc->sent[at].sent_ns;
    int64_t time_ns = r->time_ns % SC_TWCC_WRAP_NS; // the first delta may take it below zero
    if (behind(r) >= SC_TWCC_SENT || !sent_ns || r->count == r->most)
        return;
    time_ns += time_ns < 0 ? SC_TWCC_WRAP_NS : 0;
    r->arrivals[r->count++] =
        (struct sc_rtc_arrival){.seq = r->seq,
                                .lost = status == LOST,
                                .sent_ns = sent_ns,
                                .arrived_ns = status == LOST ? 0 : time_ns,
                                .size = r->twcc->sent[at].size};
}

static bool take(struct reading *r, enum status status)
{
    if (status == RESERVED || (status != LOST && !take_delta(r, status)))
        return false;
    tell(r, status);
    r->seq++;
    r->left--;
    return true;
}

static void skip(struct reading *r, unsigned count)
{
    r->seq = (uint16_t)(r->seq + count);
    r->left -= count;
}

// Two bytes can call 8191 packets lost: those that are not remembered are not even looked at.
static bool take_run(struct reading *r, enum status status, unsigned run)
{
    while (run > 0) {
        unsigned unknown = behind(r) >= SC_TWCC_SENT ? behind(r) - SC_TWCC_SENT + 1 : 0;
        unsigned count = 1;
        if (status == LOST && unknown > 0)
            skip(r, count = unknown < run ? unknown : run);
        else if (!take(r, status))
            return false;
        run -= count;
    }
    return true;
}

static bool take_vector(struct reading *r, unsigned chunk)
{
    int bits = chunk & 0x4000 ? 2 : 1;
    for (int shift = 14 - bits; shift >= 0 && r->left > 0; shift -= bits)
        if (!take(r, (enum status)(chunk >> shift & (bits == 2 ? 3 : 1))))
            return false;
    return true;
}

static bool take_chunk(struct reading *r, unsigned chunk)
{
    if (chunk & 0x8000)
        return take_vector(r, chunk);
    unsigned run = chunk & 0x1fff;
    return take_run(r, (enum status)(chunk >> 13 & 3), run < r->left ? run : r->left);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

// How many packets a chunk is about.
static unsigned covers(unsigned chunk)
{
    return chunk & 0x8000 ? (chunk & 0x4000 ? 7 : 14) : chunk & 0x1fff;
}

// Where the deltas begin, which is known only when all chunks were looked at; NULL = there are too few of them.
static const uint8_t *find_deltas(const uint8_t *chunk, const uint8_t *end, unsigned count)
{
    for (; count > 0; chunk += CHUNK) {
        if (end - chunk < CHUNK)
            return NULL;
        count -= least(count, covers(get16(chunk)));
    }
    return chunk;
}

int sc_twcc_read(const struct sc_twcc *twcc, const uint8_t *fci, size_t size,
                 struct sc_rtc_arrival *arrivals, int most)
{
    if (size < HEADER)
        return -1;
    const uint8_t *end = fci + size;
    unsigned count = get16(fci + 2);
    const uint8_t *deltas = find_deltas(fci + HEADER, end, count);
    if (!deltas || count > COUNT_MOST)
        return -1;
    struct reading r = {.twcc = twcc,
                        .delta = deltas,
                        .end = end,
                        .seq = (uint16_t)get16(fci),
                        .left = count,
                        .time_ns = (int64_t)(get16(fci + 4) << 8 | fci[6]) * REFERENCE_NS,
                        .arrivals = arrivals,
                        .most = most};
    for (const uint8_t *chunk = fci + HEADER; r.left > 0; chunk += CHUNK)
        if (!take_chunk(&r, get16(chunk)))
            return -1;
    return r.count;
}
