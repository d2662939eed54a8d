// The kinds of addresses, and what libavformat's failures there mean.
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "media/live_input_internal.h"

// What a web server may give: playlists, their pieces, and whole files.
#define WEB_FORMATS                                                                            \
    "hls,mpegts,flv,live_flv,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpjpeg,mjpeg,aac,ac3,eac3," \
    "mp3,webvtt,h264,hevc,ogg,nut,avi,mpeg"

#define HOST_PORT "check host, port and firewall"

// NOLINTBEGIN(bugprone-macro-parentheses): texts and initializers
#define RTSP(prefix)                                                                           \
    {                                                                                          \
        .name = "rtsp", .scheme = prefix, .format = "rtsp",                                    \
        .protocols = "rtsp,rtp,udp,tcp,tls", .formats = "rtsp,rtp,mpegts,sdp",                 \
        .options = "allowed_media_types=video+audio:buffer_size=1048576",                      \
        .silent = "no answer; " HOST_PORT ", and try the other transport (tcp, udp)",          \
        .broken = "it cannot be reached, or cut the connection; check host, port and path",    \
        .live = true, .ops = &sc_live_demux                                                    \
    }
#define RTMP(prefix, over)                                                                     \
    {                                                                                          \
        .name = "rtmp", .scheme = prefix, .format = "flv", .protocols = over,                  \
        .formats = "flv", .options = "rtmp_live=live",                                         \
        .silent =                                                                              \
            "nothing comes; check host and port, and that somebody publishes this stream",     \
        .broken = "it cannot be reached, or refuses; check host, port, application and key",   \
        .live = true, .ops = &sc_live_demux                                                    \
    }
#define WEB(prefix)                                                                            \
    {                                                                                          \
        .name = "http", .scheme = prefix, .protocols = "http,https,tcp,tls,crypto,httpproxy",  \
        .formats = WEB_FORMATS, .options = "", .silent = "no answer; " HOST_PORT,              \
        .broken = "it cannot be reached, or cut the connection; check host, port and path",    \
        .live = true, .ops = &sc_live_demux                                                    \
    }
// NOLINTEND(bugprone-macro-parentheses)

static const struct sc_live_kind kinds[] = {
    RTSP("rtsp://"),
    RTSP("rtsps://"),
    RTMP("rtmp://", "rtmp,tcp"),
    RTMP("rtmps://", "rtmps,tls,tcp"),
    WEB("http://"),
    WEB("https://"),
    {
        .name = "srt",
        .scheme = "srt://",
        .format = "mpegts",
        .protocols = "srt,udp",
        .formats = "mpegts",
        .options = "",
        .silent = "nothing comes; " HOST_PORT,
        .broken = "it cannot be reached, or refuses; check host, port, mode, passphrase and "
                  "streamid",
        .live = true,
        .ops = &sc_live_demux,
    },
    {
        .name = "udp",
        .scheme = "udp://",
        .format = "mpegts",
        .protocols = "udp",
        .formats = "mpegts",
        .options = "overrun_nonfatal=1:buffer_size=1048576",
        .silent = "nothing comes; check that somebody sends MPEG-TS to this address and port",
        .broken = "it cannot be listened to; check address and port",
        .live = true,
        .ops = &sc_live_demux,
    },
    {.name = "whip", .scheme = "whip:", .live = true, .ops = &sc_live_inflow},
    {.name = "testsrc", .scheme = "testsrc:", .ops = &sc_live_testsrc},
    {.name = "file", .scheme = "file:", .ops = &sc_live_file},
    {.name = "file", .ops = &sc_live_file}, // without a scheme, therefore the last
};

bool sc_live_deadline_passed(const struct sc_live_deadline *deadline)
{
    return sc_cancel_requested(deadline->cancel) ||
           (deadline->at_ns && sc_clock_now() >= deadline->at_ns);
}

static const struct sc_live_kind *find_kind(const char *url)
{
    for (size_t i = 0; i < SC_COUNT(kinds); i++)
        if (!kinds[i].scheme || !strncasecmp(url, kinds[i].scheme, strlen(kinds[i].scheme)))
            return strstr(url, "://") && !kinds[i].scheme ? NULL : &kinds[i];
    return NULL;
}

