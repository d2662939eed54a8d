#include "client.h"

#define GST_USE_UNSTABLE_API
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>
#include <nice/agent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"

enum { MOST_PACKETS = 20000, MOST_UNITS = 2000 };

struct client {
    struct client_params params;
    GstElement *pipeline, *webrtc, *video_source, *sound_source;
    GstWebRTCDataChannel *channel, *theirs;
    GstPad *input; // where video comes out
    struct client_wire *wire;
    atomic_bool muted;
    atomic_int pairs;
    pthread_mutex_t lock;
    // Under lock.
    struct client_packet packets[MOST_PACKETS];
    int packet_count;
    struct client_unit units[MOST_UNITS];
    int unit_count;
    uint32_t timestamp; // of the last packet that went to the depayloader
    int messages;
    char message[4096];
};

// --- what comes ---------------------------------------------------------------------------------

static GstPadProbeReturn take_packet(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad;
    struct client *client = arg;
    struct client_packet packet;
    if (!client_packet_read(&packet, GST_PAD_PROBE_INFO_BUFFER(info)))
        return GST_PAD_PROBE_OK;
    pthread_mutex_lock(&client->lock);
    if (client->packet_count < MOST_PACKETS)
        client->packets[client->packet_count++] = packet;
    client->timestamp = packet.timestamp;
    pthread_mutex_unlock(&client->lock);
    return GST_PAD_PROBE_OK;
}

static GstFlowReturn take_unit(GstAppSink *sink, gpointer arg)
{
    struct client *client = arg;
    GstSample *sample = gst_app_sink_pull_sample(sink);
    GstBuffer *buffer = sample ? gst_sample_get_buffer(sample) : NULL;
    pthread_mutex_lock(&client->lock);
    if (buffer && client->unit_count < MOST_UNITS) {
        struct client_unit *unit = &client->units[client->unit_count++];
        unit->timestamp = client->timestamp; // the unit leaves with its last packet
        unit->size = gst_buffer_get_size(buffer);
        unit->data = sc_xcalloc(1, unit->size + 1);
        gst_buffer_extract(buffer, 0, unit->data, unit->size);
    }
    pthread_mutex_unlock(&client->lock);
    if (sample)
        gst_sample_unref(sample);
    return GST_FLOW_OK;
}

static void take_pad(GstElement *webrtc, GstPad *pad, gpointer arg)
{
    (void)webrtc;
    struct client *client = arg;
    if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC)
        return;
    GstCaps *caps = gst_pad_get_current_caps(pad);
    char *text = caps ? gst_caps_to_string(caps) : g_strdup("");
    bool video = strstr(text, "video"), vp8 = strstr(text, "VP8");
    g_free(text);
    if (caps)
        gst_caps_unref(caps);
    GstElement *depay = gst_element_factory_make(!video ? "rtpopusdepay"
                                                 : vp8  ? "rtpvp8depay"
                                                        : "rtph264depay",
                                                 NULL);
    GstElement *sink = gst_element_factory_make("appsink", NULL);
    GstCaps *wanted =
        gst_caps_from_string(!video ? "audio/x-opus"
                             : vp8  ? "video/x-vp8"
                                    : "video/x-h264,stream-format=byte-stream,alignment=au");
    GstAppSinkCallbacks callbacks = {.new_sample = take_unit};
    g_object_set(sink, "sync", FALSE, "async", FALSE, "caps", wanted, NULL);
    gst_caps_unref(wanted);
    pthread_mutex_lock(&client->lock); // with client_open()
    pthread_mutex_unlock(&client->lock);
    gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, client, NULL);
    gst_bin_add_many(GST_BIN(client->pipeline), depay, sink, NULL);
    gst_element_link(depay, sink);
    gst_element_sync_state_with_parent(sink);
    gst_element_sync_state_with_parent(depay);
    GstPad *to = gst_element_get_static_pad(depay, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, take_packet, client, NULL);
    gst_pad_link(pad, to);
    gst_object_unref(to);
    if (video) {
        pthread_mutex_lock(&client->lock);
        client->input = gst_object_ref(pad);
        pthread_mutex_unlock(&client->lock);
    }
}

static void take_message(GstWebRTCDataChannel *channel, const char *text, gpointer arg)
{
    (void)channel;
    struct client *client = arg;
    pthread_mutex_lock(&client->lock);
    client->messages++;
    g_strlcpy(client->message, text ? text : "", sizeof(client->message));
    pthread_mutex_unlock(&client->lock);
}

static void take_channel(GstElement *webrtc, GstWebRTCDataChannel *channel, gpointer arg)
{
    (void)webrtc;
    struct client *client = arg;
    g_signal_connect(channel, "on-message-string", G_CALLBACK(take_message), client);
    pthread_mutex_lock(&client->lock);
    client->theirs = g_object_ref(channel);
    pthread_mutex_unlock(&client->lock);
}

