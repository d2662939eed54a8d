// Prints what a live input gives, a line an item, for the tests with real sources.
// usage: live_input_dump URL [key=value ...]
//   keys: transport listen connect_ms read_ms retry_ms retry_max_ms attempts loop low decode
//         packets (stop after so many pictures) seconds (cancel after so many)
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "media/live_decoder.h"
#include "media/live_input.h"
#include "media/packet.h"

struct run {
    struct sc_live_input_params params;
    int64_t most, seconds;
    bool decode;
    sc_live_decoder *dec;
    int64_t pictures, began_ns;
};

static double ms(int64_t ns)
{
    return (double)ns / SC_NS_PER_MS;
}

static bool set(struct run *r, const char *name, const char *value)
{
    struct sc_live_input_params *p = &r->params;
    const struct {
        const char *name;
        int64_t *ns;
    } times[] = {{"connect_ms", &p->connect_timeout_ns},
                 {"read_ms", &p->read_timeout_ns},
                 {"retry_ms", &p->retry.first_ns},
                 {"retry_max_ms", &p->retry.max_ns}};
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
        if (!strcmp(name, times[i].name)) {
            *times[i].ns = atoll(value) * SC_NS_PER_MS;
            return true;
        }
    if (!strcmp(name, "transport"))
        p->transport = value;
    else if (!strcmp(name, "listen"))
        p->listen = atoi(value);
    else if (!strcmp(name, "attempts"))
        p->retry.attempts = atoi(value);
    else if (!strcmp(name, "loop"))
        p->loop = atoi(value);
    else if (!strcmp(name, "low"))
        p->low_latency = atoi(value);
    else if (!strcmp(name, "decode"))
        r->decode = atoi(value);
    else if (!strcmp(name, "packets"))
        r->most = atoll(value);
    else if (!strcmp(name, "seconds"))
        r->seconds = atoll(value);
    else
        return false;
    return true;
}

static void *stop_later(void *arg)
{
    struct run *r = arg;
    sc_clock_sleep(r->seconds * SC_NS_PER_S);
    sc_cancel_request(r->params.cancel);
    return NULL;
}

static void print_frames(struct run *r)
{
    sc_frame *frame;
    while (sc_live_decoder_receive(r->dec, &frame) == SC_OK) {
        printf("frame n=%lld pts=%.3f size=%dx%d\n", (long long)frame->n, ms(frame->pts_ns),
               frame->av->width, frame->av->height);
        sc_frame_unref(&frame);
    }
}

static void restart(struct run *r, sc_live_streams *streams)
{
    sc_err err = {0};
    sc_live_decoder_send(r->dec, NULL);
    print_frames(r);
    if (sc_live_decoder_start(r->dec, streams, &err) < 0)
        printf("decoder %s\n", err.text);
}

static void print_streams(const sc_live_streams *s)
{
    printf("streams %d %s %s %dx%d rate=%.3f sound=%s", s->generation, s->kind,
           avcodec_get_name(s->video->codec_id), s->video->width, s->video->height,
           av_q2d(s->frame_rate), s->sound ? avcodec_get_name(s->sound->codec_id) : "none");
    if (s->sound)
        printf(" %d/%d", s->sound->sample_rate, s->sound->ch_layout.nb_channels);
    printf("\n");
}

static void print_packet(const struct sc_live_item *item, int64_t began_ns)
{
    const sc_packet *p = item->packet;
    printf("%s at=%.0f dts=%.3f pts=%.3f size=%d%s%s\n",
           p->media == SC_MEDIA_VIDEO ? "picture" : "sound", ms(item->arrival_ns - began_ns),
           ms(p->dts_ns), ms(p->pts_ns), p->av->size, p->key ? " key" : "",
           item->resumed ? " resumed" : "");
}

static void print_item(struct run *r, struct sc_live_item *item)
{
    static sc_live_streams *current;
    if (item->type == SC_LIVE_STATE) {
        printf("state %s at=%.0f attempt=%d %s\n", sc_live_state_name(item->state),
               ms(sc_clock_now() - r->began_ns), item->attempt, item->err.text);
    } else if (item->type == SC_LIVE_STREAMS) {
        print_streams(item->streams);
        sc_live_streams_unref(&current);
        current = sc_live_streams_ref(item->streams);
        if (r->decode)
            restart(r, current);
    } else {
        print_packet(item, r->began_ns);
        bool picture = item->packet->media == SC_MEDIA_VIDEO;
        r->pictures += picture;
        if (r->decode && picture && item->resumed)
            restart(r, current);
        if (r->decode && picture) {
            while (sc_live_decoder_send(r->dec, item->packet) == SC_EAGAIN)
                print_frames(r);
            print_frames(r);
        }
    }
    fflush(stdout);
}

static void print_end(struct run *r, sc_live_input *in, int ret, const sc_err *err)
{
    struct sc_live_input_info info;
    struct sc_live_decoder_info dec;
    if (r->decode) {
        sc_live_decoder_send(r->dec, NULL);
        print_frames(r);
    }
    sc_live_input_get_info(in, &info);
    sc_live_decoder_get_info(r->dec, &dec);
    printf("info pictures=%lld sounds=%lld damaged=%lld left_out=%lld reconnects=%lld "
           "jumps=%lld frames=%lld broken=%lld threads=%s\n",
           (long long)info.packets[0], (long long)info.packets[1], (long long)info.damaged,
           (long long)info.left_out, (long long)info.reconnects, (long long)info.jumps,
           (long long)dec.frames, (long long)dec.damaged, dec.threads);
    printf("end %s at=%.0f %s\n", sc_error_name(ret), ms(sc_clock_now() - r->began_ns),
           err->text);
}

int main(int argc, char **argv)
{
    struct run r = {.params = {.url = argc > 1 ? argv[1] : NULL}};
    struct sc_live_item item;
    sc_live_input *in = NULL;
    sc_err err = {0};
    pthread_t timer;
    av_log_set_level(AV_LOG_QUIET);
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        if (!value || !set(&r, argv[i], value)) {
            fprintf(stderr, "what is %s?\n", argv[i]);
            return 2;
        }
    }
    r.began_ns = sc_clock_now();
    r.params.cancel = sc_cancel_new(NULL);
    int ret = sc_live_decoder_open(&r.dec, NULL, &err);
    if (ret >= 0)
        ret = sc_live_input_open(&in, &r.params, &err);
    if (ret < 0) {
        printf("open %s %s %s\n", sc_error_name(ret), err.field, err.text);
        return 1;
    }
    if (r.seconds)
        pthread_create(&timer, NULL, stop_later, &r);
    while ((!r.most || r.pictures < r.most) &&
           (ret = sc_live_input_read(in, &item, &err)) == SC_OK) {
        print_item(&r, &item);
        sc_live_item_release(&item);
    }
    print_end(&r, in, ret, &err);
    sc_live_input_close(&in);
    return 0;
}
