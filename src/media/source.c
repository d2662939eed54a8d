#include "media/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/hash.h"

#include "base/mem.h"
#include "media/index_internal.h"
#include "media/input.h"

struct sc_source {
    sc_index *index;
    char *path;
    int fd;          // direct reading, -1 until the first
    sc_input *input; // demuxing, NULL until the first
    int64_t next;    // number of the packet the demuxer gives next
    AVPacket *held;  // a packet read while landing, to be given out as number `next`
    bool linear;     // seeking has failed once: only demux forward
};

sc_source *sc_source_open(sc_index *index, const char *path)
{
    sc_source *src = sc_new(sc_source);
    src->index = sc_index_ref(index);
    src->path = sc_xstrdup(path);
    src->fd = -1;
    return src;
}

void sc_source_close(sc_source **psrc)
{
    sc_source *src = psrc ? *psrc : NULL;
    if (!src)
        return;
    if (src->fd >= 0)
        close(src->fd);
    av_packet_free(&src->held);
    sc_input_close(&src->input);
    sc_index_unref(&src->index);
    free(src->path);
    free(src);
    *psrc = NULL;
}

static int stale(const sc_source *src, sc_err *err)
{
    return sc_fail(err, SC_ESTALE, "%s: the file has changed since it was indexed", src->path);
}

static bool matches(const struct sc_packet_rec *rec, const AVPacket *pkt)
{
    return rec->size == pkt->size &&
           rec->crc == (uint32_t)XXH3_64bits(pkt->data, (size_t)pkt->size);
}

// --- direct -------------------------------------------------------------------------------

static int read_fully(int fd, uint8_t *data, int size, int64_t pos)
{
    while (size > 0) {
        ssize_t n = pread(fd, data, (size_t)size, pos);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? SC_EIO : SC_ESTALE;
        data += n;
        pos += n;
        size -= (int)n;
    }
    return SC_OK;
}

static int add_side(const sc_index *ix, int64_t number, AVPacket *pkt)
{
    int64_t low = 0, high = ix->header->sides;
    while (low < high) {
        int64_t mid = (low + high) / 2;
        if (ix->sides[mid].packet < number)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < ix->header->sides && ix->sides[low].packet == number; low++) {
        const struct sc_side_rec *s = &ix->sides[low];
        uint8_t *data =
            av_packet_new_side_data(pkt, (enum AVPacketSideDataType)s->type, s->size);
        if (!data)
            return SC_ENOMEM;
        memcpy(data, ix->side_data + s->offset, s->size);
    }
    return SC_OK;
}

static int read_direct(sc_source *src, int64_t number, AVPacket *pkt, sc_err *err)
{
    const struct sc_packet_rec *rec = &src->index->packets[number];
    if (src->fd < 0)
        src->fd = open(src->path, O_RDONLY | O_CLOEXEC);
    if (src->fd < 0)
        return sc_fail(err, sc_error_from_errno(errno), "%s: %s", src->path, strerror(errno));
    if (av_new_packet(pkt, rec->size) < 0)
        return sc_fail(err, SC_ENOMEM, "out of memory for a packet of %d bytes", rec->size);
    int ret = read_fully(src->fd, pkt->data, rec->size, rec->pos);
    if (ret == SC_ESTALE || (ret >= 0 && !matches(rec, pkt)))
        return stale(src, err);
    if (ret < 0)
        return sc_fail(err, ret, "%s: %s", src->path, strerror(errno));
    return add_side(src->index, number, pkt);
}

// --- demuxing -----------------------------------------------------------------------------

static int reopen(sc_source *src, sc_err *err)
{
    sc_input_close(&src->input);
    src->next = 0;
    if (src->held)
        av_packet_unref(src->held);
    sc_err why = {0};
    int ret = sc_input_open(&src->input, src->path, true, &why);
    if (ret == SC_EDATA) // it was a video when it was indexed
        return stale(src, err);
    return ret < 0 ? sc_fail(err, ret, "%s", sc_err_text(&why, ret)) : SC_OK;
}

