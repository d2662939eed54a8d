// What the options say: rungs, ports, ICE servers.
#include <stddef.h>
#include <string.h>

#include "app/webrtc_internal.h"
#include "base/clock.h"
#include "base/mem.h"

#define OPT(field) offsetof(struct sc_webrtc_settings, field)
static const sc_option rows[] = {
    {"webrtc", SC_OPT_BOOL, OPT(on), "true", "streams can be watched by WebRTC (WHEP)"},
    {"webrtc-viewers", SC_OPT_INT, OPT(viewers), "100", "WebRTC viewers at most, all together",
     .min = 1, .max = 10000},
    {"webrtc-stream-viewers", SC_OPT_INT, OPT(stream_viewers), "100",
     "WebRTC viewers of one stream at most", .min = 1, .max = 10000},
    {"webrtc-ports", SC_OPT_STRING, OPT(ports), "",
     "UDP ports for WebRTC, such as 40000-40200; any if not set"},
    {"webrtc-ice", SC_OPT_STRING, OPT(ice), "",
     "STUN and TURN servers, such as \"stun:host:3478 turn:user:password@host:3478\"",
     .secret = true},
    {"webrtc-rungs", SC_OPT_STRING, OPT(rungs), "auto",
     "encodings to choose from by what a viewer's link carries: heights and bits a second, "
     "such as "
     "\"720:2.5M 360:600k\", three at most"},
    {"webrtc-linger", SC_OPT_DURATION, OPT(linger_ns), "15s",
     "how long a stored video's stream goes on without viewers", .min = 0, .max = 3600e9},
};
#undef OPT

const sc_option_group sc_webrtc_options =
    SC_OPTION_GROUP("webrtc", rows, struct sc_webrtc_settings);

// --- rungs --------------------------------------------------------------------------------

// Who has no H.264 gets this one; VP8 costs about twice as much to encode.
static const struct sc_live_rung vp8 = {
    .codec = SC_LIVE_VP8, .width = 854, .height = 480, .bitrate = 1000000};

// Sizes of 16:9; what has another shape fits into them.
static const struct sc_live_rung few_cores[] = {
    {.width = 1280, .height = 720, .bitrate = 2500000},
    {.width = 640, .height = 360, .bitrate = 600000},
};
static const struct sc_live_rung many_cores[] = {
    {.width = 1920, .height = 1080, .bitrate = 5000000},
    {.width = 1280, .height = 720, .bitrate = 2000000},
    {.width = 640, .height = 360, .bitrate = 500000},
};

static int choose_rungs(struct sc_live_rung rungs[SC_LIVE_RUNGS])
{
    bool many = sc_cpu_count() >= 8;
    int count = many ? (int)SC_COUNT(many_cores) : (int)SC_COUNT(few_cores);
    memcpy(rungs, many ? many_cores : few_cores, (size_t)count * sizeof(*rungs));
    return count;
}

// "720:2.5M": thousands, as rates are.
static bool parse_rung(const char *text, struct sc_live_rung *rung)
{
    char *end;
    double height = strtod(text, &end);
    if (*end != ':' || !(height >= 64 && height <= 4320))
        return false;
    double rate = strtod(end + 1, &end);
    rate *= *end == 'k' || *end == 'K' ? 1e3 : *end == 'M' || *end == 'm' ? 1e6 : 1;
    end += *end && strchr("kKmM", *end);
    if (*end || !(rate >= 50e3 && rate <= 100e6))
        return false;
    *rung = (struct sc_live_rung){.width = ((int)height * 16 / 9 + 1) & ~1,
                                  .height = (int)height & ~1,
                                  .bitrate = (int64_t)rate};
    return true;
}

static int parse_rungs(const char *text, struct sc_live_rung rungs[SC_LIVE_RUNGS], sc_err *err)
{
    char *copy = sc_xstrdup(text), *rest = copy;
    int count = 0, ret = 0;
    for (char *word; !ret && (word = strtok_r(rest, " ,", &rest));) {
        if (count == SC_LIVE_RUNGS - 1)
            ret = sc_fail_field(err, SC_EARG, "webrtc-rungs", "three rungs at most");
        else if (!parse_rung(word, &rungs[count]))
            ret = sc_fail_field(err, SC_EARG, "webrtc-rungs",
                                "\"%.40s\" is no height and rate, such as 720:2.5M", word);
        else if (count && rungs[count].bitrate >= rungs[count - 1].bitrate)
            ret = sc_fail_field(err, SC_EARG, "webrtc-rungs", "the highest rate comes first");
        count++;
    }
    free(copy);
    if (!ret && !count)
        ret = sc_fail_field(err, SC_EARG, "webrtc-rungs", "at least one rung is needed");
    return ret ? ret : count;
}

