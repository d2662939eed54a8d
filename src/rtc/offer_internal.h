// Shared by the files that read, write and answer offers.
#pragma once

#include "rtc/offer.h"
#include "rtc/sdp.h"

#define SC_EXT_TWCC    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
#define SC_EXT_PLAYOUT "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
#define SC_EXT_MID     "urn:ietf:params:rtp-hdrext:sdes:mid"

enum sc_offer_direction { SC_OFFER_INACTIVE, SC_OFFER_SEND, SC_OFFER_RECV, SC_OFFER_BOTH };

// What the part says of its direction; `otherwise` where it says nothing.
enum sc_offer_direction sc_offer_direction_of(struct sc_sdp_part part,
                                              enum sc_offer_direction otherwise);

// Reads an m-line and what belongs to it. SC_EARG: malformed. *why: what makes it of no use (a constant), or NULL.
int sc_offer_read_media(struct sc_rtc_media *media, struct sc_sdp_part part,
                        enum sc_rtc_role role, enum sc_offer_direction session,
                        const char **why, sc_err *err);

// SC_EARG with the line's number and what is wrong.
int sc_offer_bad(const struct sc_sdp_line *line, sc_err *err, const char *what);

// The format of the video by its codec; NULL where that is not offered.
const struct sc_rtc_format *sc_offer_format(const struct sc_rtc_media *media,
                                            enum sc_rtc_codec codec);
bool sc_offer_uses(const sc_rtc_offer *offer, int media);
