#include "rtc/packets.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "media/nal.h"

#define RTP_HEADER 12

enum { NAL_FILLER = 12, NAL_DELIMITER = 9, NAL_STAP_A = 24, NAL_FU_A = 28 };

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

// --- the header ---------------------------------------------------------------------------------

static bool usable(int id)
{
    return id >= 1 && id <= 14;
}

static unsigned delay(int ms)
{
    int steps = ms / 10; // the extension counts in steps of 10 ms, 12 bits each
    return (unsigned)(steps < 0 ? 0 : steps > 0xfff ? 0xfff : steps);
}

// One-byte header extensions (RFC 8285). The transport-wide number comes first, and is written when the packet leaves.
static void build_extension(struct sc_rtp_cutter *cutter)
{
    const struct sc_rtp_params *p = &cutter->params;
    uint8_t *at = cutter->extension + 4;
    if (usable(p->twcc_id)) {
        at[0] = (uint8_t)(p->twcc_id << 4 | 1);
        put16(at + 1, 0);
        at += 3;
    }
    if (usable(p->playout_id)) {
        unsigned both = delay(p->playout_min_ms) << 12 | delay(p->playout_max_ms);
        at[0] = (uint8_t)(p->playout_id << 4 | 2);
        at[1] = (uint8_t)(both >> 16);
        put16(at + 2, both & 0xffff);
        at += 4;
    }
    size_t size = (size_t)(at - cutter->extension) - 4, words = (size + 3) / 4;
    put16(cutter->extension, 0xbede);
    put16(cutter->extension + 2, (unsigned)words);
    cutter->extension_size = words ? 4 + words * 4 : 0;
}

void sc_rtp_cutter_init(struct sc_rtp_cutter *cutter, const struct sc_rtp_params *params)
{
    *cutter = (struct sc_rtp_cutter){.params = *params};
    build_extension(cutter);
}

size_t sc_rtp_overhead(const struct sc_rtp_cutter *cutter)
{
    return RTP_HEADER + cutter->extension_size;
}

uint16_t sc_rtp_seq(const uint8_t *packet)
{
    return (uint16_t)(packet[2] << 8 | packet[3]);
}

void sc_rtp_number(const struct sc_rtp_cutter *cutter, uint8_t *packet, uint16_t number)
{
    if (usable(cutter->params.twcc_id))
        put16(packet + RTP_HEADER + 5, number);
}

size_t sc_rtp_repeat(const struct sc_rtp_cutter *cutter, uint8_t *to, const uint8_t *packet,
                     size_t size, struct sc_rtp_rtx *rtx)
{
    size_t head = sc_rtp_overhead(cutter);
    memcpy(to, packet, head);
    to[1] = (uint8_t)((packet[1] & 0x80) | rtx->payload);
    put16(to + 2, rtx->seq++);
    put32(to + 8, rtx->ssrc);
    memcpy(to + head, packet + 2, 2); // the number that is missed goes before the payload
    memcpy(to + head + SC_RTP_RTX_EXTRA, packet + head, size - head);
    return size + SC_RTP_RTX_EXTRA;
}

// A packet in the making. It leaves when the next one begins, because the last one is marked.
struct making {
    struct sc_rtp_cutter *cutter;
    uint32_t timestamp;
    sc_rtp_emit *emit;
    void *arg;
    uint8_t packet[SC_RTP_PACKET_MAX];
    size_t head, size; // of the headers; of all so far. size == head: nothing is in it
    int units;         // NAL units in it, with a length before each (STAP-A)
    int count;         // packets that left
};

static size_t room(const struct making *m)
{
    return SC_RTP_PACKET_MAX - m->size;
}

static void add(struct making *m, const void *data, size_t size)
{
    memcpy(m->packet + m->size, data, size);
    m->size += size;
}

static void add_byte(struct making *m, unsigned value)
{
    m->packet[m->size++] = (uint8_t)value;
}

// A STAP-A of a single unit is sent as the unit itself.
static void unwrap_lone_unit(struct making *m)
{
    if (m->units != 1)
        return;
    memmove(m->packet + m->head, m->packet + m->head + 3, m->size - m->head - 3);
    m->size -= 3;
}

static void leave(struct making *m, bool last)
{
    if (m->size == m->head)
        return;
    unwrap_lone_unit(m);
    const struct sc_rtp_params *p = &m->cutter->params;
    m->packet[0] = m->cutter->extension_size ? 0x90 : 0x80;
    m->packet[1] = (uint8_t)(p->payload | (last ? 0x80 : 0));
    put16(m->packet + 2, m->cutter->seq++);
    put32(m->packet + 4, m->timestamp);
    put32(m->packet + 8, p->ssrc);
    m->emit(m->arg, m->packet, m->size);
    m->size = m->head;
    m->units = 0;
    m->count++;
}