int sc_webrtc_rungs(const char *text, struct sc_live_rung rungs[SC_LIVE_RUNGS], sc_err *err)
{
    int count = strcmp(text, "auto") ? parse_rungs(text, rungs, err) : choose_rungs(rungs);
    if (count < 0)
        return count;
    rungs[count] = vp8;
    return count + 1;
}

// --- ports and servers --------------------------------------------------------------------

static int settle_ports(sc_webrtc *webrtc, sc_err *err)
{
    const char *text = webrtc->settings->ports;
    int used = 0;
    if (!*text)
        return SC_OK;
    if (sscanf(text, "%d-%d%n", &webrtc->port_min, &webrtc->port_max, &used) == 2 &&
        !text[used] && webrtc->port_min >= 1024 && webrtc->port_max <= 65535 &&
        webrtc->port_min <= webrtc->port_max)
        return SC_OK;
    return sc_fail_field(err, SC_EARG, "webrtc-ports",
                         "\"%.40s\" are no ports, such as 40000-40200 (1024 to 65535)", text);
}

// "user:password@host:port" of a TURN server.
static int settle_turn(sc_webrtc *webrtc, const char *word, sc_err *err)
{
    sc_str gst = {0}, link = {0};
    const char *at = strrchr(word, '@'), *colon = strchr(word, ':');
    if (!at || !colon || colon > at)
        return sc_fail_field(err, SC_EARG, "webrtc-ice",
                             "a TURN server is written turn:user:password@host:port");
    sc_str_addf(&gst, "turn://%s", word);
    sc_str_addf(&link,
                "<turn:%s>; rel=\"ice-server\"; username=\"%.*s\"; credential=\"%.*s\"; "
                "credential-type=\"password\"",
                at + 1, (int)(colon - word), word, (int)(at - colon - 1), colon + 1);
    free(webrtc->turn);
    webrtc->turn = sc_str_detach(&gst);
    free(webrtc->links[1]);
    webrtc->links[1] = sc_str_detach(&link);
    return SC_OK;
}

static void settle_stun(sc_webrtc *webrtc, const char *host)
{
    sc_str gst = {0}, link = {0};
    sc_str_addf(&gst, "stun://%s", host);
    sc_str_addf(&link, "<stun:%s>; rel=\"ice-server\"", host);
    free(webrtc->stun);
    webrtc->stun = sc_str_detach(&gst);
    free(webrtc->links[0]);
    webrtc->links[0] = sc_str_detach(&link);
}

// Headers are made of them.
static bool is_plain(const char *word)
{
    for (; *word; word++)
        if ((unsigned char)*word <= ' ' || strchr("\"<>\\;,", *word) || (*word & 0x80))
            return false;
    return true;
}

static int settle_ice(sc_webrtc *webrtc, sc_err *err)
{
    char *copy = sc_xstrdup(webrtc->settings->ice), *rest = copy;
    int ret = SC_OK;
    for (char *word; !ret && (word = strtok_r(rest, " ", &rest));) {
        if (!is_plain(word))
            ret =
                sc_fail_field(err, SC_EARG, "webrtc-ice", "a server's name has odd characters");
        else if (sc_starts_with(word, "stun:"))
            settle_stun(webrtc, word + strlen("stun:"));
        else if (sc_starts_with(word, "turn:"))
            ret = settle_turn(webrtc, word + strlen("turn:"), err);
        else
            ret = sc_fail_field(err, SC_EARG, "webrtc-ice",
                                "servers are written stun:host:port or "
                                "turn:user:password@host:port");
    }
    free(copy);
    if (!webrtc->links[0]) { // no gaps
        webrtc->links[0] = webrtc->links[1];
        webrtc->links[1] = NULL;
    }
    return ret;
}

int sc_webrtc_settle(sc_webrtc *webrtc, sc_err *err)
{
    int ret = settle_ports(webrtc, err);
    return ret ? ret : settle_ice(webrtc, err);
}