// --- set up -------------------------------------------------------------------------------------

#define TWCC                                                                                   \
    ",rtcp-fb-transport-cc=(boolean)true,extmap-3=(string)\"http://www.ietf.org/id/"           \
    "draft-holmer-rmcat-transport-wide-cc-extensions-01\""

static GstCaps *make_caps(const struct client *client, bool sound)
{
    bool h264 = !client->params.name || !strcmp(client->params.name, "H264");
    char *text =
        sound ? g_strconcat("application/x-rtp,media=audio,encoding-name=OPUS,payload=111,"
                            "clock-rate=48000,encoding-params=(string)2",
                            client->params.number_sound ? TWCC : "", NULL)
              : g_strdup_printf(
                    "application/"
                    "x-rtp,media=video,encoding-name=%s,payload=96,clock-rate=90000%s%s",
                    h264 ? "H264" : client->params.name,
                    h264 ? ",packetization-mode=(string)1,profile-level-id=(string)42e01f" : "",
                    client->params.no_twcc ? ""
                                           : TWCC
                        ",extmap-5=(string)\"http://www.webrtc.org/experiments/"
                        "rtp-hdrext/playout-delay\"");
    GstCaps *caps = gst_caps_from_string(text);
    g_free(text);
    return caps;
}

static void add_output(struct client *client, bool sound, GstElement **psource)
{
    const char *name = sound                                                        ? "opus"
                       : client->params.name && !strcmp(client->params.name, "VP8") ? "vp8"
                                                                                    : "h264";
    char *text = g_strdup_printf(
        "appsrc name=source is-live=true format=time caps=\"%s\" ! rtp%spay pt=%d %s",
        sound                  ? "audio/x-opus,channel-mapping-family=0,channels=2,rate=48000"
        : !strcmp(name, "vp8") ? "video/x-vp8"
                               : "video/x-h264,stream-format=byte-stream,alignment=au,"
                                 "profile=constrained-baseline,level=(string)3",
        name, sound ? 111 : 96, sound ? "" : "mtu=1200");
    GstElement *bin = gst_parse_bin_from_description(text, TRUE, NULL);
    g_free(text);
    *psource = gst_bin_get_by_name(GST_BIN(bin), "source");
    gst_bin_add(GST_BIN(client->pipeline), bin);
    GstCaps *caps = make_caps(client, sound);
    gst_element_link_filtered(bin, client->webrtc, caps);
    gst_caps_unref(caps);
}

static void add_input(struct client *client, bool sound)
{
    GstWebRTCRTPTransceiver *transceiver = NULL;
    GstCaps *caps = make_caps(client, sound);
    g_signal_emit_by_name(client->webrtc, "add-transceiver",
                          GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY, caps, &transceiver);
    // On a busy machine it asks for what is only late, and drowns in what it gets.
    g_object_set(transceiver, "do-nack", client->params.nack, NULL);
    g_object_unref(transceiver);
    gst_caps_unref(caps);
}

static NiceAgent *get_agent(struct client *client)
{
    GObject *ice = NULL;
    NiceAgent *agent = NULL;
    g_object_get(client->webrtc, "ice-agent", &ice, NULL);
    g_object_get(ice, "agent", &agent, NULL);
    g_object_unref(ice);
    return agent;
}

static void take_pair(NiceAgent *agent, guint stream, guint component, NiceCandidate *ours,
                      NiceCandidate *theirs, gpointer arg)
{
    (void)agent, (void)stream, (void)component, (void)ours, (void)theirs;
    atomic_fetch_add(&((struct client *)arg)->pairs, 1);
}

static void set_up_ice(struct client *client)
{
    NiceAgent *agent = get_agent(client);
    g_object_set(agent, "upnp", FALSE, "ice-tcp", FALSE, NULL);
    g_signal_connect(agent, "new-selected-pair-full", G_CALLBACK(take_pair), client);
    g_object_unref(agent);
}

static void only_send(struct client *client)
{
    GArray *all = NULL;
    g_signal_emit_by_name(client->webrtc, "get-transceivers", &all);
    for (guint i = 0; i < all->len; i++)
        g_object_set(g_array_index(all, GstWebRTCRTPTransceiver *, i), "direction",
                     GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY, NULL);
    g_array_unref(all);
}

