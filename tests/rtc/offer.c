// Offers of real programs, each thing that can be wrong with one, what webrtcbin gets, and its answers.
#include "rtc/offer.h"

#include <stdio.h>
#include <string.h>

#include "../base/test.h"
#include "base/mem.h"
#include "base/str.h"

// --- help ---------------------------------------------------------------------------------

static char *read_file(const char *folder, const char *name)
{
    char path[500];
    char *text = sc_xcalloc(1, 20000);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "re");
    if (!f || !fread(text, 1, 19999, f))
        fail_msg("cannot read %s", path);
    fclose(f);
    return text;
}

static sc_rtc_offer *parse(const char *text, enum sc_rtc_role role)
{
    sc_rtc_offer *offer;
    sc_err err = {0};
    if (sc_rtc_offer_parse(&offer, text, strlen(text), role, &err))
        fail_msg("refused: %s", err.text);
    return offer;
}

static sc_rtc_offer *parse_file(const char *name)
{
    char *text = read_file(OFFERS, name);
    sc_rtc_offer *offer = parse(text, strstr(name, "publish") ? SC_RTC_PUBLISH : SC_RTC_WATCH);
    free(text);
    return offer;
}

// text with the first `from` made `to`.
static char *replaced(const char *text, const char *from, const char *to)
{
    sc_str out = {0};
    const char *at = strstr(text, from);
    if (!at)
        fail_msg("there is no %s", from);
    sc_str_addn(&out, text, (size_t)(at - text));
    sc_str_add(&out, to);
    sc_str_add(&out, at + strlen(from));
    return sc_str_detach(&out);
}

static void assert_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("%s in:\n%s", part, text);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

// --- offers of real programs --------------------------------------------------------------

static const struct {
    const char *name;
    int count, video, audio, data;
    int h264, h264_rtx, vp8, opus;
    const char *fmtp;
    int twcc_id, playout_id, mid_id;
    bool nack, pli, twcc, trickle;
    const char *ufrag;
    int candidates;
    const char *candidate;
    uint32_t ssrc, rtx_ssrc;
} offers[] = {
    {"chromium-watch",
     3,
     0,
     1,
     2,
     108,
     109,
     96,
     111,
     "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
     4,
     5,
     9,
     true,
     true,
     true,
     true,
     "wgg7",
     2,
     "candidate:72724243 1 UDP 2113937151 192.0.2.2 39700 typ host"},
    {"chromium-publish",
     2,
     1,
     0,
     -1,
     108,
     109,
     96,
     111,
     "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
     3,
     5,
     4,
     true,
     true,
     true,
     true,
     "IIsP",
     2,
     "candidate:3398517927 1 UDP 2113937151 192.0.2.2 44489 typ host",
     3974440305,
     487575897},
    {"firefox-watch",
     3,
     0,
     1,
     2,
     126,
     127,
     120,
     109,
     "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
     7,
     6,
     3,
     true,
     true,
     true,
     true,
     "3f5b9d21",
     1,
     "candidate:1 1 UDP 1686052863 198.51.100.9 58363 typ srflx raddr 0.0.0.0 rport 0",
     2283465901},
    {"safari-watch",
     2,
     1,
     0,
     -1,
     98,
     99,
     127,
     111,
     "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
     3,
     5,
     4,
     true,
     true,
     true,
     true,
     "Xk3Q",
     0,
     NULL},
    {"obs-publish",
     2,
     1,
     0,
     -1,
     96,
     -1,
     -1,
     111,
     "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
     0,
     0,
     0,
     true,
     true,
     false,
     true,
     "cHvA",
     2,
     "candidate:1 1 UDP 2114977791 192.0.2.7 64132 typ host",
     1830221905},
    {"gstreamer-watch",
     2,
     0,
     1,
     -1,
     101,
     -1,
     -1,
     97,
     "",
     0,
     0,
     0,
     false,
     true,
     true,
     true,
     "uPoms3QPj1LMr/y6i3WnHJrvSIS1qtk/",
     3,
     "candidate:1 1 UDP 2015363327 192.0.2.2 41864 typ host"},
    {"gstreamer-publish",
     2,
     0,
     1,
     -1,
     96,
     -1,
     -1,
     97,
     "packetization-mode=1;profile-level-id=42e01f",
     0,
     0,
     0,
     false,
     true,
     true,
     true,
     "vqwCxRTHM4pa/kl4Rj2Ys1tLPL/zNZAE",
     3,
     "candidate:1 1 UDP 2015363327 192.0.2.2 52283 typ host",
     1234567},
    // Each m-line has gathered for itself, and data are of the old kind.
    {"aiortc-watch",
     3,
     0,
     1,
     2,
     101,
     102,
     97,
     96,
     "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
     0,
     0,
     1,
     true,
     true,
     false,
     false,
     "pwrT",
     2,
     "candidate:f957a2332b1715da3b0ef8ba684454eb 1 UDP 2130706431 192.0.2.2 60075 typ host",
     897735819,
     3994088270},
};