// The next packet of our stream as it comes.
static int demux(sc_source *src, AVPacket *pkt)
{
    for (;;) {
        int ret = av_read_frame(src->input->fmt, pkt);
        if (ret < 0)
            return ret == AVERROR(ENOMEM) ? SC_ENOMEM : SC_EEOF;
        if (pkt->stream_index == src->input->video->index && pkt->size > 0)
            return SC_OK;
        av_packet_unref(pkt);
    }
}

// Seeks to the packet `entry`: true when the demuxer stands right behind it, which is then held.
static bool seek_to_entry(sc_source *src, int64_t entry)
{
    const struct sc_packet_rec *rec = &src->index->packets[entry];
    bool bytes = src->index->header->byte_seek;
    int flags = bytes ? AVSEEK_FLAG_BYTE : AVSEEK_FLAG_BACKWARD;
    int64_t to = bytes ? rec->pos : src->index->dts[entry];
    if (rec->pos < 0 || to == AV_NOPTS_VALUE ||
        av_seek_frame(src->input->fmt, src->input->video->index, to, flags) < 0)
        return false;
    for (int tries = 0; tries < 64; tries++) {
        av_packet_unref(src->held);
        if (demux(src, src->held) < 0)
            return false;
        if (src->held->pos == rec->pos && matches(rec, src->held)) {
            src->next = entry;
            return true;
        }
    }
    return false;
}

static int64_t entry_before(const sc_index *ix, int64_t number)
{
    int64_t low = 0, high = ix->header->entries;
    while (high - low > 1) {
        int64_t mid = (low + high) / 2;
        if (ix->entries[mid].packet <= number)
            low = mid;
        else
            high = mid;
    }
    return ix->entries[low].packet;
}

// Brings the demuxer to `number` or before it.
static int approach(sc_source *src, int64_t number, sc_err *err)
{
    int ret = SC_OK;
    if (!src->held && !(src->held = av_packet_alloc()))
        return sc_fail(err, SC_ENOMEM, "out of memory");
    if (!src->input && (ret = reopen(src, err)) < 0)
        return ret;
    int64_t entry = entry_before(src->index, number);
    if (src->next <= number && (src->next >= entry || src->linear))
        return SC_OK;
    if (!src->linear && entry > 0) {
        if (seek_to_entry(src, entry))
            return SC_OK;
        src->linear = true;
    }
    return reopen(src, err);
}

static int next_demuxed(sc_source *src, AVPacket *pkt)
{
    if (src->held->size) {
        av_packet_move_ref(pkt, src->held);
        return SC_OK;
    }
    return demux(src, pkt);
}

static int read_demuxed(sc_source *src, int64_t number, AVPacket *pkt, sc_err *err)
{
    int ret = approach(src, number, err);
    while (ret >= 0) {
        ret = next_demuxed(src, pkt);
        if (ret == SC_ENOMEM)
            break;
        bool good = ret >= 0 && matches(&src->index->packets[src->next], pkt);
        if (good && src->next++ == number)
            return SC_OK;
        av_packet_unref(pkt);
        if (good)
            continue;
        if (src->linear)
            return stale(src, err);
        src->linear = true; // a seek landed wrong: from the start, once and for all
        ret = reopen(src, err);
    }
    return ret;
}

int sc_source_read(sc_source *src, int64_t number, AVPacket *pkt, sc_err *err)
{
    av_packet_unref(pkt);
    if (number >= src->index->header->packets)
        return SC_EEOF;
    int ret = src->index->header->direct ? read_direct(src, number, pkt, err)
                                         : read_demuxed(src, number, pkt, err);
    if (ret < 0) {
        av_packet_unref(pkt);
        return ret;
    }
    pkt->pts = pkt->dts = number;
    pkt->duration = 0;
    pkt->flags &= ~AV_PKT_FLAG_DISCARD;
    if (src->index->packets[number].flags & SC_PACKET_KEY)
        pkt->flags |= AV_PKT_FLAG_KEY;
    return SC_OK;
}
