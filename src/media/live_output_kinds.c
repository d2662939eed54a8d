// The kinds of output: which address means which container, and what that can hold.
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/url.h"
#include "media/live_output_internal.h"

#define TS_SOUND                                                                               \
    {                                                                                          \
        AV_CODEC_ID_AAC, AV_CODEC_ID_MP3, AV_CODEC_ID_AC3, AV_CODEC_ID_EAC3, AV_CODEC_ID_OPUS  \
    }
#define MP4_SOUND                                                                              \
    {                                                                                          \
        AV_CODEC_ID_AAC, AV_CODEC_ID_MP3, AV_CODEC_ID_AC3, AV_CODEC_ID_EAC3, AV_CODEC_ID_OPUS, \
            AV_CODEC_ID_FLAC, AV_CODEC_ID_ALAC                                                 \
    }

// Without the last two, libavformat puts the first sample of each track at zero, however late it begins.
#define FRAGMENTED                                                                             \
    "movflags=frag_custom+empty_moov+default_base_moof+frag_discont:"                          \
    "use_editlist=0:avoid_negative_ts=make_non_negative"

static const struct sc_output_kind kinds[] = {
    {
        .name = "rtmp",
        .prefix = "rtmp://",
        .format = "flv",
        .options = "flvflags=no_duration_filesize",
        .network = true,
        .video = {AV_CODEC_ID_H264},
        .sound = {AV_CODEC_ID_AAC, AV_CODEC_ID_MP3},
        .ops = &sc_sink_mux,
    },
    {
        .name = "rtmp",
        .prefix = "rtmps://",
        .format = "flv",
        .options = "flvflags=no_duration_filesize",
        .network = true,
        .video = {AV_CODEC_ID_H264},
        .sound = {AV_CODEC_ID_AAC, AV_CODEC_ID_MP3},
        .ops = &sc_sink_mux,
    },
    {
        .name = "srt",
        .prefix = "srt://",
        .format = "mpegts",
        .linger_ms = 400, // closing drops what the other side has not played yet
        .network = true,
        .in_band = true,
        .video = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC},
        .sound = TS_SOUND,
        .ops = &sc_sink_mux,
    },
    {
        .name = "rtsp",
        .prefix = "rtsp://",
        .format = "rtsp",
        .options = "rtsp_transport=tcp",
        .network = true,
        .in_band = true,
        .video = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_VP8, AV_CODEC_ID_VP9},
        .sound = {AV_CODEC_ID_AAC, AV_CODEC_ID_OPUS, AV_CODEC_ID_PCM_ALAW,
                  AV_CODEC_ID_PCM_MULAW},
        .ops = &sc_sink_mux,
    },
    {
        .name = "udp",
        .prefix = "udp://",
        .format = "mpegts",
        .options = "pkt_size=1316", // whole packets of the container
        .network = true,
        .in_band = true,
        .video = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC},
        .sound = TS_SOUND,
        .ops = &sc_sink_mux,
    },
    {
        .name = "hls",
        .ending = ".m3u8",
        .format = "mp4",
        .options = FRAGMENTED,
        .fragments = true,
        .video = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1, AV_CODEC_ID_VP9},
        .sound = {AV_CODEC_ID_AAC, AV_CODEC_ID_AC3, AV_CODEC_ID_EAC3, AV_CODEC_ID_OPUS,
                  AV_CODEC_ID_FLAC},
        .ops = &sc_sink_hls,
    },
    {
        .name = "file",
        .ending = ".mp4",
        .format = "mp4",
        .options = FRAGMENTED,
        .fragments = true,
        .video = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1, AV_CODEC_ID_VP9},
        .sound = MP4_SOUND,
        .ops = &sc_sink_mux,
    },
    {
        .name = "file",
        .ending = ".mkv",
        .format = "matroska",
        .options = "cluster_time_limit=1000",
        .video = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1, AV_CODEC_ID_VP9,
                  AV_CODEC_ID_VP8},
        .sound = {AV_CODEC_ID_AAC, AV_CODEC_ID_MP3, AV_CODEC_ID_AC3, AV_CODEC_ID_EAC3,
                  AV_CODEC_ID_OPUS, AV_CODEC_ID_FLAC, AV_CODEC_ID_VORBIS, AV_CODEC_ID_PCM_ALAW,
                  AV_CODEC_ID_PCM_MULAW, AV_CODEC_ID_PCM_S16LE, AV_CODEC_ID_PCM_S16BE},
        .ops = &sc_sink_mux,
    },
    {
        .name = "file",
        .ending = ".webm",
        .format = "webm",
        .options = "cluster_time_limit=1000",
        .video = {AV_CODEC_ID_VP8, AV_CODEC_ID_VP9, AV_CODEC_ID_AV1},
        .sound = {AV_CODEC_ID_OPUS, AV_CODEC_ID_VORBIS},
        .ops = &sc_sink_mux,
    },
    {
        .name = "file",
        .ending = ".ts",
        .format = "mpegts",
        .in_band = true,
        .video = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC},
        .sound = TS_SOUND,
        .ops = &sc_sink_mux,
    },
};

static bool ends_with(const char *s, const char *ending)
{
    size_t size = strlen(s), tail = strlen(ending);
    return size > tail && !strcasecmp(s + size - tail, ending);
}

static bool is_kind(const struct sc_output_kind *kind, const char *url)
{
    if (kind->prefix)
        return !strncasecmp(url, kind->prefix, strlen(kind->prefix)) &&
               url[strlen(kind->prefix)];
    return !strstr(url, "://") && ends_with(url, kind->ending);
}

int sc_output_kind_find(const struct sc_output_kind **pkind, const char *url, sc_err *err)
{
    for (size_t i = 0; i < SC_COUNT(kinds); i++) {
        if (is_kind(&kinds[i], url)) {
            *pkind = &kinds[i];
            return SC_OK;
        }
    }
    char shown[256];
    return sc_fail_field(
        err, SC_EARG, "url",
        "%s is no output: give rtmp://, rtmps://, srt://, rtsp:// or udp:// with "
        "a host, a file ending in .mp4, .mkv, .webm or .ts, or a playlist "
        "ending in .m3u8",
        sc_url_hide(url, shown, sizeof(shown)));
}

int sc_live_output_check(const char *url, struct sc_live_output_kind *out, sc_err *err)
{
    const struct sc_output_kind *kind;
    int ret = sc_output_kind_find(&kind, url, err);
    if (ret < 0)
        return ret;
    bool hls = kind->ops == &sc_sink_hls;
    *out = (struct sc_live_output_kind){
        .network = kind->network,
        .cues = hls,
        .key_ns = hls ? SC_OUTPUT_SEGMENT_MS * SC_NS_PER_MS : 0,
    };
    return SC_OK;
}

bool sc_output_holds(const enum AVCodecID *ids, enum AVCodecID id)
{
    while (*ids && *ids != id)
        ids++;
    return *ids && *ids == id;
}

int sc_output_interrupted(void *arg)
{
    const struct sc_output_guard *guard = arg;
    int64_t now = sc_clock_now();
    return now >= guard->until || now >= guard->stop_at;
}
