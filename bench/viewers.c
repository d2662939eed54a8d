// Many WHEP viewers in one process: webrtcbin receives, nothing is decoded.
//
//   viewers URL N SECONDS [APART_MS]
//
// They join one after another, APART_MS after the answer to the one before. "ready N" is printed once all
// have a picture (or have failed), the rest SECONDS later:
//
//   {"failed": 0, "error": "", "viewers": [{"first_ms": 95.1, "pictures": 150, "kbit": 5812, "gap_ms": 71.0}, ..]}
//
// first_ms runs from the POST to the first whole picture: all its packets, the last one with the marker.
// Pictures and kbit are those of the SECONDS, the longest gap is that since the first picture.
#define GST_USE_UNSTABLE_API
#include <curl/curl.h>
#include <gst/gst.h>
#include <gst/rtp/gstrtpbuffer.h>
#include <gst/webrtc/webrtc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"

enum { MOST = 1000, JOIN_MS = 15000, ANSWER = 1 << 16 };

// What a browser offers: feedback for the whole transport, retransmissions, no delay for playout.
#define CAPS                                                                                   \
    "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"            \
    "packetization-mode=(string)1,profile-level-id=(string)42e01f,"                            \
    "rtcp-fb-transport-cc=(boolean)true,extmap-3=(string)\"http://www.ietf.org/id/"            \
    "draft-holmer-rmcat-transport-wide-cc-extensions-01\",extmap-5=(string)\"http://"          \
    "www.webrtc.org/experiments/rtp-hdrext/playout-delay\""

struct viewer {
    GstElement *pipeline, *webrtc;
    const atomic_bool *counting;
    char *offer, *session; // session: its address, once it is answered
    char error[256];       // empty: none
    double posted_ms;
    pthread_mutex_t lock;
    // Under lock.
    bool begun, whole;                // whole: no packet of this picture is missing
    uint16_t next;                    // sequence number
    double first_ms, last_ms, gap_ms; // 0: none yet
    int pictures;
    int64_t bytes;
};

// --- what comes ---------------------------------------------------------------------------------

static void take_picture(struct viewer *v, double now_ms)
{
    if (!v->first_ms)
        v->first_ms = now_ms;
    else if (now_ms - v->last_ms > v->gap_ms)
        v->gap_ms = now_ms - v->last_ms;
    v->last_ms = now_ms;
    v->pictures += atomic_load(v->counting);
}

static GstPadProbeReturn take_packet(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad;
    struct viewer *v = arg;
    GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    if (!gst_rtp_buffer_map(buffer, GST_MAP_READ, &rtp))
        return GST_PAD_PROBE_OK;
    uint16_t sequence = gst_rtp_buffer_get_seq(&rtp);
    bool last = gst_rtp_buffer_get_marker(&rtp);
    gst_rtp_buffer_unmap(&rtp);
    pthread_mutex_lock(&v->lock);
    v->whole = !v->begun || (v->whole && sequence == v->next);
    v->begun = true;
    v->next = (uint16_t)(sequence + 1);
    if (atomic_load(v->counting))
        v->bytes += (int64_t)gst_buffer_get_size(buffer);
    if (last && v->whole)
        take_picture(v, answer_now_ms());
    v->whole |= last;
    pthread_mutex_unlock(&v->lock);
    return GST_PAD_PROBE_OK;
}

static void take_pad(GstElement *webrtc, GstPad *pad, gpointer arg)
{
    (void)webrtc;
    struct viewer *v = arg;
    if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC)
        return;
    GstElement *sink = gst_element_factory_make("fakesink", NULL);
    g_object_set(sink, "sync", FALSE, "async", FALSE, NULL);
    gst_bin_add(GST_BIN(v->pipeline), sink);
    gst_element_sync_state_with_parent(sink);
    GstPad *to = gst_element_get_static_pad(sink, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, take_packet, v, NULL);
    gst_pad_link(pad, to);
    gst_object_unref(to);
}

// --- signalling ---------------------------------------------------------------------------------

// UPnP takes a quarter of a second, TCP candidates are of no use here.
static void quicken(GstElement *webrtc)
{
    GObject *ice = NULL, *agent = NULL;
    g_object_get(webrtc, "ice-agent", &ice, NULL);
    g_object_get(ice, "agent", &agent, NULL);
    g_object_set(agent, "upnp", FALSE, "ice-tcp", FALSE, NULL);
    g_object_unref(agent);
    g_object_unref(ice);
}

