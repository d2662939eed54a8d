// From a packet scan to an index: which packets show a picture, in which order, and from where
// each can be reached.
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "media/hash.h"
#include <libavutil/avstring.h>
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "media/decoder.h"
#include "media/frame.h"
#include "media/index_scan.h"

#define NONE           UINT32_MAX
#define MAX_STRETCHES  64 // more doubtful places than this: decode everything
#define JUMP_BACK_S    1  // timestamps that jump more are a discontinuity (MPEG-TS)
#define JUMP_FORWARD_S 10

struct builder {
    const char *path;
    const struct sc_index_params *params;
    sc_input *input;
    struct sc_scan scan;
    struct sc_frame_rec *frames; // in display order
    uint64_t *hashes;            // likewise, NULL unless everything was decoded
    int64_t frame_count;
    struct sc_packet_rec *packets; // in decode order
    int64_t *dts;
    struct sc_entry_rec *entries;
    int64_t entry_count;
    int64_t *times; // of frames, in display order, before they are made to start at 0
    bool ordered;   // frames hold a display order
    bool decoded;
};

// --- facts about packets --------------------------------------------------------------------

static bool reorders(enum AVCodecID id)
{
    const AVCodecDescriptor *desc = avcodec_descriptor_get(id);
    if (id == AV_CODEC_ID_VP8 || id == AV_CODEC_ID_VP9 || id == AV_CODEC_ID_AV1)
        return false; // what is shown is shown in packet order
    return !desc || !(desc->props & AV_CODEC_PROP_INTRA_ONLY);
}

// The second field of a picture shows nothing of its own. What a decoder makes of a field without
// a second one, only decoding tells.
static void hide_second_fields(struct sc_scan *scan)
{
    struct sc_scanned *first = NULL; // a field that waits for its second
    for (int64_t i = 0; i < scan->count; i++) {
        struct sc_scanned *p = &scan->packets[i];
        bool second = first && p->au.field == 3 - first->au.field &&
                      p->au.frame_num == first->au.frame_num;
        if (second)
            p->flags |= SC_PACKET_HIDDEN;
        else if (first)
            first->flags |= SC_PACKET_SUSPECT;
        first = !second && p->au.field ? p : NULL;
    }
    if (first)
        first->flags |= SC_PACKET_SUSPECT;
}

// RASL pictures of a CRA that decoding started at, and of every BLA, are never output.
static void hide_rasl(struct sc_scan *scan)
{
    bool dropping = true, started = false;
    for (int64_t i = 0; i < scan->count; i++) {
        struct sc_scanned *p = &scan->packets[i];
        if (p->au.rap == SC_RAP_CLEAN || p->au.rap == SC_RAP_OPEN) {
            dropping = p->au.bla || (p->au.cra && !started);
            started = true;
        }
        if (p->au.rasl && dropping)
            p->flags |= SC_PACKET_HIDDEN;
    }
}

static void mark_disposable(struct sc_scan *scan)
{
    int top = 0;
    for (int64_t i = 0; i < scan->count; i++)
        top = scan->packets[i].au.layer > top ? scan->packets[i].au.layer : top;
    for (int64_t i = 0; i < scan->count; i++) {
        struct sc_scanned *p = &scan->packets[i];
        bool pair = p->au.field || (i + 1 < scan->count && p[1].au.field);
        if (p->au.disposable && p->au.layer == top && !pair)
            p->flags |= SC_PACKET_DISPOSABLE;
    }
}

// Joins what a transport stream's time discontinuities have torn apart: each section goes on
// where the one before ended.
static void join_sections(struct builder *b)
{
    AVRational tb = b->input->video->time_base;
    int64_t back = av_rescale_q(JUMP_BACK_S, (AVRational){1, 1}, tb);
    int64_t forward = av_rescale_q(JUMP_FORWARD_S, (AVRational){1, 1}, tb);
    int64_t offset = 0, expected = AV_NOPTS_VALUE, step = 0;
    if (!(b->input->fmt->iformat->flags & AVFMT_TS_DISCONT))
        return;
    for (int64_t i = 0; i < b->scan.count; i++) {
        struct sc_scanned *p = &b->scan.packets[i];
        if (p->dts == AV_NOPTS_VALUE)
            continue;
        int64_t dts = p->dts + offset;
        if (expected != AV_NOPTS_VALUE && (dts < expected - back || dts > expected + forward)) {
            offset += expected - dts;
            dts = expected;
        }
        if (p->duration)
            step = p->duration;
        expected = dts + step;
        p->dts = dts;
        if (p->pts != AV_NOPTS_VALUE)
            p->pts += offset;
    }
}

