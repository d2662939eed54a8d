// ICE, by the agent that webrtcbin has from libnice: what it may use, candidates, and the restart, which webrtcbin
// 1.22 cannot do. All media share one transport, hence one stream of the agent's with one component.
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "rtc/offer_internal.h"
#include "rtc/peer_internal.h"

#define COMPONENT NICE_COMPONENT_TYPE_RTP // RTCP shares it

NiceAgent *sc_rtc_peer_get_agent(const sc_rtc_peer *peer)
{
    GObject *ice = NULL;
    NiceAgent *agent = NULL;
    g_object_get(peer->webrtc, "ice-agent", &ice, NULL);
    if (ice)
        g_object_get(ice, "agent", &agent, NULL);
    g_clear_object(&ice);
    return agent;
}

// --- set up -------------------------------------------------------------------------------------

// Once there was a way, webrtcbin hears only of ways: what a restart looks for meanwhile, or does not find, would make
// it hold back all that comes the old one, and give up.
static void take_state(NiceAgent *agent, guint stream, guint component, guint state,
                       gpointer arg)
{
    (void)stream, (void)component;
    sc_rtc_peer *peer = arg;
    if (state == NICE_COMPONENT_STATE_CONNECTED || state == NICE_COMPONENT_STATE_READY)
        atomic_store(&peer->joined, true);
    else if (atomic_load(&peer->joined))
        g_signal_stop_emission_by_name(agent, "component-state-changed");
}

static void take_pair(NiceAgent *agent, guint stream, guint component, NiceCandidate *local,
                      NiceCandidate *remote, gpointer arg)
{
    (void)agent, (void)stream, (void)component, (void)local, (void)remote;
    sc_rtc_peer *peer = arg;
    if (!sc_rtc_peer_enter(peer))
        return;
    sc_rtc_peer_find_remote(peer);
    sc_rtc_peer_leave(peer);
}

static void drop_ref(gpointer arg, GClosure *closure)
{
    (void)closure;
    sc_rtc_peer *peer = arg;
    sc_rtc_peer_unref(&peer);
}

// Before those of webrtcbin's transport, which is made when it negotiates. The agent runs as long as webrtcbin lives.
static void hear_agent(sc_rtc_peer *peer, NiceAgent *agent)
{
    g_signal_connect_data(agent, "component-state-changed", G_CALLBACK(take_state),
                          sc_rtc_peer_ref(peer), drop_ref, 0);
    g_signal_connect_data(agent, "new-selected-pair-full", G_CALLBACK(take_pair),
                          sc_rtc_peer_ref(peer), drop_ref, 0);
}

// UPnP costs a fifth of a second a connection, TCP candidates a handful of descriptors; neither helps here.
static void set_up_agent(sc_rtc_peer *peer)
{
    NiceAgent *agent = sc_rtc_peer_get_agent(peer);
    if (!agent)
        return;
    g_object_set(agent, "upnp", FALSE, "ice-tcp", FALSE, NULL);
    hear_agent(peer, agent);
    g_object_unref(agent);
}

void sc_rtc_peer_set_up_ice(sc_rtc_peer *peer)
{
    GObject *ice = NULL;
    const sc_rtc *rtc = peer->rtc;
    g_object_get(peer->webrtc, "ice-agent", &ice, NULL);
    if (ice && rtc->port_max > 0)
        g_object_set(ice, "min-rtp-port", (guint)rtc->port_min, "max-rtp-port",
                     (guint)rtc->port_max, NULL);
    g_clear_object(&ice);
    set_up_agent(peer);
    if (rtc->stun)
        g_object_set(peer->webrtc, "stun-server", rtc->stun, NULL);
    if (rtc->turn)
        g_object_set(peer->webrtc, "turn-server", rtc->turn, NULL);
}

int sc_rtc_peer_find_stream(sc_rtc_peer *peer, sc_err *err)
{
    GObject *ice = NULL, *stream = NULL;
    g_object_get(peer->transport, "transport", &ice, NULL);
    if (ice)
        g_object_get(ice, "stream", &stream, NULL);
    if (stream)
        g_object_get(stream, "stream-id", &peer->ice_stream, NULL);
    g_clear_object(&stream);
    g_clear_object(&ice);
    return peer->ice_stream // libnice counts from 1
               ? SC_OK
               : sc_fail(err, SC_EUNSUPPORTED, "GStreamer's transport has no ICE by libnice");
}

