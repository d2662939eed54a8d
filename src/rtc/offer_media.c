// One m-line of an offer: payloads, formats, extensions, and whether there is use for it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "rtc/offer_internal.h"

#define PAYLOADS     128
#define PAYLOADS_MAX 64 // that an m-line may list; browsers list some 30

struct payload {
    bool listed, mapped, rtx;
    enum sc_rtc_codec codec;
    const char *fmtp; // NULL = none
    bool nack, pli, twcc;
};

struct reading {
    struct sc_rtc_media *media;
    struct payload payloads[PAYLOADS];
    int order[PAYLOADS_MAX], count; // as the m-line lists them, best first
};

// --- the m-line ---------------------------------------------------------------------------

static bool of_rtp(const struct sc_rtc_media *media)
{
    return strstr(media->proto, "RTP/") != NULL;
}

static bool read_format(struct reading *reading, const char *text)
{
    int64_t payload;
    struct sc_rtc_media *media = reading->media;
    if (!media->format[0])
        snprintf(media->format, sizeof(media->format), "%s", text);
    if (!of_rtp(media))
        return sc_sdp_token(text);
    if (!sc_parse_int(text, 0, PAYLOADS - 1, &payload) || text[0] == '+' ||
        reading->payloads[payload].listed || reading->count == PAYLOADS_MAX)
        return false;
    reading->payloads[payload].listed = true;
    reading->order[reading->count++] = (int)payload;
    return true;
}

static int read_m(struct reading *reading, const struct sc_sdp_line *line, bool *off,
                  sc_err *err)
{
    struct sc_rtc_media *media = reading->media;
    const char *rest = line->value;
    char format[sizeof(media->format)];
    long port;
    if (!sc_sdp_word(&rest, media->name, sizeof(media->name)) || !sc_sdp_token(media->name))
        return sc_offer_bad(line, err, "the m-line names no medium");
    if (!sc_sdp_number(&rest, 0, 65535, &port))
        return sc_offer_bad(line, err, "the m-line's port is none");
    if (!sc_sdp_word(&rest, media->proto, sizeof(media->proto)))
        return sc_offer_bad(line, err, "the m-line names no transport");
    while (sc_sdp_word(&rest, format, sizeof(format))) {
        if (!read_format(reading, format))
            return sc_offer_bad(line, err, "a format of the m-line makes no sense");
    }
    if (rest[strspn(rest, " ")] || !media->format[0])
        return sc_offer_bad(line, err, "the m-line lists no formats, or too long ones");
    *off = port == 0;
    media->kind = !strcmp(media->name, "video")   ? SC_RTC_VIDEO
                  : !strcmp(media->name, "audio") ? SC_RTC_AUDIO
                                                  : SC_RTC_DATA;
    return SC_OK;
}

// --- attributes ---------------------------------------------------------------------------

static int read_mid(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    struct sc_rtc_media *media = reading->media;
    if (media->mid[0])
        return sc_offer_bad(line, err, "a second mid for one m-line");
    if (!sc_sdp_token(line->value) || strlen(line->value) >= sizeof(media->mid))
        return sc_offer_bad(line, err, "the mid is no token of at most 31 letters");
    snprintf(media->mid, sizeof(media->mid), "%s", line->value);
    return SC_OK;
}

static struct payload *payload_at(struct reading *reading, const char **rest)
{
    long payload;
    return sc_sdp_number(rest, 0, PAYLOADS - 1, &payload) ? &reading->payloads[payload] : NULL;
}

static int read_rtpmap(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    static const struct {
        const char *name;
        enum sc_rtc_codec codec;
    } encodings[] = {
        {"H264/90000", SC_RTC_H264}, {"VP8/90000", SC_RTC_VP8}, {"opus/48000/2", SC_RTC_OPUS}};
    const char *rest = line->value;
    struct payload *payload = payload_at(reading, &rest);
    rest += strspn(rest, " ");
    if (!payload || !*rest)
        return sc_offer_bad(line, err, "rtpmap needs a payload of 0 to 127 and an encoding");
    if (payload->mapped)
        return sc_offer_bad(line, err, "a second rtpmap for one payload");
    payload->mapped = true;
    payload->rtx = !strcasecmp(rest, "rtx/90000");
    for (size_t i = 0; i < SC_COUNT(encodings); i++) {
        if (!strcasecmp(rest, encodings[i].name))
            payload->codec = encodings[i].codec;
    }
    return SC_OK;
}