static void real_offers_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < SC_COUNT(offers); i++) {
        sc_rtc_offer *o = parse_file(offers[i].name);
        const struct sc_rtc_media *video = &o->media[o->video];
        print_message("%s\n", offers[i].name);
        assert_int_equal(o->count, offers[i].count);
        assert_int_equal(o->video, offers[i].video);
        assert_int_equal(o->audio, offers[i].audio);
        assert_int_equal(o->data, offers[i].data);
        assert_int_equal(video->h264.payload, offers[i].h264);
        assert_int_equal(video->h264.rtx_payload, offers[i].h264_rtx);
        assert_string_equal(video->h264.fmtp, offers[i].fmtp);
        assert_int_equal(video->vp8.payload, offers[i].vp8);
        assert_int_equal(o->media[o->audio].opus.payload, offers[i].opus);
        assert_int_equal(video->twcc_id, offers[i].twcc_id);
        assert_int_equal(video->playout_id, offers[i].playout_id);
        assert_int_equal(video->mid_id, offers[i].mid_id);
        assert_int_equal(video->h264.nack, offers[i].nack);
        assert_int_equal(video->h264.pli, offers[i].pli);
        assert_int_equal(video->h264.twcc, offers[i].twcc);
        assert_int_equal(video->ssrc, offers[i].ssrc);
        assert_int_equal(video->rtx_ssrc, offers[i].rtx_ssrc);
        assert_int_equal(o->trickle, offers[i].trickle);
        assert_string_equal(o->ufrag, offers[i].ufrag);
        assert_string_equal(o->setup, "actpass");
        assert_string_equal(o->fingerprint_hash, "sha-256");
        assert_int_equal(o->fingerprint_size, 32);
        assert_int_equal(o->candidate_count, offers[i].candidates);
        if (offers[i].candidates)
            assert_string_equal(o->candidates[0].text, offers[i].candidate);
        sc_rtc_offer_free(&o);
        assert_null(o);
    }
    sc_rtc_offer_free(NULL);
}

// --- a small offer, and what may be wrong with it -----------------------------------------

#define PWD "a=ice-pwd:0123456789012345678901\n"
#define FINGERPRINT                                                                            \
    "a=fingerprint:SHA-256 00:01:02:03:04:05:06:07:08:09:0a:0B:0C:0D:0E:0F:"                   \
    "10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\n"
static const char small[] = "v=0\n"
                            "o=- 1 2 IN IP4 127.0.0.1\n"
                            "s=-\n"
                            "t=0 0\n"
                            "a=group:BUNDLE v a d\n"
                            "m=video 9 UDP/TLS/RTP/SAVPF 96 97\n"
                            "c=IN IP4 0.0.0.0\n"
                            "a=mid:v\n"
                            "a=recvonly\n"
                            "a=rtcp-mux\n"
                            "a=rtpmap:96 h264/90000\n"
                            "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f\n"
                            "a=rtpmap:97 rtx/90000\n"
                            "a=fmtp:97 apt=96\n"
                            "a=rtcp-fb:* nack\n"
                            "a=extmap:2 urn:x\n"
                            "a=ice-ufrag:abcd\n" PWD FINGERPRINT "a=setup:active\n"
                            "m=audio 9 UDP/TLS/RTP/SAVPF 0\n"
                            "a=mid:a\n"
                            "a=rtcp-mux\n"
                            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n"
                            "a=mid:d\n"
                            "a=sctp-port:5000";