// --- candidates ---------------------------------------------------------------------------------

// Straight to the agent: webrtcbin would take them later, maybe after a restart, and drop those of all media but one.
void sc_rtc_peer_add_candidate(sc_rtc_peer *peer, const char *text)
{
    char line[256];
    NiceAgent *agent = sc_rtc_peer_get_agent(peer);
    NiceCandidate *candidate = NULL;
    if (agent && g_str_has_prefix(text, "candidate:") &&
        g_snprintf(line, sizeof(line), "a=%s", text) < (gint)sizeof(line))
        candidate = nice_agent_parse_remote_candidate_sdp(agent, peer->ice_stream, line);
    if (candidate && candidate->component_id == COMPONENT) {
        GSList list = {.data = candidate};
        nice_agent_set_remote_candidates(agent, peer->ice_stream, COMPONENT, &list);
    }
    g_clear_pointer(&candidate, nice_candidate_free);
    g_clear_object(&agent);
}

// --- restart ------------------------------------------------------------------------------------

// The m-line by which the other side knows the transport: the first in use.
static void add_media(sc_str *out, const sc_rtc_offer *offer)
{
    int first = 0;
    while (!sc_offer_uses(offer, first)) // the video is
        first++;
    const struct sc_rtc_media *media = &offer->media[first];
    sc_str_addf(out, "m=%s 9 %s %s\r\na=mid:%s\r\n", media->name, media->proto, media->format,
                media->mid);
}

// Addresses that were learned from checks are left out: nobody would believe them, and checks find them again.
static void add_candidates(sc_str *out, NiceAgent *agent, const GSList *candidates)
{
    for (; candidates; candidates = candidates->next) {
        NiceCandidate *candidate = candidates->data;
        if (candidate->type == NICE_CANDIDATE_TYPE_PEER_REFLEXIVE)
            continue;
        char *line = nice_agent_generate_local_candidate_sdp(agent, candidate);
        sc_str_addf(out, "%s\r\n", line);
        g_free(line);
    }
    sc_str_add(out, "a=end-of-candidates\r\n");
}

static char *write_fragment(const sc_rtc_peer *peer, NiceAgent *agent, const GSList *candidates)
{
    sc_str out = {0};
    char *ufrag = NULL, *pwd = NULL;
    add_media(&out, &peer->offer);
    nice_agent_get_local_credentials(agent, peer->ice_stream, &ufrag, &pwd);
    sc_str_addf(&out, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", ufrag, pwd);
    g_free(ufrag);
    g_free(pwd);
    add_candidates(&out, agent, candidates);
    return sc_str_detach(&out);
}

// From now on silence counts anew, or who was away for long would have too little time.
static int note_restart(sc_rtc_peer *peer, const char *ufrag, sc_err *err)
{
    int ret = SC_OK;
    pthread_mutex_lock(&peer->lock);
    if (!strcmp(peer->ufrag, ufrag))
        ret = sc_fail(err, SC_EARG,
                      "an ICE restart needs new credentials: these are the ones in use");
    else
        g_strlcpy(peer->ufrag, ufrag, sizeof(peer->ufrag));
    pthread_mutex_unlock(&peer->lock);
    if (!ret)
        atomic_store(&peer->heard_ns, sc_clock_now());
    return ret;
}

// The role stays: it is the other side's offer that made us the controlled one.
int sc_rtc_peer_restart(sc_rtc_peer *peer, const char *ufrag, const char *pwd, char **fragment,
                        sc_err *err)
{
    *fragment = NULL;
    NiceAgent *agent = sc_rtc_peer_get_agent(peer);
    GSList *candidates =
        agent ? nice_agent_get_local_candidates(agent, peer->ice_stream, COMPONENT) : NULL;
    int ret = candidates ? note_restart(peer, ufrag, err)
                         : sc_fail(err, SC_EUNSUPPORTED, "ICE has no address of ours");
    if (ret == SC_OK &&
        (!nice_agent_restart_stream(agent, peer->ice_stream) ||
         !nice_agent_set_remote_credentials(agent, peer->ice_stream, ufrag, pwd)))
        ret = sc_fail(err, SC_EUNSUPPORTED, "libnice does not restart ICE");
    if (ret == SC_OK)
        *fragment = write_fragment(peer, agent, candidates);
    g_slist_free_full(candidates, (GDestroyNotify)nice_candidate_free);
    g_clear_object(&agent);
    return ret;
}