static int read_fmtp(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    const char *rest = line->value;
    struct payload *payload = payload_at(reading, &rest);
    if (!payload)
        return sc_offer_bad(line, err, "fmtp needs a payload of 0 to 127");
    if (!payload->fmtp)
        payload->fmtp = rest;
    return SC_OK;
}

static int read_feedback(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    const char *rest = line->value;
    bool all = rest[0] == '*' && rest[1] == ' ';
    struct payload *payload = all ? reading->payloads : payload_at(reading, &rest);
    if (!payload)
        return sc_offer_bad(line, err, "rtcp-fb needs a payload of 0 to 127, or *");
    rest += all;
    rest += strspn(rest, " ");
    for (int i = 0; i < (all ? PAYLOADS : 1); i++) {
        payload[i].nack |= !strcmp(rest, "nack");
        payload[i].pli |= !strcmp(rest, "nack pli");
        payload[i].twcc |= !strcmp(rest, "transport-cc");
    }
    return SC_OK;
}

static int read_extension(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    struct sc_rtc_media *media = reading->media;
    const struct {
        const char *uri;
        int *id;
    } known[] = {{SC_EXT_TWCC, &media->twcc_id},
                 {SC_EXT_PLAYOUT, &media->playout_id},
                 {SC_EXT_MID, &media->mid_id}};
    char word[16], uri[128];
    const char *rest = line->value;
    int64_t id = 0;
    if (sc_sdp_word(&rest, word, sizeof(word)))
        word[strcspn(word, "/")] = 0; // a direction
    else
        word[0] = 0;
    if (!sc_parse_int(word, 1, 4351, &id) || !rest[strspn(rest, " ")])
        return sc_offer_bad(line, err, "extmap needs a number from 1 and a name");
    if (id > 255 || !sc_sdp_word(&rest, uri, sizeof(uri)))
        return SC_OK; // to be numbered by the answer (RFC 8285), or nobody knows it
    for (size_t i = 0; i < SC_COUNT(known); i++) {
        if (*known[i].id == id)
            return sc_offer_bad(line, err, "two extensions of one number");
    }
    for (size_t i = 0; i < SC_COUNT(known); i++) {
        if (!strcmp(uri, known[i].uri))
            *known[i].id = (int)id;
    }
    return SC_OK;
}

static int read_ssrc(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    const char *rest = line->value;
    long ssrc;
    if (!sc_sdp_number(&rest, 0, UINT32_MAX, &ssrc))
        return sc_offer_bad(line, err, "ssrc is no number of 32 bits");
    if (!reading->media->ssrc)
        reading->media->ssrc = (uint32_t)ssrc;
    return SC_OK;
}

static int read_ssrc_group(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    const char *rest = line->value;
    long ssrc, rtx;
    if (!sc_starts_with(rest, "FID "))
        return SC_OK;
    rest += 4;
    if (!sc_sdp_number(&rest, 0, UINT32_MAX, &ssrc) ||
        !sc_sdp_number(&rest, 0, UINT32_MAX, &rtx))
        return sc_offer_bad(line, err, "ssrc-group needs two numbers of 32 bits");
    if (!reading->media->rtx_ssrc && ssrc && rtx && ssrc != rtx) {
        reading->media->ssrc = (uint32_t)ssrc;
        reading->media->rtx_ssrc = (uint32_t)rtx;
    }
    return SC_OK;
}

static int read_sctp_port(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    const char *rest = line->value;
    long port;
    if (!sc_sdp_number(&rest, 1, 65535, &port))
        return sc_offer_bad(line, err, "sctp-port is no port");
    reading->media->sctp_port = (int)port;
    return SC_OK;
}

