// The engine: GStreamer loaded, a first connection made, silent peers noticed, pipelines taken down.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "rtc/peer_internal.h"
#include "rtc/plugins.h"

#define SILENCE_NS    (10 * SC_NS_PER_S)
#define HANGS_NS      (10 * SC_NS_PER_S) // a demolition that takes longer will not end
#define CLOSE_WAIT_NS (2 * SC_NS_PER_S)
#define WARM_NS       (30 * SC_NS_PER_S) // an RSA key on a machine that has much else to do

// One pipeline being taken down, by a thread of its own: those that hang hurt nobody else.
struct sc_rtc_demolition {
    sc_rtc *rtc; // owned reference
    sc_rtc_peer *peer;
    int64_t since_ns;
    bool left; // counted as left behind
    struct sc_rtc_demolition *next;
};

// --- taking down --------------------------------------------------------------------------------

static void unref_rtc(sc_rtc *rtc)
{
    if (atomic_fetch_sub(&rtc->refs, 1) != 1)
        return;
    pthread_cond_destroy(&rtc->changed);
    pthread_mutex_destroy(&rtc->lock);
    free(rtc->stun);
    free(rtc->turn);
    free(rtc);
}

static void unlink_demolition(sc_rtc *rtc, struct sc_rtc_demolition *done)
{
    pthread_mutex_lock(&rtc->lock);
    struct sc_rtc_demolition **at = &rtc->demolitions;
    while (*at != done)
        at = &(*at)->next;
    *at = done->next;
    if (done->left)
        rtc->left_behind--;
    else
        rtc->closing--;
    pthread_cond_broadcast(&rtc->changed);
    pthread_mutex_unlock(&rtc->lock);
}

static void *demolish(void *arg)
{
    struct sc_rtc_demolition *d = arg;
    sc_rtc *rtc = d->rtc;
    int association = d->peer->association;
    sc_rtc_peer_demolish(d->peer);
    pthread_mutex_lock(&rtc->lock);
    rtc->associations[association / 8] &= (uint8_t) ~(1 << association % 8);
    pthread_mutex_unlock(&rtc->lock);
    sc_rtc_peer_unref(&d->peer);
    unlink_demolition(rtc, d);
    free(d);
    unref_rtc(rtc);
    return NULL;
}

static void delist(sc_rtc *rtc, sc_rtc_peer *peer)
{
    sc_rtc_peer **at = &rtc->first;
    while (*at && *at != peer)
        at = &(*at)->next;
    if (*at)
        *at = peer->next;
    rtc->open -= peer->listed && !peer->hidden;
    peer->listed = false;
}

void sc_rtc_retire(sc_rtc *rtc, sc_rtc_peer *peer)
{
    struct sc_rtc_demolition *d = sc_new(struct sc_rtc_demolition);
    d->rtc = rtc;
    d->peer = peer;
    d->since_ns = sc_clock_now();
    atomic_fetch_add(&rtc->refs, 1);
    pthread_mutex_lock(&rtc->lock);
    delist(rtc, peer);
    d->next = rtc->demolitions;
    rtc->demolitions = d;
    rtc->closing++;
    pthread_mutex_unlock(&rtc->lock);
    pthread_t thread;
    if (pthread_create(&thread, NULL, demolish, d) == 0)
        pthread_detach(thread);
    else
        demolish(d);
}

// --- the keeper ---------------------------------------------------------------------------------

void sc_rtc_enlist(sc_rtc *rtc, sc_rtc_peer *peer)
{
    pthread_mutex_lock(&rtc->lock);
    peer->next = rtc->first;
    rtc->first = peer;
    peer->listed = true;
    rtc->open += !peer->hidden;
    pthread_mutex_unlock(&rtc->lock);
}

// All open peers, referenced, because what they report is not reported under our lock.
static int collect_peers(sc_rtc *rtc, sc_rtc_peer ***ppeers)
{
    int count = 0;
    for (sc_rtc_peer *p = rtc->first; p; p = p->next)
        count++;
    sc_rtc_peer **peers = sc_xcalloc((size_t)count + 1, sizeof(sc_rtc_peer *));
    count = 0;
    for (sc_rtc_peer *p = rtc->first; p; p = p->next)
        peers[count++] = sc_rtc_peer_ref(p);
    *ppeers = peers;
    return count;
}

