// What a WebRTC peer offers: an SDP offer, checked and understood, as far as this server has use for it.
//
// Everything in it is hostile. What webrtcbin would assert on (no mid, a bad BUNDLE group, lines without
// end, ports without transport) is refused here; what it is given is built anew from what was understood
// (sc_rtc_offer_text), so nothing else ever reaches it.
//
// Thread-safety: immutable once parsed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SC_RTC_OFFER_MAX (64 << 10) // bytes; browsers send some 6 kB
#define SC_RTC_MEDIA_MAX 8          // m-lines

// Who is to send: we to a viewer (WHEP), or the peer to us (WHIP).
enum sc_rtc_role { SC_RTC_WATCH, SC_RTC_PUBLISH };

enum sc_rtc_codec { SC_RTC_NONE, SC_RTC_H264, SC_RTC_VP8, SC_RTC_OPUS };
const char *sc_rtc_codec_name(enum sc_rtc_codec codec); // "H264", "VP8", "OPUS", "none"

enum sc_rtc_kind { SC_RTC_VIDEO, SC_RTC_AUDIO, SC_RTC_DATA };

// One way to send a medium. payload < 0: it is not offered.
struct sc_rtc_format {
    int payload;     // 0..127
    int rtx_payload; // of its retransmissions; < 0 = none
    // As offered, but for parameters that nobody here knows; "" = none. H.264: packetization-mode=1 (or no word
    // of it, as GStreamer offers) and a profile that can show constrained baseline, best first.
    char fmtp[160];
    bool nack, pli, twcc; // feedback that the peer will send
};

struct sc_rtc_media {
    enum sc_rtc_kind kind;
    char mid[32];
    bool rejected; // port 0 without bundle-only, or of no use here: the answer turns it down
    struct sc_rtc_format h264, vp8, opus; // video: the first two; audio: the last
    int twcc_id, playout_id,
        mid_id; // header extensions by id, 1..14 (1..255 two-byte); 0 = not offered
    uint32_t ssrc, rtx_ssrc;              // of a publisher; 0 = not told
    int sctp_port;                        // of data
    char name[16], proto[32], format[32]; // of the m-line, for turning it down
};

#define SC_RTC_CANDIDATES 32 // of an offer, or in one fragment; more are left out

// A way to reach the other side, over UDP, at an address: host names are left out.
struct sc_rtc_candidate {
    char text[192]; // "candidate:..."
};

typedef struct sc_rtc_offer {
    enum sc_rtc_role role;
    int count;
    struct sc_rtc_media media[SC_RTC_MEDIA_MAX]; // in the order of the offer
    int video, audio, data; // indices of those that will be used; < 0 = none
    char ufrag[257], pwd[257];
    char fingerprint_hash[16]; // "sha-256", "sha-384", "sha-512"; lower case
    unsigned char fingerprint[64];
    size_t fingerprint_size;
    char setup[10]; // "actpass" or "active"
    bool trickle;   // a=ice-options:trickle, or no end-of-candidates
    int candidate_count;
    struct sc_rtc_candidate candidates[SC_RTC_CANDIDATES];
} sc_rtc_offer;

// text: size bytes, need not end in NUL. Lines may end in CRLF or LF.
// SC_EARG: malformed, err says which line and what (HTTP 400). SC_EUNSUPPORTED: fine SDP that cannot be
// served: no video that fits, a wrong direction, no bundle, no DTLS fingerprint, setup:passive (we must be
// the passive side) and the like (HTTP 422; err says what would do). A publisher is served wholly or not at
// all, a viewer as far as possible. SC_ENOMEM.
// On failure *poffer is NULL.
int sc_rtc_offer_parse(sc_rtc_offer **poffer, const char *text, size_t size,
                       enum sc_rtc_role role, sc_err *err);
void sc_rtc_offer_free(sc_rtc_offer **poffer); // NULL and &NULL allowed

// The codec that is used for the video where both sides have what `have` says (bit 1 << codec): H.264
// before VP8. SC_RTC_NONE.
enum sc_rtc_codec sc_rtc_offer_choose(const sc_rtc_offer *offer, unsigned have);

// The offer to give to webrtcbin: only what was understood and will be used, one video codec (with its RTX);
// everything else is left out, m-lines too; the candidates; setup:active, so that webrtcbin is the passive
// side. The caller's, to free(). NULL: memory is out.
char *sc_rtc_offer_text(const sc_rtc_offer *offer, enum sc_rtc_codec video);

// webrtcbin's answer to sc_rtc_offer_text(), mended: setup:passive, profile-level-id back in the fmtp of
// H.264 (42e01f, or the offered profile at that level), the extensions that it forgot, m-lines complete and in the
// offer's order. The caller's, to free(). NULL: the answer makes no sense (no such video, or in another
// direction), or memory is out.
char *sc_rtc_answer_mend(const sc_rtc_offer *offer, enum sc_rtc_codec video,
                         const char *answer);

// --- trickle ------------------------------------------------------------------------------------

#define SC_RTC_FRAGMENT_MAX (16 << 10)

// application/trickle-ice-sdpfrag (RFC 8840).
typedef struct sc_rtc_fragment {
    char ufrag[257], pwd[257]; // "" = none given
    int count;
    struct sc_rtc_candidate candidates[SC_RTC_CANDIDATES];
    bool ended; // end-of-candidates
} sc_rtc_fragment;

// Candidates are taken of whatever medium, as all share one transport; those that make no sense or name hosts are
// left out silently, as RFC 9725 wants. SC_EARG: malformed as a whole.
int sc_rtc_fragment_parse(sc_rtc_fragment *fragment, const char *text, size_t size,
                          sc_err *err);
