#include "media/index_scan.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "media/hash.h"

#include "base/mem.h"

#define LOCATE_WINDOW 96 // payloads start at most this far behind the demuxer's position
#define LOCATE_MATCH  32 // bytes compared at the start, and half as many at the end

static struct sc_scanned *add_packet(struct sc_scan *scan)
{
    if (scan->count == scan->room) {
        int64_t room = scan->room ? scan->room * 2 : 1024;
        void *p = sc_try_realloc(scan->packets, (size_t)room, sizeof(*scan->packets));
        if (!p)
            return NULL;
        scan->packets = p;
        scan->room = room;
    }
    return &scan->packets[scan->count++];
}

// Does the payload stand in the file `delta` bytes behind pkt->pos, where `window` was read? Its
// head and tail are compared here; the checksum of every later read is the proof.
static bool stands_at(int fd, const uint8_t *window, ssize_t got, int delta,
                      const AVPacket *pkt)
{
    uint8_t tail[LOCATE_MATCH / 2];
    int head = pkt->size < LOCATE_MATCH ? pkt->size : LOCATE_MATCH;
    int n = pkt->size < (int)sizeof(tail) ? pkt->size : (int)sizeof(tail);
    return delta + head <= got && !memcmp(window + delta, pkt->data, (size_t)head) &&
           pread(fd, tail, (size_t)n, pkt->pos + delta + pkt->size - n) == n &&
           !memcmp(tail, pkt->data + pkt->size - n, (size_t)n);
}

// Where the payload lies in the file, or -1 if it is not contiguous there. The offset of the
// packet before is the first guess.
static int64_t locate(struct sc_scan *scan, int fd, const AVPacket *pkt)
{
    uint8_t window[LOCATE_WINDOW + LOCATE_MATCH];
    ssize_t got = pkt->pos < 0 ? -1 : pread(fd, window, sizeof(window), pkt->pos);
    if (stands_at(fd, window, got, scan->locate_delta, pkt))
        return pkt->pos + scan->locate_delta;
    for (int delta = 0; delta < got; delta++) {
        if (stands_at(fd, window, got, delta, pkt)) {
            scan->locate_delta = delta;
            return pkt->pos + delta;
        }
    }
    return -1;
}

static int keep_side(struct sc_scan *scan, const AVPacketSideData *sd)
{
    int64_t offset = scan->side_bytes;
    void *p = sc_try_realloc(scan->sides, (size_t)scan->side_count + 1, sizeof(*scan->sides));
    if (!p)
        return SC_ENOMEM;
    scan->sides = p;
    p = sc_try_realloc(scan->side_data, (size_t)offset + sd->size, 1);
    if (!p)
        return SC_ENOMEM;
    scan->side_data = p;
    memcpy(scan->side_data + offset, sd->data, sd->size);
    scan->sides[scan->side_count++] = (struct sc_side_rec){
        .packet = (uint32_t)(scan->count - 1),
        .type = (uint32_t)sd->type,
        .offset = (uint32_t)offset,
        .size = (uint32_t)sd->size,
    };
    scan->side_bytes += (int64_t)sd->size;
    return SC_OK;
}

// Keeps the side data that decoders need. At most 64 MiB of it: the rest would be an attack.
static int keep_sides(struct sc_scan *scan, const AVPacket *pkt, sc_bitstream *bs,
                      struct sc_scanned *rec)
{
    for (int i = 0; i < pkt->side_data_elems; i++) {
        const AVPacketSideData *sd = &pkt->side_data[i];
        if (sd->type != AV_PKT_DATA_NEW_EXTRADATA && sd->type != AV_PKT_DATA_PALETTE)
            continue;
        if (scan->side_bytes + (int64_t)sd->size > (64 << 20))
            return SC_ELIMIT;
        if (sd->type == AV_PKT_DATA_NEW_EXTRADATA)
            sc_bitstream_extradata(bs, sd->data, (int)sd->size);
        rec->flags |= SC_PACKET_SIDE;
        int ret = keep_side(scan, sd);
        if (ret < 0)
            return ret;
    }
    return SC_OK;
}

static int take_packet(struct sc_scan *scan, sc_input *input, sc_bitstream *bs,
                       const AVPacket *pkt)
{
    struct sc_scanned *rec = add_packet(scan);
    if (!rec)
        return SC_ENOMEM;
    *rec = (struct sc_scanned){
        .pts = pkt->pts,
        .dts = pkt->dts,
        .duration = pkt->duration > 0 ? pkt->duration : 0,
        .pos = pkt->pos,
        .size = pkt->size,
        .crc = (uint32_t)XXH3_64bits(pkt->data, (size_t)pkt->size),
    };
    int ret = keep_sides(scan, pkt, bs, rec);
    if (ret < 0)
        return ret;
    sc_bitstream_inspect(bs, pkt->data, pkt->size, &rec->au);
    rec->flags |= (pkt->flags & AV_PKT_FLAG_KEY ? SC_PACKET_KEY : 0) |
                  (pkt->flags & AV_PKT_FLAG_DISCARD || rec->au.hidden ? SC_PACKET_HIDDEN : 0) |
                  (pkt->flags & AV_PKT_FLAG_CORRUPT || rec->au.broken ? SC_PACKET_SUSPECT : 0);
    rec->payload = scan->direct ? locate(scan, input->fd, pkt) : -1;
    scan->direct = rec->payload >= 0;
    return SC_OK;
}

static void report(const struct sc_index_params *params, const sc_input *input, int64_t pos)
{
    if (params->progress && input->size > 0 && pos >= 0)
        params->progress(params->progress_arg, (double)pos / (double)input->size);
}

static int scan_failed(int ret, int64_t max, sc_err *err)
{
    if (ret == SC_ELIMIT)
        return sc_fail(err, ret,
                       "the file has more than %" PRId64 " packets or too much side "
                       "data: refused",
                       max);
    return sc_fail(err, ret, ret == SC_ECANCELLED ? "cancelled" : "out of memory");
}

int sc_scan_run(struct sc_scan *scan, sc_input *input, const struct sc_index_params *params,
                sc_err *err)
{
    int64_t max = params->max_packets ? params->max_packets : 50 * 1000 * 1000;
    sc_bitstream *bs = sc_bitstream_open(input->video->codecpar);
    AVPacket *pkt = av_packet_alloc();
    int ret = pkt ? SC_OK : SC_ENOMEM;
    *scan = (struct sc_scan){.direct = true};
    while (ret == SC_OK && av_read_frame(input->fmt, pkt) >= 0) {
        if (pkt->stream_index == input->video->index && pkt->size > 0) {
            ret = scan->count >= max ? SC_ELIMIT : take_packet(scan, input, bs, pkt);
            if (!(scan->count & 1023))
                report(params, input, pkt->pos);
        }
        if (ret == SC_OK && sc_cancel_requested(params->cancel))
            ret = SC_ECANCELLED;
        av_packet_unref(pkt);
    }
    av_packet_free(&pkt);
    sc_bitstream_close(&bs);
    if (ret < 0)
        return scan_failed(ret, max, err);
    if (!scan->count)
        return sc_fail(err, SC_EDATA, "the file has a video stream but no picture in it");
    return SC_OK;
}

void sc_scan_release(struct sc_scan *scan)
{
    free(scan->packets);
    free(scan->sides);
    free(scan->side_data);
    *scan = (struct sc_scan){0};
}