static void ask(GstElement *webrtc, const char *action, GstWebRTCSessionDescription *what,
                GstWebRTCSessionDescription **offer)
{
    GstPromise *promise = gst_promise_new();
    g_signal_emit_by_name(webrtc, action, what, promise);
    gst_promise_wait(promise);
    const GstStructure *reply = gst_promise_get_reply(promise);
    if (offer && reply)
        gst_structure_get(reply, "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, offer, NULL);
    gst_promise_unref(promise);
}

// With all candidates; NULL if there is none.
static char *make_offer(GstElement *webrtc)
{
    GstWebRTCSessionDescription *offer = NULL, *local = NULL;
    GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
    ask(webrtc, "create-offer", NULL, &offer);
    if (!offer)
        return NULL;
    ask(webrtc, "set-local-description", offer, NULL);
    gst_webrtc_session_description_free(offer);
    for (int i = 0; i < 2500 && state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE; i++) {
        g_object_get(webrtc, "ice-gathering-state", &state, NULL);
        usleep(2000);
    }
    g_object_get(webrtc, "local-description", &local, NULL);
    char *text = gst_sdp_message_as_text(local->sdp);
    gst_webrtc_session_description_free(local);
    return text;
}

static void open_viewer(struct viewer *v, const atomic_bool *counting)
{
    GstWebRTCRTPTransceiver *transceiver = NULL;
    pthread_mutex_init(&v->lock, NULL);
    v->counting = counting;
    v->pipeline = gst_object_ref_sink(gst_pipeline_new(NULL));
    v->webrtc = gst_element_factory_make("webrtcbin", NULL);
    if (!v->webrtc) {
        fprintf(stderr, "viewers: no webrtcbin (gstreamer1.0-plugins-bad)\n");
        exit(1);
    }
    g_object_set(v->webrtc, "bundle-policy", GST_WEBRTC_BUNDLE_POLICY_MAX_BUNDLE, NULL);
    gst_bin_add(GST_BIN(v->pipeline), v->webrtc);
    quicken(v->webrtc);
    g_signal_connect(v->webrtc, "pad-added", G_CALLBACK(take_pad), v);
    GstCaps *caps = gst_caps_from_string(CAPS);
    g_signal_emit_by_name(v->webrtc, "add-transceiver",
                          GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY, caps, &transceiver);
    g_object_set(transceiver, "do-nack", TRUE, NULL);
    g_object_unref(transceiver);
    gst_caps_unref(caps);
    gst_element_set_state(v->pipeline, GST_STATE_PLAYING);
    v->offer = make_offer(v->webrtc);
    if (!v->offer)
        snprintf(v->error, sizeof(v->error), "no offer");
}

struct body {
    char text[ANSWER];
    size_t size;
};

static size_t take_body(char *data, size_t one, size_t count, void *arg)
{
    struct body *body = arg;
    size_t size = one * count;
    if (size >= sizeof(body->text) - body->size)
        return 0;
    memcpy(body->text + body->size, data, size);
    body->size += size;
    body->text[body->size] = 0;
    return size;
}

// The Location, which may be relative.
static char *resolve(const char *url, CURL *curl)
{
    struct curl_header *header;
    char *session = NULL;
    CURLU *to = curl_url();
    if (curl_easy_header(curl, "Location", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
        !curl_url_set(to, CURLUPART_URL, url, 0) &&
        !curl_url_set(to, CURLUPART_URL, header->value, 0))
        curl_url_get(to, CURLUPART_URL, &session, 0);
    curl_url_cleanup(to);
    return session;
}

static void post(struct viewer *v, CURL *curl, const char *url, struct body *body)
{
    long status = 0;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/sdp");
    *body = (struct body){0};
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, v->offer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)JOIN_MS);
    v->posted_ms = answer_now_ms();
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code || status != 201)
        snprintf(v->error, sizeof(v->error), "%ld %.200s", status,
                 code ? curl_easy_strerror(code) : body->text);
    else
        v->session = resolve(url, curl);
    curl_slist_free_all(headers);
}