struct client *client_open(const struct client_params *params)
{
    struct client *client = sc_new(struct client);
    client->params = *params;
    pthread_mutex_init(&client->lock, NULL);
    client->pipeline = gst_object_ref_sink(gst_pipeline_new(NULL));
    client->webrtc = gst_element_factory_make("webrtcbin", NULL);
    g_object_set(client->webrtc, "bundle-policy", GST_WEBRTC_BUNDLE_POLICY_MAX_BUNDLE,
                 "latency", 1000u, NULL);
    gst_bin_add(GST_BIN(client->pipeline), client->webrtc);
    set_up_ice(client);
    client->wire = client_wire_open(client->webrtc);
    g_signal_connect(client->webrtc, "pad-added", G_CALLBACK(take_pad), client);
    g_signal_connect(client->webrtc, "on-data-channel", G_CALLBACK(take_channel), client);
    if (params->publish) {
        add_output(client, false, &client->video_source);
        if (params->sound)
            add_output(client, true, &client->sound_source);
        only_send(client);
    } else {
        add_input(client, false);
        if (params->sound)
            add_input(client, true);
    }
    pthread_mutex_lock(&client->lock);
    pthread_mutex_unlock(&client->lock);
    gst_element_set_state(client->pipeline, GST_STATE_PLAYING);
    if (params->channel)
        g_signal_emit_by_name(client->webrtc, "create-data-channel", "page", NULL,
                              &client->channel);
    if (client->channel)
        g_signal_connect(client->channel, "on-message-string", G_CALLBACK(take_message),
                         client);
    return client;
}

void client_close(struct client **pclient)
{
    struct client *client = pclient ? *pclient : NULL;
    if (!client)
        return;
    *pclient = NULL;
    GstBus *bus = gst_element_get_bus(client->pipeline);
    gst_bus_set_flushing(bus, TRUE);
    gst_object_unref(bus);
    g_signal_handlers_disconnect_by_data(client->webrtc, client);
    NiceAgent *agent = get_agent(client);
    g_signal_handlers_disconnect_by_data(agent, client);
    g_object_unref(agent);
    if (client->channel)
        g_signal_handlers_disconnect_by_data(client->channel, client);
    if (client->theirs)
        g_signal_handlers_disconnect_by_data(client->theirs, client);
    g_clear_object(&client->channel);
    g_clear_object(&client->theirs);
    gst_element_set_state(client->pipeline, GST_STATE_NULL);
    gst_clear_object(&client->input);
    gst_clear_object(&client->video_source);
    gst_clear_object(&client->sound_source);
    gst_object_unref(client->pipeline);
    client_wire_close(&client->wire);
    for (int i = 0; i < client->unit_count; i++)
        free(client->units[i].data);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

static void ask(struct client *client, const char *action, GstWebRTCSessionDescription *what,
                GstWebRTCSessionDescription **offer)
{
    GstPromise *promise = gst_promise_new();
    g_signal_emit_by_name(client->webrtc, action, what, promise);
    gst_promise_wait(promise);
    const GstStructure *reply = gst_promise_get_reply(promise);
    if (offer && reply)
        gst_structure_get(reply, "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, offer, NULL);
    gst_promise_unref(promise);
}

char *client_offer(struct client *client)
{
    GstWebRTCSessionDescription *offer = NULL, *local = NULL;
    GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
    ask(client, "create-offer", NULL, &offer);
    if (!offer)
        return NULL;
    ask(client, "set-local-description", offer, NULL);
    gst_webrtc_session_description_free(offer);
    for (int i = 0; i < 500 && state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE; i++) {
        g_object_get(client->webrtc, "ice-gathering-state", &state, NULL);
        sc_clock_sleep(SC_NS_PER_MS * 2);
    }
    g_object_get(client->webrtc, "local-description", &local, NULL);
    char *text = gst_sdp_message_as_text(local->sdp);
    gst_webrtc_session_description_free(local);
    return text;
}

bool client_answer(struct client *client, const char *answer)
{
    GstSDPMessage *sdp = NULL;
    if (gst_sdp_message_new_from_text(answer, &sdp) != GST_SDP_OK)
        return false;
    GstWebRTCSessionDescription *remote =
        gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER, sdp);
    ask(client, "set-remote-description", remote, NULL);
    gst_webrtc_session_description_free(remote);
    return true;
}

// --- what has come, what is sent ------------------------------------------------------------------

void client_restart(struct client *client, char *fragment, size_t size)
{
    char *ufrag = NULL, *pwd = NULL;
    NiceAgent *agent = get_agent(client);
    assert_true(nice_agent_restart_stream(agent, 1));
    assert_true(nice_agent_get_local_credentials(agent, 1, &ufrag, &pwd));
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", ufrag, pwd);
    GSList *candidates = nice_agent_get_local_candidates(agent, 1, 1);
    for (GSList *c = candidates; c; c = c->next) {
        char *line = nice_agent_generate_local_candidate_sdp(agent, c->data);
        g_string_append_printf(text, "%s\r\n", line);
        g_free(line);
    }
    assert_true(g_strlcpy(fragment, text->str, size) < size);
    g_slist_free_full(candidates, (GDestroyNotify)nice_candidate_free);
    g_string_free(text, TRUE);
    g_free(ufrag);
    g_free(pwd);
    g_object_unref(agent);
}

void client_take_fragment(struct client *client, const char *fragment)
{
    char ufrag[257] = "", pwd[257] = "";
    NiceAgent *agent = get_agent(client);
    GSList *candidates = NULL;
    char **lines = g_strsplit(fragment, "\r\n", -1);
    for (int i = 0; lines[i]; i++) {
        sscanf(lines[i], "a=ice-ufrag:%256s", ufrag);
        sscanf(lines[i], "a=ice-pwd:%256s", pwd);
        NiceCandidate *candidate =
            g_str_has_prefix(lines[i], "a=candidate:")
                ? nice_agent_parse_remote_candidate_sdp(agent, 1, lines[i])
                : NULL;
        if (candidate)
            candidates = g_slist_append(candidates, candidate);
    }
    assert_true(nice_agent_set_remote_credentials(agent, 1, ufrag, pwd));
    assert_true(nice_agent_set_remote_candidates(agent, 1, 1, candidates) > 0);
    g_slist_free_full(candidates, (GDestroyNotify)nice_candidate_free);
    g_strfreev(lines);
    g_object_unref(agent);
}

int client_pairs(struct client *client)
{
    return atomic_load(&client->pairs);
}

bool client_connected(struct client *client)
{
    GstWebRTCPeerConnectionState state;
    g_object_get(client->webrtc, "connection-state", &state, NULL);
    return state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED;
}

struct client_wire *client_wire(struct client *client)
{
    return client->wire;
}

int client_packets(struct client *client, struct client_packet *packets, int most)
{
    pthread_mutex_lock(&client->lock);
    int count = client->packet_count < most ? client->packet_count : most;
    memcpy(packets, client->packets, (size_t)count * sizeof(*packets));
    pthread_mutex_unlock(&client->lock);
    return count;
}

int client_units(struct client *client, struct client_unit *units, int most)
{
    pthread_mutex_lock(&client->lock);
    int count = client->unit_count < most ? client->unit_count : most;
    memcpy(units, client->units, (size_t)count * sizeof(*units));
    pthread_mutex_unlock(&client->lock);
    return count;
}

int client_messages(struct client *client)
{
    pthread_mutex_lock(&client->lock);
    int count = client->messages;
    pthread_mutex_unlock(&client->lock);
    return count;
}

void client_message(struct client *client, char *text, size_t size)
{
    pthread_mutex_lock(&client->lock);
    g_strlcpy(text, client->message, size);
    pthread_mutex_unlock(&client->lock);
}

void client_want_key(struct client *client)
{
    pthread_mutex_lock(&client->lock);
    GstPad *pad = client->input ? gst_object_ref(client->input) : NULL;
    pthread_mutex_unlock(&client->lock);
    if (!pad)
        return;
    gst_pad_send_event(pad,
                       gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                                            gst_structure_new("GstForceKeyUnit", "all-headers",
                                                              G_TYPE_BOOLEAN, TRUE, NULL)));
    gst_object_unref(pad);
}