// As aiortc still has it: "m=application 9 DTLS/SCTP 5000", and what the port is for.
static int read_sctpmap(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    struct sc_rtc_media *media = reading->media;
    const char *rest = line->value;
    char word[32];
    long port;
    if (!sc_sdp_number(&rest, 1, 65535, &port) || !sc_sdp_word(&rest, word, sizeof(word)))
        return sc_offer_bad(line, err, "sctpmap needs a port and a name");
    if (atoi(media->format) == port && !strcmp(word, "webrtc-datachannel"))
        media->sctp_port = (int)port;
    return SC_OK;
}

static const struct {
    const char *name;
    int (*read)(struct reading *reading, const struct sc_sdp_line *line, sc_err *err);
} attributes[] = {
    {"mid", read_mid},
    {"rtpmap", read_rtpmap},
    {"fmtp", read_fmtp},
    {"ssrc", read_ssrc},
    {"extmap", read_extension},
    {"rtcp-fb", read_feedback},
    {"sctp-port", read_sctp_port},
    {"sctpmap", read_sctpmap},
    {"ssrc-group", read_ssrc_group},
};

static int read_attribute(struct reading *reading, const struct sc_sdp_line *line, sc_err *err)
{
    for (size_t i = 0; i < SC_COUNT(attributes); i++) {
        if (!strcmp(line->name, attributes[i].name))
            return attributes[i].read(reading, line, err);
    }
    return SC_OK;
}

enum sc_offer_direction sc_offer_direction_of(struct sc_sdp_part part,
                                              enum sc_offer_direction otherwise)
{
    static const char *const names[] = {"inactive", "sendonly", "recvonly", "sendrecv"};
    for (int i = 0; i < 4; i++) {
        if (sc_sdp_find(part, names[i]))
            return (enum sc_offer_direction)i;
    }
    return otherwise;
}

// --- formats ------------------------------------------------------------------------------

// How well a payload's H.264 fits: 0 is best, < 0 not at all. What is sent is constrained baseline, which decoders
// of all these profiles take.
static int h264_rank(const char *fmtp)
{
    char mode[4], profile[8];
    int rank = 1;
    if (sc_sdp_param(fmtp, "profile-level-id", profile, sizeof(profile))) {
        int64_t idc, constraints = 0;
        char byte[3] = {profile[2], profile[2] ? profile[3] : 0, 0};
        if (strlen(profile) != 6 || strspn(profile, "0123456789abcdefABCDEF") != 6)
            return -1;
        constraints = strtol(byte, NULL, 16);
        profile[2] = 0;
        idc = strtol(profile, NULL, 16);
        rank = idc == 66 && constraints & 0x40 ? 0 : idc == 66 ? 1 : idc == 77 ? 2 : 3;
        if (idc != 66 && idc != 77 && idc != 100)
            return -1;
    }
    if (!sc_sdp_param(fmtp, "packetization-mode", mode, sizeof(mode)))
        return rank + 4;
    return strcmp(mode, "1") ? -1 : rank;
}

static int rank_of(const struct payload *payload)
{
    return payload->codec == SC_RTC_H264 ? h264_rank(payload->fmtp ? payload->fmtp : "") : 0;
}

// Writes what is known of the parameters anew.
static void copy_fmtp(char *out, size_t size, enum sc_rtc_codec codec, const char *fmtp)
{
    static const char *const known[][6] = {
        [SC_RTC_H264] = {"level-asymmetry-allowed", "packetization-mode", "profile-level-id"},
        [SC_RTC_VP8] = {"max-fr", "max-fs"},
        [SC_RTC_OPUS] = {"minptime", "useinbandfec", "stereo", "sprop-stereo", "usedtx"},
    };
    char value[12];
    size_t used = 0;
    for (const char *const *key = known[codec]; *key; key++) {
        if (sc_sdp_param(fmtp, *key, value, sizeof(value)))
            used += (size_t)snprintf(out + used, size - used, "%s%s=%s", used ? ";" : "", *key,
                                     value);
    }
}

