// HLS: a folder with a playlist, segments of fragmented MP4, and text beside them as WebVTT.
//
// A segment begins with a keyframe and is written whole before a playlist names it; playlists are replaced
// in one step. Files carry a number of their run, so that no cache confuses two runs. Sound that is
// ahead of its picture waits for the segment where it belongs.
//
// While it is live, a segment is made of parts (RFC 8216bis, low latency), a fragment each, which are
// files of their own until it is whole: any server of files will do, and what a playlist names is never
// written to again.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/live_output_hls.h"

#define MAX_SEGMENT (60 * SC_NS_PER_S) // without a keyframe
#define IO_SIZE     (64 << 10)
#define PART_MS     333

// --- cues and sound that wait ------------------------------------------------------------------

static void hls_cue(void *sink, const struct sc_cue *cue, int64_t zero_ns)
{
    struct sc_hls *h = sink;
    if (h->cue_count == SC_HLS_MAX_CUES || cue->to_ns <= zero_ns)
        return;
    h->cues = h->cues ? h->cues : sc_xcalloc(SC_HLS_MAX_CUES, sizeof(*h->cues));
    h->cues[h->cue_count] = *cue;
    h->cues[h->cue_count++].text = sc_xstrdup(cue->text);
}

// --- segments ---------------------------------------------------------------------------------

static int keep_bytes(void *arg, uint8_t *data, int size)
{
    sc_str_addn(arg, data, (size_t)size);
    return size;
}

static int fail_mux(const struct sc_hls *h, int averror, sc_err *err)
{
    return sc_sink_fail(&h->setup, averror, "write to", err);
}

static int mux_packet(struct sc_hls *h, const sc_packet *packet, int64_t duration_ns,
                      sc_err *err)
{
    AVPacket *av = h->m.packet;
    int ret = sc_muxer_prepare(&h->m, packet, h->zero_ns);
    if (ret < 0)
        return ret;
    av->duration = av_rescale_q(duration_ns, (AVRational){1, (int)SC_NS_PER_S}, av->time_base);
    ret = av_write_frame(h->m.av, av);
    av_packet_unref(av);
    return ret < 0 ? fail_mux(h, ret, err) : SC_OK;
}

// The newest picture, shown until then.
static int mux_picture(struct sc_hls *h, int64_t until_ns, sc_err *err)
{
    int ret = mux_packet(h, h->last, FFMAX(until_ns - h->last->dts_ns, 1), err);
    sc_packet_unref(&h->last);
    return ret;
}

// Sound that begins before `until`.
static int mux_sound(struct sc_hls *h, int64_t until_ns, sc_err *err)
{
    int n = 0, ret = SC_OK;
    while (n < h->held_count && ret >= 0 && h->held[n]->dts_ns < until_ns) {
        ret = mux_packet(h, h->held[n], h->held[n]->duration_ns, err);
        sc_packet_unref(&h->held[n++]);
    }
    h->held_count -= n;
    memmove(h->held, h->held + n, (size_t)h->held_count * sizeof(*h->held));
    return ret;
}

static int note_segment(struct sc_hls *h, int64_t until_ns)
{
    struct sc_hls_segment *more =
        sc_try_realloc(h->segments, (size_t)h->count + 1, sizeof(*h->segments));
    if (!more)
        return SC_ENOMEM;
    h->segments = more;
    h->segments[h->count++] =
        (struct sc_hls_segment){h->from_ns - h->zero_ns, until_ns - h->from_ns};
    h->target =
        FFMAX(h->target, (int)((until_ns - h->from_ns + SC_NS_PER_S / 2) / SC_NS_PER_S));
    if (h->window > 0 && h->count > h->window) {
        h->count--;
        h->first++;
        memmove(h->segments, h->segments + 1, (size_t)h->count * sizeof(*h->segments));
    }
    return SC_OK;
}

// What was muxed so far becomes a fragment.
static int end_fragment(struct sc_hls *h, sc_err *err)
{
    int ret = sc_muxer_cut(&h->m);
    avio_flush(h->m.av->pb);
    return ret < 0 ? fail_mux(h, ret, err) : SC_OK;
}

static int end_part(struct sc_hls *h, int64_t until_ns, sc_err *err)
{
    const struct sc_hls_part *before = h->part_count ? &h->parts[h->part_count - 1] : NULL;
    sc_str name = {0};
    int segment = h->first + h->count;
    int ret = end_fragment(h, err);
    if (ret < 0 || !h->part_ns)
        return ret;
    struct sc_hls_part part = {
        .segment = segment,
        .number = before && before->segment == segment ? before->number + 1 : 0,
        .duration_ns = FFMIN(until_ns - h->part_from_ns, h->part_ns), // a gap is no part of it
        .key = h->part_key,
    };
    sc_hls_add_part_name(h, &name, segment, part.number);
    ret = sc_hls_write_file(h, name.s, sc_str_get(&h->bytes) + h->part_at,
                            h->bytes.len - h->part_at, err);
    sc_str_release(&name);
    if (ret < 0)
        return ret;
    sc_hls_remove_passed(h);
    h->parts[h->part_count++] = part;
    return SC_OK;
}