static bool is_entry(const struct sc_scanned *p)
{
    return p->au.rap == SC_RAP_CLEAN || p->au.rap == SC_RAP_OPEN ||
           (p->au.rap == SC_RAP_UNKNOWN && (p->flags & SC_PACKET_KEY));
}

// --- order ----------------------------------------------------------------------------------

struct by_time {
    int64_t pts;
    uint32_t packet;
};

static int compare_times(const void *pa, const void *pb)
{
    const struct by_time *a = pa, *b = pb;
    if (a->pts != b->pts)
        return a->pts < b->pts ? -1 : 1;
    return a->packet < b->packet ? -1 : a->packet > b->packet;
}

static int allocate(struct builder *b)
{
    size_t n = (size_t)b->scan.count;
    b->frames = sc_try_calloc(n, sizeof(*b->frames));
    b->packets = sc_try_calloc(n, sizeof(*b->packets));
    b->entries = sc_try_calloc(n + 1, sizeof(*b->entries));
    b->times = sc_try_calloc(n, sizeof(*b->times));
    b->dts = sc_try_calloc(n, sizeof(*b->dts));
    return b->frames && b->packets && b->entries && b->times && b->dts ? SC_OK : SC_ENOMEM;
}

// Orders the shown packets by timestamp, or as they come where the codec never reorders. False
// where timestamps do not settle the order.
static bool order_by_time(struct builder *b)
{
    bool sort = reorders(b->input->video->codecpar->codec_id), good = true, sorted = true;
    struct by_time *list = sc_try_calloc((size_t)b->scan.count, sizeof(*list));
    int64_t n = 0;
    if (!list)
        return false;
    for (int64_t i = 0; i < b->scan.count; i++) {
        const struct sc_scanned *p = &b->scan.packets[i];
        good &= !p->au.packed;
        if (p->flags & SC_PACKET_HIDDEN)
            continue;
        int64_t time = p->pts == AV_NOPTS_VALUE && !sort ? p->dts : p->pts;
        good &= time != AV_NOPTS_VALUE;
        list[n] = (struct by_time){time, (uint32_t)i};
        sorted &= !n || compare_times(&list[n - 1], &list[n]) < 0;
        n++;
    }
    if (good && sort && !sorted)
        qsort(list, (size_t)n, sizeof(*list), compare_times);
    for (int64_t i = 0; i < n; i++) {
        good &= !sort || !i || list[i].pts != list[i - 1].pts;
        b->frames[i] = (struct sc_frame_rec){.packet = list[i].packet};
        b->times[i] = list[i].pts;
    }
    free(list);
    b->frame_count = n;
    return b->ordered = good && n > 0;
}

// Frame numbers into the packet table, and entry points from what is known so far.
static void number_packets(struct builder *b)
{
    for (int64_t i = 0; i < b->scan.count; i++) {
        const struct sc_scanned *p = &b->scan.packets[i];
        b->packets[i] = (struct sc_packet_rec){
            .pos = b->scan.direct ? p->payload : p->pos,
            .size = p->size,
            .frame = -1,
            .crc = p->crc,
            .flags = p->flags,
        };
        b->dts[i] = p->dts;
    }
    for (int64_t n = 0; n < b->frame_count; n++)
        b->packets[b->frames[n].packet].frame = (int32_t)n;
}

// The first frame displayed at or after packet k's own time.
static int64_t first_after(const struct builder *b, int64_t k)
{
    if (b->packets[k].frame >= 0)
        return b->packets[k].frame;
    int64_t pts = b->scan.packets[k].pts, low = 0, high = b->frame_count;
    if (pts == AV_NOPTS_VALUE || b->decoded)
        return -1;
    while (low < high) {
        int64_t mid = (low + high) / 2;
        if (b->times[mid] < pts)
            low = mid + 1;
        else
            high = mid;
    }
    return low < b->frame_count ? low : -1;
}