static void a_small_offer(void **state)
{
    (void)state;
    sc_rtc_offer *o = parse(small, SC_RTC_WATCH);
    assert_int_equal(o->video, 0);
    assert_int_equal(o->audio, -1);
    assert_int_equal(o->data, 2);
    assert_true(o->media[1].rejected);
    assert_string_equal(o->setup, "active");
    assert_string_equal(o->fingerprint_hash, "sha-256");
    for (int i = 0; i < 32; i++)
        assert_int_equal(o->fingerprint[i], i);
    assert_true(o->trickle);
    assert_true(o->media[0].h264.nack);
    assert_false(o->media[0].h264.pli);
    assert_int_equal(o->media[2].sctp_port, 5000);
    sc_rtc_offer_free(&o);
}

struct fault {
    const char *from, *to;
    int code;
    const char *why;
};

static void assert_faults(const char *base, enum sc_rtc_role role, const struct fault *faults,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = replaced(base, faults[i].from, faults[i].to);
        sc_rtc_offer *offer = NULL;
        sc_err err = {0};
        int ret = sc_rtc_offer_parse(&offer, text, strlen(text), role, &err);
        if (ret != faults[i].code || strcmp(err.text, faults[i].why))
            fail_msg("%s -> %s: %s %s", faults[i].from, faults[i].to, sc_error_name(ret),
                     err.text);
        assert_null(offer);
        free(text);
    }
}