static int end_segment(struct sc_hls *h, int64_t until_ns, bool ended, sc_err *err)
{
    sc_str name = {0};
    int number = h->first + h->count;
    int ret = end_part(h, until_ns, err);
    if (ret < 0)
        return ret;
    sc_hls_add_name(h, &name, number, "m4s");
    ret = sc_hls_write_file(h, name.s, sc_str_get(&h->bytes), h->bytes.len, err);
    sc_str_release(&name);
    sc_str_clear(&h->bytes);
    if (ret >= 0)
        ret = sc_hls_write_cues(h, number, ended ? INT64_MAX : until_ns, err);
    if (ret >= 0)
        ret = note_segment(h, until_ns);
    if (ret >= 0)
        ret = sc_hls_write_playlists(h, ended, err);
    sc_hls_remove_passed(h);
    h->asked = false;
    return ret;
}

static void begin_part(struct sc_hls *h, const sc_packet *packet)
{
    h->part_from_ns = packet->dts_ns;
    h->part_at = h->bytes.len;
    h->part_key = packet->key;
}

static void begin_segment(struct sc_hls *h, const sc_packet *packet)
{
    h->from_ns = packet->dts_ns;
    begin_part(h, packet);
}

// Whether the part would be too long if the picture belonged to it.
static bool part_is_full(const struct sc_hls *h, const sc_packet *packet)
{
    return h->part_ns && packet->dts_ns + h->step_ns - h->part_from_ns > h->part_ns;
}

static int hold_sound(struct sc_hls *h, const sc_packet *packet, sc_err *err)
{
    int ret = SC_OK;
    if (h->held_count == SC_HLS_MAX_HELD) // its picture does not come
        ret = mux_sound(h, h->held[SC_HLS_MAX_HELD / 2]->dts_ns, err);
    if (h->held_count == SC_HLS_MAX_HELD)
        return ret < 0 ? ret : SC_EDATA;
    h->held[h->held_count++] = sc_packet_ref((sc_packet *)packet);
    return ret;
}

// Ends with the picture before this one what is to end.
static int cut(struct sc_hls *h, const sc_packet *packet, sc_err *err)
{
    int64_t length = packet->dts_ns - h->from_ns;
    int ret = SC_OK;
    if (!packet->key && length > MAX_SEGMENT)
        return sc_fail(err, SC_EDATA, "cannot write %s: no keyframe has come for a minute",
                       h->setup.shown);
    // A source's times need not be even: one that comes a little early will do.
    if (packet->key && length >= h->segment_ms * SC_NS_PER_MS * 9 / 10) {
        ret = end_segment(h, packet->dts_ns, false, err);
        begin_segment(h, packet);
    } else if (part_is_full(h, packet)) {
        ret = end_part(h, packet->dts_ns, err);
        if (ret >= 0)
            ret = sc_hls_write_part_playlist(h, err);
        begin_part(h, packet);
    }
    return ret;
}

static int write_picture(struct sc_hls *h, const sc_packet *packet, int64_t zero_ns,
                         sc_err *err)
{
    int ret = SC_OK;
    if (h->last) {
        h->step_ns = FFMAX(packet->dts_ns - h->last->dts_ns, 1);
        ret = mux_picture(h, packet->dts_ns, err);
        if (ret >= 0)
            ret = mux_sound(h, packet->dts_ns, err);
        if (ret >= 0)
            ret = cut(h, packet, err);
    } else {
        h->zero_ns = zero_ns;
        h->zero_wall = sc_clock_wall();
        begin_segment(h, packet);
    }
    h->last = sc_packet_ref((sc_packet *)packet);
    h->end_ns = packet->pts_ns + (packet->duration_ns > 0 ? packet->duration_ns : h->step_ns);
    return ret;
}

static int hls_write(void *sink, const sc_packet *packet, int64_t zero_ns, sc_err *err)
{
    struct sc_hls *h = sink;
    if (packet->media == SC_MEDIA_SOUND)
        return hold_sound(h, packet, err);
    return write_picture(h, packet, zero_ns, err);
}

// Asked only once it is overdue: a keyframe that comes by itself in time needs no second one beside it.
static bool hls_wants_key(void *sink)
{
    struct sc_hls *h = sink;
    bool due = h->from_ns != INT64_MIN && !h->asked &&
               h->end_ns - h->from_ns >= h->segment_ms * SC_NS_PER_MS * 5 / 4;
    h->asked |= due;
    return due;
}

