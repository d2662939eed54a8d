#include "rtc/offer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "rtc/offer_internal.h"

// While an offer is being read.
struct parse {
    sc_rtc_offer *offer;
    struct sc_sdp sdp;
    const char *why[SC_RTC_MEDIA_MAX]; // a medium is of no use; NULL = it is
    unsigned bundled;                  // bit 1 << index of the medium
    sc_err *err;
};

int sc_offer_bad(const struct sc_sdp_line *line, sc_err *err, const char *what)
{
    return sc_fail(err, SC_EARG, "line %d: %s", line->number, what);
}

// --- media --------------------------------------------------------------------------------

// v, o and s open every session description.
static int check_head(struct parse *parse)
{
    static const char types[] = "vos";
    struct sc_sdp_part session = sc_sdp_session(&parse->sdp);
    for (int i = 0; i < 3; i++) {
        if (i >= session.count || session.lines[i].type != types[i])
            return sc_fail(parse->err, SC_EARG, "line %d: %c= must be here", i + 1, types[i]);
    }
    return strcmp(session.lines[0].value, "0")
               ? sc_offer_bad(&session.lines[0], parse->err, "the version must be 0")
               : SC_OK;
}

static int check_mids(struct parse *parse, int last, const struct sc_sdp_line *line)
{
    const sc_rtc_offer *offer = parse->offer;
    for (int i = 0; i < last; i++) {
        if (offer->media[i].mid[0] && !strcmp(offer->media[i].mid, offer->media[last].mid))
            return sc_fail(parse->err, SC_EARG,
                           "the m-line in line %d has the mid of one before it", line->number);
    }
    return SC_OK;
}

static int read_all_media(struct parse *parse)
{
    sc_rtc_offer *offer = parse->offer;
    enum sc_offer_direction session =
        sc_offer_direction_of(sc_sdp_session(&parse->sdp), SC_OFFER_BOTH);
    struct sc_sdp_part part = sc_sdp_media(&parse->sdp, 0);
    int ret = SC_OK;
    for (int i = 0; !ret && part.count; part = sc_sdp_media(&parse->sdp, ++i)) {
        if (i == SC_RTC_MEDIA_MAX)
            return sc_fail(parse->err, SC_EUNSUPPORTED,
                           "more than %d m-lines: offer one video, one audio and one "
                           "data channel",
                           SC_RTC_MEDIA_MAX);
        ret = sc_offer_read_media(&offer->media[i], part, offer->role, session, &parse->why[i],
                                  parse->err);
        if (!ret)
            ret = check_mids(parse, i, part.lines);
        offer->count = i + 1;
    }
    return ret;
}

static int media_by_mid(const sc_rtc_offer *offer, const char *mid)
{
    for (int i = 0; i < offer->count; i++) {
        if (!strcmp(offer->media[i].mid, mid))
            return i;
    }
    return -1;
}

static int read_group(struct parse *parse, const struct sc_sdp_line *line, unsigned *members)
{
    const char *rest = line->value + strlen("BUNDLE");
    char mid[sizeof(parse->offer->media[0].mid)];
    while (rest[strspn(rest, " ")]) {
        int i = sc_sdp_word(&rest, mid, sizeof(mid)) ? media_by_mid(parse->offer, mid) : -1;
        if (i < 0)
            return sc_offer_bad(line, parse->err, "BUNDLE names a mid that there is not");
        if (*members & 1u << i)
            return sc_offer_bad(line, parse->err, "BUNDLE names a mid twice");
        *members |= 1u << i;
    }
    return SC_OK;
}

// Of several groups the first is used; a medium in none has a transport of its own, which it does not get.
static int read_bundle(struct parse *parse)
{
    struct sc_sdp_part session = sc_sdp_session(&parse->sdp);
    int ret = SC_OK;
    for (int i = 0; !ret && i < session.count; i++) {
        const struct sc_sdp_line *line = &session.lines[i];
        unsigned members = 0;
        if (line->type != 'a' || strcmp(line->name, "group") ||
            (strcmp(line->value, "BUNDLE") && !sc_starts_with(line->value, "BUNDLE ")))
            continue;
        ret = read_group(parse, line, &members);
        if (!parse->bundled)
            parse->bundled = members;
    }
    for (int i = 0; i < parse->offer->count; i++) {
        if (!parse->why[i] && !(parse->bundled & 1u << i))
            parse->why[i] = "it must be in a=group:BUNDLE";
    }
    return ret;
}

// The first of each kind is used.
static int use_media(struct parse *parse)
{
    sc_rtc_offer *offer = parse->offer;
    int *const slots[] = {&offer->video, &offer->audio, &offer->data};
    for (int i = 0; i < offer->count; i++) {
        struct sc_rtc_media *media = &offer->media[i];
        int *slot = slots[media->kind];
        if (!parse->why[i] && *slot >= 0)
            parse->why[i] = "there is one before it already";
        media->rejected = parse->why[i] != NULL;
        if (!media->rejected)
            *slot = i;
    }
    return SC_OK;
}

