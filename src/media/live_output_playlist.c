// What an HLS output tells players: playlists and cues.
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/live_output_hls.h"

// --- playlists --------------------------------------------------------------------------------

static void add_date(const struct sc_hls *h, sc_str *out, int64_t at_ns)
{
    char when[32];
    sc_str_addf(out, "#EXT-X-PROGRAM-DATE-TIME:%s\n",
                sc_clock_format(when, h->zero_wall + at_ns));
}

// How far from the end players play. Where nobody holds their request until there is a part more, they read
// the playlist again after a segment's time: they need what lasts as long, and some room.
static void add_part_head(const struct sc_hls *h, sc_str *out)
{
    double part = (double)h->part_ns / 1e9;
    bool held = h->setup.params->holds;
    sc_str_addf(out, "#EXT-X-SERVER-CONTROL:%sPART-HOLD-BACK=%.3f\n",
                held ? "CAN-BLOCK-RELOAD=YES," : "",
                held ? 3 * part : FFMAX(3 * part, h->target + 2 * part));
    sc_str_addf(out, "#EXT-X-PART-INF:PART-TARGET=%.3f\n", part);
}

static void add_head(const struct sc_hls *h, sc_str *out, bool picture)
{
    sc_str_addf(out, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%d\n", h->target);
    if (picture && h->part_ns)
        add_part_head(h, out);
    sc_str_addf(out, "#EXT-X-MEDIA-SEQUENCE:%d\n%s", h->first,
                h->window < 0 ? "#EXT-X-PLAYLIST-TYPE:EVENT\n" : "");
    if (picture)
        sc_str_addf(out, "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"%s-%s-init.mp4\"\n",
                    h->stem, h->run);
}

static void add_parts(const struct sc_hls *h, sc_str *out, int segment)
{
    for (int i = 0; i < h->part_count; i++) {
        const struct sc_hls_part *part = &h->parts[i];
        if (part->segment != segment)
            continue;
        sc_str_addf(out, "#EXT-X-PART:DURATION=%.6f,URI=\"", (double)part->duration_ns / 1e9);
        sc_hls_add_part_name(h, out, segment, part->number);
        sc_str_addf(out, "\"%s\n", part->key ? ",INDEPENDENT=YES" : "");
    }
}

// The parts of the segment under way, and the one that comes next.
static void add_tail(const struct sc_hls *h, sc_str *out)
{
    const struct sc_hls_part *last = &h->parts[h->part_count - 1];
    int segment = h->first + h->count;
    bool begun = last->segment == segment;
    if (begun)
        add_date(h, out, h->from_ns - h->zero_ns);
    add_parts(h, out, segment);
    sc_str_add(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"");
    sc_hls_add_part_name(h, out, segment, begun ? last->number + 1 : 0);
    sc_str_add(out, "\"\n");
}

static void add_playlist(const struct sc_hls *h, sc_str *out, const char *ending, bool ended)
{
    bool picture = !strcmp(ending, "m4s");
    add_head(h, out, picture);
    for (int i = 0; i < h->count; i++) {
        const struct sc_hls_segment *s = &h->segments[i];
        add_date(h, out, s->from_ns);
        if (picture && i >= h->count - SC_HLS_IN_PARTS)
            add_parts(h, out, h->first + i);
        sc_str_addf(out, "#EXTINF:%.6f,\n", (double)s->duration_ns / 1e9);
        sc_hls_add_name(h, out, h->first + i, ending);
        sc_str_addc(out, '\n');
    }
    if (ended)
        sc_str_add(out, "#EXT-X-ENDLIST\n");
    else if (picture && h->part_count)
        add_tail(h, out);
}

static int write_playlist(const struct sc_hls *h, const char *what, const char *ending,
                          bool ended, sc_err *err)
{
    sc_str name = {0}, text = {0};
    sc_str_addf(&name, "%s%s.m3u8", h->stem, what);
    add_playlist(h, &text, ending, ended);
    int ret = sc_hls_write_file(h, name.s, text.s, text.len, err);
    sc_str_release(&name);
    sc_str_release(&text);
    return ret;
}

static int write_picture_playlist(const struct sc_hls *h, bool ended, sc_err *err)
{
    const struct sc_live_output_params *p = h->setup.params;
    const struct sc_hls_part *last = h->part_count ? &h->parts[h->part_count - 1] : NULL;
    int segment = h->first + h->count;
    int ret = write_playlist(h, p->cues ? "-video" : "", "m4s", ended, err);
    if (ret >= 0 && p->store)
        p->store->listed(p->store->arg, segment,
                         ended                              ? -1
                         : last && last->segment == segment ? last->number + 1
                                                            : 0);
    return ret;
}

// Not before there is a whole segment: players that know no parts would find nothing.
int sc_hls_write_part_playlist(struct sc_hls *h, sc_err *err)
{
    return h->count ? write_picture_playlist(h, false, err) : SC_OK;
}

// RFC 6381, as far as it can be told without parsing: the bytes after the SPS's type.
static void add_codecs(const struct sc_hls *h, sc_str *out)
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

static int write_master(const struct sc_hls *h, sc_err *err)
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
    int ret = sc_hls_write_file(h, name.s, text.s, text.len, err);
    sc_str_release(&name);
    sc_str_release(&text);
    return ret;
}

int sc_hls_write_playlists(struct sc_hls *h, bool ended, sc_err *err)
{
    bool cues = h->setup.params->cues, first = h->first + h->count == 1;
    int ret = write_picture_playlist(h, ended, err);
    if (ret >= 0 && cues)
        ret = write_playlist(h, "-cues", "vtt", ended, err);
    if (ret >= 0 && cues && first)
        ret = write_master(h, err);
    if (ret >= 0 && first && h->window >= 0)
        sc_hls_remove_old(h);
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
int sc_hls_write_cues(struct sc_hls *h, int number, int64_t until_ns, sc_err *err)
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
    sc_hls_add_name(h, &name, number, "vtt");
    int ret = sc_hls_write_file(h, name.s, text.s, text.len, err);
    sc_str_release(&name);
    sc_str_release(&text);
    return ret;
}