static int hls_finish(void *sink, sc_err *err)
{
    struct sc_hls *h = sink;
    if (!h->last)
        return SC_OK;
    int64_t end_ns = FFMAX(h->end_ns, h->from_ns + 1);
    int ret = mux_picture(h, end_ns, err);
    if (ret >= 0)
        ret = mux_sound(h, INT64_MAX, err);
    return ret < 0 ? ret : end_segment(h, end_ns, true, err);
}

// --- opening ----------------------------------------------------------------------------------

static void hls_close(void *sink)
{
    struct sc_hls *h = sink;
    if (h->m.av && h->m.av->pb) {
        av_freep(&h->m.av->pb->buffer);
        avio_context_free(&h->m.av->pb);
    }
    sc_muxer_release(&h->m);
    sc_packet_unref(&h->last);
    for (int i = 0; i < h->held_count; i++)
        sc_packet_unref(&h->held[i]);
    for (int i = 0; i < h->cue_count; i++)
        free(h->cues[i].text);
    free(h->cues);
    free(h->segments);
    sc_str_release(&h->bytes);
    free(h->folder);
    free(h->stem);
    free(h);
}

static void split_path(struct sc_hls *h, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    h->folder = sc_xstrdup(path);
    h->folder[name - path] = '\0';
    h->stem = sc_xstrdup(name);
    h->stem[strlen(name) - strlen(".m3u8")] = '\0';
}

static int open_muxer(struct sc_hls *h)
{
    AVDictionary *options = NULL;
    int ret = sc_muxer_init(&h->m, &h->setup, NULL);
    if (ret < 0)
        return AVERROR(ENOMEM);
    uint8_t *buffer = av_malloc(IO_SIZE);
    if (buffer)
        h->m.av->pb = avio_alloc_context(buffer, IO_SIZE, 1, &h->bytes, NULL, keep_bytes, NULL);
    if (!h->m.av->pb) {
        av_free(buffer);
        return AVERROR(ENOMEM);
    }
    ret = av_dict_parse_string(&options, h->setup.kind->options, "=", ":", 0);
    if (ret >= 0)
        ret = avformat_write_header(h->m.av, &options);
    av_dict_free(&options);
    avio_flush(h->m.av->pb);
    return ret;
}

static int write_init(struct sc_hls *h, sc_err *err)
{
    sc_str name = {0};
    if (*h->folder && !h->setup.params->store && mkdir(h->folder, 0755) < 0 && errno != EEXIST)
        return sc_hls_fail_file(h, "", err);
    sc_str_addf(&name, "%s-%s-init.mp4", h->stem, h->run);
    int ret = sc_hls_write_file(h, name.s, sc_str_get(&h->bytes), h->bytes.len, err);
    sc_str_clear(&h->bytes);
    sc_str_release(&name);
    return ret;
}

// Parts of a segment are equally long, in whole pictures; times that are not even need some room.
static int64_t longest_part(int segment_ms, AVRational rate)
{
    int parts = FFMAX((segment_ms + PART_MS / 2) / PART_MS, 1);
    int64_t part = segment_ms * SC_NS_PER_MS / parts;
    if (rate.num > 0 && rate.den > 0) {
        int64_t picture = FFMAX(av_rescale(SC_NS_PER_S, rate.den, rate.num), 1);
        part = (part + picture * 9 / 10) / picture * picture;
    }
    return part * 21 / 20 / SC_NS_PER_MS * SC_NS_PER_MS;
}

static int hls_open(void **psink, const struct sc_sink_setup *setup, sc_err *err)
{
    const struct sc_live_output_params *p = setup->params;
    struct sc_hls *h = sc_new(struct sc_hls);
    h->setup = *setup;
    h->segment_ms = p->segment_ms > 0 ? p->segment_ms : SC_OUTPUT_SEGMENT_MS;
    h->window = p->window ? p->window : 6;
    h->target = (h->segment_ms + 999) / 1000;
    h->part_ns = h->window > 0 ? longest_part(h->segment_ms, p->frame_rate) : 0;
    h->from_ns = INT64_MIN;
    snprintf(h->run, sizeof(h->run), "%012llx", (long long)(sc_clock_wall() / SC_NS_PER_MS));
    split_path(h, p->url);
    int ret = open_muxer(h);
    ret = ret < 0 ? fail_mux(h, ret, err) : write_init(h, err);
    if (ret < 0)
        hls_close(h);
    else
        *psink = h;
    return ret;
}

const struct sc_sink_ops sc_sink_hls = {
    .open = hls_open,
    .write = hls_write,
    .cue = hls_cue,
    .wants_key = hls_wants_key,
    .finish = hls_finish,
    .close = hls_close,
};
