// HLS: a folder with a playlist, segments of fragmented MP4, and text beside them as WebVTT.
//
// A segment is one fragment, cut at a keyframe, written whole before a playlist names it; playlists
// are replaced in one step. Files carry a number of their run, so that no cache confuses two runs.
// Sound that is ahead of its picture waits for the segment where it belongs.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "media/live_output_internal.h"

#define MAX_HELD    1024               // packets of sound that wait for their picture
#define MAX_CUES    10000              // a segment
#define MAX_SEGMENT (60 * SC_NS_PER_S) // without a keyframe
#define IO_SIZE     (64 << 10)

struct segment {
    int64_t from_ns, duration_ns; // on the track's clock
};

struct hls {
    struct sc_sink_setup setup;
    struct sc_muxer m;
    sc_str bytes; // of the segment so far; what the muxer wrote
    char *folder; // with its slash, or ""
    char *stem;   // "index"
    char run[17]; // of this run, hexadecimal
    int segment_ms, window;
    sc_packet *held[MAX_HELD];
    int held_count;
    struct segment *segments; // those of the playlist
    int first, count;         // number of the first; how many
    int target;               // seconds, rounded, that no segment exceeds
    int removed;              // segments before this one are gone
    int64_t from_ns;     // of the segment under way, on the packets' clock; INT64_MIN = none
    int64_t end_ns;      // of the last picture
    int64_t zero_ns;     // of the track, on the packets' clock
    int64_t zero_wall;   // when that was
    struct sc_cue *cues; // of the segment under way
    int cue_count;
    bool asked; // for the keyframe that ends it
};

// --- files ------------------------------------------------------------------------------------