static int rtx_of(const struct reading *reading, int payload)
{
    char apt[4];
    int64_t number;
    for (int i = 0; i < reading->count; i++) {
        const struct payload *rtx = &reading->payloads[reading->order[i]];
        if (rtx->rtx && rtx->fmtp && sc_sdp_param(rtx->fmtp, "apt", apt, sizeof(apt)) &&
            sc_parse_int(apt, 0, PAYLOADS - 1, &number) && number == payload)
            return reading->order[i];
    }
    return -1;
}

static struct sc_rtc_format best(const struct reading *reading, enum sc_rtc_codec codec)
{
    struct sc_rtc_format format = {.payload = -1, .rtx_payload = -1};
    const struct payload *found = NULL;
    for (int i = 0; i < reading->count; i++) {
        const struct payload *payload = &reading->payloads[reading->order[i]];
        if (payload->codec != codec || rank_of(payload) < 0 ||
            (found && rank_of(payload) >= rank_of(found)))
            continue;
        found = payload;
        format.payload = reading->order[i];
    }
    if (!found)
        return format;
    format.rtx_payload = rtx_of(reading, format.payload);
    format.nack = found->nack;
    format.pli = found->pli;
    format.twcc = found->twcc;
    copy_fmtp(format.fmtp, sizeof(format.fmtp), codec, found->fmtp ? found->fmtp : "");
    return format;
}

// --- use ----------------------------------------------------------------------------------

static const char *why_no_data(const struct sc_rtc_media *media)
{
    bool udp = !strcmp(media->proto, "UDP/DTLS/SCTP") || !strcmp(media->proto, "TCP/DTLS/SCTP");
    bool data =
        udp ? !strcmp(media->format, "webrtc-datachannel") : !strcmp(media->proto, "DTLS/SCTP");
    if (!data || strcmp(media->name, "application"))
        return "it is neither video, audio nor a data channel";
    return media->sctp_port ? NULL : "a=sctp-port is missing";
}

static const char *why_no_media(const struct sc_rtc_media *media, struct sc_sdp_part part,
                                enum sc_rtc_role role, enum sc_offer_direction direction)
{
    if (strcmp(media->proto, "UDP/TLS/RTP/SAVPF") && strcmp(media->proto, "TCP/TLS/RTP/SAVPF"))
        return "its transport must be UDP/TLS/RTP/SAVPF";
    if (!sc_sdp_find(part, "rtcp-mux"))
        return "a=rtcp-mux is missing";
    if (role == SC_RTC_WATCH && !(direction & SC_OFFER_RECV))
        return "its direction must be recvonly or sendrecv";
    if (role == SC_RTC_PUBLISH && !(direction & SC_OFFER_SEND))
        return "its direction must be sendonly or sendrecv";
    if (media->kind == SC_RTC_VIDEO && media->h264.payload < 0 && media->vp8.payload < 0)
        return "its codecs must include H.264 with packetization-mode=1, or VP8";
    if (media->kind == SC_RTC_AUDIO && media->opus.payload < 0)
        return "its codecs must include Opus";
    return NULL;
}

int sc_offer_read_media(struct sc_rtc_media *media, struct sc_sdp_part part,
                        enum sc_rtc_role role, enum sc_offer_direction session,
                        const char **why, sc_err *err)
{
    struct reading reading = {.media = media};
    bool off = false;
    int ret = read_m(&reading, &part.lines[0], &off, err);
    for (int i = 1; !ret && i < part.count; i++)
        ret = read_attribute(&reading, &part.lines[i], err);
    if (ret)
        return ret;
    media->h264 = best(&reading, SC_RTC_H264);
    media->vp8 = best(&reading, SC_RTC_VP8);
    media->opus = best(&reading, SC_RTC_OPUS);
    if (off && !sc_sdp_find(part, "bundle-only"))
        *why = "it is turned off by port 0";
    else if (!media->mid[0])
        *why = "a=mid is missing";
    else if (media->kind == SC_RTC_DATA)
        *why = why_no_data(media);
    else
        *why = why_no_media(media, part, role, sc_offer_direction_of(part, session));
    return SC_OK;
}