bool client_send_text(struct client *client, const char *text)
{
    GstWebRTCDataChannelState state = GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED;
    if (client->channel)
        g_object_get(client->channel, "ready-state", &state, NULL);
    if (state != GST_WEBRTC_DATA_CHANNEL_STATE_OPEN)
        return false;
    g_signal_emit_by_name(client->channel, "send-string", text);
    return true;
}

void client_push(struct client *client, bool sound, const void *data, size_t size,
                 int64_t pts_ns)
{
    GstBuffer *buffer = gst_buffer_new_memdup(data, size);
    GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer) = (GstClockTime)pts_ns;
    gst_app_src_push_buffer(GST_APP_SRC(sound ? client->sound_source : client->video_source),
                            buffer);
}

static GstPadProbeReturn drop(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad, (void)info, (void)arg;
    return GST_PAD_PROBE_DROP;
}

void client_mute(struct client *client)
{
    GstIterator *all = gst_bin_iterate_recurse(GST_BIN(client->webrtc));
    GValue item = G_VALUE_INIT;
    while (gst_iterator_next(all, &item) == GST_ITERATOR_OK) {
        GstElement *element = g_value_get_object(&item);
        GstElementFactory *factory = gst_element_get_factory(element);
        if (factory && !strcmp(GST_OBJECT_NAME(factory), "nicesink")) {
            GstPad *pad = gst_element_get_static_pad(element, "sink");
            gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST,
                              drop, NULL, NULL);
            gst_object_unref(pad);
        }
        g_value_reset(&item);
    }
    g_value_unset(&item);
    gst_iterator_free(all);
}