static int fail_file(const struct hls *h, const char *name, sc_err *err)
{
    int code = sc_error_from_errno(errno);
    return sc_fail(err, code, "cannot write %s%s: %s%s", h->folder, name, strerror(errno),
                   errno == ENOSPC ? "; free some space on that disk" : "");
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return -1;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

// Whole or not at all: under another name first.
static int write_file(const struct hls *h, const char *name, const sc_str *content, sc_err *err)
{
    sc_str path = {0}, temporary = {0};
    sc_str_addf(&path, "%s%s", h->folder, name);
    sc_str_addf(&temporary, "%s.%s.part", h->folder, name);
    int ret = SC_OK;
    int fd = open(temporary.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0 && write_all(fd, sc_str_get(content), content->len) == 0;
    if (fd >= 0 && close(fd) < 0)
        good = false;
    if (!good || rename(temporary.s, path.s) < 0) {
        ret = fail_file(h, name, err);
        unlink(temporary.s);
    }
    sc_str_release(&path);
    sc_str_release(&temporary);
    return ret;
}

static void add_name(const struct hls *h, sc_str *out, int number, const char *ending)
{
    sc_str_addf(out, "%s-%s-%05d.%s", h->stem, h->run, number, ending);
}

static void remove_segment(const struct hls *h, int number, const char *ending)
{
    sc_str path = {0};
    sc_str_add(&path, h->folder);
    add_name(h, &path, number, ending);
    unlink(path.s);
    sc_str_release(&path);
}

// "index-<run>-00012.m4s" of another run.
static bool is_old(const struct hls *h, const char *name)
{
    size_t stem = strlen(h->stem), run = strlen(h->run);
    if (strncmp(name, h->stem, stem) != 0 || name[stem] != '-' ||
        strspn(name + stem + 1, "0123456789abcdef") != run || name[stem + 1 + run] != '-')
        return false;
    const char *rest = name + stem + 2 + run, *ending = rest + strspn(rest, "0123456789");
    bool ours = !strcmp(rest, "init.mp4") ||
                (ending > rest && (!strcmp(ending, ".m4s") || !strcmp(ending, ".vtt")));
    return ours && strncmp(name + stem + 1, h->run, run) != 0;
}

// What an earlier run left; its playlist has just been replaced.
static void remove_old(const struct hls *h)
{
    DIR *folder = opendir(*h->folder ? h->folder : ".");
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        if (is_old(h, entry->d_name))
            unlinkat(dirfd(folder), entry->d_name, 0);
    }
    if (folder)
        closedir(folder);
}

// --- playlists --------------------------------------------------------------------------------

static void add_playlist(const struct hls *h, sc_str *out, const char *ending, bool ended)
{
    char when[32];
    sc_str_addf(out, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%d\n", h->target);
    sc_str_addf(out, "#EXT-X-MEDIA-SEQUENCE:%d\n%s", h->first,
                h->window < 0 ? "#EXT-X-PLAYLIST-TYPE:EVENT\n" : "");
    if (!strcmp(ending, "m4s"))
        sc_str_addf(out, "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"%s-%s-init.mp4\"\n",
                    h->stem, h->run);
    for (int i = 0; i < h->count; i++) {
        const struct segment *s = &h->segments[i];
        sc_str_addf(out, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%.6f,\n",
                    sc_clock_format(when, h->zero_wall + s->from_ns),
                    (double)s->duration_ns / 1e9);
        add_name(h, out, h->first + i, ending);
        sc_str_addc(out, '\n');
    }
    if (ended)
        sc_str_add(out, "#EXT-X-ENDLIST\n");
}

static int write_playlist(const struct hls *h, const char *what, const char *ending, bool ended,
                          sc_err *err)
{
    sc_str name = {0}, text = {0};
    sc_str_addf(&name, "%s%s.m3u8", h->stem, what);
    add_playlist(h, &text, ending, ended);
    int ret = write_file(h, name.s, &text, err);
    sc_str_release(&name);
    sc_str_release(&text);
    return ret;
}

// RFC 6381, as far as it can be told without parsing: the bytes after the SPS's type.
static void add_codecs(const struct hls *h, sc_str *out)
{
    const AVCodecParameters *video = h->m.tracks[SC_TRACK_VIDEO].stream->codecpar;
    const uint8_t *d = video->extradata;
    if (video->codec_id != AV_CODEC_ID_H264 || video->extradata_size < 8 || d[0] ||
        (d[4] & 31) != 7)
        return;
    const char *sound = "";
    if (h->setup.sound) {
        enum AVCodecID id = h->setup.params->sound->codec_id;
        sound = id == AV_CODEC_ID_AAC    ? ",mp4a.40.2"
                : id == AV_CODEC_ID_OPUS ? ",Opus"
                : id == AV_CODEC_ID_FLAC ? ",fLaC"
                : id == AV_CODEC_ID_AC3  ? ",ac-3"
                                         : ",ec-3";
    }
    sc_str_addf(out, ",CODECS=\"avc1.%02x%02x%02x%s\"", d[5], d[6], d[7], sound);
}

static int write_master(const struct hls *h, sc_err *err)
{
    const AVCodecParameters *video = h->setup.params->video;
    sc_str name = {0}, text = {0};
    sc_str_addf(&name, "%s.m3u8", h->stem);
    sc_str_addf(&text,
                "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"cues\",NAME=\"detections\",DEFAULT=NO,"
                "AUTOSELECT=NO,FORCED=NO,URI=\"%s-cues.m3u8\"\n"
                "#EXT-X-STREAM-INF:BANDWIDTH=%lld,RESOLUTION=%dx%d",
                h->stem, video->bit_rate > 0 ? (long long)video->bit_rate * 5 / 4 : 4000000LL,
                video->width, video->height);
    add_codecs(h, &text);
    sc_str_addf(&text, ",SUBTITLES=\"cues\"\n%s-video.m3u8\n", h->stem);
    int ret = write_file(h, name.s, &text, err);
    sc_str_release(&name);
    sc_str_release(&text);
    return ret;
}

static int write_playlists(struct hls *h, bool ended, sc_err *err)
{
    bool cues = h->setup.params->cues, first = h->first + h->count == 1;
    int ret = write_playlist(h, cues ? "-video" : "", "m4s", ended, err);
    if (ret >= 0 && cues)
        ret = write_playlist(h, "-cues", "vtt", ended, err);
    if (ret >= 0 && cues && first)
        ret = write_master(h, err);
    if (ret >= 0 && first && h->window >= 0)
        remove_old(h);
    return ret;
}

// --- cues -------------------------------------------------------------------------------------

static void add_time(sc_str *out, int64_t at_ns)
{
    int64_t ms = FFMAX(at_ns, 0) / SC_NS_PER_MS;
    sc_str_addf(out, "%02lld:%02d:%02d.%03d", (long long)(ms / 3600000), (int)(ms / 60000 % 60),
                (int)(ms / 1000 % 60), (int)(ms % 1000));
}

// A blank line would end the cue, and markup is none here.
static void add_cue_text(sc_str *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '<')
            sc_str_add(out, "&lt;");
        else if (*p == '>')
            sc_str_add(out, "&gt;");
        else if (*p == '&')
            sc_str_add(out, "&amp;");
        else if (*p != '\r' && (*p != '\n' || (p > text && p[1] && p[1] != '\n')))
            sc_str_addc(out, *p);
    }
}