static void find_entries(struct builder *b)
{
    b->entry_count = 1; // the start: whatever it is, decoding from it is the linear decode
    b->entries[0] = (struct sc_entry_rec){0, 0};
    for (int64_t k = 1; k < b->scan.count; k++) {
        if (!is_entry(&b->scan.packets[k]))
            continue;
        int64_t first = first_after(b, k);
        if (first < (int64_t)b->entries[b->entry_count - 1].first_exact)
            continue;
        b->entries[b->entry_count++] = (struct sc_entry_rec){(uint32_t)k, (uint32_t)first};
    }
}

// --- decoding what packets cannot settle ------------------------------------------------------

struct stretch {
    int64_t from, judged, to; // decode [from, to); packets [judged, to) are settled by it
};

struct seen {
    struct builder *b;
    uint8_t *shown;   // per packet: a frame came out
    uint32_t *order;  // packets in output order
    uint64_t *hashes; // in output order, NULL if unwanted
    int64_t count, total;
    int threads;
};

static int see_frame(void *arg, AVFrame *frame, int64_t packet)
{
    struct seen *seen = arg;
    const struct sc_index_params *params = seen->b->params;
    if (packet < 0 || packet >= seen->b->scan.count || seen->shown[packet] ||
        (seen->b->scan.packets[packet].flags & SC_PACKET_HIDDEN))
        return 0;
    seen->shown[packet] = 1;
    if (seen->hashes)
        seen->hashes[seen->count] = sc_frame_hash(frame);
    seen->order[seen->count++] = (uint32_t)packet;
    if (params->progress && seen->hashes && !(seen->count & 15))
        params->progress(params->progress_arg, (double)seen->count / (double)seen->total);
    return 0;
}

static int assemble(struct builder *b, sc_index **pix, sc_err *err);

static int decode_stretch(struct builder *b, sc_index *ix, const struct stretch *s,
                          struct seen *seen, sc_err *err)
{
    int64_t errors = 0;
    int ret = sc_decode_range(ix, b->path, s->from, s->to, seen->threads, b->params->cancel,
                              see_frame, seen, &errors, err);
    if (ret >= 0 && errors && seen->threads != 1) { // see sc_decoder_errors()
        seen->threads = 1;
        seen->count = 0;
        memset(seen->shown, 0, (size_t)b->scan.count);
        return decode_stretch(b, ix, s, seen, err);
    }
    for (int64_t k = s->judged; ret >= 0 && k < s->to; k++) {
        if (!seen->shown[k])
            b->scan.packets[k].flags |= SC_PACKET_HIDDEN;
    }
    return ret;
}

