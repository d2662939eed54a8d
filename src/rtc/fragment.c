// application/trickle-ice-sdpfrag: candidates that come later, or new credentials for a restart.
#include <stdio.h>
#include <string.h>

#include "rtc/offer.h"
#include "rtc/sdp.h"

static void add(sc_rtc_fragment *fragment, const char *text)
{
    struct sc_rtc_candidate candidate = {0};
    if (fragment->count < SC_RTC_CANDIDATES &&
        sc_sdp_candidate(text, candidate.text, sizeof(candidate.text)))
        fragment->candidates[fragment->count++] = candidate;
}

static int read_ice(sc_rtc_fragment *fragment, struct sc_sdp_part all, sc_err *err)
{
    const char *ufrag = sc_sdp_get(all, "ice-ufrag"), *pwd = sc_sdp_get(all, "ice-pwd");
    if (!ufrag && !pwd)
        return SC_OK;
    if (!ufrag || !pwd || !sc_sdp_ice_valid(ufrag, pwd))
        return sc_fail(err, SC_EARG,
                       "ice-ufrag of 4 to 256 letters and ice-pwd of 22 to 256 come together");
    snprintf(fragment->ufrag, sizeof(fragment->ufrag), "%s", ufrag);
    snprintf(fragment->pwd, sizeof(fragment->pwd), "%s", pwd);
    return SC_OK;
}

static void read_line(sc_rtc_fragment *fragment, const struct sc_sdp_line *line)
{
    if (!strcmp(line->name, "candidate"))
        add(fragment, line->value);
    else if (!strcmp(line->name, "end-of-candidates"))
        fragment->ended = true;
}

int sc_rtc_fragment_parse(sc_rtc_fragment *fragment, const char *text, size_t size, sc_err *err)
{
    struct sc_sdp sdp;
    *fragment = (sc_rtc_fragment){0};
    int ret = sc_sdp_init(&sdp, text, size, SC_RTC_FRAGMENT_MAX, err);
    if (!ret)
        ret = read_ice(fragment, (struct sc_sdp_part){sdp.lines, sdp.count}, err);
    for (int i = 0; !ret && i < sdp.count; i++)
        read_line(fragment, &sdp.lines[i]);
    sc_sdp_release(&sdp);
    return ret;
}