static void give_up_hanging(sc_rtc *rtc, int64_t now)
{
    for (struct sc_rtc_demolition *d = rtc->demolitions; d; d = d->next)
        if (!d->left && now - d->since_ns > HANGS_NS) {
            d->left = true;
            rtc->closing--;
            rtc->left_behind++;
            SC_WARN(rtc->log, "a WebRTC pipeline hangs and is left behind",
                    SC_I("left_behind", rtc->left_behind));
        }
}

static void *keep(void *arg)
{
    sc_rtc *rtc = arg;
    int64_t step = rtc->silence_ns / 8;
    step = step > SC_NS_PER_S / 4 ? SC_NS_PER_S / 4 : step;
    pthread_mutex_lock(&rtc->lock);
    while (!rtc->stopped) {
        sc_clock_wait(&rtc->changed, &rtc->lock, sc_clock_now() + step);
        sc_rtc_peer **peers;
        int64_t now = sc_clock_now();
        int count = collect_peers(rtc, &peers);
        give_up_hanging(rtc, now);
        pthread_mutex_unlock(&rtc->lock);
        for (int i = 0; i < count; i++) {
            sc_rtc_peer_check(peers[i], now);
            sc_rtc_peer_unref(&peers[i]);
        }
        free(peers);
        pthread_mutex_lock(&rtc->lock);
    }
    pthread_mutex_unlock(&rtc->lock);
    return NULL;
}

// usrsctp hangs for ever when two associations of a process have the same number, and webrtcbin draws
// them at random.
int sc_rtc_take_association(sc_rtc *rtc)
{
    pthread_mutex_lock(&rtc->lock);
    int number = rtc->next_association;
    for (int i = 0; i < 65535; i++, number = (number + 1) % 65535)
        if (!(rtc->associations[number / 8] >> number % 8 & 1))
            break;
    rtc->associations[number / 8] |= (uint8_t)(1 << number % 8);
    rtc->next_association = (number + 1) % 65535;
    pthread_mutex_unlock(&rtc->lock);
    return number;
}

sc_rtc_sender *sc_rtc_take_sender(sc_rtc *rtc)
{
    pthread_mutex_lock(&rtc->lock);
    sc_rtc_sender *sender = rtc->senders[rtc->next_sender];
    rtc->next_sender = (rtc->next_sender + 1) % rtc->sender_count;
    pthread_mutex_unlock(&rtc->lock);
    return sender;
}

// --- life ---------------------------------------------------------------------------------------

static const char first_offer[] =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 "
    "0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\n"
    "a=ice-ufrag:warm\r\na=ice-pwd:warmwarmwarmwarmwarmwarm\r\na=setup:actpass\r\n"
    "a=fingerprint:sha-256 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00"
    ":00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\r\n"
    "a=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";

// The certificate is made with the first connection: 200 ms, or seconds where there is little CPU. Others wait
// for it, so that it does not count as theirs.
static void *warm_up(void *arg)
{
    sc_rtc *rtc = arg; // a reference
    sc_rtc_peer *peer = NULL;
    char *answer = NULL;
    sc_err err = {0};
    sc_rtc_offer *offer = NULL;
    struct sc_rtc_peer_params params = {.role = SC_RTC_WATCH, .video = SC_RTC_H264};
    int ret = sc_rtc_offer_parse(&offer, first_offer, strlen(first_offer), SC_RTC_WATCH, &err);
    params.offer = offer;
    if (ret == SC_OK)
        ret = sc_rtc_peer_make(rtc, &peer, &answer, &params, true, &err);
    free(answer);
    sc_rtc_peer_close(&peer);
    sc_rtc_offer_free(&offer);
    pthread_mutex_lock(&rtc->lock);
    if (ret < 0 && !rtc->stopping)
        SC_WARN(rtc->log, "the first WebRTC connection failed", SC_S("reason", err.text));
    rtc->warm = true;
    pthread_cond_broadcast(&rtc->changed);
    pthread_mutex_unlock(&rtc->lock);
    unref_rtc(rtc);
    return NULL;
}

static void begin_warming_up(sc_rtc *rtc)
{
    pthread_t thread;
    atomic_fetch_add(&rtc->refs, 1);
    if (pthread_create(&thread, NULL, warm_up, rtc) == 0)
        pthread_detach(thread);
    else
        warm_up(rtc);
}