// A publisher is not told by half what will be lost (RFC 9725).
static int check_use(struct parse *parse)
{
    const sc_rtc_offer *offer = parse->offer;
    const char *why = "there is none";
    for (int i = offer->count - 1; i >= 0; i--) {
        const struct sc_rtc_media *media = &offer->media[i];
        if (media->kind == SC_RTC_VIDEO && parse->why[i])
            why = parse->why[i];
    }
    if (offer->video < 0)
        return sc_fail(parse->err, SC_EUNSUPPORTED, "no video can be %s: %s",
                       offer->role == SC_RTC_WATCH ? "sent" : "received", why);
    for (int i = 0; offer->role == SC_RTC_PUBLISH && i < offer->count; i++) {
        const struct sc_rtc_media *media = &offer->media[i];
        if (parse->why[i] && !sc_starts_with(parse->why[i], "it is turned off"))
            return sc_fail(parse->err, SC_EUNSUPPORTED, "m-line %d (%s) cannot be received: %s",
                           i + 1, media->name, parse->why[i]);
    }
    return SC_OK;
}

// --- transport ----------------------------------------------------------------------------

// The first m-line of the bundle that has the attribute, else the session; count 0: nobody has it. All m-lines
// of a bundle have one transport, and those that are bundle-only leave its attributes out.
static struct sc_sdp_part part_with(const struct parse *parse, const char *name)
{
    for (int i = 0; i < parse->offer->count; i++) {
        struct sc_sdp_part part = sc_sdp_media(&parse->sdp, i);
        if (parse->bundled & 1u << i && sc_sdp_find(part, name))
            return part;
    }
    struct sc_sdp_part session = sc_sdp_session(&parse->sdp);
    return sc_sdp_find(session, name) ? session : (struct sc_sdp_part){0};
}

static int read_ice(struct parse *parse)
{
    sc_rtc_offer *offer = parse->offer;
    struct sc_sdp_part part = part_with(parse, "ice-ufrag");
    const struct sc_sdp_line *ufrag = sc_sdp_find(part, "ice-ufrag");
    const char *pwd = sc_sdp_get(part, "ice-pwd");
    if (!ufrag)
        return sc_fail(parse->err, SC_EUNSUPPORTED, "a=ice-ufrag and a=ice-pwd are missing");
    if (!pwd || !sc_sdp_ice_valid(ufrag->value, pwd))
        return sc_offer_bad(ufrag, parse->err,
                            "ice-ufrag needs 4 to 256 letters, and an ice-pwd of 22 to 256 "
                            "beside it");
    snprintf(offer->ufrag, sizeof(offer->ufrag), "%s", ufrag->value);
    snprintf(offer->pwd, sizeof(offer->pwd), "%s", pwd);
    return SC_OK;
}

static bool read_hex(const char *text, unsigned char *out, size_t size)
{
    for (size_t i = 0; i < size; i++, text += 3) {
        char byte[3] = {text[0], text[0] ? text[1] : 0, 0};
        if (!isxdigit((unsigned char)byte[0]) || !isxdigit((unsigned char)byte[1]) ||
            text[2] != (i + 1 < size ? ':' : 0))
            return false;
        out[i] = (unsigned char)strtol(byte, NULL, 16);
    }
    return true;
}

// SC_OK also where the hash is one that is not to be trusted.
static int read_fingerprint(sc_rtc_offer *offer, const struct sc_sdp_line *line, sc_err *err)
{
    static const struct {
        const char *name;
        size_t size;
    } hashes[] = {{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}};
    char hash[sizeof(offer->fingerprint_hash)];
    const char *rest = line->value;
    if (!sc_sdp_word(&rest, hash, sizeof(hash)))
        return sc_offer_bad(line, err, "fingerprint names no hash");
    rest += strspn(rest, " ");
    for (size_t i = 0; i < SC_COUNT(hashes); i++) {
        if (strcasecmp(hash, hashes[i].name))
            continue;
        if (!read_hex(rest, offer->fingerprint, hashes[i].size))
            return sc_offer_bad(line, err, "fingerprint is not as long as its hash, in hex");
        snprintf(offer->fingerprint_hash, sizeof(offer->fingerprint_hash), "%s",
                 hashes[i].name);
        offer->fingerprint_size = hashes[i].size;
    }
    return SC_OK;
}

static int read_fingerprints(struct parse *parse)
{
    struct sc_sdp_part part = part_with(parse, "fingerprint");
    int ret = SC_OK;
    for (int i = 0; !ret && !parse->offer->fingerprint_size && i < part.count; i++) {
        if (part.lines[i].type == 'a' && !strcmp(part.lines[i].name, "fingerprint"))
            ret = read_fingerprint(parse->offer, &part.lines[i], parse->err);
    }
    if (!ret && !parse->offer->fingerprint_size)
        ret = sc_fail(parse->err, SC_EUNSUPPORTED,
                      "a=fingerprint of DTLS by sha-256, sha-384 or sha-512 is missing");
    return ret;
}

