#include "rtc/srtp.h"

#include <limits.h>
#include <pthread.h>
#include <srtp2/srtp.h>
#include <string.h>

#include "base/mem.h"

// The library keeps something for each that ever came, and looks through all of them for each report.
#define REPORTERS 16 // SSRCs: one or two for each medium, and some more

struct sc_srtp {
    srtp_t out, in;
    uint32_t reporters[REPORTERS]; // of whom reports came
    int reporter_count;
};

// GStreamer's plugin uses the same library: it fails where that was first, and works all the same. It stays loaded.
static void load(void)
{
    (void)srtp_init();
}

static bool make(srtp_t *session, srtp_ssrc_type_t direction, const uint8_t *key,
                 bool short_tag)
{
    srtp_policy_t policy = {.ssrc = {.type = direction}, .window_size = 1024};
    uint8_t copy[SC_SRTP_KEY]; // the library takes no const
    memcpy(copy, key, sizeof(copy));
    policy.key = copy;
    if (short_tag)
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp);
    else
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
    bool made = srtp_create(session, &policy) == srtp_err_status_ok;
    explicit_bzero(copy, sizeof(copy));
    return made;
}

int sc_srtp_open(sc_srtp **psrtp, const struct sc_srtp_keys *keys, sc_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    sc_srtp *srtp = sc_new(sc_srtp);
    *psrtp = srtp;
    if (make(&srtp->out, ssrc_any_outbound, keys->out, keys->short_tag) &&
        make(&srtp->in, ssrc_any_inbound, keys->in, keys->short_tag))
        return SC_OK;
    sc_srtp_close(psrtp);
    return sc_fail(err, SC_EINTERNAL, "libsrtp does not take the keys of the connection");
}

void sc_srtp_close(sc_srtp **psrtp)
{
    sc_srtp *srtp = psrtp ? *psrtp : NULL;
    if (!srtp)
        return;
    *psrtp = NULL;
    if (srtp->out)
        srtp_dealloc(srtp->out);
    if (srtp->in)
        srtp_dealloc(srtp->in);
    free(srtp);
}

typedef srtp_err_status_t work(srtp_t session, void *packet, int *size);

static bool run(work *what, srtp_t session, uint8_t *packet, size_t *size)
{
    int length = (int)*size;
    if (*size > INT_MAX / 2 || what(session, packet, &length) != srtp_err_status_ok)
        return false;
    *size = (size_t)length;
    return true;
}

bool sc_srtp_protect(sc_srtp *srtp, uint8_t *packet, size_t *size)
{
    return run(srtp_protect, srtp->out, packet, size);
}

bool sc_srtp_protect_report(sc_srtp *srtp, uint8_t *report, size_t *size)
{
    return run(srtp_protect_rtcp, srtp->out, report, size);
}

bool sc_srtp_open_report(sc_srtp *srtp, uint8_t *report, size_t *size)
{
    uint32_t ssrc;
    int known = 0;
    if (*size < 4 + sizeof(ssrc))
        return false;
    memcpy(&ssrc, report + 4, sizeof(ssrc));
    while (known < srtp->reporter_count && srtp->reporters[known] != ssrc)
        known++;
    if (known == REPORTERS || !run(srtp_unprotect_rtcp, srtp->in, report, size))
        return false;
    if (known == srtp->reporter_count)
        srtp->reporters[srtp->reporter_count++] = ssrc;
    return true;
}