// The cues up to now; those that last longer stay for the next segment too.
static int write_cues(struct hls *h, int number, int64_t until_ns, sc_err *err)
{
    sc_str name = {0}, text = {0};
    int kept = 0;
    if (!h->setup.params->cues)
        return SC_OK;
    sc_str_add(&text, "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n");
    for (int i = 0; i < h->cue_count; i++) {
        struct sc_cue cue = h->cues[i];
        bool here = cue.from_ns < until_ns;
        if (here) {
            sc_str_addc(&text, '\n');
            add_time(&text, cue.from_ns - h->zero_ns);
            sc_str_add(&text, " --> ");
            add_time(&text, cue.to_ns - h->zero_ns);
            sc_str_addc(&text, '\n');
            add_cue_text(&text, cue.text);
            sc_str_addc(&text, '\n');
        }
        if (cue.to_ns > until_ns || !here)
            h->cues[kept++] = cue;
        else
            free(cue.text);
    }
    h->cue_count = kept;
    add_name(h, &name, number, "vtt");
    int ret = write_file(h, name.s, &text, err);
    sc_str_release(&name);
    sc_str_release(&text);
    return ret;
}

static void hls_cue(void *sink, const struct sc_cue *cue, int64_t zero_ns)
{
    struct hls *h = sink;
    if (h->cue_count == MAX_CUES || cue->to_ns <= zero_ns)
        return;
    h->cues = h->cues ? h->cues : sc_xcalloc(MAX_CUES, sizeof(*h->cues));
    h->cues[h->cue_count] = *cue;
    h->cues[h->cue_count++].text = sc_xstrdup(cue->text);
}

// --- segments ---------------------------------------------------------------------------------

static int keep_bytes(void *arg, uint8_t *data, int size)
{
    sc_str_addn(arg, data, (size_t)size);
    return size;
}

static int fail_mux(const struct hls *h, int averror, sc_err *err)
{
    return sc_sink_fail(&h->setup, averror, "write to", err);
}

static int mux_packet(struct hls *h, const sc_packet *packet, sc_err *err)
{
    int ret = sc_muxer_prepare(&h->m, packet, h->zero_ns);
    if (ret < 0)
        return ret;
    ret = av_write_frame(h->m.av, h->m.packet);
    av_packet_unref(h->m.packet);
    return ret < 0 ? fail_mux(h, ret, err) : SC_OK;
}

// Sound that begins before `until`.
static int mux_sound(struct hls *h, int64_t until_ns, sc_err *err)
{
    int n = 0, ret = SC_OK;
    while (n < h->held_count && ret >= 0 && h->held[n]->dts_ns < until_ns) {
        ret = mux_packet(h, h->held[n], err);
        sc_packet_unref(&h->held[n++]);
    }
    h->held_count -= n;
    memmove(h->held, h->held + n, (size_t)h->held_count * sizeof(*h->held));
    return ret;
}

static int note_segment(struct hls *h, int64_t until_ns)
{
    struct segment *more =
        sc_try_realloc(h->segments, (size_t)h->count + 1, sizeof(*h->segments));
    if (!more)
        return SC_ENOMEM;
    h->segments = more;
    h->segments[h->count++] = (struct segment){h->from_ns - h->zero_ns, until_ns - h->from_ns};
    h->target =
        FFMAX(h->target, (int)((until_ns - h->from_ns + SC_NS_PER_S / 2) / SC_NS_PER_S));
    if (h->window > 0 && h->count > h->window) {
        h->count--;
        h->first++;
        memmove(h->segments, h->segments + 1, (size_t)h->count * sizeof(*h->segments));
    }
    return SC_OK;
}

// Who has just read a playlist may still ask for what has left it since.
static void remove_passed(struct hls *h)
{
    while (h->window > 0 && h->removed < h->first - h->window) {
        remove_segment(h, h->removed, "m4s");
        remove_segment(h, h->removed++, "vtt");
    }
}

