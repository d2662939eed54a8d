// Mending webrtcbin's answer: it covers what sc_rtc_offer_text() offered, the peer waits for an answer to what it offered.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "rtc/offer_internal.h"

struct mend {
    const sc_rtc_offer *offer;
    enum sc_rtc_codec video;
    struct sc_sdp sdp;
    struct sc_sdp_part parts[SC_RTC_MEDIA_MAX]; // by the offer's order; count 0 = turned down
    sc_str out;
};

// --- what was answered --------------------------------------------------------------------

static bool turned_down(struct sc_sdp_part part)
{
    char name[16];
    long port;
    const char *rest = part.lines[0].value;
    return !sc_sdp_word(&rest, name, sizeof(name)) || !sc_sdp_number(&rest, 0, 65535, &port) ||
           port == 0;
}

static void find_parts(struct mend *mend)
{
    const sc_rtc_offer *offer = mend->offer;
    struct sc_sdp_part part;
    for (int k = 0; (part = sc_sdp_media(&mend->sdp, k)).count; k++) {
        const char *mid = sc_sdp_get(part, "mid");
        for (int i = 0; mid && i < offer->count; i++) {
            if (sc_offer_uses(offer, i) && !strcmp(offer->media[i].mid, mid) &&
                !turned_down(part))
                mend->parts[i] = part;
        }
    }
}

static bool video_makes_sense(const struct mend *mend)
{
    struct sc_sdp_part part = mend->parts[mend->offer->video];
    enum sc_offer_direction wanted =
        mend->offer->role == SC_RTC_WATCH ? SC_OFFER_SEND : SC_OFFER_RECV;
    return part.count && sc_offer_direction_of(part, SC_OFFER_BOTH) == wanted;
}

// --- its lines ----------------------------------------------------------------------------

// The stream is constrained baseline whatever the profile's name; level 3.1 is what every browser knows.
static void add_fmtp(sc_str *out, const struct sc_rtc_format *format)
{
    char profile[8] = "42e0";
    char value[12];
    sc_sdp_param(format->fmtp, "profile-level-id", profile, sizeof(profile));
    sc_str_addf(out, "a=fmtp:%d profile-level-id=%.4s1f", format->payload, profile);
    static const char *const kept[] = {"level-asymmetry-allowed", "packetization-mode"};
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
        if (sc_sdp_param(format->fmtp, kept[i], value, sizeof(value)))
            sc_str_addf(out, ";%s=%s", kept[i], value);
    }
    sc_str_add(out, "\r\n");
}

static bool is_fmtp_of(const struct sc_sdp_line *line, int payload)
{
    const char *rest = line->value;
    long number;
    return line->type == 'a' && !strcmp(line->name, "fmtp") &&
           sc_sdp_number(&rest, 0, 127, &number) && number == payload;
}

static void copy_line(sc_str *out, const struct sc_sdp_line *line)
{
    if (line->type != 'a')
        sc_str_addf(out, "%c=%s\r\n", line->type, line->value);
    else if (!strcmp(line->name, "setup"))
        sc_str_add(out, "a=setup:passive\r\n");
    else
        sc_str_addf(out, "a=%s%s%s\r\n", line->name, line->value[0] ? ":" : "", line->value);
}

// Data of the old kind are answered as they were offered.
static void copy_old_data_line(sc_str *out, const struct sc_sdp_line *line, const char *port)
{
    if (line->type == 'm')
        sc_str_addf(out, "m=application 9 DTLS/SCTP %s\r\n", port);
    else if (!strcmp(line->name, "sctp-port"))
        sc_str_addf(out, "a=sctpmap:%s webrtc-datachannel 65535\r\n", port);
    else
        copy_line(out, line);
}

static bool has_extension(struct sc_sdp_part part, const char *uri)
{
    for (int i = 0; i < part.count; i++) {
        if (part.lines[i].type == 'a' && !strcmp(part.lines[i].name, "extmap") &&
            strstr(part.lines[i].value, uri))
            return true;
    }
    return false;
}

// A publisher that is told of feedback which then never comes would send at its lowest rate: to a viewer only.
static void add_extensions(struct mend *mend, const struct sc_rtc_media *media,
                           struct sc_sdp_part part)
{
    const struct {
        int id;
        const char *uri;
    } wanted[] = {{media->twcc_id, SC_EXT_TWCC}, {media->playout_id, SC_EXT_PLAYOUT}};
    for (size_t i = 0; i < 2 && mend->offer->role == SC_RTC_WATCH; i++) {
        if (wanted[i].id && !has_extension(part, wanted[i].uri))
            sc_str_addf(&mend->out, "a=extmap:%d %s\r\n", wanted[i].id, wanted[i].uri);
    }
}

static void add_part(struct mend *mend, int i)
{
    const struct sc_rtc_media *media = &mend->offer->media[i];
    struct sc_sdp_part part = mend->parts[i];
    bool h264 = i == mend->offer->video && mend->video == SC_RTC_H264;
    const char *port = strcmp(media->proto, "DTLS/SCTP") ? NULL : sc_sdp_get(part, "sctp-port");
    for (int k = 0; k < part.count; k++) {
        if (port)
            copy_old_data_line(&mend->out, &part.lines[k], port);
        else if (!h264 || !is_fmtp_of(&part.lines[k], media->h264.payload))
            copy_line(&mend->out, &part.lines[k]);
    }
    if (h264)
        add_fmtp(&mend->out, &media->h264);
    if (media->kind == SC_RTC_VIDEO)
        add_extensions(mend, media, part);
}

static void add_refusal(struct mend *mend, int i)
{
    const struct sc_rtc_media *media = &mend->offer->media[i];
    sc_str_addf(&mend->out, "m=%s 0 %s %s\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n", media->name,
                media->proto, media->format);
    if (media->mid[0])
        sc_str_addf(&mend->out, "a=mid:%s\r\n", media->mid);
}

static void add_session(struct mend *mend)
{
    struct sc_sdp_part session = sc_sdp_session(&mend->sdp);
    for (int i = 0; i < session.count; i++) {
        const struct sc_sdp_line *line = &session.lines[i];
        if (line->type != 'a' || strcmp(line->name, "group"))
            copy_line(&mend->out, line);
    }
    sc_str_add(&mend->out, "a=group:BUNDLE");
    for (int i = 0; i < mend->offer->count; i++) {
        if (mend->parts[i].count)
            sc_str_addf(&mend->out, " %s", mend->offer->media[i].mid);
    }
    sc_str_add(&mend->out, "\r\n");
}

char *sc_rtc_answer_mend(const sc_rtc_offer *offer, enum sc_rtc_codec video, const char *answer)
{
    struct mend mend = {.offer = offer, .video = video};
    if (!sc_sdp_init(&mend.sdp, answer, strlen(answer), SC_RTC_OFFER_MAX, NULL)) {
        find_parts(&mend);
        if (video_makes_sense(&mend)) {
            add_session(&mend);
            for (int i = 0; i < offer->count; i++)
                mend.parts[i].count ? add_part(&mend, i) : add_refusal(&mend, i);
        }
    }
    sc_sdp_release(&mend.sdp);
    return mend.out.len ? sc_str_detach(&mend.out) : NULL;
}