static int read_setup(struct parse *parse)
{
    sc_rtc_offer *offer = parse->offer;
    const struct sc_sdp_line *line = sc_sdp_find(part_with(parse, "setup"), "setup");
    const char *setup = line ? line->value : "active"; // RFC 4145
    if (!strcmp(setup, "passive") || !strcmp(setup, "holdconn"))
        return sc_fail(parse->err, SC_EUNSUPPORTED,
                       "a=setup:%s: offer actpass, this server is the passive side of DTLS",
                       setup);
    if (strcmp(setup, "actpass") && strcmp(setup, "active"))
        return sc_offer_bad(line, parse->err, "setup must be actpass or active");
    snprintf(offer->setup, sizeof(offer->setup), "%s", setup);
    return SC_OK;
}

static void add_candidate(sc_rtc_offer *offer, const char *text)
{
    struct sc_rtc_candidate candidate = {0};
    if (offer->candidate_count == SC_RTC_CANDIDATES ||
        !sc_sdp_candidate(text, candidate.text, sizeof(candidate.text)))
        return;
    for (int i = 0; i < offer->candidate_count; i++) {
        if (!strcmp(offer->candidates[i].text, candidate.text))
            return;
    }
    offer->candidates[offer->candidate_count++] = candidate;
}

// Of one m-line only: others may have gathered transports of their own, which the bundle does away with.
static void read_candidates(struct parse *parse)
{
    sc_rtc_offer *offer = parse->offer;
    struct sc_sdp_part part = part_with(parse, "candidate");
    for (int i = 0; i < part.count; i++) {
        if (part.lines[i].type == 'a' && !strcmp(part.lines[i].name, "candidate"))
            add_candidate(offer, part.lines[i].value);
    }
    const char *options = sc_sdp_get(part_with(parse, "ice-options"), "ice-options");
    offer->trickle =
        !part_with(parse, "end-of-candidates").count || (options && strstr(options, "trickle"));
}

// --- parse --------------------------------------------------------------------------------

static int read_offer(struct parse *parse)
{
    static int (*const steps[])(struct parse *) = {
        check_head, read_all_media, read_bundle,       use_media,
        check_use,  read_ice,       read_fingerprints, read_setup,
    };
    int ret = SC_OK;
    for (size_t i = 0; !ret && i < SC_COUNT(steps); i++)
        ret = steps[i](parse);
    if (!ret)
        read_candidates(parse);
    return ret;
}

int sc_rtc_offer_parse(sc_rtc_offer **poffer, const char *text, size_t size,
                       enum sc_rtc_role role, sc_err *err)
{
    struct parse parse = {.err = err};
    *poffer = NULL;
    int ret = sc_sdp_init(&parse.sdp, text, size, SC_RTC_OFFER_MAX, err);
    if (!ret)
        parse.offer = sc_try_calloc(1, sizeof(*parse.offer));
    if (!ret && !parse.offer)
        ret = sc_fail(err, SC_ENOMEM, "no memory for the offer");
    if (parse.offer) {
        parse.offer->role = role;
        parse.offer->video = parse.offer->audio = parse.offer->data = -1;
        ret = read_offer(&parse);
    }
    sc_sdp_release(&parse.sdp);
    if (ret)
        sc_rtc_offer_free(&parse.offer);
    *poffer = parse.offer;
    return ret;
}

void sc_rtc_offer_free(sc_rtc_offer **poffer)
{
    if (!poffer)
        return;
    free(*poffer);
    *poffer = NULL;
}

// --- what is in it ------------------------------------------------------------------------

const char *sc_rtc_codec_name(enum sc_rtc_codec codec)
{
    static const char *const names[] = {"none", "H264", "VP8", "OPUS"};
    return names[codec];
}

const struct sc_rtc_format *sc_offer_format(const struct sc_rtc_media *media,
                                            enum sc_rtc_codec codec)
{
    const struct sc_rtc_format *format = codec == SC_RTC_H264   ? &media->h264
                                         : codec == SC_RTC_VP8  ? &media->vp8
                                         : codec == SC_RTC_OPUS ? &media->opus
                                                                : NULL;
    return format && format->payload >= 0 ? format : NULL;
}

enum sc_rtc_codec sc_rtc_offer_choose(const sc_rtc_offer *offer, unsigned have)
{
    static const enum sc_rtc_codec order[] = {SC_RTC_H264, SC_RTC_VP8};
    for (size_t i = 0; i < SC_COUNT(order); i++) {
        if (have & 1u << order[i] && sc_offer_format(&offer->media[offer->video], order[i]))
            return order[i];
    }
    return SC_RTC_NONE;
}

bool sc_offer_uses(const sc_rtc_offer *offer, int media)
{
    return media >= 0 &&
           (media == offer->video || media == offer->audio || media == offer->data);
}
