#include "fake_peer.h"

#include <string.h>

#include "base/mem.h"

int fake_peers, fake_peer_ret;

int sc_rtc_peer_open(sc_rtc *rtc, sc_rtc_peer **ppeer, char **answer,
                     const struct sc_rtc_peer_params *params, sc_err *err)
{
    (void)rtc;
    *ppeer = NULL;
    if (fake_peer_ret)
        return sc_fail(err, fake_peer_ret, "as the test wants it");
    sc_rtc_peer *peer = *ppeer = sc_new(sc_rtc_peer);
    peer->events = params->events;
    peer->codec = params->video;
    peer->pace = params->pace_bitrate;
    *answer = sc_xstrdup("v=0\r\n");
    fake_peers++;
    return SC_OK;
}

void sc_rtc_peer_close(sc_rtc_peer **ppeer)
{
    free(*ppeer);
    *ppeer = NULL;
    fake_peers--;
}

bool sc_rtc_peer_send(sc_rtc_peer *peer, sc_packet *packet, uint32_t timestamp)
{
    if (peer->full)
        return false;
    sc_require(peer->count < FAKE_SENT);
    peer->sent[peer->count].key = packet->key;
    peer->sent[peer->count].timestamp = timestamp;
    peer->sent[peer->count++].rung = packet->av->data[0];
    return true;
}

bool sc_rtc_peer_send_text(sc_rtc_peer *peer, const char *text, size_t size)
{
    sc_require(peer->open && size < sizeof(peer->text));
    memcpy(peer->text, text, size);
    peer->text[size] = '\0';
    peer->texts++;
    return true;
}

void sc_rtc_peer_set_pace(sc_rtc_peer *peer, int64_t bitrate)
{
    peer->pace = bitrate;
}

void sc_rtc_peer_set_link(sc_rtc_peer *peer, int64_t rate, int64_t estimate)
{
    peer->rate = rate;
    peer->estimate = estimate;
}

void sc_rtc_peer_get_stats(sc_rtc_peer *peer, struct sc_rtc_peer_stats *stats)
{
    *stats = (struct sc_rtc_peer_stats){.pictures = peer->count};
}

void fake_connect(sc_rtc_peer *peer)
{
    peer->events.on_state(peer->events.arg, SC_RTC_CONNECTED, NULL);
}

void fake_open_channel(sc_rtc_peer *peer)
{
    peer->open = true;
    peer->events.on_channel(peer->events.arg);
}

void fake_leave(sc_rtc_peer *peer, const char *reason)
{
    peer->events.on_state(peer->events.arg, SC_RTC_GONE, reason);
}