#define NINES "999999999999999999999999999999999999999999999999"
static const struct fault malformed[] = {
    {"v=0", "v=1", SC_EARG, "line 1: the version must be 0"},
    {"v=0\n", "", SC_EARG, "line 1: v= must be here"},
    {"v=0\n", "\nv=0\n", SC_EARG, "line 1: empty"},
    {"o=- 1 2 IN IP4 127.0.0.1\n", "", SC_EARG, "line 2: o= must be here"},
    {"s=-\n", "", SC_EARG, "line 3: s= must be here"},
    {"t=0 0", "t", SC_EARG, "line 4: not of the form x=value"},
    {"t=0 0", "hello", SC_EARG, "line 4: not of the form x=value"},
    {"t=0 0", "T=0", SC_EARG, "line 4: not of the form x=value"},
    {"t=0 0", "t=0\r0", SC_EARG, "line 4: control characters"},
    {"t=0 0", "t=\x1b[0m", SC_EARG, "line 4: control characters"},
    {"BUNDLE v a d", "BUNDLE v a x", SC_EARG, "line 5: BUNDLE names a mid that there is not"},
    {"BUNDLE v a d", "BUNDLE v v d", SC_EARG, "line 5: BUNDLE names a mid twice"},
    {"BUNDLE v a d", "BUNDLE v " NINES, SC_EARG,
     "line 5: BUNDLE names a mid that there is not"},
    {"m=video 9 ", "m=video x ", SC_EARG, "line 6: the m-line's port is none"},
    {"m=video 9 ", "m=video -9 ", SC_EARG, "line 6: the m-line's port is none"},
    {"m=video 9 ", "m=video 65536 ", SC_EARG, "line 6: the m-line's port is none"},
    {"m=video 9 ", "m=video 9/2 ", SC_EARG, "line 6: the m-line's port is none"},
    {"m=video 9 UDP/TLS/RTP/SAVPF 96 97", "m=video", SC_EARG,
     "line 6: the m-line's port is none"},
    {"m=video 9 UDP/TLS/RTP/SAVPF 96 97", "m=", SC_EARG, "line 6: the m-line names no medium"},
    {"m=video 9", "m=vid:eo 9", SC_EARG, "line 6: the m-line names no medium"},
    {"UDP/TLS/RTP/SAVPF 96 97", "", SC_EARG, "line 6: the m-line names no transport"},
    {"SAVPF 96 97", "SAVPF", SC_EARG, "line 6: the m-line lists no formats, or too long ones"},
    {"SAVPF 96 97", "SAVPF 96 " NINES, SC_EARG,
     "line 6: the m-line lists no formats, or too long ones"},
    {"96 97", "96 128", SC_EARG, "line 6: a format of the m-line makes no sense"},
    {"96 97", "96 96", SC_EARG, "line 6: a format of the m-line makes no sense"},
    {"96 97", "96 x", SC_EARG, "line 6: a format of the m-line makes no sense"},
    {"96 97", "96 +7", SC_EARG, "line 6: a format of the m-line makes no sense"},
    {"a=mid:v", "a=mid:v\na=mid:w", SC_EARG, "line 9: a second mid for one m-line"},
    {"a=mid:v", "a=mid:", SC_EARG, "line 8: the mid is no token of at most 31 letters"},
    {"a=mid:v", "a=mid:a b", SC_EARG, "line 8: the mid is no token of at most 31 letters"},
    {"a=mid:v", "a=mid:" NINES, SC_EARG, "line 8: the mid is no token of at most 31 letters"},
    {"a=mid:a", "a=mid:v", SC_EARG, "the m-line in line 21 has the mid of one before it"},
    {"a=rtpmap:96 h264/90000", "a=rtpmap:128 h264/90000", SC_EARG,
     "line 11: rtpmap needs a payload of 0 to 127 and an encoding"},
    {"a=rtpmap:96 h264/90000", "a=rtpmap:96", SC_EARG,
     "line 11: rtpmap needs a payload of 0 to 127 and an encoding"},
    {"a=rtpmap:97", "a=rtpmap:96", SC_EARG, "line 13: a second rtpmap for one payload"},
    {"a=fmtp:97", "a=fmtp:x", SC_EARG, "line 14: fmtp needs a payload of 0 to 127"},
    {"a=rtcp-fb:*", "a=rtcp-fb:**", SC_EARG,
     "line 15: rtcp-fb needs a payload of 0 to 127, or *"},
    {"a=extmap:2", "a=extmap:0", SC_EARG, "line 16: extmap needs a number from 1 and a name"},
    {"a=extmap:2 urn:x", "a=extmap:2", SC_EARG,
     "line 16: extmap needs a number from 1 and a name"},
    {"a=extmap:2 urn:x",
     "a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:mid\n"
     "a=extmap:2 urn:x",
     SC_EARG, "line 17: two extensions of one number"},
    {"a=extmap:2 urn:x", "a=ssrc:4294967296 a", SC_EARG,
     "line 16: ssrc is no number of 32 bits"},
    {"a=extmap:2 urn:x", "a=ssrc-group:FID 1", SC_EARG,
     "line 16: ssrc-group needs two numbers of 32 bits"},
    {"a=ice-ufrag:abcd", "a=ice-ufrag:abc", SC_EARG,
     "line 17: ice-ufrag needs 4 to 256 letters, and an ice-pwd of 22 to 256 beside it"},
    {"a=ice-ufrag:abcd", "a=ice-ufrag:ab\"d", SC_EARG,
     "line 17: ice-ufrag needs 4 to 256 letters, and an ice-pwd of 22 to 256 beside it"},
    {PWD, "a=ice-pwd:012345678901234567890\n", SC_EARG,
     "line 17: ice-ufrag needs 4 to 256 letters, and an ice-pwd of 22 to 256 beside it"},
    {PWD, "", SC_EARG,
     "line 17: ice-ufrag needs 4 to 256 letters, and an ice-pwd of 22 to 256 beside it"},
    {"1E:1F", "1E", SC_EARG, "line 19: fingerprint is not as long as its hash, in hex"},
    {"1E:1F", "1E:1F:20", SC_EARG, "line 19: fingerprint is not as long as its hash, in hex"},
    {"1E:1F", "1E:1G", SC_EARG, "line 19: fingerprint is not as long as its hash, in hex"},
    {"1E:1F", "1E-1F", SC_EARG, "line 19: fingerprint is not as long as its hash, in hex"},
    {"SHA-256", "SHA-384", SC_EARG, "line 19: fingerprint is not as long as its hash, in hex"},
    {FINGERPRINT, "a=fingerprint:\n", SC_EARG, "line 19: fingerprint names no hash"},
    {"setup:active", "setup:maybe", SC_EARG, "line 20: setup must be actpass or active"},
    {"sctp-port:5000", "sctp-port:0", SC_EARG, "line 26: sctp-port is no port"},
    {"sctp-port:5000", "sctpmap:x y", SC_EARG, "line 26: sctpmap needs a port and a name"},
};

static void malformed_offers_are_refused(void **state)
{
    (void)state;
    assert_faults(small, SC_RTC_WATCH, malformed, SC_COUNT(malformed));
}