// --- H.264 --------------------------------------------------------------------------------------

// Of equal size but for the last one, so that none is tiny.
static void add_fragments(struct making *m, const uint8_t *unit, size_t size)
{
    leave(m, false);
    size_t most = room(m) - 2, left = size - 1, count = (left + most - 1) / most;
    size_t each = (left + count - 1) / count;
    for (const uint8_t *at = unit + 1; left > 0;) {
        size_t part = left < each ? left : each;
        unsigned start = at == unit + 1 ? 0x80 : 0, end = part == left ? 0x40 : 0;
        leave(m, false);
        add_byte(m, (unit[0] & 0xe0) | NAL_FU_A);
        add_byte(m, start | end | (unit[0] & 0x1f));
        add(m, at, part);
        at += part;
        left -= part;
    }
}

static void add_unit(struct making *m, const uint8_t *unit, size_t size)
{
    unsigned type = unit[0] & 0x1f;
    if (type == 0 || type >= NAL_STAP_A || type == NAL_DELIMITER || type == NAL_FILLER)
        return;
    size_t most = SC_RTP_PACKET_MAX - m->head;
    if (size + 3 > most) {
        if (size > most) {
            add_fragments(m, unit, size);
        } else {
            leave(m, false);
            add(m, unit, size);
        }
        return;
    }
    if (m->units == 0 || room(m) < size + 2) {
        leave(m, false);
        add_byte(m, NAL_STAP_A);
    }
    // The aggregate is as important as the most important of its units.
    uint8_t *indicator = m->packet + m->head;
    if ((unit[0] & 0x60) > (*indicator & 0x60))
        *indicator = (uint8_t)((*indicator & ~0x60) | (unit[0] & 0x60));
    uint8_t length[2];
    put16(length, (unsigned)size);
    add(m, length, sizeof(length));
    add(m, unit, size);
    m->units++;
}

static void cut_h264(struct making *m, const uint8_t *data, size_t size)
{
    int all = (int)size, code = sc_start_code_find(data, all, 0);
    while (code >= 0) {
        int begin = code + 3, end;
        code = sc_start_code_find(data, all, begin);
        for (end = code < 0 ? all : code; end > begin && data[end - 1] == 0;)
            end--; // a unit never ends in zeros: they are of the next start code
        if (end > begin)
            add_unit(m, data + begin, (size_t)(end - begin));
    }
}

// --- VP8, Opus ----------------------------------------------------------------------------------

static void cut_vp8(struct making *m, const uint8_t *data, size_t size)
{
    enum { DESCRIPTOR = 4 };
    struct sc_rtp_cutter *cutter = m->cutter;
    size_t most = room(m) - DESCRIPTOR, count = (size + most - 1) / most;
    size_t each = count ? (size + count - 1) / count : 0;
    for (size_t at = 0; at < size; at += each) {
        leave(m, false);
        add_byte(m, 0x80 | (at == 0 ? 0x10 : 0)); // extended; the first partition begins here
        add_byte(m, 0x80);                        // a picture number follows,
        add_byte(m, 0x80 | cutter->picture >> 8); // of 15 bits
        add_byte(m, cutter->picture & 0xff);
        add(m, data + at, size - at < each ? size - at : each);
    }
    cutter->picture = (cutter->picture + 1) & 0x7fff;
}

static void cut_opus(struct making *m, const uint8_t *data, size_t size)
{
    if (size <= room(m)) // 20 ms at 510 kbit/s are 1275 bytes: nobody sends that here
        add(m, data, size);
}

int sc_rtp_cut(struct sc_rtp_cutter *cutter, const uint8_t *data, size_t size,
               uint32_t timestamp, sc_rtp_emit *emit, void *arg)
{
    struct making m = {.cutter = cutter, .timestamp = timestamp, .emit = emit, .arg = arg};
    if (size > INT_MAX / 2)
        return 0;
    memcpy(m.packet + RTP_HEADER, cutter->extension, cutter->extension_size);
    m.head = m.size = sc_rtp_overhead(cutter);
    if (cutter->params.codec == SC_RTC_H264)
        cut_h264(&m, data, size);
    else if (cutter->params.codec == SC_RTC_VP8)
        cut_vp8(&m, data, size);
    else
        cut_opus(&m, data, size);
    leave(&m, true);
    return m.count;
}