int sc_live_address_parse(struct sc_live_address *address,
                          const struct sc_live_input_params *params, sc_err *err)
{
    const char *url = params->url ? params->url : "", *transport = params->transport;
    const struct sc_live_kind *kind = find_kind(url);
    *address = (struct sc_live_address){.kind = kind};
    sc_url_hide(url, address->shown, sizeof(address->shown));
    if (!*url)
        return sc_fail_field(err, SC_EARG, "url", "the address of the source is missing");
    if (!kind)
        return sc_fail_field(err, SC_EARG, "url",
                             "%s: no such kind of source; it is rtsp, rtsps, rtmp, rtmps, srt, "
                             "udp, http, https, whip, testsrc, or a file",
                             address->shown);
    if (transport && strcmp(transport, "tcp") && strcmp(transport, "udp"))
        return sc_fail_field(err, SC_EARG, "transport",
                             "transport is \"%.20s\"; it is tcp or udp", transport);
    if (kind->scheme && strstr(kind->scheme, "://") && !url[strlen(kind->scheme)])
        return sc_fail_field(err, SC_EARG, "url", "%s: the host is missing", address->shown);
    if (!strcmp(kind->name, "whip") && (!params->inlet || strcmp(url, "whip:")))
        return sc_fail_field(
            err, SC_EARG, "url",
            "\"whip:\", without more, is a source of the server only: somebody "
            "publishes into the stream");
    address->url = sc_xstrdup(url + (sc_starts_with(url, "file:") ? 5 : 0));
    address->listens = (!strcmp(kind->name, "rtmp") && params->listen) ||
                       (!strcmp(kind->name, "srt") && strstr(url, "mode=listener"));
    return SC_OK;
}

static const struct {
    int averror, code;
    const char *text;
} reasons[] = {
    {AVERROR_HTTP_UNAUTHORIZED, SC_EDENIED,
     "the server refuses user and password (401); check them in the address"},
    {AVERROR_HTTP_FORBIDDEN, SC_EDENIED,
     "the server forbids it (403); check what the user may do"},
    {AVERROR_HTTP_NOT_FOUND, SC_ENOTFOUND, "no such stream there (404); check the path"},
    {AVERROR_HTTP_BAD_REQUEST, SC_EIO,
     "the server does not understand (400); check the address"},
    {AVERROR_HTTP_OTHER_4XX, SC_EIO, "the server refuses (4xx); check the address and its log"},
    {AVERROR_HTTP_SERVER_ERROR, SC_EIO, "the server failed (5xx); look into its log"},
    {AVERROR(ECONNREFUSED), SC_EIO,
     "nothing listens there (connection refused); check host and port, and that it runs"},
    {AVERROR(EHOSTUNREACH), SC_EIO, "no way to this host; check the address and the network"},
    {AVERROR(ENETUNREACH), SC_EIO, "no way to this network; check the address and the network"},
    {AVERROR(ECONNRESET), SC_EIO, "the other side cut the connection"},
    {AVERROR(EPIPE), SC_EIO, "the other side cut the connection"},
    {AVERROR_EOF, SC_EIO, "the other side ended the stream"},
    {AVERROR(EADDRINUSE), SC_EIO, "the port is taken; choose another or stop who has it"},
    {AVERROR(EADDRNOTAVAIL), SC_EIO, "this machine has no such address to listen at"},
    {AVERROR(EACCES), SC_EDENIED, "the system does not allow it"},
    {AVERROR(EINVAL), SC_EARG, "the address is malformed; check port and options"},
    {AVERROR_INVALIDDATA, SC_EDATA, "what comes from there is no video that can be read"},
    {AVERROR_PROTOCOL_NOT_FOUND, SC_EUNSUPPORTED, "this FFmpeg has no such protocol"},
    {AVERROR_DEMUXER_NOT_FOUND, SC_EUNSUPPORTED, "this FFmpeg cannot read such a source"},
};

int sc_live_explain(const struct sc_live_address *address, int averror,
                    const struct sc_live_deadline *deadline, sc_err *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (sc_cancel_requested(deadline->cancel))
        return sc_fail(err, SC_ECANCELLED, "%s: cancelled", address->shown);
    if (averror == AVERROR(ENOMEM))
        return sc_fail(err, SC_ENOMEM, "%s: out of memory", address->shown);
    if (sc_live_deadline_passed(deadline))
        averror = AVERROR(ETIMEDOUT);
    if (averror == AVERROR(ETIMEDOUT))
        return sc_fail(err, SC_ETIMEOUT, "%s: %s", address->shown, address->kind->silent);
    if (averror == AVERROR(EIO))
        return sc_fail(err, SC_EIO, "%s: %s", address->shown, address->kind->broken);
    for (size_t i = 0; i < SC_COUNT(reasons); i++)
        if (reasons[i].averror == averror)
            return sc_fail(err, reasons[i].code, "%s: %s", address->shown, reasons[i].text);
    av_strerror(averror, text, sizeof(text));
    return sc_fail(err, SC_EIO, "%s: it failed (%s)", address->shown, text);
}