static const struct fault unusable[] = {
    {"m=video 9", "m=vidoe 9", SC_EUNSUPPORTED, "no video can be sent: there is none"},
    {"m=video 9", "m=video 0", SC_EUNSUPPORTED,
     "no video can be sent: it is turned off by port 0"},
    {"UDP/TLS/RTP/SAVPF 96", "RTP/AVP 96", SC_EUNSUPPORTED,
     "no video can be sent: its transport must be UDP/TLS/RTP/SAVPF"},
    {"a=mid:v\n", "", SC_EARG, "line 5: BUNDLE names a mid that there is not"},
    {"a=group:BUNDLE v a d\n", "", SC_EUNSUPPORTED,
     "no video can be sent: it must be in a=group:BUNDLE"},
    {"BUNDLE v a d", "BUNDLE a d", SC_EUNSUPPORTED,
     "no video can be sent: it must be in a=group:BUNDLE"},
    {"a=rtcp-mux\n", "", SC_EUNSUPPORTED, "no video can be sent: a=rtcp-mux is missing"},
    {"a=recvonly", "a=sendonly", SC_EUNSUPPORTED,
     "no video can be sent: its direction must be recvonly or sendrecv"},
    {"a=recvonly", "a=inactive", SC_EUNSUPPORTED,
     "no video can be sent: its direction must be recvonly or sendrecv"},
    {"h264/90000", "H265/90000", SC_EUNSUPPORTED,
     "no video can be sent: its codecs must include H.264 with packetization-mode=1, or VP8"},
    {"mode=1", "mode=0", SC_EUNSUPPORTED,
     "no video can be sent: its codecs must include H.264 with packetization-mode=1, or VP8"},
    {"42e01f", "f4001f", SC_EUNSUPPORTED,
     "no video can be sent: its codecs must include H.264 with packetization-mode=1, or VP8"},
    {"42e01f", "42e0", SC_EUNSUPPORTED,
     "no video can be sent: its codecs must include H.264 with packetization-mode=1, or VP8"},
    {"a=ice-ufrag:abcd\n", "", SC_EUNSUPPORTED, "a=ice-ufrag and a=ice-pwd are missing"},
    {FINGERPRINT, "", SC_EUNSUPPORTED,
     "a=fingerprint of DTLS by sha-256, sha-384 or sha-512 is missing"},
    {"SHA-256", "sha-1", SC_EUNSUPPORTED,
     "a=fingerprint of DTLS by sha-256, sha-384 or sha-512 is missing"},
    {"setup:active", "setup:passive", SC_EUNSUPPORTED,
     "a=setup:passive: offer actpass, this server is the passive side of DTLS"},
    {"m=application",
     "m=x 9 a b\nm=x 9 a b\nm=x 9 a b\nm=x 9 a b\nm=x 9 a b\nm=x 9 a b\nm=application",
     SC_EUNSUPPORTED, "more than 8 m-lines: offer one video, one audio and one data channel"},
};

static void what_cannot_be_served_is_refused(void **state)
{
    (void)state;
    assert_faults(small, SC_RTC_WATCH, unusable, SC_COUNT(unusable));
}

static void publishers_are_served_wholly_or_not(void **state)
{
    static const struct fault faults[] = {
        {"opus/48000/2", "opus/48000", SC_EUNSUPPORTED,
         "m-line 1 (audio) cannot be received: its codecs must include Opus"},
        {"a=mid:1\r\na=sendonly", "a=mid:1\r\na=recvonly", SC_EUNSUPPORTED,
         "no video can be received: its direction must be sendonly or sendrecv"},
        {"m=audio 64132", "m=video 1 UDP/TLS/RTP/SAVPF 96\r\na=mid:9\r\nm=audio 64132",
         SC_EUNSUPPORTED, "m-line 1 (video) cannot be received: a=rtcp-mux is missing"},
        {"BUNDLE 0 1", "BUNDLE 1", SC_EUNSUPPORTED,
         "m-line 1 (audio) cannot be received: it must be in a=group:BUNDLE"},
    };
    char *obs = read_file(OFFERS, "obs-publish");
    (void)state;
    assert_faults(obs, SC_RTC_PUBLISH, faults, SC_COUNT(faults));
    char *off = replaced(obs, "m=audio 64132", "m=audio 0");
    sc_rtc_offer *offer = parse(off, SC_RTC_PUBLISH);
    assert_int_equal(offer->audio, -1);
    sc_rtc_offer_free(&offer);
    free(off);
    free(obs);
}

