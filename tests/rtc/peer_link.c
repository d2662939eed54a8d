#include "peer_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/encoder.h"

// --- pictures -----------------------------------------------------------------------------------

static void paint(AVFrame *frame, int n)
{
    uint32_t random = (uint32_t)n * 7919 + 1;
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p ? 120 : 240); y++)
            for (int x = 0; x < (p ? 160 : 320); x++) {
                random = random * 1664525 + 1013904223;
                frame->data[p][y * frame->linesize[p] + x] =
                    (uint8_t)((x + y + n * 2) / 2 + (random >> 31));
            }
}

// with: what of the encoder is not the same for all.
static void encode(sc_packet **pictures, struct sc_encoder_params with)
{
    sc_err err = {0};
    AVFrame *frame = av_frame_alloc();
    frame->width = 320;
    frame->height = 240;
    frame->format = AV_PIX_FMT_YUV420P;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    sc_encoder *encoder;
    struct sc_encoder_params params = with;
    params.like = frame;
    params.threads = 1;
    params.live = true;
    params.gop = 8;
    assert_int_equal(sc_encoder_open(&encoder, &params, &err), SC_OK);
    for (int i = 0; i < PICTURES; i++) {
        assert_int_equal(av_frame_make_writable(frame), 0);
        paint(frame, i);
        assert_int_equal(sc_encoder_put(encoder, frame, i * INT64_C(33366667), 33366667, &err),
                         0);
        assert_int_equal(sc_encoder_get(encoder, &pictures[i], &err), 0);
    }
    sc_encoder_close(&encoder);
    av_frame_free(&frame);
}

int open_all(void **state)
{
    struct fixture *f = sc_new(struct fixture);
    sc_err err = {0};
    av_log_set_level(AV_LOG_ERROR);
    f->log = sc_log_open(&(struct sc_log_params){.level = SC_LOG_WARN});
    struct sc_rtc_params params = {.log = f->log};
    if (sc_rtc_open(&f->rtc, &params, &err) < 0) {
        snprintf(f->why, sizeof(f->why), "%s", err.text);
    } else {
        encode(f->pictures, (struct sc_encoder_params){
                                .bitrate = 2000000, .profile = "baseline", .in_band = true});
        encode(f->vp8, (struct sc_encoder_params){.bitrate = 1000000, .codec = "libvpx"});
    }
    *state = f;
    return 0;
}

int close_all(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < PICTURES; i++) {
        sc_packet_unref(&f->pictures[i]);
        sc_packet_unref(&f->vp8[i]);
    }
    sc_rtc_close(&f->rtc);
    sc_log_close(&f->log);
    free(f);
    return 0;
}

// --- a connection -------------------------------------------------------------------------------

static void on_state(void *arg, enum sc_rtc_state state, const char *reason)
{
    struct link *link = arg;
    pthread_mutex_lock(&link->lock);
    assert_true(state > link->state);
    link->state = state;
    link->states++;
    snprintf(link->reason, sizeof(link->reason), "%s", reason);
    pthread_mutex_unlock(&link->lock);
}

static void on_want_key(void *arg)
{
    struct link *link = arg;
    pthread_mutex_lock(&link->lock);
    link->keys_wanted++;
    pthread_mutex_unlock(&link->lock);
}

static void on_feedback(void *arg, const struct sc_rtc_arrival *arrivals, int count)
{
    struct link *link = arg;
    pthread_mutex_lock(&link->lock);
    link->feedbacks++;
    for (int i = 0; i < count && link->arrival_count < MOST; i++)
        link->arrivals[link->arrival_count++] = arrivals[i];
    pthread_mutex_unlock(&link->lock);
}

static void on_channel(void *arg)
{
    struct link *link = arg;
    bool sent = sc_rtc_peer_send_text(link->peer, "{\"n\":1}xx", 7);
    pthread_mutex_lock(&link->lock);
    link->channels++;
    link->greetings += sent;
    pthread_mutex_unlock(&link->lock);
}

static void on_message(void *arg, const char *data, size_t size)
{
    struct link *link = arg;
    pthread_mutex_lock(&link->lock);
    link->messages++;
    snprintf(link->message, sizeof(link->message), "%.*s", (int)size, data);
    pthread_mutex_unlock(&link->lock);
}

static void on_packet(void *arg, sc_packet *packet, enum sc_rtc_codec codec)
{
    struct link *link = arg;
    pthread_mutex_lock(&link->lock);
    if (codec == SC_RTC_OPUS)
        link->sounds++;
    else if (link->packet_count < MOST) {
        link->packets[link->packet_count++] = packet;
        packet = NULL;
    }
    pthread_mutex_unlock(&link->lock);
    sc_packet_unref(&packet);
}

int read_int(struct link *link, const int *value)
{
    pthread_mutex_lock(&link->lock);
    int now = *value;
    pthread_mutex_unlock(&link->lock);
    return now;
}

bool wait_for(struct link *link, const int *value, int wanted)
{
    for (int i = 0; i < 2000 && read_int(link, value) < wanted; i++)
        sc_clock_sleep(5 * SC_NS_PER_MS);
    return read_int(link, value) >= wanted;
}

bool wait_for_state(struct link *link, enum sc_rtc_state state)
{
    return wait_for(link, (const int *)&link->state, (int)state);
}

bool wait_for_client(struct client *client, int (*count)(struct client *), int wanted)
{
    for (int i = 0; i < 2000 && count(client) < wanted; i++)
        sc_clock_sleep(5 * SC_NS_PER_MS);
    return count(client) >= wanted;
}