static int64_t entry_before(const struct builder *b, int64_t packet)
{
    int64_t low = 0, high = b->entry_count;
    while (high - low > 1) {
        int64_t mid = (low + high) / 2;
        if (b->entries[mid].packet <= packet)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static int64_t entry_packet(const struct builder *b, int64_t e)
{
    return e < b->entry_count ? (int64_t)b->entries[e < 0 ? 0 : e].packet : b->scan.count;
}

static bool add_stretch(struct builder *b, int64_t packet, struct stretch *list, int *count)
{
    int64_t e = entry_before(b, packet);
    struct stretch s = {entry_packet(b, e - 1), entry_packet(b, e), entry_packet(b, e + 1)};
    if (*count && list[*count - 1].to >= s.to)
        return true; // already in the last one
    if (*count == MAX_STRETCHES)
        return false;
    list[(*count)++] = s;
    return true;
}

// Is the start anything but a clean random access point with nothing displayed before it?
static bool doubtful_start(const struct builder *b)
{
    const struct sc_scanned *first = &b->scan.packets[0];
    if (first->flags & SC_PACKET_SUSPECT)
        return true;
    if (!is_entry(first))
        return true;
    if (first->au.rap == SC_RAP_CLEAN || (first->flags & SC_PACKET_HIDDEN))
        return false;
    return b->frames[0].packet != 0;
}

// The places where a look into the decoder is needed. False when there are too many.
static bool list_stretches(struct builder *b, struct stretch *list, int *count)
{
    *count = 0;
    if (doubtful_start(b) && !add_stretch(b, 0, list, count))
        return false;
    for (int64_t k = 1; k < b->scan.count; k++) {
        if ((b->scan.packets[k].flags & SC_PACKET_SUSPECT) && !add_stretch(b, k, list, count))
            return false;
    }
    return true;
}

static int settle_by_decoding(struct builder *b, const struct stretch *list, int count,
                              struct seen *seen, sc_err *err)
{
    sc_index *ix = NULL;
    size_t n = (size_t)b->scan.count;
    seen->b = b;
    seen->total = b->scan.count;
    seen->shown = sc_try_calloc(n, 1);
    seen->order = sc_try_calloc(n, sizeof(*seen->order));
    int ret = seen->shown && seen->order ? assemble(b, &ix, err) : SC_ENOMEM;
    for (int i = 0; i < count && ret >= 0; i++)
        ret = decode_stretch(b, ix, &list[i], seen, err);
    sc_index_unref(&ix);
    b->decoded = true;
    return ret;
}

static int compare_int64(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return a < b ? -1 : a > b;
}

// Times for frames whose order came from the decoder: their pts where those grow, else the
// packets' dts in order, else one frame duration after another.
static void time_decoded(struct builder *b)
{
    bool pts = true, dts = true;
    for (int64_t i = 0; i < b->frame_count; i++) {
        const struct sc_scanned *p = &b->scan.packets[b->frames[i].packet];
        b->times[i] = p->pts;
        pts &= p->pts != AV_NOPTS_VALUE && (!i || p->pts >= b->times[i - 1]);
        dts &= p->dts != AV_NOPTS_VALUE;
    }
    if (pts)
        return;
    AVRational rate = av_guess_frame_rate(b->input->fmt, b->input->video, NULL);
    if (rate.num <= 0 || rate.den <= 0)
        rate = (AVRational){25, 1};
    for (int64_t i = 0; i < b->frame_count; i++)
        b->times[i] = dts ? b->scan.packets[b->frames[i].packet].dts
                          : av_rescale_q(i, av_inv_q(rate), b->input->video->time_base);
    if (dts)
        qsort(b->times, (size_t)b->frame_count, sizeof(*b->times), compare_int64);
}

static int settle_whole(struct builder *b, sc_err *err)
{
    struct stretch all = {0, 0, b->scan.count};
    struct seen seen = {.threads = b->params->threads};
    // A provisional order, so that the reader below has an index to work with.
    b->frame_count = b->scan.count;
    for (int64_t i = 0; i < b->scan.count; i++) {
        b->frames[i] = (struct sc_frame_rec){.packet = (uint32_t)i};
        b->times[i] = i;
    }
    number_packets(b);
    b->entry_count = 1;
    seen.hashes = sc_try_calloc((size_t)b->scan.count, sizeof(uint64_t));
    int ret = seen.hashes ? settle_by_decoding(b, &all, 1, &seen, err) : SC_ENOMEM;
    if (ret >= 0) {
        b->frame_count = seen.count;
        for (int64_t i = 0; i < seen.count; i++)
            b->frames[i] = (struct sc_frame_rec){.packet = seen.order[i]};
        b->hashes = seen.hashes;
        seen.hashes = NULL;
        b->ordered = true;
        time_decoded(b);
    }
    free(seen.hashes);
    free(seen.shown);
    free(seen.order);
    return ret;
}

static int settle_stretches(struct builder *b, const struct stretch *list, int count,
                            sc_err *err)
{
    struct seen seen = {.threads = 1};
    int ret = settle_by_decoding(b, list, count, &seen, err);
    free(seen.shown);
    free(seen.order);
    if (ret < 0)
        return ret;
    order_by_time(b);
    return SC_OK;
}

// --- facts about the whole -------------------------------------------------------------------

// Ticks start at 0 and grow strictly: frames that claim the same time are one tick apart. False
// where timestamps lie further apart than any video is long.
static bool set_ticks(struct builder *b)
{
    AVRational tb = b->input->video->time_base;
    __int128 most = SC_INDEX_MAX_SECONDS / 2 * (__int128)tb.den / tb.num;
    for (int64_t i = 0; i < b->frame_count; i++) {
        __int128 ticks = (__int128)b->times[i] - b->times[0];
        if (i && ticks <= b->frames[i - 1].ticks)
            ticks = b->frames[i - 1].ticks + 1;
        if (ticks > most || ticks > INT64_MAX / 4)
            return false;
        b->frames[i].ticks = (int64_t)ticks;
    }
    return true;
}

static void measure_rate(struct builder *b, struct sc_index_header *h)
{
    AVRational tb = b->input->video->time_base;
    const struct sc_scanned *last = &b->scan.packets[b->frames[b->frame_count - 1].packet];
    int64_t span = b->frames[b->frame_count - 1].ticks, n = b->frame_count - 1;
    int64_t average = n ? span / n : 0, shortest = INT64_MAX, longest = 0;
    for (int64_t i = 1; i <= n; i++) {
        int64_t step = b->frames[i].ticks - b->frames[i - 1].ticks;
        shortest = step < shortest ? step : shortest;
        longest = step > longest ? step : longest;
    }
    AVRational rate = av_guess_frame_rate(b->input->fmt, b->input->video, NULL);
    if (n && span > 0) {
        double measured = (double)n / ((double)span * av_q2d(tb));
        if (rate.num <= 0 || fabs(av_q2d(rate) / measured - 1) > 0.01)
            rate = av_d2q(measured, 60060);
    }
    if (rate.num <= 0 || rate.den <= 0)
        rate = (AVRational){25, 1};
    h->variable_rate = n > 1 && longest - shortest > 1;
    h->rate_num = rate.num;
    h->rate_den = rate.den;
    int64_t step =
        last->duration > 0 && last->duration / 10 <= average ? last->duration : average;
    if (step <= 0)
        step = av_rescale_q(1, av_inv_q(rate), tb);
    step = step > INT64_MAX / 4 ? INT64_MAX / 4 : step;
    h->duration_ticks = span + (step > 0 ? step : 1);
}

static int assemble(struct builder *b, sc_index **pix, sc_err *err)
{
    struct sc_index_parts parts = {
        .frames = b->frames,
        .hashes = b->hashes,
        .packets = b->packets,
        .dts = b->dts,
        .entries = b->entries,
        .sides = b->scan.sides,
        .extradata = b->input->video->codecpar->extradata,
        .side_data = b->scan.side_data,
    };
    struct sc_index_header *h = &parts.header;
    const char *format = b->input->fmt->iformat->name;
    h->file_size = (uint64_t)b->input->size;
    h->mtime_ns = b->input->mtime_ns;
    h->frames = b->frame_count;
    h->packets = b->scan.count;
    h->entries = b->entry_count;
    h->sides = b->scan.side_count;
    h->side_bytes = b->scan.side_bytes;
    h->has_hash = b->hashes != NULL;
    h->direct = b->scan.direct;
    h->decoded = b->decoded;
    h->byte_seek = !strcmp(format, "mpegts") || !strcmp(format, "mpeg");
    h->tb_num = b->input->video->time_base.num;
    h->tb_den = b->input->video->time_base.den;
    h->has_audio = b->input->has_audio;
    sc_index_describe(b->input, h);
    sc_index_hash_content(b->input, &b->scan, h);
    if (!set_ticks(b))
        return sc_fail(err, SC_EDATA,
                       "the file's timestamps are centuries apart: it is damaged");
    measure_rate(b, h);
    return sc_index_assemble(pix, &parts, err);
}

// --- building --------------------------------------------------------------------------------

static int check_stream(struct builder *b, sc_err *err)
{
    const AVCodecParameters *par = b->input->video->codecpar;
    if (!avcodec_find_decoder(par->codec_id))
        return sc_fail(err, SC_EUNSUPPORTED, "no decoder for the video codec %s",
                       avcodec_get_name(par->codec_id));
    if (par->width <= 0 || par->height <= 0)
        return sc_fail(err, SC_EDATA,
                       "the video's picture size cannot be found: the file is "
                       "damaged or cut off at its start");
    if (par->width > SC_INDEX_MAX_SIDE || par->height > SC_INDEX_MAX_SIDE)
        return sc_fail(err, SC_ELIMIT, "pictures of %dx%d are larger than %dx%d", par->width,
                       par->height, SC_INDEX_MAX_SIDE, SC_INDEX_MAX_SIDE);
    return SC_OK;
}

static int settle(struct builder *b, sc_err *err)
{
    struct stretch list[MAX_STRETCHES];
    int count = 0;
    hide_second_fields(&b->scan);
    hide_rasl(&b->scan);
    mark_disposable(&b->scan);
    join_sections(b);
    if (allocate(b) < 0)
        return sc_fail(err, SC_ENOMEM, "out of memory for %" PRId64 " packets", b->scan.count);
    int ret = SC_OK;
    if (order_by_time(b)) {
        number_packets(b);
        find_entries(b);
        bool few = list_stretches(b, list, &count);
        if (few && count)
            ret = settle_stretches(b, list, count, err);
        else if (!few)
            ret = settle_whole(b, err);
    } else {
        ret = settle_whole(b, err);
    }
    if (ret < 0)
        return ret;
    if (!b->frame_count)
        return sc_fail(err, SC_EDATA,
                       "the file has a video stream but no picture in it can be "
                       "decoded");
    number_packets(b);
    find_entries(b);
    return SC_OK;
}

static void log_built(const struct builder *b, const sc_index *ix)
{
    sc_require(ix);
    SC_DEBUG(b->params->log, "index built", SC_S("path", b->path),
             SC_I("frames", ix->info.frames), SC_I("packets", ix->info.packets),
             SC_I("entries", ix->info.entries), SC_B("direct", ix->info.direct),
             SC_B("decoded", ix->info.decoded));
}

// Finding stream info decodes the first pictures, which takes longer than scanning a short file:
// both are done at once where the container's own tables are all that the scan needs.
struct probing {
    const char *path;
    sc_input *input;
    sc_err err;
    int ret;
};

static void *probe(void *arg)
{
    struct probing *p = arg;
    p->ret = sc_input_open(&p->input, p->path, true, &p->err);
    return NULL;
}

static bool has_tables(const sc_input *input)
{
    const char *name = input->fmt->iformat->name;
    return av_match_name("mp4", name) || av_match_name("matroska", name);
}

static int scan_while_probing(struct builder *b, sc_input *bare, sc_err *err)
{
    struct probing p = {.path = b->path};
    pthread_t thread;
    bool beside = !pthread_create(&thread, NULL, probe, &p);
    int ret = sc_scan_run(&b->scan, bare, b->params, err);
    if (beside)
        pthread_join(thread, NULL);
    else
        probe(&p);
    b->input = p.input;
    if (p.ret < 0 && err)
        *err = p.err; // it knows more of what is wrong with the file
    if (p.ret < 0)
        return p.ret;
    if (ret >= 0 && b->input->video->index != bare->video->index) {
        sc_scan_release(&b->scan); // probing has found another stream to be the video
        ret = sc_scan_run(&b->scan, b->input, b->params, err);
    }
    return ret < 0 ? ret : check_stream(b, err);
}

static int gather(struct builder *b, sc_err *err)
{
    sc_input *bare = NULL;
    int ret = sc_input_open(&bare, b->path, false, NULL);
    if (ret >= 0 && has_tables(bare)) {
        ret = scan_while_probing(b, bare, err);
    } else {
        ret = sc_input_open(&b->input, b->path, true, err);
        if (ret >= 0 && (ret = check_stream(b, err)) >= 0)
            ret = sc_scan_run(&b->scan, b->input, b->params, err);
    }
    sc_input_close(&bare);
    return ret;
}

int sc_index_build(sc_index **pix, const char *path, const struct sc_index_params *params,
                   sc_err *err)
{
    static const struct sc_index_params defaults;
    struct builder b = {.path = path, .params = params ? params : &defaults};
    *pix = NULL;
    int ret = gather(&b, err);
    if (ret >= 0 && (ret = settle(&b, err)) >= 0 && (ret = assemble(&b, pix, err)) >= 0)
        log_built(&b, *pix);
    if (ret < 0 && err && err->code == SC_OK)
        sc_fail(err, ret, "%s: %s", path, sc_strerror(ret));
    sc_scan_release(&b.scan);
    sc_input_close(&b.input);
    free(b.frames);
    free(b.hashes);
    free(b.packets);
    free(b.dts);
    free(b.entries);
    free(b.times);
    return ret;
}