static void too_large_or_binary_offers_are_refused(void **state)
{
    sc_rtc_offer *offer;
    size_t size = SC_RTC_OFFER_MAX + 1;
    char *text = sc_xcalloc(1, size);
    sc_err err = {0};
    (void)state;
    memset(text, 'a', size);
    assert_int_equal(sc_rtc_offer_parse(&offer, text, size, SC_RTC_WATCH, &err), SC_EARG);
    assert_string_equal(err.text, "the text is larger than 65536 bytes");
    err = (sc_err){0};
    assert_int_equal(sc_rtc_offer_parse(&offer, small, sizeof(small), SC_RTC_WATCH, &err),
                     SC_EARG);
    assert_string_equal(err.text, "the text holds a zero byte");
    err = (sc_err){0};
    assert_int_equal(sc_rtc_offer_parse(&offer, NULL, 0, SC_RTC_WATCH, &err), SC_EARG);
    assert_string_equal(err.text, "the text is empty");
    free(text);
}

// --- codecs -------------------------------------------------------------------------------

static void the_best_h264_is_taken(void **state)
{
    static const struct {
        const char *a, *b; // parameters of payloads 96 and 98
        int best;
    } cases[] = {
        {"packetization-mode=1;profile-level-id=42001f",
         "packetization-mode=1;profile-level-id=42e01f", 98},
        {"packetization-mode=1;profile-level-id=42e01f",
         "packetization-mode=1;profile-level-id=42e01f", 96},
        {"packetization-mode=1;profile-level-id=4d001f",
         "packetization-mode=1;profile-level-id=42001f", 98},
        {"packetization-mode=1;profile-level-id=640c1f",
         "packetization-mode=1;profile-level-id=4d001f", 98},
        {"profile-level-id=42e01f", "packetization-mode=1;profile-level-id=640c1f", 98},
        {"packetization-mode=0;profile-level-id=42e01f", "profile-level-id=42e01f", 98},
        {"packetization-mode=1", "packetization-mode=1;profile-level-id=42E01F", 98},
        {"profile-level-id=42e01f ; packetization-mode=1", "packetization-mode=1", 96},
    };
    (void)state;
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        char lines[300];
        snprintf(lines, sizeof(lines), "a=fmtp:96 %s\na=rtpmap:98 H264/90000\na=fmtp:98 %s\n",
                 cases[i].a, cases[i].b);
        char *more = replaced(small, "96 97\n", "96 97 98\n");
        char *text =
            replaced(more, "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f\n", lines);
        sc_rtc_offer *offer = parse(text, SC_RTC_WATCH);
        if (offer->media[0].h264.payload != cases[i].best)
            fail_msg("%s: %d", lines, offer->media[0].h264.payload);
        sc_rtc_offer_free(&offer);
        free(more);
        free(text);
    }
}

static void codecs_are_chosen(void **state)
{
    sc_rtc_offer *both = parse_file("chromium-watch"), *one = parse_file("gstreamer-watch");
    (void)state;
    assert_int_equal(sc_rtc_offer_choose(both, 1u << SC_RTC_VP8 | 1u << SC_RTC_H264),
                     SC_RTC_H264);
    assert_int_equal(sc_rtc_offer_choose(both, 1u << SC_RTC_VP8), SC_RTC_VP8);
    assert_int_equal(sc_rtc_offer_choose(both, 1u << SC_RTC_OPUS), SC_RTC_NONE);
    assert_int_equal(sc_rtc_offer_choose(one, 1u << SC_RTC_VP8), SC_RTC_NONE);
    assert_string_equal(sc_rtc_codec_name(SC_RTC_H264), "H264");
    assert_string_equal(sc_rtc_codec_name(SC_RTC_NONE), "none");
    sc_rtc_offer_free(&both);
    sc_rtc_offer_free(&one);
}

// --- what webrtcbin gets ------------------------------------------------------------------