int count_units(struct client *client)
{
    static struct client_unit units[MOST];
    return client_units(client, units, MOST);
}

// The digits of the first fingerprint, one of them another.
static void falsify(char *offer)
{
    char *at = strstr(offer, "a=fingerprint:sha-256 ");
    assert_non_null(at);
    do {
        at += strlen("a=fingerprint:sha-256 ");
        *at = *at == 'A' ? 'B' : 'A';
    } while ((at = strstr(at, "a=fingerprint:sha-256 ")));
}

void read_value(const char *text, const char *name, char *value, size_t size)
{
    char prefix[40];
    snprintf(prefix, sizeof(prefix), "a=%s:", name);
    const char *at = strstr(text, prefix);
    assert_non_null(at);
    at += strlen(prefix);
    snprintf(value, size, "%.*s", (int)strcspn(at, "\r"), at);
}

void open_link(struct fixture *f, struct link *link, const struct link_params *params)
{
    sc_err err = {0};
    memset(link, 0, sizeof(*link));
    pthread_mutex_init(&link->lock, NULL);
    link->timestamp = START;
    link->client = client_open(&params->client);
    char *text = client_offer(link->client);
    assert_non_null(text);
    read_value(text, "ice-ufrag", link->ufrag, sizeof(link->ufrag));
    if (params->wrong_fingerprint)
        falsify(text);
    sc_rtc_offer *offer = NULL;
    struct sc_rtc_peer_params peer = params->peer;
    peer.role = params->client.publish ? SC_RTC_PUBLISH : SC_RTC_WATCH;
    if (sc_rtc_offer_parse(&offer, text, strlen(text), peer.role, &err) < 0)
        fail_msg("%s", err.text);
    peer.offer = offer;
    peer.video = params->video ? params->video : SC_RTC_H264;
    link->shown = peer.video == SC_RTC_VP8 ? f->vp8 : f->pictures;
    peer.events = (struct sc_rtc_events){.on_state = on_state,
                                         .on_want_key = on_want_key,
                                         .on_feedback = on_feedback,
                                         .on_packet = on_packet,
                                         .on_channel = on_channel,
                                         .on_message = on_message,
                                         .arg = link};
    if (sc_rtc_peer_open(f->rtc, &link->peer, &link->answer, &peer, &err) < 0)
        fail_msg("%s", err.text);
    if (!params->no_answer)
        assert_true(client_answer(link->client, link->answer));
    sc_rtc_offer_free(&offer);
    g_free(text);
}

void close_link(struct link *link)
{
    sc_rtc_peer_close(&link->peer);
    client_close(&link->client);
    for (int i = 0; i < link->packet_count; i++)
        sc_packet_unref(&link->packets[i]);
    free(link->answer);
    pthread_mutex_destroy(&link->lock);
}

struct fixture *begin(void **state)
{
    struct fixture *f = *state;
    if (f->why[0]) {
        print_message("%s\n", f->why);
        skip();
    }
    return f;
}

void send_pictures(struct link *link, int count, int64_t every_ns)
{
    for (int i = 0; i < count; i++) {
        assert_true(sc_rtc_peer_send(link->peer, link->shown[i % PICTURES], link->timestamp));
        link->timestamp += STEP;
        sc_clock_sleep(every_ns);
    }
}

// Timestamps go with the time that passes, or the client's jitter buffer makes its own of it.
static void pass_time(struct link *link, int ms)
{
    int64_t since = sc_clock_now();
    sc_clock_sleep(ms * SC_NS_PER_MS);
    link->timestamp += (uint32_t)((sc_clock_now() - since) * 9 / 100000);
}

int lead_in(struct link *link)
{
    assert_true(wait_for_state(link, SC_RTC_CONNECTED));
    for (int i = 0; i < 200 && count_units(link->client) == 0; i++) {
        assert_true(sc_rtc_peer_send(link->peer, link->shown[0], link->timestamp));
        pass_time(link, 50);
    }
    for (int count = -1; count != count_units(link->client);) { // and what is still on its way
        count = count_units(link->client);
        pass_time(link, 400);
    }
    return count_units(link->client);
}

// --- what came ----------------------------------------------------------------------------------

// Without start codes: they have three or four bytes, and none of it goes over the wire.
static size_t strip(uint8_t *to, const uint8_t *data, size_t size)
{
    size_t out = 0;
    for (size_t i = 0; i < size; i++) {
        if (i + 3 < size && !data[i] && !data[i + 1] && !data[i + 2] && data[i + 3] == 1)
            i += 3;
        else if (i + 2 < size && !data[i] && !data[i + 1] && data[i + 2] == 1)
            i += 2;
        else
            to[out++] = data[i];
    }
    return out;
}

void check_unit(const struct client_unit *unit, const sc_packet *picture)
{
    size_t most = unit->size + (size_t)picture->av->size;
    uint8_t *came = sc_xcalloc(1, most), *sent = sc_xcalloc(1, most);
    size_t came_size = strip(came, unit->data, unit->size);
    if (came_size > 2 &&
        came[0] == 9) // a delimiter, which the parser of what publishers send puts in
        memmove(came, came + 2, came_size -= 2);
    size_t sent_size = strip(sent, picture->av->data, (size_t)picture->av->size);
    assert_int_equal(came_size, sent_size);
    assert_memory_equal(came, sent, sent_size);
    free(came);
    free(sent);
}