static int end_segment(struct hls *h, int64_t until_ns, bool ended, sc_err *err)
{
    sc_str name = {0};
    int number = h->first + h->count;
    int ret = mux_sound(h, ended ? INT64_MAX : until_ns, err);
    if (ret < 0)
        return ret;
    ret = sc_muxer_cut(&h->m);
    if (ret < 0)
        return fail_mux(h, ret, err);
    avio_flush(h->m.av->pb);
    add_name(h, &name, number, "m4s");
    ret = write_file(h, name.s, &h->bytes, err);
    sc_str_release(&name);
    sc_str_clear(&h->bytes);
    if (ret >= 0)
        ret = write_cues(h, number, ended ? INT64_MAX : until_ns, err);
    if (ret >= 0)
        ret = note_segment(h, until_ns);
    if (ret >= 0)
        ret = write_playlists(h, ended, err);
    remove_passed(h);
    h->asked = false;
    return ret;
}

static int begin(struct hls *h, const sc_packet *packet, int64_t zero_ns)
{
    if (h->from_ns == INT64_MIN) {
        h->zero_ns = zero_ns;
        h->zero_wall = sc_clock_wall();
    }
    h->from_ns = packet->dts_ns;
    return SC_OK;
}

static int hold_sound(struct hls *h, const sc_packet *packet, sc_err *err)
{
    int ret = SC_OK;
    if (h->held_count == MAX_HELD) // its picture does not come
        ret = mux_sound(h, h->held[MAX_HELD / 2]->dts_ns, err);
    if (h->held_count == MAX_HELD)
        return ret < 0 ? ret : SC_EDATA;
    h->held[h->held_count++] = sc_packet_ref((sc_packet *)packet);
    return ret;
}

static int hls_write(void *sink, const sc_packet *packet, int64_t zero_ns, sc_err *err)
{
    struct hls *h = sink;
    int ret = SC_OK;
    if (packet->media == SC_MEDIA_SOUND)
        return hold_sound(h, packet, err);
    int64_t length = h->from_ns == INT64_MIN ? INT64_MAX : packet->dts_ns - h->from_ns;
    bool began = h->from_ns != INT64_MIN;
    if (began && !packet->key && length > MAX_SEGMENT)
        return sc_fail(err, SC_EDATA, "cannot write %s: no keyframe has come for a minute",
                       h->setup.shown);
    if (began && packet->key && length >= h->segment_ms * SC_NS_PER_MS)
        ret = end_segment(h, packet->dts_ns, false, err);
    if (ret >= 0 && packet->key && (!began || length >= h->segment_ms * SC_NS_PER_MS))
        ret = begin(h, packet, zero_ns);
    if (ret >= 0)
        ret = mux_sound(h, packet->dts_ns, err);
    h->end_ns = packet->pts_ns + packet->duration_ns;
    return ret < 0 ? ret : mux_packet(h, packet, err);
}

static bool hls_wants_key(void *sink)
{
    struct hls *h = sink;
    bool due = h->from_ns != INT64_MIN && !h->asked &&
               h->end_ns - h->from_ns >= h->segment_ms * SC_NS_PER_MS;
    h->asked |= due;
    return due;
}

static int hls_finish(void *sink, sc_err *err)
{
    struct hls *h = sink;
    if (h->from_ns == INT64_MIN)
        return SC_OK;
    return end_segment(h, FFMAX(h->end_ns, h->from_ns + 1), true, err);
}

// --- opening ----------------------------------------------------------------------------------

static void hls_close(void *sink)
{
    struct hls *h = sink;
    if (h->m.av && h->m.av->pb) {
        av_freep(&h->m.av->pb->buffer);
        avio_context_free(&h->m.av->pb);
    }
    sc_muxer_release(&h->m);
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

static void split_path(struct hls *h, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    h->folder = sc_xstrdup(path);
    h->folder[name - path] = '\0';
    h->stem = sc_xstrdup(name);
    h->stem[strlen(name) - strlen(".m3u8")] = '\0';
}

static int open_muxer(struct hls *h)
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

static int write_init(struct hls *h, sc_err *err)
{
    sc_str name = {0};
    if (*h->folder && mkdir(h->folder, 0755) < 0 && errno != EEXIST)
        return fail_file(h, "", err);
    sc_str_addf(&name, "%s-%s-init.mp4", h->stem, h->run);
    int ret = write_file(h, name.s, &h->bytes, err);
    sc_str_clear(&h->bytes);
    sc_str_release(&name);
    return ret;
}

static int hls_open(void **psink, const struct sc_sink_setup *setup, sc_err *err)
{
    const struct sc_live_output_params *p = setup->params;
    struct hls *h = sc_new(struct hls);
    h->setup = *setup;
    h->segment_ms = p->segment_ms > 0 ? p->segment_ms : 1000;
    h->window = p->window ? p->window : 6;
    h->target = (h->segment_ms + 999) / 1000;
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
