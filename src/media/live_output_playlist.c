// The files of an HLS output: playlists, cues, and what is removed again.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/live_output_hls.h"

// --- files ------------------------------------------------------------------------------------

int sc_hls_fail_file(const struct sc_hls *h, const char *name, sc_err *err)
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
int sc_hls_write_file(const struct sc_hls *h, const char *name, const sc_str *content,
                      sc_err *err)
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
        ret = sc_hls_fail_file(h, name, err);
        unlink(temporary.s);
    }
    sc_str_release(&path);
    sc_str_release(&temporary);
    return ret;
}

void sc_hls_add_name(const struct sc_hls *h, sc_str *out, int number, const char *ending)
{
    sc_str_addf(out, "%s-%s-%05d.%s", h->stem, h->run, number, ending);
}

static void remove_segment(const struct sc_hls *h, int number, const char *ending)
{
    sc_str path = {0};
    sc_str_add(&path, h->folder);
    sc_hls_add_name(h, &path, number, ending);
    unlink(path.s);
    sc_str_release(&path);
}

// "index-<run>-00012.m4s" of another run.
static bool is_old(const struct sc_hls *h, const char *name)
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
static void remove_old(const struct sc_hls *h)
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

// Who has just read a playlist may still ask for what has left it since.
void sc_hls_remove_passed(struct sc_hls *h)
{
    while (h->window > 0 && h->removed < h->first - h->window) {
        remove_segment(h, h->removed, "m4s");
        remove_segment(h, h->removed++, "vtt");
    }
}

// --- playlists --------------------------------------------------------------------------------

static void add_playlist(const struct sc_hls *h, sc_str *out, const char *ending, bool ended)
{
    char when[32];
    sc_str_addf(out, "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%d\n", h->target);
    sc_str_addf(out, "#EXT-X-MEDIA-SEQUENCE:%d\n%s", h->first,
                h->window < 0 ? "#EXT-X-PLAYLIST-TYPE:EVENT\n" : "");
    if (!strcmp(ending, "m4s"))
        sc_str_addf(out, "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"%s-%s-init.mp4\"\n",
                    h->stem, h->run);
    for (int i = 0; i < h->count; i++) {
        const struct sc_hls_segment *s = &h->segments[i];
        sc_str_addf(out, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%.6f,\n",
                    sc_clock_format(when, h->zero_wall + s->from_ns),
                    (double)s->duration_ns / 1e9);
        sc_hls_add_name(h, out, h->first + i, ending);
        sc_str_addc(out, '\n');
    }
    if (ended)
        sc_str_add(out, "#EXT-X-ENDLIST\n");
}

static int write_playlist(const struct sc_hls *h, const char *what, const char *ending,
                          bool ended, sc_err *err)
{
    sc_str name = {0}, text = {0};
    sc_str_addf(&name, "%s%s.m3u8", h->stem, what);
    add_playlist(h, &text, ending, ended);
    int ret = sc_hls_write_file(h, name.s, &text, err);
    sc_str_release(&name);
    sc_str_release(&text);
    return ret;
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
    int ret = sc_hls_write_file(h, name.s, &text, err);
    sc_str_release(&name);
    sc_str_release(&text);
    return ret;
}

int sc_hls_write_playlists(struct sc_hls *h, bool ended, sc_err *err)
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
    int ret = sc_hls_write_file(h, name.s, &text, err);
    sc_str_release(&name);
    sc_str_release(&text);
    return ret;
}