void sc_rtc_wait_till_warm(sc_rtc *rtc)
{
    int64_t until = sc_clock_now() + WARM_NS;
    pthread_mutex_lock(&rtc->lock);
    while (!rtc->warm && sc_clock_wait(&rtc->changed, &rtc->lock, until))
        ;
    pthread_mutex_unlock(&rtc->lock);
}

static sc_rtc *new_rtc(const struct sc_rtc_params *params)
{
    sc_rtc *rtc = sc_new(sc_rtc);
    atomic_init(&rtc->refs, 1);
    rtc->log = params->log;
    rtc->port_min = params->port_min;
    rtc->port_max = params->port_max;
    rtc->stun = params->stun ? sc_xstrdup(params->stun) : NULL;
    rtc->turn = params->turn ? sc_xstrdup(params->turn) : NULL;
    rtc->silence_ns = params->silence_ns > 0 ? params->silence_ns : SILENCE_NS;
    pthread_mutex_init(&rtc->lock, NULL);
    sc_clock_init_cond(&rtc->changed);
    return rtc;
}

// One sends some hundred Mbit/s.
static int open_senders(sc_rtc *rtc, sc_err *err)
{
    int ret = SC_OK, wanted = 1 + sc_cpu_count() / 4;
    wanted = wanted < SC_RTC_SENDERS ? wanted : SC_RTC_SENDERS;
    while (ret == SC_OK && rtc->sender_count < wanted) {
        ret = sc_rtc_sender_open(&rtc->senders[rtc->sender_count], err);
        rtc->sender_count += ret == SC_OK;
    }
    return ret;
}

// Nobody is left who would wake one: peers that hang in being taken down were closed.
static void close_senders(sc_rtc *rtc)
{
    for (int i = 0; i < rtc->sender_count; i++)
        sc_rtc_sender_close(&rtc->senders[i]);
}

int sc_rtc_open(sc_rtc **prtc, const struct sc_rtc_params *params, sc_err *err)
{
    *prtc = NULL;
    int ret = sc_rtc_plugins_load(err);
    if (ret < 0)
        return ret;
    sc_rtc *rtc = new_rtc(params);
    char *version = gst_version_string();
    g_strlcpy(rtc->version, version, sizeof(rtc->version));
    g_free(version);
    sc_rtc_plugins_log(rtc->log);
    ret = open_senders(rtc, err);
    if (ret == SC_OK && pthread_create(&rtc->keeper, NULL, keep, rtc) != 0)
        ret = sc_fail(err, SC_EINTERNAL, "no thread can be made");
    if (ret < 0) {
        close_senders(rtc);
        sc_rtc_plugins_unlog(rtc->log);
        unref_rtc(rtc);
        return ret;
    }
    begin_warming_up(rtc);
    *prtc = rtc;
    return SC_OK;
}

void sc_rtc_close(sc_rtc **prtc)
{
    sc_rtc *rtc = prtc ? *prtc : NULL;
    if (!rtc)
        return;
    *prtc = NULL;
    sc_rtc_wait_till_warm(rtc); // a process that ends while a key is made crashes
    int64_t until = sc_clock_now() + CLOSE_WAIT_NS;
    pthread_mutex_lock(&rtc->lock);
    rtc->stopping = true;
    while (rtc->closing > 0 && sc_clock_wait(&rtc->changed, &rtc->lock, until))
        ;
    rtc->stopped = true;
    pthread_cond_broadcast(&rtc->changed);
    pthread_mutex_unlock(&rtc->lock);
    pthread_join(rtc->keeper, NULL);
    close_senders(rtc);
    sc_rtc_plugins_unlog(rtc->log);
    unref_rtc(rtc);
}

void sc_rtc_get_info(sc_rtc *rtc, struct sc_rtc_info *info)
{
    *info = (struct sc_rtc_info){0};
    pthread_mutex_lock(&rtc->lock);
    info->peers = rtc->open;
    info->closing = rtc->closing;
    info->left_behind = rtc->left_behind;
    pthread_mutex_unlock(&rtc->lock);
    g_strlcpy(info->version, rtc->version, sizeof(info->version));
}
