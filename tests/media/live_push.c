// Sends the made-up match to live outputs, for tests with other programs at the other end.
//
//   live_push [frames=N] [fast] [sound] [cues] [codec=NAME] [gop=N] [segment=MS] [window=N]
//             [delay=MS] [timeout=MS] URL...
//
// Prints a JSON line of each output's state four times a second, and one at the end. SIGINT ends it as the last
// picture does.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "live_feed.h"
#include "media/live_output.h"

#define MAX_OUTPUTS 8
#define ENDING_S    20 // for the outputs to end: longer than a connection may take

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

struct push {
    int frames, gop, segment_ms, window, timeout_ms;
    int64_t ahead_ns; // of sound before its picture
    bool fast, sound, cues;
    const char *codec, *urls[MAX_OUTPUTS];
    int count;
    sc_live_output *outputs[MAX_OUTPUTS];
    struct feed feed;
};

static void parse(struct push *p, int argc, char **argv)
{
    *p = (struct push){.frames = 100, .gop = 25, .ahead_ns = 200 * SC_NS_PER_MS};
    for (int i = 1; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        int number = value ? atoi(value + 1) : 0;
        if (sc_starts_with(argv[i], "frames="))
            p->frames = number;
        else if (sc_starts_with(argv[i], "gop="))
            p->gop = number;
        else if (sc_starts_with(argv[i], "segment="))
            p->segment_ms = number;
        else if (sc_starts_with(argv[i], "window="))
            p->window = number;
        else if (sc_starts_with(argv[i], "timeout="))
            p->timeout_ms = number;
        else if (sc_starts_with(argv[i], "delay="))
            p->ahead_ns = number * SC_NS_PER_MS;
        else if (sc_starts_with(argv[i], "codec="))
            p->codec = value + 1;
        else if (!strcmp(argv[i], "fast"))
            p->fast = true;
        else if (!strcmp(argv[i], "sound"))
            p->sound = true;
        else if (!strcmp(argv[i], "cues"))
            p->cues = true;
        else if (p->count < MAX_OUTPUTS)
            p->urls[p->count++] = argv[i];
    }
}

static void want_key(void *arg)
{
    sc_encoder_want_key(arg);
}

static bool open_outputs(struct push *p)
{
    for (int i = 0; i < p->count; i++) {
        sc_err err = {0};
        const struct sc_live_output_params params = {
            .url = p->urls[i],
            .video = sc_encoder_codec(p->feed.encoder),
            .sound = p->sound ? p->feed.sound_codec : NULL,
            .frame_rate = {FEED_FPS, 1},
            .segment_ms = p->segment_ms,
            .window = p->window,
            .timeout_ms = p->timeout_ms,
            .retry_ms = 100,
            .retry_max_ms = 400,
            .cues = p->cues,
            .want_key = want_key,
            .want_key_arg = p->feed.encoder,
        };
        if (sc_live_output_open(&p->outputs[i], &params, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            return false;
        }
    }
    return true;
}

static bool report(struct push *p)
{
    bool busy = false;
    for (int i = 0; i < p->count; i++) {
        struct sc_live_output_info info;
        sc_str line = {0};
        sc_live_output_get_info(p->outputs[i], &info);
        sc_str_addf(&line,
                    "{\"output\":%d,\"kind\":\"%s\",\"state\":\"%s\",\"frames\":%" PRId64
                    ",\"sounds\":%" PRId64 ",\"drops\":%" PRId64 ",\"retries\":%" PRId64
                    ",\"reason\":",
                    i, info.kind, sc_live_output_state_name(info.state), info.frames,
                    info.sounds, info.drops, info.retries);
        sc_str_add_json(&line, info.reason);
        sc_str_add(&line, ",\"sound\":");
        sc_str_add_json(&line, info.sound);
        sc_str_addc(&line, '}');
        puts(sc_str_get(&line));
        sc_str_release(&line);
        busy |= info.state != SC_OUTPUT_DONE && info.state != SC_OUTPUT_FAILED;
    }
    fflush(stdout);
    return busy;
}

static void give(struct push *p, sc_packet *packet)
{
    for (int i = 0; packet && i < p->count; i++)
        sc_live_output_put(p->outputs[i], packet);
    sc_packet_unref(&packet);
}

static void give_cue(struct push *p, int n, int64_t pts_ns)
{
    char text[64];
    snprintf(text, sizeof(text), "frame %d", n);
    for (int i = 0; i < p->count; i++)
        sc_live_output_cue(p->outputs[i], pts_ns, FEED_NS, text);
}

static void push(struct push *p)
{
    const int64_t zero = INT64_C(3600) * SC_NS_PER_S; // streams seldom begin at 0
    int64_t began = sc_clock_now(), reported = 0;
    for (int n = 0; n < p->frames && !interrupted; n++) {
        sc_packet *sound;
        int64_t at = n * FEED_NS;
        if (!p->fast)
            sc_clock_sleep(began + at - sc_clock_now());
        while ((sound = feed_sound(&p->feed, zero, zero + at + p->ahead_ns)))
            give(p, sound);
        if (p->cues)
            give_cue(p, n, zero + at);
        give(p, feed_picture(&p->feed, zero));
        if (sc_clock_now() - reported > SC_NS_PER_S / 4) {
            report(p);
            reported = sc_clock_now();
        }
    }
}

int main(int argc, char **argv)
{
    struct push p;
    sc_err err = {0};
    parse(&p, argc, argv);
    signal(SIGINT, interrupt);
    av_log_set_level(getenv("LOUD") ? AV_LOG_INFO : AV_LOG_QUIET);
    if (feed_open(&p.feed, p.codec, p.gop, p.sound, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (!open_outputs(&p))
        return 1;
    push(&p);
    for (int i = 0; i < p.count; i++)
        sc_live_output_finish(p.outputs[i]);
    for (int n = 0; n < 20 * ENDING_S && report(&p); n++)
        sc_clock_sleep(SC_NS_PER_S / 20);
    for (int i = 0; i < p.count; i++)
        sc_live_output_close(&p.outputs[i], 0);
    feed_close(&p.feed);
    return 0;
}