static void only_what_is_used_is_written(void **state)
{
    (void)state;
    sc_rtc_offer *o = parse_file("chromium-watch");
    char *text = sc_rtc_offer_text(o, SC_RTC_H264);
    assert_holds(text, "a=group:BUNDLE 0 1 2\r\n");
    assert_holds(text, "m=video 9 UDP/TLS/RTP/SAVPF 108 109\r\n");
    assert_holds(text, "a=fmtp:109 apt=108\r\n");
    assert_holds(text, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
    assert_int_equal(count_of(text, "a=setup:active\r\n"), 3);
    assert_int_equal(count_of(text, "a=candidate:"), 2);
    assert_lacks(text, "VP8");
    assert_lacks(text, "AV1");
    assert_lacks(text, "goog-remb");
    free(text);
    text = sc_rtc_offer_text(o, SC_RTC_VP8);
    assert_holds(text, "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n");
    assert_lacks(text, "H264");
    free(text);
    sc_rtc_offer_free(&o);
    o = parse(small, SC_RTC_WATCH);
    text = sc_rtc_offer_text(o, SC_RTC_H264);
    assert_holds(text, "a=group:BUNDLE v d\r\n");
    assert_lacks(text, "m=audio");
    free(text);
    sc_rtc_offer_free(&o);
    o = parse_file("firefox-watch");
    text = sc_rtc_offer_text(o, SC_RTC_H264);
    assert_lacks(text, ".local");
    assert_holds(text, "typ srflx");
    free(text);
    sc_rtc_offer_free(&o);
    o = parse_file("chromium-publish");
    text = sc_rtc_offer_text(o, SC_RTC_H264);
    assert_holds(text, "a=ssrc-group:FID 3974440305 487575897\r\n");
    assert_int_equal(count_of(text, "a=sendonly\r\n"), 2);
    free(text);
    sc_rtc_offer_free(&o);
}

static void what_is_written_is_read_as_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < SC_COUNT(offers); i++) {
        sc_rtc_offer *o = parse_file(offers[i].name);
        char *once = sc_rtc_offer_text(o, SC_RTC_H264);
        sc_rtc_offer *again = parse(once, o->role);
        char *twice = sc_rtc_offer_text(again, SC_RTC_H264);
        assert_string_equal(once, twice);
        assert_string_equal(again->ufrag, o->ufrag);
        assert_memory_equal(again->fingerprint, o->fingerprint, 64);
        assert_int_equal(again->candidate_count, o->candidate_count);
        assert_int_equal(again->trickle, o->trickle);
        sc_rtc_offer_free(&o);
        sc_rtc_offer_free(&again);
        free(once);
        free(twice);
    }
}

// --- answers ------------------------------------------------------------------------------

static void answers_are_mended(void **state)
{
    (void)state;
    sc_rtc_offer *offer = parse_file("chromium-watch");
    char *answer = read_file(ANSWERS, "webrtcbin-answer.sdp");
    char *lost = replaced(answer,
                          "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/"
                          "playout-delay\r\n",
                          "");
    char *bare = replaced(lost, ";profile-level-id=42e01f", "");
    char *active = replaced(bare, "setup:passive", "setup:active");
    char *mended = sc_rtc_answer_mend(offer, SC_RTC_H264, active);
    assert_holds(mended, "a=fmtp:108 profile-level-id=42e01f;level-asymmetry-allowed=1;"
                         "packetization-mode=1\r\n");
    assert_int_equal(count_of(mended, "a=fmtp:108"), 1);
    assert_holds(mended, "a=fmtp:109 apt=108\r\n");
    assert_holds(mended, "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/"
                         "playout-delay\r\n");
    assert_int_equal(count_of(mended, "transport-wide-cc"), 1);
    assert_int_equal(count_of(mended, "a=setup:passive\r\n"), 3);
    assert_lacks(mended, "setup:active");
    assert_holds(mended, "a=group:BUNDLE 0 1 2\r\n");
    assert_int_equal(count_of(mended, "a=candidate:"), 9);
    assert_holds(mended, "a=ssrc-group:FID 1234567 1736444741\r\n");
    free(mended);
    free(active);
    free(bare);
    free(lost);
    free(answer);
    sc_rtc_offer_free(&offer);
}