static void join(struct viewer *v, CURL *curl, const char *url, struct body *body)
{
    GstSDPMessage *sdp = NULL;
    if (!*v->error)
        post(v, curl, url, body);
    if (*v->error)
        return;
    if (gst_sdp_message_new_from_text(body->text, &sdp) != GST_SDP_OK) {
        snprintf(v->error, sizeof(v->error), "the answer is no SDP");
        return;
    }
    GstWebRTCSessionDescription *answer =
        gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER, sdp);
    ask(v->webrtc, "set-remote-description", answer, NULL);
    gst_webrtc_session_description_free(answer);
}

static void leave(struct viewer *v, CURL *curl)
{
    if (!v->session)
        return;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, v->session);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "DELETE");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L);
    curl_easy_perform(curl);
}

// --- all of them ----------------------------------------------------------------------------------

// How many have a picture; waits until all have, for JOIN_MS at most.
static int wait_for_all(struct viewer *viewers, int count)
{
    double until_ms = answer_now_ms() + JOIN_MS;
    for (;;) {
        int playing = 0, pending = 0;
        for (int i = 0; i < count; i++) {
            pthread_mutex_lock(&viewers[i].lock);
            bool plays = viewers[i].first_ms > 0;
            pthread_mutex_unlock(&viewers[i].lock);
            playing += plays;
            pending += !plays && !*viewers[i].error;
        }
        if (!pending || answer_now_ms() > until_ms)
            return playing;
        usleep(20000);
    }
}

// A viewer that stands still at the end has a gap that no picture has closed.
static void print_viewer(struct viewer *v, double now_ms)
{
    pthread_mutex_lock(&v->lock);
    if (v->first_ms)
        printf("{\"first_ms\": %.1f, \"pictures\": %d, \"kbit\": %.0f, \"gap_ms\": %.1f}",
               v->first_ms - v->posted_ms, v->pictures, (double)v->bytes * 8 / 1000,
               MAX(v->gap_ms, now_ms - v->last_ms));
    else
        printf("{\"first_ms\": null, \"pictures\": 0, \"kbit\": 0, \"gap_ms\": null}");
    pthread_mutex_unlock(&v->lock);
}

static int print(struct viewer *viewers, int count)
{
    double now_ms = answer_now_ms();
    const char *error = "";
    int failed = 0;
    for (int i = 0; i < count; i++) {
        failed += !viewers[i].first_ms;
        if (!viewers[i].first_ms && !*error)
            error = *viewers[i].error ? viewers[i].error : "no picture";
    }
    char *quoted = g_strescape(error, NULL);
    printf("{\"failed\": %d, \"error\": \"%s\", \"viewers\": [", failed, quoted);
    g_free(quoted);
    for (int i = 0; i < count; i++) {
        printf(i ? ", " : "");
        print_viewer(&viewers[i], now_ms);
    }
    printf("]}\n");
    fflush(stdout);
    return failed;
}

static int watch(const char *url, int count, double seconds, int apart_ms)
{
    atomic_bool counting = false;
    struct viewer *viewers = calloc((size_t)count, sizeof(*viewers));
    struct body *body = calloc(1, sizeof(*body));
    CURL *curl = curl_easy_init();
    if (!viewers || !body || !curl)
        abort();
    for (int i = 0; i < count; i++)
        open_viewer(&viewers[i], &counting);
    for (int i = 0; i < count; i++) {
        join(&viewers[i], curl, url, body);
        usleep((useconds_t)apart_ms * 1000);
    }
    printf("ready %d\n", wait_for_all(viewers, count));
    fflush(stdout);
    counting = true;
    usleep((useconds_t)(seconds * 1e6));
    counting = false;
    int failed = print(viewers, count);
    for (int i = 0; i < count; i++)
        leave(&viewers[i], curl);
    // Taking webrtcbin down hangs now and then, and nothing is left to be told.
    _exit(failed ? 1 : 0);
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[2]) : 0, apart_ms = argc > 4 ? atoi(argv[4]) : 0;
    double seconds = argc > 3 ? atof(argv[3]) : 0;
    if (argc < 4 || argc > 5 || count < 1 || count > MOST || seconds <= 0 || seconds > 3600 ||
        apart_ms < 0 || apart_ms > 10000) {
        fprintf(stderr, "usage: viewers URL N SECONDS [APART_MS]\n");
        return 2;
    }
    gst_init(&argc, &argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return watch(argv[1], count, seconds, apart_ms);
}