static void data_of_the_old_kind_are_answered_so(void **state)
{
    (void)state;
    sc_rtc_offer *offer = parse_file("aiortc-watch");
    char *answer = read_file(ANSWERS, "webrtcbin-answer.sdp");
    char *text = sc_rtc_offer_text(offer, SC_RTC_H264);
    assert_holds(text, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n");
    assert_holds(text, "a=sctp-port:5000\r\n");
    char *mended = sc_rtc_answer_mend(offer, SC_RTC_H264, answer);
    assert_holds(mended, "m=application 9 DTLS/SCTP 5000\r\n");
    assert_holds(mended, "a=sctpmap:5000 webrtc-datachannel 65535\r\n");
    assert_lacks(mended, "sctp-port");
    free(mended);
    free(text);
    free(answer);
    sc_rtc_offer_free(&offer);
}

// The audio is of no use, so webrtcbin never saw it; data it turned down.
static void refused_media_are_put_back(void **state)
{
    (void)state;
    char *chromium = read_file(OFFERS, "chromium-watch");
    char *mute = replaced(chromium, "opus/48000/2", "opus/48000");
    sc_rtc_offer *offer = parse(mute, SC_RTC_WATCH);
    char *answer = read_file(ANSWERS, "webrtcbin-answer.sdp");
    char *audio = strstr(answer, "m=audio"), *data = strstr(answer, "m=application");
    memmove(audio, data, strlen(data) + 1);
    char *off = replaced(answer, "m=application 9", "m=application 0");
    char *mended = sc_rtc_answer_mend(offer, SC_RTC_H264, off);
    char *first = strstr(mended, "m=video 9"), *second = strstr(mended, "m=audio 0"),
         *third = strstr(mended, "m=application 0");
    assert_non_null(first);
    assert_true(first < second && second < third);
    assert_int_equal(count_of(mended, "\r\nm="), 3);
    assert_holds(mended, "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n"
                         "a=inactive\r\na=mid:1\r\n");
    assert_holds(mended, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n");
    assert_holds(mended, "a=group:BUNDLE 0\r\n");
    free(mended);
    free(off);
    free(answer);
    free(mute);
    free(chromium);
    sc_rtc_offer_free(&offer);
}

static void other_profiles_keep_their_name(void **state)
{
    (void)state;
    char *high = replaced(small, "42e01f", "640c34");
    sc_rtc_offer *offer = parse(high, SC_RTC_WATCH);
    char *mended =
        sc_rtc_answer_mend(offer, SC_RTC_H264,
                           "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\n"
                           "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=sendonly\r\n");
    assert_holds(mended, "a=fmtp:96 profile-level-id=640c1f;packetization-mode=1\r\n");
    assert_holds(mended, "m=audio 0 ");
    free(mended);
    free(high);
    sc_rtc_offer_free(&offer);
}

static void answers_without_sense_are_refused(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"m=video 9", "m=video 0"},   {"a=mid:0", "a=mid:7"}, {"a=sendonly", "a=recvonly"},
        {"a=sendonly", "a=inactive"}, {"v=0", "v"},
    };
    (void)state;
    sc_rtc_offer *offer = parse_file("chromium-watch");
    char *answer = read_file(ANSWERS, "webrtcbin-answer.sdp");
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        char *text = replaced(answer, cases[i].from, cases[i].to);
        assert_null(sc_rtc_answer_mend(offer, SC_RTC_H264, text));
        free(text);
    }
    assert_null(sc_rtc_answer_mend(offer, SC_RTC_H264, ""));
    free(answer);
    sc_rtc_offer_free(&offer);
}

// To a publisher no feedback is promised that webrtcbin did not.
static void publishers_get_no_more_than_was_answered(void **state)
{
    (void)state;
    sc_rtc_offer *offer = parse_file("chromium-publish");
    char *mended =
        sc_rtc_answer_mend(offer, SC_RTC_H264,
                           "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\n"
                           "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=recvonly\r\n"
                           "m=video 9 UDP/TLS/RTP/SAVPF 108 109\r\na=mid:1\r\na=recvonly\r\n");
    assert_non_null(mended);
    assert_lacks(mended, "extmap");
    assert_holds(mended, "profile-level-id=42e01f");
    free(mended);
    sc_rtc_offer_free(&offer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_offers_are_understood),
        cmocka_unit_test(a_small_offer),
        cmocka_unit_test(malformed_offers_are_refused),
        cmocka_unit_test(what_cannot_be_served_is_refused),
        cmocka_unit_test(publishers_are_served_wholly_or_not),
        cmocka_unit_test(too_large_or_binary_offers_are_refused),
        cmocka_unit_test(the_best_h264_is_taken),
        cmocka_unit_test(codecs_are_chosen),
        cmocka_unit_test(only_what_is_used_is_written),
        cmocka_unit_test(what_is_written_is_read_as_the_same),
        cmocka_unit_test(answers_are_mended),
        cmocka_unit_test(data_of_the_old_kind_are_answered_so),
        cmocka_unit_test(refused_media_are_put_back),
        cmocka_unit_test(other_profiles_keep_their_name),
        cmocka_unit_test(answers_without_sense_are_refused),
        cmocka_unit_test(publishers_get_no_more_than_was_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
